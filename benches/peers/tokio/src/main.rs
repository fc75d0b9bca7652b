//! The peers' echo server on tokio: one task for each connection on one thread, `LengthDelimitedCodec`, and
//! `tokio::time::timeout` around the wait for the next frame as idle deadline.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::codec::LengthDelimitedCodec;

/// As benches/server.h.
const BACKLOG: u32 = 4096;
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let silence = std::env::args().nth(1).as_deref().and_then(milliseconds).ok_or(io::ErrorKind::InvalidInput)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                tokio::spawn(echo(stream, silence));
            }
            _ = terminate.recv() => return Ok(()),
        }
    }
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.strip_suffix("ms")?.parse().ok().map(Duration::from_millis)
}

/// Until the end of the stream, an error, or silence.
async fn echo(stream: TcpStream, silence: Duration) {
    let mut frames = LengthDelimitedCodec::builder().max_frame_length(MESSAGE_BYTES_MAX).new_framed(stream);
    while let Ok(Some(Ok(frame))) = timeout(silence, frames.next()).await {
        if frames.send(frame.freeze()).await.is_err() {
            return;
        }
    }
}
