//! The torrents that share one lock: dense blocks of entries and an index over them.

use opentracker_types::InfoHash;

use crate::blocks::Blocks;
use crate::clock::Minute;
use crate::index::Index;
use crate::key::HashKey;
use crate::kind::PerKind;
use crate::torrent::Torrent;

/// Blocks by info hash.
///
/// The index holds 4-octet positions instead of entries, so that its growth wastes little:
/// together with the entry about 70 octets a torrent, whatever the number.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    index: Index,
    torrents: Blocks,
    pub(crate) peers: PerKind<u64>,
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
