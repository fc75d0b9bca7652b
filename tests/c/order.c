/* Calls in an order that nobody planned: closing inside a batch, twice, freeing what lives, batches given out in bits. */
#include "check.h"

static void put_frames(int fd, int count)
{
    for (int i = 0; i < count; i++) {
        unsigned char frame[5] = {0, 0, 0, 1, (unsigned char)('a' + i)};
        CHECK(write(fd, frame, sizeof frame) == (ssize_t)sizeof frame);
    }
}

/* Later events of a closed id in the same batch are delivered with `user`, CLOSED last and once. */
static void closing_inside_a_batch(const heartline_codec *codec)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_event events[8];
    heartline_obituary obituary;
    int end;
    uint64_t id = adopted(reactor, codec, NULL, 77, &end);
    put_frames(end, 3);
    EXPECT(heartline_reactor_poll(reactor, events, 8, WITHIN_MS), 3);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 300), 0);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 301), 0);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_AT_ONCE, 302), 0); /* only quicker */
    for (int i = 0; i < 3; i++) {
        CHECK(events[i].kind == HEARTLINE_EVENT_MESSAGE && events[i].id == id && events[i].user == 77);
        CHECK(events[i].len == 1 && events[i].data[0] == 'a' + i && events[i].head_len == 4);
        CHECK(events[i].data[-1] == 1); /* the head lies just before */
    }
    CHECK(heartline_reactor_send(reactor, id, "x", 1) < 0);
    heartline_event closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(closed.id == id && closed.user == 77 && closed.reason == 300);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(obituary.reason == 300 && obituary.closed_by == HEARTLINE_CLOSED_BY_APPLICATION && obituary.messages_in == 3);
    EXPECT(heartline_reactor_poll(reactor, events, 8, 0), 0);
    close(end);
    heartline_reactor_free(reactor);
}

/* A batch given out with a capacity of 1: nothing is lost, nothing moves until it is all out. */
static void capacities_of_nought_and_one(const heartline_codec *codec)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_event event;
    int end;
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    put_frames(end, 5);
    EXPECT(heartline_reactor_poll(reactor, &event, 0, -1), 0); /* does not wait */
    EXPECT(heartline_reactor_poll(reactor, NULL, 0, -1), 0);
    for (int i = 0; i < 5; i++) {
        if (i == 2)
            EXPECT(heartline_reactor_wait_ms(reactor), 0); /* there is more */
        EXPECT(heartline_reactor_poll(reactor, &event, 1, WITHIN_MS), 1);
        CHECK(event.kind == HEARTLINE_EVENT_MESSAGE && event.data[0] == 'a' + i);
        const uint8_t *data = event.data;
        EXPECT(heartline_reactor_poll(reactor, NULL, 0, 0), 0);
        CHECK(data[0] == 'a' + i); /* a poll with a capacity of 0 takes nothing back */
        EXPECT(heartline_reactor_send(reactor, id, event.data, event.len), 0);
    }
    EXPECT(heartline_reactor_poll(reactor, &event, 1, 0), 0);
    unsigned char back[25];
    read_all(reactor, end, back, sizeof back);
    CHECK(back[4] == 'a' && back[24] == 'e');
    close(end);
    heartline_reactor_free(reactor);

    heartline_monitor *monitor;
    heartline_policy policy;
    heartline_verdict verdict;
    heartline_peer peers[5];
    EXPECT(heartline_policy_parse("lan,role=watch", &policy, sizeof policy, NULL, 0), 0);
    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    EXPECT(heartline_monitor_policy(monitor, 0, &policy, 0), 0);
    for (int i = 0; i < 5; i++)
        EXPECT(heartline_monitor_add(monitor, (uint64_t)i, 0, 0, &peers[i]), 0);
    int dead = 0;
    uint64_t seen = 0, now = 0;
    while (dead < 5) {
        int32_t wait = heartline_monitor_wait_ms(monitor, now);
        CHECK(wait >= 0 && now < 20000);
        now += (uint64_t)wait;
        EXPECT(heartline_monitor_advance(monitor, now, &verdict, 0), 0);
        int32_t count = heartline_monitor_advance(monitor, now, &verdict, 1);
        CHECK(count == 0 || count == 1);
        if (count == 1 && verdict.kind == HEARTLINE_VERDICT_DEAD) {
            seen |= (uint64_t)1 << verdict.user;
            dead++;
            CHECK(verdict.silence_ms >= 8000);
            EXPECT(heartline_monitor_remove(monitor, verdict.peer), 0);
        }
    }
    CHECK(seen == 31);
    EXPECT(heartline_monitor_wait_ms(monitor, now), -1);
    heartline_monitor_free(monitor);
}

