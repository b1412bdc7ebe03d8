//! The rules of docs/livesync.md, Peer sync, that an accumulator has to keep, each by name.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::time::{Duration, Instant};

use opentracker_livesync_wire::{LiveRecord, Packet, SyncLive, SyncLive6};
use opentracker_peer_sync::{Accumulator, Counters, Dialect, MAX_READY, Output, Settings};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use proptest::prelude::*;

const NOBODY: TrackerId = TrackerId::new([0; 4]);
const DELAY: Duration = Duration::from_secs(15);

#[test]
fn a_full_packet_goes_at_once() {
    for (ip, records, octets) in [("198.51.100.23", 52, 1464), ("2001:db8::17", 36, 1448)] {
        let now = start();
        let mut accumulator = accumulator(Dialect::Full);
        for port in 1..records {
            accumulator.handle_announce(&record(ip, port), now);
            assert_eq!(accumulator.poll_output(), None);
        }
        accumulator.handle_announce(&record(ip, records), now);
        let [packet] = &sent(&mut accumulator)[..] else {
            panic!("not one packet");
        };
        assert_eq!(packet.len(), octets);
        assert_eq!(accumulator.poll_timeout(), None);
    }
}

#[test]
fn a_record_waits_for_max_delay_and_no_longer() {
    let first = start();
    let mut accumulator = accumulator(Dialect::Full);
    accumulator.handle_announce(&record("198.51.100.23", 1), first);
    accumulator.handle_announce(&record("198.51.100.23", 2), first + DELAY / 2);
    assert_eq!(accumulator.poll_timeout(), Some(first + DELAY));

    accumulator.handle_timeout(first + DELAY - Duration::from_nanos(1));
    assert_eq!(accumulator.poll_output(), None);
    accumulator.handle_timeout(first + DELAY);
    assert_eq!(ports(&sent(&mut accumulator)), [1, 2]);
}

#[test]
fn each_family_has_its_own_delay() {
    let first = start();
    let mut accumulator = accumulator(Dialect::Full);
    accumulator.handle_announce(&record("2001:db8::17", 6), first);
    accumulator.handle_announce(&record("198.51.100.23", 4), first + DELAY / 3);

    accumulator.handle_timeout(first + DELAY);
    assert_eq!(ports(&sent(&mut accumulator)), [6]);
    assert_eq!(accumulator.poll_timeout(), Some(first + DELAY + DELAY / 3));
    accumulator.handle_timeout(first + DELAY + DELAY / 3);
    assert_eq!(ports(&sent(&mut accumulator)), [4]);
}

#[test]
fn the_delay_begins_anew_with_each_packet() {
    let first = start();
    let mut accumulator = accumulator(Dialect::Full);
    for port in 1..=52 {
        accumulator.handle_announce(&record("198.51.100.23", port), first);
    }
    assert_eq!(sent(&mut accumulator).len(), 1);
    let second = first + DELAY / 2;
    accumulator.handle_announce(&record("198.51.100.23", 53), second);
    accumulator.handle_timeout(first + DELAY);
    assert_eq!(accumulator.poll_output(), None);
    assert_eq!(accumulator.poll_timeout(), Some(second + DELAY));
}

#[test]
fn an_idle_instance_sends_nothing() {
    let now = start();
    let mut accumulator = accumulator(Dialect::Full);
    assert_eq!(accumulator.poll_timeout(), None);
    accumulator.handle_timeout(now + 100 * DELAY);
    accumulator.flush();
    assert_eq!(accumulator.poll_output(), None);
    assert_eq!(accumulator.counters(), Counters::default());
}

#[test]
fn flushing_sends_what_is_held() {
    let now = start();
    let mut accumulator = accumulator(Dialect::Full);
    accumulator.handle_announce(&record("198.51.100.23", 4), now);
    accumulator.handle_announce(&record("2001:db8::17", 6), now);
    accumulator.flush();
    assert_eq!(ports(&sent(&mut accumulator)), [4, 6]);
    assert_eq!(accumulator.poll_timeout(), None);
}

#[test]
fn the_dialect_picks_the_packet() {
    for (dialect, ip, packet_type) in [
        (Dialect::Full, "198.51.100.23", Some(SyncLive::TYPE)),
        (Dialect::Full, "2001:db8::17", Some(SyncLive6::TYPE)),
        (Dialect::CV4, "198.51.100.23", Some(SyncLive::TYPE)),
        (Dialect::CV4, "2001:db8::17", None),
        (Dialect::CDual, "198.51.100.23", Some(SyncLive6::TYPE)),
        (Dialect::CDual, "2001:db8::17", Some(SyncLive6::TYPE)),
    ] {
        let mut accumulator = accumulator(dialect);
        accumulator.handle_announce(&record(ip, 1), start());
        accumulator.flush();
        let types: Vec<u32> = sent(&mut accumulator)
            .iter()
            .map(|packet| u32::from_be_bytes(packet[4..8].try_into().unwrap()))
            .collect();
        assert_eq!(types, Vec::from_iter(packet_type), "{dialect:?} {ip}");
        let counters = accumulator.counters();
        assert_eq!(
            (counters.records, counters.unspoken_records),
            if packet_type.is_some() {
                (1, 0)
            } else {
                (0, 1)
            }
        );
    }
}

#[test]
fn c_dual_puts_both_families_into_one_packet() {
    let mut accumulator = accumulator(Dialect::CDual);
    accumulator.handle_announce(&record("198.51.100.23", 4), start());
    accumulator.handle_announce(&record("2001:db8::17", 6), start());
    accumulator.flush();
    let packets = sent(&mut accumulator);
    assert_eq!(packets.len(), 1);
    assert_eq!(ports(&packets), [4, 6]);
}

