//! The flags of `load` and of `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use heartline::liveness::Role;

use super::backoff::Backoff;
use super::fault::Schedule;
use super::goal::Goals;
use super::sources::Sources;
use crate::cli::args::role_parser;
use crate::cli::values::{bytes, duration_ms};

pub(crate) const EXAMPLES: &str = "\
Examples:
  A thousand connections that beat every 10 s, and nothing else, for a minute:
    heartline load 127.0.0.1:7001 --connections 1000 --duration 1m
  What a server does when a tenth of its clients freeze and a twentieth are reset; its timeout is 8 s:
    heartline load 127.0.0.1:7001 -c 10000 --beat 2s --timeout 8s --fault freeze:10%@10s,reset:5%@20s --duration 40s
  A constant 20,000 messages a second; exit status 3 unless the goals are met; a page with plots:
    heartline load 127.0.0.1:7001 -c 500 --rate 20000 --threshold 'p99<5ms,false-deaths=0' --html load.html
  The next message when the last one came back, four under way on each connection:
    heartline load 127.0.0.1:7001 -c 500 --in-flight 4 --size 128
  The highest rate that keeps a goal:
    heartline load 127.0.0.1:7001 -c 500 --search 'p99<2ms'
  All clients drop at once, and come back with two backoff policies in turn:
    heartline load 127.0.0.1:7001 -c 5000 --fault storm/fixed:1s@10s,storm/full-jitter:100ms..10s@30s --duration 50s
  Your own codec and messages:
    heartline load game:7001 --frame 'delimiter:\\n,ask=PING,answer=PONG' --message 'MOVE {connection} {sequence}' --rate 500

Faults: freeze, reset, fin, half-frame, drip (a byte a second), slow-reader, no-answer, flood (asks), storm. Each is
KIND[:SHARE][/BACKOFF]@TIME: a share of all clients (10%) or a number (50), drawn from those that are still well, so long after
the load began.
Backoff: none, fixed:1s, exponential:100ms..30s, full-jitter:100ms..30s, decorrelated:100ms..30s.
Goals: p50 p90 p99 p99.9 max mean (latency), rate, false-deaths, errors, connect-failures, unanswered, refused, missed, early,
overshoot-p50 overshoot-p99 overshoot-max, recovery-max, late-p99, server-cpu, server-memory; with < <= = >= >.
Exit status: 0 all is well, 1 it could not be done, 2 the flags make no sense, 3 a goal was missed.";

