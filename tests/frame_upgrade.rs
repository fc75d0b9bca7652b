//! The server's side of the upgrade: what RFC 6455 section 4.2 makes a duty, who is let in, and what comes to break it.

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[path = "../fuzz/upgrade_body.rs"]
mod upgrade_body;

use bodies::check;
use heartline::frame::websocket::upgrade::{
    Acceptance, HEAD_BYTES_MAX, HEADERS_MAX, HeadError, HttpHeads, Refusal, Request, accept, healthy, refuse,
};
use heartline::frame::{Cut, FrameError, Framing, Stream};
use upgrade_body::response;

/// The example of RFC 6455 section 1.2.
const RFC: [(&str, &str); 7] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Origin", "http://example.com"),
    ("Sec-WebSocket-Protocol", "chat, superchat"),
    ("Sec-WebSocket-Version", "13"),
];

fn head(first: &str, lines: &[(&str, &str)]) -> Vec<u8> {
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{lines}\r\n").into_bytes()
}

fn rfc() -> Vec<u8> {
    head("GET /chat HTTP/1.1", &RFC)
}

/// The example with another value for a line, or without the line.
fn changed(name: &str, value: Option<&str>) -> Vec<u8> {
    assert!(RFC.iter().any(|(known, _)| *known == name));
    let lines: Vec<_> =
        RFC.iter().filter_map(|&(known, old)| Some((known, if known == name { value? } else { old }))).collect();
    head("GET /chat HTTP/1.1", &lines)
}

/// The example with a line more.
fn and(name: &str, value: &str) -> Vec<u8> {
    head("GET /chat HTTP/1.1", &[&RFC[..], &[(name, value)]].concat())
}

fn refusal(head: &[u8]) -> Refusal {
    Request::read(head).expect_err(&String::from_utf8_lossy(head))
}

fn status(head: &[u8]) -> u16 {
    refusal(head).status()
}

#[test]
fn the_example_of_the_rfc_is_accepted_as_the_rfc_says() {
    let bytes = rfc();
    let request = Request::read(&bytes).unwrap();
    assert!(request.is_upgrade());
    assert_eq!((request.path(), request.query(), request.host()), ("/chat", None, Some("server.example.com")));
    assert_eq!(request.origin(), Some("http://example.com"));
    assert!(request.subprotocols().eq(["chat", "superchat"]));
    assert_eq!(request.header("sec-websocket-VERSION"), Some(&b"13"[..]));
    assert_eq!(request.headers().count(), 7);
    let mut out = b"before".to_vec();
    accept(&request, &Acceptance { subprotocol: Some("chat"), ..Acceptance::default() }, &mut out).unwrap();
    let wanted = "beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), wanted);
}

#[test]
fn only_get_and_only_http_1_1_or_later_1_x() {
    let with = |first: &str| head(first, &RFC);
    for method in ["POST", "HEAD", "get", "OPTIONS", "CONNECT"] {
        assert_eq!(status(&with(&format!("{method} /chat HTTP/1.1"))), 405, "{method}");
    }
    for first in [
        "GET /chat HTTP/1.0",
        "GET /chat HTTP/2.0",
        "GET /chat HTTP/0.9",
        "GET /chat HTTP/1.10",
        "GET /chat http/1.1",
        "GET /chat",
        "GET  /chat HTTP/1.1",
        "GET /chat  HTTP/1.1",
        "GET /ch at HTTP/1.1",
        " GET /chat HTTP/1.1",
        "GET /chat HTTP/1.1 ",
        "G(T /chat HTTP/1.1",
        "",
    ] {
        assert_eq!(status(&with(first)), 400, "{first}");
    }
    assert!(Request::read(&with("GET /chat HTTP/1.2")).unwrap().is_upgrade());
    // RFC 9112 section 2.2: one empty line before is let pass.
    assert!(Request::read(&with("\r\nGET /chat HTTP/1.1")).unwrap().is_upgrade());
}

