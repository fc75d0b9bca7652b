//! The monitor beside a model without a wheel: every peer looked at every time.

use heartline::liveness::{Beat, Monitor, MonitorConfig, Policy, PolicyId, Role, VerdictKind};
use heartline::time::{Millis, TICK_MS};
use proptest::prelude::*;

const PEERS: u32 = 24;
/// Miri runs each step a thousand times as slowly.
const STEPS: u32 = if cfg!(miri) { 400 } else { 500_000 };
const SCRIPT_STEPS: usize = if cfg!(miri) { 80 } else { 400 };

/// What the model knows of one peer, in attended milliseconds.
#[derive(Clone, Copy)]
struct Known {
    policy: usize,
    heard: u64,
    asked: u64,
    fresh: bool,
    anew: bool,
    suspect: bool,
    proposed: Option<u64>,
    paused: Option<u64>,
    outstanding: u32,
    /// Suspect no more, but not told yet.
    revived: bool,
    /// When the last byte really came, or it was added; `None` once it was paused, followed another policy or was dead.
    last_byte: Option<u64>,
}

impl Known {
    /// How long its silence is; while it is paused, how long it was then.
    fn silence(&self, now: u64) -> u64 {
        self.paused.unwrap_or(now).saturating_sub(self.heard)
    }
}

struct Pair {
    monitor: Monitor,
    policies: Vec<(PolicyId, Policy)>,
    peers: Vec<Option<Known>>,
    /// Monotonic time, and how much of it was away.
    clock: u64,
    away: u64,
    /// By policy: when time was granted, and how much at most.
    granted: Vec<Vec<(u64, u64)>>,
    /// By policy: when stalls last had peers asked anew, in monotonic time.
    asked_anew: Vec<Option<u64>>,
    deaths: u64,
    asks: u64,
    grants: u64,
}

impl Pair {
    fn new(seed: u64, start: u64) -> Self {
        let mut monitor = Monitor::new(MonitorConfig { seed, ..MonitorConfig::default() }, Millis(start));
        let policies = [
            Policy::lan().with_role(Role::Ask),
            Policy::game().with_role(Role::Both),
            Policy::im().with_role(Role::Watch),
            Policy::mobile().with_role(Role::Both).with_jitter(30),
            Policy::none(),
        ];
        let policies = policies.map(|policy| (monitor.define(policy).unwrap(), policy)).to_vec();
        let peers = vec![None; PEERS as usize];
        let (granted, asked_anew) = (vec![Vec::new(); policies.len()], vec![None; policies.len()]);
        Self { monitor, policies, peers, clock: start, away: 0, granted, asked_anew, deaths: 0, asks: 0, grants: 0 }
    }

    fn at(&self) -> Millis {
        Millis(self.clock)
    }

    fn now(&self) -> u64 {
        self.clock - self.away
    }

    fn add(&mut self, peer: u32, policy: usize) {
        self.remove(peer);
        self.monitor.add(peer, self.policies[policy].0, self.at());
        let now = self.now();
        self.peers[peer as usize] = Some(Known {
            policy,
            heard: now,
            asked: now,
            fresh: true,
            anew: false,
            suspect: false,
            proposed: None,
            paused: None,
            outstanding: 0,
            revived: false,
            last_byte: Some(now),
        });
    }

    fn remove(&mut self, peer: u32) {
        self.monitor.remove(peer);
        self.peers[peer as usize] = None;
    }

    fn heard(&mut self, peer: u32) {
        self.monitor.heard(peer, self.at());
        self.model_heard(peer);
    }

    fn model_heard(&mut self, peer: u32) {
        let now = self.now();
        if let Some(known) = &mut self.peers[peer as usize] {
            known.heard = known.heard.max(now);
            known.last_byte = Some(now);
            known.anew = false;
            known.proposed = None;
            known.revived |= std::mem::take(&mut known.suspect);
        }
    }

    fn answer(&mut self, peer: u32) {
        let _ = self.monitor.beat(peer, Beat::Answer, self.at());
        self.model_heard(peer);
        if let Some(known) = &mut self.peers[peer as usize] {
            known.outstanding = known.outstanding.saturating_sub(1);
        }
    }

