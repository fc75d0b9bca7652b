//! As the client: what is asked of a server, and its answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{BegunBy, Planned, Step, Upgrade};
use crate::frame::websocket::upgrade::ClientRequest;
use crate::reactor::core::Reactor;
use crate::reactor::net::Net;
use crate::reactor::obituary::ClosedBy;
use crate::reactor::options::random_seed;
use crate::reactor::reason::Reason;

impl<N: Net> Reactor<N> {
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

    /// The server has answered.
    pub(super) fn response_came(&mut self, slot: u32, request: &ClientRequest, key: [u8; 16], head: &[u8]) {
        if !request.check(key, head).is_ok_and(|accepted| self.confirm_deflate(slot, &accepted)) {
            return self.refused_by_server(slot);
        }
        if let Some(upgrade) = self.upgrades.get_mut(&slot) {
            upgrade.step = Step::Accepted;
        }
        self.write_upgrade(slot);
    }

    pub(super) fn refused_by_server(&mut self, slot: u32) {
        self.end(slot, Reason::UpgradeRefused, 0, ClosedBy::Peer);
    }
}
