use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use opentracker_core::Worker;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use crate::config::{Config, Identity, Limits, Settings};
use crate::full_scrape::Places;
use crate::handler::Handler;
use crate::sys;
use crate::thread;
use crate::top::TopCache;

/// Connections that may wait to be accepted, if the system grants so many.
const BACKLOG: i32 = 4096;

/// How long the system waits for the first octets of a connection before it hands it over anyway.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why an address cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on tcp {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// Bound listeners, for each thread to come one of each address.
#[derive(Debug)]
pub struct Listeners {
    threads: Vec<Vec<TcpListener>>,
    addresses: Vec<SocketAddr>,
    limits: Limits,
    identity: Identity,
}

impl Listeners {
    /// Binds all addresses. Clients can connect from then on; they are served later.
    ///
    /// An IPv6 wildcard address serves IPv4 too, unless an IPv4 address with the same port is
    /// served on its own.
    ///
    /// # Errors
    ///
    /// The first address that cannot be bound; one that another process serves is not shared
    /// with it.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let threads = match config.listen.as_slice() {
            [] => 0,
            [..] => config.threads.max(1),
        };
        let mut listeners = Self {
            threads: (0..threads).map(|_| Vec::new()).collect(),
            addresses: Vec::new(),
            limits: config.limits.clone(),
            identity: config.identity.clone(),
        };
        for &address in &config.listen {
            let is_v4_twin = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
            let v6_only = config.listen.iter().any(is_v4_twin);
            let (bound, group) = bind_group(address, v6_only, threads)
                .map_err(|cause| BindError { address, cause })?;
            listeners.addresses.push(bound);
            for (thread, listener) in listeners.threads.iter_mut().zip(group) {
                thread.push(listener);
            }
        }
        Ok(listeners)
    }

    /// Returns the addresses, in the order of the configuration, with the ports that the system
    /// chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts the threads, `http-0` and so on, each with a worker of its own. All of them serve
    /// when this returns. Without an address to serve there are no threads.
    ///
    /// # Errors
    ///
    /// Fails if the system does not give a thread or what its event loop needs.
    pub fn serve(
        self,
        settings: Settings,
        mut worker: impl FnMut() -> Worker,
    ) -> io::Result<Server> {
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let identity = Arc::new(self.identity);
        let top = Arc::new(TopCache::default());
        let full_scrapes = Places::default();
        let (stop, stopped) = watch::channel(None);
        let (started, starts) = mpsc::channel();
        let mut threads = Vec::new();
        for (number, listeners) in self.threads.into_iter().enumerate() {
            let handler = Handler::new(
                worker(),
                Arc::clone(&settings),
                Arc::clone(&identity),
                full_scrapes.clone(),
            );
            let (limits, top, stopped) = (self.limits.clone(), Arc::clone(&top), stopped.clone());
            let started = started.clone();
            let started = move |result| {
                // Nobody listens any more if another thread could not start.
                let _ = started.send(result);
            };
            let thread = std::thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(move || thread::run(listeners, handler, limits, top, stopped, started))?;
            threads.push(thread);
        }
        drop(started);
        starts.iter().collect::<io::Result<()>>()?;
        Ok(Server {
            settings,
            stop,
            threads,
        })
    }
}

/// Threads that serve. Dropped, it stops them without waiting for them.
#[derive(Debug)]
pub struct Server {
    settings: Arc<ArcSwap<Settings>>,
    stop: watch::Sender<Option<Instant>>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Replaces the settings; every thread sees them with its next request.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// Stops the threads and waits for them.
    ///
    /// Nothing is accepted any more, connections that wait for a request are closed, and others
    /// after the response to the request at hand. What is left after `grace` is cut off. At last
    /// the cluster hears of every announce that it has not heard of.
    pub fn shutdown(self, grace: Duration) {
        // It fails only if all threads have ended already.
        let _ = self.stop.send(Some(Instant::now() + grace));
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an http thread has panicked");
            }
        }
    }
}

/// Binds as many listeners to one address as there are threads; the kernel spreads clients over
/// them.
fn bind_group(
    address: SocketAddr,
    v6_only: bool,
    count: usize,
) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    if address.port() != 0 {
        // Listeners that share a port also share it with another process of the same user. One
        // that does not share finds out whether the address is free.
        bind(address, v6_only, false)?;
    }
    let first = bind(address, v6_only, true)?;
    let bound = first
        .local_addr()?
        .as_socket()
        .expect("an internet socket has an internet address");
    let rest = (1..count).map(|_| bind(bound, v6_only, true));
    let sockets = std::iter::once(Ok(first)).chain(rest);
    let listen = |socket: io::Result<Socket>| {
        let socket = socket?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    Ok((bound, sockets.map(listen).collect::<io::Result<_>>()?))
}

fn bind(address: SocketAddr, v6_only: bool, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    // A restart need not wait for the connections of the last run.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // Accepted connections inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    sys::defer_accept(&socket, PATIENCE)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
