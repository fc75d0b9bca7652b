//! WebSocket against peers that break the rules, or keep to them as no honest peer would (F2, F4, R4, L10), over real
//! sockets: what the usual conformance suites leave out.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use heartline::frame::websocket::upgrade::{Acceptance, HEAD_BYTES_MAX, HEADERS_MAX, Request, accept};
use heartline::frame::{FrameError, WebSocketFault};
use heartline::reactor::{Close, ClosedBy, ConnectionId, ListenOptions, Obituary, Options, Reason, SendError};
use nix::time::{ClockId, clock_gettime};
use support::websocket::{
    BINARY, BINARY_BEGUN, CLOSE, LAST, MORE, PING, PONG, REQUEST, TEXT, TEXT_BEGUN, from_client, from_server, goodbye,
    header, websocket,
};
use support::{Peer, Pump, What, raw_listener};

/// Polls until the end is told; all that is known of it.
fn obituary(pump: &mut Pump, id: ConnectionId) -> Obituary {
    pump.until("its end is told", |pump| pump.reactor.obituary(id).is_some());
    pump.reactor.obituary(id).unwrap().clone()
}

fn fault(fault: WebSocketFault, at: usize) -> FrameError {
    FrameError::WebSocket { fault, at }
}

/// What a client sends, and what is said of it.
fn offences() -> Vec<(Vec<u8>, FrameError)> {
    use WebSocketFault as Fault;
    let begun = from_client(TEXT_BEGUN, b"ab");
    let within = begun.len();
    let close_at = from_client(CLOSE, b"").len();
    let mut all = vec![
        (from_client(0x83, b""), fault(Fault::Opcode { opcode: 3 }, 0)),
        (from_client(0x87, b""), fault(Fault::Opcode { opcode: 7 }, 0)),
        (from_client(0x8b, b""), fault(Fault::Opcode { opcode: 11 }, 0)),
        (from_client(0x8f, b""), fault(Fault::Opcode { opcode: 15 }, 0)),
        (from_client(LAST, b"x"), fault(Fault::NoMessage, 0)),
        (from_client(MORE, b""), fault(Fault::NoMessage, 0)),
        ([&begun[..], &from_client(TEXT, b"x")].concat(), fault(Fault::MessageUnfinished, within)),
        (from_client(0x09, b""), fault(Fault::ControlFragmented, 0)),
        (from_client(0x08, b""), fault(Fault::ControlFragmented, 0)),
        (from_client(PING, &[0; 126]), fault(Fault::ControlTooLong, 1)),
        // Lengths in more bytes than they need, up to the last that would fit in fewer.
        (header(TEXT, true, 2, 0), fault(Fault::LengthNotMinimal, 2)),
        (header(TEXT, true, 2, 125), fault(Fault::LengthNotMinimal, 2)),
        (header(TEXT, true, 8, 0), fault(Fault::LengthNotMinimal, 2)),
        (header(TEXT, true, 8, 125), fault(Fault::LengthNotMinimal, 2)),
        (header(TEXT, true, 8, 0xffff), fault(Fault::LengthNotMinimal, 2)),
        (header(TEXT, true, 8, 1 << 63), fault(Fault::LengthTopBit, 2)),
        (header(TEXT, true, 8, u64::MAX), fault(Fault::LengthTopBit, 2)),
        (from_client(TEXT, b"ab\xff"), fault(Fault::NotText, 2)),
        (from_client(TEXT, b"\xed\xa0\x80"), fault(Fault::NotText, 0)),
        // Only begun, and no text already.
        (from_client(TEXT_BEGUN, b"a\xc0"), fault(Fault::NotText, 1)),
        ([&begun[..], &from_client(LAST, b"\xce")].concat(), fault(Fault::NotText, 2)),
        (from_client(CLOSE, b"\x03"), fault(Fault::CloseBody, close_at)),
        (from_client(CLOSE, b"\x03\xe8\xff"), fault(Fault::CloseReason, close_at + 2)),
    ];
    // One bit at a time, also on control frames.
    for bit in [0x40, 0x20, 0x10] {
        for first in [TEXT, BINARY, PING, CLOSE] {
            all.push((from_client(first | bit, b""), fault(Fault::ReservedBits, 0)));
        }
    }
    for first in [TEXT, BINARY, PING, PONG, CLOSE, TEXT_BEGUN] {
        all.push((from_server(first, b"hello"), fault(Fault::Unmasked, 1)));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        all.push((goodbye(code), fault(Fault::CloseCode { code }, close_at)));
    }
    // Over the limit, but not over what a length can say: refused at the header.
    for length in [65_537, 1 << 31, 1 << 32, 1 << 40, (1 << 63) - 1] {
        let error = FrameError::TooLarge { limit: 65_536, length, at: 1 };
        all.push((header(BINARY, true, 8, length), error));
        let error = FrameError::TooLarge { limit: 65_536, length: length.saturating_add(2), at: within + 1 };
        all.push(([&begun[..], &header(LAST, true, 8, length)].concat(), error));
    }
    all
}

