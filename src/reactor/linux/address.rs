//! Addresses as [`Address`] spells them, and as the kernel has them.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::sys::socket::{self, AddressFamily, SockaddrLike};

use crate::reactor::net::Address;

pub(super) fn socket_address(address: &Address) -> io::Result<(AddressFamily, Box<dyn SockaddrLike>)> {
    Ok(match address {
        Address::Tcp(SocketAddr::V4(v4)) => (AddressFamily::Inet, Box::new(socket::SockaddrIn::from(*v4))),
        Address::Tcp(SocketAddr::V6(v6)) => (AddressFamily::Inet6, Box::new(socket::SockaddrIn6::from(*v6))),
        Address::Unix(path) => {
            let unix = match abstract_name(path) {
                Some(name) => socket::UnixAddr::new_abstract(name)?,
                None => socket::UnixAddr::new(path.as_path())?,
            };
            (AddressFamily::Unix, Box::new(unix))
        }
        Address::Inherited(fd) => {
            let message = format!("fd:{fd} can be listened on, not dialled; use adopt for a connected descriptor");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    })
}

/// The name of `unix:@name`, which has no file.
pub(super) fn abstract_name(path: &Path) -> Option<&[u8]> {
    path.as_os_str().as_bytes().strip_prefix(b"@")
}

/// The path of a Unix socket as [`Address`] spells it, if it has a name.
pub(super) fn unix_path(address: &socket::SockaddrStorage) -> Option<PathBuf> {
    let unix = address.as_unix_addr()?;
    let name = unix.as_abstract().map(|name| OsString::from_vec([b"@", name].concat()).into());
    name.or_else(|| unix.path().map(Path::to_path_buf))
}

pub(super) fn tcp_address(address: &socket::SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
}
