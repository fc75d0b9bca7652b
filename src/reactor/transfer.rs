//! What goes in can come out (R12): taking over a descriptor that somebody else opened, giving one back; and what can
//! be asked of a connection that lives.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
#[cfg(feature = "deflate")]
use super::deflate::Deflated;
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
    /// Asks without an answer. Whoever takes the descriptor over tells its reactor: [`Reactor::expect_answers`].
    pub unanswered: u32,
    /// What was agreed of permessage-deflate. Whoever takes the descriptor over tells its reactor:
    /// [`Reactor::resume_deflate`].
    #[cfg(feature = "deflate")]
    pub deflate: Option<Deflated>,
}

/// Why a connection is not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseError {
    /// The id is of no live connection.
    Stale,
    /// Events of this connection are not delivered yet: poll first.
    Busy,
    /// It is being dialled or closed, or its end is certain.
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

/// A descriptor that is not taken over; it comes back with the reason.
#[derive(Debug)]
pub struct AdoptError<S> {
    /// Why.
    pub error: AdoptRefusal,
    /// The descriptor, as it was given.
    pub socket: S,
    /// The bytes that were read from it, as they were given.
    pub unread: Vec<u8>,
}

/// Why a descriptor is not taken over.
#[derive(Debug)]
#[non_exhaustive]
pub enum AdoptRefusal {
    /// `connections_max`, options that cannot be used, or an error of the operating system.
    Io(io::Error),
    /// The bytes that were read would bring all unfinished frames together over `Config::partial_bytes_max` (F2).
    Unread {
        /// Bytes given.
        unread_bytes: usize,
        /// What unfinished frames hold now.
        partial_bytes_now: usize,
        /// The cap.
        partial_bytes_max: usize,
    },
    /// The bytes still to be sent would bring all outboxes together over `Config::outbox_bytes_max` (R5).
    Unsent {
        /// Bytes given.
        unsent_bytes: usize,
        /// What outboxes hold now.
        outbox_bytes_now: usize,
        /// The cap.
        outbox_bytes_max: usize,
    },
}

impl fmt::Display for AdoptRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Unread { unread_bytes, partial_bytes_now, partial_bytes_max } => write!(
                f,
                "{unread_bytes} unread bytes do not fit: unfinished frames hold {partial_bytes_now} of \
                 partial_bytes_max, {partial_bytes_max}"
            ),
            Self::Unsent { unsent_bytes, outbox_bytes_now, outbox_bytes_max } => write!(
                f,
                "{unsent_bytes} unsent bytes do not fit: outboxes hold {outbox_bytes_now} of outbox_bytes_max, \
                 {outbox_bytes_max}"
            ),
        }
    }
}

impl std::error::Error for AdoptRefusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its text is shown as this one's own.
            Self::Io(error) => error.source(),
            Self::Unread { .. } | Self::Unsent { .. } => None,
        }
    }
}

impl From<io::Error> for AdoptRefusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<AdoptRefusal> for io::Error {
    fn from(refusal: AdoptRefusal) -> Self {
        match refusal {
            AdoptRefusal::Io(error) => error,
            other => Self::new(io::ErrorKind::QuotaExceeded, other),
        }
    }
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
    /// on it as they are. Opened comes with the next poll; of a WebSocket, unless the options say that it is upgraded,
    /// when its client has asked for the upgrade. The descriptor is taken only on success.
    ///
    /// # Errors
    /// What the kernel says of the descriptor, `connections_max`, or bytes that do not fit under the reactor's caps.
    pub fn adopt(
        &mut self,
        socket: N::Socket,
        options: &Options,
        user: u64,
        mut unread: Vec<u8>,
        unsent: &[u8],
    ) -> Result<ConnectionId, AdoptError<N::Socket>> {
        // Memory counts, not only what is used of it.
        unread.shrink_to_fit();
        let number = match self.check_adoption(&socket, options, unread.capacity(), unsent.len()) {
            Ok(number) => number,
            Err(error) => return Err(AdoptError { error, socket, unread }),
        };
        let server = self.net.peer_address(&socket);
        let planned = match self.request_for(number, server) {
            Ok(planned) => planned,
            Err(error) => {
                self.options.release(number);
                return Err(AdoptError { error: error.into(), socket, unread });
            }
        };
        self.read_clock_in_call();
        let upgrades = self.begins_with_upgrade(number);
        let flags = Flags::READABLE | Flags::FIRST_FRAME_DUE | if upgrades { Flags::DIALLING } else { Flags::WRITABLE };
        let id = self.insert(socket, number, flags, |net, socket| net.peer_address(socket));
        let slot = id.slot();
        if let Err(error) = self.start(id) {
            let socket = self.forget(slot);
            return Err(AdoptError { error: error.into(), socket, unread });
        }
        self.counters.adopted += 1;
        let now = self.attended(self.now);
        let connection = &mut self.connections[slot as usize];
        connection.user = user;
        if !unread.is_empty() {
            let inbound = Inbound::new(unread, now);
            self.counters.partial_bytes_now += inbound.memory() as u64;
            connection.set_inbound(Box::new(inbound));
        }
        if !unsent.is_empty() {
            let mut outbox = Outbox::new(now, options.framing.pieces());
            outbox.push_unsent(unsent);
            connection.set_outbox(Box::new(outbox));
            self.counters.outbox_bytes_now += unsent.len() as u64;
            self.renew_short_way();
        }
        self.list(slot);
        if upgrades {
            self.adopt_before_upgrade(slot, planned);
        } else {
            self.begin_liveness(slot);
            self.tell_of(slot, RecordKind::Opened(None));
            self.look_at_limits(slot);
            if !unsent.is_empty() {
                self.write_outbox(slot);
            }
        }
        self.show_work();
        Ok(id)
    }

