//! Where connections come from: a range or list of addresses of this host.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// Addresses, taken in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources(Vec<IpAddr>);

/// More are a slip of the pen.
const ADDRESSES_MAX: u64 = 65_536;

impl Sources {
    /// The first `count` of 127.0.0.0/8, from 127.0.0.1.
    pub(super) fn loopback(count: u32) -> Self {
        let first = u32::from(Ipv4Addr::LOCALHOST);
        Self((0..count).map(|step| IpAddr::V4(Ipv4Addr::from(first + step))).collect())
    }

    /// The address of connection `number`, if it is not the kernel's to choose.
    pub(super) fn of(&self, number: u32) -> Option<IpAddr> {
        let count = self.0.len();
        if count == 0 { None } else { Some(self.0[number as usize % count]) }
    }

    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.0
    }
}

impl FromStr for Sources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut addresses = Vec::new();
        for part in text.split(',').map(str::trim) {
            match part.split_once('-') {
                None => addresses.push(address(part)?),
                Some((first, last)) => addresses.extend(range(part, first, last)?),
            }
        }
        if addresses.iter().any(|address| address.is_ipv4() != addresses[0].is_ipv4()) {
            return Err(format!("`{text}` mixes IPv4 and IPv6"));
        }
        Ok(Self(addresses))
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an IP address; write 127.0.0.1-127.0.0.40 or 10.0.0.5,10.0.0.6"))
}

fn range(part: &str, first: &str, last: &str) -> Result<Vec<IpAddr>, String> {
    let (IpAddr::V4(first), IpAddr::V4(last)) = (address(first)?, address(last)?) else {
        return Err(format!("`{part}`: a range is of IPv4 addresses"));
    };
    let (first, last) = (u64::from(u32::from(first)), u64::from(u32::from(last)));
    if last < first || last - first >= ADDRESSES_MAX {
        return Err(format!("`{part}`: a range goes up, over {ADDRESSES_MAX} addresses at most"));
    }
    Ok((first..=last).map(|address| IpAddr::V4(Ipv4Addr::from(address as u32))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_lists_are_taken_in_turn() {
        let sources: Sources = "127.0.0.254-127.0.1.1, 10.0.0.5".parse().unwrap();
        assert_eq!(sources.addresses().len(), 5);
        assert_eq!(sources.of(2), Some("127.0.1.0".parse().unwrap()));
        assert_eq!(sources.of(4), Some("10.0.0.5".parse().unwrap()));
        assert_eq!(sources.of(5), sources.of(0));
        assert_eq!(Sources::default().of(3), None);
        assert_eq!(Sources::loopback(2).of(1), Some("127.0.0.2".parse().unwrap()));
    }

    #[test]
    fn what_is_no_address_is_named() {
        for (text, named) in [
            ("localhost", "localhost"),
            ("127.0.0.9-127.0.0.1", "goes up"),
            ("127.0.0.1-127.255.0.1", "65536"),
            ("::1-::2", "IPv4"),
            ("127.0.0.1,::1", "mixes"),
        ] {
            let error = text.parse::<Sources>().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
