//! The run from its first connection to its report: starts the threads, keeps the time, adds up what they tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use heartline::liveness::Histogram;
use heartline::time::{Clock, SystemClock};

use super::goal::Goals;
use super::plan::Plan;
use super::report::{Aftermath, Report};
use super::search::Search;
use super::series::{Point, Series};
use super::server::Watched;
use super::shared::{NEVER, Note, Shared};
use super::tally::{Tally, Toll};
use super::trial::Trial;
use super::worker::{MS, TICK_NS, Worker};
use crate::cli::Problem;
use crate::cli::screen::Screen;

/// How often orders and signals are looked at.
const STEP: Duration = Duration::from_millis(20);
const SECOND_NS: u64 = 1000 * MS;
/// From the last connection to the first message, so that all threads begin together.
const BREATH_NS: u64 = 30 * MS;
/// A thread that is told to end and tells nothing is stuck.
const PATIENCE_NS: u64 = 30 * SECOND_NS;

/// The run under way.
pub(super) struct Director {
    pub(super) plan: Arc<Plan>,
    pub(super) shared: Arc<Shared>,
    notes: Receiver<Note>,
    threads: Vec<JoinHandle<()>>,
    pub(super) screen: Screen,
    series: Series,
    watched: Option<Watched>,
    interrupted: Arc<AtomicBool>,
    began_ns: u64,
    next_point_ns: u64,
    settled: u16,
    /// When all were open, or had failed.
    settled_ns: u64,
    done: u16,
    tolls: Vec<Toll>,
    round_trips_ms: Histogram,
    pub(super) trial: Option<Trial>,
}

impl Director {
    pub(super) fn start(plan: Plan, server_pid: Option<i32>, interrupted: Arc<AtomicBool>) -> Result<Self, Problem> {
        let clock = SystemClock::new();
        let began_ns = clock.now_ns();
        let watched = match server_pid {
            Some(pid) => {
                Some(Watched::new(pid, 0.0).map_err(|error| Problem::failed(format!("--server-pid {pid}: {error}")))?)
            }
            None => None,
        };
        let shared = Arc::new(Shared {
            clock,
            start_ns: AtomicU64::new(NEVER),
            end_ns: AtomicU64::new(NEVER),
            stop: AtomicBool::new(false),
            rate_milli: AtomicU64::new((plan.rate * 1000.0) as u64),
            epoch: AtomicU64::new(0),
        });
        let plan = Arc::new(plan);
        let (sender, notes) = channel();
        let mut threads = Vec::new();
        for index in 0..plan.threads {
            let (plan, shared, sender) = (plan.clone(), shared.clone(), sender.clone());
            let spawned = thread::Builder::new()
                .name(format!("load {index}"))
                .spawn(move || Worker::run(plan, shared, sender, index));
            threads.push(spawned.map_err(|error| Problem::failed(format!("starting thread {index}: {error}")))?);
        }
        Ok(Self {
            screen: Screen::new(Duration::from_millis(u64::from(plan.duration_ms))),
            series: Series::new(plan.threads),
            tolls: vec![Toll::default(); plan.faults.len()],
            plan,
            shared,
            notes,
            threads,
            watched,
            interrupted,
            began_ns,
            next_point_ns: began_ns + SECOND_NS,
            settled: 0,
            settled_ns: NEVER,
            done: 0,
            round_trips_ms: Histogram::new(),
            trial: None,
        })
    }

