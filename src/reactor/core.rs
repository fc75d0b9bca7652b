//! The reactor itself: what it holds, and one turn of its loop.
//!
//! Name it [`reactor::Reactor`](super::Reactor). The kernel as a parameter is for simulators (feature `sim`), outside semver.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use slab::Slab;

use super::accept::Listening;
use super::close::{Closing, Drain, Ended};
use super::connection::{Connection, ConnectionId, Flags, GENERATION_MAX};
use super::counters::Counters;
use super::events::{Events, Record, RecordKind};
use super::judge::Autopsy;
use super::mailbox::Mail;
use super::net::{Net, Readiness};
use super::obituary::Obituary;
use super::options::{CONNECTIONS_MAX, Config, OptionsTable};
use super::sends::Sends;
use super::statistics::{Statistics, Step};
use crate::liveness::{Monitor, MonitorConfig, Policy, PolicyError, PolicyId, Verdict};
use crate::time::{Millis, TICK_MS};

/// Tokens below this are ids of connections.
const CONNECTION_TOKENS: u64 = 1 << 53;
/// Tokens of listeners carry this bit and the listener's number.
pub(crate) const LISTENER_TOKEN: u64 = 1 << 60;
pub(crate) const WAKER_TOKEN: u64 = 1 << 61;
pub(crate) const ALARM_TOKEN: u64 = 1 << 62;

/// Waits with 0 that may follow one late or filled wait: a bound on how long a flood can hold a turn back.
const WAITS_MAX: usize = 64;
/// The clock is read again after this many connections (L4).
const CLOCK_EVERY: usize = 64;
/// The wheel rests while more events than this wait for room in the caller's batch.
const PENDING_MAX: usize = 4096;

/// A single-threaded reactor over some kernel. See [`Reactor`](super::Reactor) for the one that users name.
pub struct Reactor<N: Net> {
    pub(crate) net: N,
    pub(crate) config: Config,
    pub(crate) connections: Slab<Connection<N::Socket>>,
    /// By slot; empty when statistics are off.
    pub(crate) statistics: Vec<Statistics>,
    pub(crate) monitor: Monitor,
    pub(crate) options: OptionsTable,
    pub(crate) policies: DefaultPolicies,
    pub(crate) listeners: Slab<Listening<N>>,
    pub(crate) sends: Sends,
    pub(crate) counters: Counters,
    /// Events that wait for a poll, with the bytes that they lend.
    pub(crate) pending: VecDeque<(Record, Option<Vec<u8>>)>,
    /// Connections with work left from an earlier turn (R2).
    pub(crate) ready: VecDeque<ConnectionId>,
    /// Ended connections whose sockets are still to be given up and whose end is still to be told.
    pub(crate) ended: VecDeque<Ended<N::Socket>>,
    pub(crate) obituaries: HashMap<ConnectionId, Obituary>,
    pub(crate) closing: HashMap<u32, Closing>,
    /// Since when a connection is being dialled, in attended time.
    pub(crate) dialling: HashMap<u32, Millis>,
    /// Errors of failed writes, until the read side has told the rest.
    pub(crate) write_errors: HashMap<u32, i32>,
    /// Since when the first frame of a connection is awaited, in attended time.
    pub(crate) first_frames: HashMap<u32, Millis>,
    /// Listener and address of connections that count against a limit per address.
    pub(crate) counted_addresses: HashMap<u32, (u32, std::net::IpAddr)>,
    pub(crate) drain: Option<Drain>,
    pub(crate) autopsies: VecDeque<Autopsy<N::Socket>>,
    pub(crate) mail: Option<Mail<N>>,
    pub(crate) verdicts: Vec<Verdict>,
    /// What the codec itself wants to have sent (F7).
    pub(crate) control: Vec<u8>,
    /// The list that waits fill, and its size; made by the first wait.
    ready_list: Option<(N::Ready, usize)>,
    generation: u32,
    /// The descriptor was asked for: deadlines must show on it (R11).
    nested: bool,
    /// Up to so many bytes that wait, a send may take the short way: `outbox_bytes_max`, or 0 when nested, since a send
    /// must then show on the descriptor.
    pub(crate) short_way_bytes_max: usize,
    /// What the alarm is set to, to set it only when that changes.
    alarm: Option<Millis>,
    /// Somebody woke the reactor: poll returns, with or without events.
    pub(crate) woken: bool,
    /// At the end of the last wait: the moment by which this turn judges, and the clock for what it hears.
    pub(crate) now: Millis,
    pub(crate) heard_at: Millis,
    /// `now` as statistics keep it.
    pub(crate) step: Step,
}

