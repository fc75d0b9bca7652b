//! Who should have been found and who was: what the server tells, matched by address with what was done.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::clock::Clock;
use super::plan::{FIRST_FRAME, FRAME_LIMIT, LATE, OUTPUT_LIMIT, SEEN_LATE};
use crate::support_system::ms;
use crate::support_system::server::Closed;

/// From the end of a stall to the line that tells of it.
const TOLD_LATER: Duration = ms(150);

/// Why a client is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Frozen,
    Reset,
    Cut,
    Left,
    Mute,
    Clogged,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [Self::Frozen, Self::Reset, Self::Cut, Self::Left, Self::Mute, Self::Clogged];

    /// The one reason that is right.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Frozen => "silent",
            Self::Reset => "peer_reset",
            Self::Cut => "frame_stalled",
            Self::Left => "peer_closed",
            Self::Mute => "first_frame_late",
            Self::Clogged => "output_stalled",
        }
    }
}

/// A client to whom something was done, and when at the earliest and at the latest the server could know of its last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dead {
    pub(crate) kind: Kind,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

#[derive(Debug)]
struct Entry {
    number: usize,
    born: Instant,
    dead: Option<Dead>,
    missed: bool,
}

/// What was done and found, of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) found: u64,
}

/// What one line of the server means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A dead, as it should be, or counted among the failures.
    Dead(usize),
    /// A living client, with the reason.
    Living(usize, String),
    /// Nobody that we know of.
    Stranger,
}

pub(crate) struct Census {
    /// By address, the oldest first: a port may be used again before the end of its last user is told.
    clients: HashMap<SocketAddr, VecDeque<Entry>>,
    tallies: BTreeMap<Kind, Tally>,
    pub(crate) awaited: usize,
    /// A sentence for each that went wrong.
    pub(crate) early: Vec<String>,
    pub(crate) late: Vec<String>,
    pub(crate) missed: Vec<String>,
    pub(crate) mistaken: Vec<String>,
    /// By the server's own measure, of the silent.
    pub(crate) overshoot_ms: Histogram<u64>,
    /// From timeout or limit after the last sign to the line here, of those that lived through no stall.
    pub(crate) seen_ms: Histogram<u64>,
}

impl Census {
    pub(crate) fn new() -> Self {
        let histogram = || Histogram::new_with_max(3_600_000, 3).expect("sound bounds");
        Self {
            clients: HashMap::new(),
            tallies: BTreeMap::new(),
            awaited: 0,
            early: Vec::new(),
            late: Vec::new(),
            missed: Vec::new(),
            mistaken: Vec::new(),
            overshoot_ms: histogram(),
            seen_ms: histogram(),
        }
    }

    pub(crate) fn born(&mut self, number: usize, address: SocketAddr) {
        let entry = Entry { number, born: Instant::now(), dead: None, missed: false };
        self.clients.entry(address).or_default().push_back(entry);
    }

    /// A client that was born is dead from now on.
    pub(crate) fn strike(&mut self, number: usize, address: SocketAddr, dead: Dead) {
        let entries = self.clients.get_mut(&address);
        let entry = entries.and_then(|entries| entries.iter_mut().find(|entry| entry.number == number));
        // Gone already: then it was told as living, and is counted.
        let Some(entry) = entry else { return };
        entry.dead = Some(dead);
        self.awaited += 1;
        self.tallies.entry(dead.kind).or_default().count += 1;
    }

    /// The last sign of a dead client came later than was thought: its buffers were still emptying.
    pub(crate) fn postpone(&mut self, number: usize, address: SocketAddr, to: Instant) {
        let entries = self.clients.get_mut(&address);
        let entry = entries.and_then(|entries| entries.iter_mut().find(|entry| entry.number == number));
        if let Some(dead) = entry.and_then(|entry| entry.dead.as_mut()) {
            dead.to = to;
        }
    }

