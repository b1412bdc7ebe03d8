//! How a tracker comes up: sockets, privileges, lists, threads, in this order.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use opentracker_core as core;
use opentracker_core::AccessLists;
use opentracker_http::Limits;
use opentracker_multicast::JoinError;
use opentracker_net::http::HandOver;
use opentracker_net::{BindError, Listen, http, udp};
use opentracker_types::TrackerId;
use opentracker_udp::Connections;
use rand::Rng;

use crate::config::{self, Config};
use crate::fifo::Fifo;
use crate::housekeeping::Housekeeping;
use crate::lists::{self, ListError, Occasion};
use crate::livesync;
use crate::privileges::{self, PrivilegeError};
use crate::settings::rules;

/// An address that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// `udp` or `http`.
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
    /// No interface has the address that is to join the cluster's multicast group.
    #[error(
        "livesync.listen: no interface has {address}; this host has {}",
        Addresses(present)
    )]
    NoInterface {
        /// The address of the configuration.
        address: Ipv4Addr,
        /// The addresses that there are.
        present: Vec<Ipv4Addr>,
    },
    /// The cluster's multicast group cannot be joined.
    #[error("livesync.listen")]
    LiveSync(#[source] JoinError),
    /// Privileges cannot be dropped.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// An access list cannot be read.
    #[error(transparent)]
    List(#[from] ListError),
    /// The system gives no more threads.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// What a start brings about.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) core: Arc<core::Tracker>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) threads: Threads,
}

/// The threads of a tracker that runs.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    udp: Option<udp::Server>,
    http: Option<http::Server>,
    livesync: Option<livesync::Server>,
    housekeeping: Option<Housekeeping>,
    fifos: Vec<Fifo>,
}

/// How long HTTP requests that are under way may take when the tracker stops.
const HTTP_GRACE: Duration = Duration::from_secs(2);

/// Starts a tracker on a thread of its own, since it drops a runtime where it fails, which a
/// caller's own runtime would not let it.
pub(crate) fn start(config: &Config) -> Result<Started, StartError> {
    thread::scope(|scope| {
        let starting = thread::Builder::new()
            .name("start".to_owned())
            .spawn_scoped(scope, || start_here(config))
            .map_err(StartError::Thread)?;
        starting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn start_here(config: &Config) -> Result<Started, StartError> {
    let id = draw_id();
    let (udp_sockets, http_listeners) = bind(config)?;
    let group = join(config, id)?;
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
    warn_of_contradictions(config);
    let mut listeners = listeners("udp", udp_sockets.local_addrs());
    listeners.extend(self::listeners("http", http_listeners.local_addrs()));
    let mut threads = Threads::default();
    let served = threads.serve(config, &core, udp_sockets, http_listeners, group);
    if let Err(error) = served {
        threads.shutdown();
        return Err(StartError::Thread(error));
    }
    Ok(Started {
        core,
        listeners,
        threads,
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
        listen: udp_listen.into_iter().map(Listen::new).collect(),
        workers: match config.udp.workers {
            0 => cores,
            workers => usize::from(workers),
        },
        max_payload: usize::from(config.udp.max_payload),
    })?;
    let http_listeners = http::Listeners::bind(&http::Config {
        listen: http_listen.into_iter().map(Listen::new).collect(),
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
pub(crate) fn addresses(config: &Config) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
    let (mut udp, mut http) = (config.udp.listen.clone(), config.http.listen.clone());
    let defaults = [
        (&mut udp, config::Udp::default().listen),
        (&mut http, config::Http::default().listen),
    ];
    let mut is_said = false;
    for (listen, default) in defaults {
        if *listen != default {
            continue;
        }
        let (there, lacking) = default
            .into_iter()
            .partition::<Vec<_>, _>(|&address| has_family(address));
        if !is_said && !there.is_empty() && !lacking.is_empty() {
            let family = if lacking.iter().all(SocketAddr::is_ipv6) {
                "IPv6"
            } else {
                "IPv4"
            };
            tracing::warn!("this host has no {family}, which is left out");
            is_said = true;
        }
        *listen = there;
    }
    (udp, http)
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
    livesync::Joined::join(&config.livesync, id).map_err(|error| match error {
        JoinError::NoSuchAddress { interface } => StartError::NoInterface {
            address: interface,
            present: own_addresses(),
        },
        error => StartError::LiveSync(error),
    })
}

fn own_addresses() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    let v4 = addresses.filter_map(|ip| match ip {
        std::net::IpAddr::V4(ip) => Some(ip),
        std::net::IpAddr::V6(_) => None,
    });
    v4.collect()
}

/// Addresses in a sentence.
struct Addresses<'a>(&'a [Ipv4Addr]);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no IPv4 address");
        }
        for (place, address) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

fn listeners(protocol: &'static str, addresses: &[SocketAddr]) -> Vec<Listener> {
    addresses
        .iter()
        .map(|&address| Listener { protocol, address })
        .collect()
}

/// Says what an operator has hardly meant, though it can be done.
fn warn_of_contradictions(config: &Config) {
    let announce = &config.announce;
    if announce.peer_timeout <= announce.interval + announce.jitter {
        tracing::warn!(
            "announce.peer_timeout is no longer than announce.interval and announce.jitter: peers \
             that come back when they are asked to will have timed out"
        );
    }
}

impl Threads {
    /// Starts them all; those that run already when one fails are still to be shut down.
    fn serve(
        &mut self,
        config: &Config,
        core: &Arc<core::Tracker>,
        udp_sockets: udp::Sockets,
        http_listeners: http::Listeners,
        group: Option<livesync::Joined>,
    ) -> io::Result<()> {
        let worker = || {
            let cluster = group.as_ref().map(|group| group.teller(core));
            core::Worker::new(Arc::clone(core), rand::random(), cluster)
        };
        let lifetime = config.udp.connection_id_lifetime;
        let connections = Connections::new(rand::random(), core.start(), lifetime);
        self.udp = Some(udp_sockets.serve(&Arc::new(connections), &worker)?);
        let hand_over = HandOver::new(drop);
        self.http = Some(http_listeners.serve(&hand_over, worker)?);
        self.livesync = group
            .map(|group| group.serve(Arc::clone(core)))
            .transpose()?;
        self.housekeeping = Some(Housekeeping::start(Arc::clone(core))?);
        Ok(())
    }

    /// Adds a thread that reads a FIFO.
    pub(crate) fn add_fifo(&mut self, fifo: Fifo) {
        self.fifos.push(fifo);
    }

    /// Stops accepting, finishes what is under way, and ends all threads.
    pub(crate) fn shutdown(self) {
        if let Some(udp) = self.udp {
            udp.shutdown();
        }
        if let Some(http) = self.http {
            http.shutdown(HTTP_GRACE);
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
    }
}
