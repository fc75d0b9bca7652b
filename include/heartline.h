#ifndef HEARTLINE_H
#define HEARTLINE_H

/* Generated from src/capi by cbindgen: change it there, then `make header`. */

#include <stddef.h>
#include <stdint.h>

/*
 * Heartline keeps long-lived connections alive and honest: it frames their bytes, beats when they fall silent, finds
 * the dead on time and kills none of the living. Three levels, each useful alone:
 *
 *   1  heartline_monitor_*   liveness for connections that you own, in your own loop
 *   2  heartline_codec_*     framing of bytes that you own
 *   3  heartline_reactor_*   everything: sockets, framing, liveness, limits
 *
 * docs/c-guide.md walks through adopting each.
 *
 * The rules
 *
 * Results. An int32_t from 0 up is success, often a count; below -1 it is a HEARTLINE_ERR_ number, which
 *   heartline_strerror and heartline_name explain. -1 is never an error: where a wait is asked for it means for ever.
 *   What a function writes through a pointer it writes on success alone; but `why` explains a failure, and a stream
 *   remembers. A length over PTRDIFF_MAX is HEARTLINE_ERR_INVALID. Compilers warn where a result is dropped that no
 *   sound program drops (HEARTLINE_NODISCARD; define it empty before the header if they should not).
 *
 * Threads. A monitor or a reactor is used by one thread at a time; which one may change. Overlapping use is found and
 *   is HEARTLINE_ERR_OVERLAP, not a race. Codecs and mailboxes are for any thread, several at once; freeing one is not.
 *   Another thread reaches a reactor by its mailbox. Heartline starts no thread, installs no signal handler, prints
 *   nothing, and never raises SIGPIPE.
 *
 * Ownership. Bytes and strings that you give are borrowed for the call, and copied where they are kept. What you get
 *   (data of an event, a frame, a released connection) is borrowed: each function says until when. What Heartline made
 *   only Heartline frees, by the _free of its kind; NULL is a no-op there, and HEARTLINE_ERR_NULL anywhere else.
 *   (NULL, 0) is an empty range of bytes. Strings are UTF-8.
 *
 * Structs that begin with struct_size: zero it, set struct_size, set what you need; 0 is every other field's default.
 *   HEARTLINE_INIT does the first two. Fields named reserved stay 0 where you fill a struct in. Fields are only
 *   appended, so a program goes on working with a newer library; what a newer program sets beyond what an older library
 *   knows is HEARTLINE_ERR_VERSION, not ignored.
 *
 * Ids are numbers below 2^53 (exact in a double), never 0. Each is used once: a stale id, or one of another reactor, is
 *   HEARTLINE_ERR_STALE. `user` is your word, a number or a pointer; Heartline never reads it.
 *
 * Events. Every OPENED has exactly one CLOSED, the last event of its id, whoever closed. Later events of a closed id in
 *   the same batch still carry `user`: free your object at CLOSED (or CONNECT_FAILED), nowhere else. Give connect and
 *   adopt your word; of an accepted connection set it at OPENED: no other event of it is in that batch.
 *
 * Time. A clock of your own is in milliseconds, monotonic, rounded down; heartline_now_ms is one. A function named
 *   _ms takes or gives milliseconds. Silence is attended time: while this process was stopped or busy, nobody was silent.
 *
 * Fork. Descriptors are closed on exec. The sockets and the epoll set of a reactor stay the parent's: in a forked child
 *   every call on it or its mailboxes is HEARTLINE_ERR_FORKED, and heartline_reactor_free does nothing (Linux 4.14 or
 *   later; before, leave it alone). That the child holds the descriptors keeps no connection open. It may use its copies
 *   of monitors and codecs, and make reactors of its own.
 *
 * Bugs. A panic inside becomes HEARTLINE_ERR_PANIC; the object then takes nothing but its _free, and your server lives.
 *   Callbacks (a custom codec, the log) must not throw: that ends the process, as running out of memory does.
 */

#ifndef HEARTLINE_NODISCARD
#if (defined(__cplusplus) && __cplusplus >= 201703L) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define HEARTLINE_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define HEARTLINE_NODISCARD __attribute__((warn_unused_result))
#else
#define HEARTLINE_NODISCARD
#endif
#endif

/* heartline_policy policy; HEARTLINE_INIT(policy); */
#define HEARTLINE_INIT(object)                                                                                        \
    do {                                                                                                              \
        unsigned char *heartline_bytes_ = (unsigned char *)&(object);                                                 \
        size_t heartline_at_;                                                                                         \
        for (heartline_at_ = 0; heartline_at_ < sizeof(object); heartline_at_++)                                      \
            heartline_bytes_[heartline_at_] = 0;                                                                      \
        (object).struct_size = (uint32_t)sizeof(object);                                                              \
    } while (0)

#define HEARTLINE_VERSION "0.1.0"
#define HEARTLINE_VERSION_MAJOR 0
#define HEARTLINE_VERSION_MINOR 1
#define HEARTLINE_VERSION_PATCH 0
#define HEARTLINE_VERSION_NUMBER 1000


// The number of this interface: it changes only when a program that was built before may no longer work.
#define HEARTLINE_ABI_VERSION 1

// In any setting whose 0 means the default: none of it, never, no limit.
#define HEARTLINE_OFF UINT32_MAX

// A pointer that must not be NULL is NULL.
#define HEARTLINE_ERR_NULL (-2)

// An argument is out of its range, or a flag or number unknown.
#define HEARTLINE_ERR_INVALID (-3)

// The id is of no live connection or peer: it ended, or is of another object.
#define HEARTLINE_ERR_STALE (-4)

// A struct_size or an ABI version that this library does not know.
#define HEARTLINE_ERR_VERSION (-5)

// Another thread, or a callback of this call, is inside the object.
#define HEARTLINE_ERR_OVERLAP (-6)

// Heartline has a bug and stopped using this object, which now can only be freed.
#define HEARTLINE_ERR_PANIC (-7)

// The operating system said no. C's errno says why; heartline_reactor_os_error keeps it, where there is a reactor.
#define HEARTLINE_ERR_OS (-8)

// The outbox of the connection is over its high mark; HEARTLINE_EVENT_DRAINED tells when to go on.
#define HEARTLINE_ERR_FULL (-9)

// All outboxes together are at outbox_bytes_max.
#define HEARTLINE_ERR_REACTOR_FULL (-10)

// The connection is closing.
#define HEARTLINE_ERR_CLOSING (-11)

// The connection is being dialled or closed.
#define HEARTLINE_ERR_NOT_OPEN (-12)

// Events of this connection are not delivered yet: poll first.
#define HEARTLINE_ERR_BUSY (-13)

// The codec cannot carry this message or head.
#define HEARTLINE_ERR_ENCODE (-14)

// Bytes that are no frame: close the connection.
#define HEARTLINE_ERR_FRAME_BAD (-15)

// A frame over a limit: close the connection.
#define HEARTLINE_ERR_OVER_LIMIT (-16)

// The text or the settings are no codec.
#define HEARTLINE_ERR_SPEC (-17)

// The text or the settings are no policy.
#define HEARTLINE_ERR_POLICY (-18)

// The text is no address.
#define HEARTLINE_ERR_ADDRESS (-19)

// A buffer of the caller is too small.
#define HEARTLINE_ERR_SHORT (-20)

// Close codes below 256 are Heartline's own.
#define HEARTLINE_ERR_CODE_RESERVED (-21)

// The mailbox is full: mailbox_max requests wait.
#define HEARTLINE_ERR_MAILBOX_FULL (-22)

// The reactor of this mailbox is gone.
#define HEARTLINE_ERR_GONE (-23)

// A limit on how many there may be is reached: peers, connections_max.
#define HEARTLINE_ERR_TOO_MANY (-24)

// The object belongs to the process that forked this one: let it be, and exec or make new ones.
#define HEARTLINE_ERR_FORKED (-25)

// Table of heartline_name: the HEARTLINE_ERR_ numbers.
#define HEARTLINE_NAMES_ERRORS 1

// Table of heartline_name: the reasons of CLOSED and CONNECT_FAILED, as "peer_closed".
#define HEARTLINE_NAMES_REASONS 2

// Table of heartline_name: the kinds of events, as "message".
#define HEARTLINE_NAMES_EVENTS 3

