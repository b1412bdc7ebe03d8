//! What the cluster costs: applying what siblings tell, and telling what clients announce.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use opentracker::core::{Cluster, PeerBuffers, Requester, Rules, Tracker, Worker};
use opentracker::livesync::{Counter, Instance, Key, Keys, Settings, Source, Teller, Transmit};
use opentracker::livesync_wire::{
    HEADER_LEN, LiveRecord, LiveWriter, MAX_SEALABLE_PACKET, PacketBuf, Stamp, SyncLive,
    SyncLiveWriter,
};
use opentracker::types::{AnnounceRequest, InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

const OURS: TrackerId = TrackerId::new(*b"ours");
const THEIRS: TrackerId = TrackerId::new(*b"them");

/// Packets that are applied in turn: 100,000 of 52 records are 5.2 million announces.
const PACKETS: u32 = 100_000;

/// Less than what is taken of one source in a second, which is a bound and not a cost.
const PACKETS_A_SECOND: u32 = 16_384;

/// How many peers a client wants.
const WANT: u32 = 30;

fn tracker() -> Arc<Tracker> {
    Arc::new(Tracker::new(
        Rules::default(),
        Instant::now(),
        &mut StdRng::seed_from_u64(1),
    ))
}

/// Spreads a number over an info hash, as if it were a digest.
fn torrent(number: u32) -> InfoHash {
    let mut octets = [0; InfoHash::LEN];
    let spread = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    octets[..8].copy_from_slice(&spread.to_le_bytes());
    octets[8..12].copy_from_slice(&number.to_le_bytes());
    InfoHash::new(octets)
}

/// The peer and the torrent of an announce, in an order without pattern.
fn record(number: u32, torrents: u32) -> LiveRecord {
    let flags = if number.is_multiple_of(3) {
        PeerFlags::SEEDING
    } else {
        PeerFlags::NONE
    };
    LiveRecord::new(
        torrent(number.wrapping_mul(2_654_435_761) % torrents),
        PeerAddr::new(Ipv4Addr::from_bits(0x2000_0000 + number).into(), 6881),
        flags,
    )
}

fn packets(torrents: u32) -> Vec<Vec<u8>> {
    let records = u32::try_from(SyncLive::MAX_RECORDS).expect("52");
    let packet = |packet: u32| {
        let mut writer = SyncLiveWriter::new(THEIRS);
        for number in 0..records {
            let record = record(packet * records + number, torrents);
            writer.push(&record).expect("it has room for so many");
        }
        writer.take().as_bytes().to_vec()
    };
    (0..PACKETS).map(packet).collect()
}

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(SyncLive::MAX_RECORDS as u64));
    for torrents in [100_000, 1_000_000] {
        let tracker = tracker();
        let start = tracker.start();
        let settings = Settings::default();
        let rng = StdRng::seed_from_u64(1);
        let mut instance = Instance::new(Arc::clone(&tracker), OURS, &settings, None, rng, start);
        let sibling = Source::group(SocketAddr::from(([10, 0, 0, 2], 9696)));
        let packets = packets(torrents);
        let mut number = 0_u32;
        let mut turn = || {
            let packet = &packets[(number % PACKETS) as usize];
            let now = start + Duration::from_secs(u64::from(number / PACKETS_A_SECOND));
            instance.handle_packet(black_box(packet), sibling, now);
            number = number.wrapping_add(1);
        };
        // All peers are known from here on, as most are in a cluster that has run for a while.
        (0..PACKETS).for_each(|_| turn());
        group.bench_function(
            BenchmarkId::new("known peers, torrents", torrents),
            |bencher| {
                bencher.iter(&mut turn);
            },
        );
        let later = start + Duration::from_secs(1_000_000);
        assert_eq!(tracker.totals(later).torrents, u64::from(torrents));
    }
    group.finish();
}

