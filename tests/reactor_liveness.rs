//! Beats, suspicion, death, guards and policies over real sockets. The exact times are in reactor_kernel.rs, where time is
//! a script; here bounds have slack only upward.

mod support;

use std::time::{Duration, Instant};

use heartline::liveness::{MassSilence, Policy, Role};
use heartline::reactor::{ClosedBy, Config, ListenOptions, Options, Reason};
use support::{Pump, What, framed, length, options, policy};

fn judged(pump: &mut Pump, role: Role, timeout_ms: u32) -> Options {
    let id = pump.reactor.define_policy(policy(role, timeout_ms)).unwrap();
    length().policy(id)
}

#[test]
fn an_ask_is_answered_and_not_told() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(options("line-header,form=json,ask={},answer=\"{\\\"t\\\":1}\""));
    peer.write(b"{\"length\":2,\"seq\":7}\r\n{}");
    pump.until("it is answered", |pump| pump.reactor.counters().answers_out == 1);
    let answer = String::from_utf8(peer.read_now()).unwrap();
    assert!(answer.contains("\"seq\":7") && answer.ends_with("{\"t\":1}"), "{answer}");
    assert_eq!(pump.of(id).len(), 1);
}

#[test]
fn who_only_watches_sends_nothing_at_all() {
    let mut pump = Pump::default();
    let watched = judged(&mut pump, Role::Watch, 400);
    let (mut peer, id) = pump.peer(watched);
    peer.beat();
    assert_eq!(pump.closed(id).reason(), Some(Reason::Silent));
    assert_eq!(peer.read_to_end(), Err(std::io::ErrorKind::ConnectionReset), "R7: a death aborts, and nothing came");
}

#[test]
fn a_silent_peer_is_asked_then_suspect_then_dead_in_time() {
    let mut pump = Pump::default();
    let watched = judged(&mut pump, Role::Ask, 800);
    let (mut peer, id) = pump.peer(watched);
    peer.frame(b"last");
    pump.message(id);
    let heard = Instant::now();
    pump.closed(id);
    let took = heard.elapsed();
    assert!(took >= Duration::from_millis(790) && took < Duration::from_millis(1800), "{took:?}");
    let told = pump.of(id);
    let [_, _, What::Suspect(suspect), What::Closed { reason, silence_ms, .. }] = told[..] else { panic!("{told:?}") };
    assert!((342..800).contains(suspect) && *reason == Reason::Silent && *silence_ms >= 800, "{told:?}");
    let obituary = pump.reactor.obituary(id).unwrap();
    assert_eq!(obituary.closed_by, ClosedBy::Heartline);
    assert!(obituary.unanswered >= 1 && obituary.overshoot_ms < 1000);
    let counters = pump.reactor.counters();
    assert_eq!((counters.suspects, counters.deaths, counters.closed(Reason::Silent)), (1, 1, 1));
    assert_eq!(counters.asks_out, u64::from(obituary.unanswered));
}

#[test]
fn a_peer_that_only_answers_lives_and_its_round_trip_is_known() {
    let mut pump = Pump::default();
    let watched = judged(&mut pump, Role::Ask, 700);
    let (mut peer, id) = pump.peer(watched);
    let client = std::thread::spawn(move || {
        for _ in 0..12 {
            assert_eq!(peer.read_frame(), b"");
            peer.beat();
        }
        peer
    });
    pump.until("it has answered twelve times", |_| client.is_finished());
    let state = pump.reactor.state(id).unwrap();
    assert!(state.rtt_ms.is_some_and(|ms| ms < 1000), "{state:?}");
    assert!(!state.suspect);
    drop(client.join().unwrap());
    assert_eq!(pump.closed(id).reason(), Some(Reason::PeerClosed));
}

#[test]
fn a_peer_that_beats_but_does_not_read_outlives_three_timeouts() {
    let mut pump = Pump::default();
    let watched = judged(&mut pump, Role::Both, 500);
    let (mut peer, id) = pump.peer(watched);
    for _ in 0..15 {
        peer.beat();
        let closed = pump.during(Duration::from_millis(100)).into_iter().find(|told| told.reason().is_some());
        assert_eq!(closed, None);
    }
    assert!(pump.reactor.state(id).is_some());
}

#[test]
fn a_suspect_that_is_heard_again_revives() {
    let mut pump = Pump::default();
    let watched = judged(&mut pump, Role::Watch, 2000);
    let (mut peer, id) = pump.peer(watched);
    pump.take("Suspect", |told| matches!(told.what, What::Suspect(_)));
    assert!(pump.reactor.state(id).unwrap().suspect);
    // One byte, not even a frame, proves life (L1).
    peer.write(&[0]);
    let revived = pump.take("Revived", |told| matches!(told.what, What::Revived(_)));
    assert!(matches!(revived.what, What::Revived(ms) if ms >= 857), "{revived:?}");
    assert!(!pump.reactor.state(id).unwrap().suspect);
    assert_eq!(pump.reactor.counters().revived, 1);
}

#[test]
fn a_policy_that_is_redefined_changes_who_follows_it_and_nobody_else() {
    let mut pump = Pump::default();
    let follows = pump.reactor.define_policy(policy(Role::Watch, 60_000)).unwrap();
    let other = pump.reactor.define_policy(policy(Role::Watch, 50_000)).unwrap();
    let (_a, a_id) = pump.peer(length().policy(follows));
    let (_b, b_id) = pump.peer(length().policy(other));
    pump.reactor.redefine_policy(follows, policy(Role::Watch, 300)).unwrap();
    assert_eq!(pump.closed(a_id).reason(), Some(Reason::Silent));
    assert!(pump.reactor.state(b_id).is_some());
    assert!(pump.reactor.redefine_policy(follows, policy(Role::Watch, 300).with_suspect(300)).is_err());
}

