//! The world outside of all reactors: virtual time that jumps from one happening to the next, and everything that the
//! reactors share: lines, listeners, peers, faults, the truth.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;

use heartline::frame::Framing;

use super::dice::Dice;
use super::faults::{Fault, Faults};
use super::peers::Peer;
use super::process::{Item, Mode, Process};
use super::scenario::Scenario;
use super::trace::{Detail, Trace};
use super::truth::Oracle;
use super::wire::{ECONNREFUSED, ETIMEDOUT, Line, MS, Owner, Sock, State};

/// What can happen at a moment.
#[derive(Clone, Copy, Debug)]
pub enum Happening {
    /// Bytes or FIN of a socket are due at the other end.
    Pump(usize),
    Ack(usize, usize),
    Space(usize),
    Reset(usize),
    /// The first packet of a connect arrives at a listener; how often it was sent.
    Syn(usize, usize, u32),
    /// The answer to a connect arrives: 0 or an errno.
    Answered(usize, i32),
    PeerSees(usize, usize),
    PeerActs(usize, u32),
    Run(usize),
    Alarm(usize),
    /// Another thread of a process writes to its mailbox.
    Mail(usize),
    /// A host wants to be woken for something of its own.
    Call(usize),
    /// A fault of those that strike by themselves.
    Strike(Fault),
    /// A line is no longer dark.
    Light(usize),
    /// There are descriptors again.
    Descriptors(usize),
    /// All faults are over: from here on everything that should live must live.
    Heal,
    /// The hosts are told to end everything.
    Parting,
    End,
}

/// A listening socket.
#[derive(Debug)]
pub struct Listening {
    pub process: usize,
    pub token: u64,
    pub backlog: usize,
    pub queue: VecDeque<usize>,
    pub open: bool,
}

pub struct World {
    pub now_ns: u64,
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    happenings: Vec<Happening>,
    free: Vec<usize>,
    pushed: u64,
    /// In this millisecond, so many things have happened.
    moves: (u64, usize),
    pub scenario: Scenario,
    pub framing: Rc<Framing>,
    faults: Faults,
    pub healed: bool,
    pub leaving: bool,
    pub over: bool,
    pub dice: Dice,
    fault_dice: Dice,
    pub lines: Vec<Line>,
    pub socks: Vec<Sock>,
    pub listeners: Vec<Listening>,
    pub processes: Vec<Process>,
    pub peers: Vec<Peer>,
    pub oracle: Oracle,
    pub trace: Trace,
    pub latency_max_ns: u64,
    pub jitter_max_ns: u64,
    pub rto_max_ns: u64,
    pub kernel_timeout_ns: u64,
    pub buffer_bytes: (u64, u64),
    /// Runs that came due while another process was in the middle of a system call: there is one core.
    pub deferred: Vec<usize>,
    /// What reaches a reactor only between its turns.
    pub put_off: Vec<Happening>,
}

impl World {
    pub fn new(scenario: Scenario, detail: Detail) -> Self {
        let mut dice = Dice::new(scenario.seed, "world", 0);
        let timeout_ns = u64::from(scenario.timeout_ms) * MS;
        let mut world = Self {
            now_ns: 0,
            heap: BinaryHeap::new(),
            happenings: Vec::new(),
            free: Vec::new(),
            pushed: 0,
            moves: (0, 0),
            framing: Rc::new(Framing::parse(scenario.framing).expect("a framing")),
            faults: scenario.faults.clone(),
            healed: false,
            leaving: false,
            over: false,
            fault_dice: Dice::new(scenario.seed, "strikes", 0),
            lines: Vec::new(),
            socks: Vec::new(),
            listeners: Vec::new(),
            processes: Vec::new(),
            peers: Vec::new(),
            oracle: Oracle::new(scenario.hosts.len()),
            trace: Trace::new(detail),
            // A line is never so slow that the living look dead on it.
            latency_max_ns: timeout_ns / 40,
            jitter_max_ns: timeout_ns / 16,
            rto_max_ns: (timeout_ns / 3).min(60_000 * MS),
            kernel_timeout_ns: timeout_ns * dice.between(3, 30),
            buffer_bytes: scenario.buffer_bytes,
            deferred: Vec::new(),
            put_off: Vec::new(),
            dice,
            scenario,
        };
        let scenario = world.scenario.clone();
        for (number, host) in scenario.hosts.iter().enumerate() {
            let mut dice = Dice::new(scenario.seed, "process", number as u64);
            world.processes.push(Process::new(host.mode, host.habits.clock_leap_ms, &mut dice));
        }
        for fault in [Fault::Stop, Fault::Dark, Fault::Reset, Fault::NoDescriptors, Fault::Storm] {
            world.strike_again(fault);
        }
        world.push(scenario.heal_ms * MS, Happening::Heal);
        world.push(scenario.farewell_ms * MS, Happening::Parting);
        world.push(scenario.end_ms * MS, Happening::End);
        world
    }

