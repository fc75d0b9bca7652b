//! The states of zlib: large, and of no use between messages.

use super::Sending;
use super::options::{BITS, LEVELS};
use flate2::{Compress, Compression, Decompress};
use std::fmt;

/// As many states for deflating are kept as there are sizes of windows.
const DEFLATES_MAX: usize = 7;

/// What all connections share to deflate and inflate. It holds nothing until it is used, then 50 KiB for inflating and up
/// to 350 KiB for each size of windows to deflate with.
#[derive(Default)]
pub struct Scratch {
    inflate: Option<Decompress>,
    /// The one used last is the last.
    deflates: Vec<(Sending, Compress)>,
}

impl Scratch {
    /// Ready for a message.
    pub(super) fn inflate(&mut self) -> &mut Decompress {
        // What was deflated with a smaller window is read with the largest.
        let inflate = self.inflate.get_or_insert_with(|| Decompress::new_with_window_bits(false, *BITS.end()));
        inflate.reset(false);
        inflate
    }

    /// Ready for a message.
    pub(super) fn deflate(&mut self, sending: Sending) -> &mut Compress {
        let compress = match self.deflates.iter().position(|(known, _)| *known == sending) {
            Some(at) => {
                let (_, mut compress) = self.deflates.remove(at);
                compress.reset();
                compress
            }
            None => {
                let level = u32::from(sending.level.clamp(*LEVELS.start(), *LEVELS.end()));
                let bits = sending.bits.clamp(*BITS.start(), *BITS.end());
                Compress::new_with_window_bits(Compression::new(level), false, bits)
            }
        };
        if self.deflates.len() >= DEFLATES_MAX {
            self.deflates.remove(0);
        }
        self.deflates.push((sending, compress));
        let last = self.deflates.len() - 1;
        &mut self.deflates[last].1
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}
