//! Mass silence: when more than a share of the peers falls silent together, it is our own uplink and not they.

/// When to take a silence for our own, and for how long. Opt-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MassSilence {
    /// More than this share of all peers, in percent, must become suspect ...
    pub percent: u8,
    /// ... within this time, in attended milliseconds.
    pub window_ms: u32,
    /// Suspect and Dead are held back for at most this long, in attended milliseconds.
    pub hold_ms: u32,
    /// Fewer peers than this are never a mass.
    pub min_peers: u32,
}

impl Default for MassSilence {
    /// More than half of at least 100 peers within 5 s; held for at most 60 s.
    fn default() -> Self {
        Self { percent: 50, window_ms: 5_000, hold_ms: 60_000, min_peers: 100 }
    }
}

/// Parts that the window is counted in.
const PARTS: u64 = 16;

/// Counts suspects in a sliding window; holds, and lets go. Times are attended milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    config: MassSilence,
    counts: [u32; PARTS as usize],
    /// Number of the newest part of the window.
    part: u64,
    held_since: Option<u64>,
    /// No new hold before this: who was let go must be able to die.
    armed_from: u64,
}

impl Guard {
    pub(super) fn new(config: MassSilence) -> Self {
        Self { config, counts: [0; PARTS as usize], part: 0, held_since: None, armed_from: 0 }
    }

    pub(super) fn holds(&self) -> bool {
        self.held_since.is_some()
    }

    /// When the hold ends at the latest.
    pub(super) fn hold_ends(&self) -> Option<u64> {
        self.held_since.map(|since| since + u64::from(self.config.hold_ms))
    }

    /// One more suspect among `of` peers. True if a hold begins with it.
    pub(super) fn suspect(&mut self, now: u64, of: u32) -> bool {
        self.turn(now);
        self.counts[(self.part % PARTS) as usize] += 1;
        let recent = self.counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        let mass = of >= self.config.min_peers && recent * 100 > u64::from(self.config.percent) * u64::from(of);
        if !mass || self.holds() || now < self.armed_from {
            return false;
        }
        self.held_since = Some(now);
        true
    }

    /// Ends the hold if its time is over or fewer than half of `percent` are silent; how long it lasted.
    ///
    /// After a hold that ran out there is no other for `longest_timeout_ms`: whoever is still silent then is dead, and a
    /// hold without end would be worse than the deaths.
    pub(super) fn let_go(&mut self, now: u64, silent: u32, of: u32, longest_timeout_ms: u32) -> Option<u64> {
        let since = self.held_since?;
        let recovered = u64::from(silent) * 200 < u64::from(self.config.percent) * u64::from(of);
        let over = now.saturating_sub(since) >= u64::from(self.config.hold_ms);
        if !recovered && !over {
            return None;
        }
        self.held_since = None;
        self.counts = [0; PARTS as usize];
        self.armed_from = if recovered { now } else { now + u64::from(longest_timeout_ms) };
        Some(now.saturating_sub(since))
    }

    /// Forgets what left the window.
    fn turn(&mut self, now: u64) {
        let part = now / (u64::from(self.config.window_ms) / PARTS).max(1);
        for gone in 1..=part.saturating_sub(self.part).min(PARTS) {
            self.counts[((self.part + gone) % PARTS) as usize] = 0;
        }
        self.part = self.part.max(part);
    }
}
