//! permessage-deflate over real sockets: agreed with the upgrade, what comes inflated, what goes deflated, and nothing kept
//! where nothing was agreed to be.
#![allow(unsafe_code)] // a global allocator is the only way to count

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use heartline::frame::websocket::deflate::{
    Agreed, DeflateOptions, Scratch, Sending, Window, confirm, deflate, inflate, offer,
};
use heartline::frame::websocket::upgrade::{Acceptance, ClientRequest, Rules};
use heartline::frame::{FrameError, Framing, WebSocketFault};
use heartline::liveness::Beat;
use heartline::reactor::{
    Address, ConnectionId, ListenOptions, Options, Reason, SendError, WebSocketOptions, WhenFull,
};
use support::{Peer, Pump, Told, What, options};

thread_local! {
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: usize, sign: isize) {
    let _ = LIVE_BYTES.try_with(|live| live.set(live.get() + sign * bytes as isize));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local without a destructor and
// without an allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promises are passed on; the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const KEY: [u8; 16] = [7; 16];
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const DEFLATED: u8 = 0x40;

/// The client's end, by hand.
struct Client {
    peer: Peer,
    id: ConnectionId,
    agreed: Option<Agreed>,
    scratch: Scratch,
    sent: Window,
    received: Window,
}

/// What a client wants.
fn wants(takeover: bool, bits: u8) -> DeflateOptions {
    DeflateOptions {
        server_context_takeover: takeover,
        client_context_takeover: takeover,
        max_window_bits: bits,
        ..DeflateOptions::default()
    }
}

impl Client {
    fn join(pump: &mut Pump, at: SocketAddr, wanted: Option<DeflateOptions>) -> Self {
        let mut peer = Peer::connect(at);
        let request =
            ClientRequest { extensions: wanted.as_ref().map(offer), ..ClientRequest::new(at.to_string(), "/") };
        let mut bytes = Vec::new();
        request.write(KEY, &mut bytes).unwrap();
        peer.write(&bytes);
        let id = pump.take("Opened", Told::is_opened).id;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(peer.read(1));
        }
        let accepted = request.check(KEY, &head).unwrap();
        let agreed = wanted.and_then(|wanted| confirm(&wanted, accepted.extensions()).unwrap());
        Self { peer, id, agreed, scratch: Scratch::default(), sent: Window::default(), received: Window::default() }
    }

    /// The payload that a message becomes, which need not be shorter.
    fn deflate(&mut self, message: &[u8]) -> Vec<u8> {
        let agreed = self.agreed.unwrap();
        let mut payload = Vec::new();
        assert!(deflate(&mut self.scratch, agreed.sending(6), self.sent.bytes(), message, &mut payload));
        self.sent.keep(message, agreed.send_window_bytes());
        payload
    }

    fn send(&mut self, opcode: u8, message: &[u8]) {
        let payload = self.deflate(message);
        self.peer.write(&frame(0x80 | DEFLATED | opcode, &payload));
    }

    /// The next message with the first byte of its frame, and bytes on the wire.
    fn receive(&mut self, pump: &mut Pump) -> (u8, Vec<u8>, usize) {
        pump.reactor.flush();
        let (mut first, mut payload) = (0, Vec::new());
        let wire_bytes = loop {
            let header = self.peer.read(2);
            let length = match header[1] {
                126 => usize::from(u16::from_be_bytes(self.peer.read(2).try_into().unwrap())),
                127 => u64::from_be_bytes(self.peer.read(8).try_into().unwrap()) as usize,
                short => usize::from(short),
            };
            if first == 0 {
                first = header[0] | 0x80;
            } else {
                assert_eq!(header[0] & 0x7f, 0, "a continuation");
            }
            payload.extend(self.peer.read(length));
            if header[0] & 0x80 != 0 {
                break payload.len();
            }
        };
        if first & DEFLATED == 0 {
            return (first, payload, wire_bytes);
        }
        let mut message = Vec::new();
        inflate(&mut self.scratch, self.received.bytes(), &payload, 64 << 20, &mut message).unwrap();
        self.received.keep(&message, self.agreed.unwrap().receive_window_bytes());
        (first, message, wire_bytes)
    }
}

