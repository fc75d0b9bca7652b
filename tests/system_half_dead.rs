//! Two peers that are half dead. Only receiving proves life (L1): one that beats but does not read lives on, however
//! full its buffers are; one that reads but never beats is dead, however much we write to it.

mod support_system;

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use heartline::frame::Framing;
use heartline::liveness::Policy;
use heartline::reactor::{Address, Config, EventKind, Events, Options, Reactor};
use support_system::server::Server;
use support_system::{BEAT, frame, ms, report, sleep_until};

const TIMEOUT: Duration = ms(2000);
const TIMES: [&str; 6] = ["--interval", "500ms", "--suspect", "1s", "--timeout", "2s"];

/// The kernel kills such a peer where TCP_USER_TIMEOUT is set: its window stays shut. So it must
/// not be set here, although the flag asks for it (L9).
#[test]
fn a_peer_that_beats_but_does_not_read_outlives_three_timeouts() {
    let arguments = ["--app", "broadcast", "--role", "answer", "--user-timeout", "1s", "--high-mark", "256K"];
    let server = Server::serve(&[&arguments[..], &TIMES[..]].concat());
    let mut peer = TcpStream::connect(server.address).expect("a connection");
    peer.set_nodelay(true).expect("a socket");
    let publisher = TcpStream::connect(server.address).expect("a connection");
    let over = Arc::new(AtomicBool::new(false));
    let publishes = std::thread::spawn({
        let (over, mut publisher) = (over.clone(), publisher);
        move || {
            // 16 MB a second: more than all buffers between server and peer hold, for as long as it takes.
            let news = frame(&[9; 32_000]);
            while !over.load(Ordering::Relaxed) {
                publisher.write_all(&news).expect("the publisher lives");
                std::thread::sleep(ms(2));
            }
            publisher
        }
    });
    let began = Instant::now();
    let mut beats = 0;
    while began.elapsed() < 3 * TIMEOUT + ms(700) {
        peer.write_all(&BEAT).unwrap_or_else(|error| panic!("after {beats} beats: {error}: {}", server.log.tail(3)));
        beats += 1;
        std::thread::sleep(ms(200));
    }
    over.store(true, Ordering::Relaxed);
    // It stays connected, so that no end is told but the peer's.
    let _publisher = publishes.join().expect("the publisher lives");
    assert!(server.closed().is_empty(), "a peer that beats was closed: {}", server.log.tail(3));
    // It reads again: whole messages, and among them an answer to each beat (R4).
    peer.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    let (mut answers, mut messages, mut head) = (0, 0, [0; 4]);
    while answers < beats {
        peer.read_exact(&mut head).unwrap_or_else(|error| panic!("after {answers} of {beats} answers: {error}"));
        match u32::from_be_bytes(head) {
            0 => answers += 1,
            32_000 => {
                peer.read_exact(&mut vec![0; 32_000]).expect("a whole message");
                messages += 1;
            }
            length => panic!("a frame of {length} bytes: the stream is torn"),
        }
    }
    assert!(messages * 32_000 > 256 << 10, "the outbox was never full");
    drop(peer);
    let summary = server.finish();
    assert!(summary["messages_refused"].as_u64() > Some(0), "the outbox was never full: {summary}");
    report(&format!("{beats} beats answered behind {messages} unread messages, after {:?}", began.elapsed()));
}

