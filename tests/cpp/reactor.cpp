// Reactor: listens, connects to itself, echoes, closes, gives back and takes over; poll and dispatch.
#include "check.hpp"

#include <poll.h>
#include <stdexcept>

using heartline::Callbacks;
using heartline::Codec;
using heartline::Event;
using heartline::EventKind;
using heartline::Id;
using heartline::Reactor;

struct Pair {
    Codec codec = must(Codec::parse("length:4be,max=64K"));
    Reactor reactor = must(Reactor::make(heartline::ReactorConfig().seed(1)));
    std::int32_t listener = 0;
    Id client = 0, server = 0;

    Pair() {
        CHECK(reactor.policy(0, heartline::Policy().role(heartline::Role::Both)));
        auto options = heartline::ListenOptions().backlog(16).connection(
            heartline::Options().policy(0).nodelay(true).marks(1 << 20, 1 << 10).frame(5s).output(heartline::off));
        listener = must(reactor.listen("127.0.0.1:0", codec, options));
        std::string at = reactor.listener_address(listener);
        CHECK(at.rfind("127.0.0.1:", 0) == 0);
        client = must(reactor.connect(at, codec, heartline::Options().connect(5s), 42));
        Callbacks on;
        int opened = 0;
        on.opened = [&](const Event &event) {
            CHECK((event.listener() == -1) == (event.id() == client));
            if (event.id() != client)
                server = event.id();
            else
                CHECK(event.user() == 42);
            opened++;
        };
        until(reactor, on, [&] { return opened == 2; });
    }
};

static void by_poll() {
    Pair pair;
    Reactor &reactor = pair.reactor;
    CHECK(reactor.count() == 2 && reactor.ids().size() == 2);
    CHECK(reactor.send(pair.client, "ping"));
    CHECK(reactor.flush());
    std::string seen;
    auto give_up = heartline::Clock::now() + 10s;
    while (seen != "ping.pong" && heartline::Clock::now() < give_up)
        for (Event event : reactor.poll(100ms))
            if (event.kind() == EventKind::Message && event.id() == pair.server) {
                CHECK(event.text() == "ping" && event.head().size() == 4 && event.head()[3] == 4);
                seen += event.text();
                const std::string parts[] = {".po", "ng"};
                const heartline_slice slices[] = {{parts[0].data(), 3}, {parts[1].data(), 2}};
                CHECK(reactor.sendv(event.id(), slices));
            } else if (event.kind() == EventKind::Message) {
                seen += event.text();
            }
    CHECK(seen == "ping.pong");
    auto info = must(reactor.info(pair.client));
    CHECK(info.user == 42 && info.dialling == 0 && std::string(info.address).rfind("127.0.0.1:", 0) == 0);
    CHECK(must(reactor.counter("messages_in")) == 2 && reactor.counter("none").error() == HEARTLINE_ERR_INVALID);
    CHECK(reactor.metrics().find("heartline_messages_in_total 2\n") != std::string::npos);
    CHECK(reactor.set_user(pair.client, 43) && reactor.grace(pair.client, 1s) && reactor.pause(pair.client));
    CHECK(reactor.pause(pair.client, false) && reactor.set_policy(pair.client, 0));
    CHECK(reactor.set_low_mark(pair.client, 1 << 10) && reactor.set_high_mark(pair.client, 1 << 16));

    CHECK(reactor.close(pair.server, heartline::Close::Flush, 300));
    int ends = 0;
    until(reactor, [&](const Event &event) {
        CHECK(event.kind() == EventKind::Closed);
        auto end = must(reactor.obituary(event.id()));
        if (event.id() == pair.server) {
            CHECK(event.code() == 300 && end->bytes_in == 8 && end->closed_by == HEARTLINE_CLOSED_BY_APPLICATION);
        } else {
            CHECK(event.reason() == heartline::Reason::PeerClosed && event.user() == 43 && !event.rtt());
            CHECK(end.address().rfind("127.0.0.1:", 0) == 0 && end.why().empty() && end.age() < 20s);
            CHECK(std::string(heartline::name(end.reason())) == "peer_closed");
        }
        ends++;
    }, [&] { return ends == 2; });
    CHECK(reactor.send(pair.client, "late").error() == HEARTLINE_ERR_STALE);
    CHECK(reactor.stop_listening(pair.listener));
    CHECK(reactor.listener_address(pair.listener).empty());
}

static void by_callbacks() {
    Pair pair;
    Reactor reactor = std::move(pair.reactor);
    std::vector<Id> both{pair.client, pair.server, 12345};
    std::vector<std::int32_t> results(3);
    CHECK(must(reactor.broadcast(both, "to both", results)) == 2 && results[2] == HEARTLINE_ERR_STALE && results[0] == 0);
    std::vector<std::int32_t> too_few(2);
    CHECK(reactor.broadcast(both, "to both", too_few).error() == HEARTLINE_ERR_SHORT);
    CHECK(must(reactor.broadcast_all("to all but one", pair.client)) == 1);
    Callbacks on;
    std::string client, server;
    bool failed = false;
    on.message = [&](const Event &event) {
        (event.id() == pair.client ? client : server) += event.text();
        // Polling in here would pull the bytes from under this event.
        CHECK(reactor.poll(0ms).error() == HEARTLINE_ERR_OVERLAP);
        CHECK(reactor.dispatch(on, 0ms).error() == HEARTLINE_ERR_OVERLAP);
    };
    on.connect_failed = [&](const Event &event) { failed = event.reason() == heartline::Reason::ConnectRefused; };
    until(reactor, on, [&] { return client.size() == 21 && server.size() == 7; });
    CHECK(server == "to both" && client == "to bothto all but one");

    // Port 1 of loopback: nobody listens there.
    must(reactor.connect("127.0.0.1:1", pair.codec));
    until(reactor, on, [&] { return failed; });

    // The end of all, by a code of our own; another reactor hears the farewell.
    auto far = must(Reactor::make());
    must(far.connect(reactor.listener_address(pair.listener), pair.codec));
    int opened = 0, closed = 0;
    on.opened = [&](const Event &) { opened++; };
    std::string farewell;
    auto far_away = [&](const Event &event) {
        opened += event.kind() == EventKind::Opened;
        if (event.kind() == EventKind::Message)
            farewell += event.text();
    };
    auto both_reactors = [&](auto condition) {
        until(reactor, on, [&] { return must(far.dispatch(far_away, 10ms)), condition(); });
    };
    both_reactors([&] { return opened == 2; });
    on.message = nullptr;
    on.closed = [&](const Event &event) { closed += event.code() == 400 || event.reason() == heartline::Reason::PeerClosed; };
    CHECK(reactor.drain(heartline::DrainOptions().limit(3s).code(400).farewell("bye")));
    both_reactors([&] { return reactor.is_drained() && closed == 3; });
    CHECK(farewell == "bye");
}

