//! R1, R2 and the framing over real sockets: what the peer wrote is what is told, wherever it was cut.

mod support;

use std::time::Duration;

use heartline::frame::{Codec, Cut, EncodeError, Frame, FrameError, Framing, Kind, Stream};
use heartline::liveness::Beat;
use heartline::reactor::{Config, Events, ListenOptions, Options, Reason, SendError};
use support::{Pump, What, framed, length, options};

/// The wire, and the heads and messages that must come of it.
type Wire = (&'static str, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn wires() -> Vec<Wire> {
    let pair = |head: &[u8], message: &[u8]| (head.to_vec(), message.to_vec());
    vec![
        (
            "length:4be",
            [framed(b"one"), framed(b"twotwo"), framed(&[7; 300])].concat(),
            vec![pair(&[0, 0, 0, 3], b"one"), pair(&[0, 0, 0, 6], b"twotwo"), pair(&[0, 0, 1, 44], &[7; 300])],
        ),
        (
            "length:2le,at=2,head=6",
            b"AB\x03\x00CDxyzEF\x01\x00GH!".to_vec(),
            vec![pair(b"AB\x03\x00CD", b"xyz"), pair(b"EF\x01\x00GH", b"!")],
        ),
        ("varint", b"\x03abc\x01d".to_vec(), vec![pair(b"\x03", b"abc"), pair(b"\x01", b"d")]),
        (
            "line-header,key=length",
            b"length=3;type=9\r\nabclength=1\r\nz".to_vec(),
            vec![pair(b"length=3;type=9\r\n", b"abc"), pair(b"length=1\r\n", b"z")],
        ),
        (
            "line-header,form=json",
            b"{\"length\":2,\"type\":3}\r\nhi{\"length\":1}\r\n!".to_vec(),
            vec![pair(b"{\"length\":2,\"type\":3}\r\n", b"hi"), pair(b"{\"length\":1}\r\n", b"!")],
        ),
        ("delimiter:\\r\\n", b"hello\r\nwo\rrld\r\n".to_vec(), vec![pair(b"", b"hello"), pair(b"", b"wo\rrld")]),
        ("fixed:4", b"aaaabbbb".to_vec(), vec![pair(b"", b"aaaa"), pair(b"", b"bbbb")]),
    ]
}

#[test]
fn every_cut_of_every_framing_gives_the_same_messages() {
    for (spec, wire, expected) in wires() {
        let mut pump = Pump::default();
        let at = pump.listen(&ListenOptions::new(options(spec)));
        let cuts: Vec<usize> = (1..wire.len()).filter(|cut| *cut < 40 || cut % 50 == 0).collect();
        for cut in cuts {
            let (mut peer, id) = pump.join(at);
            peer.write(&wire[..cut]);
            // The first part is read before the second comes.
            pump.until("the first part is read", |pump| {
                pump.reactor.counters().partial_bytes_now > 0 || pump.of(id).len() > 1
            });
            peer.write(&wire[cut..]);
            let messages: Vec<_> = expected.iter().map(|_| pump.message(id)).collect();
            assert_eq!(
                messages,
                expected.iter().map(|(_, message)| message.clone()).collect::<Vec<_>>(),
                "{spec} {cut}"
            );
            drop(peer);
            pump.closed(id);
            let heads: Vec<_> = pump
                .of(id)
                .iter()
                .filter_map(|what| match what {
                    What::Message { head, .. } => Some(head.clone()),
                    _ => None,
                })
                .collect();
            assert_eq!(heads, expected.iter().map(|(head, _)| head.clone()).collect::<Vec<_>>(), "{spec} {cut}");
        }
        assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
    }
}

