//! What a reactor, a listener and a connection are set to, as C writes it.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::capi::codes::*;
use crate::capi::defaults::{bytes_or, is_on, limit, mass_silence, or};
use crate::capi::policy::Policies;
use crate::capi::sized::Sized_;
use crate::frame::Framing;
use crate::reactor::{Config, Keepalive, Limits, ListenOptions, Marks, Options, SocketOptions, WhenFull};

/// Told what an operator may want to read: one line, without a newline at its end, valid during the call. It must not
/// throw and not call Heartline on the same reactor (that gives HEARTLINE_ERR_OVERLAP).
pub type heartline_log_fn = Option<unsafe extern "C-unwind" fn(context: *mut c_void, level: u32, text: *const c_char)>;

/// Level of a log line: worth knowing.
pub const HEARTLINE_LOG_INFO: u32 = 1;
/// Level of a log line: worth looking at.
pub const HEARTLINE_LOG_WARN: u32 = 2;
/// Level of a log line: a bug of Heartline.
pub const HEARTLINE_LOG_BUG: u32 = 3;

/// Settings of a reactor. A field that is 0 has its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_reactor_config {
    /// sizeof(heartline_reactor_config).
    pub struct_size: u32,
    /// Address, times and counts per connection, 48 bytes each, for info and obituary. HEARTLINE_OFF: none.
    pub statistics: u32,
    /// Seeds the jitter of asks and the first generation of ids. 0: drawn from the system.
    pub seed: u64,
    /// Lateness up to this is jitter; beyond it, it is a stall that counts for nobody. 0: 100.
    pub granularity_ms: u32,
    /// Verdicts in one turn. 0: 4096.
    pub verdicts_per_turn: u32,
    /// As in heartline_monitor_config. 0: off.
    pub mass_silence_percent: u32,
    /// 0: 5000.
    pub mass_silence_window_ms: u32,
    /// 0: 60000.
    pub mass_silence_hold_ms: u32,
    /// 0: 100.
    pub mass_silence_peers_min: u32,
    /// How long a descriptor declared dead is kept, shut for writing, to count bytes that still come: false deaths. 0: off.
    pub autopsy_ms: u32,
    /// Connections in all; accepting pauses there. 0: 16,776,958.
    pub connections_max: u32,
    /// Requests that wait in the mailbox. 0: 65536.
    pub mailbox_max: u32,
    /// 0.
    pub reserved: u32,
    /// Unfinished frames together. 0: 256 MiB.
    pub partial_bytes_max: u64,
    /// Outboxes together. 0: 1 GiB.
    pub outbox_bytes_max: u64,
    /// Messages that one poll lends, from 32 KiB to 1 GiB. 0: 256 KiB.
    pub batch_bytes: u64,
    /// NULL: no log.
    pub log: heartline_log_fn,
    /// Passed to `log`.
    pub log_context: *mut c_void,
    /// For an allocator: NULL.
    pub reserved_pointers: [*mut c_void; 4],
}

// SAFETY: numbers, pointers and a function pointer that may be NULL.
unsafe impl Sized_ for heartline_reactor_config {
    const FIRST_BYTES: usize = 128;
    fn reserved_is_zero(&self) -> bool {
        self.reserved == 0 && self.reserved_pointers.iter().all(|pointer| pointer.is_null())
    }
}

/// When a message does not fit under the high mark: send returns HEARTLINE_ERR_FULL. The default.
pub const HEARTLINE_WHEN_FULL_REFUSE: u32 = 1;
/// The oldest waiting messages make room; each comes back as HEARTLINE_EVENT_UNSENT.
pub const HEARTLINE_WHEN_FULL_DROP_OLDEST: u32 = 2;
/// The connection is closed with outbox_full.
pub const HEARTLINE_WHEN_FULL_CLOSE: u32 = 3;

