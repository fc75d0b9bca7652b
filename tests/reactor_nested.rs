//! R11: the reactor's descriptor in a foreign epoll loop: readable whenever poll has anything to do.
#![allow(unsafe_code)]

mod support;

use std::time::{Duration, Instant};

use heartline::liveness::Role;
use heartline::reactor::{Close, Config, ConnectionId, DrainOptions, Events, ListenOptions, Reason};
use nix::libc;
use support::{Peer, Pump, Told, What, framed, length, policy};

/// A foreign loop with nothing in it but the reactor.
struct Host {
    fd: i32,
    pump: Pump,
}

impl Host {
    fn new(mut pump: Pump) -> Self {
        let fd = pump.reactor.descriptor().unwrap();
        assert_eq!(pump.reactor.descriptor().unwrap(), fd, "it stays the same");
        Self { fd, pump }
    }

    /// Whether the descriptor becomes readable within this time.
    fn readable(&self, within: Duration) -> bool {
        let mut waited = libc::pollfd { fd: self.fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, on the stack for as long as the call lasts.
        let count = unsafe { libc::poll(&mut waited, 1, within.as_millis() as i32) };
        count > 0
    }

    /// As a host does it: sleeps on its own loop only, and polls the reactor with no patience when that says so.
    fn take(&mut self, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
        let until = Instant::now() + support::PATIENCE;
        let from = self.pump.history.len();
        loop {
            assert!(Instant::now() < until && self.readable(support::PATIENCE), "no {what}: it sleeps");
            self.pump.poll(Duration::ZERO);
            if let Some(told) = self.pump.history[from..].iter().find(|told| is_it(told)) {
                return told.clone();
            }
        }
    }

    /// Polls until the descriptor is quiet.
    fn settle(&mut self) {
        for _ in 0..100 {
            if !self.readable(Duration::ZERO) {
                return;
            }
            self.pump.poll(Duration::ZERO);
        }
        panic!("it is readable for ever");
    }
}

#[test]
fn it_is_readable_for_sockets_and_quiet_without_work() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let mut host = Host::new(pump);
    host.settle();
    assert!(!host.readable(Duration::from_millis(50)));
    let mut peer = Peer::connect(at);
    let id = host.take("Opened", Told::is_opened).id;
    host.settle();
    peer.frame(b"x");
    host.take("Message", |told| told.id == id && told.is_message());
    host.settle();
    assert!(!host.readable(Duration::from_millis(50)));
}

#[test]
fn it_is_readable_for_deadlines() {
    let mut pump = Pump::default();
    let watched = pump.reactor.define_policy(policy(Role::Ask, 600)).unwrap();
    let at = pump.listen(&ListenOptions::new(length().policy(watched)));
    let mut host = Host::new(pump);
    let peer = Peer::connect(at);
    let id = host.take("Opened", Told::is_opened).id;
    let began = Instant::now();
    let closed = host.take("Closed", |told| told.id == id && told.reason().is_some());
    assert_eq!(closed.reason(), Some(Reason::Silent));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(595) && took < Duration::from_secs(3), "{took:?}");
    assert!(host.pump.reactor.counters().asks_out >= 1, "it was asked on the way");
    drop(peer);
    host.settle();
}

#[test]
fn it_is_readable_for_deadlines_that_were_there_before_it_was_asked_for() {
    let mut pump = Pump::default();
    let watched = pump.reactor.define_policy(policy(Role::Watch, 300)).unwrap();
    let (_peer, id) = pump.peer(length().policy(watched));
    let mut host = Host::new(pump);
    host.take("Closed", |told| told.id == id && told.reason() == Some(Reason::Silent));
}

#[test]
fn it_is_readable_for_what_is_done_outside_of_a_poll() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let mut peers: Vec<_> = (0..2).map(|_| pump.join(at)).collect();
    let mut host = Host::new(pump);
    host.settle();

    // A send that was not flushed.
    let (peer, id) = &mut peers[0];
    host.pump.reactor.send(*id, b"unflushed").unwrap();
    assert!(host.readable(Duration::from_secs(5)), "send");
    host.pump.poll(Duration::ZERO);
    assert_eq!(peer.read_frame(), b"unflushed");
    host.settle();

    // A broadcast.
    host.pump.reactor.broadcast_all(None, None, b"all");
    assert!(host.readable(Duration::from_secs(5)), "broadcast");
    host.settle();

    // Reading again.
    let (peer, id) = &mut peers[0];
    host.pump.reactor.pause(*id);
    peer.frame(b"held back");
    host.settle();
    host.pump.reactor.resume(*id);
    let id = *id;
    host.take("Message", |told| told.id == id && told.is_message());
    host.settle();

    // A close.
    host.pump.reactor.close(id, Close::AtOnce, None).unwrap();
    host.take("Closed", |told| told.id == id && told.reason().is_some());
    host.settle();

    // A policy that is nearer than the old one.
    let (_, id) = peers[1];
    let watched = host.pump.reactor.define_policy(policy(Role::Watch, 200)).unwrap();
    assert!(host.pump.reactor.set_policy(id, watched));
    host.take("Closed", |told| told.id == id && told.reason() == Some(Reason::Silent));
    host.settle();

    // A dial, an adoption, a drain.
    let (listener, address) = support::raw_listener();
    let id = host.pump.reactor.connect(&address, &length(), 0).unwrap();
    host.take("Opened", |told| told.id == id && told.is_opened());
    drop(listener);
    host.settle();
    let (ours, _peer) = support::tcp_pair();
    let id = host.pump.reactor.adopt(ours.into(), &length(), 0, framed(b"inside"), &[]).unwrap();
    host.take("Message", |told| told.id == id && told.is_message());
    host.settle();
    host.pump.reactor.drain(DrainOptions { limit_ms: 200, ..Default::default() }).unwrap();
    host.take("Closed", |told| told.id == id && told.reason() == Some(Reason::Drained));
}

#[test]
fn it_is_readable_for_work_that_a_poll_left() {
    let pump = Pump::with_events(Config::default(), Events::with_capacity(1, 8 << 10));
    let mut host = Host::new(pump);
    let at = host.pump.listen(&ListenOptions::new(length()));
    let mut peer = Peer::connect(at);
    let id = host.take("Opened", Told::is_opened).id;
    for number in 0..50 {
        peer.frame(&[number]);
    }
    // One event per poll: the edge is long gone, the work is not.
    let began = Instant::now();
    for _ in 0..50 {
        host.take("Message", |told| told.id == id && told.is_message());
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    host.settle();
}

#[test]
fn it_is_readable_for_the_mailbox() {
    let mut pump = Pump::default();
    let mailbox = pump.reactor.mailbox().unwrap();
    let mut host = Host::new(pump);
    host.settle();
    mailbox.send(ConnectionId::NONE, b"x".to_vec()).unwrap();
    host.take("Unsent", |told| matches!(told.what, What::Unsent(_)));
    host.settle();
}

#[test]
fn the_wait_for_loops_that_take_a_timeout_is_right() {
    let mut pump = Pump::default();
    assert_eq!(pump.reactor.wait_ms(), None);
    let watched = pump.reactor.define_policy(policy(Role::Watch, 700)).unwrap();
    let (_peer, id) = pump.peer(length().policy(watched));
    let wait = pump.reactor.wait_ms().unwrap();
    assert!(wait > 0 && wait <= 304, "{wait}: suspect comes first, after 300 ms");
    pump.reactor.send(id, b"x").unwrap();
    assert_eq!(pump.reactor.wait_ms(), Some(0));
}