#[test]
fn one_byte_at_a_time_gives_the_same_messages() {
    for (spec, wire, expected) in wires() {
        let mut pump = Pump::default();
        let (mut peer, id) = pump.peer(options(spec));
        for (index, byte) in wire.iter().enumerate() {
            peer.write(&[*byte]);
            pump.until("it is read", |pump| pump.reactor.counters().bytes_in > index as u64);
        }
        for (_, message) in &expected {
            assert_eq!(&pump.message(id), message, "{spec}");
        }
        assert_eq!(pump.reactor.counters().messages_in, expected.len() as u64);
    }
}

#[test]
fn a_message_of_the_largest_length_passes_and_one_more_byte_does_not() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(options("length:4be,max=1000")));
    let (mut fits, fits_id) = pump.join(at);
    let (mut over, over_id) = pump.join(at);
    fits.frame(&[1; 1000]);
    assert_eq!(pump.message(fits_id).len(), 1000);
    // Refused at its header: not one byte of the message is there yet.
    over.write(&1001_u32.to_be_bytes());
    assert_eq!(pump.closed(over_id).reason(), Some(Reason::OverLimit));
    let error = pump.reactor.obituary(over_id).unwrap().frame_error;
    assert_eq!(error, Some(FrameError::TooLarge { limit: 1000, length: 1001, at: 0 }));
}

#[test]
fn hostile_lengths_end_the_connection_with_the_limit_named() {
    for head in [[0xff; 4], [0x80, 0, 0, 0], [0x7f, 0xff, 0xff, 0xff]] {
        let mut pump = Pump::default();
        let (mut peer, id) = pump.peer(length());
        peer.write(&head);
        assert_eq!(pump.closed(id).reason(), Some(Reason::OverLimit));
    }
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(options("length:4be,head=8,includes-head"));
    peer.write(&[0, 0, 0, 7, 0, 0, 0, 0]);
    assert_eq!(pump.closed(id).reason(), Some(Reason::FrameBad));
    let error = pump.reactor.obituary(id).unwrap().frame_error;
    assert!(matches!(error, Some(FrameError::LengthBelowHead { length: 7, .. })), "{error:?}");
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(options("varint"));
    peer.write(&[0xff; 11]);
    assert_eq!(pump.closed(id).reason(), Some(Reason::FrameBad));
}

#[test]
fn good_frames_before_a_bad_one_are_told_before_the_end() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    peer.write(&[framed(b"good"), vec![0xff; 4], framed(b"never")].concat());
    pump.closed(id);
    let told = pump.of(id);
    assert!(matches!(told[1..], [What::Message { .. }, What::Closed { .. }]), "{told:?}");
}

