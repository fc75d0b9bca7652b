//! Peers that are Heartline themselves: a reactor that dials, asks, and declares the server dead.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use heartline::frame::Framing;
use heartline::liveness::Policy;
use heartline::reactor::{Address, Config, EventKind, Events, Options, Reactor, Reason};

use super::namespaces::Namespace;
use super::{ms, wait_until};

/// A reactor with connections to one server, on a thread of its own.
pub(crate) struct Dialler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    count: usize,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    opened: usize,
    failed: usize,
    messages: usize,
    ends: Vec<End>,
    stalled: Duration,
}

/// The end of one connection, as the dialler saw it.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: Instant,
    pub(crate) reason: Reason,
    pub(crate) silence_ms: u32,
    pub(crate) overshoot_ms: u32,
}

impl Dialler {
    /// Dials `count` times from inside `namespace` and waits until all are open. Each follows `policy`, a text.
    #[track_caller]
    pub(crate) fn start(namespace: &Namespace, server: SocketAddr, count: usize, policy: &str) -> Self {
        let policy = Policy::parse(policy).expect("a policy");
        let shared = Arc::new(Shared::default());
        let seen = shared.clone();
        // The thread is born in the namespace: it is started by one that has entered it.
        let thread = namespace.run(|| std::thread::spawn(move || dial(&seen, server, count, policy)));
        let dialler = Self { shared, thread: Some(thread), count };
        wait_until(Duration::from_secs(10), "all dialled connections open", || {
            let seen = dialler.shared.seen.lock().expect("no panic");
            assert_eq!(seen.failed, 0, "connections to {server} failed");
            seen.opened == count
        });
        dialler
    }

    pub(crate) fn ends(&self) -> Vec<End> {
        self.shared.seen.lock().expect("no panic").ends.clone()
    }

    pub(crate) fn messages(&self) -> usize {
        self.shared.seen.lock().expect("no panic").messages
    }

    /// How long this process, the test's own, was kept from running.
    pub(crate) fn stalled(&self) -> Duration {
        self.shared.seen.lock().expect("no panic").stalled
    }

    /// Waits until all connections have ended.
    #[track_caller]
    pub(crate) fn wait_ends(&self, limit: Duration) -> Vec<End> {
        wait_until(limit, "all dialled connections end", || self.ends().len() == self.count);
        self.ends()
    }
}

impl Drop for Dialler {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn dial(shared: &Shared, server: SocketAddr, count: usize, policy: Policy) {
    let mut reactor = Reactor::new(Config::default()).expect("a reactor");
    let policy = reactor.define_policy(policy).expect("a sound policy");
    let options = Options::new(Framing::parse("length:4be").expect("a framing")).policy(policy);
    for _ in 0..count {
        reactor.connect(&Address::Tcp(server), &options, 0).expect("a dial");
    }
    let mut events = Events::new();
    while !shared.over.load(Ordering::Relaxed) {
        reactor.poll(&mut events, Some(ms(10))).expect("a poll");
        let at = Instant::now();
        let mut seen = shared.seen.lock().expect("no panic");
        for event in &events {
            match event.kind {
                EventKind::Opened { .. } => seen.opened += 1,
                EventKind::ConnectFailed { .. } => seen.failed += 1,
                EventKind::Message { .. } => seen.messages += 1,
                EventKind::Stalled { ms } => seen.stalled += Duration::from_millis(u64::from(ms)),
                EventKind::Closed { reason, silence_ms, .. } => {
                    let overshoot_ms = reactor.obituary(event.id).map_or(0, |obituary| obituary.overshoot_ms);
                    seen.ends.push(End { at, reason, silence_ms, overshoot_ms });
                }
                _ => {}
            }
        }
    }
}
