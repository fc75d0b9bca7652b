//! A codec of one's own: shared, checked, with beats of its own or set ones.

use heartline::frame::{Codec, Cut, EncodeError, Frame, FrameError, Framing, Kind, Stream};

/// Type (`m`, `?`, `!`), length, then the message masked with 0x20; acknowledges each message at once with `+`.
struct Masked;

impl Codec for Masked {
    fn name(&self) -> &str {
        "masked"
    }

    fn cut(
        &self,
        input: &mut [u8],
        stream: &mut Stream,
        control: &mut Vec<u8>,
        max_bytes: usize,
    ) -> Result<Cut, FrameError> {
        let [kind, length, ..] = *input else { return Ok(Cut::More { need: 2, exact: false }) };
        let kind = match kind {
            b'm' => Kind::Message,
            b'?' => Kind::Ask,
            b'!' => Kind::Answer,
            _ => return Err(FrameError::Custom { code: 256, at: 0 }),
        };
        let total = 2 + usize::from(length);
        if total - 2 > max_bytes {
            return Err(FrameError::TooLarge { limit: max_bytes, length: length.into(), at: 1 });
        }
        if input.len() < total {
            return Ok(Cut::More { need: total, exact: true });
        }
        input[2..total].iter_mut().for_each(|byte| *byte ^= 0x20);
        if kind == Kind::Message {
            control.push(b'+');
        }
        stream.set_note(stream.note() + 1);
        stream.set_scanned(total);
        Ok(Cut::Frame(Frame { kind, head: 0..2, message: 2..total, total }))
    }

    fn encode(&self, head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(head.map_or(b'm', |head| head[0]));
        let message = message.concat();
        out.push(u8::try_from(message.len()).map_err(|_| EncodeError::Custom { code: 257 })?);
        out.extend(message.iter().map(|byte| byte ^ 0x20));
        Ok(())
    }

    fn ask(&self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(b"?\0");
        true
    }

    fn answer(&self, _: &[u8], _: &Frame, out: &mut Vec<u8>) {
        out.extend_from_slice(b"!\0");
    }
}

#[test]
fn it_unmasks_answers_and_remembers() {
    let framing = Framing::custom(Box::new(Masked)).for_dialled();
    assert_eq!(framing.spec(), "custom:masked");
    assert!(framing.has_beats());
    let mut sent = Vec::new();
    framing.encode(None, &[b"he", b"llo"], &mut sent).unwrap();
    assert!(framing.ask(&mut sent));
    let (mut stream, mut control) = (Stream::default(), Vec::new());
    assert_eq!(framing.cut(&mut sent[..1], &mut stream, &mut control), Ok(Cut::More { need: 2, exact: false }));
    let Ok(Cut::Frame(frame)) = framing.cut(&mut sent, &mut stream, &mut control) else { panic!("a frame") };
    assert_eq!(&sent[frame.message.clone()], b"hello");
    assert_eq!((control.as_slice(), stream.scanned(), stream.note()), (&b"+"[..], 0, 1));
    stream.set_note(7);
    assert_eq!(stream.note(), 7);
    assert!(!stream.is_idle(), "its note survives the frame");
    let Ok(Cut::Frame(ask)) = framing.cut(&mut sent[frame.total..], &mut stream, &mut control) else {
        panic!("an ask")
    };
    assert_eq!(ask.kind, Kind::Ask);
    let mut answer = Vec::new();
    framing.answer(&sent[frame.total..], &ask, &mut answer);
    assert_eq!(answer, b"!\0");
}

#[test]
fn its_errors_come_through_and_leave_nothing_behind() {
    let framing = Framing::custom(Box::new(Masked)).with_max(3).unwrap();
    let error = framing.cut(&mut b"xx".to_vec(), &mut Stream::default(), &mut Vec::new()).unwrap_err();
    assert_eq!(error, FrameError::Custom { code: 256, at: 0 });
    let error = framing.cut(&mut b"m\x04".to_vec(), &mut Stream::default(), &mut Vec::new()).unwrap_err();
    assert!(error.is_over_limit());
    let mut out = b"x".to_vec();
    assert_eq!(framing.encode(None, &[&[0; 256]], &mut out), Err(EncodeError::Custom { code: 257 }));
    assert_eq!(out, b"x");
}

/// Gives out one and the same cut.
struct Says(fn(usize) -> Cut);

impl Codec for Says {
    fn name(&self) -> &str {
        "says"
    }

    fn cut(&self, input: &mut [u8], _: &mut Stream, _: &mut Vec<u8>, _: usize) -> Result<Cut, FrameError> {
        Ok((self.0)(input.len()))
    }

    fn encode(&self, _: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(message.concat());
        Ok(())
    }
}

