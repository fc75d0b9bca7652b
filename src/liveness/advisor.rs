//! Silences that ended, and what they say about a timeout (L15).

use std::fmt;

use super::histogram::Histogram;
use super::policy::Policy;

/// Below this many silences an advice would be a guess: 99.99 % of fewer than 10,000 is all of them.
const ENOUGH: u64 = 10_000;

/// The silences that ended, in milliseconds: a [`Histogram`] that gives advice.
///
/// A monitor records a silence once it has lasted for half of the smallest interval: shorter ones are traffic, and cost
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Advisor {
    silences: Histogram,
}

impl Advisor {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A silence of `ms` ended.
    pub fn record(&mut self, ms: u32) {
        self.silences.record(ms);
    }

    /// The silences that ended, in milliseconds.
    pub fn silences(&self) -> &Histogram {
        &self.silences
    }

    /// How many silences ended.
    pub fn count(&self) -> u64 {
        self.silences.count()
    }

    /// The longest of them, in milliseconds.
    pub fn longest_ms(&self) -> u32 {
        self.silences.largest()
    }

    /// The share `share` (0 to 1) of the silences was over by this many milliseconds, rounded up by at most 1/16; 0 if
    /// there were none.
    pub fn quantile(&self, share: f64) -> u32 {
        self.silences.quantile(share)
    }

    /// Adds what another thread's advisor saw.
    pub fn merge(&mut self, other: &Self) {
        self.silences.merge(&other.silences);
    }

    /// What the silences say about the timeout of `policy`.
    pub fn advice(&self, policy: &Policy) -> Advice {
        let silences = self.count();
        let (timeout_ms, usual_ms) = (policy.timeout_ms, self.quantile(0.9999));
        match () {
            () if silences < ENOUGH => Advice::TooFew { silences, longest_ms: self.longest_ms() },
            () if timeout_ms == 0 => Advice::NeverJudged { usual_ms },
            // One interval of room: an ask and its answer fit between the usual silence and the verdict.
            () if usual_ms.saturating_add(policy.interval_ms) > timeout_ms => Advice::Tight { usual_ms, timeout_ms },
            () if usual_ms < timeout_ms / 4 => Advice::Roomy { usual_ms, timeout_ms },
            () => Advice::Right { usual_ms, timeout_ms },
        }
    }
}

/// What to think of a timeout. `Display` says it in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Fewer than 10,000 silences have ended: too early to say.
    TooFew {
        /// How many.
        silences: u64,
        /// The longest, in milliseconds.
        longest_ms: u32,
    },
    /// There is no timeout.
    NeverJudged {
        /// 99.99 % of the silences were over by then, in milliseconds.
        usual_ms: u32,
    },
    /// Less than an interval lies between the usual silence and the timeout: the living come close to it.
    Tight {
        /// 99.99 % of the silences were over by then, in milliseconds.
        usual_ms: u32,
        /// The timeout, in milliseconds.
        timeout_ms: u32,
    },
    /// The timeout fits.
    Right {
        /// 99.99 % of the silences were over by then, in milliseconds.
        usual_ms: u32,
        /// The timeout, in milliseconds.
        timeout_ms: u32,
    },
    /// The timeout is more than four times the usual silence: the dead could be found sooner.
    Roomy {
        /// 99.99 % of the silences were over by then, in milliseconds.
        usual_ms: u32,
        /// The timeout, in milliseconds.
        timeout_ms: u32,
    },
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over_by = |f: &mut fmt::Formatter<'_>, ms| write!(f, "99.99 % of silences were over by {}", Seconds(ms));
        match *self {
            Self::TooFew { silences: 0, .. } => write!(f, "no silence has ended yet; too few for advice"),
            Self::TooFew { silences, longest_ms } => write!(
                f,
                "silences that ended: {silences}, the longest after {}; too few for advice",
                Seconds(longest_ms)
            ),
            Self::NeverJudged { usual_ms } => {
                over_by(f, usual_ms)?;
                write!(f, "; you have no timeout")
            }
            Self::Right { usual_ms, timeout_ms } => {
                over_by(f, usual_ms)?;
                write!(f, "; your timeout is {}", Seconds(timeout_ms))
            }
            Self::Tight { usual_ms, timeout_ms } => {
                over_by(f, usual_ms)?;
                write!(f, "; your timeout is {}: too short for safety", Seconds(timeout_ms))
            }
            Self::Roomy { usual_ms, timeout_ms } => {
                over_by(f, usual_ms)?;
                write!(f, "; your timeout is {}: it could be shorter", Seconds(timeout_ms))
            }
        }
    }
}

/// Milliseconds as people say them: `350 ms`, `8.2 s`, `21 s`.
struct Seconds(u32);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms @ ..1_000 => write!(f, "{ms} ms"),
            ms @ ..10_000 if (50..950).contains(&(ms % 1_000)) => write!(f, "{:.1} s", f64::from(ms) / 1_000.0),
            ms => write!(f, "{} s", (u64::from(ms) + 500) / 1_000),
        }
    }
}
