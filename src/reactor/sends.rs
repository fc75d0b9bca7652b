//! The turn's send arena: frames gather here, per connection and lane, and leave together at a flush.

use std::io::IoSlice;

use super::connection::NO_BUNDLE;

/// Above this many bytes the arena is flushed at once instead of at the end of the turn.
pub(crate) const SEND_ARENA_BYTES: usize = 256 << 10;
/// Slices handed to the kernel in one call; the kernel's own limit is 1,024.
pub(crate) const SLICES_MAX: usize = 64;
/// The arena begins with this.
const GROWTH_BYTES: usize = 64 << 10;
/// A scratch buffer above this is given back.
const SCRATCH_BYTES_MAX: usize = 64 << 10;
const NO_SLOT: u32 = u32::MAX;
const NO_PIECE: u32 = u32::MAX;

/// Which of a connection's two lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Control,
    Data,
}

/// One whole frame in the arena; several connections may share its bytes (broadcast). The first piece of a connection
/// stands for its bundle and knows the slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    slot: u32,
    start: u32,
    end: u32,
    next: u32,
    lane: Lane,
}

/// What is known of a bundle once it has a second piece.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    last: u32,
    bytes: usize,
}

impl Piece {
    /// A piece with none behind it.
    #[inline(always)]
    fn alone(slot: u32, lane: Lane, start: usize, end: usize) -> Self {
        Self { slot, start: start as u32, end: end as u32, next: NO_PIECE, lane }
    }

    fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whose bundle this piece begins; `None` for later pieces, and for bundles that are written or forgotten.
    #[inline]
    pub(crate) fn slot(&self) -> Option<u32> {
        (self.slot != NO_SLOT).then_some(self.slot)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Sends {
    /// The frames lie in `..filled`; what is behind was written in earlier turns and is written over.
    arena: Vec<u8>,
    filled: usize,
    /// Up to here a send may fill the arena without looking at anything else.
    short_end: usize,
    pub(crate) pieces: Vec<Piece>,
    /// By the first piece; of use only where that has another behind it.
    chains: Vec<Chain>,
    /// Bytes of all bundles that wait: what a broadcast shares counts for each that it is for.
    pub(crate) waiting_in_all: usize,
    /// Where a codec builds a frame whose length is not known before.
    scratch: Vec<u8>,
}

impl Sends {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether the arena has what one flush should carry.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.filled >= SEND_ARENA_BYTES
    }

    /// See `Reactor::renew_short_way`: so many bytes may wait in all.
    pub(crate) fn renew_short_way(&mut self, waiting_max: usize) {
        let room = waiting_max.saturating_sub(self.waiting_in_all);
        self.short_end = SEND_ARENA_BYTES.min(self.filled.saturating_add(room));
    }

    /// Appends two parts to the arena as one frame; returns where it lies.
    #[inline(always)]
    pub(crate) fn append(&mut self, head: &[u8], message: &[u8]) -> (usize, usize) {
        let start = self.filled;
        let middle = start + head.len();
        let end = middle + message.len();
        if end > self.arena.len() {
            self.grow(end);
        }
        let to = &mut self.arena[start..end];
        to[..head.len()].copy_from_slice(head);
        to[head.len()..].copy_from_slice(message);
        self.filled = end;
        (start, end)
    }

    /// The short way: makes a frame of so many bytes the bundle of a connection that has none, for the caller to write.
    /// `None`, and nothing done, where it would go too far.
    #[inline(always)]
    pub(crate) fn begin(&mut self, slot: u32, bundle: &mut u32, length: usize) -> Option<&mut [u8]> {
        let start = self.filled;
        let end = start + length;
        if end > self.short_end {
            return None;
        }
        let frame = self.arena.get_mut(start..end)?;
        self.filled = end;
        self.waiting_in_all += length;
        *bundle = self.pieces.len() as u32;
        self.pieces.push(Piece::alone(slot, Lane::Data, start, end));
        Some(frame)
    }

    /// Zeroed memory is not touched before it is used.
    #[cold]
    fn grow(&mut self, end: usize) {
        let mut arena = vec![0; end.next_power_of_two().max(GROWTH_BYTES)];
        arena[..self.filled].copy_from_slice(&self.arena[..self.filled]);
        self.arena = arena;
    }

    /// Lets a codec build a frame and appends it; `Err` leaves the arena as it was.
    pub(crate) fn build<E>(&mut self, build: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(usize, usize), E> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let range = build(&mut scratch).map(|()| self.append(&[], &scratch));
        if scratch.capacity() <= SCRATCH_BYTES_MAX {
            self.scratch = scratch;
        }
        range
    }

    /// Takes the newest frame back, which no piece names yet.
    pub(crate) fn take_back(&mut self, start: usize) {
        self.filled = start;
    }

    /// Gives `start..end` of the arena to a connection's lane. `bundle` is where the connection remembers its bundle.
    #[inline]
    pub(crate) fn add(&mut self, slot: u32, bundle: &mut u32, lane: Lane, range: (usize, usize)) {
        if *bundle == NO_BUNDLE {
            self.add_first(slot, bundle, lane, range);
        } else {
            let index = self.pieces.len() as u32;
            self.link(*bundle, index, range.1 - range.0);
            self.add_first(NO_SLOT, &mut 0, lane, range);
        }
    }

    /// The same for a connection that has no bundle yet.
    #[inline(always)]
    pub(crate) fn add_first(&mut self, slot: u32, bundle: &mut u32, lane: Lane, (start, end): (usize, usize)) {
        *bundle = self.pieces.len() as u32;
        self.waiting_in_all += end - start;
        self.short_end = self.short_end.saturating_sub(end - start);
        self.pieces.push(Piece::alone(slot, lane, start, end));
    }

    /// Links piece `index` behind the others of a bundle.
    #[inline(never)]
    fn link(&mut self, bundle: u32, index: u32, bytes: usize) {
        if self.pieces[bundle as usize].next == NO_PIECE {
            self.begin_chain(bundle as usize);
        }
        let chain = &mut self.chains[bundle as usize];
        chain.bytes += bytes;
        let last = std::mem::replace(&mut chain.last, index);
        self.pieces[last as usize].next = index;
    }

    fn begin_chain(&mut self, first: usize) {
        if self.chains.len() <= first {
            self.chains.resize(first + 1, Chain::default());
        }
        self.chains[first] = Chain { last: first as u32, bytes: self.pieces[first].len() };
    }

    /// The bytes that wait in a bundle.
    pub(crate) fn waiting(&self, bundle: u32) -> usize {
        match self.pieces.get(bundle as usize) {
            None => 0,
            Some(first) if first.next == NO_PIECE => first.len(),
            Some(_) => self.chains[bundle as usize].bytes,
        }
    }

    /// The connection of this bundle is gone, or it was written already.
    pub(crate) fn forget(&mut self, bundle: u32) {
        let waiting = self.waiting(bundle);
        if let Some(first) = self.pieces.get_mut(bundle as usize) {
            first.slot = NO_SLOT;
            self.waiting_in_all -= waiting;
        }
    }

    /// If a bundle is one piece of the arena (the common case): that piece.
    #[inline]
    pub(crate) fn only_piece(&self, first: &Piece) -> Option<&[u8]> {
        if first.next == NO_PIECE { Some(&self.arena[first.start as usize..first.end as usize]) } else { None }
    }

    /// The bytes of the bundle that this piece begins.
    pub(crate) fn bundle_bytes(&self, first: &Piece) -> usize {
        self.frames(first).map(|(_, frame)| frame.len()).sum()
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

    /// The frames of a bundle in sending order: control, then data.
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
        self.filled = 0;
        self.pieces.clear();
        self.chains.clear();
        self.waiting_in_all = 0;
        if self.arena.len() > 4 * SEND_ARENA_BYTES {
            self.arena = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(sends: &mut Sends, slot: u32, bundle: &mut u32, lane: Lane, bytes: &[u8]) {
        let range = sends.append(&[], bytes);
        sends.add(slot, bundle, lane, range);
    }

    #[test]
    fn control_leaves_before_data_and_neighbours_are_joined() {
        let mut sends = Sends::default();
        let (mut a, mut b) = (NO_BUNDLE, NO_BUNDLE);
        add(&mut sends, 1, &mut a, Lane::Data, b"one");
        assert_eq!(sends.only_piece(&sends.pieces[0]), Some(&b"one"[..]));
        add(&mut sends, 1, &mut a, Lane::Data, b"two");
        add(&mut sends, 2, &mut b, Lane::Data, b"other");
        add(&mut sends, 1, &mut a, Lane::Control, b"beat");
        let bundle = sends.pieces[a as usize];
        assert_eq!(sends.only_piece(&bundle), None);
        let frames: Vec<_> = sends.frames(&bundle).collect();
        assert_eq!(frames, [(Lane::Control, &b"beat"[..]), (Lane::Data, b"one"), (Lane::Data, b"two")]);
        let slices: Vec<_> = sends.slices(&bundle).iter().map(|slice| slice.to_vec()).collect();
        assert_eq!(slices, [b"beat".to_vec(), b"onetwo".to_vec()]);
        assert_eq!((sends.waiting(a), sends.bundle_bytes(&bundle)), (10, 10));
        let owners: Vec<_> = sends.pieces.iter().filter_map(Piece::slot).collect();
        assert_eq!(owners, [1, 2]);
    }

    #[test]
    fn one_broadcast_frame_is_shared_by_many() {
        let mut sends = Sends::default();
        let range = sends.append(b"ne", b"ws");
        for slot in 0..100 {
            sends.add(slot, &mut NO_BUNDLE.clone(), Lane::Data, range);
        }
        assert_eq!(sends.filled, 4);
        assert!(sends.pieces.iter().all(|piece| sends.only_piece(piece) == Some(b"news")));
    }

    #[test]
    fn slices_are_cut_at_their_limit_without_a_gap() {
        let mut sends = Sends::default();
        let mut bundle = NO_BUNDLE;
        for round in 0..2 * SLICES_MAX as u8 {
            sends.append(&[], &[0]);
            add(&mut sends, 1, &mut bundle, if round % 2 == 0 { Lane::Data } else { Lane::Control }, &[round + 1]);
        }
        let first = sends.pieces[bundle as usize];
        let whole: Vec<u8> = sends.frames(&first).flat_map(|(_, frame)| frame.to_vec()).collect();
        let cut: Vec<u8> = sends.slices(&first).iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(cut.len(), SLICES_MAX);
        assert_eq!(cut, whole[..cut.len()]);
    }
}
