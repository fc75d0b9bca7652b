//! One message becomes the payload of a frame with RSV1 (RFC 7692 section 7.2.1).

use super::options::BITS;
use super::{Scratch, TAIL};
use flate2::{FlushCompress, Status};

/// How a message is deflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// 1 to 9.
    pub level: u8,
    /// 9 to 15; with 8 nothing is deflated.
    pub bits: u8,
}

/// What the flush adds to a message that cannot be made shorter, and more than zlib asks to have left over.
const FLUSH_BYTES: usize = 64;

/// Appends what `message` becomes, and says so; false, and nothing appended, if that is no shorter than the message, which
/// then goes as it is. It may refer to `window`, the messages before.
pub fn deflate(scratch: &mut Scratch, sending: Sending, window: &[u8], message: &[u8], out: &mut Vec<u8>) -> bool {
    if !BITS.contains(&sending.bits) {
        return false;
    }
    let compress = scratch.deflate(sending);
    if !window.is_empty() && compress.set_dictionary(window).is_err() {
        return false;
    }
    let start = out.len();
    out.reserve(message.len() + FLUSH_BYTES);
    let flushed = compress.compress_vec(message, out, FlushCompress::Sync);
    // Where room is left, all of it is there.
    let is_whole = matches!(flushed, Ok(Status::Ok))
        && compress.total_in() == message.len() as u64
        && out.len() < out.capacity()
        && out[start..].ends_with(&TAIL);
    let end = out.len().saturating_sub(TAIL.len());
    if !is_whole || end - start >= message.len() {
        out.truncate(start);
        return false;
    }
    out.truncate(end);
    true
}
