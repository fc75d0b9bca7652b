//! What can be wrong with the text form.

use super::EncodeError;
use std::fmt;

/// Why a text form was refused at set-up (rule F6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// There is no such codec.
    UnknownCodec {
        /// What was given.
        given: String,
        /// What may have been meant.
        near: Option<&'static str>,
    },
    /// This codec has no such key.
    UnknownKey {
        /// What was given.
        given: String,
        /// The codec.
        codec: &'static str,
        /// What may have been meant.
        near: Option<&'static str>,
    },
    /// The key is there twice.
    Twice {
        /// The key.
        key: &'static str,
    },
    /// The key, or the codec, needs a value.
    NoValue {
        /// The key or codec.
        key: &'static str,
        /// What it wants.
        wanted: &'static str,
    },
    /// The key, or the codec, takes no value.
    Value {
        /// The key or codec.
        key: &'static str,
        /// What was given.
        given: String,
    },
    /// The value is none of those that the key knows.
    BadValue {
        /// The key or codec.
        key: &'static str,
        /// What was given.
        given: String,
        /// What it wants.
        wanted: &'static str,
    },
    /// The number is out of range.
    OutOfRange {
        /// The key or codec.
        key: &'static str,
        /// What was given.
        given: i64,
        /// The least it can be.
        least: i64,
        /// The most it can be.
        most: i64,
    },
    /// The text of the value cannot be read: a bad escape, a bad hex digit, a quote that does not end.
    BadText {
        /// The key or codec.
        key: String,
        /// What was given.
        given: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// The field of `length` cannot say even the length of the shortest frame.
    Field(EncodeError),
    /// This codec cannot send, receive or tell this beat.
    Beat {
        /// `ask`, `answer`, or `max` where a new limit shuts out the beats.
        key: &'static str,
        /// What is wrong.
        fault: BeatFault,
    },
}

/// Why a beat was refused at set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeatFault {
    /// The codec cannot encode it.
    Encode(EncodeError),
    /// It takes `length` bytes, but a beat of this codec has at most `limit`.
    TooLong {
        /// Bytes it takes.
        length: usize,
        /// The most it can take.
        limit: usize,
    },
    /// Its message is over `max`.
    OverMax {
        /// Bytes of its message.
        length: usize,
        /// `max`.
        limit: usize,
    },
    /// The pattern lies on the length field.
    OnLength,
    /// A frame with this pattern would be cut elsewhere.
    BreaksFrame,
    /// One frame could be ask and answer at once, though they are not the same.
    Ambiguous,
    /// An answer without an ask, and the codec has no ask by default.
    NoAsk,
    /// A pattern counts from the start of the frame, and the heads of this codec differ in length.
    #[cfg(feature = "websocket")]
    HeadVaries,
    /// The codec has no frames, so it has no beats.
    NoFrames,
}

impl BeatFault {
    pub(super) fn at(self, key: &'static str) -> SpecError {
        SpecError::Beat { key, fault: self }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCodec { given, near } => {
                write!(f, "no codec {given:?}")?;
                perhaps(f, *near)
            }
            Self::UnknownKey { given, codec, near } => {
                write!(f, "{codec} has no key {given:?}")?;
                perhaps(f, *near)
            }
            Self::Twice { key } => write!(f, "{key} is given twice"),
            Self::NoValue { key, wanted } => write!(f, "{key} needs a value: {wanted}"),
            Self::Value { key, given } => write!(f, "{key} takes no value, but {given:?} is given"),
            Self::BadValue { key, given, wanted } => write!(f, "{key} is {given:?}, but wants {wanted}"),
            Self::OutOfRange { key, given, least, most } => {
                write!(f, "{key} is {given}, but must be from {least} to {most}")
            }
            Self::BadText { key, given, fault } => write!(f, "{key} is {given:?}: {fault}"),
            Self::Field(error) => write!(f, "length cannot encode even its shortest frame: {error}"),
            Self::Beat { key, fault } => write!(f, "{key}: {fault}"),
        }
    }
}

fn perhaps(f: &mut fmt::Formatter<'_>, near: Option<&str>) -> fmt::Result {
    match near {
        Some(near) => write!(f, "; did you mean {near}?"),
        None => Ok(()),
    }
}

impl std::error::Error for SpecError {}

impl fmt::Display for BeatFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::TooLong { length, limit } => write!(f, "takes {length} bytes, but a beat can have {limit}"),
            Self::OverMax { length, limit } => write!(f, "a beat's message of {length} bytes is over max={limit}"),
            Self::OnLength => f.write_str("the pattern lies on the length field"),
            Self::BreaksFrame => f.write_str("a frame with this pattern would be cut elsewhere"),
            Self::Ambiguous => f.write_str("one frame could be ask and answer at once"),
            Self::NoAsk => f.write_str("this codec has no ask by default: give ask= as well"),
            #[cfg(feature = "websocket")]
            Self::HeadVaries => f.write_str("websocket heads differ in length: give a whole message, not a pattern"),
            Self::NoFrames => f.write_str("raw has no frames, so only silence counts"),
        }
    }
}

impl std::error::Error for BeatFault {}
