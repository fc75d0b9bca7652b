/* +{
 * An ordinary libuv server, and what Heartline adds to it on level 1. What is marked with a plus, a line or from brace to
 * brace, comes with Heartline; without it this is the server as it was, which knows nothing of Heartline:
 *
 *   sed '/[*] +{/,/[*] +}/d; /[*] +/d' examples/c/libuv_monitor.c > old_libuv.c
 *   cc -o old_libuv old_libuv.c -luv
 *   ./old_libuv 7005 35                        who is silent for 35 seconds is dropped; 0: nobody
 *
 * First step, shadow: the old timeout stays in charge. Heartline, with a timeout of its own, only says whom it would drop:
 *
 *   diff -u old_libuv.c examples/c/libuv_monitor.c
 *   make lib
 *   cc -Iinclude -o libuv_monitor examples/c/libuv_monitor.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi -luv
 *   ./libuv_monitor 7005 35 shadow 20          35 seconds are the old timeout's, 20 are Heartline's
 *
 * Second step: the old timeout is off, Heartline decides:
 *
 *   ./libuv_monitor 7005 0 heartline 20
 *
 * Third step: what is marked with a minus goes. It was the old timeout.
 *
 *   sed '/[*] -{/,/[*] -}/d; /[*] -/d' examples/c/libuv_monitor.c > new_libuv.c
 *   cc -Iinclude -o new_libuv new_libuv.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi -luv
 *   ./new_libuv 7005 0 heartline 20
 * +} */
/* Echoes what its clients send. PORT and the seconds after which a silent client is dropped, 0 for never. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <heartline.h> /* + */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>     /* + */
#include <sys/queue.h>  /* - */
#include <sys/socket.h> /* + */
#include <uv.h>

struct client {
    uv_tcp_t stream;
    LIST_ENTRY(client) others; /* - */
    uint64_t last_seen;        /* - */
    heartline_peer peer;       /* + */
    int given_up;              /* + in shadow */
};

static unsigned long clients_now, timed_out;
static LIST_HEAD(, client) clients = LIST_HEAD_INITIALIZER(clients); /* - */
static uint64_t timeout_s, now_s;                                    /* - */
static heartline_monitor *monitor;                                   /* + */
static int heartline_decides;                                        /* + */
static uint64_t now_ms;                                              /* + */
static uv_timer_t alarm_timer;                                       /* + */

static void on_closed(uv_handle_t *stream)
{
    free(stream->data);
}

static void drop(struct client *client)
{
    if (uv_is_closing((uv_handle_t *)&client->stream))
        return;
    heartline_monitor_remove(monitor, client->peer); /* + */
    LIST_REMOVE(client, others);                     /* - */
    uv_close((uv_handle_t *)&client->stream, on_closed);
    clients_now--;
}