/// Whole, and a byte at a time: with the first byte that is wrong, and nothing reserved for what a header promises.
#[test]
fn each_offence_is_answered_with_its_code_and_named_in_the_obituary() {
    for (bytes, error) in offences() {
        for in_pieces in [false, true] {
            let mut pump = Pump::default();
            let (mut peer, id) = pump.upgraded(websocket("64K"));
            let before = pump.reactor.counters().bytes_in;
            if in_pieces {
                for (at, byte) in bytes.iter().enumerate() {
                    peer.write(&[*byte]);
                    pump.has_read(before + at as u64 + 1);
                }
            } else {
                peer.write(&bytes);
            }
            pump.until("it is closing", |pump| {
                assert!(pump.reactor.counters().partial_bytes_now < 1024, "{bytes:02x?}");
                pump.reactor.state(id).is_some_and(|state| state.closing)
            });
            peer.is_told(error.close_status());
            drop(peer);
            let obituary = obituary(&mut pump, id);
            let reason = if error.is_over_limit() { Reason::OverLimit } else { Reason::FrameBad };
            let seen = (obituary.reason, obituary.frame_error, obituary.closed_by);
            assert_eq!(seen, (reason, Some(error), ClosedBy::Heartline), "{bytes:02x?}");
            assert_eq!(pump.of(id).len(), 2, "Opened and Closed: {:?}", pump.of(id));
        }
    }
}

/// RFC 6455 section 5.1: a client fails the connection as well.
#[test]
fn a_server_that_masks_is_told_so() {
    let mut pump = Pump::default();
    let (mut server, id) = dialled(&mut pump);
    server.write(&from_client(TEXT, b"hello"));
    pump.until("it is closing", |pump| pump.reactor.state(id).is_some_and(|state| state.closing));
    let mut goodbye = server.read(8);
    assert_eq!(&goodbye[..2], &[CLOSE, 0x82], "masked");
    for at in 0..2 {
        goodbye[6 + at] ^= goodbye[2 + at];
    }
    assert_eq!(&goodbye[6..], 1002_u16.to_be_bytes());
    drop(server);
    let obituary = obituary(&mut pump, id);
    assert_eq!(obituary.reason, Reason::FrameBad);
    assert_eq!(obituary.frame_error, Some(fault(WebSocketFault::Masked, 1)));
}

/// A server by hand, to which the reactor has dialled and upgraded.
fn dialled(pump: &mut Pump) -> (Peer, ConnectionId) {
    let (listener, address) = raw_listener();
    let id = pump.reactor.connect(&address, &websocket("64K"), 0).unwrap();
    pump.until("it is dialled", |pump| pump.reactor.counters().connected == 1);
    let mut server = Peer::over(listener.accept().unwrap().0);
    pump.during(Duration::from_millis(10));
    let request = server.http_head();
    let mut answer = Vec::new();
    accept(&Request::read(request.as_bytes()).unwrap(), &Acceptance::default(), &mut answer).unwrap();
    server.write(&answer);
    assert_eq!(pump.take("Opened", support::Told::is_opened).id, id);
    (server, id)
}

#[test]
fn a_server_that_answers_without_end_or_in_another_tongue_is_a_failed_connect_at_once() {
    let lines = |count: usize| format!("HTTP/1.1 101 x\r\n{}\r\n", "X: \r\n".repeat(count)).into_bytes();
    // The last is an alert of TLS.
    for answer in [vec![b'a'; HEAD_BYTES_MAX], lines(HEADERS_MAX + 1), b"\x15\x03\x01\0\x02\x02\x46".to_vec()] {
        let mut pump = Pump::default();
        let (listener, address) = raw_listener();
        let id = pump.reactor.connect(&address, &websocket("64K"), 0).unwrap();
        pump.until("it is dialled", |pump| pump.reactor.counters().connected == 1);
        let mut server = Peer::over(listener.accept().unwrap().0);
        let began = Instant::now();
        server.write(&answer);
        let failed = pump.take("the failure", |told| matches!(told.what, What::ConnectFailed { .. }));
        assert_eq!((failed.id, failed.reason()), (id, Some(Reason::UpgradeRefused)), "{} bytes", answer.len());
        assert!(began.elapsed() < Duration::from_secs(5), "not only at connect_ms");
        assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
    }
}

