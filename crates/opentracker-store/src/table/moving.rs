//! A large table on its way to another number of pages.
//!
//! Its cells move in the order of their hashes, a few with each peer that comes or goes, so that no
//! announce waits for all of them: those below a frontier stand in the new pages, the others still in
//! the old ones. A page whose cells have all moved becomes one of the new.

use std::collections::VecDeque;

use super::slots::{PAGE_LEN, Page, Slots};
use super::{homes, scale};
use crate::cell::{Cell, PeerKeys};
use crate::usage::allocated;

/// Cells that are moved at a time, and slots that are looked at for them.
pub(super) const STEP_CELLS: usize = 64;
const STEP_SLOTS: usize = 128;

#[derive(Debug)]
pub(crate) struct Moving<C> {
    new: Vec<Page<C>>,
    /// Pages that there are to be.
    target: usize,
    old: VecDeque<Page<C>>,
    /// Slots of the old layout in which a cell may be at home.
    old_homes: usize,
    /// Slots of old pages that are gone.
    gone: usize,
    /// The first slot of the old layout whose cell may still be there.
    next: usize,
    /// The hash from which on cells are in the old pages.
    frontier: u64,
}

impl<C: Cell> Moving<C> {
    /// Begins to move cells from pages, in which they are at home in so many slots.
    pub(super) fn new(old: Vec<Page<C>>, old_homes: usize, target: usize) -> Self {
        Self {
            new: Vec::with_capacity(target),
            target,
            old: old.into(),
            old_homes,
            gone: 0,
            next: 0,
            frontier: 0,
        }
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        (self.new.len() + self.old.len()) * PAGE_LEN
    }

    /// The new pages, and the old ones.
    pub(super) fn pages(&self) -> (&[Page<C>], &[Page<C>]) {
        // Nothing is ever put behind the old pages, so that they are one slice.
        (&self.new, self.old.as_slices().0)
    }

    /// The cells from a slot on that lie beside each other.
    #[cold]
    pub(super) fn stretch(&self, slot: usize) -> &[C] {
        let (page, slot) = (slot / PAGE_LEN, slot % PAGE_LEN);
        let page = match page.checked_sub(self.new.len()) {
            None => &self.new[page],
            Some(page) => &self.old[page],
        };
        &page[slot..]
    }

    pub(super) fn stretch_mut(&mut self, slot: usize) -> &mut [C] {
        let (page, slot) = (slot / PAGE_LEN, slot % PAGE_LEN);
        let page = match page.checked_sub(self.new.len()) {
            None => &mut self.new[page],
            Some(page) => &mut self.old[page],
        };
        &mut page[slot..]
    }

    /// Where a hash is at home, and where a search for it ends.
    pub(super) fn path(&self, hash: u32) -> (usize, usize) {
        let end = self.new.len() * PAGE_LEN;
        if u64::from(hash) < self.frontier {
            return (scale(hash, homes(self.target * PAGE_LEN)), end);
        }
        let home = scale(hash, self.old_homes).max(self.next) - self.gone;
        (end + home, end + self.old.len() * PAGE_LEN)
    }

    /// Makes room behind the cells of a hash for which there is none. The new pages get another
    /// one; from the old ones all have to move at once, which hashes do not bring about.
    pub(super) fn make_room(&mut self, hash: u32, keys: &PeerKeys) {
        if u64::from(hash) < self.frontier {
            self.new.push(vacant_page());
        } else {
            while !self.advance(keys) {}
        }
    }

    /// Moves some cells; says whether all have moved.
    pub(super) fn advance(&mut self, keys: &PeerKeys) -> bool {
        let until = self.next + STEP_SLOTS;
        let mut moved = 0;
        while !self.old.is_empty() {
            let slot = self.next - self.gone;
            let cell = self.old[0][slot];
            if !cell.is_vacant() {
                let hash = cell.hash(keys);
                // All cells of a hash are on one side of the frontier.
                if moved >= STEP_CELLS && u64::from(hash) >= self.frontier {
                    break;
                }
                self.old[0][slot] = C::VACANT;
                self.append(cell, hash);
                moved += 1;
            } else if self.next >= until {
                break;
            }
            self.next += 1;
            if slot + 1 == PAGE_LEN {
                self.pass_page();
            }
        }
        self.old.is_empty()
    }

    /// Returns the new pages, with the number of slots in which cells are at home there.
    pub(super) fn finish(mut self) -> (Vec<Page<C>>, usize) {
        self.reach(self.target);
        (self.new, homes(self.target * PAGE_LEN))
    }

    pub(super) fn heap_octets(&self) -> usize {
        let pages = self.new.len() + self.old.len();
        let vectors = [self.new.capacity(), self.old.capacity()];
        let vectors = vectors.map(|pages| allocated(pages * size_of::<Page<C>>()));
        pages * allocated(PAGE_LEN * C::LEN)
            + vectors.iter().sum::<usize>()
            + allocated(size_of::<Self>())
    }

    /// Puts a cell behind all that have moved.
    fn append(&mut self, cell: C, hash: u32) {
        self.frontier = u64::from(hash) + 1;
        let home = scale(hash, homes(self.target * PAGE_LEN));
        self.reach(home / PAGE_LEN + 1);
        let end = self.new.len() * PAGE_LEN;
        let slots = Slots::Pages(&self.new);
        let vacant = slots.first(home, end, C::is_vacant).unwrap_or_else(|| {
            self.new.push(vacant_page());
            end
        });
        self.stretch_mut(vacant)[0] = cell;
    }

    /// Adds pages until there are so many.
    fn reach(&mut self, pages: usize) {
        while self.new.len() < pages {
            self.new.push(vacant_page());
        }
    }

    fn pass_page(&mut self) {
        self.gone += PAGE_LEN;
        let page = self.old.pop_front().expect("its cells have just moved");
        if self.new.len() < self.target {
            self.new.push(page);
        }
    }
}

pub(super) fn vacant_page<C: Cell>() -> Page<C> {
    Box::new([C::VACANT; PAGE_LEN])
}
