/* Results that no program may drop: this one does, and no compiler takes it with warnings as errors. */
#include <heartline.h>

int main(void)
{
    heartline_reactor *reactor = (heartline_reactor *)0;
    heartline_reactor_new((const heartline_reactor_config *)0, &reactor);
    heartline_reactor_free(reactor);
    return 0;
}
