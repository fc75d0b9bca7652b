//! R1, R2, R4, R11, L4, L5, L6, L8 over a kernel that follows a script: every would-block, short write and lost edge,
//! and waits that come an hour late.
#![cfg(feature = "sim")]

mod support;

use heartline::liveness::{Policy, Role};
use heartline::reactor::net::Parting;
use heartline::reactor::{Address, Close, Config, ConnectionId, Events, Options, Reason};
use heartline::time::TICK_MS;
use support::kernel::{Call, Rig, World};
use support::{What, framed, length, options, policy};

/// Options of a policy that judges by this timeout.
fn judged(rig: &mut Rig, role: Role, timeout_ms: u32) -> Options {
    let id = rig.reactor.define_policy(policy(role, timeout_ms)).unwrap();
    length().policy(id)
}

/// A small generator of numbers, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn a_read_cut_at_any_byte_loses_nothing() {
    let wire: Vec<u8> = (0..30).flat_map(|number| framed(&vec![number; usize::from(number) * 7])).collect();
    for read_max in 1..60 {
        let mut rig = Rig::default();
        rig.listen(length());
        let (socket, id) = rig.peer();
        // Reads are short although there is more, as with data at a FIN (R1): only then a short read proves nothing.
        rig.kernel.world(|world| {
            world.sockets[socket].read_max = Some(read_max);
            world.bytes(socket, &wire);
            world.fin(socket);
        });
        rig.run(100);
        let messages = rig.messages(id);
        assert_eq!(messages.len(), 29, "reads of {read_max}");
        assert!(messages.iter().zip(1..).all(|(message, number)| *message == vec![number; usize::from(number) * 7]));
        assert!(
            matches!(rig.of(id).last(), Some(What::Closed { reason: Reason::PeerClosed, .. })),
            "{read_max} {:?}",
            rig.of(id).last()
        );
    }
}

#[test]
fn a_short_read_spares_the_read_that_would_block() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    let before = rig.kernel.world(|world| world.sockets[socket].reads);
    rig.kernel.world(|world| world.bytes(socket, &framed(b"x")));
    rig.poll(0);
    assert_eq!(rig.messages(id).len(), 1);
    assert_eq!(rig.kernel.world(|world| world.sockets[socket].reads) - before, 1);
}

#[test]
fn notifications_without_a_cause_change_nothing() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    for _ in 0..10 {
        rig.kernel.world(|world| world.spurious(socket));
        rig.run(1);
    }
    rig.kernel.world(|world| world.bytes(socket, &framed(b"x")));
    rig.run(1);
    assert_eq!(rig.of(id).len(), 2);
}

#[test]
fn a_write_cut_at_any_byte_loses_nothing_and_needs_one_edge_each() {
    for step in 1..40 {
        let mut rig = Rig::default();
        rig.listen(length());
        let (socket, id) = rig.peer();
        rig.kernel.world(|world| world.room(socket, step));
        let mut expected = Vec::new();
        for number in 0..20_u8 {
            rig.reactor.send(id, &[number; 9]).unwrap();
            expected.extend(framed(&[number; 9]));
            rig.poll(0);
            rig.kernel.world(|world| world.room(socket, step));
        }
        for _ in 0..expected.len() {
            rig.poll(0);
            rig.kernel.world(|world| world.room(socket, step));
        }
        assert_eq!(rig.output(socket), expected, "steps of {step}");
        assert_eq!(rig.reactor.counters().outbox_bytes_now, 0);
    }
}

#[test]
fn beats_and_frames_never_cut_into_each_other_whatever_the_kernel_takes() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let mut rig = Rig::default();
        rig.listen(options("length:4be,ask=?,answer=!"));
        let (socket, id) = rig.peer();
        let mut sent = 0;
        for _ in 0..60 {
            match dice.below(4) {
                0 => rig.kernel.world(|world| world.bytes(socket, &framed(b"?"))),
                1 => {
                    sent += u8::from(rig.reactor.send(id, &vec![sent; dice.below(20) + 2]).is_ok());
                }
                2 => rig.kernel.world(|world| world.room(socket, dice.below(30))),
                _ => {
                    rig.poll(0);
                }
            }
        }
        rig.kernel.world(|world| world.room(socket, usize::MAX));
        rig.run(50);
        // What left is whole frames: every answer owed, and the messages in order.
        let (output, mut at, mut answers, mut next) = (rig.output(socket), 0, 0, 0);
        while at < output.len() {
            let length = u32::from_be_bytes(output[at..at + 4].try_into().unwrap()) as usize;
            let message = &output[at + 4..at + 4 + length];
            if message == b"!" {
                answers += 1;
            } else {
                assert!(message.iter().all(|byte| *byte == next), "seed {seed}: {message:?} for {next}");
                next += 1;
            }
            at += 4 + length;
        }
        assert_eq!(next, sent, "seed {seed}");
        assert_eq!(answers, rig.reactor.counters().asks_in, "seed {seed}");
    }
}

