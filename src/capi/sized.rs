//! Structs that may grow: the first field is the size that the caller knows.
//!
//! Fields are only appended, and 0 is every field's default. A shorter struct of an older caller is completed with
//! zeros; what a newer caller sets beyond what this library knows must be zero, so that nothing is ignored in silence.

use std::mem::MaybeUninit;
use std::slice;

use super::codes::{HEARTLINE_ERR_NULL, HEARTLINE_ERR_VERSION};

/// A plain struct of C: numbers and pointers alone, without implicit padding, `u32 struct_size` first.
///
/// # Safety
/// All bytes zero is a valid value, and so is every value of its bytes that C can write.
pub(super) unsafe trait Sized_: Copy {
    /// Bytes in the first released version: no caller has less.
    const FIRST_BYTES: usize;
    /// Whether the fields that have no meaning yet are 0. They may get one: what is set there must not be ignored.
    fn reserved_is_zero(&self) -> bool {
        true
    }
    /// Nothing was taken out since.
    const GREW: () = assert!(size_of::<Self>() >= Self::FIRST_BYTES);
}

/// No struct will ever have more: what says so was never initialised.
const BYTES_MAX: usize = 4096;

/// A copy of what the caller gave.
///
/// # Safety
/// `pointer` is NULL or points to as many readable bytes as its first field says, 4 at least.
pub(super) unsafe fn read<T: Sized_>(pointer: *const T) -> Result<T, i32> {
    const { T::GREW };
    if pointer.is_null() {
        return Err(HEARTLINE_ERR_NULL);
    }
    let bytes = pointer.cast::<u8>();
    // SAFETY: the caller vouches for the first four bytes. Read unaligned, in case a binding packs.
    let size = unsafe { bytes.cast::<u32>().read_unaligned() } as usize;
    if !(T::FIRST_BYTES..=BYTES_MAX).contains(&size) {
        return Err(HEARTLINE_ERR_VERSION);
    }
    if size > size_of::<T>() {
        // SAFETY: the caller says that it has `size` bytes.
        let tail = unsafe { slice::from_raw_parts(bytes.add(size_of::<T>()), size - size_of::<T>()) };
        if tail.iter().any(|byte| *byte != 0) {
            return Err(HEARTLINE_ERR_VERSION);
        }
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: at most as many bytes as either side has; all zero is valid, and so is what C wrote (`Sized_`).
    let value = unsafe {
        std::ptr::copy_nonoverlapping(bytes, value.as_mut_ptr().cast(), size.min(size_of::<T>()));
        value.assume_init()
    };
    if value.reserved_is_zero() { Ok(value) } else { Err(HEARTLINE_ERR_VERSION) }
}

/// The same where NULL stands for every default.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn read_or_default<T: Sized_>(pointer: *const T) -> Result<T, i32> {
    if pointer.is_null() {
        // SAFETY: all bytes zero is a valid value (`Sized_`).
        return Ok(unsafe { MaybeUninit::zeroed().assume_init() });
    }
    // SAFETY: passed on.
    unsafe { read(pointer) }
}

/// Writes as much of `value` as the caller knows; `size` is what its struct has.
///
/// # Safety
/// `pointer` is NULL or points to `size` writable bytes.
pub(super) unsafe fn write<T: Sized_>(pointer: *mut T, size: usize, value: &T) -> Result<(), i32> {
    const { T::GREW };
    if pointer.is_null() {
        return Err(HEARTLINE_ERR_NULL);
    }
    if !(T::FIRST_BYTES..=BYTES_MAX).contains(&size) {
        return Err(HEARTLINE_ERR_VERSION);
    }
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes are writable; the struct has no padding that would be read.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const *value).cast::<u8>(), pointer.cast(), known);
        pointer.cast::<u8>().add(known).write_bytes(0, size - known);
        pointer.cast::<u32>().write_unaligned(u32::try_from(size).unwrap_or(u32::MAX));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Two {
        struct_size: u32,
        first: u32,
        second: u32,
    }

    // SAFETY: three numbers.
    unsafe impl Sized_ for Two {
        const FIRST_BYTES: usize = 8;
    }

    fn read_words(words: &[u32]) -> Result<Two, i32> {
        // SAFETY: each test gives as many bytes as its first word says.
        unsafe { read(words.as_ptr().cast()) }
    }

    #[test]
    fn short_exact_and_longer_structs_are_read_and_what_is_unknown_is_refused() {
        assert_eq!(read_words(&[8, 1]), Ok(Two { struct_size: 8, first: 1, second: 0 }));
        assert_eq!(read_words(&[12, 1, 2]), Ok(Two { struct_size: 12, first: 1, second: 2 }));
        assert_eq!(read_words(&[16, 1, 2, 0]), Ok(Two { struct_size: 16, first: 1, second: 2 }));
        assert_eq!(read_words(&[16, 1, 2, 3]), Err(HEARTLINE_ERR_VERSION));
        for size in [0, 1, 4, 7, 4097, u32::MAX] {
            assert_eq!(read_words(&[size, 1]), Err(HEARTLINE_ERR_VERSION));
        }
    }

    #[test]
    fn an_older_caller_gets_what_it_knows_and_a_newer_one_zeros_behind() {
        let value = Two { struct_size: 0, first: 1, second: 2 };
        for (size, expected) in [(8, [8, 1, 9, 9]), (12, [12, 1, 2, 9]), (16, [16, 1, 2, 0])] {
            let mut words = [9_u32; 4];
            // SAFETY: `words` has 16 bytes.
            assert_eq!(unsafe { write(words.as_mut_ptr().cast(), size, &value) }, Ok(()));
            assert_eq!(words, expected);
        }
    }
}