fn request_with(more: &str) -> Vec<u8> {
    format!("{}{more}\r\n", REQUEST.strip_suffix("\r\n").unwrap()).into_bytes()
}

fn request_of_lines(count: usize) -> Vec<u8> {
    // The request line and the empty one are none.
    let has = REQUEST.lines().count() - 2;
    request_with(&(has..count).map(|at| format!("X-{at}: \r\n")).collect::<String>())
}

fn request_of_bytes(count: usize) -> Vec<u8> {
    let empty = request_with("X: \r\n").len();
    request_with(&format!("X: {}\r\n", "x".repeat(count - empty)))
}

#[test]
fn a_head_may_have_so_many_lines_and_bytes_and_not_one_more() {
    for (request, status) in [
        (request_of_lines(HEADERS_MAX), "101"),
        (request_of_lines(HEADERS_MAX + 1), "431"),
        (request_of_bytes(HEAD_BYTES_MAX), "101"),
        (request_of_bytes(HEAD_BYTES_MAX + 1), "431"),
        // A bomb has no end.
        (request_of_bytes(HEAD_BYTES_MAX)[..HEAD_BYTES_MAX - 2].repeat(20), "431"),
    ] {
        let mut pump = Pump::default();
        let at = pump.listen(&ListenOptions::new(websocket("64K")));
        let mut peer = Peer::connect(at);
        peer.write(&request);
        pump.until("it is answered", |pump| pump.reactor.counters().bytes_out > 0);
        let answer = peer.http_head();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{} bytes: {answer}", request.len());
        assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
    }
}

/// The limit is of the whole upgrade: bytes do not prolong it.
#[test]
fn a_request_of_one_byte_every_ten_milliseconds_is_refused_at_the_limit() {
    const LIMIT: Duration = Duration::from_millis(300);
    let mut pump = Pump::default();
    let mut options = websocket("64K");
    options.websocket.upgrade_ms = LIMIT.as_millis() as u32;
    let at = pump.listen(&ListenOptions::new(options));
    let mut peer = Peer::connect(at);
    let (began, mut sent) = (Instant::now(), 0);
    while pump.reactor.counters().bytes_out == 0 {
        peer.write(&REQUEST.as_bytes()[sent..=sent]);
        sent += 1;
        pump.during(Duration::from_millis(10));
    }
    // Not before it: the connection was accepted after `began`.
    assert!(began.elapsed() >= LIMIT, "{:?} and {sent} bytes", began.elapsed());
    assert!(sent < 40, "{sent} bytes of {} were waited for", REQUEST.len());
    assert!(peer.http_head().starts_with("HTTP/1.1 408 "));
}

#[test]
fn what_is_no_http_is_answered_in_http_and_ended() {
    // The beginning of a TLS 1.3 ClientHello, for who takes ws:// for wss://.
    let hello = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[0xa5; 194]].concat();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for bytes in [hello, preface] {
        let mut pump = Pump::default();
        let at = pump.listen(&ListenOptions::new(websocket("64K")));
        let mut peer = Peer::connect(at);
        let began = Instant::now();
        peer.write(&bytes);
        pump.until("it is answered", |pump| pump.reactor.counters().bytes_out > 0);
        assert!(began.elapsed() < Duration::from_secs(5), "not only at the limit of the upgrade");
        let answer = peer.http_head();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(peer.read_to_end().is_ok(), "not a reset: the answer can be read");
        drop(peer);
        pump.until("it has ended", |pump| pump.reactor.counters().closed(Reason::UpgradeRefused) == 1);
    }
}

