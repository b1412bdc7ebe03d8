//! A large swarm: one hash table for each class of peers.
//!
//! A class is what decides whether a requester may be given a peer: its family, its scope and
//! whether it seeds. A selection is therefore drawn from whole tables and never filtered, however
//! the swarm is mixed. Nearly every swarm has two tables: the global leechers and the global
//! seeders of one family.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use opentracker_types::SavedPeer;

use crate::candidates::Candidates;
use crate::cell::{Cell, Cell4, Cell6, PeerKeys, Report};
use crate::clock::Moment;
use crate::kind::{Family, PerKind};
use crate::list::List;
use crate::mix::Mix;
use crate::picker::{PeerBuffers, Picker};
use crate::prefetch::Purpose;
use crate::requester::{Class, Entered, Location, Requester};
use crate::table::Table;
use crate::timed_out::TimedOut;
use crate::usage::{Change, allocated};

/// A swarm too large for a list. Stands in the torrent's cache line, so that a peer is three steps
/// away: the tables, the pages of one, the page.
#[derive(Debug)]
pub(crate) struct Large {
    pub(crate) v4: Tables<Cell4>,
    pub(crate) v6: Tables<Cell6>,
}

/// The tables of one family, at most six.
pub(crate) type Tables<C> = Box<[Table<C>]>;

/// A cell that a large swarm has tables of.
pub(crate) trait Tabled: Cell {
    fn tables(large: &Large) -> &Tables<Self>;
    fn tables_mut(large: &mut Large) -> &mut Tables<Self>;
}

impl Tabled for Cell4 {
    fn tables(large: &Large) -> &Tables<Self> {
        &large.v4
    }
    fn tables_mut(large: &mut Large) -> &mut Tables<Self> {
        &mut large.v4
    }
}

impl Tabled for Cell6 {
    fn tables(large: &Large) -> &Tables<Self> {
        &large.v6
    }
    fn tables_mut(large: &mut Large) -> &mut Tables<Self> {
        &mut large.v6
    }
}

/// Peers looked at to tell a swarm's youngest.
const YOUNGEST_SAMPLE: usize = 64;

/// How often a sweep moves cells of a table on under one lock.
const MOVES: usize = 16;

impl Large {
    pub(crate) fn empty() -> Self {
        Self {
            v4: Box::default(),
            v6: Box::default(),
        }
    }

    pub(crate) fn from_list(list: &List<'_>, keys: &PeerKeys) -> Self {
        let mut large = Self::empty();
        list.cells().v4().for_each(|cell| {
            large.insert(cell, keys);
        });
        list.cells().v6().for_each(|cell| {
            large.insert(cell, keys);
        });
        large
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.v4.iter().all(Table::is_empty) && self.v6.iter().all(Table::is_empty)
    }