#[test]
fn answers_go_before_data_that_has_not_begun() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 0));
    rig.reactor.send(id, b"data").unwrap();
    rig.poll(0);
    rig.kernel.world(|world| world.bytes(socket, &framed(b"")));
    rig.poll(0);
    rig.kernel.world(|world| world.room(socket, usize::MAX));
    rig.poll(0);
    assert_eq!(rig.output(socket), [framed(b""), framed(b"data")].concat());
}

/// The arena is nearly full when a long line ends, so the line gets memory of its own; the ask behind it is cut all the same.
#[test]
fn an_ask_behind_a_long_message_is_answered_before_the_reply() {
    let mut rig = Rig::new(Config::default(), Events::with_capacity(64, 32 << 10));
    rig.listen(options("delimiter:\\n,max=64K,ask=?,answer=!"));
    let [(neighbour, _), (socket, id)] = *rig.peers(2) else { unreachable!() };
    rig.kernel.world(|world| world.bytes(socket, &[b'x'; 25_000]));
    rig.run(10);
    rig.kernel.world(|world| {
        world.bytes(neighbour, &[&[b'y'; 15_000][..], b"\n"].concat());
        world.bytes(socket, b"x\n?\nz\n");
    });
    rig.poll(0);
    assert_eq!(rig.messages(id), [vec![b'x'; 25_001], b"z".to_vec()]);
    rig.reactor.send(id, b"reply").unwrap();
    rig.poll(0);
    assert_eq!(rig.output(socket), b"!\nreply\n");
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_rested_and_owed_every_answer() {
    let mut rig = Rig::default();
    let mut options = length();
    options.limits.output_ms = 0;
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 0));
    const ASKS: usize = 100_000;
    let beats = framed(b"").repeat(ASKS);
    rig.kernel.world(|world| world.bytes(socket, &beats));
    rig.run(1000);
    // R4: bounded by not reading on, never by dropping.
    let queued = rig.reactor.state(id).unwrap().queued_bytes;
    assert!(queued <= 8 << 10, "{queued}");
    rig.kernel.world(|world| world.room(socket, usize::MAX));
    rig.run(1000);
    assert_eq!(rig.output(socket).len(), ASKS * 4);
    assert!(rig.is_live(id));
}

#[test]
fn more_slices_than_one_call_takes_leave_without_an_edge() {
    let mut rig = Rig::default();
    rig.listen(length());
    let peers = rig.peers(2);
    // Alternating: no two frames of one connection are neighbours.
    let mut expected = [Vec::new(), Vec::new()];
    for number in 0..500_u32 {
        for (at, (_, id)) in peers.iter().enumerate() {
            rig.reactor.send(*id, &number.to_be_bytes()).unwrap();
            expected[at].extend(framed(&number.to_be_bytes()));
        }
    }
    rig.run(20);
    for (at, (socket, _)) in peers.iter().enumerate() {
        assert_eq!(rig.output(*socket).len(), expected[at].len(), "the kernel had room: no edge comes");
        assert_eq!(rig.output(*socket), expected[at]);
    }
}

#[test]
fn a_kernel_without_buffers_is_tried_again_without_an_edge() {
    for error in [105, 12, 4] {
        let mut rig = Rig::default();
        rig.listen(length());
        let (socket, id) = rig.peer();
        rig.kernel.world(|world| world.sockets[socket].send_errors.extend([error; 5]));
        rig.reactor.send(id, b"patience").unwrap();
        rig.run(100);
        assert_eq!(rig.output(socket), framed(b"patience"), "errno {error}");
        assert!(rig.is_live(id));
        let waits = rig.kernel.world(|world| world.waits.len());
        assert!(waits < 60, "{waits} waits: it spins");
    }
}

