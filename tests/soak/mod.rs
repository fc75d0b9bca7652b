//! The soak: one server, a crowd of clients, a schedule of faults, and a census of what was found.
//!
//! | file | idea |
//! |---|---|
//! | `plan` | how long, how many, which seed, which times |
//! | `schedule` | what happens when, from the seed |
//! | `crowd`, `client`, `echo` | the clients, one of them, and what it sends and has back |
//! | `clock` | what counts for nobody |
//! | `census` | who should have been found and who was |
//! | `gauge` | the server's memory and descriptors |
//! | `verdict` | the table, and whether all was well |

mod census;
mod client;
mod clock;
mod crowd;
mod echo;
mod gauge;
mod plan;
mod schedule;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use self::census::{Census, Kind, Told};
use self::clock::Clock;
use self::crowd::Crowd;
use self::gauge::Gauge;
pub(crate) use self::plan::Plan;
use self::plan::{FIRST_FRAME, FRAME_LIMIT, LONG, OUTPUT_LIMIT, SHORT, Times};
use self::schedule::{Blow, Schedule};
use self::verdict::{Failure, Verdict};
use crate::support_system::server::{Closed, Server};
use crate::support_system::{kernel, ms, report};

/// How often lines are read and samples taken, at the least.
const LOOK_EVERY: Duration = ms(100);
const SAMPLE_EVERY: Duration = ms(500);
/// Later than this is late.
const OUR_LATE: Duration = ms(20);
/// How much longer than allowed a dead is waited for.
const PATIENCE: Duration = ms(3000);
/// With so much wrong, more would say nothing new.
const ENOUGH: usize = 200;

pub(crate) struct Soak {
    plan: Plan,
    config: PathBuf,
    server: Server,
    crowd: Crowd,
    census: Census,
    clock: Clock,
    gauge: Gauge,
    began: Instant,
    lines_read: usize,
    looked: Instant,
    sampled: Instant,
    progressed: Instant,
    /// When the server is to be woken; it is stopped until then.
    wakes: Option<Instant>,
    reloads_asked: usize,
    reloads_told: usize,
    false_deaths: Vec<String>,
    /// Deaths of clients that by our own lateness may have been silent for a timeout.
    excused: usize,
    strangers: Vec<String>,
}

