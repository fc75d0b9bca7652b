//! What a codec gives back, what it remembers of a connection, and the trait for codecs of your own.

use super::{EncodeError, FrameError};
use std::ops::Range;

/// What the front of the input holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A whole frame.
    Frame(Frame),
    /// A beat in the middle of a message that is not whole yet, as WebSocket has them. It takes nothing: the next cut is
    /// of the same front. Its ranges and its `total`, where it ends, count from there.
    Within(Frame),
    /// No whole frame yet. Keep the input, add bytes behind it, and cut again with the same [`Stream`].
    More {
        /// Bytes, counted from the front of the input, without which nothing can come of it. Always more than there are.
        /// It is a promise of the peer's: do not reserve it unseen (rule F2).
        need: usize,
        /// Whether `need` is the whole unfinished frame: then a read of `need` less what is there ends exactly with it.
        exact: bool,
    },
}

impl Cut {
    /// A frame with head `..head`, message `head..end` and `total` bytes, not known to be a beat.
    #[inline(always)]
    pub(super) fn message(head: usize, end: usize, total: usize) -> Self {
        Self::Frame(Frame { kind: Kind::Message, head: 0..head, message: head..end, total })
    }
}

/// Where a frame lies in the input it was cut from. Borrows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is a beat.
    pub kind: Kind,
    /// The head: all the bytes before the message, the length among them. Empty where the codec has none.
    pub head: Range<usize>,
    /// The message. Head and message exclude what only separates frames, such as a delimiter.
    pub message: Range<usize>,
    /// Bytes of the input that the frame takes, at least 1. The next frame begins there.
    pub total: usize,
}

/// Whether a frame is a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Not a beat.
    Message,
    /// "Are you there?" It wants an answer.
    Ask,
    /// "Yes." The answer to an ask.
    Answer,
    /// Ask and answer are the same bytes: whoever has an ask outstanding takes it for the answer, otherwise it is an ask.
    Either,
    /// The peer's goodbye: it sends nothing behind it. [`Framing::answer`](super::Framing::answer) has ours, behind which
    /// we send nothing.
    Close,
}

/// What a codec remembers of one connection while a frame is unfinished. 16 bytes, all zero when idle.
///
/// [`Framing::cut`](super::Framing::cut) forgets the scan position by itself when a frame completes. It belongs to one
/// direction of one connection: after an error, or when bytes are dropped, start with a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    scanned: u32,
    head: u32,
    note: u64,
}

impl Stream {
    /// Whether nothing is remembered, so that the stream can be dropped and made anew for the next byte.
    pub fn is_idle(&self) -> bool {
        *self == Self::default()
    }

    /// Bytes from the front of the input that need not be looked at again (rule F4). 0 at the start of each frame.
    pub fn scanned(&self) -> usize {
        self.scanned as usize
    }

