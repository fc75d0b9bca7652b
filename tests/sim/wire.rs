//! Sockets and the lines between them: byte pipes with a bounded buffer at either end, latency, acknowledgement, zero
//! windows, retransmission into the dark, FIN and RST. Bytes are never lost or reordered, only late: it is TCP.

use std::collections::VecDeque;
use std::io;

use heartline::reactor::net::Look;

use super::faults::Fault;
use super::process::Item;
use super::world::{Happening, World};

pub const MS: u64 = 1_000_000;
pub const ECONNABORTED: i32 = 103;
pub const ECONNRESET: i32 = 104;
pub const ENOBUFS: i32 = 105;
pub const ETIMEDOUT: i32 = 110;
pub const ECONNREFUSED: i32 = 111;
pub const ENETUNREACH: i32 = 101;
pub const EMFILE: i32 = 24;
pub const ENOMEM: i32 = 12;
const EPIPE: i32 = 32;

/// Who uses a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Process(usize),
    Peer(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Open,
    /// The connect failed; the error waits in `error`.
    Failed,
}

/// A line between a dialler (side 0) and a listener (side 1).
#[derive(Debug)]
pub struct Line {
    pub latency_ns: u64,
    /// Whether what this side sends is swallowed.
    pub dark: [bool; 2],
    /// The FIN of this side never arrives.
    pub fin_lost: [bool; 2],
    pub socks: [Option<usize>; 2],
}

/// One end of a connection, as its kernel has it.
#[derive(Debug)]
pub struct Sock {
    pub owner: Owner,
    pub line: usize,
    pub side: usize,
    pub other: Option<usize>,
    pub state: State,
    /// The application has closed it; the kernel may still have bytes of it to send.
    pub gone: bool,
    pub token: Option<u64>,
    /// It stands on the ready list of its process.
    pub listed: bool,
    pub rx: VecDeque<u8>,
    pub rx_max: usize,
    pub fin_in: bool,
    pub error: Option<i32>,
    /// Reset or timed out: nothing goes in or out any more.
    pub broken: bool,
    pub out: VecDeque<u8>,
    pub out_max: usize,
    /// When so many bytes of `out` arrive.
    pub chunks: VecDeque<(u64, usize)>,
    /// Arrived, but the acknowledgement is still on its way.
    pub unacked: usize,
    pub fin_out: Option<u64>,
    pub fin_sent: bool,
    /// An edge is owed when there is room.
    pub no_space: bool,
    pub waits_for_window: bool,
    pub pump_at: Option<u64>,
    pub backoff_ns: u64,
    pub stuck_since: Option<u64>,
    pub user_timeout_ns: u64,
    /// When its last byte came into `rx`.
    pub arrived_ns: u64,
    pub arrived_bytes: u64,
}

/// What a socket shows to epoll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mask {
    pub readable: bool,
    pub writable: bool,
    pub read_closed: bool,
}

impl Mask {
    pub fn any(self) -> bool {
        self.readable || self.writable || self.read_closed
    }
}

impl Sock {
    fn free(&self) -> usize {
        self.out_max.saturating_sub(self.out.len() + self.unacked)
    }

    pub fn is_writable(&self) -> bool {
        self.free() * 3 >= self.out_max
    }

    /// As tcp_poll computes it; asking whether there is room owes the edge when there is none.
    pub fn mask(&mut self) -> Mask {
        let failed = self.broken || self.error.is_some();
        match self.state {
            State::Connecting => Mask::default(),
            State::Failed => Mask { readable: true, writable: true, read_closed: true },
            State::Open => {
                let writable = failed || self.is_writable();
                self.no_space |= !writable;
                Mask {
                    readable: failed || self.fin_in || !self.rx.is_empty(),
                    writable,
                    read_closed: failed || self.fin_in,
                }
            }
        }
    }

    /// It has refused bytes and the edge is still owed.
    pub fn is_stuck(&self) -> bool {
        self.no_space
    }

    /// Bytes of it are on their way.
    pub fn is_sending(&self) -> bool {
        !self.out.is_empty() || self.unacked > 0
    }
}

impl World {
    pub fn new_line(&mut self) -> usize {
        let latency_ns = self.dice.spread(20_000, self.latency_max_ns);
        let fin_lost = [(); 2].map(|()| self.fault(Fault::FinLost));
        self.lines.push(Line { latency_ns, dark: [false; 2], fin_lost, socks: [None; 2] });
        self.lines.len() - 1
    }

    pub fn new_sock(&mut self, owner: Owner, line: usize, side: usize, state: State) -> usize {
        let buffers = self.buffer_bytes;
        let number = self.socks.len();
        let (rx_max, out_max) = (self.dice.spread(buffers.0, buffers.1), self.dice.spread(buffers.0, buffers.1));
        self.socks.push(Sock {
            owner,
            line,
            side,
            other: None,
            state,
            gone: false,
            token: None,
            listed: false,
            rx: VecDeque::new(),
            rx_max: rx_max as usize,
            fin_in: false,
            error: None,
            broken: false,
            out: VecDeque::new(),
            out_max: out_max as usize,
            chunks: VecDeque::new(),
            unacked: 0,
            fin_out: None,
            fin_sent: false,
            no_space: false,
            waits_for_window: false,
            pump_at: None,
            backoff_ns: 0,
            stuck_since: None,
            user_timeout_ns: 0,
            arrived_ns: 0,
            arrived_bytes: 0,
        });
        self.lines[line].socks[side] = Some(number);
        number
    }

