//! Packets of live sync as a line of text, or as a line of JSON.

use std::fmt::Write;
use std::net::SocketAddrV4;
use std::time::Duration;

use opentracker_livesync_wire::{LiveRecord, Packet, Stamp, TellRecord};
use opentracker_types::PeerFlags;
use serde_json::{Value, json};

use crate::seal::{Opened, Seal};

/// A datagram as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard<'a> {
    /// Time since 1970.
    pub(crate) at: Duration,
    pub(crate) source: SocketAddrV4,
    pub(crate) opened: Opened<'a>,
}

const FLAGS: [(PeerFlags, &str); 3] = [
    (PeerFlags::SEEDING, "seeding"),
    (PeerFlags::COMPLETED, "completed"),
    (PeerFlags::STOPPED, "stopped"),
];

impl Heard<'_> {
    /// Returns a line for people: time, source, id, type, and what is in it.
    pub(crate) fn text(&self) -> String {
        let (seconds, millis) = (self.at.as_secs(), self.at.subsec_millis());
        let mut line = format!("{seconds}.{millis:03} {} ", self.source);
        let Opened { packet, seal } = self.opened;
        match Packet::decode(packet) {
            Ok(packet) => {
                let (sender, name, body) = (packet.sender(), name(&packet), body_text(&packet));
                line += format!("{sender} {name} {body}").trim_end();
            }
            Err(error) => line += &format!("not a packet: {error}: {}", hex(packet)),
        }
        match seal {
            Seal::None => {}
            Seal::Perhaps => line += " [it may be sealed: --secret FILE tells]",
            Seal::Bad => line += " [seal: none that fits a key]",
            Seal::Fits(key, Stamp { time, number }) => {
                line += &format!(" [key {key}, time {time}, number {number}]");
            }
        }
        line
    }

    /// Returns an object for programs.
    pub(crate) fn json(&self) -> Value {
        let mut object = json!({
            "at": self.at.as_secs_f64(),
            "source": self.source.to_string(),
        });
        let Opened { packet, seal } = self.opened;
        match Packet::decode(packet) {
            Ok(packet) => {
                object["id"] = packet.sender().to_string().into();
                object["type"] = name(&packet).to_lowercase().into();
                let (key, value) = body_json(&packet);
                object[key] = value;
            }
            Err(error) => {
                object["error"] = error.to_string().into();
                object["octets"] = hex(packet).into();
            }
        }
        match seal {
            Seal::None => {}
            Seal::Perhaps => object["may_be_sealed"] = true.into(),
            Seal::Bad => object["dropped"] = "seal".into(),
            Seal::Fits(key, Stamp { time, number }) => {
                object["seal"] = json!({"key": key.to_string(), "time": time, "number": number});
            }
        }
        object
    }
}

/// Returns the name of a packet's type, as docs/livesync.md writes it.
fn name(packet: &Packet<'_>) -> &'static str {
    match packet {
        Packet::SyncLive(_) => "SYNC_LIVE",
        Packet::SyncLive6(_) => "SYNC_LIVE6",
        Packet::Beacon(_) => "BEACON",
        Packet::Inquire(_) => "INQUIRE",
        Packet::ScrapeTell(_) => "SCRAPE_TELL",
    }
}

fn body_text(packet: &Packet<'_>) -> String {
    let records: Vec<String> = match packet {
        Packet::SyncLive(live) => live.records().map(|r| live_text(&r)).collect(),
        Packet::SyncLive6(live) => live.records().map(|r| live_text(&r)).collect(),
        Packet::ScrapeTell(tell) => tell.records().map(|r| tell_text(&r)).collect(),
        Packet::Beacon(beacon) => return format!("{} torrents", beacon.torrents),
        Packet::Inquire(inquire) => return format!("of {}", inquire.target),
    };
    records.join("; ")
}

fn live_text(record: &LiveRecord) -> String {
    let mut text = format!("{} {}", record.info_hash, record.peer);
    for flag in flags(record) {
        text += " ";
        text += flag;
    }
    if let Some(age) = record.age {
        text += &format!(", {age} old");
    }
    text
}

fn tell_text(record: &TellRecord) -> String {
    let TellRecord {
        info_hash,
        age_minutes,
        downloads,
        ..
    } = record;
    format!("{info_hash} {downloads} downloads, {age_minutes} min old")
}

fn body_json(packet: &Packet<'_>) -> (&'static str, Value) {
    match packet {
        Packet::SyncLive(live) => ("records", live.records().map(|r| live_json(&r)).collect()),
        Packet::SyncLive6(live) => ("records", live.records().map(|r| live_json(&r)).collect()),
        Packet::ScrapeTell(tell) => ("records", tell.records().map(|r| tell_json(&r)).collect()),
        Packet::Beacon(beacon) => ("torrents", beacon.torrents.into()),
        Packet::Inquire(inquire) => ("target", inquire.target.to_string().into()),
    }
}

fn live_json(record: &LiveRecord) -> Value {
    let mut json = json!({
        "info_hash": record.info_hash.to_string(),
        "peer": record.peer.to_string(),
        "flags": flags(record).collect::<Vec<_>>(),
    });
    if let Some(age) = record.age {
        json["age_minutes"] = age.minutes().into();
    }
    json
}

fn tell_json(record: &TellRecord) -> Value {
    json!({
        "info_hash": record.info_hash.to_string(),
        "age_minutes": record.age_minutes,
        "downloads": record.downloads,
    })
}

fn flags(record: &LiveRecord) -> impl Iterator<Item = &'static str> {
    let set = FLAGS.into_iter();
    set.filter(|(flag, _)| record.flags.contains(*flag))
        .map(|(_, name)| name)
}

