/* Every verdict of level 1 with its fields, and what the host's words do to them; on a clock of the test's. */
#include "check.h"

enum { INTERVAL = 1000, SUSPECT = 2500, TIMEOUT = 7000, TICK_MS = 4, USER = 70 };

static heartline_monitor *watching(const heartline_monitor_config *config, uint32_t role, heartline_peer *peers, int count)
{
    heartline_monitor *monitor = NULL;
    heartline_policy policy;
    HEARTLINE_INIT(policy);
    policy.role = role, policy.interval_ms = INTERVAL, policy.suspect_ms = SUSPECT, policy.timeout_ms = TIMEOUT;
    policy.jitter_percent = HEARTLINE_OFF;
    EXPECT(heartline_monitor_new(config, 0, &monitor), 0);
    EXPECT(heartline_monitor_policy(monitor, 3, &policy, 0), 0);
    for (int i = 0; i < count; i++)
        EXPECT(heartline_monitor_add(monitor, (uint64_t)(USER + i), 3, 0, &peers[i]), 0);
    return monitor;
}

/* A host that is called when a test likes, and is never late. */
static heartline_monitor_config unhurried(void)
{
    heartline_monitor_config config;
    HEARTLINE_INIT(config);
    config.granularity_ms = 1000000;
    return config;
}

/* The one verdict that is due; kind 0 if there is none. */
static heartline_verdict at(heartline_monitor *monitor, uint64_t now)
{
    heartline_verdict verdicts[2];
    memset(verdicts, 0, sizeof verdicts);
    CHECK(heartline_monitor_advance(monitor, now, verdicts, 2) <= 1);
    CHECK(heartline_monitor_wait_ms(monitor, now) >= -1);
    return verdicts[0];
}

#define IS(verdict, kind_, peer_, silence_, overshoot_, unanswered_)                                            \
    do {                                                                                                        \
        heartline_verdict is_ = (verdict);                                                                      \
        EXPECT(is_.kind, kind_);                                                                                \
        EXPECT(is_.peer, peer_);                                                                                \
        EXPECT(is_.user, (peer_) ? USER : 0);                                                                   \
        EXPECT(is_.silence_ms, silence_);                                                                       \
        EXPECT(is_.overshoot_ms, overshoot_);                                                                   \
        EXPECT(is_.unanswered, unanswered_);                                                                    \
        EXPECT(is_.reserved, 0);                                                                                \
    } while (0)
#define NOTHING(verdict) IS(verdict, 0, 0, 0, 0, 0)

static heartline_peer_info info_at(heartline_monitor *monitor, heartline_peer peer, uint64_t now)
{
    heartline_peer_info info;
    EXPECT(heartline_monitor_info(monitor, peer, now, &info, sizeof info), 0);
    EXPECT(info.struct_size, sizeof info);
    EXPECT(info.policy, 3);
    return info;
}

/* Asked, suspected, heard again, dead, and proposed each interval until it is removed. What was heard at 0 is stamped 1. */
static void one_peer(void)
{
    heartline_monitor_stats stats;
    heartline_monitor_config config = unhurried();
    heartline_peer peer;
    heartline_monitor *monitor = watching(&config, HEARTLINE_ROLE_ASK, &peer, 1);
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_USER, USER, 0), 0);
    IS(at(monitor, 1000), HEARTLINE_VERDICT_ASK, peer, 999, 3, 1);
    EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_ANSWER, 1039), 0);
    EXPECT(info_at(monitor, peer, 1100).rtt_ms, 40);
    IS(at(monitor, 2036), HEARTLINE_VERDICT_ASK, peer, 996, 0, 1);
    IS(at(monitor, 3040), HEARTLINE_VERDICT_ASK, peer, 2000, 8, 2);
    IS(at(monitor, 3545), HEARTLINE_VERDICT_SUSPECT, peer, 2505, 5, 2);
    heartline_peer_info info = info_at(monitor, peer, 3550);
    CHECK(info.suspect == 1 && info.dead == 0 && info.paused == 0 && info.unanswered == 2 && info.silence_ms == 2510);
    EXPECT(heartline_monitor_heard(monitor, peer, 3559), 0);
    IS(at(monitor, 3560), HEARTLINE_VERDICT_REVIVED, peer, 2520, 0, 2);
    CHECK(info_at(monitor, peer, 3560).suspect == 0 && info_at(monitor, peer, 3560).silence_ms == 0);

    uint64_t now = 3560;
    int asks = 0;
    for (heartline_verdict verdict = {0}; verdict.kind != HEARTLINE_VERDICT_DEAD; verdict = at(monitor, now)) {
        asks += verdict.kind == HEARTLINE_VERDICT_ASK;
        now += TICK_MS;
    }
    CHECK(now >= 3560 + TIMEOUT && now <= 3560 + TIMEOUT + TICK_MS);
    info = info_at(monitor, peer, now);
    CHECK(info.suspect == 1 && info.dead == 1 && info.silence_ms == now - 3560 && info.unanswered == 2 + (uint32_t)asks);
    for (int again = 1; again <= 3; again++) { /* the host has neither removed nor heard it */
        for (uint64_t before = now; now < before + INTERVAL - TICK_MS;)
            NOTHING(at(monitor, now += TICK_MS));
        heartline_verdict dead = at(monitor, now += TICK_MS);
        IS(dead, HEARTLINE_VERDICT_DEAD, peer, now - 3560, now - 3560 - TIMEOUT, info.unanswered);
    }
    EXPECT(heartline_monitor_read_stats(monitor, &stats, sizeof stats), 0);
    CHECK(stats.struct_size == sizeof stats && stats.peers == 1 && stats.asks == 3 + (uint64_t)asks);
    CHECK(stats.answers == 1 && stats.owed == 0 && stats.suspects == 2 && stats.revived == 1 && stats.dead == 1);
    CHECK(stats.stalls == 0 && stats.stalled_ms == 0 && stats.silence_longest_ms == 2520 && stats.silences == 2);
    CHECK(stats.silence_p99_ms >= 2520 && stats.silence_p99_ms < 4000 && stats.silence_p9999_ms >= stats.silence_p99_ms);
    EXPECT(heartline_monitor_remove(monitor, peer), 0);
    NOTHING(at(monitor, now + 100000));
    EXPECT(heartline_monitor_read_stats(monitor, &stats, sizeof stats), 0);
    CHECK(stats.peers == 0);
    heartline_monitor_free(monitor);
}