#[test]
fn a_message_larger_than_the_arena_comes_whole() {
    let mut pump = Pump::with_events(Config::default(), Events::with_capacity(1024, 8 << 10));
    let (mut peer, id) = pump.peer(options("length:4be,max=16M"));
    let sizes = [3 << 20, 10, 8 << 10, (8 << 10) - 4, 1024, 1025, 4097, 100_000];
    let writer = std::thread::spawn(move || {
        for size in sizes {
            let message: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            peer.frame(&message);
        }
        peer
    });
    for size in sizes {
        let message = pump.message(id);
        assert_eq!(message.len(), size);
        assert!(message.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
    }
    drop(writer.join().unwrap());
    pump.closed(id);
    assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
}

#[test]
fn a_long_line_comes_whole() {
    let mut pump = Pump::with_events(Config::default(), Events::with_capacity(8, 8 << 10));
    let (mut peer, id) = pump.peer(options("delimiter:\\n,max=1M"));
    let line = vec![b'x'; 500_000];
    let written = line.clone();
    let writer = std::thread::spawn(move || {
        peer.write(&written);
        peer.write(b"\nshort\n");
        peer
    });
    assert_eq!(pump.message(id), line);
    assert_eq!(pump.message(id), b"short");
    drop(writer.join().unwrap());
}

#[test]
fn a_flood_of_tiny_frames_comes_whole_and_in_order_and_holds_nobody_up() {
    let mut pump = Pump::with_events(Config::default(), Events::with_capacity(256, 64 << 10));
    let at = pump.listen(&ListenOptions::new(length()));
    let (mut flooder, flood_id) = pump.join(at);
    let (mut quiet, quiet_id) = pump.join(at);
    const FRAMES: u32 = 100_000;
    let flood: Vec<u8> = (0..FRAMES).flat_map(|number| framed(&number.to_be_bytes())).collect();
    let writer = std::thread::spawn(move || {
        flooder.write(&flood);
        flooder
    });
    let (mut next, mut turns_of_quiet) = (0_u32, 0);
    pump.history.clear();
    quiet.frame(b"me too");
    while next < FRAMES {
        pump.poll(Duration::from_secs(5));
        let mut of_flooder = 0;
        for told in std::mem::take(&mut pump.history) {
            if told.id == flood_id {
                assert_eq!(told.message().unwrap(), next.to_be_bytes());
                next += 1;
                of_flooder += 1;
            } else if told.id == quiet_id && told.is_message() {
                turns_of_quiet += 1;
                quiet.frame(b"me too");
            }
        }
        // R2: one turn, with its new edge or its old rest.
        assert!(of_flooder <= 64, "{of_flooder}");
    }
    assert!(turns_of_quiet > 20, "{turns_of_quiet}");
    drop(writer.join().unwrap());
}

#[test]
fn a_batch_of_one_event_loses_and_reorders_nothing() {
    let mut pump = Pump::with_events(Config::default(), Events::with_capacity(1, 8 << 10));
    let at = pump.listen(&ListenOptions::new(length()));
    let (mut a, a_id) = pump.join(at);
    let (mut b, b_id) = pump.join(at);
    for number in 0..200_u32 {
        a.frame(&number.to_be_bytes());
        b.frame(&number.to_le_bytes());
    }
    drop((a, b));
    pump.closed(a_id);
    pump.closed(b_id);
    for (id, bytes) in [(a_id, u32::to_be_bytes as fn(u32) -> [u8; 4]), (b_id, u32::to_le_bytes)] {
        let told = pump.of(id);
        assert_eq!(told.len(), 202);
        assert!(matches!(told[0], What::Opened(_)) && matches!(told[201], What::Closed { .. }));
        for (number, what) in told[1..201].iter().enumerate() {
            let What::Message { message, .. } = what else { panic!("{what:?}") };
            assert_eq!(message[..], bytes(number as u32));
        }
    }
}

#[test]
fn events_own_their_bytes_while_the_reactor_is_used() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    for number in 0..10_u8 {
        peer.frame(&[number; 100]);
    }
    pump.until("all are in one batch", |pump| pump.reactor.counters().messages_in == 10);
    let mut seen = 0;
    for event in &pump.events {
        if let heartline::reactor::EventKind::Message { message, .. } = event.kind {
            pump.reactor.send(event.id, message).unwrap();
            pump.reactor.flush();
            assert!(message.iter().all(|byte| *byte == message[0]));
            seen += 1;
        }
    }
    assert!(seen > 0);
    pump.reactor.close(id, heartline::reactor::Close::AtOnce, None).unwrap();
    assert!(!pump.events.is_empty(), "closing changes nothing of what was told");
}

#[test]
fn data_and_fin_in_one_edge_are_both_told() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    for _ in 0..20 {
        let (mut peer, id) = pump.join(at);
        peer.frame(b"last words");
        drop(peer);
        pump.closed(id);
        let told = pump.of(id);
        assert!(
            matches!(told[1..], [What::Message { .. }, What::Closed { reason: Reason::PeerClosed, .. }]),
            "{told:?}"
        );
    }
}

