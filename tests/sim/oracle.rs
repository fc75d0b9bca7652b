//! The oracle knows what arrived when at each kernel buffer, and checks what the reactors make of it: after every turn,
//! at every wait, at every event, and at the end. What it finds wrong it says by a panic, which is caught per seed.

use std::collections::{BTreeMap, HashSet};
use std::io;

use heartline::reactor::{Event, EventKind, Reason};
use heartline::time::TICK_MS;

use super::attended::{Attended, GRANULARITY_MS};
use super::ledger::Ledger;
use super::process::Mode;
use super::wire::MS;
use super::world::World;

/// Rounding: `heard` up to a millisecond, the deadline up to a tick, the clock down to a millisecond (L4).
const ROUNDING_NS: u64 = (TICK_MS + 2) * MS;

/// What a host's policy promises.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    pub interval_ms: u32,
    pub timeout_ms: u32,
    pub asks: bool,
}

/// One last look, or one death.
#[derive(Clone, Copy, Debug)]
struct Look {
    now_ns: u64,
    arrived_ns: u64,
    found: bool,
}

/// What is true of one connection of a host.
#[derive(Debug)]
pub struct Conn {
    pub sock: usize,
    pub line: usize,
    pub side: usize,
    pub opened: bool,
    /// Clock of the last byte that the reactor took, or of its beginning.
    heard_ns: u64,
    /// When it began, and when the reactor last tried to write to it.
    began_ns: u64,
    wrote_ns: u64,
    /// How far the reactor's clock may lag behind that: the turn in which it read.
    lag_ns: u64,
    look: Option<Look>,
    suspect: bool,
    pub paused: bool,
    pub closing: bool,
    pub half_closed: bool,
    overdue: u32,
    unasked: u32,
}

#[derive(Debug, Default)]
pub struct Truth {
    pub conns: BTreeMap<u64, Conn>,
    ended: HashSet<u64>,
    pub attended: Attended,
    pub judged: Option<Judged>,
    /// Clock at the end of the last wait: the moment by which the reactor judges.
    now_ns: u64,
    /// Nothing but the monitor's deadlines limits a wait.
    pub is_exact: bool,
    pub capacity: usize,
    pub told: Told,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// How many asks all connections that ended may have been worth (L7).
    pub asks_max: u64,
    /// The same of asks that came from those who ask by our rules, or about as often as they may.
    pub answers_max: u64,
}

/// How often each thing was told.
#[derive(Debug, Default)]
pub struct Told {
    pub accepted: u64,
    pub connected: u64,
    pub connect_failed: u64,
    pub messages: u64,
    pub suspects: u64,
    pub revived: u64,
    pub unsent: u64,
    pub stalls: u64,
    pub pauses: u64,
    pub paused: bool,
    pub ends: BTreeMap<u16, u64>,
}

#[derive(Debug)]
pub struct Oracle {
    pub hosts: Vec<Truth>,
    pub ledger: Ledger,
    pub deaths: u64,
    pub stalls: u64,
    pub opened: u64,
}

impl Oracle {
    pub fn new(hosts: usize) -> Self {
        let hosts = (0..hosts).map(|_| Truth::default()).collect();
        Self { hosts, ledger: Ledger::default(), deaths: 0, stalls: 0, opened: 0 }
    }
}

/// Ends the run of this seed.
#[track_caller]
pub fn wrong(check: &str, text: std::fmt::Arguments<'_>) -> ! {
    panic!("{check}: {text}")
}

impl Truth {
    /// The latest attended moment by which a silent peer must have been found, as a clock: L4's rounding, what may have
    /// been stalls, and after a stall what it may have granted, timeout − interval in all (L5). Whom a stall found overdue,
    /// since the turn before it was late by no more than jitter, had nothing left, not less: that much is granted besides.
    fn due_ns(&self, conn: &Conn, judged: Judged, clock_step_ns: u64) -> u64 {
        let (timeout_ns, interval_ns) = (u64::from(judged.timeout_ms) * MS, u64::from(judged.interval_ms) * MS);
        let away_ns = self.attended.most_away_ns(conn.heard_ns, u64::MAX);
        let granted_ns = if away_ns > 0 { timeout_ns - interval_ns + GRANULARITY_MS * MS } else { 0 };
        conn.heard_ns + timeout_ns + away_ns + granted_ns + ROUNDING_NS + clock_step_ns
    }
}

