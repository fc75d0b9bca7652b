//! HTTP/1 as a codec: a frame is the head of a request or a response. What goes out goes out as it is.

use crate::frame::{Codec, Cut, EncodeError, Frame, FrameError, Kind, Stream};

/// The most bytes of a head, CRLFCRLF included, unless [`HttpHeads::with_max_bytes`] says otherwise: 8 KiB.
pub const HEAD_BYTES_MAX: usize = 8 << 10;
const END: &[u8] = b"\r\n\r\n";

/// The codec of HTTP/1 heads: a message is a head from its first line to the CRLFCRLF that ends it, included. What comes
/// behind is the next frame, or of another protocol. Bodies are not known to it.
///
/// A head that has not ended within the limit, or within the framing's `max` where that is less, is
/// [`FrameError::HeadTooLong`]. The scan resumes where it stopped (rule F4). Whatever is encoded is appended unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpHeads {
    max_bytes: usize,
}

impl Default for HttpHeads {
    fn default() -> Self {
        Self { max_bytes: HEAD_BYTES_MAX }
    }
}

impl HttpHeads {
    /// A codec with another limit, in bytes of the whole head.
    #[must_use]
    pub fn with_max_bytes(max_bytes: usize) -> Self {
        Self { max_bytes }
    }
}

impl Codec for HttpHeads {
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
        let limit = max_bytes.min(self.max_bytes);
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
        crate::frame::framing::gather(message, out);
        Ok(())
    }
}
