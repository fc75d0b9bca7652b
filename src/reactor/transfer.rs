//! What goes in can come out (R12): taking over a descriptor that somebody else opened, giving one back; and what can
//! be asked and set of a connection that lives.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::events::RecordKind;
use super::inbound::Inbound;
use super::net::Net;
use super::options::Options;
use super::outbox::Outbox;
use crate::liveness::PolicyId;
use crate::time::Millis;

/// A descriptor given back, with what was under way.
#[derive(Debug)]
pub struct Released<S> {
    /// The connected descriptor, non-blocking, registered nowhere.
    pub socket: S,
    /// Bytes that were read and not delivered.
    pub unread: Vec<u8>,
    /// Bytes that were accepted for sending and not sent; they may begin in the middle of a frame.
    pub unsent: Vec<u8>,
    /// The application's word.
    pub user: u64,
}

/// Why a connection is not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseError {
    /// The id is of no live connection.
    Stale,
    /// Events of this connection are not delivered yet: poll first.
    Busy,
    /// It is being dialled or closed.
    NotOpen,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "the id is of no live connection",
            Self::Busy => "events of this connection are not delivered yet: poll first",
            Self::NotOpen => "the connection is being dialled or closed",
        })
    }
}

impl std::error::Error for ReleaseError {}

/// Why a descriptor is not taken over; it comes back with the error.
#[derive(Debug)]
pub struct AdoptError<S> {
    /// What failed.
    pub error: io::Error,
    /// The descriptor, as it was given.
    pub socket: S,
}

/// What can be asked of a connection that lives.
#[derive(Clone, Debug)]
pub struct ConnectionState {
    /// The application's word.
    pub user: u64,
    /// Attended time since the last byte came.
    pub silence_ms: u32,
    /// The last round trip from ask to answer.
    pub rtt_ms: Option<u32>,
    /// Asks without an answer.
    pub unanswered: u32,
    /// Reported as suspect and not heard since.
    pub suspect: bool,
    /// What its liveness follows.
    pub policy: Option<PolicyId>,
    /// Bytes that wait to be sent.
    pub queued_bytes: usize,
    /// Bytes of an unfinished frame, or of frames not delivered yet.
    pub unread_bytes: usize,
    /// Reading is paused.
    pub paused: bool,
    /// It is closing.
    pub closing: bool,
    /// It is being dialled.
    pub dialling: bool,
    /// The other end, with statistics on.
    pub address: Option<SocketAddr>,
}

impl<N: Net> Reactor<N> {
    /// Takes over a connected stream, with bytes that were already read from it and bytes that are still to be sent
    /// on it as they are. Opened comes with the next poll. The descriptor is taken only on success.
    pub fn adopt(
        &mut self,
        socket: N::Socket,
        options: &Options,
        user: u64,
        unread: Vec<u8>,
        unsent: &[u8],
    ) -> Result<ConnectionId, AdoptError<N::Socket>> {
        let prepared = self.check_room().and_then(|()| self.net.prepare(&socket));
        let number = match prepared.and_then(|()| self.intern(options, false)) {
            Ok(number) => number,
            Err(error) => return Err(AdoptError { error, socket }),
        };
        self.read_clock();
        let flags = Flags::WRITABLE | Flags::READABLE | Flags::FIRST_FRAME_DUE;
        let id = self.insert(socket, number, flags, |net, socket| net.peer_address(socket));
        let slot = id.slot();
        if let Err(error) = self.start(id) {
            let socket = self.forget(slot);
            return Err(AdoptError { error, socket });
        }
        self.counters.adopted += 1;
        let now = self.attended(self.now);
        let connection = &mut self.connections[slot as usize];
        connection.user = user;
        if !unread.is_empty() {
            let inbound = Inbound::new(unread, now);
            self.counters.partial_bytes_now += inbound.memory() as u64;
            connection.inbound = Some(Box::new(inbound));
        }
        if !unsent.is_empty() {
            let mut outbox = Outbox::new(now);
            outbox.push_begun(unsent);
            connection.outbox = Some(Box::new(outbox));
            self.counters.outbox_bytes_now += unsent.len() as u64;
            self.renew_short_way();
        }
        self.tell_of(slot, RecordKind::Opened(None));
        self.list(slot);
        self.look_at_limits(slot);
        if !unsent.is_empty() {
            self.write_outbox(slot);
        }
        self.show_work();
        Ok(id)
    }

    /// Gives a connection back. No Closed is told; the id is stale from here on.
    pub fn release(&mut self, id: ConnectionId) -> Result<Released<N::Socket>, ReleaseError> {
        let Some(connection) = self.live(id) else { return Err(ReleaseError::Stale) };
        if connection.flags.any(Flags::DIALLING | Flags::CLOSING | Flags::WRITE_FAILED) {
            return Err(ReleaseError::NotOpen);
        }
        if self.pending.iter().any(|(record, _)| record.id == id) {
            return Err(ReleaseError::Busy);
        }
        let slot = id.slot();
        self.write_bundle_of(slot);
        let connection = &mut self.connections[slot as usize];
        if connection.flags.any(Flags::WRITE_FAILED) {
            return Err(ReleaseError::NotOpen);
        }
        let user = connection.user;
        let _ = self.net.deregister(&connection.socket);
        let outbox = connection.outbox.take();
        let inbound = connection.inbound.take();
        let unsent = outbox.map_or_else(Vec::new, |outbox| {
            self.counters.outbox_bytes_now -= outbox.len() as u64;
            outbox.into_bytes()
        });
        let unread = inbound.map_or_else(Vec::new, |mut inbound| {
            self.counters.partial_bytes_now -= inbound.memory() as u64;
            inbound.bytes.split_off(inbound.cut)
        });
        let socket = self.forget(slot);
        self.counters.released += 1;
        self.retry_accepting();
        self.show_work();
        Ok(Released { socket, unread, unsent, user })
    }

