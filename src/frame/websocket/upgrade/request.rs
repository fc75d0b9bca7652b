//! What a server must look at before it says 101 (RFC 6455 section 4.2.1).

use super::fields::{Fault, Fields};
use super::refusal::Refusal;
use super::{forwarded, key, text};
use ipnet::IpNet;
use std::net::IpAddr;

/// The head of a GET that was read: an upgrade to WebSocket, or a plain request such as a health check. It borrows the
/// bytes it was read from; about 2 KiB, no allocation.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    path: &'a str,
    query: Option<&'a str>,
    host: Option<&'a str>,
    origin: Option<&'a str>,
    /// The text of the key. None: not an upgrade.
    key: Option<&'a [u8]>,
    fields: Fields<'a>,
}

impl<'a> Request<'a> {
    /// Reads a whole head, CRLFCRLF included, with nothing behind it, as [`HttpHeads`](super::HttpHeads) cuts it. It does
    /// not limit the bytes; the codec did.
    ///
    /// A GET that does not ask for an upgrade to `websocket` is read too, of HTTP/1.0 as well: balancers check health with
    /// it. [`Rules::judge`](super::Rules::judge) refuses all others of them.
    ///
    /// # Errors
    /// 400: not HTTP/1.x, a bare CR or LF or another control character, a line that continues the one before, a target
    /// that is neither a path nor a URL, not exactly one `Host`, a body announced, or of an upgrade: below HTTP/1.1,
    /// `Connection` without `Upgrade`, not exactly one `Sec-WebSocket-Key` of 16 bytes in base64, a second `Origin`, a
    /// subprotocol that is no token. 405: not GET. 426: `Sec-WebSocket-Version` is not `13`. 431: over
    /// [`HEADERS_MAX`](super::HEADERS_MAX) header lines.
    pub fn read(head: &'a [u8]) -> Result<Self, Refusal> {
        let (line, fields) = Fields::read(head)?;
        let (target, minor) = request_line(line)?;
        let sole = |name, twice| fields.sole(name).map_err(|()| Fault::bad(twice));

        if fields.all("transfer-encoding").next().is_some()
            || sole("content-length", "more than one Content-Length")?.is_some_and(|length| length != b"0")
        {
            return Err(Fault::bad("a request with a body").into());
        }
        let field = match sole("host", "more than one Host")? {
            None if minor == 0 => None,
            None => return Err(Fault::bad("no Host").into()),
            Some(b"") => None,
            Some(host) if text::is_host(host) => ascii(host),
            Some(_) => return Err(Fault::bad("a bad Host").into()),
        };
        let (authority, target) = split(target).ok_or(Fault::bad("the target is neither a path nor a URL"))?;
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let origin = sole("origin", "more than one Origin")?;
        // RFC 9112 section 3.2.2: where the target is a whole URL, its host counts.
        let mut request = Self { path, query, host: authority.or(field), origin: None, key: None, fields };
        if request.fields.list_has("upgrade", "websocket") {
            request.key = Some(request.duties(minor)?);
            request.origin = match origin {
                Some(origin) => Some(origin_text(origin).ok_or(Fault::bad("a bad Origin"))?),
                None => None,
            };
        }
        Ok(request)
    }

