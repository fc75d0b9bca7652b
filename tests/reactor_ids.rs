//! R14 and R8: ids. A stale, foreign or forged one is an ordinary error; a slot's next tenant is somebody else.

mod support;

use heartline::liveness::Policy;
use heartline::reactor::{Close, CloseError, Config, ConnectionId, ListenOptions, ReleaseError, SendError};
use support::{Peer, Pump, Told, What, length};

/// Every call that takes an id, with one that is nobody's.
fn is_nobodys(pump: &mut Pump, id: ConnectionId) {
    let policy = pump.reactor.define_policy(Policy::im()).unwrap();
    let before = pump.reactor.len();
    let reactor = &mut pump.reactor;
    assert_eq!(reactor.send(id, b"x"), Err(SendError::Stale));
    assert_eq!(reactor.send_vectored(id, &[b"x"]), Err(SendError::Stale));
    let refused = reactor.broadcast([id], None, b"x").refused;
    assert_eq!(refused, [(id, SendError::Stale)]);
    for how in [Close::Flush, Close::AtOnce, Close::Abort] {
        assert_eq!(reactor.close(id, how, None), Err(CloseError::Stale));
    }
    assert_eq!(reactor.release(id).unwrap_err(), ReleaseError::Stale);
    assert!(reactor.state(id).is_none());
    assert!(!reactor.set_user(id, 1));
    assert!(!reactor.set_policy(id, policy));
    assert!(!reactor.set_options(id, &length()).unwrap());
    assert!(!reactor.grace(id, 10));
    assert!(!reactor.pause(id));
    assert!(!reactor.resume(id));
    assert!(reactor.obituary(id).is_none());
    assert_eq!(reactor.len(), before);
}

#[test]
fn none_and_forged_numbers_are_nobodys_while_their_slot_is_taken() {
    let mut pump = Pump::default();
    let (_peer, id) = pump.peer(length());
    is_nobodys(&mut pump, ConnectionId::NONE);
    for bit in 0..64 {
        is_nobodys(&mut pump, ConnectionId::from_raw(id.get() ^ (1 << bit)));
    }
    is_nobodys(&mut pump, ConnectionId::from_raw(u64::MAX));
    assert!(pump.reactor.state(id).is_some());
}

#[test]
fn an_id_of_another_reactor_is_stale_here() {
    let mut here = Pump::new(Config { seed: 1, ..Config::default() });
    let mut there = Pump::new(Config { seed: 2, ..Config::default() });
    let (_a, here_id) = here.peer(length());
    let (_b, there_id) = there.peer(length());
    // The same slot, another generation.
    assert_eq!(here_id.get() & 0xff_ffff, there_id.get() & 0xff_ffff);
    is_nobodys(&mut here, there_id);
    is_nobodys(&mut there, here_id);
}

#[test]
fn ids_are_never_zero_and_below_two_to_the_53() {
    for seed in [0, 1, 42, u64::MAX, 0x8000_0000_0000_0000] {
        let mut pump = Pump::new(Config { seed, ..Config::default() });
        let (_peer, id) = pump.peer(length());
        assert!(id.get() > 0 && id.get() < 1 << 53);
        assert_eq!(id.get() as f64 as u64, id.get());
        assert_eq!(ConnectionId::from_raw(id.get()), id);
    }
}

#[test]
fn the_next_tenant_of_a_slot_has_another_id_and_its_own_bytes() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let mut former = Vec::new();
    for round in 0..50_u8 {
        let (mut peer, id) = pump.join(at);
        assert!(!former.contains(&id));
        peer.frame(&[round]);
        assert_eq!(pump.message(id), [round]);
        pump.reactor.close(id, Close::AtOnce, None).unwrap();
        is_nobodys(&mut pump, id);
        pump.closed(id);
        former.push(id);
    }
    for id in former {
        let told = pump.of(id);
        assert!(matches!(told[..], [What::Opened(_), What::Message { .. }, What::Closed { .. }]), "{told:?}");
    }
}

#[test]
fn bytes_for_a_connection_that_was_closed_in_the_same_breath_reach_nobody_else() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let (mut old, old_id) = pump.join(at);
    // The kernel has an edge for the old one, its slot is free again, and a new tenant moves in within the same turn.
    old.frame(b"for the old one");
    let mut new = Peer::connect(at);
    new.frame(b"for the new one");
    pump.reactor.close(old_id, Close::AtOnce, None).unwrap();
    let new_id = pump.take("Opened", |told| told.is_opened() && told.id != old_id).id;
    assert_eq!(new_id.get() & 0xff_ffff, old_id.get() & 0xff_ffff, "the slot is used again");
    assert_eq!(pump.message(new_id), b"for the new one");
    pump.closed(old_id);
    assert!(!pump.of(old_id).iter().any(|what| matches!(what, What::Message { .. })));
}

#[test]
fn the_users_word_comes_with_every_event() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    assert!(pump.reactor.set_user(id, u64::MAX));
    peer.frame(b"x");
    assert_eq!(pump.take("Message", Told::is_message).user, u64::MAX);
    assert_eq!(pump.reactor.state(id).unwrap().user, u64::MAX);
    pump.reactor.set_user(id, 9);
    drop(peer);
    assert_eq!(pump.closed(id).user, 9);
    assert_eq!(pump.reactor.obituary(id).unwrap().user, 9);
}

#[test]
fn all_live_ids_can_be_walked() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let mut ids: Vec<_> = (0..10).map(|_| pump.join(at)).collect();
    let (_, gone) = ids.remove(4);
    pump.reactor.close(gone, Close::AtOnce, None).unwrap();
    let mut walked: Vec<_> = pump.reactor.ids().collect();
    walked.sort();
    let mut kept: Vec<_> = ids.iter().map(|(_, id)| *id).collect();
    kept.sort();
    assert_eq!(walked, kept);
    assert_eq!(pump.reactor.len(), 9);
}
