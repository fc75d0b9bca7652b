/* Rule D6: no thread, no signal handler, no look at the environment, nothing registered for exit or fork. The functions
 * that would do so are this program's own, and count. argv[1]: a bug is ordered too. */
#include "../check.h"
#include <signal.h>

static int calls;
static const char *last = "";

/* Before the C library's: the linker takes the program's. They cannot be called through, and nobody here needs them. */
#define COUNTED(type, name, arguments, failure) \
    type name arguments;                        \
    type name arguments                         \
    {                                           \
        calls++;                                \
        last = #name;                           \
        return failure;                         \
    }
typedef void handler(int);
struct sigaction;
COUNTED(char *, getenv, (const char *a), ((void)a, NULL))
COUNTED(char *, secure_getenv, (const char *a), ((void)a, NULL))
COUNTED(int, setenv, (const char *a, const char *b, int c), ((void)a, (void)b, (void)c, -1))
COUNTED(int, sigaction, (int a, const struct sigaction *b, struct sigaction *c), ((void)a, (void)b, (void)c, -1))
COUNTED(handler *, signal, (int a, handler *b), ((void)a, (void)b, SIG_ERR))
COUNTED(int, sigaltstack, (const stack_t *a, stack_t *b), ((void)a, (void)b, -1))
COUNTED(int, pthread_create, (pthread_t * a, const pthread_attr_t *b, void *(*c)(void *), void *d),
        ((void)a, (void)b, (void)c, (void)d, 1))
COUNTED(int, atexit, (void (*a)(void)), ((void)a, -1))
COUNTED(int, pthread_atfork, (void (*a)(void), void (*b)(void), void (*c)(void)), ((void)a, (void)b, (void)c, -1))

#ifdef FORCED
void heartline_force_panic(void);
#endif

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = reactor_of(NULL);
    heartline_monitor *monitor;
    heartline_mailbox *mailbox;
    heartline_verdict verdict;
    heartline_peer peer;
    char text[20000];
    int end;

    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    EXPECT(heartline_monitor_add(monitor, 0, 0, 0, &peer), 0);
    CHECK(heartline_monitor_advance(monitor, 100000, &verdict, 1) == 1);
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    CHECK(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL) == 0);
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    CHECK(write(end, "\0\0\0\1x", 5) == 5);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_MESSAGE).id == id);
    EXPECT(heartline_reactor_send(reactor, id, "x", 1), 0);
    CHECK(heartline_reactor_fd(reactor) >= 0);
    EXPECT(heartline_mailbox_wake(mailbox), 0);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_AT_ONCE, 0), 0);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == id);
    CHECK(heartline_reactor_metrics(reactor, text, sizeof text) > 100);
#ifdef FORCED
    heartline_force_panic();
    EXPECT(heartline_monitor_remove(monitor, peer), HEARTLINE_ERR_PANIC);
    CHECK(heartline_last_bug(text, sizeof text) > 0);
#endif
    heartline_mailbox_free(mailbox);
    heartline_reactor_free(reactor);
    heartline_monitor_free(monitor);
    heartline_codec_free(codec);
    close(end);
    if (calls != 0)
        printf("%d calls, the last of %s\n", calls, last);
    return calls != 0;
}
