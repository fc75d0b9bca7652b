//! Servers and clients made of real reactors, each with an application that sends, pauses, closes, broadcasts and dials
//! by the dice of the seed.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use heartline::frame::Framing;
use heartline::liveness::Policy;
use heartline::reactor::core::Reactor;
use heartline::reactor::{
    Address, Close, Config, ConnectionId, EventKind, Events, Limits, ListenOptions, Marks, Options, SocketOptions,
};

use super::crowd::Crowd;
use super::dice::Dice;
use super::habits::{Indulgence, longer};
use super::kernel::{Kernel, Sim, address};
use super::process::Mode;
use super::scenario::HostPlan;
use super::truth::{Judged, Truth, wrong};
use super::wire::MS;
use super::world::Happening;

/// What another thread of a process writes to its reactor.
pub enum Letter {
    Send(ConnectionId, Vec<u8>),
    Close(ConnectionId, Close),
    Wake,
}

pub struct Host {
    pub process: usize,
    pub plan: HostPlan,
    pub reactor: Reactor<Kernel>,
    events: Events,
    pub dice: Dice,
    pub options: Options,
    pub framing: Arc<Framing>,
    pub servers: u64,
    pub open: Crowd,
    /// Taken back and not told of yet, and whether we dialled them.
    pub adopted: HashMap<ConnectionId, bool>,
    pub indulgence: Indulgence,
    pub dialling: usize,
    pub dial_at_ns: u64,
    act_at_ns: u64,
    pub act_ns: u64,
    pub broadcasts: u32,
    resumed: bool,
    pub left: bool,
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
            partial_bytes_max: plan.habits.partial_bytes_max.unwrap_or(256 << 20),
            mass_silence: plan.habits.mass_silence(timeout_ms),
            ..Config::default()
        };
        let kernel = Kernel { sim: sim.clone(), process };
        let mut reactor = Reactor::over(kernel, config).expect("a reactor");
        let policy = plan.habits.policy(scenario.policy(plan.role));
        let framing = Framing::parse(scenario.framing).expect("a framing");
        let policies = [(); 2].map(|()| reactor.define_policy(policy).expect("a policy"));
        let mut options = Options::new(framing).policy(policies[0]);
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
            health_check_ms: 0,
        };
        options.socket =
            SocketOptions { user_timeout_ms: timeout_ms * plan.habits.user_timeout, ..SocketOptions::default() };
        promise(&mut sim.world.borrow_mut().oracle.hosts[process], &plan, policy, options.limits);
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
            open: Crowd::default(),
            adopted: HashMap::new(),
            indulgence: Indulgence::new(Dice::new(scenario.seed, "indulgence", process as u64), policies, policy),
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
                    let adopted = self.adopted.remove(&event.id);
                    self.dialling -= usize::from(listener.is_none() && adopted.is_none());
                    self.open.push(event.id, adopted.unwrap_or(listener.is_none()));
                }
                EventKind::ConnectFailed { .. } => self.dialling -= 1,
                EventKind::Closed { .. } => self.open.remove(event.id),
                EventKind::Message { .. } if self.plan.listens && self.dice.chance(0.2) => echoes.push(event.id),
                EventKind::ReadClosed if self.dice.chance(0.9) => echoes.push(event.id),
                _ => {}
            }
        }
        let now_ns = world.now_ns;
        let leaving = world.leaving;
        let speaking = world.speaking();
        let half_closed: Vec<_> = echoes.iter().copied().filter(|id| world.is_half_closed(process, *id)).collect();
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
                self.tidy_up(sim);
            }
            if now_ns >= self.act_at_ns && speaking {
                self.act_at_ns = now_ns + self.dice.wait(self.act_ns);
                sim.world.borrow_mut().push(self.act_at_ns, Happening::Call(process));
                self.act(sim);
            }
            if speaking {
                self.indulge(sim, now_ns, self.act_ns);
            }
        }
        self.check_limits(sim);
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
}

/// What the oracle may hold a host to.
fn promise(truth: &mut Truth, plan: &HostPlan, policy: Policy, limits: Limits) {
    let most = if plan.habits.redefines { longer(policy) } else { policy };
    truth.judged = policy.judges().then_some(Judged {
        interval_ms: most.interval_ms,
        timeout_ms: most.timeout_ms,
        shortest_timeout_ms: policy.timeout_ms,
        asks: policy.role.asks(),
        answers: policy.role.answers(),
        after_first_frame: policy.after_first_frame,
        rtt_every_ms: policy.rtt_every_ms,
    });
    truth.limits = limits;
    truth.capacity = plan.capacity;
    truth.is_exact = !plan.autopsy;
    truth.hold_ms = plan.habits.mass_silence(policy.timeout_ms).map_or(0, |guard| guard.hold_ms);
}
