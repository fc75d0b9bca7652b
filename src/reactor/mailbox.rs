//! The mailbox: how other threads reach a reactor. Bounded; what cannot be done comes back as Unsent (R10).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::close::Close;
use super::connection::ConnectionId;
use super::core::Reactor;
use super::net::Net;
use super::turn::WAKER_TOKEN;

/// Requests carried out in one turn.
const MAIL_PER_TURN: usize = 1024;

enum Letter {
    Send(ConnectionId, Vec<u8>),
    Broadcast(Option<Arc<[u8]>>, Arc<[u8]>),
    Close(ConnectionId, Close, Option<u16>),
    Wake,
}

/// A handle on a reactor for any thread. Clones reach the same reactor; it may outlive it.
pub struct Mailbox<N: Net> {
    /// A queue behind a lock, held for one letter at a time: a channel of the standard library would be a fiftieth of the
    /// C library, and one with a bound makes room for all letters at once.
    queue: Arc<Mutex<Queue>>,
    waker: N::Waker,
    waiting_max: usize,
}

#[derive(Default)]
struct Queue {
    letters: VecDeque<Letter>,
    /// The reactor was woken and has not looked yet: no second wake-up is needed.
    signalled: bool,
    /// The reactor is gone.
    closed: bool,
}

/// Nothing panics while it holds the lock; if it did, the queue would be whole all the same.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The room of an empty queue that is kept.
const ROOM_KEPT: usize = 256;

impl<N: Net> Clone for Mailbox<N> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), waker: self.waker.clone(), waiting_max: self.waiting_max }
    }
}

impl<N: Net> fmt::Debug for Mailbox<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

/// Why a mailbox did not take a request.
#[derive(Debug)]
pub enum MailboxError {
    /// `mailbox_max` requests wait.
    Full,
    /// The reactor is gone.
    Gone,
    /// The reactor could not be woken. The request is not lost: it waits for the next one that wakes it.
    Wake(io::Error),
}

impl fmt::Display for MailboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the mailbox is full: mailbox_max requests wait"),
            Self::Gone => f.write_str("the reactor of this mailbox is gone"),
            Self::Wake(error) => write!(f, "the reactor could not be woken: {error}"),
        }
    }
}

impl std::error::Error for MailboxError {}

impl<N: Net> Mailbox<N> {
    /// Sends a message on a connection of that reactor. If it cannot be done there, the message comes back as an
    /// Unsent event.
    pub fn send(&self, id: ConnectionId, message: Vec<u8>) -> Result<(), MailboxError> {
        self.post(Letter::Send(id, message))
    }

    /// Sends a message on every open connection of that reactor. Who cannot take it is counted as refused.
    pub fn broadcast(&self, message: Arc<[u8]>) -> Result<(), MailboxError> {
        self.post(Letter::Broadcast(None, message))
    }

    /// The same with the head given, in the form in which heads are shown: the codec writes the length into it (F5).
    pub fn broadcast_with_head(&self, head: Arc<[u8]>, message: Arc<[u8]>) -> Result<(), MailboxError> {
        self.post(Letter::Broadcast(Some(head), message))
    }

    /// Closes a connection of that reactor; a stale id is passed over.
    pub fn close(&self, id: ConnectionId, how: Close, code: Option<u16>) -> Result<(), MailboxError> {
        self.post(Letter::Close(id, how, code))
    }

    /// Makes that reactor's poll return, with or without events.
    pub fn wake(&self) -> Result<(), MailboxError> {
        self.post(Letter::Wake)
    }

    fn post(&self, letter: Letter) -> Result<(), MailboxError> {
        let was_signalled = {
            let mut queue = lock(&self.queue);
            if queue.closed {
                return Err(MailboxError::Gone);
            }
            if queue.letters.len() >= self.waiting_max {
                return Err(MailboxError::Full);
            }
            queue.letters.push_back(letter);
            std::mem::replace(&mut queue.signalled, true)
        };
        if !was_signalled {
            N::wake(&self.waker).map_err(|error| {
                // The next to post tries again.
                lock(&self.queue).signalled = false;
                MailboxError::Wake(error)
            })?;
        }
        Ok(())
    }
}

/// The reactor's side.
pub(crate) struct Mail<N: Net> {
    mailbox: Mailbox<N>,
    /// The waker spoke, or the last turn did not read all.
    arrived: bool,
}

impl<N: Net> Drop for Mail<N> {
    fn drop(&mut self) {
        let mut queue = lock(&self.mailbox.queue);
        queue.closed = true;
        queue.letters = VecDeque::new();
    }
}

impl<N: Net> Mail<N> {
    pub(crate) fn has_more(&self) -> bool {
        self.arrived
    }
}

impl<N: Net> Reactor<N> {
    /// A mailbox of this reactor. The first call makes it; without one there is no waker and no cost.
    pub fn mailbox(&mut self) -> io::Result<Mailbox<N>> {
        if let Some(mail) = &self.mail {
            return Ok(mail.mailbox.clone());
        }
        let waker = self.net.waker(WAKER_TOKEN)?;
        let waiting_max = self.config.mailbox_max.max(1);
        let mailbox = Mailbox { queue: Arc::default(), waker, waiting_max };
        self.mail = Some(Mail { mailbox: mailbox.clone(), arrived: false });
        Ok(mailbox)
    }

    pub(crate) fn mail_arrived(&mut self) {
        if let Some(mail) = &mut self.mail {
            mail.arrived = true;
        }
    }

    pub(crate) fn read_mail(&mut self) {
        let Some(mut mail) = self.mail.take_if(|mail| mail.arrived) else { return };
        // Before the letters are read: who posts from here on wakes again.
        lock(&mail.mailbox.queue).signalled = false;
        mail.arrived = false;
        for _ in 0..MAIL_PER_TURN {
            if !self.may_tell() {
                break;
            }
            let letter = {
                let mut queue = lock(&mail.mailbox.queue);
                let letter = queue.letters.pop_front();
                if letter.is_none() {
                    queue.letters.shrink_to(ROOM_KEPT);
                }
                letter
            };
            let Some(letter) = letter else {
                self.mail = Some(mail);
                return;
            };
            self.carry_out_letter(letter);
        }
        mail.arrived = true;
        self.mail = Some(mail);
    }

    fn carry_out_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Send(id, message) => {
                if self.send(id, &message).is_err() {
                    let user = self.live(id).map_or(0, |connection| connection.user);
                    self.tell_unsent(id, user, message);
                }
            }
            Letter::Broadcast(head, message) => {
                self.broadcast_all(None, head.as_deref(), &message);
            }
            // It may have ended since: that is what was wanted.
            Letter::Close(id, how, code) => drop(self.close(id, how, code)),
            Letter::Wake => self.woken = true,
        }
    }
}
