//! `line-header`: a text head that ends in CRLF and carries the message's length.
//!
//! On receipt all three forms are read, whatever is set: `12`, `length=12;type=3`, `{"length":12,"type":3}`. What is sent
//! has the form that was set, or that of the head given, whose length alone is overwritten.

use super::{Cut, EncodeError, FrameError, HeadFault, Stream, delimiter::find_byte, head_text::find_length};

/// The most bytes that a text head may have, CRLF included.
pub const LINE_HEAD_BYTES_MAX: usize = 1024;

#[derive(Clone, Debug)]
pub(super) struct LineHeader {
    /// Under what key the length stands in pairs and JSON.
    pub(super) key: Box<str>,
    /// In what form a head is sent where none is given.
    pub(super) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Number,
    Pairs,
    Json,
}

impl LineHeader {
    pub(super) fn cut(&self, input: &[u8], stream: &mut Stream, max_bytes: usize) -> Result<Cut, FrameError> {
        // A stream of C may say anything: what it remembers holds within the limits that reading it anew would hold to.
        let known = stream.head().filter(|(head, message)| *head <= LINE_HEAD_BYTES_MAX && *message <= max_bytes);
        let (head, message) = match known {
            Some(known) => known,
            None => match self.read_head(input, stream.scanned(), max_bytes)? {
                Some(read) => read,
                None => {
                    stream.set_scanned(input.len());
                    return Ok(Cut::More { need: input.len() + 1, exact: false });
                }
            },
        };
        let total = head + message;
        if input.len() < total {
            // F4: the head is read once, however many reads the message takes.
            stream.set_head(head, message);
            return Ok(Cut::More { need: total, exact: true });
        }
        *stream = Stream::default();
        Ok(Cut::message(head, total, total))
    }

    /// Bytes of the head and of the message that it promises; none if the head has not ended.
    fn read_head(&self, input: &[u8], scanned: usize, limit: usize) -> Result<Option<(usize, usize)>, FrameError> {
        let window = &input[..input.len().min(LINE_HEAD_BYTES_MAX)];
        let Some(end) = find_byte(&window[scanned.min(window.len())..], b'\n') else {
            let full = window.len() == LINE_HEAD_BYTES_MAX;
            return if full { Err(FrameError::HeadTooLong { limit: LINE_HEAD_BYTES_MAX }) } else { Ok(None) };
        };
        let head = &window[..scanned + end + 1];
        let bad_head = |(fault, at)| FrameError::BadHead { fault, at };
        let text = head.strip_suffix(b"\r\n").ok_or_else(|| bad_head((HeadFault::NoCrlf, head.len() - 1)))?;
        let found = find_length(text, self.key.as_bytes()).map_err(bad_head)?;
        if found.length > limit as u64 {
            return Err(FrameError::TooLarge { limit, length: found.length, at: found.digits.start });
        }
        Ok(Some((head.len(), found.length as usize)))
    }

    pub(super) fn encode(&self, head: Option<&[u8]>, message: &[&[u8]], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length = super::framing::bytes_in(message);
        self.encode_head(head, length, out)?;
        out.reserve(length);
        super::framing::gather(message, out);
        Ok(())
    }

    /// Appends the head of a message of `length` bytes; `out` is as it was after an error.
    pub(super) fn encode_head(&self, head: Option<&[u8]>, length: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let (before, after) = match head {
            None => (&b""[..], &b""[..]),
            Some(head) => {
                let bad_head = |(fault, at)| EncodeError::BadHead { fault, at };
                let text = head.strip_suffix(b"\r\n").ok_or(bad_head((HeadFault::NoCrlf, head.len())))?;
                let digits = find_length(text, self.key.as_bytes()).map_err(bad_head)?.digits;
                (&head[..digits.start], &head[digits.end..])
            }
        };
        let mut decimal = [0; 20];
        let decimal = write_decimal(length as u64, &mut decimal);
        let key = self.key.as_bytes();
        let parts: &[&[u8]] = match (head, self.form) {
            (Some(_), _) => &[before, decimal, after],
            (None, Form::Number) => &[decimal, b"\r\n"],
            (None, Form::Pairs) => &[key, b"=", decimal, b"\r\n"],
            (None, Form::Json) => &[b"{\"", key, b"\":", decimal, b"}\r\n"],
        };
        super::framing::gather(parts, out);
        let bytes = out.len() - start;
        if bytes > LINE_HEAD_BYTES_MAX {
            out.truncate(start);
            return Err(EncodeError::HeadTooLong { limit: LINE_HEAD_BYTES_MAX, length: bytes });
        }
        Ok(())
    }
}

/// `number` in decimal digits, at the end of `buffer`. By hand: the formatting machinery costs more than the whole frame.
fn write_decimal(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}