// Table of heartline_name: the kinds of verdicts, as "dead".
#define HEARTLINE_NAMES_VERDICTS 4

// The peer sent FIN.
#define HEARTLINE_REASON_PEER_CLOSED 1

// The peer reset the connection.
#define HEARTLINE_REASON_PEER_RESET 2

// Silent for the timeout of its policy.
#define HEARTLINE_REASON_SILENT 3

// No whole frame within first_frame_ms.
#define HEARTLINE_REASON_FIRST_FRAME_LATE 4

// A frame was begun and not completed within frame_ms.
#define HEARTLINE_REASON_FRAME_STALLED 5

// The kernel took none of the queued output for output_ms.
#define HEARTLINE_REASON_OUTPUT_STALLED 6

// Bytes that are no frame.
#define HEARTLINE_REASON_FRAME_BAD 7

// A limit was exceeded: the frame's max, unfinished frames together, connections of one address.
#define HEARTLINE_REASON_OVER_LIMIT 8

// The outbox was over its mark and the options say close.
#define HEARTLINE_REASON_OUTBOX_FULL 9

// An error of the operating system.
#define HEARTLINE_REASON_OS_ERROR 10

// Closed by a drain.
#define HEARTLINE_REASON_DRAINED 11

// Closed by the application without a code of its own.
#define HEARTLINE_REASON_LOCAL 12

// A newer connection of the same user took its place.
#define HEARTLINE_REASON_REPLACED 13

// Asks faster than the policy allows.
#define HEARTLINE_REASON_ABUSE 14

// Sealed beats that do not verify.
#define HEARTLINE_REASON_SEAL_BAD 15

// The upgrade was refused.
#define HEARTLINE_REASON_UPGRADE_REFUSED 16

// A health check that came and left.
#define HEARTLINE_REASON_HEALTH_CHECK 17

// Nobody listens there.
#define HEARTLINE_REASON_CONNECT_REFUSED 18

// Not established within connect_ms.
#define HEARTLINE_REASON_CONNECT_TIMEOUT 19

// Any other error while dialling.
#define HEARTLINE_REASON_CONNECT_ERROR 20

// The first code that is the application's own.
#define HEARTLINE_REASON_APPLICATION 256

// Role: answer asks. The default: nothing is sent that was not agreed.
#define HEARTLINE_ROLE_ANSWER 1

// Role: send nothing.
#define HEARTLINE_ROLE_WATCH 2

// Role: ask, never answer.
#define HEARTLINE_ROLE_ASK 3

// Role: ask and answer.
#define HEARTLINE_ROLE_BOTH 4

// How many policies a monitor or reactor knows: slots 0 to 253.
#define HEARTLINE_POLICIES_MAX 254

// Verdict: send it an ask; it counts as sent.
#define HEARTLINE_VERDICT_ASK 1

// Verdict: silent for suspect_ms; it may still revive.
#define HEARTLINE_VERDICT_SUSPECT 2

// Verdict: a suspect was heard again.
#define HEARTLINE_VERDICT_REVIVED 3

// Verdict: silent for timeout_ms. A proposal: take a last look at the socket (MSG_PEEK), say heard if there is a byte,
// otherwise remove it. If the host does neither, it comes again after an interval.
#define HEARTLINE_VERDICT_DEAD 4

// Verdict: this process was stopped or busy; the time counts for nobody.
#define HEARTLINE_VERDICT_STALLED 5

// Verdict: so many fell silent together that it is our own uplink.
#define HEARTLINE_VERDICT_MASS_SILENCE 6

// Kind of beat: "are you there?"
#define HEARTLINE_BEAT_ASK 1

// Kind of beat: "yes".
#define HEARTLINE_BEAT_ANSWER 2

// Kind of beat: ask and answer are the same bytes. An answer if an ask is outstanding, otherwise an ask.
#define HEARTLINE_BEAT_EITHER 3

// heartline_monitor_set: the host's word, a number or a pointer that Heartline never reads.
#define HEARTLINE_SET_USER 1

// Follow the policy in this slot from now on. The silence goes on.
#define HEARTLINE_SET_POLICY 2

// Nobody judges it for so many milliseconds (a loading screen); its silence is counted from then on.
#define HEARTLINE_SET_GRACE_MS 3

// 1: stop reading (in a monitor: the host does not read it, so nobody judges it); 0: read on.
#define HEARTLINE_SET_PAUSE_READ 4

// So many asks more are without an answer: somebody else sent them before the connection came here. Where asks and
// answers are the same bytes, an answer that nobody waits for would be answered, and that again, without end.
#define HEARTLINE_SET_UNANSWERED 7

// 1: the first whole frame of a peer came, which a monitor does not see by itself. With after_first_frame it is asked
// from now on.
#define HEARTLINE_SET_FRAMED 8

// Kind of codec: a length field in a fixed head.
#define HEARTLINE_CODEC_LENGTH 1

// Kind of codec: protobuf's base-128 length.
#define HEARTLINE_CODEC_VARINT 2

// Kind of codec: a text head that ends in CRLF and carries the length.
#define HEARTLINE_CODEC_LINE_HEADER 3

// Kind of codec: text until a delimiter.
#define HEARTLINE_CODEC_DELIMITER 4

// Kind of codec: records of one size.
#define HEARTLINE_CODEC_FIXED 5

// Kind of codec: no framing.
#define HEARTLINE_CODEC_RAW 6

// The peer's goodbye, of a codec that has a closing handshake.
#define HEARTLINE_FRAME_CLOSE 4

// Level of a log line: worth knowing.
#define HEARTLINE_LOG_INFO 1

// Level of a log line: worth looking at.
#define HEARTLINE_LOG_WARN 2

// Level of a log line: a bug of Heartline.
#define HEARTLINE_LOG_BUG 3

// When a message does not fit under the high mark: send returns HEARTLINE_ERR_FULL. The default.
#define HEARTLINE_WHEN_FULL_REFUSE 1

// The oldest waiting messages make room; each comes back as HEARTLINE_EVENT_UNSENT.
#define HEARTLINE_WHEN_FULL_DROP_OLDEST 2

// The connection is closed with outbox_full.
#define HEARTLINE_WHEN_FULL_CLOSE 3

// Event: a connection lives: accepted, dialled or adopted. Of an accepted one nothing else is told in this batch, so that
// what HEARTLINE_SET_USER gives it now is in all its later events.
#define HEARTLINE_EVENT_OPENED 1

// Event: a whole message came.
#define HEARTLINE_EVENT_MESSAGE 2

// Event: the end, once for each that was OPENED. The id is stale.
#define HEARTLINE_EVENT_CLOSED 3

// Event: silent for suspect_ms; it may still revive.
#define HEARTLINE_EVENT_SUSPECT 4

// Event: a suspect was heard again.
#define HEARTLINE_EVENT_REVIVED 5

// Event: the outbox is over its high mark. Once until DRAINED.
#define HEARTLINE_EVENT_FULL 6

// Event: the outbox has fallen to its low mark.
#define HEARTLINE_EVENT_DRAINED 7

// Event: a dialled connection was never established. The id is stale.
#define HEARTLINE_EVENT_CONNECT_FAILED 8

// Event: what was accepted for sending will not be sent.
#define HEARTLINE_EVENT_UNSENT 9

// Event: this process was stopped or busy; the time counts for nobody.
#define HEARTLINE_EVENT_STALLED 10

// Event: a listener accepts no more for now.
#define HEARTLINE_EVENT_ACCEPT_PAUSED 11

// Event: it accepts again.
#define HEARTLINE_EVENT_ACCEPT_RESUMED 12

// Event: the peer sends no more (half_open); sending goes on.
#define HEARTLINE_EVENT_READ_CLOSED 13

// Event: so many fell silent together that it is our own uplink; verdicts are held.
#define HEARTLINE_EVENT_MASS_SILENCE 14

// Event: a beat came (deliver_beats). It is answered already.
#define HEARTLINE_EVENT_BEAT 15

// In heartline_event.listener: none.
#define HEARTLINE_NO_LISTENER UINT16_MAX

// In heartline_event.detail of ACCEPT_PAUSED: no descriptor or no memory is left.
#define HEARTLINE_PAUSE_OUT_OF_DESCRIPTORS 1

// In heartline_event.detail of ACCEPT_PAUSED: connections_max is reached.
#define HEARTLINE_PAUSE_CONNECTIONS_MAX 2

