//! Who is alive, of many peers: milliseconds in, verdicts out.
//!
//! The room is sans-I/O. It reads no clock, touches no socket, starts no thread and contains no `unsafe`; whoever drives
//! it hands in [`Millis`](crate::time::Millis) of a monotonic clock. So an existing server can adopt it on its own loop,
//! and a test runs a month in a second.
//!
//! ```text
//!   bytes came ──────────► heard(peer, now)          a load, a compare, a store (L3)
//!   a beat was cut ──────► beat(peer, kind, now)     what do we owe? (L14)
//!   before waiting ──────► wait_ms(now)              "I will be back by then": a promise
//!   after waiting ───────► woke(now)                 late? then it was us, not the peers (L5)
//!   then ────────────────► advance(now, &mut out)    ask, suspect, revived, dead: verdicts
//! ```
//!
//! A whole host, with one peer that says nothing:
//!
//! ```
//! use heartline::liveness::{Monitor, MonitorConfig, Policy, Role, VerdictKind};
//! use heartline::time::Millis;
//!
//! let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
//! let game = monitor.define(Policy::game().with_role(Role::Watch))?;
//! monitor.add(0, game, Millis(0));
//!
//! let (mut now, mut verdicts) = (Millis(0), Vec::new());
//! while monitor.len() > 0 {
//!     now = now + u64::from(monitor.wait_ms(now).unwrap()); // the host would wait for sockets that long
//!     monitor.advance(now, &mut verdicts);
//!     for verdict in verdicts.drain(..) {
//!         if verdict.kind == VerdictKind::Dead {
//!             monitor.remove(verdict.peer); // a proposal until the host does this (L6)
//!         }
//!     }
//! }
//! assert_eq!(now, Millis(20_000));
//! # Ok::<(), heartline::liveness::PolicyError>(())
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `policy.rs`, `policy_text.rs` | what a connection's liveness follows, and its one-line text form |
//! | `monitor.rs` | the many peers: what the host calls |
//! | `judge.rs` | one peer, one visit: what is due and when the next thing is |
//! | `forgive.rs` | what a stall, a pause, a hold or a new policy changes for the peers |
//! | `peer.rs` | the 24 bytes that are remembered of a peer |
//! | [`wheel`] | the lazy timer wheel that those bytes are linked into |
//! | `stall.rs` | attended time: promises, lateness, stalls |
//! | `guard.rs` | mass silence: when everybody falls silent it is our own uplink |
//! | `advisor.rs` | silences that ended, and what they say about a timeout |
//! | `histogram.rs` | how often which values came |
//! | `verdict.rs` | what comes out |

mod advisor;
mod forgive;
mod guard;
mod histogram;
mod judge;
mod monitor;
mod peer;
mod policy;
mod policy_text;
mod stall;
mod verdict;
pub mod wheel;

pub use advisor::{Advice, Advisor};
pub use guard::MassSilence;
pub use histogram::Histogram;
pub use monitor::{MAX_PEERS, Monitor, MonitorConfig};
pub use peer::PEER_BYTES;
pub use policy::{MAX_POLICIES, MAX_TIMEOUT_MS, MIN_INTERVAL_MS, Policy, PolicyError, PolicyId, Role};
pub use stall::{Stall, Stalls};
pub use verdict::{Beat, Counters, Owed, PeerState, Verdict, VerdictKind};
