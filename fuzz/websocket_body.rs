//! WebSocket: what the codec makes of any bytes, however they come, is what a plain model makes of them at once.

#![allow(dead_code, unreachable_pub)] // each test and target uses a part

use heartline::frame::{Cut, Frame, FrameError, Framing, Kind, Stream, WebSocketFault};

/// What came out of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub kind: Kind,
    /// Of the first byte of its head.
    pub opcode: u8,
    pub message: Vec<u8>,
    /// Whether it came before the message around it was whole.
    pub within: bool,
}

/// All that came out, and what was left: unfinished bytes, or why they were refused.
pub type Read = (Vec<Got>, Result<usize, FrameError>);

/// Whose input, and the limits.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// From a client: masked.
    pub masked: bool,
    pub max: usize,
    pub fragments: u32,
}

impl Settings {
    pub fn framing(&self) -> Framing {
        let framing = Framing::parse(&format!("websocket,max={},fragments={}", self.max, self.fragments)).unwrap();
        if self.masked { framing } else { framing.for_dialled() }
    }
}

/// One frame, with any first byte. The length is as short as it can be.
pub fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(bit | short as u8),
        middle @ 126..65536 => {
            bytes.push(bit | 126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(bit | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.into_iter().flatten());
    let key = mask.unwrap_or_default();
    bytes.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]));
    bytes
}

/// What `input` is, by the letter of the RFC and without any thrift.
pub fn model(settings: &Settings, input: &[u8]) -> Read {
    let mut got = Vec::new();
    let mut start = 0;
    let end = loop {
        match model_one(settings, &input[start..], &mut got) {
            Ok(Some(total)) => start += total,
            Ok(None) => break Ok(input.len() - start),
            Err(error) => break Err(error),
        }
    };
    (got, end)
}

/// The message, or the control frame, at the front; and what comes within it.
fn model_one(settings: &Settings, input: &[u8], got: &mut Vec<Got>) -> Result<Option<usize>, FrameError> {
    let fault = |fault, at| Err(FrameError::WebSocket { fault, at });
    let mut message: Option<(u8, Vec<u8>)> = None;
    let (mut at, mut frames) = (0, 0);
    loop {
        let Some(&first) = input.get(at) else { return Ok(None) };
        let (is_final, reserved, opcode) = (first >= 128, first / 16 % 8, first % 16);
        if reserved != 0 {
            return fault(WebSocketFault::ReservedBits, at);
        }
        match (opcode, &message) {
            (0, None) => return fault(WebSocketFault::NoMessage, at),
            (1 | 2, Some(_)) => return fault(WebSocketFault::MessageUnfinished, at),
            (8..=10, _) if !is_final => return fault(WebSocketFault::ControlFragmented, at),
            (0..=2 | 8..=10, _) => {}
            _ => return fault(WebSocketFault::Opcode { opcode }, at),
        }
        let Some(&second) = input.get(at + 1) else { return Ok(None) };
        match (second >= 128, settings.masked) {
            (true, false) => return fault(WebSocketFault::Masked, at + 1),
            (false, true) => return fault(WebSocketFault::Unmasked, at + 1),
            _ => {}
        }
        let mut from = at + 2;
        let mut length = u64::from(second % 128);
        if opcode >= 8 && length > 125 {
            return fault(WebSocketFault::ControlTooLong, at + 1);
        }
        if length >= 126 {
            let (width, least) = if length == 126 { (2, 126) } else { (8, 65536) };
            let Some(bytes) = input.get(from..from + width) else { return Ok(None) };
            length = bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
            if length >= 1 << 63 {
                return fault(WebSocketFault::LengthTopBit, at + 2);
            }
            if length < least {
                return fault(WebSocketFault::LengthNotMinimal, at + 2);
            }
            from += width;
        }
        let mut key = [0; 4];
        if settings.masked {
            let Some(bytes) = input.get(from..from + 4) else { return Ok(None) };
            key.copy_from_slice(bytes);
            from += 4;
        }
        let joined = message.as_ref().map_or(0, |(_, payload)| payload.len());
        if opcode < 8 && length + joined as u64 > settings.max as u64 {
            let length = length + joined as u64;
            return Err(FrameError::TooLarge { limit: settings.max, length, at: at + 1 });
        }
        let end = from + length as usize;
        let here = &input[from.min(input.len())..end.min(input.len())];
        let payload: Vec<u8> = here.iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]).collect();
        let is_whole = payload.len() as u64 == length;
        frames += 1;
        let too_many = fault(WebSocketFault::TooManyFragments { limit: settings.fragments }, at);
        if opcode >= 8 {
            if !is_whole {
                return Ok(None);
            }
            let kind = [Kind::Close, Kind::Ask, Kind::Answer][usize::from(opcode) - 8];
            if kind == Kind::Close {
                model_close(&payload).map_err(|(fault, offset)| FrameError::WebSocket { fault, at: from + offset })?;
            } else if message.is_some() && frames > settings.fragments {
                return too_many;
            }
            let within = message.is_some() && kind != Kind::Close;
            got.push(Got { kind, opcode, message: payload, within });
            if !within {
                return Ok(Some(end));
            }
            at = end;
            continue;
        }
        if frames > settings.fragments {
            return too_many;
        }
        let (kind, joined) = message.get_or_insert((opcode, Vec::new()));
        joined.extend(payload);
        if *kind == 1
            && let Err(error) = std::str::from_utf8(joined)
            && (error.error_len().is_some() || is_whole && is_final)
        {
            return fault(WebSocketFault::NotText, error.valid_up_to());
        }
        if !is_whole {
            return Ok(None);
        }
        if is_final {
            got.push(Got { kind: Kind::Message, opcode: *kind, message: std::mem::take(joined), within: false });
            return Ok(Some(end));
        }
        at = end;
    }
}