#[test]
fn the_target_is_a_path_or_a_url() {
    let read = |target: &str| {
        let bytes = head(&format!("GET {target} HTTP/1.1"), &RFC);
        Request::read(&bytes).map(|request| {
            (request.path().to_owned(), request.query().map(str::to_owned), request.host().unwrap().to_owned())
        })
    };
    let is = |target, path: &str, query: Option<&str>, host: &str| {
        assert_eq!(read(target), Ok((path.to_owned(), query.map(str::to_owned), host.to_owned())), "{target}");
    };
    is("/", "/", None, "server.example.com");
    is("/a%20b/?x=1?y", "/a%20b/", Some("x=1?y"), "server.example.com");
    is("/?", "/", Some(""), "server.example.com");
    is("//evil/x", "//evil/x", None, "server.example.com");
    is("http://other:81/a?b", "/a", Some("b"), "other:81");
    is("WS://[::1]", "/", None, "[::1]");
    for bad in
        ["*", "chat", "?x", "/a#b", "/\u{e9}", "ftp://a/", "http://", "http:///a", "http://a?b", "http://u@a/", "a:80"]
    {
        assert_eq!(read(bad).unwrap_err().status(), 400, "{bad}");
    }
}

#[test]
fn there_is_exactly_one_host() {
    assert_eq!(refusal(&changed("Host", None)).text(), "no Host");
    assert_eq!(refusal(&and("host", "b")).text(), "more than one Host");
    for bad in ["", "a b", "a/b", "user@a", "a\\b", "\u{e9}", "a?b", "a#b", "a\"b"] {
        assert_eq!(status(&changed("Host", Some(bad))), 400, "{bad}");
    }
    for good in ["a", "a:80", "[::1]:80", "1.2.3.4", "a_b.example"] {
        assert_eq!(Request::read(&changed("Host", Some(good))).unwrap().host(), Some(good));
    }
}

#[test]
fn upgrade_and_connection_are_lists_without_regard_to_case() {
    for good in ["WebSocket", "h2c, websocket", "a,,WEBSOCKET ,"] {
        assert!(Request::read(&changed("Upgrade", Some(good))).unwrap().is_upgrade(), "{good}");
    }
    for good in ["upgrade", "keep-alive, Upgrade", "keep-alive,UPGRADE"] {
        assert!(Request::read(&changed("Connection", Some(good))).unwrap().is_upgrade(), "{good}");
    }
    let lines = [("Connection", "keep-alive"), ("Connection", "Upgrade")];
    let others: Vec<_> = RFC.iter().filter(|(name, _)| *name != "Connection").chain(&lines).copied().collect();
    assert!(Request::read(&head("GET / HTTP/1.1", &others)).unwrap().is_upgrade());
    for bad in [None, Some("keep-alive"), Some("upgraded"), Some("Upgrade; x"), Some("")] {
        assert_eq!(status(&changed("Connection", bad)), 400, "{bad:?}");
    }
    for plain in [None, Some("websockets"), Some("h2c"), Some("web socket"), Some("")] {
        assert!(!Request::read(&changed("Upgrade", plain)).unwrap().is_upgrade(), "{plain:?}");
    }
}

#[test]
fn the_key_is_sixteen_bytes_in_base64_and_there_once() {
    for bad in [
        None,
        Some(""),
        Some("dGhlIHNhbXBsZSBub25jZQ"),   // no padding
        Some("dGhlIHNhbXBsZSBub25jZQ="),  // half of it
        Some("dGhlIHNhbXBsZSBub25j"),     // 15 bytes
        Some("dGhlIHNhbXBsZSBub25jZXM="), // 17 bytes
        Some("dGhlIHNhbXBsZSBub25jZXNz"), // 18 bytes, as long as a good one
        Some("dGhlIHNhbXBsZSBub25j!Q=="), // not of the alphabet
        Some("dGhlIHNhbXBsZSBub2_-ZQ=="), // of the other alphabet
        Some("dGhlIHNhbXBsZSBub25jZQ==, x"),
    ] {
        assert_eq!(status(&changed("Sec-WebSocket-Key", bad)), 400, "{bad:?}");
    }
    assert_eq!(
        refusal(&and("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")).text(),
        "more than one Sec-WebSocket-Key"
    );
    // Bits beyond the 16 bytes are nobody's business.
    assert!(Request::read(&changed("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZR=="))).unwrap().is_upgrade());
}

