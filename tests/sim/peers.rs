//! Scripted peers: programs of others at the far end of a line, good and bad. They have no clock and no policy; they do
//! what their character says, and dial again when their connection has ended.

use std::rc::Rc;

use heartline::frame::{Cut, Framing, Kind, Stream};

use super::dice::Dice;
use super::ledger::Lane;
use super::truth::wrong;
use super::wire::{MS, Owner, State};
use super::world::{Happening, World};

/// What a peer is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Character {
    /// Sends messages and asks, never silent for longer than this share of the timeout, in percent.
    Beats(u8),
    /// Says nothing by itself and answers asks.
    Answers,
    /// Beats for a while, then says nothing any more, but reads.
    FallsSilent,
    /// Says nothing at all.
    Mute,
    /// Beats, and at some time sends bytes that are no frame.
    Lies,
    /// Sends as much as fits, all the time.
    Floods,
    /// Sends half a frame and stops there.
    Stalls,
    /// Sends one byte at a time.
    Trickles,
    /// Beats, but never reads.
    Deaf,
    /// Beats, then sends FIN and reads on.
    HalfCloses,
    /// Comes and goes, orderly.
    Leaves,
    /// Comes and goes with a reset.
    Resets,
    /// Connects and resets at once.
    Knocks,
}

impl Character {
    pub fn draw(dice: &mut Dice) -> Self {
        let share = dice.between(10, 90) as u8;
        dice.pick(&[
            Self::Beats(share),
            Self::Beats(share),
            Self::Beats(share),
            Self::Beats(97),
            Self::Answers,
            Self::Answers,
            Self::FallsSilent,
            Self::FallsSilent,
            Self::Mute,
            Self::Lies,
            Self::Floods,
            Self::Stalls,
            Self::Trickles,
            Self::Deaf,
            Self::HalfCloses,
            Self::Leaves,
            Self::Resets,
            Self::Knocks,
        ])
    }

    /// One of those of whom there may be a hundred thousand.
    pub fn draw_quiet(dice: &mut Dice) -> Self {
        dice.pick(&[Self::Beats(90), Self::Beats(60), Self::Answers, Self::FallsSilent, Self::Mute, Self::Leaves])
    }

    fn beats(self) -> bool {
        !matches!(self, Self::Answers | Self::Mute | Self::Knocks)
    }
}

/// A scripted peer.
pub struct Peer {
    pub character: Character,
    pub sock: Option<usize>,
    framing: Rc<Framing>,
    dice: Dice,
    listener: usize,
    stream: Stream,
    input: Vec<u8>,
    /// Asks of ours without an answer: where ask and answer look alike, a beat is then the answer (L14).
    asked: u32,
    /// Bytes that its kernel has not taken yet.
    output: Vec<u8>,
    begun_ns: u64,
    /// When its character shows.
    turns_ns: u64,
    turned: bool,
    /// Acts of an earlier connection are void.
    stamp: u32,
}

impl Peer {
    /// The server that it dials.
    pub fn listener(&self) -> usize {
        self.listener
    }
}

impl World {
    pub fn new_peer(&mut self, character: Character, framing: Rc<Framing>, listeners: usize) {
        let number = self.peers.len();
        let mut dice = Dice::new(self.scenario.seed, "peer", number as u64);
        let listener = dice.below(listeners as u64) as usize;
        let begins = dice.below(u64::from(self.scenario.timeout_ms) * MS);
        self.peers.push(Peer {
            character,
            sock: None,
            framing,
            dice,
            listener,
            stream: Stream::default(),
            input: Vec::new(),
            asked: 0,
            output: Vec::new(),
            begun_ns: 0,
            turns_ns: 0,
            turned: false,
            stamp: 0,
        });
        self.push(begins, Happening::PeerActs(number, 0));
    }

    /// Many of the peers that are not connected connect now, and those that are come again.
    pub fn storm(&mut self) {
        self.trace.say(self.now_ns, format_args!("everybody reconnects at once"));
        for peer in 0..self.peers.len() {
            if let Some(sock) = self.peers[peer].sock {
                self.give_up(sock, true);
            }
            self.peer_again(peer, 0);
        }
    }

