//! From readable to bytes: read into the arena, or straight into a long unfinished frame, and see the end.

use super::connection::{ConnectionId, Flags, NO_BUNDLE};
use super::core::Reactor;
use super::errno::is_hard;
use super::events::{ARENA_BYTES_MIN, Events, READ_BYTES_MIN, RecordKind};
use super::inbound::{Inbound, REJOIN_BYTES_MAX};
use super::intake::beat_of;
use super::net::Net;
use super::obituary::ClosedBy;
use super::reason::Reason;
use super::sends::Lane;
use crate::frame::WINDOW_BYTES;
use crate::liveness::Owed;

/// R2: what one connection may take of one turn.
const FRAMES_PER_TURN: usize = 64;
const BYTES_PER_TURN: usize = 64 << 10;
/// A buffer for an unfinished frame grows by no more than this beyond what has come (F2).
const GROWTH_BYTES_MAX: usize = 256 << 10;
// The usual read asks for a window. An arena has room for it at least once.
const _: () = assert!(WINDOW_BYTES <= BYTES_PER_TURN && WINDOW_BYTES <= ARENA_BYTES_MIN);

/// What is left of a connection's share of the turn.
pub(crate) struct Budget {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.frames == 0 || self.bytes == 0
    }
}

/// Where a connection's next frames come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The socket, by the arena.
    Arena,
    /// Bytes that an earlier turn kept.
    Backlog,
    /// The socket, straight into the buffer of a long unfinished frame.
    Direct,
}

impl<N: Net> Reactor<N> {
    /// Reads and delivers what a connection has, within its budget of this turn.
    pub(crate) fn receive(&mut self, slot: u32, events: &mut Events) {
        self.receive_within(slot, events, Budget { frames: FRAMES_PER_TURN, bytes: BYTES_PER_TURN });
    }

