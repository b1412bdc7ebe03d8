//! Peers of a large swarm: an open-addressing hash table that holds the cells themselves.
//!
//! Eight IPv4 cells share a cache line, so linear probing finds a peer in one or two lines, and
//! because there is no separate index a peer costs its cell and the vacant slots beside it.
//!
//! The slots lie in pages of one size. Ten thousand swarms that grow side by side would leave
//! holes of every size behind, a quarter of all memory; a page that one table gives up fits the
//! next.

use std::ops::RangeInclusive;

use crate::cell::{Cell, PeerKeys};
use crate::prefetch::{prefetch, prefetch_all};
use crate::requester::Class;
use crate::ring::Ring;
use crate::usage::allocated;

/// Slots of a page: with the allocator's own eight octets, IPv4 pages are exactly 256.
pub(crate) const PAGE: u32 = 31;

const PAGE_LEN: usize = 31;

const _: () = assert!(PAGE as usize == PAGE_LEN);

/// A table of up to so many pages is one block, which saves a step to its peers.
const ONE_BLOCK: usize = 4;

/// A table smaller than a page has so many slots less one, or a multiple.
const STEP: usize = 8;

/// A table is full when 7 in 8 slots are. On the average of its growth it is 85 % full; finding a
/// peer then looks at four cells, and finding that there is none, for a new peer, at twenty. At
/// 15 in 16 a peer would take 0.8 octets less, and a new one four times the cells.
const FULL: (usize, usize) = (7, 8);

#[derive(Debug)]
pub(crate) struct Table<C> {
    storage: Storage<C>,
    len: u32,
    class: Class,
}

const _: () = assert!(
    size_of::<Table<crate::cell::Cell4>>() == 32,
    "a large swarm's two tables are one cache line"
);

#[derive(Debug)]
enum Storage<C> {
    /// Nothing, or one block of at most [`ONE_BLOCK`] pages.
    Block(Box<[C]>),
    Pages(Vec<Box<[C; PAGE_LEN]>>),
}

/// The slots of a table, to be read.
#[derive(Debug)]
pub(crate) enum Slots<'a, C> {
    Block(&'a [C]),
    Pages(&'a [Box<[C; PAGE_LEN]>]),
}

impl<C> Clone for Slots<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Slots<'_, C> {}

impl<'a, C> Slots<'a, C> {
    pub(crate) const NONE: Self = Self::Block(&[]);

    /// The cell at a slot of a page; the last page may be shorter.
    #[inline]
    pub(crate) fn get(self, page: u32, slot: u32) -> Option<&'a C> {
        match self {
            Self::Block(block) => block.get((page * PAGE + slot) as usize),
            Self::Pages(pages) => pages.get(page as usize)?.get(slot as usize),
        }
    }

    /// All slots in order, by pages.
    pub(crate) fn pages(self) -> impl Iterator<Item = &'a [C]> {
        let (block, pages) = self.parts();
        block
            .chunks(PAGE_LEN)
            .chain(pages.iter().map(|page| &page[..]))
    }

    pub(crate) fn page_count(self) -> usize {
        let (block, pages) = self.parts();
        block.len().div_ceil(PAGE_LEN) + pages.len()
    }

    /// Begins to load all slots.
    pub(crate) fn prefetch(self) {
        self.pages().for_each(prefetch_all);
    }

    fn parts(self) -> (&'a [C], &'a [Box<[C; PAGE_LEN]>]) {
        match self {
            Self::Block(block) => (block, &[]),
            Self::Pages(pages) => (&[], pages),
        }
    }

    /// The slots that lie beside each other: a page, or the block.
    fn stretch(self, number: usize) -> &'a [C] {
        match self {
            Self::Block(block) => block,
            Self::Pages(pages) => &*pages[number],
        }
    }

    /// The stretch that a slot is in, and where there.
    fn stretch_of(self, slot: usize) -> (usize, usize) {
        match self {
            Self::Block(_) => (0, slot),
            Self::Pages(_) => (slot / PAGE_LEN, slot % PAGE_LEN),
        }
    }

    fn stretches(self) -> usize {
        match self {
            Self::Block(_) => 1,
            Self::Pages(pages) => pages.len(),
        }
    }
}

impl<C: Cell> Table<C> {
    pub(crate) fn new(class: Class) -> Self {
        Self {
            storage: Storage::Block(Box::default()),
            len: 0,
            class,
        }
    }

