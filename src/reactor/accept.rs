//! Listening and accepting: bounded per turn, paused when descriptors run out, never an exit and never a spin (R6).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::deflate::Agreed;
use super::errno::{is_broken_listener, is_out_of_resources};
use super::events::{Events, RecordKind};
use super::net::{Address, ListenSettings, Net, Parting};
use super::options::{CONNECTIONS_MAX, Keepalive, ListenOptions, Options, SocketOptions};
use super::reason::{PauseCause, Reason};
use super::turn::{CLOCK_EVERY, LISTENER_TOKEN};
#[cfg(feature = "websocket")]
use super::upgrade::BegunBy;
use crate::liveness::{Policy, PolicyId, Role};
use crate::time::Millis;
#[cfg(feature = "websocket")]
use ipnet::IpNet;

/// Connections taken from one listener in one turn.
const ACCEPTS_PER_TURN: usize = 128;
/// How soon a listener that ran out of descriptors tries again, besides at each close (R6).
const RETRY_MS: u64 = 100;

/// A listener of this reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub(crate) u32);

impl ListenerId {
    /// Its number: 0 for the first listener.
    pub const fn index(self) -> u32 {
        self.0
    }
}

pub(crate) struct Listening<N: Net> {
    listener: N::Listener,
    options: u16,
    per_address_max: u32,
    accepts_per_second: u32,
    /// There may be connections in its queue: the edge will not come again.
    ready: bool,
    paused: Option<PauseCause>,
    /// The next try without an edge.
    retry_at: Option<Millis>,
    /// Accepts left of the second that began then.
    allowance: (Millis, u32),
    addresses: HashMap<IpAddr, u32>,
    #[cfg(feature = "websocket")]
    proxy_from: Vec<IpNet>,
}

impl<N: Net> Listening<N> {
    /// Work without readiness: its queue was not emptied and nothing holds it back.
    fn wants_turn(&self) -> bool {
        self.ready && self.retry_at.is_none()
    }

    /// Whether a connection of this address begins with who is behind it.
    #[cfg(feature = "websocket")]
    fn is_proxied(&self, ip: Option<IpAddr>) -> bool {
        ip.is_some_and(|ip| self.proxy_from.iter().any(|net| net.contains(&ip)))
    }

    #[cfg(not(feature = "websocket"))]
    fn is_proxied(&self, _: Option<IpAddr>) -> bool {
        false
    }

    /// Counts one more of this address; false, and not counted, if there are as many as may be.
    fn count(&mut self, ip: IpAddr) -> bool {
        let count = self.addresses.entry(ip).or_insert(0);
        let has_room = *count < self.per_address_max;
        *count += u32::from(has_room);
        has_room
    }
}

impl<N: Net> Reactor<N> {
    /// Listens; every connection accepted is Opened with these options.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use, not allowed, not of this machine.
    pub fn listen(&mut self, address: &Address, options: &ListenOptions) -> io::Result<ListenerId> {
        let number = self.intern(&options.connection, false)?;
        let index = self.listeners.vacant_key();
        let settings = ListenSettings { backlog: options.backlog, reuse_port: options.reuse_port };
        let listener = match self.net.listen(address, settings, LISTENER_TOKEN | index as u64) {
            Ok(listener) => listener,
            Err(error) => {
                self.options.release(number);
                return Err(error);
            }
        };
        self.listeners.insert(Listening {
            listener,
            options: number,
            per_address_max: options.per_address_max,
            accepts_per_second: options.accepts_per_second,
            ready: false,
            paused: None,
            retry_at: None,
            allowance: (self.now, options.accepts_per_second),
            addresses: HashMap::new(),
            #[cfg(feature = "websocket")]
            proxy_from: options.proxy_from.clone(),
        });
        Ok(ListenerId(index as u32))
    }

    /// Where a listener listens, with the port that the kernel chose.
    pub fn listener_address(&self, listener: ListenerId) -> io::Result<Address> {
        match self.listeners.get(listener.0 as usize) {
            Some(listening) => self.net.listener_address(&listening.listener),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such listener")),
        }
    }

