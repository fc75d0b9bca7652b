//! The live connections of an application, in the order of their beginning as far as they are few: of a hundred thousand
//! one is taken out without moving the others.

use std::collections::HashMap;

use heartline::reactor::ConnectionId;

/// Up to so many their order is kept.
const FEW: usize = 1000;

/// Connections, and whether we dialled them.
#[derive(Debug, Default)]
pub struct Crowd {
    members: Vec<(ConnectionId, bool)>,
    places: HashMap<ConnectionId, usize>,
}

impl Crowd {
    pub fn push(&mut self, id: ConnectionId, dialled: bool) {
        self.places.insert(id, self.members.len());
        self.members.push((id, dialled));
    }

    pub fn remove(&mut self, id: ConnectionId) {
        let Some(place) = self.places.remove(&id) else { return };
        if self.members.len() > FEW {
            self.members.swap_remove(place);
        } else {
            self.members.remove(place);
        }
        let moved = if self.members.len() >= FEW {
            place..(place + 1).min(self.members.len())
        } else {
            place..self.members.len()
        };
        for place in moved {
            self.places.insert(self.members[place].0, place);
        }
    }

    pub fn get(&self, place: usize) -> Option<(ConnectionId, bool)> {
        self.members.get(place).copied()
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (ConnectionId, bool)> + '_ {
        self.members.iter().copied()
    }
}
