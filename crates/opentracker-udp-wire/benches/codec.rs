//! What the codec costs on the paths that a tracker and a load generator drive hardest.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentracker_types::{AnnounceRequest as Announce, Event, InfoHash, PeerId, SwarmCounts};
use opentracker_udp_wire::{
    AnnounceOptions, AnnounceReply, AnnounceRequest, Reply, Request, ScrapeReply, ScrapeRequest,
    TransactionId,
};

const COUNTS: SwarmCounts = SwarmCounts {
    seeders: 12,
    leechers: 34,
    downloads: 56,
};

fn announce() -> AnnounceRequest<'static> {
    let announce = Announce::new(InfoHash::new(*b"aaaaaaaaaaaaaaaaaaaa"), 6881)
        .with_peer_id(PeerId::new(*b"-XX0001-abcdefghijkl"))
        .with_left(1 << 32)
        .with_event(Event::Started)
        .with_num_want(50);
    let (connection, transaction) = (0x0123_4567_89ab_cdef.into(), 0x0bad_cafe.into());
    AnnounceRequest {
        downloaded: 65536,
        uploaded: 16384,
        key: 0xdead_beef,
        options: AnnounceOptions::new(b"\x02\x09/announce"),
        ..AnnounceRequest::new(connection, transaction, announce)
    }
}

fn tracker(c: &mut Criterion) {
    let mut group = c.benchmark_group("tracker");
    group.throughput(Throughput::Elements(1));

    let mut packet = [0; 200];
    let octets = announce()
        .encode(&mut packet)
        .expect("200 octets are enough");
    let packet = &packet[..octets];
    group.bench_function("decode announce", |b| {
        b.iter(|| Request::decode(black_box(packet)));
    });

    let mut buffer = [0; 1232];
    let peers = [0x5a; 300];
    group.bench_function("build announce reply of 50 peers", |b| {
        b.iter(|| {
            let mut reply = AnnounceReply::begin(black_box(&mut buffer)).expect("1232 octets");
            reply.peers_area()[..300].copy_from_slice(black_box(&peers));
            let transaction = TransactionId::new(black_box([1, 2, 3, 4]));
            reply.finish(transaction, black_box(1800), black_box(COUNTS), 300)
        });
    });

    let hashes = [[0x5a; InfoHash::LEN]; ScrapeRequest::MAX_INFO_HASHES];
    let mut packet = [0; 1500];
    let octets = ScrapeRequest::new(1.into(), 2.into(), &hashes)
        .expect("74 are allowed")
        .encode(&mut packet)
        .expect("1500 octets are enough");
    let packet = &packet[..octets];
    group.bench_function("scrape of 74", |b| {
        b.iter(|| {
            let Ok(Request::Scrape(request)) = Request::decode(black_box(packet)) else {
                panic!("the packet is a scrape");
            };
            let mut reply = ScrapeReply::begin(black_box(&mut buffer), request.transaction())
                .expect("1232 octets");
            for info_hash in request.info_hashes() {
                black_box(info_hash);
                if !reply.push(black_box(COUNTS)) {
                    break;
                }
            }
            reply.finish()
        });
    });
    group.finish();
}

fn client(c: &mut Criterion) {
    let mut group = c.benchmark_group("client");
    group.throughput(Throughput::Elements(1));

    let mut buffer = [0; 200];
    let request = announce();
    group.bench_function("encode announce", |b| {
        b.iter(|| black_box(&request).encode(black_box(&mut buffer)));
    });

    let mut buffer = [0x5a; 1232];
    let reply = AnnounceReply::begin(&mut buffer).expect("1232 octets are enough");
    let octets = reply.finish(7.into(), 1800, COUNTS, 300);
    let packet = &buffer[..octets];
    group.bench_function("decode announce reply", |b| {
        b.iter(|| Reply::decode(black_box(packet)));
    });
    group.finish();
}

criterion_group!(benches, tracker, client);
criterion_main!(benches);
