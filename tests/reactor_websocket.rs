//! WebSocket over real sockets: the upgrade on both sides, and what is told of it (R8).

mod support;

use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use heartline::frame::websocket::upgrade::{Acceptance, ClientRequest, Request, Rules};
use heartline::frame::{Cut, Framing, Kind, Stream};
use heartline::liveness::{Policy, Role};
use heartline::reactor::{Address, AnswerError, Close, Config, ListenOptions, Options, Reason, WebSocketOptions};
use support::{Peer, Pump, Told, What};

const KEY: [u8; 16] = [7; 16];

fn websocket() -> Options {
    Options::new(Framing::parse("websocket").unwrap())
}

fn with(websocket_options: WebSocketOptions) -> Options {
    Options { websocket: websocket_options, ..websocket() }
}

fn with_rules(rules: Rules) -> Options {
    with(WebSocketOptions { rules: Some(Arc::new(rules)), ..WebSocketOptions::default() })
}

/// Frames as a client sends them.
fn client_frames(messages: &[&[u8]]) -> Vec<u8> {
    let framing = Framing::parse("websocket").unwrap().for_dialled();
    let mut bytes = Vec::new();
    for message in messages {
        framing.encode(Some(&[1]), &[message], &mut bytes).unwrap();
    }
    bytes
}

/// A client that has sent nothing yet.
fn dial(pump: &mut Pump, options: Options) -> (Peer, SocketAddr) {
    let at = pump.listen(&ListenOptions::new(options));
    (Peer::connect(at), at)
}

fn request_to(at: SocketAddr) -> ClientRequest {
    ClientRequest::new(at.to_string(), "/chat?room=1")
}

fn bytes_of(request: &ClientRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.write(KEY, &mut bytes).unwrap();
    bytes
}

/// The head of a response, and what came behind it.
fn head(peer: &mut Peer) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(peer.read(1));
    }
    String::from_utf8(head).unwrap()
}

/// Runs the reactor until the peer has this in its socket, and reads it.
fn response(pump: &mut Pump, peer: &mut Peer) -> String {
    pump.during(Duration::from_millis(20));
    head(peer)
}

fn opened(pump: &mut Pump) -> Told {
    pump.take("an opened", |told| told.is_opened())
}

#[test]
fn a_client_is_opened_when_its_upgrade_is_through_and_frames_behind_the_request_wait_for_it() {
    for cut in [0, 1, 40, usize::MAX] {
        let mut pump = Pump::default();
        let (mut peer, at) = dial(&mut pump, websocket());
        let request = request_to(at);
        let mut bytes = bytes_of(&request);
        let head_bytes = bytes.len();
        bytes.extend(client_frames(&[b"first", b"second"]));
        let cut = cut.min(head_bytes + 3);
        peer.write(&bytes[..cut]);
        pump.during(Duration::from_millis(10));
        assert!(cut >= head_bytes || pump.history.is_empty(), "{:?}", pump.history);
        peer.write(&bytes[cut..]);
        pump.during(Duration::from_millis(20));
        let id = pump.history[0].id;
        let told: Vec<_> = pump.history.iter().map(|told| told.message().unwrap_or(b"opened")).collect();
        assert_eq!(told, [&b"opened"[..], b"first", b"second"]);
        let answer = response(&mut pump, &mut peer);
        assert!(request.check(KEY, answer.as_bytes()).is_ok(), "{answer}");
        pump.reactor.send_with_head(id, Some(&[1]), &[b"hi"]).unwrap();
        pump.reactor.flush();
        assert_eq!(peer.read(4), b"\x81\x02hi", "text, and not masked");
        let state = pump.reactor.state(id).unwrap();
        assert_eq!((state.dialling, state.unread_bytes), (false, 0));
        assert_eq!((pump.reactor.counters().accepted, pump.reactor.counters().partial_bytes_now), (1, 0));
    }
}

