use core::net::IpAddr;

use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

use crate::octets::{put, take};

/// An announce as SYNC_LIVE and SYNC_LIVE6 tell it to the cluster (docs/livesync.md, Peer sync).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LiveRecord {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The peer.
    pub peer: PeerAddr,
    /// What the peer is. Decoded and encoded, COMPLETED stands only beside SEEDING: alone it is
    /// dropped, which makes the peer a plain leecher.
    pub flags: PeerFlags,
}

impl LiveRecord {
    /// Tells whether the peer goes away, whatever else the flags say.
    pub const fn is_stopped(&self) -> bool {
        self.flags.contains(PeerFlags::STOPPED)
    }

    /// Reads a record whose address has the `A` octets that make an `Ip`.
    #[inline]
    pub(crate) fn read<const A: usize, Ip>(mut octets: &[u8]) -> Self
    where
        Ip: From<[u8; A]> + Into<IpAddr>,
    {
        let rest = &mut octets;
        let info_hash = InfoHash::new(take(rest));
        let ip = Ip::from(take(rest));
        let port = u16::from_be_bytes(take(rest));
        // The age is sent as 0 and means nothing.
        let [bits, _age] = take(rest);
        Self {
            info_hash,
            peer: PeerAddr::new(ip.into(), port),
            flags: told_flags(PeerFlags::from_bits(bits)),
        }
    }

    /// Writes a record of `N` octets with this address in it.
    #[inline]
    pub(crate) fn write<const A: usize, const N: usize>(&self, ip: &[u8; A]) -> [u8; N] {
        let mut octets = [0; N];
        let rest = &mut octets.as_mut_slice();
        put(rest, self.info_hash.as_bytes());
        put(rest, ip);
        put(rest, &self.peer.port().to_be_bytes());
        put(rest, &[told_flags(self.flags).bits(), 0]);
        octets
    }
}

/// Returns the flags as they have a meaning: COMPLETED without SEEDING has none.
const fn told_flags(flags: PeerFlags) -> PeerFlags {
    if flags.contains(PeerFlags::SEEDING) {
        flags
    } else {
        PeerFlags::from_bits(flags.bits() & PeerFlags::STOPPED.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completed_counts_only_beside_seeding() {
        let read = |bits| {
            let mut octets = [0; 28];
            octets[26] = bits;
            LiveRecord::read::<4, core::net::Ipv4Addr>(&octets).flags
        };
        assert_eq!(read(0x40), PeerFlags::NONE);
        assert_eq!(read(0x60), PeerFlags::STOPPED);
        assert_eq!(read(0xc0).bits(), 0xc0);
        assert_eq!(read(0xff).bits(), 0xe0);
        assert_eq!(read(0x1f), PeerFlags::NONE);
    }
}
