use std::net::IpAddr;

use opentracker_types::InfoHash;

use crate::bucket::Bucket;
use crate::clock::Moment;
use crate::store::{Removed, Store};
use crate::timed_out::TimedOut;

/// Removes peers and torrents that timed out, in steps so small that no announce waits for them.
///
/// Drive it with [`Self::step`] until that says that the round is over, yielding in between, and
/// begin a round every minute.
#[derive(Debug, Default)]
pub struct Sweeper {
    part: u16,
    torrent: usize,
    /// Where a large swarm goes on.
    slot: u32,
    removed: Removed,
}

/// Work of one lock: about ten microseconds.
const STEP_CELLS: usize = 2048;

/// What looking at a torrent costs, in cells.
const TORRENT_CELLS: usize = 4;

impl Sweeper {
    /// Makes a sweeper that stands before its first round.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one step, holding one lock for it. At the end of a round returns what the round
    /// removed, and the next call begins another.
    pub fn step(&mut self, store: &Store, moment: &Moment) -> Option<Removed> {
        self.step_with(store, moment, &mut |_| true, &mut |_| ())
    }

    /// Takes one step as [`Self::step`] does, and also removes the peers whose address `keeps`
    /// refuses. It is asked once of each that has not timed out. `forget` hears of each torrent that
    /// is removed; a part of the swarms is locked until it returns.
    pub fn step_with(
        &mut self,
        store: &Store,
        moment: &Moment,
        keeps: &mut impl FnMut(IpAddr) -> bool,
        forget: &mut impl FnMut(&InfoHash),
    ) -> Option<Removed> {
        let mut budget = STEP_CELLS;
        let mut bucket = store.buckets().write(self.part);
        while budget > 0 && self.torrent < bucket.len() {
            budget = budget.saturating_sub(TORRENT_CELLS);
            if !self.sweep_torrent(store, &mut bucket, moment, (keeps, forget), &mut budget) {
                return None;
            }
        }
        if self.torrent < bucket.len() {
            return None;
        }
        bucket.fit(&store.secrets().info_hashes);
        self.torrent = 0;
        self.part += 1;
        if self.part < store.parts() {
            return None;
        }
        self.part = 0;
        Some(std::mem::take(&mut self.removed))
    }

    /// Returns whether the torrent is through.
    fn sweep_torrent(
        &mut self,
        store: &Store,
        bucket: &mut Bucket,
        moment: &Moment,
        (keeps, forget): (&mut impl FnMut(IpAddr) -> bool, &mut impl FnMut(&InfoHash)),
        budget: &mut usize,
    ) -> bool {
        let torrent = bucket.torrent(self.torrent);
        let was_empty = torrent.swarm.is_empty() && !torrent.downloads.has_web();
        // A large swarm that is swept in parts has had its WebTorrent peers swept before.
        if self.slot == 0 {
            let (removed, through) = bucket.sweep_web(self.torrent, moment, keeps, budget);
            self.removed.peers += removed;
            if !through {
                return false;
            }
        }
        let torrent = bucket.torrent_mut(self.torrent);
        let octets = torrent.swarm.heap_octets();
        let mut timed_out = TimedOut::default();
        let through = torrent.swarm.sweep(
            moment,
            keeps,
            &store.secrets().peers,
            &mut self.slot,
            budget,
            &mut timed_out,
        );
        // A torrent that a sibling told us of is kept even though nobody downloaded it; of those
        // whose own peers have all left, only what is worth it.
        let is_worthless = torrent.swarm.is_empty()
            && !torrent.downloads.has_web()
            && (torrent.swarm.idle_minutes(moment) > moment.torrent_timeout
                || !was_empty && !torrent.downloads.are_kept());
        self.removed.peers += timed_out.peers.total();
        let resized = torrent.swarm.heap_octets();
        bucket.peers -= timed_out.peers;
        bucket.change.resize(octets, resized);
        bucket.change.peers -= timed_out.peers.total().cast_signed();
        if !through {
            return false;
        }
        self.slot = 0;
        if is_worthless {
            let removed = bucket.remove(self.torrent, &store.secrets().info_hashes);
            forget(&removed.info_hash);
            self.removed.torrents += 1;
        } else {
            self.torrent += 1;
        }
        true
    }
}
