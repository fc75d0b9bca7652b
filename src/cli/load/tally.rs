//! What a thread counts, from one tick to the next; added up over threads and over time.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::cli::spread::{histogram, record};

/// Counts and distributions; times in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Connections that are open now, of this thread: the last one told counts.
    pub(super) open: u64,
    pub(super) connected: u64,
    /// Dials that failed, by cause.
    pub(super) connect_failures: BTreeMap<&'static str, u64>,
    /// Clients that were well and were closed, by the reason as the client sees it.
    pub(super) lost: BTreeMap<&'static str, u64>,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Messages that the client's own outbox did not take: the server does not read.
    pub(super) refused: u64,
    /// Messages under way when it was over, or when their connection was lost.
    pub(super) unanswered: u64,
    /// Messages that were not what was sent, by what was wrong.
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) asks: u64,
    pub(super) answers: u64,
    /// Asks of the server.
    pub(super) asked: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) latency_ns: Histogram<u64>,
    /// How long after its time a message was sent: the tool's own fault, and within the latency.
    pub(super) late_ns: Histogram<u64>,
    pub(super) connect_ns: Histogram<u64>,
    /// CPU time of the thread.
    pub(super) cpu_ns: u64,
    /// How long it was ready to run and had no core.
    pub(super) starved_ns: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            open: 0,
            connected: 0,
            connect_failures: BTreeMap::new(),
            lost: BTreeMap::new(),
            sent: 0,
            received: 0,
            refused: 0,
            unanswered: 0,
            errors: BTreeMap::new(),
            asks: 0,
            answers: 0,
            asked: 0,
            bytes_in: 0,
            bytes_out: 0,
            latency_ns: histogram(),
            late_ns: histogram(),
            connect_ns: histogram(),
            cpu_ns: 0,
            starved_ns: 0,
        }
    }
}

impl Tally {
    /// Adds what another counted. `open` is not touched: it is no count.
    pub(super) fn merge(&mut self, other: &Self) {
        self.connected += other.connected;
        self.sent += other.sent;
        self.received += other.received;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.asks += other.asks;
        self.answers += other.answers;
        self.asked += other.asked;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.cpu_ns += other.cpu_ns;
        self.starved_ns += other.starved_ns;
        for (mine, theirs) in [
            (&mut self.connect_failures, &other.connect_failures),
            (&mut self.lost, &other.lost),
            (&mut self.errors, &other.errors),
        ] {
            for (cause, count) in theirs {
                *mine.entry(cause).or_default() += count;
            }
        }
        for (mine, theirs) in [
            (&mut self.latency_ns, &other.latency_ns),
            (&mut self.late_ns, &other.late_ns),
            (&mut self.connect_ns, &other.connect_ns),
        ] {
            // It grows to what the other holds; only memory could fail it.
            let _ = mine.add(theirs);
        }
    }

    pub(super) fn latency(&mut self, ns: u64) {
        record(&mut self.latency_ns, ns);
    }

    pub(super) fn count_lost(&mut self, reason: &'static str) {
        *self.lost.entry(reason).or_default() += 1;
    }

    pub(super) fn count_error(&mut self, what: &'static str, count: u64) {
        *self.errors.entry(what).or_default() += count;
    }

    pub(super) fn count_connect_failure(&mut self, cause: &'static str) {
        *self.connect_failures.entry(cause).or_default() += 1;
    }
}

/// All that a map counts together.
pub(super) fn sum(counts: &BTreeMap<&'static str, u64>) -> u64 {
    counts.values().sum()
}

/// What one fault did, on one thread or on all.
#[derive(Clone, Debug)]
pub(super) struct Toll {
    /// Befallen.
    pub(super) struck: u64,
    /// Of those, closed by the server.
    pub(super) closed: u64,
    /// Of the closed, with a reset and not with a FIN.
    pub(super) closed_by_reset: u64,
    /// Still open when their time was over.
    pub(super) missed: u64,
    /// Still open when the run ended, before their time was over, or with no time given.
    pub(super) open: u64,
    /// Closed before their time.
    pub(super) early: u64,
    /// From the fault to the close.
    pub(super) after_ns: Histogram<u64>,
    /// From (last byte + limit) to the close.
    pub(super) overshoot_ns: Histogram<u64>,
    /// Clients that were well and were closed, from this fault to the next.
    pub(super) bystanders: u64,
    /// Bytes that came back to those who flood.
    pub(super) bytes_back: u64,
    /// Of those who came back: from the fault to their new connection.
    pub(super) back_ns: Histogram<u64>,
    /// Dials that failed on the way back.
    pub(super) attempts_failed: u64,
}

impl Default for Toll {
    fn default() -> Self {
        Self {
            struck: 0,
            closed: 0,
            closed_by_reset: 0,
            missed: 0,
            open: 0,
            early: 0,
            after_ns: histogram(),
            overshoot_ns: histogram(),
            bystanders: 0,
            bytes_back: 0,
            back_ns: histogram(),
            attempts_failed: 0,
        }
    }
}

impl Toll {
    pub(super) fn merge(&mut self, other: &Self) {
        self.struck += other.struck;
        self.closed += other.closed;
        self.closed_by_reset += other.closed_by_reset;
        self.missed += other.missed;
        self.open += other.open;
        self.early += other.early;
        self.bystanders += other.bystanders;
        self.bytes_back += other.bytes_back;
        self.attempts_failed += other.attempts_failed;
        for (mine, theirs) in [
            (&mut self.after_ns, &other.after_ns),
            (&mut self.overshoot_ns, &other.overshoot_ns),
            (&mut self.back_ns, &other.back_ns),
        ] {
            let _ = mine.add(theirs);
        }
    }
}
