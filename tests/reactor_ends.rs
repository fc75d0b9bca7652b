//! R7, R8, R12, R13: each connection ends once, with one reason, and all that was told of it comes before.

mod support;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use heartline::liveness::Role;
use heartline::reactor::{
    Close, CloseError, ClosedBy, Config, DrainOptions, Events, ListenOptions, Marks, Reason, ReleaseError, SendError,
    WhenFull,
};
use nix::libc;
use support::{Peer, Pump, Told, What, framed, length, policy, small_buffers};

#[test]
fn a_graceful_close_sends_what_is_queued_then_fin_then_waits_for_the_peers() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    pump.reactor.send(id, b"one").unwrap();
    pump.reactor.send(id, b"two").unwrap();
    pump.reactor.close(id, Close::Flush, None).unwrap();
    assert_eq!(pump.reactor.send(id, b"three"), Err(SendError::Closing));
    // A message that crosses it is not told any more.
    peer.frame(b"crossing");
    assert_eq!(pump.during(Duration::from_millis(30)), []);
    assert!(pump.reactor.state(id).unwrap().closing);
    assert_eq!(peer.read_to_end().unwrap(), [framed(b"one"), framed(b"two")].concat());
    drop(peer);
    assert_eq!(pump.closed(id).reason(), Some(Reason::Local));
    let obituary = pump.reactor.obituary(id).unwrap();
    assert_eq!((obituary.closed_by, obituary.queued_bytes), (ClosedBy::Application, 0));
    assert_eq!(pump.of(id).len(), 2);
}

#[test]
fn a_graceful_close_of_a_large_queue_loses_nothing() {
    let mut pump = Pump::default();
    let mut options = small_buffers();
    options.marks.high_bytes = 64 << 20;
    let (mut peer, id) = pump.peer(options);
    let message: Vec<u8> = (0..8 << 20).map(|at| (at % 253) as u8).collect();
    pump.reactor.send(id, &message).unwrap();
    pump.reactor.close(id, Close::Flush, Some(300)).unwrap();
    let reader = std::thread::spawn(move || peer.read_to_end().unwrap());
    let closed = pump.closed(id);
    assert_eq!(closed.reason(), Some(Reason::Application(300)));
    assert_eq!(reader.join().unwrap(), framed(&message));
}

#[test]
fn patience_with_a_graceful_close_ends_at_its_limit() {
    let mut pump = Pump::default();
    let mut options = length();
    options.limits.close_ms = 300;
    let (_peer, id) = pump.peer(options);
    let began = Instant::now();
    pump.reactor.close(id, Close::Flush, None).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::Local));
    assert!(began.elapsed() >= Duration::from_millis(299), "{:?}", began.elapsed());
}

#[test]
fn a_close_at_once_loses_what_is_queued_and_counts_it() {
    let mut pump = Pump::default();
    let mut options = small_buffers();
    options.marks.high_bytes = 64 << 20;
    let (mut peer, id) = pump.peer(options);
    pump.reactor.send(id, &vec![0; 10 << 20]).unwrap();
    pump.reactor.flush();
    let queued = pump.reactor.state(id).unwrap().queued_bytes;
    assert!(queued > 0);
    pump.reactor.close(id, Close::AtOnce, Some(256)).unwrap();
    let closed = pump.closed(id);
    assert_eq!(
        closed.what,
        What::Closed { reason: Reason::Application(256), os_error: 0, silence_ms: 0, queued_bytes: queued as u32 }
    );
    assert_eq!(pump.reactor.obituary(id).unwrap().queued_bytes, queued);
    let got = peer.read_to_end().unwrap();
    assert_eq!(got.len() + queued, (10 << 20) + 4);
}

#[test]
fn an_abort_resets() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    pump.reactor.close(id, Close::Abort, None).unwrap();
    pump.closed(id);
    assert_eq!(peer.read_to_end(), Err(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn the_codes_below_256_are_heartlines() {
    let mut pump = Pump::default();
    let (_peer, id) = pump.peer(length());
    assert_eq!(pump.reactor.close(id, Close::AtOnce, Some(255)), Err(CloseError::CodeReserved(255)));
    assert_eq!(
        pump.reactor.drain(DrainOptions { code: Some(1), ..Default::default() }),
        Err(CloseError::CodeReserved(1))
    );
    assert!(pump.reactor.state(id).is_some());
    pump.reactor.close(id, Close::AtOnce, Some(u16::MAX)).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::Application(u16::MAX)));
}

