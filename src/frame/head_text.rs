//! Finds the length in a text head: a bare number, `key=value` pairs, or a flat JSON object.
//!
//! It is strict where leniency would let two peers read two lengths from one head: the length must be there once, as
//! decimal digits, and a JSON key must not be escaped.

use super::HeadFault;
use std::ops::Range;

/// A fault and its offset in the head.
pub(super) type Fault = (HeadFault, usize);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// 2⁶⁴ − 1 if it is beyond 64 bits.
    pub(super) length: u64,
    /// Where its digits are.
    pub(super) digits: Range<usize>,
}

/// The length in `head`, which excludes the CRLF, under `key` unless it is a bare number.
pub(super) fn find_length(head: &[u8], key: &[u8]) -> Result<Found, Fault> {
    if head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return json(head, key);
    }
    if let Some(at) = head.iter().position(u8::is_ascii_control) {
        return Err((HeadFault::Control, at));
    }
    match head {
        [] => Err((HeadFault::NoLength, 0)),
        _ if head.contains(&b'=') => pairs(head, key),
        _ => integer(head, 0..head.len()),
    }
}

fn integer(head: &[u8], range: Range<usize>) -> Result<Found, Fault> {
    let text = &head[range.clone()];
    let (digits, negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err((HeadFault::NotInteger, range.start));
    }
    if negative {
        return Err((HeadFault::Negative, range.start));
    }
    let length = digits.iter().try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Ok(Found { length: length.unwrap_or(u64::MAX), digits: range })
}

/// `key=value;key=value`; blanks around keys and values do not count.
fn pairs(head: &[u8], key: &[u8]) -> Result<Found, Fault> {
    let mut found = None;
    let mut start = 0;
    for pair in head.split(|&byte| byte == b';') {
        let Some(equals) = pair.iter().position(|&byte| byte == b'=') else {
            return Err((HeadFault::NotPairs, start));
        };
        let name = trim(head, start..start + equals);
        if name.is_empty() {
            return Err((HeadFault::NotPairs, start));
        }
        if head[name.clone()] == *key {
            if found.is_some() {
                return Err((HeadFault::TwoLengths, name.start));
            }
            found = Some(integer(head, trim(head, start + equals + 1..start + pair.len()))?);
        }
        start += pair.len() + 1;
    }
    found.ok_or((HeadFault::NoLength, 0))
}

fn trim(head: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &head[range.clone()];
    let start = range.start + (text.len() - text.trim_ascii_start().len());
    start..start + text.trim_ascii().len()
}

fn json(head: &[u8], key: &[u8]) -> Result<Found, Fault> {
    let mut scan = Json { head, at: 0 };
    let mut found = None;
    scan.expect(b'{')?;
    if !scan.take(b'}') {
        loop {
            scan.blanks();
            let name = scan.string(true)?;
            scan.expect(b':')?;
            scan.blanks();
            let value = scan.at;
            let number = scan.value()?;
            if head[name.clone()] == *key {
                if found.is_some() {
                    return Err((HeadFault::TwoLengths, name.start));
                }
                let number = number.ok_or((HeadFault::NotInteger, value))?;
                found = Some(integer(head, number)?);
            }
            if scan.take(b'}') {
                break;
            }
            scan.expect(b',')?;
        }
    }
    scan.blanks();
    if scan.at != head.len() {
        return Err((HeadFault::NotJson, scan.at));
    }
    found.ok_or((HeadFault::NoLength, 0))
}

/// A scan over one flat JSON object (RFC 8259), front to back, each byte once.
struct Json<'a> {
    head: &'a [u8],
    at: usize,
}

impl Json<'_> {
    fn peek(&self) -> Option<u8> {
        self.head.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Steps over blanks and `byte`, if it is next.
    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { Err((HeadFault::NotJson, self.at)) }
    }

    /// Steps over a value; where it is, if it is a number.
    fn value(&mut self) -> Result<Option<Range<usize>>, Fault> {
        match self.peek() {
            Some(b'"') => self.string(false).map(|_| None),
            Some(b'{' | b'[') => Err((HeadFault::Nested, self.at)),
            Some(b'-' | b'0'..=b'9') => self.number().map(Some),
            _ => {
                let rest = &self.head[self.at..];
                let Some(word) = ["true", "false", "null"].iter().find(|word| rest.starts_with(word.as_bytes())) else {
                    return Err((HeadFault::NotJson, self.at));
                };
                self.at += word.len();
                Ok(None)
            }
        }
    }

    /// Steps over a string; where its text is, without the quotes.
    fn string(&mut self, is_key: bool) -> Result<Range<usize>, Fault> {
        if self.peek() != Some(b'"') {
            return Err((HeadFault::NotJson, self.at));
        }
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') if is_key => return Err((HeadFault::EscapedKey, self.at)),
                Some(b'\\') => self.escape()?,
                Some(byte) if byte < 0x20 => return Err((HeadFault::Control, self.at)),
                Some(_) => self.at += 1,
                None => return Err((HeadFault::NotJson, self.at)),
            }
        }
        self.at += 1;
        Ok(start..self.at - 1)
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let hex = |text: &[u8]| text.len() == 4 && text.iter().all(u8::is_ascii_hexdigit);
        self.at += match self.head.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if self.head.get(self.at + 2..self.at + 6).is_some_and(hex) => 6,
            _ => return Err((HeadFault::NotJson, self.at)),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<Range<usize>, Fault> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(start..self.at)
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err((HeadFault::NotJson, start)) } else { Ok(()) }
    }
}
