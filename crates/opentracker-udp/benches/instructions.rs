//! What an instruction counter counts: one kind of request, handled over and over.
//!
//! `cargo bench --package opentracker-udp --bench instructions -- SCENARIO REQUESTS`
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
use opentracker_udp::Handler;
use opentracker_udp_wire::{ConnectRequest, ConnectionId, Reply, ScrapeRequest, TransactionId};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use shared::{Batch, MAX_PAYLOAD, PORT};

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
    // `cargo bench` adds a flag of its own.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let (Some(scenario), Some(requests)) = (arguments.next(), arguments.next()) else {
        println!("to be called with a scenario and a number of requests");
        return;
    };
    let requests: usize = requests.parse().expect("a number of requests");

    let mut rng = StdRng::seed_from_u64(0x7261_636b);
    let tracker = shared::tracker(&mut rng);
    let mut handler = shared::handlers(&tracker, 1..2).remove(0);
    let swarms = match scenario.as_str() {
        "announce-large" => swarms(1, 10_000, &mut rng),
        _ => swarms(10_000, 3, &mut rng),
    };
    let first = tracker.start();
    let started = announces(&mut handler, &swarms, Event::Started, first);
    handle(&mut handler, &mut started.iter(), first, 1);

    let later = first + INTERVAL;
    let (mut datagrams, action) = match scenario.as_str() {
        "connect" => (connects(&swarms), 0),
        "announce-small" | "announce-large" => {
            (announces(&mut handler, &swarms, Event::None, later), 1)
        }
        // Of which none has a valid connection id.
        "forged" => (forged(&swarms), 3),
        "scrape" => (scrapes(&mut handler, &swarms, later), 2),
        _ => panic!("the scenarios are connect, announce-small, announce-large, forged and scrape"),
    };
    datagrams.shuffle(&mut rng);
    let mut rest = datagrams.iter().cycle().take(requests);
    let octets = handle(&mut handler, &mut rest, later, action);
    println!("{requests} requests, {octets} octets of replies");
}

/// Handles requests in batches and returns the octets of the replies, which have to be of this
/// action: what is counted is the work and not a refusal. Errors (3) are not sent for each.
fn handle<'a>(
    handler: &mut Handler,
    datagrams: &mut impl Iterator<Item = &'a Datagram>,
    mut now: Instant,
    action: u8,
) -> usize {
    let mut batch = Batch::new();
    let mut octets = 0;
    while batch.fill(datagrams.map(|one| (&*one.octets, one.source))) {
        handler.handle_batch(&mut batch, now);
        for (reply, replied) in &batch.replied {
            assert_eq!(*replied, action, "a reply of another action");
            octets += reply;
        }
        assert!(action == 3 || batch.replied.len() == batch.requests.len());
        now += Duration::from_micros(100);
    }
    octets
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

/// Announces of every peer with a connection id that nobody issued.
fn forged(swarms: &[Swarm]) -> Vec<Datagram> {
    let peers = swarms
        .iter()
        .flat_map(|swarm| swarm.peers.iter().map(|peer| (swarm.info_hash, *peer)));
    let announce = |(number, (info_hash, source))| {
        let id = ConnectionId::new([7; 8]);
        let octets = shared::announce(id, info_hash, number, Event::None).to_vec();
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
    let octets = handler.handle(&connect(source).octets, source, now, &mut reply);
    match octets.map(|octets| Reply::decode(&reply[..octets])) {
        Some(Ok(Reply::Connect(reply))) => reply.connection,
        other => panic!("a connect was answered by {other:?}"),
    }
}
