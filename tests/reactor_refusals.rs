//! R6, R8, R12, R13 where the kernel refuses what it nearly always does: nothing is lost, nothing leaks, nobody is told
//! twice, and the next call is served as if nothing had been.
#![cfg(feature = "sim")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use heartline::liveness::Role;
use heartline::reactor::net::Parting;
use heartline::reactor::{
    Address, AdoptRefusal, Close, ClosedBy, Config, ConnectionId, DrainOptions, Events, ListenOptions, MailboxError,
    Marks, PauseCause, Reason, SendError, WhenFull,
};
use support::kernel::{Call, Kernel, Rig, World};
use support::{What, framed, length, policy};

const EPERM: i32 = 1;
const EINTR: i32 = 4;
const EBADF: i32 = 9;
const ENOMEM: i32 = 12;
const ENOSPC: i32 = 28;
const ENETUNREACH: i32 = 101;
const ENOTCONN: i32 = 107;
const ETIMEDOUT: i32 = 110;
const EHOSTUNREACH: i32 = 113;
const EINPROGRESS: i32 = 115;

const ANYWHERE: Address = Address::Inherited(0);

fn refuse(kernel: &Kernel, call: Call, error: i32) {
    kernel.world(|world| world.refusals.push((call, error)));
}

fn closed(rig: &Rig, socket: usize) -> Option<Parting> {
    rig.kernel.world(|world| world.sockets[socket].closed)
}

/// The reasons of all ends that this connection was told of.
fn ends(rig: &Rig, id: ConnectionId) -> Vec<Reason> {
    rig.history.iter().filter(|(_, told)| told.id == id).filter_map(|(_, told)| told.reason()).collect()
}

/// A peer whose first frame has come: from then on a read takes the short way.
fn usual_peer(rig: &mut Rig) -> (usize, ConnectionId) {
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &framed(b"first")));
    while rig.messages(id).is_empty() {
        rig.poll(0);
    }
    (socket, id)
}

#[test]
fn a_newcomer_that_cannot_be_set_up_is_given_up_untold_and_the_next_is_well() {
    for call in [Call::Configure, Call::Register] {
        let mut rig = Rig::default();
        rig.listen(length());
        refuse(&rig.kernel, call, EPERM);
        let refused = rig.kernel.world(World::arrive);
        assert!(rig.run(10).is_empty(), "it was never Opened");
        assert_eq!(closed(&rig, refused), Some(Parting::Abort));
        let counters = rig.reactor.counters();
        assert_eq!((counters.accept_errors, counters.accepted, counters.connections_now), (1, 0, 0));
        let (socket, id) = rig.peer();
        rig.kernel.world(|world| world.bytes(socket, &framed(b"well")));
        rig.run(10);
        assert_eq!(rig.messages(id), [b"well"]);
    }
}

#[test]
fn a_newcomer_for_whom_nothing_is_left_pauses_accepting_until_something_is() {
    let mut rig = Rig::default();
    rig.listen(length());
    // Epoll has no watch left for it: it is lost, those behind it wait in the queue.
    refuse(&rig.kernel, Call::Register, ENOSPC);
    rig.kernel.world(|world| (world.arrive(), world.arrive()));
    let told: Vec<_> = rig.run(50).into_iter().map(|(_, told)| told.what).collect();
    assert_eq!(told, [What::AcceptPaused(PauseCause::OutOfDescriptors)]);
    let told: Vec<_> = rig.run(100).into_iter().map(|(_, told)| told.what).collect();
    assert!(matches!(told[..], [What::Opened(_), What::AcceptResumed]), "{told:?}");
}

#[test]
fn more_newcomers_than_a_turn_accepts_are_all_accepted_in_the_end() {
    for batch in [16, 1024] {
        let mut rig = Rig::new(Config::default(), Events::with_capacity(batch, 64 << 10));
        rig.listen(length());
        rig.kernel.world(|world| (0..500).for_each(|_| _ = world.arrive()));
        let first = rig.poll(0);
        assert!(first <= 128.min(batch), "{first} in one turn");
        rig.run(10);
        assert_eq!((rig.reactor.len(), rig.history.len()), (500, 500), "batches of {batch}");
    }
}

