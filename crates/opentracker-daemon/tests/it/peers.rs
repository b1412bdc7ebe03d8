//! Section "Peers" of the contract, over both protocols.
//!
//! | sentence | tests |
//! |---|---|
//! | a peer is address and port, per info hash | `a_peer_is_an_address_and_a_port_per_info_hash`, `a_peer_is_the_same_over_both_protocols` |
//! | selection is uniform over the others | `every_other_peer_is_as_likely`, `every_pair_of_peers_is_as_likely`, `neighbours_in_a_large_swarm_are_no_likelier` |
//! | without replacement | `no_peer_comes_twice` |
//! | over the others: the announcer is never in its own list | `the_announcer_is_not_in_its_own_list` |
//! | a seeder gets leechers only; a leecher gets leechers and seeders mixed | `seeders_get_leechers_and_leechers_get_both` |
//! | `left == 0` is a seeder | `left_0_is_a_seeder` |
//! | `stopped` removes at once, and gets empty lists | `stopped_removes_at_once` |
//! | addresses that cannot be a peer are refused | `addresses_that_cannot_be_a_peer_are_refused` |
//! | loopback and private ones are served only to a requester of the same scope | `local_peers_are_served_to_their_like_alone` |
//! | so a LAN tracker works | `peers_of_a_site_find_each_other` |
//! | a peer that changes sides is counted once | `a_leecher_becomes_a_seeder_and_back` |
//! | `completed` counts once per peer, and only from a peer that has `left=0` | `completed_counts_once_and_from_seeders_alone` |
//! | a torrent whose only peers came and went is forgotten with them, `completed` or not | `what_one_address_makes_up_is_forgotten` |
//! | until it has been seen by peers of two prefixes | `downloads_stay_when_peers_of_two_addresses_go` |

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::datagram::{Announce, COMPLETED, Client, Counts, Reply, STARTED, STOPPED};
use crate::metrics::Metrics;
use crate::program::{Setup, Tracker};
use crate::request::{self, Announced};

const TORRENT: [u8; 20] = [0xab; 20];

/// The sizes of swarms that a tracker might hold in different ways.
const SIZES: [u16; 6] = [1, 2, 4, 20, 100, 1000];

fn tracker() -> Tracker {
    let mut setup = Setup::udp();
    setup
        .set("announce.numwant_max", 1000)
        .set("udp.max_payload", 9000);
    setup.start()
}

/// A client that announces many peers, which differ in their ports.
struct Crowd {
    client: Client,
    connection: u64,
}

impl Crowd {
    fn of(tracker: &Tracker) -> Self {
        let client = Client::of(tracker.udp());
        let connection = client.connect();
        Self { client, connection }
    }

    fn announce(&self, announce: &Announce) -> BTreeSet<u16> {
        let connection = self.connection;
        match self
            .client
            .ask(|transaction| announce.octets(connection, transaction))
        {
            Reply::Announce(announced) => announced.ports(),
            other => panic!("no reply to an announce: {other:?}"),
        }
    }

    /// Announces leechers at ports from 1000 on.
    fn fill(&self, peers: u16) {
        for port in 1000..1000 + peers {
            self.announce(&Announce::new(TORRENT, port).want(0));
        }
    }
}

#[test]
fn a_peer_is_an_address_and_a_port_per_info_hash() {
    let tracker = tracker();
    let [one, two] = ["127.0.0.1", "127.0.0.2"].map(|ip| Client::at(ip, tracker.udp()));
    for _ in 0..3 {
        one.announce(&Announce::new(TORRENT, 1000));
        one.announce(&Announce::new(TORRENT, 1001));
        two.announce(&Announce::new(TORRENT, 1000));
    }
    one.announce(&Announce::new([1; 20], 1000));
    // Another peer id does not make another peer.
    let renamed = Announce {
        peer_id: [b'x'; 20],
        ..Announce::new(TORRENT, 1000)
    };
    let announced = one.announce(&renamed);
    assert_eq!(announced.leechers, 3);
    let peers: BTreeSet<_> = announced.peers.iter().map(ToString::to_string).collect();
    assert_eq!(
        peers,
        ["127.0.0.1:1001".to_owned(), "127.0.0.2:1000".to_owned()].into()
    );
    let announced = one.announce(&Announce::new([1; 20], 1000));
    assert_eq!((announced.leechers, announced.peers.len()), (1, 0));
}

