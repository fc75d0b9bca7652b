//! WebSocket of other people, as clients of our server and as servers of our client: Python's `websockets`, npm's `ws`, and
//! `tungstenite`.
//!
//! A client plays [scenarios](ECHO) by name against a server that sends every message back as it came. A server sends back
//! too, and tells on its standard output how each connection was closed: `closed CODE REASON`. A text that begins with `!` is
//! an order to it:
//!
//! | order | what it does |
//! |---|---|
//! | `!subprotocol` | says the subprotocol that was agreed on, or `none` |
//! | `!ping PAYLOAD` | asks with that payload; once that is answered, says `answered PAYLOAD` |
//! | `!fragments` | says `心跳线` in several fragments, with pings between |
//! | `!close CODE REASON` | closes |
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

pub mod ours;
#[path = "../capi_support/process.rs"]
pub mod process;
pub mod tungstenite;

use std::path::{Path, PathBuf};
use std::process::Command;

use heartline::frame::Framing;
use heartline::reactor::Options;

/// Of messages that are 16 MiB long at most.
const SPEC: &str = "websocket,max=16M";

/// What both ends are set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Off,
    /// permessage-deflate (RFC 7692), each message by itself.
    Alone,
    /// And with what was sent before as its dictionary.
    Takeover,
}

impl Compression {
    /// As the other languages are told.
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Alone | Self::Takeover => "deflate",
        }
    }

    /// What ours is set to.
    pub fn spec(self) -> String {
        match self {
            Self::Off => SPEC.to_owned(),
            Self::Alone => format!("{SPEC},deflate"),
            Self::Takeover => format!("{SPEC},deflate-takeover"),
        }
    }

    pub fn options(self) -> Options {
        let mut options = Options::new(Framing::parse(&self.spec()).unwrap());
        // The echo of a client that sends much before it reads.
        options.marks.high_bytes = 64 << 20;
        options
    }
}

/// What every client plays against every server that echoes. The server speaks the subprotocols `v2` and `v1` and takes
/// messages of 16 MiB.
pub const ECHO: [&str; 9] =
    ["subprotocol", "text", "binary", "fragments", "large", "too_large", "pings", "many", "closes"];
/// And this against one that asks every few hundred milliseconds.
pub const ASKED: &str = "idle";
/// And this against one that obeys `!close`.
pub const ORDERED: &str = "closed_by_server";

/// Who else speaks WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    Python,
    Node,
    Tungstenite,
}

impl Other {
    /// Plays these scenarios against the server at `address` (HOST:PORT).
    #[track_caller]
    pub fn plays(self, address: &str, compression: Compression, scenarios: &[&str]) {
        if self == Self::Tungstenite {
            assert_eq!(compression, Compression::Off, "it knows no other");
            return scenarios.iter().for_each(|name| tungstenite::play(address, name));
        }
        let said = process::said(self.command("client").arg(address).arg(compression.name()).args(scenarios));
        let done: String = scenarios.iter().map(|name| format!("done {name}\n")).collect();
        assert_eq!(said, done);
    }

    #[track_caller]
    pub fn serves(self, compression: Compression) -> OtherServer {
        if self == Self::Tungstenite {
            assert_eq!(compression, Compression::Off, "it knows no other");
            return OtherServer::Thread(tungstenite::Server::start());
        }
        OtherServer::Process(process::Process::start(self.command("server").arg(compression.name())))
    }

    fn command(self, role: &str) -> Command {
        match self {
            Self::Python => {
                let mut python = Command::new(installed("target/python/bin/python"));
                python.args(["-W", "error", "-B"]).arg(root().join(format!("tests/python/websocket_{role}.py")));
                python
            }
            _ => {
                installed("target/js/node_modules/ws");
                let mut node = Command::new("node");
                node.arg(root().join(format!("tests/js/websocket_{role}.js")));
                node
            }
        }
    }
}

/// A server of somebody else.
pub enum OtherServer {
    Process(process::Process),
    Thread(tungstenite::Server),
}

impl OtherServer {
    pub fn address(&mut self) -> String {
        match self {
            Self::Process(process) => process.address(),
            Self::Thread(server) => server.address(),
        }
    }

    /// How the next connection was closed, as it sees it.
    pub fn closed(&mut self) -> String {
        let line = match self {
            Self::Process(process) => process.line(),
            Self::Thread(server) => server.line(),
        };
        line.strip_prefix("closed ").unwrap_or_else(|| panic!("{line}")).trim_end().to_owned()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn installed(path: &str) -> PathBuf {
    let path = root().join(path);
    assert!(path.exists(), "{} is missing: scripts/install-tools installs it", path.display());
    path
}
