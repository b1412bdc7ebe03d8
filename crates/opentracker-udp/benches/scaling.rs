//! How much more two threads answer than one, the kernel left out.
//!
//! `cargo bench --package opentracker-udp --bench scaling -- THREADS…`
//!
//! Each thread has its own handler on a tracker that all share, and handles announces of three
//! million peers to a million torrents, popular by Zipf's law and then all alike, in batches as a
//! thread of the server does. Two threads on two processors answer twice as much unless they wait
//! for each other, for a lock or for a cache line. A machine with more processors than threads is
//! needed for the rest: over sockets, the load takes a processor of its own.

mod shared;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Barrier;
use std::time::Instant;

use opentracker_types::{Event, InfoHash};
use opentracker_udp::Handler;
use opentracker_udp_wire::{AnnounceRequest, ConnectRequest, Reply, TransactionId};
use rand::rngs::{SmallRng, StdRng};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use shared::{Batch, MAX_PAYLOAD, PORT};

const TORRENTS: f64 = 1e6;
const PEERS: u32 = 3_000_000;
const ROUNDS: usize = 5;

/// Announces of a thread in a round.
const ROUND: usize = 200_000;

type Datagram = ([u8; AnnounceRequest::WIRE_LEN], SocketAddr);

fn main() {
    let counts: Vec<usize> = std::env::args()
        .skip(1)
        // `cargo bench` adds a flag of its own.
        .filter(|argument| argument != "--bench")
        .map(|argument| {
            argument
                .parse()
                .expect("the arguments are numbers of threads")
        })
        .collect();
    let counts = if counts.is_empty() {
        vec![1, 2]
    } else {
        counts
    };
    for popularity in [Popularity::Zipf, Popularity::Uniform] {
        println!("{popularity:?}:");
        compare(&counts, popularity);
    }
}

/// How often a torrent is announced.
#[derive(Debug, Clone, Copy)]
enum Popularity {
    Zipf,
    Uniform,
}

fn compare(counts: &[usize], popularity: Popularity) {
    let most = counts.iter().copied().max().unwrap_or(1);
    let tracker = shared::tracker(&mut StdRng::seed_from_u64(1));
    let mut handlers = shared::handlers(&tracker, 0..most as u64);
    let mut datagrams = datagrams(popularity, &mut handlers[0], tracker.start());
    // All peers are known from here on.
    handle(&mut handlers[0], &datagrams, tracker.start());
    datagrams.shuffle(&mut SmallRng::seed_from_u64(2));

    let mut medians: Vec<Vec<f64>> = vec![Vec::new(); counts.len()];
    for round in 0..ROUNDS {
        for (&count, rates) in counts.iter().zip(&mut medians) {
            let parts: Vec<_> = datagrams
                .chunks_exact(ROUND)
                .cycle()
                .skip(round * most)
                .take(count)
                .collect();
            rates.push(rate(&mut handlers[..count], &parts, tracker.start()));
        }
    }
    let mut least = None;
    for (count, mut rates) in counts.iter().zip(medians) {
        rates.sort_by(f64::total_cmp);
        let median = rates[ROUNDS / 2];
        let least = *least.get_or_insert(median);
        println!(
            "{count} threads: {median:.0} announces/s, {:.2} times the first",
            median / least
        );
    }
}

/// Answers of all threads a second.
fn rate(handlers: &mut [Handler], parts: &[&[Datagram]], now: Instant) -> f64 {
    let barrier = Barrier::new(handlers.len() + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = handlers
            .iter_mut()
            .zip(parts)
            .map(|(handler, part)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    handle(handler, part, now);
                })
            })
            .collect();
        barrier.wait();
        let begin = Instant::now();
        for thread in threads {
            thread.join().expect("it does not panic");
        }
        (parts.len() * ROUND) as f64 / begin.elapsed().as_secs_f64()
    })
}

fn handle(handler: &mut Handler, datagrams: &[Datagram], now: Instant) {
    let mut batch = Batch::new();
    let mut rest = datagrams
        .iter()
        .map(|(octets, source)| (&octets[..], *source));
    while batch.fill(&mut rest) {
        handler.handle_batch(&mut batch, now);
        let is_answered = |(_, action): &(usize, u8)| *action == 1;
        assert_eq!(batch.replied.len(), batch.requests.len());
        assert!(
            batch.replied.iter().all(is_answered),
            "an announce was refused"
        );
    }
}

/// An announce of every peer.
fn datagrams(popularity: Popularity, handler: &mut Handler, now: Instant) -> Vec<Datagram> {
    let mut connect = [0; ConnectRequest::WIRE_LEN];
    let request = ConnectRequest {
        transaction: TransactionId::from(1),
    };
    request.encode(&mut connect).expect("there is room");
    let mut rng = SmallRng::seed_from_u64(3);
    let mut datagram = |number| {
        let ip = Ipv4Addr::from_bits(0x2000_0000 + number);
        let chance = f64::from(rng.next_u32()) / f64::from(u32::MAX);
        let rank = match popularity {
            // The r-th torrent with a probability of about 1/r.
            Popularity::Zipf => TORRENTS.powf(chance).floor(),
            Popularity::Uniform => (TORRENTS * chance).floor(),
        };
        let mut info_hash = [0; InfoHash::LEN];
        info_hash[..8].copy_from_slice(&rank.to_le_bytes());
        let source = SocketAddr::from((ip, PORT));
        let mut reply = [0; MAX_PAYLOAD];
        let octets = handler.handle(&connect, source, now, &mut reply);
        let Some(Ok(Reply::Connect(reply))) = octets.map(|octets| Reply::decode(&reply[..octets]))
        else {
            panic!("a connect was not answered")
        };
        let id = reply.connection;
        let octets = shared::announce(id, info_hash, number as usize, Event::None);
        (octets, source)
    };
    (0..PEERS).map(&mut datagram).collect()
}
