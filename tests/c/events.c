/*
 * Events with all their fields. FULL, DRAINED and the UNSENT of an outbox are in full.c, STALLED and MASS_SILENCE in
 * config.c, the ends by a limit in limits.c, a drain's in ends.c and listeners.c.
 */
#include "tcp.h"
#include <sys/resource.h>

enum { USER = 12 };

static heartline_codec *codec;
static heartline_reactor *reactor;

/* The next event; whatever it says beyond these fields is said by the caller, and set to nothing. */
static heartline_event next_of(uint8_t kind, uint64_t id)
{
    heartline_event event;
    memset(&event, 0xff, sizeof event);
    EXPECT(heartline_reactor_poll(reactor, &event, 1, WITHIN_MS), 1);
    EXPECT(event.kind, kind);
    CHECK(event.id == id && event.user == (id ? USER : 0));
    return event;
}

/* All fields that this event does not use have the value that says so. */
static void and_no_more(heartline_event event)
{
    CHECK(event.data == NULL && event.len == 0 && event.head_len == 0 && event.flags == 0 && event.reason == 0);
    CHECK(event.listener == HEARTLINE_NO_LISTENER && event.os_error == 0 && event.silence_ms == 0 && event.rtt_ms == 0);
    CHECK(event.queued_bytes == 0 && event.detail == 0 && event.reserved == 0);
}

static uint64_t ours(const heartline_codec *with, const heartline_options *options, int *end)
{
    int ends[2];
    uint64_t id = 0;
    tcp_pair(ends);
    EXPECT(heartline_reactor_adopt(reactor, ends[0], with, options, USER, NULL, 0, NULL, 0, &id), 0);
    and_no_more(next_of(HEARTLINE_EVENT_OPENED, id));
    *end = ends[1];
    return id;
}

static void a_message_with_its_head(void)
{
    heartline_codec *headed = codec_of("length:2be,head=5");
    int end;
    uint64_t id = ours(headed, NULL, &end);
    CHECK(write(end, "\0\3\7\10\11abc", 8) == 8);
    heartline_event event = next_of(HEARTLINE_EVENT_MESSAGE, id);
    CHECK(event.len == 3 && event.head_len == 5 && memcmp(event.data - 5, "\0\3\7\10\11abc", 8) == 0);
    event.data = NULL, event.len = 0, event.head_len = 0;
    and_no_more(event);
    close(end);
    CHECK(next_of(HEARTLINE_EVENT_CLOSED, id).reason == HEARTLINE_REASON_PEER_CLOSED);
    heartline_codec_free(headed);
}

/* Shown where the options say so, and answered before. */
static void beats(void)
{
    heartline_options options;
    int end;
    char answer[4];
    HEARTLINE_INIT(options);
    options.deliver_beats = 1;
    uint64_t id = ours(codec, &options, &end);
    for (uint32_t unanswered = 0; unanswered < 2; unanswered++) {
        EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_UNANSWERED, unanswered), 0);
        CHECK(write(end, "\0\0\0\0", 4) == 4);
        heartline_event event = next_of(HEARTLINE_EVENT_BEAT, id);
        CHECK(event.len == 4 && memcmp(event.data, "\0\0\0\0", 4) == 0);
        EXPECT(event.detail, unanswered ? HEARTLINE_BEAT_ANSWER : HEARTLINE_BEAT_ASK);
        event.data = NULL, event.len = 0, event.detail = 0;
        and_no_more(event);
    }
    read_all(reactor, end, answer, 4);
    CHECK(counted(reactor, "answers_out") == 1 && counted(reactor, "answers_in") == 1);
    close(end);
    CHECK(next_of(HEARTLINE_EVENT_CLOSED, id).reason == HEARTLINE_REASON_PEER_CLOSED);
}

/* The peer says no more and listens on; without the option that is the end. */
static void half_open(void)
{
    heartline_options options;
    int end;
    char frame[5];
    HEARTLINE_INIT(options);
    options.half_open = 1;
    uint64_t id = ours(codec, &options, &end);
    CHECK(shutdown(end, SHUT_WR) == 0);
    and_no_more(next_of(HEARTLINE_EVENT_READ_CLOSED, id));
    EXPECT(heartline_reactor_send(reactor, id, "x", 1), 0);
    read_all(reactor, end, frame, 5);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 777), 0);
    heartline_event event = next_of(HEARTLINE_EVENT_CLOSED, id);
    CHECK(event.reason == 777 && event.rtt_ms == HEARTLINE_OFF);
    event.reason = 0, event.rtt_ms = 0, event.silence_ms = 0;
    and_no_more(event);
    close(end);
}

