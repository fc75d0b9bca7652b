//! The errors of a kernel that the reactor acts upon, by the numbers that Linux gives them. The reactor knows no libc:
//! it is generic over [`Net`](super::net::Net), and a kernel that stands in for the real one speaks these numbers too.

use std::io;

const EBADF: i32 = 9;
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EPIPE: i32 = 32;
const ENOTSOCK: i32 = 88;
const ECONNRESET: i32 = 104;
const ENOBUFS: i32 = 105;
/// What is told of a dial that we gave up for lateness.
pub(crate) const ETIMEDOUT: i32 = 110;

/// A signal, or no memory for buffers: the socket is well, and its next edge may never come.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    let by_kind = matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::OutOfMemory);
    by_kind || error.raw_os_error() == Some(ENOBUFS)
}

/// It ends the connection: the socket is neither full nor merely out of luck.
pub(crate) fn is_hard(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::WouldBlock && !is_passing(error)
}

/// No descriptors, buffers, memory or epoll watches: it passes when something is given back.
pub(crate) fn is_out_of_resources(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM | ENOSPC))
}

/// A listener that is broken for good: no edge will come.
pub(crate) fn is_broken_listener(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EBADF | EINVAL | ENOTSOCK))
}

/// The peer did it. All others are told as they are.
pub(crate) fn is_of_peer(errno: i32) -> bool {
    matches!(errno, ECONNRESET | EPIPE)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_this_kernel() {
        let ours = [EBADF, ENOMEM, EINVAL, ENFILE, EMFILE, ENOSPC, EPIPE, ENOTSOCK, ECONNRESET, ENOBUFS, ETIMEDOUT];
        let theirs = [
            libc::EBADF,
            libc::ENOMEM,
            libc::EINVAL,
            libc::ENFILE,
            libc::EMFILE,
            libc::ENOSPC,
            libc::EPIPE,
            libc::ENOTSOCK,
            libc::ECONNRESET,
            libc::ENOBUFS,
            libc::ETIMEDOUT,
        ];
        assert_eq!(ours, theirs);
    }
}
