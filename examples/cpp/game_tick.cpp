/*
 * A game loop at 30 Hz that owns its thread: what the players sent is read between ticks, a snapshot goes out at each tick.
 *
 *   make lib
 *   c++ -std=c++17 -Iinclude -Ibindings/cpp -o game_tick examples/cpp/game_tick.cpp -Ltarget/capi -lheartline -Wl,-rpath,target/capi
 *   ./game_tick 127.0.0.1:7001 [TICKS]
 *
 * Frames are `length:4be`. A player sends how it moves ("3 -1"); at each tick everybody gets "TICK PLAYERS" and then one
 * "NUMBER X Y" a player. With TICKS the loop drains and ends after so many; otherwise it runs until it is killed.
 */
#include "heartline.hpp"

#include <charconv>
#include <cstdio>
#include <unordered_set>

using namespace std::chrono_literals;
using heartline::Clock;
using heartline::Event;
using heartline::EventKind;

namespace {

struct Player {
    unsigned number;
    long x = 0, y = 0, move_x = 0, move_y = 0;
};

class World {
public:
    explicit World(heartline::Reactor &reactor) : reactor_(reactor) {}
    ~World() {
        for (Player *player : players_)
            delete player;
    }
    World(const World &) = delete;
    World &operator=(const World &) = delete;

    void on(const Event &event) {
        auto *player = event.user_as<Player>();
        switch (event.kind()) {
        case EventKind::Opened:
            player = new Player{++numbers_};
            players_.insert(player);
            reactor_.set_user(event.id(), heartline::word(player));
            break;
        case EventKind::Message:
            steer(*player, event.text());
            break;
        case EventKind::Suspect:
            player->move_x = player->move_y = 0; // a player whose line is silent stands still; it may still revive
            break;
        case EventKind::Closed: // the only place to free what the word points to
            std::printf("player %u left: %s\n", player->number, heartline::name(event.reason()));
            players_.erase(player);
            delete player;
            break;
        default: break; // more kinds may come
        }
    }

    void step(unsigned long tick) {
        snapshot_ = std::to_string(tick) + ' ' + std::to_string(players_.size());
        for (Player *player : players_) {
            player->x += player->move_x;
            player->y += player->move_y;
            snapshot_ += '\n' + std::to_string(player->number) + ' ' + std::to_string(player->x) + ' ' +
                         std::to_string(player->y);
        }
    }

    const std::string &snapshot() const { return snapshot_; }

private:
    static void steer(Player &player, std::string_view text) {
        long x = 0, y = 0;
        auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), x);
        if (error != std::errc() || after == text.data() + text.size() || *after != ' ')
            return;
        if (std::from_chars(after + 1, text.data() + text.size(), y).ec == std::errc() && x * x + y * y <= 100)
            player.move_x = x, player.move_y = y;
    }

    heartline::Reactor &reactor_;
    std::unordered_set<Player *> players_;
    std::string snapshot_;
    unsigned numbers_ = 0;
};

template <class T> T must(heartline::Result<T> result, const char *what) {
    if (!result) {
        std::fprintf(stderr, "game_tick: %s: %s\n", what, result.why());
        std::exit(1);
    }
    return std::move(result).value();
}

} // namespace

int main(int argc, char **argv) {
    const unsigned long ticks = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0;
    auto codec = must(heartline::Codec::parse("length:4be,max=1K"), "codec");
    auto policy = must(heartline::Policy::parse("game,role=both"), "policy");
    auto reactor = must(heartline::Reactor::make(), "reactor");
    if (!reactor.policy(0, policy))
        return 1;
    // A snapshot that is late is worth nothing: a player that cannot keep up loses the oldest.
    auto options = heartline::Options().marks(64 << 10).when_full(heartline::WhenFull::DropOldest);
    auto listener = must(
        reactor.listen(argc > 1 ? argv[1] : "127.0.0.1:0", codec, heartline::ListenOptions().connection(options)), "listen");
    std::printf("listening on %s\n", reactor.listener_address(listener).c_str());
    std::fflush(stdout);

    World world(reactor);
    auto on_event = [&](const Event &event) { world.on(event); };
    const auto begin = Clock::now();
    for (unsigned long tick = 1; ticks == 0 || tick <= ticks; tick++) {
        // From the beginning, not from the last tick: 33.3 ms do not add up to a drift.
        const auto next = begin + heartline::Milliseconds(static_cast<long long>(tick) * 1000 / 30);
        for (;;) {
            auto left = next - Clock::now();
            if (!reactor.dispatch(on_event, std::max<heartline::Milliseconds>(left, 0ms)))
                return 1;
            if (Clock::now() >= next)
                break;
        }
        world.step(tick);
        reactor.broadcast_all(world.snapshot()).value();
        reactor.flush(); // now: the next poll, which would send it too, may be a tick away
    }

    reactor.drain(heartline::DrainOptions().farewell("the server ends").limit(2s));
    while (!reactor.is_drained())
        if (!reactor.dispatch(on_event, 100ms))
            return 1;
    std::printf("%lu ticks in %lld ms\n", ticks, static_cast<long long>((Clock::now() - begin).count()));
    return 0;
}