    fn pause(&mut self, peer: u32, pause: bool) {
        let now = self.now();
        if pause {
            self.monitor.pause(peer, self.at());
        } else {
            self.monitor.resume(peer, self.at());
        }
        let (interval, asks) = self.policy_of(peer).map_or((0, false), |p| (u64::from(p.interval_ms), p.role.asks()));
        let Some(known) = &mut self.peers[peer as usize] else { return };
        match known.paused {
            None if pause => (known.paused, known.last_byte) = (Some(now), None),
            Some(since) if !pause => {
                (known.paused, known.last_byte) = (None, None);
                known.heard = now - since.saturating_sub(known.heard);
                known.asked = known.heard;
                known.anew = asks && now - known.heard >= interval;
                // What was proposed before the pause is proposed again at once.
                known.proposed = known.proposed.map(|_| known.asked);
            }
            _ => (),
        }
    }

    fn follow(&mut self, peer: u32, policy: usize) {
        self.monitor.set_policy(peer, self.policies[policy].0, self.at());
        let (now, of) = (self.now(), self.policies[policy].1);
        let Some(known) = &mut self.peers[peer as usize] else { return };
        (known.policy, known.last_byte) = (policy, None);
        let silence = known.silence(now);
        known.anew &= silence >= u64::from(of.interval_ms);
        if !of.judges() || silence < u64::from(of.timeout_ms) {
            known.proposed = None;
        }
        if !of.judges() || silence < u64::from(of.suspect_ms) {
            known.revived |= std::mem::take(&mut known.suspect);
        }
    }

    fn policy_of(&self, peer: u32) -> Option<Policy> {
        self.peers[peer as usize].map(|known| self.policies[known.policy].1)
    }

    /// The host waits until `to`, having promised `promised`.
    fn wait(&mut self, promised: u64, to: u64) {
        self.oversleep(promised, to);
        let late = to.saturating_sub(promised);
        let stall = self.monitor.woke(Millis(to));
        assert_eq!(stall.map(|stall| stall.ms), (late > 100).then_some(late));
    }

    /// The same, before the host says that it woke. The model knows of the stall already.
    fn oversleep(&mut self, promised: u64, to: u64) {
        self.monitor.promise(Some(Millis(promised)));
        self.clock = to;
        let late = to.saturating_sub(promised);
        // With nobody to watch there is nothing to be late for.
        if late > 100 && self.peers.iter().any(Option::is_some) {
            self.away += late;
            self.stall(late);
        } else if late > 100 {
            // Said at once, for somebody may be added before the turn ends.
            assert_eq!(self.monitor.woke(Millis(to)), None);
        }
    }

    /// L5, peer by peer: at least min(timeout - interval, what it had left + the stall) is before it.
    fn stall(&mut self, stall: u64) {
        let now = self.now();
        for (number, (_, policy)) in self.policies.iter().enumerate() {
            let (interval, timeout) = (u64::from(policy.interval_ms), u64::from(policy.timeout_ms));
            let (lost, mut most) = (self.lost(number, stall), 0);
            let rested = self.asked_anew[number].is_none_or(|at| self.clock - at >= interval);
            let mut asked_anew = false;
            for known in self.peers.iter_mut().flatten().filter(|known| known.policy == number) {
                let had = timeout.saturating_sub(known.silence(now));
                let owed = (had + lost).min(timeout - interval);
                if policy.judges() && owed > had {
                    known.heard = known.paused.unwrap_or(now) + owed - timeout;
                    known.proposed = None;
                    self.grants += 1;
                    most = most.max(owed - had);
                }
                let past = known.paused.is_none() && now - known.heard >= interval;
                let anew = policy.role.asks() && past && rested;
                known.anew |= anew;
                asked_anew |= anew;
            }
            if asked_anew {
                self.asked_anew[number] = Some(self.clock);
            }
            if most > 0 {
                self.granted[number].push((now, most));
            }
        }
    }

