//! Polling, and what must be true between two polls.

use std::collections::BTreeSet;
use std::ptr::null_mut;

use heartline::capi::reactor::*;

use super::fair;
use super::reactor::World;
use super::script::Script;

impl World {
    pub fn poll(&mut self, script: &mut Script<'_>) {
        let capacity = usize::from(script.byte() % 20);
        let mut events: Vec<heartline_event> = Vec::with_capacity(capacity);
        let place = if capacity == 0 { null_mut() } else { events.as_mut_ptr() };
        let wait = i32::from(script.byte() % 2);
        let count = fair(unsafe { heartline_reactor_poll(self.reactor, place, capacity as u32, wait) });
        assert!(count as usize <= capacity);
        unsafe { events.set_len(count as usize) };
        let mut accepted = BTreeSet::new();
        for event in &events {
            // The word that is set at OPENED is in every event that follows.
            assert!(
                !accepted.contains(&event.id),
                "more of an accepted connection in the batch of its OPENED: {event:?}"
            );
            if event.kind == HEARTLINE_EVENT_OPENED && event.listener != HEARTLINE_NO_LISTENER {
                accepted.insert(event.id);
            }
            self.told(event);
        }
    }

    fn told(&mut self, event: &heartline_event) {
        assert!(event.kind > 0 && event.kind <= HEARTLINE_EVENT_BEAT);
        if !event.data.is_null() {
            // All that is lent can be read, the head before it too.
            let before = event.data.wrapping_sub(usize::from(event.head_len));
            let lent = unsafe { std::slice::from_raw_parts(before, usize::from(event.head_len) + event.len as usize) };
            assert!(lent.iter().fold(0_u64, |sum, byte| sum + u64::from(*byte)) < u64::MAX);
        }
        match event.kind {
            HEARTLINE_EVENT_OPENED if event.listener != HEARTLINE_NO_LISTENER => self.began(event.id),
            HEARTLINE_EVENT_CLOSED | HEARTLINE_EVENT_CONNECT_FAILED => {
                self.ended(event.id);
                let mut obituary: heartline_obituary = unsafe { std::mem::zeroed() };
                let size = size_of_val(&obituary);
                assert_eq!(unsafe { heartline_reactor_obituary(self.reactor, event.id, &raw mut obituary, size) }, 0);
                assert_eq!((obituary.id, obituary.reason), (event.id, u32::from(event.reason)));
            }
            HEARTLINE_EVENT_UNSENT => {}
            _ => {
                assert!(event.id == 0 || self.open.contains(&event.id), "CLOSED is the last event of its id: {event:?}")
            }
        }
    }

    /// What the reactor says of itself.
    pub fn state(&mut self, script: &mut Script<'_>) {
        let reactor = self.reactor;
        let alive = fair(unsafe { heartline_reactor_count(reactor) }) as usize;
        let mut ids = vec![0; usize::from(script.byte())];
        let (place, room) = (ids.as_mut_ptr(), ids.len());
        assert_eq!(fair(unsafe { heartline_reactor_ids(reactor, place, room) }) as usize, alive);
        ids.truncate(alive);
        let distinct: BTreeSet<u64> = ids.iter().copied().collect();
        assert!(distinct.len() == ids.len() && !distinct.contains(&0));
        // Who lives was told, or came by a listener and is not told yet.
        assert!(self.accepting || (alive <= self.open.len() && distinct.is_subset(&self.open)));
        assert!(distinct.is_disjoint(&self.gone), "who has ended does not live");

        assert!(unsafe { heartline_reactor_wait_ms(reactor) } >= -1);
        let mut number = 0;
        assert_eq!(unsafe { heartline_reactor_counter(reactor, c"messages_in".as_ptr(), &raw mut number) }, 0);
        let is_drained = fair(unsafe { heartline_reactor_is_drained(reactor) });
        assert!(is_drained == 0 || (self.draining && alive == 0));
        fair(unsafe { heartline_reactor_os_error(reactor) });
    }

    /// What is long, or makes descriptors.
    pub fn outside(&mut self, script: &mut Script<'_>) {
        if script.one_in(2) {
            let fd = fair(unsafe { heartline_reactor_fd(self.reactor) });
            assert_eq!(fair(unsafe { heartline_reactor_fd(self.reactor) }), fd, "it stays the same");
        } else {
            let mut text = vec![0x55_u8; 128 * usize::from(script.byte())];
            let (place, size) = (text.as_mut_ptr().cast(), text.len());
            let length = fair(unsafe { heartline_reactor_metrics(self.reactor, place, size) }) as usize;
            let written = text.iter().position(|byte| *byte == 0);
            assert!(size == 0 || written.is_some_and(|written| written == length.min(size - 1)), "{length} in {size}");
        }
    }
}