// heartline_reactor_close: send what is queued, then FIN, then wait for the peer's, all within close_ms.
#define HEARTLINE_CLOSE_FLUSH 1

// heartline_reactor_close: now; what is queued is lost, and counted in the obituary.
#define HEARTLINE_CLOSE_AT_ONCE 2

// heartline_reactor_close: now, with a reset.
#define HEARTLINE_CLOSE_ABORT 3

// heartline_reactor_set: the high mark of the outbox, in bytes. A low mark above it is lowered to a quarter of it.
#define HEARTLINE_SET_HIGH_MARK 5

// heartline_reactor_set: the low mark of the outbox, in bytes, up to the high one.
#define HEARTLINE_SET_LOW_MARK 6

// Room for `[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535` and its NUL.
#define HEARTLINE_ADDRESS_BYTES 48

// Room for a sentence and its NUL.
#define HEARTLINE_WHY_BYTES 160

// Who ended a connection: the other end.
#define HEARTLINE_CLOSED_BY_PEER 1

// Who ended a connection: Heartline, by a rule: silence, a limit, bad bytes, a drain.
#define HEARTLINE_CLOSED_BY_HEARTLINE 2

// Who ended a connection: the application.
#define HEARTLINE_CLOSED_BY_APPLICATION 3

// Who ended a connection: the operating system, by an error of its own.
#define HEARTLINE_CLOSED_BY_SYSTEM 4

// How bytes are cut into frames, and what its beats are. Immutable: any number of connections on any thread share it.
// A reactor keeps what it was given alive by itself.
typedef struct heartline_codec heartline_codec;

// A handle on a reactor for any thread, several at once. It may outlive the reactor.
typedef struct heartline_mailbox heartline_mailbox;

// Watches the peers of a host that owns its sockets and its loop: TCP, UDP, KCP, anything with an id. One thread at a
// time, any thread.
typedef struct heartline_monitor heartline_monitor;

// An epoll set with connections in it. One thread at a time, any thread; other threads reach it by a mailbox.
typedef struct heartline_reactor heartline_reactor;

// A place for bytes that a custom codec wants to have sent or writes a frame into; valid during the callback.
typedef struct heartline_sink heartline_sink;

// What a connection's liveness follows. A field that is 0 has the default of the profile `im` (10 / 15 / 35 s, role
// answer); a timeout given alone scales interval and suspect with it. interval < suspect < timeout must hold.
typedef struct heartline_policy {
    // sizeof(heartline_policy).
    uint32_t struct_size;
    // HEARTLINE_ROLE_; 0: answer.
    uint32_t role;
    // Silence before we ask, in milliseconds, from 20 up.
    uint32_t interval_ms;
    // Silence before the peer is reported as suspect, in milliseconds.
    uint32_t suspect_ms;
    // Silence before the peer is dead, in milliseconds, up to seven days. HEARTLINE_OFF: never judged.
    uint32_t timeout_ms;
    // How much earlier than the interval an ask may go out, in percent, up to 50; 0: 10. HEARTLINE_OFF: no jitter.
    uint32_t jitter_percent;
    // Ask on busy links too, this often in milliseconds, to measure the round trip. 0: never.
    uint32_t rtt_every_ms;
    // Not 0: send no ask before the peer's first frame (in a monitor: before HEARTLINE_SET_FRAMED).
    uint32_t after_first_frame;
} heartline_policy;

// How a monitor works. A field that is 0 has its default.
typedef struct heartline_monitor_config {
    // sizeof(heartline_monitor_config).
    uint32_t struct_size;
    // Lateness up to this is jitter and counts, in milliseconds; beyond it, all of it counts for nobody. 0: 100. A host
    // that calls on a beat of its own, say once a second, says 1000.
    uint32_t granularity_ms;
    // Decides when each peer is asked.
    uint64_t seed;
    // More than this share of all peers, in percent, fell suspect within the window: it is our own uplink, and verdicts
    // are held. 0: off.
    uint32_t mass_silence_percent;
    // 0: 5000.
    uint32_t mass_silence_window_ms;
    // The longest time that verdicts are held. 0: 60000.
    uint32_t mass_silence_hold_ms;
    // Fewer peers than this are never a mass. 0: 100.
    uint32_t mass_silence_peers_min;
    // Not 0: the host says heartline_monitor_spoke for what it sends, and a peer to which nothing was sent for an interval
    // is asked too, since it judges us as we judge it.
    uint32_t tells_sends;
    // 0.
    uint32_t reserved;
} heartline_monitor_config;

// A peer of a monitor: below 2^53, never 0, and stale once removed.
typedef uint64_t heartline_peer;

// Something that the host should do or know.
typedef struct heartline_verdict {
    // Whom it is about; 0 for STALLED and MASS_SILENCE.
    heartline_peer peer;
    // The host's word of that peer.
    uint64_t user;
    // Silence so far, in attended milliseconds. REVIVED: the silence that ended. STALLED: the length of the stall.
    // MASS_SILENCE: how many peers are silent.
    uint32_t silence_ms;
    // How long after its due time the verdict comes; never negative. MASS_SILENCE: of how many peers.
    uint32_t overshoot_ms;
    // HEARTLINE_VERDICT_. More kinds may come: pass over those you do not know.
    uint16_t kind;
    // Asks without an answer; 255 stands for more.
    uint16_t unanswered;
    // 0.
    uint32_t reserved;
} heartline_verdict;

// What is known of one peer.
typedef struct heartline_peer_info {
    // sizeof(heartline_peer_info) as the caller knows it.
    uint32_t struct_size;
    // Attended milliseconds since the last byte.
    uint32_t silence_ms;
    // The host's word.
    uint64_t user;
    // The last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    uint32_t rtt_ms;
    // Asks without an answer; 255 stands for more.
    uint32_t unanswered;
    // Slot of its policy.
    uint32_t policy;
    // 1: reported as suspect and not heard since.
    uint32_t suspect;
    // 1: its death was proposed and neither accepted nor taken back.
    uint32_t dead;
    // 1: not judged, since the host does not read it.
    uint32_t paused;
} heartline_peer_info;

// Running totals of a monitor, and what its silences say about a timeout.
typedef struct heartline_monitor_stats {
    // sizeof(heartline_monitor_stats) as the caller knows it.
    uint32_t struct_size;
    // The longest silence that ended, in milliseconds.
    uint32_t silence_longest_ms;
    // Peers watched now.
    uint64_t peers;
    // ASK verdicts.
    uint64_t asks;
    // Answers to outstanding asks.
    uint64_t answers;
    // Answers owed to peers.
    uint64_t owed;
    // SUSPECT verdicts.
    uint64_t suspects;
    // REVIVED verdicts.
    uint64_t revived;
    // DEAD verdicts, each peer's first in a silence.
    uint64_t dead;
    // Stalls of this process.
    uint64_t stalls;
    // Their length together, in milliseconds.
    uint64_t stalled_ms;
    // Silences that ended, of half an interval and more. Below 10,000 the next two are a guess.
    uint64_t silences;
    // 99 % of these silences were over by so many milliseconds.
    uint32_t silence_p99_ms;
    // 99.99 % of them. A timeout should lie an interval above it.
    uint32_t silence_p9999_ms;
} heartline_monitor_stats;

// A codec by settings instead of text. A field that is 0 has its default; those of other kinds must be 0. Strings and
// bytes are copied.
typedef struct heartline_codec_config {
    // sizeof(heartline_codec_config).
    uint32_t struct_size;
    // HEARTLINE_CODEC_.
    uint32_t kind;
    // The most bytes of a received message, head excluded. 0: 65536 where we listen, 16777216 where we dial.
    uint64_t max_bytes;
    // LENGTH: bytes of the field: 1, 2, 3, 4 or 8. 0: 4.
    uint32_t field_bytes;
    // LENGTH: not 0: the field is little-endian.
    uint32_t little_endian;
    // LENGTH: offset of the field in the head.
    uint32_t field_at;
    // LENGTH: bytes of the whole head. 0: the field ends it.
    uint32_t head_bytes;
    // LENGTH: what is added to the field's value to get the message's length.
    int32_t adjust;
    // LENGTH: not 0: the field counts the head too.
    uint32_t includes_head;
    // FIXED: bytes of a record.
    uint32_t record_bytes;
    // DELIMITER: bytes of `delimiter`, 1 to 8.
    uint32_t delimiter_bytes;
    // DELIMITER.
    const uint8_t *delimiter;
    // LINE_HEADER: under what key the length stands in pairs and JSON, a string. NULL: "length".
    const char *key;
    // The message of the ask, or a pattern as in the text form ("@2:0001"), a string. NULL: the codec's own beats.
    const char *ask;
    // The same for the answer. NULL: as the ask.
    const char *answer;
} heartline_codec_config;

