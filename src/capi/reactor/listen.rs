//! Listeners.

use std::ffi::c_char;

use super::{address, heartline_listen_options, heartline_reactor, within};
use crate::capi::buffers::put_text;
use crate::capi::codec::heartline_codec;
use crate::capi::codes::HEARTLINE_ERR_INVALID;
use crate::capi::sized;
use crate::reactor::ListenerId;

/// Listens on "IP:PORT", `[IPv6]:PORT`, "unix:PATH", "unix:@NAME" or "fd:N" (an inherited listening descriptor, which is
/// taken on success). `options` is copied; NULL: every default. The reactor keeps the codec alive by itself.
///
/// Returns the number of the listener, from 0 up; or HEARTLINE_ERR_ADDRESS, _OS, _INVALID, _VERSION, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `at` is NULL or a string; `options` is NULL or has the bytes it says.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_listen(
    reactor: *mut heartline_reactor,
    at: *const c_char,
    codec: *const heartline_codec,
    options: *const heartline_listen_options,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let (at, listening) = (address(at)?, sized::read_or_default(options)?);
            let connection = engine.options(codec, listening.connection)?;
            let listener = engine.reactor.listen(&at, &listening.to_listen_options(connection));
            let listener = listener.map_err(|error| engine.os_error(&error))?;
            Ok(listener.index() as i32)
        })
    }
}

/// Where a listener listens, with the port that the kernel chose: a string into `buffer`, cut at `size`.
///
/// Returns its length without the NUL, whether it fitted or not; or HEARTLINE_ERR_INVALID (no such listener), _OS, _NULL,
/// _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `buffer` is NULL with 0 or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_listener_address(
    reactor: *mut heartline_reactor,
    listener: i32,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let at = engine.reactor.listener_address(listener_id(listener)?);
            let at = at.map_err(|error| engine.os_error(&error))?;
            put_text(buffer, size, &at.to_string())
        })
    }
}

/// Stops listening. Connections already accepted live on.
///
/// Returns 0, or HEARTLINE_ERR_INVALID (no such listener), _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_stop_listening(reactor: *mut heartline_reactor, listener: i32) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if engine.reactor.stop_listening(listener_id(listener)?) { Ok(0) } else { Err(HEARTLINE_ERR_INVALID) }
        })
    }
}

fn listener_id(listener: i32) -> Result<ListenerId, i32> {
    u32::try_from(listener).map(ListenerId).map_err(|_| HEARTLINE_ERR_INVALID)
}
