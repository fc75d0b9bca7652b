//! Tables of what only a few connections have: being dialled, closing, waiting for a first frame.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Something of some connections, by their slot or id. These numbers are the reactor's own: nobody outside can choose
/// many that fall together, which is what the standard hasher is for.
pub(crate) type BySlot<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Spreads small numbers over all bits.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        // The odd number next to 2^64 divided by the golden ratio: the product is good in its upper half, whose bits now
        // choose the place.
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::Spread;

    #[test]
    fn neighbouring_slots_and_ids_of_one_slot_fall_apart() {
        let hash = |number: u64| BuildHasherDefault::<Spread>::default().hash_one(number);
        for step in [1, 64, 1 << 24] {
            // A table of 4,096 places chooses by the low 12 bits, and tells its neighbours apart by the high 7.
            let places: HashSet<u64> = (0..2048).map(|number| hash(number * step) & 4095).collect();
            assert!(places.len() > 1400, "{} places for 2,048 numbers, {step} apart", places.len());
            let marks: HashSet<u64> = (0..2048).map(|number| hash(number * step) >> 57).collect();
            assert_eq!(marks.len(), 128);
        }
    }
}
