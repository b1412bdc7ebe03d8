//! Everything as it is saved, and what becomes of it when it is restored.

use std::ops::AddAssign;

use opentracker_types::{InfoHash, SavedPeer, SavedTorrent};

use crate::bucket::Bucket;
use crate::clock::Moment;
use crate::store::Store;

/// What a restore brought back, and what had timed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Torrents that were not known.
    pub torrents: u64,
    /// Peers that were not known.
    pub peers: u64,
    /// Torrents that are gone: they timed out, or were not worth keeping without their peers.
    pub timed_out_torrents: u64,
    /// Peers that timed out.
    pub timed_out_peers: u64,
    /// Torrents and peers for which a limit leaves no room.
    pub no_room: u64,
}

impl AddAssign for Restored {
    fn add_assign(&mut self, other: Self) {
        self.torrents += other.torrents;
        self.peers += other.peers;
        self.timed_out_torrents += other.timed_out_torrents;
        self.timed_out_peers += other.timed_out_peers;
        self.no_room += other.no_room;
    }
}

/// Torrents and their peers, as a [`SwarmWalk`] copied them.
#[derive(Debug, Default)]
pub struct SavedSwarms {
    /// Each with the number of peers up to and with its own.
    torrents: Vec<(SavedTorrent, usize)>,
    peers: Vec<SavedPeer>,
}

impl SavedSwarms {
    /// Returns each torrent with peers of it. A large swarm comes in parts.
    pub fn iter(&self) -> impl Iterator<Item = (&SavedTorrent, &[SavedPeer])> {
        let mut start = 0;
        self.torrents.iter().map(move |(torrent, end)| {
            let peers = &self.peers[start..*end];
            start = *end;
            (torrent, peers)
        })
    }

    fn clear(&mut self) {
        self.torrents.clear();
        self.peers.clear();
    }
}

/// Copies all swarms with their peers, in steps so small that no announce waits for them.
///
/// It sees every torrent and every peer that is there from its beginning to its end. A torrent that
/// moves meanwhile, because another one is removed, may be seen twice.
#[derive(Debug, Default)]
pub struct SwarmWalk {
    part: u16,
    /// Torrents of the part that are still to come: those at the positions below. Going down, a
    /// torrent that takes the place of a removed one has been seen, or is still to come.
    left: Option<usize>,
    /// The torrent in whose peers the last step ended, and the hash to go on from.
    within: Option<(InfoHash, u32)>,
    saved: SavedSwarms,
}

/// Work of one lock: about ten microseconds.
const STEP_CELLS: usize = 1024;

/// What looking at a torrent costs, in cells: it waits for memory once or twice.
const TORRENT_CELLS: usize = 8;

impl SwarmWalk {
    /// Makes a walk that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one step, holding one lock for it, and returns what it saw, which may be nothing;
    /// `None` at the end.
    pub fn step(&mut self, store: &Store, moment: &Moment) -> Option<&SavedSwarms> {
        self.saved.clear();
        if self.part == store.parts() {
            return None;
        }
        let bucket = store.buckets().read(self.part);
        let mut left = self.left.unwrap_or(usize::MAX).min(bucket.len());
        let mut budget = STEP_CELLS;
        while left > 0 && budget > 0 {
            budget = budget.saturating_sub(TORRENT_CELLS);
            let torrent = bucket.torrent(left - 1);
            if Bucket::is_of_web_alone(torrent) {
                left -= 1;
                continue;
            }
            let from = match self.within.take() {
                Some((info_hash, hash)) if info_hash == torrent.info_hash => hash,
                _ => 0,
            };
            let (keys, peers) = (&store.secrets().peers, &mut self.saved.peers);
            let next = torrent.swarm.save(from, moment, keys, &mut budget, peers);
            let saved = bucket.saved(torrent, moment);
            self.saved.torrents.push((saved, self.saved.peers.len()));
            self.within = next.map(|hash| (torrent.info_hash, hash));
            if next.is_none() {
                left -= 1;
            }
        }
        drop(bucket);
        self.left = Some(left);
        if left == 0 {
            self.part += 1;
            self.left = None;
        }
        Some(&self.saved)
    }
}
