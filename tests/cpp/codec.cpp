// Codec: by text, by settings, of one's own; cut, head, encode, beat.
#include "check.hpp"

using heartline::Beat;
using heartline::Bytes;
using heartline::Codec;
using heartline::Frame;
using Buffer = std::vector<std::uint8_t>;

// One byte of length, then the message; the beat is a lone zero. Counts its ends.
class Tiny : public heartline::CustomCodec {
public:
    explicit Tiny(int &ended) : ended_(ended) {}
    ~Tiny() override { ended_++; }
    std::int32_t cut(heartline::Span<std::uint8_t> data, std::size_t max_bytes, std::uint64_t &note, heartline::Sink,
                     heartline_frame &out) const noexcept override {
        note++;
        if (data.empty() || data.size() < 1u + data[0]) {
            out.total = data.empty() ? 1 : 1u + data[0];
            return 0;
        }
        if (data[0] > max_bytes)
            return -1;
        out.head = data.data();
        out.head_len = 1;
        out.data = data.data() + 1;
        out.len = data[0];
        out.total = 1u + data[0];
        out.kind = data[0] == 0 ? HEARTLINE_BEAT_EITHER : 0;
        return 1;
    }
    bool encode(Bytes, heartline::Span<const heartline_slice> message, heartline::Sink out) const noexcept override {
        std::size_t length = 0;
        for (const heartline_slice &part : message)
            length += part.len;
        if (length > 255)
            return false;
        const std::uint8_t head[] = {static_cast<std::uint8_t>(length)};
        out.write(head);
        for (const heartline_slice &part : message)
            out.write({part.data, part.len});
        return true;
    }
    bool ask(heartline::Sink out) const noexcept override { return out.write({"", 1}), true; }

private:
    int &ended_;
};

static void by_text() {
    auto codec = must(Codec::parse("length:2be,head=4,max=64K,ask=@2:0001"));
    CHECK(codec.spec().rfind("length:2be", 0) == 0);
    auto wrong = Codec::parse("length:5be");
    CHECK(!wrong && !wrong.is_fatal() && wrong.error() == HEARTLINE_ERR_SPEC && std::string(wrong.why()).size() > 5);

    const std::uint8_t head[] = {0, 0, 0, 7};
    Buffer bytes;
    CHECK(codec.encode(bytes, "hello", head));
    CHECK((bytes == Buffer{0, 5, 0, 7, 'h', 'e', 'l', 'l', 'o'}));
    CHECK(codec.beat(bytes, Beat::Ask));
    CHECK(bytes.size() == 13);

    Frame frame;
    CHECK(codec.cut(bytes, frame) == 1 && frame.text() == "hello" && frame.head()[3] == 7 && !frame.is_beat());
    CHECK(frame.total() == 9);
    CHECK(codec.cut({bytes.data() + 9, 4}, frame) == 1 && frame.is_beat());
    CHECK(codec.cut({bytes.data(), 3}, frame) == 0 && frame.total() == 4);
    CHECK(codec.cut({}, frame) == 0);

    Buffer room(4);
    CHECK(must(codec.head(300, room)) == 4 && room[0] == 1 && room[1] == 44);
    CHECK(codec.head(70000, room).error() == HEARTLINE_ERR_ENCODE);
}

static void by_settings() {
    auto config = heartline::codec_config(HEARTLINE_CODEC_DELIMITER);
    const std::uint8_t crlf[] = {'\r', '\n'};
    config.delimiter = crlf;
    config.delimiter_bytes = 2;
    auto codec = must(Codec::make(config));
    Buffer bytes;
    CHECK(codec.encode(bytes, "a"));
    CHECK(bytes.size() == 3 && codec.encode(bytes, "a\r\nb").error() == HEARTLINE_ERR_ENCODE);
    CHECK(bytes.size() == 3); // what failed left nothing behind
    CHECK(codec.encode(bytes, std::string(5000, 'x')));
    CHECK(bytes.size() == 3 + 5002);
    Codec moved = std::move(codec);
    CHECK(moved.spec().find("delimiter") == 0);
    CHECK(!Codec::make(heartline::codec_config(77)));
}

static void of_ones_own() {
    int ended = 0;
    {
        auto codec = must(Codec::custom(std::make_unique<Tiny>(ended), "tiny"));
        CHECK(codec.spec() == "custom:tiny");
        Buffer bytes;
        CHECK(codec.encode(bytes, "abc"));
        CHECK(codec.encode(bytes, std::string(300, 'x')).error() == HEARTLINE_ERR_ENCODE);
        CHECK(codec.beat(bytes, Beat::Ask));
        CHECK((bytes == Buffer{3, 'a', 'b', 'c', 0}));
        Frame frame;
        CHECK(codec.cut(bytes, frame) == 1 && frame.text() == "abc");
        CHECK(ended == 0);
    }
    CHECK(ended == 1);
    CHECK(Codec::custom(nullptr).error() == HEARTLINE_ERR_NULL && ended == 1);
}

int main() {
    by_text();
    by_settings();
    of_ones_own();
    return passed("codec");
}
