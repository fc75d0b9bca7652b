//! L10, R6 and the limits of listeners: each limit in time with its own reason, each count refused or paused and told.
#![cfg(feature = "sim")]

mod support;

use std::time::{Duration, Instant};

use heartline::liveness::{Policy, Role};
use heartline::reactor::{AdoptRefusal, Config, Events, ListenOptions, Options, PauseCause, Reason, WhenFull};
use support::kernel::{Rig, World};
use support::{Peer, Pump, Told, What, framed, length, options, policy};

fn with_limits(set: impl FnOnce(&mut Options)) -> Options {
    let mut options = length();
    set(&mut options);
    options
}

/// Runs for `ms`; when and why the connection ended.
fn end(rig: &mut Rig, id: heartline::reactor::ConnectionId, ms: u64) -> Option<(u64, Reason)> {
    let began = rig.now_ms();
    while rig.now_ms() < began + ms {
        rig.poll(began + ms - rig.now_ms());
        if let Some((at, told)) = rig.history.last().filter(|(_, told)| told.id == id)
            && let Some(reason) = told.reason()
        {
            return Some((at - began, reason));
        }
    }
    None
}

fn ends_within(rig: &mut Rig, id: heartline::reactor::ConnectionId, limit_ms: u64, reason: Reason) {
    let (at, why) = end(rig, id, limit_ms + 1000).expect("its limit has passed");
    assert_eq!(why, reason);
    assert!((limit_ms..=limit_ms + 8).contains(&at), "after {at} ms, the limit is {limit_ms}");
}

#[test]
fn a_first_frame_must_come_in_time() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.first_frame_ms = 500));
    let (silent, silent_id) = rig.peer();
    rig.kernel.after(499, move |world| world.bytes(silent, &framed(b"half")[..5]));
    ends_within(&mut rig, silent_id, 500, Reason::FirstFrameLate);
    let (speaks, speaks_id) = rig.peer();
    rig.kernel.after(490, move |world| world.bytes(speaks, &framed(b"")));
    assert_eq!(end(&mut rig, speaks_id, 5000), None, "a beat is a frame too");
}

#[test]
fn a_frame_that_was_begun_must_complete_in_time() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.frame_ms = 500));
    let (socket, id) = rig.peer();
    rig.run(3000);
    // A byte now and then proves life but completes nothing.
    for step in 0..6 {
        rig.kernel.after(step * 90, move |world| world.bytes(socket, &framed(b"never whole")[step as usize..][..1]));
    }
    ends_within(&mut rig, id, 500, Reason::FrameStalled);
}

#[test]
fn each_frame_has_the_whole_limit_for_itself() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.frame_ms = 500));
    let (socket, id) = rig.peer();
    for step in 0..10 {
        // Each read ends one frame and begins the next.
        rig.kernel.after(step * 400, move |world| {
            let parts = if step == 0 { framed(b"ab")[..5].to_vec() } else { [b"b", &framed(b"ab")[..5]].concat() };
            world.bytes(socket, &parts);
        });
    }
    assert_eq!(end(&mut rig, id, 3600), None);
    ends_within(&mut rig, id, 500, Reason::FrameStalled);
}

#[test]
fn queued_output_must_progress_in_time() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.output_ms = 500));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.sockets[socket].room = 10);
    rig.reactor.send(id, &[0; 1000]).unwrap();
    rig.poll(0);
    // A little progress now and then is progress.
    for step in 1..6 {
        rig.kernel.after(step * 400, move |world| world.room(socket, 10));
    }
    assert_eq!(end(&mut rig, id, 2000), None);
    ends_within(&mut rig, id, 500, Reason::OutputStalled);
    let obituary = rig.reactor.obituary(id).unwrap();
    assert_eq!(obituary.queued_bytes, 1004 - 60);
}

#[test]
fn output_that_waited_for_a_dial_must_progress_in_time_too() {
    let mut rig = Rig::default();
    let options = with_limits(|options| options.limits.output_ms = 500);
    let id = rig.reactor.connect(&heartline::reactor::Address::Inherited(0), &options, 0).unwrap();
    rig.kernel.world(|world| world.sockets[0].room = 0);
    rig.reactor.send(id, b"waits").unwrap();
    assert_eq!(rig.poll(0), 1, "opened");
    ends_within(&mut rig, id, 500, Reason::OutputStalled);
}

