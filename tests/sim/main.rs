//! A simulator of the whole reactor. The real reactor, monitor and codecs run, unchanged, over a simulated kernel and a
//! virtual clock; what goes wrong is drawn from a seed, so that any failure is replayed from one number.
//!
//! | file | idea |
//! |---|---|
//! | `scenario`, `faults`, `dice` | what a seed draws, and how a failing one is made smaller |
//! | `world`, `wire`, `segments`, `process` | time, sockets, what is on its way between them, epoll sets |
//! | `kernel` | what the reactors see of it: `Net` |
//! | `hosts`, `application`, `crowd`, `habits`, `peers` | who takes part: real reactors and what is done with them, and scripted programs of others |
//! | `oracle`, `truth`, `attended`, `onlooker`, `ledger` | what is seen and known |
//! | `deadlines`, `told`, `healed`, `reckoning` | what must be true of it: by when, of events, after the faults, at the end |
//! | `run`, `trace`, `seeds` | one run, what it prints, and the seeds that once failed |
//!
//! `make sim SEEDS=1000`, `make sim SEED=42`, `TRACE=1` for every event, `CUT=` for the smaller form of a seed.

#![allow(unreachable_pub)]

mod application;
mod attended;
mod crowd;
mod deadlines;
mod dice;
mod faults;
mod habits;
mod healed;
mod hosts;
mod kernel;
mod ledger;
mod onlooker;
mod oracle;
mod peers;
mod process;
mod reckoning;
mod run;
mod scenario;
mod seeds;
mod segments;
mod told;
mod trace;
mod truth;
mod wire;
mod world;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use run::{Outcome, run, shrink};
use scenario::{Cuts, Scenario};
use trace::Detail;

/// How many seeds `make test` runs, and from which on.
const SEEDS: u64 = 1000;
const FROM: u64 = 1;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.trim().is_empty())
        .map(|text| text.trim().parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn print(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs the seeds on all cores; the first failure, if there is one.
fn run_seeds(from: u64, count: u64) -> Option<(u64, String)> {
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let failed: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());
    let sum: Mutex<Outcome> = Mutex::new(Outcome::default());
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - from >= count {
                        break;
                    }
                    let outcome = run(&scenario_of(seed), Detail::Nothing);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.virtual_ms += outcome.virtual_ms;
                    sum.connections += outcome.connections;
                    sum.messages += outcome.messages;
                    sum.deaths += outcome.deaths;
                    sum.stalls += outcome.stalls;
                    if let Some(failure) = outcome.failure {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push((seed, failure));
                        stop.store(number("KEEP_GOING").is_none(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort();
    let seconds = begun.elapsed().as_secs_f64();
    let ran = (next.into_inner() - from).min(count);
    print(&format!(
        "{ran} seeds from {from} in {seconds:.1} s ({:.0} a second): {} hours, {} connections, {} messages, {} deaths, \
         {} stalls; {} failed",
        ran as f64 / seconds,
        sum.virtual_ms / 3_600_000,
        sum.connections,
        sum.messages,
        sum.deaths,
        sum.stalls,
        failed.len()
    ));
    for (seed, failure) in failed.iter().skip(1) {
        print(&format!("seed {seed}: {failure}"));
    }
    failed.into_iter().next()
}

/// Prints a run as a script.
fn tell(scenario: &Scenario, detail: Detail) -> Option<String> {
    let outcome = run(scenario, detail);
    print(&format!("seed {}\n{scenario}", scenario.seed));
    for line in &outcome.lines {
        print(line);
    }
    print(&format!("trace {:016x}: {}", outcome.hash, outcome.failure.as_deref().unwrap_or("all is well")));
    outcome.failure
}

#[test]
fn seeds() {
    let detail = if number("TRACE").is_some() { Detail::Everything } else { Detail::Script };
    if let Some(seed) = number("SEED") {
        let cuts = std::env::var("CUT").unwrap_or_default();
        let cuts = Cuts::parse(&cuts).unwrap_or_else(|| panic!("CUT={cuts} is no cut"));
        let scenario = scenario_of(seed).cut(&cuts);
        if let Some(failure) = tell(&scenario, detail) {
            panic!("seed {seed}: {failure}");
        }
        return;
    }
    let count = if std::env::var("SEEDS").is_ok_and(|text| text == "forever") {
        u64::MAX
    } else {
        number("SEEDS").unwrap_or(SEEDS)
    };
    if let Some((seed, failure)) = run_seeds(number("FROM").unwrap_or(FROM), count) {
        print(&format!("seed {seed} failed: {failure}\nmaking it smaller ..."));
        let cuts = shrink(&scenario_of(seed), &failure);
        let smaller = scenario_of(seed).cut(&cuts);
        let smaller_failure = tell(&smaller, Detail::Script).unwrap_or_default();
        panic!("seed {seed}: {smaller_failure}\nreplay it: make sim SEED={seed} CUT={cuts}");
    }
}

/// The seed, or with `CONNECTIONS=` a big one of that many.
fn scenario_of(seed: u64) -> Scenario {
    match number("CONNECTIONS") {
        Some(connections) => Scenario::draw_big(seed, connections as usize),
        None => Scenario::draw(seed),
    }
}

#[test]
fn thousands_of_connections() {
    for seed in [1, 2] {
        let outcome = run(&Scenario::draw_big(seed, 4_000), Detail::Nothing);
        assert!(outcome.failure.is_none(), "seed {seed} of 4,000: {:?}", outcome.failure);
    }
}

#[test]
fn named_seeds_stay_well() {
    for named in seeds::NAMED {
        let failure = run(&named.scenario(), Detail::Nothing).failure;
        assert!(failure.is_none(), "{} ({}; {}): {failure:?}", named.name, named.seed, named.showed);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let scenario = Scenario::draw(seed);
        let (a, b) = (run(&scenario, Detail::Nothing), run(&scenario, Detail::Script));
        assert_eq!((a.hash, a.failure), (b.hash, b.failure), "seed {seed}");
    }
}
