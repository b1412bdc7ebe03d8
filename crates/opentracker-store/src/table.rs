//! Peers of a large swarm: an open-addressing hash table that holds the cells themselves.
//!
//! Eight IPv4 cells share a cache line, so linear probing finds a peer in one or two lines, and
//! because there is no separate index a peer costs its cell and the vacant slots beside it.
//!
//! The cells stand in the order of their hashes, each as near behind its home as those before it
//! allow, and nothing wraps around. So a search ends at the first larger hash, which lets nearly
//! all slots be occupied, and a large table gets another size while it is used, cell by cell in
//! that order.
//!
//! The slots lie in pages of one size. Ten thousand swarms that grow side by side would leave
//! holes of every size behind, a quarter of all memory; a page that one table gives up fits the
//! next.

mod moving;
mod slots;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use self::moving::{Moving, vacant_page};
use self::slots::PAGE_LEN;
use crate::cell::{Cell, PeerKeys};
use crate::prefetch::prefetch;
use crate::requester::Class;
use crate::usage::allocated;

pub(crate) use self::slots::{PAGE, Slots};

/// A table that needs no more slots than so many pages have is one block, which saves a step to its
/// peers.
const ONE_BLOCK: usize = 4;

/// A table of so many pages gets another size in steps. Below that it takes less than 0.1 ms at once.
const LARGE: usize = if cfg!(test) { 8 } else { 512 };

/// A block has so many slots less one, or a multiple.
const STEP: usize = 8;

/// Pages are full when so many of their slots are. Blocks are when there is no room behind a home.
const FULL: (usize, usize) = (31, 32);

/// A large table is full earlier, as more come while it gets its new size.
const LARGE_FULL: (usize, usize) = (29, 32);

