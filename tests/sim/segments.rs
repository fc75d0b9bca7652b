//! What happens between two sockets: segments in flight, acknowledgement, zero windows, retransmission into the dark, FIN
//! and RST on their way.

use super::faults::Fault;
use super::wire::{ECONNRESET, ETIMEDOUT, MS, Sock};
use super::world::{Happening, World};

impl World {
    /// How long a segment of this side takes now.
    pub fn flight_ns(&mut self, line: usize) -> u64 {
        let latency_ns = self.lines[line].latency_ns;
        let jitter = if self.fault(Fault::Jitter) { self.dice.below(self.jitter_max_ns) } else { 0 };
        latency_ns + jitter
    }

    fn is_dark(&self, sock: usize) -> bool {
        let sock = &self.socks[sock];
        self.lines[sock.line].dark[sock.side]
    }

    pub fn put_on_line(&mut self, number: usize, count: usize) {
        let line = self.socks[number].line;
        let first =
            if count > 1 && self.fault(Fault::Cut) { 1 + self.dice.below(count as u64 - 1) as usize } else { count };
        for part in [first, count - first] {
            if part > 0 {
                let at = (self.now_ns + self.flight_ns(line)).max(self.last_due(number));
                self.socks[number].chunks.push_back((at, part));
                self.pump_at(number, at);
            }
        }
    }

    pub fn last_due(&self, number: usize) -> u64 {
        self.socks[number].chunks.back().map_or(0, |(at, _)| *at)
    }

    pub fn pump_at(&mut self, number: usize, at: u64) {
        let sock = &mut self.socks[number];
        if sock.pump_at.is_none_or(|known| at < known) {
            sock.pump_at = Some(at);
            self.push(at, Happening::Pump(number));
        }
    }

    /// What is due on this side's line arrives, as far as the line and the other's buffer let it.
    pub fn pump(&mut self, number: usize) {
        if self.socks[number].pump_at != Some(self.now_ns) {
            return;
        }
        self.socks[number].pump_at = None;
        let Some(other) = self.socks[number].other else { return };
        while let Some(&(due, length)) = self.socks[number].chunks.front() {
            if self.socks[number].broken {
                return;
            }
            if due > self.now_ns {
                return self.pump_at(number, due);
            }
            if self.is_dark(number) {
                return self.retransmit(number, self.kernel_timeout_ns);
            }
            if self.socks[other].gone || self.socks[other].broken {
                // Bytes for a socket that is closed: RST comes back.
                return self.send_reset(other);
            }
            let room = self.socks[other].rx_max - self.socks[other].rx.len();
            if room == 0 {
                self.socks[number].waits_for_window = true;
                // Probes are answered: only TCP_USER_TIMEOUT ends this.
                if self.socks[number].user_timeout_ns > 0 {
                    self.retransmit(number, u64::MAX);
                }
                return;
            }
            let part = room.min(length);
            self.arrive(number, other, part);
            let sock = &mut self.socks[number];
            match sock.chunks.front_mut() {
                Some(front) if front.1 > part => front.1 -= part,
                _ => drop(sock.chunks.pop_front()),
            }
        }
        self.pump_fin(number, other);
    }

    fn arrive(&mut self, number: usize, other: usize, part: usize) {
        let now_ns = self.now_ns;
        let (from, to) = pair(&mut self.socks, number, other);
        (from.stuck_since, from.backoff_ns) = (None, 0);
        from.unacked += part;
        to.rx.extend(from.out.drain(..part));
        to.arrived_ns = now_ns;
        to.arrived_bytes += part as u64;
        let line = to.line;
        self.trace.mark(now_ns, 1, other as u64, part as u64);
        self.trace.whisper(now_ns, format_args!("line {line}: {part} bytes arrive at socket {other}"));
        self.edge(other);
        let at = now_ns + self.flight_ns(line);
        self.push(at, Happening::Ack(number, part));
    }

