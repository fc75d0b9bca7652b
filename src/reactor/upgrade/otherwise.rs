//! One port for two: who does not begin as HTTP does is set to other options.

use std::sync::Arc;

use super::{Step, Upgrade};
use crate::reactor::core::Reactor;
use crate::reactor::net::Net;
use crate::reactor::obituary::ClosedBy;
use crate::reactor::options::Options;
use crate::reactor::reason::Reason;

impl<N: Net> Reactor<N> {
    /// What a connection is set to whose client is not upgraded.
    pub(super) fn otherwise(&self, slot: u32) -> Option<&Arc<Options>> {
        let is_request = matches!(self.upgrades.get(&slot), Some(Upgrade { step: Step::Request, .. }));
        let options = self.options.get(self.connections[slot as usize].options);
        options.websocket.otherwise.as_ref().filter(|_| is_request)
    }

    /// It has not begun as HTTP does: it is of the other framing, from its first byte on.
    pub(super) fn go_on_otherwise(&mut self, slot: u32) {
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
}
