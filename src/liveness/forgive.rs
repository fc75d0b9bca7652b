//! What counts for nobody: late bytes, a stall, a pause, a grace, a hold, another policy.

use crate::time::Millis;

use super::monitor::Monitor;
use super::peer::{Flag, since};
use super::policy::{MAX_TIMEOUT_MS, PolicyId};

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

    /// The time of a call other than `woke` may be the first to show that we were away.
    pub(super) fn woke_if_late(&mut self, now: Millis) {
        if self.time.is_late(now) {
            self.woke(now);
        }
    }

    /// After a stall attended time stands where it was promised. What was heard since with the old reckoning lies in the
    /// future: cap it. Who is past the interval may have answered into the void: grant time and ask anew (L5).
    ///
    /// Time is granted once per timeout of a policy: under an overload that stalls every turn, stalls that came one upon
    /// another would otherwise put off every death for ever.
    pub(super) fn forgive_stall(&mut self, stall_ms: u64) {
        let now = self.time.now().0;
        let granting: Vec<bool> = (self.policies.iter().zip(&mut self.granted))
            .map(|(policy, granted)| {
                let due = granted.is_none_or(|at| now.saturating_sub(at) >= u64::from(policy.timeout_ms));
                if due {
                    *granted = Some(now);
                }
                due
            })
            .collect();
        for peer in 0..self.peers.len() as u32 {
            if !self.is_live(peer) {
                continue;
            }
            // A grace is filed for its end: until there the future is meant.
            let graced = self.peers[peer as usize].is(Flag::Grace);
            let latest = if graced { now.max(self.wheel.filed(&self.peers[..], peer).start().0) } else { now } as u32;
            let slot = &mut self.peers[peer as usize];
            if since(latest, slot.heard) < 0 {
                slot.heard = latest;
            }
            if granting[usize::from(slot.policy)] && !slot.is(Flag::Paused) {
                self.grant(peer, stall_ms.min(u64::from(MAX_TIMEOUT_MS)).cast_signed());
            }
            self.ask_anew(peer);
        }
    }

    /// Sees that `peer` has at least min(timeout − interval, what it has left + `lost_ms`) before it.
    fn grant(&mut self, peer: u32, lost_ms: i64) {
        let now = self.time.now32();
        let policy = *self.policy_of(peer);
        let slot = &mut self.peers[peer as usize];
        let (timeout_ms, interval_ms) = (i64::from(policy.timeout_ms), i64::from(policy.interval_ms));
        let left_ms = timeout_ms - since(now, slot.heard);
        let granted_ms = (timeout_ms - interval_ms).min(left_ms + lost_ms);
        if policy.judges() && granted_ms > left_ms {
            // At least an interval of silence remains, so the byte of a suspect still gets the second look.
            slot.heard = now.wrapping_sub((timeout_ms - granted_ms) as u32);
            slot.clear(Flag::Proposed);
        }
    }

    /// Lets `peer` be asked now if it is past its interval.
    fn ask_anew(&mut self, peer: u32) {
        let policy = self.policy_of(peer);
        let (asks, interval_ms) = (policy.role.asks(), i64::from(policy.interval_ms));
        let slot = &mut self.peers[peer as usize];
        if asks && !slot.is(Flag::Paused) && since(self.time.now32(), slot.heard) >= interval_ms {
            slot.set(Flag::Anew);
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
            if self.is_live(peer) && !self.peers[peer as usize].is(Flag::Paused) {
                self.forgive_hold(peer, held_ms.cast_signed());
            }
        }
    }

    fn forgive_hold(&mut self, peer: u32, held_ms: i64) {
        self.grant(peer, held_ms);
        let slot = &mut self.peers[peer as usize];
        // Who is still suspect has yet to be told.
        if slot.clear(Flag::Untold) && slot.clear(Flag::Suspect) {
            self.suspects -= 1;
        }
        self.ask_anew(peer);
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
        let silence_ms = since(self.time.now32(), slot.heard).max(0) as u32;
        if !policy.judges() || silence_ms < policy.timeout_ms {
            slot.clear(Flag::Proposed);
        }
        if !policy.judges() || silence_ms < policy.suspect_ms {
            self.absolve(peer, silence_ms);
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
