//! Peers of a small swarm: both families in one block of octets, searched from end to end.
//!
//! IPv4 cells grow from the front and IPv6 cells from the back, so that one block serves any
//! mixture. A block holds octets without a type; a cell is made of them where it is looked at,
//! which costs nothing.

use std::net::IpAddr;

use crate::arithmetic::saturating_u32;
use crate::cell::{Cell, Cell4, Cell6, Report};
use crate::clock::Moment;
use crate::kind::{Family, PerKind};
use crate::picker::{PeerBuffers, Picker};
use crate::requester::{Entered, Location, Requester};
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
    pub(crate) fn cells(self, octets: &[u8]) -> Cells<'_> {
        let (front, back) = self.split(octets.len());
        let (v4, _) = octets[..front].as_chunks();
        let (v6, _) = octets[back..].as_chunks();
        Cells { v4, v6 }
    }

    /// Where the IPv4 cells end and where the IPv6 cells begin.
    fn split(self, len: usize) -> (usize, usize) {
        (
            usize::from(self.v4) * Cell4::LEN,
            len - usize::from(self.v6) * Cell6::LEN,
        )
    }
}

/// The cells of a block, to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells<'a> {
    v4: &'a [[u8; Cell4::LEN]],
    v6: &'a [[u8; Cell6::LEN]],
}

impl Cells<'_> {
    pub(crate) fn v4(self) -> impl ExactSizeIterator<Item = Cell4> {
        self.v4.iter().copied().map(Cell4::from_octets)
    }

    pub(crate) fn v6(self) -> impl ExactSizeIterator<Item = Cell6> {
        self.v6.iter().copied().map(Cell6::from_octets)
    }

    /// The numbers of seeders and of leechers.
    pub(crate) fn counts(self) -> (usize, usize) {
        let seeders =
            self.v4().filter(Cell::is_seeding).count() + self.v6().filter(Cell::is_seeding).count();
        (seeders, self.v4.len() + self.v6.len() - seeders)
    }

    pub(crate) fn peers(self) -> PerKind<u64> {
        let v4_seeders = self.v4().filter(Cell::is_seeding).count() as u64;
        let v6_seeders = self.v6().filter(Cell::is_seeding).count() as u64;
        PerKind {
            v4_seeders,
            v4_leechers: self.v4.len() as u64 - v4_seeders,
            v6_seeders,
            v6_leechers: self.v6.len() as u64 - v6_seeders,
            ..PerKind::default()
        }
    }

    /// Finds a peer.
    pub(crate) fn find<C: Listed>(self, peer: &C) -> Option<C> {
        let mut cells = C::listed(self).iter().copied().map(C::from_octets);
        cells.find(|cell| cell.is_same_peer(peer))
    }

    /// Minutes since the youngest peer announced.
    pub(crate) fn youngest(self, moment: &Moment) -> u8 {
        let ages = self.v4().map(|cell| cell.age());
        let ages = ages.chain(self.v6().map(|cell| cell.age()));
        ages.map(|age| moment.minutes_since(age)).min().unwrap_or(0)
    }

    /// Writes up to `want` random peers that the requester may see.
    pub(crate) fn select(
        mut self,
        requester: &Requester,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
    ) {
        if !out.wants_v4() {
            self.v4 = &[];
        }
        if !out.wants_v6() {
            self.v6 = &[];
        }
        let v4 = || eligible(self.v4(), requester);
        let v6 = || eligible(self.v6(), requester);
        if self.v4.len() + self.v6.len() <= want {
            v4().for_each(|cell| out.push(&cell));
            v6().for_each(|cell| out.push(&cell));
            return;
        }
        let mut left = v4().count() + v6().count();
        let mut want = want;
        let mut take = || {
            // Selection sampling: every subset of `want` of the `left` is equally likely.
            let chosen = left <= want || (picker.below(saturating_u32(left)) as usize) < want;
            left -= 1;
            want -= usize::from(chosen);
            chosen
        };
        v4().filter(|_| take()).for_each(|cell| out.push(&cell));
        v6().filter(|_| take()).for_each(|cell| out.push(&cell));
    }
}

/// The cells that the requester may see, without itself.
fn eligible<C: Cell>(
    cells: impl Iterator<Item = C>,
    requester: &Requester,
) -> impl Iterator<Item = C> {
    let own = match requester.location {
        Location::Listed(index) if requester.family == C::FAMILY => index,
        _ => usize::MAX,
    };
    cells.enumerate().filter_map(move |(index, cell)| {
        let visible = index != own
            && !(requester.seeding && cell.is_seeding())
            && cell.scope().is_visible_to(requester.scope);
        visible.then_some(cell)
    })
}

/// A cell that a list holds beside those of the other family.
pub(crate) trait Listed: Cell {
    fn listed(cells: Cells<'_>) -> &[Self::Octets];
    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self::Octets];
    fn count(lengths: &mut Lengths) -> &mut u8;

