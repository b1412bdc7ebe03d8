//! A network of the imagination: it loses, doubles, delays, reorders and cuts datagrams, and falls
//! into parts, all by the numbers of a seeded generator.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

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
    pub(crate) octets: Rc<[u8]>,
}

/// The network between machines, which are numbers.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) conditions: Conditions,
    /// The side of each machine; datagrams pass within a side.
    sides: Vec<u8>,
    on_their_way: BinaryHeap<Reverse<Datagram>>,
    sent: u64,
}

impl Network {
    pub(crate) fn new(machines: usize) -> Self {
        Self {
            conditions: Conditions::HEALED,
            sides: vec![0; machines],
            on_their_way: BinaryHeap::new(),
            sent: 0,
        }
    }

    /// Sends to the group: to every machine, the sender too, which must not mind.
    pub(crate) fn send(&mut self, from: usize, octets: &[u8], now: Instant, rng: &mut StdRng) {
        let octets: Rc<[u8]> = octets.into();
        for to in 0..self.sides.len() {
            if self.sides[to] != self.sides[from] || rng.random_bool(self.conditions.loss) {
                continue;
            }
            let copies = 1 + u8::from(rng.random_bool(self.conditions.duplication));
            for _ in 0..copies {
                let octets = if rng.random_bool(self.conditions.truncation) {
                    octets[..rng.random_range(0..octets.len())].into()
                } else {
                    Rc::clone(&octets)
                };
                self.sent += 1;
                self.on_their_way.push(Reverse(Datagram {
                    at: now + self.conditions.most_delay.mul_f64(rng.random()),
                    number: self.sent,
                    from,
                    to,
                    octets,
                }));
            }
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
        self.on_their_way.pop().map(|Reverse(next)| next)
    }

    /// Parts the network into up to three sides, or, by chance, joins it.
    pub(crate) fn part(&mut self, rng: &mut StdRng) {
        let sides = rng.random_range(1..=3_u32);
        for side in &mut self.sides {
            *side = u8::try_from(rng.next_u32() % sides).unwrap();
        }
    }

    /// Heals everything. What is on its way stays on its way.
    pub(crate) fn heal(&mut self) {
        self.conditions = Conditions::HEALED;
        self.sides.fill(0);
    }
}
