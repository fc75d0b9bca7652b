//! The rules L1 to L15 (docs/liveness.md), as far as they concern the monitor alone, each by name, as scripts with
//! milliseconds in them.

use heartline::liveness::{
    Beat, MassSilence, Monitor, MonitorConfig, Owed, PEER_BYTES, Policy, PolicyId, Role, Verdict, VerdictKind,
};
use heartline::time::{Millis, TICK_MS};

/// `much`, or `little` under Miri, which runs each step a thousand times as slowly.
const fn under_miri(little: u64, much: u64) -> u64 {
    if cfg!(miri) { little } else { much }
}

/// The next millisecond; under Miri, which has no time for each of them, the next one in which something is due.
fn next_ms(now: u64, due: impl IntoIterator<Item = Option<Millis>>) -> u64 {
    if cfg!(miri) {
        due.into_iter().flatten().map(|at| at.0).min().map_or(u64::MAX, |at| at.max(now + 1))
    } else {
        now + 1
    }
}

/// A host: one clock, every wait exactly as long as the monitor wants it.
struct Host {
    monitor: Monitor,
    now: u64,
    /// Everything that came out, with the time at which it did.
    log: Vec<(u64, Verdict)>,
}

impl Host {
    fn new(config: MonitorConfig) -> Self {
        Self { monitor: Monitor::new(config, Millis(0)), now: 0, log: Vec::new() }
    }

    fn with(policy: Policy) -> (Self, PolicyId) {
        let mut host = Self::new(MonitorConfig::default());
        let id = host.monitor.define(policy).unwrap();
        (host, id)
    }

    /// One that watches for mass silence.
    fn guarded(guard: MassSilence) -> Self {
        Self::new(MonitorConfig { mass_silence: Some(guard), ..MonitorConfig::default() })
    }

    fn at(&self) -> Millis {
        Millis(self.now)
    }

    fn add(&mut self, peer: u32, policy: PolicyId) {
        self.monitor.add(peer, policy, self.at());
    }

    fn heard(&mut self, peer: u32) {
        self.monitor.heard(peer, self.at());
    }

    /// Runs to `to`, waking exactly when the monitor wants it; each verdict may be answered by the host.
    fn run_with(&mut self, to: u64, mut then: impl FnMut(&mut Monitor, Millis, Verdict)) {
        let mut verdicts = Vec::new();
        loop {
            let at = self.monitor.deadline().map_or(to, |at| at.0.clamp(self.now, to));
            if at > self.now {
                self.monitor.promise(Some(Millis(at)));
            }
            self.now = at;
            let more = self.monitor.advance(Millis(at), &mut verdicts);
            for verdict in verdicts.drain(..) {
                self.log.push((at, verdict));
                then(&mut self.monitor, Millis(at), verdict);
            }
            if at == to && !more && self.monitor.deadline().is_none_or(|next| next.0 > to) {
                return;
            }
        }
    }

    fn run(&mut self, to: u64) {
        self.run_with(to, |_, _, _| ());
    }

    /// The process promises to be back at `promised`, and comes `ms` later.
    fn stop(&mut self, promised: u64, ms: u64) {
        self.monitor.promise(Some(Millis(promised)));
        self.now = promised + ms;
    }

    fn times(&self, peer: u32, kind: VerdictKind) -> Vec<u64> {
        self.log.iter().filter(|(_, v)| v.peer == peer && v.kind == kind).map(|(at, _)| *at).collect()
    }

    fn all(&self, kind: VerdictKind) -> usize {
        self.log.iter().filter(|(_, v)| v.kind == kind).count()
    }
}

/// 5 / 8 / 20 s, asking.
fn asking() -> Policy {
    Policy::game().with_role(Role::Ask)
}

#[test]
fn l01_only_receiving_proves_life() {
    let (mut host, game) = Host::with(asking());
    for peer in 0..3 {
        host.add(peer, game);
    }
    // Peer 0 says nothing, though we write to it; peer 1 sends a byte, peer 2 a beat, each second.
    for second in 1..=60 {
        host.run(second * 1_000);
        host.heard(1);
        let _ = host.monitor.beat(2, Beat::Ask, Millis(second * 1_000));
        host.monitor.limit(0, Millis(second * 1_000 + 500));
    }
    assert_eq!(host.times(0, VerdictKind::Dead)[0], 20_000);
    assert!(host.times(1, VerdictKind::Dead).is_empty() && host.times(2, VerdictKind::Dead).is_empty());
    assert!(host.times(1, VerdictKind::Suspect).is_empty() && host.times(2, VerdictKind::Suspect).is_empty());
}

#[test]
fn l02_traffic_replaces_beats() {
    let (mut host, game) = Host::with(asking());
    host.add(0, game);
    for step in 1..=100 {
        host.run(step * 2_000);
        host.heard(0);
    }
    assert_eq!(host.all(VerdictKind::Ask), 0);
    host.run(206_000);
    assert_eq!(host.all(VerdictKind::Ask), 1);
}

#[test]
fn l02_rtt_every_asks_on_busy_links_too() {
    let (mut host, game) = Host::with(asking().with_rtt_every(1_000));
    host.add(0, game);
    for step in 1..=600 {
        host.run_with(step * 100, |monitor, now, v| {
            if v.kind == VerdictKind::Ask {
                let _ = monitor.beat(v.peer, Beat::Answer, now + 30);
            }
        });
        host.heard(0);
    }
    assert!((60..=68).contains(&host.all(VerdictKind::Ask)), "{}", host.all(VerdictKind::Ask));
    assert_eq!(host.monitor.state(0).unwrap().rtt_ms, Some(30));
}

#[test]
fn l02_while_an_answer_is_missing_no_round_trip_is_asked_for() {
    let (mut host, game) = Host::with(asking().with_rtt_every(1_000));
    host.add(0, game);
    for step in 1..=100 {
        host.run(step * 100);
        host.heard(0);
    }
    assert_eq!(host.all(VerdictKind::Ask), 1, "nobody would know which ask was answered");
    // Looked at each period: the first one that ends after the answer brings the next ask, whatever else it was filed for.
    let asked = host.times(0, VerdictKind::Ask)[0];
    let ends = |now: u64| asked + (now - asked).div_ceil(1_000) * 1_000;
    let period = ends(10_000);
    host.monitor.limit(0, Millis(period + 500));
    host.run(period + 600);
    assert_eq!(host.all(VerdictKind::Limit), 1);
    let _ = host.monitor.beat(0, Beat::Answer, host.at());
    host.run(period + 1_000 + TICK_MS);
    let again = host.times(0, VerdictKind::Ask)[1];
    assert!((host.now - 500..=period + 1_000 + TICK_MS).contains(&again), "{again}, period from {period}");
}

#[test]
fn l03_traffic_never_touches_the_wheel() {
    const PEERS: u32 = under_miri(4, 100) as u32;
    const STEP_MS: u64 = under_miri(200, 10);
    let (mut host, game) = Host::with(Policy::game());
    for peer in 0..PEERS {
        host.add(peer, game);
    }
    for step in 1..=60_000 / STEP_MS {
        host.run(step * STEP_MS);
        (0..PEERS).for_each(|peer| host.heard(peer));
    }
    let counters = host.monitor.counters();
    assert_eq!(counters.relinks, 0);
    // 60 s of a limit of 8 s, and at most 3 moves down the wheel each time.
    assert!(counters.visits < u64::from(PEERS) * 8 * 4, "{}", counters.visits);
    const { assert!(PEER_BYTES <= 24) };
}

#[test]
fn l03_only_a_nearer_limit_relinks() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.monitor.limit(0, Millis(9_000));
    assert_eq!(host.monitor.counters().relinks, 0);
    host.monitor.limit(0, Millis(3_000));
    assert_eq!(host.monitor.counters().relinks, 1);
    for at in [4_000, 3_000] {
        host.monitor.limit(0, Millis(at));
        assert_eq!(host.monitor.counters().relinks, 1);
    }
    host.run(7_000);
    assert_eq!(host.times(0, VerdictKind::Limit), [3_000]);
    host.monitor.limit(0, Millis(7_002));
    host.run(7_500);
    assert_eq!(host.times(0, VerdictKind::Limit), [3_000, 7_004]);
    assert_eq!(host.monitor.counters().limits, 2);
}

#[test]
fn l03_what_brings_nothing_nearer_costs_neither_a_relink_nor_a_visit() {
    let (mut host, game) = Host::with(asking());
    host.add(0, game);
    let deadline = host.monitor.deadline();
    // No ask waited for the first frame, and a grace until now is none.
    host.monitor.first_frame(0, host.at());
    host.monitor.grace(0, host.at());
    assert_eq!((host.monitor.counters().relinks, host.monitor.deadline()), (0, deadline));
    host.run(10);
    assert_eq!(host.monitor.counters().visits, 0);
}

#[test]
fn l04_never_early_and_late_by_a_tick_at_most() {
    const PEERS: u32 = under_miri(40, 2_000) as u32;
    let (mut host, lan) = Host::with(Policy::lan());
    for peer in 0..PEERS {
        host.run(u64::from(peer) * 7);
        host.add(peer, lan);
        host.monitor.heard(peer, Millis(host.now + u64::from(peer) % 5));
    }
    host.run(40_000);
    for peer in 0..PEERS {
        let due = u64::from(peer) * 7 + u64::from(peer) % 5 + 8_000;
        let died = host.times(peer, VerdictKind::Dead)[0];
        assert!((due..due + TICK_MS).contains(&died), "peer {peer} died at {died}, due {due}");
    }
    assert!(host.log.iter().all(|(_, v)| u64::from(v.overshoot_ms) < TICK_MS || v.silence_ms > 9_000));
}

