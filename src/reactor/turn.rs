//! One turn of the loop, and what polls it.

use std::io;
use std::time::Duration;

use super::connection::{ConnectionId, Flags};
use super::core::Reactor;
use super::events::Events;
use super::mailbox::Mail;
use super::net::{Net, Notice, Readiness};
use super::statistics::Step;
use crate::time::{Millis, TICK_MS};

/// Tokens below this are ids of connections. The others stay below 2^56: see [`ConnectionId::from_token`].
const CONNECTION_TOKENS: u64 = 1 << 53;
/// Tokens of listeners carry this bit and the listener's number.
pub(crate) const LISTENER_TOKEN: u64 = 1 << 53;
pub(crate) const WAKER_TOKEN: u64 = 1 << 54;
pub(crate) const ALARM_TOKEN: u64 = 1 << 55;

/// Waits with 0 that may follow one late or filled wait: a bound on how long a flood can hold a turn back.
const WAITS_MAX: usize = 64;
/// The clock is read again after this many connections (L4).
pub(crate) const CLOCK_EVERY: usize = 64;

impl<N: Net> Reactor<N> {
    /// Waits until something happened, `timeout` has passed (`None`: for as long as it takes) or the mailbox was
    /// woken, and fills `events`, which is emptied first. What the events lend stays valid until then, and the reactor
    /// can be used while they are read.
    ///
    /// What was sent since the last call leaves first. Beats are answered and asked in here, so a program that has
    /// nothing to wait for must still call it often: within the timeout of its policies at the very least.
    ///
    /// # Errors
    /// Only those of the kernel's wait itself. What concerns one connection is an event.
    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        self.obituaries.clear();
        self.woken = false;
        let until = timeout.map(|timeout| {
            let ms = timeout.as_nanos().div_ceil(1_000_000);
            Millis::floor(self.net.now_ns()) + u64::try_from(ms).unwrap_or(u64::MAX)
        });
        loop {
            self.turn(events, until)?;
            if !events.is_empty() || self.woken || until.is_some_and(|until| self.now >= until) {
                break;
            }
        }
        // Answers and asks of this turn do not wait for the application.
        self.flush();
        self.promise_next();
        if self.nested {
            self.set_alarm()?;
        }
        Ok(())
    }

    /// One turn. The order is the design's (section 3): flush, promise, wait, now, I/O, ready list, wheel, last looks,
    /// closing list, events out.
    fn turn(&mut self, events: &mut Events, until: Option<Millis>) -> io::Result<()> {
        self.counters.turns += 1;
        self.flush();
        // Before anything is read: a flood that fills every batch keeps no end and no verdict from being told.
        self.deliver_pending(events);
        if events.has_accepted() {
            // The application gives it its word before anything else of it is told, as if the last batch had had room.
            return Ok(());
        }
        self.bury(events);
        // Whom this turn's I/O puts on the list has had its share, or its application the word (R2, R13).
        let listed = self.ready.len();
        self.await_and_serve(events, until)?;
        self.serve_ready_list(listed, events);
        self.accept_all(events);
        self.read_mail();
        self.look_back();
        self.judge();
        self.proceed_with_drain();
        self.bury(events);
        self.end_autopsies();
        self.deliver_pending(events);
        self.turns_us.record(self.turn_us);
        self.counters.turn_max_us = self.counters.turn_max_us.max(u64::from(self.turn_us));
        Ok(())
    }

    /// Waits, sets `now`, and does the I/O of what was ready. Whoever comes late looks again before anybody is judged:
    /// the list says what was ready when the wait *ended*, and a full one may have left something out.
    fn await_and_serve(&mut self, events: &mut Events, until: Option<Millis>) -> io::Result<()> {
        let before = Millis::floor(self.net.now_ns()).max(self.now);
        // A turn or an application that took longer than promised is a stall too. The verdict tells of it, at once.
        self.monitor.woke(before);
        let mut judging = self.monitor.deadline();
        self.monitor.promise(judging);
        let deadline = earlier(judging, self.own_deadline());
        let busy = !events.is_empty() || self.has_work() || self.woken;
        let wake = if busy { Some(before) } else { earlier(deadline, until) };
        let mut timeout_ms = wake.map(|wake| wake.since(before));
        let (mut ready, ready_max) = match self.ready_list.take() {
            Some(list) => list,
            None => self.net.ready_list(),
        };
        let mut outcome = Ok(());
        self.serving = false;
        for _ in 0..WAITS_MAX {
            outcome = self.net.wait(&mut ready, timeout_ms);
            if outcome.is_err() {
                break;
            }
            let now = self.read_clock();
            self.serving = true;
            // A stall moves what is due; time alone does not.
            if self.monitor.woke(now).is_some() {
                judging = self.monitor.deadline();
            }
            self.monitor.promise(judging);
            let count = self.serve_readiness(&ready, events);
            let late = timeout_ms != Some(0) && deadline.is_some_and(|deadline| now > deadline + TICK_MS);
            if count < ready_max && !late {
                break;
            }
            self.look_back();
            timeout_ms = Some(0);
            judging = self.monitor.deadline();
        }
        self.ready_list = Some((ready, ready_max));
        outcome
    }

    /// Reads the clock: `now` to judge by (rounded down), `heard_at` for bytes (rounded up) (L4).
    ///
    /// What a turn has heard is stamped with the clock of its beginning, or of 64 connections ago. If it was stopped in
    /// between, that time is nobody's: else those heard after the stop would be judged from before it (L5).
    pub(crate) fn read_clock(&mut self) -> Millis {
        let nanos = self.net.now_ns();
        let now = Millis::floor(nanos).max(self.now);
        if self.serving && now.since(self.now) > u64::from(self.config.granularity_ms) {
            self.monitor.promise(Some(self.now));
            // Rounded up, as what was heard after the stop is: it shall not lie in the future and be cut down (L4).
            self.monitor.woke(Millis::ceil(nanos));
        }
        self.now = now;
        self.now_ns = nanos;
        self.step = Step::of(self.now);
        self.heard_at = Millis::ceil(nanos).max(self.heard_at);
        self.now
    }

    /// The same for a call of the application, which may be the first to show that we were away: what it begins, it begins
    /// after that (L5).
    pub(crate) fn read_clock_in_call(&mut self) -> Millis {
        let now = self.read_clock();
        if !self.serving && self.monitor.begins_at(now) {
            self.promise_next();
        }
        now
    }

    /// The turn, or the application after it, has changed what is due next. Who comes back when `wait_ms` or the
    /// descriptor says is not late, and who comes later than that is (L5).
    fn promise_next(&mut self) {
        let deadline = self.monitor.deadline();
        self.monitor.promise(deadline);
    }

    /// Attended time: the clock of the limits (L5, L10).
    pub(crate) fn attended(&self, at: Millis) -> Millis {
        at - self.monitor.stalls().ms
    }

    /// Apart from the turn, so that the compiler keeps the path of every read in registers.
    #[inline(never)]
    fn serve_readiness(&mut self, ready: &N::Ready, events: &mut Events) -> usize {
        let mut until_clock = CLOCK_EVERY;
        for notice in N::each_ready(ready) {
            until_clock -= 1;
            if until_clock == 0 {
                self.refresh_heard_at();
                until_clock = CLOCK_EVERY;
            }
            let id = ConnectionId::from_token(notice.token());
            if notice.is_news()
                && let Some(connection) = self.live(id)
                && connection.flags.is_usual()
            {
                debug_assert!(connection.agrees());
                self.receive_usual(id, events);
                continue;
            }
            self.serve_unusual(notice, events);
        }
        N::each_ready(ready).count()
    }

    #[inline(never)]
    fn serve_unusual(&mut self, notice: N::Notice<'_>, events: &mut Events) {
        let Readiness { token, readable, writable, read_closed } = notice.readiness();
        match token {
            WAKER_TOKEN => self.mail_arrived(),
            ALARM_TOKEN => self.alarm = None,
            id if id < CONNECTION_TOKENS => {
                self.connection_changed(ConnectionId::from_raw(id), readable, writable, read_closed, events);
            }
            listener => self.listener_ready((listener & !LISTENER_TOKEN) as usize),
        }
    }

    fn connection_changed(
        &mut self,
        id: ConnectionId,
        readable: bool,
        writable: bool,
        read_closed: bool,
        events: &mut Events,
    ) {
        let slot = id.slot();
        let Some(connection) = self.live_mut(id) else { return };
        if read_closed {
            connection.flags.set(Flags::READ_CLOSED);
        }
        if writable && !connection.flags.any(Flags::WRITABLE) {
            if connection.flags.any(Flags::DIALLING) {
                self.dial_ready(slot, events);
            } else {
                connection.flags.set(Flags::WRITABLE);
                self.write_outbox(slot);
            }
        }
        // Writing may have ended it.
        let Some(connection) = self.live_mut(id) else { return };
        if readable || read_closed {
            connection.flags.set(Flags::READABLE);
            if !connection.flags.any(Flags::LISTED) {
                self.receive(slot, events);
            }
        }
    }

    fn serve_ready_list(&mut self, listed: usize, events: &mut Events) {
        // What is put back during this pass waits for the next turn.
        for index in 0..listed {
            if events.is_full() {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            // At its beginning too: as many may have been served since the wait.
            if index % CLOCK_EVERY == 0 {
                self.refresh_heard_at();
            }
            if let Some(connection) = self.live_mut(id) {
                connection.flags.clear(Flags::LISTED);
                self.receive(id.slot(), events);
            }
        }
    }

    /// The end of a turn's I/O, or of a part of it: a stop in the middle of it is found here at the latest. Without one,
    /// the moment by which this turn judges stays the end of its wait.
    fn look_back(&mut self) {
        let nanos = self.net.now_ns();
        self.took_until(nanos);
        let now = Millis::floor(nanos);
        if now.since(self.now) > u64::from(self.config.granularity_ms) {
            self.read_clock();
        }
        self.serving = false;
    }

    /// The turn has lasted since the end of its wait until `nanos`: known where a clock was read anyway, at the end of its
    /// I/O and of its verdicts.
    pub(crate) fn took_until(&mut self, nanos: u64) {
        self.turn_us = u32::try_from(nanos.saturating_sub(self.now_ns) / 1000).unwrap_or(u32::MAX);
    }

    pub(crate) fn refresh_heard_at(&mut self) {
        self.heard_at = Millis::ceil(self.net.now_ns()).max(self.heard_at);
    }

    /// Puts a connection on the ready list: its edge will not come again (R2).
    pub(crate) fn list(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        if !connection.flags.any(Flags::LISTED) {
            connection.flags.set(Flags::LISTED);
            self.ready.push_back(ConnectionId::new(slot, connection.generation));
        }
    }

    /// Work that needs no readiness of the kernel.
    fn has_work(&self) -> bool {
        !self.ready.is_empty()
            || !self.ended.is_empty()
            || !self.pending.is_empty()
            || !self.sends.is_empty()
            || self.mail.as_ref().is_some_and(Mail::has_more)
            || self.accept_at.is_some_and(|at| at <= self.now)
    }

    /// When the next thing is to be done without the kernel's asking; `None` if never.
    fn deadline(&self) -> Option<Millis> {
        earlier(self.monitor.deadline(), self.own_deadline())
    }

    /// The same of what the monitor does not know of.
    fn own_deadline(&self) -> Option<Millis> {
        let mut deadline = self.accept_at;
        if let Some(drain) = self.drain.as_ref().filter(|_| !self.is_empty()) {
            deadline = earlier(deadline, Some(drain.next_at()));
        }
        if let Some(autopsy) = self.autopsies.front() {
            deadline = earlier(deadline, Some(autopsy.ends));
        }
        deadline
    }

    /// The descriptor to nest this reactor in a foreign loop: readable whenever [`poll`](Self::poll) has anything to
    /// do, deadlines included (R11). It stays the reactor's. The timer behind it exists from the first call on.
    pub fn descriptor(&mut self) -> io::Result<std::os::fd::RawFd> {
        if !self.nested {
            self.nested = true;
            self.renew_short_way();
            self.net.alarm(None, ALARM_TOKEN)?;
            self.alarm = None;
            self.set_alarm()?;
        }
        Ok(self.net.descriptor())
    }

    /// Milliseconds until [`poll`](Self::poll) has something to do without the kernel's asking; `None` if never. For
    /// loops that take a timeout; it is 0 while work waits.
    pub fn wait_ms(&mut self) -> Option<u64> {
        self.promise_next();
        if self.has_work() {
            return Some(0);
        }
        let now = Millis::floor(self.net.now_ns());
        self.deadline().map(|deadline| deadline.since(now))
    }

    fn set_alarm(&mut self) -> io::Result<()> {
        self.promise_next();
        let at = if self.has_work() { Some(self.now) } else { self.deadline() };
        if at != self.alarm {
            self.alarm = at;
            self.net.alarm(at.map(|at| at.0.saturating_mul(1_000_000)), ALARM_TOKEN)?;
        }
        Ok(())
    }

    /// After a change from outside a poll, a nested reactor must show it on its descriptor.
    #[inline]
    pub(crate) fn show_work(&mut self) {
        if self.nested {
            // The timer exists: setting it cannot fail for lack of anything.
            let _ = self.set_alarm();
        }
    }
}

/// The earlier of two moments that may be none.
pub(crate) fn earlier(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
