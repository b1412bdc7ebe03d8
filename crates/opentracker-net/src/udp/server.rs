use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::Worker;
use opentracker_udp::{Connections, Counter, Handler};
use socket2::Type;

use super::batch::{self, Batch};
use crate::bind::{BindError, Group, Kind, Listen, bind_all};

/// What the sockets are made from.
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
    sockets: Vec<UdpSocket>,
    max_payload: usize,
}

/// How long a thread waits for datagrams before it looks after its timeouts.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(250);

/// Octets of a socket's receive buffer, if the system grants them: a burst of some ten thousand
/// announces waits instead of getting lost.
const RECEIVE_BUFFER_OCTETS: i32 = 8 << 20;

const KIND: Kind = Kind {
    protocol: "udp",
    kind: Type::DGRAM,
    prepare: |socket| socket.set_read_timeout(Some(RECEIVE_TIMEOUT)),
};

impl Sockets {
    /// Binds all addresses.
    ///
    /// # Errors
    ///
    /// The first address that cannot be bound; one that another process serves is not shared
    /// with it.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let groups = bind_all(&KIND, &config.listen, config.workers.max(1))?;
        let mut bound = Self {
            addresses: Vec::new(),
            sockets: Vec::new(),
            max_payload: config.max_payload,
        };
        for Group { address, sockets } in groups {
            bound.addresses.push(address);
            for socket in sockets {
                let socket = UdpSocket::from(socket);
                prepare(&socket, address).map_err(|cause| BindError {
                    protocol: KIND.protocol,
                    address,
                    cause,
                })?;
                bound.sockets.push(socket);
            }
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
            batch::shut_down(socket);
        }
        for (_, thread) in self.threads {
            if thread.join().is_err() {
                tracing::error!("a udp thread has panicked");
            }
        }
    }
}

fn run(socket: &UdpSocket, mut handler: Handler, mut batch: Batch, stop: &AtomicBool) {
    let counters = handler.worker().tracker().counters().register::<Counter>();
    while !stop.load(Ordering::Relaxed) {
        let received = batch.receive(socket);
        let now = Instant::now();
        match received {
            Ok(_) => {
                handler.handle_batch(&mut batch, now);
                let (sent, failed) = batch.send(socket);
                counters.add(Counter::Sent, sent as u64);
                counters.add(Counter::SendFailed, failed as u64);
            }
            // An ICMP error of an earlier reply, a timeout or a signal: all pass.
            Err(error) => tracing::trace!(%error, "nothing received"),
        }
        handler.worker().handle_timeout(now);
    }
    handler.worker().flush(Instant::now());
}

fn prepare(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    batch::set_receive_buffer(socket, RECEIVE_BUFFER_OCTETS)?;
    // Bound to one address, replies leave from it anyway.
    if address.ip().is_unspecified() {
        batch::enable_packet_info(socket, address.is_ipv6())?;
    }
    Ok(())
}
