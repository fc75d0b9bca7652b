//! The server of `make bench-million`: a reactor on each thread, each thread in a descriptor table of its own, so that the
//! limit on descriptors holds for each and not for all together.
//!
//! ```text
//! cargo bench --bench million -- threads N timeout MS
//! ```
//!
//! It prints where it listens, on SIGUSR1 a line of JSON with what it has counted, and on SIGTERM that line and its end.
//! `benches/million.py` starts it, loads it and measures it from outside.

#![allow(clippy::print_stdout)]

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use heartline::frame::Framing;
use heartline::liveness::{Policy, Role};
use heartline::reactor::{Address, Config, Counters, Events, ListenOptions, Options, Reactor, Reason};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Map, Value, json};
use signal_hook::consts::{SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// How often a thread looks whether it is over, and tells what it counted. A mailbox would wake it at once, but a mailbox
/// is a descriptor, and those of another table are not ours.
const LOOK: Duration = Duration::from_millis(250);

/// What all threads share.
struct Shared {
    timeout_ms: u32,
    over: AtomicBool,
    /// What each thread has counted.
    counted: Vec<Mutex<Counters>>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1)?.parse::<u32>().ok()
    };
    let (threads, timeout_ms) = (number("threads").unwrap_or(1).max(1), number("timeout").unwrap_or(150_000));
    match serve(threads, timeout_ms) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "million: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(threads: u32, timeout_ms: u32) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGUSR1])?;
    let counted = (0..threads).map(|_| Mutex::default()).collect();
    let shared = Arc::new(Shared { timeout_ms, over: AtomicBool::new(false), counted });
    let mut reactors = Vec::new();
    // The first takes any port, the others the same.
    let mut address: Result<Address, _> = "127.0.0.1:0".parse().map_err(io::Error::other);
    for index in 0..threads as usize {
        let Ok(at) = &address else { break };
        let (ready, listening) = channel();
        let (shared, at) = (shared.clone(), at.clone());
        let work = move || hold(&shared, index, &at, &ready);
        reactors.push(thread::Builder::new().name(format!("reactor {index}")).spawn(work)?);
        address = listening.recv().map_err(io::Error::other);
    }
    if let Ok(address) = address {
        say(&format!("listening on {address}"))?;
        for signal in signals.forever() {
            if signal == SIGTERM {
                break;
            }
            say(&told(&shared).to_string())?;
        }
    }
    shared.over.store(true, Ordering::Relaxed);
    for thread in reactors {
        thread.join().map_err(|_| io::Error::other("a reactor's thread panicked"))??;
    }
    say(&told(&shared).to_string())
}

/// One thread: a reactor in a table of its own, until it is over.
fn hold(shared: &Shared, index: usize, at: &Address, ready: &Sender<Address>) -> io::Result<()> {
    unshare(CloneFlags::CLONE_FILES)?;
    let mut reactor = Reactor::new(Config { statistics: false, ..Config::default() })?;
    let policy = Policy::none().with_role(Role::Answer).with_timeout(shared.timeout_ms);
    let policy = reactor.define_policy(policy).map_err(io::Error::other)?;
    let framing = Framing::parse("length:4be").map_err(io::Error::other)?;
    let options = Options { policy: Some(policy), ..Options::new(framing) };
    let listener = reactor.listen(at, &ListenOptions { reuse_port: true, ..ListenOptions::new(options) })?;
    // Whoever waits for it may be gone.
    let _ = ready.send(reactor.listener_address(listener)?);
    let mut events = Events::new();
    while !shared.over.load(Ordering::Relaxed) {
        // Beats are answered by the reactor itself, and nothing else comes.
        reactor.poll(&mut events, Some(LOOK))?;
        shared.of(index).clone_from(reactor.counters());
    }
    Ok(())
}

impl Shared {
    fn of(&self, index: usize) -> MutexGuard<'_, Counters> {
        // A thread that panicked has told what it had counted.
        self.counted[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all threads have counted, as one line.
fn told(shared: &Shared) -> Value {
    let each: Vec<Counters> = (0..shared.counted.len()).map(|index| shared.of(index).clone()).collect();
    let mut sum = Counters::default();
    for counters in &each {
        sum.merge(counters);
    }
    let held = |counters: &Counters| counters.connections_now;
    let closed: Map<String, Value> = Reason::ALL
        .iter()
        .filter(|reason| sum.closed(**reason) > 0)
        .map(|reason| (reason.name().to_owned(), json!(sum.closed(*reason))))
        .collect();
    let counters: Map<String, Value> = sum.each().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json!({
        "least_of_a_thread": each.iter().map(held).min(),
        "most_of_a_thread": each.iter().map(held).max(),
        "closed": closed,
        "counters": counters,
    })
}

/// A line on stdout, at once.
fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush())
}