#[test]
fn a_second_close_may_only_be_quicker() {
    let mut pump = Pump::default();
    let (_peer, id) = pump.peer(length());
    pump.reactor.close(id, Close::Flush, Some(300)).unwrap();
    pump.reactor.close(id, Close::Flush, Some(400)).unwrap();
    assert_eq!(pump.during(Duration::from_millis(20)), []);
    pump.reactor.close(id, Close::AtOnce, Some(500)).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::Application(300)), "the reason is that of the first");
    assert_eq!(pump.reactor.close(id, Close::AtOnce, None), Err(CloseError::Stale));
    assert_eq!(pump.of(id).len(), 2);
}

#[test]
fn at_the_peers_fin_what_is_queued_still_leaves() {
    let mut pump = Pump::default();
    let mut options = small_buffers();
    options.marks.high_bytes = 64 << 20;
    let (mut peer, id) = pump.peer(options);
    let message = vec![7; 6 << 20];
    pump.reactor.send(id, &message).unwrap();
    pump.reactor.flush();
    assert!(pump.reactor.state(id).unwrap().queued_bytes > 0);
    peer.finish();
    let reader = std::thread::spawn(move || peer.read_to_end().unwrap());
    assert_eq!(pump.closed(id).reason(), Some(Reason::PeerClosed));
    assert_eq!(reader.join().unwrap(), framed(&message));
    assert_eq!(pump.reactor.obituary(id).unwrap().closed_by, ClosedBy::Peer);
}

#[test]
fn a_beat_with_fin_behind_it_is_answered_and_the_end_is_prompt() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    for _ in 0..10 {
        let (mut peer, id) = pump.join(at);
        let began = Instant::now();
        peer.beat();
        peer.finish();
        pump.closed(id);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(peer.read_to_end().unwrap(), framed(b""));
    }
}

#[test]
fn a_half_open_connection_tells_read_closed_and_sends_on() {
    let mut pump = Pump::default();
    let mut options = length();
    options.half_open = true;
    let (mut peer, id) = pump.peer(options);
    peer.frame(b"question");
    peer.finish();
    pump.take("ReadClosed", |told| told.what == What::ReadClosed);
    let told = pump.of(id);
    assert!(matches!(told[..], [What::Opened(_), What::Message { .. }, What::ReadClosed]), "{told:?}");
    for number in 0..10 {
        pump.reactor.send(id, &[number]).unwrap();
        pump.poll(Duration::from_millis(1));
    }
    pump.reactor.close(id, Close::Flush, None).unwrap();
    pump.closed(id);
    let expected: Vec<u8> = (0..10).flat_map(|number| framed(&[number])).collect();
    assert_eq!(peer.read_to_end().unwrap(), expected);
    assert_eq!(pump.of(id).len(), 4, "ReadClosed is told once");
}

