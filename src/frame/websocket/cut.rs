//! One frame or a part of one after the other becomes a message, in place.

use super::header::{Header, Place, Read};
use super::joining::Joining;
use super::{WebSocket, WebSocketFault, close, mask, opcode, utf8};
use crate::frame::{Cut, Frame, FrameError, Kind, Stream};

impl WebSocket {
    /// Cuts the message or control frame at the front of `input`. What a call costs grows with the bytes that are new to
    /// it: each is unmasked, checked and moved once (F4).
    #[inline(always)]
    pub(in crate::frame) fn cut(
        &self,
        input: &mut [u8],
        stream: &mut Stream,
        max_bytes: usize,
    ) -> Result<Cut, FrameError> {
        if let Some(head) = self.short(input, stream, max_bytes) {
            return short(input, head);
        }
        self.cut_on(input, stream, max_bytes)
    }

    /// How long the header is, if a whole message in one frame of at most 125 bytes is at the front: the usual case.
    #[inline(always)]
    fn short(&self, input: &[u8], stream: &Stream, max_bytes: usize) -> Option<usize> {
        let [first, second, ..] = *input else { return None };
        let (head, masked) = self.short_head();
        // A wrong mask bit makes the length larger than 125.
        let length = usize::from(second ^ masked);
        let fits = matches!(first, 0x81 | 0x82) && length <= 125 && length <= max_bytes;
        (fits && input.len() >= head + length && stream.is_idle()).then_some(head)
    }

    #[inline(never)]
    fn cut_on(&self, input: &mut [u8], stream: &mut Stream, max_bytes: usize) -> Result<Cut, FrameError> {
        let front = Place { masked: self.is_server(), within: false, deflates: self.may_deflate(), ours: false };
        let mut message = match Joining::resume(stream, input, front, max_bytes) {
            Some(message) => message,
            None => {
                *stream = Stream::default();
                let header = match read(input, 0, front)? {
                    Read::Whole(header) => header,
                    Read::Need(need) => return Ok(Cut::More { need, exact: false }),
                };
                if header.is_control() {
                    return Ok(match control(input, 0, header)? {
                        Some(frame) => Cut::Frame(frame),
                        None => Cut::More { need: header.bytes() + header.length as usize, exact: true },
                    });
                }
                check_length(&header, 0, 0, header.payload_max(max_bytes))?;
                Joining::new(header)
            }
        };
        let cut = self.join(input, &mut message, max_bytes)?;
        if let Cut::Frame(_) = cut {
            *stream = Stream::default();
        } else if !message.keep(stream) {
            return Err(self.too_many(message.at, max_bytes));
        }
        Ok(cut)
    }

    /// Goes on with a message: joins what has come of it.
    fn join(&self, input: &mut [u8], message: &mut Joining, max_bytes: usize) -> Result<Cut, FrameError> {
        let masked = self.is_server();
        loop {
            // Of the first frame's payload a part may be joined: it lies where it came.
            let (rest, from) = if message.at == 0 {
                (message.first.behind(message.joined()), message.end)
            } else {
                let place = Place { masked, within: true, deflates: false, ours: message.is_ours };
                let header = match read(input, message.at, place)? {
                    Read::Whole(header) => header,
                    Read::Need(need) => return Ok(Cut::More { need: message.at + need, exact: false }),
                };
                if header.is_control() {
                    let end = message.at + header.bytes() + header.length as usize;
                    let Some(frame) = control(input, message.at, header)? else {
                        return Ok(Cut::More { need: end, exact: false });
                    };
                    if frame.kind == Kind::Close {
                        // What was unfinished remains so.
                        return Ok(Cut::Frame(frame));
                    }
                    self.count(message, max_bytes)?;
                    (message.at, message.is_ours) = (end, false);
                    return Ok(Cut::Within(frame));
                }
                check_length(&header, message.at, message.joined(), message.first.payload_max(max_bytes))?;
                if !message.is_ours {
                    self.count(message, max_bytes)?;
                }
                (header, message.at + header.bytes())
            };
            let missing = rest.length as usize;
            let came = missing.min(input.len() - from);
            append(input, message, rest.key, from, came)?;
            let end = from + missing;
            if came < missing {
                if message.at != 0 {
                    // Its header is soon written over: the rest gets one of its own, before it.
                    message.at += came;
                    message.is_ours = true;
                    let (header, bytes) = rest.behind(came).written();
                    input[message.at..message.at + bytes].copy_from_slice(&header[..bytes]);
                }
                // The next byte may make text of it that is none; nobody waits for the last one to hear of it.
                let need = if message.is_text() { input.len() + 1 } else { end };
                return Ok(Cut::More { need, exact: rest.is_final && !message.is_text() });
            }
            if rest.is_final {
                return whole(input, message, end);
            }
            (message.at, message.is_ours) = (end, false);
        }
    }

