//! permessage-deflate (RFC 7692) as functions of bytes: the RFC's own examples, what is offered and chosen, bombs, windows of
//! every size, and zlib itself at the other end.

use std::io::Write;
use std::process::{Command, Stdio};

use flate2::{Compress, Compression, FlushCompress};
use heartline::frame::websocket::deflate::{
    Agreed, ConfirmError, DeflateOptions, InflateError, Scratch, Sending, Window, choose, confirm, deflate, inflate,
    offer,
};
use heartline::frame::{Cut, FrameError, Framing, Kind, Stream, WebSocketFault};
use proptest::prelude::*;

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn inflated(window: &[u8], payload: &[u8], max_bytes: usize) -> Result<Vec<u8>, InflateError> {
    let mut out = b"head".to_vec();
    let read = inflate(&mut Scratch::default(), window, payload, max_bytes, &mut out);
    assert!(out.starts_with(b"head") && (read.is_ok() || out.len() == 4), "an error appends nothing");
    read.map(|()| out.split_off(4))
}

// ---- Section 7.2.3 ----

#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = Ok(b"Hello".to_vec());
    assert_eq!(inflated(&[], &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 5), hello, "one block, 7.2.3.1");
    assert_eq!(inflated(b"Hello", &[0xf2, 0x00, 0x11, 0x00, 0x00], 5), hello, "the window before, 7.2.3.2");
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(inflated(&[], &stored, 5), hello, "without compression, 7.2.3.3");
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(inflated(&[], &last, 5), hello, "a last block, 7.2.3.4");
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(inflated(&[], &two, 5), hello, "two blocks, 7.2.3.5");
    assert_eq!(inflated(&[], &[0x00], 5), Ok(Vec::new()), "an empty message, 7.2.3.6");
}

#[test]
fn the_window_that_an_example_refers_to_must_be_there() {
    assert_eq!(inflated(&[], &[0xf2, 0x00, 0x11, 0x00, 0x00], 5), Err(InflateError::Malformed));
}

/// What a frame is, its head and its message.
type Shown = (Kind, Vec<u8>, Vec<u8>);

fn cut_all(framing: &Framing, wire: &[u8]) -> Result<Vec<Shown>, FrameError> {
    let (mut wire, mut stream, mut frames) = (wire.to_vec(), Stream::default(), Vec::new());
    while !wire.is_empty() {
        match framing.cut(&mut wire, &mut stream, &mut Vec::new())? {
            Cut::Frame(frame) => {
                frames.push((frame.kind, wire[frame.head].to_vec(), wire[frame.message].to_vec()));
                wire.drain(..frame.total);
            }
            Cut::Within(frame) => frames.push((frame.kind, wire[frame.head].to_vec(), wire[frame.message].to_vec())),
            Cut::More { .. } => break,
        }
    }
    Ok(frames)
}

