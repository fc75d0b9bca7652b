//! What counts for nobody: late bytes, a stall, a pause, a grace, a hold, another policy.

use crate::time::Millis;

use super::monitor::Monitor;
use super::peer::{Flag, Peer, since};
use super::policy::{MAX_TIMEOUT_MS, Policy, PolicyId};

impl Monitor {
    /// A byte that ended a long silence, came while a grace lasts, or is for nobody.
    #[cold]
    #[inline(never)]
    pub(super) fn heard_late(&mut self, peer: u32, now: Millis) {
        if !self.is_live(peer) {
            return;
        }
        // A host that reads before it says that it woke: the stall must not look like this peer's silence (L5, L15).
        self.woke_if_late(now);
        let at = self.time.stamp(now);
        let slot = &mut self.peers[peer as usize];
        let gap_ms = since(at, slot.heard);
        if gap_ms < 0 {
            return;
        }
        slot.heard = at;
        slot.clear(Flag::Proposed);
        self.advisor.record(gap_ms as u32);
        self.absolve(peer, gap_ms as u32);
    }

    /// Grants `peer` time until `until`: no silence is counted before that, at most seven days from now.
    pub fn grace(&mut self, peer: u32, until: Millis) {
        if !self.is_live(peer) {
            return;
        }
        let until = self.time.attended(until).min(self.time.now() + u64::from(MAX_TIMEOUT_MS)).0 as u32;
        let now = self.time.now32();
        let slot = &mut self.peers[peer as usize];
        if since(until, slot.heard) > 0 {
            let silence_ms = since(now, slot.heard).max(0) as u32;
            slot.heard = until;
            slot.set(Flag::Grace);
            slot.clear(Flag::Proposed);
            self.absolve(peer, silence_ms);
            self.draw_nearer(peer);
        }
    }

    /// The host stops reading from `peer`, so its silence is the host's doing: it is neither asked nor judged (L10).
    pub fn pause(&mut self, peer: u32, now: Millis) {
        if self.is_live(peer) && !self.peers[peer as usize].is(Flag::Paused) {
            self.woke_if_late(now);
            let at = self.time.stamp(now);
            let slot = &mut self.peers[peer as usize];
            slot.set(Flag::Paused);
            slot.set(Flag::Untimed);
            slot.asked = at;
        }
    }

    /// The host reads again. The silence goes on from where the pause began; a peer past its interval is asked anew.
    pub fn resume(&mut self, peer: u32, now: Millis) {
        if !self.is_live(peer) || !self.peers[peer as usize].is(Flag::Paused) {
            return;
        }
        self.woke_if_late(now);
        let now = self.time.stamp(now);
        let slot = &mut self.peers[peer as usize];
        slot.clear(Flag::Paused);
        let silent_before_ms = since(slot.asked, slot.heard).max(0);
        if since(now, slot.heard) > 0 {
            slot.heard = now.wrapping_sub(silent_before_ms as u32);
        }
        slot.asked = slot.heard;
        self.ask_anew(peer);
        self.draw_nearer(peer);
    }

    /// The time of a call other than `woke` may be the first to show that we were away. Says whether it is.
    pub(super) fn woke_if_late(&mut self, now: Millis) -> bool {
        self.time.is_late(now) && self.woke(now).is_some()
    }

    /// The same for a host that begins something now: where nothing was promised, since nobody was watched, it is not
    /// late, but a promise of what it begins shall not be made for the past.
    #[cfg(feature = "net")]
    pub(crate) fn begins_at(&mut self, now: Millis) -> bool {
        (!self.time.has_promised() || self.time.is_late(now)) && self.woke(now).is_some()
    }