#[test]
fn lies_are_refused_and_never_sliced() {
    let cut = |says, input: &[u8]| {
        let framing = Framing::custom(Box::new(Says(says))).with_max(3).unwrap();
        framing.cut(&mut input.to_vec(), &mut Stream::default(), &mut Vec::new())
    };
    let broken = |total| Err(FrameError::BrokenCodec { input: 4, total });
    fn made(head: std::ops::Range<usize>, message: std::ops::Range<usize>, total: usize) -> Cut {
        Cut::Frame(Frame { kind: Kind::Message, head, message, total })
    }
    assert_eq!(cut(|_| made(0..0, 0..0, 0), b"abcd"), broken(0));
    assert_eq!(cut(|_| made(0..0, 0..1, 5), b"abcd"), broken(5));
    assert_eq!(cut(|_| made(0..0, 0..3, 2), b"abcd"), broken(2));
    assert_eq!(cut(|_| made(0..9, 0..1, 4), b"abcd"), broken(4));
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = cut(|_| made(0..0, 3..1, 4), b"abcd");
    assert_eq!(reversed, broken(4));
    let limit = FrameError::TooLarge { limit: 3, length: 4, at: 0 };
    assert_eq!(cut(|_| made(0..0, 0..4, 4), b"abcd"), Err(limit));
    assert_eq!(cut(|_| Cut::More { need: 2, exact: true }, b"abcd"), Ok(Cut::More { need: 5, exact: false }));
    assert_eq!(cut(|all| Cut::More { need: all, exact: true }, b"abcd"), Ok(Cut::More { need: 5, exact: false }));
    assert_eq!(cut(|_| Cut::More { need: 7, exact: true }, b"abcd"), Ok(Cut::More { need: 7, exact: true }));
    assert_eq!(cut(|all| made(0..1, 1..all, all), b"abcd"), Ok(made(0..1, 1..4, 4)));
}

#[test]
fn beats_can_be_set_on_a_codec_without() {
    let all = |all: usize| match all {
        0 => Cut::More { need: 1, exact: false },
        all => Cut::Frame(Frame { kind: Kind::Message, head: 0..0, message: 0..all, total: all }),
    };
    let framing = Framing::custom(Box::new(Says(all)));
    assert!(!framing.has_beats());
    let framing = framing.with_beats("PING", Some("PONG")).unwrap();
    let mut ask = Vec::new();
    assert!(framing.ask(&mut ask));
    let Ok(Cut::Frame(cut)) = framing.cut(&mut ask, &mut Stream::default(), &mut Vec::new()) else { panic!("an ask") };
    assert_eq!(cut.kind, Kind::Ask);
    let mut answer = Vec::new();
    framing.answer(&ask, &cut, &mut answer);
    assert_eq!(answer, b"PONG");
    assert_eq!(framing.spec(), "custom:says,ask=PING,answer=PONG");
}

/// A codec that says only what it must: every byte is an ask.
struct Terse;

impl Codec for Terse {
    fn name(&self) -> &str {
        "terse"
    }

    fn cut(&self, input: &mut [u8], _: &mut Stream, _: &mut Vec<u8>, _: usize) -> Result<Cut, FrameError> {
        match input {
            [] => Ok(Cut::More { need: 1, exact: false }),
            _ => Ok(Cut::Frame(Frame { kind: Kind::Ask, head: 0..0, message: 0..1, total: 1 })),
        }
    }

    fn encode(&self, _: Option<&[u8]>, _: &[&[u8]], _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError::Custom { code: 257 })
    }
}

#[test]
fn a_codec_that_does_not_say_how_answers_with_the_bytes_of_the_ask() {
    let framing = Framing::custom(Box::new(Terse));
    let mut input = *b"ab";
    let Ok(Cut::Frame(frame)) = framing.cut(&mut input, &mut Stream::default(), &mut Vec::new()) else { panic!() };
    let mut answer = Vec::new();
    framing.answer(&input[..frame.total], &frame, &mut answer);
    assert_eq!(answer, b"a");
    let error = framing.encode(None, &[b"x"], &mut answer).unwrap_err();
    assert_eq!((error.to_string().as_str(), &answer[..]), ("custom codec: error 257", &b"a"[..]));
}

#[test]
fn what_a_codec_of_ones_own_did_wrong_is_said() {
    let own = FrameError::Custom { code: 300, at: 4 };
    assert_eq!(own.to_string(), "custom codec: error 300 at offset 4");
    let broken = FrameError::BrokenCodec { input: 3, total: 9 };
    assert!(broken.to_string().contains("a frame of 9 bytes") && broken.to_string().contains("the 3 it was shown"));
}
