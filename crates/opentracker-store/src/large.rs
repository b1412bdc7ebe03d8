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
use crate::table::{PAGE, Slots, Table};
use crate::upcoming::Purpose;

/// A swarm too large for a list. Stands in the torrent's cache line, so that a peer is three steps
/// away: the tables, the pages of one, the page.
#[derive(Debug)]
pub(crate) struct Large {
    pub(crate) v4: Tables<Cell4>,
    pub(crate) v6: Tables<Cell6>,
}

/// The tables of one family, at most six.
pub(crate) type Tables<C> = Box<[Table<C>]>;

/// What the peers of a table have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) scope: Scope,
    pub(crate) seeding: bool,
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
            v4: Box::default(),
            v6: Box::default(),
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
        self.v4.iter().all(Table::is_empty) && self.v6.iter().all(Table::is_empty)
    }

    /// Returns the numbers of seeders and of leechers.
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

    /// Octets that the cells of all peers take.
    pub(crate) fn cell_octets(&self) -> usize {
        let v4: usize = self.v4.iter().map(Table::len).sum();
        let v6: usize = self.v6.iter().map(Table::len).sum();
        v4 * Cell4::LEN + v6 * Cell6::LEN
    }

    pub(crate) fn heap_octets(&self) -> usize {
        let v4: usize = self.v4.iter().map(Table::heap_octets).sum();
        let v6: usize = self.v6.iter().map(Table::heap_octets).sum();
        v4 + v6 + size_of_val(&*self.v4) + size_of_val(&*self.v6)
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
                let moved = table.remove(slot, keys);
                table.fit(keys);
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
        let v4 = Field::new(v4, requester);
        let v6 = Field::new(v6, requester);
        let from_v4 = picker.share(want, v4.peers, v6.peers);
        v4.select(from_v4, picker, out);
        v6.select(want - from_v4, picker, out);
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
        let v4 = self.v4.iter().flat_map(Table::cells).map(Cell::age);
        let v6 = self.v6.iter().flat_map(Table::cells).map(Cell::age);
        v4.chain(v6)
            .take(YOUNGEST_SAMPLE)
            .map(|age| moment.minutes_since(age))
            .min()
            .unwrap_or(0)
    }

    pub(crate) fn for_each<C: Family>(&self, visit: &mut impl FnMut(&C)) {
        for table in C::tables(self) {
            table.cells().for_each(&mut *visit);
        }
    }

    fn slots(&self) -> usize {
        let v4: usize = self.v4.iter().map(Table::capacity).sum();
        let v6: usize = self.v6.iter().map(Table::capacity).sum();
        v4 + v6
    }

    /// Puts a cell that is not there yet into the table of its class.
    fn insert<C: Family>(&mut self, cell: C, keys: &PeerKeys) -> usize {
        let class = Class::of(&cell, cell.is_seeding());
        let tables = C::tables_mut(self);
        let known = tables.iter().position(|table| table.class() == class);
        let index = known.unwrap_or_else(|| {
            let mut more = Vec::with_capacity(tables.len() + 1);
            more.extend(std::mem::take(tables));
            more.push(Table::new(class));
            *tables = more.into_boxed_slice();
            tables.len() - 1
        });
        tables[index].insert(cell, keys)
    }
}

/// What a selection of one family is drawn from: all tables that the requester may see, their
/// pages counted through.
struct Field<'a, C> {
    segments: [Segment<'a, C>; MAX_SEGMENTS],
    /// Segments in use.
    len: usize,
    pages: u32,
    /// Peers to draw from, without the requester.
    peers: usize,
    /// The requester's own cell.
    own: Option<&'a C>,
}

/// A table of the field, with the numbers of its first page and of the first one beyond it.
#[derive(Clone, Copy)]
struct Segment<'a, C> {
    from: u32,
    to: u32,
    slots: Slots<'a, C>,
}

/// Two scopes that a requester sees, seeders and leechers.
const MAX_SEGMENTS: usize = 4;

/// Slots that are drawn before the first of them is looked at, so that their ways from memory
/// overlap. Enough for thirty peers although one slot in seven is vacant.
const BURST: usize = 36;

/// From so many times the wanted peers on, slots are drawn at random; a smaller swarm is looked
/// at from end to end.
const FEW: usize = 4;

impl<'a, C: Family> Field<'a, C> {
    fn new(tables: &'a [Table<C>], requester: &Requester) -> Self {
        let beyond = Segment {
            from: 0,
            to: u32::MAX,
            slots: Slots::NONE,
        };
        let mut field = Self {
            segments: [beyond; MAX_SEGMENTS],
            len: 0,
            pages: 0,
            peers: 0,
            own: None,
        };
        let own_class = Class {
            scope: requester.scope,
            seeding: requester.seeding,
        };
        for table in tables {
            if !table.class().is_visible_to(requester) {
                continue;
            }
            let from = field.pages;
            field.pages += saturating_u32(table.slots().page_count());
            field.peers += table.len();
            if let Place::Tabled(slot) = requester.place
                && requester.is_v6 == C::IS_V6
                && table.class() == own_class
            {
                field.own = Some(table.slot(slot));
                field.peers -= 1;
            }
            field.segments[field.len] = Segment {
                from,
                to: field.pages,
                slots: table.slots(),
            };
            field.len += 1;
        }
        field
    }

