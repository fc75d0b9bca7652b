//! What the kernel knows of a process and of its sockets.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The state letter of a process: `R`, `S`, `T` (stopped), …
pub(crate) fn state(pid: u32) -> char {
    stat(pid).first().and_then(|field| field.chars().next()).unwrap_or('?')
}

/// The processor time that a process has used, in user and kernel space. In steps of 10 ms.
pub(crate) fn cpu(pid: u32) -> Duration {
    let fields = stat(pid);
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // utime and stime are fields 14 and 15 of proc(5); the state is field 3.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// `/proc/PID/stat` from the state on: the name before it may hold anything.
fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split(' ').map(str::to_owned).collect()
}

/// Resident memory of a process now, in KiB.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// Resident anonymous memory of a process now, in KiB: what it allocated and touched, code and libraries left out.
pub(crate) fn anonymous_kib(pid: u32) -> u64 {
    status(pid, "RssAnon:")
}

/// The most resident memory that a process ever had, in KiB.
pub(crate) fn peak_resident_kib(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

/// Who traces a process; 0: nobody.
pub(crate) fn tracer(pid: u32) -> u64 {
    status(pid, "TracerPid:")
}

fn status(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("/proc/{pid}/status has no {name}"))
}

/// Descriptors that a process has open.
pub(crate) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// A TCP socket over IPv4 of this network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpSocket {
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
    pub(crate) state: TcpState,
    /// 0: no process has it, an orphan.
    pub(crate) inode: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpState {
    Established,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

/// Every TCP socket with `port` on its side.
pub(crate) fn sockets_of_port(port: u16) -> Vec<TcpSocket> {
    let text = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    text.lines().skip(1).filter_map(read_socket).filter(|socket| socket.local_port == port).collect()
}

/// Those of `port` that still hold a connection: neither the listener nor TIME_WAIT, which only keeps the port's number.
pub(crate) fn connections_of_port(port: u16) -> Vec<TcpSocket> {
    let mut sockets = sockets_of_port(port);
    sockets.retain(|socket| !matches!(socket.state, TcpState::Listen | TcpState::TimeWait));
    sockets
}

fn read_socket(line: &str) -> Option<TcpSocket> {
    use TcpState::*;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let port = |field: &str| u16::from_str_radix(field.rsplit_once(':')?.1, 16).ok();
    let state = match *fields.get(3)? {
        "01" => Established,
        "02" => SynSent,
        "03" | "0C" => SynReceived,
        "04" => FinWait1,
        "05" => FinWait2,
        "06" => TimeWait,
        "07" => Close,
        "08" => CloseWait,
        "09" => LastAck,
        "0A" => Listen,
        "0B" => Closing,
        _ => return None,
    };
    let inode = fields.get(9)?.parse().ok()?;
    Some(TcpSocket { local_port: port(fields.get(1)?)?, remote_port: port(fields.get(2)?)?, state, inode })
}

/// Raises this process's descriptor limit to the hard one and fails clearly if that is below `needed`.
#[track_caller]
pub(crate) fn require_descriptors(needed: u64) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
    assert!(hard >= needed, "this test needs {needed} descriptors; the hard limit is {hard} (ulimit -Hn)");
}
