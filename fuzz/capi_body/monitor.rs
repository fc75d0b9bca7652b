//! Level 1.

use std::collections::BTreeSet;
use std::ptr::null_mut;

use heartline::capi::{codes::*, monitor::*, policy::*};

use super::fair;
use super::script::Script;

pub fn monitor(script: &mut Script<'_>) {
    let mut config: heartline_monitor_config = unsafe { std::mem::zeroed() };
    let mut monitor = null_mut();
    let given = script.fill(&mut config);
    let mut now = script.number();
    if fair(unsafe { heartline_monitor_new(given, now, &raw mut monitor) }) < 0 {
        assert!(monitor.is_null(), "out is written on success alone");
        return;
    }
    let (mut live, mut gone) = (BTreeSet::new(), BTreeSet::from([0, 1, u64::MAX]));
    for _ in 0..400 {
        if script.0.is_empty() {
            break;
        }
        let any = script.byte();
        let of = if any.is_multiple_of(8) { &gone } else { &live };
        let peer = of.iter().nth(usize::from(any) % of.len().max(1)).copied().unwrap_or(0);
        let expected = if live.contains(&peer) { 0 } else { HEARTLINE_ERR_STALE };
        match script.byte() % 12 {
            0 | 1 => {
                let (mut id, user) = (0, script.number());
                let slot = if script.one_in(4) { script.word() } else { 0 };
                if fair(unsafe { heartline_monitor_add(monitor, user, slot, now, &raw mut id) }) == 0 {
                    assert!(id > 0 && id < 1 << 53 && live.insert(id), "a new id");
                    assert!(!gone.contains(&id), "no id comes again so soon");
                }
            }
            2 => {
                assert_eq!(fair(unsafe { heartline_monitor_remove(monitor, peer) }), expected);
                live.remove(&peer);
                gone.insert(peer);
            }
            3 | 4 => assert_eq!(fair(unsafe { heartline_monitor_heard(monitor, peer, now) }), expected),
            5 => {
                let result = fair(unsafe { heartline_monitor_beat(monitor, peer, script.word() % 5, now) });
                assert!(result <= 1 && (result < 0 || expected == 0));
            }
            6 => assert_eq!(fair(unsafe { heartline_monitor_spoke(monitor, peer) }), expected),
            7 => {
                let (what, value) = (script.word() % 7, script.number());
                fair(unsafe { heartline_monitor_set(monitor, peer, what, value, now) });
            }
            8 => {
                let mut policy: heartline_policy = unsafe { std::mem::zeroed() };
                let slot = script.word();
                let given = script.fill(&mut policy);
                fair(unsafe { heartline_monitor_policy(monitor, slot, given, now) });
            }
            9 => {
                let capacity = usize::from(script.byte() % 8);
                // Exactly as many as are said: one more written would be found.
                let mut verdicts: Vec<heartline_verdict> = Vec::with_capacity(capacity);
                let room = if capacity == 0 { null_mut() } else { verdicts.as_mut_ptr() };
                let count = fair(unsafe { heartline_monitor_advance(monitor, now, room, capacity as u32) });
                assert!(count as usize <= capacity);
                unsafe { verdicts.set_len(count as usize) };
                for verdict in verdicts {
                    let nobody = [HEARTLINE_VERDICT_STALLED, HEARTLINE_VERDICT_MASS_SILENCE].contains(&verdict.kind);
                    assert!(verdict.kind > 0 && verdict.kind <= HEARTLINE_VERDICT_MASS_SILENCE);
                    assert_eq!(live.contains(&verdict.peer), !nobody, "{verdict:?}");
                }
            }
            10 => {
                let mut info: heartline_peer_info = unsafe { std::mem::zeroed() };
                let size = if script.one_in(4) { usize::from(script.byte()) % 41 } else { 40 };
                fair(unsafe { heartline_monitor_info(monitor, peer, now, &raw mut info, size) });
                let mut stats: heartline_monitor_stats = unsafe { std::mem::zeroed() };
                let size = size_of_val(&stats);
                assert_eq!(unsafe { heartline_monitor_read_stats(monitor, &raw mut stats, size) }, 0);
                assert_eq!(stats.peers, live.len() as u64);
            }
            _ => {
                let wait = unsafe { heartline_monitor_wait_ms(monitor, now) };
                assert!(wait >= -1);
                now = match script.byte() % 4 {
                    0 => script.number(), // anywhere, also back
                    1 => now.saturating_add(script.number()),
                    _ => now.saturating_add(u64::try_from(wait).unwrap_or(1000)),
                };
                fair(unsafe { heartline_monitor_woke(monitor, now) });
            }
        }
    }
    unsafe { heartline_monitor_free(monitor) };
}
