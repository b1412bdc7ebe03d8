//! A newcomer hands out the peers of its sibling, while both serve clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use opentracker_lab::{Family, Host};
use opentracker_types::InfoHash;

use crate::cluster::{Cluster, INQUIRE, Instance, Is, Member, SYNC_LIVE, torrent};

/// How long a newcomer may take from its inquiry until it hands out a million peers.
const MINUTE: Duration = Duration::from_secs(60);

/// Records of a SYNC_LIVE.
const RECORDS: usize = 52;

/// Packets sent in a go, which the buffer of any receiver holds.
const BURST: usize = 50;

/// It stays new for as long as its test takes.
const NEWCOMER: &str = "first_beacon_delay = \"1h\"\n";

#[test]
fn a_million_peers_are_handed_out_within_a_minute_of_the_inquiry() {
    let swarms = Swarms {
        torrents: 1000,
        peers: 1000,
    };
    let cluster = Cluster::new("newcomer-million", "");
    let (one, member) = (cluster.tracker("one"), cluster.member("member"));
    swarms.tell(&cluster, &member, &one);

    let newcomer = cluster.tracker_with("newcomer", NEWCOMER);
    cluster.wait_until("the newcomer asks", || {
        member.heard(|packet| packet.kind == INQUIRE)
    });
    let asked = Instant::now();
    // But for what gets lost on the way.
    let most = 1000 * 1000 * 99 / 100;
    cluster
        .lab
        .wait_until(MINUTE, "it has nearly all peers", || {
            member.forget();
            for tracker in [&one, &newcomer] {
                for number in 0..20 {
                    let torrent = torrent(number);
                    tracker.announce(&cluster.client, Family::V4, torrent, 6881, Is::Leecher);
                }
            }
            swarms.known(&cluster, &newcomer) >= most
        });
    println!("a million peers after {:?}", asked.elapsed());
    for number in 0..swarms.torrents {
        swarms.assert_handed_out(&cluster, &newcomer, torrent(number));
    }
}

#[test]
fn among_1000_busy_torrents_a_newcomer_asks_for_peers() {
    let swarms = Swarms {
        torrents: 1000,
        peers: 15,
    };
    let cluster = Cluster::new("newcomer-busy", "");
    let (one, member) = (cluster.tracker("one"), cluster.member("member"));
    swarms.tell(&cluster, &member, &one);

    // Live sync brings it all torrents before it hears a beacon, and of each a single peer.
    one.host.unplug();
    let newcomer = cluster.tracker_with("newcomer", NEWCOMER);
    Swarms { peers: 1, ..swarms }.tell(&cluster, &member, &newcomer);
    one.host.plug();
    cluster.lab.wait_until(MINUTE, "it has all peers", || {
        swarms.known(&cluster, &newcomer) == swarms.torrents * swarms.peers
    });
    swarms.assert_handed_out(&cluster, &newcomer, torrent(7));
}

/// A beacon of a sibling is no reason to ask for one that knows its peers from a snapshot, until
/// that sibling has more torrents by far.
#[test]
fn who_has_restored_a_snapshot_does_not_ask_for_peers() {
    let cluster = Cluster::new("newcomer-restored", "");
    let (one, member) = (cluster.tracker("one"), cluster.member("member"));
    let lines = |host: &Host| {
        let path = host.folder().join("snapshot");
        format!("{NEWCOMER}[snapshot]\npath = \"{}\"\n", path.display())
    };
    let host = cluster.lab.host("restored");
    let mut restored = cluster.tracker_on(host.clone(), &lines(&host));
    for tracker in [&one, &restored] {
        tracker.announce(&cluster.client, Family::V4, torrent(0), 6881, Is::Seeder);
    }
    cluster.wait_until("one beacons", || {
        member.heard(|packet| packet.beacon() == Some(1))
    });
    restored.stop();
    let restored = cluster.tracker_on(host.clone(), &lines(&host));
    assert_eq!(restored.counts(&cluster.client, torrent(0)).seeders, 1);
    // A newcomer would ask after two intervals.
    for _ in 0..5 {
        member.forget();
        cluster.wait_until("one beacons again", || {
            member.heard(|packet| packet.beacon() == Some(1))
        });
        assert!(!member.heard(|packet| packet.kind == INQUIRE));
    }
    cluster.wait_until("it asks who has more", || {
        member.beacon(1000);
        member.heard(|packet| packet.kind == INQUIRE && packet.body == member.id)
    });
}

/// Torrents with as many peers each.
#[derive(Clone, Copy)]
struct Swarms {
    torrents: usize,
    peers: usize,
}

impl Swarms {
    /// Has a member tell a tracker of all of them.
    fn tell(self, cluster: &Cluster, member: &Member, tracker: &Instance) {
        let mut missing: Vec<usize> = (0..self.torrents).collect();
        cluster.lab.wait_until(MINUTE, "the tracker knows all", || {
            let records = missing.iter().flat_map(|&torrent| self.records(torrent));
            let records: Vec<_> = records.collect();
            for (number, records) in records.chunks(RECORDS).enumerate() {
                member
                    .send(&[&member.id[..], &SYNC_LIVE.to_be_bytes(), &records.concat()].concat());
                if number % BURST == 0 {
                    thread::sleep(Duration::from_millis(5));
                }
            }
            missing.retain(|&number| self.peers_of(cluster, tracker, number) < self.peers);
            missing.is_empty()
        });
    }

    /// Returns how many peers of these a tracker has, or some more.
    fn known(self, cluster: &Cluster, tracker: &Instance) -> usize {
        (0..self.torrents)
            .map(|number| self.peers_of(cluster, tracker, number).min(self.peers))
            .sum()
    }

    fn peers_of(self, cluster: &Cluster, tracker: &Instance, number: usize) -> usize {
        let counts = tracker.counts(&cluster.client, torrent(number));
        (counts.seeders + counts.leechers) as usize
    }

    fn records(self, number: usize) -> impl Iterator<Item = Vec<u8>> {
        (0..self.peers).map(move |peer| {
            let [_, _, high, low] = u32::try_from(peer).expect("it is small").to_be_bytes();
            let ip = Ipv4Addr::new(198, 51, high, low);
            let rest = [&ip.octets()[..], &6881_u16.to_be_bytes(), &[0, 0]].concat();
            [&torrent(number).as_bytes()[..], &rest].concat()
        })
    }

    /// Holds that a client of a tracker is handed out peers that were told of.
    fn assert_handed_out(self, cluster: &Cluster, tracker: &Instance, torrent: InfoHash) {
        let watcher = &cluster.watcher;
        let peers = tracker.announce(watcher, Family::V4, torrent, 7000, Is::Leecher);
        let is_told =
            |peer: &&SocketAddr| matches!(peer, SocketAddr::V4(v4) if v4.ip().octets()[0] == 198);
        let told = peers.iter().filter(is_told).count();
        // The client that announces all the time may be among them.
        assert!(told > 0 && told + 1 >= peers.len(), "{peers:?}");
    }
}
