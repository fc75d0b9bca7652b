//! Clients that misbehave, each on a bare socket beside the reactor, and the moment at which the server closes it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use heartline::frame::Framing;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use nix::sys::socket::{setsockopt, sockopt};
use slab::Slab;

use super::fault::Kind;
use crate::cli::mishaps;

const MS: u64 = 1_000_000;
/// A dripping client sends a byte this often.
const DRIP_NS: u64 = 1000 * MS;
/// A slow reader reads a byte this often, and writes so many bursts if it can.
const SIP_NS: u64 = 100 * MS;
const SIP_BURSTS: usize = 32;
/// What a slow reader's kernel keeps for it; it makes it a little more.
const SMALL_BUFFER_BYTES: usize = 4096;
/// Bytes of a frame that drips: ten minutes.
const DRIP_BYTES: usize = 600;
/// What is written at once to flood, or by a slow reader.
const BURST_BYTES: usize = 16 << 10;
const READY_MAX: usize = 1024;

/// All of them.
pub(super) struct Scripted {
    poll: mio::Poll,
    ready: mio::Events,
    peers: Slab<Peer>,
    /// Those who act by the clock.
    active: Vec<usize>,
}

/// One of them.
pub(super) struct Peer {
    stream: TcpStream,
    pub(super) kind: Kind,
    pub(super) fault: usize,
    pub(super) client: u32,
    pub(super) struck_ns: u64,
    /// Stamped before the byte was written: the server cannot have heard it earlier.
    pub(super) last_byte_ns: u64,
    pub(super) bytes_back: u64,
    next_ns: u64,
    out: Vec<u8>,
    at: usize,
}

/// A peer that the server has closed.
pub(super) struct Found {
    pub(super) peer: Peer,
    pub(super) by_reset: bool,
}