/// RFC 6455 section 5.5.2: a browser answers a Ping by itself, and can send none.
#[test]
fn by_default_the_server_asks_as_the_profile_web_does() {
    let mut pump = Pump::default();
    let (mut peer, at) = dial(&mut pump, websocket());
    peer.write(&bytes_of(&request_to(at)));
    let id = opened(&mut pump).id;
    let policy = pump.reactor.state(id).unwrap().policy.unwrap();
    let policy = *pump.reactor.monitor().policy(policy);
    assert_eq!(policy, Policy::web().with_role(Role::Both));
}

#[test]
fn who_is_refused_is_told_why_and_nobody_else_is() {
    let rules = Rules { paths: vec!["/game".to_owned()], ..Rules::default() };
    let mut pump = Pump::default();
    let (mut peer, at) = dial(&mut pump, with_rules(rules));
    peer.write(&bytes_of(&request_to(at)));
    let answer = response(&mut pump, &mut peer);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(peer.read_to_end().unwrap().ends_with(b"path\n"));
    drop(peer);
    let told = pump.during(Duration::from_millis(20));
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(pump.reactor.counters().closed(Reason::UpgradeRefused), 1);
    assert!(pump.reactor.is_empty());
}

#[test]
fn a_request_that_is_none_or_has_no_end_is_refused() {
    for (sent, status) in [
        (b"\x16\x03\x01\r\n\r\n".to_vec(), "400"),
        (vec![b'a'; 9000], "431"),
        (b"POST / HTTP/1.1\r\n\r\n".to_vec(), "405"),
    ] {
        let mut pump = Pump::default();
        let (mut peer, _) = dial(&mut pump, websocket());
        peer.write(&sent);
        let answer = response(&mut pump, &mut peer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(peer.read_to_end().is_ok(), "not reset, although it has sent more");
        assert_eq!(pump.reactor.counters().closed(Reason::UpgradeRefused), 0, "its own end is awaited");
    }
}

#[test]
fn a_slow_request_is_refused_at_its_limit_and_a_limit_of_nothing_is_none() {
    let mut pump = Pump::default();
    let limit = |upgrade_ms| with(WebSocketOptions { upgrade_ms, ..WebSocketOptions::default() });
    let (mut slow, _) = dial(&mut pump, limit(100));
    let (mut patient, at) = dial(&mut pump, limit(0));
    let request = bytes_of(&request_to(at));
    let (begun, rest) = request.split_at(20);
    slow.write(begun);
    patient.write(begun);
    pump.during(Duration::from_millis(60));
    assert_eq!(slow.read_now(), b"");
    pump.until("it is refused", |pump| pump.reactor.counters().bytes_out > 0);
    assert!(head(&mut slow).starts_with("HTTP/1.1 408 "));
    patient.write(rest);
    opened(&mut pump);
}

#[test]
fn a_health_check_is_answered_and_told_nobody() {
    let rules = Rules { health_path: Some("/health".to_owned()), ..Rules::default() };
    let mut pump = Pump::default();
    let (mut peer, _) = dial(&mut pump, with_rules(rules));
    peer.write(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(response(&mut pump, &mut peer).starts_with("HTTP/1.1 200 "));
    assert_eq!(peer.read_to_end().unwrap(), b"ok\n");
    drop(peer);
    assert!(pump.during(Duration::from_millis(20)).is_empty());
    assert_eq!(pump.reactor.counters().closed(Reason::HealthCheck), 1);
}

fn asked(pump: &mut Pump, at: SocketAddr) -> (Peer, Told) {
    let mut peer = Peer::connect(at);
    let request = ClientRequest { subprotocols: vec!["v2".to_owned(), "v1".to_owned()], ..request_to(at) };
    let mut bytes = bytes_of(&request);
    bytes.extend(client_frames(&[b"early"]));
    peer.write(&bytes);
    let told = pump.take("an upgrade", |told| matches!(told.what, What::Upgrade(..)));
    (peer, told)
}

fn asking() -> Options {
    with_rules(Rules { ask_application: true, subprotocols: vec!["v1".to_owned()], ..Rules::default() })
}

#[test]
fn the_application_is_shown_the_request_and_accepts_it_later() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(asking()));
    let (mut peer, told) = asked(&mut pump, at);
    let What::Upgrade(listener, head) = &told.what else { panic!() };
    let request = Request::read(head).unwrap();
    assert_eq!((listener.unwrap().index(), request.path(), request.query()), (0, "/chat", Some("room=1")));
    // What is sent already waits for it.
    pump.reactor.send(told.id, b"welcome").unwrap();
    assert!(pump.during(Duration::from_millis(10)).is_empty());
    assert_eq!(peer.read_now(), b"");
    let unfit = Acceptance { subprotocol: Some("v3"), ..Acceptance::default() };
    assert!(matches!(pump.reactor.accept_upgrade(told.id, &unfit), Err(AnswerError::Head(_))));
    let with = Acceptance { subprotocol: Some("v2"), headers: &[("X-Room", "1")], ..Acceptance::default() };
    pump.reactor.accept_upgrade(told.id, &with).unwrap();
    assert_eq!(pump.reactor.accept_upgrade(told.id, &with), Err(AnswerError::NotAsked));
    assert_eq!(opened(&mut pump).id, told.id);
    assert_eq!(pump.message(told.id), b"early");
    let answer = response(&mut pump, &mut peer);
    assert!(answer.contains("Sec-WebSocket-Protocol: v2\r\n") && answer.contains("X-Room: 1\r\n"), "{answer}");
    assert_eq!(peer.read(9), b"\x82\x07welcome");
}

