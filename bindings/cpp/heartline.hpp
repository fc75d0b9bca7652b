/*
 * Heartline for C++17: everything of heartline.h, owned by objects, with views and std::chrono. Header only.
 *
 *   Reactor, Mailbox   everything: sockets, framing, liveness, limits
 *   Monitor            liveness for connections that you own, in your own loop
 *   Codec, Stream      framing of bytes that you own
 *
 * The rules are those on the first page of heartline.h. Objects are move-only; a moved-from one only takes a new value or
 * its end. What an event, a frame or a verdict shows is borrowed: each says until when.
 *
 * Errors. Nothing here throws. What can fail gives a Status (a number) or a Result (a value or a number), to be asked with
 * `if`. Define HEARTLINE_EXCEPTIONS, in all files that are linked together or in some, and value() of a failure throws
 * heartline::Exception; without it value() of a failure ends the program (std::abort). Allocation fails as it does elsewhere
 * in C++. Your own callbacks may throw: events and verdicts not handed out yet come with the next call.
 */
#ifndef HEARTLINE_HPP
#define HEARTLINE_HPP

#include <heartline.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <unistd.h>

#ifdef HEARTLINE_EXCEPTIONS
#include <stdexcept>
#endif

namespace heartline {

// Files with and without the macro may be linked together: what differs has different names for the linker.
#ifdef HEARTLINE_EXCEPTIONS
inline namespace throwing {
#else
inline namespace plain {
#endif

using Id = std::uint64_t;    // of a connection; 0 is none
using Peer = heartline_peer; // of a monitor; 0 is none
using Milliseconds = std::chrono::milliseconds;

// In a wait: for as long as it takes.
inline constexpr Milliseconds forever{-1};
// In any limit whose 0 means the default: none, never.
inline constexpr Milliseconds off{-1};

// The monotonic clock that the functions of level 1 take.
struct Clock {
    using rep = std::int64_t;
    using period = std::milli;
    using duration = Milliseconds;
    using time_point = std::chrono::time_point<Clock>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept { return time_point(duration(static_cast<rep>(heartline_now_ms()))); }
};
using Time = Clock::time_point;

enum class EventKind : std::uint8_t {
    Opened = HEARTLINE_EVENT_OPENED,
    Message = HEARTLINE_EVENT_MESSAGE,
    Closed = HEARTLINE_EVENT_CLOSED,
    Suspect = HEARTLINE_EVENT_SUSPECT,
    Revived = HEARTLINE_EVENT_REVIVED,
    Full = HEARTLINE_EVENT_FULL,
    Drained = HEARTLINE_EVENT_DRAINED,
    ConnectFailed = HEARTLINE_EVENT_CONNECT_FAILED,
    Unsent = HEARTLINE_EVENT_UNSENT,
    Stalled = HEARTLINE_EVENT_STALLED,
    AcceptPaused = HEARTLINE_EVENT_ACCEPT_PAUSED,
    AcceptResumed = HEARTLINE_EVENT_ACCEPT_RESUMED,
    ReadClosed = HEARTLINE_EVENT_READ_CLOSED,
    MassSilence = HEARTLINE_EVENT_MASS_SILENCE,
    Beat = HEARTLINE_EVENT_BEAT,
};

enum class Reason : std::uint16_t {
    PeerClosed = HEARTLINE_REASON_PEER_CLOSED,
    PeerReset = HEARTLINE_REASON_PEER_RESET,
    Silent = HEARTLINE_REASON_SILENT,
    FirstFrameLate = HEARTLINE_REASON_FIRST_FRAME_LATE,
    FrameStalled = HEARTLINE_REASON_FRAME_STALLED,
    OutputStalled = HEARTLINE_REASON_OUTPUT_STALLED,
    FrameBad = HEARTLINE_REASON_FRAME_BAD,
    OverLimit = HEARTLINE_REASON_OVER_LIMIT,
    OutboxFull = HEARTLINE_REASON_OUTBOX_FULL,
    OsError = HEARTLINE_REASON_OS_ERROR,
    Drained = HEARTLINE_REASON_DRAINED,
    Local = HEARTLINE_REASON_LOCAL,
    Replaced = HEARTLINE_REASON_REPLACED,
    Abuse = HEARTLINE_REASON_ABUSE,
    SealBad = HEARTLINE_REASON_SEAL_BAD,
    UpgradeRefused = HEARTLINE_REASON_UPGRADE_REFUSED,
    HealthCheck = HEARTLINE_REASON_HEALTH_CHECK,
    ConnectRefused = HEARTLINE_REASON_CONNECT_REFUSED,
    ConnectTimeout = HEARTLINE_REASON_CONNECT_TIMEOUT,
    ConnectError = HEARTLINE_REASON_CONNECT_ERROR,
    Application = HEARTLINE_REASON_APPLICATION, // and all above it
};

enum class VerdictKind : std::uint16_t {
    Ask = HEARTLINE_VERDICT_ASK,
    Suspect = HEARTLINE_VERDICT_SUSPECT,
    Revived = HEARTLINE_VERDICT_REVIVED,
    Dead = HEARTLINE_VERDICT_DEAD,
    Stalled = HEARTLINE_VERDICT_STALLED,
    MassSilence = HEARTLINE_VERDICT_MASS_SILENCE,
};

enum class Role : std::uint32_t {
    Answer = HEARTLINE_ROLE_ANSWER,
    Watch = HEARTLINE_ROLE_WATCH,
    Ask = HEARTLINE_ROLE_ASK,
    Both = HEARTLINE_ROLE_BOTH,
};

// What a beat is. `None` is a message.
enum class Beat : std::uint32_t {
    None = 0,
    Ask = HEARTLINE_BEAT_ASK,
    Answer = HEARTLINE_BEAT_ANSWER,
    Either = HEARTLINE_BEAT_EITHER,
};

enum class Close : std::uint32_t {
    Flush = HEARTLINE_CLOSE_FLUSH,
    AtOnce = HEARTLINE_CLOSE_AT_ONCE,
    Abort = HEARTLINE_CLOSE_ABORT,
};

enum class WhenFull : std::uint32_t {
    Refuse = HEARTLINE_WHEN_FULL_REFUSE,
    DropOldest = HEARTLINE_WHEN_FULL_DROP_OLDEST,
    Close = HEARTLINE_WHEN_FULL_CLOSE,
};

enum class LogLevel : std::uint32_t { Info = HEARTLINE_LOG_INFO, Warn = HEARTLINE_LOG_WARN, Bug = HEARTLINE_LOG_BUG };

inline const char *name(Reason reason) noexcept {
    return heartline_name(HEARTLINE_NAMES_REASONS, static_cast<std::int32_t>(reason));
}
inline const char *name(EventKind kind) noexcept {
    return heartline_name(HEARTLINE_NAMES_EVENTS, static_cast<std::int32_t>(kind));
}
inline const char *name(VerdictKind kind) noexcept {
    return heartline_name(HEARTLINE_NAMES_VERDICTS, static_cast<std::int32_t>(kind));
}

// A pointer as the word that a connection or peer carries; Event::user_as and Verdict::user_as give it back.
template <class T> std::uint64_t word(T *pointer) noexcept {
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pointer));
}

// ---- Errors ----

#ifdef HEARTLINE_EXCEPTIONS
class Exception : public std::runtime_error {
public:
    Exception(std::int32_t error, const std::string &why) : std::runtime_error(why), error_(error) {}
    // A HEARTLINE_ERR_ number.
    std::int32_t error() const noexcept { return error_; }

private:
    std::int32_t error_;
};
#endif

namespace detail {

[[noreturn]] inline void fail([[maybe_unused]] std::int32_t error, [[maybe_unused]] const char *why) {
#ifdef HEARTLINE_EXCEPTIONS
    throw Exception(error, why);
#else
    std::abort();
#endif
}

// Up to the next whole millisecond, within what the C interface takes.
template <class Number> Number milliseconds(Milliseconds time) noexcept {
    if (time.count() <= 0)
        return 0;
    auto count = static_cast<std::uint64_t>(time.count());
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<Number>::max()) - 1;
    return static_cast<Number>(count < most ? count : most);
}
inline std::uint32_t limit(Milliseconds time) noexcept {
    return time.count() < 0 ? HEARTLINE_OFF : milliseconds<std::uint32_t>(time);
}
inline std::int32_t wait(Milliseconds time) noexcept {
    return time.count() < 0 ? -1 : milliseconds<std::int32_t>(time);
}
inline std::uint64_t at(Time time) noexcept { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }
inline std::uint32_t flag(bool is) noexcept { return is ? 1 : 0; }
inline std::optional<Milliseconds> measured(std::uint32_t ms) noexcept {
    return ms == HEARTLINE_OFF ? std::nullopt : std::optional<Milliseconds>(ms);
}

// What word() made a word of.
template <class T> T *pointer(std::uint64_t word) noexcept {
    return reinterpret_cast<T *>(static_cast<std::uintptr_t>(word));
}

template <class T> T sized() noexcept {
    T value{};
    value.struct_size = static_cast<std::uint32_t>(sizeof(T));
    return value;
}

// Of a monitor's settings or a reactor's.
template <class Raw>
void mass_silence(Raw &raw, std::uint32_t percent, Milliseconds window, Milliseconds hold, std::uint32_t peers_min) noexcept {
    raw.mass_silence_percent = percent;
    raw.mass_silence_window_ms = milliseconds<std::uint32_t>(window);
    raw.mass_silence_hold_ms = milliseconds<std::uint32_t>(hold);
    raw.mass_silence_peers_min = peers_min;
}

// Calls `take(buffer, size)`, which returns the length of a string, until all of it fits.
template <class Take> std::string text(Take take) {
    std::string text(256, '\0');
    for (;;) {
        std::int32_t length = take(text.data(), text.size() + 1);
        if (length < 0)
            return {};
        bool fits = static_cast<std::size_t>(length) <= text.size();
        text.resize(static_cast<std::size_t>(length));
        if (fits)
            return text;
    }
}

struct Free {
    void operator()(heartline_reactor *object) const noexcept { heartline_reactor_free(object); }
    void operator()(heartline_monitor *object) const noexcept { heartline_monitor_free(object); }
    void operator()(heartline_codec *object) const noexcept { heartline_codec_free(object); }
    void operator()(heartline_mailbox *object) const noexcept { heartline_mailbox_free(object); }
};
template <class T> using Handle = std::unique_ptr<T, Free>;

} // namespace detail

