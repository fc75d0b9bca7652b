//! Servers and clients made of real reactors, each with an application that sends, pauses, closes, broadcasts and dials
//! by the dice of the seed.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use heartline::frame::Framing;
use heartline::reactor::core::Reactor;
use heartline::reactor::{
    Address, Close, Config, ConnectionId, DrainOptions, EventKind, Events, Limits, ListenOptions, Marks, Options,
    Reason,
};

use super::dice::Dice;
use super::kernel::{Kernel, Sim, address};
use super::ledger::{self, Lane};
use super::oracle::{Judged, wrong};
use super::peers::Character;
use super::process::Mode;
use super::scenario::HostPlan;
use super::wire::MS;
use super::world::{Happening, World};

/// What another thread of a process writes to its reactor.
pub enum Letter {
    Send(ConnectionId, Vec<u8>),
    Close(ConnectionId, Close),
    Wake,
}

pub struct Host {
    process: usize,
    plan: HostPlan,
    reactor: Reactor<Kernel>,
    events: Events,
    dice: Dice,
    options: Options,
    framing: Arc<Framing>,
    servers: u64,
    /// Live connections in the order of their beginning, and whether we dialled them.
    open: Vec<(ConnectionId, bool)>,
    dialling: usize,
    dial_at_ns: u64,
    act_at_ns: u64,
    act_ns: u64,
    broadcasts: u32,
    resumed: bool,
    left: bool,
}

impl Host {
    pub fn new(sim: &Rc<Sim>, process: usize) -> Self {
        let scenario = sim.world.borrow().scenario.clone();
        let plan = scenario.hosts[process];
        let mut dice = Dice::new(scenario.seed, "host", process as u64);
        let timeout_ms = scenario.timeout_ms;
        let config = Config {
            seed: dice.draw(),
            verdicts_per_turn: plan.verdicts_per_turn,
            autopsy_ms: if plan.autopsy { timeout_ms / 4 } else { 0 },
            statistics: plan.statistics,
            connections_max: plan.connections_max,
            outbox_bytes_max: plan.outbox_bytes_max,
            ..Config::default()
        };
        let kernel = Kernel { sim: sim.clone(), process };
        let mut reactor = Reactor::over(kernel, config).expect("a reactor");
        let policy = scenario.policy(plan.role);
        let framing = Framing::parse(scenario.framing).expect("a framing");
        let mut options = Options::new(framing).policy(reactor.define_policy(policy).expect("a policy"));
        let framing = options.framing.clone();
        options.half_open = plan.half_open;
        options.deliver_beats = plan.deliver_beats;
        options.marks =
            Marks { high_bytes: plan.high_bytes, low_bytes: plan.high_bytes / 4, when_full: plan.when_full };
        options.limits = Limits {
            first_frame_ms: if dice.chance(0.2) { timeout_ms * 2 } else { 0 },
            frame_ms: timeout_ms * 2,
            output_ms: timeout_ms * dice.between(1, 4) as u32,
            connect_ms: timeout_ms + 200,
            close_ms: timeout_ms,
        };
        if plan.listens {
            let listening =
                ListenOptions { backlog: dice.pick(&[4096, 4096, 5]), ..ListenOptions::new(options.clone()) };
            reactor.listen(&Address::Tcp(address(process)), &listening).expect("a listener");
        }
        let mailbox = reactor.mailbox().expect("a mailbox");
        sim.posts.borrow_mut().push(Box::new(move |letter| {
            match letter {
                Letter::Send(id, message) => mailbox.send(id, message),
                Letter::Close(id, how) => mailbox.close(id, how, None),
                Letter::Wake => mailbox.wake(),
            }
            .is_ok()
        }));
        if plan.mode == Mode::Nested {
            reactor.descriptor().expect("a descriptor");
        }
        let act_ns = u64::from(timeout_ms) * MS / dice.between(1, 12);
        let mut world = sim.world.borrow_mut();
        world.oracle.hosts[process].judged =
            Some(Judged { interval_ms: policy.interval_ms, timeout_ms: policy.timeout_ms, asks: policy.role.asks() });
        world.oracle.hosts[process].capacity = plan.capacity;
        world.oracle.hosts[process].is_exact = !plan.autopsy;
        world.push(0, Happening::Call(process));
        let first = world.dice.wait(act_ns);
        world.push(first, Happening::Mail(process));
        drop(world);
        Self {
            process,
            plan,
            events: Events::with_capacity(plan.capacity, dice.pick(&[0, 64 << 10])),
            options,
            framing,
            servers: scenario.hosts.iter().filter(|host| host.listens).count() as u64,
            open: Vec::new(),
            dialling: 0,
            dial_at_ns: 0,
            act_at_ns: 0,
            act_ns,
            broadcasts: 0,
            resumed: false,
            left: false,
            dice,
            reactor,
        }
    }

