/* A peer that does not read: FULL once, refusals, DRAINED once it reads; and what is dropped comes back. */
#include "check.h"

static uint64_t queued(heartline_reactor *reactor, uint64_t id)
{
    heartline_connection_info info;
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    return info.queued_bytes;
}

/* FULL is told between these marks once, with what waits, and DRAINED when it has fallen to the low one, not before. */
static void between(heartline_reactor *reactor, uint64_t id, int end, uint32_t high, uint32_t low)
{
    heartline_event event;
    char block[4096];
    int result = 0, sent = 0, full = 0, drained = 0;
    uint64_t until = heartline_now_ms() + WITHIN_MS;
    memset(block, 'x', sizeof block);
    while ((result = heartline_reactor_send(reactor, id, block, sizeof block)) == 0) {
        sent++;
        CHECK(heartline_now_ms() < until);
        EXPECT(heartline_reactor_poll(reactor, &event, 1, 0), 0);
    }
    EXPECT(result, HEARTLINE_ERR_FULL);
    CHECK(queued(reactor, id) <= high && queued(reactor, id) + sizeof block + 4 > high);
    EXPECT(heartline_reactor_send(reactor, id, block, sizeof block), HEARTLINE_ERR_FULL);
    size_t left = (size_t)sent * (sizeof block + 4);
    while (left > 0) {
        uint64_t before = queued(reactor, id);
        while (heartline_reactor_poll(reactor, &event, 1, 0) == 1) {
            CHECK(event.id == id && event.user == 5);
            full += event.kind == HEARTLINE_EVENT_FULL;
            drained += event.kind == HEARTLINE_EVENT_DRAINED;
            EXPECT(event.queued_bytes, event.kind == HEARTLINE_EVENT_FULL ? before : 0);
        }
        CHECK(full == 1 && drained == (queued(reactor, id) <= low));
        ssize_t got = read(end, block, sizeof block);
        left -= got > 0 ? (size_t)got : 0;
        CHECK(heartline_now_ms() < until);
    }
    CHECK(full == 1 && drained == 1);
}

/* Both marks, as options and as they are set later. */
static void refused_and_drained(const heartline_codec *codec)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_options options;
    int end;
    HEARTLINE_INIT(options);
    options.high_bytes = 65536, options.low_bytes = 40960, options.output_ms = HEARTLINE_OFF;
    options.send_buffer_bytes = 4096; /* so that the queue falls in small steps */
    uint64_t id = adopted(reactor, codec, &options, 5, &end);
    between(reactor, id, end, 65536, 40960);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_HIGH_MARK, 98304), 0);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_LOW_MARK, 49152), 0);
    between(reactor, id, end, 98304, 49152);
    close(end);
    heartline_reactor_free(reactor);
}

/* Whoever does not read is closed, if the options say so. */
static void closed_when_full(const heartline_codec *codec)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_options options;
    heartline_obituary obituary;
    char block[4096] = {0};
    int end, result;
    HEARTLINE_INIT(options);
    options.high_bytes = 65536, options.when_full = HEARTLINE_WHEN_FULL_CLOSE;
    uint64_t id = adopted(reactor, codec, &options, 5, &end), until = heartline_now_ms() + WITHIN_MS;
    while ((result = heartline_reactor_send(reactor, id, block, sizeof block)) == 0)
        CHECK(heartline_now_ms() < until);
    EXPECT(result, HEARTLINE_ERR_CLOSING);
    heartline_event closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(closed.id == id && closed.user == 5 && closed.reason == HEARTLINE_REASON_OUTBOX_FULL);
    CHECK(closed.queued_bytes > 65536 - sizeof block - 4 && closed.queued_bytes <= 65536);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(obituary.closed_by == HEARTLINE_CLOSED_BY_HEARTLINE && obituary.queued_bytes == closed.queued_bytes);
    close(end);
    heartline_reactor_free(reactor);
}

/* Set below the low mark, the high one takes it along: DRAINED comes at a quarter, and not before. */
static void a_high_mark_takes_the_low_one_along(const heartline_codec *codec)
{
    enum { HIGH = 65536, LOW = HIGH / 4 };
    heartline_reactor *reactor = calm_reactor();
    heartline_options options;
    heartline_event event;
    char block[4096];
    int end, drained = 0;
    HEARTLINE_INIT(options);
    options.send_buffer_bytes = 4096; /* so that the queue falls in small steps */
    uint64_t id = adopted(reactor, codec, &options, 0, &end), until = heartline_now_ms() + WITHIN_MS, before;
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_HIGH_MARK, HIGH), 0);
    memset(block, 'x', sizeof block);
    while (heartline_reactor_send(reactor, id, block, sizeof block) == 0) {
        CHECK(heartline_now_ms() < until);
        while (heartline_reactor_poll(reactor, &event, 1, 0) == 1)
            CHECK(event.kind == HEARTLINE_EVENT_FULL);
    }
    while (!drained) {
        before = queued(reactor, id);
        CHECK(read(end, block, sizeof block) > 0 && heartline_now_ms() < until);
        while (heartline_reactor_poll(reactor, &event, 1, 0) == 1)
            drained += event.kind == HEARTLINE_EVENT_DRAINED;
        CHECK(drained == (queued(reactor, id) <= LOW));
    }
    CHECK(before > LOW && before < LOW + sizeof block * 2);
    close(end);
    heartline_reactor_free(reactor);
}

static void the_oldest_makes_room(const heartline_codec *codec)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_options options;
    heartline_event event;
    char block[4096];
    int end, unsent = 0;
    HEARTLINE_INIT(options);
    options.high_bytes = 65536, options.low_bytes = 4096, options.when_full = HEARTLINE_WHEN_FULL_DROP_OLDEST;
    uint64_t id = adopted(reactor, codec, &options, 0, &end), until = heartline_now_ms() + WITHIN_MS;
    memset(block, 'x', sizeof block);
    while (unsent < 3) {
        CHECK(heartline_now_ms() < until);
        EXPECT(heartline_reactor_send(reactor, id, block, sizeof block), 0);
        while (heartline_reactor_poll(reactor, &event, 1, 0) == 1)
            if (event.kind == HEARTLINE_EVENT_UNSENT) {
                CHECK(event.id == id && event.len == sizeof block + 4 && event.data[4] == 'x');
                unsent++;
            }
    }
    close(end);
    heartline_reactor_free(reactor);
}

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    refused_and_drained(codec);
    closed_when_full(codec);
    a_high_mark_takes_the_low_one_along(codec);
    the_oldest_makes_room(codec);
    heartline_codec_free(codec);
    return 0;
}
