//! Properties of every built-in codec: what is encoded is what is cut, wherever the bytes are cut into reads.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use bodies::{check, feed};
use heartline::frame::{Cut, EncodeError, Framing, Kind, Stream};
use proptest::prelude::*;

/// Messages and inputs are shorter than this. Miri takes a hundred times as long for each byte.
const BYTES: usize = if cfg!(miri) { 40 } else { 300 };

fn any_length() -> impl Strategy<Value = Framing> {
    let shape = (prop::sample::select(vec!["1", "2", "3", "4", "8"]), any::<bool>(), 0..9_usize, 0..9_usize);
    (shape, -20..20_i32, any::<bool>()).prop_map(|((width, big, at, behind), adjust, includes_head)| {
        let order = if big { "be" } else { "le" };
        let head = at + width.parse::<usize>().unwrap() + behind;
        let includes_head = if includes_head { ",includes-head" } else { "" };
        let spec = format!("length:{width}{order},at={at},head={head},adjust={adjust}{includes_head},max=4K");
        Framing::parse(&spec).unwrap()
    })
}

fn any_framing() -> impl Strategy<Value = Framing> {
    let others =
        ["varint", "line-header", "line-header,key=n", "line-header,form=json", "delimiter:\\r\\n", "delimiter:aab"];
    prop_oneof![any_length(), prop::sample::select(others.to_vec()).prop_map(|spec| Framing::parse(spec).unwrap())]
}

