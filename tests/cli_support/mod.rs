//! A `heartline serve` of its own for each test, and what it writes.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod browser;
pub(crate) mod http;
pub(crate) mod scripted;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Nothing here takes that long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn heartline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heartline"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end.
pub(crate) fn outcome(arguments: &[&str]) -> Output {
    heartline(arguments).output().unwrap()
}

/// What a server that must not start says on stderr.
pub(crate) fn refusal(arguments: &[&str]) -> String {
    let output = outcome(&[&["serve"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

pub(crate) struct Server {
    child: Child,
    pub(crate) addresses: Vec<String>,
    /// Where it answers HTTP, with `--metrics`.
    pub(crate) metrics: Option<SocketAddr>,
    lines: Receiver<Value>,
    /// Lines that were read and not asked for yet.
    seen: Vec<Value>,
}

impl Server {
    /// With JSON lines, listening on a free port unless the arguments say where.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let listens = arguments.iter().filter(|argument| **argument == "--listen").count();
        let free: &[&str] = if listens == 0 { &["--listen", "127.0.0.1:0"] } else { &[] };
        Self::start_as(&[&["serve", "--log", "json"], free, arguments].concat(), listens.max(1))
    }

    /// With exactly these arguments, when it has told of `listeners` listeners.
    pub(crate) fn start_as(arguments: &[&str], listeners: usize) -> Self {
        let mut child = heartline(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut told = |what: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let address = line.trim().strip_prefix(what);
            address.unwrap_or_else(|| panic!("{line:?} {:?}", lines.try_iter().collect::<Vec<_>>())).to_owned()
        };
        let addresses = (0..listeners).map(|_| told("listening on ")).collect();
        let metrics = arguments.contains(&"--metrics").then(|| told("metrics on ").parse().unwrap());
        Self { child, addresses, metrics, lines, seen: Vec::new() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0].parse().unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// The next line that is this event.
    pub(crate) fn line(&mut self, event: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(index) = self.seen.iter().position(|line| line["event"] == event) {
                return self.seen.remove(index);
            }
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("no {event} line ({error}), but {:?}", self.seen),
            }
        }
    }

    /// Whether a line of this event has come so far.
    pub(crate) fn has_line(&mut self, event: &str) -> bool {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().any(|line| line["event"] == event)
    }

    /// All lines to the end.
    pub(crate) fn last_lines(&mut self) -> Vec<Value> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return std::mem::take(&mut self.seen),
                Err(RecvTimeoutError::Timeout) => panic!("stderr never ends"),
            }
        }
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM, exit 0, and the summary.
    pub(crate) fn end(mut self) -> Value {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}");
        self.line("summary")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that speaks `length:4be`.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, message: &[u8]) {
        self.0.write_all(&frame(message)).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut message).unwrap();
        message
    }

    pub(crate) fn echo(&mut self, message: &[u8]) {
        self.send(message);
        assert_eq!(self.receive(), message);
    }

    /// Reads until the peer's FIN; false if it was a reset.
    pub(crate) fn reads_the_end(&mut self) -> bool {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).is_ok()
    }
}

pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(message);
    frame
}

/// A path that no other test uses.
pub(crate) fn path(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("heartline-{}-{number}-{name}", std::process::id()))
}

/// A config file that goes with the test.
pub(crate) struct ConfigFile(pub(crate) PathBuf);

impl ConfigFile {
    pub(crate) fn new(text: &str) -> Self {
        let file = Self(path("config.toml"));
        file.write(text);
        file
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    pub(crate) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
