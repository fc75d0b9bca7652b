//! One reactor on one thread.

use std::io;
use std::sync::Arc;

use heartline::reactor::{Event, EventKind, Events, ListenerId, Metrics, Reactor, Reason};

use super::app::Application;
use super::args::Level;
use super::lines;
use super::log::Log;
use super::metrics::{Board, Door};
use super::orders::{Current, Orders};
use super::settings::{Policies, Settings};

/// A reactor and what goes with it; moved to its thread when all listeners are ready.
pub(crate) struct Worker {
    pub(crate) index: u32,
    pub(crate) reactor: Reactor,
    pub(crate) listeners: Vec<ListenerId>,
    pub(crate) policies: Policies,
    pub(crate) settings: Arc<Settings>,
    pub(crate) log: Log,
    /// With `--metrics`: where the first thread asks, and what it answers.
    pub(crate) board: Option<Arc<Board>>,
    pub(crate) door: Option<Door>,
}

impl Worker {
    /// Holds connections until they are drained.
    pub(crate) fn run(mut self, mut app: Application, orders: &Orders) -> io::Result<Metrics> {
        let mut events = Events::new();
        let (mut seen, mut asked) = (0, 0);
        while !self.is_over() {
            // A door is moved only where there is one.
            if self.door.is_none() {
                self.reactor.poll(&mut events, app.patience())?;
                self.serve(&events, &mut app);
            } else if let Some(mut door) = self.door.take() {
                let patience = app.patience().into_iter().chain(door.patience()).min();
                self.reactor.poll(&mut events, patience)?;
                self.serve_beside(&mut door, &events, &mut app);
                door.proceed(&mut self.reactor);
                self.door = Some(door);
            }
            app.retry(&mut self.reactor);
            self.leave_word(&mut asked);
            if let Some(news) = orders.news(&mut seen) {
                self.follow(news);
            }
            if app.lost > 0 {
                let lost = std::mem::take(&mut app.lost);
                self.log.line(Level::Warn, |out, format| {
                    let text = format_args!("{lost} broadcasts not passed on: another thread's mailbox is full");
                    lines::plain(out, format, "broadcasts_lost", &[("messages", &lost)], &text);
                });
            }
            self.log.flush();
        }
        if let Some(board) = self.board.filter(|_| self.index > 0) {
            board.leave_for_good(self.index, self.reactor.metrics());
        }
        Ok(self.reactor.metrics())
    }

    /// It is drained; where it answers for all, so are the others.
    fn is_over(&self) -> bool {
        self.reactor.is_drained() && self.door.as_ref().is_none_or(|door| door.board.is_alone())
    }

    /// Says what it has counted, if the first thread asks.
    #[inline]
    fn leave_word(&mut self, asked: &mut u64) {
        if let Some(board) = &self.board
            && self.index > 0
            && board.asks(asked)
        {
            board.leave(self.index, *asked, self.reactor.metrics());
        }
    }

    /// A batch of events, some of which concern those who fetch metrics.
    #[inline(never)]
    fn serve_beside(&mut self, door: &mut Door, events: &Events, app: &mut Application) {
        for event in events {
            if door.takes(&mut self.reactor, &event) {
                continue;
            }
            match event.kind {
                EventKind::Message { head, message } => app.message(&mut self.reactor, event.id, head, message),
                _ => self.tell(event, app),
            }
        }
    }

    /// A batch of events. Apart from the loop above, so that the compiler keeps this one in registers.
    #[inline(never)]
    fn serve(&mut self, events: &Events, app: &mut Application) {
        for event in events {
            match event.kind {
                EventKind::Message { head, message } => app.message(&mut self.reactor, event.id, head, message),
                _ => self.tell(event, app),
            }
        }
    }

