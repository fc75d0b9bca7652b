//! What may stand in a token, a value, a target, a host (RFC 9110 section 5.6.2, RFC 3986).

/// A token: header names, subprotocols.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// A header value that we send: visible ASCII, spaces and tabs within. CR and LF above all are not among them.
pub(super) fn is_value(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) && text.trim_ascii() == text
}

/// Visible ASCII and no space.
pub(super) fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_graphic)
}

/// The path of a request with its query. A fragment is the client's own and is never sent.
pub(super) fn is_target(text: &[u8]) -> bool {
    text.first() == Some(&b'/') && is_visible(text) && !text.contains(&b'#')
}

/// `host` or `host:port` by its characters. A user (`@`) or a path is not among them.
pub(super) fn is_host(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte))
}

/// Whether there is a control character that has no business in a head: lines end in CRLF, a tab is the only other one.
pub(super) fn has_stray_control(head: &[u8]) -> bool {
    let mut before = 0;
    head.iter().any(|&byte| {
        let is_fine = match byte {
            b'\n' => before == b'\r',
            _ if before == b'\r' => false,
            b'\r' | b'\t' => true,
            _ => !byte.is_ascii_control(),
        };
        before = byte;
        !is_fine
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_crlf_and_in_nothing_else() {
        for fine in ["", "a\r\nb\r\n\r\n", "a\tb", "\u{e9}"] {
            assert!(!has_stray_control(fine.as_bytes()), "{fine:?}");
        }
        for stray in ["\n", "a\n", "a\rb", "\r\r\n", "\r\t", "a\r\n\n", "\0", "\x1b", "\x7f"] {
            assert!(has_stray_control(stray.as_bytes()), "{stray:?}");
        }
    }
}
