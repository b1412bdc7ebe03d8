use std::net::SocketAddr;
use std::time::Instant;

use opentracker_types::TrackerId;

/// Who is in the cluster, as far as this tracker has heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// What this tracker calls itself.
    pub id: TrackerId,
    /// Whether the interface is there and the group joined.
    pub is_joined: bool,
    /// The others, by id.
    pub nodes: Vec<ClusterNode>,
}

/// Another tracker of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// What it calls itself.
    pub id: TrackerId,
    /// Where its last packet came from.
    pub address: Option<SocketAddr>,
    /// When its last packet came.
    pub heard_at: Instant,
    /// Torrents that its last beacon claimed.
    pub torrents: Option<u64>,
    /// Packets received from it.
    pub packets: u64,
    /// Records of its packets that were applied.
    pub applied: u64,
    /// Packets and records of it that were dropped.
    pub dropped: u64,
}
