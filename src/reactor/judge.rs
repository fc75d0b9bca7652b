//! What the monitor finds, carried out: asks, verdicts, last looks, limits, autopsies.

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::errno::ETIMEDOUT;
use super::events::RecordKind;
use super::net::{Look, Net, Parting};
use super::obituary::ClosedBy;
use super::reason::Reason;
use super::turn::earlier;
use crate::liveness::{Verdict, VerdictKind};
use crate::time::Millis;

/// A descriptor declared dead, kept to see whether it was.
pub(crate) struct Autopsy<S> {
    pub(crate) socket: S,
    pub(crate) ends: Millis,
}

impl<N: Net> Reactor<N> {
    /// Turns the wheel, last in the turn: every byte that had come by the end of the wait has been heard, unless the
    /// batch had no room for it; then the last look finds it (L6, L8).
    pub(crate) fn judge(&mut self) {
        if !self.may_tell() || self.monitor.deadline().is_none_or(|deadline| deadline > self.now) {
            return;
        }
        let mut verdicts = std::mem::take(&mut self.verdicts);
        verdicts.clear();
        self.monitor.advance(self.now, &mut verdicts);
        // It has spent the promise: what the application takes from here on is measured too (L5).
        self.monitor.promise(self.monitor.deadline());
        for verdict in &verdicts {
            self.carry_out(verdict);
        }
        self.verdicts = verdicts;
        self.took_until(self.net.now_ns());
    }

    fn carry_out(&mut self, verdict: &Verdict) {
        let slot = verdict.peer;
        match verdict.kind {
            VerdictKind::Stalled => {
                self.counters.stalls += 1;
                self.counters.stalled_ms += u64::from(verdict.silence_ms);
                self.tell(ConnectionId::NONE, 0, RecordKind::Stalled { ms: verdict.silence_ms });
            }
            VerdictKind::MassSilence { silent, of } => {
                self.counters.mass_silences += 1;
                self.tell(ConnectionId::NONE, 0, RecordKind::MassSilence { silent, of });
            }
            // The connection may have ended by an earlier verdict of this turn.
            _ if !self.connections.contains(slot as usize) => {}
            VerdictKind::Ask => self.ask(slot),
            VerdictKind::Suspect => self.suspect(slot, verdict.silence_ms),
            VerdictKind::Revived => {
                self.counters.revived += 1;
                self.tell_of(slot, RecordKind::Revived { silence_ms: verdict.silence_ms });
            }
            VerdictKind::Dead => self.propose_death(slot),
            VerdictKind::Limit => self.check_limits(slot),
        }
    }

    /// Nobody is suspect whose bytes wait because we chose not to read them: paused, resting, or out of budget (L10).
    fn suspect(&mut self, slot: u32, silence_ms: u32) {
        let connection = &self.connections[slot as usize];
        let rests = connection.flags.any(Flags::PAUSED | Flags::CONTROL_FULL | Flags::READABLE);
        match if rests { self.last_look(slot) } else { Look::Nothing } {
            Look::Bytes => self.monitor.spare(slot, self.heard_at),
            // The look has taken the error: it ends here or never.
            Look::Failed(error) => self.end_failed(slot, error),
            Look::End | Look::Nothing => {
                self.counters.suspects += 1;
                self.tell_of(slot, RecordKind::Suspect { silence_ms });
            }
        }
    }

    /// L6: a byte in the socket saves the peer; also of one whose reading is paused (L10). Who has said goodbye was not
    /// silent.
    fn propose_death(&mut self, slot: u32) {
        let connection = &self.connections[slot as usize];
        if connection.flags.any(Flags::READ_ENDED) && !self.options.get(connection.options).half_open {
            // Nobody read on.
            return self.peer_closed(slot);
        }
        match self.last_look(slot) {
            Look::Bytes => self.save(slot),
            Look::End => self.found_end(slot),
            Look::Failed(error) => self.end_failed(slot, error),
            Look::Nothing => self.end(slot, Reason::Silent, 0, ClosedBy::Heartline),
        }
    }

    fn last_look(&mut self, slot: u32) -> Look {
        let connection = &self.connections[slot as usize];
        let has_backlog = connection.inbound.as_ref().is_some_and(|inbound| inbound.is_backlog());
        match self.net.last_look(&connection.socket) {
            // The goodbye stands behind messages that were read and are not delivered yet.
            Look::End if has_backlog => Look::Bytes,
            look => look,
        }
    }

    /// What waits in the socket is to be read, now or when reading goes on.
    fn save(&mut self, slot: u32) {
        self.counters.last_looks_saved += 1;
        self.monitor.heard(slot, self.heard_at);
        let flags = &mut self.connections[slot as usize].flags;
        flags.set(Flags::READABLE);
        if !flags.any(Flags::PAUSED | Flags::CONTROL_FULL) {
            self.list(slot);
        }
    }