/* Reset under queued output: whose doing it was, what was lost, and how long before it was heard last. */
static void a_reset(void)
{
    enum { MUCH = 8000000 };
    struct linger abort = {1, 0};
    heartline_obituary obituary;
    int end;
    char *much = calloc(1, MUCH);
    CHECK(much != NULL);
    uint64_t id = ours(codec, NULL, &end), since = heartline_now_ms();
    EXPECT(heartline_reactor_send(reactor, id, much, MUCH), 0);
    heartline_event event = next_of(HEARTLINE_EVENT_FULL, id);
    CHECK(event.queued_bytes > 0 && event.queued_bytes < MUCH);
    event.queued_bytes = 0;
    and_no_more(event);
    CHECK(poll(NULL, 0, 30) == 0);
    CHECK(setsockopt(end, SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0 && close(end) == 0);
    event = next_of(HEARTLINE_EVENT_CLOSED, id);
    EXPECT(event.reason, HEARTLINE_REASON_PEER_RESET);
    EXPECT(event.os_error, ECONNRESET);
    CHECK(event.queued_bytes > 0 && event.queued_bytes < MUCH && event.rtt_ms == HEARTLINE_OFF);
    CHECK(event.silence_ms >= 28 && event.silence_ms <= heartline_now_ms() - since + 2);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(obituary.os_error == ECONNRESET && obituary.closed_by == HEARTLINE_CLOSED_BY_PEER);
    CHECK(obituary.queued_bytes == event.queued_bytes && obituary.silence_ms == event.silence_ms);
    event.reason = 0, event.os_error = 0, event.queued_bytes = 0, event.rtt_ms = 0, event.silence_ms = 0;
    and_no_more(event);
    free(much);
}

/* Suspect, revived by its answers, and dead. */
static void silence(void)
{
    heartline_options options;
    heartline_obituary obituary;
    heartline_connection_info info;
    int end, revivals = 0;
    char ask[4];
    HEARTLINE_INIT(options);
    options.policy = 1;
    policy_in(reactor, 1, "im,role=ask,interval=40ms,suspect=100ms,timeout=60s,jitter=0");
    uint64_t id = ours(codec, &options, &end);
    heartline_event event = next_of(HEARTLINE_EVENT_SUSPECT, id);
    CHECK(event.silence_ms >= 100 && event.silence_ms < 5000);
    event.silence_ms = 0;
    and_no_more(event);
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    CHECK(info.suspect == 1 && info.unanswered >= 1 && info.silence_ms >= 99 && info.rtt_ms == HEARTLINE_OFF);
    EXPECT(heartline_reactor_flush(reactor), 0); /* should the last ask be of this turn */
    do { /* of several nobody knows which one is answered: until none is left */
        while (read(end, ask, 4) == 4)
            CHECK(memcmp(ask, "\0\0\0\0", 4) == 0 && write(end, ask, 4) == 4);
        int32_t count = heartline_reactor_poll(reactor, &event, 1, 5);
        CHECK(count >= 0 && (count == 0 || event.kind == HEARTLINE_EVENT_REVIVED || event.kind == HEARTLINE_EVENT_SUSPECT));
        if (count == 1 && event.kind == HEARTLINE_EVENT_REVIVED && revivals++ == 0) {
            CHECK(event.id == id && event.user == USER && event.silence_ms >= 100 && event.silence_ms < 5000);
            event.silence_ms = 0;
            and_no_more(event);
        }
        EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    } while (revivals == 0 || info.unanswered > 0 || info.suspect == 1);
    CHECK(info.rtt_ms != HEARTLINE_OFF && info.rtt_ms < 5000);
    policy_in(reactor, 1, "im,role=ask,interval=40ms,suspect=100ms,timeout=300ms,jitter=0");
    event = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(event.reason == HEARTLINE_REASON_SILENT && event.silence_ms >= 300 && event.silence_ms < 5000);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(event.rtt_ms == info.rtt_ms && obituary.rtt_ms == info.rtt_ms && obituary.silence_ms == event.silence_ms);
    CHECK(obituary.overshoot_ms == event.silence_ms - 300 && obituary.unanswered >= 1 && obituary.bytes_in >= 4);
    CHECK(obituary.closed_by == HEARTLINE_CLOSED_BY_HEARTLINE && obituary.age_ms >= 380 && obituary.age_ms < 30000);
    CHECK(obituary.last_out_ms < obituary.age_ms && obituary.why[0] == 0 && obituary.bytes_out >= 8);
    close(end);
}

/* A dial that is refused, and one that is taken: what is sent before waits. */
static void dials(void)
{
    heartline_connection_info info;
    heartline_obituary obituary;
    char at[HEARTLINE_ADDRESS_BYTES];
    uint64_t id = 0;
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL), 0);
    CHECK(heartline_reactor_listener_address(reactor, 0, at, sizeof at) > 0);
    EXPECT(heartline_reactor_connect(reactor, at, codec, NULL, USER, &id), 0);
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    CHECK(info.dialling == 1 && info.closing == 0 && info.user == USER && strcmp(info.address, at) == 0);
    EXPECT(heartline_reactor_send(reactor, id, "early", 5), 0);
    heartline_event message = await_kind(reactor, HEARTLINE_EVENT_MESSAGE);
    CHECK(message.id != id && message.len == 5 && memcmp(message.data, "early", 5) == 0);
    CHECK(counted(reactor, "connected") == 1 && counted(reactor, "accepted") == 1);
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    CHECK(info.dialling == 0);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_ABORT, 0), 0);
    heartline_event closed = next_of(HEARTLINE_EVENT_CLOSED, id);
    CHECK(closed.reason == HEARTLINE_REASON_LOCAL && closed.os_error == 0);
    closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(closed.id == message.id && closed.reason == HEARTLINE_REASON_PEER_RESET);

    EXPECT(heartline_reactor_stop_listening(reactor, 0), 0);
    EXPECT(heartline_reactor_connect(reactor, at, codec, NULL, USER, &id), 0);
    heartline_event event = next_of(HEARTLINE_EVENT_CONNECT_FAILED, id);
    CHECK(event.reason == HEARTLINE_REASON_CONNECT_REFUSED && event.os_error == ECONNREFUSED);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(obituary.os_error == ECONNREFUSED && obituary.reason == event.reason && obituary.user == USER);
    event.reason = 0, event.os_error = 0;
    and_no_more(event);
}