#[test]
fn a_frame_that_was_begun_before_an_adoption_must_complete_in_time_too() {
    let (ours, _peer) = support::tcp_pair();
    let mut pump = Pump::default();
    let options = with_limits(|options| options.limits.frame_ms = 300);
    let began = Instant::now();
    let id = pump.reactor.adopt(ours.into(), &options, 0, framed(b"never whole")[..7].to_vec(), &[]).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::FrameStalled));
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn output_that_came_with_an_adoption_must_progress_in_time_too() {
    let (ours, _peer) = support::tcp_pair();
    let mut pump = Pump::default();
    let mut options = support::small_buffers();
    options.limits.output_ms = 300;
    let id = pump.reactor.adopt(ours.into(), &options, 0, Vec::new(), &vec![0; 16 << 20]).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::OutputStalled));
}

#[test]
fn a_pause_is_not_held_against_a_frame_and_does_not_end_its_limit() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.frame_ms = 500));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &framed(b"half")[..6]));
    rig.poll(0);
    rig.reactor.pause(id);
    assert_eq!(end(&mut rig, id, 2000), None);
    rig.reactor.resume(id);
    ends_within(&mut rig, id, 500, Reason::FrameStalled);
}

#[test]
fn a_pause_is_not_held_against_a_first_frame_and_does_not_end_its_limit() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.first_frame_ms = 500));
    let (_, id) = rig.peer();
    rig.reactor.pause(id);
    assert_eq!(end(&mut rig, id, 2000), None);
    rig.reactor.resume(id);
    ends_within(&mut rig, id, 500, Reason::FirstFrameLate);
}

#[test]
fn a_stall_of_ours_is_not_held_against_a_limit() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.frame_ms = 500));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &framed(b"half")[..6]));
    rig.poll(0);
    rig.kernel.stop(200, 3_600_000);
    // The rest came while we were away: it is there when we wake.
    rig.kernel.after(1_800_000, move |world| world.bytes(socket, &framed(b"half")[6..]));
    let told = rig.run(3_610_000);
    assert!(told.iter().any(|(_, told)| matches!(told.what, What::Stalled(_))));
    assert_eq!(rig.messages(id), [b"half"]);
    assert!(rig.is_live(id));
}

#[test]
fn limits_can_be_changed_on_a_live_connection() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| options.limits.frame_ms = 600_000));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &framed(b"half")[..6]));
    rig.poll(0);
    rig.run(1000);
    assert!(rig.reactor.set_options(id, &with_limits(|options| options.limits.frame_ms = 2000)).unwrap());
    ends_within(&mut rig, id, 1000, Reason::FrameStalled);
}

#[test]
fn limits_of_zero_are_off() {
    let mut rig = Rig::default();
    rig.listen(with_limits(|options| {
        options.limits.frame_ms = 0;
        options.limits.output_ms = 0;
        options.policy = None;
    }));
    let (socket, id) = rig.peer();
    let none = rig.reactor.define_policy(Policy::none()).unwrap();
    rig.reactor.set_policy(id, none);
    rig.kernel.world(|world| {
        world.sockets[socket].room = 0;
        world.bytes(socket, &framed(b"half")[..6]);
    });
    rig.reactor.send(id, b"waits").unwrap();
    assert_eq!(end(&mut rig, id, 86_400_000), None);
}

#[test]
fn a_policy_of_another_reactor_is_refused_and_not_a_panic() {
    let mut other = Rig::default();
    for ms in 100..110 {
        other.reactor.define_policy(policy(Role::Answer, ms * 100)).unwrap();
    }
    let foreign = other.reactor.define_policy(Policy::lan()).unwrap();
    let mut pump = Pump::default();
    assert!(
        pump.reactor.listen(&"127.0.0.1:0".parse().unwrap(), &ListenOptions::new(length().policy(foreign))).is_err()
    );
    let (_peer, id) = pump.peer(length());
    assert!(pump.reactor.set_options(id, &length().policy(foreign)).is_err());
    assert!(!pump.reactor.set_policy(id, foreign));
}

