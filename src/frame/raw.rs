//! `raw`: no framing. Whatever a read brought is one message.

use super::{Cut, EncodeError};

#[inline]
pub(super) fn cut(input: &[u8], max_bytes: usize) -> Cut {
    if input.is_empty() {
        return Cut::More { need: 1, exact: false };
    }
    let taken = input.len().min(max_bytes);
    Cut::message(0, taken, taken)
}

pub(super) fn encode(message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let bytes = super::framing::bytes_in(message);
    if bytes == 0 {
        return Err(EncodeError::Empty);
    }
    super::framing::gather(message, bytes, out);
    Ok(())
}
