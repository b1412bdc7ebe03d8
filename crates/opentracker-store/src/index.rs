//! Where the torrents of a bucket stand, by the hash of their info hash.
//!
//! An open-addressing table of 4-octet entries, each an octet of the hash and a position: a lookup
//! reads one cache line of it, which is known from the hash alone and can be asked for in time.

use crate::arithmetic::halves;
use crate::prefetch::Place;
use crate::ring::Ring;
use crate::usage::allocated;

/// Bits of an entry that hold the position plus one; above them stands the tag. 0 is vacant.
const POSITION_BITS: u32 = 24;

/// Slots of the smallest index that holds something.
const FIRST: usize = 8;

/// An index is full when seven in eight slots are; then it grows by a half.
const FULL: (usize, usize) = (7, 8);

/// Positions by hash. It has no hashes of its own: whoever owns the torrents tells the hash of the
/// one at a position.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: Box<[u32]>,
    len: usize,
}

impl Index {
    /// Finds the position whose hash looks like this one and that `is_it` confirms.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let tag = tag(hash);
        let mut slot = self.home(hash);
        // There is a vacant slot, so this ends.
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                return None;
            }
            if entry >> POSITION_BITS == tag && is_it(position(entry)) {
                return Some(position(entry));
            }
            slot = self.ring().next(slot);
        }
    }

    /// Returns the place of what [`Self::find`] reads first.
    #[inline]
    pub(crate) fn place_of(&self, hash: u64) -> Place {
        let slot = self.slots.get(self.home(hash));
        slot.map_or(Place::NONE, Place::of)
    }

    /// Adds a position that is not there yet.
    pub(crate) fn insert(&mut self, hash: u64, position: usize, hash_of: impl Fn(usize) -> u64) {
        if (self.len + 1) * FULL.1 > self.slots.len() * FULL.0 {
            self.rebuild((self.slots.len() * 3 / 2).max(FIRST), hash_of);
        }
        self.len += 1;
        self.place(hash, entry(hash, position));
    }

    /// Removes a position, whose hash this is.
    pub(crate) fn remove(&mut self, hash: u64, position: usize, hash_of: impl Fn(usize) -> u64) {
        let ring = self.ring();
        let mut hole = self.slot_of(hash, position);
        let mut candidate = hole;
        loop {
            candidate = ring.next(candidate);
            let entry = self.slots[candidate];
            if entry == 0 {
                break;
            }
            let home = self.home(hash_of(self::position(entry)));
            if ring.may_fill(hole, candidate, home) {
                self.slots[hole] = entry;
                hole = candidate;
            }
        }
        self.slots[hole] = 0;
        self.len -= 1;
    }

    /// Notes that what stood at one position, and has this hash, stands at another now.
    pub(crate) fn relocate(&mut self, hash: u64, from: usize, to: usize) {
        let slot = self.slot_of(hash, from);
        self.slots[slot] = entry(hash, to);
    }

    /// Gives memory back when most of the slots are vacant.
    pub(crate) fn fit(&mut self, hash_of: impl Fn(usize) -> u64) {
        if self.slots.len() > 4 * self.len + FIRST {
            let slots = if self.len == 0 {
                0
            } else {
                self.len * 3 / 2 + FIRST
            };
            self.rebuild(slots, hash_of);
        }
    }

    /// Octets on the heap. The block that the index had before its last growth is among them: all
    /// buckets grow at about the same time, so nobody else fits into it.
    pub(crate) fn heap_octets(&self) -> usize {
        let octets = size_of_val(&*self.slots);
        allocated(octets) + allocated(octets * 2 / 3)
    }

    fn rebuild(&mut self, slots: usize, hash_of: impl Fn(usize) -> u64) {
        let old = std::mem::replace(&mut self.slots, vec![0; slots].into_boxed_slice());
        for entry in old.into_iter().filter(|&entry| entry != 0) {
            self.place(hash_of(position(entry)), entry);
        }
    }

    fn place(&mut self, hash: u64, entry: u32) {
        let mut slot = self.home(hash);
        while self.slots[slot] != 0 {
            slot = self.ring().next(slot);
        }
        self.slots[slot] = entry;
    }

    fn slot_of(&self, hash: u64, position: usize) -> usize {
        let wanted = entry(hash, position);
        let mut slot = self.home(hash);
        while self.slots[slot] != wanted {
            assert!(self.slots[slot] != 0, "every torrent is in the index");
            slot = self.ring().next(slot);
        }
        slot
    }

    /// Where a hash is looked for first: the low half chooses.
    fn home(&self, hash: u64) -> usize {
        let [low, _] = halves(hash);
        self.ring().home(low)
    }

    fn ring(&self) -> Ring {
        Ring::new(self.slots.len())
    }
}

/// Eight bits of a hash that choose neither the slot nor the bucket.
fn tag(hash: u64) -> u32 {
    u32::from(hash.to_le_bytes()[4])
}

fn entry(hash: u64, position: usize) -> u32 {
    let number = u32::try_from(position + 1).ok();
    let number = number.filter(|number| number >> POSITION_BITS == 0);
    tag(hash) << POSITION_BITS | number.expect("a bucket has fewer than 2^24 torrents")
}

/// The position in an entry that is not vacant.
fn position(entry: u32) -> usize {
    (entry & ((1 << POSITION_BITS) - 1)) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A poor hash, so that there are collisions of every kind.
    fn hash_of(position: usize) -> u64 {
        let number = position as u64 / 3;
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
    }

    #[test]
    fn finds_what_was_inserted_and_not_removed() {
        let mut index = Index::default();
        let mut present = [false; 1000];
        let mut state = 1_u32;
        for step in 0..40_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let position = (state >> 16) as usize % present.len();
            let hash = hash_of(position);
            let found = index.find(hash, |other| other == position);
            assert_eq!(found, present[position].then_some(position));
            // Grow, then shrink.
            if step / 10_000 % 2 == 0 && !present[position] {
                index.insert(hash, position, hash_of);
                present[position] = true;
            } else if step / 10_000 % 2 == 1 && present[position] {
                index.remove(hash, position, hash_of);
                index.fit(hash_of);
                present[position] = false;
            }
            let len = present.iter().filter(|&&is_there| is_there).count();
            assert_eq!(index.len, len);
            let bounds = len..=4 * len.max(present.len() / 4) + FIRST;
            assert!(bounds.contains(&index.slots.len()));
        }
        for (position, &is_there) in present.iter().enumerate() {
            let found = index.find(hash_of(position), |other| other == position);
            assert_eq!(found.is_some(), is_there);
        }
    }

    #[test]
    fn relocates() {
        let mut index = Index::default();
        (0..5).for_each(|position| index.insert(hash_of(position), position, hash_of));
        index.relocate(hash_of(1), 1, 700);
        assert_eq!(index.find(hash_of(1), |other| other == 1), None);
        assert_eq!(index.find(hash_of(1), |other| other == 700), Some(700));
    }

    #[test]
    #[should_panic(expected = "fewer than 2^24")]
    fn refuses_positions_that_do_not_fit() {
        entry(0, (1 << POSITION_BITS) - 1);
    }
}
