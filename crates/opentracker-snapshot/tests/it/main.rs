//! The format against a file made by hand, against itself, and against damage of every kind.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod damage;
mod golden;
mod hostile;
mod round_trip;

use opentracker_snapshot::{OpenError, Reader, Report, Writer};
use opentracker_types::{InfoHash, PeerAddr, SavedPeer, SavedTorrent};

/// When all snapshots here are made.
const CREATED: u64 = 1_800_000_000;

/// Octets of the head of the file.
const FILE_HEAD: usize = 24;

/// Octets of the head of a block.
const BLOCK_HEAD: usize = 36;

type Swarm = (SavedTorrent, Vec<SavedPeer>);

fn torrent(number: u8) -> SavedTorrent {
    SavedTorrent {
        info_hash: InfoHash::new([number; 20]),
        downloads: u64::from(number) << 40,
        idle_minutes: u32::from(number),
        unestablished_minutes: (number % 2 == 1).then_some(number.into()),
        swarm_peers: 8000,
    }
}

fn peer(number: u16) -> SavedPeer {
    let [high, low] = number.to_be_bytes();
    let addr = if number.is_multiple_of(5) {
        PeerAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, number].into(), 6881)
    } else {
        PeerAddr::new([198, 51, high, low].into(), number)
    };
    SavedPeer {
        addr,
        seeding: number.is_multiple_of(2),
        completed: number.is_multiple_of(3),
        age_minutes: low,
    }
}

fn write(swarms: &[Swarm]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), CREATED).unwrap();
    for (torrent, peers) in swarms {
        writer.put(torrent, peers).unwrap();
    }
    writer.finish().unwrap().0
}

/// Reads all that is whole, parts of a swarm that follow each other together.
fn read(file: &[u8]) -> Result<(Vec<Swarm>, Report), OpenError> {
    let mut reader = Reader::new(file)?;
    let mut swarms: Vec<Swarm> = Vec::new();
    while let Some(parts) = reader.next_swarms().unwrap() {
        for part in parts {
            assert_eq!(part.len(), part.peers().count());
            match swarms.last_mut() {
                Some((torrent, peers)) if *torrent == part.torrent => peers.extend(part.peers()),
                _ => swarms.push((part.torrent, part.peers().collect())),
            }
        }
    }
    Ok((swarms, *reader.report()))
}

/// The places of the blocks in a file that is whole, the last one included.
fn blocks(file: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = FILE_HEAD;
    while start < file.len() {
        let len = file[start + 24..start + 28].try_into().unwrap();
        let end = start + BLOCK_HEAD + usize::try_from(u32::from_be_bytes(len)).unwrap();
        blocks.push(start..end);
        start = end;
    }
    assert_eq!(start, file.len());
    blocks
}

/// A file of few octets and four blocks, and the number of the first peer of each block: three have
/// swarms of very many peers that are all alike, but for those of another block.
fn small_file() -> Vec<u8> {
    let alike = |number: u8| (torrent(number), vec![peer(number.into()); 8000]);
    let file = write(&[1, 2, 3].map(alike));
    assert_eq!(blocks(&file).len(), 4);
    assert!(file.len() < 1000, "{}", file.len());
    file
}