#[test]
fn scrape_sync_is_for_our_own_kind() {
    assert!(Dialect::Full.has_scrape_sync());
    assert!(!Dialect::CV4.has_scrape_sync());
    assert!(!Dialect::CDual.has_scrape_sync());
}

#[test]
fn every_stop_is_told() {
    // Also the one right after an announce of the same peer: the order is kept, nothing merged.
    let mut accumulator = accumulator(Dialect::Full);
    let mut told = record("198.51.100.23", 1);
    accumulator.handle_announce(&told, start());
    told.flags = PeerFlags::STOPPED;
    accumulator.handle_announce(&told, start());
    accumulator.flush();
    let packets = sent(&mut accumulator);
    let stops: Vec<bool> = records(&packets)
        .map(|record| record.is_stopped())
        .collect();
    assert_eq!(stops, [false, true]);
}

#[test]
fn a_stalled_driver_costs_the_oldest_packets() {
    let mut accumulator = accumulator(Dialect::Full);
    let packets = u16::try_from(MAX_READY).unwrap() + 3;
    for port in 1..=packets * 52 {
        accumulator.handle_announce(&record("198.51.100.23", port), start());
    }
    let counters = accumulator.counters();
    assert_eq!(counters.packets, u64::from(packets));
    assert_eq!(counters.dropped_packets, 3);
    assert_eq!(counters.dropped_records, 3 * 52);
    let packets = sent(&mut accumulator);
    assert_eq!(packets.len(), MAX_READY);
    assert_eq!(ports(&packets)[0], 3 * 52 + 1);
}

#[test]
fn a_packet_has_no_more_octets_than_it_may() {
    for (max_octets, records) in [(1208, 42), (8 + 28 + 27, 1), (0, 1)] {
        let settings = Settings {
            max_octets,
            ..Settings::default()
        };
        let mut accumulator = Accumulator::new(settings);
        for port in 1..=2 * records {
            accumulator.handle_announce(&record("198.51.100.23", port), start());
        }
        let lengths: Vec<_> = sent(&mut accumulator).iter().map(Vec::len).collect();
        assert_eq!(lengths, [8 + 28 * usize::from(records); 2], "{max_octets}");
    }
}

proptest! {
    /// Whatever comes in whatever order: a driver that keeps to the timeouts sends each record
    /// once, in order within its family, and none later than the delay allows.
    #[test]
    fn each_record_goes_once_and_in_time(
        steps in proptest::collection::vec((any::<bool>(), 0u64..2000), 1..400),
    ) {
        let mut accumulator = accumulator(Dialect::Full);
        let mut now = start();
        let (mut announced, mut told) = (Vec::new(), Vec::new());
        let mut since = Vec::new();
        for (port, (is_ipv4, wait_ms)) in (1..).zip(steps) {
            let next = now + Duration::from_millis(wait_ms);
            while let Some(timeout) = accumulator.poll_timeout().filter(|at| *at <= next) {
                accumulator.handle_timeout(timeout);
                take(&mut accumulator, timeout, &since, &mut told)?;
            }
            now = next;
            let ip = if is_ipv4 { "198.51.100.23" } else { "2001:db8::17" };
            since.push(now);
            announced.push((is_ipv4, port));
            accumulator.handle_announce(&record(ip, port), now);
            take(&mut accumulator, now, &since, &mut told)?;
        }
        while let Some(timeout) = accumulator.poll_timeout() {
            accumulator.handle_timeout(timeout);
            take(&mut accumulator, timeout, &since, &mut told)?;
        }
        announced.sort();
        let (v4, v6): (Vec<_>, Vec<_>) = told.into_iter().partition(|(is_ipv4, _)| *is_ipv4);
        prop_assert!(v4.is_sorted() && v6.is_sorted());
        prop_assert_eq!([v6, v4].concat(), announced);
    }
}

/// Takes what is sent at `now`, and checks it against the times at which each port was announced.
fn take(
    accumulator: &mut Accumulator,
    now: Instant,
    since: &[Instant],
    told: &mut Vec<(bool, u16)>,
) -> Result<(), TestCaseError> {
    for record in records(&sent(accumulator)) {
        let port = record.peer.port();
        prop_assert!(now - since[usize::from(port) - 1] <= DELAY);
        told.push((record.peer.is_ipv4(), port));
    }
    Ok(())
}

fn sent(accumulator: &mut Accumulator) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| accumulator.poll_output())
        .map(|Output::Send(packet)| packet.as_bytes().to_vec())
        .collect()
}

fn records(packets: &[Vec<u8>]) -> impl Iterator<Item = LiveRecord> {
    packets.iter().flat_map(|packet| -> Vec<LiveRecord> {
        match Packet::decode(packet).unwrap() {
            Packet::SyncLive(live) if live.sender() == NOBODY => live.records().collect(),
            Packet::SyncLive6(live) if live.sender() == NOBODY => live.records().collect(),
            other => panic!("not a packet of announces without a sender: {other:?}"),
        }
    })
}

fn ports(packets: &[Vec<u8>]) -> Vec<u16> {
    records(packets).map(|record| record.peer.port()).collect()
}

fn accumulator(dialect: Dialect) -> Accumulator {
    Accumulator::new(Settings {
        dialect,
        max_delay: DELAY,
        ..Settings::default()
    })
}

fn record(ip: &str, port: u16) -> LiveRecord {
    let peer = PeerAddr::new(ip.parse().unwrap(), port);
    LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::NONE)
}

fn start() -> Instant {
    Instant::now()
}
