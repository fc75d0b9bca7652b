//! What some hosts do besides: they give connections away and take them back, forgive silences, change policies and
//! options, judge nobody, have little memory, or a clock that leaps.

use std::rc::Rc;

use heartline::liveness::{MassSilence, Policy, PolicyId};

use heartline::reactor::{ConnectionId, Options, Released};

use super::dice::Dice;
use super::hosts::Host;
use super::kernel::{Sim, Socket};
use super::onlooker::Onlooker;
use super::wire::MS;
use super::world::Happening;

/// Most hosts have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    pub releases: bool,
    pub graces: bool,
    /// Policies change between the scenario's and one half as long again.
    pub redefines: bool,
    pub changes_options: bool,
    pub rtt: bool,
    pub after_first_frame: bool,
    pub mass_silence: bool,
    /// No policy judges: only the kernel finds the dead.
    pub is_unjudged: bool,
    /// TCP_USER_TIMEOUT, in timeouts; 0 is off.
    pub user_timeout: u32,
    pub partial_bytes_max: Option<usize>,
    /// The clock advances in leaps of this many milliseconds: less than the granularity, beyond which a leap is a stop.
    pub clock_leap_ms: u64,
}

impl Habits {
    pub fn draw(seed: u64, host: u64) -> Self {
        let mut dice = Dice::new(seed, "habits", host);
        if !dice.chance(0.5) {
            return Self::default();
        }
        let mut some = || dice.chance(0.35);
        let (releases, graces, redefines, changes_options) = (some(), some(), some(), some());
        let (rtt, after_first_frame, mass_silence) = (some(), some(), some());
        Self {
            releases,
            graces,
            redefines,
            changes_options,
            rtt,
            after_first_frame,
            mass_silence,
            is_unjudged: dice.chance(0.15),
            user_timeout: if dice.chance(0.4) { dice.between(1, 4) as u32 } else { 0 },
            partial_bytes_max: dice.chance(0.2).then_some(20_000),
            clock_leap_ms: dice.pick(&[0, 0, 0, 0, 25, 50, 90]),
        }
    }

    pub fn mass_silence(self, timeout_ms: u32) -> Option<MassSilence> {
        let guard = MassSilence { percent: 50, window_ms: timeout_ms / 4, hold_ms: timeout_ms / 2, min_peers: 4 };
        self.mass_silence.then_some(guard)
    }

    /// The policy of a host that has these, made from the scenario's.
    pub fn policy(self, policy: Policy) -> Policy {
        if self.is_unjudged {
            return Policy::none();
        }
        let rtt_every_ms = if self.rtt { policy.interval_ms / 2 } else { 0 };
        Policy { rtt_every_ms, after_first_frame: self.after_first_frame, ..policy }
    }
}

/// Half as long again.
pub fn longer(policy: Policy) -> Policy {
    let more = |ms: u32| ms + ms / 2;
    Policy {
        interval_ms: more(policy.interval_ms),
        suspect_ms: more(policy.suspect_ms),
        timeout_ms: more(policy.timeout_ms),
        ..policy
    }
}

/// A connection that was given back, in the application's hands.
pub struct Parked {
    released: Released<Socket>,
    onlooker: Onlooker,
    dialled: bool,
}

/// What a host needs for its habits.
pub struct Indulgence {
    pub dice: Dice,
    pub policies: [PolicyId; 2],
    pub shorter: Policy,
    at_ns: u64,
    pub parked: Vec<Parked>,
}

impl Indulgence {
    pub fn new(dice: Dice, policies: [PolicyId; 2], shorter: Policy) -> Self {
        Self { dice, policies, shorter, at_ns: 0, parked: Vec::new() }
    }
}

