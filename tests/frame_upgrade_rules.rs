//! Whom a server lets in, and who stands behind its proxies.

use heartline::frame::websocket::upgrade::{Judgement, Request, Rules};
use std::net::IpAddr;

const LINES: &str = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

fn upgrade(path: &str, more: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\n{LINES}{more}\r\n").into_bytes()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The status of the refusal, 101, 200, or 0 where the application decides; and the subprotocol.
fn judged<'r>(rules: &'r Rules, head: &[u8]) -> (u16, Option<&'r str>) {
    match rules.judge(&Request::read(head).unwrap()) {
        Judgement::Accept { subprotocol } => (101, subprotocol),
        Judgement::Ask { subprotocol } => (0, subprotocol),
        Judgement::Refuse(refusal) => (refusal.status(), None),
        Judgement::Health => (200, None),
    }
}

fn status(rules: &Rules, head: &[u8]) -> u16 {
    judged(rules, head).0
}

#[test]
fn without_rules_every_upgrade_is_accepted_and_nothing_else() {
    let rules = Rules::default();
    assert_eq!(judged(&rules, &upgrade("/any?x", "Origin: http://b\r\nSec-WebSocket-Protocol: c\r\n")), (101, None));
    assert_eq!(status(&rules, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 426);
    assert_eq!(status(&rules, b"GET / HTTP/1.0\r\n\r\n"), 426);
    let stripped = b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: x\r\n\r\n";
    let Judgement::Refuse(refusal) = rules.judge(&Request::read(stripped).unwrap()) else { panic!() };
    assert!(refusal.to_string().contains("proxy"), "{refusal}");
}

#[test]
fn paths_are_exact_and_their_query_does_not_count() {
    let rules = Rules { paths: strings(&["/chat", "/game"]), ..Rules::default() };
    for good in ["/chat", "/game?x=1", "/chat?"] {
        assert_eq!(status(&rules, &upgrade(good, "")), 101, "{good}");
    }
    for other in ["/", "/chat/", "/Chat", "/chat/../game", "/%63hat", "/chatx", "//chat"] {
        assert_eq!(status(&rules, &upgrade(other, "")), 404, "{other}");
    }
    assert_eq!(status(&rules, b"GET /x HTTP/1.0\r\n\r\n"), 404);
    assert_eq!(status(&rules, b"GET /chat HTTP/1.0\r\n\r\n"), 426);
}

#[test]
fn origins_are_exact_but_for_case() {
    let mut rules = Rules { origins: strings(&["https://Example.org", "http://localhost:8080"]), ..Rules::default() };
    let with = |origin: &str| upgrade("/", &format!("Origin: {origin}\r\n"));
    for good in ["https://example.org", "HTTPS://EXAMPLE.ORG", "http://localhost:8080"] {
        assert_eq!(status(&rules, &with(good)), 101, "{good}");
    }
    for other in [
        "http://example.org",
        "https://example.org:443",
        "https://example.org.evil.net",
        "https://evil.example.org",
        "https://example.org/",
        "https://example.org http://evil",
        "http://localhost",
        "null",
        "*",
    ] {
        assert_eq!(status(&rules, &with(other)), 403, "{other}");
    }
    assert_eq!(status(&rules, &upgrade("/", "")), 101, "no browser");
    rules.origin_required = true;
    assert_eq!(status(&rules, &upgrade("/", "")), 403);
    assert_eq!(status(&rules, &with("https://example.org")), 101);
    rules.origins = strings(&["*"]);
    assert_eq!(status(&rules, &with("null")), 101);
    assert_eq!(status(&rules, &upgrade("/", "")), 403);
    rules.origins.clear();
    assert_eq!(status(&rules, &with("http://any")), 101);
    rules.origins = strings(&["null"]);
    assert_eq!(status(&rules, &with("null")), 101);
}

#[test]
fn the_server_s_preference_chooses_the_subprotocol() {
    let mut rules = Rules { subprotocols: strings(&["v3", "v2", "v1"]), ..Rules::default() };
    let with = |offered: &str| upgrade("/", &format!("Sec-WebSocket-Protocol: {offered}\r\n"));
    for (offered, chosen) in [
        ("v1, v2", Some("v2")),
        ("v1", Some("v1")),
        ("v1,v2,v3", Some("v3")),
        ("V3", None), // the case counts
        ("v4", None),
        ("", None),
        ("v2\r\nSec-WebSocket-Protocol: v3", Some("v3")),
    ] {
        assert_eq!(judged(&rules, &with(offered)), (101, chosen), "{offered}");
    }
    assert_eq!(judged(&rules, &upgrade("/", "")), (101, None));
    rules.subprotocol_required = true;
    assert_eq!(judged(&rules, &with("v1, v2")), (101, Some("v2")));
    assert_eq!(status(&rules, &with("v4")), 400);
    assert_eq!(status(&rules, &upgrade("/", "")), 400);
}

#[test]
fn the_application_is_asked_only_about_what_the_rules_accept() {
    let rules = Rules {
        ask_application: true,
        paths: strings(&["/chat"]),
        subprotocols: strings(&["v1"]),
        health_path: Some("/healthz".to_owned()),
        ..Rules::default()
    };
    assert_eq!(judged(&rules, &upgrade("/chat", "Sec-WebSocket-Protocol: v1\r\n")), (0, Some("v1")));
    assert_eq!(status(&rules, &upgrade("/x", "")), 404);
    assert_eq!(status(&rules, b"GET /chat HTTP/1.0\r\n\r\n"), 426);
    assert_eq!(status(&rules, b"GET /healthz HTTP/1.0\r\n\r\n"), 200);
}

#[test]
fn a_health_check_is_a_plain_get_of_its_path() {
    let rules = Rules { health_path: Some("/healthz".to_owned()), paths: strings(&["/chat"]), ..Rules::default() };
    assert_eq!(status(&rules, b"GET /healthz HTTP/1.0\r\n\r\n"), 200);
    assert_eq!(status(&rules, b"GET /healthz?from=lb HTTP/1.1\r\nHost:\r\nUser-Agent: lb\r\n\r\n"), 200);
    assert_eq!(status(&rules, b"GET /healthz/ HTTP/1.0\r\n\r\n"), 404);
    assert_eq!(status(&rules, &upgrade("/healthz", "")), 404);
    assert_eq!(status(&Rules::default(), b"GET /healthz HTTP/1.0\r\n\r\n"), 426);
    let bytes = upgrade("/healthz", "");
    assert!(!Request::read(&bytes).unwrap().is_health_check("/healthz"));
    assert_eq!(Request::read(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap_err().text(), "no Host");
    assert_eq!(Request::read(b"POST /healthz HTTP/1.0\r\n\r\n").unwrap_err().status(), 405);
}

/// Who it is, with proxies in 10.0.0.0/8 and 2001:db8:1::/48.
fn client(connection: &str, forwarded: &str) -> String {
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
    let rules = Rules { trusted_proxies, ..Rules::default() };
    let bytes = upgrade("/", forwarded);
    rules.client(&Request::read(&bytes).unwrap(), connection.parse().unwrap()).to_string()
}

#[test]
fn the_client_is_the_rightmost_address_that_is_no_trusted_proxy() {
    for (connection, forwarded, expected) in [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4"),
        // Whoever is not trusted cannot say anything.
        ("5.6.7.8", "X-Forwarded-For: 1.2.3.4\r\n", "5.6.7.8"),
        ("11.0.0.1", "X-Forwarded-For: 10.0.0.9\r\n", "11.0.0.1"),
        // The client wrote the left part itself.
        ("10.0.0.1", "X-Forwarded-For: 127.0.0.1, 10.9.9.9, 1.2.3.4\r\n", "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For: 9.9.9.9, 1.2.3.4, 10.2.2.2,10.3.3.3\r\n", "1.2.3.4"),
        // Several lines are one list.
        ("10.0.0.1", "X-Forwarded-For: 9.9.9.9, 1.2.3.4\r\nX: y\r\nx-forwarded-for: 10.2.2.2\r\n", "1.2.3.4"),
        // Trusted to the end: the farthest is the client.
        ("10.0.0.1", "X-Forwarded-For: 10.4.4.4, 10.2.2.2\r\n", "10.4.4.4"),
        // IPv6, ports, IPv4 within IPv6.
        ("2001:db8:1::5", "X-Forwarded-For: 2001:db8:2::7\r\n", "2001:db8:2::7"),
        ("10.0.0.1", "X-Forwarded-For: [2001:db8:2::7]:443, [2001:db8:1::1]\r\n", "2001:db8:2::7"),
        ("10.0.0.1", "X-Forwarded-For: 1.2.3.4:5678\r\n", "1.2.3.4"),
        ("::ffff:10.0.0.1", "X-Forwarded-For: ::ffff:1.2.3.4, ::ffff:10.1.1.1\r\n", "1.2.3.4"),
        ("::ffff:5.6.7.8", "X-Forwarded-For: 1.2.3.4\r\n", "5.6.7.8"),
        // What is no address ends the walk at the proxy that wrote it.
        ("10.0.0.1", "X-Forwarded-For: 1.2.3.4, unknown, 10.2.2.2\r\n", "10.2.2.2"),
        ("10.0.0.1", "X-Forwarded-For: 1.2.3.4, unknown\r\n", "10.0.0.1"),
        ("10.0.0.1", "X-Forwarded-For: 1.2.3.4,,\r\n", "1.2.3.4"),
        ("10.0.0.1", "X-Forwarded-For:\r\n", "10.0.0.1"),
    ] {
        assert_eq!(client(connection, forwarded), expected, "{connection} {forwarded}");
    }
    for garbage in [
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "[1.2.3.4]",
        "[::1",
        "::1]",
        "[::1]x",
        "fe80::1%eth0",
        "01.2.3.4",
        "\"1.2.3.4\"",
        "for=1.2.3.4",
        "1.2.3.4 5.6.7.8",
        "\u{fffd}",
        "-",
    ] {
        assert_eq!(client("10.0.0.1", &format!("X-Forwarded-For: {garbage}\r\n")), "10.0.0.1", "{garbage}");
    }
}

#[test]
fn nobody_is_trusted_by_default() {
    let bytes = upgrade("/", "X-Forwarded-For: 1.2.3.4\r\n");
    let localhost: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(Rules::default().client(&Request::read(&bytes).unwrap(), localhost), localhost);
}
