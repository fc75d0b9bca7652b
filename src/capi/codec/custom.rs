//! Codecs that the host brings: function pointers and a context.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::{heartline_codec, heartline_frame, heartline_slice};
use crate::capi::buffers::{bytes, string};
use crate::capi::codes::*;
use crate::capi::guard::{apart, give};
use crate::capi::monitor::{HEARTLINE_BEAT_ANSWER, HEARTLINE_BEAT_ASK, HEARTLINE_BEAT_EITHER};
use crate::capi::sized::{self, Sized_};
use crate::frame::{Codec, Cut, EncodeError, Frame, FrameError, Framing, Kind, Stream};

/// A place for bytes that a custom codec wants to have sent or writes a frame into; valid during the callback.
pub struct heartline_sink(Vec<u8>);

/// A codec of the host's. The functions may be called from every thread that uses the codec, at the same time; they are
/// pure: they must not call Heartline (but heartline_sink_write), block, throw, or keep what they are shown.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_codec_ops {
    /// sizeof(heartline_codec_ops).
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Its name for logs, a string, copied. NULL: "custom".
    pub name: *const c_char,
    /// Cuts the frame at the front of `data`; required. Fills `*out` (with data and head inside `data`) and returns 1; or
    /// sets out->total to the bytes needed from the front (0: not known) and returns 0; or returns a number below 0: no
    /// frame. It may change `data` in place, may keep a number in `note`, which is 0 at the beginning of a connection, and
    /// may write to `control` what is to be sent before any data. It must refuse a message over `max_bytes`.
    pub cut: Option<
        unsafe extern "C-unwind" fn(
            context: *mut c_void,
            data: *mut u8,
            len: usize,
            max_bytes: usize,
            note: *mut u64,
            control: *mut heartline_sink,
            out: *mut heartline_frame,
        ) -> i32,
    >,
    /// Writes one whole frame to `out`; required. `head` is NULL or has the form that `cut` shows. 0, or below 0: this
    /// cannot be encoded.
    pub encode: Option<
        unsafe extern "C-unwind" fn(
            context: *mut c_void,
            head: *const u8,
            head_len: usize,
            message: *const heartline_slice,
            count: usize,
            out: *mut heartline_sink,
        ) -> i32,
    >,
    /// Writes the ask to `out` and returns 1; 0: there is none. NULL: there is none.
    pub ask: Option<unsafe extern "C-unwind" fn(context: *mut c_void, out: *mut heartline_sink) -> i32>,
    /// Writes the answer to the whole frame `asked`. NULL: the same bytes.
    pub answer: Option<
        unsafe extern "C-unwind" fn(
            context: *mut c_void,
            asked: *const u8,
            len: usize,
            out: *mut heartline_sink,
        ) -> i32,
    >,
    /// Called once, when nothing uses the codec any more. May be NULL.
    pub drop: Option<unsafe extern "C-unwind" fn(context: *mut c_void)>,
}

// SAFETY: numbers, pointers and function pointers that may be NULL.
unsafe impl Sized_ for heartline_codec_ops {
    const FIRST_BYTES: usize = 56;
    fn reserved_is_zero(&self) -> bool {
        self.reserved == 0
    }
}

/// Appends bytes, which are copied, to what a callback was given. For callbacks of a custom codec only.
///
/// Returns 0, HEARTLINE_ERR_NULL or _INVALID (`len` over PTRDIFF_MAX).
/// Within the call that was given the sink, in its thread.
///
/// # Safety
/// `sink` is NULL or what the running callback was given; `data` is NULL with 0 or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_sink_write(sink: *mut heartline_sink, data: *const c_void, len: usize) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let data = unsafe { bytes(data, len) }?;
        // SAFETY: NULL is caught; the callback has the only pointer to it.
        let sink = unsafe { sink.as_mut() }.ok_or(HEARTLINE_ERR_NULL)?;
        sink.0.extend_from_slice(data);
        Ok(0)
    })
}

