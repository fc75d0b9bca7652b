/* Settings of a listener and of a drain, each seen from outside. */
#include "tcp.h"
#include <sys/un.h>

static heartline_codec *codec;

static int count_of(heartline_reactor *reactor, const char *counter, uint64_t want, uint64_t for_ms)
{
    uint64_t until = heartline_now_ms() + for_ms;
    heartline_event events[16];
    while (heartline_now_ms() < until && counted(reactor, counter) < want)
        CHECK(heartline_reactor_poll(reactor, events, 16, 5) >= 0);
    return (int)counted(reactor, counter);
}

/* A full accept queue is told to a Unix socket at once: so many fit, and one more. */
static void backlog(void)
{
    enum { BACKLOG = 3 };
    heartline_reactor *reactor = calm_reactor();
    heartline_listen_options options;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fds[16], connected = 0;
    char text[64];
    HEARTLINE_INIT(options);
    options.backlog = BACKLOG;
    snprintf(text, sizeof text, "unix:@heartline-backlog-%ld", (long)getpid());
    EXPECT(heartline_reactor_listen(reactor, text, codec, &options), 0);
    size_t name = strlen(text + 6); /* abstract: a NUL and the name */
    memcpy(at.sun_path + 1, text + 6, name);
    for (int i = 0; i < 16; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int result = connect(fds[i], (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name));
        CHECK(result == 0 || errno == EAGAIN);
        connected += result == 0;
    }
    EXPECT(connected, BACKLOG + 1);
    EXPECT(count_of(reactor, "accepted", BACKLOG + 1, WITHIN_MS), BACKLOG + 1);
    for (int i = 0; i < 16; i++)
        close(fds[i]);
    heartline_reactor_free(reactor);
}

static void reuse_port(void)
{
    heartline_reactor *one = calm_reactor(), *two = calm_reactor();
    heartline_listen_options alone, shared;
    char at[HEARTLINE_ADDRESS_BYTES];
    HEARTLINE_INIT(alone);
    HEARTLINE_INIT(shared);
    shared.reuse_port = 1;
    EXPECT(heartline_reactor_listen(one, "127.0.0.1:0", codec, &shared), 0);
    CHECK(heartline_reactor_listener_address(one, 0, at, sizeof at) > 0);
    EXPECT(heartline_reactor_listen(two, at, codec, &shared), 0);
    EXPECT(heartline_reactor_listen(two, at, codec, &alone), HEARTLINE_ERR_OS);
    EXPECT(heartline_reactor_os_error(two), EADDRINUSE);
    EXPECT(heartline_reactor_listen(one, "127.0.0.1:0", codec, &alone), 1);
    CHECK(heartline_reactor_listener_address(one, 1, at, sizeof at) > 0);
    EXPECT(heartline_reactor_listen(two, at, codec, &shared), HEARTLINE_ERR_OS);
    heartline_reactor_free(one);
    heartline_reactor_free(two);
}

/* A listener of its own, three that dial it, and two who are in. */
static heartline_reactor *dialled_by_three(const heartline_listen_options *options, int fds[3])
{
    heartline_reactor *reactor = calm_reactor();
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, options), 0);
    struct sockaddr_in at = address_of(reactor, 0);
    for (int i = 0; i < 3; i++)
        fds[i] = dial(&at);
    EXPECT(count_of(reactor, "accepted", 2, WITHIN_MS), 2);
    return reactor;
}

/* The third of one address is reset, and nobody is told. */
static void per_address(void)
{
    heartline_listen_options options;
    heartline_event event;
    int fds[3];
    char byte;
    HEARTLINE_INIT(options);
    options.per_address_max = 2;
    heartline_reactor *reactor = dialled_by_three(&options, fds);
    CHECK(heartline_reactor_poll(reactor, &event, 1, 20) == 0);
    CHECK(read(fds[0], &byte, 1) < 0 && errno == EAGAIN && read(fds[1], &byte, 1) < 0 && errno == EAGAIN);
    CHECK(read(fds[2], &byte, 1) < 0 && errno == ECONNRESET);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    heartline_reactor_free(reactor);
}

