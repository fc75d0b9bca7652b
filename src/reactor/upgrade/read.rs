//! What comes before the open: the header of a balancer, a request, a response.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{BegunBy, Step};
use crate::frame::websocket::upgrade::{HEAD_BYTES_MAX, HttpHeads, Refusal};
use crate::frame::{Codec, Cut, proxy};
use crate::reactor::connection::Flags;
use crate::reactor::core::Reactor;
use crate::reactor::inbound::Inbound;
use crate::reactor::net::Net;
use crate::reactor::obituary::ClosedBy;
use crate::reactor::reason::Reason;

/// How every request begins that asks for an upgrade.
const HTTP_BEGINS: &[u8] = b"GET ";
/// Read at once: a head is rarely longer.
const READ_BYTES: usize = 2048;

impl<N: Net> Reactor<N> {
    /// Reads what an upgrade still needs. What came behind the head waits for the open.
    pub(crate) fn read_upgrade(&mut self, slot: u32) {
        let is_proxied = match self.upgrades.get(&slot).map(|upgrade| &upgrade.step) {
            Some(Step::Proxy) => true,
            Some(Step::Request | Step::Response(..)) => false,
            // It is still marked readable; the open lists it.
            _ => return,
        };
        let now = self.attended(self.heard_at);
        let connection = &mut self.connections[slot as usize];
        let mut inbound = connection.take_inbound().unwrap_or_else(|| Box::new(Inbound::new(Vec::new(), now)));
        self.counters.partial_bytes_now -= inbound.memory() as u64;
        let (heads, mut source) = (HttpHeads::default(), None);
        let is_other = |bytes: &[u8]| !bytes.iter().zip(HTTP_BEGINS).all(|(byte, wanted)| byte == wanted);
        let may_be_other = !is_proxied && self.otherwise(slot).is_some();
        let ended = loop {
            if is_proxied {
                match proxy::read(&inbound.bytes) {
                    Ok(Some(header)) => {
                        source = header.source;
                        break Ok(Some(header.bytes));
                    }
                    Ok(None) => {}
                    Err(_) => break Ok(None),
                }
            } else if may_be_other && is_other(&inbound.bytes) {
                break Ok(Some(0));
            } else {
                match heads.cut(&mut inbound.bytes, &mut inbound.stream, &mut Vec::new(), HEAD_BYTES_MAX) {
                    Ok(Cut::Frame(frame)) => break Ok(Some(frame.total)),
                    Ok(_) if may_be_http(&inbound.bytes) => {}
                    _ => break Ok(None),
                }
            }
            let have = inbound.bytes.len();
            inbound.bytes.resize(have + READ_BYTES, 0);
            let socket = &self.connections[slot as usize].socket;
            let read = self.net.recv(socket, &mut inbound.bytes[have..]);
            inbound.bytes.truncate(have + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.heard(slot, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let head = match &ended {
            Ok(Some(bytes)) => {
                let rest = inbound.bytes.split_off(*bytes);
                std::mem::replace(&mut inbound.bytes, rest)
            }
            _ => Vec::new(),
        };
        let is_http = may_be_http(&inbound.bytes);
        if !inbound.bytes.is_empty() {
            self.counters.partial_bytes_now += inbound.memory() as u64;
            self.connections[slot as usize].set_inbound(inbound);
        }
        match ended {
            Ok(Some(_)) if is_proxied => self.comes_from(slot, source),
            Ok(Some(0)) => self.go_on_otherwise(slot),
            Ok(None) if is_proxied => self.end(slot, Reason::FrameBad, 0, ClosedBy::Heartline),
            Ok(Some(_)) => self.head_came(slot, head),
            Ok(None) => self.head_unfit(slot, is_http),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.connections[slot as usize].flags.clear(Flags::READABLE);
                if self.counters.partial_bytes_now as usize > self.config.partial_bytes_max {
                    self.end(slot, Reason::OverLimit, 0, ClosedBy::Heartline);
                }
            }
            Err(error) => self.upgrade_broken(slot, error.raw_os_error()),
        }
    }

    /// The peer has ended (`None`) or the socket has failed.
    pub(super) fn upgrade_broken(&mut self, slot: u32, error: Option<i32>) {
        match (self.upgrades.get(&slot).map(|upgrade| upgrade.begun_by), error) {
            (Some(BegunBy::Dial), _) => self.connect_failed(slot, Reason::ConnectError, error.unwrap_or(0)),
            (_, None) => self.end(slot, Reason::PeerClosed, 0, ClosedBy::Peer),
            (_, Some(error)) => self.end_failed(slot, error),
        }
    }

    /// The balancer has said who is behind it (`None`: itself).
    fn comes_from(&mut self, slot: u32, source: Option<SocketAddr>) {
        let upgrades = self.begins_with_upgrade(self.connections[slot as usize].options);
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
        upgrade.step = if upgrades { Step::Request } else { Step::Accepted };
        if let (Some(source), BegunBy::Accept(listener, address)) = (source, &mut upgrade.begun_by) {
            *address = Some(source);
            let listener = *listener;
            if !self.is_really(slot, listener, source) {
                return self.end(slot, Reason::OverLimit, 0, ClosedBy::Heartline);
            }
        }
        if upgrades { self.read_upgrade(slot) } else { self.write_upgrade(slot) }
    }

    /// It has no end within the limit, or is none.
    fn head_unfit(&mut self, slot: u32, is_http: bool) {
        match self.upgrades.get(&slot).map(|upgrade| &upgrade.step) {
            Some(Step::Request) => {
                self.refuse_upgrade_of(slot, &if is_http { Refusal::too_large() } else { Refusal::not_http() });
            }
            _ => self.refused_by_server(slot),
        }
    }

    fn head_came(&mut self, slot: u32, head: Vec<u8>) {
        match self.upgrades.get(&slot).map(|upgrade| &upgrade.step) {
            Some(Step::Response(request, key)) => self.response_came(slot, &Arc::clone(request), *key, &head),
            _ => self.request_came(slot, head),
        }
    }
}

/// Whether this begins as heads do: a method or a version, perhaps behind an empty line. Who speaks TLS on this port need
/// not wait for the limit to hear that it is not spoken here.
fn may_be_http(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| first.is_ascii_alphabetic() || *first == b'\r')
}
