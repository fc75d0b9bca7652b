//! The programs in examples/c as servers that a test talks to.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::client;
use super::library::{compile, released_with};
use super::process::Process;
use super::root;

/// One of examples/c to be run with arguments of the test's own. It is compiled once: who runs must not be written.
pub(crate) fn program(name: &str) -> PathBuf {
    static COMPILED: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    // A test that failed to compile its own has said why.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    compiled.entry(name.to_owned()).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    let source = root().join(format!("examples/c/{name}.c"));
    let flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];
    compile("cc", &flags, &[&source], &released_with(&[]), &format!("example-{name}"))
}

/// A running example, killed when dropped.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) at: String,
}

impl Server {
    /// Waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = Process::start(command);
        let at = process.address();
        Self { process, at }
    }

    pub(crate) fn with(name: &str, arguments: &[&str]) -> Self {
        Self::start(Command::new(program(name)).args(arguments))
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
