//! When each person next does something: a page for every 12.8 s, of which the present one has a line for each step.
//!
//! A page to come is a plain list, written at its end and read once from the beginning: a million people in linked lists
//! would be a cache miss each, one after the other.

use std::collections::VecDeque;

/// Milliseconds in a step: how often the host comes by at the most, and how exactly people keep time.
pub(crate) const STEP_MS: u64 = 50;
/// Never: later than any month.
pub(crate) const NEVER: u32 = u32::MAX;

/// Steps of a page; an entry is such a step and a person in 32 bits.
const STEPS: u32 = 1 << (u32::BITS - PERSON_BITS);
const PERSON_BITS: u32 = 24;

pub(crate) struct Calendar {
    /// The first step of the present page.
    first: u32,
    /// The present page: who is due, by step.
    lines: Box<[Vec<u32>]>,
    /// Which lines are not empty.
    busy: [u64; STEPS as usize / 64],
    /// The pages to come, nearest first.
    to_come: VecDeque<Vec<u32>>,
}

impl Calendar {
    pub(crate) fn new() -> Self {
        let lines = (0..STEPS).map(|_| Vec::new()).collect();
        Self { first: 0, lines, busy: [0; STEPS as usize / 64], to_come: VecDeque::new() }
    }

    /// Files `person` for the step `at`, which has not been taken yet.
    pub(crate) fn file(&mut self, person: u32, at: u32) {
        debug_assert!(person < 1 << PERSON_BITS && at >= self.first);
        match ((at - self.first) / STEPS).checked_sub(1) {
            None => self.write(person, at % STEPS),
            Some(page) => {
                let page = page as usize;
                if page >= self.to_come.len() {
                    self.to_come.resize_with(page + 1, Vec::new);
                }
                self.to_come[page].push((at % STEPS) << PERSON_BITS | person);
            }
        }
    }

    /// The first step from `from` on, but before `until`, for which somebody is filed; otherwise `until`.
    pub(crate) fn next(&mut self, from: u32, until: u32) -> u32 {
        let mut step = from;
        while step < until {
            self.turn_to(step);
            let line = step % STEPS;
            let ahead = self.busy[line as usize / 64] >> (line % 64);
            if ahead != 0 {
                return until.min(step + ahead.trailing_zeros());
            }
            step += 64 - line % 64;
        }
        until
    }

    /// Takes all who are due at `step` out, into `due`, which is empty. Nobody may be left at an earlier one.
    pub(crate) fn take(&mut self, step: u32, due: &mut Vec<u32>) {
        self.turn_to(step);
        let line = step % STEPS;
        // A page before the present one was empty when it was turned.
        if step >= self.first && self.is_busy(line) {
            self.busy[line as usize / 64] &= !(1 << (line % 64));
            std::mem::swap(due, &mut self.lines[line as usize]);
        }
    }

    /// Makes the page of `step` the present one.
    fn turn_to(&mut self, step: u32) {
        while step >= self.first.saturating_add(STEPS) {
            debug_assert_eq!(self.busy, [0; STEPS as usize / 64], "somebody was passed over");
            self.first += STEPS;
            for entry in self.to_come.pop_front().unwrap_or_default() {
                self.write(entry % (1 << PERSON_BITS), entry >> PERSON_BITS);
            }
        }
    }

    fn write(&mut self, person: u32, line: u32) {
        self.busy[line as usize / 64] |= 1 << (line % 64);
        self.lines[line as usize].push(person);
    }

    fn is_busy(&self, line: u32) -> bool {
        self.busy[line as usize / 64] & 1 << (line % 64) != 0
    }
}