    fn count(&self, message: &mut Joining, max_bytes: usize) -> Result<(), FrameError> {
        message.frames = message.frames.saturating_add(1);
        if message.frames > self.fragments_max(max_bytes) {
            return Err(self.too_many(message.at, max_bytes));
        }
        Ok(())
    }

    #[cold]
    fn too_many(&self, at: usize, max_bytes: usize) -> FrameError {
        let limit = self.fragments_max(max_bytes);
        FrameError::WebSocket { fault: WebSocketFault::TooManyFragments { limit }, at }
    }
}

/// Takes the mask off a frame that is the whole input, with a header of `head` bytes. False, and nothing changed, if it
/// is no whole message or not the text that it says.
#[cfg(feature = "net")]
pub(in crate::frame) fn unmask_short(frame: &mut [u8], head: usize) -> bool {
    let Some((header, payload)) = frame.split_at_mut_checked(head) else { return false };
    let (first, key) = match header {
        [first, _] => (*first, None),
        [first, _, key @ ..] => (*first, key.first_chunk().map(|key| u32::from_le_bytes(*key))),
        _ => return false,
    };
    if !matches!(first, 0x81 | 0x82) {
        return false;
    }
    if let Some(key) = key {
        mask::apply(key, payload);
    }
    let is_whole = first == 0x82 || utf8::is_text(payload);
    if !is_whole && let Some(key) = key {
        // The long way says what is wrong with it, and begins at the bytes that came.
        mask::apply(key, payload);
    }
    is_whole
}

/// The whole message behind a header of `head` bytes whose length is its second byte's.
#[inline(always)]
fn short(input: &mut [u8], head: usize) -> Result<Cut, FrameError> {
    let total = head + usize::from(input[1] & 0x7f);
    let is_text = input[0] & 0x0f == opcode::TEXT;
    let (header, payload) = input[..total].split_at_mut(head);
    if let [_, _, key @ ..] = header
        && let Some(key) = key.first_chunk()
    {
        mask::apply(u32::from_le_bytes(*key), payload);
    }
    if is_text && !utf8::is_text(payload) {
        return Err(not_text(payload, 0));
    }
    Ok(Cut::message(head, total, total))
}

/// Joins `came` bytes at `from`: moves them to the end of the payload, takes the mask off and looks whether they are text.
fn append(
    input: &mut [u8],
    message: &mut Joining,
    key: Option<u32>,
    from: usize,
    came: usize,
) -> Result<(), FrameError> {
    let (front, end) = (message.first.bytes(), message.end + came);
    if from != message.end {
        input.copy_within(from..from + came, message.end);
    }
    if let Some(key) = key {
        mask::apply(key, &mut input[message.end..end]);
    }
    if message.is_text() {
        // From the character on that was not whole.
        let known = utf8::unfinished(&input[front..message.end]);
        let new = &input[front + known..end];
        if !utf8::may_be_text(new) {
            return Err(not_text(new, known));
        }
    }
    message.end = end;
    Ok(())
}

/// The message has come to its end, `total` bytes of the input.
fn whole(input: &[u8], message: &Joining, total: usize) -> Result<Cut, FrameError> {
    let front = message.first.bytes();
    if message.is_text() {
        let payload = &input[front..message.end];
        let known = utf8::unfinished(payload);
        if known < payload.len() {
            return Err(not_text(&payload[known..], known));
        }
    }
    Ok(Cut::message(front, message.end, total))
}

/// The control frame at `at`, unmasked, if it is there.
fn control(input: &mut [u8], at: usize, header: Header) -> Result<Option<Frame>, FrameError> {
    let from = at + header.bytes();
    let total = from + header.length as usize;
    let Some(payload) = input.get_mut(from..total) else { return Ok(None) };
    if let Some(key) = header.key {
        mask::apply(key, payload);
    }
    let kind = match header.opcode {
        opcode::PING => Kind::Ask,
        opcode::PONG => Kind::Answer,
        _ => {
            close::check(payload).map_err(|(fault, offset)| FrameError::WebSocket { fault, at: from + offset })?;
            Kind::Close
        }
    };
    Ok(Some(Frame { kind, head: at..from, message: from..total, total }))
}

fn read(input: &[u8], at: usize, place: Place) -> Result<Read, FrameError> {
    Header::read(&input[at..], place).map_err(|(fault, offset)| FrameError::WebSocket { fault, at: at + offset })
}

/// F2: what is over the limit is refused at the header that promises it.
fn check_length(header: &Header, at: usize, joined: usize, limit: usize) -> Result<(), FrameError> {
    let length = header.length.saturating_add(joined as u64);
    if length > limit as u64 { Err(FrameError::TooLarge { limit, length, at: at + 1 }) } else { Ok(()) }
}

/// `bytes` of the message, from its offset `from` on, are not text.
#[cold]
fn not_text(bytes: &[u8], from: usize) -> FrameError {
    FrameError::WebSocket { fault: WebSocketFault::NotText, at: from + utf8::fault_at(bytes) }
}
