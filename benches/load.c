/*
 * The load: one thread, one epoll, many connections to a server on loopback. It speaks length-prefixed frames, checks
 * every byte that comes back, and says what it saw as one line of JSON. It stops by itself, always.
 *
 *   cc -O2 -o load benches/load.c
 *   load PORT hold N                              N connections stay open until standard input closes
 *   load PORT echo N frames=K payload=32          K frames in all, one in flight per connection
 *   load PORT echo N seconds=5 warmup=1           the same for a time; frames per second of the part after the warm-up
 *   load PORT beats N frames=K                    as echo, with beats (empty frames)
 *   load PORT beat-each-second N seconds=20       each connection beats once a second; counts those the server closed
 *   load PORT silent N timeout_ms=4000            each beats once more, then never again: when does the server close it?
 *
 * Each connection opens with one beat and waits for its answer, so that all are accepted, and have beaten, before a mode
 * begins. A line "ready N SECONDS" says that it begins, and how long opening took.
 *
 * More settings: spec=length:4be[,at=N][,head=N][,includes-head]  the frame's head, as `heartline serve --frame` takes it
 *                spec=websocket  an upgrade, then messages of up to 125 bytes, masked; the answers are not. With
 *                spec=websocket-bytes the same bytes go out to a server that echoes whatever comes, and come back so
 *                spread_ms=1000  the time over which the peers of `silent` fall silent
 *                server_pid=PID  also report how busy this process was while frames were counted
 *                limit=300       seconds after which the whole program gives up (status 3)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 19900,  /* below the 20,000 descriptors that many systems allow */
    PER_SOURCE = 10000,       /* connections from one source address; then the next of 127.0.0.0/8 */
    OPENING = 256,            /* unanswered first beats, so that no backlog overflows */
    HEAD_MAX = 64,
    PAYLOAD_MAX = 4096,       /* one frame always fits the socket buffer: a send is whole or the connection is broken */
    STAMP_BYTES = 8,
    EVENTS = 1024,
    STDIN = UINT16_MAX,       /* epoll data of standard input; connections are below CONNECTIONS_MAX */
    NEVER = -1,
};
static const int64_t MS = 1000 * 1000, SECOND = 1000 * MS;

struct connection {
    int fd;                   /* -1 once closed */
    uint32_t sent, answered;  /* frames */
    uint32_t answered_bytes;  /* of the answer that is coming in */
    int64_t last_sent_ns;     /* stamped before the send: the server cannot have heard it earlier */
    int64_t closed_ns;
};

static struct connection connections[CONNECTIONS_MAX];
static unsigned connection_count;
static int epoll = -1;

static struct {
    unsigned field_at, field_bytes, head;
    bool big_endian, includes_head;
} spec = {.field_at = 0, .field_bytes = 4, .head = 4, .big_endian = true};

static bool websocket, upgrades;
static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

static unsigned char frame[HEAD_MAX + PAYLOAD_MAX];
static size_t frame_bytes;
static unsigned char plain_answer[HEAD_MAX + PAYLOAD_MAX];
static unsigned char *answer = frame; /* what comes back: the same bytes, but for an upgraded WebSocket */
static size_t answer_bytes;

static uint64_t sent, answered, closed_by_server;
static uint64_t to_send;      /* frames that echo and beats still have to send */
static bool answer_with_next; /* a frame that came back sends the next one */
static bool stdin_closed;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void refuse(const char *what, const char *which)
{
    fprintf(stderr, "load: %s: %s\n", what, which);
    exit(1);
}

static void on_limit(int signal_number)
{
    static const char text[] = "load: the time limit is over\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(4);
    _exit(3);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) < 0)
        return 0;
    return time.tv_sec * SECOND + time.tv_nsec;
}

static int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* ---- frames ---- */

