//! What a monitor costs its host: a read, a beat, a turn with nothing due, a verdict.
//!
//! `cargo bench --no-default-features --bench monitor`

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

/// Every number below `n` once, in an order that no cache likes.
fn scattered(n: u32) -> impl Iterator<Item = u32> {
    (0..u64::from(n)).map(move |k| (k * 7_368_787 % u64::from(n)) as u32)
}

fn traffic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("traffic");
    group.sample_size(10);
    for n in SIZES {
        group.throughput(Throughput::Elements(n.into()));
        let (mut monitor, mut now) = (watching(n), 5_000);
        group.bench_function(BenchmarkId::new("heard, in random order", n), |bench| {
            bench.iter(|| {
                now += 1;
                scattered(n).for_each(|peer| monitor.heard(peer, Millis(now)));
            });
        });
        group.bench_function(BenchmarkId::new("ask answered, in random order", n), |bench| {
            bench.iter(|| {
                now += 1;
                scattered(n).for_each(|peer| {
                    let _ = black_box(monitor.beat(peer, Beat::Ask, Millis(now)));
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
                monitor.promise(Some(Millis(2_000)));
                monitor
            };
            let wake = |mut monitor: Monitor| {
                assert!(monitor.woke(Millis(62_000)).is_some());
                monitor
            };
            bench.iter_batched(late, wake, BatchSize::PerIteration);
        });
    }
}

criterion_group!(benches, traffic, turns);
criterion_main!(benches);
