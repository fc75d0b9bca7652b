/*
 * The floor: a bare epoll echo server that neither frames nor beats. Whatever a server does for its users costs
 * something on top of this, so Heartline's figures are printed beside it.
 *
 *   cc -O2 -o floor benches/floor.c && ./floor [PORT [TIMEOUT]]
 *
 * It prints "listening on 127.0.0.1:PORT" when ready and exits 0 on SIGTERM. It keeps nothing per connection: what the
 * kernel does not take at once has no place to wait, so that connection is closed.
 *
 * With a TIMEOUT, as in 4000ms, it closes whoever was silent for so long. Since the timeout is the same for all, a list in
 * the order of their last bytes is enough: nothing that keeps deadlines does less.
 */
#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <time.h>

enum { EVENTS = 1024, BUFFER_BYTES = 64 * 1024, DESCRIPTORS_MAX = 1 << 20 };

static char buffer[BUFFER_BYTES];

/* ---- silence: touched only with a timeout ---- */

/* By descriptor; 0, which is standard input, is the list's two ends. Pages that nobody touches take no memory. */
static struct silence {
    int64_t heard_ns;
    int older, newer;
} silences[DESCRIPTORS_MAX];
static int64_t timeout_ns, now_ns;

static void read_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now_ns = time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void unlink_silence(int fd)
{
    silences[silences[fd].older].newer = silences[fd].newer;
    silences[silences[fd].newer].older = silences[fd].older;
}

static void link_as_newest(int fd)
{
    silences[fd] = (struct silence){.heard_ns = now_ns, .older = silences[0].older};
    silences[silences[0].older].newer = fd;
    silences[0].older = fd;
}

static void leave(int fd)
{
    if (timeout_ns)
        unlink_silence(fd);
    close(fd);
}

static void close_the_silent(void)
{
    int oldest;
    while ((oldest = silences[0].newer) && now_ns - silences[oldest].heard_ns >= timeout_ns)
        leave(oldest);
}

/* Milliseconds until the oldest is due, rounded up. */
static int wait_ms(void)
{
    if (!silences[0].newer)
        return -1;
    int64_t left_ns = silences[silences[0].newer].heard_ns + timeout_ns - now_ns;
    return left_ns <= 0 ? 0 : (int)((left_ns + 999999) / 1000000);
}

/* ---- echo ---- */

static void watch(int epoll, int fd, unsigned events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int on = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= DESCRIPTORS_MAX) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (timeout_ns)
            link_as_newest(fd);
        watch(epoll, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
    }
}

/* A short read proves that the socket is empty, but not once the peer has closed: no further edge would tell of it. */
static void echo(int fd, unsigned events)
{
    for (;;) {
        ssize_t count = read(fd, buffer, sizeof buffer);
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0 || write(fd, buffer, (size_t)count) != count) {
            leave(fd);
            return;
        }
        if (timeout_ns) {
            unlink_silence(fd);
            link_as_newest(fd);
        }
        if (count < BUFFER_BYTES && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
            return;
    }
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    begin_server();
    timeout_ns = argc > 2 ? milliseconds(argv[2]) * 1000000 : 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    int listener = listen_on_loopback((unsigned short)(argc > 1 ? atoi(argv[1]) : 0));
    watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, timeout_ns ? wait_ms() : -1);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        if (timeout_ns)
            read_clock();
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                echo(events[i].data.fd, events[i].events);
        }
        if (timeout_ns)
            close_the_silent();
    }
}
