//! What a connection keeps of bytes that came and are not delivered yet: an unfinished frame, or whole frames that
//! this turn's budget or the caller's batch had no room for. An idle connection has none (F3).

use crate::frame::Stream;
use crate::time::Millis;

/// Up to this many bytes an unfinished frame is copied in front of the next read; above it, the read goes straight
/// into its buffer, so that a frame that trickles in is not copied again and again (F4).
pub(crate) const REJOIN_BYTES_MAX: usize = 1 << 10;

/// Bytes kept, in memory that is given back when they are delivered.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) bytes: Vec<u8>,
    /// Bytes before this are delivered.
    pub(crate) cut: usize,
    /// The codec's memory of the unfinished frame.
    pub(crate) stream: Stream,
    /// The unfinished frame needs this many bytes, as far as is known; 0: there may be whole frames in `bytes`.
    pub(crate) need: usize,
    /// `need` is its exact length.
    pub(crate) exact: bool,
    /// Attended time at which the frame began, or (waiting for the first) the connection.
    pub(crate) begun: Millis,
}

impl Inbound {
    pub(crate) fn new(bytes: Vec<u8>, begun: Millis) -> Self {
        Self { bytes, cut: 0, stream: Stream::default(), need: 0, exact: false, begun }
    }

    /// Whether it may hold whole frames that wait to be cut.
    pub(crate) fn is_backlog(&self) -> bool {
        self.need == 0 && self.cut < self.bytes.len()
    }

    /// What the codec remembered and needed is of another framing.
    pub(crate) fn cut_anew(&mut self) {
        (self.stream, self.need, self.exact) = (Stream::default(), 0, false);
    }

    /// Memory that counts against the reactor's cap.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}
