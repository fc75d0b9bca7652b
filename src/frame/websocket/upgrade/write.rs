//! What both sides write: header lines, within the bounds that the other side keeps.

use super::{HEAD_BYTES_MAX, HEADERS_MAX, HeadError, text};

/// What belongs to the upgrade, or would announce a body: not the application's to set.
const OURS: [&str; 6] = ["host", "origin", "upgrade", "connection", "content-length", "transfer-encoding"];
const OURS_PREFIX: &[u8] = b"sec-websocket-";

/// Appends a header line.
pub(super) fn line(head: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
}

/// Appends `head` with the application's headers and the empty line to `out`, or nothing.
pub(super) fn finish<'a>(
    mut head: Vec<u8>,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut Vec<u8>,
) -> Result<(), HeadError> {
    for (name, value) in headers {
        if !text::is_token(name.as_bytes()) {
            return Err(HeadError::HeaderName(name.to_owned()));
        }
        let prefix = name.as_bytes().get(..OURS_PREFIX.len());
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(OURS_PREFIX))
            || OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        {
            return Err(HeadError::HeaderReserved(name.to_owned()));
        }
        if !text::is_value(value.as_bytes()) {
            return Err(HeadError::HeaderValue { name: name.to_owned() });
        }
        line(&mut head, name, value);
    }
    // All but the first are header lines.
    let headers = head.iter().filter(|byte| **byte == b'\n').count() - 1;
    head.extend_from_slice(b"\r\n");
    if headers > HEADERS_MAX || head.len() > HEAD_BYTES_MAX {
        return Err(HeadError::TooLarge { headers, bytes: head.len() });
    }
    out.extend_from_slice(&head);
    Ok(())
}

/// The name of an extension, without its parameters.
pub(super) fn extension(one: &[u8]) -> &[u8] {
    one.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}
