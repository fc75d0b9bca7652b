// Status and Result: numbers that are asked, or thrown where the macro asks for it.
#include "check.hpp"

#include <memory>

#ifdef HEARTLINE_EXCEPTIONS
template <class Body> std::int32_t thrown(Body body) {
    try {
        body();
    } catch (const heartline::Exception &exception) {
        CHECK(std::string(exception.what()).size() > 5);
        return exception.error();
    }
    return 0;
}
#endif

int main() {
    using heartline::Result;
    using heartline::Status;
    CHECK(heartline::check_abi());
    CHECK(Status() && Status(0) && Status(7) && Status(7).error() == 0);
    Status full = HEARTLINE_ERR_FULL;
    CHECK(!full && !full.is_fatal() && full.error() == HEARTLINE_ERR_FULL && std::string(full.why()).size() > 5);
    Status().value();

    Result<std::unique_ptr<int>> seven = std::make_unique<int>(7);
    CHECK(seven && **seven == 7 && seven.error() == 0 && seven->get() == seven.value().get());
    std::unique_ptr<int> taken = std::move(seven).value();
    CHECK(*taken == 7);
    auto stale = Result<int>::failure(HEARTLINE_ERR_STALE);
    CHECK(!stale && stale.error() == HEARTLINE_ERR_STALE && std::string(stale.why()) == heartline_strerror(HEARTLINE_ERR_STALE));
    CHECK(std::string(Result<int>::failure(HEARTLINE_ERR_SPEC, "more").why()) == "more");
    CHECK(Result<int>::failure(HEARTLINE_ERR_STALE).value_or(3) == 3 && Result<int>(4).value_or(3) == 4);
    static_assert(!std::is_copy_constructible_v<heartline::Reactor> && std::is_nothrow_move_constructible_v<heartline::Reactor>);
    static_assert(!std::is_copy_constructible_v<heartline::Monitor> && std::is_move_assignable_v<heartline::Monitor>);
    static_assert(!std::is_copy_constructible_v<heartline::Codec> && std::is_move_assignable_v<heartline::Codec>);
    static_assert(!std::is_copy_constructible_v<heartline::Mailbox> && std::is_move_assignable_v<heartline::Mailbox>);
    static_assert(!std::is_copy_constructible_v<heartline::Released> && std::is_move_assignable_v<heartline::Released>);
    static_assert(sizeof(heartline::Codec) == sizeof(void *) && sizeof(heartline::Mailbox) == sizeof(void *));
#ifdef HEARTLINE_EXCEPTIONS
    CHECK(thrown([&] { stale.value(); }) == HEARTLINE_ERR_STALE);
    CHECK(thrown([&] { full.value(); }) == HEARTLINE_ERR_FULL);
    CHECK(thrown([] { heartline::Codec::parse("no such codec").value(); }) == HEARTLINE_ERR_SPEC);
#endif
    return passed("result");
}
