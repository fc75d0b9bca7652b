//! What threads and their director tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64};

use heartline::liveness::Histogram;
use heartline::time::SystemClock;

use super::tally::{Tally, Toll};

/// Not begun, or never.
pub(super) const NEVER: u64 = u64::MAX;

/// What all threads and the director share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: SystemClock,
    /// When the load begins.
    pub(super) start_ns: AtomicU64,
    /// When it ends; the run is over a little later.
    pub(super) end_ns: AtomicU64,
    /// Over at once.
    pub(super) stop: AtomicBool,
    /// Messages in a thousand seconds, of all threads; and which change of it this is.
    pub(super) rate_milli: AtomicU64,
    pub(super) epoch: AtomicU64,
}

/// What a thread tells.
pub(super) enum Note {
    /// Each of its clients has been dialled once, and is open or has failed.
    Settled,
    Tick {
        thread: u16,
        epoch: u64,
        tally: Box<Tally>,
    },
    Done {
        tolls: Vec<Toll>,
        round_trips_ms: Box<Histogram>,
    },
    Failed(String),
}
