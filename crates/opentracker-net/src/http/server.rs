use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::Worker;
use opentracker_datagrams::{BindError, BindStep, TcpOptions, Transport, bind_tcp};
use opentracker_http::{Context, Handler, Limits};
use tokio::sync::watch;

use super::accept::{Bound, Listener};
use super::prefixes::Prefixes;
use super::shared::HandOver;
use super::thread;
use super::unix::{self, SocketFile, UnixError, UnixListen};
use crate::bind::{Listen, groups};

/// Connections that may wait to be accepted, if the system grants so many.
const BACKLOG: i32 = 4096;

/// How long the system waits for the first octets of a connection before it hands it over anyway.
const PATIENCE: Duration = Duration::from_secs(5);

/// Octets that the system keeps of replies that a client does not take; it may count double. Left
/// to itself it would keep megabytes for each connection.
const SEND_BUFFER_OCTETS: usize = 64 * 1024;

const OPTIONS: TcpOptions = TcpOptions {
    backlog: BACKLOG,
    defer_accept: Some(PATIENCE),
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
    /// One thread without an address, with the default limits and 16,384 connections.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            unix: Vec::new(),
            threads: 1,
            limits: Limits::default(),
            max_connections: 16_384,
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
    addresses: Vec<SocketAddr>,
    files: Vec<SocketFile>,
    limits: Limits,
    max_connections: usize,
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
        let mut listeners = Self {
            threads: (0..threads).map(|_| Vec::new()).collect(),
            addresses: Vec::new(),
            files: Vec::new(),
            limits: config.limits.clone(),
            max_connections: config.max_connections,
        };
        for (group, listen) in groups(&config.listen, threads).zip(&config.listen) {
            let sockets = bind_tcp(group, &OPTIONS)?;
            let address = sockets[0].local_addr().map_err(|cause| BindError {
                transport: Transport::Tcp,
                address: group.address,
                step: BindStep::Bind,
                cause,
            })?;
            listeners.addresses.push(address);
            for (thread, socket) in listeners.threads.iter_mut().zip(sockets) {
                thread.push(Listener {
                    bound: Bound::Tcp(socket),
                    proxy_protocol: listen.proxy_protocol,
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
        for thread in &mut self.threads {
            let shared = socket.try_clone();
            thread.push(Listener {
                bound: Bound::Unix(shared.map_err(listen.refused("share it"))?),
                proxy_protocol: listen.proxy_protocol,
            });
        }
        self.files.push(file);
        Ok(())
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
        hand_over: &HandOver,
        mut worker: impl FnMut() -> Worker,
    ) -> io::Result<Server> {
        let (stop, stopped) = watch::channel(None);
        let (started, starts) = mpsc::channel();
        let mut threads = Vec::new();
        let prefixes = Prefixes::new();
        for (number, listeners) in self.threads.into_iter().enumerate() {
            let context = Context::new(Handler::new(worker()), self.limits.clone());
            let (hand_over, stopped, started) =
                (hand_over.clone(), stopped.clone(), started.clone());
            let (max_connections, prefixes) = (self.max_connections, Arc::clone(&prefixes));
            let started = move |result| {
                // Nobody listens any more if another thread could not start.
                let _ = started.send(result);
            };
            let run = move || {
                thread::run(
                    listeners,
                    context,
                    hand_over,
                    prefixes,
                    max_connections,
                    stopped,
                    started,
                );
            };
            let thread = std::thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(run)?;
            threads.push(thread);
        }
        drop(started);
        starts.iter().collect::<io::Result<()>>()?;
        Ok(Server {
            stop,
            threads,
            _files: self.files,
        })
    }
}

/// Threads that serve. Dropped, it stops them without waiting for them.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<Option<Instant>>,
    threads: Vec<JoinHandle<()>>,
    /// Of Unix sockets; removed with it.
    _files: Vec<SocketFile>,
}

impl Server {
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
