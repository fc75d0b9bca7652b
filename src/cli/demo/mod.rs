//! `heartline demo`: what Heartline is for, on loopback, in about 15 seconds.
//!
//! A server in a process of its own, and beating clients here. Some freeze without a word, some are reset, some are cut
//! off in the middle of a frame; then the server itself is stopped for longer than its timeout, with more frozen just
//! before. All dead must be found, on time, and nobody else may be closed. Every number is measured: what the server
//! says is matched with what was done here, client by client, by address.
//!
//! | file | idea |
//! |---|---|
//! | `plan` | the flags, and what follows from them |
//! | `server` | the server's process: its lines, its memory, its CPU; it never outlives the demo |
//! | `clients` | the living, and what is done to some of them |
//! | `census` | who should have been found and who was |
//! | `report` | the table and its JSON |

mod census;
mod clients;
mod plan;
mod report;
mod server;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::census::{Census, Fate};
use self::clients::Clients;
use self::plan::Plan;
pub(crate) use self::plan::{DemoArgs, EXAMPLES};
use self::report::Report;
use self::server::{Line, Server};
use super::screen::Screen;
use super::{Problem, descriptors, orders};

/// How often the bar moves and signals are looked at, at the least.
const STEP: Duration = Duration::from_millis(20);

/// Runs the demo. Exit status 1 if one dead was missed or one living killed.
pub(crate) fn run(args: &DemoArgs) -> Result<ExitCode, Problem> {
    let plan = Plan::new(args, descriptors::raise_limit())?;
    let interrupted = orders::interruption().map_err(failed("waiting for signals"))?;
    let mut demo = Demo::start(plan, interrupted)?;
    demo.fill()?;
    demo.accidents()?;
    demo.stop_server()?;
    let report = demo.finish()?;
    report.print(args.json).map_err(failed("writing the report"))?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::failed(format!("{doing}: {error}"))
}

/// The demo under way.
struct Demo {
    plan: Plan,
    server: Server,
    clients: Clients,
    census: Census,
    screen: Screen,
    interrupted: Arc<AtomicBool>,
    report: Report,
    began: Instant,
    cpu_before: Duration,
}

impl Demo {
    fn start(plan: Plan, interrupted: Arc<AtomicBool>) -> Result<Self, Problem> {
        let screen = Screen::new(plan.length());
        screen.say("a server in a process of its own");
        let server = Server::start(&plan)?;
        let clients = Clients::new(&plan).map_err(failed("making the clients"))?;
        let report = Report::new(&plan);
        let census = Census::new(plan.timeout);
        Ok(Self {
            cpu_before: server.cpu()?,
            plan,
            server,
            clients,
            census,
            screen,
            interrupted,
            report,
            began: Instant::now(),
        })
    }

    /// Connects all, and lets each beat at least once.
    fn fill(&mut self) -> Result<(), Problem> {
        // One that came and went: what a server touches once for all does not count for the others.
        let first = self.clients.warm_up(self.server.address).map_err(failed("connecting the first client"))?;
        self.census.expect(first, Fate::Gone);
        self.run_until(Instant::now() + self.plan.interval, |demo| demo.census.is_complete())?;
        let memory_before = self.server.memory_bytes()?;
        self.screen.say(&format!("{} clients connect and beat", self.plan.clients));
        for number in 0..self.plan.clients {
            let address = self.clients.connect(self.server.address).map_err(|error| {
                Problem::failed(format!("connecting client {} of {}: {error}", number + 1, self.plan.clients))
            })?;
            self.census.expect(address, Fate::Living);
            if number % 64 == 0 {
                self.step(Duration::ZERO)?;
            }
        }
        self.run_until(Instant::now() + self.plan.interval * 2, |_| false)?;
        let memory = self.server.memory_bytes()?.saturating_sub(memory_before);
        self.report.bytes_per_connection = memory as f64 / f64::from(self.plan.clients);
        Ok(())
    }

