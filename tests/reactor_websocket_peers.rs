//! The reactor speaks WebSocket with clients and with servers of other people.

mod support;
mod websocket_peers;

use std::sync::Arc;

use heartline::frame::websocket::upgrade::ClientRequest;
use heartline::reactor::{Address, Close, ClosedBy, ConnectionId, Reason};
use support::websocket::{BINARY, TEXT};
use support::{Pump, What};
use websocket_peers::ours::{Ours, asking};
use websocket_peers::{ASKED, Compression, ECHO, ORDERED, Other, OtherServer};

const MIB: usize = 1 << 20;

fn is_served(client: Other, compression: Compression) {
    let ours = Ours::start(compression);
    let scenarios = [&ECHO[..], &[ASKED, ORDERED]].concat();
    client.plays(&ours.address, compression, &scenarios);
    let counters = ours.end();
    assert!(counters.asks_out > 1 && counters.answers_in > 1, "{counters:?}");
    assert!(counters.asks_in >= 125 && counters.answers_out == counters.asks_in, "{counters:?}");
    let bad = [Reason::FrameBad, Reason::Silent, Reason::OsError].map(|reason| counters.closed(reason));
    assert_eq!((bad, counters.closed(Reason::OverLimit)), ([0; 3], 1), "{counters:?}");
}

#[test]
fn pythons_websockets_is_served() {
    is_served(Other::Python, Compression::Off);
}

#[test]
fn npms_ws_is_served() {
    is_served(Other::Node, Compression::Off);
}

#[test]
fn tungstenite_is_served() {
    is_served(Other::Tungstenite, Compression::Off);
}

/// Our client, and the server that it talks to.
struct Dialled {
    pump: Pump,
    server: OtherServer,
    request: Arc<ClientRequest>,
    address: Address,
    compression: Compression,
}

impl Dialled {
    fn new(other: Other, compression: Compression) -> Self {
        let mut server = other.serves(compression);
        let address = server.address();
        let mut request = ClientRequest::new(address.clone(), "/chat");
        request.subprotocols = vec!["v9".to_owned(), "v1".to_owned(), "v2".to_owned()];
        let (request, address) = (Arc::new(request), address.parse().unwrap());
        Self { pump: Pump::default(), server, request, address, compression }
    }

    fn connect(&mut self) -> ConnectionId {
        let asks = self.pump.reactor.define_policy(asking()).unwrap();
        let mut options = self.compression.options().policy(asks);
        options.websocket.request = Some(Arc::clone(&self.request));
        let id = self.pump.reactor.connect(&self.address, &options, 0).unwrap();
        self.pump.take("Opened", |told| told.id == id && told.is_opened());
        id
    }

    fn say(&mut self, id: ConnectionId, first: u8, message: &[u8]) {
        self.pump.reactor.send_with_head(id, Some(&[first]), &[message]).unwrap();
    }

    /// What it is, as the first byte of a sole frame that is not compressed, and the message.
    fn hear(&mut self, id: ConnectionId) -> (u8, Vec<u8>) {
        let told = self.pump.take("Message", |told| told.id == id && told.is_message());
        self.pump.history.clear();
        let What::Message { head, message } = told.what else { unreachable!() };
        (0x80 | head[0] & 0x0f, message)
    }

    fn orders(&mut self, id: ConnectionId, order: &str, answer: &str) {
        self.say(id, TEXT, order.as_bytes());
        assert_eq!(self.hear(id), (TEXT, answer.as_bytes().to_vec()));
    }

    fn echoes(&mut self) {
        let id = self.connect();
        self.orders(id, "!subprotocol", "v2");
        for text in ["", "x", "héllo", "心跳线 💓", "\0", &"é".repeat(62), &"é".repeat(63), &"é".repeat(40_000)]
        {
            self.orders(id, text, text);
        }
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 131_073, 16 * MIB] {
            let message: Vec<_> = (0..size).map(|at| (at % 251) as u8).collect();
            self.say(id, BINARY, &message);
            let (first, came) = self.hear(id);
            assert!(first == BINARY && came == message, "{size} bytes: {} came", came.len());
        }
        self.orders(id, "!fragments", "心跳线");
        for at in 0..3000 {
            self.say(id, if at % 2 == 0 { TEXT } else { BINARY }, format!("message {at}").as_bytes());
        }
        for at in 0..3000 {
            let first = if at % 2 == 0 { TEXT } else { BINARY };
            assert_eq!(self.hear(id), (first, format!("message {at}").into_bytes()));
        }
    }

    fn beats(&mut self) {
        let id = self.connect();
        for payload in ["", "x", &"p".repeat(125)] {
            self.orders(id, &format!("!ping {payload}"), &format!("answered {payload}"));
        }
        let asked = self.pump.reactor.counters().answers_in;
        self.pump.until("ours are answered", |pump| pump.reactor.counters().answers_in > asked + 2);
        self.orders(id, "still here", "still here");
    }

    fn closes(&mut self) {
        for (code, said) in [(None, "1000"), (Some(1001), "1001"), (Some(3000), "3000"), (Some(4999), "4999")] {
            let id = self.connect();
            self.orders(id, "last", "last");
            self.pump.reactor.close(id, Close::Flush, code).unwrap();
            let reason = self.pump.closed(id).reason();
            assert_eq!(reason, Some(code.map_or(Reason::Local, Reason::Application)));
            assert_eq!(self.server.closed(), said);
        }
    }

    fn is_closed(&mut self) {
        let long = "r".repeat(123);
        for (code, reason) in [(1000, ""), (1001, "going"), (1011, "心跳线"), (4999, &long)] {
            let id = self.connect();
            self.say(id, TEXT, format!("!close {code} {reason}").as_bytes());
            self.pump.until("its end is told", |pump| pump.reactor.obituary(id).is_some());
            let obituary = self.pump.reactor.obituary(id).unwrap();
            assert_eq!((obituary.reason, obituary.closed_by), (Reason::PeerClosed, ClosedBy::Peer));
            // The answer has the same code, and no reason.
            assert_eq!(self.server.closed(), code.to_string());
        }
    }
}

fn is_dialled(server: Other, compression: Compression) {
    let mut dialled = Dialled::new(server, compression);
    dialled.beats();
    dialled.closes();
    dialled.is_closed();
    dialled.echoes();
    let counters = dialled.pump.reactor.counters();
    assert_eq!(counters.closed_in_all(), 8, "{counters:?}");
}

#[test]
fn we_dial_pythons_websockets() {
    is_dialled(Other::Python, Compression::Off);
}

#[test]
fn we_dial_npms_ws() {
    is_dialled(Other::Node, Compression::Off);
}

#[test]
fn we_dial_tungstenite() {
    is_dialled(Other::Tungstenite, Compression::Off);
}

/// permessage-deflate, which tungstenite does not have.
fn compresses(other: Other) {
    for compression in [Compression::Alone, Compression::Takeover] {
        is_served(other, compression);
        is_dialled(other, compression);
    }
}

#[test]
fn with_compression_pythons_websockets_is_served_and_dialled() {
    compresses(Other::Python);
}

#[test]
fn with_compression_npms_ws_is_served_and_dialled() {
    compresses(Other::Node);
}
