use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker};
use opentracker_livesync::{
    Counter, Instance, MAX_SIBLINGS_PER_SOURCE, MAX_SOURCES, Output, Settings, Source,
};
use opentracker_livesync_wire::{
    Beacon, Inquire, LiveRecord, LiveWriter, MAX_PACKET, Packet, PeerAge, ScrapeTellWriter,
    TellRecord,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::input::Input;

const OURS: TrackerId = TrackerId::new([9; 4]);

/// An instance of a cluster, which hears packets of siblings and of whoever else can send to it: its
/// swarms are what it was told, it sends whole packets in its own name, and it neither spins nor grows.
pub fn livesync(octets: &[u8]) {
    let mut input = Input::new(octets);
    let mut site = Site::new();
    while site.call(&mut input).is_some() {
        site.poll();
    }
    site.compare();
}

/// An instance, and what it was told: the peers of each torrent.
struct Site {
    tracker: Arc<Tracker>,
    instance: Instance,
    now: Instant,
    told: BTreeMap<InfoHash, BTreeMap<PeerAddr, Known>>,
}

/// A peer that was told of.
#[derive(Debug, Clone, Copy)]
struct Known {
    is_seeder: bool,
    /// The minute of its announce, counted from the start.
    announced: i64,
}

impl Site {
    fn new() -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(1);
        let tracker = Arc::new(Tracker::with_parts(2, Rules::default(), now, &mut rng));
        let settings = Settings::default();
        Self {
            instance: Instance::new(Arc::clone(&tracker), OURS, &settings, None, rng, now),
            tracker,
            now,
            told: BTreeMap::new(),
        }
    }

    fn call(&mut self, input: &mut Input<'_>) -> Option<()> {
        let kind = input.octet()?;
        match kind % 8 {
            0 => {
                let [source, octets] = input.array()?;
                self.hear(input.octets(octets.into()), source);
            }
            1 | 2 => {
                let [source, sender, records] = input.array()?;
                let sender = TrackerId::new([sender % 16; 4]);
                let mut writer = match kind % 8 {
                    1 => LiveWriter::sync_live(sender),
                    _ => LiveWriter::sync_live6(sender),
                };
                for _ in 0..records % 32 {
                    writer.push(&record(input)?).ok();
                }
                self.hear(writer.as_bytes(), source);
            }
            3 => {
                let [source, sender, records] = input.array()?;
                let mut writer = ScrapeTellWriter::new(TrackerId::new([sender % 16; 4]));
                for _ in 0..records % 32 {
                    let [torrent, age, bits] = input.array()?;
                    let downloads = (u64::from(age) << (bits % 64)) | u64::from(bits);
                    let record =
                        TellRecord::new(InfoHash::new([torrent; 20]), age.into(), downloads);
                    writer.push(&record).unwrap();
                }
                self.hear(writer.as_bytes(), source);
            }
            4 => {
                let [source, sender, torrents] = input.array()?;
                let sender = TrackerId::new([sender % 16; 4]);
                let torrents = u64::from(torrents);
                self.hear(&Beacon { sender, torrents }.encode(), source);
            }
            5 => {
                let [source, sender] = input.array()?;
                let sender = TrackerId::new([sender % 16; 4]);
                let target = self.instance.id();
                self.hear(&Inquire { sender, target }.encode(), source);
            }
            6 => self.now += Duration::from_millis(10 * u64::from(input.number()?)),
            _ => self.time_out(),
        }
        Some(())
    }

    fn hear(&mut self, packet: &[u8], source: u8) {
        let source = Source {
            is_this_host: source & 1 == 1,
            ..Source::group(SocketAddr::from(([10, 0, 0, source >> 1], 9696)))
        };
        let counted = |site: &Self| {
            let counters = site.tracker.counters();
            let kinds = [
                Counter::AnnouncesApplied,
                Counter::PeersApplied,
                Counter::PeerKnown,
                Counter::PeerTimedOut,
                Counter::PeerStopped,
            ];
            kinds.map(|kind| counters.sum(kind)).iter().sum::<u64>()
        };
        let before = counted(self);
        self.instance.handle_packet(packet, source, self.now);
        let counted = counted(self) - before;
        if counted > 0 {
            let told: Vec<_> = match Packet::decode(packet) {
                Ok(Packet::SyncLive(live)) => live.records().collect(),
                Ok(Packet::SyncLive6(live)) => live.records().collect(),
                other => panic!("{other:?} has no announces"),
            };
            let possible = told.iter().filter(|record| record.peer.scope().is_some());
            let possible: Vec<_> = possible.collect();
            assert_eq!(
                counted,
                possible.len() as u64,
                "a packet was applied in part"
            );
            possible.into_iter().for_each(|record| self.apply(record));
        }
        let view = self.instance.view(Vec::new(), self.now);
        assert!(view.siblings.len() <= MAX_SOURCES * MAX_SIBLINGS_PER_SOURCE);
    }

    fn apply(&mut self, record: &LiveRecord) {
        let age = record.age.map_or(0, |age| i64::from(age.minutes()));
        let elapsed = self.now - self.tracker.start();
        let now = i64::try_from(elapsed.as_secs() / 60).unwrap();
        let peers = self.told.entry(record.info_hash).or_default();
        if record.age.is_some() {
            // Nobody sweeps here, and a known age is one octet.
            let known = peers.get(&record.peer);
            let known_age = known.map(|known| (now - known.announced) % 256);
            let is_newer = known_age.is_none_or(|known_age| age + 1 < known_age);
            if record.is_stopped() || age > 45 || !is_newer {
                return;
            }
        }
        if record.is_stopped() {
            peers.remove(&record.peer);
        } else {
            let known = Known {
                is_seeder: record.flags.contains(PeerFlags::SEEDING),
                announced: now - age,
            };
            peers.insert(record.peer, known);
        }
    }

    fn time_out(&mut self) {
        self.now = self
            .now
            .max(self.instance.poll_timeout().unwrap_or(self.now));
        self.instance.handle_timeout(self.now);
        self.poll();
        let next = self.instance.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "it spins");
    }

    fn poll(&mut self) {
        while let Some(Output::Send { packet, .. }) = self.instance.poll_output() {
            assert!(packet.as_bytes().len() <= MAX_PACKET);
            let packet = Packet::decode(packet.as_bytes()).unwrap();
            assert_eq!(packet.sender(), self.instance.id());
        }
    }

    fn compare(&self) {
        for (info_hash, peers) in &self.told {
            let summary = self.tracker.summary(info_hash, self.now);
            let counts = summary.map(|summary| summary.counts).unwrap_or_default();
            let seeders = peers.values().filter(|known| known.is_seeder).count();
            let found = (counts.seeders as usize, counts.leechers as usize);
            assert_eq!(found, (seeders, peers.len() - seeders), "{info_hash}");
        }
    }
}

fn record(input: &mut Input<'_>) -> Option<LiveRecord> {
    let [torrent, ip, port, flags] = input.array()?;
    let ip = match ip {
        0..0x80 => [ip & 0xe0, 0, 2, ip & 0x1f].into(),
        _ => [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(ip)].into(),
    };
    let record = LiveRecord::new(
        InfoHash::new([torrent; 20]),
        PeerAddr::new(ip, port.into()),
        PeerFlags::from_bits(flags),
    );
    // The bits that are no flags say an age, of which half are beyond the timeout.
    Some(match u64::from(flags & 0x1f) {
        0 => record,
        age => record.with_age(PeerAge::from_minutes(3 * age).unwrap()),
    })
}