    /// What a peek finds; as in the real kernel it takes an error out of the socket.
    pub fn look(&mut self, number: usize) -> Look {
        let sock = &mut self.socks[number];
        if !sock.rx.is_empty() {
            return Look::Bytes;
        }
        match sock.error.take() {
            Some(error) => Look::Failed(error),
            None if sock.fin_in || sock.broken => Look::End,
            None => Look::Nothing,
        }
    }

    /// What the application's read gives.
    pub fn read(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<usize> {
        if self.fault(Fault::Interrupted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let short = self.fault(Fault::ShortRead);
        let sock = &mut self.socks[number];
        if sock.rx.is_empty() {
            return match sock.error.take() {
                Some(error) => Err(io::Error::from_raw_os_error(error)),
                None if sock.fin_in || sock.broken => Ok(0),
                None => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let mut count = buffer.len().min(sock.rx.len());
        if short && count > 1 {
            count = 1 + self.dice.below(count as u64 - 1) as usize;
        }
        let sock = &mut self.socks[number];
        let (front, back) = sock.rx.as_slices();
        let split = front.len().min(count);
        buffer[..split].copy_from_slice(&front[..split]);
        buffer[split..count].copy_from_slice(&back[..count - split]);
        sock.rx.drain(..count);
        let (rest, other) = (!sock.rx.is_empty(), sock.other);
        if short && rest {
            // As if the rest had come just after the read.
            self.edge(number);
        }
        if let Some(other) = other.filter(|other| self.socks[*other].waits_for_window) {
            self.socks[other].waits_for_window = false;
            let at = self.now_ns + self.lines[self.socks[other].line].latency_ns;
            self.pump_at(other, at);
        }
        Ok(count)
    }

    /// What the application's write gives.
    pub fn write(&mut self, number: usize, slices: &[&[u8]]) -> io::Result<usize> {
        if self.fault(Fault::Interrupted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.fault(Fault::NoBuffers) {
            let error = if self.dice.chance(0.5) { ENOBUFS } else { ENOMEM };
            return Err(io::Error::from_raw_os_error(error));
        }
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        let cut = self.fault(Fault::ShortWrite).then(|| self.dice.below(length as u64 + 1) as usize);
        let sock = &mut self.socks[number];
        if let Some(error) = sock.error.take() {
            return Err(io::Error::from_raw_os_error(error));
        }
        if sock.broken || sock.fin_out.is_some() || sock.state != State::Open {
            return Err(io::Error::from_raw_os_error(EPIPE));
        }
        let natural = length.min(sock.free());
        let count = cut.map_or(natural, |cut| natural.min(cut));
        sock.no_space |= count < length;
        if count < natural {
            let later = self.now_ns + self.dice.wait(2 * MS);
            self.push(later, Happening::Space(number));
        }
        let mut left = count;
        for slice in slices {
            let part = left.min(slice.len());
            self.socks[number].out.extend(&slice[..part]);
            left -= part;
        }
        if count == 0 && length > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.put_on_line(number, count);
        Ok(count)
    }

    /// The application sends FIN.
    pub fn shut_write(&mut self, number: usize) -> io::Result<()> {
        if self.socks[number].broken || self.socks[number].state != State::Open {
            return Err(io::Error::from_raw_os_error(107));
        }
        if self.socks[number].fin_out.is_none() {
            let line = self.socks[number].line;
            let at = (self.now_ns + self.flight_ns(line)).max(self.last_due(number));
            self.socks[number].fin_out = Some(at);
            self.pump_at(number, at);
        }
        Ok(())
    }

    /// The application gives a socket up.
    pub fn give_up(&mut self, number: usize, abort: bool) {
        let sock = &mut self.socks[number];
        if sock.gone {
            return;
        }
        sock.gone = true;
        (sock.token, sock.listed) = (None, false);
        let unread = !sock.rx.is_empty();
        sock.rx = VecDeque::new();
        if let Owner::Process(process) = sock.owner {
            self.processes[process].descriptors -= 1;
        }
        if sock.broken || sock.state != State::Open {
            return;
        }
        if abort || unread {
            // Closing with bytes unread is a reset too.
            self.send_reset(number);
        } else {
            let _ = self.shut_write(number);
        }
    }

    /// A user timeout was set.
    pub fn set_user_timeout(&mut self, number: usize, ms: u32) {
        self.socks[number].user_timeout_ns = u64::from(ms) * MS;
    }

    /// Something of a socket changed: its process or peer is told, as epoll would.
    pub fn edge(&mut self, number: usize) {
        let sock = &mut self.socks[number];
        match sock.owner {
            _ if sock.gone => {}
            Owner::Peer(peer) => self.push(self.now_ns, Happening::PeerSees(peer, number)),
            Owner::Process(process) => {
                if sock.token.is_some() && !sock.listed {
                    sock.listed = true;
                    self.list(process, Item::Sock(number));
                }
            }
        }
    }
}
