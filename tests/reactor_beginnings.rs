//! R8, R14: how connections begin. Listening on every kind of address, dialling, what is told first.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use heartline::reactor::{Address, Config, EventKind, Events, ListenOptions, Reactor, Reason};
use support::{Peer, Pump, Told, What, framed, length, options, raw_listener, socket_path};

fn echoes_one(pump: &mut Pump, stream: &mut (impl Read + Write)) {
    let id = pump.take("Opened", Told::is_opened).id;
    stream.write_all(&framed(b"hello")).unwrap();
    let message = pump.message(id);
    assert_eq!(message, b"hello");
    pump.reactor.send(id, &message).unwrap();
    pump.reactor.flush();
    let mut back = [0; 9];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, framed(b"hello")[..]);
}

#[test]
fn it_listens_on_ipv4_and_says_which_port() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    assert!(at.is_ipv4() && at.port() != 0);
    echoes_one(&mut pump, &mut TcpStream::connect(at).unwrap());
    assert_eq!(pump.reactor.counters().accepted, 1);
}

#[test]
fn it_listens_on_ipv6() {
    let mut pump = Pump::default();
    let (listener, at) = pump.listen_at("[::1]:0", &ListenOptions::new(length()));
    assert!(at.is_ipv6());
    let mut stream = TcpStream::connect(at).unwrap();
    echoes_one(&mut pump, &mut stream);
    assert_eq!(pump.history[0].what, What::Opened(Some(listener)));
    let state = pump.reactor.state(pump.history[0].id).unwrap();
    assert_eq!(state.address, Some(stream.local_addr().unwrap()));
}

#[test]
fn it_listens_on_a_unix_socket_and_takes_the_file_away_with_it() {
    let path = socket_path("listen");
    let mut pump = Pump::default();
    let address: Address = format!("unix:{}", path.display()).parse().unwrap();
    let listener = pump.reactor.listen(&address, &ListenOptions::new(length())).unwrap();
    assert_eq!(pump.reactor.listener_address(listener).unwrap(), address);
    echoes_one(&mut pump, &mut UnixStream::connect(&path).unwrap());
    assert!(pump.reactor.stop_listening(listener));
    assert!(!path.exists());
    assert!(!pump.reactor.stop_listening(listener), "a listener stops once");
}

#[test]
fn it_listens_in_the_abstract_namespace_and_touches_no_file() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("heartline-abstract-{}", std::process::id());
    // A file of the same spelling is somebody else's.
    let bystander = format!("@{name}");
    std::fs::write(&bystander, b"mine").unwrap();
    let mut pump = Pump::default();
    let address: Address = format!("unix:@{name}").parse().unwrap();
    let listener = pump.reactor.listen(&address, &ListenOptions::new(length())).unwrap();
    assert_eq!(pump.reactor.listener_address(listener).unwrap(), address);
    let to = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    echoes_one(&mut pump, &mut UnixStream::connect_addr(&to).unwrap());
    pump.reactor.stop_listening(listener);
    let left = std::fs::read(&bystander);
    let _ = std::fs::remove_file(&bystander);
    assert_eq!(left.unwrap(), b"mine");
}

#[test]
fn an_abandoned_unix_socket_is_replaced_and_a_living_one_is_not() {
    let path = socket_path("abandoned");
    let address = Address::Unix(path.clone());
    let mut pump = Pump::default();
    drop(UnixListener::bind(&path).unwrap());
    let listener = pump.reactor.listen(&address, &ListenOptions::new(length())).expect("nobody listens there any more");
    let error = pump.reactor.listen(&address, &ListenOptions::new(length())).expect_err("we listen there");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    pump.reactor.stop_listening(listener);
}

#[test]
fn a_file_that_is_no_socket_is_never_replaced() {
    let path = socket_path("a-file");
    std::fs::write(&path, b"precious").unwrap();
    let mut pump = Pump::default();
    let outcome = pump.reactor.listen(&Address::Unix(path.clone()), &ListenOptions::new(length()));
    let left = std::fs::read(&path);
    let _ = std::fs::remove_file(&path);
    assert!(outcome.is_err());
    assert_eq!(left.unwrap(), b"precious");
}

#[test]
fn it_takes_over_an_inherited_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let address = Address::Inherited(listener.into_raw_fd());
    let mut pump = Pump::default();
    let listener = pump.reactor.listen(&address, &ListenOptions::new(length())).unwrap();
    assert_eq!(pump.reactor.listener_address(listener).unwrap(), Address::Tcp(at));
    echoes_one(&mut pump, &mut TcpStream::connect(at).unwrap());
}

