//! What was measured, as figures with names and as JSON.

use heartline::liveness::Histogram;
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::goal::Judged;
use super::plan::{Plan, Traffic};
use super::search::Search;
use super::series::{Point, Series};
use super::server::Sample;
use super::tally::{Tally, Toll, sum};
use crate::cli::spread::Spread;

/// Nanoseconds in a millisecond.
pub(super) const PER_MS: f64 = 1e6;
/// A thread of the load that is busier than this is what limits the run.
const BUSY_PERCENT: f64 = 90.0;
/// One that had no core for so long measured what else this machine does.
const STARVED_PERCENT: f64 = 10.0;
/// An open loop that sends later than this, one message in a hundred, is not what was asked for.
const LATE_MS: f64 = 1.0;

/// A fault and what came of it.
#[derive(Debug)]
pub(super) struct Aftermath {
    pub(super) fault: Fault,
    pub(super) toll: Toll,
    /// The server's limit, if it was given.
    pub(super) limit_ms: Option<u32>,
    /// How long the latency of the others was above what it had been.
    pub(super) recovery_s: Option<f64>,
    pub(super) backoff: String,
}

/// The report.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) plan: Plan,
    pub(super) series: Series,
    /// From the asks of the clients to their answers.
    pub(super) round_trips_ms: Histogram,
    /// When every client was open, or had failed, in seconds since the first dial.
    pub(super) connect_s: f64,
    /// When the load began and how long it lasted, in seconds since the first dial.
    pub(super) start_s: f64,
    pub(super) seconds: f64,
    pub(super) interrupted: bool,
    pub(super) faults: Vec<Aftermath>,
    pub(super) search: Option<Search>,
    pub(super) goals: Vec<Judged>,
}

/// What a goal can name of one tally, counted over `seconds`; times in milliseconds.
pub(super) fn measure(tally: &Tally, seconds: f64, name: &str) -> Option<f64> {
    let latency = &tally.latency_ns;
    let at = |share| (!latency.is_empty()).then(|| latency.value_at_quantile(share) as f64 / PER_MS);
    Some(match name {
        "p50" => at(0.5)?,
        "p90" => at(0.9)?,
        "p99" => at(0.99)?,
        "p99.9" => at(0.999)?,
        "max" => at(1.0)?,
        "mean" => at(0.5).map(|_| latency.mean() / PER_MS)?,
        "rate" => tally.received as f64 / seconds.max(0.001),
        "false-deaths" => sum(&tally.lost) as f64,
        "errors" => sum(&tally.errors) as f64,
        "connect-failures" => sum(&tally.connect_failures) as f64,
        "connections" => tally.connected as f64,
        "unanswered" => tally.unanswered as f64,
        "refused" => tally.refused as f64,
        "connect-p99" if !tally.connect_ns.is_empty() => tally.connect_ns.value_at_quantile(0.99) as f64 / PER_MS,
        "late-p99" if !tally.late_ns.is_empty() => tally.late_ns.value_at_quantile(0.99) as f64 / PER_MS,
        _ => return None,
    })
}

impl Report {
    /// What a goal can name, of the whole run.
    pub(super) fn measure(&self, name: &str) -> Option<f64> {
        let overshoot = |share| {
            let mut all = crate::cli::spread::histogram();
            for Aftermath { toll, .. } in &self.faults {
                let _ = all.add(&toll.overshoot_ns);
            }
            (!all.is_empty()).then(|| all.value_at_quantile(share) as f64 / PER_MS)
        };
        let of_faults = |count: fn(&Toll) -> u64| {
            let judged = || self.faults.iter().filter(|after| after.limit_ms.is_some());
            judged().next().map(|_| judged().map(|after| count(&after.toll)).sum::<u64>() as f64)
        };
        match name {
            "missed" => of_faults(|toll| toll.missed),
            "early" => of_faults(|toll| toll.early),
            "overshoot-p50" => overshoot(0.5),
            "overshoot-p99" => overshoot(0.99),
            "overshoot-max" => overshoot(1.0),
            "recovery-max" => {
                let of = |after: &Aftermath| after.recovery_ms();
                self.faults.iter().filter_map(of).max_by(f64::total_cmp)
            }
            "server-cpu" => self.server().map(|server| server.cpu_percent()),
            "server-memory" => self.server().map(|server| server.memory_bytes as f64),
            "server-switches" => self.server().map(|server| (server.switches.0 + server.switches.1) as f64),
            _ => measure(&self.series.total, self.seconds, name),
        }
    }

