//! A lazy, hierarchical timer wheel that owns no entries.
//!
//! Four levels of 64 slots, one tick of 4 ms in a slot of the lowest. The lists run through the entries themselves, by
//! index ([`Links`]), so an entry costs no allocation and its array may move. A `u64` per level says which slots are
//! occupied: the next deadline is a few `trailing_zeros`.
//!
//! Lazy (L3): a deadline that moves *later* is not told to the wheel. The entry comes up at its old time, its owner sees
//! that nothing is due and files it again. Only a deadline that moves *nearer* is worth a relink.
//!
//! The way of an entry: [`file`](Wheel::file) → a slot → (when the slot's first tick is reached) the due list →
//! [`take`](Wheel::take). A whole slot moves to the due list at once, so that what is filed during the walk never
//! joins the walked list, and a walk may stop anywhere and go on in a later turn (L8).

use crate::time::Tick;

/// Levels of the wheel.
pub const LEVELS: usize = 4;
/// Slots of one level.
pub const SLOTS: usize = 64;
/// Bits of a tick that choose the slot of one level.
const BITS: u32 = SLOTS.trailing_zeros();
/// How far ahead an entry can be filed, in ticks (18.3 hours). Longer deadlines are filed there and come up early.
/// One slot of the highest level less than 64⁴: so no entry shares the highest slot with the present.
pub const RANGE: u64 = (SLOTS as u64 - 1) << (BITS * (LEVELS as u32 - 1));

/// The list of what is due already, after the lists of the slots.
const DUE: usize = LEVELS * SLOTS;
/// The end of a list; as `prev`, the mark of an entry that is not filed.
pub const NIL: u32 = (1 << 24) - 1;
/// A `prev` from here on names a list, not an entry.
const HEADS: u32 = NIL - 1 - DUE as u32;
/// Entries have indices below this: 24 bits, less the marks.
pub const MAX_ENTRIES: u32 = HEADS;

/// Where the wheel keeps its links: an array of entries, each with two 24-bit indices and the low 32 bits of a tick.
///
/// A new entry has `prev` = [`NIL`].
pub trait Links {
    /// The entry after `entry`, or [`NIL`].
    fn next(&self, entry: u32) -> u32;
    /// What [`next`](Self::next) shall return.
    fn set_next(&mut self, entry: u32, next: u32);
    /// What is before `entry`.
    fn prev(&self, entry: u32) -> u32;
    /// What [`prev`](Self::prev) shall return.
    fn set_prev(&mut self, entry: u32, prev: u32);
    /// The tick that `entry` is filed under, low 32 bits.
    fn filed(&self, entry: u32) -> u32;
    /// What [`filed`](Self::filed) shall return.
    fn set_filed(&mut self, entry: u32, tick: u32);
}

/// The wheel: 1,072 bytes, however many entries.
#[derive(Clone, Debug)]
pub struct Wheel {
    /// Everything filed up to this tick is on the due list or was taken.
    elapsed: u64,
    occupied: [u64; LEVELS],
    heads: [u32; DUE + 1],
}

impl Wheel {
    /// An empty wheel that stands at `now`.
    pub const fn new(now: Tick) -> Self {
        Self { elapsed: now.0, occupied: [0; LEVELS], heads: [NIL; DUE + 1] }
    }

    /// Files `entry`, which must not be filed, to come up at `at`; at once if that has passed; after [`RANGE`] if it is
    /// further away.
    pub fn file<L: Links + ?Sized>(&mut self, links: &mut L, entry: u32, at: Tick) {
        debug_assert!(entry < MAX_ENTRIES, "entry {entry} is beyond {MAX_ENTRIES}");
        debug_assert!(!self.is_filed(links, entry), "entry {entry} is filed already");
        let at = at.0.min(self.elapsed + RANGE);
        let list = self.list_of(at);
        links.set_filed(entry, at as u32);
        let first = self.heads[list];
        links.set_next(entry, first);
        links.set_prev(entry, HEADS + list as u32);
        if first != NIL {
            links.set_prev(first, entry);
        }
        self.heads[list] = entry;
        if list != DUE {
            self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
        }
    }

