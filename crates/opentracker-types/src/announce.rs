use crate::{InfoHash, PeerId};

/// What an announce reports besides its numbers (BEP 3, BEP 15, BEP 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Event {
    /// A regular re-announce, or an event that this program does not know.
    #[default]
    None,
    /// The client has just started.
    Started,
    /// The client has just finished the download.
    Completed,
    /// The client goes away.
    Stopped,
    /// The client is a partial seed: incomplete, but it downloads nothing (BEP 21).
    Paused,
}

/// An announce as a client words it, whichever front end it came through.
///
/// The peer's IP address is not part of it: that is the source of the packet or connection, and
/// a front end hands it over separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnounceRequest {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What the client calls itself; absent in HTTP announces that leave it out.
    pub peer_id: Option<PeerId>,
    /// The TCP or uTP port on which the peer accepts connections. A wire crate may hand over 0;
    /// the tracker's rules refuse it.
    pub port: u16,
    /// Octets that the client still has to download; `None` where the request does not say,
    /// which counts as a leecher.
    pub left: Option<u64>,
    /// The event.
    pub event: Event,
    /// How many peers the client asks for; `None` lets the tracker choose.
    pub num_want: Option<u32>,
}

impl AnnounceRequest {
    /// Tells whether the announcing peer is a seeder: it says that nothing is left.
    pub fn is_seeder(&self) -> bool {
        self.left == Some(0)
    }
}

/// The counts of one swarm, as announce and scrape replies carry them (BEP 15, BEP 48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SwarmCounts {
    /// Peers that have everything.
    pub seeders: u32,
    /// Peers that have not.
    pub leechers: u32,
    /// Downloads that were reported as completed, once per peer; saturates.
    pub downloads: u64,
}
