//! What the host's loop asks: how long to wait, whether it was stopped, who is due.

use super::{heartline_monitor, heartline_verdict, within};
use crate::capi::codes::HEARTLINE_ERR_NULL;
use crate::capi::guard::saturated;
use crate::time::Millis;

/// How long the host may wait, in milliseconds: for epoll_wait or poll. −1: for ever. It is also the promise to be back by
/// then: what a later call comes too late, beyond granularity_ms, is a stall and counts for nobody.
///
/// Returns milliseconds from 0 up, −1, or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_wait_ms(monitor: *mut heartline_monitor, now_ms: u64) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let wait_ms = peers.monitor.wait_ms(Millis(now_ms));
            Ok(wait_ms.map_or(-1, saturated))
        })
    }
}

/// The wait is over. Call it before `heard` of what came, if the host may have been stopped; heartline_monitor_advance
/// finds a stall too, but then what was heard before it looks like a long silence that ended.
///
/// Returns the length of a stall in milliseconds, 0 if there was none, or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_woke(monitor: *mut heartline_monitor, now_ms: u64) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let stall = peers.monitor.woke(Millis(now_ms));
            Ok(stall.map_or(0, |stall| saturated(stall.ms)))
        })
    }
}

/// Writes what is due into `verdicts`, at most `capacity`; call it after what came was heard, and again while it returns
/// `capacity`. Bounded work each time. The verdicts are the caller's; nothing in them is borrowed.
/// A peer that the host removes on its way through them may stand further on too: pass over what is of a removed peer, before
/// `user` is followed.
///
/// Returns how many there are, from 0 up, or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live; `verdicts` is NULL with 0, or has room for `capacity`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_advance(
    monitor: *mut heartline_monitor,
    now_ms: u64,
    verdicts: *mut heartline_verdict,
    capacity: u32,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            if verdicts.is_null() && capacity > 0 {
                return Err(HEARTLINE_ERR_NULL);
            }
            let capacity = capacity.min(VERDICTS_MAX);
            let mut found = std::mem::take(&mut peers.found);
            peers.monitor.advance_at_most(Millis(now_ms), &mut found, capacity as usize);
            let mut count = 0;
            for verdict in found.iter().take(capacity as usize) {
                verdicts.add(count).write_unaligned(heartline_verdict::of(verdict, peers));
                count += 1;
            }
            found.clear();
            peers.found = found;
            Ok(count as i32)
        })
    }
}

/// The most verdicts of one call.
const VERDICTS_MAX: u32 = 65_536;