#[test]
fn a_dial_that_the_kernel_refuses_at_once_is_an_error_and_leaves_nothing() {
    let mut rig = Rig::default();
    for (call, error) in [(Call::Connect, ENETUNREACH), (Call::Register, ENOMEM)] {
        refuse(&rig.kernel, call, error);
        let refused = rig.reactor.connect(&ANYWHERE, &length(), 0).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(error));
    }
    assert_eq!(closed(&rig, 0), Some(Parting::Abort), "the one that could not be registered");
    assert!(rig.reactor.is_empty() && rig.reactor.counters().connections_now == 0);
    assert!(rig.run(20_000).is_empty(), "an error at once has no end to be told");
}

#[test]
fn a_dial_ends_with_the_reason_that_the_kernel_gives() {
    for (error, reason) in
        [(111, Reason::ConnectRefused), (ETIMEDOUT, Reason::ConnectTimeout), (EHOSTUNREACH, Reason::ConnectError)]
    {
        let mut rig = Rig::default();
        refuse(&rig.kernel, Call::Connected, error);
        let id = rig.reactor.connect(&ANYWHERE, &length(), 0).unwrap();
        rig.run(10);
        assert_eq!(rig.of(id), [&What::ConnectFailed { reason, os_error: error }]);
        assert!(rig.reactor.is_empty());
    }
}

#[test]
fn a_dial_that_is_still_under_way_when_its_edge_comes_waits_for_the_next() {
    let mut rig = Rig::default();
    refuse(&rig.kernel, Call::Connected, EINPROGRESS);
    let id = rig.reactor.connect(&ANYWHERE, &length(), 0).unwrap();
    rig.reactor.send(id, b"early").unwrap();
    rig.run(10);
    assert!(rig.of(id).is_empty() && rig.reactor.state(id).unwrap().dialling);
    assert!(rig.output(0).is_empty());
    rig.kernel.world(|world| world.spurious(0));
    rig.run(10);
    assert_eq!(rig.of(id), [&What::Opened(None)]);
    assert_eq!(rig.output(0), framed(b"early"));
}

#[test]
fn a_descriptor_that_cannot_be_taken_over_comes_back_open() {
    for (call, error) in [(Call::Prepare, EBADF), (Call::Configure, EPERM), (Call::Register, ENOSPC)] {
        let mut rig = Rig::default();
        let descriptor = rig.kernel.opened_elsewhere();
        let number = descriptor.number;
        refuse(&rig.kernel, call, error);
        let refused =
            rig.reactor.adopt(descriptor, &length(), 7, framed(b"read")[..6].to_vec(), b"unsent").err().unwrap();
        let AdoptRefusal::Io(refusal) = refused.error else { panic!("{:?}", refused.error) };
        assert_eq!((refusal.raw_os_error(), refused.socket.number), (Some(error), number));
        assert_eq!(closed(&rig, number), None, "{call:?}");
        assert!(rig.reactor.is_empty() && rig.output(number).is_empty());
        // What a foreign descriptor has is not known: an adoption takes it for the kernel's own.
        rig.kernel.world(|world| world.sockets[number].options = None);
        // What the first try left behind would show in the second.
        let id = rig.reactor.adopt(refused.socket, &length(), 7, framed(b"read"), b"unsent").ok().unwrap();
        rig.run(10);
        assert_eq!(rig.of(id).len(), 2);
        assert_eq!((rig.messages(id), rig.output(number)), (vec![b"read".to_vec()], b"unsent".to_vec()));
        assert_eq!((rig.reactor.counters().adopted, rig.reactor.counters().partial_bytes_now), (1, 0));
    }
}