    /// After a stall attended time stands where it was promised. What was stamped since with the old reckoning lies in
    /// the future: cap it. Who is past the interval may have answered into the void: grant time and ask anew (L5).
    ///
    /// All stalls together grant a policy's peers no more than timeout − interval, until a timeout has passed in which
    /// they granted nothing. So under an overload that stalls every turn the dead are still found, within 2 × timeout −
    /// interval of attended time: whoever is silent that long has had the grants between two such pauses at most. And
    /// a short stall, or one that nobody needed anything for, leaves the long one after it nearly all.
    ///
    /// Nor is anybody asked anew twice within an interval of the clock: an overload that stalls every turn would ask all
    /// the silent in every turn.
    ///
    /// One pass in the order of memory; only who comes due sooner than it is filed costs more than its own slot.
    #[cold]
    #[inline(never)]
    pub(super) fn forgive_stall(&mut self, stall_ms: u64) {
        let (now, clock) = (self.time.now(), self.time.clock());
        let mut pardons: Vec<Pardon> = (self.policies.iter().zip(&mut self.granted))
            .map(|(policy, granted)| {
                let pardon = Pardon::new(policy, stall_ms.min(granted.left_ms(policy, now)));
                Pardon { asks: pardon.asks && granted.may_ask_anew(policy, clock), ..pardon }
            })
            .collect();
        let now = now.0 as u32;
        for peer in 0..self.peers.len() {
            let slot = &mut self.peers[peer];
            if !slot.is(Flag::Live) {
                continue;
            }
            let pardon = &mut pardons[usize::from(slot.policy)];
            let capped = cap(slot, now);
            let reprieved = pardon.grant(slot, now);
            if pardon.ask_anew(slot, now) || capped || reprieved {
                self.draw_nearer(peer as u32);
            }
        }
        for (granted, pardon) in self.granted.iter_mut().zip(pardons) {
            granted.add(pardon.granted_ms, self.time.now());
            if pardon.asked_anew {
                granted.asked_anew = Some(clock);
            }
        }
    }

    /// Lets `peer` be asked now if it is past its interval.
    fn ask_anew(&mut self, peer: u32) {
        let mut pardon = Pardon::new(self.policy_of(peer), 0);
        if pardon.ask_anew(&mut self.peers[peer as usize], self.time.now32()) {
            self.draw_nearer(peer);
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.holds())
    }

    /// How long deaths are held back yet, in milliseconds.
    pub(super) fn hold_left_ms(&self) -> Option<i64> {
        let ends = self.guard.as_ref()?.hold_ends()?;
        Some(ends.saturating_sub(self.time.now().0).cast_signed())
    }

    /// Ends the hold of a mass silence when it is time, and treats it like a stall: everybody has at least
    /// min(timeout − interval, what was left + the hold) before them, and who is past the interval is asked anew.
    pub(super) fn let_go_of_hold(&mut self) {
        let longest_timeout_ms = self.policies.iter().map(|policy| policy.timeout_ms).max().unwrap_or(0);
        let (now, silent, of) = (self.time.now().0, self.suspects, self.len);
        let Some(guard) = &mut self.guard else { return };
        let Some(held_ms) = guard.let_go(now, silent, of, longest_timeout_ms) else { return };
        for peer in 0..self.peers.len() as u32 {
            if self.is_live(peer) {
                self.forgive_hold(peer, held_ms);
            }
        }
    }

    fn forgive_hold(&mut self, peer: u32, held_ms: u64) {
        let now = self.time.now32();
        let mut pardon = Pardon::new(self.policy_of(peer), held_ms);
        let slot = &mut self.peers[peer as usize];
        pardon.grant(slot, now);
        // Who is still suspect has yet to be told.
        if slot.clear(Flag::Untold) && slot.clear(Flag::Suspect) {
            self.suspects -= 1;
        }
        pardon.ask_anew(slot, now);
        self.draw_nearer(peer);
    }

    /// Looks again at everybody who follows `id`.
    pub(super) fn reconsider_followers(&mut self, id: PolicyId) {
        for peer in 0..self.peers.len() as u32 {
            if self.is_live(peer) && self.peers[peer as usize].policy == id.0 {
                self.reconsider(peer);
            }
        }
    }

    /// Judges `peer` by the policy that it follows now.
    pub(super) fn reconsider(&mut self, peer: u32) {
        let policy = *self.policy_of(peer);
        let slot = &mut self.peers[peer as usize];
        let silence_ms = slot.silence_ms(self.time.now32()).max(0) as u32;
        if !policy.judges() || silence_ms < policy.timeout_ms {
            slot.clear(Flag::Proposed);
        }
        if !policy.judges() || silence_ms < policy.suspect_ms {
            self.absolve(peer, silence_ms);
        }
        // Whom the old policy would have asked anew, and nobody has yet.
        if silence_ms < policy.interval_ms {
            self.peers[peer as usize].clear(Flag::Anew);
        }
        self.draw_nearer(peer);
    }