    /// The last look found the peer's FIN, unread: of a paused connection, or its edge was lost (R13).
    fn found_end(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        connection.flags.clear(Flags::READABLE);
        connection.flags.set(Flags::READ_ENDED);
        if connection.flags.any(Flags::WRITE_FAILED) || self.options.get(connection.options).half_open {
            self.read_ended(slot)
        } else {
            self.peer_closed(slot)
        }
    }

    /// L10: which of a connection's limits is over, if any; else when the next one is.
    fn check_limits(&mut self, slot: u32) {
        let now = self.attended(self.now);
        let connection = &self.connections[slot as usize];
        let limits = self.options.get(connection.options).limits;
        let flags = connection.flags;
        let mut next: Option<Millis> = None;
        let mut over = |began: Option<Millis>, limit_ms: u32| {
            let ends = began.filter(|_| limit_ms > 0).map(|began| began + u64::from(limit_ms));
            next = earlier(next, ends.filter(|ends| *ends > now));
            ends.is_some_and(|ends| ends <= now)
        };
        let began = self.dialling.get(&slot).copied();
        let upgrade_ms = self.upgrade_limit_ms(slot);
        if over(began, upgrade_ms.unwrap_or(limits.connect_ms)) {
            return match upgrade_ms {
                Some(_) => self.upgrade_late(slot),
                None => self.connect_failed(slot, Reason::ConnectTimeout, ETIMEDOUT),
            };
        }
        if let Some(closing) = self.closing.get(&slot) {
            if closing.until <= now {
                return self.end_closing(slot);
            }
            next = Some(closing.until);
        } else {
            let began =
                connection.outbox.as_ref().filter(|_| !flags.any(Flags::DIALLING)).map(|outbox| outbox.progress);
            if over(began, limits.output_ms) {
                return self.end(slot, Reason::OutputStalled, 0, ClosedBy::Heartline);
            }
            let began = connection
                .inbound
                .as_ref()
                .filter(|inbound| {
                    !inbound.bytes.is_empty()
                        && !inbound.is_backlog()
                        && !flags.any(Flags::PAUSED | Flags::CONTROL_FULL)
                })
                .map(|inbound| inbound.begun);
            if over(began, limits.frame_ms) {
                return self.end(slot, Reason::FrameStalled, 0, ClosedBy::Heartline);
            }
            if !flags.any(Flags::FIRST_FRAME_DUE) {
                self.first_frames.remove(&slot);
            } else if !flags.any(Flags::PAUSED | Flags::CONTROL_FULL) {
                let began = self.first_frames.get(&slot).copied();
                if over(began, limits.first_frame_ms) {
                    return self.end(slot, Reason::FirstFrameLate, 0, ClosedBy::Heartline);
                }
            }
        }
        if let Some(next) = next {
            self.monitor.limit(slot, self.now + next.since(now));
        }
        // A write that the kernel refused for want of memory has no edge to wait for.
        let connection = &self.connections[slot as usize];
        if connection.outbox.is_some() && connection.flags.any(Flags::WRITABLE) {
            self.write_outbox(slot);
        }
    }

    /// Limits may be nearer than what the wheel knows: it brings the connection up in the next turn.
    pub(crate) fn look_at_limits(&mut self, slot: u32) {
        self.monitor.limit(slot, self.now);
    }

    /// Reading had rested by our own doing: its limits begin anew.
    pub(crate) fn read_again(&mut self, slot: u32) {
        let now = self.attended(self.now);
        if let Some(inbound) = &mut self.connections[slot as usize].inbound {
            inbound.begun = now;
        }
        if let Some(began) = self.first_frames.get_mut(&slot) {
            *began = now;
        }
        self.look_at_limits(slot);
        self.list(slot);
    }

    /// Opens what was kept: bytes that came after the death say that it was none.
    #[inline]
    pub(crate) fn end_autopsies(&mut self) {
        if !self.autopsies.is_empty() {
            self.end_some_autopsies();
        }
    }

    // Its buffer shall not lie on the stack of every turn.
    #[inline(never)]
    fn end_some_autopsies(&mut self) {
        // When a drain has ended all others, nothing is left to wait for.
        let over = self.drain.is_some() && self.is_empty() && self.ended.is_empty();
        while self.autopsies.front().is_some_and(|autopsy| over || autopsy.ends <= self.now) {
            let Some(Autopsy { socket, .. }) = self.autopsies.pop_front() else { return };
            let mut scratch = [0; 4096];
            let mut bytes = 0;
            while let Ok(count) = self.net.recv(&socket, &mut scratch) {
                if count == 0 || bytes > 1 << 20 {
                    break;
                }
                bytes += count as u64;
            }
            self.counters.autopsies += 1;
            self.counters.false_deaths += u64::from(bytes > 0);
            self.counters.false_death_bytes += bytes;
            self.net.close(socket, Parting::Abort);
            self.retry_accepting();
        }
    }
}
