//! Soak: the released server in a process of its own, and thousands of clients to which everything happens that happens
//! to clients, for as long as you like.
//!
//! ```text
//! make soak MINUTES=10 [CLIENTS=2000] [SEED=n] [SERVE='--threads 2']
//! ```
//!
//! Some 25 seconds in `make test`, three minutes with `HEARTLINE_LONG=1`. It fails if one living client was closed, one dead
//! was missed, found too early or too late or for another reason, one echo was lost or changed, a reload was not told,
//! the server's memory or descriptors grew, or its summary does not add up. The seed is printed; the same seed gives the
//! same schedule of faults, though not the same interleaving.

mod soak;
mod support_system;

use soak::{Plan, Soak};

#[test]
fn every_dead_is_found_and_no_living_killed_whatever_happens_meanwhile() {
    let plan = Plan::of_environment();
    let verdict = Soak::start(plan).run();
    assert!(verdict.is_good(), "{verdict}");
}
