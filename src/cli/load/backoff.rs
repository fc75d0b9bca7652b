//! How long a client waits before it comes back.

use std::fmt;
use std::str::FromStr;

use crate::cli::values::duration_ms;

/// A backoff policy. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backoff {
    /// At once, each time.
    None,
    Fixed(u32),
    /// Doubled with each attempt, up to a most.
    Exponential(u32, u32),
    /// Anything from 0 to what `Exponential` would be.
    FullJitter(u32, u32),
    /// Anything from the least to three times the last wait, up to a most.
    Decorrelated(u32, u32),
}

const FORMS: &str = "none, fixed:1s, exponential:100ms..30s, full-jitter:100ms..30s or decorrelated:100ms..30s";

impl FromStr for Backoff {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, times) = text.split_once(':').unwrap_or((text, ""));
        let range = || {
            let (base, most) = times.split_once("..").ok_or_else(|| format!("`{text}`: write {name}:100ms..30s"))?;
            let (base, most) = (duration_ms(base)?, duration_ms(most)?);
            if base == 0 || base > most {
                return Err(format!("`{text}`: the first time must be above 0 and not above the second"));
            }
            Ok((base, most))
        };
        match name {
            "none" if times.is_empty() => Ok(Self::None),
            "fixed" => duration_ms(times).map(Self::Fixed),
            "exponential" => range().map(|(base, most)| Self::Exponential(base, most)),
            "full-jitter" => range().map(|(base, most)| Self::FullJitter(base, most)),
            "decorrelated" => range().map(|(base, most)| Self::Decorrelated(base, most)),
            _ => Err(format!("`{text}` is not a backoff policy: write {FORMS}")),
        }
    }
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, base, most) = match *self {
            Self::None => return f.write_str("none"),
            Self::Fixed(ms) => return write!(f, "fixed:{ms}ms"),
            Self::Exponential(base, most) => ("exponential", base, most),
            Self::FullJitter(base, most) => ("full-jitter", base, most),
            Self::Decorrelated(base, most) => ("decorrelated", base, most),
        };
        write!(f, "{name}:{base}ms..{most}ms")
    }
}

impl Backoff {
    /// Milliseconds before attempt `attempt` (0 is the first) after a wait of `last_ms`.
    pub(super) fn wait_ms(self, attempt: u32, last_ms: u32, rng: &mut fastrand::Rng) -> u32 {
        let grown = |base: u32, most: u32| {
            let factor = 1_u64 << attempt.min(31);
            u32::try_from(u64::from(base) * factor).unwrap_or(u32::MAX).min(most)
        };
        match self {
            Self::None => 0,
            Self::Fixed(ms) => ms,
            Self::Exponential(base, most) => grown(base, most),
            Self::FullJitter(base, most) => rng.u32(0..=grown(base, most)),
            Self::Decorrelated(base, most) => rng.u32(base..=last_ms.saturating_mul(3).max(base)).min(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(text: &str) -> Vec<u32> {
        let (policy, mut rng, mut last) = (text.parse::<Backoff>().unwrap(), fastrand::Rng::with_seed(7), 0);
        (0..8)
            .map(|attempt| {
                last = policy.wait_ms(attempt, last, &mut rng);
                last
            })
            .collect()
    }

    #[test]
    fn each_policy_waits_as_it_says() {
        assert_eq!(waits("none"), [0; 8]);
        assert_eq!(waits("fixed:1s"), [1000; 8]);
        assert_eq!(waits("exponential:100ms..2s"), [100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        let jitter = waits("full-jitter:100ms..2s");
        assert!(jitter.iter().zip(waits("exponential:100ms..2s")).all(|(wait, most)| *wait <= most), "{jitter:?}");
        assert!(jitter.iter().any(|wait| wait % 100 != 0), "{jitter:?}");
        let decorrelated = waits("decorrelated:100ms..2s");
        assert!(decorrelated.iter().all(|wait| (100..=2000).contains(wait)), "{decorrelated:?}");
        assert!(decorrelated.windows(2).all(|pair| pair[1] <= pair[0] * 3), "{decorrelated:?}");
    }

    #[test]
    fn the_text_reads_back_and_errors_name_what_can_be() {
        for text in ["none", "fixed:1000ms", "full-jitter:100ms..30000ms", "decorrelated:1ms..2ms"] {
            assert_eq!(text.parse::<Backoff>().unwrap().to_string(), text);
        }
        for text in ["never", "none:1s", "fixed:1", "exponential:1s", "exponential:2s..1s", "full-jitter:0..1s"] {
            assert!(text.parse::<Backoff>().is_err(), "{text}");
        }
        assert!("never".parse::<Backoff>().unwrap_err().contains("full-jitter:100ms..30s"));
    }
}
