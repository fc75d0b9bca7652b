//! What the tests of the bindings share: the built library, a place for programs, and processes that end.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A compiler on a busy machine takes the longest of all that is started here.
const LIMIT: Duration = Duration::from_secs(180);

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `make lib` put libheartline.so, or HEARTLINE_LIBRARY_DIR.
#[track_caller]
pub(crate) fn library_dir() -> PathBuf {
    let dir = match std::env::var_os("HEARTLINE_LIBRARY_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target/capi"),
    };
    let library = dir.join("libheartline.so");
    assert!(library.is_file(), "{} is missing: run `make lib`, or set HEARTLINE_LIBRARY_DIR", library.display());
    dir
}

/// A folder for what one test builds; it is made anew.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("cargo's folder for tests is writable");
    dir
}

/// Fails with a clear line if a tool is missing. Never a skip.
#[track_caller]
pub(crate) fn require(tools: &[&str]) {
    for tool in tools {
        let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", tool]).status();
        let found = found.is_ok_and(|status| status.success());
        assert!(found, "this test needs `{tool}`: scripts/install-tools installs it");
    }
}

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
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, command: format!("{command:?}"), began: Instant::now() }
    }

    /// Stops it for so long, as a debugger or an overcommitted machine does.
    #[track_caller]
    pub(crate) fn stop_for(&self, length: Duration) {
        let signal = |name: &str| run(Command::new("kill").args([name, &self.child.id().to_string()]));
        signal("-STOP");
        thread::sleep(length);
        signal("-CONT");
    }

    /// The first line that it says.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let mut byte = [0];
        let out = self.child.stdout.as_mut().expect("it is piped");
        while out.read(&mut byte).expect("a pipe") == 1 && byte != *b"\n" {
            line.push(char::from(byte[0]));
        }
        line
    }

    /// Waits for its end, and for what it says meanwhile.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let out = read_all(self.child.stdout.take().expect("it is piped"));
        let err = read_all(self.child.stderr.take().expect("it is piped"));
        let status = loop {
            match self.child.try_wait().expect("our child") {
                Some(status) => break status,
                None if self.began.elapsed() > LIMIT => {
                    let _ = self.child.kill();
                    panic!("{} still runs after {LIMIT:?}", self.command);
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        Output { status, stdout: out.join().expect("it reads"), stderr: err.join().expect("it reads") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

/// Runs a command to its end and gives what it said on its standard output; panics with all it said if it fails.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = Process::start(command).finish();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}{complained}", output.status);
    said.into_owned()
}

/// The programs in a page of documentation that are marked as of this language.
pub(crate) fn programs_in(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).expect("the page is there");
    let begin = format!("```{language}\n");
    let programs: Vec<String> = text
        .split(&begin)
        .skip(1)
        .map(|rest| rest.split("```").next().expect("split gives one at least").to_owned())
        .collect();
    assert!(!programs.is_empty(), "{page} has no program in {language}");
    programs
}
