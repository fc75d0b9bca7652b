//! The clients, on one thread and one epoll: they beat, read and do what the schedule says; who dies is replaced.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::census::{Census, Dead, Kind};
use super::client::{Client, Doing, Found};
use super::plan::BEAT_EVERY;
use super::schedule::Fault;
use crate::support_system::ms;

/// How a slow reader reads: two megabytes a second at the most. The kernel says that a socket has room again when a third
/// of its buffer is free, near a megabyte on loopback: only then does output progress, and its limit is four seconds.
const SLOW_EVERY: Duration = ms(25);
const SLOW_BYTES: usize = 50_000;
/// How many are tried before a fault passes by: nearly all are idle nearly always.
const TRIES: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Beat,
    ReadOn,
    ReadSlowly,
}

pub(crate) struct Crowd {
    server: SocketAddr,
    poll: Poll,
    events: Events,
    clients: HashMap<usize, Client>,
    /// Those that live, in no order, and where each is in it.
    living: Vec<usize>,
    next: usize,
    timers: BinaryHeap<Reverse<(Instant, usize, Timer)>>,
    dice: Rng,
    buffer: Vec<u8>,
    pub(crate) connections: u64,
    pub(crate) beats: u64,
    pub(crate) answers: u64,
    pub(crate) echoes: u64,
    pub(crate) echo_bytes: u64,
    pub(crate) deaf: u64,
    pub(crate) slow: u64,
    /// Sentences: echoes that were lost or changed.
    pub(crate) wrong: Vec<String>,
}

impl Crowd {
    pub(crate) fn new(server: SocketAddr, seed: u64) -> Self {
        Self {
            server,
            poll: Poll::new().expect("an epoll"),
            events: Events::with_capacity(1024),
            clients: HashMap::new(),
            living: Vec::new(),
            next: 0,
            timers: BinaryHeap::new(),
            dice: Rng::with_seed(seed),
            buffer: vec![0; 64 << 10],
            connections: 0,
            beats: 0,
            answers: 0,
            echoes: 0,
            echo_bytes: 0,
            deaf: 0,
            slow: 0,
            wrong: Vec::new(),
        }
    }

    pub(crate) fn living(&self) -> usize {
        self.living.len()
    }

    /// Echoes of the living that are still under way.
    pub(crate) fn under_way(&self) -> usize {
        self.living.iter().filter_map(|number| self.clients.get(number)).map(|client| client.echoes.under_way()).sum()
    }

    /// One more, who beats at once and lives.
    pub(crate) fn join(&mut self, census: &mut Census) {
        let (number, now) = (self.connect(census), Instant::now());
        self.living.push(number);
        let client = self.clients.get_mut(&number).expect("just connected");
        client.beat();
        self.beats += 1;
        // Not in step: they come in crowds.
        let first = BEAT_EVERY.mul_f64(self.dice.f64());
        self.timers.push(Reverse((now + first, number, Timer::Beat)));
    }

