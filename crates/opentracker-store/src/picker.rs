//! Choosing peers: where they are written, and the randomness that chooses them.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::arithmetic::{halves, saturating_u32, wide_halves};
use crate::cell::Cell;
use crate::kind::Family;

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

    /// Returns the number of peers written so far.
    pub fn count(&self) -> usize {
        self.v4_octets / 6 + self.v6_octets / 18
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
        self.extend(std::iter::once(cell));
    }

    /// Writes peers, as many as fit, and returns their number.
    #[inline]
    pub(crate) fn extend<'c, C: Cell>(&mut self, cells: impl Iterator<Item = &'c C>) -> usize {
        let (octets, filled) = match C::FAMILY {
            Family::V4 => (&mut *self.v4, &mut self.v4_octets),
            Family::V6 => (&mut *self.v6, &mut self.v6_octets),
        };
        let places = octets[*filled..].chunks_exact_mut(C::COMPACT_LEN);
        let mut written = 0;
        for (place, cell) in places.zip(cells) {
            place.copy_from_slice(cell.compact());
            written += 1;
        }
        *filled += written * C::COMPACT_LEN;
        written
    }
}

/// Draws random selections. Each worker owns one: it is cheap, and nothing is shared.
#[derive(Debug)]
pub struct Picker {
    random: Random,
    drawn: Vec<u32>,
    scratch: Vec<u32>,
}

impl Picker {
    /// Makes a picker from a seed, which should come from the system's randomness.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random(SmallRng::seed_from_u64(seed)),
            drawn: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Returns a uniform number below `bound`, 0 if `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        loop {
            let random = u64::from(self.random.0.next_u32());
            let [low, high] = halves(random * u64::from(bound));
            // Some numbers are hit once more often than others, by the lowest products; only then
            // is it worth a division to find out which (Lemire, "Fast random integer generation in
            // an interval").
            if low >= bound || low >= bound.wrapping_neg() % bound.max(1) {
                return high;
            }
        }
    }

    /// Returns how many of `want` random ones of `a + b` are among the `a`.
    pub(crate) fn share(&mut self, want: usize, a: usize, b: usize) -> usize {
        if a == 0 || b == 0 || a + b <= want {
            return if a == 0 { 0 } else { want.min(a) };
        }
        let (mut from_a, mut from_b) = (0, 0);
        while from_a + from_b < want {
            let left = saturating_u32(a + b - from_a - from_b);
            if (self.below(left) as usize) < a - from_a {
                from_a += 1;
            } else {
                from_b += 1;
            }
        }
        from_a
    }

    /// Lends what it takes to draw up to so many cells.
    pub(crate) fn begin(&mut self, most: usize) -> (&mut Random, Drawn<'_>) {
        // So many that one is rarely hit twice, which the processor would guess wrong.
        let slots = (most * 8).next_power_of_two().max(2);
        self.drawn.clear();
        self.drawn.resize(slots, 0);
        let drawn = Drawn {
            slots: &mut self.drawn,
            shift: 32 - slots.trailing_zeros(),
        };
        (&mut self.random, drawn)
    }

    /// Lends room for so many slots and one more.
    pub(crate) fn take_scratch(&mut self, most: usize) -> Vec<u32> {
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.len() <= most {
            scratch.resize(most + 1, 0);
        }
        scratch
    }

    pub(crate) fn return_scratch(&mut self, scratch: Vec<u32>) {
        self.scratch = scratch;
    }
}

/// Where uniform numbers come from.
#[derive(Debug)]
pub(crate) struct Random(SmallRng);

impl Random {
    /// Returns two draws of two uniform numbers below the bounds, whose product is below 2³².
    #[inline]
    pub(crate) fn two_below(&mut self, bounds: [u32; 2]) -> [[u32; 2]; 2] {
        let [first, second] = bounds.map(u64::from);
        let all = first * second * first * second;
        loop {
            // Four numbers of one: what each leaves over is as random as the whole was
            // (Brackett-Rozinsky and Lemire, "Batched ranged random integer generation").
            let (a, rest) = split(self.0.next_u64(), first);
            let (b, rest) = split(rest, second);
            let (c, rest) = split(rest, first);
            let (d, rest) = split(rest, second);
            if rest >= all || rest >= all.wrapping_neg() % all.max(1) {
                return [[a, b], [c, d]];
            }
        }
    }
}

/// The cells drawn so far: an open-addressing set, in which 0 is vacant.
#[derive(Debug)]
pub(crate) struct Drawn<'a> {
    /// As many as a power of two.
    slots: &'a mut [u32],
    /// How far to shift a hash to get a slot.
    shift: u32,
}

impl Drawn<'_> {
    /// Notes a cell; says whether it had not been drawn before.
    ///
    /// Cells are told apart by some bits of their address: two that are taken for one just mean
    /// another draw.
    #[inline]
    pub(crate) fn is_new<C: Cell>(&mut self, cell: &C) -> bool {
        let [entry, _] = halves(std::ptr::from_ref(cell).addr() as u64 / 4);
        let entry = entry | 1 << 31;
        let mut slot = (entry.wrapping_mul(0x9e37_79b1) >> self.shift) as usize;
        loop {
            match self.slots[slot] {
                0 => {
                    self.slots[slot] = entry;
                    return true;
                }
                taken if taken == entry => return false,
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
    }
}

/// Multiplies, and returns the whole part and the rest, in units of 2⁻⁶⁴.
#[inline]
fn split(random: u64, bound: u64) -> (u32, u64) {
    let [rest, whole] = wide_halves(u128::from(random) * u128::from(bound));
    (halves(whole)[0], rest)
}
