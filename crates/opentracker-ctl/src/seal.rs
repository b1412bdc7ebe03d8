//! Seals of packets of live sync: looked at, and put on.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Args;
use opentracker_livesync_wire::{
    HEADER_LEN, Key, KeyName, Keys, Packet, PacketBuf, ScrapeTell, SealedPacket, Stamp, SyncLive,
    SyncLive6,
};

/// The keys of a cluster that seals.
#[derive(Debug, Args)]
pub(crate) struct Secret {
    /// The file of `livesync.secret`. Its first key seals, and a seal that fits any of them is good.
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
}

/// What is known of the seal of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    /// There is none, as far as can be told without keys.
    None,
    /// There may be one, which nobody can tell without keys.
    Perhaps,
    /// It fits this key.
    Fits(KeyName, Stamp),
    /// There is none that fits a key.
    Bad,
}

/// A datagram, and what of it is the packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened<'a> {
    pub(crate) packet: &'a [u8],
    pub(crate) seal: Seal,
}

/// Seals one packet after the other.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: Key,
    next: Stamp,
}

impl Secret {
    /// Reads the file, if one is named.
    pub(crate) fn keys(&self) -> Result<Option<Keys>> {
        let Some(path) = &self.secret else {
            return Ok(None);
        };
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let keys = Keys::parse(&text).with_context(|| path.display().to_string())?;
        Ok(Some(keys))
    }
}

impl<'a> Opened<'a> {
    /// Takes the seal off a datagram. Without keys, what looks like one is taken off.
    pub(crate) fn new(datagram: &'a [u8], keys: Option<&Keys>) -> Self {
        let sealed = SealedPacket::split(datagram);
        let opened = |(sealed, seal): (SealedPacket<'a>, Seal)| Self {
            packet: sealed.packet(),
            seal,
        };
        let as_it_is = |seal| Self {
            packet: datagram,
            seal,
        };
        let Some(keys) = keys else {
            let sealed = sealed.filter(|sealed| !is_whole(datagram) && is_whole(sealed.packet()));
            return sealed.map_or(as_it_is(Seal::None), |sealed| {
                opened((sealed, Seal::Perhaps))
            });
        };
        let fitting = sealed.and_then(|sealed| {
            let key = keys.iter().find(|key| sealed.fits(key))?;
            Some((sealed, Seal::Fits(key.name(), sealed.stamp())))
        });
        fitting.map_or(as_it_is(Seal::Bad), opened)
    }
}

/// Tells whether a datagram is a packet, with no octet left over.
fn is_whole(datagram: &[u8]) -> bool {
    let is_filled = |record| (datagram.len() - HEADER_LEN).is_multiple_of(record);
    match Packet::decode(datagram) {
        Ok(Packet::SyncLive(_)) => is_filled(SyncLive::RECORD_LEN),
        Ok(Packet::SyncLive6(_)) => is_filled(SyncLive6::RECORD_LEN),
        Ok(Packet::ScrapeTell(_)) => is_filled(ScrapeTell::RECORD_LEN),
        Ok(Packet::Beacon(_) | Packet::Inquire(_)) => true,
        Err(_) => false,
    }
}

impl Sealer {
    /// Makes one whose numbers go on from those of earlier runs, of which a tracker may remember one
    /// for ten minutes: they are microseconds.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both are modulo 2³² in a seal"
    )]
    pub(crate) fn new(keys: &Keys) -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            key: keys.first().clone(),
            next: Stamp {
                time: now.as_secs() as u32,
                number: now.as_micros() as u32,
            },
        }
    }

    /// Seals a packet.
    pub(crate) fn seal(&mut self, packet: &[u8]) -> Result<Vec<u8>> {
        let octets = packet.len();
        let mut packet = PacketBuf::copy_of(packet)
            .with_context(|| format!("{octets} octets are no packet that can be sealed"))?;
        let sealed = packet.seal(self.next, &self.key);
        sealed.with_context(|| format!("a packet of {octets} octets and a seal is too long"))?;
        self.next.number = self.next.number.wrapping_add(1);
        Ok(packet.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use opentracker_livesync_wire::{Beacon, Inquire, LiveRecord, LiveWriter};
    use opentracker_types::{InfoHash, PeerFlags, TrackerId};

    use super::*;

    const SENDER: TrackerId = TrackerId::new(*b"ctl!");

    fn keys(digits: &str) -> Keys {
        Keys::parse(&digits.repeat(32)).unwrap()
    }

    fn packets() -> Vec<Vec<u8>> {
        let mut live = LiveWriter::sync_live(SENDER);
        let peer = "192.0.2.1:6881".parse::<std::net::SocketAddr>().unwrap();
        let torrent = InfoHash::new([7; InfoHash::LEN]);
        live.push(&LiveRecord::new(torrent, peer.into(), PeerFlags::SEEDING))
            .unwrap();
        let (sender, target, torrents) = (SENDER, SENDER, 300);
        vec![
            live.take().as_bytes().to_vec(),
            Beacon { sender, torrents }.encode().to_vec(),
            Inquire { sender, target }.encode().to_vec(),
        ]
    }

    #[test]
    fn what_is_sealed_is_opened_with_the_key_and_guessed_without() {
        let (ours, others) = (keys("0a"), keys("0b"));
        let mut sealer = Sealer::new(&ours);
        let first = sealer.next;
        for (number, packet) in (0..).zip(packets()) {
            let sealed = sealer.seal(&packet).unwrap();
            let opened = |datagram, keys| {
                let Opened { packet, seal } = Opened::new(datagram, keys);
                (packet.to_vec(), seal)
            };
            let stamp = Stamp {
                number: first.number.wrapping_add(number),
                ..first
            };
            let fits = Seal::Fits(ours.first().name(), stamp);
            assert_eq!(opened(&sealed, Some(&ours)), (packet.clone(), fits));
            assert_eq!(opened(&sealed, Some(&others)), (sealed.clone(), Seal::Bad));
            assert_eq!(opened(&sealed, None), (packet.clone(), Seal::Perhaps));
            assert_eq!(opened(&packet, None), (packet.clone(), Seal::None));
            assert_eq!(opened(&packet, Some(&ours)), (packet, Seal::Bad));
        }
        assert_eq!(Opened::new(b"nonsense", None).seal, Seal::None);
    }

    #[test]
    fn what_has_no_header_or_no_room_is_not_sealed() {
        let mut sealer = Sealer::new(&keys("0a"));
        assert!(sealer.seal(&[0; 7]).is_err());
        assert!(sealer.seal(&[0; 1209]).is_err());
        assert_eq!(sealer.seal(&[0; 1208]).unwrap().len(), 1232);
    }
}
