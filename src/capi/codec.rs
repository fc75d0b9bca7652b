//! Level 2: framing of bytes that the host owns.

use std::ffi::{c_char, c_void};
use std::slice;
use std::sync::Arc;

use super::buffers::{bytes, explain, put_bytes, put_text, string};
use super::codes::*;
use super::guard::{Outcome, apart, free, give};
use super::monitor::{HEARTLINE_BEAT_ANSWER, HEARTLINE_BEAT_ASK, HEARTLINE_BEAT_EITHER};
use super::settings::or;
use super::sized::{self, Sized_};
use crate::frame::{Cut, Frame, FrameError, Framing, Kind, Stream};

/// How bytes are cut into frames, and what its beats are. Immutable: any number of connections on any thread share it.
/// A reactor keeps what it was given alive by itself.
pub struct heartline_codec(pub(super) Arc<Framing>);

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
    /// 0: a message. HEARTLINE_BEAT_: a beat.
    pub kind: u32,
    /// Bytes that the frame takes from the front of the input: go on behind them. When there is no whole frame: bytes,
    /// counted from the front, without which nothing can come of it. A promise of the peer's: reserve nothing for it.
    pub total: usize,
}

/// One part of a message; the layout of struct iovec.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_slice {
    /// The bytes; NULL with 0.
    pub data: *const c_void,
    /// How many.
    pub len: usize,
}

/// Kind of codec: a length field in a fixed head.
pub const HEARTLINE_CODEC_LENGTH: u32 = 1;
/// Kind of codec: protobuf's base-128 length.
pub const HEARTLINE_CODEC_VARINT: u32 = 2;
/// Kind of codec: a text head that ends in CRLF and carries the length.
pub const HEARTLINE_CODEC_LINE_HEADER: u32 = 3;
/// Kind of codec: text until a delimiter.
pub const HEARTLINE_CODEC_DELIMITER: u32 = 4;
/// Kind of codec: records of one size.
pub const HEARTLINE_CODEC_FIXED: u32 = 5;
/// Kind of codec: no framing.
pub const HEARTLINE_CODEC_RAW: u32 = 6;

/// A codec by settings instead of text. A field that is 0 has its default; those of other kinds must be 0. Strings and
/// bytes are copied.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_codec_config {
    /// sizeof(heartline_codec_config).
    pub struct_size: u32,
    /// HEARTLINE_CODEC_.
    pub kind: u32,
    /// The most bytes of a received message, head excluded. 0: 65536 where we listen, 16777216 where we dial.
    pub max_bytes: u64,
    /// LENGTH: bytes of the field: 1, 2, 3, 4 or 8. 0: 4.
    pub field_bytes: u32,
    /// LENGTH: not 0: the field is little-endian.
    pub little_endian: u32,
    /// LENGTH: offset of the field in the head.
    pub field_at: u32,
    /// LENGTH: bytes of the whole head. 0: the field ends it.
    pub head_bytes: u32,
    /// LENGTH: what is added to the field's value to get the message's length.
    pub adjust: i32,
    /// LENGTH: not 0: the field counts the head too.
    pub includes_head: u32,
    /// FIXED: bytes of a record.
    pub record_bytes: u32,
    /// DELIMITER: bytes of `delimiter`, 1 to 8.
    pub delimiter_bytes: u32,
    /// DELIMITER.
    pub delimiter: *const u8,
    /// LINE_HEADER: under what key the length stands in pairs and JSON, a string. NULL: "length".
    pub key: *const c_char,
    /// The message of the ask, or a pattern as in the text form ("@2:0001"), a string. NULL: the codec's own beats.
    pub ask: *const c_char,
    /// The same for the answer. NULL: as the ask.
    pub answer: *const c_char,
}

// SAFETY: numbers and pointers, of which any value is valid until it is followed.
unsafe impl Sized_ for heartline_codec_config {
    const FIRST_BYTES: usize = 80;
}