// Whether something was done: 0, or a HEARTLINE_ERR_ number. Some are ordinary (HEARTLINE_ERR_FULL), so asking is up to you.
class Status {
public:
    Status() noexcept = default;
    Status(std::int32_t result) noexcept : error_(result < 0 ? result : 0) {}
    explicit operator bool() const noexcept { return error_ == 0; }
    // 0, or a HEARTLINE_ERR_ number.
    std::int32_t error() const noexcept { return error_; }
    // Whether what the call was about can only be given up: trying again never helps.
    bool is_fatal() const noexcept { return heartline_error_is_fatal(error_) != 0; }
    // A sentence; static.
    const char *why() const noexcept { return heartline_strerror(error_); }
    // Throws, or ends the program, if it was not done.
    void value() const {
        if (error_ != 0)
            detail::fail(error_, why());
    }

private:
    std::int32_t error_ = 0;
};

// A value, or why there is none.
template <class T> class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    // `error` is a HEARTLINE_ERR_ number; `why` says more than its text, or is empty.
    static Result failure(std::int32_t error, std::string why = {}) { return Result(error, std::move(why), Failed()); }

    explicit operator bool() const noexcept { return value_.has_value(); }
    // 0, or a HEARTLINE_ERR_ number.
    std::int32_t error() const noexcept { return error_; }
    bool is_fatal() const noexcept { return heartline_error_is_fatal(error_) != 0; }
    const char *why() const noexcept { return why_.empty() ? heartline_strerror(error_) : why_.c_str(); }

    // The value. Throws, or ends the program, if there is none.
    T &value() & { return expect(), *value_; }
    const T &value() const & { return expect(), *value_; }
    T &&value() && { return expect(), std::move(*value_); }
    T value_or(T other) && { return value_ ? std::move(*value_) : std::move(other); }
    T &operator*() & { return value(); }
    const T &operator*() const & { return value(); }
    T &&operator*() && { return std::move(*this).value(); }
    T *operator->() { return &value(); }
    const T *operator->() const { return &value(); }

private:
    struct Failed {};
    Result(std::int32_t error, std::string why, Failed) : error_(error), why_(std::move(why)) {}
    void expect() const {
        if (!value_)
            detail::fail(error_, why());
    }

    std::optional<T> value_;
    std::int32_t error_ = 0;
    std::string why_;
};

// Whether the header that this was built with and the library that runs belong together. The makers below ask by themselves.
inline Status check_abi() noexcept { return heartline_check_abi(HEARTLINE_ABI_VERSION); }

// ---- Views ----

// Borrowed elements that lie side by side.
template <class T> class Span {
public:
    constexpr Span() noexcept = default;
    constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr Span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    // Whatever has data() and size(): std::vector, std::array, std::span, another Span.
    template <class Container, class Element = std::remove_pointer_t<decltype(std::declval<Container &>().data())>,
              class = std::enable_if_t<std::is_convertible_v<Element *, T *> &&
                                       std::is_same_v<std::remove_cv_t<Element>, std::remove_cv_t<T>>>>
    constexpr Span(Container &&container) noexcept : data_(container.data()), size_(container.size()) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

// Borrowed bytes, of any type of one byte: std::string, std::string_view, "text" (without its NUL), std::vector<uint8_t>.
class Bytes {
public:
    constexpr Bytes() noexcept = default;
    Bytes(const void *data, std::size_t size) noexcept : data_(static_cast<const std::uint8_t *>(data)), size_(size) {}
    Bytes(const char *text) noexcept : Bytes(text, std::strlen(text)) {}
    template <std::size_t N> Bytes(const std::uint8_t (&array)[N]) noexcept : Bytes(array, N) {}
    template <class Container,
              class Element = std::remove_pointer_t<decltype(std::declval<const Container &>().data())>,
              class = std::enable_if_t<sizeof(Element) == 1 && std::is_trivially_copyable_v<Element>>>
    Bytes(const Container &container) noexcept : Bytes(container.data(), container.size()) {}

    const std::uint8_t *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const std::uint8_t *begin() const noexcept { return data_; }
    const std::uint8_t *end() const noexcept { return data_ + size_; }
    std::uint8_t operator[](std::size_t index) const noexcept { return data_[index]; }
    std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data_), size_}; }

private:
    const std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

// ---- Policies ----

// What a connection's liveness follows; the profile `im` but for what is set.
class Policy {
public:
    Policy() noexcept : raw_(detail::sized<heartline_policy>()) {}
    // "game,role=watch,timeout=20s": a profile (lan, game, im, web, mobile, none), then keys.
    static Result<Policy> parse(const std::string &text) {
        Policy policy;
        char why[HEARTLINE_WHY_BYTES] = "";
        std::int32_t error = heartline_policy_parse(text.c_str(), &policy.raw_, sizeof policy.raw_, why, sizeof why);
        return error < 0 ? Result<Policy>::failure(error, why) : Result<Policy>(policy);
    }
    Policy &role(Role role) noexcept { return raw_.role = static_cast<std::uint32_t>(role), *this; }
    Policy &interval(Milliseconds silence) noexcept { return raw_.interval_ms = detail::limit(silence), *this; }
    Policy &suspect(Milliseconds silence) noexcept { return raw_.suspect_ms = detail::limit(silence), *this; }
    // Alone it scales interval and suspect with it. `off`: never judged.
    Policy &timeout(Milliseconds silence) noexcept { return raw_.timeout_ms = detail::limit(silence), *this; }
    Policy &jitter_percent(std::uint32_t percent) noexcept {
        return raw_.jitter_percent = percent == 0 ? HEARTLINE_OFF : percent, *this;
    }
    Policy &rtt_every(Milliseconds every) noexcept { return raw_.rtt_every_ms = detail::limit(every), *this; }
    Policy &after_first_frame(bool is = true) noexcept { return raw_.after_first_frame = detail::flag(is), *this; }
    Milliseconds interval() const noexcept { return Milliseconds(raw_.interval_ms); }
    Milliseconds timeout() const noexcept { return Milliseconds(raw_.timeout_ms); }
    const heartline_policy &raw() const noexcept { return raw_; }

private:
    heartline_policy raw_;
};