    /// Makes a descriptor fit for the reactor, if there is room for all that comes with it; the number of its options.
    fn check_adoption(
        &mut self,
        socket: &N::Socket,
        options: &Options,
        unread_bytes: usize,
        unsent_bytes: usize,
    ) -> Result<u16, AdoptRefusal> {
        self.check_room()?;
        let (partial_bytes_now, partial_bytes_max) =
            (self.counters.partial_bytes_now as usize, self.config.partial_bytes_max);
        if unread_bytes > partial_bytes_max.saturating_sub(partial_bytes_now) {
            return Err(AdoptRefusal::Unread { unread_bytes, partial_bytes_now, partial_bytes_max });
        }
        let (outbox_bytes_now, outbox_bytes_max) = (self.outbox_bytes(), self.config.outbox_bytes_max);
        if unsent_bytes > outbox_bytes_max.saturating_sub(outbox_bytes_now) {
            return Err(AdoptRefusal::Unsent { unsent_bytes, outbox_bytes_now, outbox_bytes_max });
        }
        self.net.prepare(socket)?;
        Ok(self.intern(options, options.is_client())?)
    }

    /// Gives a connection back. No Closed is told; the id is stale from here on.
    pub fn release(&mut self, id: ConnectionId) -> Result<Released<N::Socket>, ReleaseError> {
        let Some(connection) = self.live(id) else { return Err(ReleaseError::Stale) };
        if connection.flags.any(Flags::DIALLING | Flags::CLOSING | Flags::WRITE_FAILED | Flags::READS_NO_MORE) {
            return Err(ReleaseError::NotOpen);
        }
        let slot = id.slot();
        self.write_bundle_of(slot);
        // Writing may have told of a full outbox.
        if self.pending.iter().any(|(record, _)| record.id == id) {
            return Err(ReleaseError::Busy);
        }
        let connection = &mut self.connections[slot as usize];
        if connection.flags.any(Flags::WRITE_FAILED) {
            return Err(ReleaseError::NotOpen);
        }
        let user = connection.user;
        let _ = self.net.deregister(&connection.socket);
        let outbox = connection.take_outbox();
        let inbound = connection.take_inbound();
        let unsent = outbox.map_or_else(Vec::new, |outbox| {
            self.counters.outbox_bytes_now -= outbox.len() as u64;
            outbox.into_bytes()
        });
        let unread = inbound.map_or_else(Vec::new, |mut inbound| {
            self.counters.partial_bytes_now -= inbound.memory() as u64;
            inbound.bytes.split_off(inbound.cut)
        });
        let unanswered = self.monitor.state(slot).map_or(0, |state| state.unanswered);
        #[cfg(feature = "deflate")]
        let deflate = self.take_deflated(slot);
        let socket = self.forget(slot);
        self.counters.released += 1;
        self.retry_accepting();
        self.show_work();
        Ok(Released {
            socket,
            unread,
            unsent,
            user,
            unanswered,
            #[cfg(feature = "deflate")]
            deflate,
        })
    }

    /// `count` asks were sent on this connection before it was adopted and have no answer yet
    /// ([`Released::unanswered`]). Where asks and answers are the same bytes, an answer that nobody waits for counts as an
    /// ask: two ends that both answer would then answer each other without end (L14). False if the id is stale.
    pub fn expect_answers(&mut self, id: ConnectionId, count: u32) -> bool {
        if self.live(id).is_none() {
            return false;
        }
        self.monitor.expect_answers(id.slot(), count);
        true
    }

    /// Every connection that lives, those being dialled or closed included, those aside not.
    pub fn ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.ids_if(|_| true)
    }

    /// Every connection that can be sent on, but those aside.
    pub(crate) fn open_ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.ids_if(|flags| flags.takes_sends() && !flags.any(Flags::DIALLING))
    }

    fn ids_if<'a>(&'a self, wanted: impl Fn(Flags) -> bool + 'a) -> impl Iterator<Item = ConnectionId> + 'a {
        self.connections
            .iter()
            .filter(move |(_, connection)| wanted(connection.flags) && !self.options.get(connection.options).aside)
            .map(|(slot, connection)| ConnectionId::new(slot as u32, connection.generation))
    }

    /// How many connections live, those aside not counted.
    pub fn len(&self) -> usize {
        self.connections.len() - self.aside
    }

    /// Whether no connection lives but those aside.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// The options that a connection was given; `None` if the id is stale.
    #[cfg(feature = "capi")]
    pub(crate) fn options_of(&self, id: ConnectionId) -> Option<Options> {
        self.live(id).map(|connection| self.options.entry(connection.options).given.clone())
    }
}
