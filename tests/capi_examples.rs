//! The examples in C do what they say, and the three servers among them kill nobody whom they could not hear.

mod capi_support;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use capi_support::client::{self, PATIENCE, receive, send};
use capi_support::library::{compile, library, released_with};
use capi_support::process::{Process, said};
use capi_support::root;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PEERS: u32 = 2_000;

fn example(name: &str, libraries: &[&str]) -> PathBuf {
    let source = root().join(format!("examples/c/{name}.c"));
    let flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];
    compile("cc", &flags, &[&source], &released_with(libraries), &format!("example-{name}"))
}

/// A running example, killed when dropped.
struct Server {
    process: Process,
    at: String,
}

impl Server {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut process = Process::start(Command::new(program).args(arguments));
        let at = process.address();
        Self { process, at }
    }

    fn connect(&self) -> TcpStream {
        client::connect(&self.at)
    }

    fn port(&self) -> &str {
        self.at.rsplit(':').next().unwrap()
    }

    /// Waits for an end without an error; what it said meanwhile.
    fn ended(self) -> String {
        let output = self.process.finish();
        assert!(output.status.success(), "{}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Clients that beat once a second while the server is stopped for `stopped`: how many of their connections it closed,
/// and whether all beats were answered.
fn closed_over_a_stop(server: &Server, stopped: Duration) -> (u64, bool) {
    let port = server.port();
    let load = compile("cc", &["-O2"], &[&root().join("benches/load.c")], &[], &format!("load-{port}"));
    let seconds = format!("seconds={}", 3 + stopped.as_secs() + 7);
    let mut load = Process::start(Command::new(load).args([port, "beat-each-second", &PEERS.to_string(), &seconds]));
    while !load.line().starts_with("ready") {}
    let begun = Instant::now();
    let at = |moment: Duration| thread::sleep(moment.saturating_sub(begun.elapsed()));
    at(Duration::from_secs(3));
    server.process.signal(Signal::SIGSTOP);
    at(Duration::from_secs(3) + stopped);
    server.process.signal(Signal::SIGCONT);
    let report = String::from_utf8(load.finish().stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(report.lines().last().expect("the load reports")).unwrap();
    let number = |name: &str| report[name].as_u64().unwrap();
    (number("closed_by_server"), number("answered") == number("beats"))
}

fn stops() -> Vec<Duration> {
    let long = std::env::var_os("HEARTLINE_LONG").is_some();
    [6, 60].into_iter().take(if long { 2 } else { 1 }).map(Duration::from_secs).collect()
}

/// The same server with its own timeouts, over the same stop. One may be lucky: the wait that the stop interrupted holds
/// one event when it goes on, and that peer is read before its timer is looked at.
fn kills_nearly_all(program: &Path) {
    let old = Server::start(program, &["old", "0", "4"]);
    let (killed, _) = closed_over_a_stop(&old, Duration::from_secs(6));
    assert!(killed >= u64::from(PEERS - 1), "only {killed} of {PEERS}");
}

fn survives_stops(name: &str, libraries: &[&str], arguments: &[&str]) {
    let program = example(name, libraries);
    for stopped in stops() {
        let server = Server::start(&program, arguments);
        assert_eq!(closed_over_a_stop(&server, stopped), (0, true), "{name}, stopped {stopped:?}, timeout 4 s");
    }
}

#[test]
fn a_stopped_echo_server_kills_nobody() {
    survives_stops("echo", &[], &["127.0.0.1:0", "im,timeout=4s"]);
}

#[test]
fn a_stopped_libevent_server_kills_nobody_and_without_heartline_all_but_one_at_most() {
    survives_stops("libevent_monitor", &["-levent"], &["heartline", "0", "4"]);
    kills_nearly_all(&example("libevent_monitor", &["-levent"]));
}

#[test]
fn a_stopped_libuv_server_kills_nobody_and_without_heartline_all_but_one_at_most() {
    survives_stops("libuv_monitor", &["-luv"], &["heartline", "0", "4"]);
    kills_nearly_all(&example("libuv_monitor", &["-luv"]));
}

/// In shadow the old timeout decides, and Heartline says the same of a peer that is really silent.
#[test]
fn a_shadow_only_says_what_it_would_have_done() {
    let server = Server::start(&example("libevent_monitor", &["-levent"]), &["shadow", "0", "2"]);
    let mut silent = server.connect();
    silent.write_all(b"hello").unwrap();
    let mut echo = [0; 5];
    silent.read_exact(&mut echo).unwrap();
    // The old timeout is two seconds as well; whichever comes first, the connection ends by that.
    assert_eq!(silent.read(&mut echo).unwrap(), 0);
    server.process.signal(Signal::SIGTERM);
    let rest = server.ended();
    assert!(rest.contains("0 clients, 1 timed out"), "{rest}");
}

#[test]
fn the_chat_has_rooms_and_says_goodbye() {
    let server = Server::start(&example("chat", &[]), &["127.0.0.1:0"]);
    let [mut a, mut b, mut c] = [(); 3].map(|()| server.connect());
    send(&mut a, b"/join den");
    send(&mut b, b"/join den");
    // Nothing says that both have moved: it is said again until it is heard.
    b.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut heard = [0; 4];
    while b.read_exact(&mut heard).is_err() {
        send(&mut a, b"hello");
    }
    b.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut message = [0; 5];
    b.read_exact(&mut message).unwrap();
    assert_eq!((heard, &message), ([0, 0, 0, 5], b"hello"));
    server.process.signal(Signal::SIGTERM);
    // Who is in another room heard nothing before it.
    for peer in [&mut a, &mut c] {
        assert_eq!(receive(peer), b"(the server restarts)");
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
    let last = std::iter::repeat_with(|| receive(&mut b)).find(|message| message != b"hello");
    assert_eq!(last.unwrap(), b"(the server restarts)");
}

#[test]
fn a_reactor_lives_in_a_foreign_epoll_loop() {
    let mut server = Server::start(&example("epoll_host", &[]), &["127.0.0.1:0", "2"]);
    let mut client = server.connect();
    send(&mut client, b"nested");
    assert_eq!(receive(&mut client), b"nested");
    assert_eq!(server.process.line(), "the host's own second, 1 connections");
    server.ended();
}

#[test]
fn udp_peers_are_asked_and_lost() {
    let mut server = Server::start(&example("udp_monitor", &[]), &["0", "lan,role=ask,timeout=1s", "1"]);
    let [lively, silent] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    for socket in [&lively, &silent] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(b"hello", server.at.as_str()).unwrap();
    }
    let answering = thread::spawn(move || {
        let mut asked = [0; 16];
        // Until the server has ended, which closes its port.
        while let Ok((4, from)) = lively.recv_from(&mut asked) {
            lively.send_to(b"PONG", from).unwrap();
            lively.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        }
    });
    let lost = server.process.line();
    assert!(lost.starts_with(&format!("lost 127.0.0.1:{} after ", silent.local_addr().unwrap().port())), "{lost}");
    server.ended();
    answering.join().unwrap();
}

#[test]
fn connections_are_adopted_and_given_back() {
    let server = Server::start(&example("adopt", &[]), &["0", "1"]);
    let mut client = server.connect();
    let mut greeting = [0; 6];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"hello\n");
    send(&mut client, b"framed");
    assert_eq!(receive(&mut client), b"framed");
    send(&mut client, b"leave");
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "back, 0 unread, 0 unsent\n");
    server.ended();
}

#[test]
fn live_connections_move_to_a_new_process() {
    let mut server = Server::start(&example("upgrade", &[]), &["0"]);
    let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for client in &mut clients {
        send(client, b"before");
        assert_eq!(receive(client), b"before");
        // The first half of a frame, whose second half the successor reads.
        client.write_all(b"\0\0\0\x05af").unwrap();
    }
    server.process.signal(Signal::SIGUSR2);
    assert_eq!(server.process.line(), "took over 50 connections");
    let line = server.process.line();
    let successor: i32 = line.split(' ').next().unwrap().parse().unwrap();
    for client in &mut clients {
        client.write_all(b"ter").unwrap();
        assert_eq!(receive(client), b"after");
    }
    // New ones come to it by the same socket.
    let mut new = server.connect();
    send(&mut new, b"new");
    assert_eq!(receive(&mut new), b"new");
    kill(Pid::from_raw(successor), Signal::SIGTERM).unwrap();
    server.ended();
}

#[test]
fn each_example_opens_with_the_lines_that_build_it() {
    for entry in std::fs::read_dir(root().join("examples/c")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let build = format!("cc -Iinclude -o {name} examples/c/{name}.c -Ltarget/capi -lheartline");
        assert!(text.starts_with("/*") && text.contains(&build), "{name}: no line {build:?}");
        let line = text.lines().find(|line| line.contains(&build)).unwrap().trim_start_matches([' ', '*']);
        library();
        let line = line.replace(&format!("-o {name} "), &format!("-o target/tmp/{name} "));
        std::fs::create_dir_all(root().join("target/tmp")).unwrap();
        said(Command::new("sh").args(["-c", &line]).current_dir(root()));
    }
}
