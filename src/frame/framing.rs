//! One codec, its limit and its beats: what the text form describes and connections share.

use super::beats::Beats;
use super::delimiter::Delimiter;
use super::fixed::Fixed;
#[cfg(feature = "net")]
use super::length::GivenHead;
use super::length::Length;
use super::line_header::LineHeader;
#[cfg(feature = "net")]
use super::sole::{Sole, WINDOW_BYTES};
#[cfg(feature = "websocket")]
use super::websocket::WebSocket;
#[cfg(feature = "deflate")]
use super::websocket::{deflate::DeflateOptions, settings};
use super::{Codec, Cut, EncodeError, Frame, FrameError, Kind, SpecError, Stream, raw, spec, varint};
use std::{fmt, str::FromStr, sync::Arc};

/// The most bytes of a message where `max=` is not given, for connections that come in.
pub const MAX_BYTES_LISTENER: usize = 64 << 10;
/// The most bytes of a message where `max=` is not given, for connections that we dial.
pub const MAX_BYTES_DIALLED: usize = 16 << 20;
/// The most that `max=` can be: 1 GiB.
pub const MAX_BYTES_MOST: usize = 1 << 30;

/// How the bytes of a stream are cut into frames, and what its beats are. Immutable; share it by `Arc` or clone it.
#[derive(Clone)]
pub struct Framing {
    pub(super) wire: Wire,
    pub(super) beats: Beats,
    /// Whether it is `length:4be` with the beats that it has by default.
    is_plain: bool,
    max_bytes: usize,
    max_given: bool,
    #[cfg(feature = "net")]
    sole: Sole,
}

/// The codec. An enum, so that a cut branches once.
#[derive(Clone)]
pub(super) enum Wire {
    Length(Length),
    Varint,
    LineHeader(LineHeader),
    Delimiter(Delimiter),
    Fixed(Fixed),
    Raw,
    #[cfg(feature = "websocket")]
    WebSocket(WebSocket),
    Custom(Arc<dyn Codec>),
}