/// Packets of a member, sealed, each with a number of its own. Sealing them is not measured.
fn apply_sealed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    let records = (MAX_SEALABLE_PACKET - HEADER_LEN) / SyncLive::RECORD_LEN;
    group.throughput(Throughput::Elements(records as u64));
    let key = Key::derive(&[1; 32]);
    let tracker = tracker();
    let start = tracker.start();
    let keys = Some(Arc::new(Keys::new(key.clone())));
    let rng = StdRng::seed_from_u64(1);
    let settings = Settings::default().sealed();
    let mut instance = Instance::new(Arc::clone(&tracker), OURS, &settings, keys, rng, start);
    let sibling = Source::group(SocketAddr::from(([10, 0, 0, 2], 9696)));
    let mut number = 0_u32;
    let mut next = || {
        let mut writer = LiveWriter::sync_live(THEIRS).with_max_octets(MAX_SEALABLE_PACKET);
        let first = (number % PACKETS) * 42;
        let mut records = (first..).map(|number| record(number, 1_000_000));
        while records
            .next()
            .is_some_and(|record| writer.push(&record).is_ok())
        {}
        let mut packet = writer.take();
        packet
            .seal(Stamp { time: 0, number }, &key)
            .expect("it has room");
        let now = start + Duration::from_secs(u64::from(number / PACKETS_A_SECOND));
        number = number.wrapping_add(1);
        (packet, now)
    };
    let mut turns = |packets: u64| {
        let mut spent = Duration::ZERO;
        let mut left = packets;
        while left > 0 {
            let some: Vec<_> = (0..left.min(10_000)).map(|_| next()).collect();
            left -= some.len() as u64;
            let begun = Instant::now();
            for (packet, now) in &some {
                instance.handle_packet(black_box(packet.as_bytes()), sibling, *now);
            }
            spent += begun.elapsed();
        }
        spent
    };
    turns(PACKETS.into());
    group.bench_function("known peers, sealed, torrents/1000000", |bencher| {
        bencher.iter_custom(&mut turns);
    });
    assert_eq!(tracker.counters().sum(Counter::Duplicate), 0);
    group.finish();
}

/// A thread that takes what it is handed, as the live-sync thread does, and sends nothing.
#[derive(Debug)]
struct Taker(Sender<PacketBuf>);

impl Taker {
    fn start() -> Self {
        let (sender, packets) = channel();
        thread::spawn(move || packets.iter().for_each(drop));
        Self(sender)
    }
}

impl Transmit for Taker {
    fn transmit(&self, packet: PacketBuf) -> bool {
        self.0.send(packet).is_ok()
    }
}

/// Announces of 3 million clients to a million torrents, each of which comes back after an
/// interval and is told again.
struct Clients {
    worker: Worker,
    start: Instant,
    number: u32,
}

impl Clients {
    const TORRENTS: u32 = 1_000_000;
    const COUNT: u32 = 3_000_000;
    const INTERVAL_SECS: u64 = 1800;

    fn new(is_in_cluster: bool) -> Self {
        let tracker = tracker();
        let cluster = is_in_cluster.then(|| -> Box<dyn Cluster> {
            Box::new(Teller::new(
                Settings::default().peer_sync,
                Taker::start(),
                tracker.counters(),
            ))
        });
        let mut clients = Self {
            start: tracker.start(),
            worker: Worker::new(tracker, 1, cluster),
            number: 0,
        };
        (0..Self::COUNT).for_each(|_| clients.turn());
        clients
    }

    fn turn(&mut self) {
        let record = record(self.number % Self::COUNT, Self::TORRENTS);
        let elapsed = u64::from(self.number) * Self::INTERVAL_SECS / u64::from(Self::COUNT);
        let now = self.start + Duration::from_secs(elapsed);
        let request = AnnounceRequest::new(record.info_hash, record.peer.port())
            .with_left(u64::from(record.flags == PeerFlags::NONE))
            .with_num_want(WANT);
        let mut octets = [0; 6 * WANT as usize];
        let mut peers = PeerBuffers::v4(&mut octets);
        let reply =
            self.worker
                .announce(&request, &Requester::new(record.peer.ip()), now, &mut peers);
        black_box((reply.is_ok(), octets));
        self.number += 1;
    }
}

fn announce(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("announce");
    group.throughput(Throughput::Elements(1));
    for (name, is_in_cluster) in [("alone", false), ("in a cluster", true)] {
        let mut clients = Clients::new(is_in_cluster);
        group.bench_function(name, |bencher| bencher.iter(|| clients.turn()));
    }
    group.finish();
}

criterion_group!(benches, apply, apply_sealed, announce);
criterion_main!(benches);
