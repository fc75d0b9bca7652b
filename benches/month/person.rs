//! How people live: phones that sleep, ride through tunnels and lose their NAT mapping, chats that are opened and closed,
//! desks that stay. A person knows nothing of the monitor; the host carries out what it does.
//!
//! The smallest honest model: phones are not connected all day. An app is while it is used and as long as the system
//! lets it live behind the lock screen. (A million phones connected round the clock at `mobile` would be 15 thousand
//! million asks a month, some twenty minutes on two cores, and show nothing more.)

use fastrand::Rng;
use heartline::liveness::{Policy, Role};

use super::calendar::{NEVER, STEP_MS};

pub(crate) const SECOND: u32 = (1000 / STEP_MS) as u32;
pub(crate) const MINUTE: u32 = 60 * SECOND;
pub(crate) const HOUR: u32 = 60 * MINUTE;
pub(crate) const DAY: u32 = 24 * HOUR;

/// Each evening everybody with a phone is there at once.
pub(crate) const EVENING: u32 = 20 * HOUR;
/// They come within this; nobody goes sooner.
const GATHERING: u32 = 4 * MINUTE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Profile `mobile`: used each evening and every other day once more; in between it sleeps.
    Phone,
    /// Profile `im`: a chat that is opened for minutes.
    Chat,
    /// Profile `im`: open all day, on working days.
    Desk,
}

impl Kind {
    /// What the host's monitor shall follow for its connections.
    pub(crate) const fn policy(self) -> &'static Policy {
        const MOBILE: Policy = Policy::mobile().with_role(Role::Both);
        const IM: Policy = Policy::im().with_role(Role::Both);
        match self {
            Self::Phone => &MOBILE,
            Self::Chat | Self::Desk => &IM,
        }
    }
}

/// What is to be done at the person's next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Away,
    Talking,
    /// Behind the lock screen; asks are answered.
    Pocketed,
    /// No way through, for a while.
    InTunnel,
    /// The carrier has forgotten the connection; neither side knows.
    Forgotten,
    Leaving,
    /// Says nothing more, and comes back another time, on a new connection.
    Asleep,
}

/// What a person does to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It says something; on a new connection if the host has closed the old one.
    Speak,
    /// It comes on a new connection, whatever became of the old one.
    Connect,
    /// It closes its connection.
    Leave,
    Nothing,
}

/// One person, and what is true of its connection. Small: a month is memory traffic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    /// When its last byte was read, in attended milliseconds.
    pub(crate) heard_ms: u32,
    pub(crate) kind: Kind,
    state: State,
    messages_left: u8,
    pub(crate) connection: Connection,
}

const _: () = assert!(size_of::<Person>() <= 8);

/// Whether the host has a connection of somebody, what it knows of it, and which of its connections that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection(u8);

impl Connection {
    const NONE: Self = Self(0);
    const ONLINE: u8 = 1;
    const SUSPECT: u8 = 1 << 1;
    const GRANTED: u8 = 1 << 2;
    /// The rest counts connections: an answer on its way outlives few of them.
    const ONE_MORE: u8 = 1 << 3;

    pub(crate) fn is_online(self) -> bool {
        self.0 & Self::ONLINE != 0
    }

    /// The host was told that its peer is suspect.
    pub(crate) fn is_suspect(self) -> bool {
        self.0 & Self::SUSPECT != 0
    }

    /// Stalls have granted it something since its last byte.
    pub(crate) fn is_granted(self) -> bool {
        self.0 & Self::GRANTED != 0
    }

    /// Which one it is.
    pub(crate) fn number(self) -> u8 {
        self.0 / Self::ONE_MORE
    }

    pub(crate) fn begin(&mut self) {
        self.end();
        self.0 = self.0.wrapping_add(Self::ONE_MORE) | Self::ONLINE;
    }

    pub(crate) fn end(&mut self) {
        self.0 = self.0 / Self::ONE_MORE * Self::ONE_MORE;
    }

    pub(crate) fn suspect(&mut self) {
        self.0 |= Self::SUSPECT;
    }

    pub(crate) fn revive(&mut self) {
        self.0 &= !Self::SUSPECT;
    }

    pub(crate) fn grant(&mut self) {
        self.0 |= Self::GRANTED;
    }

    /// A byte ends what was granted.
    pub(crate) fn hear(&mut self) {
        self.0 &= !Self::GRANTED;
    }
}

impl Person {
    /// Somebody who is away: nine phones in ten, a desk in 2,000, chats for the rest.
    pub(crate) fn new(number: u32) -> Self {
        let kind = match (number % 2000, number % 10) {
            (1, _) => Kind::Desk,
            (_, 0) => Kind::Chat,
            _ => Kind::Phone,
        };
        Self { heard_ms: 0, kind, state: State::Away, messages_left: 0, connection: Connection::NONE }
    }

    /// Whether bytes get through both ways.
    pub(crate) fn is_reachable(&self) -> bool {
        matches!(self.state, State::Talking | State::Pocketed | State::Leaving)
    }

