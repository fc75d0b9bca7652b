//! What the system tests share: the built server in a process of its own, peers of many kinds, network namespaces, and
//! what the kernel says about all of them.
//!
//! Everything here ends by itself: processes are killed, namespaces removed and waits bounded, also when a test panics.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod dialler;
pub(crate) mod holder;
pub(crate) mod host;
pub(crate) mod kernel;
pub(crate) mod namespaces;
pub(crate) mod observer;
pub(crate) mod server;
pub(crate) mod swarm;

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// A beat of `length:4be`: a frame with an empty message. Ask and answer are the same bytes.
pub(crate) const BEAT: [u8; 4] = [0; 4];

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A frame of `length:4be`.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(message.len()).expect("a test's message").to_be_bytes().to_vec();
    frame.extend_from_slice(message);
    frame
}

/// A measured figure, shown also when the test passes.
pub(crate) fn report(figure: &str) {
    let _ = writeln!(std::io::stderr(), "    measured: {figure}");
}

/// Asks `condition` every 5 ms until it holds; panics with `what` after `limit`.
#[track_caller]
pub(crate) fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::sleep(ms(5));
    }
}

/// Sleeps until a moment of the test's script.
pub(crate) fn sleep_until(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(Instant::now()));
}

/// Fails with a clear line if a tool that the test needs is missing. Never a skip.
#[track_caller]
pub(crate) fn require(tools: &[&str]) {
    for tool in tools {
        let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", tool]).status();
        assert!(found.is_ok_and(|status| status.success()), "this test needs `{tool}`, which is not installed");
    }
}

/// Fails with a clear line if the tests do not run as root. Never a skip.
#[track_caller]
pub(crate) fn require_root() {
    let owner = std::fs::metadata("/proc/self").map(|process| process.uid());
    assert!(owner.is_ok_and(|uid| uid == 0), "this test needs root (namespaces, limits, other processes)");
}

/// Runs a command to its end; panics with what it said if it fails.
#[track_caller]
pub(crate) fn run(command: &[&str]) {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output = output.unwrap_or_else(|error| panic!("`{}`: {error}", command.join(" ")));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{}` failed: {said}", command.join(" "));
}