// ---- Level 2: codecs and streams ----

// A frame that was cut. It borrows from the bytes that it was cut from.
class Frame {
public:
    Frame() noexcept : raw_() {}
    explicit Frame(const heartline_frame &raw) noexcept : raw_(raw) {}
    Bytes message() const noexcept { return {raw_.data, raw_.len}; }
    std::string_view text() const noexcept { return message().text(); }
    // All bytes before the message.
    Bytes head() const noexcept { return {raw_.head, raw_.head_len}; }
    Beat beat() const noexcept { return static_cast<Beat>(raw_.kind); }
    bool is_beat() const noexcept { return raw_.kind != 0; }
    // Bytes that it takes from the front of the input.
    std::size_t total() const noexcept { return raw_.total; }
    const heartline_frame &raw() const noexcept { return raw_; }

private:
    heartline_frame raw_;
};

// Where a custom codec writes; valid during its function.
class Sink {
public:
    explicit Sink(heartline_sink *raw) noexcept : raw_(raw) {}
    void write(Bytes bytes) const noexcept { heartline_sink_write(raw_, bytes.data(), bytes.size()); }

private:
    heartline_sink *raw_;
};

// A codec of your own, for Codec::custom. Its functions are called from every thread that uses the codec, at the same time:
// they must not call Heartline (but Sink::write), block, or keep what they are shown.
class CustomCodec {
public:
    virtual ~CustomCodec() = default;
    // As heartline_codec_ops::cut: 1 with `out` filled; 0 with out.total, the bytes needed; below 0: no frame.
    virtual std::int32_t cut(Span<std::uint8_t> data, std::size_t max_bytes, std::uint64_t &note, Sink control,
                             heartline_frame &out) const noexcept = 0;
    // Writes a whole frame. False: this cannot be encoded.
    virtual bool encode(Bytes head, Span<const heartline_slice> message, Sink out) const noexcept = 0;
    // Writes the ask. False: there is none.
    virtual bool ask(Sink) const noexcept { return false; }
    // Writes the answer to a whole frame.
    virtual bool answer(Bytes asked, Sink out) const noexcept { return out.write(asked), true; }
};

// How bytes are cut into frames. Immutable: any number of connections and streams, on any thread, share it.
class Codec {
public:
    // A text such as "length:2be,head=4,max=64K,ask=@2:0001"; why() of a failure says what is wrong with it.
    static Result<Codec> parse(const std::string &spec) {
        return make([&](heartline_codec **out, char *why, std::size_t size) {
            return heartline_codec_parse(spec.c_str(), out, why, size);
        });
    }
    // The same by settings; `config` comes from heartline::codec_config().
    static Result<Codec> make(const heartline_codec_config &config) {
        return make([&](heartline_codec **out, char *why, std::size_t size) {
            return heartline_codec_new(&config, out, why, size);
        });
    }
    // A codec of your own, which lives until the last connection stops using it.
    static Result<Codec> custom(std::unique_ptr<CustomCodec> codec, const std::string &name = "custom") {
        auto ops = detail::sized<heartline_codec_ops>();
        ops.name = name.c_str();
        ops.cut = cut_custom;
        ops.encode = encode_custom;
        ops.ask = ask_custom;
        ops.answer = answer_custom;
        ops.drop = drop_custom;
        auto made = make([&](heartline_codec **out, char *, std::size_t) {
            return codec ? heartline_codec_custom(&ops, codec.get(), out) : HEARTLINE_ERR_NULL;
        });
        if (made)
            codec.release(); // until drop_custom
        return made;
    }

    // Cuts the frame at the front of `data`. 1: `out` is it, borrowed from `data`; 0: there is no whole frame yet, out.total()
    // bytes are needed; below 0: close the connection. With `state` (all zero at first) a scan goes on where it stopped.
    std::int32_t cut(Span<std::uint8_t> data, Frame &out, heartline_stream *state = nullptr) const noexcept {
        heartline_frame raw;
        std::int32_t result = heartline_codec_cut(raw_.get(), data.data(), data.size(), state, &raw);
        if (result >= 0)
            out = Frame(raw);
        return result;
    }

    // Writes the length of a message into a head, as heartline_codec_head; the bytes of the head.
    Result<std::size_t> head(std::size_t message_bytes, Span<std::uint8_t> head) const {
        std::int32_t result = heartline_codec_head(raw_.get(), message_bytes, head.data(), head.size());
        return result < 0 ? Result<std::size_t>::failure(result) : Result<std::size_t>(static_cast<std::size_t>(result));
    }
    // Appends a whole frame to `out`. `head` gives the other bytes of the head.
    Status encode(std::vector<std::uint8_t> &out, Bytes message, Bytes head = {}) const {
        return append(out, message.size() + head.size() + 32, [&](std::uint8_t *buffer, std::size_t size) {
            return heartline_codec_encode(raw_.get(), head.data(), head.size(), message.data(), message.size(), buffer, size);
        });
    }
    // Appends a beat to `out`, nothing if the codec has none; for an answer, `asked` is the whole frame that asks.
    Status beat(std::vector<std::uint8_t> &out, Beat kind, Bytes asked = {}) const {
        return append(out, asked.size() + 32, [&](std::uint8_t *buffer, std::size_t size) {
            return heartline_codec_beat(raw_.get(), static_cast<std::uint32_t>(kind), asked.data(), asked.size(), buffer, size);
        });
    }
    // Its text form.
    std::string spec() const {
        return detail::text([&](char *buffer, std::size_t size) { return heartline_codec_spec(raw_.get(), buffer, size); });
    }

    heartline_codec *raw() const noexcept { return raw_.get(); }

private:
    explicit Codec(heartline_codec *raw) noexcept : raw_(raw) {}

    template <class Make> static Result<Codec> make(Make maker) {
        char why[HEARTLINE_WHY_BYTES] = "";
        heartline_codec *raw = nullptr;
        std::int32_t error = check_abi().error();
        if (error == 0)
            error = maker(&raw, why, sizeof why);
        return error < 0 ? Result<Codec>::failure(error, why) : Result<Codec>(Codec(raw));
    }
    template <class Write> static Status append(std::vector<std::uint8_t> &out, std::size_t room, Write write) {
        const std::size_t before = out.size();
        for (;; room *= 2) {
            out.resize(before + room);
            std::int32_t result = write(out.data() + before, room);
            out.resize(before + (result < 0 ? 0 : static_cast<std::size_t>(result)));
            if (result != HEARTLINE_ERR_SHORT)
                return result;
        }
    }

    static const CustomCodec &mine(void *context) noexcept { return *static_cast<const CustomCodec *>(context); }
    static std::int32_t cut_custom(void *context, std::uint8_t *data, std::size_t len, std::size_t max_bytes,
                                   std::uint64_t *note, heartline_sink *control, heartline_frame *out) noexcept {
        return mine(context).cut({data, len}, max_bytes, *note, Sink(control), *out);
    }
    static std::int32_t encode_custom(void *context, const std::uint8_t *head, std::size_t head_len,
                                      const heartline_slice *message, std::size_t count, heartline_sink *out) noexcept {
        return mine(context).encode({head, head_len}, {message, count}, Sink(out)) ? 0 : -1;
    }
    static std::int32_t ask_custom(void *context, heartline_sink *out) noexcept {
        return mine(context).ask(Sink(out)) ? 1 : 0;
    }
    static std::int32_t answer_custom(void *context, const std::uint8_t *asked, std::size_t len,
                                      heartline_sink *out) noexcept {
        return mine(context).answer({asked, len}, Sink(out)) ? 0 : -1;
    }
    static void drop_custom(void *context) noexcept { delete static_cast<CustomCodec *>(context); }

