use std::collections::HashSet;
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use opentracker_livesync_wire::{Keys, LiveRecord, Packet, SealedPacket};
use opentracker_types::PeerFlags;
use serde_json::Value;

use crate::program::report;

/// What a cluster would hear of a run.
struct Heard {
    records: Vec<LiveRecord>,
    /// How many records a packet has.
    lengths: HashSet<usize>,
    datagrams: Vec<Vec<u8>>,
    report: Value,
}

fn listen(name: &str, options: &str) -> Heard {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = Duration::from_millis(100);
    socket.set_read_timeout(Some(patience)).unwrap();
    let target = socket.local_addr().unwrap();
    let line = format!("livesync {target} {options} --warmup 0s --duration 300ms");
    let (mut records, mut lengths) = (Vec::new(), HashSet::new());
    let mut datagrams = Vec::new();
    let report = std::thread::scope(|scope| {
        let run = scope.spawn(|| report(name, &line));
        let mut buffer = [0; 2048];
        loop {
            match socket.recv(&mut buffer) {
                Ok(octets) => {
                    let before = records.len();
                    match Packet::decode(&buffer[..octets]) {
                        Ok(Packet::SyncLive(live)) => records.extend(live.records()),
                        Ok(Packet::SyncLive6(live)) => records.extend(live.records()),
                        other => panic!("{other:?}"),
                    }
                    lengths.insert(records.len() - before);
                    datagrams.push(buffer[..octets].to_vec());
                }
                Err(_) if run.is_finished() => break run.join().unwrap(),
                Err(_) => {}
            }
        }
    });
    Heard {
        records,
        lengths,
        datagrams,
        report,
    }
}

#[test]
fn packets_are_full_and_hold_the_population() {
    let options = "--rate 20000 --stopped 0.3 --torrents 10 --peers 1000";
    let heard = listen("livesync", options);
    assert_eq!(heard.lengths, HashSet::from([52]));
    let records = heard.records;
    let hashes: HashSet<_> = records.iter().map(|record| record.info_hash).collect();
    assert!((2..=10).contains(&hashes.len()));
    for flags in [PeerFlags::STOPPED, PeerFlags::SEEDING, PeerFlags::NONE] {
        let is_there = records.iter().any(|record| record.flags == flags);
        assert!(is_there, "{flags:?}");
    }
    for record in &records {
        assert!(record.peer.to_string().starts_with("10."), "{record:?}");
    }
    let report = heard.report;
    let sent = report["livesync"]["records"].as_f64().unwrap();
    // The rate counts from the start, which on a busy machine is earlier than the first count.
    let seconds = report["measured_secs"].as_f64().unwrap().max(0.3);
    assert!(sent > 0.0 && sent <= 20_000.0 * seconds + 52.0, "{report}");
}

#[test]
fn ipv6_peers_have_packets_of_their_own() {
    let heard = listen(
        "livesync6",
        "--rate 1000 --peer-net 2001:db8::/32 --records 20",
    );
    assert_eq!(heard.lengths, HashSet::from([20]));
    assert!(heard.records.iter().all(|record| !record.peer.is_ipv4()));
}

#[test]
fn packets_are_sealed_and_numbered() {
    let digits = "0a".repeat(32);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("livesync-secret");
    fs::write(&path, &digits).unwrap();
    let options = format!("--rate 20000 --secret {}", path.display());
    let heard = listen("livesync-sealed", &options);
    assert_eq!(heard.lengths, HashSet::from([42]));
    let keys = Keys::parse(&digits).unwrap();
    let numbers = heard.datagrams.iter().map(|datagram| {
        let sealed = SealedPacket::split(datagram).unwrap();
        assert!(sealed.fits(keys.first()));
        sealed.stamp().number
    });
    let numbers: HashSet<_> = numbers.collect();
    assert_eq!(numbers.len(), heard.datagrams.len());
}
