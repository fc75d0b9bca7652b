//! Counters for everything that happens, readable as one struct.

use super::reason::Reason;
use crate::liveness::Beat;

macro_rules! counters {
    ($(#[doc = $doc:literal] $name:ident,)*) => {
        /// What has happened since the reactor began. Every field only grows, but those named `…_now`. Connections
        /// that stand [`aside`](super::Options::aside) count only in what is sent and received.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $(#[doc = $doc] pub $name: u64,)*
            /// Connections closed (or dials failed), by [`Reason::code`].
            closed: ClosedByReason,
        }

        impl Counters {
            /// Every plain counter with its name, in a fixed order.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                self.each_explained().map(|(name, _, value)| (name, value))
            }

            /// The same with a sentence on each.
            pub(crate) fn each_explained(&self) -> Explained {
                Explained { text: TEXT, values: [$(self.$name,)*], at: 0 }
            }

            /// Adds those of another reactor, for a sum over threads.
            pub fn merge(&mut self, other: &Self) {
                let turn_max_us = self.turn_max_us.max(other.turn_max_us);
                $(self.$name += other.$name;)*
                self.turn_max_us = turn_max_us;
                for (mine, theirs) in self.closed.0.iter_mut().zip(other.closed.0) {
                    *mine += theirs;
                }
            }
        }

        // One text and the lengths in it, since a table of texts costs a shared library a relocation for each.
        const TEXT: &str = concat!($(stringify!($name), $doc,)*);
        const LENGTHS: [(u8, u8); [$($doc,)*].len()] = [$((stringify!($name).len() as u8, $doc.len() as u8),)*];
    };
}

/// Name, explanation and value of every plain counter.
pub(crate) struct Explained {
    text: &'static str,
    values: [u64; LENGTHS.len()],
    at: usize,
}

impl Iterator for Explained {
    type Item = (&'static str, &'static str, u64);
    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        let (name, explained) = *LENGTHS.get(self.at)?;
        let value = self.values[self.at];
        let (name, rest) = self.text.split_at_checked(usize::from(name))?;
        let (explained, rest) = rest.split_at_checked(usize::from(explained))?;
        self.text = rest;
        self.at += 1;
        Some((name, explained, value))
    }
}

counters! {
    /// Connections that live now, those being dialled or closed included.
    connections_now,
    /// Connections accepted.
    accepted,
    /// Connections dialled that were established.
    connected,
    /// Dials that failed.
    connect_failed,
    /// Connections adopted.
    adopted,
    /// Connections released.
    released,
    /// Times that accepting paused.
    accept_pauses,
    /// Listeners that accept no more for now.
    listeners_paused_now,
    /// Accepts that failed for one connection (aborted in the queue).
    accept_errors,
    /// Bytes received.
    bytes_in,
    /// Bytes that the kernel took.
    bytes_out,
    /// Messages received, beats not counted.
    messages_in,
    /// Messages accepted for sending.
    messages_out,
    /// Messages that `send` refused.
    messages_refused,
    /// Messages accepted and dropped again by `WhenFull::DropOldest`, or handed back to the mailbox's user.
    messages_unsent,
    /// Asks received.
    asks_in,
    /// Answers received.
    answers_in,
    /// Asks sent.
    asks_out,
    /// Answers sent.
    answers_out,
    /// Peers reported as suspect.
    suspects,
    /// Suspects that were heard again.
    revived,
    /// Peers declared dead.
    deaths,
    /// Deaths averted by the last look (L6).
    last_looks_saved,
    /// Autopsies ended.
    autopsies,
    /// Peers declared dead that still sent: false deaths found by autopsy.
    false_deaths,
    /// Bytes that the dead still sent.
    false_death_bytes,
    /// Stalls of this process.
    stalls,
    /// Their length together, in milliseconds.
    stalled_ms,
    /// Times that mass silence was found.
    mass_silences,
    /// Turns of the loop.
    turns,
    /// The longest turn from the end of its wait, in microseconds.
    turn_max_us,
    /// Bytes of unfinished frames held now.
    partial_bytes_now,
    /// Bytes in outboxes now.
    outbox_bytes_now,
}

/// Room for Heartline's own reasons; the last place counts the application's codes.
const REASONS: usize = 32;
const _: () = assert!(Reason::ALL.len() < REASONS - 1);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ClosedByReason([u64; REASONS]);

impl Counters {
    #[inline(always)]
    pub(crate) fn count_beat(&mut self, taken_for: Beat) {
        match taken_for {
            Beat::Answer => self.answers_in += 1,
            Beat::Ask | Beat::Either => self.asks_in += 1,
        }
    }

    pub(crate) fn count_close(&mut self, reason: Reason) {
        self.closed.0[place(reason)] += 1;
    }

    /// Connections closed (or dials failed) for this reason. All codes of the application count together.
    pub fn closed(&self, reason: Reason) -> u64 {
        self.closed.0[place(reason)]
    }

    /// Connections closed and dials failed, for any reason.
    pub fn closed_in_all(&self) -> u64 {
        self.closed.0.iter().sum()
    }
}

fn place(reason: Reason) -> usize {
    usize::from(reason.code()).min(REASONS - 1)
}
