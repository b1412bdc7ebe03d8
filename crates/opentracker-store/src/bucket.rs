//! The torrents that share one lock: dense blocks of entries and an index over them.

use opentracker_types::InfoHash;
use rand::Rng;

use crate::arithmetic::{folded_multiply, wide_halves};
use crate::clock::Minute;
use crate::index::Index;
use crate::swarm::Swarm;
use crate::torrents::Torrents;

/// A torrent: its name, its download count and its peers. One cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Torrent {
    pub(crate) info_hash: InfoHash,
    pub(crate) downloads: u32,
    pub(crate) swarm: Swarm,
}

const _: () = assert!(
    size_of::<Torrent>() == 64,
    "stored a million times: one cache line"
);

impl Torrent {
    pub(crate) fn new(info_hash: InfoHash, now: Minute) -> Self {
        Self {
            info_hash,
            downloads: 0,
            swarm: Swarm::empty(now),
        }
    }
}

/// Torrents by info hash.
///
/// The index holds 4-octet positions instead of entries, so that its growth wastes little:
/// together with the entry about 70 octets a torrent, whatever the number.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    index: Index,
    torrents: Torrents,
    pub(crate) peers: Peers,
}

/// Numbers of peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Peers {
    pub(crate) v4_seeders: u32,
    pub(crate) v4_leechers: u32,
    pub(crate) v6_seeders: u32,
    pub(crate) v6_leechers: u32,
}

impl Peers {
    pub(crate) fn count(&mut self, is_v6: bool, seeding: bool) -> &mut u32 {
        match (is_v6, seeding) {
            (false, true) => &mut self.v4_seeders,
            (false, false) => &mut self.v4_leechers,
            (true, true) => &mut self.v6_seeders,
            (true, false) => &mut self.v6_leechers,
        }
    }
}

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

impl Bucket {
    pub(crate) fn len(&self) -> usize {
        self.torrents.len()
    }

    pub(crate) fn torrents(&self) -> impl Iterator<Item = &Torrent> {
        self.torrents.iter()
    }

    pub(crate) fn torrent_mut(&mut self, at: usize) -> &mut Torrent {
        self.torrents.get_mut(at)
    }

    pub(crate) fn get(&self, hash: u64, info_hash: &InfoHash) -> Option<&Torrent> {
        let at = self.find(hash, info_hash)?;
        Some(self.torrents.get(at))
    }

    pub(crate) fn find(&self, hash: u64, info_hash: &InfoHash) -> Option<usize> {
        let is_it = |at| self.torrents.get(at).info_hash == *info_hash;
        self.index.find(hash, is_it)
    }

    /// Begins to load what it takes to find a torrent.
    pub(crate) fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Returns the torrent that a hash most probably means, without a look at it: comparing the
    /// info hash would wait for memory.
    pub(crate) fn guess(&self, hash: u64) -> Option<&Torrent> {
        let at = self.index.find(hash, |_| true)?;
        Some(self.torrents.get(at))
    }

    /// Adds a torrent that is not there yet and returns where it stands.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        info_hash: InfoHash,
        now: Minute,
        key: &HashKey,
    ) -> usize {
        let at = self.torrents.len();
        self.torrents.push(Torrent::new(info_hash, now));
        let torrents = &self.torrents;
        self.index
            .insert(hash, at, |at| key.hash(&torrents.get(at).info_hash));
        at
    }

    /// Removes the torrent at a position; the last one takes its place.
    pub(crate) fn remove(&mut self, at: usize, key: &HashKey) {
        let torrents = &self.torrents;
        let hash_of = |at| key.hash(&torrents.get(at).info_hash);
        let last = torrents.len() - 1;
        self.index.remove(hash_of(at), at, hash_of);
        if at < last {
            self.index.relocate(hash_of(last), last, at);
        }
        self.torrents.swap_remove(at);
    }

    /// Gives memory back when most of the index is unused.
    pub(crate) fn fit(&mut self, key: &HashKey) {
        let torrents = &self.torrents;
        self.index.fit(|at| key.hash(&torrents.get(at).info_hash));
    }

    /// Octets on the heap, without those of the swarms and the allocator's own.
    pub(crate) fn heap_octets(&self) -> usize {
        self.torrents.heap_octets() + self.index.heap_octets()
    }
}
