//! What is kept of a connection for its obituary, when statistics are on: 48 bytes in an array by slot (R3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::time::Millis;

/// A count of 48 bits, modulo 281 TB. Packed, so that two of them cost twelve bytes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed(2))]
struct Count48 {
    low: u32,
    high: u16,
}

impl Count48 {
    #[inline]
    fn add(&mut self, more: u32) {
        let (low, carry) = self.low.overflowing_add(more);
        self.low = low;
        self.high = self.high.wrapping_add(u16::from(carry));
    }

    const fn get(self) -> u64 {
        (self.high as u64) << 32 | self.low as u64
    }
}

/// Times in this array are counted in steps of 16 ms since the reactor began: 2 years in 32 bits.
const STEP_MS: u64 = 16;

/// Address, times and counts of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statistics {
    /// IPv4 is kept in its mapped form; unspecified for a Unix socket.
    ip: [u8; 16],
    opened: u32,
    last_out: u32,
    messages_in: u32,
    messages_out: u32,
    bytes_in: Count48,
    bytes_out: Count48,
    port: u16,
    /// Stalls that had happened when it opened, to tell how many it lived through.
    stalls_before: u16,
}

const _: () = assert!(size_of::<Statistics>() <= 48);

impl Statistics {
    pub(crate) fn new(address: Option<SocketAddr>, now: Millis, stalls: u64) -> Self {
        Self {
            ip: address.map_or(Ipv6Addr::UNSPECIFIED, |address| mapped(address.ip())).octets(),
            port: address.map_or(0, |address| address.port()),
            opened: step(now),
            last_out: 0,
            messages_in: 0,
            messages_out: 0,
            bytes_in: Count48::default(),
            bytes_out: Count48::default(),
            stalls_before: stalls as u16,
        }
    }

    /// The other end is another than it seemed.
    #[cfg(feature = "websocket")]
    pub(crate) fn set_address(&mut self, address: SocketAddr) {
        (self.ip, self.port) = (mapped(address.ip()).octets(), address.port());
    }

    /// The other end, if it has an address.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let ip = Ipv6Addr::from(self.ip);
        if ip.is_unspecified() && self.port == 0 {
            return None;
        }
        let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), |v4: Ipv4Addr| IpAddr::V4(v4));
        Some(SocketAddr::new(ip, self.port))
    }

    /// One read or write brings less than 4 GiB.
    #[inline(always)]
    pub(crate) fn received(&mut self, bytes: usize) {
        self.bytes_in.add(bytes as u32);
    }

    #[inline]
    pub(crate) fn message_received(&mut self) {
        self.messages_in = self.messages_in.wrapping_add(1);
    }

    #[inline]
    pub(crate) fn message_sent(&mut self) {
        self.messages_out = self.messages_out.wrapping_add(1);
    }

    #[inline(always)]
    pub(crate) fn sent(&mut self, bytes: usize, now: Step) {
        self.bytes_out.add(bytes as u32);
        self.last_out = now.0;
    }

    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.get(), self.bytes_out.get())
    }

    pub(crate) fn messages(&self) -> (u32, u32) {
        (self.messages_in, self.messages_out)
    }

    /// Milliseconds since it opened, exact to 16 ms.
    pub(crate) fn age_ms(&self, now: Millis) -> u64 {
        u64::from(step(now).wrapping_sub(self.opened)) * STEP_MS
    }

    /// Milliseconds since the kernel last took bytes, exact to 16 ms; `None` if it never did.
    pub(crate) fn last_out_ms(&self, now: Millis) -> Option<u64> {
        // 0 is "never", so the first step counts as the second.
        (self.last_out != 0).then(|| u64::from(step(now).max(1).wrapping_sub(self.last_out)) * STEP_MS)
    }

    /// Stalls of this process that the connection lived through (counted modulo 65,536).
    pub(crate) fn stalls(&self, stalls_now: u64) -> u16 {
        (stalls_now as u16).wrapping_sub(self.stalls_before)
    }
}

/// A moment as this array keeps it: never 0, which stands for never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step(u32);

impl Step {
    pub(crate) fn of(at: Millis) -> Self {
        Self(step(at).max(1))
    }
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

fn step(at: Millis) -> u32 {
    (at.0 / STEP_MS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went_in() {
        for text in ["127.0.0.1:80", "[2001:db8::1]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Statistics::new(Some(address), Millis(0), 0).address(), Some(address));
        }
        assert_eq!(Statistics::new(None, Millis(0), 0).address(), None);
    }

    #[test]
    fn counts_carry_past_32_bits() {
        let mut statistics = Statistics::new(None, Millis(0), 0);
        statistics.received(u32::MAX as usize);
        statistics.received(2);
        assert_eq!(statistics.bytes().0, u64::from(u32::MAX) + 2);
    }

    #[test]
    fn what_was_sent_in_the_very_first_step_was_sent_just_now() {
        let mut statistics = Statistics::new(None, Millis(3), 0);
        statistics.sent(5, Step::of(Millis(4)));
        assert_eq!(statistics.last_out_ms(Millis(5)), Some(0));
    }

    #[test]
    fn times_are_exact_to_16_ms() {
        let mut statistics = Statistics::new(None, Millis(1_000_000), 3);
        assert_eq!(statistics.last_out_ms(Millis(1_000_000)), None);
        statistics.sent(5, Step::of(Millis(1_000_500)));
        assert!(statistics.age_ms(Millis(1_010_000)).abs_diff(10_000) <= 16);
        assert!(statistics.last_out_ms(Millis(1_010_000)).unwrap().abs_diff(9_500) <= 16);
        assert_eq!(statistics.stalls(5), 2);
    }
}
