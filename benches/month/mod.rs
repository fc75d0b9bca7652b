//! Months in a minute: many peers under the monitor alone, in virtual time, with people behind them.
//!
//! | file | idea |
//! |---|---|
//! | `person` | how people live, and what is true of their connections |
//! | `calendar` | when each next does something |
//! | `host` | drives the monitor, carries out, asks the truth |
//! | `truth` | what must be, and what was wrong |
//! | `tally` | what was counted, and whether the sums come out |
//! | `table` | the same for people |

mod calendar;
mod host;
mod person;
pub(crate) mod table;
pub(crate) mod tally;
mod truth;

use std::thread;

use heartline::liveness::Monitor;

use self::host::Host;
use self::tally::Outcome;

/// What to live through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) peers: u32,
    pub(crate) days: u32,
    pub(crate) seed: u64,
    /// Monitors, each with its part of the peers and a thread of its own.
    pub(crate) threads: u32,
}

/// Lives through it. The monitors come back as they are at the end.
pub(crate) fn live(plan: &Plan) -> (Outcome, Vec<Monitor>) {
    let part = |index: u32| plan.peers / plan.threads + u32::from(index < plan.peers % plan.threads);
    let lives: Vec<_> = (0..plan.threads)
        .map(|index| {
            let (peers, seed, days) = (part(index), plan.seed.wrapping_add(index.into()), plan.days);
            thread::spawn(move || Host::new(peers, seed).run(days))
        })
        .collect();
    let mut outcome = Outcome::default();
    let mut monitors = Vec::new();
    for life in lives {
        let (part, monitor) = life.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        outcome.merge(&part);
        monitors.push(monitor);
    }
    (outcome, monitors)
}
