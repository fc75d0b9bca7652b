//! A codec by settings instead of text.

use std::ffi::c_char;
use std::fmt::Write;

use crate::capi::buffers::{bytes, string};
use crate::capi::codes::HEARTLINE_ERR_INVALID;
use crate::capi::defaults::or;
use crate::capi::sized::Sized_;
use crate::frame::{Framing, SpecError};

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

/// By the text form, which knows what goes with what.
///
/// # Safety
/// The pointers of `config` are NULL or what it says.
pub(super) unsafe fn from_config(config: &heartline_codec_config) -> Result<Result<Framing, SpecError>, i32> {
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
