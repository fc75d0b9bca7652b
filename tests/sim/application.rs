//! What the applications on the reactors do, by the dice of the seed: send, broadcast, pause, close, dial, drain.

use std::rc::Rc;

use heartline::reactor::{Address, Close, ConnectionId, DrainOptions};

use super::hosts::{Host, Letter};
use super::kernel::{Sim, address};
use super::ledger::{self, Lane};
use super::truth::wrong;
use super::wire::MS;
use super::world::{Happening, World};

impl Host {
    pub fn came_back(&self, world: &mut World, frame: &[u8]) {
        // The mailbox gives the message back, the outbox the whole frame.
        let mut bytes = frame.to_vec();
        let mut control = Vec::new();
        let mut stream = heartline::frame::Stream::default();
        let outcome = match self.framing.cut(&mut bytes, &mut stream, &mut control) {
            Ok(heartline::frame::Cut::Frame(cut)) if cut.total == frame.len() && !ledger::is_message(frame) => {
                world.oracle.ledger.unsent(&frame[cut.message])
            }
            _ => world.oracle.ledger.unsent(frame),
        };
        if let Err(text) = outcome {
            wrong("unsent", format_args!("process {}: {text}", self.process));
        }
    }

    fn line_of(&self, sim: &Sim, id: ConnectionId) -> Option<(usize, usize)> {
        let world = sim.world.borrow();
        world.oracle.hosts[self.process].conns.get(&id.get()).map(|conn| (conn.line, conn.side))
    }

    pub fn send(&mut self, sim: &Sim, id: ConnectionId) {
        let Some((line, side)) = self.line_of(sim, id) else { return };
        let bytes = self.dice.spread(ledger::HEAD_BYTES as u64, self.plan.message_bytes_max) as usize;
        let message = sim.world.borrow().oracle.ledger.next(line, side, Lane::Direct, bytes);
        let sent = match self.dice.below(3) {
            0 => self.reactor.send_vectored(id, &[&message[..7], &message[7..]]),
            _ => self.reactor.send(id, &message),
        };
        if sent.is_ok() {
            sim.world.borrow_mut().oracle.ledger.accepted(line, side, Lane::Direct);
        }
    }

    pub fn close(&mut self, sim: &Sim, id: ConnectionId, how: Close) {
        let clock_ns = sim.world.borrow().clock_ns(self.process);
        if self.reactor.close(id, how, None).is_ok()
            && let Some(conn) = sim.world.borrow_mut().oracle.hosts[self.process].conns.get_mut(&id.get())
        {
            conn.closing = true;
            conn.closing_ns = Some(clock_ns);
        }
    }

    pub fn act(&mut self, sim: &Sim) {
        let some = self.open.get(self.dice.below(self.open.len() as u64) as usize).map(|(id, _)| id);
        let Some(id) = some else { return };
        match self.dice.below(12) {
            0 => {
                let bytes = self.dice.spread(ledger::HEAD_BYTES as u64, self.plan.message_bytes_max) as usize;
                for side in 0..2 {
                    // To the connections of this side: what arrives is checked by the sender's side.
                    let world = sim.world.borrow();
                    let conns = &world.oracle.hosts[self.process].conns;
                    let of_side = |id: &ConnectionId| conns.get(&id.get()).is_some_and(|conn| conn.side == side);
                    let ids: Vec<_> = self.open.iter().map(|(id, _)| id).filter(of_side).collect();
                    drop(world);
                    self.broadcasts += 1;
                    self.reactor.broadcast(ids, None, &ledger::broadcast(side, self.broadcasts, bytes));
                }
            }
            1 if self.plan.pauses => {
                self.reactor.pause(id);
                self.note_paused(sim, id, true);
            }
            2 | 3 if self.plan.pauses => {
                self.reactor.resume(id);
                self.note_paused(sim, id, false);
            }
            4 if self.plan.closes && self.dice.chance(0.3) => {
                let how = self.dice.pick(&[Close::Flush, Close::AtOnce, Close::Abort]);
                self.close(sim, id, how);
            }
            _ => {
                for _ in 0..self.dice.spread(1, 12) {
                    self.send(sim, id);
                }
                if self.dice.chance(0.2) {
                    self.reactor.flush();
                }
            }
        }
    }