/// R4: pongs are never dropped, so a client that floods and does not read is read no further.
#[test]
fn a_flood_of_pings_is_answered_in_order_and_in_bounded_memory() {
    const PINGS: u32 = 60_000;
    // As long as they may be, so that the pongs are more than the buffers of both sockets take.
    let payload = |at: u32| [&at.to_be_bytes()[..], &[7; 121]].concat();
    let mut pump = Pump::default();
    let mut options = websocket("64K");
    options.socket.send_buffer_bytes = 64 << 10;
    options.socket.receive_buffer_bytes = 64 << 10;
    let (mut peer, id) = pump.upgraded(options);
    let mut writer = peer.0.try_clone().unwrap();
    let flood: Vec<u8> = (0..PINGS).flat_map(|at| from_client(PING, &payload(at))).collect();
    let writing = thread::spawn(move || std::io::Write::write_all(&mut writer, &flood).unwrap());
    let mut most = (0, 0);
    let mut look = |pump: &mut Pump| {
        let counters = pump.reactor.counters();
        most.0 = most.0.max(counters.outbox_bytes_now);
        most.1 = most.1.max(counters.partial_bytes_now);
    };
    // Until nothing moves any more: the pongs fill the socket, and the pings wait in the kernel.
    let (mut last, mut still) = (0, Instant::now());
    while still.elapsed() < Duration::from_millis(300) {
        pump.poll(Duration::from_millis(20));
        look(&mut pump);
        let now = pump.reactor.counters().bytes_in;
        if now != last {
            (last, still) = (now, Instant::now());
        }
    }
    assert!(pump.reactor.counters().asks_in < u64::from(PINGS), "the flood went through: nothing was tested");
    assert!(pump.reactor.state(id).unwrap().queued_bytes > 0);
    let reading = thread::spawn(move || {
        for at in 0..PINGS {
            assert_eq!(peer.websocket_frame(), (PONG, payload(at)));
        }
        peer
    });
    pump.until("all are answered", |pump| {
        look(pump);
        reading.is_finished()
    });
    let mut peer = reading.join().unwrap();
    writing.join().unwrap();
    // 4 KiB of control, and the answers to what one turn takes: 64 frames.
    assert!(most.0 <= (4 << 10) + 64 * 127, "{} bytes of pongs waited", most.0);
    assert!(most.1 <= 128 << 10, "{} bytes of pings waited", most.1);
    let counters = pump.reactor.counters();
    assert_eq!((counters.asks_in, counters.answers_out), (u64::from(PINGS), u64::from(PINGS)));
    // And it serves on.
    peer.write(&from_client(TEXT, b"well"));
    assert_eq!(pump.message(id), b"well");
}

/// R4: a long message leaves in fragments, so that neither answers nor asks wait for its end.
#[test]
fn a_pong_does_not_wait_behind_a_long_message() {
    let mut pump = Pump::default();
    let mut options = websocket("64K");
    options.socket.send_buffer_bytes = 64 << 10;
    let (mut peer, id) = pump.upgraded(options);
    let message: Vec<u8> = (0..16 << 20).map(|at| (at % 251) as u8).collect();
    pump.reactor.send(id, &message).unwrap();
    pump.during(Duration::from_millis(50));
    assert!(pump.reactor.state(id).unwrap().queued_bytes > 8 << 20, "the sockets took it: nothing is tested");
    peer.write(&from_client(PING, b"are you there?"));
    pump.until("it is answered", |pump| pump.reactor.counters().answers_out == 1);
    let reading = thread::spawn(move || {
        let (mut came, mut pong_at) = (Vec::new(), None);
        while came.len() < 16 << 20 {
            match peer.websocket_frame() {
                (PONG, payload) => {
                    assert_eq!(payload, b"are you there?");
                    pong_at = Some(came.len());
                }
                (_, payload) => came.extend(payload),
            }
        }
        (came, pong_at)
    });
    pump.until("all has come", |_| reading.is_finished());
    let (came, pong_at) = reading.join().unwrap();
    assert!(came == message);
    assert!(pong_at.is_some_and(|at| at < 8 << 20), "the pong came at {pong_at:?}");
}

/// A message of nothing costs the peer six bytes a frame: their count has a limit of its own.
#[test]
fn ten_thousand_empty_fragments_are_too_many() {
    let begun = from_client(BINARY_BEGUN, b"");
    for within in [from_client(MORE, b""), from_client(PING, b""), from_client(PING, &[0; 125])] {
        let mut pump = Pump::default();
        let (mut peer, id) = pump.upgraded(websocket("64K"));
        let mut writer = peer.0.try_clone().unwrap();
        let within_bytes = within.len() as u64;
        let bytes = [&begun[..], &within.repeat(10_000)].concat();
        let writing = thread::spawn(move || std::io::Write::write_all(&mut writer, &bytes));
        pump.until("it is closing", |pump| {
            // What it sent, and room for one more read.
            assert!(pump.reactor.counters().partial_bytes_now <= 4096 * within_bytes + (256 << 10));
            pump.reactor.state(id).is_some_and(|state| state.closing)
        });
        let reading = thread::spawn(move || {
            let last = std::iter::repeat_with(|| peer.websocket_frame()).find(|(first, _)| *first != PONG);
            assert_eq!(last, Some((CLOSE, 1009_u16.to_be_bytes().to_vec())));
            peer
        });
        pump.until("the Close has come", |_| reading.is_finished());
        writing.join().unwrap().unwrap();
        drop(reading.join().unwrap());
        let obituary = obituary(&mut pump, id);
        assert_eq!(obituary.reason, Reason::OverLimit);
        let Some(FrameError::WebSocket { fault: WebSocketFault::TooManyFragments { limit }, .. }) =
            obituary.frame_error
        else {
            panic!("{:?}", obituary.frame_error)
        };
        assert_eq!(limit, 4096, "a sixteenth of max");
    }
}