    /// A peer's connection is over: it dials again after a while.
    fn peer_again(&mut self, peer: usize, mean_ns: u64) {
        let wait_ns = self.peers[peer].dice.wait(mean_ns);
        let known = &mut self.peers[peer];
        (known.sock, known.turned) = (None, false);
        known.input.clear();
        known.asked = 0;
        known.output.clear();
        known.stream = Stream::default();
        known.stamp += 1;
        let stamp = known.stamp;
        if !self.leaving {
            self.push(self.now_ns + wait_ns, Happening::PeerActs(peer, stamp));
        }
    }

    fn peer_leaves(&mut self, peer: usize, abort: bool) {
        if let Some(sock) = self.peers[peer].sock {
            self.give_up(sock, abort);
        }
        self.peer_again(peer, u64::from(self.scenario.timeout_ms) * MS / 2);
    }

    /// The peer's own time has come.
    pub fn peer_acts(&mut self, peer: usize, stamp: u32) {
        if self.peers[peer].stamp != stamp {
            return;
        }
        let timeout_ns = u64::from(self.scenario.timeout_ms) * MS;
        let Some(sock) = self.peers[peer].sock else {
            if self.leaving {
                return;
            }
            let sock = self.dial(Owner::Peer(peer), self.peers[peer].listener);
            let known = &mut self.peers[peer];
            (known.sock, known.begun_ns) = (Some(sock), self.now_ns);
            known.turns_ns = self.now_ns + known.dice.spread(timeout_ns / 4, timeout_ns * 8);
            // Gives up a connect that hangs.
            return self.push(self.now_ns + 3 * timeout_ns, Happening::PeerActs(peer, stamp));
        };
        if self.socks[sock].state != State::Open {
            return self.peer_leaves(peer, true);
        }
        self.peer_turn(peer, sock);
        if self.peers[peer].stamp != stamp {
            return;
        }
        let known = &mut self.peers[peer];
        let next_ns = match known.character {
            Character::Beats(percent) => timeout_ns / 100 * u64::from(percent),
            Character::Floods => timeout_ns / 8,
            Character::Trickles => known.dice.spread(timeout_ns / 50, timeout_ns / 2),
            _ => known.dice.spread(timeout_ns / 10, timeout_ns * 9 / 10),
        };
        self.push(self.now_ns + next_ns, Happening::PeerActs(peer, stamp));
    }

    fn peer_turn(&mut self, peer: usize, sock: usize) {
        let known = &mut self.peers[peer];
        let turns = !known.turned && self.now_ns >= known.turns_ns;
        known.turned |= turns;
        // Once all is to heal, the good are good and the bad do nothing worse than leaving.
        let character = known.character;
        match character {
            Character::Knocks => return self.peer_leaves(peer, true),
            Character::Leaves if turns => return self.peer_leaves(peer, false),
            Character::Resets if turns => return self.peer_leaves(peer, true),
            Character::HalfCloses if turns => drop(self.shut_write(sock)),
            Character::Lies if turns => {
                let length = known.dice.between(1, 40);
                let bytes: Vec<u8> = (0..length).map(|_| 0xf0 | known.dice.draw() as u8).collect();
                known.output.extend(bytes);
            }
            Character::Stalls if turns => {
                // A frame that begins and never ends.
                let message = self.oracle.ledger.next(self.socks[sock].line, 0, Lane::Direct, 60);
                let mut frame = Vec::new();
                let _ = known.framing.encode(None, &[&message], &mut frame);
                frame.truncate(frame.len() / 2);
                known.output.extend(frame);
            }
            _ => {}
        }
        let quiet = self.peers[peer].turned
            && matches!(
                character,
                Character::FallsSilent | Character::HalfCloses | Character::Stalls | Character::Lies
            );
        if character.beats() && !quiet {
            self.peer_speaks(peer, sock);
        }
        self.peer_writes(peer);
    }