#[test]
fn a_policy_can_be_set_and_taken_from_a_live_connection() {
    let mut pump = Pump::default();
    let (_a, a_id) = pump.peer(length());
    let watched = judged(&mut pump, Role::Watch, 300);
    let (_b, b_id) = pump.peer(watched.clone());
    let none = pump.reactor.define_policy(Policy::none()).unwrap();
    assert!(pump.reactor.set_policy(b_id, none));
    assert_eq!(pump.reactor.state(b_id).unwrap().policy, Some(none));
    assert!(pump.reactor.set_options(a_id, &watched).unwrap());
    assert_eq!(pump.closed(a_id).reason(), Some(Reason::Silent));
    assert!(pump.reactor.state(b_id).is_some());
}

#[test]
fn a_codec_without_a_beat_has_no_timeout_unless_one_is_given() {
    let mut pump = Pump::default();
    let (_a, a_id) = pump.peer(options("raw"));
    let watched = pump.reactor.define_policy(policy(Role::Ask, 300)).unwrap();
    let (mut b, b_id) = pump.peer(options("raw").policy(watched));
    assert_eq!(pump.closed(b_id).reason(), Some(Reason::Silent));
    assert!(b.read_to_end().is_err(), "there was nothing to ask with");
    assert!(pump.reactor.state(a_id).is_some());
    assert_eq!(pump.reactor.counters().asks_out, 0);
}

#[test]
fn a_grace_puts_the_judgement_off() {
    let mut pump = Pump::default();
    let watched = judged(&mut pump, Role::Watch, 300);
    let (_peer, id) = pump.peer(watched);
    let began = Instant::now();
    assert!(pump.reactor.grace(id, 900));
    pump.closed(id);
    assert!(began.elapsed() >= Duration::from_millis(1195), "{:?}", began.elapsed());
}

#[test]
fn when_all_fall_silent_together_it_is_our_own_uplink() {
    let guard = MassSilence { percent: 50, window_ms: 2_000, hold_ms: 1_500, min_peers: 10 };
    let mut pump = Pump::new(Config { mass_silence: Some(guard), ..Config::default() });
    let watched = judged(&mut pump, Role::Watch, 700);
    let at = pump.listen(&ListenOptions::new(watched));
    let mut peers: Vec<_> = (0..20).map(|_| pump.join(at)).collect();
    for (peer, _) in &mut peers {
        peer.beat();
    }
    let told = pump.take("MassSilence", |told| matches!(told.what, What::MassSilence { .. }));
    let What::MassSilence { silent, of } = told.what else { unreachable!() };
    assert!(silent > 10 && of == 20, "{silent} of {of}");
    let dead = pump.during(Duration::from_millis(900)).iter().filter(|told| told.reason().is_some()).count();
    assert_eq!(dead, 0, "verdicts are held");
    for (peer, _) in &mut peers {
        peer.beat();
    }
    assert!(!pump.during(Duration::from_millis(200)).iter().any(|told| told.reason().is_some()));
    assert_eq!(pump.reactor.len(), 20);
    assert_eq!(pump.reactor.counters().mass_silences, 1);
}

#[test]
fn an_autopsy_counts_those_who_were_declared_dead_and_still_spoke() {
    let mut pump = Pump::new(Config { autopsy_ms: 400, ..Config::default() });
    let watched = judged(&mut pump, Role::Watch, 300);
    let at = pump.listen(&ListenOptions::new(watched));
    let (mut late, late_id) = pump.join(at);
    let (_dead, dead_id) = pump.join(at);
    pump.closed(late_id);
    pump.closed(dead_id);
    late.write(&framed(b"I was only slow"));
    assert!(late.read_to_end().is_ok_and(|bytes| bytes.is_empty()), "shut for writing, not reset yet");
    pump.until("both are opened", |pump| pump.reactor.counters().autopsies == 2);
    let counters = pump.reactor.counters();
    assert_eq!((counters.false_deaths, counters.false_death_bytes), (1, 19));
    assert!(pump.reactor.is_empty());
}

#[test]
fn asks_leave_without_the_applications_help_and_answers_too() {
    let mut pump = Pump::default();
    let watched = judged(&mut pump, Role::Ask, 600);
    let (mut peer, _) = pump.peer(watched);
    // One poll that nothing is told by: it asks, and the ask is on the wire when it returns.
    while pump.reactor.counters().asks_out == 0 {
        assert!(pump.during(Duration::from_millis(20)).iter().all(|told| matches!(told.what, What::Suspect(_))));
    }
    assert_eq!(peer.read_now(), framed(b""));
}

#[test]
fn two_reactors_keep_each_other_alive() {
    // Both ask and both answer with the same bytes: L14 keeps them from answering each other for ever.
    let mut here = Pump::default();
    let mut there = Pump::default();
    let options = judged(&mut here, Role::Both, 400);
    let at = here.listen(&ListenOptions::new(options));
    let dialled = judged(&mut there, Role::Both, 400);
    let id = there.reactor.connect(&heartline::reactor::Address::Tcp(at), &dialled, 0).unwrap();
    let until = Instant::now() + Duration::from_millis(1600);
    while Instant::now() < until {
        here.poll(Duration::from_millis(2));
        there.poll(Duration::from_millis(2));
    }
    assert!(there.reactor.state(id).is_some() && here.reactor.len() == 1);
    let frames = here.reactor.counters().bytes_in / 4;
    assert!((4..200).contains(&frames), "{frames} beats in 1.6 s");
}