/// F1, from the first byte of the request on.
#[test]
fn an_upgrade_with_frames_behind_it_may_be_cut_at_any_byte() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(websocket("64K")));
    let frames = [
        from_client(TEXT, "héllo".as_bytes()),
        from_client(BINARY_BEGUN, b"in "),
        from_client(PING, b"between"),
        from_client(LAST, b"two"),
        goodbye(4000),
    ];
    let bytes = [REQUEST.as_bytes(), &frames.concat()].concat();
    let answer = [from_server(PONG, b"between"), from_server(CLOSE, &4000_u16.to_be_bytes())].concat();
    for cut in 0..=bytes.len() {
        let before = pump.reactor.counters().bytes_in;
        let mut peer = Peer::connect(at);
        peer.write(&bytes[..cut]);
        pump.has_read(before + cut as u64);
        peer.write(&bytes[cut..]);
        pump.has_read(before + bytes.len() as u64);
        let id = pump.take("Opened", support::Told::is_opened).id;
        assert_eq!((pump.message(id), pump.message(id)), ("héllo".into(), b"in two".to_vec()), "cut at {cut}");
        pump.until("it is closing", |pump| pump.reactor.state(id).is_some_and(|state| state.closing));
        assert!(peer.http_head().starts_with("HTTP/1.1 101 "));
        assert_eq!(peer.read_to_end(), Ok(answer.clone()), "cut at {cut}");
        drop(peer);
        assert_eq!(pump.closed(id).reason(), Some(Reason::PeerClosed));
    }
    assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
}

#[test]
fn a_goodbye_in_the_middle_of_a_message_ends_it_and_what_comes_behind_is_not_looked_at() {
    let behind = [from_client(LAST, b"done"), from_client(TEXT, b"more"), vec![0xff; 100]].concat();
    for (code, answered) in [(Some(1001), &b"\x03\xe9"[..]), (None, b"")] {
        for at_once in [true, false] {
            let mut pump = Pump::default();
            let (mut peer, id) = pump.upgraded(websocket("64K"));
            peer.write(&from_client(TEXT_BEGUN, b"never "));
            let close = code.map_or_else(|| from_client(CLOSE, b""), goodbye);
            if at_once {
                peer.write(&[&close[..], &behind].concat());
            } else {
                peer.write(&close);
                pump.until("it is closing", |pump| pump.reactor.state(id).is_some_and(|state| state.closing));
                peer.write(&behind);
            }
            pump.during(Duration::from_millis(10));
            assert_eq!(peer.read_to_end(), Ok(from_server(CLOSE, answered)));
            drop(peer);
            let obituary = obituary(&mut pump, id);
            let seen = (obituary.reason, obituary.frame_error, obituary.closed_by);
            assert_eq!(seen, (Reason::PeerClosed, None, ClosedBy::Peer));
            assert_eq!((pump.of(id).len(), pump.reactor.counters().messages_in), (2, 0), "{:?}", pump.of(id));
        }
    }
}

/// TCP has no half-open WebSocket, but a client that ends its stream still reads (R13).
#[test]
fn a_client_that_has_ended_its_stream_still_gets_what_is_owed() {
    for half_open in [false, true] {
        for begun in [false, true] {
            let mut pump = Pump::default();
            let (mut peer, id) = pump.upgraded(Options { half_open, ..websocket("64K") });
            peer.write(&from_client(TEXT, b"last"));
            if begun {
                peer.write(&from_client(TEXT_BEGUN, b"never "));
            }
            peer.finish();
            assert_eq!(pump.message(id), b"last");
            pump.reactor.send_with_head(id, Some(&[TEXT]), &[b"owed"]).unwrap();
            let mut owed = from_server(TEXT, b"owed");
            if half_open {
                pump.take("ReadClosed", |told| told.what == What::ReadClosed);
                pump.reactor.close(id, Close::Flush, None).unwrap();
                owed.extend(from_server(CLOSE, &1000_u16.to_be_bytes()));
            }
            let obituary = obituary(&mut pump, id);
            assert_eq!((obituary.reason, obituary.frame_error), (Reason::PeerClosed, None));
            assert_eq!(peer.read_to_end(), Ok(owed));
            assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
        }
    }
}

