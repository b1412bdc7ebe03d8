//! The peers of one torrent, in the representation that fits their number.

use opentracker_types::Scope;

use crate::cell::{AnyCell, Cell, Cell4, Cell6, PeerKeys, Refreshed, Report};
use crate::clock::{Minute, Moment};
use crate::large::{Large, prefetch_in};
use crate::list::{Lens, List};
use crate::prefetch::prefetch_all;
use crate::select::{PeerBuffers, Picker};
use crate::upcoming::Purpose;

/// Octets of cells that live in the map entry itself: four IPv4 peers, or an IPv6 and two IPv4.
pub(crate) const INLINE_OCTETS: usize = 36;

/// The longest list on the heap, 31 IPv4 or 12 IPv6 peers; beyond it a table finds faster.
const MAX_LIST_OCTETS: usize = 248;

/// A large swarm that shrinks to this many octets of cells becomes a list again.
const DEMOTE_OCTETS: usize = 120;

#[derive(Debug)]
pub(crate) enum Swarm {
    /// Nobody. Kept for the download count of its torrent.
    Empty {
        /// When the torrent was last announced.
        last_announce: Minute,
    },
    /// A few peers, in place.
    Inline {
        lens: Lens,
        octets: [u8; INLINE_OCTETS],
    },
    /// Some peers in one heap block.
    Listed { lens: Lens, octets: Box<[u8]> },
    /// Hash tables of peers.
    Large(Large),
}

/// Where an announcing peer stands, so that it is not handed to itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// Index among the list's cells of its family.
    Listed(usize),
    /// Slot in the table of its class.
    Tabled(usize),
}

/// What an announce did to a swarm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entered {
    pub(crate) place: Place,
    /// Whether the peer was a seeder before; `None`: it was not known.
    pub(crate) was_seeding: Option<bool>,
    pub(crate) refreshed: Refreshed,
}

/// Who asks for peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requester {
    pub(crate) scope: Scope,
    pub(crate) seeding: bool,
    pub(crate) is_v6: bool,
    pub(crate) place: Place,
}

/// Peers that left in a sweep.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Departed {
    pub(crate) v4_seeders: u32,
    pub(crate) v4_leechers: u32,
    pub(crate) v6_seeders: u32,
    pub(crate) v6_leechers: u32,
    /// Minutes since the youngest of them announced.
    pub(crate) youngest: Option<u8>,
}

impl Departed {
    pub(crate) fn total(&self) -> u64 {
        [
            self.v4_seeders,
            self.v4_leechers,
            self.v6_seeders,
            self.v6_leechers,
        ]
        .map(u64::from)
        .iter()
        .sum()
    }

    pub(crate) fn count(&mut self, is_v6: bool, seeding: bool) -> &mut u32 {
        match (is_v6, seeding) {
            (false, true) => &mut self.v4_seeders,
            (false, false) => &mut self.v4_leechers,
            (true, true) => &mut self.v6_seeders,
            (true, false) => &mut self.v6_leechers,
        }
    }

    pub(crate) fn note<C: Cell>(&mut self, cell: &C, moment: &Moment) {
        *self.count(C::LEN == Cell6::LEN, cell.is_seeding()) += 1;
        let minutes = moment.minutes_since(cell.age());
        self.youngest = Some(self.youngest.map_or(minutes, |least| least.min(minutes)));
    }
}

/// A cell that knows where its family is kept.
pub(crate) trait Family: Cell {
    const IS_V6: bool;
    fn listed<'a>(list: &'a List<'_>) -> &'a [Self];
    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self];
    fn tables(large: &Large) -> &crate::large::Tables<Self>;
    fn tables_mut(large: &mut Large) -> &mut crate::large::Tables<Self>;
}

