//! What is remembered of a message that is not whole, in the 16 bytes of a stream.

use super::header::{Header, Place, Read};
use super::opcode;
use crate::frame::Stream;

/// A message of which something has come. In the input lie, one behind the other: the first frame's header, the payload
/// that is joined and unmasked, bytes that are nobody's any more, the next header.
pub(super) struct Joining {
    /// The first frame's, which says what the message is.
    pub(super) first: Header,
    /// Where the next header begins. 0 while the first frame is not whole.
    pub(super) at: usize,
    /// Whether that header is ours, for the rest of a payload of which a part is joined.
    pub(super) is_ours: bool,
    /// Where the joined payload ends.
    pub(super) end: usize,
    /// How many frames there were, those within the message included.
    pub(super) frames: u32,
}

const OURS: u64 = 1 << 32;

impl Joining {
    pub(super) fn new(first: Header) -> Self {
        Self { at: 0, is_ours: false, end: first.bytes(), frames: 1, first }
    }

    /// What [`keep`](Self::keep) kept. `None` if no message is unfinished, or if the numbers are foreign ones that do not
    /// fit the input: then it is cut as if nothing were remembered.
    pub(super) fn resume(stream: &Stream, input: &[u8], masked: bool, max_bytes: usize) -> Option<Self> {
        let (at, end, note) = (stream.scanned(), stream.joined(), stream.note());
        if end == 0 {
            return None;
        }
        let place = Place { masked, within: false, ours: false };
        let Ok(Read::Whole(first)) = Header::read(input, place) else { return None };
        let joined = end.checked_sub(first.bytes())?;
        let limit = if at == 0 { first.length.min((input.len() - first.bytes()) as u64) } else { u64::MAX };
        let fits = !first.is_control()
            && joined as u64 <= limit.min(max_bytes as u64)
            && first.length <= max_bytes as u64
            && (at == 0 || end <= at && at <= input.len());
        fits.then_some(Self { first, at, is_ours: note & OURS != 0, end, frames: note as u32 })
    }

    /// Remembers it. False if the input has become too long for that.
    pub(super) fn keep(&self, stream: &mut Stream) -> bool {
        let note = u64::from(self.frames) | if self.is_ours { OURS } else { 0 };
        stream.set_joined(self.at, self.end, note)
    }

    pub(super) fn is_text(&self) -> bool {
        self.first.opcode == opcode::TEXT
    }

    /// Bytes of the payload so far.
    pub(super) fn joined(&self) -> usize {
        self.end - self.first.bytes()
    }
}
