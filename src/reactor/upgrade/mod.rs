//! Before a connection is Opened: what a balancer says of it, and the upgrade of a WebSocket, as the server and as the
//! client. The few bytes of both are read and written here, apart from the lanes of those that live, and what is known goes
//! with the last of them.
//!
//! | file | idea |
//! |---|---|
//! | `read.rs` | what comes before the open |
//! | `server.rs` | what becomes of a client's request |
//! | `client.rs` | what is asked of a server, and its answer |
//! | `otherwise.rs` | who does not begin as HTTP does |

mod client;
mod otherwise;
mod read;
mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

pub use self::server::AnswerError;
use super::accept::ListenerId;
use super::core::Reactor;
use super::net::Net;
use super::obituary::ClosedBy;
use super::reason::Reason;
use crate::frame::websocket::upgrade::{ClientRequest, Refusal};

/// What is known of a connection until it is Opened.
pub(crate) struct Upgrade {
    pub(crate) begun_by: BegunBy,
    step: Step,
    /// What waits for the kernel.
    out: Vec<u8>,
    /// The application knows its id, so it is told the end.
    pub(crate) known: bool,
}

/// How a connection came that is to be upgraded.
#[derive(Clone, Copy)]
pub(crate) enum BegunBy {
    Accept(ListenerId, Option<SocketAddr>),
    Adopt,
    Dial,
}

enum Step {
    /// The dial is under way, and this is what our request is made of.
    Dialling(Arc<ClientRequest>),
    /// The header of a balancer is awaited.
    Proxy,
    /// A request is awaited.
    Request,
    /// The application was shown this request.
    Asked(Vec<u8>),
    /// The response to our request with this key is awaited.
    Response(Arc<ClientRequest>, [u8; 16]),
    /// Once `out` has left, it is open.
    Accepted,
    /// Once `out` has left, it is closed.
    Refused(Reason),
}

/// What a connection that is dialled will ask for.
pub(crate) type Planned = Arc<ClientRequest>;

impl<N: Net> Reactor<N> {
    /// Whether connections with these options begin with an upgrade.
    pub(crate) fn begins_with_upgrade(&self, number: u16) -> bool {
        let options = self.options.get(number);
        options.framing.is_websocket() && !options.websocket.upgraded
    }

    /// A connection that is set up and registered is not Opened before its upgrade, for which this limit holds.
    pub(crate) fn await_request(&mut self, slot: u32, begun_by: BegunBy, is_proxied: bool) {
        let known = matches!(begun_by, BegunBy::Adopt);
        let step = if is_proxied { Step::Proxy } else { Step::Request };
        self.upgrades.insert(slot, Upgrade { begun_by, step, out: Vec::new(), known });
        self.dialling.insert(slot, self.attended(self.heard_at));
        // Nobody judges it yet; its place in the wheel is for the limit.
        self.monitor.add(slot, self.policies.none, self.heard_at);
        let upgrade_ms = self.options.get(self.connections[slot as usize].options).websocket.upgrade_ms;
        if upgrade_ms > 0 {
            self.monitor.limit(slot, self.heard_at + u64::from(upgrade_ms));
        }
    }

    /// The same for an adopted connection, with what was read of it before; or we ask, if we are the client.
    pub(crate) fn adopt_before_upgrade(&mut self, slot: u32, planned: Option<Planned>) {
        self.await_request(slot, BegunBy::Adopt, false);
        if let (Some(request), Some(upgrade)) = (planned, self.upgrades.get_mut(&slot)) {
            upgrade.step = Step::Dialling(request);
            self.goes_on_with_upgrade(slot);
        }
    }

    /// Whether the stream is there and its upgrade under way.
    pub(crate) fn is_upgrading(&self, slot: u32) -> bool {
        self.upgrades.get(&slot).is_some_and(|upgrade| !matches!(upgrade.step, Step::Dialling(_)))
    }

    /// How long an upgrade may last that has no dial before it.
    pub(crate) fn upgrade_limit_ms(&self, slot: u32) -> Option<u32> {
        let upgrade = self.upgrades.get(&slot)?;
        let options = self.options.get(self.connections[slot as usize].options);
        (!matches!(upgrade.begun_by, BegunBy::Dial)).then_some(options.websocket.upgrade_ms)
    }

    /// Whether the application knows of a connection that is accepted or adopted and not Opened yet. `None` for others.
    pub(crate) fn is_known_before_opening(&self, slot: u32) -> Option<bool> {
        let upgrade = self.upgrades.get(&slot)?;
        (!matches!(upgrade.begun_by, BegunBy::Dial)).then_some(upgrade.known)
    }

    /// The upgrade has lasted for its limit.
    pub(crate) fn upgrade_late(&mut self, slot: u32) {
        let is_mute = self.connections[slot as usize].inbound.is_none();
        if is_mute && self.otherwise(slot).is_some() {
            // A client that came to listen.
            return self.go_on_otherwise(slot);
        }
        match self.upgrades.get(&slot).map(|upgrade| &upgrade.step) {
            Some(Step::Request) => self.refuse_upgrade_of(slot, &Refusal::too_slow()),
            Some(Step::Proxy) => self.end(slot, Reason::FirstFrameLate, 0, ClosedBy::Heartline),
            // The application has not answered in time.
            Some(Step::Asked(_)) => self.refuse_upgrade_of(slot, &Refusal::unavailable()),
            // The answer does not leave.
            _ => self.end(slot, Reason::OutputStalled, 0, ClosedBy::Heartline),
        }
    }

    /// Writes what waits; with the last byte of it the upgrade is over, if it was answered.
    pub(crate) fn write_upgrade(&mut self, slot: u32) {
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
        while !upgrade.out.is_empty() {
            match self.net.send(&self.connections[slot as usize].socket, &upgrade.out) {
                Ok(count) => {
                    upgrade.out.drain(..count);
                    self.counters.bytes_out += count as u64;
                    if let Some(statistics) = self.statistics.get_mut(slot as usize) {
                        statistics.sent(count, self.step);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The edge comes: nothing else has written yet.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.upgrade_broken(slot, Some(error.raw_os_error().unwrap_or(0))),
            }
        }
        match upgrade.step {
            Step::Accepted => {
                let begun_by = upgrade.begun_by;
                self.upgrades.remove(&slot);
                self.open(
                    slot,
                    match begun_by {
                        BegunBy::Accept(listener, _) => Some(listener),
                        BegunBy::Adopt | BegunBy::Dial => None,
                    },
                );
                // What came behind the head, or is still in the socket.
                self.list(slot);
            }
            Step::Refused(reason) => {
                self.dialling.remove(&slot);
                self.begin_closing(slot, reason, ClosedBy::Heartline);
            }
            Step::Dialling(_) | Step::Proxy | Step::Request | Step::Asked(_) | Step::Response(..) => {}
        }
    }
}
