//! The rates of a search, tried one after the other while the load goes on.

use std::sync::atomic::Ordering;

use super::director::Director;
use super::search::Search;
use super::shared::NEVER;
use super::tally::Tally;
use super::worker::{MS, TICK_NS};

/// The rate that a search tries now.
pub(super) struct Trial {
    pub(super) search: Search,
    pub(super) epoch: u64,
    pub(super) tally: Tally,
    /// What comes before this does not count: the rate is settling.
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
}

impl Director {
    /// Looks whether a rate has been tried for long enough.
    pub(super) fn try_rates(&mut self, now: u64) {
        let Some(trial) = &mut self.trial else { return };
        // The last tick of a step is still on its way when the step ends.
        if now < trial.until_ns + TICK_NS / 2 || self.shared.end_ns.load(Ordering::Relaxed) != NEVER {
            return;
        }
        let tally = std::mem::take(&mut trial.tally);
        let ticks = (now - trial.from_ns) / TICK_NS;
        let seconds = (ticks.saturating_sub(1).max(1) * TICK_NS) as f64 / 1e9;
        let next = trial.search.judge(&tally, seconds);
        if let Some(step) = trial.search.steps.last() {
            let how = if step.met { "keeps" } else { "does not keep" };
            self.screen.say(&format!(
                "{:.0} a second {how} the goals: {:.0} came back, p99 {:.3} ms",
                step.rate, step.received, step.p99_ms
            ));
        }
        match next {
            Some(rate) => self.next_rate(rate, now),
            None => {
                self.shared.end_ns.fetch_min(now, Ordering::Release);
            }
        }
    }

    pub(super) fn next_rate(&mut self, rate: f64, now: u64) {
        let Some(trial) = &mut self.trial else { return };
        let step_ns = u64::from(self.plan.search_step_ms) * MS;
        trial.epoch += 1;
        (trial.from_ns, trial.until_ns) = (now + step_ns / 4, now + step_ns);
        self.shared.rate_milli.store((rate * 1000.0) as u64, Ordering::Release);
        self.shared.epoch.store(trial.epoch, Ordering::Release);
    }
}