impl heartline_codec_config {
    /// Nothing is set that its kind would ignore.
    fn is_of_its_kind(&self) -> bool {
        let length = [self.field_bytes, self.little_endian, self.field_at, self.head_bytes, self.includes_head];
        let of = |kind: u32, is_unset: bool| self.kind == kind || is_unset;
        of(HEARTLINE_CODEC_LENGTH, length == [0; 5] && self.adjust == 0)
            && of(HEARTLINE_CODEC_FIXED, self.record_bytes == 0)
            && of(HEARTLINE_CODEC_DELIMITER, self.delimiter_bytes == 0 && self.delimiter.is_null())
            && of(HEARTLINE_CODEC_LINE_HEADER, self.key.is_null())
    }
}

/// Reads a codec such as "length:2be,head=4,max=64K,ask=@2:0001"; docs/framing.md has them all. `*out` is the caller's,
/// to be freed by heartline_codec_free. What is wrong is written to `why`, a string of at most `why_size` bytes with its
/// NUL, which may be NULL with 0. Any thread.
///
/// Returns 0, HEARTLINE_ERR_SPEC, _NULL or _INVALID (not UTF-8).
///
/// # Safety
/// `spec` is NULL or a string; `out` is NULL or writable; `why` is NULL or has `why_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_parse(
    spec: *const c_char,
    out: *mut *mut heartline_codec,
    why: *mut c_char,
    why_size: usize,
) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let spec = unsafe { string(spec) }?;
        // SAFETY: passed on.
        unsafe { make(Framing::parse(spec), out, why, why_size) }
    })
}

/// The same by settings.
///
/// Returns 0, HEARTLINE_ERR_SPEC, _NULL, _VERSION or _INVALID.
///
/// # Safety
/// `config` is NULL or has the bytes it says, its pointers are NULL or what it says; `out` and `why` as above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_new(
    config: *const heartline_codec_config,
    out: *mut *mut heartline_codec,
    why: *mut c_char,
    why_size: usize,
) -> i32 {
    apart(|| {
        // SAFETY: passed on.
        let config = unsafe { sized::read(config) }?;
        // SAFETY: its pointers are what it says.
        let made = unsafe { from_config(&config) }?;
        // SAFETY: passed on.
        unsafe { make(made, out, why, why_size) }
    })
}

/// # Safety
/// As [`heartline_codec_parse`].
unsafe fn make(
    made: Result<Framing, crate::frame::SpecError>,
    out: *mut *mut heartline_codec,
    why: *mut c_char,
    why_size: usize,
) -> Outcome {
    if out.is_null() {
        return Err(HEARTLINE_ERR_NULL);
    }
    match made {
        Ok(framing) => {
            // SAFETY: not NULL; the caller vouches that it is writable.
            unsafe { give(out, heartline_codec(Arc::new(framing))) }
        }
        Err(error) => {
            // SAFETY: passed on.
            unsafe { explain(why, why_size, &error) };
            Err(HEARTLINE_ERR_SPEC)
        }
    }
}

