//! Memory under hostile peers: readers that do not read a broadcast, and peers that begin frames and never end them.
//! Marks fire, caps hold, and what was given is given back.

mod support_system;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use heartline::frame::Framing;
use heartline::reactor::{Address, Config, EventKind, Events, ListenOptions, Marks, Options, Reactor, SendError};
use support_system::holder::Holder;
use support_system::server::Server;
use support_system::{BEAT, frame, kernel, ms, report, wait_until};

const KIB: usize = 1024;

/// Each mark of one connection, and the cap of all together, in a reactor of this process.
#[test]
fn marks_fire_for_slow_readers_of_a_broadcast_and_the_cap_of_all_holds() {
    const READERS: usize = 30;
    /// Ten of them reach their marks; then the others come, and all together reach the cap before they reach theirs.
    const FIRST: usize = 10;
    const HIGH: usize = 256 * KIB;
    const CAP: usize = 4 << 20;
    let mut reactor = Reactor::new(Config { outbox_bytes_max: CAP, ..Config::default() }).expect("a reactor");
    let mut options = Options::new(Framing::parse("length:4be").expect("a framing"));
    options.marks = Marks { high_bytes: HIGH as u32, low_bytes: 64 << 10, ..Marks::default() };
    options.socket.send_buffer_bytes = 64 << 10;
    let listener =
        reactor.listen(&"127.0.0.1:0".parse().expect("an address"), &ListenOptions::new(options)).expect("a listener");
    let Ok(Address::Tcp(address)) = reactor.listener_address(listener) else { panic!("not TCP") };
    let mut readers: Vec<TcpStream> = Vec::new();
    let mut events = Events::new();
    let (mut opened, mut full, mut drained) = (0, 0, 0);
    let news = vec![5; 16 * KIB];
    let (mut refused, mut capped, mut most) = (0, 0, 0);
    let began = Instant::now();
    while capped < 100 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{refused} refused by marks, {capped} by the cap, {full} Full"
        );
        if readers.len() == opened && (opened == 0 || opened == FIRST && full == FIRST) {
            let more = if opened == 0 { FIRST } else { READERS - FIRST };
            readers.extend((0..more).map(|_| TcpStream::connect(address).expect("a connection")));
        }
        reactor.poll(&mut events, Some(ms(1))).expect("a poll");
        for event in &events {
            match event.kind {
                EventKind::Opened { .. } => opened += 1,
                EventKind::Full { queued_bytes } => {
                    assert!(queued_bytes as usize <= HIGH + 2 * news.len(), "{queued_bytes} queued at Full");
                    full += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        if opened == readers.len() {
            for (_, error) in reactor.broadcast_all(None, None, &news).refused {
                match error {
                    SendError::Full { high_bytes: HIGH, .. } => refused += 1,
                    SendError::ReactorFull { outbox_bytes_max: CAP } => capped += 1,
                    other => panic!("{other}"),
                }
            }
            reactor.flush();
            most = most.max(reactor.counters().outbox_bytes_now as usize);
            assert!(most <= CAP, "outboxes hold {most} bytes; their cap is {CAP}");
        }
    }
    assert!((FIRST..=READERS).contains(&full) && refused > FIRST, "Full is told once until Drained: {full}, {refused}");
    // They read: Drained for each that was full, and all is sent.
    for reader in &mut readers {
        reader.set_nonblocking(true).expect("a socket");
    }
    let mut buffer = vec![0; 64 * KIB];
    let began = Instant::now();
    while drained < full || reactor.counters().outbox_bytes_now > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "{drained} of {full} drained");
        for reader in &mut readers {
            if let Err(error) = reader.read(&mut buffer) {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
        }
        reactor.poll(&mut events, Some(ms(1))).expect("a poll");
        drained += events.iter().filter(|event| matches!(event.kind, EventKind::Drained)).count();
    }
    assert_eq!(drained, full, "Drained follows Full");
    report(&format!("{READERS} slow readers: {full} Full, {drained} Drained, at most {most} bytes of {CAP} queued"));
}

