//! R5 and sending: marks, what happens over them, the cap of all outboxes, broadcasts.
#![cfg(feature = "sim")]

mod support;

use std::time::Duration;

use heartline::frame::EncodeError;
use heartline::reactor::{Address, Config, ListenOptions, Options, Reason, SendError, WhenFull};
use support::kernel::Rig;
use support::{Pump, What, framed, length, options, small_buffers};

fn marked(high_bytes: u32, low_bytes: u32, when_full: WhenFull) -> Options {
    let mut options = length();
    options.marks = heartline::reactor::Marks { high_bytes, low_bytes, when_full };
    options.limits.output_ms = 0;
    options
}

/// A peer whose socket takes nothing.
fn stuck(rig: &mut Rig, options: Options) -> (usize, heartline::reactor::ConnectionId) {
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 0));
    (socket, id)
}

#[test]
fn a_message_over_the_high_mark_is_refused_and_full_and_drained_are_told_once() {
    let mut rig = Rig::default();
    let (socket, id) = stuck(&mut rig, marked(100, 40, WhenFull::Refuse));
    // Each message of 16 bytes is 20 on the wire.
    for number in 0..5 {
        rig.reactor.send(id, &[number; 16]).unwrap();
    }
    for _ in 0..3 {
        let refused = rig.reactor.send(id, &[9; 16]);
        assert_eq!(refused, Err(SendError::Full { queued_bytes: 100, high_bytes: 100 }));
    }
    assert_eq!(rig.reactor.state(id).unwrap().queued_bytes, 100);
    rig.run(5);
    assert_eq!(rig.of(id)[1..], [&What::Full(100)]);
    rig.kernel.world(|world| world.room(socket, 59));
    rig.run(5);
    assert_eq!(rig.of(id).len(), 2, "41 bytes are over the low mark");
    rig.kernel.world(|world| world.room(socket, 1));
    rig.run(5);
    assert_eq!(*rig.of(id)[2], What::Drained);
    rig.kernel.world(|world| world.room(socket, usize::MAX));
    rig.run(5);
    rig.reactor.send(id, b"after").unwrap();
    rig.run(5);
    let expected: Vec<u8> = (0..5).flat_map(|number| framed(&[number; 16])).chain(framed(b"after")).collect();
    assert_eq!(rig.output(socket), expected);
    assert_eq!(rig.of(id).len(), 3);
    assert_eq!(rig.reactor.counters().messages_refused, 3);
    assert_eq!(rig.reactor.counters().messages_out, 6);
}

#[test]
fn one_message_fits_an_empty_queue_whatever_its_size() {
    let mut rig = Rig::default();
    let (socket, id) = stuck(&mut rig, marked(100, 40, WhenFull::Refuse));
    rig.reactor.send(id, &[1; 1000]).unwrap();
    assert!(matches!(rig.reactor.send(id, b"x"), Err(SendError::Full { queued_bytes: 1004, .. })));
    rig.run(5);
    rig.kernel.world(|world| world.room(socket, usize::MAX));
    rig.run(5);
    assert_eq!(rig.output(socket), framed(&[1; 1000]));
    assert_eq!(rig.of(id)[1..], [&What::Full(1004), &What::Drained]);
}

#[test]
fn what_fills_the_outbox_while_dialling_is_told_after_opened() {
    let mut rig = Rig::default();
    let nowhere = Address::Tcp("127.0.0.1:1".parse().unwrap());
    let id = rig.reactor.connect(&nowhere, &marked(100, 40, WhenFull::Refuse), 0).unwrap();
    for number in 0..5 {
        rig.reactor.send(id, &[number; 16]).unwrap();
    }
    assert!(matches!(rig.reactor.send(id, b"x"), Err(SendError::Full { queued_bytes: 100, .. })));
    rig.kernel.world(|world| world.room(0, 0));
    rig.run(5);
    assert_eq!(rig.of(id), [&What::Opened(None), &What::Full(100)]);
    rig.kernel.world(|world| world.room(0, usize::MAX));
    rig.run(5);
    assert_eq!(rig.of(id)[2..], [&What::Drained]);
}

#[test]
fn the_oldest_are_dropped_and_each_comes_back_unsent() {
    let mut rig = Rig::default();
    let (socket, id) = stuck(&mut rig, marked(100, 40, WhenFull::DropOldest));
    rig.reactor.set_user(id, 5);
    rig.kernel.world(|world| world.room(socket, 7));
    for number in 0..20 {
        rig.reactor.send(id, &[number; 16]).unwrap();
        rig.poll(0);
    }
    rig.kernel.world(|world| world.room(socket, usize::MAX));
    rig.run(10);
    // The first had begun and stays whole; the newest are there; what lies between came back.
    let kept = [0, 16, 17, 18, 19];
    let expected: Vec<u8> = kept.iter().flat_map(|number| framed(&[*number; 16])).collect();
    assert_eq!(rig.output(socket), expected);
    let unsent: Vec<_> = rig
        .history
        .iter()
        .filter_map(|(_, told)| match &told.what {
            What::Unsent(frame) => Some((told.id, told.user, frame.clone())),
            _ => None,
        })
        .collect();
    let expected: Vec<_> = (1..16).map(|number| (id, 5, framed(&[number; 16]))).collect();
    assert_eq!(unsent, expected);
    assert_eq!(rig.reactor.counters().messages_unsent, 15);
}

