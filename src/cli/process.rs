//! What a process on this machine uses: memory, CPU, switches of context. Read from /proc, while it runs.

use std::io;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Resident anonymous memory: what it allocated and touched, code and libraries left out.
pub(crate) fn memory_bytes(pid: Pid) -> io::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path)?;
    let kib = field(&status, "RssAnon:").ok_or_else(|| io::Error::other(format!("{path} has no RssAnon")))?;
    Ok(kib * 1024)
}

/// CPU time of all its threads.
pub(crate) fn cpu(pid: Pid) -> io::Result<Duration> {
    Ok(clock_getcpuclockid(pid).and_then(clock_gettime).map(Duration::from)?)
}

/// How often its living threads were switched away from, because they waited (first) and because their time was over.
pub(crate) fn switches(pid: Pid) -> io::Result<(u64, u64)> {
    let mut both = (0, 0);
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that has just ended has nothing to tell.
        let Ok(status) = std::fs::read_to_string(thread?.path().join("status")) else { continue };
        both.0 += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        both.1 += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
    }
    Ok(both)
}

/// How long the calling thread has been ready to run without a core, in nanoseconds; none where the kernel does not count it.
pub(crate) fn starved_ns() -> Option<u64> {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    counted.split_whitespace().nth(1)?.parse().ok()
}

/// The number on the line that begins with `name`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_time_and_switches() {
        let own = Pid::this();
        assert!(memory_bytes(own).unwrap() > 10_000);
        let before = switches(own).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        assert!(switches(own).unwrap().0 > before.0, "the sleep is a voluntary switch");
        assert!(cpu(own).unwrap() > Duration::ZERO);
        assert!(starved_ns().is_some());
    }

    #[test]
    fn a_field_is_the_first_number_of_its_line() {
        assert_eq!(field("Name: x\nRssAnon:\t   12 kB\n", "RssAnon:"), Some(12));
        assert_eq!(field("nonvoluntary_ctxt_switches:\t7\n", "voluntary_ctxt_switches:"), None);
    }
}
