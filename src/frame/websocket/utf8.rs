//! Whether bytes are text, also while more are to come.

use simdutf8::basic::from_utf8;

/// Whether all of it is text.
#[inline]
pub(super) fn is_text(bytes: &[u8]) -> bool {
    // Most text is, and short text is not worth a call of more.
    bytes.is_ascii() || from_utf8(bytes).is_ok()
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