impl Scripted {
    pub(super) fn new() -> io::Result<Self> {
        let (poll, ready) = (mio::Poll::new()?, mio::Events::with_capacity(READY_MAX));
        Ok(Self { poll, ready, peers: Slab::new(), active: Vec::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Takes a peer in.
    pub(super) fn add(&mut self, peer: Peer) -> io::Result<()> {
        let (fd, acts) = (peer.stream.as_raw_fd(), peer.next_ns != u64::MAX);
        let key = self.peers.insert(peer);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&fd), Token(key), both)?;
        if acts {
            self.active.push(key);
        }
        Ok(())
    }

    /// Lets everybody act, and tells who was closed.
    pub(super) fn look(&mut self, now_ns: u64, mut found: impl FnMut(Found)) -> io::Result<()> {
        if self.peers.is_empty() {
            return Ok(());
        }
        match self.poll.poll(&mut self.ready, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut over = Vec::new();
        for event in &self.ready {
            let key = event.token().0;
            if let Some(peer) = self.peers.get_mut(key)
                && let Some(by_reset) = peer.noticed(event)
            {
                over.push((key, by_reset));
            }
        }
        for &key in &self.active {
            if let Some(peer) = self.peers.get_mut(key)
                && peer.next_ns <= now_ns
                && let Err(error) = peer.act(now_ns)
            {
                over.push((key, is_reset(&error)));
            }
        }
        for (key, by_reset) in over {
            let Some(peer) = self.peers.try_remove(key) else { continue };
            self.active.retain(|active| *active != key);
            let _ = self.poll.registry().deregister(&mut SourceFd(&peer.stream.as_raw_fd()));
            found(Found { peer, by_reset });
        }
        Ok(())
    }

    /// Who is still there when all is over.
    pub(super) fn into_rest(self) -> impl Iterator<Item = Peer> {
        self.peers.into_iter().map(|(_, peer)| peer)
    }
}

impl Peer {
    /// Does to the client what the fault says. `message` is one as it would send, `last_sent_ns` its last byte so far.
    pub(super) fn strike(
        stream: TcpStream,
        (kind, fault, client): (Kind, usize, u32),
        framing: &Framing,
        message: &[u8],
        (now_ns, last_sent_ns): (u64, u64),
    ) -> io::Result<Self> {
        let mut peer = Self {
            stream,
            kind,
            fault,
            client,
            struck_ns: now_ns,
            last_byte_ns: now_ns,
            bytes_back: 0,
            next_ns: u64::MAX,
            out: Vec::new(),
            at: 0,
        };
        match kind {
            Kind::Freeze | Kind::NoAnswer => {
                // Where there are no beats, the last message was the last byte.
                if mishaps::beat_once_more(&mut peer.stream, framing)? == 0 {
                    peer.last_byte_ns = last_sent_ns;
                }
            }
            Kind::HalfFrame => mishaps::half_a_frame(&mut peer.stream, framing, message)?,
            Kind::Fin => peer.stream.shutdown(Shutdown::Write)?,
            Kind::Drip => {
                let long = mishaps::frame(framing, &[b'x'; DRIP_BYTES]);
                peer.out = long.or_else(|_| mishaps::frame(framing, message))?;
                peer.next_ns = now_ns;
            }
            Kind::SlowReader => {
                setsockopt(&peer.stream, sockopt::RcvBuf, &SMALL_BUFFER_BYTES)?;
                let frame = mishaps::frame(framing, message)?;
                peer.out = frame.repeat(BURST_BYTES.div_ceil(frame.len().max(1)));
                peer.next_ns = now_ns;
            }
            Kind::Flood => {
                while peer.out.len() < BURST_BYTES {
                    framing.ask(&mut peer.out);
                }
                peer.next_ns = now_ns;
            }
            // These leave no socket behind.
            Kind::Reset | Kind::Storm => {}
        }
        Ok(peer)
    }

    /// When the server should close it: what it did last, and the server's limit. A frame's limit counts from its first
    /// byte, which for one that drips is the fault.
    pub(super) fn due_ns(&self, limit_ms: u32) -> u64 {
        let from = if self.kind == Kind::Drip { self.struck_ns } else { self.last_byte_ns };
        from + u64::from(limit_ms) * MS
    }

    /// Takes the kernel's word; whether it was closed, and then whether by a reset.
    fn noticed(&mut self, event: &Event) -> Option<bool> {
        if matches!(self.kind, Kind::Fin | Kind::NoAnswer | Kind::Flood | Kind::Drip | Kind::HalfFrame)
            && event.is_readable()
            && let Err(error) = self.read_all()
        {
            return Some(is_reset(&error));
        }
        if event.is_error() {
            return Some(true);
        }
        // Its FIN is seen behind bytes that nobody reads.
        event.is_read_closed().then_some(false)
    }

    fn read_all(&mut self) -> io::Result<()> {
        let mut bytes = [0; 16 << 10];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.bytes_back += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What is due by the clock. An error is the end of the connection.
    fn act(&mut self, now_ns: u64) -> io::Result<()> {
        match self.kind {
            Kind::Drip => {
                self.next_ns = now_ns + DRIP_NS;
                let byte = self.out[self.at % self.out.len()];
                self.at += self.write(&[byte], now_ns)?;
            }
            Kind::SlowReader => {
                self.next_ns = now_ns + SIP_NS;
                match self.stream.read(&mut [0]) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(count) => self.bytes_back += count as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
                // What comes back must fill the server's buffers before long.
                for _ in 0..SIP_BURSTS {
                    if self.burst(now_ns)? == 0 {
                        break;
                    }
                }
            }
            _ => {
                self.next_ns = now_ns + MS;
                self.burst(now_ns)?;
            }
        }
        Ok(())
    }

    /// As much of a burst as the kernel takes, from where the last one ended; how much that was.
    fn burst(&mut self, now_ns: u64) -> io::Result<usize> {
        let out = std::mem::take(&mut self.out);
        let written = self.write(&out[self.at..], now_ns);
        self.out = out;
        let written = written?;
        self.at = (self.at + written) % self.out.len();
        Ok(written)
    }

    fn write(&mut self, bytes: &[u8], now_ns: u64) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Ok(count) => {
                self.last_byte_ns = now_ns;
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    error.kind() != ErrorKind::UnexpectedEof
}
