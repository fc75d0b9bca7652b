//! What is remembered of one peer: 24 bytes (R3), the only memory that grows with their number.

use super::wheel::{Links, NIL};

/// Bytes of memory per peer.
pub const PEER_BYTES: usize = size_of::<Peer>();
const _: () = assert!(PEER_BYTES <= 24);

/// `rtt` of a peer that has not been measured.
const UNMEASURED: u16 = u16::MAX;

/// One slot. Times are attended milliseconds, low 32 bits; [`since`] tells how long ago they were.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// When the last byte came; in the future while a grace lasts.
    pub(super) heard: u32,
    /// When it was last asked; before the first ask, when it was added; while paused, since when; after a proposed
    /// death, when that was proposed.
    pub(super) asked: u32,
    /// The tick it is filed under, low 32 bits.
    filed: u32,
    next: [u8; 3],
    prev: [u8; 3],
    flags: u16,
    rtt: u16,
    /// Asks that no answer came for; 255 stands for more.
    pub(super) outstanding: u8,
    /// Index of its policy.
    pub(super) policy: u8,
}

impl Peer {
    /// A slot that nobody uses.
    pub(super) const VACANT: Self = Self {
        heard: 0,
        asked: 0,
        filed: 0,
        next: [0xff; 3],
        prev: [0xff; 3],
        flags: 0,
        rtt: UNMEASURED,
        outstanding: 0,
        policy: 0,
    };

    pub(super) const fn new(policy: u8, at: u32) -> Self {
        Self { heard: at, asked: at, flags: Flag::Live as u16 | Flag::Fresh as u16, policy, ..Self::VACANT }
    }

    pub(super) const fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u16 != 0
    }

    pub(super) const fn set(&mut self, flag: Flag) {
        self.flags |= flag as u16;
    }

    /// Takes `flag` back; says whether it was set.
    pub(super) const fn clear(&mut self, flag: Flag) -> bool {
        let was = self.is(flag);
        self.flags &= !(flag as u16);
        was
    }

    /// How long its silence is at `now`, in milliseconds; while it is paused, how long it was then. Negative in a grace.
    pub(super) const fn silence_ms(&self, now: u32) -> i64 {
        since(if self.is(Flag::Paused) { self.asked } else { now }, self.heard)
    }

    pub(super) fn rtt_ms(&self) -> Option<u32> {
        (self.rtt != UNMEASURED).then_some(u32::from(self.rtt))
    }

    /// Remembers a round trip; 65,534 ms stands for more.
    pub(super) fn set_rtt_ms(&mut self, ms: u32) {
        self.rtt = ms.min(u32::from(UNMEASURED) - 1) as u16;
    }
}

/// What may be true of a peer.
#[derive(Clone, Copy, Debug)]
#[repr(u16)]
pub(super) enum Flag {
    /// The slot is in use.
    Live = 1,
    /// Not asked yet: the first ask has a wider spread (L7).
    Fresh = 1 << 1,
    /// Its first frame has come.
    Framed = 1 << 2,
    /// The host reads nothing from it; it is not judged.
    Paused = 1 << 3,
    /// Its silence has reached `suspect`.
    Suspect = 1 << 4,
    /// It is suspect, but nobody was told: mass silence.
    Untold = 1 << 5,
    /// Its death was proposed.
    Proposed = 1 << 6,
    /// The host has a limit of its own for it.
    Limited = 1 << 7,
    /// `heard` may lie in the future by the host's wish.
    Grace = 1 << 8,
    /// To be asked whatever the last ask was: we were away (L5).
    Anew = 1 << 9,
    /// A Revived verdict waits.
    Revived = 1 << 10,
    /// `asked` holds something else than the time of the last ask, so its answer tells no round trip.
    Untimed = 1 << 11,
    /// The host has sent it something since the last look.
    Spoke = 1 << 12,
    /// The host has sent it something since the last ask.
    Said = 1 << 13,
    /// The last verdict was of the host's limit.
    LimitTold = 1 << 14,
}

/// How long ago `then` was at `now`, in milliseconds; negative if it is to come. Right within 24 days either way.
pub(super) const fn since(now: u32, then: u32) -> i64 {
    now.wrapping_sub(then).cast_signed() as i64
}

impl Links for [Peer] {
    fn next(&self, entry: u32) -> u32 {
        unpack(self[entry as usize].next)
    }
    fn set_next(&mut self, entry: u32, next: u32) {
        self[entry as usize].next = pack(next);
    }
    fn prev(&self, entry: u32) -> u32 {
        unpack(self[entry as usize].prev)
    }
    fn set_prev(&mut self, entry: u32, prev: u32) {
        self[entry as usize].prev = pack(prev);
    }
    fn filed(&self, entry: u32) -> u32 {
        self[entry as usize].filed
    }
    fn set_filed(&mut self, entry: u32, tick: u32) {
        self[entry as usize].filed = tick;
    }
}

const fn pack(index: u32) -> [u8; 3] {
    debug_assert!(index <= NIL);
    let [a, b, c, _] = index.to_le_bytes();
    [a, b, c]
}

const fn unpack([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}
