//! Dialling: an id at once, then Opened or ConnectFailed (R8).

use std::io;

use super::accept::ListenerId;
use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::events::{Events, RecordKind};
use super::net::{Address, Net, Parting};
use super::options::Options;
use super::reason::Reason;

impl<N: Net> Reactor<N> {
    /// Starts a connection. Its id ends in Opened … Closed, or in ConnectFailed alone, within `limits.connect_ms`.
    /// What is sent before Opened waits in the outbox. `user` is the application's word.
    ///
    /// # Errors
    /// What fails at once: no descriptor, no such Unix socket, an address that cannot be dialled, `connections_max`.
    pub fn connect(&mut self, address: &Address, options: &Options, user: u64) -> io::Result<ConnectionId> {
        self.check_room()?;
        let number = self.intern(options, true)?;
        let dialled = match address {
            Address::Tcp(address) => Some(*address),
            _ => None,
        };
        let planned = match self.request_for(number, dialled) {
            Ok(planned) => planned,
            Err(error) => {
                self.options.release(number);
                return Err(error);
            }
        };
        let socket = match self.net.connect(address, &self.socket_options_at_opening(number)) {
            Ok(socket) => socket,
            Err(error) => {
                self.options.release(number);
                return Err(error);
            }
        };
        let id = self.insert(socket, number, Flags::DIALLING, |_, _| dialled);
        let slot = id.slot();
        let connection = &mut self.connections[slot as usize];
        connection.user = user;
        if let Err(error) = self.net.register(&connection.socket, id.get()) {
            self.abandon(id, Parting::Abort);
            return Err(error);
        }
        self.plan_upgrade(slot, planned);
        self.read_clock_in_call();
        self.dialling.insert(slot, self.attended(self.now));
        // Nobody judges it yet; its place in the wheel is for the limit.
        self.monitor.add(slot, self.policies.none, self.now);
        let connect_ms = self.options.get(number).limits.connect_ms;
        if connect_ms > 0 {
            self.monitor.limit(slot, self.now + u64::from(connect_ms));
        }
        self.show_work();
        Ok(id)
    }

    pub(crate) fn check_room(&self) -> io::Result<()> {
        let limit = self.config.connections_max;
        if !self.has_room(false) {
            let message = format!("connections_max, {limit}, is reached");
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, message));
        }
        Ok(())
    }

    /// What has gone before is over: the connection is Opened, and what was sent meanwhile leaves.
    pub(crate) fn open(&mut self, slot: u32, listener: Option<ListenerId>) {
        let connection = &mut self.connections[slot as usize];
        connection.flags.clear(Flags::DIALLING);
        connection.flags.set(Flags::WRITABLE | Flags::FIRST_FRAME_DUE);
        self.dialling.remove(&slot);
        self.monitor.remove(slot);
        self.begin_liveness(slot);
        self.tell_of(slot, RecordKind::Opened(listener));
        self.tell_full_at_opening(slot);
        let now = self.attended(self.now);
        if let Some(outbox) = &mut self.connections[slot as usize].outbox {
            // It waits from here.
            outbox.progress = now;
            self.look_at_limits(slot);
        }
        self.write_outbox(slot);
    }

    /// The socket of a dial became writable: established, or failed.
    pub(crate) fn dial_ready(&mut self, slot: u32, events: &mut Events) {
        if self.is_upgrading(slot) {
            return self.write_upgrade(slot);
        }
        let connection = &mut self.connections[slot as usize];
        match self.net.connected(&connection.socket) {
            Ok(None) => {}
            Ok(Some(())) => {
                self.counters.connected += 1;
                if !self.goes_on_with_upgrade(slot) {
                    self.open(slot, None);
                    // Before what the same notification has to be read.
                    self.deliver_pending(events);
                }
            }
            Err(error) => {
                let code = error.raw_os_error().unwrap_or(0);
                let reason = match error.kind() {
                    io::ErrorKind::ConnectionRefused => Reason::ConnectRefused,
                    io::ErrorKind::TimedOut => Reason::ConnectTimeout,
                    _ => Reason::ConnectError,
                };
                self.connect_failed(slot, reason, code);
            }
        }
    }
}
