//! What a monitor costs its host: a read, a beat, a turn with nothing due, a verdict.
//!
//! `cargo bench --no-default-features --bench monitor`
//!
//! `time` is per round over all peers (traffic, stall), per turn (turn), or per turn of 4,096 verdicts; `thrpt` is peers,
//! turns or verdicts per second. At the stall a fifth of the peers are past their interval, granted time and asked anew.
//! Ten million peers, memory and whole lives are in `monitor_ten_million.rs`.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use heartline::liveness::{Beat, Monitor, MonitorConfig, Policy, Role, Verdict};
use heartline::time::Millis;

const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];

/// `n` peers of a game that are asked, added over one interval.
fn watching(n: u32) -> Monitor {
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
    let game = monitor.define(Policy::game().with_role(Role::Both)).expect("a profile is well-formed");
    (0..n).for_each(|peer| monitor.add(peer, game, Millis(u64::from(peer) * 5_000 / u64::from(n))));
    monitor
}

/// Every number below `n` once, in an order that neither cache nor prefetcher can guess (Fisher and Yates, seeded).
fn scattered(n: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..order.len()).rev() {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        order.swap(last, (dice % (last as u64 + 1)) as usize);
    }
    order
}

fn traffic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("traffic");
    group.sample_size(10);
    for n in SIZES {
        group.throughput(Throughput::Elements(n.into()));
        let (mut monitor, order, mut now) = (watching(n), scattered(n), 5_000);
        group.bench_function(BenchmarkId::new("heard, in random order", n), |bench| {
            bench.iter(|| {
                now += 1;
                order.iter().for_each(|peer| monitor.heard(*peer, Millis(now)));
            });
        });
        group.bench_function(BenchmarkId::new("ask answered, in random order", n), |bench| {
            bench.iter(|| {
                now += 1;
                order.iter().for_each(|peer| {
                    let _ = black_box(monitor.beat(*peer, Beat::Ask, Millis(now)));
                });
            });
        });
    }
}

fn turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("turn");
    group.sample_size(10);
    for n in SIZES {
        let mut monitor = watching(n);
        let mut verdicts = Vec::new();
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("promise, wake, nothing due", n), |bench| {
            bench.iter(|| {
                black_box(monitor.wait_ms(Millis(1)));
                black_box(monitor.advance(Millis(1), &mut verdicts));
            });
        });
        // 4,096 suspects or asks: one full turn of a mass silence.
        let one_turn = |(mut monitor, mut verdicts): (Monitor, Vec<Verdict>)| {
            monitor.advance(Millis(60_000), &mut verdicts);
            assert_eq!(verdicts.len(), 4_096);
            (monitor, verdicts)
        };
        group.throughput(Throughput::Elements(4_096));
        group.bench_function(BenchmarkId::new("4,096 verdicts", n), |bench| {
            let fresh = || (watching(n), Vec::with_capacity(4_096));
            bench.iter_batched(fresh, one_turn, BatchSize::PerIteration);
        });
        group.throughput(Throughput::Elements(n.into()));
        group.bench_function(BenchmarkId::new("a stall: everybody looked at", n), |bench| {
            let late = || {
                let mut monitor = watching(n);
                monitor.promise(Some(Millis(6_000)));
                monitor
            };
            let wake = |mut monitor: Monitor| {
                assert!(monitor.woke(Millis(66_000)).is_some());
                monitor
            };
            bench.iter_batched(late, wake, BatchSize::PerIteration);
        });
    }
}

criterion_group!(benches, traffic, turns);
criterion_main!(benches);
