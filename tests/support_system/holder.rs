//! A Python process that holds thousands of connections: outside our limit of descriptors, and killed in one blow.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::require;

/// `tests/python/holder.py`. Killed when dropped.
pub(crate) struct Holder {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Holder {
    #[track_caller]
    pub(crate) fn start(server: SocketAddr) -> Self {
        require(&["python3"]);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/holder.py");
        let mut command = Command::new("python3");
        command.args([script, &server.ip().to_string(), &server.port().to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 starts");
        let (orders, answers) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Self { child, orders, answers: BufReader::new(answers) }
    }

    /// Opens this many more; returns how many it holds.
    #[track_caller]
    pub(crate) fn open(&mut self, count: usize) -> usize {
        self.order(&format!("open {count}"))
    }

    /// Sends these bytes on every connection at once; returns on how many that went well.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.order(&format!("send {hex}"))
    }

    /// Reads one whole beat from every connection; returns from how many one came, waiting no longer than `limit` for
    /// the last.
    #[track_caller]
    pub(crate) fn receive_beats(&mut self, limit: Duration) -> usize {
        self.order(&format!("beats {}", limit.as_secs_f64()))
    }

    /// Closes the last `count` connections; returns how many are left.
    #[track_caller]
    pub(crate) fn close(&mut self, count: usize) -> usize {
        self.order(&format!("close {count}"))
    }

    /// How many connections the server has ended.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> usize {
        self.order("ended")
    }

    /// Stops the process: its peers say nothing and read nothing any more, but the kernel still acknowledges for them.
    pub(crate) fn freeze(&self) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGSTOP).expect("the holder is our child");
    }

    /// Kills the process: the kernel closes all its connections at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    #[track_caller]
    fn order(&mut self, order: &str) -> usize {
        writeln!(self.orders, "{order}").expect("the holder takes orders");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the holder answers");
        line.trim().parse().unwrap_or_else(|_| panic!("the holder answers `{order}` with `{}`", line.trim()))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.kill();
    }
}
