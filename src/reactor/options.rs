//! What a listener, a connection and the whole reactor are set to. Every limit has a name with its unit and a default (E1).

use std::sync::Arc;

use super::deflate::{Agreed, settle_deflate};
use crate::frame::Framing;
#[cfg(feature = "websocket")]
use crate::frame::websocket::upgrade::{ClientRequest, Rules};
use crate::liveness::{MassSilence, PolicyId};
#[cfg(feature = "websocket")]
use ipnet::IpNet;

/// Settings of the whole reactor.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seeds the jitter of asks and the first generation of ids. Default: drawn from the system.
    pub seed: u64,
    /// Lateness up to this is jitter; beyond it, it is a stall that counts for nobody (L5). Default 100.
    pub granularity_ms: u32,
    /// Verdicts in one turn (L8). Default 4,096.
    pub verdicts_per_turn: usize,
    /// The mass-silence guard. Default off.
    pub mass_silence: Option<MassSilence>,
    /// The autopsy: how long a descriptor declared dead is kept, shut for writing, to count bytes that still come.
    /// Default 0, off. At most [`AUTOPSIES_MAX`] are kept at once.
    pub autopsy_ms: u32,
    /// Keep address, times and counts per connection (48 bytes each), for the obituary. Default true.
    pub statistics: bool,
    /// Connections in all, those being dialled included; accepting pauses at the limit. Default and maximum
    /// [`CONNECTIONS_MAX`].
    pub connections_max: u32,
    /// All unfinished frames together, in bytes (F2). Who would exceed it is closed with `over_limit`. Default 256 MiB.
    pub partial_bytes_max: usize,
    /// All outboxes together, in bytes (R5). Default 1 GiB.
    pub outbox_bytes_max: usize,
    /// Requests that wait in the mailbox (any thread). Default 65,536.
    pub mailbox_max: usize,
}

/// How many descriptors an autopsy keeps at once.
pub const AUTOPSIES_MAX: usize = 1024;
/// Connections that one reactor can hold: slots that fit an id and the monitor.
pub const CONNECTIONS_MAX: u32 = crate::liveness::MAX_PEERS;

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: random_seed(),
            granularity_ms: 100,
            verdicts_per_turn: 4096,
            mass_silence: None,
            autopsy_ms: 0,
            statistics: true,
            connections_max: CONNECTIONS_MAX,
            partial_bytes_max: 256 << 20,
            outbox_bytes_max: 1 << 30,
            mailbox_max: 65_536,
        }
    }
}

/// A seed from the keys that the standard library draws for its hash maps.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Settings of one connection, or of all that a listener accepts.
#[derive(Clone, Debug)]
pub struct Options {
    /// How bytes are cut into frames. Shared, not copied.
    pub framing: Arc<Framing>,
    /// What the liveness follows. `None`: the default policy of the reactor, or none if the framing has no beat (L12).
    pub policy: Option<PolicyId>,
    /// Options of the socket.
    pub socket: SocketOptions,
    /// Limits on the outbox.
    pub marks: Marks,
    /// Limits in time (L10).
    pub limits: Limits,
    /// At the peer's FIN report `ReadClosed` and stay open for sending, instead of flushing and closing (R13).
    pub half_open: bool,
    /// Deliver beats too, as [`Beat`](super::EventKind::Beat) events.
    pub deliver_beats: bool,
    /// The upgrade, where the framing is `websocket`.
    #[cfg(feature = "websocket")]
    pub websocket: WebSocketOptions,
    /// For those who only watch, such as whoever fetches metrics: they do not count against `connections_max` nor in
    /// [`len`](super::core::Reactor::len) and `ids`, get no broadcasts to all, and live on in a drain until the last of the
    /// others has ended; their listener too. Default false.
    pub aside: bool,
}

impl Options {
    /// Options with this framing and every default.
    pub fn new(framing: Framing) -> Self {
        Self::shared(Arc::new(framing))
    }

    /// The same with a framing that others have too.
    pub fn shared(framing: Arc<Framing>) -> Self {
        Self {
            framing,
            policy: None,
            socket: SocketOptions::default(),
            marks: Marks::default(),
            limits: Limits::default(),
            half_open: false,
            deliver_beats: false,
            #[cfg(feature = "websocket")]
            websocket: WebSocketOptions::default(),
            aside: false,
        }
    }

    /// Whether an adopted connection with these options is one that we have dialled.
    pub(crate) fn is_client(&self) -> bool {
        #[cfg(feature = "websocket")]
        return self.websocket.client && self.framing.is_websocket();
        #[cfg(not(feature = "websocket"))]
        false
    }

    /// The same with a policy.
    #[must_use]
    pub fn policy(mut self, policy: PolicyId) -> Self {
        self.policy = Some(policy);
        self
    }
}

