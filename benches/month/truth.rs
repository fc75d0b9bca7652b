//! What the program knows to be true, and what it finds wrong with the verdicts.
//!
//! It keeps attended time by itself: the host's time less what it came later than promised (L5). After a stall a peer is
//! granted min(timeout − interval, what it had left + the stall), so its death is due that much later.

use std::fmt;

use heartline::liveness::Verdict;
use heartline::time::TICK_MS;

use super::calendar::STEP_MS;
use super::person::Person;

/// A verdict comes within a tick of its time, and within a step of the host's.
pub(crate) const LATE_MS: i64 = (TICK_MS + STEP_MS) as i64;

/// Everything that was wrong. All must be 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Declared dead although a byte came within the timeout.
    pub(crate) false_deaths: u64,
    /// Declared dead before what a stall has granted was over.
    pub(crate) ungranted: u64,
    /// Declared dead later than timeout, grants and the bound together.
    pub(crate) late_deaths: u64,
    /// Silent for longer than that, and not declared dead.
    pub(crate) missed: u64,
    /// Suspect too early, too late, twice, or nobody's.
    pub(crate) suspects: u64,
    /// Revived without having been suspect.
    pub(crate) revivals: u64,
    /// Asked before half an interval of silence, or when nobody was there.
    pub(crate) asks: u64,
    /// Stalls other than the program's own.
    pub(crate) stalls: u64,
    /// Sums that do not come out.
    pub(crate) sums: u64,
}

impl Faults {
    pub(crate) fn each(&self) -> [(&'static str, u64); 9] {
        [
            ("false deaths", self.false_deaths),
            ("deaths before their grant", self.ungranted),
            ("deaths too late", self.late_deaths),
            ("deaths missed", self.missed),
            ("wrong suspects", self.suspects),
            ("wrong revivals", self.revivals),
            ("wrong asks", self.asks),
            ("wrong stalls", self.stalls),
            ("sums that are off", self.sums),
        ]
    }

    pub(crate) fn are_none(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.false_deaths += other.false_deaths;
        self.ungranted += other.ungranted;
        self.late_deaths += other.late_deaths;
        self.missed += other.missed;
        self.suspects += other.suspects;
        self.revivals += other.revivals;
        self.asks += other.asks;
        self.stalls += other.stalls;
        self.sums += other.sums;
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in self.each().iter().enumerate() {
            write!(f, "{}{count} {name}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Attended time, and the judge of verdicts.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    now_ms: u64,
    away_ms: u64,
    granularity_ms: u64,
    /// Stalls that the monitor has yet to tell, together.
    untold_ms: u64,
    /// What stalls have granted whom since its last byte. Few have anything: it lies apart.
    granted_ms: Vec<u32>,
    pub(crate) faults: Faults,
    /// The most that a death came after its time.
    pub(crate) overshoot_max_ms: i64,
}

impl Truth {
    pub(crate) fn new(granularity_ms: u32, peers: u32) -> Self {
        Self {
            now_ms: 0,
            away_ms: 0,
            granularity_ms: granularity_ms.into(),
            untold_ms: 0,
            granted_ms: vec![0; peers as usize],
            faults: Faults::default(),
            overshoot_max_ms: 0,
        }
    }

    /// The host wakes at `now_ms` and had promised `promised_ms`; how long it was away, 0 if that was no stall.
    pub(crate) fn woke(&mut self, now_ms: u64, promised_ms: Option<u64>) -> u64 {
        self.now_ms = now_ms;
        let late_ms = promised_ms.map_or(0, |promised_ms| now_ms.saturating_sub(promised_ms));
        let stall_ms = if late_ms > self.granularity_ms { late_ms } else { 0 };
        self.away_ms += stall_ms;
        self.untold_ms += stall_ms;
        stall_ms
    }

    pub(crate) fn attended_ms(&self) -> u32 {
        // A month is 2.6 thousand million milliseconds: they fit.
        (self.now_ms - self.away_ms) as u32
    }

    /// What a stall grants to somebody who is connected.
    pub(crate) fn grant(&mut self, number: u32, person: &mut Person, stall_ms: u64) {
        let granted_ms = self.granted_ms(number, person);
        let policy = person.kind.policy();
        let left_ms = i64::from(policy.timeout_ms) - self.silence_ms(person) + granted_ms;
        let most_ms = i64::from(policy.timeout_ms - policy.interval_ms);
        if left_ms < most_ms {
            let has_ms = most_ms.min(left_ms.max(0) + stall_ms.cast_signed());
            self.granted_ms[number as usize] = (granted_ms + has_ms - left_ms) as u32;
            person.connection.grant();
        }
    }

    /// A byte comes from somebody, or its connection ends: it must not have been dead for long.
    pub(crate) fn ends_silence(&mut self, number: u32, person: &Person) {
        let over_ms =
            self.silence_ms(person) - i64::from(person.kind.policy().timeout_ms) - self.granted_ms(number, person);
        self.faults.missed += u64::from(over_ms > LATE_MS);
    }

    pub(crate) fn asked(&mut self, person: &Person) {
        let early = self.silence_ms(person) < i64::from(person.kind.policy().interval_ms / 2);
        self.faults.asks += u64::from(early || !person.connection.is_online());
    }

    pub(crate) fn suspected(&mut self, number: u32, person: &mut Person) {
        let over_ms = self.silence_ms(person) - i64::from(person.kind.policy().suspect_ms);
        let on_time = over_ms >= 0 && over_ms - self.granted_ms(number, person) <= LATE_MS;
        self.faults.suspects += u64::from(!on_time || person.connection.is_suspect() || !person.connection.is_online());
        person.connection.suspect();
    }

    pub(crate) fn revived(&mut self, person: &mut Person) {
        self.faults.revivals += u64::from(!person.connection.is_suspect() || !person.connection.is_online());
        person.connection.revive();
    }

    pub(crate) fn died(&mut self, number: u32, person: &Person) {
        let over_ms = self.silence_ms(person) - i64::from(person.kind.policy().timeout_ms);
        let late_ms = over_ms - self.granted_ms(number, person);
        self.faults.false_deaths += u64::from(over_ms < 0 || !person.connection.is_online());
        self.faults.ungranted += u64::from(over_ms >= 0 && late_ms < 0);
        self.faults.late_deaths += u64::from(late_ms > LATE_MS);
        self.overshoot_max_ms = self.overshoot_max_ms.max(late_ms);
    }

    /// The monitor tells of a stall.
    pub(crate) fn stalled(&mut self, verdict: &Verdict) {
        let told_ms = u64::from(verdict.silence_ms);
        self.faults.stalls += u64::from(told_ms != self.untold_ms);
        self.untold_ms = 0;
    }

    /// The month is over: no stall may be untold.
    pub(crate) fn end(&mut self) {
        self.faults.stalls += u64::from(self.untold_ms != 0);
    }

    fn granted_ms(&self, number: u32, person: &Person) -> i64 {
        if person.connection.is_granted() { self.granted_ms[number as usize].into() } else { 0 }
    }

    /// Since the last byte, grants left out.
    fn silence_ms(&self, person: &Person) -> i64 {
        i64::from(self.attended_ms()) - i64::from(person.heard_ms)
    }
}
