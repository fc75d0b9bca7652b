//! What is changed on connections that live holds as if it had been so from the beginning: L9, L10, L12, R13.
#![cfg(feature = "sim")]

mod support;

use heartline::liveness::{Policy, Role};
use heartline::reactor::{Address, Config, ConnectionId, Events, Limits, Options, Reason, SocketOptions};
use support::kernel::Rig;
use support::{What, framed, length, policy};

fn socket_options(rig: &Rig, socket: usize) -> SocketOptions {
    rig.kernel.world(|world| world.sockets[socket].options.clone().expect("it was configured"))
}

/// Options whose socket shows whether a policy judges: a kernel timeout is asked for, keepalive is not.
fn telling() -> Options {
    let mut options = length();
    options.socket.user_timeout_ms = 60_000;
    options
}

/// The socket is what that of a connection opened now with this policy is.
fn is_as_if_opened_now(rig: &mut Rig, (socket, id): (usize, ConnectionId)) {
    let policy = rig.reactor.state(id).unwrap().policy.unwrap();
    let options = telling().policy(policy);
    rig.reactor.connect(&Address::Inherited(0), &options, 0).unwrap();
    let fresh = rig.kernel.world(|world| world.sockets.len()) - 1;
    assert_eq!(socket_options(rig, socket), socket_options(rig, fresh));
}

#[test]
fn a_socket_follows_the_policy_that_its_connection_is_given() {
    let mut rig = Rig::default();
    let judging = rig.reactor.define_policy(policy(Role::Watch, 1000)).unwrap();
    let idle = rig.reactor.define_policy(Policy::none()).unwrap();
    rig.listen(telling().policy(judging));
    let (socket, id) = rig.peer();
    assert_eq!(socket_options(&rig, socket).user_timeout_ms, 0, "L9");
    assert!(rig.reactor.set_policy(id, idle));
    assert_eq!(socket_options(&rig, socket).user_timeout_ms, 60_000);
    assert!(socket_options(&rig, socket).keepalive.is_some(), "L12");
    is_as_if_opened_now(&mut rig, (socket, id));
    assert!(rig.reactor.set_policy(id, judging));
    assert_eq!((socket_options(&rig, socket).user_timeout_ms, socket_options(&rig, socket).keepalive), (0, None));
    is_as_if_opened_now(&mut rig, (socket, id));
}

#[test]
fn the_sockets_follow_the_definition_of_their_policy() {
    let mut rig = Rig::default();
    let changing = rig.reactor.define_policy(policy(Role::Watch, 1000)).unwrap();
    let other = rig.reactor.define_policy(policy(Role::Watch, 1000)).unwrap();
    rig.listen(telling().policy(changing));
    let peers = rig.peers(3);
    // One has left the policy, one has come to it by itself.
    assert!(rig.reactor.set_policy(peers[1].1, other));
    let dialled = rig.reactor.connect(&Address::Inherited(0), &telling().policy(changing), 0).unwrap();
    rig.reactor.redefine_policy(changing, Policy::none()).unwrap();
    let timeouts = |rig: &Rig| -> Vec<u32> {
        rig.kernel.world(|world| {
            world
                .sockets
                .iter()
                .map(|sock| sock.options.as_ref().map_or(0, |options| options.user_timeout_ms))
                .collect()
        })
    };
    assert_eq!(timeouts(&rig), [60_000, 0, 60_000, 60_000]);
    is_as_if_opened_now(&mut rig, peers[0]);
    rig.run(10);
    assert!(rig.is_live(dialled));
    rig.reactor.redefine_policy(changing, policy(Role::Watch, 2000)).unwrap();
    assert_eq!(timeouts(&rig), [0; 5]);
    is_as_if_opened_now(&mut rig, peers[0]);
}

#[test]
fn options_changed_after_a_policy_was_start_from_what_the_socket_has() {
    let mut rig = Rig::default();
    let judging = rig.reactor.define_policy(policy(Role::Watch, 1000)).unwrap();
    let idle = rig.reactor.define_policy(Policy::none()).unwrap();
    rig.listen(telling().policy(judging));
    let (socket, id) = rig.peer();
    assert!(rig.reactor.set_policy(id, idle));
    // The scripted kernel checks that what is said to be set is set.
    for policy in [judging, idle, idle, judging] {
        assert!(rig.reactor.set_options(id, &telling().policy(policy)).unwrap());
        is_as_if_opened_now(&mut rig, (socket, id));
    }
}

/// Options without a limit but those that a test sets.
fn limited(set: impl FnOnce(&mut Limits)) -> Options {
    let mut options = length();
    options.limits =
        Limits { first_frame_ms: 0, frame_ms: 0, output_ms: 0, connect_ms: 0, close_ms: 0, health_check_ms: 0 };
    set(&mut options.limits);
    options
}

