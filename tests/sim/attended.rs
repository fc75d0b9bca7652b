//! Attended time as an onlooker can know it, without asking the reactor (L5).
//!
//! The onlooker sees when a process asked to be woken, and when it was. The monitor measures lateness from *its* next
//! deadline D, and a process may ask to be woken at W ≤ D, for something else. So there are two sums:
//!
//! * `most`: lateness from W. D ≥ W, so no stall that the monitor finds is longer, and attended time is at least
//!   clock − most.
//! * `least`: the same, but only where W is known to be D: nothing else was due, and no work waited. The monitor finds
//!   these to the millisecond, so attended time is at most clock − least.
//!
//! Lateness up to the granularity is jitter and counts as attended in both.

use super::wire::MS;

/// Lateness up to this is jitter.
pub const GRANULARITY_MS: u64 = 100;

#[derive(Clone, Copy, Debug)]
struct Stall {
    from_ns: u64,
    to_ns: u64,
    /// From when on it surely was one.
    surely_from_ns: Option<u64>,
}

#[derive(Debug, Default)]
pub struct Attended {
    stalls: Vec<Stall>,
    /// When the process said that it would be back; and the monitor's own deadline, where that is known.
    promised: Option<(u64, Option<u64>)>,
    /// When its clock was last seen.
    seen_ns: u64,
}

impl Attended {
    pub fn promise(&mut self, at_ns: Option<u64>, surely_ns: Option<u64>) {
        self.promised = at_ns.map(|at| (at.max(self.seen_ns), surely_ns.map(|at| at.max(self.seen_ns))));
    }

    /// The process runs, and its clock shows this.
    pub fn runs(&mut self, clock_ns: u64) {
        let (from_ns, surely_ns) = self.promised.take().unwrap_or((self.seen_ns, None));
        let late = |from_ns: u64| (clock_ns / MS).saturating_sub(from_ns / MS) > GRANULARITY_MS;
        if late(from_ns) {
            let surely_from_ns = surely_ns.filter(|from_ns| late(*from_ns));
            self.stalls.push(Stall { from_ns, to_ns: clock_ns, surely_from_ns });
        }
        self.seen_ns = self.seen_ns.max(clock_ns);
    }

    /// No more than this of a span was a stall.
    pub fn most_away_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        let recent = self.stalls.iter().rev().take_while(|stall| stall.to_ns > from_ns);
        recent.map(|stall| stall.to_ns.min(to_ns).saturating_sub(stall.from_ns.max(from_ns))).sum()
    }

    /// No less than this of a span was a stall.
    pub fn least_away_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        let recent = self.stalls.iter().rev().take_while(|stall| stall.to_ns > from_ns);
        recent
            // The reactor reads its clock rounded down.
            .filter_map(|stall| Some((stall.surely_from_ns?, stall.to_ns / MS * MS)))
            .map(|(stall_from_ns, stall_to_ns)| stall_to_ns.min(to_ns).saturating_sub(stall_from_ns.max(from_ns)))
            .sum()
    }

    /// The last stall that surely was one: from when to when; if nothing can have been one for so long before it.
    pub fn last_alone(&self, alone_ns: u64) -> Option<(u64, u64)> {
        let (last, before) = self.stalls.split_last()?;
        let alone = before.last().is_none_or(|before| before.to_ns + alone_ns < last.from_ns);
        last.surely_from_ns.filter(|_| alone).map(|from_ns| (from_ns, last.to_ns))
    }
}
