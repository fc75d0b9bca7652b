//! The upgrade from HTTP/1.1 to WebSocket (RFC 6455 section 4), both sides, as pure functions of bytes.
//!
//! [`HttpHeads`] cuts a head out of what came. A server reads it with [`Request::read`], lets its [`Rules`] judge it and
//! appends [`accept`], [`refuse`] or [`healthy`] to what it sends. A client writes a [`ClientRequest`] and checks the
//! response with it. Bytes behind a head are frames already: they stay where they are.
//!
//! ```
//! use heartline::frame::websocket::upgrade::{Acceptance, ClientRequest, Judgement, Request, Rules, accept};
//!
//! // The client.
//! let (dial, mut wanted) = ClientRequest::from_url("ws://127.0.0.1:7001/chat?room=1")?;
//! assert_eq!(dial, "127.0.0.1:7001");
//! wanted.subprotocols.push("chat.v2".to_owned());
//! let (key, mut sent) = ([7; 16], Vec::new()); // 16 random bytes, in truth
//! wanted.write(key, &mut sent)?;
//!
//! // The server.
//! let rules = Rules {
//!     paths: vec!["/chat".to_owned()],
//!     subprotocols: vec!["chat.v2".to_owned(), "chat.v1".to_owned()],
//!     ..Rules::default()
//! };
//! let request = Request::read(&sent)?;
//! let Judgement::Accept { subprotocol } = rules.judge(&request) else { panic!() };
//! let mut answer = Vec::new();
//! accept(&request, &Acceptance { subprotocol, ..Acceptance::default() }, &mut answer)?;
//!
//! // The client again.
//! assert_eq!(wanted.check(key, &answer)?.subprotocol(), Some("chat.v2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `heads.rs` | [`HttpHeads`]: where a head ends |
//! | `fields.rs` | the header lines of a head |
//! | `text.rs` | what may stand in a token, a value, a target, a host |
//! | `request.rs` | [`Request`]: what a server must look at |
//! | `forwarded.rs` | who is behind the proxies |
//! | `rules.rs` | [`Rules`]: what a server lets in |
//! | `refusal.rs` | [`Refusal`]: why not |
//! | `response.rs` | the bytes of a server's answer |
//! | `client.rs` | [`ClientRequest`]: what a client sends, and whether the answer is right |
//! | `write.rs` | what both sides write: header lines, within bounds |
//! | `url.rs` | `ws://` |
//! | `key.rs` | `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` |
//! | `error.rs` | what can go wrong on the way out and at the client |

mod client;
mod error;
mod fields;
mod forwarded;
mod heads;
mod key;
mod refusal;
mod request;
mod response;
mod rules;
mod text;
mod url;
mod write;

pub use client::{Accepted, ClientRequest};
pub use error::{HeadError, UpgradeError};
pub use fields::HEADERS_MAX;
pub use heads::{HEAD_BYTES_MAX, HttpHeads};
pub use refusal::Refusal;
pub use request::Request;
pub use response::{Acceptance, accept, healthy, refuse};
pub use rules::{Judgement, Rules};
pub use url::UrlError;
