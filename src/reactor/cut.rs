//! From bytes to messages: frames are cut where they lie, beats are answered, and only an unfinished tail is kept.

use std::convert::Infallible;

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::counters::Counters;
use super::deflate::{Agreed, Deflating, frames_of, has_room};
use super::events::{Events, Record, RecordKind};
use super::inbound::{Inbound, REJOIN_BYTES_MAX};
use super::net::Net;
use super::obituary::ClosedBy;
use super::reason::Reason;
use super::receive::Budget;
use super::sends::{Lane, Sends};
use super::statistics::Statistics;
use crate::frame::{Cut, Frame, FrameError, Framing, Kind, Stream};
use crate::liveness::{Beat, Monitor, Owed};
use crate::time::Millis;

/// Why the cutting of one buffer stopped.
enum Stopped {
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
enum Taken {
    /// A frame.
    Frame(Frame, Option<Shown>),
    /// A beat within a message that is not whole yet.
    Within(Frame, Option<Shown>),
    /// A frame that was inflated. It is rare, and the others stay small.
    Inflated(Box<Inflated>),
}

/// A frame that took so many bytes, and lies inflated in a block of its own.
struct Inflated {
    wire_bytes: usize,
    block: Vec<u8>,
    frame: Frame,
    shown: Option<Shown>,
}

/// What the application may be shown of a frame.
enum Shown {
    Message,
    /// And what it was taken for.
    Beat(Beat),
}

impl<N: Net> Reactor<N> {
    /// Cuts what was read between the lent part of the arena and `filled`, in place; `kept` is the memory of the
    /// unfinished frame at its front. What messages lie in becomes lent. False: there is no more to do for now.
    pub(crate) fn cut_arena(
        &mut self,
        slot: u32,
        events: &mut Events,
        filled: usize,
        kept: Option<Box<Inbound>>,
        budget: &mut Budget,
    ) -> bool {
        let base = events.lent;
        let mut intake = self.intake(slot);
        intake.rest_if_full(events, budget);
        let mut stream = kept.as_ref().map_or_else(Stream::default, |kept| kept.stream.clone());
        let mut at = base;
        let stopped = loop {
            let rest = &mut events.arena[at..filled];
            if rest.is_empty() {
                break Stopped::Empty;
            }
            if budget.frames == 0 || events.records.len() >= events.capacity {
                break Stopped::Budget;
            }
            match intake.cut(rest, &mut stream, budget) {
                Ok(Taken::Frame(frame, shown)) => {
                    if let Some(shown) = shown {
                        events.records.push(intake.record(shown, &frame, at, 0));
                        events.lent = at + frame.total;
                    }
                    at += frame.total;
                }
                Ok(Taken::Within(frame, shown)) => {
                    let rest = &events.arena[at..at + frame.total];
                    intake.record_within(shown, &frame, rest, &mut events.records, &mut events.blocks);
                }
                Ok(Taken::Inflated(inflated)) => {
                    at += inflated.wire_bytes;
                    intake.record_inflated(*inflated, events);
                }
                Err(stopped) => break stopped,
            }
        };
        let noted = intake.framing.keeps_notes() && !stream.is_idle();
        self.send_codec_control(slot);
        if matches!(stopped, Stopped::Empty) && !noted {
            return true;
        }
        let begun = kept.filter(|kept| at == base && !kept.bytes.is_empty()).map(|kept| kept.begun);
        self.stopped(slot, events, stopped, events.arena[at..filled].to_vec(), stream, begun)
    }