#[test]
fn another_version_is_told_which_one_is_spoken() {
    for other in [None, Some("8"), Some("12"), Some("14"), Some("013"), Some("13, 8"), Some("")] {
        let refusal = refusal(&changed("Sec-WebSocket-Version", other));
        assert_eq!(refusal.status(), 426, "{other:?}");
        let mut out = Vec::new();
        refuse(&refusal, &mut out);
        let (head, _) = response(&out);
        for line in ["HTTP/1.1 426 Upgrade Required", "Sec-WebSocket-Version: 13", "Upgrade: websocket"] {
            assert!(head.split("\r\n").any(|given| given == line), "{head}");
        }
    }
    assert_eq!(refusal(&and("Sec-WebSocket-Version", "13")).text(), "more than one Sec-WebSocket-Version");
}

#[test]
fn a_request_has_no_body() {
    for (name, value) in [("Content-Length", "5"), ("Content-Length", "+0"), ("Transfer-Encoding", "chunked")] {
        assert_eq!(refusal(&and(name, value)).text(), "a request with a body");
    }
    assert!(Request::read(&and("Content-Length", "0")).unwrap().is_upgrade());
    let two = [&RFC[..], &[("Content-Length", "0"), ("content-length", "0")]].concat();
    assert_eq!(status(&head("GET / HTTP/1.1", &two)), 400);
    assert_eq!(status(&head("GET /healthz HTTP/1.1", &[("Host", "a"), ("Content-Length", "1")])), 400);
}

#[test]
fn origin_is_there_once_and_subprotocols_are_tokens() {
    assert_eq!(refusal(&and("Origin", "http://a")).text(), "more than one Origin");
    assert_eq!(status(&changed("Origin", Some("http://\u{e9}"))), 400);
    assert_eq!(status(&changed("Origin", Some(""))), 400);
    assert_eq!(Request::read(&changed("Origin", Some("null"))).unwrap().origin(), Some("null"));
    for bad in ["a b", "a;b", "\"a\"", "a/b", "\u{e9}"] {
        assert_eq!(status(&changed("Sec-WebSocket-Protocol", Some(bad))), 400, "{bad}");
    }
    let several = and("Sec-WebSocket-Protocol", ", third ,");
    assert!(Request::read(&several).unwrap().subprotocols().eq(["chat", "superchat", "third"]));
}

#[test]
fn controls_folds_and_bad_names_are_refused() {
    let good = String::from_utf8(rfc()).unwrap();
    for bad in (0..32).filter(|byte| *byte != b'\t').chain([127]) {
        for before in ["chat, ", "Sec-WebSocket-Key", "GET /"] {
            let at = good.find(before).unwrap() + before.len();
            let mut bytes = good.clone().into_bytes();
            bytes.insert(at, bad);
            assert_eq!(status(&bytes), 400, "{bad} behind {before}");
        }
    }
    assert_eq!(status(good.replace("\r\n", "\n").as_bytes()), 400);
    assert_eq!(status(good.replace("Host: ", "Host: a\n").as_bytes()), 400);
    assert_eq!(status(good.replace("Host: ", "Host: a\r").as_bytes()), 400);
    assert_eq!(status(good.replace("Origin", " folded: x\r\nOrigin").as_bytes()), 400);
    assert_eq!(status(good.replace("Origin", "\tfolded\r\nOrigin").as_bytes()), 400);
    assert_eq!(status(good.replace("Origin:", "Origin :").as_bytes()), 400);
    assert_eq!(status(good.replace("Origin:", ":").as_bytes()), 400);
    assert_eq!(status(good.replace("Origin: ", "Origin").replace("://", "").as_bytes()), 400);
    // Values may have tabs, and bytes that are not UTF-8: they are shown as they are.
    let mut bytes = and("Cookie", "a\tb");
    assert_eq!(Request::read(&bytes).unwrap().header("cookie"), Some(&b"a\tb"[..]));
    let at = bytes.iter().rposition(|byte| *byte == b'\t').unwrap();
    bytes[at] = 0xff;
    assert_eq!(Request::read(&bytes).unwrap().header("cookie"), Some(&b"a\xffb"[..]));
}

