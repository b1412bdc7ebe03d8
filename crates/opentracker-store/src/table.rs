//! Peers of a large swarm: an open-addressing hash table that holds the cells themselves.
//!
//! Eight IPv4 cells share a cache line, so linear probing finds a peer in one or two lines, and
//! because there is no separate index a peer costs its cell and the vacant slots beside it: the
//! table is between 70 % and 87.5 % full while it grows, about 10 octets an IPv4 peer. Capacities
//! are not powers of two; a hash is scaled to the capacity instead of masked.

use crate::cell::{Cell, PeerKeys};

#[derive(Debug, Clone)]
pub(crate) struct Table<C> {
    /// Empty, or with at least one vacant slot.
    slots: Box<[C]>,
    len: usize,
}

impl<C: Cell> Table<C> {
    pub(crate) fn new() -> Self {
        Self {
            slots: Box::default(),
            len: 0,
        }
    }

    /// Number of peers.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All slots, vacant ones included. At least a quarter is occupied, or there are few.
    pub(crate) fn slots(&self) -> &[C] {
        &self.slots
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = &C> {
        self.slots.iter().filter(|cell| !cell.is_vacant())
    }

    pub(crate) fn slot_mut(&mut self, slot: usize) -> &mut C {
        &mut self.slots[slot]
    }

    pub(crate) fn find(&self, peer: &C, keys: &PeerKeys) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = self.home(peer, keys);
        loop {
            let cell = &self.slots[slot];
            if cell.is_same_peer(peer) {
                return Some(slot);
            }
            if cell.is_vacant() {
                return None;
            }
            slot = self.next(slot);
        }
    }

    /// Puts in a peer that is not there yet and returns its slot.
    pub(crate) fn insert(&mut self, cell: C, keys: &PeerKeys) -> usize {
        if (self.len + 1) * 8 > self.slots.len() * 7 {
            self.rebuild(self.len + 1, keys);
        }
        self.len += 1;
        self.place(cell, keys)
    }

    /// Takes out the peer at an occupied slot. The table keeps its capacity; see [`Self::fit`].
    pub(crate) fn remove(&mut self, slot: usize, keys: &PeerKeys) -> C {
        let removed = self.slots[slot];
        let mut hole = slot;
        let mut candidate = slot;
        loop {
            candidate = self.next(candidate);
            let cell = self.slots[candidate];
            if cell.is_vacant() {
                break;
            }
            // The hole may take a cell that probing would reach from its home through the hole.
            let home = self.home(&cell, keys);
            if self.distance(home, candidate) >= self.distance(hole, candidate) {
                self.slots[hole] = cell;
                hole = candidate;
            }
        }
        self.slots[hole] = C::VACANT;
        self.len -= 1;
        removed
    }

    /// Gives memory back when less than a quarter of the slots is occupied, so that random slots
    /// hit a peer soon enough.
    pub(crate) fn fit(&mut self, keys: &PeerKeys) {
        if self.len == 0 {
            self.slots = Box::default();
        } else if self.slots.len() > MIN_SLOTS && self.len * 4 < self.slots.len() {
            self.rebuild(self.len, keys);
        }
    }

    /// Octets of the slots on the heap.
    pub(crate) fn heap_octets(&self) -> usize {
        self.slots.len() * C::LEN
    }

    fn rebuild(&mut self, peers: usize, keys: &PeerKeys) {
        let slots = (peers * 10 / 7 + 1).next_multiple_of(MIN_SLOTS);
        let vacant = vec![C::VACANT; slots].into_boxed_slice();
        let old = std::mem::replace(&mut self.slots, vacant);
        for cell in old.iter().filter(|cell| !cell.is_vacant()) {
            self.place(*cell, keys);
        }
    }

    fn place(&mut self, cell: C, keys: &PeerKeys) -> usize {
        let mut slot = self.home(&cell, keys);
        while !self.slots[slot].is_vacant() {
            slot = self.next(slot);
        }
        self.slots[slot] = cell;
        slot
    }