    detail::Handle<heartline_codec> raw_;
};

// A heartline_codec_config with its size set.
inline heartline_codec_config codec_config(std::uint32_t kind) noexcept {
    auto config = detail::sized<heartline_codec_config>();
    config.kind = kind;
    return config;
}

// The bytes of one connection on their way into frames. It keeps only an unfinished tail: while none is under way it owns no
// memory, and frames are cut where you received them.
class Stream {
public:
    // Cuts all frames that `received` completes, in order, and calls `on_frame(const Frame &)` for each; a Frame is borrowed
    // during that call. If `on_frame` returns false, nothing of this Stream is touched any more: it may be destroyed in there.
    // A failure means bytes that are no frame, or too long a frame: close the connection; so does what `on_frame` throws, since
    // the frames behind are lost. `received` may be changed in place.
    template <class OnFrame> Status feed(const Codec &codec, Span<std::uint8_t> received, OnFrame &&on_frame) {
        std::vector<std::uint8_t> joined = std::move(kept_);
        kept_.clear();
        Span<std::uint8_t> left = received;
        if (!joined.empty()) {
            joined.insert(joined.end(), received.begin(), received.end());
            left = joined;
        }
        heartline_stream state = std::exchange(state_, heartline_stream{});
        for (;;) {
            Frame frame;
            std::int32_t result = codec.cut(left, frame, &state);
            if (result < 0)
                return result;
            if (result == 0)
                break;
            left = {left.data() + frame.total(), left.size() - frame.total()};
            if constexpr (std::is_same_v<std::invoke_result_t<OnFrame &, const Frame &>, bool>) {
                if (!on_frame(static_cast<const Frame &>(frame)))
                    return {};
            } else {
                on_frame(static_cast<const Frame &>(frame));
            }
        }
        state_ = state;
        if (joined.empty())
            joined.assign(left.begin(), left.end());
        else
            joined.erase(joined.begin(), joined.end() - static_cast<std::ptrdiff_t>(left.size()));
        if (!joined.empty())
            kept_ = std::move(joined);
        return {};
    }
    // Bytes of an unfinished frame.
    Bytes unfinished() const noexcept { return kept_; }

private:
    std::vector<std::uint8_t> kept_;
    heartline_stream state_{};
};

// ---- Batches ----

namespace detail {

// What a poll or an advance wrote, and how much of it was handed out.
template <class Raw> class Buffer {
public:
    explicit Buffer(std::size_t capacity) : items_(capacity == 0 ? 1 : capacity) {}
    Raw *data() noexcept { return items_.data(); }
    std::uint32_t capacity() const noexcept { return static_cast<std::uint32_t>(items_.size()); }
    void fill(std::int32_t count) noexcept {
        next_ = 0;
        count_ = count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    bool empty() const noexcept { return next_ == count_; }
    const Raw &take() noexcept { return items_[next_++]; }
    Span<const Raw> take_all() noexcept {
        Span<const Raw> rest(items_.data() + next_, count_ - next_);
        next_ = count_;
        return rest;
    }

private:
    std::vector<Raw> items_;
    std::size_t next_ = 0, count_ = 0;
};

// While one exists, the events that are being handed out must stay.
class Inside {
public:
    explicit Inside(bool &inside) noexcept : inside_(inside) { inside_ = true; }
    ~Inside() { inside_ = false; }
    Inside(const Inside &) = delete;
    Inside &operator=(const Inside &) = delete;

private:
    bool &inside_;
};

} // namespace detail

// Events or verdicts, to go through with `for`; or an error. Borrowed until the next poll or advance.
template <class View, class Raw> class Batch {
public:
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = View;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = View;
        explicit Iterator(const Raw *at) noexcept : at_(at) {}
        View operator*() const noexcept { return View(*at_); }
        Iterator &operator++() noexcept { return ++at_, *this; }
        Iterator operator++(int) noexcept { return Iterator(at_++); }
        bool operator==(const Iterator &other) const noexcept { return at_ == other.at_; }
        bool operator!=(const Iterator &other) const noexcept { return at_ != other.at_; }

    private:
        const Raw *at_;
    };

    Batch(Span<const Raw> raw) noexcept : raw_(raw) {}
    Batch(std::int32_t error) noexcept : error_(error) {}
    Iterator begin() const noexcept { return Iterator(raw_.begin()); }
    Iterator end() const noexcept { return Iterator(raw_.end()); }
    std::size_t size() const noexcept { return raw_.size(); }
    bool empty() const noexcept { return raw_.empty(); }
    View operator[](std::size_t index) const noexcept { return View(raw_[index]); }
    explicit operator bool() const noexcept { return error_ == 0; }
    std::int32_t error() const noexcept { return error_; }
    Status status() const noexcept { return error_; }
    Span<const Raw> raw() const noexcept { return raw_; }

private:
    Span<const Raw> raw_;
    std::int32_t error_ = 0;
};

// ---- Level 1: the monitor ----

// Something that the host should do or know.
class Verdict {
public:
    explicit Verdict(const heartline_verdict &raw) noexcept : raw_(raw) {}
    VerdictKind kind() const noexcept { return static_cast<VerdictKind>(raw_.kind); }
    Peer peer() const noexcept { return raw_.peer; }
    std::uint64_t user() const noexcept { return raw_.user; }
    template <class T> T *user_as() const noexcept { return detail::pointer<T>(raw_.user); }
    Milliseconds silence() const noexcept { return Milliseconds(raw_.silence_ms); }
    Milliseconds overshoot() const noexcept { return Milliseconds(raw_.overshoot_ms); }
    std::uint32_t unanswered() const noexcept { return raw_.unanswered; }
    const heartline_verdict &raw() const noexcept { return raw_; }

private:
    heartline_verdict raw_;
};
using Verdicts = Batch<Verdict, heartline_verdict>;

class MonitorConfig {
public:
    MonitorConfig() noexcept : raw_(detail::sized<heartline_monitor_config>()) {}
    // How often the host calls at least; lateness up to this is jitter.
    MonitorConfig &granularity(Milliseconds time) noexcept {
        return raw_.granularity_ms = detail::milliseconds<std::uint32_t>(time), *this;
    }
    MonitorConfig &seed(std::uint64_t seed) noexcept { return raw_.seed = seed, *this; }
    MonitorConfig &mass_silence(std::uint32_t percent, Milliseconds window = Milliseconds(0),
                                Milliseconds hold = Milliseconds(0), std::uint32_t peers_min = 0) noexcept {
        return detail::mass_silence(raw_, percent, window, hold, peers_min), *this;
    }
    // The host says spoke() for what it sends.
    MonitorConfig &tells_sends(bool is = true) noexcept { return raw_.tells_sends = detail::flag(is), *this; }
    // Verdicts that one advance() can give.
    MonitorConfig &capacity(std::size_t verdicts) noexcept { return capacity_ = verdicts, *this; }
    std::size_t capacity() const noexcept { return capacity_; }
    const heartline_monitor_config &raw() const noexcept { return raw_; }

private:
    heartline_monitor_config raw_;
    std::size_t capacity_ = 256;
};

