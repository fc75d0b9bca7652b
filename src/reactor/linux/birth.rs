//! In which process something was made. A forked child inherits a copy of it, but its sockets and its epoll set are the
//! parent's: what the child did with the one would happen to the other.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A number of the process that asked for it, which no child of it and no child's child has.
#[derive(Clone, Copy)]
pub(crate) struct Birth(u64);

/// What the kernel empties in a forked child (MADV_WIPEONFORK): to look costs a load, where getpid is a system call.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// Before Linux 4.14 nothing is emptied, and a child is not found.
static KEPT: AtomicU64 = AtomicU64::new(0);

/// Numbers given out so far. Inherited, so that none is given out twice in a family.
static LAST: AtomicU64 = AtomicU64::new(0);

impl Birth {
    /// Here and now.
    pub(crate) fn here() -> Self {
        let mark = mark();
        match mark.load(Ordering::Relaxed) {
            0 => {
                let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
                let before = mark.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
                Self(before.err().unwrap_or(number))
            }
            number => Self(number),
        }
    }

    /// Whether this is still the same process.
    #[inline]
    pub(crate) fn is_here(self) -> bool {
        // SAFETY: `here` was called, so the pointer is not NULL; what it points to is never freed.
        unsafe { &*PAGE.load(Ordering::Acquire) }.load(Ordering::Relaxed) == self.0
    }
}

/// The number of this process, 0 if it has none yet.
fn mark() -> &'static AtomicU64 {
    let known = PAGE.load(Ordering::Acquire);
    let known = if known.is_null() { set_up() } else { known };
    // SAFETY: not NULL; it is never freed.
    unsafe { &*known }
}

#[cold]
fn set_up() -> *mut AtomicU64 {
    let (bytes, access, kind) = (size_of::<AtomicU64>(), libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
    // SAFETY: a page of our own that nobody else knows of; the kernel rounds its length up.
    let page = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind | libc::MAP_ANONYMOUS, -1, 0) };
    // SAFETY: as above.
    let wiped = page != libc::MAP_FAILED && unsafe { libc::madvise(page, bytes, libc::MADV_WIPEONFORK) } == 0;
    // A page holds a number of any alignment.
    let ours = if wiped { page.cast() } else { (&raw const KEPT).cast_mut() };
    // Two threads may be here at once: the first one's page is everybody's.
    match PAGE.compare_exchange(ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => ours,
        Err(theirs) => {
            if wiped {
                // SAFETY: ours, and nobody has seen it.
                unsafe { libc::munmap(page, bytes) };
            }
            theirs
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_of_a_process_are_one() {
        let here = Birth::here();
        let others: Vec<_> = (0..8).map(|_| std::thread::spawn(Birth::here)).collect();
        for other in others {
            let other = other.join().expect("a thread");
            assert!(other.is_here() && other.0 == here.0);
        }
        assert!(!Birth(here.0 + 1).is_here());
    }
}