/// Settings of a connection, or of all that a listener accepts. A field that is 0 has its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_options {
    /// sizeof(heartline_options).
    pub struct_size: u32,
    /// Slot of the policy. 0: slot 0, the profile `im` until it is set; but nobody judges where the codec has no beat.
    pub policy: u32,
    /// TCP_NODELAY. 0: on. HEARTLINE_OFF: off.
    pub nodelay: u32,
    /// SO_KEEPALIVE: seconds of silence before the first probe, up to 32767. 0: off, but where no policy judges 60 / 20 / 3.
    pub keepalive_idle_s: u32,
    /// Seconds between probes, up to 32767. 0: 20.
    pub keepalive_interval_s: u32,
    /// Probes without an answer, up to 127. 0: 3.
    pub keepalive_count: u32,
    /// TCP_USER_TIMEOUT. 0: off. Left off where a policy judges.
    pub user_timeout_ms: u32,
    /// SO_SNDBUF. 0: the kernel's.
    pub send_buffer_bytes: u32,
    /// SO_RCVBUF. 0: the kernel's.
    pub receive_buffer_bytes: u32,
    /// Over this many queued bytes a message is not taken. 0: 1 MiB.
    pub high_bytes: u32,
    /// HEARTLINE_EVENT_DRAINED comes when the queue has fallen to this. 0: 256 KiB, or a quarter of high_bytes if that is less.
    pub low_bytes: u32,
    /// HEARTLINE_WHEN_FULL_. 0: refuse.
    pub when_full: u32,
    /// From open to the first whole frame. 0: no limit.
    pub first_frame_ms: u32,
    /// From the first byte of a frame to its last. 0: 30000. HEARTLINE_OFF: no limit.
    pub frame_ms: u32,
    /// From queued output to the kernel taking some of it. 0: 30000. HEARTLINE_OFF: no limit.
    pub output_ms: u32,
    /// From connect to an established connection. 0: 10000. HEARTLINE_OFF: no limit.
    pub connect_ms: u32,
    /// From close to the end: the flush, and the peer's own FIN. 0: 5000. HEARTLINE_OFF: no limit.
    pub close_ms: u32,
    /// Not 0: at the peer's FIN HEARTLINE_EVENT_READ_CLOSED comes and sending goes on.
    pub half_open: u32,
    /// Not 0: beats are shown too, as HEARTLINE_EVENT_BEAT. They are answered already.
    pub deliver_beats: u32,
    /// A peer that leaves earlier than this after the open and has not sent a byte was a health check: the reason of its end. 0: off.
    pub health_check_ms: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_options {
    const FIRST_BYTES: usize = 80;
}

/// Settings of a listener. A field that is 0 has its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_listen_options {
    /// sizeof(heartline_listen_options).
    pub struct_size: u32,
    /// Length of the kernel's accept queue. 0: 4096.
    pub backlog: u32,
    /// Not 0: SO_REUSEPORT, several reactors on one port.
    pub reuse_port: u32,
    /// Connections of one remote address; more are reset at once. 0: no limit.
    pub per_address_max: u32,
    /// Connections accepted in a second. 0: no limit.
    pub accepts_per_second: u32,
    /// 0.
    pub reserved: u32,
    /// What accepted connections are set to; copied. NULL: every default.
    pub connection: *const heartline_options,
}

// SAFETY: numbers and a pointer.
unsafe impl Sized_ for heartline_listen_options {
    const FIRST_BYTES: usize = 32;
    fn reserved_is_zero(&self) -> bool {
        self.reserved == 0
    }
}

/// How all connections are brought to an end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_drain_options {
    /// sizeof(heartline_drain_options).
    pub struct_size: u32,
    /// Told instead of `drained`; from 256 up. 0: none.
    pub code: u32,
    /// The closes are spread evenly over this. 0: all at once.
    pub spread_ms: u64,
    /// Whoever is left after this is cut off. 0: 10000, or the spread if that is more.
    pub limit_ms: u64,
    /// A message for each connection, sent just before its close begins; copied. NULL: none.
    pub farewell: *const c_void,
    /// Its bytes.
    pub farewell_len: usize,
}

// SAFETY: numbers and a pointer.
unsafe impl Sized_ for heartline_drain_options {
    const FIRST_BYTES: usize = 40;
}