/// In searching a peer its hash is compared with that of each cell of so many.
const GLANCE: u32 = 8;

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
    Pages(Vec<slots::Page<C>>),
    Moving(Box<Moving<C>>),
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

    /// Number of slots, vacant ones included. At least a quarter is occupied, or there are few, or
    /// the table is on its way to that.
    pub(crate) fn capacity(&self) -> usize {
        self.slots().len()
    }

    /// Whether all slots are beside each other.
    pub(crate) fn is_one_block(&self) -> bool {
        matches!(self.storage, Storage::Block(_))
    }

    /// Whether cells are on their way to other slots.
    pub(crate) fn is_moving(&self) -> bool {
        matches!(self.storage, Storage::Moving(_))
    }

    pub(crate) fn slots(&self) -> Slots<'_, C> {
        match &self.storage {
            Storage::Block(block) => Slots::Block(block),
            Storage::Pages(pages) => Slots::Pages(pages),
            Storage::Moving(moving) => Slots::Moving(moving),
        }
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = &C> {
        self.slots()
            .pages()
            .flatten()
            .filter(|cell| !cell.is_vacant())
    }

    pub(crate) fn slot(&self, slot: usize) -> &C {
        &self.slots().stretch(slot)[0]
    }

    pub(crate) fn slot_mut(&mut self, slot: usize) -> &mut C {
        &mut self.stretch_mut(slot)[0]
    }

    /// The cells from a slot on that lie beside each other.
    fn stretch_mut(&mut self, slot: usize) -> &mut [C] {
        match &mut self.storage {
            Storage::Block(block) => &mut block[slot..],
            Storage::Pages(pages) => &mut pages[slot / PAGE_LEN][slot % PAGE_LEN..],
            Storage::Moving(moving) => moving.stretch_mut(slot),
        }
    }

    pub(crate) fn find(&self, peer: &C, keys: &PeerKeys) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let hash = peer.hash(keys);
        let (home, end) = self.path(hash);
        let (mut passed, mut is_there) = (0, false);
        let slot = self.slots().first(home, end, |cell| {
            passed += 1;
            is_there = cell.is_same_peer(peer);
            is_there || cell.is_vacant() || passed % GLANCE == 0 && cell.hash(keys) > hash
        })?;
        is_there.then_some(slot)
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
        let (begin, end) = self.bounds(&hashes, keys);
        self.slots().first(begin, end, |cell| {
            if !cell.is_vacant() {
                visit(cell);
            }
            false
        });
    }

    /// Begins to load the slots where a peer is looked for first.
    pub(crate) fn prefetch(&self, peer: &C, keys: &PeerKeys) {
        if self.len > 0 {
            let (home, _) = self.path(peer.hash(keys));
            prefetch(self.slot(home));
        }
    }

    /// Makes room for some more peers, of `expected` that there will be in all: for twice as many
    /// as there are then at the most, whatever is expected.
    pub(crate) fn reserve(&mut self, more: usize, expected: usize, keys: &PeerKeys) {
        let needed = self.len() + more;
        if needed * FULL.1 > self.capacity() * FULL.0 {
            self.resize(slots_for(expected.clamp(needed, 2 * needed)), keys);
        }
    }

    /// Puts in a peer that is not there yet and returns its slot.
    pub(crate) fn insert(&mut self, cell: C, keys: &PeerKeys) -> usize {
        self.advance(keys);
        if self.is_full() {
            self.grow(keys);
        }
        let slot = loop {
            match self.place(cell, keys) {
                Some(slot) => break slot,
                None => self.make_room(&cell, keys),
            }
        };
        self.len += 1;
        slot
    }

    /// Takes out the peer at an occupied slot. The table keeps its capacity; see [`Self::fit`].
    pub(crate) fn remove(&mut self, slot: usize, keys: &PeerKeys) -> C {
        let removed = *self.slot(slot);
        self.thin_out(slot, slot + 1, keys, |_| true);
        removed
    }

    /// Takes out the peers that `keeps` refuses, of those whose hash is in a range.
    pub(crate) fn retain(
        &mut self,
        hashes: RangeInclusive<u32>,
        keys: &PeerKeys,
        mut keeps: impl FnMut(&C) -> bool,
    ) {
        if self.len == 0 {
            return;
        }
        let (mut slot, end) = self.bounds(&hashes, keys);
        let mut is_refused = |cell: &C| !cell.is_vacant() && !keeps(cell);
        while let Some(refused) = self.slots().first(slot, end, &mut is_refused) {
            slot = self.thin_out(refused, end, keys, |cell| !is_refused(cell));
        }
    }

    /// Gives memory back when less than a quarter of the slots is occupied, so that random slots
    /// hit a peer soon enough.
    pub(crate) fn fit(&mut self, keys: &PeerKeys) {
        self.advance(keys);
        if self.is_moving() {
            return;
        }
        if self.len == 0 && self.capacity() < LARGE * PAGE_LEN {
            self.storage = Storage::Block(Box::default());
        } else if self.capacity() > STEP && self.len() * 4 < self.capacity() {
            self.resize(slots_for(self.len()), keys);
        }
    }

    /// Octets on the heap.
    pub(crate) fn heap_octets(&self) -> usize {
        match &self.storage {
            Storage::Block(block) => allocated(block.len() * C::LEN),
            Storage::Pages(pages) => {
                pages.len() * allocated(PAGE_LEN * C::LEN)
                    + allocated(pages.capacity() * size_of::<slots::Page<C>>())
            }
            Storage::Moving(moving) => moving.heap_octets(),
        }
    }

    /// The first slot of the peers of some hashes, and the first behind them.
    fn bounds(&self, hashes: &RangeInclusive<u32>, keys: &PeerKeys) -> (usize, usize) {
        let bound = |hash, is_behind: &dyn Fn(u32) -> bool| {
            let (home, end) = self.path(hash);
            let is_end = |cell: &C| cell.is_vacant() || is_behind(cell.hash(keys));
            self.slots().first(home, end, is_end).unwrap_or(end)
        };
        let (first, last) = (*hashes.start(), *hashes.end());
        (
            bound(first, &|hash| hash >= first),
            bound(last, &|hash| hash > last),
        )
    }

    /// Takes out the peer at a slot, and those behind it before another that `keeps` refuses. The
    /// cells behind move up as near to their homes as they can. Returns the first slot for which
    /// there was no hole.
    fn thin_out(
        &mut self,
        refused: usize,
        end: usize,
        keys: &PeerKeys,
        mut keeps: impl FnMut(&C) -> bool,
    ) -> usize {
        *self.slot_mut(refused) = C::VACANT;
        self.len -= 1;
        let mut hole = refused;
        for slot in refused + 1..self.capacity() {
            let cell = *self.slot(slot);
            if cell.is_vacant() {
                return slot;
            }
            if slot < end && !keeps(&cell) {
                *self.slot_mut(slot) = C::VACANT;
                self.len -= 1;
                continue;
            }
            let (home, _) = self.path(cell.hash(keys));
            if home >= slot {
                return slot + 1;
            }
            *self.slot_mut(slot) = C::VACANT;
            hole = hole.max(home);
            *self.slot_mut(hole) = cell;
            hole += 1;
        }
        self.capacity()
    }

    /// Where a hash is at home, and where a search for it ends.
    #[inline]
    fn path(&self, hash: u32) -> (usize, usize) {
        match &self.storage {
            Storage::Moving(moving) => moving.path(hash),
            _ => {
                let slots = self.capacity();
                (scale(hash, homes(slots)), slots)
            }
        }
    }

    fn is_full(&self) -> bool {
        let Storage::Pages(pages) = &self.storage else {
            return false;
        };
        let (part, of) = if pages.len() < LARGE {
            FULL
        } else {
            LARGE_FULL
        };
        (self.len() + 1) * of > pages.len() * PAGE_LEN * part
    }

    /// Puts in a cell before the first of a larger hash, if there is room.
    fn place(&mut self, cell: C, keys: &PeerKeys) -> Option<usize> {
        let hash = cell.hash(keys);
        let (home, end) = self.path(hash);
        let slots = self.slots();
        let is_behind = |other: &C| other.is_vacant() || other.hash(keys) > hash;
        let at = slots.first(home, end, is_behind)?;
        let vacant = slots.first(at, end, C::is_vacant)?;
        let mut carried = cell;
        let mut slot = at;
        while slot <= vacant {
            let stretch = self.stretch_mut(slot);
            let len = stretch.len().min(vacant + 1 - slot);
            let last = stretch[len - 1];
            stretch.copy_within(..len - 1, 1);
            stretch[0] = std::mem::replace(&mut carried, last);
            slot += len;
        }
        Some(at)
    }

    /// Makes room behind the cells of a hash for which there is none.
    fn make_room(&mut self, cell: &C, keys: &PeerKeys) {
        match &mut self.storage {
            Storage::Moving(moving) => {
                moving.make_room(cell.hash(keys), keys);
                self.advance(keys);
            }
            _ => self.grow(keys),
        }
    }

    fn grow(&mut self, keys: &PeerKeys) {
        // A sixteenth more at least, so that a new peer moves sixteen others on the average.
        let wanted = slots_for(self.len() + 1 + self.len() / 16);
        self.resize(wanted.max(self.capacity() + 1), keys);
    }

    /// Changes to about so many slots, at once or from now on.
    fn resize(&mut self, slots: usize, keys: &PeerKeys) {
        match &mut self.storage {
            Storage::Pages(pages) if pages.len() >= LARGE => {
                let pages = std::mem::take(pages);
                let old_homes = homes(pages.len() * PAGE_LEN);
                self.move_to(slots.div_ceil(PAGE_LEN), (pages, old_homes));
            }
            Storage::Moving(_) => {}
            _ => self.rebuild(slots, keys),
        }
    }

    fn move_to(&mut self, pages: usize, (old, old_homes): (Vec<slots::Page<C>>, usize)) {
        let moving = Moving::new(old, old_homes, pages.max(ONE_BLOCK + 1));
        self.storage = Storage::Moving(Box::new(moving));
    }

    /// Goes on to move cells, if there are any to be moved.
    pub(crate) fn advance(&mut self, keys: &PeerKeys) {
        let Storage::Moving(moving) = &mut self.storage else {
            return;
        };
        if !moving.advance(keys) {
            return;
        }
        let nothing = Storage::Block(Box::default());
        let Storage::Moving(moving) = std::mem::replace(&mut self.storage, nothing) else {
            return;
        };
        let (pages, homes_there) = moving.finish();
        if homes(pages.len() * PAGE_LEN) == homes_there {
            self.storage = Storage::Pages(pages);
        } else {
            // Too many hashes at the end needed pages beyond what was planned.
            self.move_to(pages.len(), (pages, homes_there));
        }
    }

    fn rebuild(&mut self, mut slots: usize, keys: &PeerKeys) {
        let mut storage = Storage::vacant(slots);
        let old = std::mem::replace(&mut self.storage, Storage::Block(Box::default()));
        let old = Self {
            storage: old,
            ..*self
        };
        while !self.take_cells(&old, storage, keys) {
            slots = self.capacity() + 1;
            storage = Storage::vacant(slots);
        }
    }

    /// Changes to vacant slots with the cells of another table; says whether there is room.
    fn take_cells(&mut self, other: &Self, storage: Storage<C>, keys: &PeerKeys) -> bool {
        self.storage = storage;
        let slots = self.capacity();
        let mut next = 0;
        for cell in other.cells() {
            next = scale(cell.hash(keys), homes(slots)).max(next);
            if next >= slots {
                return false;
            }
            *self.slot_mut(next) = *cell;
            next += 1;
        }
        true
    }
}

