//! Much dying at once must not touch the living: 10,000 connections closed or reset in one blow, 6,000 peers dead in one
//! tick. Observers that beat all the while are answered within 32 ms, and the kernel keeps no orphan.
//!
//! Other work on the machine can only lengthen a wait, so the best of four rounds is judged. 32 ms is what the released
//! server reaches (`cargo test --release`, or `HEARTLINE_BIN=target/release/heartline`); one built without optimization
//! is given five times as long.

mod support_system;

use std::time::{Duration, Instant};

use support_system::holder::Holder;
use support_system::observer::Observers;
use support_system::server::Server;
use support_system::{BEAT, kernel, ms, report, wait_until};

const ROUNDS: usize = 4;
const OBSERVERS: usize = 2;

fn answer_limit() -> Duration {
    let optimized = !cfg!(debug_assertions) || std::env::var_os("HEARTLINE_BIN").is_some();
    if optimized { ms(32) } else { ms(160) }
}

/// One round of dying: how long the longest answer to an observer took meanwhile.
struct Round<'a> {
    server: &'a Server,
    observers: &'a Observers,
    began: Instant,
}

impl Round<'_> {
    fn begin<'a>(server: &'a Server, observers: &'a Observers) -> Round<'a> {
        Round { server, observers, began: Instant::now() }
    }

    /// The longest wait since the beginning, when `closed` connections in all are told of, and a while after.
    fn worst(&self, closed: usize) -> Duration {
        wait_until(Duration::from_secs(15), "all closes are told", || self.server.log.len() >= closed);
        wait_until(Duration::from_secs(5), "all closes are told", || self.server.log.events("closed").len() >= closed);
        std::thread::sleep(ms(200));
        let (answers, worst) = self.observers.worst_since(self.began);
        assert!(answers >= 20, "only {answers} answers: the observers were starved");
        worst
    }
}

/// Nothing of `server`'s connections is left in the kernel but the observers', and each of those has an owner.
#[track_caller]
fn no_orphans(server: &Server, observers: &Observers) {
    let port = server.address.port();
    let theirs = |socket: &kernel::TcpSocket| observers.locals.iter().any(|local| local.port() == socket.remote_port);
    wait_until(Duration::from_secs(3), "the kernel lets go of the dead", || {
        kernel::connections_of_port(port).len() <= OBSERVERS
    });
    for socket in kernel::connections_of_port(port) {
        assert!(theirs(&socket) && socket.inode != 0, "an orphan: {socket:?}");
    }
    let held = kernel::descriptors(server.pid());
    assert!(held < OBSERVERS + 20, "the server still holds {held} descriptors");
}

/// A holder whose connections are all accepted and answered.
fn open(server: &Server, count: usize) -> Holder {
    let mut holder = Holder::start(server.address);
    assert_eq!(holder.open(count), count);
    holder.send(&BEAT);
    assert_eq!(holder.receive_beats(Duration::from_secs(10)), count, "connections that were not answered");
    holder
}

fn closed_at_once(count: usize, with_reset: bool) {
    kernel::require_descriptors(count as u64 + 200);
    let server = Server::serve(&["--role", "answer", "--timeout", "60s"]);
    let observers = Observers::start(server.address, OBSERVERS);
    let mut waits = Vec::new();
    for round in 1..=ROUNDS {
        let mut holder = open(&server, count);
        if with_reset {
            // Answers that nobody reads turn each close into a reset.
            assert_eq!(holder.send(&BEAT), count);
            std::thread::sleep(ms(300));
        }
        let dying = Round::begin(&server, &observers);
        holder.kill();
        waits.push(dying.worst(round * count));
        no_orphans(&server, &observers);
        if waits.last().is_some_and(|wait| *wait <= answer_limit()) {
            break;
        }
    }
    let best = waits.iter().min().copied().expect("a round");
    assert!(best <= answer_limit(), "while {count} closed, an answer took {best:?} (rounds: {waits:?})");
    let reason = if with_reset { "peer_reset" } else { "peer_closed" };
    drop(observers);
    let summary = server.finish();
    let told = summary["closed"][reason].as_u64().unwrap_or(0);
    // The observers end too.
    let all = (waits.len() * count) as u64;
    assert!((all..=all + OBSERVERS as u64).contains(&told), "{told} are {reason}: {summary}");
    report(&format!("{count} connections {reason} at once: answers within {best:?} (rounds: {waits:?}), no orphan"));
}

#[test]
fn ten_thousand_connections_closed_at_once_delay_nobodys_answer_and_leave_no_orphan() {
    closed_at_once(10_000, false);
}

#[test]
fn ten_thousand_connections_reset_at_once_delay_nobodys_answer_and_leave_no_orphan() {
    closed_at_once(10_000, true);
}

/// The server is stopped while they beat for the last time: it hears all of them in one turn, so they die in one tick.
#[test]
fn six_thousand_peers_dead_in_one_tick_delay_nobodys_answer_and_leave_no_orphan() {
    const COUNT: usize = 6000;
    kernel::require_descriptors(COUNT as u64 + 200);
    let arguments = ["--role", "answer", "--interval", "500ms", "--suspect", "1500ms", "--timeout", "2500ms"];
    let server = Server::serve(&arguments);
    let observers = Observers::start(server.address, OBSERVERS);
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let mut holder = open(&server, COUNT);
        server.stop();
        assert_eq!(holder.send(&BEAT), COUNT);
        holder.freeze();
        server.wake();
        // From before they are suspect until after they are dead.
        std::thread::sleep(ms(1000));
        let stalled = server.stalled();
        let dying = Round::begin(&server, &observers);
        wait_until(Duration::from_secs(15), "all are found dead", || {
            kernel::connections_of_port(server.address.port()).len() <= OBSERVERS
        });
        let worst = dying.worst(round * COUNT);
        no_orphans(&server, &observers);
        let dead = &server.closed()[(round - 1) * COUNT..];
        assert!(
            dead.iter().all(|dead| dead.reason == "silent"),
            "{:?}",
            dead.iter().find(|dead| dead.reason != "silent")
        );
        let early = dead.iter().filter(|dead| dead.silence_ms < 2500).count();
        assert_eq!(early, 0, "declared dead too early");
        let overshoot_ms = dead.iter().map(|dead| dead.overshoot_ms).max().unwrap_or(0);
        let spread = dead.iter().map(|dead| dead.at).max().expect("many") - dead[0].at;
        let stalled = server.stalled() - stalled;
        // L4: late by a tick, the turn, and one turn per 4,096 verdicts due.
        let late = 2 * answer_limit() + stalled;
        assert!(overshoot_ms <= late.as_millis() as u64, "found {overshoot_ms} ms after their time");
        rounds.push((worst, overshoot_ms, spread));
        if worst <= answer_limit() {
            break;
        }
    }
    let best = rounds.iter().map(|(worst, ..)| *worst).min().expect("a round");
    assert!(best <= answer_limit(), "while {COUNT} died, an answer took {best:?} (rounds: {rounds:?})");
    report(&format!(
        "{COUNT} dead in one tick: answers within {best:?}, no orphan ((wait, overshoot, spread): {rounds:?})"
    ));
}
