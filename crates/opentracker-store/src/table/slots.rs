//! The slots of a table, to be read.

use super::moving::Moving;
use crate::cell::Cell;
use crate::prefetch::prefetch_all;

/// Slots of a page: with the allocator's own eight octets, IPv4 pages are exactly 256.
pub(crate) const PAGE: u32 = 31;

pub(super) const PAGE_LEN: usize = 31;

const _: () = assert!(PAGE as usize == PAGE_LEN);

pub(super) type Page<C> = Box<[C; PAGE_LEN]>;

/// The slots of a table, all in the order of the hashes.
#[derive(Debug)]
pub(crate) enum Slots<'a, C> {
    Block(&'a [C]),
    Pages(&'a [Page<C>]),
    Moving(&'a Moving<C>),
}

impl<C> Clone for Slots<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Slots<'_, C> {}

impl<'a, C: Cell> Slots<'a, C> {
    /// All slots in order, by pages.
    pub(crate) fn pages(self) -> impl Iterator<Item = &'a [C]> {
        let none: (&[Page<C>], &[Page<C>]) = (&[], &[]);
        let (block, (pages, more)) = match self {
            Self::Block(block) => (block, none),
            Self::Pages(pages) => (&[][..], (pages, none.1)),
            Self::Moving(moving) => (&[][..], moving.pages()),
        };
        let pages = pages.iter().chain(more).map(|page| &page[..]);
        block.chunks(PAGE_LEN).chain(pages)
    }

    /// Begins to load all slots.
    pub(crate) fn prefetch(self) {
        self.pages().for_each(prefetch_all);
    }

    /// Number of slots.
    #[inline]
    pub(super) fn len(self) -> usize {
        match self {
            Self::Block(block) => block.len(),
            Self::Pages(pages) => pages.len() * PAGE_LEN,
            Self::Moving(moving) => moving.len(),
        }
    }

    /// The cells from a slot on that lie beside each other.
    #[inline]
    pub(crate) fn stretch(self, slot: usize) -> &'a [C] {
        match self {
            Self::Block(block) => &block[slot..],
            Self::Pages(pages) => &pages[slot / PAGE_LEN][slot % PAGE_LEN..],
            Self::Moving(moving) => moving.stretch(slot),
        }
    }

    /// Returns the first slot, of those from one on and before another, whose cell `is_it`.
    #[inline]
    pub(super) fn first(
        self,
        from: usize,
        end: usize,
        mut is_it: impl FnMut(&C) -> bool,
    ) -> Option<usize> {
        let mut slot = from;
        while slot < end {
            let stretch = self.stretch(slot);
            let stretch = &stretch[..stretch.len().min(end - slot)];
            if let Some(passed) = stretch.iter().position(&mut is_it) {
                return Some(slot + passed);
            }
            slot += stretch.len();
        }
        None
    }
}