    /// A run of a host that does not block.
    pub fn run(&mut self, sim: &Rc<Sim>) {
        let process = self.process;
        let mut world = sim.world.borrow_mut();
        let ready = world.is_ready(process);
        // A foreign loop looks only at the descriptor, and may lose what it saw (R11).
        if self.plan.mode == Mode::Nested {
            if !ready {
                return;
            }
            if world.fault(super::faults::Fault::LostWake) {
                let later = world.now_ns + self.dice.spread(MS, 2_000 * MS);
                return world.plan_run(process, later);
            }
        }
        drop(world);
        let wait_ms = self.turn(sim, Some(Duration::ZERO));
        let mut world = sim.world.borrow_mut();
        if world.is_ready(process) {
            let late_ns = world.wake_late_ns();
            let at = world.now_ns + late_ns;
            world.plan_run(process, at);
        }
        if self.plan.mode == Mode::Polled
            && let Some(wait_ms) = wait_ms
        {
            // As a loop would: its time-out counts from now.
            let clock_ns = world.clock_ns(process);
            let late_ns = if wait_ms > 0 { world.wake_late_ns() } else { 0 };
            let at = world.processes[process].moment_ns(clock_ns.saturating_add(wait_ms.saturating_mul(MS)));
            let at = at.max(world.now_ns + 1000) + late_ns;
            world.plan_run(process, at);
        }
    }

    /// A run of a host that blocks.
    pub fn block(&mut self, sim: &Rc<Sim>) {
        let timeout = self.plan.poll_ms.map(Duration::from_millis);
        self.turn(sim, timeout);
    }

    /// One poll and what the application does about it; what the reactor wants to wait afterwards.
    fn turn(&mut self, sim: &Rc<Sim>, timeout: Option<Duration>) -> Option<u64> {
        let process = self.process;
        let capped = timeout.is_some_and(|timeout| !timeout.is_zero());
        sim.world.borrow_mut().oracle.hosts[process].is_exact &= !capped;
        if let Err(error) = self.reactor.poll(&mut self.events, timeout)
            && !sim.world.borrow().over
        {
            wrong("poll", format_args!("process {process}: {error}"));
        }
        let promised_ns = self.promised_ns(sim);
        let mut echoes = Vec::new();
        let mut guard = sim.world.borrow_mut();
        let world = &mut *guard;
        for event in &self.events {
            if let EventKind::Unsent { frame } = event.kind {
                self.came_back(world, frame);
            }
            world.told(process, &event);
            match event.kind {
                EventKind::Opened { listener } => {
                    self.dialling -= usize::from(listener.is_none());
                    self.open.push((event.id, listener.is_none()));
                }
                EventKind::ConnectFailed { .. } => self.dialling -= 1,
                EventKind::Closed { .. } => self.open.retain(|(id, _)| *id != event.id),
                EventKind::Message { .. } if self.plan.listens && self.dice.chance(0.2) => echoes.push(event.id),
                EventKind::ReadClosed if self.dice.chance(0.9) => echoes.push(event.id),
                _ => {}
            }
        }
        let now_ns = world.now_ns;
        let leaving = world.leaving;
        let speaking = world.speaking();
        let half_closed: Vec<_> = echoes
            .iter()
            .copied()
            .filter(|id| world.oracle.hosts[process].conns.get(&id.get()).is_some_and(|conn| conn.half_closed))
            .collect();
        let world_over = world.over;
        drop(guard);
        if !world_over {
            for id in echoes {
                if speaking {
                    self.send(sim, id);
                }
            }
            for id in half_closed {
                self.close(sim, id, Close::Flush);
            }
            if leaving && !self.left {
                self.leave(sim);
            }
            if !leaving {
                self.dial(sim, now_ns);
            }
            if !speaking && !self.resumed {
                self.resumed = true;
                self.resume_all(sim);
            }
            if now_ns >= self.act_at_ns && speaking {
                self.act_at_ns = now_ns + self.dice.wait(self.act_ns);
                sim.world.borrow_mut().push(self.act_at_ns, Happening::Call(process));
                self.act(sim);
            }
        }
        self.check_limits();
        let wait_ms = self.reactor.wait_ms();
        sim.world.borrow_mut().after_poll(process, promised_ns, wait_ms, self.events.len());
        wait_ms
    }

