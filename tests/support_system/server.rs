//! A server in a process of its own, and what it logs.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::kernel;

/// How long a server may take to say where it listens.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a drain may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// `heartline serve`, or another program that prints and logs the same lines. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
}

/// Lines of standard error as they came. They are parsed when asked for: whoever reads a log slowly stops its writer.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<Vec<(Instant, String)>>,
    came: Condvar,
}

/// One `closed` line.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    /// When the line came here.
    pub(crate) at: Instant,
    pub(crate) remote: SocketAddr,
    pub(crate) reason: String,
    pub(crate) silence_ms: u64,
    pub(crate) overshoot_ms: u64,
    pub(crate) age_ms: u64,
}

impl Server {
    /// Starts `heartline serve --log json` with these arguments, listening on a free port of 127.0.0.1 unless they say
    /// where. `HEARTLINE_BIN` names another binary to test, an installed one say.
    #[track_caller]
    pub(crate) fn serve(arguments: &[&str]) -> Self {
        Self::spawn(&mut serve_command(arguments))
    }

    /// The same with a limit on its descriptors, the hard one included.
    #[track_caller]
    pub(crate) fn serve_with_descriptors(limit: u32, arguments: &[&str]) -> Self {
        let serve = serve_command(arguments);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
        shell.arg(serve.get_program()).args(serve.get_args());
        Self::spawn(&mut shell)
    }

    /// Starts a program that says `listening on ADDRESS` and logs like `serve`.
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Arc::new(Log::default());
        let (output, errors) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let kept = log.clone();
        std::thread::spawn(move || kept.keep(errors));
        let (said, hears) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        // From here on the child is killed whatever happens.
        let mut server = Self { child, address: ([0, 0, 0, 0], 0).into(), log };
        let began = Instant::now();
        server.address = loop {
            let left = START_LIMIT.saturating_sub(began.elapsed());
            let Ok(line) = hears.recv_timeout(left) else {
                panic!("{command:?} did not say `listening on …`; it logged:\n{}", server.log.tail(20));
            };
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.trim().parse().unwrap_or_else(|_| panic!("`{line}` names no address"));
            }
        };
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the server's process is ours");
    }

    /// Stops the process (SIGSTOP) and waits until the kernel says that it is stopped.
    #[track_caller]
    pub(crate) fn stop(&self) -> Instant {
        self.signal(Signal::SIGSTOP);
        super::wait_until(Duration::from_secs(5), "the server stops", || kernel::state(self.pid()) == 'T');
        Instant::now()
    }

    pub(crate) fn wake(&self) -> Instant {
        self.signal(Signal::SIGCONT);
        Instant::now()
    }

    /// Every `closed` line so far.
    #[track_caller]
    pub(crate) fn closed(&self) -> Vec<Closed> {
        let lines = self.log.events("closed");
        lines.iter().map(|(at, line)| Closed::read(*at, line)).collect()
    }

    /// Waits until `count` connections of `whose` are logged as closed, at most `limit`, and returns those.
    #[track_caller]
    pub(crate) fn wait_closed(&self, whose: &HashSet<SocketAddr>, count: usize, limit: Duration) -> Vec<Closed> {
        let began = Instant::now();
        loop {
            let seen = self.log.len();
            let mut closed = self.closed();
            closed.retain(|closed| whose.contains(&closed.remote));
            if closed.len() >= count {
                return closed;
            }
            let left = limit.saturating_sub(began.elapsed());
            assert!(!left.is_zero(), "{} of {count} are closed after {limit:?}:\n{}", closed.len(), self.log.tail(20));
            self.log.wait_for_more(seen, left);
        }
    }

    /// The stalls that the server told of, together.
    pub(crate) fn stalled(&self) -> Duration {
        let lines = self.log.events("stalled");
        Duration::from_millis(lines.iter().filter_map(|(_, line)| line["ms"].as_u64()).sum())
    }

    /// Ends the server as an operator would: SIGTERM, a drain, exit status 0. Returns its `summary`.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Value {
        self.signal(Signal::SIGTERM);
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                break status;
            }
            assert!(began.elapsed() < DRAIN_LIMIT, "no exit {DRAIN_LIMIT:?} after SIGTERM:\n{}", self.log.tail(20));
            std::thread::sleep(super::ms(5));
        };
        assert!(status.success(), "the server ended with {status}:\n{}", self.log.tail(20));
        super::wait_until(Duration::from_secs(5), "a summary line", || !self.log.events("summary").is_empty());
        self.log.events("summary").remove(0).1
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `heartline` that is tested.
pub(crate) fn binary() -> String {
    std::env::var("HEARTLINE_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_heartline").to_owned())
}

/// `heartline serve --log json` with these arguments.
pub(crate) fn serve_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--log", "json"]);
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(arguments);
    command
}

impl Log {
    fn keep(&self, from: impl Read) {
        let mut from = BufReader::with_capacity(1 << 20, from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.lines.lock().expect("no reader panics").push((Instant::now(), text));
            self.came.notify_all();
            line.clear();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.lock().expect("no reader panics").len()
    }

    /// The lines from number `from` on, parsed, with the moment at which each came; and the number of the next.
    pub(crate) fn since(&self, from: usize) -> (Vec<(Instant, Value)>, usize) {
        let lines = self.lines.lock().expect("no reader panics");
        let parsed = lines[from..].iter().filter_map(|(at, line)| Some((*at, serde_json::from_str(line).ok()?)));
        (parsed.collect(), lines.len())
    }

    fn wait_for_more(&self, than: usize, limit: Duration) {
        let lines = self.lines.lock().expect("no reader panics");
        let _ = self.came.wait_timeout_while(lines, limit, |lines| lines.len() <= than);
    }

    /// The lines of one kind, with the moment at which each came.
    pub(crate) fn events(&self, kind: &str) -> Vec<(Instant, Value)> {
        let lines = self.lines.lock().expect("no reader panics");
        let mark = format!("\"{kind}\"");
        let lines = lines.iter().filter(|(_, line)| line.contains(&mark));
        let parsed = lines.filter_map(|(at, line)| Some((*at, serde_json::from_str::<Value>(line).ok()?)));
        parsed.filter(|(_, value)| value["event"] == kind).collect()
    }

    /// The last lines, for the text of a failure.
    pub(crate) fn tail(&self, count: usize) -> String {
        let lines = self.lines.lock().expect("no reader panics");
        let from = lines.len().saturating_sub(count);
        lines[from..].iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Closed {
    #[track_caller]
    pub(crate) fn read(at: Instant, line: &Value) -> Self {
        let number = |name: &str| line[name].as_u64().unwrap_or(0);
        let remote = line["remote"].as_str().and_then(|text| text.parse().ok());
        Self {
            at,
            remote: remote.unwrap_or_else(|| panic!("`closed` without a remote: {line}")),
            reason: line["reason"].as_str().unwrap_or("").to_owned(),
            silence_ms: number("silence_ms"),
            overshoot_ms: number("overshoot_ms"),
            age_ms: number("age_ms"),
        }
    }
}
