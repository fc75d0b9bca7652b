//! What one whole frame of a connection does: a beat is answered, a message counted, what is deflated inflated.

use std::convert::Infallible;

use super::connection::{ConnectionId, Flags};
use super::counters::Counters;
use super::deflate::{Agreed, Deflating, frames_of, has_room};
use super::events::{Events, Record, RecordKind};
use super::receive::Budget;
use super::sends::{Lane, Sends};
use super::statistics::Statistics;
use crate::frame::{Cut, Frame, FrameError, Framing, Kind, Stream};
use crate::liveness::{Beat, Monitor, Owed};
use crate::time::Millis;

/// Why the cutting of one buffer stopped.
pub(super) enum Stopped {
    /// It is cut to its last byte.
    Empty,
    /// All whole frames are out; the rest is an unfinished frame that needs this many bytes in all, exactly or at least.
    Unfinished { need: usize, exact: bool },
    /// The budget is spent, or the batch is full: there may be more whole frames.
    Budget,
    /// Nothing is read any more.
    ForGood(LastWords),
}

/// Why nothing more of a connection is read, and with it what is to be said before it ends.
#[derive(Clone, Debug)]
pub(crate) enum LastWords {
    /// The bytes are no frame.
    Bad(FrameError),
    /// The peer said goodbye; this is ours.
    Goodbye(Vec<u8>),
}

/// What was cut, and with it what the application is shown.
pub(super) enum Taken {
    /// A frame.
    Frame(Frame, Option<Shown>),
    /// A beat within a message that is not whole yet.
    Within(Frame, Option<Shown>),
    /// A frame that was inflated. It is rare, and the others stay small.
    Inflated(Box<Inflated>),
}

/// A frame that took so many bytes, and lies inflated in a block of its own.
pub(super) struct Inflated {
    pub(super) wire_bytes: usize,
    pub(super) block: Vec<u8>,
    pub(super) frame: Frame,
    pub(super) shown: Option<Shown>,
}

/// What the application may be shown of a frame.
pub(super) enum Shown {
    Message,
    /// And what it was taken for.
    Beat(Beat),
}

/// What one whole frame touches.
pub(super) struct Intake<'a> {
    pub(super) slot: u32,
    pub(super) id: ConnectionId,
    pub(super) user: u64,
    pub(super) framing: &'a Framing,
    pub(super) deliver_beats: bool,
    pub(super) agreed: Option<Agreed>,
    pub(super) deflating: &'a mut Deflating,
    pub(super) monitor: &'a mut Monitor,
    pub(super) sends: &'a mut Sends,
    pub(super) counters: &'a mut Counters,
    pub(super) statistics: Option<&'a mut Statistics>,
    pub(super) control: &'a mut Vec<u8>,
    pub(super) bundle: &'a mut u32,
    pub(super) flags: &'a mut Flags,
    pub(super) now: Millis,
}