    /// The reactor's next deadline, where it is the monitor's and no work waits: what it must be held to (L5).
    fn promised_ns(&mut self, sim: &Rc<Sim>) -> Option<u64> {
        let wait_ms = self.reactor.wait_ms()?;
        let world = sim.world.borrow();
        let truth = &world.oracle.hosts[self.process];
        let exact = truth.is_exact && wait_ms > 0 && !truth.told.paused;
        exact.then(|| (world.clock_ns(self.process) / MS).saturating_add(wait_ms).saturating_mul(MS))
    }

    fn came_back(&self, world: &mut World, frame: &[u8]) {
        // The mailbox gives the message back, the outbox the whole frame.
        let mut bytes = frame.to_vec();
        let mut control = Vec::new();
        let mut stream = heartline::frame::Stream::default();
        let outcome = match self.framing.cut(&mut bytes, &mut stream, &mut control) {
            Ok(heartline::frame::Cut::Frame(cut)) if cut.total == frame.len() && !ledger::is_message(frame) => {
                world.oracle.ledger.unsent(&frame[cut.message])
            }
            _ => world.oracle.ledger.unsent(frame),
        };
        if let Err(text) = outcome {
            wrong("unsent", format_args!("process {}: {text}", self.process));
        }
    }

    fn line_of(&self, sim: &Sim, id: ConnectionId) -> Option<(usize, usize)> {
        let world = sim.world.borrow();
        world.oracle.hosts[self.process].conns.get(&id.get()).map(|conn| (conn.line, conn.side))
    }

    fn send(&mut self, sim: &Sim, id: ConnectionId) {
        let Some((line, side)) = self.line_of(sim, id) else { return };
        let bytes = self.dice.spread(ledger::HEAD_BYTES as u64, self.plan.message_bytes_max) as usize;
        let message = sim.world.borrow().oracle.ledger.next(line, side, Lane::Direct, bytes);
        let sent = match self.dice.below(3) {
            0 => self.reactor.send_vectored(id, &[&message[..7], &message[7..]]),
            _ => self.reactor.send(id, &message),
        };
        if sent.is_ok() {
            sim.world.borrow_mut().oracle.ledger.accepted(line, side, Lane::Direct);
        }
    }

    fn close(&mut self, sim: &Sim, id: ConnectionId, how: Close) {
        if self.reactor.close(id, how, None).is_ok()
            && let Some(conn) = sim.world.borrow_mut().oracle.hosts[self.process].conns.get_mut(&id.get())
        {
            conn.closing = true;
        }
    }