#[test]
fn what_came_before_a_reset_is_told_before_the_end() {
    let mut pump = Pump::default();
    let at = pump.listen(&ListenOptions::new(length()));
    for _ in 0..20 {
        let (mut peer, id) = pump.join(at);
        peer.frame(b"before");
        // A send of ours fails too: that must not hide what can still be read.
        peer.reset();
        for _ in 0..3 {
            let _ = pump.reactor.send(id, b"too late");
            pump.reactor.flush();
        }
        let closed = pump.closed(id);
        assert_eq!(closed.reason(), Some(Reason::PeerReset));
        let told = pump.of(id);
        let What::Message { message, .. } = told[1] else { panic!("{told:?}") };
        assert_eq!(message, b"before");
    }
}

#[test]
fn heads_are_shown_and_given_and_the_codec_writes_the_length() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(options("length:2le,at=2,head=6"));
    peer.write(b"AB\x03\x00CDxyz");
    pump.message(id);
    let head = pump.of(id).iter().find_map(|what| match what {
        What::Message { head, .. } => Some(head.clone()),
        _ => None,
    });
    assert_eq!(head.as_deref(), Some(&b"AB\x03\x00CD"[..]));
    pump.reactor.send_with_head(id, head.as_deref(), &[b"four", b"+", b"5"]).unwrap();
    pump.reactor.flush();
    assert_eq!(peer.read(12), b"AB\x06\x00CDfour+5");
}

/// Whatever way a frame takes to the wire, it is what the codec encodes; what does not fit is refused, and nothing leaves.
#[test]
fn a_head_that_is_given_leaves_as_it_is_encoded_or_not_at_all() {
    for spec in [
        "length:4be",
        "length:1be",
        "length:2be,at=2,head=6",
        "length:2le,head=4",
        "length:3be,at=1,head=12",
        "length:4le,at=8,head=20",
        "length:8be,at=1,head=9",
        "length:8le,head=40",
    ] {
        let mut pump = Pump::default();
        let (mut peer, id) = pump.peer(options(spec));
        let framing = Framing::parse(spec).unwrap();
        let mut frame = Vec::new();
        framing.encode(None, &[b"x"], &mut frame).unwrap();
        let head: Vec<u8> = (0..frame.len() as u8 - 1).map(|at| 0xa5 ^ at).collect();
        for length in [1, 2, 4, 7, 8, 9, 16, 17, 32, 33, 255] {
            let message = vec![0x5a; length];
            for given in [None, Some(&head[..])] {
                frame.clear();
                framing.encode(given, &[&message], &mut frame).unwrap();
                pump.reactor.send_with_head(id, given, &[&message]).unwrap();
                pump.reactor.flush();
                assert_eq!(peer.read(frame.len()), frame, "{spec}, {length} bytes, head {}", given.is_some());
            }
        }
        for wrong in [&head[1..], &[&head[..], &[0]].concat()] {
            let refused = pump.reactor.send_with_head(id, Some(wrong), &[b"x"]);
            let error = EncodeError::HeadSize { expected: head.len(), given: wrong.len() };
            assert_eq!(refused, Err(SendError::Encode(error)), "{spec}");
        }
        if spec == "length:1be" {
            let error = EncodeError::LengthUnfit { length: 256, most: 255 };
            assert_eq!(pump.reactor.send(id, &[0; 256]), Err(SendError::Encode(error)));
        }
        pump.reactor.flush();
        assert_eq!(peer.read_now(), b"", "{spec}");
    }
}

/// A head that comes alone is no beat, although nothing follows it yet.
#[test]
fn a_head_alone_is_an_unfinished_frame() {
    for spec in ["length:2be", "length:2be,head=4", "length:4be"] {
        let mut pump = Pump::default();
        let (mut peer, id) = pump.peer(options(spec));
        peer.write(&{
            let mut beat = Vec::new();
            assert!(Framing::parse(spec).unwrap().ask(&mut beat));
            beat
        });
        pump.until("the beat is answered", |pump| pump.reactor.counters().answers_out == 1);
        let mut frame = Vec::new();
        Framing::parse(spec).unwrap().encode(None, &[b"abc"], &mut frame).unwrap();
        peer.write(&frame[..frame.len() - 3]);
        pump.until("the head is read", |pump| pump.reactor.counters().partial_bytes_now > 0);
        peer.write(b"abc");
        assert_eq!(pump.message(id), b"abc", "{spec}");
        assert_eq!(pump.reactor.counters().answers_out, 1, "{spec}");
    }
}

