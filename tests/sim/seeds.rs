//! Seeds that once showed a fault, by name. They stay.

use super::scenario::{Cuts, Scenario};

/// A scenario that failed.
pub struct Named {
    pub name: &'static str,
    pub seed: u64,
    /// As `CUT=` takes it.
    pub cut: &'static str,
    /// What it showed.
    pub showed: &'static str,
}

pub const NAMED: &[Named] = &[
    Named {
        name: "a host that obeys wait_ms",
        seed: 10,
        cut: "plain=1",
        showed: "a promise that the turn had made before it moved its deadlines: a host that came back when it was told to \
                 was found late, and the dead were found that much later",
    },
    Named {
        name: "a stop between two waits of one turn",
        seed: 1795,
        cut: "plain=1",
        showed: "a stop while the first part of a filled list was served counted only from the next deadline on: who had \
                 been accepted in it was declared dead 3.4 s early",
    },
    Named {
        name: "the last millisecond of a stop",
        seed: 1310,
        cut: "plain=1",
        showed: "the end of a stop in the middle of a turn was rounded down, and with it what had been heard after it: a \
                 death 1 ms early",
    },
    Named {
        name: "answers behind what waited",
        seed: 2863,
        cut: "heal=38040,plain=1",
        showed: "a full socket took bytes again in the turn that read an ask: all the data that had waited went before the answer",
    },
    Named {
        name: "an event of a released connection",
        seed: 3684,
        cut: "",
        showed: "release wrote what had gathered, found the outbox full, told of it, and gave the connection away",
    },
    Named {
        name: "room for bytes that did not come",
        seed: 266,
        cut: "",
        showed: "a read that brought nothing left the unfinished frames of a reactor above partial_bytes_max",
    },
    Named {
        name: "a close after a stop",
        seed: 151,
        cut: "plain=1",
        showed: "the application closed a connection after it had been stopped for long: close_ms was longer by the stop",
    },
    Named {
        name: "a promise for the past",
        seed: 4589,
        cut: "peers=23,dials=4,heal=171355,plain=1,without=short-read+short-write+lost-wake",
        showed: "a stop among the first dials of all, with nobody watched before: what began after it began in the future",
    },
    Named {
        name: "an ask behind a long message",
        seed: 2713,
        cut: "heal=172350,plain=1",
        showed: "a message that found the arena full put off the rest of its read to the next turn: the reply to it went before \
                 the answer that was owed already",
    },
    Named {
        name: "a grace that ends early",
        seed: 11265,
        cut: "heal=1174442",
        showed: "the end of a grace was counted from the clock rounded down: a death up to a millisecond early",
    },
];

impl Named {
    pub fn scenario(&self) -> Scenario {
        let cuts = Cuts::parse(self.cut).expect("a cut");
        Scenario::draw(self.seed).cut(&cuts)
    }
}