    /// What all its peers have in common.
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Number of peers.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of slots, vacant ones included. Either at least a quarter is occupied, or there are
    /// few.
    pub(crate) fn capacity(&self) -> usize {
        match &self.storage {
            Storage::Block(block) => block.len(),
            Storage::Pages(pages) => pages.len() * PAGE_LEN,
        }
    }

    /// Whether all slots are beside each other.
    pub(crate) fn is_one_block(&self) -> bool {
        matches!(self.storage, Storage::Block(_))
    }

    pub(crate) fn slots(&self) -> Slots<'_, C> {
        match &self.storage {
            Storage::Block(block) => Slots::Block(block),
            Storage::Pages(pages) => Slots::Pages(pages),
        }
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = &C> {
        self.slots()
            .pages()
            .flatten()
            .filter(|cell| !cell.is_vacant())
    }

    pub(crate) fn slot(&self, slot: usize) -> &C {
        let slots = self.slots();
        let (stretch, offset) = slots.stretch_of(slot);
        &slots.stretch(stretch)[offset]
    }

    pub(crate) fn slot_mut(&mut self, slot: usize) -> &mut C {
        match &mut self.storage {
            Storage::Block(block) => &mut block[slot],
            Storage::Pages(pages) => &mut pages[slot / PAGE_LEN][slot % PAGE_LEN],
        }
    }

    pub(crate) fn find(&self, peer: &C, keys: &PeerKeys) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let home = self.home(peer, keys);
        let slots = self.slots();
        let (mut stretch, mut from) = slots.stretch_of(home);
        // There is a vacant slot, so this ends.
        loop {
            for (index, cell) in slots.stretch(stretch)[from..].iter().enumerate() {
                if cell.is_same_peer(peer) {
                    return Some(stretch * PAGE_LEN + from + index);
                }
                if cell.is_vacant() {
                    return None;
                }
            }
            from = 0;
            stretch += 1;
            if stretch == slots.stretches() {
                stretch = 0;
            }
        }
    }

    /// Calls `visit` with every peer whose hash is in a range.
    pub(crate) fn for_each_hashed(
        &self,
        hashes: RangeInclusive<u32>,
        keys: &PeerKeys,
        mut visit: impl FnMut(&C),
    ) {
        if self.len == 0 {
            return;
        }
        let ring = self.ring();
        let first = ring.home(*hashes.start());
        let homes = ring.home(*hashes.end()) - first;
        // A peer stands where it belongs or behind that, with no vacant slot in between.
        let mut slot = first;
        for passed in 0..self.capacity() {
            let cell = self.slot(slot);
            if cell.is_vacant() {
                if passed > homes {
                    return;
                }
            } else if hashes.contains(&cell.hash(keys)) {
                visit(cell);
            }
            slot = ring.next(slot);
        }
    }

    /// Begins to load the slots where a peer is looked for first.
    pub(crate) fn prefetch(&self, peer: &C, keys: &PeerKeys) {
        if self.len > 0 {
            prefetch(self.slot(self.home(peer, keys)));
        }
    }

    /// Makes room for some more peers, of `expected` that there will be in all: for twice as many
    /// as there are then at the most, whatever is expected.
    pub(crate) fn reserve(&mut self, more: usize, expected: usize, keys: &PeerKeys) {
        let needed = self.len() + more;
        if needed * FULL.1 > self.capacity() * FULL.0 {
            self.rebuild(expected.clamp(needed, 2 * needed), keys);
        }
    }

    /// Puts in a peer that is not there yet and returns its slot.
    pub(crate) fn insert(&mut self, cell: C, keys: &PeerKeys) -> usize {
        if (self.len() + 1) * FULL.1 > self.capacity() * FULL.0 {
            // A sixteenth more at least, so that a new peer moves sixteen others on the average.
            self.rebuild(self.len() + 1 + self.len() / 16, keys);
        }
        self.len += 1;
        self.place(cell, keys)
    }

    /// Takes out the peer at an occupied slot. The table keeps its capacity; see [`Self::fit`].
    pub(crate) fn remove(&mut self, slot: usize, keys: &PeerKeys) -> C {
        let ring = self.ring();
        let removed = *self.slot(slot);
        let mut hole = slot;
        let mut candidate = slot;
        loop {
            candidate = ring.next(candidate);
            let cell = *self.slot(candidate);
            if cell.is_vacant() {
                break;
            }
            if ring.may_fill(hole, candidate, self.home(&cell, keys)) {
                *self.slot_mut(hole) = cell;
                hole = candidate;
            }
        }
        *self.slot_mut(hole) = C::VACANT;
        self.len -= 1;
        removed
    }

    /// Gives memory back when less than a quarter of the slots is occupied, so that random slots
    /// hit a peer soon enough.
    pub(crate) fn fit(&mut self, keys: &PeerKeys) {
        if self.len == 0 {
            self.storage = Storage::Block(Box::default());
        } else if self.capacity() > STEP && self.len() * 4 < self.capacity() {
            self.rebuild(self.len(), keys);
        }
    }

    /// Octets on the heap.
    pub(crate) fn heap_octets(&self) -> usize {
        match &self.storage {
            Storage::Block(block) => allocated(block.len() * C::LEN),
            Storage::Pages(pages) => {
                pages.len() * allocated(PAGE_LEN * C::LEN)
                    + allocated(pages.capacity() * size_of::<Box<[C; PAGE_LEN]>>())
            }
        }
    }

    fn rebuild(&mut self, peers: usize, keys: &PeerKeys) {
        let vacant = Storage::for_peers(peers);
        let old = Self {
            storage: std::mem::replace(&mut self.storage, vacant),
            ..*self
        };
        for cell in old.cells() {
            self.place(*cell, keys);
        }
    }

    fn place(&mut self, cell: C, keys: &PeerKeys) -> usize {
        let mut slot = self.home(&cell, keys);
        while !self.slot(slot).is_vacant() {
            slot = self.ring().next(slot);
        }
        *self.slot_mut(slot) = cell;
        slot
    }

    fn home(&self, cell: &C, keys: &PeerKeys) -> usize {
        self.ring().home(cell.hash(keys))
    }

    fn ring(&self) -> Ring {
        Ring::new(self.capacity())
    }
}