// What a codec remembers of one connection while a frame is unfinished: all zero at the beginning, and after an error.
// Copying it is allowed; looking into it is not.
typedef struct heartline_stream {
    // Heartline's.
    uint64_t opaque[2];
} heartline_stream;

// A frame that was cut. Everything is borrowed from the bytes that were given.
typedef struct heartline_frame {
    // The message.
    const uint8_t *data;
    // Its bytes.
    size_t len;
    // The head: all bytes before the message, the length among them.
    const uint8_t *head;
    // Its bytes.
    uint32_t head_len;
    // 0: a message. HEARTLINE_BEAT_: a beat. HEARTLINE_FRAME_CLOSE: the peer's goodbye, behind which nothing comes.
    uint32_t kind;
    // Bytes that the frame takes from the front of the input: go on behind them. 0 for a beat in the middle of a message
    // that is not whole yet: cut again from the same front. When there is no whole frame: bytes,
    // counted from the front, without which nothing can come of it. A promise of the peer's: reserve nothing for it.
    size_t total;
} heartline_frame;

// One part of a message; the layout of struct iovec.
typedef struct heartline_slice {
    // The bytes; NULL with 0.
    const void *data;
    // How many.
    size_t len;
} heartline_slice;

// A codec of the host's. The functions may be called from every thread that uses the codec, at the same time; they are
// pure: they must not call Heartline (but heartline_sink_write), block, throw, or keep what they are shown.
typedef struct heartline_codec_ops {
    // sizeof(heartline_codec_ops).
    uint32_t struct_size;
    // 0.
    uint32_t reserved;
    // Its name for logs, a string, copied. NULL: "custom".
    const char *name;
    // Cuts the frame at the front of `data`; required. Fills `*out` (with data and head inside `data`) and returns 1; or
    // sets out->total to the bytes needed from the front (0: not known) and returns 0; or returns a number below 0: no
    // frame. It may change `data` in place, may keep a number in `note`, which is 0 at the beginning of a connection, and
    // may write to `control` what is to be sent before any data. It must refuse a message over `max_bytes`.
    int32_t (*cut)(void *context,
                   uint8_t *data,
                   size_t len,
                   size_t max_bytes,
                   uint64_t *note,
                   struct heartline_sink *control,
                   struct heartline_frame *out);
    // Writes one whole frame to `out`; required. `head` is NULL or has the form that `cut` shows. 0, or below 0: this
    // cannot be encoded.
    int32_t (*encode)(void *context,
                      const uint8_t *head,
                      size_t head_len,
                      const struct heartline_slice *message,
                      size_t count,
                      struct heartline_sink *out);
    // Writes the ask to `out` and returns 1; 0: there is none. NULL: there is none.
    int32_t (*ask)(void *context, struct heartline_sink *out);
    // Writes the answer to the whole frame `asked`. NULL: the same bytes.
    int32_t (*answer)(void *context, const uint8_t *asked, size_t len, struct heartline_sink *out);
    // Called once, when nothing uses the codec any more. May be NULL.
    void (*drop)(void *context);
} heartline_codec_ops;

// Told what an operator may want to read: one line, without a newline at its end, valid during the call. It must not
// throw and not call Heartline on the same reactor (that gives HEARTLINE_ERR_OVERLAP).
typedef void (*heartline_log_fn)(void *context, uint32_t level, const char *text);

// Settings of a reactor. A field that is 0 has its default.
typedef struct heartline_reactor_config {
    // sizeof(heartline_reactor_config).
    uint32_t struct_size;
    // Address, times and counts per connection, 48 bytes each, for info and obituary. HEARTLINE_OFF: none.
    uint32_t statistics;
    // Seeds the jitter of asks and the first generation of ids. 0: drawn from the system.
    uint64_t seed;
    // Lateness up to this is jitter; beyond it, it is a stall that counts for nobody. 0: 100.
    uint32_t granularity_ms;
    // Verdicts in one turn. 0: 4096.
    uint32_t verdicts_per_turn;
    // As in heartline_monitor_config. 0: off.
    uint32_t mass_silence_percent;
    // 0: 5000.
    uint32_t mass_silence_window_ms;
    // 0: 60000.
    uint32_t mass_silence_hold_ms;
    // 0: 100.
    uint32_t mass_silence_peers_min;
    // How long a descriptor declared dead is kept, shut for writing, to count bytes that still come: false deaths. 0: off.
    uint32_t autopsy_ms;
    // Connections in all; accepting pauses there. 0: 16,776,958.
    uint32_t connections_max;
    // Requests that wait in the mailbox. 0: 65536.
    uint32_t mailbox_max;
    // 0.
    uint32_t reserved;
    // Unfinished frames together. 0: 256 MiB.
    uint64_t partial_bytes_max;
    // Outboxes together. 0: 1 GiB.
    uint64_t outbox_bytes_max;
    // Messages that one poll lends, from 32 KiB to 1 GiB. 0: 256 KiB.
    uint64_t batch_bytes;
    // NULL: no log.
    heartline_log_fn log;
    // Passed to `log`.
    void *log_context;
    // For an allocator: NULL.
    void *reserved_pointers[4];
} heartline_reactor_config;

// Settings of a connection, or of all that a listener accepts. A field that is 0 has its default.
typedef struct heartline_options {
    // sizeof(heartline_options).
    uint32_t struct_size;
    // Slot of the policy. 0: slot 0, the profile `im` until it is set; but nobody judges where the codec has no beat.
    uint32_t policy;
    // TCP_NODELAY. 0: on. HEARTLINE_OFF: off.
    uint32_t nodelay;
    // SO_KEEPALIVE: seconds of silence before the first probe, up to 32767. 0: off, but where no policy judges 60 / 20 / 3.
    uint32_t keepalive_idle_s;
    // Seconds between probes, up to 32767. 0: 20.
    uint32_t keepalive_interval_s;
    // Probes without an answer, up to 127. 0: 3.
    uint32_t keepalive_count;
    // TCP_USER_TIMEOUT. 0: off. Left off where a policy judges.
    uint32_t user_timeout_ms;
    // SO_SNDBUF. 0: the kernel's.
    uint32_t send_buffer_bytes;
    // SO_RCVBUF. 0: the kernel's.
    uint32_t receive_buffer_bytes;
    // Over this many queued bytes a message is not taken. 0: 1 MiB.
    uint32_t high_bytes;
    // HEARTLINE_EVENT_DRAINED comes when the queue has fallen to this. 0: 256 KiB, or a quarter of high_bytes if that is less.
    uint32_t low_bytes;
    // HEARTLINE_WHEN_FULL_. 0: refuse.
    uint32_t when_full;
    // From open to the first whole frame. 0: no limit.
    uint32_t first_frame_ms;
    // From the first byte of a frame to its last. 0: 30000. HEARTLINE_OFF: no limit.
    uint32_t frame_ms;
    // From queued output to the kernel taking some of it. 0: 30000. HEARTLINE_OFF: no limit.
    uint32_t output_ms;
    // From connect to an established connection. 0: 10000. HEARTLINE_OFF: no limit.
    uint32_t connect_ms;
    // From close to the end: the flush, and the peer's own FIN. 0: 5000. HEARTLINE_OFF: no limit.
    uint32_t close_ms;
    // Not 0: at the peer's FIN HEARTLINE_EVENT_READ_CLOSED comes and sending goes on.
    uint32_t half_open;
    // Not 0: beats are shown too, as HEARTLINE_EVENT_BEAT. They are answered already.
    uint32_t deliver_beats;
    // A peer that leaves earlier than this after the open and has not sent a byte was a health check: the reason of its end. 0: off.
    uint32_t health_check_ms;
} heartline_options;

