//! RFC 6455 by duty, over a real socket, in the order of the groups of the suite that everybody runs: an echo server gets
//! some bytes, however they are cut, and what it says is known to the byte.

mod support;
mod websocket_peers;

use std::net::SocketAddr;
use std::thread;

use support::Peer;
use support::websocket::{
    BINARY, BINARY_BEGUN, CLOSE, LAST, MORE, PING, PONG, REQUEST, TEXT, TEXT_BEGUN, from_client, goodbye, header,
    masked,
};
use websocket_peers::Compression;
use websocket_peers::ours::Ours;

const MIB: usize = 1 << 20;

type Frame = (u8, Vec<u8>);

/// What a client sends, and what must be said of it.
#[derive(Clone, Default)]
struct Case {
    sent: Vec<u8>,
    echoes: Vec<Frame>,
    pongs: Vec<Vec<u8>>,
    /// The body of the Close that ends it.
    close: Vec<u8>,
}

impl Case {
    fn new() -> Self {
        Self::default()
    }

    /// Bytes that are not answered: parts of a message, pongs, what is wrong.
    fn then(mut self, bytes: &[u8]) -> Self {
        self.sent.extend(bytes);
        self
    }

    fn frame(self, first: u8, payload: &[u8]) -> Self {
        self.then(&from_client(first, payload))
    }

    fn echo(mut self, first: u8, payload: &[u8]) -> Self {
        self.echoes.push((first, payload.to_vec()));
        self
    }

    /// A message in one frame.
    fn message(self, first: u8, payload: &[u8]) -> Self {
        self.frame(first, payload).echo(first, payload)
    }

    /// A message in frames of so many bytes.
    fn fragments(mut self, first: u8, payload: &[u8], size: usize) -> Self {
        let count = payload.chunks(size).len();
        for (at, part) in payload.chunks(size).enumerate() {
            let opcode = if at == 0 { first & 0x0f } else { MORE };
            self = self.frame(if at + 1 == count { opcode | LAST } else { opcode }, part);
        }
        self.echo(first, payload)
    }

    fn ping(mut self, payload: &[u8]) -> Self {
        self.pongs.push(payload.to_vec());
        self.frame(PING, payload)
    }

    /// What was sent is refused with this code.
    fn refused(mut self, code: u16) -> Self {
        self.close = code.to_be_bytes().to_vec();
        self
    }

    /// The client ends it.
    fn well(self) -> Self {
        self.then(&goodbye(1000)).refused(1000)
    }

    /// As it is, in pieces of a prime number of bytes, and a byte at a time: long ones not so.
    #[track_caller]
    fn holds(&self, at: SocketAddr) {
        for piece in [usize::MAX, 997, 7, 1] {
            if self.sent.len() / piece < 3000 {
                self.holds_in(at, piece);
            }
        }
    }

    #[track_caller]
    fn holds_in(&self, at: SocketAddr, piece: usize) {
        let mut peer = Peer::connect(at);
        peer.write(REQUEST.as_bytes());
        assert!(peer.http_head().starts_with("HTTP/1.1 101 "));
        let mut writer = Peer::over(peer.0.try_clone().unwrap());
        let sent = self.sent.clone();
        let writing = thread::spawn(move || {
            for part in sent.chunks(piece.min(sent.len())) {
                writer.write(part);
            }
        });
        let (mut echoes, mut pongs) = (Vec::new(), Vec::new());
        let close = loop {
            match peer.websocket_message() {
                (CLOSE, body) => break body,
                (PONG, payload) => pongs.push(payload),
                message => echoes.push(message),
            }
        };
        let rest = peer.read_to_end();
        writing.join().unwrap();
        let shown = &self.sent[..self.sent.len().min(60)];
        assert_eq!(rest, Ok(Vec::new()), "FIN behind the Close: {shown:02x?} in pieces of {piece}");
        assert_eq!(close, self.close, "the Close: {shown:02x?} in pieces of {piece}");
        assert_eq!(pongs, self.pongs, "{shown:02x?} in pieces of {piece}");
        assert!(echoes == self.echoes, "{} echoes: {shown:02x?} in pieces of {piece}", echoes.len());
    }
}

