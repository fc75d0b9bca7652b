//! Many raw peers on plain sockets, one thread for all: they beat each second, or they only answer; some fall silent.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{BEAT, ms, sleep_until, wait_until};

/// How often the thread comes round.
const ROUND: Duration = ms(50);
/// Rounds from one beat of a peer to its next: a second.
const ROUNDS_PER_BEAT: usize = 20;

/// What a living peer does. The frames are those of `length:4be`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Beats each second, whatever comes.
    Beats,
    /// Sends nothing but an answer to each beat that comes.
    Answers,
}

/// Peers that were connected by blocking connects and live on one thread.
pub(crate) struct Swarm {
    shared: Arc<Shared>,
    locals: Vec<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    over: AtomicBool,
    /// By peer.
    silent: Vec<AtomicBool>,
    heard: Vec<AtomicBool>,
    leaving: Vec<AtomicBool>,
    beats: AtomicU64,
    ends: Mutex<Vec<(usize, Instant)>>,
}

impl Swarm {
    #[track_caller]
    pub(crate) fn start(server: SocketAddr, count: usize, manner: Manner) -> Self {
        let flags = || (0..count).map(|_| AtomicBool::new(false)).collect();
        let shared = Arc::new(Shared {
            over: AtomicBool::new(false),
            silent: flags(),
            heard: flags(),
            leaving: flags(),
            beats: AtomicU64::new(0),
            ends: Mutex::new(Vec::new()),
        });
        let lives = shared.clone();
        let (born, births) = channel();
        let thread = Some(std::thread::spawn(move || live(&lives, &births, manner)));
        let mut swarm = Self { shared, locals: Vec::with_capacity(count), thread };
        for number in 0..count {
            let stream = TcpStream::connect(server).unwrap_or_else(|error| panic!("peer {number}: {error}"));
            stream.set_nonblocking(true).expect("a socket");
            stream.set_nodelay(true).expect("a socket");
            swarm.locals.push(stream.local_addr().expect("connected"));
            // The first live while the last are still to be connected.
            born.send(stream).expect("the swarm lives");
        }
        swarm
    }

    /// Waits until every peer has had a byte from the server: all are accepted and served.
    #[track_caller]
    pub(crate) fn settle(&self) {
        wait_until(Duration::from_secs(20), "every peer hears from the server", || {
            self.all_heard(0..self.locals.len())
        });
    }

    /// How many peers had a byte from the server since the start, or since [`forget_heard`](Self::forget_heard).
    pub(crate) fn heard(&self) -> usize {
        self.shared.heard.iter().filter(|heard| heard.load(Ordering::Relaxed)).count()
    }

    pub(crate) fn all_heard(&self, peers: Range<usize>) -> bool {
        self.shared.heard[peers].iter().all(|heard| heard.load(Ordering::Relaxed))
    }

    pub(crate) fn forget_heard(&self) {
        for heard in &self.shared.heard {
            heard.store(false, Ordering::Relaxed);
        }
    }

    /// These peers close their connections.
    pub(crate) fn hang_up(&self, peers: Range<usize>) {
        for leaving in &self.shared.leaving[peers] {
            leaving.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn locals(&self, peers: Range<usize>) -> HashSet<SocketAddr> {
        self.locals[peers].iter().copied().collect()
    }

    /// These peers keep their connections and say nothing any more.
    pub(crate) fn silence(&self, peers: Range<usize>) -> Instant {
        for silent in &self.shared.silent[peers] {
            silent.store(true, Ordering::Relaxed);
        }
        // A beat may be under way in this round.
        Instant::now() + ROUND
    }

    /// Which peers found their connection ended by the server.
    pub(crate) fn ended(&self) -> Vec<(usize, Instant)> {
        self.shared.ends.lock().expect("no panic").clone()
    }

    /// Beats sent so far.
    pub(crate) fn beats(&self) -> u64 {
        self.shared.beats.load(Ordering::Relaxed)
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn live(shared: &Shared, births: &Receiver<TcpStream>, manner: Manner) {
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    let mut due = Instant::now();
    for round in 0_usize.. {
        if shared.over.load(Ordering::Relaxed) {
            return;
        }
        streams.extend(births.try_iter().map(Some));
        for (number, place) in streams.iter_mut().enumerate() {
            if shared.leaving[number].load(Ordering::Relaxed) {
                *place = None;
            }
            let Some(stream) = place else { continue };
            let mut got = [0; 256];
            let owed = match stream.read(&mut got) {
                Ok(0) => None,
                // A beat has four bytes and comes whole: nothing else is sent to these peers.
                Ok(count) => {
                    shared.heard[number].store(true, Ordering::Relaxed);
                    Some(if manner == Manner::Answers { count / BEAT.len() } else { 0 })
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Some(0),
                Err(_) => None,
            };
            let Some(owed) = owed else {
                shared.ends.lock().expect("no panic").push((number, Instant::now()));
                *place = None;
                continue;
            };
            if shared.silent[number].load(Ordering::Relaxed) {
                continue;
            }
            let beats = match manner {
                Manner::Beats => usize::from((round + number) % ROUNDS_PER_BEAT == 0),
                Manner::Answers => owed,
            };
            for _ in 0..beats {
                // Four bytes fit the buffer of a peer whose server is stopped for minutes; a failure shows at the read.
                let _ = stream.write(&BEAT);
                shared.beats.fetch_add(1, Ordering::Relaxed);
            }
        }
        due = (due + ROUND).max(Instant::now());
        sleep_until(due);
    }
}
