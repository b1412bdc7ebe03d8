#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod activity;
mod changes;
mod cluster;
mod problem;
mod status;
mod stream;
mod torrents;

pub use activity::{
    Activity, ClientCount, Clients, Latency, ReplyCount, RequestCount, Series, Trends,
};
pub use changes::{
    Block, BlockPage, Blocked, Drain, Lasts, ListChange, Purged, Reloaded, SnapshotWritten,
    Unblocked,
};
pub use cluster::{Cluster, ClusterCarrier, ClusterKey, ClusterNode};
pub use problem::{PROBLEM_TYPE, Problem};
pub use status::{
    CertificateStatus, INSTANCE_HEADER, Instance, ListenerStatus, Lists, Memory, PeerCounts,
    ReloadStatus, SnapshotStatus, State, Status, Swarms, XdpStatus,
};
pub use stream::{Event, EventKind, Traced};
pub use torrents::{
    LimitedPage, LimitedPrefix, Peer, Sort, Step, Top, Torrent, TorrentDetail, TorrentPage, Verdict,
};