#[test]
fn the_obituary_says_all_and_lives_until_the_next_poll() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    pump.reactor.set_user(id, 42);
    let address = peer.0.local_addr().unwrap();
    for _ in 0..3 {
        peer.frame(b"12345");
        pump.message(id);
        pump.reactor.send(id, b"1234567").unwrap();
    }
    peer.beat();
    pump.until("the beat is answered", |pump| pump.reactor.counters().answers_out == 1);
    pump.during(Duration::from_millis(60));
    peer.read(3 * 11 + 4);
    drop(peer);
    let closed = pump.closed(id);
    let obituary = pump.reactor.obituary(id).expect("of this poll").clone();
    assert_eq!((obituary.id, obituary.user, obituary.reason), (id, 42, Reason::PeerClosed));
    assert_eq!((obituary.closed_by, obituary.os_error), (ClosedBy::Peer, 0));
    assert_eq!(obituary.address, Some(address));
    assert_eq!((obituary.bytes_in, obituary.bytes_out), (3 * 9 + 4, 3 * 11 + 4));
    assert_eq!((obituary.messages_in, obituary.messages_out), (3, 3), "beats are not messages");
    assert!((44..10_000).contains(&obituary.age_ms), "{}", obituary.age_ms);
    assert!(obituary.last_out_ms.is_some_and(|ms| (44..10_000).contains(&ms)), "{:?}", obituary.last_out_ms);
    assert!(matches!(closed.what, What::Closed { silence_ms, .. } if silence_ms == obituary.silence_ms));
    assert!(obituary.frame_error.is_none() && obituary.queued_bytes == 0 && obituary.unanswered == 0);
    let tcp = obituary.tcp.expect("a TCP connection");
    assert!(tcp.rtt_us > 0 && tcp.rto_us > 0, "{tcp:?}");
    pump.poll(Duration::ZERO);
    assert!(pump.reactor.obituary(id).is_none());
}

