//! A process: its epoll set, its clock, its descriptors, and the times at which it does not run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use heartline::reactor::net::Readiness;

use super::faults::Fault;
use super::wire::MS;
use super::world::{Happening, World};

/// How a host drives its reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `poll` blocks in the kernel's wait.
    Blocking,
    /// A loop of its own calls `poll` with 0 when there is readiness, or `wait_ms` have passed.
    Polled,
    /// A foreign loop calls `poll` with 0 when the descriptor is readable, and never else (R11).
    Nested,
}

/// What can stand on a ready list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Sock(usize),
    Listener(usize),
    Alarm,
    Waker,
}

/// The waker of a process: any thread may use it.
#[derive(Clone, Debug)]
pub struct Waker {
    pub rung: Arc<AtomicBool>,
    pub fails: Arc<AtomicBool>,
}

#[derive(Debug)]
pub struct Process {
    pub mode: Mode,
    pub ready: VecDeque<Item>,
    /// Entries of one list.
    pub list_max: usize,
    pub stopped_until_ns: u64,
    clock_origin_ns: u64,
    /// The clock advances in leaps of this.
    clock_step_ns: u64,
    /// What a system call costs.
    pub cost_ns: u64,
    pub descriptors: usize,
    pub descriptors_max: usize,
    run_at: Option<u64>,
    pub alarm: Option<u64>,
    pub waker: Waker,
    pub waker_token: u64,
    pub alarm_token: u64,
}

impl Process {
    pub fn new(mode: Mode, clock_leap_ms: u64, dice: &mut super::dice::Dice) -> Self {
        Self {
            mode,
            ready: VecDeque::new(),
            list_max: dice.pick(&[1, 3, 16, 1024, 1024]),
            stopped_until_ns: 0,
            clock_origin_ns: dice.below(1 << 45),
            clock_step_ns: dice.pick(&[1, 1, 1, 1000, MS, 4 * MS, 15 * MS]).max(clock_leap_ms * MS),
            cost_ns: dice.pick(&[0, 0, 300, 2_000, 20_000]),
            descriptors: 0,
            descriptors_max: usize::MAX,
            run_at: None,
            alarm: None,
            waker: Waker { rung: Arc::default(), fails: Arc::default() },
            waker_token: 0,
            alarm_token: 0,
        }
    }

    /// What its CLOCK_MONOTONIC shows at a moment of the world.
    pub fn clock_ns(&self, at_ns: u64) -> u64 {
        (self.clock_origin_ns + at_ns) / self.clock_step_ns * self.clock_step_ns
    }

    /// The first moment of the world at which its clock shows at least this.
    pub fn moment_ns(&self, clock_ns: u64) -> u64 {
        (clock_ns.div_ceil(self.clock_step_ns) * self.clock_step_ns).saturating_sub(self.clock_origin_ns)
    }

    pub fn clock_step_ns(&self) -> u64 {
        self.clock_step_ns
    }

    pub fn clock_step_ms(&self) -> u64 {
        self.clock_step_ns.div_ceil(MS)
    }
}

impl World {
    pub fn clock_ns(&self, process: usize) -> u64 {
        self.processes[process].clock_ns(self.now_ns)
    }

    /// Puts something on the ready list of a process, and wakes it if it sleeps.
    pub fn list(&mut self, process: usize, item: Item) {
        self.processes[process].ready.push_back(item);
        if self.processes[process].mode != Mode::Blocking {
            let late_ns = self.wake_late_ns();
            self.plan_run(process, self.now_ns + late_ns);
        }
    }

    /// A waker that was rung from another thread shows.
    pub fn hear_wakers(&mut self) {
        for process in 0..self.processes.len() {
            if self.processes[process].waker.rung.swap(false, Ordering::AcqRel)
                && !self.processes[process].ready.contains(&Item::Waker)
            {
                self.list(process, Item::Waker);
            }
        }
    }