#[test]
fn a_failed_write_does_not_hide_what_can_still_be_read() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| {
        world.sockets[socket].input.extend(framed(b"last words"));
        world.sockets[socket].error = Some(104);
        world.sockets[socket].send_errors.push_back(32);
    });
    // The write fails before any edge tells of the reset.
    rig.reactor.send(id, b"hello?").unwrap();
    rig.run(20);
    let told = rig.of(id);
    let [_, What::Message { message, .. }, What::Closed { reason, os_error, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((message.as_slice(), *reason, *os_error), (&b"last words"[..], Reason::PeerReset, 32));
}

#[test]
fn nobody_has_more_than_its_share_of_a_turn() {
    let mut rig = Rig::default();
    rig.listen(length());
    let peers = rig.peers(3);
    let flood = framed(b"flood").repeat(1000);
    rig.kernel.world(|world| {
        world.bytes(peers[0].0, &flood);
        world.bytes(peers[1].0, &framed(b"one"));
        world.bytes(peers[2].0, &framed(&[0; 60_000]));
    });
    rig.poll(0);
    assert_eq!(rig.messages(peers[1].1).len(), 1, "in the same turn");
    assert_eq!(rig.messages(peers[2].1).len(), 1, "in the same turn");
    assert_eq!(rig.messages(peers[0].1).len(), 64);
    rig.run(20);
    assert_eq!(rig.messages(peers[0].1).len(), 1000);
}

#[test]
fn verdicts_and_ends_and_newcomers_are_not_kept_out_by_a_flood() {
    // The flooders fill every batch, for as long as they like.
    let mut rig = Rig::new(Config::default(), Events::with_capacity(16, 64 << 10));
    let options = judged(&mut rig, Role::Ask, 2000);
    rig.listen(options);
    let flooders = rig.peers(4);
    let (silent, silent_id) = rig.peer();
    let (_, closing_id) = rig.peer();
    let began = rig.now_ms();
    let (mut newcomer, mut closed) = (false, false);
    for round in 0..4000 {
        for (flooder, _) in &flooders {
            rig.kernel.world(|world| world.bytes(*flooder, &framed(b"flood").repeat(64)));
        }
        if round == 100 {
            rig.reactor.close(closing_id, Close::AtOnce, None).unwrap();
            rig.kernel.world(World::arrive);
        }
        rig.kernel.pass(1);
        rig.poll(0);
        closed |= rig.events.iter().any(|event| event.id == closing_id);
        newcomer |= rig.reactor.counters().accepted == 7;
        if round == 200 {
            assert!(closed, "an end must be told");
            assert!(newcomer, "a newcomer must be accepted");
        }
        rig.history.retain(|(_, told)| !told.is_message());
    }
    assert!(!rig.output(silent).is_empty(), "it must be asked");
    let died = rig.history.iter().find(|(_, told)| told.id == silent_id && told.reason() == Some(Reason::Silent));
    let (at, _) = died.expect("it must be found");
    assert!((2000..2200).contains(&(at - began)), "{} ms", at - began);
    assert!(flooders.iter().all(|(_, id)| rig.is_live(*id)));
}

#[test]
fn a_death_is_never_early_and_at_most_a_tick_late() {
    for offset in 0..40 {
        let mut rig = Rig::default();
        let options = judged(&mut rig, Role::Watch, 1000);
        rig.listen(options);
        let (socket, id) = rig.peer();
        // Any fraction of a millisecond, any phase of a tick.
        rig.kernel.world(|world| world.now_ns += offset * 317_003);
        rig.kernel.world(|world| world.bytes(socket, &framed(b"last")));
        rig.poll(0);
        let heard_ns = rig.kernel.world(|world| world.now_ns);
        // From here on waits end with whole milliseconds: what was rounded down when heard would be judged early.
        rig.kernel.world(|world| world.now_ns = world.now_ns.next_multiple_of(1_000_000));
        while rig.is_live(id) {
            rig.poll(10_000);
        }
        let silence_ns = rig.kernel.world(|world| world.now_ns) - heard_ns;
        assert!(silence_ns >= 1_000_000_000, "early: {silence_ns} ns");
        assert!(silence_ns <= 1_006_000_000, "late: {silence_ns} ns");
    }
}

#[test]
fn a_clock_that_runs_while_we_read_makes_no_death_early() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 1000);
    rig.listen(options);
    let peers = rig.peers(500);
    // Each read takes 50 us: the last of them is heard 25 ms after the wait ended.
    rig.kernel.world(|world| {
        world.read_ns = 50_000;
        for (socket, _) in &peers {
            world.bytes(*socket, &framed(b""));
        }
    });
    rig.poll(0);
    let heard = rig.now_ms();
    rig.kernel.world(|world| world.read_ns = 0);
    let told = rig.run(2000);
    let ends: Vec<_> = told.iter().filter(|(_, told)| told.reason().is_some()).map(|(at, _)| *at).collect();
    assert_eq!(ends.len(), 500);
    // L4: stamped from a clock read at most 64 connections ago, so at most 64 × 50 us early of the exact moment.
    let last = ends.iter().max().unwrap();
    assert!(*last >= heard + 1000 - 4 && *last <= heard + 1010, "{last} for {heard}");
}

/// L4 across the border between what the wait listed and what an earlier turn left over.
#[test]
fn a_byte_of_the_ready_list_is_heard_by_a_clock_of_at_most_64_connections_ago() {
    let mut rig = Rig::new(Config::default(), Events::with_capacity(20_000, 2 << 20));
    let options = judged(&mut rig, Role::Watch, 1000);
    rig.listen(options);
    let left_over = rig.peers(63);
    let ready = rig.peers(63);
    for (socket, _) in left_over.iter().chain(&ready) {
        rig.kernel.world(|world| world.bytes(*socket, &framed(b"first")));
    }
    rig.poll(0);
    // Its whole share of a turn in one full read: there may be more.
    for (socket, _) in &left_over {
        rig.kernel.world(|world| world.bytes(*socket, &framed(&[0; 252]).repeat(64)));
    }
    rig.poll(0);
    // There is, and the next turn reads it, after it has read from all the others.
    rig.kernel.world(|world| {
        for (socket, _) in &left_over {
            world.bytes_unseen(*socket, &framed(b"last"));
        }
        for (socket, _) in &ready {
            world.bytes(*socket, &framed(b""));
        }
        world.read_ns = 1_000_000;
    });
    rig.poll(0);
    rig.kernel.world(|world| world.read_ns = 0);
    let last = left_over.last().unwrap();
    let heard = rig.now_ms();
    assert_eq!(rig.messages(last.1).len(), 66, "its last word was read");
    while rig.is_live(last.1) {
        rig.poll(10_000);
    }
    // 64 reads of a millisecond, and the tick.
    let silence = rig.now_ms() - heard;
    assert!((1000 - 65..=1005).contains(&silence), "{silence} ms");
}

