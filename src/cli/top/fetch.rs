//! One request over HTTP: it says `Connection: close`, so the answer ends where the stream does.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use heartline::reactor::Address;

/// For each step: the connecting, a write, a read.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The body of the answer, if its status is 200.
pub(super) fn get(address: &Address, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    match address {
        Address::Tcp(at) => {
            let stream = TcpStream::connect_timeout(at, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask(stream, &request)
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask(stream, &request)
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot be connected to")),
    }
}

fn ask(mut stream: impl Read + Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    body(&answer)
}

fn body(answer: &[u8]) -> io::Result<String> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let at = match response.parse(answer) {
        Ok(httparse::Status::Complete(at)) => at,
        Ok(httparse::Status::Partial) => return Err(bad("the answer is cut off".to_owned())),
        Err(error) => return Err(bad(format!("the answer is not HTTP: {error}"))),
    };
    match response.code {
        Some(200) => String::from_utf8(answer[at..].to_vec()).map_err(|error| bad(error.to_string())),
        code => Err(bad(format!("status {}", code.unwrap_or(0)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_body_or_says_what_is_wrong() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nx 1\n").unwrap(), "x 1\n");
        let why = |answer: &[u8]| body(answer).unwrap_err().to_string();
        assert_eq!(why(b"HTTP/1.1 404 Not Found\r\n\r\n"), "status 404");
        assert_eq!(why(b"HTTP/1.1 200 OK\r\nA"), "the answer is cut off");
        assert!(why(b"\0\0\0\x05hello").contains("not HTTP"));
    }
}
