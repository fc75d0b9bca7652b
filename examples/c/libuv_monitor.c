/*
 * An ordinary libuv server that is given liveness by level 1. Lines that Heartline brings are marked with a plus sign:
 * they are the diff that you would make. Three ways to run it, which are the three steps of adopting it:
 *
 *   old        a timer per connection decides, started anew by each read, as before
 *   shadow     the old timer decides, Heartline only logs what it would have done
 *   heartline  Heartline decides
 *
 *   make lib
 *   cc -Iinclude -o libuv_monitor examples/c/libuv_monitor.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi -luv
 *   ./libuv_monitor heartline 7006 35               timeout in seconds
 */
#define _GNU_SOURCE
#include <heartline.h> /* + */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <uv.h>

struct client {
    uv_tcp_t stream;
    uv_timer_t timer;    /* the old way */
    heartline_peer peer; /* + */
    int open_handles;
};

static unsigned timeout_s = 35;
static int old_decides, heartline_decides;
static unsigned long clients_now, timed_out;
static heartline_monitor *monitor; /* + */

static void on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    if (--client->open_handles == 0)
        free(client);
}

static void drop(struct client *client)
{
    if (uv_is_closing((uv_handle_t *)&client->stream))
        return;
    heartline_monitor_remove(monitor, client->peer); /* + */
    uv_close((uv_handle_t *)&client->stream, on_closed);
    uv_close((uv_handle_t *)&client->timer, on_closed);
    clients_now--;
}

static void on_timeout(uv_timer_t *timer)
{
    timed_out++;
    drop(timer->data);
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
        heartline_monitor_heard(monitor, client->peer, heartline_now_ms()); /* + */
        if (old_decides)
            uv_timer_again(&client->timer);
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
    uv_timer_init(listener->loop, &client->timer);
    client->stream.data = client->timer.data = client;
    client->open_handles = 2;
    clients_now++;
    heartline_monitor_add(monitor, (uint64_t)(uintptr_t)client, 1, heartline_now_ms(), &client->peer); /* + */
    if (uv_accept(listener, (uv_stream_t *)&client->stream) < 0) {
        drop(client);
        return;
    }
    if (old_decides)
        uv_timer_start(&client->timer, on_timeout, timeout_s * 1000, timeout_s * 1000);
    uv_read_start((uv_stream_t *)&client->stream, on_allocate, on_read);
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
            uv_os_fd_t fd;
            if (verdicts[i].kind == HEARTLINE_VERDICT_STALLED)
                printf("stalled for %u ms: it counts for nobody\n", verdicts[i].silence_ms);
            if (verdicts[i].kind != HEARTLINE_VERDICT_DEAD)
                continue;
            /* A proposal. One turn of libuv reads at most 1,024 sockets: this one may have bytes that wait. */
            if (uv_fileno((uv_handle_t *)&client->stream, &fd) == 0 &&
                recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
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

static void wake(uv_timer_t *timer)
{
    (void)timer; /* the loop only has to come round */
}

static void on_terminate(uv_signal_t *terminate, int number)
{
    (void)number;
    *(int *)terminate->data = 1;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "heartline";
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in at;
    struct sockaddr_storage bound;
    int length = sizeof bound, terminated = 0;
    uv_tcp_t listener;
    uv_signal_t terminate;
    uv_timer_t alarm;        /* + */
    heartline_policy policy; /* + */

    old_decides = strcmp(mode, "heartline") != 0;
    heartline_decides = !old_decides;
    if (argc > 3)
        timeout_s = (unsigned)atoi(argv[3]);

    uint64_t now = heartline_now_ms();                          /* + */
    HEARTLINE_INIT(policy);                                     /* + */
    policy.role = HEARTLINE_ROLE_WATCH;                         /* + our clients beat by themselves */
    policy.timeout_ms = timeout_s * 1000;                       /* + */
    if (heartline_check_abi(HEARTLINE_ABI_VERSION) < 0 ||       /* + */
        heartline_monitor_new(NULL, now, &monitor) < 0 ||       /* + */
        heartline_monitor_policy(monitor, 1, &policy, now) < 0) /* + */
        return 1;                                               /* + */
    uv_timer_init(loop, &alarm);                                /* + */

    uv_ip4_addr("127.0.0.1", argc > 2 ? atoi(argv[2]) : 0, &at);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&at, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, 4096, on_connection) < 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&bound, &length) < 0)
        return 1;
    uv_signal_init(loop, &terminate);
    terminate.data = &terminated;
    uv_signal_start(&terminate, on_terminate, SIGTERM);
    printf("listening on 127.0.0.1:%d \n", ntohs(((struct sockaddr_in *)&bound)->sin_port));
    fflush(stdout);

    /* Was: uv_run(loop, UV_RUN_DEFAULT). */
    while (!terminated) {
        int32_t wait_ms = heartline_monitor_wait_ms(monitor, now); /* + also the promise to be back by then */
        if (wait_ms >= 0)                                          /* + */
            uv_timer_start(&alarm, wake, (uint64_t)wait_ms, 0);    /* + */
        uv_run(loop, UV_RUN_ONCE);
        now = heartline_now_ms(); /* + */
        judge(now);               /* + after what came was read */
    }
    printf("%lu clients, %lu timed out\n", clients_now, timed_out);
    heartline_monitor_free(monitor); /* + */
    return 0;
}
