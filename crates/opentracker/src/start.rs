//! How a tracker comes up: sockets, privileges, lists, threads, in this order.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use opentracker_admin::Plane;
use opentracker_core as core;
use opentracker_core::AccessLists;
use opentracker_http::Limits;
use opentracker_multicast::JoinError;
use opentracker_net::{BindError, Listen, http, udp};
use opentracker_types::TrackerId;
use opentracker_udp::Connections;
use rand::Rng;

use crate::config::{self, Config};
use crate::fifo::{Fifo, FifoError};
use crate::housekeeping::Housekeeping;
use crate::lists::{self, ListError, Occasion};
use crate::livesync;
use crate::memory::Memory;
use crate::operator::{self, Shown};
use crate::privileges::{self, PrivilegeError};
use crate::settings::rules;
use crate::snapshot::{self, SnapshotError, SnapshotStatus, Snapshots};

/// An address that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// `udp`, `http` or `admin`.
    pub protocol: &'static str,
    /// The address, with the port that the system chose where it was asked to.
    pub address: SocketAddr,
}

/// Why a tracker could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing is to be served.
    #[error("udp.listen and http.listen are both empty: there is nothing to serve")]
    NoListener,
    /// An address cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The cluster's multicast group cannot be joined.
    #[error("livesync.listen")]
    LiveSync(#[source] JoinError),
    /// Privileges cannot be dropped.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// An access list cannot be read.
    #[error(transparent)]
    List(#[from] ListError),
    /// A FIFO cannot be opened.
    #[error(transparent)]
    Fifo(#[from] FifoError),
    /// Snapshots cannot be kept, or the one that is there not be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The system gives no more threads.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// What a start brings about.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) core: Arc<core::Tracker>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) threads: Threads,
    pub(crate) snapshots: Arc<SnapshotStatus>,
}

/// What is bound before privileges are given up.
struct Bound {
    udp: udp::Sockets,
    http: http::Listeners,
    admin: Vec<TcpListener>,
    group: Option<livesync::Joined>,
    snapshot: Option<snapshot::Place>,
    snapshots: Arc<SnapshotStatus>,
}

/// The threads of a tracker that runs.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    udp: Option<udp::Server>,
    http: Option<http::Server>,
    admin: Option<Plane>,
    livesync: Option<livesync::Server>,
    housekeeping: Option<Housekeeping>,
    fifos: Vec<Fifo>,
    snapshots: Option<Snapshots>,
}

/// How long HTTP requests that are under way may take when the tracker stops.
const HTTP_GRACE: Duration = Duration::from_secs(2);

/// The same for what the operator plane serves.
const ADMIN_GRACE: Duration = Duration::from_secs(1);

/// Starts a tracker.
pub(crate) fn start(config: &Config) -> Result<Started, StartError> {
    let id = draw_id();
    let (udp_sockets, http_listeners) = bind(config)?;
    let admin_listeners = operator::bind_all(config);
    let group = join(config, id)?;
    let snapshot = snapshot::Place::open(&config.snapshot.path)?;
    privileges::drop(&config.process)?;
    let lists = lists::read(&config.access, Occasion::Start);
    let lists = AccessLists {
        allow: lists.allow.transpose()?,
        deny: lists.deny.transpose()?,
    };
    let core = Arc::new(core::Tracker::new(
        rules(config, lists),
        Instant::now(),
        &mut rand::rng(),
    ));
    let memory = Arc::new(Memory::new(Arc::clone(&core)));
    if let Some(place) = &snapshot {
        snapshot::restore(place, &core)?;
    }
    let snapshots = Arc::new(SnapshotStatus::default());
    let mut listeners = listeners("udp", udp_sockets.local_addrs());
    listeners.extend(self::listeners("http", http_listeners.local_addrs()));
    let admin_addresses: Vec<_> = admin_listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect();
    listeners.extend(self::listeners("admin", &admin_addresses));
    let mut threads = Threads::default();
    let bound = Bound {
        udp: udp_sockets,
        http: http_listeners,
        admin: admin_listeners,
        group,
        snapshot,
        snapshots: Arc::clone(&snapshots),
    };
    let served = threads.serve(config, &core, &memory, id, bound);
    if let Err(error) = served {
        threads.shutdown();
        return Err(StartError::Thread(error));
    }
    Ok(Started {
        core,
        memory,
        listeners,
        threads,
        snapshots,
    })
}

/// Draws what this run calls itself. From the system's randomness and never from the clock:
/// trackers that start together must not take each other for themselves.
pub(crate) fn draw_id() -> TrackerId {
    let mut id = [0; TrackerId::LEN];
    rand::rng().fill_bytes(&mut id);
    TrackerId::new(id)
}

fn bind(config: &Config) -> Result<(udp::Sockets, http::Listeners), StartError> {
    let cores = available_parallelism().map_or(1, usize::from);
    let (udp_listen, http_listen) = addresses(config);
    if udp_listen.is_empty() && http_listen.is_empty() {
        return Err(StartError::NoListener);
    }
    let udp_sockets = udp::Sockets::bind(&udp::Config {
        listen: udp_listen,
        workers: match config.udp.workers {
            0 => cores,
            workers => usize::from(workers),
        },
        max_payload: usize::from(config.udp.max_payload),
    })?;
    let http_listeners = http::Listeners::bind(&http::Config {
        listen: http_listen,
        threads: cores,
        limits: Limits {
            idle_timeout: config.http.idle_timeout,
            ..Limits::default()
        },
        ..http::Config::default()
    })?;
    Ok((udp_sockets, http_listeners))
}

/// Returns the addresses to serve by UDP and by HTTP: those of the configuration. Of those that
/// nobody has written, a family that the kernel lacks is left out.
pub(crate) fn addresses(config: &Config) -> (Vec<Listen>, Vec<Listen>) {
    let lacks = |listener: &config::Listener| listener.by_default && !has_family(listener.address);
    let mut listeners = config.udp.listen.iter().chain(&config.http.listen);
    if let Some(lacking) = listeners.find(|listener| lacks(listener)) {
        let family = if lacking.address.is_ipv6() {
            "IPv6"
        } else {
            "IPv4"
        };
        tracing::warn!("this host has no {family}, which is left out");
    }
    let there = |listeners: &[config::Listener]| {
        let there = listeners.iter().filter(|listener| !lacks(listener));
        there
            .map(|listener| Listen::new(listener.address).with_v6_only(listener.v6_only))
            .collect()
    };
    (there(&config.udp.listen), there(&config.http.listen))
}

/// Tells whether the kernel knows the family of an address. What else may be wrong is said when
/// the address is bound.
fn has_family(address: SocketAddr) -> bool {
    let lacks = [
        nix::errno::Errno::EAFNOSUPPORT as i32,
        nix::errno::Errno::EADDRNOTAVAIL as i32,
    ];
    match UdpSocket::bind((address.ip(), 0)) {
        Ok(_) => true,
        Err(error) => !error
            .raw_os_error()
            .is_some_and(|code| lacks.contains(&code)),
    }
}

/// Joins the cluster, if live sync is on.
pub(crate) fn join(config: &Config, id: TrackerId) -> Result<Option<livesync::Joined>, StartError> {
    livesync::Joined::join(&config.livesync, id).map_err(StartError::LiveSync)
}

fn listeners(protocol: &'static str, addresses: &[SocketAddr]) -> Vec<Listener> {
    addresses
        .iter()
        .map(|&address| Listener { protocol, address })
        .collect()
}

impl Threads {
    /// Starts them all; those that run already when one fails are still to be shut down.
    fn serve(
        &mut self,
        config: &Config,
        core: &Arc<core::Tracker>,
        memory: &Arc<Memory>,
        id: TrackerId,
        bound: Bound,
    ) -> io::Result<()> {
        let group = bound.group;
        let worker = || {
            let cluster = group.as_ref().map(|group| group.teller(core));
            core::Worker::new(Arc::clone(core), rand::random(), cluster)
        };
        let lifetime = config.udp.connection_id_lifetime;
        let connections = Connections::new(rand::random(), core.start(), lifetime);
        let shown = Shown {
            id,
            udp_port: bound.udp.local_addrs().first().map(SocketAddr::port),
            cluster: group.as_ref().map(livesync::Joined::view),
            gauges: snapshot::gauges(&bound.snapshots),
        };
        self.udp = Some(bound.udp.serve(&Arc::new(connections), &worker)?);
        let (plane, hand_over) = operator::start(config, worker(), shown, bound.admin)?;
        self.admin = Some(plane);
        self.http = Some(bound.http.serve(&hand_over, worker)?);
        self.livesync = group.map(|group| group.serve(core));
        self.housekeeping = Some(Housekeeping::start(Arc::clone(core), Arc::clone(memory))?);
        if let Some(place) = bound.snapshot {
            let (core, interval) = (Arc::clone(core), config.snapshot.interval);
            self.snapshots = Some(Snapshots::start(place, core, interval, bound.snapshots)?);
        }
        Ok(())
    }

    /// Adds a thread that reads a FIFO.
    pub(crate) fn add_fifo(&mut self, fifo: Fifo) {
        self.fifos.push(fifo);
    }

    /// Returns where the cluster is published as this instance sees it, if there is one.
    pub(crate) fn cluster(&self) -> Option<&Arc<ArcSwap<livesync::View>>> {
        self.livesync.as_ref().map(livesync::Server::view)
    }

    /// Returns the thread that writes snapshots, if they are on.
    pub(crate) fn snapshots(&self) -> Option<&Snapshots> {
        self.snapshots.as_ref()
    }

    /// Replaces the networks that packets of the cluster are taken from.
    pub(crate) fn set_cluster_sources(&self, sources: &[IpNet]) {
        if let Some(livesync) = &self.livesync {
            livesync.set_sources(sources.to_vec());
        }
    }

    /// Stops accepting, finishes what is under way, and ends all threads.
    pub(crate) fn shutdown(self) {
        if let Some(udp) = self.udp {
            udp.shutdown();
        }
        if let Some(http) = self.http {
            http.shutdown(HTTP_GRACE);
        }
        // After those who hand connections over to it.
        if let Some(admin) = self.admin {
            admin.shutdown(ADMIN_GRACE);
        }
        // After the workers, whose last packets go to the group.
        if let Some(livesync) = self.livesync {
            livesync.shutdown();
        }
        if let Some(housekeeping) = self.housekeeping {
            housekeeping.shutdown();
        }
        for fifo in self.fifos {
            fifo.shutdown();
        }
        // After all that changes the swarms.
        if let Some(snapshots) = self.snapshots {
            snapshots.shutdown();
        }
    }
}