impl Framing {
    /// Reads the text form: a codec, then `,key=value` as often as needed, such as `length:2le,head=8,at=4,max=1M`.
    ///
    /// # Errors
    /// Names the key, the value and what it can be. Beats that the codec could not send or receive are refused here.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        spec::parse(text)
    }

    /// A codec of your own, with the limit of listeners and the beats that it has itself.
    pub fn custom(codec: Box<dyn Codec>) -> Self {
        let has_beats = codec.ask(&mut Vec::new());
        let beats = if has_beats { Beats::Own } else { Beats::None };
        Self::new(Wire::Custom(Arc::from(codec)), beats, None)
    }

    pub(super) fn new(wire: Wire, beats: Beats, max_given: Option<usize>) -> Self {
        let is_plain = matches!((&wire, &beats), (Wire::Length(length), Beats::Empty) if length.is_plain());
        let max_bytes = max_given.unwrap_or(MAX_BYTES_LISTENER);
        Self {
            #[cfg(feature = "net")]
            sole: Sole::new(&wire, &beats, max_bytes),
            wire,
            beats,
            is_plain,
            max_bytes,
            max_given: max_given.is_some(),
        }
    }

    fn set_max(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
        #[cfg(feature = "net")]
        {
            self.sole = Sole::new(&self.wire, &self.beats, max_bytes);
        }
    }

    /// The same with another limit, 1 to [`MAX_BYTES_MOST`] bytes of the message.
    ///
    /// # Errors
    /// `max_bytes` is out of range, or a beat or a `fixed` record would be longer.
    pub fn with_max(mut self, max_bytes: usize) -> Result<Self, SpecError> {
        spec::check_max(max_bytes, &self.wire)?;
        self.set_max(max_bytes);
        self.max_given = true;
        self.beats.check_max(max_bytes)?;
        Ok(self)
    }

    /// The same with other beats, each in the text form of `ask=` and `answer=`: `PING`, `hex:0001`, `@2:0001`. Without an
    /// answer it is the same bytes as the ask.
    ///
    /// Given to a custom codec, they classify what it cuts as [`Kind::Message`]. One that changes its input in place
    /// should bring its own beats instead: these answer with the bytes as they were left.
    ///
    /// # Errors
    /// The text is malformed, or this codec cannot send or receive such a beat.
    pub fn with_beats(self, ask: &str, answer: Option<&str>) -> Result<Self, SpecError> {
        let beats = spec::beats(&self.wire, self.max_bytes, ask, answer)?;
        let max_given = self.max_given();
        Ok(Self::new(self.wire, beats, max_given))
    }

    /// The most bytes that a received message may have, the head excluded: 64 KiB unless `max=` was given. What is sent is not
    /// held to it: the other end may allow more.
    #[inline]
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The same for connections that we dial: at most 16 MiB where `max=` was not given; of `websocket`, the client's side.
    pub fn for_dialled(&self) -> Self {
        let mut dialled = self.clone();
        #[cfg(feature = "websocket")]
        if let Wire::WebSocket(server) = &self.wire {
            dialled.wire = Wire::WebSocket(server.client());
        }
        if !self.max_given {
            dialled.set_max(MAX_BYTES_DIALLED);
        }
        dialled
    }

    pub(super) fn max_given(&self) -> Option<usize> {
        self.max_given.then_some(self.max_bytes)
    }

    /// Whether there are beats. Where not, as in `raw`, and `fixed` unless they are given, only silence counts.
    pub fn has_beats(&self) -> bool {
        !matches!(self.beats, Beats::None)
    }

    /// The text form, always the same for the same framing; [`parse`](Self::parse) reads it back. `max=` is in it where it was
    /// given, so the text of [`for_dialled`](Self::for_dialled) is that of the original. A custom codec is `custom:NAME`, which cannot be
    /// read back.
    pub fn spec(&self) -> String {
        spec::write(self)
    }

    /// Cuts the frame at the front of `input`. Allocates nothing and looks at no byte twice, however the input arrives.
    ///
    /// `stream` is what is remembered of this connection. `control` gets what the codec itself wants sent before any data;
    /// only custom codecs use it. A codec may change `input` in place.
    ///
    /// On [`Cut::More`], call again with the same bytes and more behind them. On [`Cut::Frame`], go on behind its `total`.
    ///
    /// # Errors
    /// What is wrong with the bytes. Close the connection: where the next frame begins is unknown.
    #[inline]
    pub fn cut(&self, input: &mut [u8], stream: &mut Stream, control: &mut Vec<u8>) -> Result<Cut, FrameError> {
        // Most frames of most servers, in some 20 instructions; the slow way says what is wrong with the others.
        if self.is_plain
            && let Some(head) = input.first_chunk::<4>()
        {
            let length = u32::from_be_bytes(*head) as usize;
            if length <= self.max_bytes && length <= input.len() - 4 {
                let kind = if length == 0 { Kind::Either } else { Kind::Message };
                let total = 4 + length;
                return Ok(Cut::Frame(Frame { kind, head: 0..4, message: 4..total, total }));
            }
        }
        // The other lengths still without a call; the rest of the codecs are worth one.
        match &self.wire {
            Wire::Length(length) => self.classified(length.cut(input, self.max_bytes), input),
            #[cfg(feature = "websocket")]
            Wire::WebSocket(websocket) => self.cut_websocket(websocket, input, stream),
            _ => self.cut_other(input, stream, control),
        }
    }

    /// How long the head is, if the first `count` bytes of `window` are exactly one whole frame of a codec with a length,
    /// and a message: the case of most reads. Of WebSocket the mask is off then. `None` says nothing, and nothing is
    /// changed: [`cut`](Self::cut) it.
    #[inline(always)]
    #[cfg(feature = "net")]
    pub(crate) fn sole_message(&self, window: &mut [u8; WINDOW_BYTES], count: usize) -> Option<usize> {
        let sole = &self.sole;
        if !sole.can_have(count) {
            return None;
        }
        if self.is_plain {
            let said = u32::from_be_bytes(*window.first_chunk()?) as usize;
            return (said == count - 4).then_some(4);
        }
        if !sole.says(window, count) {
            return None;
        }
        #[cfg(feature = "websocket")]
        if sole.is_websocket && !super::websocket::unmask_short(&mut window[..count], sole.head) {
            return None;
        }
        if let Beats::Given(given) = &self.beats
            && given.kind(&window[..count], &(sole.head..count)) != Kind::Message
        {
            return None;
        }
        Some(sole.head)
    }

    /// What `input` is, if it is exactly one whole frame of a `length` codec and a beat. `None` as above.
    #[inline]
    #[cfg(feature = "net")]
    pub(crate) fn sole_beat(&self, input: &[u8]) -> Option<Kind> {
        if self.is_plain {
            return (input == [0; 4]).then_some(Kind::Either);
        }
        let Wire::Length(codec) = &self.wire else { return None };
        let head = codec.sole(input, self.max_bytes)?;
        let kind = self.beats.kind(input, &(head..input.len()));
        (kind != Kind::Message).then_some(kind)
    }

    /// Whether the codec may remember something beyond the end of a frame.
    #[inline(always)]
    #[cfg(feature = "net")]
    pub(crate) fn keeps_notes(&self) -> bool {
        matches!(self.wire, Wire::Custom(_))
    }

    /// Whether a beat's answer is the beat itself.
    #[inline(always)]
    #[cfg(feature = "net")]
    pub(crate) fn echoes_beats(&self) -> bool {
        matches!(self.beats, Beats::Empty)
    }

    /// Whether the head is nothing but four bytes with the length, big-endian, whatever `given` says of them. Where
    /// `given` is an error it is not: [`encode`](Self::encode) it.
    #[inline(always)]
    #[cfg(feature = "net")]
    pub(crate) fn has_plain_head(&self, given: Option<&[u8]>) -> bool {
        self.is_plain && given.is_none_or(|given| given.len() == 4)
    }

    /// The head of a message of `length` bytes in any `length` codec, as good as written. `None` for any other codec,
    /// and for what is an error: [`encode`](Self::encode) it.
    #[inline(always)]
    #[cfg(feature = "net")]
    pub(crate) fn given_head<'a>(&'a self, given: Option<&'a [u8]>, length: usize) -> Option<GivenHead<'a>> {
        if let Wire::Length(codec) = &self.wire { codec.given_head(given, length) } else { None }
    }

    /// The two bytes before `message` in a WebSocket, of up to 125 bytes and from the server. `None` as above.
    #[inline]
    #[cfg(feature = "net")]
    pub(crate) fn websocket_head(&self, given: Option<&[u8]>, message: &[u8]) -> Option<[u8; 2]> {
        #[cfg(feature = "websocket")]
        if let Wire::WebSocket(codec) = &self.wire {
            return codec.short_head_of(given, message);
        }
        let _ = (given, message);
        None
    }

    #[inline(never)]
    #[cfg(feature = "websocket")]
    fn cut_websocket(&self, websocket: &WebSocket, input: &mut [u8], stream: &mut Stream) -> Result<Cut, FrameError> {
        let cut = websocket.cut(input, stream, self.max_bytes);
        // What is deflated is a beat or none when it is inflated.
        if websocket.is_deflated(input) { cut } else { self.classified(cut, input) }
    }

    #[inline(never)]
    fn cut_other(&self, input: &mut [u8], stream: &mut Stream, control: &mut Vec<u8>) -> Result<Cut, FrameError> {
        // Classified in each arm: joined behind the match, every frame would be copied once more.
        let max_bytes = self.max_bytes;
        match &self.wire {
            Wire::Length(length) => self.classified(length.cut(input, max_bytes), input),
            Wire::Varint => self.classified(varint::cut(input, max_bytes), input),
            Wire::LineHeader(line_header) => self.classified(line_header.cut(input, stream, max_bytes), input),
            Wire::Delimiter(delimiter) => self.classified(delimiter.cut(input, stream, max_bytes), input),
            Wire::Fixed(fixed) => self.classified(Ok(fixed.cut(input)), input),
            Wire::Raw => Ok(raw::cut(input, max_bytes)),
            #[cfg(feature = "websocket")]
            Wire::WebSocket(websocket) => self.cut_websocket(websocket, input, stream),
            Wire::Custom(codec) => {
                let cut = custom_cut(&**codec, input, stream, control, max_bytes);
                self.classified(cut, input)
            }
        }
    }

    #[inline(always)]
    fn classified(&self, cut: Result<Cut, FrameError>, input: &[u8]) -> Result<Cut, FrameError> {
        match cut {
            Ok(Cut::Frame(Frame { kind: Kind::Message, head, message, total })) => {
                let kind = self.beats.kind(&input[..total], &message);
                Ok(Cut::Frame(Frame { kind, head, message, total }))
            }
            other => other,
        }
    }

    /// Appends one whole frame to `out`; its message is the slices of `message`, one behind the other.
    ///
    /// `head` gives the other bytes of the head, in the form in which [`cut`](Self::cut) shows it: the length in it is
    /// overwritten. Without it the head is zeros and the length. Codecs whose head is nothing but the length ignore it.
    ///
    /// # Errors
    /// What cannot be encoded. `out` is then as it was.
    #[inline]
    pub fn encode(&self, head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.wire.encode(head, message, out)
    }

    /// Writes the head of a message of `length` bytes over the front of `to` and says how long it is. A `length` codec
    /// fills in the length alone, and `to` has exactly the size of its head. `None` where no head stands alone.
    #[cfg(feature = "capi")]
    pub(crate) fn write_head(&self, length: usize, to: &mut [u8]) -> Option<Result<usize, EncodeError>> {
        let mut head = Vec::new();
        let built = match &self.wire {
            Wire::Length(codec) => return Some(codec.fill_head(length, to)),
            Wire::Varint => {
                varint::encode_head(length, &mut head);
                Ok(())
            }
            Wire::LineHeader(codec) => codec.encode_head(None, length, &mut head),
            Wire::Delimiter(_) | Wire::Fixed(_) | Wire::Raw | Wire::Custom(_) => return None,
            #[cfg(feature = "websocket")]
            Wire::WebSocket(_) => return None,
        };
        Some(built.and_then(|()| {
            let given = to.len();
            let front = to.get_mut(..head.len()).ok_or(EncodeError::HeadSize { expected: head.len(), given })?;
            front.copy_from_slice(&head);
            Ok(head.len())
        }))
    }

    /// Appends the ask. False, and nothing appended, if there are no beats.
    pub fn ask(&self, out: &mut Vec<u8>) -> bool {
        match &self.beats {
            Beats::None => false,
            Beats::Empty => self.encode(None, &[], out).is_ok(),
            Beats::Own => match &self.wire {
                Wire::Custom(codec) => codec.ask(out),
                #[cfg(feature = "websocket")]
                Wire::WebSocket(websocket) => {
                    websocket.ping(out);
                    true
                }
                _ => false,
            },
            Beats::Given(given) => {
                given.ask(&self.wire, out);
                true
            }
        }
    }

    /// Appends the answer to the ask `frame`: the bytes as cut, of which `cut` came. It is as long as the ask, or as long as the
    /// answer that was set.
    ///
    /// The answer echoes what the ask carries besides: the other head bytes, and with a pattern the whole frame.
    pub fn answer(&self, frame: &[u8], cut: &Frame, out: &mut Vec<u8>) {
        #[cfg(feature = "websocket")]
        if let Wire::WebSocket(websocket) = &self.wire
            && websocket.answer(frame, cut, out)
        {
            return;
        }
        match (&self.beats, &self.wire) {
            // Also of a codec that never asks: what it cut as an ask is answered as it says.
            (Beats::None | Beats::Own, Wire::Custom(codec)) => codec.answer(frame, cut, out),
            (Beats::None, _) => {}
            (Beats::Empty | Beats::Own, _) => out.extend_from_slice(frame),
            (Beats::Given(given), wire) => given.answer(wire, self.max_bytes, frame, cut, out),
        }
    }
}

