/* Settings of a whole reactor, each seen in what the reactor does. */
#include "tcp.h"

static heartline_codec *codec;

static void sleep_ms(long ms)
{
    CHECK(poll(NULL, 0, (int)ms) == 0);
}

/* Polls until nothing is left to do now. */
static void idle(heartline_reactor *reactor)
{
    heartline_event event;
    while (heartline_reactor_wait_ms(reactor) == 0)
        EXPECT(heartline_reactor_poll(reactor, &event, 1, 0), 0);
}

static heartline_options in_slot_1(void)
{
    heartline_options options;
    HEARTLINE_INIT(options);
    options.policy = 1;
    return options;
}

static void statistics(void)
{
    for (int off = 0; off < 2; off++) {
        heartline_reactor_config config;
        heartline_connection_info info;
        heartline_obituary obituary;
        int ends[2];
        uint64_t id;
        HEARTLINE_INIT(config);
        config.statistics = off ? HEARTLINE_OFF : 0;
        heartline_reactor *reactor = reactor_of(&config);
        tcp_pair(ends);
        EXPECT(heartline_reactor_adopt(reactor, ends[0], codec, NULL, 0, NULL, 0, NULL, 0, &id), 0);
        CHECK(write(ends[1], "\0\0\0\1x", 5) == 5);
        CHECK(await_kind(reactor, HEARTLINE_EVENT_MESSAGE).id == id);
        EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
        close(ends[1]);
        CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == id);
        EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
        CHECK(strncmp(info.address, "127.0.0.1:", off ? 0 : 10) == 0 && (info.address[0] == 0) == off);
        CHECK(strcmp(info.address, obituary.address) == 0 && obituary.tcp == !off);
        CHECK(obituary.bytes_in == (off ? 0 : 5) && obituary.messages_in == (off ? 0 : 1));
        CHECK((obituary.tcp_rtt_us > 0) == !off && (obituary.tcp_rto_us > obituary.tcp_rtt_us) == !off);
        heartline_reactor_free(reactor);
    }
}

static uint64_t first_id(uint64_t seed)
{
    heartline_reactor_config config;
    int end;
    HEARTLINE_INIT(config);
    config.seed = seed;
    heartline_reactor *reactor = reactor_of(&config);
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    close(end);
    heartline_reactor_free(reactor);
    return id;
}

/* A loop that stays away is a stall beyond the granularity, and a long silence below it. */
static void granularity(void)
{
    for (int coarse = 0; coarse < 2; coarse++) {
        struct last_line last = {0, 0, ""};
        heartline_reactor_config config;
        heartline_options options = in_slot_1();
        heartline_event event;
        heartline_obituary obituary;
        int end;
        HEARTLINE_INIT(config);
        config.granularity_ms = coarse ? 60000 : 50;
        config.log = keep_line, config.log_context = &last;
        heartline_reactor *reactor = reactor_of(&config);
        policy_in(reactor, 1, "im,role=watch,interval=20ms,suspect=100ms,timeout=60s");
        uint64_t id = adopted(reactor, codec, &options, 7, &end);
        idle(reactor); /* otherwise it promises to be back by then */
        sleep_ms(250);
        event = await_kind(reactor, coarse ? HEARTLINE_EVENT_SUSPECT : HEARTLINE_EVENT_STALLED);
        if (coarse) {
            CHECK(event.id == id && event.user == 7 && event.silence_ms >= 100 && event.detail == 0);
            CHECK(last.lines == 0 && counted(reactor, "stalls") == 0);
        } else {
            CHECK(event.id == 0 && event.user == 0 && event.silence_ms >= 50 && event.detail == 0);
            CHECK(counted(reactor, "stalls") >= 1 && counted(reactor, "stalled_ms") >= event.silence_ms);
            CHECK(last.lines >= 1 && last.level == HEARTLINE_LOG_WARN && strstr(last.text, "was stopped or busy") != NULL);
        }
        EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_AT_ONCE, 0), 0);
        CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == id);
        EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
        CHECK((obituary.stalls > 0) == !coarse);
        close(end);
        heartline_reactor_free(reactor);
    }
}

