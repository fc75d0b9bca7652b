/* What HEARTLINE_SET_ changes of one peer and of one connection; the marks are in full.c. */
#include "check.h"

static heartline_policy policy_of(const char *text)
{
    heartline_policy policy;
    EXPECT(heartline_policy_parse(text, &policy, sizeof policy, NULL, 0), 0);
    return policy;
}

/* The clock when the peer is next said to be suspect or dead. */
static uint64_t judged_at(heartline_monitor *monitor, uint64_t now, uint64_t user)
{
    heartline_verdict verdict;
    for (uint64_t until = now + 100000; now < until; now += 4) {
        CHECK(heartline_monitor_wait_ms(monitor, now) >= -1);
        if (heartline_monitor_advance(monitor, now, &verdict, 1) == 1 && verdict.kind != HEARTLINE_VERDICT_ASK) {
            CHECK(verdict.kind == HEARTLINE_VERDICT_SUSPECT && verdict.user == user);
            return now;
        }
    }
    return 0;
}

static heartline_peer_info info_of(heartline_monitor *monitor, heartline_peer peer, uint64_t now)
{
    heartline_peer_info info;
    EXPECT(heartline_monitor_info(monitor, peer, now, &info, sizeof info), 0);
    return info;
}

static void on_a_peer(void)
{
    enum { USER = 5, OTHER = 6 };
    heartline_policy one = policy_of("im,role=both,interval=1s,suspect=3s,timeout=60s");
    heartline_policy two = policy_of("im,role=both,interval=1s,suspect=8s,timeout=60s");
    heartline_monitor_config config;
    heartline_monitor *monitor;
    heartline_peer peer;
    HEARTLINE_INIT(config);
    config.granularity_ms = 1000000; /* no call comes late */
    EXPECT(heartline_monitor_new(&config, 0, &monitor), 0);
    EXPECT(heartline_monitor_policy(monitor, 1, &one, 0), 0);
    EXPECT(heartline_monitor_policy(monitor, 2, &two, 0), 0);
    EXPECT(heartline_monitor_add(monitor, USER, 1, 0, &peer), 0);
    EXPECT(judged_at(monitor, 0, USER), 3004);

    EXPECT(heartline_monitor_heard(monitor, peer, 3999), 0);
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_USER, OTHER, 3999), 0);
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_POLICY, 2, 3999), 0);
    CHECK(info_of(monitor, peer, 4100).user == OTHER && info_of(monitor, peer, 4100).policy == 2);
    EXPECT(info_of(monitor, peer, 4100).silence_ms, 100);
    heartline_verdict revived;
    EXPECT(heartline_monitor_advance(monitor, 4000, &revived, 1), 1);
    CHECK(revived.kind == HEARTLINE_VERDICT_REVIVED && revived.user == OTHER);
    EXPECT(judged_at(monitor, 4000, OTHER), 12000);

    /* Nothing counts during a grace. */
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_GRACE_MS, 20000, 13000), 0);
    EXPECT(info_of(monitor, peer, 30000).silence_ms, 0);
    EXPECT(heartline_monitor_advance(monitor, 13000, &revived, 1), 1);
    EXPECT(revived.kind, HEARTLINE_VERDICT_REVIVED);
    EXPECT(judged_at(monitor, 13000, OTHER), 33004 + 8000); /* from 33,001, in ticks of 4 */

    /* Who is not read is not judged, and goes on where it was. */
    EXPECT(heartline_monitor_heard(monitor, peer, 41999), 0);
    EXPECT(heartline_monitor_advance(monitor, 42000, &revived, 1), 1);
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_PAUSE_READ, 1, 45000), 0);
    EXPECT(info_of(monitor, peer, 45000).paused, 1);
    EXPECT(judged_at(monitor, 45000, OTHER), 0);
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_PAUSE_READ, 0, 145000), 0);
    EXPECT(info_of(monitor, peer, 145000).paused, 0);
    EXPECT(judged_at(monitor, 145000, OTHER), 145000 + 8000 - 3000);

    /* An answer is expected, so a beat that may be either is one. */
    EXPECT(heartline_monitor_add(monitor, USER, 1, 150000, &peer), 0);
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_UNANSWERED, 2, 150000), 0);
    EXPECT(info_of(monitor, peer, 150000).unanswered, 2);
    EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_EITHER, 150001), 0);
    EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_EITHER, 150002), 0);
    EXPECT(info_of(monitor, peer, 150002).unanswered, 0);
    EXPECT(info_of(monitor, peer, 150002).rtt_ms, HEARTLINE_OFF); /* when it was asked is not known */
    EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_EITHER, 150003), 1);
    heartline_monitor_free(monitor);
}

