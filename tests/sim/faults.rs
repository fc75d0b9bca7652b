//! What can go wrong, and how often it does in one seed. Most seeds have a few kinds of fault; a seed with all of them
//! shows less, since nothing lives long enough to be wronged.

use super::dice::Dice;

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident $name:literal $most:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $($(#[$doc])* $variant,)* }

        /// Every kind, in the order in which seeds draw them.
        pub const ALL: &[Fault] = &[$(Fault::$variant,)*];

        impl Fault {
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The highest rate: a share of the occasions, or how often in ten timeouts.
            fn most(self) -> f64 {
                match self { $(Self::$variant => $most,)* }
            }
        }
    };
}

faults! {
    /// A segment takes longer than the line's latency.
    Jitter "jitter" 1.0,
    /// A segment is cut into two that come apart.
    Cut "cut" 0.5,
    /// A read gives less than there is; the rest has its own edge, as if it came just after.
    ShortRead "short-read" 0.3,
    /// A write is taken in part, or not at all; the edge comes later.
    ShortWrite "short-write" 0.3,
    /// A notification without a cause.
    Spurious "spurious" 0.1,
    /// A system call is interrupted by a signal.
    Interrupted "interrupted" 0.05,
    /// No memory for buffers: ENOBUFS or ENOMEM of a write.
    NoBuffers "no-buffers" 0.1,
    /// The host wakes late, by up to the granularity.
    SlowWake "slow-wake" 0.3,
    /// The host misses a wake-up and looks again only at its own time-out.
    LostWake "lost-wake" 0.05,
    /// This process is stopped; in ten timeouts.
    Stop "stop" 6.0,
    /// It is stopped in the middle of a system call; a share of them.
    StopInside "stop-inside" 0.004,
    /// A line is dark in one or both directions for a while; in ten timeouts, somewhere.
    Dark "dark" 12.0,
    /// A line resets; in ten timeouts, somewhere.
    Reset "reset" 6.0,
    /// A FIN never arrives.
    FinLost "fin-lost" 0.5,
    /// A connect is refused though somebody listens.
    Refused "refused" 0.3,
    /// A connect hangs.
    Hangs "hangs" 0.3,
    /// A connect fails at once.
    NoRoute "no-route" 0.1,
    /// A connection is aborted between readiness and accept.
    Aborted "aborted" 0.2,
    /// No descriptors are left for a while; in ten timeouts.
    NoDescriptors "no-descriptors" 3.0,
    /// No memory for a new socket, or for its place in the epoll set.
    NoSockets "no-sockets" 0.2,
    /// Many connect at one moment; in ten timeouts.
    Storm "storm" 2.0,
    /// The mailbox's wake-up fails.
    NoWaker "no-waker" 0.1,
}

/// How often each fault happens in one seed.
#[derive(Clone, Debug)]
pub struct Faults {
    rates: Vec<f64>,
}

impl Faults {
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "faults", 0);
        // Some seeds are calm, most are hostile in a few ways, some in all.
        let share = dice.pick(&[0.0, 0.15, 0.3, 0.3, 0.5, 1.0]);
        let rates = ALL
            .iter()
            .map(|fault| {
                let (taken, rate) = (dice.chance(share), dice.spread(1, 1000) as f64 / 1000.0);
                if taken { fault.most() * rate } else { 0.0 }
            })
            .collect();
        Self { rates }
    }

    pub fn rate(&self, fault: Fault) -> f64 {
        self.rates[fault as usize]
    }

    pub fn without(&mut self, fault: Fault) {
        self.rates[fault as usize] = 0.0;
    }

    /// The faults have healed.
    pub fn heal(&mut self) {
        self.rates.fill(0.0);
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let some = ALL.iter().filter(|fault| self.rate(**fault) > 0.0);
        let texts: Vec<String> = some.map(|fault| format!("{} {:.3}", fault.name(), self.rate(*fault))).collect();
        f.write_str(if texts.is_empty() { "none" } else { "" })?;
        f.write_str(&texts.join(", "))
    }
}
