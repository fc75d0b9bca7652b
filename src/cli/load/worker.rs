//! One thread of the load: a reactor, its clients, and the loop that keeps time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use heartline::reactor::{
    Config, ConnectionId, Counters, Event, EventKind, Events, Limits, Options, Reactor, Reason, WebSocketOptions,
};
use heartline::time::Clock;
use nix::sched::{CloneFlags, unshare};
use nix::time::{ClockId, clock_gettime};

use super::arrive::Arrivals;
use super::crowd::Crowd;
use super::dial::Dialler;
use super::messages::{Checker, Pace};
use super::plan::{Plan, Traffic};
use super::scripted::Scripted;
use super::shared::{NEVER, Note, Shared};
use super::strike::Strikes;
use super::tally::Tally;
use crate::cli::process;

pub(super) const MS: u64 = 1_000_000;
/// How often a thread tells what it counted.
pub(super) const TICK_NS: u64 = 250 * MS;
/// The longest that a thread sleeps: orders come through memory, and wake nobody.
const SLEEP_NS: u64 = 20 * MS;
/// The longest while others than the reactor's sockets are watched.
const WATCH_NS: u64 = MS;
/// How late epoll may come, which counts in whole milliseconds: what is due sooner is waited for by spinning.
const EPOLL_NS: u64 = 2 * MS;
/// Events between two readings of the clock: some 100 us of work.
const EVENTS_MAX: usize = 64;
const ARENA_BYTES: usize = 256 << 10;
/// What is under way at the end may still come back.
const DRAIN_NS: u64 = 1000 * MS;

/// One thread.
pub(super) struct Worker {
    pub(super) plan: Arc<Plan>,
    pub(super) shared: Arc<Shared>,
    notes: Sender<Note>,
    pub(super) index: u16,
    /// The number of its first client.
    pub(super) first: u32,
    pub(super) reactor: Reactor,
    pub(super) options: Options,
    pub(super) crowd: Crowd,
    pub(super) arrivals: Arrivals,
    pub(super) dialler: Dialler,
    pub(super) scripted: Scripted,
    pub(super) strikes: Strikes,
    pub(super) tally: Tally,
    pub(super) rng: fastrand::Rng,
    pub(super) message: Vec<u8>,
    pub(super) checker: Checker,
    pub(super) pace: Option<Pace>,
    epoch: u64,
    counted: Counters,
    cpu_ns: u64,
    starved_ns: u64,
    next_tick_ns: u64,
    settled: bool,
    /// Closed loops are under way.
    pub(super) rolling: bool,
}

impl Worker {
    /// Runs to the end, on a thread of its own.
    pub(super) fn run(plan: Arc<Plan>, shared: Arc<Shared>, notes: Sender<Note>, index: u16) {
        let ended = Self::new(plan, shared, notes.clone(), index).and_then(Self::work);
        let (last, reactor) = match ended {
            Ok((done, reactor)) => (done, Some(reactor)),
            Err(error) => (Note::Failed(format!("thread {index}: {error}")), None),
        };
        // The director may be gone.
        let _ = notes.send(last);
        // Many sockets take seconds to close: that is no thread which does not end.
        drop(reactor);
    }

    fn new(plan: Arc<Plan>, shared: Arc<Shared>, notes: Sender<Note>, index: u16) -> io::Result<Self> {
        // The limit on descriptors is one per table: a thread with its own has as many again.
        unshare(CloneFlags::CLONE_FILES)?;
        let seed = plan.seed.wrapping_add(u64::from(index));
        let mut reactor = Reactor::new(Config { statistics: false, seed, ..Config::default() })?;
        let policy = reactor.define_policy(plan.policy).map_err(|error| io::Error::other(error.to_string()))?;
        // The client ends nothing by itself.
        let limits = Limits { frame_ms: 0, output_ms: 0, ..Limits::default() };
        let websocket = WebSocketOptions {
            client: true,
            request: Some(Arc::clone(&plan.request)),
            upgrade_ms: plan.connect_timeout_ms,
            ..WebSocketOptions::default()
        };
        let options = Options { policy: Some(policy), limits, websocket, ..Options::shared(Arc::clone(&plan.framing)) };
        let ((count, first), now) = (plan.share(index), shared.clock.now_ns());
        Ok(Self {
            notes,
            index,
            first,
            reactor,
            options,
            crowd: Crowd::new(count),
            arrivals: Arrivals::new(&plan, index, now),
            dialler: Dialler::new(plan.address, plan.connect_timeout_ms)?,
            scripted: Scripted::new()?,
            strikes: Strikes::new(&plan, index),
            tally: Tally::default(),
            rng: fastrand::Rng::with_seed(seed),
            message: Vec::new(),
            checker: Checker::new(plan.template.clone()),
            pace: None,
            epoch: 0,
            counted: Counters::default(),
            cpu_ns: 0,
            starved_ns: 0,
            next_tick_ns: now + TICK_NS,
            settled: false,
            rolling: false,
            plan,
            shared,
        })
    }

