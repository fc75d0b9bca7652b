//! What a seed draws: who takes part, for how long, by which policy and framing, and what goes wrong. And how a failing
//! scenario is made smaller.

use std::fmt;

use heartline::liveness::{Policy, Role};
use heartline::reactor::WhenFull;

use super::dice::Dice;
use super::faults::{ALL, Faults};
use super::habits::Habits;
use super::peers::Character;
use super::process::Mode;

/// A process with a reactor.
#[derive(Clone, Copy, Debug)]
pub struct HostPlan {
    pub mode: Mode,
    pub listens: bool,
    /// Connections that it keeps up to servers.
    pub dials: usize,
    pub role: Role,
    pub half_open: bool,
    pub deliver_beats: bool,
    /// Events of one batch.
    pub capacity: usize,
    pub statistics: bool,
    pub when_full: WhenFull,
    pub high_bytes: u32,
    pub outbox_bytes_max: usize,
    pub verdicts_per_turn: usize,
    pub connections_max: u32,
    pub autopsy: bool,
    /// `poll` gets a time-out of its own, in milliseconds.
    pub poll_ms: Option<u64>,
    pub message_bytes_max: u64,
    pub pauses: bool,
    pub closes: bool,
    pub habits: Habits,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub framing: &'static str,
    pub interval_ms: u32,
    pub suspect_ms: u32,
    pub timeout_ms: u32,
    pub hosts: Vec<HostPlan>,
    pub peers: Vec<Character>,
    pub heal_ms: u64,
    pub farewell_ms: u64,
    pub end_ms: u64,
    pub faults: Faults,
    pub buffer_bytes: (u64, u64),
    /// What was cut away when a failing seed was shrunk.
    pub cuts: Cuts,
}

const FRAMINGS: &[&str] = &[
    "length:4be",
    "length:4be,ask=?,answer=!",
    "varint,ask=?,answer=!",
    "delimiter:\\n,ask=PING,answer=PONG",
    "line-header,key=length",
];