    fn act(&mut self, sim: &Sim) {
        let some = self.open.get(self.dice.below(self.open.len() as u64) as usize).map(|(id, _)| *id);
        let Some(id) = some else { return };
        match self.dice.below(12) {
            0 => {
                let bytes = self.dice.spread(ledger::HEAD_BYTES as u64, self.plan.message_bytes_max) as usize;
                for side in 0..2 {
                    // To the connections of this side: what arrives is checked by the sender's side.
                    let world = sim.world.borrow();
                    let conns = &world.oracle.hosts[self.process].conns;
                    let of_side = |id: &ConnectionId| conns.get(&id.get()).is_some_and(|conn| conn.side == side);
                    let ids: Vec<_> = self.open.iter().map(|(id, _)| *id).filter(of_side).collect();
                    drop(world);
                    self.broadcasts += 1;
                    self.reactor.broadcast(ids, None, &ledger::broadcast(side, self.broadcasts, bytes));
                }
            }
            1 if self.plan.pauses => {
                self.reactor.pause(id);
                self.note_paused(sim, id, true);
            }
            2 | 3 if self.plan.pauses => {
                self.reactor.resume(id);
                self.note_paused(sim, id, false);
            }
            4 if self.plan.closes && self.dice.chance(0.3) => {
                let how = self.dice.pick(&[Close::Flush, Close::AtOnce, Close::Abort]);
                self.close(sim, id, how);
            }
            _ => {
                for _ in 0..self.dice.spread(1, 12) {
                    self.send(sim, id);
                }
                if self.dice.chance(0.2) {
                    self.reactor.flush();
                }
            }
        }
    }

    fn resume_all(&mut self, sim: &Sim) {
        for index in 0..self.open.len() {
            let (id, _) = self.open[index];
            self.reactor.resume(id);
            self.note_paused(sim, id, false);
        }
    }

    fn note_paused(&self, sim: &Sim, id: ConnectionId, paused: bool) {
        if let Some(conn) = sim.world.borrow_mut().oracle.hosts[self.process].conns.get_mut(&id.get()) {
            conn.paused = paused;
        }
    }

    fn dial(&mut self, sim: &Sim, now_ns: u64) {
        if now_ns < self.dial_at_ns {
            return;
        }
        let dialled = self.open.iter().filter(|(_, dialled)| *dialled).count() + self.dialling;
        for _ in dialled..self.plan.dials {
            let server = self.dice.below(self.servers) as usize;
            match self.reactor.connect(&Address::Tcp(address(server)), &self.options, 7) {
                Ok(_) => self.dialling += 1,
                Err(_) => break,
            }
        }
        self.dial_at_ns = now_ns + self.dice.wait(self.act_ns).max(MS);
        if self.plan.dials > 0 {
            sim.world.borrow_mut().push(self.dial_at_ns, Happening::Call(self.process));
        }
    }

    fn leave(&mut self, sim: &Sim) {
        self.left = true;
        let timeout_ms = self.options.limits.close_ms.into();
        let options = DrainOptions {
            spread_ms: self.dice.pick(&[0, timeout_ms]),
            limit_ms: timeout_ms * 2,
            ..DrainOptions::default()
        };
        self.reactor.drain(options).expect("a drain");
        let mut world = sim.world.borrow_mut();
        let truth = &mut world.oracle.hosts[self.process];
        truth.is_exact = false;
        truth.conns.values_mut().for_each(|conn| conn.closing = true);
    }

    /// R5, F2: nothing grows beyond its limit.
    fn check_limits(&self) {
        let counters = self.reactor.counters();
        // Control is bounded by itself: what reading rests at, and one turn's worth of answers above it (R4).
        let control = (self.reactor.len() as u64) * ((4 << 10) + 64 * 64);
        if counters.outbox_bytes_now > self.plan.outbox_bytes_max as u64 + control {
            wrong("outbox", format_args!("process {}: {} bytes wait", self.process, counters.outbox_bytes_now));
        }
        if counters.connections_now > self.plan.connections_max.into() {
            wrong("connections", format_args!("process {}: {} live", self.process, counters.connections_now));
        }
    }

