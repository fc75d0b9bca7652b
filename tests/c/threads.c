/* Overlapping use is found, handing over is free, the mailbox is for everybody. */
#include "check.h"
#include <pthread.h>

enum { THREADS = 8, EACH = 200 };

struct shared {
    heartline_reactor *reactor;
    heartline_mailbox *mailbox;
    heartline_monitor *monitor;
    uint64_t id;
    int number;
    long overlaps;
};

static void *poll_long(void *given)
{
    struct shared *shared = given;
    heartline_event event;
    int32_t count;
    do /* the other thread may be inside, to see whether we are */
        count = heartline_reactor_poll(shared->reactor, &event, 1, WITHIN_MS);
    while (count == HEARTLINE_ERR_OVERLAP);
    CHECK(count == 0 || count == 1);
    return NULL;
}

/* One thread waits in poll; every other call says OVERLAP, until the mailbox wakes it. */
static void overlapping(void)
{
    struct shared shared = {0};
    heartline_event event;
    heartline_mailbox *second;
    pthread_t thread;
    uint64_t number, until = heartline_now_ms() + WITHIN_MS;
    shared.reactor = reactor_of(NULL);
    EXPECT(heartline_mailbox_new(shared.reactor, &shared.mailbox), 0);
    CHECK(pthread_create(&thread, NULL, poll_long, &shared) == 0);
    while (heartline_reactor_count(shared.reactor) != HEARTLINE_ERR_OVERLAP)
        CHECK(heartline_now_ms() < until);
    EXPECT(heartline_reactor_poll(shared.reactor, &event, 1, 0), HEARTLINE_ERR_OVERLAP);
    EXPECT(heartline_reactor_send(shared.reactor, 1, "x", 1), HEARTLINE_ERR_OVERLAP);
    EXPECT(heartline_reactor_counter(shared.reactor, "bytes_in", &number), HEARTLINE_ERR_OVERLAP);
    EXPECT(heartline_reactor_flush(shared.reactor), HEARTLINE_ERR_OVERLAP);
    EXPECT(heartline_mailbox_new(shared.reactor, &second), HEARTLINE_ERR_OVERLAP);
    EXPECT(heartline_mailbox_wake(shared.mailbox), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    EXPECT(heartline_reactor_count(shared.reactor), 0);
    heartline_mailbox_free(shared.mailbox);
    heartline_reactor_free(shared.reactor);
}

static void *use_monitor(void *given)
{
    struct shared *shared = given;
    for (int i = 0; i < 2000; i++) {
        heartline_peer peer;
        int32_t result = heartline_monitor_add(shared->monitor, 1, 0, (uint64_t)i, &peer);
        if (result == HEARTLINE_ERR_OVERLAP) {
            shared->overlaps++;
            continue;
        }
        CHECK(result == 0);
        do
            result = heartline_monitor_remove(shared->monitor, peer);
        while (result == HEARTLINE_ERR_OVERLAP);
        CHECK(result == 0);
    }
    return NULL;
}

/* Whatever two threads do to one monitor, it stays whole. */
static void racing(void)
{
    heartline_monitor *monitor;
    heartline_monitor_stats stats;
    struct shared shared[2];
    pthread_t threads[2];
    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    for (int i = 0; i < 2; i++) {
        memset(&shared[i], 0, sizeof shared[i]);
        shared[i].monitor = monitor;
        CHECK(pthread_create(&threads[i], NULL, use_monitor, &shared[i]) == 0);
    }
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    EXPECT(heartline_monitor_read_stats(monitor, &stats, sizeof stats), 0);
    CHECK(stats.peers == 0);
    heartline_monitor_free(monitor);
}

static void *take_over(void *given)
{
    struct shared *shared = given;
    heartline_event message = await_kind(shared->reactor, HEARTLINE_EVENT_MESSAGE);
    CHECK(message.id == shared->id && message.user == 9 && message.len == 2);
    EXPECT(heartline_reactor_send(shared->reactor, shared->id, message.data, message.len), 0);
    EXPECT(heartline_reactor_flush(shared->reactor), 0);
    return NULL;
}

/* A reactor made here, polled there, freed here. */
static void handing_over(const heartline_codec *codec)
{
    struct shared shared = {0};
    pthread_t thread;
    int end;
    char back[6];
    shared.reactor = reactor_of(NULL);
    shared.id = adopted(shared.reactor, codec, NULL, 9, &end);
    CHECK(write(end, "\0\0\0\2hi", 6) == 6);
    CHECK(pthread_create(&thread, NULL, take_over, &shared) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    read_all(shared.reactor, end, back, sizeof back);
    CHECK(memcmp(back, "\0\0\0\2hi", 6) == 0);
    heartline_reactor_free(shared.reactor);
    close(end);
}

static void *post(void *given)
{
    struct shared *shared = given;
    for (int i = 0; i < EACH; i++) {
        unsigned char message[3] = {(unsigned char)shared->number, (unsigned char)(i >> 8), (unsigned char)i};
        int32_t result;
        do
            result = heartline_mailbox_send(shared->mailbox, shared->id, message, sizeof message);
        while (result == HEARTLINE_ERR_MAILBOX_FULL);
        CHECK(result == 0);
        if (i % 50 == 0)
            CHECK((result = heartline_mailbox_wake(shared->mailbox)) == 0 || result == HEARTLINE_ERR_MAILBOX_FULL);
    }
    return NULL;
}

/* Eight threads, one mailbox, one connection: everything arrives, of each thread in order. */
static void eight_threads(const heartline_codec *codec)
{
    heartline_reactor_config config;
    struct shared shared[THREADS];
    pthread_t threads[THREADS];
    int end, next[THREADS] = {0};
    HEARTLINE_INIT(config);
    config.mailbox_max = 64;
    heartline_reactor *reactor = reactor_of(&config);
    heartline_mailbox *mailbox;
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    for (int i = 0; i < THREADS; i++) {
        memset(&shared[i], 0, sizeof shared[i]);
        shared[i].mailbox = mailbox, shared[i].id = id, shared[i].number = i;
        CHECK(pthread_create(&threads[i], NULL, post, &shared[i]) == 0);
    }
    for (int i = 0; i < THREADS * EACH; i++) {
        unsigned char frame[7];
        read_all(reactor, end, frame, sizeof frame);
        CHECK(frame[3] == 3 && frame[4] < THREADS);
        CHECK(((frame[5] << 8) | frame[6]) == next[frame[4]]++);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);

    /* What cannot be sent comes back. */
    EXPECT(heartline_mailbox_broadcast(mailbox, "all", 3), 0);
    EXPECT(heartline_mailbox_send(mailbox, 12345, "lost", 4), 0);
    heartline_event event = await_kind(reactor, HEARTLINE_EVENT_UNSENT);
    CHECK(event.len == 4 && memcmp(event.data, "lost", 4) == 0);
    EXPECT(heartline_mailbox_close(mailbox, id, HEARTLINE_CLOSE_AT_ONCE, 400), 0);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).reason == 400);
    heartline_mailbox_free(mailbox);
    heartline_reactor_free(reactor);
    close(end);
}

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    overlapping();
    racing();
    handing_over(codec);
    eight_threads(codec);
    heartline_codec_free(codec);
    return 0;
}
