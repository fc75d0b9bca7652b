//! What is asked of permessage-deflate where there is none: nothing was agreed.

use super::connection::ConnectionId;
use super::core::Reactor;
use super::events::Events;
use super::net::Net;
#[cfg(feature = "websocket")]
use super::options::Entry;
use super::send::SendError;
#[cfg(feature = "websocket")]
use crate::frame::websocket::upgrade::{Accepted, ClientRequest, Request};
use crate::frame::{EncodeError, Frame, FrameError, Framing};
use std::sync::Arc;

/// Nothing can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {}

/// Nothing.
#[derive(Debug, Default)]
pub(crate) struct Deflating {}

impl Deflating {
    pub(crate) fn forget(&mut self, _: u32) {}

    pub(crate) fn inflate(
        &mut self,
        _: u32,
        agreed: &Agreed,
        _: &[u8],
        _: &Frame,
        _: usize,
    ) -> Option<Result<Vec<u8>, FrameError>> {
        match *agreed {}
    }
}

pub(crate) fn frames_of(_: usize) -> usize {
    1
}

pub(crate) fn has_room(_: &Events) -> bool {
    true
}

pub(crate) fn settle_deflate(_: &mut Arc<Framing>, _: Option<Agreed>) {}

#[cfg(feature = "websocket")]
pub(crate) fn choose_deflate(_: &Entry, _: &Request<'_>) -> Option<(Agreed, String)> {
    None
}

impl<N: Net> Reactor<N> {
    #[cfg(feature = "websocket")]
    pub(crate) fn offer_deflate(&self, _: u16, request: Arc<ClientRequest>) -> Arc<ClientRequest> {
        request
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn confirm_deflate(&mut self, _: u32, _: &Accepted<'_>) -> bool {
        true
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn begin_deflating(&mut self, _: u32, agreed: Agreed) -> bool {
        match agreed {}
    }

    pub(crate) fn send_deflated(
        &mut self,
        _: ConnectionId,
        agreed: Agreed,
        _: Option<&[u8]>,
        _: &[&[u8]],
    ) -> Result<(), SendError> {
        match agreed {}
    }

    pub(crate) fn build_deflated(
        &mut self,
        _: u16,
        agreed: Agreed,
        _: Option<u32>,
        _: Option<&[u8]>,
        _: &[u8],
    ) -> Result<((usize, usize), bool), EncodeError> {
        match agreed {}
    }

    pub(crate) fn refers_back(&self, _: u32) -> bool {
        false
    }

    pub(crate) fn sent_deflated(&mut self, _: u32, agreed: Agreed, _: bool, _: &[u8]) {
        match agreed {}
    }
}
