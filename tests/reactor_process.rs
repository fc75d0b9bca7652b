//! R6, R7, R9 in processes of their own: signals, descriptors, forks and sleep.
#![allow(unsafe_code)]

mod support;

use std::time::{Duration, Instant};

use heartline::reactor::{Close, ListenOptions, PauseCause, Reason};
use nix::libc;
use support::{Peer, Pump, What, in_child, length};

/// Runs the rest of a test in a child, if this is not the child already. True in the child.
fn is_child(test: &str) -> bool {
    const VARIABLE: &str = "HEARTLINE_CHILD";
    if std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    let output = in_child(test, VARIABLE, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{:?}\n{text}\n{error}", output.status);
    false
}

#[test]
fn a_host_with_the_default_sigpipe_survives_every_way_of_writing_to_the_gone() {
    if !is_child("a_host_with_the_default_sigpipe_survives_every_way_of_writing_to_the_gone") {
        return;
    }
    // SAFETY: resets a disposition; nothing else runs in this process yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let mut pump = Pump::default();
    let mut options = support::small_buffers();
    options.marks.high_bytes = 64 << 20;
    // The peer's FIN does not end the connection: so a write meets EPIPE, which is what raises the signal.
    options.half_open = true;
    let at = pump.listen(&ListenOptions::new(options));
    for round in 0..12 {
        let (peer, id) = pump.join(at);
        if round >= 6 {
            // Something is in the outbox already.
            pump.reactor.send(id, &vec![0; 8 << 20]).unwrap();
            pump.reactor.flush();
        }
        peer.finish();
        pump.take("ReadClosed", |told| told.id == id && told.what == What::ReadClosed);
        drop(peer);
        for _ in 0..5 {
            match round % 3 {
                0 => drop(pump.reactor.send(id, b"one piece")),
                1 => drop((pump.reactor.send(id, b"two"), pump.reactor.send(id, b"pieces"))),
                _ => drop(pump.reactor.broadcast_all(None, None, b"to all")),
            }
            pump.reactor.flush();
        }
        let closed = pump.closed(id);
        assert_eq!(closed.reason(), Some(Reason::PeerReset), "{closed:?}");
    }
}

#[test]
fn an_idle_reactor_makes_no_system_calls() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let mut pump = Pump::default();
        pump.listen(&ListenOptions::new(length()));
        let mailbox = pump.reactor.mailbox().unwrap();
        pump.poll(Duration::ZERO);
        // SAFETY: no arguments.
        sender.send((unsafe { libc::gettid() }, mailbox)).unwrap();
        pump.reactor.poll(&mut pump.events, None).unwrap();
    });
    let (tid, mailbox) = receiver.recv().unwrap();
    let status = format!("/proc/self/task/{tid}/status");
    let switches = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
    };
    // Asleep: it is in its wait. From then on any wake-up shows as another switch.
    let until = Instant::now() + support::PATIENCE;
    while !std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap().contains(") S ") {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(100));
    let before = switches();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(switches(), before);
    mailbox.wake().unwrap();
    thread.join().unwrap();
}

#[test]
fn held_connections_without_anything_due_wake_nobody_often() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let _peers: Vec<_> = (0..200).map(|_| pump.join(at)).collect();
    pump.poll(Duration::ZERO);
    let before = pump.reactor.counters().turns;
    pump.during(Duration::from_secs(2));
    // The timeout is 35 s and nobody is to be asked: what wakes is the wheel, re-filing.
    let turns = pump.reactor.counters().turns - before;
    assert!(turns <= 20, "{turns} turns in 2 s");
}

