//! As the server: what becomes of a client's request.

use std::fmt;
use std::net::SocketAddr;

use super::{BegunBy, Step, Upgrade};
use crate::frame::websocket::upgrade::{
    Acceptance, HeadError, Judgement, Refusal, Request, Rules, accept, healthy, refuse,
};
use crate::reactor::connection::{ConnectionId, Flags};
use crate::reactor::core::Reactor;
use crate::reactor::deflate::choose_deflate;
use crate::reactor::events::{Record, RecordKind};
use crate::reactor::net::Net;
use crate::reactor::reason::Reason;

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
    /// Accepts an upgrade that an [`Upgrade`](crate::reactor::EventKind::Upgrade) event told of: `Opened` comes with a later poll. Until
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

    /// Refuses an upgrade that an [`Upgrade`](crate::reactor::EventKind::Upgrade) event told of, with an HTTP status from 400 to 599 and a
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

    /// A client asks: the rules judge it, or the application.
    pub(super) fn request_came(&mut self, slot: u32, head: Vec<u8>) {
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
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

    pub(super) fn refuse_upgrade_of(&mut self, slot: u32, refusal: &Refusal) {
        let Some(upgrade) = self.upgrades.get_mut(&slot) else { return };
        upgrade.out.clear();
        refuse(refusal, &mut upgrade.out);
        upgrade.step = Step::Refused(Reason::UpgradeRefused);
        self.write_upgrade(slot);
    }
}
