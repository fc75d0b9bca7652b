//! What a peer said last is told as it was, and what it is owed still leaves: R13, L6, L10, R4, over a kernel that follows
//! a script.
#![cfg(feature = "sim")]

mod support;

use heartline::frame::FrameError;
use heartline::liveness::Role;
use heartline::reactor::{Close, Options, Reason};
use support::kernel::Rig;
use support::{What, framed, length, policy};

/// Options of a policy that watches with a timeout of one second.
fn watched(rig: &mut Rig) -> Options {
    let id = rig.reactor.define_policy(policy(Role::Watch, 1000)).unwrap();
    length().policy(id)
}

/// The reason, the errno and the unsent bytes of the one end that a connection had.
fn end_of(rig: &Rig, id: heartline::reactor::ConnectionId) -> Option<(Reason, i32, u32)> {
    rig.of(id).into_iter().find_map(|what| match what {
        What::Closed { reason, os_error, queued_bytes, .. } => Some((*reason, *os_error, *queued_bytes)),
        _ => None,
    })
}

#[test]
fn a_paused_peer_that_said_goodbye_was_not_silent() {
    let mut rig = Rig::default();
    let options = watched(&mut rig);
    rig.listen(options);
    let peers = rig.peers(3);
    for (_, id) in &peers {
        rig.reactor.pause(*id);
    }
    rig.kernel.world(|world| {
        world.fin(peers[0].0);
        world.reset(peers[1].0);
    });
    rig.run(2000);
    assert_eq!(end_of(&rig, peers[0].1), Some((Reason::PeerClosed, 0, 0)));
    assert_eq!(end_of(&rig, peers[1].1), Some((Reason::PeerReset, 104, 0)));
    assert_eq!(end_of(&rig, peers[2].1), Some((Reason::Silent, 0, 0)), "that one said nothing");
    assert_eq!(rig.reactor.counters().deaths, 1);
}

#[test]
fn a_goodbye_whose_edge_was_lost_is_a_goodbye() {
    let mut rig = Rig::default();
    let options = watched(&mut rig);
    rig.listen(options);
    let peers = rig.peers(2);
    rig.kernel.world(|world| {
        world.sockets[peers[0].0].fin = true;
        world.sockets[peers[1].0].error = Some(104);
    });
    rig.run(2000);
    assert_eq!(end_of(&rig, peers[0].1), Some((Reason::PeerClosed, 0, 0)));
    assert_eq!(end_of(&rig, peers[1].1), Some((Reason::PeerReset, 104, 0)));
}

#[test]
fn what_is_queued_for_a_paused_peer_that_said_goodbye_is_flushed() {
    let mut rig = Rig::default();
    let options = watched(&mut rig);
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.reactor.pause(id);
    rig.kernel.world(|world| {
        world.room(socket, 0);
        world.fin(socket);
    });
    rig.reactor.send(id, b"reply").unwrap();
    rig.kernel.after(1500, move |world| world.room(socket, usize::MAX));
    rig.run(3000);
    assert_eq!(rig.output(socket), framed(b"reply"), "R13");
    assert_eq!(end_of(&rig, id), Some((Reason::PeerClosed, 0, 0)));
}

#[test]
fn a_half_open_paused_peer_that_said_goodbye_stays_open_for_sending() {
    let mut rig = Rig::default();
    let mut options = watched(&mut rig);
    options.half_open = true;
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.reactor.pause(id);
    rig.kernel.world(|world| world.fin(socket));
    rig.run(5000);
    assert_eq!(rig.of(id).iter().filter(|what| ***what == What::ReadClosed).count(), 1);
    assert!(rig.is_live(id));
    rig.reactor.resume(id);
    rig.run(5000);
    assert_eq!(rig.of(id).iter().filter(|what| ***what == What::ReadClosed).count(), 1, "told once");
    assert!(rig.is_live(id));
}

#[test]
fn a_goodbye_behind_messages_that_a_pause_holds_back_waits_for_them() {
    let mut rig = Rig::new(Default::default(), heartline::reactor::Events::with_capacity(2, 64 << 10));
    let options = watched(&mut rig);
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &[framed(b"1"), framed(b"2"), framed(b"3")].concat()));
    rig.poll(0);
    rig.reactor.pause(id);
    rig.kernel.world(|world| world.fin(socket));
    rig.run(5000);
    assert_eq!(rig.messages(id).len(), 2);
    assert_eq!(rig.of(id).len(), 3, "nobody is suspect whose messages wait for us: {:?}", rig.of(id));
    rig.reactor.resume(id);
    rig.run(100);
    assert_eq!(rig.messages(id), [b"1", b"2", b"3"]);
    assert_eq!(end_of(&rig, id), Some((Reason::PeerClosed, 0, 0)));
}

/// Answers each message with itself, as an application does between two polls.
fn echo(rig: &mut Rig, polls: usize) {
    for _ in 0..polls {
        let before = rig.history.len();
        rig.poll(0);
        for (_, told) in &rig.history[before..] {
            if let Some(message) = told.message() {
                let _ = rig.reactor.send(told.id, message);
            }
        }
    }
}

/// The head of a frame that is over any limit.
const TOO_LARGE: [u8; 4] = [0xff; 4];

