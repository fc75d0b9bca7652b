//! The report for people.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::Kind;
use super::plan::Traffic;
use super::report::{Aftermath, PER_MS, Report};
use super::tally::sum;
use crate::cli::spread::Spread;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.series.total;
        let mut row = |name: &str, value: String| writeln!(f, "{name:<22} {value}");
        row("server", self.headline())?;
        let rate = total.connected as f64 / self.connect_s.max(0.001);
        row(
            "connections",
            format!(
                "{} opened in {:.2} s ({rate:.0}/s); {} open at the end",
                total.connected,
                self.connect_s,
                self.series.open()
            ),
        )?;
        row("connecting", Spread::new(&total.connect_ns, PER_MS).to_string())?;
        if sum(&total.connect_failures) > 0 {
            row("not opened", causes(&total.connect_failures))?;
        }
        row("beats", format!("{} asked, {} answered; the server asked {}", total.asks, total.answers, total.asked))?;
        if self.round_trips_ms.count() > 0 {
            let at = |share| self.round_trips_ms.quantile(share);
            let (p50, p99, max) = (at(0.5), at(0.99), self.round_trips_ms.largest());
            row("round trips", format!("p50 {p50} ms, p99 {p99} ms, max {max} ms, from ask to answer"))?;
        }
        if self.plan.traffic != Traffic::None {
            let received = self.measure("rate").unwrap_or(0.0);
            row(
                "messages",
                format!(
                    "{} sent, {} received ({received:.0}/s), {} unanswered, {} refused",
                    total.sent, total.received, total.unanswered, total.refused
                ),
            )?;
            row("latency", self.latency())?;
            if self.plan.traffic == Traffic::Open {
                row("sent late", Spread::new(&total.late_ns, PER_MS).to_string())?;
            }
            let errors = if total.errors.is_empty() {
                "every message came back as it was sent".to_owned()
            } else {
                causes(&total.errors)
            };
            if total.received > 0 {
                row("integrity", errors)?;
            }
        }
        let lost = if total.lost.is_empty() { String::new() } else { format!(": {}", causes(&total.lost)) };
        row("false deaths", format!("{} of those who were well{lost}", sum(&total.lost)))?;
        for after in &self.faults {
            row(after.fault.kind.name(), after.to_string())?;
        }
        if let Some(server) = self.server() {
            row(
                "server CPU",
                format!(
                    "{:.1} % of a core; switches: {} waiting, {} taken off",
                    server.cpu_percent(),
                    server.switches.0,
                    server.switches.1
                ),
            )?;
            row("server memory", format!("{:.1} MiB at the most", server.memory_bytes as f64 / 1_048_576.0))?;
        }
        row("client", format!("busiest of {} threads: {:.1} % of a core", self.plan.threads, self.client_percent()))?;
        if let Some(why) = self.limited_by_client() {
            row("limited by the client", why)?;
        }
        if let Some(search) = &self.search {
            let goals = self.plan.search.as_ref().map(ToString::to_string).unwrap_or_default();
            let best =
                search.best().map_or_else(|| "no rate".to_owned(), |rate| format!("{rate:.0} messages a second"));
            row("highest rate", format!("{best} with {goals}, after {} tries", search.steps.len()))?;
        }
        for goal in &self.goals {
            let measured =
                goal.measured.map_or_else(|| "nothing to measure it on".to_owned(), |value| format!("{value:.3}"));
            row(if goal.met { "goal met" } else { "GOAL MISSED" }, format!("{}: {measured}", goal.goal))?;
        }
        if self.interrupted { writeln!(f, "\nEnded early, as asked.") } else { Ok(()) }
    }
}

impl Report {
    fn headline(&self) -> String {
        let plan = &self.plan;
        let traffic = match plan.traffic {
            Traffic::None => "beats alone".to_owned(),
            Traffic::Closed(in_flight) => format!("{in_flight} in flight on each connection"),
            Traffic::Open if plan.search.is_some() => "rates on trial".to_owned(),
            Traffic::Open => format!("{:.0} messages a second", plan.rate),
        };
        format!("{}, {}, {traffic}, for {:.1} s", plan.address, plan.framing.spec(), self.seconds)
    }

    fn latency(&self) -> String {
        let at = |name| self.measure(name).unwrap_or(0.0);
        if self.series.total.latency_ns.is_empty() {
            return "nothing to measure it on".to_owned();
        }
        format!(
            "p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, max {:.3} ms, of {}",
            at("p50"),
            at("p90"),
            at("p99"),
            at("p99.9"),
            at("max"),
            self.series.total.latency_ns.len()
        )
    }
}

impl fmt::Display for Aftermath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let toll = &self.toll;
        let at = f64::from(self.fault.at_ms) / 1000.0;
        write!(f, "{} at {at} s", toll.struck)?;
        match self.fault.kind {
            Kind::Reset => write!(f, "; what the server made of it cannot be seen from here")?,
            Kind::Storm => {}
            _ => {
                write!(f, "; {} closed by the server, {} still open", toll.closed, toll.open + toll.missed)?;
                if !toll.after_ns.is_empty() {
                    write!(f, "; after {}", Spread::new(&toll.after_ns, PER_MS))?;
                }
            }
        }
        if let Some(limit_ms) = self.limit_ms {
            write!(f, "; overshoot over {limit_ms} ms: {}", Spread::new(&toll.overshoot_ns, PER_MS))?;
            write!(f, "; {} missed, {} early", toll.missed, toll.early)?;
        }
        if self.fault.kind == Kind::Flood {
            write!(f, "; {} bytes of answers", toll.bytes_back)?;
        }
        if !toll.back_ns.is_empty() || self.fault.kind == Kind::Storm {
            let back = Spread::new(&toll.back_ns, PER_MS);
            write!(
                f,
                "; {} back with {}: {back}; {} attempts failed",
                toll.back_ns.len(),
                self.backoff,
                toll.attempts_failed
            )?;
        }
        write!(f, "; {} of the others closed", toll.bystanders)?;
        match self.recovery_s {
            Some(seconds) => write!(f, ", their latency as before after {seconds:.1} s"),
            None => Ok(()),
        }
    }
}

/// `refused 3, timed out 1`.
fn causes(counts: &BTreeMap<&'static str, u64>) -> String {
    let each: Vec<String> = counts.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    each.join(", ")
}
