//! What the examples measure with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{AccessLists, Settings, Tracker};
use opentracker_types::{AnnounceRequest as Announce, Event, InfoHash, PeerId};
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
    Arc::new(Tracker::new(
        Settings::default(),
        AccessLists::default(),
        Duration::from_secs(240),
        Instant::now(),
        rng,
    ))
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
