//! The flags and their help.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use heartline::liveness::{MassSilence, Role};
use heartline::reactor::{Address, Keepalive, WhenFull};
use ipnet::IpNet;

use super::values::{bytes, duration_ms, keepalive, mass_silence, net};
use super::websocket::WebSocketArgs;

/// Keeps long-lived connections alive and honest: frames their bytes, beats when they fall silent, finds the dead on
/// time and never kills a live one.
#[derive(Debug, Parser)]
#[command(name = "heartline", version, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Hold connections: accept, frame, beat, find the dead
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// See in a terminal what a server with --metrics is doing
    Top(super::top::TopArgs),
    /// See in 15 seconds what Heartline is for
    #[command(after_help = super::demo::EXAMPLES)]
    Demo(super::demo::DemoArgs),
    /// Find out what a server does under load, and when ten thousand clients vanish
    #[command(after_help = super::load::EXAMPLES)]
    Load(Box<super::load::LoadArgs>),
    /// Set two JSON reports of `load` side by side
    Report(super::load::CompareArgs),
}

const SERVE_EXAMPLES: &str = "\
Examples:
  An echo server on a free port, with the defaults (4-byte length, profile im: dead after 35 s of silence):
    heartline serve --listen 127.0.0.1:0
  A game server's edge: text lines, the server asks, dead after 20 s:
    heartline serve --listen 0.0.0.0:7001 --frame 'delimiter:\\n,ask=PING,answer=PONG' --profile game --role both
  Your own 8-byte head (length at offset 4), another timeout; interval and suspect are scaled with it:
    heartline serve --frame 'length:2le,at=4,head=8,max=1M' --timeout 12s
  For browsers, and only for the pages of one site:
    heartline serve --frame websocket --path /chat --origin https://example.org --health-path /healthz
  A chat room on every core, with limits:
    heartline serve --app broadcast --threads 4 --max-connections 200000 --high-mark 256K --when-full close
  Behind systemd or a parent that already listens, and on a Unix socket:
    heartline serve --listen fd:3 --listen unix:/run/heartline.sock
  With a live page, Prometheus text and health checks over HTTP; `heartline top 127.0.0.1:9100` shows the same:
    heartline serve --metrics 127.0.0.1:9100
  Settings from a file; change it and `kill -HUP` to change the live connections:
    heartline serve --config heartline.toml --log json

Durations are written 500ms, 35s, 3m or 1h30m; sizes 4096, 64K, 1M or 1G (K = 1024).
SIGTERM or SIGINT drains and exits 0; a second one quits at once. SIGHUP reads the config file again.";

