//! What was counted, by policy, beside the monitor's own counters.

use heartline::liveness::{Counters, Stalls};

use super::truth::Faults;

/// What happened to those who follow one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) peers: u64,
    pub(crate) connects: u64,
    /// Connects of somebody whose old connection was still there.
    pub(crate) replaced: u64,
    pub(crate) closes: u64,
    /// Reads that brought bytes, answers included.
    pub(crate) heards: u64,
    pub(crate) asks: u64,
    pub(crate) answers: u64,
    pub(crate) suspects: u64,
    pub(crate) revived: u64,
    pub(crate) dead: u64,
    /// Closed or replaced while suspect.
    pub(crate) gone_suspect: u64,
}

impl Tally {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.peers += other.peers;
        self.connects += other.connects;
        self.replaced += other.replaced;
        self.closes += other.closes;
        self.heards += other.heards;
        self.asks += other.asks;
        self.answers += other.answers;
        self.suspects += other.suspects;
        self.revived += other.revived;
        self.dead += other.dead;
        self.gone_suspect += other.gone_suspect;
    }
}

/// A month of one monitor, or of several together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) mobile: Tally,
    pub(crate) im: Tally,
    pub(crate) counters: Counters,
    pub(crate) stalls: Stalls,
    pub(crate) connected_at_end: u64,
    /// Of each monitor its own most; they are all there in the same evening minute.
    pub(crate) connected_at_most: u64,
    pub(crate) suspect_at_end: u64,
    pub(crate) turns: u64,
    pub(crate) faults: Faults,
    pub(crate) overshoot_max_ms: i64,
}

impl Outcome {
    pub(crate) fn all(&self) -> Tally {
        let mut all = self.mobile;
        all.merge(&self.im);
        all
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.mobile.merge(&other.mobile);
        self.im.merge(&other.im);
        self.counters.asks += other.counters.asks;
        self.counters.answers += other.counters.answers;
        self.counters.suspects += other.counters.suspects;
        self.counters.revived += other.counters.revived;
        self.counters.dead += other.counters.dead;
        self.counters.visits += other.counters.visits;
        self.counters.relinks += other.counters.relinks;
        self.stalls.count += other.stalls.count;
        self.stalls.ms += other.stalls.ms;
        self.stalls.longest_ms = self.stalls.longest_ms.max(other.stalls.longest_ms);
        self.connected_at_end += other.connected_at_end;
        self.connected_at_most += other.connected_at_most;
        self.suspect_at_end += other.suspect_at_end;
        self.turns += other.turns;
        self.faults.merge(&other.faults);
        self.overshoot_max_ms = self.overshoot_max_ms.max(other.overshoot_max_ms);
    }

    /// How many sums do not come out: what the program saw against what the monitor counted, and both in themselves.
    pub(crate) fn sums_off(&self) -> u64 {
        let (all, counters) = (self.all(), &self.counters);
        let sums = [
            (counters.asks, all.asks),
            (counters.answers + counters.unasked_answers, all.answers),
            (counters.suspects, all.suspects),
            (counters.revived, all.revived),
            (counters.dead, all.dead),
            // Every suspect revives, dies, goes, or is suspect yet.
            (all.suspects, all.revived + all.dead + all.gone_suspect + self.suspect_at_end),
            // Whoever came was closed, replaced or dead, or is there yet.
            (all.connects, all.closes + all.replaced + all.dead + self.connected_at_end),
            // Nothing but these was to happen.
            (counters.proposed_again + counters.held + counters.limits + counters.mass_silences, 0),
        ];
        // A verdict takes a visit, but for those that a byte brings about.
        let visited = counters.visits >= counters.asks + counters.suspects + counters.dead;
        sums.iter().filter(|(counted, seen)| counted != seen).count() as u64 + u64::from(!visited)
    }
}