/// It lives for `ms` and ends within the next tick, for that reason.
fn ends_after(rig: &mut Rig, id: ConnectionId, ms: u64, reason: Reason) {
    rig.run(ms - 1);
    assert!(rig.is_live(id), "too early: {:?}", rig.of(id));
    rig.run(10);
    let told = rig.of(id);
    let Some(What::Closed { reason: told, .. }) = told.last() else { panic!("not ended: {told:?}") };
    assert_eq!(*told, reason);
}

#[test]
fn a_first_frame_that_is_demanded_later_is_awaited_from_then() {
    let mut rig = Rig::default();
    rig.listen(limited(|_| {}));
    let peers = rig.peers(2);
    rig.kernel.world(|world| world.bytes(peers[1].0, &framed(b"first")));
    rig.run(5000);
    for (_, id) in &peers {
        assert!(rig.reactor.set_options(*id, &limited(|limits| limits.first_frame_ms = 300)).unwrap());
    }
    ends_after(&mut rig, peers[0].1, 300, Reason::FirstFrameLate);
    rig.run(1000);
    assert!(rig.is_live(peers[1].1), "its first frame has come");
}

#[test]
fn a_frame_that_has_begun_is_limited_from_its_beginning() {
    let mut rig = Rig::default();
    rig.listen(limited(|_| {}));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.bytes(socket, &framed(b"half")[..6]));
    rig.run(200);
    assert!(rig.reactor.set_options(id, &limited(|limits| limits.frame_ms = 500)).unwrap());
    ends_after(&mut rig, id, 300, Reason::FrameStalled);
}

#[test]
fn a_frame_that_has_begun_is_limited_although_a_full_batch_delays_its_cutting() {
    let mut rig = Rig::new(Config::default(), Events::with_capacity(1, 64 << 10));
    rig.listen(limited(|_| {}));
    let peers = rig.peers(2);
    let (socket, id) = peers[0];
    rig.kernel.world(|world| world.bytes(socket, &framed(b"half")[..6]));
    rig.run(10);
    assert!(rig.reactor.set_options(id, &limited(|limits| limits.frame_ms = 500)).unwrap());
    // For a while another peer's messages fill each batch before this one's turn comes.
    for _ in 0..20 {
        rig.kernel.world(|world| world.bytes(peers[1].0, &framed(b"flood")));
        rig.kernel.pass(1);
        rig.poll(0);
    }
    ends_after(&mut rig, id, 470, Reason::FrameStalled);
}

#[test]
fn output_that_waits_is_limited_from_its_last_progress() {
    let mut rig = Rig::default();
    rig.listen(limited(|_| {}));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| world.room(socket, 0));
    rig.reactor.send(id, b"waits").unwrap();
    rig.run(200);
    assert!(rig.reactor.set_options(id, &limited(|limits| limits.output_ms = 500)).unwrap());
    ends_after(&mut rig, id, 300, Reason::OutputStalled);
}

fn half_open(half_open: bool) -> Options {
    let mut options = length();
    options.half_open = half_open;
    options
}

#[test]
fn a_goodbye_that_was_told_closes_when_half_open_is_taken_back() {
    let mut rig = Rig::default();
    let options = half_open(true);
    rig.listen(options);
    let peers = rig.peers(2);
    rig.kernel.world(|world| {
        world.fin(peers[0].0);
        world.fin(peers[1].0);
        world.room(peers[1].0, 3);
    });
    rig.run(100);
    for (socket, id) in &peers {
        assert_eq!(rig.of(*id).last(), Some(&&What::ReadClosed), "{socket}");
        rig.reactor.send(*id, b"reply").unwrap();
        assert!(rig.reactor.set_options(*id, &half_open(false)).unwrap());
    }
    rig.run(10);
    assert!(!rig.is_live(peers[0].1) && rig.is_live(peers[1].1), "the second has bytes to flush");
    let room = peers[1].0;
    rig.kernel.world(|world| world.room(room, usize::MAX));
    rig.run(10);
    for (socket, id) in &peers {
        assert_eq!(rig.output(*socket), framed(b"reply"), "R13");
        let told = rig.of(*id);
        assert!(matches!(told.last(), Some(What::Closed { reason: Reason::PeerClosed, .. })), "{told:?}");
    }
}

#[test]
fn a_goodbye_that_was_read_is_told_when_half_open_is_set_in_time() {
    let mut rig = Rig::default();
    rig.listen(half_open(false));
    let (socket, id) = rig.peer();
    rig.kernel.world(|world| {
        world.bytes(socket, &framed(b"last"));
        world.fin(socket);
    });
    rig.poll(0);
    assert_eq!(rig.messages(id), [b"last"]);
    // The FIN was read with it; the end would come with the next poll.
    assert!(rig.reactor.set_options(id, &half_open(true)).unwrap());
    rig.run(100);
    assert_eq!(rig.of(id).iter().filter(|what| ***what == What::ReadClosed).count(), 1, "{:?}", rig.of(id));
    // It is judged no more, and can be sent to.
    rig.run(100_000);
    rig.reactor.send(id, b"reply").unwrap();
    rig.run(10);
    assert_eq!(rig.output(socket), framed(b"reply"));
    assert!(rig.is_live(id));
}