/// The flags of `serve`. All are optional, so that a config file can stand in for each.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct ServeArgs {
    /// Where to listen: IP:PORT (port 0: any free one), [IPv6]:PORT, unix:PATH or fd:N; may be repeated
    /// [default: 127.0.0.1:7001]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<Vec<Address>>,

    /// How bytes are cut into frames, and what the beats are; auto: websocket for who asks for it, length:4be for others, on
    /// one port [default: length:4be]
    #[arg(long, value_name = "SPEC")]
    pub(crate) frame: Option<String>,

    /// What is done with messages [default: echo]
    #[arg(long, value_enum)]
    pub(crate) app: Option<App>,

    /// Reactors, each on a thread of its own [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,

    /// Read these flags from a TOML file too, by the same names; flags win over the file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Interval / suspect / timeout from practice: lan 2/4/8 s, game 5/8/20 s, im 10/15/35 s, web 25/40/60 s,
    /// mobile 180/240/400 s [default: im]
    #[arg(long, value_parser = PossibleValuesParser::new(["lan", "game", "im", "web", "mobile"]), hide_possible_values = true,
          help_heading = LIVENESS)]
    pub(crate) profile: Option<String>,

    /// What we do about beats: watch sends nothing, answer answers, ask asks, both does both; all judge
    /// [default: answer]
    #[arg(long, value_parser = role_parser(), help_heading = LIVENESS)]
    pub(crate) role: Option<Role>,

    /// How long the silence lasts before we ask
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIVENESS)]
    pub(crate) interval: Option<u32>,

    /// How long before the peer is reported as suspect
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIVENESS)]
    pub(crate) suspect: Option<u32>,

    /// How long before the peer is dead; 0: never judged. Given alone it scales interval and suspect
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIVENESS)]
    pub(crate) timeout: Option<u32>,

    /// More than PERCENT of the peers suspect within WINDOW is our own uplink: hold the verdicts [default: off]
    #[arg(long, value_name = "PERCENT/WINDOW", value_parser = mass_silence, help_heading = LIVENESS)]
    pub(crate) mass_silence: Option<MassSilence>,

    /// Keep a dead peer's descriptor this long and count bytes that still come as a false death [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIVENESS)]
    pub(crate) autopsy: Option<u32>,

    /// Connections in all; accepting pauses there [default: 16,776,958; when descriptors run out,
    /// accepting pauses too]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = LIMITS)]
    pub(crate) max_connections: Option<u32>,

    /// A balancer that begins each connection with the PROXY protocol (v1 or v2), which says who is behind it: an address
    /// or a network; may be repeated [default: none]
    #[arg(long, value_name = "NET", value_parser = net)]
    pub(crate) proxy_from: Option<Vec<IpNet>>,

    /// Connections of one remote address; more are reset [default: 0, off]
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    pub(crate) per_address: Option<u32>,

    /// Connections accepted in a second; more wait in the kernel's queue [default: 0, off]
    #[arg(long, value_name = "N", help_heading = LIMITS)]
    pub(crate) accepts_per_second: Option<u32>,

    /// A whole frame must come within this of the open [default: 0, off]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIMITS)]
    pub(crate) first_frame: Option<u32>,

    /// A frame begun must be complete within this [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIMITS)]
    pub(crate) frame_limit: Option<u32>,

    /// The peer must take some of what waits for it within this [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIMITS)]
    pub(crate) output_limit: Option<u32>,

    /// Who leaves earlier than this after the open without a byte was a health check, and has no line in the log; 0: off
    /// [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = LIMITS)]
    pub(crate) health_check: Option<u32>,

    /// Bytes that may wait for one peer; echo stops reading there [default: 1M]
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = LIMITS)]
    pub(crate) high_mark: Option<u32>,

    /// Where it goes on [default: a quarter of the high mark]
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = LIMITS)]
    pub(crate) low_mark: Option<u32>,

    /// What happens to a message that does not fit [default: refuse]
    #[arg(long, value_parser = when_full_parser(), help_heading = LIMITS)]
    pub(crate) when_full: Option<WhenFull>,

    /// The kernel's own probes [default: off; 60s,20s,3 where nobody judges]
    #[arg(long, value_name = "IDLE,INTERVAL,COUNT", value_parser = keepalive, help_heading = SOCKET)]
    pub(crate) keepalive: Option<Keepalive>,

    /// TCP_USER_TIMEOUT; not applied where a timeout judges [default: 0, off]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = SOCKET)]
    pub(crate) user_timeout: Option<u32>,

    /// TCP_NODELAY [default: on]
    #[arg(long, value_enum, help_heading = SOCKET)]
    pub(crate) nodelay: Option<Switch>,

    /// Length of the kernel's accept queue [default: 4096, cut to net.core.somaxconn]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = SOCKET)]
    pub(crate) backlog: Option<u32>,

    #[command(flatten)]
    pub(crate) websocket: WebSocketArgs,

    /// At a drain, closes are spread evenly over this [default: 0, all at once]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = DRAIN)]
    pub(crate) drain_spread: Option<u32>,

    /// At a drain, who is left after this is cut off [default: 10s, or the spread + 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, help_heading = DRAIN)]
    pub(crate) drain_limit: Option<u32>,

    /// One line per close, and per stall, on stderr [default: text]
    #[arg(long, value_enum, help_heading = LOG)]
    pub(crate) log: Option<LogFormat>,

    /// What is worth a line; info includes every close [default: info]
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = LOG)]
    pub(crate) log_level: Option<Level>,

    /// Answer HTTP there: / a live page, /metrics for Prometheus, /healthz, /readyz. Not for the outside world
    /// [default: off]
    #[arg(long, value_name = "ADDRESS", help_heading = LOG)]
    pub(crate) metrics: Option<Address>,

    /// Keep address, times and counts per connection (48 bytes each) for the log [default: on]
    #[arg(long, value_enum, help_heading = LOG)]
    pub(crate) statistics: Option<Switch>,
}

const LIVENESS: &str = "Liveness";
const LIMITS: &str = "Limits";
const SOCKET: &str = "Socket";
const DRAIN: &str = "Drain";
const LOG: &str = "Log and metrics";

impl ServeArgs {
    /// These flags, and `file`'s where a flag was not given.
    pub(crate) fn over(self, file: Self) -> Self {
        macro_rules! over {
            ($($field:ident)*) => {
                Self { websocket: self.websocket.over(file.websocket), $($field: self.$field.or(file.$field),)* }
            };
        }
        over! {
            listen frame app threads config profile role interval suspect timeout mass_silence autopsy max_connections
            per_address accepts_per_second first_frame frame_limit output_limit high_mark low_mark when_full keepalive
            user_timeout nodelay backlog drain_spread drain_limit log log_level statistics metrics health_check proxy_from
        }
    }
}

/// What is done with messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum App {
    /// Each goes back to its sender, head and all
    #[default]
    Echo,
    /// Nothing
    Discard,
    /// Each goes to everybody else
    Broadcast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
    /// Nothing
    Off,
}

/// How much weight a line must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    /// What did not work
    Error,
    /// Also stalls, accept pauses, mass silence
    Warn,
    /// Also every close
    #[default]
    Info,
    /// Also every open, suspect and revival
    Debug,
}

pub(super) fn role_parser() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(["watch", "answer", "ask", "both"]).map(|name| match name.as_str() {
        "watch" => Role::Watch,
        "ask" => Role::Ask,
        "both" => Role::Both,
        _ => Role::Answer,
    })
}

fn when_full_parser() -> impl TypedValueParser<Value = WhenFull> {
    PossibleValuesParser::new(["refuse", "drop-oldest", "close"]).map(|name| match name.as_str() {
        "drop-oldest" => WhenFull::DropOldest,
        "close" => WhenFull::Close,
        _ => WhenFull::Refuse,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_nothing() {
        let flags = ServeArgs { timeout: Some(1), ..ServeArgs::default() };
        let file = ServeArgs { timeout: Some(2), interval: Some(3), ..ServeArgs::default() };
        let both = flags.over(file);
        assert_eq!((both.timeout, both.interval, both.suspect), (Some(1), Some(3), None));
    }
}