impl Framing {
    /// Whether it is `websocket`, whose connections begin with an upgrade from HTTP.
    pub fn is_websocket(&self) -> bool {
        #[cfg(feature = "websocket")]
        return matches!(self.wire, Wire::WebSocket(_));
        #[cfg(not(feature = "websocket"))]
        false
    }

    /// What tells the bytes of the piece at the front of a message that was encoded, where beats may go between its pieces.
    /// Ten bytes are enough for it.
    #[cfg(feature = "net")]
    pub(crate) fn pieces(&self) -> Option<fn(&[u8]) -> usize> {
        #[cfg(feature = "websocket")]
        if self.is_websocket() {
            return Some(super::websocket::frame_bytes);
        }
        None
    }

    /// What `websocket` wants of permessage-deflate: nothing unless `deflate` was given.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<&DeflateOptions> {
        if let Wire::WebSocket(websocket) = &self.wire { websocket.deflate.as_ref() } else { None }
    }

    /// The same with other settings of permessage-deflate, or without it.
    ///
    /// With it, [`cut`](Self::cut) lets RSV1 of a message's first frame pass: such a message is given out as it came, its
    /// head with that bit (`0x40` of the first byte), its text not looked at. Whoever cuts by himself has agreed on the
    /// extension before and calls [`inflate`](super::websocket::deflate::inflate); a reactor does both.
    ///
    /// # Errors
    /// The codec is not `websocket`, the level is not 1 to 9, or the window is not 2^9 to 2^15 bytes.
    #[cfg(feature = "deflate")]
    pub fn with_deflate(mut self, deflate: Option<DeflateOptions>) -> Result<Self, SpecError> {
        settings::check_deflate(&self.wire, deflate.as_ref())?;
        if let Wire::WebSocket(websocket) = &mut self.wire {
            websocket.deflate = deflate;
        }
        Ok(self)
    }

    /// What a frame is, given its bytes and where in them its message lies, once that is inflated.
    #[cfg(feature = "net")]
    pub(crate) fn kind(&self, frame: &[u8], message: &std::ops::Range<usize>) -> Kind {
        self.beats.kind(frame, message)
    }

    /// Like [`encode`](Self::encode), by what the message has become, if that is shorter.
    #[cfg(all(feature = "deflate", feature = "net"))]
    pub(crate) fn encode_deflated(
        &self,
        head: Option<&[u8]>,
        message: &[u8],
        deflated: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match &self.wire {
            Wire::WebSocket(websocket) => websocket.encode_deflated(head, message, deflated, out),
            _ => self.encode(head, &[message], out),
        }
    }

    /// Appends the goodbye of a codec that has a closing handshake, with the status 1000 to 4999 of WebSocket that says
    /// why. False, and nothing appended, if there is none.
    pub fn close(&self, status: u16, out: &mut Vec<u8>) -> bool {
        match &self.wire {
            Wire::Custom(codec) => codec.close(status, out),
            #[cfg(feature = "websocket")]
            Wire::WebSocket(websocket) => {
                websocket.close(status, out);
                true
            }
            _ => false,
        }
    }
}

