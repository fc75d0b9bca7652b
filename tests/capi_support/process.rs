//! Programs that do not run for ever.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than any takes, also a compiler or valgrind on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// A process that is killed if it outlives its limit or this value.
pub(crate) struct Process {
    child: Child,
    command: String,
    began: Instant,
}

impl Process {
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error} (scripts/install-tools)"));
        Self { child, command: format!("{command:?}"), began: Instant::now() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Stops it for so long, as a debugger or an overcommitted machine does.
    pub(crate) fn stop_for(&self, length: Duration) {
        self.signal(Signal::SIGSTOP);
        thread::sleep(length);
        self.signal(Signal::SIGCONT);
    }

    /// The next line that it says. Who says nothing until the limit is killed, which is a failure.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let (_said, waiting) = mpsc::channel::<()>();
        let (pid, left) = (Pid::from_raw(self.child.id() as i32), LIMIT.saturating_sub(self.began.elapsed()));
        thread::spawn(move || {
            if waiting.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                let _ = kill(pid, Signal::SIGKILL);
            }
        });
        let mut line = Vec::new();
        let mut byte = [0];
        let out = self.child.stdout.as_mut().unwrap();
        while out.read(&mut byte).unwrap() == 1 {
            if byte == *b"\n" {
                return String::from_utf8(line).unwrap();
            }
            line.push(byte[0]);
        }
        let _ = self.child.kill();
        let mut complained = String::new();
        let _ = self.child.stderr.as_mut().unwrap().read_to_string(&mut complained);
        panic!("{} has ended, or said nothing for {LIMIT:?}\n{complained}", self.command);
    }

    /// Where it listens, as it says in one of its next lines.
    #[track_caller]
    pub(crate) fn address(&mut self) -> String {
        loop {
            if let Some((_, at)) = self.line().split_once("listening on ") {
                return at.trim().to_owned();
            }
        }
    }

    /// How it ended, and what it said that was not read as lines. After the limit it is killed, which is a failure.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let said = read_all(self.child.stdout.take().unwrap());
        let complained = read_all(self.child.stderr.take().unwrap());
        let mut late = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > LIMIT {
                late = true;
                let _ = self.child.kill();
            }
            thread::sleep(Duration::from_millis(5));
        };
        let output = Output { status, stdout: said.join().unwrap(), stderr: complained.join().unwrap() };
        assert!(!late, "{} ran for more than {LIMIT:?}\n{}", self.command, all_of(&output));
        output
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

fn all_of(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// How a command ended, and all it printed.
#[track_caller]
pub(crate) fn outcome(command: &mut Command) -> (ExitStatus, String) {
    let output = Process::start(command).finish();
    (output.status, all_of(&output))
}

/// What a command said on its standard output. It must succeed.
#[track_caller]
pub(crate) fn said(command: &mut Command) -> String {
    let output = Process::start(command).finish();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, all_of(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must succeed and print nothing.
#[track_caller]
pub(crate) fn in_silence(command: &mut Command) {
    let (status, output) = outcome(command);
    assert!(status.success() && output.is_empty(), "{command:?}: {status}\n{output}");
}