/// Drops all that comes for this socket from now on: its kernel acknowledges nothing.
#[allow(unsafe_code)]
fn cut_off(peer: &Peer) {
    let mut drop_all = libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut drop_all };
    // SAFETY: the kernel reads one program of one instruction, both on the stack for as long as the call lasts.
    let outcome = unsafe {
        libc::setsockopt(
            peer.0.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    assert_eq!(outcome, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn an_obituary_has_what_a_dead_peer_did_not_acknowledge() {
    let mut pump = Pump::default();
    let watched = pump.reactor.define_policy(policy(Role::Ask, 900)).unwrap();
    let (peer, id) = pump.peer(length().policy(watched));
    cut_off(&peer);
    pump.reactor.send(id, b"lost").unwrap();
    pump.reactor.flush();
    assert_eq!(pump.closed(id).reason(), Some(Reason::Silent));
    let tcp = pump.reactor.obituary(id).unwrap().tcp.expect("a TCP connection");
    assert!(tcp.retransmits > 0 && tcp.unacknowledged > 0, "{tcp:?}");
}

#[test]
fn without_statistics_the_obituary_says_what_is_known_anyway() {
    let mut pump = Pump::new(Config { statistics: false, ..Config::default() });
    let (mut peer, id) = pump.peer(length());
    peer.frame(b"x");
    pump.message(id);
    drop(peer);
    pump.closed(id);
    let obituary = pump.reactor.obituary(id).unwrap();
    assert_eq!((obituary.reason, obituary.bytes_in, obituary.address), (Reason::PeerClosed, 0, None));
    assert!(obituary.tcp.is_none());
}

#[test]
fn ends_wait_for_a_batch_with_room_and_keep_their_obituary_until_told() {
    let mut pump = Pump::with_events(Config::default(), Events::with_capacity(1, 8 << 10));
    let at = pump.listen(&ListenOptions::new(length()));
    let ids: Vec<_> = (0..20).map(|_| pump.join(at)).collect();
    for (_, id) in &ids {
        pump.reactor.close(*id, Close::AtOnce, None).unwrap();
    }
    let mut told = Vec::new();
    while told.len() < 20 {
        assert_eq!(pump.poll(Duration::from_secs(1)), 1);
        let event = pump.events.iter().next().unwrap();
        assert_eq!(pump.reactor.obituary(event.id).map(|obituary| obituary.id), Some(event.id));
        told.push(event.id);
    }
    assert_eq!(told, ids.iter().map(|(_, id)| *id).collect::<Vec<_>>());
}

#[test]
fn counters_add_up_to_what_was_told() {
    let mut pump = Pump::default();
    let mut options = small_buffers();
    options.half_open = false;
    let at = pump.listen(&ListenOptions::new(options));
    for round in 0..60_u16 {
        let (mut peer, id) = pump.join(at);
        match round % 6 {
            0 => drop(peer),
            1 => peer.reset(),
            2 => peer.write(&[0xff; 4]),
            3 => pump.reactor.close(id, Close::AtOnce, Some(256 + round)).unwrap(),
            4 => pump.reactor.close(id, Close::Abort, None).unwrap(),
            _ => {
                peer.frame(b"x");
                pump.message(id);
                drop(pump.reactor.release(id).unwrap());
                continue;
            }
        }
        pump.closed(id);
    }
    let counters = pump.reactor.counters().clone();
    let count = |is_it: &dyn Fn(&Told) -> bool| pump.history.iter().filter(|told| is_it(told)).count() as u64;
    assert_eq!(counters.accepted, count(&Told::is_opened));
    assert_eq!(counters.messages_in, count(&Told::is_message));
    assert_eq!(counters.closed_in_all(), count(&|told| matches!(told.what, What::Closed { .. })));
    for reason in Reason::ALL {
        assert_eq!(counters.closed(*reason), count(&|told| told.reason() == Some(*reason)), "{reason}");
    }
    assert_eq!(counters.closed(Reason::Application(256)), 10, "all codes of the application together");
    assert_eq!(counters.released, 10);
    assert_eq!(counters.accepted, counters.closed_in_all() + counters.released + counters.connections_now);
    assert_eq!((counters.connections_now, counters.outbox_bytes_now, counters.partial_bytes_now), (0, 0, 0));
}

#[test]
fn what_went_in_comes_out() {
    let (ours, mut peer) = support::tcp_pair();
    let mut pump = Pump::default();
    // Bytes that were read before: one whole frame, and half of another.
    let mut unread = framed(b"before");
    unread.extend_from_slice(&framed(b"in two parts")[..7]);
    let id = pump.reactor.adopt(ours.into(), &length(), 8, unread, b"rest of a frame").unwrap();
    assert_eq!(peer.read(15), b"rest of a frame");
    pump.take("Opened", Told::is_opened);
    assert_eq!(pump.message(id), b"before");
    assert_eq!(*pump.of(id)[0], What::Opened(None));
    peer.write(&framed(b"in two parts")[7..]);
    assert_eq!(pump.message(id), b"in two parts");
    peer.write(&framed(b"unfinished")[..9]);
    pump.until("it is read", |pump| pump.reactor.state(id).unwrap().unread_bytes == 9);
    let released = pump.reactor.release(id).unwrap();
    assert_eq!(released.unread, framed(b"unfinished")[..9]);
    assert_eq!((released.unsent.len(), released.user), (0, 8));
    assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
    // It is whole, and ours again: nothing was closed.
    let mut stream = std::net::TcpStream::from(released.socket);
    stream.set_nonblocking(false).unwrap();
    stream.write_all(b"still open").unwrap();
    assert_eq!(peer.read(10), b"still open");
    assert_eq!(pump.during(Duration::from_millis(20)), [], "no Closed is told");
    assert_eq!((pump.reactor.counters().adopted, pump.reactor.counters().released), (1, 1));
}

#[test]
fn a_released_connection_can_be_adopted_by_another_reactor_in_the_middle_of_everything() {
    let mut here = Pump::default();
    let mut options = small_buffers();
    options.marks.high_bytes = 64 << 20;
    let (mut peer, id) = here.peer(options.clone());
    let message: Vec<u8> = (0..4 << 20).map(|at| (at % 241) as u8).collect();
    here.reactor.send(id, &message).unwrap();
    here.reactor.send(id, b"next").unwrap();
    here.reactor.flush();
    peer.write(&framed(b"half")[..6]);
    here.until("it is read", |here| here.reactor.state(id).unwrap().unread_bytes == 6);
    let released = here.reactor.release(id).unwrap();
    assert!(!released.unsent.is_empty());
    let mut there = Pump::default();
    let id = there.reactor.adopt(released.socket, &options, released.user, released.unread, &released.unsent).unwrap();
    let reader = std::thread::spawn(move || {
        let first = peer.read_frame();
        let second = peer.read_frame();
        peer.write(&framed(b"half")[6..]);
        (peer, first, second)
    });
    assert_eq!(there.message(id), b"half");
    let (_peer, first, second) = reader.join().unwrap();
    assert!(first == message && second == b"next");
}

#[test]
fn release_is_busy_while_events_are_undelivered() {
    let mut pump = Pump::with_events(Config::default(), Events::with_capacity(1, 8 << 10));
    let (ours, mut peer) = support::tcp_pair();
    let id = pump.reactor.adopt(ours.into(), &length(), 0, Vec::new(), &[]).unwrap();
    assert_eq!(pump.reactor.release(id).unwrap_err(), ReleaseError::Busy, "Opened is not told yet");
    pump.take("Opened", Told::is_opened);
    peer.frame(b"one");
    peer.frame(b"two");
    assert_eq!(pump.message(id), b"one");
    // What is not told yet comes as unread bytes.
    pump.until("both are read", |pump| pump.reactor.counters().bytes_in == 14);
    let told = pump.history.iter().filter(|told| told.is_message()).count();
    let released = pump.reactor.release(id).unwrap();
    let rest: Vec<u8> = [framed(b"one"), framed(b"two")].concat()[told * 7..].to_vec();
    assert_eq!(released.unread, rest);
    assert_eq!(pump.reactor.release(id).unwrap_err(), ReleaseError::Stale);
}

#[test]
fn a_closing_or_dialling_connection_is_not_given_back() {
    let mut pump = Pump::default();
    let (_peer, id) = pump.peer(length());
    pump.reactor.close(id, Close::Flush, None).unwrap();
    assert_eq!(pump.reactor.release(id).unwrap_err(), ReleaseError::NotOpen);
    let (_listener, address) = support::raw_listener();
    let id = pump.reactor.connect(&address, &length(), 0).unwrap();
    assert_eq!(pump.reactor.release(id).unwrap_err(), ReleaseError::NotOpen);
}

#[test]
fn what_cannot_be_adopted_comes_back() {
    let mut pump = Pump::new(Config { connections_max: 1, ..Config::default() });
    let file = std::fs::File::open("/proc/self/status").unwrap();
    let error = pump.reactor.adopt(file.into(), &length(), 0, Vec::new(), &[]).unwrap_err();
    assert!(error.socket.as_raw_fd() >= 0 && pump.reactor.is_empty());
    let (_peer, _) = pump.peer(length());
    let (ours, mut peer) = support::tcp_pair();
    let error = pump.reactor.adopt(ours.into(), &length(), 0, Vec::new(), &[]).unwrap_err();
    let mut stream = std::net::TcpStream::from(error.socket);
    stream.write_all(b"unharmed").unwrap();
    assert_eq!(peer.read(8), b"unharmed");
}

#[test]
fn a_drain_says_farewell_to_all_and_listens_no_more() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let mut peers: Vec<_> = (0..10).map(|_| pump.join(at)).collect();
    let farewell = Some(b"maintenance".to_vec());
    pump.reactor.drain(DrainOptions { farewell, limit_ms: 5000, ..Default::default() }).unwrap();
    assert!(pump.reactor.is_draining() && !pump.reactor.is_drained());
    assert!(std::net::TcpStream::connect(at).is_err());
    pump.poll(Duration::ZERO);
    pump.poll(Duration::ZERO);
    for (peer, _) in &mut peers {
        assert_eq!(peer.read_to_end().unwrap(), framed(b"maintenance"));
    }
    let ids: Vec<_> = peers.iter().map(|(_, id)| *id).collect();
    peers.clear();
    pump.until("it is drained", |pump| pump.reactor.is_drained());
    for id in ids {
        assert_eq!(pump.closed(id).reason(), Some(Reason::Drained));
    }
}

#[test]
fn a_drain_of_nobody_is_over_at_once() {
    let mut pump = Pump::default();
    pump.listen(&ListenOptions::new(length()));
    pump.reactor.drain(DrainOptions::default()).unwrap();
    assert!(pump.reactor.is_drained());
}

#[test]
fn every_kind_of_end_is_told_exactly_once_and_last() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let mut ids = Vec::new();
    for round in 0..40 {
        let (mut peer, id) = pump.join(at);
        ids.push(id);
        // Several causes at once: bytes, an end of theirs, an end of ours.
        peer.frame(b"x");
        match round % 4 {
            0 => drop(peer),
            1 => peer.reset(),
            2 => peer.finish(),
            _ => peer.write(&[0xff; 8]),
        }
        let _ = pump.reactor.send(id, b"y");
        if round % 3 == 0 {
            pump.reactor.close(id, Close::Flush, None).unwrap();
        }
        if round % 5 == 0 {
            let _ = pump.reactor.close(id, Close::AtOnce, None);
        }
    }
    pump.until("all have ended", |pump| pump.reactor.is_empty());
    pump.poll(Duration::ZERO);
    for id in ids {
        let told = pump.of(id);
        let ends = told.iter().filter(|what| matches!(what, What::Closed { .. })).count();
        assert_eq!(ends, 1, "{told:?}");
        assert!(matches!(told.first(), Some(What::Opened(_))) && matches!(told.last(), Some(What::Closed { .. })));
    }
}

#[test]
fn a_reply_to_the_message_that_came_with_the_fin_still_leaves() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    peer.frame(b"request");
    peer.finish();
    let request = pump.message(id);
    pump.reactor.send(id, &request).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::PeerClosed));
    assert_eq!(peer.read_frame(), b"request");
}

