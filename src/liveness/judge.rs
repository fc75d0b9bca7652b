//! One peer, one visit: what is due, and when to come again.

use crate::time::{Millis, TICK_MS, Tick};

use super::monitor::Monitor;
use super::peer::{Flag, Peer, since};
use super::policy::Policy;
use super::verdict::{Verdict, VerdictKind};
use super::wheel;

/// A silence that has lasted this long (14 days) is not measured further: its age must fit 31 bits between two visits.
const MAX_AGE_MS: i64 = 14 * 24 * 3_600_000;
/// Nothing to wait for: the wheel brings the peer up after its range all the same.
const FAR_MS: i64 = (wheel::RANGE * TICK_MS) as i64;

/// The next thing that becomes due for a peer.
#[derive(Clone, Copy)]
struct Next {
    /// In how many milliseconds; past if negative.
    in_ms: i64,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Nothing,
    Ask,
    Suspect,
    Dead,
}

impl Next {
    fn sooner(self, other: Self) -> Self {
        if other.in_ms < self.in_ms { other } else { self }
    }
}

impl Monitor {
    /// Files `peer`, which is not filed, for the next thing.
    pub(super) fn file(&mut self, peer: u32) {
        let at = self.look_again(peer, self.next(peer));
        self.file_in(peer, at);
    }

    /// In how many milliseconds to look at `peer` again: when the next thing is due, and twice an interval at one that we
    /// ask, to see whether we have kept silent ourselves.
    fn look_again(&self, peer: u32, next: Next) -> i64 {
        let half_ms = i64::from(self.policy_of(peer).interval_ms / 2);
        if self.looks_at(peer) { next.in_ms.min(half_ms) } else { next.in_ms }
    }

    /// Whether our own silence towards `peer` matters: we ask it, and know what we send.
    fn looks_at(&self, peer: u32) -> bool {
        self.tells_sends && self.policy_of(peer).role.asks()
    }

    /// Whether `peer`, which is not silent, would hear nothing from us for longer than an interval: it was sent nothing
    /// since the last look, and has not just been asked. It judges us as we judge it (L2).
    fn is_quiet_towards(&mut self, peer: u32) -> bool {
        let policy = *self.policy_of(peer);
        let slot = &mut self.peers[peer as usize];
        let waits = policy.after_first_frame && !slot.is(Flag::Framed);
        if waits || slot.is(Flag::Paused) || slot.is(Flag::Proposed) {
            return false;
        }
        if slot.clear(Flag::Spoke) {
            slot.set(Flag::Said);
            return false;
        }
        let asked_ms = since(self.time.now32(), slot.asked);
        let slot = &self.peers[peer as usize];
        slot.is(Flag::Said) || asked_ms >= self.spread(peer, slot, &policy, policy.interval_ms)
    }

    /// Relinks `peer` if the next thing is nearer than what it is filed for (L3).
    pub(super) fn draw_nearer(&mut self, peer: u32) {
        let in_ms = self.next(peer).in_ms.max(0);
        self.draw_to(peer, self.time.now() + in_ms.cast_unsigned());
    }

    /// Relinks `peer` if attended time `at` is nearer than what it is filed for.
    pub(super) fn draw_to(&mut self, peer: u32, at: Millis) {
        let tick = if at <= self.time.now() { self.time.tick() } else { Tick::ceil(at) };
        if tick < self.wheel.filed(&self.peers[..], peer) {
            self.counters.relinks += 1;
            self.wheel.unlink(&mut self.peers[..], peer);
            self.wheel.file(&mut self.peers[..], peer, tick);
        }
    }

