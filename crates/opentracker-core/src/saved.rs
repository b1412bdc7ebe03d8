//! What a snapshot is made of, and how it comes back.

use std::ops::AddAssign;
use std::time::{Duration, Instant};

use opentracker_types::{SavedPeer, SavedTorrent};

use crate::tracker::Tracker;

/// A walk over all swarms that are served with their peers, beside announces: for snapshots and what
/// the cluster is told.
///
/// It sees every torrent and every peer that is there from its beginning to its end, some of them
/// twice. A large swarm comes in parts.
#[derive(Debug, Default)]
pub struct SwarmWalk(opentracker_store::SwarmWalk);

impl SwarmWalk {
    /// Makes a walk that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one step of about ten microseconds, and returns torrents and peers, of which there may
    /// be none; `None` at the end.
    pub fn step(
        &mut self,
        tracker: &Tracker,
        now: Instant,
    ) -> Option<impl Iterator<Item = (&SavedTorrent, &[SavedPeer])>> {
        let rules = tracker.rules();
        let moment = tracker.moment(now, &rules);
        let swarms = self.0.step(tracker.store(), &moment)?;
        let is_served = move |torrent: &SavedTorrent| rules.lists.serves(&torrent.info_hash);
        Some(swarms.iter().filter(move |(torrent, _)| is_served(torrent)))
    }
}

/// What a restore brought back, and what it left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Torrents that are there again.
    pub torrents: u64,
    /// Peers that are there again.
    pub peers: u64,
    /// Torrents that timed out, or were not worth keeping without their peers.
    pub timed_out_torrents: u64,
    /// Peers that timed out.
    pub timed_out_peers: u64,
    /// Torrents, and peers in networks, that are not served here; parts of a large torrent count
    /// each.
    pub not_served: u64,
    /// Peers of addresses that are no peer's.
    pub impossible: u64,
    /// Torrents and peers for which a limit leaves no room.
    pub no_room: u64,
}

impl AddAssign for Restored {
    fn add_assign(&mut self, other: Self) {
        self.torrents += other.torrents;
        self.peers += other.peers;
        self.timed_out_torrents += other.timed_out_torrents;
        self.timed_out_peers += other.timed_out_peers;
        self.not_served += other.not_served;
        self.impossible += other.impossible;
        self.no_room += other.no_room;
    }
}

impl Tracker {
    /// Brings back a torrent and peers of it, all or a part, that were saved so long ago. What has
    /// timed out since or is not served is left out; what is there already stays if it is newer.
    /// The cluster does not hear of it.
    pub fn restore(
        &self,
        torrent: &SavedTorrent,
        peers: impl Iterator<Item = SavedPeer> + Clone,
        passed: Duration,
        now: Instant,
    ) -> Restored {
        let rules = self.shared_rules().load();
        if !rules.lists.serves(&torrent.info_hash) {
            return Restored {
                not_served: 1,
                ..Restored::default()
            };
        }
        let moment = self.moment(now, &rules);
        let minutes = u32::try_from(passed.as_secs() / 60).unwrap_or(u32::MAX);
        let is_possible = |peer: &SavedPeer| peer.addr.scope().is_some();
        let is_served = |peer: &SavedPeer| rules.lists.serves_address(peer.addr.ip());
        let (mut impossible, mut not_served) = (0, 0);
        for peer in peers.clone() {
            if !is_possible(&peer) {
                impossible += 1;
            } else if !is_served(&peer) {
                not_served += 1;
            }
        }
        let peers = peers.filter(|peer| is_possible(peer) && is_served(peer));
        let key = self.store().key(&torrent.info_hash);
        let back = self.store().restore(&key, torrent, peers, minutes, &moment);
        Restored {
            torrents: back.torrents,
            peers: back.peers,
            timed_out_torrents: back.timed_out_torrents,
            timed_out_peers: back.timed_out_peers,
            not_served,
            impossible,
            no_room: back.no_room,
        }
    }
}
