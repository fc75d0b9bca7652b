// Stream: frames come out the same wherever the input is cut (F1), and an idle one keeps nothing (F3).
#include "check.hpp"

using heartline::Codec;
using heartline::Frame;
using heartline::Stream;
using Buffer = std::vector<std::uint8_t>;

int main() {
    for (const char *spec : {"length:4be,max=4K", "delimiter:\\r\\n", "varint", "line-header"}) {
        auto codec = must(Codec::parse(spec));
        Buffer bytes;
        for (const char *message : {"one", "a second one", "3"})
            CHECK(codec.encode(bytes, message));
        CHECK(codec.beat(bytes, heartline::Beat::Ask));
        for (std::size_t step = 1; step <= bytes.size(); step++) {
            Stream stream;
            std::string seen;
            for (std::size_t at = 0; at < bytes.size(); at += step) {
                // A buffer of its own for each read, so that the sanitizers see a frame that outlives it.
                Buffer read(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                            bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at + step, bytes.size())));
                CHECK(stream.feed(codec, read, [&](const Frame &frame) {
                    seen += frame.is_beat() ? "<beat>" : std::string(frame.text()) + "|";
                }));
            }
            CHECK(seen == "one|a second one|3|<beat>");
            CHECK(stream.unfinished().empty());
        }
    }

    auto codec = must(Codec::parse("length:4be,max=16"));
    Buffer two;
    CHECK(codec.encode(two, "first"));
    CHECK(codec.encode(two, "second"));

    // A frame's function may end the stream that called it.
    for (bool in_pieces : {false, true}) {
        auto stream = std::make_unique<Stream>();
        int seen = 0;
        heartline::Span<std::uint8_t> rest = two;
        if (in_pieces) {
            CHECK(stream->feed(codec, {two.data(), 2}, [](const Frame &) { CHECK(false); }));
            CHECK(stream->unfinished().size() == 2);
            rest = {two.data() + 2, two.size() - 2};
        }
        CHECK(stream->feed(codec, rest, [&](const Frame &frame) {
            CHECK(frame.text() == "first");
            stream.reset();
            seen++;
            return false;
        }));
        CHECK(seen == 1 && !stream);
    }

    // Too long a frame is refused at its head, and the stream starts anew.
    Stream stream;
    Buffer huge{0, 0, 1, 0};
    CHECK(stream.feed(codec, huge, [](const Frame &) {}).error() == HEARTLINE_ERR_OVER_LIMIT);
    CHECK(stream.unfinished().empty());
    Stream moved = std::move(stream);
    int count = 0;
    CHECK(moved.feed(codec, two, [&](const Frame &) { count++; }));
    CHECK(count == 2);
    return passed("stream");
}
