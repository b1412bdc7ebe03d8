//! What a block of swarms holds (docs/snapshot.md, "Swarms").

use std::net::IpAddr;

use opentracker_types::{InfoHash, PeerAddr, SavedPeer, SavedTorrent};

use crate::block::{Fields, MAX_CONTENT};

/// Octets before the peers of a part.
pub(crate) const PART_HEAD_LEN: usize = 42;

/// Octets of an IPv4 peer.
const V4_LEN: usize = 8;
/// Octets of an IPv6 peer.
pub(crate) const V6_LEN: usize = 20;

const _: () = assert!(
    MAX_CONTENT / V4_LEN < 1 << 16,
    "the peers of a part are counted with 16 bits"
);

const SEEDING: u8 = 0x80;
const COMPLETED: u8 = 0x40;

/// In place of minutes: the torrent is established.
const ESTABLISHED: u16 = u16::MAX;

/// Torrents and their peers, of one block.
#[derive(Debug, Clone)]
pub struct Swarms<'a> {
    created: u64,
    /// Known to be well-formed.
    rest: Fields<'a>,
}

/// A torrent and peers of it: all of them, or a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwarmPart<'a> {
    /// The torrent.
    pub torrent: SavedTorrent,
    v4: &'a [[u8; V4_LEN]],
    v6: &'a [[u8; V6_LEN]],
}

impl<'a> Swarms<'a> {
    /// Returns when the snapshot was made, in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// Checks a block's content as a whole; `None` if it is not well-formed.
    pub(crate) fn decode(created: u64, content: &'a [u8]) -> Option<Self> {
        let swarms = Self {
            created,
            rest: Fields(content),
        };
        let mut rest = swarms.rest;
        while !rest.0.is_empty() {
            take_part(&mut rest)?;
        }
        Some(swarms)
    }
}

impl<'a> Iterator for Swarms<'a> {
    type Item = SwarmPart<'a>;

    fn next(&mut self) -> Option<SwarmPart<'a>> {
        take_part(&mut self.rest)
    }
}

impl<'a> SwarmPart<'a> {
    /// Returns the peers.
    pub fn peers(&self) -> impl Iterator<Item = SavedPeer> + Clone + use<'a> {
        let v4 = self.v4.iter().map(|octets| {
            let (address, state) = octets.split_first_chunk().expect("6 of 8 octets");
            peer(PeerAddr::from_compact_v4(address), state)
        });
        let v6 = self.v6.iter().map(|octets| {
            let (address, state) = octets.split_first_chunk().expect("18 of 20 octets");
            peer(PeerAddr::from_compact_v6(address), state)
        });
        v4.chain(v6)
    }

    /// Returns the number of peers.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Tells whether there are no peers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Appends a torrent and as many of its peers as there is room for, and returns the others. There
/// is room for the torrent and one peer at least.
pub(crate) fn encode<'a>(
    torrent: &SavedTorrent,
    peers: &'a [SavedPeer],
    room: usize,
    out: &mut Vec<u8>,
) -> &'a [SavedPeer] {
    let mut room = room - PART_HEAD_LEN;
    let mut v4 = 0_u16;
    let fitting = peers.iter().take_while(|peer| {
        let len = if peer.addr.is_ipv4() { V4_LEN } else { V6_LEN };
        let fits = len <= room;
        if fits {
            room -= len;
            v4 += u16::from(peer.addr.is_ipv4());
        }
        fits
    });
    let (peers, rest) = peers.split_at(fitting.count());
    let v6 = u16::try_from(peers.len()).expect("no block holds more") - v4;
    let unestablished = torrent
        .unestablished_minutes
        .map_or(ESTABLISHED, |minutes| minutes.min(ESTABLISHED - 1));
    out.extend(torrent.info_hash.as_bytes());
    out.extend(torrent.downloads.to_be_bytes());
    out.extend(torrent.idle_minutes.to_be_bytes());
    out.extend(unestablished.to_be_bytes());
    out.extend(torrent.swarm_peers.to_be_bytes());
    out.extend(v4.to_be_bytes());
    out.extend(v6.to_be_bytes());
    for peer in peers {
        if let IpAddr::V4(ip) = peer.addr.ip() {
            out.extend(ip.octets());
            put_state(peer, out);
        }
    }
    for peer in peers {
        if let IpAddr::V6(ip) = peer.addr.ip() {
            out.extend(ip.octets());
            put_state(peer, out);
        }
    }
    rest
}

/// Appends what follows the address: port, flags, age.
fn put_state(peer: &SavedPeer, out: &mut Vec<u8>) {
    let seeding = if peer.seeding { SEEDING } else { 0 };
    let completed = if peer.completed { COMPLETED } else { 0 };
    let [high, low] = peer.addr.port().to_be_bytes();
    out.extend([high, low, seeding | completed, peer.age_minutes]);
}

fn take_part<'a>(fields: &mut Fields<'a>) -> Option<SwarmPart<'a>> {
    let info_hash = InfoHash::new(fields.take()?);
    let downloads = u64::from_be_bytes(fields.take()?);
    let idle_minutes = u32::from_be_bytes(fields.take()?);
    let unestablished = u16::from_be_bytes(fields.take()?);
    let swarm_peers = u32::from_be_bytes(fields.take()?);
    let v4 = u16::from_be_bytes(fields.take()?);
    let v6 = u16::from_be_bytes(fields.take()?);
    Some(SwarmPart {
        torrent: SavedTorrent {
            info_hash,
            downloads,
            idle_minutes,
            unestablished_minutes: (unestablished != ESTABLISHED).then_some(unestablished),
            swarm_peers,
        },
        v4: fields.take_items(v4.into())?,
        v6: fields.take_items(v6.into())?,
    })
}

fn peer(addr: PeerAddr, state: &[u8]) -> SavedPeer {
    let &[flags, age_minutes] = state else {
        unreachable!("two octets follow an address")
    };
    SavedPeer {
        addr,
        seeding: flags & SEEDING != 0,
        completed: flags & COMPLETED != 0,
        age_minutes,
    }
}