    fn pump_fin(&mut self, number: usize, other: usize) {
        let sock = &mut self.socks[number];
        let Some(due) = sock.fin_out.filter(|_| !sock.fin_sent && !sock.broken) else { return };
        if due > self.now_ns {
            return self.pump_at(number, due);
        }
        let (line, side) = (sock.line, sock.side);
        if self.lines[line].fin_lost[side] && !self.healed {
            self.socks[number].fin_sent = true;
            return self.trace.say(self.now_ns, format_args!("line {line}: the FIN of side {side} is lost"));
        }
        if self.is_dark(number) {
            return self.retransmit(number, self.kernel_timeout_ns);
        }
        self.socks[number].fin_sent = true;
        self.trace.mark(self.now_ns, 2, other as u64, 0);
        let to = &mut self.socks[other];
        if !to.gone && !to.broken {
            to.fin_in = true;
            self.trace.whisper(self.now_ns, format_args!("line {line}: FIN arrives at socket {other}"));
            self.edge(other);
        }
    }

    /// Nothing gets through: again later, until the kernel has had enough.
    fn retransmit(&mut self, number: usize, limit_ns: u64) {
        let now_ns = self.now_ns;
        let rto_max_ns = self.rto_max_ns;
        let sock = &mut self.socks[number];
        let since = *sock.stuck_since.get_or_insert(now_ns);
        let limit_ns = if sock.user_timeout_ns > 0 { sock.user_timeout_ns } else { limit_ns };
        if now_ns - since >= limit_ns {
            return self.fail(number, ETIMEDOUT);
        }
        sock.backoff_ns = (sock.backoff_ns * 2).clamp((200 * MS).min(rto_max_ns), rto_max_ns);
        let at = now_ns + sock.backoff_ns;
        self.pump_at(number, at);
    }

    /// An acknowledgement of this side's bytes comes back.
    pub fn ack(&mut self, number: usize, count: usize) {
        let Some(other) = self.socks[number].other else { return };
        if self.is_dark(other) {
            let at = self.now_ns + self.rto_max_ns;
            return self.push(at, Happening::Ack(number, count));
        }
        self.socks[number].unacked -= count;
        self.space(number);
    }

    /// There may be room again: the edge that is owed.
    pub fn space(&mut self, number: usize) {
        let sock = &mut self.socks[number];
        if sock.no_space && sock.is_writable() && !sock.gone {
            sock.no_space = false;
            self.edge(number);
        }
    }

    /// RST from this side: the other fails when it arrives, unless the line is dark.
    pub fn send_reset(&mut self, number: usize) {
        let Some(other) = self.socks[number].other else { return };
        let sock = &mut self.socks[number];
        sock.broken = true;
        sock.out.clear();
        sock.chunks.clear();
        let at = self.now_ns + self.lines[self.socks[number].line].latency_ns;
        self.push(at, Happening::Reset(other));
    }

    /// An RST arrives.
    pub fn reset_arrives(&mut self, number: usize) {
        let Some(other) = self.socks[number].other else { return };
        if !self.is_dark(other) {
            self.fail(number, ECONNRESET);
        }
    }

    pub fn fail(&mut self, number: usize, error: i32) {
        let sock = &mut self.socks[number];
        if sock.broken {
            return;
        }
        sock.broken = true;
        sock.error = Some(error);
        sock.out.clear();
        sock.chunks.clear();
        let line = sock.line;
        if !sock.gone {
            self.trace.whisper(self.now_ns, format_args!("line {line}: socket {number} fails with errno {error}"));
            self.edge(number);
        }
    }
}

fn pair(socks: &mut [Sock], a: usize, b: usize) -> (&mut Sock, &mut Sock) {
    if a < b {
        let (left, right) = socks.split_at_mut(b);
        (&mut left[a], &mut right[0])
    } else {
        let (left, right) = socks.split_at_mut(a);
        (&mut right[0], &mut left[b])
    }
}
