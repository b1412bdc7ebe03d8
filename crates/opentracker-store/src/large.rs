//! A large swarm: one hash table for each class of peers.
//!
//! A class is what decides whether a requester may be given a peer: its family, its scope and
//! whether it seeds. A selection is therefore drawn from whole tables and never filtered, however
//! the swarm is mixed. Nearly every swarm has two tables: the global leechers and the global
//! seeders of one family.

use opentracker_types::Scope;

use crate::cell::{Cell, Cell4, Cell6, PeerKeys, Report};
use crate::clock::Moment;
use crate::list::List;
use crate::prefetch::prefetch;
use crate::select::{PeerBuffers, Picker};
use crate::swarm::{Departed, Entered, Family, Place, Requester, saturating_u32};
use crate::table::Table;

/// A swarm too large for a list.
#[derive(Debug)]
pub(crate) struct Large {
    pub(crate) v4: Tables<Cell4>,
    pub(crate) v6: Tables<Cell6>,
}

/// The tables of one family, at most six.
pub(crate) type Tables<C> = Vec<ClassTable<C>>;

#[derive(Debug)]
pub(crate) struct ClassTable<C> {
    class: Class,
    table: Table<C>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    scope: Scope,
    seeding: bool,
}

impl Class {
    fn of<C: Cell>(cell: &C, seeding: bool) -> Self {
        Self {
            scope: cell.scope(),
            seeding,
        }
    }

    fn is_visible_to(self, requester: &Requester) -> bool {
        !(self.seeding && requester.seeding) && self.scope.is_visible_to(requester.scope)
    }
}

/// Peers looked at to tell a swarm's youngest.
const YOUNGEST_SAMPLE: usize = 64;

impl Large {
    pub(crate) fn from_list(list: &List<'_>, keys: &PeerKeys) -> Self {
        let mut large = Self {
            v4: Vec::new(),
            v6: Vec::new(),
        };
        let (v4, v6) = list.cells();
        for cell in v4 {
            large.insert(*cell, keys);
        }
        for cell in v6 {
            large.insert(*cell, keys);
        }
        large
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.v4.iter().all(|entry| entry.table.is_empty())
            && self.v6.iter().all(|entry| entry.table.is_empty())
    }