#[test]
fn a_read_that_a_signal_interrupts_is_tried_again_though_no_edge_comes() {
    // The whole of a frame, the tail of a short one, the tail of one that is read straight into its own memory.
    for (length, begun) in [(300, 0), (40_000, 0), (40_000, 3), (40_000, 20_000)] {
        let mut rig = Rig::default();
        rig.listen(support::length());
        let (socket, id) = usual_peer(&mut rig);
        let wire = framed(&vec![7; length]);
        rig.kernel.world(|world| world.bytes(socket, &wire[..begun]));
        rig.run(1);
        rig.kernel.world(|world| {
            world.sockets[socket].recv_errors.extend([EINTR; 3]);
            world.bytes(socket, &wire[begun..]);
        });
        rig.run(1);
        assert_eq!(rig.messages(id)[1..], [vec![7; length]], "{begun} bytes had come");
        assert!(rig.is_live(id));
    }
}

#[test]
fn a_signal_while_a_close_waits_for_its_peer_loses_nothing_of_what_is_queued() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 5));
    rig.reactor.send(id, b"to the last byte").unwrap();
    rig.reactor.close(id, Close::Flush, Some(300)).unwrap();
    rig.run(10);
    rig.kernel.world(|world| {
        world.sockets[socket].recv_errors.push_back(EINTR);
        world.bytes(socket, b"not read any more");
    });
    rig.run(10);
    assert!(rig.is_live(id), "its close_ms is not over");
    rig.kernel.world(|world| world.room(socket, usize::MAX));
    rig.run(10);
    assert_eq!(rig.output(socket), framed(b"to the last byte"));
    rig.kernel.world(|world| world.fin(socket));
    rig.run(10);
    assert_eq!(ends(&rig, id), [Reason::Application(300)]);
}

#[test]
fn whoever_floods_a_connection_that_closes_keeps_nobody_waiting() {
    let mut rig = Rig::default();
    rig.listen(length());
    let [(flooder, id), (other, other_id)] = rig.peers(2)[..] else { unreachable!() };
    rig.reactor.close(id, Close::Flush, None).unwrap();
    rig.run(1);
    rig.kernel.world(|world| {
        world.bytes(flooder, &vec![0; 3 << 20]);
        world.bytes(other, &framed(b"x"));
    });
    rig.poll(0);
    assert_eq!(rig.messages(other_id).len(), 1, "in the same turn");
    let left = rig.kernel.world(|world| world.sockets[flooder].input.len());
    assert!(left > 2 << 20, "{left}: a turn throws away a bounded number of bytes");
    rig.kernel.world(|world| world.fin(flooder));
    rig.run(20);
    assert_eq!(ends(&rig, id), [Reason::Local]);
    assert_eq!(closed(&rig, flooder), Some(Parting::Orderly));
}

#[test]
fn a_close_whose_fin_cannot_be_sent_ends_at_once() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    refuse(&rig.kernel, Call::Shutdown, ENOTCONN);
    rig.reactor.close(id, Close::Flush, Some(256)).unwrap();
    rig.run(1);
    assert_eq!(ends(&rig, id), [Reason::Application(256)]);
    assert_eq!(closed(&rig, socket), Some(Parting::Orderly));
}

#[test]
fn a_reset_in_the_middle_of_a_close_is_the_end_of_that_close() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 0));
    rig.reactor.send(id, b"never read").unwrap();
    rig.reactor.close(id, Close::Flush, Some(300)).unwrap();
    rig.run(10);
    rig.kernel.world(|world| world.reset(socket));
    rig.run(10);
    assert_eq!(ends(&rig, id), [Reason::Application(300)], "not a second end of another kind");
}

#[test]
fn a_close_outlives_the_limits_that_were_set_before_it_and_ends_at_its_own() {
    let mut rig = Rig::default();
    let mut options = length();
    (options.limits.output_ms, options.limits.close_ms) = (500, 2000);
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 0));
    rig.reactor.send(id, b"never read").unwrap();
    rig.run(100);
    rig.reactor.close(id, Close::Flush, None).unwrap();
    rig.run(1900);
    assert!(rig.is_live(id));
    rig.run(110);
    assert_eq!(ends(&rig, id), [Reason::Local]);
}

