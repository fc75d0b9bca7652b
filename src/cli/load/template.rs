//! What messages say: bytes that follow from the connection and the number of the message alone, so that what comes
//! back can be compared without keeping what was sent.

use std::net::IpAddr;

/// A message with blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// So many bytes: connection and sequence (if they fit), then letters.
    Plain(Vec<u8>),
    Parts(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(Vec<u8>),
    Connection,
    Sequence,
    Thread,
    Source,
    /// So many hexadecimal digits, others in each message.
    Random(usize),
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Author {
    pub(super) connection: u32,
    pub(super) thread: u16,
    pub(super) source: Option<IpAddr>,
    pub(super) seed: u64,
}

/// Connection and sequence at the beginning of a plain message.
const STAMP_BYTES: usize = 8;
const FIELDS: &str = "{connection}, {sequence}, {thread}, {source} and {random:N}";

impl Template {
    pub(super) fn plain(size: usize) -> Self {
        Self::Plain((0..size).map(|at| b'a' + (at % 26) as u8).collect())
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), Vec::new(), text);
        while let Some(at) = rest.find('{') {
            plain.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix('{') {
                plain.push(b'{');
                rest = behind;
                continue;
            }
            let (name, behind) =
                rest.split_once('}').ok_or_else(|| format!("--message: `{{{rest}` is not closed; {{{{ is a brace"))?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(field(name)?);
            rest = behind;
        }
        plain.extend_from_slice(rest.as_bytes());
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self::Parts(parts))
    }

    /// How long every message is, where all are of one length.
    pub(super) fn size(&self) -> Option<usize> {
        match self {
            Self::Plain(bytes) => Some(bytes.len()),
            Self::Parts(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Some(text.len()),
                    Part::Random(digits) => Some(*digits),
                    _ => None,
                })
                .sum(),
        }
    }

    /// Message `sequence` of `author`, in place of what `out` held.
    pub(super) fn write(&self, author: &Author, sequence: u32, out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::Plain(letters) => {
                out.extend_from_slice(letters);
                if let Some(stamp) = out.get_mut(..STAMP_BYTES) {
                    stamp[..4].copy_from_slice(&author.connection.to_be_bytes());
                    stamp[4..].copy_from_slice(&sequence.to_be_bytes());
                }
            }
            Self::Parts(parts) => {
                for part in parts {
                    part.write(author, sequence, out);
                }
            }
        }
    }
}

impl Part {
    fn write(&self, author: &Author, sequence: u32, out: &mut Vec<u8>) {
        let text = match self {
            Self::Text(text) => return out.extend_from_slice(text),
            Self::Connection => author.connection.to_string(),
            Self::Sequence => sequence.to_string(),
            Self::Thread => author.thread.to_string(),
            Self::Source => author.source.map_or_else(|| "-".to_owned(), |source| source.to_string()),
            Self::Random(digits) => {
                let of_this = u64::from(author.connection) << 32 | u64::from(sequence);
                let mut rng = fastrand::Rng::with_seed(author.seed ^ of_this.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                out.extend((0..*digits).map(|_| b"0123456789abcdef"[rng.usize(..16)]));
                return;
            }
        };
        out.extend_from_slice(text.as_bytes());
    }
}

fn field(name: &str) -> Result<Part, String> {
    let digits = name.strip_prefix("random:").and_then(|digits| digits.parse().ok());
    match (name, digits) {
        ("connection", _) => Ok(Part::Connection),
        ("sequence", _) => Ok(Part::Sequence),
        ("thread", _) => Ok(Part::Thread),
        ("source", _) => Ok(Part::Source),
        (_, Some(digits @ 1..=1_048_576)) => Ok(Part::Random(digits)),
        _ => Err(format!("--message: there is no field {{{name}}}; there are {FIELDS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHOR: Author = Author { connection: 7, thread: 2, source: None, seed: 1 };

    fn written(template: &Template, sequence: u32) -> String {
        let mut out = b"what was there".to_vec();
        template.write(&AUTHOR, sequence, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_are_filled_in() {
        let template = Template::parse("M {connection}/{sequence} {{x} t{thread} {source}").unwrap();
        assert_eq!(written(&template, 3), "M 7/3 {x} t2 -");
        assert_eq!(template.size(), None);
        assert_eq!(Template::parse("{{}").unwrap().size(), Some(2));
    }

    #[test]
    fn random_digits_differ_with_the_message_and_repeat_with_it() {
        let template = Template::parse("{random:12}").unwrap();
        assert_eq!(written(&template, 1), written(&template, 1));
        assert_ne!(written(&template, 1), written(&template, 2));
        assert_eq!((written(&template, 1).len(), template.size()), (12, Some(12)));
    }

    #[test]
    fn a_plain_message_carries_its_connection_and_sequence_where_they_fit() {
        let mut out = Vec::new();
        Template::plain(10).write(&AUTHOR, 258, &mut out);
        assert_eq!(out, [0, 0, 0, 7, 0, 0, 1, 2, b'i', b'j']);
        assert_eq!(written(&Template::plain(3), 5), "abc");
        assert_eq!(written(&Template::plain(0), 5), "");
    }

    #[test]
    fn unknown_fields_are_named_with_the_known() {
        for text in ["{uid}", "{random}", "{random:0}", "{sequence"] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains("--message"), "{text}: {error}");
        }
        assert!(Template::parse("{uid}").unwrap_err().contains("{random:N}"));
    }
}
