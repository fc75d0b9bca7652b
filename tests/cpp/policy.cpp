// Policy: by builder and by text.
#include "check.hpp"

int main() {
    auto game = must(heartline::Policy::parse("game,role=watch"));
    CHECK(game.timeout() == 20s && game.interval() == 5s && game.raw().role == HEARTLINE_ROLE_WATCH);
    auto wrong = heartline::Policy::parse("gam");
    CHECK(!wrong && wrong.error() == HEARTLINE_ERR_POLICY && std::string(wrong.why()).find("gam") != std::string::npos);

    auto policy = heartline::Policy().role(heartline::Role::Both).interval(2s).suspect(3s).timeout(5s).jitter_percent(0);
    policy.rtt_every(500ms).after_first_frame();
    CHECK(policy.raw().struct_size == sizeof(heartline_policy) && policy.raw().suspect_ms == 3000);
    CHECK(policy.raw().jitter_percent == HEARTLINE_OFF && policy.raw().rtt_every_ms == 500 && policy.raw().after_first_frame == 1);
    CHECK(heartline::Policy().timeout(heartline::off).raw().timeout_ms == HEARTLINE_OFF);
    // More than the field holds is the most that it holds, not a wrapped number.
    CHECK(heartline::Policy().timeout(std::chrono::hours(24 * 365)).raw().timeout_ms == UINT32_MAX - 1);

    auto now = heartline::Clock::now();
    auto monitor = must(heartline::Monitor::make(now));
    CHECK(monitor.policy(3, policy, now));
    CHECK(monitor.policy(3, heartline::Policy().interval(5s).timeout(4s), now).error() == HEARTLINE_ERR_POLICY);
    CHECK(monitor.policy(HEARTLINE_POLICIES_MAX, policy, now).error() == HEARTLINE_ERR_INVALID);
    return passed("policy");
}