    /// Freezes, resets and cuts, and waits until they are found.
    fn accidents(&mut self) -> Result<(), Problem> {
        let Plan { resets, cuts, .. } = self.plan;
        let frozen = self.plan.frozen_first();
        self.screen
            .say(&format!("{frozen} freeze without a word, {resets} are reset, {cuts} are cut off in mid-frame"));
        for (count, fate) in [(frozen, Fate::Frozen), (resets, Fate::Reset), (cuts, Fate::Cut)] {
            self.strike(count, fate)?;
        }
        let until = Instant::now() + self.plan.timeout + self.plan.slack;
        self.run_until(until, |demo| demo.census.is_complete())
    }

    /// Stops the server's process, and wakes it when every deadline has passed.
    fn stop_server(&mut self) -> Result<(), Problem> {
        if self.plan.stop.is_zero() {
            return Ok(());
        }
        let frozen = self.plan.frozen_last();
        let seconds = self.plan.stop.as_secs_f64();
        self.screen.say(&format!("{frozen} more freeze, and the server itself is stopped for {seconds:.1} s"));
        self.strike(frozen, Fate::FrozenBeforeStop)?;
        self.server.stop()?;
        let stopped = Instant::now();
        self.run_until(stopped + self.plan.stop, |_| false)?;
        self.server.wake()?;
        let woken = Instant::now();
        self.report.stopped = woken - stopped;
        self.screen.say("it wakes: the frozen must be found, and nobody else");
        // Whoever lives and were taken for dead would be closed within the timeout.
        let proven = woken + self.plan.timeout + self.plan.slack / 4;
        let until = woken + self.plan.timeout + self.plan.slack;
        self.run_until(until, |demo| Instant::now() >= proven && demo.census.is_complete())
    }

    /// Does to `count` of the living what `fate` says.
    fn strike(&mut self, count: u32, fate: Fate) -> Result<(), Problem> {
        for _ in 0..count {
            let struck = match fate {
                Fate::Reset => self.clients.reset(),
                Fate::Cut => self.clients.cut(),
                _ => self.clients.freeze(),
            }
            .map_err(failed("taking a client out"))?;
            // Where the server has killed all of them, the report says so.
            let Some((address, at)) = struck else { break };
            self.census.strike(address, fate, at);
        }
        Ok(())
    }

    /// Drains the server and sums up.
    fn finish(mut self) -> Result<Report, Problem> {
        let cpu = self.server.cpu()?.saturating_sub(self.cpu_before);
        let attended = self.began.elapsed().saturating_sub(self.report.stopped);
        self.census.close(self.clients.closed());
        self.screen.say("the server drains");
        self.server.drain()?;
        let until = Instant::now() + Duration::from_secs(10);
        self.run_until(until, |demo| demo.report.summary.is_some())?;
        let Some(_) = self.report.summary else {
            return Err(Problem::failed("the server did not end within 10 s of SIGTERM"));
        };
        self.screen.end();
        self.server.wait()?;
        self.report.sum_up(&self.census, cpu, attended);
        Ok(self.report)
    }

    /// Keeps clients beating until `until`, or `done`.
    fn run_until(&mut self, until: Instant, done: impl Fn(&Self) -> bool) -> Result<(), Problem> {
        loop {
            let now = Instant::now();
            if now >= until || done(self) {
                return Ok(());
            }
            self.step((until - now).min(STEP))?;
        }
    }

    fn step(&mut self, wait: Duration) -> Result<(), Problem> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Problem::failed("interrupted"));
        }
        self.clients.poll(wait).map_err(failed("polling the clients"))?;
        for line in self.server.lines() {
            match line {
                Line::Closed(obituary) => self.census.closed(&obituary),
                Line::Stalled { ms } => self.report.stalls_ms.push(ms),
                Line::Summary(summary) => self.report.summary = Some(summary),
                Line::Gone => {
                    if self.report.summary.is_none() {
                        return Err(Problem::failed("the server ended before its time"));
                    }
                }
            }
        }
        self.screen.advance();
        Ok(())
    }
}
