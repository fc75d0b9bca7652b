//! What the host's loop calls.

use std::time::Duration;

use super::{heartline_event, heartline_reactor, within};
use crate::capi::codes::{HEARTLINE_ERR_INVALID, HEARTLINE_ERR_NULL};
use crate::capi::guard::saturated;
use crate::reactor::EventKind;

/// Waits until something happened, `timeout_ms` has passed (0: does not wait; −1: for as long as it takes) or the mailbox
/// woke it, and writes what happened into `events`, at most `capacity`. What was sent since the last call leaves first.
/// With a capacity of 0 it does that and waits for nothing.
///
/// Data of the events is borrowed until the next poll; every other function may be called while they are read. More may
/// wait than fitted: call again.
///
/// Returns how many events there are, from 0 up, or HEARTLINE_ERR_OS, _INVALID, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `events` is NULL with 0 or has room for `capacity`.
#[must_use]
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

/// The most events of one poll.
const EVENTS_MAX: u32 = 65_536;

/// The descriptor to nest this reactor in a foreign loop: readable whenever poll has anything to do, deadlines included.
/// It stays the reactor's. Then call heartline_reactor_poll with a timeout of 0 until it returns less than its capacity.
///
/// Returns the descriptor, or HEARTLINE_ERR_OS, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[must_use]
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
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[must_use]
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
