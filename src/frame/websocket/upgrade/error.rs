//! What can go wrong on the way out, and with what a server answered.

use super::{HEAD_BYTES_MAX, HEADERS_MAX};
use std::fmt;

/// Why a request or a response is not written: what the application gave cannot stand in a head. No text of its can add
/// a line or end the head.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The request is a plain one: there is nothing to accept.
    NotAnUpgrade,
    /// Not `host` or `host:port`.
    Host(String),
    /// Does not begin with `/`, or has a space, a `#`, a control character or one beyond ASCII in it.
    Path(String),
    /// Empty, or not ASCII that can be seen.
    Origin(String),
    /// Not a token (letters, digits and some signs, no space), or there twice.
    Subprotocol(String),
    /// The request does not offer this subprotocol.
    SubprotocolNotOffered(String),
    /// Not the value of a header, or it names an extension that was not offered.
    Extensions(String),
    /// Not the name of a header.
    HeaderName(String),
    /// This header belongs to the upgrade, or would announce a body.
    HeaderReserved(String),
    /// The value of this header has a control character or one beyond ASCII in it, or spaces around it.
    HeaderValue {
        /// The header.
        name: String,
    },
    /// More lines than [`HEADERS_MAX`] or more bytes than [`HEAD_BYTES_MAX`].
    TooLarge {
        /// Header lines that it would have.
        headers: usize,
        /// Bytes that it would have.
        bytes: usize,
    },
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnUpgrade => write!(f, "the request does not ask for an upgrade"),
            Self::Host(given) => write!(f, "{given:?} is not a host: write HOST or HOST:PORT"),
            Self::Path(given) => {
                write!(f, "{given:?} is not a path: it begins with `/`, in ASCII, without spaces or `#`")
            }
            Self::Origin(given) => write!(f, "{given:?} is not an origin: write SCHEME://HOST or SCHEME://HOST:PORT"),
            Self::Subprotocol(given) => write!(f, "{given:?} is not a subprotocol: a word in ASCII, each once"),
            Self::SubprotocolNotOffered(given) => write!(f, "the request does not offer the subprotocol {given:?}"),
            Self::Extensions(given) => write!(f, "{given:?} is not what was offered as extensions"),
            Self::HeaderName(given) => write!(f, "{given:?} is not the name of a header"),
            Self::HeaderReserved(given) => write!(f, "the header {given} is part of the upgrade and cannot be set"),
            Self::HeaderValue { name } => {
                write!(f, "the value of {name} is not visible ASCII, or has spaces around it")
            }
            Self::TooLarge { headers, bytes } => write!(
                f,
                "a head of {headers} lines and {bytes} bytes is over {HEADERS_MAX} lines or {HEAD_BYTES_MAX} bytes"
            ),
        }
    }
}

impl std::error::Error for HeadError {}

/// Why a client does not take a server's response for an upgrade. The connection is then closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// Not the head of an HTTP/1 response.
    NotHttp(&'static str),
    /// The server refused.
    Status {
        /// What it answered instead of 101.
        status: u16,
        /// Its words for it, at most 100 characters.
        reason: String,
    },
    /// 101, but this header is missing, there twice, or says something else.
    Header(&'static str),
    /// `Sec-WebSocket-Accept` does not belong to our key: a cache answered, or something that does not know WebSocket.
    Accept,
    /// The server chose a subprotocol that was not offered, or several.
    Subprotocol(String),
    /// The server uses an extension that was not offered.
    Extension(String),
}

impl UpgradeError {
    /// What may help, for the statuses where something is known.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Status { status, .. } = *self else { return None };
        Some(match status {
            200..=299 => "a web server answered: is this the path of its WebSocket?",
            300..=399 => "redirects are not followed: dial the address that it names in Location",
            400 => "it did not understand: is there a proxy on the way that does not know WebSocket?",
            401 | 407 => "it wants credentials in a header",
            403 => "it does not allow this Origin, or this client",
            404 | 410 => "there is nothing at this path",
            405 | 501 => "it does not know WebSocket, or not at this path",
            426 => "it speaks another version of WebSocket or HTTP, or a proxy on the way removed the Upgrade header",
            408 | 429 | 503 => "it is busy: try again later",
            431 => "the request has too many or too long headers",
            502 | 504 => "a proxy on the way cannot reach the server",
            _ => return None,
        })
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp(what) => write!(f, "the answer is not HTTP: {what}"),
            Self::Status { status, reason } => {
                write!(f, "the server answered {status}")?;
                if !reason.is_empty() {
                    write!(f, " {reason}")?;
                }
                self.hint().map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Self::Header(name) => write!(f, "the server answered 101 without a good {name}"),
            Self::Accept => {
                write!(f, "Sec-WebSocket-Accept does not answer our key: not a WebSocket server, or a cache")
            }
            Self::Subprotocol(given) => write!(f, "the server chose the subprotocol {given:?}, which was not offered"),
            Self::Extension(given) => write!(f, "the server uses the extension {given:?}, which was not offered"),
        }
    }
}

impl std::error::Error for UpgradeError {}