/// Makes a codec of the host's functions. `ops` is copied; `context` is passed to each of them and must live until
/// `drop`. `*out` is the caller's, to be freed by heartline_codec_free. Any thread.
///
/// Returns 0, HEARTLINE_ERR_NULL (also for a required function), _VERSION or _INVALID.
///
/// # Safety
/// `ops` is NULL or has the bytes it says, with functions of these types; `out` is NULL or writable.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_custom(
    ops: *const heartline_codec_ops,
    context: *mut c_void,
    out: *mut *mut heartline_codec,
) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let ops = unsafe { sized::read(ops) }?;
        if out.is_null() || ops.cut.is_none() || ops.encode.is_none() {
            return Err(HEARTLINE_ERR_NULL);
        }
        let name = if ops.name.is_null() {
            "custom".to_owned()
        } else {
            // SAFETY: a string, by the contract of the struct.
            unsafe { string(ops.name) }?.to_owned()
        };
        let framing = Framing::custom(Box::new(Foreign { ops, context, name }));
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { give(out, heartline_codec(Arc::new(framing))) }
    })
}

struct Foreign {
    ops: heartline_codec_ops,
    context: *mut c_void,
    name: String,
}

// SAFETY: the header demands functions and a context that every thread may use at the same time.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some(drop) = self.ops.drop {
            // SAFETY: the host's function, called once, with its own context.
            unsafe { drop(self.context) }
        }
    }
}

impl Foreign {
    /// Lends a vector to a callback as a sink.
    fn lend<T>(out: &mut Vec<u8>, call: impl FnOnce(*mut heartline_sink) -> T) -> T {
        let mut sink = heartline_sink(std::mem::take(out));
        let result = call(&raw mut sink);
        *out = sink.0;
        result
    }
}

impl Codec for Foreign {
    fn name(&self) -> &str {
        &self.name
    }

    fn cut(
        &self,
        input: &mut [u8],
        stream: &mut Stream,
        control: &mut Vec<u8>,
        max_bytes: usize,
    ) -> Result<Cut, FrameError> {
        let Some(cut) = self.ops.cut else { return Err(FrameError::Custom { code: 0, at: 0 }) };
        let (data, len) = (input.as_mut_ptr(), input.len());
        let mut note = stream.note();
        let mut out = heartline_frame { data, len: 0, head: data, head_len: 0, kind: 0, total: 0 };
        let result = Self::lend(control, |control| {
            // SAFETY: the host's function; all pointers are valid for the call and nobody else's.
            unsafe { cut(self.context, data, len, max_bytes, &raw mut note, control, &raw mut out) }
        });
        stream.set_note(note);
        match result {
            0 => Ok(Cut::More { need: out.total, exact: false }),
            1 => {
                // Where they lie is checked by who called us; a place before `data` is beyond every range.
                let start = |place: *const u8| place.addr().wrapping_sub(data.addr());
                let (head, message) = (start(out.head), start(out.data));
                let kind = match out.kind {
                    HEARTLINE_BEAT_ASK => Kind::Ask,
                    HEARTLINE_BEAT_ANSWER => Kind::Answer,
                    HEARTLINE_BEAT_EITHER => Kind::Either,
                    _ => Kind::Message,
                };
                Ok(Cut::Frame(Frame {
                    kind,
                    head: head..head.saturating_add(out.head_len as usize),
                    message: message..message.saturating_add(out.len),
                    total: out.total,
                }))
            }
            code => Err(FrameError::Custom { code: code.unsigned_abs(), at: 0 }),
        }
    }

    fn encode(&self, head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Some(encode) = self.ops.encode else { return Err(EncodeError::Custom { code: 0 }) };
        let slices: Vec<_> =
            message.iter().map(|part| heartline_slice { data: part.as_ptr().cast(), len: part.len() }).collect();
        let (head, head_len) = head.map_or((std::ptr::null(), 0), |head| (head.as_ptr(), head.len()));
        // SAFETY: the host's function; all pointers are valid for the call.
        let result =
            Self::lend(out, |out| unsafe { encode(self.context, head, head_len, slices.as_ptr(), slices.len(), out) });
        if result < 0 { Err(EncodeError::Custom { code: result.unsigned_abs() }) } else { Ok(()) }
    }

    fn ask(&self, out: &mut Vec<u8>) -> bool {
        let Some(ask) = self.ops.ask else { return false };
        // SAFETY: the host's function; the sink is valid for the call.
        Self::lend(out, |out| unsafe { ask(self.context, out) }) == 1
    }

    fn answer(&self, frame: &[u8], _cut: &Frame, out: &mut Vec<u8>) {
        let Some(answer) = self.ops.answer else { return out.extend_from_slice(frame) };
        Self::lend(out, |out| {
            // SAFETY: the host's function; all pointers are valid for the call.
            unsafe { answer(self.context, frame.as_ptr(), frame.len(), out) }
        });
    }
}
