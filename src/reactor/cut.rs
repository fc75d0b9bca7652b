//! From bytes to messages: frames are cut where they lie, beats are answered, and only an unfinished tail is kept.

use std::convert::Infallible;
use std::ops::Range;

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::counters::Counters;
use super::events::{Events, Reason, RecordKind};
use super::inbound::{Inbound, REJOIN_BYTES_MAX};
use super::net::Net;
use super::obituary::ClosedBy;
use super::receive::Budget;
use super::sends::{Lane, Sends};
use super::statistics::Statistics;
use crate::frame::{Cut, Frame, FrameError, Framing, Kind, Stream};
use crate::liveness::{Beat, Monitor, Owed};
use crate::time::Millis;

/// Why the cutting of one buffer stopped.
enum Stopped {
    /// All whole frames are out; the rest is an unfinished frame that needs this many bytes in all, exactly or at least.
    Unfinished { need: usize, exact: bool },
    /// The budget is spent, or the batch is full: there may be more whole frames.
    Budget,
    /// The bytes are no frame.
    Bad(FrameError),
}

impl<N: Net> Reactor<N> {
    /// Cuts what was read between the lent part of the arena and `filled`, in place; `kept` is the memory of the
    /// unfinished frame at its front. What messages lie in becomes lent. False: the connection is ended.
    pub(crate) fn cut_arena(
        &mut self,
        slot: u32,
        events: &mut Events,
        filled: usize,
        kept: Option<Box<Inbound>>,
        budget: &mut Budget,
    ) -> bool {
        let base = events.lent;
        let connection = &mut self.connections[slot as usize];
        let options = self.options.get(connection.options);
        let id = ConnectionId::new(slot, connection.generation);
        let mut intake = Intake {
            slot,
            framing: &options.framing,
            monitor: &mut self.monitor,
            sends: &mut self.sends,
            counters: &mut self.counters,
            bundle: &mut connection.bundle,
            now: self.heard_at,
        };
        let mut statistics = self.statistics.get_mut(slot as usize);
        let mut stream = kept.as_ref().map_or_else(Stream::default, |kept| kept.stream.clone());
        let mut at = base;
        let stopped = loop {
            let rest = &mut events.arena[at..filled];
            if rest.is_empty() {
                break None;
            }
            if budget.frames == 0 || events.records.len() >= events.capacity {
                break Some(Stopped::Budget);
            }
            match intake.framing.cut(rest, &mut stream, &mut self.control) {
                Ok(Cut::Frame(frame)) => {
                    budget.frames -= 1;
                    let beat = intake.take(rest, &frame, &mut connection.flags, &mut statistics);
                    if beat.is_none() || options.deliver_beats {
                        events.push(id, connection.user, lend(beat, &frame, at, 0));
                        events.lent = at + frame.total;
                    }
                    at += frame.total;
                }
                Ok(Cut::More { need, exact }) => break Some(Stopped::Unfinished { need, exact }),
                Err(error) => break Some(Stopped::Bad(error)),
            }
        };
        let noted = options.framing.keeps_notes() && !stream.is_idle();
        self.send_codec_control(slot);
        let Some(stopped) = stopped else {
            return !noted || self.keep(slot, Vec::new(), stream, None, 1, false);
        };
        let begun = kept.filter(|kept| at == base && !kept.bytes.is_empty()).map(|kept| kept.begun);
        self.stopped(slot, stopped, &events.arena[at..filled], stream, begun)
    }

    /// Keeps what could not be cut. False: the connection is ended.
    fn stopped(&mut self, slot: u32, stopped: Stopped, tail: &[u8], stream: Stream, begun: Option<Millis>) -> bool {
        match stopped {
            Stopped::Unfinished { need, exact } => self.keep(slot, tail.to_vec(), stream, begun, need, exact),
            Stopped::Budget => self.keep(slot, tail.to_vec(), stream, None, 0, false),
            Stopped::Bad(error) => {
                self.frame_bad(slot, error);
                false
            }
        }
    }

