//! What counts for nobody: when the server was stopped, what it told of stalls, when we ourselves came late, and which
//! times held when.

use std::time::{Duration, Instant};

use super::plan::{SHORT, Times};
use crate::support_system::ms;

/// From the end of a stall to its line here, and from our own lateness to our noting it.
const REACH: Duration = ms(500);
/// The same after a stop, when all that came meanwhile is read first.
const UNTIL_TOLD: Duration = ms(1500);

/// From when until when.
pub(crate) type Span = (Instant, Instant);

#[derive(Debug)]
pub(crate) struct Clock {
    /// When the server was stopped, by SIGSTOP; the last one may last.
    stops: Vec<(Instant, Option<Instant>)>,
    /// When a stall was told, and how long it was.
    stalls: Vec<(Instant, Duration)>,
    /// When we came late, and by how much.
    late: Vec<(Instant, Duration)>,
    /// Times, since when they may hold, and until when they may have held.
    times: Vec<(Times, Instant, Option<Instant>)>,
}

impl Clock {
    pub(crate) fn new(times: Times) -> Self {
        Self { stops: Vec::new(), stalls: Vec::new(), late: Vec::new(), times: vec![(times, Instant::now(), None)] }
    }

    /// `at` is a moment before the server was stopped.
    pub(crate) fn stopped(&mut self, at: Instant) {
        self.stops.push((at, None));
    }

    /// `at` is a moment after it was woken.
    pub(crate) fn woken(&mut self, at: Instant) {
        if let Some((_, end)) = self.stops.last_mut() {
            *end = Some(at);
        }
    }

    pub(crate) fn stalled(&mut self, at: Instant, length: Duration) {
        self.stalls.push((at, length));
    }

    pub(crate) fn late(&mut self, at: Instant, by: Duration) {
        self.late.push((at, by));
    }

    /// New times hold from some moment after `at`.
    pub(crate) fn reload_asked(&mut self, times: Times, at: Instant) {
        self.times.push((times, at, None));
    }

    /// The times before the last have ceased to hold before `at`.
    pub(crate) fn reload_told(&mut self, at: Instant) {
        let last = self.times.len() - 1;
        for (_, _, end) in self.times[..last].iter_mut().filter(|(_, _, end)| end.is_none()) {
            *end = Some(at);
        }
    }

    /// The times that the server was asked to follow last.
    pub(crate) fn times(&self) -> Times {
        self.times[self.times.len() - 1].0
    }

    /// The shortest and the longest timeout that may have held at any moment of `span`.
    pub(crate) fn timeouts(&self, span: Span) -> (Duration, Duration) {
        let held = self.times.iter().filter(|(_, from, to)| *from <= span.1 && to.is_none_or(|to| to >= span.0));
        let timeouts: Vec<_> = held.map(|(times, ..)| times.timeout).collect();
        let now = self.times().timeout;
        (timeouts.iter().min().copied().unwrap_or(now), timeouts.iter().max().copied().unwrap_or(now))
    }

    /// How much of `span` the server says that it was stalled, and how often. A stop is noticed less the time for which
    /// the loop would have slept anyway, until its nearest deadline: what it was late ends when it is told.
    pub(crate) fn stalled_within(&self, span: Span) -> (Duration, u32) {
        let stalls = self.stalls.iter().map(|(at, length)| overlap((*at - *length, *at), span));
        let stalls: Vec<_> = stalls.filter(|length| !length.is_zero()).collect();
        (stalls.iter().sum(), stalls.len() as u32)
    }

    /// Stops that were not told of as stalls. Connections come and beat all the time, so a deadline is always nearer
    /// than an interval.
    pub(crate) fn untold_stops(&self) -> Vec<String> {
        let told = |from, to| -> Duration { within(&self.stalls, (from, to)).sum() };
        let stops = self.stops.iter().filter_map(|(from, to)| Some((*from, (*to)?)));
        let stops = stops.map(|(from, to)| (to - from, told(from, to + UNTIL_TOLD)));
        let untold = stops.filter(|(length, told)| *told + SHORT.interval < *length);
        untold.map(|(length, told)| format!("a stop of {length:?} was told as {told:?}")).collect()
    }

    /// By how much a death of `span` may be late: what counted for nobody, what was granted for it (L5), and our own
    /// lateness.
    pub(crate) fn allowed_within(&self, span: Span) -> Duration {
        // interval and timeout of either policy: a grant is no more than this.
        let most = self.times.iter().map(|(times, ..)| times.timeout - times.interval).max().unwrap_or_default();
        let granted = |length: Duration| length + length.min(most);
        let stops = self.stops.iter().map(|(from, to)| overlap((*from, to.unwrap_or(span.1)), span));
        let stops: Duration = stops.map(granted).sum();
        let stalls: Duration = within(&self.stalls, span).map(granted).sum();
        let late: Duration = within(&self.late, span).sum();
        // The server tells of our stops as stalls: one of the two counts.
        stops.max(stalls) + late
    }

    /// Stalls that the server told of while it was not stopped: the machine's doing.
    pub(crate) fn stalls_of_its_own(&self) -> Duration {
        let of_a_stop =
            |span: Span| self.stops.iter().any(|(from, to)| to.is_some_and(|to| !overlap((*from, to), span).is_zero()));
        let own = self.stalls.iter().filter(|(at, length)| !of_a_stop((*at - *length, *at)));
        own.map(|(_, length)| *length).sum()
    }

    pub(crate) fn stops(&self) -> (usize, Duration) {
        (self.stops.len(), self.stops.iter().filter_map(|(from, to)| Some((*to)? - *from)).sum())
    }

    pub(crate) fn latest(&self) -> Duration {
        self.late.iter().map(|(_, by)| *by).max().unwrap_or_default()
    }
}

fn overlap(one: Span, other: Span) -> Duration {
    one.1.min(other.1).saturating_duration_since(one.0.max(other.0))
}

/// Those told during `span`, or shortly after it: they are told when they are over.
fn within(told: &[(Instant, Duration)], span: Span) -> impl Iterator<Item = Duration> {
    told.iter().filter(move |(at, _)| *at >= span.0 && *at <= span.1 + REACH).map(|(_, length)| *length)
}
