//! The torrents that share one lock: dense blocks of entries and an index over them.

use hashbrown::HashTable;
use opentracker_types::InfoHash;
use siphasher::sip::SipHasher13;

use crate::clock::Minute;
use crate::prefetch::prefetch;
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
/// The index holds 4-octet positions instead of entries, so that its doubling wastes little:
/// together with the entry about 76 octets a torrent, whatever the number.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    index: HashTable<u32>,
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct HashKey(pub(crate) [u8; 16]);

impl HashKey {
    pub(crate) fn hash(&self, info_hash: &InfoHash) -> u64 {
        SipHasher13::new_with_key(&self.0).hash(info_hash.as_bytes())
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
        let is_it = |&at: &u32| self.torrents.get(at as usize).info_hash == *info_hash;
        self.index.find(hash, is_it).map(|&at| at as usize)
    }

    /// Begins to load a torrent, or one that looks like it.
    pub(crate) fn prefetch(&self, hash: u64) {
        // Comparing the info hash would wait for the very line that is asked for.
        self.index.find(hash, |&at| {
            prefetch(self.torrents.get(at as usize));
            true
        });
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
        self.index.insert_unique(hash, position(at), |&at| {
            key.hash(&torrents.get(at as usize).info_hash)
        });
        at
    }

    /// Removes the torrent at a position; the last one takes its place.
    pub(crate) fn remove(&mut self, at: usize, key: &HashKey) {
        let last = self.torrents.len() - 1;
        let removed = self.torrents.swap_remove(at);
        self.unlink(&removed.info_hash, at, key);
        if at < last {
            let hash = key.hash(&self.torrents.get(at).info_hash);
            let moved = self.index.find_mut(hash, |&other| other == position(last));
            *moved.expect("every torrent is in the index") = position(at);
        }
    }

    /// Gives memory back when most of the index is unused.
    pub(crate) fn fit(&mut self, key: &HashKey) {
        let len = self.torrents.len();
        if self.index.capacity() > 4 * len + 4 {
            let torrents = &self.torrents;
            self.index
                .shrink_to(len, |&at| key.hash(&torrents.get(at as usize).info_hash));
        }
    }

    /// Octets on the heap, without those of the swarms and the allocator's own.
    pub(crate) fn heap_octets(&self) -> usize {
        self.torrents.heap_octets() + self.index.allocation_size()
    }

    fn unlink(&mut self, info_hash: &InfoHash, at: usize, key: &HashKey) {
        let entry = self
            .index
            .find_entry(key.hash(info_hash), |&other| other == position(at));
        entry.expect("every torrent is in the index").remove();
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a bucket of 2^32 torrents does not fit into memory")
}
