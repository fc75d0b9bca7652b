//! Strings and bytes on their way across: what the caller lends for a call, and what is written into its buffers.

use std::ffi::{CStr, c_char, c_void};
use std::fmt::Display;
use std::slice;

use super::codes::{HEARTLINE_ERR_INVALID, HEARTLINE_ERR_NULL, HEARTLINE_ERR_SHORT};
use super::guard::{Outcome, apart};

/// The text behind a pointer: UTF-8, as every text of this interface.
///
/// # Safety
/// `text` is NULL or points to a string that lives as long as the result is used.
pub(super) unsafe fn string<'a>(text: *const c_char) -> Result<&'a str, i32> {
    if text.is_null() {
        return Err(HEARTLINE_ERR_NULL);
    }
    // SAFETY: not NULL; the caller vouches for the NUL at its end.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| HEARTLINE_ERR_INVALID)
}

/// Bytes of the caller's, for the call; NULL with 0 is an empty range.
///
/// # Safety
/// `data` is NULL or has `len` bytes that do not change during the call.
pub(super) unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Result<&'a [u8], i32> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(HEARTLINE_ERR_NULL);
    }
    if len > isize::MAX as usize {
        return Err(HEARTLINE_ERR_INVALID);
    }
    // SAFETY: not NULL, and the caller vouches for `len` bytes.
    Ok(unsafe { slice::from_raw_parts(data.cast(), len) })
}

/// Writes a sentence as a string, cut at the end of the buffer.
///
/// # Safety
/// `why` is NULL or has `why_size` writable bytes.
pub(super) unsafe fn explain(why: *mut c_char, why_size: usize, what: &dyn Display) {
    if why.is_null() || why_size == 0 {
        return;
    }
    let text = what.to_string();
    let mut length = text.len().min(why_size - 1);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    // SAFETY: `length` and a NUL fit in `why_size`; the text is our own.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), why.cast(), length);
        why.add(length).write(0);
    }
}

/// Writes a whole text as a string into a buffer of the caller's; its length without the NUL.
///
/// # Safety
/// `buffer` is NULL or has `size` writable bytes.
pub(super) unsafe fn put_text(buffer: *mut c_char, size: usize, text: &str) -> Outcome {
    let length = i32::try_from(text.len()).map_err(|_| HEARTLINE_ERR_INVALID)?;
    if buffer.is_null() && size > 0 {
        return Err(HEARTLINE_ERR_NULL);
    }
    // SAFETY: passed on.
    unsafe { explain(buffer, size, &text) };
    Ok(length)
}

/// A call that explains some of its failures: whatever it returns, `why` is a string then.
///
/// # Safety
/// As [`explain`].
pub(super) unsafe fn explained(why: *mut c_char, why_size: usize, call: impl FnOnce() -> Outcome) -> i32 {
    // SAFETY: passed on.
    unsafe { explain(why, why_size, &"") };
    apart(call)
}

/// Writes bytes that must fit into a buffer of the caller's; how many.
///
/// # Safety
/// `buffer` is NULL or has `capacity` writable bytes.
pub(super) unsafe fn put_bytes(from: &[u8], buffer: *mut u8, capacity: usize) -> Outcome {
    if from.len() > capacity {
        return Err(HEARTLINE_ERR_SHORT);
    }
    if from.is_empty() {
        return Ok(0);
    }
    if buffer.is_null() {
        return Err(HEARTLINE_ERR_NULL);
    }
    // SAFETY: they fit, and what is ours does not overlap what is the caller's.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), buffer, from.len()) };
    i32::try_from(from.len()).map_err(|_| HEARTLINE_ERR_INVALID)
}
