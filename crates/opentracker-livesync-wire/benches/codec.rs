//! What a full packet costs to encode and to decode; the throughput is in records.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentracker_livesync_wire::{
    LiveRecord, Packet, PacketBuf, ScrapeTell, ScrapeTellWriter, SyncLive, SyncLive6,
    SyncLive6Writer, SyncLiveWriter, TellRecord,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};

const SENDER: TrackerId = TrackerId::new([1, 2, 3, 4]);

fn sync_live(c: &mut Criterion) {
    let record = live_record("198.51.100.23");
    let mut writer = SyncLiveWriter::new(SENDER);
    bench(c, "sync_live", SyncLive::MAX_RECORDS, || {
        while writer.push(black_box(&record)).is_ok() {}
        writer.take()
    });
}

fn sync_live6(c: &mut Criterion) {
    let record = live_record("2001:db8::17");
    let mut writer = SyncLive6Writer::new(SENDER);
    bench(c, "sync_live6", SyncLive6::MAX_RECORDS, || {
        while writer.push(black_box(&record)).is_ok() {}
        writer.take()
    });
}

fn scrape_tell(c: &mut Criterion) {
    let record = TellRecord::new(InfoHash::new([7; 20]), 30, 12_345);
    let mut writer = ScrapeTellWriter::new(SENDER);
    bench(c, "scrape_tell", ScrapeTell::MAX_RECORDS, || {
        while writer.push(black_box(&record)).is_ok() {}
        writer.take()
    });
}

fn bench(c: &mut Criterion, name: &str, records: usize, mut encode: impl FnMut() -> PacketBuf) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(records as u64));
    let packet = encode();
    group.bench_function("encode", |b| b.iter(&mut encode));
    group.bench_function("decode", |b| {
        b.iter(|| decode(black_box(packet.as_bytes())));
    });
}

fn decode(datagram: &[u8]) {
    match Packet::decode(datagram).expect("a writer writes packets") {
        Packet::SyncLive(live) => live.records().for_each(|record| {
            black_box(record);
        }),
        Packet::SyncLive6(live) => live.records().for_each(|record| {
            black_box(record);
        }),
        Packet::ScrapeTell(tell) => tell.records().for_each(|record| {
            black_box(record);
        }),
        Packet::Beacon(_) | Packet::Inquire(_) => unreachable!("these have no records"),
    }
}

fn live_record(ip: &str) -> LiveRecord {
    let peer = PeerAddr::new(ip.parse().expect("a literal address"), 6881);
    LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::SEEDING)
}

criterion_group!(benches, sync_live, sync_live6, scrape_tell);
criterion_main!(benches);
