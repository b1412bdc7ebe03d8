//! The operator plane: its own listeners, and the connections that announce threads hand over.

use std::net::TcpListener;
use std::sync::Arc;

use opentracker_admin::{Config as PlaneConfig, Identity, Plane};
use opentracker_core::{Tracker, Worker};
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
    listeners: Vec<TcpListener>,
) -> std::io::Result<(Plane, HandOver)> {
    let mut plane = PlaneConfig::new(Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tracker_id: id,
    });
    plane.limits.idle_timeout = config.http.idle_timeout;
    plane.udp_port = udp_port;
    let worker = Worker::new(Arc::clone(core), rand::random(), None);
    let plane = Plane::start(plane, worker, listeners)?;
    let handle = plane.handle();
    let hand_over = HandOver::new(move |connection| {
        handle.take(connection.stream, connection.address, connection.octets);
    });
    Ok((plane, hand_over))
}
