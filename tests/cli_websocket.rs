//! `heartline serve --frame websocket` and `heartline load` against it: the flags of the upgrade, and nobody who lives is
//! lost.
#![cfg(feature = "cli")]

mod cli_support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use cli_support::{Server, outcome};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

fn load(server: &Server, flags: &str) -> (Option<i32>, Value) {
    let address = server.address().to_string();
    let fixed = ["load", &address, "--json", "-", "--spin", "off", "--frame", "websocket"];
    let output = outcome(&fixed.into_iter().chain(flags.split_whitespace()).collect::<Vec<_>>());
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {flags}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// What is answered to this request.
fn asked(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // An upgrade that is accepted stays open.
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn upgrade(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

#[test]
fn messages_come_back_as_they_were_sent() {
    let server = Server::start(&["--frame", "websocket"]);
    let (status, report) = load(&server, "-c 20 --in-flight 3 --size 3000 --duration 1s");
    assert_eq!((status, &report["messages"]["errors"]), (Some(0), &json!({})), "{report:#}");
    assert!(report["messages"]["received"].as_u64().unwrap() > 1000, "{report:#}");
    assert_eq!(server.end()["accepted"], 20);
}

#[test]
fn each_flag_of_the_upgrade_is_kept() {
    let flags = "--path /game --origin https://example.org --origin-required on --subprotocol v2 --subprotocol v1 \
                 --health-path /health --trusted-proxy 127.0.0.0/8 --per-address 1";
    let flags: Vec<_> = ["--frame", "websocket"].into_iter().chain(flags.split_whitespace()).collect();
    let mut server = Server::start(&flags);
    let page = "Origin: https://example.org\r\n";
    assert!(asked(&server, &upgrade("/", page)).starts_with("HTTP/1.1 404 "));
    assert!(asked(&server, &upgrade("/game", "Origin: https://evil.example\r\n")).starts_with("HTTP/1.1 403 "));
    assert!(asked(&server, &upgrade("/game", "")).starts_with("HTTP/1.1 403 "));
    assert!(asked(&server, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200 "));
    let both = format!("{page}Sec-WebSocket-Protocol: v1, v2\r\nX-Forwarded-For: 203.0.113.9\r\n");
    let accepted = asked(&server, &upgrade("/game", &both));
    // The RFC's own example of a key.
    assert!(accepted.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{accepted}");
    assert!(accepted.contains("Sec-WebSocket-Protocol: v2\r\n"), "{accepted}");
    assert_eq!(server.line("closed")["remote"], "203.0.113.9:0");
}

#[test]
fn a_refused_upgrade_is_a_connect_failure_and_the_path_is_asked_for() {
    let server = Server::start(&["--frame", "websocket", "--path", "/game"]);
    let (status, report) = load(&server, "-c 5 --duration 300ms");
    assert_eq!((status, &report["connections"]["failed"]), (Some(1), &json!({"upgrade_refused": 5})), "{report:#}");
    let (status, report) = load(&server, "-c 5 --duration 300ms --path /game");
    assert_eq!((status, &report["connections"]["opened"]), (Some(0), &json!(5)), "{report:#}");
}

#[test]
fn who_asks_too_slowly_is_told_so() {
    let server = Server::start(&["--frame", "websocket", "--upgrade-limit", "200ms"]);
    assert!(asked(&server, "GET / HTTP/1.1\r\nHost: a\r\n").starts_with("HTTP/1.1 408 "));
}

/// The server asks, since pages cannot; who does not answer is found, who does lives.
#[test]
fn the_dead_are_found_on_time_and_the_living_live() {
    let server = Server::start(&["--frame", "websocket", "--timeout", "2s"]);
    let (status, report) = load(
        &server,
        "-c 60 --beat 0 --duration 5s --timeout 2s --fault freeze:20@1s --threshold false-deaths=0,missed=0,early=0",
    );
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["faults"][0]["closed"], 20, "{report:#}");
}

#[test]
fn a_server_that_was_stopped_for_six_seconds_kills_nobody() {
    let server = Server::start(&["--frame", "websocket", "--timeout", "4s"]);
    let pid = server.pid();
    let stopping = thread::spawn(move || {
        thread::sleep(Duration::from_millis(1500));
        kill(pid, Signal::SIGSTOP).unwrap();
        thread::sleep(Duration::from_secs(6));
        kill(pid, Signal::SIGCONT).unwrap();
    });
    let (status, report) = load(&server, "-c 500 --beat 1s --duration 14s --threshold false-deaths=0");
    stopping.join().unwrap();
    assert_eq!((status, &report["connections"]["open_at_end"]), (Some(0), &json!(500)), "{report:#}");
    let summary = server.end();
    assert!(summary["stalls"].as_u64().unwrap() >= 1, "{summary:#}");
}

/// One port for apps and pages; SIGHUP leaves each what it speaks.
#[test]
fn a_port_for_both_tells_them_apart_also_when_the_settings_change() {
    let file = std::env::temp_dir().join(format!("heartline-auto-{}.toml", std::process::id()));
    std::fs::write(&file, "high-mark = '1M'\n").unwrap();
    let mut server = Server::start(&["--frame", "auto,max=100K", "--config", file.to_str().unwrap()]);
    let mut app = TcpStream::connect(server.address()).unwrap();
    let mut echo = |message: &[u8]| {
        app.write_all(&[&(message.len() as u32).to_be_bytes()[..], message].concat()).unwrap();
        let mut back = vec![0; message.len() + 4];
        app.read_exact(&mut back).unwrap();
        assert_eq!(&back[4..], message);
    };
    echo(b"one");
    std::fs::write(&file, "high-mark = '2M'\n").unwrap();
    server.signal(Signal::SIGHUP);
    assert_eq!(server.line("reloaded")["connections"], 1);
    echo(&[7; 100 << 10]);
    let (status, report) = load(&server, "-c 5 --in-flight 1 --duration 300ms");
    assert_eq!((status, &report["messages"]["errors"]), (Some(0), &json!({})), "{report:#}");
    std::fs::remove_file(file).unwrap();
}
