//! What the fuzz targets and the tests of the frame room share: a reader that feeds a framing in pieces and checks every
//! promise that a cut makes, and one body per target. A body panics when a rule is broken.

#![allow(dead_code, unreachable_pub)] // each test and target uses a part

use heartline::frame::{Codec, Cut, EncodeError, Frame, FrameError, Framing, Kind, Stream};

/// A frame, copied out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// As classified.
    pub kind: Kind,
    /// The head.
    pub head: Vec<u8>,
    /// The message.
    pub message: Vec<u8>,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

/// All the frames of an input, and what was left: unfinished bytes, or why they were refused.
pub type Read = (Vec<Got>, Result<usize, FrameError>);

/// Feeds `input` in reads of the sizes given (1 where they end), cutting after each; checks what each cut promises.
pub fn feed(framing: &Framing, input: &[u8], reads: impl IntoIterator<Item = usize>) -> Read {
    let (mut stream, mut control) = (Stream::default(), Vec::new());
    let (mut got, mut buffer, mut rest) = (Vec::new(), Vec::new(), input);
    let mut reads = reads.into_iter();
    let mut promised = None;
    while !rest.is_empty() {
        let (read, after) = rest.split_at(reads.next().unwrap_or(1).clamp(1, rest.len()));
        buffer.extend_from_slice(read);
        rest = after;
        loop {
            let before = buffer.clone();
            let cut = framing.cut(&mut buffer, &mut stream, &mut control);
            assert_eq!(before, buffer, "built-in codecs leave the input as it is");
            match cut {
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return (got, Err(error));
                }
                Ok(Cut::More { need, exact }) => {
                    assert!(need > buffer.len(), "need {need} of {}", buffer.len());
                    promised = exact.then_some(need);
                    break;
                }
                Ok(Cut::Within(beat)) => panic!("{beat:?}, but these codecs have no beats within messages"),
                Ok(Cut::Frame(frame)) => {
                    assert!(frame.total >= 1 && frame.total <= buffer.len());
                    assert!(frame.head.end <= frame.message.start && frame.message.end <= frame.total);
                    assert!(frame.message.len() <= framing.max_bytes());
                    assert!(promised.take().is_none_or(|need| need == frame.total), "exact, but {}", frame.total);
                    assert!(stream.is_idle(), "F3: nothing is remembered between frames");
                    got.push(copy(&buffer, &frame));
                    buffer.drain(..frame.total);
                }
            }
        }
    }
    assert!(control.is_empty());
    (got, Ok(buffer.len()))
}

/// Copies a frame out of the input it was cut from.
pub fn copy(input: &[u8], frame: &Frame) -> Got {
    Got {
        kind: frame.kind,
        head: input[frame.head.clone()].to_vec(),
        message: input[frame.message.clone()].to_vec(),
        bytes: input[..frame.total].to_vec(),
    }
}

/// F1 and F5 on one input: whole, byte by byte and in pieces it gives the same; what was cut can be encoded again; asks are
/// answered with answers. `raw` has no frames, so there only the bytes are compared.
pub fn check(framing: &Framing, input: &[u8], pieces: &[usize]) -> Read {
    let whole = feed(framing, input, [input.len()]);
    let bytewise = feed(framing, input, []);
    let pieces = feed(framing, input, pieces.iter().copied().cycle().take(input.len()));
    if framing.spec().starts_with("raw") {
        let join = |read: &Read| read.0.iter().flat_map(|got| got.bytes.clone()).collect::<Vec<_>>();
        assert_eq!((join(&whole), join(&bytewise), join(&pieces)), (input.to_vec(), input.to_vec(), input.to_vec()));
    } else {
        assert_eq!(whole, bytewise);
        assert_eq!(whole, pieces);
    }
    for got in &whole.0 {
        check_frame(framing, got);
    }
    whole
}

