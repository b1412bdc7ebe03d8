//! How a tracker comes up: sockets, privileges, lists, threads, in this order.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use nix::unistd::Uid;
use opentracker_admin::Plane;
use opentracker_core as core;
use opentracker_http::Limits;
use opentracker_multicast::JoinError;
use opentracker_net::http::UnixListen;
use opentracker_net::{BindError, Listen, http, udp};
use opentracker_types::TrackerId;
use opentracker_udp::Connections;
use rand::Rng;

use crate::config::{Config, ListenAddress, Process};
use crate::fifo::{Fifo, FifoError};
use crate::folders::Folders;
use crate::housekeeping::Housekeeping;
use crate::lists::{self, ListError, ListKey, Lists, Occasion, Watch};
use crate::livesync;
use crate::memory::Memory;
use crate::operator::{self, Shown};
use crate::privileges::{self, PrivilegeError};
use crate::settings::rules;
use crate::snapshot::{self, SnapshotError, SnapshotStatus, Snapshots};

/// An address that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// `udp`, `http` or `admin`.
    pub protocol: &'static str,
    /// The address, with the port that the system chose where it was asked to.
    pub address: ListenAddress,
    /// Whether it is for proxies, which name the client before what it sends.
    pub proxy_protocol: bool,
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
    /// An address or a Unix socket cannot be bound for HTTP.
    #[error(transparent)]
    Http(#[from] http::ListenError),
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
    pub(crate) lists: Arc<Lists>,
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
    watch: Option<Watch>,
}

/// How long HTTP requests that are under way may take when the tracker stops.
const HTTP_GRACE: Duration = Duration::from_secs(2);

/// The same for what the operator plane serves.
const ADMIN_GRACE: Duration = Duration::from_secs(1);

/// Starts a tracker.
pub(crate) fn start(config: &Config) -> Result<Started, StartError> {
    let id = draw_id();
    let wanted = Wanted::of(config);
    let (udp_sockets, http_listeners) = bind(config, &wanted)?;
    let admin_listeners = operator::bind_all(config);
    let group = join(config, id)?;
    let list_files = || ListKey::ALL.map(|key| key.file(&config.access));
    let mut folders = Folders::of(list_files());
    let snapshot = snapshot::Place::open(&config.snapshot.path)?;
    privileges::drop(&config.process)?;
    folders.close_needless(list_files());
    let lists = read_lists(config, folders)?;
    let core = lists.core();
    if let Some(place) = &snapshot {
        snapshot::restore(place, core)?;
    }
    let snapshots = Arc::new(SnapshotStatus::default());
    let mut listeners = wanted.listeners(&udp_sockets, &http_listeners);
    let admin_addresses = admin_listeners.iter();
    let admin_addresses = admin_addresses.filter_map(|listener| listener.local_addr().ok());
    listeners.extend(admin_addresses.map(|address| Listener::new("admin", address, false)));
    let mut threads = Threads::default();
    let bound = Bound {
        udp: udp_sockets,
        http: http_listeners,
        admin: admin_listeners,
        group,
        snapshot,
        snapshots: Arc::clone(&snapshots),
    };
    let served = threads.serve(config, core, lists.memory(), id, bound);
    if let Err(error) = served {
        threads.shutdown();
        return Err(StartError::Thread(error));
    }
    threads.watch = Some(Watch::start(&lists));
    Ok(Started {
        lists,
        listeners,
        threads,
        snapshots,
    })
}

/// Makes the tracker, without threads, of the lists as their files have them.
fn read_lists(config: &Config, folders: Folders) -> Result<Arc<Lists>, ListError> {
    let folders = Arc::new(folders);
    let read = lists::read(&config.access, &folders, Occasion::Start);
    let tracker = |lists| {
        let rules = rules(config, lists);
        core::Tracker::new(rules, Instant::now(), &mut rand::rng())
    };
    Lists::start(read, folders, tracker).map(Arc::new)
}

/// Draws what this run calls itself. From the system's randomness and never from the clock:
/// trackers that start together must not take each other for themselves.
pub(crate) fn draw_id() -> TrackerId {
    let mut id = [0; TrackerId::LEN];
    rand::rng().fill_bytes(&mut id);
    TrackerId::new(id)
}

