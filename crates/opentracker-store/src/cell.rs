//! Peers as the store keeps them: arrays of octets without padding or alignment.
//!
//! | octets IPv4 | octets IPv6 | field |
//! |---|---|---|
//! | 0..4 | 0..16 | address |
//! | 4..6 | 16..18 | port, big-endian; 0 marks a vacant cell |
//! | 6 | 18 | 0x80 seeding, 0x40 has completed, 0x3f when last told to the cluster |
//! | 7 | 19 | minute of the last announce, modulo 256 |
//!
//! What comes before the flags is the compact form of announce replies (BEP 23, BEP 7), so handing
//! out a peer is one copy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use opentracker_types::{PeerAddr, SavedPeer, Scope};

use crate::arithmetic::{folded_multiply, halves};
use crate::clock::{Moment, TOLD_MASK};
use crate::kind::Family;

/// An IPv4 peer.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Cell4([u8; 8]);

/// An IPv6 peer.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Cell6([u8; 20]);

const SEEDING: u8 = 0x80;
const COMPLETED: u8 = 0x40;

/// Keys of the peer hash, drawn at random per store so that nobody can choose colliding peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerKeys {
    pub(crate) mask: u64,
    pub(crate) factor: u64,
}

pub(crate) trait Cell: Copy + 'static {
    /// All octets of a cell.
    type Octets: Copy;

    const FAMILY: Family;
    /// Octets of a cell.
    const LEN: usize;
    /// Octets of the compact form.
    const COMPACT_LEN: usize = Self::LEN - 2;
    /// Octets of the address that count as one customer's: an IPv4 address, an IPv6 /56.
    const PREFIX_LEN: usize;
    /// No peer.
    const VACANT: Self;
    /// No peer, to be looked at.
    const NOBODY: &'static Self;

    fn from_octets(octets: Self::Octets) -> Self;
    fn into_octets(self) -> Self::Octets;
    fn octets(&self) -> &[u8];
    fn octets_mut(&mut self) -> &mut [u8];
    /// Compares address and port.
    fn is_same_peer(&self, other: &Self) -> bool;
    fn addr(&self) -> PeerAddr;
    /// Hashes address and port; all 32 bits are good.
    fn hash(&self, keys: &PeerKeys) -> u32;
    fn ip(&self) -> IpAddr;
    fn scope(&self) -> Scope;

    fn has_same_prefix(&self, other: &Self) -> bool {
        self.octets()[..Self::PREFIX_LEN] == other.octets()[..Self::PREFIX_LEN]
    }

    fn compact(&self) -> &[u8] {
        &self.octets()[..Self::COMPACT_LEN]
    }

    fn is_vacant(&self) -> bool {
        self.octets()[Self::LEN - 4..Self::LEN - 2] == [0, 0]
    }

    fn flags(&self) -> u8 {
        self.octets()[Self::LEN - 2]
    }

    fn age(&self) -> u8 {
        self.octets()[Self::LEN - 1]
    }

    fn is_seeding(&self) -> bool {
        self.flags() & SEEDING != 0
    }

    fn saved(&self, moment: &Moment) -> SavedPeer {
        SavedPeer {
            addr: self.addr(),
            seeding: self.is_seeding(),
            completed: self.flags() & COMPLETED != 0,
            age_minutes: moment.minutes_since(self.age()),
        }
    }

    /// Writes the flags and age of a peer that has just announced, and returns what was new.
    fn refresh(&mut self, report: Report, moment: &Moment) -> Refreshed {
        let before = self.flags();
        let had_completed = before & COMPLETED != 0;
        let has_completed = report.seeding && report.completed;
        let refreshed = Refreshed {
            has_completed: has_completed && !had_completed,
            tell: (before & SEEDING != 0) != report.seeding
                || has_completed && !had_completed
                || moment.must_renew(before & TOLD_MASK)
                // Back just before the sweeper came: the "told" clock may have wrapped.
                || moment.has_timed_out(self.age()),
            renewed_after: Some(moment.minutes_since(self.age())),
        };
        let told = if refreshed.tell || report.heard {
            moment.told
        } else {
            before & TOLD_MASK
        };
        self.stamp(report, had_completed || has_completed, told, moment);
        refreshed
    }

    /// Writes the flags and age of a peer that was not known before.
    fn enter(&mut self, report: Report, moment: &Moment) -> Refreshed {
        let has_completed = report.seeding && report.completed;
        self.stamp(report, has_completed, moment.told, moment);
        Refreshed {
            has_completed,
            tell: true,
            renewed_after: None,
        }
    }

    fn stamp(&mut self, report: Report, completed: bool, told: u8, moment: &Moment) {
        let seeding = if report.seeding { SEEDING } else { 0 };
        let completed = if completed { COMPLETED } else { 0 };
        let octets = self.octets_mut();
        octets[Self::LEN - 2] = seeding | completed | told;
        octets[Self::LEN - 1] = moment.age;
    }
}

/// What an announce or a live-sync record says of a peer that stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) seeding: bool,
    pub(crate) completed: bool,
    /// Came from the cluster, so the cluster need not hear of it for a while.
    pub(crate) heard: bool,
}