impl heartline_reactor_config {
    pub(super) fn to_config(self) -> Result<Config, i32> {
        let mut config = Config::default();
        if self.seed != 0 {
            config.seed = self.seed;
        }
        config.granularity_ms = or(self.granularity_ms, config.granularity_ms);
        config.verdicts_per_turn = or(self.verdicts_per_turn, 4096) as usize;
        config.mass_silence = mass_silence(
            self.mass_silence_percent,
            self.mass_silence_window_ms,
            self.mass_silence_hold_ms,
            self.mass_silence_peers_min,
        )?;
        config.autopsy_ms = limit(self.autopsy_ms, config.autopsy_ms);
        config.statistics = is_on(self.statistics)?;
        config.connections_max = or(self.connections_max, config.connections_max);
        config.partial_bytes_max = bytes_or(self.partial_bytes_max, config.partial_bytes_max);
        config.outbox_bytes_max = bytes_or(self.outbox_bytes_max, config.outbox_bytes_max);
        config.mailbox_max = or(self.mailbox_max, 65_536) as usize;
        Ok(config)
    }
}

impl heartline_options {
    pub(super) fn to_options(self, framing: &Arc<Framing>, policies: &Policies) -> Result<Options, i32> {
        let (keepalive, marks, limits) = (Keepalive::default(), Marks::default(), Limits::default());
        let high_bytes = or(self.high_bytes, marks.high_bytes);
        let low_bytes = or(self.low_bytes, marks.low_bytes.min(high_bytes / 4));
        // What the kernel takes.
        let probes = [self.keepalive_idle_s, self.keepalive_interval_s].iter().all(|seconds| *seconds <= 32_767);
        if low_bytes > high_bytes || !probes || self.keepalive_count > 127 {
            return Err(HEARTLINE_ERR_INVALID);
        }
        Ok(Options {
            framing: framing.clone(),
            policy: if self.policy == 0 { None } else { Some(policies.get(u64::from(self.policy))?) },
            socket: SocketOptions {
                nodelay: is_on(self.nodelay)?,
                keepalive: (self.keepalive_idle_s > 0).then(|| Keepalive {
                    idle_s: self.keepalive_idle_s,
                    interval_s: or(self.keepalive_interval_s, keepalive.interval_s),
                    count: or(self.keepalive_count, keepalive.count),
                }),
                user_timeout_ms: limit(self.user_timeout_ms, 0),
                send_buffer_bytes: self.send_buffer_bytes,
                receive_buffer_bytes: self.receive_buffer_bytes,
            },
            marks: Marks {
                high_bytes,
                low_bytes,
                when_full: match self.when_full {
                    0 | HEARTLINE_WHEN_FULL_REFUSE => WhenFull::Refuse,
                    HEARTLINE_WHEN_FULL_DROP_OLDEST => WhenFull::DropOldest,
                    HEARTLINE_WHEN_FULL_CLOSE => WhenFull::Close,
                    _ => return Err(HEARTLINE_ERR_INVALID),
                },
            },
            limits: Limits {
                first_frame_ms: limit(self.first_frame_ms, limits.first_frame_ms),
                frame_ms: limit(self.frame_ms, limits.frame_ms),
                output_ms: limit(self.output_ms, limits.output_ms),
                connect_ms: limit(self.connect_ms, limits.connect_ms),
                close_ms: limit(self.close_ms, limits.close_ms),
                health_check_ms: limit(self.health_check_ms, limits.health_check_ms),
            },
            half_open: self.half_open != 0,
            deliver_beats: self.deliver_beats != 0,
            #[cfg(feature = "websocket")]
            websocket: crate::reactor::WebSocketOptions::default(),
            aside: false,
        })
    }
}

impl heartline_listen_options {
    pub(super) fn to_listen_options(self, connection: Options) -> ListenOptions {
        let mut options = ListenOptions::new(connection);
        options.backlog = or(self.backlog, options.backlog);
        options.reuse_port = self.reuse_port != 0;
        options.per_address_max = self.per_address_max;
        options.accepts_per_second = self.accepts_per_second;
        options
    }
}
