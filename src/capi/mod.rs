//! The C ABI: what `include/heartline.h` declares. Only marshalling: every decision is made in the rooms behind it.
//!
//! Three levels, each useful alone: `heartline_monitor_*` (liveness for connections that the host owns),
//! `heartline_codec_*` (framing of bytes that the host owns), `heartline_reactor_*` (everything). C programs read the
//! header, whose first page has the rules; this page has those for whoever works here.
//!
//! - cbindgen reads this room file by file, in the order that tests/capi_header.rs gives, and expands no macro: every export
//!   and every type is written out, in no `mod.rs`.
//! - An export is one line of marshalling around `guard`: it checks for NULL, finds overlapping use (R10), and turns a
//!   panic into an error that poisons the object instead of ending the host.
//! - What comes in is copied, or borrowed for the call; enums come as numbers and are checked; structs begin with
//!   their size (`sized`).
//! - Out-parameters are written on success alone.
//!
//! CONTRIBUTING.md lists all rules, with what keeps and what tests each.
//!
//! | file | idea |
//! |---|---|
//! | `guard` | entering an object: overlap, panic |
//! | `sized` | structs that may grow |
//! | `buffers` | strings and bytes of the caller's |
//! | `defaults` | what a field is that is 0 |
//! | `library` | versions, the clock |
//! | `os` | errors of the operating system |
//! | `codes`, `names` | error numbers and their texts; names of reasons, events, verdicts |
//! | `policy`, `monitor/` | level 1 |
//! | `codec/` | level 2 |
//! | `reactor/` | level 3 |
#![allow(unsafe_code, non_camel_case_types, unreachable_pub)]

mod buffers;
pub mod codec;
pub mod codes;
mod defaults;
mod guard;
pub mod library;
pub mod monitor;
pub mod names;
mod os;
pub mod policy;
pub mod reactor;
mod sized;

pub use library::HEARTLINE_OFF;