#[test]
fn a_drain_gives_up_dials_and_leaves_closes_that_are_under_way_their_reason() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, closing) = rig.peer();
    refuse(&rig.kernel, Call::Connected, EINPROGRESS);
    let dialled = rig.reactor.connect(&ANYWHERE, &length(), 0).unwrap();
    rig.reactor.close(closing, Close::Flush, Some(300)).unwrap();
    rig.run(10);
    rig.reactor.drain(DrainOptions { farewell: Some(b"bye".to_vec()), ..DrainOptions::default() }).unwrap();
    rig.run(10);
    assert_eq!(rig.of(dialled), [&What::ConnectFailed { reason: Reason::Drained, os_error: 0 }]);
    assert!(rig.is_live(closing));
    rig.kernel.world(|world| world.fin(socket));
    rig.run(10);
    assert_eq!(ends(&rig, closing), [Reason::Application(300)]);
    assert!(rig.output(socket).is_empty(), "a close that has begun takes no farewell");
    assert!(rig.reactor.is_drained());
}

#[test]
fn a_socket_that_fails_by_itself_is_told_as_the_system_says() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.sockets[socket].send_errors.push_back(EHOSTUNREACH));
    rig.reactor.send(id, b"lost").unwrap();
    while rig.of(id).len() < 2 {
        rig.poll(1);
    }
    let Some(What::Closed { reason, os_error, queued_bytes, .. }) = rig.of(id).last().copied() else {
        panic!("{:?}", rig.of(id))
    };
    assert_eq!((*reason, *os_error, *queued_bytes), (Reason::OsError, EHOSTUNREACH, 8));
    assert_eq!(rig.reactor.obituary(id).map(|obituary| obituary.closed_by), Some(ClosedBy::System));
    assert_eq!(closed(&rig, socket), Some(Parting::Abort));
}

#[test]
fn what_is_sent_after_a_write_has_failed_is_counted_with_what_was_lost() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    // Bytes that wait to be read keep the end from being told at once.
    rig.kernel.world(|world| {
        world.sockets[socket].send_errors.push_back(32);
        world.bytes(socket, &framed(b"").repeat(300));
    });
    rig.reactor.send(id, b"first").unwrap();
    rig.run(10);
    let Some(What::Closed { reason: Reason::PeerReset, queued_bytes, .. }) = rig.of(id).last().copied() else {
        panic!("{:?}", rig.of(id).last())
    };
    // The message, and an answer for each ask that was read all the same.
    assert_eq!(*queued_bytes as usize, 9 + 300 * 4);
}

#[test]
fn a_full_outbox_is_tried_again_when_the_kernel_has_memory() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 3));
    rig.reactor.send(id, b"patience").unwrap();
    rig.run(10);
    rig.kernel.world(|world| {
        world.sockets[socket].send_errors.extend([ENOMEM; 4]);
        world.room(socket, usize::MAX);
    });
    rig.run(100);
    assert_eq!(rig.output(socket), framed(b"patience"));
    assert!(rig.is_live(id));
}

#[test]
fn a_send_that_meets_a_broken_socket_says_that_it_closes() {
    // Over the high mark what was only gathered is written first: that is where the break shows.
    let mut rig = Rig::default();
    let mut options = length();
    options.marks = Marks { high_bytes: 20, low_bytes: 0, when_full: WhenFull::Refuse };
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.sockets[socket].send_errors.push_back(32));
    rig.reactor.send(id, &[1; 10]).unwrap();
    assert_eq!(rig.reactor.send(id, &[2; 10]), Err(SendError::Closing));
    rig.run(10);
    assert_eq!(ends(&rig, id), [Reason::PeerReset]);
    // The same where the cap of all outboxes together asks for it.
    let mut rig = Rig::new(Config { outbox_bytes_max: 40, ..Config::default() }, Events::new());
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.sockets[socket].send_errors.push_back(32));
    rig.reactor.send(id, &[1; 10]).unwrap();
    assert_eq!(rig.reactor.send(id, &[2; 30]), Err(SendError::Closing));
    rig.run(10);
    assert_eq!(ends(&rig, id), [Reason::PeerReset]);
}