/// The upgrade with which a WebSocket begins.
#[cfg(feature = "websocket")]
#[derive(Clone, Debug)]
pub struct WebSocketOptions {
    /// Whom a listener lets in. Shared. Default none: everybody, at any path.
    pub rules: Option<Arc<Rules>>,
    /// What is asked of a server. Shared. Default none: `/` of the host that is the address.
    pub request: Option<Arc<ClientRequest>>,
    /// An adopted connection was dialled by us: we ask, and mask what we send. Default false.
    pub client: bool,
    /// An adopted connection is upgraded already: its bytes are frames. Default false.
    pub upgraded: bool,
    /// What a connection is set to instead that does not begin as HTTP does (`GET `), or sends nothing within `upgrade_ms`: one port for
    /// browsers and for others. A framing whose frames can begin so (text) is not to be told apart. Shared. Default none.
    pub otherwise: Option<Arc<Options>>,
    /// From the accept or the adoption to the end of the upgrade, the application's answer included; 0 is off. A connection
    /// that is dialled here has `connect_ms` for both. Default 10,000.
    pub upgrade_ms: u32,
}

/// Equal, with `otherwise` compared by identity.
#[cfg(feature = "websocket")]
impl PartialEq for WebSocketOptions {
    fn eq(&self, other: &Self) -> bool {
        let Self { rules, request, client, upgraded, otherwise, upgrade_ms } = self;
        let same_otherwise = match (otherwise, &other.otherwise) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (None, None) => true,
            _ => false,
        };
        same_otherwise
            && (rules, request) == (&other.rules, &other.request)
            && (client, upgraded, upgrade_ms) == (&other.client, &other.upgraded, &other.upgrade_ms)
    }
}

#[cfg(feature = "websocket")]
impl Default for WebSocketOptions {
    fn default() -> Self {
        Self { rules: None, request: None, client: false, upgraded: false, otherwise: None, upgrade_ms: 10_000 }
    }
}

/// Options of a socket. The kernel's are helpers; beats decide (L9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// TCP_NODELAY. Default true.
    pub nodelay: bool,
    /// SO_KEEPALIVE. Default none; a connection that no policy judges gets [`Keepalive::default`] (L12).
    pub keepalive: Option<Keepalive>,
    /// TCP_USER_TIMEOUT in milliseconds. Default 0, off: the kernel applies it to a living peer that does not read.
    /// Where a policy judges it is left off; elsewhere it is raised to the output-progress limit (L9).
    pub user_timeout_ms: u32,
    /// SO_SNDBUF in bytes. Default 0: the kernel's.
    pub send_buffer_bytes: u32,
    /// SO_RCVBUF in bytes. Default 0: the kernel's.
    pub receive_buffer_bytes: u32,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { nodelay: true, keepalive: None, user_timeout_ms: 0, send_buffer_bytes: 0, receive_buffer_bytes: 0 }
    }
}

impl SocketOptions {
    /// What a new socket is set to.
    pub const KERNEL: Self =
        Self { nodelay: false, keepalive: None, user_timeout_ms: 0, send_buffer_bytes: 0, receive_buffer_bytes: 0 };
}

/// The kernel's own probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Seconds of silence before the first probe. Default 60.
    pub idle_s: u32,
    /// Seconds between probes. Default 20.
    pub interval_s: u32,
    /// Probes without an answer before the kernel gives up. Default 3.
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { idle_s: 60, interval_s: 20, count: 3 }
    }
}

/// What happens to a message that does not fit under the high mark (R5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// `send` says no; the connection stays.
    #[default]
    Refuse,
    /// The oldest waiting messages make room; each is counted and reported by `Unsent`.
    DropOldest,
    /// The connection is closed with `outbox_full`.
    Close,
}

/// Marks of the outbox (R5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Over this many queued bytes a message is not taken; one message fits an empty queue whatever its size. Default 1 MiB.
    pub high_bytes: u32,
    /// `Drained` is told when the queue has fallen to this. Default 256 KiB.
    pub low_bytes: u32,
    /// What happens over the high mark.
    pub when_full: WhenFull,
}

impl Default for Marks {
    fn default() -> Self {
        Self { high_bytes: 1 << 20, low_bytes: 256 << 10, when_full: WhenFull::Refuse }
    }
}

/// Limits in attended time; 0 is off (L10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From open to the first whole frame. Default 0, off: a peer may come to listen.
    pub first_frame_ms: u32,
    /// From the first byte of a frame to its last. Default 30,000.
    pub frame_ms: u32,
    /// From queued output to the kernel taking some of it. Default 30,000.
    pub output_ms: u32,
    /// From `connect` to an established connection. Default 10,000.
    pub connect_ms: u32,
    /// From `close` to the end: the flush, and the peer's own FIN. Default 5,000.
    pub close_ms: u32,
    /// A peer that leaves earlier than this after the open and has not sent a byte was a health check of a balancer: its
    /// end is told as `health_check`, whether it was a FIN or a reset. Default 0, off.
    pub health_check_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_frame_ms: 0,
            frame_ms: 30_000,
            output_ms: 30_000,
            connect_ms: 10_000,
            close_ms: 5_000,
            health_check_ms: 0,
        }
    }
}

