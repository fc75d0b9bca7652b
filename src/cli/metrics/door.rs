//! Who asks, and when they are answered: all who wait together, at most fifty times a second, whoever many they are.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heartline::frame::Framing;
use heartline::frame::websocket::upgrade::HttpHeads;
use heartline::reactor::{
    Address, Close, ConnectionId, Event, EventKind, Limits, ListenOptions, ListenerId, Marks, Metrics, Options, Reactor,
};

use super::board::Board;
use super::http::{Asked, HTML, OK, PROMETHEUS, Request, Status, TEXT, UNAVAILABLE};

const PAGE: &str = include_str!("page.html");
/// Connections at once; one more takes the place of the one that has asked nothing for longest.
const CONNECTIONS_MAX: usize = 16;
/// How soon the metrics are put together again.
const APART: Duration = Duration::from_millis(20);
/// How long the other threads have to say what they counted.
const PATIENCE: Duration = Duration::from_secs(1);
/// The reason of connections that are closed here: none is told in the log.
const CODE: u16 = 256;

/// The listener of `--metrics` and its connections.
#[derive(Debug)]
pub(crate) struct Door {
    listener: ListenerId,
    pub(crate) board: Arc<Board>,
    /// Those who asked last stand last.
    guests: Vec<Guest>,
    /// When somebody was answered last.
    answered: Option<Instant>,
    /// The other threads were asked, then.
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Guest {
    id: ConnectionId,
    /// What it waits for.
    waits: Option<Request>,
    /// Closed by us; its end is still to be told.
    leaves: bool,
}

impl Guest {
    fn send_off(&mut self, reactor: &mut Reactor) {
        (self.waits, self.leaves) = (None, true);
        // It may have ended by itself.
        let _ = reactor.close(self.id, Close::AtOnce, Some(CODE));
    }
}

impl Door {
    /// Listens, beside what the reactor serves.
    pub(crate) fn open(reactor: &mut Reactor, address: &Address, board: Arc<Board>) -> io::Result<Self> {
        // Request heads as frames: the limits of connections are those of requests.
        let mut options = Options::new(Framing::custom(Box::new(HttpHeads::default())));
        (options.aside, options.half_open) = (true, true);
        options.limits =
            Limits { first_frame_ms: 5_000, frame_ms: 5_000, output_ms: 5_000, close_ms: 1_000, ..Limits::default() };
        options.marks = Marks { high_bytes: 256 << 10, low_bytes: 64 << 10, ..Marks::default() };
        let listener = reactor.listen(address, &ListenOptions::new(options))?;
        Ok(Self { listener, board, guests: Vec::new(), answered: None, asked: None })
    }

    pub(crate) fn address(&self, reactor: &Reactor) -> io::Result<Address> {
        reactor.listener_address(self.listener)
    }

    /// Takes an event that concerns it; false if it does not.
    pub(crate) fn takes(&mut self, reactor: &mut Reactor, event: &Event<'_>) -> bool {
        if let EventKind::Opened { listener } = event.kind {
            let is_guest = listener == Some(self.listener);
            if is_guest {
                self.welcome(reactor, event.id);
            }
            return is_guest;
        }
        let Some(at) = self.guests.iter().position(|guest| guest.id == event.id) else {
            return match event.kind {
                EventKind::AcceptPaused { listener, .. } | EventKind::AcceptResumed { listener } => {
                    listener == self.listener
                }
                _ => false,
            };
        };
        match event.kind {
            EventKind::Message { message, .. } => self.asked_for(reactor, at, Request::read(message)),
            // What it has asked for it still gets.
            EventKind::ReadClosed => match &mut self.guests[at].waits {
                Some(request) => request.stays = false,
                None => drop(reactor.close(event.id, Close::Flush, Some(CODE))),
            },
            EventKind::Closed { .. } => drop(self.guests.remove(at)),
            _ => {}
        }
        true
    }

    fn welcome(&mut self, reactor: &mut Reactor, id: ConnectionId) {
        let mut staying: Vec<_> = self.guests.iter_mut().filter(|guest| !guest.leaves).collect();
        if staying.len() >= CONNECTIONS_MAX {
            let idle = staying.iter().position(|guest| guest.waits.is_none()).unwrap_or(0);
            staying[idle].send_off(reactor);
        }
        self.guests.push(Guest { id, waits: None, leaves: false });
    }

    fn asked_for(&mut self, reactor: &mut Reactor, at: usize, request: Request) {
        let mut guest = self.guests.remove(at);
        let id = guest.id;
        match request.asked {
            // It does not wait for an answer before it asks again: what would be owed to it has no bound.
            _ if guest.waits.is_some() => guest.send_off(reactor),
            Asked::Metrics | Asked::Readiness => guest.waits = Some(request),
            Asked::Page => answer(reactor, id, request, OK, HTML, PAGE),
            Asked::Health => answer(reactor, id, request, OK, TEXT, "ok\n"),
            Asked::Nothing(status) => answer(reactor, id, request, status, TEXT, &format!("{}\n", status.1)),
        }
        self.guests.push(guest);
    }

    fn anybody_waits(&self) -> bool {
        self.guests.iter().any(|guest| guest.waits.is_some())
    }

    /// After each batch: asks the other threads, and answers when they have answered.
    #[inline]
    pub(crate) fn proceed(&mut self, reactor: &mut Reactor) {
        if self.anybody_waits() {
            self.serve(reactor);
        }
    }

    #[inline(never)]
    fn serve(&mut self, reactor: &mut Reactor) {
        let now = Instant::now();
        if self.asked.is_none() {
            if self.answered.is_some_and(|last| now < last + APART) {
                return;
            }
            self.asked = Some(now);
            self.board.ask();
        }
        let missing = self.board.missing();
        if missing > 0 && self.asked.is_some_and(|asked| now < asked + PATIENCE) {
            return;
        }
        (self.asked, self.answered) = (None, Some(now));
        let metrics = self.board.sum(reactor.metrics());
        let readiness = readiness(reactor, &metrics, missing);
        let text = metrics.text();
        for guest in &mut self.guests {
            match guest.waits.take() {
                Some(request) if request.asked == Asked::Metrics => {
                    answer(reactor, guest.id, request, OK, PROMETHEUS, &text);
                }
                Some(request) => answer(reactor, guest.id, request, readiness.0, TEXT, &readiness.1),
                None => {}
            }
        }
    }

    /// When to call [`proceed`](Self::proceed) at the latest.
    #[inline]
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.anybody_waits().then(|| {
            let next = self.asked.map(|asked| asked + PATIENCE).or(self.answered.map(|answered| answered + APART));
            next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()))
        })
    }
}

/// Whether a balancer may send new clients, and why not.
fn readiness(reactor: &Reactor, metrics: &Metrics, missing: usize) -> (Status, String) {
    let why = if reactor.is_draining() {
        "draining".to_owned()
    } else if metrics.counters.listeners_paused_now > 0 {
        "accepting is paused".to_owned()
    } else if missing > 0 {
        format!("threads that do not answer: {missing}")
    } else {
        return (OK, "ready\n".to_owned());
    };
    (UNAVAILABLE, format!("{why}\n"))
}

fn answer(reactor: &mut Reactor, id: ConnectionId, request: Request, status: Status, kind: &str, body: &str) {
    // Who does not take the answers before this one is not waited for; who is gone gets none.
    if reactor.send(id, &request.response(status, kind, body)).is_err() {
        let _ = reactor.close(id, Close::AtOnce, Some(CODE));
    } else if !request.stays {
        let _ = reactor.close(id, Close::Flush, Some(CODE));
    }
}
