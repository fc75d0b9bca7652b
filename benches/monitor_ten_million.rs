//! The monitor alone, with ten million peers, in virtual time.
//!
//! ```text
//! cargo bench --no-default-features --bench monitor_ten_million                      the figures
//! cargo bench --no-default-features --bench monitor_ten_million -- heard PEERS       one of them, as a line of JSON
//! cargo bench --no-default-features --bench monitor_ten_million -- count PEERS       for callgrind
//! ```
//!
//! `count` lets PEERS peers be heard once, in random order, within `count_heard`: the instructions of that function
//! divided by PEERS must be the same at every size.
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='*count_heard*' target/release/deps/monitor_ten_million-* count 100000
//! ```

#![allow(clippy::print_stdout)]

mod common;

use std::hint::black_box;
use std::time::Instant;

use common::{scattered, watching};
use heartline::liveness::{Beat, Monitor, PEER_BYTES, Policy, Role, Verdict, VerdictKind};
use heartline::time::Millis;

const MANY: u32 = 10_000_000;
const FEW: u32 = 100_000;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "count") {
        let peers = words.get(at + 1).and_then(|peers| peers.parse().ok()).unwrap_or(FEW);
        let mut monitor = watching(peers, Policy::im(), 0);
        count_heard(&mut monitor, &scattered(peers), 1);
        return;
    }
    if let Some(at) = words.iter().position(|word| word == "heard") {
        let peers = words.get(at + 1).and_then(|peers| peers.parse().ok()).unwrap_or(FEW);
        let (ns, bytes) = heard(peers);
        println!(r#"{{"peers":{peers},"ns_per_heard":{ns:.2},"bytes_per_peer":{bytes:.1}}}"#);
        return;
    }
    println!("one peer is {PEER_BYTES} bytes");
    for peers in [FEW, 1_000_000, MANY] {
        let (ns, bytes) = heard(peers);
        println!("{peers:>10} peers: {bytes:.1} resident bytes each; heard, in random order: {ns:.1} ns");
    }
    for peers in [FEW, MANY] {
        an_hour_of_life(peers);
    }
    for peers in [FEW, MANY] {
        mass_death(peers);
    }
    stall(MANY);
}

#[inline(never)]
fn count_heard(monitor: &mut Monitor, order: &[u32], now: u64) {
    for peer in order {
        monitor.heard(*peer, Millis(now));
    }
}

/// Nanoseconds per heard, of the median round, and resident bytes per peer.
fn heard(peers: u32) -> (f64, f64) {
    let before = resident_bytes();
    let mut monitor = watching(peers, Policy::im(), 0);
    let bytes = resident_bytes().saturating_sub(before) as f64 / f64::from(peers);
    let order = scattered(peers);
    let rounds = (20_000_000 / peers).max(5);
    count_heard(&mut monitor, &order, 1);
    let mut times: Vec<f64> = (0..rounds)
        .map(|round| {
            let start = Instant::now();
            count_heard(&mut monitor, &order, u64::from(round) + 2);
            start.elapsed().as_nanos() as f64 / f64::from(peers)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    black_box(monitor);
    (times[times.len() / 2], bytes)
}

/// Everybody is asked and answers for an hour of virtual time: what the wheel costs for the living.
fn an_hour_of_life(peers: u32) {
    let minutes = if peers > 1_000_000 { 1 } else { 60 };
    let mut monitor = watching(peers, Policy::im().with_role(Role::Both), 0);
    let (mut verdicts, mut asks, mut turns, mut longest) = (Vec::new(), 0_u64, 0_u64, 0);
    let start = Instant::now();
    let mut now = Millis(0);
    while now < Millis(minutes * 60_000) {
        now = now + u64::from(monitor.wait_ms(now).expect("peers are watched"));
        let turn = Instant::now();
        monitor.advance(now, &mut verdicts);
        longest = longest.max(turn.elapsed().as_micros());
        for verdict in verdicts.drain(..) {
            assert_eq!(verdict.kind, VerdictKind::Ask);
            asks += 1;
            let _ = monitor.beat(verdict.peer, Beat::Answer, now);
        }
        turns += 1;
    }
    let ns = start.elapsed().as_nanos() as f64 / asks as f64;
    let counters = monitor.counters();
    println!(
        "{peers:>10} peers asked for {minutes} min: {asks} asks in {turns} turns, {ns:.0} ns per ask with its answer, {} \
         visits, longest advance {longest} us",
        counters.visits
    );
}

/// Everybody falls silent in the same millisecond.
fn mass_death(peers: u32) {
    let mut monitor = watching(peers, Policy::lan(), 0);
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(4_096);
    let (mut dead, mut count, mut longest) = (0, 0_u64, 0);
    let start = Instant::now();
    while dead < peers {
        let turn = Instant::now();
        monitor.advance(Millis(8_000), &mut verdicts);
        longest = longest.max(turn.elapsed().as_micros());
        for verdict in verdicts.drain(..) {
            count += 1;
            if verdict.kind == VerdictKind::Dead {
                monitor.remove(verdict.peer);
                dead += 1;
            }
        }
    }
    let ns = start.elapsed().as_nanos() as f64 / count as f64;
    println!("{peers:>10} peers dead at once: {ns:.0} ns per verdict, longest turn {longest} us");
}

/// The pass over all peers that a stall costs.
fn stall(peers: u32) {
    let mut monitor = watching(peers, Policy::im().with_role(Role::Both), 0);
    monitor.promise(Some(Millis(4_000)));
    let start = Instant::now();
    assert!(monitor.woke(Millis(64_000)).is_some());
    println!("{peers:>10} peers and a stall: {} ms once", start.elapsed().as_millis());
}

/// Bytes of memory that this process has touched; 0 where /proc does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