static void parse_spec(const char *text)
{
    upgrades = strcmp(text, "websocket") == 0;
    websocket = upgrades || strcmp(text, "websocket-bytes") == 0;
    if (websocket)
        return;
    char copy[128];
    unsigned head = 0;
    if (strlen(text) >= sizeof copy)
        refuse("spec is too long", text);
    strcpy(copy, text);
    char *part = strtok(copy, ",");
    char order[3] = "";
    if (!part || sscanf(part, "length:%1u%2s", &spec.field_bytes, order) != 2)
        refuse("only length specs are known", text);
    if (strcmp(order, "be") != 0 && strcmp(order, "le") != 0)
        refuse("the order is be or le", text);
    spec.big_endian = order[0] == 'b';
    while ((part = strtok(NULL, ","))) {
        if (strcmp(part, "includes-head") == 0)
            spec.includes_head = true;
        else if (sscanf(part, "at=%u", &spec.field_at) != 1 && sscanf(part, "head=%u", &head) != 1)
            refuse("unknown part of the spec", part);
    }
    spec.head = head ? head : spec.field_at + spec.field_bytes;
    if (spec.field_bytes < 1 || spec.field_bytes > 8 || spec.field_at > HEAD_MAX || spec.head > HEAD_MAX ||
        spec.field_at + spec.field_bytes > spec.head)
        refuse("the length field lies outside the head", text);
}

static void lay_out_websocket(size_t payload)
{
    if (payload > 125)
        refuse("a WebSocket's message has up to 125 bytes here", "payload");
    spec.head = 6;
    frame[0] = payload > 0 ? 0x82 : 0x89; /* binary, or a Ping */
    frame[1] = 0x80 | (unsigned char)payload;
    memcpy(frame + 2, mask, sizeof mask);
    plain_answer[0] = payload > 0 ? 0x82 : 0x8a;
    plain_answer[1] = (unsigned char)payload;
    for (size_t i = 0; i < payload; i++) {
        plain_answer[2 + i] = (unsigned char)('a' + i % 26);
        frame[6 + i] = plain_answer[2 + i] ^ mask[i % 4];
    }
    frame_bytes = 6 + payload;
    answer = upgrades ? plain_answer : frame;
    answer_bytes = upgrades ? 2 + payload : frame_bytes;
}

/* Lays out the frame that every connection sends; `stamp` then makes each one its own. */
static void lay_out_frame(size_t payload)
{
    if (websocket) {
        lay_out_websocket(payload);
        return;
    }
    uint64_t length = payload + (spec.includes_head ? spec.head : 0);
    memset(frame, 0, spec.head);
    for (unsigned i = 0; i < spec.field_bytes; i++) {
        unsigned shift = 8 * (spec.big_endian ? spec.field_bytes - 1 - i : i);
        frame[spec.field_at + i] = shift < 64 ? (unsigned char)(length >> shift) : 0;
    }
    for (size_t i = 0; i < payload; i++)
        frame[spec.head + i] = (unsigned char)('a' + i % 26);
    frame_bytes = answer_bytes = spec.head + payload;
}

/* Which connection's which frame: an answer that went to another connection, or came twice, is not byte-equal. */
static void stamp(uint32_t index, uint32_t sequence)
{
    if (frame_bytes >= spec.head + STAMP_BYTES) {
        unsigned char stamp[STAMP_BYTES];
        memcpy(stamp, &index, sizeof index);
        memcpy(stamp + sizeof index, &sequence, sizeof sequence);
        for (unsigned i = 0; websocket && i < STAMP_BYTES; i++) {
            plain_answer[2 + i] = stamp[i];
            stamp[i] ^= mask[i % 4];
        }
        memcpy(frame + spec.head, stamp, sizeof stamp);
    }
}

/* ---- connections ---- */

static void lost(uint32_t index)
{
    struct connection *connection = &connections[index];
    close(connection->fd);
    connection->fd = -1;
    connection->closed_ns = now_ns();
    closed_by_server++;
}

static void send_frame(uint32_t index)
{
    struct connection *connection = &connections[index];
    stamp(index, connection->sent);
    ssize_t count = send(connection->fd, frame, frame_bytes, MSG_NOSIGNAL);
    if (count == (ssize_t)frame_bytes) {
        connection->sent++;
        sent++;
    } else if (count >= 0 || errno == EAGAIN) {
        errno = EAGAIN;
        fail("the socket does not take a whole frame");
    } else {
        lost(index);
    }
}