#[test]
fn a_newcomer_is_heard_by_a_clock_of_at_most_64_connections_ago() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 1000);
    rig.listen(options);
    rig.kernel.world(|world| {
        world.accept_ns = 1_000_000;
        for _ in 0..127 {
            world.arrive();
        }
    });
    rig.poll(0);
    rig.kernel.world(|world| world.accept_ns = 0);
    let accepted = rig.now_ms();
    assert_eq!(rig.reactor.counters().accepted, 127);
    while !rig.reactor.is_empty() {
        rig.poll(10_000);
    }
    let silence = rig.now_ms() - accepted;
    assert!((1000 - 65..=1005).contains(&silence), "{silence} ms");
}

#[test]
fn a_byte_whose_edge_was_lost_saves_its_peer() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 1000);
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.kernel.after(990, move |world| world.bytes_unseen(socket, &framed(b"alive")));
    rig.run(1500);
    assert!(rig.is_live(id));
    assert_eq!(rig.messages(id), [b"alive"]);
    assert_eq!(rig.reactor.counters().last_looks_saved, 1);
    rig.run(1500);
    assert!(!rig.is_live(id));
    assert_eq!(rig.kernel.world(|world| world.sockets[socket].closed), Some(Parting::Abort), "R7");
}

#[test]
fn a_paused_connection_is_judged_only_when_nothing_waits_to_be_read() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 1000);
    rig.listen(options);
    let peers = rig.peers(2);
    for (_, id) in &peers {
        rig.reactor.pause(*id);
    }
    rig.kernel.world(|world| world.bytes(peers[0].0, &framed(b"unread")));
    rig.run(10_000);
    assert!(rig.is_live(peers[0].1), "L10: its bytes wait for us");
    assert!(!rig.is_live(peers[1].1));
    rig.reactor.resume(peers[0].1);
    rig.run(10);
    assert_eq!(rig.messages(peers[0].1), [b"unread"]);
}

/// A thousand peers that beat each second, one that is dead; the process is stopped for `length_ms` in the middle.
fn stopped_for(length_ms: u64, role: Role, list_max: usize) {
    let mut rig = Rig::default();
    let options = judged(&mut rig, role, 4000);
    rig.listen(options);
    rig.kernel.world(|world| world.list_max = list_max);
    let peers = rig.peers(300);
    let dead = peers[17].1;
    let end = 12_000 + length_ms;
    for (at, (socket, id)) in peers.iter().enumerate() {
        if *id == dead {
            continue;
        }
        let socket = *socket;
        for beat in 0..end / 1000 {
            rig.kernel.after(beat * 1000 + at as u64 * 3, move |world| world.bytes(socket, &framed(b"")));
        }
    }
    rig.kernel.stop(2500, length_ms);
    rig.run(end - 1000);
    for (_, id) in &peers {
        assert_eq!(rig.is_live(*id), *id != dead, "false deaths after a stop of {length_ms} ms");
    }
    assert_eq!(rig.reactor.counters().deaths, 1);
    assert!(rig.history.iter().any(|(_, told)| matches!(told.what, What::Stalled(_))), "it is told");
}

#[test]
fn a_stop_longer_than_the_timeout_kills_nobody_who_lives() {
    stopped_for(6_000, Role::Answer, 1024);
    stopped_for(60_000, Role::Watch, 1024);
    stopped_for(6_000, Role::Both, 64);
}

#[test]
fn a_process_stopped_for_an_hour_kills_nobody_on_waking() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Ask, 4000);
    rig.listen(options);
    let peers = rig.peers(200);
    // Nobody could send while we were away: they only answer, and whoever is asked now answers in time.
    rig.kernel.stop(1000, 3_600_000);
    rig.run(3_600_900);
    assert!(peers.iter().all(|(_, id)| rig.is_live(*id)));
    let asked = peers.iter().filter(|(socket, _)| !rig.output(*socket).is_empty()).count();
    for (socket, _) in &peers {
        let socket = *socket;
        rig.kernel.after(100, move |world| world.bytes(socket, &framed(b"")));
    }
    rig.run(1000);
    assert!(peers.iter().all(|(_, id)| rig.is_live(*id)), "{asked} were asked");
    // And those who are truly gone are found afterwards.
    rig.run(5000);
    assert!(peers.iter().all(|(_, id)| !rig.is_live(*id)));
}