// Watches the peers of a host that owns its sockets and its loop. One thread at a time.
class Monitor {
public:
    static Result<Monitor> make(Time now, const MonitorConfig &config = {}) {
        heartline_monitor *raw = nullptr;
        std::int32_t error = check_abi().error();
        if (error == 0)
            error = heartline_monitor_new(&config.raw(), detail::at(now), &raw);
        return error < 0 ? Result<Monitor>::failure(error) : Result<Monitor>(Monitor(raw, config.capacity()));
    }
    [[nodiscard]] Status policy(std::uint32_t slot, const Policy &policy, Time now) noexcept {
        return heartline_monitor_policy(raw_.get(), slot, &policy.raw(), detail::at(now));
    }
    // Watches a new peer, heard now.
    Result<Peer> add(std::uint64_t user, Time now, std::uint32_t policy = 0) {
        Peer peer = 0;
        std::int32_t error = heartline_monitor_add(raw_.get(), user, policy, detail::at(now), &peer);
        return error < 0 ? Result<Peer>::failure(error) : Result<Peer>(peer);
    }
    Status remove(Peer peer) noexcept {
        removed_ = true;
        return heartline_monitor_remove(raw_.get(), peer);
    }
    // Bytes came from it: once per read.
    Status heard(Peer peer, Time now) noexcept { return heartline_monitor_heard(raw_.get(), peer, detail::at(now)); }
    // A beat came from it. True: an answer is owed.
    Result<bool> beat(Peer peer, Beat kind, Time now) {
        std::int32_t owed = heartline_monitor_beat(raw_.get(), peer, static_cast<std::uint32_t>(kind), detail::at(now));
        return owed < 0 ? Result<bool>::failure(owed) : Result<bool>(owed == 1);
    }
    Status spoke(Peer peer) noexcept { return heartline_monitor_spoke(raw_.get(), peer); }
    Status set_user(Peer peer, std::uint64_t user, Time now) noexcept { return set(peer, HEARTLINE_SET_USER, user, now); }
    Status set_policy(Peer peer, std::uint32_t slot, Time now) noexcept {
        return set(peer, HEARTLINE_SET_POLICY, slot, now);
    }
    // Nobody judges it for so long; its silence is counted from then on.
    Status grace(Peer peer, Milliseconds time, Time now) noexcept {
        return set(peer, HEARTLINE_SET_GRACE_MS, detail::milliseconds<std::uint32_t>(time), now);
    }
    // So many asks more, sent by somebody else, are without an answer.
    Status expect_answers(Peer peer, std::uint32_t count, Time now) noexcept {
        return set(peer, HEARTLINE_SET_UNANSWERED, count, now);
    }
    // Its first whole frame came: with after_first_frame it is asked from now on.
    Status framed(Peer peer, Time now) noexcept { return set(peer, HEARTLINE_SET_FRAMED, 1, now); }
    Status pause(Peer peer, bool is, Time now) noexcept { return set(peer, HEARTLINE_SET_PAUSE_READ, is ? 1 : 0, now); }

    // How long the host may wait: for epoll_wait; -1 is for ever. It is also the promise to be back by then.
    int wait_ms(Time now) noexcept { return heartline_monitor_wait_ms(raw_.get(), detail::at(now)); }
    // The wait is over; say it before heard(). The length of a stall.
    Milliseconds woke(Time now) noexcept {
        std::int32_t stall = heartline_monitor_woke(raw_.get(), detail::at(now));
        return Milliseconds(stall < 0 ? 0 : stall);
    }
    // What is due, after what came was heard. Call it again while the batch is as large as the capacity. If the host removes
    // another peer than the one at hand, a later verdict about that one may lie in the batch still: judge() passes it over.
    Verdicts advance(Time now) noexcept {
        if (due_.empty()) {
            std::int32_t count = heartline_monitor_advance(raw_.get(), detail::at(now), due_.data(), due_.capacity());
            due_.fill(count);
            if (count < 0)
                return count;
        }
        return due_.take_all();
    }
    // Calls `on_verdict(const Verdict &)` for all that is due. Peers may be removed in there, any of them.
    template <class OnVerdict> Status judge(Time now, OnVerdict &&on_verdict) {
        if (inside_)
            return HEARTLINE_ERR_OVERLAP;
        detail::Inside inside(inside_);
        for (;;) {
            std::int32_t count = static_cast<std::int32_t>(due_.capacity());
            if (due_.empty()) {
                removed_ = false;
                count = heartline_monitor_advance(raw_.get(), detail::at(now), due_.data(), due_.capacity());
                due_.fill(count);
                if (count < 0)
                    return count;
            }
            while (!due_.empty()) {
                Verdict verdict(due_.take());
                if (removed_ && verdict.peer() != 0 && !info(verdict.peer(), now))
                    continue; // removed by an earlier call: what its word points to may be gone
                on_verdict(static_cast<const Verdict &>(verdict));
            }
            if (static_cast<std::uint32_t>(count) < due_.capacity())
                return {};
        }
    }

    Result<heartline_peer_info> info(Peer peer, Time now) {
        heartline_peer_info info;
        std::int32_t error = heartline_monitor_info(raw_.get(), peer, detail::at(now), &info, sizeof info);
        return error < 0 ? Result<heartline_peer_info>::failure(error) : Result<heartline_peer_info>(info);
    }
    Result<heartline_monitor_stats> stats() {
        heartline_monitor_stats stats;
        std::int32_t error = heartline_monitor_read_stats(raw_.get(), &stats, sizeof stats);
        return error < 0 ? Result<heartline_monitor_stats>::failure(error) : Result<heartline_monitor_stats>(stats);
    }
    heartline_monitor *raw() const noexcept { return raw_.get(); }

private:
    Monitor(heartline_monitor *raw, std::size_t capacity) : raw_(raw), due_(capacity) {}
    Status set(Peer peer, std::uint32_t what, std::uint64_t value, Time now) noexcept {
        return heartline_monitor_set(raw_.get(), peer, what, value, detail::at(now));
    }

    detail::Handle<heartline_monitor> raw_;
    detail::Buffer<heartline_verdict> due_;
    bool removed_ = false, inside_ = false;
};

// ---- Level 3: the reactor ----

// Something that happened. Its bytes are borrowed until the next poll of the reactor.
class Event {
public:
    explicit Event(const heartline_event &raw) noexcept : raw_(&raw) {}
    EventKind kind() const noexcept { return static_cast<EventKind>(raw_->kind); }
    Id id() const noexcept { return raw_->id; }
    // Your word. Free what it points to at Closed or ConnectFailed, nowhere else.
    std::uint64_t user() const noexcept { return raw_->user; }
    template <class T> T *user_as() const noexcept { return detail::pointer<T>(raw_->user); }
    // Message: the message. Beat: the whole frame. Unsent: the frame, or what was given to the mailbox.
    Bytes message() const noexcept { return {raw_->data, raw_->len}; }
    std::string_view text() const noexcept { return message().text(); }
    // Message: all bytes before the message.
    Bytes head() const noexcept { return raw_->head_len == 0 ? Bytes() : Bytes(raw_->data - raw_->head_len, raw_->head_len); }
    // Closed, ConnectFailed.
    Reason reason() const noexcept { return static_cast<Reason>(raw_->reason); }
    // Closed: the same as a number; from 256 it is the application's own.
    std::uint16_t code() const noexcept { return raw_->reason; }
    int os_error() const noexcept { return raw_->os_error; }
    Milliseconds silence() const noexcept { return Milliseconds(raw_->silence_ms); }
    std::optional<Milliseconds> rtt() const noexcept { return detail::measured(raw_->rtt_ms); }
    std::uint32_t queued_bytes() const noexcept { return raw_->queued_bytes; }
    // Opened, AcceptPaused, AcceptResumed: the listener; -1 if there is none.
    std::int32_t listener() const noexcept { return raw_->listener == HEARTLINE_NO_LISTENER ? -1 : raw_->listener; }
    const heartline_event &raw() const noexcept { return *raw_; }

private:
    const heartline_event *raw_;
};
using Events = Batch<Event, heartline_event>;

// Functions for Reactor::dispatch. What is not set is passed over.
struct Callbacks {
    using Callback = std::function<void(const Event &)>;
    Callback opened, message, closed, connect_failed, suspect, revived, full, drained, unsent, read_closed, beat;
    Callback other; // everything of the reactor itself, and kinds to come

