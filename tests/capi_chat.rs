//! examples/c/chat.c with people who speak, are silent, read slowly, and are sent home.

mod capi_support;

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use capi_support::client::{PATIENCE, receive, receive_of, send};
use capi_support::server::Server;
use nix::sys::signal::Signal;

const FAREWELL: &[u8] = b"(the server restarts)";
/// Nearly as long as the room allows.
const LONG: usize = 4000;
/// What the server and the kernel hold for one who does not read is less than so many long messages.
const FLOOD: u32 = 6000;

#[test]
fn the_chat_has_rooms_and_says_goodbye() {
    let server = Server::with("chat", &["127.0.0.1:0"]);
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
        assert_eq!(receive(peer), FAREWELL);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
    let last = std::iter::repeat_with(|| receive(&mut b)).find(|message| message != b"hello");
    assert_eq!(last.unwrap(), FAREWELL);
}

/// The next message; beats and their answers are passed over.
fn message(from: &mut TcpStream) -> Vec<u8> {
    loop {
        let message = receive(from);
        if !message.is_empty() {
            return message;
        }
    }
}

/// A server, people of whom the last reads nothing, and how many messages of the first they were sent: more than the
/// server holds for one who does not read.
fn crowded() -> (Server, [TcpStream; 3]) {
    let server = Server::with("chat", &["127.0.0.1:0"]);
    // One after the other: who comes is heard by those who are there.
    let mut speaker = server.connect();
    let mut reader = server.connect();
    send(&mut reader, b"I am here");
    assert_eq!(message(&mut speaker), b"I am here");
    let mut slow = server.connect();
    send(&mut slow, b"I am here");
    assert_eq!((message(&mut speaker), message(&mut reader)), (b"I am here".to_vec(), b"I am here".to_vec()));
    let mut text = vec![b'.'; LONG];
    for number in 0..FLOOD {
        text[..4].copy_from_slice(&number.to_be_bytes());
        send(&mut speaker, &text);
        // Who reads gets each, whoever does not. He never lags by more than his mark.
        if number % 8 == 7 {
            for wanted in number - 7..=number {
                assert_eq!(message(&mut reader)[..4], wanted.to_be_bytes());
            }
            // Who beats is alive, whether it reads or not.
            send(&mut reader, b"");
            send(&mut slow, b"");
        }
    }
    (server, [speaker, reader, slow])
}

/// Reads what a slow one was sent: the first messages of the flood without a gap. How many, and what came after them.
fn catch_up(slow: &mut TcpStream) -> (u32, Vec<u8>) {
    let mut count = 0;
    loop {
        let text = message(slow);
        if text.len() != LONG {
            return (count, text);
        }
        assert_eq!(text[..4], count.to_be_bytes());
        count += 1;
    }
}

#[test]
fn who_reads_slowly_is_left_out_and_told_so() {
    let (server, [mut speaker, mut reader, mut slow]) = crowded();
    let (count, told) = catch_up(&mut slow);
    assert!(count > 0 && count < FLOOD, "{count} of {FLOOD} came");
    assert_eq!(String::from_utf8(told).unwrap(), format!("(you missed {} messages)", FLOOD - count));
    // Drained, it belongs to the room again.
    send(&mut speaker, b"welcome back");
    assert_eq!(message(&mut reader), b"welcome back");
    assert_eq!(message(&mut slow), b"welcome back");
    server.process.signal(Signal::SIGTERM);
    assert_eq!(message(&mut slow), FAREWELL);
    drop([speaker, reader, slow]);
    let said = server.ended();
    assert_eq!(said.lines().filter(|line| line.contains(" application: ")).count(), 3, "{said}");
}

#[test]
fn a_drain_waits_for_who_reads_slowly_and_lets_nobody_in() {
    let (server, [speaker, reader, mut slow]) = crowded();
    server.process.signal(Signal::SIGTERM);
    for mut peer in [speaker, reader] {
        assert_eq!(message(&mut peer), FAREWELL);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
    assert!(TcpStream::connect(&server.at).is_err(), "a server that ends lets somebody in");
    let (count, mut after) = catch_up(&mut slow);
    assert!(count < FLOOD);
    if after != FAREWELL {
        assert_eq!(String::from_utf8(after).unwrap(), format!("(you missed {} messages)", FLOOD - count));
        after = message(&mut slow);
    }
    assert_eq!(after, FAREWELL);
    assert_eq!(slow.read(&mut [0]).unwrap(), 0);
    drop(slow);
    server.ended();
}

#[test]
fn who_is_silent_is_asked_and_who_does_not_answer_is_closed() {
    const TIMEOUT: Duration = Duration::from_millis(1200);
    let policy = format!("game,role=both,interval=300ms,suspect=600ms,timeout={}ms", TIMEOUT.as_millis());
    let server = Server::with("chat", &["127.0.0.1:0", &policy]);
    let [mut living, mut mute] = [(); 2].map(|()| server.connect());
    let began = Instant::now();
    let silent = thread::spawn(move || {
        let mut asks = 0;
        while receive_of(&mut mute, 4).is_ok_and(|asked| asked.is_empty()) {
            asks += 1;
        }
        (asks, began.elapsed())
    });
    let mut asks = 0;
    while began.elapsed() < 3 * TIMEOUT {
        assert!(receive(&mut living).is_empty(), "only asks come");
        send(&mut living, b"");
        asks += 1;
    }
    assert!(asks >= 5, "asked {asks} times");
    let (asks, lived) = silent.join().unwrap();
    assert!(asks >= 1 && lived >= TIMEOUT - Duration::from_millis(50) && lived < PATIENCE, "{asks} asks, {lived:?}");
    server.process.signal(Signal::SIGTERM);
    while receive(&mut living) != FAREWELL {}
    drop(living);
    let said = server.ended();
    assert_eq!(said.lines().filter(|line| line.contains(" silent: silent ")).count(), 1, "{said}");
    assert_eq!(said.lines().filter(|line| line.contains(" application: ")).count(), 1, "{said}");
}
