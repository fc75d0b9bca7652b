//! What the RFC forbids.

use std::fmt;

/// What is wrong with a WebSocket frame. The paragraphs are those of RFC 6455.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebSocketFault {
    /// One of the three reserved bits is set, and no extension was agreed on (5.2).
    ReservedBits,
    /// A reserved opcode (5.2).
    Opcode {
        /// What came.
        opcode: u8,
    },
    /// A client sent a frame without a mask (5.1).
    Unmasked,
    /// A server sent a frame with a mask (5.1).
    Masked,
    /// A Ping, Pong or Close in fragments (5.5).
    ControlFragmented,
    /// A Ping, Pong or Close of more than 125 bytes (5.5).
    ControlTooLong,
    /// The length is written with more bytes than it needs (5.2).
    LengthNotMinimal,
    /// A length of 2⁶³ or more (5.2).
    LengthTopBit,
    /// A continuation, and no message is unfinished (5.4).
    NoMessage,
    /// A new message before the last one is whole (5.4).
    MessageUnfinished,
    /// More frames of one message, control frames within it included, than are allowed.
    TooManyFragments {
        /// The most that is allowed (`fragments`).
        limit: u32,
    },
    /// A text message that is not UTF-8 (8.1). Its offset counts from the front of the message.
    NotText,
    /// A deflated message cannot be inflated (RFC 7692, 7.2.2).
    #[cfg(feature = "deflate")]
    Deflated,
    /// A deflated message is longer than `limit` bytes (`max`), whatever its length on the wire.
    #[cfg(feature = "deflate")]
    TooLarge {
        /// The most that is allowed, in bytes of the message.
        limit: usize,
    },
    /// The body of a Close is one byte: half a code (5.5.1).
    CloseBody,
    /// A Close with a code that is not to be sent (7.4).
    CloseCode {
        /// What came.
        code: u16,
    },
    /// The reason of a Close is not UTF-8 (5.5.1).
    CloseReason,
}

impl WebSocketFault {
    /// Whether a limit of ours was exceeded.
    pub(in crate::frame) fn is_over_limit(self) -> bool {
        self.close_status() == 1009
    }

    /// What the Close that answers it says (7.4.1).
    pub(in crate::frame) fn close_status(self) -> u16 {
        match self {
            Self::NotText | Self::CloseReason => 1007,
            Self::TooManyFragments { .. } => 1009,
            #[cfg(feature = "deflate")]
            Self::Deflated => 1007,
            #[cfg(feature = "deflate")]
            Self::TooLarge { .. } => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for WebSocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "a reserved bit is set",
            Self::Opcode { opcode } => return write!(f, "opcode {opcode} is reserved"),
            Self::Unmasked => "a client's frame without a mask",
            Self::Masked => "a server's frame with a mask",
            Self::ControlFragmented => "a control frame in fragments",
            Self::ControlTooLong => "a control frame of more than 125 bytes",
            Self::LengthNotMinimal => "a length in more bytes than it needs",
            Self::LengthTopBit => "a length of 2^63 or more",
            Self::NoMessage => "a continuation, but no message is unfinished",
            Self::MessageUnfinished => "a new message before the last one is whole",
            Self::TooManyFragments { limit } => return write!(f, "more than fragments={limit} frames of one message"),
            Self::NotText => "a text message that is not UTF-8",
            #[cfg(feature = "deflate")]
            Self::Deflated => "a deflated message that cannot be inflated",
            #[cfg(feature = "deflate")]
            Self::TooLarge { limit } => return write!(f, "a deflated message of more than max={limit} bytes"),
            Self::CloseBody => "a Close of one byte",
            Self::CloseCode { code } => return write!(f, "a Close with code {code}, which is not to be sent"),
            Self::CloseReason => "the reason of a Close is not UTF-8",
        })
    }
}
