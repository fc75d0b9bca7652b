//! The examples in C are built and run by the commands in their heads, and do what they say.

mod capi_support;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use capi_support::client::{self, PATIENCE, receive, send};
use capi_support::example::Example;
use capi_support::process::Process;
use capi_support::root;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const STRICT: [&str; 5] = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];

fn example(name: &str) -> Example {
    Example::built(&format!("examples/c/{name}.c"), &STRICT)
}

/// A running example, killed when dropped.
struct Server {
    process: Process,
    at: String,
    _example: Option<Example>,
}

impl Server {
    /// Builds an example that runs in one way, and runs it with parts of that command replaced.
    fn start(name: &str, replaced: &[(&str, &str)]) -> Self {
        let example = example(name);
        let mut server = Self::of(&example, name, replaced);
        server._example = Some(example);
        server
    }

    /// An example that is built, by that of its commands which has this word in it.
    fn of(example: &Example, word: &str, replaced: &[(&str, &str)]) -> Self {
        let mut process = Process::start(&mut example.command(word, replaced));
        let at = process.address();
        Self { process, at, _example: None }
    }

    fn connect(&self) -> TcpStream {
        client::connect(&self.at)
    }

    /// Waits for an end without an error; what it said meanwhile.
    fn ended(self) -> String {
        let output = self.process.finish();
        assert!(output.status.success(), "{}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_chat_has_rooms_and_says_goodbye() {
    let server = Server::start("chat", &[]);
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
    let mut server = Server::start("epoll_host", &[("[SECONDS]", "2")]);
    let mut client = server.connect();
    send(&mut client, b"nested");
    assert_eq!(receive(&mut client), b"nested");
    assert_eq!(server.process.line(), "the host's own second, 1 connections");
    server.ended();
}

#[test]
fn udp_peers_are_asked_and_lost() {
    let mut server = Server::start("udp_monitor", &[("role=ask", "role=ask,timeout=1s"), ("[PEERS_TO_LOSE]", "1")]);
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
    let server = Server::start("adopt", &[("[CONNECTIONS]", "1")]);
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
    let mut server = Server::start("upgrade", &[]);
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

/// In each of the ways that its head names. What else the commands do, the other tests see.
#[test]
fn each_example_is_built_and_runs_as_its_head_says() {
    for entry in std::fs::read_dir(root().join("examples/c")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        let example = example(&name);
        for run in example.runs() {
            Server::of(&example, run, &[]);
        }
    }
}