#[test]
fn the_frames_of_the_examples_are_cut_with_their_bit() {
    let client = Framing::parse("websocket,deflate").unwrap().for_dialled();
    let payload = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let whole = [&[0xc1, 0x07][..], &payload].concat();
    assert_eq!(cut_all(&client, &whole).unwrap(), [(Kind::Message, vec![0xc1, 0x07], payload.to_vec())]);
    let fragments = [0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(cut_all(&client, &fragments).unwrap(), [(Kind::Message, vec![0x41, 0x03], payload.to_vec())]);
    let ping = [0x41, 0x03, 0xf2, 0x48, 0xcd, 0x89, 0x01, 0x70, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00];
    let cut = cut_all(&client, &ping).unwrap();
    assert_eq!(cut[0], (Kind::Ask, vec![0x89, 0x01], vec![0x70]));
    assert_eq!(cut[1], (Kind::Message, vec![0x41, 0x03], payload.to_vec()));
}

#[test]
fn the_bit_is_refused_wherever_it_means_nothing() {
    let fault = FrameError::WebSocket { fault: WebSocketFault::ReservedBits, at: 0 };
    let deflates = Framing::parse("websocket,deflate").unwrap().for_dialled();
    let plain = Framing::parse("websocket").unwrap().for_dialled();
    for first in [0xc1, 0xc2, 0x41] {
        assert_eq!(cut_all(&plain, &[first]), Err(fault), "not asked for");
        assert_eq!(cut_all(&deflates, &[first]), Ok(Vec::new()));
    }
    for first in [0xa1, 0x91, 0xf1, 0xe1, 0xc8, 0xc9, 0xca, 0xc0, 0xc3] {
        assert_eq!(cut_all(&deflates, &[first]), Err(fault), "{first:#x}");
    }
    let second = FrameError::WebSocket { fault: WebSocketFault::ReservedBits, at: 3 };
    assert_eq!(cut_all(&deflates, &[0x41, 1, 0xf2, 0xc0, 1, 0]), Err(second), "on a later frame");
}

#[test]
fn text_is_not_looked_at_before_it_is_inflated_and_a_beat_is_none() {
    let framing = Framing::parse("websocket,deflate,ask=hex:ff,answer=hex:fe").unwrap().for_dialled();
    let cut = cut_all(&framing, &[0xc1, 1, 0xff, 0x82, 1, 0xff]).unwrap();
    assert_eq!(cut.iter().map(|frame| frame.0).collect::<Vec<_>>(), [Kind::Message, Kind::Ask]);
}

// ---- Negotiation ----

fn options(server: bool, client: bool, bits: u8) -> DeflateOptions {
    DeflateOptions {
        server_context_takeover: server,
        client_context_takeover: client,
        max_window_bits: bits,
        ..DeflateOptions::default()
    }
}

#[test]
fn a_server_chooses_the_first_offer_that_it_can_take() {
    let none = options(false, false, 15);
    let both = options(true, true, 15);
    let small = options(true, true, 11);
    let no_both = "; server_no_context_takeover; client_no_context_takeover";
    for (options, offered, said) in [
        (none, "permessage-deflate", Some(no_both.to_owned())),
        (none, "permessage-deflate; client_max_window_bits", Some(no_both.to_owned())),
        (none, "permessage-deflate; server_max_window_bits=10", Some(format!("{no_both}; server_max_window_bits=10"))),
        (none, "permessage-deflate; client_max_window_bits=10", Some(format!("{no_both}; client_max_window_bits=10"))),
        (both, "permessage-deflate", Some(String::new())),
        (both, "permessage-deflate; client_no_context_takeover", Some("; client_no_context_takeover".to_owned())),
        (both, "permessage-deflate; server_no_context_takeover", Some("; server_no_context_takeover".to_owned())),
        (both, "permessage-deflate; server_max_window_bits=15", Some("; server_max_window_bits=15".to_owned())),
        (both, "permessage-deflate; server_max_window_bits=\"12\"", Some("; server_max_window_bits=12".to_owned())),
        (both, "permessage-deflate; server_max_window_bits=\"1\\2\"", Some("; server_max_window_bits=12".to_owned())),
        (both, "permessage-deflate; client_max_window_bits=8", Some("; client_max_window_bits=8".to_owned())),
        (both, "permessage-deflate;client_max_window_bits = 9", Some("; client_max_window_bits=9".to_owned())),
        (
            small,
            "permessage-deflate; client_max_window_bits",
            Some("; server_max_window_bits=11; client_max_window_bits=11".to_owned()),
        ),
        (
            small,
            "permessage-deflate; client_max_window_bits=13; server_max_window_bits=9",
            Some("; server_max_window_bits=9; client_max_window_bits=11".to_owned()),
        ),
        // It cannot be told to remember less, so it must do without.
        (small, "permessage-deflate", Some("; client_no_context_takeover; server_max_window_bits=11".to_owned())),
        // Several alternatives: what cannot be taken is let go.
        (both, "permessage-deflate; server_max_window_bits=8, permessage-deflate", Some(String::new())),
        (
            both,
            "x-other; a=\"permessage-deflate, b\", permessage-deflate; client_no_context_takeover",
            Some("; client_no_context_takeover".to_owned()),
        ),
        (
            both,
            "permessage-deflate; unknown, permessage-deflate; server_no_context_takeover",
            Some("; server_no_context_takeover".to_owned()),
        ),
        // zlib cannot do it.
        (both, "permessage-deflate; server_max_window_bits=8", None),
        // Unknown, doubled, and values that are none.
        (both, "permessage-deflate; x", None),
        (both, "permessage-deflate; client_no_context_takeover=1", None),
        (both, "permessage-deflate; client_no_context_takeover; client_no_context_takeover", None),
        (both, "permessage-deflate; client_max_window_bits; client_max_window_bits=10", None),
        (both, "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", None),
        (both, "permessage-deflate; server_max_window_bits", None),
        (both, "permessage-deflate; server_max_window_bits=", None),
        (both, "permessage-deflate; server_max_window_bits=7", None),
        (both, "permessage-deflate; server_max_window_bits=16", None),
        (both, "permessage-deflate; server_max_window_bits=09", None),
        (both, "permessage-deflate; server_max_window_bits=+9", None),
        (both, "permessage-deflate; server_max_window_bits=\"10", None),
        (both, "permessage-deflate; server_max_window_bits=\"1\"0\"", None),
        (both, "permessage-deflate;; client_no_context_takeover", None),
        (both, "permessage-deflat, x-webkit-deflate-frame", None),
        (both, "", None),
    ] {
        let said = said.map(|said| format!("permessage-deflate{said}"));
        let chosen = choose(&options, [offered.as_bytes()]);
        assert_eq!(chosen.map(|(_, response)| response), said, "{offered}");
    }
    let lines: [&[u8]; 2] = [b"permessage-deflate; x", b"permessage-deflate; server_max_window_bits=10"];
    let (agreed, _) = choose(&both, lines).expect("an offer of the second line");
    let wanted = Agreed { send_bits: 10, send_takeover: true, receive_bits: 15, receive_takeover: true };
    assert_eq!(agreed, wanted);
}

#[test]
fn both_ends_agree_on_the_same() {
    for bits in (9..=15).flat_map(|bits| (9..=15).map(move |other| (bits, other))) {
        for flags in 0..16 {
            let client = options(flags & 1 != 0, flags & 2 != 0, bits.0);
            let server = options(flags & 4 != 0, flags & 8 != 0, bits.1);
            let (at_server, response) = choose(&server, [offer(&client).as_bytes()]).unwrap();
            let at_client = confirm(&client, [response.as_bytes()]).unwrap().unwrap();
            assert_eq!(at_server.send_takeover, at_client.receive_takeover, "{response}");
            assert_eq!(at_server.receive_takeover, at_client.send_takeover, "{response}");
            assert!(!at_server.send_takeover || at_server.send_bits == at_client.receive_bits, "{response}");
            assert!(!at_client.send_takeover || at_client.send_bits == at_server.receive_bits, "{response}");
            let least = bits.0.min(bits.1);
            assert!(at_server.send_bits <= least && at_client.send_bits <= least, "{response}");
            assert_eq!(at_server.send_takeover, client.server_context_takeover && server.server_context_takeover);
            assert_eq!(at_client.send_takeover, client.client_context_takeover && server.client_context_takeover);
        }
    }
}

#[test]
fn a_client_takes_no_response_but_to_its_offer() {
    use ConfirmError::{Malformed, NotAsOffered, Twice};
    let (none, both, small) = (options(false, false, 15), options(true, true, 15), options(true, true, 10));
    assert_eq!(confirm(&none, [&b"x-other"[..]]), Ok(None));
    assert_eq!(confirm(&none, []), Ok(None));
    for (options, said, error) in [
        (none, "", NotAsOffered),
        (none, "; client_no_context_takeover", NotAsOffered),
        (both, "; client_max_window_bits", Malformed),
        (both, "; server_max_window_bits=7", Malformed),
        (both, "; server_no_context_takeover; server_no_context_takeover", Malformed),
        (both, "; new", Malformed),
        (both, ", permessage-deflate", Twice),
        (small, "", NotAsOffered),
        (small, "; server_max_window_bits=11", NotAsOffered),
        (small, "; server_max_window_bits=10; client_max_window_bits=11", NotAsOffered),
    ] {
        let response = format!("permessage-deflate{said}");
        assert_eq!(confirm(&options, [response.as_bytes()]), Err(error), "{said:?}");
    }
    let agreed = confirm(&both, [&b"permessage-deflate; client_max_window_bits=8"[..]]).unwrap().unwrap();
    assert_eq!(agreed.send_bits, 8);
    let long = [7; 500];
    assert!(
        !deflate(&mut Scratch::default(), agreed.sending(6), &[], &long, &mut Vec::new()),
        "then nothing is deflated"
    );
}

#[test]
fn the_text_form_has_its_settings() {
    for (text, same, wanted) in [
        ("websocket", "websocket", None),
        ("websocket,deflate", "websocket,deflate", Some(options(false, false, 15))),
        ("websocket,deflate-takeover", "websocket,deflate,deflate-takeover", Some(options(true, true, 15))),
        (
            "websocket,deflate-takeover=client",
            "websocket,deflate,deflate-takeover=client",
            Some(options(false, true, 15)),
        ),
        (
            "websocket,deflate,deflate-takeover=server",
            "websocket,deflate,deflate-takeover=server",
            Some(options(true, false, 15)),
        ),
        ("websocket,deflate-bits=9", "websocket,deflate,deflate-bits=9", Some(options(false, false, 9))),
        (
            "websocket,deflate-level=1,max=1M",
            "websocket,deflate,deflate-level=1,max=1M",
            Some(DeflateOptions { level: 1, ..DeflateOptions::default() }),
        ),
        (
            "websocket,deflate-min=0",
            "websocket,deflate,deflate-min=0",
            Some(DeflateOptions { min_bytes: 0, ..DeflateOptions::default() }),
        ),
        (
            "websocket,deflate-min=2K",
            "websocket,deflate,deflate-min=2K",
            Some(DeflateOptions { min_bytes: 2048, ..DeflateOptions::default() }),
        ),
    ] {
        let framing = Framing::parse(text).unwrap();
        assert_eq!((framing.spec().as_str(), framing.deflate()), (same, wanted.as_ref()), "{text}");
        let again = Framing::parse(&framing.spec()).unwrap();
        assert_eq!((again.spec(), again.deflate().copied()), (framing.spec(), wanted));
        let other = Framing::parse("websocket").unwrap().with_deflate(wanted).unwrap();
        assert_eq!(other.deflate(), wanted.as_ref());
    }
    for text in [
        "length:4be,deflate",
        "raw,deflate-bits=9",
        "websocket,deflate=1",
        "websocket,deflate-takeover=both",
        "websocket,deflate-bits=8",
        "websocket,deflate-bits=16",
        "websocket,deflate-level=0",
        "websocket,deflate-level=10",
        "websocket,deflate,deflate",
    ] {
        assert!(Framing::parse(text).is_err(), "{text}");
    }
    let wrong = options(false, false, 8);
    assert!(Framing::parse("websocket").unwrap().with_deflate(Some(wrong)).is_err());
    assert!(Framing::parse("varint").unwrap().with_deflate(Some(DeflateOptions::default())).is_err());
    assert!(Framing::parse("varint").unwrap().with_deflate(None).is_ok());
}

// ---- Limits ----

/// `bytes` zeros as blocks that refer to nothing before them.
fn zeros(bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes / 500 + 1000);
    let mut compress = Compress::new(Compression::new(9), false);
    compress.compress_vec(&vec![0; bytes], &mut out, FlushCompress::Full).unwrap();
    out
}

