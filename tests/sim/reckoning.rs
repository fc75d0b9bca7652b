//! What must add up: limits after every turn, and at the end what the counters say and what was told.

use heartline::reactor::Reason;

use super::hosts::Host;
use super::kernel::Sim;
use super::peers::Character;
use super::truth::wrong;
use super::world::World;

/// Control is bounded by itself: what reading rests at, and one turn's worth of answers above it (R4).
const CONTROL_BYTES_MAX: usize = (4 << 10) + 64 * 64;

impl Host {
    /// R5, F2: nothing grows beyond its limit.
    pub fn check_limits(&self, sim: &Sim) {
        let counters = self.reactor.counters();
        let control = (self.reactor.len() * CONTROL_BYTES_MAX) as u64;
        if counters.outbox_bytes_now > self.plan.outbox_bytes_max as u64 + control {
            wrong("outbox", format_args!("process {}: {} bytes wait", self.process, counters.outbox_bytes_now));
        }
        if counters.connections_now > self.plan.connections_max.into() {
            wrong("connections", format_args!("process {}: {} live", self.process, counters.connections_now));
        }
        let partial_bytes_max = self.plan.habits.partial_bytes_max.unwrap_or(256 << 20);
        if counters.partial_bytes_now > partial_bytes_max as u64 {
            wrong("partial", format_args!("process {}: {} bytes", self.process, counters.partial_bytes_now));
        }
        self.check_marks(sim);
    }

    /// R5: of some connections, that no outbox is over its high mark by more than one message and the control lane.
    fn check_marks(&self, sim: &Sim) {
        let from = sim.world.borrow().now_ns as usize % self.open.len().max(1);
        for place in from..(from + 20).min(self.open.len()) {
            let Some((id, _)) = self.open.get(place) else { break };
            let queued = self.reactor.state(id).map_or(0, |state| state.queued_bytes);
            let most = self.plan.high_bytes as usize + self.plan.message_bytes_max as usize + 20 + CONTROL_BYTES_MAX;
            if queued > most {
                wrong("marks", format_args!("process {}: {queued} bytes wait on id {id:?}, {most} may", self.process));
            }
        }
    }

    /// At the end: everything is given back, and the counters add up to what was told.
    pub fn check_end(&mut self, world: &World) {
        let process = self.process;
        let counters = self.reactor.counters();
        let truth = &world.oracle.hosts[process];
        if !self.reactor.is_drained() {
            wrong("drain", format_args!("process {process}: {} connections are left", self.reactor.len()));
        }
        if let Some(token) = truth.conns.keys().next() {
            wrong("order", format_args!("process {process}: id {token} was never told to have ended"));
        }
        let told = &truth.told;
        let pairs = [
            ("connections_now", counters.connections_now, 0),
            ("partial_bytes_now", counters.partial_bytes_now, 0),
            ("outbox_bytes_now", counters.outbox_bytes_now, 0),
            ("accepted", counters.accepted, told.accepted),
            ("connected", counters.connected, told.connected),
            ("adopted", counters.adopted, told.adopted),
            ("released", counters.released, told.released),
            ("connect_failed", counters.connect_failed, told.connect_failed),
            ("messages_in", counters.messages_in, told.messages),
            ("messages_unsent", counters.messages_unsent, told.unsent),
            ("suspects", counters.suspects, told.suspects),
            ("revived", counters.revived, told.revived),
            ("stalls", counters.stalls, told.stalls),
            ("mass_silences", counters.mass_silences, told.mass_silences),
            ("accept_pauses", counters.accept_pauses, told.pauses),
            ("bytes_in", counters.bytes_in, truth.bytes_in),
            ("bytes_out", counters.bytes_out, truth.bytes_out),
            ("deaths", counters.deaths, told.ends.get(&Reason::Silent.code()).copied().unwrap_or(0)),
        ];
        for (name, counted, was) in pairs {
            if counted != was {
                wrong("counters", format_args!("process {process}: {name} is {counted}; it was {was}"));
            }
        }
        // L14: asks and answers never feed each other. Stalls and pauses ask anew.
        let floods = world.scenario.peers.iter().any(|peer| matches!(peer, Character::Floods | Character::Trickles));
        let spare = (counters.stalls + 20) * (told.accepted + told.connected + told.adopted + 1);
        if counters.asks_out > truth.asks_max + spare || (counters.answers_out > truth.answers_max + spare && !floods) {
            wrong(
                "beats",
                format_args!(
                    "process {process}: {} asks for {}, {} answers for {}",
                    counters.asks_out, truth.asks_max, counters.answers_out, truth.answers_max
                ),
            );
        }
        for reason in Reason::ALL.iter().chain(&[Reason::Application(256)]) {
            let was = told.ends.get(&reason.code()).copied().unwrap_or(0);
            if counters.closed(*reason) != was {
                wrong("counters", format_args!("process {process}: {reason}: {} of {was}", counters.closed(*reason)));
            }
        }
        if world.processes[process].descriptors != 0 {
            wrong("memory", format_args!("process {process}: {} descriptors", world.processes[process].descriptors));
        }
    }
}
