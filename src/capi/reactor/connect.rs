//! How connections come, but for those that are accepted, and are given back.

use std::ffi::{c_char, c_void};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

use super::{heartline_options, heartline_reactor, within};
use crate::capi::buffers::{bytes, string};
use crate::capi::codec::heartline_codec;
use crate::capi::codes::*;
use crate::reactor::{Address, AdoptRefusal, ConnectionId, ReleaseError};

/// A connection that was given back.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_released {
    /// The connected descriptor, non-blocking; the caller's from here on.
    pub fd: i32,
    /// Asks without an answer: heartline_reactor_set, HEARTLINE_SET_UNANSWERED, of whoever adopts it.
    pub unanswered: u32,
    /// The application's word.
    pub user: u64,
    /// Bytes that were read and not delivered; borrowed until the next release or poll.
    pub unread: *const u8,
    /// How many.
    pub unread_len: usize,
    /// Bytes that were accepted for sending and not sent; borrowed like `unread`.
    pub unsent: *const u8,
    /// How many.
    pub unsent_len: usize,
}

/// Starts a connection to "IP:PORT", `[IPv6]:PORT` or "unix:PATH". Its id, in `*out`, ends in OPENED ... CLOSED or in
/// CONNECT_FAILED alone. What is sent before OPENED waits. `to` is borrowed for the call; `options` is copied, NULL: every
/// default. The reactor keeps the codec alive by itself. `user` is the application's word.
///
/// Returns 0, or HEARTLINE_ERR_ADDRESS, _OS (what fails at once), _TOO_MANY, _INVALID, _VERSION, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `to` is NULL or a string; `options` is NULL or has the bytes it says; `out` is
/// NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_connect(
    reactor: *mut heartline_reactor,
    to: *const c_char,
    codec: *const heartline_codec,
    options: *const heartline_options,
    user: u64,
    out: *mut u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let (to, options) = (address(to)?, engine.options(codec, options)?);
            let id = engine.reactor.connect(&to, &options, user).map_err(|error| engine.os_error(&error))?;
            out.write_unaligned(id.get());
            Ok(0)
        })
    }
}

/// Takes over a connected stream socket, with bytes that were already read from it and bytes that are still to be sent
/// as they are; both are copied. OPENED comes with the next poll. `fd` is taken on success alone. `options` is copied;
/// NULL: every default. The reactor keeps the codec alive by itself.
///
/// Returns 0, or HEARTLINE_ERR_OS, _TOO_MANY, _OVER_LIMIT (`unread` and partial_bytes_max), _REACTOR_FULL (`unsent` and
/// outbox_bytes_max), _INVALID, _VERSION, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `fd` is open and nobody else's; `options` is NULL or has the bytes it says;
/// `unread` and `unsent` are NULL with 0 or have the bytes given; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_adopt(
    reactor: *mut heartline_reactor,
    fd: i32,
    codec: *const heartline_codec,
    options: *const heartline_options,
    user: u64,
    unread: *const c_void,
    unread_len: usize,
    unsent: *const c_void,
    unsent_len: usize,
    out: *mut u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            if fd < 0 {
                return Err(HEARTLINE_ERR_INVALID);
            }
            let options = engine.options(codec, options)?;
            let (unread, unsent) = (bytes(unread, unread_len)?, bytes(unsent, unsent_len)?);
            let socket = OwnedFd::from_raw_fd(fd);
            match engine.reactor.adopt(socket, &options, user, unread.to_vec(), unsent) {
                Ok(id) => {
                    out.write_unaligned(id.get());
                    Ok(0)
                }
                Err(refused) => {
                    // It stays the caller's.
                    let _ = refused.socket.into_raw_fd();
                    Err(match refused.error {
                        AdoptRefusal::Io(error) => engine.os_error(&error),
                        AdoptRefusal::Unread { .. } => HEARTLINE_ERR_OVER_LIMIT,
                        AdoptRefusal::Unsent { .. } => HEARTLINE_ERR_REACTOR_FULL,
                    })
                }
            }
        })
    }
}

/// Gives a connection back; no CLOSED is told, the id is stale from here on. `*out` borrows from the reactor until the
/// next release or poll; its descriptor is the caller's.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _BUSY (events of it are not delivered yet), _NOT_OPEN, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_release(
    reactor: *mut heartline_reactor,
    id: u64,
    out: *mut heartline_released,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let id = ConnectionId::from_raw(id);
            if engine.has_undelivered(id) {
                return Err(HEARTLINE_ERR_BUSY);
            }
            let released = engine.reactor.release(id).map_err(|error| match error {
                ReleaseError::Stale => HEARTLINE_ERR_STALE,
                ReleaseError::Busy => HEARTLINE_ERR_BUSY,
                ReleaseError::NotOpen => HEARTLINE_ERR_NOT_OPEN,
            })?;
            engine.released = (released.unread, released.unsent);
            let (unread, unsent) = (&engine.released.0, &engine.released.1);
            out.write_unaligned(heartline_released {
                fd: released.socket.into_raw_fd(),
                unanswered: released.unanswered,
                user: released.user,
                unread: unread.as_ptr(),
                unread_len: unread.len(),
                unsent: unsent.as_ptr(),
                unsent_len: unsent.len(),
            });
            Ok(0)
        })
    }
}

/// # Safety
/// `address` is NULL or a string.
pub(super) unsafe fn address(address: *const c_char) -> Result<Address, i32> {
    // SAFETY: passed on.
    unsafe { string(address) }?.parse().map_err(|_| HEARTLINE_ERR_ADDRESS)
}
