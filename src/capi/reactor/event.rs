//! Events as C reads them: 64 bytes each.

use crate::capi::HEARTLINE_OFF;
use crate::capi::monitor::{HEARTLINE_BEAT_ANSWER, HEARTLINE_BEAT_ASK};
use crate::liveness::Beat;
use crate::reactor::{Event, EventKind, Obituary, PauseCause};

/// Something that happened. Bytes at `data` are borrowed until the next heartline_reactor_poll of this reactor.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_event {
    /// Which connection; 0 for events of the reactor itself.
    pub id: u64,
    /// The application's word of that connection. Later events of a closed id in the same batch still carry it: free what
    /// it points to at CLOSED or CONNECT_FAILED, nowhere else.
    pub user: u64,
    /// MESSAGE: the message. BEAT: the whole frame. UNSENT: the frame, or the message that was given to the mailbox.
    pub data: *const u8,
    /// Its bytes.
    pub len: u32,
    /// MESSAGE: bytes of the head, which lies just before `data`.
    pub head_len: u16,
    /// HEARTLINE_EVENT_. More kinds may come: pass over those you do not know.
    pub kind: u8,
    /// 0.
    pub flags: u8,
    /// CLOSED, CONNECT_FAILED: HEARTLINE_REASON_, from 256 the application's own.
    pub reason: u16,
    /// OPENED, ACCEPT_PAUSED, ACCEPT_RESUMED: the listener; HEARTLINE_NO_LISTENER if there is none.
    pub listener: u16,
    /// CLOSED, CONNECT_FAILED: errno, or 0.
    pub os_error: i32,
    /// CLOSED, SUSPECT, REVIVED: attended milliseconds since the last byte. STALLED: how long. MASS_SILENCE: of how many.
    pub silence_ms: u32,
    /// CLOSED: the last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    pub rtt_ms: u32,
    /// CLOSED, FULL: bytes that wait, or were never sent.
    pub queued_bytes: u32,
    /// BEAT: HEARTLINE_BEAT_, what it was taken for. ACCEPT_PAUSED: HEARTLINE_PAUSE_. MASS_SILENCE: how many are silent.
    pub detail: u32,
    /// 0, in every event: for fields to come.
    pub reserved: u64,
}

const _: () = assert!(size_of::<heartline_event>() == 64);

/// Event: a connection lives: accepted, dialled or adopted. Of an accepted one nothing else is told in this batch, so that
/// what HEARTLINE_SET_USER gives it now is in all its later events.
pub const HEARTLINE_EVENT_OPENED: u8 = 1;
/// Event: a whole message came.
pub const HEARTLINE_EVENT_MESSAGE: u8 = 2;
/// Event: the end, once for each that was OPENED. The id is stale.
pub const HEARTLINE_EVENT_CLOSED: u8 = 3;
/// Event: silent for suspect_ms; it may still revive.
pub const HEARTLINE_EVENT_SUSPECT: u8 = 4;
/// Event: a suspect was heard again.
pub const HEARTLINE_EVENT_REVIVED: u8 = 5;
/// Event: the outbox is over its high mark. Once until DRAINED.
pub const HEARTLINE_EVENT_FULL: u8 = 6;
/// Event: the outbox has fallen to its low mark.
pub const HEARTLINE_EVENT_DRAINED: u8 = 7;
/// Event: a dialled connection was never established. The id is stale.
pub const HEARTLINE_EVENT_CONNECT_FAILED: u8 = 8;
/// Event: what was accepted for sending will not be sent.
pub const HEARTLINE_EVENT_UNSENT: u8 = 9;
/// Event: this process was stopped or busy; the time counts for nobody.
pub const HEARTLINE_EVENT_STALLED: u8 = 10;
/// Event: a listener accepts no more for now.
pub const HEARTLINE_EVENT_ACCEPT_PAUSED: u8 = 11;
/// Event: it accepts again.
pub const HEARTLINE_EVENT_ACCEPT_RESUMED: u8 = 12;
/// Event: the peer sends no more (half_open); sending goes on.
pub const HEARTLINE_EVENT_READ_CLOSED: u8 = 13;
/// Event: so many fell silent together that it is our own uplink; verdicts are held.
pub const HEARTLINE_EVENT_MASS_SILENCE: u8 = 14;
/// Event: a beat came (deliver_beats). It is answered already.
pub const HEARTLINE_EVENT_BEAT: u8 = 15;

/// In heartline_event.listener: none.
pub const HEARTLINE_NO_LISTENER: u16 = u16::MAX;
/// In heartline_event.detail of ACCEPT_PAUSED: no descriptor or no memory is left.
pub const HEARTLINE_PAUSE_OUT_OF_DESCRIPTORS: u32 = 1;
/// In heartline_event.detail of ACCEPT_PAUSED: connections_max is reached.
pub const HEARTLINE_PAUSE_CONNECTIONS_MAX: u32 = 2;

/// By number, each with its NUL.
pub(in crate::capi) const EVENT_NAMES: &str = concat!(
    "none\0",
    "opened\0",
    "message\0",
    "closed\0",
    "suspect\0",
    "revived\0",
    "full\0",
    "drained\0",
    "connect_failed\0",
    "unsent\0",
    "stalled\0",
    "accept_paused\0",
    "accept_resumed\0",
    "read_closed\0",
    "mass_silence\0",
    "beat\0",
);