#[test]
fn l04_a_deadline_is_rounded_up_once_and_nobody_spins_for_it() {
    let (mut host, lan) = Host::with(Policy::lan());
    host.run(1);
    host.add(0, lan);
    host.run(8_004);
    assert_eq!((host.times(0, VerdictKind::Suspect)[0], host.times(0, VerdictKind::Dead)[0]), (4_004, 8_004));
    // Two verdicts, and at most three moves down the wheel before each.
    assert!(host.monitor.counters().visits <= 8, "{}", host.monitor.counters().visits);
}

#[test]
fn l05_a_stall_kills_nobody() {
    const PEERS: u32 = under_miri(3, 100) as u32;
    for stall_ms in [150, 6_000, 60_000, 3_600_000, 30 * 24 * 3_600_000] {
        let (mut host, game) = Host::with(Policy::game().with_role(Role::Both));
        for peer in 0..PEERS {
            host.add(peer, game);
        }
        let answer = |monitor: &mut Monitor, now: Millis, v: Verdict| {
            if v.kind == VerdictKind::Ask {
                let _ = monitor.beat(v.peer, Beat::Answer, now);
            }
        };
        host.run_with(61_234, answer);
        host.stop(61_234, stall_ms);
        assert_eq!(host.monitor.woke(host.at()).unwrap().ms, stall_ms);
        host.run_with(host.now + 100_000, answer);
        assert_eq!(host.all(VerdictKind::Dead) + host.all(VerdictKind::Suspect), 0, "stall of {stall_ms} ms");
        assert_eq!(host.all(VerdictKind::Stalled), 1);
        let stalls = host.monitor.stalls();
        assert_eq!((stalls.count, stalls.ms, stalls.longest_ms), (1, stall_ms, stall_ms));
    }
}

#[test]
fn l05_all_of_a_stall_counts_for_nobody_and_the_dead_are_still_found() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.run(10_000);
    host.monitor.promise(Some(Millis(11_000)));
    host.now = 3_611_000;
    assert_eq!(host.monitor.woke(host.at()).unwrap().ms, 3_600_000);
    assert_eq!(host.monitor.deadline(), Some(host.at()), "the stall is told at once");
    host.run(3_625_999);
    assert_eq!(host.all(VerdictKind::Dead), 0);
    host.run(3_626_000);
    assert_eq!(host.times(0, VerdictKind::Dead), [3_626_000], "timeout - interval after waking");
    assert_eq!(host.log.last().unwrap().1.overshoot_ms, 0);
}

const ROLES: [Role; 4] = [Role::Watch, Role::Answer, Role::Ask, Role::Both];

#[test]
fn l05_what_was_left_is_topped_up_by_the_stall_for_every_role() {
    for role in ROLES {
        for (left_ms, stall_ms, before_it_ms) in [
            (50, 6_000, 6_050),
            (50, 101, 151),
            (50, 60_000, 15_000),
            (50, 30 * 24 * 3_600_000, 15_000),
            (0, 6_000, 6_000),
            (9_000, 6_000, 15_000),
            (9_000, 5_000, 14_000),
            (16_000, 60_000, 16_000),
        ] {
            let (mut host, game) = Host::with(Policy::game().with_role(role));
            host.add(0, game);
            host.run(20_000 - left_ms - 1);
            host.stop(20_000 - left_ms, stall_ms);
            let (woken, asks) = (host.now, host.all(VerdictKind::Ask));
            host.run(woken);
            // With more than timeout - interval left it is not past its interval.
            assert_eq!(host.all(VerdictKind::Ask) - asks, usize::from(role.asks() && left_ms < 16_000));
            host.run(woken + before_it_ms - 1);
            assert_eq!(host.all(VerdictKind::Dead), 0, "{role:?}: {left_ms} left, stall of {stall_ms}");
            host.run(woken + before_it_ms + TICK_MS);
            assert_eq!(host.all(VerdictKind::Dead), 1, "{role:?}: {left_ms} left, stall of {stall_ms}");
        }
    }
}

#[test]
fn l05_a_suspect_with_a_grant_still_revives() {
    for role in ROLES {
        // `slow` is another policy; the second look depends on the smallest interval of all.
        let (mut host, game) = Host::with(Policy::game().with_role(role));
        let slow = host.monitor.define(Policy::mobile()).unwrap();
        host.add(0, game);
        host.add(1, slow);
        host.run(19_950);
        host.stop(19_950, 60_000);
        host.run(host.now);
        assert!(host.monitor.state(0).unwrap().suspect);
        assert_eq!(host.monitor.silence_ms(0, host.at()), Some(5_000), "the least that a grant leaves");
        host.heard(0);
        host.run(host.now);
        assert_eq!(host.times(0, VerdictKind::Revived), [79_950]);
        host.run(99_949);
        assert_eq!(host.all(VerdictKind::Dead), 0);
        host.run(99_954);
        assert_eq!(host.all(VerdictKind::Dead), 1);
    }
}

#[test]
fn l05_a_proposed_death_is_taken_back_and_comes_again_when_it_is_due() {
    for role in ROLES {
        let (mut host, game) = Host::with(Policy::game().with_role(role));
        host.add(0, game);
        host.run(23_000);
        assert_eq!(host.times(0, VerdictKind::Dead), [20_000]);
        host.stop(23_000, 1_000);
        host.monitor.woke(host.at());
        assert!(!host.monitor.state(0).unwrap().dead);
        host.run(26_000);
        // Nothing was left, the stall took 1 s; not the interval after which a proposal is repeated.
        assert_eq!(host.times(0, VerdictKind::Dead), [20_000, 25_000]);
    }
}

#[test]
fn l05_a_grant_and_a_pause() {
    for role in ROLES {
        let (mut host, game) = Host::with(Policy::game().with_role(role));
        host.add(0, game);
        host.run(19_950);
        host.monitor.pause(0, host.at());
        host.run(50_000);
        host.stop(50_000, 6_000);
        host.monitor.woke(host.at());
        host.run(90_000);
        assert_eq!(host.all(VerdictKind::Dead), 0);
        host.monitor.resume(0, host.at());
        // 50 ms and the stall, whenever it is read again.
        host.run(96_049);
        assert_eq!(host.all(VerdictKind::Dead), 0);
        host.run(96_054);
        assert_eq!(host.all(VerdictKind::Dead), 1);
    }
}

#[test]
fn l05_a_pause_that_begins_before_the_host_says_that_it_woke() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.run(3_000);
    host.stop(3_000, 60_000);
    host.monitor.pause(0, host.at());
    host.run(70_000);
    host.monitor.resume(0, host.at());
    assert_eq!(host.monitor.silence_ms(0, host.at()), Some(3_000), "the stall is in nobody's silence");
}

#[test]
fn l05_who_is_added_before_the_host_says_that_it_woke_is_asked_and_found() {
    // Late by its own time, or a turn that ran long before the promise was made.
    for added_within_the_turn in [false, true] {
        let (mut host, game) = Host::with(asking());
        host.add(0, game);
        host.run(1_000);
        if added_within_the_turn {
            host.now = 6_000;
            host.add(1, game);
        }
        host.stop(1_004, 60_000);
        if !added_within_the_turn {
            host.add(1, game);
        }
        let woken = host.now;
        host.run(woken + 30_000);
        assert!((woken + 2_500..=woken + 5_000).contains(&host.times(1, VerdictKind::Ask)[0]));
        assert!((woken + 20_000..woken + 20_000 + TICK_MS).contains(&host.times(1, VerdictKind::Dead)[0]));
    }
}

#[test]
fn l05_a_stall_soon_after_a_grace_was_granted_leaves_it_its_time() {
    // Still filed for what was due before the grace.
    let (mut host, lan) = Host::with(Policy::lan());
    host.add(0, lan);
    host.monitor.grace(0, Millis(60_000));
    host.run(100);
    host.stop(100, 3_600_000);
    host.run(3_800_000);
    assert_eq!(host.times(0, VerdictKind::Dead)[0], 3_600_000 + 68_000);
    // A grace after a grant: no silence is counted before its end, and what the grant gave is gone.
    let (mut host, lan) = Host::with(Policy::lan());
    host.add(0, lan);
    host.run(7_950);
    host.stop(7_950, 60_000);
    host.run(70_000);
    host.monitor.grace(0, Millis(80_000));
    host.run(100_000);
    assert_eq!(host.times(0, VerdictKind::Revived), [70_000]);
    assert_eq!(host.times(0, VerdictKind::Dead)[0], 88_000);
}

#[test]
fn l05_a_grant_and_another_policy() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.run(19_950);
    host.stop(19_950, 60_000);
    host.run(host.now);
    // 5 s of silence remain, which lan calls suspect.
    host.monitor.redefine(game, Policy::lan(), host.at()).unwrap();
    assert_eq!(host.all(VerdictKind::Suspect), 1);
    host.run(79_950 + 3_000 + TICK_MS);
    assert_eq!(host.times(0, VerdictKind::Dead).len(), 1);
    assert!((82_950..82_954).contains(&host.times(0, VerdictKind::Dead)[0]));
    assert!(host.times(0, VerdictKind::Revived).is_empty());
}

