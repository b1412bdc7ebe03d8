//! The operator plane: its own listeners, and the connections that announce threads hand over.

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;
use nix::fcntl::OFlag;
use opentracker_admin::{
    Cluster, ClusterCarrier, ClusterNode, ClusterView, Config as PlaneConfig, ControlSlot, Gauge,
    Identity, Listeners, OverTls, Plane, Token, Trends,
};
use opentracker_core::Worker;
use opentracker_livesync::{Kind, Sibling, Status, View};
use opentracker_net::http::{
    HandOver, HandedOver, Socket, SocketFile, UnixError, UnixListen, bind_unix,
};
use opentracker_types::TrackerId;

use crate::config::Config;
use crate::folders::Folders;

/// The name of the control socket, where nobody has chosen another.
const DEFAULT_SOCKET: &str = "control.sock";

/// Connections that may wait at the control socket.
const BACKLOG: i32 = 16;

/// Octets of the token's file that are read.
const MAX_TOKEN_FILE: u64 = 4096;

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
    /// Who does what the operator asks for.
    pub(crate) control: Arc<ControlSlot>,
    /// What was, for up to seven days.
    pub(crate) trends: Arc<Mutex<Trends>>,
}

/// Why the token cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("admin.token: cannot read {}", path.display())]
pub struct TokenError {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub cause: io::Error,
}

/// Reads the token that changes over TCP need, if one is configured.
pub(crate) fn read_token(path: &Path, folders: &Folders) -> Result<Option<Token>, TokenError> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let read = || {
        // A FIFO would wait for its writer.
        let file = folders.open_for(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        let mut text = Vec::new();
        File::from(file)
            .take(MAX_TOKEN_FILE)
            .read_to_end(&mut text)?;
        Token::of_file(&text).map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))
    };
    read().map(Some).map_err(|cause| TokenError {
        path: path.to_owned(),
        cause,
    })
}

/// The control socket, and the file that stands for it.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(crate) listener: UnixListener,
    pub(crate) file: SocketFile,
}

/// Returns where the control socket is to be, if anywhere: where the configuration says, or else in
/// the folder that the service manager has made for it.
pub(crate) fn control_path(config: &Config, runtime_folder: Option<&Path>) -> Option<PathBuf> {
    match &config.admin.socket {
        path if path.as_os_str().is_empty() => Some(runtime_folder?.join(DEFAULT_SOCKET)),
        path => Some(path.clone()),
    }
}

/// Binds the control socket. One that the configuration names must work; another is left out with a
/// warning.
pub(crate) fn bind_control(
    config: &Config,
    path: Option<&Path>,
    owner: Option<(u32, u32)>,
) -> Result<Option<ControlSocket>, UnixError> {
    let Some(path) = path else { return Ok(None) };
    let listen = UnixListen {
        path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        owner,
        proxy_protocol: false,
    };
    match bind_unix(&listen, BACKLOG) {
        Ok((listener, file)) => Ok(Some(ControlSocket { listener, file })),
        Err(error) if config.admin.socket.as_os_str().is_empty() => {
            tracing::warn!("no control socket: {error}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Starts the operator plane, and returns it with the way for connections to it.
pub(crate) fn start(
    config: &Config,
    worker: Worker,
    shown: Shown,
    listeners: Listeners,
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
    plane.control = shown.control;
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
            socket @ Socket::Tls(_) => {
                let stream = OverTls::new(|| socket.into_async());
                handle.take(stream, source, octets, counted);
            }
        }
    });
    Ok((plane, hand_over))
}

/// Returns what operators are shown of the cluster.
fn cluster_of(view: &View, now: Instant) -> Cluster {
    let node = |sibling: &Sibling| ClusterNode {
        address: sibling.address.map(|address| address.ip().to_canonical()),
        tracker_id: Some(sibling.id),
        heard_ago: Some(now.saturating_duration_since(sibling.heard_at)),
        lag: sibling.lag_by.iter().flatten().max().copied(),
        is_split: sibling.is_split(now),
        carriers: sibling.carriers(now).map(Kind::name).collect(),
        key: sibling.seal.map(|seal| seal.key.to_string()),
        clock_ahead_secs: sibling.seal.map(|seal| seal.clock_ahead_secs),
        torrents: sibling.claimed_torrents(),
        packets: sibling.packets,
        applied: sibling.applied_records,
        dropped: sibling.dropped_packets + sibling.dropped_records,
    };
    let carrier = |(kind, status): &(Kind, Status)| ClusterCarrier {
        name: kind.name(),
        is_up: status.is_up,
        destinations: status.destinations,
        waiting: status.waiting,
        received: status.received,
        sent: status.sent,
        received_octets: status.received_octets,
        sent_octets: status.sent_octets,
        send_errors: status.send_errors,
        dropped: status.dropped,
        dropped_tells: status.dropped_tells,
        backlog: status.backlog,
    };
    let by_key = view.packets_by_key.iter();
    let by_key = by_key.map(|(key, packets)| (key.to_string(), *packets));
    Cluster {
        tracker_id: view.id,
        is_joined: view.is_joined(),
        carriers: view.carriers.iter().map(carrier).collect(),
        packets_by_key: by_key.collect(),
        nodes: view.siblings.iter().map(node).collect(),
    }
}
