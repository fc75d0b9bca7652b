//! The examples in C do what they say, and the three servers among them kill nobody whom they could not hear.

mod capi_support;

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use capi_support::client::{PATIENCE, receive, send};
use capi_support::example::{Server, example};
use capi_support::library::{compile, library};
use capi_support::process::{Process, said};
use capi_support::root;
use nix::sys::signal::Signal;

const PEERS: u32 = 2_000;

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
