//! Level 3: everything. A reactor's life, its listeners and connections, and its poll.

use std::ffi::{CString, c_char, c_void};
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use super::buffers::{bytes, put_text, string};
use super::codec::{framing, heartline_codec};
use super::codes::*;
use super::config::*;
use super::event::heartline_event;
use super::guard::{Guarded, Guest, Outcome, apart, enter, free, give, saturated};
use super::monitor::{HEARTLINE_SET_GRACE_MS, HEARTLINE_SET_PAUSE_READ, HEARTLINE_SET_POLICY, HEARTLINE_SET_USER};
use super::policy::{Policies, heartline_policy};
use super::sized;
use crate::reactor::{
    Address, AdoptRefusal, Close, CloseError, ConnectionId, DrainOptions, Event, EventKind, Events, ListenerId,
    Options, Reactor, ReleaseError,
};

/// An epoll set with connections in it. One thread at a time, any thread; other threads reach it by a mailbox.
pub struct heartline_reactor(Guarded<Engine>);

/// heartline_reactor_close: send what is queued, then FIN, then wait for the peer's, all within close_ms.
pub const HEARTLINE_CLOSE_FLUSH: u32 = 1;
/// heartline_reactor_close: now; what is queued is lost, and counted in the obituary.
pub const HEARTLINE_CLOSE_AT_ONCE: u32 = 2;
/// heartline_reactor_close: now, with a reset.
pub const HEARTLINE_CLOSE_ABORT: u32 = 3;

/// heartline_reactor_set: the high mark of the outbox, in bytes.
pub const HEARTLINE_SET_HIGH_MARK: u32 = 5;
/// heartline_reactor_set: the low mark of the outbox, in bytes.
pub const HEARTLINE_SET_LOW_MARK: u32 = 6;

/// A connection that was given back.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_released {
    /// The connected descriptor, non-blocking; the caller's from here on.
    pub fd: i32,
    /// 0.
    pub reserved: u32,
    /// The application's word.
    pub user: u64,
    /// Bytes that were read and not delivered; borrowed until the next release or poll.
    pub unread: *const u8,
    /// How many.
    pub unread_len: usize,
    /// Bytes that were accepted for sending and not sent; borrowed like `unread`.
    pub unsent: *const u8,
    /// How many.
    pub unsent_len: usize,
}

/// What is behind the pointer.
pub(super) struct Engine {
    pub(super) reactor: Reactor,
    events: Events,
    /// Events of the batch before this are given out.
    given: usize,
    pub(super) policies: Policies,
    /// errno of the last HEARTLINE_ERR_OS.
    os_error: i32,
    released: (Vec<u8>, Vec<u8>),
    log: heartline_log_fn,
    log_context: *mut c_void,
}

// The header says that log and context go wherever the reactor goes; it is the only pointer in there.
// SAFETY: as above.
unsafe impl Send for Engine {}

impl Engine {
    /// Keeps what the operating system said.
    pub(super) fn os_error(&mut self, error: &io::Error) -> i32 {
        match error.kind() {
            io::ErrorKind::QuotaExceeded => HEARTLINE_ERR_TOO_MANY,
            // Found before the system was asked: it would have an errno.
            io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => HEARTLINE_ERR_INVALID,
            _ => {
                self.os_error = error.raw_os_error().unwrap_or(0);
                HEARTLINE_ERR_OS
            }
        }
    }

    /// # Safety
    /// `codec` is NULL or live; `options` is NULL or has the bytes it says.
    unsafe fn options(&self, codec: *const heartline_codec, options: *const heartline_options) -> Result<Options, i32> {
        // SAFETY: passed on.
        unsafe { sized::read_or_default(options)?.to_options(framing(codec)?, &self.policies) }
    }

    /// Events of this connection lie in the batch and are not given out.
    fn has_undelivered(&self, id: ConnectionId) -> bool {
        self.events.iter_from(self.given).any(|event| event.id == id)
    }

