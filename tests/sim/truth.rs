//! What is true of the hosts and their connections: what the oracle has seen at the kernel, and what it was told.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use heartline::frame::Framing;
use heartline::reactor::{Event, EventKind, Limits, Reason};

use super::attended::Attended;
use super::ledger::Ledger;
use super::onlooker::Onlooker;
use super::wire::MS;

/// What a host's policies promise. One that changes them goes by the longest, or by the shortest where that is stricter.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    pub interval_ms: u32,
    pub timeout_ms: u32,
    pub shortest_timeout_ms: u32,
    pub asks: bool,
    pub answers: bool,
    pub after_first_frame: bool,
    /// Asks of a busy line, this often.
    pub rtt_every_ms: u32,
}

/// One last look, or one death.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub now_ns: u64,
    pub arrived_ns: u64,
    pub found: bool,
}

/// In how many polls something was found due and not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    pub death: u32,
    pub ask: u32,
    pub answer: u32,
    pub limit: u32,
}

impl Overdue {
    /// Counts what is due now, and forgets what is not any more; the check that has failed too often.
    pub fn count(&mut self, now: Self, polls: u32) -> Option<&'static str> {
        let counts = [
            ("not found dead", &mut self.death, now.death),
            ("not asked", &mut self.ask, now.ask),
            ("not answered", &mut self.answer, now.answer),
            ("beyond its limit", &mut self.limit, now.limit),
        ];
        let mut failed = None;
        for (check, count, now) in counts {
            *count = if now > 0 { *count + now } else { 0 };
            if *count > polls {
                failed = Some(check);
            }
        }
        failed
    }
}

/// What is true of one connection of a host. Times are of the host's clock.
#[derive(Debug)]
pub struct Conn {
    pub sock: usize,
    pub line: usize,
    pub side: usize,
    pub opened: bool,
    /// The last byte that the reactor took, or its beginning, or the end of a grace.
    pub heard_ns: u64,
    /// When it began, and when the reactor last tried to write to it.
    pub began_ns: u64,
    pub wrote_ns: u64,
    /// When the kernel last took a byte of it.
    pub taken_ns: u64,
    /// The last write was not taken whole.
    pub refused: bool,
    /// How far the reactor's clock may lag behind that: the turn in which it read.
    pub lag_ns: u64,
    pub look: Option<Look>,
    pub grace_until_ns: u64,
    /// When that was said: what is a stall from then on makes it longer.
    pub grace_from_ns: u64,
    pub suspect: bool,
    pub full: bool,
    pub paused: bool,
    /// When reading went on after a pause.
    pub resumed_ns: u64,
    pub closing: bool,
    /// When the application told the reactor to close it.
    pub closing_ns: Option<u64>,
    pub half_closed: bool,
    /// It came by `adopt`.
    pub adopted: bool,
    pub overdue: Overdue,
    pub onlooker: Onlooker,
}

impl Conn {
    pub fn new(place: (usize, usize, usize), clock_ns: u64, lag_ns: u64, framing: &Rc<Framing>) -> Self {
        let (sock, line, side) = place;
        Self {
            sock,
            line,
            side,
            opened: false,
            heard_ns: clock_ns,
            began_ns: clock_ns,
            wrote_ns: 0,
            taken_ns: clock_ns,
            refused: false,
            lag_ns,
            look: None,
            grace_until_ns: 0,
            grace_from_ns: 0,
            suspect: false,
            full: false,
            paused: false,
            resumed_ns: 0,
            closing: false,
            closing_ns: None,
            half_closed: false,
            adopted: false,
            overdue: Overdue::default(),
            onlooker: Onlooker::new(framing.clone()),
        }
    }
}

#[derive(Debug, Default)]
pub struct Truth {
    pub conns: BTreeMap<u64, Conn>,
    pub ended: HashSet<u64>,
    pub attended: Attended,
    pub judged: Option<Judged>,
    pub limits: Limits,
    /// Clock at the end of the last wait: the moment by which the reactor judges.
    pub now_ns: u64,
    pub turns: u64,
    /// Nothing but the monitor's deadlines limits a wait.
    pub is_exact: bool,
    /// The mass-silence guard may hold verdicts back until then.
    pub held_until_ns: u64,
    pub hold_ms: u32,
    pub capacity: usize,
    pub told: Told,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// How many asks all connections that ended may have been worth (L7).
    pub asks_max: u64,
    /// The same of asks that came from those who ask by our rules, or about as often as they may.
    pub answers_max: u64,
}

