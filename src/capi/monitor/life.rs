//! A monitor from its making to its end, and its policies.

use super::handles::Peers;
use crate::capi::codes::*;
use crate::capi::defaults::{mass_silence, or};
use crate::capi::guard::{Guarded, Outcome, apart, enter, free, give};
use crate::capi::policy::heartline_policy;
use crate::capi::sized::{self, Sized_};
use crate::liveness::{Monitor, MonitorConfig, Policy};
use crate::time::Millis;

/// Watches the peers of a host that owns its sockets and its loop: TCP, UDP, KCP, anything with an id. One thread at a
/// time, any thread.
pub struct heartline_monitor(Guarded<Peers>);

/// How a monitor works. A field that is 0 has its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_monitor_config {
    /// sizeof(heartline_monitor_config).
    pub struct_size: u32,
    /// Lateness up to this is jitter and counts, in milliseconds; beyond it, all of it counts for nobody. 0: 100. A host
    /// that calls on a beat of its own, say once a second, says 1000.
    pub granularity_ms: u32,
    /// Decides when each peer is asked.
    pub seed: u64,
    /// More than this share of all peers, in percent, fell suspect within the window: it is our own uplink, and verdicts
    /// are held. 0: off.
    pub mass_silence_percent: u32,
    /// 0: 5000.
    pub mass_silence_window_ms: u32,
    /// The longest time that verdicts are held. 0: 60000.
    pub mass_silence_hold_ms: u32,
    /// Fewer peers than this are never a mass. 0: 100.
    pub mass_silence_peers_min: u32,
    /// Not 0: the host says heartline_monitor_spoke for what it sends, and a peer to which nothing was sent for an interval
    /// is asked too, since it judges us as we judge it.
    pub tells_sends: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_monitor_config {
    const FIRST_BYTES: usize = 40;
    fn reserved_is_zero(&self) -> bool {
        self.reserved == 0
    }
}

/// Makes a monitor whose time begins at `now_ms`. `config` is copied and may be NULL: every default. `*out` is the
/// caller's, to be freed by heartline_monitor_free. Any thread.
///
/// Returns 0, HEARTLINE_ERR_NULL, HEARTLINE_ERR_VERSION or HEARTLINE_ERR_INVALID.
///
/// # Safety
/// `config` is NULL or has the bytes it says; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_new(
    config: *const heartline_monitor_config,
    now_ms: u64,
    out: *mut *mut heartline_monitor,
) -> i32 {
    apart(|| {
        if out.is_null() {
            return Err(HEARTLINE_ERR_NULL);
        }
        // SAFETY: passed on.
        let config = unsafe { sized::read_or_default(config) }?;
        let mass_silence = mass_silence(
            config.mass_silence_percent,
            config.mass_silence_window_ms,
            config.mass_silence_hold_ms,
            config.mass_silence_peers_min,
        )?;
        let config = MonitorConfig {
            seed: config.seed,
            granularity_ms: or(config.granularity_ms, 100),
            mass_silence,
            tells_sends: config.tells_sends != 0,
            ..MonitorConfig::default()
        };
        let mut monitor = Monitor::new(config, Millis(now_ms));
        let first = monitor.define(Policy::im()).map_err(|_| HEARTLINE_ERR_POLICY)?;
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { give(out, heartline_monitor(Guarded::new(Peers::new(monitor, first)))) }
    })
}

/// Frees a monitor; NULL is a no-op. No other call may be under way.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or came from heartline_monitor_new and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_free(monitor: *mut heartline_monitor) {
    // SAFETY: passed on.
    unsafe { free(monitor, |monitor| monitor.0.is_inside()) }
}

/// Enters the monitor behind a pointer.
///
/// # Safety
/// `monitor` is NULL or points to a live monitor.
#[inline(always)]
pub(super) unsafe fn within(monitor: *mut heartline_monitor, body: impl FnOnce(&mut Peers) -> Outcome) -> i32 {
    // SAFETY: NULL is caught; otherwise the caller vouches for it.
    let Some(monitor) = (unsafe { monitor.as_ref() }) else { return HEARTLINE_ERR_NULL };
    enter(&monitor.0, body)
}

/// Sets the policy in a slot, 0 to HEARTLINE_POLICIES_MAX - 1. Slot 0 is the profile `im` until it is set. Setting a slot
/// again changes its live peers. `policy` is copied.
///
/// Returns 0, HEARTLINE_ERR_POLICY if it makes no sense, or HEARTLINE_ERR_NULL, _VERSION, _INVALID, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `monitor` is NULL or live; `policy` is NULL or has the bytes it says.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_policy(
    monitor: *mut heartline_monitor,
    slot: u32,
    policy: *const heartline_policy,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let policy = sized::read(policy)?.to_policy()?;
            let place = peers.policies.slot(slot)?;
            let known = *place;
            match known {
                Some(id) => peers.monitor.redefine(id, policy, Millis(now_ms)).map_err(|_| HEARTLINE_ERR_POLICY)?,
                None => *place = Some(peers.monitor.define(policy).map_err(|_| HEARTLINE_ERR_POLICY)?),
            }
            Ok(0)
        })
    }
}
