//! Level 1: liveness for connections that the host owns.

use std::ffi::CStr;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::codes::*;
use super::guard::{Guarded, Guest, Outcome, apart, enter, free, give, saturated};
use super::policy::{Policies, heartline_policy};
use super::settings::{mass_silence, or};
use super::sized::{self, Sized_};
use crate::liveness::{Beat, MAX_PEERS, Monitor, MonitorConfig, Owed, Policy, Verdict, VerdictKind};
use crate::time::Millis;

/// Watches the peers of a host that owns its sockets and its loop: TCP, UDP, KCP, anything with an id. One thread at a
/// time, any thread.
pub struct heartline_monitor(Guarded<Peers>);

/// A peer of a monitor: below 2^53, never 0, and stale once removed.
pub type heartline_peer = u64;

/// How a monitor works. A field that is 0 has its default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_monitor_config {
    /// sizeof(heartline_monitor_config).
    pub struct_size: u32,
    /// Lateness up to this is jitter and counts, in milliseconds; beyond it, all of it counts for nobody. 0: 100. A host
    /// that calls on a beat of its own, say once a second, says 1000.
    pub granularity_ms: u32,
    /// Decides when each peer is asked.
    pub seed: u64,
    /// More than this share of all peers, in percent, fell suspect within the window: it is our own uplink, and verdicts
    /// are held. 0: off.
    pub mass_silence_percent: u32,
    /// 0: 5000.
    pub mass_silence_window_ms: u32,
    /// The longest time that verdicts are held. 0: 60000.
    pub mass_silence_hold_ms: u32,
    /// Fewer peers than this are never a mass. 0: 100.
    pub mass_silence_peers_min: u32,
    /// Not 0: the host says heartline_monitor_spoke for what it sends, and a peer to which nothing was sent for an interval
    /// is asked too, since it judges us as we judge it.
    pub tells_sends: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_monitor_config {
    const FIRST_BYTES: usize = 40;
    fn reserved_is_zero(&self) -> bool {
        self.reserved == 0
    }
}

/// Something that the host should do or know.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_verdict {
    /// Whom it is about; 0 for STALLED and MASS_SILENCE.
    pub peer: heartline_peer,
    /// The host's word of that peer.
    pub user: u64,
    /// Silence so far, in attended milliseconds. REVIVED: the silence that ended. STALLED: the length of the stall.
    /// MASS_SILENCE: how many peers are silent.
    pub silence_ms: u32,
    /// How long after its due time the verdict comes; never negative. MASS_SILENCE: of how many peers.
    pub overshoot_ms: u32,
    /// HEARTLINE_VERDICT_. More kinds may come: pass over those you do not know.
    pub kind: u16,
    /// Asks without an answer; 255 stands for more.
    pub unanswered: u16,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<heartline_verdict>() == 32);

/// Verdict: send it an ask; it counts as sent.
pub const HEARTLINE_VERDICT_ASK: u16 = 1;
/// Verdict: silent for suspect_ms; it may still revive.
pub const HEARTLINE_VERDICT_SUSPECT: u16 = 2;
/// Verdict: a suspect was heard again.
pub const HEARTLINE_VERDICT_REVIVED: u16 = 3;
/// Verdict: silent for timeout_ms. A proposal: take a last look at the socket (MSG_PEEK), say heard if there is a byte,
/// otherwise remove it. If the host does neither, it comes again after an interval.
pub const HEARTLINE_VERDICT_DEAD: u16 = 4;
/// Verdict: this process was stopped or busy; the time counts for nobody.
pub const HEARTLINE_VERDICT_STALLED: u16 = 5;
/// Verdict: so many fell silent together that it is our own uplink.
pub const HEARTLINE_VERDICT_MASS_SILENCE: u16 = 6;

pub(super) const VERDICT_NAMES: &[&CStr] =
    &[c"none", c"ask", c"suspect", c"revived", c"dead", c"stalled", c"mass_silence"];

/// Kind of beat: "are you there?"
pub const HEARTLINE_BEAT_ASK: u32 = 1;
/// Kind of beat: "yes".
pub const HEARTLINE_BEAT_ANSWER: u32 = 2;
/// Kind of beat: ask and answer are the same bytes. An answer if an ask is outstanding, otherwise an ask.
pub const HEARTLINE_BEAT_EITHER: u32 = 3;

