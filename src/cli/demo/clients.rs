//! The living, on a reactor of their own, and what is done to some of them.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heartline::frame::Framing;
use heartline::liveness::{Policy, Role};
use heartline::reactor::{Config, ConnectionId, EventKind, Events, Options, Reactor, ReleaseError};

use super::plan::Plan;
use crate::cli::mishaps;

/// How often a client is tried that has events waiting.
const TRIES: u32 = 1000;

/// All clients.
pub(super) struct Clients {
    reactor: Reactor,
    events: Events,
    options: Options,
    framing: Arc<Framing>,
    /// Address of each client by its user word.
    addresses: Vec<SocketAddr>,
    /// Those that live; the next to be struck is last.
    living: Vec<ConnectionId>,
    /// Those that were closed from outside while they lived.
    closed: Vec<SocketAddr>,
    /// Descriptors that are held and never touched again.
    held: Vec<TcpStream>,
}

impl Clients {
    pub(super) fn new(plan: &Plan) -> io::Result<Self> {
        let invalid = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
        let framing = Framing::parse("length:4be").map_err(|error| invalid(&error))?;
        let mut reactor = Reactor::new(Config { statistics: false, ..Config::default() })?;
        let interval_ms = u32::try_from(plan.interval.as_millis()).unwrap_or(u32::MAX);
        // They beat and judge nobody: a stopped server must find them still there.
        let policy = Policy::none().with_role(Role::Ask).with_interval(interval_ms);
        let policy = reactor.define_policy(policy).map_err(|error| invalid(&error))?;
        let options = Options::new(framing).policy(policy);
        Ok(Self {
            reactor,
            events: Events::new(),
            framing: options.framing.clone(),
            options,
            addresses: Vec::new(),
            living: Vec::new(),
            closed: Vec::new(),
            held: Vec::new(),
        })
    }

    /// One connection that beats once and goes.
    pub(super) fn warm_up(&self, server: SocketAddr) -> io::Result<SocketAddr> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let asked = mishaps::beat_once_more(&mut stream, &self.framing)?;
        stream.read_exact(&mut vec![0; asked])?;
        stream.local_addr()
    }

    /// One more that lives; its address.
    pub(super) fn connect(&mut self, server: SocketAddr) -> io::Result<SocketAddr> {
        let stream = TcpStream::connect(server)?;
        let address = stream.local_addr()?;
        let user = self.addresses.len() as u64;
        let adopted = self.reactor.adopt(OwnedFd::from(stream), &self.options, user, Vec::new(), &[]);
        let id = adopted.map_err(|refused| io::Error::from(refused.error))?;
        self.addresses.push(address);
        self.living.push(id);
        Ok(address)
    }

    /// Lets the living beat for at most `wait`.
    pub(super) fn poll(&mut self, wait: Duration) -> io::Result<()> {
        self.reactor.poll(&mut self.events, Some(wait))?;
        for event in &self.events {
            if let EventKind::Closed { .. } = event.kind
                && let Some(address) = self.addresses.get(event.user as usize)
            {
                self.closed.push(*address);
            }
        }
        Ok(())
    }

    /// Whom the server has closed, as seen from here.
    pub(super) fn closed(&self) -> &[SocketAddr] {
        &self.closed
    }

    /// Freezes one, if one is left: a last beat, then nothing, with the descriptor held open. The moment is taken just before the beat.
    pub(super) fn freeze(&mut self) -> io::Result<Option<(SocketAddr, Instant)>> {
        let Some(mut stream) = self.take_one()? else { return Ok(None) };
        let at = Instant::now();
        mishaps::beat_once_more(&mut stream, &self.framing)?;
        self.hold(stream, at)
    }

    /// Cuts one off in the middle of a frame: half of it, then nothing.
    pub(super) fn cut(&mut self) -> io::Result<Option<(SocketAddr, Instant)>> {
        let Some(mut stream) = self.take_one()? else { return Ok(None) };
        let at = Instant::now();
        mishaps::half_a_frame(&mut stream, &self.framing, b"a message that is never finished")?;
        self.hold(stream, at)
    }

    /// Resets one.
    pub(super) fn reset(&mut self) -> io::Result<Option<(SocketAddr, Instant)>> {
        let Some(stream) = self.take_one()? else { return Ok(None) };
        let address = stream.local_addr()?;
        mishaps::reset(stream)?;
        Ok(Some((address, Instant::now())))
    }

    fn hold(&mut self, stream: TcpStream, at: Instant) -> io::Result<Option<(SocketAddr, Instant)>> {
        let address = stream.local_addr()?;
        self.held.push(stream);
        Ok(Some((address, at)))
    }

    /// Takes one of the living out of the reactor; none if none is left.
    fn take_one(&mut self) -> io::Result<Option<TcpStream>> {
        while let Some(id) = self.living.pop() {
            for _ in 0..TRIES {
                match self.reactor.release(id) {
                    Ok(released) => return Ok(Some(TcpStream::from(released.socket))),
                    Err(ReleaseError::Busy) => self.poll(Duration::ZERO)?,
                    // The server closed it, and it is counted; the next one.
                    Err(ReleaseError::Stale | ReleaseError::NotOpen) => break,
                }
            }
        }
        Ok(None)
    }
}