    fn peer_speaks(&mut self, peer: usize, sock: usize) {
        let (line, quiet) = (self.socks[sock].line, !self.speaking());
        let known = &mut self.peers[peer];
        if known.output.len() > 100_000 {
            return;
        }
        let frames = if known.character == Character::Floods { known.dice.between(3, 30) } else { 1 };
        for _ in 0..frames {
            if known.dice.chance(0.3) || quiet {
                known.framing.ask(&mut known.output);
                known.asked += 1;
                continue;
            }
            let bytes = known.dice.spread(20, 800) as usize;
            let message = self.oracle.ledger.next(line, 0, Lane::Direct, bytes);
            if known.framing.encode(None, &[&message], &mut known.output).is_ok() {
                self.oracle.ledger.accepted(line, 0, Lane::Direct);
            }
        }
    }

    fn peer_writes(&mut self, peer: usize) {
        let Some(sock) = self.peers[peer].sock else { return };
        let mut output = std::mem::take(&mut self.peers[peer].output);
        let length = match self.peers[peer].character {
            Character::Trickles => output.len().min(1),
            _ => output.len(),
        };
        if length > 0
            && let Ok(count) = self.write(sock, &[&output[..length]])
        {
            output.drain(..count);
        }
        self.peers[peer].output = output;
    }

    /// Something of the peer's socket changed.
    pub fn peer_sees(&mut self, peer: usize, sock: usize) {
        if self.peers[peer].sock != Some(sock) || self.socks[sock].gone {
            return;
        }
        if self.socks[sock].state == State::Open && self.peers[peer].begun_ns > 0 {
            // Established: its script begins.
            let known = &mut self.peers[peer];
            known.begun_ns = 0;
            known.stamp += 1;
            let stamp = known.stamp;
            self.push(self.now_ns, Happening::PeerActs(peer, stamp));
        }
        if self.socks[sock].broken {
            return self.peer_leaves(peer, true);
        }
        if self.peers[peer].character != Character::Deaf && self.peer_reads(peer, sock) {
            return self.peer_leaves(peer, false);
        }
        if self.peers[peer].character != Character::Trickles {
            self.peer_writes(peer);
        }
    }

    /// Reads all there is, answers asks, checks messages. True: the other end is over.
    fn peer_reads(&mut self, peer: usize, sock: usize) -> bool {
        let line = self.socks[sock].line;
        let mut buffer = [0; 4096];
        let ended = loop {
            match self.read(sock, &mut buffer) {
                Ok(0) => break true,
                Ok(count) => self.peers[peer].input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break error.kind() != std::io::ErrorKind::WouldBlock,
            }
        };
        let known = &mut self.peers[peer];
        let (mut at, mut control) = (0, Vec::new());
        loop {
            match known.framing.cut(&mut known.input[at..], &mut known.stream, &mut control) {
                Ok(Cut::Frame(frame)) => {
                    let bytes = &known.input[at..at + frame.total];
                    match frame.kind {
                        Kind::Message => {
                            if let Err(text) = self.oracle.ledger.delivered(line, 1, &bytes[frame.message.clone()]) {
                                wrong("delivery", format_args!("peer {peer}: {text}"));
                            }
                        }
                        Kind::Close => wrong("delivery", format_args!("peer {peer}: a goodbye of a codec without one")),
                        Kind::Answer => known.asked = known.asked.saturating_sub(1),
                        Kind::Either if known.asked > 0 => known.asked -= 1,
                        Kind::Ask | Kind::Either => {
                            // Who has begun half a frame or sent nonsense cannot go on.
                            let silent = known.character == Character::Mute
                                || (known.turned
                                    && matches!(
                                        known.character,
                                        Character::FallsSilent
                                            | Character::Stalls
                                            | Character::Lies
                                            | Character::HalfCloses
                                    ));
                            if !silent && known.output.len() < 100_000 {
                                known.framing.answer(bytes, &frame, &mut known.output);
                            }
                        }
                    }
                    at += frame.total;
                }
                Ok(Cut::More { .. }) => break,
                Ok(Cut::Within(beat)) => {
                    wrong("delivery", format_args!("peer {peer}: {beat:?} of a codec without such"))
                }
                Err(error) => wrong("delivery", format_args!("peer {peer}: what a reactor sent is no frame: {error}")),
            }
        }
        known.input.drain(..at);
        ended
    }
}