    /// The points of the load itself, without the opening.
    pub(super) fn loaded(&self) -> impl Iterator<Item = &Point> {
        self.series.points.iter().filter(|point| point.at_s > self.start_s + 0.001)
    }

    /// What the server used while it was under load; its memory at the most.
    pub(super) fn server(&self) -> Option<Sample> {
        let add = |a: Sample, b: Sample| Sample {
            seconds: a.seconds + b.seconds,
            cpu_s: a.cpu_s + b.cpu_s,
            memory_bytes: a.memory_bytes.max(b.memory_bytes),
            switches: (a.switches.0 + b.switches.0, a.switches.1 + b.switches.1),
        };
        self.loaded().filter_map(|point| point.server).reduce(add)
    }

    /// How busy the busiest thread was, in percent of a core.
    pub(super) fn client_percent(&self) -> f64 {
        self.most_percent(&self.series.cpu_ns)
    }

    fn most_percent(&self, of_threads_ns: &[u64]) -> f64 {
        let most = of_threads_ns.iter().max().copied().unwrap_or(0);
        most as f64 / 1e7 / self.seconds.max(0.001)
    }

    /// Why the figures say more of the client than of the server, if they do.
    pub(super) fn limited_by_client(&self) -> Option<String> {
        let late = &self.series.total.late_ns;
        let late_ms = late.value_at_quantile(0.99) as f64 / PER_MS;
        let (busy, starved) = (self.client_percent(), self.most_percent(&self.series.starved_ns));
        if starved >= STARVED_PERCENT {
            return Some(format!("a thread was ready to run and had no core for {starved:.0} % of the time"));
        }
        // A thread that spins is always busy, and says nothing by it.
        if self.plan.traffic == Traffic::Open {
            return (late_ms > LATE_MS)
                .then(|| format!("one message in a hundred was sent {late_ms:.1} ms late or more"));
        }
        (busy >= BUSY_PERCENT).then(|| format!("its busiest thread took {busy:.0} % of a core"))
    }

    pub(super) fn is_good(&self) -> bool {
        self.goals.iter().all(|goal| goal.met)
    }

