//! Unicast: the packets of live sync to and from a list of addresses (`docs/livesync.md`, Carriers).
//!
//! A [`Unicast`] is a socket that sends a copy of each packet to every peer. [`Peer`]s are addresses
//! or names, and a name stands for all of its addresses, which are asked for again and again.

mod addresses;
mod peer;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use opentracker_datagrams::{BindError, BindStep, Listen, Transport, bind_udp, set_receive_buffer};
use opentracker_livesync::{Carrier, Class, Kind, Queue, Status};
use tokio::io::ReadBuf;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, trace, warn};

use self::addresses::Addresses;
pub use self::peer::{Peer, PeerError};

/// The most addresses that get a copy of each packet.
pub const MAX_ADDRESSES: usize = 256;

/// The most packets that wait to be sent. When there are more, the oldest is dropped.
pub const MAX_WAITING: usize = 8192;

/// How often names are resolved.
pub const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);

/// Octets of the socket's receive buffer, if the system grants them.
const RECEIVE_BUFFER_OCTETS: usize = 4 << 20;

/// Datagrams sent in one go before the caller does something else: about two milliseconds of it.
const DATAGRAMS_PER_TURN: usize = 1024;

/// Where to listen, and who else there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address to listen on, which is also what is sent from. `[::]` serves IPv4 as well.
    pub listen: SocketAddr,
    /// The others. Our own addresses among them are left out.
    pub peers: Vec<Peer>,
}

/// A socket that sends each packet to a list of addresses.
///
/// It belongs to the tokio runtime in which it was opened.
#[derive(Debug)]
pub struct Unicast {
    socket: UdpSocket,
    list: watch::Receiver<Arc<[SocketAddr]>>,
    queue: Queue<Bytes>,
    under_way: Option<UnderWay>,
    received: u64,
    sent: u64,
    send_errors: u64,
    /// Ends with this.
    _resolver: JoinSet<()>,
}

/// A packet of which not everybody has a copy yet.
#[derive(Debug)]
struct UnderWay {
    packet: Bytes,
    addresses: Arc<[SocketAddr]>,
    next: usize,
}

impl Unicast {
    /// Binds the address, and begins to resolve the names. To be called within a tokio runtime that
    /// has I/O and time. Names are resolved on the runtime's threads for blocking work.
    ///
    /// # Errors
    ///
    /// Fails when the address cannot be bound, as one that another process serves.
    pub fn bind(config: Config) -> Result<Self, BindError> {
        let (socket, listen) = open(config.listen)?;
        let mut addresses = Addresses::new(listen, config.peers);
        let (sender, list) = watch::channel(addresses.list(&of_this_host()).into());
        let mut resolver = JoinSet::new();
        resolver.spawn(keep_resolving(addresses, sender));
        Ok(Self {
            socket,
            list,
            queue: Queue::new(MAX_WAITING),
            under_way: None,
            received: 0,
            sent: 0,
            send_errors: 0,
            _resolver: resolver,
        })
    }

    /// Returns the address that it is bound to.
    ///
    /// # Errors
    ///
    /// Fails when the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends what waits, as far as the system takes it and a turn goes.
    fn transmit(&mut self) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some(under_way) = self.take_next() else {
                return;
            };
            let Some(&address) = under_way.addresses.get(under_way.next) else {
                continue;
            };
            match self.socket.try_send_to(&under_way.packet, address) {
                Ok(_) => self.sent += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.under_way = Some(under_way);
                    return;
                }
                Err(error) => {
                    trace!(%address, %error, "cannot send to a peer of live sync");
                    self.send_errors += 1;
                }
            }
            self.under_way = Some(UnderWay {
                next: under_way.next + 1,
                ..under_way
            });
        }
    }

    /// Takes the packet whose turn it is.
    fn take_next(&mut self) -> Option<UnderWay> {
        let half_sent = self.under_way.take();
        half_sent
            .filter(|under_way| under_way.next < under_way.addresses.len())
            .or_else(|| {
                let (packet, _) = self.queue.pop()?;
                Some(UnderWay {
                    packet,
                    addresses: Arc::clone(&self.list.borrow()),
                    next: 0,
                })
            })
    }

    /// Gets on with what waits, and sees to it that the task is woken when more of it can go.
    fn poll_transmit(&mut self, cx: &mut Context<'_>) {
        if self.under_way.is_none() && self.queue.is_empty() {
            return;
        }
        if self.socket.poll_send_ready(cx).is_ready() {
            self.transmit();
            // Either there is more to be sent, or the socket is full, and says so next time.
            if self.under_way.is_some() {
                cx.waker().wake_by_ref();
            }
        }
    }
}

