//! Numbers that look random and follow from a seed alone.

/// A splitmix64 generator: one multiplication chain a number, and good enough to draw load with.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Starts a sequence.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number of the sequence.
    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// A number below `bound`, all about equally likely.
    ///
    /// The bias of the multiplication is at most `bound` / 2⁶⁴.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of 128 bits")
    }

    /// A number in [0, 1) with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

/// Scatters a number over all 64 bits, one to one.
pub(crate) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The step of the state: odd, so that it runs through all 2⁶⁴ values.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which torrent a peer belongs to.
#[derive(Debug, Clone)]
pub(crate) enum Popularity {
    /// Each torrent is as likely as any other.
    Uniform,
    /// The torrent of rank r is drawn with a probability proportional to r⁻ˢ.
    Zipf(Zipf),
}

impl Popularity {
    /// Uniform without an exponent, else Zipf with this one over so many torrents.
    pub(crate) fn new(exponent: Option<f64>, torrents: u64) -> Self {
        exponent.map_or(Self::Uniform, |exponent| {
            Self::Zipf(Zipf::new(torrents, exponent))
        })
    }

    /// Draws a torrent: a number below `torrents`.
    pub(crate) fn draw(&self, torrents: u64, random: &mut Random) -> u64 {
        match self {
            Self::Uniform => random.below(torrents),
            Self::Zipf(zipf) => zipf.draw(random) - 1,
        }
    }
}

/// Draws ranks from 1 with probabilities proportional to rank⁻ˢ, s > 0, in constant time and without
/// a table (rejection-inversion: W. Hörmann and G. Derflinger, 1996).
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    exponent: f64,
    ranks: f64,
    /// The integral of the density up to 1.5, less the whole of rank 1.
    lower: f64,
    /// The integral up to half a rank beyond the last.
    upper: f64,
    /// How far above its rank a point is accepted without a further look.
    squeeze: f64,
}

impl Zipf {
    fn new(ranks: u64, exponent: f64) -> Self {
        let mut zipf = Self {
            exponent,
            ranks: ranks as f64,
            lower: 0.0,
            upper: 0.0,
            squeeze: 0.0,
        };
        zipf.lower = zipf.integral(1.5) - 1.0;
        zipf.upper = zipf.integral(zipf.ranks + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.upper + random.unit() * (self.lower - self.upper);
            let point = self.inverse(area);
            let rank = point.round().clamp(1.0, self.ranks);
            if rank - point <= self.squeeze
                || area >= self.integral(rank + 0.5) - self.density(rank)
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a whole number from 1 to the number of ranks"
                )]
                return rank as u64;
            }
        }
    }

    fn density(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of the density from 1 to x.
    fn integral(&self, x: f64) -> f64 {
        let power = 1.0 - self.exponent;
        let log = x.ln();
        if power.abs() < NEARLY_ZERO {
            log
        } else {
            (power * log).exp_m1() / power
        }
    }

    /// The x up to which the integral is `area`.
    fn inverse(&self, area: f64) -> f64 {
        let power = 1.0 - self.exponent;
        if power.abs() < NEARLY_ZERO {
            area.exp()
        } else {
            // Rounding may put the argument below what an integral can be.
            ((power * area).max(-1.0).ln_1p() / power).exp()
        }
    }
}

/// Below this, x^(1−s) and ln x cannot be told apart.
const NEARLY_ZERO: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_bound_are_spread_over_all_of_it() {
        let mut random = Random::new(1);
        let mut counts = [0; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(random.below(10)).unwrap()] += 1;
        }
        // Ten thousand each, and five times the deviation of 95.
        assert!(counts.iter().all(|count| (9_525..10_475).contains(count)));
        assert_eq!(random.below(1), 0);
    }

    #[test]
    fn zipf_draws_each_rank_as_often_as_it_should() {
        for exponent in [0.5, 0.8, 1.0, 1.2, 2.5] {
            const RANKS: u32 = 50;
            const DRAWS: u32 = 200_000;
            let zipf = Zipf::new(RANKS.into(), exponent);
            let mut random = Random::new(7);
            let mut counts = vec![0_u32; 50];
            for _ in 0..DRAWS {
                counts[usize::try_from(zipf.draw(&mut random) - 1).unwrap()] += 1;
            }
            let weight = |rank: u32| f64::from(rank).powf(-exponent);
            let sum: f64 = (1..=RANKS).map(weight).sum();
            for (rank, &count) in (1..).zip(&counts) {
                let expected = f64::from(DRAWS) * weight(rank) / sum;
                let distance = (f64::from(count) - expected).abs();
                assert!(
                    distance < 5.0 * expected.sqrt() + 1.0,
                    "s {exponent}, rank {rank}: {count}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn zipf_stays_within_its_ranks() {
        for (ranks, exponent) in [(1, 1.0), (2, 0.01), (1_000_000, 0.9), (3, 20.0)] {
            let zipf = Zipf::new(ranks, exponent);
            let mut random = Random::new(3);
            assert!((0..10_000).all(|_| (1..=ranks).contains(&zipf.draw(&mut random))));
        }
    }

    #[test]
    fn mixing_is_one_to_one_on_a_sample() {
        let mut mixed: Vec<u64> = (0..10_000).map(mix).collect();
        mixed.sort_unstable();
        mixed.dedup();
        assert_eq!(mixed.len(), 10_000);
    }
}
