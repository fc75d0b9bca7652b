//! What `poll` hands out: events that own the bytes they lend.

use std::fmt;

use super::accept::ListenerId;
use super::connection::ConnectionId;
use super::reason::{PauseCause, Reason};
use crate::liveness::Beat;

/// Bytes of the receive arena unless told otherwise.
pub const ARENA_BYTES: usize = 256 << 10;
/// Room for a read below which a turn ends and hands out what it has.
pub(crate) const READ_BYTES_MIN: usize = 4 << 10;
/// The smallest receive arena.
pub(crate) const ARENA_BYTES_MIN: usize = 32 << 10;

/// A batch of events with the bytes that they lend. Made once and given to every `poll`, which empties it first: what
/// an event lends stays valid, and the reactor stays free to be used, until then.
pub struct Events {
    pub(crate) records: Vec<Record>,
    pub(crate) arena: Box<[u8]>,
    /// Arena bytes before this are lent.
    pub(crate) lent: usize,
    /// Messages that arrived in a buffer of their own: too large for the arena, or sent back unsent.
    pub(crate) blocks: Vec<Vec<u8>>,
    /// Of the blocks, those that were inflated.
    pub(crate) inflated_bytes: usize,
    pub(crate) capacity: usize,
}

/// One event.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) id: ConnectionId,
    pub(crate) user: u64,
    pub(crate) kind: RecordKind,
}

/// What happened. The bytes that it lends lie in the arena (block 0) or in block n − 1.
#[derive(Clone, Copy)]
pub(crate) enum RecordKind {
    /// Most messages: in the arena, and right behind its head of so many bytes.
    Message {
        start: u32,
        head: u32,
        end: u32,
    },
    /// Any other message.
    MessageApart {
        head: (u32, u32),
        message: (u32, u32),
        block: u32,
    },
    Beat {
        beat: Beat,
        start: u32,
        end: u32,
        block: u32,
    },
    Unsent {
        block: u32,
    },
    #[cfg(feature = "websocket")]
    Upgrade {
        listener: Option<ListenerId>,
        block: u32,
    },
    Opened(Option<ListenerId>),
    Suspect {
        silence_ms: u32,
    },
    Revived {
        silence_ms: u32,
    },
    Full {
        queued: u32,
    },
    Drained,
    ReadClosed,
    Closed {
        reason: Reason,
        os_error: i32,
        silence_ms: u32,
        queued: u32,
    },
    ConnectFailed {
        reason: Reason,
        os_error: i32,
    },
    Stalled {
        ms: u32,
    },
    AcceptPaused {
        listener: ListenerId,
        cause: PauseCause,
    },
    AcceptResumed {
        listener: ListenerId,
    },
    MassSilence {
        silent: u32,
        of: u32,
    },
}

impl Events {
    /// Room for 1,024 events and 256 KiB of messages; memory is touched as it is used.
    pub fn new() -> Self {
        Self::with_capacity(1024, ARENA_BYTES)
    }

    /// Room for `events` (at least 1) and an arena of `bytes` (at least 32 KiB).
    pub fn with_capacity(events: usize, bytes: usize) -> Self {
        Self {
            // Untouched until used; grown piecemeal it would leave holes in the heap.
            records: Vec::with_capacity(events.clamp(1, 4096)),
            arena: vec![0; bytes.max(ARENA_BYTES_MIN)].into_boxed_slice(),
            lent: 0,
            blocks: Vec::new(),
            inflated_bytes: 0,
            capacity: events.max(1),
        }
    }

