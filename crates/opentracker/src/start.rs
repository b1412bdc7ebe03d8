//! How a tracker comes up: sockets, privileges, lists, threads, in this order. The first two are the
//! preparation.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use opentracker_admin as admin;
use opentracker_admin::{ControlSlot, Plane, Trends};
use opentracker_core as core;
use opentracker_net::http::{SocketFile, UnixError};
use opentracker_net::{BindError, Heartbeat, http, udp};
use opentracker_types::TrackerId;
use opentracker_udp::Connections;
use rand::Rng;

use crate::blocks::Blocks;
use crate::browsers;
use crate::certificates::{self, Https, HttpsError};
use crate::config::{Config, ListenAddress, LiveSync};
use crate::descriptors::TooFewDescriptors;
use crate::fifo::{Fifo, FifoError};
use crate::folders::Folders;
use crate::gauges;
use crate::housekeeping::Housekeeping;
use crate::listening::{self, Listener, listeners, owner, server_configs, sockets, unix_listeners};
use crate::lists::{self, ListError, ListKey, Lists, Occasion, Watch};
use crate::livesync::{self, LiveSyncError};
use crate::memory::Memory;
use crate::operator::{self, ControlSocket, Shown, TokenError};
use crate::passed::{PassedError, PassedSocket, PassedSockets};
use crate::privileges::{self, PrivilegeError};
use crate::reload::ReloadStatus;
use crate::sandbox::{self, Allowed, Sandbox};
use crate::secret::{self, Secret, SecretError};
use crate::settings::rules;
use crate::snapshot::{self, SnapshotError, SnapshotStatus, Snapshots};

/// What a program gives a tracker besides its configuration.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Launch {
    /// Sockets that were passed to the process. They are served in place of the addresses of the
    /// configuration.
    pub sockets: Vec<PassedSocket>,
    /// Whether this thread gives up, for itself and all that it starts, what a tracker that serves
    /// does not need: capabilities, new privileges, and where the kernel has Landlock all files but
    /// those in the folders of the configuration.
    pub sandbox: bool,
    /// Files besides those of the configuration that the sandbox lets through.
    pub files: Vec<PathBuf>,
    /// The folder that the service manager has made for what exists while the program runs: the
    /// control socket is there, if the configuration does not say where.
    pub runtime_folder: Option<PathBuf>,
}

