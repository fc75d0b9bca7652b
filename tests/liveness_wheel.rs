//! The wheel beside a model: a `BTreeMap` of deadlines.

use std::collections::BTreeSet;

use heartline::liveness::wheel::{Links, MAX_ENTRIES, NIL, RANGE, Wheel};
use heartline::time::Tick;
use proptest::prelude::*;

/// Miri runs each step a thousand times as slowly.
const STEPS: u32 = if cfg!(miri) { 300 } else { 400_000 };
const WAKING_ENTRIES: u32 = if cfg!(miri) { 40 } else { 1_000 };

#[derive(Clone, Copy)]
struct Entry {
    next: u32,
    prev: u32,
    filed: u32,
}

struct Entries(Vec<Entry>);

impl Links for Entries {
    fn next(&self, entry: u32) -> u32 {
        self.0[entry as usize].next
    }
    fn set_next(&mut self, entry: u32, next: u32) {
        self.0[entry as usize].next = next;
    }
    fn prev(&self, entry: u32) -> u32 {
        self.0[entry as usize].prev
    }
    fn set_prev(&mut self, entry: u32, prev: u32) {
        self.0[entry as usize].prev = prev;
    }
    fn filed(&self, entry: u32) -> u32 {
        self.0[entry as usize].filed
    }
    fn set_filed(&mut self, entry: u32, tick: u32) {
        self.0[entry as usize].filed = tick;
    }
}

/// The wheel and the model, told the same.
struct Pair {
    wheel: Wheel,
    links: Entries,
    /// When each entry is really due, if it is filed.
    due: Vec<Option<u64>>,
    model: BTreeSet<(u64, u32)>,
    now: u64,
}

impl Pair {
    fn new(entries: u32, now: u64) -> Self {
        let nowhere = Entry { next: NIL, prev: NIL, filed: 0 };
        Self {
            wheel: Wheel::new(Tick(now)),
            links: Entries(vec![nowhere; entries as usize]),
            due: vec![None; entries as usize],
            model: BTreeSet::new(),
            now,
        }
    }

    fn cancel(&mut self, entry: u32) {
        if let Some(due) = self.due[entry as usize].take() {
            self.wheel.unlink(&mut self.links, entry);
            self.model.remove(&(due, entry));
        }
        assert!(!self.wheel.is_filed(&self.links, entry));
    }

    fn file(&mut self, entry: u32, due: u64) {
        self.cancel(entry);
        self.wheel.file(&mut self.links, entry, Tick(due));
        let filed = self.wheel.filed(&self.links, entry).0;
        assert_eq!(filed, due.min(self.wheel.now().0 + RANGE));
        self.due[entry as usize] = Some(due);
        self.model.insert((due, entry));
    }

    /// Lazily: the deadline moves later and the wheel is not told.
    fn later(&mut self, entry: u32, by: u64) {
        if let Some(due) = self.due[entry as usize] {
            self.model.remove(&(due, entry));
            self.due[entry as usize] = Some(due + by);
            self.model.insert((due + by, entry));
        }
    }

    /// Turns to `to`; at most `limit` entries come up. Returns whether that was all.
    fn turn(&mut self, to: u64, limit: usize) -> bool {
        self.now = self.now.max(to);
        for _ in 0..limit {
            let Some(entry) = self.wheel.take(&mut self.links, Tick(self.now)) else {
                assert!(self.model.first().is_none_or(|(due, _)| *due > self.now), "late: {:?}", self.model.first());
                assert!(self.wheel.now().0 == self.now);
                self.check_next();
                return true;
            };
            let due = self.due[entry as usize].expect("it was filed");
            if due > self.now {
                self.wheel.file(&mut self.links, entry, Tick(due));
            } else {
                self.due[entry as usize] = None;
                assert!(self.model.remove(&(due, entry)));
            }
        }
        false
    }

    /// `next` is never later than the truth.
    fn check_next(&self) {
        match (self.wheel.next(), self.model.first()) {
            (None, None) => (),
            (Some(next), Some((due, _))) => assert!(next.0 <= *due),
            (next, due) => panic!("{next:?} but {due:?}"),
        }
    }
}