    /// The numbers of seeders and of leechers.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let v4 = self.v4.iter().map(|t| (t.class().seeding, t.len()));
        let v6 = self.v6.iter().map(|t| (t.class().seeding, t.len()));
        v4.chain(v6)
            .fold((0, 0), |(seeders, leechers), (seeding, peers)| {
                if seeding {
                    (seeders + peers, leechers)
                } else {
                    (seeders, leechers + peers)
                }
            })
    }

    pub(crate) fn peers(&self) -> PerKind<u64> {
        let mut peers = PerKind::default();
        for table in &self.v4 {
            peers[(Family::V4, table.class().seeding)] += table.len() as u64;
        }
        for table in &self.v6 {
            peers[(Family::V6, table.class().seeding)] += table.len() as u64;
        }
        peers
    }

    /// Octets that the cells of all peers take.
    pub(crate) fn cell_octets(&self) -> usize {
        let v4: usize = self.v4.iter().map(Table::len).sum();
        let v6: usize = self.v6.iter().map(Table::len).sum();
        v4 * Cell4::LEN + v6 * Cell6::LEN
    }

    pub(crate) fn heap_octets(&self) -> usize {
        let v4: usize = self.v4.iter().map(Table::heap_octets).sum();
        let v6: usize = self.v6.iter().map(Table::heap_octets).sum();
        v4 + v6 + allocated(size_of_val(&*self.v4)) + allocated(size_of_val(&*self.v6))
    }

    pub(crate) fn enter<C: Tabled>(
        &mut self,
        peer: C,
        report: Report,
        moment: &Moment,
        keys: &PeerKeys,
        change: &mut Change,
    ) -> Entered {
        let scope = peer.scope();
        let tables = C::tables_mut(self);
        // Most announces are from known peers that have not changed sides.
        for seeding in [report.seeding, !report.seeding] {
            let class = Class { scope, seeding };
            let Some(table) = tables.iter_mut().find(|table| table.class() == class) else {
                continue;
            };
            let Some(slot) = table.find(&peer, keys) else {
                continue;
            };
            let cell = table.slot_mut(slot);
            let refreshed = cell.refresh(report, moment);
            let slot = if seeding == report.seeding {
                slot
            } else {
                let octets = table.heap_octets();
                let moved = table.remove(slot, keys);
                table.fit(keys);
                change.resize(octets, table.heap_octets());
                self.insert_counted(moved, keys, change)
            };
            return Entered {
                location: Location::Tabled(slot),
                was_seeding: Some(seeding),
                refreshed,
            };
        }
        let mut cell = peer;
        let refreshed = cell.enter(report, moment);
        Entered {
            location: Location::Tabled(self.insert_counted(cell, keys, change)),
            was_seeding: None,
            refreshed,
        }
    }

    /// Makes room for peers that are about to be entered, in a swarm of about so many in all.
    pub(crate) fn reserve(&mut self, mix: &Mix, swarm_peers: usize, keys: &PeerKeys) {
        for (family, class, more) in mix.classes() {
            let expected = swarm_peers.saturating_mul(more) / mix.len();
            match family {
                Family::V4 => table_of(&mut self.v4, class).reserve(more, expected, keys),
                Family::V6 => table_of(&mut self.v6, class).reserve(more, expected, keys),
            }
        }
    }

    /// Removes a peer and says whether it was a seeder; `None`: it was not known.
    pub(crate) fn leave<C: Tabled>(&mut self, peer: &C, keys: &PeerKeys) -> Option<bool> {
        let scope = peer.scope();
        let tables = C::tables_mut(self).iter_mut();
        tables
            .filter(|table| table.class().scope == scope)
            .find_map(|table| {
                let slot = table.find(peer, keys)?;
                table.remove(slot, keys);
                table.fit(keys);
                Some(table.class().seeding)
            })
    }

    pub(crate) fn select(
        &self,
        requester: &Requester,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
    ) {
        let v4 = if out.wants_v4() { &*self.v4 } else { &[] };
        let v6 = if out.wants_v6() { &*self.v6 } else { &[] };
        let v4 = Candidates::new(v4, requester);
        let v6 = Candidates::new(v6, requester);
        let from_v4 = picker.share(want, v4.peers, v6.peers);
        v4.select(from_v4, picker, out);
        v6.select(want - from_v4, picker, out);
    }

    /// Removes peers that timed out or that `keeps` refuses, of about `budget` slots of all tables,
    /// going on at the hash `from`, which is moved on. Returns whether it is through.
    pub(crate) fn sweep(
        &mut self,
        moment: &Moment,
        keeps: &mut impl FnMut(IpAddr) -> bool,
        keys: &PeerKeys,
        from: &mut u32,
        budget: &mut usize,
        timed_out: &mut TimedOut,
    ) -> bool {
        let (last, next) = self.range(*from, budget);
        let hashes = *from..=last;
        sweep(&mut self.v4, &hashes, moment, keeps, keys, timed_out);
        sweep(&mut self.v6, &hashes, moment, keeps, keys, timed_out);
        if let Some(next) = next {
            *from = next;
            return false;
        }
        if fit(&mut self.v4, keys) && fit(&mut self.v6, keys) {
            *from = 0;
            return true;
        }
        *from = u32::MAX;
        false
    }

    pub(crate) fn youngest(&self, moment: &Moment) -> u8 {
        let v4 = self.v4.iter().flat_map(Table::cells).map(Cell::age);
        let v6 = self.v6.iter().flat_map(Table::cells).map(Cell::age);
        v4.chain(v6)
            .take(YOUNGEST_SAMPLE)
            .map(|age| moment.minutes_since(age))
            .min()
            .unwrap_or(0)
    }

    /// Copies the peers of about `budget` slots of all tables, from a hash on. Returns the hash to
    /// go on from, or `None` if that was all.
    ///
    /// A peer keeps its hash when tables grow and when it changes tables, so a peer that stays is
    /// copied exactly once.
    pub(crate) fn save(
        &self,
        from: u32,
        moment: &Moment,
        keys: &PeerKeys,
        budget: &mut usize,
        out: &mut Vec<SavedPeer>,
    ) -> Option<u32> {
        let (last, next) = self.range(from, budget);
        for table in &self.v4 {
            table.for_each_hashed(from..=last, keys, |cell| out.push(cell.saved(moment)));
        }
        for table in &self.v6 {
            table.for_each_hashed(from..=last, keys, |cell| out.push(cell.saved(moment)));
        }
        next
    }

    /// Returns the age of a peer, if it is there.
    pub(crate) fn age_of<C: Tabled>(&self, peer: &C, keys: &PeerKeys) -> Option<u8> {
        let scope = peer.scope();
        let tables = C::tables(self).iter();
        let mut tables = tables.filter(|table| table.class().scope == scope);
        tables.find_map(|table| Some(table.slot(table.find(peer, keys)?).age()))
    }

    /// Any peer of a family.
    pub(crate) fn first<C: Tabled>(&self) -> Option<C> {
        C::tables(self)
            .iter()
            .flat_map(Table::cells)
            .next()
            .copied()
    }

    pub(crate) fn for_each<C: Tabled>(&self, visit: &mut impl FnMut(&C)) {
        for table in C::tables(self) {
            table.cells().for_each(&mut *visit);
        }
    }

    /// Returns the last hash of about `budget` slots of all tables, and the one to go on from, if
    /// there is any.
    fn range(&self, from: u32, budget: &mut usize) -> (u32, Option<u32>) {
        let slots = self.slots();
        let width = ((*budget as u64) << 32) / (slots as u64).max(1);
        let next = u32::try_from(u64::from(from) + width.max(1)).ok();
        *budget = budget.saturating_sub(slots);
        (next.map_or(u32::MAX, |next| next - 1), next)
    }

    fn slots(&self) -> usize {
        let v4: usize = self.v4.iter().map(Table::capacity).sum();
        let v6: usize = self.v6.iter().map(Table::capacity).sum();
        v4 + v6
    }

    fn insert_counted<C: Tabled>(
        &mut self,
        cell: C,
        keys: &PeerKeys,
        change: &mut Change,
    ) -> usize {
        let octets = self.heap_octets();
        let slot = self.insert(cell, keys);
        change.resize(octets, self.heap_octets());
        slot
    }

    /// Puts a cell that is not there yet into the table of its class.
    fn insert<C: Tabled>(&mut self, cell: C, keys: &PeerKeys) -> usize {
        let class = Class::of(&cell, cell.is_seeding());
        table_of(C::tables_mut(self), class).insert(cell, keys)
    }
}

