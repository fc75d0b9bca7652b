//! From bytes to messages: frames are cut where they lie, beats are answered, and only an unfinished tail is kept.

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::events::Events;
use super::inbound::{Inbound, REJOIN_BYTES_MAX};
use super::intake::{Intake, LastWords, Stopped, Taken};
use super::net::Net;
use super::obituary::ClosedBy;
use super::reason::Reason;
use super::receive::Budget;
use super::sends::Lane;
use crate::frame::Stream;
use crate::time::Millis;

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
