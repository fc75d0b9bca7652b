//! What the host says of one peer.

use super::{heartline_monitor, within};
use crate::capi::codes::*;
use crate::liveness::{Beat, Owed};
use crate::time::Millis;

/// A peer of a monitor: below 2^53, never 0, and stale once removed.
pub type heartline_peer = u64;

/// Kind of beat: "are you there?"
pub const HEARTLINE_BEAT_ASK: u32 = 1;
/// Kind of beat: "yes".
pub const HEARTLINE_BEAT_ANSWER: u32 = 2;
/// Kind of beat: ask and answer are the same bytes. An answer if an ask is outstanding, otherwise an ask.
pub const HEARTLINE_BEAT_EITHER: u32 = 3;

/// heartline_monitor_set: the host's word, a number or a pointer that Heartline never reads.
pub const HEARTLINE_SET_USER: u32 = 1;
/// Follow the policy in this slot from now on. The silence goes on.
pub const HEARTLINE_SET_POLICY: u32 = 2;
/// Nobody judges it for so many milliseconds (a loading screen); its silence is counted from then on.
pub const HEARTLINE_SET_GRACE_MS: u32 = 3;
/// 1: stop reading (in a monitor: the host does not read it, so nobody judges it); 0: read on.
pub const HEARTLINE_SET_PAUSE_READ: u32 = 4;

/// So many asks more are without an answer: somebody else sent them before the connection came here. Where asks and
/// answers are the same bytes, an answer that nobody waits for would be answered, and that again, without end.
pub const HEARTLINE_SET_UNANSWERED: u32 = 7;
/// 1: the first whole frame of a peer came, which a monitor does not see by itself. With after_first_frame it is asked
/// from now on.
pub const HEARTLINE_SET_FRAMED: u32 = 8;

/// Watches a new peer, heard now, by the policy in a slot. `user` is the host's word, which verdicts carry.
///
/// Returns 0, HEARTLINE_ERR_NULL, _INVALID (no policy in that slot), _TOO_MANY (16,776,958 peers), _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_add(
    monitor: *mut heartline_monitor,
    user: u64,
    policy: u32,
    now_ms: u64,
    out: *mut heartline_peer,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let policy = peers.policies.get(u64::from(policy))?;
            let slot = peers.place(user)?;
            peers.monitor.add(slot, policy, heard_at(now_ms));
            out.write_unaligned(peers.id(slot));
            Ok(0)
        })
    }
}

/// Forgets a peer, and with it any verdict about it that was not given out. Its handle is stale from here on.
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_remove(monitor: *mut heartline_monitor, peer: heartline_peer) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            peers.monitor.remove(slot);
            peers.vacate(slot);
            Ok(0)
        })
    }
}

/// Bytes came from a peer: once per read, whatever they are, `now_ms` the clock after the wait.
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_heard(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            peers.monitor.heard(slot, heard_at(now_ms));
            Ok(0)
        })
    }
}

/// A beat came from a peer, which is also heard. `kind` is HEARTLINE_BEAT_.
///
/// Returns 1 if an answer is owed: send it; 0 if nothing is; or HEARTLINE_ERR_STALE, _INVALID, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_beat(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    kind: u32,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let kind = match kind {
                HEARTLINE_BEAT_ASK => Beat::Ask,
                HEARTLINE_BEAT_ANSWER => Beat::Answer,
                HEARTLINE_BEAT_EITHER => Beat::Either,
                _ => return Err(HEARTLINE_ERR_INVALID),
            };
            let slot = peers.slot(peer)?;
            Ok(i32::from(peers.monitor.beat(slot, kind, heard_at(now_ms)) == Owed::Answer))
        })
    }
}

/// Something was sent to a peer. Counts where tells_sends is set.
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_spoke(monitor: *mut heartline_monitor, peer: heartline_peer) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            peers.monitor.spoke(slot);
            Ok(0)
        })
    }
}

/// Sets something of a peer: HEARTLINE_SET_USER, _POLICY, _GRACE_MS, _PAUSE_READ, _UNANSWERED or
/// _FRAMED.
///
/// Returns 0, HEARTLINE_ERR_STALE, _INVALID, _NULL or _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_set(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    what: u32,
    value: u64,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            let now = Millis(now_ms);
            match (what, value) {
                (HEARTLINE_SET_USER, _) => peers.set_user(slot, value),
                (HEARTLINE_SET_POLICY, _) => peers.monitor.set_policy(slot, peers.policies.get(value)?, now),
                (HEARTLINE_SET_GRACE_MS, _) => peers.monitor.grace(slot, heard_at(now_ms) + value),
                (HEARTLINE_SET_UNANSWERED, _) => {
                    peers.monitor.expect_answers(slot, u32::try_from(value).unwrap_or(u32::MAX))
                }
                (HEARTLINE_SET_PAUSE_READ, 0) => peers.monitor.resume(slot, now),
                (HEARTLINE_SET_PAUSE_READ, 1) => peers.monitor.pause(slot, now),
                (HEARTLINE_SET_FRAMED, 1) => peers.monitor.first_frame(slot, now),
                _ => return Err(HEARTLINE_ERR_INVALID),
            }
            Ok(0)
        })
    }
}

/// What the host's clock says is rounded down; a byte is stamped rounded up, so that nobody is judged early (L4).
#[inline(always)]
fn heard_at(now_ms: u64) -> Millis {
    Millis(now_ms) + 1
}
