//! Observers: a few peers that beat without pause and clock each answer, while something terrible happens to others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{BEAT, ms};

/// Between an answer and the next beat.
const PAUSE: Duration = ms(3);

/// Observers of a server whose role is `answer`, each on a thread of its own.
pub(crate) struct Observers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    pub(crate) locals: Vec<SocketAddr>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// When a beat was sent and how long its answer took; `None`: the connection ended instead.
    answers: Mutex<Vec<(Instant, Option<Duration>)>>,
}

impl Observers {
    #[track_caller]
    pub(crate) fn start(server: SocketAddr, count: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let mut observers = Self { shared: shared.clone(), threads: Vec::new(), locals: Vec::new() };
        for _ in 0..count {
            let stream = TcpStream::connect(server).expect("an observer connects");
            stream.set_nodelay(true).expect("a socket");
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
            observers.locals.push(stream.local_addr().expect("connected"));
            let shared = shared.clone();
            observers.threads.push(std::thread::spawn(move || observe(&shared, stream)));
        }
        observers
    }

    /// How many answers came to beats that were sent since `since`, and the longest wait for one. A beat that is still
    /// unanswered would count with the next call: let a moment pass before.
    #[track_caller]
    pub(crate) fn worst_since(&self, since: Instant) -> (usize, Duration) {
        let answers = self.shared.answers.lock().expect("no panic");
        let waits = answers.iter().filter(|(sent, wait)| *sent + wait.unwrap_or_default() >= since);
        let waits: Vec<_> = waits.map(|(_, wait)| wait.expect("an observer lost its connection")).collect();
        (waits.len(), waits.iter().max().copied().unwrap_or(Duration::MAX))
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn observe(shared: &Shared, mut stream: TcpStream) {
    while !shared.over.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let mut answer = BEAT;
        let answered = stream.write_all(&BEAT).and_then(|()| stream.read_exact(&mut answer));
        let wait = answered.ok().map(|()| sent.elapsed());
        shared.answers.lock().expect("no panic").push((sent, wait));
        if wait.is_none() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
