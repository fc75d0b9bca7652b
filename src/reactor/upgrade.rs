//! Before a connection is Opened: what a balancer says of it, and the upgrade of a WebSocket, as the server and as the
//! client. The few bytes of both are read and written here, apart from the lanes of those that live, and what is known goes
//! with the last of them.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::accept::ListenerId;
use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::deflate::choose_deflate;
use super::events::{Record, RecordKind};
use super::inbound::Inbound;
use super::net::Net;
use super::obituary::ClosedBy;
use super::options::{Options, random_seed};
use super::reason::Reason;
use crate::frame::websocket::upgrade::{
    Acceptance, ClientRequest, HEAD_BYTES_MAX, HeadError, HttpHeads, Judgement, Refusal, Request, Rules, accept,
    healthy, refuse,
};
use crate::frame::{Codec, Cut, proxy};

/// How every request begins that asks for an upgrade.
const HTTP_BEGINS: &[u8] = b"GET ";
/// Read at once: a head is rarely longer.
const READ_BYTES: usize = 2048;

/// What is known of a connection until it is Opened.
pub(crate) struct Upgrade {
    pub(crate) begun_by: BegunBy,
    step: Step,
    /// What waits for the kernel.
    out: Vec<u8>,
    /// The application knows its id, so it is told the end.
    pub(crate) known: bool,
}

/// How a connection came that is to be upgraded.
#[derive(Clone, Copy)]
pub(crate) enum BegunBy {
    Accept(ListenerId, Option<SocketAddr>),
    Adopt,
    Dial,
}

enum Step {
    /// The dial is under way, and this is what our request is made of.
    Dialling(Arc<ClientRequest>),
    /// The header of a balancer is awaited.
    Proxy,
    /// A request is awaited.
    Request,
    /// The application was shown this request.
    Asked(Vec<u8>),
    /// The response to our request with this key is awaited.
    Response(Arc<ClientRequest>, [u8; 16]),
    /// Once `out` has left, it is open.
    Accepted,
    /// Once `out` has left, it is closed.
    Refused(Reason),
}

/// What a connection that is dialled will ask for.
pub(crate) type Planned = Arc<ClientRequest>;

