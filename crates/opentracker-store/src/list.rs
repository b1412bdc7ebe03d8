//! Peers of a small swarm: both families in one block of octets, searched from end to end.
//!
//! IPv4 cells grow from the front and IPv6 cells from the back, so that one block serves any
//! mixture.

use crate::arithmetic::saturating_u32;
use crate::cell::{Cell, Cell4, Cell6};
use crate::clock::Moment;
use crate::picker::{PeerBuffers, Picker};
use crate::requester::{Location, Requester};
use crate::timed_out::TimedOut;

/// Number of cells of each family in a block.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lengths {
    v4: u8,
    v6: u8,
}

impl Lengths {
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
    lengths: &'a mut Lengths,
}

/// A cell that a list holds beside those of the other family.
pub(crate) trait Listed: Cell {
    fn listed<'a>(list: &'a List<'_>) -> &'a [Self];
    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self];
}

impl Listed for Cell4 {
    fn listed<'a>(list: &'a List<'_>) -> &'a [Self] {
        list.cells().0
    }
    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self] {
        list.cells_mut().0
    }
}

impl Listed for Cell6 {
    fn listed<'a>(list: &'a List<'_>) -> &'a [Self] {
        list.cells().1
    }
    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self] {
        list.cells_mut().1
    }
}

impl<'a> List<'a> {
    pub(crate) fn new(octets: &'a mut [u8], lengths: &'a mut Lengths) -> Self {
        Self { octets, lengths }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.lengths.v4) + usize::from(self.lengths.v6)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn cells(&self) -> (&[Cell4], &[Cell6]) {
        self.lengths.cells(self.octets)
    }

    pub(crate) fn cells_mut(&mut self) -> (&mut [Cell4], &mut [Cell6]) {
        let (front, back) = self.lengths.split(self.octets.len());
        let (head, tail) = self.octets.split_at_mut(back);
        let (v4, _) = head[..front].as_chunks_mut();
        let (v6, _) = tail.as_chunks_mut();
        (v4, v6)
    }

    /// Finds a peer's index among the cells of its family.
    pub(crate) fn find<C: Listed>(&self, peer: &C) -> Option<usize> {
        C::listed(self)
            .iter()
            .position(|cell| cell.is_same_peer(peer))
    }

    /// Adds a cell and returns its index, or `None` if the block is full.
    pub(crate) fn push<C: Listed>(&mut self, cell: C) -> Option<usize> {
        let (front, back) = self.lengths.split(self.octets.len());
        if front + C::LEN > back {
            return None;
        }
        if C::IS_V6 {
            self.octets[back - C::LEN..back].copy_from_slice(cell.octets());
            self.lengths.v6 += 1;
            Some(0)
        } else {
            self.octets[front..front + C::LEN].copy_from_slice(cell.octets());
            self.lengths.v4 += 1;
            Some(usize::from(self.lengths.v4) - 1)
        }
    }

    /// Removes the cell at an index of its family; another takes its place.
    pub(crate) fn remove<C: Listed>(&mut self, index: usize) -> C {
        let cells = C::listed_mut(self);
        // The cell next to the free space in the middle fills the hole.
        let edge = if C::IS_V6 { 0 } else { cells.len() - 1 };
        cells.swap(index, edge);
        let removed = cells[edge];
        if C::IS_V6 {
            self.lengths.v6 -= 1;
        } else {
            self.lengths.v4 -= 1;
        }
        removed
    }

    /// Removes the peers that timed out.
    pub(crate) fn sweep(&mut self, moment: &Moment, timed_out: &mut TimedOut) {
        self.sweep_family::<Cell4>(moment, timed_out);
        self.sweep_family::<Cell6>(moment, timed_out);
    }

