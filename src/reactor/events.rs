//! What `poll` hands out: events that own the bytes they lend.

use std::fmt;

use super::accept::ListenerId;
use super::connection::ConnectionId;
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
    pub(crate) capacity: usize,
}

/// One event. The bytes that it lends lie in the arena or in a block.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) id: ConnectionId,
    pub(crate) user: u64,
    pub(crate) kind: RecordKind,
    pub(crate) head: (u32, u32),
    pub(crate) message: (u32, u32),
    /// 0: the arena; n: block n − 1.
    pub(crate) block: u32,
}

#[derive(Clone, Copy)]
pub(crate) enum RecordKind {
    Opened(Option<ListenerId>),
    Message,
    Beat(Beat),
    Suspect { silence_ms: u32 },
    Revived { silence_ms: u32 },
    Full { queued: u32 },
    Drained,
    ReadClosed,
    Closed { reason: Reason, os_error: i32, silence_ms: u32, queued: u32 },
    ConnectFailed { reason: Reason, os_error: i32 },
    Unsent,
    Stalled { ms: u32 },
    AcceptPaused { listener: ListenerId, cause: PauseCause },
    AcceptResumed { listener: ListenerId },
    MassSilence { silent: u32, of: u32 },
}

impl RecordKind {
    /// Beats are shown to those who asked for it.
    #[inline]
    pub(crate) fn is_shown(&self, deliver_beats: bool) -> bool {
        deliver_beats || !matches!(self, Self::Beat(_))
    }
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
        self.lent = 0;
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= self.capacity
    }

    /// An event without bytes.
    pub(crate) fn push(&mut self, id: ConnectionId, user: u64, kind: RecordKind) {
        self.records.push(Record { id, user, kind, head: (0, 0), message: (0, 0), block: 0 });
    }

    /// Where the bytes of a record lie.
    #[inline(always)]
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
        if let RecordKind::Message = record.kind {
            let place = self.place(record.block);
            let kind = EventKind::Message { head: part(place, record.head), message: part(place, record.message) };
            return Event { id: record.id, user: record.user, kind };
        }
        Event { id: record.id, user: record.user, kind: self.kind(record) }
    }

    #[inline(never)]
    fn kind(&self, record: &Record) -> EventKind<'_> {
        let lent = || part(self.place(record.block), record.message);
        match record.kind {
            RecordKind::Message => {
                EventKind::Message { head: part(self.place(record.block), record.head), message: lent() }
            }
            RecordKind::Opened(listener) => EventKind::Opened { listener },
            RecordKind::Beat(beat) => EventKind::Beat { beat, frame: lent() },
            RecordKind::Suspect { silence_ms } => EventKind::Suspect { silence_ms },
            RecordKind::Revived { silence_ms } => EventKind::Revived { silence_ms },
            RecordKind::Full { queued } => EventKind::Full { queued_bytes: queued },
            RecordKind::Drained => EventKind::Drained,
            RecordKind::ReadClosed => EventKind::ReadClosed,
            RecordKind::Closed { reason, os_error, silence_ms, queued } => {
                EventKind::Closed { reason, os_error, silence_ms, queued_bytes: queued }
            }
            RecordKind::ConnectFailed { reason, os_error } => EventKind::ConnectFailed { reason, os_error },
            RecordKind::Unsent => EventKind::Unsent { frame: lent() },
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
    /// A connection lives: accepted, dialled (then `listener` is `None`) or adopted.
    Opened {
        /// Who accepted it.
        listener: Option<ListenerId>,
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
    /// The outbox is over its high mark, or a message did not fit under it. Told once until `Drained`.
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

/// Why a listener pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseCause {
    /// No descriptor or no memory is left (R6).
    OutOfDescriptors,
    /// `connections_max` is reached.
    ConnectionsMax,
}

impl PauseCause {
    /// `out_of_descriptors` or `connections_max`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfDescriptors => "out_of_descriptors",
            Self::ConnectionsMax => "connections_max",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $name:literal,)*) => {
        /// Why a connection ended. Codes are stable; new ones are appended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
            /// The application's own code, from 256 up.
            Application(u16),
        }

        impl Reason {
            /// Every reason of Heartline's own, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number: below 256 Heartline's, from 256 the application's.
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Application(code) => code,
                }
            }

            /// The name in log lines and metrics; `application` for codes from 256.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Application(_) => "application",
                }
            }
        }
    };
}

reasons! {
    /// The peer sent FIN.
    PeerClosed = 1 "peer_closed",
    /// The peer reset the connection.
    PeerReset = 2 "peer_reset",
    /// Silent for the timeout of its policy.
    Silent = 3 "silent",
    /// No whole frame within `first_frame_ms`.
    FirstFrameLate = 4 "first_frame_late",
    /// A frame was begun and not completed within `frame_ms`.
    FrameStalled = 5 "frame_stalled",
    /// The kernel took none of the queued output for `output_ms`.
    OutputStalled = 6 "output_stalled",
    /// Bytes that are no frame; the obituary names the limit, what came and where.
    FrameBad = 7 "frame_bad",
    /// A limit was exceeded: the frame's `max`, unfinished frames together, connections of one address.
    OverLimit = 8 "over_limit",
    /// The outbox was over its mark and the options say close.
    OutboxFull = 9 "outbox_full",
    /// An error of the operating system.
    OsError = 10 "os_error",
    /// Closed by a drain.
    Drained = 11 "drained",
    /// Closed by the application without a code of its own.
    Local = 12 "local",
    /// A newer connection of the same user took its place.
    Replaced = 13 "replaced",
    /// Asks faster than the policy allows.
    Abuse = 14 "abuse",
    /// Sealed beats that do not verify.
    SealBad = 15 "seal_bad",
    /// The upgrade was refused.
    UpgradeRefused = 16 "upgrade_refused",
    /// A health check that came and left.
    HealthCheck = 17 "health_check",
    /// Nobody listens there.
    ConnectRefused = 18 "connect_refused",
    /// Not established within `connect_ms`.
    ConnectTimeout = 19 "connect_timeout",
    /// Any other error while dialling.
    ConnectError = 20 "connect_error",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(code) => write!(f, "application {code}"),
            known => f.write_str(known.name()),
        }
    }
}