/// Why a tracker could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing is to be served.
    #[error("udp.listen and http.listen are both empty: there is nothing to serve")]
    NoListener,
    /// A socket was passed that cannot be used.
    #[error(transparent)]
    Passed(#[from] PassedError),
    /// The system grants less file descriptors than the listeners need.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// An address cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An interface cannot be served below the network stack.
    #[error("udp.xdp.interfaces")]
    Xdp(#[from] udp::xdp::OpenError),
    /// An address or a Unix socket cannot be bound for HTTP.
    #[error(transparent)]
    Http(#[from] http::ListenError),
    /// The control socket cannot be bound.
    #[error("admin.socket")]
    Control(#[source] UnixError),
    /// HTTPS cannot be served.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// The token cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The cluster's secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Live sync cannot begin.
    #[error(transparent)]
    LiveSync(#[from] LiveSyncError),
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
    pub(crate) reloads: Arc<ReloadStatus>,
    pub(crate) sandbox: Option<Arc<Sandbox>>,
    pub(crate) secret: Option<Arc<Secret>>,
    pub(crate) https: Option<Arc<Https>>,
    pub(crate) blocks: Blocks,
    pub(crate) control: Arc<ControlSlot>,
}

/// A tracker whose sockets are open and whose process has become what it shall be.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) config: Config,
    id: TrackerId,
    bound: Bound,
    /// Its certificates, read before privileges are given up.
    https: Option<Https>,
    /// The folders of the lists, the token, the secret and the certificates.
    folders: Folders,
}

/// What is open before privileges are given up, and what is left to those who serve it then.
#[derive(Debug)]
pub(crate) struct Bound {
    udp: udp::Sockets,
    http: http::Listeners,
    admin: Vec<TcpListener>,
    control: Option<ControlSocket>,
    listeners: Vec<Listener>,
    group: Option<livesync::Joined>,
    snapshot: Option<snapshot::Place>,
    snapshots: Arc<SnapshotStatus>,
    reloads: Arc<ReloadStatus>,
    trends: Arc<Mutex<Trends>>,
    sandbox: Option<Arc<Sandbox>>,
}

/// The threads of a tracker that runs.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    udp: Option<udp::Server>,
    http: Option<http::Server>,
    browsers: Option<browsers::Server>,
    admin: Option<Plane>,
    livesync: Option<livesync::Server>,
    housekeeping: Option<Housekeeping>,
    fifos: Vec<Fifo>,
    snapshots: Option<Snapshots>,
    watch: Option<Watch>,
    secret: Option<secret::Watch>,
    certificates: Option<certificates::Watch>,
    /// Removed at the end.
    control: Option<SocketFile>,
}

/// How long HTTP requests that are under way may take when the tracker stops.
const HTTP_GRACE: Duration = Duration::from_secs(2);

/// The same for what the operator plane serves.
const ADMIN_GRACE: Duration = Duration::from_secs(1);

/// Opens the sockets and gives up privileges. No file of lists is read yet, so that it never takes
/// long.
pub(crate) fn prepare(config: Config, launch: Launch) -> Result<Prepared, StartError> {
    let id = draw_id();
    let mut bound = bind(&config, PassedSockets::sort(launch.sockets, &config)?)?;
    let control_path = operator::control_path(&config, launch.runtime_folder.as_deref());
    let owner = owner(&config.process)?;
    let control = operator::bind_control(&config, control_path.as_deref(), owner);
    bound.set_control(
        control.map_err(StartError::Control)?,
        control_path.as_deref(),
    );
    bound.group = join(&config, id)?;
    let https = Https::open(&config.tls)?;
    let list_files = || {
        let lists = ListKey::ALL.map(|key| key.file(&config.access));
        let secrets = [
            &*config.admin.token,
            &*config.livesync.secret,
            &*config.tls.certificate,
            &*config.tls.key,
        ];
        lists.into_iter().chain(secrets)
    };
    let mut folders = Folders::of(list_files());
    bound.snapshot = snapshot::Place::open(&config.snapshot.path)?;
    if launch.sandbox {
        let mut allowed = Allowed::default();
        allowed.add(&config, &launch.files);
        // Its file is removed at the end.
        allowed.add_written(control_path.as_deref());
        sandbox::bound_capabilities();
        privileges::drop(&config.process)?;
        allowed.add(&config, &launch.files);
        let sandbox = Sandbox::new(allowed);
        sandbox.enter();
        bound.sandbox = Some(Arc::new(sandbox));
    } else {
        privileges::drop(&config.process)?;
    }
    folders.close_needless(list_files());
    Ok(Prepared {
        config,
        id,
        bound,
        https,
        folders,
    })
}

/// Reads the lists and the snapshot, and starts to serve.
pub(crate) fn start(prepared: Prepared) -> Result<Started, StartError> {
    let Prepared {
        config,
        id,
        mut bound,
        https,
        folders,
    } = prepared;
    let folders = Arc::new(folders);
    let https = https.map(|mut https| {
        https.set_folders(&folders);
        Arc::new(https)
    });
    let blocks = Blocks::read(bound.snapshot.as_ref())?;
    let lists = read_lists(&config, Arc::clone(&folders), &blocks)?;
    let core = lists.core();
    let (connections, secret) = connections(&config, core, &folders)?;
    let control = Arc::new(ControlSlot::default());
    if let Some(place) = &bound.snapshot {
        let age = snapshot::restore(place, core)?;
        if let Some(group) = &mut bound.group
            && age.is_some_and(|age| age < config.announce.interval)
        {
            group.knows_peers();
        }
        bound.trends = Arc::new(Mutex::new(snapshot::restore_trends(place)));
    }
    let listeners = bound.listeners.clone();
    let snapshots = Arc::clone(&bound.snapshots);
    let reloads = Arc::clone(&bound.reloads);
    let sandbox = bound.sandbox.clone();
    let mut threads = Threads::default();
    let memory = lists.memory();
    let cluster = (&connections, secret.as_ref());
    let served = threads
        .serve(
            &config,
            core,
            memory,
            cluster,
            (id, &control),
            (bound, https.as_ref()),
        )
        .and_then(|()| threads.watch_files(secret.as_ref(), https.as_ref()));
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
        reloads,
        sandbox,
        secret,
        https,
        blocks,
        control,
    })
}

