//! The server's process: its lines, its memory, its CPU. It never outlives the demo.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::failed;
use super::plan::Plan;
use crate::cli::{Problem, process};

/// The server, and what it writes.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    process: Process,
    lines: Receiver<Line>,
}

/// What the server wrote, and when it came.
#[derive(Clone, Debug)]
pub(super) enum Line {
    Closed(Closed),
    Stalled {
        ms: u64,
    },
    Summary(Value),
    /// There will be no more.
    Gone,
}

/// A connection's end, as the server tells it.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) remote: SocketAddr,
    pub(super) reason: String,
    pub(super) overshoot_ms: u64,
    pub(super) at: Instant,
}

/// A child process that is killed with its owner, stopped or not.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub(super) fn start(plan: &Plan) -> Result<Self, Problem> {
        let starting = |error: std::io::Error| Problem::failed(format!("starting the server: {error}"));
        let program = std::env::current_exe().map_err(starting)?;
        let mut process = Process(
            Command::new(program)
                .args(plan.server_arguments())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                // Ctrl-C at the terminal is for the demo, which then ends the server.
                .process_group(0)
                .spawn()
                .map_err(starting)?,
        );
        let mut first = String::new();
        if let Some(stdout) = process.0.stdout.take() {
            BufReader::new(stdout).read_line(&mut first).map_err(starting)?;
        }
        let Some(address) = first.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok()) else {
            let _ = process.0.kill();
            let mut said = String::new();
            if let Some(mut stderr) = process.0.stderr.take() {
                let _ = stderr.read_to_string(&mut said);
            }
            return Err(Problem::failed(format!("the server is not listening on TCP: {first}{said}").trim_end()));
        };
        let (sender, lines) = channel();
        if let Some(stderr) = process.0.stderr.take() {
            thread::spawn(move || read_lines(BufReader::new(stderr), &sender));
        }
        Ok(Self { address, process, lines })
    }

    /// What it wrote since the last call.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.try_iter().collect()
    }

    pub(super) fn stop(&self) -> Result<(), Problem> {
        self.signal(Signal::SIGSTOP)
    }

    pub(super) fn wake(&self) -> Result<(), Problem> {
        self.signal(Signal::SIGCONT)
    }

    pub(super) fn drain(&self) -> Result<(), Problem> {
        self.signal(Signal::SIGTERM)
    }

    fn signal(&self, signal: Signal) -> Result<(), Problem> {
        kill(self.pid(), signal).map_err(|error| Problem::failed(format!("{signal} to the server: {error}")))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.0.id() as i32)
    }

    /// Waits for its end, which must be an orderly one.
    pub(super) fn wait(&mut self) -> Result<(), Problem> {
        match self.process.0.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Problem::failed(format!("the server ended with {status}"))),
            Err(error) => Err(Problem::failed(format!("waiting for the server: {error}"))),
        }
    }

    /// Resident anonymous memory: what it allocated and touched, code and libraries left out.
    pub(super) fn memory_bytes(&self) -> Result<u64, Problem> {
        process::memory_bytes(self.pid()).map_err(failed("the server's memory"))
    }

    /// CPU time of all its threads.
    pub(super) fn cpu(&self) -> Result<Duration, Problem> {
        process::cpu(self.pid()).map_err(failed("the server's CPU time"))
    }
}

fn read_lines(stderr: impl BufRead, lines: &Sender<Line>) {
    for text in stderr.lines() {
        let Ok(text) = text else { break };
        let at = Instant::now();
        let line = match serde_json::from_str::<Value>(&text) {
            Ok(value) => line(value, at),
            Err(_) => None,
        };
        if let Some(line) = line
            && lines.send(line).is_err()
        {
            return;
        }
    }
    let _ = lines.send(Line::Gone);
}

/// The lines that the demo looks at.
fn line(value: Value, at: Instant) -> Option<Line> {
    match value["event"].as_str()? {
        "closed" => Some(Line::Closed(Closed {
            remote: value["remote"].as_str()?.parse().ok()?,
            reason: value["reason"].as_str()?.to_owned(),
            overshoot_ms: value["overshoot_ms"].as_u64()?,
            at,
        })),
        "stalled" => Some(Line::Stalled { ms: value["ms"].as_u64()? }),
        "summary" => Some(Line::Summary(value)),
        _ => None,
    }
}
