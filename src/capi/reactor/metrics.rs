//! Counters: one by its name, and all as Prometheus text.

use std::ffi::c_char;
use std::fmt::Write;

use super::{heartline_reactor, within};
use crate::capi::buffers::{put_text, string};
use crate::capi::codes::*;
use crate::reactor::{Reactor, Reason};

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

/// All counters, the closes by reason and the silences that ended, in Prometheus' text format: a string into `buffer`,
/// cut at `size`. 16 KiB are enough.
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
    unsafe { within(reactor, |engine| put_text(buffer, size, &text(&engine.reactor))) }
}

/// Writing to a string cannot fail.
fn text(reactor: &Reactor) -> String {
    let counters = reactor.counters();
    let mut out = String::with_capacity(8 << 10);
    for (name, value) in counters.each() {
        let is_gauge = name.ends_with("_now") || name.ends_with("_max_us");
        let (kind, tail) = if is_gauge { ("gauge", "") } else { ("counter", "_total") };
        let _ = writeln!(out, "# TYPE heartline_{name}{tail} {kind}\nheartline_{name}{tail} {value}");
    }
    let _ = writeln!(out, "# TYPE heartline_closed_total counter");
    for reason in Reason::ALL.iter().chain(&[Reason::Application(256)]) {
        let _ = writeln!(out, "heartline_closed_total{{reason=\"{}\"}} {}", reason.name(), counters.closed(*reason));
    }
    let advisor = reactor.monitor().advisor();
    let _ = writeln!(out, "# TYPE heartline_silence_ms summary");
    // The shares are written out: printing floats would add a twentieth to the library.
    for (name, share) in [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99), ("0.999", 0.999), ("0.9999", 0.9999)] {
        let _ = writeln!(out, "heartline_silence_ms{{quantile=\"{name}\"}} {}", advisor.quantile(share));
    }
    let _ = writeln!(out, "heartline_silence_ms_count {}", advisor.count());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::Config;

    #[test]
    fn every_line_is_a_type_or_a_sample() {
        let text = text(&Reactor::new(Config::default()).unwrap());
        assert!(text.len() < 16 << 10, "the header promises that 16 KiB are enough");
        for line in text.lines().filter(|line| !line.starts_with("# TYPE heartline_")) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("heartline_") && value.parse::<f64>().is_ok(), "{line}");
        }
        assert!(text.contains("heartline_closed_total{reason=\"silent\"} 0"));
    }
}