    /// Copies the cells into another block, which must be large enough.
    pub(crate) fn copy_to(&self, octets: &mut [u8]) {
        let (front, back) = self.lengths.split(self.octets.len());
        let (_, target) = self.lengths.split(octets.len());
        octets[..front].copy_from_slice(&self.octets[..front]);
        octets[target..].copy_from_slice(&self.octets[back..]);
    }

    /// Copies the cells into a new block of `len` octets.
    pub(crate) fn moved_to(&self, len: usize) -> (Box<[u8]>, Lengths) {
        let mut octets = vec![0; len].into_boxed_slice();
        self.copy_to(&mut octets);
        (octets, *self.lengths)
    }

    fn sweep_family<C: Listed>(&mut self, moment: &Moment, timed_out: &mut TimedOut) {
        let mut index = 0;
        while let Some(cell) = C::listed(self).get(index) {
            if moment.has_timed_out(cell.age()) {
                timed_out.note(cell, moment);
                self.remove::<C>(index);
                // An IPv6 cell is filled from index 0, which has been looked at, and every later
                // cell has moved down by one; an IPv4 cell is filled from the end.
            } else {
                index += 1;
            }
        }
    }
}

pub(crate) fn list_counts(octets: &[u8], lengths: Lengths) -> (usize, usize) {
    let (v4, v6) = lengths.cells(octets);
    let seeders = v4.iter().filter(|cell| cell.is_seeding()).count()
        + v6.iter().filter(|cell| cell.is_seeding()).count();
    (seeders, v4.len() + v6.len() - seeders)
}

pub(crate) fn list_youngest(octets: &[u8], lengths: Lengths, moment: &Moment) -> u8 {
    let (v4, v6) = lengths.cells(octets);
    let ages = v4.iter().map(Cell::age).chain(v6.iter().map(Cell::age));
    ages.map(|age| moment.minutes_since(age)).min().unwrap_or(0)
}

pub(crate) fn list_for_each(octets: &[u8], lengths: Lengths, visit: &mut impl FnMut(&[u8], bool)) {
    let (v4, v6) = lengths.cells(octets);
    v4.iter()
        .for_each(|cell| visit(cell.compact(), cell.is_seeding()));
    v6.iter()
        .for_each(|cell| visit(cell.compact(), cell.is_seeding()));
}

pub(crate) fn select_listed(
    octets: &[u8],
    lengths: Lengths,
    requester: &Requester,
    want: usize,
    picker: &mut Picker,
    out: &mut PeerBuffers<'_>,
) {
    let (v4, v6) = lengths.cells(octets);
    let v4 = if out.wants_v4() { v4 } else { &[] };
    let v6 = if out.wants_v6() { v6 } else { &[] };
    if v4.len() + v6.len() <= want {
        eligible(v4, requester).for_each(|cell| out.push(cell));
        eligible(v6, requester).for_each(|cell| out.push(cell));
        return;
    }
    let mut left = eligible(v4, requester).count() + eligible(v6, requester).count();
    let mut want = want;
    let mut take = |picker: &mut Picker| {
        // Selection sampling: every subset of `want` of the `left` is equally likely.
        let chosen = left <= want || (picker.below(saturating_u32(left)) as usize) < want;
        left -= 1;
        want -= usize::from(chosen);
        chosen
    };
    for cell in eligible(v4, requester) {
        if take(picker) {
            out.push(cell);
        }
    }
    for cell in eligible(v6, requester) {
        if take(picker) {
            out.push(cell);
        }
    }
}

/// The cells of a list that the requester may see, without itself.
fn eligible<'a, C: Cell>(cells: &'a [C], requester: &'a Requester) -> impl Iterator<Item = &'a C> {
    let own = match requester.location {
        Location::Listed(index) if requester.is_v6 == C::IS_V6 => index,
        _ => usize::MAX,
    };
    cells.iter().enumerate().filter_map(move |(index, cell)| {
        let visible = index != own
            && !(requester.seeding && cell.is_seeding())
            && cell.scope().is_visible_to(requester.scope);
        visible.then_some(cell)
    })
}
