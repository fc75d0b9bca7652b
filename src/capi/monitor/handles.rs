//! What is behind the pointer: the monitor, and the handles of its peers.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::heartline_peer;
use crate::capi::codes::{HEARTLINE_ERR_STALE, HEARTLINE_ERR_TOO_MANY};
use crate::capi::guard::Guest;
use crate::capi::policy::Policies;
use crate::liveness::{MAX_PEERS, Monitor, PolicyId, Verdict};

/// Bits of the slot in a handle; the generation is above them (29 bits), so that a double holds it exactly.
const SLOT_BITS: u32 = 24;
const GENERATION_MAX: u32 = (1 << 29) - 1;
/// Place is free.
const VACANT: u32 = 0;

pub(super) struct Peers {
    pub(super) monitor: Monitor,
    places: Vec<Place>,
    /// Places that are free, the newest last.
    free: Vec<u32>,
    generation: u32,
    pub(super) policies: Policies,
    pub(super) found: Vec<Verdict>,
}

/// What the host's peer is besides the monitor's: 16 bytes.
#[derive(Clone, Copy)]
struct Place {
    user: u64,
    generation: u32,
}

impl Guest for Peers {}

impl Peers {
    pub(super) fn new(monitor: Monitor, first: PolicyId) -> Self {
        // Ids of another monitor are stale here: the generation begins somewhere else each time.
        let generation = RandomState::new().build_hasher().finish() >> 35;
        Self {
            monitor,
            places: Vec::new(),
            free: Vec::new(),
            generation: generation as u32 & GENERATION_MAX,
            policies: Policies::new(first),
            found: Vec::new(),
        }
    }

    pub(super) fn id(&self, slot: u32) -> heartline_peer {
        u64::from(self.places[slot as usize].generation) << SLOT_BITS | u64::from(slot)
    }

    /// The slot behind a handle, unless it is stale.
    #[inline(always)]
    pub(super) fn slot(&self, peer: heartline_peer) -> Result<u32, i32> {
        let slot = (peer & ((1 << SLOT_BITS) - 1)) as u32;
        match self.places.get(slot as usize) {
            Some(place) if place.generation != VACANT && u64::from(place.generation) == peer >> SLOT_BITS => Ok(slot),
            _ => Err(HEARTLINE_ERR_STALE),
        }
    }

    /// A slot for a new peer.
    pub(super) fn place(&mut self, user: u64) -> Result<u32, i32> {
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

    /// From here on its handle is stale.
    pub(super) fn vacate(&mut self, slot: u32) {
        self.places[slot as usize] = Place { user: 0, generation: VACANT };
        self.free.push(slot);
    }

    pub(super) fn user(&self, slot: u32) -> u64 {
        self.places[slot as usize].user
    }

    pub(super) fn set_user(&mut self, slot: u32, user: u64) {
        self.places[slot as usize].user = user;
    }
}