    /// How many events are in the batch.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether the batch is empty.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The events in order: of one connection, Opened first and Closed last.
    pub fn iter(&self) -> Iter<'_> {
        Iter { events: self, records: self.records.iter() }
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.blocks.clear();
        self.inflated_bytes = 0;
        self.lent = 0;
    }

    /// Whether the batch has a message (or a beat that is shown) of this connection.
    pub(crate) fn has_message_of(&self, id: ConnectionId) -> bool {
        let is_message = |kind| {
            matches!(kind, RecordKind::Message { .. } | RecordKind::MessageApart { .. } | RecordKind::Beat { .. })
        };
        self.records.iter().any(|record| record.id == id && is_message(record.kind))
    }

    /// Whether the batch has the Opened of a connection that came by a listener.
    pub(crate) fn has_accepted(&self) -> bool {
        self.records.iter().any(|record| matches!(record.kind, RecordKind::Opened(Some(_))))
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= self.capacity
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, id: ConnectionId, user: u64, kind: RecordKind) {
        self.records.push(Record { id, user, kind });
    }

    /// Where the bytes of a record lie.
    fn place(&self, block: u32) -> &[u8] {
        if block == 0 { &self.arena } else { &self.blocks[block as usize - 1] }
    }

    /// The events but the first so many.
    #[cfg(feature = "capi")]
    pub(crate) fn iter_from(&self, first: usize) -> Iter<'_> {
        Iter { events: self, records: self.records.get(first..).unwrap_or(&[]).iter() }
    }

    #[inline(always)]
    fn event(&self, record: &Record) -> Event<'_> {
        // Most events are messages; the others are worth a call.
        if let RecordKind::Message { start, head, end } = record.kind {
            let (head, message) = part(&self.arena, (start, end)).split_at(head as usize);
            return Event { id: record.id, user: record.user, kind: EventKind::Message { head, message } };
        }
        Event { id: record.id, user: record.user, kind: self.kind(record) }
    }

    #[inline(never)]
    fn kind(&self, record: &Record) -> EventKind<'_> {
        match record.kind {
            RecordKind::Message { start, head, end } => {
                let (head, message) = part(&self.arena, (start, end)).split_at(head as usize);
                EventKind::Message { head, message }
            }
            RecordKind::MessageApart { head, message, block } => {
                let place = self.place(block);
                EventKind::Message { head: part(place, head), message: part(place, message) }
            }
            RecordKind::Beat { beat, start, end, block } => {
                EventKind::Beat { beat, frame: part(self.place(block), (start, end)) }
            }
            RecordKind::Unsent { block } => EventKind::Unsent { frame: self.place(block) },
            #[cfg(feature = "websocket")]
            RecordKind::Upgrade { listener, block } => EventKind::Upgrade { listener, request: self.place(block) },
            RecordKind::Opened(listener) => EventKind::Opened { listener },
            RecordKind::Suspect { silence_ms } => EventKind::Suspect { silence_ms },
            RecordKind::Revived { silence_ms } => EventKind::Revived { silence_ms },
            RecordKind::Full { queued } => EventKind::Full { queued_bytes: queued },
            RecordKind::Drained => EventKind::Drained,
            RecordKind::ReadClosed => EventKind::ReadClosed,
            RecordKind::Closed { reason, os_error, silence_ms, queued } => {
                EventKind::Closed { reason, os_error, silence_ms, queued_bytes: queued }
            }
            RecordKind::ConnectFailed { reason, os_error } => EventKind::ConnectFailed { reason, os_error },
            RecordKind::Stalled { ms } => EventKind::Stalled { ms },
            RecordKind::AcceptPaused { listener, cause } => EventKind::AcceptPaused { listener, cause },
            RecordKind::AcceptResumed { listener } => EventKind::AcceptResumed { listener },
            RecordKind::MassSilence { silent, of } => EventKind::MassSilence { silent, of },
        }
    }
}

