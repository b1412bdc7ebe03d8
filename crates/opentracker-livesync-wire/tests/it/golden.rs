//! Packets captured from C trackers (`tests/livesync.json` says which version sent each), both
//! ways: what they say, and that the same values encode to the same octets.

use std::net::IpAddr;

use opentracker_livesync_wire::{
    Beacon, Inquire, LiveRecord, Packet, ScrapeTellWriter, SyncLive6Writer, SyncLiveWriter,
    TellRecord,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use serde_json::Value;

const VECTORS: &str = include_str!("../livesync.json");

#[test]
fn captured_packets_go_both_ways() {
    for vector in &vectors() {
        let name = format!("{} ({})", text(vector, "name"), text(vector, "source"));
        let octets = from_hex(text(vector, "hex"));
        let said = &vector["decoded"];
        assert_eq!(text(said, "trailer"), "", "{name}");

        let packet = Packet::decode(&octets).unwrap();
        let sender = tracker_id(text(said, "id"));
        assert_eq!(packet.sender(), sender, "{name}");
        let encoded = match packet {
            Packet::SyncLive(live) => {
                assert_eq!(text(said, "kind"), "LIVE4", "{name}");
                let records = live_records(said);
                assert!(live.records().eq(records.iter().copied()), "{name}");
                let mut writer = SyncLiveWriter::new(sender);
                for record in &records {
                    writer.push(record).unwrap();
                }
                writer.as_bytes().to_vec()
            }
            Packet::SyncLive6(live) => {
                assert_eq!(text(said, "kind"), "LIVE6", "{name}");
                let records = live_records(said);
                assert!(live.records().eq(records.iter().copied()), "{name}");
                let mut writer = SyncLive6Writer::new(sender);
                for record in &records {
                    writer.push(record).unwrap();
                }
                writer.as_bytes().to_vec()
            }
            Packet::Beacon(beacon) => {
                assert_eq!(text(said, "kind"), "BEACON", "{name}");
                let torrents = number(said, "torrents");
                assert_eq!(beacon, Beacon { sender, torrents }, "{name}");
                beacon.encode().to_vec()
            }
            Packet::Inquire(inquire) => {
                assert_eq!(text(said, "kind"), "INQUIRE", "{name}");
                let target = tracker_id(text(said, "target"));
                assert_eq!(inquire, Inquire { sender, target }, "{name}");
                inquire.encode().to_vec()
            }
            Packet::ScrapeTell(tell) => {
                assert_eq!(text(said, "kind"), "TELL", "{name}");
                let records = tell_records(said);
                assert!(tell.records().eq(records.iter().copied()), "{name}");
                let mut writer = ScrapeTellWriter::new(sender);
                for record in &records {
                    writer.push(record).unwrap();
                }
                writer.as_bytes().to_vec()
            }
        };
        assert_eq!(encoded, octets, "{name}");
    }
}

pub(crate) fn vectors() -> Vec<Value> {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 14, "a vector was lost or added");
    vectors
}

fn live_records(said: &Value) -> Vec<LiveRecord> {
    records(said)
        .map(|record| {
            assert_eq!(number(record, "time"), 0, "C nodes send no age");
            let peer = PeerAddr::new(
                text(record, "ip").parse::<IpAddr>().unwrap(),
                u16::try_from(number(record, "port")).unwrap(),
            );
            let flags = PeerFlags::from_bits(u8::try_from(number(record, "flags")).unwrap());
            LiveRecord::new(info_hash(record), peer, flags)
        })
        .collect()
}

fn tell_records(said: &Value) -> Vec<TellRecord> {
    records(said)
        .map(|record| {
            let age_minutes = u32::try_from(number(record, "age")).unwrap();
            TellRecord::new(info_hash(record), age_minutes, number(record, "downloaded"))
        })
        .collect()
}

fn records(said: &Value) -> impl Iterator<Item = &Value> {
    said["records"].as_array().unwrap().iter()
}

fn info_hash(record: &Value) -> InfoHash {
    text(record, "hash").parse().unwrap()
}

fn tracker_id(hex: &str) -> TrackerId {
    TrackerId::new(from_hex(hex).try_into().unwrap())
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap()
}

pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