fn check_frame(framing: &Framing, got: &Got) {
    let mut out = b"before".to_vec();
    framing.encode(Some(&got.head), &[&got.message[..]], &mut out).expect("what was cut can be encoded");
    assert!(out.starts_with(b"before"));
    let (again, rest) = feed(framing, &out[6..], [out.len()]);
    assert_eq!(rest, Ok(0));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].message, got.message);
    if matches!(got.kind, Kind::Ask | Kind::Either) {
        let mut input = got.bytes.clone();
        let Ok(Cut::Frame(cut)) = framing.cut(&mut input, &mut Stream::default(), &mut Vec::new()) else {
            panic!("a whole frame");
        };
        let mut answer = Vec::new();
        framing.answer(&input, &cut, &mut answer);
        let (answers, rest) = feed(framing, &answer, [answer.len()]);
        assert_eq!(rest, Ok(0));
        assert_eq!(answers.len(), 1);
        let expected = if got.kind == Kind::Ask { Kind::Answer } else { Kind::Either };
        assert_eq!(answers[0].kind, expected, "{answers:?} to {got:?}");
    }
}

/// One framing of the table (first byte), piece sizes (second byte), the input (the rest).
fn table(specs: &[&str], data: &[u8]) {
    let [which, piece, input @ ..] = data else { return };
    let framing = Framing::parse(specs[usize::from(*which) % specs.len()]).expect("a good spec");
    let piece = usize::from(*piece);
    let _ = check(&framing, input, &[piece % 7 + 1, piece / 7 + 1, 1]);
}

/// `length` in all widths and shapes.
pub const LENGTH: [&str; 14] = [
    "length:4be,max=300",
    "length:1be",
    "length:1le,includes-head",
    "length:2be,at=1,head=4,max=40",
    "length:2le,includes-head,max=40",
    "length:3be,adjust=-2,max=300",
    "length:3le,adjust=+3,max=300",
    "length:4le,includes-head,adjust=+2,max=20",
    "length:8be,max=100",
    "length:8le,adjust=50,max=60",
    "length:8be,adjust=-2147483648,max=9",
    "length:2be,at=2,head=6,max=64,ask=@0:01,answer=@0:02",
    "length:1be,max=64,ask=P,answer=Q",
    "length:2le,max=64,ask=@3:ff",
];
/// `varint`.
pub const VARINT: [&str; 4] = ["varint", "varint,max=5", "varint,ask=P,answer=Q", "varint,ask=@1:01,answer=@1:02"];
/// `line-header`.
pub const LINE_HEADER: [&str; 5] = [
    "line-header,max=50",
    "line-header,key=n,max=50",
    "line-header,form=json",
    "line-header,ask=P,answer=Q",
    "line-header,ask=@3:01,answer=@3:02",
];
/// `delimiter`, with ones that overlap themselves.
pub const DELIMITER: [&str; 8] = [
    "delimiter:\\r\\n,max=9",
    "delimiter:hex:00",
    "delimiter:aa,max=3",
    "delimiter:aab,max=4",
    "delimiter:abab,max=5",
    "delimiter:aaaaaaab,max=1",
    "delimiter:\\n,ask=P,answer=Q",
    "delimiter:;,ask=@0:50,answer=@0:51",
];
/// `fixed`.
pub const FIXED: [&str; 4] = ["fixed:1", "fixed:7", "fixed:4,ask=PING,answer=PONG", "fixed:8,ask=@3:01,answer=@3:02"];
/// `raw`.
pub const RAW: [&str; 3] = ["raw", "raw,max=1", "raw,max=7"];

/// Target `length`.
pub fn length(data: &[u8]) {
    table(&LENGTH, data);
}

/// Target `varint`.
pub fn varint(data: &[u8]) {
    table(&VARINT, data);
}

/// Target `line_header`.
pub fn line_header(data: &[u8]) {
    table(&LINE_HEADER, data);
}

/// Target `delimiter`.
pub fn delimiter(data: &[u8]) {
    table(&DELIMITER, data);
}

/// Target `fixed`.
pub fn fixed(data: &[u8]) {
    table(&FIXED, data);
}

/// Target `raw`.
pub fn raw(data: &[u8]) {
    table(&RAW, data);
}

/// Target `spec`: any text is read or refused with a reason; what was read is written so that it reads the same; and its
/// ask is known as one by a peer of the same spec.
pub fn spec(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Framing::parse(text) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(framing) => {
            let canonical = framing.spec();
            let again = Framing::parse(&canonical).expect("what was written can be read");
            assert_eq!(again.spec(), canonical);
            assert_eq!(again.max_bytes(), framing.max_bytes());
            assert_eq!(again.has_beats(), framing.has_beats());
            let (mut ask, mut ask_again) = (Vec::new(), Vec::new());
            assert_eq!(framing.ask(&mut ask), framing.has_beats());
            again.ask(&mut ask_again);
            assert_eq!(ask, ask_again);
            if canonical.starts_with("websocket") {
                // The other end is of another kind: it takes no mask, and gives one.
                let cut = framing.for_dialled().cut(&mut ask, &mut Stream::default(), &mut Vec::new());
                assert!(matches!(cut, Ok(Cut::Frame(Frame { kind: Kind::Ask | Kind::Either, .. }))), "{cut:?}");
            } else if framing.has_beats() {
                let (got, rest) = check(&framing, &ask, &[3, 1]);
                assert_eq!((got.len(), rest), (1, Ok(0)));
                assert!(matches!(got[0].kind, Kind::Ask | Kind::Either), "{got:?}");
            }
        }
    }
}

