//! A broadcast is one frame in memory, however many connections share it.
#![cfg(feature = "sim")]
#![allow(unsafe_code)] // a global allocator is the only way to count

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use support::kernel::Rig;
use support::{framed, length};

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local without a destructor and
// without an allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|bytes| bytes.set(bytes.get() + layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on; the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes that `work` allocates on this thread, whether it gives them back or not.
fn allocated(work: impl FnOnce()) -> usize {
    let before = ALLOCATED.get();
    work();
    ALLOCATED.get() - before
}

#[test]
fn the_count_counts() {
    assert_eq!(allocated(|| drop(std::hint::black_box(vec![1_u8; 1000]))), 1000);
}

#[test]
fn a_broadcast_to_a_thousand_is_not_copied_for_each() {
    let mut rig = Rig::default();
    rig.listen(length());
    let peers = rig.peers(1000);
    let message = vec![7; 60_000];
    let bytes = allocated(|| assert_eq!(rig.reactor.broadcast_all(None, None, &message).accepted, 1000));
    assert!(bytes < 2 << 20, "{bytes} bytes for one message of 60 kB");
    assert!(peers.iter().all(|(socket, _)| rig.output(*socket).is_empty()), "it has only gathered");
    rig.reactor.flush();
    assert!(peers.iter().all(|(socket, _)| rig.output(*socket) == framed(&message)));
}
