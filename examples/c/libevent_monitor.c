/* +{
 * An ordinary libevent server, and what Heartline adds to it on level 1. What is marked with a plus, a line or from brace to
 * brace, comes with Heartline; without it this is the server as it was, which knows nothing of Heartline:
 *
 *   sed '/[*] +{/,/[*] +}/d; /[*] +/d' examples/c/libevent_monitor.c > old_libevent.c
 *   cc -o old_libevent old_libevent.c -levent
 *   ./old_libevent 7005 35                        who is silent for 35 seconds is dropped; 0: nobody
 *
 * First step, shadow: the old timeout stays in charge. Heartline, with a timeout of its own, only says whom it would drop:
 *
 *   diff -u old_libevent.c examples/c/libevent_monitor.c
 *   make lib
 *   cc -Iinclude -o libevent_monitor examples/c/libevent_monitor.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi -levent
 *   ./libevent_monitor 7005 35 shadow 20          35 seconds are the old timeout's, 20 are Heartline's
 *
 * Second step: the old timeout is off, Heartline decides:
 *
 *   ./libevent_monitor 7005 0 heartline 20
 *
 * Third step: what is marked with a minus goes. It was the old timeout.
 *
 *   sed '/[*] -{/,/[*] -}/d; /[*] -/d' examples/c/libevent_monitor.c > new_libevent.c
 *   cc -Iinclude -o new_libevent new_libevent.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi -levent
 *   ./new_libevent 7005 0 heartline 20
 * +} */
/* Echoes what its clients send. PORT and the seconds after which a silent client is dropped, 0 for never. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <heartline.h> /* + */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h> /* + */
#include <sys/queue.h> /* - */
#include <time.h>      /* - */

struct client {
    struct bufferevent *stream;
    LIST_ENTRY(client) others; /* - */
    time_t last_seen;          /* - */
    heartline_peer peer;       /* + */
    int given_up;              /* + in shadow */
};

static unsigned long clients_now, timed_out;
static LIST_HEAD(, client) clients = LIST_HEAD_INITIALIZER(clients); /* - */
static time_t timeout_s, now_s;                                      /* - */
static heartline_monitor *monitor;                                   /* + */
static int heartline_decides;                                        /* + */

static void drop(struct client *client)
{
    heartline_monitor_remove(monitor, client->peer); /* + */
    LIST_REMOVE(client, others);                     /* - */
    bufferevent_free(client->stream);
    free(client);
    clients_now--;
}

static void on_read(struct bufferevent *stream, void *context)
{
    struct client *client = context;
    client->last_seen = now_s;                                          /* - */
    heartline_monitor_heard(monitor, client->peer, heartline_now_ms()); /* + */
    bufferevent_write_buffer(stream, bufferevent_get_input(stream));
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    (void)stream, (void)what;
    drop(context);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int length, void *context)
{
    struct client *client = calloc(1, sizeof *client);
    (void)from, (void)length, (void)context;
    client->stream = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(client->stream, on_read, NULL, on_event, client);
    bufferevent_enable(client->stream, EV_READ | EV_WRITE);
    client->last_seen = now_s;                                                                         /* - */
    LIST_INSERT_HEAD(&clients, client, others);                                                        /* - */
    if (heartline_monitor_add(monitor, (uint64_t)(uintptr_t)client, 1, heartline_now_ms(), &client->peer)) /* + */
        abort(); /* + sixteen million are the most */
    clients_now++;
}

/* -{ The old timeout, as many servers have it: once a second the clock is read and everybody is gone through. */
static void on_second(evutil_socket_t fd, short what, void *context)
{
    struct client *client, *next;
    struct timespec time;
    (void)fd, (void)what, (void)context;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now_s = time.tv_sec;
    for (client = LIST_FIRST(&clients); client && timeout_s > 0; client = next) {
        next = LIST_NEXT(client, others);
        if (now_s - client->last_seen > timeout_s) {
            timed_out++;
            drop(client);
        }
    }
}
/* -} */

