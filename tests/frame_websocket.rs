//! The frames of RFC 6455, duty by duty: what is taken, what is refused and why, what is sent.
#![cfg(feature = "websocket")]

#[path = "../fuzz/websocket_body.rs"]
mod websocket_body;

use heartline::frame::{Cut, EncodeError, Frame, FrameError, Framing, Kind, Stream, WebSocketFault};
use websocket_body::{Got, feed, frame};

const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

fn server(keys: &str) -> Framing {
    Framing::parse(&format!("websocket{keys}")).unwrap()
}

fn client(keys: &str) -> Framing {
    server(keys).for_dialled()
}

fn cut(framing: &Framing, input: &mut [u8]) -> Result<Cut, FrameError> {
    framing.cut(input, &mut Stream::default(), &mut Vec::new())
}

/// All that a server makes of `input`, the same at once and byte by byte.
fn read(framing: &Framing, input: &[u8]) -> websocket_body::Read {
    let whole = feed(framing, input, []);
    assert_eq!(feed(framing, input, std::iter::repeat(1)), whole, "F1");
    whole
}

fn refusal(framing: &Framing, input: &[u8]) -> FrameError {
    read(framing, input).1.expect_err("it is refused")
}

fn fault(framing: &Framing, input: &[u8]) -> (WebSocketFault, usize) {
    match refusal(framing, input) {
        FrameError::WebSocket { fault, at } => (fault, at),
        other => panic!("{other}"),
    }
}

fn message(opcode: u8, message: &[u8]) -> Got {
    Got { kind: Kind::Message, opcode, message: message.to_vec(), within: false }
}

fn sent(framing: &Framing, build: impl FnOnce(&Framing, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"before".to_vec();
    build(framing, &mut out);
    assert!(out.starts_with(b"before"));
    out.split_off(6)
}

#[test]
fn the_examples_of_the_rfc() {
    // RFC 6455, section 5.7.
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&server(""), &masked), (vec![message(1, b"Hello")], Ok(0)));
    assert_eq!(frame(0x81, b"Hello", KEY), masked);
    let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(read(&client(""), &plain), (vec![message(1, b"Hello")], Ok(0)));
    assert_eq!(sent(&server(""), |server, out| server.encode(Some(&[1]), &[b"Hel", b"lo"], out).unwrap()), plain);
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(read(&client(""), &fragments), (vec![message(1, b"Hello")], Ok(0)));
    let long = [&[0x82, 0x7e, 0x01, 0x00][..], &[7; 256]].concat();
    assert_eq!(sent(&server(""), |server, out| server.encode(None, &[&[7; 256]], out).unwrap()), long);
    let longer = [&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65536]].concat();
    assert_eq!(sent(&server(""), |server, out| server.encode(None, &[&[7; 65536]], out).unwrap()), longer);
}

#[test]
fn a_message_is_joined_in_place_behind_the_first_header() {
    let parts =
        [frame(0x02, b"one, ", KEY), frame(0x00, b"", KEY), frame(0x00, b"two, ", KEY), frame(0x80, b"three", KEY)];
    let mut input = [parts.concat(), vec![1, 2, 3]].concat();
    let total = input.len() - 3;
    let head = input[..6].to_vec();
    let Ok(Cut::Frame(frame)) = cut(&server(""), &mut input) else { panic!() };
    assert_eq!(frame, Frame { kind: Kind::Message, head: 0..6, message: 6..21, total });
    assert_eq!(&input[6..21], b"one, two, three");
    assert_eq!(input[..6], head, "F5: the head is as it came");
    assert_eq!(input[total..], [1, 2, 3]);
}

#[test]
fn control_frames_between_fragments_are_given_once_each_and_at_once() {
    let input = [
        frame(0x01, "心".as_bytes().split_at(1).0, KEY),
        frame(0x89, b"are you there", KEY),
        frame(0x00, "心".as_bytes().split_at(1).1, KEY),
        frame(0x8a, b"", KEY),
        frame(0x8a, b"yes", KEY),
        frame(0x80, b"!", KEY),
        frame(0x82, b"next", KEY),
    ];
    let within = |kind, opcode, text: &[u8]| Got { kind, opcode, message: text.to_vec(), within: true };
    let expected = vec![
        within(Kind::Ask, 9, b"are you there"),
        within(Kind::Answer, 10, b""),
        within(Kind::Answer, 10, b"yes"),
        message(1, "心!".as_bytes()),
        message(2, b"next"),
    ];
    assert_eq!(read(&server(""), &input.concat()), (expected.clone(), Ok(0)));
    // The first one is there before anything of the next frame is.
    assert_eq!(read(&server(""), &input[..2].concat()), (expected[..1].to_vec(), Ok(input[..2].concat().len())));
}