#[test]
fn a_farewell_that_does_not_fit_where_full_means_close_ends_that_connection_and_no_more() {
    let mut pump = Pump::default();
    let mut options = small_buffers();
    options.marks = Marks { high_bytes: 1024, low_bytes: 0, when_full: WhenFull::Close };
    let (_full, id) = pump.peer(options.clone());
    let (mut other, other_id) = pump.peer(options);
    pump.reactor.send(id, &vec![1; 8 << 20]).unwrap();
    pump.reactor.flush();
    assert!(pump.reactor.state(id).unwrap().queued_bytes > 0);
    let farewell = Some(vec![2; 2000]);
    pump.reactor.drain(DrainOptions { farewell, ..DrainOptions::default() }).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::OutboxFull));
    assert_eq!(other.read_frame(), vec![2; 2000]);
    drop(other);
    assert_eq!(pump.closed(other_id).reason(), Some(Reason::Drained));
}

#[test]
fn what_was_queued_when_a_write_failed_is_in_the_report() {
    let mut pump = Pump::default();
    let (peer, id) = pump.peer(small_buffers());
    pump.reactor.send(id, &vec![1; 8 << 20]).unwrap();
    pump.reactor.flush();
    let queued = pump.reactor.state(id).unwrap().queued_bytes;
    assert!(queued > 0);
    peer.reset();
    // The write side meets the reset first.
    pump.until("the write to fail", |pump| pump.reactor.send(id, b"more").is_err() || pump.reactor.state(id).is_none());
    pump.closed(id);
    let obituary = pump.reactor.obituary(id).unwrap();
    assert!(obituary.queued_bytes >= queued, "{} of {queued}", obituary.queued_bytes);
}

