//! Policies and their text form; the advisor's sentences.

use heartline::liveness::{Advice, Advisor, MAX_POLICIES, Monitor, MonitorConfig, Policy, PolicyError, Role};
use heartline::time::Millis;
use proptest::prelude::*;

#[test]
fn l12_a_timeout_given_alone_scales_the_other_two() {
    let policy = Policy::game().with_timeout(40_000);
    assert_eq!((policy.interval_ms, policy.suspect_ms, policy.timeout_ms), (10_000, 16_000, 40_000));
    assert_eq!(Policy::none().with_timeout(70_000).suspect_ms, 30_000);
    assert!(!Policy::game().with_timeout(0).judges());
    for profile in ["lan", "game", "im", "web", "mobile"] {
        for ms in [200, 1_000, 8_000, 604_800_000] {
            Policy::profile(profile).unwrap().with_timeout(ms).check().unwrap();
        }
    }
}

#[test]
fn l12_the_order_is_checked() {
    let order = |i, s, t| Policy { timeout_ms: t, ..Policy::im().with_interval(i).with_suspect(s) }.check();
    assert!(order(1_000, 2_000, 3_000).is_ok());
    for (i, s, t) in [(2_000, 2_000, 3_000), (1_000, 3_000, 3_000), (1_000, 4_000, 3_000)] {
        assert_eq!(order(i, s, t), Err(PolicyError::OutOfOrder { interval_ms: i, suspect_ms: s, timeout_ms: t }));
    }
}

#[test]
fn bounds_are_named_with_the_value() {
    let error = Policy::game().with_interval(3).check().unwrap_err();
    assert_eq!(error.to_string(), "interval_ms is 3, but must be 20 to 604800000");
    let error = Policy::game().with_timeout(604_800_001).check().unwrap_err();
    assert!(error.to_string().starts_with("timeout_ms is 604800001"), "{error}");
    assert!(Policy::game().with_jitter(51).check().unwrap_err().to_string().contains("jitter_percent is 51"));
    assert!(Policy::game().with_rtt_every(1).check().is_err());
    assert!(Policy::none().with_role(Role::Ask).check().is_err(), "who asks needs an interval");
}

#[test]
fn the_text_form_is_read() {
    let parsed = Policy::parse("game,role=watch,timeout=40s").unwrap();
    assert_eq!(parsed, Policy::game().with_timeout(40_000).with_role(Role::Watch));
    assert_eq!(Policy::parse("").unwrap(), Policy::im());
    assert_eq!(Policy::parse("none").unwrap(), Policy::none());
    assert_eq!(Policy::parse("timeout=70s, suspect = 31s").unwrap().suspect_ms, 31_000);
    let parsed = Policy::parse("lan,jitter=0,rtt-every=500ms,after-first-frame,role=both").unwrap();
    assert_eq!((parsed.jitter_percent, parsed.rtt_every_ms, parsed.after_first_frame), (0, 500, true));
    assert_eq!("mobile,timeout=1h".parse::<Policy>().unwrap().timeout_ms, 3_600_000);
    assert_eq!("mobile,timeout=5m".parse::<Policy>().unwrap().timeout_ms, 300_000);
    assert_eq!(Policy::parse("game,timeout=0").unwrap().timeout_ms, 0);
    for (text, waits) in [("", true), ("=yes", true), ("=true", true), ("=no", false), ("=false", false)] {
        assert_eq!(Policy::parse(&format!("game,after-first-frame{text}")).unwrap().after_first_frame, waits);
    }
}

