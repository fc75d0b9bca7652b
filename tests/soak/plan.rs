//! How long, how many, from which seed; and the times that the server is given.

use std::str::FromStr;
use std::time::Duration;

use crate::support_system::ms;

/// A policy as the config file says it. Clients beat each second, less often than neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) interval: Duration,
    pub(crate) suspect: Duration,
    pub(crate) timeout: Duration,
}

/// What SIGHUP changes between.
pub(crate) const SHORT: Times = Times { interval: ms(1000), suspect: ms(2000), timeout: ms(4000) };
pub(crate) const LONG: Times = Times { interval: ms(1500), suspect: ms(3000), timeout: ms(5500) };

pub(crate) const BEAT_EVERY: Duration = ms(1000);
pub(crate) const FIRST_FRAME: Duration = ms(3000);
pub(crate) const FRAME_LIMIT: Duration = ms(3000);
pub(crate) const OUTPUT_LIMIT: Duration = ms(4000);

/// What the server promises (L4), the turn on a busy machine included: by its own measure.
pub(crate) const LATE: Duration = ms(250);
/// The same as seen from here: from the verdict to the line that came, on two busy cores. What this process itself
/// comes late is measured and allowed for besides.
pub(crate) const SEEN_LATE: Duration = ms(1000);
/// By how much the server's anonymous memory may grow from the first quarter to the last, medians of each: less than
/// 20 bytes for each of some 50,000 ends in ten minutes.
pub(crate) const GROWTH_KIB: u64 = 1024;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) length: Duration,
    pub(crate) clients: usize,
    pub(crate) seed: u64,
    /// More flags for the server.
    pub(crate) serve: Vec<String>,
}

impl Plan {
    /// `SOAK_MINUTES`, or 15 s (and what it takes to find the last), or three minutes with `HEARTLINE_LONG=1`; `SOAK_CLIENTS`; `SOAK_SEED`; `SOAK_SERVE`.
    pub(crate) fn of_environment() -> Self {
        let long = std::env::var("HEARTLINE_LONG").is_ok_and(|value| value == "1");
        let length = match number::<f64>("SOAK_MINUTES") {
            Some(minutes) => Duration::from_secs_f64(minutes * 60.0),
            None if long => Duration::from_secs(180),
            None => Duration::from_secs(15),
        };
        let serve = std::env::var("SOAK_SERVE").unwrap_or_default();
        Self {
            length: length.clamp(Duration::from_secs(15), Duration::from_secs(24 * 3600)),
            clients: number("SOAK_CLIENTS").unwrap_or(2000).max(100),
            seed: number("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000)),
            serve: serve.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// From when on memory is compared: everything has happened once by then.
    pub(crate) fn warm_up(&self) -> Duration {
        (self.length / 4).min(Duration::from_secs(60))
    }
}

/// An empty value is none: that is how make passes what is not set.
#[track_caller]
fn number<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.trim().is_empty())?;
    Some(text.trim().parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}
