//! Selection is uniform: every eligible peer is handed out equally often.

use opentracker_store::{
    Announce, Minute, Moment, PeerBuffers, Picker, Presence, Store, Sweeper, Timing,
};
use opentracker_types::{InfoHash, PeerAddr};

const TORRENT: InfoHash = InfoHash::new([9; 20]);
const LEECHER: Presence = Presence::Here {
    seeding: false,
    completed: false,
};
const SEEDER: Presence = Presence::Here {
    seeding: true,
    completed: false,
};

fn peer(number: u16) -> PeerAddr {
    let [high, low] = number.to_be_bytes();
    PeerAddr::new([198, 51, high, low].into(), 1024 + number)
}

fn announce(store: &Store, picker: &mut Picker, peer: PeerAddr, presence: Presence) {
    let mut none = PeerBuffers::v4(&mut []);
    let announce = Announce {
        key: store.key(&TORRENT),
        peer,
        presence,
    };
    let moment = Moment::new(Minute::new(0), &Timing::default());
    store.announce(&announce, &moment, 0, picker, &mut none);
}

/// Announces `rounds` times from peer 0 among `peers` and counts how often each other is handed
/// out; then checks the counts against their expectation, and those of pairs of neighbours too.
fn assert_uniform(peers: u16, seeders: u16, want: usize, rounds: u32) {
    let store = Store::new([3; 32]);
    let mut picker = Picker::new(u64::from(peers));
    for number in 0..peers {
        let presence = if number >= peers - seeders {
            SEEDER
        } else {
            LEECHER
        };
        announce(&store, &mut picker, peer(number), presence);
    }
    let moment = Moment::new(Minute::new(0), &Timing::default());
    let mut singles = vec![0_u32; usize::from(peers)];
    let mut neighbours = 0_u32;
    let mut reply = vec![0; want * 6];
    for _ in 0..rounds {
        let mut out = PeerBuffers::v4(&mut reply);
        let request = Announce {
            key: store.key(&TORRENT),
            peer: peer(0),
            presence: LEECHER,
        };
        store.announce(&request, &moment, want, &mut picker, &mut out);
        let octets = out.v4_octets();
        assert_eq!(octets, 6 * want.min(usize::from(peers) - 1));
        let mut given = vec![false; usize::from(peers)];
        for compact in reply[..octets].chunks(6) {
            given[usize::from(u16::from_be_bytes([compact[4], compact[5]]) - 1024)] = true;
        }
        for (count, given) in singles.iter_mut().zip(&given) {
            *count += u32::from(*given);
        }
        neighbours +=
            u32::try_from(given.windows(2).filter(|pair| pair[0] && pair[1]).count()).unwrap();
    }
    assert_eq!(singles[0], 0, "the announcer was handed to itself");
    let others = f64::from(peers - 1);
    let want = (want as f64).min(others);
    let rounds = f64::from(rounds);
    // Six standard deviations: with fixed seeds this either always holds or never.
    let share = want / others;
    let slack = 6.0 * (rounds * share * (1.0 - share)).sqrt() + 1e-9;
    for (number, count) in singles.iter().enumerate().skip(1) {
        let off = (f64::from(*count) - rounds * share).abs();
        assert!(
            off <= slack,
            "peer {number}: {count} of {rounds}, expected {share}"
        );
    }
    // Joint inclusion of two peers of a sample without replacement.
    let both = share * (want - 1.0) / (others - 1.0).max(1.0);
    let expected = rounds * both * (others - 1.0);
    let off = (f64::from(neighbours) - expected).abs();
    assert!(
        off <= 6.0 * expected.sqrt() + 1e-9,
        "{neighbours} pairs of neighbours, expected {expected}"
    );
}

#[test]
fn uniform_in_an_inline_swarm() {
    assert_uniform(4, 1, 2, 20_000);
    assert_uniform(4, 2, 50, 10);
}

#[test]
fn uniform_in_a_listed_swarm() {
    assert_uniform(20, 7, 5, 20_000);
}

#[test]
fn uniform_in_a_large_swarm_few_of_many() {
    assert_uniform(300, 100, 30, 5_000);
}

#[test]
fn uniform_in_a_large_swarm_many_of_few() {
    assert_uniform(80, 30, 60, 5_000);
    assert_uniform(80, 30, 200, 10);
}

#[test]
fn uniform_after_most_peers_have_left() {
    let store = Store::new([4; 32]);
    let mut picker = Picker::new(1);
    for number in 0..5000 {
        announce(&store, &mut picker, peer(number), LEECHER);
    }
    for number in 40..5000 {
        announce(&store, &mut picker, peer(number), Presence::Gone);
    }
    let moment = Moment::new(Minute::new(0), &Timing::default());
    let mut reply = [0; 60];
    for _ in 0..100 {
        let mut out = PeerBuffers::v4(&mut reply);
        let request = Announce {
            key: store.key(&TORRENT),
            peer: peer(1),
            presence: LEECHER,
        };
        let counts = store
            .announce(&request, &moment, 10, &mut picker, &mut out)
            .counts;
        assert_eq!((counts.leechers, out.v4_octets()), (40, 60));
    }
}

#[test]
fn a_giant_swarm_is_swept_in_steps_and_gives_its_memory_back() {
    let store = Store::new([5; 32]);
    let mut picker = Picker::new(1);
    let timing = Timing::default();
    for number in 0..60_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let stays = number % 100 == 0;
        let announce = Announce {
            key: store.key(&TORRENT),
            peer: PeerAddr::new([20, a, b, c].into(), 6881),
            presence: LEECHER,
        };
        let moment = Moment::new(Minute::new(if stays { 40 } else { 0 }), &timing);
        let mut none = PeerBuffers::v4(&mut []);
        store.announce(&announce, &moment, 0, &mut picker, &mut none);
    }
    let filled = store.heap_octets();
    assert!(filled < 60_000 * 12, "{filled} octets for 60,000 peers");
    let moment = Moment::new(Minute::new(46), &timing);
    let mut sweeper = Sweeper::new();
    let mut steps = 1;
    let swept = loop {
        if let Some(swept) = sweeper.step(&store, &moment) {
            break swept;
        }
        steps += 1;
    };
    assert_eq!(swept.peers, 59_400);
    assert!(steps > u32::from(store.parts()) + 25, "{steps} steps");
    assert_eq!(store.totals().peers.total(), 600);
    assert!(store.heap_octets() < filled / 20);
}

#[test]
fn a_store_has_the_parts_that_are_asked_for() {
    for (asked, parts) in [(0, 2), (2, 2), (5, 8), (4096, 4096), (u16::MAX, 32_768)] {
        let store = Store::with_parts([6; 32], asked);
        assert_eq!(store.parts(), parts);
        let mut picker = Picker::new(1);
        for number in 0..100 {
            announce(&store, &mut picker, peer(number), LEECHER);
        }
        let moment = Moment::new(Minute::new(0), &Timing::default());
        let mut torrents = 0;
        (0..parts).for_each(|part| store.visit(part, &moment, |_| torrents += 1));
        assert_eq!((torrents, store.totals().peers.total()), (1, 100));
    }
}