#[test]
fn a_gibibyte_in_a_mebibyte_is_refused_at_the_limit() {
    let mebibyte = zeros(1 << 20);
    let mut bomb = mebibyte.repeat(1024);
    assert!(bomb.len() < 1200 << 10, "{}", bomb.len());
    bomb.truncate(bomb.len() - TAIL.len());
    for max_bytes in [0, 1, 1000, 64 << 10, 16 << 20] {
        let mut out = Vec::new();
        let read = inflate(&mut Scratch::default(), &[], &bomb, max_bytes, &mut out);
        assert_eq!(read, Err(InflateError::TooLarge { limit: max_bytes }));
        assert!(out.capacity() <= (max_bytes + 1).max(256), "{} for {max_bytes}", out.capacity());
    }
    let mut one = mebibyte;
    one.truncate(one.len() - TAIL.len());
    assert_eq!(inflated(&[], &one, 1 << 20).map(|out| out.len()), Ok(1 << 20), "exactly the limit");
    assert_eq!(inflated(&[], &one, (1 << 20) - 1), Err(InflateError::TooLarge { limit: (1 << 20) - 1 }));
}

#[test]
fn last_blocks_without_end_are_no_message() {
    // Each is an empty last block of two bytes.
    let some = [0x03, 0x00].repeat(10);
    assert_eq!(inflated(&[], &some, 100), Ok(Vec::new()));
    assert_eq!(inflated(&[], &[0x03, 0x00].repeat(1 << 15), 100), Err(InflateError::Malformed));
}

