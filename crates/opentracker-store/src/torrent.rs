use opentracker_types::{InfoHash, SwarmCounts};

use crate::clock::{Minute, Moment};
use crate::downloads::Downloads;
use crate::swarm::{Swarm, SwarmCell};

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

/// A torrent: its info hash, its download count and its peers. One cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Torrent {
    pub(crate) info_hash: InfoHash,
    pub(crate) downloads: Downloads,
    pub(crate) swarm: Swarm,
}

const _: () = assert!(
    size_of::<Torrent>() == 64,
    "stored a million times: one cache line"
);

impl Torrent {
    /// Makes a torrent without peers, last announced at a time.
    pub(crate) fn new(info_hash: InfoHash, downloads: Downloads, announced: Minute) -> Self {
        Self {
            info_hash,
            downloads,
            swarm: Swarm::empty(announced),
        }
    }

    /// Establishes the torrent if an announce of this peer is reason to.
    #[inline]
    pub(crate) fn note_announce<C: SwarmCell>(&mut self, peer: &C, moment: &Moment) {
        self.note_told(peer, 0, moment);
    }

    /// Establishes the torrent if an announce of this peer so many minutes ago is reason to.
    #[inline]
    pub(crate) fn note_told<C: SwarmCell>(&mut self, peer: &C, age_minutes: u8, moment: &Moment) {
        if !self.downloads.is_established() {
            self.try_to_establish(peer, age_minutes, moment);
        }
    }

    #[cold]
    fn try_to_establish<C: SwarmCell>(&mut self, peer: &C, age_minutes: u8, moment: &Moment) {
        let spans_interval = self.downloads.span_interval(age_minutes, moment);
        if spans_interval || self.swarm.has_other_prefix(peer) {
            self.downloads.establish();
        }
    }
}
