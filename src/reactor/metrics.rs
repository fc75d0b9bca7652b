//! Counters and histograms of a reactor as one thing that can be added up over threads and written for Prometheus. The
//! names are made here alone: the C ABI, `heartline serve` and its page all show this text.

use super::core::Reactor;
use super::counters::Counters;
use super::net::Net;
use super::reason::Reason;
use crate::liveness::{Advisor, Histogram};

/// What a reactor has counted and measured up to now.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Counters of everything that happens.
    pub counters: Counters,
    /// The silences that ended, in milliseconds (L15).
    pub advisor: Advisor,
    /// Round trips from ask to answer, in milliseconds.
    pub round_trips_ms: Histogram,
    /// How long after (last byte + timeout) deaths were declared, in milliseconds.
    pub overshoots_ms: Histogram,
    /// Turns of the loop from the end of their wait to the end of their I/O and verdicts, in microseconds.
    pub turns_us: Histogram,
}

impl<N: Net> Reactor<N> {
    /// A copy of all that was counted and measured, of 16 KiB.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            counters: self.counters.clone(),
            advisor: self.monitor.advisor().clone(),
            round_trips_ms: self.monitor.round_trips().clone(),
            overshoots_ms: self.overshoots_ms.clone(),
            turns_us: self.turns_us.clone(),
        }
    }

    /// What [`Metrics::text`] gives for this reactor.
    #[cfg(feature = "capi")]
    pub(crate) fn metrics_text(&self) -> String {
        let (advisor, round_trips_ms) = (self.monitor.advisor(), self.monitor.round_trips());
        text(&self.counters, &[advisor.silences(), round_trips_ms, &self.overshoots_ms, &self.turns_us])
    }
}

impl Metrics {
    /// Adds those of another reactor.
    pub fn merge(&mut self, other: &Self) {
        self.counters.merge(&other.counters);
        self.advisor.merge(&other.advisor);
        self.round_trips_ms.merge(&other.round_trips_ms);
        self.overshoots_ms.merge(&other.overshoots_ms);
        self.turns_us.merge(&other.turns_us);
    }

    /// All of it in Prometheus' text format, times in seconds; less than 16 KiB.
    ///
    /// A counter `NAME` is `heartline_NAME_total`, but one that ends in `_now` or `_max_…` is the gauge `heartline_NAME`;
    /// `_ms` and `_us` become `_seconds`. A bucket of a histogram holds the values below its bound.
    pub fn text(&self) -> String {
        let Self { counters, advisor, round_trips_ms, overshoots_ms, turns_us } = self;
        text(counters, &[advisor.silences(), round_trips_ms, overshoots_ms, turns_us])
    }
}

/// Name and explanation of each histogram, the places of its values, and the powers of two that it is shown at: from 1 ms
/// to 524 s, and from 16 us to 8.4 s.
const HISTOGRAMS: [(&str, &str, u32, u32); 4] = [
    ("silence_seconds", " Silences that ended.", 3, 0),
    ("round_trip_seconds", " Round trips from ask to answer.", 3, 0),
    ("overshoot_seconds", " How late deaths were declared.", 3, 0),
    ("turn_seconds", " Turns, their waits not counted.", 6, 4),
];
const BOUNDS: u32 = 20;

fn text(counters: &Counters, histograms: &[&Histogram; HISTOGRAMS.len()]) -> String {
    let mut text = Text(Vec::with_capacity(12 << 10));
    for (name, explained, value) in counters.each_explained() {
        text.counter(name, explained, value);
    }
    text.head(&["closed_total"], " Connections closed and dials failed, by reason.", "counter");
    for index in 0..=Reason::ALL.len() {
        let reason = Reason::ALL.get(index).copied().unwrap_or(Reason::Application(256));
        text.sample(&["closed_total{reason=\"", reason.name(), "\"}"], counters.closed(reason), 0);
    }
    for ((name, explained, places, power), values) in HISTOGRAMS.iter().zip(histograms) {
        text.head(&[name], explained, "histogram");
        for power in *power..power + BOUNDS {
            text.put(&["heartline_", name, "_bucket{le=\""]);
            text.number(1 << power, *places);
            text.put(&["\"} "]);
            text.number(values.below(1 << power), 0);
            text.put(&["\n"]);
        }
        text.sample(&[name, "_bucket{le=\"+Inf\"}"], values.count(), 0);
        text.sample(&[name, "_sum"], values.sum(), *places);
        text.sample(&[name, "_count"], values.count(), 0);
    }
    // It is made of texts and digits.
    String::from_utf8(text.0).unwrap_or_default()
}

struct Text(Vec<u8>);

impl Text {
    fn counter(&mut self, name: &str, explained: &str, value: u64) {
        let (ms, us) = (name.strip_suffix("_ms"), name.strip_suffix("_us"));
        let places = if ms.is_some() { 3 } else { 6 * u32::from(us.is_some()) };
        let stem = ms.or(us).unwrap_or(name);
        let is_gauge = name.ends_with("_now") || stem.ends_with("_max");
        let unit = if places > 0 { "_seconds" } else { "" };
        let (kind, tail) = if is_gauge { ("gauge", "") } else { ("counter", "_total") };
        self.head(&[stem, unit, tail], explained, kind);
        self.sample(&[stem, unit, tail], value, places);
    }

    fn head(&mut self, name: &[&str], explained: &str, kind: &str) {
        self.put(&["# HELP heartline_"]);
        self.put(name);
        self.put(&[explained, "\n# TYPE heartline_"]);
        self.put(name);
        self.put(&[" ", kind, "\n"]);
    }

    fn sample(&mut self, name: &[&str], value: u64, places: u32) {
        self.put(&["heartline_"]);
        self.put(name);
        self.put(&[" "]);
        self.number(value, places);
        self.put(&["\n"]);
    }

    #[inline(never)]
    fn put(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.extend_from_slice(part.as_bytes());
        }
    }

    /// `value` divided by ten to the power of `places`. By hand: the formatting machinery would be a hundredth of the
    /// C library.
    #[inline(never)]
    fn number(&mut self, mut value: u64, places: u32) {
        // From the last one back: 20 digits and a point.
        let mut text = [0; 21];
        let mut at = text.len();
        for place in 0..20 {
            if place > places && value == 0 {
                break;
            }
            if place == places && places > 0 {
                at -= 1;
                text[at] = b'.';
            }
            at -= 1;
            text[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        self.0.extend_from_slice(&text[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_seconds_and_exact() {
        let mut metrics = Metrics::default();
        (metrics.counters.stalled_ms, metrics.counters.turn_max_us) = (12_034, 1_000_007);
        metrics.turns_us.record(15);
        metrics.turns_us.record(16);
        let text = metrics.text();
        for line in [
            "heartline_stalled_seconds_total 12.034",
            "# TYPE heartline_turn_max_seconds gauge",
            "heartline_turn_max_seconds 1.000007",
            "heartline_turn_seconds_bucket{le=\"0.000016\"} 1",
            "heartline_turn_seconds_bucket{le=\"0.000032\"} 2",
            "heartline_turn_seconds_bucket{le=\"8.388608\"} 2",
            "heartline_turn_seconds_sum 0.000031",
            "heartline_overshoot_seconds_bucket{le=\"0.001\"} 0",
            "heartline_closed_total{reason=\"silent\"} 0",
            "# HELP heartline_stalls_total Stalls of this process.",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
        }
    }
}
