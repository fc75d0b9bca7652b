//! Writing frames, heads and beats into buffers of the host's.

use std::ffi::c_void;
use std::slice;

use super::{framing, heartline_codec};
use crate::capi::buffers::{bytes, put_bytes};
use crate::capi::codes::*;
use crate::capi::guard::apart;
use crate::capi::monitor::{HEARTLINE_BEAT_ANSWER, HEARTLINE_BEAT_ASK};
use crate::frame::{Cut, EncodeError, Frame, Framing, Kind, Stream};

/// One part of a message; the layout of struct iovec.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_slice {
    /// The bytes; NULL with 0.
    pub data: *const c_void,
    /// How many.
    pub len: usize,
}

/// Writes the head of a message of `message_len` bytes into `head`, which has room for `capacity`.
///
/// A `length` codec fills in the length alone: `capacity` is exactly the bytes of its head, whose other bytes are the
/// caller's. `varint` and `line-header` write the whole head. The others have no head that stands alone: use
/// heartline_codec_encode.
///
/// Returns the bytes of the head, or HEARTLINE_ERR_ENCODE, _SHORT, _INVALID (no such head), _NULL. Any thread.
///
/// # Safety
/// `codec` is NULL or live; `head` is NULL or has `capacity` bytes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_head(
    codec: *const heartline_codec,
    message_len: usize,
    head: *mut u8,
    capacity: usize,
) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let framing = unsafe { framing(codec) }?;
        if head.is_null() {
            return Err(HEARTLINE_ERR_NULL);
        }
        // No head of any codec is longer; whoever says "plenty" need not have it.
        let capacity = capacity.min(HEAD_ROOM);
        // SAFETY: the caller has `capacity` writable bytes there.
        let head = unsafe { slice::from_raw_parts_mut(head, capacity) };
        match framing.write_head(message_len, head) {
            Some(Ok(bytes)) => Ok(bytes as i32),
            Some(Err(EncodeError::HeadSize { .. })) => Err(HEARTLINE_ERR_SHORT),
            Some(Err(_)) => Err(HEARTLINE_ERR_ENCODE),
            None => Err(HEARTLINE_ERR_INVALID),
        }
    })
}

/// More than any head is long.
const HEAD_ROOM: usize = 4096;

/// Writes a whole frame into `buffer`. `head` gives the other bytes of the head, in the form in which heads are shown
/// (the codec writes the length into a copy); NULL with 0: zeros, or nothing.
///
/// Returns the bytes of the frame; HEARTLINE_ERR_SHORT if they are over `capacity`, and nothing is written; or
/// HEARTLINE_ERR_ENCODE, _NULL, _INVALID (a length over PTRDIFF_MAX). All are borrowed for the call. Any thread.
///
/// # Safety
/// `codec` is NULL or live; `head`, `data` and `buffer` are NULL with 0 or have the bytes given.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_encode(
    codec: *const heartline_codec,
    head: *const u8,
    head_len: usize,
    data: *const c_void,
    len: usize,
    buffer: *mut u8,
    capacity: usize,
) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let (framing, given, message) = unsafe { (framing(codec)?, bytes(head.cast(), head_len)?, bytes(data, len)?) };
        let given = (head_len > 0).then_some(given);
        let mut frame = Vec::new();
        framing.encode(given, &[message], &mut frame).map_err(|_| HEARTLINE_ERR_ENCODE)?;
        // SAFETY: passed on.
        unsafe { put_bytes(&frame, buffer, capacity) }
    })
}

/// Writes a beat: HEARTLINE_BEAT_ASK, or HEARTLINE_BEAT_ANSWER to the `asked` frame of `asked_len` bytes (the whole frame
/// as it was cut; with NULL, the answer to an ask of our own).
///
/// Returns its bytes; 0 if the codec has no beats; HEARTLINE_ERR_SHORT if they are over `capacity`; or
/// HEARTLINE_ERR_INVALID (`asked` is no ask), _NULL. Any thread.
///
/// # Safety
/// `codec` is NULL or live; `asked` and `buffer` are NULL with 0 or have the bytes given.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_beat(
    codec: *const heartline_codec,
    kind: u32,
    asked: *const u8,
    asked_len: usize,
    buffer: *mut u8,
    capacity: usize,
) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let (framing, asked) = unsafe { (framing(codec)?, bytes(asked.cast(), asked_len)?) };
        let mut beat = Vec::new();
        match kind {
            HEARTLINE_BEAT_ASK => drop(framing.ask(&mut beat)),
            HEARTLINE_BEAT_ANSWER if framing.has_beats() => {
                let mut ask = asked.to_vec();
                if asked.is_empty() {
                    framing.ask(&mut ask);
                }
                let cut = whole(framing, &mut ask).ok_or(HEARTLINE_ERR_INVALID)?;
                framing.answer(&ask, &cut, &mut beat);
            }
            HEARTLINE_BEAT_ANSWER => {}
            _ => return Err(HEARTLINE_ERR_INVALID),
        }
        // SAFETY: passed on.
        unsafe { put_bytes(&beat, buffer, capacity) }
    })
}

/// How `frame` is cut, if it is exactly one that wants an answer.
fn whole(framing: &Framing, frame: &mut [u8]) -> Option<Frame> {
    match framing.cut(frame, &mut Stream::default(), &mut Vec::new()) {
        Ok(Cut::Frame(cut)) if cut.total == frame.len() && matches!(cut.kind, Kind::Ask | Kind::Either) => Some(cut),
        _ => None,
    }
}