/* A death that is taken back by a byte is told as a revival. */
static void taken_back(void)
{
    heartline_monitor_config config = unhurried();
    heartline_peer peer;
    heartline_monitor *monitor = watching(&config, HEARTLINE_ROLE_WATCH, &peer, 1);
    NOTHING(at(monitor, 2500));
    IS(at(monitor, 2504), HEARTLINE_VERDICT_SUSPECT, peer, 2503, 3, 0);
    IS(at(monitor, 7004), HEARTLINE_VERDICT_DEAD, peer, 7003, 3, 0);
    EXPECT(heartline_monitor_heard(monitor, peer, 7005), 0);
    CHECK(info_at(monitor, peer, 7006).dead == 0);
    IS(at(monitor, 7006), HEARTLINE_VERDICT_REVIVED, peer, 7005, 0, 0);
    heartline_monitor_free(monitor);
}

/* The host stayed away for a minute: told by `woke` at once, or by the next `advance`; it counts for nobody. */
static void stalls(void)
{
    for (int says = 0; says < 2; says++) {
        heartline_monitor_config config;
        heartline_monitor_stats stats;
        heartline_peer peer;
        HEARTLINE_INIT(config);
        config.granularity_ms = 300;
        heartline_monitor *monitor = watching(&config, HEARTLINE_ROLE_WATCH, &peer, 1);
        int32_t wait = heartline_monitor_wait_ms(monitor, 0); /* the promise */
        CHECK(wait > SUSPECT / 2 && wait <= SUSPECT + TICK_MS);
        EXPECT(heartline_monitor_woke(monitor, (uint64_t)wait + 300), 0); /* jitter */
        IS(at(monitor, 2804), HEARTLINE_VERDICT_SUSPECT, peer, 2803, 303, 0);
        wait = heartline_monitor_wait_ms(monitor, 2804);
        uint64_t promised = 2804 + (uint64_t)wait, back = promised + 60000;
        CHECK(promised > TIMEOUT / 2 && promised <= TIMEOUT + TICK_MS);
        if (says) {
            EXPECT(heartline_monitor_woke(monitor, back), 60000);
            EXPECT(heartline_monitor_woke(monitor, back), 0);
        }
        heartline_verdict verdict;
        EXPECT(heartline_monitor_advance(monitor, back, NULL, 0), 0); /* without room for it it waits */
        EXPECT(heartline_monitor_advance(monitor, back, &verdict, 1), 1);
        IS(verdict, HEARTLINE_VERDICT_STALLED, 0, 60000, 0, 0);
        EXPECT(info_at(monitor, peer, back).silence_ms, INTERVAL); /* timeout - interval is granted */
        NOTHING(at(monitor, back + 1));
        EXPECT(heartline_monitor_read_stats(monitor, &stats, sizeof stats), 0);
        CHECK(stats.stalls == 1 && stats.stalled_ms == 60000 && stats.dead == 0);
        heartline_monitor_free(monitor);
    }
    /* What was heard after `woke` ends a silence of the attended time alone. */
    heartline_monitor_stats stats;
    heartline_peer peer;
    heartline_monitor *monitor = watching(NULL, HEARTLINE_ROLE_WATCH, &peer, 1);
    int32_t promised = heartline_monitor_wait_ms(monitor, 0);
    EXPECT(heartline_monitor_woke(monitor, 600000), 600000 - promised);
    EXPECT(heartline_monitor_heard(monitor, peer, 600000), 0);
    EXPECT(heartline_monitor_read_stats(monitor, &stats, sizeof stats), 0);
    CHECK(stats.silence_longest_ms <= 2504);
    heartline_monitor_free(monitor);
}

