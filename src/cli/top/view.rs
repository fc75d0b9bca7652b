//! What is said of the readings: the same words on a screen and as plain lines.

use std::collections::VecDeque;
use std::fmt;

use super::samples::Samples;

/// Readings that are kept, for the lines that are drawn.
const KEPT: usize = 300;
/// Readings that a quantile of "now" looks back.
const BACK: usize = 10;

/// The last readings, the newest last.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Samples>);

impl History {
    pub(super) fn add(&mut self, samples: Samples) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(samples);
    }

    /// Between each reading and the one before it.
    fn rates(&self, name: &str) -> Vec<u64> {
        self.0.iter().zip(self.0.iter().skip(1)).map(|(before, now)| now.rate(before, name) as u64).collect()
    }
}

/// All that is shown.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) title: String,
    /// Why there is nothing newer.
    pub(super) lost: Option<String>,
    pub(super) numbers: Vec<(&'static str, String)>,
    /// Name, p50, p99 and how many.
    pub(super) times: Vec<[String; 4]>,
    /// Reason, how many, and of them since the last reading.
    pub(super) ends: Vec<[String; 3]>,
    pub(super) connections: Vec<u64>,
    pub(super) messages: Vec<u64>,
}

impl View {
    pub(super) fn of(address: &str, history: &History) -> Self {
        let Some(now) = history.0.back() else { return Self::default() };
        let before = history.0.iter().rev().nth(1).unwrap_or(now);
        let back = history.0.get(history.0.len().saturating_sub(BACK + 1)).filter(|back| back.at < now.at);
        let total = |name| short(now.value(name));
        let rate = |name| format!("{}/s", short(now.rate(before, name)));
        let numbers = vec![
            ("connections", total("connections_now")),
            ("accepted", total("accepted_total")),
            ("messages in", rate("messages_in_total")),
            ("messages out", rate("messages_out_total")),
            ("bytes in", rate("bytes_in_total")),
            ("bytes out", rate("bytes_out_total")),
            ("beats asked", total("asks_out_total")),
            ("beats answered", total("answers_out_total")),
            ("waiting to be sent", total("outbox_bytes_now")),
            ("found dead", total("deaths_total")),
            ("false deaths found", total("false_deaths_total")),
            ("stalls", format!("{} ({})", total("stalls_total"), seconds(now.value("stalled_seconds_total")))),
            ("listeners paused", total("listeners_paused_now")),
            ("accept pauses", total("accept_pauses_total")),
        ];
        let time = |name: &str, title: &str, since: Option<&Samples>| {
            let below = |share| now.below(since, name, share).map_or("–".to_owned(), |s| format!("< {}", seconds(s)));
            let count =
                now.value(&format!("{name}_count")) - since.map_or(0.0, |since| since.value(&format!("{name}_count")));
            [title.to_owned(), below(0.5), below(0.99), short(count)]
        };
        let times = vec![
            time("turn_seconds", "turns, lately", back),
            time("turn_seconds", "turns", None),
            time("round_trip_seconds", "round trips", None),
            time("overshoot_seconds", "overshoot of deaths", None),
            time("silence_seconds", "silences that ended", None),
        ];
        let mut ends: Vec<_> = now.closed.iter().filter(|(_, count)| **count > 0.0).collect();
        ends.sort_by(|a, b| b.1.total_cmp(a.1));
        let ends = ends
            .into_iter()
            .map(|(reason, count)| {
                let lately = count - before.closed.get(reason).copied().unwrap_or(0.0);
                [
                    reason.clone(),
                    short(*count),
                    if lately > 0.0 { format!("+{}", short(lately)) } else { String::new() },
                ]
            })
            .collect();
        Self {
            title: format!("heartline {address}"),
            lost: None,
            numbers,
            times,
            ends,
            connections: history.0.iter().map(|samples| samples.value("connections_now") as u64).collect(),
            messages: history.rates("messages_in_total"),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        // Of one reading there is no rate.
        for (name, value) in self.numbers.iter().filter(|(_, value)| !value.ends_with("/s")) {
            writeln!(f, "{name:20} {value}")?;
        }
        for [name, p50, p99, count] in &self.times[1..] {
            writeln!(f, "{name:20} p50 {p50}, p99 {p99}, of {count}")?;
        }
        for [reason, count, _] in &self.ends {
            writeln!(f, "{:20} {count}", format!("closed {reason}"))?;
        }
        Ok(())
    }
}

/// `950`, `12.3 k`, `4.0 M`.
fn short(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{:.1} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e4 => format!("{:.1} k", n / 1e3),
        n if n.fract() == 0.0 => format!("{n}"),
        n => format!("{n:.1}"),
    }
}

/// `16 us`, `2.0 ms`, `1.0 s`.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s.is_infinite() => "ever".to_owned(),
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 0.001 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} us", s * 1e6),
    }
}
