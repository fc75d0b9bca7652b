//! What must have been done by when: the silent found dead, the silent asked, asks answered, limits kept; none of it
//! early, and no sleep beyond it.

use heartline::reactor::Reason;
use heartline::time::TICK_MS;

use super::attended::GRANULARITY_MS;
use super::truth::{Conn, Judged, Overdue, Truth, wrong};
use super::wire::{MS, State};
use super::world::World;

/// Rounding: `heard` up to a millisecond, the deadline up to a tick, the clock down to a millisecond (L4).
const ROUNDING_NS: u64 = (TICK_MS + 2) * MS;

impl Truth {
    /// The latest attended moment by which a silent peer must have been found, as a clock: L4's rounding, what may have
    /// been stalls, and after a stall what it may have granted, timeout − interval in all (L5). Whom a stall found overdue,
    /// since the turn before it was late by no more than jitter, had nothing left, not less: that much is granted besides.
    fn due_ns(&self, conn: &Conn, judged: Judged, clock_step_ns: u64) -> u64 {
        let (timeout_ns, interval_ns) = (u64::from(judged.timeout_ms) * MS, u64::from(judged.interval_ms) * MS);
        let away_ns = self.attended.most_away_ns(conn.counts_from_ns(), u64::MAX);
        let granted_ns = if away_ns > 0 { timeout_ns - interval_ns + GRANULARITY_MS * MS } else { 0 };
        let due_ns = conn.heard_ns + timeout_ns + away_ns + granted_ns + ROUNDING_NS + clock_step_ns;
        if self.held_until_ns <= conn.heard_ns {
            return due_ns;
        }
        // A hold grants like a stall.
        due_ns.max(self.held_until_ns + 2 * (timeout_ns - interval_ns) + away_ns + ROUNDING_NS + clock_step_ns)
    }

    /// The same of a limit that began then: stalls do not count, and grant nothing.
    fn limit_due_ns(&self, began_ns: u64, limit_ms: u32, clock_step_ns: u64) -> u64 {
        let away_ns = self.attended.most_away_ns(began_ns, u64::MAX);
        began_ns + u64::from(limit_ms) * MS + away_ns + ROUNDING_NS + clock_step_ns
    }
}

impl World {
    /// With many connections it costs too much to look at each in each turn: then some turns are looked at.
    fn spares(&self, process: usize) -> bool {
        let conns = self.oracle.hosts[process].conns.len() as u64;
        conns > 200 && !(self.now_ns / 7).is_multiple_of(conns / 20)
    }

    /// No process plans to sleep beyond the moment at which it must find a silent peer dead (L4).
    pub fn check_plan(&self, process: usize, wake_ns: Option<u64>) {
        if self.spares(process) {
            return;
        }
        let truth = &self.oracle.hosts[process];
        let Some(judged) = truth.judged.filter(|_| !self.over) else { return };
        let step_ns = self.processes[process].clock_step_ms() * MS;
        for (token, conn) in &truth.conns {
            let due_ns = truth.due_ns(conn, judged, step_ns);
            if wake_ns.is_none_or(|wake_ns| wake_ns > due_ns) && self.must_die_silent(conn) {
                let late_ms = wake_ns.map(|wake_ns| (wake_ns - due_ns) / MS);
                wrong(
                    "sleeps too long",
                    format_args!(
                        "process {process} wants to sleep {late_ms:?} ms beyond {due_ns} ns, the deadline of id {token}, \
                         {conn:?}"
                    ),
                );
            }
        }
    }

    /// A reactor that says it has nothing to do has taken all that it was told of: no edge comes for it again (R1, R2).
    pub fn check_idle(&self, process: usize) {
        if self.spares(process) {
            return;
        }
        for (token, conn) in &self.oracle.hosts[process].conns {
            let sock = &self.socks[conn.sock];
            let unread = !sock.rx.is_empty() || (sock.fin_in && !conn.half_closed) || sock.broken;
            // Where the output is stuck, reading may rest (R4).
            let rests = conn.paused || conn.closing || conn.half_closed || sock.is_stuck() || conn.refused;
            if conn.opened && unread && !rests && !sock.listed {
                wrong(
                    "forgotten",
                    format_args!(
                        "process {process} sleeps, and line {} (id {token}) has {} bytes, FIN: {}, error: {}",
                        conn.line,
                        sock.rx.len(),
                        sock.fin_in,
                        sock.broken
                    ),
                );
            }
        }
    }