/// Why an upgrade cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// The id is of no live connection: it may have ended already.
    Stale,
    /// The connection does not wait for an answer.
    NotAsked,
    /// The status is not from 400 to 599.
    Status(u16),
    /// What the response should carry cannot be sent.
    Head(HeadError),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("the id is of no live connection"),
            Self::NotAsked => f.write_str("the connection does not wait for an answer to its upgrade"),
            Self::Status(status) => write!(f, "status {status} is not from 400 to 599"),
            Self::Head(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AnswerError {}

impl<N: Net> Reactor<N> {
    /// Accepts an upgrade that an [`Upgrade`](super::EventKind::Upgrade) event told of: `Opened` comes with a later poll. Until
    /// then what is sent waits in the outbox. Unless `extensions` says something, permessage-deflate is agreed on where the
    /// framing wants it and the client offers it.
    ///
    /// # Errors
    /// The connection has ended or waits for no answer. Or the response cannot be made: then it waits on.
    pub fn accept_upgrade(&mut self, id: ConnectionId, with: &Acceptance<'_>) -> Result<(), AnswerError> {
        let slot = self.waiting_for_answer(id)?;
        let Some(Upgrade { step: Step::Asked(head), .. }) = self.upgrades.get(&slot) else {
            return Err(AnswerError::NotAsked);
        };
        // It was read when it came.
        let request = Request::read(head).map_err(|_| AnswerError::NotAsked)?;
        let entry = self.options.entry(self.connections[slot as usize].options);
        let chosen = if with.extensions.is_none() { choose_deflate(entry, &request) } else { None };
        let (agreed, said) = chosen.unzip();
        let with = Acceptance { extensions: with.extensions.or(said.as_deref()), ..*with };
        let mut out = Vec::new();
        accept(&request, &with, &mut out).map_err(AnswerError::Head)?;
        if let Some(upgrade) = self.upgrades.get_mut(&slot) {
            (upgrade.out, upgrade.step) = (out, Step::Accepted);
        }
        if agreed.is_none_or(|agreed| self.begin_deflating(slot, agreed)) {
            self.write_upgrade(slot);
        } else {
            self.refuse_upgrade_of(slot, &Refusal::unavailable());
        }
        self.show_work();
        Ok(())
    }

    /// Refuses an upgrade that an [`Upgrade`](super::EventKind::Upgrade) event told of, with an HTTP status from 400 to 599 and a
    /// text that says why. `Closed` with `upgrade_refused` comes with a later poll.
    ///
    /// # Errors
    /// The connection has ended or waits for no answer. Or the status is none: then it waits on.
    pub fn refuse_upgrade(&mut self, id: ConnectionId, status: u16, text: &str) -> Result<(), AnswerError> {
        let slot = self.waiting_for_answer(id)?;
        let refusal = Refusal::new(status, text.to_owned()).ok_or(AnswerError::Status(status))?;
        self.refuse_upgrade_of(slot, &refusal);
        self.show_work();
        Ok(())
    }

    fn waiting_for_answer(&mut self, id: ConnectionId) -> Result<u32, AnswerError> {
        let Some(connection) = self.live(id) else { return Err(AnswerError::Stale) };
        let waits = matches!(self.upgrades.get(&id.slot()), Some(Upgrade { step: Step::Asked(_), .. }));
        if !waits || connection.flags.any(Flags::CLOSING) {
            return Err(AnswerError::NotAsked);
        }
        self.read_clock_in_call();
        Ok(id.slot())
    }

    /// Whether connections with these options begin with an upgrade.
    pub(crate) fn begins_with_upgrade(&self, number: u16) -> bool {
        let options = self.options.get(number);
        options.framing.is_websocket() && !options.websocket.upgraded
    }

    /// A connection that is set up and registered is not Opened before its upgrade, for which this limit holds.
    pub(crate) fn await_request(&mut self, slot: u32, begun_by: BegunBy, is_proxied: bool) {
        let known = matches!(begun_by, BegunBy::Adopt);
        let step = if is_proxied { Step::Proxy } else { Step::Request };
        self.upgrades.insert(slot, Upgrade { begun_by, step, out: Vec::new(), known });
        self.dialling.insert(slot, self.attended(self.heard_at));
        // Nobody judges it yet; its place in the wheel is for the limit.
        self.monitor.add(slot, self.policies.none, self.heard_at);
        let upgrade_ms = self.options.get(self.connections[slot as usize].options).websocket.upgrade_ms;
        if upgrade_ms > 0 {
            self.monitor.limit(slot, self.heard_at + u64::from(upgrade_ms));
        }
    }

    /// The same for an adopted connection, with what was read of it before; or we ask, if we are the client.
    pub(crate) fn adopt_before_upgrade(&mut self, slot: u32, planned: Option<Planned>) {
        self.await_request(slot, BegunBy::Adopt, false);
        if let (Some(request), Some(upgrade)) = (planned, self.upgrades.get_mut(&slot)) {
            upgrade.step = Step::Dialling(request);
            self.goes_on_with_upgrade(slot);
        }
    }

    /// What a connection to `server` (`None`: it has no address) will ask for, if it is one that asks.
    ///
    /// # Errors
    /// The request that the options give cannot be written.
    pub(crate) fn request_for(&self, number: u16, server: Option<SocketAddr>) -> io::Result<Option<Planned>> {
        if !self.begins_with_upgrade(number) || !self.options.entry(number).dialled {
            return Ok(None);
        }
        let request = match &self.options.get(number).websocket.request {
            Some(request) => Arc::clone(request),
            None => {
                let host = server.map_or_else(|| "localhost".to_owned(), |address| address.to_string());
                Arc::new(ClientRequest::new(host, "/"))
            }
        };
        let unfit = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let request = self.offer_deflate(number, request);
        request.write([0; 16], &mut Vec::new()).map_err(unfit)?;
        Ok(Some(request))
    }

    /// Keeps the request until the dial is through.
    pub(crate) fn plan_upgrade(&mut self, slot: u32, planned: Option<Planned>) {
        if let Some(request) = planned {
            let step = Step::Dialling(request);
            self.upgrades.insert(slot, Upgrade { begun_by: BegunBy::Dial, step, out: Vec::new(), known: true });
        }
    }

    /// Whether the stream is there and its upgrade under way.
    pub(crate) fn is_upgrading(&self, slot: u32) -> bool {
        self.upgrades.get(&slot).is_some_and(|upgrade| !matches!(upgrade.step, Step::Dialling(_)))
    }

    /// How long an upgrade may last that has no dial before it.
    pub(crate) fn upgrade_limit_ms(&self, slot: u32) -> Option<u32> {
        let upgrade = self.upgrades.get(&slot)?;
        let options = self.options.get(self.connections[slot as usize].options);
        (!matches!(upgrade.begun_by, BegunBy::Dial)).then_some(options.websocket.upgrade_ms)
    }

    /// Whether the application knows of a connection that is accepted or adopted and not Opened yet. `None` for others.
    pub(crate) fn is_known_before_opening(&self, slot: u32) -> Option<bool> {
        let upgrade = self.upgrades.get(&slot)?;
        (!matches!(upgrade.begun_by, BegunBy::Dial)).then_some(upgrade.known)
    }

    /// A dialled connection is established: its request goes before all that waits. False if it makes none.
    pub(crate) fn goes_on_with_upgrade(&mut self, slot: u32) -> bool {
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return false };
        if let Step::Dialling(request) = &upgrade.step {
            let mut key = [0; 16];
            for half in key.chunks_exact_mut(8) {
                half.copy_from_slice(&random_seed().to_ne_bytes());
            }
            let request = Arc::clone(request);
            // It was tried when it was planned.
            let _ = request.write(key, &mut upgrade.out);
            upgrade.step = Step::Response(request, key);
        }
        self.write_upgrade(slot);
        true
    }

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
    fn upgrade_broken(&mut self, slot: u32, error: Option<i32>) {
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

    fn refused_by_server(&mut self, slot: u32) {
        self.end(slot, Reason::UpgradeRefused, 0, ClosedBy::Peer);
    }

    /// What a connection is set to whose client is not upgraded.
    fn otherwise(&self, slot: u32) -> Option<&Arc<Options>> {
        let is_request = matches!(self.upgrades.get(&slot), Some(Upgrade { step: Step::Request, .. }));
        let options = self.options.get(self.connections[slot as usize].options);
        options.websocket.otherwise.as_ref().filter(|_| is_request)
    }

    /// It has not begun as HTTP does: it is of the other framing, from its first byte on.
    fn go_on_otherwise(&mut self, slot: u32) {
        let Some(otherwise) = self.otherwise(slot).map(Arc::clone) else { return };
        let Ok(number) = self.intern(&otherwise, false) else {
            return self.end(slot, Reason::Local, 0, ClosedBy::Heartline);
        };
        let after = self.socket_options_at_opening(number);
        let connection = &mut self.connections[slot as usize];
        let old = std::mem::replace(&mut connection.options, number);
        if let Some(inbound) = &mut connection.inbound {
            inbound.cut_anew();
        }
        let before = self.socket_options_at_opening(old);
        self.options.release(old);
        // They are helpers: it goes on with what could be set.
        let _ = self.net.configure(&self.connections[slot as usize].socket, &after, &before);
        if let Some(upgrade) = self.upgrades.get_mut(&slot) {
            upgrade.step = Step::Accepted;
        }
        self.write_upgrade(slot);
    }

    /// The upgrade has lasted for its limit.
    pub(crate) fn upgrade_late(&mut self, slot: u32) {
        let is_mute = self.connections[slot as usize].inbound.is_none();
        if is_mute && self.otherwise(slot).is_some() {
            // A client that came to listen.
            return self.go_on_otherwise(slot);
        }
        match self.upgrades.get(&slot).map(|upgrade| &upgrade.step) {
            Some(Step::Request) => self.refuse_upgrade_of(slot, &Refusal::too_slow()),
            Some(Step::Proxy) => self.end(slot, Reason::FirstFrameLate, 0, ClosedBy::Heartline),
            // The application has not answered in time.
            Some(Step::Asked(_)) => self.refuse_upgrade_of(slot, &Refusal::unavailable()),
            // The answer does not leave.
            _ => self.end(slot, Reason::OutputStalled, 0, ClosedBy::Heartline),
        }
    }

    fn head_came(&mut self, slot: u32, head: Vec<u8>) {
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
        if let Step::Response(request, key) = &upgrade.step {
            let (request, key) = (Arc::clone(request), *key);
            if !request.check(key, &head).is_ok_and(|accepted| self.confirm_deflate(slot, &accepted)) {
                return self.refused_by_server(slot);
            }
            if let Some(upgrade) = self.upgrades.get_mut(&slot) {
                upgrade.step = Step::Accepted;
            }
            return self.write_upgrade(slot);
        }
        let entry = self.options.entry(self.connections[slot as usize].options);
        let everybody = Rules::default();
        let rules = entry.options.websocket.rules.as_deref().unwrap_or(&everybody);
        let request = match Request::read(&head) {
            Ok(request) => request,
            Err(refusal) => return self.refuse_upgrade_of(slot, &refusal),
        };
        let client = match upgrade.begun_by {
            BegunBy::Accept(listener, Some(peer)) => Some((listener, rules.client(&request, peer.ip()), peer.ip())),
            _ => None,
        };
        let mut agreed = None;
        match rules.judge(&request) {
            Judgement::Accept { subprotocol } => {
                let said;
                (agreed, said) = choose_deflate(entry, &request).unzip();
                let with = Acceptance { subprotocol, extensions: said.as_deref(), ..Acceptance::default() };
                // The rules chose what was offered.
                let _ = accept(&request, &with, &mut upgrade.out);
                upgrade.step = Step::Accepted;
            }
            Judgement::Ask { .. } => upgrade.step = Step::Asked(Vec::new()),
            Judgement::Health => {
                healthy(&mut upgrade.out);
                upgrade.step = Step::Refused(Reason::HealthCheck);
            }
            Judgement::Refuse(refusal) => return self.refuse_upgrade_of(slot, &refusal),
        }
        if let Some((listener, client, peer)) = client
            && client != peer
            && !self.is_really(slot, listener, SocketAddr::new(client, 0))
        {
            return self.refuse_upgrade_of(slot, &Refusal::too_many());
        }
        if !agreed.is_none_or(|agreed| self.begin_deflating(slot, agreed)) {
            return self.refuse_upgrade_of(slot, &Refusal::unavailable());
        }
        self.show_or_write(slot, head);
    }

    /// Shows the application the request if it is to be asked.
    fn show_or_write(&mut self, slot: u32, head: Vec<u8>) {
        let connection = &self.connections[slot as usize];
        let (id, user) = (ConnectionId::new(slot, connection.generation), connection.user);
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
        let Step::Asked(shown) = &mut upgrade.step else { return self.write_upgrade(slot) };
        let listener = match upgrade.begun_by {
            BegunBy::Accept(listener, _) => Some(listener),
            _ => None,
        };
        upgrade.known = true;
        shown.clone_from(&head);
        // Its block gets a number when it is delivered.
        let kind = RecordKind::Upgrade { listener, block: 0 };
        self.pending.push_back((Record { id, user, kind }, Some(head)));
    }

    fn refuse_upgrade_of(&mut self, slot: u32, refusal: &Refusal) {
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
        upgrade.out.clear();
        refuse(refusal, &mut upgrade.out);
        upgrade.step = Step::Refused(Reason::UpgradeRefused);
        self.write_upgrade(slot);
    }

    /// Writes what waits; with the last byte of it the upgrade is over, if it was answered.
    pub(crate) fn write_upgrade(&mut self, slot: u32) {
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
        while !upgrade.out.is_empty() {
            match self.net.send(&self.connections[slot as usize].socket, &upgrade.out) {
                Ok(count) => {
                    upgrade.out.drain(..count);
                    self.counters.bytes_out += count as u64;
                    if let Some(statistics) = self.statistics.get_mut(slot as usize) {
                        statistics.sent(count, self.step);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The edge comes: nothing else has written yet.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.upgrade_broken(slot, Some(error.raw_os_error().unwrap_or(0))),
            }
        }
        match upgrade.step {
            Step::Accepted => {
                let begun_by = upgrade.begun_by;
                self.upgrades.remove(&slot);
                self.open(
                    slot,
                    match begun_by {
                        BegunBy::Accept(listener, _) => Some(listener),
                        BegunBy::Adopt | BegunBy::Dial => None,
                    },
                );
                // What came behind the head, or is still in the socket.
                self.list(slot);
            }
            Step::Refused(reason) => {
                self.dialling.remove(&slot);
                self.begin_closing(slot, reason, ClosedBy::Heartline);
            }
            Step::Dialling(_) | Step::Proxy | Step::Request | Step::Asked(_) | Step::Response(..) => {}
        }
    }
}

/// Whether this begins as heads do: a method or a version, perhaps behind an empty line. Who speaks TLS on this port need
/// not wait for the limit to hear that it is not spoken here.
fn may_be_http(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| first.is_ascii_alphabetic() || *first == b'\r')
}