    /// Delivers whole frames that an earlier turn had no budget or no room for.
    pub(crate) fn cut_backlog(&mut self, slot: u32, events: &mut Events, budget: &mut Budget) -> bool {
        let connection = &mut self.connections[slot as usize];
        let Some(mut inbound) = connection.inbound.take() else { return true };
        let memory = inbound.memory();
        let options = self.options.get(connection.options);
        let id = ConnectionId::new(slot, connection.generation);
        let mut intake = Intake {
            slot,
            framing: &options.framing,
            monitor: &mut self.monitor,
            sends: &mut self.sends,
            counters: &mut self.counters,
            bundle: &mut connection.bundle,
            now: self.heard_at,
        };
        let mut statistics = self.statistics.get_mut(slot as usize);
        let user = connection.user;
        let mut moved = false;
        let stopped = loop {
            if inbound.cut == inbound.bytes.len() {
                break Stopped::Unfinished { need: 0, exact: false };
            }
            if budget.frames == 0 || events.is_full() {
                break Stopped::Budget;
            }
            let rest = &mut inbound.bytes[inbound.cut..];
            match intake.framing.cut(rest, &mut inbound.stream, &mut self.control) {
                Ok(Cut::Frame(frame)) => {
                    let is_all = inbound.cut == 0 && frame.total == rest.len();
                    let fits = frame.total <= events.arena.len() - events.lent;
                    budget.frames -= 1;
                    let beat = intake.take(rest, &frame, &mut connection.flags, &mut statistics);
                    if beat.is_none() || options.deliver_beats {
                        if is_all && frame.total > REJOIN_BYTES_MAX {
                            moved = true;
                        } else if fits {
                            let at = events.lent;
                            events.arena[at..at + frame.total].copy_from_slice(&rest[..frame.total]);
                            events.lent += frame.total;
                            events.push(id, user, lend(beat, &frame, at, 0));
                        } else {
                            // A frame is cut once (F7), so this one gets memory of its own; the rest waits for an
                            // empty arena.
                            budget.frames = 0;
                            events.blocks.push(rest[..frame.total].to_vec());
                            let block = events.blocks.len() as u32;
                            events.push(id, user, lend(beat, &frame, 0, block));
                        }
                        if moved {
                            events.blocks.push(std::mem::take(&mut inbound.bytes));
                            let block = events.blocks.len() as u32;
                            events.push(id, user, lend(beat, &frame, 0, block));
                            break Stopped::Unfinished { need: 0, exact: false };
                        }
                    }
                    inbound.cut += frame.total;
                }
                Ok(Cut::More { need, exact }) => break Stopped::Unfinished { need, exact },
                Err(error) => break Stopped::Bad(error),
            }
        };
        self.counters.partial_bytes_now -= memory as u64;
        let noted = options.framing.keeps_notes() && !inbound.stream.is_idle();
        self.send_codec_control(slot);
        match stopped {
            Stopped::Unfinished { .. } if moved || inbound.cut == inbound.bytes.len() => {
                !noted || self.keep(slot, Vec::new(), inbound.stream, None, 1, false)
            }
            Stopped::Unfinished { need, exact } => {
                let begun = if inbound.cut == 0 { Some(inbound.begun) } else { None };
                let tail = if inbound.cut == 0 { inbound.bytes } else { inbound.bytes.split_off(inbound.cut) };
                self.keep(slot, tail, inbound.stream, begun, need, exact)
            }
            Stopped::Budget => {
                self.counters.partial_bytes_now += memory as u64;
                self.connections[slot as usize].inbound = Some(inbound);
                // The batch is full for this frame's size, or the budget is spent: next turn.
                self.list(slot);
                false
            }
            Stopped::Bad(error) => {
                self.frame_bad(slot, error);
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
        connection.inbound = Some(Box::new(inbound));
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
        if let Some(inbound) = self.connections[slot as usize].inbound.take() {
            self.counters.partial_bytes_now -= inbound.memory() as u64;
        }
    }

    fn frame_bad(&mut self, slot: u32, error: FrameError) {
        let reason = if error.is_over_limit() { Reason::OverLimit } else { Reason::FrameBad };
        self.end_with(slot, reason, 0, ClosedBy::Heartline, Some(error));
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

/// A message or beat at `at` of the arena (block 0) or of a block.
#[inline]
fn lend(beat: Option<Beat>, frame: &Frame, at: usize, block: u32) -> RecordKind {
    let place = |range: &Range<usize>| ((at + range.start) as u32, (at + range.end) as u32);
    let (head, message) = (place(&frame.head), place(&frame.message));
    match beat {
        Some(beat) => RecordKind::Beat { beat, start: at as u32, end: (at + frame.total) as u32, block },
        None if block == 0 && head.1 == message.0 => {
            RecordKind::Message { start: head.0, head: head.1 - head.0, end: message.1 }
        }
        None => RecordKind::MessageApart { head, message, block },
    }
}

/// What one whole frame touches.
struct Intake<'a> {
    slot: u32,
    framing: &'a Framing,
    monitor: &'a mut Monitor,
    sends: &'a mut Sends,
    counters: &'a mut Counters,
    bundle: &'a mut u32,
    now: Millis,
}

impl Intake<'_> {
    /// Counts a frame and answers a beat; says what that was taken for. `None` is a message.
    #[inline]
    fn take(
        &mut self,
        bytes: &[u8],
        frame: &Frame,
        flags: &mut Flags,
        statistics: &mut Option<&mut Statistics>,
    ) -> Option<Beat> {
        if flags.any(Flags::FIRST_FRAME_DUE) {
            flags.clear(Flags::FIRST_FRAME_DUE);
            self.monitor.first_frame(self.slot, self.now);
        }
        if frame.kind != Kind::Message {
            return Some(self.beat(bytes, frame));
        }
        self.counters.messages_in += 1;
        if let Some(statistics) = statistics {
            statistics.message_received();
        }
        None
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
        Kind::Either | Kind::Message => Beat::Either,
    }
}
