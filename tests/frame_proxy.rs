//! PROXY protocol: the specification's own headers, every place to cut them, and what must be refused.

use heartline::frame::proxy::{Header, PROXY_V1_BYTES_MAX, PROXY_V2_BYTES_MAX, ProxyError, read};
use proptest::prelude::*;

const SIGNATURE: [u8; 12] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/// A header of version 2, with a length that fits.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, block].concat()
}

fn tcp4() -> Vec<u8> {
    [&[192, 168, 0, 1][..], &[192, 168, 0, 11], &56324_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
}

fn tcp6(source: &str) -> Vec<u8> {
    let octets = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    [&octets(source)[..], &octets("2001:db8::2"), &4242_u16.to_be_bytes(), &80_u16.to_be_bytes()].concat()
}

/// The header is whole at its last byte and not before, whatever follows.
fn is(bytes: &[u8], source: Option<&str>) {
    for end in 0..bytes.len() {
        assert_eq!(read(&bytes[..end]), Ok(None), "cut at {end}: {}", bytes.escape_ascii());
    }
    let header = Ok(Some(Header { source: source.map(|source| source.parse().unwrap()), bytes: bytes.len() }));
    assert_eq!(read(bytes), header, "{}", bytes.escape_ascii());
    for more in [&b"\r\n"[..], b"GET / HTTP/1.1\r\n", b"PROXY ", &[0; 600]] {
        assert_eq!(read(&[bytes, more].concat()), header);
    }
}

/// Refused at the end of `bytes`, and good as far as the last byte but `known`.
fn refused(bytes: &[u8], known: usize, error: ProxyError) {
    assert_eq!(read(bytes), Err(error), "{}", bytes.escape_ascii());
    assert!(!error.to_string().is_empty());
    for end in 0..bytes.len() - known {
        assert_eq!(read(&bytes[..end]), Ok(None), "cut at {end}: {}", bytes.escape_ascii());
    }
}

#[test]
fn lines_of_version_1_are_read() {
    is(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", Some("192.168.0.1:56324"));
    // The longest of each that the specification counts.
    is(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Some("255.255.255.255:65535"));
    let longest = "ffff:f...f:ffff".replace("f...f", "ffff:ffff:ffff:ffff:ffff:ffff");
    let line = format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n");
    assert_eq!(line.len(), 104);
    is(line.as_bytes(), Some(&format!("[{longest}]:65535")));
    let line = format!("PROXY UNKNOWN {longest} {longest} 65535 65535\r\n");
    assert_eq!(line.len(), PROXY_V1_BYTES_MAX);
    is(line.as_bytes(), None);
    is(b"PROXY TCP6 2001:db8::1 ::1 0 1\r\n", Some("[2001:db8::1]:0"));
    is(b"PROXY TCP6 ::ffff:1.2.3.4 ::1 5 1\r\n", Some("1.2.3.4:5"));
    is(b"PROXY UNKNOWN\r\n", None);
    is(b"PROXY UNKNOWN anything  at all\r\n", None);
}

#[test]
fn lines_that_are_not_exact_are_refused() {
    for line in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.256 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4  \r\n",
        "PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n",
    ] {
        refused(line.as_bytes(), 1, ProxyError::Line);
    }
    refused(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", 1, ProxyError::Line);
    refused(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX", 1, ProxyError::Line);
    refused(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 \xff\r\n", 1, ProxyError::Line);
}

#[test]
fn a_line_without_end_is_refused_at_the_limit() {
    let line = |bytes| [b"PROXY UNKNOWN ", &vec![b'x'; bytes][..]].concat();
    refused(&line(PROXY_V1_BYTES_MAX - 14), 1, ProxyError::LineTooLong);
    let late = [&line(PROXY_V1_BYTES_MAX - 14 - 1)[..], b"\r"].concat();
    refused(&late, 1, ProxyError::LineTooLong);
    assert_eq!(read(&[&late[..], b"\n"].concat()), Err(ProxyError::LineTooLong));
    is(&[&line(PROXY_V1_BYTES_MAX - 14 - 2)[..], b"\r\n"].concat(), None);
    assert_eq!(read(&line(100_000)), Err(ProxyError::LineTooLong));
}

#[test]
fn headers_of_version_2_are_read() {
    is(&v2(0x21, 0x11, &tcp4()), Some("192.168.0.1:56324"));
    is(&v2(0x21, 0x21, &tcp6("2001:db8::1")), Some("[2001:db8::1]:4242"));
    is(&v2(0x21, 0x21, &tcp6("::ffff:1.2.3.4")), Some("1.2.3.4:4242"));
    // What follows the addresses is for others.
    is(&v2(0x21, 0x11, &[&tcp4()[..], &[0x04, 0, 3, 1, 2, 3]].concat()), Some("192.168.0.1:56324"));
    // The balancer's own connection, whatever stands there.
    is(&v2(0x20, 0x00, &[]), None);
    is(&v2(0x20, 0x11, &tcp4()), None);
    is(&v2(0x20, 0x11, &[]), None);
    is(&v2(0x20, 0xff, &[1, 2, 3]), None);
    // None of TCP's addresses.
    is(&v2(0x21, 0x00, &[]), None);
    is(&v2(0x21, 0x00, &[9; 20]), None);
    is(&v2(0x21, 0x12, &tcp4()), None);
    is(&v2(0x21, 0x22, &tcp6("::1")), None);
    is(&v2(0x21, 0x31, &[b'/'; 216]), None);
    is(&v2(0x21, 0x32, &[b'/'; 216]), None);
    is(&v2(0x21, 0x11, &[&tcp4()[..], &[0; 508]].concat()), Some("192.168.0.1:56324"));
}

#[test]
fn what_version_2_does_not_have_is_refused_at_its_byte() {
    for command in (0..=255).filter(|command| !matches!(command, 0x20 | 0x21)) {
        refused(&[&SIGNATURE[..], &[command]].concat(), 1, ProxyError::Command(command));
    }
    let known = [0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32];
    for family in (0..=255).filter(|family| !known.contains(family)) {
        refused(&[&SIGNATURE[..], &[0x21, family]].concat(), 1, ProxyError::Family(family));
    }
    for (family, most) in [(0x11, 11), (0x12, 11), (0x21, 35), (0x22, 35), (0x31, 215), (0x32, 215)] {
        for length in [0, most] {
            let header = [&SIGNATURE[..], &[0x21, family, 0, length as u8]].concat();
            refused(&header, 1, ProxyError::TooShort(length));
        }
    }
    for command in [0x20, 0x21] {
        let length = PROXY_V2_BYTES_MAX as u16 - 16 + 1;
        let header = [&SIGNATURE[..], &[command, 0x11], &length.to_be_bytes()].concat();
        refused(&header, 1, ProxyError::TooLong(PROXY_V2_BYTES_MAX + 1));
        refused(&[&SIGNATURE[..], &[command, 0x11, 255, 255]].concat(), 1, ProxyError::TooLong(65_551));
    }
}

#[test]
fn other_protocols_are_refused_at_their_first_byte_that_differs() {
    for (bytes, agree) in [
        (&b"GET / HTTP/1.1\r\n"[..], 0),
        (b"\0\0\0\x05hello", 0),
        (b"POST /", 1),
        (b"PRI * HTTP/2.0", 2),
        (b"PROXYX", 5),
        (b"PROXY\r\n", 5),
        (b"proxy TCP4", 0),
        (b"\r\nGET", 2),
        (b"\r\n\r\n\0\r\nQUIT\r", 11),
        (b"\x16\x03\x01", 0),
    ] {
        assert_eq!(read(&bytes[..agree]), Ok(None));
        for end in agree + 1..=bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(ProxyError::Signature), "{}", bytes.escape_ascii());
        }
    }
}

fn check(bytes: &[u8]) {
    let whole = read(bytes);
    if let Ok(Some(header)) = whole {
        assert!(header.bytes <= bytes.len().min(PROXY_V2_BYTES_MAX));
    }
    // However it is cut, it is the same in the end, and no answer is taken back.
    let mut before = Ok(None);
    for end in 0..=bytes.len() {
        let now = read(&bytes[..end]);
        assert!(before == Ok(None) || before == now, "{before:?}, then {now:?}");
        before = now;
    }
    assert_eq!(before, whole);
    assert!(bytes.len() < PROXY_V2_BYTES_MAX || whole != Ok(None));
}

proptest! {
    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..700), which in 0..4) {
        let front: &[u8] = match which {
            0 => b"",
            1 => b"PROXY ",
            2 => b"PROXY TCP4 1.2.3.4 ",
            _ => &SIGNATURE,
        };
        check(&[front, &garbage].concat());
    }

    #[test]
    fn damaged_headers_never_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec();
        for mut bytes in [line, v2(0x21, 0x11, &tcp4()), v2(0x21, 0x21, &tcp6("::1"))] {
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            check(&bytes);
        }
    }

    #[test]
    fn every_address_is_read_as_it_was_written(source: std::net::SocketAddr, to: u16) {
        let plain = std::net::SocketAddr::new(source.ip(), source.port());
        let (family, other) = if source.is_ipv4() { ("TCP4", "127.0.0.1") } else { ("TCP6", "::1") };
        let line = format!("PROXY {family} {} {other} {} {to}\r\n", source.ip(), source.port());
        let expected = std::net::SocketAddr::new(plain.ip().to_canonical(), plain.port());
        prop_assert_eq!(read(line.as_bytes()), Ok(Some(Header { source: Some(expected), bytes: line.len() })));
    }
}