    fn receive_within(&mut self, slot: u32, events: &mut Events, mut budget: Budget) {
        loop {
            let connection = &self.connections[slot as usize];
            const RESTS: u16 =
                Flags::PAUSED | Flags::CONTROL_FULL | Flags::DIALLING | Flags::CLOSING | Flags::READS_NO_MORE;
            if connection.flags.any(RESTS) {
                if connection.flags.any(Flags::CLOSING) {
                    self.discard(slot);
                } else if connection.flags.any(Flags::READS_NO_MORE) {
                    self.say_last_words(slot);
                } else if connection.flags.any(Flags::DIALLING) {
                    self.read_upgrade(slot);
                }
                // Else it is still marked readable; resuming lists it again.
                return;
            }
            let source = match &connection.inbound {
                None => Source::Arena,
                Some(inbound) if inbound.is_backlog() => Source::Backlog,
                Some(inbound) if reads_direct(inbound) => Source::Direct,
                Some(_) => Source::Arena,
            };
            if source != Source::Backlog && !connection.flags.any(Flags::READABLE) {
                let ended = connection.flags.any(Flags::READ_ENDED);
                if ended && !self.options.get(connection.options).half_open {
                    self.peer_closed(slot);
                }
                return;
            }
            if budget.is_spent() || events.is_full() || events.arena.len() - events.lent < READ_BYTES_MIN {
                return self.list(slot);
            }
            let goes_on = match source {
                Source::Arena => self.read_into_arena(slot, events, &mut budget),
                Source::Backlog => self.cut_backlog(slot, events, &mut budget),
                Source::Direct => self.read_direct(slot, events, &mut budget),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// The way of most reads: news on a connection without an unfinished frame, and what comes is one whole frame.
    #[inline(always)]
    pub(crate) fn receive_usual(&mut self, id: ConnectionId, events: &mut Events) {
        let slot = id.slot();
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        if events.is_full() {
            return self.receive_later(id);
        }
        let base = events.lent;
        // A window of one size costs less than the exact room; what fills it is read on the long way.
        let Some(window) = events.arena.get_mut(base..).and_then(|rest| rest.first_chunk_mut::<WINDOW_BYTES>()) else {
            return self.receive_later(id);
        };
        let count = match self.net.recv(&connection.socket, window) {
            Ok(count) if count > 0 => count,
            other => return self.received_nothing(id, other),
        };
        // L1, L3: any byte proves life; once per read.
        if !self.monitor.heard_in_time(slot, self.heard_at) {
            return self.receive_after_silence(id, events, count);
        }
        self.counters.bytes_in += count as u64;
        let framing = self.options.framing(connection.options);
        let Some(head) = framing.and_then(|framing| framing.sole_message(window, count)) else {
            return self.receive_unusual(id, events, count);
        };
        self.counters.messages_in += 1;
        if let Some(statistics) = self.statistics.get_mut(slot as usize) {
            statistics.received(count);
            statistics.message_received();
        }
        events.lent = base + count;
        let (start, head, end) = (base as u32, head as u32, events.lent as u32);
        events.push(id, connection.user, RecordKind::Message { start, head, end });
    }

    /// The batch is full, or its arena.
    #[inline(never)]
    fn receive_later(&mut self, id: ConnectionId) {
        self.connections[id.slot() as usize].flags.set(Flags::READABLE);
        self.list(id.slot());
    }

    #[inline(never)]
    fn received_nothing(&mut self, id: ConnectionId, read: std::io::Result<usize>) {
        if self.read_nothing(id.slot(), read) {
            // A signal: the edge will not come again.
            self.receive_later(id);
        }
    }

    /// What was read ends a silence that takes a second look.
    #[inline(never)]
    fn receive_after_silence(&mut self, id: ConnectionId, events: &mut Events, count: usize) {
        self.monitor.heard(id.slot(), self.heard_at);
        self.counters.bytes_in += count as u64;
        self.receive_unusual(id, events, count);
    }

    /// What was read is a beat, or not just one frame.
    #[inline(never)]
    fn receive_unusual(&mut self, id: ConnectionId, events: &mut Events, count: usize) {
        let slot = id.slot();
        let connection = &mut self.connections[slot as usize];
        let mut statistics = self.statistics.get_mut(slot as usize);
        if let Some(statistics) = &mut statistics {
            statistics.received(count);
        }
        let entry = self.options.entry(connection.options);
        let bytes = &events.arena[events.lent..events.lent + count];
        let waits = connection.outbox.is_some() || connection.bundle != NO_BUNDLE;
        let beat = if entry.echoes_beats && !waits { entry.options.framing.sole_beat(bytes) } else { None };
        let Some(kind) = beat.filter(|_| count < WINDOW_BYTES) else {
            return self.receive_more(slot, events, count);
        };
        let (taken_for, owed) = self.monitor.take_beat(slot, beat_of(kind), self.heard_at);
        if owed == Owed::Nothing {
            return self.counters.count_beat(taken_for);
        }
        // Only an ask is owed an answer.
        self.counters.asks_in += 1;
        // Nothing waits before it and it is there already: it leaves at once.
        self.counters.answers_out += 1;
        let sent = match self.net.send(&connection.socket, bytes) {
            Ok(sent) => sent,
            Err(error) => return self.answer_refused(slot, error, bytes),
        };
        self.counters.bytes_out += sent as u64;
        if let Some(statistics) = statistics {
            statistics.sent(sent, self.step);
        }
        if sent < count {
            let rest = self.sends.append(&[], &bytes[sent..]);
            self.sends.add(slot, &mut connection.bundle, Lane::Control, rest);
        }
    }

    /// An answer on the short way was not taken. It waits for the flush, but not if the socket is broken: what the flush
    /// would be told then is not what went wrong.
    #[cold]
    #[inline(never)]
    fn answer_refused(&mut self, slot: u32, error: std::io::Error, answer: &[u8]) {
        if is_hard(&error) {
            return self.write_failed(slot, &error, answer.len());
        }
        let connection = &mut self.connections[slot as usize];
        let range = self.sends.append(&[], answer);
        self.sends.add(slot, &mut connection.bundle, Lane::Control, range);
    }

    /// What was read is not just one frame.
    #[inline(never)]
    fn receive_more(&mut self, slot: u32, events: &mut Events, count: usize) {
        let mut budget = Budget { frames: FRAMES_PER_TURN, bytes: BYTES_PER_TURN - count };
        if count == WINDOW_BYTES {
            self.connections[slot as usize].flags.set(Flags::READABLE);
        }
        let filled = events.lent + count;
        if self.cut_arena(slot, events, filled, None, &mut budget) {
            self.receive_within(slot, events, budget);
        }
    }

    /// Reads behind what is lent of the arena and cuts there. False: there is no more to do for now.
    fn read_into_arena(&mut self, slot: u32, events: &mut Events, budget: &mut Budget) -> bool {
        let connection = &mut self.connections[slot as usize];
        let base = events.lent;
        // A short unfinished frame is joined with what comes now.
        let kept = connection.take_inbound();
        let mut from = base;
        if let Some(kept) = &kept {
            let rest = &kept.bytes[kept.cut..];
            from += rest.len();
            events.arena[base..from].copy_from_slice(rest);
        }
        let buffer = &mut events.arena[from..];
        let room = buffer.len().min(budget.bytes.max(READ_BYTES_MIN));
        let count = match self.net.recv(&connection.socket, &mut buffer[..room]) {
            Ok(count) if count > 0 => count,
            other => {
                if let Some(kept) = kept {
                    connection.set_inbound(kept);
                }
                return self.read_nothing(slot, other);
            }
        };
        // R1: a short read proves the socket empty, but not while the read side is closed.
        if count < room && !connection.flags.any(Flags::READ_CLOSED | Flags::WRITE_FAILED) {
            connection.flags.clear(Flags::READABLE);
        }
        budget.bytes = budget.bytes.saturating_sub(count);
        self.heard(slot, count);
        if let Some(kept) = &kept {
            self.counters.partial_bytes_now -= kept.memory() as u64;
        }
        self.cut_arena(slot, events, from + count, kept, budget)
    }

    /// Reads straight into the buffer of a long unfinished frame, not beyond its end where that is known.
    fn read_direct(&mut self, slot: u32, events: &mut Events, budget: &mut Budget) -> bool {
        let connection = &mut self.connections[slot as usize];
        let Some(inbound) = connection.inbound.as_mut() else { return true };
        let have = inbound.bytes.len();
        let memory = inbound.memory();
        // F2: memory grows with bytes received, never with bytes promised.
        let growth = have.clamp(READ_BYTES_MIN, GROWTH_BYTES_MAX);
        let room = if inbound.exact { growth.min(inbound.need - have) } else { growth };
        let room = room.min(budget.bytes.max(READ_BYTES_MIN));
        inbound.bytes.reserve_exact(room);
        let grown = inbound.memory() - memory;
        inbound.bytes.resize(have + room, 0);
        let read = self.net.recv(&connection.socket, &mut inbound.bytes[have..]);
        let count = *read.as_ref().unwrap_or(&0);
        inbound.bytes.truncate(have + count);
        self.counters.partial_bytes_now += grown as u64;
        let is_over = self.counters.partial_bytes_now as usize > self.config.partial_bytes_max;
        if count == 0 {
            if is_over {
                // Nobody has exceeded the cap: the room was for bytes that did not come.
                let with_room = inbound.memory();
                inbound.bytes.shrink_to_fit();
                self.counters.partial_bytes_now -= (with_room - inbound.memory()) as u64;
            }
            return self.read_nothing(slot, read);
        }
        if count < room && !connection.flags.any(Flags::READ_CLOSED | Flags::WRITE_FAILED) {
            connection.flags.clear(Flags::READABLE);
        }
        let whole = inbound.bytes.len() >= inbound.need;
        if whole {
            inbound.need = 0;
        }
        budget.bytes = budget.bytes.saturating_sub(count);
        self.heard(slot, count);
        if is_over {
            self.end(slot, Reason::OverLimit, 0, ClosedBy::Heartline);
            return false;
        }
        if whole { self.cut_backlog(slot, events, budget) } else { true }
    }

    /// A read gave no byte: the socket is empty, ended or broken.
    #[inline(never)]
    fn read_nothing(&mut self, slot: u32, read: std::io::Result<usize>) -> bool {
        let connection = &mut self.connections[slot as usize];
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                connection.flags.clear(Flags::READABLE);
                if connection.flags.any(Flags::WRITE_FAILED) {
                    self.end_failed(slot, 0);
                }
            }
            Ok(_) => {
                connection.flags.clear(Flags::READABLE);
                if !connection.flags.any(Flags::READ_ENDED) || connection.flags.any(Flags::WRITE_FAILED) {
                    connection.flags.set(Flags::READ_ENDED);
                    self.read_ended(slot);
                } else if !self.options.get(connection.options).half_open {
                    self.peer_closed(slot);
                }
            }
            Err(error) => self.end_failed(slot, error.raw_os_error().unwrap_or(0)),
        }
        false
    }

    /// The peer sent FIN, and all that came before it is delivered. What the application sends in reply to this batch
    /// is still flushed: the end comes with the next turn (R13).
    pub(crate) fn read_ended(&mut self, slot: u32) {
        let connection = &self.connections[slot as usize];
        if connection.flags.any(Flags::WRITE_FAILED) {
            return self.end_failed(slot, 0);
        }
        if self.options.get(connection.options).half_open {
            self.forget_inbound(slot);
            // It has said that nothing more comes: its silence proves nothing, the output limit judges it.
            self.monitor.pause(slot, self.now);
            return self.tell_of(slot, RecordKind::ReadClosed);
        }
        self.list(slot);
    }

    /// The turn after the peer's FIN was read: nothing more comes in, and what is queued goes out (R13).
    pub(crate) fn peer_closed(&mut self, slot: u32) {
        if self.queued(slot) == 0 {
            return self.end(slot, Reason::PeerClosed, 0, ClosedBy::Peer);
        }
        self.begin_closing(slot, Reason::PeerClosed, ClosedBy::Peer);
    }

    /// A closing connection's bytes go nowhere; only the peer's end counts.
    #[inline(never)]
    fn discard(&mut self, slot: u32) {
        if self.connections[slot as usize].flags.any(Flags::WRITE_FAILED) {
            // Neither what is queued nor our FIN can leave: there is nothing to wait for.
            return self.end_closing(slot);
        }
        let mut scratch = [0; 4096];
        for _ in 0..FRAMES_PER_TURN {
            let connection = &mut self.connections[slot as usize];
            match self.net.recv(&connection.socket, &mut scratch) {
                Ok(count) if count > 0 => self.heard(slot, count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    connection.flags.clear(Flags::READABLE);
                    return;
                }
                Ok(_) => {
                    connection.flags.clear(Flags::READABLE);
                    connection.flags.set(Flags::READ_ENDED);
                    return self.closing_progressed(slot);
                }
                // A signal: the socket is well, and what is queued still leaves.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return self.end_closing(slot),
            }
        }
        self.list(slot);
    }

    /// L1: any byte proves life.
    #[inline]
    pub(crate) fn heard(&mut self, slot: u32, count: usize) {
        self.monitor.heard(slot, self.heard_at);
        self.counters.bytes_in += count as u64;
        if let Some(statistics) = self.statistics.get_mut(slot as usize) {
            statistics.received(count);
        }
    }
}

/// Whether the next read goes into the frame's own buffer.
fn reads_direct(inbound: &Inbound) -> bool {
    inbound.bytes.len() > REJOIN_BYTES_MAX || (inbound.exact && inbound.need > READ_BYTES_MIN)
}
