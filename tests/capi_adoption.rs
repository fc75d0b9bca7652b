//! Servers that C programmers have, with Heartline and without: examples/c/libevent_monitor.c and libuv_monitor.c less what is
//! marked in them are programs of their own, and what they do is compared with what they do with it. `echo.c` is on level 3.

mod capi_support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use capi_support::client::{PATIENCE, connect};
use capi_support::example::Example;
use capi_support::library::compile;
use capi_support::process::Process;
use capi_support::{programs_in, root};
use nix::sys::signal::Signal;

const PEERS: u64 = 2_000;
const STRICT: [&str; 5] = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];

/// A server of a library that is adopting Heartline.
fn adopting(library: &str) -> Example {
    Example::built(&format!("examples/c/{library}_monitor.c"), &STRICT)
}

fn started(example: &Example, word: &str, replaced: &[(&str, &str)]) -> (Process, String) {
    let mut server = Process::start(&mut example.command(word, replaced));
    let at = server.address();
    (server, at)
}

/// A busy machine stops programs, too, and the monitor says so.
fn is_of_a_stall(line: &str) -> bool {
    line.starts_with("stalled for ")
}

/// The next that it says of a client.
fn said_of_a_client(server: &mut Process) -> String {
    loop {
        let line = server.line();
        if !is_of_a_stall(&line) {
            return line;
        }
    }
}

