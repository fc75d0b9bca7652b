//! What was counted, second by second, and in all.

use super::server::Sample;
use super::tally::{Tally, sum};

/// One second of the run.
#[derive(Clone, Debug, Default)]
pub(super) struct Point {
    /// Its end, in seconds since the first connection was dialled.
    pub(super) at_s: f64,
    pub(super) open: u64,
    pub(super) connected: u64,
    /// Per second.
    pub(super) sent: f64,
    pub(super) received: f64,
    pub(super) asks: f64,
    /// Counts.
    pub(super) lost: u64,
    pub(super) errors: u64,
    /// In milliseconds: p50, p90, p99, the longest; none where nothing came back.
    pub(super) latency_ms: Option<[f64; 4]>,
    /// What the server used meanwhile, where it is watched.
    pub(super) server: Option<Sample>,
}

/// The whole run.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) points: Vec<Point>,
    pub(super) total: Tally,
    /// CPU time of each thread since the load began.
    pub(super) cpu_ns: Vec<u64>,
    /// And how long each was ready to run without a core.
    pub(super) starved_ns: Vec<u64>,
    current: Tally,
    open: Vec<u64>,
    last_s: f64,
}

impl Series {
    pub(super) fn new(threads: u16) -> Self {
        let none = vec![0; usize::from(threads)];
        Self { cpu_ns: none.clone(), starved_ns: none.clone(), open: none, ..Self::default() }
    }

    /// What a thread counted; `loaded`: after the load has begun.
    pub(super) fn add(&mut self, thread: u16, tally: &Tally, loaded: bool) {
        let thread = usize::from(thread);
        self.open[thread] = tally.open;
        if loaded {
            self.cpu_ns[thread] += tally.cpu_ns;
            self.starved_ns[thread] += tally.starved_ns;
        }
        self.current.merge(tally);
    }

    pub(super) fn open(&self) -> u64 {
        self.open.iter().sum()
    }

    /// Ends a point at `at_s`.
    pub(super) fn close_point(&mut self, at_s: f64, server: Option<Sample>) -> &Point {
        let tally = std::mem::take(&mut self.current);
        let seconds = (at_s - self.last_s).max(0.001);
        self.last_s = at_s;
        let ms = |share| tally.latency_ns.value_at_quantile(share) as f64 / 1e6;
        let latency_ms = (!tally.latency_ns.is_empty()).then(|| [ms(0.5), ms(0.9), ms(0.99), ms(1.0)]);
        self.total.merge(&tally);
        self.points.push(Point {
            at_s,
            open: self.open(),
            connected: tally.connected,
            sent: tally.sent as f64 / seconds,
            received: tally.received as f64 / seconds,
            asks: tally.asks as f64 / seconds,
            lost: sum(&tally.lost),
            errors: sum(&tally.errors) + sum(&tally.connect_failures),
            latency_ms,
            server,
        });
        &self.points[self.points.len() - 1]
    }

    /// How long after a fault, in seconds, the latency of the others was above twice what it had been (and a millisecond
    /// more); none if there was nothing to compare.
    pub(super) fn recovery_s(&self, from_s: f64, until_s: f64) -> Option<f64> {
        let p99 = |point: &Point| point.latency_ms.map(|[_, _, p99, _]| p99);
        let mut before: Vec<f64> = self.points.iter().filter(|point| point.at_s <= from_s).filter_map(p99).collect();
        before = before.split_off(before.len().saturating_sub(5));
        before.sort_by(f64::total_cmp);
        let usual = before.get(before.len() / 2)? * 2.0 + 1.0;
        let slow =
            |point: &&Point| point.at_s > from_s && point.at_s <= until_s && p99(point).is_some_and(|ms| ms > usual);
        Some(self.points.iter().rfind(slow).map_or(0.0, |point| point.at_s - from_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_latency(ms: &[u64]) -> Series {
        let mut series = Series::new(1);
        for (second, ms) in ms.iter().enumerate() {
            let mut tally = Tally { sent: 10, open: 3, ..Tally::default() };
            tally.latency(ms * 1_000_000);
            series.add(0, &tally, true);
            series.close_point((second + 1) as f64, None);
        }
        series
    }

    #[test]
    fn points_are_per_second_and_the_total_is_all() {
        let series = with_latency(&[1, 2, 30]);
        let point = &series.points[2];
        assert_eq!((point.open, point.sent, series.total.sent), (3, 10.0, 30));
        let [p50, .., max] = point.latency_ms.unwrap();
        assert!((p50 - 30.0).abs() < 0.1 && (max - 30.0).abs() < 0.1, "{point:?}");
        assert_eq!(series.total.latency_ns.len(), 3);
    }

    #[test]
    fn recovery_ends_with_the_last_slow_second_before_the_next_fault() {
        let series = with_latency(&[2, 2, 2, 90, 90, 3, 2, 90]);
        assert_eq!(series.recovery_s(3.0, 7.0), Some(2.0));
        assert_eq!(series.recovery_s(3.0, 9.0), Some(5.0));
        assert_eq!(series.recovery_s(6.0, 7.0), Some(0.0));
        assert_eq!(series.recovery_s(0.5, 7.0), None);
    }
}
