//! The settings of `websocket` in the text form.

#[cfg(feature = "deflate")]
use super::deflate::{BITS, DeflateOptions, LEVELS};
use super::{FRAGMENTS_MOST, SEND_FRAGMENT_BYTES, WebSocket};
use crate::frame::spec::{Keys, write_size};
use crate::frame::{MAX_BYTES_MOST, SpecError};
#[cfg(feature = "deflate")]
use crate::frame::{framing::Wire, spec::CODECS, spec::codec_text};
#[cfg(feature = "deflate")]
use std::ops::RangeInclusive;

/// The keys besides those that every codec has.
pub(in crate::frame) const KEYS: &[&str] = &[
    "fragments",
    "send-fragment",
    #[cfg(feature = "deflate")]
    "deflate",
    #[cfg(feature = "deflate")]
    "deflate-takeover",
    #[cfg(feature = "deflate")]
    "deflate-bits",
    #[cfg(feature = "deflate")]
    "deflate-level",
    #[cfg(feature = "deflate")]
    "deflate-min",
];

/// What the keys of `websocket` say.
pub(in crate::frame) fn read(keys: &Keys<'_>) -> Result<WebSocket, SpecError> {
    let fragments = keys.number("fragments", 1, FRAGMENTS_MOST.into(), false)?.map(|fragments| fragments as u32);
    let send_fragment = keys.number("send-fragment", 1, MAX_BYTES_MOST as i64, true)?;
    let send_fragment_bytes = send_fragment.map_or(SEND_FRAGMENT_BYTES, |bytes| bytes as usize);
    #[cfg_attr(not(feature = "deflate"), allow(unused_mut, reason = "there is nothing to set"))]
    let mut websocket = WebSocket::new(fragments, send_fragment_bytes);
    #[cfg(feature = "deflate")]
    {
        websocket.deflate = deflate(keys)?;
    }
    Ok(websocket)
}

/// Any of these keys is a wish for it.
#[cfg(feature = "deflate")]
fn deflate(keys: &Keys<'_>) -> Result<Option<DeflateOptions>, SpecError> {
    const WANTED: &str = "nothing for both directions, or server or client for one";
    let mut deflate = DeflateOptions::default();
    let mut wanted = keys.flag("deflate")?;
    if let Some((key, of)) = keys.given.iter().find(|(key, _)| *key == "deflate-takeover") {
        let (server, client) = match of.map(|of| of.raw) {
            None => (true, true),
            Some("server") => (true, false),
            Some("client") => (false, true),
            Some(given) => return Err(SpecError::BadValue { key, given: given.to_owned(), wanted: WANTED }),
        };
        (deflate.server_context_takeover, deflate.client_context_takeover) = (server, client);
        wanted = true;
    }
    let mut number = |key, range: RangeInclusive<i64>, units| -> Result<Option<i64>, SpecError> {
        let given = keys.number(key, *range.start(), *range.end(), units)?;
        wanted |= given.is_some();
        Ok(given)
    };
    if let Some(bits) = number("deflate-bits", wide(BITS), false)? {
        deflate.max_window_bits = bits as u8;
    }
    if let Some(level) = number("deflate-level", wide(LEVELS), false)? {
        deflate.level = level as u8;
    }
    if let Some(bytes) = number("deflate-min", 0..=MAX_BYTES_MOST as i64, true)? {
        deflate.min_bytes = bytes as u32;
    }
    Ok(wanted.then_some(deflate))
}

#[cfg(feature = "deflate")]
fn wide(range: RangeInclusive<u8>) -> RangeInclusive<i64> {
    i64::from(*range.start())..=i64::from(*range.end())
}

/// The same of settings that were not read from a text.
#[cfg(feature = "deflate")]
pub(in crate::frame) fn check_deflate(wire: &Wire, deflate: Option<&DeflateOptions>) -> Result<(), SpecError> {
    let Some(deflate) = deflate else { return Ok(()) };
    if !matches!(wire, Wire::WebSocket(_)) {
        let codec = CODECS.iter().find(|codec| codec_text(wire).starts_with(**codec)).unwrap_or(&"custom");
        return Err(SpecError::UnknownKey { given: "deflate".to_owned(), codec, near: None });
    }
    let settings = [("deflate-bits", deflate.max_window_bits, BITS), ("deflate-level", deflate.level, LEVELS)];
    for (key, given, range) in settings {
        if !range.contains(&given) {
            let (given, (least, most)) = (given.into(), wide(range).into_inner());
            return Err(SpecError::OutOfRange { key, given, least, most });
        }
    }
    let (given, most) = (deflate.min_bytes.into(), MAX_BYTES_MOST as i64);
    if given > most {
        return Err(SpecError::OutOfRange { key: "deflate-min", given, least: 0, most });
    }
    Ok(())
}

/// Writes them so that [`read`] reads them back.
pub(in crate::frame) fn write(text: &mut String, websocket: &WebSocket) {
    text.push_str("websocket");
    if let Some(fragments) = websocket.fragments {
        text.push_str(&format!(",fragments={fragments}"));
    }
    if websocket.send_fragment_bytes != SEND_FRAGMENT_BYTES {
        write_size(text, "send-fragment", websocket.send_fragment_bytes);
    }
    #[cfg(feature = "deflate")]
    if let Some(deflate) = &websocket.deflate {
        write_deflate(text, deflate);
    }
}

#[cfg(feature = "deflate")]
fn write_deflate(text: &mut String, deflate: &DeflateOptions) {
    text.push_str(",deflate");
    match (deflate.server_context_takeover, deflate.client_context_takeover) {
        (false, false) => {}
        (true, true) => text.push_str(",deflate-takeover"),
        (true, false) => text.push_str(",deflate-takeover=server"),
        (false, true) => text.push_str(",deflate-takeover=client"),
    }
    let default = DeflateOptions::default();
    if deflate.max_window_bits != default.max_window_bits {
        text.push_str(&format!(",deflate-bits={}", deflate.max_window_bits));
    }
    if deflate.level != default.level {
        text.push_str(&format!(",deflate-level={}", deflate.level));
    }
    match deflate.min_bytes {
        bytes if bytes == default.min_bytes => {}
        0 => text.push_str(",deflate-min=0"),
        bytes => write_size(text, "deflate-min", bytes as usize),
    }
}
