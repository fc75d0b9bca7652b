//! Errors of the operating system.

use std::io;

use super::codes::HEARTLINE_ERR_OS;

/// HEARTLINE_ERR_OS, with its reason left in C's errno: where there is no reactor, or another thread may be inside it,
/// there is no other place to look it up.
pub(super) fn os_error(error: &io::Error) -> i32 {
    // SAFETY: the address of this thread's own errno.
    unsafe { *libc::__errno_location() = error.raw_os_error().unwrap_or(0) };
    HEARTLINE_ERR_OS
}
