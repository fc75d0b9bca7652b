//! What the reactor's tests share: a reactor with a memory of what it told, and raw peers that no code of ours touches.
#![allow(dead_code, unreachable_pub)]

#[cfg(feature = "sim")]
pub mod kernel;
#[cfg(feature = "websocket")]
pub mod websocket;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use heartline::frame::Framing;
use heartline::liveness::{Beat, Policy, Role};
use heartline::reactor::{
    Address, Config, ConnectionId, Event, EventKind, Events, ListenOptions, ListenerId, Options, PauseCause, Reactor,
    Reason,
};

/// After this long a condition that does not come is a failure: far above what two noisy cores need.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An event that outlives its batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub id: ConnectionId,
    pub user: u64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Opened(Option<ListenerId>),
    Message {
        head: Vec<u8>,
        message: Vec<u8>,
    },
    Beat(Beat, Vec<u8>),
    Suspect(u32),
    Revived(u32),
    Full(u32),
    Drained,
    ReadClosed,
    Closed {
        reason: Reason,
        os_error: i32,
        silence_ms: u32,
        queued_bytes: u32,
    },
    ConnectFailed {
        reason: Reason,
        os_error: i32,
    },
    Unsent(Vec<u8>),
    #[cfg(feature = "websocket")]
    Upgrade(Option<ListenerId>, Vec<u8>),
    Stalled(u32),
    AcceptPaused(PauseCause),
    AcceptResumed,
    MassSilence {
        silent: u32,
        of: u32,
    },
}

impl Told {
    pub fn of(event: Event<'_>) -> Self {
        let what = match event.kind {
            EventKind::Opened { listener } => What::Opened(listener),
            EventKind::Message { head, message } => What::Message { head: head.to_vec(), message: message.to_vec() },
            EventKind::Beat { beat, frame } => What::Beat(beat, frame.to_vec()),
            EventKind::Suspect { silence_ms } => What::Suspect(silence_ms),
            EventKind::Revived { silence_ms } => What::Revived(silence_ms),
            EventKind::Full { queued_bytes } => What::Full(queued_bytes),
            EventKind::Drained => What::Drained,
            EventKind::ReadClosed => What::ReadClosed,
            EventKind::Closed { reason, os_error, silence_ms, queued_bytes } => {
                What::Closed { reason, os_error, silence_ms, queued_bytes }
            }
            EventKind::ConnectFailed { reason, os_error } => What::ConnectFailed { reason, os_error },
            EventKind::Unsent { frame } => What::Unsent(frame.to_vec()),
            #[cfg(feature = "websocket")]
            EventKind::Upgrade { listener, request } => What::Upgrade(listener, request.to_vec()),
            EventKind::Stalled { ms } => What::Stalled(ms),
            EventKind::AcceptPaused { cause, .. } => What::AcceptPaused(cause),
            EventKind::AcceptResumed { .. } => What::AcceptResumed,
            EventKind::MassSilence { silent, of } => What::MassSilence { silent, of },
            other => panic!("an event that these tests do not know: {other:?}"),
        };
        Self { id: event.id, user: event.user, what }
    }

    pub fn is_opened(&self) -> bool {
        matches!(self.what, What::Opened(_))
    }

    pub fn is_message(&self) -> bool {
        matches!(self.what, What::Message { .. })
    }

    pub fn message(&self) -> Option<&[u8]> {
        match &self.what {
            What::Message { message, .. } => Some(message),
            _ => None,
        }
    }

