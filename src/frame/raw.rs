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
    if message.iter().all(|slice| slice.is_empty()) {
        return Err(EncodeError::Empty);
    }
    super::framing::gather(message, out);
    Ok(())
}
