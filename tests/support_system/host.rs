//! A host with an epoll loop of its own that uses nothing of Heartline but the monitor: level 1. It takes at most 256
//! events per wait and does not ask for more before it judges, so that only the last look saves who was not read yet.
//! It says and logs what `heartline serve` would.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use heartline::liveness::{Monitor, MonitorConfig, Policy, VerdictKind};
use heartline::time::{Clock, Millis, SystemClock};
use mio::unix::SourceFd;
use mio::{Interest, Token};
use slab::Slab;

const EVENTS_PER_WAIT: usize = 256;
const LISTENER: Token = Token(usize::MAX);

struct Peer {
    stream: TcpStream,
    remote: SocketAddr,
}

/// Serves until it is killed.
pub(crate) fn run(policy: &str) -> std::io::Result<()> {
    let policy = Policy::parse(policy).expect("a policy");
    let clock = SystemClock::new();
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
    let followed = monitor.define(policy).expect("a sound policy");
    let mut poll = mio::Poll::new()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    // The standard library's queue is short: beyond it a connect waits a second for its second try.
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(4096)?)?;
    poll.registry().register(&mut SourceFd(&listener.as_raw_fd()), LISTENER, Interest::READABLE)?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let mut peers: Slab<Peer> = Slab::new();
    let mut events = mio::Events::with_capacity(EVENTS_PER_WAIT);
    let mut verdicts = Vec::new();
    let mut log = std::io::stderr();
    loop {
        let wait_ms = monitor.wait_ms(Millis::floor(clock.now_ns()));
        match poll.poll(&mut events, wait_ms.map(|wait_ms| super::ms(u64::from(wait_ms)))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        monitor.woke(Millis::floor(clock.now_ns()));
        let heard_at = Millis::ceil(clock.now_ns());
        for event in &events {
            if event.token() != LISTENER {
                let number = event.token().0;
                let ended = peers.get_mut(number).is_some_and(|peer| read(peer, &mut monitor, number, heard_at));
                if ended {
                    monitor.remove(number as u32);
                    let peer = peers.remove(number);
                    writeln!(log, r#"{{"event":"closed","remote":"{}","reason":"peer_closed"}}"#, peer.remote)?;
                }
                continue;
            }
            while let Ok((mut stream, remote)) = listener.accept() {
                let place = peers.vacant_entry();
                stream.set_nonblocking(true)?;
                let token = Token(place.key());
                poll.registry().register(&mut SourceFd(&stream.as_raw_fd()), token, Interest::READABLE)?;
                // A greeting: the tests wait for a byte to know that a peer is accepted.
                stream.write_all(&super::BEAT)?;
                monitor.add(place.key() as u32, followed, heard_at);
                place.insert(Peer { stream, remote });
            }
        }
        loop {
            let now = Millis::floor(clock.now_ns());
            verdicts.clear();
            let more = monitor.advance(now, &mut verdicts);
            for verdict in &verdicts {
                let number = verdict.peer as usize;
                match verdict.kind {
                    VerdictKind::Ask => peers[number].stream.write_all(&super::BEAT)?,
                    VerdictKind::Stalled => {
                        writeln!(log, r#"{{"event":"stalled","ms":{}}}"#, verdict.silence_ms)?;
                    }
                    VerdictKind::Dead if matches!(peers[number].stream.peek(&mut [0]), Ok(1)) => {
                        monitor.heard(verdict.peer, Millis::ceil(clock.now_ns()));
                        writeln!(log, r#"{{"event":"saved"}}"#)?;
                    }
                    VerdictKind::Dead => {
                        monitor.remove(verdict.peer);
                        let peer = peers.remove(number);
                        let (silence, overshoot) = (verdict.silence_ms, verdict.overshoot_ms);
                        writeln!(
                            log,
                            r#"{{"event":"closed","remote":"{}","reason":"silent","silence_ms":{silence},"overshoot_ms":{overshoot}}}"#,
                            peer.remote
                        )?;
                    }
                    _ => {}
                }
            }
            if !more {
                break;
            }
        }
    }
}

/// Reads what is there; true at the end of the stream.
fn read(peer: &mut Peer, monitor: &mut Monitor, number: usize, heard_at: Millis) -> bool {
    let mut bytes = [0; 4096];
    loop {
        match peer.stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => monitor.heard(number as u32, heard_at),
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}
