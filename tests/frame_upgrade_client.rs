//! The client's side of the upgrade: what is sent, which answers are taken, which URLs; and both sides with each other.

#[path = "../fuzz/upgrade_body.rs"]
mod upgrade_body;

use heartline::frame::websocket::upgrade::{
    ClientRequest, HEAD_BYTES_MAX, HEADERS_MAX, HeadError, UpgradeError, UrlError,
};
use proptest::prelude::*;

/// The key of RFC 6455 section 1.3.
const KEY: [u8; 16] = *b"the sample nonce";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn client() -> ClientRequest {
    let mut client = ClientRequest::new("server.example.com", "/chat?x=1");
    client.subprotocols = vec!["v2".to_owned(), "v1".to_owned()];
    client
}

fn written(client: &ClientRequest) -> Result<String, HeadError> {
    let mut out = b"before".to_vec();
    let result = client.write(KEY, &mut out);
    assert_eq!(result.is_err(), out == b"before");
    result.map(|()| String::from_utf8(out.split_off(6)).unwrap())
}

#[test]
fn a_request_is_written_as_the_rfc_has_it() {
    let mut client = client();
    client.origin = Some("https://example.org".to_owned());
    client.extensions = Some("permessage-deflate; client_max_window_bits".to_owned());
    client.headers = vec![("Authorization".to_owned(), "Bearer a.b".to_owned())];
    let wanted = "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                  Origin: https://example.org\r\nSec-WebSocket-Protocol: v2, v1\r\n\
                  Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
                  Authorization: Bearer a.b\r\n\r\n";
    assert_eq!(written(&client).unwrap(), wanted);
}

#[test]
fn nothing_that_the_application_gives_can_add_a_line() {
    let bad = ["a\r\nEvil: 1", "a\n", "a\r", "\0", "\u{7f}", "a b\u{e9}"];
    for text in bad {
        let text = text.to_owned();
        let with = |change: &dyn Fn(&mut ClientRequest)| {
            let mut client = client();
            change(&mut client);
            written(&client).unwrap_err()
        };
        assert_eq!(with(&|client| client.host = text.clone()), HeadError::Host(text.clone()));
        assert_eq!(with(&|client| client.path = format!("/{text}")), HeadError::Path(format!("/{text}")));
        assert_eq!(with(&|client| client.origin = Some(text.clone())), HeadError::Origin(text.clone()));
        assert_eq!(with(&|client| client.subprotocols.push(text.clone())), HeadError::Subprotocol(text.clone()));
        assert_eq!(with(&|client| client.extensions = Some(text.clone())), HeadError::Extensions(text.clone()));
        let value = HeadError::HeaderValue { name: "X".to_owned() };
        assert_eq!(with(&|client| client.headers.push(("X".to_owned(), text.clone()))), value);
        assert_eq!(
            with(&|client| client.headers.push((text.clone(), String::new()))),
            HeadError::HeaderName(text.clone())
        );
    }
    for (host, path) in [("", "/"), ("a/b", "/"), ("u@a", "/"), ("a", ""), ("a", "x"), ("a", "/#"), ("a", "/ ")] {
        assert!(written(&ClientRequest::new(host, path)).is_err(), "{host} {path}");
    }
    let mut empty = client();
    empty.extensions = Some(String::new());
    assert_eq!(written(&empty), Err(HeadError::Extensions(String::new())));
    let mut twice = client();
    twice.subprotocols.push("v2".to_owned());
    assert_eq!(written(&twice), Err(HeadError::Subprotocol("v2".to_owned())));
    for name in ["host", "Origin", "UPGRADE", "connection", "Sec-WebSocket-Foo", "Content-Length", "Transfer-Encoding"]
    {
        let mut client = client();
        client.headers.push((name.to_owned(), "1".to_owned()));
        let error = written(&client).unwrap_err();
        assert_eq!(error, HeadError::HeaderReserved(name.to_owned()));
        assert!(error.to_string().contains(name));
    }
}