#[test]
fn behind_a_last_block_the_window_is_all_before_it() {
    // "Hello" as a last block, then the example that refers five bytes back.
    let payload = [&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], &[0xf2, 0x00, 0x11, 0x00, 0x00]].concat();
    assert_eq!(inflated(&[], &payload, 10), Ok(b"HelloHello".to_vec()));
    let before = [&[0x03, 0x00][..], &[0xf2, 0x00, 0x11, 0x00, 0x00]].concat();
    assert_eq!(inflated(b"Hello", &before, 10), Ok(b"Hello".to_vec()));
}

#[test]
fn what_is_cut_short_or_damaged_is_malformed() {
    let message: Vec<u8> = (0..2000_u32).flat_map(|number| (number * number % 1000).to_le_bytes()).collect();
    let mut payload = Vec::new();
    assert!(deflate(&mut Scratch::default(), Sending { level: 6, bits: 15 }, &[], &message, &mut payload));
    assert_eq!(inflated(&[], &payload, 1 << 20), Ok(message.clone()));
    for end in 0..payload.len() {
        let read = inflated(&[], &payload[..end], 1 << 20);
        assert_eq!(read, Err(InflateError::Malformed), "the first {end} of {}", payload.len());
    }
    for bad in [&[0x07][..], &[0xff; 10], &[0x00, 0x05, 0x00, 0x05, 0x00, 1, 2, 3, 4, 5, 0x00], b"not deflated at all"]
    {
        assert_eq!(inflated(&[], bad, 1 << 20), Err(InflateError::Malformed));
    }
}

