//! What we want of permessage-deflate.

use std::ops::RangeInclusive;

/// What `deflate-bits=` can be. zlib cannot deflate with 8 bits without a header of its own.
pub(in crate::frame) const BITS: RangeInclusive<u8> = 9..=15;
/// What `deflate-level=` can be.
pub(in crate::frame) const LEVELS: RangeInclusive<u8> = 1..=9;

/// What we want of permessage-deflate: as the server of those who offer it, as the client of the server that it is
/// offered to. By default nothing is kept between messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateOptions {
    /// How much work goes into what we send: 1 (least) to 9. Default 6.
    pub level: u8,
    /// Whether what the server sends may refer to its messages before. Each end then keeps up to 2^`max_window_bits`
    /// bytes of them for each connection, also while it is idle. Default false.
    pub server_context_takeover: bool,
    /// The same for what the client sends. Default false.
    pub client_context_takeover: bool,
    /// How far back it may refer, in both directions: 2^9 to 2^15 bytes. Default 15.
    pub max_window_bits: u8,
    /// Shorter messages are sent as they are, and so are those that deflating does not make shorter. Default 64 bytes.
    pub min_bytes: u32,
}

impl Default for DeflateOptions {
    fn default() -> Self {
        Self {
            level: 6,
            server_context_takeover: false,
            client_context_takeover: false,
            max_window_bits: *BITS.end(),
            min_bytes: 64,
        }
    }
}

impl DeflateOptions {
    /// Window bits that zlib knows, whatever was given.
    pub(super) fn bits(&self) -> u8 {
        self.max_window_bits.clamp(*BITS.start(), *BITS.end())
    }
}
