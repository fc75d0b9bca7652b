//! Timer operations: the lazy wheel inside the monitor, a binary heap with lazy deletion, and a plain loop.
//!
//! `cargo bench --no-default-features --bench wheel`
//!
//! Each is measured at 10 k, 100 k and 1 M timers: `insert` (a new timer, in order of number), `heard` (its deadline moves
//! later) and `cancel`, both in random order, and `expire` (everything is due). A deadline lies 20 s ahead. `time` is per
//! round over all timers, `thrpt` is timers per second: 10 Melem/s are 100 ns for a timer.
//!
//! They do not do the same work:
//!
//! | | per timer | more or less than a timer |
//! |---|---|---|
//! | lazy wheel | 24 bytes | More: all of a monitor. Every peer is looked at twice (suspect after 8 s, dead after 20 s), with a verdict each; `heard` also compares, for a silence worth a second look. `cancel` takes the entry out at once. |
//! | lazy heap | 24 bytes | Less: a deadline, no verdicts. `heard` is a store; the old entry goes on lying in the heap and is pushed again when it comes up. `cancel` is a store too, and leaves its entry to `expire`, where this bench does not see it. |
//! | plain loop | 8 bytes | Least: a deadline. `expire` costs the same when nothing is due, so on each turn of a loop; the others cost next to nothing then. |

mod common;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use common::scattered;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use heartline::liveness::{Monitor, MonitorConfig, Policy, PolicyId, VerdictKind};
use heartline::time::Millis;

const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];
const TIMEOUT_MS: u64 = 20_000;

/// What a timer structure does for its host.
trait Timers: Clone {
    const NAME: &'static str;
    fn empty() -> Self;
    fn insert(&mut self, timer: u32, now: u64);
    fn heard(&mut self, timer: u32, now: u64);
    fn cancel(&mut self, timer: u32);
    /// How many came due.
    fn expire(&mut self, now: u64) -> u32;
}

#[derive(Clone)]
struct Wheel {
    monitor: Monitor,
    policy: PolicyId,
}

impl Timers for Wheel {
    const NAME: &'static str = "lazy wheel";

    fn empty() -> Self {
        let config = MonitorConfig { verdicts_per_turn: usize::MAX, ..MonitorConfig::default() };
        let mut monitor = Monitor::new(config, Millis(0));
        let policy = monitor.define(Policy::game()).expect("a profile is well-formed");
        Self { monitor, policy }
    }
    fn insert(&mut self, timer: u32, now: u64) {
        self.monitor.add(timer, self.policy, Millis(now));
    }
    fn heard(&mut self, timer: u32, now: u64) {
        self.monitor.heard(timer, Millis(now));
    }
    fn cancel(&mut self, timer: u32) {
        self.monitor.remove(timer);
    }
    fn expire(&mut self, now: u64) -> u32 {
        let mut verdicts = Vec::new();
        while self.monitor.advance(Millis(now), &mut verdicts) {}
        let mut dead = 0;
        for verdict in verdicts.iter().filter(|verdict| verdict.kind == VerdictKind::Dead) {
            self.monitor.remove(verdict.peer);
            dead += 1;
        }
        dead
    }
}

/// One heap entry per timer; a deadline that moved is found when the old entry comes up.
#[derive(Clone)]
struct Heap {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    due: Vec<u64>,
}

impl Timers for Heap {
    const NAME: &'static str = "lazy heap";

    fn empty() -> Self {
        Self { heap: BinaryHeap::new(), due: Vec::new() }
    }
    fn insert(&mut self, timer: u32, now: u64) {
        self.due.resize(self.due.len().max(timer as usize + 1), 0);
        self.due[timer as usize] = now + TIMEOUT_MS;
        self.heap.push(Reverse((now + TIMEOUT_MS, timer)));
    }
    fn heard(&mut self, timer: u32, now: u64) {
        self.due[timer as usize] = now + TIMEOUT_MS;
    }
    fn cancel(&mut self, timer: u32) {
        self.due[timer as usize] = 0;
    }
    fn expire(&mut self, now: u64) -> u32 {
        let mut dead = 0;
        while let Some(Reverse((at, timer))) = self.heap.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.heap.pop();
            match self.due[timer as usize] {
                0 => (),
                due if due > at => self.heap.push(Reverse((due, timer))),
                _ => dead += 1,
            }
        }
        dead
    }
}

/// Every deadline looked at, each time.
#[derive(Clone)]
struct Loop {
    due: Vec<u64>,
}

impl Timers for Loop {
    const NAME: &'static str = "plain loop";

    fn empty() -> Self {
        Self { due: Vec::new() }
    }
    fn insert(&mut self, timer: u32, now: u64) {
        self.due.resize(self.due.len().max(timer as usize + 1), 0);
        self.due[timer as usize] = now + TIMEOUT_MS;
    }
    fn heard(&mut self, timer: u32, now: u64) {
        self.due[timer as usize] = now + TIMEOUT_MS;
    }
    fn cancel(&mut self, timer: u32) {
        self.due[timer as usize] = 0;
    }
    fn expire(&mut self, now: u64) -> u32 {
        let mut dead = 0;
        for due in self.due.iter_mut().filter(|due| **due != 0 && **due <= now) {
            *due = 0;
            dead += 1;
        }
        dead
    }
}

/// Timers 0 to `n`, inserted over 5 s.
fn filled<T: Timers>(n: u32) -> T {
    let mut timers = T::empty();
    (0..n).for_each(|timer| timers.insert(timer, u64::from(timer) * 5_000 / u64::from(n)));
    timers
}

fn operations<T: Timers>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(T::NAME);
    group.sample_size(10);
    for n in SIZES {
        group.throughput(Throughput::Elements(n.into()));
        group.bench_function(BenchmarkId::new("insert", n), |bench| bench.iter(|| filled::<T>(n)));
        let (full, order) = (filled::<T>(n), scattered(n));
        let mut talking = full.clone();
        let mut now = 5_000;
        group.bench_function(BenchmarkId::new("heard", n), |bench| {
            bench.iter(|| {
                now += 1;
                order.iter().for_each(|timer| talking.heard(*timer, now));
            });
        });
        let cancel = |mut timers: T| {
            order.iter().for_each(|timer| timers.cancel(*timer));
            timers
        };
        group.bench_function(BenchmarkId::new("cancel", n), |bench| {
            bench.iter_batched(|| full.clone(), cancel, BatchSize::PerIteration);
        });
        let expire = |mut timers: T| {
            assert_eq!(black_box(timers.expire(60_000)), n);
            timers
        };
        group.bench_function(BenchmarkId::new("expire", n), |bench| {
            bench.iter_batched(|| full.clone(), expire, BatchSize::PerIteration);
        });
    }
}

criterion_group!(benches, operations::<Wheel>, operations::<Heap>, operations::<Loop>);
criterion_main!(benches);