impl Carrier for Unicast {
    fn kind(&self) -> Kind {
        Kind::Unicast
    }

    fn send(&mut self, packet: &Bytes, class: Class) {
        self.queue.push(packet.clone(), class);
        self.transmit();
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Option<SocketAddr>)>> {
        self.poll_transmit(cx);
        let mut buffer = ReadBuf::new(buffer);
        let source = ready!(self.socket.poll_recv_from(cx, &mut buffer))?;
        self.received += 1;
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        Poll::Ready(Ok((buffer.filled().len(), Some(source))))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_transmit(cx);
        match self.under_way.is_none() && self.queue.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn status(&self) -> Status {
        let destinations = self.list.borrow().len();
        Status {
            is_up: destinations > 0,
            destinations,
            waiting: self.queue.len() + usize::from(self.under_way.is_some()),
            received: self.received,
            sent: self.sent,
            send_errors: self.send_errors,
            dropped: self.queue.dropped(),
            dropped_tells: self.queue.dropped_tells(),
            // What the kernel drops it does not tell us.
            backlog: 0,
        }
    }
}

/// Opens the socket, and returns it with the address that it has.
fn open(address: SocketAddr) -> Result<(UdpSocket, SocketAddr), BindError> {
    let listen = Listen {
        address,
        v6_only: false,
        sockets: 1,
    };
    let socket = bind_udp(listen)?.remove(0);
    let fault = |option| {
        move |cause| BindError {
            transport: Transport::Udp,
            address,
            step: BindStep::Option(option),
            cause,
        }
    };
    let granted = set_receive_buffer(&socket, RECEIVE_BUFFER_OCTETS).map_err(fault("SO_RCVBUF"))?;
    if granted < RECEIVE_BUFFER_OCTETS {
        warn!(
            asked_octets = RECEIVE_BUFFER_OCTETS,
            granted_octets = granted,
            "the kernel limits the receive buffer, see net.core.rmem_max"
        );
    }
    let socket = socket
        .set_nonblocking(true)
        .and_then(|()| UdpSocket::from_std(socket))
        .map_err(fault("O_NONBLOCK"))?;
    let address = socket.local_addr().map_err(fault("its address"))?;
    Ok((socket, address))
}

/// Asks for the addresses of all names, again and again. A name that takes long holds no other up.
async fn keep_resolving(mut addresses: Addresses, list: watch::Sender<Arc<[SocketAddr]>>) {
    loop {
        let mut lookups = JoinSet::new();
        for (index, name, port) in addresses.names() {
            lookups.spawn(async move {
                let found = lookup_host((name, port)).await;
                (index, found.map(Iterator::collect))
            });
        }
        while let Some(Ok((index, found))) = lookups.join_next().await {
            addresses.set(index, found);
            publish(&mut addresses, &list);
        }
        tokio::time::sleep(RESOLVE_INTERVAL).await;
        // An interface may have come or gone, though there is no name.
        publish(&mut addresses, &list);
    }
}

fn publish(addresses: &mut Addresses, list: &watch::Sender<Arc<[SocketAddr]>>) {
    let new = addresses.list(&of_this_host());
    list.send_if_modified(|old| {
        let is_other = **old != *new;
        if is_other {
            debug!(addresses = ?new, "peers of live sync");
            *old = new.into();
        }
        is_other
    });
}

/// Returns the addresses of this host, as far as it says them.
fn of_this_host() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(if_addrs::Interface::ip).collect()
}
