//! How long a torrent is remembered, what its downloads are counted up to, and how it is removed.

use std::net::IpAddr;
use std::time::Duration;

use opentracker_store::{
    Announce, Announced, Comparison, Minute, Moment, PeerBuffers, PerKind, Picker, Presence,
    Removed, Store, Sweeper, Timing,
};
use opentracker_types::{InfoHash, PeerAddr, SwarmCounts};

const COMPLETED: Presence = Presence::Here {
    seeding: true,
    completed: true,
};
const LEECHER: Presence = Presence::Here {
    seeding: false,
    completed: false,
};

/// A store, the time, and who announces.
struct Site {
    store: Store,
    picker: Picker,
    timing: Timing,
    minute: u32,
}

impl Site {
    fn new() -> Self {
        Self {
            store: Store::with_parts([8; 32], 16),
            picker: Picker::new(1),
            timing: Timing::default(),
            minute: 1000,
        }
    }

    fn moment(&self) -> Moment {
        Moment::new(Minute::new(self.minute), &self.timing)
    }

    fn announce(&mut self, torrent: u32, peer: PeerAddr, presence: Presence) -> Announced {
        let announce = self.announce_of(torrent, peer, presence);
        let moment = self.moment();
        let mut nobody = PeerBuffers::v4(&mut []);
        self.store
            .announce(&announce, &moment, 0, &mut self.picker, &mut nobody)
    }

    fn apply(&mut self, torrent: u32, peer: PeerAddr, presence: Presence) -> Announced {
        let announce = self.announce_of(torrent, peer, presence);
        self.store.apply(&announce, &self.moment())
    }

    fn announce_of(&self, torrent: u32, peer: PeerAddr, presence: Presence) -> Announce {
        Announce {
            key: self.store.key(&hash(torrent)),
            peer,
            presence,
        }
    }

    fn apply_downloads(&self, torrent: u32, downloads: u64) -> Comparison {
        let key = self.store.key(&hash(torrent));
        self.store
            .apply_downloads(&key, 0, downloads, &self.moment())
    }

    fn scrape(&self, torrent: u32) -> Option<SwarmCounts> {
        self.store.scrape(&self.store.key(&hash(torrent)))
    }

    fn downloads(&self, torrent: u32) -> Option<u64> {
        self.scrape(torrent).map(|counts| counts.downloads)
    }

    fn sweep(&mut self) -> Removed {
        let mut sweeper = Sweeper::new();
        let moment = self.moment();
        loop {
            if let Some(removed) = sweeper.step(&self.store, &moment) {
                return removed;
            }
        }
    }
}

fn hash(torrent: u32) -> InfoHash {
    let mut octets = [7; 20];
    octets[..4].copy_from_slice(&torrent.to_be_bytes());
    InfoHash::new(octets)
}

fn peer(ip: &str, port: u16) -> PeerAddr {
    PeerAddr::new(ip.parse().unwrap(), port)
}

#[test]
fn one_address_leaves_nothing_behind() {
    let mut site = Site::new();
    for ip in ["198.51.100.1", "2001:db8::1"] {
        for torrent in 0..1000 {
            let announced = site.announce(torrent, peer(ip, 6881), COMPLETED);
            assert!(announced.new_torrent && announced.has_completed);
            assert_eq!(announced.counts.downloads, 1);
            site.announce(torrent, peer(ip, 6881), Presence::Gone);
        }
        assert_eq!(site.store.totals().torrents, 0);
        for torrent in 0..1000 {
            site.announce(torrent, peer(ip, 6881), COMPLETED);
        }
        site.minute += 46;
        let removed = Removed {
            torrents: 1000,
            peers: 1000,
        };
        assert_eq!(site.sweep(), removed);
        assert_eq!(site.store.totals().torrents, 0);
    }
}