/// What stands in when options name no policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DefaultPolicies {
    /// The framing has beats: `im`, role answer (L12, L13).
    pub(crate) beats: PolicyId,
    /// It has none: nobody judges.
    pub(crate) none: PolicyId,
}

impl<N: Net> Reactor<N> {
    /// A reactor over this kernel.
    pub fn over(net: N, mut config: Config) -> io::Result<Self> {
        config.connections_max = config.connections_max.min(CONNECTIONS_MAX);
        let now_ns = net.now_ns();
        let now = Millis::floor(now_ns);
        let mut monitor = Monitor::new(
            MonitorConfig {
                seed: config.seed,
                granularity_ms: config.granularity_ms,
                verdicts_per_turn: config.verdicts_per_turn,
                mass_silence: config.mass_silence,
                tells_sends: true,
            },
            now,
        );
        let define = |monitor: &mut Monitor, policy| {
            monitor.define(policy).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
        };
        let policies =
            DefaultPolicies { beats: define(&mut monitor, Policy::im())?, none: define(&mut monitor, Policy::none())? };
        Ok(Self {
            net,
            connections: Slab::new(),
            statistics: Vec::new(),
            monitor,
            options: OptionsTable::default(),
            policies,
            listeners: Slab::new(),
            sends: Sends::default(),
            counters: Counters::default(),
            pending: VecDeque::new(),
            ready: VecDeque::new(),
            ended: VecDeque::new(),
            obituaries: HashMap::new(),
            closing: HashMap::new(),
            dialling: HashMap::new(),
            write_errors: HashMap::new(),
            first_frames: HashMap::new(),
            counted_addresses: HashMap::new(),
            drain: None,
            autopsies: VecDeque::new(),
            mail: None,
            verdicts: Vec::new(),
            control: Vec::new(),
            ready_list: None,
            // R14: from a seeded random start, so that an id of another reactor is stale here.
            generation: (config.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 35) as u32 & GENERATION_MAX,
            nested: false,
            short_way_bytes_max: config.outbox_bytes_max,
            alarm: None,
            woken: false,
            now,
            heard_at: Millis::ceil(now_ns),
            step: Step::of(now),
            config,
        })
    }