/// heartline_monitor_set: the host's word, a number or a pointer that Heartline never reads.
pub const HEARTLINE_SET_USER: u32 = 1;
/// Follow the policy in this slot from now on. The silence goes on.
pub const HEARTLINE_SET_POLICY: u32 = 2;
/// Nobody judges it for so many milliseconds (a loading screen); its silence is counted from then on.
pub const HEARTLINE_SET_GRACE_MS: u32 = 3;
/// 1: stop reading (in a monitor: the host does not read it, so nobody judges it); 0: read on.
pub const HEARTLINE_SET_PAUSE_READ: u32 = 4;

/// What is known of one peer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_peer_info {
    /// sizeof(heartline_peer_info) as the caller knows it.
    pub struct_size: u32,
    /// Attended milliseconds since the last byte.
    pub silence_ms: u32,
    /// The host's word.
    pub user: u64,
    /// The last round trip from ask to answer; HEARTLINE_OFF if none was measured.
    pub rtt_ms: u32,
    /// Asks without an answer; 255 stands for more.
    pub unanswered: u32,
    /// Slot of its policy.
    pub policy: u32,
    /// 1: reported as suspect and not heard since.
    pub suspect: u32,
    /// 1: its death was proposed and neither accepted nor taken back.
    pub dead: u32,
    /// 1: not judged, since the host does not read it.
    pub paused: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_peer_info {
    const FIRST_BYTES: usize = 40;
}

/// Running totals of a monitor, and what its silences say about a timeout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct heartline_monitor_stats {
    /// sizeof(heartline_monitor_stats) as the caller knows it.
    pub struct_size: u32,
    /// The longest silence that ended, in milliseconds.
    pub silence_longest_ms: u32,
    /// Peers watched now.
    pub peers: u64,
    /// ASK verdicts.
    pub asks: u64,
    /// Answers to outstanding asks.
    pub answers: u64,
    /// Answers owed to peers.
    pub owed: u64,
    /// SUSPECT verdicts.
    pub suspects: u64,
    /// REVIVED verdicts.
    pub revived: u64,
    /// DEAD verdicts, each peer's first in a silence.
    pub dead: u64,
    /// Stalls of this process.
    pub stalls: u64,
    /// Their length together, in milliseconds.
    pub stalled_ms: u64,
    /// Silences that ended, of half an interval and more. Below 10,000 the next two are a guess.
    pub silences: u64,
    /// 99 % of these silences were over by so many milliseconds.
    pub silence_p99_ms: u32,
    /// 99.99 % of them. A timeout should lie an interval above it.
    pub silence_p9999_ms: u32,
}

// SAFETY: numbers alone.
unsafe impl Sized_ for heartline_monitor_stats {
    const FIRST_BYTES: usize = 96;
}

/// Bits of the slot in a handle; the generation is above them (29 bits), so that a double holds it exactly.
const SLOT_BITS: u32 = 24;
const GENERATION_MAX: u32 = (1 << 29) - 1;
/// Place is free.
const VACANT: u32 = 0;

struct Peers {
    monitor: Monitor,
    places: Vec<Place>,
    /// Places that are free, the newest last.
    free: Vec<u32>,
    generation: u32,
    policies: Policies,
    found: Vec<Verdict>,
}

/// What the host's peer is besides the monitor's: 16 bytes.
#[derive(Clone, Copy)]
struct Place {
    user: u64,
    generation: u32,
}

impl Guest for Peers {}

impl Peers {
    fn id(&self, slot: u32) -> heartline_peer {
        u64::from(self.places[slot as usize].generation) << SLOT_BITS | u64::from(slot)
    }

    /// The slot behind a handle, unless it is stale.
    #[inline(always)]
    fn slot(&self, peer: heartline_peer) -> Result<u32, i32> {
        let slot = (peer & ((1 << SLOT_BITS) - 1)) as u32;
        match self.places.get(slot as usize) {
            Some(place) if place.generation != VACANT && u64::from(place.generation) == peer >> SLOT_BITS => Ok(slot),
            _ => Err(HEARTLINE_ERR_STALE),
        }
    }

    fn place(&mut self, user: u64) -> Result<u32, i32> {
        self.generation = if self.generation >= GENERATION_MAX { 1 } else { self.generation + 1 };
        let place = Place { user, generation: self.generation };
        if let Some(slot) = self.free.pop() {
            self.places[slot as usize] = place;
            return Ok(slot);
        }
        let slot = u32::try_from(self.places.len()).ok().filter(|slot| *slot < MAX_PEERS);
        let slot = slot.ok_or(HEARTLINE_ERR_TOO_MANY)?;
        self.places.push(place);
        Ok(slot)
    }