impl World {
    fn conn_of(&mut self, process: usize, sock: usize) -> Option<&mut Conn> {
        let token = self.socks[sock].token?;
        self.oracle.hosts[process].conns.get_mut(&token).filter(|conn| conn.sock == sock)
    }

    pub fn registered(&mut self, process: usize, token: u64, sock: usize) {
        let heard_ns = self.clock_ns(process);
        let lag_ns = self.lag_ns(process, heard_ns);
        let (line, side) = (self.socks[sock].line, self.socks[sock].side);
        let truth = &mut self.oracle.hosts[process];
        if truth.ended.contains(&token) || truth.conns.contains_key(&token) {
            wrong("ids", format_args!("id {token} is given out twice"));
        }
        let conn = Conn {
            sock,
            line,
            side,
            opened: false,
            heard_ns,
            began_ns: heard_ns,
            wrote_ns: 0,
            lag_ns,
            look: None,
            suspect: false,
            paused: false,
            closing: false,
            half_closed: false,
            overdue: 0,
            unasked: 0,
        };
        truth.conns.insert(token, conn);
        self.trace.mark(self.now_ns, 5, token, sock as u64);
    }

    /// L4: `heard` comes from a clock read at most 64 connections ago, each of which costs a few calls. A clock that leaps
    /// may have done so in between.
    fn lag_ns(&self, process: usize, clock_ns: u64) -> u64 {
        let turn_ns = clock_ns.saturating_sub(self.oracle.hosts[process].now_ns);
        let known = &self.processes[process];
        turn_ns.min(64 * 8 * known.cost_ns + known.clock_step_ns())
    }

    /// A dial was established: its silence begins.
    pub fn was_connected(&mut self, process: usize, sock: usize) {
        let heard_ns = self.clock_ns(process);
        let lag_ns = self.lag_ns(process, heard_ns);
        if let Some(conn) = self.conn_of(process, sock) {
            (conn.heard_ns, conn.lag_ns) = (heard_ns, lag_ns);
        }
    }

    pub fn was_read(&mut self, process: usize, sock: usize, read: &io::Result<usize>) {
        let heard_ns = self.clock_ns(process);
        let lag_ns = self.lag_ns(process, heard_ns);
        let count = *read.as_ref().unwrap_or(&0);
        self.trace.mark(self.now_ns, 6, sock as u64, count as u64);
        self.trace.whisper(self.now_ns, format_args!("process {process} reads {read:?} from socket {sock}"));
        if let Some(conn) = self.conn_of(process, sock).filter(|_| count > 0) {
            (conn.heard_ns, conn.lag_ns, conn.overdue, conn.unasked) = (heard_ns, lag_ns, 0, 0);
            self.oracle.hosts[process].bytes_in += count as u64;
        }
    }

    pub fn was_written(&mut self, process: usize, sock: usize, slices: &[&[u8]], written: &io::Result<usize>) {
        let count = *written.as_ref().unwrap_or(&0);
        self.trace.mark(self.now_ns, 7, sock as u64, count as u64);
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        self.trace
            .whisper(self.now_ns, format_args!("process {process} writes {written:?} of {offered} to socket {sock}"));
        let clock_ns = self.clock_ns(process);
        if let Some(conn) = self.conn_of(process, sock) {
            conn.wrote_ns = clock_ns;
        }
        self.oracle.hosts[process].bytes_out += count as u64;
    }

    pub fn was_looked_at(&mut self, process: usize, sock: usize, found: bool) {
        let clock_ns = self.clock_ns(process);
        let arrived_ns = self.processes[process].clock_ns(self.socks[sock].arrived_ns);
        let now_ns = self.oracle.hosts[process].now_ns;
        self.trace.mark(self.now_ns, 8, sock as u64, found.into());
        if let Some(conn) = self.conn_of(process, sock) {
            conn.look = Some(Look { now_ns, arrived_ns, found });
            if found {
                (conn.heard_ns, conn.overdue) = (clock_ns, 0);
            }
        }
    }

