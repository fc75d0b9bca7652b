//! Verdicts as C reads them.

use super::handles::Peers;
use super::heartline_peer;
use crate::liveness::{Verdict, VerdictKind};

/// Something that the host should do or know.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_verdict {
    /// Whom it is about; 0 for STALLED and MASS_SILENCE.
    pub peer: heartline_peer,
    /// The host's word of that peer.
    pub user: u64,
    /// Silence so far, in attended milliseconds. REVIVED: the silence that ended. STALLED: the length of the stall.
    /// MASS_SILENCE: how many peers are silent.
    pub silence_ms: u32,
    /// How long after its due time the verdict comes; never negative. MASS_SILENCE: of how many peers.
    pub overshoot_ms: u32,
    /// HEARTLINE_VERDICT_. More kinds may come: pass over those you do not know.
    pub kind: u16,
    /// Asks without an answer; 255 stands for more.
    pub unanswered: u16,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<heartline_verdict>() == 32);

/// Verdict: send it an ask; it counts as sent.
pub const HEARTLINE_VERDICT_ASK: u16 = 1;
/// Verdict: silent for suspect_ms; it may still revive.
pub const HEARTLINE_VERDICT_SUSPECT: u16 = 2;
/// Verdict: a suspect was heard again.
pub const HEARTLINE_VERDICT_REVIVED: u16 = 3;
/// Verdict: silent for timeout_ms. A proposal: take a last look at the socket (MSG_PEEK), say heard if there is a byte,
/// otherwise remove it. If the host does neither, it comes again after an interval.
pub const HEARTLINE_VERDICT_DEAD: u16 = 4;
/// Verdict: this process was stopped or busy; the time counts for nobody.
pub const HEARTLINE_VERDICT_STALLED: u16 = 5;
/// Verdict: so many fell silent together that it is our own uplink.
pub const HEARTLINE_VERDICT_MASS_SILENCE: u16 = 6;

/// By number, each with its NUL.
pub(in crate::capi) const VERDICT_NAMES: &str =
    concat!("none\0", "ask\0", "suspect\0", "revived\0", "dead\0", "stalled\0", "mass_silence\0",);

impl heartline_verdict {
    pub(super) fn of(verdict: &Verdict, peers: &Peers) -> Self {
        let mut shown = Self {
            peer: 0,
            user: 0,
            silence_ms: verdict.silence_ms,
            overshoot_ms: verdict.overshoot_ms,
            kind: match verdict.kind {
                VerdictKind::Ask => HEARTLINE_VERDICT_ASK,
                VerdictKind::Suspect => HEARTLINE_VERDICT_SUSPECT,
                VerdictKind::Revived => HEARTLINE_VERDICT_REVIVED,
                VerdictKind::Dead => HEARTLINE_VERDICT_DEAD,
                VerdictKind::Stalled => HEARTLINE_VERDICT_STALLED,
                VerdictKind::MassSilence { .. } => HEARTLINE_VERDICT_MASS_SILENCE,
                // This interface sets no limits of the host's.
                VerdictKind::Limit => 0,
            },
            unanswered: 0,
            reserved: 0,
        };
        if let VerdictKind::MassSilence { silent, of } = verdict.kind {
            (shown.silence_ms, shown.overshoot_ms) = (silent, of);
        }
        if verdict.peer != Verdict::NOBODY {
            shown.peer = peers.id(verdict.peer);
            shown.user = peers.user(verdict.peer);
            shown.unanswered = peers.monitor.state(verdict.peer).map_or(0, |state| state.unanswered as u16);
        }
        shown
    }
}
