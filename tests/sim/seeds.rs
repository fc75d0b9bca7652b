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

pub const NAMED: &[Named] = &[Named {
    name: "a host that obeys wait_ms",
    seed: 10,
    cut: "",
    showed: "a promise that the turn had made before it moved its deadlines: a host that came back when it was told to was \
             found late, and the dead were found that much later",
}];

impl Named {
    pub fn scenario(&self) -> Scenario {
        let cuts = Cuts::parse(self.cut).expect("a cut");
        Scenario::draw(self.seed).cut(&cuts)
    }
}
