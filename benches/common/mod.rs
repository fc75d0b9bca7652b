//! What the benches of timers and of the monitor set up alike.
#![allow(dead_code, unreachable_pub)]

use heartline::liveness::{Monitor, MonitorConfig, Policy};
use heartline::time::Millis;

/// Peers 0 to `peers` of one policy, added evenly over `over_ms`.
pub fn watching(peers: u32, policy: Policy, over_ms: u64) -> Monitor {
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
    let id = monitor.define(policy).expect("a profile is well-formed");
    (0..peers).for_each(|peer| monitor.add(peer, id, Millis(u64::from(peer) * over_ms / u64::from(peers))));
    monitor
}

/// Every number below `n` once, in an order that neither cache nor prefetcher can guess (Fisher and Yates, seeded).
pub fn scattered(n: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..order.len()).rev() {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        order.swap(last, (dice % (last as u64 + 1)) as usize);
    }
    order
}
