//! Messages of one thread, sent and received: an open loop when they are due, a closed one when another came back.

use std::sync::atomic::Ordering;

use heartline::reactor::ConnectionId;

use super::args::Expect;
use super::messages::settle;
use super::plan::Traffic;
use super::template::Author;
use super::worker::{MS, Worker};
use crate::cli::spread::record;

/// Messages sent between two looks at what came.
const SENDS_MAX: usize = 64;

impl Worker {
    /// Sends what an open loop owes.
    pub(super) fn send_due(&mut self, now: u64) {
        let Some(mut pace) = self.pace else { return };
        for _ in 0..SENDS_MAX {
            let due = pace.due_ns();
            if due > now {
                break;
            }
            pace.advance();
            match self.crowd.next() {
                Some(client) => {
                    record(&mut self.tally.late_ns, now - due);
                    self.send(client, due, now);
                }
                // Nobody is there to send it: the loop stays open.
                None => self.tally.refused += 1,
            }
        }
        self.pace = Some(pace);
    }

    /// Fills the window of a closed loop.
    pub(super) fn fill(&mut self, client: u32, now: u64) {
        let Traffic::Closed(in_flight) = self.plan.traffic else { return };
        while self.rolling && self.crowd.get(client).waiting.len() < in_flight as usize && self.send(client, now, now) {
        }
    }

    pub(super) fn author(&self, client: u32) -> Author {
        let connection = self.first + client;
        Author { connection, thread: self.index, source: self.plan.sources.of(connection), seed: self.plan.seed }
    }

    /// Sends the next message of a client that is open; false if its outbox does not take it.
    fn send(&mut self, client: u32, due: u64, now: u64) -> bool {
        let author = self.author(client);
        let of = self.crowd.get(client);
        let Some(id) = of.id else { return false };
        self.plan.template.write(&author, of.sent, &mut self.message);
        if self.reactor.send(id, &self.message).is_err() {
            self.tally.refused += 1;
            return false;
        }
        of.sent = of.sent.wrapping_add(1);
        of.last_sent_ns = now;
        self.tally.sent += 1;
        if self.plan.expect == Expect::Nothing {
            return true;
        }
        of.waiting.push_back(due);
        self.crowd.under_way += 1;
        true
    }

    pub(super) fn receive(&mut self, client: u32, id: ConnectionId, message: &[u8], now: u64, end: u64) {
        if !self.crowd.is(client, id) {
            return;
        }
        self.tally.received += 1;
        if self.plan.expect == Expect::Nothing {
            return;
        }
        let author = self.author(client);
        let of = self.crowd.get(client);
        let (next, under_way) = (of.answered, of.waiting.len());
        let count = match self.plan.expect {
            _ if under_way == 0 => {
                self.tally.count_error("unasked", 1);
                return;
            }
            Expect::Echo => self.checker.check(&author, next, under_way, message, &mut self.tally),
            _ => 1,
        };
        let Some(due) = settle(&mut self.crowd, client, count) else { return };
        let counts_from =
            self.shared.start_ns.load(Ordering::Relaxed).saturating_add(u64::from(self.plan.warmup_ms) * MS);
        if due >= counts_from {
            self.tally.latency(now - due);
        }
        if now < end {
            self.fill(client, now);
        }
    }
}
