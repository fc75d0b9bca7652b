//! Endings: exactly one for each connection (R8), prepared at once and carried out in bounded steps, so that ten
//! thousand that end together do not keep the living waiting (L8).

use std::fmt;

use super::connection::{Connection, ConnectionId, Flags, NO_BUNDLE};
use super::core::Reactor;
use super::errno::is_of_peer;
use super::events::{Events, RecordKind};
use super::intake::LastWords;
use super::judge::Autopsy;
use super::net::{Net, Parting};
use super::obituary::{ClosedBy, Obituary};
use super::options::AUTOPSIES_MAX;
use super::reason::Reason;
use super::sends::Lane;
use crate::time::Millis;

/// Sockets given up in one turn.
pub(crate) const BURIALS_PER_TURN: usize = 256;

/// How the application closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Send what is queued, then FIN, then wait for the peer's; all within `limits.close_ms`. No more messages are
    /// delivered, and `send` says Closing.
    Flush,
    /// Now; what is queued is lost (and counted in the obituary).
    AtOnce,
    /// Now, with a reset: the kernel keeps nothing.
    Abort,
}

/// Why a connection cannot be closed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseError {
    /// The id is of no live connection: it may have ended already.
    Stale,
    /// Codes below 256 are Heartline's own.
    CodeReserved(u16),
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("the id is of no live connection"),
            Self::CodeReserved(code) => write!(f, "code {code} is below 256, the first of the application's codes"),
        }
    }
}

impl std::error::Error for CloseError {}

/// A connection that is on its way out.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) reason: Reason,
    pub(crate) by: ClosedBy,
    /// Attended time at which patience ends.
    pub(crate) until: Millis,
}

/// A connection that has ended; its slot may have a new tenant already.
pub(crate) struct Ended<S> {
    socket: S,
    obituary: Obituary,
    parting: Parting,
    told: Told,
}

/// What the application is told of an end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Closed,
    /// It was dialled and never Opened.
    ConnectFailed,
    /// It was accepted and never Opened, and nobody knows of it.
    Nothing,
}

impl<N: Net> Reactor<N> {
    /// Closes a connection. Its Closed event comes with a later poll, with `code` (from 256 up) or `local` as reason;
    /// without a code, a flush after the peer's own FIN (`ReadClosed`) is `peer_closed`.
    /// Closing twice is no error while it lasts: the second may only be quicker, the reason is that of the first.
    pub fn close(&mut self, id: ConnectionId, how: Close, code: Option<u16>) -> Result<(), CloseError> {
        let reason = match code {
            None => Reason::Local,
            Some(code) if code >= 256 => Reason::Application(code),
            Some(code) => return Err(CloseError::CodeReserved(code)),
        };
        let Some(flags) = self.live(id).map(|connection| connection.flags) else { return Err(CloseError::Stale) };
        let slot = id.slot();
        self.read_clock_in_call();
        match how {
            Close::Flush if !flags.any(Flags::DIALLING) => {
                if !flags.any(Flags::CLOSING) {
                    self.say_goodbye(slot, reason);
                    self.write_bundle_of(slot);
                    // R13: with `half_open` the application only sees off a peer that has ended already.
                    let (reason, by) = match code {
                        None if flags.any(Flags::READ_ENDED) => (Reason::PeerClosed, ClosedBy::Peer),
                        _ => (reason, ClosedBy::Application),
                    };
                    self.begin_closing(slot, reason, by);
                }
            }
            Close::Flush | Close::AtOnce | Close::Abort => {
                // One reason: a close that is under way is only made quicker.
                let begun = self.closing.get(&slot).map(|closing| (closing.reason, closing.by));
                let (reason, by) = begun.unwrap_or((reason, ClosedBy::Application));
                let parting = if how == Close::Abort { Parting::Abort } else { Parting::Orderly };
                self.end_by(slot, reason, 0, by, parting);
            }
        }
        self.show_work();
        Ok(())
    }

    /// Behind all that is queued, what the codec says at the end. False if it says nothing.
    pub(crate) fn say_goodbye(&mut self, slot: u32, reason: Reason) -> bool {
        let connection = &mut self.connections[slot as usize];
        if !connection.flags.takes_sends() {
            return false;
        }
        let framing = &self.options.get(connection.options).framing;
        let words = self.last_words.get(&slot);
        let said = self.sends.build(|out| match words {
            Some(LastWords::Goodbye(ours)) => {
                out.extend_from_slice(ours);
                Ok(())
            }
            Some(LastWords::Bad(error)) => framing.close(error.close_status(), out).then_some(()).ok_or(()),
            None => framing.close(close_status(reason), out).then_some(()).ok_or(()),
        });
        if let Ok(range) = said {
            self.sends.add(slot, &mut connection.bundle, Lane::Data, range);
            self.write_bundle_of(slot);
        }
        said.is_ok()
    }

