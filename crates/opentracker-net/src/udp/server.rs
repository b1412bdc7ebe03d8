use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::Worker;
use opentracker_datagrams::{
    Batch, BindError, BindStep, MAX_BATCH, Transport, bind_udp, set_receive_buffer, shut_down,
};
use opentracker_http::Forwarding;
use opentracker_udp::{Connections, Counter, Datagrams, Handler};

use super::proxied::Opener;
use crate::bind::{Listen, groups};

/// The configuration of the UDP servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Addresses to serve.
    pub listen: Vec<Listen>,
    /// Threads for each address, at least one.
    pub workers: usize,
    /// The most octets of a reply.
    pub max_payload: usize,
}

/// Bound sockets, one for each thread to come.
#[derive(Debug)]
pub struct Sockets {
    addresses: Vec<SocketAddr>,
    sockets: Vec<Socket>,
    max_payload: usize,
}

#[derive(Debug)]
struct Socket {
    bound: UdpSocket,
    /// Datagrams begin with the header of a proxy.
    proxy_protocol: bool,
}

/// How long a thread waits for datagrams before it looks after its timeouts.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(250);

/// Octets of a socket's receive buffer, if the system grants them: a burst of some ten thousand
/// announces waits instead of getting lost.
const RECEIVE_BUFFER_OCTETS: usize = 8 << 20;

impl Sockets {
    /// Binds all addresses.
    ///
    /// # Errors
    ///
    /// The first address that cannot be bound; one that another process serves is not shared
    /// with it.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let mut bound = Self {
            addresses: Vec::new(),
            sockets: Vec::new(),
            max_payload: config.max_payload,
        };
        let groups = groups(&config.listen, config.workers.max(1));
        for (group, listen) in groups.zip(&config.listen) {
            let sockets = bind_udp(group)?;
            let prepared = sockets.iter().try_for_each(prepare);
            let address = prepared.and_then(|()| sockets[0].local_addr());
            let address = address.map_err(|cause| BindError {
                transport: Transport::Udp,
                address: group.address,
                step: BindStep::Bind,
                cause,
            })?;
            bound.addresses.push(address);
            bound
                .sockets
                .extend(sockets.into_iter().map(|bound| Socket {
                    bound,
                    proxy_protocol: listen.proxy_protocol,
                }));
        }
        Ok(bound)
    }

    /// Returns the addresses, in the order of the configuration, with the ports that the system
    /// chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Number of threads that will serve: so many [`Worker`]s are needed.
    pub fn threads(&self) -> usize {
        self.sockets.len()
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// Fails if the system does not give a thread.
    pub fn serve(
        self,
        connections: &Arc<Connections>,
        mut worker: impl FnMut() -> Worker,
    ) -> io::Result<Server> {
        let mut server = Server {
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for (number, socket) in self.sockets.into_iter().enumerate() {
            let handler = Handler::new(worker(), Arc::clone(connections), self.max_payload);
            let batch = Exchange(Batch::new(MAX_BATCH, self.max_payload));
            let ours = socket.bound.try_clone()?;
            let stop = Arc::clone(&server.stop);
            let thread = std::thread::Builder::new()
                .name(format!("udp-{number}"))
                .spawn(move || run(&socket, handler, batch, &stop))?;
            server.threads.push((ours, thread));
        }
        Ok(server)
    }
}

/// Threads that serve.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<(UdpSocket, JoinHandle<()>)>,
}

impl Server {
    /// Stops the threads after the batch that each is at, and waits for them.
    pub fn shutdown(self) {
        self.stop.store(true, Ordering::Relaxed);
        for (socket, _) in &self.threads {
            shut_down(socket);
        }
        for (_, thread) in self.threads {
            if thread.join().is_err() {
                tracing::error!("a udp thread has panicked");
            }
        }
    }
}

fn run(socket: &Socket, mut handler: Handler, mut batch: Exchange, stop: &AtomicBool) {
    let counters = handler.worker().tracker().counters().register();
    let mut opener = Opener::new();
    while !stop.load(Ordering::Relaxed) {
        if let Err(error) = batch.0.receive(&socket.bound) {
            // An ICMP error of an earlier reply: it passes.
            tracing::trace!(%error, "nothing received");
        }
        let now = Instant::now();
        if !batch.is_empty() {
            if tracing::enabled!(tracing::Level::TRACE) {
                batch.trace();
            }
            if socket.proxy_protocol {
                let rules = handler.worker().rules();
                let nobody = Forwarding::default();
                let forwarding = rules.extension().unwrap_or(&nobody);
                opener.open(&batch.0, forwarding, &counters);
                handler.handle_batch(&mut opener.proxied(&mut batch.0), now);
            } else {
                handler.handle_batch(&mut batch, now);
            }
            let sent = batch.0.send(&socket.bound);
            counters.add(Counter::Sent, sent.sent as u64);
            counters.add(Counter::SendFailed, sent.failed as u64);
        }
        handler.worker().handle_timeout(now);
    }
    handler.worker().flush(Instant::now());
}

/// A batch of a socket as the handler takes it.
#[derive(Debug)]
struct Exchange(Batch);

impl Exchange {
    /// Logs a line for each datagram that came in.
    fn trace(&mut self) {
        for index in 0..self.0.len() {
            if let Some((request, source, _)) = self.0.exchange(index) {
                tracing::trace!(%source, octets = request.len(), "datagram");
            }
        }
    }
}

impl Datagrams for Exchange {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        self.0.exchange(index)
    }

    fn reply(&mut self, index: usize, octets: usize) {
        self.0.queue(index, octets);
    }
}

fn prepare(socket: &UdpSocket) -> io::Result<()> {
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
    set_receive_buffer(socket, RECEIVE_BUFFER_OCTETS)?;
    Ok(())
}