    /// The server tells of an end.
    pub(crate) fn closed(&mut self, told: &Closed, clock: &Clock) -> Told {
        let Some(entries) = self.clients.get_mut(&told.remote) else { return Told::Stranger };
        // The ends of two users of one port are not always told in the order of their beginnings.
        let off = |entry: &Entry| (told.at - entry.born).abs_diff(ms(told.age_ms));
        let nearest = (0..entries.len()).min_by_key(|place| off(&entries[*place]));
        let Some(entry) = nearest.and_then(|place| entries.remove(place)) else { return Told::Stranger };
        if entries.is_empty() {
            self.clients.remove(&told.remote);
        }
        let Some(dead) = entry.dead else { return Told::Living(entry.number, told.reason.clone()) };
        if entry.missed {
            return Told::Dead(entry.number);
        }
        self.awaited -= 1;
        if told.reason != dead.kind.reason() {
            self.mistaken.push(format!("{:?} closed as {}", dead.kind, told.reason));
            return Told::Dead(entry.number);
        }
        self.tallies.entry(dead.kind).or_default().found += 1;
        self.judge(dead, told, clock);
        Told::Dead(entry.number)
    }

    fn judge(&mut self, dead: Dead, told: &Closed, clock: &Clock) {
        let (least, most) = limits(dead, told.at, clock);
        let span = (dead.from, told.at);
        let (stalled, stalls) = clock.stalled_within(span);
        let attended = (told.at - dead.from).saturating_sub(stalled) + TOLD_LATER * stalls;
        if attended < least {
            self.early.push(format!("{:?} found after {attended:?} of attended time, {least:?} at least", dead.kind));
        }
        let took = told.at.saturating_duration_since(dead.to);
        let limit = most + SEEN_LATE + clock.allowed_within(span);
        if took > limit {
            self.late.push(format!("{:?} found after {took:?}, {limit:?} at most", dead.kind));
        }
        if stalls == 0 {
            self.seen_ms.saturating_record(took.saturating_sub(most).as_millis() as u64);
        }
        if dead.kind == Kind::Frozen {
            // Whoever was silent for longer than the new, shorter timeout is overdue when it comes.
            let allowed = LATE + (most - least);
            self.overshoot_ms.saturating_record(told.overshoot_ms);
            if u128::from(told.overshoot_ms) > allowed.as_millis() {
                self.late.push(format!("{} ms over by the server's own measure", told.overshoot_ms));
            }
        }
    }

    /// Counts those as missed that should long have been found; `patience` beyond their time.
    pub(crate) fn look_for_missed(&mut self, now: Instant, patience: Duration, clock: &Clock) {
        for entry in self.clients.values_mut().flatten().filter(|entry| !entry.missed) {
            let Some(dead) = entry.dead else { continue };
            let (_, most) = limits(dead, now, clock);
            let limit = most + SEEN_LATE + clock.allowed_within((dead.from, now)) + patience;
            let waits = now.saturating_duration_since(dead.to);
            if waits > limit {
                entry.missed = true;
                self.awaited -= 1;
                self.missed.push(format!("{:?} not found for {waits:?}, {limit:?} at most", dead.kind));
            }
        }
    }

    pub(crate) fn tally(&self, kind: Kind) -> Tally {
        self.tallies.get(&kind).copied().unwrap_or_default()
    }
}

/// How long after its last sign a dead must be found, at the earliest and at the latest, of attended time.
fn limits(dead: Dead, found: Instant, clock: &Clock) -> (Duration, Duration) {
    match dead.kind {
        Kind::Frozen => clock.timeouts((dead.from, found)),
        Kind::Cut => (FRAME_LIMIT, FRAME_LIMIT),
        Kind::Mute => (FIRST_FRAME, FIRST_FRAME),
        // Since when its output has not progressed only the server knows.
        Kind::Clogged => (Duration::ZERO, OUTPUT_LIMIT),
        Kind::Reset | Kind::Left => (Duration::ZERO, Duration::ZERO),
    }
}
