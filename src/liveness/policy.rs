//! What a connection's liveness follows: role, interval, suspect, timeout, jitter.

use std::fmt;

/// The shortest interval, in milliseconds: five ticks of the wheel.
pub const MIN_INTERVAL_MS: u32 = 20;
/// The longest timeout, and the longest of any other time in a policy: seven days, in milliseconds.
pub const MAX_TIMEOUT_MS: u32 = 7 * 24 * 3_600_000;
/// How many policies one monitor knows.
pub const MAX_POLICIES: usize = 256;

/// What we do about beats. All roles judge silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Send nothing.
    Watch,
    /// Answer asks (the default of every profile: nothing is sent that was not agreed, L13).
    #[default]
    Answer,
    /// Ask, never answer.
    Ask,
    /// Ask and answer.
    Both,
}

impl Role {
    /// Whether this role sends asks.
    pub const fn asks(self) -> bool {
        matches!(self, Self::Ask | Self::Both)
    }

    /// Whether this role answers asks.
    pub const fn answers(self) -> bool {
        matches!(self, Self::Answer | Self::Both)
    }

    /// The word for it in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Answer => "answer",
            Self::Ask => "ask",
            Self::Both => "both",
        }
    }
}

/// What a connection's liveness follows. Each field is open to change; [`check`](Self::check) says what must hold.
///
/// The text form ([`parse`](Self::parse), `Display`) is `profile,key=value,...`: `game,role=both,timeout=20s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// What we do about beats.
    pub role: Role,
    /// How long the silence lasts before we ask, in milliseconds; from [`MIN_INTERVAL_MS`].
    pub interval_ms: u32,
    /// How long before the peer is reported as suspect, in milliseconds.
    pub suspect_ms: u32,
    /// How long before the peer is dead, in milliseconds; up to [`MAX_TIMEOUT_MS`]. 0: never judged.
    pub timeout_ms: u32,
    /// How much earlier than `interval_ms` an ask may go out, in percent, 0 to 50, so that peers never beat in step
    /// (L7; default 10). The first ask goes out up to 50 percent earlier, unless this is 0.
    pub jitter_percent: u8,
    /// Ask also on busy links, this often in milliseconds, to measure the round trip; 0 (default): never.
    pub rtt_every_ms: u32,
    /// Send no ask before the peer's first frame (L13).
    pub after_first_frame: bool,
}

impl Default for Policy {
    /// The profile [`im`](Self::im).
    fn default() -> Self {
        Self::im()
    }
}

impl Policy {
    const fn of_profile(interval_ms: u32, suspect_ms: u32, timeout_ms: u32) -> Self {
        Self {
            role: Role::Answer,
            interval_ms,
            suspect_ms,
            timeout_ms,
            jitter_percent: 10,
            rtt_every_ms: 0,
            after_first_frame: false,
        }
    }

    /// Servers in one hall: 2 / 4 / 8 s.
    pub const fn lan() -> Self {
        Self::of_profile(2_000, 4_000, 8_000)
    }

    /// Games: 5 / 8 / 20 s.
    pub const fn game() -> Self {
        Self::of_profile(5_000, 8_000, 20_000)
    }

    /// Instant messaging, and the default: 10 / 15 / 35 s.
    pub const fn im() -> Self {
        Self::of_profile(10_000, 15_000, 35_000)
    }

    /// Browsers behind proxies: 25 / 40 / 60 s.
    pub const fn web() -> Self {
        Self::of_profile(25_000, 40_000, 60_000)
    }

    /// Phones: 180 / 240 / 400 s. Below a carrier's five-minute NAT limit, and one lost beat is forgiven.
    pub const fn mobile() -> Self {
        Self::of_profile(180_000, 240_000, 400_000)
    }

    /// Watches, sends nothing, never judges: for a codec without a beat (L12).
    pub const fn none() -> Self {
        let mut none = Self::of_profile(0, 0, 0);
        none.role = Role::Watch;
        none
    }

    /// The profile called `name`: `lan`, `game`, `im`, `web`, `mobile` or `none`.
    pub fn profile(name: &str) -> Option<Self> {
        Some(match name {
            "lan" => Self::lan(),
            "game" => Self::game(),
            "im" => Self::im(),
            "web" => Self::web(),
            "mobile" => Self::mobile(),
            "none" => Self::none(),
            _ => return None,
        })
    }

    /// This policy with timeout `ms`; interval and suspect are scaled with it (L12). 0: never judged, the others stay.
    pub const fn with_timeout(self, ms: u32) -> Self {
        if ms == 0 {
            return Self { timeout_ms: 0, ..self };
        }
        // A policy that judges nobody has no proportions; those of `im` are the default.
        let of = if self.timeout_ms == 0 { Self::im() } else { self };
        let interval_ms = (of.interval_ms as u64 * ms as u64 / of.timeout_ms as u64) as u32;
        let suspect_ms = (of.suspect_ms as u64 * ms as u64 / of.timeout_ms as u64) as u32;
        Self { interval_ms, suspect_ms, timeout_ms: ms, ..self }
    }

