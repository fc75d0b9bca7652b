//! The obituary: all that is known of a connection that has ended.

use std::net::SocketAddr;

use super::connection::ConnectionId;
use super::reason::Reason;
use crate::frame::FrameError;

/// The full report on a closed connection. It can be asked for from the poll that told `Closed` (or `ConnectFailed`)
/// until the next one. Fields marked † need statistics to be on.
#[derive(Clone, Debug)]
pub struct Obituary {
    /// Whose it is.
    pub id: ConnectionId,
    /// The application's word.
    pub user: u64,
    /// Why it ended.
    pub reason: Reason,
    /// Who ended it.
    pub closed_by: ClosedBy,
    /// errno of the operating system, 0 if none.
    pub os_error: i32,
    /// What was wrong with the bytes, for `frame_bad` and `over_limit` of a frame: the limit, what came and where.
    pub frame_error: Option<FrameError>,
    /// The other end †.
    pub address: Option<SocketAddr>,
    /// From open to end, 16 ms exact †.
    pub age_ms: u64,
    /// Attended time since the last byte came.
    pub silence_ms: u32,
    /// For `silent`: how long after (last byte + timeout) the death was declared. Never negative.
    pub overshoot_ms: u32,
    /// Since the kernel last took bytes, 16 ms exact †; `None` if it never did.
    pub last_out_ms: Option<u64>,
    /// Asks without an answer.
    pub unanswered: u32,
    /// The last round trip from ask to answer.
    pub rtt_ms: Option<u32>,
    /// Bytes received and sent †.
    pub bytes_in: u64,
    /// Bytes that the kernel took †.
    pub bytes_out: u64,
    /// Whole messages received, beats not counted †.
    pub messages_in: u32,
    /// Messages accepted for sending †.
    pub messages_out: u32,
    /// Bytes that were queued and never sent.
    pub queued_bytes: usize,
    /// Stalls of this process that it lived through †.
    pub stalls: u16,
    /// What the kernel knew at the end; `None` if it was not TCP or statistics are off.
    pub tcp: Option<TcpInfo>,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The other end: FIN, reset, refusal.
    Peer,
    /// Heartline, by a rule: silence, a limit, bad bytes, a drain.
    Heartline,
    /// The application, by `close`.
    Application,
    /// The operating system, by an error of its own.
    System,
}

impl ClosedBy {
    /// `peer`, `heartline`, `application` or `system`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Heartline => "heartline",
            Self::Application => "application",
            Self::System => "system",
        }
    }
}

/// The kernel's view of a TCP connection (TCP_INFO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Smoothed round trip in microseconds.
    pub rtt_us: u32,
    /// The retransmission timer in microseconds.
    pub rto_us: u32,
    /// Segments retransmitted in all.
    pub retransmits: u32,
    /// Segments sent and not acknowledged.
    pub unacknowledged: u32,
}