    /// Looks at `peer`, which the wheel brought up, and files it again. At most one verdict: with more due, the peer is
    /// filed for now and comes up again.
    pub(super) fn visit(&mut self, peer: u32) -> Option<Verdict> {
        let filed = self.wheel.filed(&self.peers[..], peer);
        let now = self.time.now32();
        let slot = &mut self.peers[peer as usize];
        keep_within_age(&mut slot.heard, now);
        keep_within_age(&mut slot.asked, now);
        let silence_ms = since(now, slot.heard);
        if silence_ms >= 0 {
            slot.clear(Flag::Grace);
        }
        if slot.is(Flag::Limited) && filed > self.time.tick() {
            // A slot of a higher level begins; nothing that it was filed for has come.
            self.wheel.file(&mut self.peers[..], peer, filed);
            return None;
        }
        // A host that sets a limit anew whenever it is told of one must not keep a death from being told.
        let gives_way = slot.clear(Flag::LimitTold) && slot.is(Flag::Limited) && self.next(peer).in_ms <= 0;
        let slot = &mut self.peers[peer as usize];
        if !gives_way && slot.clear(Flag::Limited) {
            slot.set(Flag::LimitTold);
            self.counters.limits += 1;
            self.file(peer);
            return Some(verdict(peer, VerdictKind::Limit, silence_ms, 0));
        }
        let mut next = self.next(peer);
        if next.in_ms > 0 && filed <= self.time.tick() && self.looks_at(peer) && self.is_quiet_towards(peer) {
            next = Next { in_ms: 0, what: What::Ask };
        }
        if next.in_ms > 0 {
            let mut in_ms = self.look_again(peer, next);
            if filed > self.time.tick() {
                // A slot of a higher level begins: the look that it was filed for is still to come.
                in_ms = in_ms.min(filed.start().since(self.time.now()).cast_signed().max(1));
            }
            self.file_in(peer, if self.looks_at(peer) { in_ms } else { next.in_ms });
            return None;
        }
        let verdict = self.come_true(peer, next, silence_ms);
        if gives_way {
            self.file_in(peer, 0);
        } else {
            self.file(peer);
        }
        verdict
    }

    /// The next thing is due: remember it and say so.
    fn come_true(&mut self, peer: u32, next: Next, silence_ms: i64) -> Option<Verdict> {
        let now = self.time.now();
        let slot = &mut self.peers[peer as usize];
        let kind = match next.what {
            What::Nothing => return None,
            What::Ask => {
                slot.clear(Flag::Fresh);
                slot.clear(Flag::Anew);
                slot.clear(Flag::Untimed);
                slot.clear(Flag::Said);
                slot.clear(Flag::Spoke);
                slot.asked = now.0 as u32;
                slot.outstanding = slot.outstanding.saturating_add(1);
                self.counters.asks += 1;
                VerdictKind::Ask
            }
            What::Suspect => {
                slot.set(Flag::Suspect);
                self.suspects += 1;
                self.suspect_or_held(peer, now)?
            }
            What::Dead => {
                let again = slot.is(Flag::Proposed);
                slot.set(Flag::Proposed);
                slot.set(Flag::Untimed);
                slot.asked = now.0 as u32;
                self.counters.dead += u64::from(!again);
                self.counters.proposed_again += u64::from(again);
                VerdictKind::Dead
            }
        };
        let overshoot_ms = match next.what {
            What::Dead => silence_ms - i64::from(self.policy_of(peer).timeout_ms),
            _ => -next.in_ms,
        };
        match kind {
            VerdictKind::MassSilence { .. } => Some(verdict(Verdict::NOBODY, kind, 0, 0)),
            _ => Some(verdict(peer, kind, silence_ms, overshoot_ms)),
        }
    }

    /// A peer has become suspect: told, or kept back by mass silence, or the one that begins it.
    fn suspect_or_held(&mut self, peer: u32, now: Millis) -> Option<VerdictKind> {
        let begins = self.guard.as_mut().is_some_and(|guard| guard.suspect(now.0, self.len));
        if self.holds() {
            self.peers[peer as usize].set(Flag::Untold);
            self.counters.held += 1;
            self.counters.mass_silences += u64::from(begins);
            return begins.then_some(VerdictKind::MassSilence { silent: self.suspects, of: self.len });
        }
        self.counters.suspects += 1;
        Some(VerdictKind::Suspect)
    }

    /// What becomes due next for `peer`.
    fn next(&self, peer: u32) -> Next {
        let slot = &self.peers[peer as usize];
        let nothing = Next { in_ms: FAR_MS, what: What::Nothing };
        if slot.is(Flag::Paused) {
            return nothing;
        }
        let now = self.time.now32();
        let silence_ms = since(now, slot.heard);
        // A grace is looked at when it ends, so that the flag goes with it.
        let grace = if slot.is(Flag::Grace) { Next { in_ms: -silence_ms, what: What::Nothing } } else { nothing };
        let policy = &self.policies[slot.policy as usize];
        nothing.sooner(grace).sooner(self.next_judgement(slot, policy)).sooner(self.next_ask(peer, slot, policy))
    }

