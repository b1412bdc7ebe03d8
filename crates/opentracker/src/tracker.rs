use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use opentracker_core as core;
use opentracker_core::Networks;
use opentracker_http as http;
use opentracker_multicast::JoinError;
use opentracker_store::Timing;
use opentracker_types::TrackerId;
use opentracker_udp as udp;
use rand::Rng;

use crate::config::{self, Config};
use crate::housekeeping::Housekeeping;
use crate::lists::{self, ListError};
use crate::livesync;
use crate::privileges::{self, PrivilegeError};

/// A tracker that runs: its listeners, its threads, its swarms.
///
/// It serves until [`Tracker::shutdown`].
#[derive(Debug)]
pub struct Tracker {
    config: Config,
    core: Arc<core::Tracker>,
    listeners: Vec<Listener>,
    udp: udp::Server,
    http: http::Server,
    livesync: Option<livesync::Server>,
    housekeeping: Housekeeping,
}

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
    /// An address for UDP cannot be bound.
    #[error(transparent)]
    Udp(#[from] udp::BindError),
    /// An address for HTTP cannot be bound.
    #[error(transparent)]
    Http(#[from] http::BindError),
    /// The cluster's multicast group cannot be joined.
    #[error("livesync")]
    LiveSync(#[source] JoinError),
    /// Privileges cannot be dropped.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// An access list cannot be used.
    #[error(transparent)]
    List(#[from] ListError),
    /// The system gives no more threads.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Keys that have changed but take effect only after a restart.
    pub need_restart: Vec<&'static str>,
}

impl Tracker {
    /// Binds the listeners, gives up privileges, reads the access lists, and starts to serve: in
    /// this order, so that lists are read, now and on every reload, as the user that the process
    /// has become.
    ///
    /// # Errors
    ///
    /// Fails if an address cannot be bound, a list cannot be read, or the user or root folder
    /// cannot be changed; nothing runs then.
    pub fn start(config: Config) -> Result<Self, StartError> {
        raise_descriptor_limit();
        let cores = available_parallelism().map_or(1, usize::from);
        let udp_sockets = udp::Sockets::bind(&udp::Config {
            listen: config.udp.listen.clone(),
            workers: match config.udp.workers {
                0 => cores,
                workers => usize::from(workers),
            },
            max_payload: usize::from(config.udp.max_payload),
        })?;
        // From the system's randomness and never from the clock: trackers that start together must
        // not take each other for themselves.
        let mut id = [0; TrackerId::LEN];
        rand::rng().fill_bytes(&mut id);
        let id = TrackerId::new(id);
        let http_listeners = http::Listeners::bind(&http::Config {
            listen: config.http.listen.clone(),
            threads: cores,
            limits: http::Limits {
                idle_timeout: config.http.idle_timeout,
                ..http::Limits::default()
            },
            identity: http::Identity {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                tracker_id: id,
            },
        })?;
        let group = livesync::Joined::join(&config.livesync, id).map_err(StartError::LiveSync)?;
        privileges::drop(&config.process)?;
        let lists = lists::read(&config.access)?;
        let core = Arc::new(core::Tracker::new(
            settings(&config),
            lists,
            config.udp.connection_id_lifetime,
            Instant::now(),
            &mut rand::rng(),
        ));
        warn_of_contradictions(&config);
        let mut listeners = listeners("udp", &udp_sockets.local_addrs());
        listeners.extend(self::listeners("http", http_listeners.local_addrs()));
        let worker = || {
            let cluster = group.as_ref().map(|group| group.teller(&core));
            core.worker(rand::rng().next_u64(), cluster)
        };
        let udp = udp_sockets.serve(&worker).map_err(StartError::Thread)?;
        let http = http_listeners
            .serve(http_settings(&config), worker)
            .map_err(StartError::Thread)?;
        let livesync = group
            .map(|group| group.serve(Arc::clone(&core)))
            .transpose()
            .map_err(StartError::Thread)?;
        let housekeeping = Housekeeping::start(Arc::clone(&core)).map_err(StartError::Thread)?;
        Ok(Self {
            config,
            core,
            listeners,
            udp,
            http,
            livesync,
            housekeeping,
        })
    }

    /// Returns the addresses that are served.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Returns the configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the rules and the swarms, to announce and look without a network.
    pub fn core(&self) -> &Arc<core::Tracker> {
        &self.core
    }

    /// Takes over what can change at run time, and reads the access lists again: all at once, or
    /// nothing.
    ///
    /// # Errors
    ///
    /// Fails if a list cannot be used; everything stays as it was.
    pub fn reload(&mut self, config: Config) -> Result<Reloaded, ListError> {
        let lists = lists::read(&config.access)?;
        self.core.set_lists(lists);
        self.core.set_settings(settings(&config));
        self.http.set_settings(http_settings(&config));
        let old = &self.config;
        let fixed = [
            ("udp.listen", old.udp.listen != config.udp.listen),
            ("udp.workers", old.udp.workers != config.udp.workers),
            (
                "udp.max_payload",
                old.udp.max_payload != config.udp.max_payload,
            ),
            (
                "udp.connection_id_lifetime",
                old.udp.connection_id_lifetime != config.udp.connection_id_lifetime,
            ),
            ("http.listen", old.http.listen != config.http.listen),
            (
                "http.idle_timeout",
                old.http.idle_timeout != config.http.idle_timeout,
            ),
            ("livesync", {
                let renewed = config::LiveSync {
                    renew_boundary: config.livesync.renew_boundary,
                    ..old.livesync.clone()
                };
                renewed != config.livesync
            }),
            ("process.user", old.process.user != config.process.user),
            (
                "process.chroot",
                old.process.chroot != config.process.chroot,
            ),
            ("log.format", old.log.format != config.log.format),
        ];
        let need_restart = fixed.iter().filter(|(_, changed)| *changed);
        let need_restart = need_restart.map(|(key, _)| *key).collect();
        self.config = config;
        Ok(Reloaded { need_restart })
    }

    /// Stops accepting, finishes what is under way, and ends all threads.
    pub fn shutdown(self) {
        self.udp.shutdown();
        self.http.shutdown(HTTP_GRACE);
        // After the workers, whose last packets go to the group.
        if let Some(livesync) = self.livesync {
            livesync.shutdown();
        }
        self.housekeeping.shutdown();
    }
}

/// How long HTTP requests that are under way may take when the tracker stops.
const HTTP_GRACE: Duration = Duration::from_secs(2);

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

/// Takes as many file descriptors as the system allows: each HTTP connection needs one, and the
/// limit that a shell hands down is usually 1,024.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of file descriptors");
    }
}

/// What may change of the HTTP front end.
fn http_settings(config: &Config) -> http::Settings {
    let networks = |networks: &[ipnet::IpNet]| Networks::new(networks.iter().copied());
    http::Settings {
        stats_path: config.http.stats_path.clone(),
        redirect_url: config.http.redirect_url.clone(),
        trusted_proxies: networks(&config.http.trusted_proxies),
        stats: networks(&config.access.stats),
        admin: networks(&config.access.admin),
    }
}

/// The rules of the core. Where the parts of a configuration contradict each other the interval
/// wins: it may be spread by its half at most, and the shortest allowed interval is no longer than
/// the shortest that is handed out.
fn settings(config: &Config) -> core::Settings {
    let announce = &config.announce;
    let jitter = announce.jitter.min(announce.interval / 2);
    core::Settings {
        interval: announce.interval,
        jitter,
        min_interval: announce.min_interval.min(announce.interval - jitter),
        numwant_default: announce.numwant_default,
        numwant_max: announce.numwant_max,
        timing: Timing::new(
            announce.peer_timeout,
            announce.torrent_timeout,
            config.livesync.renew_boundary,
        )
        .with_interval(announce.interval),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_wins_over_what_contradicts_it() {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut config = Config::default();
        config.announce.interval = 2 * MINUTE;
        let settings = settings(&config);
        assert_eq!(settings.interval, 2 * MINUTE);
        assert_eq!(settings.jitter, MINUTE);
        assert_eq!(settings.min_interval, MINUTE);
        let defaults = super::settings(&Config::default());
        assert_eq!(defaults, core::Settings::default());
    }
}
