//! What the access lists cost an announce.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use ipnet::IpNet;
use opentracker_core::{AccessLists, Networks, PeerBuffers, Requester, Rules, Tracker, Worker};
use opentracker_types::{AnnounceRequest, InfoHash};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Announces that come in turn, each of another address and torrent.
const CLIENTS: usize = 1 << 16;

/// Networks of a length, drawn from a seed.
fn networks(count: usize, rng: &mut StdRng) -> Networks {
    let network = |number: usize| {
        if number.is_multiple_of(2) {
            IpNet::new(Ipv4Addr::from_bits(rng.next_u32()).into(), 24)
        } else {
            let bits = u128::from(rng.next_u64() >> 3) << 64;
            IpNet::new(Ipv6Addr::from_bits(0x2000 << 112 | bits).into(), 48)
        }
    };
    Networks::new(
        (0..count)
            .map(network)
            .map(|network| network.expect("the length fits")),
    )
}

fn clients(rng: &mut StdRng) -> Vec<IpAddr> {
    let address = |_| Ipv4Addr::from_bits(rng.next_u32() | 0x0100_0000).into();
    (0..CLIENTS).map(address).collect()
}

fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("networks");
    for count in [1, 1_000, 100_000] {
        let mut rng = StdRng::seed_from_u64(1);
        let networks = networks(count, &mut rng);
        let clients = clients(&mut rng);
        let mut turn = clients.iter().cycle();
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| networks.contains(black_box(*turn.next().expect("it goes on"))));
        });
    }
}

fn announces(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("announce");
    for count in [0, 1_000, 100_000] {
        let mut rng = StdRng::seed_from_u64(1);
        let networks = networks(count, &mut rng);
        let requests: Vec<_> = clients(&mut rng)
            .into_iter()
            .map(|ip| {
                let mut torrent = [0; InfoHash::LEN];
                rng.fill_bytes(&mut torrent[..2]);
                let request = AnnounceRequest::new(InfoHash::new(torrent), 6881);
                (request, Requester::new(ip))
            })
            .collect();
        let lists = AccessLists {
            deny_networks: (count > 0).then_some(networks),
            ..AccessLists::default()
        };
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let now = Instant::now();
        let rules = Rules::new(Default::default(), lists);
        let mut worker = Worker::new(Arc::new(Tracker::new(rules, now, &mut rng)), 1, None);
        let mut turn = requests.iter().cycle();
        let mut octets = [0; 300];
        group.bench_function(format!("{count} networks"), |bencher| {
            bencher.iter(|| {
                let (request, requester) = turn.next().expect("it goes on");
                let mut peers = PeerBuffers::v4(&mut octets);
                worker.announce(request, requester, now, &mut peers)
            });
        });
    }
}

criterion_group!(benches, lookups, announces);
criterion_main!(benches);