#[test]
fn release_meets_a_broken_socket_and_keeps_it_until_its_end_is_told() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.sockets[socket].send_errors.push_back(32));
    rig.reactor.send(id, b"lost").unwrap();
    assert!(rig.reactor.release(id).is_err());
    rig.run(10);
    assert_eq!(ends(&rig, id), [Reason::PeerReset]);
}

#[test]
fn an_answer_that_the_kernel_takes_half_of_leaves_whole() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = usual_peer(&mut rig);
    rig.kernel.world(|world| {
        world.room(socket, 3);
        world.bytes(socket, &framed(b""));
    });
    rig.run(10);
    assert_eq!(rig.output(socket), [0; 3]);
    rig.reactor.send(id, b"behind it").unwrap();
    rig.kernel.world(|world| world.room(socket, usize::MAX));
    rig.run(10);
    assert_eq!(rig.output(socket), [framed(b""), framed(b"behind it")].concat());
    assert_eq!((rig.reactor.counters().asks_in, rig.reactor.counters().answers_out), (1, 1));
}

#[test]
fn an_answer_that_meets_a_broken_socket_tells_its_end_once() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = usual_peer(&mut rig);
    rig.kernel.world(|world| {
        world.sockets[socket].send_errors.extend([32; 2]);
        world.bytes(socket, &framed(b""));
    });
    rig.run(10);
    assert_eq!(ends(&rig, id), [Reason::PeerReset]);
}

#[test]
fn who_finds_the_batch_full_is_read_in_the_next() {
    let mut rig = Rig::new(Config::default(), Events::with_capacity(2, 32 << 10));
    rig.listen(length());
    let peers: Vec<_> = (0..5).map(|_| usual_peer(&mut rig)).collect();
    rig.kernel.world(|world| peers.iter().for_each(|(socket, _)| world.bytes(*socket, &framed(b"second"))));
    assert_eq!([rig.poll(0), rig.poll(0), rig.poll(0)], [2, 2, 1]);
    assert!(peers.iter().all(|(_, id)| rig.messages(*id) == [&b"first"[..], b"second"]));
}

#[test]
fn a_message_that_fills_the_window_of_a_read_comes_whole() {
    for length in [16_379, 16_380, 16_381, 60_000] {
        let mut rig = Rig::default();
        rig.listen(support::length());
        let (socket, id) = usual_peer(&mut rig);
        rig.kernel.world(|world| world.bytes(socket, &[framed(&vec![3; length]), framed(b"behind it")].concat()));
        rig.run(1);
        assert_eq!(rig.messages(id)[1..], [vec![3; length], b"behind it".to_vec()]);
    }
}

#[test]
fn a_hundred_peers_with_more_than_their_share_are_all_served_turn_by_turn() {
    let mut rig = Rig::new(Config::default(), Events::with_capacity(20_000, 1 << 20));
    rig.listen(length());
    let peers = rig.peers(100);
    rig.kernel.world(|world| peers.iter().for_each(|(socket, _)| world.bytes(*socket, &framed(b"x").repeat(150))));
    for share in [64, 128, 150] {
        rig.poll(0);
        assert!(peers.iter().all(|(_, id)| rig.messages(*id).len() == share), "nobody has {share}");
    }
}

#[test]
fn an_edge_behind_the_end_changes_nothing() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = usual_peer(&mut rig);
    rig.kernel.world(|world| {
        world.bytes(socket, &framed(b"last"));
        world.fin(socket);
    });
    rig.poll(0);
    rig.kernel.world(|world| world.spurious(socket));
    rig.run(10);
    assert_eq!(rig.messages(id).len(), 2);
    assert_eq!(ends(&rig, id), [Reason::PeerClosed]);
}

