//! The rules of docs/livesync.md that a codec has to keep, each by name.

use opentracker_livesync_wire::{
    Beacon, DecodeErrorKind, LiveRecord, LiveWriter, MAX_PACKET, Packet, PeerAge, PushError,
    ScrapeTell, ScrapeTellWriter, SyncLive, SyncLive6, SyncLive6Writer, SyncLiveWriter, TellRecord,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};

const SENDER: TrackerId = TrackerId::new([0x0b, 0xad, 0xf0, 0x0d]);

#[test]
fn full_packets_fit_a_frame() {
    const UDP_AND_IPV4_HEADERS: usize = 28;
    let mut live = SyncLiveWriter::new(SENDER);
    while live.push(&live_record("198.51.100.23")).is_ok() {}
    assert!(live.is_full());
    assert_eq!((live.len(), live.as_bytes().len()), (52, 1464));

    let mut live6 = SyncLive6Writer::new(SENDER);
    while live6.push(&live_record("2001:db8::17")).is_ok() {}
    assert!(live6.is_full());
    assert_eq!((live6.len(), live6.as_bytes().len()), (36, 1448));

    let mut tell = ScrapeTellWriter::new(SENDER);
    while tell.push(&tell_record()).is_ok() {}
    assert!(tell.is_full());
    assert_eq!((tell.len(), tell.as_bytes().len()), (45, 1448));

    for packet in [live.as_bytes(), live6.as_bytes(), tell.as_bytes()] {
        assert!(packet.len() <= MAX_PACKET);
        assert!(packet.len() + UDP_AND_IPV4_HEADERS <= 1500);
    }
}

#[test]
fn a_full_writer_keeps_what_it_has() {
    let mut writer = SyncLiveWriter::new(SENDER);
    while writer.push(&live_record("198.51.100.23")).is_ok() {}
    let before = writer.as_bytes().to_vec();
    let refused = writer.push(&live_record("198.51.100.24"));
    assert_eq!(refused, Err(PushError::Full));
    assert_eq!(writer.as_bytes(), before);
}

#[test]
fn taking_a_packet_starts_the_next() {
    let mut writer = SyncLiveWriter::new(SENDER);
    writer.push(&live_record("198.51.100.23")).unwrap();
    let first = writer.take();
    assert_eq!(first.as_bytes().len(), 36);
    assert!(writer.is_empty());
    writer.push(&live_record("198.51.100.23")).unwrap();
    assert_eq!(writer.as_bytes(), first.as_bytes());
}

#[test]
fn an_ipv6_peer_does_not_go_into_a_sync_live() {
    let mut writer = SyncLiveWriter::new(SENDER);
    let refused = writer.push(&live_record("2001:db8::17"));
    assert_eq!(refused, Err(PushError::NotIpv4));
    assert!(writer.is_empty());
}

#[test]
fn a_mapped_address_is_an_ipv4_peer() {
    let record = live_record("198.51.100.23");
    let mut writer = SyncLive6Writer::new(SENDER);
    writer.push(&record).unwrap();
    assert_eq!(
        writer.as_bytes()[28..44],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 23]
    );
    let Packet::SyncLive6(live) = Packet::decode(writer.as_bytes()).unwrap() else {
        panic!("not a SYNC_LIVE6");
    };
    let decoded = live.records().next().unwrap();
    assert!(decoded.peer.is_ipv4());
    assert_eq!(decoded, record);
}

#[test]
fn length_tells_a_beacon_from_a_sync_live6() {
    for octets in 8..=200 {
        let datagram = datagram(1, octets);
        match (octets, Packet::decode(&datagram)) {
            (16, Ok(Packet::Beacon(beacon))) => assert_eq!(beacon.sender, SENDER),
            (48.., Ok(Packet::SyncLive6(live))) => {
                assert_eq!(live.records().len(), (octets - 8) / 40);
            }
            (_, Err(error)) if octets < 48 && octets != 16 => {
                assert_eq!(error.kind(), DecodeErrorKind::Length);
                assert_eq!(error.offset(), octets.min(Beacon::WIRE_LEN));
            }
            (_, other) => panic!("{octets} octets: {other:?}"),
        }
    }
}

