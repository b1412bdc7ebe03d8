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

/// Positions by hash, which are those from 0 on. It has no hashes of its own: whoever owns the
/// torrents tells the hash of the one at a position.
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

    /// Adds the position behind the last one.
    pub(crate) fn push(&mut self, hash: u64, hash_of: impl Fn(usize) -> u64) {
        if (self.len + 1) * FULL.1 > self.slots.len() * FULL.0 {
            self.rebuild((self.slots.len() * 3 / 2).max(FIRST), hash_of);
        }
        self.place(hash, entry(hash, self.len));
        self.len += 1;
    }

    /// Removes a position; what stands at the last one takes its place.
    pub(crate) fn swap_remove(&mut self, position: usize, hash_of: impl Fn(usize) -> u64) {
        let ring = self.ring();
        let mut hole = self.slot_of(hash_of(position), position);
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
        if position < self.len {
            let hash = hash_of(self.len);
            let slot = self.slot_of(hash, self.len);
            self.slots[slot] = entry(hash, position);
        }
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

    /// Changes to so many slots. What stands at the positions is looked at in their order, which is
    /// that of memory: a bucket of many torrents is locked for so long.
    fn rebuild(&mut self, slots: usize, hash_of: impl Fn(usize) -> u64) {
        // Nothing of it is needed, and its memory may be a part of what comes.
        self.slots = Box::default();
        self.slots = vec![0; slots].into_boxed_slice();
        for position in 0..self.len {
            let hash = hash_of(position);
            self.place(hash, entry(hash, position));
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

    #[test]
    fn finds_what_was_inserted_and_not_removed() {
        let mut index = Index::default();
        let mut hashes = Vec::new();
        let mut state = 1_u32;
        for step in 0..20_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Grow, then shrink.
            if step / 5000 % 2 == 0 {
                // A poor hash, so that there are collisions of every kind.
                let hash = u64::from(state >> 22).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                hashes.push(hash);
                index.push(hash, |at| hashes[at]);
            } else {
                let at = (state >> 8) as usize % hashes.len();
                index.swap_remove(at, |at| hashes[at]);
                hashes.swap_remove(at);
                index.fit(|at| hashes[at]);
            }
            assert_eq!(index.len, hashes.len());
            let room = hashes.len()..=4 * hashes.len() + FIRST;
            assert!(room.contains(&index.slots.len()));
            if step % 50 == 0 {
                for (at, hash) in hashes.iter().enumerate() {
                    assert_eq!(index.find(*hash, |other| other == at), Some(at));
                }
                assert_eq!(index.find(u64::from(state), |_| false), None);
            }
        }
        assert!(hashes.is_empty());
    }

    #[test]
    #[should_panic(expected = "fewer than 2^24")]
    fn refuses_positions_that_do_not_fit() {
        entry(0, (1 << POSITION_BITS) - 1);
    }
}
