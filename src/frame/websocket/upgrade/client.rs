//! What a client sends, and whether the answer is right (RFC 6455 sections 4.1 and 4.2.2).

use super::fields::Fields;
use super::write::{extension, finish, line};
use super::{HeadError, UpgradeError, UrlError, key, text, url};

/// What a client asks for. It never changes while connections come and go: the key alone is new each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRequest {
    /// `Host`: the server's name or address, and the port if it is not 80. IPv6 addresses in brackets.
    pub host: String,
    /// The path, beginning with `/`, with its query.
    pub path: String,
    /// `Origin`. None: not sent, as by all who are not a browser.
    pub origin: Option<String>,
    /// Offered to the server, best first; each once.
    pub subprotocols: Vec<String>,
    /// The value of `Sec-WebSocket-Extensions`: what is offered. None: nothing.
    pub extensions: Option<String>,
    /// More header lines: names and values. Those of the upgrade itself cannot be set.
    pub headers: Vec<(String, String)>,
}

/// A response that accepts, checked. It borrows the bytes.
#[derive(Clone, Debug)]
pub struct Accepted<'a> {
    subprotocol: Option<&'a str>,
    fields: Fields<'a>,
}

impl ClientRequest {
    /// A request with nothing but a host and a path. They are looked at by [`write`](Self::write).
    #[must_use]
    pub fn new(host: impl Into<String>, path: impl Into<String>) -> Self {
        let (host, path) = (host.into(), path.into());
        Self { host, path, origin: None, subprotocols: Vec::new(), extensions: None, headers: Vec::new() }
    }

    /// Reads `ws://host:port/path?query`: gives what is to be dialled, `host:port` with IPv6 in brackets (a name is not
    /// resolved here), and the request. The port is 80 where there is none, the path `/`.
    ///
    /// # Errors
    /// Another scheme, `wss` (there is no TLS yet), a user, a fragment, a bad host, port or path.
    pub fn from_url(url: &str) -> Result<(String, Self), UrlError> {
        let url::Parts { dial, host, path } = url::read(url)?;
        Ok((dial, Self::new(host, path)))
    }

