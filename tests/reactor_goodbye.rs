//! Codecs with beats in the middle of a message and with a closing handshake (F7): the answers leave at once, and behind a
//! goodbye nothing is sent.

mod support;

use std::time::Duration;

use heartline::frame::{Codec, Cut, EncodeError, Frame, FrameError, Framing, Kind, Stream};
use heartline::liveness::Beat;
use heartline::reactor::{Close, ConnectionId, DrainOptions, Options, Reason};
use support::{Peer, Pump, What};

const LINE_BYTES_MAX: usize = 20;

/// Lines. A `?` in a line that is not whole yet is an ask, a line `bye` the goodbye.
struct Polite;

impl Codec for Polite {
    fn name(&self) -> &str {
        "polite"
    }

    fn cut(&self, input: &mut [u8], stream: &mut Stream, _: &mut Vec<u8>, _: usize) -> Result<Cut, FrameError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(input.len()) > LINE_BYTES_MAX {
            return Err(FrameError::TooLarge { limit: LINE_BYTES_MAX, length: input.len() as u64, at: 0 });
        }
        if let Some(end) = end {
            let kind = if &input[..end] == b"bye" { Kind::Close } else { Kind::Message };
            stream.set_note(0);
            return Ok(Cut::Frame(Frame { kind, head: 0..0, message: 0..end, total: end + 1 }));
        }
        let asked = stream.note() as usize;
        match input[asked..].iter().position(|byte| *byte == b'?') {
            Some(at) => {
                let at = asked + at;
                stream.set_note(at as u64 + 1);
                Ok(Cut::Within(Frame { kind: Kind::Ask, head: at..at, message: at..at + 1, total: at + 1 }))
            }
            None => Ok(Cut::More { need: input.len() + 1, exact: false }),
        }
    }

    fn encode(&self, _: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(message.concat());
        out.push(b'\n');
        Ok(())
    }

    fn ask(&self, out: &mut Vec<u8>) -> bool {
        out.push(b'?');
        true
    }

    fn answer(&self, frame: &[u8], cut: &Frame, out: &mut Vec<u8>) {
        match cut.kind {
            Kind::Close => out.extend_from_slice(b"bye too\n"),
            _ => out.extend_from_slice(&[b'!', frame[cut.message.start]]),
        }
    }

    fn close(&self, status: u16, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(format!("bye {status}\n").as_bytes());
        true
    }
}

fn polite() -> Options {
    Options::new(Framing::custom(Box::new(Polite)))
}

fn joined() -> (Pump, Peer, ConnectionId) {
    let mut pump = Pump::default();
    let (peer, id) = pump.peer(polite());
    (pump, peer, id)
}

fn ended(pump: &mut Pump, mut peer: Peer, id: ConnectionId, said: &[u8], reason: Reason) {
    pump.during(Duration::from_millis(20));
    assert_eq!(peer.read_to_end(), Ok(said.to_vec()), "and our FIN behind it");
    assert!(pump.reactor.state(id).is_some(), "the peer's own end is awaited");
    drop(peer);
    assert_eq!(pump.closed(id).reason(), Some(reason));
}

#[test]
fn an_ask_within_an_unfinished_message_is_answered_at_once() {
    for shown in [false, true] {
        let mut pump = Pump::default();
        let (mut peer, id) = pump.peer(Options { deliver_beats: shown, ..polite() });
        peer.write(b"he?ll?");
        pump.until("both are answered", |pump| pump.reactor.counters().answers_out == 2);
        pump.during(Duration::from_millis(5));
        assert_eq!(peer.read(4), b"!?!?");
        // What is kept of the message does not give them again.
        peer.write(b"o");
        pump.during(Duration::from_millis(5));
        peer.write(b"\nnext\n");
        assert_eq!(pump.message(id), b"he?ll?o");
        assert_eq!(pump.message(id), b"next");
        assert_eq!(pump.reactor.counters().asks_in, 2);
        let beats: Vec<_> = pump.of(id).into_iter().filter(|what| matches!(what, What::Beat(..))).collect();
        let each = What::Beat(Beat::Ask, b"?".to_vec());
        assert_eq!(beats, if shown { vec![&each; 2] } else { vec![] });
        assert_eq!(peer.read_now(), b"");
    }
}

#[test]
fn the_goodbye_of_the_peer_is_answered_behind_the_replies_and_nothing_behind_it_is_read() {
    let (mut pump, mut peer, id) = joined();
    peer.write(b"one\nbye\ntwo\n");
    assert_eq!(pump.message(id), b"one");
    pump.reactor.send(id, b"reply").unwrap();
    ended(&mut pump, peer, id, b"reply\nbye too\n", Reason::PeerClosed);
    assert_eq!(pump.reactor.counters().messages_in, 1);
}

#[test]
fn a_lone_goodbye_is_answered_in_the_same_turn() {
    let (mut pump, mut peer, id) = joined();
    peer.write(b"bye\n");
    pump.until("it is answered", |pump| pump.reactor.counters().bytes_out == 8);
    assert_eq!(peer.read(8), b"bye too\n");
    assert!(pump.reactor.send(id, b"late").is_err(), "behind a goodbye nothing is sent");
    ended(&mut pump, peer, id, b"", Reason::PeerClosed);
}

#[test]
fn our_goodbye_goes_behind_what_is_queued_and_says_why() {
    for (code, said) in [(None, 1000), (Some(3001), 3001), (Some(1013), 1013), (Some(300), 1000), (Some(1006), 1000)] {
        let (mut pump, peer, id) = joined();
        pump.reactor.send(id, b"last").unwrap();
        pump.reactor.close(id, Close::Flush, code).unwrap();
        let reason = code.map_or(Reason::Local, Reason::Application);
        ended(&mut pump, peer, id, format!("last\nbye {said}\n").as_bytes(), reason);
    }
}

#[test]
fn a_drain_says_that_we_go_away() {
    let (mut pump, peer, id) = joined();
    pump.reactor.drain(DrainOptions { farewell: Some(b"soon back".to_vec()), ..DrainOptions::default() }).unwrap();
    ended(&mut pump, peer, id, b"soon back\nbye 1001\n", Reason::Drained);
}

#[test]
fn a_close_at_once_says_nothing() {
    let (mut pump, mut peer, id) = joined();
    pump.reactor.close(id, Close::AtOnce, None).unwrap();
    assert_eq!(pump.closed(id).reason(), Some(Reason::Local));
    assert_eq!(peer.read_to_end(), Ok(vec![]));
}

#[test]
fn what_is_no_frame_is_told_the_peer_behind_the_replies() {
    let (mut pump, mut peer, id) = joined();
    peer.write(b"one\n");
    peer.write(&[b'x'; LINE_BYTES_MAX + 1]);
    assert_eq!(pump.message(id), b"one");
    pump.reactor.send(id, b"reply").unwrap();
    ended(&mut pump, peer, id, b"reply\nbye 1009\n", Reason::OverLimit);
}

#[test]
fn the_obituary_names_the_frame_although_a_goodbye_was_said() {
    let (mut pump, mut peer, id) = joined();
    peer.write(&[b'x'; LINE_BYTES_MAX + 1]);
    peer.finish();
    pump.until("it has ended", |pump| pump.reactor.obituary(id).is_some());
    let error = FrameError::TooLarge { limit: LINE_BYTES_MAX, length: LINE_BYTES_MAX as u64 + 1, at: 0 };
    assert_eq!(pump.reactor.obituary(id).unwrap().frame_error, Some(error));
}
