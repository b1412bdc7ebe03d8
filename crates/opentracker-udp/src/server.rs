use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::{Counter, Worker};
use socket2::{Domain, Protocol, Socket, Type};

use crate::handler::{Action, Handler};
use crate::sys::{self, Batch};

/// What the sockets are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Addresses to serve; port 0 lets the system choose one.
    pub listen: Vec<SocketAddr>,
    /// Threads for each address, at least one.
    pub workers: usize,
    /// The most octets of a reply.
    pub max_payload: usize,
}

/// Why an address cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on udp {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// Bound sockets, one for each thread to come.
#[derive(Debug)]
pub struct Sockets {
    sockets: Vec<Vec<UdpSocket>>,
    max_payload: usize,
}

/// How long a thread waits for datagrams before it looks after its timeouts.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(250);

/// Octets of a socket's receive buffer, if the system grants them: a burst of some ten thousand
/// announces waits instead of getting lost.
const RECEIVE_BUFFER_OCTETS: i32 = 8 << 20;

impl Sockets {
    /// Binds all addresses.
    ///
    /// An IPv6 wildcard address serves IPv4 too, unless an IPv4 address with the same port is
    /// served on its own.
    ///
    /// # Errors
    ///
    /// The first address that cannot be bound; one that another process serves is not shared
    /// with it.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let sockets = config
            .listen
            .iter()
            .map(|&address| {
                let v6_only = config
                    .listen
                    .iter()
                    .any(|other| other.is_ipv4() && other.port() == address.port());
                bind_group(address, v6_only, config.workers.max(1))
                    .map_err(|cause| BindError { address, cause })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            sockets,
            max_payload: config.max_payload,
        })
    }

    /// Returns the addresses, in the order of the configuration, with the ports that the system
    /// chose.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let first = |group: &Vec<UdpSocket>| group.first()?.local_addr().ok();
        self.sockets.iter().filter_map(first).collect()
    }

    /// Number of threads that will serve: so many [`Worker`]s are needed.
    pub fn threads(&self) -> usize {
        self.sockets.iter().map(Vec::len).sum()
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// Fails if the system does not give a thread.
    pub fn serve(self, mut worker: impl FnMut() -> Worker) -> io::Result<Server> {
        let mut server = Server {
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for (number, socket) in self.sockets.into_iter().flatten().enumerate() {
            let handler = Handler::new(worker(), self.max_payload);
            let batch = Batch::new(self.max_payload);
            let ours = socket.try_clone()?;
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
            sys::shut_down(socket);
        }
        for (_, thread) in self.threads {
            if thread.join().is_err() {
                tracing::error!("a udp thread has panicked");
            }
        }
    }
}

fn run(socket: &UdpSocket, mut handler: Handler, mut batch: Batch, stop: &AtomicBool) {
    let counters = Arc::clone(handler.worker().counters());
    while !stop.load(Ordering::Relaxed) {
        let received = match batch.receive(socket) {
            Ok(received) => received,
            Err(error) => {
                // An ICMP error of an earlier reply, a timeout or a signal: all pass.
                tracing::trace!(%error, "nothing received");
                0
            }
        };
        let now = Instant::now();
        handler.prepare(batch.requests());
        for index in 0..received {
            let Some((request, source, reply)) = batch.exchange(index) else {
                continue;
            };
            tracing::trace!(%source, octets = request.len(), "datagram");
            match handler.handle(request, source, now, reply) {
                Action::Reply(octets) => batch.queue(index, octets),
                Action::Drop => {}
            }
        }
        let (sent, failed) = batch.send(socket);
        counters.add(Counter::UdpSent, sent as u64);
        counters.add(Counter::UdpDroppedSend, failed as u64);
        handler.worker().handle_timeout(now);
    }
    handler.worker().flush(Instant::now());
}

/// Binds as many sockets to one address as there are threads; the kernel spreads clients over
/// them.
fn bind_group(address: SocketAddr, v6_only: bool, count: usize) -> io::Result<Vec<UdpSocket>> {
    if address.port() != 0 {
        // Sockets that share a port also share it with another process of the same user. One that
        // does not share finds out whether the address is free.
        bind(address, v6_only, false)?;
    }
    let first = bind(address, v6_only, true)?;
    let bound = first.local_addr()?;
    let rest = (1..count).map(|_| bind(bound, v6_only, true));
    std::iter::once(Ok(first)).chain(rest).collect()
}

fn bind(address: SocketAddr, v6_only: bool, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    sys::set_receive_buffer(&socket, RECEIVE_BUFFER_OCTETS)?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => sys::enable_packet_info(&socket, false)?,
        IpAddr::V6(ip) if ip.is_unspecified() => sys::enable_packet_info(&socket, true)?,
        // Bound to one address, replies leave from it anyway.
        _ => {}
    }
    Ok(socket)
}
