/*
 * A server that knows how long each of its answers took: it reads without ever sleeping, sends what it read a set time
 * after it has read it, and notes how long that was from the moment at which the message reached this machine's network
 * code (the kernel's own stamp) to the moment of sending. So what the machine takes away from this program by running
 * something else meanwhile is known, and is no error of the load tool whose latency is set beside it.
 *
 *   cc -O2 -o delay benches/delay.c
 *   delay MICROSECONDS BYTES    BYTES of one message; prints "listening on 127.0.0.1:PORT"; at SIGTERM what it knows,
 *                               {"count":N,"p50":NS,"p99":NS,"max":NS}, and exits 0
 */
#define _GNU_SOURCE
#include "server.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <time.h>

enum { CONNECTIONS_MAX = 64, WAITING_MAX = 4096, CHUNK = 1024, KNOWN_MAX = 1 << 20 };

static struct answer {
    int fd;
    int64_t due_ns;     /* on the monotonic clock */
    int64_t arrived_ns; /* on the wall clock, as the kernel's stamps are; 0: it has none */
    size_t bytes;
    unsigned char data[CHUNK];
} waiting[WAITING_MAX];
static unsigned first, last; /* all delays are the same: the oldest is due first */
static int connections[CONNECTIONS_MAX];
static int64_t known_ns[KNOWN_MAX];
static unsigned known;
static volatile sig_atomic_t ended;

static void end_soon(int signal_number)
{
    (void)signal_number;
    ended = 1;
}

static int64_t ns_of(const struct timespec *time)
{
    return time->tv_sec * 1000000000LL + time->tv_nsec;
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return ns_of(&time);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void tell(void)
{
    qsort(known_ns, known, sizeof known_ns[0], compare);
    if (known > 0)
        printf("{\"count\":%u,\"p50\":%lld,\"p99\":%lld,\"max\":%lld}\n", known, (long long)known_ns[known / 2],
               (long long)known_ns[known - 1 - known / 100], (long long)known_ns[known - 1]);
}

static void accept_one(int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i] < 0) {
            connections[i] = fd;
            return;
        }
    close(fd);
}

/* When the bytes that `message` brought had come; 0 if the kernel did not note it. */
static int64_t stamp_of(struct msghdr *message)
{
    struct timespec time;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&time, CMSG_DATA(part), sizeof time);
            return ns_of(&time);
        }
    return 0;
}

static void read_one(int *connection, int64_t delay_ns, size_t bytes)
{
    struct answer *answer = &waiting[last % WAITING_MAX];
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec into = {.iov_base = answer->data, .iov_len = bytes};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count = recvmsg(*connection, &message, 0);
    if (count > 0) {
        if (last - first >= WAITING_MAX - 1)
            fail("too many wait");
        answer->fd = *connection;
        answer->bytes = (size_t)count;
        answer->arrived_ns = stamp_of(&message);
        answer->due_ns = now_ns(CLOCK_MONOTONIC) + delay_ns;
        last++;
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(*connection);
        *connection = -1;
    }
}

static void answer_one(const struct answer *answer)
{
    if (answer->arrived_ns > 0 && known < KNOWN_MAX)
        known_ns[known++] = now_ns(CLOCK_REALTIME) - answer->arrived_ns;
    if (send(answer->fd, answer->data, answer->bytes, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        fail("send");
}

int main(int argc, char **argv)
{
    if (argc != 3 || atoi(argv[2]) < 1 || atoi(argv[2]) > CHUNK) {
        fprintf(stderr, "delay MICROSECONDS BYTES (1 to %d)\n", CHUNK);
        return 2;
    }
    int64_t delay_ns = atoll(argv[1]) * 1000;
    size_t bytes = (size_t)atoi(argv[2]);
    begin_server();
    signal(SIGTERM, end_soon);
    memset(connections, -1, sizeof connections);
    int listener = listen_on_loopback(0);
    for (unsigned turn = 0; !ended; turn++) {
        if (turn % 1024 == 0)
            accept_one(listener);
        for (int i = 0; i < CONNECTIONS_MAX; i++)
            if (connections[i] >= 0)
                read_one(&connections[i], delay_ns, bytes);
        while (first != last && waiting[first % WAITING_MAX].due_ns <= now_ns(CLOCK_MONOTONIC))
            answer_one(&waiting[first++ % WAITING_MAX]);
    }
    tell();
    return 0;
}
