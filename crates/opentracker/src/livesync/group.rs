use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use ipnet::IpNet;
use opentracker_livesync::{Carrier, Class, Kind, Status};
use opentracker_multicast::{Group, Sender};

/// A multicast group as a carrier. What waits to be sent waits in the kernel.
#[derive(Debug)]
pub(super) struct GroupCarrier {
    group: Group,
    sender: Sender,
}

impl GroupCarrier {
    pub(super) fn new(group: Group) -> Self {
        Self {
            sender: group.sender(),
            group,
        }
    }

    /// Replaces the networks that packets are taken from.
    pub(super) fn set_sources(&mut self, sources: Vec<IpNet>) {
        self.group.set_sources(sources);
    }

    /// Returns how many packets of strangers were dropped.
    pub(super) fn strangers(&self) -> u64 {
        self.group.counters().strangers
    }
}

impl Carrier for GroupCarrier {
    fn kind(&self) -> Kind {
        Kind::Group
    }

    fn send(&mut self, packet: &Bytes, _class: Class) {
        if let Err(error) = self.sender.try_send(packet) {
            tracing::trace!(%error, "cannot send to the group");
        }
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Option<SocketAddr>)>> {
        let received = self.group.poll_recv(cx, buffer);
        received.map_ok(|(octets, source)| (octets, Some(source.into())))
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn status(&self) -> Status {
        let counters = self.group.counters();
        Status {
            is_up: self.group.is_joined(),
            destinations: 1,
            received: counters.received,
            sent: counters.sent,
            send_errors: counters.send_errors,
            ..Status::default()
        }
    }
}