#[test]
fn an_inherited_descriptor_that_does_not_listen_is_refused_and_left_open() {
    let mut pump = Pump::default();
    let mut listen = |fd| pump.reactor.listen(&Address::Inherited(fd), &ListenOptions::new(length()));
    assert!(listen(9_999).is_err(), "not open");
    let (ours, mut peer) = support::tcp_pair();
    assert!(listen(std::os::fd::AsRawFd::as_raw_fd(&ours)).is_err(), "connected, not listening");
    (&ours).write_all(b"still here").unwrap();
    assert_eq!(peer.read(10), b"still here");
}

#[test]
fn the_backlog_is_the_kernels_accept_queue() {
    let mut pump = Pump::default();
    let mut settings = ListenOptions::new(length());
    settings.backlog = 2;
    let at = pump.listen(&settings);
    // Nobody polls: the kernel completes backlog + 1 handshakes and lets the others wait.
    let mut waiting = 0;
    let dials: Vec<_> = (0..8).map(|_| TcpStream::connect_timeout(&at, Duration::from_millis(100))).collect();
    waiting += dials.iter().filter(|dial| dial.is_err()).count();
    assert_eq!(waiting, 8 - 3);
}

#[test]
fn two_reactors_share_a_port_only_when_both_say_so() {
    let mut settings = ListenOptions::new(length());
    let (mut first, mut second) = (Pump::default(), Pump::default());
    let alone = Address::Tcp(first.listen(&settings));
    assert!(second.reactor.listen(&alone, &settings).is_err());
    settings.reuse_port = true;
    let at = first.listen(&settings);
    second.reactor.listen(&Address::Tcp(at), &settings).unwrap();
    let peers: Vec<_> = (0..64).map(|_| Peer::connect(at)).collect();
    first.until("all are accepted, by both", |first| {
        second.poll(Duration::ZERO);
        let (a, b) = (first.reactor.len(), second.reactor.len());
        a + b == peers.len() && a > 0 && b > 0
    });
}

#[test]
fn nodelay_keepalive_and_buffers_are_set_as_the_options_say() {
    use nix::sys::socket::{getsockopt, sockopt};
    let (ours, _peer) = support::tcp_pair();
    let watch = ours.try_clone().unwrap();
    let mut options = options("raw");
    options.socket.keepalive = Some(heartline::reactor::Keepalive { idle_s: 7, interval_s: 3, count: 5 });
    options.socket.user_timeout_ms = 45_000;
    options.socket.send_buffer_bytes = 30_000;
    options.socket.receive_buffer_bytes = 20_000;
    let mut pump = Pump::default();
    let id = pump.reactor.adopt(ours.into(), &options, 0, Vec::new(), &[]).unwrap();
    let keepalive = || {
        let idle = getsockopt(&watch, sockopt::TcpKeepIdle).unwrap();
        let interval = getsockopt(&watch, sockopt::TcpKeepInterval).unwrap();
        let count = getsockopt(&watch, sockopt::TcpKeepCount).unwrap();
        (getsockopt(&watch, sockopt::KeepAlive).unwrap(), idle, interval, count)
    };
    assert!(getsockopt(&watch, sockopt::TcpNoDelay).unwrap());
    assert_eq!(keepalive(), (true, 7, 3, 5));
    // The kernel doubles what it is given.
    assert_eq!(getsockopt(&watch, sockopt::SndBuf).unwrap(), 2 * 30_000);
    assert_eq!(getsockopt(&watch, sockopt::RcvBuf).unwrap(), 2 * 20_000);
    assert_eq!(getsockopt(&watch, sockopt::TcpUserTimeout).unwrap(), 45_000, "nobody judges here");
    // L9: where a policy judges, the kernel's timeout is off, also when the policy comes later.
    let judged = pump.reactor.define_policy(heartline::liveness::Policy::im()).unwrap();
    assert!(pump.reactor.set_options(id, &options.policy(judged)).unwrap());
    assert_eq!(getsockopt(&watch, sockopt::TcpUserTimeout).unwrap(), 0);
}

#[test]
fn the_kernels_user_timeout_is_not_below_the_limit_of_output() {
    use nix::sys::socket::{getsockopt, sockopt};
    let (ours, _peer) = support::tcp_pair();
    let watch = ours.try_clone().unwrap();
    let mut options = options("raw");
    options.socket.user_timeout_ms = 10;
    options.limits.output_ms = 30_000;
    let mut pump = Pump::default();
    pump.reactor.adopt(ours.into(), &options, 0, Vec::new(), &[]).unwrap();
    assert_eq!(getsockopt(&watch, sockopt::TcpUserTimeout).unwrap(), 30_000);
    assert!(getsockopt(&watch, sockopt::KeepAlive).unwrap(), "L12: nobody judges, so the kernel probes");
}