impl heartline_event {
    /// The usual event, written field by field into the caller's array.
    #[inline(always)]
    pub(super) fn of_message(event: &Event<'_>, head: &[u8], message: &[u8]) -> Self {
        // A custom codec may put something between them; such a head is not shown.
        let is_before = head.as_ptr_range().end == message.as_ptr();
        Self {
            id: event.id.get(),
            user: event.user,
            data: message.as_ptr(),
            len: message.len() as u32,
            head_len: if is_before { u16::try_from(head.len()).unwrap_or(0) } else { 0 },
            kind: HEARTLINE_EVENT_MESSAGE,
            flags: 0,
            reason: 0,
            listener: HEARTLINE_NO_LISTENER,
            os_error: 0,
            silence_ms: 0,
            rtt_ms: 0,
            queued_bytes: 0,
            detail: 0,
            reserved: 0,
        }
    }

    /// Any other. `obituary` is asked for at an end alone.
    pub(super) fn of<'a>(event: &Event<'_>, obituary: impl FnOnce() -> Option<&'a Obituary>) -> Self {
        let mut shown = Self::of_message(event, &[], &[]);
        shown.data = std::ptr::null();
        shown.fill(&event.kind, obituary);
        shown
    }

    fn lend(&mut self, bytes: &[u8]) {
        self.data = bytes.as_ptr();
        self.len = bytes.len() as u32;
    }

    fn fill<'a>(&mut self, kind: &EventKind<'_>, obituary: impl FnOnce() -> Option<&'a Obituary>) {
        let listener_number = |index: u32| u16::try_from(index).unwrap_or(HEARTLINE_NO_LISTENER);
        self.kind = match *kind {
            EventKind::Message { .. } => HEARTLINE_EVENT_MESSAGE,
            EventKind::Opened { listener } => {
                self.listener = listener.map_or(HEARTLINE_NO_LISTENER, |listener| listener_number(listener.index()));
                HEARTLINE_EVENT_OPENED
            }
            EventKind::Beat { beat, frame } => {
                self.lend(frame);
                self.detail = if beat == Beat::Answer { HEARTLINE_BEAT_ANSWER } else { HEARTLINE_BEAT_ASK };
                HEARTLINE_EVENT_BEAT
            }
            // Never told: no option of this interface leaves an upgrade to the application.
            #[cfg(feature = "websocket")]
            EventKind::Upgrade { .. } => 0,
            EventKind::Suspect { silence_ms } => {
                self.silence_ms = silence_ms;
                HEARTLINE_EVENT_SUSPECT
            }
            EventKind::Revived { silence_ms } => {
                self.silence_ms = silence_ms;
                HEARTLINE_EVENT_REVIVED
            }
            EventKind::Full { queued_bytes } => {
                self.queued_bytes = queued_bytes;
                HEARTLINE_EVENT_FULL
            }
            EventKind::Drained => HEARTLINE_EVENT_DRAINED,
            EventKind::ReadClosed => HEARTLINE_EVENT_READ_CLOSED,
            EventKind::Closed { reason, os_error, silence_ms, queued_bytes } => {
                self.reason = reason.code();
                self.os_error = os_error;
                self.silence_ms = silence_ms;
                self.queued_bytes = queued_bytes;
                self.rtt_ms = obituary().and_then(|obituary| obituary.rtt_ms).unwrap_or(HEARTLINE_OFF);
                HEARTLINE_EVENT_CLOSED
            }
            EventKind::ConnectFailed { reason, os_error } => {
                self.reason = reason.code();
                self.os_error = os_error;
                HEARTLINE_EVENT_CONNECT_FAILED
            }
            EventKind::Unsent { frame } => {
                self.lend(frame);
                HEARTLINE_EVENT_UNSENT
            }
            EventKind::Stalled { ms } => {
                self.silence_ms = ms;
                HEARTLINE_EVENT_STALLED
            }
            EventKind::AcceptPaused { listener, cause } => {
                self.listener = listener_number(listener.index());
                self.detail = match cause {
                    PauseCause::OutOfDescriptors => HEARTLINE_PAUSE_OUT_OF_DESCRIPTORS,
                    PauseCause::ConnectionsMax => HEARTLINE_PAUSE_CONNECTIONS_MAX,
                };
                HEARTLINE_EVENT_ACCEPT_PAUSED
            }
            EventKind::AcceptResumed { listener } => {
                self.listener = listener_number(listener.index());
                HEARTLINE_EVENT_ACCEPT_RESUMED
            }
            EventKind::MassSilence { silent, of } => {
                self.detail = silent;
                self.silence_ms = of;
                HEARTLINE_EVENT_MASS_SILENCE
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::ConnectionId;

    #[test]
    fn a_mass_silence_leaves_what_is_reserved_alone() {
        let event = Event { id: ConnectionId::NONE, user: 0, kind: EventKind::MassSilence { silent: 7, of: 9 } };
        let shown = heartline_event::of(&event, || None);
        assert_eq!((shown.kind, shown.detail, shown.silence_ms), (HEARTLINE_EVENT_MASS_SILENCE, 7, 9));
        assert_eq!((shown.id, shown.flags, shown.reserved, shown.data.is_null()), (0, 0, 0, true));
    }
}