/// Target `beats`: an ask and an answer of any bytes (two length-prefixed texts) on any codec of the tables, over any input.
pub fn beats(data: &[u8]) {
    let [which, ask_length, answer_length, rest @ ..] = data else { return };
    let specs =
        LENGTH[..11].iter().chain(&VARINT[..2]).chain(&LINE_HEADER[..3]).chain(&DELIMITER[..6]).chain(&FIXED[..2]);
    let specs: Vec<_> = specs.collect();
    let (ask, rest) = rest.split_at(usize::from(*ask_length % 16).min(rest.len()));
    let (answer, input) = rest.split_at(usize::from(*answer_length % 16).min(rest.len()));
    // Patterns where the top bit says so: a byte of offset, then bytes.
    let mark = |top: u8, bytes: &[u8]| match bytes {
        [at, bytes @ ..] if top >= 0x80 => format!("@{}:{}", at % 24, hex(bytes)),
        bytes => format!("hex:{}", hex(bytes)),
    };
    let framing = Framing::parse(specs[usize::from(*which) % specs.len()]).expect("a good spec");
    let (ask, answer) = (mark(*ask_length, ask), mark(*answer_length, answer));
    let Ok(framing) = framing.with_beats(&ask, Some(&answer)) else { return };
    spec(framing.spec().as_bytes());
    let _ = check(&framing, input, &[5, 1, 2]);
}

/// `bytes` in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A codec that says whatever its script says, right or wrong.
struct Liar(Vec<u8>);

impl Codec for Liar {
    fn name(&self) -> &str {
        "liar"
    }

    fn cut(&self, input: &mut [u8], stream: &mut Stream, _: &mut Vec<u8>, _: usize) -> Result<Cut, FrameError> {
        let at = stream.note() as usize;
        stream.set_note(at as u64 + 1);
        let say = |offset: usize| match self.0.get((at * 6 + offset) % self.0.len().max(1)) {
            Some(255) => usize::MAX,
            Some(byte) => usize::from(*byte),
            None => input.len(),
        };
        let frame = |kind| Frame { kind, head: say(1)..say(2), message: say(3)..say(4), total: say(5) };
        Ok(match say(0) % 5 {
            0 => Cut::More { need: say(1), exact: say(2) % 2 == 0 },
            1 => Cut::Within(frame(Kind::Message)),
            2 => Cut::Within(frame(Kind::Ask)),
            _ => Cut::Frame(frame(Kind::Message)),
        })
    }

    fn encode(&self, _: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&message.concat());
        if self.0.len().is_multiple_of(2) { Ok(()) } else { Err(EncodeError::Custom { code: 256 }) }
    }
}

/// Target `custom`: whatever a custom codec claims, what comes out can be sliced.
pub fn custom(data: &[u8]) {
    let (script, input) = data.split_at(data.len() / 2);
    let framing = Framing::custom(Box::new(Liar(script.to_vec())));
    let mut out = b"x".to_vec();
    if framing.encode(None, &[input], &mut out).is_err() {
        assert_eq!(out, b"x");
    }
    let (mut buffer, mut stream) = (input.to_vec(), Stream::default());
    for _ in 0..16 {
        match framing.cut(&mut buffer, &mut stream, &mut Vec::new()) {
            Err(_) => return,
            Ok(Cut::More { need, .. }) => assert!(need > buffer.len()),
            Ok(Cut::Within(beat)) => {
                assert_eq!(beat.kind, Kind::Ask);
                copy(&buffer, &beat);
            }
            Ok(Cut::Frame(frame)) => {
                assert!(frame.total > 0);
                copy(&buffer, &frame);
                buffer.drain(..frame.total);
            }
        }
    }
}