    void operator()(const Event &event) const {
        const Callback &callback = of(event.kind());
        if (callback)
            callback(event);
    }

private:
    const Callback &of(EventKind kind) const noexcept {
        switch (kind) {
        case EventKind::Opened: return opened;
        case EventKind::Message: return message;
        case EventKind::Closed: return closed;
        case EventKind::ConnectFailed: return connect_failed;
        case EventKind::Suspect: return suspect;
        case EventKind::Revived: return revived;
        case EventKind::Full: return full;
        case EventKind::Drained: return drained;
        case EventKind::Unsent: return unsent;
        case EventKind::ReadClosed: return read_closed;
        case EventKind::Beat: return beat;
        case EventKind::Stalled:
        case EventKind::AcceptPaused:
        case EventKind::AcceptResumed:
        case EventKind::MassSilence: return other;
        }
        return other;
    }
};

// Settings of a connection, or of all that a listener accepts. `off` for no limit.
class Options {
public:
    Options() noexcept : raw_(detail::sized<heartline_options>()) {}
    Options &policy(std::uint32_t slot) noexcept { return raw_.policy = slot, *this; }
    Options &nodelay(bool is) noexcept { return raw_.nodelay = is ? 1 : HEARTLINE_OFF, *this; }
    Options &keepalive(std::chrono::seconds idle, std::chrono::seconds interval, std::uint32_t count) noexcept {
        raw_.keepalive_idle_s = static_cast<std::uint32_t>(idle.count());
        raw_.keepalive_interval_s = static_cast<std::uint32_t>(interval.count());
        raw_.keepalive_count = count;
        return *this;
    }
    Options &user_timeout(Milliseconds time) noexcept {
        return raw_.user_timeout_ms = detail::milliseconds<std::uint32_t>(time), *this;
    }
    Options &send_buffer_bytes(std::uint32_t bytes) noexcept { return raw_.send_buffer_bytes = bytes, *this; }
    Options &receive_buffer_bytes(std::uint32_t bytes) noexcept { return raw_.receive_buffer_bytes = bytes, *this; }
    // Over `high` queued bytes a message is not taken; Drained comes at `low`.
    Options &marks(std::uint32_t high_bytes, std::uint32_t low_bytes = 0) noexcept {
        return raw_.high_bytes = high_bytes, raw_.low_bytes = low_bytes, *this;
    }
    Options &when_full(WhenFull what) noexcept { return raw_.when_full = static_cast<std::uint32_t>(what), *this; }
    Options &first_frame(Milliseconds time) noexcept { return raw_.first_frame_ms = detail::limit(time), *this; }
    Options &frame(Milliseconds time) noexcept { return raw_.frame_ms = detail::limit(time), *this; }
    Options &output(Milliseconds time) noexcept { return raw_.output_ms = detail::limit(time), *this; }
    Options &connect(Milliseconds time) noexcept { return raw_.connect_ms = detail::limit(time), *this; }
    Options &close(Milliseconds time) noexcept { return raw_.close_ms = detail::limit(time), *this; }
    // Who leaves earlier than this after the open without a byte was a health check: Reason::HealthCheck. 0: off.
    Options &health_check(Milliseconds time) noexcept { return raw_.health_check_ms = detail::limit(time), *this; }
    Options &half_open(bool is = true) noexcept { return raw_.half_open = detail::flag(is), *this; }
    Options &deliver_beats(bool is = true) noexcept { return raw_.deliver_beats = detail::flag(is), *this; }
    const heartline_options &raw() const noexcept { return raw_; }

private:
    heartline_options raw_;
};

class ListenOptions {
public:
    ListenOptions() noexcept : raw_(detail::sized<heartline_listen_options>()) {}
    ListenOptions &connection(const Options &options) noexcept { return connection_ = options, *this; }
    ListenOptions &backlog(std::uint32_t length) noexcept { return raw_.backlog = length, *this; }
    ListenOptions &reuse_port(bool is = true) noexcept { return raw_.reuse_port = detail::flag(is), *this; }
    ListenOptions &per_address_max(std::uint32_t count) noexcept { return raw_.per_address_max = count, *this; }
    ListenOptions &accepts_per_second(std::uint32_t count) noexcept { return raw_.accepts_per_second = count, *this; }
    // Points into this object.
    heartline_listen_options raw() const noexcept {
        heartline_listen_options raw = raw_;
        raw.connection = &connection_.raw();
        return raw;
    }

private:
    heartline_listen_options raw_;
    Options connection_;
};

class DrainOptions {
public:
    DrainOptions() noexcept : raw_(detail::sized<heartline_drain_options>()) {}
    // The closes are spread evenly over this.
    DrainOptions &spread(Milliseconds time) noexcept {
        return raw_.spread_ms = detail::milliseconds<std::uint64_t>(time), *this;
    }
    // Whoever is left after this is cut off.
    DrainOptions &limit(Milliseconds time) noexcept {
        return raw_.limit_ms = detail::milliseconds<std::uint64_t>(time), *this;
    }
    // Told instead of `drained`; from 256 up.
    DrainOptions &code(std::uint32_t code) noexcept { return raw_.code = code, *this; }
    // A message for each connection, sent just before its close begins.
    DrainOptions &farewell(Bytes message) {
        return farewell_.assign(message.begin(), message.end()), has_farewell_ = true, *this;
    }
    // Points into this object.
    heartline_drain_options raw() const noexcept {
        heartline_drain_options raw = raw_;
        raw.farewell = !has_farewell_ ? nullptr : farewell_.empty() ? static_cast<const void *>("") : farewell_.data();
        raw.farewell_len = farewell_.size();
        return raw;
    }

private:
    heartline_drain_options raw_;
    std::vector<std::uint8_t> farewell_;
    bool has_farewell_ = false;
};

class ReactorConfig {
public:
    using Log = std::function<void(LogLevel, std::string_view)>;

    ReactorConfig() noexcept : raw_(detail::sized<heartline_reactor_config>()) {}
    // Address, times and counts per connection, 48 bytes each; on unless switched off.
    ReactorConfig &statistics(bool is) noexcept { return raw_.statistics = is ? 1 : HEARTLINE_OFF, *this; }
    ReactorConfig &seed(std::uint64_t seed) noexcept { return raw_.seed = seed, *this; }
    ReactorConfig &granularity(Milliseconds time) noexcept {
        return raw_.granularity_ms = detail::milliseconds<std::uint32_t>(time), *this;
    }
    ReactorConfig &verdicts_per_turn(std::uint32_t count) noexcept { return raw_.verdicts_per_turn = count, *this; }
    ReactorConfig &mass_silence(std::uint32_t percent, Milliseconds window = Milliseconds(0),
                                Milliseconds hold = Milliseconds(0), std::uint32_t peers_min = 0) noexcept {
        return detail::mass_silence(raw_, percent, window, hold, peers_min), *this;
    }
    ReactorConfig &autopsy(Milliseconds time) noexcept {
        return raw_.autopsy_ms = detail::milliseconds<std::uint32_t>(time), *this;
    }
    ReactorConfig &connections_max(std::uint32_t count) noexcept { return raw_.connections_max = count, *this; }
    ReactorConfig &mailbox_max(std::uint32_t count) noexcept { return raw_.mailbox_max = count, *this; }
    ReactorConfig &partial_bytes_max(std::uint64_t bytes) noexcept { return raw_.partial_bytes_max = bytes, *this; }
    ReactorConfig &outbox_bytes_max(std::uint64_t bytes) noexcept { return raw_.outbox_bytes_max = bytes, *this; }
    ReactorConfig &batch_bytes(std::uint64_t bytes) noexcept { return raw_.batch_bytes = bytes, *this; }
    // Told what an operator may want to read. It must not use the same reactor; what it throws is lost.
    ReactorConfig &log(Log log) { return log_ = std::make_shared<Log>(std::move(log)), *this; }
    // Events that one poll can give.
    ReactorConfig &capacity(std::size_t events) noexcept { return capacity_ = events, *this; }
    std::size_t capacity() const noexcept { return capacity_; }
    const std::shared_ptr<Log> &log() const noexcept { return log_; }
    // Points into what log() shares.
    heartline_reactor_config raw() const noexcept {
        heartline_reactor_config raw = raw_;
        if (log_ && *log_) {
            raw.log = write_log;
            raw.log_context = log_.get();
        }
        return raw;
    }

private:
    static void write_log(void *context, std::uint32_t level, const char *text) noexcept {
        // Nothing may be thrown into the library. Whether this file is built with exceptions at all is the user's choice.
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
        try {
            (*static_cast<Log *>(context))(static_cast<LogLevel>(level), text);
        } catch (...) {
        }
#else
        (*static_cast<Log *>(context))(static_cast<LogLevel>(level), text);
#endif
    }