#[test]
fn the_application_refuses_or_does_not_answer_or_the_client_goes_and_each_has_one_end() {
    let mut pump = Pump::default();
    let mut options = asking();
    options.websocket.upgrade_ms = 150;
    let at = pump.listen(&ListenOptions::new(options));
    let (mut peer, told) = asked(&mut pump, at);
    assert_eq!(pump.reactor.refuse_upgrade(told.id, 200, "no"), Err(AnswerError::Status(200)));
    pump.reactor.refuse_upgrade(told.id, 401, "who are you?").unwrap();
    let answer = response(&mut pump, &mut peer);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert_eq!(peer.read_to_end().unwrap(), b"who are you?\n");
    drop(peer);
    assert_eq!(pump.closed(told.id).reason(), Some(Reason::UpgradeRefused));
    assert_eq!(pump.reactor.refuse_upgrade(told.id, 401, ""), Err(AnswerError::Stale));

    let (mut peer, told) = asked(&mut pump, at);
    pump.until("it is refused", |pump| pump.reactor.state(told.id).is_none_or(|state| state.closing));
    assert!(response(&mut pump, &mut peer).starts_with("HTTP/1.1 503 "));
    drop(peer);
    assert_eq!(pump.closed(told.id).reason(), Some(Reason::UpgradeRefused));

    let (_peer, told) = asked(&mut pump, at);
    pump.reactor.close(told.id, Close::Abort, Some(300)).unwrap();
    assert_eq!(pump.closed(told.id).reason(), Some(Reason::Application(300)));
}