    /// From here on everything is to live: nothing stays paused, away, or half-closed because it was forgotten.
    pub fn tidy_up(&mut self, sim: &Rc<Sim>) {
        self.take_back(sim);
        for (id, _) in self.open.iter().collect::<Vec<_>>() {
            self.reactor.resume(id);
            self.note_paused(sim, id, false);
            if sim.world.borrow().is_half_closed(self.process, id) {
                self.close(sim, id, Close::Flush);
            }
        }
    }

    fn note_paused(&self, sim: &Sim, id: ConnectionId, paused: bool) {
        let clock_ns = sim.world.borrow().clock_ns(self.process);
        if let Some(conn) = sim.world.borrow_mut().oracle.hosts[self.process].conns.get_mut(&id.get()) {
            conn.paused = paused;
            conn.resumed_ns = clock_ns;
        }
    }

    pub fn dial(&mut self, sim: &Sim, now_ns: u64) {
        if now_ns < self.dial_at_ns {
            return;
        }
        let dialled = self.open.iter().filter(|(_, dialled)| *dialled).count() + self.dialling;
        for _ in dialled..self.plan.dials {
            let server = self.dice.below(self.servers) as usize;
            match self.reactor.connect(&Address::Tcp(address(server)), &self.options, 7) {
                Ok(_) => self.dialling += 1,
                Err(_) => break,
            }
        }
        self.dial_at_ns = now_ns + self.dice.wait(self.act_ns).max(MS);
        if self.plan.dials > 0 {
            sim.world.borrow_mut().push(self.dial_at_ns, Happening::Call(self.process));
        }
    }

    pub fn leave(&mut self, sim: &Sim) {
        self.left = true;
        self.indulgence.parked.clear();
        let timeout_ms = self.options.limits.close_ms.into();
        let options = DrainOptions {
            spread_ms: self.dice.pick(&[0, timeout_ms]),
            limit_ms: timeout_ms * 2,
            ..DrainOptions::default()
        };
        self.reactor.drain(options).expect("a drain");
        let mut world = sim.world.borrow_mut();
        let truth = &mut world.oracle.hosts[self.process];
        truth.is_exact = false;
        truth.conns.values_mut().for_each(|conn| conn.closing = true);
    }
}

impl World {
    /// The peer sends no more, and it is for the application to close.
    pub fn is_half_closed(&self, process: usize, id: ConnectionId) -> bool {
        self.oracle.hosts[process].conns.get(&id.get()).is_some_and(|conn| conn.half_closed)
    }

    /// What another thread of a process writes next.
    pub fn next_letter(&mut self, process: usize) -> Option<Letter> {
        let mean_ns = u64::from(self.scenario.timeout_ms) * MS / 2;
        let again = self.now_ns + self.dice.wait(mean_ns);
        if !self.speaking() {
            return None;
        }
        self.push(again, Happening::Mail(process));
        let truth = &self.oracle.hosts[process];
        let place = self.dice.below(truth.conns.len() as u64) as usize;
        let (token, conn) = truth.conns.iter().nth(place)?;
        let (id, line, side) = (ConnectionId::from_raw(*token), conn.line, conn.side);
        if self.scenario.hosts[process].closes && self.dice.chance(0.05) {
            let how = self.dice.pick(&[Close::Flush, Close::AtOnce]);
            if let Some(conn) = self.oracle.hosts[process].conns.get_mut(&id.get()) {
                conn.closing = true;
            }
            return Some(Letter::Close(id, how));
        }
        let bytes = self.dice.spread(ledger::HEAD_BYTES as u64, 400) as usize;
        let message = self.oracle.ledger.next(line, side, Lane::Mail, bytes);
        self.oracle.ledger.accepted(line, side, Lane::Mail);
        Some(Letter::Send(id, message))
    }
}
