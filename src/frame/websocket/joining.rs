//! What is remembered of a message that is not whole, in the 16 bytes of a stream.

use super::header::{Header, Place, Read};
use super::opcode;
use crate::frame::Stream;

/// A message of which something has come. In the input lie, one behind the other: the first frame's header, the payload
/// that is joined and unmasked, bytes that are nobody's any more, the next header.
pub(super) struct Joining {
    /// The first frame's, which says what the message is.
    pub(super) first: Header,
    /// Where the next header begins. 0 while the first frame is not whole.
    pub(super) at: usize,
    /// Whether that header is ours, for the rest of a payload of which a part is joined.
    pub(super) is_ours: bool,
    /// Where the joined payload ends.
    pub(super) end: usize,
    /// How many frames there were, those within the message included.
    pub(super) frames: u32,
}

const OURS: u64 = 1 << 32;

impl Joining {
    pub(super) fn new(first: Header) -> Self {
        Self { at: 0, is_ours: false, end: first.bytes(), frames: 1, first }
    }

    /// What [`keep`](Self::keep) kept. `None` if no message is unfinished, or if the numbers are foreign ones that do not
    /// fit the input: then it is cut as if nothing were remembered.
    pub(super) fn resume(stream: &Stream, input: &[u8], front: Place, max_bytes: usize) -> Option<Self> {
        let (at, end, note) = (stream.scanned(), stream.joined(), stream.note());
        if end == 0 {
            return None;
        }
        let Ok(Read::Whole(first)) = Header::read(input, front) else { return None };
        let joined = end.checked_sub(first.bytes())?;
        let max_bytes = first.payload_max(max_bytes);
        let limit = if at == 0 { first.length.min((input.len() - first.bytes()) as u64) } else { u64::MAX };
        let fits = !first.is_control()
            && joined as u64 <= limit.min(max_bytes as u64)
            && first.length <= max_bytes as u64
            && (at == 0 || end <= at && at <= input.len());
        fits.then_some(Self { first, at, is_ours: note & OURS != 0, end, frames: note as u32 })
    }

    /// Remembers it. False if the input has become too long for that.
    pub(super) fn keep(&self, stream: &mut Stream) -> bool {
        let note = u64::from(self.frames) | if self.is_ours { OURS } else { 0 };
        stream.set_joined(self.at, self.end, note)
    }

    /// Whether what is joined must be text. What is deflated becomes text later.
    pub(super) fn is_text(&self) -> bool {
        self.first.opcode == opcode::TEXT && !self.first.is_deflated
    }

    /// Bytes of the payload so far.
    pub(super) fn joined(&self) -> usize {
        self.end - self.first.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Cut, Framing};

    /// Whatever a foreign interface gives for a stream, the worst that comes of it is an error or a wrong message.
    #[test]
    fn no_numbers_make_a_cut_panic() {
        let text =
            [0x01, 0x83, 0, 0, 0, 0, b'a', b'b', 0xc3, 0x89, 0x80, 0, 0, 0, 0, 0x80, 0x82, 0, 0, 0, 0, 0xa9, b'z'];
        let plain = [0x02, 0x03, b'a', b'b', 0xc3, 0x8a, 0x00, 0x00, 0x02, 1, 2, 0x80, 0x7e, 0, 0x80, 1, 2, 3];
        let server = Framing::parse("websocket,max=100").unwrap();
        let numbers = || (0..26).chain([99, 100, 106, 114, 1000, u32::MAX as usize - 1, u32::MAX as usize]);
        let mut outcomes = [0; 4];
        for (framing, input) in [(&server, &text[..]), (&server.for_dialled(), &plain)] {
            for (at, end, note) in numbers().flat_map(|at| numbers().map(move |end| (at, end))).flat_map(|(at, end)| {
                [0, 1, 1023, OURS, OURS | 1, u64::from(u32::MAX), u64::MAX].map(move |note| (at, end, note))
            }) {
                for length in 0..=input.len() {
                    let mut stream = Stream::default();
                    assert!(stream.set_joined(at, end, note));
                    let mut input = input[..length].to_vec();
                    let outcome = match framing.cut(&mut input, &mut stream, &mut Vec::new()) {
                        Ok(Cut::Frame(frame)) | Ok(Cut::Within(frame)) => {
                            let ends = [frame.head.end, frame.message.start, frame.message.end, frame.total];
                            assert!(frame.head.start <= ends[0] && ends.is_sorted() && frame.total <= length);
                            assert!(frame.message.len() <= 100);
                            usize::from(stream.is_idle())
                        }
                        Ok(Cut::More { need, .. }) => {
                            assert!(need > length);
                            2
                        }
                        Err(_) => 3,
                    };
                    outcomes[outcome] += 1;
                }
            }
        }
        assert!(outcomes.iter().all(|count| *count > 10), "each of them happens: {outcomes:?}");
    }

    #[test]
    fn what_is_kept_comes_back() {
        let input = [0x01, 0x05, b'a', b'b', b'c'];
        let place = Place { masked: false, within: false, deflates: false, ours: false };
        let Ok(Read::Whole(first)) = Header::read(&input, place) else { panic!() };
        let message = Joining { end: 5, frames: 1, ..Joining::new(first) };
        let mut stream = Stream::default();
        assert!(message.keep(&mut stream));
        let again = Joining::resume(&stream, &input, place, 10).unwrap();
        assert_eq!((again.first, again.at, again.is_ours, again.end, again.frames), (first, 0, false, 5, 1));
        assert!(!Joining { at: 1 << 32, ..again }.keep(&mut stream), "such a position cannot be remembered");
    }
}