#[test]
fn a_message_may_come_in_segments_of_one_byte() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.upgraded(websocket("64K"));
    let text = "心跳线 ".repeat(60);
    let (one, two) = text.as_bytes().split_at(301);
    let bytes = [from_client(TEXT_BEGUN, one), from_client(PING, b"?"), from_client(LAST, two)].concat();
    let before = pump.reactor.counters().bytes_in;
    for (at, byte) in bytes.iter().enumerate() {
        assert!(!pump.history.iter().any(support::Told::is_message));
        peer.write(&[*byte]);
        pump.has_read(before + at as u64 + 1);
    }
    assert_eq!(pump.message(id), text.as_bytes());
    assert_eq!(peer.websocket_frame(), (PONG, b"?".to_vec()));
}

/// CPU of this thread.
fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// What the reactor's thread takes to join so many MiB from frames of 64 bytes.
fn time_to_join(pump: &mut Pump, peer: &Peer, id: ConnectionId, mib: usize) -> Duration {
    let frames = (mib << 20) / 64;
    let mut writer = peer.0.try_clone().unwrap();
    let writing = thread::spawn(move || {
        let (begin, go_on, end) =
            (from_client(BINARY_BEGUN, &[1; 64]), from_client(MORE, &[2; 64]), from_client(LAST, &[3; 64]));
        let bytes = [&begin[..], &go_on.repeat(frames - 2), &end].concat();
        std::io::Write::write_all(&mut writer, &bytes).unwrap();
    });
    let began = cpu();
    let message = pump.message(id);
    let took = cpu() - began;
    writing.join().unwrap();
    pump.history.clear();
    assert_eq!(message.len(), mib << 20);
    assert!(message[..64] == [1; 64] && message[message.len() - 64..] == [3; 64]);
    took
}

/// F4: twice as long, twice the work. Quadratic, four times the bytes would take sixteen times the work.
#[test]
fn sixteen_mebibytes_in_frames_of_sixty_four_bytes_take_time_linear_in_their_size() {
    let mut pump = Pump::default();
    let (peer, id) = pump.upgraded(websocket("16M"));
    let mut best = |mib| (0..3).map(|_| time_to_join(&mut pump, &peer, id, mib)).min().unwrap();
    let (four, sixteen) = (best(4), best(16));
    assert!(sixteen <= four * 6, "4 MiB: {four:?}, 16 MiB: {sixteen:?}");
}

/// R5 and L10: what it does not read is bounded, and it cannot keep us waiting for its goodbye.
#[test]
fn a_client_that_never_reads_is_given_up_when_its_goodbye_cannot_leave() {
    const CLOSE_MS: u32 = 300;
    for by_offence in [false, true] {
        let mut pump = Pump::default();
        let mut options = websocket("64K");
        options.socket.send_buffer_bytes = 4096;
        options.limits.close_ms = CLOSE_MS;
        let high = options.marks.high_bytes as usize;
        let (mut peer, id) = pump.upgraded(options);
        let message = vec![7; 60_000];
        let full = loop {
            match pump.reactor.send(id, &message) {
                Ok(()) => pump.poll(Duration::ZERO),
                Err(error) => break error,
            };
        };
        assert!(matches!(full, SendError::Full { .. }), "{full}");
        assert!(pump.reactor.state(id).unwrap().queued_bytes <= high + message.len());
        let began = Instant::now();
        if by_offence {
            peer.write(&from_server(TEXT, b"not masked"));
        } else {
            pump.reactor.close(id, Close::Flush, Some(4001)).unwrap();
        }
        let obituary = obituary(&mut pump, id);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(CLOSE_MS.into()), "{took:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
        let reason = if by_offence { Reason::FrameBad } else { Reason::Application(4001) };
        assert_eq!(obituary.reason, reason);
        assert!(obituary.queued_bytes > 0 && obituary.queued_bytes <= high + message.len() + 4);
        assert_eq!(pump.reactor.counters().outbox_bytes_now, 0);
        drop(peer);
    }
}
