//! What counts as a beat, what we ask with, and what we answer.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use bodies::{check, feed};
use heartline::frame::{Cut, Framing, Kind, Stream};

fn framing(spec: &str) -> Framing {
    Framing::parse(spec).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

fn kind(spec: &str, frame: &[u8]) -> Kind {
    let (got, rest) = check(&framing(spec), frame, &[1]);
    assert_eq!((got.len(), rest), (1, Ok(0)), "{spec} {frame:?}");
    got[0].kind
}

fn answer(spec: &str, ask: &[u8]) -> Vec<u8> {
    let framing = framing(spec);
    let mut input = ask.to_vec();
    let Ok(Cut::Frame(cut)) = framing.cut(&mut input, &mut Stream::default(), &mut Vec::new()) else {
        panic!("{spec}: {ask:?} is a frame");
    };
    let mut out = b"before".to_vec();
    framing.answer(&input[..cut.total], &cut, &mut out);
    out.split_off(6)
}

fn ask(spec: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let framing = framing(spec);
    assert_eq!(framing.ask(&mut out), framing.has_beats());
    framing.has_beats().then_some(out)
}

#[test]
fn by_default_an_empty_message_is_ask_and_answer() {
    for (spec, beat) in [
        ("length:4be", &[0, 0, 0, 0][..]),
        ("length:2be,head=4,includes-head", &[0, 4, 0, 0]),
        ("length:2le,adjust=-3", &[3, 0]),
        ("varint", &[0]),
        ("line-header", b"0\r\n"),
        ("line-header,key=n", b"n=0\r\n"),
        ("delimiter:\\r\\n", b"\r\n"),
    ] {
        assert_eq!(ask(spec).as_deref(), Some(beat), "{spec}");
        assert_eq!(kind(spec, beat), Kind::Either, "{spec}");
        assert_eq!(answer(spec, beat), beat, "{spec}");
    }
    for spec in ["raw", "fixed:4", "length:1be,adjust=2"] {
        assert_eq!(ask(spec), None, "{spec}: only silence counts");
    }
    assert_eq!(kind("fixed:4", &[0; 4]), Kind::Message);
}

#[test]
fn a_default_beat_is_answered_with_its_own_head() {
    assert_eq!(answer("length:2be,head=6", b"\0\0seq7"), b"\0\0seq7");
    assert_eq!(answer("line-header", b"length=0;type=9\r\n"), b"length=0;type=9\r\n");
    assert_eq!(answer("line-header", b"{\"t\":9,\"length\":0}\r\n"), b"{\"t\":9,\"length\":0}\r\n");
}

#[test]
fn whole_messages_as_beats_keep_the_head_and_rewrite_the_length() {
    let spec = "length:1be,head=3,ask=PING,answer=PONG!";
    assert_eq!(ask(spec).unwrap(), b"\x04\0\0PING");
    assert_eq!(kind(spec, b"\x04abPING"), Kind::Ask);
    assert_eq!(answer(spec, b"\x04abPING"), b"\x05abPONG!");
    assert_eq!(kind(spec, b"\x05abPONG!"), Kind::Answer);
    assert_eq!(kind(spec, b"\x05abPINGx"), Kind::Message);
    assert_eq!(kind(spec, b"\0ab"), Kind::Message, "an empty message is no beat once an ask is given");
    let spec = "line-header,ask=PING,answer=PO";
    assert_eq!(answer(spec, b"{\"length\":4,\"n\":1}\r\nPING"), b"{\"length\":2,\"n\":1}\r\nPO");
    assert_eq!(answer("delimiter:\\n,ask=PING,answer=PONG", b"PING\n"), b"PONG\n");
    assert_eq!(kind("delimiter:\\n,ask=PING,answer=PONG", b"\n"), Kind::Message);
}

#[test]
fn an_ask_alone_is_its_own_answer() {
    assert_eq!(kind("varint,ask=PING", b"\x04PING"), Kind::Either);
    assert_eq!(answer("varint,ask=PING", b"\x04PING"), b"\x04PING");
    assert_eq!(kind("varint,ask=PING,answer=PING", b"\x04PING"), Kind::Either);
    assert_eq!(answer("length:1be,head=3,ask=@1:07", b"\x02\x07\x09hi"), b"\x02\x07\x09hi");
    assert_eq!(kind("length:1be,head=3,ask=@1:07", b"\x02\x07\x09hi"), Kind::Either);
}

#[test]
fn an_answer_alone_leaves_the_empty_message_as_ask() {
    let spec = "varint,answer=PONG";
    assert_eq!(ask(spec).unwrap(), [0]);
    assert_eq!(kind(spec, &[0]), Kind::Ask);
    assert_eq!(answer(spec, &[0]), b"\x04PONG");
    assert_eq!(kind(spec, b"\x04PONG"), Kind::Answer);
}

#[test]
fn a_pattern_marks_a_frame_whatever_else_it_carries() {
    let spec = "length:2be,head=4,ask=@2:0001,answer=@2:0002";
    assert_eq!(ask(spec).unwrap(), [0, 0, 0, 1]);
    assert_eq!(kind(spec, b"\0\x02\0\x01hi"), Kind::Ask);
    assert_eq!(answer(spec, b"\0\x02\0\x01hi"), b"\0\x02\0\x02hi", "echoed with the answer's pattern in place");
    assert_eq!(kind(spec, b"\0\0\0\x02"), Kind::Answer);
    assert_eq!(kind(spec, b"\0\0\0\x03"), Kind::Message, "empty, but an ask was given");
}

#[test]
fn the_ask_is_the_shortest_frame_with_the_pattern() {
    assert_eq!(ask("length:2be,ask=@3:0708").unwrap(), [0, 3, 0, 7, 8]);
    assert_eq!(ask("length:1be,adjust=5,ask=@2:07").unwrap(), [0, 0, 7, 0, 0, 0]);
    assert_eq!(ask("varint,ask=@2:0708").unwrap(), [3, 0, 7, 8]);
    assert_eq!(ask("line-header,ask=@3:07").unwrap(), b"1\r\n\x07");
    assert_eq!(ask("delimiter:\\r\\n,ask=@0:2a").unwrap(), b"*\r\n");
    assert_eq!(ask("fixed:4,ask=@1:07").unwrap(), [0, 7, 0, 0]);
    let long = ask("varint,ask=@300:07").unwrap();
    assert_eq!((long.len(), long[300]), (301, 7), "the head grew with the message");
}

#[test]
fn an_answer_that_the_frame_cannot_carry_is_sent_bare() {
    // The ask is too short for the answer's pattern.
    let spec = "length:1be,head=2,ask=@1:01,answer=@1:0200ff";
    assert_eq!(answer(spec, b"\0\x01"), b"\x02\x02\0\xff");
    assert_eq!(answer(spec, b"\x03\x01abc"), b"\x03\x02\0\xffc");
    // With this head, the pattern would lie on the length: the frame echoed would be cut elsewhere.
    let spec = "line-header,ask=@3:01,answer=@3:02";
    assert_eq!(answer(spec, b"2\r\n\x01x"), b"2\r\n\x02x");
    let spec = "delimiter:\\r\\n,ask=@0:61,answer=@0:0d";
    assert_eq!(answer(spec, b"a\nb\r\n"), b"\r\r\n", "the pattern would make a delimiter of what follows it");
    // The head echoed would still say ask: both ends would answer each other for ever.
    let spec = "length:1be,head=2,ask=@1:01,answer=PONG";
    assert_eq!(answer(spec, b"\0\x01"), b"\x04\0PONG");
}

#[test]
fn beats_can_be_set_later() {
    let framing = framing("fixed:4").with_beats("PING", Some("hex:504f4e47")).unwrap();
    assert_eq!(framing.spec(), "fixed:4,ask=PING,answer=PONG");
    let (got, _) = feed(&framing, b"PINGPONGnone", []);
    assert_eq!(got.iter().map(|got| got.kind).collect::<Vec<_>>(), [Kind::Ask, Kind::Answer, Kind::Message]);
    assert_eq!(
        framing.clone().with_beats("\"a,b\"", None).unwrap_err().to_string(),
        "ask: message of 3 bytes, but a record has exactly 4"
    );
    assert_eq!(framing.clone().with_beats("\"a,b,\"", None).unwrap().spec(), "fixed:4,ask=\"a,b,\"");
    assert_eq!(framing.with_beats("a,bc", None).unwrap_err().to_string(), "ask is \"a,bc\": quote a comma");
}

#[test]
fn a_beat_has_at_most_4096_bytes() {
    let framing = framing("varint");
    let longest = "x".repeat(4096);
    assert!(framing.clone().with_beats(&longest, None).is_ok());
    let refused = framing.clone().with_beats(&format!("{longest}x"), None).unwrap_err();
    assert!(refused.to_string().contains("4097"), "{refused}");
    let refused = framing.with_beats("@4096:01", None).unwrap_err();
    assert!(refused.to_string().contains("4097"), "{refused}");
}

#[test]
fn the_limits_of_beats_hold_to_the_byte() {
    let set =
        |spec: &str, ask: &str, answer| framing(spec).with_beats(ask, answer).map(|_| ()).map_err(|e| e.to_string());
    // A pattern that ends at the last byte that a beat may have, and a record as long as a beat.
    assert_eq!(set("varint", "@4094:0001", None), Ok(()));
    assert_eq!(set("fixed:4096", "@0:01", Some("@0:02")), Ok(()));
    assert!(
        set("fixed:4097", "@0:01", Some("@0:02")).unwrap_err().ends_with("takes 4097 bytes, but a beat can have 4096")
    );
    // On the length field, from either side and within.
    for pattern in ["@3:0001", "@0:01", "@1:0102", "@4:0001", "@7:00"] {
        let refused = set("length:4be,at=4,head=12", pattern, None);
        let is_on = !matches!(pattern, "@0:01" | "@1:0102");
        assert_eq!(
            refused.is_err_and(|text| text.ends_with("the pattern lies on the length field")),
            is_on,
            "{pattern}"
        );
    }
    assert_eq!(set("length:4be,at=4,head=12", "@2:0102", None), Ok(()));
    assert_eq!(set("length:4be,at=4,head=12", "@8:0102", None), Ok(()));
    // A beat as long as `max` is taken, by the text and later.
    assert_eq!(set("length:4be,max=4", "PING", None), Ok(()));
    assert!(set("length:4be,max=3", "PING", None).unwrap_err().ends_with("a beat's message of 4 bytes is over max=3"));
    let pings = framing("length:4be,ask=PING");
    assert!(pings.clone().with_max(4).is_ok());
    let refused = pings.with_max(3).unwrap_err().to_string();
    assert!(refused.ends_with("a beat's message of 4 bytes is over max=3"), "{refused}");
    assert!(framing("length:4be").with_max(1).is_ok());
}
