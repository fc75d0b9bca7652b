//! What can be wrong with bytes that came, and with what is to be sent.

#[cfg(feature = "websocket")]
use super::WebSocketFault;
use std::fmt;

/// Why bytes that came are not a frame. The connection cannot go on: where the next frame begins is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The length at offset `at` of the frame promises a message of `length` bytes, over `limit` (`max`). A length
    /// beyond 64 bits is shown as 2⁶⁴ − 1.
    TooLarge {
        /// The most that is allowed, in bytes of the message.
        limit: usize,
        /// What came.
        length: u64,
        /// Offset of the length in the frame.
        at: usize,
    },
    /// No delimiter came where the message could still have been within `limit` bytes (`max`).
    LineTooLong {
        /// The most that is allowed, in bytes of the message.
        limit: usize,
    },
    /// The length field at offset `at` says `length`, but what it counts takes at least `least`: the message would be
    /// shorter than nothing.
    LengthBelowHead {
        /// What came.
        length: u64,
        /// The least it can be.
        least: u64,
        /// Offset of the length in the frame.
        at: usize,
    },
    /// A varint length of more than 10 bytes, or beyond 64 bits.
    VarintTooLong,
    /// No end of the text head within `limit` bytes ([`LINE_HEAD_BYTES_MAX`](super::LINE_HEAD_BYTES_MAX)).
    HeadTooLong {
        /// The most that is allowed, CRLF included.
        limit: usize,
    },
    /// The text head cannot be read: `fault` at offset `at`.
    BadHead {
        /// What is wrong.
        fault: HeadFault,
        /// Offset in the frame.
        at: usize,
    },
    /// A WebSocket frame is not as RFC 6455 wants it.
    #[cfg(feature = "websocket")]
    WebSocket {
        /// What is wrong.
        fault: WebSocketFault,
        /// Offset from the front of the message, all its frames and headers counted; of a text that is none, in the text.
        at: usize,
    },
    /// A custom codec refused the bytes with a code of its own.
    Custom {
        /// The codec's code.
        code: u32,
        /// Offset in the frame, or 0.
        at: usize,
    },
    /// A custom codec gave out a frame that does not lie within the `input` bytes it was shown, or takes none of them.
    BrokenCodec {
        /// Bytes that it was shown.
        input: usize,
        /// Bytes that it claims.
        total: usize,
    },
}

impl FrameError {
    /// Whether the bytes may be well-formed but exceed a limit, as opposed to malformed.
    pub fn is_over_limit(&self) -> bool {
        #[cfg(feature = "websocket")]
        if let Self::WebSocket { fault, .. } = self {
            return fault.is_over_limit();
        }
        matches!(self, Self::TooLarge { .. } | Self::LineTooLong { .. } | Self::HeadTooLong { .. })
    }

    /// What a goodbye says of it, in the numbers of WebSocket: 1009 over a limit, 1007 for text that is none, else 1002.
    pub fn close_status(&self) -> u16 {
        #[cfg(feature = "websocket")]
        if let Self::WebSocket { fault, .. } = self {
            return fault.close_status();
        }
        if self.is_over_limit() { 1009 } else { 1002 }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLarge { limit, length, at } => {
                write!(f, "message of {length} bytes is over max={limit} (length at offset {at})")
            }
            Self::LineTooLong { limit } => write!(f, "no delimiter within max={limit} bytes"),
            Self::LengthBelowHead { length, least, at } => {
                write!(f, "length {length} at offset {at} is below {least}, the least that its head allows")
            }
            Self::VarintTooLong => f.write_str("varint length has more than 10 bytes or 64 bits"),
            Self::HeadTooLong { limit } => write!(f, "no CRLF within the {limit} bytes that a text head may have"),
            Self::BadHead { fault, at } => write!(f, "text head, offset {at}: {fault}"),
            #[cfg(feature = "websocket")]
            Self::WebSocket { fault, at } => write!(f, "WebSocket, offset {at}: {fault}"),
            Self::Custom { code, at } => write!(f, "custom codec: error {code} at offset {at}"),
            Self::BrokenCodec { input, total } => {
                write!(
                    f,
                    "custom codec claims a frame of {total} bytes that does not lie within the {input} it was shown"
                )
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// What is wrong with a text head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadFault {
    /// It ends in LF without CR before it, or does not end in CRLF at all.
    NoCrlf,
    /// It has no length.
    NoLength,
    /// It has the length twice.
    TwoLengths,
    /// The length is negative.
    Negative,
    /// The length is not an integer in decimal digits.
    NotInteger,
    /// It is not `key=value` pairs separated by semicolons.
    NotPairs,
    /// It is not a JSON object of strings, numbers, `true`, `false` and `null`.
    NotJson,
    /// The JSON object holds another object or an array.
    Nested,
    /// A JSON key is written with a backslash: two spellings of one key would be read differently by different peers.
    EscapedKey,
    /// It holds a control character.
    Control,
}

impl fmt::Display for HeadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCrlf => "a head must end in CRLF",
            Self::NoLength => "no length",
            Self::TwoLengths => "two lengths",
            Self::Negative => "the length is negative",
            Self::NotInteger => "the length is not an integer",
            Self::NotPairs => "not key=value pairs separated by semicolons",
            Self::NotJson => "not a flat JSON object",
            Self::Nested => "a JSON value that is an object or an array",
            Self::EscapedKey => "a JSON key written with a backslash",
            Self::Control => "a control character",
        })
    }
}