fn hex(octets: &[u8]) -> String {
    let mut text = String::new();
    for octet in octets {
        write!(text, "{octet:02x}").expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use opentracker_livesync_wire::{Beacon, Keys, PacketBuf};
    use opentracker_types::TrackerId;

    use super::*;

    fn heard(octets: &[u8]) -> Heard<'_> {
        Heard {
            at: Duration::from_millis(1_500_007),
            source: "10.0.0.1:9696".parse().unwrap(),
            opened: Opened::new(octets, None),
        }
    }

    /// A packet of type 0 with two records, and a part of a third.
    fn live() -> Vec<u8> {
        let mut octets = b"\x0b\xad\xf0\x0d\0\0\0\0".to_vec();
        for flags in [0xc0, 0x20] {
            octets.extend([7; 20]);
            octets.extend([198, 51, 100, 23, 0x1a, 0xe1, flags, 0]);
        }
        octets.extend([7; 9]);
        octets
    }

    #[test]
    fn lines() {
        let hash = "07".repeat(20);
        assert_eq!(
            heard(&live()).text(),
            format!(
                "1500.007 10.0.0.1:9696 0badf00d SYNC_LIVE \
                 {hash} 198.51.100.23:6881 seeding completed; \
                 {hash} 198.51.100.23:6881 stopped"
            )
        );
        let beacon = b"\x0b\xad\xf0\x0d\0\0\0\x01\0\0\0\0\0\0\x01\x2c";
        assert!(
            heard(beacon)
                .text()
                .ends_with("0badf00d BEACON 300 torrents")
        );
        let inquire = b"\x0b\xad\xf0\x0d\0\0\0\x02abcd";
        assert!(
            heard(inquire)
                .text()
                .ends_with("0badf00d INQUIRE of 61626364")
        );
        let tell = [
            &b"\x0b\xad\xf0\x0d\0\0\0\x03"[..],
            &[7; 20],
            &[0, 0, 0, 4],
            &[0; 7],
            &[9],
        ];
        assert!(
            heard(&tell.concat())
                .text()
                .ends_with(&format!("SCRAPE_TELL {hash} 9 downloads, 4 min old"))
        );
        assert_eq!(
            heard(b"\x0b").text(),
            "1500.007 10.0.0.1:9696 not a packet: incomplete header, the packet ends at octet 1: 0b"
        );
    }

    #[test]
    fn seals_are_said() {
        let keys = Keys::parse(&"0a".repeat(32)).unwrap();
        let (sender, torrents) = (TrackerId::new(*b"ctl!"), 300);
        let mut packet = PacketBuf::from(&Beacon { sender, torrents });
        let stamp = Stamp {
            time: 1_764_080_000,
            number: 7,
        };
        packet.seal(stamp, keys.first()).unwrap();
        let of = |keys| Heard {
            opened: Opened::new(packet.as_bytes(), keys),
            ..heard(b"")
        };
        let name = keys.first().name();
        let said = format!("BEACON 300 torrents [key {name}, time 1764080000, number 7]");
        assert!(of(Some(&keys)).text().ends_with(&said));
        assert_eq!(of(Some(&keys)).json()["seal"]["number"], 7);
        let said = "BEACON 300 torrents [it may be sealed: --secret FILE tells]";
        assert!(of(None).text().ends_with(said));
        assert_eq!(of(None).json()["may_be_sealed"], true);
        let others = Keys::parse(&"0b".repeat(32)).unwrap();
        let bad = of(Some(&others));
        assert!(bad.text().contains("not a packet: "));
        assert!(bad.text().ends_with(" [seal: none that fits a key]"));
        assert_eq!(bad.json()["dropped"], "seal");
    }

    #[test]
    fn objects() {
        let object = heard(&live()).json();
        assert_eq!(object["id"], "0badf00d");
        assert_eq!(object["type"], "sync_live");
        assert_eq!(object["at"], 1500.007);
        assert_eq!(
            object["records"][0]["flags"],
            json!(["seeding", "completed"])
        );
        assert_eq!(object["records"][1]["peer"], "198.51.100.23:6881");
        assert_eq!(object["records"].as_array().unwrap().len(), 2);
        let object = heard(b"nonsense!").json();
        assert!(object["error"].as_str().unwrap().contains("type"));
        assert_eq!(object["octets"], "6e6f6e73656e736521");
    }
}
