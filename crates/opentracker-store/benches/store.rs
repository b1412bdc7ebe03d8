//! What an announce, a scrape and a sweep cost, in stores of the sizes that trackers have.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use opentracker_store::{
    Announce, Minute, Moment, PeerBuffers, Picker, Presence, Store, Sweeper, Timing,
};
use opentracker_types::{InfoHash, PeerAddr};

const SEED: [u8; 32] = [0x5a; 32];
const WANT: usize = 30;
const BATCH: u32 = 64;

/// Announces of `peers` peers spread over `torrents` torrents, in an order without pattern.
struct Population {
    torrents: u32,
    peers: u32,
}

impl Population {
    /// The announce with a number; numbers go through all peers.
    fn announce(&self, store: &Store, number: u32) -> Announce {
        // A permutation of all peers: multiplication with an odd number modulo a power of two.
        let number = number % self.peers;
        let torrent = number.wrapping_mul(2_654_435_761) % self.torrents;
        let address = 0x2000_0000 + number / 7;
        let mut info_hash = [0; 20];
        let spread = u64::from(torrent).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        info_hash[..8].copy_from_slice(&spread.to_le_bytes());
        info_hash[8..12].copy_from_slice(&torrent.to_le_bytes());
        Announce {
            key: store.key(&InfoHash::new(info_hash)),
            peer: PeerAddr::new(
                Ipv4Addr::from_bits(address).into(),
                1024 + u16::try_from(number % 7).expect("below 7"),
            ),
            presence: Presence::Here {
                seeding: number.is_multiple_of(3),
                completed: false,
            },
        }
    }

    fn store(&self) -> Store {
        let store = Store::new(SEED);
        let mut picker = Picker::new(1);
        for number in 0..self.peers {
            let mut none = PeerBuffers::v4(&mut []);
            store.announce(
                &self.announce(&store, number),
                &now(),
                0,
                &mut picker,
                &mut none,
            );
        }
        store
    }
}

fn now() -> Moment {
    Moment::new(Minute::new(100), &Timing::default())
}

const POPULATIONS: [(&str, Population); 4] = [
    (
        "1M torrents of 3",
        Population {
            torrents: 1_000_000,
            peers: 3_000_000,
        },
    ),
    (
        "100k torrents of 52",
        Population {
            torrents: 100_000,
            peers: 5_200_000,
        },
    ),
    (
        "10k torrents of 290",
        Population {
            torrents: 10_000,
            peers: 2_900_000,
        },
    ),
    (
        "one of 1M",
        Population {
            torrents: 1,
            peers: 1_000_000,
        },
    ),
];

fn announces(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("announce");
    group.throughput(Throughput::Elements(1));
    for (name, population) in POPULATIONS {
        let store = population.store();
        let mut picker = Picker::new(1);
        let mut reply = [0; 6 * WANT];
        let mut number = 0_u32;
        let moment = now();
        group.bench_function(BenchmarkId::new("known peer", name), |bencher| {
            bencher.iter(|| {
                number = number.wrapping_add(7_919);
                let mut out = PeerBuffers::v4(&mut reply);
                let announce = population.announce(&store, number);
                black_box(store.announce(&announce, &moment, WANT, &mut picker, &mut out))
            });
        });
        group.bench_function(BenchmarkId::new("apply", name), |bencher| {
            bencher.iter(|| {
                number = number.wrapping_add(7_919);
                black_box(store.apply(&population.announce(&store, number), &moment))
            });
        });
        group.bench_function(BenchmarkId::new("scrape", name), |bencher| {
            bencher.iter(|| {
                number = number.wrapping_add(7_919);
                black_box(store.scrape(&population.announce(&store, number).key))
            });
        });
    }
    group.finish();
}

/// As a thread of the UDP front end and live sync do it: each batch is prefetched.
fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch of 64");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    for (name, population) in POPULATIONS {
        let store = population.store();
        let mut picker = Picker::new(1);
        let mut reply = [0; 6 * WANT];
        let mut number = 0_u32;
        let moment = now();
        let mut next = || {
            let next = |_| {
                number = number.wrapping_add(7_919);
                population.announce(&store, number)
            };
            let batch: Vec<Announce> = (0..BATCH).map(next).collect();
            batch
        };
        let upcoming = |announce: &Announce| (announce.key, announce.peer);
        group.bench_function(BenchmarkId::new("known peers", name), |bencher| {
            bencher.iter(|| {
                let batch = next();
                store.prefetch_announces(batch.iter().map(upcoming));
                for announce in &batch {
                    let mut out = PeerBuffers::v4(&mut reply);
                    black_box(store.announce(announce, &moment, WANT, &mut picker, &mut out));
                }
            });
        });
        group.bench_function(BenchmarkId::new("apply", name), |bencher| {
            bencher.iter(|| {
                let batch = next();
                store.prefetch_applied(batch.iter().map(upcoming));
                for announce in &batch {
                    black_box(store.apply(announce, &moment));
                }
            });
        });
    }
    group.finish();
}

fn sweeps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sweep");
    group.sample_size(10);
    for (name, population) in POPULATIONS {
        let store = population.store();
        let mut sweeper = Sweeper::new();
        group.throughput(Throughput::Elements(u64::from(population.peers)));
        group.bench_function(BenchmarkId::new("nobody timed out", name), |bencher| {
            bencher.iter(|| while sweeper.step(&store, &now()).is_none() {});
        });
    }
    group.finish();
}

criterion_group!(benches, announces, batches, sweeps);
criterion_main!(benches);
