//! The bytes of one input, read as numbers and ranges.

use std::ffi::CString;
use std::ptr::null;

/// The bytes that are left. At their end everything is 0, and the script is over.
pub struct Script<'a>(pub &'a [u8]);

impl Script<'_> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn one_in(&mut self, many: u8) -> bool {
        self.byte().is_multiple_of(many)
    }

    /// Small numbers mostly, and the corners of the range.
    pub fn number(&mut self) -> u64 {
        let byte = self.byte();
        match byte {
            0..=199 => u64::from(byte),
            200..=219 => u64::from(byte) << (self.byte() % 57),
            220..=229 => u64::from(u32::MAX),
            230..=239 => u64::MAX,
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    pub fn word(&mut self) -> u32 {
        self.number() as u32
    }

    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = usize::from(self.byte()).min(most).min(self.0.len());
        let (front, rest) = self.0.split_at(count);
        self.0 = rest;
        front.to_vec()
    }

    /// A string of C: what comes before it has no NUL.
    pub fn string(mut bytes: Vec<u8>) -> CString {
        bytes.retain(|byte| *byte != 0);
        CString::new(bytes).unwrap()
    }

    /// Fills a struct after its size, which is right in most cases and never larger than what is there.
    pub fn fill<T>(&mut self, value: &mut T) -> *const T {
        let size = size_of::<T>();
        let at = (&raw mut *value).cast::<u8>();
        // Few fields are set, so that most structs are taken.
        for _ in 0..self.byte() % 4 {
            let word = 4 + 4 * (usize::from(self.byte()) % ((size - 4) / 4));
            unsafe { at.add(word).cast::<u32>().write_unaligned(self.word()) };
        }
        let claimed = if self.one_in(16) { usize::from(self.byte()) % (size + 1) } else { size };
        unsafe { at.cast::<u32>().write_unaligned(claimed as u32) };
        if self.one_in(8) { null() } else { value }
    }
}
