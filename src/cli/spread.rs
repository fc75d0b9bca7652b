//! Distributions: how they are gathered, and what is told of them.

use std::fmt;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Three significant digits, growing as needed.
pub(crate) fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 2, 3).unwrap_or_else(|_| unreachable!("1, 2 and 3 are allowed"));
    histogram.auto(true);
    histogram
}

pub(crate) fn record(histogram: &mut Histogram<u64>, value: u64) {
    // It grows by itself up to any value that a u64 holds; only memory could fail it.
    let _ = histogram.record(value);
}

/// The middle, the tail and the end of a distribution, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn new(histogram: &Histogram<u64>, per_ms: f64) -> Self {
        let at = |share| histogram.value_at_quantile(share) as f64 / per_ms;
        Self { count: histogram.len(), p50: at(0.5), p99: at(0.99), max: histogram.max() as f64 / per_ms }
    }

    pub(crate) fn json(self) -> Value {
        json!({"count": self.count, "p50": self.p50, "p99": self.p99, "max": self.max})
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return write!(f, "nobody to measure it on");
        }
        write!(f, "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms, of {}", self.p50, self.p99, self.max, self.count)
    }
}