/* A listener that may take no more, for want of room and of descriptors; the second one, so that it has a number. */
static void accepting_pauses(uint32_t cause)
{
    struct last_line last = {0, 0, ""};
    heartline_reactor_config config = calm();
    struct rlimit before, low;
    int fds[3] = {-1, -1, -1};
    config.log = keep_line, config.log_context = &last;
    config.connections_max = cause == HEARTLINE_PAUSE_CONNECTIONS_MAX ? 1 : 0;
    heartline_reactor *outer = reactor;
    reactor = reactor_of(&config);
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL), 0);
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL), 1);
    struct sockaddr_in at = address_of(reactor, 1);
    fds[0] = dial(&at);
    heartline_event opened = await_kind(reactor, HEARTLINE_EVENT_OPENED);
    EXPECT(opened.listener, 1);
    fds[1] = dial(&at);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    if (cause == HEARTLINE_PAUSE_OUT_OF_DESCRIPTORS) {
        low = before, low.rlim_cur = (rlim_t)fds[1] + 1;
        CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    }
    heartline_event event = next_of(HEARTLINE_EVENT_ACCEPT_PAUSED, 0);
    EXPECT(event.detail, cause);
    EXPECT(event.listener, 1);
    CHECK(last.lines == 1 && last.level == HEARTLINE_LOG_WARN && strstr(last.text, "listener 1 accepts no more") != NULL);
    event.detail = 0, event.listener = HEARTLINE_NO_LISTENER;
    and_no_more(event);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    EXPECT(heartline_reactor_close(reactor, opened.id, HEARTLINE_CLOSE_ABORT, 0), 0);
    if (cause == HEARTLINE_PAUSE_OUT_OF_DESCRIPTORS)
        fds[2] = dial(&at); /* valgrind, which plays the kernel here, has thrown the one before away */
    event = await_kind(reactor, HEARTLINE_EVENT_OPENED);
    CHECK(event.listener == 1 && event.id != opened.id);
    close(fds[1]);
    event = await_kind(reactor, HEARTLINE_EVENT_ACCEPT_RESUMED);
    EXPECT(event.listener, 1);
    CHECK(event.id == 0 && event.user == 0 && strstr(last.text, "listener 1 accepts again") != NULL);
    event.listener = HEARTLINE_NO_LISTENER;
    and_no_more(event);
    close(fds[0]);
    if (fds[2] >= 0)
        close(fds[2]);
    heartline_reactor_free(reactor);
    reactor = outer;
}

int main(void)
{
    codec = codec_of("length:4be");
    reactor = calm_reactor();
    a_message_with_its_head();
    beats();
    half_open();
    a_reset();
    silence();
    dials();
    accepting_pauses(HEARTLINE_PAUSE_CONNECTIONS_MAX);
    accepting_pauses(HEARTLINE_PAUSE_OUT_OF_DESCRIPTORS);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
