/* What each field of a policy does to peers that the host watches, on a clock of the test's: no wait, no chance. */
#include "check.h"

enum { TICK_MS = 4, PEERS = 20, INTERVAL = 1000, SUSPECT = 3000, TIMEOUT = 7000 };

/* When things were said of peers that are silent from 0 on. */
struct told {
    uint64_t first_ask, second_ask, suspect, dead;
    int asks;
};

static heartline_policy policy;

static void usual(uint32_t role)
{
    HEARTLINE_INIT(policy);
    policy.role = role, policy.interval_ms = INTERVAL, policy.suspect_ms = SUSPECT, policy.timeout_ms = TIMEOUT;
    policy.jitter_percent = HEARTLINE_OFF;
}

static heartline_monitor *monitor_with_policy(void)
{
    heartline_monitor *monitor = NULL;
    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    EXPECT(heartline_monitor_policy(monitor, 3, &policy, 0), 0);
    return monitor;
}

/* The next verdict, and the clock that has moved there; 0 when nothing is due before `until`. */
static int next_verdict(heartline_monitor *monitor, uint64_t *now, uint64_t until, heartline_verdict *verdict)
{
    for (;;) {
        int32_t wait = heartline_monitor_wait_ms(monitor, *now);
        CHECK(wait >= -1);
        if (heartline_monitor_advance(monitor, *now, verdict, 1) == 1)
            return 1;
        wait = heartline_monitor_wait_ms(monitor, *now);
        if (wait < 0 || *now + (uint64_t)wait > until)
            return 0;
        *now += (uint64_t)wait;
    }
}

static void silent_until(struct told told[PEERS], uint64_t until)
{
    heartline_monitor *monitor = monitor_with_policy();
    heartline_verdict verdict;
    heartline_peer peer;
    uint64_t now = 0;
    memset(told, 0, PEERS * sizeof *told);
    for (uint64_t i = 0; i < PEERS; i++)
        EXPECT(heartline_monitor_add(monitor, i, 3, 0, &peer), 0);
    while (next_verdict(monitor, &now, until, &verdict)) {
        struct told *of = &told[verdict.user];
        switch (verdict.kind) {
        case HEARTLINE_VERDICT_ASK:
            of->first_ask = of->first_ask ? of->first_ask : now;
            of->second_ask = of->asks++ == 1 ? now : of->second_ask;
            EXPECT(verdict.unanswered, of->asks);
            break;
        case HEARTLINE_VERDICT_SUSPECT: of->suspect = now; break;
        default:
            EXPECT(verdict.kind, HEARTLINE_VERDICT_DEAD);
            of->dead = now;
            EXPECT(heartline_monitor_remove(monitor, verdict.peer), 0);
        }
    }
    heartline_monitor_free(monitor);
}

/* `heard` is stamped a millisecond up, and deadlines are rounded up to a tick. */
static int is_at(uint64_t at, uint64_t due)
{
    return at > due && at <= due + 1 + TICK_MS;
}

static void times(void)
{
    struct told told[PEERS];
    usual(HEARTLINE_ROLE_ASK);
    silent_until(told, 20000);
    for (int i = 0; i < PEERS; i++) {
        CHECK(told[i].first_ask > INTERVAL - TICK_MS && told[i].first_ask <= INTERVAL + 1);
        CHECK(told[i].second_ask > 2 * (INTERVAL - TICK_MS) && told[i].second_ask <= 2 * INTERVAL + 1);
        CHECK(is_at(told[i].suspect, SUSPECT) && is_at(told[i].dead, TIMEOUT));
    }
    /* A timeout alone takes the other two along, in the ratio 10 / 15 / 35. */
    usual(HEARTLINE_ROLE_ASK);
    policy.interval_ms = policy.suspect_ms = 0;
    silent_until(told, 20000);
    CHECK(told[0].first_ask > 2000 - TICK_MS && told[0].first_ask <= 2001);
    CHECK(is_at(told[0].suspect, 3000) && is_at(told[0].dead, 7000));
    /* Nothing given: the profile `im`. */
    HEARTLINE_INIT(policy);
    silent_until(told, 100000);
    CHECK(told[0].asks == 0 && is_at(told[0].suspect, 15000) && is_at(told[0].dead, 35000));
    /* Never judged, and asked all the same. */
    usual(HEARTLINE_ROLE_ASK);
    policy.timeout_ms = HEARTLINE_OFF;
    silent_until(told, 20000);
    CHECK(told[0].asks >= 19 && told[0].suspect == 0 && told[0].dead == 0);
}

/* Of the second ask, since the first comes up to half an interval early. */
static void jitter(void)
{
    static const struct {
        uint32_t given, percent;
    } cases[] = {{HEARTLINE_OFF, 0}, {0, 10}, {30, 30}};
    struct told told[PEERS];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint64_t least = UINT64_MAX, most = 0;
        usual(HEARTLINE_ROLE_BOTH);
        policy.jitter_percent = cases[c].given;
        silent_until(told, SUSPECT - 1);
        for (int i = 0; i < PEERS; i++) {
            uint64_t gap = told[i].second_ask - told[i].first_ask;
            least = gap < least ? gap : least, most = gap > most ? gap : most;
        }
        uint64_t earliest = INTERVAL - INTERVAL * cases[c].percent / 100;
        CHECK(least + TICK_MS >= earliest && most <= INTERVAL);
        CHECK(least < earliest + INTERVAL / 20); /* one of twenty */
    }
}