#[test]
fn a_peer_is_the_same_over_both_protocols() {
    let tracker = Setup::new().start();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1000));
    client.announce(&Announce::new(TORRENT, 1001));
    let reply = request::get(tracker.http(), &request::announce(&TORRENT, 1000, "left=5"));
    let announced = reply.announced();
    assert_eq!((announced.complete, announced.incomplete), (0, 2));
    assert_eq!(announced.peers, ["127.0.0.1:1001".parse().unwrap()]);
    request::get(tracker.http(), &request::announce(&TORRENT, 1002, "left=0")).announced();
    let announced = client.announce(&Announce::new(TORRENT, 1000));
    assert_eq!((announced.seeders, announced.leechers), (1, 2));
    assert_eq!(announced.ports(), [1001, 1002].into());
    // Its download counts once, too.
    client.announce(&Announce::new(TORRENT, 1001).seeding().event(COMPLETED));
    let target = request::announce(&TORRENT, 1001, "left=0&event=completed");
    let announced = request::get(tracker.http(), &target).announced();
    assert_eq!((announced.complete, announced.downloaded), (2, 1));
}

/// Draws so often that each of the possible outcomes is expected `mean` times, and checks that
/// each is within eight standard deviations of that, which a fair tracker leaves once in 10¹⁴
/// draws.
fn assert_fair<T: Ord + std::fmt::Debug>(outcomes: &BTreeMap<T, u32>, possible: usize, mean: f64) {
    assert_eq!(outcomes.len(), possible, "each comes at some time");
    for (outcome, times) in outcomes {
        let off = (f64::from(*times) - mean).abs();
        assert!(
            off < 8.0 * mean.sqrt(),
            "{outcome:?} came {times} times, not {mean}"
        );
    }
}

#[test]
fn every_other_peer_is_as_likely() {
    for (size, want, draws) in [
        (3, 1, 1000),
        (20, 5, 2000),
        (200, 50, 2000),
        (1000, 200, 1000),
    ] {
        let tracker = tracker();
        let crowd = Crowd::of(&tracker);
        crowd.fill(size);
        let mut times = BTreeMap::new();
        for _ in 0..draws {
            for port in crowd.announce(&Announce::new(TORRENT, 1).want(want)) {
                *times.entry(port).or_default() += 1;
            }
        }
        let mean = f64::from(draws * want) / f64::from(size);
        assert_fair(&times, size.into(), mean);
    }
}

#[test]
fn every_pair_of_peers_is_as_likely() {
    let tracker = tracker();
    let crowd = Crowd::of(&tracker);
    crowd.fill(12);
    let mut times = BTreeMap::new();
    let pairs = 12 * 11 / 2;
    for _ in 0..pairs * 100 {
        let pair = crowd.announce(&Announce::new(TORRENT, 1).want(2));
        assert_eq!(pair.len(), 2);
        *times.entry(pair).or_default() += 1;
    }
    assert_fair(&times, pairs, 100.0);
}

#[test]
fn neighbours_in_a_large_swarm_are_no_likelier() {
    let tracker = tracker();
    let crowd = Crowd::of(&tracker);
    crowd.fill(500);
    let draws = 5000;
    let are_neighbours = |pair: &BTreeSet<u16>| pair.last().unwrap() - pair.first().unwrap() == 1;
    let pairs = (0..draws).map(|_| crowd.announce(&Announce::new(TORRENT, 1).want(2)));
    let neighbours = pairs.filter(are_neighbours).count();
    // Of 500 · 499 / 2 pairs 499 are neighbours: 20 of 5000.
    assert!((1..60).contains(&neighbours), "{neighbours} of {draws}");
}

