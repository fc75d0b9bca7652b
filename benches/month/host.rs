//! The host: it drives one monitor through the month, carries out what people do and judges what the monitor says.

use std::collections::VecDeque;
use std::hint::black_box;

use fastrand::Rng;
use heartline::liveness::{Beat, Monitor, MonitorConfig, PolicyId, Verdict, VerdictKind};
use heartline::time::Millis;

use super::calendar::{Calendar, NEVER, STEP_MS};
use super::person::{Act, DAY, EVENING, HOUR, Kind, MINUTE, Person, SECOND};
use super::tally::{Outcome, Tally};
use super::truth::Truth;

/// From an ask to its answer.
const ROUND_TRIP: u32 = SECOND / 5;
/// When the host is stopped, and for how long: a hiccup, a live migration, a snapshot while all are there, an hour's sleep.
const STALLS: [(u32, u32); 7] = [
    (10 * HOUR, 3 * SECOND),
    (EVENING + 10 * MINUTE, 30 * SECOND),
    (DAY + EVENING + MINUTE, 30 * SECOND),
    (3 * DAY + EVENING + 7 * MINUTE, 5 * MINUTE),
    (3 * DAY + EVENING + 30 * MINUTE, 20 * SECOND),
    (11 * DAY + 13 * HOUR, HOUR),
    (25 * DAY + EVENING + 6 * MINUTE, 10 * MINUTE),
];

/// An answer on its way; it is lost if its sender has lost the way, or the connection is not that one any more.
struct Answer {
    at: u32,
    person: u32,
    /// On which of its connections.
    connection: u8,
}

pub(crate) struct Host {
    monitor: Monitor,
    mobile: PolicyId,
    im: PolicyId,
    people: Vec<Person>,
    calendar: Calendar,
    answers: VecDeque<Answer>,
    seed: u64,
    truth: Truth,
    outcome: Outcome,
    /// The next step that nobody has lived yet.
    step: u32,
    /// Scratch.
    due: Vec<u32>,
    verdicts: Vec<Verdict>,
}

impl Host {
    pub(crate) fn new(peers: u32, seed: u64) -> Self {
        let config = MonitorConfig { seed, ..MonitorConfig::default() };
        let mut monitor = Monitor::new(config, Millis(0));
        let mut define = |kind: Kind| monitor.define(*kind.policy()).expect("a profile is well-formed");
        let (mobile, im) = (define(Kind::Phone), define(Kind::Chat));
        let mut host = Self {
            monitor,
            mobile,
            im,
            people: (0..peers).map(Person::new).collect(),
            calendar: Calendar::new(),
            answers: VecDeque::new(),
            seed: Rng::with_seed(seed).u64(..),
            truth: Truth::new(config.granularity_ms, peers),
            outcome: Outcome::default(),
            step: 0,
            due: Vec::new(),
            verdicts: Vec::new(),
        };
        for number in 0..peers {
            let person = host.people[number as usize];
            host.tally(person.kind).peers += 1;
            let at = person.begin(&mut host.dice(number, NEVER));
            host.calendar.file(number, at);
        }
        host
    }

    /// Lives for `days`, the last of which ends in the evening, when all are there; gives the monitor back, so that its
    /// memory can be looked at.
    pub(crate) fn run(mut self, days: u32) -> (Outcome, Monitor) {
        let end = days.saturating_sub(1) * DAY + EVENING + 4 * MINUTE;
        let mut stalls = STALLS.iter().copied().peekable();
        while self.step < end {
            let promised = self.monitor.deadline();
            self.monitor.promise(promised);
            let mut now = self.next_turn(promised, end);
            if let Some((_, length)) = stalls.next_if(|(at, _)| *at <= now) {
                now = (now + length).min(end);
            }
            self.turn(now, promised);
        }
        self.finish()
    }

    /// When the host comes back: something comes, or the promise falls due.
    fn next_turn(&mut self, promised: Option<Millis>, end: u32) -> u32 {
        let promised = promised.map_or(end, |at| at.0.div_ceil(STEP_MS).min(end.into()) as u32);
        let answer = self.answers.front().map_or(end, |answer| answer.at);
        let latest = promised.min(answer).max(self.step);
        self.calendar.next(self.step, latest)
    }

    fn turn(&mut self, now: u32, promised: Option<Millis>) {
        self.outcome.turns += 1;
        let now_ms = Millis(u64::from(now) * STEP_MS);
        let stall_ms = self.truth.woke(now_ms.0, promised.map(|at| at.0));
        self.monitor.woke(now_ms);
        if stall_ms > 0 {
            self.grant_all(stall_ms);
        }
        // What came while it was away comes in its order, and is read now.
        while self.step <= now {
            self.live_step(now_ms);
            self.step += 1;
        }
        while self.monitor.advance(now_ms, &mut self.verdicts) {
            self.carry_out_all(now);
        }
        self.carry_out_all(now);
        self.outcome.connected_at_most = self.outcome.connected_at_most.max(self.monitor.len() as u64);
    }

    fn grant_all(&mut self, stall_ms: u64) {
        for (number, person) in (0..).zip(&mut self.people).filter(|(_, person)| person.connection.is_online()) {
            self.truth.grant(number, person, stall_ms);
        }
    }

