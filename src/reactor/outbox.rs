//! What waits to be sent on a connection because the kernel did not take it. Control goes before data, but never into
//! the middle of a frame that has begun (R4).

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::time::Millis;

/// Bytes of the piece at the front of an encoded message, behind which control may go.
pub(crate) type PieceBytes = fn(&[u8]) -> usize;

/// Bytes of answers and asks that may wait; above it reading rests, so that nothing owed is dropped (R4).
pub(crate) const CONTROL_BYTES_MAX: usize = 4 << 10;

/// As many bytes of a piece as say how long it is.
const PIECE_HEAD_BYTES: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Whole beats. The first may be partly sent.
    control: VecDeque<u8>,
    /// Whole frames. The first may be partly sent.
    data: VecDeque<u8>,
    /// The lengths of the frames in `data`; of the first, what is left.
    frames: VecDeque<u32>,
    /// The first frame of `data` has begun: it is not dropped.
    data_begun: bool,
    /// What goes before control: the rest of that frame, or of its piece.
    piece_left: usize,
    /// Frames are sent in pieces (the fragments of WebSocket), so that control need not wait for their ends.
    pieces: Option<PieceBytes>,
    /// Attended time of the last progress.
    pub(crate) progress: Millis,
}

impl Outbox {
    pub(crate) fn new(now: Millis, pieces: Option<PieceBytes>) -> Self {
        Self { progress: now, pieces, ..Self::default() }
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

    /// A frame of which the kernel took the first `part` bytes; it must be the first to come here.
    pub(crate) fn push_begun(&mut self, frame: &[u8], part: usize) {
        let mut end = 0;
        while end < part {
            end += self.pieces.map_or(frame.len(), |bytes| bytes(&frame[end..])).min(frame.len() - end);
        }
        self.push_rest(&frame[part..], end - part);
    }

    /// The rest of frames that have begun elsewhere.
    pub(crate) fn push_unsent(&mut self, rest: &[u8]) {
        self.push_rest(rest, rest.len());
    }

    fn push_rest(&mut self, rest: &[u8], piece_left: usize) {
        debug_assert!(self.data.is_empty());
        self.push_data(rest);
        (self.data_begun, self.piece_left) = (true, piece_left);
    }

    /// What to write next, in order.
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(6);
        push_range(&mut slices, &self.data, 0, self.piece_left);
        push_range(&mut slices, &self.control, 0, self.control.len());
        push_range(&mut slices, &self.data, self.piece_left, self.data.len());
        slices
    }

    /// The kernel took `count` bytes of [`slices`](Self::slices).
    pub(crate) fn wrote(&mut self, count: usize, now: Millis) {
        self.progress = now;
        let before = count.min(self.piece_left);
        self.wrote_data(before);
        let control = (count - before).min(self.control.len());
        self.control.drain(..control);
        self.wrote_data(count - before - control);
        if self.data.is_empty() {
            // Memory goes back when the burst is over (F3 holds for output too).
            self.data = VecDeque::new();
            self.frames = VecDeque::new();
        }
    }

    /// Takes `count` bytes off the data.
    fn wrote_data(&mut self, count: usize) {
        let mut taken = 0;
        while taken < count {
            let Some(&left) = self.frames.front() else { break };
            if self.piece_left == 0 {
                self.piece_left = self.piece_at(taken, left as usize);
            }
            let part = (count - taken).min(self.piece_left);
            taken += part;
            self.piece_left -= part;
            let left = left - part as u32;
            self.data_begun = left > 0;
            if self.data_begun {
                self.frames[0] = left;
            } else {
                self.frames.pop_front();
            }
        }
        self.data.drain(..taken);
    }

    /// Bytes of the piece at this offset of the data, of a frame of which `left` bytes are left.
    fn piece_at(&self, at: usize, left: usize) -> usize {
        let Some(piece_bytes) = self.pieces else { return left };
        let mut head = [0; PIECE_HEAD_BYTES];
        for (to, from) in head.iter_mut().zip(self.data.range(at..)) {
            *to = *from;
        }
        piece_bytes(&head).min(left)
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
        let mut outbox = Outbox::new(Millis(0), None);
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

    /// Pieces that begin with their length.
    #[test]
    fn control_goes_between_the_pieces_of_a_frame_and_other_frames_do_not() {
        let frame = b"\x03aa\x04bbb\x02c";
        for (part, now) in [(1, &b"aa!\x04bbb\x02c\x02d"[..]), (3, b"!\x04bbb\x02c\x02d"), (8, b"c!\x02d")] {
            let mut outbox = Outbox::new(Millis(0), Some(|front| front[0].into()));
            outbox.push_begun(frame, part);
            outbox.push_data(b"\x02d");
            outbox.push_control(b"!");
            assert_eq!(bytes(&outbox), now);
            for at in 0..now.len() {
                assert_eq!(bytes(&outbox), &now[at..]);
                outbox.wrote(1, Millis(0));
            }
            assert!(outbox.is_empty());
        }
        let mut outbox = Outbox::new(Millis(0), Some(|front| front[0].into()));
        outbox.push_data(frame);
        outbox.wrote(4, Millis(0));
        outbox.push_control(b"!");
        assert_eq!(bytes(&outbox), b"bbb!\x02c");
        outbox.wrote(4, Millis(0));
        assert_eq!((bytes(&outbox), outbox.drop_oldest()), (b"\x02c".to_vec(), None));
    }

    #[test]
    fn the_oldest_whole_frame_is_dropped_and_a_begun_one_stays() {
        let mut outbox = Outbox::new(Millis(0), None);
        outbox.push_begun(b"the rest", 4);
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
            let mut outbox = Outbox::new(Millis(0), None);
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
