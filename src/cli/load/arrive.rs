//! When clients dial: at a rate in the beginning, after a backoff later.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;

use heartline::reactor::{ConnectionId, Event, EventKind};

use super::dial::Dialled;
use super::plan::Plan;
use super::shared::NEVER;
use super::worker::{MS, Worker};

/// Dials under way at once: less than the shortest usual accept queue.
const UNDER_WAY_MAX: usize = 128;
/// Dials between two looks at what came.
const DIALS_MAX: usize = 64;

/// Who dials when.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// The next that has never dialled.
    next: u32,
    count: u32,
    began_ns: u64,
    /// Between two of this thread; 0: none.
    period_ns: f64,
    /// Who comes back, and when.
    back: BinaryHeap<Reverse<(u64, u32)>>,
    /// Clients whose first dial has no outcome yet.
    unsettled: u32,
    /// Whose connection is there, but not through its upgrade.
    upgrading: HashMap<ConnectionId, u32>,
}

impl Arrivals {
    pub(super) fn new(plan: &Plan, index: u16, began_ns: u64) -> Self {
        let (count, _) = plan.share(index);
        let period_ns = if plan.connect_rate > 0.0 { 1e9 * f64::from(plan.threads) / plan.connect_rate } else { 0.0 };
        Self {
            next: 0,
            count,
            began_ns,
            period_ns,
            back: BinaryHeap::new(),
            unsettled: count,
            upgrading: HashMap::new(),
        }
    }

    /// When the next dials.
    pub(super) fn due_ns(&self) -> u64 {
        let first =
            if self.next < self.count { self.began_ns + (self.period_ns * f64::from(self.next)) as u64 } else { NEVER };
        self.back.peek().map_or(first, |Reverse((at, _))| first.min(*at))
    }

    /// Whose turn it is.
    fn take(&mut self, now: u64) -> Option<u32> {
        if self.due_ns() > now {
            return None;
        }
        if let Some(&Reverse((at, client))) = self.back.peek()
            && at <= now
        {
            self.back.pop();
            return Some(client);
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

impl Worker {
    /// Dials whose time has come, and takes in who got through.
    pub(super) fn arrive(&mut self, now: u64) -> io::Result<()> {
        for _ in 0..DIALS_MAX {
            if self.dialler.under_way() >= UNDER_WAY_MAX {
                break;
            }
            let Some(client) = self.arrivals.take(now) else { break };
            let from = self.plan.sources.of(self.first + client);
            let clock = self.shared.clock;
            if let Some(dialled) = self.dialler.dial(client, from, || heartline::time::Clock::now_ns(&clock)) {
                self.dialled(dialled);
            }
        }
        let mut outcomes = Vec::new();
        self.dialler.look(now, |dialled| outcomes.push(dialled))?;
        for dialled in outcomes {
            self.dialled(dialled);
        }
        Ok(())
    }

    pub(super) fn is_settled(&self) -> bool {
        self.arrivals.unsettled == 0
    }

    fn dialled(&mut self, dialled: Dialled) {
        let Dialled { client, ns, outcome } = dialled;
        let socket = match outcome {
            Ok(socket) => socket,
            Err(cause) => return self.not_arrived(client, cause),
        };
        crate::cli::spread::record(&mut self.tally.connect_ns, ns);
        match self.reactor.adopt(socket, &self.options, u64::from(client), Vec::new(), &[]) {
            // It is there when its upgrade is through.
            Ok(id) if self.plan.framing.is_websocket() => drop(self.arrivals.upgrading.insert(id, client)),
            Ok(id) => self.arrived(client, id),
            Err(_) => self.not_arrived(client, "not taken over"),
        }
    }

    /// Takes note of an event of a connection whose upgrade was under way; false if it is of another.
    pub(super) fn is_of_upgrade(&mut self, event: &Event<'_>) -> bool {
        if self.arrivals.upgrading.is_empty() {
            return false;
        }
        let Some(client) = self.arrivals.upgrading.remove(&event.id) else { return false };
        match event.kind {
            EventKind::Opened { .. } => self.arrived(client, event.id),
            EventKind::Closed { reason, .. } => self.not_arrived(client, reason.name()),
            _ => drop(self.arrivals.upgrading.insert(event.id, client)),
        }
        true
    }

    fn settle(&mut self, client: u32) {
        let of = self.crowd.get(client);
        if !of.settled {
            of.settled = true;
            self.arrivals.unsettled -= 1;
        }
    }

    fn arrived(&mut self, client: u32, id: ConnectionId) {
        let now = self.now();
        self.settle(client);
        if let Some((fault, struck_ns)) = self.crowd.get(client).back_from.take() {
            self.strikes.came_back(fault, now.saturating_sub(struck_ns));
        }
        self.tally.connected += 1;
        self.crowd.opened(client, id, now);
        self.fill(client, now);
    }

    fn not_arrived(&mut self, client: u32, cause: &'static str) {
        self.settle(client);
        self.tally.count_connect_failure(cause);
        let back_from = self.crowd.get(client).back_from;
        if let Some((fault, _)) = back_from {
            self.strikes.attempt_failed(fault);
        }
        if back_from.is_some() || self.plan.reconnect {
            self.come_back(client, self.now());
        }
    }

    /// Dials again after the backoff.
    pub(super) fn come_back(&mut self, client: u32, now: u64) {
        let of = self.crowd.get(client);
        let of_fault = of.back_from.and_then(|(fault, _)| self.plan.faults.get(fault)?.backoff);
        let wait_ms = of_fault.unwrap_or(self.plan.backoff).wait_ms(of.attempts, of.last_wait_ms, &mut self.rng);
        (of.attempts, of.last_wait_ms) = (of.attempts.saturating_add(1), wait_ms);
        self.arrivals.back.push(Reverse((now + u64::from(wait_ms) * MS, client)));
    }
}
