//! What a Close may say.

use super::{WebSocketFault, utf8};

/// Whether a Close may carry this code: those of RFC 6455, section 7.4, and those that the IANA has added since. 1004, 1005,
/// 1006 and 1015 are never sent.
pub(super) fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The code of a Close with this body. It has none if the body is empty.
pub(super) fn code(body: &[u8]) -> Option<u16> {
    body.first_chunk().map(|code| u16::from_be_bytes(*code))
}

/// What is wrong with the body of a Close, and its offset there.
pub(super) fn check(body: &[u8]) -> Result<(), (WebSocketFault, usize)> {
    if body.is_empty() {
        return Ok(());
    }
    let Some(code) = code(body) else { return Err((WebSocketFault::CloseBody, 0)) };
    if !may_be_sent(code) {
        return Err((WebSocketFault::CloseCode { code }, 0));
    }
    let reason = &body[2..];
    if utf8::is_text(reason) { Ok(()) } else { Err((WebSocketFault::CloseReason, 2 + utf8::fault_at(reason))) }
}
