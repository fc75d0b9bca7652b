/*
 * The peers' echo server on libevent: bufferevents, whose read timeout is the idle deadline. All timeouts are equal, so
 * they share one queue (a common timeout), as libevent's documentation advises for thousands of them.
 *
 *   cc -O2 -Ibenches -o libevent benches/peers/libevent.c -levent_core && ./libevent 4000ms
 */
#define _GNU_SOURCE
#include "server.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>

enum { HEAD_BYTES = 4, MESSAGE_BYTES_MAX = 64 * 1024 };

static const struct timeval *timeout;

static void echo(struct bufferevent *connection, void *unused)
{
    struct evbuffer *input = bufferevent_get_input(connection), *output = bufferevent_get_output(connection);
    uint32_t length;
    (void)unused;
    while (evbuffer_copyout(input, &length, HEAD_BYTES) == HEAD_BYTES) {
        length = ntohl(length);
        if (length > MESSAGE_BYTES_MAX) {
            bufferevent_free(connection);
            return;
        }
        if (evbuffer_get_length(input) < HEAD_BYTES + length)
            return;
        evbuffer_remove_buffer(input, output, HEAD_BYTES + length); /* moves chains, copies little */
    }
}

/* The end of the stream, an error, or silence. */
static void end(struct bufferevent *connection, short what, void *unused)
{
    (void)what;
    (void)unused;
    bufferevent_free(connection);
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int bytes, void *unused)
{
    int on = 1;
    struct bufferevent *connection = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    (void)from;
    (void)bytes;
    (void)unused;
    if (!connection) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bufferevent_setcb(connection, echo, NULL, end, NULL);
    bufferevent_set_timeouts(connection, timeout, NULL);
    bufferevent_enable(connection, EV_READ);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = loopback(0);
    struct event_base *base = event_base_new();
    if (argc != 2 || !base)
        return 2;
    int64_t ms = milliseconds(argv[1]);
    struct timeval given = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    begin_server();
    if (!(timeout = event_base_init_common_timeout(base, &given)))
        fail("event_base_init_common_timeout");
    struct evconnlistener *listener =
        evconnlistener_new_bind(base, accepted, NULL, LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE, BACKLOG,
                                (struct sockaddr *)&address, sizeof address);
    if (!listener)
        fail("evconnlistener_new_bind");
    say_listening(evconnlistener_get_fd(listener));
    return event_base_dispatch(base) < 0;
}
