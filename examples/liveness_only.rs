//! Level 1: a UDP server that keeps its own sockets and takes only its liveness from Heartline.
//!
//! ```sh
//! cargo run --release --example liveness_only --no-default-features
//! nc -u 127.0.0.1 7002            # in another terminal: type lines, then stop; see the asks come, and the end
//! ```
//!
//! A client is known from its first datagram. `ASK` is answered with `ANSWER`; every other datagram is echoed. Whoever is
//! silent for 4 s is asked, for 6.4 s suspect, for 16 s dead. Stop the server (Ctrl-Z), wait, `fg`: nobody dies of it.
#![allow(clippy::print_stdout, reason = "an example tells what it does; the lints are the library's")]

use std::collections::HashMap;
use std::io::{ErrorKind, Result};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use heartline::liveness::{Beat, Monitor, MonitorConfig, Owed, Policy, PolicyId, Role, VerdictKind};
use heartline::time::{Clock, Millis, SystemClock};

/// Linux wakes a socket's receive timeout the later the longer it is: by 256 ms at 2 s and more, which is a stall. Short waits
/// are late by less than the granularity; waking before the promise does no harm.
const WAIT_MS_MAX: u32 = 1_000;
/// Datagrams taken in one turn: a flood must not keep the dead from being found.
const DATAGRAMS_PER_TURN: usize = 1024;

/// What a server of this kind has anyway: a socket, and slots for its clients.
struct Server {
    socket: UdpSocket,
    /// By slot; the monitor knows clients by these numbers.
    clients: Vec<Option<SocketAddr>>,
    slots: HashMap<SocketAddr, u32>,
    clock: SystemClock,
    monitor: Monitor,
    policy: PolicyId,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let clock = SystemClock::new();
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis::floor(clock.now_ns()));
    let policy = monitor.define(Policy::game().with_timeout(16_000).with_role(Role::Both))?;
    let socket = UdpSocket::bind("127.0.0.1:7002")?;
    println!("listening on udp {}", socket.local_addr()?);
    let mut server = Server { socket, clients: Vec::new(), slots: HashMap::new(), clock, monitor, policy };
    loop {
        server.turn()?;
    }
}

impl Server {
    /// The order that keeps a verdict from being early or wrong: promise, wait, woke, read everything, then judge.
    fn turn(&mut self) -> Result<()> {
        let wait_ms = self.monitor.wait_ms(Millis::floor(self.clock.now_ns()));
        self.socket.set_read_timeout(wait_ms.map(|ms| Duration::from_millis(ms.clamp(1, WAIT_MS_MAX).into())))?;
        self.socket.set_nonblocking(false)?;
        let mut buffer = [0; 1500];
        let mut received = self.socket.recv_from(&mut buffer);
        self.monitor.woke(Millis::floor(self.clock.now_ns()));
        self.socket.set_nonblocking(true)?;
        for _ in 0..DATAGRAMS_PER_TURN {
            match received {
                Ok((count, from)) => self.datagram(&buffer[..count], from),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                // A signal, or a client that is gone (ICMP): the socket is well.
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => {}
                Err(error) => return Err(error),
            }
            received = self.socket.recv_from(&mut buffer);
        }
        self.judge();
        Ok(())
    }

    fn datagram(&mut self, bytes: &[u8], from: SocketAddr) {
        let slot = self.slot_of(from);
        // L4: heard is rounded up, so that nobody is judged early.
        let now = Millis::ceil(self.clock.now_ns());
        match bytes.trim_ascii_end() {
            b"ASK" => {
                if self.monitor.beat(slot, Beat::Ask, now) == Owed::Answer {
                    self.send(b"ANSWER\n", from);
                }
            }
            b"ANSWER" => {
                let _ = self.monitor.beat(slot, Beat::Answer, now);
                let rtt_ms = self.monitor.state(slot).and_then(|state| state.rtt_ms);
                println!("{from} answers; last round trip {rtt_ms:?} ms");
            }
            _ => {
                self.monitor.heard(slot, now);
                self.send(bytes, from);
            }
        }
    }

    /// The slot of a client, who may be new.
    fn slot_of(&mut self, from: SocketAddr) -> u32 {
        if let Some(slot) = self.slots.get(&from) {
            return *slot;
        }
        let free = self.clients.iter().position(Option::is_none).unwrap_or(self.clients.len());
        if free == self.clients.len() {
            self.clients.push(None);
        }
        let slot = free as u32;
        self.clients[free] = Some(from);
        self.slots.insert(from, slot);
        self.monitor.add(slot, self.policy, Millis::ceil(self.clock.now_ns()));
        println!("{from} is new");
        slot
    }

    fn judge(&mut self) {
        let (mut verdicts, now) = (Vec::new(), Millis::floor(self.clock.now_ns()));
        // At most 4,096 verdicts: if more are due, the next wait is 0.
        self.monitor.advance(now, &mut verdicts);
        for verdict in verdicts {
            if verdict.kind == VerdictKind::Stalled {
                println!("this process was stopped for {} ms; it counts for nobody", verdict.silence_ms);
            }
            let Some(&Some(client)) = self.clients.get(verdict.peer as usize) else { continue };
            match verdict.kind {
                VerdictKind::Ask => self.send(b"ASK\n", client),
                VerdictKind::Suspect => println!("{client} is suspect after {} ms", verdict.silence_ms),
                VerdictKind::Revived => println!("{client} revived after {} ms", verdict.silence_ms),
                VerdictKind::Dead => {
                    println!("{client} is dead, {} ms after its time", verdict.overshoot_ms);
                    // Until here it was a proposal.
                    self.monitor.remove(verdict.peer);
                    self.slots.remove(&client);
                    self.clients[verdict.peer as usize] = None;
                }
                _ => {}
            }
        }
    }

    /// A datagram may get lost anyway; what proves life is what comes back.
    fn send(&self, bytes: &[u8], to: SocketAddr) {
        let _ = self.socket.send_to(bytes, to);
    }
}