    fn show(&self, verdict: &Verdict) -> heartline_verdict {
        let mut shown = heartline_verdict {
            peer: 0,
            user: 0,
            silence_ms: verdict.silence_ms,
            overshoot_ms: verdict.overshoot_ms,
            kind: match verdict.kind {
                VerdictKind::Ask => HEARTLINE_VERDICT_ASK,
                VerdictKind::Suspect => HEARTLINE_VERDICT_SUSPECT,
                VerdictKind::Revived => HEARTLINE_VERDICT_REVIVED,
                VerdictKind::Dead => HEARTLINE_VERDICT_DEAD,
                VerdictKind::Stalled => HEARTLINE_VERDICT_STALLED,
                VerdictKind::MassSilence { .. } => HEARTLINE_VERDICT_MASS_SILENCE,
                // This interface sets no limits of the host's.
                VerdictKind::Limit => 0,
            },
            unanswered: 0,
            reserved: 0,
        };
        if let VerdictKind::MassSilence { silent, of } = verdict.kind {
            (shown.silence_ms, shown.overshoot_ms) = (silent, of);
        }
        if verdict.peer != Verdict::NOBODY {
            shown.peer = self.id(verdict.peer);
            shown.user = self.places[verdict.peer as usize].user;
            shown.unanswered = self.monitor.state(verdict.peer).map_or(0, |state| state.unanswered as u16);
        }
        shown
    }
}

/// Makes a monitor whose time begins at `now_ms`. `config` is copied and may be NULL: every default. `*out` is the
/// caller's, to be freed by heartline_monitor_free. Any thread.
///
/// Returns 0, HEARTLINE_ERR_NULL, HEARTLINE_ERR_VERSION or HEARTLINE_ERR_INVALID.
///
/// # Safety
/// `config` is NULL or has the bytes it says; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_new(
    config: *const heartline_monitor_config,
    now_ms: u64,
    out: *mut *mut heartline_monitor,
) -> i32 {
    apart(|| {
        if out.is_null() {
            return Err(HEARTLINE_ERR_NULL);
        }
        // SAFETY: passed on.
        let config = unsafe { sized::read_or_default(config) }?;
        let mass_silence = mass_silence(
            config.mass_silence_percent,
            config.mass_silence_window_ms,
            config.mass_silence_hold_ms,
            config.mass_silence_peers_min,
        )?;
        let config = MonitorConfig {
            seed: config.seed,
            granularity_ms: or(config.granularity_ms, 100),
            mass_silence,
            tells_sends: config.tells_sends != 0,
            ..MonitorConfig::default()
        };
        let mut monitor = Monitor::new(config, Millis(now_ms));
        let first = monitor.define(Policy::im()).map_err(|_| HEARTLINE_ERR_POLICY)?;
        // Ids of another monitor are stale here: the generation begins somewhere else each time.
        let generation = RandomState::new().build_hasher().finish() >> 35;
        let peers = Peers {
            monitor,
            places: Vec::new(),
            free: Vec::new(),
            generation: generation as u32 & GENERATION_MAX,
            policies: Policies::new(first),
            found: Vec::new(),
        };
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { give(out, heartline_monitor(Guarded::new(peers))) }
    })
}

/// Frees a monitor; NULL is a no-op. No other call may be under way.
///
/// # Safety
/// `monitor` is NULL or came from heartline_monitor_new and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_free(monitor: *mut heartline_monitor) {
    // SAFETY: passed on.
    unsafe { free(monitor, |monitor| monitor.0.is_inside()) }
}

/// Enters the monitor behind a pointer.
///
/// # Safety
/// `monitor` is NULL or points to a live monitor.
#[inline(always)]
unsafe fn within(monitor: *mut heartline_monitor, body: impl FnOnce(&mut Peers) -> Outcome) -> i32 {
    // SAFETY: NULL is caught; otherwise the caller vouches for it.
    let Some(monitor) = (unsafe { monitor.as_ref() }) else { return HEARTLINE_ERR_NULL };
    enter(&monitor.0, body)
}

