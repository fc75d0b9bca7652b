//! Bytes to frames of one stream, and back.
//!
//! A [`Framing`] is parsed once from a text such as `length:4be` or `delimiter:\r\n,ask=PING,answer=PONG`, shared by any
//! number of connections on any thread, and never changes. What has to be remembered of one connection is a [`Stream`]
//! of 16 bytes, all zero while no frame is unfinished.
//!
//! ```
//! use heartline::frame::{Cut, Framing, Kind, Stream};
//!
//! let framing = Framing::parse("length:4be,max=64K").unwrap();
//! let mut sent = Vec::new();
//! framing.encode(None, &[b"hello, ", b"peer"], &mut sent).unwrap();
//! framing.ask(&mut sent); // a beat: here a frame with an empty message
//!
//! let (mut stream, mut control) = (Stream::default(), Vec::new());
//! let Ok(Cut::Frame(frame)) = framing.cut(&mut sent, &mut stream, &mut control) else { panic!() };
//! assert_eq!(frame.kind, Kind::Message);
//! assert_eq!(&sent[frame.message.clone()], b"hello, peer");
//! let Ok(Cut::Frame(beat)) = framing.cut(&mut sent[frame.total..], &mut stream, &mut control) else { panic!() };
//! assert_eq!(beat.kind, Kind::Either);
//! ```
//!
//! This room has no clock, no socket and no unsafe code. Cutting never allocates: a frame is ranges of the caller's bytes.
//! What a length promises is never reserved, and a frame over the limit is refused at its header (rule F2).
//!
//! | file | idea |
//! |---|---|
//! | `framing.rs` | [`Framing`]: one codec, its limit and its beats |
//! | `codec.rs` | what a codec gives back ([`Cut`], [`Frame`], [`Stream`]) and the [`Codec`] trait for your own |
//! | `length.rs` `varint.rs` `line_header.rs` `delimiter.rs` `fixed.rs` `raw.rs` | the built-in codecs |
//! | `websocket/` | RFC 6455: frames joined into messages, ping, pong and close |
//! | `head_text.rs` | finds the length in a text head |
//! | `sole.rs` | the quick way of the reactor's usual read: one whole message of a `length` codec |
//! | `beats.rs` | what counts as an ask and an answer, and how they are built |
//! | `spec.rs` `text.rs` | the text form, read and written |
//! | `proxy.rs` | who is behind a balancer: PROXY protocol (feature `websocket`) |
//! | `websocket/` | RFC 6455: the upgrade from HTTP (feature `websocket`) |
//! | `error.rs` `spec_error.rs` | what can go wrong |

mod beats;
mod codec;
mod delimiter;
mod error;
mod fixed;
mod framing;
mod head_text;
mod length;
mod line_header;
#[cfg(feature = "websocket")]
pub mod proxy;
mod raw;
#[cfg(feature = "net")]
mod sole;
mod spec;
mod spec_error;
mod text;
mod varint;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use beats::BEAT_BYTES_MAX;
pub use codec::{Codec, Cut, Frame, Kind, Stream};
pub use delimiter::DELIMITER_BYTES_MAX;
pub use error::{EncodeError, FrameError, HeadFault};
pub use framing::{Framing, MAX_BYTES_DIALLED, MAX_BYTES_LISTENER, MAX_BYTES_MOST};
pub use length::LENGTH_HEAD_BYTES_MAX;
#[cfg(feature = "net")]
pub(crate) use length::copy_short;
pub use line_header::LINE_HEAD_BYTES_MAX;
#[cfg(feature = "net")]
pub(crate) use sole::WINDOW_BYTES;
pub use spec_error::{BeatFault, SpecError};
#[cfg(feature = "websocket")]
pub use websocket::WebSocketFault;
