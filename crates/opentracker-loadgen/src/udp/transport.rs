//! How datagrams leave and come: by sockets, or below the network stack.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use opentracker_datagrams::{ReceiveBatch, SendBatch, Sent, set_receive_buffer, set_send_buffer};
use opentracker_xdp::{Interface, Queue, Route};
use socket2::SockRef;

use super::engine::Plan;
use crate::args::DatagramArgs;
use crate::below::{self, MacAddress};
use crate::sources::free_bind;

/// Where load enters the network below its stack.
#[derive(Debug, Clone)]
pub(super) struct Below {
    interface: String,
    next_hop: MacAddress,
}

impl Below {
    /// Reads it from the command line; `None`: by sockets.
    pub(super) fn new(args: &DatagramArgs) -> Option<Self> {
        Some(Self {
            interface: args.xdp.clone()?,
            next_hop: args.next_hop?,
        })
    }
}

/// What a thread sends and receives with. Its channels have a port each.
pub(super) enum Transport {
    Sockets(Sockets),
    Xdp(Box<Xdp>),
}

pub(super) struct Sockets {
    /// One for each channel.
    sockets: Vec<UdpSocket>,
    requests: SendBatch,
    replies: ReceiveBatch,
}

pub(super) struct Xdp {
    /// The program is on it as long as this is there.
    _interface: Interface,
    queue: Queue,
    route: Route,
    /// The port of each channel.
    ports: Vec<u16>,
    queued: usize,
    failed: usize,
}

/// Octets of a socket's buffers, if the system grants them.
const BUFFER_OCTETS: usize = 8 << 20;

/// The port of the first channel where there are no sockets, below those that the system gives out.
const FIRST_PORT: u16 = 20_000;

/// Frames of a queue that are for requests: half of them.
const RESERVE: usize = 2048;

impl Transport {
    /// Opens a socket for each of the channels with these numbers.
    pub(super) fn by_sockets(plan: &Plan, channels: usize) -> io::Result<Self> {
        let sockets = (0..channels).map(|_| open(plan));
        Ok(Self::Sockets(Sockets {
            sockets: sockets.collect::<io::Result<_>>()?,
            requests: SendBatch::new(plan.train),
            replies: ReceiveBatch::new(plan.batch),
        }))
    }

    /// Opens the one queue of an interface.
    pub(super) fn below(below: &Below, plan: &Plan, channels: usize) -> Result<Self> {
        let ports = (FIRST_PORT..).take(channels).collect::<Vec<_>>();
        let numbers = 0..plan.sources.count();
        let addresses = numbers.map(|number| plan.sources.address(number));
        let addresses: Option<Vec<IpAddr>> = addresses.collect();
        let addresses = addresses.context("without sockets it takes --source-net")?;
        let goals = addresses
            .iter()
            .flat_map(|ip| ports.iter().map(|port| SocketAddr::new(*ip, *port)));
        let (interface, queue, from) = below::open(&below.interface, RESERVE, goals)?;
        Ok(Self::Xdp(Box::new(Xdp {
            _interface: interface,
            queue,
            route: Route {
                from,
                to: below.next_hop.0,
                tag: None,
            },
            ports,
            queued: 0,
            failed: 0,
        })))
    }

    /// Takes a batch of answers to a channel, or to all; returns how many.
    pub(super) fn receive(&mut self, channel: usize) -> Result<usize> {
        match self {
            Self::Sockets(by) => {
                let received = by.replies.try_receive(&by.sockets[channel]);
                received.context("cannot receive")
            }
            Self::Xdp(by) => Ok(by.queue.try_receive()),
        }
    }

    /// Returns an answer of the batch.
    pub(super) fn reply(&mut self, index: usize) -> Option<&[u8]> {
        match self {
            Self::Sockets(by) => by.replies.get(index).map(|(reply, _)| reply),
            Self::Xdp(by) => by.queue.exchange(index).map(|(reply, _, _)| reply),
        }
    }

    /// Queues a request that `encode` writes.
    pub(super) fn push(
        &mut self,
        channel: usize,
        (from, to): (Option<IpAddr>, SocketAddr),
        encode: impl FnOnce(&mut [u8]) -> usize,
    ) {
        match self {
            Self::Sockets(by) => {
                let octets = encode(by.requests.buffer());
                by.requests.push(octets, to, from);
            }
            Self::Xdp(by) => {
                let from = from.expect("sources are there, or it had not been opened");
                let from = SocketAddr::new(from, by.ports[channel]);
                by.queued += 1;
                by.failed += usize::from(!by.queue.ask(&by.route, from, to, encode));
            }
        }
    }

    /// Tells whether nothing is queued.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Sockets(by) => by.requests.is_empty(),
            Self::Xdp(by) => by.queued == 0,
        }
    }

    /// Sends what is queued for a channel.
    pub(super) fn send(&mut self, channel: usize) -> Sent {
        match self {
            Self::Sockets(by) => by.requests.send(&by.sockets[channel]),
            Self::Xdp(by) => {
                let sent = by.queue.send();
                by.queued = 0;
                Sent {
                    sent: sent.sent,
                    failed: sent.failed + std::mem::take(&mut by.failed),
                    error: None,
                }
            }
        }
    }
}

fn open(plan: &Plan) -> io::Result<UdpSocket> {
    let is_ipv6 = plan.target.is_ipv6();
    let any: IpAddr = if is_ipv6 {
        [0; 16].into()
    } else {
        [0; 4].into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    set_receive_buffer(&socket, BUFFER_OCTETS)?;
    set_send_buffer(&socket, BUFFER_OCTETS)?;
    if plan.sources.are_foreign() {
        free_bind(SockRef::from(&socket), is_ipv6)?;
    }
    Ok(socket)
}