/// Sets the policy in a slot, 0 to HEARTLINE_POLICIES_MAX - 1. Slot 0 is the profile `im` until it is set. Setting a slot
/// again changes its live peers. `policy` is copied.
///
/// Returns 0, HEARTLINE_ERR_POLICY if it makes no sense, or HEARTLINE_ERR_NULL, _VERSION, _INVALID, _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live; `policy` is NULL or has the bytes it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_policy(
    monitor: *mut heartline_monitor,
    slot: u32,
    policy: *const heartline_policy,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let policy = sized::read(policy)?.to_policy()?;
            let place = peers.policies.slot(slot)?;
            let known = *place;
            match known {
                Some(id) => peers.monitor.redefine(id, policy, Millis(now_ms)).map_err(|_| HEARTLINE_ERR_POLICY)?,
                None => *place = Some(peers.monitor.define(policy).map_err(|_| HEARTLINE_ERR_POLICY)?),
            }
            Ok(0)
        })
    }
}

/// Watches a new peer, heard now, by the policy in a slot. `user` is the host's word, which verdicts carry.
///
/// Returns 0, HEARTLINE_ERR_NULL, _INVALID (no policy in that slot), _TOO_MANY (16,776,958 peers), _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live; `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_add(
    monitor: *mut heartline_monitor,
    user: u64,
    policy: u32,
    now_ms: u64,
    out: *mut heartline_peer,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            if out.is_null() {
                return Err(HEARTLINE_ERR_NULL);
            }
            let policy = peers.policies.get(u64::from(policy))?;
            let slot = peers.place(user)?;
            peers.monitor.add(slot, policy, heard_at(now_ms));
            out.write_unaligned(peers.id(slot));
            Ok(0)
        })
    }
}

/// Forgets a peer, and with it any verdict about it that was not given out. Its handle is stale from here on.
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_remove(monitor: *mut heartline_monitor, peer: heartline_peer) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            peers.monitor.remove(slot);
            peers.places[slot as usize] = Place { user: 0, generation: VACANT };
            peers.free.push(slot);
            Ok(0)
        })
    }
}

/// Bytes came from a peer: once per read, whatever they are, `now_ms` the clock after the wait.
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_heard(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            peers.monitor.heard(slot, heard_at(now_ms));
            Ok(0)
        })
    }
}

/// A beat came from a peer, which is also heard. `kind` is HEARTLINE_BEAT_.
///
/// Returns 1 if an answer is owed: send it; 0 if nothing is; or HEARTLINE_ERR_STALE, _INVALID, _NULL, _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_beat(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    kind: u32,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let kind = match kind {
                HEARTLINE_BEAT_ASK => Beat::Ask,
                HEARTLINE_BEAT_ANSWER => Beat::Answer,
                HEARTLINE_BEAT_EITHER => Beat::Either,
                _ => return Err(HEARTLINE_ERR_INVALID),
            };
            let slot = peers.slot(peer)?;
            Ok(i32::from(peers.monitor.beat(slot, kind, heard_at(now_ms)) == Owed::Answer))
        })
    }
}

/// Something was sent to a peer. Counts where tells_sends is set.
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL or _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_spoke(monitor: *mut heartline_monitor, peer: heartline_peer) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            peers.monitor.spoke(slot);
            Ok(0)
        })
    }
}

/// Sets something of a peer: HEARTLINE_SET_USER, _POLICY, _GRACE_MS or _PAUSE_READ.
///
/// Returns 0, HEARTLINE_ERR_STALE, _INVALID, _NULL or _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_set(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    what: u32,
    value: u64,
    now_ms: u64,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            let now = Millis(now_ms);
            match (what, value) {
                (HEARTLINE_SET_USER, _) => peers.places[slot as usize].user = value,
                (HEARTLINE_SET_POLICY, _) => peers.monitor.set_policy(slot, peers.policies.get(value)?, now),
                (HEARTLINE_SET_GRACE_MS, _) => peers.monitor.grace(slot, now + value),
                (HEARTLINE_SET_PAUSE_READ, 0) => peers.monitor.resume(slot, now),
                (HEARTLINE_SET_PAUSE_READ, 1) => peers.monitor.pause(slot, now),
                _ => return Err(HEARTLINE_ERR_INVALID),
            }
            Ok(0)
        })
    }
}

/// How long the host may wait, in milliseconds: for epoll_wait or poll. −1: for ever. It is also the promise to be back by
/// then: what a later call comes too late, beyond granularity_ms, is a stall and counts for nobody.
///
/// Returns milliseconds from 0 up, −1, or HEARTLINE_ERR_NULL, _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_wait_ms(monitor: *mut heartline_monitor, now_ms: u64) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let wait_ms = peers.monitor.wait_ms(Millis(now_ms));
            Ok(wait_ms.map_or(-1, saturated))
        })
    }
}

