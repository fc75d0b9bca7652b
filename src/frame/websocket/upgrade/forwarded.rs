//! Who is behind the proxies.

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Walks `entries`, the last first, from `connection` on while who wrote the entry is trusted.
pub(super) fn client<'a>(connection: IpAddr, entries: impl Iterator<Item = &'a [u8]>, trusted: &[IpNet]) -> IpAddr {
    let mut client = connection.to_canonical();
    for entry in entries {
        if !trusted.iter().any(|net| net.contains(&client)) {
            break;
        }
        match address(entry) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:56`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:56`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?;
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(address) => IpAddr::V6(address.parse().ok()?),
        None => entry.parse().or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip())).ok()?,
    };
    Some(address.to_canonical())
}