/* +{ Heartline's verdicts. */
static void on_verdict(const heartline_verdict *verdict, uint64_t now)
{
    struct client *client = (struct client *)(uintptr_t)verdict->user;
    char byte;
    if (verdict->kind == HEARTLINE_VERDICT_STALLED) {
        printf("stalled for %u ms: it counts for nobody\n", verdict->silence_ms);
    } else if (verdict->kind == HEARTLINE_VERDICT_REVIVED && !heartline_decides && client->given_up) {
        printf("shadow: client %d lives, it would have been a mistake\n", bufferevent_getfd(client->stream));
        client->given_up = 0;
    } else if (verdict->kind == HEARTLINE_VERDICT_DEAD) {
        /* A proposal. One turn of libevent reads some hundreds of sockets: this one may have bytes that wait. */
        if (recv(bufferevent_getfd(client->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
            heartline_monitor_heard(monitor, verdict->peer, now);
        } else if (heartline_decides) {
            timed_out++;
            drop(client);
        } else if (!client->given_up) { /* who is not removed is proposed again */
            printf("shadow: client %d silent for %u ms\n", bufferevent_getfd(client->stream), verdict->silence_ms);
            client->given_up = 1;
        }
    }
}

static void judge(uint64_t now)
{
    heartline_verdict verdicts[256];
    int32_t count;
    do {
        count = heartline_monitor_advance(monitor, now, verdicts, 256);
        for (int32_t i = 0; i < count; i++)
            on_verdict(&verdicts[i], now);
    } while (count == 256);
    fflush(stdout);
}

/* The loop comes round when the monitor needs it, which is a promise: what it comes later was a stall. */
static void promise(struct event *alarm, uint64_t now)
{
    int32_t wait_ms = heartline_monitor_wait_ms(monitor, now);
    struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    if (wait_ms >= 0)
        event_add(alarm, &wait);
}

static void on_alarm(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what, (void)context; /* the loop only has to come round */
}

static int start_monitor(unsigned seconds, uint64_t now)
{
    heartline_policy policy;
    HEARTLINE_INIT(policy);
    policy.role = HEARTLINE_ROLE_WATCH; /* our clients beat by themselves */
    policy.timeout_ms = seconds * 1000;
    if (heartline_check_abi(HEARTLINE_ABI_VERSION) < 0 || heartline_monitor_new(NULL, now, &monitor) < 0)
        return -1;
    return heartline_monitor_policy(monitor, 1, &policy, now);
}
/* +} */

static void on_terminate(evutil_socket_t number, short what, void *context)
{
    (void)number, (void)what;
    event_base_loopbreak(context);
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    timeout_s = argc > 2 ? atoi(argv[2]) : 35;                                     /* - */
    uint64_t now = heartline_now_ms();                                             /* + */
    heartline_decides = argc > 3 && strcmp(argv[3], "heartline") == 0;             /* + */
    if (start_monitor(argc > 4 ? (unsigned)atoi(argv[4]) : 35, now) < 0)           /* + */
        return 1;                                                                  /* + */
    struct event *alarm = evtimer_new(base, on_alarm, NULL);                       /* + */

    struct evconnlistener *listener = evconnlistener_new_bind(
        base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 4096, (struct sockaddr *)&at, sizeof at);
    if (!listener || getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at, &length) < 0)
        return 1;
    struct event *terminate = evsignal_new(base, SIGTERM, on_terminate, base);
    event_add(terminate, NULL);
    struct event *second = event_new(base, -1, EV_PERSIST, on_second, NULL); /* - */
    event_add(second, &(struct timeval){.tv_sec = 1});                       /* - */
    on_second(-1, 0, NULL);                                                  /* - */
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);

    while (!event_base_got_break(base)) {
        promise(alarm, now); /* + */
        event_base_loop(base, EVLOOP_ONCE);
        now = heartline_now_ms(); /* + */
        judge(now);               /* + after what came was read */
    }
    printf("%lu clients, %lu timed out\n", clients_now, timed_out);
    event_free(alarm);  /* + */
    event_free(second); /* - */
    event_free(terminate);
    evconnlistener_free(listener);
    event_base_free(base);
    heartline_monitor_free(monitor); /* + */
    return 0;
}
