use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use opentracker_livesync_wire::{LiveRecord, MAX_PACKET, Packet, SyncLive, SyncLive6};
use opentracker_peer_sync::{Accumulator, Dialect, MAX_READY, Output, Settings};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

use crate::input::Input;

/// What the cluster hears of announces: each once, in order, in time, and in packets of its dialect;
/// and of a driver that has stalled, how much it has lost.
///
/// The first octet chooses the dialect; then come calls.
pub fn peer_sync(octets: &[u8]) {
    let mut input = Input::new(octets);
    let Some(choice) = input.octet() else {
        return;
    };
    let dialects = [Dialect::Full, Dialect::CV4, Dialect::CDual];
    let mut pair = Pair::new(dialects[usize::from(choice) % 3]);
    while pair.call(&mut input).is_some() {}
    pair.accumulator.flush();
    pair.model.flush(Family::V4);
    pair.model.flush(Family::V6);
    pair.poll();
    assert_eq!(pair.accumulator.poll_timeout(), None);
}

#[derive(Debug, Clone, Copy)]
enum Family {
    V4,
    V6,
}

/// Packets as lists of records.
#[derive(Default)]
struct Model {
    filling: [Vec<LiveRecord>; 2],
    begun: [Option<Instant>; 2],
    ready: VecDeque<Vec<LiveRecord>>,
    dropped_records: u64,
    unspoken: u64,
    records: u64,
}

impl Model {
    fn announce(&mut self, dialect: Dialect, record: LiveRecord, now: Instant) {
        let family = match (dialect, record.peer.is_ipv4()) {
            (Dialect::CV4, false) => {
                self.unspoken += 1;
                return;
            }
            (Dialect::CDual, _) | (_, false) => Family::V6,
            (_, true) => Family::V4,
        };
        self.records += 1;
        self.begun[family as usize].get_or_insert(now);
        self.filling[family as usize].push(record);
        let most = match family {
            Family::V4 => SyncLive::MAX_RECORDS,
            Family::V6 => SyncLive6::MAX_RECORDS,
        };
        if self.filling[family as usize].len() == most {
            self.flush(family);
        }
    }

    fn flush(&mut self, family: Family) {
        self.begun[family as usize] = None;
        let packet = std::mem::take(&mut self.filling[family as usize]);
        if packet.is_empty() {
            return;
        }
        if self.ready.len() == MAX_READY {
            self.dropped_records += self.ready.pop_front().unwrap().len() as u64;
        }
        self.ready.push_back(packet);
    }
}

struct Pair {
    accumulator: Accumulator,
    model: Model,
    settings: Settings,
    now: Instant,
    /// The driver does not poll.
    is_stalled: bool,
}

impl Pair {
    fn new(dialect: Dialect) -> Self {
        let settings = Settings {
            dialect,
            ..Settings::default()
        };
        Self {
            accumulator: Accumulator::new(settings),
            model: Model::default(),
            settings,
            now: Instant::now(),
            is_stalled: false,
        }
    }

    fn call(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.octet()? {
            choice @ 0..0x80 => {
                // Many, lest it takes thousands of octets to fill a packet.
                let [times, peer, flags] = input.array()?;
                let record = LiveRecord::new(
                    InfoHash::new([times; 20]),
                    PeerAddr::new(ip(choice, peer), u16::from(peer)),
                    PeerFlags::from_bits(flags & 0xe0),
                );
                for _ in 0..1 + times % 64 {
                    self.accumulator.handle_announce(&record, self.now);
                    let meant = meant(record);
                    self.model.announce(self.settings.dialect, meant, self.now);
                    self.poll();
                }
            }
            0x80..0xa0 => self.now += Duration::from_millis(input.number()?.into()),
            0xa0..0xc0 => self.time_out(),
            0xc0..0xd0 => self.is_stalled = !self.is_stalled,
            _ => {
                self.accumulator.flush();
                self.model.flush(Family::V4);
                self.model.flush(Family::V6);
            }
        }
        self.poll();
        Some(())
    }

    fn time_out(&mut self) {
        self.accumulator.handle_timeout(self.now);
        for family in [Family::V4, Family::V6] {
            let due = self.model.begun[family as usize].map(|at| at + self.settings.max_delay);
            if due.is_some_and(|due| due <= self.now) {
                self.model.flush(family);
            }
        }
        let next = self.accumulator.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "it spins");
    }

    fn poll(&mut self) {
        let due = self.model.begun.iter().flatten().min();
        let due = due.map(|begun| *begun + self.settings.max_delay);
        assert_eq!(self.accumulator.poll_timeout(), due);
        if self.is_stalled {
            return;
        }
        while let Some(Output::Send(packet)) = self.accumulator.poll_output() {
            let expected = self.model.ready.pop_front().unwrap();
            assert!(packet.as_bytes().len() <= MAX_PACKET);
            let (told, is_v6): (Vec<_>, _) = match Packet::decode(packet.as_bytes()) {
                Ok(Packet::SyncLive(live)) => (live.records().collect(), false),
                Ok(Packet::SyncLive6(live)) => (live.records().collect(), true),
                other => panic!("{other:?} is no packet of announces"),
            };
            assert_eq!(told, expected);
            match self.settings.dialect {
                Dialect::Full => assert_eq!(is_v6, !told[0].peer.is_ipv4()),
                Dialect::CV4 => assert!(!is_v6),
                Dialect::CDual => assert!(is_v6),
            }
        }
        assert!(self.model.ready.is_empty());
        let counters = self.accumulator.counters();
        assert_eq!(counters.records, self.model.records);
        assert_eq!(counters.unspoken_records, self.model.unspoken);
        assert_eq!(counters.dropped_records, self.model.dropped_records);
    }
}

/// COMPLETED has a meaning beside SEEDING alone.
fn meant(mut record: LiveRecord) -> LiveRecord {
    if !record.flags.contains(PeerFlags::SEEDING) {
        let stopped = PeerFlags::STOPPED.bits();
        record.flags = PeerFlags::from_bits(record.flags.bits() & stopped);
    }
    record
}

fn ip(choice: u8, last: u8) -> IpAddr {
    match choice % 2 {
        0 => [192, 0, 2, last].into(),
        _ => [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)].into(),
    }
}
