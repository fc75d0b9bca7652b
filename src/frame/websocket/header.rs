//! The 2 to 14 bytes before each payload.

use super::{WebSocketFault, opcode};

/// The most bytes of a header: two, a length of eight, a key of four.
pub(super) const HEADER_BYTES_MAX: usize = 14;
/// The most bytes of the payload of a control frame.
pub(super) const CONTROL_BYTES_MAX: usize = 125;

const FIN: u8 = 0x80;
/// RSV1 of a message's first frame, where permessage-deflate may be agreed on (RFC 7692, 6).
pub(super) const DEFLATED: u8 = 0x40;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// A header that was read, or is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: u8,
    /// Whether the message is deflated.
    pub(super) is_deflated: bool,
    /// Whether the frame is the last one of its message.
    pub(super) is_final: bool,
    /// Bytes of the length behind the second byte: 0, 2 or 8.
    wide: usize,
    /// Bytes of the payload.
    pub(super) length: u64,
    /// The first byte of the payload is masked with the lowest eight bits.
    pub(super) key: Option<u32>,
}

/// What the front of some bytes is.
pub(super) enum Read {
    Whole(Header),
    /// Bytes without which it is no header.
    Need(usize),
}

/// What a header has to be where it stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Whether it comes from a client.
    pub(super) masked: bool,
    /// Whether a message is unfinished.
    pub(super) within: bool,
    /// Whether a message may be deflated.
    pub(super) deflates: bool,
    /// Whether we wrote it ourselves, for the rest of a payload: the length may be shorter than its field.
    pub(super) ours: bool,
}

impl Header {
    /// The shortest header of a frame. `first` is its opcode, with [`DEFLATED`] or without.
    pub(super) fn new(first: u8, is_final: bool, length: usize, key: Option<u32>) -> Self {
        let wide = match length {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        let (opcode, is_deflated) = (first & 0x0f, first & DEFLATED != 0);
        Self { opcode, is_deflated, is_final, wide, length: length as u64, key }
    }

    /// Reads the header at the front of `bytes`. A fault comes with its offset. What is wrong is known by the byte that
    /// makes it wrong, whether or not there are more (F1).
    #[inline]
    pub(super) fn read(bytes: &[u8], place: Place) -> Result<Read, (WebSocketFault, usize)> {
        let Some(&first) = bytes.first() else { return Ok(Read::Need(2)) };
        let (opcode, is_final, is_deflated) = (first & 0x0f, first & FIN != 0, first & DEFLATED != 0);
        // Of the reserved bits one alone has a meaning, and only on the first frame of a message.
        let allowed = if place.deflates && matches!(opcode, opcode::TEXT | opcode::BINARY) { DEFLATED } else { 0 };
        if first & RESERVED & !allowed != 0 {
            return Err((WebSocketFault::ReservedBits, 0));
        }
        match opcode {
            opcode::CONTINUATION if !place.within => return Err((WebSocketFault::NoMessage, 0)),
            opcode::TEXT | opcode::BINARY if place.within => return Err((WebSocketFault::MessageUnfinished, 0)),
            opcode::CLOSE | opcode::PING | opcode::PONG if !is_final => {
                return Err((WebSocketFault::ControlFragmented, 0));
            }
            3..=7 | 11.. => return Err((WebSocketFault::Opcode { opcode }, 0)),
            _ => {}
        }
        let Some(&second) = bytes.get(1) else { return Ok(Read::Need(2)) };
        match (second & MASKED != 0, place.masked) {
            (false, true) => return Err((WebSocketFault::Unmasked, 1)),
            (true, false) => return Err((WebSocketFault::Masked, 1)),
            _ => {}
        }
        let short = second & !MASKED;
        if opcode >= opcode::CLOSE && usize::from(short) > CONTROL_BYTES_MAX {
            return Err((WebSocketFault::ControlTooLong, 1));
        }
        let (wide, length) = match short {
            126 => (2, bytes.get(2..).and_then(<[u8]>::first_chunk).map(|long| u64::from(u16::from_be_bytes(*long)))),
            127 => (8, bytes.get(2..).and_then(<[u8]>::first_chunk).map(|long| u64::from_be_bytes(*long))),
            short => (0, Some(u64::from(short))),
        };
        let key_at = 2 + wide;
        let need = key_at + if place.masked { 4 } else { 0 };
        let Some(length) = length else { return Ok(Read::Need(need)) };
        if length >> 63 != 0 {
            return Err((WebSocketFault::LengthTopBit, 2));
        }
        if !place.ours && (wide == 2 && length <= 125 || wide == 8 && length <= 0xffff) {
            return Err((WebSocketFault::LengthNotMinimal, 2));
        }
        let key = match bytes.get(key_at..).and_then(<[u8]>::first_chunk) {
            _ if !place.masked => None,
            Some(key) => Some(u32::from_le_bytes(*key)),
            None => return Ok(Read::Need(need)),
        };
        Ok(Read::Whole(Self { opcode, is_deflated, is_final, wide, length, key }))
    }

    /// Its own bytes.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        2 + self.wide + if self.key.is_some() { 4 } else { 0 }
    }

    pub(super) fn is_control(&self) -> bool {
        self.opcode >= opcode::CLOSE
    }

    /// The most bytes of the whole message's payload: what cannot be made shorter becomes a little longer by deflating.
    pub(super) fn payload_max(&self, max_bytes: usize) -> usize {
        if self.is_deflated { max_bytes + max_bytes / 256 + 64 } else { max_bytes }
    }

    /// The header of what is left of the payload behind its first `bytes`, in as many bytes as this one.
    pub(super) fn behind(self, bytes: usize) -> Self {
        Self {
            length: self.length.saturating_sub(bytes as u64),
            key: self.key.map(|key| super::mask::behind(key, bytes)),
            ..self
        }
    }

    /// As it stands on the wire, with how many of these bytes are its own.
    #[inline]
    pub(super) fn written(&self) -> ([u8; HEADER_BYTES_MAX], usize) {
        let mut bytes = [0; HEADER_BYTES_MAX];
        bytes[0] = self.opcode | if self.is_final { FIN } else { 0 } | if self.is_deflated { DEFLATED } else { 0 };
        match self.wide {
            0 => bytes[1] = self.length as u8,
            2 => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(self.length as u16).to_be_bytes());
            }
            _ => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&self.length.to_be_bytes());
            }
        }
        if let Some(key) = self.key {
            bytes[1] |= MASKED;
            bytes[2 + self.wide..6 + self.wide].copy_from_slice(&key.to_le_bytes());
        }
        (bytes, self.bytes())
    }
}

/// Bytes of the frame at the front of what was encoded here, its header included. All of it that is to come, if the header
/// is not whole.
#[cfg(feature = "net")]
pub(crate) fn frame_bytes(front: &[u8]) -> usize {
    let [_, second, rest @ ..] = front else { return usize::MAX };
    let key = if second & MASKED != 0 { 4 } else { 0 };
    let (wide, length) = match second & !MASKED {
        126 => (2, rest.first_chunk().map(|length| u16::from_be_bytes(*length).into())),
        127 => (8, rest.first_chunk().map(|length| u64::from_be_bytes(*length) as usize)),
        short => (0, Some(short.into())),
    };
    length.map_or(usize::MAX, |length| length.saturating_add(2 + wide + key))
}