fn hold(cases: impl IntoIterator<Item = Case>) {
    let ours = Ours::start(Compression::Off);
    let at = ours.address.parse().unwrap();
    let mut count = 0;
    for case in cases {
        case.holds(at);
        count += 1;
    }
    assert!(count > 0 && ours.end().accepted >= count);
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

#[test]
fn group_1_messages_of_every_form_of_length() {
    let sizes = [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537];
    hold(sizes.into_iter().flat_map(|size| {
        [Case::new().message(TEXT, &vec![b'*'; size]).well(), Case::new().message(BINARY, &bytes(size)).well()]
    }));
}

#[test]
fn group_2_pings_are_answered_and_pongs_are_not() {
    let unasked = Case::new().frame(PONG, b"").frame(PONG, b"unasked");
    let ten = (0..10_u8).fold(Case::new(), |case, at| case.ping(&[at; 100]));
    hold([
        Case::new().ping(b"").well(),
        Case::new().ping(b"hello").well(),
        Case::new().ping(b"\0\xff\xfe\xfd\xfc\xfb\0\xff").well(),
        Case::new().ping(&[0xfe; 125]).well(),
        Case::new().frame(PING, &[0xfe; 126]).refused(1002),
        unasked.clone().well(),
        unasked.ping(b"asked").well(),
        ten.message(TEXT, b"still here").well(),
    ]);
}

#[test]
fn group_3_no_reserved_bit_has_a_meaning() {
    hold((1..8).flat_map(|bits| {
        let wrong = move |first: u8| from_client(first | bits << 4, b"hi");
        let after = Case::new().message(TEXT, b"first").ping(b"then");
        [TEXT, BINARY, PING, PONG, CLOSE].map(move |first| after.clone().then(&wrong(first)).refused(1002))
    }));
}

#[test]
fn group_4_no_reserved_opcode_has_a_meaning() {
    hold((3..8).chain(11..16).flat_map(|opcode| {
        let after = Case::new().message(BINARY, b"first").ping(b"then");
        [
            Case::new().frame(0x80 | opcode, b"").refused(1002),
            Case::new().frame(0x80 | opcode, b"hi").refused(1002),
            after.clone().frame(0x80 | opcode, b"hi").frame(PING, b"not seen").refused(1002),
            after.frame(opcode, b"").refused(1002),
        ]
    }));
}

#[test]
fn group_5_fragments_are_joined_and_only_beats_come_between() {
    let two = || Case::new().frame(TEXT_BEGUN, b"one ");
    let five = |case: Case, at| {
        let case = case.frame(if at == 0 { TEXT_BEGUN } else { MORE }, b"part ");
        if at % 2 == 1 { case.ping(b"between") } else { case }
    };
    hold([
        Case::new().frame(0x09, b"a").refused(1002),
        Case::new().frame(0x09, b"a").frame(LAST, b"b").refused(1002),
        Case::new().frame(0x0a, b"a").frame(LAST, b"b").refused(1002),
        Case::new().frame(0x08, b"\x03\xe8").refused(1002),
        two().frame(LAST, b"two").echo(TEXT, b"one two").well(),
        two().ping(b"ping").frame(LAST, b"two").echo(TEXT, b"one two").well(),
        two().frame(PONG, b"pong").frame(LAST, b"two").echo(TEXT, b"one two").well(),
        (0..5).fold(Case::new(), five).frame(LAST, b"end").echo(TEXT, b"part part part part part end").well(),
        Case::new().frame(BINARY_BEGUN, b"").frame(MORE, b"").frame(LAST, b"").echo(BINARY, b"").well(),
        Case::new().frame(TEXT_BEGUN, b"").frame(MORE, b"middle").frame(LAST, b"").echo(TEXT, b"middle").well(),
        Case::new().frame(LAST, b"alone").refused(1002),
        Case::new().frame(MORE, b"alone").frame(LAST, b"alone").refused(1002),
        Case::new().message(TEXT, b"whole").frame(LAST, b"alone").refused(1002),
        two().frame(LAST, b"two").echo(TEXT, b"one two").frame(MORE, b"alone").refused(1002),
        two().frame(TEXT, b"whole").refused(1002),
        two().frame(BINARY_BEGUN, b"begun").refused(1002),
        two().ping(b"one").frame(MORE, b"two").ping(b"two").frame(BINARY, b"").refused(1002),
    ]);
}

/// A character in as many bytes as asked for, also where no text has it.
fn encoded(character: u32, length: usize) -> Vec<u8> {
    const FIRST: [u8; 7] = [0, 0, 0xc0, 0xe0, 0xf0, 0xf8, 0xfc];
    let rest = (1..length).rev().map(|at| 0x80 | (character >> (6 * (at - 1)) & 0x3f) as u8);
    let lead = if length == 1 { character as u8 } else { FIRST[length] | (character >> (6 * (length - 1))) as u8 };
    [lead].into_iter().chain(rest).collect()
}

fn texts() -> Vec<Vec<u8>> {
    let edges = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0xd7ff, 0xe000, 0xfdd0, 0xfffd, 0xfffe, 0xffff, 0x1_0000]
        .into_iter()
        .chain([0x1_fffe, 0x3_ffff, 0x4_0000, 0xf_ffff, 0x10_0000, 0x10_fffe, 0x10_ffff]);
    let mut all: Vec<_> = edges.map(|edge| char::from_u32(edge).unwrap().to_string().into_bytes()).collect();
    all.push("κόσμε 心跳线 💓 e\u{301}".into());
    all
}

