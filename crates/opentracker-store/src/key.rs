use opentracker_types::InfoHash;
use rand::Rng;

use crate::arithmetic::{folded_multiply, wide_halves};

/// The key of the hash of info hashes, drawn at random per store: clients choose info hashes, and
/// must not be able to choose ones that collide.
///
/// The sum is multilinear hashing, by which any two info hashes collide with a probability of no
/// more than one in 2⁶⁴, whatever they are (Lemire and Kaser, "Strongly universal string hashing
/// is fast", 2014). The keyed product behind it is for an adversary who sees results: the order
/// of a full scrape tells which torrents share a bucket, and from sums alone the key could be
/// computed. It takes a tenth of the instructions of SipHash.
#[derive(Clone, Copy)]
pub(crate) struct HashKey {
    start: u128,
    factors: [u128; 3],
    finish: [u64; 2],
}

impl HashKey {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let mut long = || u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        Self {
            start: long(),
            factors: [long(), long(), long()],
            finish: [rng.next_u64(), rng.next_u64()],
        }
    }

    pub(crate) fn hash(&self, info_hash: &InfoHash) -> u64 {
        let octets = info_hash.as_bytes();
        let word = |at: usize, len: usize| {
            let mut word = [0; 8];
            word[..len].copy_from_slice(&octets[at..at + len]);
            u128::from(u64::from_le_bytes(word))
        };
        let words = [word(0, 8), word(8, 8), word(16, 4)];
        let products = self.factors.iter().zip(words);
        let sum = products.fold(self.start, |sum, (factor, word)| {
            sum.wrapping_add(factor.wrapping_mul(word))
        });
        let [low, high] = wide_halves(sum);
        folded_multiply(low ^ self.finish[0], high ^ self.finish[1])
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey")
    }
}
