//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 sections 4.1 and 4.2.2).

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The duty is that it decodes to 16 bytes: bits beyond them, which some clients make up, are not looked at.
const READER: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The key as text: 24 characters.
pub(super) fn text(key: [u8; 16]) -> String {
    STANDARD.encode(key)
}

/// Whether `text` is base64 of exactly 16 bytes.
pub(super) fn is_good(text: &[u8]) -> bool {
    READER.decode(text).is_ok_and(|key| key.len() == 16)
}

/// What accepts the key, by its text: 28 characters.
pub(super) fn accept(text: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(text).chain_update(GUID).finalize())
}