    /// The dice of `person` at `step`: nobody's life depends on the order in which the others live theirs.
    fn dice(&self, person: u32, step: u32) -> Rng {
        let both = u64::from(person) << 32 | u64::from(step);
        Rng::with_seed(self.seed ^ both.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn live_step(&mut self, now: Millis) {
        let mut due = std::mem::take(&mut self.due);
        self.calendar.take(self.step, &mut due);
        self.fetch(due.iter().copied());
        for number in due.drain(..) {
            let mut dice = self.dice(number, self.step);
            let (act, next) = self.people[number as usize].live(self.step, &mut dice);
            self.act(number, act, now);
            if next < NEVER {
                self.calendar.file(number, next);
            }
        }
        self.due = due;
        while let Some(answer) = self.answers.pop_front_if(|answer| answer.at <= self.step) {
            let person = &self.people[answer.person as usize];
            let Person { kind, connection, .. } = *person;
            if connection.is_online() && connection.number() == answer.connection && person.is_reachable() {
                self.tally(kind).answers += 1;
                self.read(answer.person);
                let _ = self.monitor.beat(answer.person, Beat::Answer, now);
            }
        }
    }

    /// Who does something after minutes is in no cache: what is remembered of all of these is asked for at once, so that
    /// it comes together and not one after the other.
    fn fetch(&self, numbers: impl Iterator<Item = u32>) {
        let remembered = |number: u32| {
            let heard_ms = self.people.get(number as usize).map(|person| person.heard_ms);
            heard_ms.unwrap_or(0) ^ self.monitor.silence_ms(number, Millis(0)).unwrap_or(0)
        };
        black_box(numbers.fold(0, |all, number| all ^ remembered(number)));
    }

    fn act(&mut self, number: u32, act: Act, now: Millis) {
        let Person { kind, connection, .. } = self.people[number as usize];
        let online = connection.is_online();
        match act {
            Act::Speak if online => {
                self.read(number);
                self.monitor.heard(number, now);
            }
            Act::Speak | Act::Connect => {
                if online {
                    self.tally(kind).replaced += 1;
                    self.disconnect(number);
                }
                self.connect(number, now);
            }
            Act::Leave if online => {
                self.tally(kind).closes += 1;
                self.disconnect(number);
            }
            Act::Leave | Act::Nothing => {}
        }
    }

    /// A byte of it is read.
    fn read(&mut self, number: u32) {
        let person = self.people[number as usize];
        self.truth.ends_silence(number, &person);
        self.tally(person.kind).heards += 1;
        let heard_ms = self.truth.attended_ms();
        let person = &mut self.people[number as usize];
        person.heard_ms = heard_ms;
        person.connection.hear();
    }

    fn connect(&mut self, number: u32, now: Millis) {
        let heard_ms = self.truth.attended_ms();
        let person = &mut self.people[number as usize];
        person.heard_ms = heard_ms;
        person.connection.begin();
        let kind = person.kind;
        self.tally(kind).connects += 1;
        self.monitor.add(number, if kind == Kind::Phone { self.mobile } else { self.im }, now);
    }

    /// It closes, or is replaced.
    fn disconnect(&mut self, number: u32) {
        let person = self.people[number as usize];
        self.truth.ends_silence(number, &person);
        self.tally(person.kind).gone_suspect += u64::from(person.connection.is_suspect());
        self.forget(number);
    }

    fn forget(&mut self, number: u32) {
        self.people[number as usize].connection.end();
        self.monitor.remove(number);
    }

    fn carry_out_all(&mut self, now: u32) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        self.fetch(verdicts.iter().map(|verdict| verdict.peer));
        for verdict in verdicts.drain(..) {
            self.carry_out(&verdict, now);
        }
        self.verdicts = verdicts;
    }

    fn carry_out(&mut self, verdict: &Verdict, now: u32) {
        if verdict.kind == VerdictKind::Stalled {
            return self.truth.stalled(verdict);
        }
        let number = verdict.peer;
        let kind = self.people[number as usize].kind;
        let person = &mut self.people[number as usize];
        match verdict.kind {
            VerdictKind::Ask => {
                self.truth.asked(person);
                if person.is_reachable() {
                    let connection = person.connection.number();
                    self.answers.push_back(Answer { at: now + ROUND_TRIP, person: number, connection });
                }
                self.tally(kind).asks += 1;
            }
            VerdictKind::Suspect => {
                self.truth.suspected(number, person);
                self.tally(kind).suspects += 1;
            }
            VerdictKind::Revived => {
                self.truth.revived(person);
                self.tally(kind).revived += 1;
            }
            VerdictKind::Dead => {
                self.truth.died(number, person);
                self.forget(number);
                self.tally(kind).dead += 1;
            }
            _ => self.truth.faults.sums += 1,
        }
    }

    fn tally(&mut self, kind: Kind) -> &mut Tally {
        if kind == Kind::Phone { &mut self.outcome.mobile } else { &mut self.outcome.im }
    }

    /// Whoever is there yet must not have been silent for too long, and the sums must come out.
    fn finish(mut self) -> (Outcome, Monitor) {
        for (number, person) in (0..).zip(&self.people).filter(|(_, person)| person.connection.is_online()) {
            self.truth.ends_silence(number, person);
            self.outcome.connected_at_end += 1;
            self.outcome.suspect_at_end += u64::from(person.connection.is_suspect());
        }
        self.truth.end();
        self.outcome.counters = self.monitor.counters();
        self.outcome.stalls = self.monitor.stalls();
        self.outcome.faults = self.truth.faults;
        self.outcome.overshoot_max_ms = self.truth.overshoot_max_ms;
        self.outcome.faults.sums += self.outcome.sums_off();
        self.outcome.faults.sums += u64::from(self.monitor.len() as u64 != self.outcome.connected_at_end);
        (self.outcome, self.monitor)
    }
}
