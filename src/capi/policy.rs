//! Policies as C writes them.

use std::ffi::c_char;

use super::HEARTLINE_OFF;
use super::buffers::{explain, explained, string};
use super::codes::{HEARTLINE_ERR_INVALID, HEARTLINE_ERR_POLICY};
use super::sized::{self, Sized_};
use crate::liveness::{Policy, PolicyId, Role};

/// Role: answer asks. The default: nothing is sent that was not agreed.
pub const HEARTLINE_ROLE_ANSWER: u32 = 1;
/// Role: send nothing.
pub const HEARTLINE_ROLE_WATCH: u32 = 2;
/// Role: ask, never answer.
pub const HEARTLINE_ROLE_ASK: u32 = 3;
/// Role: ask and answer.
pub const HEARTLINE_ROLE_BOTH: u32 = 4;

/// How many policies a monitor or reactor knows: slots 0 to 253.
pub const HEARTLINE_POLICIES_MAX: u32 = 254;

/// What a connection's liveness follows. A field that is 0 has the default of the profile `im` (10 / 15 / 35 s, role
/// answer); a timeout given alone scales interval and suspect with it. interval < suspect < timeout must hold.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_policy {
    /// sizeof(heartline_policy).
    pub struct_size: u32,
    /// HEARTLINE_ROLE_; 0: answer.
    pub role: u32,
    /// Silence before we ask, in milliseconds, from 20 up.
    pub interval_ms: u32,
    /// Silence before the peer is reported as suspect, in milliseconds.
    pub suspect_ms: u32,
    /// Silence before the peer is dead, in milliseconds, up to seven days. HEARTLINE_OFF: never judged.
    pub timeout_ms: u32,
    /// How much earlier than the interval an ask may go out, in percent, up to 50; 0: 10. HEARTLINE_OFF: no jitter.
    pub jitter_percent: u32,
    /// Ask on busy links too, this often in milliseconds, to measure the round trip. 0: never.
    pub rtt_every_ms: u32,
    /// Not 0: send no ask before the peer's first frame.
    pub after_first_frame: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_policy {
    const FIRST_BYTES: usize = 32;
}

impl heartline_policy {
    pub(super) fn to_policy(self) -> Result<Policy, i32> {
        let mut policy = match self.timeout_ms {
            0 => Policy::im(),
            HEARTLINE_OFF => Policy::im().with_timeout(0),
            ms => Policy::im().with_timeout(ms),
        };
        policy.role = match self.role {
            0 | HEARTLINE_ROLE_ANSWER => Role::Answer,
            HEARTLINE_ROLE_WATCH => Role::Watch,
            HEARTLINE_ROLE_ASK => Role::Ask,
            HEARTLINE_ROLE_BOTH => Role::Both,
            _ => return Err(HEARTLINE_ERR_INVALID),
        };
        if self.interval_ms > 0 {
            policy.interval_ms = self.interval_ms;
        }
        if self.suspect_ms > 0 {
            policy.suspect_ms = self.suspect_ms;
        }
        policy.jitter_percent = match self.jitter_percent {
            0 => policy.jitter_percent,
            HEARTLINE_OFF => 0,
            percent => u8::try_from(percent).map_err(|_| HEARTLINE_ERR_POLICY)?,
        };
        policy.rtt_every_ms = self.rtt_every_ms;
        policy.after_first_frame = self.after_first_frame != 0;
        policy.check().map_err(|_| HEARTLINE_ERR_POLICY)?;
        Ok(policy)
    }

    fn of(policy: &Policy) -> Self {
        let or_off = |value: u32| if value == 0 { HEARTLINE_OFF } else { value };
        Self {
            struct_size: size_of::<Self>() as u32,
            role: match policy.role {
                Role::Answer => HEARTLINE_ROLE_ANSWER,
                Role::Watch => HEARTLINE_ROLE_WATCH,
                Role::Ask => HEARTLINE_ROLE_ASK,
                Role::Both => HEARTLINE_ROLE_BOTH,
            },
            interval_ms: policy.interval_ms,
            suspect_ms: policy.suspect_ms,
            timeout_ms: or_off(policy.timeout_ms),
            jitter_percent: or_off(u32::from(policy.jitter_percent)),
            rtt_every_ms: policy.rtt_every_ms,
            after_first_frame: u32::from(policy.after_first_frame),
        }
    }
}

/// Reads a policy such as "game,role=watch,timeout=20s": a profile (lan, game, im, web, mobile, none; default im), then
/// role=, interval=, suspect=, timeout=, jitter=, rtt-every=, after-first-frame. Any thread.
///
/// `policy` has `size` bytes (sizeof *policy). What is wrong with the text is written to `why`, a string of at most
/// `why_size` bytes with its NUL, which may be NULL with 0; where the number says it all it is empty. Borrows all of them
/// for the call.
///
/// Returns 0, HEARTLINE_ERR_POLICY, _NULL, _INVALID (not UTF-8) or _VERSION.
///
/// # Safety
/// `text` is NULL or a string; `policy` is NULL or has `size` bytes; `why` is NULL or has `why_size`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_policy_parse(
    text: *const c_char,
    policy: *mut heartline_policy,
    size: usize,
    why: *mut c_char,
    why_size: usize,
) -> i32 {
    let parse = || {
        // SAFETY: passed on.
        let text = unsafe { string(text) }?;
        let parsed = match Policy::parse(text) {
            Ok(parsed) => parsed,
            Err(error) => {
                // SAFETY: passed on.
                unsafe { explain(why, why_size, &error) };
                return Err(HEARTLINE_ERR_POLICY);
            }
        };
        // SAFETY: passed on.
        unsafe { sized::write(policy, size, &heartline_policy::of(&parsed)) }?;
        Ok(0)
    };
    // SAFETY: passed on.
    unsafe { explained(why, why_size, parse) }
}

/// Slots of C to policies of a monitor. Slot 0 is there from the first: the profile `im`.
pub(super) struct Policies([Option<PolicyId>; HEARTLINE_POLICIES_MAX as usize]);

impl Policies {
    pub(super) fn new(first: PolicyId) -> Self {
        let mut slots = [None; HEARTLINE_POLICIES_MAX as usize];
        slots[0] = Some(first);
        Self(slots)
    }

    pub(super) fn get(&self, slot: u64) -> Result<PolicyId, i32> {
        let known = usize::try_from(slot).ok().and_then(|slot| self.0.get(slot).copied().flatten());
        known.ok_or(HEARTLINE_ERR_INVALID)
    }

    /// The slot, if it may have a policy.
    pub(super) fn slot(&mut self, slot: u32) -> Result<&mut Option<PolicyId>, i32> {
        self.0.get_mut(slot as usize).ok_or(HEARTLINE_ERR_INVALID)
    }

    /// The slot that has this policy.
    pub(super) fn slot_of(&self, policy: PolicyId) -> Option<u32> {
        self.0.iter().position(|known| *known == Some(policy)).map(|slot| slot as u32)
    }
}