#[test]
fn replies_to_good_frames_before_bad_bytes_of_the_same_read_still_leave() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| {
        world.bytes(socket, &[framed(b"one"), framed(b"two"), TOO_LARGE.to_vec()].concat());
        // What comes afterwards is not read.
        world.bytes(socket, &framed(b"three"));
    });
    let reads = rig.kernel.world(|world| world.sockets[socket].reads);
    echo(&mut rig, 1);
    rig.kernel.world(|world| world.bytes(socket, &framed(b"four")));
    echo(&mut rig, 1);
    let wrong = rig.reactor.obituary(id).expect("it ends with the next turn").frame_error;
    assert!(matches!(wrong, Some(FrameError::TooLarge { length: 0xffff_ffff, .. })), "{wrong:?}");
    echo(&mut rig, 2);
    assert_eq!(rig.messages(id), [b"one", b"two"]);
    assert_eq!(rig.output(socket), [framed(b"one"), framed(b"two")].concat());
    assert_eq!(end_of(&rig, id), Some((Reason::OverLimit, 0, 0)));
    assert_eq!(rig.reactor.counters().closed_in_all(), 1);
    assert_eq!(rig.kernel.world(|world| world.sockets[socket].reads), reads + 1);
    assert_eq!(rig.reactor.counters().partial_bytes_now, 0);
}

#[test]
fn bad_bytes_end_it_although_the_kernel_takes_no_reply_or_the_application_pauses() {
    let mut rig = Rig::default();
    rig.listen(length());
    let peers = rig.peers(2);
    rig.kernel.world(|world| {
        world.room(peers[0].0, 3);
        for (socket, _) in &peers {
            world.bytes(*socket, &[framed(b"one"), TOO_LARGE.to_vec()].concat());
        }
    });
    echo(&mut rig, 1);
    rig.reactor.pause(peers[1].1);
    assert!(rig.reactor.release(peers[1].1).is_err(), "its end is certain");
    echo(&mut rig, 2);
    assert_eq!(end_of(&rig, peers[0].1), Some((Reason::OverLimit, 0, 4)), "bounded: what the kernel takes at once");
    assert_eq!(end_of(&rig, peers[1].1), Some((Reason::OverLimit, 0, 0)));
    assert_eq!(rig.output(peers[1].0), framed(b"one"));
}

#[test]
fn replies_leave_before_bad_bytes_that_were_held_back_by_a_full_batch_too() {
    let mut rig = Rig::new(Default::default(), heartline::reactor::Events::with_capacity(2, 64 << 10));
    rig.listen(length());
    let (socket, id) = rig.peer();
    let good: Vec<u8> = (0..7).flat_map(|number| framed(&[number])).collect();
    rig.kernel.world(|world| world.bytes(socket, &[good.clone(), TOO_LARGE.to_vec()].concat()));
    echo(&mut rig, 10);
    assert_eq!(rig.messages(id).len(), 7);
    assert_eq!(rig.output(socket), good);
    assert_eq!(end_of(&rig, id), Some((Reason::OverLimit, 0, 0)));
}

#[test]
fn bad_bytes_alone_end_it_in_the_same_poll() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &TOO_LARGE));
    rig.poll(0);
    assert_eq!(end_of(&rig, id), Some((Reason::OverLimit, 0, 0)));
}

#[test]
fn a_write_that_fails_on_a_closing_connection_ends_it_at_once() {
    let mut rig = Rig::default();
    rig.listen(length());
    let peers = rig.peers(2);
    // One fails while its rest is flushed, the other in the very write of the close.
    rig.kernel.world(|world| world.room(peers[0].0, 0));
    rig.reactor.send(peers[0].1, b"never sent").unwrap();
    rig.poll(0);
    rig.reactor.close(peers[0].1, Close::Flush, Some(300)).unwrap();
    rig.run(100);
    assert!(rig.is_live(peers[0].1), "it waits for room");
    rig.kernel.world(|world| {
        for (socket, _) in &peers {
            world.sockets[*socket].send_errors.extend([104, 32]);
        }
        world.room(peers[0].0, usize::MAX);
    });
    rig.run(2);
    assert_eq!(end_of(&rig, peers[0].1), Some((Reason::Application(300), 0, 14)), "long before close_ms");
    rig.reactor.send(peers[1].1, b"never sent").unwrap();
    rig.reactor.close(peers[1].1, Close::Flush, Some(301)).unwrap();
    rig.run(2);
    assert_eq!(end_of(&rig, peers[1].1), Some((Reason::Application(301), 0, 14)));
}

#[test]
fn the_first_error_of_an_answer_is_the_one_that_is_told() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    // A first frame, so that the beat takes the short way.
    rig.kernel.world(|world| world.bytes(socket, &framed(b"first")));
    rig.run(10);
    rig.kernel.world(|world| {
        // As TCP tells it: the reset once, then a broken pipe.
        world.sockets[socket].send_errors.extend([104, 32]);
        world.bytes(socket, &framed(b""));
    });
    rig.run(10);
    assert_eq!(end_of(&rig, id), Some((Reason::PeerReset, 104, 4)), "with the answer that was owed");
}
