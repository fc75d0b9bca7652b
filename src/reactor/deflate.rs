//! permessage-deflate on connections: agreed with the upgrade, what comes inflated, what goes deflated. What was agreed
//! stands with the options, which connections share, so that a frame asks one flag; only windows that were agreed to be kept
//! belong to a connection.

use super::by_slot::BySlot;
use super::connection::ConnectionId;
use super::core::Reactor;
use super::events::Events;
use super::net::Net;
use super::options::{Entry, WhenFull};
use super::send::SendError;
use crate::frame::websocket::check_text;
use crate::frame::websocket::deflate::{
    Agreed as Parameters, DeflateOptions, InflateError, Scratch, Window, choose, confirm, deflate, inflate, offer,
};
use crate::frame::websocket::upgrade::{Accepted, ClientRequest, Request};
use crate::frame::{EncodeError, Frame, FrameError, Framing, WebSocketFault};
use std::sync::Arc;

/// What was agreed on a connection.
pub(crate) type Agreed = Parameters;

/// RSV1 of a frame's first byte.
const DEFLATED: u8 = 0x40;
/// A batch in which so many bytes were inflated takes no more of them: a few bytes can become many.
const INFLATED_BYTES_MAX: usize = 16 << 20;
/// So many inflated bytes count as one frame of the budget of a turn (R2).
const BYTES_PER_FRAME: usize = 1024;
/// Room for deflating above this is given back.
const PACKED_BYTES_MAX: usize = 64 << 10;

/// What all connections that deflate share, and what belongs to some of them.
#[derive(Debug, Default)]
pub(crate) struct Deflating {
    scratch: Scratch,
    packed: Vec<u8>,
    /// Of connections on which context takeover was agreed, from the first message on.
    windows: BySlot<u32, Windows>,
}

/// The windows of both directions.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    sent: Window,
    received: Window,
}

/// What was agreed of permessage-deflate on a connection that was given back, with the messages that others may refer to.
#[derive(Debug)]
pub struct Deflated {
    agreed: Agreed,
    windows: Windows,
}

impl Deflating {
    pub(crate) fn forget(&mut self, slot: u32) {
        self.windows.remove(&slot);
    }

    fn keep(&mut self, slot: u32, most: usize, of: impl Fn(&mut Windows) -> &mut Window, message: &[u8]) {
        if most > 0 {
            of(self.windows.entry(slot).or_default()).keep(message, most);
        }
    }

    /// The whole message of a frame that was cut at the front of `bytes`, behind its head, in a block of its own. `None`:
    /// it is not deflated.
    pub(crate) fn inflate(
        &mut self,
        slot: u32,
        agreed: &Agreed,
        bytes: &[u8],
        frame: &Frame,
        max_bytes: usize,
    ) -> Option<Result<Vec<u8>, FrameError>> {
        let first = bytes[frame.head.start];
        if first & DEFLATED == 0 {
            return None;
        }
        let mut block = bytes[frame.head.clone()].to_vec();
        let window = self.windows.get(&slot).map_or(&[][..], |windows| windows.received.bytes());
        let read = inflate(&mut self.scratch, window, &bytes[frame.message.clone()], max_bytes, &mut block);
        let at = frame.message.start;
        let fault = |fault| Some(Err(FrameError::WebSocket { fault, at }));
        match read {
            Ok(()) => {}
            Err(InflateError::TooLarge { limit }) => return fault(WebSocketFault::TooLarge { limit }),
            Err(_) => return fault(WebSocketFault::Deflated),
        }
        let message = &block[frame.head.len()..];
        if let Err(error) = check_text(first, message) {
            return Some(Err(error));
        }
        self.keep(slot, agreed.receive_window_bytes(), |windows| &mut windows.received, message);
        Some(Ok(block))
    }
}

/// How many frames of the budget of a turn an inflated message counts for.
pub(crate) fn frames_of(bytes: usize) -> usize {
    1 + bytes / BYTES_PER_FRAME
}

/// Whether this batch takes more that has to be inflated.
pub(crate) fn has_room(events: &Events) -> bool {
    events.inflated_bytes < INFLATED_BYTES_MAX
}

/// What is agreed with this client, and what the response has to say of it.
pub(crate) fn choose_deflate(entry: &Entry, request: &Request<'_>) -> Option<(Agreed, String)> {
    choose(&wanted(entry)?, request.extensions())
}

impl<N: Net> Reactor<N> {
    /// The request with what is offered of permessage-deflate, unless the application offers it itself.
    pub(crate) fn offer_deflate(&self, number: u16, request: Arc<ClientRequest>) -> Arc<ClientRequest> {
        let Some(options) = wanted(self.options.entry(number)) else { return request };
        let mut request = Arc::unwrap_or_clone(request);
        let ours = offer(&options);
        request.extensions =
            Some(request.extensions.map_or_else(|| ours.clone(), |others| format!("{others}, {ours}")));
        Arc::new(request)
    }

    /// What the server has agreed to. False: it has answered what was not offered.
    pub(crate) fn confirm_deflate(&mut self, slot: u32, accepted: &Accepted<'_>) -> bool {
        let entry = self.options.entry(self.connections[slot as usize].options);
        let Some(options) = wanted(entry) else { return true };
        match confirm(&options, accepted.extensions()) {
            Ok(None) => true,
            Ok(Some(agreed)) => self.begin_deflating(slot, agreed),
            Err(_) => false,
        }
    }

