//! What counts as an ask and as an answer, and how both are built.

use super::framing::Wire;
use super::{BeatFault, Cut, Frame, Kind, SpecError, Stream};
use std::ops::Range;

/// The most bytes that an ask or an answer that was set may have as a frame.
pub const BEAT_BYTES_MAX: usize = 4096;

#[derive(Clone, Debug)]
pub(super) enum Beats {
    /// None: only silence counts.
    None,
    /// A frame with an empty message is ask and answer.
    Empty,
    /// The codec has its own: a custom one, or the Ping and Pong of `websocket`.
    Own,
    /// They were set.
    Given(Box<Given>),
}

/// Beats that were set, with the frames that carry them built once.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) ask: Mark,
    /// The same as `ask` where none was set.
    pub(super) answer: Mark,
    /// Whether ask and answer are the same bytes.
    same: bool,
    ask_frame: Box<[u8]>,
    answer_frame: Box<[u8]>,
    /// Bytes of the longer of both messages: what `max` must let pass.
    message_bytes: usize,
}

/// By what a beat is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The whole message.
    Whole(Box<[u8]>),
    /// These bytes at this offset of the frame, its head included.
    Pattern(usize, Box<[u8]>),
}

impl Beats {
    /// What a frame is, given its bytes and where in them its message lies.
    #[inline(always)]
    pub(super) fn kind(&self, frame: &[u8], message: &Range<usize>) -> Kind {
        if let Self::Given(given) = self {
            return given.kind(frame, message);
        }
        if message.is_empty() && matches!(self, Self::Empty) { Kind::Either } else { Kind::Message }
    }

    /// Whether a peer with this limit would take the beats that were set.
    pub(super) fn check_max(&self, max_bytes: usize) -> Result<(), SpecError> {
        match self {
            Self::Given(given) if given.message_bytes > max_bytes => {
                Err(BeatFault::OverMax { length: given.message_bytes, limit: max_bytes }.at("max"))
            }
            _ => Ok(()),
        }
    }
}

impl Given {
    /// Builds both beats as frames and cuts them back: what this codec cannot send or would not know again is refused.
    pub(super) fn new(wire: &Wire, max_bytes: usize, ask: Mark, answer: Mark) -> Result<Self, SpecError> {
        let (ask_frame, ask_cut) = build(wire, max_bytes, &ask).map_err(|fault| fault.at("ask"))?;
        let (answer_frame, answer_cut) = build(wire, max_bytes, &answer).map_err(|fault| fault.at("answer"))?;
        let same = ask == answer;
        let ambiguous = ask.meets(&answer)
            || ask.matches(&answer_frame, &answer_cut.message)
            || answer.matches(&ask_frame, &ask_cut.message);
        if !same && ambiguous {
            return Err(BeatFault::Ambiguous.at("answer"));
        }
        let message_bytes = ask_cut.message.len().max(answer_cut.message.len());
        let (ask_frame, answer_frame) = (ask_frame.into(), answer_frame.into());
        Ok(Self { ask, answer, same, ask_frame, answer_frame, message_bytes })
    }

    pub(super) fn ask(&self, wire: &Wire, out: &mut Vec<u8>) {
        #[cfg(feature = "websocket")]
        if let (Wire::WebSocket(websocket), Mark::Whole(message)) = (wire, &self.ask) {
            // Built anew, since no two frames of a client have the same mask.
            return websocket.encode_beat(None, message, out);
        }
        let _ = wire;
        out.extend_from_slice(&self.ask_frame);
    }

    #[inline(never)]
    pub(super) fn kind(&self, frame: &[u8], message: &Range<usize>) -> Kind {
        if self.ask.matches(frame, message) {
            return if self.same { Kind::Either } else { Kind::Ask };
        }
        if self.answer.matches(frame, message) { Kind::Answer } else { Kind::Message }
    }

    pub(super) fn answer(&self, wire: &Wire, max_bytes: usize, frame: &[u8], cut: &Frame, out: &mut Vec<u8>) {
        #[cfg(feature = "websocket")]
        if let (Wire::WebSocket(websocket), Mark::Whole(message)) = (wire, &self.answer) {
            return websocket.encode_beat(frame.get(cut.head.clone()), message, out);
        }
        if self.same {
            return out.extend_from_slice(frame);
        }
        let start = out.len();
        let echoed = match &self.answer {
            Mark::Whole(message) => wire.encode(frame.get(cut.head.clone()), &[message], out).is_ok(),
            pattern @ Mark::Pattern(..) => {
                out.extend_from_slice(frame);
                pattern.overlay(&mut out[start..])
            }
        };
        // What is echoed may spoil the answer: a pattern on what decides the length of *this* frame, an ask still to be
        // seen in it (two peers would then answer each other for ever). Then the bare answer goes.
        let is_answer = |bytes: &mut [u8]| {
            cut_whole(wire, max_bytes, bytes).is_some_and(|cut| self.kind(bytes, &cut.message) == Kind::Answer)
        };
        if !echoed || !is_answer(&mut out[start..]) {
            out.truncate(start);
            out.extend_from_slice(&self.answer_frame);
        }
    }
}