    pub(super) fn json(&self) -> Value {
        let total = &self.series.total;
        let spread = |histogram| Spread::new(histogram, PER_MS).json();
        let mut latency = Map::new();
        for name in ["p50", "p90", "p99", "p99.9", "max", "mean"] {
            latency.insert(name.to_owned(), json!(self.measure(name)));
        }
        latency.insert("count".to_owned(), json!(total.latency_ns.len()));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "good": self.is_good(),
            "interrupted": self.interrupted,
            "limited_by_client": self.limited_by_client(),
            "plan": self.plan_json(),
            "seconds": self.seconds,
            "connect_seconds": self.connect_s,
            "connections": {
                "opened": total.connected, "open_at_end": self.series.open(), "failed": total.connect_failures,
                "connect_ms": spread(&total.connect_ns),
            },
            "beats": {
                "asked": total.asks, "answered": total.answers, "asked_by_server": total.asked,
                "round_trip_ms": {
                    "p50": self.round_trips_ms.quantile(0.5), "p99": self.round_trips_ms.quantile(0.99),
                    "max": self.round_trips_ms.largest(),
                },
            },
            "messages": {
                "sent": total.sent, "received": total.received, "refused": total.refused, "unanswered": total.unanswered,
                "rate": self.measure("rate"), "errors": total.errors,
            },
            "bytes": {"in": total.bytes_in, "out": total.bytes_out},
            "latency_ms": latency,
            "late_ms": spread(&total.late_ns),
            "false_deaths": sum(&total.lost),
            "lost": total.lost,
            "faults": self.faults.iter().map(Aftermath::json).collect::<Vec<_>>(),
            "client": {
                "threads": self.plan.threads, "cpu_percent": self.client_percent(),
                "starved_percent": self.most_percent(&self.series.starved_ns),
            },
            "server": self.server().map(|server| json!({
                "cpu_percent": server.cpu_percent(), "cpu_seconds": server.cpu_s, "memory_bytes": server.memory_bytes,
                "switches": {"voluntary": server.switches.0, "involuntary": server.switches.1},
            })),
            "search": self.search.as_ref().map(|search| json!({
                "rate": search.best(),
                "steps": search.steps.iter().map(|step| json!({
                    "rate": step.rate, "received": step.received, "p99_ms": step.p99_ms, "met": step.met,
                })).collect::<Vec<_>>(),
            })),
            "thresholds": self.goals.iter().map(|goal| json!({
                "goal": goal.goal, "measured": goal.measured, "met": goal.met,
            })).collect::<Vec<_>>(),
            "series": self.series.points.iter().map(point_json).collect::<Vec<_>>(),
        })
    }

    fn plan_json(&self) -> Value {
        let plan = &self.plan;
        let (traffic, in_flight) = match plan.traffic {
            Traffic::None => ("none", None),
            Traffic::Closed(in_flight) => ("closed loop", Some(in_flight)),
            Traffic::Open => ("open loop", None),
        };
        json!({
            "address": plan.address.to_string(), "connections": plan.connections, "threads": plan.threads,
            "frame": plan.framing.spec(), "policy": plan.policy.to_string(), "traffic": traffic, "in_flight": in_flight,
            "rate": (plan.traffic == Traffic::Open && plan.search.is_none()).then_some(plan.rate),
            "message_bytes": plan.template.size(), "sources": plan.sources.addresses().len(),
            "duration_ms": plan.duration_ms, "warmup_ms": plan.warmup_ms, "timeout_ms": plan.timeout_ms,
            "spin": plan.spin, "seed": plan.seed,
        })
    }
}

impl Aftermath {
    /// When everything was as before: the last was back, or the latency of the others was.
    pub(super) fn recovery_ms(&self) -> Option<f64> {
        let back = (!self.toll.back_ns.is_empty()).then(|| self.toll.back_ns.max() as f64 / PER_MS);
        let latency = self.recovery_s.map(|seconds| seconds * 1000.0);
        back.into_iter().chain(latency).max_by(f64::total_cmp)
    }

    fn json(&self) -> Value {
        let (toll, spread) = (&self.toll, |histogram| Spread::new(histogram, PER_MS).json());
        json!({
            "fault": self.fault.label(), "kind": self.fault.kind.name(), "at_ms": self.fault.at_ms, "struck": toll.struck,
            "closed": toll.closed, "closed_by_reset": toll.closed_by_reset, "missed": toll.missed, "open": toll.open,
            "early": toll.early, "limit_ms": self.limit_ms, "closed_after_ms": spread(&toll.after_ns),
            "overshoot_ms": spread(&toll.overshoot_ns), "false_deaths": toll.bystanders, "bytes_back": toll.bytes_back,
            "back": toll.back_ns.len(), "back_ms": spread(&toll.back_ns), "attempts_failed": toll.attempts_failed,
            "backoff": self.backoff, "latency_recovered_ms": self.recovery_s.map(|seconds| seconds * 1000.0),
            "recovery_ms": self.recovery_ms(),
        })
    }
}

fn point_json(point: &Point) -> Value {
    let latency = point.latency_ms.map(|[p50, p90, p99, max]| json!({"p50": p50, "p90": p90, "p99": p99, "max": max}));
    json!({
        "at_s": point.at_s, "open": point.open, "connected": point.connected, "sent": point.sent,
        "received": point.received, "asks": point.asks, "lost": point.lost, "errors": point.errors, "latency_ms": latency,
        "server": point.server.map(|server| json!({
            "cpu_percent": server.cpu_percent(), "memory_bytes": server.memory_bytes,
            "switches": server.switches.0 + server.switches.1,
        })),
    })
}
