//! The program behind `make month` in small: the same people, host and truth, fewer and for two days.

#[path = "../benches/month/mod.rs"]
mod month;

use std::time::Duration;

use month::table::Table;
use month::{Plan, live};

#[test]
fn two_days_of_ten_thousand_peers_kill_no_living_and_find_every_dead() {
    let plan = Plan { peers: 10_000, days: 2, seed: 1, threads: 2 };
    let (outcome, monitors) = live(&plan);
    let took = Duration::from_secs(1);
    let table = Table { plan: &plan, outcome: &outcome, took, bytes_per_peer: 0.0 }.to_string();
    assert!(outcome.faults.are_none(), "{table}");
    assert_eq!(monitors.len(), 2);
    // That it could have gone wrong: everything happened, and often.
    let all = outcome.all();
    for (what, count) in [
        ("asks", all.asks),
        ("answers", all.answers),
        ("suspects", all.suspects),
        ("revived", all.revived),
        ("dead", all.dead),
        ("closed", all.closes),
        ("replaced", all.replaced),
    ] {
        assert!(count >= 100, "only {count} {what}:\n{table}");
    }
    assert!(outcome.stalls.count >= 4, "{table}");
    assert!(outcome.connected_at_most >= 8_000, "{table}");
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let plan = Plan { peers: 500, days: 2, seed: 7, threads: 1 };
    let (one, other) = (live(&plan).0, live(&plan).0);
    assert_eq!((one.mobile, one.im, one.counters), (other.mobile, other.im, other.counters));
    let another = live(&Plan { seed: 8, ..plan }).0;
    assert_ne!(one.mobile, another.mobile);
}