#[test]
fn no_peer_comes_twice() {
    for size in SIZES {
        let tracker = tracker();
        let crowd = Crowd::of(&tracker);
        crowd.fill(size);
        for want in [1, size / 2, size - 1, size, size + 1] {
            for _ in 0..20 {
                // `ports` fails where a peer comes twice.
                let ports = crowd.announce(&Announce::new(TORRENT, 1).want(want.into()));
                assert_eq!(ports.len(), usize::from(want.min(size)), "{want} of {size}");
            }
        }
    }
}

#[test]
fn the_announcer_is_not_in_its_own_list() {
    for size in SIZES {
        let tracker = tracker();
        let crowd = Crowd::of(&tracker);
        crowd.fill(size);
        for port in 1000..1000 + size {
            let ports = crowd.announce(&Announce::new(TORRENT, port).want(1000));
            assert!(!ports.contains(&port), "{port} of {size}");
            assert_eq!(ports.len(), usize::from(size) - 1);
        }
    }
}

#[test]
fn seeders_get_leechers_and_leechers_get_both() {
    for size in SIZES {
        let tracker = tracker();
        let crowd = Crowd::of(&tracker);
        let leechers: BTreeSet<_> = (1000..1000 + size).collect();
        let seeders: BTreeSet<_> = (3000..3000 + size).collect();
        // Leechers and seeders come in turn.
        for (&leecher, &seeder) in leechers.iter().zip(&seeders) {
            crowd.announce(&Announce::new(TORRENT, leecher).want(0));
            crowd.announce(&Announce::new(TORRENT, seeder).seeding().want(0));
        }
        // A reply holds 1000 peers at most.
        let all: BTreeSet<_> = leechers.union(&seeders).copied().collect();
        let want = 1000;
        let got = crowd.announce(&Announce::new(TORRENT, 1).seeding().want(want));
        assert_eq!(got, leechers, "{size}");
        let got = crowd.announce(&Announce::new(TORRENT, 1).want(want));
        assert!(got.is_subset(&all), "{size}");
        assert_eq!(got.len(), all.len().min(1000), "{size}");
        // Also where there are more than it wants, and in no order.
        let few = i32::from(size.min(10));
        let mut mixed = BTreeSet::new();
        for _ in 0..100 {
            let got = crowd.announce(&Announce::new(TORRENT, 1).seeding().want(few));
            assert!(got.is_subset(&leechers) && got.len() == usize::from(size.min(10)));
            mixed.extend(crowd.announce(&Announce::new(TORRENT, 1).want(few)));
        }
        assert!(
            !mixed.is_disjoint(&leechers) && !mixed.is_disjoint(&seeders),
            "{size}"
        );
    }
}

#[test]
fn left_0_is_a_seeder() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let mut expected = Counts::default();
    for (port, left) in [(1, 0), (2, 1), (3, u64::from(u32::MAX) + 1), (4, u64::MAX)] {
        client.announce(&Announce {
            left,
            ..Announce::new(TORRENT, port)
        });
        expected.seeders += u32::from(left == 0);
        expected.leechers += u32::from(left != 0);
        assert_eq!(client.scrape(&[TORRENT]), [expected]);
    }
}

#[test]
fn stopped_removes_at_once() {
    for size in SIZES {
        let tracker = tracker();
        let crowd = Crowd::of(&tracker);
        crowd.fill(size);
        let ports: BTreeSet<_> = (1000..1000 + size).collect();
        let mut left = ports.clone();
        // From both ends, so that no order of the tracker's makes it easy.
        for port in ports
            .iter()
            .copied()
            .filter(|port| port % 3 == 0)
            .chain([999])
        {
            let goodbye = Announce::new(TORRENT, port).event(STOPPED).want(50);
            assert!(
                crowd.announce(&goodbye).is_empty(),
                "no peers for one that goes"
            );
            left.remove(&port);
            let got = crowd.announce(&Announce::new(TORRENT, 1).want(1000));
            assert_eq!(got, left, "{port} of {size}");
        }
    }
}