/* Which peer is asked when: the same for a seed, another for another. */
static uint64_t asks_with(uint64_t seed)
{
    heartline_monitor_config config;
    heartline_monitor *monitor = NULL;
    heartline_verdict verdict;
    heartline_peer peer;
    uint64_t now = 0, asks = 0;
    usual(HEARTLINE_ROLE_ASK);
    policy.jitter_percent = 50;
    HEARTLINE_INIT(config);
    config.seed = seed;
    EXPECT(heartline_monitor_new(&config, 0, &monitor), 0);
    EXPECT(heartline_monitor_policy(monitor, 3, &policy, 0), 0);
    for (uint64_t i = 0; i < PEERS; i++)
        EXPECT(heartline_monitor_add(monitor, i, 3, 0, &peer), 0);
    while (next_verdict(monitor, &now, INTERVAL, &verdict))
        asks = asks * 31 + verdict.user * INTERVAL + now;
    heartline_monitor_free(monitor);
    return asks;
}

/* Who asks, and who owes an answer. */
static void roles(void)
{
    static const struct {
        uint32_t role;
        int asks, answers;
    } cases[] = {
        {0, 0, 1},
        {HEARTLINE_ROLE_ANSWER, 0, 1},
        {HEARTLINE_ROLE_WATCH, 0, 0},
        {HEARTLINE_ROLE_ASK, 1, 0},
        {HEARTLINE_ROLE_BOTH, 1, 1},
    };
    struct told told[PEERS];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        heartline_peer peer;
        usual(cases[c].role);
        silent_until(told, 20000);
        CHECK((told[0].asks > 0) == cases[c].asks && is_at(told[0].dead, TIMEOUT));
        heartline_monitor *monitor = monitor_with_policy();
        EXPECT(heartline_monitor_add(monitor, 0, 3, 0, &peer), 0);
        EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_ASK, 10), cases[c].answers);
        EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_EITHER, 10), cases[c].answers);
        EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_ANSWER, 10), 0);
        heartline_monitor_free(monitor);
    }
}

/* A busy peer that answers 7 ms after each ask: asked for the round trip alone. */
static void rtt_every(void)
{
    for (uint32_t every = 0; every <= 300; every += 300) {
        heartline_verdict verdict;
        heartline_peer_info info;
        heartline_peer peer;
        int asks = 0;
        usual(HEARTLINE_ROLE_ASK);
        policy.rtt_every_ms = every;
        heartline_monitor *monitor = monitor_with_policy();
        EXPECT(heartline_monitor_add(monitor, 0, 3, 0, &peer), 0);
        for (uint64_t now = 0; now < 6000; now += 2) {
            EXPECT(heartline_monitor_heard(monitor, peer, now), 0);
            if (heartline_monitor_advance(monitor, now, &verdict, 1) == 1) {
                EXPECT(verdict.kind, HEARTLINE_VERDICT_ASK);
                EXPECT(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_ANSWER, now + 7), 0);
                asks++;
            }
        }
        EXPECT(heartline_monitor_info(monitor, peer, 6000, &info, sizeof info), 0);
        EXPECT(info.rtt_ms, every ? 8 : HEARTLINE_OFF);
        CHECK(every ? asks >= 18 && asks <= 21 : asks == 0);
        heartline_monitor_free(monitor);
    }
}

/* The text form fills in the same fields. */
static void parsed(void)
{
    static const char text[] = "game,role=both,interval=1s,suspect=2s,timeout=9s,jitter=20,rtt-every=3s,after-first-frame";
    EXPECT(heartline_policy_parse(text, &policy, sizeof policy, NULL, 0), 0);
    CHECK(policy.struct_size == sizeof policy && policy.role == HEARTLINE_ROLE_BOTH && policy.interval_ms == 1000);
    CHECK(policy.suspect_ms == 2000 && policy.timeout_ms == 9000 && policy.jitter_percent == 20);
    CHECK(policy.rtt_every_ms == 3000 && policy.after_first_frame == 1);
    EXPECT(heartline_policy_parse("none,jitter=0", &policy, sizeof policy, NULL, 0), 0);
    CHECK(policy.role == HEARTLINE_ROLE_WATCH && policy.timeout_ms == HEARTLINE_OFF && policy.rtt_every_ms == 0);
    CHECK(policy.jitter_percent == HEARTLINE_OFF && policy.after_first_frame == 0);
    EXPECT(heartline_policy_parse("lan,role=ask", &policy, sizeof policy, NULL, 0), 0);
    CHECK(policy.role == HEARTLINE_ROLE_ASK && policy.interval_ms == 2000 && policy.suspect_ms == 4000);
    EXPECT(heartline_policy_parse("web", &policy, sizeof policy, NULL, 0), 0);
    CHECK(policy.role == HEARTLINE_ROLE_ANSWER && policy.timeout_ms == 60000);
}

/* No ask before the peer's first frame: on a reactor, which knows frames. */
static void after_first_frame(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = calm_reactor();
    heartline_options options;
    heartline_event event;
    char ask[4];
    int end;
    usual(HEARTLINE_ROLE_ASK);
    policy.interval_ms = 20, policy.timeout_ms = 60000, policy.after_first_frame = 1;
    EXPECT(heartline_reactor_policy(reactor, 1, &policy), 0);
    HEARTLINE_INIT(options);
    options.policy = 1;
    adopted(reactor, codec, &options, 0, &end);
    EXPECT(heartline_reactor_poll(reactor, &event, 1, 100), 0);
    CHECK(counted(reactor, "asks_out") == 0);
    CHECK(write(end, "\0\0\0\1x", 5) == 5);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_MESSAGE).len == 1);
    read_all(reactor, end, ask, 4);
    CHECK(counted(reactor, "asks_out") >= 1 && memcmp(ask, "\0\0\0\0", 4) == 0);
    close(end);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
}

int main(void)
{
    times();
    jitter();
    CHECK(asks_with(1) == asks_with(1) && asks_with(1) != asks_with(2));
    roles();
    rtt_every();
    parsed();
    after_first_frame();
    return 0;
}