/// A client's frame; with a mask of zeros it is what it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn joined(spec: &str, wanted: DeflateOptions) -> (Pump, Client) {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(options(spec)));
    let client = Client::join(&mut pump, at, Some(wanted));
    (pump, client)
}

fn text(round: usize) -> Vec<u8> {
    format!("round {round}: the same words in each message, the same words, grüße; {}", "and more ".repeat(round % 7))
        .into()
}

fn message_of(pump: &mut Pump, id: ConnectionId) -> (Vec<u8>, Vec<u8>) {
    match pump.take("Message", |told| told.id == id && told.is_message()).what {
        What::Message { head, message } => (head, message),
        other => panic!("{other:?}"),
    }
}

// ---- Both ways ----

#[test]
fn text_and_binary_go_both_ways_and_what_is_short_goes_as_it_is() {
    for (takeover, bits) in [(false, 15), (true, 15), (true, 9), (true, 12)] {
        let (mut pump, mut client) = joined("websocket,max=1M,deflate,deflate-takeover", wants(takeover, bits));
        let agreed = client.agreed.expect("an agreement");
        assert_eq!((agreed.send_takeover, agreed.receive_takeover), (takeover, takeover));
        for round in 0..30 {
            let opcode = if round % 2 == 0 { TEXT } else { BINARY };
            let message = if round % 10 == 9 { text(round).repeat(1000) } else { text(round) };
            client.send(opcode, &message);
            let (head, shown) = message_of(&mut pump, client.id);
            assert_eq!((head[0] & 0x0f, shown == message), (opcode, true), "round {round}");
            pump.reactor.send_with_head(client.id, Some(&head), &[&message]).unwrap();
            let (first, echoed, wire_bytes) = client.receive(&mut pump);
            assert_eq!((first, echoed == message), (0x80 | DEFLATED | opcode, true), "round {round}");
            assert!(wire_bytes < message.len());
        }
        pump.reactor.send_with_head(client.id, Some(&[TEXT]), &[b"short"]).unwrap();
        assert_eq!(client.receive(&mut pump), (0x81, b"short".to_vec(), 5));
        pump.reactor
            .send_vectored(client.id, &[b"many slices, ", b"many slices, ", b"many slices, ", &[b'x'; 100]])
            .unwrap();
        let (first, message, _) = client.receive(&mut pump);
        assert_eq!((first, &message[..20]), (0x80 | DEFLATED | BINARY, &b"many slices, many sl"[..]));
        let not_text = pump.reactor.send_with_head(client.id, Some(&[TEXT]), &[&[0xff; 100]]);
        assert!(matches!(not_text, Err(SendError::Encode(_))), "{not_text:?}");
        client.peer.write(&frame(0x81, b"as it is"));
        assert_eq!(message_of(&mut pump, client.id).1, b"as it is");
    }
}

#[test]
fn a_long_message_is_sent_in_fragments_and_received_in_any() {
    let (mut pump, mut client) = joined("websocket,deflate,max=4M,send-fragment=1000", wants(false, 15));
    let mut noise = fastrand::Rng::with_seed(3);
    let message: Vec<u8> = std::iter::repeat_with(|| noise.u8(b'a'..b'f')).take(300_000).collect();
    pump.reactor.send_with_head(client.id, Some(&[TEXT]), &[&message]).unwrap();
    let (first, received, wire_bytes) = client.receive(&mut pump);
    assert!(first == 0xc1 && received == message && wire_bytes > 50_000, "{first:#x}, {wire_bytes}");
    let payload = client.deflate(&message);
    let mut bytes = Vec::new();
    let pieces: Vec<_> = payload.chunks(777).collect();
    for (index, piece) in pieces.iter().enumerate() {
        let first = if index == 0 { DEFLATED | TEXT } else { 0 };
        let last = if index + 1 == pieces.len() { 0x80 } else { 0 };
        bytes.extend(frame(first | last, piece));
    }
    client.peer.write(&bytes);
    assert!(message_of(&mut pump, client.id).1 == message);
}

