/* Ends and what is told of them: drain with a farewell, obituaries, counters, metrics, the log. */
#include "check.h"

enum { PEERS = 5 };

static void a_drain(const heartline_codec *codec)
{
    heartline_reactor *reactor = reactor_of(NULL);
    heartline_drain_options options;
    heartline_event events[16];
    heartline_obituary obituary;
    int ends[PEERS], closed = 0;
    uint64_t ids[PEERS], all[PEERS], value = 0;
    for (int i = 0; i < PEERS; i++)
        ids[i] = adopted(reactor, codec, NULL, (uint64_t)i, &ends[i]);
    EXPECT(heartline_reactor_count(reactor), PEERS);
    EXPECT(heartline_reactor_ids(reactor, all, 2), PEERS);
    EXPECT(heartline_reactor_ids(reactor, all, PEERS), PEERS);
    for (int i = 0; i < PEERS; i++) {
        int found = 0;
        for (int j = 0; j < PEERS; j++)
            found += all[j] == ids[i];
        CHECK(found == 1);
    }
    HEARTLINE_INIT(options);
    options.farewell = "bye", options.farewell_len = 3, options.code = 1000, options.spread_ms = 50, options.limit_ms = 5000;
    EXPECT(heartline_reactor_drain(reactor, &options), 0);
    char farewell[PEERS][7];
    size_t got[PEERS] = {0};
    uint64_t until = heartline_now_ms() + WITHIN_MS;
    while (heartline_reactor_is_drained(reactor) == 0) {
        int32_t count = heartline_reactor_poll(reactor, events, 16, 20);
        CHECK(count >= 0 && heartline_now_ms() < until);
        for (int32_t i = 0; i < count; i++) {
            if (events[i].kind != HEARTLINE_EVENT_CLOSED)
                continue;
            closed++;
            CHECK(events[i].reason == 1000 && events[i].id == ids[events[i].user]);
            EXPECT(heartline_reactor_obituary(reactor, events[i].id, &obituary, sizeof obituary), 0);
            CHECK(obituary.id == events[i].id && obituary.user == events[i].user && obituary.reason == 1000);
            CHECK(obituary.messages_out == 1 && obituary.bytes_out == 7 && obituary.queued_bytes == 0);
            CHECK(obituary.struct_size == sizeof obituary && obituary.tcp == 0 && obituary.address[0] == 0);
            CHECK(strcmp(heartline_name(HEARTLINE_NAMES_REASONS, obituary.reason), "application") == 0);
        }
        for (int i = 0; i < PEERS; i++) {
            if (got[i] == 7)
                continue;
            ssize_t bytes = read(ends[i], farewell[i] + got[i], 7 - got[i]);
            got[i] += bytes > 0 ? (size_t)bytes : 0;
            if (got[i] == 7) {
                CHECK(memcmp(farewell[i], "\0\0\0\3bye", 7) == 0);
                shutdown(ends[i], SHUT_WR); /* the peer's own end */
            }
        }
    }
    CHECK(closed == PEERS);
    for (int i = 0; i < PEERS; i++)
        close(ends[i]);
    EXPECT(heartline_reactor_counter(reactor, "bytes_out", &value), 0);
    CHECK(value == 7 * PEERS);
    heartline_reactor_free(reactor);
}

struct log {
    struct last_line last;
    heartline_reactor *reactor;
};

static void write_log(void *context, uint32_t level, const char *text)
{
    struct log *log = context;
    keep_line(&log->last, level, text);
    /* From within it is found, not followed. */
    EXPECT(heartline_reactor_count(log->reactor), HEARTLINE_ERR_OVERLAP);
    heartline_reactor_free(log->reactor); /* ignored */
}

static void bad_bytes_and_the_log(const heartline_codec *codec)
{
    struct log log = {{0, 0, ""}, NULL};
    heartline_reactor_config config;
    heartline_obituary obituary;
    HEARTLINE_INIT(config);
    config.log = write_log, config.log_context = &log;
    heartline_reactor *reactor = reactor_of(&config);
    log.reactor = reactor;
    int end;
    uint64_t id = adopted(reactor, codec, NULL, 3, &end);
    CHECK(write(end, "GET / HTTP/1.1\r\n", 16) == 16);
    heartline_event closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(closed.id == id && closed.reason == HEARTLINE_REASON_OVER_LIMIT);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(strlen(obituary.why) > 10 && obituary.closed_by == HEARTLINE_CLOSED_BY_HEARTLINE && obituary.bytes_in == 16);
    CHECK(log.last.lines == 1 && log.last.level == HEARTLINE_LOG_INFO && strstr(log.last.text, obituary.why) != NULL);
    close(end);
    heartline_reactor_free(reactor);
}

/* Asked, suspected, dead: of a peer that says nothing. */
static void a_silent_peer(const heartline_codec *codec)
{
    heartline_reactor *reactor = reactor_of(NULL);
    heartline_policy policy;
    heartline_options options;
    heartline_obituary obituary;
    heartline_connection_info info;
    char ask[4];
    int end;
    EXPECT(heartline_policy_parse("im,role=both,interval=40ms,suspect=80ms,timeout=160ms", &policy, sizeof policy, NULL, 0), 0);
    EXPECT(heartline_reactor_policy(reactor, 1, &policy), 0);
    HEARTLINE_INIT(options);
    options.policy = 1;
    uint64_t id = adopted(reactor, codec, &options, 8, &end);
    heartline_event suspect = await_kind(reactor, HEARTLINE_EVENT_SUSPECT);
    CHECK(suspect.id == id && suspect.silence_ms >= 80);
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    CHECK(info.suspect == 1 && info.policy == 1 && info.unanswered >= 1);
    heartline_event closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(closed.reason == HEARTLINE_REASON_SILENT && closed.user == 8 && closed.silence_ms >= 160);
    CHECK(closed.rtt_ms == HEARTLINE_OFF);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(obituary.silence_ms >= 160 && obituary.unanswered >= 1 && obituary.last_out_ms != UINT64_MAX);
    CHECK(read(end, ask, 4) == 4 && memcmp(ask, "\0\0\0\0", 4) == 0);
    close(end);
    heartline_reactor_free(reactor);
}

static void metrics_and_counters(const heartline_codec *codec)
{
    static const char *const counters[] = {"bytes_in", "bytes_out", "messages_in", "messages_out"};
    heartline_reactor *reactor = reactor_of(NULL);
    char *text = malloc(16384), small[32];
    int end;
    CHECK(text != NULL);
    uint64_t value, id = adopted(reactor, codec, NULL, 0, &end);
    CHECK(write(end, "\0\0\0\1x", 5) == 5);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_MESSAGE).id == id);
    int32_t length = heartline_reactor_metrics(reactor, text, 16384);
    CHECK(length > 0 && length < 16384 && strlen(text) == (size_t)length);
    CHECK(strstr(text, "heartline_messages_in_total 1\n") && strstr(text, "heartline_bytes_in_total 5\n"));
    EXPECT(heartline_reactor_metrics(reactor, small, sizeof small), length);
    CHECK(strlen(small) == sizeof small - 1 && strncmp(small, text, sizeof small - 1) == 0);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        EXPECT(heartline_reactor_counter(reactor, counters[i], &value), 0);
    free(text);
    close(end);
    heartline_reactor_free(reactor);
}

int main(void)
{
    heartline_codec *codec = codec_of("length:4be,max=64K");
    a_drain(codec);
    bad_bytes_and_the_log(codec);
    a_silent_peer(codec);
    metrics_and_counters(codec);
    heartline_codec_free(codec);
    return 0;
}