    /// An event that is no message, which the log may want to hear of too.
    #[inline(never)]
    fn show(&self, event: &Event<'_>) -> heartline_event {
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

/// Enters the reactor behind a pointer.
///
/// # Safety
/// `reactor` is NULL or points to a live reactor.
#[inline(always)]
pub(super) unsafe fn within(reactor: *const heartline_reactor, body: impl FnOnce(&mut Engine) -> Outcome) -> i32 {
    // SAFETY: NULL is caught; otherwise the caller vouches for it.
    let Some(reactor) = (unsafe { reactor.as_ref() }) else { return HEARTLINE_ERR_NULL };
    enter(&reactor.0, body)
}

/// Makes a reactor with an epoll set of its own. `config` is copied and may be NULL: every default. `*out` is the
/// caller's, to be freed by heartline_reactor_free. Any thread.
///
/// Returns 0, or HEARTLINE_ERR_NULL, _VERSION, _INVALID, _OS (no descriptor is left).
///
/// # Safety
/// `config` is NULL or has the bytes it says; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_new(
    config: *const heartline_reactor_config,
    out: *mut *mut heartline_reactor,
) -> i32 {
    apart(|| {
        if out.is_null() {
            return Err(HEARTLINE_ERR_NULL);
        }
        // SAFETY: passed on.
        let given = unsafe { sized::read_or_default(config) }?;
        let reactor = Reactor::new(given.to_config()?).map_err(|_| HEARTLINE_ERR_OS)?;
        let batch_bytes = match given.batch_bytes {
            0 => crate::reactor::ARENA_BYTES,
            bytes @ 1..=BATCH_BYTES_MAX => bytes as usize,
            _ => return Err(HEARTLINE_ERR_INVALID),
        };
        let policies = Policies::new(reactor.default_policy());
        let engine = Engine {
            reactor,
            events: Events::with_capacity(1024, batch_bytes),
            given: 0,
            policies,
            os_error: 0,
            released: (Vec::new(), Vec::new()),
            log: given.log,
            log_context: given.log_context,
        };
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { give(out, heartline_reactor(Guarded::new(engine))) }
    })
}

/// Closes every connection and listener and frees the reactor; tells no event, never blocks. NULL is a no-op. No other
/// call may be under way.
///
/// # Safety
/// `reactor` is NULL or came from heartline_reactor_new and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_free(reactor: *mut heartline_reactor) {
    // SAFETY: passed on.
    unsafe { free(reactor, |reactor| reactor.0.is_inside()) }
}

/// errno of the last call that returned HEARTLINE_ERR_OS, or 0.
///
/// Returns it, or HEARTLINE_ERR_NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_os_error(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe { within(reactor, |engine| Ok(engine.os_error)) }
}

/// Sets the policy in a slot, 0 to HEARTLINE_POLICIES_MAX - 1; options name it by its slot. Slot 0 is the profile `im`
/// until it is set. Setting a slot again changes its live connections. `policy` is copied.
///
/// Returns 0, or HEARTLINE_ERR_POLICY, _NULL, _VERSION, _INVALID, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live; `policy` is NULL or has the bytes it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_policy(
    reactor: *mut heartline_reactor,
    slot: u32,
    policy: *const heartline_policy,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let policy = sized::read(policy)?.to_policy()?;
            let place = engine.policies.slot(slot)?;
            let known = *place;
            match known {
                Some(id) => engine.reactor.redefine_policy(id, policy).map_err(|_| HEARTLINE_ERR_POLICY)?,
                None => *place = Some(engine.reactor.define_policy(policy).map_err(|_| HEARTLINE_ERR_POLICY)?),
            }
            Ok(0)
        })
    }
}

/// # Safety
/// `address` is NULL or a string.
unsafe fn address(address: *const c_char) -> Result<Address, i32> {
    // SAFETY: passed on.
    unsafe { string(address) }?.parse().map_err(|_| HEARTLINE_ERR_ADDRESS)
}

/// Listens on "IP:PORT", `[IPv6]:PORT`, "unix:PATH", "unix:@NAME" or "fd:N" (an inherited listening descriptor, which is
/// taken on success). `options` is copied; NULL: every default. The reactor keeps the codec alive by itself.
///
/// Returns the number of the listener, from 0 up; or HEARTLINE_ERR_ADDRESS, _OS, _INVALID, _VERSION, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `at` is NULL or a string; `options` is NULL or has the bytes it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_listen(
    reactor: *mut heartline_reactor,
    at: *const c_char,
    codec: *const heartline_codec,
    options: *const heartline_listen_options,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let (at, listening) = (address(at)?, sized::read_or_default(options)?);
            let connection = engine.options(codec, listening.connection)?;
            let listener = engine.reactor.listen(&at, &listening.to_listen_options(connection));
            let listener = listener.map_err(|error| engine.os_error(&error))?;
            Ok(listener.index() as i32)
        })
    }
}