    fn connect(&mut self, census: &mut Census) -> usize {
        let before = Instant::now();
        // On loopback a connect is over when the kernel's queue has taken it, also of a server that is stopped.
        let stream = TcpStream::connect(self.server).expect("the server's queue has room");
        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).expect("a socket");
        let local = stream.local_addr().expect("connected");
        let number = self.next;
        self.next += 1;
        let client = Client::new(stream, local, number as u32, before);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut SourceFd(&client.stream().as_raw_fd()), Token(number), interest)
            .expect("an epoll");
        self.clients.insert(number, client);
        census.born(number, local);
        self.connections += 1;
        number
    }

    /// Waits until something comes, a timer is due or `until`; says by how much it came late.
    pub(crate) fn turn(&mut self, until: Instant) -> Duration {
        let due = self.timers.peek().map_or(until, |Reverse((at, ..))| until.min(*at));
        let began = Instant::now();
        let wait = due.saturating_duration_since(began);
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => result.expect("an epoll"),
        }
        for event in &events {
            self.ready(event.token().0, event.is_writable());
        }
        self.events = events;
        let now = Instant::now();
        while let Some(Reverse((_, number, timer))) = self.timers.peek().copied().filter(|Reverse((at, ..))| *at <= now)
        {
            self.timers.pop();
            self.fire(number, timer, now);
        }
        Instant::now().saturating_duration_since(due.max(began))
    }

    fn ready(&mut self, number: usize, writable: bool) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        match client.doing {
            Doing::Still => return,
            Doing::Clogged => return client.clog(),
            _ if writable => client.flush(),
            _ => {}
        }
        if matches!(client.doing, Doing::Living | Doing::Leaving) {
            self.read(number, usize::MAX);
        }
    }

    fn read(&mut self, number: usize, limit: usize) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        let found = client.read(limit, &mut self.buffer);
        match found {
            Found::Open => return,
            Found::Wrong(what) => self.wrong.push(format!("client {number}: {what}")),
            Found::End if client.doing == Doing::Leaving && !client.echoes.are_back() => {
                self.wrong.push(format!("client {number} left, and {} echoes never came", client.echoes.under_way()));
            }
            Found::End => {}
        }
        // The server's line says why; until then it is not touched any more.
        client.doing = Doing::Still;
    }

    fn fire(&mut self, number: usize, timer: Timer, now: Instant) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        match (timer, client.doing) {
            (Timer::Beat, Doing::Living | Doing::Deaf | Doing::Slow) => {
                client.beat();
                self.beats += 1;
                self.timers.push(Reverse((now + BEAT_EVERY, number, Timer::Beat)));
            }
            (Timer::ReadOn, Doing::Deaf) => {
                client.doing = Doing::Living;
                self.read(number, usize::MAX);
            }
            (Timer::ReadSlowly, Doing::Slow) => {
                self.read(number, SLOW_BYTES);
                let Some(client) = self.clients.get_mut(&number).filter(|client| client.doing == Doing::Slow) else {
                    return;
                };
                client.flush();
                if client.echoes.are_back() {
                    client.doing = Doing::Living;
                    // Answers may have come with no edge to follow.
                    self.read(number, usize::MAX);
                } else {
                    self.timers.push(Reverse((now + SLOW_EVERY, number, Timer::ReadSlowly)));
                }
            }
            _ => {}
        }
    }

    /// Lets `fault` happen to one of the living who is idle, if one is found.
    pub(crate) fn strike(&mut self, fault: Fault, census: &mut Census) {
        let kind = match fault {
            Fault::Mute => {
                let number = self.connect(census);
                let client = self.clients.get_mut(&number).expect("just connected");
                client.doing = Doing::Still;
                let (from, to) = (client.said_from, Instant::now());
                return census.strike(number, client.local, Dead { kind: Kind::Mute, from, to });
            }
            Fault::Deaf(_) | Fault::Slow(_) | Fault::Burst(_) => return self.trouble(fault),
            Fault::Freeze => Kind::Frozen,
            Fault::Reset => Kind::Reset,
            Fault::Cut => Kind::Cut,
            Fault::Leave => Kind::Left,
            Fault::Clog => Kind::Clogged,
        };
        let Some(place) = self.choose() else { return };
        let number = self.living.swap_remove(place);
        let client = self.clients.get_mut(&number).expect("the living are there");
        let from = Instant::now();
        match kind {
            Kind::Frozen => client.beat(),
            Kind::Cut => client.half_a_frame(),
            Kind::Left => {
                let count = self.dice.u32(0..4);
                client.burst(count, 4000, &mut self.dice);
                client.say_goodbye();
            }
            Kind::Clogged => client.clog(),
            Kind::Reset | Kind::Mute => {}
        }
        client.doing = match kind {
            Kind::Left => Doing::Leaving,
            Kind::Clogged => Doing::Clogged,
            _ => Doing::Still,
        };
        let local = client.local;
        if kind == Kind::Reset
            && let Some(client) = self.clients.remove(&number)
        {
            self.count(&client);
            client.reset();
        }
        census.strike(number, local, Dead { kind, from, to: Instant::now() });
        self.join(census);
    }

    /// What the living must survive.
    fn trouble(&mut self, fault: Fault) {
        let Some(place) = self.choose() else { return };
        let number = self.living[place];
        let client = self.clients.get_mut(&number).expect("the living are there");
        let now = Instant::now();
        match fault {
            Fault::Deaf(lasts) => {
                client.doing = Doing::Deaf;
                client.burst(2, 1000, &mut self.dice);
                self.deaf += 1;
                self.timers.push(Reverse((now + lasts, number, Timer::ReadOn)));
            }
            Fault::Slow(count) => {
                client.doing = Doing::Slow;
                client.read_narrowly();
                client.burst(count, 30_000, &mut self.dice);
                self.slow += 1;
                self.timers.push(Reverse((now + SLOW_EVERY, number, Timer::ReadSlowly)));
            }
            Fault::Burst(count) => client.burst(count, 4000, &mut self.dice),
            _ => {}
        }
    }

    /// The place of one of the living who is idle.
    fn choose(&mut self) -> Option<usize> {
        (0..TRIES.min(self.living.len() * TRIES))
            .map(|_| self.dice.usize(0..self.living.len()))
            .find(|place| self.clients.get(&self.living[*place]).is_some_and(Client::is_idle))
    }

    /// Tells the census of those whose buffers were still emptying.
    pub(crate) fn postpone_clogged(&self, census: &mut Census) {
        for (number, client) in self.clients.iter().filter(|(_, client)| client.doing == Doing::Clogged) {
            census.postpone(*number, client.local, client.said_to);
        }
    }

    /// The server has told of the end of `number`; what it was, if it was one of the living.
    pub(crate) fn forget(&mut self, number: usize) -> Option<Client> {
        if self.clients.get(&number).is_some_and(|client| client.doing == Doing::Leaving) {
            // The line came before its last bytes.
            self.read(number, usize::MAX);
        }
        let client = self.clients.remove(&number)?;
        if client.doing == Doing::Leaving && !client.echoes.are_back() {
            self.wrong.push(format!("client {number} left and was closed before {} echoes", client.echoes.under_way()));
        }
        self.count(&client);
        if let Some(place) = self.living.iter().position(|living| *living == number) {
            self.living.swap_remove(place);
        }
        Some(client)
    }

    fn count(&mut self, client: &Client) {
        self.answers += client.echoes.answers;
        self.echoes += client.echoes.returned;
        self.echo_bytes += client.echoes.returned_bytes;
    }

    /// Those of the living whose connections ended without a line of the server.
    pub(crate) fn ended_untold(&self) -> Vec<String> {
        let still = |number: &&usize| self.clients.get(number).is_some_and(|client| client.doing == Doing::Still);
        self.living
            .iter()
            .filter(still)
            .map(|number| format!("client {number} ended, and no line told of it"))
            .collect()
    }

    /// Counts what came to those who are there to the end.
    pub(crate) fn count_all(&mut self) {
        for client in std::mem::take(&mut self.clients).into_values() {
            self.count(&client);
        }
    }
}
