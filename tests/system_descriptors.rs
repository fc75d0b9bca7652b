//! Out of descriptors (R6): accepting pauses and says so once, costs next to nothing, all who are held go on beating, and
//! accepting resumes at the closes. At a limit of 512, and at 20,000 or the machine's own if that is lower.

mod support_system;

use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};
use support_system::holder::Holder;
use support_system::server::Server;
use support_system::swarm::{Manner, Swarm};
use support_system::{BEAT, kernel, ms, report, wait_until};

/// What the server may use of a processor while it cannot accept.
const CPU_PERCENT_MAX: u128 = 5;

fn cpu_percent(server: &Server, during: Duration) -> u128 {
    let (began, before) = (Instant::now(), kernel::cpu(server.pid()));
    std::thread::sleep(during);
    (kernel::cpu(server.pid()) - before).as_micros() * 100 / began.elapsed().as_micros()
}

fn count(server: &Server, event: &str) -> usize {
    server.log.events(event).len()
}

#[test]
fn at_512_descriptors_accepting_pauses_once_and_resumes_while_all_who_are_held_beat_on() {
    let arguments = ["--role", "answer", "--interval", "1s", "--suspect", "1500ms", "--timeout", "3s"];
    let server = Server::serve_with_descriptors(512, &arguments);
    // The last hundred wait in the kernel's queue: to them it looks like a connection.
    let swarm = Swarm::start(server.address, 600, Manner::Beats);
    wait_until(Duration::from_secs(5), "accepting pauses", || count(&server, "accept_paused") > 0);
    let paused = &server.log.events("accept_paused")[0].1;
    assert_eq!(paused["cause"], "out_of_descriptors", "{paused}");
    // Everybody beats once in this time: who fits is answered.
    std::thread::sleep(ms(1500));
    let held = swarm.heard();
    assert!((490..512).contains(&held), "{held} connections at 512 descriptors");

    // Longer than the timeout: who is held must be heard all the while.
    let percent = cpu_percent(&server, ms(3500));
    assert!(percent < CPU_PERCENT_MAX, "{percent} % of a processor while out of descriptors");
    assert!(server.closed().is_empty(), "a held connection was closed: {}", server.log.tail(3));
    swarm.forget_heard();
    wait_until(ms(2500), "all who are held are answered again", || swarm.heard() >= held);
    assert_eq!(swarm.heard(), held, "somebody was accepted without a descriptor");
    assert_eq!((count(&server, "accept_paused"), count(&server, "accept_resumed")), (1, 0), "told more than once");

    let closed = Instant::now();
    swarm.hang_up(0..200);
    wait_until(Duration::from_secs(2), "accepting resumes", || count(&server, "accept_resumed") > 0);
    let resumed = server.log.events("accept_resumed")[0].0 - closed;
    wait_until(Duration::from_secs(3), "those in the queue are served", || swarm.all_heard(200..600));
    assert!(resumed < ms(500), "accepting resumed {resumed:?} after the closes");
    assert_eq!((count(&server, "accept_paused"), count(&server, "accept_resumed")), (1, 1), "told more than once");
    assert_eq!(server.closed().iter().filter(|closed| !closed.reason.starts_with("peer_")).count(), 0);
    report(&format!("512 descriptors: {held} held, {percent} % of a processor, resumed {resumed:?} after the closes"));
    let summary = server.finish();
    assert_eq!(summary["accept_pauses"], 1, "{summary}");
}

#[test]
fn at_20000_descriptors_the_same() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
    let limit = u32::try_from(hard.min(20_000)).expect("at most 20,000");
    let server = Server::serve_with_descriptors(limit, &["--role", "answer", "--timeout", "40s"]);
    let address = server.address;
    // Two processes hold them, since each has the server's limit.
    let half = limit as usize / 2 + 50;
    let [mut one, mut other] = std::thread::scope(|scope| {
        let open = || {
            let mut holder = Holder::start(address);
            assert_eq!(holder.open(half), half);
            holder
        };
        [scope.spawn(open), scope.spawn(open)].map(|thread| thread.join().expect("all connect"))
    });
    wait_until(Duration::from_secs(10), "accepting pauses", || count(&server, "accept_paused") > 0);
    let beat = |holder: &mut Holder| {
        holder.send(&BEAT);
        holder.receive_beats(ms(1500))
    };
    let held = beat(&mut one) + beat(&mut other);
    assert!((limit as usize - 20..limit as usize).contains(&held), "{held} connections at {limit} descriptors");
    let percent = cpu_percent(&server, ms(3000));
    assert!(percent < CPU_PERCENT_MAX, "{percent} % of a processor while out of descriptors");
    let again = beat(&mut one) + beat(&mut other);
    assert_eq!(again, held, "of those held, some are not answered any more");
    assert_eq!((count(&server, "accept_paused"), count(&server, "accept_resumed")), (1, 0), "told more than once");

    // The last of `one` were accepted before the last of `other`, or the reverse: closes on both sides make room.
    assert_eq!((one.close(300), other.close(300)), (half - 300, half - 300));
    wait_until(Duration::from_secs(5), "accepting resumes", || count(&server, "accept_resumed") > 0);
    let left = 2 * (half - 300);
    let answered = beat(&mut one) + beat(&mut other);
    assert_eq!(answered, left, "after the closes everybody is served");
    assert_eq!(server.closed().iter().filter(|closed| closed.reason == "silent").count(), 0);
    report(&format!("{limit} descriptors: {held} held, {percent} % of a processor, {left} served after the closes"));
    // A drain with all of them: ends, exits 0, within its limit.
    drop((one, other));
    let summary = server.finish();
    assert_eq!(summary["accept_pauses"], 1, "{summary}");
}
