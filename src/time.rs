//! Time as the engine sees it: milliseconds that somebody hands in, ticks of the wheel, and the clock of the system.
//!
//! The sans-I/O rooms never read a clock. Whoever drives them passes a [`Millis`]; a test passes literals.

use std::ops::{Add, Sub};

/// Milliseconds in one [`Tick`] of the timer wheel.
pub const TICK_MS: u64 = 4;

/// A point in time: milliseconds since a beginning that only the owner of the clock knows.
///
/// It must come from a clock that never goes back (rule L11); a value smaller than an earlier one is taken for the
/// earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// Nanoseconds rounded up: for the moment at which a byte was *heard*, so that a peer is never judged early (L4).
    pub const fn ceil(nanos: u64) -> Self {
        Self(nanos.div_ceil(1_000_000))
    }

    /// Nanoseconds rounded down: for the moment of *judging* (L4).
    pub const fn floor(nanos: u64) -> Self {
        Self(nanos / 1_000_000)
    }

    /// Milliseconds from `earlier` until this moment; 0 if `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Millis {
    type Output = Self;
    fn add(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Sub<u64> for Millis {
    type Output = Self;
    fn sub(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }
}

/// A step of the timer wheel, [`TICK_MS`] long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// The first tick that is not before `at`: where a deadline is filed (L4: rounded up once).
    pub const fn ceil(at: Millis) -> Self {
        Self(at.0.div_ceil(TICK_MS))
    }

    /// The last tick that is not after `at`: how far the wheel may turn (L4: judging rounds down).
    pub const fn floor(at: Millis) -> Self {
        Self(at.0 / TICK_MS)
    }

    /// The moment at which this tick begins.
    pub const fn start(self) -> Millis {
        Millis(self.0.saturating_mul(TICK_MS))
    }
}

/// Somebody who can tell the time: nanoseconds that never go back.
pub trait Clock {
    /// Nanoseconds since the clock's own beginning.
    fn now_ns(&self) -> u64;
}

/// CLOCK_MONOTONIC of the system, counted from the moment it was made. A wall clock that jumps changes nothing (L11).
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock that starts at 0 now.
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