impl Mark {
    fn matches(&self, frame: &[u8], message: &Range<usize>) -> bool {
        match self {
            Self::Whole(wanted) => frame.get(message.clone()) == Some(wanted),
            Self::Pattern(at, bytes) => frame.get(*at..).is_some_and(|rest| rest.starts_with(bytes)),
        }
    }

    /// Whether both are patterns that one frame can have at once.
    fn meets(&self, other: &Self) -> bool {
        let (Self::Pattern(at, bytes), Self::Pattern(other_at, other_bytes)) = (self, other) else { return false };
        let from = (*at).max(*other_at);
        let to = (at + bytes.len()).min(other_at + other_bytes.len());
        (from..to).all(|index| bytes[index - at] == other_bytes[index - other_at])
    }

    /// Puts a pattern into `frame`, if it is long enough.
    fn overlay(&self, frame: &mut [u8]) -> bool {
        let Self::Pattern(at, bytes) = self else { return true };
        let place = frame.get_mut(*at..at + bytes.len());
        let fits = place.is_some();
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
        fits
    }
}

/// The shortest frame with this mark, zero but for its length and the mark, and how it is cut.
fn build(wire: &Wire, max_bytes: usize, mark: &Mark) -> Result<(Vec<u8>, Frame), BeatFault> {
    let mut frame = Vec::new();
    match mark {
        Mark::Whole(message) if message.len() > BEAT_BYTES_MAX => {
            return Err(BeatFault::TooLong { length: message.len(), limit: BEAT_BYTES_MAX });
        }
        Mark::Whole(message) => wire.encode(None, &[message], &mut frame).map_err(BeatFault::Encode)?,
        #[cfg(feature = "websocket")]
        Mark::Pattern(..) if matches!(wire, Wire::WebSocket(_)) => return Err(BeatFault::HeadVaries),
        Mark::Pattern(at, bytes) => {
            let end = at + bytes.len();
            if end > BEAT_BYTES_MAX {
                return Err(BeatFault::TooLong { length: end, limit: BEAT_BYTES_MAX });
            }
            if let Wire::Length(length) = wire
                && *at < length.at + length.field.width()
                && end > length.at
            {
                return Err(BeatFault::OnLength);
            }
            let least = wire.least_message();
            if least > BEAT_BYTES_MAX {
                return Err(BeatFault::TooLong { length: least, limit: BEAT_BYTES_MAX });
            }
            let mut message = vec![0; least];
            // The pattern belongs before what ends the frame.
            let needed = end + if let Wire::Delimiter(delimiter) = wire { delimiter.bytes.len() } else { 0 };
            loop {
                frame.clear();
                wire.encode(None, &[&message], &mut frame).map_err(BeatFault::Encode)?;
                if frame.len() >= needed {
                    break;
                }
                if matches!(wire, Wire::Fixed(_)) {
                    return Err(BeatFault::TooLong { length: end, limit: frame.len() });
                }
                // Not all at once: the head grows with the message, by 3 bytes at most from nothing to 4096.
                let missing = needed - frame.len();
                message.resize(message.len() + missing.saturating_sub(3).max(1), 0);
            }
            mark.overlay(&mut frame);
        }
    }
    // A peer with the same framing must take it for what it is.
    match cut_whole(wire, super::MAX_BYTES_MOST, &mut frame) {
        Some(cut) if cut.message.len() > max_bytes => {
            Err(BeatFault::OverMax { length: cut.message.len(), limit: max_bytes })
        }
        Some(cut) => Ok((frame, cut)),
        None => Err(BeatFault::BreaksFrame),
    }
}

/// How `frame` is cut, if it is exactly one frame.
fn cut_whole(wire: &Wire, max_bytes: usize, frame: &mut [u8]) -> Option<Frame> {
    let (mut stream, mut control) = (Stream::default(), Vec::new());
    let cut = match wire {
        #[cfg(feature = "websocket")]
        Wire::WebSocket(websocket) => websocket.peer().cut(frame, &mut stream, max_bytes),
        _ => wire.cut(frame, &mut stream, &mut control, max_bytes),
    };
    match cut {
        Ok(Cut::Frame(cut)) if cut.total == frame.len() => Some(cut),
        _ => None,
    }
}