#[test]
fn a_request_keeps_the_bounds_that_a_server_keeps() {
    let mut client = ClientRequest::new("a", "/");
    client.headers = vec![("X".to_owned(), "v".to_owned()); HEADERS_MAX - 5];
    assert!(written(&client).is_ok());
    client.headers.push(("X".to_owned(), "v".to_owned()));
    assert!(matches!(written(&client), Err(HeadError::TooLarge { headers: 65, .. })));
    client.headers.clear();
    let room = HEAD_BYTES_MAX - written(&client).unwrap().len();
    client.path = format!("/{}", "x".repeat(room));
    assert_eq!(written(&client).unwrap().len(), HEAD_BYTES_MAX);
    client.path.push('x');
    let bytes = HEAD_BYTES_MAX + 1;
    assert_eq!(written(&client), Err(HeadError::TooLarge { headers: 5, bytes }));
}

fn response(first: &str, lines: &[(&str, &str)]) -> Vec<u8> {
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{lines}\r\n").into_bytes()
}

const GOOD: [(&str, &str); 3] = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT)];

fn with(lines: &[(&str, &str)]) -> Result<Option<String>, UpgradeError> {
    let head = response("HTTP/1.1 101 Switching Protocols", &[&GOOD[..], lines].concat());
    client().check(KEY, &head).map(|accepted| accepted.subprotocol().map(str::to_owned))
}

fn changed(name: &str, value: Option<&str>) -> Result<(), UpgradeError> {
    let lines: Vec<_> =
        GOOD.iter().filter_map(|&(known, old)| Some((known, if known == name { value? } else { old }))).collect();
    client().check(KEY, &response("HTTP/1.1 101 Switching Protocols", &lines)).map(drop)
}

#[test]
fn a_101_that_answers_the_request_is_taken() {
    assert_eq!(with(&[]), Ok(None));
    assert_eq!(with(&[("Sec-WebSocket-Protocol", "v1"), ("Server", "x")]), Ok(Some("v1".to_owned())));
    assert_eq!(changed("Upgrade", Some("WebSocket")), Ok(()));
    assert_eq!(changed("Connection", Some("keep-alive, upgrade")), Ok(()));
    for first in ["HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 101 Whatever It Says", "HTTP/1.2 101 x"] {
        assert!(client().check(KEY, &response(first, &GOOD)).is_ok(), "{first}");
    }
    let head = response("HTTP/1.1 101", &[&GOOD[..], &[("X-Session", "7")]].concat());
    assert_eq!(client().check(KEY, &head).unwrap().header("x-session"), Some(&b"7"[..]));
}

#[test]
fn a_101_that_does_not_is_refused_by_name() {
    for bad in [None, Some("h2c"), Some("websocket, h2c"), Some("")] {
        assert_eq!(changed("Upgrade", bad), Err(UpgradeError::Header("Upgrade")), "{bad:?}");
    }
    for bad in [None, Some("keep-alive"), Some("")] {
        assert_eq!(changed("Connection", bad), Err(UpgradeError::Header("Connection")), "{bad:?}");
    }
    assert_eq!(changed("Sec-WebSocket-Accept", None), Err(UpgradeError::Header("Sec-WebSocket-Accept")));
    for bad in ["", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "dGhlIHNhbXBsZSBub25jZQ=="] {
        assert_eq!(changed("Sec-WebSocket-Accept", Some(bad)), Err(UpgradeError::Accept), "{bad}");
    }
    assert_eq!(with(&[GOOD[2]]), Err(UpgradeError::Header("Sec-WebSocket-Accept")));
    assert_eq!(with(&[GOOD[0]]), Err(UpgradeError::Header("Upgrade")));
    for bad in ["v3", "V1", "v1, v2", ""] {
        assert_eq!(with(&[("Sec-WebSocket-Protocol", bad)]), Err(UpgradeError::Subprotocol(bad.to_owned())));
    }
    let twice = [("Sec-WebSocket-Protocol", "v1"), ("Sec-WebSocket-Protocol", "v1")];
    assert_eq!(with(&twice), Err(UpgradeError::Header("Sec-WebSocket-Protocol")));
    let deflate = [("Sec-WebSocket-Extensions", "permessage-deflate; x=1")];
    assert_eq!(with(&deflate), Err(UpgradeError::Extension("permessage-deflate".to_owned())));
    let mut offers = client();
    offers.extensions = Some("a, permessage-deflate; client_max_window_bits".to_owned());
    let head = response("HTTP/1.1 101", &[&GOOD[..], &deflate].concat());
    let accepted = offers.check(KEY, &head).unwrap();
    assert!(accepted.extensions().eq([&b"permessage-deflate; x=1"[..]]));
    assert!(
        client().check([0; 16], &response("HTTP/1.1 101", &GOOD)).is_err_and(|error| error == UpgradeError::Accept)
    );
}