    /// Takes `entry`, which must be filed, out of its list.
    pub fn unlink<L: Links + ?Sized>(&mut self, links: &mut L, entry: u32) {
        debug_assert!(self.is_filed(links, entry), "entry {entry} is not filed");
        let (prev, next) = (links.prev(entry), links.next(entry));
        if prev < HEADS {
            links.set_next(prev, next);
        } else {
            let list = (prev - HEADS) as usize;
            debug_assert_eq!(self.heads[list], entry);
            self.heads[list] = next;
            if next == NIL && list != DUE {
                self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
            }
        }
        if next != NIL {
            links.set_prev(next, prev);
        }
        links.set_prev(entry, NIL);
    }

    /// Whether `entry` is filed.
    pub fn is_filed<L: Links + ?Sized>(&self, links: &L, entry: u32) -> bool {
        links.prev(entry) != NIL
    }

    /// The tick that `entry` was filed under.
    pub fn filed<L: Links + ?Sized>(&self, links: &L, entry: u32) -> Tick {
        // Never further from `elapsed` than RANGE ahead, so the low 32 bits tell it.
        let ahead = links.filed(entry).wrapping_sub(self.elapsed as u32).cast_signed();
        Tick(self.elapsed.saturating_add_signed(i64::from(ahead)))
    }

    /// Turns to `to` and takes one entry whose time has come, in no particular order within a tick; `None` when there
    /// is none left.
    ///
    /// It may come *before* the tick it was filed under, when the slot it lay in begins: its owner looks at what is
    /// really due and files it again. It never comes after.
    pub fn take<L: Links + ?Sized>(&mut self, links: &mut L, to: Tick) -> Option<u32> {
        loop {
            let first = self.heads[DUE];
            if first != NIL {
                self.unlink(links, first);
                return Some(first);
            }
            match self.earliest() {
                Some((list, start)) if start <= to.0 => {
                    debug_assert!(start > self.elapsed);
                    self.elapsed = start;
                    self.detach(links, list);
                }
                _ => {
                    self.elapsed = self.elapsed.max(to.0);
                    return None;
                }
            }
        }
    }

    /// When [`take`](Self::take) will next have an entry: never later than the truth, and exact for the nearest 64 ticks.
    pub fn next(&self) -> Option<Tick> {
        if self.heads[DUE] != NIL {
            return Some(Tick(self.elapsed));
        }
        self.earliest().map(|(_, start)| Tick(start))
    }

    /// The tick that the wheel stands at.
    pub fn now(&self) -> Tick {
        Tick(self.elapsed)
    }

    /// The list for tick `at`: the level is that of the highest digit in which it differs from the present.
    fn list_of(&self, at: u64) -> usize {
        if at <= self.elapsed {
            return DUE;
        }
        let digit = (63 - (at ^ self.elapsed).leading_zeros()) / BITS;
        let level = (digit as usize).min(LEVELS - 1);
        let list = level * SLOTS + slot_of(at, level);
        debug_assert_ne!(slot_of(at, level), slot_of(self.elapsed, level), "a slot that has begun takes no entry");
        list
    }

    /// The occupied list that begins first, and the tick at which it does. Lower levels lie before higher ones.
    fn earliest(&self) -> Option<(usize, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let present = slot_of(self.elapsed, level) as u32;
        // Only the highest level runs round; in the others nothing lies behind the present slot.
        let ahead = self.occupied[level].rotate_right(present).trailing_zeros();
        debug_assert!(ahead > 0 && (level == LEVELS - 1 || present + ahead < SLOTS as u32));
        let shift = BITS * level as u32;
        let start = ((self.elapsed >> shift) + u64::from(ahead)) << shift;
        Some((level * SLOTS + ((present + ahead) as usize % SLOTS), start))
    }

    /// Makes `list` the due list, which is empty.
    fn detach<L: Links + ?Sized>(&mut self, links: &mut L, list: usize) {
        let first = std::mem::replace(&mut self.heads[list], NIL);
        self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
        links.set_prev(first, HEADS + DUE as u32);
        self.heads[DUE] = first;
    }
}

/// The slot of `level` that `tick` lies in.
const fn slot_of(tick: u64, level: usize) -> usize {
    (tick >> (BITS * level as u32)) as usize % SLOTS
}