#[test]
fn a_paused_suspect_whose_policy_grows_longer_is_none_any_more() {
    let (mut host, id) = Host::with(Policy::lan());
    host.add(0, id);
    host.run(5_000);
    host.monitor.pause(0, host.at());
    host.run(3_600_000);
    // 5 s of silence, however long the pause.
    host.monitor.redefine(id, Policy::mobile(), host.at()).unwrap();
    assert!(!host.monitor.state(0).unwrap().suspect);
    host.monitor.resume(0, host.at());
    host.heard(0);
    host.run(3_600_000);
    assert_eq!(host.times(0, VerdictKind::Revived).len(), 1);
}

#[test]
fn l05_a_second_stall_soon_after_grants_what_the_first_left() {
    for role in ROLES {
        for (first_ms, second_ms, before_it_ms) in [
            (101, 6_000, 50 + 101 - 100 + 6_000),
            (101, 60_000, 15_000 - 101 + 51),
            (6_000, 6_000, 50 + 12_000 - 100),
            (60_000, 60_000, 14_950),
            (60_000, 101, 14_950),
        ] {
            let (mut host, game) = Host::with(Policy::game().with_role(role));
            host.add(0, game);
            host.run(19_949);
            host.stop(19_950, first_ms);
            host.run(host.now);
            host.stop(host.now + 100, second_ms);
            host.monitor.woke(host.at());
            let woken = host.now;
            host.run(woken + before_it_ms - 1);
            assert_eq!(host.all(VerdictKind::Dead), 0, "{role:?}: {first_ms}, then {second_ms}");
            host.run(woken + before_it_ms + TICK_MS);
            assert_eq!(host.all(VerdictKind::Dead), 1, "{role:?}: {first_ms}, then {second_ms}");
        }
    }
}

#[test]
fn l05_short_stalls_that_nobody_needed_anything_for_leave_the_grant_whole() {
    let (mut host, mobile) = Host::with(Policy::mobile());
    host.add(0, mobile);
    // Every second a turn comes late by a little, while the peer still has more than timeout - interval.
    for second in 1..=170 {
        host.stop(host.now + 1_000 - 200, 200);
        host.monitor.woke(host.at());
        assert_eq!(host.now, second * 1_000);
    }
    let silence_ms = 170 * 800;
    let nearly_dead = host.now + 400_000 - silence_ms - 50;
    host.run(nearly_dead - 1);
    host.stop(nearly_dead, 60_000);
    let woken = host.now;
    host.run(woken + 60_049);
    assert_eq!(host.all(VerdictKind::Dead), 0);
    host.run(woken + 60_050 + TICK_MS);
    assert_eq!(host.all(VerdictKind::Dead), 1);
}

#[test]
fn l05_permanent_overload_still_finds_the_dead_in_twice_the_timeout_less_the_interval() {
    // Miri has the patience for the role that does everything, and for some of the rest.
    for role in ROLES.into_iter().skip(under_miri(3, 0) as usize) {
        for (attended_ms, stall_ms) in
            [(50, 101), (50, 200), (50, 6_000), (1_000, 3_600_000), (3_000, 101), (19_000, 400)]
                .into_iter()
                .skip(under_miri(2, 0) as usize)
        {
            // Turns of a twentieth of a second are too many for Miri.
            let attended_ms = attended_ms.max(under_miri(5_000, 0));
            for heard_at in [0, 7_000, 13_000, 19_900, 20_100].into_iter().step_by(under_miri(3, 1) as usize) {
                let (mut host, game) = Host::with(Policy::game().with_role(role));
                host.add(0, game);
                host.add(1, game);
                let (mut attended, mut last_byte, mut found) = (0, 0, None);
                while found.is_none() {
                    let wanted = host.monitor.deadline().unwrap().0.max(host.now);
                    let promised = wanted.min(host.now + attended_ms);
                    attended += promised - host.now;
                    host.stop(promised, stall_ms);
                    host.monitor.woke(host.at());
                    if attended <= heard_at {
                        host.heard(0);
                        last_byte = attended;
                    }
                    let mut verdicts = Vec::new();
                    while host.monitor.advance(host.at(), &mut verdicts) {}
                    if verdicts.iter().any(|v| v.kind == VerdictKind::Dead && v.peer == 0) {
                        found = Some(attended - last_byte);
                    }
                    assert!(attended < 200_000, "the dead was never found");
                }
                let found = found.unwrap();
                assert!(found >= 20_000, "early: {found}");
                assert!(found < 35_000 + TICK_MS, "{attended_ms} / {stall_ms}: {found}");
            }
        }
    }
}

#[test]
fn l05_lateness_within_the_granularity_is_jitter_and_counts() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.run(8_000);
    host.stop(20_000, 100);
    assert_eq!(host.monitor.woke(host.at()), None);
    host.run(host.now);
    assert_eq!(host.times(0, VerdictKind::Dead), [20_100]);
    assert_eq!(host.log.last().unwrap().1.overshoot_ms, 100);
}

#[test]
fn l05_a_call_that_is_late_by_the_granularity_leaves_the_promise() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.stop(1_000, 100);
    host.monitor.pause(0, host.at());
    assert_eq!(host.monitor.stalls().count, 0);
    assert_eq!(host.monitor.woke(Millis(1_150)).unwrap().ms, 150);
}

#[test]
fn l05_a_promise_is_judged_once() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.monitor.promise(Some(Millis(1_000)));
    assert!(host.monitor.woke(Millis(2_000)).is_some());
    assert!(host.monitor.woke(Millis(4_000)).is_none());
    host.now = 4_000;
    host.run(4_000);
    assert_eq!(host.monitor.stalls().ms, 1_000);
}

#[test]
fn l05_who_only_answers_is_asked_anew_after_a_stall() {
    const PEERS: u32 = under_miri(5, 50) as u32;
    let (mut host, game) = Host::with(asking());
    for peer in 0..PEERS {
        host.add(peer, game);
    }
    host.run(5_900);
    let before = host.all(VerdictKind::Ask);
    assert_eq!(before, PEERS as usize);
    // All past their interval, and their answers went into the void.
    host.stop(5_900, 60_000);
    let woken = host.now;
    let asked_anew = |monitor: &mut Monitor, now: Millis, v: Verdict| {
        if v.kind == VerdictKind::Ask {
            let _ = monitor.beat(v.peer, Beat::Answer, now + 1);
        }
    };
    host.run_with(woken, asked_anew);
    assert_eq!(host.all(VerdictKind::Ask) - before, PEERS as usize);
    host.run_with(woken + 100_000, asked_anew);
    assert_eq!(host.all(VerdictKind::Dead), 0);
}

#[test]
fn l05_an_overload_that_stalls_every_turn_asks_nobody_anew_twice_within_an_interval() {
    let (mut host, game) = Host::with(asking());
    host.add(0, game);
    host.run(5_900);
    // Three stalls in every second; none of it is attended, so no other ask is due.
    let (before, from) = (host.all(VerdictKind::Ask), host.now);
    while host.now < from + 20_000 {
        host.stop(host.now, 333);
        host.run(host.now);
    }
    let asks = host.all(VerdictKind::Ask) - before;
    assert!((3..=5).contains(&asks), "{asks} asks in four intervals");
}

#[test]
fn l05_who_was_heard_after_the_stall_is_not_asked_anew() {
    let (mut host, game) = Host::with(asking());
    host.add(0, game);
    host.run(7_000);
    host.stop(7_000, 60_000);
    host.monitor.woke(host.at());
    host.heard(0);
    let before = host.all(VerdictKind::Ask);
    host.run(host.now);
    assert_eq!(host.all(VerdictKind::Ask), before);
}

#[test]
fn l05_a_host_that_reads_before_it_says_that_it_woke_gains_and_loses_nothing() {
    let (mut host, game) = Host::with(Policy::game());
    for peer in 0..3 {
        host.add(peer, game);
    }
    host.run(1_000);
    host.heard(1);
    host.run(2_000);
    host.monitor.promise(Some(Millis(2_000)));
    host.now = 62_000;
    // Heard with the old reckoning (peer 1: a short silence on the quick path is impossible after a minute), then advance.
    host.heard(1);
    host.run(62_000);
    assert_eq!(host.monitor.stalls().ms, 60_000);
    assert_eq!(host.monitor.silence_ms(1, host.at()), Some(0));
    assert_eq!(host.monitor.silence_ms(2, host.at()), Some(2_000));
    // The stall is not in the advice either.
    assert!(host.monitor.advisor().longest_ms() <= 2_000);
    host.run(200_000);
    assert_eq!(host.times(1, VerdictKind::Dead)[0], 82_000);
    assert_eq!(host.times(2, VerdictKind::Dead)[0], 80_000);
}

#[test]
fn l05_a_byte_stamped_before_the_stall_was_found_is_not_in_the_future() {
    let mut host = Host::new(MonitorConfig::default());
    let id = host.monitor.define(Policy::game()).unwrap();
    host.add(0, id);
    host.run(100);
    host.heard(0);
    host.monitor.promise(Some(Millis(100)));
    host.now = 2_000;
    host.heard(0); // 1.9 s after the last: below half an interval, so nobody looked twice
    host.run(2_000);
    assert_eq!(host.monitor.stalls().ms, 1_900);
    host.run(60_000);
    assert_eq!(host.times(0, VerdictKind::Dead)[0], 22_000);
}