#[inline(always)]
fn part(place: &[u8], range: (u32, u32)) -> &[u8] {
    &place[range.0 as usize..range.1 as usize]
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = Event<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The events of a batch.
pub struct Iter<'a> {
    events: &'a Events,
    records: std::slice::Iter<'a, Record>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Event<'a>;
    #[inline(always)] // the usual event is some ten instructions
    fn next(&mut self) -> Option<Event<'a>> {
        self.records.next().map(|record| self.events.event(record))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Which connection, or [`ConnectionId::NONE`] for events of the reactor itself.
    pub id: ConnectionId,
    /// The application's word of that connection.
    pub user: u64,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// What happened. Bytes are borrowed from the [`Events`]. More kinds may come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum EventKind<'a> {
    /// A connection lives: accepted, dialled (then `listener` is `None`) or adopted. Of an accepted one nothing else is
    /// told in this batch: what `set_user` gives it now is in all its later events.
    Opened {
        /// Who accepted it.
        listener: Option<ListenerId>,
    },
    /// A client asks for WebSocket, and the rules leave it to the application
    /// ([`Rules::ask_application`](crate::frame::websocket::upgrade::Rules::ask_application)): answer with
    /// [`accept_upgrade`](super::core::Reactor::accept_upgrade) or [`refuse_upgrade`](super::core::Reactor::refuse_upgrade), now or
    /// within `upgrade_ms`. The id ends in Opened … Closed, or in Closed alone.
    #[cfg(feature = "websocket")]
    Upgrade {
        /// Who accepted the connection; `None`: it was adopted.
        listener: Option<ListenerId>,
        /// The head, which [`Request::read`](crate::frame::websocket::upgrade::Request::read) reads.
        request: &'a [u8],
    },
    /// A whole message came.
    Message {
        /// The head of its frame, as it came.
        head: &'a [u8],
        /// What the peer sent.
        message: &'a [u8],
    },
    /// A beat came, for who asked to be shown them (`Options::deliver_beats`). It is already answered.
    Beat {
        /// What it was taken for.
        beat: Beat,
        /// The whole frame.
        frame: &'a [u8],
    },
    /// The peer has been silent for its policy's `suspect`. It may still revive.
    Suspect {
        /// Attended milliseconds since its last byte.
        silence_ms: u32,
    },
    /// A suspect was heard again.
    Revived {
        /// How long it had been silent.
        silence_ms: u32,
    },
    /// The outbox is over its high mark, or a message did not fit under it. Told once until `Drained`; of a dialled
    /// connection not before Opened.
    Full {
        /// Bytes that wait.
        queued_bytes: u32,
    },
    /// The outbox has fallen to its low mark.
    Drained,
    /// The peer sends no more (FIN); sending goes on. Only with `Options::half_open`.
    ReadClosed,
    /// The end, told exactly once for each connection that was Opened. The id is stale.
    Closed {
        /// Why.
        reason: Reason,
        /// errno, or 0.
        os_error: i32,
        /// Attended milliseconds since the last byte.
        silence_ms: u32,
        /// Bytes that were queued and never sent.
        queued_bytes: u32,
    },
    /// A dialled connection was never established. The id is stale.
    ConnectFailed {
        /// `connect_refused`, `connect_timeout` or `connect_error`; or why it was given up before: a close, a drain.
        reason: Reason,
        /// errno, or 0.
        os_error: i32,
    },
    /// A frame that was accepted for sending will not be sent: dropped as the oldest of a full outbox, or sent through
    /// the mailbox to a connection that could not take it.
    Unsent {
        /// The whole frame; for the mailbox, the message as it was given.
        frame: &'a [u8],
    },
    /// This process was stopped or busy; the time counts for nobody (L5).
    Stalled {
        /// How long.
        ms: u32,
    },
    /// A listener accepts no more for now.
    AcceptPaused {
        /// Which.
        listener: ListenerId,
        /// Why.
        cause: PauseCause,
    },
    /// It accepts again.
    AcceptResumed {
        /// Which.
        listener: ListenerId,
    },
    /// So many fell silent together that it is our own uplink; verdicts are held.
    MassSilence {
        /// How many are silent.
        silent: u32,
        /// Of how many.
        of: u32,
    },
}