impl Swarm {
    pub(crate) const fn empty(last_announce: Minute) -> Self {
        Self::Empty { last_announce }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty { .. })
    }

    /// Returns the numbers of seeders and of leechers.
    pub(crate) fn counts(&self) -> (usize, usize) {
        match self {
            Self::Empty { .. } => (0, 0),
            Self::Inline { lens, octets } => list_counts(octets, *lens),
            Self::Listed { lens, octets } => list_counts(octets, *lens),
            Self::Large(large) => large.counts(),
        }
    }

    /// Enters or refreshes a peer.
    pub(crate) fn enter<C: Family>(
        &mut self,
        peer: C,
        report: Report,
        moment: &Moment,
        keys: &PeerKeys,
    ) -> Entered {
        loop {
            if let Self::Large(large) = self {
                return large.enter(peer, report, moment, keys);
            }
            if let Some(mut list) = self.as_list() {
                if let Some(index) = list.find(&peer) {
                    let cell = &mut C::listed_mut(&mut list)[index];
                    let was_seeding = Some(cell.is_seeding());
                    return Entered {
                        place: Place::Listed(index),
                        was_seeding,
                        refreshed: cell.refresh(report, moment),
                    };
                }
                let mut cell = peer;
                let refreshed = cell.enter(report, moment);
                if let Some(index) = list.push(cell) {
                    return Entered {
                        place: Place::Listed(index),
                        was_seeding: None,
                        refreshed,
                    };
                }
            }
            self.make_room(C::LEN, keys);
        }
    }

    /// Removes a peer and says whether it was a seeder; `None`: it was not known.
    pub(crate) fn leave<C: Family>(
        &mut self,
        peer: &C,
        moment: &Moment,
        keys: &PeerKeys,
    ) -> Option<bool> {
        let (was_seeding, is_empty) = if let Self::Large(large) = self {
            (large.leave(peer, keys)?, large.is_empty())
        } else {
            let mut list = self.as_list()?;
            let index = list.find(peer)?;
            let removed = list.remove::<C>(index);
            (removed.is_seeding(), list.is_empty())
        };
        if is_empty {
            *self = Self::empty(moment.now);
        }
        Some(was_seeding)
    }

    /// Writes up to `want` random peers that the requester may see.
    pub(crate) fn select(
        &self,
        requester: &Requester,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
    ) {
        let want = want.min(out.capacity());
        if want == 0 {
            return;
        }
        match self {
            Self::Empty { .. } => {}
            Self::Inline { lens, octets } => {
                select_listed(octets, *lens, requester, want, picker, out);
            }
            Self::Listed { lens, octets } => {
                select_listed(octets, *lens, requester, want, picker, out);
            }
            Self::Large(large) => large.select(requester, want, picker, out),
        }
    }

    /// Begins to load what [`Self::enter`] needs first beyond the swarm itself.
    pub(crate) fn prefetch(&self, peer: &AnyCell) {
        match (self, peer) {
            (Self::Empty { .. } | Self::Inline { .. }, _) => {}
            (Self::Listed { octets, .. }, _) => prefetch_all(octets),
            (Self::Large(large), AnyCell::V4(_)) => prefetch_all(&large.v4),
            (Self::Large(large), AnyCell::V6(_)) => prefetch_all(&large.v6),
        }
    }

    /// Begins to load the peer, and others if they will be handed out, after [`Self::prefetch`].
    pub(crate) fn prefetch_peer(&self, peer: &AnyCell, purpose: Purpose, keys: &PeerKeys) {
        if let Self::Large(large) = self {
            match peer {
                AnyCell::V4(peer) => prefetch_in(&large.v4, peer, purpose, keys),
                AnyCell::V6(peer) => prefetch_in(&large.v6, peer, purpose, keys),
            }
        }
    }

    /// Removes peers that timed out, at most about `budget` cells at a time.
    ///
    /// `slot` is where a large swarm goes on, in parts of 2³² of all its slots. Returns whether
    /// the swarm is through.
    pub(crate) fn sweep(
        &mut self,
        moment: &Moment,
        keys: &PeerKeys,
        slot: &mut u32,
        budget: &mut usize,
        departed: &mut Departed,
    ) -> bool {
        let is_empty = match self {
            Self::Empty { .. } => return true,
            Self::Inline { lens, octets } => {
                let mut list = List::new(octets, lens);
                list.sweep(moment, departed);
                list.is_empty()
            }
            Self::Listed { lens, octets } => {
                let mut list = List::new(octets, lens);
                list.sweep(moment, departed);
                *budget = budget.saturating_sub(list.len());
                list.is_empty()
            }
            Self::Large(large) => {
                if !large.sweep(moment, keys, slot, budget, departed) {
                    return false;
                }
                large.is_empty()
            }
        };
        if is_empty {
            let minutes = departed.youngest.map_or(0, u32::from);
            *self = Self::empty(Minute::new(moment.now.get().saturating_sub(minutes)));
        } else {
            self.shrink();
        }
        true
    }

    /// Returns the minutes since the torrent was last announced. Of a large swarm only some peers
    /// are looked at; it has announces all the time.
    pub(crate) fn idle_minutes(&self, moment: &Moment) -> u32 {
        let youngest = match self {
            Self::Empty { last_announce } => return moment.now.since(*last_announce),
            Self::Inline { lens, octets } => list_youngest(octets, *lens, moment),
            Self::Listed { lens, octets } => list_youngest(octets, *lens, moment),
            Self::Large(large) => large.youngest(moment),
        };
        u32::from(youngest)
    }

    /// Octets on the heap, without the allocator's own.
    pub(crate) fn heap_octets(&self) -> usize {
        match self {
            Self::Empty { .. } | Self::Inline { .. } => 0,
            Self::Listed { octets, .. } => octets.len(),
            Self::Large(large) => large.heap_octets(),
        }
    }

    /// Calls `visit` with the compact form of every peer and whether it is a seeder.
    pub(crate) fn for_each_peer(&self, mut visit: impl FnMut(&[u8], bool)) {
        match self {
            Self::Empty { .. } => {}
            Self::Inline { lens, octets } => list_for_each(octets, *lens, &mut visit),
            Self::Listed { lens, octets } => list_for_each(octets, *lens, &mut visit),
            Self::Large(large) => {
                large.for_each::<Cell4>(&mut |cell| visit(cell.compact(), cell.is_seeding()));
                large.for_each::<Cell6>(&mut |cell| visit(cell.compact(), cell.is_seeding()));
            }
        }
    }

    fn as_list(&mut self) -> Option<List<'_>> {
        match self {
            Self::Inline { lens, octets } => Some(List::new(octets, lens)),
            Self::Listed { lens, octets } => Some(List::new(octets, lens)),
            Self::Empty { .. } | Self::Large(_) => None,
        }
    }

    /// Changes to a representation with room for a cell of `more` octets.
    fn make_room(&mut self, more: usize, keys: &PeerKeys) {
        let needed = more
            + match self {
                Self::Empty { .. } => 0,
                Self::Inline { lens, .. } | Self::Listed { lens, .. } => lens.octets(),
                Self::Large(_) => return,
            };
        let Some(list) = self.as_list() else {
            *self = Self::Inline {
                lens: Lens::default(),
                octets: [0; INLINE_OCTETS],
            };
            return;
        };
        *self = if needed <= MAX_LIST_OCTETS {
            let (octets, lens) = list.moved_to(block_octets(needed));
            Self::Listed { lens, octets }
        } else {
            Self::Large(Large::from_list(&list, keys))
        };
    }

    /// Changes to a smaller representation if that saves something.
    fn shrink(&mut self) {
        match self {
            Self::Empty { .. } | Self::Inline { .. } => {}
            Self::Listed { lens, octets } => {
                let needed = lens.octets();
                let mut kept = *lens;
                if needed <= INLINE_OCTETS {
                    let mut inline = [0; INLINE_OCTETS];
                    List::new(octets, &mut kept).copy_to(&mut inline);
                    *self = Self::Inline {
                        lens: kept,
                        octets: inline,
                    };
                } else if block_octets(needed) < octets.len() {
                    let (octets, lens) =
                        List::new(octets, &mut kept).moved_to(block_octets(needed));
                    *self = Self::Listed { lens, octets };
                }
            }
            Self::Large(large) => {
                let needed = large.cell_octets();
                if needed <= DEMOTE_OCTETS {
                    let mut octets = vec![0; block_octets(needed)].into_boxed_slice();
                    let mut lens = Lens::default();
                    let mut list = List::new(&mut octets, &mut lens);
                    large.for_each::<Cell4>(&mut |cell| {
                        list.push(*cell).expect("the block was made to fit");
                    });
                    large.for_each::<Cell6>(&mut |cell| {
                        list.push(*cell).expect("the block was made to fit");
                    });
                    *self = Self::Listed { lens, octets };
                }
            }
        }
    }
}

