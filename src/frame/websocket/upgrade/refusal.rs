//! Why a request is refused.

use super::fields::Fault;
use std::borrow::Cow;
use std::fmt;

/// Why an upgrade is refused: a status of HTTP and a short text, which is the body of the response. The text never has
/// anything of the request in it unless the application puts it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    text: Cow<'static, str>,
}

impl Refusal {
    /// A refusal of the application's own. `text` is plain text for people, at best one line; it may be empty. `None` if
    /// `status` is not from 400 to 599: redirects are not followed by browsers here, and anything below is no refusal.
    #[must_use]
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Option<Self> {
        (400..=599).contains(&status).then(|| Self { status, text: text.into() })
    }

    /// 400: what came is no request of HTTP/1, by its first byte.
    #[must_use]
    pub fn not_http() -> Self {
        Self::fixed(400, "this is not HTTP/1")
    }

    /// 431: the head did not end within `max` bytes.
    #[must_use]
    pub fn too_large() -> Self {
        Self::fixed(431, "the head of the request is too large")
    }

    /// 408: the request was not whole in time.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::fixed(408, "the request did not come in time")
    }

    /// 429: as many connections of its address are there as may be.
    #[must_use]
    pub fn too_many() -> Self {
        Self::fixed(429, "too many connections of this address")
    }

    /// 503: no new connections now.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::fixed(503, "no new connections are taken at the moment")
    }

    pub(super) const fn fixed(status: u16, text: &'static str) -> Self {
        Self { status, text: Cow::Borrowed(text) }
    }

    /// The status, 400 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What was wrong, for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The usual words for the status, or none.
    pub(super) fn reason(&self) -> &'static str {
        match self.status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            409 => "Conflict",
            410 => "Gone",
            421 => "Misdirected Request",
            426 => "Upgrade Required",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "",
        }
    }
}

impl From<Fault> for Refusal {
    fn from(Fault { status, text }: Fault) -> Self {
        Self::fixed(status, text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.text, self.reason()) {
            ("", "") => write!(f, "{}", self.status),
            ("", reason) => write!(f, "{} {reason}", self.status),
            (text, _) => write!(f, "{}: {text}", self.status),
        }
    }
}

impl std::error::Error for Refusal {}
