//! Faults, carried out on time, and what the server made of them.

use std::io;
use std::net::TcpStream;

use heartline::reactor::{Close, Reactor, ReleaseError};

use super::fault::Kind;
use super::plan::Plan;
use super::scripted::{Found, Peer};
use super::shared::{NEVER, Note};
use super::tally::Toll;
use super::worker::{MS, Worker};
use crate::cli::mishaps;
use crate::cli::spread::record;

/// How late a close may come and still be no miss: this machine may be busy with other things.
const SLACK_NS: u64 = 1000 * MS;
/// Tries for each client still to be struck, in one turn: one that has events waiting must be left alone.
const TRIES: u32 = 8;

/// The schedule of one thread.
#[derive(Debug)]
pub(super) struct Strikes {
    /// The first that has not begun.
    next: usize,
    at_ns: Vec<u64>,
    /// Of each, how many are still to be struck.
    left: Vec<u32>,
    tolls: Vec<Toll>,
}

impl Strikes {
    pub(super) fn new(plan: &Plan, index: u16) -> Self {
        let count = plan.faults.len();
        Self {
            next: 0,
            at_ns: plan.faults.iter().map(|fault| u64::from(fault.at_ms) * MS).collect(),
            left: (0..count).map(|number| plan.struck_of(number, index)).collect(),
            tolls: vec![Toll::default(); count],
        }
    }

    /// When the next begins, of a load that began at `start`.
    pub(super) fn due_ns(&self, start: u64) -> u64 {
        if start == NEVER {
            return NEVER;
        }
        self.at_ns.get(self.next).map_or(NEVER, |at| start + at)
    }

    /// A client that was well was closed: the latest fault bears it.
    pub(super) fn count_bystander(&mut self) {
        if let Some(toll) = self.next.checked_sub(1).and_then(|latest| self.tolls.get_mut(latest)) {
            toll.bystanders += 1;
        }
    }

    pub(super) fn came_back(&mut self, fault: usize, ns: u64) {
        record(&mut self.tolls[fault].back_ns, ns);
    }

    pub(super) fn attempt_failed(&mut self, fault: usize) {
        self.tolls[fault].attempts_failed += 1;
    }
}

impl Worker {
    /// Carries out what is due.
    pub(super) fn strike(&mut self, now: u64) -> io::Result<()> {
        let start = self.shared.start_ns.load(std::sync::atomic::Ordering::Relaxed);
        while self.strikes.due_ns(start) <= now {
            // Whoever comes back soon is not struck twice.
            let left = &mut self.strikes.left[self.strikes.next];
            *left = (*left).min(self.crowd.open().len() as u32);
            self.strikes.next += 1;
        }
        for fault in 0..self.strikes.next {
            // Whoever is busy now is struck in a later turn.
            for _ in 0..self.strikes.left[fault].saturating_mul(TRIES) {
                if self.strikes.left[fault] == 0 {
                    break;
                }
                let Some(client) = self.crowd.any(&mut self.rng) else { break };
                if self.strike_one(fault, client, now)? {
                    self.strikes.left[fault] -= 1;
                    self.strikes.tolls[fault].struck += 1;
                }
            }
        }
        Ok(())
    }

    /// False if this client cannot be struck now.
    fn strike_one(&mut self, fault: usize, client: u32, now: u64) -> io::Result<bool> {
        let kind = self.plan.faults[fault].kind;
        let of = self.crowd.get(client);
        let (Some(id), last_sent_ns, sequence) = (of.id, of.last_sent_ns, of.sent) else { return Ok(false) };
        if kind == Kind::Storm {
            // Its end is ours, and is told with an id that is nobody's then.
            if self.reactor.close(id, Close::AtOnce, None).is_err() {
                return Ok(false);
            }
            self.crowd.left(client);
            self.crowd.get(client).back_from = Some((fault, now));
            self.come_back(client, now);
            return Ok(true);
        }
        let released = match self.reactor.release(id) {
            Ok(released) => released,
            Err(ReleaseError::Busy | ReleaseError::Stale | ReleaseError::NotOpen) => return Ok(false),
        };
        self.crowd.left(client);
        let mut stream = TcpStream::from(released.socket);
        // A frame that was begun is ended, as far as the kernel takes it.
        let _ = io::Write::write(&mut stream, &released.unsent);
        if kind == Kind::Reset {
            mishaps::reset(stream)?;
            self.release_struck(client, fault, now, now);
            return Ok(true);
        }
        let author = self.author(client);
        self.plan.template.write(&author, sequence, &mut self.message);
        let at = self.now();
        let struck = Peer::strike(stream, (kind, fault, client), &self.plan.framing, &self.message, (at, last_sent_ns));
        match struck {
            Ok(peer) => self.scripted.add(peer)?,
            // The server closed it while it was being struck.
            Err(_) => {
                self.strikes.tolls[fault].closed += 1;
                self.release_struck(client, fault, at, now);
            }
        }
        Ok(true)
    }

    /// What was struck is gone; it comes back if clients do.
    fn release_struck(&mut self, client: u32, fault: usize, struck_ns: u64, now: u64) {
        if self.plan.reconnect {
            self.crowd.get(client).back_from = Some((fault, struck_ns));
            self.come_back(client, now);
        }
    }

    /// Lets the misbehaving act, and counts whom the server closed.
    pub(super) fn watch_scripted(&mut self, now: u64) -> io::Result<()> {
        let mut all = Vec::new();
        self.scripted.look(now, |found| all.push(found))?;
        for Found { peer, by_reset } in all {
            // After the look, not before it: an overshoot is not made smaller by what this thread did meanwhile.
            let closed_ns = self.now();
            let toll = &mut self.strikes.tolls[peer.fault];
            toll.closed += 1;
            toll.closed_by_reset += u64::from(by_reset);
            toll.bytes_back += peer.bytes_back;
            record(&mut toll.after_ns, closed_ns.saturating_sub(peer.struck_ns));
            if let Some(limit_ms) = self.plan.limit_ms(peer.kind) {
                match closed_ns.checked_sub(peer.due_ns(limit_ms)) {
                    Some(over) => record(&mut toll.overshoot_ns, over),
                    None => toll.early += 1,
                }
            }
            self.release_struck(peer.client, peer.fault, peer.struck_ns, now);
        }
        Ok(())
    }

    /// The end: who was never closed.
    pub(super) fn sum_up(self, now: u64) -> (Note, Reactor) {
        let mut tolls = self.strikes.tolls;
        for peer in self.scripted.into_rest() {
            let toll = &mut tolls[peer.fault];
            toll.bytes_back += peer.bytes_back;
            let limit = self.plan.limit_ms(peer.kind);
            match limit {
                Some(ms) if now > peer.due_ns(ms) + SLACK_NS => toll.missed += 1,
                _ => toll.open += 1,
            }
        }
        let round_trips_ms = self.reactor.metrics().round_trips_ms;
        (Note::Done { tolls, round_trips_ms: Box::new(round_trips_ms) }, self.reactor)
    }
}