#[test]
fn a_peer_over_the_mark_is_closed_where_the_options_say_so() {
    let mut rig = Rig::default();
    let (_, id) = stuck(&mut rig, marked(100, 40, WhenFull::Close));
    rig.reactor.send(id, &[0; 90]).unwrap();
    assert_eq!(rig.reactor.send(id, &[0; 90]), Err(SendError::Closing));
    rig.poll(0);
    assert_eq!(rig.reactor.obituary(id).unwrap().queued_bytes, 94);
    let Some(What::Closed { reason: Reason::OutboxFull, queued_bytes: 94, .. }) = rig.of(id).last() else {
        panic!("{:?}", rig.of(id))
    };
    assert_eq!(rig.reactor.send(id, b"x"), Err(SendError::Stale));
    assert_eq!(rig.reactor.counters().outbox_bytes_now, 0);
}

#[test]
fn all_outboxes_together_stay_under_their_cap() {
    const CAP: usize = 10_000;
    for broadcast in [false, true] {
        let mut rig = Rig::new(Config { outbox_bytes_max: CAP, ..Config::default() }, Default::default());
        rig.listen(marked(1 << 20, 1000, WhenFull::Refuse));
        let peers = rig.peers(50);
        for (socket, _) in &peers {
            rig.kernel.world(|world| world.room(*socket, 0));
        }
        let mut refused = 0;
        for _ in 0..4 {
            if broadcast {
                let outcome = rig.reactor.broadcast_all(None, None, &[0; 996]);
                assert!(outcome.refused.iter().all(|(_, why)| matches!(why, SendError::ReactorFull { .. })));
                refused += outcome.refused.len();
            } else {
                refused += peers.iter().filter(|(_, id)| rig.reactor.send(*id, &[0; 996]).is_err()).count();
            }
            rig.poll(0);
            assert!(
                rig.reactor.counters().outbox_bytes_now <= CAP as u64,
                "{}",
                rig.reactor.counters().outbox_bytes_now
            );
        }
        assert_eq!(refused, 200 - CAP / 1000);
        // Sockets that take it are not affected by those that do not.
        let (socket, id) = peers[49];
        let before = rig.output(socket).len();
        rig.kernel.world(|world| world.room(socket, usize::MAX));
        rig.run(5);
        assert!(rig.output(socket).len() >= before);
        for (socket, _) in &peers {
            rig.kernel.world(|world| world.room(*socket, usize::MAX));
        }
        rig.run(5);
        assert_eq!(rig.reactor.counters().outbox_bytes_now, 0);
        rig.reactor.send(id, b"again").unwrap();
    }
}

#[test]
fn the_cap_refuses_nobody_whose_socket_takes_it() {
    let mut rig = Rig::new(Config { outbox_bytes_max: 10_000, ..Config::default() }, Default::default());
    rig.listen(length());
    let peers = rig.peers(50);
    for _ in 0..3 {
        assert_eq!(rig.reactor.broadcast_all(None, None, &[7; 996]).refused, []);
    }
    rig.poll(0);
    for (socket, _) in &peers {
        assert_eq!(rig.output(*socket).len(), 3000);
    }
}

#[test]
fn a_broadcast_is_encoded_once_and_tells_who_did_not_get_it() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let lines = pump.listen(&ListenOptions::new(options("delimiter:\\n")));
    let (mut a, a_id) = pump.join(at);
    let (mut b, b_id) = pump.join(at);
    let (mut line, line_id) = pump.join(lines);
    let (_gone, gone_id) = pump.join(at);
    pump.reactor.close(gone_id, heartline::reactor::Close::AtOnce, None).unwrap();
    let outcome = pump.reactor.broadcast([a_id, gone_id, line_id, b_id], None, b"news");
    assert_eq!(outcome.accepted, 3);
    assert_eq!(outcome.refused, [(gone_id, SendError::Stale)]);
    pump.reactor.flush();
    assert_eq!(
        (a.read_frame(), b.read_frame(), line.read(5)),
        (b"news".to_vec(), b"news".to_vec(), b"news\n".to_vec())
    );
    let outcome = pump.reactor.broadcast_all(Some(a_id), None, b"more");
    assert_eq!((outcome.accepted, outcome.refused.len()), (2, 0));
    // What a framing cannot carry is told for whom it is so.
    let outcome = pump.reactor.broadcast_all(None, None, b"two\nlines");
    assert_eq!(outcome.accepted, 2);
    assert!(matches!(outcome.refused[..], [(id, SendError::Encode(_))] if id == line_id));
    pump.reactor.flush();
    assert_eq!(a.read_frame(), b"two\nlines");
}

