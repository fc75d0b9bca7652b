//! One connection: its id, and the forty bytes that the reactor keeps of it.

use std::fmt;

use super::inbound::Inbound;
use super::outbox::Outbox;

/// The handle of a connection: 24 bits of slot and 29 of generation, so that it is exact in a double (R14). It is never
/// 0, and a stale or foreign one is an ordinary error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// Bits of the slot in an id.
const SLOT_BITS: u32 = 24;
/// The largest generation: 29 bits.
pub(crate) const GENERATION_MAX: u32 = (1 << 29) - 1;

impl ConnectionId {
    /// No connection: what events of the reactor itself carry.
    pub const NONE: Self = Self(0);

    #[inline]
    pub(crate) const fn new(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << SLOT_BITS | slot as u64)
    }

    /// The id as a number below 2^53, for foreign interfaces.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The id that [`get`](Self::get) gave. Any number is safe: a wrong one is stale.
    pub const fn from_raw(raw: u64) -> Self {
        // What lies above 53 bits must not be cut off unseen: such a number is nobody's.
        if raw < 1 << 53 { Self(raw) } else { Self::NONE }
    }

    /// The id that a token below 2^56 is. If it is not below 2^53 it is nobody's: its generation is beyond
    /// [`GENERATION_MAX`].
    #[inline]
    pub(crate) const fn from_token(token: u64) -> Self {
        Self(token)
    }

    #[inline]
    pub(crate) const fn slot(self) -> u32 {
        (self.0 & ((1 << SLOT_BITS) - 1)) as u32
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> SLOT_BITS) as u32
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({}.{})", self.slot(), self.generation())
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a connection is in the middle of, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// The kernel takes writes: set by an edge, cleared by a write that was not taken whole.
    pub(crate) const WRITABLE: u16 = 1 << 0;
    /// There may be bytes to read: set by an edge, cleared by a read that proves the socket empty (R1).
    pub(crate) const READABLE: u16 = 1 << 1;
    /// The peer has sent FIN or the socket failed: only a read of 0 or an error ends the reading (R1).
    pub(crate) const READ_CLOSED: u16 = 1 << 2;
    /// It stands on the ready list.
    pub(crate) const LISTED: u16 = 1 << 3;
    /// The application has paused reading.
    pub(crate) const PAUSED: u16 = 1 << 4;
    /// Being dialled: no Opened yet.
    pub(crate) const DIALLING: u16 = 1 << 5;
    /// Closing: flush what is queued, then FIN, then wait for the peer's; the side table has the rest.
    pub(crate) const CLOSING: u16 = 1 << 6;
    /// Our FIN is sent.
    pub(crate) const FIN_SENT: u16 = 1 << 7;
    /// The end of the peer's stream was read; what is queued is still flushed (R13).
    pub(crate) const READ_ENDED: u16 = 1 << 8;
    /// `Full` was told, `Drained` not yet.
    pub(crate) const FULL: u16 = 1 << 9;
    /// No whole frame has come yet.
    pub(crate) const FIRST_FRAME_DUE: u16 = 1 << 10;
    /// A write failed: the peer is gone, but what it sent before may still wait to be read.
    pub(crate) const WRITE_FAILED: u16 = 1 << 11;
    /// The control lane is at its limit: reading rests until it has drained (R4).
    pub(crate) const CONTROL_FULL: u16 = 1 << 12;
    /// Bytes that are no frame, or a goodbye, came behind messages of one batch: once the replies have left, it ends.
    pub(crate) const READS_NO_MORE: u16 = 1 << 13;
    /// There is an `inbound`: said here too, so that a read looks at one word.
    const HAS_INBOUND: u16 = 1 << 14;
    /// There is an `outbox`: the same for sends and writes.
    const HAS_OUTBOX: u16 = 1 << 15;

    /// Nothing but bytes can be new: no state that a read has to look at.
    #[inline]
    pub(crate) const fn is_usual(self) -> bool {
        const UNUSUAL: u16 = Flags::READABLE
            | Flags::READ_CLOSED
            | Flags::LISTED
            | Flags::PAUSED
            | Flags::DIALLING
            | Flags::CLOSING
            | Flags::READ_ENDED
            | Flags::FIRST_FRAME_DUE
            | Flags::WRITE_FAILED
            | Flags::CONTROL_FULL
            | Flags::READS_NO_MORE
            | Flags::HAS_INBOUND;
        self.0 & (UNUSUAL | Self::WRITABLE) == Self::WRITABLE
    }

    /// The application may send.
    #[inline]
    pub(crate) const fn takes_sends(self) -> bool {
        !self.any(Self::CLOSING | Self::WRITE_FAILED)
    }

    /// The application may send, and nothing was refused that would have to leave before.
    #[inline]
    pub(crate) const fn takes_sends_at_once(self) -> bool {
        !self.any(Self::CLOSING | Self::WRITE_FAILED | Self::HAS_OUTBOX)
    }

    /// The kernel may take a write, and there is no outbox that would have to leave before.
    #[inline]
    pub(crate) const fn takes_writes(self) -> bool {
        self.0 & (Self::WRITABLE | Self::WRITE_FAILED | Self::HAS_OUTBOX) == Self::WRITABLE
    }

    #[inline]
    pub(crate) const fn any(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    #[inline]
    pub(crate) const fn set(&mut self, bits: u16) {
        self.0 |= bits;
    }

    #[inline]
    pub(crate) const fn clear(&mut self, bits: u16) {
        self.0 &= !bits;
    }
}