// Settings of a listener. A field that is 0 has its default.
typedef struct heartline_listen_options {
    // sizeof(heartline_listen_options).
    uint32_t struct_size;
    // Length of the kernel's accept queue. 0: 4096.
    uint32_t backlog;
    // Not 0: SO_REUSEPORT, several reactors on one port.
    uint32_t reuse_port;
    // Connections of one remote address; more are reset at once. 0: no limit.
    uint32_t per_address_max;
    // Connections accepted in a second. 0: no limit.
    uint32_t accepts_per_second;
    // 0.
    uint32_t reserved;
    // What accepted connections are set to; copied. NULL: every default.
    const struct heartline_options *connection;
} heartline_listen_options;

// A connection that was given back.
typedef struct heartline_released {
    // The connected descriptor, non-blocking; the caller's from here on.
    int32_t fd;
    // Asks without an answer: heartline_reactor_set, HEARTLINE_SET_UNANSWERED, of whoever adopts it.
    uint32_t unanswered;
    // The application's word.
    uint64_t user;
    // Bytes that were read and not delivered; borrowed until the next release or poll.
    const uint8_t *unread;
    // How many.
    size_t unread_len;
    // Bytes that were accepted for sending and not sent; borrowed like `unread`.
    const uint8_t *unsent;
    // How many.
    size_t unsent_len;
} heartline_released;

// How all connections are brought to an end.
typedef struct heartline_drain_options {
    // sizeof(heartline_drain_options).
    uint32_t struct_size;
    // Told instead of `drained`; from 256 up. 0: none.
    uint32_t code;
    // The closes are spread evenly over this. 0: all at once.
    uint64_t spread_ms;
    // Whoever is left after this is cut off. 0: 10000, or the spread if that is more.
    uint64_t limit_ms;
    // A message for each connection, sent just before its close begins; copied. NULL: none.
    const void *farewell;
    // Its bytes.
    size_t farewell_len;
} heartline_drain_options;

// Something that happened. Bytes at `data` are borrowed until the next heartline_reactor_poll of this reactor.
typedef struct heartline_event {
    // Which connection; 0 for events of the reactor itself.
    uint64_t id;
    // The application's word of that connection. Later events of a closed id in the same batch still carry it: free what
    // it points to at CLOSED or CONNECT_FAILED, nowhere else.
    uint64_t user;
    // MESSAGE: the message. BEAT: the whole frame. UNSENT: the frame, or the message that was given to the mailbox.
    const uint8_t *data;
    // Its bytes.
    uint32_t len;
    // MESSAGE: bytes of the head, which lies just before `data`.
    uint16_t head_len;
    // HEARTLINE_EVENT_. More kinds may come: pass over those you do not know.
    uint8_t kind;
    // 0.
    uint8_t flags;
    // CLOSED, CONNECT_FAILED: HEARTLINE_REASON_, from 256 the application's own.
    uint16_t reason;
    // OPENED, ACCEPT_PAUSED, ACCEPT_RESUMED: the listener; HEARTLINE_NO_LISTENER if there is none.
    uint16_t listener;
    // CLOSED, CONNECT_FAILED: errno, or 0.
    int32_t os_error;
    // CLOSED, SUSPECT, REVIVED: attended milliseconds since the last byte. STALLED: how long. MASS_SILENCE: of how many.
    uint32_t silence_ms;
    // CLOSED: the last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    uint32_t rtt_ms;
    // CLOSED, FULL: bytes that wait, or were never sent.
    uint32_t queued_bytes;
    // BEAT: HEARTLINE_BEAT_, what it was taken for. ACCEPT_PAUSED: HEARTLINE_PAUSE_. MASS_SILENCE: how many are silent.
    uint32_t detail;
    // 0, in every event: for fields to come.
    uint64_t reserved;
} heartline_event;

// What is known of a connection that lives.
typedef struct heartline_connection_info {
    // sizeof(heartline_connection_info) as the caller knows it.
    uint32_t struct_size;
    // Attended milliseconds since the last byte.
    uint32_t silence_ms;
    // The application's word.
    uint64_t user;
    // Bytes that wait to be sent.
    uint64_t queued_bytes;
    // Bytes of an unfinished frame, or of frames not delivered yet.
    uint64_t unread_bytes;
    // The last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    uint32_t rtt_ms;
    // Asks without an answer; 255 stands for more.
    uint32_t unanswered;
    // Slot of its policy; HEARTLINE_OFF if it has none, or one that is in no slot.
    uint32_t policy;
    // 1: reported as suspect and not heard since.
    uint32_t suspect;
    // 1: reading is paused.
    uint32_t paused;
    // 1: it is closing.
    uint32_t closing;
    // 1: it is being dialled.
    uint32_t dialling;
    // 0.
    uint32_t reserved;
    // The other end, a string; empty for a Unix socket or without statistics.
    char address[HEARTLINE_ADDRESS_BYTES];
} heartline_connection_info;

// The full report on a connection that has ended. Fields marked * are 0 without statistics.
typedef struct heartline_obituary {
    // sizeof(heartline_obituary) as the caller knows it.
    uint32_t struct_size;
    // HEARTLINE_REASON_, from 256 the application's own.
    uint32_t reason;
    // Whose it is.
    uint64_t id;
    // The application's word.
    uint64_t user;
    // HEARTLINE_CLOSED_BY_.
    uint32_t closed_by;
    // errno, or 0.
    int32_t os_error;
    // From open to end, exact to 16 ms *.
    uint64_t age_ms;
    // Since the kernel last took bytes, exact to 16 ms *; UINT64_MAX if it never did.
    uint64_t last_out_ms;
    // Attended time since the last byte came.
    uint32_t silence_ms;
    // Silent: how long after (last byte + timeout) the death was declared.
    uint32_t overshoot_ms;
    // Asks without an answer.
    uint32_t unanswered;
    // The last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    uint32_t rtt_ms;
    // Bytes received *.
    uint64_t bytes_in;
    // Bytes that the kernel took *.
    uint64_t bytes_out;
    // Messages received, beats not counted *.
    uint32_t messages_in;
    // Messages accepted for sending *.
    uint32_t messages_out;
    // Bytes that were queued and never sent.
    uint64_t queued_bytes;
    // Stalls of this process that it lived through *.
    uint32_t stalls;
    // 1: the four fields that follow are the kernel's; 0: it was not TCP, or statistics are off.
    uint32_t tcp;
    // Smoothed round trip in microseconds.
    uint32_t tcp_rtt_us;
    // The retransmission timer in microseconds.
    uint32_t tcp_rto_us;
    // Segments retransmitted in all.
    uint32_t tcp_retransmits;
    // Segments sent and not acknowledged.
    uint32_t tcp_unacknowledged;
    // The other end, a string *; empty for a Unix socket.
    char address[HEARTLINE_ADDRESS_BYTES];
    // What was wrong with the bytes, a sentence that names the limit, what came and where; otherwise empty.
    char why[HEARTLINE_WHY_BYTES];
} heartline_obituary;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Compares the header that the program was built with to the library that runs. Call it first, with
// HEARTLINE_ABI_VERSION. Any thread.
//
// Returns 0, or HEARTLINE_ERR_VERSION.
HEARTLINE_NODISCARD int32_t heartline_check_abi(uint32_t abi_version);

// HEARTLINE_ABI_VERSION of the library that runs. Any thread.
HEARTLINE_NODISCARD uint32_t heartline_abi_version(void);

// The version of the library, such as "0.1.0". Static; any thread.
const char *heartline_version(void);

// Milliseconds of the monotonic clock (CLOCK_MONOTONIC), rounded down: for the functions of level 1 that take `now_ms`.
// A host may use any other clock in milliseconds that never goes back. Any thread.
uint64_t heartline_now_ms(void);

// What went wrong inside when HEARTLINE_ERR_PANIC was returned last, in this process: a sentence with its place in the
// source, for a bug report; a string into `buffer`, cut at `size`. Any thread.
//
// Returns its length without the NUL, 0 if nothing went wrong; or HEARTLINE_ERR_NULL.
int32_t heartline_last_bug(char *buffer,
                           size_t size);

// A sentence for an error number, or for any number from 0 up, which is success. Static, never NULL; any thread.
const char *heartline_strerror(int32_t error);

// Whether an error is the end of what the call was about: the id, stream, mailbox or object can only be given up, and
// trying again never helps. So are HEARTLINE_ERR_STALE, _PANIC, _FRAME_BAD, _OVER_LIMIT, _GONE and _FORKED. After any
// other error it goes on as before the call. Any thread.
//
// Returns 1 or 0; 0 for a number that is no error.
HEARTLINE_NODISCARD
int32_t heartline_error_is_fatal(int32_t error);

