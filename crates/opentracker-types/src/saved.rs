use crate::{InfoHash, PeerAddr};

/// A torrent as it is saved and restored, without its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedTorrent {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Downloads that were reported as completed.
    pub downloads: u64,
    /// Minutes since it was last announced.
    pub idle_minutes: u32,
    /// Minutes since it was first announced, while that is too little to keep it without peers;
    /// `None`: it is established.
    pub unestablished_minutes: Option<u16>,
    /// About how many peers there are in the whole swarm, of which a part may come along. What is
    /// restored makes room for them by it, and believes it no further.
    pub swarm_peers: u32,
}

/// A peer as it is saved and restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedPeer {
    /// Where it accepts connections.
    pub addr: PeerAddr,
    /// It has everything.
    pub seeding: bool,
    /// It has reported that it completed the download.
    pub completed: bool,
    /// Minutes since it announced.
    pub age_minutes: u8,
}
