//! What the server uses while it is under load, if it is a process of this machine.

use std::io;
use std::time::Duration;

use nix::unistd::Pid;

use crate::cli::process;

/// The server's process.
#[derive(Debug)]
pub(super) struct Watched {
    pid: Pid,
    at_s: f64,
    cpu: Duration,
    switches: (u64, u64),
}

/// What it used since the last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) cpu_s: f64,
    pub(super) memory_bytes: u64,
    /// Because it waited, and because its time was over.
    pub(super) switches: (u64, u64),
}

impl Sample {
    /// Of one core.
    pub(super) fn cpu_percent(&self) -> f64 {
        100.0 * self.cpu_s / self.seconds.max(0.001)
    }
}

impl Watched {
    pub(super) fn new(pid: i32, at_s: f64) -> io::Result<Self> {
        let pid = Pid::from_raw(pid);
        Ok(Self { pid, at_s, cpu: process::cpu(pid)?, switches: process::switches(pid)? })
    }

    /// What it used until `at_s`; nothing if it is gone.
    pub(super) fn look(&mut self, at_s: f64) -> Option<Sample> {
        let (cpu, switches) = (process::cpu(self.pid).ok()?, process::switches(self.pid).ok()?);
        let sample = Sample {
            seconds: at_s - self.at_s,
            cpu_s: cpu.saturating_sub(self.cpu).as_secs_f64(),
            memory_bytes: process::memory_bytes(self.pid).ok()?,
            // A thread that ended takes its count with it.
            switches: (switches.0.saturating_sub(self.switches.0), switches.1.saturating_sub(self.switches.1)),
        };
        (self.at_s, self.cpu, self.switches) = (at_s, cpu, switches);
        Some(sample)
    }
}