    /// All events but messages: the application's part, and a line where one is due.
    // Inlined, since an event that is handed on must lie in memory, a message's too.
    #[inline(always)]
    fn tell(&mut self, event: Event<'_>, app: &mut Application) {
        let (id, log) = (event.id, &mut self.log);
        match event.kind {
            EventKind::Opened { .. } => {
                log.line(Level::Debug, |out, format| lines::of_connection(out, format, "opened", id, None));
            }
            EventKind::Suspect { silence_ms } => {
                log.line(Level::Debug, |out, format| {
                    lines::of_connection(out, format, "suspect", id, Some(silence_ms))
                });
            }
            EventKind::Revived { silence_ms } => {
                log.line(Level::Debug, |out, format| {
                    lines::of_connection(out, format, "revived", id, Some(silence_ms))
                });
            }
            EventKind::Full { queued_bytes } => log.line(Level::Debug, |out, format| {
                let fields: [(&str, &dyn std::fmt::Display); 2] = [("id", &id.get()), ("queued_bytes", &queued_bytes)];
                let text = format_args!("full {}: {queued_bytes} bytes wait", id.get());
                lines::plain(out, format, "full", &fields, &text);
            }),
            EventKind::Drained => app.drained(&mut self.reactor, id),
            EventKind::ReadClosed => app.read_closed(&mut self.reactor, id),
            // Balancers look in every second: that is no news.
            EventKind::Closed { reason: Reason::HealthCheck, .. } => app.closed(id),
            EventKind::Closed { .. } => {
                app.closed(id);
                if log.takes(Level::Info)
                    && let Some(obituary) = self.reactor.obituary(id)
                {
                    log.line(Level::Info, |out, format| lines::closed(out, format, obituary));
                }
            }
            EventKind::Stalled { ms } => log.line(Level::Warn, |out, format| {
                let text = format_args!("stalled for {}: it counts for nobody", lines::Span(u64::from(ms)));
                lines::plain(out, format, "stalled", &[("ms", &ms)], &text);
            }),
            EventKind::AcceptPaused { listener, cause } => log.line(Level::Warn, |out, format| {
                let (listener, cause) = (listener.index(), cause.name());
                let fields: [(&str, &dyn std::fmt::Display); 2] =
                    [("listener", &listener), ("cause", &lines::Quoted(Some(cause)))];
                let text = format_args!("accepting on listener {listener} paused: {cause}");
                lines::plain(out, format, "accept_paused", &fields, &text);
            }),
            EventKind::AcceptResumed { listener } => log.line(Level::Warn, |out, format| {
                let listener = listener.index();
                let text = format_args!("accepting on listener {listener} resumed");
                lines::plain(out, format, "accept_resumed", &[("listener", &listener)], &text);
            }),
            EventKind::MassSilence { silent, of } => log.line(Level::Warn, |out, format| {
                let text = format_args!("{silent} of {of} silent together: our own uplink? verdicts are held");
                lines::plain(out, format, "mass_silence", &[("silent", &silent), ("of", &of)], &text);
            }),
            _ => {}
        }
    }

    /// Does what the signals say.
    fn follow(&mut self, news: Current) {
        if !Arc::ptr_eq(&news.settings, &self.settings) {
            self.renew(news.settings);
        }
        if news.draining && !self.reactor.is_draining() {
            let count = self.reactor.len();
            self.log.line(Level::Info, |out, format| {
                let text = format_args!("draining {count} connections");
                lines::plain(out, format, "draining", &[("connections", &count)], &text);
            });
            // It refuses only codes of the application's below 256, and there is none.
            let _ = self.reactor.drain(self.settings.drain_options());
        }
    }

    /// Live connections and listeners take the new settings.
    fn renew(&mut self, settings: Arc<Settings>) {
        let old = std::mem::replace(&mut self.settings, settings);
        let (new, index) = (&self.settings, self.index);
        self.log.level = new.live.level;
        let mut failed = 0;
        for (id, old, new) in [
            (self.policies.usual, old.live.policy, new.live.policy),
            (self.policies.otherwise, old.live.policy_otherwise, new.live.policy_otherwise),
        ] {
            failed += usize::from(old != new && self.reactor.redefine_policy(id, new).is_err());
        }
        let options = new.listen_options(index, self.policies);
        for listener in &self.listeners {
            failed += usize::from(self.reactor.set_listener_options(*listener, &options).is_err());
        }
        let same_options = old.live.socket == new.live.socket
            && old.live.marks == new.live.marks
            && old.live.limits == new.live.limits
            && old.live.policy.judges() == new.live.policy.judges();
        if !same_options {
            let ids: Vec<_> = self.reactor.ids().collect();
            for id in ids {
                let is_other = self.reactor.framing(id).is_some_and(|framing| !framing.is_websocket());
                let otherwise = options.connection.websocket.otherwise.as_deref().filter(|_| is_other);
                failed += usize::from(self.reactor.set_options(id, otherwise.unwrap_or(&options.connection)).is_err());
            }
        }
        let count = self.reactor.len();
        self.log.line(Level::Info, |out, format| {
            let policy = self.settings.live.policy;
            let fields: [(&str, &dyn std::fmt::Display); 3] =
                [("connections", &count), ("failed", &failed), ("policy", &lines::Quoted(Some(policy)))];
            let text = format_args!("reloaded for {count} live connections ({failed} failed): {policy}");
            lines::plain(out, format, "reloaded", &fields, &text);
        });
    }
}
