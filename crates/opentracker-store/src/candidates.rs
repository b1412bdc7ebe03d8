//! Drawing peers of a large swarm from its tables.

use crate::arithmetic::saturating_u32;
use crate::cell::Cell;
use crate::picker::{PeerBuffers, Picker};
use crate::prefetch::prefetch;
use crate::requester::{Class, Location, Requester};
use crate::table::{PAGE, Slots, Table};

/// What a selection of one family is drawn from: all tables that the requester may see, their
/// pages counted through.
pub(crate) struct Candidates<'a, C> {
    tables: [TablePages<'a, C>; MAX_TABLES],
    /// Tables in use.
    len: usize,
    pages: u32,
    /// Peers to draw from, without the requester.
    pub(crate) peers: usize,
    /// The requester's own cell.
    own: Option<&'a C>,
}

/// A table, with the numbers of its first page and of the first one beyond it.
#[derive(Clone, Copy)]
struct TablePages<'a, C> {
    from: u32,
    to: u32,
    slots: Slots<'a, C>,
}

/// Two scopes that a requester sees, seeders and leechers.
const MAX_TABLES: usize = 4;

/// Slots that are drawn before the first of them is looked at, so that their ways from memory
/// overlap. Enough for thirty peers although one slot in seven is vacant.
const BURST: usize = 36;

/// From so many times the wanted peers on, slots are drawn at random; a smaller swarm is looked
/// at from end to end.
const FEW: usize = 4;

impl<'a, C: Cell> Candidates<'a, C> {
    pub(crate) fn new(tables: &'a [Table<C>], requester: &Requester) -> Self {
        let beyond = TablePages {
            from: 0,
            to: u32::MAX,
            slots: Slots::Pages(&[]),
        };
        let mut candidates = Self {
            tables: [beyond; MAX_TABLES],
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
            let from = candidates.pages;
            candidates.pages += saturating_u32(table.slots().page_count());
            candidates.peers += table.len();
            if let Location::Tabled(slot) = requester.location
                && requester.family == C::FAMILY
                && table.class() == own_class
            {
                candidates.own = Some(table.slot(slot));
                candidates.peers -= 1;
            }
            candidates.tables[candidates.len] = TablePages {
                from,
                to: candidates.pages,
                slots: table.slots(),
            };
            candidates.len += 1;
        }
        candidates
    }

    /// Hands out `want` of the peers, or all if there are fewer.
    pub(crate) fn select(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        if self.peers <= want {
            let peers = self.slots().map(|(cell, _)| cell);
            out.extend(peers.filter(|cell| self.is_choice(cell)));
        } else if self.peers < want * FEW {
            self.shuffle(want, picker, out);
        } else if let [first, second, ..] = &self.tables
            && let (Slots::Pages(leading), Slots::Pages(trailing)) = (first.slots, second.slots)
            && self.len <= 2
        {
            // Half of all announces, so that it is worth a way of its own.
            self.draw(want, picker, out, |page, slot| {
                let page = page as usize;
                let page = match page.checked_sub(leading.len()) {
                    None => leading.get(page),
                    Some(page) => trailing.get(page),
                };
                page?.get(slot as usize)
            });
        } else {
            self.draw(want, picker, out, |page, slot| self.cell(page, slot));
        }
    }

    /// Draws random places until enough peers were hit: for few of many.
    #[inline]
    fn draw(
        &self,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
        cell: impl Fn(u32, u32) -> Option<&'a C>,
    ) {
        // Only hits are noted: a vacant slot drawn twice is a miss twice.
        let (random, mut hits) = picker.begin(want);
        let mut missing = want;
        while missing > 0 {
            let mut drawn = [C::NOBODY; BURST];
            let burst = (missing + missing / 6 + 2).min(BURST);
            let (pairs, _) = drawn[..burst].as_chunks_mut::<2>();
            for pair in &mut *pairs {
                let places = random.two_below([self.pages, PAGE]);
                *pair = places.map(|[page, slot]| cell(page, slot).unwrap_or(C::NOBODY));
                pair.iter().for_each(|cell| prefetch(*cell));
            }
            let drawn = pairs.as_flattened_mut();
            let mut len = 0;
            for number in 0..drawn.len() {
                let cell = drawn[number];
                drawn[len] = cell;
                // Without a branch, which the processor could only guess.
                len += usize::from(self.is_choice(cell));
            }
            let new = drawn[..len].iter().filter(|cell| hits.is_new(**cell));
            missing -= out.extend(new.take(missing).copied());
        }
    }

    /// Brings as many peers as wanted to the front of them all: for many of few.
    fn shuffle(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        for table in &self.tables[..self.len] {
            table.slots.prefetch();
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
        }
        let chosen = places[..want].iter();
        out.extend(chosen.filter_map(|[page, slot]| self.cell(*page, *slot)));
        picker.return_scratch(places);
    }

    /// Whether there is a peer in a slot, and another than the requester.
    #[inline]
    fn is_choice(&self, cell: &C) -> bool {
        let is_own = self.own.is_some_and(|own| std::ptr::eq(own, cell));
        !cell.is_vacant() & !is_own
    }

    /// All slots, with their places: page and slot there.
    fn slots(&self) -> impl Iterator<Item = (&'a C, [u32; 2])> {
        let tables = self.tables[..self.len].iter();
        let pages = tables.flat_map(|table| table.slots.pages());
        (0..)
            .zip(pages)
            .flat_map(|(page, cells)| cells.iter().zip((0..).map(move |slot| [page, slot])))
    }

    /// The cell at a place. The last page of a table may have fewer slots than others.
    fn cell(&self, page: u32, slot: u32) -> Option<&'a C> {
        // Without a branch: leechers and seeders are hit in turn, as chance will have it.
        let passed = self.tables[..MAX_TABLES - 1].iter();
        let index: usize = passed.map(|table| usize::from(page >= table.to)).sum();
        let table = &self.tables[index];
        table.slots.get(page - table.from, slot)
    }
}