#[test]
fn control_frames_in_front_are_frames() {
    let input = [frame(0x89, b"12", KEY), frame(0x8a, b"", KEY), frame(0x88, b"\x03\xe8bye", KEY)].concat();
    let alone = |kind, opcode, text: &[u8]| Got { kind, opcode, message: text.to_vec(), within: false };
    let expected =
        vec![alone(Kind::Ask, 9, b"12"), alone(Kind::Answer, 10, b""), alone(Kind::Close, 8, b"\x03\xe8bye")];
    assert_eq!(read(&server(""), &input), (expected, Ok(0)));
}

#[test]
fn a_close_within_a_message_ends_it() {
    let close = frame(0x88, &1001u16.to_be_bytes(), KEY);
    let input = [frame(0x02, b"unfinished", KEY), close].concat();
    let (mut bytes, total) = (input.clone(), input.len());
    let Ok(Cut::Frame(frame)) = cut(&server(""), &mut bytes) else { panic!() };
    assert_eq!((frame.kind, frame.head, frame.message, frame.total), (Kind::Close, 16..22, 22..24, total));
    assert_eq!(
        read(&server(""), &input).0,
        [Got { kind: Kind::Close, opcode: 8, message: vec![3, 233], within: false }]
    );
}

#[test]
fn who_masks() {
    assert_eq!(fault(&server(""), &frame(0x82, b"x", None)), (WebSocketFault::Unmasked, 1));
    assert_eq!(fault(&client(""), &frame(0x82, b"x", KEY)), (WebSocketFault::Masked, 1));
    // Also of control frames, and between fragments.
    assert_eq!(fault(&server(""), &frame(0x89, b"", None)), (WebSocketFault::Unmasked, 1));
    let second = [frame(0x02, b"x", KEY), frame(0x80, b"x", None)].concat();
    assert_eq!(fault(&server(""), &second), (WebSocketFault::Unmasked, 8));
}