    /// Any cell of the family.
    fn first(cells: Cells<'_>) -> Option<Self> {
        Self::listed(cells).first().copied().map(Self::from_octets)
    }
}

impl Listed for Cell4 {
    fn listed(cells: Cells<'_>) -> &[Self::Octets] {
        cells.v4
    }

    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self::Octets] {
        let (front, _) = list.lengths.split(list.octets.len());
        list.octets[..front].as_chunks_mut().0
    }

    fn count(lengths: &mut Lengths) -> &mut u8 {
        &mut lengths.v4
    }
}

impl Listed for Cell6 {
    fn listed(cells: Cells<'_>) -> &[Self::Octets] {
        cells.v6
    }

    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self::Octets] {
        let (_, back) = list.lengths.split(list.octets.len());
        list.octets[back..].as_chunks_mut().0
    }

    fn count(lengths: &mut Lengths) -> &mut u8 {
        &mut lengths.v6
    }
}

/// A block of cells that can be changed.
#[derive(Debug)]
pub(crate) struct List<'a> {
    octets: &'a mut [u8],
    lengths: &'a mut Lengths,
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

    pub(crate) fn cells(&self) -> Cells<'_> {
        self.lengths.cells(self.octets)
    }

    /// Enters or refreshes a peer; `None`: it is not there, and the block is full.
    pub(crate) fn enter<C: Listed>(
        &mut self,
        peer: C,
        report: Report,
        moment: &Moment,
    ) -> Option<Entered> {
        if let Some(index) = self.find(&peer) {
            let octets = &mut C::listed_mut(self)[index];
            let mut cell = C::from_octets(*octets);
            let was_seeding = Some(cell.is_seeding());
            let refreshed = cell.refresh(report, moment);
            *octets = cell.into_octets();
            return Some(Entered {
                location: Location::Listed(index),
                was_seeding,
                refreshed,
            });
        }
        let mut cell = peer;
        let refreshed = cell.enter(report, moment);
        Some(Entered {
            location: Location::Listed(self.push(cell)?),
            was_seeding: None,
            refreshed,
        })
    }

    /// Removes a peer and says whether it was a seeder; `None`: it was not known.
    pub(crate) fn leave<C: Listed>(&mut self, peer: &C) -> Option<bool> {
        let index = self.find(peer)?;
        Some(self.remove::<C>(index).is_seeding())
    }

    /// Adds a cell and returns its index, or `None` if the block is full.
    pub(crate) fn push<C: Listed>(&mut self, cell: C) -> Option<usize> {
        let (front, back) = self.lengths.split(self.octets.len());
        if front + C::LEN > back {
            return None;
        }
        *C::count(self.lengths) += 1;
        let cells = C::listed_mut(self);
        let index = inner_edge::<C>(cells);
        cells[index] = cell.into_octets();
        Some(index)
    }

    /// Removes the peers that timed out or that `keeps` refuses.
    pub(crate) fn sweep(
        &mut self,
        moment: &Moment,
        keeps: &mut impl FnMut(IpAddr) -> bool,
        timed_out: &mut TimedOut,
    ) {
        self.sweep_family::<Cell4>(moment, keeps, timed_out);
        self.sweep_family::<Cell6>(moment, keeps, timed_out);
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

    /// Finds a peer's index among the cells of its family.
    fn find<C: Listed>(&self, peer: &C) -> Option<usize> {
        C::listed(self.cells())
            .iter()
            .position(|octets| C::from_octets(*octets).is_same_peer(peer))
    }

    /// Removes the cell at an index of its family; another takes its place.
    fn remove<C: Listed>(&mut self, index: usize) -> C {
        let cells = C::listed_mut(self);
        let edge = inner_edge::<C>(cells);
        cells.swap(index, edge);
        let removed = C::from_octets(cells[edge]);
        *C::count(self.lengths) -= 1;
        removed
    }

    fn sweep_family<C: Listed>(
        &mut self,
        moment: &Moment,
        keeps: &mut impl FnMut(IpAddr) -> bool,
        timed_out: &mut TimedOut,
    ) {
        let mut index = 0;
        while let Some(octets) = C::listed(self.cells()).get(index) {
            let cell = C::from_octets(*octets);
            if moment.has_timed_out(cell.age()) || !keeps(cell.ip()) {
                timed_out.note(&cell, moment);
                self.remove::<C>(index);
                // An IPv6 cell is filled from index 0, which has been looked at, and every later
                // cell has moved down by one; an IPv4 cell is filled from the end.
            } else {
                index += 1;
            }
        }
    }
}

/// The index of the cell next to the free space in the middle.
fn inner_edge<C: Cell>(cells: &[C::Octets]) -> usize {
    match C::FAMILY {
        Family::V4 => cells.len() - 1,
        Family::V6 => 0,
    }
}