    /// Whether messages are still sent. Before the end only beats are, so that all that was sent can arrive.
    pub fn speaking(&self) -> bool {
        self.now_ns < self.silent_from_ms() * MS
    }

    fn silent_from_ms(&self) -> u64 {
        self.scenario.heal_ms.midpoint(self.scenario.farewell_ms)
    }

    pub fn push(&mut self, at_ns: u64, happening: Happening) {
        let place = match self.free.pop() {
            Some(place) => {
                self.happenings[place] = happening;
                place
            }
            None => {
                self.happenings.push(happening);
                self.happenings.len() - 1
            }
        };
        self.pushed += 1;
        self.heap.push(Reverse((at_ns.max(self.now_ns), self.pushed, place)));
    }

    pub fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Moves to the next happening.
    pub fn pop(&mut self) -> Option<Happening> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.now_ns = self.now_ns.max(at);
        self.moves(Some(self.happenings[place]));
        self.free.push(place);
        Some(self.happenings[place])
    }

    /// Something happens, or a process waits: in between time must pass sooner or later (R6, R9).
    pub fn moves(&mut self, what: Option<Happening>) {
        self.moves =
            if self.now_ns / MS > self.moves.0 { (self.now_ns / MS, 0) } else { (self.moves.0, self.moves.1 + 1) };
        if self.moves.1 > 20_000 + 100 * self.peers.len() {
            super::truth::wrong("spin", format_args!("{} moves within a millisecond: {what:?}", self.moves.1));
        }
    }

    /// Whether a fault happens on this occasion.
    pub fn fault(&mut self, fault: Fault) -> bool {
        let rate = self.faults.rate(fault);
        rate > 0.0 && self.fault_dice.chance(rate)
    }

    /// Everything that happens outside of the reactors.
    pub fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Pump(sock) => self.pump(sock),
            Happening::Ack(sock, count) => self.ack(sock, count),
            Happening::Space(sock) => self.space(sock),
            Happening::Reset(sock) => self.reset_arrives(sock),
            Happening::Syn(sock, listener, tries) => self.syn(sock, listener, tries),
            Happening::Answered(sock, error) => self.answered(sock, error),
            Happening::PeerSees(peer, sock) => self.peer_sees(peer, sock),
            Happening::PeerActs(peer, stamp) => self.peer_acts(peer, stamp),
            Happening::Alarm(process) => self.alarm_due(process),
            Happening::Strike(fault) => self.strike(fault),
            Happening::Light(line) => {
                self.trace.say(self.now_ns, format_args!("line {line} is light again"));
                self.lines[line].dark = [false; 2];
            }
            Happening::Descriptors(process) => self.processes[process].descriptors_max = usize::MAX,
            Happening::Heal => self.heal(),
            Happening::Parting => {
                self.check_healed();
                self.leaving = true;
                for process in 0..self.processes.len() {
                    self.push(self.now_ns, Happening::Call(process));
                }
            }
            Happening::End => self.over = true,
            Happening::Run(process) => {
                if self.runs_now(process) {
                    self.deferred.push(process);
                }
            }
            // Reaches a reactor only between turns.
            Happening::Mail(_) | Happening::Call(_) => self.put_off.push(happening),
        }
    }

    /// Somebody connects. The socket is registered by whoever owns it.
    pub fn dial(&mut self, owner: Owner, listener: usize) -> usize {
        let line = self.new_line();
        let sock = self.new_sock(owner, line, 0, State::Connecting);
        let at = self.now_ns + self.lines[line].latency_ns;
        let refused = self.fault(Fault::Refused);
        match () {
            () if self.fault(Fault::Hangs) => self.push(at + 127_000 * MS, Happening::Answered(sock, ETIMEDOUT)),
            () if refused => self.push(at, Happening::Answered(sock, ECONNREFUSED)),
            () => self.push(at, Happening::Syn(sock, listener, 0)),
        }
        sock
    }

    fn syn(&mut self, sock: usize, listener: usize, tries: u32) {
        let line = self.socks[sock].line;
        let back = self.now_ns + self.lines[line].latency_ns;
        if self.socks[sock].gone {
            return;
        }
        let dark = self.lines[line].dark[0] || self.lines[line].dark[1];
        let full = self.listeners[listener].queue.len() >= self.listeners[listener].backlog;
        if dark || (full && self.listeners[listener].open) {
            if tries >= 6 {
                return self.push(back, Happening::Answered(sock, ETIMEDOUT));
            }
            let again = self.now_ns + ((1000 * MS) << tries);
            return self.push(again, Happening::Syn(sock, listener, tries + 1));
        }
        if !self.listeners[listener].open {
            return self.push(back, Happening::Answered(sock, ECONNREFUSED));
        }
        let process = self.listeners[listener].process;
        let accepted = self.new_sock(Owner::Process(process), line, 1, State::Open);
        self.socks[accepted].other = Some(sock);
        self.socks[sock].other = Some(accepted);
        self.listeners[listener].queue.push_back(accepted);
        self.list(process, Item::Listener(listener));
        self.push(back, Happening::Answered(sock, 0));
        if self.fault(Fault::Aborted) {
            let at = self.now_ns + self.dice.wait(MS);
            self.push(at, Happening::Reset(accepted));
        }
    }

    fn answered(&mut self, sock: usize, error: i32) {
        let state = &mut self.socks[sock];
        if state.gone || state.state != State::Connecting {
            // It has given up meanwhile: the accepted end learns it by a reset.
            if error == 0 {
                self.send_reset(sock);
            }
            return;
        }
        state.state = if error == 0 { State::Open } else { State::Failed };
        state.error = (error != 0).then_some(error);
        state.broken = error != 0;
        self.edge(sock);
    }

    fn alarm_due(&mut self, process: usize) {
        let known = &mut self.processes[process];
        if known.alarm.is_some_and(|at| at <= self.now_ns) {
            known.alarm = None;
            if !known.ready.contains(&Item::Alarm) {
                self.list(process, Item::Alarm);
            }
        }
    }

    fn strike_again(&mut self, fault: Fault) {
        let rate = self.faults.rate(fault);
        if rate > 0.0 {
            let mean_ns = (10.0 * f64::from(self.scenario.timeout_ms) * MS as f64 / rate) as u64;
            let at = self.now_ns + self.fault_dice.wait(mean_ns).max(MS);
            self.push(at, Happening::Strike(fault));
        }
    }

    fn strike(&mut self, fault: Fault) {
        if self.healed {
            return;
        }
        self.strike_again(fault);
        let timeout_ns = u64::from(self.scenario.timeout_ms) * MS;
        let process = self.fault_dice.below(self.processes.len() as u64) as usize;
        match fault {
            Fault::Stop => {
                let length_ns = self.fault_dice.spread(100 * MS, (100_000 * MS).min(timeout_ns * 20));
                self.stop(process, length_ns);
            }
            Fault::NoDescriptors => {
                let until = self.now_ns + self.fault_dice.spread(MS, timeout_ns * 2);
                self.trace.say(self.now_ns, format_args!("process {process} has no descriptor left"));
                self.processes[process].descriptors_max = self.processes[process].descriptors;
                self.push(until, Happening::Descriptors(process));
            }
            Fault::Storm => self.storm(),
            Fault::Dark => {
                let Some(line) = self.some_line() else { return };
                let dark = self.fault_dice.pick(&[[true, false], [false, true], [true, true]]);
                let until = self.now_ns + self.fault_dice.spread(10 * MS, timeout_ns * 4);
                self.trace.say(self.now_ns, format_args!("line {line} goes dark: {dark:?}"));
                self.trace.mark(self.now_ns, 4, line as u64, until);
                self.lines[line].dark = dark;
                self.push(until, Happening::Light(line));
            }
            Fault::Reset => {
                let Some(line) = self.some_line() else { return };
                self.trace.say(self.now_ns, format_args!("line {line} is reset"));
                for sock in self.lines[line].socks.into_iter().flatten() {
                    self.fail(sock, super::wire::ECONNRESET);
                }
            }
            _ => {}
        }
    }

    /// A line that both ends still use.
    fn some_line(&mut self) -> Option<usize> {
        for _ in 0..20 {
            let line = self.fault_dice.below(self.lines.len() as u64) as usize;
            let alive =
                |sock: Option<usize>| sock.is_some_and(|sock| !self.socks[sock].gone && !self.socks[sock].broken);
            if self.lines.get(line).is_some_and(|line| line.socks.into_iter().all(alive)) {
                return Some(line);
            }
        }
        None
    }

    fn heal(&mut self) {
        self.trace.say(self.now_ns, format_args!("all faults heal"));
        self.healed = true;
        self.faults.heal();
        for line in &mut self.lines {
            line.dark = [false; 2];
            line.fin_lost = [false; 2];
        }
        // Whose end was lost in the dark learns it by the kernel's keepalive.
        for sock in 0..self.socks.len() {
            let ended = |sock: usize| self.socks[sock].gone || self.socks[sock].broken;
            if self.socks[sock].other.is_some_and(ended) && !ended(sock) {
                self.fail(sock, super::wire::ECONNRESET);
            }
        }
        for process in &mut self.processes {
            process.descriptors_max = usize::MAX;
            process.stopped_until_ns = process.stopped_until_ns.min(self.now_ns);
        }
        let silent_at = self.silent_from_ms() * MS;
        for process in 0..self.processes.len() {
            self.push(silent_at, Happening::Call(process));
            if self.processes[process].mode != Mode::Blocking {
                self.plan_run(process, self.now_ns);
            }
        }
    }
}
