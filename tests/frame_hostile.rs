//! Bytes that were sent to break something: each is a typed refusal that says what came, as soon as it is known.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use bodies::{check, feed};
use heartline::frame::{Cut, EncodeError, FrameError, Framing, HeadFault, LINE_HEAD_BYTES_MAX, Stream};

fn framing(spec: &str) -> Framing {
    Framing::parse(spec).unwrap()
}

fn refusal(spec: &str, input: &[u8]) -> FrameError {
    check(&framing(spec), input, &[1, 2, 3]).1.expect_err(spec)
}

#[test]
fn lengths_that_promise_too_much_are_refused_at_the_header() {
    let too_large = |limit, length, at| FrameError::TooLarge { limit, length, at };
    for (spec, header, error) in [
        ("length:4be,max=10", &[0, 0, 0, 11][..], too_large(10, 11, 0)),
        ("length:4be", &[0, 1, 0, 1], too_large(65536, 65537, 0)),
        ("length:4be", &[255; 4], too_large(65536, 0xffff_ffff, 0)),
        ("length:4le", &[0, 0, 0, 0x80], too_large(65536, 1 << 31, 0)), // the least i32
        ("length:4be,adjust=-1", &[255; 4], too_large(65536, 0xffff_fffe, 0)),
        ("length:4be,adjust=1", &[255; 4], too_large(65536, 1 << 32, 0)), // the sum overflows 32 bits
        ("length:8be", &[255; 8], too_large(65536, u64::MAX, 0)),
        ("length:8le,at=2,adjust=1", &[255; 10], too_large(65536, u64::MAX, 2)), // the sum overflows 64 bits
        ("length:8be,includes-head", &[255; 8], too_large(65536, u64::MAX - 8, 0)),
        ("length:2be,at=2,head=6,max=9", &[0, 0, 0, 10, 0, 0], too_large(9, 10, 2)),
        ("length:1be,includes-head,max=3", &[5], too_large(3, 4, 0)),
        ("varint", &[0x81, 0x80, 0x04], too_large(65536, 65537, 0)),
        ("varint", &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1], too_large(65536, u64::MAX, 0)),
        ("line-header", b"65537\r\n", too_large(65536, 65537, 0)),
        ("line-header", b"99999999999999999999999999\r\n", too_large(65536, u64::MAX, 0)),
        ("line-header", b"a=1;length=65537\r\n", too_large(65536, 65537, 11)),
        ("line-header", b"{\"length\": 18446744073709551616}\r\n", too_large(65536, u64::MAX, 11)),
    ] {
        assert_eq!(refusal(spec, header), error, "{spec}");
        assert!(error.is_over_limit());
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_even_if_it_is_all_there() {
    for (spec, input) in [
        ("length:4be,max=3", &b"\0\0\0\x04abcd"[..]),
        ("length:2be,max=3,includes-head", b"\0\x06abcd"),
        ("varint,max=3", b"\x04abcd"),
        ("line-header,max=3", b"4\r\nabcd"),
        ("delimiter:\\n,max=3", b"abcd\n"),
    ] {
        assert!(refusal(spec, input).is_over_limit(), "{spec}");
    }
}

#[test]
fn lengths_below_their_head_are_refused() {
    for (spec, header, length, least, at) in [
        ("length:4be,includes-head", &[0, 0, 0, 3][..], 3, 4, 0),
        ("length:4be,includes-head", &[0; 4], 0, 4, 0),
        ("length:2be,at=4,head=10,includes-head", &[0, 0, 0, 0, 0, 9, 0, 0, 0, 0], 9, 10, 4),
        ("length:1be,adjust=-2", &[1], 1, 2, 0),
        ("length:8le,includes-head,adjust=-2", &[9, 0, 0, 0, 0, 0, 0, 0], 9, 10, 0),
    ] {
        let error = refusal(spec, header);
        assert_eq!(error, FrameError::LengthBelowHead { length, least, at }, "{spec}");
        assert!(!error.is_over_limit());
    }
}

#[test]
fn the_limit_itself_and_an_empty_message_are_taken() {
    for (spec, input, message) in [
        ("length:4be,max=3", &b"\0\0\0\x03abc"[..], "abc"),
        ("length:4be,max=3", b"\0\0\0\0", ""),
        ("length:4be,max=3,includes-head", b"\0\0\0\x07abc", "abc"),
        ("length:4be,max=3,includes-head", b"\0\0\0\x04", ""),
        ("length:2be,max=3,head=4,adjust=-2", b"\0\x05xxabc", "abc"),
        ("varint,max=3", b"\x03abc", "abc"),
        ("varint,max=3", b"\x83\x80\x80\x80\x80\x80\x80\x80\x80\x00abc", "abc"), // not minimal, as protobuf takes it
        ("line-header,max=3", b"3\r\nabc", "abc"),
        ("line-header,max=3", b"0003\r\nabc", "abc"),
        ("line-header,max=3", b"length= 3 ;type=\r\nabc", "abc"),
        ("line-header,max=3", b" { \"length\" : 3 , \"ok\" : true, \"no\":null }\t\r\nabc", "abc"),
        ("line-header,max=3", b"{\"a b\":\"x \\u00E9\\u00e9y\",\"length\":3}\r\nabc", "abc"),
        ("delimiter:\\r\\n,max=3", b"abc\r\n", "abc"),
        ("delimiter:\\r\\n,max=3", b"\r\n", ""),
    ] {
        let (got, rest) = check(&framing(spec), input, &[2, 3]);
        assert_eq!(rest, Ok(0), "{spec}");
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].message, message.as_bytes());
    }
}

