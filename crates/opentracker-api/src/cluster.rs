use serde::{Deserialize, Serialize};

/// The cluster as a node sees it: `GET /api/v1/cluster`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cluster {
    /// What this node calls itself.
    pub tracker_id: String,
    /// It takes part: its interface is up and in the group.
    pub is_joined: bool,
    /// The ways that packets take.
    pub carriers: Vec<ClusterCarrier>,
    /// Packets of others that were taken, by the key that they were sealed with.
    pub keys: Vec<ClusterKey>,
    /// The others.
    pub nodes: Vec<ClusterNode>,
}

/// A way that packets of the cluster take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterCarrier {
    /// `group`, `unicast` or `nats`.
    pub name: String,
    /// Packets can go, as far as is known.
    pub is_up: bool,
    /// Addresses or servers that it sends to.
    pub destinations: u64,
    /// Packets that wait to be sent.
    pub waiting: u64,
    /// Packets that came.
    pub received: u64,
    /// Packets that went, to each address once.
    pub sent: u64,
    /// Octets of the packets that came.
    pub received_octets: u64,
    /// Octets of the packets that went.
    pub sent_octets: u64,
    /// Packets that could not be sent.
    pub send_errors: u64,
    /// Packets that found no room to wait, either way.
    pub dropped: u64,
}

/// A key of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterKey {
    /// Its name: eight hexadecimal digits.
    pub name: String,
    /// Packets that were sealed with it.
    pub packets: u64,
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
    /// Seconds that its packets come later by the slowest of its carriers; `null`: not known.
    pub lag_secs: Option<f64>,
    /// It goes on by one carrier, and has fallen silent on another.
    pub is_split: bool,
    /// The carriers that it was heard by not long ago.
    pub carriers: Vec<String>,
    /// Name of the key that it seals with; `null`: it does not.
    pub key: Option<String>,
    /// Seconds that its clock is ahead of this node's; `null`: not known.
    pub clock_ahead_secs: Option<i32>,
    /// Torrents that it says it has.
    pub torrents: Option<u64>,
    /// Packets that came from it.
    pub packets: u64,
    /// Records of them that were applied.
    pub applied: u64,
    /// Packets and records that were dropped.
    pub dropped: u64,
}
