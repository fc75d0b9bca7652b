//! The payload of frames with RSV1 becomes a message (RFC 7692 section 7.2.2), within a limit.

use super::options::BITS;
use super::{Scratch, TAIL};
use flate2::{Decompress, FlushDecompress, Status};
use std::fmt;

/// Why a payload is no message. The connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InflateError {
    /// It is not what DEFLATE makes, or its end is missing.
    Malformed,
    /// The message is longer than the limit.
    TooLarge {
        /// The limit, in bytes of the message.
        limit: usize,
    },
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not the deflated form of a message"),
            Self::TooLarge { limit } => write!(f, "a deflated message of more than max={limit} bytes"),
        }
    }
}

impl std::error::Error for InflateError {}

/// The tail that was left out, and behind it an empty last block: only where a block has ended does it end the stream.
const TAIL_AND_END: [u8; 6] = [TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0x03, 0x00];
/// A block that says it is the last may stand within a message (section 7.2.3.4), but each costs as much as a small
/// message: besides these few, one in so many bytes of the payload.
const LAST_BLOCKS: usize = 16;
const BYTES_PER_LAST_BLOCK: usize = 64;
/// Room for what is inflated grows from this, and with what comes (F2): nothing is reserved by a promise.
const ROOM_BYTES_MIN: usize = 256;
const ROOM_BYTES_AT_FIRST: usize = 64 << 10;

/// Appends the message whose deflated form is `payload` to `out`. It may refer to `window`, the messages before; without
/// takeover that is empty. Never more than `max_bytes` and one are inflated.
///
/// # Errors
/// As soon as it is known. Then nothing is appended.
pub fn inflate(
    scratch: &mut Scratch,
    window: &[u8],
    payload: &[u8],
    max_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    let start = out.len();
    let mut message = Message { inflate: scratch.inflate(), start, max_bytes, out };
    let read = message.read(window, payload);
    if read.is_err() {
        out.truncate(start);
    }
    read
}

struct Message<'a> {
    inflate: &'a mut Decompress,
    start: usize,
    max_bytes: usize,
    out: &'a mut Vec<u8>,
}

impl Message<'_> {
    fn read(&mut self, window: &[u8], payload: &[u8]) -> Result<(), InflateError> {
        self.refer_to(window)?;
        let first = (4 * payload.len()).clamp(ROOM_BYTES_MIN, ROOM_BYTES_AT_FIRST);
        self.out.reserve_exact(first.min(self.max_bytes.saturating_add(1)));
        let mut last_blocks = LAST_BLOCKS + payload.len() / BYTES_PER_LAST_BLOCK;
        let mut rest = payload;
        while let (true, used) = self.feed(rest)? {
            rest = &rest[used..];
            if rest.is_empty() {
                return Ok(());
            }
            last_blocks = last_blocks.checked_sub(1).ok_or(InflateError::Malformed)?;
            self.go_on(window)?;
        }
        match self.feed(&TAIL_AND_END)? {
            (true, used) if used == TAIL_AND_END.len() => Ok(()),
            _ => Err(InflateError::Malformed),
        }
    }

    /// Behind a last block: what follows may refer to all before it.
    fn go_on(&mut self, window: &[u8]) -> Result<(), InflateError> {
        self.inflate.reset(false);
        let most = 1 << BITS.end();
        let came = &self.out[self.start..];
        let came = &came[came.len().saturating_sub(most)..];
        let before = &window[window.len().saturating_sub(most - came.len())..];
        let all = [before, came].concat();
        self.refer_to(&all)
    }

    fn refer_to(&mut self, window: &[u8]) -> Result<(), InflateError> {
        if !window.is_empty() {
            self.inflate.set_dictionary(window).map_err(|_| InflateError::Malformed)?;
        }
        Ok(())
    }

    /// Inflates all of `input`, or up to the end of a last block: whether there was one, and how much was used.
    fn feed(&mut self, input: &[u8]) -> Result<(bool, usize), InflateError> {
        let mut used = 0;
        loop {
            self.make_room();
            let (came, had) = (self.inflate.total_in(), self.out.len());
            let status = self.inflate.decompress_vec(&input[used..], self.out, FlushDecompress::None);
            let taken = (self.inflate.total_in() - came) as usize;
            used += taken;
            if self.out.len() - self.start > self.max_bytes {
                return Err(InflateError::TooLarge { limit: self.max_bytes });
            }
            match status {
                Err(_) => return Err(InflateError::Malformed),
                Ok(Status::StreamEnd) => return Ok((true, used)),
                // Where no room is left, there may be more.
                Ok(_) if self.out.len() < self.out.capacity() || (taken == 0 && self.out.len() == had) => {
                    return if used == input.len() { Ok((false, used)) } else { Err(InflateError::Malformed) };
                }
                Ok(_) => {}
            }
        }
    }

    /// Sees that there is room for one byte more at least: twice what there is, but not beyond the limit.
    fn make_room(&mut self) {
        if self.out.len() == self.out.capacity() {
            let came = self.out.len() - self.start;
            let missing = self.max_bytes.saturating_add(1).saturating_sub(came).max(1);
            self.out.reserve_exact(came.max(ROOM_BYTES_MIN).min(missing));
        }
    }
}