impl Soak {
    pub(crate) fn start(plan: Plan) -> Self {
        kernel::require_descriptors(2 * plan.clients as u64 + 500);
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{}.toml", std::process::id()));
        write_config(&config, SHORT);
        let server = serve(&plan, &config);
        report(&format!("soak of {:?}, {} clients, seed {}", plan.length, plan.clients, plan.seed));
        let now = Instant::now();
        Self {
            crowd: Crowd::new(server.address, plan.seed),
            gauge: Gauge::new(server.pid()),
            plan,
            config,
            server,
            census: Census::new(),
            clock: Clock::new(SHORT),
            began: now,
            lines_read: 0,
            looked: now,
            sampled: now,
            progressed: now,
            wakes: None,
            reloads_asked: 0,
            reloads_told: 0,
            false_deaths: Vec::new(),
            excused: 0,
            strangers: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) -> Verdict {
        for number in 0..self.plan.clients {
            self.crowd.join(&mut self.census);
            if number % 64 == 0 {
                self.step(Instant::now());
            }
        }
        let mut schedule = Schedule::new(&self.plan);
        self.began = Instant::now();
        let ends = self.began + self.plan.length;
        while Instant::now() < ends && self.wrongs() < ENOUGH {
            let elapsed = self.began.elapsed();
            // While it is stopped nothing else is done to the server; to clients it is.
            while schedule.blow_at <= elapsed && self.wakes.is_none() {
                let blow = schedule.blow();
                self.strike_server(blow);
            }
            while schedule.fault_at <= elapsed {
                let fault = schedule.fault();
                self.crowd.strike(fault, &mut self.census);
            }
            let next = self.began + schedule.fault_at;
            self.step(next.min(ends));
        }
        self.settle();
        self.finish()
    }

    fn strike_server(&mut self, blow: Blow) {
        let at = Instant::now();
        match blow {
            Blow::Stop(lasts) => {
                self.clock.stopped(at);
                self.server.stop();
                self.wakes = Some(at + lasts);
                return;
            }
            Blow::Reload => {
                let times = if self.clock.times() == SHORT { LONG } else { SHORT };
                write_config(&self.config, times);
                self.clock.reload_asked(times, at);
            }
            Blow::BadReload => std::fs::write(&self.config, "timeout = 'soon'\n").expect("a file of our own"),
        }
        self.reloads_asked += 1;
        self.server.signal(Signal::SIGHUP);
    }

    /// Lets the clients live until `until`, or until there is something to look at.
    fn step(&mut self, until: Instant) {
        let look = self.looked + LOOK_EVERY;
        let until = self.wakes.map_or(until, |wakes| until.min(wakes)).min(look);
        let late = self.crowd.turn(until);
        let now = Instant::now();
        if late > OUR_LATE {
            self.clock.late(now, late);
        }
        if self.wakes.is_some_and(|wakes| wakes <= now) {
            self.wakes = None;
            self.clock.woken(self.server.wake());
        }
        if now >= look {
            self.looked = now;
            self.look(now);
        }
    }

    fn look(&mut self, now: Instant) {
        self.crowd.postpone_clogged(&mut self.census);
        let (lines, next) = self.server.log.since(self.lines_read);
        self.lines_read = next;
        for (at, line) in lines {
            self.read(at, &line);
        }
        self.census.look_for_missed(now, PATIENCE, &self.clock);
        if now >= self.sampled + SAMPLE_EVERY {
            self.sampled = now;
            let connections = self.crowd.living() + self.census.awaited;
            self.gauge.sample(self.began.elapsed(), connections);
        }
        let every = (self.plan.length / 4).min(Duration::from_secs(30));
        if now >= self.progressed + every {
            self.progressed = now;
            self.progress();
        }
    }

    fn read(&mut self, at: Instant, line: &Value) {
        match line["event"].as_str() {
            Some("closed") => {
                let mistaken = self.census.mistaken.len();
                self.closed(&Closed::read(at, line));
                // The whole obituary: such things are too rare to be looked at a second time.
                self.census.mistaken[mistaken..].iter_mut().for_each(|what| *what += &format!(": {line}"));
            }
            Some("stalled") => self.clock.stalled(at, ms(line["ms"].as_u64().unwrap_or(0))),
            Some("reloaded") => {
                self.reloads_told += 1;
                self.clock.reload_told(at);
            }
            Some("reload_failed") => self.reloads_told += 1,
            _ => {}
        }
    }

    fn closed(&mut self, told: &Closed) {
        match self.census.closed(told, &self.clock) {
            Told::Stranger => self.strangers.push(format!("{told:?}")),
            Told::Dead(number) => drop(self.crowd.forget(number)),
            Told::Living(number, reason) => {
                let client = self.crowd.forget(number);
                let gap = client.map_or(Duration::ZERO, |client| {
                    client.worst_gap.max(told.at.saturating_duration_since(client.said_from))
                });
                if reason == "silent" && gap >= SHORT.timeout {
                    self.excused += 1;
                } else {
                    self.false_deaths.push(format!("client {number} closed as {reason}, its longest silence {gap:?}"));
                }
                self.crowd.join(&mut self.census);
            }
        }
    }

    fn wrongs(&self) -> usize {
        let census = &self.census;
        let lists =
            [&self.false_deaths, &census.missed, &census.early, &census.late, &census.mistaken, &self.crowd.wrong];
        lists.iter().map(|list| list.len()).sum()
    }

    fn progress(&self) {
        let found: u64 = Kind::ALL.iter().map(|kind| self.census.tally(*kind).found).sum();
        report(&format!(
            "{:4.0} s: {} living, {found} dead found, {} awaited, {} echoes on their way, {} KiB, {} wrong",
            self.began.elapsed().as_secs_f64(),
            self.crowd.living(),
            self.census.awaited,
            self.crowd.under_way(),
            self.gauge.anonymous_kib(),
            self.wrongs(),
        ));
    }

    /// No more faults: who is dead is to be found, what was sent to come back.
    fn settle(&mut self) {
        // A stop that still lasts ends in its time; then all limits, and the patience.
        let limit = Instant::now() + Duration::from_secs(40);
        let quiet = |soak: &Self| {
            soak.wakes.is_none()
                && soak.census.awaited == 0
                && soak.crowd.under_way() == 0
                && soak.reloads_told == soak.reloads_asked
        };
        while !quiet(self) && Instant::now() < limit && self.wrongs() < ENOUGH {
            self.step(limit);
        }
        // One more look: the last lines may have come since.
        self.look(Instant::now());
    }

    fn finish(mut self) -> Verdict {
        let growth = self.gauge.growth(self.plan.warm_up());
        let living = self.crowd.living();
        let strays = self.gauge.strays(living);
        let mut failures: Vec<Failure> = vec![("echoes under way at the end", under_way(&self.crowd))];
        failures.push(("connections ended untold", self.crowd.ended_untold()));
        if self.reloads_told != self.reloads_asked {
            failures.push(("reloads", vec![format!("{} told of {}", self.reloads_told, self.reloads_asked)]));
        }
        failures.push(("stops not told as stalls", self.clock.untold_stops()));
        let (stops, stopped) = self.clock.stops();
        let stalls_of_its_own = self.clock.stalls_of_its_own();
        // A server that hangs is told of by `finish`, which panics.
        let summary = self.server.finish();
        self.crowd.count_all();
        failures.push((
            "sums that are off",
            sums_off(&self.census, self.excused, self.crowd.connections, living as u64, &summary),
        ));
        failures.push(("false deaths", self.false_deaths));
        failures.push(("closes of nobody", self.strangers));
        failures.push(("echoes lost or changed", self.crowd.wrong));
        if self.excused > self.plan.clients / 10 {
            failures.push(("deaths excused by our own lateness: no proof", vec![self.excused.to_string()]));
        }
        let _ = std::fs::remove_file(&self.config);
        let verdict = Verdict {
            plan: self.plan,
            census: self.census,
            took: self.began.elapsed(),
            connections: self.crowd.connections,
            living,
            beats: self.crowd.beats,
            answers: self.crowd.answers,
            echoes: self.crowd.echoes,
            echo_bytes: self.crowd.echo_bytes,
            deaf: self.crowd.deaf,
            slow: self.crowd.slow,
            stops,
            stopped,
            stalls_of_its_own,
            reloads: self.reloads_told,
            our_latest: self.clock.latest(),
            excused: self.excused,
            growth,
            strays,
            failures,
        };
        report(&verdict.to_string());
        verdict
    }
}

fn under_way(crowd: &Crowd) -> Vec<String> {
    let count = crowd.under_way();
    if count == 0 { Vec::new() } else { vec![count.to_string()] }
}

/// What the server counted against what was done.
fn sums_off(census: &Census, excused: usize, connections: u64, living: u64, summary: &Value) -> Vec<String> {
    let mut off = Vec::new();
    let mut sum = |name: &str, told: &Value, seen: u64| {
        let told = told.as_u64().unwrap_or(0);
        if told != seen {
            off.push(format!("{name}: the server counts {told}, here are {seen}"));
        }
    };
    sum("accepted", &summary["accepted"], connections);
    for kind in Kind::ALL {
        let excused = if kind == Kind::Frozen { excused as u64 } else { 0 };
        sum(kind.reason(), &summary["closed"][kind.reason()], census.tally(kind).found + excused);
    }
    sum("drained", &summary["closed"]["drained"], living);
    off
}

fn serve(plan: &Plan, config: &std::path::Path) -> Server {
    let limit = |limit: Duration| format!("{}ms", limit.as_millis());
    let (first, frame, output) = (limit(FIRST_FRAME), limit(FRAME_LIMIT), limit(OUTPUT_LIMIT));
    let config = config.to_str().expect("a plain path");
    let arguments = [
        &["--config", config, "--frame", "length:4be", "--app", "echo", "--role", "answer", "--high-mark", "64K"][..],
        &["--first-frame", &first, "--frame-limit", &frame, "--output-limit", &output],
        &plan.serve.iter().map(String::as_str).collect::<Vec<_>>(),
    ];
    Server::serve(&arguments.concat())
}

fn write_config(path: &std::path::Path, times: Times) {
    let Times { interval, suspect, timeout } = times;
    let (interval, suspect, timeout) = (interval.as_millis(), suspect.as_millis(), timeout.as_millis());
    let text = format!("interval = '{interval}ms'\nsuspect = '{suspect}ms'\ntimeout = '{timeout}ms'\n");
    std::fs::write(path, text).expect("a file of our own");
}
