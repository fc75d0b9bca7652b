//! When each person next does something: one entry a person, in a ring of steps.

/// Milliseconds in a step: how often the host comes by at the most, and how exactly people keep time.
pub(crate) const STEP_MS: u64 = 50;
/// A bit more than a day; who waits longer is passed over once a round.
const RING: u32 = 1 << 21;
const NOBODY: u32 = u32::MAX;
/// Never: later than any month.
pub(crate) const NEVER: u32 = u32::MAX;

/// A person's place in the calendar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The step at which it is due.
    pub(crate) at: u32,
    next: u32,
}

impl Default for Entry {
    fn default() -> Self {
        Self { at: NEVER, next: NOBODY }
    }
}

/// Whoever has an entry.
pub(crate) trait Entries {
    fn entry(&mut self, person: u32) -> &mut Entry;
}

/// The heads of the lists that the entries are linked into.
pub(crate) struct Calendar {
    heads: Vec<u32>,
}

impl Calendar {
    pub(crate) fn new() -> Self {
        Self { heads: vec![NOBODY; RING as usize] }
    }

    /// Files `person`, who is not filed, for the step `at`.
    pub(crate) fn file(&mut self, entries: &mut impl Entries, person: u32, at: u32) {
        let head = &mut self.heads[(at % RING) as usize];
        *entries.entry(person) = Entry { at, next: *head };
        *head = person;
    }

    /// Whether nobody is filed for `step`, nor for one whole rounds later.
    pub(crate) fn is_free(&self, step: u32) -> bool {
        self.heads[(step % RING) as usize] == NOBODY
    }

    /// Takes all who are due at `step` out, into `due`.
    pub(crate) fn take(&mut self, entries: &mut impl Entries, step: u32, due: &mut Vec<u32>) {
        let mut person = std::mem::replace(&mut self.heads[(step % RING) as usize], NOBODY);
        while person != NOBODY {
            let Entry { at, next } = *entries.entry(person);
            if at == step {
                due.push(person);
            } else if at != NEVER {
                self.file(entries, person, at);
            }
            person = next;
        }
    }
}