static void accepts_per_second(void)
{
    uint64_t since = heartline_now_ms();
    heartline_listen_options options;
    int fds[3];
    HEARTLINE_INIT(options);
    options.accepts_per_second = 2;
    heartline_reactor *reactor = dialled_by_three(&options, fds);
    EXPECT(count_of(reactor, "accepted", 3, WITHIN_MS), 3); /* in the next second */
    CHECK(heartline_now_ms() - since >= 990);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    heartline_reactor_free(reactor);
}

/* What accepted connections are set to; each tells by which listener it came. */
static void connections(void)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_listen_options listening;
    heartline_options options;
    char text[8];
    int fds[2];
    HEARTLINE_INIT(listening);
    HEARTLINE_INIT(options);
    options.deliver_beats = 1, listening.connection = &options;
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL), 0);
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, &listening), 1);
    HEARTLINE_INIT(options); /* copied */
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in at = address_of(reactor, i);
        heartline_event event;
        fds[i] = dial(&at);
        heartline_event opened = await_kind(reactor, HEARTLINE_EVENT_OPENED);
        CHECK(opened.listener == i && opened.user == 0 && opened.data == NULL && opened.len == 0);
        CHECK(write(fds[i], "\0\0\0\0\0\0\0\1m", 9) == 9);
        EXPECT(heartline_reactor_poll(reactor, &event, 1, WITHIN_MS), 1);
        EXPECT(event.kind, i == 1 ? HEARTLINE_EVENT_BEAT : HEARTLINE_EVENT_MESSAGE);
        close(fds[i]);
        CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == opened.id);
    }
    EXPECT(heartline_reactor_listener_address(reactor, 0, text, sizeof text) > (int)sizeof text, 1);
    CHECK(strcmp(text, "127.0.0") == 0); /* cut, and a string */
    EXPECT(heartline_reactor_stop_listening(reactor, 0), 0);
    EXPECT(heartline_reactor_listener_address(reactor, 0, text, sizeof text), HEARTLINE_ERR_INVALID);
    CHECK(heartline_reactor_listener_address(reactor, 1, text, sizeof text) > 0);
    heartline_reactor_free(reactor);
}

enum { DRAINED = 4 };

/* How long it took from the beginning of a drain to its first and its last end. */
static void drained_in(const heartline_drain_options *options, int answers, uint64_t *first_ms, uint64_t *last_ms)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_event event;
    int ends[DRAINED], closed = 0;
    uint64_t ids[DRAINED];
    for (int i = 0; i < DRAINED; i++) {
        ids[i] = adopted(reactor, codec, NULL, (uint64_t)i, &ends[i]);
        if (answers)
            CHECK(shutdown(ends[i], SHUT_RD) == 0);
    }
    uint64_t since = heartline_now_ms();
    EXPECT(heartline_reactor_drain(reactor, options), 0);
    while (closed < DRAINED) {
        CHECK(heartline_now_ms() - since < WITHIN_MS);
        for (int i = 0; answers && i < DRAINED; i++) {
            heartline_connection_info info;
            if (heartline_reactor_info(reactor, ids[i], &info, sizeof info) == 0 && info.closing)
                shutdown(ends[i], SHUT_WR); /* the peer's own FIN */
        }
        if (heartline_reactor_poll(reactor, &event, 1, 2) == 1) {
            CHECK(event.kind == HEARTLINE_EVENT_CLOSED && event.reason == HEARTLINE_REASON_DRAINED);
            *last_ms = heartline_now_ms() - since;
            *first_ms = closed++ == 0 ? *last_ms : *first_ms;
        }
    }
    EXPECT(heartline_reactor_is_drained(reactor), 1);
    for (int i = 0; i < DRAINED; i++)
        close(ends[i]);
    heartline_reactor_free(reactor);
}

static void a_drain_in_time(void)
{
    heartline_drain_options options;
    uint64_t first_ms = 0, last_ms = 0;
    HEARTLINE_INIT(options);
    options.spread_ms = 400;
    drained_in(&options, 1, &first_ms, &last_ms);
    CHECK(last_ms >= 300); /* one each at 0, 100, 200 and 300 ms */
    options.spread_ms = 0, options.limit_ms = 80;
    drained_in(&options, 0, &first_ms, &last_ms);
    CHECK(first_ms >= 80 && last_ms < 4000); /* well before close_ms */
}

int main(void)
{
    codec = codec_of("length:4be");
    backlog();
    reuse_port();
    per_address();
    accepts_per_second();
    connections();
    a_drain_in_time();
    heartline_codec_free(codec);
    return 0;
}
