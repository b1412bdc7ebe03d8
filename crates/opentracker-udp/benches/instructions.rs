//! What an instruction counter counts: one kind of request, handled over and over.
//!
//! `cargo run --release --package opentracker-udp --example instructions -- SCENARIO REQUESTS`
//!
//! Two runs of one scenario, the second with twice the requests of the first, execute the same
//! instructions but for the added requests. The difference by their number is what a request costs,
//! without the preparations. `cargo xtask bench guard` does so.
//!
//! Nothing here depends on chance or on the time: all seeds are fixed, and the clock is read once,
//! for an origin that all instants are relative to.

mod shared;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use opentracker_types::{Event, InfoHash};
use opentracker_udp::{Action, Handler};
use opentracker_udp_wire::{ConnectRequest, ConnectionId, Reply, ScrapeRequest, TransactionId};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use shared::{BATCH, MAX_PAYLOAD, PORT};

/// Info hashes of a scrape.
const SCRAPED: usize = 10;

/// How long after the peers first announced they do so again: by default the interval.
const INTERVAL: Duration = Duration::from_secs(30 * 60);

/// A swarm's info hash and the addresses of its peers.
struct Swarm {
    info_hash: [u8; InfoHash::LEN],
    peers: Vec<SocketAddr>,
}

/// A request and where it comes from.
struct Datagram {
    octets: Vec<u8>,
    source: SocketAddr,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let scenario = arguments.next().unwrap_or_default();
    let requests: usize = arguments
        .next()
        .and_then(|number| number.parse().ok())
        .expect("the arguments are a scenario and a number of requests");

    let mut rng = StdRng::seed_from_u64(0x7261_636b);
    let tracker = shared::tracker(&mut rng);
    let mut handler = Handler::new(tracker.worker(1, None), MAX_PAYLOAD);
    let swarms = match scenario.as_str() {
        "announce-large" => swarms(1, 10_000, &mut rng),
        _ => swarms(10_000, 3, &mut rng),
    };
    let first = tracker.start();
    let mut reply = [0; MAX_PAYLOAD];
    for datagram in announces(&mut handler, &swarms, Event::Started, first) {
        expect_reply(&mut handler, &datagram, first, &mut reply, 1);
    }

    let later = first + INTERVAL;
    let (mut datagrams, action) = match scenario.as_str() {
        "connect" => (connects(&swarms), 0),
        "announce-small" | "announce-large" => {
            (announces(&mut handler, &swarms, Event::None, later), 1)
        }
        "scrape" => (scrapes(&mut handler, &swarms, later), 2),
        _ => panic!("the scenarios are connect, announce-small, announce-large and scrape"),
    };
    datagrams.shuffle(&mut rng);
    let mut octets = 0;
    let mut rest = datagrams.iter().cycle().take(requests).peekable();
    let mut now = later;
    while rest.peek().is_some() {
        let batch: Vec<_> = rest.by_ref().take(BATCH).collect();
        handler.prepare(batch.iter().map(|one| (&*one.octets, one.source)));
        for datagram in batch {
            octets += expect_reply(&mut handler, datagram, now, &mut reply, action);
        }
        now += Duration::from_micros(100);
    }
    println!("{requests} requests, {octets} octets of replies");
}

fn swarms(count: usize, peers: usize, rng: &mut StdRng) -> Vec<Swarm> {
    let mut address = Ipv4Addr::new(16, 0, 0, 0).to_bits();
    let mut swarm = |_| {
        let mut info_hash = [0; InfoHash::LEN];
        rng.fill_bytes(&mut info_hash);
        let peer = |_| {
            address += 1;
            SocketAddr::from((Ipv4Addr::from_bits(address), PORT))
        };
        Swarm {
            info_hash,
            peers: (0..peers).map(peer).collect(),
        }
    };
    (0..count).map(&mut swarm).collect()
}

fn connects(swarms: &[Swarm]) -> Vec<Datagram> {
    let peers = swarms.iter().flat_map(|swarm| &swarm.peers);
    peers.map(|&source| connect(source)).collect()
}

/// An announce of every peer; three of ten are seeders.
fn announces(handler: &mut Handler, swarms: &[Swarm], event: Event, now: Instant) -> Vec<Datagram> {
    let peers = swarms
        .iter()
        .flat_map(|swarm| swarm.peers.iter().map(|peer| (swarm.info_hash, *peer)));
    let announce = |(number, (info_hash, source)): (usize, _)| {
        let id = connection_id(handler, source, now);
        let octets = shared::announce(id, info_hash, number, event).to_vec();
        Datagram { octets, source }
    };
    peers.enumerate().map(announce).collect()
}

/// Scrapes of [`SCRAPED`] neighbouring swarms each.
fn scrapes(handler: &mut Handler, swarms: &[Swarm], now: Instant) -> Vec<Datagram> {
    let scrape = |swarms: &[Swarm]| {
        let source = swarms[0].peers[0];
        let hashes: Vec<_> = swarms.iter().map(|swarm| swarm.info_hash).collect();
        let id = connection_id(handler, source, now);
        let request = ScrapeRequest::new(id, TransactionId::from(1), &hashes)
            .expect("a scrape has room for so many");
        let mut octets = vec![0; ScrapeRequest::WIRE_LEN + InfoHash::LEN * hashes.len()];
        request.encode(&mut octets).expect("there is room");
        Datagram { octets, source }
    };
    swarms.chunks_exact(SCRAPED).map(scrape).collect()
}

fn connect(source: SocketAddr) -> Datagram {
    let mut octets = vec![0; ConnectRequest::WIRE_LEN];
    let transaction = TransactionId::from(1);
    ConnectRequest { transaction }
        .encode(&mut octets)
        .expect("there is room");
    Datagram { octets, source }
}

fn connection_id(handler: &mut Handler, source: SocketAddr, now: Instant) -> ConnectionId {
    let mut reply = [0; MAX_PAYLOAD];
    let action = handler.handle(&connect(source).octets, source, now, &mut reply);
    match action {
        Action::Reply(octets) => match Reply::decode(&reply[..octets]) {
            Ok(Reply::Connect(reply)) => reply.connection,
            other => panic!("a connect was answered by {other:?}"),
        },
        Action::Drop => panic!("a connect was dropped"),
    }
}

/// Handles a request and returns the octets of its reply, which has to be of this action: what is
/// counted is the work and not a refusal.
fn expect_reply(
    handler: &mut Handler,
    datagram: &Datagram,
    now: Instant,
    reply: &mut [u8],
    action: u8,
) -> usize {
    match handler.handle(&datagram.octets, datagram.source, now, reply) {
        Action::Reply(octets) if reply[..4] == [0, 0, 0, action] => octets,
        other => panic!("{other:?}, and the reply begins with {:?}", &reply[..4]),
    }
}
