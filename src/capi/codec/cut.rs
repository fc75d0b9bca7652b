//! Cutting frames from bytes of the host's.

use std::slice;

use super::{framing, heartline_codec};
use crate::capi::codes::*;
use crate::capi::guard::apart;
use crate::capi::monitor::{HEARTLINE_BEAT_ANSWER, HEARTLINE_BEAT_ASK, HEARTLINE_BEAT_EITHER};
use crate::frame::{Cut, Frame, FrameError, Kind, Stream};

/// The peer's goodbye, of a codec that has a closing handshake.
pub const HEARTLINE_FRAME_CLOSE: u32 = 4;

/// What a codec remembers of one connection while a frame is unfinished: all zero at the beginning, and after an error.
/// Copying it is allowed; looking into it is not.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct heartline_stream {
    /// Heartline's.
    pub opaque: [u64; 2],
}

/// A frame that was cut. Everything is borrowed from the bytes that were given.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_frame {
    /// The message.
    pub data: *const u8,
    /// Its bytes.
    pub len: usize,
    /// The head: all bytes before the message, the length among them.
    pub head: *const u8,
    /// Its bytes.
    pub head_len: u32,
    /// 0: a message. HEARTLINE_BEAT_: a beat. HEARTLINE_FRAME_CLOSE: the peer's goodbye, behind which nothing comes.
    pub kind: u32,
    /// Bytes that the frame takes from the front of the input: go on behind them. 0 for a beat in the middle of a message
    /// that is not whole yet: cut again from the same front. When there is no whole frame: bytes,
    /// counted from the front, without which nothing can come of it. A promise of the peer's: reserve nothing for it.
    pub total: usize,
}

/// Cuts the frame at the front of `data`, which a codec may change in place (WebSocket unmasks). Allocates nothing.
///
/// `stream` remembers where a scan stopped, and what WebSocket needs; without it (NULL) every call begins anew. `*out` is
/// written in both cases of success and borrows from `data`. What a custom codec writes to `control` is sent by reactors
/// alone: here it is dropped, and heartline_codec_beat has the answers. Keep unfinished bytes, add what comes behind them and cut
/// again from the same front.
///
/// Returns 1: a frame; 0: no whole frame yet; HEARTLINE_ERR_FRAME_BAD or _OVER_LIMIT: close the connection; or _NULL,
/// _INVALID.
/// Any thread; one at a time for one stream.
///
/// # Safety
/// `codec` is NULL or live; `data` is NULL with 0 or has `len` writable bytes; `stream` is NULL or this connection's;
/// `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_cut(
    codec: *const heartline_codec,
    data: *mut u8,
    len: usize,
    stream: *mut heartline_stream,
    out: *mut heartline_frame,
) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let framing = unsafe { framing(codec) }?;
        if out.is_null() || (data.is_null() && len > 0) {
            return Err(HEARTLINE_ERR_NULL);
        }
        if len > isize::MAX as usize {
            return Err(HEARTLINE_ERR_INVALID);
        }
        let input: &mut [u8] = if data.is_null() {
            &mut []
        } else {
            // SAFETY: the caller has `len` writable bytes there, which are nobody else's during the call.
            unsafe { slice::from_raw_parts_mut(data, len) }
        };
        let mut remembered = Stream::default();
        if !stream.is_null() {
            // SAFETY: not NULL; two numbers.
            remembered = Stream::from_raw(unsafe { stream.read_unaligned() }.opaque);
        }
        let cut = framing.cut(input, &mut remembered, &mut Vec::new());
        if !stream.is_null() {
            // SAFETY: as above.
            unsafe { stream.write_unaligned(heartline_stream { opaque: remembered.into_raw() }) };
        }
        let mut shown = heartline_frame { data, len: 0, head: data, head_len: 0, kind: 0, total: 0 };
        let found = match cut {
            Ok(Cut::Frame(frame)) => {
                shown = show(data, &frame);
                1
            }
            Ok(Cut::Within(frame)) => {
                shown = heartline_frame { total: 0, ..show(data, &frame) };
                1
            }
            Ok(Cut::More { need, .. }) => {
                shown.total = need;
                0
            }
            Err(error) => return Err(frame_error(&error)),
        };
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { out.write_unaligned(shown) };
        Ok(found)
    })
}

/// Where `frame` lies, cut from what begins at `data`.
fn show(data: *const u8, frame: &Frame) -> heartline_frame {
    heartline_frame {
        data: data.wrapping_add(frame.message.start),
        len: frame.message.len(),
        head: data.wrapping_add(frame.head.start),
        head_len: frame.head.len() as u32,
        kind: kind_code(frame.kind),
        total: frame.total,
    }
}

fn kind_code(kind: Kind) -> u32 {
    match kind {
        Kind::Message => 0,
        Kind::Ask => HEARTLINE_BEAT_ASK,
        Kind::Answer => HEARTLINE_BEAT_ANSWER,
        Kind::Either => HEARTLINE_BEAT_EITHER,
        Kind::Close => HEARTLINE_FRAME_CLOSE,
    }
}

fn frame_error(error: &FrameError) -> i32 {
    if error.is_over_limit() { HEARTLINE_ERR_OVER_LIMIT } else { HEARTLINE_ERR_FRAME_BAD }
}