#[test]
fn varints_beyond_ten_bytes_or_64_bits_are_refused() {
    assert_eq!(refusal("varint", &[0x80; 11]), FrameError::VarintTooLong);
    assert_eq!(refusal("varint", &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2]), FrameError::VarintTooLong);
    assert_eq!(check(&framing("varint"), &[0x80; 9], &[4]).1, Ok(9), "nine bytes may still become a length");
}

#[test]
fn text_heads_that_two_peers_could_read_differently_are_refused() {
    use HeadFault::*;
    for (head, fault, at) in [
        (&b"12\n"[..], NoCrlf, 2),
        (b"\n", NoCrlf, 0),
        (b"\r\n", NoLength, 0),
        (b"type=3\r\n", NoLength, 0),
        (b"{}\r\n", NoLength, 0),
        (b"{\"n\":1}\r\n", NoLength, 0),
        (b"length=1;length=1\r\n", TwoLengths, 9),
        (b"{\"length\":1,\"length\":2}\r\n", TwoLengths, 13),
        (b"-1\r\n", Negative, 0),
        (b"length=-1\r\n", Negative, 7),
        (b"{\"length\":-0}\r\n", Negative, 10),
        (b"+1\r\n", NotInteger, 0),
        (b" 1\r\n", NotInteger, 0),
        (b"0x10\r\n", NotInteger, 0),
        (b"1.0\r\n", NotInteger, 0),
        (b"length=\r\n", NotInteger, 7),
        (b"length=1 2\r\n", NotInteger, 7),
        (b"{\"length\":1e2}\r\n", NotInteger, 10),
        (b"{\"length\":12.0}\r\n", NotInteger, 10),
        (b"{\"length\":\"12\"}\r\n", NotInteger, 10),
        (b"{\"length\":true}\r\n", NotInteger, 10),
        (b"length=1;\r\n", NotPairs, 9),
        (b"=1;length=1\r\n", NotPairs, 0),
        (b"{\"length\":01}\r\n", NotJson, 11),
        (b"{\"length\":1,}\r\n", NotJson, 12),
        (b"{\"length\":1}}\r\n", NotJson, 12),
        (b"{\"length\":1\r\n", NotJson, 11),
        (b"{\"length\":1,\"a\":\"\\x\"}\r\n", NotJson, 17),
        (b"{\"a\":\"\\u00g0\",\"length\":1}\r\n", NotJson, 6),
        (b"{\"a\":\"\\u00e\",\"length\":1}\r\n", NotJson, 6),
        (b"{\"length\":1,\"a\":{\"length\":2}}\r\n", Nested, 16),
        (b"{\"a\":[],\"length\":1}\r\n", Nested, 5),
        (b"{\"length\":1,\"\\u006cength\":2}\r\n", EscapedKey, 13),
        (b"length=1\0\r\n", Control, 8),
        (b"1\r\r\n", Control, 1),
        (b"{\"a\":\"\t\",\"length\":1}\r\n", Control, 6),
    ] {
        let text = String::from_utf8_lossy(head);
        assert_eq!(refusal("line-header", head), FrameError::BadHead { fault, at }, "{text:?}");
    }
}

#[test]
fn a_text_head_that_does_not_end_is_refused_at_its_limit() {
    let mut head = b"length=1;a=".to_vec();
    head.resize(LINE_HEAD_BYTES_MAX - 2, b'x');
    let framing = framing("line-header");
    let longest = [&head[..], b"\r\n!"].concat();
    assert_eq!(feed(&framing, &longest, []).0[0].message, b"!");
    head.extend_from_slice(b"x\r");
    assert_eq!(refusal("line-header", &head), FrameError::HeadTooLong { limit: LINE_HEAD_BYTES_MAX });
    head.extend_from_slice(b"\n!");
    assert_eq!(refusal("line-header", &head), FrameError::HeadTooLong { limit: LINE_HEAD_BYTES_MAX });
}