// ---- Windows ----

/// Both ends of one direction.
struct Direction {
    sending: Sending,
    window_bytes: usize,
    sent: Window,
    received: Window,
}

impl Direction {
    fn new(level: u8, bits: u8, takeover: bool) -> Self {
        let window_bytes = if takeover { 1 << bits } else { 0 };
        Self { sending: Sending { level, bits }, window_bytes, sent: Window::default(), received: Window::default() }
    }

    /// Bytes on the wire.
    fn carry(&mut self, scratch: &mut Scratch, message: &[u8]) -> usize {
        let mut payload = Vec::new();
        if !deflate(scratch, self.sending, self.sent.bytes(), message, &mut payload) {
            assert!(payload.is_empty());
            return message.len();
        }
        assert!(payload.len() < message.len());
        self.sent.keep(message, self.window_bytes);
        let mut received = Vec::new();
        inflate(scratch, self.received.bytes(), &payload, message.len(), &mut received).unwrap();
        assert_eq!(received, message);
        self.received.keep(&received, self.window_bytes);
        for window in [&self.sent, &self.received] {
            assert!(window.memory() <= self.window_bytes, "{} of {}", window.memory(), self.window_bytes);
        }
        payload.len()
    }
}

fn words(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut text = Vec::new();
    for _ in 0..count {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend_from_slice(format!("word{} ", (state >> 16) % 997).as_bytes());
    }
    text
}

#[test]
fn every_window_carries_many_messages_and_takeover_makes_them_shorter() {
    let mut scratch = Scratch::default();
    for bits in 9..=15 {
        let mut with = Direction::new(6, bits, true);
        let mut without = Direction::new(6, bits, false);
        let (mut short, mut long) = (0, 0);
        for round in 0..60 {
            // Each is like one before it, and some are much longer than the window.
            let message = words(round % 3, if round % 20 == 19 { 20_000 } else { 40 });
            short += with.carry(&mut scratch, &message);
            long += without.carry(&mut scratch, &message);
        }
        assert!(short < long, "{bits} bits: {short} with takeover, {long} without");
        assert_eq!((without.sent.memory(), without.received.memory()), (0, 0), "nothing is kept while idle");
    }
}

