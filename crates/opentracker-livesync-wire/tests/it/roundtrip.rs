//! `decode(encode(x)) == x` for every packet, and `decode(encode(p)) == p` for whatever octets
//! decode to `p`.

use std::net::IpAddr;

use opentracker_livesync_wire::{
    Beacon, Inquire, LiveRecord, Packet, PeerAge, ScrapeTell, ScrapeTellWriter, SyncLive,
    SyncLive6, SyncLive6Writer, SyncLiveWriter, TellRecord,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn sync_live(sender in tracker_id(), records in vec(live_record(ipv4()), 0..=SyncLive::MAX_RECORDS)) {
        let mut writer = SyncLiveWriter::new(sender);
        for record in &records {
            writer.push(record).unwrap();
        }
        prop_assert_eq!(writer.len(), records.len());
        let Ok(Packet::SyncLive(live)) = Packet::decode(writer.as_bytes()) else {
            panic!("not a SYNC_LIVE: {writer:?}");
        };
        prop_assert_eq!(live.sender(), sender);
        prop_assert_eq!(live.records().collect::<Vec<_>>(), records);
    }

    #[test]
    fn sync_live6(
        sender in tracker_id(),
        records in vec(live_record(any::<IpAddr>()), 1..=SyncLive6::MAX_RECORDS),
    ) {
        let mut writer = SyncLive6Writer::new(sender);
        for record in &records {
            writer.push(record).unwrap();
        }
        prop_assert_eq!(writer.len(), records.len());
        let Ok(Packet::SyncLive6(live)) = Packet::decode(writer.as_bytes()) else {
            panic!("not a SYNC_LIVE6: {writer:?}");
        };
        prop_assert_eq!(live.sender(), sender);
        prop_assert_eq!(live.records().collect::<Vec<_>>(), records);
    }

    #[test]
    fn beacon(sender in tracker_id(), torrents: u64) {
        let beacon = Beacon { sender, torrents };
        let octets = beacon.encode();
        prop_assert_eq!(Packet::decode(&octets), Ok(Packet::Beacon(beacon)));
    }

    #[test]
    fn inquire(sender in tracker_id(), target in tracker_id()) {
        let inquire = Inquire { sender, target };
        let octets = inquire.encode();
        prop_assert_eq!(Packet::decode(&octets), Ok(Packet::Inquire(inquire)));
    }

    #[test]
    fn scrape_tell(sender in tracker_id(), records in vec(tell_record(), 1..=ScrapeTell::MAX_RECORDS)) {
        let mut writer = ScrapeTellWriter::new(sender);
        for record in &records {
            writer.push(record).unwrap();
        }
        prop_assert_eq!(writer.len(), records.len());
        let Ok(Packet::ScrapeTell(tell)) = Packet::decode(writer.as_bytes()) else {
            panic!("not a SCRAPE_TELL: {writer:?}");
        };
        prop_assert_eq!(tell.sender(), sender);
        prop_assert_eq!(tell.records().collect::<Vec<_>>(), records);
    }

    #[test]
    fn noise_decodes_to_what_encodes_to_it(datagram in noise()) {
        match Packet::decode(&datagram) {
            Ok(packet) => {
                let again = encode(&packet);
                prop_assert_eq!(Packet::decode(&again), Ok(packet));
            }
            Err(error) => prop_assert!(error.offset() <= datagram.len(), "{error}"),
        }
    }
}

/// Octets of any length up to a full packet, most of them with a header that is known, and many
/// of about the length of a beacon or an inquiry.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..1464)];
    let typed = (tracker_id(), 0u32..5, body).prop_map(|(sender, packet_type, body)| {
        let header = [*sender.as_bytes(), packet_type.to_be_bytes()];
        [header.as_flattened(), &body].concat()
    });
    prop_oneof![6 => typed, 1 => vec(any::<u8>(), 0..64)]
}

fn encode(packet: &Packet<'_>) -> Vec<u8> {
    match packet {
        Packet::SyncLive(live) => {
            let mut writer = SyncLiveWriter::new(live.sender());
            live.records()
                .for_each(|record| writer.push(&record).unwrap());
            writer.as_bytes().to_vec()
        }
        Packet::SyncLive6(live) => {
            let mut writer = SyncLive6Writer::new(live.sender());
            live.records()
                .for_each(|record| writer.push(&record).unwrap());
            writer.as_bytes().to_vec()
        }
        Packet::Beacon(beacon) => beacon.encode().to_vec(),
        Packet::Inquire(inquire) => inquire.encode().to_vec(),
        Packet::ScrapeTell(tell) => {
            let mut writer = ScrapeTellWriter::new(tell.sender());
            tell.records()
                .for_each(|record| writer.push(&record).unwrap());
            writer.as_bytes().to_vec()
        }
    }
}

fn tracker_id() -> impl Strategy<Value = TrackerId> {
    any::<[u8; 4]>().prop_map(TrackerId::new)
}

fn ipv4() -> impl Strategy<Value = IpAddr> {
    any::<[u8; 4]>().prop_map(IpAddr::from)
}

fn live_record(ip: impl Strategy<Value = IpAddr>) -> impl Strategy<Value = LiveRecord> {
    let (none, seeding) = (PeerFlags::NONE, PeerFlags::SEEDING);
    let (completed, stopped) = (PeerFlags::COMPLETED, PeerFlags::STOPPED);
    let flags = prop_oneof![
        Just(none),
        Just(stopped),
        Just(seeding),
        Just(seeding.with(completed)),
        Just(seeding.with(stopped)),
        Just(seeding.with(completed).with(stopped)),
    ];
    let age = proptest::option::of(0..=u64::from(PeerAge::MAX_MINUTES));
    (any::<[u8; 20]>(), ip, any::<u16>(), flags, age).prop_map(|(hash, ip, port, flags, age)| {
        let peer = PeerAddr::new(ip, port);
        let mut record = LiveRecord::new(InfoHash::new(hash), peer, flags);
        record.age = age.map(|minutes| PeerAge::from_minutes(minutes).unwrap());
        record
    })
}

fn tell_record() -> impl Strategy<Value = TellRecord> {
    (any::<[u8; 20]>(), any::<u32>(), any::<u64>()).prop_map(|(hash, age_minutes, downloads)| {
        TellRecord::new(InfoHash::new(hash), age_minutes, downloads)
    })
}
