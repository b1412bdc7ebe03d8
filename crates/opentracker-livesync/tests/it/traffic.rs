//! What a machine sends, held against what it may send.

use std::collections::HashSet;
use std::time::Instant;

use opentracker_livesync::{Dialect, Kind, Kinds};
use opentracker_livesync_wire::{
    HEADER_LEN, LiveRecord, MAX_SEALABLE_PACKET, Packet, PacketBuf, ScrapeTell, SealedPacket,
    SyncLive6,
};
use opentracker_types::TrackerId;

use crate::layout::Place;
use crate::machine::{Machine, Times, WORKERS};
use crate::network::Datagram;

/// Records of the longest form that a sealed packet has room for.
const SEALED_RECORDS: usize = (MAX_SEALABLE_PACKET - HEADER_LEN) / SyncLive6::RECORD_LEN;
const SEALED_COUNTS: usize = (MAX_SEALABLE_PACKET - HEADER_LEN) / ScrapeTell::RECORD_LEN;

/// What a machine has sent since it started.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// The interval between two beacons that is counted now.
    since: Instant,
    beacons: usize,
    inquired: usize,
    live: usize,
    live_records: usize,
    told: usize,
    /// As far as is known by now.
    most_told: usize,
    /// Packets of others that it has passed.
    passed: HashSet<(TrackerId, u32)>,
    /// Since the beginning of the world.
    pub(crate) inquiries: u64,
    pub(crate) tells: u64,
}

impl Traffic {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            beacons: 0,
            inquired: 0,
            live: 0,
            live_records: 0,
            told: 0,
            most_told: 0,
            passed: HashSet::new(),
            inquiries: 0,
            tells: 0,
        }
    }

    /// Goes on with another machine in the same place.
    pub(crate) fn restart(&mut self, now: Instant) {
        *self = Self {
            inquiries: self.inquiries,
            tells: self.tells,
            ..Self::new(now)
        };
    }

    /// Takes a packet that a machine sends of its own. In one beacon interval that is one beacon, one
    /// inquiry, the packets that are full of announces and those whose time is over, and each torrent
    /// and peer told once, however many inquire.
    pub(crate) fn count(
        &mut self,
        packet: &PacketBuf,
        machine: &Machine,
        place: &Place,
        times: &Times,
        now: Instant,
    ) {
        let interval = times.scrape_sync.beacon_interval;
        if now >= self.since + interval {
            let passed = std::mem::take(&mut self.passed);
            self.restart(now);
            self.passed = passed;
        }
        let told = self.told;
        match decode(packet.as_bytes(), machine.seals()) {
            Packet::SyncLive(live) => self.count_peers(live.records()),
            Packet::SyncLive6(live) => self.count_peers(live.records()),
            Packet::Beacon(_) => self.beacons += 1,
            Packet::Inquire(_) => {
                self.inquired += 1;
                self.inquiries += 1;
            }
            Packet::ScrapeTell(tell) => {
                self.told += 1;
                self.tells += tell.records().len() as u64;
            }
        }
        if self.told > told {
            self.check_tell(machine, now);
        }
        assert!(self.beacons <= 1, "beacons in an interval");
        assert!(self.inquired <= 1, "inquiries in an interval");
        let delays = interval
            .as_millis()
            .div_ceil(times.peer_sync.max_delay.as_millis());
        // What a relay tells of C nodes fills packets of its own.
        let accumulators = WORKERS + usize::from(place.relays);
        let timed = 2 * accumulators * (1 + usize::try_from(delays).unwrap());
        let full = self.live_records / SEALED_RECORDS;
        assert!(self.live <= timed + full, "announces: {self:?}");
    }

    /// Takes a packet of another that a relay passes, when `came` has just come to it. It goes on as
    /// it is, not to where it came from, and once: so each is sent once by each relay beyond what its
    /// sender has sent, which bounds what relays send by what all others do.
    pub(crate) fn pass(&mut self, packet: &PacketBuf, to: Kinds, came: Option<&Datagram>) {
        let came = came.expect("what is passed has just come");
        assert_eq!(packet.as_bytes(), &*came.octets, "it is passed as it is");
        assert!(!to.has(came.via), "it goes back to where it came from");
        let sealed = SealedPacket::split(packet.as_bytes()).expect("it is sealed");
        let is_first = self.passed.insert((sealed.sender(), sealed.stamp().number));
        assert!(is_first, "it is passed once");
    }

    fn count_peers(&mut self, records: impl ExactSizeIterator<Item = LiveRecord> + Clone) {
        if records.clone().any(|record| record.age.is_some()) {
            self.told += 1;
        } else {
            self.live += 1;
            self.live_records += records.len();
        }
    }

    fn check_tell(&mut self, machine: &Machine, now: Instant) {
        if self.told <= self.most_told {
            return;
        }
        let totals = machine.totals(now);
        let all = |things: u64| usize::try_from(things).unwrap();
        let torrents = all(totals.torrents).div_ceil(SEALED_COUNTS);
        // Of each part that is copied out a packet may be left over, and in the end of peers of
        // either family.
        let parts = torrents.div_ceil(10) + 1;
        let peers = all(totals.peers.total()).div_ceil(SEALED_RECORDS) + 1;
        self.most_told = torrents + parts + peers;
        assert!(self.told <= self.most_told, "tells: {self:?}");
    }
}

/// Holds that a node of the C program gets what it can read, and takes for what it is.
pub(crate) fn check_for_c_node(datagram: &Datagram, dialect: Dialect) {
    assert_eq!(datagram.via, Kind::Group);
    if datagram.is_cut {
        return;
    }
    let is_live = |mut records: Box<dyn Iterator<Item = LiveRecord> + '_>| {
        records.all(|record| record.age.is_none())
    };
    let is_for_it = match Packet::decode(&datagram.octets) {
        Ok(Packet::SyncLive(live)) => is_live(Box::new(live.records())),
        Ok(Packet::SyncLive6(live)) => {
            dialect == Dialect::CDual && is_live(Box::new(live.records()))
        }
        _ => false,
    };
    assert!(is_for_it, "{datagram:?}");
}

fn decode(packet: &[u8], is_sealed: bool) -> Packet<'_> {
    let packet = match SealedPacket::split(packet) {
        Some(sealed) if is_sealed => sealed.packet(),
        _ => packet,
    };
    Packet::decode(packet).expect("a machine sends what can be read")
}