    /// Flush, FIN, wait for the peer's FIN, within `close_ms`.
    pub(crate) fn begin_closing(&mut self, slot: u32, reason: Reason, by: ClosedBy) {
        let connection = &mut self.connections[slot as usize];
        if connection.flags.any(Flags::CLOSING) {
            return;
        }
        connection.flags.set(Flags::CLOSING);
        connection.flags.clear(Flags::PAUSED | Flags::CONTROL_FULL);
        let close_ms = u64::from(self.options.get(connection.options).limits.close_ms);
        let until = self.attended(self.now) + close_ms;
        self.closing.insert(slot, Closing { reason, by, until });
        self.forget_inbound(slot);
        // It is judged no more; its own limit ends it.
        self.monitor.pause(slot, self.now);
        self.monitor.limit(slot, self.now + close_ms);
        // What the peer still sends is read and forgotten: unread bytes would turn our FIN into a reset.
        self.list(slot);
        self.closing_progressed(slot);
    }

    /// Something of a closing connection was sent, or its peer has ended.
    pub(crate) fn closing_progressed(&mut self, slot: u32) {
        if self.queued(slot) > 0 {
            return;
        }
        let connection = &mut self.connections[slot as usize];
        if connection.flags.any(Flags::READ_ENDED) {
            return self.end_closing(slot);
        }
        let entry = self.options.entry(connection.options);
        if entry.dialled && entry.options.framing.is_websocket() && !connection.flags.any(Flags::DIALLING) {
            // RFC 6455 section 7.1.1: it is the server that ends the stream first.
            return;
        }
        if !connection.flags.any(Flags::FIN_SENT) {
            connection.flags.set(Flags::FIN_SENT);
            if self.net.shutdown_write(&connection.socket).is_err() {
                self.end_closing(slot);
            }
        }
    }

    /// The end of a closing connection.
    pub(crate) fn end_closing(&mut self, slot: u32) {
        let (reason, by) = match self.closing.get(&slot) {
            Some(closing) => (closing.reason, closing.by),
            None => (Reason::Local, ClosedBy::Application),
        };
        self.end(slot, reason, 0, by);
    }

    /// A connection whose socket failed.
    pub(crate) fn end_failed(&mut self, slot: u32, error: i32) {
        if self.connections[slot as usize].flags.any(Flags::CLOSING) {
            return self.end_closing(slot);
        }
        let error = match self.write_errors.get(&slot) {
            Some(&(written, _)) => written,
            None => error,
        };
        let (reason, by) =
            if is_of_peer(error) { (Reason::PeerReset, ClosedBy::Peer) } else { (Reason::OsError, ClosedBy::System) };
        self.end(slot, reason, error, by);
    }

    pub(crate) fn connect_failed(&mut self, slot: u32, reason: Reason, error: i32) {
        let by = if reason == Reason::ConnectTimeout { ClosedBy::Heartline } else { ClosedBy::Peer };
        self.end(slot, reason, error, by);
    }

    pub(crate) fn end(&mut self, slot: u32, reason: Reason, error: i32, by: ClosedBy) {
        // R7: a death, and whatever is broken, is aborted: no orphan stays in the kernel.
        let parting = match reason {
            Reason::Silent | Reason::FrameStalled | Reason::OutputStalled | Reason::PeerReset | Reason::OsError => {
                Parting::Abort
            }
            _ => Parting::Orderly,
        };
        self.end_by(slot, reason, error, by, parting);
    }

    /// The one place where a connection leaves its slot. The id is stale from here on; the rest follows in [`bury`](Self::bury).
    pub(crate) fn end_by(&mut self, slot: u32, reason: Reason, os_error: i32, by: ClosedBy, parting: Parting) {
        let connection = &self.connections[slot as usize];
        let told = if !connection.flags.any(Flags::DIALLING) {
            Told::Closed
        } else {
            match self.is_known_before_opening(slot) {
                None => Told::ConnectFailed,
                Some(true) => Told::Closed,
                Some(false) => Told::Nothing,
            }
        };
        let aside = self.options.get(connection.options).aside;
        let id = ConnectionId::new(slot, connection.generation);
        let lost = self.write_errors.get(&slot).map_or(0, |&(_, lost)| lost);
        let queued_bytes = self.queued(slot) + lost;
        let state = self.monitor.state(slot);
        let timeout_ms = state.as_ref().map_or(0, |state| self.monitor.policy(state.policy).timeout_ms);
        let silence_ms = state.as_ref().map_or(0, |state| state.silence_ms);
        let reason = self.unless_health_check(connection, silence_ms, reason);
        let statistics = self.statistics.get(slot as usize);
        let obituary = Obituary {
            id,
            user: connection.user,
            reason,
            closed_by: by,
            os_error,
            frame_error: match self.last_words.get(&slot) {
                Some(LastWords::Bad(error)) => Some(*error),
                _ => None,
            },
            address: statistics.and_then(|statistics| statistics.address()),
            age_ms: statistics.map_or(0, |statistics| statistics.age_ms(self.now)),
            silence_ms,
            overshoot_ms: if reason == Reason::Silent { silence_ms.saturating_sub(timeout_ms) } else { 0 },
            last_out_ms: statistics.and_then(|statistics| statistics.last_out_ms(self.now)),
            unanswered: state.as_ref().map_or(0, |state| state.unanswered),
            rtt_ms: state.as_ref().and_then(|state| state.rtt_ms),
            bytes_in: statistics.map_or(0, |statistics| statistics.bytes().0),
            bytes_out: statistics.map_or(0, |statistics| statistics.bytes().1),
            messages_in: statistics.map_or(0, |statistics| statistics.messages().0),
            messages_out: statistics.map_or(0, |statistics| statistics.messages().1),
            queued_bytes,
            stalls: statistics.map_or(0, |statistics| statistics.stalls(self.monitor.stalls().count)),
            tcp: None,
        };
        let socket = self.forget(slot);
        if reason == Reason::Silent {
            self.counters.deaths += 1;
            self.overshoots_ms.record(obituary.overshoot_ms);
        }
        if !aside {
            self.counters.count_close(reason);
        }
        self.ended.push_back(Ended { socket, obituary, parting, told });
    }