/// Where a listener listens, with the port that the kernel chose: a string into `buffer`, cut at `size`.
///
/// Returns its length without the NUL, or HEARTLINE_ERR_OS (no such listener), _INVALID, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live; `buffer` is NULL with 0 or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_listener_address(
    reactor: *mut heartline_reactor,
    listener: i32,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let at = engine.reactor.listener_address(listener_id(listener)?);
            let at = at.map_err(|error| engine.os_error(&error))?;
            put_text(buffer, size, &at.to_string())
        })
    }
}

/// Stops listening. Connections already accepted live on.
///
/// Returns 0, or HEARTLINE_ERR_INVALID (no such listener), _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_stop_listening(reactor: *mut heartline_reactor, listener: i32) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if engine.reactor.stop_listening(listener_id(listener)?) { Ok(0) } else { Err(HEARTLINE_ERR_INVALID) }
        })
    }
}

fn listener_id(listener: i32) -> Result<ListenerId, i32> {
    u32::try_from(listener).map(ListenerId).map_err(|_| HEARTLINE_ERR_INVALID)
}

/// Starts a connection to "IP:PORT", `[IPv6]:PORT` or "unix:PATH". Its id, in `*out`, ends in OPENED ... CLOSED or in
/// CONNECT_FAILED alone. What is sent before OPENED waits. `user` is the application's word.
///
/// Returns 0, or HEARTLINE_ERR_ADDRESS, _OS (what fails at once), _TOO_MANY, _INVALID, _VERSION, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `to` is NULL or a string; `options` is NULL or has the bytes it says; `out` is
/// NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_connect(
    reactor: *mut heartline_reactor,
    to: *const c_char,
    codec: *const heartline_codec,
    options: *const heartline_options,
    user: u64,
    out: *mut u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let (to, options) = (address(to)?, engine.options(codec, options)?);
            let id = engine.reactor.connect(&to, &options, user).map_err(|error| engine.os_error(&error))?;
            out.write_unaligned(id.get());
            Ok(0)
        })
    }
}

/// Takes over a connected stream socket, with bytes that were already read from it and bytes that are still to be sent
/// as they are; both are copied. OPENED comes with the next poll. `fd` is taken on success alone.
///
/// Returns 0, or HEARTLINE_ERR_OS, _TOO_MANY, _OVER_LIMIT (`unread` and partial_bytes_max), _REACTOR_FULL (`unsent` and
/// outbox_bytes_max), _INVALID, _VERSION, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `fd` is open and nobody else's; `options` is NULL or has the bytes it says;
/// `unread` and `unsent` are NULL with 0 or have the bytes given; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_adopt(
    reactor: *mut heartline_reactor,
    fd: i32,
    codec: *const heartline_codec,
    options: *const heartline_options,
    user: u64,
    unread: *const c_void,
    unread_len: usize,
    unsent: *const c_void,
    unsent_len: usize,
    out: *mut u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            if fd < 0 {
                return Err(HEARTLINE_ERR_INVALID);
            }
            let options = engine.options(codec, options)?;
            let (unread, unsent) = (bytes(unread, unread_len)?, bytes(unsent, unsent_len)?);
            let socket = OwnedFd::from_raw_fd(fd);
            match engine.reactor.adopt(socket, &options, user, unread.to_vec(), unsent) {
                Ok(id) => {
                    out.write_unaligned(id.get());
                    Ok(0)
                }
                Err(refused) => {
                    // It stays the caller's.
                    let _ = refused.socket.into_raw_fd();
                    Err(match refused.error {
                        AdoptRefusal::Io(error) => engine.os_error(&error),
                        AdoptRefusal::Unread { .. } => HEARTLINE_ERR_OVER_LIMIT,
                        AdoptRefusal::Unsent { .. } => HEARTLINE_ERR_REACTOR_FULL,
                    })
                }
            }
        })
    }
}

/// Gives a connection back; no CLOSED is told, the id is stale from here on. `*out` borrows from the reactor until the
/// next release or poll; its descriptor is the caller's.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _BUSY (events of it are not delivered yet), _NOT_OPEN, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_release(
    reactor: *mut heartline_reactor,
    id: u64,
    out: *mut heartline_released,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let id = ConnectionId::from_raw(id);
            if engine.has_undelivered(id) {
                return Err(HEARTLINE_ERR_BUSY);
            }
            let released = engine.reactor.release(id).map_err(|error| match error {
                ReleaseError::Stale => HEARTLINE_ERR_STALE,
                ReleaseError::Busy => HEARTLINE_ERR_BUSY,
                ReleaseError::NotOpen => HEARTLINE_ERR_NOT_OPEN,
            })?;
            engine.released = (released.unread, released.unsent);
            let (unread, unsent) = (&engine.released.0, &engine.released.1);
            out.write_unaligned(heartline_released {
                fd: released.socket.into_raw_fd(),
                reserved: 0,
                user: released.user,
                unread: unread.as_ptr(),
                unread_len: unread.len(),
                unsent: unsent.as_ptr(),
                unsent_len: unsent.len(),
            });
            Ok(0)
        })
    }
}