#[test]
fn the_text_form_says_what_is_wrong() {
    let why = |text: &str| Policy::parse(text).unwrap_err().to_string();
    assert!(why("gaem").starts_with("\"gaem\" is neither a profile"));
    assert!(why("role=watch,game").starts_with("\"game\" is neither"), "a profile comes first");
    assert_eq!(why("game,timeout=20"), "timeout=20: expected a duration with its unit (ms, s, m, h), such as 20s");
    assert_eq!(why("game,role=boss"), "role=boss: expected watch, answer, ask or both");
    assert!(why("timeout=99999999999s").starts_with("timeout="));
    assert!(why("jitter=ten").contains("percentage"));
    assert_eq!(why("after-first-frame=maybe"), "after-first-frame=maybe: expected yes or no");
    assert!(why("game,suspect=1s").contains("does not hold"));
}

proptest! {
    #[test]
    fn what_is_displayed_is_read_back(
        role in prop_oneof![Just(Role::Watch), Just(Role::Answer), Just(Role::Ask), Just(Role::Both)],
        interval in 20..1_000_000u32, more in 1..1_000_000u32, rest in 1..1_000_000u32,
        jitter in 0..=50u8, rtt in prop_oneof![Just(0), 20..100_000u32], wait: bool, judges: bool,
    ) {
        let timeout_ms = if judges { interval + more + rest } else { 0 };
        let policy = Policy {
            role, interval_ms: interval, suspect_ms: interval + more, timeout_ms,
            jitter_percent: jitter, rtt_every_ms: rtt, after_first_frame: wait,
        };
        prop_assert_eq!(Policy::parse(&policy.to_string()).unwrap(), policy);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = Policy::parse(&text);
        let _ = Policy::parse(&format!("game,{text}"));
        let _ = Policy::parse(&format!("game,timeout={text}"));
    }

    #[test]
    fn a_quantile_is_at_most_a_sixteenth_too_high(mut values in proptest::collection::vec(0..u32::MAX, 1..300), share in 0.0..1.0f64) {
        let mut advisor = Advisor::new();
        values.iter().for_each(|ms| advisor.record(*ms));
        values.sort_unstable();
        let rank = ((share * values.len() as f64).ceil() as usize).max(1);
        let (truth, said) = (values[rank - 1], advisor.quantile(share));
        prop_assert!(said >= truth && u64::from(said) <= u64::from(truth) + u64::from(truth) / 16, "{} for {}", said, truth);
    }
}

#[test]
fn a_monitor_knows_256_policies_and_finds_them() {
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
    for number in 0..MAX_POLICIES as u32 {
        let id = monitor.define(Policy::im().with_interval(1_000 + number)).unwrap();
        assert_eq!(id.index(), number as usize);
        assert_eq!(monitor.policy_id(id.index()), Some(id));
        assert_eq!(monitor.find_policy(&Policy::im().with_interval(1_000 + number)), Some(id));
    }
    let refused = monitor.define(Policy::im()).unwrap_err();
    assert_eq!((&refused, refused.to_string().contains("256")), (&PolicyError::TooMany, true));
    assert_eq!(monitor.policy_id(MAX_POLICIES), None);
    assert_eq!(monitor.find_policy(&Policy::im()), None);
    // An id that only another monitor gave.
    let (unknown, mut smaller) = (monitor.policy_id(7).unwrap(), Monitor::new(MonitorConfig::default(), Millis(0)));
    let refused = smaller.redefine(unknown, Policy::im(), Millis(0)).unwrap_err();
    assert_eq!(refused.to_string(), "policy 7 is not of this monitor");
}

#[test]
fn the_id_of_another_monitor_changes_nothing() {
    let mut monitor = Monitor::new(MonitorConfig::default(), Millis(0));
    let (lan, game) = (monitor.define(Policy::lan()).unwrap(), monitor.define(Policy::game()).unwrap());
    assert_eq!((monitor.policy(lan), monitor.policy(game)), (&Policy::lan(), &Policy::game()));
    let mut smaller = Monitor::new(MonitorConfig::default(), Millis(0));
    assert_eq!(smaller.policy_id(0), None);
    let only = smaller.define(Policy::game()).unwrap();
    assert_eq!((smaller.policy_id(0), smaller.policy_id(1)), (Some(only), None));
    smaller.add(0, game, Millis(0));
    assert!(smaller.is_empty());
    smaller.add(0, only, Millis(0));
    smaller.set_policy(0, game, Millis(0));
    assert_eq!((smaller.len(), smaller.state(0).unwrap().policy), (1, only));
}

