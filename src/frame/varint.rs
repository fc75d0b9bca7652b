//! `varint`: a length in base 128, the least significant 7 bits first, as protobuf streams have it.
//!
//! As protobuf does, it accepts a length written with more bytes than it needs (`0x80 0x00` is 0), up to 10 bytes and 64
//! bits; it always writes the shortest.

use super::{Cut, EncodeError, FrameError};

/// Bytes of a length of 64 bits.
const LENGTH_BYTES_MAX: usize = 10;

#[inline(always)]
pub(super) fn cut(input: &[u8], max_bytes: usize) -> Result<Cut, FrameError> {
    let mut length = 0_u64;
    for (index, &byte) in input.iter().take(LENGTH_BYTES_MAX).enumerate() {
        // The tenth byte has room for bit 63 alone: any more, or an eleventh byte, is beyond 64 bits.
        if index == LENGTH_BYTES_MAX - 1 && byte > 1 {
            return Err(FrameError::VarintTooLong);
        }
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return body(index + 1, length, input.len(), max_bytes);
        }
    }
    Ok(Cut::More { need: input.len() + 1, exact: false })
}

#[inline(always)]
fn body(head: usize, length: u64, available: usize, max_bytes: usize) -> Result<Cut, FrameError> {
    if length > max_bytes as u64 {
        return Err(FrameError::TooLarge { limit: max_bytes, length, at: 0 });
    }
    let total = head + length as usize;
    if available < total {
        return Ok(Cut::More { need: total, exact: true });
    }
    Ok(Cut::message(head, total, total))
}

/// The head is nothing but the length, so a head given by the application says nothing more.
pub(super) fn encode(message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let length = super::framing::bytes_in(message);
    out.reserve(LENGTH_BYTES_MAX + length);
    encode_head(length, out);
    super::framing::gather(message, out);
    Ok(())
}

pub(super) fn encode_head(length: usize, out: &mut Vec<u8>) {
    let mut rest = length as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