#[test]
fn beats_are_shown_only_to_who_asked_for_them() {
    let mut pump = Pump::default();
    let mut shown = length();
    shown.deliver_beats = true;
    let (mut peer, id) = pump.peer(shown);
    let (mut other, other_id) = pump.peer(length());
    for peer in [&mut peer, &mut other] {
        peer.beat();
        peer.frame(b"x");
    }
    pump.message(id);
    pump.message(other_id);
    let told = pump.of(id);
    assert_eq!(*told[1], What::Beat(Beat::Ask, vec![0, 0, 0, 0]));
    assert_eq!(pump.of(other_id).len(), 2);
    assert_eq!((peer.read_frame(), other.read_frame()), (vec![], vec![]), "both are answered");
    assert_eq!(pump.reactor.counters().asks_in, 2);
    assert_eq!(pump.reactor.counters().messages_in, 2, "beats are not counted as messages");
}

#[test]
fn unfinished_frames_together_stay_under_the_cap() {
    const CAP: usize = 64 << 10;
    let mut pump = Pump::new(Config { partial_bytes_max: CAP, ..Config::default() });
    let at = pump.listen(&ListenOptions::new(options("length:4be,max=1M")));
    let mut peers: Vec<_> = (0..40).map(|_| pump.join(at)).collect();
    for (peer, _) in &mut peers {
        let frame = framed(&[1; 4000]);
        peer.write(&frame[..frame.len() - 1]);
    }
    let all = 40 * (4 + 4000 - 1) as u64;
    pump.until("all is read", |pump| {
        assert!(pump.reactor.counters().partial_bytes_now <= CAP as u64);
        pump.reactor.counters().bytes_in == all
    });
    let over = pump.reactor.counters().closed(Reason::OverLimit);
    assert!(over > 0 && over < 40, "{over}");
    // Who was kept goes on.
    for (peer, id) in &mut peers {
        if pump.reactor.state(*id).is_some() {
            peer.write(&[1]);
            assert_eq!(pump.message(*id).len(), 4000);
        }
    }
    assert_eq!(pump.reactor.counters().partial_bytes_now, 0);
}

#[test]
fn pausing_holds_messages_back_and_resuming_brings_them_all() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(length());
    assert!(pump.reactor.pause(id));
    for number in 0..100_u8 {
        peer.frame(&[number]);
    }
    assert!(pump.during(Duration::from_millis(50)).is_empty());
    assert!(pump.reactor.state(id).unwrap().paused);
    assert!(pump.reactor.resume(id));
    let got: Vec<_> = (0..100).map(|_| pump.message(id)[0]).collect();
    assert_eq!(got, (0..100).collect::<Vec<_>>());
}

