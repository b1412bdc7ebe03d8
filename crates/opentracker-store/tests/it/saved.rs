//! Walks that copy everything, and what they copied brought back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use opentracker_store::{
    Announce, Minute, Moment, PeerBuffers, Picker, Presence, Restored, Store, SwarmWalk, Sweeper,
    Timing,
};
use opentracker_types::{InfoHash, PeerAddr, SavedPeer, SavedTorrent, SwarmCounts};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SEEDER: Presence = Presence::Here {
    seeding: true,
    completed: false,
};
const COMPLETED: Presence = Presence::Here {
    seeding: true,
    completed: true,
};
const LEECHER: Presence = Presence::Here {
    seeding: false,
    completed: false,
};

type Swarms = BTreeMap<InfoHash, (SavedTorrent, BTreeMap<PeerAddr, SavedPeer>)>;

fn moment(minute: u32) -> Moment {
    Moment::new(Minute::new(minute), &Timing::default())
}

fn hash(number: u32) -> InfoHash {
    let mut octets = [7; 20];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash::new(octets)
}

/// Peers of both families and of two scopes.
fn peer(number: u32) -> PeerAddr {
    let [_, a, b, c] = number.to_be_bytes();
    let port = 1000 + u16::from(c);
    match number % 5 {
        0 => PeerAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, a.into(), b.into()].into(), port),
        1 => PeerAddr::new([10, 1, a, b].into(), port),
        _ => PeerAddr::new([198, 51, a, b].into(), port),
    }
}

fn announce(store: &Store, torrent: u32, number: u32, presence: Presence, minute: u32) {
    let announce = Announce {
        key: store.key(&hash(torrent)),
        peer: peer(number),
        presence,
    };
    let (mut picker, mut nobody) = (Picker::new(1), PeerBuffers::v4(&mut []));
    store.announce(&announce, &moment(minute), 0, &mut picker, &mut nobody);
}

/// Takes one step of a walk, and adds what it saw.
fn step(walk: &mut SwarmWalk, store: &Store, minute: u32, seen: &mut Swarms) -> bool {
    let Some(swarms) = walk.step(store, &moment(minute)) else {
        return false;
    };
    let mut cells = 0;
    for (torrent, peers) in swarms.iter() {
        cells += 8 + peers.len();
        let (known, all) = seen
            .entry(torrent.info_hash)
            .or_insert((*torrent, BTreeMap::new()));
        *known = *torrent;
        all.extend(peers.iter().map(|peer| (peer.addr, *peer)));
    }
    assert!(cells < 2 * 1024, "{cells} cells under one lock");
    true
}

fn walk(store: &Store, minute: u32) -> Swarms {
    let (mut walk, mut seen) = (SwarmWalk::new(), Swarms::new());
    while step(&mut walk, store, minute, &mut seen) {}
    seen
}

/// Brings everything back into a store, as it was some minutes ago.
fn restore(store: &Store, swarms: &Swarms, passed: u32, minute: u32) -> Restored {
    let mut restored = Restored::default();
    for (torrent, peers) in swarms.values() {
        let key = store.key(&torrent.info_hash);
        let peers = peers.values().copied();
        restored += store.restore(&key, torrent, peers, passed, &moment(minute));
    }
    restored
}

/// Swarms of every size, announced over half an hour up to minute 1000.
fn populated() -> Store {
    let store = Store::with_parts([1; 32], 4);
    for (torrent, peers) in (0..).zip([1, 2, 5, 9, 31, 32, 100, 3000, 20_000]) {
        for number in 0..peers {
            let presence = [LEECHER, SEEDER, COMPLETED][number as usize % 3];
            announce(&store, torrent, number, presence, 970 + number % 31);
        }
    }
    for torrent in 100..600 {
        announce(&store, torrent, torrent, COMPLETED, 990);
        announce(&store, torrent, torrent + 1, LEECHER, 991);
        if torrent % 2 == 0 {
            announce(&store, torrent, torrent, Presence::Gone, 995);
            announce(&store, torrent, torrent + 1, Presence::Gone, 996);
        }
    }
    store
}

#[test]
fn what_is_walked_over_and_restored_is_the_same() {
    let store = populated();
    let saved = walk(&store, 1000);
    let totals = store.totals();
    assert_eq!(saved.len() as u64, totals.torrents);
    let peers: usize = saved.values().map(|(_, peers)| peers.len()).sum();
    assert_eq!(peers as u64, totals.peers.total());
    // Into a store with other keys and another clock, twice.
    let other = Store::with_parts([2; 32], 16);
    let restored = restore(&other, &saved, 0, 50);
    assert_eq!(
        (restored.torrents, restored.peers),
        (totals.torrents, peers as u64)
    );
    assert_eq!(restore(&other, &saved, 0, 50), Restored::default());
    assert_eq!(other.totals(), totals);
    assert_eq!(walk(&other, 50), saved);
    for info_hash in saved.keys() {
        let counts = |store: &Store| store.scrape(&store.key(info_hash));
        assert_eq!(counts(&other), counts(&store), "{info_hash}");
    }
}

