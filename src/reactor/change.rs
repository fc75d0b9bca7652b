//! What can be changed on a connection that lives: its user's word, its policy and that policy's definition, its
//! options, whether it is read.

use std::io;

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::net::Net;
use super::options::{Entry, Options, SocketOptions};
use crate::frame::Framing;
use crate::liveness::{Policy, PolicyError, PolicyId};

impl<N: Net> Reactor<N> {
    /// Changes a policy: the live connections that follow it change with it, the options of their sockets too where it
    /// begins or ceases to judge.
    pub fn redefine_policy(&mut self, id: PolicyId, policy: Policy) -> Result<(), PolicyError> {
        let now = self.read_clock_in_call();
        let judged = self.monitor.policy_id(id.index()).is_some_and(|id| self.monitor.policy(id).judges());
        self.monitor.redefine(id, policy, now)?;
        if judged != policy.judges() {
            self.configure_followers(id, judged);
        }
        self.show_work();
        Ok(())
    }

    /// L9, L12: the sockets of all who follow this policy, as if they were opened now.
    fn configure_followers(&mut self, id: PolicyId, judged_before: bool) {
        for slot in 0..self.connections.capacity() as u32 {
            if self.connections.contains(slot as usize) && self.follows(slot) == id {
                let number = self.connections[slot as usize].options;
                let before = self.socket_options(number, judged_before);
                // The kernel's are helpers: one that refuses them keeps what it has.
                let _ = self.configure_again(slot, &before);
            }
        }
    }

    /// What a connection's liveness follows, or will when it is open.
    fn follows(&self, slot: u32) -> PolicyId {
        let connection = &self.connections[slot as usize];
        let watched = self.monitor.state(slot).filter(|_| !connection.flags.any(Flags::DIALLING));
        let named = self.options.get(connection.options).policy;
        watched.map(|state| state.policy).or(named).unwrap_or(self.policies.none)
    }

    /// What its options and its policy make of a connection's socket.
    fn socket_options_now(&self, slot: u32) -> SocketOptions {
        let judged = self.monitor.policy(self.follows(slot)).judges();
        self.socket_options(self.connections[slot as usize].options, judged)
    }

    /// Its options or its policy have changed: the socket has still the options `before`.
    fn configure_again(&mut self, slot: u32, before: &SocketOptions) -> io::Result<()> {
        let options = self.socket_options_now(slot);
        self.net.configure(&self.connections[slot as usize].socket, &options, before)
    }

    /// Sets the application's word: a number or a pointer that Heartline never reads. False if the id is stale.
    pub fn set_user(&mut self, id: ConnectionId, user: u64) -> bool {
        self.live_mut(id).map(|connection| connection.user = user).is_some()
    }

    /// Lets one connection follow another policy. False if the id is stale, the connection being dialled or closed, or the
    /// policy unknown. Options of the socket that follow from a policy are applied where they can be.
    pub fn set_policy(&mut self, id: ConnectionId, policy: PolicyId) -> bool {
        let Some(connection) = self.live(id) else { return false };
        let is_known = self.monitor.policy_id(policy.index()).is_some();
        if connection.flags.any(Flags::DIALLING | Flags::CLOSING) || !is_known {
            return false;
        }
        let before = self.socket_options_now(id.slot());
        let now = self.read_clock_in_call();
        self.monitor.set_policy(id.slot(), policy, now);
        let _ = self.configure_again(id.slot(), &before);
        self.show_work();
        true
    }

    /// How the bytes of a connection are cut; `None` if the id is stale.
    pub fn framing(&self, id: ConnectionId) -> Option<&Framing> {
        self.live(id).map(|connection| &*self.options.get(connection.options).framing)
    }

    /// Changes the options of one connection from now on: marks, limits, policy, framing (of all that is not delivered
    /// yet: an unfinished frame is cut anew). A limit holds from where it would have held from the beginning, but a first
    /// frame that was not limited before is awaited from now. If the peer's FIN was read already, `half_open` set tells
    /// `ReadClosed`, and cleared flushes and closes.
    /// False if the id is stale. Options of the socket are applied where they can be.
    pub fn set_options(&mut self, id: ConnectionId, options: &Options) -> io::Result<bool> {
        let Some(connection) = self.live(id) else { return Ok(false) };
        let slot = id.slot();
        let flags = connection.flags;
        let Entry { dialled, options: before, agreed, .. } = self.options.entry(connection.options);
        let (dialled, was_half_open) = (*dialled, before.half_open);
        // What was agreed with the peer holds as long as they are WebSocket's frames.
        let agreed = agreed.filter(|_| options.framing.is_websocket());
        let before = self.socket_options_now(slot);
        let number = self.intern_agreed(options, dialled, agreed)?;
        let connection = &mut self.connections[slot as usize];
        let old = std::mem::replace(&mut connection.options, number);
        self.options.release(old);
        if let Some(inbound) = &mut connection.inbound {
            inbound.cut_anew();
            self.list(slot);
        }
        let now = self.read_clock_in_call();
        let is_open = !flags.any(Flags::DIALLING | Flags::CLOSING);
        if let Some(policy) = self.options.get(number).policy.filter(|_| is_open) {
            self.monitor.set_policy(slot, policy, now);
        }
        let configured = self.configure_again(slot, &before);
        if is_open && flags.any(Flags::FIRST_FRAME_DUE) && options.limits.first_frame_ms > 0 {
            let now = self.attended(now);
            self.first_frames.entry(slot).or_insert(now);
        }
        self.look_at_limits(slot);
        if is_open && flags.any(Flags::READ_ENDED) && options.half_open != was_half_open {
            self.end_reading_again(slot, options.half_open);
        }
        self.show_work();
        configured.map(|()| true)
    }

    /// R13 for a FIN that was read under the other choice.
    fn end_reading_again(&mut self, slot: u32, half_open: bool) {
        let flags = &mut self.connections[slot as usize].flags;
        if half_open {
            // It was not told. What it stands behind, which a new framing may yet cut, comes first.
            flags.clear(Flags::READ_ENDED);
            flags.set(Flags::READABLE);
            return self.list(slot);
        }
        self.write_bundle_of(slot);
        // If that failed, the read side tells the end.
        if !self.connections[slot as usize].flags.any(Flags::WRITE_FAILED) {
            self.peer_closed(slot);
        }
    }

    /// Nobody judges this connection for `ms` (a loading screen): its silence is counted from then on. False if the id
    /// is stale or the connection is being dialled.
    pub fn grace(&mut self, id: ConnectionId, ms: u64) -> bool {
        if self.live(id).is_none_or(|connection| connection.flags.any(Flags::DIALLING)) {
            return false;
        }
        self.read_clock_in_call();
        // Rounded up, as what is heard: it does not end early (L4).
        self.monitor.grace(id.slot(), self.heard_at + ms);
        self.show_work();
        true
    }

    /// Stops reading: the kernel's buffer fills, then the peer waits. It is judged only while that buffer is empty
    /// (L10). False if the id is stale.
    pub fn pause(&mut self, id: ConnectionId) -> bool {
        self.live_mut(id).map(|connection| connection.flags.set(Flags::PAUSED)).is_some()
    }

    /// Reads on. False if the id is stale.
    pub fn resume(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.live_mut(id) else { return false };
        if connection.flags.any(Flags::PAUSED) {
            connection.flags.clear(Flags::PAUSED);
            self.read_clock_in_call();
            self.read_again(id.slot());
            self.show_work();
        }
        true
    }
}
