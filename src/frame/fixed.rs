//! `fixed:64`: records of one size.

use super::{Cut, EncodeError};

#[derive(Clone, Debug)]
pub(super) struct Fixed {
    /// Bytes of a record, at least 1.
    pub(super) size: usize,
}

impl Fixed {
    #[inline(always)]
    pub(super) fn cut(&self, input: &[u8]) -> Cut {
        if input.len() < self.size {
            return Cut::More { need: self.size, exact: true };
        }
        Cut::message(0, self.size, self.size)
    }

    pub(super) fn encode(&self, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let given = super::framing::bytes_in(message);
        if given != self.size {
            return Err(EncodeError::RecordSize { expected: self.size, given });
        }
        super::framing::gather(message, out);
        Ok(())
    }
}
