//! A WebSocket peer that no code of ours touches: it sends whatever it is told to, also what nobody may send.

use std::time::Duration;

use heartline::frame::Framing;
use heartline::reactor::{ConnectionId, ListenOptions, Options};

use super::{Peer, Pump};

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;
/// The first byte without FIN.
pub const TEXT_BEGUN: u8 = 0x01;
pub const BINARY_BEGUN: u8 = 0x02;
pub const MORE: u8 = 0x00;
pub const LAST: u8 = 0x80;

/// The request of the RFC's own example (section 1.3).
pub const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Options of `websocket` with this `max`.
pub fn websocket(max: &str) -> Options {
    Options::new(Framing::parse(&format!("websocket,max={max}")).unwrap())
}

/// A header with its length in `wide` bytes: 0, 2 or 8.
pub fn header(first: u8, is_masked: bool, wide: usize, length: u64) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    let mut bytes = match wide {
        0 => vec![first, mask | length as u8],
        2 => [&[first, mask | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, mask | 127][..], &length.to_be_bytes()].concat(),
    };
    if is_masked {
        bytes.extend(KEY);
    }
    bytes
}

fn shortest(length: usize) -> usize {
    match length {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    }
}

pub fn masked(payload: &[u8]) -> Vec<u8> {
    payload.iter().enumerate().map(|(at, byte)| byte ^ KEY[at % 4]).collect()
}

/// A frame as a client sends it.
pub fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, true, shortest(payload.len()), payload.len() as u64);
    bytes.extend(masked(payload));
    bytes
}

/// A frame without a mask, as a server sends it.
pub fn from_server(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, false, shortest(payload.len()), payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// A Close with this code, as a client sends it.
pub fn goodbye(code: u16) -> Vec<u8> {
    from_client(CLOSE, &code.to_be_bytes())
}

impl Peer {
    /// The head of a response or a request.
    pub fn http_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1));
        }
        String::from_utf8(head).unwrap()
    }

    /// A frame of a server: its first byte and its payload. The length must be the shortest, and there is no mask.
    pub fn websocket_frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.read(2);
        let (wide, length) = match head[1] {
            126 => (2, u64::from(u16::from_be_bytes(self.read(2).try_into().unwrap()))),
            127 => (8, u64::from_be_bytes(self.read(8).try_into().unwrap())),
            short => (0, u64::from(short)),
        };
        assert!(head[1] < 128 && shortest(length as usize) == wide, "{head:?} {length}");
        (head[0], self.read(length as usize))
    }

    /// A message of a server, joined: the first byte of its first frame with FIN, and the payload.
    pub fn websocket_message(&mut self) -> (u8, Vec<u8>) {
        let (first, mut message) = self.websocket_frame();
        let mut is_last = first & 0x80 != 0;
        while !is_last {
            let (more, payload) = self.websocket_frame();
            assert_eq!(more & 0x7f, 0, "a continuation");
            message.extend(payload);
            is_last = more & 0x80 != 0;
        }
        (first | 0x80, message)
    }

    /// What comes until the end of the stream: a Close with this code and nothing else.
    #[track_caller]
    pub fn is_told(&mut self, code: u16) {
        assert_eq!(self.read_to_end(), Ok(from_server(CLOSE, &code.to_be_bytes())), "Close {code}, then FIN");
    }
}

impl Pump {
    /// A listener with these options, and a client that is through its upgrade.
    pub fn upgraded(&mut self, options: Options) -> (Peer, ConnectionId) {
        let at = self.listen(&ListenOptions::new(options));
        let mut peer = Peer::connect(at);
        peer.write(REQUEST.as_bytes());
        let id = self.take("Opened", super::Told::is_opened).id;
        let answer = peer.http_head();
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
        (peer, id)
    }

    /// Polls until so many bytes have been read in all, and what they bring is told.
    pub fn has_read(&mut self, bytes: u64) {
        self.until("all is read", |pump| pump.reactor.counters().bytes_in >= bytes);
        self.poll(Duration::ZERO);
    }
}
