//! What is done with messages. Echo and discard keep nothing of a connection, but what echo could not send yet.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use heartline::reactor::{Close, ConnectionId, Mailbox, MailboxError, Reactor, SendError};

use super::args::App;

/// The application on one worker.
#[derive(Debug)]
pub(crate) struct Application {
    app: App,
    /// The other workers, for broadcast.
    others: Vec<Mailbox>,
    /// Echoes that did not fit under the high mark, of connections that are paused until they do.
    held: HashMap<ConnectionId, Held>,
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
        Self { app, others, held: HashMap::new(), lost: 0 }
    }

    /// A message came.
    #[inline]
    pub(crate) fn message(&mut self, reactor: &mut Reactor, id: ConnectionId, head: &[u8], message: &[u8]) {
        match self.app {
            App::Echo => self.echo(reactor, id, head, message),
            App::Discard => {}
            App::Broadcast => self.broadcast(reactor, id, head, message),
        }
    }

    #[inline]
    fn echo(&mut self, reactor: &mut Reactor, id: ConnectionId, head: &[u8], message: &[u8]) {
        if self.held.is_empty() || !self.held.contains_key(&id) {
            match reactor.send_with_head(id, Some(head), &[message]) {
                Err(SendError::Full { .. } | SendError::ReactorFull { .. }) => {}
                // It ended in this batch, or is ending: nobody waits for an echo.
                Ok(()) | Err(_) => return,
            }
        }
        // Backpressure: what cannot leave now is kept, and the peer is not read until it has left.
        reactor.pause(id);
        self.held.entry(id).or_default().echoes.push_back((head.to_vec(), message.to_vec()));
    }

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
    pub(crate) fn drained(&mut self, reactor: &mut Reactor, id: ConnectionId) {
        let Some(held) = self.held.get_mut(&id) else { return };
        while let Some((head, message)) = held.echoes.front() {
            match reactor.send_with_head(id, Some(head), &[message]) {
                // Drained comes again.
                Err(SendError::Full { .. } | SendError::ReactorFull { .. }) => return,
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

    /// The peer sends no more: it gets what is owed to it, then the end.
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
