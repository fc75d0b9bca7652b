//! Sending on level 3. Everything is copied before a function returns, and leaves at the next flush or poll.

use std::cell::Cell;
use std::ffi::c_void;

use super::engine::Engine;
use super::{heartline_reactor, within};
use crate::capi::buffers::bytes;
use crate::capi::codec::heartline_slice;
use crate::capi::codes::*;
use crate::capi::guard::{Outcome, saturated};
use crate::reactor::{ConnectionId, SendError};

/// The most parts of one message.
const SLICES_MAX: usize = 1024;

fn send_error(error: &SendError) -> i32 {
    match error {
        SendError::Stale => HEARTLINE_ERR_STALE,
        SendError::Closing => HEARTLINE_ERR_CLOSING,
        SendError::Full { .. } => HEARTLINE_ERR_FULL,
        SendError::ReactorFull { .. } => HEARTLINE_ERR_REACTOR_FULL,
        SendError::Encode(_) => HEARTLINE_ERR_ENCODE,
    }
}

/// Queues one message, framed. `data` is copied.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _CLOSING, _FULL, _REACTOR_FULL, _ENCODE, _NULL, _INVALID (`len` over
/// PTRDIFF_MAX), _OVERLAP; then nothing of it was queued.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `data` is NULL with 0 or has `len` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_send(
    reactor: *mut heartline_reactor,
    id: u64,
    data: *const c_void,
    len: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let message = bytes(data, len)?;
            match engine.reactor.send(ConnectionId::from_raw(id), message) {
                Ok(()) => Ok(0),
                Err(error) => Err(send_error(&error)),
            }
        })
    }
}

/// The same with the other bytes of the head given, in the form in which heads are shown: the codec writes the length
/// into a copy. `head` and `data` are copied.
///
/// Returns as heartline_reactor_send.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `head` and `data` are NULL with 0 or have the bytes given.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_send_head(
    reactor: *mut heartline_reactor,
    id: u64,
    head: *const c_void,
    head_len: usize,
    data: *const c_void,
    len: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let (head, message) = (bytes(head, head_len)?, bytes(data, len)?);
            let head = (head_len > 0).then_some(head);
            send_parts(engine, id, head, &[message])
        })
    }
}

/// The same from several parts, at most 1024, which become one message. `parts` is borrowed for the call, their bytes are
/// copied.
///
/// Returns as heartline_reactor_send, or HEARTLINE_ERR_INVALID for more parts.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `parts` is NULL with 0 or has `count` of them, each NULL with 0 or with the bytes it says.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_sendv(
    reactor: *mut heartline_reactor,
    id: u64,
    parts: *const heartline_slice,
    count: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if parts.is_null() && count > 0 {
                return Err(HEARTLINE_ERR_NULL);
            }
            if count > SLICES_MAX {
                return Err(HEARTLINE_ERR_INVALID);
            }
            let mut message = Vec::with_capacity(count);
            for index in 0..count {
                let part = parts.add(index).read_unaligned();
                message.push(bytes(part.data, part.len)?);
            }
            send_parts(engine, id, None, &message)
        })
    }
}

#[inline(never)]
fn send_parts(engine: &mut Engine, id: u64, head: Option<&[u8]>, message: &[&[u8]]) -> Outcome {
    match engine.reactor.send_with_head(ConnectionId::from_raw(id), head, message) {
        Ok(()) => Ok(0),
        Err(error) => Err(send_error(&error)),
    }
}

/// Queues one message on many connections: encoded once, and copied again only where a socket is full. `results`, which
/// may be NULL, gets for each id 0 or what heartline_reactor_send would return. `data` is copied; `ids` and `results` are
/// borrowed for the call.
///
/// Returns how many took it, or HEARTLINE_ERR_NULL, _INVALID (`len` over PTRDIFF_MAX), _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `ids` is NULL with 0 or has `count`; `results` is NULL or has room for `count`; `data` is
/// NULL with 0 or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_broadcast(
    reactor: *mut heartline_reactor,
    ids: *const u64,
    count: usize,
    data: *const c_void,
    len: usize,
    results: *mut i32,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if ids.is_null() && count > 0 {
                return Err(HEARTLINE_ERR_NULL);
            }
            let message = bytes(data, len)?;
            let place = Cell::new(0);
            let put = |result: i32| {
                if !results.is_null() {
                    results.add(place.get()).write_unaligned(result);
                }
            };
            let mut each = (0..count).map(|index| {
                place.set(index);
                put(0);
                ConnectionId::from_raw(ids.add(index).read_unaligned())
            });
            // By its place, not by its id: one that is given twice may be refused once.
            let accepted = engine.reactor.broadcast_telling(&mut each, None, message, &mut |_, error| {
                put(send_error(&error));
            });
            Ok(saturated(accepted))
        })
    }
}

/// The same to every connection that is open, but `except` (0: to all). `data` is copied.
///
/// Returns how many took it, or HEARTLINE_ERR_NULL, _INVALID (`len` over PTRDIFF_MAX), _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `data` is NULL with 0 or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_broadcast_all(
    reactor: *mut heartline_reactor,
    except: u64,
    data: *const c_void,
    len: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let message = bytes(data, len)?;
            let except = (except != 0).then(|| ConnectionId::from_raw(except));
            let outcome = engine.reactor.broadcast_all(except, None, message);
            Ok(saturated(outcome.accepted))
        })
    }
}

/// Sends what was queued, now, without waiting for the next poll.
///
/// Returns 0, or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_flush(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            engine.reactor.flush();
            Ok(0)
        })
    }
}