static void check(uint32_t index, const unsigned char *bytes, size_t count)
{
    struct connection *connection = &connections[index];
    while (count > 0) {
        if (connection->answered == connection->sent)
            refuse("bytes came that answer nothing", "the server sent more than it was sent");
        size_t wanted = answer_bytes - connection->answered_bytes;
        size_t part = count < wanted ? count : wanted;
        stamp(index, connection->answered);
        if (memcmp(answer + connection->answered_bytes, bytes, part) != 0)
            refuse("an answer is not byte-equal", "the server changed a frame or sent it to the wrong connection");
        connection->answered_bytes += (uint32_t)part;
        bytes += part;
        count -= part;
        if (part < wanted)
            return;
        connection->answered_bytes = 0;
        connection->answered++;
        answered++;
        if (answer_with_next && to_send > 0 && connection->fd >= 0) {
            to_send--;
            send_frame(index);
        }
    }
}

static void receive(uint32_t index, unsigned events)
{
    static unsigned char buffer[16 * 1024];
    bool ending = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    while (connections[index].fd >= 0) {
        ssize_t count = recv(connections[index].fd, buffer, sizeof buffer, 0);
        if (count > 0)
            check(index, buffer, (size_t)count);
        else if (count == 0 || (errno != EAGAIN && errno != EINTR))
            lost(index);
        else
            return;
        if (count < (ssize_t)sizeof buffer && !ending)
            return; /* edge-triggered: a short read has emptied the socket, unless the peer has closed it */
    }
}

/* Waits until `until_ns` at most (NEVER: without end), and takes in what has come. */
static void turn(int64_t until_ns)
{
    static struct epoll_event events[EVENTS];
    int timeout = -1;
    if (until_ns != NEVER) {
        int64_t left = until_ns - now_ns();
        timeout = left <= 0 ? 0 : (int)((left + MS - 1) / MS);
    }
    int count = epoll_wait(epoll, events, EVENTS, timeout);
    if (count < 0 && errno != EINTR)
        fail("epoll_wait");
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == STDIN) {
            char ignored[256];
            if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
                stdin_closed = true;
        } else {
            receive(events[i].data.u32, events[i].events);
        }
    }
}

/* The server says nothing behind its answer, so what comes is the answer. */
static void upgrade(int fd)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    static const char accepted[] = "HTTP/1.1 101 ", end[] = "\r\n\r\n";
    char head[1024];
    size_t bytes = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        fail("sending the upgrade");
    while (bytes < 4 || memcmp(head + bytes - 4, end, 4) != 0) {
        ssize_t count = recv(fd, head + bytes, sizeof head - bytes, 0);
        if (count <= 0)
            fail("awaiting the upgrade");
        bytes += (size_t)count;
    }
    if (memcmp(head, accepted, sizeof accepted - 1) != 0)
        refuse("the server does not upgrade", "its answer is not 101");
}

static int connect_from(uint32_t source, uint16_t port)
{
    int on = 1;
    struct timeval patience = {.tv_sec = 20};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK + source)}};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        fail("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    if (upgrades)
        upgrade(fd);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        fail("fcntl");
    return fd;
}

static void await_answers(void)
{
    while (answered < sent && closed_by_server == 0)
        turn(NEVER);
    if (closed_by_server > 0)
        refuse("the server closed a connection", "before it answered");
}

/* Opens all connections; each beats once and is answered. */
static void open_all(uint16_t port)
{
    int64_t begin_ns = now_ns();
    lay_out_frame(0);
    for (uint32_t i = 0; i < connection_count; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u32 = i};
        connections[i].fd = connect_from(i / PER_SOURCE, port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) < 0)
            fail("epoll_ctl");
        connections[i].last_sent_ns = now_ns();
        send_frame(i);
        if (i % OPENING == OPENING - 1)
            await_answers();
    }
    await_answers();
    printf("ready %u %.6f\n", connection_count, (double)(now_ns() - begin_ns) / 1e9);
    fflush(stdout);
}

/* ---- modes ---- */

struct settings {
    uint64_t frames, payload;
    int64_t seconds, warmup, timeout_ms, spread_ms, server_pid, limit;
};

static void hold(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = STDIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        stdin_closed = true; /* a plain file or /dev/null: nothing to wait for */
    printf("held %u\n", connection_count);
    fflush(stdout);
    while (!stdin_closed)
        turn(NEVER);
    printf("{\"mode\":\"hold\",\"connections\":%u,\"closed_by_server\":%ju}\n", connection_count,
           (uintmax_t)closed_by_server);
}