/// The built server: slow readers cost it their marks, the fast reader misses nothing, and torn frames reach nobody.
#[test]
fn slow_readers_of_a_broadcast_cost_the_server_their_marks_and_the_fast_one_nothing() {
    const SLOW: usize = 50;
    const MESSAGES: u32 = 2000;
    const BYTES: usize = 32 * KIB;
    const HIGH_KIB: u64 = 256;
    let server = Server::serve(&["--app", "broadcast", "--role", "answer", "--high-mark", "256K"]);
    let mut slow: Vec<_> = (0..SLOW).map(|_| TcpStream::connect(server.address).expect("a connection")).collect();
    let mut fast = TcpStream::connect(server.address).expect("a connection");
    let mut publisher = TcpStream::connect(server.address).expect("a connection");
    for stream in slow.iter_mut().chain([&mut fast, &mut publisher]) {
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        stream.write_all(&BEAT).and_then(|()| stream.read_exact(&mut [0; 4])).expect("accepted and answered");
    }
    let before_kib = kernel::resident_kib(server.pid());
    let message = |number: u32| [&number.to_be_bytes()[..], &vec![0; BYTES - 4]].concat();
    let mut got = vec![0; 4 + BYTES];
    for number in 0..MESSAGES {
        publisher.write_all(&frame(&message(number))).expect("the publisher lives");
        // In step with the fast reader: it never has more than one message to read.
        fast.read_exact(&mut got).unwrap_or_else(|error| panic!("the fast reader at {number}: {error}"));
        assert!(got == frame(&message(number)), "the fast reader got something else than message {number}");
    }
    let peak_kib = kernel::peak_resident_kib(server.pid());
    // A queue's memory is at most twice what it holds.
    let allowed_kib = before_kib + SLOW as u64 * 2 * HIGH_KIB + (8 << 10);
    assert!(peak_kib <= allowed_kib, "{peak_kib} KiB for {SLOW} slow readers; {allowed_kib} are allowed");
    assert!(server.closed().is_empty(), "a slow reader was closed: {}", server.log.tail(3));

    // One of them reads at last: whole messages, in order, with gaps, and it is served on.
    let reader = &mut slow[0];
    let (mut last, mut count, mut next) = (None, 0, MESSAGES);
    reader.set_read_timeout(Some(ms(300))).expect("a socket");
    loop {
        match reader.read_exact(&mut got) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && next == MESSAGES => {
                publisher.write_all(&frame(&message(next))).expect("the publisher lives");
                next += 1;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("after {count} messages: {error}"),
        }
        let number = u32::from_be_bytes([got[4], got[5], got[6], got[7]]);
        assert!(got == frame(&message(number)), "a torn frame after {count} messages");
        assert!(last < Some(number), "{number} after {last:?}");
        (last, count) = (Some(number), count + 1);
    }
    assert_eq!(last, Some(MESSAGES), "it reads again, and gets what is new");
    assert!(count < MESSAGES, "it got all {count}: nothing was refused and this test showed nothing");
    drop((slow, fast, publisher));
    let summary = server.finish();
    assert!(summary["messages_refused"].as_u64() > Some(0), "{summary}");
    report(&format!("{SLOW} slow readers, {MESSAGES} × 32 KiB: peak {peak_kib} KiB, was {before_kib} KiB before"));
}

/// F2: 10,000 × 64 KiB less a byte is 640 MB of promises kept but for the last byte; the cap is 256 MiB.
#[test]
fn ten_thousand_frames_without_their_last_byte_stay_under_the_cap() {
    const PEERS: usize = 10_000;
    const CAP_KIB: u64 = 256 << 10;
    kernel::require_descriptors(PEERS as u64 + 200);
    let server = Server::serve(&["--app", "discard", "--role", "answer", "--frame", "length:4be,max=64K"]);
    let mut holder = Holder::start(server.address);
    assert_eq!(holder.open(PEERS), PEERS);
    holder.send(&BEAT);
    assert_eq!(holder.receive_beats(Duration::from_secs(10)), PEERS);
    let idle_kib = kernel::resident_kib(server.pid());
    let unfinished = [&(64 * KIB as u32).to_be_bytes()[..], &vec![1; 64 * KIB - 1]].concat();
    holder.send(&unfinished);
    let over = || server.log.events("closed").len();
    let mut last = (over(), Instant::now());
    wait_until(Duration::from_secs(20), "the server has read all of it", || {
        if over() != last.0 {
            last = (over(), Instant::now());
        }
        last.1.elapsed() > ms(700)
    });
    let peak_kib = kernel::peak_resident_kib(server.pid());
    let closed = server.closed();
    assert!(closed.iter().all(|closed| closed.reason == "over_limit"), "{}", server.log.tail(3));
    let survivors = PEERS - closed.len();
    let fit = CAP_KIB as usize / 64;
    assert!(closed.len() >= PEERS - fit, "{survivors} unfinished frames of 64 KiB are held; {fit} fit the cap");
    assert!(survivors >= fit / 2, "only {survivors} of {fit} that fit were kept");
    let allowed_kib = idle_kib + CAP_KIB + CAP_KIB / 5 + (16 << 10);
    assert!(peak_kib <= allowed_kib, "a peak of {peak_kib} KiB; {allowed_kib} are allowed");
    // Those that were kept are whole with one more byte.
    holder.send(&[1]);
    holder.send(&BEAT);
    let answered = holder.receive_beats(Duration::from_secs(5));
    assert_eq!(answered, survivors, "who was kept goes on");
    holder.kill();
    wait_until(Duration::from_secs(10), "all have ended", || over() == PEERS);
    let after_kib = kernel::resident_kib(server.pid());
    let summary = server.finish();
    assert_eq!(summary["messages_in"].as_u64(), Some(survivors as u64), "{summary}");
    assert_eq!(summary["partial_bytes_now"].as_u64(), Some(0), "{summary}");
    report(&format!(
        "{PEERS} unfinished frames: {survivors} kept, {} closed, peak {} MiB (idle {} MiB, after {} MiB)",
        closed.len(),
        peak_kib >> 10,
        idle_kib >> 10,
        after_kib >> 10
    ));
}
