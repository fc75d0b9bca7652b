//! The highest rate that keeps its goals: doubled while they are met, halved while they are missed, then the middle
//! between the best and the worst, until these are within five percent.

use super::goal::Goals;
use super::report::measure;
use super::tally::Tally;

/// Closer than this is the same rate.
const WITHIN: f64 = 1.05;
/// No server answers that many on one machine.
const RATE_MAX: f64 = 50e6;
const RATE_MIN: f64 = 1.0;
/// Less than this part of what was due came back: the rate was not kept.
const KEPT: f64 = 0.98;

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    goals: Goals,
    /// The rate that is tried.
    pub(super) rate: f64,
    pub(super) steps: Vec<Step>,
    met: Option<f64>,
    missed: Option<f64>,
}

/// One rate, and how it came out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) rate: f64,
    pub(super) received: f64,
    pub(super) p99_ms: f64,
    pub(super) met: bool,
}

impl Search {
    pub(super) fn new(goals: Goals, rate: f64) -> Self {
        Self { goals, rate, steps: Vec::new(), met: None, missed: None }
    }

    /// The highest rate that met the goals.
    pub(super) fn best(&self) -> Option<f64> {
        self.met
    }

    /// Judges what was counted in `seconds` at this rate; the next rate to try, or none when it is found.
    pub(super) fn judge(&mut self, tally: &Tally, seconds: f64) -> Option<f64> {
        let received = tally.received as f64 / seconds;
        let goals_met = self.goals.judge(|name| measure(tally, seconds, name)).iter().all(|judged| judged.met);
        let met = goals_met && received >= self.rate * KEPT;
        let p99_ms = tally.latency_ns.value_at_quantile(0.99) as f64 / 1e6;
        self.steps.push(Step { rate: self.rate, received, p99_ms, met });
        if met {
            self.met = Some(self.rate);
        } else {
            self.missed = Some(self.rate);
        }
        let next = match (self.met, self.missed) {
            (Some(met), None) => met * 2.0,
            (None, Some(missed)) => missed / 2.0,
            (Some(met), Some(missed)) if missed / met > WITHIN => (met + missed) / 2.0,
            _ => return None,
        };
        if !(RATE_MIN..=RATE_MAX).contains(&next) {
            return None;
        }
        self.rate = next;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers in a millisecond up to `most` a second, and in ten beyond.
    fn search(from: f64, most: f64) -> Search {
        let mut search = Search::new("p99<5ms".parse().unwrap(), from);
        loop {
            let mut tally = Tally { received: search.rate as u64 * 2, ..Tally::default() };
            tally.latency(if search.rate <= most { 1_000_000 } else { 10_000_000 });
            if search.judge(&tally, 2.0).is_none() {
                return search;
            }
            assert!(search.steps.len() < 60, "it does not end");
        }
    }

    #[test]
    fn it_finds_the_highest_rate_from_below_and_from_above() {
        for from in [1000.0, 100_000.0] {
            let found = search(from, 7300.0).best().unwrap();
            assert!((7300.0 / WITHIN..=7300.0).contains(&found), "{found}");
        }
        assert_eq!(search(1000.0, 0.5).best(), None);
    }

    #[test]
    fn a_rate_that_was_not_kept_is_missed_however_fast_the_answers_were() {
        let mut search = Search::new("p99<5ms".parse().unwrap(), 1000.0);
        let mut tally = Tally { received: 900, ..Tally::default() };
        tally.latency(1_000_000);
        assert_eq!(search.judge(&tally, 1.0), Some(500.0));
    }
}