static void on_allocate(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    static char bytes[65536];
    (void)handle, (void)wanted;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct client *client = stream->data;
    uv_buf_t reply = uv_buf_init(buffer->base, count > 0 ? (unsigned)count : 0);
    if (count > 0) {
        client->last_seen = now_s;                                          /* - */
        heartline_monitor_heard(monitor, client->peer, heartline_now_ms()); /* + */
        /* A toy in this one respect: who does not read is dropped instead of being queued for. */
        if (uv_try_write(stream, &reply, 1) != (int)count)
            drop(client);
    } else if (count < 0) {
        drop(client);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client;
    if (status < 0 || !(client = calloc(1, sizeof *client)))
        return;
    uv_tcp_init(listener->loop, &client->stream);
    client->stream.data = client;
    client->last_seen = now_s;                                                                         /* - */
    LIST_INSERT_HEAD(&clients, client, others);                                                        /* - */
    if (heartline_monitor_add(monitor, (uint64_t)(uintptr_t)client, 1, heartline_now_ms(), &client->peer)) /* + */
        abort(); /* + sixteen million are the most */
    clients_now++;
    if (uv_accept(listener, (uv_stream_t *)&client->stream) < 0)
        drop(client);
    else
        uv_read_start((uv_stream_t *)&client->stream, on_allocate, on_read);
}

/* -{ The old timeout, as many servers have it: once a second the clock is read and everybody is gone through. */
static void on_second(uv_timer_t *timer)
{
    struct client *client, *next;
    (void)timer;
    now_s = uv_hrtime() / 1000000000;
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
static int descriptor(const struct client *client)
{
    uv_os_fd_t fd = -1;
    uv_fileno((const uv_handle_t *)&client->stream, &fd);
    return fd;
}

static void on_verdict(const heartline_verdict *verdict, uint64_t now)
{
    struct client *client = (struct client *)(uintptr_t)verdict->user;
    char byte;
    if (verdict->kind == HEARTLINE_VERDICT_STALLED) {
        printf("stalled for %u ms: it counts for nobody\n", verdict->silence_ms);
    } else if (verdict->kind == HEARTLINE_VERDICT_REVIVED && !heartline_decides && client->given_up) {
        printf("shadow: client %d lives, it would have been a mistake\n", descriptor(client));
        client->given_up = 0;
    } else if (verdict->kind == HEARTLINE_VERDICT_DEAD) {
        /* A proposal. One turn of libuv reads at most some thousands of sockets: this one may have bytes that wait. */
        if (recv(descriptor(client), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
            heartline_monitor_heard(monitor, verdict->peer, now);
        } else if (heartline_decides) {
            timed_out++;
            drop(client);
        } else if (!client->given_up) { /* who is not removed is proposed again */
            printf("shadow: client %d silent for %u ms\n", descriptor(client), verdict->silence_ms);
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

static void on_alarm(uv_timer_t *timer)
{
    (void)timer; /* the loop only has to come round */
}

/* The loop comes round when the monitor needs it, which is a promise: what it comes later was a stall. */
static void before_wait(uv_prepare_t *prepare)
{
    int32_t wait_ms = heartline_monitor_wait_ms(monitor, now_ms);
    (void)prepare;
    if (wait_ms >= 0)
        uv_timer_start(&alarm_timer, on_alarm, (uint64_t)wait_ms, 0);
}

/* After what came was read. */
static void after_wait(uv_check_t *check)
{
    (void)check;
    now_ms = heartline_now_ms();
    judge(now_ms);
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

static void on_terminate(uv_signal_t *terminate, int number)
{
    (void)number;
    uv_stop(terminate->loop);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in at;
    int length = sizeof at;
    uv_tcp_t listener;
    uv_signal_t terminate;
    uv_timer_t second;                                                      /* - */
    uv_prepare_t prepare;                                                   /* + */
    uv_check_t check;                                                       /* + */

    timeout_s = argc > 2 ? (uint64_t)atoi(argv[2]) : 35;                    /* - */
    uv_timer_init(loop, &second);                                           /* - */
    uv_timer_start(&second, on_second, 1000, 1000);                         /* - */
    on_second(&second);                                                     /* - */
    heartline_decides = argc > 3 && strcmp(argv[3], "heartline") == 0;      /* + */
    now_ms = heartline_now_ms();                                            /* + */
    if (start_monitor(argc > 4 ? (unsigned)atoi(argv[4]) : 35, now_ms) < 0) /* + */
        return 1;                                                           /* + */
    uv_timer_init(loop, &alarm_timer);                                      /* + */
    uv_prepare_init(loop, &prepare);                                        /* + */
    uv_prepare_start(&prepare, before_wait);                                /* + */
    uv_check_init(loop, &check);                                            /* + */
    uv_check_start(&check, after_wait);                                     /* + */

    uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, &at);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&at, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, 4096, on_connection) < 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &length) < 0)
        return 1;
    uv_signal_init(loop, &terminate);
    uv_signal_start(&terminate, on_terminate, SIGTERM);
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);

    uv_run(loop, UV_RUN_DEFAULT);
    printf("%lu clients, %lu timed out\n", clients_now, timed_out);
    heartline_monitor_free(monitor); /* + */
    return 0;
}