/// Closes a connection. CLOSED comes with a later poll, with `code` (from 256 up; 0: `local`) as its reason. `how` is
/// HEARTLINE_CLOSE_. Closing twice is no error while it lasts; the second may only be quicker.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _CODE_RESERVED, _INVALID, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_close(reactor: *mut heartline_reactor, id: u64, how: u32, code: u32) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let (how, code) = close_from(how, code)?;
            match engine.reactor.close(ConnectionId::from_raw(id), how, code) {
                Ok(()) => Ok(0),
                Err(CloseError::Stale) => Err(HEARTLINE_ERR_STALE),
                Err(CloseError::CodeReserved(_)) => Err(HEARTLINE_ERR_CODE_RESERVED),
            }
        })
    }
}

/// How to close, and with which code of the application's.
pub(super) fn close_from(how: u32, code: u32) -> Result<(Close, Option<u16>), i32> {
    let how = match how {
        HEARTLINE_CLOSE_FLUSH => Close::Flush,
        HEARTLINE_CLOSE_AT_ONCE => Close::AtOnce,
        HEARTLINE_CLOSE_ABORT => Close::Abort,
        _ => return Err(HEARTLINE_ERR_INVALID),
    };
    match code {
        0 => Ok((how, None)),
        1..=255 => Err(HEARTLINE_ERR_CODE_RESERVED),
        code => Ok((how, Some(u16::try_from(code).map_err(|_| HEARTLINE_ERR_INVALID)?))),
    }
}

/// Brings everything to an end: accepts no more, sends each connection the farewell, closes them spread over the time
/// given. `options` is copied; NULL: every default. heartline_reactor_is_drained tells when it is over.
///
/// Returns 0, or HEARTLINE_ERR_CODE_RESERVED, _INVALID, _VERSION, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live; `options` is NULL or has the bytes it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_drain(
    reactor: *mut heartline_reactor,
    options: *const heartline_drain_options,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let given = sized::read_or_default(options)?;
            let (_, code) = close_from(HEARTLINE_CLOSE_FLUSH, given.code)?;
            let usual = DrainOptions::default();
            let farewell = bytes(given.farewell, given.farewell_len)?;
            let drain = DrainOptions {
                spread_ms: given.spread_ms,
                limit_ms: if given.limit_ms == 0 { usual.limit_ms.max(given.spread_ms) } else { given.limit_ms },
                farewell: (!given.farewell.is_null()).then(|| farewell.to_vec()),
                code,
            };
            engine.reactor.drain(drain).map_err(|_| HEARTLINE_ERR_INVALID)?;
            Ok(0)
        })
    }
}

/// Whether a drain is over: nothing listens and nothing lives.
///
/// Returns 1 or 0, or HEARTLINE_ERR_NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_is_drained(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe { within(reactor, |engine| Ok(i32::from(engine.reactor.is_drained()))) }
}

/// Waits until something happened, `timeout_ms` has passed (0: does not wait; −1: for as long as it takes) or the mailbox
/// woke it, and writes what happened into `events`, at most `capacity`. What was sent since the last call leaves first.
/// With a capacity of 0 it does that and waits for nothing.
///
/// Data of the events is borrowed until the next poll; every other function may be called while they are read. More may
/// wait than fitted: call again.
///
/// Returns how many events there are, from 0 up, or HEARTLINE_ERR_OS, _INVALID, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live; `events` is NULL with 0 or has room for `capacity`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_poll(
    reactor: *mut heartline_reactor,
    events: *mut heartline_event,
    capacity: u32,
    timeout_ms: i32,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if timeout_ms < -1 {
                return Err(HEARTLINE_ERR_INVALID);
            }
            if capacity == 0 {
                engine.reactor.flush();
                return Ok(0);
            }
            if events.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            if engine.given >= engine.events.len() {
                // A batch is no larger than the caller's array, so that nothing stays behind unseen.
                engine.events.capacity = capacity.min(EVENTS_MAX) as usize;
                engine.given = 0;
                engine.released = (Vec::new(), Vec::new());
                let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
                engine.reactor.poll(&mut engine.events, timeout).map_err(|error| engine.os_error(&error))?;
            }
            let mut count = 0;
            for event in engine.events.iter_from(engine.given).take(capacity as usize) {
                let place = events.add(count);
                if let EventKind::Message { head, message } = event.kind {
                    place.write_unaligned(heartline_event::of_message(&event, head, message));
                } else {
                    place.write_unaligned(engine.show(&event));
                }
                count += 1;
            }
            engine.given += count;
            Ok(count as i32)
        })
    }
}