    /// From here on this was agreed. False: too many distinct options are in use.
    pub(crate) fn begin_deflating(&mut self, slot: u32, agreed: Agreed) -> bool {
        let Entry { given, dialled, .. } = self.options.entry(self.connections[slot as usize].options);
        let (given, dialled) = (given.clone(), *dialled);
        let Ok(number) = self.intern_agreed(&given, dialled, Some(agreed)) else { return false };
        let old = std::mem::replace(&mut self.connections[slot as usize].options, number);
        self.options.release(old);
        true
    }

    /// Queues a message on a connection that deflates, unless the message is too short to gain by it.
    #[inline(never)]
    pub(crate) fn send_deflated(
        &mut self,
        id: ConnectionId,
        agreed: Agreed,
        head: Option<&[u8]>,
        message: &[&[u8]],
    ) -> Result<(), SendError> {
        let gathered;
        let message = match message {
            [one] => one,
            many => {
                gathered = many.concat();
                &gathered[..]
            }
        };
        let slot = id.slot();
        let number = self.connections[slot as usize].options;
        let window = agreed.send_takeover.then_some(slot);
        let ((start, end), is_deflated) = self.build_deflated(number, agreed, window, head, message)?;
        let accepted = self.enqueue(id, start, end);
        match accepted {
            Ok(()) => self.sent_deflated(slot, agreed, is_deflated, message),
            Err(_) => self.sends.take_back(start),
        }
        self.renew_short_way();
        accepted
    }

    /// Builds the frames of a message, which may refer to the window of a connection; and whether it is deflated.
    pub(crate) fn build_deflated(
        &mut self,
        number: u16,
        agreed: Agreed,
        window: Option<u32>,
        head: Option<&[u8]>,
        message: &[u8],
    ) -> Result<((usize, usize), bool), EncodeError> {
        let framing = &self.options.get(number).framing;
        let Deflating { scratch, packed, windows } = &mut self.deflating;
        let options = framing.deflate().copied().unwrap_or_default();
        let window = window.and_then(|slot| windows.get(&slot)).map_or(&[][..], |windows| windows.sent.bytes());
        packed.clear();
        let is_deflated = message.len() >= options.min_bytes as usize
            && deflate(scratch, agreed.sending(options.level), window, message, packed);
        let deflated = is_deflated.then_some(&packed[..]);
        let built = self.sends.build(|out| framing.encode_deflated(head, message, deflated, out));
        if packed.capacity() > PACKED_BYTES_MAX {
            *packed = Vec::new();
        }
        built.map(|range| (range, is_deflated))
    }

    /// What was agreed on this connection goes with it.
    pub(crate) fn take_deflated(&mut self, slot: u32) -> Option<Deflated> {
        let agreed = self.options.entry(self.connections[slot as usize].options).agreed?;
        Some(Deflated { agreed, windows: self.deflating.windows.remove(&slot).unwrap_or_default() })
    }

    /// What was agreed on this connection before it was adopted as upgraded, before anything of it is polled
    /// ([`Released::deflate`](super::Released::deflate)). False if the id is stale, the framing is not `websocket`, or
    /// 65,535 distinct options are in use.
    pub fn resume_deflate(&mut self, id: ConnectionId, deflated: Deflated) -> bool {
        let Some(connection) = self.live(id) else { return false };
        let is_websocket = self.options.get(connection.options).framing.is_websocket();
        if !is_websocket || !self.begin_deflating(id.slot(), deflated.agreed) {
            return false;
        }
        let Windows { sent, received } = &deflated.windows;
        if !sent.bytes().is_empty() || !received.bytes().is_empty() {
            self.deflating.windows.insert(id.slot(), deflated.windows);
        }
        true
    }

    /// Whether what is sent on a connection may refer to what was sent before.
    pub(crate) fn refers_back(&self, slot: u32) -> bool {
        let agreed = self.options.entry(self.connections[slot as usize].options).agreed;
        agreed.is_some_and(|agreed| agreed.send_takeover)
    }

    /// A message is queued: from here on others may refer to it, in the same order.
    pub(crate) fn sent_deflated(&mut self, slot: u32, agreed: Agreed, is_deflated: bool, message: &[u8]) {
        if is_deflated {
            self.deflating.keep(slot, agreed.send_window_bytes(), |windows| &mut windows.sent, message);
        }
    }
}

/// What we want of those with these options. Where the oldest that waits may be dropped, nothing may refer to it.
fn wanted(entry: &Entry) -> Option<DeflateOptions> {
    let mut options = *entry.given.framing.deflate()?;
    if entry.options.marks.when_full == WhenFull::DropOldest {
        if entry.dialled {
            options.client_context_takeover = false;
        } else {
            options.server_context_takeover = false;
        }
    }
    Some(options)
}

/// A framing deflates where that was agreed, and nowhere else: the codec refuses RSV1 then.
pub(crate) fn settle_deflate(framing: &mut Arc<Framing>, agreed: Option<Agreed>) {
    let settled = match (agreed, framing.deflate()) {
        (None, Some(_)) => None,
        // The options were changed meanwhile; the agreement holds.
        (Some(_), None) if framing.is_websocket() => Some(DeflateOptions::default()),
        _ => return,
    };
    if let Ok(settled) = Framing::clone(framing).with_deflate(settled) {
        *framing = Arc::new(settled);
    }
}
