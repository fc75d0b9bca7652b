//! Messages, pings, pongs and closes as frames.

#[cfg(all(feature = "net", feature = "deflate"))]
use super::header::DEFLATED;
use super::header::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX, Header};
use super::{Side, WebSocket, close, mask, opcode, utf8};
use crate::frame::framing::{bytes_in, gather};
use crate::frame::{EncodeError, Frame};

impl WebSocket {
    /// Appends a message: binary without a `head`, else what the first byte of that says.
    #[inline]
    pub(in crate::frame) fn encode(
        &self,
        head: Option<&[u8]>,
        message: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.encode_first(opcode_of(head)?, message, out)
    }

    /// Appends a message by what it has become, or as it is if that is none.
    #[cfg(all(feature = "net", feature = "deflate"))]
    pub(in crate::frame) fn encode_deflated(
        &self,
        head: Option<&[u8]>,
        message: &[u8],
        deflated: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let opcode = opcode_of(head)?;
        let Some(deflated) = deflated else { return self.encode_first(opcode, &[message], out) };
        if opcode == opcode::TEXT && !utf8::is_text(message) {
            return Err(EncodeError::NotText { at: utf8::fault_at(message) });
        }
        self.encode_first(opcode | DEFLATED, &[deflated], out)
    }

    /// `opcode`: of the first frame, with RSV1 where the message is deflated.
    #[inline(always)]
    fn encode_first(&self, opcode: u8, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length = bytes_in(message);
        let start = out.len();
        if length > self.send_fragment_bytes {
            return self.encode_fragments(opcode, message, length, out);
        }
        out.reserve(HEADER_BYTES_MAX + length);
        let key = self.next_key();
        if length <= CONTROL_BYTES_MAX && key.is_none() {
            out.extend_from_slice(&[0x80 | opcode, length as u8]);
        } else {
            let (header, bytes) = Header::new(opcode, true, length, key).written();
            out.extend_from_slice(&header[..bytes]);
        }
        let front = out.len();
        gather(message, out);
        if opcode == opcode::TEXT {
            check_text(out, front, start)?;
        }
        if let Some(key) = key {
            mask::apply(key, &mut out[front..]);
        }
        Ok(())
    }

    /// The head of a short message that a server sends, as good as written. `None` for any other, and for what is an error.
    #[cfg(feature = "net")]
    #[inline]
    pub(in crate::frame) fn short_head_of(&self, given: Option<&[u8]>, message: &[u8]) -> Option<[u8; 2]> {
        let first = 0x80 | given.map_or(Some(opcode::BINARY), |given| Some(given.first()? & 0x0f))?;
        let is_short = self.is_server() && message.len() <= CONTROL_BYTES_MAX.min(self.send_fragment_bytes);
        let is_good = first == 0x82 || first == 0x81 && utf8::is_text(message);
        (is_short && is_good && !self.would_deflate(message)).then_some([first, message.len() as u8])
    }

    /// Appends a message in fragments, so that what has to go between (a beat) never waits behind all of it. They leave
    /// as one piece where one send carries all of them.
    #[cold]
    fn encode_fragments(
        &self,
        opcode: u8,
        message: &[&[u8]],
        length: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let most = self.send_fragment_bytes;
        let fragments = length.div_ceil(most);
        let last = length - (fragments - 1) * most;
        let key_of_any = (!self.is_server()).then_some(0);
        let header_bytes = |length| Header::new(opcode, true, length, key_of_any).bytes();
        let headers = (fragments - 1) * header_bytes(most) + header_bytes(last);
        // The message is gathered behind the room for all headers. Laid out from the front, each fragment moves there.
        let start = out.len();
        out.reserve(headers + length);
        out.resize(start + headers, 0);
        gather(message, out);
        if opcode == opcode::TEXT {
            check_text(out, start + headers, start)?;
        }
        let (mut at, mut from, end) = (start, start + headers, start + headers + length);
        while from < end {
            let payload = most.min(end - from);
            let key = self.next_key();
            let opcode = if at == start { opcode } else { opcode::CONTINUATION };
            let (header, bytes) = Header::new(opcode, from + payload == end, payload, key).written();
            out[at..at + bytes].copy_from_slice(&header[..bytes]);
            at += bytes;
            out.copy_within(from..from + payload, at);
            if let Some(key) = key {
                mask::apply(key, &mut out[at..at + payload]);
            }
            at += payload;
            from += payload;
        }
        Ok(())
    }

    /// Appends a Ping without a payload.
    pub(in crate::frame) fn ping(&self, out: &mut Vec<u8>) {
        self.control(opcode::PING, &[], out);
    }

    /// Appends the answer to a Ping or a Close: the same payload, or its code. False for what is neither.
    pub(in crate::frame) fn answer(&self, frame: &[u8], cut: &Frame, out: &mut Vec<u8>) -> bool {
        let first = frame.get(cut.head.start).copied().unwrap_or_default();
        let payload = frame.get(cut.message.clone()).unwrap_or_default();
        match first & 0x0f {
            opcode::PING => self.control(opcode::PONG, payload, out),
            opcode::CLOSE => self.control(opcode::CLOSE, payload.get(..2).unwrap_or_default(), out),
            _ => return false,
        }
        true
    }

    /// Appends a Close with this code, or without one if it is none that may be sent.
    pub(in crate::frame) fn close(&self, code: u16, out: &mut Vec<u8>) {
        let bytes = code.to_be_bytes();
        self.control(opcode::CLOSE, if close::may_be_sent(code) { &bytes } else { &[] }, out);
    }

    /// Appends a beat that was set: text if it is, else binary; or what `like`, the head of its ask, says, if it can be.
    pub(in crate::frame) fn encode_beat(&self, like: Option<&[u8]>, message: &[u8], out: &mut Vec<u8>) {
        let text = utf8::is_text(message).then_some(&[opcode::TEXT][..]);
        let done =
            like.is_some() && self.encode(like, &[message], out).is_ok() || self.encode(text, &[message], out).is_ok();
        debug_assert!(done, "text goes as text, and binary is never refused");
    }

    fn control(&self, opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
        // Never more, unless somebody has made up a frame.
        let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX)];
        let key = self.next_key();
        let (header, bytes) = Header::new(opcode, true, payload.len(), key).written();
        out.extend_from_slice(&header[..bytes]);
        let front = out.len();
        out.extend_from_slice(payload);
        if let Some(key) = key {
            mask::apply(key, &mut out[front..]);
        }
    }

    #[inline(always)]
    fn next_key(&self) -> Option<u32> {
        match &self.side {
            Side::Server => None,
            Side::Client(keys) => Some(keys.next()),
        }
    }
}

/// Of the head that is given only this counts, so that the head of what was received can be given back.
#[inline]
fn opcode_of(head: Option<&[u8]>) -> Result<u8, EncodeError> {
    let Some(head) = head else { return Ok(opcode::BINARY) };
    match head.first().map(|first| first & 0x0f) {
        Some(opcode @ (opcode::TEXT | opcode::BINARY)) => Ok(opcode),
        Some(given) => Err(EncodeError::Opcode { given }),
        None => Err(EncodeError::HeadSize { expected: 1, given: 0 }),
    }
}

/// Takes back what was appended from `start` on if the message at `front` is not text.
#[inline]
fn check_text(out: &mut Vec<u8>, front: usize, start: usize) -> Result<(), EncodeError> {
    if utf8::is_text(&out[front..]) {
        return Ok(());
    }
    let at = utf8::fault_at(&out[front..]);
    out.truncate(start);
    Err(EncodeError::NotText { at })
}