    /// Delivers whole frames that an earlier turn had no budget or no room for. False: there is no more to do for now.
    pub(crate) fn cut_backlog(&mut self, slot: u32, events: &mut Events, budget: &mut Budget) -> bool {
        let Some(mut inbound) = self.connections[slot as usize].take_inbound() else { return true };
        let memory = inbound.memory();
        let mut intake = self.intake(slot);
        intake.rest_if_full(events, budget);
        let stopped = loop {
            if inbound.cut == inbound.bytes.len() {
                break Stopped::Empty;
            }
            if budget.frames == 0 || events.is_full() {
                break Stopped::Budget;
            }
            let rest = &mut inbound.bytes[inbound.cut..];
            match intake.cut(rest, &mut inbound.stream, budget) {
                Ok(Taken::Within(frame, shown)) => {
                    intake.record_within(shown, &frame, rest, &mut events.records, &mut events.blocks);
                }
                Ok(Taken::Frame(frame, Some(shown))) => {
                    let is_all = inbound.cut == 0 && frame.total == rest.len();
                    if is_all && frame.total > REJOIN_BYTES_MAX {
                        // Its buffer itself is lent.
                        events.blocks.push(std::mem::take(&mut inbound.bytes));
                        events.records.push(intake.record(shown, &frame, 0, events.blocks.len() as u32));
                        break Stopped::Empty;
                    }
                    if frame.total <= events.arena.len() - events.lent {
                        let at = events.lent;
                        events.arena[at..at + frame.total].copy_from_slice(&rest[..frame.total]);
                        events.lent += frame.total;
                        events.records.push(intake.record(shown, &frame, at, 0));
                    } else {
                        // A frame is cut once (F7), so this one gets memory of its own.
                        events.blocks.push(rest[..frame.total].to_vec());
                        events.records.push(intake.record(shown, &frame, 0, events.blocks.len() as u32));
                    }
                    inbound.cut += frame.total;
                }
                Ok(Taken::Frame(frame, None)) => inbound.cut += frame.total,
                Ok(Taken::Inflated(inflated)) => {
                    inbound.cut += inflated.wire_bytes;
                    intake.record_inflated(*inflated, events);
                }
                Err(stopped) => break stopped,
            }
        };
        let noted = intake.framing.keeps_notes() && !inbound.stream.is_idle();
        self.send_codec_control(slot);
        if let Stopped::Budget = stopped {
            self.connections[slot as usize].set_inbound(inbound);
            // The batch is full for this frame's size, or the budget is spent: next turn.
            self.list(slot);
            return false;
        }
        self.counters.partial_bytes_now -= memory as u64;
        if matches!(stopped, Stopped::Empty) && !noted {
            return true;
        }
        let begun = (inbound.cut == 0).then_some(inbound.begun);
        if begun.is_some() {
            // While it stood in the backlog, nobody looked at its limit.
            self.look_at_limits(slot);
        }
        let tail = if inbound.cut == 0 { inbound.bytes } else { inbound.bytes.split_off(inbound.cut) };
        self.stopped(slot, events, stopped, tail, inbound.stream, begun)
    }

    /// What the whole frames of a connection touch, to cut them.
    #[inline(always)]
    fn intake(&mut self, slot: u32) -> Intake<'_> {
        let connection = &mut self.connections[slot as usize];
        let entry = self.options.entry(connection.options);
        let options = &entry.options;
        Intake {
            slot,
            id: ConnectionId::new(slot, connection.generation),
            user: connection.user,
            framing: &options.framing,
            deliver_beats: options.deliver_beats,
            agreed: entry.agreed,
            deflating: &mut self.deflating,
            monitor: &mut self.monitor,
            sends: &mut self.sends,
            counters: &mut self.counters,
            statistics: self.statistics.get_mut(slot as usize),
            control: &mut self.control,
            bundle: &mut connection.bundle,
            flags: &mut connection.flags,
            now: self.heard_at,
        }
    }

    /// Keeps what could not be cut. False: there is no more to do for now.
    fn stopped(
        &mut self,
        slot: u32,
        events: &Events,
        stopped: Stopped,
        tail: Vec<u8>,
        stream: Stream,
        begun: Option<Millis>,
    ) -> bool {
        match stopped {
            // Only the codec's note.
            Stopped::Empty => self.keep(slot, Vec::new(), stream, None, 1, false),
            Stopped::Unfinished { need, exact } => self.keep(slot, tail, stream, begun, need, exact),
            Stopped::Budget => self.keep(slot, tail, stream, None, 0, false),
            Stopped::ForGood(words) => {
                self.stop_reading_for_good(slot, words, events);
                false
            }
        }
    }