#[test]
fn who_leaves_before_the_upgrade_is_told_nobody() {
    let mut pump = Pump::default();
    let mut options = websocket();
    options.limits.health_check_ms = 1000;
    let at = pump.listen(&ListenOptions::new(options));
    drop(Peer::connect(at));
    pump.until("it has gone", |pump| pump.reactor.counters().closed_in_all() == 1);
    let mut peer = Peer::connect(at);
    peer.write(b"GET /");
    pump.during(Duration::from_millis(10));
    drop(peer);
    pump.until("it has gone too", |pump| pump.reactor.counters().closed_in_all() == 2);
    let mut peer = Peer::connect(at);
    peer.write(b"GET /");
    pump.during(Duration::from_millis(10));
    peer.reset();
    pump.until("all have gone", |pump| pump.reactor.counters().closed_in_all() == 3);
    assert!(pump.during(Duration::from_millis(10)).is_empty());
    // Who leaves behind its upgrade is no health check, though it has sent no frame.
    let mut peer = Peer::connect(at);
    peer.write(&bytes_of(&request_to(at)));
    let id = opened(&mut pump).id;
    drop(peer);
    assert!(matches!(pump.closed(id).reason(), Some(Reason::PeerClosed | Reason::PeerReset)));
    let counters = pump.reactor.counters();
    let closed = [Reason::HealthCheck, Reason::PeerClosed, Reason::PeerReset].map(|reason| counters.closed(reason));
    assert_eq!((closed[0], closed.iter().sum::<u64>(), counters.partial_bytes_now), (1, 4, 0));
}

#[test]
fn behind_a_trusted_proxy_the_client_is_who_it_says() {
    let rules = Rules { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Rules::default() };
    let mut pump = Pump::default();
    let options = ListenOptions { per_address_max: 1, ..ListenOptions::new(with_rules(rules)) };
    let at = pump.listen(&options);
    let come_from = |client: &str| {
        let mut peer = Peer::connect(at);
        let headers = vec![("X-Forwarded-For".to_owned(), client.to_owned())];
        peer.write(&bytes_of(&ClientRequest { headers, ..request_to(at) }));
        peer
    };
    let _one = come_from("203.0.113.7");
    let first = opened(&mut pump).id;
    assert_eq!(pump.reactor.state(first).unwrap().address, Some("203.0.113.7:0".parse().unwrap()));
    let _two = come_from("2001:db8::1");
    opened(&mut pump);
    let mut again = come_from("203.0.113.7");
    assert!(response(&mut pump, &mut again).starts_with("HTTP/1.1 429 "));
    pump.reactor.close(first, Close::Abort, None).unwrap();
    pump.closed(first);
    let _three = come_from("203.0.113.7");
    opened(&mut pump);
}

/// Both ends in one reactor.
#[test]
fn our_own_client_and_server_talk_beat_and_say_goodbye() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(websocket()));
    let request = ClientRequest { subprotocols: vec!["x".to_owned()], ..request_to(at) };
    let options = with(WebSocketOptions { request: Some(Arc::new(request)), ..WebSocketOptions::default() });
    let client = pump.reactor.connect(&Address::Tcp(at), &options, 7).unwrap();
    pump.reactor.send(client, b"sent before it was open").unwrap();
    let told = pump.take_many(2, "both opened", |told| told.is_opened());
    let server = told.iter().find(|told| told.id != client).unwrap().id;
    assert_eq!(pump.message(server), b"sent before it was open");
    pump.reactor.send(server, &[9; 200_000]).unwrap();
    assert_eq!(pump.message(client), [9; 200_000]);
    pump.reactor.close(server, Close::Flush, Some(3007)).unwrap();
    assert_eq!(pump.closed(client).reason(), Some(Reason::PeerClosed));
    assert_eq!(pump.closed(server).reason(), Some(Reason::Application(3007)));
    assert_eq!(pump.reactor.counters().connected, 1);
}

#[test]
fn a_client_says_goodbye_and_leaves_the_end_of_the_stream_to_the_server() {
    let mut pump = Pump::default();
    let (listener, address) = support::raw_listener();
    let id = pump.reactor.connect(&address, &websocket(), 0).unwrap();
    pump.until("it is dialled", |pump| pump.reactor.counters().connected == 1);
    let mut server = Peer::over(listener.accept().unwrap().0);
    pump.during(Duration::from_millis(10));
    let request = head(&mut server);
    let mut answer = Vec::new();
    let read = Request::read(request.as_bytes()).unwrap();
    heartline::frame::websocket::upgrade::accept(&read, &Acceptance::default(), &mut answer).unwrap();
    server.write(&answer);
    assert_eq!(opened(&mut pump).id, id);
    pump.reactor.close(id, Close::Flush, None).unwrap();
    pump.during(Duration::from_millis(20));
    let mut bytes = server.read(8);
    let framing = Framing::parse("websocket").unwrap();
    let Ok(Cut::Frame(frame)) = framing.cut(&mut bytes, &mut Stream::default(), &mut Vec::new()) else { panic!() };
    assert_eq!((frame.kind, &bytes[frame.message]), (Kind::Close, &[3, 232][..]));
    server.0.set_nonblocking(true).unwrap();
    assert_eq!(server.0.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "and no FIN yet");
    drop(server);
    assert_eq!(pump.closed(id).reason(), Some(Reason::Local));
}

