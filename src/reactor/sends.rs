//! The turn's send arena: frames gather here, per connection and lane, and leave together at a flush.

use std::io::IoSlice;

use super::connection::NO_BATCH;

/// Above this many bytes the arena is flushed at once instead of at the end of the turn.
pub(crate) const SEND_ARENA_BYTES: usize = 256 << 10;
/// Slices handed to the kernel in one call; the kernel's own limit is 1,024.
pub(crate) const SLICES_MAX: usize = 64;
const NO_SLOT: u32 = u32::MAX;
const NO_PIECE: u32 = u32::MAX;

/// Which of a connection's two lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Control,
    Data,
}

/// One whole frame in the arena; several connections may share its bytes (broadcast). The first piece of a connection
/// stands for its batch: it knows the slot, the last piece and the bytes of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    slot: u32,
    start: u32,
    end: u32,
    next: u32,
    last: u32,
    bytes: u32,
    lane: Lane,
}

impl Piece {
    /// Whose batch this piece begins; `None` for later pieces, and for batches that are written or forgotten.
    #[inline]
    pub(crate) fn slot(&self) -> Option<u32> {
        (self.slot != NO_SLOT).then_some(self.slot)
    }

    /// The bytes of the batch that this piece begins.
    #[inline]
    pub(crate) fn batch_bytes(&self) -> usize {
        self.bytes as usize
    }
}

#[derive(Debug, Default)]
pub(crate) struct Sends {
    /// The frames. Appended to by the codec, then named by a piece.
    pub(crate) arena: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
}

impl Sends {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Appends a frame of the plainest kind and gives it to a connection that has no batch yet. The way of
    /// most frames.
    #[inline]
    pub(crate) fn add_plain(&mut self, slot: u32, batch: &mut u32, head: [u8; 4], message: &[u8]) {
        let index = self.pieces.len() as u32;
        let start = self.arena.len();
        self.arena.reserve(head.len() + message.len());
        self.arena.extend(head);
        self.arena.extend_from_slice(message);
        let (start, end) = (start as u32, self.arena.len() as u32);
        *batch = index;
        let bytes = end - start;
        self.pieces.push(Piece { slot, start, end, next: NO_PIECE, last: index, bytes, lane: Lane::Data });
    }

    /// Gives `start..end` of the arena to a connection's lane. `batch` is where the connection remembers its batch.
    #[inline]
    pub(crate) fn add(&mut self, slot: u32, batch: &mut u32, lane: Lane, start: usize, end: usize) {
        let index = self.pieces.len() as u32;
        let bytes = (end - start) as u32;
        let mut piece =
            Piece { slot, start: start as u32, end: end as u32, next: NO_PIECE, last: index, bytes, lane };
        if *batch == NO_BATCH {
            *batch = index;
        } else {
            piece.slot = NO_SLOT;
            self.append(*batch, index, bytes);
        }
        self.pieces.push(piece);
    }

    /// Links piece `index` behind the others of a batch.
    fn append(&mut self, batch: u32, index: u32, bytes: u32) {
        let first = &mut self.pieces[batch as usize];
        let last = std::mem::replace(&mut first.last, index);
        first.bytes += bytes;
        self.pieces[last as usize].next = index;
    }

    /// The bytes that wait in a batch.
    pub(crate) fn waiting(&self, batch: u32) -> usize {
        self.pieces.get(batch as usize).map_or(0, |first| first.bytes as usize)
    }

    /// The connection of this batch is gone, or it was written already.
    pub(crate) fn forget(&mut self, batch: u32) {
        if let Some(first) = self.pieces.get_mut(batch as usize) {
            first.slot = NO_SLOT;
        }
    }

    /// If a batch is one piece of the arena (the common case): that piece.
    #[inline]
    pub(crate) fn only_piece(&self, first: &Piece) -> Option<&[u8]> {
        if first.next == NO_PIECE { Some(&self.arena[first.start as usize..first.end as usize]) } else { None }
    }