/* What was counted, between two moments. */
struct moment {
    int64_t wall_ns, own_ns, server_ns;
    uint64_t answered;
};

static struct moment moment_now(clockid_t server_clock)
{
    return (struct moment){
        .wall_ns = now_ns(),
        .own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
        .server_ns = server_clock ? clock_ns(server_clock) : 0,
        .answered = answered,
    };
}

static void echo(const char *mode, const struct settings *settings)
{
    clockid_t server_clock = 0;
    if (settings->server_pid && clock_getcpuclockid((pid_t)settings->server_pid, &server_clock) != 0)
        refuse("no such server process", mode);
    lay_out_frame(settings->payload);
    for (uint32_t i = 0; i < connection_count; i++)
        connections[i].sent = connections[i].answered = 0;
    sent = answered = 0;

    int64_t begin_ns = now_ns() + settings->warmup * SECOND, end_ns = begin_ns + settings->seconds * SECOND;
    bool counting = settings->warmup == 0, timed = settings->seconds > 0;
    struct moment first = moment_now(server_clock), last = first;
    to_send = timed ? UINT64_MAX : settings->frames;
    answer_with_next = true;
    for (uint32_t i = 0; i < connection_count && to_send > 0; i++, to_send--)
        send_frame(i);
    while (answered < sent && closed_by_server == 0) {
        turn(NEVER);
        if (timed && to_send > 0) {
            int64_t now = now_ns();
            if (!counting && now >= begin_ns) {
                counting = true;
                first = moment_now(server_clock);
            }
            if (now >= end_ns) {
                last = moment_now(server_clock);
                to_send = 0; /* what is in flight still comes back, so that every connection ends clean */
            }
        }
    }
    if (!timed)
        last = moment_now(server_clock);
    double wall = (double)(last.wall_ns - first.wall_ns) + 1, frames = (double)(last.answered - first.answered);
    printf("{\"mode\":\"%s\",\"connections\":%u,\"payload\":%ju,\"frames\":%.0f,\"seconds\":%.3f,"
           "\"frames_per_second\":%.0f,\"load_busy\":%.3f,\"server_busy\":%.3f,\"closed_by_server\":%ju}\n",
           mode, connection_count, (uintmax_t)settings->payload, frames, wall / 1e9, frames * 1e9 / wall,
           (double)(last.own_ns - first.own_ns) / wall, (double)(last.server_ns - first.server_ns) / wall,
           (uintmax_t)closed_by_server);
    if (closed_by_server > 0)
        refuse("the server closed a connection", mode);
}

/* Beat k is sent k / N seconds after the start, by connection k % N: each beats once a second, none in step. */
static void beat_each_second(const struct settings *settings)
{
    uint64_t opening = sent, beat = 0;
    int64_t start_ns = now_ns(), end_ns = start_ns + settings->seconds * SECOND, due_ns = start_ns;
    while (due_ns < end_ns) {
        if (due_ns <= now_ns()) {
            uint32_t index = (uint32_t)(beat % connection_count);
            if (connections[index].fd >= 0)
                send_frame(index);
            beat++;
            due_ns = start_ns + (int64_t)(beat * (uint64_t)SECOND / connection_count);
        } else {
            turn(due_ns);
        }
    }
    for (int64_t patience_ns = now_ns() + 3 * SECOND; answered < sent && now_ns() < patience_ns;)
        turn(patience_ns);
    printf("{\"mode\":\"beat-each-second\",\"connections\":%u,\"beats\":%ju,\"answered\":%ju,\"closed_by_server\":%ju}\n",
           connection_count, (uintmax_t)(sent - opening), (uintmax_t)(answered - opening),
           (uintmax_t)closed_by_server);
}

