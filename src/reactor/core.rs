//! The reactor itself: what it holds, and what can be asked of all of it.
//!
//! Name it [`reactor::Reactor`](super::Reactor). The kernel as a parameter is for simulators (feature `sim`), outside semver.

use std::collections::VecDeque;
use std::io;

use slab::Slab;

use super::accept::Listening;
use super::by_slot::BySlot;
use super::close::{Closing, Ended};
use super::connection::{Connection, ConnectionId, GENERATION_MAX};
use super::counters::Counters;
use super::deflate::Deflating;
use super::drain::Drain;
use super::events::{Events, Record, RecordKind};
use super::intake::LastWords;
use super::judge::Autopsy;
use super::mailbox::Mail;
use super::net::Net;
use super::obituary::Obituary;
use super::options::{CONNECTIONS_MAX, Config, OptionsTable};
use super::sends::Sends;
use super::statistics::{Statistics, Step};
#[cfg(feature = "websocket")]
use super::upgrade::Upgrade;
use crate::liveness::{Histogram, Monitor, MonitorConfig, Policy, PolicyError, PolicyId, Verdict};
use crate::time::Millis;

/// The wheel rests while more events than this wait for room in the caller's batch.
const PENDING_MAX: usize = 4096;

/// A single-threaded reactor over some kernel. See [`Reactor`](super::Reactor) for the one that users name.
pub struct Reactor<N: Net> {
    pub(crate) net: N,
    pub(crate) config: Config,
    pub(crate) connections: Slab<Connection<N::Socket>>,
    /// By slot; empty when statistics are off.
    pub(crate) statistics: Vec<Statistics>,
    pub(crate) monitor: Monitor,
    pub(crate) options: OptionsTable,
    pub(crate) policies: DefaultPolicies,
    pub(crate) listeners: Slab<Listening<N>>,
    /// When a listener wants a turn without the kernel's asking; at once: [`Millis`] 0. See `plan_accepts`.
    pub(crate) accept_at: Option<Millis>,
    pub(crate) sends: Sends,
    pub(crate) counters: Counters,
    /// How late deaths were declared, in milliseconds.
    pub(crate) overshoots_ms: Histogram,
    /// How long turns took, and this one so far, in microseconds.
    pub(crate) turns_us: Histogram,
    pub(crate) turn_us: u32,
    /// Connections that stand aside, of all.
    pub(crate) aside: usize,
    /// Events that wait for a poll, with the bytes that they lend.
    pub(crate) pending: VecDeque<(Record, Option<Vec<u8>>)>,
    /// Connections with work left from an earlier turn (R2).
    pub(crate) ready: VecDeque<ConnectionId>,
    /// Ended connections whose sockets are still to be given up and whose end is still to be told.
    pub(crate) ended: VecDeque<Ended<N::Socket>>,
    pub(crate) obituaries: BySlot<ConnectionId, Obituary>,
    pub(crate) closing: BySlot<u32, Closing>,
    /// Since when a connection is being dialled, in attended time.
    pub(crate) dialling: BySlot<u32, Millis>,
    /// Errors of failed writes and the bytes that were lost with them, until the read side has told the rest.
    pub(crate) write_errors: BySlot<u32, (i32, usize)>,
    /// What was wrong with the bytes of connections that end for it.
    pub(crate) last_words: BySlot<u32, LastWords>,
    #[cfg(feature = "websocket")]
    pub(crate) upgrades: BySlot<u32, Upgrade>,
    /// What deflated messages need, where permessage-deflate was agreed.
    pub(crate) deflating: Deflating,
    /// Since when the first frame of a connection is awaited, in attended time.
    pub(crate) first_frames: BySlot<u32, Millis>,
    /// Listener and address of connections that count against a limit per address.
    pub(crate) counted_addresses: BySlot<u32, (u32, std::net::IpAddr)>,
    pub(crate) drain: Option<Drain>,
    pub(crate) autopsies: VecDeque<Autopsy<N::Socket>>,
    pub(crate) mail: Option<Mail<N>>,
    pub(crate) verdicts: Vec<Verdict>,
    /// What the codec itself wants to have sent (F7).
    pub(crate) control: Vec<u8>,
    /// The list that waits fill, and its size; made by the first wait.
    pub(crate) ready_list: Option<(N::Ready, usize)>,
    generation: u32,
    /// The descriptor was asked for: deadlines must show on it (R11).
    pub(crate) nested: bool,
    /// What the alarm is set to, to set it only when that changes.
    pub(crate) alarm: Option<Millis>,
    /// Somebody woke the reactor: poll returns, with or without events.
    pub(crate) woken: bool,
    /// In the middle of a turn's I/O, where no time may pass unseen.
    pub(crate) serving: bool,
    /// At the end of the last wait: the moment by which this turn judges, the same unrounded, and the clock for what it
    /// hears.
    pub(crate) now: Millis,
    pub(crate) now_ns: u64,
    pub(crate) heard_at: Millis,
    /// `now` as statistics keep it.
    pub(crate) step: Step,
}

