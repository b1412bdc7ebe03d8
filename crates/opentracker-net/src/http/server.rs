use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::Worker;
use opentracker_datagrams::{
    BindError, BindStep, TcpOptions, Transport, adopt_tcp, bind_tcp, defer_accept,
};
use opentracker_http::{Context, Handler, Limits};
use opentracker_webtorrent::Nodes;
use tokio::sync::watch;

use super::accept::{Bound, Listener};
use super::prefixes::Prefixes;
use super::shared::HandOver;
use super::thread;
use super::unix::{self, SocketFile, UnixError, UnixListen};
use super::websocket::{NodePost, Post};
use crate::bind::{Listen, by_address, groups};
use crate::heartbeat::Heartbeat;
use crate::tls::{Handshakers, Tls};

/// Connections that may wait to be accepted, if the system grants so many.
const BACKLOG: i32 = 4096;

/// How long the system waits for the first octets of a connection before it hands it over anyway.
const PATIENCE: Duration = Duration::from_secs(5);

/// Octets that the system keeps of replies that a client does not take; it may count double. Left
/// to itself it would keep megabytes for each connection.
const SEND_BUFFER_OCTETS: usize = 64 * 1024;

const OPTIONS: TcpOptions = TcpOptions {
    backlog: BACKLOG,
    send_buffer: Some(SEND_BUFFER_OCTETS),
};

/// The configuration of the HTTP servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Addresses to serve.
    pub listen: Vec<Listen>,
    /// Paths to serve for programs of this host.
    pub unix: Vec<UnixListen>,
    /// Threads, each of which serves all addresses; at least one.
    pub threads: usize,
    /// How long a connection may take.
    pub limits: Limits,
    /// Connections that one thread holds. For one that comes on top the one gives way that has
    /// been idle for the longest; if none is idle, the new one is closed at once.
    pub max_connections: usize,
}

impl Default for Config {
    /// One thread without an address, with the default limits and 65,536 connections.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            unix: Vec::new(),
            threads: 1,
            limits: Limits::default(),
            max_connections: 65_536,
        }
    }
}