#[test]
fn a_leecher_becomes_a_seeder_and_back() {
    for size in SIZES {
        let tracker = tracker();
        let crowd = Crowd::of(&tracker);
        crowd.fill(size);
        let size = u32::from(size);
        let counts = |seeders, leechers| Counts {
            seeders,
            leechers,
            downloads: 0,
        };
        let last = Announce::new(TORRENT, 1000);
        for _ in 0..2 {
            let announced = crowd
                .client
                .announce(&last.clone().seeding().event(STARTED));
            assert_eq!((announced.seeders, announced.leechers), (1, size - 1));
            assert_eq!(crowd.client.scrape(&[TORRENT]), [counts(1, size - 1)]);
            let announced = crowd.client.announce(&last);
            assert_eq!((announced.seeders, announced.leechers), (0, size));
            assert_eq!(crowd.client.scrape(&[TORRENT]), [counts(0, size)]);
        }
    }
}

#[test]
fn completed_counts_once_and_from_seeders_alone() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let downloads = || client.scrape(&[TORRENT])[0].downloads;
    let leecher = Announce::new(TORRENT, 1000);
    let seeder = leecher.clone().seeding();
    client.announce(&leecher.clone().event(STARTED));
    client.announce(&leecher.clone().event(COMPLETED));
    assert_eq!(downloads(), 0, "it is still a leecher");
    client.announce(&seeder.clone().event(COMPLETED));
    assert_eq!(downloads(), 1);
    client.announce(&seeder.clone().event(COMPLETED));
    client.announce(&seeder);
    client.announce(&seeder.event(COMPLETED));
    assert_eq!(downloads(), 1, "once per peer");
    client.announce(&Announce::new(TORRENT, 1001).seeding());
    assert_eq!(downloads(), 1, "a seeder from the start has not completed");
    client.announce(&Announce::new(TORRENT, 1002).seeding().event(COMPLETED));
    assert_eq!(downloads(), 2, "another peer");
}

#[test]
fn what_one_address_makes_up_is_forgotten() {
    let tracker = Setup::new().start();
    let client = Client::of(tracker.udp());
    for number in 0..200_u8 {
        let info_hash = [number; 20];
        // Nor does another port make it another address.
        for port in [1000, 1001] {
            let seeder = Announce::new(info_hash, port).seeding();
            client.announce(&seeder.clone().event(COMPLETED));
            assert_eq!(client.scrape(&[info_hash])[0].downloads, 1);
            client.announce(&seeder.event(STOPPED));
            assert_eq!(client.scrape(&[info_hash]), [Counts::default()]);
        }
    }
    let metrics = Metrics::of(tracker.http());
    assert_eq!(metrics.get("opentracker_torrents"), 0);
    assert_eq!(metrics.get("opentracker_completed_total"), 400);
}

#[test]
fn downloads_stay_when_peers_of_two_addresses_go() {
    let tracker = tracker();
    let [one, two] = ["127.0.0.1", "127.0.0.2"].map(|ip| Client::at(ip, tracker.udp()));
    let seeder = Announce::new(TORRENT, 1000).seeding();
    let leecher = Announce::new(TORRENT, 1000);
    let expected = Counts {
        downloads: 1,
        ..Counts::default()
    };
    one.announce(&seeder.clone().event(COMPLETED));
    two.announce(&leecher.clone().event(STARTED));
    one.announce(&seeder.event(STOPPED));
    two.announce(&leecher.event(STOPPED));
    assert_eq!(one.scrape(&[TORRENT]), [expected]);
}

/// A tracker whose clients come from any address, through a proxy at 127.0.0.1.
fn behind_proxy() -> Tracker {
    let mut setup = Setup::new();
    setup.set("http.trusted_proxies", ["127.0.0.1"]);
    setup.start()
}