impl Host {
    /// Does one of the things that it does, if it is time.
    pub fn indulge(&mut self, sim: &Rc<Sim>, now_ns: u64, act_ns: u64) {
        let habits = self.plan.habits;
        if now_ns < self.indulgence.at_ns
            || !(habits.releases || habits.graces || habits.redefines || habits.changes_options)
        {
            return;
        }
        let dice = &mut self.indulgence.dice;
        self.indulgence.at_ns = now_ns + dice.wait(act_ns).max(MS);
        let place = dice.below(self.open.len() as u64) as usize;
        let what = dice.below(4);
        sim.world.borrow_mut().push(self.indulgence.at_ns, Happening::Call(self.process));
        self.take_back(sim);
        let Some((id, dialled)) = self.open.get(place) else { return };
        match what {
            0 if habits.releases => self.give_away(sim, id, dialled),
            1 if habits.graces => self.forgive(sim, id),
            2 if habits.redefines => self.change_policy(id),
            3 if habits.changes_options => self.change_options(id),
            _ => {}
        }
    }

    fn give_away(&mut self, sim: &Rc<Sim>, id: ConnectionId, dialled: bool) {
        // Busy while events wait, or not open any more.
        let Ok(released) = self.reactor.release(id) else { return };
        self.open.remove(id);
        let onlooker = sim.world.borrow_mut().was_released(self.process, id.get());
        let Some(onlooker) = onlooker else { return };
        self.indulgence.parked.push(Parked { released, onlooker, dialled });
        if self.indulgence.dice.chance(0.5) {
            self.take_back(sim);
        }
    }

    /// Takes back what it has given away; what is refused is hung up.
    pub fn take_back(&mut self, sim: &Rc<Sim>) {
        for Parked { released, onlooker, dialled } in std::mem::take(&mut self.indulgence.parked) {
            let Released { socket, unread, unsent, user, unanswered, .. } = released;
            if let Ok(id) = self.reactor.adopt(socket, &self.options, user, unread, &unsent) {
                self.adopted.insert(id, dialled);
                self.reactor.expect_answers(id, unanswered);
                if let Some(conn) = sim.world.borrow_mut().oracle.hosts[self.process].conns.get_mut(&id.get()) {
                    (conn.adopted, conn.onlooker) = (true, onlooker);
                }
            }
        }
    }

    fn forgive(&mut self, sim: &Rc<Sim>, id: ConnectionId) {
        let ms = self.indulgence.dice.spread(1, u64::from(sim.world.borrow().scenario.timeout_ms) * 2);
        // Not before its clock now; the call reads it a moment later.
        let from_ns = sim.world.borrow().clock_ns(self.process);
        if !self.reactor.grace(id, ms) {
            return;
        }
        let mut world = sim.world.borrow_mut();
        let until_ns = from_ns + ms * MS;
        let truth = &mut world.oracle.hosts[self.process];
        let lasts = truth.grace_ends_ns(id.get()).is_some_and(|ends_ns| ends_ns >= until_ns);
        if let Some(conn) = truth.conns.get_mut(&id.get()).filter(|_| !lasts) {
            (conn.grace_until_ns, conn.grace_from_ns) = (until_ns, from_ns);
            conn.heard_ns = until_ns;
        }
    }

    fn change_policy(&mut self, id: ConnectionId) {
        let Indulgence { dice, policies, shorter, .. } = &mut self.indulgence;
        let policy = policies[dice.below(2) as usize];
        if dice.chance(0.5) {
            self.reactor.set_policy(id, policy);
        } else {
            let to = if dice.chance(0.5) { *shorter } else { longer(*shorter) };
            self.reactor.redefine_policy(policy, to).expect("a policy");
        }
    }

    fn change_options(&mut self, id: ConnectionId) {
        let mut options: Options = self.options.clone();
        let dice = &mut self.indulgence.dice;
        options.half_open ^= dice.chance(0.3);
        options.deliver_beats ^= dice.chance(0.3);
        if dice.chance(0.3) {
            options.marks.high_bytes /= 2;
            options.marks.low_bytes /= 2;
        }
        self.reactor.set_options(id, &options).expect("options");
    }
}