#[test]
fn what_is_not_made_shorter_goes_as_it_is() {
    let mut scratch = Scratch::default();
    let mut noise = fastrand::Rng::with_seed(7);
    for length in [0, 1, 5, 100, 70_000] {
        let message: Vec<u8> = std::iter::repeat_with(|| noise.u8(..)).take(length).collect();
        let mut out = b"before".to_vec();
        assert!(!deflate(&mut scratch, Sending { level: 9, bits: 15 }, &[], &message, &mut out));
        assert_eq!(out, b"before");
    }
}

proptest! {
    #[test]
    fn what_is_deflated_is_inflated(
        level in 1_u8..=9, bits in 9_u8..=15, takeover: bool,
        messages in proptest::collection::vec((proptest::collection::vec(0_u8..4, 0..300), 1_usize..200), 1..8),
    ) {
        let mut scratch = Scratch::default();
        let mut direction = Direction::new(level, bits, takeover);
        for (pattern, times) in messages {
            direction.carry(&mut scratch, &pattern.repeat(times));
        }
    }

    #[test]
    fn no_bytes_whatever_break_it(payload in proptest::collection::vec(any::<u8>(), 0..200), window in proptest::collection::vec(any::<u8>(), 0..50)) {
        if let Ok(message) = inflated(&window, &payload, 1000) {
            prop_assert!(message.len() <= 1000);
        }
    }

    #[test]
    fn no_header_whatever_breaks_it(line in "[ -~]{0,60}", rest in "(; ?(server|client)_(no_context_takeover|max_window_bits)(=\"?[0-9]{1,2}\"?)?){0,4}") {
        for line in [line, format!("permessage-deflate{rest}")] {
            if let Some((agreed, response)) = choose(&options(true, true, 15), [line.as_bytes()]) {
                prop_assert!(response.starts_with("permessage-deflate") && (9..=15).contains(&agreed.send_bits));
            }
            let _ = confirm(&options(true, true, 15), [line.as_bytes()]);
        }
    }
}

// ---- zlib itself ----

const PYTHON: &str = r#"
import sys, zlib
for line in sys.stdin:
    way, bits, level, *messages = line.split()
    bits = -int(bits)
    pack = zlib.compressobj(int(level), zlib.DEFLATED, bits)
    unpack = zlib.decompressobj(bits)
    out = []
    for message in messages:
        message = bytes.fromhex(message)
        if way == 'pack':
            packed = pack.compress(message) + pack.flush(zlib.Z_SYNC_FLUSH)
            assert packed.endswith(b'\0\0\xff\xff')
            out.append(packed[:-4].hex())
        else:
            out.append(unpack.decompress(message + b'\0\0\xff\xff').hex())
    print(*out, flush=True)
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

#[test]
fn zlib_reads_what_we_send_and_we_read_what_it_sends() {
    let messages: Vec<Vec<u8>> = (0..12).map(|round| words(round % 4, 30 + 400 * (round as usize % 5))).collect();
    let settings: Vec<(u8, u8)> = (9..=15).flat_map(|bits| [(bits, 1), (bits, 6), (bits, 9)]).collect();
    let mut script = String::new();
    let mut scratch = Scratch::default();
    for &(bits, level) in &settings {
        let all: Vec<String> = messages.iter().map(|message| hex(message)).collect();
        script += &format!("pack {bits} {level} {}\n", all.join(" "));
        let mut window = Window::default();
        let sent = messages.iter().map(|message| {
            let mut payload = Vec::new();
            assert!(deflate(&mut scratch, Sending { level, bits }, window.bytes(), message, &mut payload));
            window.keep(message, 1 << bits);
            hex(&payload)
        });
        script += &format!("unpack {bits} {level} {}\n", sent.collect::<Vec<_>>().join(" "));
    }
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    let mut input = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let said = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).unwrap();
    let mut lines = said.lines();
    for &(bits, level) in &settings {
        let packed = lines.next().expect("what zlib packed");
        let mut window = Window::default();
        for (message, payload) in messages.iter().zip(packed.split(' ')) {
            let mut received = Vec::new();
            inflate(&mut scratch, window.bytes(), &unhex(payload), 1 << 20, &mut received).unwrap();
            assert!(received == *message, "zlib's, {bits} bits, level {level}");
            window.keep(&received, 1 << bits);
        }
        let unpacked: Vec<Vec<u8>> = lines.next().expect("what zlib unpacked").split(' ').map(unhex).collect();
        assert!(unpacked == messages, "ours, {bits} bits, level {level}");
    }
}