    /// Waits until something happened, `timeout` has passed (`None`: for as long as it takes) or the mailbox was
    /// woken, and fills `events`, which is emptied first. What the events lend stays valid until then, and the reactor
    /// can be used while they are read.
    ///
    /// What was sent since the last call leaves first. Beats are answered and asked in here, so a program that has
    /// nothing to wait for must still call it often: within the timeout of its policies at the very least.
    ///
    /// # Errors
    /// Only those of the kernel's wait itself. What concerns one connection is an event.
    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        self.obituaries.clear();
        self.woken = false;
        let until = timeout.map(|timeout| {
            let ms = timeout.as_nanos().div_ceil(1_000_000);
            Millis::floor(self.net.now_ns()) + u64::try_from(ms).unwrap_or(u64::MAX)
        });
        loop {
            self.turn(events, until)?;
            if !events.is_empty() || self.woken || until.is_some_and(|until| self.now >= until) {
                break;
            }
        }
        // Answers and asks of this turn do not wait for the application.
        self.flush();
        if self.nested {
            self.set_alarm()?;
        }
        Ok(())
    }

    /// One turn. The order is the design's (section 3): flush, promise, wait, now, I/O, ready list, wheel, last looks,
    /// closing list, events out.
    fn turn(&mut self, events: &mut Events, until: Option<Millis>) -> io::Result<()> {
        self.counters.turns += 1;
        self.flush();
        // Before anything is read: a flood that fills every batch keeps no end and no verdict from being told.
        self.deliver_pending(events);
        self.bury(events);
        self.await_and_serve(events, until)?;
        self.serve_ready_list(events);
        self.accept_all(events);
        self.read_mail();
        self.judge();
        self.proceed_with_drain();
        self.bury(events);
        self.end_autopsies();
        self.deliver_pending(events);
        Ok(())
    }

    /// Waits, sets `now`, and does the I/O of what was ready. Whoever comes late looks again before anybody is judged:
    /// the list says what was ready when the wait *ended*, and a full one may have left something out.
    fn await_and_serve(&mut self, events: &mut Events, until: Option<Millis>) -> io::Result<()> {
        let deadline = self.deadline();
        let before = self.read_clock();
        // A turn or an application that took longer than promised is a stall too. The verdict tells of it.
        self.monitor.woke(before);
        self.promise(before);
        let busy = !events.is_empty() || self.has_work() || self.woken;
        let wake = if busy { Some(before) } else { earlier(deadline, until) };
        let mut timeout_ms = wake.map(|wake| wake.since(before));
        let (mut ready, ready_max) = match self.ready_list.take() {
            Some(list) => list,
            None => self.net.ready_list(),
        };
        let mut outcome = Ok(());
        for _ in 0..WAITS_MAX {
            outcome = self.net.wait(&mut ready, timeout_ms);
            if outcome.is_err() {
                break;
            }
            let now = self.read_clock();
            self.monitor.woke(now);
            self.promise(now);
            let count = self.serve_readiness(&ready, events);
            let late = timeout_ms != Some(0) && deadline.is_some_and(|deadline| now > deadline + TICK_MS);
            if count < ready_max && !late {
                break;
            }
            timeout_ms = Some(0);
        }
        self.ready_list = Some((ready, ready_max));
        outcome
    }

    /// Reads the clock: `now` to judge by (rounded down), `heard_at` for bytes (rounded up) (L4).
    pub(crate) fn read_clock(&mut self) -> Millis {
        let nanos = self.net.now_ns();
        self.now = Millis::floor(nanos).max(self.now);
        self.step = Step::of(self.now);
        self.heard_at = Millis::ceil(nanos).max(self.heard_at);
        self.now
    }

    fn promise(&mut self, now: Millis) {
        let at = self.monitor.deadline().map(|deadline| deadline.max(now));
        self.monitor.promise(at);
    }

    /// Attended time: the clock of the limits (L5, L10).
    pub(crate) fn attended(&self, at: Millis) -> Millis {
        at - self.monitor.stalls().ms
    }

    /// Apart from the turn, so that the compiler keeps the path of every read in registers.
    #[inline(never)]
    fn serve_readiness(&mut self, ready: &N::Ready, events: &mut Events) -> usize {
        let mut count = 0;
        for ready in N::each_ready(ready) {
            count += 1;
            if count % CLOCK_EVERY == 0 {
                self.refresh_heard_at();
            }
            if ready.token < CONNECTION_TOKENS {
                self.connection_ready(ConnectionId::from_raw(ready.token), ready, events);
                continue;
            }
            match ready.token {
                WAKER_TOKEN => self.mail_arrived(),
                ALARM_TOKEN => self.alarm = None,
                token => self.listener_ready((token & !LISTENER_TOKEN) as usize),
            }
        }
        count
    }

    #[inline(always)]
    fn connection_ready(&mut self, id: ConnectionId, ready: Readiness, events: &mut Events) {
        let Some(connection) = self.connections.get(id.slot() as usize) else { return };
        if connection.generation != id.generation() {
            return;
        }
        if ready.is_news() && connection.flags.is_usual() && connection.inbound.is_none() {
            self.receive_usual(id.slot(), events);
        } else {
            self.connection_changed(id, ready.readable, ready.writable, ready.read_closed, events);
        }
    }

    #[inline(never)]
    fn connection_changed(
        &mut self,
        id: ConnectionId,
        readable: bool,
        writable: bool,
        read_closed: bool,
        events: &mut Events,
    ) {
        let slot = id.slot();
        let Some(connection) = self.live_mut(id) else { return };
        if read_closed {
            connection.flags.set(Flags::READ_CLOSED);
        }
        if writable && !connection.flags.any(Flags::WRITABLE) {
            if connection.flags.any(Flags::DIALLING) {
                self.dial_ready(slot, events);
            } else {
                connection.flags.set(Flags::WRITABLE);
                self.write_outbox(slot);
            }
        }
        // Writing may have ended it.
        let Some(connection) = self.live_mut(id) else { return };
        if readable || read_closed {
            connection.flags.set(Flags::READABLE);
            if !connection.flags.any(Flags::LISTED) {
                self.receive(slot, events);
            }
        }
    }

    fn serve_ready_list(&mut self, events: &mut Events) {
        // What is put back during this pass waits for the next turn.
        for index in 0..self.ready.len() {
            if events.is_full() {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            if index % CLOCK_EVERY == CLOCK_EVERY - 1 {
                self.refresh_heard_at();
            }
            if let Some(connection) = self.live_mut(id) {
                connection.flags.clear(Flags::LISTED);
                self.receive(id.slot(), events);
            }
        }
    }

    fn refresh_heard_at(&mut self) {
        self.heard_at = Millis::ceil(self.net.now_ns()).max(self.heard_at);
    }

    /// Puts a connection on the ready list: its edge will not come again (R2).
    pub(crate) fn list(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        if !connection.flags.any(Flags::LISTED) {
            connection.flags.set(Flags::LISTED);
            self.ready.push_back(ConnectionId::new(slot, connection.generation));
        }
    }

    /// Work that needs no readiness of the kernel.
    fn has_work(&self) -> bool {
        !self.ready.is_empty()
            || !self.ended.is_empty()
            || !self.pending.is_empty()
            || !self.sends.is_empty()
            || self.mail.as_ref().is_some_and(Mail::has_more)
            || self.listeners.iter().any(|(_, listening)| listening.wants_turn())
    }

    /// When the next thing is to be done without the kernel's asking; `None` if never.
    fn deadline(&self) -> Option<Millis> {
        let mut deadline = self.monitor.deadline();
        for (_, listening) in &self.listeners {
            deadline = earlier(deadline, listening.retry_at);
        }
        if let Some(drain) = self.drain.as_ref().filter(|_| !self.connections.is_empty()) {
            deadline = earlier(deadline, Some(drain.next_at()));
        }
        if let Some(autopsy) = self.autopsies.front() {
            deadline = earlier(deadline, Some(autopsy.ends));
        }
        deadline
    }

    /// The descriptor to nest this reactor in a foreign loop: readable whenever [`poll`](Self::poll) has anything to
    /// do, deadlines included (R11). It stays the reactor's. The timer behind it exists from the first call on.
    pub fn descriptor(&mut self) -> io::Result<std::os::fd::RawFd> {
        if !self.nested {
            self.nested = true;
            self.short_way_bytes_max = 0;
            self.net.alarm(None, ALARM_TOKEN)?;
            self.alarm = None;
            self.set_alarm()?;
        }
        Ok(self.net.descriptor())
    }

    /// Milliseconds until [`poll`](Self::poll) has something to do without the kernel's asking; `None` if never. For
    /// loops that take a timeout; it is 0 while work waits.
    pub fn wait_ms(&mut self) -> Option<u64> {
        if self.has_work() {
            return Some(0);
        }
        let now = Millis::floor(self.net.now_ns());
        self.deadline().map(|deadline| deadline.since(now))
    }

    fn set_alarm(&mut self) -> io::Result<()> {
        let at = if self.has_work() { Some(self.now) } else { self.deadline() };
        if at != self.alarm {
            self.alarm = at;
            self.net.alarm(at.map(|at| at.0.saturating_mul(1_000_000)), ALARM_TOKEN)?;
        }
        Ok(())
    }

    /// After a change from outside a poll, a nested reactor must show it on its descriptor.
    #[inline]
    pub(crate) fn show_work(&mut self) {
        if self.nested {
            // The timer exists: setting it cannot fail for lack of anything.
            let _ = self.set_alarm();
        }
    }

    /// A new connection in a free slot. The caller has registered nothing yet.
    pub(crate) fn insert(
        &mut self,
        socket: N::Socket,
        options: u16,
        flags: u16,
        address: impl FnOnce(&mut N, &N::Socket) -> Option<std::net::SocketAddr>,
    ) -> ConnectionId {
        self.generation = if self.generation >= GENERATION_MAX { 1 } else { self.generation + 1 };
        let address = if self.config.statistics { address(&mut self.net, &socket) } else { None };
        let slot = self.connections.insert(Connection {
            socket,
            generation: self.generation,
            user: 0,
            inbound: None,
            outbox: None,
            batch: super::connection::NO_BATCH,
            options,
            flags: Flags::new(flags),
        });
        if self.config.statistics {
            let statistics = Statistics::new(address, self.now, self.monitor.stalls().count);
            if slot == self.statistics.len() {
                self.statistics.push(statistics);
            } else {
                self.statistics[slot] = statistics;
            }
        }
        self.counters.connections_now += 1;
        ConnectionId::new(slot as u32, self.generation)
    }

    /// The connection behind an id, unless the id is stale.
    #[inline]
    pub(crate) fn live(&self, id: ConnectionId) -> Option<&Connection<N::Socket>> {
        self.connections.get(id.slot() as usize).filter(|connection| connection.generation == id.generation())
    }

    #[inline]
    pub(crate) fn live_mut(&mut self, id: ConnectionId) -> Option<&mut Connection<N::Socket>> {
        self.connections.get_mut(id.slot() as usize).filter(|connection| connection.generation == id.generation())
    }

    /// Tells an event of a connection that lives.
    pub(crate) fn tell_of(&mut self, slot: u32, kind: RecordKind) {
        let connection = &self.connections[slot as usize];
        let (id, user) = (ConnectionId::new(slot, connection.generation), connection.user);
        self.tell(id, user, kind);
    }

    /// Keeps an event until a batch has room for it.
    pub(crate) fn tell(&mut self, id: ConnectionId, user: u64, kind: RecordKind) {
        self.pending.push_back((Record { id, user, kind, head: (0, 0), message: (0, 0), block: 0 }, None));
    }

    pub(crate) fn deliver_pending(&mut self, events: &mut Events) {
        while !events.is_full() {
            let Some((mut record, block)) = self.pending.pop_front() else { break };
            if let Some(block) = block {
                record.message = (0, block.len() as u32);
                events.blocks.push(block);
                record.block = events.blocks.len() as u32;
            }
            events.records.push(record);
        }
    }

    /// Whether more may be told than this batch has room for. What is told then goes out first with the next one.
    pub(crate) fn may_tell(&self) -> bool {
        self.pending.len() < PENDING_MAX
    }

    /// Defines a policy; at most 256 in all, two of which are the reactor's own. Equal ones get ids of their own, so that
    /// [`redefine_policy`](Self::redefine_policy) changes one of them alone.
    pub fn define_policy(&mut self, policy: Policy) -> Result<PolicyId, PolicyError> {
        self.monitor.define(policy)
    }

    /// Changes a policy: the live connections that follow it change with it.
    pub fn redefine_policy(&mut self, id: PolicyId, policy: Policy) -> Result<(), PolicyError> {
        let now = self.read_clock();
        self.monitor.redefine(id, policy, now)?;
        self.show_work();
        Ok(())
    }

    /// Counters of everything that happens.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is behind the liveness of all connections: the advisor, stalls, its own counters.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// The obituary of a connection whose end the last poll told.
    pub fn obituary(&self, id: ConnectionId) -> Option<&Obituary> {
        self.obituaries.get(&id)
    }
}

/// The earlier of two moments that may be none.
pub(crate) fn earlier(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
