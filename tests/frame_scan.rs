//! F4: no byte is looked at twice. Shown without a clock: bytes that were scanned are changed behind the codec's back into
//! what it searches; had it looked again, it would find it there.

use heartline::frame::{Cut, Framing, Stream};

/// A line this long. The trap is set anew at each of its bytes, so what this costs is its square; Miri gets less.
const LINE_BYTES: usize = if cfg!(miri) { 100 } else { 5000 };

/// Feeds `input` byte by byte; after each cut, fills all but the last `keep` bytes with `trap`, over and over.
fn feed_trapped(spec: &str, input: &[u8], keep: usize, trap: &[u8]) -> (usize, usize) {
    let framing = Framing::parse(spec).unwrap();
    let (mut stream, mut control) = (Stream::default(), Vec::new());
    let mut buffer = Vec::new();
    for byte in input {
        buffer.push(*byte);
        match framing.cut(&mut buffer, &mut stream, &mut control).unwrap() {
            Cut::Frame(frame) => {
                assert!(stream.is_idle());
                return (frame.message.len(), frame.total);
            }
            Cut::Within(beat) => panic!("{beat:?}"),
            Cut::More { need, .. } => assert!(need > buffer.len()),
        }
        let scanned = buffer.len().saturating_sub(keep);
        for (byte, trap) in buffer[..scanned].iter_mut().zip(trap.iter().cycle()) {
            *byte = *trap;
        }
    }
    panic!("no frame");
}

#[test]
fn a_line_is_scanned_once() {
    for (spec, delimiter) in [
        ("delimiter:\\n", "\n"),
        ("delimiter:\\r\\n", "\r\n"),
        ("delimiter:aab", "aab"),
        ("delimiter:--8bytes", "--8bytes"),
    ] {
        let input = [vec![b'x'; LINE_BYTES], delimiter.as_bytes().to_vec()].concat();
        let keep = delimiter.len() - 1;
        assert_eq!(feed_trapped(spec, &input, keep, delimiter.as_bytes()), (LINE_BYTES, input.len()), "{spec}");
    }
}

#[test]
fn the_trap_catches_a_codec_that_forgets() {
    let framing = Framing::parse("delimiter:\\n").unwrap();
    let mut stream = Stream::default();
    let mut buffer = b"xxx".to_vec();
    framing.cut(&mut buffer, &mut stream, &mut Vec::new()).unwrap();
    assert_eq!(stream.scanned(), 3);
    buffer[0] = b'\n';
    let again = framing.cut(&mut buffer, &mut Stream::default(), &mut Vec::new()).unwrap();
    assert!(matches!(again, Cut::Frame(_)), "a new stream looks again");
    let resumed = framing.cut(&mut buffer, &mut stream, &mut Vec::new()).unwrap();
    assert!(matches!(resumed, Cut::More { .. }), "the old one does not");
}

#[test]
fn a_text_head_is_searched_once_and_read_once() {
    let framing = Framing::parse("line-header").unwrap();
    let (mut stream, mut control) = (Stream::default(), Vec::new());
    let mut buffer = Vec::new();
    // Its end is searched once: a line feed that appears in the scanned part is not seen.
    for byte in b"length=3;a=b" {
        buffer.push(*byte);
        framing.cut(&mut buffer, &mut stream, &mut control).unwrap();
        assert_eq!(stream.scanned(), buffer.len());
    }
    buffer[9] = b'\n';
    assert!(matches!(framing.cut(&mut buffer, &mut stream, &mut control), Ok(Cut::More { .. })));
    buffer[9] = b'a';
    // It is read once: what it says is remembered while the message comes.
    buffer.extend_from_slice(b"\r\n");
    let more = Cut::More { need: buffer.len() + 3, exact: true };
    assert_eq!(framing.cut(&mut buffer, &mut stream, &mut control), Ok(more.clone()));
    buffer[7] = b'9';
    buffer.push(b'1');
    assert_eq!(framing.cut(&mut buffer, &mut stream, &mut control), Ok(more));
    buffer.extend_from_slice(b"23");
    let Ok(Cut::Frame(frame)) = framing.cut(&mut buffer, &mut stream, &mut control) else { panic!("a frame") };
    assert_eq!(&buffer[frame.message], b"123");
    assert!(stream.is_idle());
}

#[test]
fn need_is_known_as_soon_as_it_can_be() {
    for (spec, input, expected) in [
        ("length:4be", &b""[..], (4, false)),
        ("length:2be,at=2,head=9", b"\0\0\0", (9, false)),
        ("length:4be", b"\0\0\0\x05ab", (9, true)),
        ("varint", b"", (1, false)),
        ("varint", b"\x80", (2, false)),
        ("varint", b"\x05", (6, true)),
        ("line-header", b"12\r", (4, false)),
        ("line-header", b"12\r\n", (16, true)),
        ("delimiter:\\n", b"ab", (3, false)),
        ("fixed:8", b"", (8, true)),
        ("raw", b"", (1, false)),
    ] {
        let framing = Framing::parse(spec).unwrap();
        let cut = framing.cut(&mut input.to_vec(), &mut Stream::default(), &mut Vec::new());
        let (need, exact) = expected;
        assert_eq!(cut, Ok(Cut::More { need, exact }), "{spec} {input:?}");
    }
}

#[test]
fn a_stream_is_small() {
    assert!(size_of::<Stream>() <= 16);
    assert!(size_of::<Cut>() <= 56, "{}", size_of::<Cut>());
}