    fn next_judgement(&self, slot: &Peer, policy: &Policy) -> Next {
        let now = self.time.now32();
        let silence_ms = since(now, slot.heard);
        if !policy.judges() {
            return Next { in_ms: FAR_MS, what: What::Nothing };
        }
        if !slot.is(Flag::Suspect) {
            return Next { in_ms: i64::from(policy.suspect_ms) - silence_ms, what: What::Suspect };
        }
        let dead_ms = if slot.is(Flag::Proposed) {
            i64::from(policy.interval_ms) - since(now, slot.asked)
        } else {
            i64::from(policy.timeout_ms) - silence_ms
        };
        let held_ms = self.hold_left_ms();
        Next { in_ms: dead_ms.max(held_ms.unwrap_or(dead_ms)), what: What::Dead }
    }

    fn next_ask(&self, peer: u32, slot: &Peer, policy: &Policy) -> Next {
        let waits = policy.after_first_frame && !slot.is(Flag::Framed);
        if !policy.role.asks() || waits || slot.is(Flag::Proposed) {
            return Next { in_ms: FAR_MS, what: What::Nothing };
        }
        let now = self.time.now32();
        let (silence_ms, asked_ms) = (since(now, slot.heard), since(now, slot.asked));
        let ask = |in_ms| Next { in_ms, what: What::Ask };
        if slot.is(Flag::Anew) && silence_ms >= i64::from(policy.interval_ms) {
            return ask(0);
        }
        let silent = ask(self.spread(peer, slot, policy, policy.interval_ms) - silence_ms.min(asked_ms));
        if policy.rtt_every_ms == 0 {
            return silent;
        }
        if slot.outstanding > 0 {
            // No round trip can be measured while an answer is missing; look again each period.
            let every_ms = i64::from(policy.rtt_every_ms);
            return silent.sooner(Next { in_ms: every_ms - asked_ms.max(0) % every_ms, what: What::Nothing });
        }
        silent.sooner(ask(self.spread(peer, slot, policy, policy.rtt_every_ms) - asked_ms))
    }

    /// How long after the last sign an ask goes out: `every_ms` less a random part, the same until the ask has gone (L7).
    fn spread(&self, peer: u32, slot: &Peer, policy: &Policy, every_ms: u32) -> i64 {
        let earlier_percent = match policy.jitter_percent {
            0 => 0,
            _ if slot.is(Flag::Fresh) => 50,
            percent => u32::from(percent),
        };
        // One tick before the interval, since filing rounds up by as much: never later than agreed.
        let latest = every_ms.saturating_sub(TICK_MS as u32);
        let earliest = latest.min(every_ms - (u64::from(every_ms) * u64::from(earlier_percent) / 100) as u32);
        let dice = mix(self.seed ^ mix(u64::from(peer) << 32 | u64::from(slot.asked)));
        i64::from(earliest) + (dice % u64::from(latest - earliest + 1)).cast_signed()
    }

    fn file_in(&mut self, peer: u32, in_ms: i64) {
        let tick = match u64::try_from(in_ms) {
            Ok(ahead @ 1..) => Tick::ceil(self.time.now() + ahead),
            _ => self.time.tick(),
        };
        self.wheel.file(&mut self.peers[..], peer, tick);
    }

    pub(super) fn policy_of(&self, peer: u32) -> &Policy {
        &self.policies[self.peers[peer as usize].policy as usize]
    }
}

fn keep_within_age(then: &mut u32, now: u32) {
    if since(now, *then) > MAX_AGE_MS {
        *then = now.wrapping_sub(MAX_AGE_MS as u32);
    }
}

fn verdict(peer: u32, kind: VerdictKind, silence_ms: i64, overshoot_ms: i64) -> Verdict {
    debug_assert!(overshoot_ms >= 0, "{kind:?} of {peer} comes {overshoot_ms} ms after its time");
    Verdict { peer, kind, silence_ms: silence_ms.max(0) as u32, overshoot_ms: overshoot_ms.max(0) as u32 }
}

/// The finisher of splitmix64: every bit of the input changes half of the output.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
