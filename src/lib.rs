//! # Heartline keeps long-lived connections alive and honest
//!
//! A server that holds many connections for hours has four problems that TCP does not solve. Bytes come without borders
//! between messages. A peer that vanished (a phone in a tunnel, a cable pulled, a NAT that forgot) is not told of, and its
//! connection stays for ever. A timer that is there to find the dead kills the living as soon as the *server* was the one
//! that stopped. And one peer that does not read, or sends half a frame, costs memory without end.
//!
//! Heartline frames the bytes into messages, beats when they fall silent, finds the dead on time, never early, and takes
//! the time in which this process was stopped or busy for nobody's silence but its own. Everything that can grow has a
//! limit with a name.
//!
//! ## The words
//!
//! | word | meaning |
//! |---|---|
//! | peer | the other end of one connection |
//! | codec | how bytes are cut into frames; a [`Framing`](frame::Framing) is a codec with its limit and its beats |
//! | frame | one unit on the wire: an optional *head* and a *message*, which is what the application gets |
//! | beat | a heartbeat: an *ask* ("are you there?") or an *answer* ("yes"). Not delivered as a message |
//! | silence | *attended* time since the last byte received. What we send never shortens it |
//! | attended time | monotonic time less the stalls |
//! | interval, suspect, timeout | how long the silence lasts before we ask; before the peer is reported as suspect; before it is dead |
//! | overshoot | how long after (last byte + timeout) the death was declared. Never negative |
//! | false death | a live peer declared dead. The count that must stay 0 |
//! | policy | what a connection's liveness follows: role, interval, suspect, timeout, jitter |
//! | role | `watch` sends nothing, `answer` answers asks, `ask` asks and never answers, `both` does both. All judge |
//! | turn | one pass of the reactor's loop |
//! | stall | what a turn came later than promised, beyond a granularity: this process, not the peer, was stopped or busy |
//! | outbox | what waits to be sent on a connection |
//! | obituary | the full report on a closed connection |
//!
//! ## The rooms
//!
//! ```text
//!                ┌──────────────────────────────────────────────┐
//!                │ your program      the `heartline` command    │
//!                └───────┬──────────────────┬──────────────┬────┘
//!                        │                  ▼              │
//!                        │     ┌───────── reactor ──────┐  │      feature `net`: sockets, epoll (Linux)
//!                        │     │ accept, dial, outbox,  │  │
//!                        │     │ events, limits, ends   │  │
//!                        │     └──┬──────────────────┬──┘  │
//!                        ▼        ▼                  ▼     ▼
//!                  ┌── liveness ──────┐       ┌── frame ─────────┐  sans-I/O: no clock, no socket, no thread,
//!                  │ who is alive, of │       │ bytes ↔ frames   │  no `unsafe`; builds on every platform
//!                  │ many peers       │       │ of one stream    │
//!                  └────────┬─────────┘       └──────────────────┘
//!                           ▼
//!                         time                  milliseconds and ticks
//! ```
//!
//! `frame` and `liveness` do not know each other. The reactor brings them together.
//!
//! ## One turn
//!
//! ```text
//!   poll(&mut events, timeout)
//!     │  flush        what was sent since the last poll leaves
//!     │  promise      "back by the nearest deadline"
//!     │  wait         epoll; late, or its list full? wait again with 0, until nothing is missing
//!     │  now          one clock for all judgement of this turn; lateness beyond 100 ms is a stall
//!     │  I/O          read ─► cut ─┬─ a beat: answered from the control lane
//!     │                            └─ a message: an event that lends the bytes
//!     │  ready list   who was over its budget in an earlier turn (64 KiB or 64 frames each)
//!     │  wheel        only now: ask, suspect, or ─► a last look at the socket ─► dead
//!     ▼  events out   Opened … Message … Closed, each connection's end told once, with a reason
//! ```
//!
//! Bytes are heard before anybody is judged. That order, and the promise, are why a process that was stopped for an hour
//! kills nobody on waking.
//!
//! ## Three ways in
//!
//! ### Liveness alone
//!
//! A server that owns its sockets (TCP, UDP, KCP, anything with an id) takes [`liveness::Monitor`]. Milliseconds go in,
//! verdicts come out. Here time is virtual, so that ten seconds and an hour take no time at all:
//!
//! ```
//! use heartline::liveness::{Beat, Monitor, MonitorConfig, Owed, Policy, Role, VerdictKind};
//! use heartline::time::Millis;
//!
//! let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
//! let lan = monitor.define(Policy::lan().with_role(Role::Both))?; // 2 / 4 / 8 s
//! let (lively, frozen) = (0, 1); // slots of the host's own table
//! monitor.add(lively, lan, Millis(0));
//! monitor.add(frozen, lan, Millis(0));
//!
//! let (mut now, mut verdicts, mut suspected_at) = (Millis(0), Vec::new(), None);
//! while monitor.len() == 2 {
//!     // A host waits here for its sockets, at most so long. This is also the promise to be back by then.
//!     now = now + u64::from(monitor.wait_ms(now).unwrap());
//!     monitor.woke(now);
//!     // ... it reads its sockets here, and says `heard` or `beat` for each that brought bytes ...
//!     while monitor.advance(now, &mut verdicts) {}
//!     for verdict in verdicts.drain(..) {
//!         match verdict.kind {
//!             // The host sends an ask; the lively one answers at once.
//!             VerdictKind::Ask if verdict.peer == lively => {
//!                 assert_eq!(monitor.beat(lively, Beat::Answer, now), Owed::Nothing);
//!             }
//!             VerdictKind::Suspect => suspected_at = Some((verdict.peer, now)),
//!             VerdictKind::Dead => monitor.remove(verdict.peer), // it was a proposal until here
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(suspected_at, Some((frozen, Millis(4_000))));
//! assert_eq!(now, Millis(8_000)); // on time, to the millisecond
//!
//! // Now the host itself is stopped for an hour. Nobody dies of it.
//! monitor.wait_ms(now);
//! now = now + 3_600_000;
//! let stall = monitor.woke(now).expect("an hour is a stall");
//! assert!(stall.ms > 3_590_000);
//! monitor.advance(now, &mut verdicts);
//! assert!(verdicts.iter().all(|verdict| verdict.kind != VerdictKind::Dead));
//! # Ok::<(), heartline::liveness::PolicyError>(())
//! ```
//!
//! ### Framing alone
//!
//! Whoever has bytes of a stream cuts them with a [`frame::Framing`], parsed once from a text and shared by all
//! connections; what is remembered of one connection is a [`frame::Stream`] of 16 bytes.
//!
//! ```
//! use heartline::frame::{Cut, Framing, Kind, Stream};
//!
//! // Two bytes of message type, two of length, little-endian; at most 1 KiB.
//! let framing = Framing::parse("length:2le,at=2,head=4,max=1K")?;
//! let mut wire = Vec::new();
//! framing.encode(Some(&[7, 0, 0, 0]), &[b"hello, ", b"peer"], &mut wire)?; // the codec writes the length
//! assert_eq!(wire, b"\x07\0\x0b\0hello, peer");
//! framing.ask(&mut wire); // a beat: by default a frame with an empty message
//!
//! let (mut stream, mut control, mut got) = (Stream::default(), Vec::new(), Vec::new());
//! let mut buffer = Vec::new();
//! for read in wire.chunks(3) {
//!     buffer.extend_from_slice(read); // wherever the network cuts, the frames are the same
//!     while let Cut::Frame(frame) = framing.cut(&mut buffer, &mut stream, &mut control)? {
//!         got.push((frame.kind, buffer[frame.head.clone()].to_vec(), buffer[frame.message.clone()].to_vec()));
//!         buffer.drain(..frame.total);
//!     }
//! }
//! assert_eq!(got[0], (Kind::Message, vec![7, 0, 11, 0], b"hello, peer".to_vec()));
//! assert_eq!(got[1].0, Kind::Either); // ask and answer are the same bytes here
//!
//! // A length over the limit is refused at its head; nothing is ever reserved for a promise.
//! let error = framing.cut(&mut [0, 0, 0xff, 0xff], &mut Stream::default(), &mut control).unwrap_err();
//! assert_eq!(error.to_string(), "message of 65535 bytes is over max=1024 (length at offset 2)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ### The reactor
//!
//! Everything together, on Linux: [`Reactor`] holds the connections, [`Events`] the batch that a poll fills. This program
//! has both ends in one reactor. The client greets, hears its echo, falls silent, asks, and closes when it is answered:
//!
#![cfg_attr(feature = "net", doc = "```")]
#![cfg_attr(not(feature = "net"), doc = "```ignore")]
//! use heartline::frame::Framing;
//! use heartline::liveness::{Beat, Policy, Role};
//! use heartline::reactor::{Close, Config, EventKind, Events, ListenOptions, Options, Reactor, Reason};
//!
//! let mut reactor = Reactor::new(Config::default())?;
//! let framing = Framing::parse("length:4be")?;
//!
//! // The server's side answers asks and judges: suspect after 8 s, dead after 20 s of silence.
//! let game = reactor.define_policy(Policy::game())?;
//! let options = Options::new(framing.clone()).policy(game);
//! let listener = reactor.listen(&"127.0.0.1:0".parse()?, &ListenOptions::new(options))?;
//!
//! // The client's side asks too, after 250 ms of silence at the latest. A timeout given alone scales the other two.
//! let eager = reactor.define_policy(Policy::game().with_timeout(1_000).with_role(Role::Both))?;
//! let mut options = Options::new(framing).policy(eager);
//! options.deliver_beats = true; // usually they are none of the application's business
//! let address = reactor.listener_address(listener)?;
//! let client = reactor.connect(&address, &options, 0)?;
//! reactor.send(client, b"hello")?; // waits in the outbox until the connection stands
//!
//! let mut events = Events::new();
//! let mut ends = Vec::new();
//! while ends.len() < 2 {
//!     reactor.poll(&mut events, None)?;
//!     for event in &events {
//!         match event.kind {
//!             EventKind::Message { message, .. } if event.id == client => assert_eq!(message, b"hello"),
//!             EventKind::Message { message, .. } => reactor.send(event.id, message)?,
//!             EventKind::Beat { beat: Beat::Answer, .. } => reactor.close(client, Close::Flush, None)?,
//!             EventKind::Closed { reason, .. } => {
//!                 let obituary = reactor.obituary(event.id).expect("until the next poll");
//!                 assert_eq!((obituary.messages_in, obituary.messages_out), (1, 1));
//!                 ends.push(reason);
//!             }
//!             _ => {} // Opened, Suspect, Full, ...
//!         }
//!     }
//! }
//! ends.sort_by_key(|reason| reason.code());
//! assert_eq!(ends, [Reason::PeerClosed, Reason::Local]); // the server's view, the client's view
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## Limits and defaults
//!
//! | what | default | where |
//! |---|---|---|
//! | interval / suspect / timeout | 10 / 15 / 35 s (profile `im`), none where the codec has no beat | [`liveness::Policy`] |
//! | role | `answer`: nothing is sent that was not agreed | [`liveness::Role`] |
//! | jitter | asks go out at 0.9 to 1.0 of the interval, the first at 0.5 to 1.0 | [`liveness::Policy::jitter_percent`] |
//! | granularity | 100 ms | [`liveness::MonitorConfig`], `Config::granularity_ms` |
//! | verdicts in one turn | 4,096 | [`liveness::MonitorConfig`], `Config::verdicts_per_turn` |
//! | policies of one monitor | 256, two of them the reactor's own | [`liveness::MAX_POLICIES`] |
//! | bytes of a message | 64 KiB where we listen, 16 MiB where we dial; `max=` up to 1 GiB | [`frame::Framing::max_bytes`] |
//! | first whole frame | 0, off | `Limits::first_frame_ms` |
//! | a frame begun | 30 s | `Limits::frame_ms` |
//! | queued output without progress | 30 s | `Limits::output_ms` |
//! | connect | 10 s | `Limits::connect_ms` |
//! | flush and the peer's FIN, at a close | 5 s | `Limits::close_ms` |
//! | outbox of a connection, high and low mark | 1 MiB, 256 KiB; over it: refuse | `Marks` |
//! | all outboxes together | 1 GiB | `Config::outbox_bytes_max` |
//! | all unfinished frames together | 256 MiB | `Config::partial_bytes_max` |
//! | connections | 16,776,958 | `Config::connections_max` |
//! | of one remote address; accepts in a second | 0, off | `ListenOptions` |
//! | accept queue | 4,096, cut by the kernel to net.core.somaxconn | `ListenOptions::backlog` |
//! | mailbox | 65,536 requests | `Config::mailbox_max` |
//! | one batch of events | 1,024 events, 256 KiB of messages | `Events::with_capacity` |
//! | mass silence, autopsy | off | `Config` |
//!
//! Names without a link are of the `reactor` room. A time of 0 is off.
//!
//! ## Features
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `net` | yes | the `reactor` room, by mio and nix; Linux |
//! | `cli` | yes | the `heartline` command. Nothing of it enters the library, but its dependencies are built: libraries want `default-features = false, features = ["net"]` |
//! | `websocket` | yes | the codec `websocket`, with simdutf8 to check text |
//! | `deflate` | yes | permessage-deflate for `websocket`, by flate2 and zlib-rs; implies `websocket` |
//! | `capi` | no | the C ABI (`include/heartline.h`), which `make lib` builds as a library for C |
//! | `sim` | no | opens the seam between the reactor and the kernel to a simulator; outside semver |
//!
//! With `default-features = false` alone, `frame`, `liveness` and `time` build without a single dependency.
//!
//! Longer pages are in the folder `docs` of the source: liveness, framing, the reactor, `heartline serve`, benchmarks.
//!
#![cfg_attr(feature = "net", doc = "[`Reactor`]: reactor::Reactor")]
#![cfg_attr(feature = "net", doc = "[`Events`]: reactor::Events")]
#![cfg_attr(not(feature = "net"), doc = "[`Reactor`]: #features")]
#![cfg_attr(not(feature = "net"), doc = "[`Events`]: #features")]

#[cfg(feature = "capi")]
pub mod capi;
pub mod frame;
pub mod liveness;
#[cfg(feature = "net")]
pub mod reactor;
pub mod time;

/// The pages for readers hold programs too: `cargo test --doc` runs them.
#[cfg(all(doctest, feature = "net"))]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/liveness.md")]
    struct Liveness;
    #[cfg(feature = "websocket")]
    #[doc = include_str!("../docs/framing.md")]
    struct Framing;
    #[doc = include_str!("../docs/reactor.md")]
    struct Reactor;
    #[doc = include_str!("../docs/serve.md")]
    struct Serve;
}