/// The most that batch_bytes may be: it is allocated at once.
const BATCH_BYTES_MAX: u64 = 1 << 30;
/// The most events of one poll.
const EVENTS_MAX: u32 = 65_536;

/// The descriptor to nest this reactor in a foreign loop: readable whenever poll has anything to do, deadlines included.
/// It stays the reactor's. Then call heartline_reactor_poll with a timeout of 0 until it returns less than its capacity.
///
/// Returns the descriptor, or HEARTLINE_ERR_OS, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_fd(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let descriptor = engine.reactor.descriptor();
            descriptor.map_err(|error| engine.os_error(&error))
        })
    }
}

/// For loops that take a timeout instead: how long they may wait, in milliseconds; 0 while work waits; −1: for ever.
///
/// Returns that, or HEARTLINE_ERR_NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_wait_ms(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if engine.given < engine.events.len() {
                return Ok(0);
            }
            Ok(engine.reactor.wait_ms().map_or(-1, saturated))
        })
    }
}

/// Sets something of a connection: HEARTLINE_SET_USER, _POLICY (a slot), _GRACE_MS, _PAUSE_READ (1 or 0), _HIGH_MARK or
/// _LOW_MARK (bytes; a low mark above the high one is HEARTLINE_ERR_INVALID, so set first the one that makes room).
///
/// Returns 0, or HEARTLINE_ERR_STALE, _NOT_OPEN, _INVALID, _OS, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_set(reactor: *mut heartline_reactor, id: u64, what: u32, value: u64) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let id = ConnectionId::from_raw(id);
            let Some(mut options) = engine.reactor.options_of(id) else { return Err(HEARTLINE_ERR_STALE) };
            let number = u32::try_from(value).map_err(|_| HEARTLINE_ERR_INVALID);
            let done = match what {
                HEARTLINE_SET_USER => engine.reactor.set_user(id, value),
                HEARTLINE_SET_POLICY => engine.reactor.set_policy(id, engine.policies.get(value)?),
                HEARTLINE_SET_GRACE_MS => engine.reactor.grace(id, value),
                HEARTLINE_SET_PAUSE_READ if value == 1 => engine.reactor.pause(id),
                HEARTLINE_SET_PAUSE_READ if value == 0 => engine.reactor.resume(id),
                HEARTLINE_SET_HIGH_MARK | HEARTLINE_SET_LOW_MARK => {
                    let marks = &mut options.marks;
                    let mark =
                        if what == HEARTLINE_SET_HIGH_MARK { &mut marks.high_bytes } else { &mut marks.low_bytes };
                    *mark = number?;
                    if options.marks.low_bytes > options.marks.high_bytes {
                        return Err(HEARTLINE_ERR_INVALID);
                    }
                    engine.reactor.set_options(id, &options).map_err(|error| engine.os_error(&error))?
                }
                _ => return Err(HEARTLINE_ERR_INVALID),
            };
            if done { Ok(0) } else { Err(HEARTLINE_ERR_NOT_OPEN) }
        })
    }
}

/// Changes all options of a live connection, its codec among them (of all that is not delivered yet: an unfinished frame
/// is cut anew). `options` is copied; NULL: every default. Options of the socket are applied where they can be.
///
/// Returns 0, or HEARTLINE_ERR_STALE, _INVALID, _VERSION, _OS, _NULL, _OVERLAP.
///
/// # Safety
/// `reactor` and `codec` are NULL or live; `options` is NULL or has the bytes it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_set_options(
    reactor: *mut heartline_reactor,
    id: u64,
    codec: *const heartline_codec,
    options: *const heartline_options,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let options = engine.options(codec, options)?;
            let done = engine.reactor.set_options(ConnectionId::from_raw(id), &options);
            if done.map_err(|error| engine.os_error(&error))? { Ok(0) } else { Err(HEARTLINE_ERR_STALE) }
        })
    }
}
