//! The way of most reads: whether a window holds exactly one whole message of a codec with a length, in few comparisons.

use super::beats::Beats;
use super::framing::Wire;
use super::length::LENGTH_HEAD_BYTES_MAX;

/// Bytes of the window that a read fills. What fills all of it is never taken for one message: more may follow.
pub(crate) const WINDOW_BYTES: usize = 16 << 10;

/// What is known beforehand of a frame that is one message: how long it may be, and what its field then says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sole {
    /// Bytes of the shortest such frame.
    least: usize,
    /// How many more the longest one has.
    span: usize,
    /// Bytes of the frame that its field does not count; what it counts besides makes this negative.
    uncounted: i64,
    /// Offset of the field, below [`LENGTH_HEAD_BYTES_MAX`].
    at: u16,
    /// How many bits of a word of eight bytes that begins with the field are not the field's.
    spare_bits: u8,
    is_big: bool,
    /// The field's bits in the little-endian word.
    mask: u64,
    pub(super) head: usize,
    /// It is of WebSocket: the first byte and the text are still to be looked at, and a mask to be taken off.
    pub(super) is_websocket: bool,
}

impl Sole {
    /// For codecs without a length field: no count of bytes is one message.
    const NEVER: Self = Self {
        least: usize::MAX,
        span: 0,
        uncounted: 0,
        at: 0,
        spare_bits: 0,
        is_big: false,
        mask: 0,
        head: 0,
        is_websocket: false,
    };

    pub(super) fn new(wire: &Wire, beats: &Beats, max_bytes: usize) -> Self {
        let codec = match wire {
            Wire::Length(codec) => codec,
            #[cfg(feature = "websocket")]
            Wire::WebSocket(codec) => return Self::of_websocket(codec.short_head(), beats, max_bytes),
            _ => return Self::NEVER,
        };
        // An empty message may be a beat; one that the field would say by a number below 0 is an error.
        let shortest = codec.least_message().max(usize::from(matches!(beats, Beats::Empty)));
        let least = codec.head + shortest;
        let most = (codec.head + max_bytes).min(WINDOW_BYTES - 1);
        let Some(span) = most.checked_sub(least) else { return Self::NEVER };
        Self {
            least,
            span,
            uncounted: codec.head as i64 + codec.bias,
            at: codec.at as u16,
            spare_bits: codec.spare_bits as u8,
            is_big: codec.is_big,
            mask: codec.mask,
            head: codec.head,
            is_websocket: false,
        }
    }

    /// A message of up to 125 bytes in one frame says its length in its second byte, beside the bit of the mask.
    #[cfg(feature = "websocket")]
    fn of_websocket((head, masked): (usize, u8), beats: &Beats, max_bytes: usize) -> Self {
        if matches!(beats, Beats::Given(_)) {
            // What it is shows only without the mask, which comes off once.
            return Self::NEVER;
        }
        Self {
            least: head,
            span: max_bytes.min(125),
            uncounted: head as i64 - i64::from(masked),
            at: 1,
            spare_bits: 56,
            is_big: false,
            mask: 0xff,
            head,
            is_websocket: true,
        }
    }

    /// Whether a frame of `count` bytes can be one message.
    #[inline(always)]
    pub(super) fn can_have(&self, count: usize) -> bool {
        // One comparison for both ends.
        count.wrapping_sub(self.least) <= self.span
    }

