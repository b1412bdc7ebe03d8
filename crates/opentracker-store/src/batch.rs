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
use crate::torrent::Torrent;

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
        in_bursts(batch.map(|key| key.hash()), 0, |hashes| {
            for hash in &*hashes {
                self.bucket_of(*hash).prefetch_index(*hash);
            }
            for hash in &*hashes {
                let bucket = self.bucket_of(*hash);
                if let Some(torrent) = bucket.guess(*hash).and_then(|at| bucket.try_torrent(at)) {
                    prefetch(torrent);
                }
            }
        });
    }

    fn prefetch_peers(&self, batch: impl Iterator<Item = (Key, PeerAddr)>, purpose: Purpose) {
        let batch = batch.map(|(key, peer)| Upcoming {
            hash: key.hash(),
            peer: AnyCell::from(peer),
            at: None,
        });
        in_bursts(batch, Upcoming::NONE, |burst| {
            for one in &*burst {
                self.bucket_of(one.hash).prefetch_index(one.hash);
            }
            for one in &mut *burst {
                let bucket = self.bucket_of(one.hash);
                one.at = bucket.guess(one.hash);
                if let Some(torrent) = one.torrent(&bucket) {
                    prefetch(torrent);
                }
            }
            for one in &mut *burst {
                let bucket = self.bucket_of(one.hash);
                let torrent = one.torrent(&bucket);
                if !torrent.is_some_and(|torrent| torrent.swarm.prefetch(&one.peer)) {
                    one.at = None;
                }
            }
            for one in burst.iter().filter(|one| one.at.is_some()) {
                let bucket = self.bucket_of(one.hash);
                if let Some(torrent) = one.torrent(&bucket) {
                    let keys = &self.secrets().peers;
                    torrent.swarm.prefetch_peer(&one.peer, purpose, keys);
                }
            }
        });
    }

    fn bucket_of(&self, hash: u64) -> impl Deref<Target = Bucket> {
        self.buckets().read(self.buckets().number(hash))
    }
}

/// A peer that will be entered.
#[derive(Clone, Copy)]
struct Upcoming {
    hash: u64,
    peer: AnyCell,
    /// Where its torrent stood a moment ago; `None` if there is nothing more to load.
    at: Option<usize>,
}

impl Upcoming {
    const NONE: Self = Self {
        hash: 0,
        peer: AnyCell::VACANT,
        at: None,
    };

    /// The torrent, or another one that has come to stand there meanwhile: a guess is good enough.
    fn torrent<'a>(&self, bucket: &'a Bucket) -> Option<&'a Torrent> {
        bucket.try_torrent(self.at?)
    }
}

fn in_bursts<T: Copy>(
    mut batch: impl Iterator<Item = T>,
    vacant: T,
    mut visit: impl FnMut(&mut [T]),
) {
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
        visit(&mut burst[..len]);
    }
}
