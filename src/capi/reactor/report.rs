//! What can be read of a reactor and its connections.

use std::ffi::c_char;

use super::{heartline_reactor, within};
use crate::capi::HEARTLINE_OFF;
use crate::capi::buffers::explain;
use crate::capi::codes::*;
use crate::capi::guard::saturated;
use crate::capi::sized::{self, Sized_};
use crate::reactor::{ClosedBy, ConnectionId, Obituary};

/// Room for `[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535` and its NUL.
pub const HEARTLINE_ADDRESS_BYTES: usize = 48;
/// Room for a sentence and its NUL.
pub const HEARTLINE_WHY_BYTES: usize = 160;

/// What is known of a connection that lives.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_connection_info {
    /// sizeof(heartline_connection_info) as the caller knows it.
    pub struct_size: u32,
    /// Attended milliseconds since the last byte.
    pub silence_ms: u32,
    /// The application's word.
    pub user: u64,
    /// Bytes that wait to be sent.
    pub queued_bytes: u64,
    /// Bytes of an unfinished frame, or of frames not delivered yet.
    pub unread_bytes: u64,
    /// The last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    pub rtt_ms: u32,
    /// Asks without an answer; 255 stands for more.
    pub unanswered: u32,
    /// Slot of its policy; HEARTLINE_OFF if it has none, or one that is in no slot.
    pub policy: u32,
    /// 1: reported as suspect and not heard since.
    pub suspect: u32,
    /// 1: reading is paused.
    pub paused: u32,
    /// 1: it is closing.
    pub closing: u32,
    /// 1: it is being dialled.
    pub dialling: u32,
    /// 0.
    pub reserved: u32,
    /// The other end, a string; empty for a Unix socket or without statistics.
    pub address: [c_char; HEARTLINE_ADDRESS_BYTES],
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_connection_info {
    const FIRST_BYTES: usize = 112;
}

/// Who ended a connection: the other end.
pub const HEARTLINE_CLOSED_BY_PEER: u32 = 1;
/// Who ended a connection: Heartline, by a rule: silence, a limit, bad bytes, a drain.
pub const HEARTLINE_CLOSED_BY_HEARTLINE: u32 = 2;
/// Who ended a connection: the application.
pub const HEARTLINE_CLOSED_BY_APPLICATION: u32 = 3;
/// Who ended a connection: the operating system, by an error of its own.
pub const HEARTLINE_CLOSED_BY_SYSTEM: u32 = 4;

/// The full report on a connection that has ended. Fields marked * are 0 without statistics.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_obituary {
    /// sizeof(heartline_obituary) as the caller knows it.
    pub struct_size: u32,
    /// HEARTLINE_REASON_, from 256 the application's own.
    pub reason: u32,
    /// Whose it is.
    pub id: u64,
    /// The application's word.
    pub user: u64,
    /// HEARTLINE_CLOSED_BY_.
    pub closed_by: u32,
    /// errno, or 0.
    pub os_error: i32,
    /// From open to end, exact to 16 ms *.
    pub age_ms: u64,
    /// Since the kernel last took bytes, exact to 16 ms *; UINT64_MAX if it never did.
    pub last_out_ms: u64,
    /// Attended time since the last byte came.
    pub silence_ms: u32,
    /// Silent: how long after (last byte + timeout) the death was declared.
    pub overshoot_ms: u32,
    /// Asks without an answer.
    pub unanswered: u32,
    /// The last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    pub rtt_ms: u32,
    /// Bytes received *.
    pub bytes_in: u64,
    /// Bytes that the kernel took *.
    pub bytes_out: u64,
    /// Messages received, beats not counted *.
    pub messages_in: u32,
    /// Messages accepted for sending *.
    pub messages_out: u32,
    /// Bytes that were queued and never sent.
    pub queued_bytes: u64,
    /// Stalls of this process that it lived through *.
    pub stalls: u32,
    /// 1: the four fields that follow are the kernel's; 0: it was not TCP, or statistics are off.
    pub tcp: u32,
    /// Smoothed round trip in microseconds.
    pub tcp_rtt_us: u32,
    /// The retransmission timer in microseconds.
    pub tcp_rto_us: u32,
    /// Segments retransmitted in all.
    pub tcp_retransmits: u32,
    /// Segments sent and not acknowledged.
    pub tcp_unacknowledged: u32,
    /// The other end, a string *; empty for a Unix socket.
    pub address: [c_char; HEARTLINE_ADDRESS_BYTES],
    /// What was wrong with the bytes, a sentence that names the limit, what came and where; otherwise empty.
    pub why: [c_char; HEARTLINE_WHY_BYTES],
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_obituary {
    const FIRST_BYTES: usize = 328;
}

fn fixed_text<const N: usize>(text: &dyn std::fmt::Display) -> [c_char; N] {
    let mut to = [0; N];
    // SAFETY: the array has N bytes.
    unsafe { explain(to.as_mut_ptr(), N, text) };
    to
}