#[test]
fn a_dial_opens_with_the_id_and_the_word_that_connect_gave() {
    let (listener, address) = raw_listener();
    let mut pump = Pump::default();
    let id = pump.reactor.connect(&address, &length(), 77).unwrap();
    assert!(pump.reactor.state(id).unwrap().dialling);
    let opened = pump.take("Opened", Told::is_opened);
    assert_eq!(opened, Told { id, user: 77, what: What::Opened(None) });
    let mut peer = Peer::over(listener.accept().unwrap().0);
    pump.reactor.send(id, b"hi").unwrap();
    pump.reactor.flush();
    assert_eq!(peer.read_frame(), b"hi");
    drop(peer);
    assert_eq!(pump.closed(id).reason(), Some(Reason::PeerClosed));
    assert_eq!(pump.of(id).len(), 2);
    assert_eq!(pump.reactor.counters().connected, 1);
}

#[test]
fn a_dialled_unix_socket_opens_too() {
    let path = socket_path("dial");
    let listener = UnixListener::bind(&path).unwrap();
    let mut pump = Pump::default();
    let id = pump.reactor.connect(&Address::Unix(path.clone()), &length(), 1).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(&framed(b"welcome")).unwrap();
    assert_eq!(pump.message(id), b"welcome");
    assert!(pump.history[0].is_opened());
    let _ = std::fs::remove_file(&path);
}

#[test]
fn what_the_peer_says_at_once_comes_behind_opened() {
    let (listener, address) = raw_listener();
    let mut pump = Pump::default();
    for _ in 0..20 {
        let id = pump.reactor.connect(&address, &length(), 0).unwrap();
        // Before the reactor polls, the greeting is there: one notification, readable and writable.
        let mut peer = Peer::over(listener.accept().unwrap().0);
        peer.frame(b"greeting");
        assert_eq!(pump.message(id), b"greeting");
        let told = pump.of(id);
        assert!(matches!(told[..], [What::Opened(None), What::Message { .. }]), "{told:?}");
    }
}

#[test]
fn a_peer_that_greets_and_leaves_at_once_is_told_whole() {
    let (listener, address) = raw_listener();
    let mut pump = Pump::default();
    let id = pump.reactor.connect(&address, &length(), 0).unwrap();
    let mut peer = Peer::over(listener.accept().unwrap().0);
    peer.frame(b"bye");
    drop(peer);
    pump.closed(id);
    let told = pump.of(id);
    assert!(matches!(told[..], [What::Opened(None), What::Message { .. }, What::Closed { .. }]), "{told:?}");
}

