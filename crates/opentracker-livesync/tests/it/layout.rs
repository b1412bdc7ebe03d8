//! Where the machines of a simulated cluster stand, and what joins them.

use opentracker_livesync::{Dialect, Kind, Kinds};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const GROUP: Kinds = Kinds::NONE.with(Kind::Group);
const UNICAST: Kinds = Kinds::NONE.with(Kind::Unicast);
const NATS: Kinds = Kinds::NONE.with(Kind::Nats);

/// Islands, each with a multicast group of its own, at most.
const ISLANDS: usize = 4;

/// Where a machine stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) carriers: Kinds,
    pub(crate) relays: bool,
    /// Whether it is a node of the C program: it has no secret and tells announces alone.
    pub(crate) is_c: bool,
    /// Which of the multicast groups it hears, if it hears one.
    island: usize,
    /// Whom its unicast list names; `None`: all that have one.
    list: Option<usize>,
}

/// A cluster as an operator lays it out.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) places: Vec<Place>,
    pub(crate) dialect: Dialect,
    pub(crate) has_secret: bool,
}

impl Layout {
    /// A LAN without a secret.
    pub(crate) fn lan(machines: usize) -> Self {
        Self {
            has_secret: false,
            ..Self::alike(machines, GROUP)
        }
    }

    /// All machines have the same carriers, and those alone.
    pub(crate) fn alike(machines: usize, carriers: Kinds) -> Self {
        Self {
            places: vec![Place::new(0, carriers); machines],
            dialect: Dialect::Full,
            has_secret: true,
        }
    }

    /// Draws one of the sorts. The first machine is always one that speaks scrape sync.
    pub(crate) fn draw(machines: usize, rng: &mut StdRng) -> Self {
        match rng.random_range(0..10) {
            0 | 1 => Self::lan(machines),
            2..5 => Self::redundant(machines, rng),
            5 | 6 => Self::islands(machines, Dialect::Full, rng),
            7 if machines > 2 => Self::ring(machines, rng),
            _ => {
                let dialect = *[Dialect::CV4, Dialect::CDual].choose(rng).unwrap();
                Self::islands(machines, dialect, rng)
            }
        }
    }

    /// Each machine has some carriers, of which all have one in common; some relay, for nothing.
    fn redundant(machines: usize, rng: &mut StdRng) -> Self {
        let common = *Kind::ALL.choose(rng).unwrap();
        let mut layout = Self::alike(machines, Kinds::NONE.with(common));
        for place in &mut layout.places {
            for kind in Kind::ALL {
                if rng.random_bool(0.3) {
                    place.carriers = place.carriers.with(kind);
                }
            }
            place.relays = rng.random_bool(0.3);
        }
        layout
    }

    /// Islands of multicast, joined by one or two relays each over NATS, a list, or both. Some
    /// machines have no multicast and are on the joint carriers alone. Where the dialect is for C
    /// nodes, there are some on the islands.
    fn islands(machines: usize, dialect: Dialect, rng: &mut StdRng) -> Self {
        let islands = rng.random_range(1..=machines.min(ISLANDS));
        let both = NATS.with(Kind::Unicast);
        let joint = *[NATS, UNICAST, both].choose(rng).unwrap();
        let second = rng.random_bool(0.3);
        let place = |number: usize| {
            let island = Place::new(number % islands, GROUP);
            let joint = Place::new(number % islands, joint);
            if number < islands || second && number < 2 * islands {
                return joint.relaying();
            }
            match rng.random_range(0..10) {
                0..5 if dialect != Dialect::Full => Place {
                    is_c: true,
                    ..island
                },
                9 => joint,
                _ => island,
            }
        };
        Self {
            places: (0..machines).map(place).collect(),
            dialect,
            has_secret: true,
        }
    }

    /// Islands of multicast in a ring, each joined to the next by a pair of relays that have each
    /// other on their lists. A ring of one goes back to where it came from.
    fn ring(machines: usize, rng: &mut StdRng) -> Self {
        let islands = rng.random_range(1..=(machines / 2).min(ISLANDS));
        let place = |number: usize| {
            if number >= 2 * islands {
                return Place::new(number % islands, GROUP);
            }
            let (island, is_last) = (number / 2, number % 2 == 1);
            let other = if is_last {
                (island + 1) % islands * 2
            } else {
                (island + islands - 1) % islands * 2 + 1
            };
            Place {
                list: Some(other),
                ..Place::new(island, UNICAST).relaying()
            }
        };
        Self {
            places: (0..machines).map(place).collect(),
            dialect: Dialect::Full,
            has_secret: true,
        }
    }

    /// Tells whether scrape sync goes to a machine and from it.
    pub(crate) fn speaks(&self, number: usize) -> bool {
        let carriers = self.places[number].carriers;
        self.dialect == Dialect::Full || !carriers.without(Kind::Group).is_empty()
    }

    pub(crate) fn has_c_nodes(&self) -> bool {
        self.places.iter().any(|place| place.is_c)
    }

    /// Returns over how many carriers the longest way between two machines leads.
    pub(crate) fn longest_way(&self) -> u32 {
        let relays = self.places.iter().filter(|place| place.relays).count();
        // To the ring, around half of it by group and list in turn, and off it.
        u32::try_from(1 + relays.min(2 * ISLANDS)).unwrap()
    }

    /// Returns to whom a carrier takes what a machine sends. The group brings it back too.
    pub(crate) fn receivers(&self, from: usize, via: Kind) -> Vec<usize> {
        let sender = &self.places[from];
        let hears = |&to: &usize| {
            let place = &self.places[to];
            place.carriers.has(via)
                && match via {
                    Kind::Group => place.island == sender.island,
                    Kind::Unicast => to != from && sender.list.is_none_or(|listed| listed == to),
                    Kind::Nats => to != from,
                }
        };
        let all = 0..self.places.len();
        all.filter(|_| sender.carriers.has(via))
            .filter(hears)
            .collect()
    }
}

impl Place {
    const fn new(island: usize, carriers: Kinds) -> Self {
        Self {
            carriers,
            relays: false,
            is_c: false,
            island,
            list: None,
        }
    }

    /// Joins the island to its other carriers.
    const fn relaying(self) -> Self {
        Self {
            carriers: self.carriers.with(Kind::Group),
            relays: true,
            ..self
        }
    }
}
