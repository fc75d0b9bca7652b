//! CLOCK_MONOTONIC, asked without the detours of `Instant`: it is read twice a turn.

use crate::time::Clock;

/// The system's monotonic clock, counted from the moment it was made (L11).
pub(super) struct Monotonic {
    origin_ns: u64,
}

impl Monotonic {
    pub(super) fn new() -> Self {
        Self { origin_ns: monotonic_ns() }
    }
}

impl Clock for Monotonic {
    #[inline]
    fn now_ns(&self) -> u64 {
        monotonic_ns().saturating_sub(self.origin_ns)
    }
}

/// Nanoseconds since the system started: 64 bits hold 584 years of them.
#[inline]
fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec into `now`. Every kernel has this clock: the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