    /// Stops listening. Connections already accepted live on. False if there is no such listener.
    pub fn stop_listening(&mut self, listener: ListenerId) -> bool {
        let Some(listening) = self.listeners.try_remove(listener.0 as usize) else { return false };
        self.options.release(listening.options);
        self.counters.listeners_paused_now -= u64::from(listening.paused.is_some());
        // Its number may be given to another, which must not count its connections.
        self.counted_addresses.retain(|_, (index, _)| *index != listener.0);
        self.net.close_listener(listening.listener);
        self.plan_accepts();
        true
    }

    /// Changes what connections accepted from now on are set to; those that live keep what they have.
    pub fn set_listener_options(&mut self, listener: ListenerId, options: &ListenOptions) -> io::Result<()> {
        if !self.listeners.contains(listener.0 as usize) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such listener"));
        }
        let number = self.intern(&options.connection, false)?;
        let listening = &mut self.listeners[listener.0 as usize];
        let old = std::mem::replace(&mut listening.options, number);
        listening.per_address_max = options.per_address_max;
        listening.accepts_per_second = options.accepts_per_second;
        #[cfg(feature = "websocket")]
        listening.proxy_from.clone_from(&options.proxy_from);
        self.options.release(old);
        Ok(())
    }

    /// The number of these options.
    pub(crate) fn intern(&mut self, options: &Options, dialled: bool) -> io::Result<u16> {
        self.intern_agreed(options, dialled, None)
    }

    /// The number of these options for connections on which this was agreed.
    pub(crate) fn intern_agreed(
        &mut self,
        options: &Options,
        dialled: bool,
        agreed: Option<Agreed>,
    ) -> io::Result<u16> {
        if options.policy.is_some_and(|policy| self.monitor.policy_id(policy.index()).is_none()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the policy is not one of this reactor's"));
        }
        let policy = match options.framing.has_beats() {
            true if options.framing.is_websocket() => self.websocket_policy(),
            true => self.policies.beats,
            false => self.policies.none,
        };
        self.options
            .intern(options, dialled, policy, agreed)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "65,535 distinct options are in use, the limit"))
    }

    /// A page cannot send a Ping, and its browser answers one even while its timers are throttled: we ask (L13 holds, since
    /// whoever speaks WebSocket answers).
    fn websocket_policy(&mut self) -> PolicyId {
        if self.policies.websocket.is_none() {
            self.policies.websocket = self.monitor.define(Policy::web().with_role(Role::Both)).ok();
        }
        self.policies.websocket.unwrap_or(self.policies.beats)
    }

    pub(crate) fn listener_ready(&mut self, index: usize) {
        if let Some(listening) = self.listeners.get_mut(index) {
            listening.ready = true;
            self.plan_accepts();
        }
    }

    /// Looks when the first listener wants a turn: no turn without one has to ask them all. Whatever changes that calls this.
    fn plan_accepts(&mut self) {
        let wanted =
            |listening: &Listening<N>| if listening.wants_turn() { Some(Millis(0)) } else { listening.retry_at };
        self.accept_at = self.listeners.iter().filter_map(|(_, listening)| wanted(listening)).min();
    }

    /// Ends the listening, but of listeners aside.
    pub(crate) fn stop_serving(&mut self) {
        for index in 0..self.listeners.capacity() {
            let Some(listening) = self.listeners.get(index) else { continue };
            if !self.options.get(listening.options).aside {
                self.stop_listening(ListenerId(index as u32));
            }
        }
    }

    /// Whether one more connection may live. Those aside have the room that `connections_max` leaves, and no more than the
    /// slots.
    pub(crate) fn has_room(&self, aside: bool) -> bool {
        let held = self.connections.len() + self.ended.len();
        held < CONNECTIONS_MAX as usize && (aside || held - self.aside < self.config.connections_max as usize)
    }

    /// At each close: descriptors and room may be there again (R6).
    pub(crate) fn retry_accepting(&mut self) {
        for (_, listening) in &mut self.listeners {
            if listening.paused.is_some() {
                (listening.ready, listening.retry_at) = (true, None);
            }
        }
        self.plan_accepts();
    }

    #[inline]
    pub(crate) fn accept_all(&mut self, events: &mut Events) {
        if self.accept_at.is_some_and(|at| at <= self.now) {
            self.accept_due(events);
        }
    }

    #[inline(never)]
    fn accept_due(&mut self, events: &mut Events) {
        for index in 0..self.listeners.capacity().min(1 << 16) {
            let Some(listening) = self.listeners.get_mut(index) else { continue };
            if listening.retry_at.is_some_and(|retry_at| retry_at <= self.now) {
                listening.retry_at = None;
            }
            if listening.wants_turn() {
                self.accept_some(index, events);
            }
        }
        self.plan_accepts();
    }

    fn accept_some(&mut self, index: usize, events: &mut Events) {
        for count in 0..ACCEPTS_PER_TURN {
            if count % CLOCK_EVERY == 0 {
                self.refresh_heard_at();
            }
            if self.pending.len() >= ACCEPTS_PER_TURN {
                return;
            }
            let aside = self.options.get(self.listeners[index].options).aside;
            if !self.has_room(aside) {
                return self.pause_accepting(index, PauseCause::ConnectionsMax);
            }
            let listening = &mut self.listeners[index];
            if !has_allowance(listening, self.now) {
                return;
            }
            match self.net.accept(&listening.listener) {
                Ok((socket, address)) => {
                    listening.allowance.1 = listening.allowance.1.saturating_sub(1);
                    self.accepted(index, socket, address, events);
                    if self.listeners[index].retry_at.is_some() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.listeners[index].ready = false;
                    return self.resume_accepting(index);
                }
                Err(error) if is_out_of_resources(&error) => {
                    return self.pause_accepting(index, PauseCause::OutOfDescriptors);
                }
                // No edge will come, and no spin.
                Err(error) if is_broken_listener(&error) => {
                    self.counters.accept_errors += 1;
                    self.listeners[index].retry_at = Some(self.now + RETRY_MS);
                    return;
                }
                // This one was aborted in the queue, or the network failed under it: the next may be well.
                Err(_) => self.counters.accept_errors += 1,
            }
        }
        // Told only now: one descriptor given back is not yet the end of the pause.
        self.resume_accepting(index);
    }

    fn accepted(&mut self, index: usize, socket: N::Socket, address: Option<SocketAddr>, events: &mut Events) {
        let listening = &mut self.listeners[index];
        let ip = address.map(|address| address.ip().to_canonical());
        if listening.per_address_max > 0
            && let Some(ip) = ip
            && !listening.count(ip)
        {
            self.counters.count_close(Reason::OverLimit);
            return self.net.close(socket, Parting::Abort);
        }
        let (number, is_proxied) = (listening.options, listening.is_proxied(ip));
        self.options.retain(number);
        let counted = (listening.per_address_max > 0).then_some(ip).flatten();
        let upgrades = is_proxied || self.begins_with_upgrade(number);
        let flags = Flags::FIRST_FRAME_DUE | if upgrades { Flags::DIALLING } else { Flags::WRITABLE };
        let id = self.insert(socket, number, flags, |_, _| address);
        if let Some(ip) = counted {
            self.counted_addresses.insert(id.slot(), (index as u32, ip));
        }
        if let Err(error) = self.start(id) {
            // It could not be set up: it was never Opened, so nobody is told of its end.
            self.counters.accept_errors += 1;
            self.abandon(id, Parting::Abort);
            if is_out_of_resources(&error) {
                self.pause_accepting(index, PauseCause::OutOfDescriptors);
            }
            return;
        }
        self.counters.accepted += u64::from(!self.options.get(number).aside);
        #[cfg(feature = "websocket")]
        if upgrades {
            return self.await_request(id.slot(), BegunBy::Accept(ListenerId(index as u32), address), is_proxied);
        }
        self.begin_liveness(id.slot());
        self.tell(id, 0, RecordKind::Opened(Some(ListenerId(index as u32))));
        self.deliver_pending(events);
    }

    /// Sets up a connection that is established: socket options, registration.
    pub(crate) fn start(&mut self, id: ConnectionId) -> io::Result<()> {
        let slot = id.slot();
        let connection = &self.connections[slot as usize];
        let socket_options = self.socket_options_at_opening(connection.options);
        self.net.configure(&connection.socket, &socket_options, &SocketOptions::KERNEL)?;
        self.net.register(&connection.socket, id.get())
    }

    /// The connection is open: silence is counted from here.
    pub(crate) fn begin_liveness(&mut self, slot: u32) {
        let options = self.options.get(self.connections[slot as usize].options);
        let policy = options.policy.unwrap_or(self.policies.none);
        let first_frame_ms = u64::from(options.limits.first_frame_ms);
        self.monitor.add(slot, policy, self.heard_at);
        if first_frame_ms > 0 {
            self.first_frames.insert(slot, self.attended(self.heard_at));
            self.monitor.limit(slot, self.heard_at + first_frame_ms);
        }
    }

    /// What a socket is set to when a connection with these options opens.
    pub(crate) fn socket_options_at_opening(&self, number: u16) -> SocketOptions {
        let policy = self.options.get(number).policy.unwrap_or(self.policies.none);
        self.socket_options(number, self.monitor.policy(policy).judges())
    }

    /// L9, L12: where a policy judges, the kernel's timeout is off; where none does, the kernel's probes are on.
    pub(crate) fn socket_options(&self, number: u16, judged: bool) -> SocketOptions {
        let options = self.options.get(number);
        let mut socket = options.socket.clone();
        if judged {
            socket.user_timeout_ms = 0;
        } else {
            socket.keepalive.get_or_insert(Keepalive::default());
            if socket.user_timeout_ms > 0 {
                socket.user_timeout_ms = socket.user_timeout_ms.max(options.limits.output_ms);
            }
        }
        socket
    }

    fn pause_accepting(&mut self, index: usize, cause: PauseCause) {
        let listening = &mut self.listeners[index];
        match cause {
            PauseCause::OutOfDescriptors => listening.retry_at = Some(self.now + RETRY_MS),
            // Only a close of our own makes room, and that tries again.
            PauseCause::ConnectionsMax => listening.ready = false,
        }
        if listening.paused.is_none() {
            listening.paused = Some(cause);
            self.counters.accept_pauses += 1;
            self.counters.listeners_paused_now += 1;
            let listener = ListenerId(index as u32);
            self.tell(ConnectionId::NONE, 0, RecordKind::AcceptPaused { listener, cause });
        }
    }

    fn resume_accepting(&mut self, index: usize) {
        if self.listeners[index].paused.take().is_some() {
            self.counters.listeners_paused_now -= 1;
            let listener = ListenerId(index as u32);
            self.tell(ConnectionId::NONE, 0, RecordKind::AcceptResumed { listener });
        }
    }

    /// A connection comes through a proxy from this address: it counts, and is told, as of that. False if as many of it
    /// are there as may be.
    #[cfg(feature = "websocket")]
    pub(crate) fn is_really(&mut self, slot: u32, listener: ListenerId, address: SocketAddr) -> bool {
        if let Some(statistics) = self.statistics.get_mut(slot as usize) {
            statistics.set_address(address);
        }
        if self.counted_addresses.contains_key(&slot) {
            self.uncount_address(slot);
        }
        match self.listeners.get_mut(listener.0 as usize) {
            Some(listening) if listening.per_address_max > 0 => {
                let ip = address.ip().to_canonical();
                let is_counted = listening.count(ip);
                if is_counted {
                    self.counted_addresses.insert(slot, (listener.0, ip));
                }
                is_counted
            }
            _ => true,
        }
    }

    /// A connection of a limited address is gone.
    pub(crate) fn uncount_address(&mut self, slot: u32) {
        let Some((index, ip)) = self.counted_addresses.remove(&slot) else { return };
        if let Some(listening) = self.listeners.get_mut(index as usize)
            && let Some(count) = listening.addresses.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                listening.addresses.remove(&ip);
            }
        }
    }
}

/// Whether this second allows another accept; if not, sets when to come back.
fn has_allowance<N: Net>(listening: &mut Listening<N>, now: Millis) -> bool {
    if listening.accepts_per_second == 0 {
        return true;
    }
    let (began, left) = &mut listening.allowance;
    if now.since(*began) >= 1000 {
        (*began, *left) = (now, listening.accepts_per_second);
    }
    if *left == 0 {
        listening.retry_at = Some(*began + 1000);
        return false;
    }
    true
}