#[test]
fn pausing_in_the_middle_of_a_burst_stops_at_once_and_loses_nothing() {
    let mut pump = Pump::with_events(Config::default(), Events::with_capacity(10, 8 << 10));
    let (mut peer, id) = pump.peer(length());
    let burst: Vec<u8> = (0..100_u8).flat_map(|number| framed(&[number])).collect();
    peer.write(&burst);
    pump.message(id);
    pump.reactor.pause(id);
    let before = pump.reactor.counters().messages_in;
    pump.during(Duration::from_millis(50));
    assert_eq!(pump.reactor.counters().messages_in, before);
    pump.reactor.resume(id);
    pump.until("all came", |pump| pump.reactor.counters().messages_in == 100);
    let got: Vec<_> = pump.history.iter().filter_map(|told| told.message().map(|message| message[0])).collect();
    assert_eq!(got, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_framing_that_is_changed_cuts_what_is_not_cut_yet() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(options("delimiter:\\n,max=1M"));
    // "upgrade" and, not terminated in the old framing, the beginning of a frame in the new one.
    peer.write(b"upgrade\n\0\0\0\x05he");
    assert_eq!(pump.message(id), b"upgrade");
    assert!(pump.reactor.set_options(id, &length()).unwrap());
    peer.write(b"llo");
    assert_eq!(pump.message(id), b"hello");
    peer.frame(b"again");
    assert_eq!(pump.message(id), b"again");
    // And back, with a promise of the old framing that no longer counts.
    peer.write(b"\0\0\xf0\0");
    pump.until("the head is read", |pump| pump.reactor.counters().partial_bytes_now > 0);
    pump.reactor.set_options(id, &options("delimiter:\\n,max=1M")).unwrap();
    peer.write(b"!\n");
    assert_eq!(pump.message(id), b"\0\0\xf0\0!");
}

/// Each frame is one byte, which must count on from the one before: it works only while its note lives.
struct Counting;

impl Codec for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn cut(&self, input: &mut [u8], stream: &mut Stream, _: &mut Vec<u8>, _: usize) -> Result<Cut, FrameError> {
        let Some(&number) = input.first() else { return Ok(Cut::More { need: 1, exact: false }) };
        if u64::from(number) != stream.note() {
            return Err(FrameError::Custom { code: 300, at: 0 });
        }
        stream.set_note(stream.note() + 1);
        Ok(Cut::Frame(Frame { kind: Kind::Message, head: 0..0, message: 0..1, total: 1 }))
    }

    fn encode(&self, _: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(message.concat());
        Ok(())
    }
}

#[test]
fn what_a_custom_codec_notes_lives_from_frame_to_frame_however_they_come() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(Options::new(Framing::custom(Box::new(Counting))));
    for number in 0..20 {
        peer.write(&[number]);
        assert_eq!(pump.message(id), [number]);
    }
    peer.write(&(20..200).collect::<Vec<u8>>());
    for number in 20..200 {
        assert_eq!(pump.message(id), [number]);
    }
    // The note is no unfinished frame: nothing is late.
    assert!(pump.reactor.state(id).unwrap().unread_bytes == 0);
    peer.write(&[7]);
    assert_eq!(pump.closed(id).reason(), Some(Reason::FrameBad));
}

/// Frames of one byte; each `?` makes the codec itself say something (F7), between the frames that it cuts.
struct Echoing;

impl Codec for Echoing {
    fn name(&self) -> &str {
        "echoing"
    }

    fn cut(&self, input: &mut [u8], _: &mut Stream, control: &mut Vec<u8>, _: usize) -> Result<Cut, FrameError> {
        let Some(&byte) = input.first() else { return Ok(Cut::More { need: 1, exact: false }) };
        if byte == b'?' {
            control.push(b'!');
        }
        Ok(Cut::Frame(Frame { kind: Kind::Message, head: 0..0, message: 0..1, total: 1 }))
    }

    fn encode(&self, _: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(message.concat());
        Ok(())
    }
}

#[test]
fn what_a_codec_itself_has_to_say_leaves_once_for_each_frame_that_caused_it() {
    let mut pump = Pump::default();
    let (mut peer, id) = pump.peer(Options::new(Framing::custom(Box::new(Echoing))));
    // More than one turn delivers, so that some is cut from what was kept.
    let asked = b"?.".repeat(100);
    peer.write(&asked);
    let got: Vec<u8> = (0..asked.len()).flat_map(|_| pump.message(id)).collect();
    assert_eq!(got, asked);
    assert_eq!(peer.read(100), [b'!'; 100]);
    pump.reactor.send(id, b"end").unwrap();
    pump.reactor.flush();
    assert_eq!(peer.read(3), b"end", "and nothing twice");
}