/// How often each thing was told.
#[derive(Debug, Default)]
pub struct Told {
    pub accepted: u64,
    pub connected: u64,
    pub adopted: u64,
    pub released: u64,
    pub connect_failed: u64,
    pub messages: u64,
    pub suspects: u64,
    pub revived: u64,
    pub unsent: u64,
    pub stalls: u64,
    pub mass_silences: u64,
    pub pauses: u64,
    pub paused: bool,
    pub ends: BTreeMap<u16, u64>,
}

impl Told {
    /// An event of the reactor itself.
    pub fn of_reactor(&mut self, event: &Event<'_>) -> Result<(), &'static str> {
        match event.kind {
            EventKind::Stalled { .. } => self.stalls += 1,
            EventKind::MassSilence { .. } => self.mass_silences += 1,
            EventKind::AcceptPaused { .. } => {
                if std::mem::replace(&mut self.paused, true) {
                    return Err("AcceptPaused twice");
                }
                self.pauses += 1;
            }
            EventKind::AcceptResumed { .. } => self.paused = false,
            _ => {}
        }
        Ok(())
    }

    pub fn ended(&mut self, reason: Reason) {
        *self.ends.entry(reason.code().min(256)).or_default() += 1;
    }
}

#[derive(Debug)]
pub struct Oracle {
    pub hosts: Vec<Truth>,
    pub ledger: Ledger,
    pub deaths: u64,
    pub stalls: u64,
    pub opened: u64,
}

impl Oracle {
    pub fn new(hosts: usize) -> Self {
        let hosts = (0..hosts).map(|_| Truth::default()).collect();
        Self { hosts, ledger: Ledger::default(), deaths: 0, stalls: 0, opened: 0 }
    }
}

/// Ends the run of this seed.
#[track_caller]
pub fn wrong(check: &str, text: std::fmt::Arguments<'_>) -> ! {
    panic!("{check}: {text}")
}

impl Conn {
    /// From when on a stall puts off what follows from `heard_ns`: a grace is longer by those that fall into it.
    pub fn counts_from_ns(&self) -> u64 {
        if self.heard_ns == self.grace_until_ns { self.grace_from_ns } else { self.heard_ns }
    }
}

impl Truth {
    /// When a connection of which a byte was read now was last heard: while a grace lasts, at its end.
    pub fn heard_ns(&self, token: u64, clock_ns: u64) -> u64 {
        let lasts = self.grace_ends_ns(token).is_some_and(|ends_ns| ends_ns > clock_ns);
        self.conns.get(&token).filter(|_| lasts).map_or(clock_ns, |conn| conn.grace_until_ns)
    }

    /// When a grace ends at the latest, with the stalls that fell into it.
    pub fn grace_ends_ns(&self, token: u64) -> Option<u64> {
        let conn = self.conns.get(&token).filter(|conn| conn.grace_until_ns > 0)?;
        Some(conn.grace_until_ns + self.attended.most_away_ns(conn.grace_from_ns, u64::MAX))
    }

    /// A connection is over, or given back: what it may have asked and answered.
    pub fn reckon(&mut self, conn: &Conn, clock_ns: u64, timeout_ms: u32) {
        let Some(judged) = self.judged else { return };
        let life_ns = clock_ns.saturating_sub(conn.began_ns);
        // The first ask comes after half an interval, the others after 0.9; anew after a stall or a pause.
        let of_rtt = life_ns.checked_div(u64::from(judged.rtt_every_ms) * MS).unwrap_or(0);
        let asks = 5 + 3 * life_ns / (u64::from(judged.interval_ms) * MS) + of_rtt;
        self.asks_max += asks;
        self.answers_max += asks + 12 * life_ns / (u64::from(timeout_ms) * MS);
    }
}