/// Distances as they occur: near, around the borders of the levels, far, beyond the range.
fn distance(random: u64) -> u64 {
    match random % 8 {
        0 => random >> 8 & 0x3f,
        1 => random >> 8 & 0xfff,
        2 => random >> 8 & 0x3_ffff,
        3 => random >> 8 & 0xff_ffff,
        4 => 1 << (6 * (random >> 8 & 3)),
        5 => (1 << (6 * (1 + (random >> 8 & 3)))) - 1,
        6 => RANGE - 2 + (random >> 8 & 3),
        _ => RANGE + (random >> 8 & 0xfff_ffff),
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[test]
fn a_million_operations_beside_the_model() {
    for (seed, start) in [(1, 0), (2, u64::from(u32::MAX) - 5_000), (3, (1 << 24) - 70), (4, 12_345_678_901)] {
        let mut pair = Pair::new(300, start);
        let mut dice = Dice(seed * 0x9e37_79b9);
        for _ in 0..STEPS {
            let random = dice.roll();
            let entry = (dice.roll() % 300) as u32;
            match random % 10 {
                0..=3 => pair.file(entry, pair.now + distance(random >> 4)),
                4 => pair.cancel(entry),
                5..=6 => pair.later(entry, distance(random >> 4) / 8),
                7 => drop(pair.turn(pair.now + distance(random >> 4) / 64, 3)),
                8 => drop(pair.turn(pair.now + (random >> 4 & 0x3f), usize::MAX)),
                _ => {
                    if let Some(next) = pair.wheel.next() {
                        pair.turn(next.0, usize::MAX);
                    }
                }
            }
        }
        while let Some(next) = pair.wheel.next() {
            pair.turn(next.0, usize::MAX);
        }
        assert!(pair.model.is_empty());
    }
}

proptest! {
    #[test]
    fn any_script_comes_out_as_in_the_model(start in 0..u64::from(u32::MAX) * 2, steps in proptest::collection::vec((0..5u8, 0..12u32, any::<u64>()), 1..200)) {
        let mut pair = Pair::new(12, start);
        for (what, entry, random) in steps {
            match what {
                0 | 1 => pair.file(entry, pair.now + distance(random)),
                2 => pair.cancel(entry),
                3 => pair.later(entry, distance(random)),
                _ => drop(pair.turn(pair.now + distance(random), 1 + (random >> 40) as usize % 20)),
            }
        }
        pair.turn(pair.now, usize::MAX);
    }
}

#[test]
fn waking_only_at_next_finds_every_deadline_in_its_own_tick() {
    let mut pair = Pair::new(WAKING_ENTRIES, 77);
    let mut dice = Dice(5);
    for entry in 0..WAKING_ENTRIES {
        pair.file(entry, 78 + distance(dice.roll()) % (3 * RANGE));
    }
    let mut wakes = 0;
    while let Some(next) = pair.wheel.next() {
        wakes += 1;
        let due = pair.model.first().unwrap().0;
        assert!(next.0 <= due);
        pair.turn(next.0, usize::MAX);
    }
    // Each entry costs its own wake-up and at most three on its way down, plus those beyond the range.
    assert!(wakes < WAKING_ENTRIES * 8, "{wakes}");
}

#[test]
fn what_lies_beyond_eighteen_hours_is_clamped_and_comes_up_early() {
    const { assert!(RANGE * 4 > 18 * 3_600_000) };
    let mut pair = Pair::new(1, 1_000_000);
    pair.file(0, 1_000_000 + 10 * RANGE);
    let mut visits = 0;
    while pair.due[0].is_some() {
        let next = pair.wheel.next().unwrap().0;
        pair.turn(next, usize::MAX);
        visits += 1;
    }
    assert_eq!(pair.now, 1_000_000 + 10 * RANGE);
    assert!(visits <= 25, "{visits}");
}

#[test]
fn what_is_filed_for_the_past_is_due_at_once() {
    let mut pair = Pair::new(2, 100);
    pair.file(0, 3);
    pair.file(1, 100);
    assert_eq!(pair.wheel.next(), Some(Tick(100)));
    assert!(pair.turn(100, 3));
    assert!(pair.model.is_empty() && pair.wheel.next().is_none());
}

#[test]
fn a_walk_goes_on_where_it_stopped_though_entries_come_and_go() {
    let mut pair = Pair::new(100, 0);
    (0..100).for_each(|entry| pair.file(entry, 10));
    assert!(!pair.turn(10, 40));
    assert_eq!(pair.model.len(), 60);
    for entry in 0..100 {
        if entry % 3 == 0 {
            pair.cancel(entry);
        } else if pair.due[entry as usize].is_none() {
            pair.file(entry, 11);
        }
    }
    assert!(pair.turn(10, usize::MAX));
    assert!(pair.turn(11, usize::MAX));
    assert!(pair.model.is_empty());
    const { assert!(MAX_ENTRIES > 16_000_000) };
}