    /// A process is about to wait.
    pub fn wait_begins(&mut self, process: usize, timeout_ms: Option<u64>) {
        self.moves(None);
        let clock_ns = self.clock_ns(process);
        self.trace.mark(self.now_ns, 9, process as u64, timeout_ms.unwrap_or(u64::MAX));
        self.trace.whisper(self.now_ns, format_args!("process {process} waits for {timeout_ms:?} ms"));
        let truth = &mut self.oracle.hosts[process];
        truth.attended.runs(clock_ns);
        let exact = truth.is_exact && timeout_ms != Some(0) && !truth.told.paused;
        // Rounded down, as the reactor reads its clock.
        let wake_ns = timeout_ms.map(|ms| (clock_ns / MS).saturating_add(ms).saturating_mul(MS));
        truth.attended.promise(wake_ns, wake_ns.filter(|_| exact));
        if timeout_ms != Some(0) {
            self.check_plan(process, wake_ns);
            self.check_idle(process);
        }
    }

    pub fn wait_ended(&mut self, process: usize, count: usize) {
        let clock_ns = self.clock_ns(process);
        self.trace.mark(self.now_ns, 10, process as u64, count as u64);
        self.trace.whisper(self.now_ns, format_args!("process {process} wakes with {count} events"));
        let truth = &mut self.oracle.hosts[process];
        truth.attended.runs(clock_ns);
        truth.now_ns = clock_ns;
        // What it promises from here on is not seen: no more than that it may be judged from now.
        truth.attended.promise(Some(clock_ns), None);
    }

    /// With many connections it costs too much to look at each in each turn: then some turns are looked at.
    fn spares(&self, process: usize) -> bool {
        let conns = self.oracle.hosts[process].conns.len() as u64;
        conns > 200 && !(self.now_ns / 7).is_multiple_of(conns / 20)
    }

    /// No process plans to sleep beyond the moment at which it must find a silent peer dead (L4).
    fn check_plan(&self, process: usize, wake_ns: Option<u64>) {
        if self.spares(process) {
            return;
        }
        let truth = &self.oracle.hosts[process];
        let Some(judged) = truth.judged.filter(|_| !self.over) else { return };
        let step_ns = self.processes[process].clock_step_ms() * MS;
        for (token, conn) in &truth.conns {
            let due_ns = truth.due_ns(conn, judged, step_ns);
            if wake_ns.is_none_or(|wake_ns| wake_ns > due_ns) && self.must_die_silent(conn) {
                let late_ms = wake_ns.map(|wake_ns| (wake_ns - due_ns) / MS);
                wrong(
                    "sleeps too long",
                    format_args!(
                        "process {process} wants to sleep {late_ms:?} ms beyond the deadline of line {} (id {token})",
                        conn.line
                    ),
                );
            }
        }
    }

    /// A reactor that says it has nothing to do has taken all that it was told of: no edge comes for it again (R1, R2).
    fn check_idle(&self, process: usize) {
        if self.spares(process) {
            return;
        }
        for (token, conn) in &self.oracle.hosts[process].conns {
            let sock = &self.socks[conn.sock];
            let unread = !sock.rx.is_empty() || (sock.fin_in && !conn.half_closed) || sock.broken;
            // Where the output is stuck, reading may rest (R4).
            let rests = conn.paused || conn.closing || conn.half_closed || sock.is_stuck() || !self.healed;
            if conn.opened && unread && !rests && !sock.listed {
                wrong(
                    "forgotten",
                    format_args!(
                        "process {process} sleeps, and line {} (id {token}) has {} bytes, FIN: {}, error: {}",
                        conn.line,
                        sock.rx.len(),
                        sock.fin_in,
                        sock.broken
                    ),
                );
            }
        }
    }

