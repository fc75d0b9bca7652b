//! A log-linear histogram: any 32-bit value to within 1/16, in 3.6 KiB, recorded in some ten instructions.

/// Steps within one power of two: a value is known to within 1/16.
const STEPS: usize = 16;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Values below `STEPS` have a bucket each; above, 16 for each of the 28 powers of two that 32 bits have left.
const BUCKETS: usize = STEPS * (1 + 32 - STEP_BITS as usize);

/// How often which values came. The unit is whoever's who records.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Box<[u64; BUCKETS]>,
    count: u64,
    sum: u64,
    largest: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0, sum: 0, largest: 0 }
    }

    /// `value` came.
    #[inline]
    pub fn record(&mut self, value: u32) {
        self.buckets[bucket(value)] += 1;
        self.count += 1;
        self.sum += u64::from(value);
        self.largest = self.largest.max(value);
    }

    /// How many came.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All that came, added up.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The largest; 0 if there was none.
    pub fn largest(&self) -> u32 {
        self.largest
    }

    /// The share `share` (0 to 1) of the values was not above this, rounded up by at most 1/16; 0 if there were none.
    pub fn quantile(&self, share: f64) -> u32 {
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest(index).min(self.largest);
            }
        }
        self.largest
    }

    /// How many values were below `limit`: exact where it is at most 16 or a power of two, otherwise as for the limit
    /// rounded down by at most 1/16.
    #[inline(never)]
    pub fn below(&self, limit: u32) -> u64 {
        self.buckets[..bucket(limit)].iter().sum()
    }

    /// Adds what another has seen.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.largest = self.largest.max(other.largest);
    }
}

/// The bucket of `value`.
const fn bucket(value: u32) -> usize {
    if value < STEPS as u32 {
        return value as usize;
    }
    let power = value.ilog2() - STEP_BITS;
    (power as usize) * STEPS + (value >> power) as usize
}

/// The highest value of bucket `index`.
const fn highest(index: usize) -> u32 {
    if index < STEPS {
        return index as u32;
    }
    let power = index / STEPS - 1;
    let step = (index - power * STEPS) as u64;
    (((step + 1) << power) - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn below_a_power_of_two_is_counted_exactly(values in prop::collection::vec(any::<u32>(), 0..100), power in 0..32u32) {
            let mut histogram = Histogram::new();
            for value in &values {
                histogram.record(*value >> (value % 32));
            }
            let limit = 1 << power;
            let below = values.iter().filter(|value| **value >> (**value % 32) < limit).count();
            prop_assert_eq!(histogram.below(limit), below as u64);
            prop_assert_eq!(histogram.sum(), values.iter().map(|value| u64::from(value >> (value % 32))).sum::<u64>());
        }
    }
}