/* Of many that fall due together so many are told in a turn. */
static void verdicts_per_turn(void)
{
    enum { PEERS = 6 };
    for (int32_t most = 2; most <= PEERS; most += PEERS - 2) {
        heartline_reactor_config config = calm();
        heartline_options options = in_slot_1();
        heartline_event events[16];
        int ends[PEERS], largest = 0;
        config.verdicts_per_turn = (uint32_t)most;
        heartline_reactor *reactor = reactor_of(&config);
        policy_in(reactor, 1, "im,role=watch,interval=20s,suspect=30s,timeout=60s");
        for (int i = 0; i < PEERS; i++)
            adopted(reactor, codec, &options, 0, &ends[i]);
        sleep_ms(50);
        idle(reactor); /* an adopted connection is looked at once, a tick later, and that counts as a verdict */
        policy_in(reactor, 1, "im,role=watch,interval=20ms,suspect=30ms,timeout=60s"); /* all are due */
        while (counted(reactor, "suspects") < PEERS) {
            int32_t count = heartline_reactor_poll(reactor, events, 16, WITHIN_MS);
            CHECK(count > 0);
            largest = count > largest ? count : largest;
        }
        EXPECT(largest, most);
        for (int i = 0; i < PEERS; i++)
            close(ends[i]);
        heartline_reactor_free(reactor);
    }
}

/* Half of four fall silent together: nobody is told of it before the hold is over. One after the other they are no mass. */
static void mass_silence(int together)
{
    enum { SUSPECT_MS = 60, HOLD_MS = 300 };
    struct last_line last = {0, 0, ""};
    heartline_reactor_config config = calm();
    heartline_options options = in_slot_1();
    heartline_event event;
    int ends[4];
    config.mass_silence_percent = 30, config.mass_silence_peers_min = 4;
    config.mass_silence_window_ms = together ? 4000 : 30, config.mass_silence_hold_ms = HOLD_MS;
    config.log = keep_line, config.log_context = &last;
    heartline_reactor *reactor = reactor_of(&config);
    policy_in(reactor, 1, "im,role=watch,interval=20ms,suspect=60ms,timeout=60s");
    for (int i = 0; i < 3; i++)
        adopted(reactor, codec, i < 1 ? &options : NULL, 0, &ends[i]);
    if (!together)
        await_kind(reactor, HEARTLINE_EVENT_SUSPECT);
    uint64_t since = heartline_now_ms(), id = adopted(reactor, codec, &options, 0, &ends[3]);
    if (together) {
        event = await_kind(reactor, HEARTLINE_EVENT_MASS_SILENCE);
        CHECK(event.id == 0 && event.user == 0 && event.detail == 2 && event.silence_ms == 4);
        CHECK(last.level == HEARTLINE_LOG_WARN && strncmp(last.text, "2 of 4 fell silent", 18) == 0);
        await_kind(reactor, HEARTLINE_EVENT_SUSPECT);
        uint64_t took = heartline_now_ms() - since;
        CHECK(took >= HOLD_MS && took < 3500);
    } else {
        CHECK(await_kind(reactor, HEARTLINE_EVENT_SUSPECT).id == id);
        CHECK(counted(reactor, "mass_silences") == 0 && heartline_now_ms() - since >= SUSPECT_MS);
    }
    for (int i = 0; i < 4; i++)
        close(ends[i]);
    heartline_reactor_free(reactor);
}

/* Bytes that come after a death are counted for so long. */
static void autopsy(void)
{
    heartline_reactor_config config = calm();
    heartline_options options = in_slot_1();
    heartline_event event;
    int end;
    config.autopsy_ms = 150;
    heartline_reactor *reactor = reactor_of(&config);
    policy_in(reactor, 1, "im,role=watch,interval=20ms,suspect=40ms,timeout=60ms");
    uint64_t since = heartline_now_ms();
    adopted(reactor, codec, &options, 0, &end);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).reason == HEARTLINE_REASON_SILENT);
    CHECK(write(end, "late", 4) == 4);
    while (counted(reactor, "autopsies") == 0) {
        CHECK(heartline_now_ms() - since < 4000);
        CHECK(heartline_reactor_poll(reactor, &event, 1, 5) >= 0);
    }
    CHECK(heartline_now_ms() - since >= 60 + 150);
    CHECK(counted(reactor, "false_deaths") == 1 && counted(reactor, "false_death_bytes") == 4);
    close(end);
    heartline_reactor_free(reactor);
}