    /// Whether silence is all that is the matter with a connection.
    fn must_die_silent(&self, conn: &Conn) -> bool {
        let sock = &self.socks[conn.sock];
        let quiet = sock.rx.is_empty() && !sock.fin_in && !sock.broken && sock.error.is_none();
        conn.opened && quiet && !conn.closing && !conn.half_closed
    }

    /// After a poll: whoever is overdue must have been found, in this poll or, where one batch has not room for all, in
    /// one of the next.
    ///
    /// `promised_ms` is what the reactor says of its next deadline as the poll returns, `wait_ms` after what the
    /// application did then, which may have brought it nearer.
    pub fn after_poll(&mut self, process: usize, promised_ns: Option<u64>, wait_ms: Option<u64>, events: usize) {
        let clock_ns = self.clock_ns(process);
        let truth = &mut self.oracle.hosts[process];
        if events > truth.capacity {
            wrong("arena", format_args!("{events} events in a batch for {}", truth.capacity));
        }
        truth.attended.runs(clock_ns);
        let wake_ns = wait_ms.map(|ms| (clock_ns / MS).saturating_add(ms).saturating_mul(MS));
        truth.attended.promise(wake_ns, promised_ns);
        if self.processes[process].mode != Mode::Blocking && wait_ms != Some(0) {
            self.check_plan(process, wake_ns);
            self.check_idle(process);
        }
        self.check_overdue(process);
    }

    fn check_overdue(&mut self, process: usize) {
        if self.spares(process) {
            return;
        }
        let truth = &self.oracle.hosts[process];
        let Some(judged) = truth.judged else { return };
        let step_ns = self.processes[process].clock_step_ms() * MS;
        let now_ns = truth.now_ns;
        let overdue: Vec<u64> = truth
            .conns
            .iter()
            .filter(|(_, conn)| conn.heard_ns + u64::from(judged.timeout_ms) * MS < now_ns)
            .filter(|(_, conn)| truth.due_ns(conn, judged, step_ns) < now_ns && self.must_die_silent(conn))
            .map(|(token, _)| *token)
            .collect();
        let plan = &self.scenario.hosts[process];
        let conns = truth.conns.len();
        // What one turn may tell, bury and judge is bounded: the rest is for the next.
        let polls = 3 + conns / 256 + 4 * conns / truth.capacity + 8 * conns / plan.verdicts_per_turn;
        self.check_asked(process, judged, polls);
        for token in overdue {
            let Some(conn) = self.oracle.hosts[process].conns.get_mut(&token) else { continue };
            conn.overdue += 1;
            if conn.overdue as usize > polls {
                let silent_ms = (now_ns - conn.heard_ns) / MS;
                wrong(
                    "not found dead",
                    format_args!("process {process}: line {} (id {token}) is silent for {silent_ms} ms", conn.line),
                );
            }
        }
    }

    /// L2: whoever has been silent for an interval has been asked, or the kernel has refused the ask.
    fn check_asked(&mut self, process: usize, judged: Judged, polls: usize) {
        let truth = &self.oracle.hosts[process];
        let step_ns = self.processes[process].clock_step_ns();
        let interval_ns = u64::from(judged.interval_ms) * MS + ROUNDING_NS + step_ns;
        let now_ns = truth.now_ns;
        let is_unasked = |conn: &Conn| {
            let silent_ns = now_ns.saturating_sub(conn.heard_ns);
            judged.asks
                && silent_ns > interval_ns
                && conn.wrote_ns < conn.heard_ns
                && !self.socks[conn.sock].is_stuck()
                && !conn.paused
                && self.must_die_silent(conn)
                && silent_ns.saturating_sub(truth.attended.most_away_ns(conn.heard_ns, now_ns)) > interval_ns
        };
        let unasked: Vec<u64> =
            truth.conns.iter().filter(|(_, conn)| is_unasked(conn)).map(|(token, _)| *token).collect();
        for token in unasked {
            let Some(conn) = self.oracle.hosts[process].conns.get_mut(&token) else { continue };
            conn.unasked += 1;
            if conn.unasked as usize > polls {
                wrong("not asked", format_args!("process {process}: line {} (id {token})", conn.line));
            }
        }
    }

