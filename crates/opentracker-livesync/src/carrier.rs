use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::Class;

/// A way to the other instances of the cluster, which takes and gives whole packets.
///
/// A carrier knows no packet format and judges nothing that comes; what is too long for the buffer
/// is cut. It gets on with its work only while it is polled.
pub trait Carrier: Debug + Send {
    /// Returns what it is.
    fn kind(&self) -> Kind;

    /// Takes a packet to all others, and never waits: the packet goes, or waits in a bounded queue
    /// for the next poll, or is dropped and counted.
    fn send(&mut self, packet: &Bytes, class: Class);

    /// Gets on with what waits to be sent, and returns the length of the next packet that came, with
    /// the address that it came from where the carrier knows one.
    ///
    /// # Errors
    ///
    /// Fails when the system does; the next call may well succeed.
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Option<SocketAddr>)>>;

    /// Gets on with what waits to be sent, and is ready when none of it waits here any more. Nothing is
    /// sent after.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Returns how it does.
    fn status(&self) -> Status;
}

/// What a carrier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A multicast group.
    Group,
    /// A list of addresses, each of which gets a copy.
    Unicast,
    /// A subject of NATS.
    Nats,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Group, Self::Unicast, Self::Nats];

    /// Returns the name for figures and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Unicast => "unicast",
            Self::Nats => "nats",
        }
    }
}

/// Some of the carriers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Kinds(u8);

impl Kinds {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Returns these and one more.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | Self::bit(kind))
    }

    /// Returns these but one.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Self {
        Self(self.0 & !Self::bit(kind))
    }

    /// Tells whether one is among them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// Tells whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn bit(kind: Kind) -> u8 {
        match kind {
            Kind::Group => 1,
            Kind::Unicast => 2,
            Kind::Nats => 4,
        }
    }
}

/// How a carrier does, and what it has counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Whether packets can go, as far as it knows.
    pub is_up: bool,
    /// How many addresses or servers it sends to now.
    pub destinations: usize,
    /// Packets that wait to be sent.
    pub waiting: usize,
    /// Packets that were handed out.
    pub received: u64,
    /// Packets that have left, as often as they did: to three addresses, each counts three times.
    pub sent: u64,
    /// Packets that the system or the server did not take, counted in the same way.
    pub send_errors: u64,
    /// Live packets that were dropped for want of room, or because the way was gone.
    pub dropped: u64,
    /// Packets of tells that were dropped in the same way.
    pub dropped_tells: u64,
    /// Packets that came and were dropped, because too many waited to be taken already.
    pub backlog: u64,
}
