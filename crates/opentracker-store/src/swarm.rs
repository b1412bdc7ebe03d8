//! The peers of one torrent, in the representation that fits their number.

use std::net::IpAddr;

use opentracker_types::SavedPeer;

use crate::cell::{AnyCell, Cell, Cell4, Cell6, PeerKeys, Report};
use crate::clock::{Minute, Moment};
use crate::kind::PerKind;
use crate::large::{Large, Tabled, prefetch_in};
use crate::list::{Cells, Lengths, List, Listed};
use crate::mix::Mix;
use crate::picker::{PeerBuffers, Picker};
use crate::prefetch::{Purpose, prefetch_all};
use crate::requester::{Entered, Requester};
use crate::timed_out::TimedOut;
use crate::usage::{Change, allocated};

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
        lengths: Lengths,
        octets: [u8; INLINE_OCTETS],
    },
    /// Some peers in one heap block.
    Listed { lengths: Lengths, octets: Box<[u8]> },
    /// Hash tables of peers.
    Large(Large),
}

/// A cell that every representation of a swarm can hold.
pub(crate) trait SwarmCell: Listed + Tabled {}

impl<C: Listed + Tabled> SwarmCell for C {}

impl Swarm {
    pub(crate) const fn empty(last_announce: Minute) -> Self {
        Self::Empty { last_announce }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty { .. })
    }

    /// The numbers of seeders and of leechers. Every reply has them, so that they are not added up
    /// from [`Self::peers`].
    pub(crate) fn counts(&self) -> (usize, usize) {
        match self {
            Self::Empty { .. } => (0, 0),
            Self::Inline { lengths, octets } => lengths.cells(octets).counts(),
            Self::Listed { lengths, octets } => lengths.cells(octets).counts(),
            Self::Large(large) => large.counts(),
        }
    }

    pub(crate) fn peers(&self) -> PerKind<u64> {
        match self {
            Self::Empty { .. } => PerKind::default(),
            Self::Inline { lengths, octets } => lengths.cells(octets).peers(),
            Self::Listed { lengths, octets } => lengths.cells(octets).peers(),
            Self::Large(large) => large.peers(),
        }
    }

    /// Whether there are peers of another prefix than this one's, if all that are there have the
    /// same: one is looked at.
    pub(crate) fn has_other_prefix<C: SwarmCell>(&self, peer: &C) -> bool {
        let one = match self {
            Self::Empty { .. } => return false,
            Self::Inline { lengths, octets } => C::first(lengths.cells(octets)),
            Self::Listed { lengths, octets } => C::first(lengths.cells(octets)),
            Self::Large(large) => large.first(),
        };
        // If there is none of its family, there are others.
        one.is_none_or(|one: C| !one.has_same_prefix(peer))
    }

    pub(crate) fn len(&self) -> usize {
        let (seeders, leechers) = self.counts();
        seeders + leechers
    }

    /// Makes room for peers that are about to be entered, in a swarm of about so many in all, so
    /// that a large one need not grow time and again.
    pub(crate) fn reserve(&mut self, mix: &Mix, swarm_peers: usize, keys: &PeerKeys) {
        if self.is_empty() && mix.octets() > MAX_LIST_OCTETS {
            *self = Self::Large(Large::empty());
        }
        if let Self::Large(large) = self {
            large.reserve(mix, swarm_peers, keys);
        }
    }

    /// Enters or refreshes a peer.
    pub(crate) fn enter<C: SwarmCell>(
        &mut self,
        peer: C,
        report: Report,
        moment: &Moment,
        keys: &PeerKeys,
        change: &mut Change,
    ) -> Entered {
        loop {
            if let Self::Large(large) = self {
                return large.enter(peer, report, moment, keys, change);
            }
            if let Some(mut list) = self.as_list()
                && let Some(entered) = list.enter(peer, report, moment)
            {
                return entered;
            }
            let octets = self.heap_octets();
            self.make_room(C::LEN, keys);
            change.resize(octets, self.heap_octets());
        }
    }

    /// Removes a peer and says whether it was a seeder; `None`: it was not known.
    pub(crate) fn leave<C: SwarmCell>(
        &mut self,
        peer: &C,
        moment: &Moment,
        keys: &PeerKeys,
    ) -> Option<bool> {
        let (was_seeding, is_empty) = if let Self::Large(large) = self {
            (large.leave(peer, keys)?, large.is_empty())
        } else {
            let mut list = self.as_list()?;
            (list.leave(peer)?, list.is_empty())
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
            Self::Inline { lengths, octets } => {
                lengths.cells(octets).select(requester, want, picker, out);
            }
            Self::Listed { lengths, octets } => {
                lengths.cells(octets).select(requester, want, picker, out);
            }
            Self::Large(large) => large.select(requester, want, picker, out),
        }
    }

    /// Begins to load what [`Self::enter`] needs first beyond the swarm itself; says whether
    /// [`Self::prefetch_peer`] has more to load then.
    pub(crate) fn prefetch(&self, peer: &AnyCell) -> bool {
        match (self, peer) {
            (Self::Empty { .. } | Self::Inline { .. }, _) => return false,
            (Self::Listed { octets, .. }, _) => {
                prefetch_all(octets);
                return false;
            }
            (Self::Large(large), AnyCell::V4(_)) => prefetch_all(&large.v4),
            (Self::Large(large), AnyCell::V6(_)) => prefetch_all(&large.v6),
        }
        true
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

    /// Removes peers that timed out or that `keeps` refuses, at most about `budget` cells at a
    /// time.
    ///
    /// `slot` is where a large swarm goes on, in parts of 2³² of all its slots. Returns whether
    /// the swarm is through.
    pub(crate) fn sweep(
        &mut self,
        moment: &Moment,
        keeps: &mut impl FnMut(IpAddr) -> bool,
        keys: &PeerKeys,
        slot: &mut u32,
        budget: &mut usize,
        timed_out: &mut TimedOut,
    ) -> bool {
        let is_empty = match self {
            Self::Empty { .. } => return true,
            Self::Inline { lengths, octets } => {
                let mut list = List::new(octets, lengths);
                list.sweep(moment, keeps, timed_out);
                list.is_empty()
            }
            Self::Listed { lengths, octets } => {
                let mut list = List::new(octets, lengths);
                list.sweep(moment, keeps, timed_out);
                *budget = budget.saturating_sub(list.len());
                list.is_empty()
            }
            Self::Large(large) => {
                if !large.sweep(moment, keeps, keys, slot, budget, timed_out) {
                    return false;
                }
                large.is_empty()
            }
        };
        if is_empty {
            let minutes = timed_out.youngest.map_or(0, u32::from);
            *self = Self::empty(moment.now.before(minutes));
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
            Self::Inline { lengths, octets } => lengths.cells(octets).youngest(moment),
            Self::Listed { lengths, octets } => lengths.cells(octets).youngest(moment),
            Self::Large(large) => large.youngest(moment),
        };
        u32::from(youngest)
    }

    /// Copies peers, of a large swarm about `budget` slots of those whose hash is `from` or more.
    /// Returns the hash to go on from, or `None` if that was all.
    pub(crate) fn save(
        &self,
        from: u32,
        moment: &Moment,
        keys: &PeerKeys,
        budget: &mut usize,
        out: &mut Vec<SavedPeer>,
    ) -> Option<u32> {
        let cells = match self {
            Self::Empty { .. } => return None,
            Self::Inline { lengths, octets } => lengths.cells(octets),
            Self::Listed { lengths, octets } => lengths.cells(octets),
            Self::Large(large) => return large.save(from, moment, keys, budget, out),
        };
        out.extend(cells.v4().map(|cell| cell.saved(moment)));
        out.extend(cells.v6().map(|cell| cell.saved(moment)));
        *budget = budget.saturating_sub(cells.v4().len() + cells.v6().len());
        None
    }

    /// Returns the age of a peer, if it is there.
    pub(crate) fn age_of<C: SwarmCell>(&self, peer: &C, keys: &PeerKeys) -> Option<u8> {
        let cells = match self {
            Self::Empty { .. } => return None,
            Self::Inline { lengths, octets } => lengths.cells(octets),
            Self::Listed { lengths, octets } => lengths.cells(octets),
            Self::Large(large) => return large.age_of(peer, keys),
        };
        Some(cells.find(peer)?.age())
    }

    /// Octets on the heap.
    pub(crate) fn heap_octets(&self) -> usize {
        match self {
            Self::Empty { .. } | Self::Inline { .. } => 0,
            Self::Listed { octets, .. } => allocated(octets.len()),
            Self::Large(large) => large.heap_octets(),
        }
    }

    /// Calls `visit` with the compact form of every peer and whether it is a seeder.
    pub(crate) fn for_each_peer(&self, mut visit: impl FnMut(&[u8], bool)) {
        let mut listed = |cells: Cells<'_>| {
            cells
                .v4()
                .for_each(|cell| visit(cell.compact(), cell.is_seeding()));
            cells
                .v6()
                .for_each(|cell| visit(cell.compact(), cell.is_seeding()));
        };
        match self {
            Self::Empty { .. } => {}
            Self::Inline { lengths, octets } => listed(lengths.cells(octets)),
            Self::Listed { lengths, octets } => listed(lengths.cells(octets)),
            Self::Large(large) => {
                large.for_each::<Cell4>(&mut |cell| visit(cell.compact(), cell.is_seeding()));
                large.for_each::<Cell6>(&mut |cell| visit(cell.compact(), cell.is_seeding()));
            }
        }
    }

    fn as_list(&mut self) -> Option<List<'_>> {
        match self {
            Self::Inline { lengths, octets } => Some(List::new(octets, lengths)),
            Self::Listed { lengths, octets } => Some(List::new(octets, lengths)),
            Self::Empty { .. } | Self::Large(_) => None,
        }
    }

    /// Changes to a representation with room for a cell of `more` octets.
    fn make_room(&mut self, more: usize, keys: &PeerKeys) {
        let needed = more
            + match self {
                Self::Empty { .. } => 0,
                Self::Inline { lengths, .. } | Self::Listed { lengths, .. } => lengths.octets(),
                Self::Large(_) => return,
            };
        let Some(list) = self.as_list() else {
            *self = Self::Inline {
                lengths: Lengths::default(),
                octets: [0; INLINE_OCTETS],
            };
            return;
        };
        *self = if needed <= MAX_LIST_OCTETS {
            let (octets, lengths) = list.moved_to(block_octets(needed));
            Self::Listed { lengths, octets }
        } else {
            Self::Large(Large::from_list(&list, keys))
        };
    }

    /// Changes to a smaller representation if that saves something.
    fn shrink(&mut self) {
        match self {
            Self::Empty { .. } | Self::Inline { .. } => {}
            Self::Listed { lengths, octets } => {
                let needed = lengths.octets();
                let mut kept = *lengths;
                if needed <= INLINE_OCTETS {
                    let mut inline = [0; INLINE_OCTETS];
                    List::new(octets, &mut kept).copy_to(&mut inline);
                    *self = Self::Inline {
                        lengths: kept,
                        octets: inline,
                    };
                } else if block_octets(needed) < octets.len() {
                    let (octets, lengths) =
                        List::new(octets, &mut kept).moved_to(block_octets(needed));
                    *self = Self::Listed { lengths, octets };
                }
            }
            Self::Large(large) => {
                let needed = large.cell_octets();
                if needed <= DEMOTE_OCTETS {
                    let mut octets = vec![0; block_octets(needed)].into_boxed_slice();
                    let mut lengths = Lengths::default();
                    let mut list = List::new(&mut octets, &mut lengths);
                    large.for_each::<Cell4>(&mut |cell| {
                        list.push(*cell).expect("the block was made to fit");
                    });
                    large.for_each::<Cell6>(&mut |cell| {
                        list.push(*cell).expect("the block was made to fit");
                    });
                    *self = Self::Listed { lengths, octets };
                }
            }
        }
    }
}

/// Rounds up to what an allocator hands out anyway, eight octets of its own included.
fn block_octets(needed: usize) -> usize {
    (needed + 8).next_multiple_of(32) - 8
}