    /// Whether silence is all that is the matter with a connection.
    fn must_die_silent(&self, conn: &Conn) -> bool {
        let sock = &self.socks[conn.sock];
        let quiet = sock.rx.is_empty() && !sock.fin_in && !sock.broken && sock.error.is_none();
        conn.opened && quiet && !conn.closing && !conn.half_closed
    }

    /// What one turn may tell, bury and judge is bounded: the rest is for the next.
    fn polls_to_tell(&self, process: usize) -> u32 {
        let (truth, plan) = (&self.oracle.hosts[process], &self.scenario.hosts[process]);
        let conns = truth.conns.len();
        (3 + conns / 256 + 4 * conns / truth.capacity + 8 * conns / plan.verdicts_per_turn) as u32
    }

    pub fn check_overdue(&mut self, process: usize) {
        if self.spares(process) {
            return;
        }
        let polls = self.polls_to_tell(process);
        let conns = &self.oracle.hosts[process].conns;
        let due = conns.iter().map(|(token, conn)| (*token, conn.overdue, self.overdue(process, conn)));
        let due: Vec<_> = due.filter(|(_, before, now)| (*before, *now) != Default::default()).collect();
        for (token, _, now) in due {
            let truth = &mut self.oracle.hosts[process];
            let Some(conn) = truth.conns.get_mut(&token) else { continue };
            if let Some(check) = conn.overdue.count(now, polls) {
                wrong(check, format_args!("process {process} at {} ns: id {token}, {conn:?}", truth.now_ns));
            }
        }
    }

    /// What is due of a connection and not done: 1 each.
    fn overdue(&self, process: usize, conn: &Conn) -> Overdue {
        let truth = &self.oracle.hosts[process];
        let step_ns = self.processes[process].clock_step_ns();
        let now_ns = truth.now_ns;
        let silent = self.must_die_silent(conn);
        let mut overdue = Overdue { limit: self.is_beyond_limit(process, conn).into(), ..Overdue::default() };
        let Some(judged) = truth.judged else { return overdue };
        let is_over = conn.heard_ns + u64::from(judged.timeout_ms) * MS < now_ns;
        overdue.death = u32::from(silent && is_over && truth.due_ns(conn, judged, step_ns) < now_ns);
        // L2: whoever has been silent for an interval has been asked, or the kernel has refused the ask.
        let interval_ns = u64::from(judged.interval_ms) * MS + ROUNDING_NS + step_ns;
        let silent_ns = now_ns.saturating_sub(conn.heard_ns);
        let is_unasked = judged.asks
            && silent_ns > interval_ns
            && conn.wrote_ns < conn.heard_ns
            && !self.socks[conn.sock].is_stuck()
            && !conn.paused
            && silent
            && (!judged.after_first_frame || conn.onlooker.has_spoken)
            && silent_ns.saturating_sub(truth.attended.most_away_ns(conn.counts_from_ns(), now_ns)) > interval_ns;
        overdue.ask = is_unasked.into();
        // Who is over his share of a turn, or read by a batch that is full, is answered in the next.
        let sees_all = !conn.onlooker.is_behind && truth.capacity >= 1024 && !conn.paused && !conn.adopted;
        // A frame that has begun goes before, and what the kernel refused waits.
        let waits = conn.onlooker.is_writing() || conn.refused || self.socks[conn.sock].is_stuck();
        let is_unanswered = judged.answers && conn.onlooker.owed > 0 && silent && sees_all && !waits;
        overdue.answer = is_unanswered.into();
        overdue
    }

    /// L10: a limit of this connection is over, and nothing excuses it.
    fn is_beyond_limit(&self, process: usize, conn: &Conn) -> bool {
        let truth = &self.oracle.hosts[process];
        let (limits, sock) = (truth.limits, &self.socks[conn.sock]);
        let step_ns = self.processes[process].clock_step_ns();
        let is_over = |began_ns: u64, limit_ms: u32| {
            limit_ms > 0 && truth.limit_due_ns(began_ns, limit_ms, step_ns) < truth.now_ns
        };
        if conn.closing {
            return conn.closing_ns.is_some_and(|since_ns| is_over(since_ns, limits.close_ms));
        }
        if !conn.opened {
            return sock.state == State::Connecting && is_over(conn.began_ns, limits.connect_ms);
        }
        // Where reading rests, a frame may wait for it.
        let reads =
            !conn.paused && !conn.half_closed && !sock.is_stuck() && !conn.adopted && self.must_die_silent(conn);
        let begun_ns = conn.onlooker.begun_ns.map(|begun_ns| begun_ns.max(conn.resumed_ns));
        begun_ns.is_some_and(|begun_ns| reads && is_over(begun_ns, limits.frame_ms))
    }

