//! Months in a minute: a million peers under the monitor alone, for 30 virtual days.
//!
//! ```text
//! make month
//! cargo bench --no-default-features --bench month -- [peers N] [days N] [seed N] [threads N]
//! ```
//!
//! People sleep, ride through tunnels, lose their NAT mapping, leave for good and come back; the host is stopped now and
//! then. The program knows who said what and when, so it knows who must be declared dead and who must not: exit status 1
//! if a verdict was wrong or a sum is off. `benches/month/person.rs` says how people live.

#![allow(clippy::print_stdout)]

#[path = "month/mod.rs"]
mod month;

use std::process::ExitCode;
use std::time::Instant;

use month::Plan;
use month::table::Table;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    let number = |name, default| number(name).unwrap_or(default);
    let plan = Plan {
        peers: number("peers", 1_000_000) as u32,
        // Attended milliseconds are kept in 32 bits here.
        days: number("days", 30).min(45) as u32,
        seed: number("seed", 1),
        threads: number("threads", 2).max(1) as u32,
    };
    let began = Instant::now();
    let (outcome, monitors) = month::live(&plan);
    let took = began.elapsed();
    // The array of peers is a mapping of its own: what is resident less without it is what it took.
    let before = resident_bytes();
    drop(monitors);
    let bytes_per_peer = before.saturating_sub(resident_bytes()) as f64 / f64::from(plan.peers);
    print!("{}", Table { plan: &plan, outcome: &outcome, took, bytes_per_peer });
    if outcome.faults.are_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Bytes of memory that this process has touched; 0 where /proc does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