/// By the text form, which knows what goes with what.
///
/// # Safety
/// The pointers of `config` are NULL or what it says.
unsafe fn from_config(config: &heartline_codec_config) -> Result<Result<Framing, crate::frame::SpecError>, i32> {
    use std::fmt::Write;
    if !config.is_of_its_kind() {
        return Err(HEARTLINE_ERR_INVALID);
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match config.kind {
        HEARTLINE_CODEC_LENGTH => {
            let order = if config.little_endian == 0 { "be" } else { "le" };
            let _ = write!(text, "length:{}{order}", or(config.field_bytes, 4));
            for (name, value) in [("at", config.field_at), ("head", config.head_bytes)] {
                if value > 0 {
                    let _ = write!(text, ",{name}={value}");
                }
            }
            if config.adjust != 0 {
                let _ = write!(text, ",adjust={:+}", config.adjust);
            }
            text.write_str(if config.includes_head == 0 { "" } else { ",includes-head" })
        }
        HEARTLINE_CODEC_VARINT => text.write_str("varint"),
        HEARTLINE_CODEC_LINE_HEADER => {
            text.push_str("line-header");
            if config.key.is_null() {
                Ok(())
            } else {
                // SAFETY: passed on.
                write!(text, ",key={}", quoted(unsafe { string(config.key) }?))
            }
        }
        HEARTLINE_CODEC_DELIMITER => {
            if config.delimiter_bytes > 8 {
                return Err(HEARTLINE_ERR_INVALID);
            }
            // SAFETY: passed on.
            let delimiter = unsafe { bytes(config.delimiter.cast(), config.delimiter_bytes as usize) }?;
            text.push_str("delimiter:hex:");
            delimiter.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
        }
        HEARTLINE_CODEC_FIXED => write!(text, "fixed:{}", config.record_bytes),
        HEARTLINE_CODEC_RAW => text.write_str("raw"),
        _ => return Err(HEARTLINE_ERR_INVALID),
    };
    if config.max_bytes > 0 {
        let _ = write!(text, ",max={}", config.max_bytes);
    }
    for (name, beat) in [("ask", config.ask), ("answer", config.answer)] {
        if !beat.is_null() {
            // SAFETY: passed on.
            let beat = unsafe { string(beat) }?;
            // Patterns and hex are words of the text form; anything else is a message.
            let is_word = (beat.starts_with('@') || beat.starts_with("hex:")) && !beat.contains(',');
            let _ = if is_word { write!(text, ",{name}={beat}") } else { write!(text, ",{name}={}", quoted(beat)) };
        }
    }
    Ok(Framing::parse(&text))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Frees a codec; NULL is a no-op. Reactors that were given it go on with what they keep.
///
/// # Safety
/// `codec` is NULL or came from a constructor and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_free(codec: *mut heartline_codec) {
    // SAFETY: passed on.
    unsafe { free(codec, |_| false) }
}

/// The codec behind a pointer.
///
/// # Safety
/// `codec` is NULL or live.
pub(super) unsafe fn framing<'a>(codec: *const heartline_codec) -> Result<&'a Arc<Framing>, i32> {
    // SAFETY: passed on; codecs are never changed.
    unsafe { codec.as_ref() }.map(|codec| &codec.0).ok_or(HEARTLINE_ERR_NULL)
}

/// The text form of a codec, as a string into `buffer`, cut at `size`. "custom:NAME" for a custom one.
///
/// Returns its length without the NUL, whether it fitted or not; or HEARTLINE_ERR_NULL.
///
/// # Safety
/// `codec` is NULL or live; `buffer` is NULL with 0 or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_codec_spec(codec: *const heartline_codec, buffer: *mut c_char, size: usize) -> i32 {
    // SAFETY: passed on.
    apart(|| unsafe { put_text(buffer, size, &framing(codec)?.spec()) })
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
                shown.data = data.wrapping_add(frame.message.start);
                shown.len = frame.message.len();
                shown.head = data.wrapping_add(frame.head.start);
                shown.head_len = frame.head.len() as u32;
                shown.kind = kind_code(frame.kind);
                shown.total = frame.total;
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

pub(super) fn kind_code(kind: Kind) -> u32 {
    match kind {
        Kind::Message => 0,
        Kind::Ask => HEARTLINE_BEAT_ASK,
        Kind::Answer => HEARTLINE_BEAT_ANSWER,
        Kind::Either => HEARTLINE_BEAT_EITHER,
    }
}

pub(super) fn frame_error(error: &FrameError) -> i32 {
    if error.is_over_limit() { HEARTLINE_ERR_OVER_LIMIT } else { HEARTLINE_ERR_FRAME_BAD }
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
            Some(Err(crate::frame::EncodeError::HeadSize { .. })) => Err(HEARTLINE_ERR_SHORT),
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
/// HEARTLINE_ERR_ENCODE, _NULL. Any thread.
///
/// # Safety
/// `codec` is NULL or live; `head`, `data` and `buffer` are NULL with 0 or have the bytes given.
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