#[test]
fn what_stays_is_seen_whatever_else_changes() {
    let mut rng = StdRng::seed_from_u64(7);
    for round in 0..30 {
        let store = Store::with_parts([round; 32], 2);
        let mut stays = BTreeMap::new();
        // Torrents with one peer that stays and others that come and go.
        for torrent in 0..3000 {
            announce(&store, torrent, torrent, SEEDER, 1);
            if torrent % 3 == 0 {
                stays.insert(hash(torrent), BTreeSet::from([peer(torrent)]));
            }
        }
        // Large swarms, of which a third stays and changes sides all the time.
        for torrent in 3000..3003 {
            for number in 0..9000 {
                announce(&store, torrent, number, LEECHER, 1);
            }
            let numbers = (0..9000).step_by(3);
            stays.insert(hash(torrent), numbers.map(peer).collect());
        }
        let (mut walk, mut seen) = (SwarmWalk::new(), Swarms::new());
        while step(&mut walk, &store, 1, &mut seen) {
            for _ in 0..rng.random_range(0..200) {
                let torrent = rng.random_range(0..3010);
                let number = rng.random_range(0..20_000);
                let presence = [SEEDER, LEECHER, Presence::Gone][rng.random_range(0..3)];
                let others_peer = if torrent < 3000 { torrent } else { number };
                let leaves = presence == Presence::Gone;
                if !leaves || others_peer % 3 != 0 || torrent >= 3003 {
                    announce(&store, torrent, others_peer, presence, 1);
                }
            }
            if rng.random_ratio(1, 20) {
                // Tables shrink, or grow.
                let torrent = rng.random_range(3000..3003);
                let presence = [LEECHER, Presence::Gone][rng.random_range(0..2)];
                for number in (0..30_000).filter(|number| number % 3 != 0) {
                    announce(&store, torrent, number, presence, 1);
                }
            }
        }
        for (info_hash, peers) in stays {
            let (_, seen) = &seen[&info_hash];
            let missed = peers.iter().find(|peer| !seen.contains_key(peer));
            assert_eq!(missed, None, "{info_hash} in round {round}");
        }
    }
}

fn saved(downloads: u64, idle_minutes: u32, unestablished_minutes: Option<u16>) -> SavedTorrent {
    SavedTorrent {
        info_hash: hash(1),
        downloads,
        idle_minutes,
        unestablished_minutes,
        swarm_peers: 1,
    }
}

fn saved_peer(number: u32, seeding: bool, age_minutes: u8) -> SavedPeer {
    SavedPeer {
        addr: peer(number),
        seeding,
        completed: seeding,
        age_minutes,
    }
}

fn restore_one(
    store: &Store,
    torrent: SavedTorrent,
    peers: &[SavedPeer],
    passed: u32,
    minute: u32,
) -> Restored {
    let key = store.key(&torrent.info_hash);
    store.restore(
        &key,
        &torrent,
        peers.iter().copied(),
        passed,
        &moment(minute),
    )
}

fn scrape(store: &Store) -> Option<SwarmCounts> {
    store.scrape(&store.key(&hash(1)))
}

fn sweep(store: &Store, minute: u32) {
    let mut sweeper = Sweeper::new();
    while sweeper.step(store, &moment(minute)).is_none() {}
}

#[test]
fn what_timed_out_meanwhile_is_not_restored() {
    let store = Store::with_parts([1; 32], 2);
    let peers = [
        saved_peer(2, true, 0),
        saved_peer(3, false, 30),
        saved_peer(4, false, 31),
    ];
    let restored = restore_one(&store, saved(0, 0, None), &peers, 15, 5000);
    let expected = Restored {
        torrents: 1,
        peers: 2,
        timed_out_peers: 1,
        ..Restored::default()
    };
    assert_eq!(restored, expected);
    // Their time goes on.
    sweep(&store, 5001);
    assert_eq!(scrape(&store).map(|counts| counts.leechers), Some(0));
    sweep(&store, 5030);
    assert_eq!(scrape(&store).map(|counts| counts.seeders), Some(1));
    sweep(&store, 5031);
    assert_eq!(scrape(&store), None);

    for (torrent, peers, is_kept) in [
        (saved(1, 1440 - 15, None), &[][..], true),
        (saved(1, 1440 - 14, None), &[], false),
        (saved(0, 3, None), &[], true),
        (saved(1, 40, None), &peers[2..], true),
        (saved(0, 31, None), &peers[2..], false),
        (saved(7, 31, Some(31)), &peers[2..], false),
        (saved(1, u32::MAX, None), &[], false),
    ] {
        let store = Store::with_parts([1; 32], 2);
        let restored = restore_one(&store, torrent, peers, 15, 5000);
        assert_eq!(restored.torrents, u64::from(is_kept), "{torrent:?}");
        assert_eq!(restored.timed_out_torrents, u64::from(!is_kept));
        assert_eq!(scrape(&store).is_some(), is_kept);
    }
    assert_eq!(
        restore_one(&store, saved(1, 0, None), &peers, u32::MAX, 5000).peers,
        0
    );
}

