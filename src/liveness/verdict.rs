//! What comes out of the monitor.

use super::policy::PolicyId;

/// Something that the host should do or know. 24 bytes of plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whom it is about; [`Verdict::NOBODY`] for [`Stalled`](VerdictKind::Stalled) and
    /// [`MassSilence`](VerdictKind::MassSilence).
    pub peer: u32,
    /// What it is.
    pub kind: VerdictKind,
    /// The silence so far, in attended milliseconds. For [`Revived`](VerdictKind::Revived) the silence that ended, for
    /// [`Stalled`](VerdictKind::Stalled) the length of the stall.
    pub silence_ms: u32,
    /// How many milliseconds after its due time the verdict comes; never negative, 0 where nothing was due.
    pub overshoot_ms: u32,
}

const _: () = assert!(size_of::<Verdict>() == 24);

impl Verdict {
    /// The `peer` of a verdict that is about no single one.
    pub const NOBODY: u32 = u32::MAX;
}

/// The kinds of verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictKind {
    /// Send it an ask: it has been silent for an interval. It counts as sent.
    Ask,
    /// It has been silent for `suspect`; it may still revive. Once per silence.
    Suspect,
    /// A suspect was heard, or its policy or a grace no longer makes it one.
    Revived,
    /// It has been silent for the timeout. A proposal (L6): the peer stays until [`remove`](super::Monitor::remove);
    /// [`heard`](super::Monitor::heard) takes it back; if the host does neither it comes again after an interval.
    Dead,
    /// A [`limit`](super::Monitor::limit) of the host may have been reached. It is forgotten now: set it again if it
    /// still stands.
    Limit,
    /// The host came later than promised: nobody's silence but ours.
    Stalled,
    /// So many fell silent together that it is our own uplink: Suspect and Dead are held back from here on.
    MassSilence {
        /// How many are suspect.
        silent: u32,
        /// Of how many.
        of: u32,
    },
}

/// A beat that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// "Are you there?"
    Ask,
    /// "Yes."
    Answer,
    /// Ask and answer are the same bytes: an answer if one is outstanding, otherwise an ask (L14).
    Either,
}

/// What a beat obliges us to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Owed {
    /// Nothing.
    Nothing,
    /// An answer, now.
    Answer,
}

/// What is known of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// Attended milliseconds since the last byte, as of the last `advance`; 14 days stand for more.
    pub silence_ms: u32,
    /// The last measured round trip, if there was one; 65,534 stands for more.
    pub rtt_ms: Option<u32>,
    /// Asks that no answer came for; 255 stands for more.
    pub unanswered: u32,
    /// Its silence has reached `suspect`.
    pub suspect: bool,
    /// Its death was proposed and neither accepted nor taken back.
    pub dead: bool,
    /// It is paused.
    pub paused: bool,
    /// What it follows.
    pub policy: PolicyId,
}

/// Running totals since the monitor was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Ask verdicts.
    pub asks: u64,
    /// Answers that came for an outstanding ask.
    pub answers: u64,
    /// Answers that came although no ask was outstanding.
    pub unasked_answers: u64,
    /// Answers owed to peers.
    pub owed: u64,
    /// Suspect verdicts.
    pub suspects: u64,
    /// Suspects that mass silence kept back.
    pub held: u64,
    /// Revived verdicts.
    pub revived: u64,
    /// Dead verdicts that were a peer's first in its silence.
    pub dead: u64,
    /// Dead verdicts that repeat a proposal.
    pub proposed_again: u64,
    /// Limit verdicts.
    pub limits: u64,
    /// MassSilence verdicts.
    pub mass_silences: u64,
    /// Peers looked at because the wheel brought them up.
    pub visits: u64,
    /// Peers filed anew because something came nearer.
    pub relinks: u64,
}
