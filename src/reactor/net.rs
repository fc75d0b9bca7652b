//! What a kernel does for the reactor, and nothing else. [`Linux`](super::linux::Linux) is the real one; a simulator
//! can stand in for it, since the reactor reaches time, sockets and readiness through this trait alone.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;

use super::obituary::TcpInfo;
use super::options::SocketOptions;
use crate::time::Clock;

/// Where to listen or whom to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP over IPv4 or IPv6: `127.0.0.1:7001`, `[::]:7001`.
    Tcp(SocketAddr),
    /// A Unix stream socket: `unix:/run/game.sock`, or `unix:@name` in the abstract namespace. A socket file that nobody listens on any more is replaced.
    Unix(PathBuf),
    /// A listening descriptor inherited from the parent process: `fd:3`. Only for listening; it is taken over.
    Inherited(RawFd),
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(AddressError::EmptyPath) } else { Ok(Self::Unix(PathBuf::from(path))) };
        }
        if let Some(number) = text.strip_prefix("fd:") {
            return match number.parse::<RawFd>() {
                Ok(fd) if fd >= 0 => Ok(Self::Inherited(fd)),
                _ => Err(AddressError::BadDescriptor(number.to_owned())),
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| AddressError::BadSocketAddress(text.to_owned()))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(fd) => write!(f, "fd:{fd}"),
        }
    }
}

/// Why a text is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// `unix:` without a path.
    EmptyPath,
    /// `fd:` is followed by something that is not a descriptor number from 0 up.
    BadDescriptor(String),
    /// Neither `IP:PORT` nor `[IPv6]:PORT`. Names are not resolved here.
    BadSocketAddress(String),
}

impl std::fmt::Display for AddressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EmptyPath => write!(f, "`unix:` needs the path of a socket"),
            Self::BadDescriptor(text) => write!(f, "`fd:{text}` does not name a descriptor (a number from 0 up)"),
            Self::BadSocketAddress(text) => {
                write!(f, "`{text}` is not an address: write IP:PORT, [IPv6]:PORT, unix:PATH or fd:N")
            }
        }
    }
}

impl std::error::Error for AddressError {}

/// What one readiness notification said. A hint: it may be spurious (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The token that the socket, listener, timer or waker was registered with.
    pub token: u64,
    /// A read may give bytes, or the end.
    pub readable: bool,
    /// A write may be taken.
    pub writable: bool,
    /// The peer has shut its writing side, or the socket failed: a short read does not prove the socket empty.
    pub read_closed: bool,
}

/// A notification as the kernel gave it, decoded no further than is asked.
pub trait Notice: Copy {
    /// [`Readiness::token`].
    fn token(self) -> u64;
    /// Readable and not `read_closed`: bytes to read, and nothing else that matters. Most notifications are this.
    fn is_news(self) -> bool;
    /// All of it.
    fn readiness(self) -> Readiness;
}

impl Notice for Readiness {
    fn token(self) -> u64 {
        self.token
    }

    fn is_news(self) -> bool {
        self.readable && !self.read_closed
    }

    fn readiness(self) -> Readiness {
        self
    }
}

/// What a last look finds in a socket (L6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A byte at least.
    Bytes,
    /// No byte, and none will come: the peer's FIN.
    End,
    /// No byte, and an error with this errno.
    Failed(i32),
    /// Nothing: the peer is silent.
    Nothing,
}

/// How a descriptor is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// Deregister, shut down, close: the peer sees it even while a forked child holds the descriptor (R7).
    Orderly,
    /// The same with SO_LINGER 0: the kernel forgets unsent bytes at once and keeps no orphan (R7).
    Abort,
}

/// How a [`Net`] listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenSettings {
    /// Length of the kernel's accept queue.
    pub backlog: u32,
    /// SO_REUSEPORT: several reactors on one port.
    pub reuse_port: bool,
}

/// What a kernel does. Every call is non-blocking but [`wait`](Net::wait).
///
/// Tokens are chosen by the reactor. Readiness is edge-triggered and registered once, for both directions.
pub trait Net: Clock {
    /// A connected (or connecting) stream. Dropping it closes the descriptor and nothing more.
    type Socket;
    /// A listening socket.
    type Listener;
    /// Wakes [`wait`](Net::wait) from another thread.
    type Waker: Clone + Send + Sync + 'static;
    /// A list of what was ready when a wait ended.
    type Ready;
    /// An entry of it.
    type Notice<'a>: Notice;