    /// Returns the numbers of seeders and of leechers.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let v4 = self.v4.iter().map(|e| (e.class.seeding, e.table.len()));
        let v6 = self.v6.iter().map(|e| (e.class.seeding, e.table.len()));
        v4.chain(v6)
            .fold((0, 0), |(seeders, leechers), (seeding, peers)| {
                if seeding {
                    (seeders + peers, leechers)
                } else {
                    (seeders, leechers + peers)
                }
            })
    }

    /// Octets that the cells of all peers take.
    pub(crate) fn cell_octets(&self) -> usize {
        let v4: usize = self.v4.iter().map(|entry| entry.table.len()).sum();
        let v6: usize = self.v6.iter().map(|entry| entry.table.len()).sum();
        v4 * Cell4::LEN + v6 * Cell6::LEN
    }

    pub(crate) fn heap_octets(&self) -> usize {
        let v4: usize = self.v4.iter().map(|e| e.table.heap_octets()).sum();
        let v6: usize = self.v6.iter().map(|e| e.table.heap_octets()).sum();
        size_of::<Self>()
            + v4
            + v6
            + self.v4.capacity() * size_of::<ClassTable<Cell4>>()
            + self.v6.capacity() * size_of::<ClassTable<Cell6>>()
    }

    pub(crate) fn enter<C: Family>(
        &mut self,
        peer: C,
        report: Report,
        moment: &Moment,
        keys: &PeerKeys,
    ) -> Entered {
        let scope = peer.scope();
        let tables = C::tables_mut(self);
        // Most announces are from known peers that have not changed sides.
        for seeding in [report.seeding, !report.seeding] {
            let class = Class { scope, seeding };
            let Some(entry) = tables.iter_mut().find(|entry| entry.class == class) else {
                continue;
            };
            let Some(slot) = entry.table.find(&peer, keys) else {
                continue;
            };
            let cell = entry.table.slot_mut(slot);
            let refreshed = cell.refresh(report, moment);
            let slot = if seeding == report.seeding {
                slot
            } else {
                let moved = entry.table.remove(slot, keys);
                entry.table.fit(keys);
                self.insert(moved, keys)
            };
            return Entered {
                place: Place::Tabled(slot),
                was_seeding: Some(seeding),
                refreshed,
            };
        }
        let mut cell = peer;
        let refreshed = cell.enter(report, moment);
        Entered {
            place: Place::Tabled(self.insert(cell, keys)),
            was_seeding: None,
            refreshed,
        }
    }

    /// Removes a peer and says whether it was a seeder; `None`: it was not known.
    pub(crate) fn leave<C: Family>(&mut self, peer: &C, keys: &PeerKeys) -> Option<bool> {
        let scope = peer.scope();
        let tables = C::tables_mut(self).iter_mut();
        tables
            .filter(|entry| entry.class.scope == scope)
            .find_map(|entry| {
                let slot = entry.table.find(peer, keys)?;
                entry.table.remove(slot, keys);
                entry.table.fit(keys);
                Some(entry.class.seeding)
            })
    }

    pub(crate) fn select(
        &self,
        requester: &Requester,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
    ) {
        let field = Field::new(self, requester, out);
        if field.peers > want.saturating_mul(2) {
            field.pick_few(want, picker, out);
        } else {
            field.pick_many(want, picker, out);
        }
    }

    /// Removes peers that timed out, going on at `position` (in 2³² parts of all slots) until the
    /// budget is used up. Returns whether it is through.
    pub(crate) fn sweep(
        &mut self,
        moment: &Moment,
        keys: &PeerKeys,
        position: &mut u32,
        budget: &mut usize,
        departed: &mut Departed,
    ) -> bool {
        let total = self.slots();
        // A table that grew or shrank since the last step keeps its order, so a relative position
        // neither skips nor repeats more than a few cells.
        let mut slot = scale(*position, total);
        let end = total.min(slot.saturating_add((*budget).max(1)));
        *budget = budget.saturating_sub(end - slot);
        while slot < end {
            let removed = sweep_slot(&mut self.v4, slot, moment, keys, departed)
                .or_else(|offset| sweep_slot(&mut self.v6, offset, moment, keys, departed))
                .unwrap_or(false);
            // Another cell may have moved into the slot that was freed.
            slot += usize::from(!removed);
        }
        if end < total {
            *position = unscale(end, total);
            return false;
        }
        *position = 0;
        fit(&mut self.v4, keys);
        fit(&mut self.v6, keys);
        true
    }

    pub(crate) fn youngest(&self, moment: &Moment) -> u8 {
        let v4 = self.v4.iter().flat_map(|e| e.table.cells()).map(Cell::age);
        let v6 = self.v6.iter().flat_map(|e| e.table.cells()).map(Cell::age);
        v4.chain(v6)
            .take(YOUNGEST_SAMPLE)
            .map(|age| moment.minutes_since(age))
            .min()
            .unwrap_or(0)
    }

    pub(crate) fn for_each<C: Family>(&self, visit: &mut impl FnMut(&C)) {
        for entry in C::tables(self) {
            entry.table.cells().for_each(&mut *visit);
        }
    }

    fn slots(&self) -> usize {
        let v4: usize = self.v4.iter().map(|e| e.table.capacity()).sum();
        let v6: usize = self.v6.iter().map(|e| e.table.capacity()).sum();
        v4 + v6
    }

    /// Puts a cell that is not there yet into the table of its class.
    fn insert<C: Family>(&mut self, cell: C, keys: &PeerKeys) -> usize {
        let class = Class::of(&cell, cell.is_seeding());
        let tables = C::tables_mut(self);
        let index = tables
            .iter()
            .position(|entry| entry.class == class)
            .unwrap_or_else(|| {
                tables.reserve_exact(1);
                tables.push(ClassTable {
                    class,
                    table: Table::new(),
                });
                tables.len() - 1
            });
        tables[index].table.insert(cell, keys)
    }
}

/// What a selection is drawn from: the slots of all tables that the requester may see, counted
/// through.
struct Field<'a> {
    segments: [Option<Segment<'a>>; MAX_SEGMENTS],
    /// Slots, vacant ones included.
    slots: usize,
    /// Peers to draw from, without the requester.
    peers: usize,
    /// The requester's own slot.
    own: usize,
}

/// A table of the field.
#[derive(Clone, Copy)]
struct Segment<'a> {
    /// Slots before this table's.
    from: usize,
    /// Slots up to its end.
    to: usize,
    table: AnyTable<'a>,
}