#[test]
fn connections_of_one_address_are_limited_and_a_close_makes_room() {
    let mut pump = Pump::default();
    let mut settings = ListenOptions::new(length());
    settings.per_address_max = 2;
    let at = pump.listen(&settings);
    let (first, first_id) = pump.join(at);
    let _second = pump.join(at);
    let mut third = Peer::connect(at);
    pump.until("the third is refused", |pump| pump.reactor.counters().closed(Reason::OverLimit) == 1);
    assert!(third.read_to_end().is_ok_and(|bytes| bytes.is_empty()) || pump.reactor.len() == 2);
    assert_eq!(pump.reactor.len(), 2);
    drop(first);
    pump.closed(first_id);
    pump.join(at);
    assert_eq!(pump.reactor.len(), 2);
}

#[test]
fn the_count_of_an_address_belongs_to_its_listener() {
    let mut pump = Pump::default();
    let mut settings = ListenOptions::new(length());
    settings.per_address_max = 1;
    let (old, old_at) = pump.listen_at("127.0.0.1:0", &settings);
    let (old_peer, old_id) = pump.join(old_at);
    pump.reactor.stop_listening(old);
    let (_, at) = pump.listen_at("127.0.0.1:0", &settings);
    let _first = pump.join(at);
    // A connection of the listener that is gone says nothing about this one.
    drop(old_peer);
    pump.closed(old_id);
    let _second = Peer::connect(at);
    pump.until("the second is refused", |pump| pump.reactor.counters().closed(Reason::OverLimit) == 1);
    assert_eq!(pump.reactor.len(), 1);
}

#[test]
fn accepts_per_second_hold_back_and_lose_nobody() {
    let mut rig = Rig::default();
    let mut settings = ListenOptions::new(length());
    settings.accepts_per_second = 10;
    rig.reactor.listen(&heartline::reactor::Address::Inherited(0), &settings).unwrap();
    for _ in 0..35 {
        rig.kernel.world(World::arrive);
    }
    let told = rig.run(5000);
    let began = told[0].0;
    let seconds: Vec<_> = told.iter().filter(|(_, told)| told.is_opened()).map(|(at, _)| (at - began) / 1000).collect();
    assert_eq!(seconds.len(), 35);
    for second in 0..4 {
        assert_eq!(seconds.iter().filter(|at| **at == second).count(), if second < 3 { 10 } else { 5 });
    }
}

#[test]
fn an_empty_queue_costs_nothing_of_the_accepts_per_second() {
    let mut rig = Rig::default();
    let mut settings = ListenOptions::new(length());
    settings.accepts_per_second = 4;
    rig.reactor.listen(&heartline::reactor::Address::Inherited(0), &settings).unwrap();
    for _ in 0..4 {
        rig.kernel.after(10, |world| {
            world.arrive();
        });
        let opened = rig.run(20).iter().filter(|(_, told)| told.is_opened()).count();
        assert_eq!(opened, 1, "four in a second were allowed");
    }
}

#[test]
fn accepting_pauses_at_connections_max_and_goes_on_after_a_close() {
    let mut pump = Pump::new(Config { connections_max: 3, ..Config::default() });
    let at = pump.listen(&ListenOptions::new(length()));
    let mut peers: Vec<_> = (0..5).map(|_| Peer::connect(at)).collect();
    pump.take_many(3, "Opened", Told::is_opened);
    let paused = pump.take("AcceptPaused", |told| matches!(told.what, What::AcceptPaused(_)));
    assert_eq!(paused.what, What::AcceptPaused(PauseCause::ConnectionsMax));
    assert!(pump.during(Duration::from_millis(350)).is_empty(), "told once");
    assert_eq!(pump.reactor.len(), 3);
    peers.drain(..2);
    pump.take_many(2, "Opened", Told::is_opened);
    assert_eq!(pump.reactor.len(), 3);
    peers.clear();
    pump.take("AcceptResumed", |told| told.what == What::AcceptResumed);
    assert_eq!(pump.reactor.counters().accept_pauses, 1);
}

#[test]
fn at_connections_max_nothing_is_done_until_a_close() {
    let mut rig = Rig::new(Config { connections_max: 1, ..Config::default() }, Events::new());
    rig.listen(length());
    rig.peer();
    rig.kernel.world(World::arrive);
    rig.run(10);
    let before = rig.kernel.world(|world| world.waits.len());
    rig.run(9000);
    // Nothing can change but by a close of our own: no need to look again and again.
    let waits = rig.kernel.world(|world| world.waits.len()) - before;
    assert!(waits < 5, "{waits} waits in 9 s");
}

