//! What a field is that is 0, and other things that the settings of several structs have in common.

use super::HEARTLINE_OFF;
use super::codes::HEARTLINE_ERR_INVALID;
use crate::liveness::MassSilence;

pub(super) fn or(value: u32, default: u32) -> u32 {
    if value == 0 { default } else { value }
}

pub(super) fn bytes_or(value: u64, default: usize) -> usize {
    if value == 0 { default } else { usize::try_from(value).unwrap_or(usize::MAX) }
}

/// 0 is the default, HEARTLINE_OFF is the 0 of the Rust options.
pub(super) fn limit(value: u32, default: u32) -> u32 {
    match value {
        0 => default,
        HEARTLINE_OFF => 0,
        ms => ms,
    }
}

/// On, unless it is HEARTLINE_OFF.
pub(super) fn is_on(value: u32) -> Result<bool, i32> {
    match value {
        0 | 1 => Ok(true),
        HEARTLINE_OFF => Ok(false),
        _ => Err(HEARTLINE_ERR_INVALID),
    }
}

/// The four fields of that name.
pub(super) fn mass_silence(
    percent: u32,
    window_ms: u32,
    hold_ms: u32,
    peers_min: u32,
) -> Result<Option<MassSilence>, i32> {
    let usual = MassSilence::default();
    match percent {
        0 | HEARTLINE_OFF => Ok(None),
        1..=100 => Ok(Some(MassSilence {
            percent: percent as u8,
            window_ms: or(window_ms, usual.window_ms),
            hold_ms: or(hold_ms, usual.hold_ms),
            min_peers: or(peers_min, usual.min_peers),
        })),
        _ => Err(HEARTLINE_ERR_INVALID),
    }
}
