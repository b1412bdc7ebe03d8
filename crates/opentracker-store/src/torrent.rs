use opentracker_types::{InfoHash, SwarmCounts};

use crate::arithmetic::saturating_u32;
use crate::clock::Minute;
use crate::swarm::Swarm;

/// A torrent as an iteration shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TorrentSummary {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Its counts.
    pub counts: SwarmCounts,
    /// Minutes since it was last announced.
    pub idle_minutes: u32,
}

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

    pub(crate) fn counts(&self) -> SwarmCounts {
        let peers = self.swarm.peers();
        SwarmCounts {
            seeders: saturating_u32(peers.seeders()),
            leechers: saturating_u32(peers.leechers()),
            downloads: u64::from(self.downloads),
        }
    }
}
