//! The many peers: what the host calls.

use std::collections::VecDeque;

use crate::time::Millis;

use super::advisor::Advisor;
use super::forgive::Granted;
use super::guard::{Guard, MassSilence};
use super::histogram::Histogram;
use super::peer::{Flag, Peer, since};
use super::policy::{MAX_POLICIES, MAX_TIMEOUT_MS, Policy, PolicyError, PolicyId};
use super::stall::{Attention, Stall, Stalls};
use super::verdict::{Beat, Counters, Owed, PeerState, Verdict, VerdictKind};
use super::wheel::{self, Wheel};

/// Peers are numbered below this: 16,776,958.
pub const MAX_PEERS: u32 = wheel::MAX_ENTRIES;

/// Visits per verdict that one [`advance`](Monitor::advance) may take: most visits find a peer that was heard (L8).
const VISITS_PER_VERDICT: usize = 4;

/// How a monitor works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorConfig {
    /// Decides when each peer is asked. The same seed and the same calls give the same verdicts.
    pub seed: u64,
    /// Lateness up to this is jitter and counts, in milliseconds (default 100); beyond it, all of it is a stall. A host
    /// that calls on a beat of its own, say once a second, states that: 1000.
    pub granularity_ms: u32,
    /// At most this many verdicts per [`advance`](Monitor::advance) (default 4096, at least 1).
    pub verdicts_per_turn: usize,
    /// When to take a silence of many for our own; `None` (default): never.
    pub mass_silence: Option<MassSilence>,
    /// The host tells what it sends, by [`spoke`](Monitor::spoke): then a peer to which nothing was sent for an interval
    /// is asked even while it talks, since it judges us as we judge it. Default false: only silent peers are asked.
    pub tells_sends: bool,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self { seed: 0, granularity_ms: 100, verdicts_per_turn: 4096, mass_silence: None, tells_sends: false }
    }
}

/// Watches many peers: tells whom to ask, who is suspect, who revived and who is dead.
///
/// A peer is a number of the host's choice, small and dense (a slot): memory is [`PEER_BYTES`](super::PEER_BYTES) per
/// number up to the largest in use. Calls about a number that was not added do nothing.
///
/// Time is monotonic and handed in: `heard` and `beat` rounded up, everything else rounded down (L4). A time before that
/// of an earlier `woke` or `advance` is taken for that one in all calls but `heard`, which trusts the host.
///
/// The order of a turn: [`promise`](Self::promise) (or [`wait_ms`](Self::wait_ms)), wait, [`woke`](Self::woke),
/// `heard` and `beat` for what came, then [`advance`](Self::advance).
#[derive(Clone, Debug)]
pub struct Monitor {
    pub(super) peers: Vec<Peer>,
    pub(super) wheel: Wheel,
    pub(super) time: Attention,
    pub(super) policies: Vec<Policy>,
    /// By policy: what stalls have granted to those who follow it.
    pub(super) granted: Vec<Granted>,
    /// A silence up to this that ends needs no second look.
    late_ms: u32,
    pub(super) seed: u64,
    verdicts_per_turn: usize,
    pub(super) tells_sends: bool,
    pub(super) len: u32,
    /// How many peers are suspect.
    pub(super) suspects: u32,
    pub(super) guard: Option<Guard>,
    /// Peers that revived, and the silences that ended.
    pub(super) revived: VecDeque<(u32, u32)>,
    /// A stall that was not reported yet.
    stalled_ms: u64,
    pub(super) advisor: Advisor,
    round_trips: Histogram,
    pub(super) counters: Counters,
}