#[test]
fn good_frames_beyond_a_turns_share_are_told_before_the_bad_one_ends_it() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    let wire = [framed(b"good").repeat(150), vec![0xff; 4]].concat();
    rig.kernel.world(|world| world.bytes(socket, &wire));
    rig.run(10);
    assert_eq!(rig.messages(id).len(), 150);
    assert_eq!(ends(&rig, id), [Reason::OverLimit]);
    assert_eq!(rig.reactor.counters().partial_bytes_now, 0);
}

#[test]
fn a_frame_that_grows_over_the_cap_of_all_ends_its_connection_and_gives_its_memory_back() {
    let mut rig = Rig::new(Config { partial_bytes_max: 20_000, ..Config::default() }, Events::new());
    rig.listen(length());
    let [(socket, id), (other, other_id)] = rig.peers(2)[..] else { unreachable!() };
    let wire = framed(&[1; 60_000]);
    for part in wire.chunks(5000) {
        rig.kernel.world(|world| world.bytes(socket, part));
        rig.run(1);
        assert!(rig.reactor.counters().partial_bytes_now <= 40_000);
    }
    assert_eq!(ends(&rig, id), [Reason::OverLimit]);
    assert_eq!(rig.reactor.counters().partial_bytes_now, 0);
    rig.kernel.world(|world| world.bytes(other, &framed(&[2; 10_000])));
    rig.run(1);
    assert_eq!(rig.messages(other_id).len(), 1);
}

/// F2: however they come, a few bytes or none to an edge.
#[test]
fn memory_for_unfinished_frames_grows_with_what_came_and_not_with_what_was_promised() {
    const PEERS: usize = 100;
    let wire = framed(&[1; 60_000]);
    for part in [100, 1000, 5000] {
        let mut rig = Rig::default();
        rig.listen(length());
        let peers = rig.peers(PEERS);
        for sent in wire[..5000].chunks(part) {
            rig.kernel.world(|world| peers.iter().for_each(|(socket, _)| world.bytes(*socket, sent)));
            rig.run(1);
        }
        rig.kernel.world(|world| peers.iter().for_each(|(socket, _)| world.spurious(*socket)));
        rig.run(1);
        let held = rig.reactor.counters().partial_bytes_now as usize;
        assert!((PEERS * 5000..=PEERS * 10_000).contains(&held), "{held} bytes, in parts of {part}");
    }
}

#[test]
fn a_frame_that_its_peer_does_not_finish_is_given_back_at_the_fin() {
    for begun in [7, 3000] {
        let mut rig = Rig::default();
        rig.listen(length());
        let (socket, id) = rig.peer();
        rig.kernel.world(|world| world.bytes(socket, &framed(&[1; 50_000])[..begun]));
        rig.run(10);
        assert_eq!(rig.reactor.state(id).unwrap().unread_bytes, begun);
        rig.kernel.world(|world| world.fin(socket));
        rig.run(10);
        assert_eq!(ends(&rig, id), [Reason::PeerClosed]);
        assert_eq!(rig.reactor.counters().partial_bytes_now, 0);
    }
}

#[test]
fn a_peer_that_has_said_goodbye_is_not_found_silent() {
    let mut rig = Rig::default();
    let policy = rig.reactor.define_policy(policy(Role::Watch, 1000)).unwrap();
    rig.listen(length().policy(policy));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| {
        world.bytes(socket, &framed(b"last words"));
        world.fin(socket);
    });
    rig.poll(0);
    assert_eq!(rig.messages(id), [b"last words"]);
    // The FIN was read with them; that it is not told yet is the application's wish.
    rig.reactor.pause(id);
    rig.run(900);
    assert!(rig.is_live(id));
    rig.run(200);
    assert_eq!(ends(&rig, id), [Reason::PeerClosed]);
    assert_eq!(rig.reactor.counters().deaths, 0);
}