#[test]
fn an_application_that_is_busy_for_longer_than_the_timeout_kills_nobody() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 1000);
    rig.listen(options);
    let peers = rig.peers(50);
    for round in 0..5 {
        for (socket, _) in &peers {
            let socket = *socket;
            rig.kernel.after(round * 200 + 1500, move |world| world.bytes(socket, &framed(b"")));
        }
    }
    rig.run(300);
    rig.kernel.pass(5000);
    rig.run(300);
    assert!(peers.iter().all(|(_, id)| rig.is_live(*id)));
    rig.run(2000);
    assert!(rig.reactor.is_empty());
}

/// Whatever the last turn did, a verdict among it: the application's own time is never the peers' silence.
#[test]
fn an_application_that_blocks_after_any_turn_kills_nobody_who_only_answers() {
    for before_ms in (10..1000).step_by(30) {
        let mut rig = Rig::default();
        let options = judged(&mut rig, Role::Ask, 1000);
        rig.listen(options);
        let peers = rig.peers(50);
        rig.run(before_ms);
        blocks_and_all_live(&mut rig, &peers, before_ms);
    }
    // Right behind the turn that told of the first suspect, and so has judged.
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Ask, 1000);
    rig.listen(options);
    let peers = rig.peers(50);
    while rig.reactor.counters().suspects == 0 {
        rig.poll(1000);
    }
    blocks_and_all_live(&mut rig, &peers, 0);
}

fn blocks_and_all_live(rig: &mut Rig, peers: &[(usize, heartline::reactor::ConnectionId)], before_ms: u64) {
    assert_eq!(rig.reactor.len(), peers.len());
    rig.kernel.pass(60_000);
    // They are asked anew and answer within fifty milliseconds.
    for (socket, _) in peers {
        let socket = *socket;
        rig.kernel.after(50, move |world| world.bytes(socket, &framed(b"")));
    }
    rig.run(60);
    assert!(peers.iter().all(|(_, id)| rig.is_live(*id)), "blocked {before_ms} ms after the first byte");
    // The stall was found once, and the truly dead are found.
    assert_eq!(rig.reactor.counters().stalls, 1);
    rig.run(2000);
    assert!(rig.reactor.is_empty());
}

#[test]
fn a_listener_that_is_broken_for_good_does_not_spin() {
    let mut rig = Rig::default();
    rig.listen(length());
    rig.kernel.world(|world| world.accept_errors.extend([22; 10_000]));
    rig.kernel.after(5, |world| {
        world.arrive();
    });
    rig.run(1000);
    let tried = rig.reactor.counters().accept_errors;
    assert!((5..=20).contains(&tried), "{tried} tries in a second");
}

/// Four hundred peers on the verge of death, and in how many milliseconds it is due.
fn on_the_verge(list_max: usize) -> (Rig, Vec<(usize, heartline::reactor::ConnectionId)>, u64) {
    let mut rig = Rig::default();
    rig.kernel.world(|world| world.list_max = list_max);
    let options = judged(&mut rig, Role::Watch, 1000);
    rig.listen(options);
    let peers = rig.peers(400);
    rig.run(900);
    let due = rig.reactor.wait_ms().unwrap();
    assert!(due > 50 && due <= 110);
    (rig, peers, due)
}

#[test]
fn a_wait_that_fills_its_list_is_repeated_before_anybody_is_judged() {
    let (mut rig, peers, due) = on_the_verge(8);
    // All beat in the very millisecond in which they would be dead.
    for (socket, _) in &peers {
        let socket = *socket;
        rig.kernel.after(due, move |world| world.bytes(socket, &framed(b"")));
    }
    rig.run(200);
    assert!(peers.iter().all(|(_, id)| rig.is_live(*id)));
    assert_eq!(rig.reactor.counters().last_looks_saved, 0, "they were heard, not saved at the last moment");
}

#[test]
fn a_wait_that_comes_late_is_repeated_before_anybody_is_judged() {
    let (mut rig, peers, due) = on_the_verge(1024);
    // A stop too short to be a stall (L5: jitter counts), over the moment of their death. They had beaten in time, but
    // the list of that wait holds only the first of them.
    for (socket, _) in &peers {
        let socket = *socket;
        rig.kernel.after(due - 5, move |world| world.bytes(socket, &framed(b"")));
    }
    rig.kernel.stop(due - 10, 70);
    rig.run(200);
    assert_eq!(rig.reactor.counters().stalls, 0);
    assert!(peers.iter().all(|(_, id)| rig.is_live(*id)));
    assert_eq!(rig.reactor.counters().last_looks_saved, 0, "they were heard, not saved at the last moment");
}