/// The flags of `load`.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoadArgs {
    /// The server: IP:PORT, [IPv6]:PORT or HOST:PORT
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,

    /// Connections in all
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    pub(crate) connections: u32,

    /// Connections opened in a second; 0: as fast as they open
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "ramp")]
    pub(crate) connect_rate: u32,

    /// Open the connections evenly over this
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    pub(crate) ramp: Option<u32>,

    /// Addresses to come from: 127.0.0.1-127.0.0.40, or a list of the host's own [default: the kernel's choice; to a
    /// server on 127.0.0.0/8 as many of that network as the ports need]
    #[arg(long, value_name = "LIST")]
    pub(crate) source: Option<Sources>,

    /// Threads, each with a reactor and a descriptor table of its own, so that the limit on descriptors holds for each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,

    /// How bytes are cut into frames, and what the beats are
    #[arg(long, value_name = "SPEC", default_value = "length:4be")]
    pub(crate) frame: String,

    /// What to ask a WebSocket for, with its query [default: /]
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,

    /// Ask after this much silence of the server; 0: never [default: 10s where the codec has beats]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = BEATS)]
    pub(crate) beat: Option<u32>,

    /// An ask goes out up to so many percent before its time, so that clients never beat in step; 0: all at the same phase
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=50), help_heading = BEATS)]
    pub(crate) beat_spread: u8,

    /// What clients do about beats: both asks and answers, ask asks, answer answers, watch neither
    #[arg(long, value_parser = role_parser(), default_value = "both", help_heading = BEATS)]
    pub(crate) role: Role,

    /// Messages in a second, of all connections together: an open loop. The latency counts from when a message was due,
    /// not from when it could be sent
    #[arg(long, value_name = "N", conflicts_with = "in_flight", value_parser = clap::value_parser!(u32).range(1..), help_heading = MESSAGES)]
    pub(crate) rate: Option<u32>,

    /// A closed loop: so many messages under way on each connection, the next when one came back
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536), help_heading = MESSAGES)]
    pub(crate) in_flight: Option<u32>,

    /// Bytes of a message; from 8 on each carries its connection and number
    #[arg(long, value_name = "SIZE", default_value = "32", value_parser = bytes, conflicts_with = "message", help_heading = MESSAGES)]
    pub(crate) size: u32,

    /// The message, with {connection} {sequence} {thread} {source} {random:N} in it; {{ is a brace
    #[arg(long, value_name = "TEMPLATE", help_heading = MESSAGES)]
    pub(crate) message: Option<String>,

    /// What comes back
    #[arg(long, value_enum, default_value_t = Expect::Echo, help_heading = MESSAGES)]
    pub(crate) expect: Expect,

    /// How long the load lasts, from when all connections are open
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration_ms)]
    pub(crate) duration: u32,

    /// Latency within this from the beginning does not count
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = duration_ms)]
    pub(crate) warmup: u32,

    /// Find the highest rate that keeps these goals
    #[arg(long, value_name = "GOALS", conflicts_with_all = ["in_flight", "fault"], help_heading = MESSAGES)]
    pub(crate) search: Option<Goals>,

    /// How long each rate is tried
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = duration_ms, help_heading = MESSAGES)]
    pub(crate) search_step: u32,

    /// Wait for the kernel by asking again and again: messages are sent on time, not a millisecond late, and wake-ups (some
    /// 50 us) stay out of the latency. It takes a core for each thread; auto: in an open loop, if a core is left besides
    #[arg(long, value_enum, default_value_t = Spin::Auto, help_heading = MESSAGES)]
    pub(crate) spin: Spin,

    /// What goes wrong, and when; see below
    #[arg(long, value_name = "SCHEDULE", help_heading = FAULTS)]
    pub(crate) fault: Option<Schedule>,

    /// The server's timeout: overshoot counts from (last byte + this)
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = FAULTS)]
    pub(crate) timeout: Option<u32>,

    /// The server's limit on unfinished frames: for half-frame and drip [default: --timeout for half-frame]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = FAULTS)]
    pub(crate) frame_timeout: Option<u32>,

    /// How long clients wait before they come back
    #[arg(long, value_name = "POLICY", default_value = "full-jitter:100ms..10s", help_heading = FAULTS)]
    pub(crate) backoff: Backoff,

    /// Whoever was closed or never opened comes back, not only after a storm
    #[arg(long, help_heading = FAULTS)]
    pub(crate) reconnect: bool,

    /// A connection that is not open after this has failed
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration_ms)]
    pub(crate) connect_timeout: u32,

    /// Goals that decide the exit status, such as p99<5ms,false-deaths=0,overshoot-p99<50ms
    #[arg(long, value_name = "GOALS", help_heading = REPORT)]
    pub(crate) threshold: Option<Goals>,

    /// Also measure this process on this machine: CPU, memory, switches
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..), help_heading = REPORT)]
    pub(crate) server_pid: Option<i32>,

    /// The report as JSON; - is stdout, and then there is no table
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub(crate) json: Option<PathBuf>,

    /// The latency's whole distribution, as HdrHistogram plotters read it
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub(crate) hdr: Option<PathBuf>,

    /// The report as one page with plots
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub(crate) html: Option<PathBuf>,

    /// Check this machine and say what would be done, no more
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Begin although the check of this machine found something
    #[arg(long)]
    pub(crate) force: bool,

    /// Draws whom a fault befalls, and what is random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

const BEATS: &str = "Beats";
const MESSAGES: &str = "Messages";
const FAULTS: &str = "Faults";
const REPORT: &str = "Report";

/// What a server sends for a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expect {
    /// The same again; it is compared
    #[default]
    Echo,
    /// One message for each, in order; what it says does not matter
    Answer,
    /// Nothing; what comes is only counted
    Nothing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spin {
    #[default]
    Auto,
    On,
    Off,
}

/// The flags of `report`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CompareArgs {
    /// A report that `load --json` wrote
    #[arg(value_name = "A.json")]
    pub(crate) a: PathBuf,

    /// Another; ratios are B / A
    #[arg(value_name = "B.json")]
    pub(crate) b: PathBuf,
}
