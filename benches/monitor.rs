//! What a monitor costs its host: a read, a beat, a turn with nothing due, a verdict.
//!
//! `cargo bench --no-default-features --bench monitor`
//!
//! `time` is per round over all peers (traffic, stall), per turn (turn), or per turn of 4,096 verdicts; `thrpt` is peers,
//! turns or verdicts per second. At the stall a fifth of the peers are past their interval, granted time and asked anew.
//! Ten million peers, memory and whole lives are in `monitor_ten_million.rs`.

mod common;

use std::hint::black_box;

use common::{scattered, watching};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use heartline::liveness::{Beat, Monitor, Policy, Role, Verdict};
use heartline::time::Millis;

const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];

/// `n` peers of a game that are asked, added over one interval.
fn game(n: u32) -> Monitor {
    watching(n, Policy::game().with_role(Role::Both), 5_000)
}

fn traffic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("traffic");
    group.sample_size(10);
    for n in SIZES {
        group.throughput(Throughput::Elements(n.into()));
        let (mut monitor, order, mut now) = (game(n), scattered(n), 5_000);
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
        let mut monitor = game(n);
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
            let fresh = || (game(n), Vec::with_capacity(4_096));
            bench.iter_batched(fresh, one_turn, BatchSize::PerIteration);
        });
        group.throughput(Throughput::Elements(n.into()));
        group.bench_function(BenchmarkId::new("a stall: everybody looked at", n), |bench| {
            let late = || {
                let mut monitor = game(n);
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