    /// Keeps bytes that are not delivered yet, or what a codec noted for the next frame. False: that went over the reactor's cap and ended the connection.
    fn keep(
        &mut self,
        slot: u32,
        bytes: Vec<u8>,
        stream: Stream,
        begun: Option<Millis>,
        need: usize,
        exact: bool,
    ) -> bool {
        let now = self.attended(self.heard_at);
        // Where only a codec's note is kept, no frame has begun.
        let begins = begun.is_none() && !bytes.is_empty();
        let mut inbound = Inbound::new(bytes, begun.unwrap_or(now));
        (inbound.stream, inbound.need, inbound.exact) = (stream, need, exact);
        self.counters.partial_bytes_now += inbound.memory() as u64;
        let connection = &mut self.connections[slot as usize];
        connection.set_inbound(Box::new(inbound));
        if self.counters.partial_bytes_now as usize > self.config.partial_bytes_max {
            self.end(slot, Reason::OverLimit, 0, ClosedBy::Heartline);
            return false;
        }
        let limits = self.options.get(connection.options).limits;
        if begins && limits.frame_ms > 0 {
            self.monitor.limit(slot, self.heard_at + u64::from(limits.frame_ms));
        }
        true
    }

    pub(crate) fn forget_inbound(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        if let Some(inbound) = connection.take_inbound() {
            self.counters.partial_bytes_now -= inbound.memory() as u64;
            // No first frame comes of it; but who sent a part of one was no health check.
            connection.flags.clear(Flags::FIRST_FRAME_DUE);
        }
    }

    /// What came is no frame, or the peer's goodbye. Replies to good frames before it, delivered with this batch, still
    /// leave: then the end comes with the next turn, and nothing more is read.
    #[cold]
    fn stop_reading_for_good(&mut self, slot: u32, words: LastWords, events: &Events) {
        let connection = &mut self.connections[slot as usize];
        self.last_words.insert(slot, words);
        if events.has_message_of(ConnectionId::new(slot, connection.generation)) {
            connection.flags.set(Flags::READS_NO_MORE);
            return self.list(slot);
        }
        self.say_last_words(slot);
    }

    /// The replies have left.
    pub(crate) fn say_last_words(&mut self, slot: u32) {
        let (reason, by) = match self.last_words.get(&slot) {
            Some(LastWords::Goodbye(_)) => (Reason::PeerClosed, ClosedBy::Peer),
            Some(LastWords::Bad(error)) if error.is_over_limit() => (Reason::OverLimit, ClosedBy::Heartline),
            _ => (Reason::FrameBad, ClosedBy::Heartline),
        };
        if self.say_goodbye(slot, reason) {
            self.begin_closing(slot, reason, by);
        } else {
            self.end(slot, reason, 0, by);
        }
    }

    /// What the codec itself wants to have sent goes by the control lane (F7).
    #[inline]
    fn send_codec_control(&mut self, slot: u32) {
        if !self.control.is_empty() {
            let range = self.sends.append(&[], &self.control);
            self.control.clear();
            let connection = &mut self.connections[slot as usize];
            self.sends.add(slot, &mut connection.bundle, Lane::Control, range);
        }
    }
}

/// What one whole frame touches.
struct Intake<'a> {
    slot: u32,
    id: ConnectionId,
    user: u64,
    framing: &'a Framing,
    deliver_beats: bool,
    agreed: Option<Agreed>,
    deflating: &'a mut Deflating,
    monitor: &'a mut Monitor,
    sends: &'a mut Sends,
    counters: &'a mut Counters,
    statistics: Option<&'a mut Statistics>,
    control: &'a mut Vec<u8>,
    bundle: &'a mut u32,
    flags: &'a mut Flags,
    now: Millis,
}

impl Intake<'_> {
    /// Cuts and takes the next frame; with it comes what the application is shown of it.
    #[inline(always)]
    fn cut(&mut self, rest: &mut [u8], stream: &mut Stream, budget: &mut Budget) -> Result<Taken, Stopped> {
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
    fn rest_if_full(&self, events: &Events, budget: &mut Budget) {
        if self.agreed.is_some() && !has_room(events) {
            budget.frames = 0;
        }
    }

    fn record_inflated(&self, inflated: Inflated, events: &mut Events) {
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
    fn record_within(
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
    fn record(&self, shown: Shown, frame: &Frame, at: usize, block: u32) -> Record {
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
