//! permessage-deflate (RFC 7692): whether it is agreed on, and with it what the messages become. Feature `deflate`.
//!
//! A client [`offer`]s, a server [`choose`]s, the client [`confirm`]s: then both have the same [`Agreed`] seen from their
//! end. A message whose first frame has RSV1 set carries what [`deflate`] made and [`inflate`] reads.
//!
//! The states of zlib are some 350 KiB. No connection has its own: they lie in a [`Scratch`] that all of them share, made
//! ready anew for each message. Where context takeover was agreed, a connection keeps its [`Window`]s between messages,
//! the last bytes of the messages themselves; where it was not, nothing.
//!
//! ```
//! use heartline::frame::websocket::deflate::{DeflateOptions, Scratch, choose, confirm, deflate, inflate, offer};
//!
//! let options = DeflateOptions::default();
//! let offered = offer(&options);
//! let (server, response) = choose(&options, [offered.as_bytes()]).unwrap();
//! let client = confirm(&options, [response.as_bytes()]).unwrap().unwrap();
//!
//! let mut scratch = Scratch::default();
//! let message = b"one of the worst things is to say the same things again, the same things again";
//! let mut sent = Vec::new();
//! assert!(deflate(&mut scratch, client.sending(options.level), &[], message, &mut sent));
//! let mut received = Vec::new();
//! inflate(&mut scratch, &[], &sent, 64 << 10, &mut received).unwrap();
//! assert_eq!(received, message);
//! assert!(!server.receive_takeover);
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `options.rs` | [`DeflateOptions`]: what we want |
//! | `parameters.rs` | the parameters as they stand in a header line |
//! | `agreed.rs` | [`Agreed`]: what both ends agreed on; offered, chosen, confirmed |
//! | `window.rs` | [`Window`]: what is kept between messages |
//! | `scratch.rs` | [`Scratch`]: the states of zlib, shared |
//! | `deflate.rs` `inflate.rs` | one message |

mod agreed;
#[allow(clippy::module_inception, reason = "it deflates")]
mod deflate;
mod inflate;
mod options;
mod parameters;
mod scratch;
mod window;

pub use agreed::{Agreed, ConfirmError, choose, confirm, offer};
pub use deflate::{Sending, deflate};
pub use inflate::{InflateError, inflate};
pub use options::DeflateOptions;
pub(in crate::frame) use options::{BITS, LEVELS};
pub use scratch::Scratch;
pub use window::Window;

/// The name of the extension.
pub const PERMESSAGE_DEFLATE: &str = "permessage-deflate";
/// What ends each message before it is sent, and is left out (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
