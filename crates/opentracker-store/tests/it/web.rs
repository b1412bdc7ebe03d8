//! WebTorrent peers: in all counts, and handed to their kind alone.

use std::net::IpAddr;

use opentracker_store::{
    Announce, Announced, Full, Limits, Minute, Moment, PeerBuffers, PerKind, Picker, Presence,
    Removed, Store, SwarmWalk, Sweeper, Timing, WebAnnounce, WebConnection, WebPeer,
};
use opentracker_types::{InfoHash, PeerAddr, PeerId, SwarmCounts};

const LEECHER: Presence = Presence::Here {
    seeding: false,
    completed: false,
};
const COMPLETED: Presence = Presence::Here {
    seeding: true,
    completed: true,
};
const HASH: InfoHash = InfoHash::new([5; 20]);

struct Site {
    store: Store,
    picker: Picker,
    minute: u32,
    limits: Limits,
}

impl Site {
    fn new() -> Self {
        Self {
            store: Store::with_parts([8; 32], 16),
            picker: Picker::new(1),
            minute: 1000,
            limits: Limits::NONE,
        }
    }

    fn moment(&self) -> Moment {
        Moment::new(Minute::new(self.minute), &Timing::default()).with_limits(self.limits)
    }

    /// Announces a browser, and returns whom it was given as well.
    fn web(&mut self, number: u8, presence: Presence) -> (Announced, Vec<WebPeer>) {
        let announce = WebAnnounce {
            key: self.store.key(&HASH),
            peer: browser(number),
            ip: ip(number),
            presence,
        };
        let (moment, mut given) = (self.moment(), Vec::new());
        let announced =
            self.store
                .announce_web(&announce, &moment, 5, &mut self.picker, &mut given);
        (announced, given)
    }

    /// Announces a peer that has an address, and returns how many octets of peers it was given as well.
    fn plain(&mut self, number: u8, presence: Presence) -> (Announced, usize) {
        let announce = Announce {
            key: self.store.key(&HASH),
            peer: PeerAddr::new(ip(number), 6881),
            presence,
        };
        let (moment, mut v4, mut v6) = (self.moment(), [0; 600], [0; 1800]);
        let mut peers = PeerBuffers::both(&mut v4, &mut v6);
        let announced = self
            .store
            .announce(&announce, &moment, 50, &mut self.picker, &mut peers);
        (announced, peers.v4_octets() + peers.v6_octets())
    }

    fn scrape(&self) -> Option<(u32, u32, u64)> {
        let counts = self.store.scrape(&self.store.key(&HASH))?;
        Some((counts.seeders, counts.leechers, counts.downloads))
    }

    fn sweep(&self) -> Removed {
        let mut sweeper = Sweeper::new();
        loop {
            if let Some(removed) = sweeper.step(&self.store, &self.moment()) {
                return removed;
            }
        }
    }

    fn saved(&self) -> Vec<(u64, usize)> {
        let (mut walk, mut saved, moment) = (SwarmWalk::new(), Vec::new(), self.moment());
        while let Some(swarms) = walk.step(&self.store, &moment) {
            let torrents = swarms.iter();
            saved.extend(torrents.map(|(torrent, peers)| (torrent.downloads, peers.len())));
        }
        saved
    }
}

fn browser(number: u8) -> WebPeer {
    WebPeer {
        peer_id: PeerId::new([number; 20]),
        connection: WebConnection(number.into()),
    }
}

fn ip(number: u8) -> IpAddr {
    [198, 51, 100, number].into()
}

#[test]
fn counts_have_peers_of_both_kinds_and_each_is_given_its_own() {
    let mut site = Site::new();
    site.plain(1, LEECHER);
    let (announced, given) = site.web(2, LEECHER);
    assert_eq!(given, [], "the other has an address");
    assert_eq!(announced.counts.leechers, 2);
    let (announced, given) = site.web(3, COMPLETED);
    assert_eq!(given, [browser(2)]);
    assert!(announced.has_completed && !announced.tell && !announced.new_torrent);
    let (announced, octets) = site.plain(4, COMPLETED);
    assert_eq!(octets, 6, "peer 1 alone");
    let all = SwarmCounts {
        seeders: 2,
        leechers: 2,
        downloads: 2,
    };
    assert_eq!(announced.counts, all);
    assert_eq!(site.scrape(), Some((2, 2, 2)));
    let peers = PerKind {
        v4_seeders: 1,
        v4_leechers: 1,
        web_seeders: 1,
        web_leechers: 1,
        ..PerKind::default()
    };
    assert_eq!(site.store.totals().peers, peers);
    let mut addresses = 0;
    let key = site.store.key(&HASH);
    site.store.visit_peers(&key, |_, _| addresses += 1);
    assert_eq!(addresses, 2);
    assert_eq!(site.saved(), [(2, 2)], "who cannot be reached is not saved");
    let mut named = Vec::new();
    site.store.find_web(&key, PeerId::new([3; 20]), &mut named);
    assert_eq!(named, [browser(3)]);
    assert_eq!(site.web(3, Presence::Gone).0.counts.seeders, 1);
    assert_eq!(site.web(2, Presence::Gone).0.counts.leechers, 1);
    assert_eq!(site.scrape(), Some((1, 1, 2)));
}

