//! F1, F3, F4 of WebSocket: however the bytes come, the same comes out as of a plain model that looks at all of them at
//! once; nothing is remembered between messages; the cost grows with the bytes.
#![cfg(feature = "websocket")]

#[path = "../fuzz/websocket_body.rs"]
mod websocket_body;

use heartline::frame::{Cut, FrameError, Framing, Stream};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use websocket_body::{Settings, feed, frame, model};

const ROOMY: Settings = Settings { masked: true, max: 1 << 16, fragments: 1000 };

/// Fragmented text of many-byte characters, pings within, an empty message, a long one, a close.
fn rich(masked: bool) -> Vec<u8> {
    let key = masked.then_some([0x81, 0, 0xff, 0x5a]);
    let text = "心跳线 ❤ aé🦀".as_bytes();
    let mut input = Vec::new();
    for (index, part) in text.chunks(5).enumerate() {
        input.extend(frame(if index == 0 { 0x01 } else { 0x00 }, part, key));
        input.extend(frame([0x89, 0x8a][index % 2], &text[..index], key));
    }
    input.extend(frame(0x80, b"", key));
    input.extend(frame(0x89, b"alone", key));
    input.extend(frame(0x82, b"", key));
    input.extend(frame(0x02, &[0xff; 130], key));
    input.extend(frame(0x80, &[0xfe; 7], key));
    input.extend(frame(0x01, b"", key));
    input.extend(frame(0x80, "é".repeat(70).as_bytes(), key));
    input.extend(frame(0x02, b"never whole", key));
    input.extend(frame(0x88, b"\x03\xe9going", key));
    input
}

#[test]
fn every_cut_of_a_rich_stream_in_two_and_three_gives_the_same() {
    for masked in [true, false] {
        let settings = Settings { masked, ..ROOMY };
        let (framing, input) = (settings.framing(), rich(masked));
        let expected = model(&settings, &input);
        assert_eq!((expected.0.len(), &expected.1), (11, &Ok(0)));
        assert_eq!(feed(&framing, &input, []), expected);
        assert_eq!(feed(&framing, &input, std::iter::repeat(1)), expected);
        for first in 1..input.len() {
            assert_eq!(feed(&framing, &input, [first]), expected, "cut at {first}");
            for second in (1..input.len() - first).step_by(if cfg!(miri) { 97 } else { 3 }) {
                assert_eq!(feed(&framing, &input, [first, second]), expected, "cut at {first} and {second} on");
            }
        }
        // Any part of it, too, whether it ends in the middle of something or not.
        for end in 0..input.len() {
            assert_eq!(feed(&framing, &input[..end], [end / 2]), model(&settings, &input[..end]), "{end} bytes");
        }
    }
}