/// What it says at its end.
fn ended(server: Process) -> String {
    server.signal(Signal::SIGTERM);
    let output = server.finish();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Clients that beat once a second while the server is stopped for so long: how many of their connections it closed,
/// and whether all beats were answered.
fn closed_over_a_stop(server: &Process, at: &str, stopped: Duration) -> (u64, bool) {
    /// All are open within the old timeout: the many servers of this test do not begin at once.
    static OPENING: Mutex<()> = Mutex::new(());
    let port = at.rsplit(':').next().unwrap();
    let load = compile("cc", &["-O2"], &[&root().join("benches/load.c")], &[], &format!("load-{port}"));
    let seconds = format!("seconds={}", 3 + stopped.as_secs() + 7);
    let opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut load = Process::start(Command::new(load).args([port, "beat-each-second", &PEERS.to_string(), &seconds]));
    while !load.line().starts_with("ready") {}
    drop(opening);
    thread::sleep(Duration::from_secs(3));
    server.stop_for(stopped);
    let report = String::from_utf8(load.finish().stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(report.lines().last().expect("the load reports")).unwrap();
    let number = |name: &str| report[name].as_u64().unwrap();
    (number("closed_by_server"), number("answered") == number("beats"))
}

fn stops() -> Vec<Duration> {
    let long = std::env::var_os("HEARTLINE_LONG").is_some();
    [6, 60].into_iter().take(if long { 2 } else { 1 }).map(Duration::from_secs).collect()
}

/// Runs it over each stop; what it said in the end of each.
fn survives_stops(example: &Example, word: &str, replaced: &[(&str, &str)]) -> Vec<String> {
    let over = |stopped| {
        let (server, at) = started(example, word, replaced);
        assert_eq!(closed_over_a_stop(&server, &at, stopped), (0, true), "{word} {replaced:?}, stopped {stopped:?}");
        // echo.c runs until it is killed.
        if word.contains("echo") { String::new() } else { ended(server) }
    };
    stops().into_iter().map(over).collect()
}

/// Four ways over the same stops, at the same time.
fn what_a_stop_does(library: &str) {
    let example = &adopting(library);
    thread::scope(|scope| {
        scope.spawn(move || {
            for stopped in stops() {
                let (server, at) = started(example, &format!("./old_{library}"), &[(" 35", " 4")]);
                assert_eq!(closed_over_a_stop(&server, &at, stopped).0, PEERS, "as it was, stopped {stopped:?}");
                assert_eq!(ended(server), format!("0 clients, {PEERS} timed out\n"));
            }
        });
        let of_heartline = [
            (format!("./{library}_monitor 7005 0 heartline"), "0 heartline 20", "0 heartline 4"),
            // The old timeout is longer than the longest stop: it would have its deaths too.
            (format!("./{library}_monitor 7005 35 shadow"), "35 shadow 20", "100 shadow 4"),
            (format!("./new_{library}"), "heartline 20", "heartline 4"),
        ];
        for (word, from, to) in of_heartline {
            scope.spawn(move || {
                for said in survives_stops(example, &word, &[(from, to)]) {
                    assert!(said.contains("it counts for nobody") && said.contains(", 0 timed out"), "{to}: {said}");
                    assert!(!said.contains("shadow:"), "{to}: {said}");
                }
            });
        }
    });
}

#[test]
fn a_stopped_echo_server_kills_nobody() {
    let example = Example::built("examples/c/echo.c", &STRICT);
    survives_stops(&example, "./echo", &[("[game,timeout=20s]", "im,timeout=4s")]);
}

#[test]
fn a_stopped_libevent_server_kills_all_as_it_was_and_nobody_with_heartline() {
    what_a_stop_does("libevent");
}

#[test]
fn a_stopped_libuv_server_kills_all_as_it_was_and_nobody_with_heartline() {
    what_a_stop_does("libuv");
}

/// The server as it was has never heard of Heartline, and what comes with Heartline leaves all its lines alone: the head's
/// `diff`, which building runs, has none that is gone.
#[test]
fn what_is_marked_is_all_that_heartline_brings() {
    for library in ["libevent", "libuv"] {
        let example = adopting(library);
        let old = example.written(&format!("old_{library}.c"));
        assert!(old.contains("int main(") && !old.to_lowercase().contains("heartline"), "{old}");
        let linked = example.shell(&format!("ldd old_{library}"));
        assert!(linked.contains(&format!("{library}-")) || linked.contains(&format!("{library}.so")), "{linked}");
        assert!(!linked.contains("heartline"), "{linked}");
        // And of the old timeout the marks leave nothing behind.
        let new = example.written(&format!("new_{library}.c"));
        for of_the_old in ["timeout_s", "last_seen", "on_second", "LIST_"] {
            assert!(old.contains(of_the_old) && !new.contains(of_the_old), "{library}: {of_the_old}");
        }
    }
}

/// The difference in the guide has its lines from the example, in their order, and marked there as they are in it.
#[test]
fn the_difference_in_the_guide_is_that_of_the_example() {
    let source = std::fs::read_to_string(root().join("examples/c/libevent_monitor.c")).unwrap();
    let mut within = ' ';
    let mut marked = source.lines().map(|line| {
        let opens = ['+', '-'].into_iter().find(|mark| line.contains(&format!("/* {mark}{{")));
        within = opens.unwrap_or(within);
        let own = ['+', '-'].into_iter().find(|mark| line.contains(&format!("/* {mark}")));
        let mark = own.unwrap_or(within);
        if line.contains(&format!("* {within}}} */")) {
            within = ' ';
        }
        (mark, line.trim_start())
    });
    for difference in programs_in("docs/c-guide.md", "diff") {
        for line in difference.lines() {
            let (mark, text) = line.split_at(1);
            let wanted =
                |&(found, source): &(char, &str)| mark == found.to_string() && source.starts_with(text.trim_start());
            assert!(marked.any(|line| wanted(&line)), "{line:?} is not in the example, or not there");
        }
    }
}

fn speaks(client: &mut TcpStream) {
    let mut echo = [0; 5];
    client.write_all(b"hello").unwrap();
    client.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"hello");
}

/// Whether the server has closed it. Nothing else is on its way.
fn is_open(client: &TcpStream) -> bool {
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let looked = client.peek(&mut [0]);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    matches!(looked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// How long after its last word the server closed it.
fn closed_after(client: &mut TcpStream, spoke: Instant) -> Duration {
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    spoke.elapsed()
}

/// What a shadow says of a client that it would have dropped, after its timeout of a second.
fn given_up(said: &str) -> bool {
    let silent_ms = said.split_once(" silent for ").and_then(|(_, rest)| rest.strip_suffix(" ms"));
    said.starts_with("shadow: client ")
        && silent_ms.is_some_and(|ms| (1000..4000).contains(&ms.parse::<u32>().unwrap()))
}

fn shadows(library: &str) {
    let (mut server, at) = started(&adopting(library), "shadow", &[("35 shadow 20", "5 shadow 1")]);
    let mut client = connect(&at);
    speaks(&mut client);
    let spoke = Instant::now();
    // Heartline would have dropped it; the old timeout has not.
    let said = said_of_a_client(&mut server);
    assert!(given_up(&said), "{said}");
    assert!(spoke.elapsed() >= Duration::from_millis(950), "{said} after {:?}", spoke.elapsed());
    assert!(is_open(&client), "{said}, and it is closed");
    // It was wrong, and says so.
    speaks(&mut client);
    let spoke = Instant::now();
    let said = said_of_a_client(&mut server);
    assert!(said.starts_with("shadow: client ") && said.contains("would have been a mistake"), "{said}");
    // It would drop it again, once; and then the old timeout does it.
    let said = said_of_a_client(&mut server);
    assert!(given_up(&said) && is_open(&client), "{said}");
    let lived = closed_after(&mut client, spoke);
    assert!(lived >= Duration::from_millis(4950), "closed after {lived:?}");
    let said = ended(server);
    let said: Vec<_> = said.lines().filter(|line| !is_of_a_stall(line)).collect();
    assert_eq!(said, ["0 clients, 1 timed out"]);
}

#[test]
fn a_shadow_of_libevent_only_says_what_it_would_have_done() {
    shadows("libevent");
}

#[test]
fn a_shadow_of_libuv_only_says_what_it_would_have_done() {
    shadows("libuv");
}

/// Each of the three programs drops who is silent, and nobody by a timeout that is off.
#[test]
fn the_silent_are_dropped_before_and_after() {
    for library in ["libevent", "libuv"] {
        let example = adopting(library);
        let ways = [
            (format!("./old_{library}"), " 35", " 1"),
            (format!("./{library}_monitor 7005 0 heartline"), "heartline 20", "heartline 1"),
            (format!("./new_{library}"), "heartline 20", "heartline 1"),
        ];
        for (word, from, to) in ways {
            let (server, at) = started(&example, &word, &[(from, to)]);
            let mut client = connect(&at);
            speaks(&mut client);
            let lived = closed_after(&mut client, Instant::now());
            assert!(lived >= Duration::from_millis(950), "{word}: closed after {lived:?}");
            assert_eq!(ended(server).lines().last(), Some("0 clients, 1 timed out"), "{word}");
        }
        let (server, at) = started(&example, &format!("./old_{library}"), &[(" 35", " 0")]);
        let mut client = connect(&at);
        speaks(&mut client);
        thread::sleep(Duration::from_millis(2500));
        assert!(is_open(&client), "{library}: 0 is never");
        drop(client);
        assert!(ended(server).ends_with(" 0 timed out\n"));
    }
}