#[test]
fn other_statuses_come_with_the_servers_words_and_a_hint() {
    let refused = |first: &str| client().check(KEY, &response(first, &[("Content-Length", "0")])).unwrap_err();
    let text = |first| refused(first).to_string();
    assert_eq!(refused("HTTP/1.1 403 Forbidden"), UpgradeError::Status { status: 403, reason: "Forbidden".to_owned() });
    assert_eq!(
        text("HTTP/1.1 403 Forbidden"),
        "the server answered 403 Forbidden (it does not allow this Origin, or this client)"
    );
    assert_eq!(text("HTTP/1.0 599"), "the server answered 599");
    for status in [200, 301, 400, 401, 404, 405, 407, 408, 426, 429, 431, 502, 503] {
        assert!(refused(&format!("HTTP/1.1 {status} x")).hint().is_some(), "{status}");
    }
    let UpgradeError::Status { reason, .. } = refused(&format!("HTTP/1.1 500 {}", "x".repeat(5000))) else { panic!() };
    assert_eq!(reason.len(), 100);
    for bad in [
        "",
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 10",
        "HTTP/1.1 1011 x",
        "HTTP/2 101 x",
        "HTTP/1.1 abc",
        "ICY 200 OK",
        "HTTP/1.1  101",
    ] {
        assert!(matches!(refused(bad), UpgradeError::NotHttp(_)), "{bad}");
    }
    for bad in [
        &b"\x00\x00\x00\x05hello"[..],
        b"HTTP/1.1 101 x\r\n",
        b"",
        b"HTTP/1.1 101 x\r\na: b\nc: d\r\n\r\n",
        b"HTTP/1.1 101 x\r\n\r\n\x81",
    ] {
        assert!(matches!(client().check(KEY, bad), Err(UpgradeError::NotHttp(_))));
    }
    assert!(matches!(client().check(KEY, &response("HTTP/1.0 101 x", &GOOD)), Err(UpgradeError::NotHttp(_))));
}

#[test]
fn urls_are_read() {
    for (url, dial, host, path) in [
        ("ws://a", "a:80", "a", "/"),
        (
            "WS://game.example.org:7001/chat?room=1&x=%20",
            "game.example.org:7001",
            "game.example.org:7001",
            "/chat?room=1&x=%20",
        ),
        ("ws://127.0.0.1:80/", "127.0.0.1:80", "127.0.0.1", "/"),
        ("ws://[2001:db8::1]/x", "[2001:db8::1]:80", "[2001:db8::1]", "/x"),
        ("ws://[::1]:7001?x", "[::1]:7001", "[::1]:7001", "/?x"),
        ("ws://my_host:65535/a//b/@:", "my_host:65535", "my_host:65535", "/a//b/@:"),
    ] {
        assert_eq!(ClientRequest::from_url(url), Ok((dial.to_owned(), ClientRequest::new(host, path))), "{url}");
    }
}

