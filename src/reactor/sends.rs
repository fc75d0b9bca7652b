//! The turn's send arena: frames gather here, per connection and lane, and leave together at a flush.

use std::io::IoSlice;

use super::connection::NO_BATCH;

/// Above this many bytes the arena is flushed at once instead of at the end of the turn.
pub(crate) const SEND_ARENA_BYTES: usize = 256 << 10;
/// Slices handed to the kernel in one call; the kernel's own limit is 1,024.
pub(crate) const SLICES_MAX: usize = 64;
/// A batch whose connection has ended or is already written.
pub(crate) const NO_SLOT: u32 = u32::MAX;
const NO_PIECE: u32 = u32::MAX;

/// Which of a connection's two lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Control,
    Data,
}

/// One whole frame in the arena. Several connections may share its bytes (broadcast).
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    end: u32,
    next: u32,
}

/// A list of pieces.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u32,
    last: u32,
}

/// What one connection sends in this turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) slot: u32,
    pub(crate) bytes: u32,
    control: Chain,
    data: Chain,
}

#[derive(Debug, Default)]
pub(crate) struct Sends {
    /// The frames. Appended to by the codec, then named by a piece.
    pub(crate) arena: Vec<u8>,
    pieces: Vec<Piece>,
    pub(crate) batches: Vec<Batch>,
}

impl Sends {
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Gives `start..end` of the arena to a connection's lane. `batch` is where the connection remembers its batch.
    #[inline]
    pub(crate) fn add(&mut self, slot: u32, batch: &mut u32, lane: Lane, start: usize, end: usize) {
        if *batch == NO_BATCH {
            *batch = self.batches.len() as u32;
            let empty = Chain { first: NO_PIECE, last: NO_PIECE };
            self.batches.push(Batch { slot, bytes: 0, control: empty, data: empty });
        }
        let index = self.pieces.len() as u32;
        self.pieces.push(Piece { start: start as u32, end: end as u32, next: NO_PIECE });
        let batch = &mut self.batches[*batch as usize];
        batch.bytes += (end - start) as u32;
        let chain = match lane {
            Lane::Control => &mut batch.control,
            Lane::Data => &mut batch.data,
        };
        if chain.first == NO_PIECE {
            chain.first = index;
        } else {
            self.pieces[chain.last as usize].next = index;
        }
        chain.last = index;
    }

    /// The bytes that wait in a batch.
    pub(crate) fn waiting(&self, batch: u32) -> usize {
        self.batches.get(batch as usize).map_or(0, |batch| batch.bytes as usize)
    }

    /// The connection of this batch is gone, or it was written already.
    pub(crate) fn forget(&mut self, batch: u32) {
        if let Some(batch) = self.batches.get_mut(batch as usize) {
            batch.slot = NO_SLOT;
        }
    }

    /// If all of a batch lies in one piece of the arena (the common case): that piece.
    #[inline]
    pub(crate) fn only_piece(&self, batch: &Batch) -> Option<&[u8]> {
        let first = match (batch.control.first, batch.data.first) {
            (NO_PIECE, first) | (first, NO_PIECE) => first,
            _ => return None,
        };
        let piece = self.pieces.get(first as usize)?;
        (piece.next == NO_PIECE).then(|| &self.arena[piece.start as usize..piece.end as usize])
    }

    /// The frames of a batch in sending order: control, then data.
    pub(crate) fn frames<'a>(&'a self, batch: &Batch) -> impl Iterator<Item = (Lane, &'a [u8])> {
        let walk = |lane, chain: Chain| {
            let mut next = chain.first;
            std::iter::from_fn(move || {
                let piece = self.pieces.get(next as usize)?;
                next = piece.next;
                Some((lane, &self.arena[piece.start as usize..piece.end as usize]))
            })
        };
        walk(Lane::Control, batch.control).chain(walk(Lane::Data, batch.data))
    }

    /// The same as slices for one call, neighbours in the arena joined, at most [`SLICES_MAX`].
    pub(crate) fn slices(&self, batch: &Batch) -> Vec<IoSlice<'_>> {
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(8);
        'full: for chain in [batch.control, batch.data] {
            let mut next = chain.first;
            while let Some(piece) = self.pieces.get(next as usize) {
                next = piece.next;
                if let Some((_, end)) = ranges.last_mut().filter(|(_, end)| *end == piece.start) {
                    *end = piece.end;
                } else if ranges.len() < SLICES_MAX {
                    ranges.push((piece.start, piece.end));
                } else {
                    break 'full;
                }
            }
        }
        ranges.iter().map(|&(start, end)| IoSlice::new(&self.arena[start as usize..end as usize])).collect()
    }

    /// Ready for the next turn. Memory beyond the usual is given back.
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.pieces.clear();
        self.batches.clear();
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
        assert_eq!(sends.only_piece(&sends.batches[0]), Some(&b"one"[..]));
        add(&mut sends, 1, &mut a, Lane::Data, b"two");
        add(&mut sends, 2, &mut b, Lane::Data, b"other");
        add(&mut sends, 1, &mut a, Lane::Control, b"beat");
        let batch = sends.batches[a as usize];
        assert_eq!(sends.only_piece(&batch), None);
        let frames: Vec<_> = sends.frames(&batch).collect();
        assert_eq!(frames, [(Lane::Control, &b"beat"[..]), (Lane::Data, b"one"), (Lane::Data, b"two")]);
        let slices: Vec<_> = sends.slices(&batch).iter().map(|slice| slice.to_vec()).collect();
        assert_eq!(slices, [b"beat".to_vec(), b"onetwo".to_vec()]);
        assert_eq!(sends.waiting(a), 10);
    }

    #[test]
    fn one_broadcast_frame_is_shared_by_many() {
        let mut sends = Sends::default();
        sends.arena.extend_from_slice(b"news");
        for slot in 0..100 {
            sends.add(slot, &mut NO_BATCH.clone(), Lane::Data, 0, 4);
        }
        assert_eq!(sends.arena.len(), 4);
        assert!(sends.batches.iter().all(|batch| sends.only_piece(batch) == Some(b"news")));
    }
}
