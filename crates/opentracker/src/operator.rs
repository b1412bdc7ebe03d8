//! The operator plane: its own listeners, and the connections that announce threads hand over.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;
use opentracker_admin::{
    Cluster, ClusterNode, ClusterView, Config as PlaneConfig, Gauge, Identity, Plane, Trends,
};
use opentracker_core::Worker;
use opentracker_livesync::{Sibling, View};
use opentracker_net::http::{HandOver, HandedOver, Socket};
use opentracker_types::TrackerId;

use crate::config::Config;

/// Binds the operator's own listeners. One that cannot be bound is left out with a warning: the
/// tracker serves its clients without.
pub(crate) fn bind_all(config: &Config) -> Vec<TcpListener> {
    let addresses = config.admin.listen.iter();
    addresses
        .filter_map(|&address| bind(address, InUse::IsSaid))
        .collect()
}

/// What becomes of an address that somebody serves at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InUse {
    /// It is warned of.
    IsSaid,
    /// It is passed over: that may be a tracker that is to be restarted.
    Passes,
}

/// Binds one of them, or warns.
pub(crate) fn bind(address: SocketAddr, in_use: InUse) -> Option<TcpListener> {
    TcpListener::bind(address)
        .inspect_err(|error| {
            if in_use == InUse::IsSaid || error.kind() != io::ErrorKind::AddrInUse {
                tracing::warn!("admin.listen: cannot listen on tcp {address}: {error}");
            }
        })
        .ok()
}

/// What the operator plane shows besides what it finds itself.
pub(crate) struct Shown {
    /// What the tracker calls itself.
    pub(crate) id: TrackerId,
    /// The port of the announce URL by UDP, if there is one.
    pub(crate) udp_port: Option<u16>,
    /// Who is in the cluster, if there is one.
    pub(crate) cluster: Option<Arc<ArcSwap<View>>>,
    /// What the metrics show of other parts.
    pub(crate) gauges: Vec<Gauge>,
    /// What was, for up to seven days.
    pub(crate) trends: Arc<Mutex<Trends>>,
}

/// Starts the operator plane, and returns it with the way for connections to it.
pub(crate) fn start(
    config: &Config,
    worker: Worker,
    shown: Shown,
    listeners: Vec<TcpListener>,
) -> io::Result<(Plane, HandOver)> {
    let mut plane = PlaneConfig::new(Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tracker_id: shown.id,
    });
    plane.limits.idle_timeout = config.http.idle_timeout;
    plane.udp_port = shown.udp_port;
    let cluster = |view: Arc<ArcSwap<View>>| {
        ClusterView::new(move || cluster_of(&view.load(), Instant::now()))
    };
    plane.cluster = shown.cluster.map(cluster);
    plane.gauges = shown.gauges;
    plane.trends = shown.trends;
    let plane = Plane::start(plane, worker, listeners)?;
    let handle = plane.handle();
    let hand_over = HandOver::new(move |connection| {
        let HandedOver {
            socket,
            source,
            octets,
            counted,
            ..
        } = connection;
        match socket {
            Socket::Tcp(stream) => handle.take(stream, source, octets, counted),
            Socket::Unix(stream) => handle.take(stream, source, octets, counted),
        }
    });
    Ok((plane, hand_over))
}

/// Returns what operators are shown of the cluster.
fn cluster_of(view: &View, now: Instant) -> Cluster {
    let node = |sibling: &Sibling| ClusterNode {
        address: sibling.address.ip(),
        tracker_id: Some(sibling.id),
        heard_ago: Some(now.saturating_duration_since(sibling.heard_at)),
        lag: None,
        torrents: sibling.claimed_torrents(),
        packets: sibling.packets,
        applied: sibling.applied_records,
        dropped: sibling.dropped_packets + sibling.dropped_records,
    };
    Cluster {
        tracker_id: view.id,
        is_joined: view.is_joined,
        nodes: view.siblings.iter().map(node).collect(),
    }
}