#[test]
fn reserved_bits_and_opcodes_are_refused_at_the_first_byte() {
    for bits in [0x10, 0x20, 0x40, 0x70] {
        for opcode in [0, 1, 2, 8, 9, 10] {
            assert_eq!(fault(&server(""), &[0x80 | bits | opcode]), (WebSocketFault::ReservedBits, 0));
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(fault(&server(""), &[0x80 | opcode]), (WebSocketFault::Opcode { opcode }, 0));
        let input = [frame(0x01, b"a", KEY), vec![0x80 | opcode]].concat();
        assert_eq!(fault(&server(""), &input), (WebSocketFault::Opcode { opcode }, 7));
    }
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [8, 9, 10] {
        assert_eq!(fault(&server(""), &[opcode]), (WebSocketFault::ControlFragmented, 0));
        assert_eq!(fault(&server(""), &[0x80 | opcode, 0xfe]), (WebSocketFault::ControlTooLong, 1));
        assert_eq!(fault(&server(""), &[0x80 | opcode, 0xff]), (WebSocketFault::ControlTooLong, 1));
    }
    assert_eq!(read(&server(",max=1"), &frame(0x89, &[7; 125], KEY)).0[0].message, [7; 125], "max is of messages");
}

#[test]
fn fragments_come_in_order() {
    assert_eq!(fault(&server(""), &[0x80]), (WebSocketFault::NoMessage, 0));
    assert_eq!(fault(&server(""), &[0x00]), (WebSocketFault::NoMessage, 0));
    let whole = frame(0x82, b"whole", KEY);
    assert_eq!(fault(&server(""), &[&whole[..], &[0x80]].concat()), (WebSocketFault::NoMessage, 0));
    for first in [0x01, 0x02, 0x81, 0x82] {
        let input = [frame(0x02, b"", KEY), vec![first]].concat();
        assert_eq!(fault(&server(""), &input), (WebSocketFault::MessageUnfinished, 6));
    }
}

#[test]
fn lengths_are_minimal_and_have_63_bits() {
    for (length, expected) in [
        (&[126, 0, 125][..], WebSocketFault::LengthNotMinimal),
        (&[126, 0, 0], WebSocketFault::LengthNotMinimal),
        (&[127, 0, 0, 0, 0, 0, 0, 255, 255], WebSocketFault::LengthNotMinimal),
        (&[127, 0, 0, 0, 0, 0, 0, 0, 0], WebSocketFault::LengthNotMinimal),
        (&[127, 128, 0, 0, 0, 0, 0, 0, 0], WebSocketFault::LengthTopBit),
        (&[127, 255, 255, 255, 255, 255, 255, 255, 255], WebSocketFault::LengthTopBit),
    ] {
        assert_eq!(fault(&client(",max=1M"), &[&[0x82], length].concat()), (expected, 2), "{length:?}");
        let mut masked = [&[0x82], length].concat();
        masked[1] |= 0x80;
        assert_eq!(fault(&server(",max=1M"), &masked), (expected, 2), "{length:?}");
    }
    let longest = [0x82, 127, 127, 255, 255, 255, 255, 255, 255, 255];
    let expected = FrameError::TooLarge { limit: 1 << 30, length: i64::MAX as u64, at: 1 };
    assert_eq!(refusal(&client(",max=1024M"), &longest), expected);
    for length in [0, 1, 125, 126, 127, 65535, 65536, 65537] {
        let payload = vec![b'x'; length];
        assert_eq!(feed(&server(",max=1M"), &frame(0x81, &payload, KEY), [3]), (vec![message(1, &payload)], Ok(0)));
    }
}

#[test]
fn max_holds_for_all_fragments_together_and_is_told_by_the_header() {
    let framing = server(",max=10");
    let two = |second: usize| [frame(0x02, &[1; 6], KEY), frame(0x80, &vec![2; second], KEY)].concat();
    assert_eq!(read(&framing, &two(4)).0[0].message.len(), 10);
    // Its header, and nothing of its payload.
    assert_eq!(refusal(&framing, &two(5)[..18]), FrameError::TooLarge { limit: 10, length: 11, at: 13 });
    assert_eq!(refusal(&framing, &frame(0x82, &[0; 11], KEY)[..6]).close_status(), 1009);
    // Before a continuation can make the sum wrap.
    let wrap = [&frame(0x02, b"1", None)[..], &[0x80, 127, 127, 255, 255, 255, 255, 255, 255, 255]].concat();
    assert_eq!(refusal(&client(""), &wrap), FrameError::TooLarge { limit: 16 << 20, length: 1 << 63, at: 4 });
}

#[test]
fn ten_thousand_fragments_without_an_end_are_refused() {
    let first = frame(0x02, b"", KEY);
    let more = frame(0x00, b"", KEY);
    let input = [first.clone(), more.repeat(10_000)].concat();
    let limit = WebSocketFault::TooManyFragments { limit: 4096 };
    assert_eq!(fault(&server(""), &input), (limit, 4096 * 6));
    assert!(refusal(&server(""), &input).is_over_limit());
    assert_eq!(refusal(&server(""), &input).close_status(), 1009);
    // Nor are pings without an end within a message: they are kept with it.
    let pings = [first.clone(), frame(0x89, b"", KEY).repeat(10_000)].concat();
    assert_eq!(feed(&server(""), &pings, []).1, Err(FrameError::WebSocket { fault: limit, at: 4096 * 6 }));
    let (given, few) =
        (server(",fragments=3"), |count: usize| [&first[..], &more.repeat(count - 2), &frame(0x80, b"", KEY)].concat());
    assert_eq!(read(&given, &few(3)), (vec![message(2, b"")], Ok(0)));
    assert_eq!(fault(&given, &few(4)), (WebSocketFault::TooManyFragments { limit: 3 }, 18));
    assert_eq!(fault(&server(",max=1"), &input).0, WebSocketFault::TooManyFragments { limit: 1024 });
}

#[test]
fn text_fails_at_the_byte_that_makes_it_none() {
    let good = "κόσμε";
    for (bad, at) in [
        (&b"\xff"[..], 0),
        (b"\x80", 0),
        (b"\xc0", 0),
        (b"\xc1", 0),
        (b"\xe0\x80", 0),
        (b"\xed\xa0", 0),
        (b"\xf0\x80", 0),
        (b"\xf4\x90", 0),
        (b"\xf5", 0),
        (b"\xe2\x28", 0),
        (b"\xf0\x9f\x28", 0),
        (b"\xf0\x9f\xa6\x28", 0),
        (b"a\xfe", 1),
    ] {
        let text = [good.as_bytes(), bad].concat();
        let expected = (WebSocketFault::NotText, good.len() + at);
        // The rest of the frame has not come, nor has its end.
        let long = [text.clone(), vec![b'x'; 200]].concat();
        let begun = &frame(0x01, &long, KEY)[..8 + text.len()];
        assert_eq!(fault(&server(""), begun), expected, "{bad:x?}");
        for byte in 1..begun.len() {
            assert!(feed(&server(""), &begun[..byte], []).1.is_ok(), "{bad:x?}: not before");
        }
        // Each byte in a fragment of its own.
        let mut input = frame(0x01, &text[..1], KEY);
        text[1..].iter().for_each(|byte| input.extend(frame(0x00, &[*byte], KEY)));
        assert_eq!(fault(&server(""), &input), expected, "{bad:x?}");
        // A frame that is short and whole.
        assert_eq!(fault(&server(""), &frame(0x81, &text, KEY)), expected, "{bad:x?}");
        assert_eq!(refusal(&server(""), &frame(0x81, &text, KEY)).close_status(), 1007);
        assert_eq!(read(&server(""), &frame(0x82, &text, KEY)).0[0].message, text, "binary may be anything");
    }
}

#[test]
fn a_character_may_be_cut_anywhere_but_at_the_end_of_the_message() {
    let text = "aé漢🦀";
    for at in 0..=text.len() {
        let (one, two) = text.as_bytes().split_at(at);
        let input =
            [frame(0x01, one, KEY), frame(0x00, b"", KEY), frame(0x89, b"", KEY), frame(0x80, two, KEY)].concat();
        assert_eq!(read(&server(""), &input).0[1], message(1, text.as_bytes()));
        let ends = frame(0x81, one, KEY);
        let ends_late = [frame(0x01, one, KEY), frame(0x80, b"", KEY)].concat();
        let long = format!("{}{text}", "x".repeat(200)).into_bytes();
        let ends_long = frame(0x81, &long[..200 + at], KEY);
        for (input, before) in [(ends, 0), (ends_late, 0), (ends_long, 200)] {
            match std::str::from_utf8(one) {
                Ok(_) => assert_eq!(read(&server(""), &input).1, Ok(0)),
                Err(error) => {
                    let expected = (WebSocketFault::NotText, before + error.valid_up_to());
                    assert_eq!(fault(&server(""), &input), expected);
                }
            }
        }
    }
}

#[test]
fn what_a_close_may_say() {
    let close = |body: &[u8]| frame(0x88, body, KEY);
    for code in 0..=u16::MAX {
        let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let cut = cut(&server(""), &mut close(&code.to_be_bytes()));
        match cut {
            Ok(Cut::Frame(Frame { kind: Kind::Close, .. })) => assert!(allowed, "{code}"),
            Err(FrameError::WebSocket { fault, at: 6 }) => {
                assert_eq!((fault, allowed), (WebSocketFault::CloseCode { code }, false));
            }
            other => panic!("{code}: {other:?}"),
        }
    }
    assert!(read(&server(""), &close(b"")).1.is_ok());
    assert_eq!(fault(&server(""), &close(b"\x03")), (WebSocketFault::CloseBody, 6));
    let reason = [&1000u16.to_be_bytes()[..], &[b'x'; 123]].concat();
    assert_eq!(read(&server(""), &close(&reason)).0[0].message, reason);
    assert_eq!(fault(&server(""), &close(b"\x03\xe8ok\xed\xa0\x80")), (WebSocketFault::CloseReason, 10));
    assert_eq!(refusal(&server(""), &close(b"\x03\xe8\xc3")).close_status(), 1007);
    assert_eq!(refusal(&server(""), &close(b"\x03")).close_status(), 1002);
}

#[test]
fn a_ping_is_answered_with_its_payload_and_a_close_with_its_code() {
    for (first, payload, answered) in [
        (0x89, &b""[..], frame(0x8a, b"", None)),
        (0x89, &[9; 125], frame(0x8a, &[9; 125], None)),
        (0x88, b"", frame(0x88, b"", None)),
        (0x88, b"\x0f\xa1because", frame(0x88, b"\x0f\xa1", None)),
    ] {
        // In front, and within a message.
        for before in [Vec::new(), frame(0x02, b"begun", KEY)] {
            let mut input = [before, frame(first, payload, KEY)].concat();
            let (Ok(Cut::Frame(cut)) | Ok(Cut::Within(cut))) = cut(&server(""), &mut input) else { panic!() };
            assert_eq!(sent(&server(""), |framing, out| framing.answer(&input[..cut.total], &cut, out)), answered);
        }
        let mut input = frame(first, payload, None);
        let Ok(Cut::Frame(frame)) = cut(&client(""), &mut input) else { panic!() };
        let ours = sent(&client(""), |framing, out| framing.answer(&input, &frame, out));
        assert_eq!(read(&server(""), &ours).0[0].message, answered[2..], "a client's answer is masked");
    }
}

#[test]
fn our_goodbye_carries_a_code_that_may_be_sent() {
    for (status, body) in [(1000, &[3, 232][..]), (1001, &[3, 233]), (4999, &[19, 135]), (1005, &[]), (0, &[])] {
        let ours = sent(&server(""), |framing, out| assert!(framing.close(status, out)));
        assert_eq!(ours, frame(0x88, body, None));
        let ours = sent(&client(""), |framing, out| assert!(framing.close(status, out)));
        assert_eq!(read(&server(""), &ours).0[0].message, body);
    }
}

#[test]
fn the_ask_is_a_ping() {
    assert!(server("").has_beats());
    assert_eq!(sent(&server(""), |framing, out| assert!(framing.ask(out))), frame(0x89, b"", None));
    let ping = sent(&client(""), |framing, out| assert!(framing.ask(out)));
    assert_eq!(read(&server(""), &ping).0[0].kind, Kind::Ask);
    // An empty message is a message.
    assert_eq!(read(&server(""), &frame(0x81, b"", KEY)).0[0].kind, Kind::Message);
}

#[test]
fn beats_for_pages_go_beside_ping_and_pong() {
    let keys = ",ask=\"{\\\"t\\\":1}\",answer=hex:ff";
    let (framing, other) = (server(keys), client(keys));
    assert_eq!(sent(&framing, |framing, out| assert!(framing.ask(out))), frame(0x81, b"{\"t\":1}", None));
    let ask = sent(&other, |framing, out| assert!(framing.ask(out)));
    assert_ne!(ask, sent(&other, |framing, out| assert!(framing.ask(out))), "each with a mask of its own");
    // Taken in either form; the answer has that of the ask where it can.
    for (first, answered) in [(0x81, 0x82), (0x82, 0x82)] {
        let mut input = frame(first, b"{\"t\":1}", KEY);
        let Ok(Cut::Frame(cut)) = cut(&framing, &mut input) else { panic!() };
        assert_eq!(cut.kind, Kind::Ask);
        let answer = sent(&framing, |framing, out| framing.answer(&input, &cut, out));
        assert_eq!(answer, frame(answered, b"\xff", None), "what is no text goes as binary");
        assert_eq!(read(&other, &answer).0[0].kind, Kind::Answer);
    }
    let input = [frame(0x81, b"{\"t\":2}", KEY), frame(0x89, b"", KEY), frame(0x8a, b"", KEY)].concat();
    let kinds: Vec<_> = read(&framing, &input).0.into_iter().map(|got| got.kind).collect();
    assert_eq!(kinds, [Kind::Message, Kind::Ask, Kind::Answer]);
    // In fragments it is the same message.
    let input = [frame(0x01, b"{\"t\"", KEY), frame(0x80, b":1}", KEY)].concat();
    assert_eq!(read(&framing, &input).0[0].kind, Kind::Ask);
}

#[test]
fn a_beat_that_is_ask_and_answer_is_answered_in_its_own_form() {
    let framing = server(",ask=beat");
    for first in [0x81, 0x82] {
        let mut input = frame(first, b"beat", KEY);
        let Ok(Cut::Frame(cut)) = cut(&framing, &mut input) else { panic!() };
        assert_eq!(cut.kind, Kind::Either);
        assert_eq!(sent(&framing, |framing, out| framing.answer(&input, &cut, out)), frame(first, b"beat", None));
    }
    let dialled = framing.for_dialled();
    let mut input = frame(0x81, b"beat", None);
    let Ok(Cut::Frame(cut)) = cut(&dialled, &mut input) else { panic!() };
    let answer = sent(&dialled, |framing, out| framing.answer(&input, &cut, out));
    assert_eq!(
        read(&framing, &answer).0,
        [Got { kind: Kind::Either, opcode: 1, message: b"beat".to_vec(), within: false }]
    );
}

#[test]
fn the_head_of_what_came_can_be_given_back() {
    let framing = server("");
    for first in [0x81, 0x82] {
        for length in [0, 125, 126, 65536] {
            let payload = vec![b'x'; length];
            let mut input = frame(first, &payload, KEY);
            let Ok(Cut::Frame(cut)) = cut(&server(",max=1M"), &mut input) else { panic!() };
            let head = input[cut.head].to_vec();
            let echo = sent(&framing, |framing, out| framing.encode(Some(&head), &[&input[cut.message]], out).unwrap());
            assert_eq!(echo, frame(first, &payload, None));
        }
    }
    let refused = |head: &[u8], message: &[&[u8]]| {
        let mut out = b"before".to_vec();
        let error = framing.encode(Some(head), message, &mut out).unwrap_err();
        assert_eq!(out, b"before");
        assert!(!error.to_string().is_empty());
        error
    };
    assert_eq!(refused(&[0x81], &[b"ab\xc3", b"x"]), EncodeError::NotText { at: 2 });
    assert_eq!(refused(&[0x81], &[b"ab", b"\xc3"]), EncodeError::NotText { at: 2 });
    assert_eq!(refused(&[0x89], &[b""]), EncodeError::Opcode { given: 9 });
    assert_eq!(refused(&[0x80], &[b""]), EncodeError::Opcode { given: 0 });
    assert_eq!(refused(&[], &[b""]), EncodeError::HeadSize { expected: 1, given: 0 });
    let cut_between = sent(&framing, |framing, out| framing.encode(Some(&[1]), &[b"\xc3", b"\xa9"], out).unwrap());
    assert_eq!(cut_between, frame(0x81, "é".as_bytes(), None), "a character may be in two slices");
}

#[test]
fn long_messages_are_sent_in_fragments() {
    let text = "aé漢🦀".repeat(40);
    let slices = text.as_bytes().split_at(33);
    for (most, length) in [(1, 400), (7, 400), (125, 400), (126, 400), (399, 400), (400, 400), (401, 400)] {
        let keys = format!(",send-fragment={most}");
        let heads =
            sent(&server(&keys), |framing, out| framing.encode(Some(&[1]), &[slices.0, slices.1], out).unwrap());
        let expected: Vec<u8> = text
            .as_bytes()
            .chunks(most)
            .enumerate()
            .flat_map(|(index, part)| {
                let first = if index == 0 { 1 } else { 0 } | if (index + 1) * most >= length { 0x80 } else { 0 };
                frame(first, part, None)
            })
            .collect();
        assert_eq!(heads, expected, "{most}");
        let masked =
            sent(&client(&keys), |framing, out| framing.encode(Some(&[1]), &[slices.0, slices.1], out).unwrap());
        assert_eq!(feed(&server(""), &masked, []), (vec![message(1, text.as_bytes())], Ok(0)));
    }
    let mut out = b"before".to_vec();
    let bad = [text.as_bytes(), b"\xff"].concat();
    let error = server(",send-fragment=7").encode(Some(&[1]), &[&bad], &mut out).unwrap_err();
    assert_eq!((error, &out[..]), (EncodeError::NotText { at: 400 }, &b"before"[..]));
    // By default above 64 KiB.
    let default = |length| sent(&server(""), |framing, out| framing.encode(None, &[&vec![0; length]], out).unwrap());
    assert_eq!(default(65536)[0], 0x82);
    assert_eq!(default(65537)[0], 0x02);
}

#[test]
fn no_two_masks_of_a_client_can_be_foreseen_from_each_other() {
    let framings = [client(""), client("")];
    let mut masks = Vec::new();
    // A clone goes on with the same sequence, another parse has one of its own.
    for framing in [&framings[0], &framings[0].clone(), &framings[1]] {
        for _ in 0..300 {
            let bytes = sent(framing, |framing, out| framing.encode(None, &[b"same"], out).unwrap());
            assert_eq!(read(&server(""), &bytes).0[0].message, b"same");
            masks.push(bytes[2..6].to_vec());
        }
    }
    let steps: Vec<_> =
        masks.windows(2).map(|pair| pair[0].iter().zip(&pair[1]).map(|(a, b)| a ^ b).collect::<Vec<_>>()).collect();
    for mut values in [masks, steps] {
        let count = values.len();
        values.sort();
        values.dedup();
        // Two of 900 among 2^32 are the same once in ten thousand runs.
        assert!(values.len() >= count - 2, "{} of {count}", values.len());
    }
}