static void nested() {
    Pair pair;
    Reactor &reactor = pair.reactor;
    CHECK(reactor.wait_ms() >= 0);
    pollfd descriptor{must(reactor.fd()), POLLIN, 0};
    CHECK(reactor.send(pair.client, "x"));
    CHECK(reactor.flush());
    bool seen = false;
    auto give_up = heartline::Clock::now() + 10s;
    while (!seen && heartline::Clock::now() < give_up) {
        CHECK(::poll(&descriptor, 1, 1000) >= 0);
        must(reactor.dispatch([&](const Event &event) { seen |= event.text() == "x"; }, 0ms));
    }
    CHECK(seen);
}

static void given_back_and_taken_over() {
    Pair pair;
    Reactor &reactor = pair.reactor;
    auto given = must(reactor.release(pair.server));
    CHECK(given.fd() >= 0 && given.unread.empty() && given.unsent.empty());
    CHECK(reactor.send(pair.server, "x").error() == HEARTLINE_ERR_STALE);
    given.user = 7;
    given.unread = {0, 0, 0, 2, 'h'}; // the rest comes from the wire
    auto raw = must(Codec::parse("raw"));
    CHECK(reactor.set_options(pair.client, raw, heartline::Options().policy(0)));
    CHECK(reactor.send(pair.client, "i"));
    Id id = must(reactor.adopt(std::move(given), pair.codec));
    std::string seen;
    until(reactor, [&](const Event &event) {
        CHECK(event.id() != id || event.user() == 7);
        if (event.kind() == EventKind::Message)
            seen += event.text();
    }, [&] { return seen == "hi"; });

    // What is not taken out is closed: the client sees it.
    CHECK(reactor.expect_answers(id, 1));
    { CHECK(must(reactor.release(id)).unanswered == 1); }
    bool closed = false;
    until(reactor, [&](const Event &event) { closed |= event.kind() == EventKind::Closed; }, [&] { return closed; });
    CHECK(reactor.adopt(-1, pair.codec).error() == HEARTLINE_ERR_INVALID || reactor.os_error() != 0);
}

static void the_log_and_errors() {
    int lines = 0;
    auto reactor = must(Reactor::make(heartline::ReactorConfig().capacity(1).log([&](heartline::LogLevel, std::string_view text) {
        lines++;
        CHECK(!text.empty());
#ifdef HEARTLINE_EXCEPTIONS
        throw std::runtime_error("this must not reach the library");
#endif
    })));
    auto codec = must(Codec::parse("length:4be,max=8"));
    CHECK(reactor.listen("nowhere", codec).error() == HEARTLINE_ERR_ADDRESS);
    CHECK(reactor.capacity() == 1);
    auto raw = must(Codec::parse("raw"));
    Id client = must(reactor.connect(reactor.listener_address(must(reactor.listen("127.0.0.1:0", codec))), raw));
    CHECK(reactor.send(client, "\xff\xff\xff\xff"));
    int ends = 0;
    until(reactor, [&](const Event &event) {
        if (event.kind() != EventKind::Closed)
            return;
        ends++;
        if (event.id() != client)
            CHECK(event.reason() == heartline::Reason::OverLimit && !must(reactor.obituary(event.id())).why().empty());
    }, [&] { return ends == 2; });
    CHECK(lines >= 1);
    reactor = must(Reactor::make());
    CHECK(reactor.count() == 0 && reactor.capacity() == 512);
}

#ifdef HEARTLINE_EXCEPTIONS
// What a callback throws passes through, and the rest of the batch comes with the next call.
static void a_callback_that_throws() {
    Pair pair;
    for (int i = 0; i < 5; i++)
        CHECK(pair.reactor.send(pair.client, "x"));
    int seen = 0, thrown = 0;
    auto give_up = heartline::Clock::now() + 10s;
    while (seen < 5 && heartline::Clock::now() < give_up)
        try {
            must(pair.reactor.dispatch([&](const Event &event) {
                CHECK(event.text() == "x");
                throw ++seen;
            }, 100ms));
        } catch (int) {
            thrown++;
        }
    CHECK(seen == 5 && thrown == 5);
    CHECK(pair.reactor.poll(0ms));
}
#endif

int main() {
    by_poll();
    by_callbacks();
    nested();
    given_back_and_taken_over();
    the_log_and_errors();
#ifdef HEARTLINE_EXCEPTIONS
    a_callback_that_throws();
#endif
    return passed("reactor");
}
