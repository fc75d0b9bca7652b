//! Prometheus text of Heartline's, read.

use std::collections::BTreeMap;
use std::time::Instant;

/// One reading.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    pub(super) at: Instant,
    /// Without labels, by name less `heartline_`.
    values: BTreeMap<String, f64>,
    /// Ends, by reason.
    pub(super) closed: BTreeMap<String, f64>,
    /// By name of the histogram: bounds and how many were below each.
    buckets: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Samples {
    /// `None` if it is not of Heartline.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut samples =
            Self { at: Instant::now(), values: BTreeMap::new(), closed: BTreeMap::new(), buckets: BTreeMap::new() };
        for line in text.lines() {
            let Some((name, value)) = line.strip_prefix("heartline_").and_then(|line| line.rsplit_once(' ')) else {
                continue;
            };
            let value: f64 = value.parse().ok()?;
            match name.split_once('{') {
                None => drop(samples.values.insert(name.to_owned(), value)),
                Some((_, labels)) if labels.starts_with("reason=") => {
                    samples.closed.insert(labels.split('"').nth(1)?.to_owned(), value);
                }
                Some((name, labels)) if labels.starts_with("le=") => {
                    let bound = labels.split('"').nth(1)?.parse().ok()?;
                    samples.buckets.entry(name.strip_suffix("_bucket")?.to_owned()).or_default().push((bound, value));
                }
                Some(_) => {}
            }
        }
        samples.values.contains_key("connections_now").then_some(samples)
    }

    /// 0 if there is none of this name.
    pub(super) fn value(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(0.0)
    }

    /// How often `name` grew in a second since `before`.
    pub(super) fn rate(&self, before: &Self, name: &str) -> f64 {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        if seconds > 0.0 { (self.value(name) - before.value(name)).max(0.0) / seconds } else { 0.0 }
    }

    /// Below what the share `share` of the values since `before` lay, in seconds; `None` if there were none.
    pub(super) fn below(&self, before: Option<&Self>, name: &str, share: f64) -> Option<f64> {
        let known = self.buckets.get(name)?;
        let old = before.and_then(|before| before.buckets.get(name));
        let since = |index: usize| known[index].1 - old.and_then(|old| old.get(index)).map_or(0.0, |(_, count)| *count);
        let all = since(known.len() - 1);
        let place = (0..known.len()).find(|index| since(*index) >= share * all)?;
        (all > 0.0).then_some(known[place].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline::reactor::Metrics;

    #[test]
    fn what_the_library_writes_is_read() {
        let mut metrics = Metrics::default();
        (metrics.counters.messages_in, metrics.counters.stalled_ms) = (7, 1500);
        for us in [20, 20, 20, 5_000] {
            metrics.turns_us.record(us);
        }
        let before = Samples::read(&metrics.text()).unwrap();
        assert_eq!((before.value("messages_in_total"), before.value("stalled_seconds_total")), (7.0, 1.5));
        assert_eq!(before.closed["silent"], 0.0);
        assert_eq!(before.below(None, "turn_seconds", 0.5), Some(0.000032));
        assert_eq!(before.below(None, "turn_seconds", 0.99), Some(0.008192));
        assert_eq!(before.below(None, "round_trip_seconds", 0.99), None);
        metrics.turns_us.record(100);
        metrics.counters.messages_in = 9;
        let now =
            Samples { at: before.at + std::time::Duration::from_secs(2), ..Samples::read(&metrics.text()).unwrap() };
        assert_eq!(now.below(Some(&before), "turn_seconds", 0.5), Some(0.000128));
        assert_eq!(now.rate(&before, "messages_in_total"), 1.0);
        assert!(Samples::read("hello 1\n").is_none());
    }
}
