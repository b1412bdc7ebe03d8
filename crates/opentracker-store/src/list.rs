//! Peers of a small swarm: both families in one block of octets, searched from end to end.
//!
//! IPv4 cells grow from the front and IPv6 cells from the back, so that one block serves any
//! mixture.

use crate::cell::{Cell, Cell4, Cell6};
use crate::clock::Moment;
use crate::swarm::{Departed, Family};

/// Number of cells of each family in a block.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lens {
    v4: u8,
    v6: u8,
}

impl Lens {
    /// Octets that the cells take.
    pub(crate) fn octets(self) -> usize {
        usize::from(self.v4) * Cell4::LEN + usize::from(self.v6) * Cell6::LEN
    }

    /// The cells in a block.
    pub(crate) fn cells(self, octets: &[u8]) -> (&[Cell4], &[Cell6]) {
        let (front, back) = self.split(octets.len());
        let (v4, _) = octets[..front].as_chunks();
        let (v6, _) = octets[back..].as_chunks();
        (v4, v6)
    }

    /// Where the IPv4 cells end and where the IPv6 cells begin.
    fn split(self, len: usize) -> (usize, usize) {
        (
            usize::from(self.v4) * Cell4::LEN,
            len - usize::from(self.v6) * Cell6::LEN,
        )
    }
}

/// A block of cells that can be changed.
#[derive(Debug)]
pub(crate) struct List<'a> {
    octets: &'a mut [u8],
    lens: &'a mut Lens,
}

impl<'a> List<'a> {
    pub(crate) fn new(octets: &'a mut [u8], lens: &'a mut Lens) -> Self {
        Self { octets, lens }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.lens.v4) + usize::from(self.lens.v6)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn cells(&self) -> (&[Cell4], &[Cell6]) {
        self.lens.cells(self.octets)
    }

    pub(crate) fn cells_mut(&mut self) -> (&mut [Cell4], &mut [Cell6]) {
        let (front, back) = self.lens.split(self.octets.len());
        let (head, tail) = self.octets.split_at_mut(back);
        let (v4, _) = head[..front].as_chunks_mut();
        let (v6, _) = tail.as_chunks_mut();
        (v4, v6)
    }

    /// Finds a peer's index among the cells of its family.
    pub(crate) fn find<C: Family>(&self, peer: &C) -> Option<usize> {
        C::listed(self)
            .iter()
            .position(|cell| cell.is_same_peer(peer))
    }

    /// Adds a cell and returns its index, or `None` if the block is full.
    pub(crate) fn push<C: Family>(&mut self, cell: C) -> Option<usize> {
        let (front, back) = self.lens.split(self.octets.len());
        if front + C::LEN > back {
            return None;
        }
        if C::IS_V6 {
            self.octets[back - C::LEN..back].copy_from_slice(cell.octets());
            self.lens.v6 += 1;
            Some(0)
        } else {
            self.octets[front..front + C::LEN].copy_from_slice(cell.octets());
            self.lens.v4 += 1;
            Some(usize::from(self.lens.v4) - 1)
        }
    }

    /// Removes the cell at an index of its family; another takes its place.
    pub(crate) fn remove<C: Family>(&mut self, index: usize) -> C {
        let cells = C::listed_mut(self);
        // The cell next to the free space in the middle fills the hole.
        let edge = if C::IS_V6 { 0 } else { cells.len() - 1 };
        cells.swap(index, edge);
        let removed = cells[edge];
        if C::IS_V6 {
            self.lens.v6 -= 1;
        } else {
            self.lens.v4 -= 1;
        }
        removed
    }

    /// Removes the peers that timed out.
    pub(crate) fn sweep(&mut self, moment: &Moment, departed: &mut Departed) {
        self.sweep_family::<Cell4>(moment, departed);
        self.sweep_family::<Cell6>(moment, departed);
    }

    /// Copies the cells into another block, which must be large enough.
    pub(crate) fn copy_to(&self, octets: &mut [u8]) {
        let (front, back) = self.lens.split(self.octets.len());
        let (_, target) = self.lens.split(octets.len());
        octets[..front].copy_from_slice(&self.octets[..front]);
        octets[target..].copy_from_slice(&self.octets[back..]);
    }

    /// Copies the cells into a new block of `len` octets.
    pub(crate) fn moved_to(&self, len: usize) -> (Box<[u8]>, Lens) {
        let mut octets = vec![0; len].into_boxed_slice();
        self.copy_to(&mut octets);
        (octets, *self.lens)
    }

    fn sweep_family<C: Family>(&mut self, moment: &Moment, departed: &mut Departed) {
        let mut index = 0;
        while let Some(cell) = C::listed(self).get(index) {
            if moment.has_timed_out(cell.age()) {
                departed.note(cell, moment);
                self.remove::<C>(index);
                // An IPv6 cell is filled from index 0, which has been looked at, and every later
                // cell has moved down by one; an IPv4 cell is filled from the end.
            } else {
                index += 1;
            }
        }
    }
}