impl Scenario {
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "scenario", 0);
        let timeout_ms = dice.spread(400, 400_000) as u32;
        let interval_ms = (u64::from(timeout_ms) * dice.between(15, 50) / 100).max(20) as u32;
        let suspect_ms =
            (interval_ms + (timeout_ms - interval_ms) * dice.between(10, 90) as u32 / 100).max(interval_ms + 1);
        let small = dice.chance(0.5);
        let (servers, clients) = dice.pick(&[(1, 0), (1, 0), (1, 1), (2, 1), (1, 2)]);
        let main = dice.below(servers + clients + 1);
        let hosts =
            (0..servers + clients).map(|number| HostPlan::draw(&mut dice, number < servers, number == main, small));
        let mut hosts: Vec<_> = hosts.collect();
        for (number, host) in hosts.iter_mut().enumerate() {
            host.habits = Habits::draw(seed, number as u64);
        }
        let mut peers: Vec<Character> = Vec::new();
        for _ in 0..dice.between(1, if small { 6 } else { 30 }) {
            peers.push(Character::draw(&mut dice));
        }
        let heal_ms = u64::from(timeout_ms) * dice.between(6, 30);
        let farewell_ms = heal_ms + u64::from(timeout_ms) * 8 + 20_000;
        let end_ms = farewell_ms + u64::from(timeout_ms) * 6 + 20_000;
        let buffer_bytes = dice.pick(&[(200, 2_000), (2_000, 60_000), (60_000, 400_000)]);
        Self {
            seed,
            framing: dice.pick(FRAMINGS),
            interval_ms,
            suspect_ms,
            timeout_ms,
            hosts,
            peers,
            heal_ms,
            farewell_ms,
            end_ms,
            faults: Faults::draw(seed),
            buffer_bytes,
            cuts: Cuts::default(),
        }
    }

    /// Thousands of connections, nothing else out of the ordinary.
    pub fn draw_big(seed: u64, connections: usize) -> Self {
        let mut scenario = Self::draw(seed);
        let mut dice = Dice::new(seed, "big", 0);
        scenario.peers = (0..connections).map(|_| Character::draw_quiet(&mut dice)).collect();
        scenario.hosts.truncate(1);
        let host = &mut scenario.hosts[0];
        host.connections_max = heartline::reactor::CONNECTIONS_MAX;
        host.habits = Habits::default();
        (host.capacity, host.verdicts_per_turn, host.mode) = (1024, 4096, Mode::Blocking);
        scenario.timeout_ms = scenario.timeout_ms.max(20_000);
        (scenario.interval_ms, scenario.suspect_ms) = (scenario.timeout_ms / 3, scenario.timeout_ms / 2);
        scenario.buffer_bytes = (2_000, 60_000);
        scenario.heal_ms = u64::from(scenario.timeout_ms) * 6;
        scenario.farewell_ms = scenario.heal_ms + u64::from(scenario.timeout_ms) * 4 + 20_000;
        scenario.end_ms = scenario.farewell_ms + u64::from(scenario.timeout_ms) * 4 + 20_000;
        scenario
    }

    pub fn policy(&self, role: Role) -> Policy {
        Policy {
            role,
            interval_ms: self.interval_ms,
            suspect_ms: self.suspect_ms,
            timeout_ms: self.timeout_ms,
            ..Policy::im()
        }
    }

    pub fn cut(&self, cuts: &Cuts) -> Self {
        let mut scenario = self.clone();
        scenario.cuts = cuts.clone();
        if let Some(peers) = cuts.peers {
            scenario.peers.truncate(peers);
        }
        if let Some(hosts) = cuts.hosts {
            scenario.hosts.truncate(hosts.max(1));
        }
        if let Some(dials) = cuts.dials {
            for host in &mut scenario.hosts {
                host.dials = host.dials.min(dials);
            }
        }
        if let Some(heal_ms) = cuts.heal_ms.filter(|heal_ms| *heal_ms < scenario.heal_ms) {
            let earlier = scenario.heal_ms - heal_ms;
            scenario.heal_ms -= earlier;
            scenario.farewell_ms -= earlier;
            scenario.end_ms -= earlier;
        }
        if cuts.plain {
            for host in &mut scenario.hosts {
                host.habits = Habits::default();
            }
        }
        for fault in ALL.iter().filter(|fault| cuts.without.contains(&fault.name().to_string())) {
            scenario.faults.without(*fault);
        }
        scenario
    }

    /// The same with one thing less, the largest cuts first.
    pub fn smaller(&self) -> Vec<Cuts> {
        let mut all = Vec::new();
        let mut push = |change: &dyn Fn(&mut Cuts)| {
            let mut cuts = self.cuts.clone();
            change(&mut cuts);
            all.push(cuts);
        };
        for share in [8, 4, 2] {
            let heal_ms = self.heal_ms / share;
            push(&|cuts| cuts.heal_ms = Some(heal_ms));
        }
        push(&|cuts| cuts.heal_ms = Some(self.heal_ms * 3 / 4));
        for peers in [0, 1, self.peers.len() / 4, self.peers.len() / 2, self.peers.len().saturating_sub(1)] {
            if peers < self.peers.len() {
                push(&|cuts| cuts.peers = Some(peers));
            }
        }
        for hosts in 1..self.hosts.len() {
            push(&|cuts| cuts.hosts = Some(hosts));
        }
        if !self.cuts.plain {
            push(&|cuts| cuts.plain = true);
        }
        let dials = self.hosts.iter().map(|host| host.dials).max().unwrap_or(0);
        for fewer in [0, 1, dials / 2, dials.saturating_sub(1)] {
            if fewer < dials {
                push(&|cuts| cuts.dials = Some(fewer));
            }
        }
        for fault in ALL.iter().filter(|fault| self.faults.rate(**fault) > 0.0) {
            push(&|cuts| cuts.without.push(fault.name().to_string()));
        }
        all
    }
}

