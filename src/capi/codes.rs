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
/// The operating system said no; heartline_reactor_os_error has its errno.
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

/// Number, name, text. −1 is no error: where a wait is asked for it means for ever, as in epoll_wait.
pub(super) const TABLE: &[(i32, &CStr, &CStr)] = &[
    (0, c"HEARTLINE_OK", c"success"),
    (HEARTLINE_ERR_NULL, c"HEARTLINE_ERR_NULL", c"a pointer that must not be NULL is NULL"),
    (HEARTLINE_ERR_INVALID, c"HEARTLINE_ERR_INVALID", c"an argument is out of its range or unknown"),
    (HEARTLINE_ERR_STALE, c"HEARTLINE_ERR_STALE", c"the id is of no live connection or peer"),
    (
        HEARTLINE_ERR_VERSION,
        c"HEARTLINE_ERR_VERSION",
        c"a struct_size or an ABI version that this library does not know",
    ),
    (HEARTLINE_ERR_OVERLAP, c"HEARTLINE_ERR_OVERLAP", c"another thread or callback is inside the object"),
    (HEARTLINE_ERR_PANIC, c"HEARTLINE_ERR_PANIC", c"a bug of Heartline: the object can only be freed"),
    (HEARTLINE_ERR_OS, c"HEARTLINE_ERR_OS", c"the operating system said no: see heartline_reactor_os_error"),
    (HEARTLINE_ERR_FULL, c"HEARTLINE_ERR_FULL", c"the outbox of the connection is over its high mark"),
    (HEARTLINE_ERR_REACTOR_FULL, c"HEARTLINE_ERR_REACTOR_FULL", c"all outboxes together are at outbox_bytes_max"),
    (HEARTLINE_ERR_CLOSING, c"HEARTLINE_ERR_CLOSING", c"the connection is closing"),
    (HEARTLINE_ERR_NOT_OPEN, c"HEARTLINE_ERR_NOT_OPEN", c"the connection is being dialled or closed"),
    (HEARTLINE_ERR_BUSY, c"HEARTLINE_ERR_BUSY", c"events of this connection are not delivered yet: poll first"),
    (HEARTLINE_ERR_ENCODE, c"HEARTLINE_ERR_ENCODE", c"the codec cannot carry this message or head"),
    (HEARTLINE_ERR_FRAME_BAD, c"HEARTLINE_ERR_FRAME_BAD", c"bytes that are no frame"),
    (HEARTLINE_ERR_OVER_LIMIT, c"HEARTLINE_ERR_OVER_LIMIT", c"a frame over a limit"),
    (HEARTLINE_ERR_SPEC, c"HEARTLINE_ERR_SPEC", c"the text or the settings are no codec"),
    (HEARTLINE_ERR_POLICY, c"HEARTLINE_ERR_POLICY", c"the text or the settings are no policy"),
    (HEARTLINE_ERR_ADDRESS, c"HEARTLINE_ERR_ADDRESS", c"the text is no address"),
    (HEARTLINE_ERR_SHORT, c"HEARTLINE_ERR_SHORT", c"a buffer of the caller is too small"),
    (HEARTLINE_ERR_CODE_RESERVED, c"HEARTLINE_ERR_CODE_RESERVED", c"close codes below 256 are Heartline's own"),
    (HEARTLINE_ERR_MAILBOX_FULL, c"HEARTLINE_ERR_MAILBOX_FULL", c"the mailbox is full: mailbox_max requests wait"),
    (HEARTLINE_ERR_GONE, c"HEARTLINE_ERR_GONE", c"the reactor of this mailbox is gone"),
    (HEARTLINE_ERR_TOO_MANY, c"HEARTLINE_ERR_TOO_MANY", c"a limit on how many there may be is reached"),
];

/// A sentence for an error number, or for any number from 0 up, which is success. Static, never NULL; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn heartline_strerror(error: i32) -> *const c_char {
    let known = TABLE.iter().find(|(code, ..)| *code == error.min(0));
    known.map_or(c"unknown error", |(_, _, text)| text).as_ptr()
}
