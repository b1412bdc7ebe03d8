//! Datagrams of proxies: a header before each of them says who sent it.

use std::net::SocketAddr;

use opentracker_core::Counters;
use opentracker_datagrams::{Batch, MAX_BATCH};
use opentracker_http::{Forwarding, Source};
use opentracker_proxy_wire::Header;
use opentracker_udp::{Counter, Datagrams};

/// Takes the headers off a batch, and remembers what they say.
#[derive(Debug)]
pub(super) struct Opener {
    opened: Vec<Opened>,
}

/// A datagram with a header that is believed.
#[derive(Debug, Clone, Copy)]
struct Opened {
    /// Its place in the batch.
    index: usize,
    client: SocketAddr,
    header_octets: usize,
    /// The reply has to begin with the header.
    is_echoed: bool,
}

impl Opener {
    pub(super) fn new() -> Self {
        Self {
            opened: Vec::with_capacity(MAX_BATCH),
        }
    }

    /// Looks at each datagram: one that comes from no trusted proxy, or that does not say which client
    /// has sent it, is dropped and counted.
    pub(super) fn open(
        &mut self,
        batch: &Batch,
        forwarding: &Forwarding,
        counters: &Counters<Counter>,
    ) {
        self.opened.clear();
        for index in 0..batch.len() {
            match open(batch, index, forwarding) {
                Ok(opened) => self.opened.push(opened),
                Err(counter) => {
                    // The handler never sees it.
                    counters.count(Counter::Received);
                    counters.count(counter);
                }
            }
        }
    }

    /// Returns the batch as the handler takes it.
    pub(super) fn proxied<'a>(&'a self, batch: &'a mut Batch) -> Proxied<'a> {
        Proxied {
            batch,
            opened: &self.opened,
        }
    }
}

fn open(batch: &Batch, index: usize, forwarding: &Forwarding) -> Result<Opened, Counter> {
    let (octets, proxy) = batch.request(index).ok_or(Counter::BadSource)?;
    if !forwarding.trusts(Source::Socket(proxy.ip())) {
        return Err(Counter::UntrustedProxy);
    }
    let header = Header::of_datagram(octets).map_err(|_not_one| Counter::BadProxyHeader)?;
    Ok(Opened {
        index,
        client: header.client.ok_or(Counter::BadProxyHeader)?,
        header_octets: header.octets,
        is_echoed: header.is_echoed,
    })
}

/// The datagrams of a batch without their headers, as their clients have sent them. Replies go to the
/// proxies.
#[derive(Debug)]
pub(super) struct Proxied<'a> {
    batch: &'a mut Batch,
    opened: &'a [Opened],
}

impl Datagrams for Proxied<'_> {
    fn len(&self) -> usize {
        self.opened.len()
    }

    fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        let opened = self.opened[index];
        let (octets, _, room) = self.batch.exchange(opened.index)?;
        let (header, request) = octets.split_at_checked(opened.header_octets)?;
        if !opened.is_echoed {
            return Some((request, opened.client, room));
        }
        let (front, room) = room.split_at_mut_checked(header.len())?;
        front.copy_from_slice(header);
        Some((request, opened.client, room))
    }

    fn reply(&mut self, index: usize, octets: usize) {
        let opened = self.opened[index];
        let header = if opened.is_echoed {
            opened.header_octets
        } else {
            0
        };
        self.batch.queue(opened.index, header + octets);
    }
}