/// Rounds up to what an allocator hands out anyway, eight octets of its own included.
fn block_octets(needed: usize) -> usize {
    (needed + 8).next_multiple_of(32) - 8
}

fn list_counts(octets: &[u8], lens: Lens) -> (usize, usize) {
    let (v4, v6) = lens.cells(octets);
    let seeders = v4.iter().filter(|cell| cell.is_seeding()).count()
        + v6.iter().filter(|cell| cell.is_seeding()).count();
    (seeders, v4.len() + v6.len() - seeders)
}

fn list_youngest(octets: &[u8], lens: Lens, moment: &Moment) -> u8 {
    let (v4, v6) = lens.cells(octets);
    let ages = v4.iter().map(Cell::age).chain(v6.iter().map(Cell::age));
    ages.map(|age| moment.minutes_since(age)).min().unwrap_or(0)
}

fn list_for_each(octets: &[u8], lens: Lens, visit: &mut impl FnMut(&[u8], bool)) {
    let (v4, v6) = lens.cells(octets);
    v4.iter()
        .for_each(|cell| visit(cell.compact(), cell.is_seeding()));
    v6.iter()
        .for_each(|cell| visit(cell.compact(), cell.is_seeding()));
}

fn select_listed(
    octets: &[u8],
    lens: Lens,
    requester: &Requester,
    want: usize,
    picker: &mut Picker,
    out: &mut PeerBuffers<'_>,
) {
    let (v4, v6) = lens.cells(octets);
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
fn eligible<'a, C: Family>(
    cells: &'a [C],
    requester: &'a Requester,
) -> impl Iterator<Item = &'a C> {
    let own = match requester.place {
        Place::Listed(index) if requester.is_v6 == C::IS_V6 => index,
        _ => usize::MAX,
    };
    cells.iter().enumerate().filter_map(move |(index, cell)| {
        let visible = index != own
            && !(requester.seeding && cell.is_seeding())
            && cell.scope().is_visible_to(requester.scope);
        visible.then_some(cell)
    })
}

pub(crate) fn saturating_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Family for Cell4 {
    const IS_V6: bool = false;
    fn listed<'a>(list: &'a List<'_>) -> &'a [Self] {
        list.cells().0
    }
    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self] {
        list.cells_mut().0
    }
    fn tables(large: &Large) -> &crate::large::Tables<Self> {
        &large.v4
    }
    fn tables_mut(large: &mut Large) -> &mut crate::large::Tables<Self> {
        &mut large.v4
    }
}

impl Family for Cell6 {
    const IS_V6: bool = true;
    fn listed<'a>(list: &'a List<'_>) -> &'a [Self] {
        list.cells().1
    }
    fn listed_mut<'a>(list: &'a mut List<'_>) -> &'a mut [Self] {
        list.cells_mut().1
    }
    fn tables(large: &Large) -> &crate::large::Tables<Self> {
        &large.v6
    }
    fn tables_mut(large: &mut Large) -> &mut crate::large::Tables<Self> {
        &mut large.v6
    }
}