#[test]
fn urls_that_cannot_be_dialled_say_why() {
    let error = |url: &str| ClientRequest::from_url(url).unwrap_err();
    for url in ["", "a", "a:80", "http://a/", "ws:a", "ws:/a", "/x", " ws://a"] {
        assert_eq!(error(url), UrlError::Scheme(url.to_owned()));
    }
    assert_eq!(error("wss://a/"), UrlError::Tls);
    assert!(error("WSS://a").to_string().contains("TLS"));
    assert_eq!(error("ws://u:p@a/"), UrlError::User);
    assert_eq!(error("ws://a/#b"), UrlError::Fragment);
    assert_eq!(error("ws://a#"), UrlError::Fragment);
    for (url, host) in [
        ("ws://", ""),
        ("ws:///x", ""),
        ("ws://:80", ""),
        ("ws://a b", "a b"),
        ("ws://\u{e9}", "\u{e9}"),
        ("ws://[::1", "["),
        ("ws://[x]", "[x]"),
        ("ws://[fe80::1%25eth0]", "[fe80::1%25eth0]"),
        ("ws://[::1]x", "[::1]x"),
        ("ws://[1.2.3.4]:80", "[1.2.3.4]"),
        ("ws://a\r\nb", "a\r\nb"),
    ] {
        assert_eq!(error(url), UrlError::Host(host.to_owned()), "{url}");
    }
    for (url, port) in [
        ("ws://a:", ""),
        ("ws://a:0", "0"),
        ("ws://a:65536", "65536"),
        ("ws://a:+80", "+80"),
        ("ws://a:x", "x"),
        ("ws://::1", ":1"),
        ("ws://a:80:80", "80:80"),
    ] {
        let given = error(url);
        assert!(given == UrlError::Port(port.to_owned()) || given == UrlError::Host(String::new()), "{url} {given}");
    }
    for (url, path) in [("ws://a/b c", "/b c"), ("ws://a/\u{e9}", "/\u{e9}"), ("ws://a?\r\n", "/?\r\n")] {
        assert_eq!(error(url), UrlError::Path(path.to_owned()), "{url}");
    }
}

proptest! {
    /// Whatever is written is read as it was meant, and the answer to it is taken.
    #[test]
    fn both_sides_understand_each_other(
        host in "[a-z0-9.-]{1,20}(:[1-9][0-9]{0,3})?",
        path in "/[!-\"$-~]{0,40}",
        origin in proptest::option::of("[!-~]{1,20}"),
        subprotocols in prop::collection::hash_set("[a-zA-Z0-9._-]{1,8}", 0..5),
        extensions in proptest::option::of("[a-z]{1,8}(; ?[a-z_]{1,8}(=[0-9]{1,2})?){0,2}"),
        headers in prop::collection::hash_map("X-[A-Za-z]{1,8}", "([!-~]([ -~]{0,20}[!-~])?)?", 0..8),
    ) {
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let headers = headers.collect::<std::collections::HashMap<_, _>>().into_iter().collect();
        let subprotocols = subprotocols.into_iter().collect();
        let client = ClientRequest { host, path, origin, subprotocols, extensions, headers };
        prop_assert!(client.write([7; 16], &mut Vec::new()).is_ok());
        upgrade_body::check_written(&client);
    }

    #[test]
    fn random_heads_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,40}", more in ".{0,40}") {
        upgrade_body::request(&bytes);
        upgrade_body::answer(&bytes);
        upgrade_body::url(&format!("ws://{text}"));
        upgrade_body::application(&text, &more);
    }

    /// A good request with a few bytes turned into others.
    #[test]
    fn damaged_heads_never_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut head = written(&client()).unwrap().into_bytes();
        let mut answer = response("HTTP/1.1 101 x", &GOOD);
        for (at, byte) in damage {
            let (in_head, in_answer) = (at.index(head.len()), at.index(answer.len()));
            (head[in_head], answer[in_answer]) = (byte, byte);
        }
        upgrade_body::request(&head);
        upgrade_body::answer(&answer);
    }
}