    /// At the end: everything is given back, and the counters add up to what was told.
    pub fn check_end(&mut self, world: &World) {
        let process = self.process;
        let counters = self.reactor.counters();
        let truth = &world.oracle.hosts[process];
        if !self.reactor.is_drained() {
            wrong("drain", format_args!("process {process}: {} connections are left", self.reactor.len()));
        }
        if let Some(token) = truth.conns.keys().next() {
            wrong("order", format_args!("process {process}: id {token} was never told to have ended"));
        }
        let told = &truth.told;
        let pairs = [
            ("connections_now", counters.connections_now, 0),
            ("partial_bytes_now", counters.partial_bytes_now, 0),
            ("outbox_bytes_now", counters.outbox_bytes_now, 0),
            ("accepted", counters.accepted, told.accepted),
            ("connected", counters.connected, told.connected),
            ("connect_failed", counters.connect_failed, told.connect_failed),
            ("messages_in", counters.messages_in, told.messages),
            ("messages_unsent", counters.messages_unsent, told.unsent),
            ("suspects", counters.suspects, told.suspects),
            ("revived", counters.revived, told.revived),
            ("stalls", counters.stalls, told.stalls),
            ("accept_pauses", counters.accept_pauses, told.pauses),
            ("bytes_in", counters.bytes_in, truth.bytes_in),
            ("bytes_out", counters.bytes_out, truth.bytes_out),
            ("deaths", counters.deaths, told.ends.get(&Reason::Silent.code()).copied().unwrap_or(0)),
        ];
        for (name, counted, was) in pairs {
            if counted != was {
                wrong("counters", format_args!("process {process}: {name} is {counted}; it was {was}"));
            }
        }
        // L14: asks and answers never feed each other. Stalls and pauses ask anew.
        let floods = world.scenario.peers.iter().any(|peer| matches!(peer, Character::Floods | Character::Trickles));
        let spare = (counters.stalls + 20) * (told.accepted + told.connected + 1);
        if counters.asks_out > truth.asks_max + spare || (counters.answers_out > truth.answers_max + spare && !floods) {
            wrong(
                "beats",
                format_args!(
                    "process {process}: {} asks for {}, {} answers for {}",
                    counters.asks_out, truth.asks_max, counters.answers_out, truth.answers_max
                ),
            );
        }
        for reason in Reason::ALL.iter().chain(&[Reason::Application(256)]) {
            let was = told.ends.get(&reason.code()).copied().unwrap_or(0);
            if counters.closed(*reason) != was {
                wrong("counters", format_args!("process {process}: {reason}: {} of {was}", counters.closed(*reason)));
            }
        }
        if world.processes[process].descriptors != 0 {
            wrong("memory", format_args!("process {process}: {} descriptors", world.processes[process].descriptors));
        }
    }
}

impl World {
    /// What another thread of a process writes next.
    pub fn next_letter(&mut self, process: usize) -> Option<Letter> {
        let mean_ns = u64::from(self.scenario.timeout_ms) * MS / 2;
        let again = self.now_ns + self.dice.wait(mean_ns);
        if !self.speaking() {
            return None;
        }
        self.push(again, Happening::Mail(process));
        let truth = &self.oracle.hosts[process];
        let place = self.dice.below(truth.conns.len() as u64) as usize;
        let (token, conn) = truth.conns.iter().nth(place)?;
        let (id, line, side) = (ConnectionId::from_raw(*token), conn.line, conn.side);
        if self.scenario.hosts[process].closes && self.dice.chance(0.05) {
            let how = self.dice.pick(&[Close::Flush, Close::AtOnce]);
            if let Some(conn) = self.oracle.hosts[process].conns.get_mut(&id.get()) {
                conn.closing = true;
            }
            return Some(Letter::Close(id, how));
        }
        let bytes = self.dice.spread(ledger::HEAD_BYTES as u64, 400) as usize;
        let message = self.oracle.ledger.next(line, side, Lane::Mail, bytes);
        self.oracle.ledger.accepted(line, side, Lane::Mail);
        Some(Letter::Send(id, message))
    }
}