impl Wire {
    /// Cuts without classifying: for the set-up of beats.
    pub(super) fn cut(
        &self,
        input: &mut [u8],
        stream: &mut Stream,
        control: &mut Vec<u8>,
        max_bytes: usize,
    ) -> Result<Cut, FrameError> {
        match self {
            Self::Length(length) => length.cut(input, max_bytes),
            Self::Varint => varint::cut(input, max_bytes),
            Self::LineHeader(line_header) => line_header.cut(input, stream, max_bytes),
            Self::Delimiter(delimiter) => delimiter.cut(input, stream, max_bytes),
            Self::Fixed(fixed) => Ok(fixed.cut(input)),
            Self::Raw => Ok(raw::cut(input, max_bytes)),
            #[cfg(feature = "websocket")]
            Self::WebSocket(websocket) => websocket.cut(input, stream, max_bytes),
            Self::Custom(codec) => custom_cut(&**codec, input, stream, control, max_bytes),
        }
    }

    /// Bytes of the shortest message that can be encoded.
    pub(super) fn least_message(&self) -> usize {
        match self {
            Self::Length(length) => length.least_message(),
            Self::Fixed(fixed) => fixed.size,
            Self::Raw => 1,
            _ => 0,
        }
    }

    /// Whether it has beats that are not messages.
    pub(super) fn has_own_beats(&self) -> bool {
        #[cfg(feature = "websocket")]
        if let Self::WebSocket(_) = self {
            return true;
        }
        false
    }

