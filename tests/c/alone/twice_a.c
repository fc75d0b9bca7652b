/* The header twice in one file, and in two files of one program, as C and as C++. */
#include <heartline.h>
#include <heartline.h>

extern int twice_b(const heartline_event *event);

int main(void)
{
    heartline_event event;
    event.kind = HEARTLINE_EVENT_CLOSED;
    return heartline_check_abi(HEARTLINE_ABI_VERSION) != 0 || twice_b(&event) != 3;
}
