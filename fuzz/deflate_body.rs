//! permessage-deflate: any header line, any payload, any window.

#![allow(dead_code, unreachable_pub)] // each test and target uses a part

use heartline::frame::websocket::deflate::{
    DeflateOptions, InflateError, Scratch, Sending, choose, confirm, deflate, inflate, offer,
};

const MAX_BYTES: usize = 20_000;

/// Target `deflate`: four bytes of settings, then a payload, or a header line and a message.
pub fn body(data: &[u8]) {
    let [flags, bits, level, split, rest @ ..] = data else { return };
    let options = DeflateOptions {
        level: 1 + level % 9,
        server_context_takeover: flags & 1 != 0,
        client_context_takeover: flags & 2 != 0,
        max_window_bits: 9 + bits % 7,
        ..DeflateOptions::default()
    };
    let (front, back) = rest.split_at(usize::from(*split).min(rest.len()));
    negotiated(&options, front);
    payload(front, back);
    both_ways(&options, front, back);
}

fn negotiated(options: &DeflateOptions, line: &[u8]) {
    // What a server says to anybody says the same as what it has agreed on.
    if let Some((agreed, response)) = choose(options, [line]) {
        assert!(agreed.send_bits <= options.max_window_bits && agreed.send_bits >= 9, "{agreed:?}");
        assert_eq!(agreed.send_takeover, !response.contains("server_no_context_takeover"), "{response}");
        assert_eq!(agreed.receive_takeover, !response.contains("client_no_context_takeover"), "{response}");
        assert!(!agreed.receive_takeover || agreed.receive_bits <= options.max_window_bits, "{agreed:?}");
        // Whoever is told so and wants everything takes it.
        let everything = DeflateOptions {
            server_context_takeover: true,
            client_context_takeover: true,
            ..DeflateOptions::default()
        };
        let client = confirm(&everything, [response.as_bytes()]).expect("a good response").expect("permessage-deflate");
        assert_eq!(client.receive_takeover, agreed.send_takeover);
        assert_eq!(client.send_takeover, agreed.receive_takeover);
    }
    if let Ok(Some(agreed)) = confirm(options, [line]) {
        assert!(agreed.send_bits <= options.max_window_bits, "{agreed:?}");
        assert!(!agreed.receive_takeover || agreed.receive_bits <= options.max_window_bits, "{agreed:?}");
    }
    let (server, response) = choose(options, [offer(options).as_bytes()]).expect("our own offer");
    let client = confirm(options, [response.as_bytes()]).expect("our own response").expect("permessage-deflate");
    assert_eq!((client.send_takeover, client.receive_takeover), (server.receive_takeover, server.send_takeover));
}

/// Less room changes nothing but whether there is enough.
fn payload(window: &[u8], payload: &[u8]) {
    let mut scratch = Scratch::default();
    let mut read = |max_bytes| {
        let mut out = vec![7];
        let read = inflate(&mut scratch, window, payload, max_bytes, &mut out);
        assert!(out[0] == 7 && (read.is_ok() || out.len() == 1));
        assert!(out.capacity() <= max_bytes + 256 + 2 * 1024, "{} for {max_bytes}", out.capacity());
        read.map(|()| out.split_off(1))
    };
    match read(MAX_BYTES) {
        Ok(message) => {
            assert_eq!(read(message.len()), Ok(message.clone()));
            if let Some(less) = message.len().checked_sub(1) {
                assert_eq!(read(less), Err(InflateError::TooLarge { limit: less }));
            }
        }
        Err(InflateError::TooLarge { .. }) => {
            assert_eq!(read(MAX_BYTES / 2), Err(InflateError::TooLarge { limit: MAX_BYTES / 2 }));
        }
        Err(_) => {}
    }
}

fn both_ways(options: &DeflateOptions, window: &[u8], message: &[u8]) {
    let mut scratch = Scratch::default();
    let sending = Sending { level: options.level, bits: options.max_window_bits };
    let (mut payload, mut read) = (Vec::new(), Vec::new());
    if deflate(&mut scratch, sending, window, message, &mut payload) {
        assert!(payload.len() < message.len());
        inflate(&mut scratch, window, &payload, message.len(), &mut read).expect("what was deflated");
        assert_eq!(read, message);
    } else {
        assert!(payload.is_empty());
    }
}
