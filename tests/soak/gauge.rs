//! The server's memory and descriptors over time, and whether they grew.

use std::time::Duration;

use super::plan::GROWTH_KIB;
use crate::support_system::kernel;

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    anonymous_kib: u64,
    connections: usize,
}

/// What was measured of one process.
#[derive(Debug)]
pub(crate) struct Gauge {
    pid: u32,
    /// Descriptors without a connection.
    base: usize,
    samples: Vec<Sample>,
}

/// What became of memory: medians of a quarter of the time after the warm-up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Growth {
    pub(crate) first_kib: u64,
    pub(crate) last_kib: u64,
    pub(crate) first_connections: usize,
    pub(crate) last_connections: usize,
}

impl Growth {
    pub(crate) fn is_flat(self) -> bool {
        // Connections of the dead that wait to be found make the count swing a little.
        let more = self.last_connections.saturating_sub(self.first_connections) as u64;
        self.last_kib <= self.first_kib + GROWTH_KIB + more / 2
    }
}

impl Gauge {
    /// Of a server that has no connection yet.
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid, base: kernel::descriptors(pid), samples: Vec::new() }
    }

    /// `connections`: how many the server should hold now.
    pub(crate) fn sample(&mut self, at: Duration, connections: usize) {
        self.samples.push(Sample { at, anonymous_kib: kernel::anonymous_kib(self.pid), connections });
    }

    pub(crate) fn anonymous_kib(&self) -> u64 {
        self.samples.last().map_or(0, |sample| sample.anonymous_kib)
    }

    /// Descriptors that are neither a connection nor were there at the beginning.
    pub(crate) fn strays(&self, connections: usize) -> i64 {
        kernel::descriptors(self.pid) as i64 - (self.base + connections) as i64
    }

    /// Compares the first with the last quarter of the time after `warm_up`.
    pub(crate) fn growth(&self, warm_up: Duration) -> Growth {
        let warm: Vec<_> = self.samples.iter().filter(|sample| sample.at >= warm_up).collect();
        let quarter = (warm.len() / 4).max(1).min(warm.len());
        let (first, last) = (&warm[..quarter], &warm[warm.len() - quarter..]);
        Growth {
            first_kib: median(first, |sample| sample.anonymous_kib),
            last_kib: median(last, |sample| sample.anonymous_kib),
            first_connections: median(first, |sample| sample.connections as u64) as usize,
            last_connections: median(last, |sample| sample.connections as u64) as usize,
        }
    }
}

fn median(samples: &[&Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<_> = samples.iter().map(|sample| of(sample)).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
