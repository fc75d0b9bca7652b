//! One client: a raw socket, what it is doing, and when it last said something.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::echo::{Echoes, MESSAGE_MAX};
use crate::support_system::BEAT;

/// What a client is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Beats and reads.
    Living,
    /// Beats and does not read, until a timer says so.
    Deaf,
    /// Beats and reads a little at a time, until all echoes are back.
    Slow,
    /// Has said goodbye, and reads to the end.
    Leaving,
    /// Sends as much as goes and does not read.
    Clogged,
    /// Does nothing any more.
    Still,
}

/// What a read found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Open,
    /// The end, orderly or not.
    End,
    Wrong(String),
}

pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) local: SocketAddr,
    pub(crate) doing: Doing,
    pub(crate) echoes: Echoes,
    /// What the kernel has not taken yet.
    out: Vec<u8>,
    /// Just before the last write that took bytes, and just after it.
    pub(crate) said_from: Instant,
    pub(crate) said_to: Instant,
    /// The longest that the server may have heard nothing, by our own fault: from before a write to after the next.
    pub(crate) worst_gap: Duration,
}

impl Client {
    /// `before` is a moment before it was connected.
    pub(crate) fn new(stream: TcpStream, local: SocketAddr, number: u32, before: Instant) -> Self {
        Self {
            stream,
            local,
            doing: Doing::Living,
            echoes: Echoes::new(number),
            out: Vec::new(),
            said_from: before,
            said_to: before,
            worst_gap: Duration::ZERO,
        }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether nothing is under way between it and the server: what it does next is all that the server hears.
    pub(crate) fn is_idle(&self) -> bool {
        self.doing == Doing::Living && self.out.is_empty() && self.echoes.are_back()
    }

    pub(crate) fn beat(&mut self) {
        self.out.extend_from_slice(&BEAT);
        self.flush();
    }

    /// Says `count` messages of up to `most` bytes.
    pub(crate) fn burst(&mut self, count: u32, most: usize, dice: &mut fastrand::Rng) {
        for _ in 0..count {
            let length = if dice.u8(..) == 0 { MESSAGE_MAX } else { dice.usize(8..most) };
            self.echoes.say(length, &mut self.out);
        }
        self.flush();
    }

    /// The first half of a frame.
    pub(crate) fn half_a_frame(&mut self) {
        self.out.extend_from_slice(&64_u32.to_be_bytes());
        self.out.extend_from_slice(&[7; 32]);
        self.flush();
    }

    /// Keeps the server's buffers full, and ours.
    pub(crate) fn clog(&mut self) {
        self.flush();
        while self.out.is_empty() {
            self.echoes.say(MESSAGE_MAX, &mut self.out);
            self.flush();
        }
    }

    /// Says that there will be no more.
    pub(crate) fn say_goodbye(&mut self) {
        // A connection that is gone already is told of by the server's line.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Leaves the kernel little room for what is not read, so that it waits with the server, beyond its high mark.
    pub(crate) fn read_narrowly(&self) {
        setsockopt(&self.stream, sockopt::RcvBuf, &(64 << 10)).expect("a socket");
    }

    /// Resets the connection, by dropping it.
    pub(crate) fn reset(self) {
        let _ = setsockopt(&self.stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 });
    }

    /// Hands the kernel what it takes. A failed write shows at the next read.
    pub(crate) fn flush(&mut self) {
        while !self.out.is_empty() {
            let from = Instant::now();
            match self.stream.write(&self.out) {
                Ok(count) => {
                    self.out.drain(..count);
                    let to = Instant::now();
                    self.worst_gap = self.worst_gap.max(to - self.said_from);
                    (self.said_from, self.said_to) = (from, to);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Reads at most `limit` bytes.
    pub(crate) fn read(&mut self, mut limit: usize, buffer: &mut [u8]) -> Found {
        while limit > 0 {
            let most = limit.min(buffer.len());
            match self.stream.read(&mut buffer[..most]) {
                Ok(0) => return Found::End,
                Ok(count) => {
                    limit -= count;
                    if let Err(wrong) = self.echoes.came(&buffer[..count]) {
                        return Found::Wrong(wrong);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Found::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Found::End,
            }
        }
        Found::Open
    }
}
