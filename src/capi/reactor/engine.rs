//! What is behind the pointer: the reactor, the batch that is being given out, and the host's log.

use std::ffi::{CString, c_void};
use std::io;

use super::{
    HEARTLINE_LOG_BUG, HEARTLINE_LOG_INFO, HEARTLINE_LOG_WARN, heartline_event, heartline_log_fn, heartline_options,
};
use crate::capi::codec::{framing, heartline_codec};
use crate::capi::codes::*;
use crate::capi::guard::Guest;
use crate::capi::os;
use crate::capi::policy::Policies;
use crate::capi::sized;
use crate::reactor::{ConnectionId, Event, EventKind, Events, Options, Reactor};

pub(super) struct Engine {
    pub(super) reactor: Reactor,
    pub(super) events: Events,
    /// Events of the batch before this are given out.
    pub(super) given: usize,
    pub(super) policies: Policies,
    /// errno of the last HEARTLINE_ERR_OS.
    pub(super) os_error: i32,
    pub(super) released: (Vec<u8>, Vec<u8>),
    log: heartline_log_fn,
    log_context: *mut c_void,
}

// The header says that log and context go wherever the reactor goes; it is the only pointer in there.
// SAFETY: as above.
unsafe impl Send for Engine {}

impl Engine {
    pub(super) fn new(reactor: Reactor, batch_bytes: usize, log: heartline_log_fn, log_context: *mut c_void) -> Self {
        let policies = Policies::new(reactor.default_policy());
        Self {
            reactor,
            events: Events::with_capacity(1024, batch_bytes),
            given: 0,
            policies,
            os_error: 0,
            released: (Vec::new(), Vec::new()),
            log,
            log_context,
        }
    }

    /// Keeps what the operating system said.
    pub(super) fn os_error(&mut self, error: &io::Error) -> i32 {
        match error.kind() {
            io::ErrorKind::QuotaExceeded => HEARTLINE_ERR_TOO_MANY,
            // Found before the system was asked: it would have an errno.
            io::ErrorKind::InvalidInput | io::ErrorKind::NotFound if error.raw_os_error().is_none() => {
                HEARTLINE_ERR_INVALID
            }
            _ => {
                self.os_error = error.raw_os_error().unwrap_or(0);
                os::os_error(error)
            }
        }
    }

    /// # Safety
    /// `codec` is NULL or live; `options` is NULL or has the bytes it says.
    pub(super) unsafe fn options(
        &self,
        codec: *const heartline_codec,
        options: *const heartline_options,
    ) -> Result<Options, i32> {
        // SAFETY: passed on.
        unsafe { sized::read_or_default(options)?.to_options(framing(codec)?, &self.policies) }
    }

    /// Events of this connection lie in the batch and are not given out.
    pub(super) fn has_undelivered(&self, id: ConnectionId) -> bool {
        self.events.iter_from(self.given).any(|event| event.id == id)
    }

    /// An event that is no message, which the log may want to hear of too.
    #[inline(never)]
    pub(super) fn show(&self, event: &Event<'_>) -> heartline_event {
        if self.log.is_some() {
            self.write_log(event);
        }
        heartline_event::of(event, || self.reactor.obituary(event.id))
    }

    #[cold]
    fn write_log(&self, event: &Event<'_>) {
        let (level, text) = match event.kind {
            EventKind::Closed { .. } => match self.reactor.obituary(event.id).and_then(|end| end.frame_error) {
                Some(error) => (HEARTLINE_LOG_INFO, format!("connection {}: {error}", event.id)),
                None => return,
            },
            EventKind::Stalled { ms } => {
                (HEARTLINE_LOG_WARN, format!("this process was stopped or busy for {ms} ms: it counts for nobody"))
            }
            EventKind::AcceptPaused { listener, cause } => {
                (HEARTLINE_LOG_WARN, format!("listener {} accepts no more: {}", listener.index(), cause.name()))
            }
            EventKind::AcceptResumed { listener } => {
                (HEARTLINE_LOG_INFO, format!("listener {} accepts again", listener.index()))
            }
            EventKind::MassSilence { silent, of } => {
                (HEARTLINE_LOG_WARN, format!("{silent} of {of} fell silent together: verdicts are held"))
            }
            _ => return,
        };
        self.log(level, text);
    }

    fn log(&self, level: u32, text: String) {
        let (Some(log), Ok(text)) = (self.log, CString::new(text)) else { return };
        // SAFETY: the host's function with its own context; the text lives during the call.
        unsafe { log(self.log_context, level, text.as_ptr()) }
    }
}

impl Guest for Engine {
    fn tell_bug(&self, text: &str) {
        self.log(HEARTLINE_LOG_BUG, format!("a bug of Heartline, this reactor can only be freed: {text}"));
    }
}
