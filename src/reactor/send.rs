//! Sending: frames gather in the turn's arena, within the marks, until a flush.

use std::fmt;

use super::connection::{ConnectionId, Flags, NO_BUNDLE};
use super::core::Reactor;
use super::events::{Record, RecordKind};
use super::net::Net;
use super::obituary::ClosedBy;
use super::options::WhenFull;
use super::reason::Reason;
use super::sends::Lane;
use crate::frame::{EncodeError, copy_short};

/// Why a message was not accepted for sending. Nothing of it was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The id is of no live connection.
    Stale,
    /// The connection is closing.
    Closing,
    /// The outbox is over its high mark (R5). `Drained` tells when to go on.
    Full {
        /// Bytes that wait on this connection.
        queued_bytes: usize,
        /// Its high mark.
        high_bytes: usize,
    },
    /// All outboxes together are at the reactor's cap.
    ReactorFull {
        /// The cap.
        outbox_bytes_max: usize,
    },
    /// The framing cannot carry it.
    Encode(EncodeError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("the id is of no live connection"),
            Self::Closing => f.write_str("the connection is closing"),
            Self::Full { queued_bytes, high_bytes } => {
                write!(f, "the outbox holds {queued_bytes} bytes; its high mark is {high_bytes}")
            }
            Self::ReactorFull { outbox_bytes_max } => {
                write!(f, "all outboxes together are at outbox_bytes_max, {outbox_bytes_max}")
            }
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// So many asks without an answer the monitor can count.
const UNANSWERED_MAX: u32 = 255;

/// What a broadcast came to.
#[derive(Clone, Debug, Default)]
pub struct Broadcast {
    /// How many connections took it.
    pub accepted: usize,
    /// Who did not, and why.
    pub refused: Vec<(ConnectionId, SendError)>,
}

/// Where in the send arena a frame lies, or why the codec could not build it.
type Built = Result<(usize, usize), EncodeError>;

impl<N: Net> Reactor<N> {
    /// Queues one message, framed; the bytes are copied before this returns and leave at the next
    /// [`flush`](Self::flush) or poll.
    #[inline(always)]
    pub fn send(&mut self, id: ConnectionId, message: &[u8]) -> Result<(), SendError> {
        self.send_with_head(id, None, &[message])
    }

    /// The same from several slices, which become one message.
    pub fn send_vectored(&mut self, id: ConnectionId, message: &[&[u8]]) -> Result<(), SendError> {
        self.send_with_head(id, None, message)
    }

    /// The same with the head given, in the form in which heads are shown: the codec writes the length into it (F5).
    #[inline(always)]
    pub fn send_with_head(
        &mut self,
        id: ConnectionId,
        head: Option<&[u8]>,
        message: &[&[u8]],
    ) -> Result<(), SendError> {
        let [message] = message else { return self.send_unusual(id, head, message) };
        self.send_one(id, head, message)
    }

    #[inline(always)]
    fn send_one(&mut self, id: ConnectionId, head: Option<&[u8]>, message: &[u8]) -> Result<(), SendError> {
        // The usual: a live connection on which nothing waits, and a head of a known size with a length.
        'usual: {
            let Some(connection) = self.connections.get_mut(id.slot() as usize) else { break 'usual };
            if connection.generation != id.generation()
                || connection.bundle != NO_BUNDLE
                || !connection.flags.takes_sends_at_once()
            {
                break 'usual;
            }
            debug_assert!(connection.agrees());
            let (slot, bundle, length) = (id.slot(), &mut connection.bundle, message.len());
            let Some(framing) = self.options.framing(connection.options) else { break 'usual };
            let place = if framing.has_plain_head(head) {
                let Some(frame) = self.sends.begin(slot, bundle, 4 + length) else { break 'usual };
                let (head, place) = frame.split_at_mut(4);
                // It fits the arena, so its length fits the head.
                head.copy_from_slice(&(length as u32).to_be_bytes());
                place
            } else {
                let Some(given) = framing.given_head(head, length) else { break 'usual };
                let head_bytes = given.bytes();
                let Some(frame) = self.sends.begin(slot, bundle, head_bytes + length) else { break 'usual };
                given.write(frame, head_bytes);
                &mut frame[head_bytes..]
            };
            self.counters.messages_out += 1;
            self.monitor.spoke(slot);
            if let Some(statistics) = self.statistics.get_mut(slot as usize) {
                statistics.message_sent();
            }
            // Last: it may be a call, and so nothing has to be kept over it.
            copy_short(message, place);
            debug_assert!(self.sends.waiting_in_all + self.outbox_bytes() <= self.config.outbox_bytes_max);
            return Ok(());
        }
        self.send_one_unusual(id, head, message)
    }

    #[inline(never)]
    fn send_one_unusual(&mut self, id: ConnectionId, head: Option<&[u8]>, message: &[u8]) -> Result<(), SendError> {
        if self.send_short_websocket(id, head, message) {
            return Ok(());
        }
        self.send_unusual(id, head, &[message])
    }

    /// The same short way for a short message of a WebSocket, apart from the others, whose way it would make longer. False,
    /// and nothing done, where it is not to be had.
    fn send_short_websocket(&mut self, id: ConnectionId, head: Option<&[u8]>, message: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(id.slot() as usize) else { return false };
        let is_usual = connection.generation == id.generation()
            && connection.bundle == NO_BUNDLE
            && connection.flags.takes_sends_at_once();
        let framing = self.options.framing(connection.options).filter(|_| is_usual);
        let Some(head) = framing.and_then(|framing| framing.websocket_head(head, message)) else { return false };
        let Some(frame) = self.sends.begin(id.slot(), &mut connection.bundle, head.len() + message.len()) else {
            return false;
        };
        let (place, rest) = frame.split_at_mut(head.len());
        place.copy_from_slice(&head);
        copy_short(message, rest);
        self.counters.messages_out += 1;
        self.monitor.spoke(id.slot());
        if let Some(statistics) = self.statistics.get_mut(id.slot() as usize) {
            statistics.message_sent();
        }
        true
    }

    #[inline(never)]
    fn send_unusual(&mut self, id: ConnectionId, head: Option<&[u8]>, message: &[&[u8]]) -> Result<(), SendError> {
        if self.sends.is_full() {
            self.flush();
        }
        let Some(connection) = self.live(id) else { return Err(SendError::Stale) };
        let entry = self.options.entry(connection.options);
        if let Some(agreed) = entry.agreed {
            return self.send_deflated(id, agreed, head, message);
        }
        let framing = &entry.options.framing;
        let (start, end) = self.sends.build(|out| framing.encode(head, message, out))?;
        let accepted = self.enqueue(id, start, end);
        if accepted.is_err() {
            self.sends.take_back(start);
        }
        self.renew_short_way();
        accepted
    }

    /// Says how far sends may take the short way from here: as long as all outboxes together would stay below their cap,
    /// should the kernel refuse everything. Whatever adds to what waits by another way calls this, or shortens it. Not
    /// at all in a nested reactor, where each send must show on the descriptor (R11).
    pub(crate) fn renew_short_way(&mut self) {
        let waiting_max = if self.nested { 0 } else { self.config.outbox_bytes_max };
        self.sends.renew_short_way(waiting_max.saturating_sub(self.outbox_bytes()));
    }

    /// Queues one message on many connections: encoded once per framing, and copied only where a socket is full.
    pub fn broadcast(
        &mut self,
        ids: impl IntoIterator<Item = ConnectionId>,
        head: Option<&[u8]>,
        message: &[u8],
    ) -> Broadcast {
        let mut refused = Vec::new();
        let accepted = self.broadcast_telling(&mut ids.into_iter(), head, message, &mut |id, error| {
            refused.push((id, error));
        });
        Broadcast { accepted, refused }
    }

    /// The same, which tells of a refusal before the next id is asked for; returns how many took it.
    pub(crate) fn broadcast_telling(
        &mut self,
        ids: &mut dyn Iterator<Item = ConnectionId>,
        head: Option<&[u8]>,
        message: &[u8],
        refused: &mut dyn FnMut(ConnectionId, SendError),
    ) -> usize {
        if self.sends.is_full() {
            self.flush();
        }
        let mut accepted = 0;
        // By number of the options: where in the arena the frame of their framing lies.
        let mut encoded: Vec<(u16, Built)> = Vec::new();
        // Of those that deflate, the frame refers to nothing before it, so that they can share it.
        let mut deflated: Vec<(u16, bool)> = Vec::new();
        for id in ids {
            let result = match self.live(id).map(|connection| connection.options) {
                None => Err(SendError::Stale),
                Some(options) => {
                    let known = encoded.iter().find(|(known, _)| *known == options);
                    let range = match known {
                        Some((_, range)) => *range,
                        None => {
                            let entry = self.options.entry(options);
                            let range = if let Some(agreed) = entry.agreed {
                                self.build_deflated(options, agreed, None, head, message).map(|(range, is_deflated)| {
                                    deflated.push((options, is_deflated));
                                    range
                                })
                            } else {
                                let framing = &entry.options.framing;
                                self.sends.build(|out| framing.encode(head, &[message], out))
                            };
                            encoded.push((options, range));
                            range
                        }
                    };
                    let accepted = range.map_err(SendError::from).and_then(|(start, end)| self.enqueue(id, start, end));
                    if accepted.is_ok()
                        && let Some(agreed) = self.options.entry(options).agreed
                    {
                        let is_deflated = deflated.contains(&(options, true));
                        self.sent_deflated(id.slot(), agreed, is_deflated, message);
                    }
                    accepted
                }
            };
            match result {
                Ok(()) => accepted += 1,
                Err(error) => refused(id, error),
            }
        }
        accepted
    }

    /// [`broadcast`](Self::broadcast) to every connection that is open, but `except`.
    pub fn broadcast_all(&mut self, except: Option<ConnectionId>, head: Option<&[u8]>, message: &[u8]) -> Broadcast {
        let ids: Vec<_> = self.open_ids().filter(|id| Some(*id) != except).collect();
        self.broadcast(ids, head, message)
    }

    /// Hands a frame of the arena to a connection, or says why not.
    pub(crate) fn enqueue(&mut self, id: ConnectionId, start: usize, end: usize) -> Result<(), SendError> {
        let slot = id.slot();
        let Some(connection) = self.live_mut(id) else { return Err(SendError::Stale) };
        if !connection.flags.takes_sends() {
            return Err(SendError::Closing);
        }
        // The common case: nothing waits on this connection, and all of them together are below the cap.
        let waits = connection.outbox.is_some() || connection.bundle != NO_BUNDLE;
        if waits || self.outbox_bytes() + self.sends.waiting_in_all + (end - start) > self.config.outbox_bytes_max {
            self.make_room(slot, end - start)?;
        }
        let connection = &mut self.connections[slot as usize];
        self.sends.add(slot, &mut connection.bundle, Lane::Data, (start, end));
        self.counters.messages_out += 1;
        self.monitor.spoke(slot);
        if let Some(statistics) = self.statistics.get_mut(slot as usize) {
            statistics.message_sent();
        }
        self.show_work();
        Ok(())
    }

    /// R5: sees that `more` bytes fit under the high mark, by the choice of the options.
    fn make_room(&mut self, slot: u32, more: usize) -> Result<(), SendError> {
        let marks = self.options.get(self.connections[slot as usize].options).marks;
        let high_bytes = marks.high_bytes as usize;
        self.keep_below_cap(more)?;
        if !self.connections[slot as usize].flags.takes_sends() {
            return Err(SendError::Closing);
        }
        let mut waiting = self.queued(slot);
        if waiting == 0 || waiting + more <= high_bytes {
            return Ok(());
        }
        if self.connections[slot as usize].bundle != NO_BUNDLE {
            // What was only gathered may leave: the socket may have room.
            self.write_bundle_of(slot);
            waiting = self.queued(slot);
            if self.connections[slot as usize].flags.any(Flags::WRITE_FAILED) {
                return Err(SendError::Closing);
            }
        }
        if waiting == 0 || waiting + more <= high_bytes {
            return Ok(());
        }
        self.tell_full(slot, waiting);
        match marks.when_full {
            WhenFull::Refuse => {}
            // Those behind the oldest refer to it.
            WhenFull::DropOldest if self.refers_back(slot) => {}
            WhenFull::DropOldest => {
                while waiting > 0 && waiting + more > high_bytes && self.drop_oldest(slot) {
                    waiting = self.queued(slot);
                }
                if waiting == 0 || waiting + more <= high_bytes {
                    return Ok(());
                }
            }
            WhenFull::Close => {
                self.end(slot, Reason::OutboxFull, 0, ClosedBy::Heartline);
                return Err(SendError::Closing);
            }
        }
        self.counters.messages_refused += 1;
        Err(SendError::Full { queued_bytes: waiting, high_bytes })
    }

    /// R5: sees that `more` bytes fit under the cap of all outboxes, should no socket take them.
    fn keep_below_cap(&mut self, more: usize) -> Result<(), SendError> {
        let outbox_bytes_max = self.config.outbox_bytes_max;
        if self.outbox_bytes() + self.sends.waiting_in_all + more > outbox_bytes_max {
            // What was only gathered may leave: then it is known how much of it the sockets refuse.
            self.write_gathered();
        }
        if self.outbox_bytes() + more <= outbox_bytes_max {
            return Ok(());
        }
        self.counters.messages_refused += 1;
        Err(SendError::ReactorFull { outbox_bytes_max })
    }

    /// R8: of a connection that is being dialled nothing is told before Opened; `tell_full_at_opening` catches up.
    pub(crate) fn tell_full(&mut self, slot: u32, queued: usize) {
        let connection = &mut self.connections[slot as usize];
        if !connection.flags.any(Flags::FULL) {
            connection.flags.set(Flags::FULL);
            if !connection.flags.any(Flags::DIALLING) {
                self.tell_of(slot, RecordKind::Full { queued: u32::try_from(queued).unwrap_or(u32::MAX) });
            }
        }
    }

    /// What was sent while dialling has filled the outbox.
    pub(crate) fn tell_full_at_opening(&mut self, slot: u32) {
        let flags = &mut self.connections[slot as usize].flags;
        if flags.any(Flags::FULL) {
            flags.clear(Flags::FULL);
            self.tell_full(slot, self.queued(slot));
        }
    }

    fn drop_oldest(&mut self, slot: u32) -> bool {
        let connection = &mut self.connections[slot as usize];
        let id = ConnectionId::new(slot, connection.generation);
        let Some(frame) = connection.outbox.as_mut().and_then(|outbox| outbox.drop_oldest()) else { return false };
        let user = connection.user;
        self.counters.outbox_bytes_now -= frame.len() as u64;
        self.tell_unsent(id, user, frame);
        true
    }

    pub(crate) fn tell_unsent(&mut self, id: ConnectionId, user: u64, frame: Vec<u8>) {
        self.counters.messages_unsent += 1;
        // Its block gets a number when it is delivered.
        self.pending.push_back((Record { id, user, kind: RecordKind::Unsent { block: 0 } }, Some(frame)));
    }

    /// Bytes that wait on a connection.
    pub(crate) fn queued(&self, slot: u32) -> usize {
        let connection = &self.connections[slot as usize];
        let gathered = if connection.bundle == NO_BUNDLE { 0 } else { self.sends.waiting(connection.bundle) };
        connection.outbox.as_ref().map_or(0, |outbox| outbox.len()) + gathered
    }

    pub(crate) fn outbox_bytes(&self) -> usize {
        self.counters.outbox_bytes_now as usize
    }

    /// Queues a beat on the control lane (R4).
    pub(crate) fn ask(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        let rests = connection.flags.any(Flags::PAUSED | Flags::CONTROL_FULL);
        if rests && self.monitor.state(slot).is_some_and(|state| state.unanswered >= UNANSWERED_MAX) {
            // L14: its answers wait to be read, and no more of them can be counted. One that was not counted would be
            // taken for an ask where the two are the same bytes, and be answered, and so on without end.
            return self.monitor.ask_failed(slot);
        }
        let framing = &self.options.get(connection.options).framing;
        let ask = self.sends.build(|out| if framing.ask(out) { Ok(()) } else { Err(()) });
        if let Ok(range) = ask {
            self.sends.add(slot, &mut connection.bundle, Lane::Control, range);
            self.counters.asks_out += 1;
        }
    }
}