#[test]
fn many_ports_and_addresses_of_one_prefix_are_one() {
    let mut site = Site::new();
    let last_octets = |low: u16| IpAddr::from([0x2001, 0xdb8, 0, 0x4500 | low, low, 0, 0, low]);
    // Enough for each form of a swarm: in the torrent, in a list, in tables.
    for peers in [1, 3, 20, 200] {
        for number in 0..peers {
            site.announce(1, peer("198.51.100.1", 1024 + number), COMPLETED);
            site.announce(2, PeerAddr::new(last_octets(number), 6881), COMPLETED);
        }
        assert_eq!(site.downloads(1), Some(peers.into()));
        assert_eq!(site.downloads(2), Some(peers.into()));
        for number in 0..peers {
            site.announce(1, peer("198.51.100.1", 1024 + number), Presence::Gone);
            site.announce(2, PeerAddr::new(last_octets(number), 6881), Presence::Gone);
        }
        assert_eq!((site.downloads(1), site.downloads(2)), (None, None));
    }
}

#[test]
fn a_second_prefix_keeps_the_downloads() {
    for others in [
        ["198.51.100.1", "198.51.100.2"],
        ["2001:db8:0:aa00::1", "2001:db8:0:ab00::1"],
        ["198.51.100.1", "2001:db8::1"],
    ] {
        for ports in [1, 5, 100] {
            let mut site = Site::new();
            for number in 0..ports {
                site.announce(1, peer(others[0], 1024 + number), COMPLETED);
            }
            // A sibling's word for a peer is an announce of that peer.
            site.apply(1, peer(others[1], 1), LEECHER);
            site.apply(1, peer(others[1], 1), Presence::Gone);
            for number in 0..ports {
                site.announce(1, peer(others[0], 1024 + number), Presence::Gone);
            }
            let expected = SwarmCounts {
                downloads: ports.into(),
                ..SwarmCounts::default()
            };
            assert_eq!(site.scrape(1), Some(expected), "{others:?}");
            // It lasts until the torrent timeout.
            site.minute += 24 * 60;
            site.sweep();
            assert_eq!(site.downloads(1), Some(ports.into()));
            site.minute += 1;
            site.sweep();
            assert_eq!(site.downloads(1), None);
        }
    }
}

#[test]
fn more_than_an_interval_keeps_the_downloads() {
    for (interval, later) in [(30, 30), (30, 31), (5, 5), (5, 6)] {
        for is_stopped in [false, true] {
            let mut site = Site::new();
            site.timing = site
                .timing
                .with_interval(Duration::from_secs(60 * interval));
            let one = peer("198.51.100.1", 6881);
            site.announce(1, one, COMPLETED);
            site.minute += later;
            if !is_stopped {
                site.announce(1, one, LEECHER);
            }
            site.announce(1, one, Presence::Gone);
            let kept = (u64::from(later) > interval).then_some(1);
            assert_eq!(site.downloads(1), kept, "{later} of {interval}");
        }
    }
}

#[test]
fn time_without_announces_keeps_nothing() {
    let mut site = Site::new();
    site.announce(1, peer("198.51.100.1", 6881), COMPLETED);
    // Nobody who was never there prolongs it.
    site.minute += 40;
    site.announce(1, peer("198.51.100.2", 6881), Presence::Gone);
    assert_eq!(site.downloads(1), Some(1));
    site.minute += 6;
    assert_eq!(site.sweep().torrents, 1);
    assert_eq!(site.downloads(1), None);
}

#[test]
fn what_a_sibling_told_of_is_kept() {
    let mut site = Site::new();
    let one = peer("198.51.100.1", 6881);
    assert_eq!(site.apply_downloads(1, 5), Comparison::Created);
    site.announce(2, one, COMPLETED);
    assert_eq!(site.apply_downloads(2, 5), Comparison::Raised);
    // Telling what we know already is no news.
    site.announce(3, one, COMPLETED);
    assert_eq!(site.apply_downloads(3, 1), Comparison::Equal);
    assert_eq!(site.apply_downloads(3, 0), Comparison::OursIsLarger);
    for torrent in 1..4 {
        site.announce(torrent, one, LEECHER);
        site.announce(torrent, one, Presence::Gone);
    }
    let downloads = [1, 2, 3].map(|torrent| site.downloads(torrent));
    assert_eq!(downloads, [Some(5), Some(5), None]);
}