    /// What an upgrade owes beyond a plain request. Gives the key.
    fn duties(&self, minor: u8) -> Result<&'a [u8], Fault> {
        if minor == 0 {
            return Err(Fault::bad("an upgrade needs HTTP/1.1"));
        }
        if self.host.is_none() {
            return Err(Fault::bad("an empty Host"));
        }
        if !self.fields.list_has("connection", "upgrade") {
            return Err(Fault::bad("Connection does not say Upgrade: a proxy on the way may not know WebSocket"));
        }
        match self.fields.sole("sec-websocket-version") {
            Err(()) => return Err(Fault::bad("more than one Sec-WebSocket-Version")),
            Ok(Some(b"13")) => {}
            Ok(_) => return Err(Fault { status: 426, text: "Sec-WebSocket-Version is not 13" }),
        }
        if !self.fields.list("sec-websocket-protocol").all(text::is_token) {
            return Err(Fault::bad("a bad name in Sec-WebSocket-Protocol"));
        }
        match self.fields.sole("sec-websocket-key") {
            Err(()) => Err(Fault::bad("more than one Sec-WebSocket-Key")),
            Ok(None) => Err(Fault::bad("no Sec-WebSocket-Key")),
            Ok(Some(key)) if key::is_good(key) => Ok(key),
            Ok(Some(_)) => Err(Fault::bad("Sec-WebSocket-Key is not 16 bytes in base64")),
        }
    }

    /// Whether it asks for WebSocket, and did all that it must.
    pub fn is_upgrade(&self) -> bool {
        self.key.is_some()
    }

    /// Whether it is a plain GET of this path.
    pub fn is_health_check(&self, path: &str) -> bool {
        !self.is_upgrade() && self.path == path
    }

    /// The path as it came, percent signs and all; it begins with `/`. Not normalised: `/a/../b` is not `/b`.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// What is behind the first `?`, as it came.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// The host that the client meant, with its port if it named one. An upgrade always has one.
    pub fn host(&self) -> Option<&'a str> {
        self.host
    }

    /// The origin of the page that asks for the upgrade; `null` where a browser keeps it secret. Whoever is no browser
    /// sends none, or a false one.
    pub fn origin(&self) -> Option<&'a str> {
        self.origin
    }

    /// The value of the first header line of this name, whatever its case, as bytes: not all clients send UTF-8.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.all(name).next()
    }

    /// All header lines, in the order they came.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.fields.iter()
    }

    /// The subprotocols offered, best first. None where it is not an upgrade.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> {
        let offered = self.key.map(|_| self.fields.list("sec-websocket-protocol"));
        offered.into_iter().flatten().filter_map(ascii)
    }

    /// The extensions offered, one value for each line, as they came.
    pub fn extensions(&self) -> impl Iterator<Item = &'a [u8]> {
        self.fields.all("sec-websocket-extensions")
    }

    /// The client's address, where `connection` is that of the other end of the TCP connection.
    ///
    /// `X-Forwarded-For` is believed only as far as the `trusted` proxies wrote it: from its right end it is followed
    /// while the one who added the entry is trusted; the first address that is not a trusted proxy is the client's. An
    /// entry that is no address (with or without a port) ends the walk at the proxy that added it. Where `connection` is
    /// not trusted it is itself the answer. IPv4 within IPv6 (`::ffff:10.0.0.1`) counts as IPv4.
    pub fn forwarded_for(&self, connection: IpAddr, trusted: &[IpNet]) -> IpAddr {
        forwarded::client(connection, self.fields.list("x-forwarded-for").rev(), trusted)
    }

    pub(super) fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    pub(super) fn fields(&self) -> &Fields<'a> {
        &self.fields
    }
}

/// `GET target HTTP/1.x`, and x.
fn request_line(line: &[u8]) -> Result<(&[u8], u8), Fault> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::bad("not a request of HTTP/1.1"));
    };
    let &[b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] = version else {
        return Err(Fault::bad("not a request of HTTP/1.1"));
    };
    if !text::is_token(method) {
        return Err(Fault::bad("not a request of HTTP/1.1"));
    }
    if method != b"GET" {
        return Err(Fault { status: 405, text: "only GET is answered here" });
    }
    Ok((target, minor - b'0'))
}

/// The host, of a target that is a whole URL, and the path with its query.
fn split(target: &[u8]) -> Option<(Option<&str>, &str)> {
    if text::is_target(target) {
        return Some((None, ascii(target)?));
    }
    let (scheme, rest) = ascii(target)?.split_once("://")?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let target = match target {
        "" => "/",
        target if text::is_target(target.as_bytes()) => target,
        _ => return None,
    };
    text::is_host(host.as_bytes()).then_some((Some(host), target))
}

/// An origin, or a list of them with spaces between (RFC 6454 section 7.1).
fn origin_text(origin: &[u8]) -> Option<&str> {
    (!origin.is_empty() && text::is_value(origin)).then(|| ascii(origin)).flatten()
}

fn ascii(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok().filter(|text| text.is_ascii())
}
