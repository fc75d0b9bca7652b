//! Entering an object that C holds: overlapping use and panics are found here, once for all exports.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::codes::{HEARTLINE_ERR_OVERLAP, HEARTLINE_ERR_PANIC};

const FREE: u32 = 0;
const INSIDE: u32 = 1;
const POISONED: u32 = 2;

/// An object behind an opaque pointer. One thread at a time is inside; which one may change (R10).
pub(super) struct Guarded<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

/// What lives in a [`Guarded`].
pub(super) trait Guest {
    /// Tells whoever asked to be told of a bug in here. Nobody enters after that.
    fn tell_bug(&self, _text: &str) {}
}

/// What an export comes to: a number from 0 up, or one of the error codes.
pub(super) type Outcome = Result<i32, i32>;

/// The text of the last panic.
static LAST_BUG: Mutex<String> = Mutex::new(String::new());

pub(super) fn last_bug() -> String {
    LAST_BUG.lock().map_or_else(|poisoned| poisoned.into_inner().clone(), |text| text.clone())
}

/// Keeps the text of a panic instead of printing it (E2). The built library has a standard library of its own, so that
/// this concerns no other Rust code in the program; a Rust program that links this crate keeps its own hook.
#[cfg(heartline_library)]
#[inline(always)]
fn keep_panics_quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    #[cold]
    fn set() {
        ONCE.call_once(|| {
            std::panic::set_hook(Box::new(|panic| {
                if let Ok(mut text) = LAST_BUG.lock() {
                    *text = panic.to_string();
                }
            }));
        });
    }
    if !ONCE.is_completed() {
        set();
    }
}

#[cfg(not(heartline_library))]
fn keep_panics_quiet() {}

/// Only in the library that tests/capi.rs builds for it: the object that is entered next meets a bug.
#[cfg(heartline_forced_panic)]
mod forced {
    use std::sync::atomic::{AtomicBool, Ordering};

    static NEXT: AtomicBool = AtomicBool::new(false);

    #[unsafe(no_mangle)]
    extern "C" fn heartline_force_panic() {
        NEXT.store(true, Ordering::SeqCst);
    }

    pub(super) fn strike() {
        assert!(!NEXT.swap(false, Ordering::SeqCst), "forced by a test");
    }
}

impl<T> Guarded<T> {
    pub(super) fn new(value: T) -> Self {
        keep_panics_quiet();
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }
}

/// Runs `body` on the object, alone. Overlapping use, an earlier panic and one in `body` are error codes.
#[inline(always)]
pub(super) fn enter<T: Guest>(object: &Guarded<T>, body: impl FnOnce(&mut T) -> Outcome) -> i32 {
    if let Err(state) = object.state.compare_exchange(FREE, INSIDE, Ordering::Acquire, Ordering::Relaxed) {
        return if state == POISONED { HEARTLINE_ERR_PANIC } else { HEARTLINE_ERR_OVERLAP };
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the exchange lets one caller at a time through, so this is the only reference to the value.
        let result = body(unsafe { &mut *object.value.get() });
        #[cfg(heartline_forced_panic)]
        forced::strike();
        result
    }));
    let (state, result) = match outcome {
        Ok(Ok(result) | Err(result)) => (FREE, result),
        Err(_) => {
            // SAFETY: as above; the reference of `body` is gone.
            tell(unsafe { &*object.value.get() });
            (POISONED, HEARTLINE_ERR_PANIC)
        }
    };
    object.state.store(state, Ordering::Release);
    result
}

#[cold]
fn tell<T: Guest>(value: &T) {
    // What met a bug may meet another.
    let _ = catch_unwind(AssertUnwindSafe(|| value.tell_bug(&last_bug())));
}

/// Runs `body`, which concerns no object that could be left half-changed; a panic becomes an error code.
#[inline(always)]
pub(super) fn apart(body: impl FnOnce() -> Outcome) -> i32 {
    keep_panics_quiet();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(result) | Err(result)) => result,
        Err(_) => HEARTLINE_ERR_PANIC,
    }
}

/// A count or a time as an export returns it.
pub(super) fn saturated(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// Makes a new object the caller's, until it comes to [`free`].
///
/// # Safety
/// `out` is writable.
pub(super) unsafe fn give<T>(out: *mut *mut T, object: T) -> Outcome {
    // SAFETY: the caller vouches for it; unaligned, in case a binding packs.
    unsafe { out.write_unaligned(Box::into_raw(Box::new(object))) };
    Ok(0)
}

/// Frees an object, poisoned ones too. One that another thread is inside of is left alone: a leak is better than a crash.
///
/// # Safety
/// `object` is NULL or came from a constructor and was not freed.
pub(super) unsafe fn free<T>(object: *mut T, is_inside: impl FnOnce(&T) -> bool) {
    // SAFETY: NULL is caught; otherwise the caller vouches for it.
    if let Some(shared) = unsafe { object.as_ref() }
        && !is_inside(shared)
    {
        // SAFETY: it came from Box::into_raw in a constructor, and the caller gives it up.
        let owned = unsafe { Box::from_raw(object) };
        // A destructor that panics must not cross into C.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(owned)));
    }
}

impl<T> Guarded<T> {
    pub(super) fn is_inside(&self) -> bool {
        self.state.load(Ordering::Acquire) == INSIDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Guest for i32 {}

    #[test]
    fn a_panic_poisons_the_object_and_the_host_lives() {
        let object = Guarded::new(7);
        let enter = |body: fn(&mut i32) -> Outcome| enter(&object, body);
        assert_eq!(enter(|value| Ok(*value)), 7);
        assert_eq!(enter(|_| panic!("forced")), HEARTLINE_ERR_PANIC);
        assert_eq!(enter(|value| Ok(*value)), HEARTLINE_ERR_PANIC);
    }

    #[test]
    fn use_from_within_is_an_error_and_not_a_second_reference() {
        let object = Guarded::new(7);
        let outer = enter(&object, |_| Ok(enter(&object, |_| Ok(0))));
        assert_eq!(outer, HEARTLINE_ERR_OVERLAP);
    }
}