    /// What it does at `step`, and the step of its next entry.
    pub(crate) fn live(&mut self, step: u32, dice: &mut Rng) -> (Act, u32) {
        match self.state {
            State::Away => {
                let act = self.arrive(step, dice);
                (act, step + self.pause(dice))
            }
            State::Talking => {
                self.messages_left = self.messages_left.saturating_sub(1);
                let in_steps = self.talk_on(step, dice);
                (Act::Speak, step.saturating_add(in_steps))
            }
            State::Pocketed if dice.bool() => (Act::Leave, self.go_away(step, dice)),
            State::Pocketed | State::Asleep => (Act::Nothing, self.go_away(step, dice)),
            State::InTunnel => {
                self.talk(dice.u8(1..4));
                (Act::Speak, step + self.pause(dice))
            }
            State::Forgotten => {
                self.talk(dice.u8(1..4));
                (Act::Connect, step + self.pause(dice))
            }
            State::Leaving => (Act::Leave, self.go_away(step, dice)),
        }
    }

    fn arrive(&mut self, step: u32, dice: &mut Rng) -> Act {
        let messages = match self.kind {
            Kind::Phone if is_evening(step) => 5,
            Kind::Phone | Kind::Chat => dice.u8(2..5),
            Kind::Desk => u8::MAX,
        };
        self.talk(messages);
        Act::Connect
    }

    fn talk(&mut self, messages: u8) {
        (self.state, self.messages_left) = (State::Talking, messages);
    }

    /// From one message to the next.
    fn pause(&self, dice: &mut Rng) -> u32 {
        match self.kind {
            Kind::Phone if self.messages_left > 3 => dice.u32(MINUTE..2 * MINUTE),
            Kind::Phone | Kind::Chat => dice.u32(3 * SECOND..40 * SECOND),
            Kind::Desk => dice.u32(5 * SECOND..4 * MINUTE),
        }
    }

    /// After a message: the next, or what comes when all is said. In how many steps.
    fn talk_on(&mut self, step: u32, dice: &mut Rng) -> u32 {
        let evening = is_evening(step);
        match self.kind {
            Kind::Desk if step % DAY < 17 * HOUR => return self.pause(dice),
            Kind::Phone if evening && step % DAY < EVENING + GATHERING => return self.pause(dice),
            Kind::Phone | Kind::Chat if self.messages_left > 0 => return self.pause(dice),
            _ => {}
        }
        let (state, in_steps) = match (self.kind, dice.u32(0..10_000)) {
            // It is gone: for days, or for good.
            (_, 0..4) => (State::Asleep, dice.u32(2 * DAY..20 * DAY)),
            (_, 4..6) => (State::Asleep, NEVER),
            (Kind::Phone, 6..2_500) => (State::Leaving, dice.u32(SECOND..20 * SECOND)),
            (Kind::Phone, 2_500..6_000) => (State::Pocketed, dice.u32(2 * MINUTE..20 * MINUTE)),
            (Kind::Phone, 6_000..8_000) => (State::InTunnel, dice.u32(20 * SECOND..10 * MINUTE)),
            (Kind::Phone, 8_000..8_500) => (State::Forgotten, dice.u32(3 * MINUTE..20 * MINUTE)),
            (Kind::Chat, 6..6_000) | (Kind::Desk, 6..9_000) => (State::Leaving, dice.u32(SECOND..20 * SECOND)),
            _ => (State::Asleep, MINUTE),
        };
        self.state = state;
        in_steps
    }

    /// Until the next time; the step of it.
    fn go_away(&mut self, step: u32, dice: &mut Rng) -> u32 {
        self.state = State::Away;
        let (day, time) = (step / DAY * DAY, step % DAY);
        match self.kind {
            Kind::Phone if time < EVENING => day + EVENING + dice.u32(0..GATHERING),
            Kind::Phone if dice.bool() => day + DAY + EVENING + dice.u32(0..GATHERING),
            Kind::Phone => day + DAY + dice.u32(7 * HOUR..18 * HOUR),
            Kind::Chat if time < 12 * HOUR => day + dice.u32(13 * HOUR..22 * HOUR),
            Kind::Chat => day + DAY + dice.u32(7 * HOUR..12 * HOUR),
            Kind::Desk => {
                let days = if day / DAY % 7 == 4 { 3 } else { 1 };
                day + days * DAY + 9 * HOUR + dice.u32(0..MINUTE * 20)
            }
        }
    }

    /// The first time, on the first day, a Monday.
    pub(crate) fn begin(&self, dice: &mut Rng) -> u32 {
        match self.kind {
            Kind::Phone => dice.u32(7 * HOUR..18 * HOUR),
            Kind::Chat => dice.u32(7 * HOUR..12 * HOUR),
            Kind::Desk => 9 * HOUR + dice.u32(0..MINUTE * 20),
        }
    }
}

fn is_evening(step: u32) -> bool {
    step % DAY >= EVENING
}
