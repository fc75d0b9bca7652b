//! The header lines of a head.

use super::text;

/// The most header lines of a head: 64. One more is refused with 431.
pub const HEADERS_MAX: usize = 64;

/// The header lines of a request or a response, lent. 2 KiB, no allocation.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    lines: [httparse::Header<'a>; HEADERS_MAX],
    count: usize,
}

/// What is wrong with a head, and the status that says so to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) text: &'static str,
}

impl Fault {
    pub(super) const fn bad(text: &'static str) -> Self {
        Self { status: 400, text }
    }
}

impl<'a> Fields<'a> {
    /// Cuts a whole head into its first line and its header lines.
    pub(super) fn read(head: &'a [u8]) -> Result<(&'a [u8], Self), Fault> {
        // RFC 9112 section 2.2: an empty line before the first is let pass.
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        // Before httparse, which takes a bare LF for the end of a line.
        if text::has_stray_control(head) {
            return Err(Fault::bad("a control character in the head"));
        }
        let end = head.iter().position(|byte| *byte == b'\r').unwrap_or(head.len());
        let (first, rest) = head.split_at(end);
        let rest = rest.strip_prefix(b"\r\n").ok_or(Fault::bad("the head does not end"))?;
        let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let (bytes, count) = match httparse::parse_headers(rest, &mut lines) {
            Ok(httparse::Status::Complete((bytes, lines))) => (bytes, lines.len()),
            Ok(httparse::Status::Partial) => return Err(Fault::bad("the head does not end")),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Fault { status: 431, text: "more than 64 header lines" });
            }
            // A line that begins with a space, which continued the one before in old days, is among these.
            Err(httparse::Error::HeaderName) => return Err(Fault::bad("a header line without a good name")),
            Err(_) => return Err(Fault::bad("a header line that cannot be read")),
        };
        if bytes != rest.len() {
            return Err(Fault::bad("bytes behind the end of the head"));
        }
        Ok((first, Self { lines, count }))
    }

    /// Name and value of each line, in order, with the spaces around the value gone.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&'a str, &'a [u8])> {
        self.lines[..self.count].iter().map(|line| (line.name, line.value.trim_ascii()))
    }

    /// The values of all lines of this name, whatever its case.
    pub(super) fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the only line of this name; `Err` if there are more.
    pub(super) fn sole(&self, name: &str) -> Result<Option<&'a [u8]>, ()> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_some() { Err(()) } else { Ok(value) }
    }

    /// The members of the comma-separated list that all lines of this name make together, empty ones left out.
    pub(super) fn list(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let members = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
        members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
    }

    /// Whether that list has `word`, whatever its case.
    pub(super) fn list_has(&self, name: &str, word: &str) -> bool {
        self.list(name).any(|member| member.eq_ignore_ascii_case(word.as_bytes()))
    }
}
