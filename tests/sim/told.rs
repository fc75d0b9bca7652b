//! What a host may be told, and in which order: one beginning, one end, nothing after it, each message once.

use heartline::reactor::{Event, EventKind, Reason};

use super::truth::{Conn, wrong};
use super::wire::MS;
use super::world::World;

impl World {
    /// An event of a host.
    pub fn told(&mut self, process: usize, event: &Event<'_>) {
        let token = event.id.get();
        let code = match event.kind {
            EventKind::Closed { reason, .. } => u64::from(reason.code()),
            EventKind::Message { message, .. } => message.len() as u64,
            _ => 0,
        };
        self.trace.mark(self.now_ns, 11, token, code);
        self.say_event(process, event);
        if token == 0 {
            return self.told_of_reactor(process, event);
        }
        let told = &mut self.oracle.hosts[process].told;
        if let EventKind::Unsent { .. } = event.kind {
            // The mailbox's may be of an id that is gone.
            told.unsent += 1;
            return;
        }
        let truth = &mut self.oracle.hosts[process];
        let Some(conn) = truth.conns.get_mut(&token) else {
            wrong("order", format_args!("process {process}: {:?} of id {token}, which is not there", event.kind));
        };
        let is_beginning = matches!(event.kind, EventKind::Opened { .. } | EventKind::ConnectFailed { .. });
        if conn.opened == is_beginning {
            wrong("order", format_args!("process {process}: {:?} of id {token}, opened: {}", event.kind, conn.opened));
        }
        let is_out_of_order = match event.kind {
            EventKind::Suspect { .. } => std::mem::replace(&mut conn.suspect, true),
            EventKind::Revived { .. } => !std::mem::replace(&mut conn.suspect, false),
            EventKind::Full { .. } => std::mem::replace(&mut conn.full, true),
            EventKind::Drained => !std::mem::replace(&mut conn.full, false),
            EventKind::ReadClosed => std::mem::replace(&mut conn.half_closed, true),
            _ => false,
        };
        if is_out_of_order {
            wrong("order", format_args!("process {process}: {:?} of id {token} is no news", event.kind));
        }
        let told = &mut truth.told;
        match event.kind {
            EventKind::Opened { listener } => {
                conn.opened = true;
                told.accepted += u64::from(listener.is_some());
                told.adopted += u64::from(conn.adopted);
                told.connected += u64::from(listener.is_none() && !conn.adopted);
                self.oracle.opened += 1;
            }
            EventKind::Message { message, .. } => {
                let (line, side) = (conn.line, 1 - conn.side);
                told.messages += 1;
                conn.onlooker.told += 1;
                if let Err(text) = self.oracle.ledger.delivered(line, side, message) {
                    wrong("delivery", format_args!("process {process}: {text}"));
                }
            }
            EventKind::Suspect { .. } => {
                told.suspects += 1;
                self.check_suspect(process, token);
            }
            EventKind::Revived { .. } => told.revived += 1,
            EventKind::ConnectFailed { reason, .. } => {
                told.connect_failed += 1;
                self.ended(process, token, reason);
            }
            EventKind::Closed { reason, .. } => self.ended(process, token, reason),
            _ => {}
        }
    }

    fn told_of_reactor(&mut self, process: usize, event: &Event<'_>) {
        let clock_ns = self.clock_ns(process);
        let truth = &mut self.oracle.hosts[process];
        if let Err(text) = truth.told.of_reactor(event) {
            wrong("order", format_args!("process {process}: {text}"));
        }
        match event.kind {
            EventKind::Stalled { .. } => self.oracle.stalls += 1,
            EventKind::MassSilence { .. } => truth.held_until_ns = clock_ns + u64::from(truth.hold_ms) * MS,
            _ => {}
        }
    }

    /// The wheel is asked last: of whom bytes were there when the wait ended has been heard. In a small batch the verdict
    /// may be told a poll later.
    fn check_suspect(&self, process: usize, token: u64) {
        let truth = &self.oracle.hosts[process];
        let Some(conn) = truth.conns.get(&token) else { return };
        let sock = &self.socks[conn.sock];
        let arrived_ns = self.processes[process].clock_ns(sock.arrived_ns);
        let rests = conn.paused || sock.is_stuck() || sock.arrived_bytes == 0 || truth.capacity < 1024;
        let suspect_ns = u64::from(self.scenario.suspect_ms) * MS;
        if !rests && arrived_ns < truth.now_ns && truth.now_ns - arrived_ns + conn.lag_ns < suspect_ns {
            let ms = (truth.now_ns - arrived_ns) / MS;
            wrong("false suspect", format_args!("process {process}: id {token}, bytes came {ms} ms ago"));
        }
    }

    fn ended(&mut self, process: usize, token: u64, reason: Reason) {
        if reason == Reason::Silent {
            self.check_death(process, token);
        }
        let clock_ns = self.clock_ns(process);
        let timeout_ms = self.scenario.timeout_ms;
        let truth = &mut self.oracle.hosts[process];
        truth.told.ended(reason);
        truth.ended.insert(token);
        let Some(conn) = truth.conns.remove(&token) else { return };
        truth.reckon(&conn, clock_ns, timeout_ms);
        self.check_limit_end(process, &conn, reason);
        self.check_whole(process, &conn, reason);
    }

    /// Whoever goes has been heard out: each message that was read was told, and before a goodbye everything was read.
    fn check_whole(&self, process: usize, conn: &Conn, reason: Reason) {
        let is_theirs = matches!(
            reason,
            Reason::PeerClosed | Reason::PeerReset | Reason::Silent | Reason::OsError | Reason::FrameBad
        );
        let Conn { line, onlooker, .. } = conn;
        if !is_theirs || conn.closing {
            return;
        }
        if onlooker.messages != onlooker.told {
            let (messages, told) = (onlooker.messages, onlooker.told);
            wrong("unheard", format_args!("process {process}: {told} of {messages} messages of line {line}; {reason}"));
        }
        let arrived = self.socks[conn.sock].arrived_bytes;
        if reason == Reason::PeerClosed && onlooker.bytes_read != arrived {
            let read = onlooker.bytes_read;
            wrong("unread", format_args!("process {process}: {read} of {arrived} bytes of line {line}"));
        }
    }

    fn say_event(&mut self, process: usize, event: &Event<'_>) {
        let line = self.oracle.hosts[process].conns.get(&event.id.get()).map(|conn| conn.line);
        let of = line.map_or(String::new(), |line| format!(" of line {line}"));
        match event.kind {
            EventKind::Message { message, .. } => self
                .trace
                .whisper(self.now_ns, format_args!("process {process} is told a message{of}: {} bytes", message.len())),
            EventKind::Unsent { .. } => self.trace.whisper(self.now_ns, format_args!("process {process}: Unsent{of}")),
            kind => self.trace.say(self.now_ns, format_args!("process {process} is told {kind:?}{of}")),
        }
    }
}
