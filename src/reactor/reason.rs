//! Why a connection ended, and why a listener pauses: the words and codes of events, obituaries, log lines and metrics.

use std::fmt;

/// Why a listener pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseCause {
    /// No descriptor or no memory is left (R6).
    OutOfDescriptors,
    /// `connections_max` is reached.
    ConnectionsMax,
}

impl PauseCause {
    /// `out_of_descriptors` or `connections_max`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfDescriptors => "out_of_descriptors",
            Self::ConnectionsMax => "connections_max",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $name:literal,)*) => {
        /// Why a connection ended. Codes are stable; new ones are appended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
            /// The application's own code, from 256 up.
            Application(u16),
        }

        impl Reason {
            /// Every reason of Heartline's own, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number: below 256 Heartline's, from 256 the application's.
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Application(code) => code,
                }
            }

            /// The name in log lines and metrics; `application` for codes from 256.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Application(_) => "application",
                }
            }
        }
    };
}

reasons! {
    /// The peer sent FIN.
    PeerClosed = 1 "peer_closed",
    /// The peer reset the connection.
    PeerReset = 2 "peer_reset",
    /// Silent for the timeout of its policy.
    Silent = 3 "silent",
    /// No whole frame within `first_frame_ms`.
    FirstFrameLate = 4 "first_frame_late",
    /// A frame was begun and not completed within `frame_ms`.
    FrameStalled = 5 "frame_stalled",
    /// The kernel took none of the queued output for `output_ms`.
    OutputStalled = 6 "output_stalled",
    /// Bytes that are no frame; the obituary names the limit, what came and where.
    FrameBad = 7 "frame_bad",
    /// A limit was exceeded: the frame's `max`, unfinished frames together, connections of one address.
    OverLimit = 8 "over_limit",
    /// The outbox was over its mark and the options say close.
    OutboxFull = 9 "outbox_full",
    /// An error of the operating system.
    OsError = 10 "os_error",
    /// Closed by a drain.
    Drained = 11 "drained",
    /// Closed by the application without a code of its own.
    Local = 12 "local",
    /// A newer connection of the same user took its place.
    Replaced = 13 "replaced",
    /// Asks faster than the policy allows.
    Abuse = 14 "abuse",
    /// Sealed beats that do not verify.
    SealBad = 15 "seal_bad",
    /// The upgrade was refused.
    UpgradeRefused = 16 "upgrade_refused",
    /// A health check that came and left.
    HealthCheck = 17 "health_check",
    /// Nobody listens there.
    ConnectRefused = 18 "connect_refused",
    /// Not established within `connect_ms`.
    ConnectTimeout = 19 "connect_timeout",
    /// Any other error while dialling.
    ConnectError = 20 "connect_error",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(code) => write!(f, "application {code}"),
            known => f.write_str(known.name()),
        }
    }
}