// The name of a number of one of the HEARTLINE_NAMES_ tables; "unknown" for any other number, "application" for
// reasons from 256 up. Static, never NULL; any thread.
const char *heartline_name(uint32_t table,
                           int32_t number);

// Reads a policy such as "game,role=watch,timeout=20s": a profile (lan, game, im, web, mobile, none; default im), then
// role=, interval=, suspect=, timeout=, jitter=, rtt-every=, after-first-frame. Any thread.
//
// `policy` has `size` bytes (sizeof *policy). What is wrong with the text is written to `why`, a string of at most
// `why_size` bytes with its NUL, which may be NULL with 0; where the number says it all it is empty. Borrows all of them
// for the call.
//
// Returns 0, HEARTLINE_ERR_POLICY, _NULL, _INVALID (not UTF-8) or _VERSION.
HEARTLINE_NODISCARD
int32_t heartline_policy_parse(const char *text,
                               struct heartline_policy *policy,
                               size_t size,
                               char *why,
                               size_t why_size);

// Makes a monitor whose time begins at `now_ms`. `config` is copied and may be NULL: every default. `*out` is the
// caller's, to be freed by heartline_monitor_free. Any thread.
//
// Returns 0, HEARTLINE_ERR_NULL, HEARTLINE_ERR_VERSION or HEARTLINE_ERR_INVALID.
HEARTLINE_NODISCARD
int32_t heartline_monitor_new(const struct heartline_monitor_config *config,
                              uint64_t now_ms,
                              struct heartline_monitor **out);

// Frees a monitor; NULL is a no-op. No other call may be under way.
// One thread at a time.
void heartline_monitor_free(struct heartline_monitor *monitor);

// Sets the policy in a slot, 0 to HEARTLINE_POLICIES_MAX - 1. Slot 0 is the profile `im` until it is set. Setting a slot
// again changes its live peers. `policy` is copied.
//
// Returns 0, HEARTLINE_ERR_POLICY if it makes no sense, or HEARTLINE_ERR_NULL, _VERSION, _INVALID, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_monitor_policy(struct heartline_monitor *monitor,
                                 uint32_t slot,
                                 const struct heartline_policy *policy,
                                 uint64_t now_ms);

// Watches a new peer, heard now, by the policy in a slot. `user` is the host's word, which verdicts carry.
//
// Returns 0, HEARTLINE_ERR_NULL, _INVALID (no policy in that slot), _TOO_MANY (16,776,958 peers), _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_monitor_add(struct heartline_monitor *monitor,
                              uint64_t user,
                              uint32_t policy,
                              uint64_t now_ms,
                              heartline_peer *out);

// Forgets a peer, and with it any verdict about it that was not given out. Its handle is stale from here on.
//
// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
// One thread at a time.
int32_t heartline_monitor_remove(struct heartline_monitor *monitor, heartline_peer peer);

// Bytes came from a peer: once per read, whatever they are, `now_ms` the clock after the wait.
//
// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
// One thread at a time.
int32_t heartline_monitor_heard(struct heartline_monitor *monitor, heartline_peer peer, uint64_t now_ms);

// A beat came from a peer, which is also heard. `kind` is HEARTLINE_BEAT_.
//
// Returns 1 if an answer is owed: send it; 0 if nothing is; or HEARTLINE_ERR_STALE, _INVALID, _NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_monitor_beat(struct heartline_monitor *monitor,
                               heartline_peer peer,
                               uint32_t kind,
                               uint64_t now_ms);

// Something was sent to a peer. Counts where tells_sends is set.
//
// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
// One thread at a time.
int32_t heartline_monitor_spoke(struct heartline_monitor *monitor, heartline_peer peer);

// Sets something of a peer: HEARTLINE_SET_USER, _POLICY, _GRACE_MS, _PAUSE_READ, _UNANSWERED or
// _FRAMED.
//
// Returns 0, HEARTLINE_ERR_STALE, _INVALID, _NULL or _OVERLAP.
// One thread at a time.
int32_t heartline_monitor_set(struct heartline_monitor *monitor,
                              heartline_peer peer,
                              uint32_t what,
                              uint64_t value,
                              uint64_t now_ms);

// How long the host may wait, in milliseconds: for epoll_wait or poll. −1: for ever. It is also the promise to be back by
// then: what a later call comes too late, beyond granularity_ms, is a stall and counts for nobody.
//
// Returns milliseconds from 0 up, −1, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_monitor_wait_ms(struct heartline_monitor *monitor,
                                  uint64_t now_ms);

// The wait is over. Call it before `heard` of what came, if the host may have been stopped; heartline_monitor_advance
// finds a stall too, but then what was heard before it looks like a long silence that ended.
//
// Returns the length of a stall in milliseconds, 0 if there was none, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_monitor_woke(struct heartline_monitor *monitor,
                               uint64_t now_ms);

// Writes what is due into `verdicts`, at most `capacity`; call it after what came was heard, and again while it returns
// `capacity`. Bounded work each time. The verdicts are the caller's; nothing in them is borrowed.
// A peer that the host removes on its way through them may stand further on too: pass over what is of a removed peer, before
// `user` is followed.
//
// Returns how many there are, from 0 up, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_monitor_advance(struct heartline_monitor *monitor,
                                  uint64_t now_ms,
                                  struct heartline_verdict *verdicts,
                                  uint32_t capacity);

// What is known of a peer. `info` has `size` bytes (sizeof *info).
//
// Returns 0, HEARTLINE_ERR_STALE, _NULL, _VERSION or _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_monitor_info(struct heartline_monitor *monitor,
                               heartline_peer peer,
                               uint64_t now_ms,
                               struct heartline_peer_info *info,
                               size_t size);

// Running totals. `stats` has `size` bytes (sizeof *stats).
//
// Returns 0, HEARTLINE_ERR_NULL, _VERSION or _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_monitor_read_stats(struct heartline_monitor *monitor,
                                     struct heartline_monitor_stats *stats,
                                     size_t size);

// Reads a codec such as "length:2be,head=4,max=64K,ask=@2:0001"; docs/framing.md has them all. `*out` is the caller's,
// to be freed by heartline_codec_free. What is wrong is written to `why`, a string of at most `why_size` bytes with its
// NUL, which may be NULL with 0; where the number says it all it is empty. Any thread.
//
// Returns 0, HEARTLINE_ERR_SPEC, _NULL or _INVALID (not UTF-8).
HEARTLINE_NODISCARD
int32_t heartline_codec_parse(const char *spec,
                              struct heartline_codec **out,
                              char *why,
                              size_t why_size);

// The same by settings.
//
// Returns 0, HEARTLINE_ERR_SPEC, _NULL, _VERSION or _INVALID.
// Any thread.
HEARTLINE_NODISCARD
int32_t heartline_codec_new(const struct heartline_codec_config *config,
                            struct heartline_codec **out,
                            char *why,
                            size_t why_size);

// Frees a codec; NULL is a no-op. Reactors that were given it go on with what they keep.
// Any thread.
void heartline_codec_free(struct heartline_codec *codec);

// The text form of a codec, as a string into `buffer`, cut at `size`. "custom:NAME" for a custom one.
//
// Returns its length without the NUL, whether it fitted or not; or HEARTLINE_ERR_NULL.
// Any thread.
int32_t heartline_codec_spec(const struct heartline_codec *codec, char *buffer, size_t size);

// Cuts the frame at the front of `data`, which a codec may change in place (WebSocket unmasks). Allocates nothing.
//
// `stream` remembers where a scan stopped, and what WebSocket needs; without it (NULL) every call begins anew. `*out` is
// written in both cases of success and borrows from `data`. What a custom codec writes to `control` is sent by reactors
// alone: here it is dropped, and heartline_codec_beat has the answers. Keep unfinished bytes, add what comes behind them and cut
// again from the same front.
//
// Returns 1: a frame; 0: no whole frame yet; HEARTLINE_ERR_FRAME_BAD or _OVER_LIMIT: close the connection; or _NULL,
// _INVALID.
// Any thread; one at a time for one stream.
HEARTLINE_NODISCARD
int32_t heartline_codec_cut(const struct heartline_codec *codec,
                            uint8_t *data,
                            size_t len,
                            struct heartline_stream *stream,
                            struct heartline_frame *out);

