//! A client for what `serve --metrics` answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// Status and body.
pub(crate) fn get(at: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = connect(at);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(length.parse(), Ok(body.len()), "{head}");
    (head[9..12].parse().unwrap(), body.to_owned())
}

pub(crate) fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The text of a server's metrics.
pub(crate) fn metrics(at: SocketAddr) -> String {
    let (status, text) = get(at, "/metrics");
    assert_eq!(status, 200, "{text}");
    text
}

/// One sample of it.
pub(crate) fn sample(text: &str, name: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

/// Asks until a sample is as it should be.
pub(crate) fn await_sample(at: SocketAddr, name: &str, value: f64) -> String {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let text = metrics(at);
        if sample(&text, name) == value {
            return text;
        }
        assert!(std::time::Instant::now() < until, "{name} is {}, not {value}", sample(&text, name));
    }
}
