use std::net::IpAddr;
use std::ops::Range;

use opentracker_snapshot::{Reader, Report, Writer};
use opentracker_types::{InfoHash, PeerAddr, SavedPeer, SavedTorrent};

use crate::input::Input;

/// Octets of the head of a file, and of the head of a block (docs/snapshot.md).
const FILE_HEAD: usize = 24;
const BLOCK_HEAD: usize = 36;

/// Where the head of a block says how many octets follow it.
const PACKED_LEN: Range<usize> = 24..28;

/// The longest burst that a checksum of 32 bits finds for certain.
const BURST: usize = 4;

/// The most torrents of a snapshot that is written here.
const MAX_TORRENTS: usize = 64;

type Part = (SavedTorrent, Vec<SavedPeer>);

/// Snapshots: any octets, and whole ones with one damage, of which everything is loaded that is whole.
///
/// The first octet chooses.
pub fn snapshot(octets: &[u8]) {
    let mut input = Input::new(octets);
    match input.octet() {
        Some(choice) if choice & 1 == 0 => read_anything(input.rest()),
        Some(_) => damage(&mut input).unwrap_or_default(),
        None => {}
    }
}

fn read_anything(octets: &[u8]) {
    let Some((blocks, report)) = read(octets) else {
        return;
    };
    let parts: Vec<_> = blocks.into_iter().flatten().collect();
    let peers: usize = parts.iter().map(|(_, peers)| peers.len()).sum();
    assert_eq!(report.found.peers, peers as u64);
    assert!(report.found.torrents <= parts.len() as u64);
    assert!(report.lost_octets <= octets.len() as u64);
    assert!(report.blocks * BLOCK_HEAD as u64 <= octets.len() as u64);
}

/// Writes a snapshot, damages it in one place, and reads it.
fn damage(input: &mut Input<'_>) -> Option<()> {
    let place: [u8; 4] = input.array()?;
    let [kind, burst] = input.array()?;
    let swarms = swarms(input);
    let whole = write(&swarms);
    let (parts, report) = read(&whole).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(joined(parts.iter().flatten()), joined(&swarms));

    let mut file = whole.clone();
    let place = usize::try_from(u32::from_be_bytes(place)).unwrap() % file.len();
    match kind % 4 {
        0 => {
            let octets = file[place..].iter_mut().take(BURST);
            octets.for_each(|octet| *octet ^= burst | 1);
        }
        1 => file.truncate(place),
        2 => {
            let end = file.len().min(place + 1 + usize::from(burst) * 16);
            file.drain(place..end);
        }
        _ => {
            let inserted = vec![burst; 1 + usize::from(kind >> 2)];
            file.splice(place..place, inserted);
        }
    }
    let intact = intact_blocks(&whole, &file);
    let (last, swarms) = intact.split_last().unwrap();
    let expected = parts
        .iter()
        .zip(swarms)
        .filter(|(_, is_intact)| **is_intact);
    let expected: Vec<_> = expected.map(|(parts, _)| parts.clone()).collect();
    match read(&file) {
        None => assert!(expected.is_empty() && !last, "what is whole was given up"),
        Some((found, report)) => {
            assert_eq!(found, expected);
            assert_eq!(report.written.is_some(), *last);
            assert!(!report.is_whole() || found == parts, "{report:?}");
        }
    }
    Some(())
}

/// Tells of each block of a whole file whether it is there in a damaged one.
fn intact_blocks(whole: &[u8], file: &[u8]) -> Vec<bool> {
    let mut intact = Vec::new();
    // Two neighbours may seem to be there and share an octet, which is the first one's then.
    let mut free_from = 0;
    for block in blocks(whole) {
        let behind = whole.len() - block.start;
        let places = [
            file.starts_with(&whole[..block.end]).then_some(block.start),
            file.ends_with(&whole[block.start..])
                .then(|| file.len() - behind),
        ];
        let place = places
            .into_iter()
            .flatten()
            .find(|place| *place >= free_from);
        free_from = place.map_or(free_from, |place| place + block.len());
        intact.push(place.is_some());
    }
    intact
}

/// Says where the blocks of a whole file are.
fn blocks(file: &[u8]) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = FILE_HEAD;
    while let Some(head) = file[start..].get(..BLOCK_HEAD) {
        let packed = u32::from_be_bytes(head[PACKED_LEN].try_into().unwrap());
        let end = start + BLOCK_HEAD + usize::try_from(packed).unwrap();
        blocks.push(start..end);
        start = end;
    }
    blocks
}

/// Reads a file, as the parts of its blocks; `None` if it is no snapshot.
fn read(file: &[u8]) -> Option<(Vec<Vec<Part>>, Report)> {
    let mut reader = Reader::new(file).ok()?;
    let mut blocks = Vec::new();
    while let Some(swarms) = reader.next_swarms().unwrap() {
        blocks.push(
            swarms
                .map(|part| (part.torrent, part.peers().collect()))
                .collect(),
        );
    }
    Some((blocks, *reader.report()))
}

fn write(swarms: &[Part]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), 1_700_000_000).unwrap();
    for (torrent, peers) in swarms {
        writer.put(torrent, peers).unwrap();
    }
    writer.finish().unwrap().0
}

/// Joins the parts of a torrent that follow each other.
fn joined<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for (torrent, peers) in parts {
        match joined.last_mut() {
            Some((last, all)) if last == torrent => all.extend(peers),
            _ => joined.push((*torrent, peers.clone())),
        }
    }
    joined
}

/// Takes torrents and peers from the input.
fn swarms(input: &mut Input<'_>) -> Vec<Part> {
    let swarms = std::iter::from_fn(|| {
        let [torrent, peers, downloads, idle, state] = input.array()?;
        // Sometimes as many as fill blocks.
        let factor = if state & 0x30 == 0x30 { 64 } else { 1 };
        let count = factor * u16::from(peers);
        let torrent = SavedTorrent {
            info_hash: InfoHash::new([torrent; 20]),
            downloads: downloads.into(),
            idle_minutes: idle.into(),
            unestablished_minutes: (state & 1 == 0).then_some(idle.into()),
            swarm_peers: count.into(),
        };
        Some((
            torrent,
            (0..count).map(|number| peer(number, state)).collect(),
        ))
    });
    swarms.take(MAX_TORRENTS).collect()
}

fn peer(number: u16, state: u8) -> SavedPeer {
    let [high, low] = number.to_be_bytes();
    let ip: IpAddr = match state & 2 {
        0 => [198, 18, high, low].into(),
        _ => [0x2001, 0xdb8, 0, 0, 0, 0, 0, number].into(),
    };
    SavedPeer {
        addr: PeerAddr::new(ip, number | 1),
        seeding: number & 1 == 1,
        completed: state & 8 == 8,
        age_minutes: low,
    }
}