#[test]
fn out_of_descriptors_accepting_pauses_is_told_once_and_tries_ten_times_a_second() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (_, kept) = rig.peer();
    rig.kernel.world(|world| {
        world.accepts = 0;
        world.waits.clear();
        world.accept_errors.extend([24; 20]);
        world.arrive();
    });
    let told = rig.run(1900);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].1.what, What::AcceptPaused(PauseCause::OutOfDescriptors));
    let (accepts, waits) = rig.kernel.world(|world| (world.accepts, world.waits.len()));
    assert!((18..=20).contains(&accepts), "{accepts}");
    assert!(waits <= 2 * accepts + 5, "{waits} waits: it spins");
    let told: Vec<_> = rig.run(500).into_iter().map(|(_, told)| told.what).collect();
    assert!(matches!(told[..], [What::Opened(_), What::AcceptResumed]), "{told:?}");
    assert!(rig.is_live(kept));
}

#[test]
fn a_close_of_ours_is_tried_at_once_when_out_of_descriptors() {
    let mut rig = Rig::default();
    rig.listen(length());
    let (_, id) = rig.peer();
    rig.kernel.world(|world| {
        world.accept_errors.push_back(23);
        world.arrive();
    });
    rig.run(20);
    rig.reactor.close(id, heartline::reactor::Close::AtOnce, None).unwrap();
    let told: Vec<_> = rig.run(20).into_iter().map(|(_, told)| told.what).collect();
    assert!(told.iter().any(|what| matches!(what, What::Opened(_))), "{told:?}");
}

#[test]
fn a_connection_aborted_in_the_queue_is_passed_over() {
    let mut rig = Rig::default();
    rig.listen(length());
    rig.kernel.world(|world| world.accept_errors.extend([103, 71]));
    rig.peer();
    assert_eq!(rig.reactor.counters().accept_errors, 2);
    assert_eq!(rig.reactor.counters().accept_pauses, 0);
}

#[test]
fn a_dial_has_its_own_limit_and_its_own_reason() {
    // The scripted kernel connects at once; here a real one that never answers.
    let mut options = options("length:4be");
    options.limits.connect_ms = 0;
    options.limits.output_ms = 100;
    options.marks.when_full = WhenFull::Close;
    let mut rig = Rig::default();
    let id = rig.reactor.connect(&heartline::reactor::Address::Inherited(0), &options, 3).unwrap();
    rig.run(1000);
    assert_eq!(*rig.of(id)[0], What::Opened(None));
    assert!(rig.is_live(id));
}

#[test]
fn what_comes_with_an_adoption_must_fit_under_the_caps_of_the_reactor() {
    let config = Config { partial_bytes_max: 100, outbox_bytes_max: 200, ..Config::default() };
    let mut rig = Rig::new(config, Events::new());
    let unfinished = |bytes: usize| framed(&[7; 1000])[..bytes].to_vec();
    let first = rig.adopt(&length(), unfinished(60), &[]).unwrap();
    rig.poll(0);
    assert_eq!(rig.reactor.state(first).unwrap().unread_bytes, 60);
    let refused = rig.adopt(&length(), unfinished(41), &[]).unwrap_err();
    assert_eq!(refused.unread, unfinished(41), "it comes back");
    assert!(matches!(
        refused.error,
        AdoptRefusal::Unread { unread_bytes: 41, partial_bytes_now: 60, partial_bytes_max: 100 }
    ));
    let text = refused.error.to_string();
    assert_eq!(text, "41 unread bytes do not fit: unfinished frames hold 60 of partial_bytes_max, 100");
    let refused = rig.adopt(&length(), Vec::new(), &[0; 201]).unwrap_err();
    assert!(matches!(
        refused.error,
        AdoptRefusal::Unsent { unsent_bytes: 201, outbox_bytes_now: 0, outbox_bytes_max: 200 }
    ));
    assert_eq!(std::io::Error::from(refused.error).kind(), std::io::ErrorKind::QuotaExceeded);
    // Nothing of the refused stays, and what fits is taken.
    let second = rig.adopt(&length(), unfinished(40), &[0; 200]).unwrap();
    rig.run(10);
    assert!(rig.is_live(first) && rig.is_live(second));
    assert_eq!((rig.reactor.len(), rig.reactor.counters().partial_bytes_now), (2, 100));
}