static int by_value(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static void silent(const struct settings *settings)
{
    static double overshoot_ms[CONNECTIONS_MAX];
    int64_t start_ns = now_ns();
    for (uint32_t i = 0; i < connection_count;) {
        int64_t due_ns = start_ns + i * settings->spread_ms * MS / connection_count;
        if (due_ns > now_ns()) {
            turn(due_ns);
            continue;
        }
        if (connections[i].fd >= 0) {
            connections[i].last_sent_ns = now_ns();
            send_frame(i);
        }
        i++;
    }
    int64_t end_ns = now_ns() + settings->timeout_ms * MS + 10 * SECOND;
    while (closed_by_server < connection_count && now_ns() < end_ns)
        turn(end_ns);

    unsigned found = 0, early = 0;
    for (uint32_t i = 0; i < connection_count; i++) {
        const struct connection *connection = &connections[i];
        if (connection->fd >= 0)
            continue;
        double over = (double)(connection->closed_ns - connection->last_sent_ns) / 1e6 - (double)settings->timeout_ms;
        early += over < 0;
        overshoot_ms[found++] = over;
    }
    printf("{\"mode\":\"silent\",\"connections\":%u,\"found\":%u,\"missed\":%u,\"early\":%u", connection_count, found,
           connection_count - found, early);
    if (found > 0) {
        qsort(overshoot_ms, found, sizeof *overshoot_ms, by_value);
        printf(",\"overshoot_ms\":{\"min\":%.3f,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", overshoot_ms[0],
               overshoot_ms[found / 2], overshoot_ms[(found * 99 + 99) / 100 - 1], overshoot_ms[found - 1]);
    }
    printf("}\n");
}

/* ---- command line ---- */

static int64_t number(const char *text, int64_t least, int64_t most)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most)
        refuse("not a number, or out of range", text);
    return value;
}

static struct settings parse_settings(int argc, char **argv)
{
    struct settings settings = {.payload = 32, .timeout_ms = 4000, .spread_ms = 1000, .limit = 300};
    for (int i = 4; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value)
            refuse("settings are name=value", argv[i]);
        *value++ = '\0';
        const char *name = argv[i];
        if (strcmp(name, "spec") == 0)
            parse_spec(value);
        else if (strcmp(name, "frames") == 0)
            settings.frames = (uint64_t)number(value, 1, 1000 * 1000 * 1000);
        else if (strcmp(name, "payload") == 0)
            settings.payload = (uint64_t)number(value, 1, PAYLOAD_MAX);
        else if (strcmp(name, "seconds") == 0)
            settings.seconds = number(value, 1, 3600);
        else if (strcmp(name, "warmup") == 0)
            settings.warmup = number(value, 0, 3600);
        else if (strcmp(name, "timeout_ms") == 0)
            settings.timeout_ms = number(value, 1, 3600 * 1000);
        else if (strcmp(name, "spread_ms") == 0)
            settings.spread_ms = number(value, 0, 3600 * 1000);
        else if (strcmp(name, "server_pid") == 0)
            settings.server_pid = number(value, 1, INT32_MAX);
        else if (strcmp(name, "limit") == 0)
            settings.limit = number(value, 1, 3600);
        else
            refuse("unknown setting", name);
    }
    return settings;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        refuse("usage", "load PORT hold|echo|beats|beat-each-second|silent N [name=value]...");
    uint16_t port = (uint16_t)number(argv[1], 1, UINT16_MAX);
    const char *mode = argv[2];
    connection_count = (unsigned)number(argv[3], 1, CONNECTIONS_MAX);
    struct settings settings = parse_settings(argc, argv);

    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGALRM, on_limit);
    alarm((unsigned)settings.limit);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");

    open_all(port);
    bool counted = settings.frames > 0 || settings.seconds > 0;
    if (strcmp(mode, "hold") == 0) {
        hold();
    } else if (strcmp(mode, "echo") == 0 && counted) {
        echo(mode, &settings);
    } else if (strcmp(mode, "beats") == 0 && counted) {
        settings.payload = 0;
        echo(mode, &settings);
    } else if (strcmp(mode, "beat-each-second") == 0 && settings.seconds > 0) {
        beat_each_second(&settings);
    } else if (strcmp(mode, "silent") == 0) {
        silent(&settings);
    } else {
        refuse("unknown mode, or one that needs frames= or seconds=", mode);
    }
    for (uint32_t i = 0; i < connection_count; i++)
        if (connections[i].fd >= 0)
            close(connections[i].fd);
    return 0;
}
