/* A peer that does not read: FULL once, refusals, DRAINED once it reads; and what is dropped comes back. */
#include "check.h"

static void refused_and_drained(const heartline_codec *codec)
{
    heartline_reactor *reactor = reactor_of(NULL);
    heartline_options options;
    heartline_event event;
    char block[4096];
    int end, result = 0, sent = 0, full = 0, drained = 0;
    HEARTLINE_INIT(options);
    options.high_bytes = 65536, options.low_bytes = 4096, options.output_ms = HEARTLINE_OFF;
    uint64_t id = adopted(reactor, codec, &options, 0, &end), until = heartline_now_ms() + WITHIN_MS;
    memset(block, 'x', sizeof block);
    while ((result = heartline_reactor_send(reactor, id, block, sizeof block)) == 0) {
        sent++;
        CHECK(heartline_now_ms() < until);
        while (heartline_reactor_poll(reactor, &event, 1, 0) == 1)
            full += event.kind == HEARTLINE_EVENT_FULL;
    }
    EXPECT(result, HEARTLINE_ERR_FULL);
    size_t left = (size_t)sent * (sizeof block + 4);
    while (left > 0 || drained == 0) {
        ssize_t got = read(end, block, sizeof block);
        left -= got > 0 ? (size_t)got : 0;
        CHECK(heartline_now_ms() < until);
        while (heartline_reactor_poll(reactor, &event, 1, 0) == 1) {
            full += event.kind == HEARTLINE_EVENT_FULL;
            drained += event.kind == HEARTLINE_EVENT_DRAINED;
        }
    }
    CHECK(full == 1 && drained == 1);
    EXPECT(heartline_reactor_send(reactor, id, block, 10), 0);
    close(end);
    heartline_reactor_free(reactor);
}

static uint64_t queued(heartline_reactor *reactor, uint64_t id)
{
    heartline_connection_info info;
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    return info.queued_bytes;
}

/* Set below the low mark, the high one takes it along: DRAINED comes at a quarter, and not before. */
static void a_high_mark_takes_the_low_one_along(const heartline_codec *codec)
{
    enum { HIGH = 65536, LOW = HIGH / 4 };
    heartline_reactor *reactor = reactor_of(NULL);
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
    heartline_reactor *reactor = reactor_of(NULL);
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
    a_high_mark_takes_the_low_one_along(codec);
    the_oldest_makes_room(codec);
    heartline_codec_free(codec);
    return 0;
}
