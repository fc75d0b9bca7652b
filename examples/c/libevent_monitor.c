/*
 * An ordinary libevent server that is given liveness by level 1. Lines that Heartline brings are marked with a plus sign:
 * they are the diff that you would make. Three ways to run it, which are the three steps of adopting it:
 *
 *   old        libevent's own read timeout decides, as before
 *   shadow     the old timeout decides, Heartline only logs what it would have done
 *   heartline  Heartline decides
 *
 *   make lib
 *   cc -Iinclude -o libevent_monitor examples/c/libevent_monitor.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi -levent
 *   ./libevent_monitor heartline 7005 35            timeout in seconds
 */
#define _GNU_SOURCE
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <heartline.h> /* + */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct client {
    struct bufferevent *stream;
    heartline_peer peer; /* + */
};

static struct timeval timeout = {.tv_sec = 35};
static int old_decides, heartline_decides;
static unsigned long clients_now, timed_out;
static heartline_monitor *monitor; /* + */

static void drop(struct client *client)
{
    heartline_monitor_remove(monitor, client->peer); /* + */
    bufferevent_free(client->stream);
    free(client);
    clients_now--;
}

static void on_read(struct bufferevent *stream, void *context)
{
    struct client *client = context;
    heartline_monitor_heard(monitor, client->peer, heartline_now_ms()); /* + */
    bufferevent_write_buffer(stream, bufferevent_get_input(stream));
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    (void)stream;
    if (what & BEV_EVENT_TIMEOUT)
        timed_out++;
    drop(context);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int length, void *context)
{
    struct client *client = calloc(1, sizeof *client);
    (void)from, (void)length, (void)context;
    client->stream = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(client->stream, on_read, NULL, on_event, client);
    if (old_decides)
        bufferevent_set_timeouts(client->stream, &timeout, NULL);
    bufferevent_enable(client->stream, EV_READ | EV_WRITE);
    heartline_monitor_add(monitor, (uint64_t)(uintptr_t)client, 1, heartline_now_ms(), &client->peer); /* + */
    clients_now++;
}

/* + all of this function */
static void judge(uint64_t now)
{
    heartline_verdict verdicts[256];
    int32_t count;
    do {
        count = heartline_monitor_advance(monitor, now, verdicts, 256);
        for (int32_t i = 0; i < count; i++) {
            struct client *client = (struct client *)(uintptr_t)verdicts[i].user;
            char byte;
            if (verdicts[i].kind == HEARTLINE_VERDICT_STALLED)
                printf("stalled for %u ms: it counts for nobody\n", verdicts[i].silence_ms);
            if (verdicts[i].kind != HEARTLINE_VERDICT_DEAD)
                continue;
            /* A proposal. One turn of libevent reads some hundreds of sockets: this one may have bytes that wait. */
            if (recv(bufferevent_getfd(client->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
                heartline_monitor_heard(monitor, verdicts[i].peer, now);
            } else if (heartline_decides) {
                timed_out++;
                drop(client);
            } else {
                printf("shadow: silent for %u ms\n", verdicts[i].silence_ms);
            }
        }
    } while (count == 256);
    fflush(stdout);
}

static void wake(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what, (void)context; /* the loop only has to come round */
}

static void on_terminate(evutil_socket_t number, short what, void *context)
{
    (void)number, (void)what;
    event_base_loopbreak(context);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "heartline";
    struct event_base *base = event_base_new();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    heartline_policy policy; /* + */

    old_decides = strcmp(mode, "heartline") != 0;
    heartline_decides = !old_decides;
    at.sin_port = htons((uint16_t)(argc > 2 ? atoi(argv[2]) : 0));
    if (argc > 3)
        timeout.tv_sec = atoi(argv[3]);

    uint64_t now = heartline_now_ms();                       /* + */
    HEARTLINE_INIT(policy);                                  /* + */
    policy.role = HEARTLINE_ROLE_WATCH;                      /* + our clients beat by themselves */
    policy.timeout_ms = (uint32_t)timeout.tv_sec * 1000;     /* + */
    if (heartline_check_abi(HEARTLINE_ABI_VERSION) < 0 ||    /* + */
        heartline_monitor_new(NULL, now, &monitor) < 0 ||    /* + */
        heartline_monitor_policy(monitor, 1, &policy, now) < 0) /* + */
        return 1;                                            /* + */

    struct evconnlistener *listener = evconnlistener_new_bind(
        base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 4096, (struct sockaddr *)&at, sizeof at);
    if (!listener || getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at, &length) < 0)
        return 1;
    struct event *terminate = evsignal_new(base, SIGTERM, on_terminate, base);
    event_add(terminate, NULL);
    struct event *alarm = evtimer_new(base, wake, NULL); /* + */
    printf("listening on 127.0.0.1:%d \n", ntohs(at.sin_port));
    fflush(stdout);

    /* Was: event_base_dispatch(base). */
    while (!event_base_got_break(base)) {
        int32_t wait_ms = heartline_monitor_wait_ms(monitor, now); /* + also the promise to be back by then */
        if (wait_ms >= 0) {                                        /* + */
            struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000}; /* + */
            event_add(alarm, &wait);                               /* + */
        }                                                          /* + */
        event_base_loop(base, EVLOOP_ONCE);
        now = heartline_now_ms(); /* + */
        judge(now);               /* + after what came was read */
    }
    printf("%lu clients, %lu timed out\n", clients_now, timed_out);
    event_free(alarm); /* + */
    event_free(terminate);
    evconnlistener_free(listener);
    event_base_free(base);
    heartline_monitor_free(monitor); /* + */
    return 0;
}
