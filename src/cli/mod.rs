//! The command line: `heartline serve`, `load`, `report`, `top` and `demo`. Only here does Heartline print, install signal handlers
//! and start threads (E2).
//!
//! | file | idea |
//! |---|---|
//! | `args` | the flags and their help |
//! | `values` | what people write after a flag: durations, sizes, addresses |
//! | `config` | the same flags from a TOML file |
//! | `settings` | flags checked and made into what a reactor takes; what may change in a running server |
//! | `serve` | the server: its threads from start to summary |
//! | `worker` | one reactor on one thread |
//! | `app` | what is done with messages: echo, discard, broadcast |
//! | `orders` | what a signal says to all workers |
//! | `log`, `lines` | lines that never hold a reactor up, and what they say |
//! | `descriptors`, `process` | the limit on descriptors; what a process uses |
//! | `spread`, `screen`, `mishaps` | distributions; what moves while a command runs; what can befall a client |
//! | `load` | clients by the ten thousand, what befalls them, and how the server finds out |
//! | `metrics` | what is answered over HTTP: Prometheus text, health, a live page |
//! | `top` | the same in a terminal |
//! | `demo` | a server process and two thousand clients that show what all this is for |

mod app;
mod args;
mod config;
mod demo;
mod descriptors;
mod lines;
mod load;
mod log;
mod metrics;
mod mishaps;
mod orders;
mod process;
mod screen;
mod serve;
mod settings;
mod spread;
mod top;
mod values;
mod websocket;
mod worker;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// Exit status for flags and config files that make no sense, as clap uses it too.
const USAGE: u8 = 2;

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    match args::Cli::parse().command {
        args::Command::Serve(args) => serve::run(*args),
        args::Command::Top(args) => top::run(&args),
        args::Command::Demo(args) => demo::run(&args),
        args::Command::Load(args) => load::run(&args),
        args::Command::Report(args) => load::compare(&args),
    }
    .unwrap_or_else(|problem| problem.report())
}

/// Why a command ends before its work is done: one sentence that names the thing, its limit and the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    text: String,
    status: u8,
}

impl Problem {
    /// The flags or the config file make no sense.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: USAGE }
    }

    /// The system did not do what was asked.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: 1 }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn report(self) -> ExitCode {
        // Where stderr is broken, the status still says it.
        let _ = writeln!(std::io::stderr(), "heartline: {}", self.text);
        ExitCode::from(self.status)
    }
}