#[test]
fn an_autopsy_reads_a_bounded_number_of_bytes() {
    let mut rig = Rig::new(Config { autopsy_ms: 500, ..Config::default() }, Events::new());
    let id = rig.reactor.define_policy(policy(Role::Watch, 1000)).unwrap();
    rig.listen(length().policy(id));
    let (socket, id) = rig.peer();
    rig.run(1100);
    assert_eq!(ends(&rig, id), [Reason::Silent]);
    rig.kernel.world(|world| world.bytes_unseen(socket, &vec![0; 5 << 20]));
    rig.run(1000);
    let counters = rig.reactor.counters();
    assert_eq!((counters.autopsies, counters.false_deaths), (1, 1));
    assert!((1 << 20..2 << 20).contains(&counters.false_death_bytes), "{}", counters.false_death_bytes);
    assert_eq!(closed(&rig, socket), Some(Parting::Abort));
}

#[test]
fn a_wait_that_fails_is_the_polls_error_and_the_next_poll_goes_on() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &framed(b"kept")));
    rig.reactor.send(id, b"sent all the same").unwrap();
    refuse(&rig.kernel, Call::Wait, EBADF);
    let failed = rig.reactor.poll(&mut rig.events, Some(Duration::ZERO)).unwrap_err();
    assert_eq!(failed.raw_os_error(), Some(EBADF));
    rig.run(10);
    assert_eq!(rig.messages(id), [b"kept"]);
    assert_eq!(rig.output(socket), framed(b"sent all the same"));
}

#[test]
fn a_mailbox_needs_a_waker_and_says_so() {
    let mut rig = Rig::default();
    refuse(&rig.kernel, Call::Waker, 24);
    assert_eq!(rig.reactor.mailbox().unwrap_err().raw_os_error(), Some(24));
    assert!(rig.reactor.mailbox().is_ok());
}

#[test]
fn a_letter_that_wakes_nobody_waits_for_the_next_that_does() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    let mailbox = rig.reactor.mailbox().unwrap();
    let alert = rig.kernel.world(|world| Arc::clone(&world.alert));
    alert.error.store(11, Ordering::Release);
    assert!(matches!(mailbox.send(id, b"one".to_vec()), Err(MailboxError::Wake(_))));
    assert!(matches!(mailbox.send(id, b"two".to_vec()), Err(MailboxError::Wake(_))), "each tries again");
    rig.run(10);
    assert!(rig.output(socket).is_empty());
    alert.error.store(0, Ordering::Release);
    rig.reactor.mailbox().unwrap().wake().unwrap();
    rig.run(10);
    assert_eq!(rig.output(socket), [framed(b"one"), framed(b"two")].concat());
}

#[test]
fn a_head_can_be_given_to_a_broadcast_by_mail() {
    let mut rig = Rig::default();
    rig.listen(support::options("length:2be,at=1,head=4"));
    let (socket, _) = rig.peer();
    let mailbox = rig.reactor.mailbox().unwrap();
    mailbox.broadcast_with_head(Arc::from(&b"\x07\0\0\x09"[..]), Arc::from(&b"news"[..])).unwrap();
    rig.run(10);
    assert_eq!(rig.output(socket), b"\x07\0\x04\x09news");
    // One that is none is refused for that connection, and nothing of it leaves.
    mailbox.broadcast_with_head(Arc::from(&b"short"[..]), Arc::from(&b"lost"[..])).unwrap();
    rig.run(10);
    assert_eq!(rig.output(socket).len(), 8);
}

#[test]
fn listeners_that_are_gone_are_not_found() {
    let mut rig = Rig::default();
    let listener = rig.listen(length());
    assert!(rig.reactor.stop_listening(listener));
    assert_eq!(rig.reactor.listener_address(listener).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let refused = rig.reactor.set_listener_options(listener, &ListenOptions::new(length())).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::NotFound);
}