#[test]
fn header_bombs_are_refused() {
    let lines = |count: usize| {
        let mut lines = RFC.to_vec();
        lines.resize(count, ("X", "y"));
        head("GET /chat HTTP/1.1", &lines)
    };
    assert!(Request::read(&lines(HEADERS_MAX)).unwrap().is_upgrade());
    assert_eq!(status(&lines(HEADERS_MAX + 1)), 431);
    assert_eq!(status(&lines(5000)), 431);

    let framing = Framing::custom(Box::new(HttpHeads::default()));
    let of_bytes = |bytes: usize| {
        let padding = bytes - rfc().len() - "X: \r\n".len();
        let padded = and("X", &"y".repeat(padding));
        assert_eq!(padded.len(), bytes);
        check(&framing, &padded, &[700, 1])
    };
    assert_eq!(of_bytes(HEAD_BYTES_MAX).0.len(), 1);
    let too_long = Err(FrameError::HeadTooLong { limit: HEAD_BYTES_MAX });
    assert_eq!(of_bytes(HEAD_BYTES_MAX + 1), (vec![], too_long));
    let endless = b"GET / HTTP/1.1\r\nX: y\r\n".repeat(1000);
    assert_eq!(check(&framing, &endless, &[5]).1, too_long);
    assert_eq!(status(b"GET / HTTP/1.1\r\nHost: a\r\n"), 400);
    let small = Framing::custom(Box::new(HttpHeads::with_max_bytes(64)));
    assert_eq!(check(&small, &rfc(), &[5]).1, Err(FrameError::HeadTooLong { limit: 64 }));
}

/// F1, F4.
#[test]
fn a_head_is_found_wherever_it_was_cut_and_frames_may_follow_it() {
    let framing = Framing::custom(Box::new(HttpHeads::default()));
    let mut bytes = rfc();
    let total = bytes.len();
    bytes.extend_from_slice(b"\x81\x85\r\n\r\nhello");
    let mut stream = Stream::default();
    for end in 0..=bytes.len() {
        let cut = framing.cut(&mut bytes[..end].to_vec(), &mut stream, &mut Vec::new());
        if end < total {
            assert_eq!(cut, Ok(Cut::More { need: end + 1, exact: false }));
            assert_eq!(stream.scanned(), end);
        } else {
            let Ok(Cut::Frame(frame)) = cut else { panic!("no frame at {end}") };
            assert_eq!((frame.message, frame.total), (0..total, total));
        }
    }
    assert!(Request::read(&bytes[..total]).unwrap().is_upgrade());
    assert_eq!(refusal(&bytes[..total + 1]).text(), "bytes behind the end of the head");
    // Of every shorter piece it is said that it does not end.
    assert!((0..total).all(|end| status(&bytes[..end]) == 400));
}