#[test]
fn a_mass_death_is_told_in_steps_and_the_living_are_answered_between() {
    let mut rig =
        Rig::new(Config { verdicts_per_turn: 100, ..Config::default() }, Events::with_capacity(4096, 1 << 20));
    let options = judged(&mut rig, Role::Answer, 1000);
    rig.listen(options);
    let peers = rig.peers(1000);
    let (living, living_id) = peers[500];
    rig.run(900);
    rig.kernel.world(|world| world.bytes(living, &framed(b"")));
    rig.run(50);
    let mut polls = 0;
    rig.kernel.pass(60);
    while rig.reactor.len() > 1 {
        rig.kernel.world(|world| world.bytes(living, &framed(b"")));
        let before = rig.output(living).len();
        rig.poll(10);
        assert_eq!(rig.output(living).len(), before + 4, "answered in this very poll");
        polls += 1;
        assert!(polls < 100);
    }
    assert!(polls >= 10, "{polls}");
    assert!(rig.is_live(living_id));
    assert_eq!(rig.reactor.counters().deaths, 999);
}

#[test]
fn ten_thousand_closed_at_once_do_not_delay_the_living() {
    let mut rig = Rig::new(Config::default(), Events::with_capacity(20_000, 1 << 20));
    rig.listen(length());
    let peers = rig.peers(10_000);
    let (living, living_id) = peers[0];
    for (_, id) in &peers[1..] {
        rig.reactor.close(*id, Close::AtOnce, None).unwrap();
    }
    let mut polls = 0;
    while rig.reactor.counters().closed_in_all() as usize
        > rig.history.iter().filter(|(_, told)| told.reason().is_some()).count()
    {
        rig.kernel.world(|world| world.bytes(living, &framed(b"")));
        let before = rig.output(living).len();
        let told = rig.poll(10);
        assert!(told <= 600, "{told} ends in one poll: a turn gives up a bounded number of sockets");
        assert_eq!(rig.output(living).len(), before + 4);
        polls += 1;
        assert!(polls < 200);
    }
    assert!(rig.is_live(living_id));
}

#[test]
fn a_poll_without_patience_never_waits() {
    let mut rig = Rig::default();
    rig.listen(length());
    rig.peer();
    for _ in 0..50 {
        rig.kernel.world(|world| world.now_ns += 123_457);
        rig.kernel.world(|world| world.waits.clear());
        let before = rig.kernel.world(|world| world.now_ns);
        rig.poll(0);
        assert_eq!(rig.kernel.world(|world| world.now_ns), before);
        rig.kernel.world(|world| assert_eq!(world.waits, [Some(0)]));
    }
}

#[test]
fn an_idle_reactor_waits_once_for_as_long_as_it_may() {
    let mut rig = Rig::default();
    rig.listen(length());
    rig.run(10);
    rig.kernel.world(|world| world.waits.clear());
    rig.kernel.after(3_600_000, |world| {
        world.arrive();
    });
    rig.reactor.poll(&mut rig.events, None).unwrap();
    assert_eq!(rig.events.len(), 1);
    // R9: nothing due, no wake-up; one look for more after the hour.
    rig.kernel.world(|world| assert_eq!(world.waits[0], None));
    rig.kernel.world(|world| assert!(world.waits.len() <= 2, "{:?}", world.waits));
}

#[test]
fn a_drain_that_is_over_leaves_the_reactor_idle() {
    let mut rig = Rig::default();
    rig.listen(length());
    rig.peers(3);
    rig.reactor.drain(heartline::reactor::DrainOptions { limit_ms: 500, ..Default::default() }).unwrap();
    rig.run(1000);
    assert!(rig.reactor.is_drained());
    rig.kernel.world(|world| world.waits.clear());
    rig.run(60_000);
    let waits = rig.kernel.world(|world| world.waits.len());
    assert!(waits < 5, "{waits} waits with nothing to do");
    assert_eq!(rig.reactor.wait_ms(), None);
}

#[test]
fn a_drain_closes_evenly_over_its_spread_and_cuts_at_its_limit() {
    let mut rig = Rig::default();
    rig.listen(length());
    let peers = rig.peers(100);
    // Half of them never answer a FIN.
    for (socket, _) in &peers[..50] {
        let socket = *socket;
        for at in 0..60 {
            rig.kernel.after(at * 100, move |world| {
                if world.sockets[socket].fin_sent && !world.sockets[socket].fin {
                    world.fin(socket);
                }
            });
        }
    }
    let farewell = Some(b"bye".to_vec());
    let drain = heartline::reactor::DrainOptions { spread_ms: 1000, limit_ms: 3000, farewell, code: Some(400) };
    rig.reactor.drain(drain).unwrap();
    rig.kernel.world(|world| world.waits.clear());
    let began = rig.now_ms();
    for tenth in 1..=10 {
        rig.run(100);
        let begun =
            peers.iter().filter(|(socket, _)| rig.kernel.world(|world| world.sockets[*socket].fin_sent)).count();
        assert!(begun.abs_diff(tenth * 10) <= 2, "{begun} after {tenth} tenths");
    }
    rig.run(2500);
    assert!(rig.reactor.is_drained());
    let ends: Vec<_> = rig.history.iter().filter(|(_, told)| told.reason().is_some()).collect();
    assert_eq!(ends.len(), 100);
    assert!(ends.iter().all(|(at, told)| told.reason() == Some(Reason::Application(400)) && at - began <= 3010));
    for (socket, _) in &peers {
        assert_eq!(rig.output(*socket), framed(b"bye"));
    }
    let waits = rig.kernel.world(|world| world.waits.len());
    assert!(waits < 600, "{waits} waits: it spins between two closes");
}