impl Monitor {
    /// A monitor without peers, whose time begins at `now`.
    pub fn new(config: MonitorConfig, now: Millis) -> Self {
        let time = Attention::new(now, config.granularity_ms);
        Self {
            peers: Vec::new(),
            wheel: Wheel::new(time.tick()),
            time,
            policies: Vec::new(),
            granted: Vec::new(),
            late_ms: MAX_TIMEOUT_MS,
            seed: config.seed,
            verdicts_per_turn: config.verdicts_per_turn.max(1),
            tells_sends: config.tells_sends,
            len: 0,
            suspects: 0,
            guard: config.mass_silence.map(Guard::new),
            revived: VecDeque::new(),
            stalled_ms: 0,
            advisor: Advisor::new(),
            round_trips: Histogram::new(),
            counters: Counters::default(),
        }
    }

    /// Makes a policy known; the first gets index 0, the next 1. Identical policies get ids of their own.
    pub fn define(&mut self, policy: Policy) -> Result<PolicyId, PolicyError> {
        policy.check()?;
        let id = u8::try_from(self.policies.len()).map_err(|_| PolicyError::TooMany)?;
        debug_assert!(self.policies.len() < MAX_POLICIES);
        self.policies.push(policy);
        self.granted.push(Granted::default());
        self.look_twice_after_half_an_interval();
        Ok(PolicyId(id))
    }

    /// Changes a policy; the peers that follow it follow the new one from now on. Looks at every peer once.
    pub fn redefine(&mut self, id: PolicyId, policy: Policy, now: Millis) -> Result<(), PolicyError> {
        policy.check()?;
        if id.index() >= self.policies.len() {
            return Err(PolicyError::UnknownPolicy(id.index()));
        }
        self.woke_if_late(now);
        self.policies[id.index()] = policy;
        self.look_twice_after_half_an_interval();
        self.reconsider_followers(id);
        Ok(())
    }

    /// The policy `id` of this monitor.
    ///
    /// # Panics
    /// If `id` came from another monitor that knows more policies.
    pub fn policy(&self, id: PolicyId) -> &Policy {
        &self.policies[id.index()]
    }

    /// The id with this index, if that many policies are defined.
    pub fn policy_id(&self, index: usize) -> Option<PolicyId> {
        let known = index < self.policies.len();
        u8::try_from(index).ok().filter(|_| known).map(PolicyId)
    }

    /// The first id that was defined as exactly `policy`.
    pub fn find_policy(&self, policy: &Policy) -> Option<PolicyId> {
        self.policies.iter().position(|known| known == policy).and_then(|index| self.policy_id(index))
    }

    /// Starts to watch `peer`, heard `now`. The array grows to its number, which must be below [`MAX_PEERS`] and not in
    /// use (both asserted in debug builds; otherwise the first is ignored and the second begins anew).
    pub fn add(&mut self, peer: u32, policy: PolicyId, now: Millis) {
        debug_assert!(peer < MAX_PEERS, "peer {peer} is beyond {MAX_PEERS}");
        debug_assert!(!self.is_live(peer), "peer {peer} is watched already");
        if peer >= MAX_PEERS || policy.index() >= self.policies.len() {
            return;
        }
        self.woke_if_late(now);
        self.remove(peer);
        if self.peers.len() <= peer as usize {
            self.peers.resize(peer as usize + 1, Peer::VACANT);
        }
        self.peers[peer as usize] = Peer::new(policy.0, self.time.stamp(now));
        self.len += 1;
        self.file(peer);
    }

    /// Forgets `peer`, and with it any verdict about it that was not given out.
    pub fn remove(&mut self, peer: u32) {
        if self.is_live(peer) {
            self.wheel.unlink(&mut self.peers[..], peer);
            self.suspects -= u32::from(self.peers[peer as usize].is(Flag::Suspect));
            self.peers[peer as usize] = Peer::VACANT;
            self.len -= 1;
        }
    }

    /// `peer` follows another policy from now on. Its silence goes on.
    pub fn set_policy(&mut self, peer: u32, policy: PolicyId, now: Millis) {
        if self.is_live(peer) && policy.index() < self.policies.len() {
            self.woke_if_late(now);
            self.peers[peer as usize].policy = policy.0;
            self.reconsider(peer);
        }
    }