#[test]
fn downloads_have_64_bits() {
    let mut site = Site::new();
    let counts = [
        0x7fff_fffe,
        0x7fff_ffff,
        0x8000_0000,
        u64::from(u32::MAX),
        8_589_934_597,
        u64::MAX,
    ];
    for (torrent, downloads) in (0..).zip(counts) {
        assert_eq!(
            site.apply_downloads(torrent, downloads),
            Comparison::Created
        );
        assert_eq!(site.downloads(torrent), Some(downloads));
        assert_eq!(site.apply_downloads(torrent, downloads), Comparison::Equal);
        let less = site.apply_downloads(torrent, downloads - 1);
        assert_eq!(less, Comparison::OursIsLarger);
        let one = peer("198.51.100.1", 6881);
        let counts = site.announce(torrent, one, COMPLETED).counts;
        assert_eq!(counts.downloads, downloads.saturating_add(1));
        assert_eq!(site.downloads(torrent), Some(counts.downloads));
    }
    let octets = site.store.heap_octets();
    site.minute += 46;
    site.sweep();
    site.minute += 24 * 60;
    site.sweep();
    assert_eq!(site.store.totals().torrents, 0);
    assert!(site.store.heap_octets() < octets);
    // What was counted of a torrent that is gone is gone.
    site.announce(5, peer("198.51.100.1", 6881), COMPLETED);
    assert_eq!(site.downloads(5), Some(1));
}

#[test]
fn a_purge_takes_torrents_from_counts_and_memory() {
    let mut site = Site::new();
    for torrent in 0..100 {
        for number in 0..torrent {
            let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
            let ip = [198, 51, high, low].into();
            site.announce(torrent, PeerAddr::new(ip, 6881), COMPLETED);
        }
    }
    let (before, octets) = (site.store.totals(), site.store.heap_octets());
    assert_eq!((before.torrents, before.peers.v4_seeders), (99, 4950));
    let mut removed = Removed::default();
    for part in 0..site.store.parts() {
        let part = site
            .store
            .retain(part, |info_hash| info_hash.as_bytes()[3] < 10);
        removed.torrents += part.torrents;
        removed.peers += part.peers;
    }
    assert_eq!((removed.torrents, removed.peers), (90, 4905));
    let after = site.store.totals();
    assert_eq!((after.torrents, after.peers.total()), (9, 45));
    assert!(site.store.heap_octets() < octets / 4);
    for torrent in 0..100 {
        let seeders = site.scrape(torrent).map(|counts| counts.seeders);
        assert_eq!(seeders, (1..10).contains(&torrent).then_some(torrent));
    }
    for torrent in 0..10 {
        let counts = site.scrape(torrent);
        assert_eq!(site.store.remove(&site.store.key(&hash(torrent))), counts);
        assert_eq!(site.scrape(torrent), None);
    }
    assert_eq!(site.store.totals().torrents, 0);
    assert_eq!(site.store.totals().peers, PerKind::default());
}

#[test]
fn an_announce_says_how_long_ago_the_one_before_was() {
    let mut site = Site::new();
    let (v4, v6) = (peer("192.0.2.1", 1), peer("2001:db8::1", 1));
    for peer in [v4, v6] {
        site.minute = 1000;
        assert_eq!(site.announce(1, peer, LEECHER).renewed_after, None);
        assert_eq!(site.announce(1, peer, LEECHER).renewed_after, Some(0));
        site.minute += 44;
        assert_eq!(site.announce(1, peer, COMPLETED).renewed_after, Some(44));
        site.minute += 3;
        assert_eq!(site.announce(1, peer, Presence::Gone).renewed_after, None);
        assert_eq!(site.announce(1, peer, LEECHER).renewed_after, None);
    }
}