    /// An event of a host.
    pub fn told(&mut self, process: usize, event: &Event<'_>) {
        let token = event.id.get();
        let code = match event.kind {
            EventKind::Closed { reason, .. } => u64::from(reason.code()),
            EventKind::Message { message, .. } => message.len() as u64,
            _ => 0,
        };
        self.trace.mark(self.now_ns, 11, token, code);
        self.say_event(process, event);
        if token == 0 {
            return self.told_of_reactor(process, event);
        }
        let told = &mut self.oracle.hosts[process].told;
        if let EventKind::Unsent { .. } = event.kind {
            // The mailbox's may be of an id that is gone.
            told.unsent += 1;
            return;
        }
        let truth = &mut self.oracle.hosts[process];
        let Some(conn) = truth.conns.get_mut(&token) else {
            wrong("order", format_args!("process {process}: {:?} of id {token}, which is not there", event.kind));
        };
        let is_beginning = matches!(event.kind, EventKind::Opened { .. } | EventKind::ConnectFailed { .. });
        // What was sent while dialling may fill the outbox before Opened.
        let is_early = matches!(event.kind, EventKind::Full { .. } | EventKind::Drained) && conn.side == 0;
        if conn.opened == is_beginning && !is_early {
            wrong("order", format_args!("process {process}: {:?} of id {token}, opened: {}", event.kind, conn.opened));
        }
        let told = &mut truth.told;
        match event.kind {
            EventKind::Opened { listener } => {
                conn.opened = true;
                told.accepted += u64::from(listener.is_some());
                told.connected += u64::from(listener.is_none());
                self.oracle.opened += 1;
            }
            EventKind::Message { message, .. } => {
                let (line, side) = (conn.line, 1 - conn.side);
                told.messages += 1;
                if let Err(text) = self.oracle.ledger.delivered(line, side, message) {
                    wrong("delivery", format_args!("process {process}: {text}"));
                }
            }
            EventKind::Suspect { .. } => {
                // The wheel is asked last: what was there when the wait ended has been heard. In a small batch the
                // verdict may be told a poll later.
                let sock = &self.socks[conn.sock];
                let arrived_ns = self.processes[process].clock_ns(sock.arrived_ns);
                let rests = conn.paused || sock.is_stuck() || sock.arrived_bytes == 0 || truth.capacity < 1024;
                let suspect_ns = u64::from(self.scenario.suspect_ms) * MS;
                if !rests && arrived_ns < truth.now_ns && truth.now_ns - arrived_ns + conn.lag_ns < suspect_ns {
                    let ms = (truth.now_ns - arrived_ns) / MS;
                    wrong("false suspect", format_args!("process {process}: id {token}, bytes came {ms} ms ago"));
                }
                if std::mem::replace(&mut conn.suspect, true) {
                    wrong("order", format_args!("process {process}: Suspect twice of id {token}"));
                }
                told.suspects += 1;
            }
            EventKind::Revived { .. } => {
                if !std::mem::replace(&mut conn.suspect, false) {
                    wrong("order", format_args!("process {process}: Revived without Suspect of id {token}"));
                }
                told.revived += 1;
            }
            EventKind::ReadClosed => conn.half_closed = true,
            EventKind::ConnectFailed { reason, .. } => {
                told.connect_failed += 1;
                *told.ends.entry(reason.code().min(256)).or_default() += 1;
                self.ended(process, token);
            }
            EventKind::Closed { reason, .. } => {
                *told.ends.entry(reason.code().min(256)).or_default() += 1;
                if reason == Reason::Silent {
                    self.check_death(process, token);
                }
                self.ended(process, token);
            }
            _ => {}
        }
    }

    fn ended(&mut self, process: usize, token: u64) {
        let clock_ns = self.clock_ns(process);
        let timeout_ns = u64::from(self.scenario.timeout_ms) * MS;
        let truth = &mut self.oracle.hosts[process];
        if let (Some(conn), Some(judged)) = (truth.conns.remove(&token), truth.judged) {
            let life_ns = clock_ns.saturating_sub(conn.began_ns);
            // The first ask comes after half an interval, the others after 0.9; anew after a stall or a pause.
            let asks = 5 + 3 * life_ns / (u64::from(judged.interval_ms) * MS);
            truth.asks_max += asks;
            truth.answers_max += asks + 12 * life_ns / timeout_ns;
        }
        truth.ended.insert(token);
    }

