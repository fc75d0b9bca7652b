//! The parameters of one offer or response, as they stand in `Sec-WebSocket-Extensions` (RFC 6455 section 9.1, RFC 7692
//! section 7.1).

use super::PERMESSAGE_DEFLATE;

const SERVER_TAKEOVER: &[u8] = b"server_no_context_takeover";
const CLIENT_TAKEOVER: &[u8] = b"client_no_context_takeover";
const SERVER_BITS: &[u8] = b"server_max_window_bits";
const CLIENT_BITS: &[u8] = b"client_max_window_bits";

/// What is said of one `permessage-deflate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) server_no_takeover: bool,
    pub(super) client_no_takeover: bool,
    pub(super) server_bits: Option<u8>,
    pub(super) client_bits: Option<ClientBits>,
}

/// `client_max_window_bits`, which an offer may have without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientBits {
    Any,
    Most(u8),
}

impl Parameters {
    /// All that `lines` say of `permessage-deflate`, in order. What is malformed, unknown, doubled or out of range
    /// makes one of them unusable: `None`. Other extensions are left out.
    pub(super) fn all<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = Option<Self>> {
        let named = |one: &&[u8]| {
            let name = Split { rest: one, by: b';' }.next().unwrap_or_default();
            name == PERMESSAGE_DEFLATE.as_bytes()
        };
        lines.into_iter().flat_map(|line| Split { rest: line, by: b',' }).filter(named).map(Self::read)
    }

    fn read(one: &[u8]) -> Option<Self> {
        let mut read = Self::default();
        for parameter in (Split { rest: one, by: b';' }).skip(1) {
            let (name, value) = match parameter.iter().position(|byte| *byte == b'=') {
                None => (parameter, None),
                Some(at) => (parameter[..at].trim_ascii(), Some(unquoted(parameter[at + 1..].trim_ascii())?)),
            };
            let is_new = match (name, value) {
                (SERVER_TAKEOVER, None) => !std::mem::replace(&mut read.server_no_takeover, true),
                (CLIENT_TAKEOVER, None) => !std::mem::replace(&mut read.client_no_takeover, true),
                (SERVER_BITS, Some(value)) => read.server_bits.replace(bits(&value)?).is_none(),
                (CLIENT_BITS, None) => read.client_bits.replace(ClientBits::Any).is_none(),
                (CLIENT_BITS, Some(value)) => read.client_bits.replace(ClientBits::Most(bits(&value)?)).is_none(),
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(read)
    }

    /// As it stands in a header line.
    pub(super) fn write(&self) -> String {
        let mut text = PERMESSAGE_DEFLATE.to_owned();
        let mut say = |name: &[u8], value: Option<u8>| {
            text.push_str("; ");
            text.extend(name.iter().map(|byte| char::from(*byte)));
            if let Some(value) = value {
                text.push('=');
                text.push_str(&value.to_string());
            }
        };
        if self.server_no_takeover {
            say(SERVER_TAKEOVER, None);
        }
        if self.client_no_takeover {
            say(CLIENT_TAKEOVER, None);
        }
        if let Some(bits) = self.server_bits {
            say(SERVER_BITS, Some(bits));
        }
        match self.client_bits {
            None => {}
            Some(ClientBits::Any) => say(CLIENT_BITS, None),
            Some(ClientBits::Most(bits)) => say(CLIENT_BITS, Some(bits)),
        }
        text
    }
}

/// What stands between the separators that are not in quotes.
struct Split<'a> {
    rest: &'a [u8],
    by: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut quoted, mut escaped) = (false, false);
        let end = self.rest.iter().position(|&byte| {
            let ends = !quoted && byte == self.by;
            quoted ^= byte == b'"' && !escaped;
            escaped = quoted && byte == b'\\' && !escaped;
            ends
        });
        let (part, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(part.trim_ascii())
    }
}

/// The value without its quotes. `None`: the quotes are not as they have to be.
fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    let Some(rest) = value.strip_prefix(b"\"") else { return Some(value.to_vec()) };
    let mut rest = rest.strip_suffix(b"\"")?;
    let mut read = Vec::new();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'"', _) | (b'\\', []) => return None,
            (b'\\', [escaped, after @ ..]) => (escaped, after),
            _ => (first, after),
        };
        read.push(*byte);
        rest = after;
    }
    Some(read)
}

/// 8 to 15, without a zero before it.
fn bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}
