//! What happens when: drawn from the seed alone, so that the same seed gives the same schedule.

use std::time::Duration;

use fastrand::Rng;

use super::plan::Plan;
use crate::support_system::ms;

/// What happens to a client, or what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Freezes without a word.
    Freeze,
    Reset,
    /// Half a frame, then nothing.
    Cut,
    /// Some echoes, then an orderly close.
    Leave,
    /// One more connects and says nothing.
    Mute,
    /// Sends more than all buffers hold and never reads again.
    Clog,
    /// Beats, and does not read for so long.
    Deaf(Duration),
    /// A burst whose echoes it reads slowly.
    Slow(u32),
    /// A burst of so many messages.
    Burst(u32),
}

/// What happens to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Stop(Duration),
    /// SIGHUP with the other times.
    Reload,
    /// SIGHUP with a file that makes no sense.
    BadReload,
}

pub(crate) struct Schedule {
    faults: Rng,
    blows: Rng,
    /// Mean time between two faults.
    every: Duration,
    pub(crate) fault_at: Duration,
    pub(crate) blow_at: Duration,
    blow_count: usize,
}

/// The first blows are given, so that a short run has one of each and the warm-up of a long one has seen them all.
const FIRST_BLOWS: [Blow; 4] = [Blow::Stop(ms(1500)), Blow::Reload, Blow::Stop(ms(5000)), Blow::BadReload];

impl Schedule {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut faults = Rng::with_seed(plan.seed);
        let blows = faults.fork();
        // 50 a second among 2,000: everybody meets one in 40 s.
        let every = Duration::from_secs(40).div_f64(plan.clients as f64);
        Self { faults, blows, every, fault_at: Duration::ZERO, blow_at: ms(1000), blow_count: 0 }
    }

    /// The next fault; `fault_at` then says when the one after it is due.
    pub(crate) fn fault(&mut self) -> Fault {
        self.fault_at += self.every.mul_f64(self.faults.f64() * 2.0);
        let dice = &mut self.faults;
        match dice.u32(0..1000) {
            0..140 => Fault::Freeze,
            140..330 => Fault::Reset,
            330..430 => Fault::Cut,
            430..680 => Fault::Leave,
            680..740 => Fault::Mute,
            740..744 => Fault::Clog,
            744..820 => Fault::Deaf(ms(dice.u64(500..8000))),
            // Some 4 MB: more than the kernel takes for it, so that the server itself must keep what is owed.
            820..826 => Fault::Slow(280),
            826..880 => Fault::Slow(dice.u32(10..30)),
            _ => Fault::Burst(dice.u32(1..40)),
        }
    }

    /// The next blow; `blow_at` then says when the one after it is due.
    pub(crate) fn blow(&mut self) -> Blow {
        let dice = &mut self.blows;
        let blow = match (FIRST_BLOWS.get(self.blow_count), dice.u32(0..10)) {
            (Some(first), _) => *first,
            (None, 0..3) => Blow::Stop(ms(dice.u64(200..3500))),
            // Longer than either timeout.
            (None, 3..6) => Blow::Stop(ms(dice.u64(5800..9000))),
            (None, 6..9) => Blow::Reload,
            (None, _) => Blow::BadReload,
        };
        self.blow_count += 1;
        let lasts = if let Blow::Stop(lasts) = blow { lasts } else { Duration::ZERO };
        let pause = if self.blow_count < FIRST_BLOWS.len() { 1200..1500 } else { 3000..12_000 };
        self.blow_at += lasts + ms(dice.u64(pause));
        blow
    }
}
