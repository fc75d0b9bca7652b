//! What waits to be sent on a connection because the kernel did not take it. Control goes before data, but never into
//! the middle of a frame that has begun (R4).

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::time::Millis;

/// Bytes of answers and asks that may wait; above it reading rests, so that nothing owed is dropped (R4).
pub(crate) const CONTROL_BYTES_MAX: usize = 4 << 10;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Whole beats. The first may be partly sent.
    control: VecDeque<u8>,
    /// Whole frames. The first may be partly sent.
    data: VecDeque<u8>,
    /// The lengths of the frames in `data`; of the first, what is left.
    frames: VecDeque<u32>,
    /// The first frame of `data` has begun: it goes before control.
    data_begun: bool,
    /// Attended time of the last progress.
    pub(crate) progress: Millis,
}

impl Outbox {
    pub(crate) fn new(now: Millis) -> Self {
        Self { progress: now, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.control.len() + self.data.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.data.is_empty()
    }

    pub(crate) fn control_len(&self) -> usize {
        self.control.len()
    }

    pub(crate) fn push_control(&mut self, bytes: &[u8]) {
        self.control.extend(bytes);
    }

    pub(crate) fn push_data(&mut self, frame: &[u8]) {
        if !frame.is_empty() {
            self.data.extend(frame);
            self.frames.push_back(frame.len() as u32);
        }
    }

    /// The rest of a frame whose beginning the kernel took; it must be the first to come here.
    pub(crate) fn push_begun(&mut self, rest: &[u8]) {
        debug_assert!(self.data.is_empty());
        self.push_data(rest);
        self.data_begun = true;
    }

    /// What to write next, in order.
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let begun = if self.data_begun { self.frames.front().map_or(0, |&left| left as usize) } else { 0 };
        let mut slices = Vec::with_capacity(6);
        push_range(&mut slices, &self.data, 0, begun);
        push_range(&mut slices, &self.control, 0, self.control.len());
        push_range(&mut slices, &self.data, begun, self.data.len());
        slices
    }

    /// The kernel took `count` bytes of [`slices`](Self::slices).
    pub(crate) fn wrote(&mut self, mut count: usize, now: Millis) {
        self.progress = now;
        if self.data_begun {
            count -= self.wrote_data(count, true);
        }
        let control = count.min(self.control.len());
        self.control.drain(..control);
        self.wrote_data(count - control, false);
        if self.data.is_empty() {
            // Memory goes back when the burst is over (F3 holds for output too).
            self.data = VecDeque::new();
            self.frames = VecDeque::new();
        }
    }

    /// Takes up to `count` bytes off the data, at most one frame if `first_only`; returns how many.
    fn wrote_data(&mut self, count: usize, first_only: bool) -> usize {
        let mut taken = 0;
        while let Some(left) = self.frames.front_mut() {
            let part = (count - taken).min(*left as usize);
            *left -= part as u32;
            taken += part;
            if *left > 0 {
                self.data_begun = part > 0 || self.data_begun;
                break;
            }
            self.frames.pop_front();
            self.data_begun = false;
            if first_only || taken == count {
                break;
            }
        }
        self.data.drain(..taken);
        taken
    }

    /// Takes out the oldest frame that has not begun.
    pub(crate) fn drop_oldest(&mut self) -> Option<Vec<u8>> {
        let index = usize::from(self.data_begun);
        let length = *self.frames.get(index)? as usize;
        let from = if self.data_begun { self.frames[0] as usize } else { 0 };
        self.frames.remove(index);
        Some(self.data.drain(from..from + length).collect())
    }

    /// Everything that was not sent, in sending order: for a release.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.slices().iter().flat_map(|slice| slice.iter().copied()).collect()
    }
}

fn push_range<'a>(slices: &mut Vec<IoSlice<'a>>, queue: &'a VecDeque<u8>, from: usize, to: usize) {
    let (front, back) = queue.as_slices();
    let split = front.len();
    for part in [&front[from.min(split)..to.min(split)], &back[from.max(split) - split..to.max(split) - split]] {
        if !part.is_empty() {
            slices.push(IoSlice::new(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(outbox: &Outbox) -> Vec<u8> {
        outbox.slices().iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn control_goes_before_data_but_not_into_a_frame_that_has_begun() {
        let mut outbox = Outbox::new(Millis(0));
        outbox.push_data(b"aaaa");
        outbox.push_data(b"bb");
        outbox.push_control(b"!");
        assert_eq!(bytes(&outbox), b"!aaaabb");
        outbox.wrote(3, Millis(1));
        outbox.push_control(b"?");
        assert_eq!(bytes(&outbox), b"aa?bb");
        outbox.wrote(4, Millis(2));
        assert_eq!(bytes(&outbox), b"b");
        outbox.wrote(1, Millis(3));
        assert!(outbox.is_empty());
        assert_eq!(outbox.progress, Millis(3));
    }

    #[test]
    fn the_oldest_whole_frame_is_dropped_and_a_begun_one_stays() {
        let mut outbox = Outbox::new(Millis(0));
        outbox.push_begun(b"rest");
        outbox.push_data(b"old");
        outbox.push_data(b"new");
        assert_eq!(outbox.drop_oldest().as_deref(), Some(&b"old"[..]));
        assert_eq!(bytes(&outbox), b"restnew");
        assert_eq!(outbox.drop_oldest().as_deref(), Some(&b"new"[..]));
        assert_eq!(outbox.drop_oldest(), None);
        assert_eq!(outbox.into_bytes(), b"rest");
    }

    #[test]
    fn any_cut_of_the_writing_gives_the_same_bytes() {
        for step in 1..7 {
            let mut outbox = Outbox::new(Millis(0));
            let mut sent = Vec::new();
            for round in 0..20_u8 {
                outbox.push_data(&[round; 5]);
                if round % 3 == 0 {
                    outbox.push_control(&[255]);
                }
                let now = bytes(&outbox);
                let part = step.min(now.len());
                sent.extend_from_slice(&now[..part]);
                outbox.wrote(part, Millis(0));
            }
            sent.extend_from_slice(&outbox.into_bytes());
            let data: Vec<u8> = sent.iter().copied().filter(|&byte| byte != 255).collect();
            assert_eq!(data, (0..20).flat_map(|round| [round; 5]).collect::<Vec<u8>>());
            // Control stands between frames only: what precedes each mark is whole frames.
            for (at, _) in sent.iter().enumerate().filter(|(_, byte)| **byte == 255) {
                assert_eq!(sent[..at].iter().filter(|&&byte| byte != 255).count() % 5, 0);
            }
        }
    }
}
