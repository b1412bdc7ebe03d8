//! A file whose octets were put together by hand after docs/snapshot.md. Its zstd frames have one
//! block each that is not compressed (RFC 8878, 3.1.1), which no compressor would write.

use opentracker_snapshot::{MAX_CONTENT, Totals, VERSION};
use opentracker_types::{InfoHash, SavedPeer, SavedTorrent};

use crate::{CREATED, read, write};

const FILE: &[&str] = &[
    // The head: magic, version 1, created, checksum.
    "894f54530d0a1a0a00000001000000006b49d200c382dacd",
    // A block: marker, kind 1, number 0, created, lengths 120 and 129, two checksums.
    "a74f54420100000000000000000000006b49d2000000007800000081dcde64b7",
    "eb2a7ab4",
    // The beginning of its zstd frame.
    "28b52ffd2078c10300",
    // A torrent: info hash, 258 downloads, idle for 3 minutes, established, in all about a million
    // peers, 2 and 1 of them here.
    "000102030405060708090a0b0c0d0e0f10111213000000000000010200000003",
    "ffff000f424000020001",
    // 192.0.2.1:6881, seeding and completed, 3 minutes; 198.51.100.7:1, 44 minutes.
    "c00002011ae1c003c63364070001002c",
    // [2001:db8::7]:6881, seeding, 9 minutes.
    "20010db80000000000000000000000071ae18009",
    // Another torrent, idle for 45 minutes, first announced 12 minutes ago, without peers.
    "abababababababababababababababababababab00000000000000000000002d",
    "000c0000000000000000",
    // The end: kind 0, number 1, lengths 16 and 25.
    "a74f54420000000000000001000000006b49d2000000001000000019fe2b4f22",
    "3ca90776",
    // Its frame: 2 torrents, 3 peers.
    "28b52ffd201081000000000000000000020000000000000003",
];

fn swarms() -> [(SavedTorrent, Vec<SavedPeer>); 2] {
    let peer = |addr: &str, seeding, completed, age_minutes| SavedPeer {
        addr: addr.parse().unwrap(),
        seeding,
        completed,
        age_minutes,
    };
    let established = SavedTorrent {
        info_hash: "000102030405060708090a0b0c0d0e0f10111213".parse().unwrap(),
        downloads: 258,
        idle_minutes: 3,
        unestablished_minutes: None,
        swarm_peers: 1_000_000,
    };
    let peers = vec![
        peer("192.0.2.1:6881", true, true, 3),
        peer("198.51.100.7:1", false, false, 44),
        peer("[2001:db8::7]:6881", true, false, 9),
    ];
    let other = SavedTorrent {
        info_hash: InfoHash::new([0xab; 20]),
        downloads: 0,
        idle_minutes: 45,
        unestablished_minutes: Some(12),
        swarm_peers: 0,
    };
    [(established, peers), (other, Vec::new())]
}

#[test]
fn a_file_made_by_hand_is_read() {
    let hex = FILE.concat();
    let octet = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let file: Vec<_> = (0..hex.len()).step_by(2).map(octet).collect();
    let (read, report) = read(&file).unwrap();
    assert_eq!(read, swarms());
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.created, Some(CREATED));
    assert_eq!((report.blocks, report.unknown), (2, 0));
    let totals = Totals {
        torrents: 2,
        peers: 3,
    };
    assert_eq!(report.written, Some(totals));
    assert_eq!(VERSION, 1);

    // What is written of the same has the same heads, but for lengths and sums of what zstd made.
    let written = write(&swarms());
    assert_eq!(written[..24 + 24], file[..24 + 24]);
    assert_eq!(MAX_CONTENT, 65_536);
}
