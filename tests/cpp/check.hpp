// What the programs of this folder share. Each stands for one class, says "ok NAME" and exits 0, or names the line that failed.
#ifndef HEARTLINE_TESTS_CHECK_HPP
#define HEARTLINE_TESTS_CHECK_HPP

#include "heartline.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                         \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (0)

using namespace std::chrono_literals;

// A value that must be there, in both ways of telling errors.
template <class T> T must(heartline::Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "failed: %s\n", result.why());
        std::exit(1);
    }
    return std::move(result).value();
}

inline int passed(const char *name) {
    std::printf("ok %s\n", name);
    return 0;
}

// Polls until `condition` holds, ten seconds at most.
template <class On, class Condition> void until(heartline::Reactor &reactor, On &&on, Condition condition) {
    auto give_up = heartline::Clock::now() + 10s;
    while (!condition()) {
        CHECK(heartline::Clock::now() < give_up);
        must(reactor.dispatch(on, 100ms));
    }
}

#endif
