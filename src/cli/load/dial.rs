//! Opening connections from chosen addresses. Many may be under way at once; on loopback each is done when `connect`
//! returns, and costs no wait.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Token};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, getpeername, getsockopt, setsockopt, socket,
    sockopt,
};

/// Events taken from the kernel in one look.
const READY_MAX: usize = 1024;

/// Dials under way.
pub(super) struct Dialler {
    poll: mio::Poll,
    ready: mio::Events,
    to: SocketAddr,
    timeout_ns: u64,
    pending: HashMap<u32, Pending>,
}

struct Pending {
    socket: OwnedFd,
    began_ns: u64,
}

/// What came of a dial.
pub(super) struct Dialled {
    pub(super) client: u32,
    /// How long it took.
    pub(super) ns: u64,
    pub(super) outcome: Result<OwnedFd, &'static str>,
}

impl Dialler {
    pub(super) fn new(to: SocketAddr, timeout_ms: u32) -> io::Result<Self> {
        let (poll, ready) = (mio::Poll::new()?, mio::Events::with_capacity(READY_MAX));
        Ok(Self { poll, ready, to, timeout_ns: u64::from(timeout_ms) * 1_000_000, pending: HashMap::new() })
    }

    pub(super) fn under_way(&self) -> usize {
        self.pending.len()
    }

    /// Begins to dial for `client`; what came of it, if that is known at once.
    pub(super) fn dial(&mut self, client: u32, from: Option<IpAddr>, now_ns: impl Fn() -> u64) -> Option<Dialled> {
        let began_ns = now_ns();
        let dialled = |outcome| Some(Dialled { client, ns: now_ns() - began_ns, outcome });
        let socket = match open(self.to, from) {
            Ok(socket) => socket,
            Err(errno) => return dialled(Err(cause(errno))),
        };
        match established(&socket) {
            Ok(true) => return dialled(Ok(socket)),
            Err(errno) => return dialled(Err(cause(errno))),
            Ok(false) => {}
        }
        let mut source = SourceFd(&socket.as_raw_fd());
        if self.poll.registry().register(&mut source, Token(client as usize), Interest::WRITABLE).is_err() {
            return dialled(Err("no memory"));
        }
        self.pending.insert(client, Pending { socket, began_ns });
        None
    }

    /// Looks at what is under way, without waiting.
    pub(super) fn look(&mut self, now_ns: u64, mut done: impl FnMut(Dialled)) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        match self.poll.poll(&mut self.ready, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut over: Vec<u32> = self.ready.iter().map(|event| event.token().0 as u32).collect();
        let late = |pending: &Pending| now_ns.saturating_sub(pending.began_ns) > self.timeout_ns;
        over.extend(self.pending.iter().filter(|(_, pending)| late(pending)).map(|(client, _)| *client));
        for client in over {
            let Some(Pending { socket, began_ns }) = self.pending.remove(&client) else { continue };
            let ns = now_ns.saturating_sub(began_ns);
            let outcome = match established(&socket) {
                Ok(false) if ns <= self.timeout_ns => {
                    self.pending.insert(client, Pending { socket, began_ns });
                    continue;
                }
                Ok(false) => Err("timed out"),
                Ok(true) => Ok(()),
                Err(errno) => Err(cause(errno)),
            };
            let _ = self.poll.registry().deregister(&mut SourceFd(&socket.as_raw_fd()));
            done(Dialled { client, ns, outcome: outcome.map(|()| socket) });
        }
        Ok(())
    }
}

fn open(to: SocketAddr, from: Option<IpAddr>) -> nix::Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)?;
    if let Some(from) = from {
        // The port is chosen at connect, so that a source address has all ports towards each server.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from, 0)))?;
    }
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

fn established(socket: &OwnedFd) -> nix::Result<bool> {
    match getpeername::<SockaddrStorage>(socket.as_raw_fd()) {
        Ok(_) => Ok(true),
        Err(Errno::ENOTCONN) => match getsockopt(socket, sockopt::SocketError)? {
            0 => Ok(false),
            error => Err(Errno::from_raw(error)),
        },
        Err(errno) => Err(errno),
    }
}

/// What people call it.
fn cause(errno: Errno) -> &'static str {
    match errno {
        Errno::ECONNREFUSED => "refused",
        Errno::ECONNRESET | Errno::EPIPE => "reset",
        Errno::ETIMEDOUT => "timed out",
        Errno::EADDRNOTAVAIL => "no port or address left",
        Errno::EMFILE | Errno::ENFILE => "no descriptor left",
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => "unreachable",
        Errno::EAGAIN => "the server's queue is full",
        Errno::ENOMEM | Errno::ENOBUFS => "no memory",
        other => other.desc(),
    }
}
