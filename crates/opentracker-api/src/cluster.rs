use serde::{Deserialize, Serialize};

/// The cluster as a node sees it: `GET /api/v1/cluster`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cluster {
    /// What this node calls itself.
    pub tracker_id: String,
    /// It takes part: its interface is up and in the group.
    pub is_joined: bool,
    /// The others.
    pub nodes: Vec<ClusterNode>,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterNode {
    /// Address; `null`: the way that its packets take does not tell.
    pub address: Option<String>,
    /// What it calls itself; `null`: it never said.
    pub tracker_id: Option<String>,
    /// Seconds since it was heard; `null`: never.
    pub heard_secs_ago: Option<f64>,
    /// Seconds that its news take; `null`: not known.
    pub lag_secs: Option<f64>,
    /// Torrents that it says it has.
    pub torrents: Option<u64>,
    /// Packets that came from it.
    pub packets: u64,
    /// Records of them that were applied.
    pub applied: u64,
    /// Packets and records that were dropped.
    pub dropped: u64,
}