/// A full batch leaves an Opened for the next one: the application gives the newcomer its word before it is heard.
#[test]
fn nothing_else_is_told_of_a_newcomer_in_the_batch_of_its_opened() {
    let mut reactor = Reactor::new(Config::default()).unwrap();
    let listener = reactor.listen(&"127.0.0.1:0".parse().unwrap(), &ListenOptions::new(length())).unwrap();
    let Ok(Address::Tcp(at)) = reactor.listener_address(listener) else { panic!("no port") };
    let mut events = Events::with_capacity(8, 0);
    let mut talker = TcpStream::connect(at).unwrap();
    let wait = Some(Duration::from_secs(10));
    reactor.poll(&mut events, wait).unwrap();
    assert!(matches!(events.iter().next().unwrap().kind, EventKind::Opened { .. }));

    talker.write_all(&framed(b"talk").repeat(8)).unwrap();
    let newcomers = [(); 3].map(|()| TcpStream::connect(at).unwrap());
    for mut newcomer in &newcomers {
        newcomer.write_all(&framed(b"hello")).unwrap();
    }
    let (mut opened, mut heard) = (0, 0);
    while heard < 3 {
        reactor.poll(&mut events, wait).unwrap();
        assert!(!events.is_empty());
        for event in &events {
            match event.kind {
                EventKind::Opened { .. } => {
                    opened += 1;
                    assert!(reactor.set_user(event.id, 7));
                }
                EventKind::Message { message: b"hello", .. } => {
                    heard += 1;
                    assert_eq!(event.user, 7);
                }
                EventKind::Message { message, .. } => assert_eq!((message, opened), (&b"talk"[..], 0), "a full batch"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn what_is_sent_before_opened_leaves_first_and_in_order() {
    let (listener, address) = raw_listener();
    let mut pump = Pump::default();
    let id = pump.reactor.connect(&address, &length(), 0).unwrap();
    for number in 0..10 {
        pump.reactor.send(id, &[number]).unwrap();
    }
    let mut peer = Peer::over(listener.accept().unwrap().0);
    pump.take("Opened", Told::is_opened);
    pump.reactor.send(id, &[10]).unwrap();
    pump.reactor.flush();
    let got: Vec<_> = (0..=10).map(|_| peer.read_frame()[0]).collect();
    assert_eq!(got, (0..=10).collect::<Vec<u8>>());
}

#[test]
fn a_refused_dial_ends_in_connect_failed_alone() {
    let (listener, address) = raw_listener();
    drop(listener);
    let mut pump = Pump::default();
    let id = pump.reactor.connect(&address, &length(), 5).unwrap();
    pump.reactor.send(id, b"into the void").unwrap();
    let failed = pump.take("ConnectFailed", |told| told.id == id);
    assert_eq!(failed.what, What::ConnectFailed { reason: Reason::ConnectRefused, os_error: 111 });
    assert_eq!(failed.user, 5);
    let obituary = pump.reactor.obituary(id).expect("of the last poll").clone();
    assert_eq!((obituary.reason, obituary.os_error), (Reason::ConnectRefused, 111));
    assert_eq!(obituary.queued_bytes, 4 + 13);
    assert!(pump.reactor.state(id).is_none());
    assert_eq!(pump.reactor.counters().connect_failed, 1);
    assert_eq!(pump.reactor.counters().closed(Reason::ConnectRefused), 1);
    assert_eq!(pump.of(id).len(), 1);
    assert!(pump.reactor.is_empty());
}

#[test]
fn a_dial_that_nobody_answers_ends_in_time() {
    // A listener with a full queue drops what else comes: nobody says no.
    let mut host = Pump::default();
    let mut settings = ListenOptions::new(length());
    settings.backlog = 1;
    let at = host.listen(&settings);
    let _fill: Vec<_> = (0..6).map(|_| TcpStream::connect_timeout(&at, Duration::from_millis(50))).collect();
    let mut pump = Pump::default();
    let mut options = length();
    options.limits.connect_ms = 300;
    let began = Instant::now();
    let id = pump.reactor.connect(&Address::Tcp(at), &options, 0).unwrap();
    let failed = pump.take("ConnectFailed", |told| told.id == id);
    assert_eq!(failed.reason(), Some(Reason::ConnectTimeout));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn an_address_that_cannot_be_dialled_is_an_error_at_once() {
    let mut pump = Pump::default();
    assert!(pump.reactor.connect(&Address::Inherited(3), &length(), 0).is_err());
    assert!(pump.reactor.connect(&Address::Unix(socket_path("nobody")), &length(), 0).is_err());
    assert!(pump.reactor.is_empty());
    assert_eq!(pump.reactor.counters().connections_now, 0);
    assert!(pump.during(Duration::ZERO).is_empty());
}

#[test]
fn a_dial_can_be_given_up_and_then_it_has_failed() {
    let (_listener, address) = raw_listener();
    let mut pump = Pump::default();
    let id = pump.reactor.connect(&address, &length(), 0).unwrap();
    pump.reactor.close(id, heartline::reactor::Close::Flush, Some(300)).unwrap();
    let failed = pump.take("ConnectFailed", |told| told.id == id);
    assert_eq!(failed.reason(), Some(Reason::Application(300)));
    assert_eq!(pump.of(id).len(), 1);
}

#[test]
fn dials_count_against_connections_max() {
    let (_listener, address) = raw_listener();
    let mut pump = Pump::new(Config { connections_max: 2, ..Config::default() });
    pump.reactor.connect(&address, &length(), 0).unwrap();
    pump.reactor.connect(&address, &length(), 0).unwrap();
    assert!(pump.reactor.connect(&address, &length(), 0).is_err());
    assert_eq!(pump.reactor.len(), 2);
}

#[test]
fn connections_of_a_stopped_listener_live_on() {
    let mut pump = Pump::default();
    let (listener, at) = pump.listen_at("127.0.0.1:0", &ListenOptions::new(length()));
    let (mut peer, id) = pump.join(at);
    pump.reactor.stop_listening(listener);
    assert!(TcpStream::connect(at).is_err());
    peer.frame(b"here");
    assert_eq!(pump.message(id), b"here");
    assert!(pump.reactor.listener_address(listener).is_err());
}

#[test]
fn a_listener_can_change_what_its_next_connections_are_set_to() {
    let mut pump = Pump::default();
    let (listener, at) = pump.listen_at("127.0.0.1:0", &ListenOptions::new(length()));
    let (mut first, first_id) = pump.join(at);
    pump.reactor.set_listener_options(listener, &ListenOptions::new(options("delimiter:;"))).unwrap();
    let (mut second, second_id) = pump.join(at);
    second.write(b"one;two;");
    assert_eq!(pump.message(second_id), b"one");
    first.frame(b"as before;");
    assert_eq!(pump.message(first_id), b"as before;");
}