#[test]
fn a_ping_between_deflated_fragments_is_answered_before_the_message_is_whole() {
    for whole_reads in [true, false] {
        let (mut pump, mut client) = joined("websocket,deflate", wants(false, 15));
        let message = text(3);
        let payload = client.deflate(&message);
        let (one, two) = payload.split_at(10);
        let begun = [frame(DEFLATED | TEXT, one), frame(0x89, b"ping"), frame(0, &[])].concat();
        if whole_reads {
            client.peer.write(&begun);
        } else {
            for byte in begun {
                client.peer.write(&[byte]);
                pump.poll(Duration::from_millis(2));
            }
        }
        pump.during(Duration::from_millis(20));
        assert_eq!(client.peer.read(6), b"\x8a\x04ping");
        client.peer.write(&frame(0x80, two));
        assert_eq!(message_of(&mut pump, client.id).1, message);
    }
}

#[test]
fn our_client_and_our_server_agree() {
    for (spec, takeover) in [("websocket,deflate", false), ("websocket,deflate-takeover,deflate-bits=10", true)] {
        let mut pump = Pump::default();
        let at = pump.listen(&ListenOptions::new(options(spec)));
        let dialled = pump.reactor.connect(&Address::Tcp(at), &options(spec), 0).unwrap();
        let ids: Vec<_> = pump.take_many(2, "Opened", Told::is_opened).iter().map(|told| told.id).collect();
        let accepted = *ids.iter().find(|id| **id != dialled).unwrap();
        let before = pump.reactor.counters().bytes_out;
        let mut bytes = 0;
        for round in 0..40 {
            let message = text(round);
            for (from, to) in [(dialled, accepted), (accepted, dialled)] {
                pump.reactor.send_with_head(from, Some(&[TEXT]), &[&message]).unwrap();
                assert_eq!(pump.message(to), message, "round {round}");
                bytes += message.len() as u64;
            }
        }
        let sent = pump.reactor.counters().bytes_out - before;
        assert!(sent < if takeover { bytes / 3 } else { bytes }, "{sent} of {bytes}");
    }
}

#[test]
fn a_request_that_the_application_accepts_agrees_too() {
    let mut pump = Pump::default();
    let rules = Rules { ask_application: true, ..Rules::default() };
    let websocket = WebSocketOptions { rules: Some(Arc::new(rules)), ..WebSocketOptions::default() };
    let at = pump.listen(&ListenOptions::new(Options { websocket, ..options("websocket,deflate") }));
    let dialled = pump.reactor.connect(&Address::Tcp(at), &options("websocket,deflate"), 0).unwrap();
    let asked = pump.take("Upgrade", |told| matches!(told.what, What::Upgrade(..))).id;
    pump.reactor.accept_upgrade(asked, &Acceptance::default()).unwrap();
    pump.take_many(2, "Opened", Told::is_opened);
    let before = pump.reactor.counters().bytes_out;
    pump.reactor.send(asked, &[b'z'; 60_000]).unwrap();
    assert_eq!(pump.message(dialled), [b'z'; 60_000]);
    assert!(pump.reactor.counters().bytes_out - before < 1000);
}

// ---- What is refused ----

/// Sends bytes that are no good, and reads the Close that says why.
fn refused(pump: &mut Pump, client: &mut Client, bytes: &[u8], status: u16, reason: Reason) -> Option<FrameError> {
    client.peer.write(bytes);
    let said = pump.closed(client.id);
    assert_eq!(said.reason(), Some(reason));
    let error = pump.reactor.obituary(client.id).unwrap().frame_error;
    let close = client.peer.read(4);
    assert_eq!((&close[..2], u16::from_be_bytes([close[2], close[3]])), (&[0x88, 2][..], status));
    error
}

