//! The clients of one thread: who is open, and what is under way with each.

use std::collections::VecDeque;

use heartline::reactor::ConnectionId;

/// One client, through all its connections.
#[derive(Debug)]
pub(super) struct Client {
    /// The connection, while the reactor has it.
    pub(super) id: Option<ConnectionId>,
    /// Its place among the open.
    place: u32,
    /// Messages of this connection, which is also the number of the next.
    pub(super) sent: u32,
    /// Messages that came back.
    pub(super) answered: u32,
    /// When each message under way was due, the oldest first.
    pub(super) waiting: VecDeque<u64>,
    /// When it last sent a message, or was opened.
    pub(super) last_sent_ns: u64,
    /// Dials since it was last open, and the wait before the last of them.
    pub(super) attempts: u32,
    pub(super) last_wait_ms: u32,
    /// Which fault it comes back from, and when that was.
    pub(super) back_from: Option<(usize, u64)>,
    /// Its first dial has an outcome.
    pub(super) settled: bool,
}

/// All clients of a thread.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    clients: Vec<Client>,
    open: Vec<u32>,
    cursor: usize,
    /// Messages under way on all connections.
    pub(super) under_way: u64,
}

impl Crowd {
    pub(super) fn new(count: u32) -> Self {
        let client = || Client {
            id: None,
            place: 0,
            sent: 0,
            answered: 0,
            waiting: VecDeque::new(),
            last_sent_ns: 0,
            attempts: 0,
            last_wait_ms: 0,
            back_from: None,
            settled: false,
        };
        Self { clients: (0..count).map(|_| client()).collect(), ..Self::default() }
    }

    pub(super) fn get(&mut self, client: u32) -> &mut Client {
        &mut self.clients[client as usize]
    }

    pub(super) fn open(&self) -> &[u32] {
        &self.open
    }

    /// Whether `id` is the connection that `client` has now.
    pub(super) fn is(&self, client: u32, id: ConnectionId) -> bool {
        self.clients.get(client as usize).is_some_and(|client| client.id == Some(id))
    }

    pub(super) fn opened(&mut self, index: u32, id: ConnectionId, now_ns: u64) {
        let place = self.open.len() as u32;
        let client = self.get(index);
        (client.id, client.place, client.last_sent_ns) = (Some(id), place, now_ns);
        (client.sent, client.answered, client.attempts, client.last_wait_ms) = (0, 0, 0, 0);
        self.open.push(index);
    }

    /// It is open no longer; how many messages were under way.
    pub(super) fn left(&mut self, index: u32) -> u64 {
        let client = self.get(index);
        if client.id.take().is_none() {
            return 0;
        }
        let (place, lost) = (client.place as usize, client.waiting.len() as u64);
        client.waiting = VecDeque::new();
        self.under_way -= lost;
        self.open.swap_remove(place);
        if let Some(&moved) = self.open.get(place) {
            self.get(moved).place = place as u32;
        }
        lost
    }

    /// The open ones in turn.
    pub(super) fn next(&mut self) -> Option<u32> {
        if self.cursor >= self.open.len() {
            self.cursor = 0;
        }
        let next = self.open.get(self.cursor).copied();
        self.cursor += 1;
        next
    }

    /// Any of the open.
    pub(super) fn any(&self, rng: &mut fastrand::Rng) -> Option<u32> {
        if self.open.is_empty() { None } else { Some(self.open[rng.usize(..self.open.len())]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_take_turns_whoever_leaves() {
        let mut crowd = Crowd::new(4);
        for client in 0..4 {
            crowd.opened(client, ConnectionId::from_raw(100 + u64::from(client)), 0);
        }
        assert_eq!((0..5).map(|_| crowd.next().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 0]);
        crowd.get(1).waiting.extend([5, 6]);
        crowd.under_way = 2;
        assert_eq!((crowd.left(1), crowd.left(1), crowd.under_way), (2, 0, 0));
        let mut turn: Vec<_> = (0..3).map(|_| crowd.next().unwrap()).collect();
        turn.sort_unstable();
        assert_eq!(turn, [0, 2, 3]);
        assert!(!crowd.is(1, ConnectionId::from_raw(101)) && crowd.is(3, ConnectionId::from_raw(103)));
        for client in [0, 3, 2] {
            crowd.left(client);
        }
        assert_eq!((crowd.next(), crowd.open().len()), (None, 0));
    }
}