    fn told_of_reactor(&mut self, process: usize, event: &Event<'_>) {
        let told = &mut self.oracle.hosts[process].told;
        match event.kind {
            EventKind::Stalled { .. } => {
                told.stalls += 1;
                self.oracle.stalls += 1;
            }
            EventKind::AcceptPaused { .. } => {
                if std::mem::replace(&mut told.paused, true) {
                    wrong("order", format_args!("process {process}: AcceptPaused twice"));
                }
                told.pauses += 1;
            }
            EventKind::AcceptResumed { .. } => told.paused = false,
            _ => {}
        }
    }

    /// L1, L4, L5, L6: a peer that was declared dead had been silent for its timeout, in attended time, and a last look
    /// had found nothing.
    fn check_death(&mut self, process: usize, token: u64) {
        self.oracle.deaths += 1;
        let truth = &self.oracle.hosts[process];
        let (Some(judged), Some(conn)) = (truth.judged, truth.conns.get(&token)) else {
            wrong("false death", format_args!("process {process}: nobody judges id {token}"));
        };
        let line = conn.line;
        let Some(look) = conn.look.filter(|look| !look.found) else {
            wrong("last look", format_args!("process {process}: line {line} died with {:?} as last look", conn.look));
        };
        let timeout_ns = u64::from(judged.timeout_ms) * MS;
        // What never sent a byte is silent from its beginning.
        let alive_ns = if self.socks[conn.sock].arrived_bytes > 0 { look.arrived_ns } else { conn.heard_ns };
        let silent_ns = look.now_ns.saturating_sub(alive_ns);
        let away_ns = truth.attended.least_away_ns(alive_ns, look.now_ns);
        // L4 rounds down when it judges and up when it hears; only the age of the clock is let pass.
        if silent_ns - away_ns + conn.lag_ns < timeout_ns {
            wrong(
                "false death",
                format_args!(
                    "process {process}: line {line} (id {token}) was declared dead after {} ms of silence, {} ms of \
                     which it was away; its timeout is {} ms",
                    silent_ns / MS,
                    away_ns / MS,
                    judged.timeout_ms
                ),
            );
        }
        // L5: after a stall everybody has at least min(timeout − interval, what was left + the stall).
        if let Some((from_ns, to_ns)) = truth.attended.last_alone(2 * timeout_ns).filter(|(_, to)| *to > alive_ns) {
            let before_ns = from_ns.saturating_sub(alive_ns.min(from_ns));
            let left_ns = timeout_ns.saturating_sub(before_ns);
            let most_ns = timeout_ns - u64::from(judged.interval_ms) * MS;
            let had_ns = (left_ns + (to_ns - from_ns)).min(most_ns);
            let got_ns = look.now_ns.saturating_sub(to_ns);
            if got_ns + conn.lag_ns + 2 * MS < had_ns {
                wrong(
                    "no grant",
                    format_args!(
                        "process {process}: line {line} (id {token}) was declared dead {} ms after a stall of {} ms; \
                         it had {} ms before it",
                        got_ns / MS,
                        (to_ns - from_ns) / MS,
                        had_ns / MS
                    ),
                );
            }
        }
    }

    fn say_event(&mut self, process: usize, event: &Event<'_>) {
        let line = self.oracle.hosts[process].conns.get(&event.id.get()).map(|conn| conn.line);
        let of = line.map_or(String::new(), |line| format!(" of line {line}"));
        match event.kind {
            EventKind::Message { message, .. } => self
                .trace
                .whisper(self.now_ns, format_args!("process {process} is told a message{of}: {} bytes", message.len())),
            EventKind::Unsent { .. } => self.trace.whisper(self.now_ns, format_args!("process {process}: Unsent{of}")),
            kind => self.trace.say(self.now_ns, format_args!("process {process} is told {kind:?}{of}")),
        }
    }
}
