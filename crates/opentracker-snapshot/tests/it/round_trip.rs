//! What is written is read, whatever it is.

use opentracker_snapshot::Totals;
use opentracker_types::{InfoHash, PeerAddr, SavedPeer, SavedTorrent};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::{Swarm, blocks, peer, read, torrent, write};

fn any_torrent() -> impl Strategy<Value = SavedTorrent> {
    let minutes = option::of(0..u16::MAX);
    (any::<[u8; 20]>(), any::<u64>(), any::<[u32; 2]>(), minutes).prop_map(
        |(info_hash, downloads, [idle_minutes, swarm_peers], unestablished_minutes)| SavedTorrent {
            info_hash: InfoHash::new(info_hash),
            downloads,
            idle_minutes,
            unestablished_minutes,
            swarm_peers,
        },
    )
}

fn any_peer() -> impl Strategy<Value = SavedPeer> {
    let ip = any::<std::net::IpAddr>();
    (ip, any::<u16>(), any::<[bool; 2]>(), any::<u8>()).prop_map(
        |(ip, port, [seeding, completed], age_minutes)| SavedPeer {
            addr: PeerAddr::new(ip, port),
            seeding,
            completed,
            age_minutes,
        },
    )
}

/// IPv4 peers come first.
fn in_order((torrent, mut peers): Swarm) -> Swarm {
    peers.sort_by_key(|peer| !peer.addr.is_ipv4());
    (torrent, peers)
}

proptest! {
    #[test]
    fn any_swarms(swarms in vec((any_torrent(), vec(any_peer(), 0..50)), 0..20)) {
        let (read, report) = read(&write(&swarms)).unwrap();
        prop_assert!(report.is_whole(), "{:?}", report);
        let expected: Vec<_> = swarms.into_iter().map(in_order).collect();
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn nothing_at_all() {
    let (swarms, report) = read(&write(&[])).unwrap();
    assert!(swarms.is_empty() && report.is_whole());
    assert_eq!(report.written, Some(Totals::default()));
}

#[test]
fn a_large_swarm_is_spread_over_blocks() {
    let large: Vec<_> = (0..=u16::MAX).cycle().take(100_000).map(peer).collect();
    let swarms = [
        (torrent(1), vec![peer(1)]),
        (torrent(2), large),
        (torrent(3), Vec::new()),
    ];
    let file = write(&swarms);
    assert!(blocks(&file).len() > 10);
    let (read, report) = read(&file).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.found.torrents, 3);
    let sorted = |peers: &[SavedPeer]| {
        let mut peers = peers.to_vec();
        peers.sort_by_key(|peer| peer.addr);
        peers
    };
    for ((torrent, peers), (expected, all)) in read.iter().zip(&swarms) {
        assert_eq!(torrent, expected);
        assert_eq!(sorted(peers), sorted(all));
    }
}