    /// How much of a stall is granted: in all, timeout - interval at most, reckoned back to the last time when a whole
    /// timeout passed without a grant.
    fn lost(&self, number: usize, stall: u64) -> u64 {
        let (_, policy) = self.policies[number];
        let (interval, timeout) = (u64::from(policy.interval_ms), u64::from(policy.timeout_ms));
        let (mut until, mut sum) = (self.now(), 0);
        for (at, most) in self.granted[number].iter().rev() {
            if until - at >= timeout {
                break;
            }
            (until, sum) = (*at, sum + most);
        }
        stall.min(timeout - interval - sum)
    }

    /// Advances, and checks every verdict, and every verdict that did not come.
    fn advance(&mut self) {
        let mut verdicts = Vec::new();
        while self.monitor.advance(self.at(), &mut verdicts) {}
        let now = self.now();
        for verdict in verdicts {
            if verdict.kind == VerdictKind::Stalled {
                continue;
            }
            let known = self.peers[verdict.peer as usize].as_mut().expect("a verdict about nobody");
            let policy = self.policies[known.policy].1;
            let silence = now - known.heard;
            let interval = u64::from(policy.interval_ms);
            match verdict.kind {
                VerdictKind::Revived => assert!(std::mem::take(&mut known.revived), "it was never suspect"),
                VerdictKind::Suspect => {
                    assert!(policy.judges() && !known.suspect && known.paused.is_none());
                    assert!(silence >= u64::from(policy.suspect_ms), "suspect {silence} ms early");
                    assert_eq!(u64::from(verdict.overshoot_ms), silence - u64::from(policy.suspect_ms));
                    known.suspect = true;
                }
                VerdictKind::Dead => {
                    assert!(policy.judges() && known.suspect && known.paused.is_none());
                    assert!(silence >= u64::from(policy.timeout_ms), "a false death after {silence} ms");
                    assert_eq!(u64::from(verdict.overshoot_ms), silence - u64::from(policy.timeout_ms));
                    assert!(known.proposed.is_none_or(|at| now >= at + interval), "proposed again too soon");
                    known.proposed = Some(now);
                    known.asked = now;
                    known.last_byte = None;
                    self.deaths += 1;
                }
                VerdictKind::Ask => {
                    assert!(policy.role.asks() && known.proposed.is_none() && known.paused.is_none());
                    let early = if known.fresh { 50 } else { u64::from(policy.jitter_percent) };
                    let since = silence.min(now - known.asked);
                    assert!(
                        known.anew || since + TICK_MS >= interval - interval * early / 100,
                        "asked after {since} ms"
                    );
                    assert!(silence + TICK_MS >= interval / 2, "asked a peer that speaks");
                    (known.fresh, known.anew, known.asked) = (false, false, now);
                    known.outstanding += 1;
                    self.asks += 1;
                }
                other => panic!("{other:?} was not ordered"),
            }
        }
        self.check_nothing_is_missing();
    }

    fn check_nothing_is_missing(&self) {
        let now = self.now();
        for (peer, known) in self.peers.iter().enumerate() {
            let state = self.monitor.state(peer as u32);
            assert_eq!(state.is_some(), known.is_some());
            let (Some(known), Some(state)) = (known, state) else { continue };
            let policy = self.policies[known.policy].1;
            let silence = now - known.heard;
            assert_eq!(u64::from(state.silence_ms), silence, "peer {peer}");
            assert_eq!(state.unanswered, known.outstanding.min(255));
            assert_eq!((state.suspect, state.dead), (known.suspect, known.proposed.is_some()));
            assert!(!known.revived, "a revival was kept back");
            if known.paused.is_some() {
                continue;
            }
            if policy.judges() {
                assert!(
                    known.suspect || silence < u64::from(policy.suspect_ms) + TICK_MS,
                    "no suspect after {silence} ms"
                );
                let dead = known.proposed.map_or(silence < u64::from(policy.timeout_ms) + TICK_MS, |at| {
                    now < at + u64::from(policy.interval_ms) + TICK_MS
                });
                assert!(dead || !known.suspect, "no death after {silence} ms");
                let bound = u64::from(2 * policy.timeout_ms - policy.interval_ms) + TICK_MS;
                assert!(known.last_byte.is_none_or(|at| now < at + bound), "stalls put a death off beyond {bound} ms");
            }
            if policy.role.asks() && known.proposed.is_none() {
                let since = silence.min(now - known.asked);
                assert!(since <= u64::from(policy.interval_ms), "not asked after {since} ms");
                assert!(!known.anew || silence < u64::from(policy.interval_ms), "not asked anew");
            }
        }
        match self.monitor.deadline() {
            Some(next) => assert!(next.0 > self.clock),
            None => assert!(self.peers.iter().all(Option::is_none)),
        }
    }