/// What a report changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refreshed {
    /// The peer completed its download for the first time.
    pub(crate) has_completed: bool,
    /// The cluster must hear of this, if it did not come from there.
    pub(crate) tell: bool,
    /// Minutes since the peer's announce before; `None`: it was not known.
    pub(crate) renewed_after: Option<u8>,
}

impl Cell for Cell4 {
    type Octets = [u8; 8];

    const FAMILY: Family = Family::V4;
    const LEN: usize = 8;
    const PREFIX_LEN: usize = 4;
    const VACANT: Self = Self([0; 8]);
    const NOBODY: &'static Self = &Self::VACANT;

    fn from_octets(octets: Self::Octets) -> Self {
        Self(octets)
    }

    fn into_octets(self) -> Self::Octets {
        self.0
    }

    fn octets(&self) -> &[u8] {
        &self.0
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn is_same_peer(&self, other: &Self) -> bool {
        peer_bits(self) == peer_bits(other)
    }

    fn addr(&self) -> PeerAddr {
        let (compact, _) = self.0.split_first_chunk().expect("a cell has 8 octets");
        PeerAddr::from_compact_v4(compact)
    }

    fn hash(&self, keys: &PeerKeys) -> u32 {
        finish(folded_multiply(peer_bits(self) ^ keys.mask, keys.factor))
    }

    fn ip(&self) -> IpAddr {
        self.ipv4().into()
    }

    fn scope(&self) -> Scope {
        // The tracker's rules refuse an address without a scope before it gets here.
        Scope::of_v4(self.ipv4()).unwrap_or(Scope::Global)
    }
}

impl Cell for Cell6 {
    type Octets = [u8; 20];

    const FAMILY: Family = Family::V6;
    const LEN: usize = 20;
    const PREFIX_LEN: usize = 7;
    const VACANT: Self = Self([0; 20]);
    const NOBODY: &'static Self = &Self::VACANT;

    fn from_octets(octets: Self::Octets) -> Self {
        Self(octets)
    }

    fn into_octets(self) -> Self::Octets {
        self.0
    }

    fn octets(&self) -> &[u8] {
        &self.0
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn is_same_peer(&self, other: &Self) -> bool {
        self.0[..18] == other.0[..18]
    }

    fn addr(&self) -> PeerAddr {
        let (compact, _) = self.0.split_first_chunk().expect("a cell has 20 octets");
        PeerAddr::from_compact_v6(compact)
    }

    fn hash(&self, keys: &PeerKeys) -> u32 {
        let (high, low, port) = self.words();
        let network = folded_multiply(high ^ keys.mask, low ^ keys.factor);
        finish(folded_multiply(network ^ port ^ keys.mask, keys.factor))
    }

    fn ip(&self) -> IpAddr {
        self.ipv6().into()
    }

    fn scope(&self) -> Scope {
        Scope::of_v6(self.ipv6()).unwrap_or(Scope::Global)
    }
}

impl Cell4 {
    fn ipv4(&self) -> Ipv4Addr {
        let [a, b, c, d, ..] = self.0;
        Ipv4Addr::new(a, b, c, d)
    }
}

impl Cell6 {
    fn ipv6(&self) -> Ipv6Addr {
        let (address, _) = self
            .0
            .split_first_chunk::<16>()
            .expect("a cell has 20 octets");
        Ipv6Addr::from(*address)
    }

    /// Reads address and port as numbers.
    fn words(&self) -> (u64, u64, u64) {
        let word = |at: usize| {
            let octets = self.0[at..at + 8].try_into();
            u64::from_le_bytes(octets.expect("the range has 8 octets"))
        };
        let port = u16::from_le_bytes([self.0[16], self.0[17]]);
        (word(0), word(8), u64::from(port))
    }
}

/// A peer address as a cell with empty flags and age.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyCell {
    V4(Cell4),
    V6(Cell6),
}

impl AnyCell {
    /// No peer.
    pub(crate) const VACANT: Self = Self::V4(Cell4::VACANT);
}

impl From<PeerAddr> for AnyCell {
    fn from(peer: PeerAddr) -> Self {
        let port = peer.port().to_be_bytes();
        match peer.ip() {
            IpAddr::V4(ip) => {
                let mut cell = Cell4::VACANT;
                cell.0[..4].copy_from_slice(&ip.octets());
                cell.0[4..6].copy_from_slice(&port);
                Self::V4(cell)
            }
            IpAddr::V6(ip) => {
                let mut cell = Cell6::VACANT;
                cell.0[..16].copy_from_slice(&ip.octets());
                cell.0[16..18].copy_from_slice(&port);
                Self::V6(cell)
            }
        }
    }
}

/// Address and port of an IPv4 cell as one number.
fn peer_bits(cell: &Cell4) -> u64 {
    u64::from_le_bytes(cell.0) & 0x0000_ffff_ffff_ffff
}

/// Spreads what a keyed multiplication left in neighbouring numbers over all bits: peers come with
/// consecutive ports and addresses, and linear probing forgives no clusters.
fn finish(hash: u64) -> u32 {
    let [_, high] = halves(folded_multiply(hash, 0x9e37_79b9_7f4a_7c15));
    high
}