#[test]
fn broadcasts_without_a_poll_do_not_gather_without_end() {
    let mut rig = Rig::default();
    rig.listen(length());
    let peers = rig.peers(3);
    let before = resident_bytes();
    for _ in 0..500 {
        assert_eq!(rig.reactor.broadcast_all(None, None, &[1; 60_000]).accepted, 3);
        // What the script's sockets were given is not what is measured here.
        for (socket, _) in &peers {
            rig.kernel.world(|world| world.sockets[*socket].output = Vec::new());
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 12 << 20, "{grown} bytes for 30 MB broadcast");
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn several_slices_become_one_message() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    pump.reactor.send_vectored(id, &[b"a", b"", b"bc", b"def"]).unwrap();
    pump.reactor.flush();
    assert_eq!(peer.read_frame(), b"abcdef");
}

#[test]
fn what_cannot_be_encoded_is_refused_and_the_next_leaves_whole() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(options("length:1be"));
    pump.reactor.send(id, b"first").unwrap();
    assert!(matches!(pump.reactor.send(id, &[0; 256]), Err(SendError::Encode(_))));
    pump.reactor.send(id, b"last").unwrap();
    pump.reactor.flush();
    assert_eq!(peer.read(11), b"\x05first\x04last");
    assert_eq!(pump.reactor.counters().messages_out, 2);
}

#[test]
fn flush_sends_now_and_without_it_the_next_poll_does() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    pump.reactor.send(id, b"one").unwrap();
    assert_eq!(peer.read_now(), b"");
    pump.reactor.flush();
    assert_eq!(peer.read_frame(), b"one");
    pump.reactor.send(id, b"two").unwrap();
    pump.poll(Duration::ZERO);
    assert_eq!(peer.read_frame(), b"two");
}

#[test]
fn a_slow_reader_is_told_of_and_gets_everything_that_was_accepted() {
    let mut pump = Pump::default();
    let mut options = small_buffers();
    options.marks.high_bytes = 256 << 10;
    options.marks.low_bytes = 64 << 10;
    let (mut peer, id) = pump.peer(options);
    let mut accepted = 0_u32;
    let refused = loop {
        let mut message = vec![0; 10_000];
        message[..4].copy_from_slice(&accepted.to_be_bytes());
        match pump.reactor.send(id, &message) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 100_000, "the socket is never full");
    };
    assert!(matches!(refused, SendError::Full { queued_bytes, .. } if queued_bytes <= 256 << 10));
    pump.take("Full", |told| matches!(told.what, What::Full(_)));
    let reader = std::thread::spawn(move || {
        for number in 0..accepted {
            assert_eq!(peer.read_frame()[..4], number.to_be_bytes());
        }
        peer
    });
    pump.take("Drained", |told| told.what == What::Drained);
    pump.until("all is sent", |pump| pump.reactor.state(id).unwrap().queued_bytes == 0);
    drop(reader.join().unwrap());
    assert_eq!(pump.reactor.counters().outbox_bytes_now, 0);
    assert!(pump.history.iter().filter(|told| matches!(told.what, What::Full(_))).count() == 1);
}

#[test]
fn marks_can_be_changed_on_a_live_connection() {
    let mut rig = Rig::default();
    let (_, id) = stuck(&mut rig, marked(1000, 100, WhenFull::Refuse));
    rig.reactor.send(id, &[0; 500]).unwrap();
    rig.reactor.set_options(id, &marked(400, 100, WhenFull::Refuse)).unwrap();
    assert!(matches!(rig.reactor.send(id, b"x"), Err(SendError::Full { high_bytes: 400, .. })));
    rig.reactor.set_options(id, &marked(4000, 100, WhenFull::Refuse)).unwrap();
    rig.reactor.send(id, b"x").unwrap();
}

#[test]
fn a_given_head_leaves_with_its_length_written_and_one_that_is_none_is_refused() {
    let mut rig = Rig::default();
    rig.listen(options("length:2be,at=1,head=4"));
    let (socket, id) = rig.peer();
    rig.reactor.send_with_head(id, Some(b"\x07\xff\xff\x09"), &[b"one"]).unwrap();
    let refused = rig.reactor.send_with_head(id, Some(b"\x07"), &[b"lost"]);
    assert_eq!(refused, Err(SendError::Encode(EncodeError::HeadSize { expected: 4, given: 1 })));
    let refused = rig.reactor.send(id, &vec![0; 65_536]);
    assert_eq!(refused, Err(SendError::Encode(EncodeError::LengthUnfit { length: 65_536, most: 65_535 })));
    rig.reactor.send(id, b"two").unwrap();
    rig.run(1);
    assert_eq!(rig.output(socket), b"\x07\0\x03\x09one\0\0\x03\0two");
    assert_eq!(rig.reactor.counters().messages_out, 2);
}
