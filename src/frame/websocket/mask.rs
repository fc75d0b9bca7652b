//! The mask that lies on all that a client sends (RFC 6455, 5.3).

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Lays the mask on, or takes it off. The lowest eight bits of `key` are for the first byte.
#[inline]
pub(super) fn apply(key: u32, bytes: &mut [u8]) {
    let word = u64::from(key) << 32 | u64::from(key);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
    let (half, rest) = rest.as_chunks_mut::<4>();
    for bytes in half {
        *bytes = (u32::from_le_bytes(*bytes) ^ key).to_le_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key.to_le_bytes()) {
        *byte ^= mask;
    }
}

/// The key for what comes behind the first `bytes` of a payload.
#[inline]
pub(super) fn behind(key: u32, bytes: usize) -> u32 {
    key.rotate_right(8 * (bytes % 4) as u32)
}

/// Makes keys that nobody can foresee who sees those before: a proxy between must not be made to read a payload as a
/// request of its own (RFC 6455, 10.3).
#[derive(Default)]
pub(super) struct Keys {
    /// SipHash with a key of 128 bits from the system.
    hash: RandomState,
    made: AtomicU64,
}

impl Keys {
    pub(super) fn next(&self) -> u32 {
        self.hash.hash_one(self.made.fetch_add(1, Ordering::Relaxed)) as u32
    }
}

/// Shows no key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}
