//! The text form: what it reads, how it writes, and what its refusals say.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use heartline::frame::{Framing, MAX_BYTES_DIALLED, MAX_BYTES_LISTENER, SpecError};
use proptest::prelude::*;
use std::sync::Arc;

fn refusal(spec: &str) -> String {
    match Framing::parse(spec) {
        Ok(framing) => panic!("{spec:?} was read as {framing:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn one_canonical_text_for_each_framing() {
    for (given, canonical) in [
        ("length:4be", "length:4be"),
        (" length:4be , max=65536 ", "length:4be,max=64K"),
        ("length:1le", "length:1be"),
        ("length:2le,head=2,at=0,adjust=0", "length:2le"),
        ("length:2le,includes-head,adjust=4,head=8,at=4", "length:2le,at=4,head=8,adjust=+4,includes-head"),
        ("length:8be,adjust=-8,max=16M", "length:8be,adjust=-8,max=16M"),
        ("varint,max=1000", "varint,max=1000"),
        ("line-header,key=length", "line-header,form=pairs"),
        ("line-header,key=n", "line-header,key=n"),
        ("line-header,form=number", "line-header"),
        ("line-header,key=n,form=json", "line-header,key=n,form=json"),
        ("delimiter:hex:0d0a", "delimiter:\\r\\n"),
        ("delimiter:\"\\x2c\"", "delimiter:\",\""),
        ("delimiter:\\0\\t\\\\\\xff", "delimiter:\\0\\t\\\\\\xff"),
        ("delimiter:\"hex:0d\"", "delimiter:\"hex:0d\""),
        ("fixed:1K", "fixed:1024"),
        ("raw", "raw"),
        ("varint,ask=PING,answer=PONG", "varint,ask=PING,answer=PONG"),
        ("varint,ask=hex:50,answer=P", "varint,ask=P"),
        ("varint,ask=\"{\\\"t\\\":1}\"", "varint,ask=\"{\\\"t\\\":1}\""),
        ("varint,ask=\"@2:00\"", "varint,ask=\"@2:00\""),
        ("varint,ask=\"\"", "varint,ask=\"\""),
        ("varint,answer=PONG", "varint,ask=\"\",answer=PONG"),
        ("length:2be,head=4,ask=@2:0001,answer=@2:hex:0002", "length:2be,head=4,ask=@2:0001,answer=@2:0002"),
    ] {
        let framing: Framing = given.parse().unwrap_or_else(|error| panic!("{given:?}: {error}"));
        assert_eq!(framing.spec(), canonical, "{given:?}");
        assert_eq!(Framing::parse(canonical).unwrap().spec(), canonical);
        assert!(format!("{framing:?}").contains(canonical));
    }
}

#[test]
fn the_limit_depends_on_who_called_unless_it_is_given() {
    let framing = Framing::parse("length:4be").unwrap();
    assert_eq!((framing.max_bytes(), framing.for_dialled().max_bytes()), (MAX_BYTES_LISTENER, MAX_BYTES_DIALLED));
    let given = Framing::parse("length:4be,max=2K").unwrap();
    assert_eq!((given.max_bytes(), given.for_dialled().max_bytes()), (2048, 2048));
    assert_eq!(framing.with_max(100).unwrap().for_dialled().max_bytes(), 100);
    let fixed = Framing::parse("fixed:64").unwrap();
    assert_eq!(fixed.clone().with_max(63).unwrap_err().to_string(), "max is 63, but must be from 64 to 1073741824");
    assert!(fixed.with_max(64).is_ok());
    let beats = Framing::parse("varint,ask=PING").unwrap();
    assert_eq!(beats.with_max(3).unwrap_err().to_string(), "max: a beat's message of 4 bytes is over max=3");
}

#[test]
fn refusals_name_the_key_the_bound_and_the_value() {
    for (spec, text) in [
        ("", "no codec \"\""),
        ("lenght:4be", "no codec \"lenght\"; did you mean length?"),
        ("length", "length needs a value: 1, 2, 3, 4 or 8 with be or le, such as 4be"),
        ("length:5be", "length is \"5be\", but wants 1, 2, 3, 4 or 8 with be or le, such as 4be"),
        ("length:4be,size=3", "length has no key \"size\""),
        ("length:4be,ajust=3", "length has no key \"ajust\"; did you mean adjust?"),
        ("length:4be,include-head", "length has no key \"include-head\"; did you mean includes-head?"),
        ("length:4be,xyzhead=8", "length has no key \"xyzhead\""),
        ("length:4be,xyzincludes-head", "length has no key \"xyzincludes-head\""),
        ("length:4be,ot=3", "length has no key \"ot\""),
        ("line-header,kay=n", "line-header has no key \"kay\"; did you mean key?"),
        ("length:4be,", "length has no key \"\""),
        ("varint,at=3", "varint has no key \"at\""),
        ("length:4be,at=1,at=1", "at is given twice"),
        ("length:4be,at", "at needs a value: a number"),
        ("length:4be,at=x", "at is \"x\", but wants a number"),
        ("length:4be,at=1M", "at is \"1M\", but wants a number"),
        ("length:4be,at=1021", "at is 1021, but must be from 0 to 1020"),
        ("length:4be,at=4,head=7", "head is 7, but must be from 8 to 1024"),
        ("length:4be,adjust=1K", "adjust is \"1K\", but wants a number"),
        ("length:4be,adjust=-3000000000", "adjust is -3000000000, but must be from -2147483648 to 1073741824"),
        ("length:4be,includes-head=1", "includes-head takes no value, but \"1\" is given"),
        (
            "length:1be,head=300,includes-head",
            "length cannot encode even its shortest frame: length 300 does not fit its field, which holds at most 255",
        ),
        ("length:4be,adjust=70000", "max is 65536, but must be from 70000 to 1073741824"),
        ("varint:3", "varint takes no value, but \"3\" is given"),
        ("varint,max=0", "max is 0, but must be from 1 to 1073741824"),
        ("varint,max=2000M", "max is 2097152000, but must be from 1 to 1073741824"),
        ("varint,max=99999999999999999999M", "max is 9223372036854775807, but must be from 1 to 1073741824"),
        ("varint,max=64Q", "max is \"64Q\", but wants a number of bytes such as 4096, 64K or 16M"),
        (
            "line-header,key=a=b",
            "key is \"a=b\", but wants 1 to 64 printable ASCII characters other than blank = ; { \" \\",
        ),
        ("line-header,form=xml", "form is \"xml\", but wants number, pairs or json"),
        ("delimiter", "delimiter needs a value: 1 to 8 bytes such as \\r\\n or hex:0d0a; quote a comma or blank"),
        ("delimiter:", "delimiter is \"\", but wants 1 to 8 bytes such as \\r\\n or hex:0d0a; quote a comma or blank"),
        (
            "delimiter:123456789",
            "delimiter is \"123456789\", but wants 1 to 8 bytes such as \\r\\n or hex:0d0a; quote a comma or blank",
        ),
        ("delimiter:hex:0d0", "delimiter is \"hex:0d0\": hex has two digits for each byte"),
        ("delimiter:hex:0g", "delimiter is \"hex:0g\": not a hex digit"),
        ("delimiter:\\q", "delimiter is \"\\\\q\": the escapes are \\r \\n \\t \\0 \\\\ \\\" \\xNN"),
        ("delimiter:\\x4", "delimiter is \"\\\\x4\": the escapes are \\r \\n \\t \\0 \\\\ \\\" \\xNN"),
        ("delimiter:\"ab", "delimiter is \"\\\"ab\": the quote does not end"),
        ("delimiter:\"ab\"c", "delimiter is \"\\\"ab\\\"c\": more follows the closing quote"),
        ("fixed", "fixed needs a value: bytes of a record"),
        ("fixed:0", "fixed is 0, but must be from 1 to 65536"),
        ("fixed:9,max=8", "fixed is 9, but must be from 1 to 8"),
        ("varint,ask=@:00", "ask is \"@:00\": a pattern is @OFFSET:HEX"),
        ("varint,ask=@1", "ask is \"@1\": a pattern is @OFFSET:HEX"),
        ("varint,ask=@99999999:00", "ask is \"@99999999:00\": a pattern is @OFFSET:HEX"),
        ("varint,ask=@1:", "ask is \"@1:\": a pattern has at least one byte"),
        ("varint,ask=@5000:00", "ask: takes 5001 bytes, but a beat can have 4096"),
        ("varint,max=3,ask=PING", "ask: a beat's message of 4 bytes is over max=3"),
        ("length:2be,max=3,ask=P,answer=PONG", "answer: a beat's message of 4 bytes is over max=3"),
        ("fixed:64,ask=PING", "ask: message of 4 bytes, but a record has exactly 64"),
        ("fixed:4,ask=@3:0001", "ask: takes 5 bytes, but a beat can have 4"),
        ("fixed:4,answer=PONG", "answer: this codec has no ask by default: give ask= as well"),
        ("raw,ask=PING", "ask: raw has no frames, so only silence counts"),
        ("delimiter:\\n,ask=\"a\\nb\"", "ask: a delimiter begins at offset 1 of the message"),
        ("delimiter:aa,ask=xa", "ask: a delimiter begins at offset 1 of the message"),
        ("delimiter:\\n,ask=@0:610a", "ask: a frame with this pattern would be cut elsewhere"),
        ("delimiter:\\0,ask=@3:61", "ask: a delimiter begins at offset 0 of the message"),
        ("length:4be,ask=@3:01", "ask: the pattern lies on the length field"),
        ("length:4be,at=2,ask=@1:0102", "ask: the pattern lies on the length field"),
        ("varint,ask=@0:07", "ask: a frame with this pattern would be cut elsewhere"),
        ("line-header,ask=@0:7b", "ask: a frame with this pattern would be cut elsewhere"),
        ("length:2be,head=6,ask=@2:01,answer=@3:02", "answer: one frame could be ask and answer at once"),
        ("length:2be,head=6,ask=@2:01,answer=@2:0102", "answer: one frame could be ask and answer at once"),
        ("length:2be,ask=@2:50,answer=PONG", "answer: one frame could be ask and answer at once"),
        ("length:4be,adjust=4,ask=PI", "ask: message of 2 bytes is shorter than the 4 that adjust= leaves uncounted"),
    ] {
        assert_eq!(refusal(spec), text, "{spec:?}");
    }
}

#[cfg(feature = "websocket")]
#[test]
fn websocket_is_read_and_written() {
    for (given, canonical) in [
        ("websocket", "websocket"),
        (" websocket , send-fragment=64K", "websocket"),
        ("websocket,max=64M", "websocket,max=64M"),
        ("websocket,send-fragment=1024,fragments=7,max=2000", "websocket,fragments=7,send-fragment=1K,max=2000"),
        ("websocket,fragments=4096", "websocket,fragments=4096"),
        ("websocket,answer=PONG,ask=PING", "websocket,ask=PING,answer=PONG"),
        ("websocket,ask=hex:ff", "websocket,ask=\\xff"),
    ] {
        let framing = Framing::parse(given).unwrap_or_else(|error| panic!("{given:?}: {error}"));
        assert_eq!(framing.spec(), canonical, "{given:?}");
        assert_eq!(framing.for_dialled().spec(), canonical);
        assert_eq!(Framing::parse(canonical).unwrap().spec(), canonical);
    }
    for (spec, text) in [
        ("websoket", "no codec \"websoket\"; did you mean websocket?"),
        ("websocket:13", "websocket takes no value, but \"13\" is given"),
        ("websocket,fragment=3", "websocket has no key \"fragment\"; did you mean fragments?"),
        ("websocket,fragments=0", "fragments is 0, but must be from 1 to 16777216"),
        ("websocket,fragments=1K", "fragments is \"1K\", but wants a number"),
        ("websocket,fragments", "fragments needs a value: a number"),
        ("websocket,send-fragment=0", "send-fragment is 0, but must be from 1 to 1073741824"),
        ("websocket,send-fragment=x", "send-fragment is \"x\", but wants a number of bytes such as 4096, 64K or 16M"),
        ("varint,send-fragment=1", "varint has no key \"send-fragment\""),
        ("websocket,ask=@2:00", "ask: websocket heads differ in length: give a whole message, not a pattern"),
        (
            "websocket,ask=a,answer=@2:00",
            "answer: websocket heads differ in length: give a whole message, not a pattern",
        ),
        ("websocket,answer=PONG", "answer: this codec has no ask by default: give ask= as well"),
        ("websocket,max=3,ask=PING", "ask: a beat's message of 4 bytes is over max=3"),
    ] {
        assert_eq!(refusal(spec), text, "{spec:?}");
    }
    let dialled = Framing::parse("websocket").unwrap().for_dialled();
    assert_eq!(dialled.max_bytes(), MAX_BYTES_DIALLED);
    let given = dialled.with_beats("PING", Some("PONG")).unwrap();
    let mut ask = Vec::new();
    assert!(given.ask(&mut ask));
    assert_eq!(ask[1], 0x84, "it is still the client's side");
    assert!(given.with_max(3).is_err());
}

#[test]
fn the_longest_key_of_a_line_header_is_64_characters() {
    let spec = |count| format!("line-header,key={}", "k".repeat(count));
    assert!(Framing::parse(&spec(64)).is_ok());
    assert!(refusal(&spec(65)).ends_with("but wants 1 to 64 printable ASCII characters other than blank = ; { \" \\"));
}

#[test]
fn a_framing_can_be_shared_by_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug + 'static>(_: &T) {}
    let framing = Arc::new(Framing::parse("varint").unwrap());
    shared(&*framing);
    shared(&SpecError::Twice { key: "at" });
}

proptest! {
    #[test]
    fn any_bytes_as_beat_and_delimiter_survive_the_text_form(
        ask in prop::collection::vec(any::<u8>(), 0..20),
        answer in prop::collection::vec(any::<u8>(), 0..20),
        delimiter in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        let spec = format!("varint,ask=hex:{},answer=hex:{}", bodies::hex(&ask), bodies::hex(&answer));
        bodies::spec(spec.as_bytes());
        let framing = Framing::parse(&spec).unwrap();
        let mut sent = Vec::new();
        Framing::parse(&framing.spec()).unwrap().ask(&mut sent);
        prop_assert_eq!(&sent[1..], &ask[..]);
        let framing = Framing::parse(&format!("delimiter:hex:{}", bodies::hex(&delimiter))).unwrap();
        let again = Framing::parse(&framing.spec()).unwrap();
        let mut sent = Vec::new();
        again.encode(None, &[], &mut sent).unwrap();
        prop_assert_eq!(sent, delimiter);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(length:4be|varint|delimiter:|line-header|\\PC{0,9})[,=:@\"\\\\a-z0-9K.é-]{0,30}") {
        bodies::spec(text.as_bytes());
    }
}
