//! A child that was forked, as Redis does to save, holds every descriptor of the server. When the server closes, the peer
//! must see it all the same (R7), and the server must not go on seeing the peer.
#![allow(unsafe_code, reason = "fork, and pidfd_getfd that makes what a fork would")]

mod support_system;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use heartline::frame::Framing;
use heartline::liveness::Policy;
use heartline::reactor::{
    Address, Close, Config, ConnectionId, EventKind, Events, ListenOptions, Options, Reactor, Reason,
};
use support_system::server::Server;
use support_system::{BEAT, kernel, ms, report};

/// A forked child that does nothing but hold descriptors. Killed when dropped.
struct Forked(libc::pid_t);

impl Forked {
    fn new() -> Self {
        // SAFETY: the child only calls pause(2) and _exit(2), which are async-signal-safe, whatever the other threads of
        // this process held at the fork.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            0 => loop {
                // SAFETY: see above. It ends when it is killed, or with its parent.
                unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    libc::pause();
                }
            },
            child => Self(child),
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        // SAFETY: our own child, waited for here and nowhere else.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

/// What the peer sees of a close: the time until its read said so, and whether as an end or as a reset.
fn sees_the_end(peer: &mut TcpStream) -> (Duration, ErrorKind) {
    peer.set_read_timeout(Some(ms(3000))).expect("a socket");
    let began = Instant::now();
    loop {
        match peer.read(&mut [0; 64]) {
            Ok(0) => return (began.elapsed(), ErrorKind::UnexpectedEof),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the peer does not see the close"),
            Err(error) => return (began.elapsed(), error.kind()),
        }
    }
}

/// A reactor in this process, `N` peers that are open, and a child forked while they were.
fn reactor_with<const N: usize>() -> (Reactor, Events, [(TcpStream, ConnectionId); N], Forked) {
    let mut reactor = Reactor::new(Config::default()).expect("a reactor");
    let policy = Policy::parse("role=answer,interval=300ms,suspect=500ms,timeout=1s").expect("a policy");
    let policy = reactor.define_policy(policy).expect("a sound policy");
    let options = Options::new(Framing::parse("length:4be").expect("a framing")).policy(policy);
    let listener =
        reactor.listen(&"127.0.0.1:0".parse().expect("an address"), &ListenOptions::new(options)).expect("a listener");
    let Ok(Address::Tcp(address)) = reactor.listener_address(listener) else { panic!("not TCP") };
    let mut events = Events::new();
    let peers = std::array::from_fn(|_| {
        let peer = TcpStream::connect(address).expect("a connection");
        loop {
            reactor.poll(&mut events, Some(ms(2000))).expect("a poll");
            assert!(!events.is_empty(), "nobody is accepted");
            for event in &events {
                if let EventKind::Opened { .. } = event.kind {
                    return (peer, event.id);
                }
            }
        }
    });
    let child = Forked::new();
    (reactor, events, peers, child)
}

#[test]
fn closed_by_the_application_while_a_forked_child_holds_the_descriptor() {
    let (mut reactor, mut events, [(mut flushed, a), (mut aborted, b)], _child) = reactor_with();
    reactor.close(a, Close::Flush, None).expect("it is live");
    reactor.close(b, Close::Abort, None).expect("it is live");
    reactor.poll(&mut events, Some(ms(10))).expect("a poll");
    let (took, how) = sees_the_end(&mut aborted);
    assert_eq!(how, ErrorKind::ConnectionReset, "an abort is a reset");
    let (flush_took, how) = sees_the_end(&mut flushed);
    assert_eq!(how, ErrorKind::UnexpectedEof, "a close after a flush is an end");
    report(&format!("a child holds both: reset seen after {took:?}, end after {flush_took:?}"));
    // The child still holds the sockets: nothing of them may wake the reactor, or it would spin.
    drop(flushed);
    let turns = reactor.counters().turns;
    for _ in 0..10 {
        reactor.poll(&mut events, Some(ms(20))).expect("a poll");
    }
    assert!(reactor.counters().turns - turns < 40, "a socket that was given up still wakes the reactor");
}

#[test]
fn declared_dead_while_a_forked_child_holds_the_descriptor() {
    let (mut reactor, mut events, [(mut peer, id)], _child) = reactor_with();
    let began = Instant::now();
    let reason = 'closed: loop {
        assert!(began.elapsed() < Duration::from_secs(5), "the silent peer is not found");
        reactor.poll(&mut events, Some(ms(100))).expect("a poll");
        for event in &events {
            if let EventKind::Closed { reason, .. } = event.kind {
                assert_eq!(event.id, id);
                break 'closed reason;
            }
        }
    };
    assert_eq!(reason, Reason::Silent);
    let (_, how) = sees_the_end(&mut peer);
    assert_eq!(how, ErrorKind::ConnectionReset, "a death is an abort (R7)");
    let port = peer.peer_addr().map_or(0, |address| address.port());
    let held = kernel::connections_of_port(port).into_iter().filter(|socket| socket.state != kernel::TcpState::Close);
    assert_eq!(held.collect::<Vec<_>>(), [], "the kernel keeps the dead one's socket");
}

/// The built server, whose descriptors this process takes copies of (pidfd_getfd): the same open files, as in a fork.
#[test]
fn the_server_ends_a_silent_peer_while_another_process_holds_its_descriptors() {
    support_system::require_root();
    let times = ["--interval", "500ms", "--suspect", "800ms", "--timeout", "1s"];
    let server = Server::serve(&[&["--role", "answer"][..], &times[..]].concat());
    let mut silent = TcpStream::connect(server.address).expect("a connection");
    let mut bad = TcpStream::connect(server.address).expect("a connection");
    for peer in [&mut silent, &mut bad] {
        peer.write_all(&BEAT).and_then(|()| peer.read_exact(&mut [0; 4])).expect("an answer");
    }
    let held = copies_of_all_sockets(server.pid());
    assert!(held.len() >= 3, "a listener and two connections");
    bad.write_all(&[0xFF; 8]).expect("it is open");
    sees_the_end(&mut bad);
    let (took, _) = sees_the_end(&mut silent);
    assert!(took <= ms(1400) + server.stalled(), "the silent peer saw its end after {took:?}");
    let used = kernel::cpu(server.pid());
    std::thread::sleep(ms(1000));
    let used = kernel::cpu(server.pid()) - used;
    assert!(used <= ms(50), "given-up sockets that somebody holds cost the server {used:?} in a second");
    drop(held);
}

/// Copies of every socket that a process has open.
fn copies_of_all_sockets(pid: u32) -> Vec<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers; the descriptor it returns is ours.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    assert!(process >= 0, "pidfd_open: {}", std::io::Error::last_os_error());
    // SAFETY: just opened, owned by nobody else.
    let process = unsafe { OwnedFd::from_raw_fd(process as i32) };
    let names = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("our child's descriptors");
    let sockets = names.filter_map(Result::ok).filter(|name| {
        std::fs::read_link(name.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    });
    let copy = |name: std::fs::DirEntry| {
        let number: i32 = name.file_name().to_string_lossy().parse().expect("a number");
        // SAFETY: pidfd_getfd takes three numbers and returns a new descriptor of ours.
        let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
        assert!(copy >= 0, "pidfd_getfd: {}", std::io::Error::last_os_error());
        // SAFETY: just opened, owned by nobody else.
        unsafe { OwnedFd::from_raw_fd(copy as i32) }
    };
    sockets.map(copy).collect()
}