/// Why a frame cannot be encoded. Nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The length field would have to say `length`, but holds at most `most`.
    LengthUnfit {
        /// What it would have to say.
        length: u64,
        /// The most that the field holds.
        most: u64,
    },
    /// `adjust` counts `least` bytes that are part of the message, which has only `length`.
    TooShort {
        /// Bytes of the message.
        length: usize,
        /// The least it can have.
        least: usize,
    },
    /// The head given has another size than the codec's.
    HeadSize {
        /// What the codec has.
        expected: usize,
        /// What was given.
        given: usize,
    },
    /// The text head given cannot be read.
    BadHead {
        /// What is wrong.
        fault: HeadFault,
        /// Offset in the head.
        at: usize,
    },
    /// The text head, with its length written, is over `limit` ([`LINE_HEAD_BYTES_MAX`](super::LINE_HEAD_BYTES_MAX)).
    HeadTooLong {
        /// The most that is allowed, CRLF included.
        limit: usize,
        /// What it would have.
        length: usize,
    },
    /// The message contains the delimiter, or a delimiter begins in it: the peer would cut it at `at`.
    HasDelimiter {
        /// Offset in the message.
        at: usize,
    },
    /// The message is not exactly as long as the records of `fixed`.
    RecordSize {
        /// Bytes of a record.
        expected: usize,
        /// Bytes of the message.
        given: usize,
    },
    /// An empty message has no bytes on the wire in `raw`, so it cannot be sent.
    Empty,
    /// A WebSocket message is text or binary; the head that was given is of another frame.
    #[cfg(feature = "websocket")]
    Opcode {
        /// What its first byte says.
        given: u8,
    },
    /// The message was to go as text, but is not UTF-8.
    #[cfg(feature = "websocket")]
    NotText {
        /// Offset in the message.
        at: usize,
    },
    /// A custom codec refused with a code of its own.
    Custom {
        /// The codec's code.
        code: u32,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LengthUnfit { length, most } => {
                write!(f, "length {length} does not fit its field, which holds at most {most}")
            }
            Self::TooShort { length, least } => {
                write!(f, "message of {length} bytes is shorter than the {least} that adjust= leaves uncounted")
            }
            Self::HeadSize { expected, given } => write!(f, "head of {given} bytes, but the codec's has {expected}"),
            Self::BadHead { fault, at } => write!(f, "head given, offset {at}: {fault}"),
            Self::HeadTooLong { limit, length } => write!(f, "head of {length} bytes is over the limit of {limit}"),
            Self::HasDelimiter { at } => write!(f, "a delimiter begins at offset {at} of the message"),
            Self::RecordSize { expected, given } => {
                write!(f, "message of {given} bytes, but a record has exactly {expected}")
            }
            Self::Empty => f.write_str("an empty message cannot be sent without framing"),
            #[cfg(feature = "websocket")]
            Self::Opcode { given } => write!(f, "head of opcode {given}, but a message is text (1) or binary (2)"),
            #[cfg(feature = "websocket")]
            Self::NotText { at } => write!(f, "text that is not UTF-8 at offset {at} of the message"),
            Self::Custom { code } => write!(f, "custom codec: error {code}"),
        }
    }
}

impl std::error::Error for EncodeError {}