/// Why something cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// An address.
    #[error(transparent)]
    Address(#[from] BindError),
    /// A path.
    #[error(transparent)]
    Unix(#[from] UnixError),
}

impl ListenError {
    /// Tells whether it is only that somebody serves it.
    pub fn is_in_use(&self) -> bool {
        match self {
            Self::Address(error) => error.cause.kind() == io::ErrorKind::AddrInUse,
            Self::Unix(error) => matches!(error, UnixError::InUse { .. }),
        }
    }
}

/// Bound listeners, for each thread to come one of each address.
#[derive(Debug)]
pub struct Listeners {
    threads: Vec<Vec<Listener>>,
    /// The names of addresses and paths in the metrics.
    names: Vec<Arc<str>>,
    addresses: Vec<SocketAddr>,
    files: Vec<SocketFile>,
    limits: Limits,
    max_connections: usize,
    /// Another process has opened them, and keeps them when this one ends.
    are_passed: bool,
    nodes: Option<Arc<Nodes>>,
}

impl Listeners {
    /// Binds all addresses and paths. Clients can connect from then on; they are served later.
    ///
    /// # Errors
    ///
    /// The first address or path that cannot be bound; one that another process serves is not shared
    /// with it.
    pub fn bind(config: &Config) -> Result<Self, ListenError> {
        let threads = match (config.listen.as_slice(), config.unix.as_slice()) {
            ([], []) => 0,
            _ => config.threads.max(1),
        };
        let mut listeners = Self::without_any(config, threads);
        for (group, listen) in groups(&config.listen, threads).zip(&config.listen) {
            let sockets = bind_tcp(group, &OPTIONS)?;
            let address = sockets[0].local_addr();
            let address = address.map_err(|cause| fault(group.address, cause))?;
            listeners.addresses.push(address);
            let number = listeners.name_of(address, listen.tls);
            for (thread, socket) in listeners.threads.iter_mut().zip(sockets) {
                hold_back(&socket);
                thread.push(Listener {
                    bound: Bound::Tcp(socket),
                    number,
                    proxy_protocol: listen.proxy_protocol,
                    tls: listen.tls,
                });
            }
        }
        for listen in &config.unix {
            listeners.bind_unix(listen)?;
        }
        Ok(listeners)
    }

    /// Binds a path, whose one socket all threads accept from: the kernel does not spread connections
    /// over sockets of one path.
    fn bind_unix(&mut self, listen: &UnixListen) -> Result<(), UnixError> {
        let (socket, file) = unix::bind(listen, BACKLOG)?;
        let number = self.name(&format!("unix:{}", listen.path.display()));
        for thread in &mut self.threads {
            let shared = socket.try_clone();
            thread.push(Listener {
                bound: Bound::Unix(shared.map_err(listen.refused("share it"))?),
                number,
                proxy_protocol: listen.proxy_protocol,
                tls: false,
            });
        }
        self.files.push(file);
        Ok(())
    }

    /// Takes listeners that another process has bound, in place of the addresses and paths of the
    /// configuration, and that it keeps when this one ends: connections that come meanwhile wait in
    /// them. Those that are for proxies are so by their address or path in the configuration.
    ///
    /// The threads share the listeners of an address, if there are fewer of them.
    ///
    /// # Errors
    ///
    /// The first that cannot be used.
    pub fn adopt(
        config: &Config,
        passed: &[TcpListener],
        unix: &[UnixListener],
    ) -> Result<Self, BindError> {
        let unknown = |cause| fault(([0; 4], 0).into(), cause);
        let addresses = passed.iter().map(TcpListener::local_addr);
        let addresses: Vec<_> = addresses.collect::<Result<_, _>>().map_err(unknown)?;
        for (listener, &address) in passed.iter().zip(&addresses) {
            adopt_tcp(listener, address, &OPTIONS)?;
            hold_back(listener);
        }
        let threads = config.threads.max(1);
        let mut listeners = Self::without_any(config, threads);
        listeners.are_passed = true;
        for (address, places) in by_address(&addresses) {
            listeners.addresses.push(address);
            let mut listens = config.listen.iter();
            let listen = listens.find(|listen| listen.address == address);
            let proxy_protocol = listen.is_some_and(|listen| listen.proxy_protocol);
            let tls = listen.is_some_and(|listen| listen.tls);
            let number = listeners.name_of(address, tls);
            let shares = threads.max(places.len());
            for (share, &place) in places.iter().cycle().take(shares).enumerate() {
                let listener = passed[place].try_clone();
                let bound = Bound::Tcp(listener.map_err(|cause| fault(address, cause))?);
                listeners.threads[share % threads].push(Listener {
                    bound,
                    number,
                    proxy_protocol,
                    tls,
                });
            }
        }
        for listener in unix {
            listener.set_nonblocking(true).map_err(unknown)?;
            let address = listener.local_addr().map_err(unknown)?;
            let path = address.as_pathname();
            let shown = path.map(|path| path.display().to_string());
            let number = listeners.name(&format!("unix:{}", shown.unwrap_or_default()));
            let is_it = |listen: &&UnixListen| path == Some(&listen.path);
            let configured = config.unix.iter().find(is_it);
            let proxy_protocol = configured.is_some_and(|listen| listen.proxy_protocol);
            for thread in &mut listeners.threads {
                let bound = Bound::Unix(listener.try_clone().map_err(unknown)?);
                thread.push(Listener {
                    bound,
                    number,
                    proxy_protocol,
                    tls: false,
                });
            }
        }
        Ok(listeners)
    }

    fn without_any(config: &Config, threads: usize) -> Self {
        Self {
            threads: (0..threads).map(|_| Vec::new()).collect(),
            names: Vec::new(),
            addresses: Vec::new(),
            files: Vec::new(),
            limits: config.limits.clone(),
            max_connections: config.max_connections,
            are_passed: false,
            nodes: None,
        }
    }

    /// Lets browsers meet those of other nodes as well: what [`Server::node_post`] has for them is sent,
    /// and what comes delivered.
    pub fn join_nodes(&mut self, nodes: Arc<Nodes>) {
        self.nodes = Some(nodes);
    }

    /// Takes the name of one more address or path, and returns its place.
    fn name(&mut self, name: &str) -> usize {
        self.names.push(name.into());
        self.names.len() - 1
    }

    fn name_of(&mut self, address: SocketAddr, tls: bool) -> usize {
        let scheme = if tls { "https" } else { "http" };
        self.name(&format!("{scheme}://{address}"))
    }

    /// Returns the addresses, in the order of the configuration, with the ports that the system
    /// chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts the threads, `http-0` and so on, each with a worker of its own. All of them serve
    /// when this returns. Without an address to serve there are no threads. With an address for TLS there
    /// are as many more, `tls-0` and so on, for handshakes.
    ///
    /// # Errors
    ///
    /// Fails if the system does not give a thread or what its event loop needs, or if there is an
    /// address for TLS and nothing to serve it with.
    pub fn serve(
        self,
        hand_over: &HandOver,
        tls: Option<&Tls>,
        mut worker: impl FnMut() -> Worker,
    ) -> io::Result<Server> {
        let (stop, stopped) = watch::channel(None);
        let (started, starts) = mpsc::channel();
        let mut threads = Vec::new();
        let prefixes = Prefixes::new();
        let mut listeners = self.threads.iter().flatten();
        let tls = match (listeners.any(|listener| listener.tls), tls) {
            (false, _) => None,
            (true, Some(tls)) => {
                let handshakers = Handshakers::start(self.threads.len())?;
                Some((tls.clone(), Arc::new(handshakers)))
            }
            (true, None) => return Err(io::Error::other("there is no certificate")),
        };
        let post = Post::new(self.threads.len(), self.nodes);
        for (number, listeners) in self.threads.into_iter().enumerate() {
            let context = Context::new(Handler::new(worker(), &self.names), self.limits.clone());
            let heartbeat = Heartbeat::default();
            let start = thread::Start {
                listeners,
                names: self.names.clone(),
                are_passed: self.are_passed,
                context,
                hand_over: hand_over.clone(),
                tls: tls.clone(),
                prefixes: Arc::clone(&prefixes),
                number,
                post: Arc::clone(&post),
                max_connections: self.max_connections,
                heartbeat: heartbeat.clone(),
                stop: stopped.clone(),
            };
            let started = started.clone();
            let started = move |result| {
                // Nobody listens any more if another thread could not start.
                let _ = started.send(result);
            };
            let thread = std::thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(move || thread::run(start, started))?;
            threads.push((heartbeat, thread));
        }
        drop(started);
        starts.iter().collect::<io::Result<()>>()?;
        Ok(Server {
            stop,
            threads,
            post,
            _files: self.files,
        })
    }
}

/// Lets the system wait for the first octets of each connection, where it can.
fn hold_back(listener: &TcpListener) {
    if let Err(error) = defer_accept(listener, PATIENCE) {
        tracing::debug!(%error, "connections are accepted before their first octets are there");
    }
}

fn fault(address: SocketAddr, cause: io::Error) -> BindError {
    BindError {
        transport: Transport::Tcp,
        address,
        step: BindStep::Bind,
        cause,
    }
}

/// Threads that serve. Dropped, it stops them without waiting for them.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<Option<Instant>>,
    threads: Vec<(Heartbeat, JoinHandle<()>)>,
    post: Arc<Post>,
    /// Of Unix sockets; removed with it.
    _files: Vec<SocketFile>,
}

impl Server {
    /// Returns the names of the threads, `http-0` and so on, and what shows that they are not
    /// stuck.
    pub fn heartbeats(&self) -> impl Iterator<Item = (String, Heartbeat)> {
        let threads = self.threads.iter().enumerate();
        threads.map(|(number, (heartbeat, _))| (format!("http-{number}"), heartbeat.clone()))
    }

    /// Returns the way between its browsers and those of other nodes.
    pub fn node_post(&self) -> NodePost {
        NodePost::new(Arc::clone(&self.post))
    }

    /// Stops the threads and waits for them.
    ///
    /// Nothing is accepted any more, connections that wait for another request are closed, and
    /// others after the response to the request at hand, or to the first that comes. What is left
    /// after `grace` is cut off. At last the cluster hears of every announce that it has not heard
    /// of.
    pub fn shutdown(self, grace: Duration) {
        // It fails only if all threads have ended already.
        let _ = self.stop.send(Some(Instant::now() + grace));
        for (_, thread) in self.threads {
            if thread.join().is_err() {
                tracing::error!("an http thread has panicked");
            }
        }
    }
}