#[test]
fn a_peer_that_left_while_it_was_paused_ends_as_it_left() {
    let mut pump = Pump::default();
    let policy = pump.reactor.define_policy(support::policy(Role::Watch, 400)).unwrap();
    let at = pump.listen(&ListenOptions::new(length().policy(policy)));
    let (said_goodbye, first) = pump.join(at);
    let (reset, second) = pump.join(at);
    let (_silent, third) = pump.join(at);
    for id in [first, second, third] {
        pump.reactor.pause(id);
    }
    said_goodbye.finish();
    reset.reset();
    assert_eq!(pump.closed(first).reason(), Some(Reason::PeerClosed));
    assert_eq!(pump.closed(second).reason(), Some(Reason::PeerReset));
    assert_eq!(pump.closed(third).reason(), Some(Reason::Silent));
}

/// A balancer that only looks whether somebody listens is no client: its end has a reason of its own (R8).
#[test]
fn who_comes_and_leaves_at_once_without_a_byte_was_a_health_check() {
    for half_open in [false, true] {
        let mut options = length();
        (options.limits.health_check_ms, options.half_open) = (300, half_open);
        let mut pump = Pump::default();
        let at = pump.listen(&ListenOptions::new(options));
        let ends = |pump: &mut Pump, leave: &mut dyn FnMut(&mut Pump, Peer)| {
            let (peer, id) = pump.join(at);
            leave(pump, peer);
            if half_open && !pump.history.iter().any(|told| told.id == id && told.reason().is_some()) {
                pump.poll(Duration::from_millis(20));
                let _ = pump.reactor.close(id, Close::Flush, None);
            }
            let reason = pump.closed(id).reason().unwrap();
            (reason, pump.reactor.obituary(id).unwrap().closed_by)
        };
        assert_eq!(ends(&mut pump, &mut |_, peer| peer.finish()), (Reason::HealthCheck, ClosedBy::Peer));
        assert_eq!(ends(&mut pump, &mut |_, peer| peer.reset()), (Reason::HealthCheck, ClosedBy::Peer));
        let part_of_a_frame = &mut |_: &mut Pump, mut peer: Peer| {
            peer.write(&[0]);
            peer.finish();
        };
        assert_eq!(ends(&mut pump, part_of_a_frame), (Reason::PeerClosed, ClosedBy::Peer));
        let a_frame = &mut |_: &mut Pump, mut peer: Peer| {
            peer.beat();
            peer.finish();
        };
        assert_eq!(ends(&mut pump, a_frame), (Reason::PeerClosed, ClosedBy::Peer));
        let too_late = &mut |pump: &mut Pump, peer: Peer| {
            pump.during(Duration::from_millis(320));
            peer.finish();
        };
        assert_eq!(ends(&mut pump, too_late), (Reason::PeerClosed, ClosedBy::Peer));
        assert_eq!(pump.reactor.counters().closed(Reason::HealthCheck), 2);
    }
}