    /// A peer that came, sent nothing and left at once was a health check. Its silence is its age.
    fn unless_health_check(&self, connection: &Connection<N::Socket>, silence_ms: u32, reason: Reason) -> Reason {
        let entry = self.options.entry(connection.options);
        let limit_ms = if entry.dialled { 0 } else { entry.options.limits.health_check_ms };
        let left = matches!(reason, Reason::PeerClosed | Reason::PeerReset);
        // Who is through an upgrade has asked for one.
        let upgraded = self.begins_with_upgrade(connection.options) && !connection.flags.any(Flags::DIALLING);
        let said_nothing = connection.flags.any(Flags::FIRST_FRAME_DUE) && connection.inbound.is_none() && !upgraded;
        if left && said_nothing && silence_ms < limit_ms { Reason::HealthCheck } else { reason }
    }

    /// Takes a connection out of everything that knows its slot.
    pub(crate) fn forget(&mut self, slot: u32) -> N::Socket {
        self.forget_inbound(slot);
        self.forget_outbox(slot);
        let connection = self.connections.remove(slot as usize);
        if connection.bundle != NO_BUNDLE {
            self.sends.forget(connection.bundle);
        }
        let aside = self.options.get(connection.options).aside;
        self.options.release(connection.options);
        self.monitor.remove(slot);
        self.closing.remove(&slot);
        self.dialling.remove(&slot);
        self.first_frames.remove(&slot);
        self.write_errors.remove(&slot);
        self.last_words.remove(&slot);
        #[cfg(feature = "websocket")]
        self.upgrades.remove(&slot);
        self.deflating.forget(slot);
        self.uncount_address(slot);
        if aside {
            self.aside -= 1;
        } else {
            self.counters.connections_now -= 1;
        }
        connection.socket
    }

    /// A connection that could not be set up; nobody knows of it.
    pub(crate) fn abandon(&mut self, id: ConnectionId, parting: Parting) {
        let socket = self.forget(id.slot());
        self.net.close(socket, parting);
    }

    /// Gives up the sockets of ended connections and tells their ends: as many as a turn may, and as the batch has room.
    #[inline]
    pub(crate) fn bury(&mut self, events: &mut Events) {
        if !self.ended.is_empty() {
            self.bury_some(events);
        }
    }

    #[inline(never)]
    fn bury_some(&mut self, events: &mut Events) {
        // What was told of them before comes first.
        self.deliver_pending(events);
        for _ in 0..BURIALS_PER_TURN {
            if events.is_full() {
                break;
            }
            let Some(Ended { socket, mut obituary, parting, told }) = self.ended.pop_front() else { break };
            if told == Told::Nothing {
                self.net.close(socket, parting);
                continue;
            }
            if self.config.statistics && told == Told::Closed {
                obituary.tcp = self.net.tcp_info(&socket);
            }
            let (id, user, reason, os_error) = (obituary.id, obituary.user, obituary.reason, obituary.os_error);
            let kind = if told == Told::ConnectFailed {
                self.counters.connect_failed += 1;
                RecordKind::ConnectFailed { reason, os_error }
            } else {
                let queued = u32::try_from(obituary.queued_bytes).unwrap_or(u32::MAX);
                RecordKind::Closed { reason, os_error, silence_ms: obituary.silence_ms, queued }
            };
            events.push(id, user, kind);
            self.obituaries.insert(id, obituary);
            let autopsy = self.config.autopsy_ms > 0 && reason == Reason::Silent;
            if autopsy && self.autopsies.len() < AUTOPSIES_MAX {
                let _ = self.net.deregister(&socket);
                let _ = self.net.shutdown_write(&socket);
                self.autopsies.push_back(Autopsy { socket, ends: self.now + u64::from(self.config.autopsy_ms) });
            } else {
                self.net.close(socket, parting);
            }
        }
        self.retry_accepting();
    }
}

/// What a goodbye says of a reason, in the numbers of WebSocket. Codes of the application that are such numbers are
/// said as they are.
fn close_status(reason: Reason) -> u16 {
    match reason {
        Reason::Application(code @ (1000..=1003 | 1007..=1014 | 3000..=4999)) => code,
        Reason::Drained => 1001,
        _ => 1000,
    }
}
