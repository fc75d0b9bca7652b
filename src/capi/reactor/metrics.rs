//! Counters: one by its name, and all as Prometheus text.

use std::ffi::c_char;

use super::{heartline_reactor, within};
use crate::capi::buffers::{put_text, string};
use crate::capi::codes::*;

/// A counter by its name, such as "messages_in"; docs/c-guide.md lists them. Writes it to `*out`.
///
/// Returns 0, or HEARTLINE_ERR_INVALID (no such counter), _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `name` is NULL or a string; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_counter(
    reactor: *mut heartline_reactor,
    name: *const c_char,
    out: *mut u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let name = string(name)?;
            let found = engine.reactor.counters().each().find(|(known, _)| *known == name);
            out.write_unaligned(found.ok_or(HEARTLINE_ERR_INVALID)?.1);
            Ok(0)
        })
    }
}

/// All counters, the closes by reason, and histograms of silences that ended, round trips, overshoots and turns, in
/// Prometheus' text format: a string into `buffer`, cut at `size`. 16 KiB are enough.
///
/// Returns its length without the NUL, whether it fitted or not; or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `buffer` is NULL with 0 or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_metrics(
    reactor: *mut heartline_reactor,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe { within(reactor, |engine| put_text(buffer, size, &engine.reactor.metrics_text())) }
}
