//! A client of a server that a test has started. Its frames are messages behind their length, which is big-endian.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// No answer takes longer, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn connect(at: &str) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One of `length:4be`.
pub(crate) fn send(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(&[&(message.len() as u32).to_be_bytes(), message].concat()).unwrap();
}

/// The next of `length:4be`.
pub(crate) fn receive(stream: &mut TcpStream) -> Vec<u8> {
    receive_of(stream, 4).unwrap()
}

/// The next of those whose length has so many bytes, up to 4.
pub(crate) fn receive_of(stream: &mut TcpStream, width: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length[4 - width..])?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message)?;
    Ok(message)
}