#[test]
fn a_part_of_a_record_at_the_end_is_ignored() {
    for (packet_type, record_len) in [
        (SyncLive::TYPE, SyncLive::RECORD_LEN),
        (SyncLive6::TYPE, SyncLive6::RECORD_LEN),
        (ScrapeTell::TYPE, ScrapeTell::RECORD_LEN),
    ] {
        for trailing in 0..record_len {
            let datagram = datagram(packet_type, 8 + 2 * record_len + trailing);
            let records = match Packet::decode(&datagram).unwrap() {
                Packet::SyncLive(live) => live.records().len(),
                Packet::SyncLive6(live) => live.records().len(),
                Packet::ScrapeTell(tell) => tell.records().len(),
                other => panic!("{other:?}"),
            };
            assert_eq!(records, 2, "type {packet_type}, {trailing} octets too many");
        }
    }
}

#[test]
fn a_sync_live_may_be_empty_and_a_tell_may_not() {
    for octets in [8, 35] {
        let datagram = datagram(0, octets);
        let Ok(Packet::SyncLive(live)) = Packet::decode(&datagram) else {
            panic!("not a SYNC_LIVE");
        };
        assert_eq!(live.sender(), SENDER);
        assert_eq!(live.records().len(), 0);
    }
    let error = Packet::decode(&datagram(3, 39)).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::NoRecord);
    assert_eq!(error.offset(), 8);
}

#[test]
fn an_inquire_has_exactly_twelve_octets() {
    assert!(matches!(
        Packet::decode(&datagram(2, 12)),
        Ok(Packet::Inquire(_))
    ));
    for (octets, at) in [(8, 8), (11, 11), (13, 12), (40, 12)] {
        let error = Packet::decode(&datagram(2, octets)).unwrap_err();
        assert_eq!(error.offset(), at);
        assert_eq!(error.reason(), "length");
    }
}

#[test]
fn a_short_header_and_an_unknown_type_are_refused() {
    for octets in 0..8 {
        let error = Packet::decode(&datagram(0, 8)[..octets]).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::Header);
        assert_eq!(error.offset(), octets);
    }
    for packet_type in [4, 0x100, u32::MAX] {
        let error = Packet::decode(&datagram(packet_type, 36)).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownType);
        assert_eq!(error.offset(), 4);
    }
}

#[test]
fn a_told_record_has_an_age_and_a_live_one_has_none() {
    let live = live_record("198.51.100.23");
    let told = live.with_age(PeerAge::from_minutes(44).unwrap());
    let mut writers = [
        LiveWriter::sync_live(SENDER),
        LiveWriter::sync_live6(SENDER),
    ];
    for (writer, at) in writers.iter_mut().zip([0x23, 0x2f]) {
        writer.push(&live).unwrap();
        assert_eq!(writer.take().as_bytes()[at], 0);
        writer.push(&told).unwrap();
        assert_eq!(writer.as_bytes()[at], 45);
        let records: Vec<_> = match Packet::decode(writer.as_bytes()).unwrap() {
            Packet::SyncLive(live) => live.records().collect(),
            Packet::SyncLive6(live) => live.records().collect(),
            other => panic!("{other:?}"),
        };
        assert_eq!(records, [told]);
        assert_ne!(records, [live]);
    }
}

