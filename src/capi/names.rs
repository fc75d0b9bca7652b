//! Names of numbers: for logs, metrics and foreign languages.

use std::ffi::c_char;

use super::codes::{ERROR_NAMES, nth};
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

/// By number, each with its NUL.
const REASON_NAMES: &str = concat!(
    "none\0",
    "peer_closed\0",
    "peer_reset\0",
    "silent\0",
    "first_frame_late\0",
    "frame_stalled\0",
    "output_stalled\0",
    "frame_bad\0",
    "over_limit\0",
    "outbox_full\0",
    "os_error\0",
    "drained\0",
    "local\0",
    "replaced\0",
    "abuse\0",
    "seal_bad\0",
    "upgrade_refused\0",
    "health_check\0",
    "connect_refused\0",
    "connect_timeout\0",
    "connect_error\0",
);

/// The name of a number of one of the HEARTLINE_NAMES_ tables; "unknown" for any other number, "application" for
/// reasons from 256 up. Static, never NULL; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn heartline_name(table: u32, number: i32) -> *const c_char {
    let of = |names| u32::try_from(number).ok().and_then(|number| nth(names, number));
    let name = match table {
        HEARTLINE_NAMES_ERRORS if number <= 0 => nth(ERROR_NAMES, number.unsigned_abs()),
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
        for reason in Reason::ALL {
            assert_eq!(
                nth(REASON_NAMES, reason.code().into()).and_then(|name| name.to_str().ok()),
                Some(reason.name())
            );
        }
        assert_eq!(nth(REASON_NAMES, Reason::ALL.len() as u32 + 1), None);
        assert_eq!(Reason::ConnectError.code(), HEARTLINE_REASON_CONNECT_ERROR);
        assert_eq!(Reason::Silent.code(), HEARTLINE_REASON_SILENT);
    }
}