/// Whoever fetches metrics sees the drain of the others to its end, and is none of those that are served.
#[test]
fn who_stands_aside_is_not_counted_not_drained_and_not_in_the_way() {
    let mut pump = Pump::new(Config { connections_max: 1, ..Config::default() });
    let mut aside = length();
    aside.aside = true;
    let watch_at = pump.listen(&ListenOptions::new(aside));
    let at = pump.listen(&ListenOptions::new(length()));
    let (mut watcher, watcher_id) = pump.join(watch_at);
    let (mut peer, id) = pump.join(at);
    assert_eq!((pump.reactor.len(), pump.reactor.ids().collect::<Vec<_>>()), (1, vec![id]));
    // The limit is reached for those who are served alone.
    let (second, _) = pump.join(watch_at);
    let _waits = Peer::connect(at);
    pump.take("a pause", |told| matches!(told.what, What::AcceptPaused { .. }));
    drop(second);
    pump.take("an end", |told| told.reason() == Some(Reason::PeerClosed));
    let counters = pump.reactor.counters();
    assert_eq!((counters.connections_now, counters.accepted, counters.closed_in_all()), (1, 1, 0));
    // A broadcast to all is for those who are served.
    assert_eq!(pump.reactor.broadcast_all(None, None, b"all").accepted, 1);
    pump.poll(Duration::ZERO);
    assert_eq!(peer.read_frame(), b"all");

    pump.reactor.drain(DrainOptions { limit_ms: 300, ..DrainOptions::default() }).unwrap();
    let (_late, late_id) = pump.join(watch_at);
    watcher.frame(b"still there?");
    assert_eq!(pump.message(watcher_id), b"still there?");
    assert!(!pump.reactor.is_drained());
    drop(peer);
    assert_eq!(pump.closed(id).reason(), Some(Reason::Drained));
    pump.until("drained", |pump| pump.reactor.is_drained());
    // Beyond its limit too: nobody turns in circles, and those aside live.
    std::thread::sleep(Duration::from_millis(320));
    let turns = pump.reactor.counters().turns;
    pump.during(Duration::from_millis(50));
    assert!(pump.reactor.counters().turns - turns < 10);
    assert!(pump.reactor.state(watcher_id).is_some() && pump.reactor.state(late_id).is_some());
    assert!(watcher.read_now().is_empty());
}
