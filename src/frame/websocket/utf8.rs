//! Whether bytes are text, also while more are to come.

use simdutf8::basic::from_utf8;

/// Whether all of it is text.
#[inline]
pub(super) fn is_text(bytes: &[u8]) -> bool {
    is_short_ascii(bytes) || from_utf8(bytes).is_ok()
}

/// Whether it is what most short text is. Without a call, which would cost more than the rest of a short message.
#[inline(always)]
fn is_short_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    if bytes.len() > 125 {
        return false;
    }
    let Some(last) = bytes.last_chunk::<8>() else { return bytes.iter().fold(0, |all, byte| all | byte) < 0x80 };
    let words = bytes.as_chunks::<8>().0;
    words.iter().fold(u64::from_ne_bytes(*last), |all, word| all | u64::from_ne_bytes(*word)) & HIGH == 0
}

/// Whether it is text or becomes text with other bytes behind it.
pub(super) fn may_be_text(bytes: &[u8]) -> bool {
    let (whole, begun) = bytes.split_at(unfinished(bytes));
    // A character that is begun can already be one that does not exist.
    is_text(whole) && !std::str::from_utf8(begun).is_err_and(|error| error.error_len().is_some())
}

/// Where the last character begins, if bytes of it are missing; else the end.
pub(super) fn unfinished(bytes: &[u8]) -> usize {
    let end = bytes.len();
    for back in 1..=end.min(3) {
        let wanted = match bytes[end - back] {
            0x80..=0xbf => continue,
            0..=0x7f => 1,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0.. => 4,
        };
        return if wanted > back { end - back } else { end };
    }
    end
}

/// Where the first byte is that no text has there, or where a character begins that is not whole.
#[cold]
pub(super) fn fault_at(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).err().map_or(bytes.len(), |error| error.valid_up_to())
}

/// Whether a message that was inflated is what the first byte of its head says.
#[cfg(all(feature = "net", feature = "deflate"))]
pub(crate) fn check_text(first: u8, message: &[u8]) -> Result<(), crate::frame::FrameError> {
    if first & 0x0f != super::opcode::TEXT || is_text(message) {
        return Ok(());
    }
    let fault = super::WebSocketFault::NotText;
    Err(crate::frame::FrameError::WebSocket { fault, at: fault_at(message) })
}
