//! Where threads leave what they have counted, when the first one asks. Nobody waits for anybody: who is asked is woken,
//! writes, and wakes the first.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use heartline::reactor::{Mailbox, Metrics};

/// Shared by all workers.
#[derive(Debug)]
pub(crate) struct Board {
    /// Grows when somebody asks: one load per turn tells a worker that nobody does.
    round: AtomicU64,
    /// By thread. The first place stays empty: its owner asks.
    left: Mutex<Vec<Left>>,
    /// Threads but the first that still serve.
    serving: AtomicUsize,
    mailboxes: Vec<Mailbox>,
}

/// What one thread has left.
#[derive(Debug, Default)]
struct Left {
    round: u64,
    metrics: Metrics,
}

impl Board {
    pub(crate) fn new(mailboxes: Vec<Mailbox>) -> Self {
        let left = mailboxes.iter().map(|_| Left::default()).collect();
        Self {
            round: AtomicU64::new(0),
            left: Mutex::new(left),
            serving: AtomicUsize::new(mailboxes.len() - 1),
            mailboxes,
        }
    }

    fn left(&self) -> MutexGuard<'_, Vec<Left>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first thread asks the others.
    pub(super) fn ask(&self) {
        self.round.fetch_add(1, Ordering::Release);
        for mailbox in &self.mailboxes[1..] {
            // A full mailbox is being read, and one that is gone has left its last word.
            let _ = mailbox.wake();
        }
    }

    /// Whether somebody asks whom `seen` has not answered.
    #[inline]
    pub(crate) fn asks(&self, seen: &mut u64) -> bool {
        let round = self.round.load(Ordering::Acquire);
        std::mem::replace(seen, round) != round
    }

    /// Another thread's answer.
    pub(crate) fn leave(&self, index: u32, round: u64, metrics: Metrics) {
        self.left()[index as usize] = Left { round, metrics };
        let _ = self.mailboxes[0].wake();
    }

    /// Its last word: it serves no more.
    pub(crate) fn leave_for_good(&self, index: u32, metrics: Metrics) {
        self.serving.fetch_sub(1, Ordering::Release);
        self.leave(index, u64::MAX, metrics);
    }

    /// Whether all others have left for good.
    pub(crate) fn is_alone(&self) -> bool {
        self.serving.load(Ordering::Acquire) == 0
    }

    /// How many have not answered yet.
    pub(super) fn missing(&self) -> usize {
        let round = self.round.load(Ordering::Acquire);
        self.left()[1..].iter().filter(|left| left.round < round).count()
    }

    /// What all others have left, added to `own`.
    pub(super) fn sum(&self, mut own: Metrics) -> Metrics {
        for left in &self.left()[1..] {
            own.merge(&left.metrics);
        }
        own
    }
}
