//! Asking for memory ahead of time, for batches.
//!
//! What a request touches hangs on a chain: a slot of the index, the torrent, the list or the
//! tables of its swarm, and there the peer. Each link is a wait for memory, and the lock that a
//! request takes keeps the processor from waiting for two requests at once. So a batch goes along
//! the chain together: each step reads what the last one asked for, and asks for the next link.

use std::ops::Deref;

use opentracker_types::PeerAddr;

use crate::bucket::Bucket;
use crate::cell::AnyCell;
use crate::key::Key;
use crate::prefetch::{Purpose, prefetch};
use crate::store::Store;

/// Requests that go along together.
const BURST: usize = 64;

impl Store {
    /// Begins to load what [`Self::announce`] will need. For a batch that is prefetched before the
    /// first of it is served, waits for memory overlap, which saves half of the time or more.
    pub fn prefetch_announces(&self, batch: impl Iterator<Item = (Key, PeerAddr)>) {
        self.prefetch_peers(batch, Purpose::EnterAndSelect);
    }

    /// Begins to load what [`Self::apply`] will need, as [`Self::prefetch_announces`] does.
    pub fn prefetch_applied(&self, batch: impl Iterator<Item = (Key, PeerAddr)>) {
        self.prefetch_peers(batch, Purpose::Enter);
    }

    /// Begins to load what [`Self::scrape`] and [`Self::apply_downloads`] will need.
    pub fn prefetch_torrents(&self, batch: impl Iterator<Item = Key>) {
        let batch = batch.map(|key| key.hash());
        in_bursts(batch, 0, |hashes| {
            self.prefetch_burst(hashes.iter().copied());
        });
    }

    fn prefetch_peers(&self, batch: impl Iterator<Item = (Key, PeerAddr)>, purpose: Purpose) {
        let batch = batch.map(|(key, peer)| (key.hash(), AnyCell::from(peer)));
        in_bursts(batch, (0, AnyCell::VACANT), |burst| {
            self.prefetch_burst(burst.iter().map(|(hash, _)| *hash));
            for (hash, peer) in burst {
                if let Some(torrent) = self.bucket_of(*hash).guess(*hash) {
                    torrent.swarm.prefetch(peer);
                }
            }
            for (hash, peer) in burst {
                if let Some(torrent) = self.bucket_of(*hash).guess(*hash) {
                    torrent
                        .swarm
                        .prefetch_peer(peer, purpose, &self.secrets().peers);
                }
            }
        });
    }

    fn bucket_of(&self, hash: u64) -> impl Deref<Target = Bucket> {
        self.buckets().read(self.buckets().number(hash))
    }

    fn prefetch_burst(&self, hashes: impl Iterator<Item = u64> + Clone) {
        for hash in hashes.clone() {
            self.bucket_of(hash).prefetch_index(hash);
        }
        for hash in hashes {
            if let Some(torrent) = self.bucket_of(hash).guess(hash) {
                prefetch(torrent);
            }
        }
    }
}

fn in_bursts<T: Copy>(mut batch: impl Iterator<Item = T>, vacant: T, mut visit: impl FnMut(&[T])) {
    let mut burst = [vacant; BURST];
    loop {
        let mut len = 0;
        for (entry, next) in burst.iter_mut().zip(&mut batch) {
            *entry = next;
            len += 1;
        }
        if len == 0 {
            return;
        }
        visit(&burst[..len]);
    }
}
