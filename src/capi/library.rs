//! What concerns the library as a whole.

use std::ffi::{CStr, c_char};

use super::buffers::put_text;
use super::codes::HEARTLINE_ERR_VERSION;
use super::guard::{apart, last_bug};
use crate::time::{Clock, Millis, SystemClock};

/// The number of this interface: it changes only when a program that was built before may no longer work.
pub const HEARTLINE_ABI_VERSION: u32 = 1;

/// In any setting whose 0 means the default: none of it, never, no limit.
pub const HEARTLINE_OFF: u32 = u32::MAX;

/// Compares the header that the program was built with to the library that runs. Call it first, with
/// HEARTLINE_ABI_VERSION. Any thread.
///
/// Returns 0, or HEARTLINE_ERR_VERSION.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn heartline_check_abi(abi_version: u32) -> i32 {
    if abi_version == HEARTLINE_ABI_VERSION { 0 } else { HEARTLINE_ERR_VERSION }
}

/// HEARTLINE_ABI_VERSION of the library that runs. Any thread.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn heartline_abi_version() -> u32 {
    HEARTLINE_ABI_VERSION
}

/// The version of the library, such as "0.1.0". Static; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn heartline_version() -> *const c_char {
    const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("the version has no NUL"),
    };
    TEXT.as_ptr()
}

/// Milliseconds of the monotonic clock (CLOCK_MONOTONIC), rounded down: for the functions of level 1 that take `now_ms`.
/// A host may use any other clock in milliseconds that never goes back. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn heartline_now_ms() -> u64 {
    use std::sync::OnceLock;
    // Not a global that anybody could change: the moment that this process first asked.
    static CLOCK: OnceLock<SystemClock> = OnceLock::new();
    Millis::floor(CLOCK.get_or_init(SystemClock::new).now_ns()).0
}

/// What went wrong inside when HEARTLINE_ERR_PANIC was returned last, in this process: a sentence with its place in the
/// source, for a bug report; a string into `buffer`, cut at `size`. Any thread.
///
/// Returns its length without the NUL, 0 if nothing went wrong; or HEARTLINE_ERR_NULL.
///
/// # Safety
/// `buffer` is NULL with 0 or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_last_bug(buffer: *mut c_char, size: usize) -> i32 {
    // SAFETY: passed on.
    apart(|| unsafe { put_text(buffer, size, &last_bug()) })
}