    heartline_reactor_config raw_;
    std::shared_ptr<Log> log_;
    std::size_t capacity_ = 512;
};

// The full report on a connection that has ended.
class Obituary {
public:
    explicit Obituary(const heartline_obituary &raw) noexcept : raw_(raw) {}
    Reason reason() const noexcept { return static_cast<Reason>(raw_.reason); }
    Milliseconds age() const noexcept { return Milliseconds(raw_.age_ms); }
    Milliseconds silence() const noexcept { return Milliseconds(raw_.silence_ms); }
    Milliseconds overshoot() const noexcept { return Milliseconds(raw_.overshoot_ms); }
    std::optional<Milliseconds> rtt() const noexcept { return detail::measured(raw_.rtt_ms); }
    std::string_view address() const noexcept { return raw_.address; }
    // What was wrong with the bytes, a sentence, or empty.
    std::string_view why() const noexcept { return raw_.why; }
    const heartline_obituary *operator->() const noexcept { return &raw_; }

private:
    heartline_obituary raw_;
};

// A connection that was given back. Closes its descriptor unless it is taken out.
class Released {
public:
    explicit Released(const heartline_released &raw)
        : user(raw.user), unread(raw.unread, raw.unread + raw.unread_len), unsent(raw.unsent, raw.unsent + raw.unsent_len),
          unanswered(raw.unanswered), fd_(raw.fd) {}
    Released(Released &&other) noexcept
        : user(other.user), unread(std::move(other.unread)), unsent(std::move(other.unsent)),
          unanswered(other.unanswered), fd_(std::exchange(other.fd_, -1)) {}
    Released &operator=(Released &&other) noexcept {
        if (this != &other) {
            reset();
            user = other.user;
            unread = std::move(other.unread);
            unsent = std::move(other.unsent);
            unanswered = other.unanswered;
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~Released() { reset(); }

    int fd() const noexcept { return fd_; }
    // The descriptor, the caller's from here on.
    int take_fd() noexcept { return std::exchange(fd_, -1); }

    std::uint64_t user;
    std::vector<std::uint8_t> unread; // read and not delivered
    std::vector<std::uint8_t> unsent; // accepted for sending and not sent
    std::uint32_t unanswered;         // asks: for expect_answers of whoever adopts it

private:
    void reset() noexcept {
        if (fd_ >= 0)
            ::close(take_fd());
    }
    int fd_;
};

// A handle on a reactor for any thread, several at once. It may outlive the reactor.
class Mailbox {
public:
    Status send(Id id, Bytes message) const noexcept {
        return heartline_mailbox_send(raw_.get(), id, message.data(), message.size());
    }
    Status broadcast(Bytes message) const noexcept {
        return heartline_mailbox_broadcast(raw_.get(), message.data(), message.size());
    }
    Status close(Id id, Close how = Close::Flush, std::uint32_t code = 0) const noexcept {
        return heartline_mailbox_close(raw_.get(), id, static_cast<std::uint32_t>(how), code);
    }
    // Makes the reactor's poll return.
    Status wake() const noexcept { return heartline_mailbox_wake(raw_.get()); }
    heartline_mailbox *raw() const noexcept { return raw_.get(); }

private:
    friend class Reactor;
    explicit Mailbox(heartline_mailbox *raw) noexcept : raw_(raw) {}
    detail::Handle<heartline_mailbox> raw_;
};

// An epoll set with connections in it. One thread at a time; other threads reach it by a Mailbox.
class Reactor {
public:
    static Result<Reactor> make(const ReactorConfig &config = {}) {
        heartline_reactor *raw = nullptr;
        const heartline_reactor_config settings = config.raw();
        std::int32_t error = check_abi().error();
        if (error == 0)
            error = heartline_reactor_new(&settings, &raw);
        return error < 0 ? Result<Reactor>::failure(error) : Result<Reactor>(Reactor(raw, config));
    }
    Reactor(Reactor &&) noexcept = default;
    Reactor &operator=(Reactor &&other) noexcept {
        raw_ = std::move(other.raw_); // first: the reactor that ends here may still write to its log
        log_ = std::move(other.log_);
        events_ = std::move(other.events_);
        return *this;
    }

    // The policy in a slot, which Options::policy names.
    [[nodiscard]] Status policy(std::uint32_t slot, const Policy &policy) noexcept {
        return heartline_reactor_policy(raw_.get(), slot, &policy.raw());
    }
    // "IP:PORT", "[IPv6]:PORT", "unix:PATH", "unix:@NAME" or "fd:N". The number of the listener.
    Result<std::int32_t> listen(const std::string &at, const Codec &codec, const ListenOptions &options = {}) {
        const heartline_listen_options settings = options.raw();
        return number(heartline_reactor_listen(raw_.get(), at.c_str(), codec.raw(), &settings));
    }
    // Where a listener listens, with the port that the kernel chose; empty if there is no such listener.
    std::string listener_address(std::int32_t listener) {
        return detail::text([&](char *buffer, std::size_t size) {
            return heartline_reactor_listener_address(raw_.get(), listener, buffer, size);
        });
    }
    Status stop_listening(std::int32_t listener) noexcept {
        return heartline_reactor_stop_listening(raw_.get(), listener);
    }
    // Ends in Opened ... Closed or in ConnectFailed alone. What is sent before Opened waits.
    Result<Id> connect(const std::string &to, const Codec &codec, const Options &options = {}, std::uint64_t user = 0) {
        Id id = 0;
        return made(heartline_reactor_connect(raw_.get(), to.c_str(), codec.raw(), &options.raw(), user, &id), id);
    }
    // Takes over a connected stream socket, on success alone.
    Result<Id> adopt(int fd, const Codec &codec, const Options &options = {}, std::uint64_t user = 0, Bytes unread = {},
                     Bytes unsent = {}) {
        Id id = 0;
        return made(heartline_reactor_adopt(raw_.get(), fd, codec.raw(), &options.raw(), user, unread.data(), unread.size(),
                                            unsent.data(), unsent.size(), &id),
                    id);
    }
    // Takes over what a reactor gave back.
    Result<Id> adopt(Released &&from, const Codec &codec, const Options &options = {}) {
        auto id = adopt(from.fd(), codec, options, from.user, from.unread, from.unsent);
        if (id) {
            from.take_fd();
            expect_answers(id.value(), from.unanswered);
        }
        return id;
    }
    // Gives a connection back; no Closed is told.
    Result<Released> release(Id id) {
        heartline_released raw;
        std::int32_t error = heartline_reactor_release(raw_.get(), id, &raw);
        return error < 0 ? Result<Released>::failure(error) : Result<Released>(Released(raw));
    }

    // Closed comes with a later poll, with `code` (from 256 up; 0: Local) as its reason.
    Status close(Id id, Close how = Close::Flush, std::uint32_t code = 0) noexcept {
        return heartline_reactor_close(raw_.get(), id, static_cast<std::uint32_t>(how), code);
    }
    Status drain(const DrainOptions &options = {}) noexcept {
        const heartline_drain_options settings = options.raw();
        return heartline_reactor_drain(raw_.get(), &settings);
    }
    bool is_drained() noexcept { return heartline_reactor_is_drained(raw_.get()) == 1; }

    // Waits until something happened, the time has passed or the mailbox woke it. The batch and all that it shows is borrowed
    // until the next poll. Inside a callback of dispatch() it is HEARTLINE_ERR_OVERLAP.
    Events poll(Milliseconds timeout = forever) noexcept {
        if (inside_)
            return HEARTLINE_ERR_OVERLAP;
        std::int32_t error = wait(timeout);
        return error < 0 ? Events(error) : Events(events_.take_all());
    }
    // Polls once and calls `on(const Event &)` for each event: a function, or Callbacks. How many there were. If `on` throws,
    // the rest comes with the next call.
    template <class On> Result<std::size_t> dispatch(On &&on, Milliseconds timeout = forever) {
        if (inside_)
            return Result<std::size_t>::failure(HEARTLINE_ERR_OVERLAP);
        std::int32_t error = wait(timeout);
        if (error < 0)
            return Result<std::size_t>::failure(error);
        detail::Inside inside(inside_);
        std::size_t count = 0;
        for (; !events_.empty(); count++)
            on(Event(events_.take()));
        return count;
    }
    // The descriptor to nest this reactor in a foreign loop; then poll with Milliseconds(0) until a batch is not full.
    Result<std::int32_t> fd() { return number(heartline_reactor_fd(raw_.get())); }
    // For loops that take a timeout instead; -1 is for ever.
    int wait_ms() noexcept { return heartline_reactor_wait_ms(raw_.get()); }
    std::size_t capacity() const noexcept { return events_.capacity(); }

    Status set_user(Id id, std::uint64_t user) noexcept { return set(id, HEARTLINE_SET_USER, user); }
    Status set_policy(Id id, std::uint32_t slot) noexcept { return set(id, HEARTLINE_SET_POLICY, slot); }
    // Nobody judges it for so long; its silence is counted from then on.
    Status grace(Id id, Milliseconds time) noexcept {
        return set(id, HEARTLINE_SET_GRACE_MS, detail::milliseconds<std::uint32_t>(time));
    }
    // So many asks were sent before it was adopted and have no answer yet (Released::unanswered).
    Status expect_answers(Id id, std::uint32_t count) noexcept { return set(id, HEARTLINE_SET_UNANSWERED, count); }
    // Stops reading it, or reads on.
    Status pause(Id id, bool is = true) noexcept { return set(id, HEARTLINE_SET_PAUSE_READ, is ? 1 : 0); }
    // A low mark above it is lowered to a quarter of it.
    Status set_high_mark(Id id, std::uint32_t bytes) noexcept { return set(id, HEARTLINE_SET_HIGH_MARK, bytes); }
    Status set_low_mark(Id id, std::uint32_t bytes) noexcept { return set(id, HEARTLINE_SET_LOW_MARK, bytes); }
    // All options of a live connection, its codec among them.
    Status set_options(Id id, const Codec &codec, const Options &options) noexcept {
        return heartline_reactor_set_options(raw_.get(), id, codec.raw(), &options.raw());
    }

    // Queues one message, framed; it is copied.
    Status send(Id id, Bytes message) noexcept {
        return heartline_reactor_send(raw_.get(), id, message.data(), message.size());
    }
    // The same with the other bytes of the head given.
    Status send(Id id, Bytes head, Bytes message) noexcept {
        return heartline_reactor_send_head(raw_.get(), id, head.data(), head.size(), message.data(), message.size());
    }
    // The same from several parts, which become one message.
    Status sendv(Id id, Span<const heartline_slice> parts) noexcept {
        return heartline_reactor_sendv(raw_.get(), id, parts.data(), parts.size());
    }
    // One message to many. How many took it; `results`, if given, has room for as many numbers as there are ids.
    Result<std::int32_t> broadcast(Span<const Id> ids, Bytes message, Span<std::int32_t> results = {}) {
        if (!results.empty() && results.size() < ids.size())
            return Result<std::int32_t>::failure(HEARTLINE_ERR_SHORT);
        return number(heartline_reactor_broadcast(raw_.get(), ids.data(), ids.size(), message.data(), message.size(),
                                                  results.data()));
    }
    // To every open connection but `except`.
    Result<std::int32_t> broadcast_all(Bytes message, Id except = 0) {
        return number(heartline_reactor_broadcast_all(raw_.get(), except, message.data(), message.size()));
    }
    // Sends what was queued, now.
    Status flush() noexcept { return heartline_reactor_flush(raw_.get()); }

    Result<heartline_connection_info> info(Id id) {
        heartline_connection_info info;
        std::int32_t error = heartline_reactor_info(raw_.get(), id, &info, sizeof info);
        return error < 0 ? Result<heartline_connection_info>::failure(error) : Result<heartline_connection_info>(info);
    }
    // Of a connection whose end the last poll told; until the next poll.
    Result<Obituary> obituary(Id id) {
        heartline_obituary raw;
        std::int32_t error = heartline_reactor_obituary(raw_.get(), id, &raw, sizeof raw);
        return error < 0 ? Result<Obituary>::failure(error) : Result<Obituary>(Obituary(raw));
    }
    // How many connections live.
    std::size_t count() noexcept {
        std::int32_t count = heartline_reactor_count(raw_.get());
        return count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    std::vector<Id> ids() {
        std::vector<Id> ids(count());
        std::int32_t live = heartline_reactor_ids(raw_.get(), ids.data(), ids.size());
        return ids.resize(live < 0 ? 0 : static_cast<std::size_t>(live)), ids;
    }
    Result<std::uint64_t> counter(const std::string &name) {
        std::uint64_t value = 0;
        std::int32_t error = heartline_reactor_counter(raw_.get(), name.c_str(), &value);
        return error < 0 ? Result<std::uint64_t>::failure(error) : Result<std::uint64_t>(value);
    }
    // In Prometheus' text format.
    std::string metrics() {
        return detail::text([&](char *buffer, std::size_t size) { return heartline_reactor_metrics(raw_.get(), buffer, size); });
    }
    Result<Mailbox> mailbox() {
        heartline_mailbox *raw = nullptr;
        std::int32_t error = heartline_mailbox_new(raw_.get(), &raw);
        return error < 0 ? Result<Mailbox>::failure(error) : Result<Mailbox>(Mailbox(raw));
    }
    // errno behind the last HEARTLINE_ERR_OS.
    int os_error() noexcept { return heartline_reactor_os_error(raw_.get()); }
    heartline_reactor *raw() const noexcept { return raw_.get(); }

private:
    Reactor(heartline_reactor *raw, const ReactorConfig &config)
        : log_(config.log()), events_(config.capacity()), raw_(raw) {}

    static Result<std::int32_t> number(std::int32_t result) {
        return result < 0 ? Result<std::int32_t>::failure(result) : Result<std::int32_t>(result);
    }
    // By reference: the call that writes `id` is an argument beside it.
    static Result<Id> made(std::int32_t error, const Id &id) {
        return error < 0 ? Result<Id>::failure(error) : Result<Id>(id);
    }
    Status set(Id id, std::uint32_t what, std::uint64_t value) noexcept {
        return heartline_reactor_set(raw_.get(), id, what, value);
    }
    // Polls, unless events of the batch before are left.
    std::int32_t wait(Milliseconds timeout) noexcept {
        if (!events_.empty())
            return 0;
        std::int32_t count = heartline_reactor_poll(raw_.get(), events_.data(), events_.capacity(), detail::wait(timeout));
        events_.fill(count);
        return count;
    }

    // The reactor ends before its log and before the events that point into it.
    std::shared_ptr<ReactorConfig::Log> log_;
    detail::Buffer<heartline_event> events_;
    detail::Handle<heartline_reactor> raw_;
    bool inside_ = false;
};

} // inline namespace
} // namespace heartline

#endif /* HEARTLINE_HPP */