// Writes the head of a message of `message_len` bytes into `head`, which has room for `capacity`.
//
// A `length` codec fills in the length alone: `capacity` is exactly the bytes of its head, whose other bytes are the
// caller's. `varint` and `line-header` write the whole head. The others have no head that stands alone: use
// heartline_codec_encode.
//
// Returns the bytes of the head, or HEARTLINE_ERR_ENCODE, _SHORT, _INVALID (no such head), _NULL. Any thread.
HEARTLINE_NODISCARD
int32_t heartline_codec_head(const struct heartline_codec *codec,
                             size_t message_len,
                             uint8_t *head,
                             size_t capacity);

// Writes a whole frame into `buffer`. `head` gives the other bytes of the head, in the form in which heads are shown
// (the codec writes the length into a copy); NULL with 0: zeros, or nothing.
//
// Returns the bytes of the frame; HEARTLINE_ERR_SHORT if they are over `capacity`, and nothing is written; or
// HEARTLINE_ERR_ENCODE, _NULL, _INVALID (a length over PTRDIFF_MAX). All are borrowed for the call. Any thread.
HEARTLINE_NODISCARD
int32_t heartline_codec_encode(const struct heartline_codec *codec,
                               const uint8_t *head,
                               size_t head_len,
                               const void *data,
                               size_t len,
                               uint8_t *buffer,
                               size_t capacity);

// Writes a beat: HEARTLINE_BEAT_ASK, or HEARTLINE_BEAT_ANSWER to the `asked` frame of `asked_len` bytes (the whole frame
// as it was cut; with NULL, the answer to an ask of our own).
//
// Returns its bytes; 0 if the codec has no beats; HEARTLINE_ERR_SHORT if they are over `capacity`; or
// HEARTLINE_ERR_INVALID (`asked` is no ask), _NULL. Any thread.
HEARTLINE_NODISCARD
int32_t heartline_codec_beat(const struct heartline_codec *codec,
                             uint32_t kind,
                             const uint8_t *asked,
                             size_t asked_len,
                             uint8_t *buffer,
                             size_t capacity);

// Appends bytes, which are copied, to what a callback was given. For callbacks of a custom codec only.
//
// Returns 0, HEARTLINE_ERR_NULL or _INVALID (`len` over PTRDIFF_MAX).
// Within the call that was given the sink, in its thread.
int32_t heartline_sink_write(struct heartline_sink *sink, const void *data, size_t len);

// Makes a codec of the host's functions. `ops` is copied; `context` is passed to each of them and must live until
// `drop`. `*out` is the caller's, to be freed by heartline_codec_free. Any thread.
//
// Returns 0, HEARTLINE_ERR_NULL (also for a required function), _VERSION or _INVALID.
HEARTLINE_NODISCARD
int32_t heartline_codec_custom(const struct heartline_codec_ops *ops,
                               void *context,
                               struct heartline_codec **out);

// Makes a reactor with an epoll set of its own. `config` is copied and may be NULL: every default. `*out` is the
// caller's, to be freed by heartline_reactor_free. Any thread.
//
// Returns 0, or HEARTLINE_ERR_NULL, _VERSION, _INVALID, _OS (no descriptor is left; C's errno says which kind).
HEARTLINE_NODISCARD
int32_t heartline_reactor_new(const struct heartline_reactor_config *config,
                              struct heartline_reactor **out);

// Closes every connection and listener and frees the reactor; tells no event, never blocks. NULL is a no-op. No other
// call may be under way. In a forked child it does nothing to a reactor of the parent's.
// One thread at a time.
void heartline_reactor_free(struct heartline_reactor *reactor);

// errno of the last call that returned HEARTLINE_ERR_OS, or 0.
//
// Returns it, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD int32_t heartline_reactor_os_error(struct heartline_reactor *reactor);

// Sets the policy in a slot, 0 to HEARTLINE_POLICIES_MAX - 1; options name it by its slot. Slot 0 is the profile `im`
// until it is set. Setting a slot again changes its live connections. `policy` is copied.
//
// Returns 0, or HEARTLINE_ERR_POLICY, _NULL, _VERSION, _INVALID, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_policy(struct heartline_reactor *reactor,
                                 uint32_t slot,
                                 const struct heartline_policy *policy);

// Listens on "IP:PORT", `[IPv6]:PORT`, "unix:PATH", "unix:@NAME" or "fd:N" (an inherited listening descriptor, which is
// taken on success). `options` is copied; NULL: every default. The reactor keeps the codec alive by itself.
//
// Returns the number of the listener, from 0 up; or HEARTLINE_ERR_ADDRESS, _OS, _INVALID, _VERSION, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_listen(struct heartline_reactor *reactor,
                                 const char *at,
                                 const struct heartline_codec *codec,
                                 const struct heartline_listen_options *options);

// Where a listener listens, with the port that the kernel chose: a string into `buffer`, cut at `size`.
//
// Returns its length without the NUL, whether it fitted or not; or HEARTLINE_ERR_INVALID (no such listener), _OS, _NULL,
// _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_listener_address(struct heartline_reactor *reactor,
                                           int32_t listener,
                                           char *buffer,
                                           size_t size);

// Stops listening. Connections already accepted live on.
//
// Returns 0, or HEARTLINE_ERR_INVALID (no such listener), _NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_stop_listening(struct heartline_reactor *reactor, int32_t listener);

// Starts a connection to "IP:PORT", `[IPv6]:PORT` or "unix:PATH". Its id, in `*out`, ends in OPENED ... CLOSED or in
// CONNECT_FAILED alone. What is sent before OPENED waits. `to` is borrowed for the call; `options` is copied, NULL: every
// default. The reactor keeps the codec alive by itself. `user` is the application's word.
//
// Returns 0, or HEARTLINE_ERR_ADDRESS, _OS (what fails at once), _TOO_MANY, _INVALID, _VERSION, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_connect(struct heartline_reactor *reactor,
                                  const char *to,
                                  const struct heartline_codec *codec,
                                  const struct heartline_options *options,
                                  uint64_t user,
                                  uint64_t *out);

// Takes over a connected stream socket, with bytes that were already read from it and bytes that are still to be sent
// as they are; both are copied. OPENED comes with the next poll. `fd` is taken on success alone. `options` is copied;
// NULL: every default. The reactor keeps the codec alive by itself.
//
// Returns 0, or HEARTLINE_ERR_OS, _TOO_MANY, _OVER_LIMIT (`unread` and partial_bytes_max), _REACTOR_FULL (`unsent` and
// outbox_bytes_max), _INVALID, _VERSION, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_adopt(struct heartline_reactor *reactor,
                                int32_t fd,
                                const struct heartline_codec *codec,
                                const struct heartline_options *options,
                                uint64_t user,
                                const void *unread,
                                size_t unread_len,
                                const void *unsent,
                                size_t unsent_len,
                                uint64_t *out);

// Gives a connection back; no CLOSED is told, the id is stale from here on. `*out` borrows from the reactor until the
// next release or poll; its descriptor is the caller's.
//
// Returns 0, or HEARTLINE_ERR_STALE, _BUSY (events of it are not delivered yet), _NOT_OPEN, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_release(struct heartline_reactor *reactor,
                                  uint64_t id,
                                  struct heartline_released *out);

// Closes a connection. CLOSED comes with a later poll, with `code` (from 256 up; 0: `local`) as its reason. `how` is
// HEARTLINE_CLOSE_. Closing twice is no error while it lasts; the second may only be quicker.
//
// Returns 0, or HEARTLINE_ERR_STALE, _CODE_RESERVED, _INVALID, _NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_close(struct heartline_reactor *reactor,
                                uint64_t id,
                                uint32_t how,
                                uint32_t code);

// Brings everything to an end: accepts no more, sends each connection the farewell, closes them spread over the time
// given. `options` is copied; NULL: every default. heartline_reactor_is_drained tells when it is over.
//
// Returns 0, or HEARTLINE_ERR_CODE_RESERVED, _INVALID, _VERSION, _NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_drain(struct heartline_reactor *reactor,
                                const struct heartline_drain_options *options);

// Whether a drain is over: nothing listens and nothing lives.
//
// Returns 1 or 0, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD int32_t heartline_reactor_is_drained(struct heartline_reactor *reactor);