    #[inline]
    pub(super) fn encode(&self, head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Length(length) => length.encode(head, message, out),
            Self::Varint => varint::encode(message, out),
            Self::LineHeader(line_header) => line_header.encode(head, message, out),
            Self::Delimiter(delimiter) => delimiter.encode(message, out),
            Self::Fixed(fixed) => fixed.encode(message, out),
            Self::Raw => raw::encode(message, out),
            #[cfg(feature = "websocket")]
            Self::WebSocket(websocket) => websocket.encode(head, message, out),
            Self::Custom(codec) => {
                let start = out.len();
                codec.encode(head, message, out).inspect_err(|_| out.truncate(start))
            }
        }
    }
}

/// What a foreign codec says is checked before anybody takes a slice by it (rule E2).
fn custom_cut(
    codec: &dyn Codec,
    input: &mut [u8],
    stream: &mut Stream,
    control: &mut Vec<u8>,
    max_bytes: usize,
) -> Result<Cut, FrameError> {
    let available = input.len();
    match codec.cut(input, stream, control, max_bytes)? {
        Cut::More { need, exact } => Ok(Cut::More { need: need.max(available + 1), exact: exact && need > available }),
        Cut::Within(frame) => {
            if !lies_within(&frame, available) || matches!(frame.kind, Kind::Message | Kind::Close) {
                return Err(FrameError::BrokenCodec { input: available, total: frame.total });
            }
            Ok(Cut::Within(frame))
        }
        Cut::Frame(frame) => {
            if !lies_within(&frame, available) {
                return Err(FrameError::BrokenCodec { input: available, total: frame.total });
            }
            if frame.message.len() > max_bytes {
                let length = frame.message.len() as u64;
                return Err(FrameError::TooLarge { limit: max_bytes, length, at: frame.message.start });
            }
            stream.end_frame();
            Ok(Cut::Frame(frame))
        }
    }
}

/// Whether a frame takes something, and no more than there is.
fn lies_within(frame: &Frame, available: usize) -> bool {
    let within = |range: &std::ops::Range<usize>| range.start <= range.end && range.end <= frame.total;
    frame.total > 0 && frame.total <= available && within(&frame.head) && within(&frame.message)
}

/// Bytes of all the slices.
#[inline]
pub(super) fn bytes_in(message: &[&[u8]]) -> usize {
    match message {
        [one] => one.len(),
        many => many.iter().fold(0, |sum, slice| sum.saturating_add(slice.len())),
    }
}

/// Appends all the slices.
#[inline]
pub(super) fn gather(message: &[&[u8]], out: &mut Vec<u8>) {
    for slice in message {
        out.extend_from_slice(slice);
    }
}

impl FromStr for Framing {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::parse(text)
    }
}

impl fmt::Debug for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Framing({}, max_bytes={})", self.spec(), self.max_bytes)
    }
}