/// Makes the tracker, without threads, of the lists as their files have them.
fn read_lists(
    config: &Config,
    folders: Arc<Folders>,
    blocks: &Blocks,
) -> Result<Arc<Lists>, StartError> {
    let token = operator::read_token(&config.admin.token, &folders)?;
    let read = lists::read(&config.access, &folders, Occasion::Start);
    let tracker = |mut lists: core::AccessLists| {
        lists.blocked = blocks.list();
        let rules = rules(config, lists, token);
        core::Tracker::new(rules, Instant::now(), &mut rand::rng())
    };
    Ok(Arc::new(Lists::start(read, folders, tracker)?))
}

/// Makes connection ids: those of the cluster, if it has a secret.
fn connections(
    config: &Config,
    core: &core::Tracker,
    folders: &Arc<Folders>,
) -> Result<(Arc<Connections>, Option<Arc<Secret>>), StartError> {
    let lifetime = config.udp.connection_id_lifetime;
    let connections = Connections::new(rand::random(), core.start(), lifetime);
    let path = &config.livesync.secret;
    if path.as_os_str().is_empty() {
        return Ok((Arc::new(connections), None));
    }
    let secret = Secret::open(path, folders, connections)?;
    Ok((Arc::clone(secret.connections()), Some(Arc::new(secret))))
}

/// Draws what this run calls itself. From the system's randomness and never from the clock:
/// trackers that start together must not take each other for themselves.
pub(crate) fn draw_id() -> TrackerId {
    let mut id = [0; TrackerId::LEN];
    rand::rng().fill_bytes(&mut id);
    TrackerId::new(id)
}

/// Opens all sockets but those of the cluster.
pub(crate) fn bind(config: &Config, passed: PassedSockets) -> Result<Bound, StartError> {
    let is_passed = passed.purposes();
    let (udp_config, mut http_config) = server_configs(config, is_passed);
    let sockets = sockets(&udp_config, &http_config, &passed).ok_or(StartError::NoListener)?;
    let connections = sockets.connections_per_thread()?;
    http_config.max_connections = http_config.max_connections.min(connections);
    let owner = owner(&config.process)?;
    for listen in &mut http_config.unix {
        listen.owner = owner;
    }
    let mut udp = match is_passed.udp {
        true => udp::Sockets::adopt(&udp_config, passed.udp)?,
        false => udp::Sockets::bind(&udp_config)?,
    };
    if let Some(xdp) = listening::xdp_config(config) {
        udp.open_xdp(&xdp)?;
    }
    let http = match is_passed.http {
        true => http::Listeners::adopt(&http_config, &passed.http, &passed.unix)?,
        false => http::Listeners::bind(&http_config)?,
    };
    let admin = match is_passed.admin {
        true => passed.admin,
        false => operator::bind_all(config),
    };
    let admin_addresses = admin.iter().map(TcpListener::local_addr);
    let admin_addresses: Vec<_> = admin_addresses.filter_map(Result::ok).collect();
    let passed_paths = passed.unix.iter().filter_map(|listener| {
        let address = listener.local_addr().ok()?;
        address.as_pathname().map(PathBuf::from)
    });
    let unix = match is_passed.http {
        true => passed_paths.collect(),
        false => http_config
            .unix
            .iter()
            .map(|listen| listen.path.clone())
            .collect(),
    };
    let listeners = [
        listeners("udp", udp.local_addrs(), &udp_config.listen, is_passed.udp),
        listeners(
            "http",
            http.local_addrs(),
            &http_config.listen,
            is_passed.http,
        ),
        unix_listeners(unix, &http_config.unix, is_passed.http),
        listeners("admin", &admin_addresses, &[], is_passed.admin),
    ];
    Ok(Bound {
        udp,
        http,
        admin,
        control: None,
        listeners: listeners.concat(),
        group: None,
        snapshot: None,
        snapshots: Arc::default(),
        reloads: Arc::new(ReloadStatus::new()),
        trends: Arc::default(),
        sandbox: None,
    })
}

impl Bound {
    /// Takes the control socket, if there is one, which is at a path.
    fn set_control(&mut self, control: Option<ControlSocket>, path: Option<&Path>) {
        let path = path.filter(|_| control.is_some());
        self.listeners.extend(path.map(|path| Listener {
            protocol: "control",
            address: ListenAddress::Unix(path.to_owned()),
            proxy_protocol: false,
            is_passed: false,
        }));
        self.control = control;
    }
}

/// Joins the cluster, if live sync is on.
pub(crate) fn join(config: &Config, id: TrackerId) -> Result<Option<livesync::Joined>, StartError> {
    Ok(livesync::Joined::join(config, id)?)
}

