//! `ws://host:port/path?query` (RFC 6455 section 3).

use super::text;
use std::fmt;
use std::net::Ipv6Addr;

/// Why a URL was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// Not `ws://` and something.
    Scheme(String),
    /// `wss://`: there is no TLS yet. A proxy that speaks TLS can stand in between.
    Tls,
    /// A user or a password. It goes into a header, `Authorization`.
    User,
    /// A `#`: a URL of WebSocket has no fragment (RFC 6455 section 3).
    Fragment,
    /// The host is missing, or neither a name in ASCII, an IPv4 address nor an IPv6 address in brackets.
    Host(String),
    /// The port is not a number from 1 to 65535.
    Port(String),
    /// The path or the query has a space, a control character or one beyond ASCII in it.
    Path(String),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(given) => write!(f, "{given:?} is not ws://HOST:PORT/PATH"),
            Self::Tls => {
                write!(f, "wss:// needs TLS, which is not there yet: dial ws:// through a proxy that speaks it")
            }
            Self::User => write!(f, "a user in the URL is not sent: use the header Authorization"),
            Self::Fragment => write!(f, "a `#` has no place in the URL of a WebSocket: write %23"),
            Self::Host(given) => {
                write!(f, "{given:?} is not a host: write a name in ASCII, an IPv4 address or [IPv6]")
            }
            Self::Port(given) => write!(f, "{given:?} is not a port: 1 to 65535"),
            Self::Path(given) => write!(f, "{given:?} is not a path: percent-encode spaces and all that is not ASCII"),
        }
    }
}

impl std::error::Error for UrlError {}

pub(super) struct Parts {
    pub(super) dial: String,
    pub(super) host: String,
    pub(super) path: String,
}

pub(super) fn read(url: &str) -> Result<Parts, UrlError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| UrlError::Scheme(url.to_owned()))?;
    if scheme.eq_ignore_ascii_case("wss") {
        return Err(UrlError::Tls);
    }
    if !scheme.eq_ignore_ascii_case("ws") {
        return Err(UrlError::Scheme(url.to_owned()));
    }
    if rest.contains('#') {
        return Err(UrlError::Fragment);
    }
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(UrlError::User);
    }
    let (host, port) = split_port(authority);
    if !is_good(host) {
        return Err(UrlError::Host(host.to_owned()));
    }
    let port = match port {
        None => 80,
        // `parse` alone would take a sign.
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => port,
            _ => return Err(UrlError::Port(digits.to_owned())),
        },
    };
    let path = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    if !text::is_target(path.as_bytes()) {
        return Err(UrlError::Path(path));
    }
    let dial = format!("{host}:{port}");
    Ok(Parts { host: if port == 80 { host.to_owned() } else { dial.clone() }, dial, path })
}

/// The host with its brackets, and what is behind its colon.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let from = authority.rfind(']').unwrap_or(0);
    match authority[from..].find(':') {
        Some(at) => (&authority[..from + at], Some(&authority[from + at + 1..])),
        None => (authority, None),
    }
}

fn is_good(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    }
}
