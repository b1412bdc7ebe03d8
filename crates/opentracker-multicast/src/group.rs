use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ipnet::IpNet;
use opentracker_datagrams::{bind_multicast, set_receive_buffer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tracing::{info, trace, warn};

use crate::counters::{Counters, Counting};
use crate::interface::{Interface, own_addresses};
use crate::membership::Membership;
use crate::{GroupConfig, JoinError};

/// How many datagrams of strangers one call drops before it lets its caller do something else.
pub const MAX_STRANGERS_PER_CALL: usize = 64;

/// A membership of a multicast group.
///
/// Dropping it and its senders leaves the group. It belongs to the tokio runtime in which it was
/// joined.
#[derive(Debug)]
pub struct Group {
    config: GroupConfig,
    socket: UdpSocket,
    membership: Membership,
    check: Interval,
    granted_octets: usize,
    sender: Sender,
}

/// Sends to a group from any thread, without ever waiting.
#[derive(Debug, Clone)]
pub struct Sender {
    socket: Arc<StdUdpSocket>,
    group: SocketAddrV4,
    counting: Arc<Counting>,
}

impl Group {
    /// Joins a group. To be called within a tokio runtime that has I/O and time.
    ///
    /// # Errors
    ///
    /// Fails when the group is none, no interface has the address, no route leads from there, or
    /// the kernel refuses the port or an option.
    pub fn join(config: GroupConfig) -> Result<Self, JoinError> {
        let address = config.interface;
        let group = *config.group.ip();
        if !group.is_multicast() {
            return Err(JoinError::NotMulticast { group });
        }
        if config.group.port() == 0 {
            return Err(JoinError::NoPort { group });
        }
        let interface = Interface::with_address(address)
            .map_err(JoinError::at("look at the network interfaces"))?
            .ok_or_else(|| JoinError::NoSuchAddress {
                interface: address,
                present: own_addresses(),
            })?;
        find_route(&config)?;

        let (socket, granted_octets) = open(&config)?;
        let membership =
            Membership::join(SockRef::from(&socket), config.group, address, &interface)
                .map_err(JoinError::at("join the multicast group"))?;
        let sender = Sender {
            socket: Arc::new(
                socket
                    .try_clone()
                    .map_err(JoinError::at("share the socket"))?,
            ),
            group: config.group,
            counting: Arc::default(),
        };
        info!(
            group = %config.group,
            %address,
            interface = interface.name,
            receive_buffer_octets = granted_octets,
            "multicast group joined"
        );
        Ok(Self {
            socket: UdpSocket::from_std(socket)
                .map_err(JoinError::at("hand the socket to the runtime"))?,
            membership,
            check: ticks(config.check_interval),
            granted_octets,
            sender,
            config,
        })
    }

    /// Waits for a datagram of a listed source, and returns its length and where it came from.
    /// What is longer than the buffer is cut.
    ///
    /// The membership is looked after while this waits, so call it whenever
    /// [`try_recv`](Self::try_recv) has nothing. Dropping the future loses no datagram.
    ///
    /// # Errors
    ///
    /// Fails when the kernel does; the next call may well succeed.
    pub async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddrV4)> {
        poll_fn(|cx| self.poll_recv(cx, buffer)).await
    }

    /// Does as [`recv`](Self::recv), for whoever waits for more than this.
    ///
    /// # Errors
    ///
    /// Fails when the kernel does; the next call may well succeed.
    pub fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddrV4)>> {
        while self.check.poll_tick(cx).is_ready() {
            if self.membership.check(SockRef::from(&self.socket)) {
                self.sender.counting.rejoins.add_one();
            }
        }
        ready!(self.socket.poll_recv_ready(cx))?;
        if let Some((octets, source)) = self.try_recv(buffer)? {
            return Poll::Ready(Ok((octets, source)));
        }
        // There was none, or there are many of strangers, and others have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns a datagram of a listed source if one is there now. After
    /// [`MAX_STRANGERS_PER_CALL`] of others there is none, though more may follow.
    ///
    /// # Errors
    ///
    /// Fails when the kernel does; the next call may well succeed.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddrV4)>> {
        let counting = &self.sender.counting;
        for _ in 0..MAX_STRANGERS_PER_CALL {
            let (octets, source) = match self.socket.try_recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            if let SocketAddr::V4(source) = source
                && self.is_listed(source)
            {
                counting.received.add_one();
                return Ok(Some((octets, source)));
            }
            counting.strangers.add_one();
            trace!(%source, octets, "datagram of a stranger dropped");
        }
        Ok(None)
    }

    /// Sends a datagram to the group, waiting for room in the kernel's buffer.
    ///
    /// # Errors
    ///
    /// Fails when the kernel does, as it will while the interface is gone.
    pub async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let sent = self.socket.send_to(datagram, self.config.group).await;
        self.sender.count(sent)
    }

    /// Returns what sends to the group from any thread.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Replaces the networks that datagrams are taken from.
    pub fn set_sources(&mut self, sources: Vec<IpNet>) {
        self.config.sources = sources;
    }

    /// Tells whether the interface is there and joined, as far as the last check knows.
    pub const fn is_joined(&self) -> bool {
        !self.membership.is_lost()
    }

    /// Returns the size of the receive buffer that the kernel has granted.
    pub const fn receive_buffer_octets(&self) -> usize {
        self.granted_octets
    }

    /// Returns what was done so far, by this and its senders.
    pub fn counters(&self) -> Counters {
        self.sender.counting.read()
    }

    fn is_listed(&self, source: SocketAddrV4) -> bool {
        let source = IpAddr::V4(*source.ip());
        self.config.sources.iter().any(|net| net.contains(&source))
    }
}

