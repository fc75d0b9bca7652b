//! What is changed on connections that live holds as if it had been so from the beginning: L9, L10, L12, R13.
#![cfg(feature = "sim")]

mod support;

use heartline::liveness::{Policy, Role};
use heartline::reactor::{Address, ConnectionId, Options, SocketOptions};
use support::kernel::Rig;
use support::{length, policy};

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