#[test]
fn out_of_descriptors_it_holds_what_it_has_and_goes_on_later() {
    if !is_child("out_of_descriptors_it_holds_what_it_has_and_goes_on_later") {
        return;
    }
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let (mut held, held_id) = pump.join(at);
    // Clients first, then the limit: only accepting needs new descriptors.
    let mut clients: Vec<_> = (0..20).map(|_| Peer::connect(at)).collect();
    let highest = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = libc::rlimit { rlim_cur: highest + 5, rlim_max: 4096 };
    // SAFETY: a plain struct of two numbers.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let paused = pump.take("AcceptPaused", |told| matches!(told.what, What::AcceptPaused(_)));
    assert_eq!(paused.what, What::AcceptPaused(PauseCause::OutOfDescriptors));
    // Neither spin nor silence: the held one is served all the while, by few turns.
    let turns = pump.reactor.counters().turns;
    let cpu = cpu_time();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        held.frame(b"still here");
        assert_eq!(pump.message(held_id), b"still here");
        pump.during(Duration::from_millis(200));
    }
    let turns = pump.reactor.counters().turns - turns;
    assert!(turns < 100, "{turns} turns in 2 s");
    assert!(cpu_time() - cpu < Duration::from_millis(200), "{:?} of 2 s", cpu_time() - cpu);
    assert_eq!(pump.history.iter().filter(|told| matches!(told.what, What::AcceptPaused(_))).count(), 1);
    // Some go: all the others come in.
    let waiting = 20 - (pump.reactor.len() - 1);
    assert!(waiting > 5, "{waiting}");
    let gone: Vec<_> =
        pump.history.iter().filter(|told| told.is_opened() && told.id != held_id).map(|told| told.id).collect();
    for id in gone {
        pump.reactor.close(id, Close::AtOnce, None).unwrap();
    }
    clients.truncate(20);
    pump.until("all were accepted", |pump| {
        let opened: Vec<_> = pump.reactor.ids().filter(|id| *id != held_id).collect();
        for id in opened {
            let _ = pump.reactor.close(id, Close::AtOnce, None);
        }
        pump.reactor.counters().accepted == 21
    });
    pump.take("AcceptResumed", |told| told.what == What::AcceptResumed);
}

/// What this process has used, by the kernel's own account.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a whole timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn a_peer_sees_the_close_while_a_forked_child_holds_the_descriptors() {
    if !is_child("a_peer_sees_the_close_while_a_forked_child_holds_the_descriptors") {
        return;
    }
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    let mut peers: Vec<_> = (0..3).map(|_| pump.join(at)).collect();
    // SAFETY: the child does nothing but sleep until it is killed.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            // SAFETY: waits for a signal; async-signal-safe.
            unsafe { libc::pause() };
        }
    }
    pump.reactor.close(peers[0].1, Close::Flush, None).unwrap();
    pump.reactor.close(peers[1].1, Close::AtOnce, None).unwrap();
    pump.reactor.close(peers[2].1, Close::Abort, None).unwrap();
    pump.poll(Duration::ZERO);
    pump.poll(Duration::ZERO);
    let ends: Vec<_> = peers.iter_mut().map(|(peer, _)| peer.read_to_end()).collect();
    // SAFETY: our own child.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    assert_eq!(ends, [Ok(vec![]), Ok(vec![]), Err(std::io::ErrorKind::ConnectionReset)]);
}

#[test]
fn a_death_leaves_no_orphan_in_the_kernel() {
    let mut pump = Pump::default();
    let watched = pump.reactor.define_policy(support::policy(heartline::liveness::Role::Watch, 300)).unwrap();
    let mut options = support::small_buffers().policy(watched);
    options.marks.high_bytes = 64 << 20;
    let (peer, id) = pump.peer(options);
    let port = peer.0.local_addr().unwrap().port();
    // Much is unsent, and the peer never reads.
    pump.reactor.send(id, &vec![0; 16 << 20]).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::Silent));
    let ours = format!(":{port:04X} ");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let orphans: Vec<_> = table
        .lines()
        .filter(|line| line.split_whitespace().nth(2).is_some_and(|to| format!("{} ", &to[8..]) == ours))
        .collect();
    assert!(orphans.is_empty(), "{orphans:?}");
}
