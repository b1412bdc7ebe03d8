//! A network of the imagination: it loses, doubles, delays, reorders and cuts datagrams, and falls
//! into parts, all by the numbers of a seeded generator.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use opentracker_livesync::{Kind, Kinds};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use crate::layout::Layout;

/// What becomes of datagrams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    /// Share of the datagrams that are lost, for each receiver on its own.
    pub(crate) loss: f64,
    /// Share of those that arrive which arrive twice.
    pub(crate) duplication: f64,
    /// Share of those that arrive which arrive cut.
    pub(crate) truncation: f64,
    /// The longest way. Each datagram takes any time up to this, so later ones overtake it.
    pub(crate) most_delay: Duration,
}

impl Conditions {
    /// Nothing is lost or cut, but the order is still anything within half a second.
    pub(crate) const HEALED: Self = Self {
        loss: 0.0,
        duplication: 0.02,
        truncation: 0.0,
        most_delay: Duration::from_millis(500),
    };

    /// As in a network whose switches are not overloaded.
    pub(crate) const LAN: Self = Self {
        most_delay: Duration::from_millis(1),
        ..Self::HEALED
    };

    /// The longest delay of any conditions.
    pub(crate) const MOST_DELAY: Duration = Duration::from_secs(20);

    /// Draws how bad it shall be.
    pub(crate) fn bad(rng: &mut StdRng) -> Self {
        let most_delay = match rng.random_range(0..3) {
            0 => Duration::from_millis(1),
            1 => Duration::from_secs(1),
            _ => Self::MOST_DELAY,
        };
        Self {
            loss: rng.random_range(0.0..0.5),
            duplication: rng.random_range(0.0..0.3),
            truncation: rng.random_range(0.0..0.05),
            most_delay,
        }
    }
}

/// A datagram on its way, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Datagram {
    at: Instant,
    /// Makes the order the same in every run.
    number: u64,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) via: Kind,
    pub(crate) is_cut: bool,
    pub(crate) octets: Rc<[u8]>,
}

/// What a machine has sent by one carrier, or has received: a copy for each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flow {
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

/// The network between machines, which are numbers.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) conditions: Conditions,
    ways: Vec<Ways>,
    on_their_way: BinaryHeap<Reverse<Datagram>>,
    copies: u64,
}

/// What leads from a machine, and to it.
#[derive(Debug, Default)]
struct Ways {
    /// To whom each carrier leads, in the order of [`Kind::ALL`].
    receivers: [Vec<usize>; Kind::ALL.len()],
    /// Which side of each carrier it is on; datagrams pass within a side.
    sides: [u8; Kind::ALL.len()],
    sent: [Flow; Kind::ALL.len()],
    received: [Flow; Kind::ALL.len()],
}

impl Network {
    pub(crate) fn new(layout: &Layout) -> Self {
        let ways = |number| Ways {
            receivers: Kind::ALL.map(|kind| layout.receivers(number, kind)),
            ..Ways::default()
        };
        Self {
            conditions: Conditions::HEALED,
            ways: (0..layout.places.len()).map(ways).collect(),
            on_their_way: BinaryHeap::new(),
            copies: 0,
        }
    }

    /// Sends by some carriers, each of which takes copies of its own to all that it leads to.
    pub(crate) fn send(
        &mut self,
        from: usize,
        octets: &[u8],
        to: Kinds,
        now: Instant,
        rng: &mut StdRng,
    ) {
        let octets: Rc<[u8]> = octets.into();
        for via in Kind::ALL.into_iter().filter(|kind| to.has(*kind)) {
            let receivers = std::mem::take(&mut self.ways[from].receivers[via as usize]);
            let copies = match via {
                Kind::Group | Kind::Nats => 1,
                Kind::Unicast => receivers.len(),
            };
            self.ways[from].sent[via as usize].count(copies, &octets);
            for &receiver in &receivers {
                self.take(from, receiver, via, &octets, now, rng);
            }
            self.ways[from].receivers[via as usize] = receivers;
        }
    }

    /// Takes a datagram on its way to one machine, if it gets there.
    fn take(
        &mut self,
        from: usize,
        to: usize,
        via: Kind,
        octets: &Rc<[u8]>,
        now: Instant,
        rng: &mut StdRng,
    ) {
        let side = |machine: usize| self.ways[machine].sides[via as usize];
        if side(to) != side(from) || rng.random_bool(self.conditions.loss) {
            return;
        }
        let copies = 1 + u8::from(rng.random_bool(self.conditions.duplication));
        for _ in 0..copies {
            let is_cut = rng.random_bool(self.conditions.truncation);
            let octets = if is_cut {
                octets[..rng.random_range(0..octets.len())].into()
            } else {
                Rc::clone(octets)
            };
            self.copies += 1;
            self.on_their_way.push(Reverse(Datagram {
                at: now + self.conditions.most_delay.mul_f64(rng.random()),
                number: self.copies,
                from,
                to,
                via,
                is_cut,
                octets,
            }));
        }
    }

    /// Returns when the next datagram arrives.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.on_their_way.peek().map(|Reverse(next)| next.at)
    }

    /// Returns a datagram that has arrived.
    pub(crate) fn receive(&mut self, now: Instant) -> Option<Datagram> {
        if self.next_at()? > now {
            return None;
        }
        let Reverse(datagram) = self.on_their_way.pop()?;
        if datagram.from != datagram.to {
            let received = &mut self.ways[datagram.to].received;
            received[datagram.via as usize].count(1, &datagram.octets);
        }
        Some(datagram)
    }

    /// Parts the network into up to three sides, or, by chance, joins it: all carriers in the same
    /// way, or one of them.
    pub(crate) fn part(&mut self, rng: &mut StdRng) {
        let sides = rng.random_range(1..=3_u32);
        let one = rng.random_bool(0.5).then(|| rng.random_range(0..3));
        for ways in &mut self.ways {
            let side = u8::try_from(rng.next_u32() % sides).unwrap();
            match one {
                Some(carrier) => ways.sides[carrier] = side,
                None => ways.sides.fill(side),
            }
        }
    }

    /// Heals everything. What is on its way stays on its way.
    pub(crate) fn heal(&mut self) {
        self.conditions = Conditions::HEALED;
        self.ways.iter_mut().for_each(|ways| ways.sides.fill(0));
    }

    /// Returns what a machine has sent by a carrier.
    pub(crate) fn sent(&self, number: usize, via: Kind) -> Flow {
        self.ways[number].sent[via as usize]
    }

    /// Returns what a machine has received of others by a carrier.
    pub(crate) fn received(&self, number: usize, via: Kind) -> Flow {
        self.ways[number].received[via as usize]
    }
}

impl Flow {
    fn count(&mut self, copies: usize, octets: &[u8]) {
        self.packets += copies as u64;
        self.octets += (copies * octets.len()) as u64;
    }
}