impl Threads {
    /// Starts them all; those that run already when one fails are still to be shut down.
    fn serve(
        &mut self,
        config: &Config,
        core: &Arc<core::Tracker>,
        memory: &Arc<Memory>,
        (connections, secret): (&Arc<Connections>, Option<&Arc<Secret>>),
        (id, control): (TrackerId, &Arc<ControlSlot>),
        (bound, https): (Bound, Option<&Arc<Https>>),
    ) -> io::Result<()> {
        let group = bound.group;
        let worker = || {
            let cluster = group.as_ref().map(|group| group.teller(core));
            core::Worker::new(Arc::clone(core), rand::random(), cluster)
        };
        let shown = Shown {
            id,
            udp_port: bound.udp.local_addrs().first().map(SocketAddr::port),
            cluster: group.as_ref().map(livesync::Joined::view),
            gauges: [
                gauges::of_tracker(core),
                gauges::of_reloads(&bound.reloads),
                snapshot::gauges(&bound.snapshots),
                https.map(gauges::of_certificates).into_iter().collect(),
            ]
            .concat(),
            control: Arc::clone(control),
            trends: Arc::clone(&bound.trends),
        };
        let mut listeners = admin::Listeners {
            tcp: bound.admin,
            ..admin::Listeners::default()
        };
        if let Some(ControlSocket { listener, file }) = bound.control {
            listeners.control.push(listener);
            self.control = Some(file);
        }
        self.udp = Some(bound.udp.serve(connections, &worker)?);
        let (plane, hand_over) = operator::start(config, worker(), shown, listeners)?;
        self.admin = Some(plane);
        let keys = secret.map(|secret| Arc::clone(secret.keys()));
        let browsers = browsers::Plan::of(config, keys.as_ref());
        let mut http = bound.http;
        if let Some(browsers) = &browsers {
            http.join_nodes(browsers.nodes());
        }
        let tls = https.map(|https| https.tls());
        let http = self.http.insert(http.serve(&hand_over, tls, worker)?);
        if let Some(browsers) = browsers {
            let worker = core::Worker::new(Arc::clone(core), rand::random(), None);
            self.browsers = Some(browsers.start(http.node_post(), worker)?);
        }
        self.livesync = group.map(|group| group.serve(core, keys, bound.sandbox));
        let trends = bound.trends;
        self.housekeeping = Some(Housekeeping::start(
            Arc::clone(core),
            Arc::clone(memory),
            Arc::clone(&trends),
        )?);
        if let Some(place) = bound.snapshot {
            let (core, interval) = (Arc::clone(core), config.snapshot.interval);
            let snapshots = Snapshots::start(place, core, trends, interval, bound.snapshots)?;
            self.snapshots = Some(snapshots);
        }
        Ok(())
    }

    /// Begins to watch the cluster's secret and the certificates, if there are any.
    fn watch_files(
        &mut self,
        secret: Option<&Arc<Secret>>,
        https: Option<&Arc<Https>>,
    ) -> io::Result<()> {
        self.secret = secret.map(secret::Watch::start).transpose()?;
        self.certificates = https.map(certificates::Watch::start).transpose()?;
        Ok(())
    }

    /// Returns the names of the threads that answer announces, each with what shows that it is not
    /// stuck.
    pub(crate) fn heartbeats(&self) -> Vec<(String, Heartbeat)> {
        let udp = self.udp.iter().flat_map(udp::Server::heartbeats);
        let http = self.http.iter().flat_map(http::Server::heartbeats);
        udp.chain(http).collect()
    }

    pub(crate) fn xdp(&self) -> Vec<udp::xdp::ServedInterface> {
        let udp = self.udp.iter();
        udp.flat_map(udp::Server::xdp).cloned().collect()
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
    pub(crate) fn set_cluster_networks(&self, config: &LiveSync) {
        if let Some(livesync) = &self.livesync {
            livesync.set_networks(config);
        }
    }

    /// Stops accepting, finishes what is under way, and ends all threads.
    pub(crate) fn shutdown(self) {
        drop(self.watch);
        drop(self.secret);
        drop(self.certificates);
        if let Some(udp) = self.udp {
            udp.shutdown();
        }
        if let Some(http) = self.http {
            http.shutdown(HTTP_GRACE);
        }
        if let Some(browsers) = self.browsers {
            browsers.shutdown();
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