fn no_texts() -> Vec<Vec<u8>> {
    let surrogates = [0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff];
    let mut all: Vec<_> = surrogates.into_iter().map(|half| encoded(half, 3)).collect();
    all.extend([0xdc00, 0xdfff].map(|low| [encoded(0xd800, 3), encoded(low, 3)].concat()));
    // Longer than they need be: the last of each length, a slash, nothing.
    for length in 2..=6 {
        let last = [0, 0, 0x7f, 0x7ff, 0xffff, 0x1f_ffff, 0x3ff_ffff][length];
        all.extend([last, u32::from(b'/'), 0].map(|character| encoded(character, length)));
    }
    all.extend([encoded(0x11_0000, 4), encoded(0x1f_ffff, 4), encoded(0x20_0000, 5), encoded(0x7fff_ffff, 6)]);
    all.extend((1..=7).map(|count| vec![0x80; count]));
    all.extend((0x80..=0xbf_u8).chain(0xc0..=0xff).map(|byte| vec![byte, b' ']));
    all
}

/// Up to the byte with which it is no text.
fn wrong_from(bytes: &[u8]) -> Option<usize> {
    (1..=bytes.len()).find(|end| std::str::from_utf8(&bytes[..*end]).is_err_and(|error| error.error_len().is_some()))
}

#[test]
fn group_6_text_is_text_wherever_it_is_cut() {
    hold(texts().into_iter().flat_map(|text| {
        let around = [b"a", &text[..], b"z"].concat();
        let by_byte = Case::new().fragments(TEXT, &around, 1).well();
        let empty_between = around.iter().fold(Case::new().frame(TEXT_BEGUN, b""), |case, byte| {
            case.frame(MORE, &[*byte]).frame(MORE, b"").ping(b"")
        });
        [Case::new().message(TEXT, &around).well(), by_byte, empty_between.frame(LAST, b"").echo(TEXT, &around).well()]
    }));
}

