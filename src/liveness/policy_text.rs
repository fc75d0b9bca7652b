//! The text form of a policy: one line, the same on the command line, in the config file and in C.

use std::fmt;
use std::str::FromStr;

use super::policy::{Policy, PolicyError, Role};

impl Policy {
    /// Reads `game,role=watch,timeout=20s`: a profile (default `im`), then settings in any order.
    ///
    /// Keys: `role=watch|answer|ask|both`, `interval=`, `suspect=`, `timeout=`, `rtt-every=` (each a duration: `500ms`,
    /// `20s`, `5m`, `1h`, or `0`), `jitter=` (percent, `10` or `10%`), `after-first-frame` (or `=yes`, `=no`). A timeout
    /// scales interval and suspect unless they are given too (L12). The result has been [checked](Self::check).
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut words = text.split(',').map(str::trim).filter(|word| !word.is_empty()).peekable();
        let profile = words.peek().and_then(|word| Self::profile(word));
        if profile.is_some() {
            words.next();
        }
        let mut policy = profile.unwrap_or_default();
        let (mut interval, mut suspect, mut timeout) = (None, None, None);
        for word in words {
            let (key, value) = word.split_once('=').map_or((word, None), |(k, v)| (k.trim_end(), Some(v.trim_start())));
            match (key, value) {
                ("role", Some(v)) => policy.role = role(v)?,
                ("interval", Some(v)) => interval = Some(duration_ms("interval", v)?),
                ("suspect", Some(v)) => suspect = Some(duration_ms("suspect", v)?),
                ("timeout", Some(v)) => timeout = Some(duration_ms("timeout", v)?),
                ("rtt-every", Some(v)) => policy.rtt_every_ms = duration_ms("rtt-every", v)?,
                ("jitter", Some(v)) => policy.jitter_percent = percent(v)?,
                ("after-first-frame", None) => policy.after_first_frame = true,
                ("after-first-frame", Some(v)) => policy.after_first_frame = yes("after-first-frame", v)?,
                _ => return Err(PolicyError::UnknownWord(word.into())),
            }
        }
        if let Some(ms) = timeout {
            policy = policy.with_timeout(ms);
        }
        policy.interval_ms = interval.unwrap_or(policy.interval_ms);
        policy.suspect_ms = suspect.unwrap_or(policy.suspect_ms);
        policy.check()?;
        Ok(policy)
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::parse(text)
    }
}

impl fmt::Display for Policy {
    /// A text that [`parse`](Policy::parse) reads back to the same policy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, interval_ms, suspect_ms, timeout_ms, jitter_percent, rtt_every_ms, .. } = self;
        write!(f, "role={},interval={interval_ms}ms,suspect={suspect_ms}ms,timeout={timeout_ms}ms", role.name())?;
        write!(f, ",jitter={jitter_percent}%")?;
        if *rtt_every_ms != 0 {
            write!(f, ",rtt-every={rtt_every_ms}ms")?;
        }
        if self.after_first_frame {
            write!(f, ",after-first-frame")?;
        }
        Ok(())
    }
}

/// What a key takes, for the error text.
pub(super) fn expected(key: &str) -> &'static str {
    match key {
        "role" => "watch, answer, ask or both",
        "jitter" => "a percentage such as 10%",
        "after-first-frame" => "yes or no",
        _ => "a duration with its unit (ms, s, m, h), such as 20s",
    }
}

fn role(value: &str) -> Result<Role, PolicyError> {
    [Role::Watch, Role::Answer, Role::Ask, Role::Both]
        .into_iter()
        .find(|role| role.name() == value)
        .ok_or_else(|| bad("role", value))
}

/// A whole number with its unit, in milliseconds. A bare number is refused unless it is 0: nobody knows its unit.
fn duration_ms(key: &'static str, value: &str) -> Result<u32, PolicyError> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let unit_ms: u32 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if number.bytes().all(|digit| digit == b'0') => 1,
        _ => return Err(bad(key, value)),
    };
    number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit_ms)).ok_or_else(|| bad(key, value))
}

fn percent(value: &str) -> Result<u8, PolicyError> {
    value.strip_suffix('%').unwrap_or(value).parse().map_err(|_| bad("jitter", value))
}

fn yes(key: &'static str, value: &str) -> Result<bool, PolicyError> {
    match value {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(bad(key, value)),
    }
}

fn bad(key: &'static str, value: &str) -> PolicyError {
    PolicyError::BadValue { key, value: value.into() }
}