#[test]
fn l05_a_host_that_calls_once_a_second_finds_the_dead_within_a_second() {
    const PEERS: u32 = under_miri(30, 500) as u32;
    for offset in [0, 1, 500, 998] {
        let config = MonitorConfig { granularity_ms: 1_000, ..MonitorConfig::default() };
        let mut monitor = Monitor::new(config, Millis(offset));
        let lan = monitor.define(Policy::lan()).unwrap();
        (0..PEERS).for_each(|peer| monitor.add(peer, lan, Millis(offset + u64::from(peer))));
        let (mut verdicts, mut now) = (Vec::new(), offset);
        let mut dead = 0;
        while dead < PEERS {
            now += 1_000;
            assert!(now < 60_000);
            monitor.advance(Millis(now), &mut verdicts);
            for v in verdicts.drain(..).filter(|v| v.kind == VerdictKind::Dead) {
                assert!(u64::from(v.overshoot_ms) <= 1_000 + TICK_MS);
                assert!(now <= offset + u64::from(v.peer) + 8_000 + 1_000 + TICK_MS);
                monitor.remove(v.peer);
                dead += 1;
            }
            monitor.wait_ms(Millis(now));
        }
        assert_eq!(monitor.stalls().count, 0);
        assert_eq!(monitor.wait_ms(Millis(now)), None);
    }
}

#[test]
fn l05_a_busy_process_still_finds_the_dead() {
    // Every turn comes 200 ms late: everything but what was promised counts for nobody, yet time passes.
    let (mut host, game) = Host::with(asking());
    host.add(0, game);
    let share = under_miri(4, 1);
    for _ in 0..5_000 {
        let promise = host.now + 50 * share;
        host.monitor.promise(Some(Millis(promise)));
        host.now = promise + 200 * share;
        let mut verdicts = Vec::new();
        host.monitor.advance(host.at(), &mut verdicts);
        if verdicts.iter().any(|v| v.kind == VerdictKind::Dead) {
            // 2 x timeout - interval, a fifth of the time.
            assert!((99_000..=176_000).contains(&host.now), "{}", host.now);
            return;
        }
    }
    panic!("the dead was never found");
}

#[test]
fn l05_with_nobody_to_watch_there_is_nothing_to_be_late_for() {
    let (mut host, game) = Host::with(Policy::game());
    host.stop(1_000, 60_000);
    assert_eq!(host.monitor.woke(host.at()), None);
    host.add(0, game);
    host.run(host.now + 8_000);
    assert_eq!((host.monitor.stalls().count, host.times(0, VerdictKind::Suspect)), (0, vec![69_000]));
}

#[test]
fn l05_a_step_that_nobody_promised_is_attended_up_to_ten_days() {
    const DAY: u64 = 24 * 3_600_000;
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
    let none = monitor.define(Policy::none()).unwrap();
    monitor.add(0, none, Millis(0));
    for to in [9 * DAY, 19 * DAY] {
        assert_eq!(monitor.woke(Millis(to)), None);
        assert_eq!(monitor.silence_ms(0, Millis(to)), Some(to as u32));
        assert_eq!(monitor.stalls().count, 0);
    }
    assert_eq!(monitor.woke(Millis(29 * DAY + 7)).unwrap().ms, 7);
    assert_eq!(monitor.woke(Millis(40 * DAY + 7)).unwrap().ms, DAY);
    // The same where another call is the first to show it; one that shows none leaves the step as it is.
    monitor.pause(0, Millis(50 * DAY + 7));
    assert_eq!(monitor.stalls().count, 2);
    assert_eq!(monitor.woke(Millis(50 * DAY + 14)).unwrap().ms, 7);
    monitor.resume(0, Millis(60 * DAY + 22));
    assert_eq!((monitor.stalls().count, monitor.stalls().ms), (4, DAY + 7 + 7 + 8));
}

#[test]
fn l05_who_was_heard_in_a_turn_that_ran_long_is_found_in_time() {
    // The turn has one time for all it does; what it read is stamped with the clock, and a stall follows.
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.monitor.limit(0, Millis(1_000));
    host.run(996);
    host.monitor.heard(0, Millis(6_000));
    host.run(1_000);
    assert_eq!(host.times(0, VerdictKind::Limit), [1_000]);
    host.stop(1_004, 60_000);
    let woken = host.now;
    host.run(woken + 30_000);
    assert_eq!(host.times(0, VerdictKind::Suspect), [woken + 8_000]);
    assert_eq!(host.times(0, VerdictKind::Dead)[0], woken + 20_000);
}

#[test]
fn l05_who_is_to_be_asked_anew_is_asked_by_the_policy_that_it_follows_then() {
    // Nobody is judged, so a stall grants nothing. Asked within 5 s, and silent for 6 s when the stall is found.
    for (interval_ms, at_once, none_before) in [(5_500, true, 0), (6_000, true, 0), (20_000, false, 20_500)] {
        let unjudged = asking().with_timeout(0);
        let (mut host, id) = Host::with(unjudged);
        let other = host.monitor.define(unjudged.with_interval(interval_ms)).unwrap();
        host.add(0, id);
        host.run(6_000);
        assert_eq!(host.all(VerdictKind::Ask), 1);
        host.stop(6_000, 60_000);
        host.monitor.woke(host.at());
        host.monitor.set_policy(0, other, host.at());
        host.run(66_000);
        assert_eq!(host.all(VerdictKind::Ask), if at_once { 2 } else { 1 }, "{interval_ms}");
        // Looked at when its silence is as long as the new interval: the old one's promise is forgotten.
        host.monitor.limit(0, Millis(60_000 + 20_100));
        host.run(60_000 + none_before.max(20_500));
        assert!(at_once || host.all(VerdictKind::Ask) == 1, "{interval_ms}");
        host.run(60_000 + 25_000);
        assert!(host.all(VerdictKind::Ask) >= 2, "{interval_ms}");
    }
}

#[test]
fn l06_a_death_is_a_proposal() {
    let (mut host, game) = Host::with(asking());
    host.add(0, game);
    assert!(!host.monitor.is_empty());
    host.run(34_000);
    // Neither removed nor heard: proposed again after another interval, and not asked meanwhile.
    assert_eq!(host.times(0, VerdictKind::Dead), [20_000, 25_000, 30_000]);
    assert!(host.times(0, VerdictKind::Ask).iter().all(|at| *at < 20_000));
    assert!(host.monitor.state(0).unwrap().dead);
    // A byte takes it back.
    host.heard(0);
    assert!(!host.monitor.state(0).unwrap().dead);
    host.run(53_999);
    assert_eq!(host.times(0, VerdictKind::Revived), [34_000]);
    assert_eq!(host.times(0, VerdictKind::Dead).len(), 3);
    host.run_with(54_000, |monitor, _, v| {
        if v.kind == VerdictKind::Dead {
            monitor.remove(v.peer);
        }
    });
    assert_eq!(host.times(0, VerdictKind::Dead)[3], 54_000);
    let counters = host.monitor.counters();
    assert_eq!((counters.dead, counters.proposed_again), (2, 2));
    assert_eq!((counters.suspects, counters.revived), (2, 1));
    assert_eq!(counters.asks, host.all(VerdictKind::Ask) as u64);
    assert!(host.monitor.is_empty() && host.monitor.deadline().is_none());
}

#[test]
fn l07_asks_never_in_step() {
    const PEERS: u32 = under_miri(20, 1_000) as u32;
    let (mut host, game) = Host::with(asking());
    for peer in 0..PEERS {
        host.add(peer, game);
    }
    let mut in_a_tick = std::collections::HashMap::new();
    host.run_with(under_miri(30_000, 300_000), |monitor, now, v| {
        assert_eq!(v.kind, VerdictKind::Ask);
        *in_a_tick.entry(now.0).or_insert(0) += 1;
        let _ = monitor.beat(v.peer, Beat::Answer, now);
    });
    let mut gaps = Vec::new();
    for peer in 0..PEERS {
        let asks = host.times(peer, VerdictKind::Ask);
        assert!((2_500..=5_000).contains(&asks[0]), "first after {}", asks[0]);
        gaps.extend(asks.windows(2).map(|pair| pair[1] - pair[0]));
    }
    // Later ones too are drawn anew each time, from all of the last tenth of the interval.
    let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
    assert!((4_500..4_600).contains(least) && (4_900..=5_000).contains(most), "{least} to {most} ms");
    // A thousand peers added at once: the first asks lie in 625 ticks, later ones in all 1,250.
    assert!(*in_a_tick.values().max().unwrap() <= 16, "{}", in_a_tick.values().max().unwrap());
    let first: std::collections::HashSet<_> = (0..PEERS).map(|peer| host.times(peer, VerdictKind::Ask)[0]).collect();
    assert!(first.len() > PEERS as usize * 2 / 5);
}

#[test]
fn l07_without_jitter_asks_come_on_the_interval_and_none_with_a_death() {
    // An ask goes out a tick before its interval ends: a fourth would be due in the millisecond of the death.
    let policy = asking().with_interval(5_000 + TICK_MS as u32).with_jitter(0);
    let (mut host, id) = Host::with(policy);
    (0..3).for_each(|peer| host.add(peer, id));
    host.run(24_000);
    for peer in 0..3 {
        assert_eq!(host.times(peer, VerdictKind::Ask), [5_000, 10_000, 15_000]);
        assert_eq!(host.times(peer, VerdictKind::Dead), [20_000]);
    }
}

#[test]
fn l07_no_seed_brings_the_peers_into_step() {
    for seed in [0, 1, u64::MAX, u64::MAX << 32] {
        let mut host = Host::new(MonitorConfig { seed, ..MonitorConfig::default() });
        let game = host.monitor.define(asking()).unwrap();
        (0..100).for_each(|peer| host.add(peer, game));
        host.run(5_000);
        let first: std::collections::HashSet<_> = (0..100).map(|peer| host.times(peer, VerdictKind::Ask)[0]).collect();
        assert!(first.len() > 80, "{} times for seed {seed:#x}", first.len());
    }
}

