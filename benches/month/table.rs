//! The table at the end.

use std::fmt;
use std::time::Duration;

use super::Plan;
use super::tally::{Outcome, Tally};
use super::truth::LATE_MS;

/// One count of a tally.
type Count = fn(&Tally) -> u64;

pub(crate) struct Table<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) outcome: &'a Outcome,
    pub(crate) took: Duration,
    pub(crate) bytes_per_peer: f64,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, outcome, took, bytes_per_peer } = self;
        let Plan { peers, days, seed, threads } = plan;
        writeln!(f, "{peers} peers, {days} days, seed {seed}, {threads} monitors\n")?;
        writeln!(f, "{:<22} {:>14} {:>14} {:>14}", "", "mobile", "im", "together")?;
        let all = outcome.all();
        let rows: [(&str, Count); 11] = [
            ("peers", |tally| tally.peers),
            ("connections", |tally| tally.connects),
            ("closed by the peer", |tally| tally.closes),
            ("replaced", |tally| tally.replaced),
            ("heards", |tally| tally.heards),
            ("asks", |tally| tally.asks),
            ("answers", |tally| tally.answers),
            ("suspects", |tally| tally.suspects),
            ("revived", |tally| tally.revived),
            ("dead", |tally| tally.dead),
            ("gone while suspect", |tally| tally.gone_suspect),
        ];
        for (name, of) in rows {
            writeln!(f, "{name:<22} {:>14} {:>14} {:>14}", of(&outcome.mobile), of(&outcome.im), of(&all))?;
        }
        let mut row = |name: &str, value: fmt::Arguments<'_>| writeln!(f, "{name:<22} {value}");
        let stalls = outcome.stalls;
        let seconds = |ms: u64| ms as f64 / 1000.0;
        row("", format_args!(""))?;
        let (sum, longest) = (seconds(stalls.ms), seconds(stalls.longest_ms));
        row("stalled", format_args!("{} times, {sum:.1} s together, at most {longest:.1} s", stalls.count))?;
        let (most, end) = (outcome.connected_at_most, outcome.connected_at_end);
        row("connected", format_args!("{most} at most, {end} at the end"))?;
        let over = outcome.overshoot_max_ms;
        row("overshoot", format_args!("at most {over} ms; {LATE_MS} ms are allowed: a tick and the host's step"))?;
        let (visits, relinks) = (outcome.counters.visits, outcome.counters.relinks);
        let virtual_s = f64::from(*days) * 86_400.0;
        let (each, real) = (visits as f64 / virtual_s, visits as f64 / took.as_secs_f64());
        row("visits", format_args!("{visits}: {each:.0} a virtual second, {real:.0} a real one; {relinks} relinks"))?;
        row("turns", format_args!("{}", outcome.turns))?;
        row("memory", format_args!("{bytes_per_peer:.1} bytes per peer, resident, at the end"))?;
        let times = virtual_s / took.as_secs_f64();
        row("real time", format_args!("{:.1} s: {times:.0} times as fast", took.as_secs_f64()))?;
        row("wrong", format_args!("{}", outcome.faults))?;
        if outcome.faults.are_none() {
            writeln!(f, "\nEvery dead found on time, no living killed, all sums come out.")
        } else {
            writeln!(f, "\nNOT GOOD: see the line `wrong`.")
        }
    }
}
