//! Who should have been found, and who was: what the server tells, matched by address with what was done.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::server::Closed;
use crate::cli::spread::{histogram, record};

/// What became of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Living,
    /// It went by itself, and is none of ours.
    Gone,
    Frozen,
    FrozenBeforeStop,
    Reset,
    Cut,
}

impl Fate {
    /// Whether a close for this reason finds it.
    fn is_found_by(self, reason: &str) -> bool {
        match self {
            Self::Living => false,
            Self::Gone => true,
            Self::Frozen | Self::FrozenBeforeStop => reason == "silent",
            Self::Reset => reason == "peer_reset",
            Self::Cut => matches!(reason, "frame_stalled" | "silent"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Client {
    fate: Fate,
    struck: Option<Instant>,
    ended: bool,
}

/// Dead of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u32,
    pub(super) found: u32,
}

/// All clients, and what was told of them.
pub(super) struct Census {
    timeout: Duration,
    clients: HashMap<SocketAddr, Client>,
    /// Dead whose end has not come.
    awaited: usize,
    /// Closed for another reason than theirs.
    pub(super) mistaken: u32,
    /// Declared dead before the timeout was over.
    pub(super) early: u32,
    pub(super) false_deaths: u32,
    /// Closes are the drain's from here on.
    over: bool,
    tallies: HashMap<&'static str, Tally>,
    /// As the server tells it, in milliseconds, of all that fell silent.
    pub(super) overshoot_ms: Histogram<u64>,
    /// From the last byte sent here to the line that came here, less the timeout, in microseconds; of those that froze
    /// while the server ran.
    pub(super) seen_us: Histogram<u64>,
}

pub(super) const FROZEN: &str = "frozen";
pub(super) const RESET: &str = "reset";
pub(super) const CUT: &str = "cut";

impl Census {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            clients: HashMap::new(),
            awaited: 0,
            mistaken: 0,
            early: 0,
            false_deaths: 0,
            over: false,
            tallies: HashMap::new(),
            overshoot_ms: histogram(),
            seen_us: histogram(),
        }
    }

    /// A client that came.
    pub(super) fn expect(&mut self, address: SocketAddr, fate: Fate) {
        self.awaited += usize::from(fate == Fate::Gone);
        self.clients.insert(address, Client { fate, struck: None, ended: false });
    }

    /// A client that lived, and does no more.
    pub(super) fn strike(&mut self, address: SocketAddr, fate: Fate, at: Instant) {
        let Some(client) = self.clients.get_mut(&address) else { return };
        // Closed before it was struck: that is a false death, counted already, and it cannot be found any more.
        self.awaited += usize::from(!client.ended);
        (client.fate, client.struck) = (fate, Some(at));
        if let Some(kind) = kind(fate) {
            self.tallies.entry(kind).or_default().count += 1;
        }
    }

    /// The server tells of an end.
    pub(super) fn closed(&mut self, told: &Closed) {
        let Some(client) = self.clients.get_mut(&told.remote) else { return };
        if self.over || client.ended {
            return;
        }
        client.ended = true;
        let Client { fate, struck, .. } = *client;
        if fate == Fate::Living {
            self.false_deaths += 1;
            return;
        }
        self.awaited -= 1;
        if !fate.is_found_by(&told.reason) {
            self.mistaken += 1;
            return;
        }
        if let Some(kind) = kind(fate) {
            self.tallies.entry(kind).or_default().found += 1;
        }
        if told.reason == "silent" {
            record(&mut self.overshoot_ms, told.overshoot_ms);
        }
        if let (Fate::Frozen, Some(struck)) = (fate, struck) {
            match told.at.checked_duration_since(struck + self.timeout) {
                Some(over) => record(&mut self.seen_us, over.as_micros() as u64),
                None => self.early += 1,
            }
        }
    }

    /// The end of the demo: what is not found is missed, and whom the clients saw closed is a false death too.
    pub(super) fn close(&mut self, seen_closed: &[SocketAddr]) {
        self.over = true;
        for address in seen_closed {
            if let Some(client) = self.clients.get_mut(address)
                && client.fate == Fate::Living
                && !client.ended
            {
                client.ended = true;
                self.false_deaths += 1;
            }
        }
    }

    /// Whether every dead has been told.
    pub(super) fn is_complete(&self) -> bool {
        self.awaited == 0
    }

    pub(super) fn tally(&self, kind: &str) -> Tally {
        self.tallies.get(kind).copied().unwrap_or_default()
    }

    pub(super) fn missed(&self) -> u32 {
        self.tallies.values().map(|tally| tally.count - tally.found).sum()
    }

    pub(super) fn living(&self) -> usize {
        self.clients.values().filter(|client| client.fate == Fate::Living).count()
    }
}

fn kind(fate: Fate) -> Option<&'static str> {
    match fate {
        Fate::Living | Fate::Gone => None,
        Fate::Frozen | Fate::FrozenBeforeStop => Some(FROZEN),
        Fate::Reset => Some(RESET),
        Fate::Cut => Some(CUT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(4);

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    fn told(port: u16, reason: &str, at: Instant) -> Closed {
        Closed { remote: address(port), reason: reason.to_owned(), overshoot_ms: 2, at }
    }

    fn census(fates: &[(u16, Fate)], at: Instant) -> Census {
        let mut census = Census::new(TIMEOUT);
        for &(port, fate) in fates {
            census.expect(address(port), Fate::Living);
            if fate != Fate::Living {
                census.strike(address(port), fate, at);
            }
        }
        census
    }

    #[test]
    fn each_kind_is_found_by_its_own_reason() {
        let at = Instant::now();
        let mut census = census(&[(1, Fate::Frozen), (2, Fate::Reset), (3, Fate::Cut), (4, Fate::Living)], at);
        census.closed(&told(1, "silent", at + TIMEOUT));
        census.closed(&told(2, "peer_reset", at));
        assert!(!census.is_complete());
        census.closed(&told(3, "frame_stalled", at));
        assert!(census.is_complete());
        census.close(&[]);
        assert_eq!((census.missed(), census.false_deaths, census.early, census.living()), (0, 0, 0, 1));
        assert_eq!(census.tally(FROZEN), Tally { count: 1, found: 1 });
        assert_eq!(census.overshoot_ms.max(), 2);
    }

    #[test]
    fn a_late_death_is_seen_as_late_as_it_is() {
        let at = Instant::now();
        let mut census = census(&[(1, Fate::Frozen)], at);
        census.closed(&told(1, "silent", at + TIMEOUT + Duration::from_millis(700)));
        let seen = census.seen_us.max();
        assert!((700_000..=701_000).contains(&seen), "{seen}");
    }

    #[test]
    fn the_wrong_reason_does_not_count_as_found() {
        let at = Instant::now();
        let mut census = census(&[(1, Fate::Frozen)], at);
        census.closed(&told(1, "peer_closed", at + TIMEOUT));
        assert_eq!((census.missed(), census.mistaken), (1, 1));
    }

    #[test]
    fn a_death_before_the_timeout_is_early() {
        let at = Instant::now();
        let mut census = census(&[(1, Fate::Frozen)], at);
        census.closed(&told(1, "silent", at + TIMEOUT - Duration::from_millis(1)));
        assert_eq!(census.early, 1);
    }

    #[test]
    fn a_living_one_closed_is_a_false_death_whoever_saw_it_and_counts_once() {
        let at = Instant::now();
        let mut census = census(&[(1, Fate::Living), (2, Fate::Living), (3, Fate::Living)], at);
        census.closed(&told(1, "silent", at));
        census.close(&[address(1), address(2)]);
        assert_eq!(census.false_deaths, 2);
        // The drain closes all.
        census.closed(&told(3, "drained", at));
        assert_eq!(census.false_deaths, 2);
    }
}
