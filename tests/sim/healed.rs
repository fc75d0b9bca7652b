//! After the faults have healed everything that should live lives, within a bound, and everything that was accepted on
//! what lives was delivered.

use super::peers::Character;
use super::scenario::HostPlan;
use super::truth::{Conn, wrong};
use super::wire::State;
use super::world::World;

impl World {
    /// Eight timeouts after all faults are over: enough to find the dead, to dial again, and to be found dead once more.
    pub fn check_healed(&self) {
        for (number, peer) in self.peers.iter().enumerate() {
            if self.peer_should_live(number) && !peer.sock.is_some_and(|sock| self.lives(sock)) {
                let sock = peer.sock.map(|sock| &self.socks[sock]);
                wrong("not healed", format_args!("peer {number}, {:?}, has no connection: {sock:?}", peer.character));
            }
        }
        for (process, host) in self.scenario.hosts.iter().enumerate() {
            let conns = self.oracle.hosts[process].conns.values();
            let counts = |conn: &&Conn| conn.side == 0 && conn.opened && self.lives(conn.sock);
            let dialled = conns.filter(counts).count();
            if self.host_should_live(process) && dialled < host.dials {
                wrong("not healed", format_args!("process {process}: {dialled} of {} dials live", host.dials));
            }
        }
        for line in 0..self.lines.len() {
            if self.line_is_quiet(line)
                && let Err(text) = self.oracle.ledger.settled(line)
            {
                wrong("lost", format_args!("{text}"));
            }
        }
    }

    fn lives(&self, sock: usize) -> bool {
        let is_well = |sock: usize| {
            let sock = &self.socks[sock];
            !sock.gone && !sock.broken && !sock.fin_in && sock.state == State::Open
        };
        is_well(sock) && self.socks[sock].other.is_some_and(is_well)
    }

    fn has_room(&self) -> bool {
        let has_room = |host: &HostPlan| host.connections_max > 1000 && host.habits.partial_bytes_max.is_none();
        self.scenario.hosts.iter().all(has_room)
    }

    fn peer_should_live(&self, peer: usize) -> bool {
        let host = &self.scenario.hosts[self.peers[peer].listener()];
        let steady = match self.peers[peer].character {
            Character::Beats(percent) => percent <= 90,
            Character::Answers => host.role().asks() && !host.habits.after_first_frame,
            _ => false,
        };
        steady && self.has_room()
    }

    fn host_should_live(&self, process: usize) -> bool {
        let servers = || self.scenario.hosts.iter().filter(|host| host.listens);
        // Who waits for a first frame may wait for ever.
        if self.scenario.hosts.iter().any(|host| host.habits.after_first_frame) {
            return false;
        }
        let asked = self.scenario.hosts[process].role().asks() && servers().all(|host| host.role().answers());
        let answered = self.scenario.hosts[process].role().answers() && servers().all(|host| host.role().asks());
        (asked || answered) && self.has_room()
    }

    /// Both ends live and read, and nobody who delays things by his character is at one of them.
    fn line_is_quiet(&self, line: usize) -> bool {
        let [Some(a), Some(b)] = self.lines[line].socks else { return false };
        let reads = |sock: usize| match self.socks[sock].owner {
            super::wire::Owner::Peer(peer) => {
                self.peers[peer].sock == Some(sock)
                    && !matches!(
                        self.peers[peer].character,
                        Character::Deaf
                            | Character::Floods
                            | Character::Trickles
                            | Character::Stalls
                            | Character::Lies
                            | Character::HalfCloses
                    )
            }
            super::wire::Owner::Process(process) => self.socks[sock].token.is_some_and(|token| {
                let conn = self.oracle.hosts[process].conns.get(&token);
                conn.is_some_and(|conn| conn.opened && !conn.closing && !conn.half_closed)
            }),
        };
        // Small buffers on a long line need longer than this for a large backlog: only what has stopped moving is lost.
        let moves = |sock: usize| self.socks[sock].is_sending();
        self.lives(a) && reads(a) && reads(b) && !moves(a) && !moves(b)
    }
}
