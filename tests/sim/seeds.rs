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
];

impl Named {
    pub fn scenario(&self) -> Scenario {
        let cuts = Cuts::parse(self.cut).expect("a cut");
        Scenario::draw(self.seed).cut(&cuts)
    }
}
