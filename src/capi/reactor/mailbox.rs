//! How other threads reach a reactor.

use std::ffi::c_void;

use super::{close_from, heartline_reactor, within};
use crate::capi::buffers::bytes;
use crate::capi::codes::*;
use crate::capi::guard::{Outcome, apart, free, give};
use crate::capi::os::os_error;
use crate::reactor::{Birth, ConnectionId, Mailbox, MailboxError};

/// A handle on a reactor for any thread, several at once. It may outlive the reactor.
pub struct heartline_mailbox(Mailbox, Birth);

fn outcome(result: Result<(), MailboxError>) -> Outcome {
    match result {
        Ok(()) => Ok(0),
        Err(MailboxError::Full) => Err(HEARTLINE_ERR_MAILBOX_FULL),
        Err(MailboxError::Gone) => Err(HEARTLINE_ERR_GONE),
        Err(MailboxError::Wake(error)) => Err(os_error(&error)),
    }
}

/// Makes a mailbox of a reactor. All of one reactor share its bound. `*out` is the caller's, to be freed by
/// heartline_mailbox_free.
///
/// Returns 0, or HEARTLINE_ERR_OS, _NULL, _OVERLAP.
/// One thread at a time, as every call with the reactor.
///
/// # Safety
/// `reactor` is NULL or live; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_mailbox_new(
    reactor: *mut heartline_reactor,
    out: *mut *mut heartline_mailbox,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let mailbox = engine.reactor.mailbox();
            let mailbox = mailbox.map_err(|error| engine.os_error(&error))?;
            give(out, heartline_mailbox(mailbox, Birth::here()))
        })
    }
}

/// Frees a mailbox; NULL is a no-op. No other call on it may be under way.
/// Any thread.
///
/// # Safety
/// `mailbox` is NULL or came from heartline_mailbox_new and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_mailbox_free(mailbox: *mut heartline_mailbox) {
    // SAFETY: passed on.
    unsafe { free(mailbox, |_| false) }
}

/// # Safety
/// `mailbox` is NULL or live.
unsafe fn on(mailbox: *const heartline_mailbox, post: impl FnOnce(&Mailbox) -> Outcome) -> i32 {
    apart(|| {
        // SAFETY: NULL is caught; mailboxes are shared and never changed.
        let mailbox = unsafe { mailbox.as_ref() }.ok_or(HEARTLINE_ERR_NULL)?;
        // Before the lock, which a thread of the parent's may have held at the fork.
        if mailbox.1.is_here() { post(&mailbox.0) } else { Err(HEARTLINE_ERR_FORKED) }
    })
}

/// Sends a message on a connection of that reactor; `data` is copied. What cannot be sent comes back there as
/// HEARTLINE_EVENT_UNSENT. Any thread.
///
/// Returns 0, or HEARTLINE_ERR_MAILBOX_FULL, _GONE, _FORKED, _OS (errno says why), _INVALID (`len` over PTRDIFF_MAX),
/// _NULL.
///
/// # Safety
/// `mailbox` is NULL or live; `data` is NULL with 0 or has `len` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_mailbox_send(
    mailbox: *const heartline_mailbox,
    id: u64,
    data: *const c_void,
    len: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe { on(mailbox, |mailbox| outcome(mailbox.send(ConnectionId::from_raw(id), bytes(data, len)?.to_vec()))) }
}

/// Sends a message on every open connection of that reactor; `data` is copied. Any thread.
///
/// Returns 0, or HEARTLINE_ERR_MAILBOX_FULL, _GONE, _FORKED, _OS (errno says why), _INVALID (`len` over PTRDIFF_MAX),
/// _NULL.
///
/// # Safety
/// `mailbox` is NULL or live; `data` is NULL with 0 or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_mailbox_broadcast(
    mailbox: *const heartline_mailbox,
    data: *const c_void,
    len: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe { on(mailbox, |mailbox| outcome(mailbox.broadcast(bytes(data, len)?.into()))) }
}

/// Closes a connection of that reactor, as heartline_reactor_close; a stale id is passed over. Any thread.
///
/// Returns 0, or HEARTLINE_ERR_INVALID, _CODE_RESERVED, _MAILBOX_FULL, _GONE, _FORKED, _OS, _NULL.
///
/// # Safety
/// `mailbox` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_mailbox_close(
    mailbox: *const heartline_mailbox,
    id: u64,
    how: u32,
    code: u32,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        on(mailbox, |mailbox| {
            let (how, code) = close_from(how, code)?;
            outcome(mailbox.close(ConnectionId::from_raw(id), how, code))
        })
    }
}

/// Makes the reactor's poll return, now or, if none is under way, the next. Any thread.
///
/// Returns 0, or HEARTLINE_ERR_MAILBOX_FULL, _GONE, _FORKED, _OS (errno says why), _NULL.
///
/// # Safety
/// `mailbox` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_mailbox_wake(mailbox: *const heartline_mailbox) -> i32 {
    // SAFETY: passed on.
    unsafe { on(mailbox, |mailbox| outcome(mailbox.wake())) }
}