#[test]
fn l07_the_same_seed_asks_at_the_same_times() {
    let run = |seed| {
        let mut host = Host::new(MonitorConfig { seed, ..MonitorConfig::default() });
        let game = host.monitor.define(asking()).unwrap();
        (0..20).for_each(|peer| host.add(peer, game));
        host.run(19_000);
        host.log
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn l08_a_mass_death_is_bounded_per_turn() {
    let default = MonitorConfig::default();
    let most = under_miri(64, 4_096) as usize;
    assert!(cfg!(miri) || default.verdicts_per_turn == most);
    let mut host = Host::new(MonitorConfig { verdicts_per_turn: most, ..default });
    let lan = host.monitor.define(Policy::lan()).unwrap();
    let n = under_miri(300, 100_000) as u32;
    (0..n).for_each(|peer| host.add(peer, lan));
    host.monitor.promise(Some(Millis(8_000)));
    let (mut verdicts, mut dead, mut calls) = (Vec::new(), 0, 0);
    loop {
        let more = host.monitor.advance(Millis(8_000), &mut verdicts);
        calls += 1;
        assert!(verdicts.len() <= most);
        assert_eq!(more, host.monitor.deadline() == Some(Millis(8_000)));
        for v in verdicts.drain(..).filter(|v| v.kind == VerdictKind::Dead) {
            host.monitor.remove(v.peer);
            dead += 1;
        }
        if !more {
            break;
        }
    }
    assert_eq!(dead, n);
    assert!(calls >= 2 * n as usize / most);
}

#[test]
fn l08_visits_are_bounded_too() {
    let config = MonitorConfig { verdicts_per_turn: 16, ..MonitorConfig::default() };
    let mut host = Host::new(config);
    let lan = host.monitor.define(Policy::lan()).unwrap();
    let n = under_miri(200, 10_000) as u32;
    (0..n).for_each(|peer| host.add(peer, lan));
    (0..n).for_each(|peer| host.monitor.heard(peer, Millis(3_900)));
    let (mut verdicts, mut before) = (Vec::new(), 0);
    loop {
        let more = host.monitor.advance(Millis(4_000), &mut verdicts);
        let visits = host.monitor.counters().visits;
        assert!(visits - before <= 64);
        before = visits;
        if !more {
            break;
        }
    }
    assert!(verdicts.is_empty());
    assert_eq!(before, u64::from(n), "each was looked at once");
}

#[test]
fn l08_revivals_are_bounded_too() {
    let mut host = Host::new(MonitorConfig { verdicts_per_turn: 2, ..MonitorConfig::default() });
    let game = host.monitor.define(Policy::game()).unwrap();
    (0..5).for_each(|peer| host.add(peer, game));
    host.run(10_000);
    (0..5).for_each(|peer| host.heard(peer));
    let (mut verdicts, mut told) = (Vec::new(), Vec::new());
    for expected in [2, 2, 1] {
        host.monitor.advance(host.at(), &mut verdicts);
        assert_eq!(verdicts.len(), expected);
        told.extend(verdicts.drain(..).map(|v| (v.peer, v.kind)));
    }
    assert_eq!(told, [0, 1, 2, 3, 4].map(|peer| (peer, VerdictKind::Revived)));
    assert_eq!(host.monitor.counters().revived, 5);
}

#[test]
fn l10_a_limit_of_the_host_comes_back_in_time() {
    let (mut host, id) = Host::with(Policy::none());
    host.add(0, id);
    host.monitor.limit(0, Millis(10_001));
    host.run(10_000);
    assert_eq!(host.all(VerdictKind::Limit), 0);
    host.run(10_004);
    assert_eq!(host.times(0, VerdictKind::Limit), [10_004]);
    host.run(100_000);
    assert_eq!(host.all(VerdictKind::Limit), 1);
}

#[test]
fn l10_a_limit_that_is_set_anew_at_each_verdict_keeps_no_death_from_being_told() {
    let mut monitor = Monitor::new(MonitorConfig { verdicts_per_turn: 1, ..MonitorConfig::default() }, Millis(0));
    let game = monitor.define(Policy::game()).unwrap();
    monitor.add(0, game, Millis(0));
    monitor.limit(0, Millis(20_000));
    let (mut verdicts, mut kinds) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        monitor.advance(Millis(20_000), &mut verdicts);
        for verdict in verdicts.drain(..) {
            kinds.push(verdict.kind);
            if verdict.kind == VerdictKind::Limit {
                monitor.limit(0, Millis(20_000));
            }
        }
    }
    assert!(kinds.contains(&VerdictKind::Suspect) && kinds.contains(&VerdictKind::Dead), "{kinds:?}");
    assert!(kinds.iter().filter(|kind| **kind == VerdictKind::Limit).count() >= 5, "{kinds:?}");
}

#[test]
fn l10_a_paused_peer_is_neither_asked_nor_judged() {
    let (mut host, game) = Host::with(asking());
    host.add(0, game);
    host.run(6_000);
    let asks = host.all(VerdictKind::Ask);
    host.monitor.pause(0, Millis(6_000));
    assert!(host.monitor.state(0).unwrap().paused);
    host.run(500_000);
    assert_eq!(host.log.len(), asks);
    host.monitor.resume(0, Millis(500_000));
    host.run(500_000);
    assert_eq!(host.all(VerdictKind::Ask), asks + 1, "asked anew");
    assert_eq!(host.monitor.silence_ms(0, host.at()), Some(6_000));
    host.run(518_000);
    assert_eq!(host.times(0, VerdictKind::Dead), [514_000]);
}

#[test]
fn l10_who_is_resumed_is_asked_anew_even_if_its_death_comes_in_between() {
    let (mut host, game) = Host::with(asking());
    let slower = host.monitor.define(Policy::im().with_role(Role::Ask)).unwrap();
    host.add(0, game);
    host.run(23_000);
    host.monitor.pause(0, host.at());
    host.run(30_000);
    host.monitor.resume(0, host.at());
    host.run(30_000);
    assert_eq!(host.times(0, VerdictKind::Dead), [20_000, 30_000]);
    // By its other policy it is not dead.
    let asks = host.all(VerdictKind::Ask);
    host.monitor.set_policy(0, slower, host.at());
    host.run(30_000);
    assert_eq!(host.all(VerdictKind::Ask), asks + 1);
}

#[test]
fn l12_profiles_from_practice() {
    for (name, times) in [
        ("lan", (2_000, 4_000, 8_000)),
        ("game", (5_000, 8_000, 20_000)),
        ("im", (10_000, 15_000, 35_000)),
        ("web", (25_000, 40_000, 60_000)),
        ("mobile", (180_000, 240_000, 400_000)),
    ] {
        let policy = Policy::profile(name).unwrap();
        assert_eq!((policy.interval_ms, policy.suspect_ms, policy.timeout_ms), times);
        policy.check().unwrap();
        assert_eq!(policy.role, Role::Answer, "L13");
    }
    assert_eq!(Policy::default(), Policy::im());
    assert!(!Policy::none().judges() && Policy::none().role == Role::Watch);
}

#[test]
fn l13_nothing_is_sent_that_was_not_agreed() {
    for role in [Role::Watch, Role::Answer] {
        let (mut host, id) = Host::with(Policy::game().with_role(role).with_rtt_every(1_000));
        host.add(0, id);
        host.run(19_999);
        assert_eq!(host.all(VerdictKind::Ask), 0);
        let owed = if role == Role::Watch { Owed::Nothing } else { Owed::Answer };
        assert_eq!(host.monitor.beat(0, Beat::Ask, host.at()), owed);
        assert_eq!(host.monitor.beat(0, Beat::Either, host.at()), owed);
        assert_eq!(host.monitor.beat(0, Beat::Answer, host.at()), Owed::Nothing);
    }
    let (mut host, id) = Host::with(asking());
    host.add(0, id);
    assert_eq!(host.monitor.beat(0, Beat::Ask, host.at()), Owed::Nothing, "ask asks and never answers");
}

#[test]
fn l13_after_first_frame_waits_for_the_first_frame() {
    let (mut host, id) = Host::with(asking().with_after_first_frame(true).with_rtt_every(500));
    host.add(0, id);
    for step in 1..=100 {
        host.run(step * 100);
        host.heard(0);
    }
    host.run(17_000);
    assert_eq!(host.all(VerdictKind::Ask), 0);
    host.monitor.first_frame(0, Millis(17_000));
    host.run(17_000);
    assert_eq!(host.all(VerdictKind::Ask), 1);
}

#[test]
fn l14_asks_are_reduced_only_by_answers() {
    let (mut host, id) = Host::with(Policy::game().with_role(Role::Both));
    host.add(0, id);
    host.run(15_000);
    let asks = host.all(VerdictKind::Ask) as u32;
    assert!(asks >= 3);
    let unanswered = |host: &Host| host.monitor.state(0).unwrap().unanswered;
    host.heard(0);
    assert_eq!(unanswered(&host), asks, "data is no answer");
    assert_eq!(host.monitor.beat(0, Beat::Ask, host.at()), Owed::Answer);
    assert_eq!(unanswered(&host), asks, "an ask is no answer");
    for left in (0..asks).rev() {
        assert_eq!(host.monitor.beat(0, Beat::Either, host.at()), Owed::Nothing);
        assert_eq!(unanswered(&host), left);
    }
    assert_eq!(host.monitor.beat(0, Beat::Either, host.at()), Owed::Answer, "nobody asked, so it is an ask");
    let _ = host.monitor.beat(0, Beat::Answer, host.at());
    let counters = host.monitor.counters();
    assert_eq!((counters.asks, counters.answers, counters.unasked_answers), (u64::from(asks), u64::from(asks), 1));
    assert_eq!(counters.owed, 2);
}

#[test]
fn l14_asks_of_a_former_owner_are_answered_too() {
    let (mut host, id) = Host::with(Policy::game().with_role(Role::Both));
    host.add(0, id);
    host.monitor.expect_answers(0, 2);
    host.monitor.expect_answers(1, 2);
    assert_eq!(host.monitor.state(0).unwrap().unanswered, 2);
    assert_eq!(host.monitor.beat(0, Beat::Either, host.at()), Owed::Nothing);
    assert_eq!(host.monitor.beat(0, Beat::Either, host.at()), Owed::Nothing);
    assert_eq!(host.monitor.state(0).unwrap().rtt_ms, None, "nobody knows when they were sent");
    assert_eq!(host.monitor.beat(0, Beat::Either, host.at()), Owed::Answer);
    host.monitor.expect_answers(0, 1_000);
    assert_eq!(host.monitor.state(0).unwrap().unanswered, 255);
}

#[test]
fn l14_what_a_beat_is_taken_for() {
    let (mut host, id) = Host::with(Policy::game().with_role(Role::Both));
    host.add(0, id);
    let taken = |host: &Host| [Beat::Ask, Beat::Answer, Beat::Either].map(|beat| host.monitor.taken_for(0, beat));
    assert_eq!(taken(&host), [Beat::Ask, Beat::Answer, Beat::Ask]);
    host.run(5_000);
    assert_eq!(taken(&host), [Beat::Ask, Beat::Answer, Beat::Answer]);
    host.heard(0);
    assert_eq!(taken(&host), [Beat::Ask, Beat::Answer, Beat::Answer], "data is no answer");
    assert_eq!(host.monitor.beat(0, Beat::Either, host.at()), Owed::Nothing);
    assert_eq!(taken(&host), [Beat::Ask, Beat::Answer, Beat::Ask]);
    // Of nobody it is what it says.
    assert_eq!(host.monitor.taken_for(99, Beat::Answer), Beat::Answer);
    assert_eq!(host.monitor.taken_for(99, Beat::Either), Beat::Ask);
}

#[test]
fn l14_a_round_trip_is_told_up_to_65_534_ms() {
    for (took_ms, told_ms) in [(65_533, 65_533), (65_534, 65_534), (65_535, 65_534), (70_000, 65_534)] {
        let (mut host, id) = Host::with(Policy::mobile().with_role(Role::Ask));
        host.add(0, id);
        host.run(180_000);
        let asked = host.times(0, VerdictKind::Ask)[0];
        assert_eq!(host.monitor.beat(0, Beat::Answer, Millis(asked + took_ms)), Owed::Nothing);
        assert_eq!(host.monitor.state(0).unwrap().rtt_ms, Some(told_ms));
    }
}

#[test]
fn l14_two_hosts_with_the_same_bytes_do_not_play_ping_pong() {
    // Both ask and answer, ask and answer look the same, the line takes 20 ms, data flows.
    let mut hosts = [1, 2].map(|seed| {
        let mut monitor = Monitor::new(MonitorConfig { seed, ..MonitorConfig::default() }, Millis(0));
        let id = monitor.define(Policy::lan().with_role(Role::Both)).unwrap();
        monitor.add(0, id, Millis(0));
        monitor
    });
    let mut line: Vec<(u64, usize, bool)> = Vec::new();
    let (mut beats, mut now) = (0, 0);
    while now < 60_000 {
        let (due, later): (Vec<_>, Vec<_>) = line.into_iter().partition(|(at, ..)| *at <= now);
        line = later;
        if now % 1_700 == 0 {
            line.push((now + 20, 0, false));
        }
        for (_, to, is_beat) in due {
            if !is_beat {
                hosts[to].heard(0, Millis(now));
            } else if hosts[to].beat(0, Beat::Either, Millis(now)) == Owed::Answer {
                line.push((now + 20, 1 - to, true));
                beats += 1;
            }
        }
        for (from, host) in hosts.iter_mut().enumerate() {
            let mut verdicts = Vec::new();
            host.advance(Millis(now), &mut verdicts);
            for v in verdicts {
                assert_eq!(v.kind, VerdictKind::Ask);
                line.push((now + 20, 1 - from, true));
                beats += 1;
            }
        }
        let arrival = line.iter().map(|(at, ..)| Millis(*at)).min();
        let speech = Some(Millis((now / 1_700 + 1) * 1_700));
        now = next_ms(now, [arrival, speech, hosts[0].deadline(), hosts[1].deadline()]);
    }
    assert!(beats < 130, "{beats} beats in a minute");
}

#[test]
fn l14_a_round_trip_is_measured_with_one_ask_outstanding() {
    let (mut host, id) = Host::with(asking());
    host.add(0, id);
    host.run(5_000);
    let asked = host.times(0, VerdictKind::Ask)[0];
    let _ = host.monitor.beat(0, Beat::Answer, Millis(asked + 42));
    assert_eq!(host.monitor.state(0).unwrap().rtt_ms, Some(42));
    // Two outstanding: nobody knows which one the answer is for.
    host.run(16_000);
    assert!(host.monitor.state(0).unwrap().unanswered >= 2);
    let _ = host.monitor.beat(0, Beat::Answer, host.at());
    assert_eq!(host.monitor.state(0).unwrap().rtt_ms, Some(42));
}

#[test]
fn l15_silences_that_ended_are_remembered() {
    let (mut host, game) = Host::with(Policy::game());
    // It has no interval.
    host.monitor.define(Policy::none()).unwrap();
    host.add(0, game);
    for silence in [1_000, 2_000, 3_000, 7_000, 15_000, 19_000] {
        host.run(host.now + silence);
        host.heard(0);
    }
    host.run(host.now + 60_000); // this one does not end
    let advisor = host.monitor.advisor();
    assert_eq!(advisor.count(), 4, "below half an interval it is traffic");
    assert_eq!(advisor.longest_ms(), 19_000);
}

#[test]
fn suspect_comes_once_and_revived_follows() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.run(12_345);
    assert_eq!(host.times(0, VerdictKind::Suspect), [8_000]);
    assert!(host.monitor.state(0).unwrap().suspect);
    host.heard(0);
    assert_eq!(host.monitor.deadline(), Some(Millis(12_345)));
    host.run(13_000);
    let revived = host.log.last().unwrap().1;
    assert_eq!((revived.kind, revived.silence_ms), (VerdictKind::Revived, 12_345));
    assert!(!host.monitor.state(0).unwrap().suspect);
}