fn address_text(address: Option<std::net::SocketAddr>) -> [c_char; HEARTLINE_ADDRESS_BYTES] {
    address.map_or([0; HEARTLINE_ADDRESS_BYTES], |address| fixed_text(&address))
}

/// What is known of a connection that lives. `info` has `size` bytes (sizeof *info).
///
/// Returns 0, or HEARTLINE_ERR_STALE, _VERSION, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `info` is NULL or has `size` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_info(
    reactor: *mut heartline_reactor,
    id: u64,
    info: *mut heartline_connection_info,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let state = engine.reactor.state(ConnectionId::from_raw(id)).ok_or(HEARTLINE_ERR_STALE)?;
            let shown = heartline_connection_info {
                struct_size: 0,
                silence_ms: state.silence_ms,
                user: state.user,
                queued_bytes: state.queued_bytes as u64,
                unread_bytes: state.unread_bytes as u64,
                rtt_ms: state.rtt_ms.unwrap_or(HEARTLINE_OFF),
                unanswered: state.unanswered,
                policy: state.policy.and_then(|policy| engine.policies.slot_of(policy)).unwrap_or(HEARTLINE_OFF),
                suspect: u32::from(state.suspect),
                paused: u32::from(state.paused),
                closing: u32::from(state.closing),
                dialling: u32::from(state.dialling),
                reserved: 0,
                address: address_text(state.address),
            };
            sized::write(info, size, &shown).map(|()| 0)
        })
    }
}

/// The report on a connection whose CLOSED or CONNECT_FAILED the last poll told; it can be had until the next poll.
/// `obituary` has `size` bytes (sizeof *obituary).
///
/// Returns 0, or HEARTLINE_ERR_STALE, _VERSION, _NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `obituary` is NULL or has `size` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_obituary(
    reactor: *mut heartline_reactor,
    id: u64,
    obituary: *mut heartline_obituary,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            let known = engine.reactor.obituary(ConnectionId::from_raw(id)).ok_or(HEARTLINE_ERR_STALE)?;
            sized::write(obituary, size, &heartline_obituary::of(known)).map(|()| 0)
        })
    }
}

impl heartline_obituary {
    fn of(known: &Obituary) -> Self {
        let tcp = known.tcp.unwrap_or_default();
        Self {
            struct_size: 0,
            reason: u32::from(known.reason.code()),
            id: known.id.get(),
            user: known.user,
            closed_by: match known.closed_by {
                ClosedBy::Peer => HEARTLINE_CLOSED_BY_PEER,
                ClosedBy::Heartline => HEARTLINE_CLOSED_BY_HEARTLINE,
                ClosedBy::Application => HEARTLINE_CLOSED_BY_APPLICATION,
                ClosedBy::System => HEARTLINE_CLOSED_BY_SYSTEM,
            },
            os_error: known.os_error,
            age_ms: known.age_ms,
            last_out_ms: known.last_out_ms.unwrap_or(u64::MAX),
            silence_ms: known.silence_ms,
            overshoot_ms: known.overshoot_ms,
            unanswered: known.unanswered,
            rtt_ms: known.rtt_ms.unwrap_or(HEARTLINE_OFF),
            bytes_in: known.bytes_in,
            bytes_out: known.bytes_out,
            messages_in: known.messages_in,
            messages_out: known.messages_out,
            queued_bytes: known.queued_bytes as u64,
            stalls: u32::from(known.stalls),
            tcp: u32::from(known.tcp.is_some()),
            tcp_rtt_us: tcp.rtt_us,
            tcp_rto_us: tcp.rto_us,
            tcp_retransmits: tcp.retransmits,
            tcp_unacknowledged: tcp.unacknowledged,
            address: address_text(known.address),
            why: known.frame_error.map_or([0; HEARTLINE_WHY_BYTES], |error| fixed_text(&error)),
        }
    }
}

/// How many connections live, those being dialled or closed included.
///
/// Returns it, or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_count(reactor: *mut heartline_reactor) -> i32 {
    // SAFETY: passed on.
    unsafe { within(reactor, |engine| Ok(saturated(engine.reactor.len()))) }
}

/// Writes the ids of all connections that live into `ids`, at most `capacity`.
///
/// Returns how many live, which may be more than fitted; or HEARTLINE_ERR_NULL, _OVERLAP.
/// One thread at a time.
///
/// # Safety
/// `reactor` is NULL or live; `ids` is NULL with 0 or has room for `capacity`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_reactor_ids(reactor: *mut heartline_reactor, ids: *mut u64, capacity: usize) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(reactor, |engine| {
            if ids.is_null() && capacity > 0 {
                return Err(HEARTLINE_ERR_NULL);
            }
            for (index, id) in engine.reactor.ids().take(capacity).enumerate() {
                ids.add(index).write_unaligned(id.get());
            }
            Ok(saturated(engine.reactor.len()))
        })
    }
}