/// Settings of a listener.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// What accepted connections are set to.
    pub connection: Options,
    /// Length of the kernel's accept queue. Default 4,096; the kernel cuts it to net.core.somaxconn.
    pub backlog: u32,
    /// SO_REUSEPORT: several reactors on one port. Default false.
    pub reuse_port: bool,
    /// Connections of one remote address; more are accepted and reset at once, counted as
    /// `over_limit` without an event. Default 0, off: behind a balancer or a carrier's NAT all clients share one address.
    pub per_address_max: u32,
    /// Connections accepted in a second; more wait in the kernel's queue. Default 0, off.
    pub accepts_per_second: u32,
    /// Balancers that begin each connection with a header of the PROXY protocol, version 1 or 2, which says who is behind
    /// it: that address counts and is told. It must come within `websocket.upgrade_ms`. Connections of others are taken as they are.
    /// Default none.
    #[cfg(feature = "websocket")]
    pub proxy_from: Vec<IpNet>,
}

impl ListenOptions {
    /// A listener whose connections have these options, and every default.
    pub fn new(connection: Options) -> Self {
        Self {
            connection,
            backlog: 4096,
            reuse_port: false,
            per_address_max: 0,
            accepts_per_second: 0,
            #[cfg(feature = "websocket")]
            proxy_from: Vec::new(),
        }
    }
}

/// The distinct [`Options`] in use, by a small number that fits a connection. Counted, so that the table of a reactor
/// that dials with ever new options does not grow.
#[derive(Debug, Default)]
pub(crate) struct OptionsTable {
    /// One that nobody uses keeps its options until others need its place.
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    /// As the caller gave them, to find them again.
    pub(crate) given: Options,
    /// For connections that we dial.
    pub(crate) dialled: bool,
    /// As they hold: the policy settled, the frame limit of a dialled connection applied.
    pub(crate) options: Options,
    /// What was agreed of permessage-deflate; the framing deflates only where something was.
    pub(crate) agreed: Option<Agreed>,
    /// A beat is answered by itself and shown to nobody: the quick way.
    pub(crate) echoes_beats: bool,
    uses: u32,
}

impl OptionsTable {
    /// The number of these options, made if new, with one more use. `None` when 65,535 distinct ones are in use.
    /// `policy` stands in where the options name none.
    pub(crate) fn intern(
        &mut self,
        given: &Options,
        dialled: bool,
        policy: PolicyId,
        agreed: Option<Agreed>,
    ) -> Option<u16> {
        let same =
            |entry: &Entry| entry.dialled == dialled && entry.agreed == agreed && same_options(&entry.given, given);
        if let Some(index) = self.entries.iter().position(same) {
            self.retain(index as u16);
            return Some(index as u16);
        }
        let free = self.entries.iter().position(|entry| entry.uses == 0);
        if free.is_none() && self.entries.len() >= usize::from(u16::MAX) {
            return None;
        }
        let mut options = given.clone();
        options.policy.get_or_insert(policy);
        if dialled {
            options.framing = Arc::new(given.framing.for_dialled());
        }
        settle_deflate(&mut options.framing, agreed);
        let echoes_beats = options.framing.echoes_beats() && !options.deliver_beats;
        let entry = Entry { given: given.clone(), dialled, options, agreed, echoes_beats, uses: 1 };
        let index = match free {
            Some(free) => {
                self.entries[free] = entry;
                free
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        Some(index as u16)
    }

    pub(crate) fn retain(&mut self, index: u16) {
        self.entries[usize::from(index)].uses += 1;
    }

    pub(crate) fn release(&mut self, index: u16) {
        self.entries[usize::from(index)].uses -= 1;
    }

    /// The framing behind a number; of one that is in use there always is one.
    #[inline(always)]
    pub(crate) fn framing(&self, index: u16) -> Option<&Framing> {
        self.entries.get(usize::from(index)).map(|entry| &*entry.options.framing)
    }

    /// The options behind a number that is in use.
    #[inline(always)]
    pub(crate) fn get(&self, index: u16) -> &Options {
        &self.entry(index).options
    }

    /// The same with what was found out about them.
    #[inline(always)]
    pub(crate) fn entry(&self, index: u16) -> &Entry {
        &self.entries[usize::from(index)]
    }
}

/// Equal, with the framing compared by identity: two parses of one text are two framings.
fn same_options(a: &Options, b: &Options) -> bool {
    Arc::ptr_eq(&a.framing, &b.framing)
        && a.policy == b.policy
        && a.socket == b.socket
        && a.marks == b.marks
        && a.limits == b.limits
        && a.half_open == b.half_open
        && a.deliver_beats == b.deliver_beats
        && a.aside == b.aside
        && same_upgrade(a, b)
}

#[cfg(feature = "websocket")]
fn same_upgrade(a: &Options, b: &Options) -> bool {
    a.websocket == b.websocket
}

#[cfg(not(feature = "websocket"))]
fn same_upgrade(_: &Options, _: &Options) -> bool {
    true
}