#[test]
fn a_suspect_that_nobody_was_told_of_is_taken_back_without_a_word() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.run(8_000);
    assert!(host.monitor.state(0).unwrap().suspect);
    host.monitor.spare(0, host.at());
    host.monitor.spare(1, host.at());
    assert!(!host.monitor.state(0).unwrap().suspect);
    host.run(16_000);
    assert_eq!(host.all(VerdictKind::Revived), 0);
    assert_eq!(host.times(0, VerdictKind::Suspect), [8_000, 16_000]);
    // Of the second it was told, so its end is told too.
    host.heard(0);
    host.run(16_000);
    assert_eq!(host.times(0, VerdictKind::Revived), [16_000]);
}

#[test]
fn a_wait_is_told_from_now_and_promised() {
    let (mut host, game) = Host::with(Policy::game());
    assert_eq!(host.monitor.wait_ms(host.at()), None);
    host.add(0, game);
    host.monitor.limit(0, Millis(100));
    assert_eq!(host.monitor.wait_ms(Millis(40)), Some(60));
    assert_eq!(host.monitor.wait_ms(Millis(140)), Some(0));
    assert_eq!(host.monitor.woke(Millis(1_100)).unwrap().ms, 1_000);
}

#[test]
fn revived_never_reaches_the_next_tenant_of_a_number() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(0, game);
    host.run(9_000);
    host.heard(0);
    host.monitor.remove(0);
    host.add(0, game);
    host.run(10_000);
    assert_eq!(host.all(VerdictKind::Revived), 0);
}

#[test]
fn a_policy_redefined_changes_live_peers() {
    let (mut host, id) = Host::with(Policy::mobile());
    let other = host.monitor.define(Policy::mobile()).unwrap();
    host.add(0, id);
    host.add(1, other);
    host.run(5_000);
    host.monitor.redefine(id, Policy::lan(), host.at()).unwrap();
    host.run(9_000);
    assert_eq!(host.times(0, VerdictKind::Suspect), [5_000]);
    assert_eq!(host.times(0, VerdictKind::Dead), [8_000]);
    assert!(host.times(1, VerdictKind::Suspect).is_empty());
    // Back again: it is no suspect by the old policy.
    host.monitor.redefine(id, Policy::mobile(), host.at()).unwrap();
    host.run(300_000);
    assert_eq!(host.times(0, VerdictKind::Revived), [9_000]);
    assert_eq!(host.times(0, VerdictKind::Suspect), [5_000, 240_000]);
    assert!(host.monitor.redefine(id, Policy::lan().with_suspect(1), host.at()).is_err());
}