    fn home(&self, cell: &C, keys: &PeerKeys) -> usize {
        let scaled = u64::from(cell.hash(keys)) * self.slots.len() as u64;
        usize::try_from(scaled >> 32).expect("less than the number of slots")
    }

    fn next(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() {
            0
        } else {
            slot + 1
        }
    }

    /// Steps from one slot forward to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.slots.len() - from
        }
    }
}

/// The smallest table: one cache line of IPv4 cells.
const MIN_SLOTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell4;
    use std::collections::BTreeMap;

    const KEYS: PeerKeys = PeerKeys {
        mask: 0x1234_5678_9abc_def0,
        factor: 0x9e37_79b9_7f4a_7c15,
    };

    fn peer(number: u32) -> Cell4 {
        let [a, b, c, d] = number.to_be_bytes();
        [10, a, b, c, 0x80 | d >> 1, d, 0, 0]
    }

    #[test]
    fn holds_what_was_put_in_and_not_taken_out() {
        let mut table = Table::new();
        let mut model = BTreeMap::new();
        let mut state = 1_u32;
        for step in 0..60_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Grow for a while, then shrink, so that both rebuilds happen.
            let growing = step / 10_000 % 2 == 0;
            let number = (state >> 16) % 3000;
            let cell = peer(number);
            match table.find(&cell, &KEYS) {
                Some(slot) => {
                    assert!(model.contains_key(&number));
                    if !growing || state & 7 == 0 {
                        assert!(table.remove(slot, &KEYS).is_same_peer(&cell));
                        table.fit(&KEYS);
                        model.remove(&number);
                    }
                }
                None => {
                    assert!(!model.contains_key(&number));
                    if growing || state & 7 == 0 {
                        let slot = table.insert(cell, &KEYS);
                        assert!(table.slots()[slot].is_same_peer(&cell));
                        model.insert(number, ());
                    }
                }
            }
            assert_eq!(table.len(), model.len());
        }
        assert_eq!(table.cells().count(), model.len());
        for number in 0..3000 {
            let found = table.find(&peer(number), &KEYS).is_some();
            assert_eq!(found, model.contains_key(&number));
        }
    }

    #[test]
    fn probes_are_short_for_regular_peers_and_poor_keys() {
        let keys = [
            KEYS,
            PeerKeys {
                mask: 0x5a5a_5a5a_5a5a_5a5a,
                factor: 0x5a5a_5a5a_5a5a_5a5b,
            },
        ];
        for keys in keys {
            let mut table = Table::new();
            for number in 0..20_000_u32 {
                // Seven consecutive ports on consecutive addresses.
                let [_, a, b, c] = (number / 7).to_be_bytes();
                let port = (number % 7).to_be_bytes()[3];
                table.insert([32, a, b, c, 4, port, 0, 0], &keys);
            }
            let steps: usize = (0..table.slots().len())
                .filter(|&slot| !table.slots()[slot].is_vacant())
                .map(|slot| table.distance(table.home(&table.slots()[slot], &keys), slot))
                .sum();
            // Linear probing at a load of 7/8 takes 3.5 steps on the average.
            assert!(steps < 5 * table.len(), "{steps} steps");
        }
    }

    #[test]
    fn keeps_between_a_quarter_and_seven_eighths_full() {
        let mut table = Table::new();
        for number in 0..10_000 {
            table.insert(peer(number), &KEYS);
            assert!(table.len() * 8 <= table.slots().len() * 7);
        }
        assert!(table.heap_octets() < 10_000 * 12);
        for number in 0..9_990 {
            let slot = table.find(&peer(number), &KEYS).unwrap();
            table.remove(slot, &KEYS);
            table.fit(&KEYS);
            assert!(table.slots().len() == MIN_SLOTS || table.len() * 4 >= table.slots().len());
        }
    }
}
