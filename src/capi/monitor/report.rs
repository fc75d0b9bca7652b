//! What can be read of a monitor and its peers.

use super::{heartline_monitor, heartline_peer, within};
use crate::capi::HEARTLINE_OFF;
use crate::capi::codes::HEARTLINE_ERR_STALE;
use crate::capi::sized::{self, Sized_};
use crate::time::Millis;

/// What is known of one peer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_peer_info {
    /// sizeof(heartline_peer_info) as the caller knows it.
    pub struct_size: u32,
    /// Attended milliseconds since the last byte.
    pub silence_ms: u32,
    /// The host's word.
    pub user: u64,
    /// The last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    pub rtt_ms: u32,
    /// Asks without an answer; 255 stands for more.
    pub unanswered: u32,
    /// Slot of its policy.
    pub policy: u32,
    /// 1: reported as suspect and not heard since.
    pub suspect: u32,
    /// 1: its death was proposed and neither accepted nor taken back.
    pub dead: u32,
    /// 1: not judged, since the host does not read it.
    pub paused: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_peer_info {
    const FIRST_BYTES: usize = 40;
}

/// Running totals of a monitor, and what its silences say about a timeout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_monitor_stats {
    /// sizeof(heartline_monitor_stats) as the caller knows it.
    pub struct_size: u32,
    /// The longest silence that ended, in milliseconds.
    pub silence_longest_ms: u32,
    /// Peers watched now.
    pub peers: u64,
    /// ASK verdicts.
    pub asks: u64,
    /// Answers to outstanding asks.
    pub answers: u64,
    /// Answers owed to peers.
    pub owed: u64,
    /// SUSPECT verdicts.
    pub suspects: u64,
    /// REVIVED verdicts.
    pub revived: u64,
    /// DEAD verdicts, each peer's first in a silence.
    pub dead: u64,
    /// Stalls of this process.
    pub stalls: u64,
    /// Their length together, in milliseconds.
    pub stalled_ms: u64,
    /// Silences that ended, of half an interval and more. Below 10,000 the next two are a guess.
    pub silences: u64,
    /// 99 % of these silences were over by so many milliseconds.
    pub silence_p99_ms: u32,
    /// 99.99 % of them. A timeout should lie an interval above it.
    pub silence_p9999_ms: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_monitor_stats {
    const FIRST_BYTES: usize = 96;
}

/// What is known of a peer. `info` has `size` bytes (sizeof *info).
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL, _VERSION or _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live; `info` is NULL or has `size` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_info(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    now_ms: u64,
    info: *mut heartline_peer_info,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            let state = peers.monitor.state(slot).ok_or(HEARTLINE_ERR_STALE)?;
            let shown = heartline_peer_info {
                struct_size: 0,
                silence_ms: peers.monitor.silence_ms(slot, Millis(now_ms)).unwrap_or(0),
                user: peers.user(slot),
                rtt_ms: state.rtt_ms.unwrap_or(HEARTLINE_OFF),
                unanswered: state.unanswered,
                policy: peers.policies.slot_of(state.policy).unwrap_or(HEARTLINE_OFF),
                suspect: u32::from(state.suspect),
                dead: u32::from(state.dead),
                paused: u32::from(state.paused),
            };
            sized::write(info, size, &shown).map(|()| 0)
        })
    }
}

/// Running totals. `stats` has `size` bytes (sizeof *stats).
///
/// Returns 0, HEARTLINE_ERR_NULL, _VERSION or _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live; `stats` is NULL or has `size` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_read_stats(
    monitor: *mut heartline_monitor,
    stats: *mut heartline_monitor_stats,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let (counters, stalls) = (peers.monitor.counters(), peers.monitor.stalls());
            let advisor = peers.monitor.advisor();
            let shown = heartline_monitor_stats {
                struct_size: 0,
                silence_longest_ms: advisor.longest_ms(),
                peers: peers.monitor.len() as u64,
                asks: counters.asks,
                answers: counters.answers,
                owed: counters.owed,
                suspects: counters.suspects,
                revived: counters.revived,
                dead: counters.dead,
                stalls: stalls.count,
                stalled_ms: stalls.ms,
                silences: advisor.count(),
                silence_p99_ms: advisor.quantile(0.99),
                silence_p9999_ms: advisor.quantile(0.9999),
            };
            sized::write(stats, size, &shown).map(|()| 0)
        })
    }
}
