//! PROXY protocol, versions 1 and 2: what a balancer says ahead of a connection's own bytes about who is behind it
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! Whether it is spoken is a matter of the listener: a header must not be guessed, and is believed only from listed
//! addresses, since anybody can write one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most bytes of a header of version 1: the line with its CRLF.
pub const PROXY_V1_BYTES_MAX: usize = 107;
/// The most bytes of a header of version 2 that is read: 536, which every sender can send in one piece (section 2.2 of the
/// specification). The format has room for 65,551.
pub const PROXY_V2_BYTES_MAX: usize = 536;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const V2_HEAD: usize = V2.len() + 4;

/// A whole header. It borrows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose connection the balancer passes on; IPv4 within IPv6 is IPv4. None: the balancer's own, such as a health
    /// check (`LOCAL`), or none of TCP's addresses (`UNKNOWN`, Unix sockets): then who is connected counts.
    pub source: Option<SocketAddr>,
    /// Bytes that the header takes. What follows is the connection's own.
    pub bytes: usize,
}

/// Why bytes are no header. The connection must be closed: the specification forbids to go on without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// Neither of the two signatures: this peer does not speak the protocol.
    Signature,
    /// The line of version 1 does not end within [`PROXY_V1_BYTES_MAX`] bytes.
    LineTooLong,
    /// The line of version 1 cannot be read: its protocol, an address, a port, or what is between them.
    Line,
    /// A command or a version that version 2 does not have, in byte 12.
    Command(u8),
    /// A family or a transport that version 2 does not have, in byte 13.
    Family(u8),
    /// A header of version 2 over [`PROXY_V2_BYTES_MAX`] bytes: so many are promised.
    TooLong(usize),
    /// So many bytes are promised for the addresses of a family that takes more.
    TooShort(usize),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature => write!(f, "the connection does not begin with a PROXY header"),
            Self::LineTooLong => write!(f, "the PROXY line does not end within {PROXY_V1_BYTES_MAX} bytes"),
            Self::Line => write!(f, "the PROXY line cannot be read"),
            Self::Command(byte) => write!(f, "PROXY version and command {byte:#04x} are unknown"),
            Self::Family(byte) => write!(f, "PROXY family and transport {byte:#04x} are unknown"),
            Self::TooLong(bytes) => write!(f, "a PROXY header of {bytes} bytes is over {PROXY_V2_BYTES_MAX}"),
            Self::TooShort(bytes) => write!(f, "{bytes} bytes are too few for the addresses of this PROXY header"),
        }
    }
}

impl std::error::Error for ProxyError {}

/// Reads the header at the front of `input`. `None`: it is good so far, but not whole; call again with more bytes behind.
/// Never more than [`PROXY_V2_BYTES_MAX`] bytes are looked at, so that beginning anew each time costs little.
///
/// # Errors
/// As soon as it is known that no header can come of it.
pub fn read(input: &[u8]) -> Result<Option<Header>, ProxyError> {
    if agrees(input, V1) {
        return if input.len() < V1.len() { Ok(None) } else { version_1(input) };
    }
    if agrees(input, V2) { version_2(input) } else { Err(ProxyError::Signature) }
}

/// Whether `input` begins with `signature`, or is a beginning of it.
fn agrees(input: &[u8], signature: &[u8]) -> bool {
    input.iter().zip(signature).all(|(came, wanted)| came == wanted)
}

fn version_1(input: &[u8]) -> Result<Option<Header>, ProxyError> {
    let seen = &input[..input.len().min(PROXY_V1_BYTES_MAX)];
    let end = seen.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = match end.map(|end| seen.split_at(end)) {
        Some((line, [b'\r', b'\n', ..])) => line,
        Some((_, [b'\r'])) | None if seen.len() < PROXY_V1_BYTES_MAX => return Ok(None),
        Some((_, [b'\r'])) | None => return Err(ProxyError::LineTooLong),
        Some(_) => return Err(ProxyError::Line),
    };
    let text = std::str::from_utf8(&line[V1.len()..]).map_err(|_| ProxyError::Line)?;
    Ok(Some(Header { source: source(text).ok_or(ProxyError::Line)?, bytes: line.len() + 2 }))
}

/// `TCP4 source destination port port`; the inner None is `UNKNOWN`, whose rest is not looked at.
fn source(text: &str) -> Option<Option<SocketAddr>> {
    let mut words = text.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let [source, destination, from, to] = [words.next()?, words.next()?, words.next()?, words.next()?];
    if words.next().is_some() {
        return None;
    }
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    (address(destination).is_some() && port(to).is_some())
        .then(|| Some(Some(SocketAddr::new(address(source)?.to_canonical(), port(from)?))))
        .flatten()
}

/// A port in decimal, without sign and without zeros in front.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

fn version_2(input: &[u8]) -> Result<Option<Header>, ProxyError> {
    let command = input.get(V2.len()).copied();
    if let Some(unknown) = command.filter(|command| !matches!(command, 0x20 | 0x21)) {
        return Err(ProxyError::Command(unknown));
    }
    let is_local = command == Some(0x20);
    let Some(&family) = input.get(V2.len() + 1) else { return Ok(None) };
    // Unspecified; TCP and UDP over IPv4 and over IPv6; Unix streams and datagrams.
    let addresses = match family {
        0x00 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        // Section 2.2: of a LOCAL header the family is not looked at.
        _ if is_local => 0,
        unknown => return Err(ProxyError::Family(unknown)),
    };
    let Some(&[high, low]) = input.get(V2.len() + 2..V2_HEAD) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let bytes = V2_HEAD + length;
    if bytes > PROXY_V2_BYTES_MAX {
        return Err(ProxyError::TooLong(bytes));
    }
    if length < addresses && !is_local {
        return Err(ProxyError::TooShort(length));
    }
    let Some(block) = input.get(V2_HEAD..bytes) else { return Ok(None) };
    let source = match family {
        _ if is_local => None,
        // Source, destination, source port, destination port.
        0x11 => at::<4>(block, 0).zip(at(block, 8)).map(|(ip, port)| (IpAddr::from(ip), port)),
        0x21 => at::<16>(block, 0).zip(at(block, 32)).map(|(ip, port)| (IpAddr::from(ip).to_canonical(), port)),
        _ => None,
    };
    let source = source.map(|(ip, port)| SocketAddr::new(ip, u16::from_be_bytes(port)));
    Ok(Some(Header { source, bytes }))
}

/// `N` bytes at an offset.
fn at<const N: usize>(block: &[u8], offset: usize) -> Option<[u8; N]> {
    block.get(offset..offset + N)?.try_into().ok()
}