#[test]
fn the_alarm_of_a_nested_reactor_is_set_only_when_the_nearest_deadline_changes() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 60_000);
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.reactor.descriptor().unwrap();
    let before = rig.kernel.world(|world| world.alarms.len());
    for round in 0..100 {
        rig.kernel.pass(10);
        if round % 2 == 0 {
            rig.kernel.world(|world| world.bytes(socket, &framed(b"x")));
        }
        rig.poll(0);
    }
    assert_eq!(rig.messages(id).len(), 50);
    assert_eq!(rig.kernel.world(|world| world.alarms.len()), before, "none of it is nearer");
    let nearer = rig.reactor.define_policy(policy(Role::Watch, 2000)).unwrap();
    rig.reactor.set_policy(id, nearer);
    while rig.is_live(id) {
        let due_ms = rig.reactor.wait_ms().unwrap();
        let due_ns = (rig.now_ms() + due_ms) * 1_000_000;
        assert_eq!(rig.kernel.world(|world| world.alarms.split_off(before)), [Some(due_ns)]);
        rig.kernel.pass(due_ms);
        rig.poll(0);
    }
    assert_eq!(rig.kernel.world(|world| world.alarms.split_off(before)), [None], "nobody is left");
}

#[test]
fn a_host_that_comes_back_when_wait_ms_says_is_never_late() {
    let mut rig = Rig::default();
    let (soon, late) = (judged(&mut rig, Role::Watch, 4000), judged(&mut rig, Role::Watch, 60_000));
    let listener = rig.listen(soon);
    let (_, first) = rig.peer();
    rig.reactor.set_listener_options(listener, &heartline::reactor::ListenOptions::new(late)).unwrap();
    let (_, second) = rig.peer();
    // The deadline that the turn had promised goes with the connection.
    rig.reactor.close(first, Close::AtOnce, None).unwrap();
    for _ in 0..20 {
        let wait_ms = rig.reactor.wait_ms().unwrap();
        rig.kernel.pass(wait_ms);
        rig.poll(0);
        assert_eq!(rig.reactor.counters().stalls, 0, "after {wait_ms} ms");
        if !rig.is_live(second) {
            return;
        }
    }
    panic!("the silent peer is found by {:?}", rig.reactor.wait_ms());
}

#[test]
fn who_dials_after_an_hour_without_connections_is_not_late() {
    let mut rig = Rig::default();
    rig.poll(0);
    rig.kernel.pass(3_600_000);
    rig.kernel.world(|world| world.refusals = vec![(Call::Connected, 115); 10]);
    let began = rig.now_ms();
    let id = rig.reactor.connect(&Address::Inherited(0), &length(), 0).unwrap();
    let connect_ms = length().limits.connect_ms.into();
    while rig.is_live(id) {
        // What it promises is not for the hour in which nobody was watched.
        let wait_ms = rig.reactor.wait_ms().unwrap();
        rig.kernel.pass(wait_ms);
        rig.poll(0);
        assert_eq!(rig.reactor.counters().stalls, 0, "after {wait_ms} ms");
    }
    let took = rig.history.last().unwrap().0 - began;
    assert!((connect_ms..=connect_ms + TICK_MS).contains(&took), "{took}");
}

#[test]
fn a_call_in_time_leaves_the_promise_that_a_stop_after_it_breaks() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 4000);
    rig.listen(options);
    let (_, id) = rig.peer();
    rig.kernel.pass(10);
    rig.reactor.grace(id, 0);
    rig.kernel.pass(3_600_000);
    rig.poll(0);
    assert!(rig.is_live(id));
    assert_eq!(rig.reactor.counters().stalls, 1);
}

#[test]
fn an_application_that_stops_after_the_first_accept_of_all_kills_nobody() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Ask, 4000);
    rig.listen(options);
    let (socket, id) = rig.peer();
    rig.kernel.pass(3_600_000);
    rig.poll(0);
    assert!(rig.is_live(id), "it was not even asked");
    assert_eq!(rig.reactor.counters().stalls, 1);
    rig.run(1000);
    assert!(!rig.output(socket).is_empty(), "it is asked within the interval");
}

#[test]
fn an_obituary_has_the_round_trip_and_the_stalls_it_lived_through() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Ask, 4000);
    rig.listen(options);
    let (socket, id) = rig.peer();
    while rig.output(socket).is_empty() {
        rig.run(1);
    }
    rig.kernel.after(37, move |world| world.bytes(socket, &framed(b"")));
    rig.run(50);
    let due = rig.reactor.wait_ms().unwrap();
    rig.kernel.pass(due + 5000);
    rig.poll(0);
    assert_eq!(rig.history.last().unwrap().1.what, What::Stalled(5000));
    assert_eq!((rig.reactor.counters().stalls, rig.reactor.counters().stalled_ms), (1, 5000));
    let (_, newcomer) = rig.peer();
    let obituary = |id| {
        rig.reactor.close(id, Close::AtOnce, None).unwrap();
        rig.poll(0);
        rig.reactor.obituary(id).unwrap().clone()
    };
    let [old, new] = [id, newcomer].map(obituary);
    assert_eq!((old.rtt_ms, old.stalls), (Some(38), 1), "a byte is heard by a clock that is rounded up");
    assert_eq!((new.rtt_ms, new.stalls), (None, 0));
}

