//! Drawing peers of a large swarm from its tables.

use crate::arithmetic::saturating_u32;
use crate::cell::Cell;
use crate::picker::{PeerBuffers, Picker};
use crate::prefetch::prefetch;
use crate::requester::{Class, Location, Requester};
use crate::table::{PAGE, Slots, Table};

/// What a selection of one family is drawn from: all tables that the requester may see, their
/// slots counted through.
pub(crate) struct Candidates<'a, C> {
    tables: [Counted<'a, C>; MAX_TABLES],
    /// Tables in use.
    len: usize,
    /// Slots of all tables.
    slots: u32,
    /// Peers to draw from, without the requester.
    pub(crate) peers: usize,
    /// The requester's own cell.
    own: Option<&'a C>,
}

/// The slots of a table, and the number of the first.
#[derive(Clone, Copy)]
struct Counted<'a, C> {
    from: u32,
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
        let beyond = Counted {
            from: u32::MAX,
            slots: Slots::Pages(&[]),
        };
        let mut candidates = Self {
            tables: [beyond; MAX_TABLES],
            len: 0,
            slots: 0,
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
            candidates.tables[candidates.len] = Counted {
                from: candidates.slots,
                slots: table.slots(),
            };
            candidates.len += 1;
            candidates.slots += saturating_u32(table.capacity());
            candidates.peers += table.len();
            if let Location::Tabled(slot) = requester.location
                && requester.family == C::FAMILY
                && table.class() == own_class
            {
                candidates.own = Some(table.slot(slot));
                candidates.peers -= 1;
            }
        }
        candidates
    }

    /// Hands out `want` of the peers, or all if there are fewer.
    pub(crate) fn select(&self, want: usize, picker: &mut Picker, out: &mut PeerBuffers<'_>) {
        if self.peers <= want {
            out.extend(self.cells().filter(|cell| self.is_choice(cell)));
        } else if self.peers < want * FEW {
            self.shuffle(want, picker, out);
        } else if let [first, second, ..] = &self.tables
            && let (Slots::Pages(leading), Slots::Pages(trailing)) = (first.slots, second.slots)
            && self.len <= 2
        {
            // Half of all announces, so that it is worth a way of its own, without divisions.
            let pages = saturating_u32(leading.len() + trailing.len());
            self.draw(want, picker, out, [pages, PAGE], |[page, slot]| {
                let page = page as usize;
                let page = match page.checked_sub(leading.len()) {
                    None => leading.get(page),
                    Some(page) => trailing.get(page),
                };
                page.and_then(|page| page.get(slot as usize))
                    .unwrap_or(C::NOBODY)
            });
        } else {
            let slots = [self.slots, 1];
            self.draw(want, picker, out, slots, |[slot, _]| self.cell(slot));
        }
    }

    /// Draws random places, which are below two bounds, until enough peers were hit: for few of
    /// many.
    #[inline]
    fn draw(
        &self,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
        bounds: [u32; 2],
        cell: impl Fn([u32; 2]) -> &'a C,
    ) {
        // Only hits are noted: a vacant slot drawn twice is a miss twice.
        let (random, mut hits) = picker.begin(want);
        let mut missing = want;
        while missing > 0 {
            let mut drawn = [C::NOBODY; BURST];
            let burst = (missing + missing / 6 + 2).min(BURST);
            let (pairs, _) = drawn[..burst].as_chunks_mut::<2>();
            for pair in &mut *pairs {
                *pair = random.two_below(bounds).map(&cell);
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
        let mut choices = picker.take_scratch(self.slots as usize);
        let mut peers = 0;
        for (slot, cell) in (0..).zip(self.cells()) {
            choices[peers] = slot;
            // Without a branch, which the processor could only guess.
            peers += usize::from(self.is_choice(cell));
        }
        for front in 0..want {
            let other = front + picker.below(saturating_u32(peers - front)) as usize;
            choices.swap(front, other);
        }
        out.extend(choices[..want].iter().map(|slot| self.cell(*slot)));
        picker.return_scratch(choices);
    }

    /// Whether there is a peer in a slot, and another than the requester.
    #[inline]
    fn is_choice(&self, cell: &C) -> bool {
        let is_own = self.own.is_some_and(|own| std::ptr::eq(own, cell));
        !cell.is_vacant() & !is_own
    }

    /// What is in all slots, in their order.
    fn cells(&self) -> impl Iterator<Item = &'a C> {
        let tables = self.tables[..self.len].iter();
        tables.flat_map(|table| table.slots.pages()).flatten()
    }

    /// What is in a slot.
    #[inline]
    fn cell(&self, slot: u32) -> &'a C {
        // Without a branch: leechers and seeders are hit in turn, as chance will have it.
        let others = self.tables[1..].iter();
        let index: usize = others.map(|table| usize::from(slot >= table.from)).sum();
        let table = &self.tables[index];
        &table.slots.stretch((slot - table.from) as usize)[0]
    }
}
