//! The oracle knows what arrived when at each kernel buffer, and checks what the reactors make of it: after every turn,
//! at every wait, at every event, and at the end. What it finds wrong it says by a panic, which is caught per seed.
//!
//! Here is what it sees at the kernel; `deadlines` says what must have been done by when, `told` what may be said.

use std::io;

use super::onlooker::Onlooker;
use super::process::Mode;
use super::truth::{Conn, Look, wrong};
use super::wire::MS;
use super::world::World;

impl World {
    pub fn conn_of(&mut self, process: usize, sock: usize) -> Option<&mut Conn> {
        let token = self.socks[sock].token?;
        self.oracle.hosts[process].conns.get_mut(&token).filter(|conn| conn.sock == sock)
    }

    pub fn registered(&mut self, process: usize, token: u64, sock: usize) {
        let clock_ns = self.clock_ns(process);
        let lag_ns = self.lag_ns(process, clock_ns);
        let (line, side) = (self.socks[sock].line, self.socks[sock].side);
        let truth = &mut self.oracle.hosts[process];
        if truth.ended.contains(&token) || truth.conns.contains_key(&token) {
            wrong("ids", format_args!("id {token} is given out twice"));
        }
        truth.conns.insert(token, Conn::new((sock, line, side), clock_ns, lag_ns, &self.framing));
        self.trace.mark(self.now_ns, 5, token, sock as u64);
    }

    /// L4: `heard` comes from a clock read at most 64 connections ago, each of which costs a few calls. A clock that leaps
    /// may have done so in between.
    fn lag_ns(&self, process: usize, clock_ns: u64) -> u64 {
        let turn_ns = clock_ns.saturating_sub(self.oracle.hosts[process].now_ns);
        let known = &self.processes[process];
        turn_ns.min(64 * 8 * known.cost_ns + known.clock_step_ns())
    }

    /// A dial was established: its silence begins.
    pub fn was_connected(&mut self, process: usize, sock: usize) {
        let heard_ns = self.clock_ns(process);
        let lag_ns = self.lag_ns(process, heard_ns);
        if let Some(conn) = self.conn_of(process, sock) {
            (conn.heard_ns, conn.began_ns, conn.taken_ns, conn.lag_ns) = (heard_ns, heard_ns, heard_ns, lag_ns);
        }
    }

    /// L9: where a policy judges, the kernel's own timeout is off; elsewhere it leaves output its time to progress.
    pub fn was_configured(&mut self, process: usize, user_timeout_ms: u32) {
        let truth = &self.oracle.hosts[process];
        let output_ms = truth.limits.output_ms;
        if user_timeout_ms > 0 && (truth.judged.is_some() || user_timeout_ms < output_ms) {
            wrong(
                "user timeout",
                format_args!("process {process} sets {user_timeout_ms} ms; its output may take {output_ms} ms"),
            );
        }
    }

    pub fn was_read(&mut self, process: usize, sock: usize, buffer: &[u8], read: &io::Result<usize>) {
        let heard_ns = self.clock_ns(process);
        let lag_ns = self.lag_ns(process, heard_ns);
        let count = *read.as_ref().unwrap_or(&0);
        self.trace.mark(self.now_ns, 6, sock as u64, count as u64);
        self.trace.whisper(self.now_ns, format_args!("process {process} reads {read:?} from socket {sock}"));
        let truth = &self.oracle.hosts[process];
        let turn = truth.turns;
        let since_ns = self.socks[sock].token.map_or(heard_ns, |token| truth.heard_ns(token, heard_ns));
        if let Some(conn) = self.conn_of(process, sock).filter(|_| count > 0) {
            (conn.heard_ns, conn.lag_ns) = (since_ns, lag_ns);
            (conn.overdue.death, conn.overdue.ask) = (0, 0);
            conn.onlooker.reads(&buffer[..count], heard_ns, turn);
            self.oracle.hosts[process].bytes_in += count as u64;
        }
    }

    pub fn was_written(&mut self, process: usize, sock: usize, slices: &[&[u8]], written: &io::Result<usize>) {
        let count = *written.as_ref().unwrap_or(&0);
        self.trace.mark(self.now_ns, 7, sock as u64, count as u64);
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        self.trace
            .whisper(self.now_ns, format_args!("process {process} writes {written:?} of {offered} to socket {sock}"));
        let clock_ns = self.clock_ns(process);
        // A batch that was full has left asks unseen; so does a pause.
        let sees_all = self.oracle.hosts[process].capacity >= 1024 && !self.scenario.hosts[process].pauses;
        let now_ns = self.oracle.hosts[process].now_ns;
        let answers = self.oracle.hosts[process].judged.is_some_and(|judged| judged.answers);
        if let Some(conn) = self.conn_of(process, sock) {
            (conn.wrote_ns, conn.refused) = (clock_ns, count < offered);
            if count > 0 {
                // By the clock of the turn.
                conn.taken_ns = now_ns;
            }
            let mut left = count;
            let mut fair = true;
            for slice in slices {
                let part = left.min(slice.len());
                fair &= conn.onlooker.writes(&slice[..part]);
                left -= part;
            }
            // What came with an adoption unsent goes first, whatever it is.
            if !fair && sees_all && answers && !conn.adopted && !conn.closing {
                let line = conn.line;
                wrong("starved", format_args!("process {process}: a message goes before an answer on line {line}"));
            }
        }
        self.oracle.hosts[process].bytes_out += count as u64;
    }

