//! Changing a connection that lives.

use super::{heartline_options, heartline_reactor, within};
use crate::capi::codec::heartline_codec;
use crate::capi::codes::*;
use crate::capi::monitor::{
    HEARTLINE_SET_GRACE_MS, HEARTLINE_SET_PAUSE_READ, HEARTLINE_SET_POLICY, HEARTLINE_SET_UNANSWERED,
    HEARTLINE_SET_USER,
};
use crate::reactor::{ConnectionId, Marks};

/// heartline_reactor_set: the high mark of the outbox, in bytes. A low mark above it is lowered to a quarter of it.
pub const HEARTLINE_SET_HIGH_MARK: u32 = 5;
/// heartline_reactor_set: the low mark of the outbox, in bytes, up to the high one.
pub const HEARTLINE_SET_LOW_MARK: u32 = 6;

/// Sets something of a connection: HEARTLINE_SET_USER, _POLICY (a slot), _GRACE_MS, _PAUSE_READ (1 or 0), _HIGH_MARK or
/// _LOW_MARK (bytes), _UNANSWERED.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _NOT_OPEN, _INVALID, _OS, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_set(reactor: *mut heartline_reactor, id: u64, what: u32, value: u64) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let id = ConnectionId::from_raw(id);
            let Some(mut options) = engine.reactor.options_of(id) else { return Err(HEARTLINE_ERR_STALE) };
            let number = u32::try_from(value).map_err(|_| HEARTLINE_ERR_INVALID);
            let done = match what {
                HEARTLINE_SET_USER => engine.reactor.set_user(id, value),
                HEARTLINE_SET_POLICY => engine.reactor.set_policy(id, engine.policies.get(value)?),
                HEARTLINE_SET_GRACE_MS => engine.reactor.grace(id, value),
                HEARTLINE_SET_UNANSWERED => engine.reactor.expect_answers(id, u32::try_from(value).unwrap_or(u32::MAX)),
                HEARTLINE_SET_PAUSE_READ if value == 1 => engine.reactor.pause(id),
                HEARTLINE_SET_PAUSE_READ if value == 0 => engine.reactor.resume(id),
                HEARTLINE_SET_HIGH_MARK | HEARTLINE_SET_LOW_MARK => {
                    move_mark(&mut options.marks, what, number?)?;
                    engine.reactor.set_options(id, &options).map_err(|error| engine.os_error(&error))?
                }
                _ => return Err(HEARTLINE_ERR_INVALID),
            };
            if done { Ok(0) } else { Err(HEARTLINE_ERR_NOT_OPEN) }
        })
    }
}

/// A high mark that passes the low one takes it along, in the ratio of the defaults.
fn move_mark(marks: &mut Marks, what: u32, bytes: u32) -> Result<(), i32> {
    if what == HEARTLINE_SET_HIGH_MARK {
        marks.high_bytes = bytes;
        if marks.low_bytes > bytes {
            marks.low_bytes = bytes / 4;
        }
        return Ok(());
    }
    if bytes > marks.high_bytes {
        return Err(HEARTLINE_ERR_INVALID);
    }
    marks.low_bytes = bytes;
    Ok(())
}

/// Changes all options of a live connection, its codec among them (of all that is not delivered yet: an unfinished frame
/// is cut anew). `options` is copied; NULL: every default. Options of the socket are applied where they can be.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _INVALID, _VERSION, _OS, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `options` is NULL or has the bytes it says.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_set_options(
    reactor: *mut heartline_reactor,
    id: u64,
    codec: *const heartline_codec,
    options: *const heartline_options,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let options = engine.options(codec, options)?;
            let done = engine.reactor.set_options(ConnectionId::from_raw(id), &options);
            if done.map_err(|error| engine.os_error(&error))? { Ok(0) } else { Err(HEARTLINE_ERR_STALE) }
        })
    }
}
