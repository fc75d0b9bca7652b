//! Attended time: monotonic time less the stalls (L5).
//!
//! Before it waits, the host promises when it will be back. If it comes later than that by more than the granularity,
//! the process was stopped, or busy, or the machine slept: all of the lateness counts for nobody, however long.

use crate::time::{Millis, Tick};

/// A step that nobody promised is attended up to this long (10 days): ages stay within what 32 bits can tell.
const MAX_STEP_MS: u64 = 10 * 24 * 3_600_000;

/// One stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How long, in milliseconds.
    pub ms: u64,
}

/// All stalls so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// How many.
    pub count: u64,
    /// Their sum, in milliseconds.
    pub ms: u64,
    /// The longest, in milliseconds.
    pub longest_ms: u64,
}

/// Turns the host's time into attended time.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    /// Monotonic time less attended time.
    away_ms: u64,
    /// The latest monotonic time that was handed in.
    clock: Millis,
    promised: Option<Millis>,
    granularity_ms: u64,
    stalls: Stalls,
}

impl Attention {
    pub(super) fn new(now: Millis, granularity_ms: u32) -> Self {
        let granularity_ms = u64::from(granularity_ms);
        Self { away_ms: 0, clock: now, promised: None, granularity_ms, stalls: Stalls::default() }
    }

    /// What 32 bits keep of monotonic time `at`. Never later than the last stall allows, however old `at` is.
    #[inline]
    pub(super) const fn stamp(&self, at: Millis) -> u32 {
        at.0.wrapping_sub(self.away_ms) as u32
    }

    /// The attended time of monotonic time `at`.
    pub(super) fn attended(&self, at: Millis) -> Millis {
        at - self.away_ms
    }

    /// The monotonic time at which attended time will be `at`, if nothing stalls.
    pub(super) fn clock_at(&self, at: Millis) -> Millis {
        at + self.away_ms
    }

    /// Attended time.
    pub(super) fn now(&self) -> Millis {
        self.attended(self.clock)
    }

    /// Attended time, low 32 bits.
    pub(super) fn now32(&self) -> u32 {
        self.now().0 as u32
    }

    /// How far the wheel may turn.
    pub(super) fn tick(&self) -> Tick {
        Tick::floor(self.now())
    }

    /// The latest monotonic time that was handed in.
    pub(super) fn clock(&self) -> Millis {
        self.clock
    }

    /// A host cannot promise the past: who has more to do than a turn allows promises now.
    pub(super) fn promise(&mut self, at: Option<Millis>) {
        self.promised = at.map(|at| at.max(self.clock));
    }

    /// Moves to `now`; the stall, if it comes later than promised. A promise is judged once. With nobody to `watch`
    /// there is nothing to be late for.
    #[inline]
    pub(super) fn arrive(&mut self, now: Millis, watch: bool) -> Option<Stall> {
        let before = self.clock;
        self.clock = now.max(before);
        let late_ms = match self.promised.take() {
            Some(promised) => Some(self.clock.since(promised)).filter(|late| *late > self.granularity_ms),
            None => self.clock.since(before).checked_sub(MAX_STEP_MS).filter(|late| *late > 0),
        };
        let ms = late_ms.filter(|_| watch)?;
        self.away_ms += ms;
        self.stalls.count += 1;
        self.stalls.ms += ms;
        self.stalls.longest_ms = self.stalls.longest_ms.max(ms);
        Some(Stall { ms })
    }

    /// Whether a promise stands.
    #[cfg(feature = "net")]
    pub(super) const fn has_promised(&self) -> bool {
        self.promised.is_some()
    }

    /// Whether `now` shows a stall that nobody has told us of.
    pub(super) fn is_late(&self, now: Millis) -> bool {
        match self.promised {
            Some(promised) => now.since(promised) > self.granularity_ms,
            None => now.since(self.clock) > MAX_STEP_MS,
        }
    }

    pub(super) fn stalls(&self) -> Stalls {
        self.stalls
    }
}