impl Intake<'_> {
    /// Cuts and takes the next frame; with it comes what the application is shown of it.
    #[inline(always)]
    pub(super) fn cut(&mut self, rest: &mut [u8], stream: &mut Stream, budget: &mut Budget) -> Result<Taken, Stopped> {
        match self.framing.cut(rest, stream, self.control) {
            Ok(Cut::Frame(frame)) if frame.kind == Kind::Close => Err(self.goodbye(rest, &frame)),
            Ok(Cut::Frame(frame)) => {
                if let Some(agreed) = self.agreed
                    && let Some(inflated) = self.inflated(&agreed, rest, &frame, budget)
                {
                    return inflated;
                }
                budget.frames -= 1;
                let taken = self.take(rest, &frame);
                let is_shown = self.deliver_beats || matches!(taken, Shown::Message);
                Ok(Taken::Frame(frame, is_shown.then_some(taken)))
            }
            Ok(Cut::Within(frame)) => {
                budget.frames -= 1;
                let taken = self.take(rest, &frame);
                Ok(Taken::Within(frame, self.deliver_beats.then_some(taken)))
            }
            Ok(Cut::More { need, exact }) => Err(Stopped::Unfinished { need, exact }),
            Err(error) => Err(Stopped::ForGood(LastWords::Bad(error))),
        }
    }

    /// What a deflated message is, once it is inflated. `None`: it is not deflated.
    #[inline(never)]
    fn inflated(
        &mut self,
        agreed: &Agreed,
        rest: &[u8],
        frame: &Frame,
        budget: &mut Budget,
    ) -> Option<Result<Taken, Stopped>> {
        let block = match self.deflating.inflate(self.slot, agreed, rest, frame, self.framing.max_bytes())? {
            Ok(block) => block,
            Err(error) => return Some(Err(Stopped::ForGood(LastWords::Bad(error)))),
        };
        let (head, end) = (frame.head.len(), block.len());
        budget.frames = budget.frames.saturating_sub(frames_of(end - head));
        let kind = self.framing.kind(&block, &(head..end));
        let wire_bytes = frame.total;
        let frame = Frame { kind, head: 0..head, message: head..end, total: end };
        let taken = self.take(&block, &frame);
        let is_shown = self.deliver_beats || matches!(taken, Shown::Message);
        Some(Ok(Taken::Inflated(Box::new(Inflated { wire_bytes, block, frame, shown: is_shown.then_some(taken) }))))
    }

    /// Leaves what may have to be inflated for a later batch, if this one has enough of it.
    #[inline(always)]
    pub(super) fn rest_if_full(&self, events: &Events, budget: &mut Budget) {
        if self.agreed.is_some() && !has_room(events) {
            budget.frames = 0;
        }
    }

    pub(super) fn record_inflated(&self, inflated: Inflated, events: &mut Events) {
        let Inflated { block, frame, shown: Some(shown), .. } = inflated else { return };
        events.inflated_bytes += block.len();
        events.blocks.push(block);
        events.records.push(self.record(shown, &frame, 0, events.blocks.len() as u32));
    }

    /// The peer says goodbye: ours is made now, while its frame is there.
    #[cold]
    fn goodbye(&mut self, rest: &[u8], frame: &Frame) -> Stopped {
        let mut ours = Vec::new();
        self.framing.answer(&rest[..frame.total], frame, &mut ours);
        Stopped::ForGood(LastWords::Goodbye(ours))
    }

    /// Shows a beat that lies within a message: a copy, since the message may be moved over it.
    pub(super) fn record_within(
        &self,
        shown: Option<Shown>,
        frame: &Frame,
        rest: &[u8],
        records: &mut Vec<Record>,
        blocks: &mut Vec<Vec<u8>>,
    ) {
        let Some(shown) = shown else { return };
        let from = frame.head.start;
        blocks.push(rest[from..frame.total].to_vec());
        let alone = Frame {
            kind: frame.kind,
            head: 0..frame.head.len(),
            message: frame.message.start - from..frame.message.end - from,
            total: frame.total - from,
        };
        records.push(self.record(shown, &alone, 0, blocks.len() as u32));
    }

    /// What is shown of a frame that lies at `at` of the arena (block 0) or of a block.
    #[inline]
    pub(super) fn record(&self, shown: Shown, frame: &Frame, at: usize, block: u32) -> Record {
        let place = |range: &std::ops::Range<usize>| ((at + range.start) as u32, (at + range.end) as u32);
        let (head, message) = (place(&frame.head), place(&frame.message));
        let kind = match shown {
            Shown::Beat(beat) => RecordKind::Beat { beat, start: at as u32, end: (at + frame.total) as u32, block },
            Shown::Message if block == 0 && head.1 == message.0 => {
                RecordKind::Message { start: head.0, head: head.1 - head.0, end: message.1 }
            }
            Shown::Message => RecordKind::MessageApart { head, message, block },
        };
        Record { id: self.id, user: self.user, kind }
    }

    /// Counts a frame and answers a beat.
    #[inline]
    fn take(&mut self, bytes: &[u8], frame: &Frame) -> Shown {
        if self.flags.any(Flags::FIRST_FRAME_DUE) {
            self.flags.clear(Flags::FIRST_FRAME_DUE);
            self.monitor.first_frame(self.slot, self.now);
        }
        if frame.kind != Kind::Message {
            return Shown::Beat(self.beat(bytes, frame));
        }
        self.counters.messages_in += 1;
        if let Some(statistics) = &mut self.statistics {
            statistics.message_received();
        }
        Shown::Message
    }

    /// Answers a beat if that is owed; says what it was taken for.
    fn beat(&mut self, bytes: &[u8], frame: &Frame) -> Beat {
        let (taken_for, owed) = self.monitor.take_beat(self.slot, beat_of(frame.kind), self.now);
        self.counters.count_beat(taken_for);
        if owed == Owed::Answer {
            self.answer(bytes, frame);
        }
        taken_for
    }

    fn answer(&mut self, bytes: &[u8], frame: &Frame) {
        let bytes = &bytes[..frame.total];
        let Ok(range) = self.sends.build(|out| {
            self.framing.answer(bytes, frame, out);
            Ok::<(), Infallible>(())
        });
        self.sends.add(self.slot, self.bundle, Lane::Control, range);
        self.counters.answers_out += 1;
    }
}

/// The monitor's word for the codec's.
#[inline(always)]
pub(crate) fn beat_of(kind: Kind) -> Beat {
    match kind {
        Kind::Ask => Beat::Ask,
        Kind::Answer => Beat::Answer,
        Kind::Either | Kind::Message | Kind::Close => Beat::Either,
    }
}