#[test]
fn l15_advice_is_a_sentence() {
    let mut advisor = Advisor::new();
    let say = |advisor: &Advisor, policy: Policy| advisor.advice(&policy).to_string();
    assert_eq!(say(&advisor, Policy::im()), "no silence has ended yet; too few for advice");
    advisor.record(8_200);
    assert_eq!(say(&advisor, Policy::im()), "silences that ended: 1, the longest after 8.2 s; too few for advice");
    // So many that twenty of them are more than one in ten thousand, with Miri's patience in mind.
    (0..if cfg!(miri) { 10_000 } else { 100_000 }).for_each(|_| advisor.record(10_000));
    (0..20).for_each(|_| advisor.record(21_000));
    assert_eq!(advisor.quantile(0.9999), 21_000);
    assert_eq!(say(&advisor, Policy::im()), "99.99 % of silences were over by 21 s; your timeout is 35 s");
    assert_eq!(say(&advisor, Policy::none()), "99.99 % of silences were over by 21 s; you have no timeout");
    assert!(matches!(advisor.advice(&Policy::game()), Advice::Tight { usual_ms: 21_000, timeout_ms: 20_000 }));
    assert!(say(&advisor, Policy::game()).ends_with("your timeout is 20 s: too short for safety"));
    assert!(say(&advisor, Policy::mobile()).ends_with("your timeout is 400 s: it could be shorter"));
}

#[test]
fn l15_advice_has_bounds() {
    let of = |silences, ms| {
        let mut advisor = Advisor::new();
        (0..silences).for_each(|_| advisor.record(ms));
        advisor.advice(&Policy::game())
    };
    let timeout_ms = 20_000;
    assert_eq!(of(9_999, 7_000), Advice::TooFew { silences: 9_999, longest_ms: 7_000 });
    for (usual_ms, advice) in [
        (15_001, Advice::Tight { usual_ms: 15_001, timeout_ms }),
        (15_000, Advice::Right { usual_ms: 15_000, timeout_ms }),
        (5_000, Advice::Right { usual_ms: 5_000, timeout_ms }),
        (4_999, Advice::Roomy { usual_ms: 4_999, timeout_ms }),
    ] {
        assert_eq!(of(10_000, usual_ms), advice);
    }
}

#[test]
fn l15_a_time_is_said_as_people_say_it() {
    for (longest_ms, said) in [
        (999, "999 ms"),
        (1_000, "1 s"),
        (1_049, "1 s"),
        (1_050, "1.1 s"),
        (1_949, "1.9 s"),
        (1_950, "2 s"),
        (9_949, "9.9 s"),
        (9_950, "10 s"),
        (10_499, "10 s"),
        (10_500, "11 s"),
    ] {
        let text = Advice::TooFew { silences: 3, longest_ms }.to_string();
        assert_eq!(
            text,
            format!("silences that ended: 3, the longest after {said}; too few for advice"),
            "{longest_ms}"
        );
    }
}

#[test]
fn l15_advisors_of_several_threads_merge() {
    let (mut one, mut two, mut both) = (Advisor::new(), Advisor::new(), Advisor::new());
    for ms in (0..50_000).step_by(if cfg!(miri) { 101 } else { 1 }).map(|n| n * 7 % 40_000) {
        if ms % 3 == 0 {
            one.record(ms)
        } else {
            two.record(ms)
        }
        both.record(ms);
    }
    one.merge(&two);
    assert_eq!((one.count(), one.longest_ms()), (both.count(), both.longest_ms()));
    assert!((0..=100).all(|share| one.quantile(f64::from(share) / 100.0) == both.quantile(f64::from(share) / 100.0)));
}