static void freeing_what_lives(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor_config config;
    HEARTLINE_INIT(config);
    config.mailbox_max = 2;
    heartline_reactor *reactor = reactor_of(&config);
    heartline_mailbox *mailbox;
    int end;
    adopted(reactor, codec, NULL, 0, &end);
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL), 0);
    heartline_codec_free(codec); /* the reactor keeps what it needs */
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    put_frames(end, 1);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_MESSAGE).len == 1);
    put_frames(end, 2); /* never read */
    heartline_reactor_free(reactor);
    must_have_ended(end);
    for (int i = 0; i < 5; i++) /* GONE it stays, however often it is used */
        EXPECT(heartline_mailbox_wake(mailbox), HEARTLINE_ERR_GONE);
    EXPECT(heartline_mailbox_send(mailbox, 1, "x", 1), HEARTLINE_ERR_GONE);
    EXPECT(heartline_mailbox_broadcast(mailbox, "x", 1), HEARTLINE_ERR_GONE);
    EXPECT(heartline_mailbox_close(mailbox, 1, HEARTLINE_CLOSE_FLUSH, 0), HEARTLINE_ERR_GONE);
    heartline_mailbox_free(mailbox);
    close(end);
}

static void before_and_after(const heartline_codec *codec)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_options options;
    heartline_event event;
    heartline_policy policy;
    char text[64];
    uint64_t id = 0;
    int ends[2];

    EXPECT(heartline_reactor_is_drained(reactor), 0);
    EXPECT(heartline_reactor_stop_listening(reactor, 0), HEARTLINE_ERR_INVALID);
    EXPECT(heartline_reactor_stop_listening(reactor, -1), HEARTLINE_ERR_INVALID);
    CHECK(heartline_reactor_listener_address(reactor, 0, text, sizeof text) < 0);
    HEARTLINE_INIT(options);
    options.policy = 3; /* not set yet */
    pair(ends);
    EXPECT(heartline_reactor_adopt(reactor, ends[0], codec, &options, 0, NULL, 0, NULL, 0, &id), HEARTLINE_ERR_INVALID);
    EXPECT(heartline_policy_parse("game,role=both", &policy, sizeof policy, NULL, 0), 0);
    EXPECT(heartline_reactor_policy(reactor, 3, &policy), 0);
    EXPECT(heartline_reactor_adopt(reactor, ends[0], codec, &options, 5, NULL, 0, NULL, 0, &id), 0);
    /* Before OPENED was delivered: it may be sent on, set and closed, but not given back. */
    heartline_released released;
    EXPECT(heartline_reactor_release(reactor, id, &released), HEARTLINE_ERR_BUSY);
    EXPECT(heartline_reactor_send(reactor, id, "early", 5), 0);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_USER, 6), 0);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 0), 0);
    EXPECT(heartline_reactor_send(reactor, id, "late", 4), HEARTLINE_ERR_CLOSING);
    close(ends[1]);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).user == 6);

    /* A drain refuses what would begin; a second one is no error. */
    EXPECT(heartline_reactor_drain(reactor, NULL), 0);
    EXPECT(heartline_reactor_drain(reactor, NULL), 0);
    while (heartline_reactor_is_drained(reactor) == 0)
        CHECK(heartline_reactor_poll(reactor, &event, 1, 100) >= 0);
    EXPECT(heartline_reactor_is_drained(reactor), 1);
    heartline_reactor_free(reactor);
}

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    closing_inside_a_batch(codec);
    capacities_of_nought_and_one(codec);
    freeing_what_lives();
    before_and_after(codec);
    heartline_codec_free(codec);
    return 0;
}