    fn step(&mut self, what: u8, peer: u32, random: u64) {
        let peer = peer % PEERS;
        match what % 16 {
            0 => self.add(peer, random as usize % self.policies.len()),
            1 if random.is_multiple_of(3) => self.remove(peer),
            2..=5 => self.heard(peer),
            6..=7 => self.answer(peer),
            8 if random.is_multiple_of(4) => self.pause(peer, random & 16 == 0),
            9 if random.is_multiple_of(4) => self.follow(peer, (random >> 8) as usize % self.policies.len()),
            10..=12 => {
                // As the monitor wants it.
                let next = self.monitor.deadline().map_or(self.clock + 50, |at| at.0.max(self.clock));
                self.wait(next, next);
                self.advance();
            }
            13 => {
                // Sooner than it wants it, for a host has sockets too.
                let next = self.monitor.deadline().map_or(self.clock + 50, |at| at.0.max(self.clock));
                let to = self.clock + random % (next - self.clock + 1).min(3_000);
                self.wait(next, to);
                self.advance();
            }
            14 => {
                let next = self.monitor.deadline().map_or(self.clock + 50, |at| at.0.max(self.clock));
                self.wait(next, next + random % 101);
                self.advance();
            }
            15 if random.is_multiple_of(8) => {
                let next = self.monitor.deadline().map_or(self.clock + 50, |at| at.0.max(self.clock));
                let to = next + 101 + (random >> 8) % [500, 6_000, 3_600_000][(random >> 4) as usize % 3];
                let before = self.away;
                match (random >> 32) % 4 {
                    0 => self.wait(next, to),
                    // Something reaches the monitor before the host says that it woke.
                    early => {
                        self.oversleep(next, to);
                        let early = [[0, 2], [6, 8], [8, 9]][early as usize - 1][random as usize >> 7 & 1];
                        let peer = (random >> 40) as u32;
                        // Who was removed before the stall was found needed nothing.
                        if early != 0 || self.peers[(peer % PEERS) as usize].is_none() {
                            self.step(early, peer, random >> 5 & !3);
                        }
                    }
                }
                self.advance();
                assert!(self.monitor.stalls().ms == self.away && before <= self.away);
            }
            _ => (),
        }
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[test]
fn two_million_steps_beside_the_model() {
    for (seed, start) in [(1, 0), (2, u64::from(u32::MAX) - 100_000), (3, 1 << 45), (4, u64::from(u32::MAX) * 4 - 7)] {
        let mut pair = Pair::new(seed, start);
        let mut dice = Dice(seed * 77_777);
        // Talk comes in spells, so that every peer is sometimes heard in time and sometimes not.
        for step in 0..STEPS {
            let (what, random) = ((dice.roll() >> 32) as u8, dice.roll() >> 16);
            let quiet = step / 2_000 % 3 == 0;
            if !quiet || what % 16 > 7 || what % 16 == 0 {
                pair.step(what, (dice.roll() >> 40) as u32, random);
            }
        }
        let Pair { deaths, asks, grants, .. } = pair;
        // So much happened that the agreement means something.
        let enough = (deaths > 100 && asks > 1_000 && grants > 100) || cfg!(miri);
        assert!(enough, "{deaths} deaths, {asks} asks, {grants} grants");
    }
}

proptest! {
    #[test]
    fn any_script_beside_the_model(seed: u64, start in 0..1u64 << 40, steps in proptest::collection::vec((any::<u8>(), any::<u32>(), any::<u32>()), 1..SCRIPT_STEPS)) {
        let mut pair = Pair::new(seed, start);
        (0..PEERS / 2).for_each(|peer| pair.add(peer, peer as usize % 5));
        for (what, peer, random) in steps {
            pair.step(what, peer, u64::from(random));
        }
    }
}