/// No bundle of sends in this turn.
pub(crate) const NO_BUNDLE: u32 = u32::MAX;

/// A connection. Later rooms add arrays by slot, never fields (R3).
#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(crate) socket: S,
    pub(crate) generation: u32,
    pub(crate) user: u64,
    /// The unfinished frame; nothing while idle (F3). Given and taken by the functions below alone.
    pub(crate) inbound: Option<Box<Inbound>>,
    /// What the kernel refused; nothing while it takes everything. The same.
    pub(crate) outbox: Option<Box<Outbox>>,
    /// Where this turn's sends gather, or [`NO_BUNDLE`].
    pub(crate) bundle: u32,
    pub(crate) options: u16,
    pub(crate) flags: Flags,
}

impl<S> Connection<S> {
    pub(crate) fn new(socket: S, generation: u32, options: u16, flags: u16) -> Self {
        let flags = Flags(flags);
        Self { socket, generation, user: 0, inbound: None, outbox: None, bundle: NO_BUNDLE, options, flags }
    }

    pub(crate) fn set_inbound(&mut self, inbound: Box<Inbound>) {
        self.flags.set(Flags::HAS_INBOUND);
        self.inbound = Some(inbound);
    }

    pub(crate) fn take_inbound(&mut self) -> Option<Box<Inbound>> {
        self.flags.clear(Flags::HAS_INBOUND);
        self.inbound.take()
    }

    pub(crate) fn set_outbox(&mut self, outbox: Box<Outbox>) {
        self.flags.set(Flags::HAS_OUTBOX);
        self.outbox = Some(outbox);
    }

    pub(crate) fn take_outbox(&mut self) -> Option<Box<Outbox>> {
        self.flags.clear(Flags::HAS_OUTBOX);
        self.outbox.take()
    }

    /// Whether the flags say the truth about both.
    pub(crate) fn agrees(&self) -> bool {
        self.flags.any(Flags::HAS_INBOUND) == self.inbound.is_some()
            && self.flags.any(Flags::HAS_OUTBOX) == self.outbox.is_some()
    }
}

// R3: with the descriptor's niche the slab's vacant entries cost nothing.
const _: () = assert!(size_of::<Connection<std::os::fd::OwnedFd>>() <= 40);
const _: () = assert!(size_of::<Option<Connection<std::os::fd::OwnedFd>>>() <= 40);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_exact_in_a_double_and_never_zero() {
        let id = ConnectionId::new((1 << 24) - 1, GENERATION_MAX);
        assert!(id.get() < 1 << 53);
        assert_eq!(id.get() as f64 as u64, id.get());
        assert_eq!((id.slot(), id.generation()), ((1 << 24) - 1, GENERATION_MAX));
        assert_ne!(ConnectionId::new(0, 1), ConnectionId::NONE);
    }

    #[test]
    fn a_number_beyond_53_bits_is_nobodys_id() {
        let id = ConnectionId::new(7, 9);
        for bit in 53..64 {
            assert_eq!(ConnectionId::from_raw(id.get() | 1 << bit), ConnectionId::NONE);
        }
    }

    #[test]
    fn a_token_beyond_53_bits_has_a_generation_that_nobody_has() {
        let id = ConnectionId::new(7, 9);
        assert_eq!(ConnectionId::from_token(id.get()), id);
        for bit in 53..56 {
            assert!(ConnectionId::from_token(id.get() | 1 << bit).generation() > GENERATION_MAX);
        }
    }
}
