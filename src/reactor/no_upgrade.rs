//! What is asked of upgrades where there is no WebSocket: there are none.

use std::io;
use std::net::SocketAddr;

use super::core::Reactor;
use super::net::Net;

/// Nothing.
pub(crate) struct Planned;

impl<N: Net> Reactor<N> {
    pub(crate) fn begins_with_upgrade(&self, _: u16) -> bool {
        false
    }

    pub(crate) fn adopt_before_upgrade(&mut self, _: u32, _: Option<Planned>) {}

    pub(crate) fn request_for(&self, _: u16, _: Option<SocketAddr>) -> io::Result<Option<Planned>> {
        Ok(None)
    }

    pub(crate) fn plan_upgrade(&mut self, _: u32, _: Option<Planned>) {}

    pub(crate) fn is_upgrading(&self, _: u32) -> bool {
        false
    }

    pub(crate) fn upgrade_limit_ms(&self, _: u32) -> Option<u32> {
        None
    }

    pub(crate) fn is_known_before_opening(&self, _: u32) -> Option<bool> {
        None
    }

    pub(crate) fn goes_on_with_upgrade(&mut self, _: u32) -> bool {
        false
    }

    pub(crate) fn write_upgrade(&mut self, _: u32) {}

    pub(crate) fn read_upgrade(&mut self, _: u32) {}

    pub(crate) fn upgrade_late(&mut self, _: u32) {}
}
