//! Values of the text form: quotes, escapes, `hex:`, numbers; and the nearest known word.

use super::SpecError;
use std::fmt::Write;

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    /// Without the quotes, escapes not yet read.
    pub(super) raw: &'a str,
    pub(super) quoted: bool,
}

impl<'a> Value<'a> {
    /// The value at the front of `text`, and what follows it.
    pub(super) fn split(key: &str, text: &'a str) -> Result<(Self, &'a str), SpecError> {
        let Some(quoted) = text.strip_prefix('"') else {
            let (raw, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
            return Ok((Self { raw: raw.trim(), quoted: false }, rest));
        };
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { return Err(bad_text(key, text, "the quote does not end")) };
        let rest = quoted[end + 1..].trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(bad_text(key, text, "more follows the closing quote"));
        }
        Ok((Self { raw: &quoted[..end], quoted: true }, rest))
    }

    /// The bytes that it stands for.
    pub(super) fn bytes(self, key: &str) -> Result<Vec<u8>, SpecError> {
        match self.raw.strip_prefix("hex:") {
            Some(digits) if !self.quoted => hex(digits),
            _ => unescape(self.raw),
        }
        .map_err(|fault| bad_text(key, self.raw, fault))
    }

    /// `@2:0001`: offset and bytes; none if it does not begin like that.
    pub(super) fn pattern(self, key: &str) -> Result<Option<(usize, Vec<u8>)>, SpecError> {
        let Some(pattern) = self.raw.strip_prefix('@').filter(|_| !self.quoted) else { return Ok(None) };
        let bad = |fault| bad_text(key, self.raw, fault);
        let (offset, digits) = pattern.split_once(':').ok_or_else(|| bad("a pattern is @OFFSET:HEX"))?;
        // Seven digits: enough for any frame, too few to overflow a sum.
        let is_offset = (1..=7).contains(&offset.len()) && offset.bytes().all(|byte| byte.is_ascii_digit());
        let offset = offset.parse().ok().filter(|_| is_offset).ok_or_else(|| bad("a pattern is @OFFSET:HEX"))?;
        let bytes = hex(digits.strip_prefix("hex:").unwrap_or(digits)).map_err(bad)?;
        if bytes.is_empty() { Err(bad("a pattern has at least one byte")) } else { Ok(Some((offset, bytes))) }
    }

    /// A number in `least..=most`; with `units`, K and M stand for 1024 and 1024².
    pub(super) fn number(self, key: &'static str, least: i64, most: i64, units: bool) -> Result<i64, SpecError> {
        let wanted = if units { "a number of bytes such as 4096, 64K or 16M" } else { "a number" };
        let (digits, factor) = match self.raw.as_bytes().last() {
            Some(b'K' | b'k') if units => (&self.raw[..self.raw.len() - 1], 1 << 10),
            Some(b'M' | b'm') if units => (&self.raw[..self.raw.len() - 1], 1 << 20),
            _ => (self.raw, 1),
        };
        let bad = || SpecError::BadValue { key, given: self.raw.to_owned(), wanted };
        let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let beyond = if digits.starts_with('-') { i64::MIN } else { i64::MAX };
        let given = digits.parse::<i64>().map_or(beyond, |number| number.saturating_mul(factor));
        if (least..=most).contains(&given) { Ok(given) } else { Err(SpecError::OutOfRange { key, given, least, most }) }
    }
}

fn bad_text(key: &str, given: &str, fault: &'static str) -> SpecError {
    SpecError::BadText { key: key.to_owned(), given: given.to_owned(), fault }
}

fn hex(digits: &str) -> Result<Vec<u8>, &'static str> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("hex has two digits for each byte");
    }
    pairs.iter().map(|&[high, low]| hex_byte(high, low).ok_or("not a hex digit")).collect()
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}

fn unescape(raw: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'0', after @ ..]) => (0, after),
            (b'\\', [same @ (b'\\' | b'"'), after @ ..]) => (*same, after),
            (b'\\', [b'x', high, low, after @ ..]) => (hex_byte(*high, *low).ok_or("\\x takes two hex digits")?, after),
            (b'\\', _) => return Err("the escapes are \\r \\n \\t \\0 \\\\ \\\" \\xNN"),
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

/// Writes bytes so that [`Value::bytes`] reads them back: bare where it can, quoted where it must.
pub(super) fn write_bytes(text: &mut String, bytes: &[u8]) {
    let special = |byte: &u8| matches!(byte, b',' | b'"' | b' ');
    let quoted = bytes.is_empty() || bytes[0] == b'@' || bytes.starts_with(b"hex:") || bytes.iter().any(special);
    text.extend(quoted.then_some('"'));
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            0 => text.push_str("\\0"),
            b'\\' => text.push_str("\\\\"),
            b'"' => text.push_str("\\\""),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write_hex(text, "\\x", &[byte]),
        }
    }
    text.extend(quoted.then_some('"'));
}

/// Writes `before`, then the bytes in hex.
pub(super) fn write_hex(text: &mut String, before: &str, bytes: &[u8]) {
    text.push_str(before);
    for byte in bytes {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "a String takes every write");
    }
}

/// The word that `given` was perhaps meant to be: at most two letters wrong, fewer than half.
pub(super) fn near(given: &str, words: &[&'static str]) -> Option<&'static str> {
    if given.len() > 32 {
        return None;
    }
    let scored = words.iter().map(|&word| (distance(given.as_bytes(), word.as_bytes()), word));
    scored.min().filter(|&(distance, word)| distance <= 2 && 2 * distance < word.len()).map(|(_, word)| word)
}

/// Letters to insert, remove or replace to make one word of the other (Levenshtein).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
