//! The examples in C do what they say, and the three servers among them kill nobody whom they could not hear.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

mod capi_support;

use capi_support::{Library, compile, released, root, run_limited};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// No answer takes longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(20);
const PEERS: u32 = 2_000;

fn example(name: &str, libraries: &[&str]) -> PathBuf {
    let source = root().join(format!("examples/c/{name}.c"));
    let mut linked = released(Library::Shared);
    linked.extend(libraries.iter().map(Into::into));
    let flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];
    compile("cc", &flags, &[&source], &linked, &format!("example-{name}"))
}

/// A running example, killed when dropped.
struct Server {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    port: u16,
}

impl Server {
    fn start(program: &PathBuf, arguments: &[&str]) -> Self {
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, lines, port: 0 };
        server.port = server.await_port();
        server
    }

    /// Reads lines until one says where it listens.
    fn await_port(&mut self) -> u16 {
        loop {
            let line = self.line();
            if let Some((_, at)) = line.split_once("listening on ") {
                return at.trim().rsplit(':').next().unwrap().parse().unwrap();
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the example has ended");
        line
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(&[&(message.len() as u32).to_be_bytes(), message].concat()).unwrap();
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut message = vec![0; u32::from_be_bytes(head) as usize];
    stream.read_exact(&mut message).unwrap();
    message
}

/// Clients that beat once a second while the server is stopped for `stopped`: how many of their connections it closed,
/// and whether all beats were answered.
fn closed_over_a_stop(server: &Server, stopped: Duration) -> (u64, bool) {
    let load = compile("cc", &["-O2"], &[&root().join("benches/load.c")], &[], &format!("load-{}", server.port));
    let seconds = 3 + stopped.as_secs() + 7;
    let mut load = Command::new(load)
        .args([&server.port.to_string(), "beat-each-second", &PEERS.to_string(), &format!("seconds={seconds}")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(load.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("ready")), "the load could not connect");
    let begun = Instant::now();
    let at = |moment: Duration| thread::sleep(moment.saturating_sub(begun.elapsed()));
    at(Duration::from_secs(3));
    server.signal(Signal::SIGSTOP);
    at(Duration::from_secs(3) + stopped);
    server.signal(Signal::SIGCONT);
    let report = lines.last().expect("the load reports");
    load.wait().unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let number = |name: &str| report[name].as_u64().unwrap();
    (number("closed_by_server"), number("answered") == number("beats"))
}

fn stops() -> Vec<Duration> {
    let long = std::env::var_os("HEARTLINE_LONG").is_some();
    [6, 60].into_iter().take(if long { 2 } else { 1 }).map(Duration::from_secs).collect()
}

/// The same server with its own timeouts, over the same stop. One may be lucky: the wait that the stop interrupted holds
/// one event when it goes on, and that peer is read before its timer is looked at.
fn kills_nearly_all(program: &PathBuf) {
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
    let mut server = Server::start(&example("libevent_monitor", &["-levent"]), &["shadow", "0", "2"]);
    let mut silent = server.connect();
    silent.write_all(b"hello").unwrap();
    let mut echo = [0; 5];
    silent.read_exact(&mut echo).unwrap();
    // The old timeout is two seconds as well; whichever comes first, the connection ends by that.
    assert_eq!(silent.read(&mut echo).unwrap(), 0);
    server.signal(Signal::SIGTERM);
    let mut rest = String::new();
    server.lines.read_to_string(&mut rest).unwrap();
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
    server.signal(Signal::SIGTERM);
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
    assert_eq!(server.line(), "the host's own second, 1 connections\n");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn udp_peers_are_asked_and_lost() {
    let mut server = Server::start(&example("udp_monitor", &[]), &["0", "lan,role=ask,timeout=1s", "1"]);
    let [lively, silent] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    for socket in [&lively, &silent] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(b"hello", ("127.0.0.1", server.port)).unwrap();
    }
    let answering = thread::spawn(move || {
        let mut asked = [0; 16];
        // Until the server has ended, which closes its port.
        while let Ok((4, from)) = lively.recv_from(&mut asked) {
            lively.send_to(b"PONG", from).unwrap();
            lively.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        }
    });
    let lost = server.line();
    assert!(lost.starts_with(&format!("lost 127.0.0.1:{} after ", silent.local_addr().unwrap().port())), "{lost}");
    assert!(server.child.wait().unwrap().success());
    answering.join().unwrap();
}

#[test]
fn connections_are_adopted_and_given_back() {
    let mut server = Server::start(&example("adopt", &[]), &["0", "1"]);
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
    assert!(server.child.wait().unwrap().success());
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
    server.signal(Signal::SIGUSR2);
    assert_eq!(server.line(), "took over 50 connections\n");
    let line = server.line();
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
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn each_example_opens_with_the_lines_that_build_it() {
    for entry in std::fs::read_dir(root().join("examples/c")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let said = format!("cc -Iinclude -o {name} examples/c/{name}.c -Ltarget/capi -lheartline");
        assert!(text.starts_with("/*") && text.contains(&said), "{name}: no line {said:?}");
        let line = text.lines().find(|line| line.contains(&said)).unwrap().trim_start_matches([' ', '*']);
        released(Library::Shared);
        let line = line.replace(&format!("-o {name} "), &format!("-o target/tmp/{name} "));
        std::fs::create_dir_all(root().join("target/tmp")).unwrap();
        let (status, output) = run_limited(Command::new("sh").args(["-c", &line]).current_dir(root()));
        assert!(status.success(), "{line}\n{output}");
    }
}
