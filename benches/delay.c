/*
 * A server that answers with a delay that is known to the microsecond: it reads without ever sleeping, and sends what it
 * read that long after it has read it. For the error of a load tool's latency.
 *
 *   cc -O2 -o delay benches/delay.c
 *   delay MICROSECONDS    prints "listening on 127.0.0.1:PORT", exits 0 on SIGTERM
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, WAITING_MAX = 4096, CHUNK = 1024 };

static struct answer {
    int fd;
    int64_t due_ns;
    size_t bytes;
    unsigned char data[CHUNK];
} waiting[WAITING_MAX];
static unsigned first, last; /* all delays are the same: the oldest is due first */
static int connections[CONNECTIONS_MAX];

static void on_terminate(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 64) < 0)
        fail("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        fail("getsockname");
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void accept_one(int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i] < 0) {
            connections[i] = fd;
            return;
        }
    close(fd);
}

static void read_one(int *connection, int64_t delay_ns)
{
    struct answer *answer = &waiting[last % WAITING_MAX];
    ssize_t count = recv(*connection, answer->data, CHUNK, 0);
    if (count > 0) {
        if (last - first >= WAITING_MAX - 1)
            fail("too many wait");
        answer->fd = *connection;
        answer->bytes = (size_t)count;
        answer->due_ns = now_ns() + delay_ns;
        last++;
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(*connection);
        *connection = -1;
    }
}

int main(int argc, char **argv)
{
    int64_t delay_ns = (argc > 1 ? atoll(argv[1]) : 1000) * 1000;
    signal(SIGTERM, on_terminate);
    signal(SIGPIPE, SIG_IGN);
    memset(connections, -1, sizeof connections);
    int listener = listen_on_loopback();
    for (unsigned turn = 0;; turn++) {
        if (turn % 1024 == 0)
            accept_one(listener);
        for (int i = 0; i < CONNECTIONS_MAX; i++)
            if (connections[i] >= 0)
                read_one(&connections[i], delay_ns);
        while (first != last && waiting[first % WAITING_MAX].due_ns <= now_ns()) {
            struct answer *answer = &waiting[first++ % WAITING_MAX];
            if (send(answer->fd, answer->data, answer->bytes, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
                fail("send");
        }
    }
}