#[test]
fn nothing_that_the_application_gives_can_add_a_line() {
    let bytes = and("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x");
    let request = Request::read(&bytes).unwrap();
    let answer = |with: Acceptance<'_>| {
        let mut out = b"before".to_vec();
        let result = accept(&request, &with, &mut out);
        assert_eq!(result.is_err(), out == b"before");
        result.map(|()| String::from_utf8(out).unwrap())
    };
    let header = |name, value| answer(Acceptance { headers: &[(name, value)], ..Acceptance::default() });
    assert!(header("Set-Cookie", "a=b; Path=/").unwrap().ends_with("\r\nSet-Cookie: a=b; Path=/\r\n\r\n"));
    for value in ["a\r\nEvil: 1", "a\nEvil: 1", "a\r", "\0", "\u{7f}", "\u{e9}", " a", "a ", "\t"] {
        assert_eq!(header("X", value), Err(HeadError::HeaderValue { name: "X".to_owned() }), "{value:?}");
    }
    for name in ["", "a b", "a:", "X\r\nEvil", "\u{e9}", "X\0"] {
        assert_eq!(header(name, "v"), Err(HeadError::HeaderName(name.to_owned())), "{name:?}");
    }
    for name in ["upgrade", "Connection", "Content-Length", "transfer-encoding", "SEC-WebSocket-Accept", "Host"] {
        assert_eq!(header(name, "v"), Err(HeadError::HeaderReserved(name.to_owned())), "{name:?}");
    }
    for given in ["third", "Chat", "chat, superchat", "chat\r\nEvil: 1", ""] {
        let refused = answer(Acceptance { subprotocol: Some(given), ..Acceptance::default() });
        assert_eq!(refused, Err(HeadError::SubprotocolNotOffered(given.to_owned())));
    }
    let extensions = |given| answer(Acceptance { extensions: Some(given), ..Acceptance::default() });
    assert!(extensions("permessage-deflate").unwrap().contains("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"));
    assert!(extensions("x, permessage-deflate; server_no_context_takeover").is_ok());
    for given in ["y", "x, y", "x\r\nEvil: 1", ""] {
        assert_eq!(extensions(given), Err(HeadError::Extensions(given.to_owned())));
    }
    let long = "v".repeat(HEAD_BYTES_MAX);
    assert!(matches!(header("X", &long), Err(HeadError::TooLarge { headers: 4, .. })));
    let many = [("X", "v"); HEADERS_MAX];
    let many = answer(Acceptance { headers: &many, ..Acceptance::default() });
    assert!(matches!(many, Err(HeadError::TooLarge { headers: 67, .. })), "{many:?}");
    let plain = head("GET / HTTP/1.1", &[("Host", "a")]);
    let plain = Request::read(&plain).unwrap();
    assert_eq!(accept(&plain, &Acceptance::default(), &mut Vec::new()), Err(HeadError::NotAnUpgrade));
}

#[test]
fn refusals_are_whole_responses() {
    let whole = |refusal: &Refusal| {
        let mut out = Vec::new();
        refuse(refusal, &mut out);
        response(&out)
    };
    for (refusal, first) in [
        (Refusal::too_large(), "HTTP/1.1 431 Request Header Fields Too Large"),
        (Refusal::too_slow(), "HTTP/1.1 408 Request Timeout"),
        (Refusal::unavailable(), "HTTP/1.1 503 Service Unavailable"),
        (Refusal::new(403, "not you").unwrap(), "HTTP/1.1 403 Forbidden"),
        (Refusal::new(499, "").unwrap(), "HTTP/1.1 499 "),
    ] {
        let (head, body) = whole(&refusal);
        assert!(head.starts_with(&format!("{first}\r\n")), "{head}");
        assert!(head.contains("\r\nConnection: close") && !head.contains("Upgrade"), "{head}");
        assert_eq!(body.trim_end(), refusal.text());
        assert!(refusal.to_string().starts_with(&refusal.status().to_string()));
    }
    assert!(whole(&refusal(&head("POST / HTTP/1.1", &RFC))).0.contains("\r\nAllow: GET\r\n"));
    assert_eq!(refusal(&changed("Host", None)).to_string(), "400: no Host");
    assert_eq!(Refusal::new(403, "").unwrap().to_string(), "403 Forbidden");
    for status in [0, 101, 200, 302, 399, 600] {
        assert_eq!(Refusal::new(status, ""), None);
    }
    let mut out = Vec::new();
    healthy(&mut out);
    let (head, body) = response(&out);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Connection: close"));
    assert_eq!(body, "ok\n");
}
