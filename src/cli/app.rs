//! What is done with messages. Echo and discard keep nothing of a connection, but what echo could not send yet.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use heartline::reactor::{Close, ConnectionId, Mailbox, MailboxError, Reactor, SendError};

use super::args::App;

/// How soon what the cap on all outboxes together held back is tried again.
const STARVED: Duration = Duration::from_millis(20);

/// The application on one worker.
#[derive(Debug)]
pub(crate) struct Application {
    app: App,
    /// The other workers, for broadcast.
    others: Vec<Mailbox>,
    /// Echoes that did not fit under the high mark, of connections that are paused until they do.
    held: HashMap<ConnectionId, Held>,
    /// Some are held by the cap on all outboxes together, whose end no event tells.
    starved: bool,
    /// Broadcasts that another worker's mailbox had no room for.
    pub(crate) lost: u64,
}

#[derive(Debug, Default)]
struct Held {
    /// Head and message of each, oldest first. No more than one batch of events brings, since reading is paused.
    echoes: VecDeque<(Vec<u8>, Vec<u8>)>,
    /// The peer sends no more: close when all is sent.
    read_closed: bool,
}

impl Application {
    pub(crate) fn new(app: App, others: Vec<Mailbox>) -> Self {
        Self { app, others, held: HashMap::new(), starved: false, lost: 0 }
    }

    /// A message came. Inlined whoever calls it: the echo of a frame is what a server is measured by.
    #[inline(always)]
    pub(crate) fn message(&mut self, reactor: &mut Reactor, id: ConnectionId, head: &[u8], message: &[u8]) {
        match self.app {
            App::Echo => self.echo(reactor, id, head, message),
            App::Discard => {}
            App::Broadcast => self.broadcast(reactor, id, head, message),
        }
    }

    #[inline(always)]
    fn echo(&mut self, reactor: &mut Reactor, id: ConnectionId, head: &[u8], message: &[u8]) {
        if self.held.is_empty() || !self.held.contains_key(&id) {
            match reactor.send_with_head(id, Some(head), &[message]) {
                Err(SendError::Full { .. }) => {}
                Err(SendError::ReactorFull { .. }) => self.starved = true,
                // It ended in this batch, or is ending: nobody waits for an echo.
                Ok(()) | Err(_) => return,
            }
        }
        // Backpressure: what cannot leave now is kept, and the peer is not read until it has left.
        reactor.pause(id);
        self.held.entry(id).or_default().echoes.push_back((head.to_vec(), message.to_vec()));
    }

    #[inline(never)]
    fn broadcast(&mut self, reactor: &mut Reactor, from: ConnectionId, head: &[u8], message: &[u8]) {
        // Who is over the high mark does not get it (`--when-full` decides); the counters say so.
        reactor.broadcast_all(Some(from), Some(head), message);
        if self.others.is_empty() {
            return;
        }
        let (head, message): (Arc<[u8]>, Arc<[u8]>) = (head.into(), message.into());
        for other in &self.others {
            let posted = other.broadcast_with_head(head.clone(), message.clone());
            // A reactor that is drained already has nobody left to tell.
            self.lost += u64::from(matches!(posted, Err(MailboxError::Full)));
        }
    }

    /// The outbox has room again.
    #[inline(never)]
    pub(crate) fn drained(&mut self, reactor: &mut Reactor, id: ConnectionId) {
        let Some(held) = self.held.get_mut(&id) else { return };
        while let Some((head, message)) = held.echoes.front() {
            match reactor.send_with_head(id, Some(head), &[message]) {
                // Drained comes again.
                Err(SendError::Full { .. }) => return,
                Err(SendError::ReactorFull { .. }) => {
                    self.starved = true;
                    return;
                }
                Ok(()) | Err(_) => drop(held.echoes.pop_front()),
            }
        }
        let read_closed = held.read_closed;
        self.held.remove(&id);
        reactor.resume(id);
        if read_closed {
            self.read_closed(reactor, id);
        }
    }

    /// When to call [`retry`](Self::retry) at the latest; for ever, unless somebody starves.
    #[inline]
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.starved.then_some(STARVED)
    }

    /// Tries again what the cap on all outboxes together did not let through.
    #[inline]
    pub(crate) fn retry(&mut self, reactor: &mut Reactor) {
        if mem::take(&mut self.starved) {
            let ids: Vec<_> = self.held.keys().copied().collect();
            for id in ids {
                self.drained(reactor, id);
            }
        }
    }

    /// The peer sends no more: it gets what is owed to it, then the end.
    #[inline(never)]
    pub(crate) fn read_closed(&mut self, reactor: &mut Reactor, id: ConnectionId) {
        match self.held.get_mut(&id) {
            Some(held) => held.read_closed = true,
            // It may have ended in this batch.
            None => drop(reactor.close(id, Close::Flush, None)),
        }
    }

    /// The end.
    #[inline]
    pub(crate) fn closed(&mut self, id: ConnectionId) {
        if !self.held.is_empty() {
            self.held.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline::frame::Framing;
    use heartline::reactor::{Address, Config, EventKind, Events, ListenOptions, Options};
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::thread;

    /// All that a peer sends comes back, though the cap of the reactor is far below the connection's high mark.
    #[test]
    fn the_cap_on_all_outboxes_holds_echoes_back_and_loses_none() {
        let mut reactor = Reactor::new(Config { outbox_bytes_max: 100_000, ..Config::default() }).unwrap();
        let mut options = Options::new(Framing::parse("length:4be").unwrap());
        options.half_open = true;
        let any: Address = "127.0.0.1:0".parse().unwrap();
        let listener = reactor.listen(&any, &ListenOptions::new(options)).unwrap();
        let Address::Tcp(address) = reactor.listener_address(listener).unwrap() else { panic!("not TCP") };
        let sent = [b"\0\0\x40\0".as_slice(), &[7; 0x4000]].concat().repeat(1500);
        let expected = sent.len();
        let client = TcpStream::connect(address).unwrap();
        let mut reader = client.try_clone().unwrap();
        let writing = thread::spawn(move || {
            (&client).write_all(&sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        let reading = thread::spawn(move || {
            // Late, so that the buffers of the kernel fill.
            thread::sleep(Duration::from_millis(300));
            let mut received = Vec::new();
            reader.read_to_end(&mut received).unwrap();
            received.len()
        });
        let (mut app, mut events, mut was_starved) = (Application::new(App::Echo, Vec::new()), Events::new(), false);
        let mut open = true;
        while open {
            reactor.poll(&mut events, app.patience()).unwrap();
            for event in &events {
                match event.kind {
                    EventKind::Message { head, message } => app.message(&mut reactor, event.id, head, message),
                    EventKind::Drained => app.drained(&mut reactor, event.id),
                    EventKind::ReadClosed => app.read_closed(&mut reactor, event.id),
                    EventKind::Closed { .. } => open = false,
                    _ => {}
                }
            }
            was_starved |= app.starved;
            app.retry(&mut reactor);
        }
        writing.join().unwrap();
        assert_eq!(reading.join().unwrap(), expected);
        assert!(was_starved, "the cap was never reached: this tests nothing");
    }
}