/// The wait is over. Call it before `heard` of what came, if the host may have been stopped; heartline_monitor_advance
/// finds a stall too, but then what was heard before it looks like a long silence that ended.
///
/// Returns the length of a stall in milliseconds, 0 if there was none, or HEARTLINE_ERR_NULL, _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_woke(monitor: *mut heartline_monitor, now_ms: u64) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let stall = peers.monitor.woke(Millis(now_ms));
            Ok(stall.map_or(0, |stall| saturated(stall.ms)))
        })
    }
}

/// Writes what is due into `verdicts`, at most `capacity`; call it after what came was heard, and again while it returns
/// `capacity`. Bounded work each time. The verdicts are the caller's; nothing in them is borrowed.
/// A peer that the host removes on its way through them may stand further on too: pass over what is of a removed peer, before
/// `user` is followed.
///
/// Returns how many there are, from 0 up, or HEARTLINE_ERR_NULL, _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live; `verdicts` is NULL with 0, or has room for `capacity`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_advance(
    monitor: *mut heartline_monitor,
    now_ms: u64,
    verdicts: *mut heartline_verdict,
    capacity: u32,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            if verdicts.is_null() && capacity > 0 {
                return Err(HEARTLINE_ERR_NULL);
            }
            let capacity = capacity.min(VERDICTS_MAX);
            let mut found = std::mem::take(&mut peers.found);
            peers.monitor.advance_at_most(Millis(now_ms), &mut found, capacity as usize);
            let mut count = 0;
            for verdict in found.iter().take(capacity as usize) {
                verdicts.add(count).write_unaligned(peers.show(verdict));
                count += 1;
            }
            found.clear();
            peers.found = found;
            Ok(count as i32)
        })
    }
}

/// The most verdicts of one call.
const VERDICTS_MAX: u32 = 65_536;

/// What is known of a peer. `info` has `size` bytes (sizeof *info).
///
/// Returns 0, HEARTLINE_ERR_STALE, _NULL, _VERSION or _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live; `info` is NULL or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_info(
    monitor: *mut heartline_monitor,
    peer: heartline_peer,
    now_ms: u64,
    info: *mut heartline_peer_info,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let slot = peers.slot(peer)?;
            let state = peers.monitor.state(slot).ok_or(HEARTLINE_ERR_STALE)?;
            let shown = heartline_peer_info {
                struct_size: 0,
                silence_ms: peers.monitor.silence_ms(slot, Millis(now_ms)).unwrap_or(0),
                user: peers.places[slot as usize].user,
                rtt_ms: state.rtt_ms.unwrap_or(super::HEARTLINE_OFF),
                unanswered: state.unanswered,
                policy: peers.policies.slot_of(state.policy).unwrap_or(super::HEARTLINE_OFF),
                suspect: u32::from(state.suspect),
                dead: u32::from(state.dead),
                paused: u32::from(state.paused),
            };
            sized::write(info, size, &shown).map(|()| 0)
        })
    }
}

/// Running totals. `stats` has `size` bytes (sizeof *stats).
///
/// Returns 0, HEARTLINE_ERR_NULL, _VERSION or _OVERLAP.
///
/// # Safety
/// `monitor` is NULL or live; `stats` is NULL or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heartline_monitor_read_stats(
    monitor: *mut heartline_monitor,
    stats: *mut heartline_monitor_stats,
    size: usize,
) -> i32 {
    // SAFETY: passed on.
    unsafe {
        within(monitor, |peers| {
            let (counters, stalls) = (peers.monitor.counters(), peers.monitor.stalls());
            let advisor = peers.monitor.advisor();
            let shown = heartline_monitor_stats {
                struct_size: 0,
                silence_longest_ms: advisor.longest_ms(),
                peers: peers.monitor.len() as u64,
                asks: counters.asks,
                answers: counters.answers,
                owed: counters.owed,
                suspects: counters.suspects,
                revived: counters.revived,
                dead: counters.dead,
                stalls: stalls.count,
                stalled_ms: stalls.ms,
                silences: advisor.count(),
                silence_p99_ms: advisor.quantile(0.99),
                silence_p9999_ms: advisor.quantile(0.9999),
            };
            sized::write(stats, size, &shown).map(|()| 0)
        })
    }
}

/// What the host's clock says is rounded down; a byte is stamped rounded up, so that nobody is judged early (L4).
#[inline(always)]
fn heard_at(now_ms: u64) -> Millis {
    Millis(now_ms) + 1
}