impl<C: Cell> Storage<C> {
    /// At least so many slots.
    fn vacant(slots: usize) -> Self {
        if slots <= ONE_BLOCK * PAGE_LEN {
            let slots = (slots + 1).next_multiple_of(STEP) - 1;
            return Self::Block(vec![C::VACANT; slots].into_boxed_slice());
        }
        let pages = slots.div_ceil(PAGE_LEN);
        Self::Pages((0..pages).map(|_| vacant_page()).collect())
    }
}

/// As few slots as so many peers need.
fn slots_for(peers: usize) -> usize {
    let (part, of) = if peers < LARGE * PAGE_LEN {
        FULL
    } else {
        LARGE_FULL
    };
    (peers * of).div_ceil(part)
}

/// The number of slots in which cells are at home. Those behind them take what those before them
/// cannot.
fn homes(slots: usize) -> usize {
    let pages = if slots < LARGE * PAGE_LEN { 1 } else { 4 };
    slots - (slots / 8).min(pages * PAGE_LEN)
}

/// Where a hash is at home. It is scaled to the number of homes instead of masked, so that need not
/// be a power of two, and larger hashes are at home behind smaller ones.
fn scale(hash: u32, homes: usize) -> usize {
    let scaled = u64::from(hash) * homes as u64;
    usize::try_from(scaled >> 32).expect("less than the number of homes")
}