/// A worse one: both windows shut, so that its beats do not even reach the server.
#[test]
fn a_peer_whose_beats_wait_behind_echoes_that_it_does_not_read_outlives_three_timeouts() {
    let arguments = ["--app", "echo", "--role", "answer", "--user-timeout", "1s", "--high-mark", "64K"];
    let server = Server::serve(&[&arguments[..], &TIMES[..]].concat());
    let mut peer = TcpStream::connect(server.address).expect("a connection");
    peer.set_nodelay(true).expect("a socket");
    let began = Instant::now();
    // Echoes that it does not read, until the server's outbox is over its mark, reading is paused and both windows are
    // shut: what is in the kernel's buffers cannot be less than this.
    peer.set_nonblocking(true).expect("a socket");
    let message = frame(&[7; 60_000]);
    let mut sent = 0;
    let mut rest: &[u8] = &[];
    let mut stuck_since = Instant::now();
    while stuck_since.elapsed() < ms(300) {
        if rest.is_empty() {
            rest = &message;
        }
        match peer.write(rest) {
            Ok(count) => {
                (sent, rest, stuck_since) = (sent + count, &rest[count..], Instant::now());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(ms(5)),
            Err(error) => panic!("the server ended a peer that does not read: {error}"),
        }
        assert!(sent < 256 << 20, "the server takes echoes without end for a peer that does not read");
    }
    // From here on not one byte gets through, in either direction. What the peer would beat waits in its own kernel; the
    // server's socket is full of bytes of a living peer, whose reading the server itself has paused (L10).
    while began.elapsed() < 3 * TIMEOUT + ms(500) {
        assert!(server.closed().is_empty(), "a living peer was closed: {}", server.log.tail(3));
        std::thread::sleep(ms(100));
    }
    // It reads again: every echo comes, and an answer to a beat.
    let mut reader = peer.try_clone().expect("a socket");
    reader.set_nonblocking(false).expect("a socket");
    reader.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    let tail = [rest, &BEAT].concat();
    let frames = (sent + rest.len()) / message.len();
    let writer = std::thread::spawn(move || peer.write_all(&tail));
    // The answer may overtake echoes, since control goes first, but stands between frames (R4).
    let (mut echoes, mut answers, mut head) = (0, 0, [0; 4]);
    let mut echo = vec![0; message.len() - head.len()];
    while echoes < frames || answers < 1 {
        reader.read_exact(&mut head).unwrap_or_else(|error| panic!("after {echoes} of {frames} echoes: {error}"));
        if head == BEAT {
            answers += 1;
            continue;
        }
        reader.read_exact(&mut echo).unwrap_or_else(|error| panic!("in echo {echoes} of {frames}: {error}"));
        assert!([&head[..], &echo].concat() == message, "echo {echoes} of {frames} is not what was sent");
        echoes += 1;
    }
    assert_eq!((echoes, answers), (frames, 1));
    writer.join().expect("no panic").expect("the rest is taken");
    report(&format!("{frames} echoes of {} bytes came after {:?} without reading", message.len(), began.elapsed()));
}

/// The same with a window that is merely never emptied: beats go on and each is read by the server, whose answers fill
/// the peer's buffer.
#[test]
fn a_peer_that_beats_without_pause_and_reads_no_answer_outlives_three_timeouts() {
    let server = Server::serve(&[&["--role", "answer", "--app", "discard"][..], &TIMES[..]].concat());
    let mut peer = TcpStream::connect(server.address).expect("a connection");
    peer.set_write_timeout(Some(ms(100))).expect("a socket");
    let (began, mut sent) = (Instant::now(), 0_u64);
    let many = BEAT.repeat(1024);
    while began.elapsed() < 3 * TIMEOUT + ms(500) {
        match peer.write(&many) {
            // Cut anywhere: what follows goes on with the same bytes, all of them zero.
            Ok(count) => sent += count as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("a peer that beats was closed: {error}: {}", server.log.tail(3)),
        }
    }
    assert!(server.closed().is_empty(), "a peer that beats was closed: {}", server.log.tail(3));
    let beats = sent / 4;
    // R4: what is owed is bounded, and nothing owed is dropped: every whole beat is answered once it reads.
    let resident_kib = support_system::kernel::resident_kib(server.pid());
    assert!(resident_kib < 64 << 10, "answers that nobody reads take {resident_kib} KiB");
    peer.shutdown(std::net::Shutdown::Write).expect("a socket");
    let mut answers = 0;
    let mut buffer = vec![0; 1 << 16];
    peer.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    loop {
        match peer.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answers += count as u64,
            Err(error) => panic!("after {answers} bytes of answers to {beats} beats: {error}"),
        }
    }
    assert_eq!(answers / 4, beats, "answers to {beats} beats");
    report(&format!("{beats} beats unread for {:?}, all answered, server at {resident_kib} KiB", began.elapsed()));
}

#[test]
fn a_peer_that_reads_but_never_beats_is_dead_at_the_timeout() {
    let server = Server::serve(&[&["--app", "broadcast", "--role", "answer"][..], &TIMES[..]].concat());
    let mut mute = TcpStream::connect(server.address).expect("a connection");
    let connected = Instant::now();
    let mut publisher = TcpStream::connect(server.address).expect("a connection");
    mute.set_read_timeout(Some(ms(50))).expect("a socket");
    let (mut got, mut next, mut buffer) = (0, Instant::now(), [0; 4096]);
    let ended = loop {
        if Instant::now() >= next {
            publisher.write_all(&frame(b"news")).expect("the publisher lives");
            next += ms(200);
        }
        match mute.read(&mut buffer) {
            Ok(0) => break Instant::now(),
            Ok(count) => got += count / 8,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break Instant::now(),
        }
        assert!(connected.elapsed() < 3 * TIMEOUT, "it never beats and is not found dead");
    };
    let whose = HashSet::from([mute.local_addr().expect("connected")]);
    let closed = server.wait_closed(&whose, 1, Duration::from_secs(2)).remove(0);
    assert_eq!(closed.reason, "silent", "{closed:?}");
    assert!(closed.silence_ms >= 2000 && closed.overshoot_ms <= 100, "{closed:?}");
    assert!(ended - connected <= TIMEOUT + ms(350) + server.stalled(), "found {:?} after the open", ended - connected);
    assert!(got >= 8, "it read only {got} messages: nothing was written to it");
    sleep_until(ended + ms(500));
    assert_eq!(server.closed().len(), 1, "the publisher was closed too");
}

/// Both ends are Heartline with the roles of the defaults, `ask` here and `answer` there, and the server writes more often
/// than the client's interval. By L2 alone the client would never fall due to ask, send nothing, and be found silent: it
/// asks because it has sent nothing for an interval itself.
#[test]
fn a_client_that_only_listens_to_a_server_that_never_falls_silent_lives() {
    let server = Server::serve(&[&["--app", "broadcast", "--role", "answer"][..], &TIMES[..]].concat());
    let mut publisher = TcpStream::connect(server.address).expect("a connection");
    let mut client = Reactor::new(Config::default()).expect("a reactor");
    let policy = Policy::parse("role=ask,interval=500ms,suspect=1s,timeout=2s").expect("a policy");
    let policy = client.define_policy(policy).expect("a sound policy");
    let options = Options::new(Framing::parse("length:4be").expect("a framing")).policy(policy);
    client.connect(&Address::Tcp(server.address), &options, 0).expect("a dial");
    let mut events = Events::new();
    let began = Instant::now();
    while began.elapsed() < 3 * TIMEOUT {
        publisher.write_all(&frame(b"news")).expect("the publisher lives");
        client.poll(&mut events, Some(ms(200))).expect("a poll");
        for event in &events {
            assert!(
                !matches!(event.kind, EventKind::Closed { .. }),
                "after {:?}: {}",
                began.elapsed(),
                server.log.tail(1)
            );
        }
        std::thread::sleep(ms(50));
    }
}