    /// Appends the whole request to `out`. `key` is 16 random bytes, new for each connection.
    ///
    /// # Errors
    /// What cannot stand in a request, or more than [`HEADERS_MAX`](super::HEADERS_MAX) lines or
    /// [`HEAD_BYTES_MAX`](super::HEAD_BYTES_MAX) bytes. Then nothing is appended.
    pub fn write(&self, key: [u8; 16], out: &mut Vec<u8>) -> Result<(), HeadError> {
        if !text::is_host(self.host.as_bytes()) {
            return Err(HeadError::Host(self.host.clone()));
        }
        if !text::is_target(self.path.as_bytes()) {
            return Err(HeadError::Path(self.path.clone()));
        }
        let mut head = format!("GET {} HTTP/1.1\r\n", self.path).into_bytes();
        line(&mut head, "Host", &self.host);
        line(&mut head, "Upgrade", "websocket");
        line(&mut head, "Connection", "Upgrade");
        line(&mut head, "Sec-WebSocket-Key", &key::text(key));
        line(&mut head, "Sec-WebSocket-Version", "13");
        if let Some(origin) = &self.origin {
            if !text::is_visible(origin.as_bytes()) {
                return Err(HeadError::Origin(origin.clone()));
            }
            line(&mut head, "Origin", origin);
        }
        for (at, offered) in self.subprotocols.iter().enumerate() {
            if !text::is_token(offered.as_bytes()) || self.subprotocols[..at].contains(offered) {
                return Err(HeadError::Subprotocol(offered.clone()));
            }
        }
        if !self.subprotocols.is_empty() {
            line(&mut head, "Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        if let Some(offered) = &self.extensions {
            if offered.is_empty() || !text::is_value(offered.as_bytes()) {
                return Err(HeadError::Extensions(offered.clone()));
            }
            line(&mut head, "Sec-WebSocket-Extensions", offered);
        }
        finish(head, self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())), out)
    }

    /// Checks the head of the response, CRLFCRLF included, as [`HttpHeads`](super::HttpHeads) cuts it, to the request
    /// that was written with `key`. What is behind it are frames.
    ///
    /// # Errors
    /// Anything but a 101 that answers this request.
    pub fn check<'a>(&self, key: [u8; 16], head: &'a [u8]) -> Result<Accepted<'a>, UpgradeError> {
        let (status_line, fields) = Fields::read(head).map_err(|fault| UpgradeError::NotHttp(fault.text))?;
        let (minor, status, reason) = read_status(status_line).ok_or(UpgradeError::NotHttp("no status line"))?;
        if status != 101 {
            return Err(UpgradeError::Status { status, reason });
        }
        if minor == 0 {
            return Err(UpgradeError::NotHttp("101 in HTTP/1.0"));
        }
        // RFC 6455 section 4.1: the whole of Upgrade is `websocket`.
        if !fields.sole("upgrade").is_ok_and(|is| is.is_some_and(|is| is.eq_ignore_ascii_case(b"websocket"))) {
            return Err(UpgradeError::Header("Upgrade"));
        }
        if !fields.list_has("connection", "upgrade") {
            return Err(UpgradeError::Header("Connection"));
        }
        let Ok(Some(accept)) = fields.sole("sec-websocket-accept") else {
            return Err(UpgradeError::Header("Sec-WebSocket-Accept"));
        };
        if accept != key::accept(key::text(key).as_bytes()).as_bytes() {
            return Err(UpgradeError::Accept);
        }
        let subprotocol = match fields.sole("sec-websocket-protocol") {
            Ok(None) => None,
            Ok(Some(chosen)) => match std::str::from_utf8(chosen) {
                Ok(chosen) if self.subprotocols.iter().any(|offered| offered == chosen) => Some(chosen),
                _ => return Err(UpgradeError::Subprotocol(String::from_utf8_lossy(chosen).into_owned())),
            },
            Err(()) => return Err(UpgradeError::Header("Sec-WebSocket-Protocol")),
        };
        let offered = |name: &[u8]| {
            let offered = self.extensions.as_deref().unwrap_or_default();
            offered.split(',').any(|one| extension(one.as_bytes()) == name)
        };
        if let Some(name) = fields.list("sec-websocket-extensions").map(extension).find(|name| !offered(name)) {
            return Err(UpgradeError::Extension(String::from_utf8_lossy(name).into_owned()));
        }
        Ok(Accepted { subprotocol, fields })
    }
}

impl<'a> Accepted<'a> {
    /// The subprotocol that the server chose, one of those offered. None: it chose none, also where some were offered.
    pub fn subprotocol(&self) -> Option<&'a str> {
        self.subprotocol
    }

    /// The extensions that the server uses, each of a name that was offered, one value for each line, as they came.
    pub fn extensions(&self) -> impl Iterator<Item = &'a [u8]> {
        self.fields.all("sec-websocket-extensions")
    }

    /// The value of the first header line of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.all(name).next()
    }
}

/// `HTTP/1.x 101 Some Words`: x, the status, and at most 100 characters of the words.
fn read_status(line: &[u8]) -> Option<(u8, u16, String)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let [minor @ b'0'..=b'9', b' ', hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9', reason @ ..] = rest
    else {
        return None;
    };
    let reason = match reason {
        [] => "".into(),
        [b' ', reason @ ..] => String::from_utf8_lossy(reason),
        _ => return None,
    };
    let digit = |digit: &u8| u16::from(digit - b'0');
    let status = digit(hundreds) * 100 + digit(tens) * 10 + digit(ones);
    let reason = reason.chars().filter(|char| !char.is_control()).take(100).collect();
    Some((minor - b'0', status, reason))
}