    /// Hands out `want` of the peers, or all if there are fewer.
    fn select(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        if self.peers <= want {
            for (cell, _) in self.slots().filter(|(cell, _)| self.is_choice(cell)) {
                out.push(cell);
            }
        } else if self.peers < want * FEW {
            self.shuffle(want, picker, out);
        } else {
            self.draw(want, picker, out);
        }
    }

    /// Draws random slots until enough peers were hit: for few of many.
    fn draw(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        // Only hits are noted: a vacant slot drawn twice is a miss twice.
        picker.begin(want);
        let mut drawn = [None; BURST];
        let mut missing = want;
        while missing > 0 {
            let burst = (missing + missing / 6 + 2).min(BURST);
            let (pairs, _) = drawn[..burst].as_chunks_mut::<2>();
            for pair in &mut *pairs {
                let places = picker.two_below([self.pages, PAGE]);
                *pair = places.map(|[page, slot]| {
                    let cell = self.cell(page, slot);
                    cell.inspect(|&cell| prefetch(cell))
                });
            }
            let drawn = pairs.as_flattened();
            let mut hits = [0; BURST];
            let mut len = 0;
            for (number, cell) in (0_u8..).zip(drawn) {
                hits[len] = number;
                // Without a branch, which the processor could only guess.
                len += usize::from(cell.is_some_and(|cell| self.is_choice(cell)));
            }
            for number in &hits[..len] {
                let Some(cell) = drawn[usize::from(*number)] else {
                    continue;
                };
                if picker.is_new(cell) {
                    out.push(cell);
                    missing -= 1;
                    if missing == 0 {
                        break;
                    }
                }
            }
        }
    }

    /// Brings as many peers as wanted to the front of them all: for many of few.
    fn shuffle(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        for segment in &self.segments[..self.len] {
            segment.slots.prefetch();
        }
        let mut places = picker.take_scratch((self.pages * PAGE) as usize);
        let mut peers = 0;
        for (cell, place) in self.slots() {
            places[peers] = place;
            // Without a branch, which the processor could only guess.
            peers += usize::from(self.is_choice(cell));
        }
        for front in 0..want {
            let other = front + picker.below(saturating_u32(peers - front)) as usize;
            places.swap(front, other);
            let [page, slot] = places[front];
            out.push(self.cell(page, slot).expect("it was there before"));
        }
        picker.return_scratch(places);
    }

    /// Whether there is a peer in a slot, and another than the requester.
    fn is_choice(&self, cell: &C) -> bool {
        let is_own = self.own.is_some_and(|own| std::ptr::eq(own, cell));
        !cell.is_vacant() & !is_own
    }

    /// All slots, with their places: page and slot there.
    fn slots(&self) -> impl Iterator<Item = (&'a C, [u32; 2])> {
        let segments = self.segments[..self.len].iter();
        let pages = segments.flat_map(|segment| segment.slots.pages());
        (0..)
            .zip(pages)
            .flat_map(|(page, cells)| cells.iter().zip((0..).map(move |slot| [page, slot])))
    }

    /// The cell at a place. The last page of a table may have fewer slots than others.
    fn cell(&self, page: u32, slot: u32) -> Option<&'a C> {
        // Without a branch: leechers and seeders are hit in turn, as chance will have it.
        let passed = self.segments[..MAX_SEGMENTS - 1].iter();
        let index: usize = passed.map(|segment| usize::from(page >= segment.to)).sum();
        let segment = &self.segments[index];
        segment.slots.get(page - segment.from, slot)
    }
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
    for table in tables {
        let slots = table.capacity();
        if rest >= slots {
            rest -= slots;
            continue;
        }
        let cell = table.slot(rest);
        if cell.is_vacant() || !moment.has_timed_out(cell.age()) {
            return Ok(false);
        }
        departed.note(cell, moment);
        table.remove(rest, keys);
        return Ok(true);
    }
    Err(rest)
}

/// Gives memory of sparse tables back and drops empty ones.
fn fit<C: Cell>(tables: &mut Tables<C>, keys: &PeerKeys) {
    for table in &mut *tables {
        table.fit(keys);
    }
    if tables.iter().any(Table::is_empty) {
        let kept = std::mem::take(tables).into_iter();
        *tables = kept.filter(|table| !table.is_empty()).collect();
    }
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