    /// How long it takes until a process that was woken runs.
    pub fn wake_late_ns(&mut self) -> u64 {
        if self.fault(Fault::SlowWake) { self.dice.below(99 * MS) } else { self.dice.below(50_000) }
    }

    pub fn plan_run(&mut self, process: usize, at_ns: u64) {
        let known = &mut self.processes[process];
        let at_ns = at_ns.max(known.stopped_until_ns).max(self.now_ns);
        if known.run_at.is_none_or(|run_at| at_ns < run_at) {
            known.run_at = Some(at_ns);
            self.push(at_ns, Happening::Run(process));
        }
    }

    /// A run that came due in the middle of another process's system call comes now.
    pub fn run_again(&mut self, process: usize) {
        self.plan_run(process, self.now_ns);
    }

    /// Whether a planned run is this one; it is planned no more then.
    pub fn runs_now(&mut self, process: usize) -> bool {
        if self.processes[process].run_at != Some(self.now_ns) {
            return false;
        }
        self.processes[process].run_at = None;
        let until_ns = self.processes[process].stopped_until_ns;
        if until_ns > self.now_ns {
            self.plan_run(process, until_ns);
            return false;
        }
        true
    }

    pub fn stop(&mut self, process: usize, length_ns: u64) {
        let until_ns = self.now_ns + length_ns;
        self.trace.say(self.now_ns, format_args!("process {process} is stopped for {} ms", length_ns / MS));
        self.trace.mark(self.now_ns, 3, process as u64, length_ns);
        let known = &mut self.processes[process];
        known.stopped_until_ns = known.stopped_until_ns.max(until_ns);
    }

    /// Whether a wait of this process would return: something on its list shows.
    pub fn is_ready(&mut self, process: usize) -> bool {
        let mut ready = std::mem::take(&mut self.processes[process].ready);
        while let Some(item) = ready.front() {
            if self.readiness(process, *item).is_some() {
                break;
            }
            if let Item::Sock(sock) = *item {
                self.socks[sock].listed = false;
            }
            ready.pop_front();
        }
        self.processes[process].ready = ready;
        !self.processes[process].ready.is_empty()
    }

    /// What epoll says of an item now; nothing if it has nothing to say.
    fn readiness(&mut self, process: usize, item: Item) -> Option<Readiness> {
        let news = |token| Readiness { token, readable: true, writable: false, read_closed: false };
        match item {
            Item::Alarm => Some(news(self.processes[process].alarm_token)),
            Item::Waker => Some(news(self.processes[process].waker_token)),
            Item::Listener(listener) => {
                let listener = &self.listeners[listener];
                (listener.open && !listener.queue.is_empty()).then(|| news(listener.token))
            }
            Item::Sock(sock) => {
                let sock = &mut self.socks[sock];
                let token = sock.token?;
                let mask = sock.mask();
                mask.any().then_some(Readiness {
                    token,
                    readable: mask.readable,
                    writable: mask.writable,
                    read_closed: mask.read_closed,
                })
            }
        }
    }

    /// Takes up to `most` entries off the ready list.
    pub fn collect(&mut self, process: usize, most: usize, ready: &mut Vec<Readiness>) {
        while ready.len() < most {
            let Some(item) = self.processes[process].ready.pop_front() else { break };
            if let Item::Sock(sock) = item {
                self.socks[sock].listed = false;
            }
            ready.extend(self.readiness(process, item));
        }
        if ready.len() < most && self.fault(Fault::Spurious) {
            let known = self.socks.len() as u64;
            let sock = self.dice.below(known) as usize;
            let token = self.socks.get(sock).and_then(|sock| sock.token);
            let ours = self.socks.get(sock).is_some_and(|sock| sock.owner == super::wire::Owner::Process(process));
            // epoll tells each descriptor once in a list.
            if let Some(token) = token.filter(|token| ours && ready.iter().all(|known| known.token != *token)) {
                let (readable, writable) = self.dice.pick(&[(true, false), (false, true), (true, true)]);
                ready.push(Readiness { token, readable, writable, read_closed: false });
            }
        }
    }
}