    pub fn reason(&self) -> Option<Reason> {
        match self.what {
            What::Closed { reason, .. } | What::ConnectFailed { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// A reactor, its batch, and everything it told.
pub struct Pump {
    pub reactor: Reactor,
    pub events: Events,
    /// All that was told, in order.
    pub history: Vec<Told>,
    /// What of it was not asked for yet.
    fresh: Vec<Told>,
}

impl Default for Pump {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Pump {
    pub fn new(config: Config) -> Self {
        Self::with_events(config, Events::new())
    }

    pub fn with_events(config: Config, events: Events) -> Self {
        Self { reactor: Reactor::new(config).unwrap(), events, history: Vec::new(), fresh: Vec::new() }
    }

    /// Listens on a free port of loopback.
    pub fn listen(&mut self, options: &ListenOptions) -> SocketAddr {
        self.listen_at("127.0.0.1:0", options).1
    }

    pub fn listen_at(&mut self, address: &str, options: &ListenOptions) -> (ListenerId, SocketAddr) {
        let listener = self.reactor.listen(&address.parse().unwrap(), options).unwrap();
        match self.reactor.listener_address(listener).unwrap() {
            Address::Tcp(address) => (listener, address),
            other => panic!("not TCP: {other}"),
        }
    }

    /// A listener with these options and one peer that it has accepted.
    pub fn peer(&mut self, options: Options) -> (Peer, ConnectionId) {
        let at = self.listen(&ListenOptions::new(options));
        self.join(at)
    }

    /// One more peer of that listener, accepted.
    pub fn join(&mut self, at: SocketAddr) -> (Peer, ConnectionId) {
        let peer = Peer::connect(at);
        let id = self.take("Opened", Told::is_opened).id;
        (peer, id)
    }

    /// One poll.
    pub fn poll(&mut self, wait: Duration) -> usize {
        self.reactor.poll(&mut self.events, Some(wait)).unwrap();
        for event in &self.events {
            let told = Told::of(event);
            self.history.push(told.clone());
            self.fresh.push(told);
        }
        self.events.len()
    }

    /// Polls until something like that is told, and takes it out of what is fresh.
    pub fn take(&mut self, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(index) = self.fresh.iter().position(&is_it) {
                return self.fresh.remove(index);
            }
            assert!(Instant::now() < until, "no {what} came; told so far: {:?}", self.tail());
            self.poll(Duration::from_millis(50));
        }
    }

    /// Polls until that many are told.
    pub fn take_many(&mut self, count: usize, what: &str, is_it: impl Fn(&Told) -> bool) -> Vec<Told> {
        (0..count).map(|at| self.take(&format!("{what} {at} of {count}"), &is_it)).collect()
    }

    pub fn closed(&mut self, id: ConnectionId) -> Told {
        self.take("Closed", |told| told.id == id && matches!(told.what, What::Closed { .. }))
    }

    pub fn message(&mut self, id: ConnectionId) -> Vec<u8> {
        let told = self.take("Message", |told| told.id == id && told.is_message());
        told.message().unwrap().to_vec()
    }

    /// Polls until the condition holds.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "{what} did not come true; told so far: {:?}", self.tail());
            self.poll(Duration::from_millis(5));
        }
    }

    /// Polls for that long; what was told meanwhile and before, and not asked for.
    pub fn during(&mut self, time: Duration) -> Vec<Told> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.poll(left);
            if left.is_zero() {
                return std::mem::take(&mut self.fresh);
            }
        }
    }

    pub fn of(&self, id: ConnectionId) -> Vec<&What> {
        self.history.iter().filter(|told| told.id == id).map(|told| &told.what).collect()
    }

    fn tail(&self) -> &[Told] {
        &self.history[self.history.len().saturating_sub(12)..]
    }
}

/// A raw peer that speaks `length:4be`.
pub struct Peer(pub TcpStream);

impl Peer {
    pub fn connect(at: SocketAddr) -> Self {
        Self::over(TcpStream::connect(at).unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn frame(&mut self, message: &[u8]) {
        self.write(&framed(message));
    }

    pub fn beat(&mut self) {
        self.frame(b"");
    }

    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn read_frame(&mut self) -> Vec<u8> {
        let length = u32::from_be_bytes(self.read(4).try_into().unwrap());
        self.read(length as usize)
    }

    /// All that comes until FIN (`Ok`) or reset (`Err`).
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, ErrorKind> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(error.kind()),
        }
    }

    /// What has come by now.
    pub fn read_now(&mut self) -> Vec<u8> {
        self.0.set_nonblocking(true).unwrap();
        let mut bytes = Vec::new();
        let error = self.0.read_to_end(&mut bytes);
        self.0.set_nonblocking(false).unwrap();
        assert!(error.is_ok() || error.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
        bytes
    }

    /// Sends FIN.
    pub fn finish(&self) {
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Goes with a reset.
    pub fn reset(self) {
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        nix::sys::socket::setsockopt(&self.0, nix::sys::socket::sockopt::Linger, &linger).unwrap();
    }
}

/// A frame of `length:4be`.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

/// Options with this framing.
pub fn options(spec: &str) -> Options {
    Options::new(Framing::parse(spec).unwrap())
}

/// Options of `length:4be`.
pub fn length() -> Options {
    options("length:4be")
}

/// The same with small socket buffers, so that a socket is full after a few hundred KiB.
pub fn small_buffers() -> Options {
    let mut options = options("length:4be,max=16M");
    options.socket.send_buffer_bytes = 4096;
    options
}

/// A policy that judges quickly, with interval and suspect in the proportions of `im`.
pub fn policy(role: Role, timeout_ms: u32) -> Policy {
    Policy::im().with_timeout(timeout_ms).with_role(role)
}

/// A listener of the standard library on loopback.
pub fn raw_listener() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    (listener, address)
}

/// Both ends of a TCP connection: ours (for adopting) and the peer's.
pub fn tcp_pair() -> (TcpStream, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = Peer::connect(listener.local_addr().unwrap());
    (listener.accept().unwrap().0, peer)
}

/// A path for a socket that no other test uses.
pub fn socket_path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("heartline-{name}-{}.sock", std::process::id()))
}

/// Runs another test of this binary in a process of its own, with `variable` set so that it knows.
pub fn in_child(test: &str, variable: &str, through: &[&str]) -> std::process::Output {
    let exe = std::env::current_exe().unwrap();
    let mut command = match through {
        [] => std::process::Command::new(exe),
        [program, arguments @ ..] => {
            let mut command = std::process::Command::new(program);
            command.args(arguments).arg(exe);
            command
        }
    };
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(variable, "1");
    command.output().unwrap()
}

pub fn fd_of(peer: &Peer) -> i32 {
    peer.0.as_raw_fd()
}