impl Sender {
    /// Sends a datagram to the group if the kernel has room for it.
    ///
    /// # Errors
    ///
    /// Fails when the kernel does: with [`io::ErrorKind::WouldBlock`] where it has no room, and
    /// with others while the interface is gone.
    pub fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        self.count(self.socket.send_to(datagram, self.group))
    }

    fn count(&self, sent: io::Result<usize>) -> io::Result<()> {
        match sent {
            Ok(_) => self.counting.sent.add_one(),
            Err(_) => self.counting.send_errors.add_one(),
        }
        sent.map(drop)
    }
}

/// Asks the kernel for a route to the group over the interface, which sending would need.
fn find_route(config: &GroupConfig) -> Result<(), JoinError> {
    let probe = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))
        .map_err(JoinError::at("open a socket"))?;
    let no_route = |source| JoinError::NoRoute {
        group: *config.group.ip(),
        interface: config.interface,
        source,
    };
    probe
        .set_multicast_if_v4(&config.interface)
        .and_then(|()| probe.connect(&config.group.into()))
        .map_err(no_route)
}

/// Opens a socket that takes what is sent to the group and is not a member yet, and returns it with
/// the octets of receive buffer that the kernel has granted.
fn open(config: &GroupConfig) -> Result<(StdUdpSocket, usize), JoinError> {
    let socket = bind_multicast(config.group, config.ttl, config.loopback).map_err(|error| {
        JoinError::Bind {
            group: config.group,
            source: error.cause,
        }
    })?;
    let set = JoinError::at("set the options of a multicast socket");
    let asked = config.receive_buffer_octets;
    let granted = socket
        .set_nonblocking(true)
        .and_then(|()| set_receive_buffer(&socket, asked))
        .map_err(set)?;
    if granted < asked {
        warn!(
            asked_octets = asked,
            granted_octets = granted,
            "the kernel limits the receive buffer, see net.core.rmem_max"
        );
    }
    Ok((socket, granted))
}

fn ticks(period: Duration) -> Interval {
    let period = period.max(Duration::from_millis(1));
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
