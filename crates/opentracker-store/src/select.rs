//! Choosing peers: where they are written, and the randomness that chooses them.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::cell::Cell;

/// Where an announce writes the peers that it hands out, in compact form (BEP 23, BEP 7).
///
/// The octets belong to the caller, usually a part of its reply buffer. An empty slice turns a
/// family off; with both families on, one selection is drawn from the union.
#[derive(Debug)]
pub struct PeerBuffers<'a> {
    v4: &'a mut [u8],
    v6: &'a mut [u8],
    v4_octets: usize,
    v6_octets: usize,
}

impl<'a> PeerBuffers<'a> {
    /// Hands out IPv4 peers only, 6 octets each, as many as fit.
    pub fn v4(octets: &'a mut [u8]) -> Self {
        Self::both(octets, &mut [])
    }

    /// Hands out IPv6 peers only, 18 octets each, as many as fit.
    pub fn v6(octets: &'a mut [u8]) -> Self {
        Self::both(&mut [], octets)
    }

    /// Hands out peers of both families, as many as fit into the buffer that holds fewer.
    pub fn both(v4: &'a mut [u8], v6: &'a mut [u8]) -> Self {
        Self {
            v4,
            v6,
            v4_octets: 0,
            v6_octets: 0,
        }
    }

    /// Returns the octets of IPv4 peers written so far.
    pub fn v4_octets(&self) -> usize {
        self.v4_octets
    }

    /// Returns the octets of IPv6 peers written so far.
    pub fn v6_octets(&self) -> usize {
        self.v6_octets
    }

    /// Number of peers that certainly fit, whatever their mixture.
    pub(crate) fn capacity(&self) -> usize {
        let v4 = self.v4.len() / 6;
        let v6 = self.v6.len() / 18;
        match (self.v4.is_empty(), self.v6.is_empty()) {
            (false, false) => v4.min(v6),
            _ => v4.max(v6),
        }
    }

    pub(crate) fn wants_v4(&self) -> bool {
        !self.v4.is_empty()
    }

    pub(crate) fn wants_v6(&self) -> bool {
        !self.v6.is_empty()
    }

    /// Writes a peer; there is room for `capacity` of them.
    pub(crate) fn push<C: Cell>(&mut self, cell: &C) {
        let (octets, filled) = if C::COMPACT_LEN == 6 {
            (&mut *self.v4, &mut self.v4_octets)
        } else {
            (&mut *self.v6, &mut self.v6_octets)
        };
        octets[*filled..*filled + C::COMPACT_LEN].copy_from_slice(cell.compact());
        *filled += C::COMPACT_LEN;
    }
}

/// Draws random selections. Each worker owns one: it is cheap, and nothing is shared.
#[derive(Debug)]
pub struct Picker {
    rng: SmallRng,
    /// Open-addressing set of the numbers drawn so far, plus one; 0 is vacant.
    drawn: Vec<u32>,
}

impl Picker {
    /// Makes a picker from a seed, which should come from the system's randomness.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            drawn: Vec::new(),
        }
    }

    /// Returns a uniform number below `bound`, 0 if `bound` is 0. The bias is below one in 2³².
    pub fn below(&mut self, bound: u32) -> u32 {
        let scaled = u128::from(self.rng.next_u64()) * u128::from(bound);
        u32::try_from(scaled >> 64).expect("less than the bound")
    }

    /// Forgets the numbers drawn and makes room for `most` new ones.
    pub(crate) fn begin(&mut self, most: usize) {
        let slots = (most * 2).next_power_of_two();
        self.drawn.clear();
        self.drawn.resize(slots, 0);
    }

    /// Notes a number; says whether it had not been drawn since [`Self::begin`].
    pub(crate) fn is_new(&mut self, number: u32) -> bool {
        let mask = self.drawn.len() - 1;
        let entry = number.wrapping_add(1);
        let mut slot = number.wrapping_mul(0x9e37_79b1) as usize >> 7 & mask;
        loop {
            match self.drawn[slot] {
                0 => {
                    self.drawn[slot] = entry;
                    return true;
                }
                taken if taken == entry => return false,
                _ => slot = (slot + 1) & mask,
            }
        }
    }
}