#[test]
fn a_policy_redefined_concerns_no_number_that_is_not_watched() {
    // At such a time the slot of a number that nobody used looks as if it were filed for later.
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis((1 << 33) + 4_000_000));
    let id = monitor.define(Policy::mobile()).unwrap();
    monitor.add(5, id, Millis((1 << 33) + 4_000_000));
    monitor.redefine(id, Policy::lan(), Millis((1 << 33) + 4_000_000)).unwrap();
    assert_eq!((monitor.len(), monitor.counters().relinks), (1, 1));
}

#[test]
fn a_peer_can_follow_another_policy() {
    let (mut host, lan) = Host::with(Policy::lan());
    let none = host.monitor.define(Policy::none()).unwrap();
    host.add(0, lan);
    host.add(1, none);
    host.run(5_000);
    host.monitor.set_policy(0, none, host.at());
    host.monitor.set_policy(1, lan, host.at());
    host.run(10_000);
    assert_eq!(host.times(0, VerdictKind::Revived), [5_000]);
    assert!(host.times(0, VerdictKind::Dead).is_empty());
    assert_eq!(host.times(1, VerdictKind::Dead)[0], 8_000);
}

#[test]
fn a_grace_counts_no_silence_until_it_ends() {
    let (mut host, lan) = Host::with(Policy::lan().with_role(Role::Ask));
    host.add(0, lan);
    host.run(1_000);
    host.monitor.grace(0, Millis(60_000));
    host.run(30_000);
    host.heard(0); // heard within the grace: the grace stays
    host.run(60_000);
    assert!(host.log.is_empty());
    host.run(68_000);
    assert_eq!(host.times(0, VerdictKind::Dead), [68_000]);
    assert!(host.times(0, VerdictKind::Ask)[0] > 60_900);
}

#[test]
fn a_stall_leaves_a_grace_its_time_and_no_more() {
    let (mut host, lan) = Host::with(Policy::lan());
    host.add(0, lan);
    host.monitor.grace(0, Millis(10_000));
    host.run(5_000);
    host.monitor.promise(Some(Millis(5_000)));
    host.now = 3_605_000;
    host.heard(0);
    host.run(3_700_000);
    assert_eq!(host.times(0, VerdictKind::Dead)[0], 3_618_000);
}

#[test]
fn unjudged_peers_live_for_ever() {
    let (mut host, none) = Host::with(Policy::none());
    host.add(0, none);
    host.run(400 * 24 * 3_600_000);
    assert!(host.log.is_empty());
    // Two looks a day at most.
    let visits = host.monitor.counters().visits;
    assert!((1..400 * 2).contains(&visits), "{visits}");
    assert_eq!(host.monitor.state(0).unwrap().silence_ms / (24 * 3_600_000), 14);
}

#[test]
fn thirty_two_bits_of_milliseconds_may_wrap() {
    let start = u64::from(u32::MAX) - 10_000;
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis(start));
    let id = monitor.define(asking()).unwrap();
    (0..3).for_each(|peer| monitor.add(peer, id, Millis(start)));
    let mut log = Vec::new();
    let mut now = start;
    while now < start + 60_000 {
        let mut verdicts = Vec::new();
        if now % 3_000 == 0 && now < start + 15_000 {
            monitor.heard(1, Millis(now));
        }
        if now % 1_000 == 0 {
            monitor.heard(2, Millis(now));
        }
        monitor.advance(Millis(now), &mut verdicts);
        for v in verdicts.into_iter().filter(|v| v.kind == VerdictKind::Dead) {
            log.push((v.peer, now - start));
            monitor.remove(v.peer);
        }
        now = next_ms(now, [monitor.deadline(), Some(Millis((now / 1_000 + 1) * 1_000))]);
    }
    let last = (start..start + 15_000).rfind(|now| now % 3_000 == 0).unwrap() - start;
    assert_eq!(log.len(), 2);
    assert!(log[0].0 == 0 && (20_000..20_004).contains(&log[0].1), "{log:?}");
    assert!(log[1].0 == 1 && (last + 20_000..last + 20_004).contains(&log[1].1), "{log:?}");
}

#[test]
fn a_timeout_of_seven_days_is_kept_to_the_tick() {
    const DAY: u64 = 24 * 3_600_000;
    let policy = Policy::im().with_interval(DAY as u32).with_suspect(2 * DAY as u32);
    let (mut host, id) = Host::with(Policy { timeout_ms: 7 * DAY as u32, ..policy });
    host.run(45 * DAY + 1);
    host.add(0, id);
    host.run(60 * DAY);
    assert_eq!(host.times(0, VerdictKind::Suspect), [47 * DAY + 4]);
    assert_eq!(host.times(0, VerdictKind::Dead)[0], 52 * DAY + 4);
}

#[test]
fn mass_silence_is_held_and_forgiven() {
    const PEERS: u32 = under_miri(60, 1_000) as u32;
    const BACK: u32 = PEERS / 10 * 9;
    const HALF: usize = PEERS as usize / 2;
    let guard = MassSilence { percent: 50, window_ms: 2_000, hold_ms: 30_000, min_peers: 50 };
    let mut host = Host::guarded(guard);
    let game = host.monitor.define(asking()).unwrap();
    (0..PEERS).for_each(|peer| host.add(peer, game));
    // Everybody is heard for 10 s, then our uplink fails for 25 s.
    for step in 0..=10 {
        host.run(step * 1_000);
        (0..PEERS).for_each(|peer| host.monitor.heard(peer, Millis(step * 1_000 + u64::from(peer))));
    }
    host.run(35_000);
    let told = host.all(VerdictKind::Suspect);
    assert_eq!(told, HALF, "the hold begins with the first beyond half");
    assert_eq!(host.all(VerdictKind::Dead), 0);
    let mass: Vec<_> = host.log.iter().filter(|(_, v)| v.peer == Verdict::NOBODY).collect();
    assert_eq!(mass.len(), 1);
    assert_eq!(mass[0].1.kind, VerdictKind::MassSilence { silent: HALF as u32 + 1, of: PEERS });
    // It comes back for most; the hold ends, and those told of a suspect are told that it revived.
    (0..BACK).for_each(|peer| host.heard(peer));
    host.run(35_000);
    assert_eq!(host.all(VerdictKind::Revived), HALF);
    host.run_with(100_000, |monitor, now, v| match v.kind {
        VerdictKind::Ask if v.peer < BACK => drop(monitor.beat(v.peer, Beat::Answer, now)),
        VerdictKind::Dead => monitor.remove(v.peer),
        _ => (),
    });
    // The tenth who stay silent die, with min(timeout - interval, what was left + the hold) before them.
    assert_eq!(host.all(VerdictKind::Dead), PEERS as usize / 10);
    assert_eq!(host.monitor.len(), BACK as usize);
    assert!(host.log.iter().filter(|(_, v)| v.kind == VerdictKind::Dead).all(|(at, v)| v.peer >= BACK && *at > 44_000));
}

#[test]
fn a_mass_silence_that_does_not_end_ends_in_deaths() {
    let guard = MassSilence { percent: 30, window_ms: 5_000, hold_ms: 30_000, min_peers: 10 };
    let mut host = Host::guarded(guard);
    let game = host.monitor.define(Policy::game()).unwrap();
    (0..100).for_each(|peer| host.add(peer, game));
    host.run_with(120_000, |monitor, _, v| {
        if v.kind == VerdictKind::Dead {
            monitor.remove(v.peer);
        }
    });
    assert_eq!(host.all(VerdictKind::Dead), 100);
    let first = host.log.iter().find(|(_, v)| v.kind == VerdictKind::Dead).unwrap().0;
    assert!((38_000 + 10_000..=38_000 + 15_004).contains(&first), "{first}");
    assert_eq!(host.monitor.counters().mass_silences, 1);
}

#[test]
fn no_mass_is_what_falls_silent_over_a_longer_time_than_the_window() {
    // A hundred in 10 s, and a hundred in 3 s; more than half within 2 s are a mass. In another part of the ring than 0.
    for (each_ms, masses) in [(100, 0), (30, 1)] {
        let guard = MassSilence { percent: 50, window_ms: 2_000, hold_ms: 30_000, min_peers: 100 };
        let mut host = Host::guarded(guard);
        let game = host.monitor.define(Policy::game()).unwrap();
        for peer in 0..100 {
            host.run(600_000 + u64::from(peer) * each_ms);
            host.add(peer, game);
        }
        host.run(600_000 + 8_000 + 100 * each_ms);
        assert_eq!(host.monitor.counters().mass_silences, masses);
        let told = host.all(VerdictKind::Suspect);
        assert_eq!(told, if masses == 0 { 100 } else { 50 });
    }
}

#[test]
fn a_mass_silence_ends_when_fewer_than_half_of_the_share_are_silent() {
    let guard = MassSilence { percent: 40, window_ms: 5_000, hold_ms: 30_000, min_peers: 10 };
    let mut host = Host::guarded(guard);
    let game = host.monitor.define(Policy::game()).unwrap();
    (0..100).for_each(|peer| host.add(peer, game));
    for second in 8..=30 {
        host.run(second * 1_000);
        (20..100).for_each(|peer| host.heard(peer));
    }
    // A fifth is half of the share: still held.
    host.run(30_000);
    let counters = host.monitor.counters();
    assert_eq!((counters.suspects, counters.held, counters.mass_silences), (40, 60, 1));
    assert_eq!((host.all(VerdictKind::Suspect), host.all(VerdictKind::Dead)), (40, 0));
    // One fewer ends it: timeout - interval for those who have nothing left.
    host.heard(19);
    for second in 30..50 {
        host.run(second * 1_000);
        (19..100).for_each(|peer| host.heard(peer));
    }
    assert!((0..19).all(|peer| host.times(peer, VerdictKind::Dead)[0] == 45_000));
    assert_eq!(host.monitor.counters().dead, 19);
}

