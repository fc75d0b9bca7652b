//! The fuzz bodies on stable: over a corpus and a bounded number of seeded inputs.

#[path = "../fuzz/bodies.rs"]
mod bodies;
#[cfg(feature = "deflate")]
#[path = "../fuzz/deflate_body.rs"]
mod deflate_body;
#[cfg(feature = "websocket")]
#[path = "../fuzz/upgrade_body.rs"]
mod upgrade_body;
#[cfg(feature = "websocket")]
#[path = "../fuzz/websocket_body.rs"]
mod websocket_body;

use std::{fs, path::Path};

/// Under Miri a few: each takes it a hundred times as long.
const INPUTS: u64 = if cfg!(miri) { 20 } else { 3000 };

/// SplitMix64: seeded, so that a failure comes again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Bytes from a small alphabet, so that frames come about: half of them from `words`, half from anywhere.
fn input(random: &mut Random, words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![random.next() as u8, random.next() as u8, random.next() as u8];
    for _ in 0..random.below(24) {
        if random.below(2) == 0 && !words.is_empty() {
            bytes.extend_from_slice(words[random.below(words.len())]);
        } else {
            bytes.push(random.next() as u8 >> random.below(8));
        }
    }
    bytes
}

fn run(name: &str, words: &[&[u8]], body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&corpus).expect("each target has a corpus");
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", corpus.display());
    // Under Miri every so many, not the first: names that people gave are at one end.
    let every = if cfg!(miri) { files.len().div_ceil(10) } else { 1 };
    for file in files.iter().step_by(every) {
        body(&fs::read(file).unwrap());
    }
    let mut random = Random(42);
    for _ in 0..INPUTS {
        body(&input(&mut random, words));
    }
}

#[test]
fn length() {
    run("length", &[&[0, 0, 0, 1], &[0; 7], &[255; 4], b"PQ"], bodies::length);
}

#[test]
fn varint() {
    run("varint", &[&[0x80; 5], &[0], &[1, b'P'], &[2, 1]], bodies::varint);
}

#[test]
fn line_header() {
    let words: [&[u8]; 14] = [
        b"\r\n",
        b"0\r\n",
        b"1\r\nP",
        b"length=",
        b";",
        b"n=2",
        b"{",
        b"}",
        b"\"length\"",
        b":",
        b"2",
        b",",
        b"-",
        b"\"n\":1",
    ];
    run("line_header", &words, bodies::line_header);
}

#[test]
fn delimiter() {
    run("delimiter", &[b"\r", b"\n", b"\r\n", b"a", b"aa", b"b", b"ab", b"P\n", b"Q;"], bodies::delimiter);
}

#[test]
fn fixed() {
    run("fixed", &[b"PING", b"PONG", &[0, 0, 0, 1]], bodies::fixed);
}

#[test]
fn raw() {
    run("raw", &[], bodies::raw);
}

#[test]
fn spec() {
    let words: [&[u8]; 30] = [
        b"length:4be",
        b"length:2le",
        b"length:1be",
        b"varint",
        b"line-header",
        b"delimiter:",
        b"\\r\\n",
        b"fixed:",
        b"raw",
        b",",
        b",at=",
        b",head=",
        b",adjust=",
        b",includes-head",
        b",max=",
        b",ask=",
        b",answer=",
        b",key=",
        b",form=",
        b"json",
        b"\"",
        b"hex:",
        b"@",
        b":",
        b"0001",
        b"64",
        b"K",
        b"8",
        b"\\x41",
        b"PING",
    ];
    let mut random = Random(7);
    let starts = [0, 1, 2, 3, 4, 5, 7, 8];
    for _ in 0..INPUTS {
        let mut text = words[starts[random.below(starts.len())]].to_vec();
        for _ in 0..random.below(8) {
            text.extend_from_slice(words[random.below(words.len())]);
        }
        bodies::spec(&text);
    }
    run("spec", &words, bodies::spec);
}

#[test]
fn beats() {
    run("beats", &[&[0, 0], &[0x81], &[1], b"a", b"\r\n", b"0\r\n"], bodies::beats);
}

#[test]
fn custom() {
    run("custom", &[&[1, 0, 0, 0, 0, 1], &[255]], bodies::custom);
}

#[cfg(feature = "websocket")]
#[test]
fn websocket() {
    let words: [&[u8]; 9] =
        [&[5, 3], &[0x45, 9], &[0x40, 5], &[0x43, 7], &[4, 0], &[11, 1], &[0x8e, 2], &[10, 255], "é漢".as_bytes()];
    run("websocket", &words, websocket_body::websocket);
}

#[cfg(feature = "deflate")]
#[test]
fn deflate() {
    let words: [&[u8]; 14] = [
        &[3, 6, 5, 60],
        b"permessage-deflate",
        b"; server_no_context_takeover",
        b"; client_no_context_takeover",
        b"; server_max_window_bits=",
        b"; client_max_window_bits",
        b"=\"10\"",
        b"9",
        b", ",
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[0x03, 0x00],
        &[0x00, 0x00, 0xff, 0xff],
        &[0x00, 0x05, 0x00, 0xfa, 0xff],
        &[7; 200],
    ];
    run("deflate", &words, deflate_body::body);
}

#[cfg(feature = "websocket")]
#[test]
fn upgrade() {
    let words: [&[u8]; 24] = [
        b"GET / HTTP/1.1\r\n",
        b"GET /chat?x HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: keep-alive, Upgrade\r\n",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"Sec-WebSocket-Version: 13\r\n",
        b"Sec-WebSocket-Protocol: a, b\r\n",
        b"Sec-WebSocket-Extensions: x\r\n",
        b"X-Forwarded-For: 1.2.3.4, 10.0.0.2\r\n",
        b"Origin: https://example.org\r\n",
        b"Content-Length: 1\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n",
        b"\r\n",
        b"\n",
        b" ",
        b":",
        b"ws://",
        b"[::1]",
        b":80",
        b"/",
        b"?",
        b"#",
    ];
    // A request with some of its lines, in any order, so that many are good.
    let mut random = Random(6);
    for _ in 0..INPUTS {
        let mut head = words[random.below(2)].to_vec();
        for line in &words[2..7] {
            if random.below(12) > 0 {
                head.extend_from_slice(line);
            }
        }
        for _ in 0..random.below(3) {
            head.extend_from_slice(words[2 + random.below(10)]);
        }
        head.extend_from_slice(b"\r\n");
        upgrade_body::upgrade(&head);
    }
    run("upgrade", &words, upgrade_body::upgrade);
}