/* So many peers, of whom some fell silent at 0 and the others talk on; the verdicts until `until`. */
struct mass {
    int suspects, dead, masses;
    heartline_verdict mass;
    uint64_t mass_at;
};

static struct mass mass_of(const heartline_monitor_config *config, int peers, int silent, uint64_t apart_ms, uint64_t until)
{
    heartline_peer ids[64];
    heartline_verdict verdicts[64];
    struct mass mass;
    heartline_monitor *monitor = watching(config, HEARTLINE_ROLE_WATCH, ids, peers);
    memset(&mass, 0, sizeof mass);
    for (uint64_t now = 0; now <= until; now += 50) {
        for (int i = 0; i < peers; i++) /* the silent ones fall silent one after the other */
            if (i >= silent || now < (uint64_t)i * apart_ms)
                heartline_monitor_heard(monitor, ids[i], now);
        CHECK(heartline_monitor_wait_ms(monitor, now) >= 0);
        int32_t count = heartline_monitor_advance(monitor, now, verdicts, 64);
        for (int32_t i = 0; i < count; i++) {
            if (verdicts[i].kind == HEARTLINE_VERDICT_MASS_SILENCE)
                mass.mass = verdicts[i], mass.mass_at = now, mass.masses++;
            mass.suspects += verdicts[i].kind == HEARTLINE_VERDICT_SUSPECT;
            if (verdicts[i].kind == HEARTLINE_VERDICT_DEAD) {
                mass.dead++;
                EXPECT(heartline_monitor_remove(monitor, verdicts[i].peer), 0);
            }
        }
    }
    heartline_monitor_free(monitor);
    return mass;
}

static void mass_silence(void)
{
    heartline_monitor_config config;
    HEARTLINE_INIT(config);
    struct mass mass = mass_of(&config, 40, 20, 0, 8000);
    CHECK(mass.masses == 0 && mass.suspects == 20 && mass.dead == 20);

    config.mass_silence_percent = 25, config.mass_silence_peers_min = 40;
    config.mass_silence_window_ms = 2000, config.mass_silence_hold_ms = 6000;
    mass = mass_of(&config, 40, 20, 0, 8900);
    EXPECT(mass.masses, 1);
    IS(mass.mass, HEARTLINE_VERDICT_MASS_SILENCE, 0, 11, 40, 0); /* more than a quarter of forty */
    CHECK(mass.mass_at == 2550 && mass.suspects == 10 && mass.dead == 0);
    mass = mass_of(&config, 40, 20, 0, 16500);
    CHECK(mass.masses == 1 && mass.dead == 20); /* the hold is over */
    CHECK(mass_of(&config, 39, 20, 0, 8900).masses == 0);    /* too few peers */
    CHECK(mass_of(&config, 40, 10, 0, 8900).masses == 0);    /* too few of them */
    CHECK(mass_of(&config, 40, 20, 150, 8900).masses == 1);  /* eleven in 1.5 s */
    CHECK(mass_of(&config, 40, 20, 250, 12000).masses == 0); /* eleven in 2.5 s */
}

/* A peer that talks, and to which nothing is said for an interval, is asked if the host tells what it sends. */
static void tells_sends(void)
{
    for (uint32_t tells = 0; tells < 2; tells++)
        for (int speaks = 0; speaks < 2; speaks++) {
            heartline_monitor_config config;
            heartline_peer peer;
            int asks = 0;
            HEARTLINE_INIT(config);
            config.tells_sends = tells;
            heartline_monitor *monitor = watching(&config, HEARTLINE_ROLE_ASK, &peer, 1);
            for (uint64_t now = 0; now < 10000; now += 100) {
                EXPECT(heartline_monitor_heard(monitor, peer, now), 0);
                if (speaks)
                    EXPECT(heartline_monitor_spoke(monitor, peer), 0);
                asks += at(monitor, now).kind == HEARTLINE_VERDICT_ASK;
            }
            CHECK(tells && !speaks ? asks >= 5 : asks == 0);
            heartline_monitor_free(monitor);
        }
}

int main(void)
{
    one_peer();
    taken_back();
    stalls();
    mass_silence();
    tells_sends();
    return 0;
}