    /// The loop; what came out, and the reactor with all that is still open.
    fn work(mut self) -> io::Result<(Note, Reactor)> {
        let mut events = Events::with_capacity(EVENTS_MAX, ARENA_BYTES);
        let mut now = self.now();
        loop {
            let end = self.shared.end_ns.load(Ordering::Relaxed);
            if self.is_over(now, end) {
                break;
            }
            self.arrive(now)?;
            if now < end {
                self.begin(now);
                self.send_due(now);
                self.strike(now)?;
            }
            self.watch_scripted(now)?;
            let wait = self.wait_ns(now, end);
            self.reactor.poll(&mut events, Some(Duration::from_nanos(wait)))?;
            now = self.now();
            for event in &events {
                self.see(event, now, end);
            }
            if now >= self.next_tick_ns {
                self.tick(now);
            }
        }
        self.tally.unanswered += self.crowd.under_way;
        self.tick(now);
        Ok(self.sum_up(now))
    }

    pub(super) fn now(&self) -> u64 {
        self.shared.clock.now_ns()
    }

    fn is_over(&self, now: u64, end: u64) -> bool {
        let answered = self.crowd.under_way == 0 || now >= end.saturating_add(DRAIN_NS);
        self.shared.stop.load(Ordering::Relaxed) || (now >= end && answered)
    }

    /// The load begins, or its rate changes.
    fn begin(&mut self, now: u64) {
        if !self.settled && self.is_settled() {
            self.settled = true;
            self.tick(now);
            let _ = self.notes.send(Note::Settled);
        }
        let start = self.shared.start_ns.load(Ordering::Acquire);
        if now < start {
            return;
        }
        match self.plan.traffic {
            Traffic::None => {}
            Traffic::Closed(_) if self.rolling => {}
            Traffic::Closed(_) => {
                self.rolling = true;
                for client in self.crowd.open().to_vec() {
                    self.fill(client, now);
                }
            }
            Traffic::Open => {
                let epoch = self.shared.epoch.load(Ordering::Acquire);
                if self.pace.is_none() || epoch != self.epoch {
                    self.tick(now);
                    self.epoch = epoch;
                    let rate = self.shared.rate_milli.load(Ordering::Acquire) as f64 / 1000.0;
                    self.pace = Some(Pace::new(start.max(now - now.min(MS)), rate, self.index, self.plan.threads));
                }
            }
        }
    }

    /// How long there is nothing to do.
    fn wait_ns(&self, now: u64, end: u64) -> u64 {
        let mut until = now + SLEEP_NS;
        if self.dialler.under_way() > 0 || !self.scripted.is_empty() {
            until = now + WATCH_NS;
        }
        let start = self.shared.start_ns.load(Ordering::Relaxed);
        for due in
            [self.arrivals.due_ns(), self.strikes.due_ns(start), self.next_tick_ns, if now < end { end } else { NEVER }]
        {
            until = until.min(due);
        }
        let wait = until.saturating_sub(now);
        let Some(pace) = self.pace.filter(|_| now < end) else { return if wait < MS / 2 { 0 } else { wait } };
        let until_next = pace.due_ns().saturating_sub(now);
        match self.plan.spin {
            // The wait ends up to a millisecond late, and so do the sends.
            false => wait.min(until_next),
            true if self.crowd.under_way > 0 || until_next < EPOLL_NS => 0,
            true => wait.min((until_next / MS - 1) * MS),
        }
    }

    fn see(&mut self, event: Event<'_>, now: u64, end: u64) {
        if self.is_of_upgrade(&event) {
            return;
        }
        let client = event.user as u32;
        match event.kind {
            EventKind::Message { message, .. } => self.receive(client, event.id, message, now, end),
            EventKind::Closed { reason, .. } => self.lose(client, event.id, reason, now),
            EventKind::Drained if now < end => self.fill(client, now),
            _ => {}
        }
    }

    /// A connection has ended. If it was not us, the client was well.
    fn lose(&mut self, client: u32, id: ConnectionId, reason: Reason, now: u64) {
        if !self.crowd.is(client, id) {
            return;
        }
        self.tally.unanswered += self.crowd.left(client);
        self.tally.count_lost(reason.name());
        self.strikes.count_bystander();
        if self.plan.reconnect {
            self.come_back(client, now);
        }
    }

    /// Tells what was counted since the last time.
    fn tick(&mut self, now: u64) {
        self.next_tick_ns = now + TICK_NS;
        let mut tally = std::mem::take(&mut self.tally);
        let counters = self.reactor.counters();
        tally.open = self.crowd.open().len() as u64;
        tally.asks = counters.asks_out - self.counted.asks_out;
        tally.answers = counters.answers_in - self.counted.answers_in;
        tally.asked = counters.asks_in - self.counted.asks_in;
        tally.bytes_in = counters.bytes_in - self.counted.bytes_in;
        tally.bytes_out = counters.bytes_out - self.counted.bytes_out;
        self.counted = counters.clone();
        if let Ok(cpu) = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID) {
            let cpu_ns = Duration::from(cpu).as_nanos() as u64;
            tally.cpu_ns = cpu_ns - self.cpu_ns;
            self.cpu_ns = cpu_ns;
        }
        if let Some(starved_ns) = process::starved_ns() {
            tally.starved_ns = starved_ns - self.starved_ns;
            self.starved_ns = starved_ns;
        }
        let _ = self.notes.send(Note::Tick { thread: self.index, epoch: self.epoch, tally: Box::new(tally) });
    }
}