#[test]
fn one_wrong_bit_anywhere_is_seen_alike_by_both() {
    let settings = Settings { max: 200, fragments: 20, ..ROOMY };
    let (framing, input) = (settings.framing(), rich(true));
    let (mut refused, mut taken) = (0, 0);
    for bit in 0..8 * input.len() {
        let mut wrong = input.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let expected = model(&settings, &wrong);
        assert_eq!(feed(&framing, &wrong, []), expected, "bit {bit}");
        assert_eq!(feed(&framing, &wrong, [bit / 8, 1]), expected, "bit {bit}");
        *if expected.1.is_err() { &mut refused } else { &mut taken } += 1;
    }
    assert!(refused > 500 && taken > 500, "{refused} {taken}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 5 } else { 1500 }))]

    #[test]
    fn any_frames_in_any_reads_are_what_the_model_says(
        masked in any::<bool>(),
        max in 1usize..400,
        fragments in 1u32..40,
        script in prop::collection::vec(any::<u8>(), 0..300),
        reads in prop::collection::vec(1usize..60, 0..60),
    ) {
        let settings = Settings { masked, max, fragments };
        let input = websocket_body::frames(masked, &script);
        let expected = model(&settings, &input);
        let framing = settings.framing();
        prop_assert_eq!(&feed(&framing, &input, reads), &expected);
        prop_assert_eq!(&feed(&framing, &input, std::iter::repeat(1)), &expected);
    }

    #[test]
    fn messages_in_any_fragments_come_back_whole(
        text in "[a-zé漢🦀]{0,200}",
        cuts in prop::collection::vec(0usize..30, 0..20),
        pings in any::<u32>(),
        reads in prop::collection::vec(1usize..60, 0..60),
    ) {
        let (mut input, mut rest, mut first) = (Vec::new(), text.as_bytes(), 0x01);
        for (index, at) in cuts.iter().enumerate() {
            let (part, after) = rest.split_at((*at).min(rest.len()));
            input.extend(frame(first, part, Some([index as u8, 3, 5, 7])));
            if pings >> (index % 32) & 1 == 1 {
                input.extend(frame(0x89, &[index as u8], Some([9; 4])));
            }
            (rest, first) = (after, 0x00);
        }
        input.extend(frame(0x80 | first, rest, Some([1, 2, 3, 4])));
        let (got, end) = feed(&ROOMY.framing(), &input, reads);
        prop_assert_eq!(end, Ok(0));
        prop_assert_eq!(&got.last().unwrap().message, text.as_bytes());
        prop_assert_eq!(got.len() - 1, (0..cuts.len()).filter(|index| pings >> (index % 32) & 1 == 1).count());
    }

    #[test]
    fn what_one_end_sends_the_other_takes(
        payload in prop::collection::vec(any::<u8>(), 0..600),
        fragment in 1usize..700,
        cut_at in 0usize..600,
    ) {
        let server = Framing::parse(&format!("websocket,send-fragment={fragment}")).unwrap();
        let client = server.for_dialled();
        let (one, two) = payload.split_at(cut_at.min(payload.len()));
        let text = if std::str::from_utf8(&payload).is_ok() { 1 } else { 2 };
        for (from, to) in [(&server, &client), (&client, &server)] {
            let mut sent = Vec::new();
            from.encode(Some(&[text]), &[one, two], &mut sent).unwrap();
            from.ask(&mut sent);
            from.close(1000, &mut sent);
            let (got, end) = feed(to, &sent, [1, 7]);
            prop_assert_eq!(end, Ok(0));
            prop_assert_eq!(got.len(), 3);
            prop_assert_eq!((&got[0].message, got[0].opcode), (&payload, text));
        }
    }
}

/// F4, without a clock: what was joined is changed behind the codec's back. Had it looked again, it would see that this
/// is no text; had it moved or unmasked it again, it would be other bytes.
#[test]
fn what_was_joined_is_not_looked_at_again() {
    const PARTS: usize = if cfg!(miri) { 5 } else { 60 };
    let settings = Settings { max: 1 << 14, ..ROOMY };
    let part = |first| frame(first, "心跳❤".repeat(12).as_bytes(), Some([9, 8, 7, 6]));
    let parts = [part(0x01), frame(0x89, b"x", Some([1; 4])), part(0x00).repeat(PARTS), part(0x80)].concat();
    let long = frame(0x81, "線".repeat(2000).as_bytes(), Some([5, 0, 5, 1]));
    for input in [parts, long] {
        let head = if input[1] & 0x7f == 126 { 8 } else { 6 };
        let (framing, mut stream, mut control) = (settings.framing(), Stream::default(), Vec::new());
        let (mut buffer, mut joined) = (Vec::new(), 0);
        let length = model(&settings, &input).0.last().unwrap().message.len();
        for (index, byte) in input.iter().enumerate() {
            buffer.push(*byte);
            let mut cut = framing.cut(&mut buffer, &mut stream, &mut control).unwrap();
            if let Cut::Within(_) = cut {
                cut = framing.cut(&mut buffer, &mut stream, &mut control).unwrap();
            }
            if let Cut::Frame(frame) = cut {
                assert_eq!((index + 1, frame.message.len()), (input.len(), length));
                assert!(buffer[frame.message][..joined].iter().all(|byte| *byte == 0xff));
                assert!(joined > length - 100, "nearly all was changed");
                break;
            }
            // All but the character that may be unfinished, of what can have been joined by now.
            joined = joined.max((index * length / input.len()).saturating_sub(60));
            if joined > 0 {
                buffer[head..head + joined].fill(0xff);
            }
        }
    }
}

/// In one cut: were what follows a fragment moved with each of them, it would move 2 TiB.
#[test]
#[cfg_attr(miri, ignore = "a measurement")]
fn sixteen_mebibytes_in_frames_of_64_bytes_are_within_the_limits_and_cost_no_square() {
    let framing = Framing::parse("websocket,max=16M").unwrap();
    let parts = frame(0x00, &[b'x'; 64], Some([1, 2, 3, 4])).repeat((16 << 20) / 64);
    let mut input = [frame(0x01, b"", Some([0; 4])), parts, frame(0x80, b"", Some([0; 4]))].concat();
    let started = Instant::now();
    let cut = framing.cut(&mut input, &mut Stream::default(), &mut Vec::new());
    assert!(started.elapsed() < Duration::from_secs(20), "a second or two in a debug build: {:?}", started.elapsed());
    let Ok(Cut::Frame(frame)) = cut else { panic!("{cut:?}") };
    assert_eq!((frame.message.len(), frame.total), (16 << 20, input.len()));
    assert!(input[frame.message].iter().all(|byte| *byte == b'x'));
}

#[test]
fn a_promise_of_much_reserves_nothing_and_waits() {
    let framing = Framing::parse("websocket,max=1024M").unwrap();
    let mut input = [&[0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0][..], &[1, 2, 3, 4], b"some"].concat();
    let cut = framing.cut(&mut input, &mut Stream::default(), &mut Vec::new());
    assert_eq!(cut, Ok(Cut::More { need: 14 + (1 << 30), exact: true }));
    input[6] = 0x41;
    let cut = framing.cut(&mut input, &mut Stream::default(), &mut Vec::new());
    assert_eq!(cut, Err(FrameError::TooLarge { limit: 1 << 30, length: 0x4100_0000, at: 1 }));
}
