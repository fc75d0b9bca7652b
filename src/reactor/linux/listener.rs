//! Listening sockets: bound to an address or inherited, with the files of Unix sockets that come and go with them.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, sockopt};

use super::address::{abstract_name, socket_address};
use super::{set_descriptor_flags, stream_socket};
use crate::reactor::net::{Address, ListenSettings};

/// A listening socket and, for a Unix socket that we bound, the file to remove.
pub struct Listener {
    pub(super) socket: OwnedFd,
    pub(super) path: Option<PathBuf>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

pub(super) fn open_listener(address: &Address, settings: ListenSettings) -> io::Result<Listener> {
    if let Address::Inherited(fd) = address {
        // SAFETY: the caller hands this inherited descriptor over (Address::Inherited); it is checked to be open and
        // listening before anything else is done with it.
        let socket = unsafe { OwnedFd::from_raw_fd(inherited(*fd)?) };
        set_descriptor_flags(&socket)?;
        return Ok(Listener { socket, path: None });
    }
    let (family, at) = socket_address(address)?;
    let socket = stream_socket(family)?;
    let path = match address {
        Address::Unix(path) if abstract_name(path).is_none() => {
            remove_abandoned(path);
            Some(path.clone())
        }
        Address::Unix(_) => None,
        _ => {
            socket::setsockopt(&socket, sockopt::ReuseAddr, &true)?;
            if settings.reuse_port {
                socket::setsockopt(&socket, sockopt::ReusePort, &true)?;
            }
            None
        }
    };
    socket::bind(socket.as_raw_fd(), &*at)?;
    let backlog = i32::try_from(settings.backlog).unwrap_or(i32::MAX);
    // nix refuses a backlog above its own constant; the kernel cuts it to net.core.somaxconn by itself.
    // SAFETY: a plain listen on a descriptor that we own.
    Errno::result(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(Listener { socket, path })
}

/// The descriptor, if it is open and listening.
fn inherited(fd: RawFd) -> io::Result<RawFd> {
    // SAFETY: borrowed for one query; if it is not open, the query says EBADF.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    if socket::getsockopt(&borrowed, sockopt::AcceptConn)? {
        return Ok(fd);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {fd} is not a listening socket")))
}

/// Removes the file of a Unix socket that nobody listens on any more. Connecting to a file of another kind is refused
/// just the same: that one is not ours to remove.
fn remove_abandoned(path: &Path) {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    // Not blocking: a listener whose queue is full says EAGAIN, and is alive.
    if is_socket
        && let Ok(socket) = stream_socket(AddressFamily::Unix)
        && let Ok(address) = socket::UnixAddr::new(path)
        && socket::connect(socket.as_raw_fd(), &address) == Err(Errno::ECONNREFUSED)
    {
        let _ = std::fs::remove_file(path);
    }
}