fn model_close(body: &[u8]) -> Result<(), (WebSocketFault, usize)> {
    let reason = match body {
        [] => return Ok(()),
        [_] => return Err((WebSocketFault::CloseBody, 0)),
        [high, low, reason @ ..] => {
            let code = u16::from(*high) * 256 + u16::from(*low);
            let allowed = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
            if !allowed.contains(&code) && !(3000..5000).contains(&code) {
                return Err((WebSocketFault::CloseCode { code }, 0));
            }
            reason
        }
    };
    std::str::from_utf8(reason).map(drop).map_err(|error| (WebSocketFault::CloseReason, 2 + error.valid_up_to()))
}

/// Feeds `input` in reads of the sizes given (all that is left where they end), cutting after each; checks what each cut
/// promises.
pub fn feed(framing: &Framing, input: &[u8], reads: impl IntoIterator<Item = usize>) -> Read {
    let (mut stream, mut control) = (Stream::default(), Vec::new());
    let (mut got, mut buffer, mut rest) = (Vec::new(), Vec::new(), input);
    let (mut reads, mut promised) = (reads.into_iter(), None);
    while !rest.is_empty() {
        let (read, after) = rest.split_at(reads.next().unwrap_or(usize::MAX).clamp(1, rest.len()));
        buffer.extend_from_slice(read);
        rest = after;
        loop {
            let before = buffer.len();
            let cut = framing.cut(&mut buffer, &mut stream, &mut control);
            assert!(control.is_empty());
            match cut {
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    assert!([1002, 1007, 1009].contains(&error.close_status()));
                    return (got, Err(error));
                }
                Ok(Cut::More { need, exact }) => {
                    assert!(need > before, "need {need} of {before}");
                    promised = exact.then_some(need);
                    break;
                }
                Ok(Cut::Within(frame)) => {
                    assert!(matches!(frame.kind, Kind::Ask | Kind::Answer) && !stream.is_idle());
                    got.push(copy(framing, &buffer, &frame, true));
                }
                Ok(Cut::Frame(frame)) => {
                    assert!(promised.take().is_none_or(|need| need == frame.total), "exact, but {}", frame.total);
                    assert!(stream.is_idle(), "F3: nothing is remembered between messages");
                    got.push(copy(framing, &buffer, &frame, false));
                    buffer.drain(..frame.total);
                }
            }
        }
    }
    (got, Ok(buffer.len()))
}