impl<C: Cell> Storage<C> {
    /// As few vacant slots as so many peers need.
    fn for_peers(peers: usize) -> Self {
        let needed = (peers * FULL.1).div_ceil(FULL.0).max(peers + 1);
        if needed <= PAGE_LEN {
            let slots = (needed + 1).next_multiple_of(STEP) - 1;
            return Self::Block(vec![C::VACANT; slots].into_boxed_slice());
        }
        let pages = needed.div_ceil(PAGE_LEN);
        if pages <= ONE_BLOCK {
            return Self::Block(vec![C::VACANT; pages * PAGE_LEN].into_boxed_slice());
        }
        let page = |_| Box::new([C::VACANT; PAGE_LEN]);
        Self::Pages((0..pages).map(page).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell4;
    use opentracker_types::Scope;
    use std::collections::BTreeMap;

    const KEYS: PeerKeys = PeerKeys {
        mask: 0x1234_5678_9abc_def0,
        factor: 0x9e37_79b9_7f4a_7c15,
    };

    const CLASS: Class = Class {
        scope: Scope::Global,
        seeding: false,
    };

    fn peer(number: u32) -> Cell4 {
        let [a, b, c, d] = number.to_be_bytes();
        Cell4::from_octets([10, a, b, c, 0x80 | d >> 1, d, 0, 0])
    }

    #[test]
    fn holds_what_was_put_in_and_not_taken_out() {
        let mut table = Table::new(CLASS);
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
                        assert!(table.slot(slot).is_same_peer(&cell));
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
            let mut table = Table::new(CLASS);
            for number in 0..20_000_u32 {
                // Seven consecutive ports on consecutive addresses.
                let [_, a, b, c] = (number / 7).to_be_bytes();
                let port = (number % 7).to_be_bytes()[3];
                table.insert(Cell4::from_octets([32, a, b, c, 4, port, 0, 0]), &keys);
            }
            let steps: usize = (0..table.capacity())
                .filter(|&slot| !table.slot(slot).is_vacant())
                .map(|slot| {
                    table
                        .ring()
                        .distance(table.home(table.slot(slot), &keys), slot)
                })
                .sum();
            // Linear probing at a load of 7/8 takes 3.5 steps on the average.
            assert!(steps < 4 * table.len(), "{steps} steps");
        }
    }

    #[test]
    fn keeps_between_a_quarter_and_seven_eighths_full() {
        let mut table = Table::new(CLASS);
        for number in 0..10_000 {
            table.insert(peer(number), &KEYS);
            assert!(table.len() * 8 <= table.capacity() * 7);
        }
        assert!(table.heap_octets() < 10_000 * 12);
        for number in 0..9_990 {
            let slot = table.find(&peer(number), &KEYS).unwrap();
            table.remove(slot, &KEYS);
            table.fit(&KEYS);
            assert!(table.capacity() < STEP || table.len() * 4 >= table.capacity());
        }
    }
}