/* How many there may be, of each kind. */
static void limits_of_all(void)
{
    enum { CONNECTIONS = 2, REQUESTS = 3, PARTIAL = 3000, OUTBOX = 300000 };
    heartline_reactor_config config;
    heartline_mailbox *mailbox;
    heartline_connection_info info;
    heartline_options options;
    char block[1000] = {0};
    int first, second, ends[2], result;
    uint64_t id;
    HEARTLINE_INIT(config);
    config.connections_max = CONNECTIONS, config.mailbox_max = REQUESTS;
    config.partial_bytes_max = PARTIAL, config.outbox_bytes_max = OUTBOX;
    heartline_reactor *reactor = reactor_of(&config);
    HEARTLINE_INIT(options);
    options.high_bytes = 1 << 30;
    uint64_t one = adopted(reactor, codec, &options, 0, &first), two = adopted(reactor, codec, NULL, 0, &second);
    pair(ends);
    EXPECT(heartline_reactor_adopt(reactor, ends[0], codec, NULL, 0, NULL, 0, NULL, 0, &id), HEARTLINE_ERR_TOO_MANY);
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    for (int i = 0; i < REQUESTS; i++)
        EXPECT(heartline_mailbox_wake(mailbox), 0);
    EXPECT(heartline_mailbox_wake(mailbox), HEARTLINE_ERR_MAILBOX_FULL);
    heartline_mailbox_free(mailbox);

    while ((result = heartline_reactor_send(reactor, one, block, sizeof block)) == 0)
        EXPECT(heartline_reactor_flush(reactor), 0);
    EXPECT(result, HEARTLINE_ERR_REACTOR_FULL);
    EXPECT(heartline_reactor_info(reactor, one, &info, sizeof info), 0);
    CHECK(info.queued_bytes <= OUTBOX && info.queued_bytes + sizeof block + 4 > OUTBOX);

    CHECK(write(second, "\0\0\xff\0", 4) == 4);
    for (int i = 0; i < 3; i++)
        CHECK(write(second, block, sizeof block) == sizeof block);
    heartline_event closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(closed.id == two && closed.reason == HEARTLINE_REASON_OVER_LIMIT);
    EXPECT(heartline_reactor_adopt(reactor, ends[0], codec, NULL, 0, block, 1000, NULL, 0, &id), 0);
    close(ends[1]);
    close(first);
    close(second);
    heartline_reactor_free(reactor);
}

/* Messages that one poll lends. */
static void batch(void)
{
    enum { BATCH = 40000, FRAME = 1000 };
    heartline_reactor_config config = calm();
    heartline_event events[64];
    unsigned char frame[FRAME] = {0, 0, (FRAME - 4) >> 8, (FRAME - 4) & 0xff};
    int end;
    for (int small = 0; small < 2; small++) {
        config.batch_bytes = small ? BATCH : 0;
        heartline_reactor *reactor = reactor_of(&config);
        adopted(reactor, codec, NULL, 0, &end);
        for (int i = 0; i < 60; i++)
            CHECK(write(end, frame, FRAME) == FRAME);
        int32_t count = heartline_reactor_poll(reactor, events, 64, WITHIN_MS);
        CHECK(small ? count >= 30 && count <= BATCH / FRAME : count == 60);
        close(end);
        heartline_reactor_free(reactor);
    }
}

int main(void)
{
    codec = codec_of("length:4be");
    statistics();
    CHECK(first_id(7) == first_id(7) && first_id(7) != first_id(8));
    granularity();
    verdicts_per_turn();
    mass_silence(1);
    mass_silence(0);
    autopsy();
    limits_of_all();
    batch();
    heartline_codec_free(codec);
    return 0;
}