#[test]
fn a_torrent_of_one_browser_is_forgotten_with_it() {
    let mut site = Site::new();
    for presence in [LEECHER, COMPLETED] {
        assert!(site.web(1, LEECHER).0.new_torrent);
        site.web(1, presence);
        assert_eq!(site.saved(), [], "nor does it outlast a restart");
        let announced = site.web(1, Presence::Gone).0;
        assert!(announced.torrent_gone, "one prefix, one interval");
        assert_eq!(site.scrape(), None);
    }
    assert_eq!(site.store.totals(), Site::new().store.totals());
    assert_eq!(site.store.heap_octets(), {
        let mut other = Site::new();
        other.plain(1, LEECHER);
        other.plain(1, Presence::Gone);
        other.store.heap_octets()
    });
}

#[test]
fn browsers_of_two_prefixes_establish_a_torrent() {
    let mut site = Site::new();
    site.web(1, COMPLETED);
    site.web(2, LEECHER);
    for number in [1, 2] {
        assert!(!site.web(number, Presence::Gone).0.torrent_gone);
    }
    assert_eq!(site.scrape(), Some((0, 0, 1)));
    assert_eq!(site.saved(), [(1, 0)]);
    site.plain(1, LEECHER);
    site.minute += 1;
    site.web(2, LEECHER);
    site.plain(1, Presence::Gone);
    assert_eq!(site.scrape(), Some((0, 1, 1)), "a browser is left");
}

#[test]
fn browsers_time_out_as_all_peers_do() {
    let mut site = Site::new();
    site.web(1, LEECHER);
    site.web(2, COMPLETED);
    site.minute += 40;
    site.web(2, LEECHER);
    site.minute += 20;
    assert_eq!((site.sweep().peers, site.scrape()), (1, Some((0, 1, 1))));
    site.minute += 60;
    let expected = Removed {
        torrents: 0,
        peers: 1,
    };
    assert_eq!((site.sweep(), site.scrape()), (expected, Some((0, 0, 1))));
    assert_eq!(site.store.totals().peers.total(), 0);
    site.minute += 60 * 24 + 1;
    assert_eq!((site.sweep().torrents, site.scrape()), (1, None));
}

#[test]
fn limits_hold_for_browsers() {
    let mut site = Site::new();
    site.limits.peers_per_torrent = 2;
    site.plain(1, LEECHER);
    assert_eq!(site.web(2, LEECHER).0.refused, None);
    assert_eq!(site.web(3, LEECHER).0.refused, Some(Full::Swarm));
    assert_eq!(site.plain(4, LEECHER).0.refused, Some(Full::Swarm));
    assert_eq!(site.web(2, COMPLETED).0.refused, None, "known");
    assert_eq!(site.plain(1, LEECHER).0.refused, None, "known");
    site.limits = Limits {
        peers: 2,
        ..Limits::NONE
    };
    assert_eq!(site.web(3, LEECHER).0.refused, Some(Full::Peers));
    assert_eq!(site.web(2, Presence::Gone).0.refused, None);
    assert_eq!(site.web(3, LEECHER).0.refused, None);
    site.plain(1, Presence::Gone);
    site.web(3, Presence::Gone);
    site.store.remove(&site.store.key(&HASH));
    site.limits = Limits {
        torrents: 0,
        ..Limits::NONE
    };
    assert_eq!(site.web(3, LEECHER).0.refused, Some(Full::Torrents));
    assert_eq!(site.scrape(), None);
}

#[test]
fn browsers_of_what_is_removed_are_gone() {
    let mut site = Site::new();
    for by_retain in [false, true] {
        site.web(1, COMPLETED);
        site.web(2, LEECHER);
        site.plain(3, LEECHER);
        if by_retain {
            let parts = 0..site.store.parts();
            let removed = parts.map(|part| site.store.retain(part, |_| false).peers);
            assert_eq!(removed.sum::<u64>(), 3);
        } else {
            let counts = site.store.remove(&site.store.key(&HASH)).unwrap();
            assert_eq!((counts.seeders, counts.leechers), (1, 2));
        }
        assert_eq!(site.store.totals().peers.total(), 0);
        assert_eq!(site.web(1, Presence::Gone).0.was_seeding, None);
    }
}

#[test]
fn what_a_sibling_says_of_downloads_does_not_lose_them() {
    let mut site = Site::new();
    site.web(1, LEECHER);
    let key = site.store.key(&HASH);
    site.store.apply_downloads(&key, 0, 1 << 40, &site.moment());
    assert_eq!(site.scrape(), Some((0, 1, 1 << 40)));
    site.web(1, COMPLETED);
    assert_eq!(site.scrape(), Some((1, 0, (1 << 40) + 1)));
    site.web(1, Presence::Gone);
    assert_eq!(site.scrape(), Some((0, 0, (1 << 40) + 1)));
}
