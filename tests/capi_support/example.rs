//! The programs in examples/c, most of which are servers.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::client;
use super::library::{compile, released_with};
use super::process::Process;
use super::root;

/// One of examples/c. It is compiled once: who runs must not be written.
pub(crate) fn example(name: &str, libraries: &[&str]) -> PathBuf {
    static COMPILED: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    // A test that failed to compile its own has said why.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    compiled.entry(name.to_owned()).or_insert_with(|| build(name, libraries)).clone()
}

fn build(name: &str, libraries: &[&str]) -> PathBuf {
    let source = root().join(format!("examples/c/{name}.c"));
    let flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];
    compile("cc", &flags, &[&source], &released_with(libraries), &format!("example-{name}"))
}

/// A running example, killed when dropped.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) at: String,
}

impl Server {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut process = Process::start(Command::new(program).args(arguments));
        let at = process.address();
        Self { process, at }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        client::connect(&self.at)
    }

    pub(crate) fn port(&self) -> &str {
        self.at.rsplit(':').next().unwrap()
    }

    /// Waits for an end without an error; what it said meanwhile.
    pub(crate) fn ended(self) -> String {
        let output = self.process.finish();
        assert!(output.status.success(), "{}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}