    /// Whether the field of a frame at the front of `window` says that the frame has `count` bytes, which it
    /// [`can_have`](Self::can_have).
    #[inline(always)]
    pub(super) fn says(&self, window: &[u8; WINDOW_BYTES], count: usize) -> bool {
        // Changes nothing, and spares the check that the word lies in the window.
        let at = usize::from(self.at) % LENGTH_HEAD_BYTES_MAX;
        let Some(word) = window[at..].first_chunk() else { return false };
        let word = u64::from_le_bytes(*word);
        let said = if self.is_big { word.swap_bytes() >> (self.spare_bits % 64) } else { word & self.mask };
        said == (count as u64).wrapping_sub(self.uncounted as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Framing;
    use super::*;

    /// The quick way and the long one agree on every length near a limit, for every kind of field.
    #[test]
    fn it_knows_exactly_what_the_cut_calls_one_message() {
        let fields = ["1be", "1le", "2be", "2le", "3be", "3le", "4be", "4le", "8be", "8le"];
        let shapes = [
            "",
            ",head=12",
            ",at=3,head=12",
            ",includes-head",
            ",adjust=2",
            ",adjust=-2",
            ",at=1,head=9,includes-head",
        ];
        let rests = ["", ",max=20", ",max=1", ",ask=PING"];
        let mut known = 0;
        for spec in fields.iter().flat_map(|field| shapes.iter().map(move |shape| format!("length:{field}{shape}"))) {
            for framing in rests.iter().filter_map(|rest| Framing::parse(&format!("{spec}{rest}")).ok()) {
                known += lengths_agree(&framing);
            }
        }
        assert!(known > 1000, "{known}");
    }

    /// The same of WebSocket, on either side, whose mask is off when the quick way has taken a message, and still on when
    /// it has not.
    #[cfg(feature = "websocket")]
    #[test]
    fn it_unmasks_exactly_what_the_cut_calls_one_short_message() {
        let known: Vec<_> = ["websocket", "websocket,max=20", "websocket,ask=PING"].map(websockets_agree).into();
        assert!(known[0] > known[1] && known[1] > 0 && known[2] == 0, "{known:?}");
    }

    #[cfg(feature = "websocket")]
    fn websockets_agree(spec: &str) -> usize {
        let server = Framing::parse(spec).unwrap();
        let client = server.for_dialled().with_max(server.max_bytes()).unwrap();
        let mut known = 0;
        for (from, to) in [(&client, &server), (&server, &client), (&server, &server), (&client, &client)] {
            let messages = [&b""[..], b"1", b"PING", "h\u{e9}llo".as_bytes(), &[0xff; 21], &[7; 125], &[7; 126]];
            for (message, head) in messages.iter().flat_map(|message| [1, 2].map(|head| (*message, head))) {
                let mut frame = Vec::new();
                if from.encode(Some(&[head]), &[message], &mut frame).is_err() {
                    // As if it had been text.
                    from.encode(None, &[message], &mut frame).unwrap();
                    frame[0] = 0x81;
                }
                for (first, count) in [frame[0], 0x01, 0x89, 0xc1].into_iter().flat_map(|first| {
                    (frame.len().saturating_sub(1)..=frame.len() + 1).map(move |count| (first, count))
                }) {
                    let mut window = [0xA5; WINDOW_BYTES];
                    window[..frame.len()].copy_from_slice(&frame);
                    window[0] = first;
                    let before = window;
                    let mut input = window[..count].to_vec();
                    let cut = to.cut(&mut input, &mut Default::default(), &mut Vec::new());
                    let sole = to.sole_message(&mut window, count);
                    match (sole, cut) {
                        (None, _) => assert!(window == before, "{spec} {first:#x} {count}"),
                        (Some(head), Ok(super::super::Cut::Frame(cut))) => {
                            assert_eq!((cut.total, cut.head, cut.kind), (count, 0..head, super::super::Kind::Message));
                            assert_eq!(input, window[..count]);
                            known += 1;
                        }
                        (Some(_), other) => panic!("{spec} {first:#x} {count}: {other:?}"),
                    }
                }
            }
        }
        known
    }

    fn lengths_agree(framing: &Framing) -> usize {
        let mut known = 0;
        for message in [&b""[..], b"1", b"12", b"PING", &[7; 20], &[7; 21], &[7; 200], &[7; 300]] {
            let mut frame = Vec::new();
            if framing.encode(None, &[message], &mut frame).is_err() {
                continue;
            }
            // Also with bytes missing, and with some to spare.
            for count in frame.len().saturating_sub(1)..=frame.len() + 1 {
                let mut window = [0xA5; WINDOW_BYTES];
                let whole = count.min(frame.len());
                window[..whole].copy_from_slice(&frame[..whole]);
                let cut = framing.cut(&mut window[..count].to_vec(), &mut Default::default(), &mut Vec::new());
                let expected = match cut {
                    Ok(super::super::Cut::Frame(cut)) => {
                        (cut.total == count && cut.kind == super::super::Kind::Message).then_some(cut.head.len())
                    }
                    _ => None,
                };
                assert_eq!(framing.sole_message(&mut window, count), expected, "{} {count}", framing.spec());
                known += usize::from(expected.is_some());
            }
        }
        known
    }
}