    /// To the end, which Ctrl-C brings early.
    pub(super) fn run(mut self, goals: &Goals) -> Result<Report, Problem> {
        let mut end_seen_ns = NEVER;
        while self.done < self.plan.threads {
            let now = self.now();
            if self.interrupted.load(Ordering::Relaxed) && end_seen_ns == NEVER {
                self.shared.end_ns.fetch_min(now, Ordering::Release);
            }
            if end_seen_ns == NEVER && now >= self.shared.end_ns.load(Ordering::Relaxed) {
                end_seen_ns = now;
            }
            if now > end_seen_ns.saturating_add(PATIENCE_NS) {
                self.shared.stop.store(true, Ordering::Relaxed);
                return Err(Problem::failed("a thread of the load does not end"));
            }
            match self.notes.recv_timeout(STEP) {
                Ok(note) => self.take(note)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.now();
            if now >= self.next_point_ns {
                self.point(now);
            }
            self.try_rates(now);
        }
        self.point(self.now());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                return Err(Problem::failed("a thread of the load panicked"));
            }
        }
        self.screen.end();
        Ok(self.report(goals))
    }

    fn now(&self) -> u64 {
        self.shared.clock.now_ns()
    }

    fn seconds(&self, ns: u64) -> f64 {
        ns.saturating_sub(self.began_ns) as f64 / 1e9
    }

    fn take(&mut self, note: Note) -> Result<(), Problem> {
        match note {
            Note::Settled => {
                self.settled += 1;
                if self.settled == self.plan.threads {
                    self.begin();
                }
            }
            Note::Tick { thread, epoch, tally } => {
                let now = self.now();
                let started = now > self.shared.start_ns.load(Ordering::Relaxed);
                self.series.add(thread, &tally, started);
                if let Some(trial) = &mut self.trial
                    && epoch == trial.epoch
                    && now >= trial.from_ns + TICK_NS
                {
                    trial.tally.merge(&tally);
                }
            }
            Note::Done { tolls, round_trips_ms } => {
                self.done += 1;
                self.round_trips_ms.merge(&round_trips_ms);
                for (mine, theirs) in self.tolls.iter_mut().zip(&tolls) {
                    mine.merge(theirs);
                }
            }
            Note::Failed(text) => {
                self.shared.stop.store(true, Ordering::Relaxed);
                return Err(Problem::failed(text));
            }
        }
        Ok(())
    }

    /// Everybody is open, or has failed.
    fn begin(&mut self) {
        self.settled_ns = self.now();
        let start = self.settled_ns + BREATH_NS;
        self.shared.start_ns.store(start, Ordering::Release);
        // A point ends here, so that the load has points of its own.
        self.point(self.now());
        self.next_point_ns = start + SECOND_NS;
        if let Some(goals) = &self.plan.search {
            let search = Search::new(goals.clone(), self.plan.rate);
            self.trial = Some(Trial { search, epoch: 0, tally: Tally::default(), from_ns: start, until_ns: start });
            self.next_rate(self.plan.rate, start);
        } else if self.plan.duration_ms > 0 {
            let end = start + u64::from(self.plan.duration_ms) * MS;
            self.shared.end_ns.fetch_min(end, Ordering::Release);
        }
        self.screen.say(&format!("{} connections are open, the load begins", self.series.open()));
    }

    /// Ends a second: a line of what happened in it.
    fn point(&mut self, now: u64) {
        let at_s = self.seconds(now);
        self.next_point_ns += SECOND_NS;
        let sample = self.watched.as_mut().and_then(|watched| watched.look(at_s));
        let point = self.series.close_point(at_s, sample);
        self.screen.show(&line(point));
        self.screen.advance();
    }

    fn report(self, goals: &Goals) -> Report {
        let start_ns = self.shared.start_ns.load(Ordering::Relaxed).min(self.now());
        let end_ns = self.shared.end_ns.load(Ordering::Relaxed).min(self.now());
        let start_s = self.seconds(start_ns);
        let connect_s = self.seconds(self.settled_ns.min(self.now()));
        let at_s = |at_ms: u32| start_s + f64::from(at_ms) / 1000.0;
        let mut faults = Vec::new();
        for (number, toll) in self.tolls.into_iter().enumerate() {
            let fault = self.plan.faults[number];
            let next_ms = self.plan.faults.iter().map(|other| other.at_ms).find(|at_ms| *at_ms > fault.at_ms);
            faults.push(Aftermath {
                fault,
                toll,
                limit_ms: self.plan.limit_ms(fault.kind),
                recovery_s: self.series.recovery_s(at_s(fault.at_ms), next_ms.map_or(f64::MAX, at_s)),
                backoff: fault.backoff.unwrap_or(self.plan.backoff).to_string(),
            });
        }
        let mut report = Report {
            plan: Plan::clone(&self.plan),
            series: self.series,
            round_trips_ms: self.round_trips_ms,
            connect_s,
            start_s,
            seconds: end_ns.saturating_sub(start_ns) as f64 / 1e9,
            interrupted: self.interrupted.load(Ordering::Relaxed),
            faults,
            search: self.trial.map(|trial| trial.search),
            goals: Vec::new(),
        };
        report.goals = goals.judge(|name| report.measure(name));
        report
    }
}

/// What moves: connections, beats, messages, latency, errors.
fn line(point: &Point) -> String {
    let latency =
        point.latency_ms.map_or(String::new(), |[p50, _, p99, _]| format!(", p50 {p50:.2} ms p99 {p99:.2} ms"));
    format!(
        "{} open, {:.0} asks/s, {:.0} messages/s{latency}, {} closed, {} errors",
        point.open, point.asks, point.received, point.lost, point.errors
    )
}