fn fault(error: Option<FrameError>) -> WebSocketFault {
    match error {
        Some(FrameError::WebSocket { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bit_without_an_agreement_is_refused_with_the_first_byte() {
    for (spec, wanted) in [("websocket,deflate", None), ("websocket", Some(wants(false, 15)))] {
        let mut pump = Pump::default();
        let mut listen = ListenOptions::new(options(spec));
        listen.connection.limits.close_ms = 50;
        let at = pump.listen(&listen);
        let mut client = Client::join(&mut pump, at, wanted);
        assert_eq!(client.agreed, None);
        let error = refused(&mut pump, &mut client, &[0xc1], 1002, Reason::FrameBad);
        assert_eq!(fault(error), WebSocketFault::ReservedBits);
    }
}

fn refused_payload(spec: &str, first: u8, payload: &[u8], status: u16, reason: Reason) -> WebSocketFault {
    let mut pump = Pump::default();
    let mut listen = ListenOptions::new(options(spec));
    listen.connection.limits.close_ms = 50;
    let at = pump.listen(&listen);
    let mut client = Client::join(&mut pump, at, Some(wants(false, 15)));
    fault(refused(&mut pump, &mut client, &frame(first, payload), status, reason))
}

#[test]
fn what_cannot_be_inflated_is_too_large_or_is_no_text_ends_with_its_own_status() {
    let bad = refused_payload("websocket,deflate", 0xc2, b"no deflate at all", 1007, Reason::FrameBad);
    assert_eq!(bad, WebSocketFault::Deflated);
    let cut_short = refused_payload("websocket,deflate", 0xc2, &[0xf2, 0x48, 0xcd], 1007, Reason::FrameBad);
    assert_eq!(cut_short, WebSocketFault::Deflated);
    let mut bomb = Vec::new();
    let sending = Sending { level: 9, bits: 15 };
    assert!(deflate(&mut Scratch::default(), sending, &[], &vec![0; 10 << 20], &mut bomb));
    assert!(bomb.len() < 11 << 10);
    let large = refused_payload("websocket,deflate,max=64K", 0xc2, &bomb, 1009, Reason::OverLimit);
    assert_eq!(large, WebSocketFault::TooLarge { limit: 64 << 10 });
    let mut not_text = Vec::new();
    assert!(deflate(&mut Scratch::default(), sending, &[], &[0xff; 100], &mut not_text));
    let no_text = refused_payload("websocket,deflate", 0xc1, &not_text, 1007, Reason::FrameBad);
    assert_eq!(no_text, WebSocketFault::NotText);
    let reserved = refused_payload("websocket,deflate", 0xe2, &not_text, 1002, Reason::FrameBad);
    assert_eq!(reserved, WebSocketFault::ReservedBits);
}

#[test]
fn a_message_of_the_limit_that_cannot_be_made_shorter_is_still_taken() {
    let (mut pump, mut client) = joined("websocket,deflate,max=100K", wants(false, 15));
    let mut noise = fastrand::Rng::with_seed(5);
    let message: Vec<u8> = std::iter::repeat_with(|| noise.u8(..)).take(100 << 10).collect();
    // Stored blocks, as zlib makes them of noise.
    let mut payload: Vec<u8> = Vec::new();
    for block in message.chunks(16_383) {
        let length = block.len() as u16;
        payload.push(0);
        payload.extend(length.to_le_bytes());
        payload.extend((!length).to_le_bytes());
        payload.extend(block);
    }
    payload.push(0);
    assert!(payload.len() > 100 << 10);
    client.peer.write(&frame(0xc2, &payload));
    assert!(message_of(&mut pump, client.id).1 == message);
}

#[test]
fn a_server_that_answers_what_was_not_offered_is_refused() {
    let mut pump = Pump::default();
    let (listener, at) = support::raw_listener();
    let id = pump.reactor.connect(&at, &options("websocket,deflate"), 0).unwrap();
    pump.during(Duration::from_millis(20));
    let mut peer = Peer::over(listener.accept().unwrap().0);
    pump.during(Duration::from_millis(20));
    let head = peer.read_now();
    let request = heartline::frame::websocket::upgrade::Request::read(&head).unwrap();
    let with =
        Acceptance { extensions: Some("permessage-deflate; server_max_window_bits=15"), ..Acceptance::default() };
    let mut answer = Vec::new();
    heartline::frame::websocket::upgrade::accept(&request, &with, &mut answer).unwrap();
    peer.write(&answer);
    let told = pump.take("ConnectFailed", |told| told.id == id && told.reason().is_some());
    assert_eq!(told.reason(), Some(Reason::UpgradeRefused));
}

// ---- Many, and nobody ----

#[test]
fn a_broadcast_reaches_each_as_it_was_agreed() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(options("websocket,deflate,deflate-takeover")));
    let wanted =
        [None, Some(wants(false, 15)), Some(wants(false, 10)), Some(wants(true, 15)), Some(wants(true, 9)), None];
    let mut clients: Vec<Client> = wanted.into_iter().map(|wanted| Client::join(&mut pump, at, wanted)).collect();
    let ids: Vec<_> = clients.iter().map(|client| client.id).collect();
    for round in 0..20 {
        let message = text(round);
        // Between broadcasts each gets messages of its own, which refer to those before.
        for client in &mut clients {
            let own = [&message[..], client.id.to_string().as_bytes()].concat();
            pump.reactor.send_with_head(client.id, Some(&[TEXT]), &[&own]).unwrap();
            let (first, received, _) = client.receive(&mut pump);
            assert_eq!((first & DEFLATED != 0, received), (client.agreed.is_some(), own));
        }
        let sent = pump.reactor.broadcast(ids.iter().copied(), Some(&[TEXT]), &message);
        assert_eq!((sent.accepted, sent.refused.len()), (ids.len(), 0));
        for client in &mut clients {
            let (first, received, _) = client.receive(&mut pump);
            let wanted = if client.agreed.is_some() { 0xc1 } else { 0x81 };
            assert_eq!((first, &received), (wanted, &message), "round {round}, {:?}", client.agreed);
        }
    }
}

#[test]
fn a_beat_that_was_set_is_known_when_it_comes_deflated() {
    let mut pump = Pump::default();
    let ask = "a long ask of an application, a long ask of an application, a long ask of an application";
    let mut options = options(&format!("websocket,deflate,ask=\"{ask}\",answer=ok"));
    options.deliver_beats = true;
    let at = pump.listen(&ListenOptions::new(options));
    let mut client = Client::join(&mut pump, at, Some(wants(false, 15)));
    client.send(TEXT, ask.as_bytes());
    let told = pump.take("Beat", |told| matches!(told.what, What::Beat(..)));
    let What::Beat(beat, frame) = told.what else { panic!() };
    assert!(beat == Beat::Ask && frame.ends_with(ask.as_bytes()));
    pump.during(Duration::from_millis(10));
    assert_eq!(client.receive(&mut pump).1, b"ok");
}

#[test]
fn a_few_bytes_that_become_many_are_spread_over_batches() {
    let (mut pump, mut client) = joined("websocket,deflate,max=1M", wants(false, 15));
    let message = vec![0; 1 << 20];
    let payload = client.deflate(&message);
    let one = frame(0xc2, &payload);
    let mut other = Client::join(&mut pump, client.peer.0.peer_addr().unwrap(), Some(wants(false, 15)));
    client.peer.write(&one.repeat(40));
    other.peer.write(&one.repeat(40));
    let (mut came, mut most) = (0, 0);
    while came < 80 {
        pump.reactor.poll(&mut pump.events, Some(Duration::from_secs(5))).unwrap();
        let messages = pump.events.iter().map(Told::of).filter(|told| told.message() == Some(&message)).count();
        came += messages;
        most = most.max(messages);
    }
    assert!(came == 80 && most <= 17, "{most} MiB in one batch");
}

#[test]
fn without_takeover_an_idle_connection_keeps_nothing_and_with_it_its_windows_alone() {
    let kept = |wanted: DeflateOptions| {
        let mut pump = Pump::default();
        let at = pump.listen(&ListenOptions::new(options("websocket,deflate,deflate-takeover")));
        let mut clients: Vec<_> = (0..40).map(|_| Client::join(&mut pump, at, Some(wanted))).collect();
        let message = text(6).repeat(50);
        let payload = clients[0].deflate(&message);
        let round = |pump: &mut Pump, clients: &mut [Client]| {
            for client in clients {
                client.peer.write(&frame(0xc1, &payload));
                assert_eq!(pump.message(client.id), message);
                pump.reactor.send(client.id, &message).unwrap();
                pump.reactor.flush();
                pump.events.iter().count();
            }
            pump.during(Duration::from_millis(10));
            pump.history = Vec::new();
        };
        // What is made once is made by one of them.
        round(&mut pump, &mut clients[..1]);
        let before = LIVE_BYTES.get();
        round(&mut pump, &mut clients);
        LIVE_BYTES.get() - before
    };
    let nothing = kept(wants(false, 15));
    assert!(nothing.abs() < 40 * 16, "{nothing} bytes for 40 connections");
    let windows = kept(wants(true, 10));
    let most = 40 * (2 * 1024 + 200);
    assert!((39 * 1024..most).contains(&windows), "{windows} bytes for 40 connections");
}

#[test]
fn where_the_oldest_may_be_dropped_nothing_refers_to_it() {
    let mut pump = Pump::default();
    let mut listen = ListenOptions::new(options("websocket,deflate,deflate-takeover"));
    listen.connection.marks.when_full = WhenFull::DropOldest;
    let at = pump.listen(&listen);
    let client = Client::join(&mut pump, at, Some(wants(true, 15)));
    let agreed = client.agreed.unwrap();
    assert_eq!((agreed.send_takeover, agreed.receive_takeover), (true, false));
}

#[test]
fn what_was_agreed_survives_new_options() {
    let (mut pump, mut client) = joined("websocket,deflate,deflate-takeover", wants(true, 15));
    client.send(TEXT, &text(1));
    assert_eq!(pump.message(client.id), text(1));
    let framing = Framing::parse("websocket,max=1M").unwrap();
    assert!(pump.reactor.set_options(client.id, &Options::new(framing)).unwrap());
    client.send(TEXT, &text(1));
    assert_eq!(pump.message(client.id), text(1));
    pump.reactor.send(client.id, &text(1)).unwrap();
    let (first, message, _) = client.receive(&mut pump);
    assert_eq!((first, message), (0xc2, text(1)));
}

#[test]
fn what_was_agreed_goes_with_a_connection_that_is_given_back() {
    let (mut pump, mut client) = joined("websocket,deflate,deflate-takeover", wants(true, 12));
    for round in 0..5 {
        client.send(TEXT, &text(round));
        assert_eq!(pump.message(client.id), text(round));
        pump.reactor.send(client.id, &text(round)).unwrap();
        assert_eq!(client.receive(&mut pump).1, text(round));
    }
    let released = pump.reactor.release(client.id).unwrap();
    let mut options = options("websocket,deflate,deflate-takeover");
    options.websocket.upgraded = true;
    let mut other = Pump::default();
    client.id = other.reactor.adopt(released.socket, &options, 0, released.unread, &released.unsent).unwrap();
    assert!(other.reactor.resume_deflate(client.id, released.deflate.unwrap()));
    for round in 0..5 {
        client.send(TEXT, &text(round));
        assert_eq!(other.message(client.id), text(round));
        other.reactor.send(client.id, &text(round)).unwrap();
        let (first, message, wire_bytes) = client.receive(&mut other);
        assert_eq!((first, message), (0xc2, text(round)));
        assert!(wire_bytes < 12, "{wire_bytes}: it refers to what was sent before");
    }
}

#[test]
fn what_others_refer_to_is_not_dropped_when_the_choice_comes_later() {
    let mut pump = Pump::default();
    let mut listen = ListenOptions::new(options("websocket,deflate,deflate-takeover"));
    listen.connection.socket.send_buffer_bytes = 4096;
    listen.connection.marks.high_bytes = 20_000;
    let at = pump.listen(&listen);
    let mut client = Client::join(&mut pump, at, Some(wants(true, 15)));
    let mut options = listen.connection.clone();
    options.marks.when_full = WhenFull::DropOldest;
    assert!(pump.reactor.set_options(client.id, &options).unwrap());
    let mut noise = fastrand::Rng::with_seed(9);
    let mut accepted = Vec::new();
    let refused = loop {
        // Hardly shorter when it is deflated, but it is.
        let mut message: Vec<u8> = std::iter::repeat_with(|| noise.u8(..)).take(5000).collect();
        message.extend_from_slice(&[7; 500]);
        match pump.reactor.send(client.id, &message) {
            Ok(()) => accepted.push(message),
            Err(error) => break error,
        }
        pump.reactor.flush();
    };
    assert!(matches!(refused, SendError::Full { .. }), "{refused:?}");
    assert_eq!(pump.reactor.counters().messages_unsent, 0);
    for message in accepted {
        pump.poll(Duration::ZERO);
        let (first, received, _) = client.receive(&mut pump);
        assert!(first == 0xc2 && received == message);
        pump.during(Duration::from_millis(1));
    }
}