#[derive(Clone, Copy)]
enum AnyTable<'a> {
    V4(&'a Table<Cell4>),
    V6(&'a Table<Cell6>),
}

/// Two families, two scopes that a requester sees, seeders and leechers.
const MAX_SEGMENTS: usize = 8;

/// Slots that are drawn before the first of them is looked at, so that their ways from memory
/// overlap.
const BURST: usize = 32;

impl<'a> Field<'a> {
    fn new(large: &'a Large, requester: &Requester, out: &PeerBuffers<'_>) -> Self {
        let mut field = Self {
            segments: [None; MAX_SEGMENTS],
            slots: 0,
            peers: 0,
            own: usize::MAX,
        };
        let mut number = 0;
        if out.wants_v4() {
            field.add(&large.v4, requester, &mut number, AnyTable::V4);
        }
        if out.wants_v6() {
            field.add(&large.v6, requester, &mut number, AnyTable::V6);
        }
        field
    }

    fn add<C: Family>(
        &mut self,
        tables: &'a Tables<C>,
        requester: &Requester,
        number: &mut usize,
        wrap: impl Fn(&'a Table<C>) -> AnyTable<'a>,
    ) {
        let own_class = Class {
            scope: requester.scope,
            seeding: requester.seeding,
        };
        let visible = tables
            .iter()
            .filter(|entry| entry.class.is_visible_to(requester));
        for entry in visible {
            self.peers += entry.table.len();
            if let Place::Tabled(slot) = requester.place
                && requester.is_v6 == C::IS_V6
                && entry.class == own_class
            {
                self.own = self.slots + slot;
                self.peers -= 1;
            }
            let to = self.slots + entry.table.capacity();
            self.segments[*number] = Some(Segment {
                from: self.slots,
                to,
                table: wrap(&entry.table),
            });
            *number += 1;
            self.slots = to;
        }
    }

    /// Draws random slots until enough peers were hit: for few of many.
    fn pick_few(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        let bound = saturating_u32(self.slots);
        // Only hits are noted: a vacant slot drawn twice is a miss twice.
        picker.begin(want);
        let mut hits = 0;
        while hits < want {
            let mut drawn = [0; BURST];
            // One in ten slots is vacant.
            let burst = (want - hits + (want - hits) / 8 + 1).min(BURST);
            for number in &mut drawn[..burst] {
                *number = picker.below(bound);
                self.prefetch(*number as usize);
            }
            for &number in &drawn[..burst] {
                if hits < want && number as usize != self.own {
                    hits += usize::from(self.take(number, picker, out));
                }
            }
        }
    }

    /// Goes through all peers and keeps each with the right probability: for many of few.
    fn pick_many(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        let mut sampling = Sampling {
            left: self.peers,
            want,
            slot: 0,
            own: self.own,
        };
        for segment in self.segments.iter().flatten() {
            match segment.table {
                AnyTable::V4(table) => sampling.take_from(table, picker, out),
                AnyTable::V6(table) => sampling.take_from(table, picker, out),
            }
        }
    }

    fn prefetch(&self, slot: usize) {
        match self.segment(slot) {
            Some((AnyTable::V4(table), slot)) => prefetch(table.slot(slot)),
            Some((AnyTable::V6(table), slot)) => prefetch(table.slot(slot)),
            None => {}
        }
    }

    /// Hands out the peer at a slot, if there is one and it has not been yet.
    fn take(&self, number: u32, picker: &mut Picker, out: &mut PeerBuffers<'_>) -> bool {
        match self.segment(number as usize) {
            Some((AnyTable::V4(table), slot)) => take(table.slot(slot), number, picker, out),
            Some((AnyTable::V6(table), slot)) => take(table.slot(slot), number, picker, out),
            None => false,
        }
    }

    /// The table that a slot is in, and where in it.
    fn segment(&self, slot: usize) -> Option<(AnyTable<'a>, usize)> {
        let mut segments = self.segments.iter().map_while(|segment| *segment);
        let segment = segments.find(|segment| slot < segment.to)?;
        Some((segment.table, slot - segment.from))
    }
}

/// Selection sampling: every subset of `want` of the `left` peers is equally likely.
struct Sampling {
    left: usize,
    want: usize,
    slot: usize,
    own: usize,
}

impl Sampling {
    fn take_from<C: Cell>(
        &mut self,
        table: &Table<C>,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
    ) {
        for (index, cell) in table.pages().flatten().enumerate() {
            if cell.is_vacant() || self.slot + index == self.own {
                continue;
            }
            if self.left <= self.want
                || (picker.below(saturating_u32(self.left)) as usize) < self.want
            {
                out.push(cell);
                self.want -= 1;
            }
            self.left -= 1;
            if self.want == 0 {
                break;
            }
        }
        self.slot += table.capacity();
    }
}

fn take<C: Cell>(cell: &C, number: u32, picker: &mut Picker, out: &mut PeerBuffers<'_>) -> bool {
    let hit = !cell.is_vacant() && picker.is_new(number);
    if hit {
        out.push(cell);
    }
    hit
}

/// Looks at one slot counted through all tables: whether its peer was removed, or how far the slot
/// lies beyond them.
fn sweep_slot<C: Family>(
    tables: &mut Tables<C>,
    slot: usize,
    moment: &Moment,
    keys: &PeerKeys,
    departed: &mut Departed,
) -> Result<bool, usize> {
    let mut rest = slot;
    for entry in tables {
        let slots = entry.table.capacity();
        if rest >= slots {
            rest -= slots;
            continue;
        }
        let cell = entry.table.slot(rest);
        if cell.is_vacant() || !moment.has_timed_out(cell.age()) {
            return Ok(false);
        }
        departed.note(cell, moment);
        entry.table.remove(rest, keys);
        return Ok(true);
    }
    Err(rest)
}

/// Gives memory of sparse tables back and drops empty ones.
fn fit<C: Cell>(tables: &mut Tables<C>, keys: &PeerKeys) {
    for entry in &mut *tables {
        entry.table.fit(keys);
    }
    tables.retain(|entry| !entry.table.is_empty());
}

/// The slot at a position given in 2³² parts of `total`.
fn scale(position: u32, total: usize) -> usize {
    let slot = u128::from(position) * total as u128;
    usize::try_from(slot >> 32).expect("less than the total")
}

/// The smallest position that [`scale`]s to a slot below `total`.
fn unscale(slot: usize, total: usize) -> u32 {
    let position = ((slot as u128) << 32).div_ceil(total as u128);
    u32::try_from(position).expect("the slot is below the total")
}