    /// A byte came from `peer`. Once per read, however many frames it brought.
    #[inline(always)]
    pub fn heard(&mut self, peer: u32, now: Millis) {
        if !self.heard_in_time(peer, now) {
            self.heard_late(peer, now);
        }
    }

    /// The same for nearly every byte. False, and nothing done, where it takes a second look: [`heard`](Self::heard).
    #[inline(always)]
    pub(crate) fn heard_in_time(&mut self, peer: u32, now: Millis) -> bool {
        let at = self.time.stamp(now);
        let Some(slot) = self.peers.get_mut(peer as usize) else { return true };
        // One unsigned compare finds a long silence and a `heard` that lies in the future (L3).
        let in_time = at.wrapping_sub(slot.heard) <= self.late_ms;
        if in_time {
            slot.heard = at;
        }
        in_time
    }

    /// A message is on its way to `peer` (answers that are owed count by themselves); counts where [`tells_sends`](MonitorConfig::tells_sends) is set.
    #[inline(always)]
    pub fn spoke(&mut self, peer: u32) {
        if let Some(slot) = self.peers.get_mut(peer as usize) {
            slot.set(Flag::Spoke);
        }
    }

    /// Takes back a Suspect verdict that the host has told nobody of: it found bytes of `peer` that it had not read.
    pub fn spare(&mut self, peer: u32, now: Millis) {
        if self.is_live(peer) {
            self.peers[peer as usize].set(Flag::Untold);
            self.heard(peer, now);
        }
    }

    /// The first whole frame came from `peer`: it may be asked from now on (L13).
    pub fn first_frame(&mut self, peer: u32, now: Millis) {
        if self.is_live(peer) && !self.peers[peer as usize].is(Flag::Framed) {
            self.woke_if_late(now);
            self.peers[peer as usize].set(Flag::Framed);
            self.draw_nearer(peer);
        }
    }

    /// What [`beat`](Self::beat) would take a beat of this kind for, now: `Either` is an answer while an ask is
    /// outstanding, otherwise an ask (L14). Never `Either`.
    #[inline]
    pub fn taken_for(&self, peer: u32, kind: Beat) -> Beat {
        self.peers.get(peer as usize).map_or(taken_for(&Peer::VACANT, kind), |slot| taken_for(slot, kind))
    }

    /// A beat came from `peer`; what do we owe for it? A beat is also [`heard`](Self::heard).
    #[inline]
    pub fn beat(&mut self, peer: u32, kind: Beat, now: Millis) -> Owed {
        self.heard(peer, now);
        self.take_beat(peer, kind, now).1
    }

    /// The same for a peer that was heard already; says what the beat was taken for.
    #[inline(always)]
    pub(crate) fn take_beat(&mut self, peer: u32, kind: Beat, now: Millis) -> (Beat, Owed) {
        let Some(slot) = self.peers.get_mut(peer as usize).filter(|slot| slot.is(Flag::Live)) else {
            return (taken_for(&Peer::VACANT, kind), Owed::Nothing);
        };
        if taken_for(slot, kind) == Beat::Answer {
            self.take_answer(peer, now);
            return (Beat::Answer, Owed::Nothing);
        }
        if !self.policies[slot.policy as usize].role.answers() {
            return (Beat::Ask, Owed::Nothing);
        }
        // It will hear the answer.
        slot.set(Flag::Spoke);
        self.counters.owed += 1;
        (Beat::Ask, Owed::Answer)
    }

    #[inline(never)]
    fn take_answer(&mut self, peer: u32, now: Millis) {
        let at = self.time.stamp(now);
        let slot = &mut self.peers[peer as usize];
        // L14: reduced only here. With several outstanding nobody knows which one this answers.
        match slot.outstanding {
            0 => self.counters.unasked_answers += 1,
            outstanding => {
                if outstanding == 1 && !slot.is(Flag::Untimed) {
                    let rtt_ms = since(at, slot.asked).max(0) as u32;
                    slot.set_rtt_ms(rtt_ms);
                    self.round_trips.record(rtt_ms);
                }
                slot.outstanding = outstanding - 1;
                self.counters.answers += 1;
            }
        }
    }