/// The table of a class, which is made if there is none.
fn table_of<C: Cell>(tables: &mut Tables<C>, class: Class) -> &mut Table<C> {
    let known = tables.iter().position(|table| table.class() == class);
    let index = known.unwrap_or_else(|| {
        let mut more = Vec::with_capacity(tables.len() + 1);
        more.extend(std::mem::take(tables));
        more.push(Table::new(class));
        *tables = more.into_boxed_slice();
        tables.len() - 1
    });
    &mut tables[index]
}

/// Begins to load the cells among which a peer is looked for, or small tables as a whole if
/// others will be handed out.
pub(crate) fn prefetch_in<C: Cell>(
    tables: &Tables<C>,
    peer: &C,
    purpose: Purpose,
    keys: &PeerKeys,
) {
    for table in tables {
        if purpose == Purpose::EnterAndSelect && table.is_one_block() {
            table.slots().prefetch();
        } else {
            table.prefetch(peer, keys);
        }
    }
}

fn sweep<C: Tabled>(
    tables: &mut Tables<C>,
    hashes: &RangeInclusive<u32>,
    moment: &Moment,
    keeps: &mut impl FnMut(IpAddr) -> bool,
    keys: &PeerKeys,
    timed_out: &mut TimedOut,
) {
    for table in tables {
        table.retain(hashes.clone(), keys, |cell| {
            let stays = !moment.has_timed_out(cell.age()) && keeps(cell.ip());
            if !stays {
                timed_out.note(cell, moment);
            }
            stays
        });
    }
}

/// Gives memory of sparse tables back and drops empty ones. Returns whether it is through.
fn fit<C: Cell>(tables: &mut Tables<C>, keys: &PeerKeys) -> bool {
    for table in &mut *tables {
        table.fit(keys);
        for _ in 0..MOVES {
            table.advance(keys);
        }
    }
    if tables.iter().any(Table::is_moving) {
        return false;
    }
    if tables.iter().any(Table::is_empty) {
        let kept = std::mem::take(tables).into_iter();
        *tables = kept.filter(|table| !table.is_empty()).collect();
    }
    true
}
