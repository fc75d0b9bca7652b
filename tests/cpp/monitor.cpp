// Monitor: a minute of liveness in ticks of its own, no socket.
#include "check.hpp"

#include <memory>

using heartline::Monitor;
using heartline::Time;
using heartline::Verdict;
using heartline::VerdictKind;

struct Conn {
    heartline::Peer peer = 0;
    int asks = 0, suspects = 0, revived = 0;
};

static void a_life() {
    Time now(1000ms);
    auto monitor = must(Monitor::make(now, heartline::MonitorConfig().granularity(1s).seed(7)));
    CHECK(monitor.policy(0, must(heartline::Policy::parse("game,role=ask")), now));
    Conn live, mute;
    live.peer = must(monitor.add(heartline::word(&live), now));
    mute.peer = must(monitor.add(heartline::word(&mute), now));
    Time end = now + 60s, died{};
    CHECK(monitor.wait_ms(now) > 0);
    while (now < end) {
        int wait = monitor.wait_ms(now);
        CHECK(wait >= 0);
        now += std::chrono::milliseconds(wait < 500 ? wait : 500);
        CHECK(monitor.woke(now) == 0ms);
        CHECK(monitor.judge(now, [&](const Verdict &verdict) {
            auto *conn = verdict.user_as<Conn>();
            switch (verdict.kind()) {
            case VerdictKind::Ask:
                conn->asks++;
                if (conn == &live)
                    must(monitor.beat(live.peer, heartline::Beat::Answer, now));
                break;
            case VerdictKind::Suspect: conn->suspects++; break;
            case VerdictKind::Revived: conn->revived++; break;
            case VerdictKind::Dead:
                CHECK(conn == &mute && verdict.silence() >= 20s && verdict.overshoot() >= 0ms);
                died = now;
                CHECK(monitor.remove(mute.peer));
                break;
            case VerdictKind::Stalled:
            case VerdictKind::MassSilence: CHECK(false);
            }
        }));
    }
    CHECK(live.asks >= 10 && live.suspects == 0 && mute.suspects == 1 && mute.asks > 0);
    CHECK(died >= Time(21000ms) && died < Time(21100ms));
    CHECK(monitor.heard(mute.peer, now).error() == HEARTLINE_ERR_STALE);
    CHECK(must(monitor.stats()).dead == 1 && must(monitor.stats()).peers == 1);
    CHECK(must(monitor.info(live.peer, now)).silence_ms < 5100);

    // Stopped for an hour: nobody dies of it.
    CHECK(monitor.wait_ms(now) >= 0);
    now += std::chrono::hours(1);
    CHECK(monitor.woke(now) > 59min);
    CHECK(monitor.judge(now, [&](const Verdict &verdict) { CHECK(verdict.kind() != VerdictKind::Dead); }));
    CHECK(monitor.set_user(live.peer, 5, now) && monitor.pause(live.peer, true, now) && monitor.grace(live.peer, 3s, now) && monitor.framed(live.peer, now));
    CHECK(must(monitor.info(live.peer, now)).user == 5 && must(monitor.info(live.peer, now)).paused == 1);
    CHECK(monitor.set_policy(live.peer, 0, now) && monitor.spoke(live.peer));
}

// Whoever is removed while others are judged is not judged any more, though its verdict was written already.
static void removing_another() {
    Time now(0ms);
    auto monitor = must(Monitor::make(now, heartline::MonitorConfig().granularity(60s).capacity(3)));
    CHECK(monitor.policy(0, must(heartline::Policy::parse("game,role=watch")), now));
    std::vector<std::unique_ptr<Conn>> all;
    for (int i = 0; i < 10; i++) {
        all.push_back(std::make_unique<Conn>());
        all.back()->peer = must(monitor.add(heartline::word(all.back().get()), now));
    }
    now += 30s;
    int judged = 0;
    CHECK(monitor.judge(now, [&](const Verdict &verdict) {
        judged++;
        CHECK(verdict.user_as<Conn>()->peer == verdict.peer());
        for (auto &conn : all)
            CHECK(monitor.remove(conn->peer));
        all.clear();
    }));
    CHECK(judged == 1);
    CHECK(monitor.advance(now).empty());
}

// Not all verdicts fit: the rest comes with the next call, none twice.
static void small_batches() {
    Time now(0ms);
    auto monitor = must(Monitor::make(now, heartline::MonitorConfig().granularity(60s).capacity(3)));
    CHECK(monitor.policy(0, heartline::Policy().role(heartline::Role::Watch).timeout(4s), now));
    for (std::uint64_t i = 1; i <= 7; i++)
        must(monitor.add(i, now));
    now += 10s;
    std::uint64_t dead = 0, batches = 0;
    for (;;) {
        auto verdicts = monitor.advance(now);
        CHECK(verdicts);
        batches++;
        for (Verdict verdict : verdicts)
            if (verdict.kind() == VerdictKind::Dead)
                dead += verdict.user();
        if (verdicts.size() < 3)
            break;
    }
    CHECK(dead == 28 && batches >= 3);
    Monitor moved = std::move(monitor);
    CHECK(must(moved.stats()).peers == 7);
#ifdef HEARTLINE_EXCEPTIONS
    moved = must(Monitor::make(now, heartline::MonitorConfig().granularity(60s).capacity(100)));
    for (std::uint64_t i = 1; i <= 7; i++)
        must(moved.add(i, now));
    now += 50s;
    // What a callback throws leaves the rest for the next call.
    std::size_t seen = 0;
    for (int round = 0; round < 100; round++) {
        try {
            CHECK(moved.judge(now, [&](const Verdict &verdict) {
                seen += verdict.kind() == VerdictKind::Dead;
                throw verdict.peer();
            }));
            break;
        } catch (heartline::Peer) {
        }
    }
    CHECK(seen == 7);
#endif
}

int main() {
    a_life();
    removing_another();
    small_batches();
    return passed("monitor");
}