    /// `count` more asks to `peer` are without an answer: somebody else sent them on this connection before it came here
    /// (L14). Where asks and answers are the same bytes, an answer that nobody waits for would be answered, and that
    /// answer again, without end. At most 255 are known.
    pub fn expect_answers(&mut self, peer: u32, count: u32) {
        if self.is_live(peer) {
            let slot = &mut self.peers[peer as usize];
            slot.outstanding = slot.outstanding.saturating_add(u8::try_from(count).unwrap_or(u8::MAX));
            // When they were sent is not known: no round trip is measured from them.
            slot.set(Flag::Untimed);
        }
    }

    /// The ask of the last verdict was not sent: there will be no answer to it.
    #[cfg(feature = "net")]
    pub(crate) fn ask_failed(&mut self, peer: u32) {
        if let Some(slot) = self.peers.get_mut(peer as usize) {
            slot.outstanding = slot.outstanding.saturating_sub(1);
        }
    }

    /// The host has a limit of its own for `peer` (a frame begun, output queued, a first frame awaited) that it wants to
    /// look at when `at` comes. Costs a relink only if that is nearer than what the peer is filed for (L3).
    ///
    /// It comes back as [`VerdictKind::Limit`]: never later than a tick after `at`, a stall apart; maybe earlier, when
    /// the peer is looked at for another reason. A later `at` does not move an earlier one.
    pub fn limit(&mut self, peer: u32, at: Millis) {
        if self.is_live(peer) {
            self.peers[peer as usize].set(Flag::Limited);
            self.draw_to(peer, self.time.attended(at));
        }
    }

    /// The latest wake-up that does no harm: never later than the truth, in monotonic time. `None`: nothing is watched.
    /// Ask again after every call; `heard` and `beat` change it only when they revive a suspect or find a stall.
    pub fn deadline(&self) -> Option<Millis> {
        let clock = self.time.clock();
        if self.stalled_ms > 0 || !self.revived.is_empty() {
            return Some(clock);
        }
        let filed = self.wheel.next().map(|tick| tick.start());
        let hold = self.guard.as_ref().and_then(|guard| guard.hold_ends()).map(Millis);
        filed.into_iter().chain(hold).min().map(|at| self.time.clock_at(at).max(clock))
    }

    /// What the host promises before it waits: that it will call [`woke`](Self::woke) or [`advance`](Self::advance) by
    /// then. `None`: no promise, and no stall will be found. The past counts as now.
    pub fn promise(&mut self, at: Option<Millis>) {
        self.time.promise(at);
    }

    /// How long the host may wait, in milliseconds from `now`; `None`: for ever. Promises it.
    pub fn wait_ms(&mut self, now: Millis) -> Option<u32> {
        let deadline = self.deadline();
        self.promise(deadline);
        deadline.map(|at| u32::try_from(at.since(now)).unwrap_or(u32::MAX))
    }

    /// The wait is over. A stall is found here, before anything is heard, and reported by the next `advance` (L5).
    /// After a stall every peer is looked at once.
    #[inline]
    pub fn woke(&mut self, now: Millis) -> Option<Stall> {
        let stall = self.time.arrive(now, self.len > 0)?;
        self.stalled_ms += stall.ms;
        self.forgive_stall(stall.ms);
        Some(stall)
    }

    /// Appends what is due to `verdicts`, at most `verdicts_per_turn`, and looks at no more than four times as many peers
    /// (L8). True if more is due: call again, now or in the next turn. Calling it twice for one `now` changes nothing; calling it early neither.
    pub fn advance(&mut self, now: Millis, verdicts: &mut Vec<Verdict>) -> bool {
        self.advance_at_most(now, verdicts, self.verdicts_per_turn)
    }

