//! The bytes of a server's answer.

use super::write::{extension, finish, line};
use super::{HeadError, Refusal, Request, key, text};
use std::io::Write;

/// What goes with the 101. By default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acceptance<'a> {
    /// The subprotocol chosen: one that the request offers.
    pub subprotocol: Option<&'a str>,
    /// The value of `Sec-WebSocket-Extensions`: of each extension that the request offers, what was agreed.
    pub extensions: Option<&'a str>,
    /// Header lines of the application's: names and values.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Appends the whole 101 response to `out`. What follows on the connection are frames.
///
/// # Errors
/// The request is no upgrade; the subprotocol or an extension was not offered; a header's name or value cannot be sent, or is
/// not the application's to set; more than [`HEADERS_MAX`](super::HEADERS_MAX) lines or
/// [`HEAD_BYTES_MAX`](super::HEAD_BYTES_MAX) bytes. Then nothing is appended.
pub fn accept(request: &Request<'_>, with: &Acceptance<'_>, out: &mut Vec<u8>) -> Result<(), HeadError> {
    let key = request.key().ok_or(HeadError::NotAnUpgrade)?;
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_vec();
    line(&mut head, "Sec-WebSocket-Accept", &key::accept(key));
    if let Some(chosen) = with.subprotocol {
        if !request.subprotocols().any(|offered| offered == chosen) {
            return Err(HeadError::SubprotocolNotOffered(chosen.to_owned()));
        }
        line(&mut head, "Sec-WebSocket-Protocol", chosen);
    }
    if let Some(agreed) = with.extensions {
        let offered = |name: &[u8]| request.fields().list("sec-websocket-extensions").any(|one| extension(one) == name);
        if !text::is_value(agreed.as_bytes()) || !agreed.split(',').all(|one| offered(extension(one.as_bytes()))) {
            return Err(HeadError::Extensions(agreed.to_owned()));
        }
        line(&mut head, "Sec-WebSocket-Extensions", agreed);
    }
    finish(head, with.headers.iter().copied(), out)
}

/// Appends a whole response that refuses to `out`: its text as the body, `Connection: close`, and what the status demands
/// (405: `Allow`; 426: `Upgrade` and the version that is spoken here). The caller then closes.
pub fn refuse(refusal: &Refusal, out: &mut Vec<u8>) {
    let demanded = match refusal.status() {
        405 => "Allow: GET\r\nConnection: close\r\n",
        426 => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n",
        _ => "Connection: close\r\n",
    };
    whole(refusal.status(), refusal.reason(), demanded, refusal.text(), out);
}

/// Appends the whole 200 response to a health check to `out`: `ok`, `Connection: close`. The caller then closes.
pub fn healthy(out: &mut Vec<u8>) {
    whole(200, "OK", "Cache-Control: no-store\r\nConnection: close\r\n", "ok", out);
}

fn whole(status: u16, reason: &str, more: &str, text: &str, out: &mut Vec<u8>) {
    let end = if text.is_empty() { "" } else { "\n" };
    let length = text.len() + end.len();
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Length: {length}\r\n{more}\r\n{text}{end}"
    );
}
