//! Offered, chosen, confirmed (RFC 7692 sections 5 and 7.1).

use super::options::BITS;
use super::parameters::{ClientBits, Parameters};
use super::{DeflateOptions, Sending};
use std::fmt;

const BITS_MOST: u8 = *BITS.end();

/// What both ends agreed on, seen from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// How far back what we send may refer: 2^8 to 2^15 bytes. With 8 bits we send nothing deflated.
    pub send_bits: u8,
    /// Whether what we send may refer to messages before.
    pub send_takeover: bool,
    /// How far back what we receive may refer to messages before. 15 where it may not.
    pub receive_bits: u8,
    /// Whether what we receive may refer to messages before: then [`inflate`](super::inflate) needs them.
    pub receive_takeover: bool,
}

impl Agreed {
    /// How the messages that we send are deflated.
    #[must_use]
    pub fn sending(&self, level: u8) -> Sending {
        Sending { level, bits: self.send_bits }
    }

    /// Bytes of the window that what we send may refer to between messages. 0 without takeover.
    pub fn send_window_bytes(&self) -> usize {
        if self.send_takeover { 1 << self.send_bits } else { 0 }
    }

    /// The same for what we receive.
    pub fn receive_window_bytes(&self) -> usize {
        if self.receive_takeover { 1 << self.receive_bits } else { 0 }
    }
}

/// A server: takes the first offer that can be taken, of all values of the request's `Sec-WebSocket-Extensions`. With
/// what is then agreed comes what the response has to say. `None`: messages go as they are.
///
/// An offer is unusable where a parameter is unknown, doubled or has no good value, or where the server were to use a
/// window of 2^8 bytes, which zlib cannot deflate with.
pub fn choose<'a>(options: &DeflateOptions, offers: impl IntoIterator<Item = &'a [u8]>) -> Option<(Agreed, String)> {
    Parameters::all(offers).flatten().find_map(|offer| choose_one(options, &offer))
}

fn choose_one(options: &DeflateOptions, offer: &Parameters) -> Option<(Agreed, String)> {
    let send_bits = options.bits().min(offer.server_bits.unwrap_or(BITS_MOST));
    if !BITS.contains(&send_bits) {
        return None;
    }
    let client_bits = match offer.client_bits {
        None => BITS_MOST,
        Some(ClientBits::Any) => options.bits(),
        Some(ClientBits::Most(bits)) => options.bits().min(bits),
    };
    // A client that cannot be told how much to remember must do without.
    let too_much = client_bits > options.bits();
    let client_no_takeover = offer.client_no_takeover || !options.client_context_takeover || too_much;
    let server_no_takeover = offer.server_no_takeover || !options.server_context_takeover;
    let response = Parameters {
        server_no_takeover,
        client_no_takeover,
        server_bits: (offer.server_bits.is_some() || send_bits < BITS_MOST).then_some(send_bits),
        client_bits: (client_bits < BITS_MOST).then_some(ClientBits::Most(client_bits)),
    };
    let agreed = Agreed {
        send_bits,
        send_takeover: !server_no_takeover,
        receive_bits: if client_no_takeover { BITS_MOST } else { client_bits },
        receive_takeover: !client_no_takeover,
    };
    Some((agreed, response.write()))
}

/// A client: what its request says in `Sec-WebSocket-Extensions`.
pub fn offer(options: &DeflateOptions) -> String {
    offered(options).write()
}

fn offered(options: &DeflateOptions) -> Parameters {
    let bits = options.bits();
    Parameters {
        server_no_takeover: !options.server_context_takeover,
        client_no_takeover: !options.client_context_takeover,
        server_bits: (bits < BITS_MOST).then_some(bits),
        client_bits: Some(if bits < BITS_MOST { ClientBits::Most(bits) } else { ClientBits::Any }),
    }
}

/// Why a client does not take the response to its [`offer`]. It then fails the connection (RFC 7692 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfirmError {
    /// A parameter is malformed, unknown, doubled, has no good value, or was not offered.
    Malformed,
    /// It is there more than once.
    Twice,
    /// The server goes on to use its messages before, or a larger window, though it was asked not to.
    NotAsOffered,
}

impl fmt::Display for ConfirmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the server answered permessage-deflate with bad parameters",
            Self::Twice => "the server answered permessage-deflate twice",
            Self::NotAsOffered => "the server does not take permessage-deflate as it was offered",
        })
    }
}

impl std::error::Error for ConfirmError {}

/// A client: what is agreed by the values of the response's `Sec-WebSocket-Extensions`. `Ok(None)`: the server declined.
///
/// # Errors
/// The response is none to what [`offer`] said with the same options.
pub fn confirm<'a>(
    options: &DeflateOptions,
    response: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Agreed>, ConfirmError> {
    let mut said = Parameters::all(response);
    let Some(first) = said.next() else { return Ok(None) };
    if said.next().is_some() {
        return Err(ConfirmError::Twice);
    }
    let response = first.ok_or(ConfirmError::Malformed)?;
    let offer = offered(options);
    let server_bits = response.server_bits.unwrap_or(BITS_MOST);
    if offer.server_no_takeover && !response.server_no_takeover || server_bits > options.bits() {
        return Err(ConfirmError::NotAsOffered);
    }
    let client_bits = match response.client_bits {
        None => options.bits(),
        Some(ClientBits::Most(bits)) if bits <= options.bits() => bits,
        Some(ClientBits::Most(_)) => return Err(ConfirmError::NotAsOffered),
        Some(ClientBits::Any) => return Err(ConfirmError::Malformed),
    };
    Ok(Some(Agreed {
        send_bits: client_bits,
        send_takeover: options.client_context_takeover && !response.client_no_takeover,
        receive_bits: if response.server_no_takeover { BITS_MOST } else { server_bits },
        receive_takeover: !response.server_no_takeover,
    }))
}