    /// Remembers that the first `bytes` need not be looked at again. For codecs; saturates at 2³² − 1.
    pub fn set_scanned(&mut self, bytes: usize) {
        self.scanned = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// A custom codec's own memory. It survives the end of a frame (the state of an upgrade lives here).
    pub fn note(&self) -> u64 {
        self.note
    }

    /// Sets [`note`](Self::note). A stream whose note is not 0 is not idle.
    pub fn set_note(&mut self, note: u64) {
        self.note = note;
    }

    /// The same 16 bytes as numbers, for foreign interfaces.
    #[cfg(feature = "capi")]
    pub(crate) fn into_raw(self) -> [u64; 2] {
        [u64::from(self.scanned) << 32 | u64::from(self.head), self.note]
    }

    /// What [`into_raw`](Self::into_raw) gave. Any numbers are safe: codecs check what they remember against the input.
    #[cfg(feature = "capi")]
    pub(crate) fn from_raw([low, note]: [u64; 2]) -> Self {
        Self { scanned: (low >> 32) as u32, head: low as u32, note }
    }

    /// Forgets the scan position: a custom codec's frame is complete.
    pub(super) fn end_frame(&mut self) {
        self.scanned = 0;
        self.head = 0;
    }

    /// Where the payload of a WebSocket message ends that was joined so far. 0 if no message is unfinished.
    #[cfg(feature = "websocket")]
    pub(super) fn joined(&self) -> usize {
        self.head as usize
    }

    /// Remembers a WebSocket message of which something was joined. False if these numbers are too large.
    #[cfg(feature = "websocket")]
    pub(super) fn set_joined(&mut self, scanned: usize, joined: usize, note: u64) -> bool {
        let (Ok(scanned), Ok(head)) = (scanned.try_into(), joined.try_into()) else { return false };
        *self = Self { scanned, head, note };
        true
    }

    /// A text head of `head` bytes (not 0) was read and promised `message` bytes: neither is looked for again.
    pub(super) fn set_head(&mut self, head: usize, message: usize) {
        *self = Self { scanned: 0, head: head as u32, note: message as u64 };
    }

    /// What [`set_head`](Self::set_head) said, if it did.
    pub(super) fn head(&self) -> Option<(usize, usize)> {
        (self.head != 0).then_some((self.head as usize, self.note as usize))
    }
}

const _: () = assert!(size_of::<Stream>() <= 16);

/// A codec of your own, for [`Framing::custom`](super::Framing::custom).
///
/// It is shared by many connections and threads: what belongs to one connection goes into its [`Stream`]. It is pure: it
/// must not call Heartline, block, or keep the bytes it is shown. What it returns is checked; a frame that does not lie
/// within the input is [`FrameError::BrokenCodec`], never a panic.
pub trait Codec: Send + Sync {
    /// Its name, for [`Framing::spec`](super::Framing::spec) and logs.
    fn name(&self) -> &str;

    /// Cuts the frame at the front of `input`, whose ranges count from there.
    ///
    /// It may change `input` in place (unmask), and may append to `control` what it wants sent before any data. It must
    /// give the same frames wherever the input was cut into reads (rule F1), and refuse a message over `max_bytes` with
    /// [`FrameError::TooLarge`] as soon as it knows. `input` may be empty: that is [`Cut::More`].
    ///
    /// # Errors
    /// What is wrong with the bytes; the connection is then closed.
    fn cut(
        &self,
        input: &mut [u8],
        stream: &mut Stream,
        control: &mut Vec<u8>,
        max_bytes: usize,
    ) -> Result<Cut, FrameError>;

    /// Appends one whole frame to `out`. `head` has the form that [`cut`](Self::cut) shows; `message` is gathered.
    ///
    /// # Errors
    /// What cannot be encoded. What was appended by then is taken back.
    fn encode(&self, head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Appends the ask, and says whether there is one. None by default. Called once when the framing is made as well.
    fn ask(&self, out: &mut Vec<u8>) -> bool {
        let _ = out;
        false
    }

    /// Appends the answer to `frame`, which [`cut`](Self::cut) gave out as [`Kind::Ask`], [`Kind::Either`] or
    /// [`Kind::Close`]. By default the same bytes.
    fn answer(&self, frame: &[u8], cut: &Frame, out: &mut Vec<u8>) {
        let _ = cut;
        out.extend_from_slice(frame);
    }

    /// Appends the goodbye, the last that is sent on a connection, and says whether there is one. `status` says why in
    /// the numbers of WebSocket (1000: nothing is wrong). None by default.
    fn close(&self, status: u16, out: &mut Vec<u8>) -> bool {
        let _ = (status, out);
        false
    }
}

#[cfg(all(test, feature = "capi"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_foreign_interface_keeps_is_the_whole_stream() {
        let busy = Stream { scanned: 0x8765_4321, head: 0xfedc_ba98, note: 0x0123_4567_89ab_cdef };
        assert_eq!(busy.clone().into_raw(), [0x8765_4321_fedc_ba98, 0x0123_4567_89ab_cdef]);
        assert_eq!(Stream::from_raw(busy.clone().into_raw()), busy);
        assert_eq!(Stream::default().into_raw(), [0, 0]);
        assert!(Stream::from_raw([0, 0]).is_idle());
    }
}
