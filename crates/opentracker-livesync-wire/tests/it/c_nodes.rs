//! What nodes of the C program read of sealed packets: as they read what was captured from them.
//!
//! On builds of each generation a tail of any length less than a record was measured to change nothing
//! that they read. [`Generation::read`] reads as they do.

use opentracker_livesync_wire::{
    Beacon, HEADER_LEN, Inquire, Key, LiveRecord, LiveWriter, MAX_SEALABLE_PACKET, Packet,
    PacketBuf, Stamp, SyncLive, SyncLive6,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};

use crate::golden::{from_hex, text, vectors};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    Of2010,
    Of2014,
    Of2024,
}

impl Generation {
    const ALL: [Self; 3] = [Self::Of2010, Self::Of2014, Self::Of2024];

    /// Octets of a record of live sync in packets of a type, of which it reads the whole ones.
    const fn record_len(self, packet_type: u32) -> Option<usize> {
        match (packet_type, self) {
            (SyncLive::TYPE, _) => Some(28),
            (SyncLive6::TYPE, Self::Of2024) => Some(40),
            _ => None,
        }
    }

    /// Returns the records that it applies.
    fn read(self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let (header, body) = datagram.split_at(8);
        let packet_type = u32::from_be_bytes(header[4..].try_into().unwrap());
        let Some(len) = self.record_len(packet_type) else {
            return Vec::new();
        };
        body.chunks_exact(len).map(<[u8]>::to_vec).collect()
    }
}

#[test]
fn captured_packets_read_the_same_with_a_seal() {
    let mut packets = 0;
    for vector in vectors() {
        let captured = from_hex(text(&vector, "hex"));
        let is_live = text(&vector["decoded"], "kind").starts_with("LIVE");
        let has_records = captured.len() > HEADER_LEN;
        if !is_live || !has_records {
            continue;
        }
        for generation in Generation::ALL {
            let records = generation.read(&captured);
            let len = records.first().map_or(1, Vec::len);
            for part in records.chunks((MAX_SEALABLE_PACKET - HEADER_LEN) / len) {
                let plain = [&captured[..HEADER_LEN], &part.concat()].concat();
                let sealed = sealed(PacketBuf::copy_of(&plain).unwrap());
                assert_eq!(generation.read(&sealed), part, "{vector} to {generation:?}");
                // One of ours without a secret reads the same, too.
                assert_eq!(our_read(&sealed), our_read(&plain));
                packets += 1;
            }
        }
    }
    // Eight of IPv4, one of which takes two, to all; and one of IPv6 to those that know it.
    assert_eq!(packets, 9 * 3 + 1);
}

#[test]
fn a_packet_of_any_length_reads_the_same_with_a_seal() {
    for (writer, ip, full) in [
        (LiveWriter::sync_live as fn(_) -> _, "198.51.100.23", 1208),
        (LiveWriter::sync_live6, "2001:db8::17", 1232),
    ] {
        let mut octets = 0;
        for records in 1.. {
            let mut writer = writer(SENDER).with_max_octets(MAX_SEALABLE_PACKET);
            let mut ports = 1..=records;
            if ports.any(|port| writer.push(&record(ip, port)).is_err()) {
                break;
            }
            let plain = writer.take();
            let expected = Generation::Of2024.read(plain.as_bytes());
            assert_eq!(expected.len(), usize::from(records));
            let sealed = sealed(plain);
            assert_eq!(Generation::Of2024.read(&sealed), expected);
            octets = sealed.len();
        }
        assert_eq!(octets, full);
    }
}

#[test]
fn sealed_beacons_and_inquiries_mean_nothing_to_a_c_node() {
    let (sender, target) = (SENDER, SENDER);
    let beacon = Beacon {
        sender,
        torrents: 300,
    };
    let inquire = Inquire { sender, target };
    for packet in [PacketBuf::from(&beacon), PacketBuf::from(&inquire)] {
        let sealed = sealed(packet);
        assert!(Packet::decode(&sealed).is_err());
        for generation in Generation::ALL {
            assert!(generation.read(&sealed).is_empty());
        }
    }
}

const SENDER: TrackerId = TrackerId::new([0x0b, 0xad, 0xf0, 0x0d]);

fn sealed(mut packet: PacketBuf) -> Vec<u8> {
    let stamp = Stamp {
        time: 1_764_080_000,
        number: 7,
    };
    packet.seal(stamp, &Key::derive(&[1; 32])).unwrap();
    packet.as_bytes().to_vec()
}

fn our_read(datagram: &[u8]) -> Vec<LiveRecord> {
    match Packet::decode(datagram).unwrap() {
        Packet::SyncLive(live) => live.records().collect(),
        Packet::SyncLive6(live) => live.records().collect(),
        other => panic!("{other:?}"),
    }
}

fn record(ip: &str, port: u16) -> LiveRecord {
    let peer = PeerAddr::new(ip.parse().unwrap(), port);
    LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::SEEDING)
}
