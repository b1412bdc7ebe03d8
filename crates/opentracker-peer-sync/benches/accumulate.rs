//! What telling the cluster adds to an announce; the throughput is in announces.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentracker_livesync_wire::LiveRecord;
use opentracker_peer_sync::{Accumulator, Settings};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

fn announce(c: &mut Criterion) {
    let mut group = c.benchmark_group("announce");
    group.throughput(Throughput::Elements(1));
    let now = Instant::now();
    for (name, ip) in [("ipv4", "198.51.100.23"), ("ipv6", "2001:db8::17")] {
        let peer = PeerAddr::new(ip.parse().expect("a literal address"), 6881);
        let record = LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::SEEDING);
        let mut accumulator = Accumulator::new(Settings::default());
        group.bench_function(name, |b| {
            b.iter(|| {
                accumulator.handle_announce(black_box(&record), now);
                if let Some(output) = accumulator.poll_output() {
                    black_box(output);
                }
            });
        });
    }
}

criterion_group!(benches, announce);
criterion_main!(benches);
