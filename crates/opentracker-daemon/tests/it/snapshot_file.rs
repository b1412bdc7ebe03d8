//! Snapshots as docs/snapshot.md has them: written with zstd frames that are not compressed, and
//! looked at without unpacking what is in them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Peers that go into a block here: a zstd block has 128 KiB at most.
const PEERS: usize = 8000;

/// A swarm of IPv4 peers at ports of one address.
#[derive(Debug, Clone)]
pub(crate) struct Swarm {
    pub(crate) info_hash: [u8; 20],
    pub(crate) downloads: u64,
    pub(crate) idle_minutes: u32,
    pub(crate) peers: Vec<Peer>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) ip: [u8; 4],
    pub(crate) port: u16,
    pub(crate) seeding: bool,
    pub(crate) completed: bool,
    pub(crate) age_minutes: u8,
}

/// Leechers that have just announced, at so many ports of an address.
pub(crate) fn leechers(ip: [u8; 4], ports: u16) -> Vec<Peer> {
    let leecher = |port| Peer {
        ip,
        port,
        seeding: false,
        completed: false,
        age_minutes: 0,
    };
    (1..=ports).map(leecher).collect()
}

/// A swarm that has been there for a while.
pub(crate) fn swarm(info_hash: [u8; 20], peers: Vec<Peer>) -> Swarm {
    Swarm {
        info_hash,
        downloads: 0,
        idle_minutes: 0,
        peers,
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Writes a snapshot of a version.
pub(crate) fn encode(version: u32, created: u64, swarms: &[Swarm]) -> Vec<u8> {
    let mut head = b"\x89OTS\r\n\x1a\n".to_vec();
    head.extend(version.to_be_bytes());
    head.extend(created.to_be_bytes());
    let mut file = with_sum(head);
    let mut number = 0;
    let mut content = Vec::new();
    let mut totals = [swarms.len() as u64, 0];
    let mut put = |kind: u8, content: &mut Vec<u8>| {
        file.extend(block(kind, number, created, content));
        number += 1;
        content.clear();
    };
    for swarm in swarms {
        totals[1] += swarm.peers.len() as u64;
        for part in parts(&swarm.peers) {
            let count = u16::try_from(part.len()).unwrap();
            content.extend(swarm.info_hash);
            content.extend(swarm.downloads.to_be_bytes());
            content.extend(swarm.idle_minutes.to_be_bytes());
            content.extend(u16::MAX.to_be_bytes());
            content.extend(u32::try_from(swarm.peers.len()).unwrap().to_be_bytes());
            content.extend(count.to_be_bytes());
            content.extend([0, 0]);
            for peer in part {
                let flags = u8::from(peer.seeding) << 7 | u8::from(peer.completed) << 6;
                content.extend(peer.ip);
                content.extend(peer.port.to_be_bytes());
                content.extend([flags, peer.age_minutes]);
            }
            if content.len() > PEERS * 8 / 2 {
                put(1, &mut content);
            }
        }
    }
    put(1, &mut content);
    content.extend(totals[0].to_be_bytes());
    content.extend(totals[1].to_be_bytes());
    put(0, &mut content);
    file
}

/// Peers in parts of one block at most; no peers are a part too.
fn parts(peers: &[Peer]) -> impl Iterator<Item = &[Peer]> {
    let none = peers.is_empty().then_some(peers);
    none.into_iter().chain(peers.chunks(PEERS))
}

fn block(kind: u8, number: u32, created: u64, content: &[u8]) -> Vec<u8> {
    let len = |octets: usize| u32::try_from(octets).unwrap();
    // A single segment whose size stands in four octets, and one raw block, the last one.
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    packed.extend(len(content.len()).to_le_bytes());
    packed.extend(&(1 | len(content.len()) << 3).to_le_bytes()[..3]);
    packed.extend(content);
    let mut head = b"\xa7OTB".to_vec();
    head.extend([kind, 0, 0, 0]);
    head.extend(number.to_be_bytes());
    head.extend(created.to_be_bytes());
    head.extend(len(content.len()).to_be_bytes());
    head.extend(len(packed.len()).to_be_bytes());
    head.extend(crc(&packed).to_be_bytes());
    let mut block = with_sum(head);
    block.extend(packed);
    block
}

fn with_sum(mut head: Vec<u8>) -> Vec<u8> {
    let sum = crc(&head);
    head.extend(sum.to_be_bytes());
    head
}

/// The CRC-32 of zlib, bit by bit.
fn crc(octets: &[u8]) -> u32 {
    !octets.iter().fold(u32::MAX, |sum, &octet| {
        (0..8).fold(sum ^ u32::from(octet), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 * (sum & 1))
        })
    })
}

/// Reads when a file says that it was made, and nothing else of it.
pub(crate) fn said_to_be_created(path: &Path) -> u64 {
    let mut head = [0; 20];
    File::open(path).unwrap().read_exact(&mut head).unwrap();
    u64::from_be_bytes(head[12..].try_into().unwrap())
}

/// Reads the heads and the checksums of a file that must be whole, and returns when it was made.
pub(crate) fn created(path: &Path) -> u64 {
    let file = std::fs::read(path).unwrap();
    let sum = |octets: &[u8]| u32::from_be_bytes(octets.try_into().unwrap());
    assert_eq!(crc(&file[..20]), sum(&file[20..24]), "the head");
    let created = &file[12..20];
    let mut rest = &file[24..];
    for number in 0_u32.. {
        let (head, behind) = rest.split_at(36);
        assert_eq!(crc(&head[..32]), sum(&head[32..]), "head {number}");
        assert_eq!(&head[..4], b"\xa7OTB");
        assert_eq!(head[8..12], number.to_be_bytes());
        assert_eq!(&head[12..20], created);
        let len = usize::try_from(sum(&head[24..28])).unwrap();
        assert_eq!(crc(&behind[..len]), sum(&head[28..32]), "block {number}");
        rest = &behind[len..];
        if head[4] == 0 {
            break;
        }
    }
    assert!(rest.is_empty(), "{} octets behind the end", rest.len());
    u64::from_be_bytes(created.try_into().unwrap())
}