#[test]
fn what_is_newer_stays() {
    for others in [0, 5, 100] {
        let store = Store::with_parts([1; 32], 2);
        for number in (10..).take(others) {
            announce(&store, 1, number, LEECHER, 5000);
        }
        announce(&store, 1, 2, LEECHER, 4990);
        let others = u32::try_from(others).unwrap();
        let counts = |seeders, leechers, downloads| {
            Some(SwarmCounts {
                seeders,
                leechers: leechers + others,
                downloads,
            })
        };
        // Of the same age, older, younger.
        for (age_minutes, expected) in [
            (10, counts(0, 1, 3)),
            (11, counts(0, 1, 3)),
            (9, counts(1, 0, 3)),
        ] {
            restore_one(
                &store,
                saved(3, 9, None),
                &[saved_peer(2, true, age_minutes)],
                0,
                5000,
            );
            assert_eq!(scrape(&store), expected, "{age_minutes}");
        }
        restore_one(&store, saved(2, 9, None), &[], 0, 5000);
        assert_eq!(scrape(&store), counts(1, 0, 3), "the larger count");
        let totals = store.totals().peers;
        assert_eq!((totals.seeders(), totals.leechers()), (1, others.into()));
    }
}

#[test]
fn a_torrent_is_established_as_before_or_later() {
    // Announced 20 minutes before it was saved, 5 minutes ago, with an interval of 30.
    for (passed, announced_at, is_kept) in [
        (5, 5000, false),
        (5, 5005, false),
        (5, 5006, true),
        (40, 5000, true),
    ] {
        let store = Store::with_parts([1; 32], 2);
        let peers = [saved_peer(2, false, 0)];
        restore_one(&store, saved(9, 0, Some(20)), &peers, passed, 5000);
        announce(&store, 1, 2, COMPLETED, announced_at);
        announce(&store, 1, 2, Presence::Gone, announced_at);
        let downloads = scrape(&store).map(|counts| counts.downloads);
        assert_eq!(downloads, is_kept.then_some(10), "{passed} {announced_at}");
    }
    // Longer ago than anything can be.
    let store = Store::with_parts([1; 32], 2);
    restore_one(
        &store,
        saved(9, 0, Some(u16::MAX)),
        &[saved_peer(2, false, 0)],
        0,
        5000,
    );
    announce(&store, 1, 2, Presence::Gone, 5044);
    assert_eq!(scrape(&store).map(|counts| counts.downloads), Some(9));
}

#[test]
fn the_cluster_hears_of_a_restored_peer_when_it_announces() {
    for (age_minutes, later) in [(0, 0), (0, 1), (0, 44), (9, 0), (40, 3)] {
        let store = Store::with_parts([1; 32], 2);
        restore_one(
            &store,
            saved(0, 0, None),
            &[saved_peer(2, false, age_minutes)],
            0,
            5000,
        );
        let again = Announce {
            key: store.key(&hash(1)),
            peer: peer(2),
            presence: LEECHER,
        };
        let (mut picker, mut nobody) = (Picker::new(1), PeerBuffers::v4(&mut []));
        let at = moment(5000 + later);
        let announced = store.announce(&again, &at, 0, &mut picker, &mut nobody);
        assert!(
            announced.was_seeding.is_some() && announced.tell,
            "{age_minutes} {later}"
        );
    }
}

#[test]
fn time_before_the_start_is_told_apart() {
    let timing = Timing::new(
        Duration::from_secs(45 * 60),
        Duration::from_secs(24 * 60 * 60),
        Duration::from_secs(600),
    );
    let at = |minutes: u64| {
        Moment::new(
            Minute::from_elapsed(Duration::from_secs(60 * minutes)),
            &timing,
        )
    };
    let store = Store::with_parts([1; 32], 2);
    // Five minutes after the start a sibling tells of torrents that were announced before it.
    for (torrent, idle) in [(1, 1439), (2, 1440), (3, 1441), (4, u32::MAX)] {
        store.apply_downloads(&store.key(&hash(torrent)), idle, 7, &at(5));
    }
    let there = |store: &Store| {
        [1, 2, 3, 4].map(|torrent| store.scrape(&store.key(&hash(torrent))).is_some())
    };
    let sweep = |minutes| {
        let mut sweeper = Sweeper::new();
        while sweeper.step(&store, &at(minutes)).is_none() {}
    };
    sweep(5);
    assert_eq!(there(&store), [true, true, false, false]);
    sweep(6);
    assert_eq!(there(&store), [true, false, false, false]);
    sweep(7);
    assert_eq!(there(&store), [false; 4]);
}
