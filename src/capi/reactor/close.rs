//! How connections end: one, or all in a drain.

use super::{heartline_drain_options, heartline_reactor, within};
use crate::capi::buffers::bytes;
use crate::capi::codes::*;
use crate::capi::sized;
use crate::reactor::{Close, CloseError, ConnectionId, DrainOptions};

/// heartline_reactor_close: send what is queued, then FIN, then wait for the peer's, all within close_ms.
pub const HEARTLINE_CLOSE_FLUSH: u32 = 1;
/// heartline_reactor_close: now; what is queued is lost, and counted in the obituary.
pub const HEARTLINE_CLOSE_AT_ONCE: u32 = 2;
/// heartline_reactor_close: now, with a reset.
pub const HEARTLINE_CLOSE_ABORT: u32 = 3;

/// Closes a connection. CLOSED comes with a later poll, with `code` (from 256 up; 0: `local`) as its reason. `how` is
/// HEARTLINE_CLOSE_. Closing twice is no error while it lasts; the second may only be quicker.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _CODE_RESERVED, _INVALID, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_close(reactor: *mut heartline_reactor, id: u64, how: u32, code: u32) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let (how, code) = close_from(how, code)?;
            match engine.reactor.close(ConnectionId::from_raw(id), how, code) {
                Ok(()) => Ok(0),
                Err(CloseError::Stale) => Err(HEARTLINE_ERR_STALE),
                Err(CloseError::CodeReserved(_)) => Err(HEARTLINE_ERR_CODE_RESERVED),
            }
        })
    }
}

/// How to close, and with which code of the application's.
pub(super) fn close_from(how: u32, code: u32) -> Result<(Close, Option<u16>), i32> {
    let how = match how {
        HEARTLINE_CLOSE_FLUSH => Close::Flush,
        HEARTLINE_CLOSE_AT_ONCE => Close::AtOnce,
        HEARTLINE_CLOSE_ABORT => Close::Abort,
        _ => return Err(HEARTLINE_ERR_INVALID),
    };
    match code {
        0 => Ok((how, None)),
        1..=255 => Err(HEARTLINE_ERR_CODE_RESERVED),
        code => Ok((how, Some(u16::try_from(code).map_err(|_| HEARTLINE_ERR_INVALID)?))),
    }
}

/// Brings everything to an end: accepts no more, sends each connection the farewell, closes them spread over the time
/// given. `options` is copied; NULL: every default. heartline_reactor_is_drained tells when it is over.
///
/// Returns 0, or HEARTLINE_ERR_CODE_RESERVED, _INVALID, _VERSION, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `options` is NULL or has the bytes it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_drain(
    reactor: *mut heartline_reactor,
    options: *const heartline_drain_options,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let given = sized::read_or_default(options)?;
            let (_, code) = close_from(HEARTLINE_CLOSE_FLUSH, given.code)?;
            let usual = DrainOptions::default();
            let farewell = bytes(given.farewell, given.farewell_len)?;
            let drain = DrainOptions {
                spread_ms: given.spread_ms,
                limit_ms: if given.limit_ms == 0 { usual.limit_ms.max(given.spread_ms) } else { given.limit_ms },
                farewell: (!given.farewell.is_null()).then(|| farewell.to_vec()),
                code,
            };
            engine.reactor.drain(drain).map_err(|_| HEARTLINE_ERR_INVALID)?;
            Ok(0)
        })
    }
}

/// Whether a drain is over: nothing listens and nothing lives.
///
/// Returns 1 or 0, or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_is_drained(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe { within(reactor, |engine| Ok(i32::from(engine.reactor.is_drained()))) }
}
