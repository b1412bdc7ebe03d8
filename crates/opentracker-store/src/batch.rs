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
use crate::prefetch::{Place, Purpose};
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
        in_bursts(batch.map(Way::to), Way::NONE, |burst| {
            self.find_torrents(burst, |way| way);
        });
    }

    fn prefetch_peers(&self, batch: impl Iterator<Item = (Key, PeerAddr)>, purpose: Purpose) {
        let batch = batch.map(|(key, peer)| (Way::to(key), AnyCell::from(peer)));
        in_bursts(batch, (Way::NONE, AnyCell::VACANT), |burst| {
            self.find_torrents(burst, |(way, _)| way);
            for (way, peer) in &mut *burst {
                let bucket = self.bucket_of(way.hash);
                let torrent = way.torrent(&bucket);
                if !torrent.is_some_and(|torrent| torrent.swarm.prefetch(peer)) {
                    way.at = None;
                }
            }
            for (way, peer) in burst.iter().filter(|(way, _)| way.at.is_some()) {
                let bucket = self.bucket_of(way.hash);
                if let Some(torrent) = way.torrent(&bucket) {
                    let keys = &self.secrets().peers;
                    torrent.swarm.prefetch_peer(peer, purpose, keys);
                }
            }
        });
    }

    /// Goes as far as the torrents, and asks for them.
    fn find_torrents<T>(&self, burst: &mut [T], way: impl Fn(&mut T) -> &mut Way) {
        let mut step = |next: fn(&Bucket, &mut Way) -> Place| {
            for one in &mut *burst {
                let way = way(one);
                way.next = next(&self.bucket_of(way.hash), way);
            }
            // Only now: a lock waits until the address of what was asked for before is translated,
            // so that those waits would not overlap.
            for one in &mut *burst {
                way(one).next.prefetch();
            }
        };
        step(|bucket, way| bucket.place_in_index(way.hash));
        step(|bucket, way| {
            way.at = bucket.guess(way.hash);
            way.at.map_or(Place::NONE, |at| bucket.place_of_block(at))
        });
        step(|bucket, way| way.torrent(bucket).map_or(Place::NONE, Place::of));
    }

    fn bucket_of(&self, hash: u64) -> impl Deref<Target = Bucket> {
        self.buckets().read(self.buckets().number(hash))
    }
}

/// The way to a torrent that will be looked up.
#[derive(Clone, Copy)]
struct Way {
    hash: u64,
    /// Where the torrent stood a moment ago; `None` if there is nothing more to load.
    at: Option<usize>,
    next: Place,
}

impl Way {
    const NONE: Self = Self {
        hash: 0,
        at: None,
        next: Place::NONE,
    };

    fn to(key: Key) -> Self {
        Self {
            hash: key.hash(),
            ..Self::NONE
        }
    }

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
