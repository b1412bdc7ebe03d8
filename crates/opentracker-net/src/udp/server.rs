use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::{LoggedAddress, Worker};
use opentracker_datagrams::{
    Batch, BindError, BindStep, MAX_BATCH, Transport, adopt_udp, bind_udp, set_receive_buffer,
    shut_down,
};
use opentracker_http::Forwarding;
use opentracker_udp::{Connections, Counter, Datagrams, Handler};

use super::proxied::Opener;
use super::xdp::{self, Opened, Served};
use crate::bind::{Listen, by_address, groups};
use crate::duration::REQUEST_DURATION;
use crate::heartbeat::Heartbeat;

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
    /// Another process has opened them, and keeps them when this one ends.
    are_passed: bool,
    xdp: Option<Opened>,
}

#[derive(Debug)]
struct Socket {
    bound: Arc<UdpSocket>,
    /// The name of its address in the metrics.
    listener: Arc<str>,
    /// Datagrams begin with the header of a proxy.
    proxy_protocol: bool,
}

/// How long a thread waits for datagrams before it looks after its timeouts.
pub(super) const RECEIVE_TIMEOUT: Duration = Duration::from_millis(250);

/// Octets of a socket's receive buffer, if the system grants them: some five thousand small
/// datagrams. A worker that has to wait 20 ms for its processor loses none at 100,000 a second, and
/// beside a flood that is faster than the worker nobody waits longer than that either.
const RECEIVE_BUFFER_OCTETS: usize = 2 << 20;

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
            are_passed: false,
            xdp: None,
        };
        let groups = groups(&config.listen, config.workers.max(1));
        for (group, listen) in groups.zip(&config.listen) {
            let sockets = bind_udp(group)?;
            let prepared = sockets.iter().try_for_each(prepare);
            let address = prepared.and_then(|()| sockets[0].local_addr());
            let address = address.map_err(|cause| fault(group.address, cause))?;
            bound.addresses.push(address);
            bound
                .sockets
                .extend(sockets.into_iter().map(|bound| Socket {
                    bound: Arc::new(bound),
                    listener: name(address),
                    proxy_protocol: listen.proxy_protocol,
                }));
        }
        Ok(bound)
    }

    /// Takes sockets that another process has bound, in place of the addresses of the
    /// configuration, and that it keeps when this one ends: what arrives meanwhile waits in them.
    /// Those that are for proxies are so by their address in the configuration.
    ///
    /// The threads of an address share its sockets, if there are fewer of them.
    ///
    /// # Errors
    ///
    /// The first that cannot be used.
    pub fn adopt(config: &Config, passed: Vec<UdpSocket>) -> Result<Self, BindError> {
        let unknown = |cause| fault(([0; 4], 0).into(), cause);
        let passed: Vec<_> = passed.into_iter().map(Arc::new).collect();
        let addresses = passed.iter().map(|socket| socket.local_addr());
        let addresses: Vec<_> = addresses.collect::<Result<_, _>>().map_err(unknown)?;
        for (socket, &address) in passed.iter().zip(&addresses) {
            adopt_udp(socket, address)?;
            prepare(socket).map_err(|cause| fault(address, cause))?;
        }
        let mut adopted = Self {
            addresses: Vec::new(),
            sockets: Vec::new(),
            max_payload: config.max_payload,
            are_passed: true,
            xdp: None,
        };
        for (address, places) in by_address(&addresses) {
            adopted.addresses.push(address);
            let threads = config.workers.max(places.len());
            let shares = places.iter().cycle().take(threads);
            let mut listens = config.listen.iter();
            let proxy_protocol =
                listens.any(|listen| listen.address == address && listen.proxy_protocol);
            adopted.sockets.extend(shares.map(|&place| Socket {
                bound: Arc::clone(&passed[place]),
                listener: name(address),
                proxy_protocol,
            }));
        }
        Ok(adopted)
    }

    /// Has the same addresses served below the network stack as well, where interfaces of the host are
    /// named for it. Sockets for proxies are not.
    ///
    /// # Errors
    ///
    /// The first interface that cannot be used, and why.
    pub fn open_xdp(&mut self, config: &xdp::Config) -> Result<(), xdp::OpenError> {
        let served = self.sockets.iter().filter_map(|socket| {
            let address = socket.bound.local_addr().ok()?;
            Some(Served::new(&socket.bound, address, socket.proxy_protocol))
        });
        self.xdp = Some(Opened::open(config, served.collect())?);
        Ok(())
    }

    /// Returns the addresses, in the order of the configuration, with the ports that the system
    /// chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Number of threads that will serve: so many [`Worker`]s are needed.
    pub fn threads(&self) -> usize {
        self.sockets.len() + self.xdp.as_ref().map_or(0, Opened::threads)
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
            are_passed: self.are_passed,
            xdp: None,
        };
        for (number, socket) in self.sockets.into_iter().enumerate() {
            let connections = Arc::clone(connections);
            let handler = Handler::new(worker(), connections, self.max_payload, &socket.listener);
            let batch = Exchange(Batch::new(MAX_BATCH, self.max_payload));
            let ours = Arc::clone(&socket.bound);
            let stop = Arc::clone(&server.stop);
            let heartbeat = Heartbeat::default();
            let beats = heartbeat.clone();
            let name = format!("udp-{number}");
            let thread = std::thread::Builder::new()
                .name(name.clone())
                .spawn(move || run(&socket, handler, batch, &stop, &beats))?;
            server.threads.push(Thread {
                name,
                socket: Some(ours),
                heartbeat,
                thread,
            });
        }
        if let Some(xdp) = self.xdp {
            let of_server = (&server.stop, &mut server.threads);
            server.xdp = Some(xdp.serve(connections, self.max_payload, worker, of_server)?);
        }
        Ok(server)
    }
}

