//! A reactor from its making to its end, and its policies.

use super::engine::Engine;
use super::heartline_reactor_config;
use crate::capi::codes::*;
use crate::capi::guard::{Guarded, Outcome, apart, enter, free, give};
use crate::capi::os::os_error;
use crate::capi::policy::heartline_policy;
use crate::capi::sized;
use crate::reactor::{ARENA_BYTES, Birth, Reactor};

/// An epoll set with connections in it. One thread at a time, any thread; other threads reach it by a mailbox.
pub struct heartline_reactor(Guarded<Engine>, Birth);

/// Makes a reactor with an epoll set of its own. `config` is copied and may be NULL: every default. `*out` is the
/// caller's, to be freed by heartline_reactor_free. Any thread.
///
/// Returns 0, or HEARTLINE_ERR_NULL, _VERSION, _INVALID, _OS (no descriptor is left; C's errno says which kind).
///
/// # Safety
/// `config` is NULL or has the bytes it says; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_new(
    config: *const heartline_reactor_config,
    out: *mut *mut heartline_reactor,
) -> i32 {
    apart(|| {
        if out.is_null() {
            return Err(HEARTLINE_ERR_NULL);
        }
        // SAFETY: passed on.
        let given = unsafe { sized::read_or_default(config) }?;
        let reactor = Reactor::new(given.to_config()?).map_err(|error| os_error(&error))?;
        let batch_bytes = match given.batch_bytes {
            0 => ARENA_BYTES,
            bytes @ 1..=BATCH_BYTES_MAX => bytes as usize,
            _ => return Err(HEARTLINE_ERR_INVALID),
        };
        let engine = Engine::new(reactor, batch_bytes, given.log, given.log_context);
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { give(out, heartline_reactor(Guarded::new(engine), Birth::here())) }
    })
}

/// The most that batch_bytes may be: it is allocated at once.
const BATCH_BYTES_MAX: u64 = 1 << 30;

/// Enters the reactor behind a pointer.
///
/// # Safety
/// `reactor` is NULL or points to a live reactor.
#[inline(always)]
pub(super) unsafe fn within(reactor: *const heartline_reactor, body: impl FnOnce(&mut Engine) -> Outcome) -> i32 {
    // SAFETY: NULL is caught; otherwise the caller vouches for it.
    let Some(reactor) = (unsafe { reactor.as_ref() }) else { return HEARTLINE_ERR_NULL };
    if !reactor.1.is_here() {
        return HEARTLINE_ERR_FORKED;
    }
    enter(&reactor.0, body)
}

/// Closes every connection and listener and frees the reactor; tells no event, never blocks. NULL is a no-op. No other
/// call may be under way. In a forked child it does nothing to a reactor of the parent's.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or came from heartline_reactor_new and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_free(reactor: *mut heartline_reactor) {
    // SAFETY: passed on.
    unsafe { free(reactor, |reactor| reactor.0.is_inside() || !reactor.1.is_here()) }
}

/// errno of the last call that returned HEARTLINE_ERR_OS, or 0.
///
/// Returns it, or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_os_error(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe { within(reactor, |engine| Ok(engine.os_error)) }
}

/// Sets the policy in a slot, 0 to HEARTLINE_POLICIES_MAX - 1; options name it by its slot. Slot 0 is the profile `im`
/// until it is set. Setting a slot again changes its live connections. `policy` is copied.
///
/// Returns 0, or HEARTLINE_ERR_POLICY, _NULL, _VERSION, _INVALID, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `policy` is NULL or has the bytes it says.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_policy(
    reactor: *mut heartline_reactor,
    slot: u32,
    policy: *const heartline_policy,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let policy = sized::read(policy)?.to_policy()?;
            let place = engine.policies.slot(slot)?;
            let known = *place;
            match known {
                Some(id) => engine.reactor.redefine_policy(id, policy).map_err(|_| HEARTLINE_ERR_POLICY)?,
                None => *place = Some(engine.reactor.define_policy(policy).map_err(|_| HEARTLINE_ERR_POLICY)?),
            }
            Ok(0)
        })
    }
}
