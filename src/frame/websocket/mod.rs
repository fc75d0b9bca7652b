//! `websocket`: the frames of RFC 6455, behind its upgrade.
//!
//! A message is what the application gets, however many frames it came in: they are joined where they lie, directly
//! behind the first one's header, which is the head that is shown. Ping, Pong and Close are beats and goodbye.
//!
//! | file | idea |
//! |---|---|
//! | `header.rs` | the 2 to 14 bytes before each payload, checked as they come |
//! | `cut.rs` | one frame or a part of one after the other becomes a message, in place |
//! | `joining.rs` | what is remembered of a message that is not whole, in the 16 bytes of a stream |
//! | `encode.rs` | messages, pings, pongs and closes as frames |
//! | `close.rs` | what a Close may say |
//! | `mask.rs` | the mask, laid on and taken off, and the keys that nobody can foresee |
//! | `utf8.rs` | whether bytes are text, also while more are to come |
//! | `fault.rs` | what the RFC forbids |
//! | `settings.rs` | the keys of its text form |
//! | `upgrade/` | from HTTP to here |
//! | `deflate/` | permessage-deflate: RFC 7692 (feature `deflate`) |

mod close;
mod cut;
#[cfg(feature = "deflate")]
pub mod deflate;
mod encode;
mod fault;
mod header;
mod joining;
mod mask;
pub(super) mod settings;
pub mod upgrade;
mod utf8;

#[cfg(feature = "net")]
pub(super) use cut::unmask_short;
pub use fault::WebSocketFault;
#[cfg(feature = "net")]
pub(crate) use header::frame_bytes;
use mask::Keys;
use std::sync::Arc;
#[cfg(all(feature = "net", feature = "deflate"))]
pub(crate) use utf8::check_text;

/// Bytes above which a message that is sent is cut into fragments, where `send-fragment=` is not given.
const SEND_FRAGMENT_BYTES: usize = 64 << 10;
/// The most that `fragments=` can be.
const FRAGMENTS_MOST: u32 = 1 << 24;

/// What the first byte of a frame says it is.
mod opcode {
    pub(super) const CONTINUATION: u8 = 0;
    pub(super) const TEXT: u8 = 1;
    pub(super) const BINARY: u8 = 2;
    pub(super) const CLOSE: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;
}

#[derive(Clone, Debug)]
pub(super) struct WebSocket {
    side: Side,
    /// The most frames that one received message may have, the control frames within it included; by default it depends
    /// on `max`.
    pub(super) fragments: Option<u32>,
    pub(super) send_fragment_bytes: usize,
    /// What is offered and taken; messages may then be deflated.
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<deflate::DeflateOptions>,
}

/// Who masks: the client what it sends, the server nothing (RFC 6455, 5.1).
#[derive(Clone, Debug)]
enum Side {
    Server,
    Client(Arc<Keys>),
}

impl WebSocket {
    /// The server's side.
    pub(super) fn new(fragments: Option<u32>, send_fragment_bytes: usize) -> Self {
        Self {
            side: Side::Server,
            fragments,
            send_fragment_bytes,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// The same for the end that dialled.
    pub(super) fn client(&self) -> Self {
        match self.side {
            Side::Server => Self { side: Side::Client(Arc::default()), ..self.clone() },
            Side::Client(_) => self.clone(),
        }
    }

    /// What understands the frames that this one sends.
    pub(super) fn peer(&self) -> Self {
        match self.side {
            Side::Server => self.client(),
            Side::Client(_) => Self { side: Side::Server, ..self.clone() },
        }
    }

    /// Bytes of the head before a short message that comes in, and the bit of the mask in its second byte.
    pub(super) fn short_head(&self) -> (usize, u8) {
        if self.is_server() { (6, 0x80) } else { (2, 0) }
    }

    /// Whether RSV1 of a message's first frame means something.
    #[inline]
    pub(super) fn may_deflate(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflate.is_some();
        #[cfg(not(feature = "deflate"))]
        false
    }

    /// Whether a message is long enough for it.
    #[cfg(feature = "net")]
    #[inline]
    fn would_deflate(&self, message: &[u8]) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflate.is_some_and(|deflate| message.len() >= deflate.min_bytes as usize);
        #[cfg(not(feature = "deflate"))]
        {
            let _ = message;
            false
        }
    }

    /// Whether the message or the frame at the front of `input` is deflated.
    #[inline]
    pub(super) fn is_deflated(&self, input: &[u8]) -> bool {
        self.may_deflate() && input.first().is_some_and(|first| first & header::DEFLATED != 0)
    }

    fn is_server(&self) -> bool {
        matches!(self.side, Side::Server)
    }

    /// The most frames of one message: by default 16 bytes in each on the average are enough, and 1024 frames however
    /// short.
    fn fragments_max(&self, max_bytes: usize) -> u32 {
        self.fragments.unwrap_or((max_bytes / 16).clamp(1024, FRAGMENTS_MOST as usize) as u32)
    }
}
