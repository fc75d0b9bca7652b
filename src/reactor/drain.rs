//! The end of all: a drain closes everybody, evenly over its spread and in bounded steps, and whoever is left at its limit
//! is cut off.

use super::close::{BURIALS_PER_TURN, CloseError};
use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::net::{Net, Parting};
use super::obituary::ClosedBy;
use super::reason::Reason;
use crate::time::Millis;

/// How all connections are brought to an end.
#[derive(Clone, Debug)]
pub struct DrainOptions {
    /// The closes are spread evenly over this. Default 0: all at once.
    pub spread_ms: u64,
    /// Whoever is left after this is cut off. Default 10,000; not below the spread.
    pub limit_ms: u64,
    /// A message for each connection, sent just before its close begins.
    pub farewell: Option<Vec<u8>>,
    /// Told instead of `drained`; from 256 up.
    pub code: Option<u16>,
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self { spread_ms: 0, limit_ms: 10_000, farewell: None, code: None }
    }
}

pub(crate) struct Drain {
    options: DrainOptions,
    reason: Reason,
    began: Millis,
    ids: Vec<ConnectionId>,
    /// How many of `ids` were asked to close.
    done: usize,
}

impl Drain {
    /// When the next close is due, or the end.
    pub(crate) fn next_at(&self) -> Millis {
        let limit = self.began + self.options.limit_ms;
        if self.done >= self.ids.len() {
            return limit;
        }
        let at = (u128::from(self.options.spread_ms) * self.done as u128).div_ceil(self.ids.len() as u128);
        (self.began + at as u64).min(limit)
    }
}

impl<N: Net> Reactor<N> {
    /// Brings all but those [`aside`](super::Options::aside) to an end: stops listening at once, then closes evenly over
    /// the spread, all by the limit. Polls go on as before; it is over when [`is_drained`](Self::is_drained).
    pub fn drain(&mut self, options: DrainOptions) -> Result<(), CloseError> {
        let reason = match options.code {
            None => Reason::Drained,
            Some(code) if code >= 256 => Reason::Application(code),
            Some(code) => return Err(CloseError::CodeReserved(code)),
        };
        self.stop_serving();
        let began = self.read_clock_in_call();
        let ids = self.ids().collect();
        let limit_ms = options.limit_ms.max(options.spread_ms);
        self.drain = Some(Drain { options: DrainOptions { limit_ms, ..options }, reason, began, ids, done: 0 });
        self.show_work();
        Ok(())
    }

    /// Whether a drain was begun and no connection is left, but those aside, whose end is not told.
    pub fn is_drained(&self) -> bool {
        let told = self.ended.is_empty() && self.pending.is_empty() && self.autopsies.is_empty();
        self.drain.is_some() && self.is_empty() && told
    }

    /// Whether a drain was begun.
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    #[inline]
    pub(crate) fn proceed_with_drain(&mut self) {
        if self.drain.is_some() {
            self.close_some();
        }
    }

    #[inline(never)]
    fn close_some(&mut self) {
        let Some(drain) = &mut self.drain else { return };
        let (elapsed, reason) = (self.now.since(drain.began), drain.reason);
        let total = drain.ids.len();
        let due = match drain.options.spread_ms {
            0 => total,
            spread => (total as u128 * u128::from(elapsed) / u128::from(spread) + 1).min(total as u128) as usize,
        };
        let from = drain.done;
        // A large drain without a spread is carried out in bounded steps too.
        let due = due.min(from + BURIALS_PER_TURN);
        drain.done = due.max(from);
        let ids: Vec<_> = drain.ids[from..drain.done].to_vec();
        let farewell = drain.options.farewell.clone();
        let over = elapsed >= drain.options.limit_ms;
        for id in ids {
            let Some(connection) = self.live(id) else { continue };
            if connection.flags.any(Flags::DIALLING) {
                self.end(id.slot(), reason, 0, ClosedBy::Heartline);
                continue;
            }
            if let Some(farewell) = &farewell {
                // Who cannot take it is closed all the same.
                let _ = self.send(id, farewell);
                // Where the options say close when full, that was its end.
                if self.live(id).is_none() {
                    continue;
                }
                self.write_bundle_of(id.slot());
            }
            self.say_goodbye(id.slot(), reason);
            self.begin_closing(id.slot(), reason, ClosedBy::Heartline);
        }
        if over {
            let ids: Vec<_> = self.ids().take(BURIALS_PER_TURN).collect();
            for id in ids {
                self.end_by(id.slot(), reason, 0, ClosedBy::Heartline, Parting::Abort);
            }
        }
    }
}