#[test]
fn the_longest_turn_that_judged_is_known() {
    let mut rig = Rig::default();
    let options = judged(&mut rig, Role::Watch, 4000);
    rig.listen(options);
    let peers = rig.peers(4);
    for (read_ms, longest_us) in [(3, 9_000), (7, 21_000), (1, 21_000)] {
        let due = rig.reactor.wait_ms().unwrap();
        rig.kernel.pass(due);
        rig.kernel.world(|world| {
            world.read_ns = read_ms * 1_000_000;
            peers[..3].iter().for_each(|(socket, _)| world.bytes(*socket, &framed(b"x")));
        });
        rig.poll(0);
        assert_eq!(rig.reactor.counters().turn_max_us, longest_us);
    }
}

/// Two peers are heard in a turn in which each read takes 900 ms: both have their whole timeout from its end.
fn both_live_for_their_timeout_after_a_slow_turn(mut rig: Rig, rest_ms: u64) {
    let options = judged(&mut rig, Role::Watch, 4000);
    rig.listen(options);
    let peers = rig.peers(2);
    if rest_ms > 0 {
        rig.run(rest_ms);
    }
    rig.kernel.world(|world| {
        world.read_ns = 900_000_000;
        peers.iter().for_each(|(socket, _)| world.bytes(*socket, &framed(b"x")));
    });
    rig.poll(0);
    rig.kernel.world(|world| world.read_ns = 0);
    rig.run(3990);
    assert!(peers.iter().all(|(_, id)| rig.is_live(*id)), "heard in a turn that ended less than a timeout ago");
    rig.run(20);
    assert!(peers.iter().all(|(_, id)| !rig.is_live(*id)));
}

#[test]
fn a_stop_in_the_middle_of_a_turn_is_not_the_silence_of_those_heard_after_it() {
    both_live_for_their_timeout_after_a_slow_turn(Rig::default(), 0);
}

/// The same where the stop lies between two waits of one turn: the list was full.
#[test]
fn a_stop_between_two_waits_of_a_turn_is_not_the_silence_of_those_heard_before_it() {
    let rig = Rig::default();
    rig.kernel.world(|world| world.list_max = 1);
    both_live_for_their_timeout_after_a_slow_turn(rig, 500);
}

#[test]
fn an_answer_that_comes_after_an_adoption_is_not_answered() {
    // Asks and answers of `length:4be` are the same bytes.
    let mut rig = Rig::default();
    let policy = rig.reactor.define_policy(Policy::lan().with_role(Role::Both)).unwrap();
    rig.listen(length().policy(policy));
    let (socket, id) = rig.peer();
    rig.run(2_100);
    assert_eq!(rig.output(socket), framed(b""), "an ask");
    let released = rig.reactor.release(id).unwrap();
    assert_eq!(released.unanswered, 1);
    let id = rig.adopt(&length().policy(policy), released.unread, &released.unsent).unwrap();
    let socket = socket + 1;
    assert!(rig.reactor.expect_answers(id, released.unanswered));
    rig.kernel.world(|world| world.bytes(socket, &framed(b"")));
    rig.run(100);
    assert_eq!((rig.reactor.counters().asks_in, rig.reactor.counters().answers_in), (0, 1));
    assert_eq!(rig.output(socket), b"", "no answer to the answer");
    assert!(!rig.reactor.expect_answers(ConnectionId::NONE, 1));
}

#[test]
fn a_paused_connection_is_not_asked_beyond_what_can_be_counted() {
    let mut rig = Rig::default();
    let policy = Policy { interval_ms: 20, suspect_ms: 60_000, timeout_ms: 120_000, ..Policy::lan() };
    let policy = rig.reactor.define_policy(policy.with_role(Role::Both)).unwrap();
    rig.listen(length().policy(policy));
    let (socket, id) = rig.peer();
    rig.reactor.pause(id);
    rig.run(255 * 20 + 3_000);
    assert_eq!((rig.reactor.counters().asks_out, rig.output(socket).len()), (254, 254 * 4));
    // All answers come at once when it reads again, and an ask of its own behind them: each is taken for what it is.
    rig.kernel.world(|world| world.bytes(socket, &framed(b"").repeat(255)));
    rig.reactor.resume(id);
    rig.run(15);
    assert_eq!((rig.reactor.counters().answers_in, rig.reactor.counters().asks_in), (254, 1));
    rig.run(100);
    assert!(rig.reactor.counters().asks_out > 254, "asked again");
}
