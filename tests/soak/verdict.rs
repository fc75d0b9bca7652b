//! The table at the end, and whether all was well.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::census::{Census, Kind};
use super::gauge::Growth;
use super::plan::{GROWTH_KIB, Plan};

/// What went wrong: a name, how often, and some of the sentences.
pub(crate) type Failure = (&'static str, Vec<String>);

pub(crate) struct Verdict {
    pub(crate) plan: Plan,
    pub(crate) census: Census,
    pub(crate) took: Duration,
    pub(crate) connections: u64,
    pub(crate) living: usize,
    pub(crate) beats: u64,
    pub(crate) answers: u64,
    pub(crate) echoes: u64,
    pub(crate) echo_bytes: u64,
    pub(crate) deaf: u64,
    pub(crate) slow: u64,
    pub(crate) stops: usize,
    pub(crate) stopped: Duration,
    pub(crate) stalls_of_its_own: Duration,
    pub(crate) reloads: usize,
    pub(crate) our_latest: Duration,
    pub(crate) excused: usize,
    pub(crate) growth: Growth,
    pub(crate) strays: i64,
    /// Of the loop's own: false deaths, lost echoes, sums.
    pub(crate) failures: Vec<Failure>,
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        self.failures().is_empty()
    }

    fn failures(&self) -> Vec<Failure> {
        let census = &self.census;
        let mut failures = self.failures.clone();
        failures.push(("dead missed", census.missed.clone()));
        failures.push(("dead found too early", census.early.clone()));
        failures.push(("dead found too late", census.late.clone()));
        failures.push(("dead found for another reason", census.mistaken.clone()));
        let Growth { first_kib, last_kib, .. } = self.growth;
        if !self.growth.is_flat() {
            failures
                .push(("memory grew", vec![format!("{first_kib} to {last_kib} KiB; {GROWTH_KIB} KiB are allowed")]));
        }
        if self.strays != 0 {
            failures.push(("descriptors left over", vec![format!("{}", self.strays)]));
        }
        failures.retain(|(_, sentences)| !sentences.is_empty());
        failures
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { clients, seed, .. } = &self.plan;
        writeln!(f, "\nsoak of {:.0} s, {clients} clients, seed {seed}", self.took.as_secs_f64())?;
        let mut row = |name: &str, value: fmt::Arguments<'_>| writeln!(f, "  {name:<20} {value}");
        row("connections", format_args!("{}; {} living at the end", self.connections, self.living))?;
        row("beats", format_args!("{} sent, {} answered", self.beats, self.answers))?;
        row("echoes", format_args!("{} back, byte by byte, {} MB", self.echoes, self.echo_bytes / 1_000_000))?;
        for kind in Kind::ALL {
            let tally = self.census.tally(kind);
            row(
                &format!("{kind:?}").to_lowercase(),
                format_args!("{} of {} found as {}", tally.found, tally.count, kind.reason()),
            )?;
        }
        row(
            "deaf, slow",
            format_args!("{} did not read for a while, {} read slowly; all living", self.deaf, self.slow),
        )?;
        let (stops, stopped) = (self.stops, self.stopped.as_secs_f64());
        row(
            "server stopped",
            format_args!("{stops} times, {stopped:.1} s; stalls of its own {:?}", self.stalls_of_its_own),
        )?;
        row("reloads", format_args!("{}", self.reloads))?;
        row("overshoot, told", format_args!("{}", Spread(&self.census.overshoot_ms)))?;
        row("overshoot, seen", format_args!("{}", Spread(&self.census.seen_ms)))?;
        row("ourselves late", format_args!("at most {:?}; {} deaths excused by it", self.our_latest, self.excused))?;
        let Growth { first_kib, last_kib, first_connections, last_connections } = self.growth;
        row(
            "server memory",
            format_args!("{first_kib} KiB at {first_connections} connections, then {last_kib} at {last_connections}"),
        )?;
        row("descriptors", format_args!("{} left over", self.strays))?;
        let failures = self.failures();
        if failures.is_empty() {
            return writeln!(f, "Every dead found on time, no living killed, every echo back, nothing grew.");
        }
        writeln!(f, "NOT GOOD, seed {seed}:")?;
        for (what, sentences) in failures {
            writeln!(f, "  {} {what}:", sentences.len())?;
            for sentence in sentences.iter().take(8) {
                writeln!(f, "    {sentence}")?;
            }
        }
        Ok(())
    }
}

/// The middle, the tail and the end.
struct Spread<'a>(&'a Histogram<u64>);

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |share| self.0.value_at_quantile(share);
        write!(f, "p50 {} ms, p99 {} ms, max {} ms, of {}", at(0.5), at(0.99), self.0.max(), self.0.len())
    }
}