/// What stands in when options name no policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DefaultPolicies {
    /// The framing has beats: `im`, role answer (L12, L13).
    pub(crate) beats: PolicyId,
    /// It has none: nobody judges.
    pub(crate) none: PolicyId,
    /// It is `websocket`: `web`, role both. Made when it is first needed.
    pub(crate) websocket: Option<PolicyId>,
}

impl<N: Net> Reactor<N> {
    /// A reactor over this kernel.
    pub fn over(net: N, mut config: Config) -> io::Result<Self> {
        config.connections_max = config.connections_max.min(CONNECTIONS_MAX);
        let now_ns = net.now_ns();
        let now = Millis::floor(now_ns);
        let mut monitor = Monitor::new(
            MonitorConfig {
                seed: config.seed,
                granularity_ms: config.granularity_ms,
                verdicts_per_turn: config.verdicts_per_turn,
                mass_silence: config.mass_silence,
                tells_sends: true,
            },
            now,
        );
        let define = |monitor: &mut Monitor, policy| {
            monitor.define(policy).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
        };
        let beats = define(&mut monitor, Policy::im())?;
        let policies = DefaultPolicies { beats, none: define(&mut monitor, Policy::none())?, websocket: None };
        Ok(Self {
            net,
            connections: Slab::new(),
            statistics: Vec::new(),
            monitor,
            options: OptionsTable::default(),
            policies,
            listeners: Slab::new(),
            accept_at: None,
            sends: Sends::default(),
            counters: Counters::default(),
            overshoots_ms: Histogram::new(),
            turns_us: Histogram::new(),
            turn_us: 0,
            aside: 0,
            pending: VecDeque::new(),
            ready: VecDeque::new(),
            ended: VecDeque::new(),
            obituaries: BySlot::default(),
            closing: BySlot::default(),
            dialling: BySlot::default(),
            write_errors: BySlot::default(),
            last_words: BySlot::default(),
            #[cfg(feature = "websocket")]
            upgrades: BySlot::default(),
            deflating: Deflating::default(),
            first_frames: BySlot::default(),
            counted_addresses: BySlot::default(),
            drain: None,
            autopsies: VecDeque::new(),
            mail: None,
            verdicts: Vec::new(),
            control: Vec::new(),
            ready_list: None,
            // R14: from a seeded random start, so that an id of another reactor is stale here.
            generation: (config.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 35) as u32 & GENERATION_MAX,
            nested: false,
            alarm: None,
            woken: false,
            serving: false,
            now,
            now_ns,
            heard_at: Millis::ceil(now_ns),
            step: Step::of(now),
            config,
        })
    }

