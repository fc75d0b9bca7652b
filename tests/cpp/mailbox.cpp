// Mailbox: from four threads at once, and beyond the reactor's end.
#include "check.hpp"

#include <atomic>
#include <thread>

using heartline::Event;
using heartline::EventKind;

int main() {
    auto codec = must(heartline::Codec::parse("length:4be"));
    std::optional<heartline::Reactor> reactor = must(heartline::Reactor::make());
    auto at = reactor->listener_address(must(reactor->listen("127.0.0.1:0", codec)));
    auto client = must(reactor->connect(at, codec));
    auto mailbox = must(reactor->mailbox());
    auto second = must(reactor->mailbox());
    int opened = 0, messages = 0, unsent = 0, closed = 0;
    auto on = [&](const Event &event) {
        opened += event.kind() == EventKind::Opened;
        messages += event.kind() == EventKind::Message;
        unsent += event.kind() == EventKind::Unsent;
        closed += event.kind() == EventKind::Closed;
    };
    until(*reactor, on, [&] { return opened == 2; });

    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int n = 0; n < 250; n++)
                while (!(i % 2 ? mailbox : second).send(client, "from another thread"))
                    std::this_thread::yield();
        });
    until(*reactor, on, [&] { return messages == 1000; });
    for (auto &thread : threads)
        thread.join();

    CHECK(mailbox.send(99, "to nobody"));
    CHECK(mailbox.broadcast("to both"));
    until(*reactor, on, [&] { return unsent == 1 && messages == 1002; });

    std::thread waker([&] { CHECK(mailbox.wake()); });
    auto began = heartline::Clock::now();
    CHECK(reactor->poll(8s));
    CHECK(heartline::Clock::now() - began < 5s);
    waker.join();

    CHECK(mailbox.close(client, heartline::Close::AtOnce, 100).error() == HEARTLINE_ERR_CODE_RESERVED);
    CHECK(mailbox.close(client, heartline::Close::AtOnce, 256));
    until(*reactor, on, [&] { return closed == 2; });
    reactor.reset();
    CHECK(mailbox.send(client, "x").error() == HEARTLINE_ERR_GONE);
    return passed("mailbox");
}
