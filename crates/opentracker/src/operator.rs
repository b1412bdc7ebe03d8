//! The operator plane: its own listeners, and the connections that announce threads hand over.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use opentracker_admin::{
    Cluster, ClusterNode, ClusterView, Config as PlaneConfig, Identity, Plane,
};
use opentracker_core::{Tracker, Worker};
use opentracker_livesync::{Sibling, View};
use opentracker_net::http::HandOver;
use opentracker_types::TrackerId;

use crate::config::Config;

/// Binds the operator's own listeners. One that cannot be bound is left out with a warning: the
/// tracker serves its clients without.
pub(crate) fn bind(config: &Config) -> Vec<TcpListener> {
    let bound = config.admin.listen.iter().filter_map(|address| {
        let bound = TcpListener::bind(address);
        if let Err(error) = &bound {
            tracing::warn!("admin.listen: cannot listen on tcp {address}: {error}");
        }
        bound.ok()
    });
    bound.collect()
}

/// Starts the operator plane, and returns it with the way for connections to it.
pub(crate) fn start(
    config: &Config,
    core: &Arc<Tracker>,
    id: TrackerId,
    udp_port: Option<u16>,
    cluster: Option<Arc<ArcSwap<View>>>,
    listeners: Vec<TcpListener>,
) -> std::io::Result<(Plane, HandOver)> {
    let mut plane = PlaneConfig::new(Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tracker_id: id,
    });
    plane.limits.idle_timeout = config.http.idle_timeout;
    plane.udp_port = udp_port;
    plane.cluster =
        cluster.map(|view| ClusterView::new(move || shown(&view.load(), Instant::now())));
    let worker = Worker::new(Arc::clone(core), rand::random(), None);
    let plane = Plane::start(plane, worker, listeners)?;
    let handle = plane.handle();
    let hand_over = HandOver::new(move |connection| {
        handle.take(connection.stream, connection.address, connection.octets);
    });
    Ok((plane, hand_over))
}

/// Returns what operators are shown of the cluster.
fn shown(view: &View, now: Instant) -> Cluster {
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