/// The name of a listener in the metrics.
fn name(address: SocketAddr) -> Arc<str> {
    format!("udp://{address}").into()
}

fn fault(address: SocketAddr, cause: io::Error) -> BindError {
    BindError {
        transport: Transport::Udp,
        address,
        step: BindStep::Bind,
        cause,
    }
}

/// Threads that serve.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<Thread>,
    are_passed: bool,
    xdp: Option<xdp::Server>,
}

#[derive(Debug)]
pub(super) struct Thread {
    pub(super) name: String,
    /// `None` if it serves none.
    pub(super) socket: Option<Arc<UdpSocket>>,
    pub(super) heartbeat: Heartbeat,
    pub(super) thread: JoinHandle<()>,
}

impl Server {
    /// Returns the names of the threads, `udp-0` or `xdp-eth0-0` and so on, and what shows that they
    /// are not stuck.
    pub fn heartbeats(&self) -> impl Iterator<Item = (String, Heartbeat)> {
        let threads = self.threads.iter();
        threads.map(|thread| (thread.name.clone(), thread.heartbeat.clone()))
    }

    /// Returns the interfaces that are served below the network stack.
    pub fn xdp(&self) -> &[xdp::ServedInterface] {
        self.xdp.as_ref().map_or(&[], xdp::Server::interfaces)
    }

    /// Stops the threads after the batch that each is at, and waits for them.
    pub fn shutdown(self) {
        self.stop.store(true, Ordering::Relaxed);
        // A socket that outlives the process must not be shut down: its threads see by themselves
        // that they are to stop, a little later.
        let sockets = self
            .threads
            .iter()
            .filter_map(|thread| thread.socket.as_ref());
        for socket in sockets.filter(|_| !self.are_passed) {
            shut_down(socket);
        }
        if let Some(xdp) = self.xdp {
            xdp.shutdown();
        }
        for Thread { thread, .. } in self.threads {
            if thread.join().is_err() {
                tracing::error!("a udp thread has panicked");
            }
        }
    }
}

fn run(
    socket: &Socket,
    mut handler: Handler,
    mut batch: Exchange,
    stop: &AtomicBool,
    heartbeat: &Heartbeat,
) {
    let registry = handler.worker().tracker().counters();
    let counters = registry.register_for(&socket.listener);
    let durations = registry.register_histogram(&REQUEST_DURATION, "udp");
    let mut opener = Opener::new();
    while !stop.load(Ordering::Relaxed) {
        heartbeat.beat();
        if let Err(error) = batch.0.receive(&socket.bound) {
            // An ICMP error of an earlier reply: it passes.
            tracing::trace!(%error, "nothing received");
        }
        let now = Instant::now();
        if !batch.is_empty() {
            if tracing::enabled!(tracing::Level::TRACE) {
                trace(&mut batch, handler.worker().rules().settings.full_addresses);
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
            // Replies leave together, so each of the batch has waited for all of it.
            durations.observe(now.elapsed(), batch.len() as u64);
        }
        handler.worker().handle_timeout(now);
    }
    handler.worker().flush(Instant::now());
}

/// A batch of a socket as the handler takes it.
#[derive(Debug)]
struct Exchange(Batch);

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

/// Logs a line for each datagram that came in.
pub(super) fn trace(datagrams: &mut impl Datagrams, full_addresses: bool) {
    for index in 0..datagrams.len() {
        if let Some((request, source, _)) = datagrams.exchange(index) {
            let source = LoggedAddress::new(source.ip(), full_addresses);
            tracing::trace!(%source, octets = request.len(), "datagram");
        }
    }
}

fn prepare(socket: &UdpSocket) -> io::Result<()> {
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
    set_receive_buffer(socket, RECEIVE_BUFFER_OCTETS)?;
    Ok(())
}
