//! Error numbers. They are never reused or renumbered; new ones are appended.

use std::ffi::{CStr, c_char};

/// A pointer that must not be NULL is NULL.
pub const HEARTLINE_ERR_NULL: i32 = -2;
/// An argument is out of its range, or a flag or number unknown.
pub const HEARTLINE_ERR_INVALID: i32 = -3;
/// The id is of no live connection or peer: it ended, or is of another object.
pub const HEARTLINE_ERR_STALE: i32 = -4;
/// A struct_size or an ABI version that this library does not know.
pub const HEARTLINE_ERR_VERSION: i32 = -5;
/// Another thread, or a callback of this call, is inside the object.
pub const HEARTLINE_ERR_OVERLAP: i32 = -6;
/// Heartline has a bug and stopped using this object, which now can only be freed.
pub const HEARTLINE_ERR_PANIC: i32 = -7;
/// The operating system said no. C's errno says why; heartline_reactor_os_error keeps it, where there is a reactor.
pub const HEARTLINE_ERR_OS: i32 = -8;
/// The outbox of the connection is over its high mark; HEARTLINE_EVENT_DRAINED tells when to go on.
pub const HEARTLINE_ERR_FULL: i32 = -9;
/// All outboxes together are at outbox_bytes_max.
pub const HEARTLINE_ERR_REACTOR_FULL: i32 = -10;
/// The connection is closing.
pub const HEARTLINE_ERR_CLOSING: i32 = -11;
/// The connection is being dialled or closed.
pub const HEARTLINE_ERR_NOT_OPEN: i32 = -12;
/// Events of this connection are not delivered yet: poll first.
pub const HEARTLINE_ERR_BUSY: i32 = -13;
/// The codec cannot carry this message or head.
pub const HEARTLINE_ERR_ENCODE: i32 = -14;
/// Bytes that are no frame: close the connection.
pub const HEARTLINE_ERR_FRAME_BAD: i32 = -15;
/// A frame over a limit: close the connection.
pub const HEARTLINE_ERR_OVER_LIMIT: i32 = -16;
/// The text or the settings are no codec.
pub const HEARTLINE_ERR_SPEC: i32 = -17;
/// The text or the settings are no policy.
pub const HEARTLINE_ERR_POLICY: i32 = -18;
/// The text is no address.
pub const HEARTLINE_ERR_ADDRESS: i32 = -19;
/// A buffer of the caller is too small.
pub const HEARTLINE_ERR_SHORT: i32 = -20;
/// Close codes below 256 are Heartline's own.
pub const HEARTLINE_ERR_CODE_RESERVED: i32 = -21;
/// The mailbox is full: mailbox_max requests wait.
pub const HEARTLINE_ERR_MAILBOX_FULL: i32 = -22;
/// The reactor of this mailbox is gone.
pub const HEARTLINE_ERR_GONE: i32 = -23;
/// A limit on how many there may be is reached: peers, connections_max.
pub const HEARTLINE_ERR_TOO_MANY: i32 = -24;
/// The object belongs to the process that forked this one: let it be, and exec or make new ones.
pub const HEARTLINE_ERR_FORKED: i32 = -25;

/// By number, the sign taken off; each with its NUL (`nth`). −1 is no error: where a wait is asked for it means for
/// ever, as in epoll_wait.
pub(super) const ERROR_NAMES: &str = concat!(
    "HEARTLINE_OK\0",
    "\0",
    "HEARTLINE_ERR_NULL\0",
    "HEARTLINE_ERR_INVALID\0",
    "HEARTLINE_ERR_STALE\0",
    "HEARTLINE_ERR_VERSION\0",
    "HEARTLINE_ERR_OVERLAP\0",
    "HEARTLINE_ERR_PANIC\0",
    "HEARTLINE_ERR_OS\0",
    "HEARTLINE_ERR_FULL\0",
    "HEARTLINE_ERR_REACTOR_FULL\0",
    "HEARTLINE_ERR_CLOSING\0",
    "HEARTLINE_ERR_NOT_OPEN\0",
    "HEARTLINE_ERR_BUSY\0",
    "HEARTLINE_ERR_ENCODE\0",
    "HEARTLINE_ERR_FRAME_BAD\0",
    "HEARTLINE_ERR_OVER_LIMIT\0",
    "HEARTLINE_ERR_SPEC\0",
    "HEARTLINE_ERR_POLICY\0",
    "HEARTLINE_ERR_ADDRESS\0",
    "HEARTLINE_ERR_SHORT\0",
    "HEARTLINE_ERR_CODE_RESERVED\0",
    "HEARTLINE_ERR_MAILBOX_FULL\0",
    "HEARTLINE_ERR_GONE\0",
    "HEARTLINE_ERR_TOO_MANY\0",
    "HEARTLINE_ERR_FORKED\0",
);

const TEXTS: &str = concat!(
    "success\0",
    "\0",
    "a pointer that must not be NULL is NULL\0",
    "an argument is out of its range or unknown\0",
    "the id is of no live connection or peer\0",
    "a struct_size or an ABI version that this library does not know\0",
    "another thread or callback is inside the object\0",
    "a bug of Heartline: the object can only be freed\0",
    "the operating system said no: see errno, or heartline_reactor_os_error\0",
    "the outbox of the connection is over its high mark\0",
    "all outboxes together are at outbox_bytes_max\0",
    "the connection is closing\0",
    "the connection is being dialled or closed\0",
    "events of this connection are not delivered yet: poll first\0",
    "the codec cannot carry this message or head\0",
    "bytes that are no frame\0",
    "a frame over a limit\0",
    "the text or the settings are no codec\0",
    "the text or the settings are no policy\0",
    "the text is no address\0",
    "a buffer of the caller is too small\0",
    "close codes below 256 are Heartline's own\0",
    "the mailbox is full: mailbox_max requests wait\0",
    "the reactor of this mailbox is gone\0",
    "a limit on how many there may be is reached\0",
    "the object belongs to the process that forked this one\0",
);

/// The string of that number among strings that each end in a NUL. One text, because in a table of pointers each would
/// take forty bytes more of the library.
pub(super) fn nth(strings: &'static str, number: u32) -> Option<&'static CStr> {
    let string = strings.split_inclusive('\0').nth(number as usize)?;
    CStr::from_bytes_with_nul(string.as_bytes()).ok().filter(|string| !string.is_empty())
}

/// A sentence for an error number, or for any number from 0 up, which is success. Static, never NULL; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn heartline_strerror(error: i32) -> *const c_char {
    nth(TEXTS, error.min(0).unsigned_abs()).unwrap_or(c"unknown error").as_ptr()
}

/// Whether an error is the end of what the call was about: the id, stream, mailbox or object can only be given up, and
/// trying again never helps. So are HEARTLINE_ERR_STALE, _PANIC, _FRAME_BAD, _OVER_LIMIT, _GONE and _FORKED. After any
/// other error it goes on as before the call. Any thread.
///
/// Returns 1 or 0; 0 for a number that is no error.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn heartline_error_is_fatal(error: i32) -> i32 {
    i32::from(matches!(
        error,
        HEARTLINE_ERR_STALE
            | HEARTLINE_ERR_PANIC
            | HEARTLINE_ERR_FRAME_BAD
            | HEARTLINE_ERR_OVER_LIMIT
            | HEARTLINE_ERR_GONE
            | HEARTLINE_ERR_FORKED
    ))
}