// Waits until something happened, `timeout_ms` has passed (0: does not wait; −1: for as long as it takes) or the mailbox
// woke it, and writes what happened into `events`, at most `capacity`. What was sent since the last call leaves first.
// With a capacity of 0 it does that and waits for nothing.
//
// Data of the events is borrowed until the next poll; every other function may be called while they are read. More may
// wait than fitted: call again.
//
// Returns how many events there are, from 0 up, or HEARTLINE_ERR_OS, _INVALID, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_poll(struct heartline_reactor *reactor,
                               struct heartline_event *events,
                               uint32_t capacity,
                               int32_t timeout_ms);

// The descriptor to nest this reactor in a foreign loop: readable whenever poll has anything to do, deadlines included.
// It stays the reactor's. Then call heartline_reactor_poll with a timeout of 0 until it returns less than its capacity.
//
// Returns the descriptor, or HEARTLINE_ERR_OS, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_fd(struct heartline_reactor *reactor);

// For loops that take a timeout instead: how long they may wait, in milliseconds; 0 while work waits; −1: for ever.
//
// Returns that, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_wait_ms(struct heartline_reactor *reactor);

// Sets something of a connection: HEARTLINE_SET_USER, _POLICY (a slot), _GRACE_MS, _PAUSE_READ (1 or 0), _HIGH_MARK or
// _LOW_MARK (bytes), _UNANSWERED.
//
// Returns 0, or HEARTLINE_ERR_STALE, _NOT_OPEN, _INVALID, _OS, _NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_set(struct heartline_reactor *reactor,
                              uint64_t id,
                              uint32_t what,
                              uint64_t value);

// Changes all options of a live connection, its codec among them (of all that is not delivered yet: an unfinished frame
// is cut anew). `options` is copied; NULL: every default. Options of the socket are applied where they can be.
//
// Returns 0, or HEARTLINE_ERR_STALE, _INVALID, _VERSION, _OS, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_set_options(struct heartline_reactor *reactor,
                                      uint64_t id,
                                      const struct heartline_codec *codec,
                                      const struct heartline_options *options);

// Queues one message, framed. `data` is copied.
//
// Returns 0, or HEARTLINE_ERR_STALE, _CLOSING, _FULL, _REACTOR_FULL, _ENCODE, _NULL, _INVALID (`len` over
// PTRDIFF_MAX), _OVERLAP; then nothing of it was queued.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_send(struct heartline_reactor *reactor,
                               uint64_t id,
                               const void *data,
                               size_t len);

// The same with the other bytes of the head given, in the form in which heads are shown: the codec writes the length
// into a copy. `head` and `data` are copied.
//
// Returns as heartline_reactor_send.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_send_head(struct heartline_reactor *reactor,
                                    uint64_t id,
                                    const void *head,
                                    size_t head_len,
                                    const void *data,
                                    size_t len);

// The same from several parts, at most 1024, which become one message. `parts` is borrowed for the call, their bytes are
// copied.
//
// Returns as heartline_reactor_send, or HEARTLINE_ERR_INVALID for more parts.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_sendv(struct heartline_reactor *reactor,
                                uint64_t id,
                                const struct heartline_slice *parts,
                                size_t count);

// Queues one message on many connections: encoded once, and copied again only where a socket is full. `results`, which
// may be NULL, gets for each id 0 or what heartline_reactor_send would return. `data` is copied; `ids` and `results` are
// borrowed for the call.
//
// Returns how many took it, or HEARTLINE_ERR_NULL, _INVALID (`len` over PTRDIFF_MAX), _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_broadcast(struct heartline_reactor *reactor,
                                    const uint64_t *ids,
                                    size_t count,
                                    const void *data,
                                    size_t len,
                                    int32_t *results);

// The same to every connection that is open, but `except` (0: to all). `data` is copied.
//
// Returns how many took it, or HEARTLINE_ERR_NULL, _INVALID (`len` over PTRDIFF_MAX), _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_broadcast_all(struct heartline_reactor *reactor,
                                        uint64_t except,
                                        const void *data,
                                        size_t len);

// Sends what was queued, now, without waiting for the next poll.
//
// Returns 0, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_flush(struct heartline_reactor *reactor);

// What is known of a connection that lives. `info` has `size` bytes (sizeof *info).
//
// Returns 0, or HEARTLINE_ERR_STALE, _VERSION, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_info(struct heartline_reactor *reactor,
                               uint64_t id,
                               struct heartline_connection_info *info,
                               size_t size);

// The report on a connection whose CLOSED or CONNECT_FAILED the last poll told; it can be had until the next poll.
// `obituary` has `size` bytes (sizeof *obituary).
//
// Returns 0, or HEARTLINE_ERR_STALE, _VERSION, _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_obituary(struct heartline_reactor *reactor,
                                   uint64_t id,
                                   struct heartline_obituary *obituary,
                                   size_t size);

// How many connections live, those being dialled or closed included.
//
// Returns it, or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD int32_t heartline_reactor_count(struct heartline_reactor *reactor);

// Writes the ids of all connections that live into `ids`, at most `capacity`.
//
// Returns how many live, which may be more than fitted; or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_ids(struct heartline_reactor *reactor,
                              uint64_t *ids,
                              size_t capacity);

// A counter by its name, such as "messages_in"; docs/c-guide.md lists them. Writes it to `*out`.
//
// Returns 0, or HEARTLINE_ERR_INVALID (no such counter), _NULL, _OVERLAP.
// One thread at a time.
HEARTLINE_NODISCARD
int32_t heartline_reactor_counter(struct heartline_reactor *reactor,
                                  const char *name,
                                  uint64_t *out);

// All counters, the closes by reason, and histograms of silences that ended, round trips, overshoots and turns, in
// Prometheus' text format: a string into `buffer`, cut at `size`. 16 KiB are enough.
//
// Returns its length without the NUL, whether it fitted or not; or HEARTLINE_ERR_NULL, _OVERLAP.
// One thread at a time.
int32_t heartline_reactor_metrics(struct heartline_reactor *reactor,
                                  char *buffer,
                                  size_t size);

// Makes a mailbox of a reactor. All of one reactor share its bound. `*out` is the caller's, to be freed by
// heartline_mailbox_free.
//
// Returns 0, or HEARTLINE_ERR_OS, _NULL, _OVERLAP.
// One thread at a time, as every call with the reactor.
HEARTLINE_NODISCARD
int32_t heartline_mailbox_new(struct heartline_reactor *reactor,
                              struct heartline_mailbox **out);

// Frees a mailbox; NULL is a no-op. No other call on it may be under way.
// Any thread.
void heartline_mailbox_free(struct heartline_mailbox *mailbox);

// Sends a message on a connection of that reactor; `data` is copied. What cannot be sent comes back there as
// HEARTLINE_EVENT_UNSENT. Any thread.
//
// Returns 0, or HEARTLINE_ERR_MAILBOX_FULL, _GONE, _FORKED, _OS (errno says why), _INVALID (`len` over PTRDIFF_MAX),
// _NULL.
HEARTLINE_NODISCARD
int32_t heartline_mailbox_send(const struct heartline_mailbox *mailbox,
                               uint64_t id,
                               const void *data,
                               size_t len);

// Sends a message on every open connection of that reactor; `data` is copied. Any thread.
//
// Returns 0, or HEARTLINE_ERR_MAILBOX_FULL, _GONE, _FORKED, _OS (errno says why), _INVALID (`len` over PTRDIFF_MAX),
// _NULL.
int32_t heartline_mailbox_broadcast(const struct heartline_mailbox *mailbox,
                                    const void *data,
                                    size_t len);

// Closes a connection of that reactor, as heartline_reactor_close; a stale id is passed over. Any thread.
//
// Returns 0, or HEARTLINE_ERR_INVALID, _CODE_RESERVED, _MAILBOX_FULL, _GONE, _FORKED, _OS, _NULL.
int32_t heartline_mailbox_close(const struct heartline_mailbox *mailbox,
                                uint64_t id,
                                uint32_t how,
                                uint32_t code);

// Makes the reactor's poll return, now or, if none is under way, the next. Any thread.
//
// Returns 0, or HEARTLINE_ERR_MAILBOX_FULL, _GONE, _FORKED, _OS (errno says why), _NULL.
int32_t heartline_mailbox_wake(const struct heartline_mailbox *mailbox);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HEARTLINE_H */