#[test]
fn a_live_writer_is_the_writer_of_its_form() {
    let record = live_record("198.51.100.23");
    let mut live = LiveWriter::sync_live(SENDER);
    let mut live6 = LiveWriter::sync_live6(SENDER);
    assert_eq!(
        live.push(&live_record("2001:db8::17")),
        Err(PushError::NotIpv4)
    );
    assert!(live.is_empty() && live6.is_empty());
    while live.push(&record).is_ok() {}
    while live6.push(&record).is_ok() {}
    assert!(live.is_full() && live6.is_full());
    assert_eq!((live.len(), live6.len()), (52, 36));

    let mut expected = SyncLiveWriter::new(SENDER);
    while expected.push(&record).is_ok() {}
    assert_eq!(live.take().as_bytes(), expected.as_bytes());
    let mut expected = SyncLive6Writer::new(SENDER);
    while expected.push(&record).is_ok() {}
    assert_eq!(live6.take().as_bytes(), expected.as_bytes());
    assert!(live.is_empty() && live6.is_empty());
}

/// Sealed packets have at most 1232 octets, the last 24 of them a trailer.
#[test]
fn a_writer_leaves_room_for_a_trailer() {
    const MAX_OCTETS: usize = 1232 - 24;
    let mut live = LiveWriter::sync_live(SENDER).with_max_octets(MAX_OCTETS);
    let mut live6 = LiveWriter::sync_live6(SENDER).with_max_octets(MAX_OCTETS);
    let mut tell = ScrapeTellWriter::new(SENDER).with_max_octets(MAX_OCTETS);
    for _ in 0..2 {
        while !live.is_full() {
            live.push(&live_record("198.51.100.23")).unwrap();
        }
        while !live6.is_full() {
            live6.push(&live_record("2001:db8::17")).unwrap();
        }
        while !tell.is_full() {
            tell.push(&tell_record()).unwrap();
        }
        assert_eq!(tell.push(&tell_record()), Err(PushError::Full));
        assert_eq!((live.len(), live.take().as_bytes().len()), (42, 1184));
        assert_eq!((live6.len(), live6.take().as_bytes().len()), (30, 1208));
        assert_eq!((tell.len(), tell.take().as_bytes().len()), (37, 1192));
    }

    let mut beyond = SyncLiveWriter::new(SENDER).with_max_octets(usize::MAX);
    while beyond.push(&live_record("198.51.100.23")).is_ok() {}
    assert_eq!(beyond.len(), SyncLive::MAX_RECORDS);
    for too_few in [0, 7, 8, 35] {
        let mut writer = SyncLiveWriter::new(SENDER).with_max_octets(too_few);
        assert!(writer.is_full());
        let refused = writer.push(&live_record("198.51.100.23"));
        assert_eq!(refused, Err(PushError::Full));
    }
}

#[test]
fn completed_is_sent_only_beside_seeding() {
    let mut record = live_record("198.51.100.23");
    record.flags = PeerFlags::COMPLETED;
    let mut writer = SyncLiveWriter::new(SENDER);
    writer.push(&record).unwrap();
    record.flags = PeerFlags::COMPLETED.with(PeerFlags::SEEDING);
    writer.push(&record).unwrap();
    assert_eq!(writer.as_bytes()[0x22], 0);
    assert_eq!(writer.as_bytes()[0x22 + 28], 0xc0);
}

#[test]
fn stopped_wins() {
    for bits in [0x20, 0x60, 0xa0, 0xe0, 0xff] {
        let mut datagram = datagram(0, 36);
        datagram[0x22] = bits;
        let Ok(Packet::SyncLive(live)) = Packet::decode(&datagram) else {
            panic!("not a SYNC_LIVE");
        };
        assert!(live.records().all(|record| record.is_stopped()));
    }
}

fn datagram(packet_type: u32, octets: usize) -> Vec<u8> {
    let mut datagram = SENDER.as_bytes().to_vec();
    datagram.extend(packet_type.to_be_bytes());
    datagram.resize(octets, 0);
    datagram
}

fn live_record(ip: &str) -> LiveRecord {
    let peer = PeerAddr::new(ip.parse().unwrap(), 6881);
    LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::SEEDING)
}

fn tell_record() -> TellRecord {
    TellRecord::new(InfoHash::new([7; 20]), 30, 12_345)
}
