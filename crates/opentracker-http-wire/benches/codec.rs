//! What the codec costs a tracker per request.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentracker_http_wire::{AnnounceQuery, AnnounceReply, Peers, ScrapeQuery, ScrapeReply};
use opentracker_types::{InfoHash, SwarmCounts};

const COUNTS: SwarmCounts = SwarmCounts {
    seeders: 123,
    leechers: 4567,
    downloads: 89012,
};

/// The parameters that common clients send, in an order that one of them has.
const QUERY: &[u8] = b"info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
    &peer_id=-XX0001-abcdefghijkl&port=6881&uploaded=0&downloaded=16384&left=1048576\
    &corrupt=0&key=1A2B3C4D&event=started&numwant=200&compact=1&no_peer_id=1&supportcrypto=1\
    &redundant=0";

fn queries(c: &mut Criterion) {
    let mut group = c.benchmark_group("query");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode announce", |b| {
        b.iter(|| AnnounceQuery::decode(black_box(QUERY)));
    });

    let mut query = Vec::new();
    let info_hashes = (0..64_u8).map(|number| InfoHash::new([number.wrapping_mul(201); 20]));
    ScrapeQuery::new(info_hashes).encode(&mut query);
    group.bench_function("decode scrape of 64", |b| {
        b.iter(|| ScrapeQuery::decode(black_box(&query)));
    });
    group.finish();
}

fn replies(c: &mut Criterion) {
    let mut group = c.benchmark_group("reply");
    group.throughput(Throughput::Elements(1));
    let mut body = Vec::new();

    let v4 = [0x5a; 6 * 50];
    let v6 = [0x5a; 18 * 50];
    let reply = |peers| {
        let mut reply = AnnounceReply::new(COUNTS, 1800, peers);
        reply.min_interval_secs = Some(900);
        reply.external_ip = Some([192, 0, 2, 7].into());
        reply
    };
    for (name, peers) in [
        (
            "encode announce, 50 compact",
            Peers::Compact { v4: &v4, v6: None },
        ),
        (
            "encode announce, list of 50",
            Peers::ToList { v4: &v4, v6: &[] },
        ),
        (
            "encode announce, list of 50 on IPv6",
            Peers::ToList { v4: &[], v6: &v6 },
        ),
    ] {
        let reply = reply(peers);
        group.bench_function(name, |b| {
            b.iter(|| {
                body.clear();
                black_box(&reply).encode(black_box(&mut body));
            });
        });
    }

    let info_hashes: Vec<_> = (0..64).map(|number| InfoHash::new([number; 20])).collect();
    group.bench_function("encode scrape of 64", |b| {
        b.iter(|| {
            body.clear();
            let mut reply = ScrapeReply::begin(&mut body);
            for info_hash in black_box(&info_hashes) {
                reply.entry(&mut body, info_hash, COUNTS);
            }
            reply.end(&mut body, Some(900));
        });
    });

    body.clear();
    reply(Peers::Compact { v4: &v4, v6: None }).encode(&mut body);
    group.bench_function("decode announce, 50 compact", |b| {
        b.iter(|| AnnounceReply::decode(black_box(&body)).is_ok());
    });
    group.finish();
}

criterion_group!(benches, queries, replies);
criterion_main!(benches);
