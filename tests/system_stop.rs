//! The process stopped for longer than its timeout, for real (SIGSTOP), while thousands of living peers go on: not one
//! of them may die of it, and the truly dead are found in time afterwards (L5, L6).
//!
//! Four subjects are stopped side by side: `serve` with peers that beat, `serve` that asks peers who only answer (they
//! have left no byte in the kernel while it was stopped), and a foreign epoll loop with the monitor alone, both ways.

mod support_system;

use std::process::Command;
use std::time::{Duration, Instant};

use support_system::server::Server;
use support_system::swarm::{Manner, Swarm};
use support_system::{host, kernel, ms, report, sleep_until};

const PEERS: usize = 2000;
/// Those that die: before the stop, while it lasts, and when it ends.
const DEAD: [std::ops::Range<usize>; 3] = [0..40, 40..80, 80..120];
const ALL_DEAD: std::ops::Range<usize> = 0..120;
const TIMEOUT: Duration = ms(4000);
const LATE: Duration = ms(100);
/// From a verdict to our noting it, on two busy cores.
const NOISE: Duration = ms(400);

#[test]
fn stopped_for_six_seconds_at_a_timeout_of_four_nobody_dies_of_it() {
    stop_all(Duration::from_secs(6));
}

#[test]
fn stopped_for_a_minute_with_heartline_long_or_else_for_twelve_seconds_nobody_dies_of_it() {
    let long = std::env::var("HEARTLINE_LONG").is_ok_and(|value| value == "1");
    stop_all(Duration::from_secs(if long { 60 } else { 12 }));
}

/// Not a test: the process that the tests above start and stop.
#[test]
#[ignore = "the host process that other tests of this file start"]
fn the_monitor_alone() {
    if let Ok(policy) = std::env::var("HEARTLINE_TEST_HOST") {
        host::run(&policy).expect("the host's own kernel calls");
    }
}

fn stop_all(stop: Duration) {
    kernel::require_descriptors(4 * PEERS as u64 + 200);
    std::thread::scope(|scope| {
        let subjects = [
            scope.spawn(move || survive("serve, peers that beat", &serve("answer"), Manner::Beats, stop)),
            scope.spawn(move || survive("serve, peers that answer", &serve("ask"), Manner::Answers, stop)),
            scope.spawn(move || survive("monitor alone, peers that beat", &alone("watch"), Manner::Beats, stop)),
            scope.spawn(move || survive("monitor alone, peers that answer", &alone("ask"), Manner::Answers, stop)),
        ];
        for subject in subjects {
            subject.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

fn serve(role: &str) -> Server {
    let times = ["--interval", "1s", "--suspect", "2s", "--timeout", "4s"];
    Server::serve(&[&["--frame", "length:4be", "--app", "discard", "--role", role], &times[..]].concat())
}

fn alone(role: &str) -> Server {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "the_monitor_alone", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("HEARTLINE_TEST_HOST", format!("role={role},interval=1s,suspect=2s,timeout=4s"));
    Server::spawn(&mut command)
}

fn survive(name: &str, server: &Server, manner: Manner, stop: Duration) {
    let swarm = Swarm::start(server.address, PEERS, manner);
    swarm.settle();
    sleep_until(Instant::now() + ms(1200));
    assert!(server.closed().is_empty(), "{name}: closed before anything happened:\n{}", server.log.tail(5));

    swarm.silence(DEAD[0].clone());
    std::thread::sleep(ms(300));
    let stopped = server.stop();
    let beats = swarm.beats();
    sleep_until(stopped + stop / 2);
    swarm.silence(DEAD[1].clone());
    sleep_until(stopped + stop);
    let beats = swarm.beats() - beats;
    let last_sign = swarm.silence(DEAD[2].clone());
    let woken = server.wake();

    // Who had said something while the server was stopped is heard when it wakes; who died then is dead a timeout later.
    let limit = TIMEOUT + LATE + NOISE;
    let dead = server.wait_closed(&swarm.locals(ALL_DEAD), ALL_DEAD.len(), limit + Duration::from_secs(5));
    let stalled_since = server.stalled().saturating_sub(woken - stopped);
    for closed in &dead {
        assert_eq!(closed.reason, "silent", "{name}: {closed:?}");
        assert!(closed.silence_ms >= TIMEOUT.as_millis() as u64, "{name}, early: {closed:?}");
        assert!(closed.overshoot_ms <= (LATE + stalled_since).as_millis() as u64, "{name}, late: {closed:?}");
        let took = closed.at.saturating_duration_since(last_sign.max(woken));
        assert!(took <= limit + stalled_since, "{name}: found {took:?} after waking: {closed:?}");
    }
    // L5: nobody is judged by what passed while we were away.
    let first = dead.iter().map(|closed| closed.at).min().expect("some died");
    assert!(first >= woken + ms(1000), "{name}: a peer was not given time after the stop");

    sleep_until(woken + limit + stalled_since);
    let living = swarm.locals(ALL_DEAD.end..PEERS);
    let false_deaths = server.closed().iter().filter(|closed| living.contains(&closed.remote)).count();
    assert_eq!(false_deaths, 0, "{name}: false deaths:\n{}", server.log.tail(5));
    let lost = swarm.ended().iter().filter(|(peer, _)| !ALL_DEAD.contains(peer)).count();
    assert_eq!(lost, 0, "{name}: living peers found their connections ended");
    let stalled = server.stalled();
    assert!(stalled + ms(500) >= stop, "{name}: a stop of {stop:?} was told as {stalled:?}");
    if manner == Manner::Beats {
        let expected = (PEERS - ALL_DEAD.len()) as u64 * (stop.as_secs() - 1);
        assert!(beats >= expected, "{name}: only {beats} beats in {stop:?}: the test itself was starved");
    }
    let overshoot_ms = dead.iter().map(|closed| closed.overshoot_ms).max().unwrap_or(0);
    report(&format!(
        "stopped {stop:?}, {name}: 0 of {} false deaths, {} of {} dead found, at most {overshoot_ms} ms over, {} saved by \
         the last look",
        living.len(),
        dead.len(),
        ALL_DEAD.len(),
        server.log.events("saved").len(),
    ));
}