    /// Every connection that lives, those being dialled or closed included.
    pub fn ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.connections.iter().map(|(slot, connection)| ConnectionId::new(slot as u32, connection.generation))
    }

    /// Every connection that can be sent on.
    pub(crate) fn open_ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.connections
            .iter()
            .filter(|(_, connection)| connection.flags.takes_sends() && !connection.flags.any(Flags::DIALLING))
            .map(|(slot, connection)| ConnectionId::new(slot as u32, connection.generation))
    }

    /// How many connections live.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether no connection lives.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// The state of one connection; `None` if the id is stale.
    pub fn state(&self, id: ConnectionId) -> Option<ConnectionState> {
        let connection = self.live(id)?;
        let slot = id.slot();
        let liveness = self.monitor.state(slot);
        Some(ConnectionState {
            user: connection.user,
            silence_ms: self.monitor.silence_ms(slot, Millis::floor(self.net.now_ns())).unwrap_or(0),
            rtt_ms: liveness.as_ref().and_then(|state| state.rtt_ms),
            unanswered: liveness.as_ref().map_or(0, |state| state.unanswered),
            suspect: liveness.as_ref().is_some_and(|state| state.suspect),
            policy: liveness.as_ref().map(|state| state.policy),
            queued_bytes: self.queued(slot),
            unread_bytes: connection.inbound.as_ref().map_or(0, |inbound| inbound.bytes.len() - inbound.cut),
            paused: connection.flags.any(Flags::PAUSED),
            closing: connection.flags.any(Flags::CLOSING),
            dialling: connection.flags.any(Flags::DIALLING),
            address: self.statistics.get(slot as usize).and_then(|statistics| statistics.address()),
        })
    }

    /// Sets the application's word: a number or a pointer that Heartline never reads. False if the id is stale.
    pub fn set_user(&mut self, id: ConnectionId, user: u64) -> bool {
        self.live_mut(id).map(|connection| connection.user = user).is_some()
    }

    /// Lets one connection follow another policy. False if the id is stale, the connection being dialled or closed, or the
    /// policy unknown.
    pub fn set_policy(&mut self, id: ConnectionId, policy: PolicyId) -> bool {
        let Some(connection) = self.live(id) else { return false };
        let is_known = self.monitor.policy_id(policy.index()).is_some();
        if connection.flags.any(Flags::DIALLING | Flags::CLOSING) || !is_known {
            return false;
        }
        let now = self.read_clock();
        self.monitor.set_policy(id.slot(), policy, now);
        self.show_work();
        true
    }

    /// Changes the options of one connection from now on: marks, limits, policy, framing (of all that is not delivered
    /// yet: an unfinished frame is cut anew).
    /// False if the id is stale. Options of the socket are applied where they can be.
    pub fn set_options(&mut self, id: ConnectionId, options: &Options) -> io::Result<bool> {
        let Some(connection) = self.live(id) else { return Ok(false) };
        let dialled = connection.flags.any(Flags::DIALLED);
        let number = self.intern(options, dialled)?;
        let socket_options = self.effective_socket_options(number);
        let before = self.effective_socket_options(self.connections[id.slot() as usize].options);
        let connection = &mut self.connections[id.slot() as usize];
        let old = std::mem::replace(&mut connection.options, number);
        if let Some(inbound) = &mut connection.inbound {
            inbound.cut_anew();
            self.list(id.slot());
        }
        self.look_at_limits(id.slot());
        let connection = &self.connections[id.slot() as usize];
        let configured = self.net.configure(&connection.socket, &socket_options, &before);
        self.options.release(old);
        if let Some(policy) = self.options.get(number).policy {
            self.set_policy(id, policy);
        }
        configured.map(|()| true)
    }

    /// Nobody judges this connection for `ms` (a loading screen): its silence is counted from then on. False if the id
    /// is stale or the connection is being dialled.
    pub fn grace(&mut self, id: ConnectionId, ms: u64) -> bool {
        if self.live(id).is_none_or(|connection| connection.flags.any(Flags::DIALLING)) {
            return false;
        }
        let now = self.read_clock();
        self.monitor.grace(id.slot(), now + ms);
        self.show_work();
        true
    }

    /// Stops reading: the kernel's buffer fills, then the peer waits. It is judged only while that buffer is empty
    /// (L10). False if the id is stale.
    pub fn pause(&mut self, id: ConnectionId) -> bool {
        self.live_mut(id).map(|connection| connection.flags.set(Flags::PAUSED)).is_some()
    }

    /// Reads on. False if the id is stale.
    pub fn resume(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.live_mut(id) else { return false };
        if connection.flags.any(Flags::PAUSED) {
            connection.flags.clear(Flags::PAUSED);
            self.read_clock();
            self.read_again(id.slot());
            self.show_work();
        }
        true
    }
}