fn copy(framing: &Framing, input: &[u8], frame: &Frame, within: bool) -> Got {
    assert!(frame.total >= 2 && frame.total <= input.len());
    assert!(frame.head.end == frame.message.start && frame.message.end <= frame.total);
    assert!((2..=14).contains(&frame.head.len()));
    assert!(frame.message.len() <= framing.max_bytes().max(125));
    let opcode = input[frame.head.start] & 0x0f;
    Got { kind: frame.kind, opcode, message: input[frame.message.clone()].to_vec(), within }
}

/// The first bytes set the limits and the reads; of the rest comes the input: as it is, or made into frames, most of them
/// well-formed.
pub fn websocket(data: &[u8]) {
    let [how, max, fragments, reads, rest @ ..] = data else { return };
    let settings = Settings {
        masked: how & 1 != 0,
        max: usize::from(*max).max(1) << (how >> 4 & 7),
        fragments: u32::from(*fragments).max(1),
    };
    let input = if how & 2 != 0 { rest.to_vec() } else { frames(settings.masked, rest) };
    let framing = settings.framing();
    let expected = model(&settings, &input);
    assert_eq!(feed(&framing, &input, []), expected, "at once");
    assert_eq!(feed(&framing, &input, std::iter::repeat(1)), expected, "byte by byte");
    let sizes = rest.iter().cycle().map(|byte| usize::from(byte ^ reads) % 17 + 1);
    assert_eq!(feed(&framing, &input, sizes.take(input.len())), expected, "in pieces");
    foreign(&framing, &input, data);
}

/// Frames from any bytes: for each one that says what it is and one that says how long it is, then the payload.
pub fn frames(masked: bool, script: &[u8]) -> Vec<u8> {
    const FIRST: [u8; 16] =
        [0x00, 0x00, 0x00, 0x80, 0x80, 0x01, 0x01, 0x81, 0x02, 0x02, 0x82, 0x89, 0x89, 0x8a, 0x88, 0x91];
    let (mut input, mut rest) = (Vec::new(), script);
    while let [what, length, after @ ..] = rest {
        // Lengths around where a character, a word and a field of the length end.
        let length = if *length == 255 { 130 } else { usize::from(length % 40) };
        let (from, after) = after.split_at(length.min(after.len()));
        let mut payload = from.to_vec();
        if what & 0x40 != 0 {
            payload = "aé漢🦀z".bytes().cycle().skip(usize::from(what & 3)).take(length).collect();
        }
        payload.resize(length, b'.');
        if what & 0x8f == 0x8e && length >= 2 {
            payload[..2].copy_from_slice(&1000u16.to_be_bytes());
        }
        let key = [*what, 7, length as u8, 0xff];
        input.extend(frame(FIRST[usize::from(what & 15)], &payload, masked.then_some(key)));
        rest = after;
    }
    input
}

/// What is remembered of one input, over another: anything may come of it but a panic or a frame that is not there.
fn foreign(framing: &Framing, input: &[u8], data: &[u8]) {
    let (mut stream, mut control) = (Stream::default(), Vec::new());
    let part = input.len() * usize::from(data[3]) / 256;
    let mut begun = input[..part].to_vec();
    let _ = framing.cut(&mut begun, &mut stream, &mut control);
    for mut other in [input[part / 2..].to_vec(), input[..part / 2].to_vec(), data.to_vec(), Vec::new()] {
        if let Ok(Cut::Frame(frame) | Cut::Within(frame)) = framing.cut(&mut other, &mut stream.clone(), &mut control) {
            copy(framing, &other, &frame, false);
        }
    }
}