proptest! {
    #[test]
    fn what_is_encoded_is_cut_again_wherever_the_reads_end(
        framing in any_framing(),
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..BYTES), 1..6),
        pieces in prop::collection::vec(1..40_usize, 1..6),
        slices in 1..5_usize,
    ) {
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        for message in &messages {
            let gathered: Vec<&[u8]> = message.chunks(message.len() / slices + 1).collect();
            let before = sent.clone();
            match framing.encode(None, &gathered, &mut sent) {
                Ok(()) => expected.push(message.clone()),
                Err(EncodeError::LengthUnfit { .. } | EncodeError::TooShort { .. } | EncodeError::HasDelimiter { .. }) => {
                    prop_assert_eq!(&before, &sent, "on error out is unchanged");
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
        let (got, rest) = check(&framing, &sent, &pieces);
        prop_assert_eq!(rest, Ok(0));
        let messages: Vec<_> = got.iter().map(|got| got.message.clone()).collect();
        prop_assert_eq!(messages, expected);
        for got in got {
            let kind = if got.message.is_empty() && framing.has_beats() { Kind::Either } else { Kind::Message };
            prop_assert_eq!(got.kind, kind);
        }
    }

    #[test]
    fn a_given_head_keeps_all_but_its_length(
        framing in any_length(),
        mut head in prop::collection::vec(any::<u8>(), 0..26),
        message in prop::collection::vec(any::<u8>(), 0..BYTES.min(200)),
    ) {
        let mut plain = Vec::new();
        if framing.encode(None, &[&message], &mut plain).is_ok() {
            let head_bytes = plain.len() - message.len();
            head.resize(head_bytes, 0xa5);
            let mut sent = Vec::new();
            framing.encode(Some(&head), &[&message], &mut sent).unwrap();
            let (got, rest) = feed(&framing, &sent, [sent.len()]);
            prop_assert_eq!(rest, Ok(0));
            prop_assert_eq!(&got[0].message, &message);
            let spec = framing.spec();
            let number = |key: &str| spec.split(key).nth(1).map(|rest| rest.split(',').next().unwrap().parse::<usize>().unwrap());
            let at = number("at=").unwrap_or(0);
            let width = usize::from(spec.as_bytes()[7] - b'0');
            for index in (0..at).chain(at + width..head_bytes) {
                prop_assert_eq!(got[0].head[index], head[index]);
            }
            prop_assert_eq!(&got[0].head[at..at + width], &plain[at..at + width]);
            head.push(0);
            let refused = framing.encode(Some(&head), &[&message], &mut sent);
            prop_assert_eq!(refused, Err(EncodeError::HeadSize { expected: head_bytes, given: head_bytes + 1 }));
        }
    }

    #[test]
    fn text_heads_keep_their_form_and_other_keys(kind in 0..1000_u32, message in prop::collection::vec(any::<u8>(), 0..BYTES.min(200))) {
        let framing = Framing::parse("line-header").unwrap();
        let length = message.len();
        for (head, expected) in [
            ("7\r\n".to_owned(), format!("{length}\r\n")),
            (format!("type={kind}; length = 007 ;b=\r\n"), format!("type={kind}; length = {length} ;b=\r\n")),
            (format!("{{\"t\":{kind}}}\r\n"), String::new()),
            (
                format!("{{\"t\" : -{kind}.5e+3,\"length\":0 ,\"s\":\"\\\"length\\\":9\"}}\r\n"),
                format!("{{\"t\" : -{kind}.5e+3,\"length\":{length} ,\"s\":\"\\\"length\\\":9\"}}\r\n"),
            ),
        ] {
            let mut sent = Vec::new();
            let encoded = framing.encode(Some(head.as_bytes()), &[&message], &mut sent);
            if expected.is_empty() {
                let refused = matches!(encoded, Err(EncodeError::BadHead { .. }));
                prop_assert!(refused);
                prop_assert!(sent.is_empty());
                continue;
            }
            prop_assert_eq!(encoded, Ok(()));
            let (got, rest) = check(&framing, &sent, &[3, 9]);
            prop_assert_eq!(rest, Ok(0));
            prop_assert_eq!(&got[0].head, expected.as_bytes());
            prop_assert_eq!(&got[0].message, &message);
        }
    }

    #[test]
    fn a_delimiter_is_found_as_a_naive_search_finds_it(
        delimiter in "[ab]{1,8}",
        input in if cfg!(miri) { "[ab]{0,30}" } else { "[ab]{0,120}" },
        pieces in prop::collection::vec(1..9_usize, 1..4),
    ) {
        let framing = Framing::parse(&format!("delimiter:{delimiter}")).unwrap();
        let (got, rest) = check(&framing, input.as_bytes(), &pieces);
        let mut parts: Vec<&str> = Vec::new();
        let mut naive = &*input;
        while let Some((line, after)) = naive.split_once(&*delimiter) {
            parts.push(line);
            naive = after;
        }
        prop_assert_eq!(rest, Ok(naive.len()));
        let lines: Vec<_> = got.iter().map(|got| String::from_utf8(got.message.clone()).unwrap()).collect();
        prop_assert_eq!(lines, parts);
    }

    #[test]
    fn fixed_records_and_raw_bytes_come_out_as_they_went_in(
        size in 1..40_usize,
        input in prop::collection::vec(any::<u8>(), 0..BYTES),
        pieces in prop::collection::vec(1..40_usize, 1..6),
    ) {
        let fixed = Framing::parse(&format!("fixed:{size}")).unwrap();
        let (got, rest) = check(&fixed, &input, &pieces);
        prop_assert_eq!(rest, Ok(input.len() % size));
        prop_assert!(got.iter().map(|got| &got.message[..]).eq(input.chunks_exact(size)));
        let raw = Framing::parse(&format!("raw,max={size}")).unwrap();
        let (got, rest) = check(&raw, &input, &pieces);
        prop_assert_eq!(rest, Ok(0));
        prop_assert!(got.iter().map(|got| &got.message[..]).eq(input.chunks(size)));
    }
}

#[test]
fn default_heads_on_the_wire() {
    for (spec, message, wire) in [
        ("length:4be", "hi", &b"\0\0\0\x02hi"[..]),
        ("length:2le,at=1,head=5", "hi", b"\0\x02\0\0\0hi"),
        ("length:3be,includes-head", "hi", b"\0\0\x05hi"),
        ("length:2be,adjust=-4", "hi", b"\0\x06hi"),
        ("length:1be,adjust=2", "hi", b"\0hi"),
        ("length:8le,includes-head,adjust=+8", "hi", b"\x02\0\0\0\0\0\0\0hi"),
        ("varint", "hi", b"\x02hi"),
        ("line-header", "hi", b"2\r\nhi"),
        ("line-header,key=length", "hi", b"length=2\r\nhi"),
        ("line-header,form=json", "hi", b"{\"length\":2}\r\nhi"),
        ("line-header,key=n,form=number", "hi", b"2\r\nhi"),
        ("delimiter:\\r\\n", "hi", b"hi\r\n"),
        ("fixed:2", "hi", b"hi"),
        ("raw", "hi", b"hi"),
    ] {
        let framing = Framing::parse(spec).unwrap();
        let mut out = Vec::new();
        framing.encode(None, &[message.as_bytes()], &mut out).unwrap();
        assert_eq!(out, wire, "{spec}");
        assert_eq!(feed(&framing, &out, []).0[0].bytes[..1], wire[..1]);
    }
    let mut long = Vec::new();
    Framing::parse("varint").unwrap().encode(None, &[&[7; 300]], &mut long).unwrap();
    assert_eq!(long[..3], [0xac, 0x02, 7], "the example of the protobuf documentation");
}

#[test]
fn the_most_that_a_field_can_say_is_sent_and_cut() {
    for (spec, lengths) in [
        ("length:1be", &[254, 255][..]),
        ("length:1be,includes-head", &[253, 254]),
        ("length:2le", &[255, 256, 65_535]),
        ("length:3be,max=16M", &[300, 70_000, (1 << 24) - 1]),
        ("length:3le,max=16M", &[300, 70_000, (1 << 24) - 1]),
    ] {
        let framing = Framing::parse(spec).unwrap();
        for length in lengths {
            let message: Vec<u8> = (0..*length).map(|at| (at % 251) as u8).collect();
            let mut frame = Vec::new();
            framing.encode(None, &[&message], &mut frame).unwrap();
            let cut = framing.cut(&mut frame, &mut Stream::default(), &mut Vec::new());
            let Ok(Cut::Frame(cut)) = cut else { panic!("{spec}, {length} bytes: {cut:?}") };
            assert!(cut.total == frame.len() && frame[cut.message] == message, "{spec}, {length} bytes");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_appended() {
    for (spec, head, message, error) in [
        ("length:1be", None, 256, EncodeError::LengthUnfit { length: 256, most: 255 }),
        ("length:1be,includes-head", None, 255, EncodeError::LengthUnfit { length: 256, most: 255 }),
        ("length:2be", None, 65536, EncodeError::LengthUnfit { length: 65536, most: 65535 }),
        ("length:3le", None, 1 << 24, EncodeError::LengthUnfit { length: 1 << 24, most: (1 << 24) - 1 }),
        ("length:4be,adjust=9", None, 8, EncodeError::TooShort { length: 8, least: 9 }),
        ("length:4be", Some(&b"abc"[..]), 0, EncodeError::HeadSize { expected: 4, given: 3 }),
        ("fixed:8", None, 9, EncodeError::RecordSize { expected: 8, given: 9 }),
        ("raw", None, 0, EncodeError::Empty),
        ("delimiter:\\0", None, 1, EncodeError::HasDelimiter { at: 0 }),
    ] {
        let framing = Framing::parse(spec).unwrap();
        let mut out = b"x".to_vec();
        assert_eq!(framing.encode(head, &[&vec![0; message]], &mut out), Err(error), "{spec}");
        assert_eq!(out, b"x");
        assert!(!error.to_string().is_empty());
    }
}
