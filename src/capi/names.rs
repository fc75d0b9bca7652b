//! Names of numbers: for logs, metrics and foreign languages.

use std::ffi::{CStr, c_char};

use super::codes::TABLE;
use super::monitor::VERDICT_NAMES;
use super::reactor::EVENT_NAMES;

/// Table of heartline_name: the HEARTLINE_ERR_ numbers.
pub const HEARTLINE_NAMES_ERRORS: u32 = 1;
/// Table of heartline_name: the reasons of CLOSED and CONNECT_FAILED, as "peer_closed".
pub const HEARTLINE_NAMES_REASONS: u32 = 2;
/// Table of heartline_name: the kinds of events, as "message".
pub const HEARTLINE_NAMES_EVENTS: u32 = 3;
/// Table of heartline_name: the kinds of verdicts, as "dead".
pub const HEARTLINE_NAMES_VERDICTS: u32 = 4;

// The reasons, as `Reason` numbers them; a test compares them.

/// The peer sent FIN.
pub const HEARTLINE_REASON_PEER_CLOSED: u16 = 1;
/// The peer reset the connection.
pub const HEARTLINE_REASON_PEER_RESET: u16 = 2;
/// Silent for the timeout of its policy.
pub const HEARTLINE_REASON_SILENT: u16 = 3;
/// No whole frame within first_frame_ms.
pub const HEARTLINE_REASON_FIRST_FRAME_LATE: u16 = 4;
/// A frame was begun and not completed within frame_ms.
pub const HEARTLINE_REASON_FRAME_STALLED: u16 = 5;
/// The kernel took none of the queued output for output_ms.
pub const HEARTLINE_REASON_OUTPUT_STALLED: u16 = 6;
/// Bytes that are no frame.
pub const HEARTLINE_REASON_FRAME_BAD: u16 = 7;
/// A limit was exceeded: the frame's max, unfinished frames together, connections of one address.
pub const HEARTLINE_REASON_OVER_LIMIT: u16 = 8;
/// The outbox was over its mark and the options say close.
pub const HEARTLINE_REASON_OUTBOX_FULL: u16 = 9;
/// An error of the operating system.
pub const HEARTLINE_REASON_OS_ERROR: u16 = 10;
/// Closed by a drain.
pub const HEARTLINE_REASON_DRAINED: u16 = 11;
/// Closed by the application without a code of its own.
pub const HEARTLINE_REASON_LOCAL: u16 = 12;
/// A newer connection of the same user took its place.
pub const HEARTLINE_REASON_REPLACED: u16 = 13;
/// Asks faster than the policy allows.
pub const HEARTLINE_REASON_ABUSE: u16 = 14;
/// Sealed beats that do not verify.
pub const HEARTLINE_REASON_SEAL_BAD: u16 = 15;
/// The upgrade was refused.
pub const HEARTLINE_REASON_UPGRADE_REFUSED: u16 = 16;
/// A health check that came and left.
pub const HEARTLINE_REASON_HEALTH_CHECK: u16 = 17;
/// Nobody listens there.
pub const HEARTLINE_REASON_CONNECT_REFUSED: u16 = 18;
/// Not established within connect_ms.
pub const HEARTLINE_REASON_CONNECT_TIMEOUT: u16 = 19;
/// Any other error while dialling.
pub const HEARTLINE_REASON_CONNECT_ERROR: u16 = 20;
/// The first code that is the application's own.
pub const HEARTLINE_REASON_APPLICATION: u16 = 256;

const REASON_NAMES: &[&CStr] = &[
    c"none",
    c"peer_closed",
    c"peer_reset",
    c"silent",
    c"first_frame_late",
    c"frame_stalled",
    c"output_stalled",
    c"frame_bad",
    c"over_limit",
    c"outbox_full",
    c"os_error",
    c"drained",
    c"local",
    c"replaced",
    c"abuse",
    c"seal_bad",
    c"upgrade_refused",
    c"health_check",
    c"connect_refused",
    c"connect_timeout",
    c"connect_error",
];

/// The name of a number of one of the HEARTLINE_NAMES_ tables; "unknown" for any other number, "application" for
/// reasons from 256 up. Static, never NULL; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn heartline_name(table: u32, number: i32) -> *const c_char {
    let of = |names: &[&'static CStr]| usize::try_from(number).ok().and_then(|index| names.get(index).copied());
    let name = match table {
        HEARTLINE_NAMES_ERRORS => TABLE.iter().find(|(code, ..)| *code == number).map(|(_, name, _)| *name),
        HEARTLINE_NAMES_REASONS if number >= i32::from(HEARTLINE_REASON_APPLICATION) => Some(c"application"),
        HEARTLINE_NAMES_REASONS => of(REASON_NAMES),
        HEARTLINE_NAMES_EVENTS => of(EVENT_NAMES),
        HEARTLINE_NAMES_VERDICTS => of(VERDICT_NAMES),
        _ => None,
    };
    name.unwrap_or(c"unknown").as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::Reason;

    #[test]
    fn reasons_have_the_names_and_numbers_of_the_reactor() {
        assert_eq!(REASON_NAMES.len(), Reason::ALL.len() + 1);
        for reason in Reason::ALL {
            assert_eq!(REASON_NAMES[usize::from(reason.code())].to_str(), Ok(reason.name()));
        }
        assert_eq!(Reason::ConnectError.code(), HEARTLINE_REASON_CONNECT_ERROR);
        assert_eq!(Reason::Silent.code(), HEARTLINE_REASON_SILENT);
    }
}