    /// A suspect is none any more; those who were told of it are told of this too.
    fn absolve(&mut self, peer: u32, silence_ms: u32) {
        let slot = &mut self.peers[peer as usize];
        if !slot.clear(Flag::Suspect) {
            return;
        }
        self.suspects -= 1;
        if !slot.clear(Flag::Untold) && !slot.is(Flag::Revived) {
            slot.set(Flag::Revived);
            self.revived.push_back((peer, silence_ms));
        }
        // It was filed for its death; the next thing, an ask or being suspect again, may be nearer.
        self.draw_nearer(peer);
    }
}

/// What stalls have granted to the peers of one policy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Granted {
    /// When they last did, in attended time.
    last: Millis,
    /// How much, since a timeout passed in which they granted nothing.
    ms: u64,
    /// When peers were last asked anew for one, in monotonic time.
    asked_anew: Option<Millis>,
}

impl Granted {
    /// How much may yet be granted.
    fn left_ms(&mut self, policy: &Policy, now: Millis) -> u64 {
        if now.since(self.last) >= u64::from(policy.timeout_ms) {
            self.ms = 0;
        }
        u64::from(policy.timeout_ms.saturating_sub(policy.interval_ms)).saturating_sub(self.ms)
    }

    fn add(&mut self, ms: i64, now: Millis) {
        if ms > 0 {
            (self.last, self.ms) = (now, self.ms + ms.cast_unsigned());
        }
    }

    fn may_ask_anew(&self, policy: &Policy, clock: Millis) -> bool {
        self.asked_anew.is_none_or(|at| clock.since(at) >= u64::from(policy.interval_ms))
    }
}

/// What time that counts for nobody does to each peer of one policy.
struct Pardon {
    judges: bool,
    asks: bool,
    timeout_ms: i64,
    interval_ms: i64,
    /// How much was lost.
    lost_ms: i64,
    /// The most that a peer was granted of it.
    granted_ms: i64,
    /// Somebody is asked anew.
    asked_anew: bool,
}

impl Pardon {
    fn new(policy: &Policy, lost_ms: u64) -> Self {
        Self {
            judges: policy.judges(),
            asks: policy.role.asks(),
            timeout_ms: policy.timeout_ms.into(),
            interval_ms: policy.interval_ms.into(),
            lost_ms: lost_ms.min(MAX_TIMEOUT_MS.into()).cast_signed(),
            granted_ms: 0,
            asked_anew: false,
        }
    }

    /// Sees that the peer has at least min(timeout − interval, what it has left + what was lost) before it; of a paused
    /// one, from when it is resumed. True if its death had been proposed: it is filed for the next proposal, which may
    /// be later than the death that is due now.
    ///
    /// At least an interval of silence remains, so the byte of a suspect still gets the second look: `late_ms` is half
    /// of the smallest interval.
    fn grant(&mut self, slot: &mut Peer, now: u32) -> bool {
        let left_ms = self.timeout_ms - slot.silence_ms(now);
        let most_ms = self.timeout_ms - self.interval_ms;
        if !self.judges || self.lost_ms == 0 || left_ms >= most_ms {
            return false;
        }
        // Who is overdue has nothing left, not less.
        let had_ms = left_ms.max(0);
        let has_ms = most_ms.min(had_ms + self.lost_ms);
        self.granted_ms = self.granted_ms.max(has_ms - had_ms);
        slot.heard = slot.heard.wrapping_add((has_ms - left_ms) as u32);
        slot.clear(Flag::Proposed)
    }

    /// Lets the peer be asked now if it is past its interval; says whether.
    fn ask_anew(&mut self, slot: &mut Peer, now: u32) -> bool {
        let anew = self.asks && !slot.is(Flag::Paused) && since(now, slot.heard) >= self.interval_ms;
        if anew {
            slot.set(Flag::Anew);
            self.asked_anew = true;
        }
        anew
    }
}

/// Nothing has happened after `now`; says whether something pretended to. A peer that was added or looked at with such a
/// time is filed too late.
///
/// While a grace lasts `heard` lies in the future by the host's wish, and nobody remembers its end beside it: it stays,
/// though a byte that was read in the late turn may have moved it further.
fn cap(slot: &mut Peer, now: u32) -> bool {
    let heard = since(now, slot.heard) < 0 && !slot.is(Flag::Grace);
    if heard {
        slot.heard = now;
    }
    let asked = since(now, slot.asked) < 0;
    if asked {
        slot.asked = now;
    }
    heard || asked
}