#[test]
fn group_6_what_is_no_text_is_refused_with_its_first_wrong_byte() {
    let before = "κόσμε".as_bytes();
    hold(no_texts().into_iter().flat_map(|bytes| {
        let text = [before, &bytes].concat();
        // A character that has only begun is wrong with the end of the message.
        let end = wrong_from(&text).unwrap_or(text.len());
        let whole = Case::new().message(TEXT, before).frame(TEXT, &text).refused(1007);
        let fragments = text.iter().fold(Case::new().frame(TEXT_BEGUN, b""), |case, byte| case.frame(MORE, &[*byte]));
        let promised = [&header(TEXT, true, 2, 1000)[..], &masked(&text[..end])].concat();
        let early = Case::new().then(&promised).refused(1007);
        let mut cases = vec![whole, fragments.frame(LAST, b"").refused(1007)];
        if wrong_from(&text).is_some() {
            cases.push(early);
        }
        cases
    }));
    // And what ends in the middle of a character.
    hold(texts().into_iter().flat_map(|text| {
        (1..text.len()).filter_map(move |end| {
            let cut = &text[..end];
            std::str::from_utf8(cut).is_err().then(|| Case::new().frame(TEXT, cut).refused(1007))
        })
    }));
}

#[test]
fn group_7_one_close_is_answered_once() {
    let closed = |body: &[u8], code| Case::new().frame(CLOSE, body).refused(code);
    let mut cases = vec![
        Case::new().message(TEXT, b"first").well(),
        Case::new().well().then(&goodbye(1000)),
        Case::new().well().frame(TEXT, b"late").frame(PING, b"late"),
        Case::new().frame(TEXT_BEGUN, b"never").well().frame(LAST, b"late"),
        Case::new().message(BINARY, &bytes(256 << 10)).well(),
        Case::new().frame(CLOSE, b""),
        closed(b"\x03", 1002),
        closed(&[&b"\x03\xe8"[..], &[b'r'; 123]].concat(), 1000),
        closed(&[&b"\x03\xe8"[..], &[b'r'; 124]].concat(), 1002),
        closed("\u{3}\u{0}".as_bytes(), 1002),
    ];
    cases.extend(no_texts().into_iter().map(|no_text| closed(&[b"\x03\xe8", &no_text[..]].concat(), 1007)));
    cases.extend(texts().into_iter().map(|text| closed(&[b"\x03\xe8", &text[..]].concat(), 1000)));
    let good = (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]);
    cases.extend(good.map(|code| Case::new().then(&goodbye(code)).refused(code)));
    let bad =
        (0..1000).step_by(111).chain([999, 1004, 1005, 1006]).chain(1015..1020).chain([1100, 2000, 2999, 5000, 65_535]);
    cases.extend(bad.map(|code| Case::new().then(&goodbye(code)).refused(1002)));
    hold(cases);
}

#[test]
fn group_9_long_messages_in_one_frame_or_many() {
    let text = "心跳线 é ".repeat(4 * MIB / 13);
    let whole =
        [64 << 10, 256 << 10, MIB, 4 * MIB, 8 * MIB, 16 * MIB].map(|size| Case::new().message(BINARY, &bytes(size)));
    let fragments =
        [64, 256, 1000, 4 << 10, 64 << 10, MIB].map(|size| Case::new().fragments(TEXT, text.as_bytes(), size));
    hold(whole.into_iter().chain(fragments).chain([Case::new().message(TEXT, text.as_bytes())]).map(Case::well));
}

#[test]
fn group_9_many_short_messages() {
    hold([0, 16, 64, 256, 1024, 4096].into_iter().flat_map(|size| {
        [TEXT, BINARY].map(|first| (0..1000).fold(Case::new(), |case, _| case.message(first, &vec![b'm'; size])).well())
    }));
}

#[test]
fn group_10_a_message_in_frames_of_another_size_than_ours() {
    hold([
        Case::new().fragments(TEXT, &[b'*'; 65_536], 1300).well(),
        Case::new().fragments(BINARY, &bytes(MIB), 1300).well(),
    ]);
}
