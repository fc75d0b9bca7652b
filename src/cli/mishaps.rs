//! What can befall a client, done to its socket: a last beat before it freezes, half a frame, a reset.

use std::io::{self, Write};
use std::os::fd::AsFd;

use heartline::frame::Framing;
use nix::sys::socket::{setsockopt, sockopt};

/// A last sign of life; how many bytes it has, 0 where the framing has no beats.
pub(crate) fn beat_once_more(stream: &mut impl Write, framing: &Framing) -> io::Result<usize> {
    let mut ask = Vec::new();
    framing.ask(&mut ask);
    stream.write_all(&ask)?;
    Ok(ask.len())
}

/// Half of a frame with this message.
pub(crate) fn half_a_frame(stream: &mut impl Write, framing: &Framing, message: &[u8]) -> io::Result<()> {
    let frame = frame(framing, message)?;
    stream.write_all(&frame[..frame.len() / 2])
}

/// A whole frame with this message.
pub(crate) fn frame(framing: &Framing, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    let encoded = framing.encode(None, &[message], &mut frame);
    encoded.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
    Ok(frame)
}

/// Closes it with a reset.
pub(crate) fn reset(socket: impl AsFd) -> io::Result<()> {
    setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    Ok(())
}
