//! A server that does what a test says, a thread for each connection, and frames of `length:4be`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::frame;

/// Listens until the test's process ends.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
}

impl Scripted {
    /// `serve` has the connection and its number; it ends with the connection.
    pub(crate) fn start(serve: impl Fn(Connection, usize) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, serve) = (listener.local_addr().unwrap(), Arc::new(serve));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let serve = serve.clone();
                // Its client may leave at any time.
                thread::spawn(move || {
                    let _ = stream.set_nodelay(true);
                    serve(Connection(stream), number)
                });
            }
        });
        Self { address }
    }
}

pub(crate) struct Connection(pub(crate) TcpStream);

impl Connection {
    /// The next message; an empty one is an ask.
    pub(crate) fn message(&mut self) -> std::io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut message)?;
        Ok(message)
    }

    pub(crate) fn send(&mut self, message: &[u8]) -> std::io::Result<()> {
        self.0.write_all(&frame(message))
    }
}