/* Who is not asked before its first frame is asked once the host has said that it came. */
static void framed(void)
{
    heartline_monitor *monitor = NULL;
    heartline_policy policy;
    heartline_verdict verdict;
    heartline_peer peer;
    HEARTLINE_INIT(policy);
    policy.role = HEARTLINE_ROLE_ASK, policy.interval_ms = 1000, policy.timeout_ms = 60000;
    policy.jitter_percent = HEARTLINE_OFF, policy.after_first_frame = 1;
    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    EXPECT(heartline_monitor_policy(monitor, 1, &policy, 0), 0);
    EXPECT(heartline_monitor_add(monitor, 7, 1, 0, &peer), 0);
    for (uint64_t now = 0; now <= 5000; now += 50) {
        CHECK(heartline_monitor_wait_ms(monitor, now) >= 0);
        EXPECT(heartline_monitor_advance(monitor, now + 50, &verdict, 1), 0);
    }
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_FRAMED, 0, 5050), HEARTLINE_ERR_INVALID);
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_FRAMED, 1, 5050), 0);
    CHECK(heartline_monitor_wait_ms(monitor, 5050) <= 50);
    EXPECT(heartline_monitor_advance(monitor, 5100, &verdict, 1), 1);
    CHECK(verdict.kind == HEARTLINE_VERDICT_ASK && verdict.peer == peer);
    heartline_monitor_free(monitor);
}

static heartline_connection_info seen(heartline_reactor *reactor, uint64_t id)
{
    heartline_connection_info info;
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    return info;
}

static void on_a_connection(void)
{
    enum { USER = 5, OTHER = 6, GRACE_MS = 300 };
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = calm_reactor();
    heartline_event event;
    int end;
    policy_in(reactor, 7, "im,role=watch,interval=20ms,suspect=40ms,timeout=60ms");
    uint64_t id = adopted(reactor, codec, NULL, USER, &end);
    CHECK(seen(reactor, id).policy == 0 && seen(reactor, id).user == USER && seen(reactor, id).paused == 0);

    /* What is not read stays in the socket; the peer is not told that it died of it. */
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_PAUSE_READ, 1), 0);
    CHECK(write(end, "\0\0\0\1x", 5) == 5);
    EXPECT(heartline_reactor_poll(reactor, &event, 1, 30), 0);
    EXPECT(seen(reactor, id).paused, 1);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_USER, OTHER), 0);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_PAUSE_READ, 0), 0);
    event = await_kind(reactor, HEARTLINE_EVENT_MESSAGE);
    CHECK(event.id == id && event.user == OTHER && event.len == 1 && seen(reactor, id).paused == 0);

    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_UNANSWERED, 3), 0);
    EXPECT(seen(reactor, id).unanswered, 3);

    /* A grace, and a policy of which it would have died at once. */
    uint64_t since = heartline_now_ms();
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_GRACE_MS, GRACE_MS), 0);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_POLICY, 7), 0);
    EXPECT(seen(reactor, id).policy, 7);
    EXPECT(seen(reactor, id).silence_ms, 0);
    event = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    uint64_t took = heartline_now_ms() - since;
    CHECK(event.reason == HEARTLINE_REASON_SILENT && event.user == OTHER && took >= GRACE_MS + 60 && took < 5000);
    close(end);

    /* A slot that is set anew changes those who follow it. */
    policy_in(reactor, 7, "im,role=watch,interval=20s,suspect=40s,timeout=60s");
    heartline_options options;
    HEARTLINE_INIT(options);
    options.policy = 7;
    id = adopted(reactor, codec, &options, USER, &end);
    EXPECT(heartline_reactor_poll(reactor, &event, 1, 50), 0);
    policy_in(reactor, 7, "im,role=watch,interval=20ms,suspect=30ms,timeout=60ms");
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).reason == HEARTLINE_REASON_SILENT);
    close(end);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
}

int main(void)
{
    on_a_peer();
    framed();
    on_a_connection();
    return 0;
}