    /// An empty list for [`wait`](Net::wait), and how many entries it can take.
    fn ready_list(&self) -> (Self::Ready, usize);
    /// Waits until something is ready or `timeout_ms` have passed (`None`: for ever), and fills `ready` anew with what
    /// was ready when the wait ended. A full list means that there may be more. An interrupted wait is an empty one.
    fn wait(&mut self, ready: &mut Self::Ready, timeout_ms: Option<u64>) -> io::Result<()>;
    /// The entries of a list.
    fn each_ready(ready: &Self::Ready) -> impl Iterator<Item = Self::Notice<'_>>;

    /// Opens a listening socket and registers it with `token`.
    fn listen(&mut self, address: &Address, settings: ListenSettings, token: u64) -> io::Result<Self::Listener>;
    /// Where the listener listens, with the port that the kernel chose.
    fn listener_address(&self, listener: &Self::Listener) -> io::Result<Address>;
    /// Takes one connection from the accept queue. Its descriptor is non-blocking and not registered yet.
    fn accept(&mut self, listener: &Self::Listener) -> io::Result<(Self::Socket, Option<SocketAddr>)>;
    /// Closes a listener; connections still in its accept queue are reset by the kernel.
    fn close_listener(&mut self, listener: Self::Listener);

    /// Starts a connection. The socket becomes writable when it is established or has failed. Not registered yet.
    fn connect(&mut self, address: &Address, options: &SocketOptions) -> io::Result<Self::Socket>;
    /// The outcome of a connect whose socket became writable: `None` while it is still under way.
    fn connected(&mut self, socket: &Self::Socket) -> io::Result<Option<()>>;

    /// Makes a descriptor that somebody else opened fit for the reactor: non-blocking, closed on exec.
    fn prepare(&mut self, socket: &Self::Socket) -> io::Result<()>;
    /// Registers a socket for both directions with `token`.
    fn register(&mut self, socket: &Self::Socket, token: u64) -> io::Result<()>;
    /// Takes a socket out of the set; it stays open.
    fn deregister(&mut self, socket: &Self::Socket) -> io::Result<()>;
    /// Applies what differs from `before`, the options that it has now ([`SocketOptions::KERNEL`] for a new one); what
    /// does not exist for this kind of socket is passed over.
    fn configure(&mut self, socket: &Self::Socket, options: &SocketOptions, before: &SocketOptions) -> io::Result<()>;

    /// Reads into `buffer`; 0 is the end of the stream.
    fn recv(&mut self, socket: &Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes without SIGPIPE (R7); returns how many bytes the kernel took.
    fn send(&mut self, socket: &Self::Socket, bytes: &[u8]) -> io::Result<usize>;
    /// Writes several slices without SIGPIPE (R7).
    fn send_vectored(&mut self, socket: &Self::Socket, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// One last look (L6): what would a read give? Takes no byte out of the socket; an error is taken, so that nobody
    /// else will be told of it.
    fn last_look(&mut self, socket: &Self::Socket) -> Look;
    /// Sends FIN; reading goes on.
    fn shutdown_write(&mut self, socket: &Self::Socket) -> io::Result<()>;
    /// Gives the socket up for good.
    fn close(&mut self, socket: Self::Socket, parting: Parting);
    /// What the kernel knows of the connection; `None` if it is not TCP.
    fn tcp_info(&mut self, socket: &Self::Socket) -> Option<TcpInfo>;
    /// The address of the other end, if it has one.
    fn peer_address(&mut self, socket: &Self::Socket) -> Option<SocketAddr>;

    /// A handle that makes [`wait`](Net::wait) report `token` from any thread. At most one token is in use.
    fn waker(&mut self, token: u64) -> io::Result<Self::Waker>;
    /// Wakes the owner of `waker`.
    fn wake(waker: &Self::Waker) -> io::Result<()>;

    /// A descriptor that is readable whenever a wait would return at once, for nesting in a foreign loop (R11).
    fn descriptor(&self) -> RawFd;
    /// Makes [`descriptor`](Net::descriptor) readable at `at_ns` of this clock too (`None`: never; 0: now), reported
    /// as `token`. The timer exists from the first call on.
    fn alarm(&mut self, at_ns: Option<u64>, token: u64) -> io::Result<()>;
}