#[test]
fn a_server_that_does_not_upgrade_is_a_failed_connect() {
    for answer in
        ["HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "SSH-2.0-x\r\n\r\n", ""]
    {
        let mut pump = Pump::default();
        let (listener, address) = support::raw_listener();
        let id = pump.reactor.connect(&address, &websocket(), 0).unwrap();
        pump.until("it is dialled", |pump| pump.reactor.counters().connected == 1);
        let mut server = Peer::over(listener.accept().unwrap().0);
        pump.during(Duration::from_millis(10));
        head(&mut server);
        server.write(answer.as_bytes());
        drop(server);
        let failed = pump.take("the failure", |told| matches!(told.what, What::ConnectFailed { .. }));
        let reason = if answer.is_empty() { Reason::ConnectError } else { Reason::UpgradeRefused };
        assert_eq!((failed.id, failed.reason()), (id, Some(reason)), "{answer}");
    }
}

#[test]
fn a_server_that_never_answers_is_a_connect_timeout() {
    let mut pump = Pump::default();
    let (listener, address) = support::raw_listener();
    let mut options = websocket();
    options.limits.connect_ms = 100;
    let id = pump.reactor.connect(&address, &options, 0).unwrap();
    let _server = listener.accept().unwrap();
    let failed = pump.take("the failure", |told| matches!(told.what, What::ConnectFailed { .. }));
    assert_eq!((failed.id, failed.reason()), (id, Some(Reason::ConnectTimeout)));
}

#[test]
fn adopted_connections_upgrade_too_on_either_side_or_are_upgraded_already() {
    let mut pump = Pump::default();
    // A server: the host has read a part of the request.
    let (socket, mut peer) = support::tcp_pair();
    let request = request_to("127.0.0.1:1".parse().unwrap());
    let mut bytes = bytes_of(&request);
    bytes.extend(client_frames(&[b"hello"]));
    peer.write(&bytes[30..]);
    let id = pump.reactor.adopt(OwnedFd::from(socket), &websocket(), 5, bytes[..30].to_vec(), &[]).unwrap();
    assert_eq!((opened(&mut pump).id, pump.message(id)), (id, b"hello".to_vec()));
    assert!(request.check(KEY, head(&mut peer).as_bytes()).is_ok());

    // A client.
    let (socket, mut peer) = support::tcp_pair();
    let client = with(WebSocketOptions { client: true, ..WebSocketOptions::default() });
    let id = pump.reactor.adopt(OwnedFd::from(socket), &client, 0, Vec::new(), &[]).unwrap();
    let asked = head(&mut peer);
    assert!(asked.starts_with("GET / HTTP/1.1\r\n"), "{asked}");
    peer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    assert_eq!(pump.closed(id).reason(), Some(Reason::UpgradeRefused), "it was known");

    // Upgraded elsewhere.
    let (socket, mut peer) = support::tcp_pair();
    let upgraded = with(WebSocketOptions { upgraded: true, ..WebSocketOptions::default() });
    let id = pump.reactor.adopt(OwnedFd::from(socket), &upgraded, 0, Vec::new(), &[]).unwrap();
    peer.write(&client_frames(&[b"frames at once"]));
    assert_eq!(pump.message(id), b"frames at once");
}

#[test]
fn a_request_that_cannot_be_written_is_refused_at_once() {
    let mut pump = Pump::default();
    let (_listener, address) = support::raw_listener();
    let request = ClientRequest::new("bad host", "/");
    let options = with(WebSocketOptions { request: Some(Arc::new(request)), ..WebSocketOptions::default() });
    assert!(pump.reactor.connect(&address, &options, 0).unwrap_err().to_string().contains("bad host"));
    assert!(pump.reactor.is_empty());
}

#[test]
fn unfinished_requests_count_against_the_cap_of_unfinished_frames() {
    let mut pump = Pump::new(Config { partial_bytes_max: 10_000, ..Config::default() });
    let at = pump.listen(&ListenOptions::new(websocket()));
    let mut peers: Vec<_> = (0..8).map(|_| Peer::connect(at)).collect();
    for peer in &mut peers {
        peer.write(&[b'a'; 3000]);
    }
    pump.until("some are too many", |pump| pump.reactor.counters().closed(Reason::OverLimit) > 0);
    assert!(pump.reactor.counters().partial_bytes_now <= 10_000);
}

#[test]
fn a_drain_before_the_upgrade_ends_it_unseen() {
    let mut pump = Pump::default();
    let (mut peer, _) = dial(&mut pump, websocket());
    peer.write(b"GET /");
    pump.during(Duration::from_millis(10));
    pump.reactor.drain(heartline::reactor::DrainOptions::default()).unwrap();
    pump.until("it is drained", |pump| pump.reactor.is_drained());
    assert_eq!(pump.reactor.counters().closed(Reason::Drained), 1);
    let mut rest = Vec::new();
    let _ = peer.0.read_to_end(&mut rest);
}

fn proxied(options: Options) -> ListenOptions {
    ListenOptions { proxy_from: vec!["127.0.0.0/8".parse().unwrap()], ..ListenOptions::new(options) }
}

/// Version 1, and version 2 over IPv6.
fn proxy_headers() -> [(Vec<u8>, SocketAddr); 2] {
    let mut second = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    second.extend([[0x20; 16], [0x21; 16]].concat());
    second.extend([0x10, 0x01, 0x1b, 0x59]);
    [
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 4242 7001\r\n".to_vec(), "203.0.113.7:4242".parse().unwrap()),
        (second, "[2020:2020:2020:2020:2020:2020:2020:2020]:4097".parse().unwrap()),
    ]
}

#[test]
fn a_balancer_says_who_is_behind_it_on_any_listener() {
    let framed_options = Options::new(Framing::parse("length:4be").unwrap());
    for (header, source) in proxy_headers() {
        for cut in [1, 12, header.len(), header.len() + 2] {
            let mut pump = Pump::default();
            let at = pump.listen(&proxied(framed_options.clone()));
            let mut peer = Peer::connect(at);
            let bytes = [&header[..], b"\0\0\0\x02hi"].concat();
            peer.write(&bytes[..cut]);
            pump.during(Duration::from_millis(10));
            assert_eq!(pump.history.is_empty(), cut < header.len());
            peer.write(&bytes[cut..]);
            pump.during(Duration::from_millis(10));
            let id = pump.history[0].id;
            assert_eq!(pump.history[1].message(), Some(&b"hi"[..]), "{:?}", pump.history);
            assert_eq!(pump.reactor.state(id).unwrap().address, Some(source));
        }
        // A WebSocket behind it.
        let mut pump = Pump::default();
        let at = pump.listen(&proxied(websocket()));
        let mut peer = Peer::connect(at);
        peer.write(&[&header[..], &bytes_of(&request_to(at))].concat());
        let id = opened(&mut pump).id;
        assert_eq!(pump.reactor.state(id).unwrap().address, Some(source));
    }
}

#[test]
fn only_who_is_listed_may_say_so_and_must() {
    let mut pump = Pump::default();
    let mut options = proxied(Options::new(Framing::parse("length:4be").unwrap()));
    options.proxy_from = vec!["10.0.0.0/8".parse().unwrap()];
    let at = pump.listen(&options);
    let mut peer = Peer::connect(at);
    let id = opened(&mut pump).id;
    peer.write(&proxy_headers()[0].0);
    assert_eq!(pump.closed(id).reason(), Some(Reason::OverLimit), "it is a frame like any other");

    let at = pump.listen(&proxied(Options {
        websocket: WebSocketOptions { upgrade_ms: 100, ..Default::default() },
        ..websocket()
    }));
    for (sent, reason) in [(&b"GET / HTTP/1.1\r\n\r\n"[..], Reason::FrameBad), (b"PROXY ", Reason::FirstFrameLate)] {
        let mut peer = Peer::connect(at);
        peer.write(sent);
        pump.until("it is closed", |pump| pump.reactor.counters().closed(reason) == 1);
    }
}

#[test]
fn connections_are_counted_by_who_is_behind_the_balancer() {
    let mut pump = Pump::default();
    let options = ListenOptions { per_address_max: 1, ..proxied(Options::new(Framing::parse("length:4be").unwrap())) };
    let at = pump.listen(&options);
    let mut peers = Vec::new();
    for (header, _) in proxy_headers() {
        let mut peer = Peer::connect(at);
        peer.write(&header);
        opened(&mut pump);
        peers.push(peer);
    }
    let mut again = Peer::connect(at);
    again.write(&proxy_headers()[0].0);
    pump.until("one is too many", |pump| pump.reactor.counters().closed(Reason::OverLimit) == 1);
    assert_eq!(pump.reactor.len(), 2);
}

/// One port for browsers and for others.
fn either() -> Options {
    let otherwise = Some(Arc::new(Options::new(Framing::parse("length:4be").unwrap())));
    with(WebSocketOptions { otherwise, upgrade_ms: 150, ..WebSocketOptions::default() })
}

#[test]
fn the_first_bytes_tell_a_websocket_from_another_framing() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(either()));
    let mut app = Peer::connect(at);
    app.write(b"\0");
    let id = opened(&mut pump).id;
    app.write(b"\0\0\x02hi");
    assert_eq!(pump.message(id), b"hi");
    pump.reactor.send(id, b"you").unwrap();
    pump.reactor.flush();
    assert_eq!(app.read(7), b"\0\0\0\x03you");
    let framing_of = |pump: &Pump, id| pump.reactor.framing(id).map(Framing::spec);
    assert_eq!(framing_of(&pump, id).as_deref(), Some("length:4be"));
    let role = |pump: &Pump, id| {
        let policy = pump.reactor.state(id).unwrap().policy.unwrap();
        pump.reactor.monitor().policy(policy).role
    };
    assert_eq!(role(&pump, id), Role::Answer, "nobody asks who has not agreed (L13)");

    for cut in 1..=4 {
        let mut page = Peer::connect(at);
        let bytes = bytes_of(&request_to(at));
        page.write(&bytes[..cut]);
        pump.during(Duration::from_millis(5));
        page.write(&bytes[cut..]);
        let id = opened(&mut pump).id;
        assert_eq!(framing_of(&pump, id).as_deref(), Some("websocket"), "cut at {cut}");
        assert_eq!(role(&pump, id), Role::Both);
    }

    let began = std::time::Instant::now();
    let mut mute = Peer::connect(at);
    let id = opened(&mut pump).id;
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_eq!(framing_of(&pump, id).as_deref(), Some("length:4be"), "it may have come to listen");
    mute.frame(b"after all");
    assert_eq!(pump.message(id), b"after all");

    let mut half = Peer::connect(at);
    half.write(b"GE");
    pump.during(Duration::from_millis(300));
    assert!(head(&mut half).starts_with("HTTP/1.1 408 "));
    assert_eq!(framing_of(&pump, heartline::reactor::ConnectionId::NONE), None);
}