/// Announces from any address.
fn announce_from(tracker: &Tracker, ip: &str, port: u16) -> request::Response {
    let target = request::announce(&TORRENT, port, "left=1&numwant=100");
    request::get_with(tracker.http(), &target, &[("X-Forwarded-For", ip)])
}

#[test]
fn addresses_that_cannot_be_a_peer_are_refused() {
    let tracker = behind_proxy();
    for ip in [
        "0.0.0.0",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "::",
        "ff02::1",
        "ff0e::1234",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
        "::ffff:255.255.255.255",
    ] {
        let (reason, _) = announce_from(&tracker, ip, 1000).refusal();
        assert!(reason.contains("address"), "{ip}: {reason}");
    }
    let announced = announce_from(&tracker, "198.51.100.1", 1000).announced();
    assert_eq!(announced.incomplete, 1, "none of them was filed");
}

/// One address for each scope, in both families.
const LOOPBACK: [&str; 3] = ["127.0.0.9", "127.9.9.9", "::1"];
const PRIVATE: [&str; 7] = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "169.254.1.1",
    "fd00::1",
    "fe80::1",
];
const GLOBAL: [&str; 5] = [
    "1.2.3.4",
    "172.32.0.1",
    "192.169.0.1",
    "198.51.100.1",
    "2001:db8::1",
];

fn peers(ips: &[&str], port: u16) -> BTreeSet<SocketAddr> {
    let peers = ips
        .iter()
        .map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    peers.collect()
}

/// Files a peer at each of the addresses.
fn tracker_with_all_scopes() -> Tracker {
    let tracker = behind_proxy();
    for ip in LOOPBACK.iter().chain(&PRIVATE).chain(&GLOBAL) {
        announce_from(&tracker, ip, 1000).announced();
    }
    tracker
}

#[test]
fn local_peers_are_served_to_their_like_alone() {
    let tracker = tracker_with_all_scopes();
    let all = u32::try_from(LOOPBACK.len() + PRIVATE.len() + GLOBAL.len()).unwrap();
    let of = |ip: &str| -> Announced {
        let announced = announce_from(&tracker, ip, 2000).announced();
        announce_goodbye(&tracker, ip);
        announced
    };
    let global = peers(&GLOBAL, 1000);
    for (scope, local) in [
        (&GLOBAL[..], BTreeSet::new()),
        (&PRIVATE[..], peers(&PRIVATE, 1000)),
        (&LOOPBACK[..], peers(&LOOPBACK, 1000)),
    ] {
        let expected: BTreeSet<_> = global.union(&local).copied().collect();
        for ip in scope {
            let announced = of(ip);
            assert_eq!(announced.all(), expected, "to {ip}");
            assert_eq!(announced.incomplete, all + 1, "all are counted");
        }
    }
}

fn announce_goodbye(tracker: &Tracker, ip: &str) {
    let target = request::announce(&TORRENT, 2000, "event=stopped");
    let reply = request::get_with(tracker.http(), &target, &[("X-Forwarded-For", ip)]);
    assert!(reply.announced().all().is_empty());
}

#[test]
fn peers_of_a_site_find_each_other() {
    let tracker = behind_proxy();
    let sites = [
        ["10.0.0.1", "10.0.0.2"],
        ["192.168.7.1", "fd00::7"],
        ["127.0.0.9", "::1"],
    ];
    for (number, ips) in (1..).zip(sites) {
        let info_hash = [number; 20];
        let [one, two] = ips.map(|ip| (ip, peers(&[ip], 1000)));
        let announce = |ip: &str| {
            let target = request::announce(&info_hash, 1000, "left=1");
            let fields = [("X-Forwarded-For", ip)];
            request::get_with(tracker.http(), &target, &fields)
                .announced()
                .all()
        };
        announce(one.0);
        assert_eq!(announce(two.0), one.1);
        assert_eq!(announce(one.0), two.1);
    }
}
