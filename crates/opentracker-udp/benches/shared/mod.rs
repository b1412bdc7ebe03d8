//! What the instruments measure with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker, Worker};
use opentracker_types::{AnnounceRequest as Announce, Event, InfoHash, PeerId};
use opentracker_udp::{Connections, Datagrams, Handler};
use opentracker_udp_wire::{AnnounceRequest, ConnectionId, TransactionId};
use rand::CryptoRng;

/// The greatest reply that the tracker sends by default.
pub(crate) const MAX_PAYLOAD: usize = 1232;

/// Datagrams that a thread of the server handles with one reading of the clock.
pub(crate) const BATCH: usize = 64;

/// Peers that each announce asks for.
const NUM_WANT: u32 = 30;

/// The port of every peer.
pub(crate) const PORT: u16 = 6881;

pub(crate) fn tracker(rng: &mut impl CryptoRng) -> Arc<Tracker> {
    Arc::new(Tracker::new(Rules::default(), Instant::now(), rng))
}

/// A handler for each of the seeds, all of one server.
pub(crate) fn handlers(tracker: &Arc<Tracker>, seeds: std::ops::Range<u64>) -> Vec<Handler> {
    let lifetime = Duration::from_secs(240);
    let connections = Arc::new(Connections::new([7; 16], tracker.start(), lifetime));
    seeds
        .map(|seed| {
            let worker = Worker::new(Arc::clone(tracker), seed, None);
            Handler::new(worker, Arc::clone(&connections), MAX_PAYLOAD, &"udp".into())
        })
        .collect()
}

/// Some requests and room for their replies, as a socket's batch has them.
pub(crate) struct Batch<'a> {
    pub(crate) requests: Vec<(&'a [u8], SocketAddr)>,
    replies: Box<[[u8; MAX_PAYLOAD]; BATCH]>,
    /// Octets and action of the replies.
    pub(crate) replied: Vec<(usize, u8)>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new() -> Self {
        Self {
            requests: Vec::with_capacity(BATCH),
            replies: Box::new([[0; MAX_PAYLOAD]; BATCH]),
            replied: Vec::with_capacity(BATCH),
        }
    }

    /// Takes the next requests, at most a batch; says whether there were any.
    pub(crate) fn fill(&mut self, requests: impl Iterator<Item = (&'a [u8], SocketAddr)>) -> bool {
        self.requests.clear();
        self.replied.clear();
        self.requests.extend(requests.take(BATCH));
        !self.requests.is_empty()
    }
}

impl Datagrams for Batch<'_> {
    fn len(&self) -> usize {
        self.requests.len()
    }

    fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        let (request, source) = self.requests[index];
        Some((request, source, &mut self.replies[index]))
    }

    fn reply(&mut self, index: usize, octets: usize) {
        self.replied.push((octets, self.replies[index][3]));
    }
}

/// An announce of the peer with a number; three of ten are seeders.
pub(crate) fn announce(
    connection: ConnectionId,
    info_hash: [u8; InfoHash::LEN],
    number: usize,
    event: Event,
) -> [u8; AnnounceRequest::WIRE_LEN] {
    let announce = Announce::new(InfoHash::new(info_hash), PORT)
        .with_peer_id(PeerId::new([b'p'; PeerId::LEN]))
        .with_left(u64::from(number % 10 >= 3))
        .with_event(event)
        .with_num_want(NUM_WANT);
    let request = AnnounceRequest::new(connection, TransactionId::from(1), announce);
    let mut octets = [0; AnnounceRequest::WIRE_LEN];
    request.encode(&mut octets).expect("there is room");
    octets
}