/// What is remembered of a head is no permission: the framing may have changed since.
#[test]
fn a_head_that_was_read_under_another_limit_is_read_again() {
    let (mut stream, mut input) = (Stream::default(), b"1000000\r\nabc".to_vec());
    let cut = framing("line-header,max=1M").cut(&mut input, &mut stream, &mut Vec::new());
    assert_eq!(cut, Ok(Cut::More { need: 1_000_009, exact: true }));
    let cut = framing("line-header,max=3").cut(&mut input, &mut stream, &mut Vec::new());
    assert_eq!(cut, Err(FrameError::TooLarge { limit: 3, length: 1_000_000, at: 0 }));
}

#[test]
fn a_line_is_refused_once_its_delimiter_cannot_come_in_time() {
    let error = FrameError::LineTooLong { limit: 4 };
    for (delimiter, taken, refused) in [
        ("\\r\\n", "abcd\r", "abcde"),
        ("\\r\\n", "abcd\r", "abcd\rx"),
        ("\\n", "abcd", "abcde"),
        ("aab", "xxxxaa", "xxxxaaa"),
        ("aab", "xxxaa", "xxxxab"),
        ("aaaaaaab", "xxxxaaaaaaa", "xxxxaaaaaaaa"),
    ] {
        let spec = format!("delimiter:{delimiter},max=4");
        assert_eq!(check(&framing(&spec), taken.as_bytes(), &[2]).1, Ok(taken.len()), "{spec} {taken:?}");
        assert_eq!(refusal(&spec, refused.as_bytes()), error, "{spec} {refused:?}");
    }
    assert_eq!(refusal("delimiter:\\n,max=4", b"abcde\n"), error, "the delimiter came, but too late");
    assert!(error.is_over_limit());
}

#[test]
fn a_delimiter_split_at_every_offset_is_found() {
    for delimiter in ["\r\n", "--8bytes", "aaaa", "abaab"] {
        let framing = framing(&format!("delimiter:hex:{}", bodies::hex(delimiter.as_bytes())));
        let input = format!("{delimiter}x{delimiter}{delimiter}yz{delimiter}");
        for at in 1..input.len() {
            let (got, rest) = feed(&framing, input.as_bytes(), [at, input.len()]);
            assert_eq!(rest, Ok(0));
            let lines: Vec<_> = got.iter().map(|got| &got.message[..]).collect();
            assert_eq!(lines, [&b""[..], b"x", b"", b"yz"], "{delimiter:?} cut at {at}");
        }
    }
}

#[test]
fn errors_say_thing_limit_value_and_place() {
    for (spec, input, text) in [
        ("length:4be,at=2,max=10", &[0, 0, 0, 0, 0, 11][..], "message of 11 bytes is over max=10 (length at offset 2)"),
        ("length:2be,includes-head", &[0, 1], "length 1 at offset 0 is below 2, the least that its head allows"),
        ("delimiter:\\n,max=2", b"abc", "no delimiter within max=2 bytes"),
        ("line-header", b"length=-1\r\n", "text head, offset 7: the length is negative"),
    ] {
        assert_eq!(refusal(spec, input).to_string(), text);
    }
}

#[test]
fn a_text_head_that_grows_over_its_limit_with_its_length_is_not_sent() {
    let framing = framing("line-header");
    let mut head = b"length=1;a=".to_vec();
    head.resize(LINE_HEAD_BYTES_MAX - 2, b'x');
    head.extend_from_slice(b"\r\n");
    let mut out = b"before".to_vec();
    assert_eq!(framing.encode(Some(&head), &[&[7; 9]], &mut out), Ok(()));
    out.truncate(6);
    let error = EncodeError::HeadTooLong { limit: LINE_HEAD_BYTES_MAX, length: LINE_HEAD_BYTES_MAX + 1 };
    assert_eq!(framing.encode(Some(&head), &[&[7; 10]], &mut out), Err(error));
    assert_eq!(out, b"before");
    assert!(error.to_string().contains(&LINE_HEAD_BYTES_MAX.to_string()), "{error}");
    let refused = framing.encode(Some(b"length=x\r\n"), &[b"hi"], &mut out).unwrap_err();
    assert_eq!(refused.to_string(), "head given, offset 7: the length is not an integer");
}