    /// The same for at most so many verdicts.
    pub(crate) fn advance_at_most(&mut self, now: Millis, verdicts: &mut Vec<Verdict>, most: usize) -> bool {
        self.woke(now);
        self.let_go_of_hold();
        let full = verdicts.len().saturating_add(most);
        if self.stalled_ms > 0 && most != 0 {
            let silence_ms = u32::try_from(std::mem::take(&mut self.stalled_ms)).unwrap_or(u32::MAX);
            verdicts.push(Verdict { peer: Verdict::NOBODY, kind: VerdictKind::Stalled, silence_ms, overshoot_ms: 0 });
        }
        while verdicts.len() < full {
            let Some((peer, silence_ms)) = self.revived.pop_front() else { break };
            // The peer may have gone since, and another have its number.
            if self.peers[peer as usize].clear(Flag::Revived) {
                self.counters.revived += 1;
                verdicts.push(Verdict { peer, kind: VerdictKind::Revived, silence_ms, overshoot_ms: 0 });
            }
        }
        let to = self.time.tick();
        let mut visits = self.verdicts_per_turn.max(most).saturating_mul(VISITS_PER_VERDICT);
        while verdicts.len() < full && visits > 0 {
            let Some(peer) = self.wheel.take(&mut self.peers[..], to) else { break };
            visits -= 1;
            self.counters.visits += 1;
            verdicts.extend(self.visit(peer));
        }
        self.deadline().is_some_and(|at| at <= self.time.clock())
    }

    /// What is known of `peer`; `None` if it is not watched.
    pub fn state(&self, peer: u32) -> Option<PeerState> {
        let slot = self.peers.get(peer as usize).filter(|slot| slot.is(Flag::Live))?;
        Some(PeerState {
            silence_ms: since(self.time.now32(), slot.heard).max(0) as u32,
            rtt_ms: slot.rtt_ms(),
            unanswered: u32::from(slot.outstanding),
            suspect: slot.is(Flag::Suspect),
            dead: slot.is(Flag::Proposed),
            paused: slot.is(Flag::Paused),
            policy: PolicyId(slot.policy),
        })
    }

    /// Attended milliseconds since the last byte of `peer`; 0 while a grace lasts; `None` if it is not watched.
    pub fn silence_ms(&self, peer: u32, now: Millis) -> Option<u32> {
        let slot = self.peers.get(peer as usize).filter(|slot| slot.is(Flag::Live))?;
        Some(since(self.time.stamp(now), slot.heard).max(0) as u32)
    }

    /// The stalls so far.
    pub fn stalls(&self) -> Stalls {
        self.time.stalls()
    }

    /// Running totals.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The silences that ended (L15).
    pub fn advisor(&self) -> &Advisor {
        &self.advisor
    }

    /// The round trips that were measured, from ask to answer, in milliseconds.
    pub fn round_trips(&self) -> &Histogram {
        &self.round_trips
    }

    /// How many peers are watched.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether nobody is watched.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn is_live(&self, peer: u32) -> bool {
        self.peers.get(peer as usize).is_some_and(|slot| slot.is(Flag::Live))
    }

    /// A peer that is suspect has been silent for longer than any half interval, so its byte always gets the second look.
    fn look_twice_after_half_an_interval(&mut self) {
        let smallest = self.policies.iter().map(|policy| policy.interval_ms).filter(|ms| *ms > 0).min();
        self.late_ms = smallest.unwrap_or(MAX_TIMEOUT_MS) / 2;
    }
}

#[inline]
const fn taken_for(slot: &Peer, kind: Beat) -> Beat {
    match kind {
        Beat::Either if slot.outstanding > 0 => Beat::Answer,
        Beat::Either => Beat::Ask,
        known => known,
    }
}