    /// A new connection in a free slot. The caller has registered nothing yet.
    pub(crate) fn insert(
        &mut self,
        socket: N::Socket,
        options: u16,
        flags: u16,
        address: impl FnOnce(&mut N, &N::Socket) -> Option<std::net::SocketAddr>,
    ) -> ConnectionId {
        let address = if self.config.statistics { address(&mut self.net, &socket) } else { None };
        self.insert_known(socket, options, flags, address)
    }

    #[inline(never)]
    fn insert_known(
        &mut self,
        socket: N::Socket,
        options: u16,
        flags: u16,
        address: Option<std::net::SocketAddr>,
    ) -> ConnectionId {
        self.generation = if self.generation >= GENERATION_MAX { 1 } else { self.generation + 1 };
        let slot = self.connections.insert(Connection::new(socket, self.generation, options, flags));
        if self.config.statistics {
            let statistics = Statistics::new(address, self.now, self.monitor.stalls().count);
            if slot == self.statistics.len() {
                self.statistics.push(statistics);
            } else {
                self.statistics[slot] = statistics;
            }
        }
        if self.options.get(options).aside {
            self.aside += 1;
        } else {
            self.counters.connections_now += 1;
        }
        ConnectionId::new(slot as u32, self.generation)
    }

    /// The connection behind an id, unless the id is stale.
    #[inline]
    pub(crate) fn live(&self, id: ConnectionId) -> Option<&Connection<N::Socket>> {
        self.connections.get(id.slot() as usize).filter(|connection| connection.generation == id.generation())
    }

    #[inline]
    pub(crate) fn live_mut(&mut self, id: ConnectionId) -> Option<&mut Connection<N::Socket>> {
        self.connections.get_mut(id.slot() as usize).filter(|connection| connection.generation == id.generation())
    }

    /// Tells an event of a connection that lives.
    pub(crate) fn tell_of(&mut self, slot: u32, kind: RecordKind) {
        let connection = &self.connections[slot as usize];
        let (id, user) = (ConnectionId::new(slot, connection.generation), connection.user);
        self.tell(id, user, kind);
    }

    /// Keeps an event until a batch has room for it.
    pub(crate) fn tell(&mut self, id: ConnectionId, user: u64, kind: RecordKind) {
        self.pending.push_back((Record { id, user, kind }, None));
    }

    #[inline]
    pub(crate) fn deliver_pending(&mut self, events: &mut Events) {
        if !self.pending.is_empty() {
            self.deliver_some(events);
        }
    }

    #[inline(never)]
    fn deliver_some(&mut self, events: &mut Events) {
        while !events.is_full() {
            let Some((mut record, block)) = self.pending.pop_front() else { break };
            if let Some(bytes) = block {
                events.blocks.push(bytes);
                let number = events.blocks.len() as u32;
                match &mut record.kind {
                    RecordKind::Unsent { block } => *block = number,
                    #[cfg(feature = "websocket")]
                    RecordKind::Upgrade { block, .. } => *block = number,
                    _ => {}
                }
            }
            events.records.push(record);
        }
    }

    /// Whether more may be told than this batch has room for. What is told then goes out first with the next one.
    pub(crate) fn may_tell(&self) -> bool {
        self.pending.len() < PENDING_MAX
    }

    /// Defines a policy; at most 256 in all, two of which are the reactor's own, and a third where WebSocket is spoken. Equal ones get ids of their own, so that
    /// [`redefine_policy`](Self::redefine_policy) changes one of them alone.
    pub fn define_policy(&mut self, policy: Policy) -> Result<PolicyId, PolicyError> {
        self.monitor.define(policy)
    }

    /// What connections follow that name no policy and whose framing has beats.
    #[cfg(feature = "capi")]
    pub(crate) fn default_policy(&self) -> PolicyId {
        self.policies.beats
    }

    /// Counters of everything that happens.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is behind the liveness of all connections: the advisor, stalls, its own counters.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// The obituary of a connection whose end the last poll told.
    pub fn obituary(&self, id: ConnectionId) -> Option<&Obituary> {
        self.obituaries.get(&id)
    }
}
