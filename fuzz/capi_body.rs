//! The body of the fuzz target `capi`: a byte script that calls the exports of the C ABI in any order with any numbers.
//! It never lies about memory; everything else it may. A body panics when a promise of the header is broken.
//!
//! Every export is called (tests/capi_miri.rs compares). Not tried, since one script runs in one thread and must end: a poll
//! that waits for ever, overlapping use, mailboxes of other threads, and descriptors and paths of the machine's that a
//! number or a text might hit; tests/c has programs for these.

#![allow(unsafe_code, dead_code, unreachable_pub, clippy::undocumented_unsafe_blocks)] // all of it is a C program in Rust

#[path = "capi_body/codec.rs"]
mod codec;
#[path = "capi_body/custom.rs"]
mod custom;
#[path = "capi_body/library.rs"]
mod library;
#[path = "capi_body/monitor.rs"]
mod monitor;
#[path = "capi_body/poll.rs"]
mod poll;
#[path = "capi_body/reactor.rs"]
mod reactor;
#[path = "capi_body/script.rs"]
mod script;
#[path = "capi_body/sockets.rs"]
mod sockets;

use heartline::capi::codes::*;

use script::Script;

/// What every export may return: a count, or an error that has a name; never a bug, and never an overlap on one thread.
fn fair(result: i32) -> i32 {
    assert!(result >= 0 || (HEARTLINE_ERR_TOO_MANY..=HEARTLINE_ERR_NULL).contains(&result), "returned {result}");
    assert_ne!(result, HEARTLINE_ERR_PANIC);
    assert_ne!(result, HEARTLINE_ERR_OVERLAP);
    result
}

/// The target: which level is in the first byte.
pub fn any_level(data: &[u8]) {
    match data.split_first() {
        Some((first, rest)) if first % 4 == 0 => level_3(rest),
        _ => levels_1_and_2(data),
    }
}

/// The library itself and levels 1 and 2; nothing here makes a system call but to read the clock.
pub fn levels_1_and_2(data: &[u8]) {
    let mut script = Script(data);
    match script.byte() % 16 {
        15 => library::library(&mut script),
        kind if kind.is_multiple_of(2) => monitor::monitor(&mut script),
        _ => codec::codec(&mut script),
    }
}

/// Level 3, over socket pairs and sockets of its own.
pub fn level_3(data: &[u8]) {
    reactor::reactor(&mut Script(data));
}