impl HostPlan {
    /// What it does about beats.
    pub fn role(&self) -> Role {
        if self.habits.is_unjudged { Role::Watch } else { self.role }
    }

    fn draw(dice: &mut Dice, listens: bool, is_main: bool, small: bool) -> Self {
        let mode = match is_main {
            true => Mode::Blocking,
            false => dice.pick(&[Mode::Polled, Mode::Nested]),
        };
        let roles = [Role::Both, Role::Both, Role::Answer, Role::Ask, Role::Watch];
        Self {
            mode,
            listens,
            dials: if listens && dice.chance(0.8) { 0 } else { dice.between(1, if small { 3 } else { 12 }) as usize },
            role: dice.pick(&roles),
            half_open: dice.chance(0.2),
            deliver_beats: dice.chance(0.2),
            capacity: dice.pick(&[1, 4, 64, 1024, 1024]),
            statistics: dice.chance(0.7),
            when_full: dice.pick(&[WhenFull::Refuse, WhenFull::Refuse, WhenFull::DropOldest, WhenFull::Close]),
            high_bytes: dice.spread(200, 1 << 20) as u32,
            outbox_bytes_max: dice.pick(&[1 << 30, 1 << 30, 20_000]),
            verdicts_per_turn: dice.pick(&[4096, 4096, 3]),
            connections_max: dice.pick(&[1 << 20, 1 << 20, 1 << 20, 8]),
            autopsy: dice.chance(0.2),
            poll_ms: if dice.chance(0.2) { Some(dice.spread(1, 5_000)) } else { None },
            message_bytes_max: dice.pick(&[100, 100, 2_000, 30_000]),
            pauses: dice.chance(0.3),
            closes: dice.chance(0.5),
            habits: Habits::default(),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "framing {}, interval {} ms, suspect {} ms, timeout {} ms, kernel buffers {:?} bytes",
            self.framing, self.interval_ms, self.suspect_ms, self.timeout_ms, self.buffer_bytes
        )?;
        for (number, host) in self.hosts.iter().enumerate() {
            writeln!(f, "process {number}: {host:?}")?;
        }
        writeln!(f, "{} scripted peers", self.peers.len())?;
        writeln!(f, "faults: {}; healed after {} ms, the end after {} ms", self.faults, self.heal_ms, self.end_ms)
    }
}

/// What was taken away from a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    pub peers: Option<usize>,
    pub hosts: Option<usize>,
    pub dials: Option<usize>,
    pub heal_ms: Option<u64>,
    /// Hosts have no habits.
    pub plain: bool,
    pub without: Vec<String>,
}

impl Cuts {
    /// The form that `CUT=` takes: `peers=3,hosts=1,heal=5000,without=stop+dark`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut cuts = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=')?;
            match key {
                "peers" => cuts.peers = Some(value.parse().ok()?),
                "hosts" => cuts.hosts = Some(value.parse().ok()?),
                "dials" => cuts.dials = Some(value.parse().ok()?),
                "heal" => cuts.heal_ms = Some(value.parse().ok()?),
                "plain" => cuts.plain = value == "1",
                "without" => cuts.without = value.split('+').map(str::to_string).collect(),
                _ => return None,
            }
        }
        Some(cuts)
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |key: &str, value: Option<u64>| value.map(|value| format!("{key}={value}"));
        let mut parts: Vec<String> = [
            number("peers", self.peers.map(|peers| peers as u64)),
            number("hosts", self.hosts.map(|hosts| hosts as u64)),
            number("dials", self.dials.map(|dials| dials as u64)),
            number("heal", self.heal_ms),
            self.plain.then(|| "plain=1".to_string()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !self.without.is_empty() {
            parts.push(format!("without={}", self.without.join("+")));
        }
        f.write_str(&parts.join(","))
    }
}