fn bind(config: &Config, wanted: &Wanted) -> Result<(udp::Sockets, http::Listeners), StartError> {
    let cores = available_parallelism().map_or(1, usize::from);
    if wanted.is_empty() {
        return Err(StartError::NoListener);
    }
    let owner = owner(&config.process)?;
    let udp_sockets = udp::Sockets::bind(&udp::Config {
        listen: wanted.udp.clone(),
        workers: match config.udp.workers {
            0 => cores,
            workers => usize::from(workers),
        },
        max_payload: usize::from(config.udp.max_payload),
    })?;
    let http_listeners = http::Listeners::bind(&http::Config {
        listen: wanted.http.clone(),
        unix: wanted
            .unix
            .iter()
            .map(|listen| UnixListen {
                owner,
                ..listen.clone()
            })
            .collect(),
        threads: cores,
        limits: Limits {
            idle_timeout: config.http.idle_timeout,
            ..Limits::default()
        },
        ..http::Config::default()
    })?;
    Ok((udp_sockets, http_listeners))
}

/// Returns the user and the group that the process becomes, whose the files of Unix sockets are.
fn owner(process: &Process) -> Result<Option<(u32, u32)>, PrivilegeError> {
    if process.user.is_empty() || !Uid::effective().is_root() {
        return Ok(None);
    }
    let (user, group) = privileges::look_up(&process.user)?;
    Ok(Some((user.as_raw(), group.as_raw())))
}

/// What is to be served.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) udp: Vec<Listen>,
    pub(crate) http: Vec<Listen>,
    pub(crate) unix: Vec<UnixListen>,
}

impl Wanted {
    /// Reads it from the configuration. Of what nobody has written, a family that the kernel lacks is
    /// left out.
    pub(crate) fn of(config: &Config) -> Self {
        let mut wanted = Self {
            udp: Vec::new(),
            http: Vec::new(),
            unix: Vec::new(),
        };
        let udp = config.udp.listen.iter().map(|listener| (listener, true));
        let http = config.http.listen.iter().map(|listener| (listener, false));
        let mut lacking = None;
        for (listener, is_udp) in udp.chain(http) {
            let proxy_protocol = listener.proxy_protocol;
            match &listener.address {
                ListenAddress::Internet(address)
                    if listener.by_default && !has_family(*address) =>
                {
                    lacking = lacking.or(Some(*address));
                }
                ListenAddress::Internet(address) => {
                    let listen = Listen::new(*address)
                        .with_v6_only(listener.v6_only)
                        .with_proxy_protocol(proxy_protocol);
                    let addresses = if is_udp {
                        &mut wanted.udp
                    } else {
                        &mut wanted.http
                    };
                    addresses.push(listen);
                }
                ListenAddress::Unix(path) => wanted.unix.push(UnixListen {
                    path: path.clone(),
                    owner: None,
                    proxy_protocol,
                }),
            }
        }
        if let Some(address) = lacking {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            tracing::warn!("this host has no {family}, which is left out");
        }
        wanted
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.udp.is_empty() && self.http.is_empty() && self.unix.is_empty()
    }

    /// Returns what is served once it is bound.
    fn listeners(&self, udp: &udp::Sockets, http: &http::Listeners) -> Vec<Listener> {
        let of = |protocol, listen: &[Listen], bound: &[SocketAddr]| {
            let served = listen
                .iter()
                .zip(bound)
                .map(|(listen, address)| Listener::new(protocol, *address, listen.proxy_protocol));
            served.collect::<Vec<_>>()
        };
        let unix = self.unix.iter().map(|listen| Listener {
            protocol: "http",
            address: ListenAddress::Unix(listen.path.clone()),
            proxy_protocol: listen.proxy_protocol,
        });
        let udp = of("udp", &self.udp, udp.local_addrs());
        let http = of("http", &self.http, http.local_addrs());
        udp.into_iter().chain(http).chain(unix).collect()
    }
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

impl Listener {
    fn new(protocol: &'static str, address: SocketAddr, proxy_protocol: bool) -> Self {
        Self {
            protocol,
            address: ListenAddress::Internet(address),
            proxy_protocol,
        }
    }
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
        drop(self.watch);
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
