//! examples/c/upgrade.c: live connections move to a new process, and nobody misses a beat.

mod capi_support;

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use capi_support::client::{receive, receive_of, send};
use capi_support::server::Server;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const CLIENTS: u32 = 50;
const BEAT: Duration = Duration::from_millis(100);
/// Shorter than the test: whoever the successor does not hear it closes.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The process that has taken over.
fn successor(server: &mut Server, connections: u32) -> Pid {
    assert_eq!(server.process.line(), format!("took over {connections} connections"));
    Pid::from_raw(server.process.line().split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn live_connections_move_to_a_new_process() {
    let mut server = Server::with("upgrade", &["0"]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        send(client, b"before");
        assert_eq!(receive(client), b"before");
        // The first half of a frame, whose second half the successor reads.
        client.write_all(b"\0\0\0\x05af").unwrap();
    }
    server.process.signal(Signal::SIGUSR2);
    let successor = successor(&mut server, CLIENTS);
    for client in &mut clients {
        client.write_all(b"ter").unwrap();
        assert_eq!(receive(client), b"after");
    }
    // New ones come to it by the same socket.
    let mut new = server.connect();
    send(&mut new, b"new");
    assert_eq!(receive(&mut new), b"new");
    kill(successor, Signal::SIGTERM).unwrap();
    server.ended();
}

/// Sends a beat and a numbered message every 100 ms until it is told to stop. Gives how many were sent.
fn speak(mut to: TcpStream, stop: Arc<AtomicBool>) -> JoinHandle<u32> {
    thread::spawn(move || {
        let (begun, mut sent) = (Instant::now(), 0_u32);
        while !stop.load(Ordering::Relaxed) {
            send(&mut to, b"");
            send(&mut to, &sent.to_be_bytes());
            sent += 1;
            thread::sleep((BEAT * sent).saturating_sub(begun.elapsed()));
        }
        send(&mut to, b"last");
        sent
    })
}

/// What came back until the last message: how many beats were answered, and how many messages came, each the next.
fn hear(mut from: TcpStream) -> JoinHandle<(u32, u32)> {
    thread::spawn(move || {
        let (mut beats, mut messages) = (0, 0_u32);
        loop {
            match receive(&mut from).as_slice() {
                b"" => beats += 1,
                b"last" => return (beats, messages),
                number => {
                    assert_eq!(number, messages.to_be_bytes(), "in order, each once");
                    messages += 1;
                }
            }
        }
    })
}

#[test]
fn who_beats_through_two_upgrades_misses_no_beat_and_who_is_silent_dies() {
    let policy = format!("im,timeout={}ms", TIMEOUT.as_millis());
    let mut server = Server::with("upgrade", &["0", &policy]);
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let client = server.connect();
        clients.push((speak(client.try_clone().unwrap(), Arc::clone(&stop)), hear(client)));
    }
    let mut silent = server.connect();
    send(&mut silent, b"hello");
    assert_eq!(receive(&mut silent), b"hello");

    thread::sleep(5 * BEAT);
    server.process.signal(Signal::SIGUSR2);
    let second = successor(&mut server, CLIENTS + 1);
    // The successor goes on to find the dead: the silence began with it, or with the last byte.
    let moved = Instant::now();
    assert!(receive_of(&mut silent, 4).is_err());
    let lived = moved.elapsed();
    assert!(lived >= TIMEOUT / 2, "closed {lived:?} after it moved");
    kill(second, Signal::SIGUSR2).unwrap();
    let third = successor(&mut server, CLIENTS);
    thread::sleep(TIMEOUT + 5 * BEAT);
    stop.store(true, Ordering::Relaxed);
    for (speaking, hearing) in clients {
        let (sent, (beats, messages)) = (speaking.join().unwrap(), hearing.join().unwrap());
        assert!(sent >= 20, "it spoke {sent} times");
        assert_eq!((beats, messages), (sent, sent), "beats and messages that came back, of {sent}");
    }
    kill(third, Signal::SIGTERM).unwrap();
    server.ended();
}
