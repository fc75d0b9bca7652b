//! The examples in C are built and run by the commands in their heads, and do what they say.

mod capi_support;

use std::io::Read;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use capi_support::client::{PATIENCE, receive, send};
use capi_support::example::Example;
use capi_support::root;
use capi_support::server::Server;

const STRICT: [&str; 5] = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];

fn example(name: &str) -> Example {
    Example::built(&format!("examples/c/{name}.c"), &STRICT)
}

/// Runs it by that of its commands which has this word in it, with parts of that replaced.
fn start(example: &Example, word: &str, replaced: &[(&str, &str)]) -> Server {
    Server::start(&mut example.command(word, replaced))
}

#[test]
fn a_reactor_lives_in_a_foreign_epoll_loop() {
    let example = example("epoll_host");
    let mut server = start(&example, "epoll_host", &[("[SECONDS]", "2")]);
    let mut client = server.connect();
    send(&mut client, b"nested");
    assert_eq!(receive(&mut client), b"nested");
    assert_eq!(server.process.line(), "the host's own second, 1 connections");
    server.ended();
}

#[test]
fn udp_peers_are_asked_and_lost() {
    let example = example("udp_monitor");
    let mut server = start(&example, "udp_monitor", &[("role=ask", "role=ask,timeout=1s"), ("[PEERS_TO_LOSE]", "1")]);
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
    let example = example("adopt");
    let server = start(&example, "adopt", &[("[CONNECTIONS]", "1")]);
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

/// In each of the ways that its head names. What else the commands do, the other tests see.
#[test]
fn each_example_is_built_and_runs_as_its_head_says() {
    for entry in std::fs::read_dir(root().join("examples/c")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        let example = example(&name);
        for run in example.runs() {
            start(&example, run, &[]);
        }
    }
}