    pub fn was_looked_at(&mut self, process: usize, sock: usize, found: bool) {
        let clock_ns = self.clock_ns(process);
        let arrived_ns = self.processes[process].clock_ns(self.socks[sock].arrived_ns);
        let truth = &self.oracle.hosts[process];
        let now_ns = truth.now_ns;
        let since_ns = self.socks[sock].token.map_or(clock_ns, |token| truth.heard_ns(token, clock_ns));
        self.trace.mark(self.now_ns, 8, sock as u64, found.into());
        if let Some(conn) = self.conn_of(process, sock) {
            conn.look = Some(Look { now_ns, arrived_ns, found });
            if found {
                (conn.heard_ns, conn.overdue.death) = (since_ns, 0);
            }
        }
    }

    /// The application takes a connection back; no Closed is told of it.
    pub fn was_released(&mut self, process: usize, token: u64) -> Option<Onlooker> {
        let clock_ns = self.clock_ns(process);
        let timeout_ms = self.scenario.timeout_ms;
        let truth = &mut self.oracle.hosts[process];
        let conn = truth.conns.remove(&token)?;
        truth.reckon(&conn, clock_ns, timeout_ms);
        truth.ended.insert(token);
        truth.told.released += 1;
        self.trace.say(self.now_ns, format_args!("process {process} releases line {}", conn.line));
        Some(conn.onlooker.moved())
    }

    /// A process is about to wait.
    pub fn wait_begins(&mut self, process: usize, timeout_ms: Option<u64>) {
        self.moves(None);
        let clock_ns = self.clock_ns(process);
        self.trace.mark(self.now_ns, 9, process as u64, timeout_ms.unwrap_or(u64::MAX));
        self.trace.whisper(self.now_ns, format_args!("process {process} waits for {timeout_ms:?} ms"));
        let truth = &mut self.oracle.hosts[process];
        truth.attended.runs(clock_ns);
        let exact = truth.is_exact && timeout_ms != Some(0) && !truth.told.paused;
        // Rounded down, as the reactor reads its clock.
        let wake_ns = timeout_ms.map(|ms| (clock_ns / MS).saturating_add(ms).saturating_mul(MS));
        truth.attended.promise(wake_ns, wake_ns.filter(|_| exact));
        if timeout_ms != Some(0) {
            self.check_plan(process, wake_ns);
            self.check_idle(process);
        }
    }

    pub fn wait_ended(&mut self, process: usize, count: usize) {
        let clock_ns = self.clock_ns(process);
        self.trace.mark(self.now_ns, 10, process as u64, count as u64);
        self.trace.whisper(self.now_ns, format_args!("process {process} wakes with {count} events"));
        let truth = &mut self.oracle.hosts[process];
        truth.attended.runs(clock_ns);
        truth.now_ns = clock_ns;
        truth.turns += 1;
        // What it promises from here on is not seen: no more than that it may be judged from now.
        truth.attended.promise(Some(clock_ns), None);
    }

    /// After a poll: whoever is overdue must have been found, in this poll or, where one batch has not room for all, in
    /// one of the next.
    ///
    /// `promised_ms` is what the reactor says of its next deadline as the poll returns, `wait_ms` after what the
    /// application did then, which may have brought it nearer.
    pub fn after_poll(&mut self, process: usize, promised_ns: Option<u64>, wait_ms: Option<u64>, events: usize) {
        let clock_ns = self.clock_ns(process);
        let truth = &mut self.oracle.hosts[process];
        if events > truth.capacity {
            wrong("arena", format_args!("{events} events in a batch for {}", truth.capacity));
        }
        let wake_ns = wait_ms.map(|ms| (clock_ns / MS).saturating_add(ms).saturating_mul(MS));
        // What the application gave away it need not come back for.
        let surely_ns = promised_ns.zip(wake_ns).map(|(promised_ns, wake_ns)| promised_ns.max(wake_ns));
        if wait_ms == Some(0) {
            // A turn does not end with a look at the clock: what it and the way back took is one lateness, from its beginning.
            truth.attended.promise(Some(truth.now_ns), surely_ns);
        } else {
            truth.attended.runs(clock_ns);
            truth.attended.promise(wake_ns, surely_ns);
        }
        if self.processes[process].mode != Mode::Blocking && wait_ms != Some(0) {
            self.check_plan(process, wake_ns);
            self.check_idle(process);
        }
        self.check_overdue(process);
    }
}
