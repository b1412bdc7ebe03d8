use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroU8;

use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

use crate::octets::{put, take};

/// An announce as SYNC_LIVE and SYNC_LIVE6 carry it (docs/livesync.md, Peer sync).
///
/// A *live* record says that a peer has just announced. A *told* record, from a tracker that
/// answers an inquiry, has an age and says how long ago the peer announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LiveRecord {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The peer.
    pub peer: PeerAddr,
    /// What the peer is. Decoded and encoded, COMPLETED stands only beside SEEDING: alone it is
    /// dropped, which makes the peer a plain leecher.
    pub flags: PeerFlags,
    /// How long ago the peer announced, in a told record; `None` in a live one.
    pub age: Option<PeerAge>,
}

impl LiveRecord {
    /// Makes a live record.
    #[inline]
    pub const fn new(info_hash: InfoHash, peer: PeerAddr, flags: PeerFlags) -> Self {
        Self {
            info_hash,
            peer,
            flags,
            age: None,
        }
    }

    /// Makes it a told record.
    #[inline]
    #[must_use]
    pub const fn with_age(mut self, age: PeerAge) -> Self {
        self.age = Some(age);
        self
    }

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
        let [bits, age] = take(rest);
        Self {
            info_hash,
            peer: PeerAddr::new(ip.into(), port),
            flags: meant_flags(PeerFlags::from_bits(bits)),
            age: PeerAge::from_wire(age),
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
        put(
            rest,
            &[meant_flags(self.flags).bits(), PeerAge::to_wire(self.age)],
        );
        octets
    }
}

/// How long ago a peer announced, in whole minutes (docs/livesync.md, SYNC_LIVE).
///
/// On the wire it is one more than the minutes, so that 0 is left for a record without an age. A
/// sender says at most [`MAX_MINUTES`](Self::MAX_MINUTES); received may be up to 254, and what is
/// too old is the receiver's business.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PeerAge(NonZeroU8);

impl PeerAge {
    /// The most minutes that a sender may say.
    pub const MAX_MINUTES: u8 = 240;

    /// Makes an age.
    ///
    /// # Errors
    ///
    /// Fails beyond [`MAX_MINUTES`](Self::MAX_MINUTES): such a peer is not told of at all.
    pub fn from_minutes(minutes: u64) -> Result<Self, PeerAgeError> {
        u8::try_from(minutes)
            .ok()
            .filter(|&minutes| minutes <= Self::MAX_MINUTES)
            .and_then(|minutes| Self::from_wire(minutes + 1))
            .ok_or(PeerAgeError { minutes })
    }

    /// Returns the minutes: 0 to 254.
    pub const fn minutes(self) -> u8 {
        self.0.get() - 1
    }

    const fn from_wire(octet: u8) -> Option<Self> {
        match NonZeroU8::new(octet) {
            Some(octet) => Some(Self(octet)),
            None => None,
        }
    }

    const fn to_wire(age: Option<Self>) -> u8 {
        match age {
            Some(Self(octet)) => octet.get(),
            None => 0,
        }
    }
}

impl fmt::Display for PeerAge {
    /// Writes the minutes, such as `7 min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} min", self.minutes())
    }
}

impl fmt::Debug for PeerAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerAge({self})")
    }
}

/// A peer announced too long ago to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{minutes} minutes are more than a record can say, which is 240")]
pub struct PeerAgeError {
    minutes: u64,
}

/// Returns the flags as they have a meaning: COMPLETED without SEEDING has none.
const fn meant_flags(flags: PeerFlags) -> PeerFlags {
    if flags.contains(PeerFlags::SEEDING) {
        flags
    } else {
        PeerFlags::from_bits(flags.bits() & PeerFlags::STOPPED.bits())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn read(bits: u8, age: u8) -> LiveRecord {
        let mut octets = [0; 28];
        (octets[26], octets[27]) = (bits, age);
        LiveRecord::read::<4, core::net::Ipv4Addr>(&octets)
    }

    #[test]
    fn completed_counts_only_beside_seeding() {
        let flags = |bits| read(bits, 0).flags;
        assert_eq!(flags(0x40), PeerFlags::NONE);
        assert_eq!(flags(0x60), PeerFlags::STOPPED);
        assert_eq!(flags(0xc0).bits(), 0xc0);
        assert_eq!(flags(0xff).bits(), 0xe0);
        assert_eq!(flags(0x1f), PeerFlags::NONE);
    }

    #[test]
    fn an_age_is_one_more_than_the_minutes() {
        assert_eq!(read(0x80, 0).age, None);
        for (octet, minutes) in [(1, 0), (46, 45), (241, 240)] {
            let age = PeerAge::from_minutes(u64::from(minutes)).unwrap();
            assert_eq!(age.minutes(), minutes);
            assert_eq!(read(0x80, octet).age, Some(age));
            let record: [u8; 28] = read(0x80, octet).write(&[0; 4]);
            assert_eq!(record[26..], [0x80, octet]);
        }
        assert_eq!(read(0x80, 255).age.unwrap().minutes(), 254);
    }

    #[test]
    fn who_announced_too_long_ago_has_no_age() {
        for minutes in [241, 255, 256, u64::MAX] {
            let error = PeerAge::from_minutes(minutes).unwrap_err();
            assert!(error.to_string().starts_with(&minutes.to_string()));
        }
    }
}
