//! HTTP/1 as a codec: a frame is the head of a request. What goes out goes out as it is.

use heartline::frame::{Codec, Cut, EncodeError, Frame, FrameError, Kind, Stream};

/// The most bytes of a request's head.
pub(super) const HEAD_BYTES_MAX: usize = 8 << 10;
const END: &[u8] = b"\r\n\r\n";

#[derive(Debug)]
pub(super) struct RequestHeads;

impl Codec for RequestHeads {
    fn name(&self) -> &str {
        "http"
    }

    fn cut(
        &self,
        input: &mut [u8],
        stream: &mut Stream,
        _control: &mut Vec<u8>,
        max_bytes: usize,
    ) -> Result<Cut, FrameError> {
        let limit = max_bytes.min(HEAD_BYTES_MAX);
        let seen = input.len().min(limit);
        // The end may have begun in what was looked at before.
        let from = stream.scanned().saturating_sub(END.len() - 1).min(seen);
        match input[from..seen].windows(END.len()).position(|four| four == END) {
            Some(at) => {
                let total = from + at + END.len();
                Ok(Cut::Frame(Frame { kind: Kind::Message, head: 0..0, message: 0..total, total }))
            }
            None if seen == limit => Err(FrameError::HeadTooLong { limit }),
            None => {
                stream.set_scanned(seen);
                Ok(Cut::More { need: input.len() + 1, exact: false })
            }
        }
    }

    fn encode(&self, _head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        for part in message {
            out.extend_from_slice(part);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline::frame::Framing;

    fn cut(input: &[u8], stream: &mut Stream) -> Result<Cut, FrameError> {
        Framing::custom(Box::new(RequestHeads)).cut(&mut input.to_vec(), stream, &mut Vec::new())
    }

    /// F1, F4.
    #[test]
    fn a_head_is_found_wherever_it_was_cut() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
        let mut stream = Stream::default();
        for end in 0..27 {
            assert!(matches!(cut(&request[..end], &mut stream), Ok(Cut::More { need, .. }) if need == end + 1));
            assert_eq!(stream.scanned(), end);
        }
        for end in 27..=request.len() {
            let Ok(Cut::Frame(frame)) = cut(&request[..end], &mut stream) else { panic!("no frame at {end}") };
            assert_eq!((frame.message, frame.total), (0..27, 27));
        }
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_limit() {
        let endless = [b'a'; HEAD_BYTES_MAX + 1];
        assert!(matches!(cut(&endless[..HEAD_BYTES_MAX - 1], &mut Stream::default()), Ok(Cut::More { .. })));
        for length in [HEAD_BYTES_MAX, HEAD_BYTES_MAX + 1] {
            let refused = cut(&endless[..length], &mut Stream::default());
            assert_eq!(refused, Err(FrameError::HeadTooLong { limit: HEAD_BYTES_MAX }));
        }
    }
}