    fn lane<'a>(&'a self, first: &Piece, lane: Lane) -> impl Iterator<Item = Piece> + 'a {
        let mut piece = Some(*first);
        std::iter::from_fn(move || {
            let this = piece?;
            piece = self.pieces.get(this.next as usize).copied();
            Some(this)
        })
        .filter(move |piece| piece.lane == lane)
    }

    /// The frames of a batch in sending order: control, then data.
    pub(crate) fn frames<'a>(&'a self, first: &Piece) -> impl Iterator<Item = (Lane, &'a [u8])> + 'a {
        self.lane(first, Lane::Control)
            .chain(self.lane(first, Lane::Data))
            .map(|piece| (piece.lane, &self.arena[piece.start as usize..piece.end as usize]))
    }

    /// The same as slices for one call, neighbours in the arena joined, at most [`SLICES_MAX`].
    pub(crate) fn slices(&self, first: &Piece) -> Vec<IoSlice<'_>> {
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(8);
        for piece in self.lane(first, Lane::Control).chain(self.lane(first, Lane::Data)) {
            if let Some((_, end)) = ranges.last_mut().filter(|(_, end)| *end == piece.start) {
                *end = piece.end;
            } else if ranges.len() < SLICES_MAX {
                ranges.push((piece.start, piece.end));
            } else {
                break;
            }
        }
        ranges.iter().map(|&(start, end)| IoSlice::new(&self.arena[start as usize..end as usize])).collect()
    }

    /// Ready for the next turn. Memory beyond the usual is given back.
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.pieces.clear();
        if self.arena.capacity() > 4 * SEND_ARENA_BYTES {
            self.arena.shrink_to(SEND_ARENA_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(sends: &mut Sends, slot: u32, batch: &mut u32, lane: Lane, bytes: &[u8]) {
        let start = sends.arena.len();
        sends.arena.extend_from_slice(bytes);
        sends.add(slot, batch, lane, start, sends.arena.len());
    }

    #[test]
    fn control_leaves_before_data_and_neighbours_are_joined() {
        let mut sends = Sends::default();
        let (mut a, mut b) = (NO_BATCH, NO_BATCH);
        add(&mut sends, 1, &mut a, Lane::Data, b"one");
        assert_eq!(sends.only_piece(&sends.pieces[0]), Some(&b"one"[..]));
        add(&mut sends, 1, &mut a, Lane::Data, b"two");
        add(&mut sends, 2, &mut b, Lane::Data, b"other");
        add(&mut sends, 1, &mut a, Lane::Control, b"beat");
        let batch = sends.pieces[a as usize];
        assert_eq!(sends.only_piece(&batch), None);
        let frames: Vec<_> = sends.frames(&batch).collect();
        assert_eq!(frames, [(Lane::Control, &b"beat"[..]), (Lane::Data, b"one"), (Lane::Data, b"two")]);
        let slices: Vec<_> = sends.slices(&batch).iter().map(|slice| slice.to_vec()).collect();
        assert_eq!(slices, [b"beat".to_vec(), b"onetwo".to_vec()]);
        assert_eq!((sends.waiting(a), batch.batch_bytes()), (10, 10));
        let owners: Vec<_> = sends.pieces.iter().filter_map(Piece::slot).collect();
        assert_eq!(owners, [1, 2]);
    }

    #[test]
    fn one_broadcast_frame_is_shared_by_many() {
        let mut sends = Sends::default();
        sends.arena.extend_from_slice(b"news");
        for slot in 0..100 {
            sends.add(slot, &mut NO_BATCH.clone(), Lane::Data, 0, 4);
        }
        assert_eq!(sends.arena.len(), 4);
        assert!(sends.pieces.iter().all(|piece| sends.only_piece(piece) == Some(b"news")));
    }

    #[test]
    fn slices_are_cut_at_their_limit_without_a_gap() {
        let mut sends = Sends::default();
        let mut batch = NO_BATCH;
        for round in 0..2 * SLICES_MAX as u8 {
            sends.arena.push(0);
            add(&mut sends, 1, &mut batch, if round % 2 == 0 { Lane::Data } else { Lane::Control }, &[round + 1]);
        }
        let first = sends.pieces[batch as usize];
        let whole: Vec<u8> = sends.frames(&first).flat_map(|(_, frame)| frame.to_vec()).collect();
        let cut: Vec<u8> = sends.slices(&first).iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(cut.len(), SLICES_MAX);
        assert_eq!(cut, whole[..cut.len()]);
    }
}