#[test]
fn after_a_hold_that_ran_out_there_is_no_other_for_the_longest_timeout() {
    let guard = MassSilence { percent: 30, window_ms: 5_000, hold_ms: 10_000, min_peers: 10 };
    let mut host = Host::guarded(guard);
    let game = host.monitor.define(Policy::game()).unwrap();
    (0..100).for_each(|peer| host.add(peer, game));
    // Held from 8 to 18 s. Whoever is silent then is told, but for ten who revive, and dies 12 s later.
    host.run(20_000);
    assert_eq!(host.all(VerdictKind::Suspect), 100);
    for to in [27_000, 29_996] {
        (0..10).for_each(|peer| host.heard(peer));
        host.run(to);
    }
    (0..10).for_each(|peer| host.monitor.remove(peer));
    (100..160).for_each(|peer| host.add(peer, game));
    host.run_with(30_000, |monitor, _, v| {
        if v.kind == VerdictKind::Dead {
            monitor.remove(v.peer);
        }
    });
    assert_eq!(host.monitor.len(), 60);
    (160..200).for_each(|peer| host.add(peer, game));
    // A tick before the timeout is over sixty of a hundred are no mass; then they are.
    host.run(37_996);
    assert_eq!((host.all(VerdictKind::Suspect), host.monitor.counters().mass_silences), (160, 1));
    host.run(38_000);
    let masses: Vec<_> =
        host.log.iter().filter(|(_, v)| v.peer == Verdict::NOBODY).map(|(at, v)| (*at, v.kind)).collect();
    let mass = |silent, of| VerdictKind::MassSilence { silent, of };
    assert_eq!(
        masses,
        [(8_000, mass(31, 100)), (38_000, mass(61, 100))],
        "all who revived, died or were removed are out"
    );
    let counters = host.monitor.counters();
    assert_eq!((counters.suspects, counters.held, counters.mass_silences), (160, 70 + 40, 2));
    assert_eq!((counters.revived, counters.dead), (10, 90));
}

#[test]
fn who_was_paused_through_a_mass_silence_is_suspect_before_it_is_dead() {
    let guard = MassSilence { percent: 30, window_ms: 5_000, hold_ms: 30_000, min_peers: 10 };
    let mut host = Host::guarded(guard);
    let game = host.monitor.define(Policy::game()).unwrap();
    (0..100).for_each(|peer| host.add(peer, game));
    host.run(8_100);
    let told = host.log.iter().map(|(_, v)| v.peer).collect::<Vec<_>>();
    let untold = (0..100).find(|peer| !told.contains(peer)).unwrap();
    host.monitor.pause(untold, host.at());
    host.run(40_000);
    host.monitor.resume(untold, host.at());
    host.run(100_000);
    let (suspect, dead) = (host.times(untold, VerdictKind::Suspect), host.times(untold, VerdictKind::Dead));
    assert!(suspect[0] < dead[0], "{suspect:?} {dead:?}");
}

#[test]
fn numbers_that_are_not_watched_do_nothing() {
    let (mut host, game) = Host::with(Policy::game());
    host.add(5, game);
    for peer in [0, 4, 6, 1 << 24, u32::MAX] {
        host.heard(peer);
        host.monitor.remove(peer);
        host.monitor.first_frame(peer, host.at());
        host.monitor.limit(peer, host.at());
        host.monitor.grace(peer, Millis(99));
        host.monitor.pause(peer, host.at());
        host.monitor.resume(peer, host.at());
        host.monitor.set_policy(peer, game, host.at());
        assert_eq!(host.monitor.beat(peer, Beat::Ask, host.at()), Owed::Nothing);
        assert_eq!(host.monitor.state(peer), None);
    }
    host.run(20_000);
    assert_eq!(host.monitor.len(), 1);
    assert_eq!(host.log.len(), 2);
}

#[test]
fn advance_twice_is_advance_once_and_time_never_goes_back() {
    let (mut host, game) = Host::with(asking());
    (0..50).for_each(|peer| host.add(peer, game));
    host.run(9_000);
    let length = host.log.len();
    let mut verdicts = Vec::new();
    host.monitor.advance(Millis(9_000), &mut verdicts);
    host.monitor.advance(Millis(3_000), &mut verdicts);
    assert!(verdicts.is_empty());
    host.run(9_000);
    assert_eq!(host.log.len(), length);
}

/// Who only listens to a peer that never stops talking would be taken for dead by it: what we hear proves nothing to it.
#[test]
fn l02_a_peer_that_talks_all_the_time_hears_from_us_every_interval_all_the_same() {
    let policy = Policy::game().with_role(Role::Ask);
    let interval = u64::from(policy.interval_ms);
    for speak_every in [None, Some(3 * interval), Some(interval / 3)] {
        for phase in 0..under_miri(2, 20) {
            let mut host = Host::new(MonitorConfig { seed: phase, tells_sends: true, ..MonitorConfig::default() });
            let id = host.monitor.define(policy).unwrap();
            host.add(7, id);
            let mut spoken = vec![0];
            for step in 1..under_miri(500, 2_000) {
                host.run(step * 100);
                host.heard(7);
                if speak_every.is_some_and(|every| (step * 100 + phase * 50) % every < 100) {
                    host.monitor.spoke(7);
                    spoken.push(host.now);
                }
            }
            let asks = host.times(7, VerdictKind::Ask);
            let mut signs = [spoken, asks.clone()].concat();
            signs.sort_unstable();
            let longest = signs.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(longest <= interval + TICK_MS, "{speak_every:?}: {longest} ms without a sign of ours");
            assert!(host.now - signs.last().unwrap() <= interval + TICK_MS);
            // L2: traffic of ours replaces the beats.
            match speak_every {
                Some(often) if often < interval / 2 => assert_eq!(asks, [0; 0]),
                None => assert!(asks.len() as u64 <= host.now / interval + 1, "{} asks", asks.len()),
                _ => assert!(asks.len() as u64 <= 2 * host.now / interval, "{} asks", asks.len()),
            }
        }
    }
}

#[test]
fn l02_a_host_that_does_not_tell_what_it_sends_asks_only_the_silent() {
    let (mut host, id) = Host::with(Policy::game().with_role(Role::Ask));
    host.add(7, id);
    for step in 1..under_miri(500, 2_000) {
        host.run(step * 100);
        host.heard(7);
    }
    assert_eq!(host.all(VerdictKind::Ask), 0);
}

/// 5 s without jitter: asks go out a tick before; looks come twice an interval.
fn telling(policy: Policy) -> (Host, PolicyId) {
    let mut host = Host::new(MonitorConfig { tells_sends: true, ..MonitorConfig::default() });
    let id = host.monitor.define(policy.with_jitter(0)).unwrap();
    host.add(0, id);
    (host, id)
}

/// Peer 0 talks each 100 ms until `to`.
fn talk(host: &mut Host, to: u64) {
    while host.now < to {
        host.run((host.now / 100 + 1) * 100);
        host.heard(0);
    }
}

#[test]
fn l02_our_silence_matters_to_nobody_who_is_not_to_be_asked() {
    let (mut host, _) = telling(asking().with_after_first_frame(true));
    talk(&mut host, 12_000);
    assert_eq!(host.all(VerdictKind::Ask), 0, "its first frame has not come (L13)");
    host.monitor.first_frame(0, host.at());
    talk(&mut host, 18_000);
    assert!((1..=2).contains(&host.all(VerdictKind::Ask)), "{}", host.all(VerdictKind::Ask));
    // Nor is it asked while it is paused (L10), or once its death was proposed (L6).
    let asked = host.all(VerdictKind::Ask);
    host.monitor.pause(0, host.at());
    host.run(60_000);
    assert_eq!(host.all(VerdictKind::Ask), asked);
    host.monitor.resume(0, host.at());
    host.run(100_000);
    let dead = host.times(0, VerdictKind::Dead);
    assert!(dead.len() > 2 && host.times(0, VerdictKind::Ask).iter().all(|at| *at < dead[0]));
}

#[test]
fn l02_a_suspect_is_not_asked_out_of_turn() {
    let (mut host, _) = telling(asking());
    host.run(7_000);
    host.monitor.spoke(0);
    host.run(9_000);
    // Looked at at 7,496, where we had spoken; at 8,000 we had not since, but it is asked 5 s after the last ask anyway.
    assert_eq!(host.times(0, VerdictKind::Suspect), [8_000]);
    assert_eq!(host.times(0, VerdictKind::Ask), [4_996]);
}

#[test]
fn l02_what_we_said_before_a_longer_interval_began_is_counted_from_when_we_said_it() {
    let (mut host, _) = telling(asking());
    let slow = host.monitor.define(Policy::web().with_role(Role::Ask).with_jitter(0)).unwrap();
    talk(&mut host, 2_400);
    host.monitor.spoke(0);
    talk(&mut host, 3_000);
    host.monitor.set_policy(0, slow, host.at());
    talk(&mut host, 40_000);
    let first = host.times(0, VerdictKind::Ask)[0];
    assert!(first <= 2_400 + 25_000 + TICK_MS, "{first}");
}