    /// An end that a limit made: it was not early (L4, L10).
    pub fn check_limit_end(&self, process: usize, conn: &Conn, reason: Reason) {
        let truth = &self.oracle.hosts[process];
        let limits = truth.limits;
        let (began_ns, limit_ms) = match reason {
            Reason::FrameStalled => (conn.onlooker.begun_ns.filter(|_| !conn.adopted), limits.frame_ms),
            Reason::OutputStalled => (Some(conn.taken_ns), limits.output_ms),
            Reason::FirstFrameLate => (Some(conn.began_ns), limits.first_frame_ms),
            _ => return,
        };
        let Some(began_ns) = began_ns else { return };
        let after_ns = truth.now_ns.saturating_sub(began_ns);
        let away_ns = truth.attended.least_away_ns(began_ns, truth.now_ns);
        let step_ns = self.processes[process].clock_step_ns();
        if after_ns + conn.lag_ns + step_ns + 2 * MS < u64::from(limit_ms) * MS + away_ns {
            wrong(
                "limit too early",
                format_args!(
                    "process {process}: {reason} on line {} after {} ms, {} ms of which it was away; the limit is                      {limit_ms} ms",
                    conn.line,
                    after_ns / MS,
                    away_ns / MS
                ),
            );
        }
    }

    /// L1, L4, L5, L6: a peer that was declared dead had been silent for its timeout, in attended time, and a last look
    /// had found nothing.
    pub fn check_death(&mut self, process: usize, token: u64) {
        self.oracle.deaths += 1;
        let truth = &self.oracle.hosts[process];
        let (Some(judged), Some(conn)) = (truth.judged, truth.conns.get(&token)) else {
            wrong("false death", format_args!("process {process}: nobody judges id {token}"));
        };
        let line = conn.line;
        let Some(look) = conn.look.filter(|look| !look.found) else {
            wrong("last look", format_args!("process {process}: line {line} died with {:?} as last look", conn.look));
        };
        let timeout_ns = u64::from(judged.shortest_timeout_ms) * MS;
        // Silence counts from its beginning, and after a grace from its end.
        let arrived_ns = if self.socks[conn.sock].arrived_bytes > 0 { look.arrived_ns } else { 0 };
        let alive_ns = arrived_ns.max(conn.began_ns).max(conn.grace_until_ns);
        let silent_ns = look.now_ns.saturating_sub(alive_ns);
        let away_ns = truth.attended.least_away_ns(alive_ns, look.now_ns);
        // L4 rounds down when it judges and up when it hears; only the age of the clock is let pass.
        if silent_ns - away_ns + conn.lag_ns < timeout_ns {
            wrong(
                "false death",
                format_args!(
                    "process {process}: line {line} (id {token}) was declared dead after {} ms of silence, {} ms of \
                     which it was away; its timeout is {} ms",
                    silent_ns / MS,
                    away_ns / MS,
                    judged.timeout_ms
                ),
            );
        }
        // L5: after a stall everybody has at least min(timeout − interval, what was left + the stall).
        let is_one_policy = judged.shortest_timeout_ms == judged.timeout_ms;
        let stall = truth.attended.last_alone(2 * timeout_ns).filter(|(_, to)| *to > alive_ns && is_one_policy);
        if let Some((from_ns, to_ns)) = stall {
            let before_ns = from_ns.saturating_sub(alive_ns.min(from_ns));
            let left_ns = timeout_ns.saturating_sub(before_ns);
            let most_ns = timeout_ns - u64::from(judged.interval_ms) * MS;
            let had_ns = (left_ns + (to_ns - from_ns)).min(most_ns);
            let got_ns = look.now_ns.saturating_sub(to_ns);
            if got_ns + conn.lag_ns + 2 * MS < had_ns {
                wrong(
                    "no grant",
                    format_args!(
                        "process {process}: line {line} (id {token}) was declared dead {} ms after a stall of {} ms; \
                         it had {} ms before it",
                        got_ns / MS,
                        (to_ns - from_ns) / MS,
                        had_ns / MS
                    ),
                );
            }
        }
    }
}
