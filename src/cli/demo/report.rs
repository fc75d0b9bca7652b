//! The table at the end, and the same as JSON.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::census::{CUT, Census, FROZEN, RESET, Tally};
use super::plan::Plan;
use crate::cli::spread::Spread;

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    clients: u32,
    timeout_ms: u64,
    /// What the server said last.
    pub(super) summary: Option<Value>,
    pub(super) stalls_ms: Vec<u64>,
    pub(super) stopped: Duration,
    pub(super) bytes_per_connection: f64,
    frozen: Tally,
    resets: Tally,
    cuts: Tally,
    living: usize,
    missed: u32,
    mistaken: u32,
    early: u32,
    false_deaths: u32,
    overshoot_ms: Spread,
    seen_ms: Spread,
    cpu: Duration,
    attended: Duration,
}

impl Report {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { clients: plan.clients, timeout_ms: plan.timeout.as_millis() as u64, ..Self::default() }
    }

    pub(super) fn sum_up(&mut self, census: &Census, cpu: Duration, attended: Duration) {
        (self.frozen, self.resets, self.cuts) = (census.tally(FROZEN), census.tally(RESET), census.tally(CUT));
        (self.living, self.missed, self.mistaken) = (census.living(), census.missed(), census.mistaken);
        (self.early, self.false_deaths) = (census.early, census.false_deaths);
        self.overshoot_ms = Spread::new(&census.overshoot_ms, 1.0);
        self.seen_ms = Spread::new(&census.seen_us, 1000.0);
        (self.cpu, self.attended) = (cpu, attended);
    }

    /// Nobody missed, nobody early, nobody killed.
    pub(super) fn is_good(&self) -> bool {
        self.missed == 0 && self.early == 0 && self.false_deaths == 0
    }

    pub(super) fn print(&self, as_json: bool) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if as_json {
            writeln!(stdout, "{:#}", self.json())?;
        } else {
            write!(stdout, "{self}")?;
        }
        stdout.flush()
    }

    fn counter(&self, name: &str) -> u64 {
        self.summary.as_ref().and_then(|summary| summary[name].as_u64()).unwrap_or(0)
    }

    fn advice(&self) -> &str {
        self.summary.as_ref().and_then(|summary| summary["advice"].as_str()).unwrap_or("none")
    }

    fn cpu_percent(&self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.attended.as_secs_f64().max(0.001)
    }

    fn json(&self) -> Value {
        let tally = |tally: Tally| json!({"count": tally.count, "found": tally.found});
        json!({
            "good": self.is_good(),
            "clients": self.clients,
            "timeout_ms": self.timeout_ms,
            "connections": self.counter("accepted"),
            "beats": {"asked": self.counter("asks_in"), "answered": self.counter("answers_out")},
            "dead": {"frozen": tally(self.frozen), "reset": tally(self.resets), "cut": tally(self.cuts)},
            "missed": self.missed,
            "mistaken": self.mistaken,
            "early": self.early,
            "overshoot_ms": self.overshoot_ms.json(),
            "overshoot_seen_ms": self.seen_ms.json(),
            "living": self.living,
            "false_deaths": self.false_deaths,
            "stop_ms": self.stopped.as_millis() as u64,
            "stalls_ms": self.stalls_ms,
            "closed": self.summary.as_ref().map(|summary| summary["closed"].clone()),
            "advice": self.advice(),
            "bytes_per_connection": self.bytes_per_connection,
            "cpu_ms": self.cpu.as_secs_f64() * 1000.0,
            "cpu_percent": self.cpu_percent(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timeout = self.timeout_ms as f64 / 1000.0;
        let mut row = |name: &str, value: fmt::Arguments<'_>| writeln!(f, "{name:<22} {value}");
        row("connections", format_args!("{}, timeout {timeout} s", self.clients))?;
        row("beats", format_args!("{} asked, {} answered", self.counter("asks_in"), self.counter("answers_out")))?;
        for (name, tally) in [("frozen", self.frozen), ("reset", self.resets), ("cut in mid-frame", self.cuts)] {
            row(name, format_args!("{} of {} found", tally.found, tally.count))?;
        }
        row("overshoot, told", format_args!("{}", self.overshoot_ms))?;
        row("overshoot, seen", format_args!("{}; {} early", self.seen_ms, self.early))?;
        row("false deaths", format_args!("{} of {} living", self.false_deaths, self.living))?;
        if !self.stopped.is_zero() {
            let stalled: u64 = self.stalls_ms.iter().sum();
            let noticed = match self.stalls_ms.len() {
                0 => "not noticed".to_owned(),
                count => format!(
                    "noticed: {count} stall{}, {:.1} s",
                    if count == 1 { "" } else { "s" },
                    stalled as f64 / 1000.0
                ),
            };
            row("server stopped", format_args!("{:.1} s; {noticed}", self.stopped.as_secs_f64()))?;
        }
        row("advice", format_args!("{}", self.advice()))?;
        row(
            "server memory",
            format_args!("{:.0} bytes per idle connection, the buffers for all included", self.bytes_per_connection),
        )?;
        let (cpu_ms, attended) = (self.cpu.as_secs_f64() * 1000.0, self.attended.as_secs_f64());
        row("server CPU", format_args!("{cpu_ms:.0} ms in {attended:.1} s ({:.1} %)", self.cpu_percent()))?;
        if self.is_good() {
            writeln!(f, "\nEvery dead found on time, no living killed.")
        } else {
            let Self { missed, early, false_deaths, .. } = self;
            writeln!(f, "\nNOT GOOD: {missed} dead missed, {early} declared early, {false_deaths} living killed.")
        }
    }
}
