// Bytes and Span: from what a program has, without copying.
#include "check.hpp"

#include <array>

#if __cplusplus >= 202002L
#include <span>
#endif

static std::size_t size_of(heartline::Bytes bytes) { return bytes.size(); }
static int sum(heartline::Span<const int> numbers) {
    int sum = 0;
    for (int number : numbers)
        sum += number;
    return sum;
}

int main() {
    CHECK(size_of({}) == 0 && size_of("four") == 4 && size_of(std::string("a\0b", 3)) == 3);
    CHECK(size_of(std::string_view("abc")) == 3 && size_of({"abcdef", 2}) == 2);
    CHECK(size_of(std::vector<std::uint8_t>{1, 2}) == 2 && size_of(std::array<char, 5>{}) == 5);
    const std::uint8_t raw[] = {104, 105};
    heartline::Bytes bytes = raw;
    CHECK(bytes.size() == 2 && bytes.data() == raw && bytes.text() == "hi" && bytes[1] == 105 && *bytes.begin() == 104);
    CHECK(bytes.end() - bytes.begin() == 2 && !bytes.empty());

    std::vector<int> numbers{1, 2, 3};
    const std::vector<int> fixed{4, 5};
    int plain[] = {6};
    CHECK(sum(numbers) == 6 && sum(fixed) == 9 && sum(plain) == 6 && sum({}) == 0);
    heartline::Span<int> open = numbers;
    open[0] = 10;
    CHECK(sum(open) == 15 && open.data() == numbers.data() && !open.empty());
    static_assert(!std::is_convertible_v<const std::vector<int> &, heartline::Span<int>>);
    static_assert(!std::is_convertible_v<std::vector<int>, heartline::Bytes>);
#if __cplusplus >= 202002L
    CHECK(sum(std::span<int>(numbers)) == 15);
#endif
    return passed("views");
}
