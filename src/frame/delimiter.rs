//! `delimiter:\r\n`: text until a delimiter.

use super::{Cut, EncodeError, FrameError, Stream};

/// The most bytes that a delimiter may have.
pub const DELIMITER_BYTES_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Delimiter {
    /// 1 to [`DELIMITER_BYTES_MAX`] bytes.
    pub(super) bytes: Box<[u8]>,
}

impl Delimiter {
    pub(super) fn cut(&self, input: &[u8], stream: &mut Stream, max_bytes: usize) -> Result<Cut, FrameError> {
        // Where a delimiter may begin: with all its bytes here, and the message before it within the limit.
        let end = (input.len() + 1).saturating_sub(self.bytes.len()).min(max_bytes + 1);
        let from = stream.scanned().min(end);
        if let Some(at) = self.find(input, from, end) {
            stream.end_frame();
            return Ok(Cut::message(0, at, at + self.bytes.len()));
        }
        if input.len() > max_bytes && !self.may_begin(input, end, max_bytes) {
            return Err(FrameError::LineTooLong { limit: max_bytes });
        }
        stream.set_scanned(end);
        Ok(Cut::More { need: input.len() + 1, exact: false })
    }

    /// The first place in `from..end` where a whole delimiter begins.
    fn find(&self, input: &[u8], from: usize, end: usize) -> Option<usize> {
        let (first, others) = self.bytes.split_first()?;
        let mut at = from;
        while at < end {
            at += find_byte(&input[at..end], *first)?;
            // By hand: a call of memcmp costs more than these few bytes.
            if others.iter().zip(&input[at + 1..]).all(|(wanted, byte)| wanted == byte) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// Whether the last bytes of `input` may still become a delimiter that ends a message within the limit.
    fn may_begin(&self, input: &[u8], from: usize, max_bytes: usize) -> bool {
        (from..=max_bytes).any(|at| self.bytes.starts_with(&input[at..]))
    }

    pub(super) fn encode(&self, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length = super::framing::bytes_in(message);
        let start = out.len();
        out.reserve(length + self.bytes.len());
        super::framing::gather(message, out);
        out.extend_from_slice(&self.bytes);
        // Looked for across the slices and into the delimiter itself: with `aa`, the message `a` would be cut at once.
        match self.find(&out[start..], 0, length) {
            None => Ok(()),
            Some(at) => {
                out.truncate(start);
                Err(EncodeError::HasDelimiter { at })
            }
        }
    }
}

/// Where `byte` first is in `bytes`; eight bytes at a time.
#[inline]
pub(super) fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let wanted = ONES * u64::from(byte);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // A byte of `difference` is 0 where `byte` is. The lowest bit that the borrow leaves set is at the first such one.
        let difference = u64::from_le_bytes(*word) ^ wanted;
        let found = difference.wrapping_sub(ONES) & !difference & (ONES << 7);
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&other| other == byte).map(|at| words.len() * 8 + at)
}
