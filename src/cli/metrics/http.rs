//! What a request asks for, and the bytes of a response.

use std::fmt::Write;

/// Header lines that a request may have.
const HEADERS_MAX: usize = 64;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Page,
    Metrics,
    /// Whether the loop turns: the answer itself says so.
    Health,
    /// Whether new clients are welcome.
    Readiness,
    Nothing(Status),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) asked: Asked,
    /// HEAD: the answer without its body.
    head_only: bool,
    /// More requests may follow.
    pub(super) stays: bool,
}

pub(super) type Status = (u16, &'static str);
pub(super) const OK: Status = (200, "OK");
pub(super) const UNAVAILABLE: Status = (503, "Service Unavailable");
const BAD_REQUEST: Status = (400, "Bad Request");
const NOT_FOUND: Status = (404, "Not Found");
const NOT_ALLOWED: Status = (405, "Method Not Allowed");

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";

impl Request {
    /// Reads a whole head.
    pub(super) fn read(head: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let bad = Self { asked: Asked::Nothing(BAD_REQUEST), head_only: false, stays: false };
        if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
            return bad;
        }
        let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
            return bad;
        };
        let head_only = method == "HEAD";
        if !head_only && method != "GET" {
            return Self { asked: Asked::Nothing(NOT_ALLOWED), ..bad };
        }
        let mut stays = version == 1;
        for header in request.headers.iter() {
            let is = |name| header.name.eq_ignore_ascii_case(name);
            let says = |word: &[u8]| {
                header.value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
            };
            if is("connection") {
                stays = (stays || says(b"keep-alive")) && !says(b"close");
            } else if is("transfer-encoding") || (is("content-length") && header.value.trim_ascii() != b"0") {
                // A body would be taken for the next request.
                return Self { head_only, ..bad };
            }
        }
        let asked = match target.split(['?', '#']).next().unwrap_or_default() {
            "/" => Asked::Page,
            "/metrics" => Asked::Metrics,
            "/healthz" => Asked::Health,
            "/readyz" => Asked::Readiness,
            _ => Asked::Nothing(NOT_FOUND),
        };
        Self { asked, head_only, stays }
    }

    /// The whole response.
    pub(super) fn response(self, (code, reason): Status, kind: &str, body: &str) -> Vec<u8> {
        let mut head =
            format!("HTTP/1.1 {code} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        // The page may run what it brings and ask where it came from, and nothing else.
        let more = match kind {
            HTML => {
                "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                     connect-src 'self'\r\n"
            }
            _ => "",
        };
        let allow = if code == NOT_ALLOWED.0 { "Allow: GET, HEAD\r\n" } else { "" };
        let connection = if self.stays { "keep-alive" } else { "close" };
        // Writing to a string cannot fail.
        let _ = write!(
            head,
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}{allow}Connection: {connection}\r\n\r\n"
        );
        if !self.head_only {
            head.push_str(body);
        }
        head.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> (Asked, bool, bool) {
        let Request { asked, head_only, stays } = Request::read(head.as_bytes());
        (asked, head_only, stays)
    }

    #[test]
    fn requests_are_read() {
        assert_eq!(read("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"), (Asked::Metrics, false, true));
        assert_eq!(read("HEAD / HTTP/1.1\r\nconnection: Keep-Alive, Close\r\n\r\n"), (Asked::Page, true, false));
        assert_eq!(read("GET /healthz HTTP/1.0\r\n\r\n"), (Asked::Health, false, false));
        assert_eq!(read("GET /readyz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), (Asked::Readiness, false, true));
        assert_eq!(read("GET /x HTTP/1.1\r\n\r\n"), (Asked::Nothing(NOT_FOUND), false, true));
        assert_eq!(read("POST /metrics HTTP/1.1\r\n\r\n"), (Asked::Nothing(NOT_ALLOWED), false, false));
        for bad in
            ["GET /\r\n\r\n", "\0\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "GET / HTTP/2.0\r\n\r\n"]
        {
            assert_eq!(read(bad), (Asked::Nothing(BAD_REQUEST), false, false), "{bad}");
        }
    }

    #[test]
    fn responses_say_how_long_they_are() {
        let response = Request::read(b"GET /healthz HTTP/1.1\r\n\r\n").response(OK, TEXT, "ok\n");
        let text = String::from_utf8(response).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("keep-alive\r\n\r\nok\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n"));
        let head = Request::read(b"HEAD /healthz HTTP/1.1\r\n\r\n").response(OK, TEXT, "ok\n");
        assert!(head.ends_with(b"\r\n\r\n") && String::from_utf8(head).unwrap().contains("Content-Length: 3"));
    }
}