    /// This policy with interval `ms`.
    pub const fn with_interval(self, ms: u32) -> Self {
        Self { interval_ms: ms, ..self }
    }

    /// This policy with suspect `ms`.
    pub const fn with_suspect(self, ms: u32) -> Self {
        Self { suspect_ms: ms, ..self }
    }

    /// This policy with `role`. [`Role::Ask`] and [`Role::Both`] are the agreement to send asks (L13).
    pub const fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// This policy with a jitter of `percent`.
    pub const fn with_jitter(self, percent: u8) -> Self {
        Self { jitter_percent: percent, ..self }
    }

    /// This policy with asks on busy links each `ms`.
    pub const fn with_rtt_every(self, ms: u32) -> Self {
        Self { rtt_every_ms: ms, ..self }
    }

    /// This policy with asks only after the peer's first frame, or not so.
    pub const fn with_after_first_frame(self, wait: bool) -> Self {
        Self { after_first_frame: wait, ..self }
    }

    /// Whether it ever declares a peer suspect or dead.
    pub const fn judges(&self) -> bool {
        self.timeout_ms != 0
    }

    /// Whether the policy makes sense: times within bounds, and interval < suspect < timeout if it judges.
    pub fn check(&self) -> Result<(), PolicyError> {
        let within = |field, value: u32, min, max| {
            if (min..=max).contains(&value) { Ok(()) } else { Err(PolicyError::OutOfBounds { field, value, min, max }) }
        };
        within("jitter_percent", u32::from(self.jitter_percent), 0, 50)?;
        if self.rtt_every_ms != 0 {
            within("rtt_every_ms", self.rtt_every_ms, MIN_INTERVAL_MS, MAX_TIMEOUT_MS)?;
        }
        if self.judges() || self.role.asks() {
            within("interval_ms", self.interval_ms, MIN_INTERVAL_MS, MAX_TIMEOUT_MS)?;
        }
        if !self.judges() {
            return Ok(());
        }
        within("timeout_ms", self.timeout_ms, MIN_INTERVAL_MS, MAX_TIMEOUT_MS)?;
        let Self { interval_ms, suspect_ms, timeout_ms, .. } = *self;
        if interval_ms < suspect_ms && suspect_ms < timeout_ms {
            Ok(())
        } else {
            Err(PolicyError::OutOfOrder { interval_ms, suspect_ms, timeout_ms })
        }
    }
}

/// A policy that one monitor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PolicyId(pub(super) u8);

impl PolicyId {
    /// Its number: 0 for the first that was defined, then 1, and so on.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why a policy was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// A field is not within its bounds.
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// What it was.
        value: u32,
        /// The least that is allowed.
        min: u32,
        /// The most that is allowed.
        max: u32,
    },
    /// Not interval < suspect < timeout.
    OutOfOrder {
        /// The interval, in milliseconds.
        interval_ms: u32,
        /// Suspect, in milliseconds.
        suspect_ms: u32,
        /// The timeout, in milliseconds.
        timeout_ms: u32,
    },
    /// A word of the text form that is neither a profile nor a key.
    UnknownWord(Box<str>),
    /// A key whose value cannot be read.
    BadValue {
        /// The key.
        key: &'static str,
        /// What was given.
        value: Box<str>,
    },
    /// The monitor knows [`MAX_POLICIES`] already.
    TooMany,
    /// The id is of another monitor: this one knows no policy of that index.
    UnknownPolicy(usize),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { field, value, min, max } => write!(f, "{field} is {value}, but must be {min} to {max}"),
            Self::OutOfOrder { interval_ms, suspect_ms, timeout_ms } => {
                write!(f, "interval {interval_ms} ms < suspect {suspect_ms} ms < timeout {timeout_ms} ms does not hold")
            }
            Self::UnknownWord(word) => write!(
                f,
                "{word:?} is neither a profile (lan, game, im, web, mobile, none) nor a setting (role=, interval=, \
                 suspect=, timeout=, jitter=, rtt-every=, after-first-frame)"
            ),
            Self::BadValue { key, value } => write!(f, "{key}={value}: expected {}", super::policy_text::expected(key)),
            Self::TooMany => write!(f, "a monitor knows at most {MAX_POLICIES} policies"),
            Self::UnknownPolicy(index) => write!(f, "policy {index} is not of this monitor"),
        }
    }
}

impl std::error::Error for PolicyError {}
