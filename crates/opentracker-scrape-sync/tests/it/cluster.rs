//! A large cluster on a bad network, simulated: packets as octets, a third of them lost, some
//! doubled, all late by a random time. Time jumps from event to event; the seed decides all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use opentracker_livesync_wire::{
    LiveRecord, Packet, PeerAge, ScrapeTell, ScrapeTellWriter, SyncLive, SyncLiveWriter, TellRecord,
};
use opentracker_scrape_sync::{InquireThreshold, Output, ScrapeSync, Settings, Standing};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};

use crate::start;

const INSTANCES: u32 = 12;
const ESTABLISHED: u32 = 3;
const TORRENTS: u32 = 5_000;
const LOST_PERCENT: u64 = 33;
const DOUBLED_PERCENT: u64 = 10;

#[test]
fn newcomers_get_in_sync_whatever_the_network_does() {
    for seed in 1..=5 {
        let mut cluster = Cluster::new(seed);
        cluster.run(Duration::from_secs(3600));
        let most = cluster.torrents().max().unwrap();
        assert!(most >= u64::from(TORRENTS) * 9 / 10);
        let threshold = InquireThreshold::default();
        assert!(
            cluster
                .torrents()
                .all(|ours| !threshold.is_behind(ours, most)),
            "seed {seed}: {:?} of {most}",
            cluster.torrents().collect::<Vec<_>>()
        );
        // A peer that gets lost comes with its next announce, and most do not get lost.
        for instance in &cluster.instances {
            let (peers, torrents) = (instance.peers.len(), instance.downloads.len());
            assert!(2 * peers >= torrents, "seed {seed}: {peers} of {torrents}");
        }
        // Nine newcomers in need, and yet hardly more tells than one would have needed.
        assert!(cluster.tells <= 12, "seed {seed}: {} tells", cluster.tells);
    }
}

struct Cluster {
    random: Random,
    now: Instant,
    instances: Vec<Instance>,
    /// By arrival; the number keeps those of the same time apart.
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    sent: u64,
    tells: u32,
}

struct Instance {
    id: TrackerId,
    machine: ScrapeSync,
    siblings: BTreeMap<TrackerId, Standing>,
    downloads: BTreeMap<InfoHash, u64>,
    /// The torrents whose only peer it knows.
    peers: BTreeSet<InfoHash>,
    walk: Option<InfoHash>,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let now = start();
        let instances = (0..INSTANCES).map(|number| {
            let is_established = number < ESTABLISHED;
            let mut settings = Settings::default();
            if is_established {
                settings.first_beacon_delay = Duration::from_millis(random.below(60_000));
            }
            // Each of the established ones has missed a few torrents and downloads.
            let torrents = if is_established { TORRENTS } else { 0 };
            let downloads: BTreeMap<_, _> = (0..torrents)
                .filter_map(|torrent| {
                    let downloads = random.below(1000);
                    (random.below(100) < 95).then_some((hash(torrent), downloads))
                })
                .collect();
            let id = TrackerId::new(u32::try_from(random.below(1 << 32)).unwrap().to_be_bytes());
            let mut machine = ScrapeSync::new(id, settings, now);
            if is_established {
                machine.handle_peers_known();
            }
            Instance {
                id,
                machine,
                siblings: BTreeMap::new(),
                peers: downloads.keys().copied().collect(),
                downloads,
                walk: None,
            }
        });
        let instances = instances.collect();
        Self {
            random,
            now,
            instances,
            flying: BTreeMap::new(),
            sent: 0,
            tells: 0,
        }
    }

    fn torrents(&self) -> impl Iterator<Item = u64> {
        self.instances
            .iter()
            .map(|instance| instance.downloads.len() as u64)
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            assert!(next >= self.now, "time goes on");
            self.now = next;
            while let Some(arrival) = self.flying.first_entry()
                && arrival.key().0 <= next
            {
                let (place, datagram) = arrival.remove();
                self.instances[place].receive(&datagram, next);
                self.perform(place);
            }
            for place in 0..self.instances.len() {
                self.instances[place].handle_timeout(next);
                self.perform(place);
            }
        }
    }

    fn next_event(&self) -> Option<Instant> {
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        self.instances
            .iter()
            .filter_map(|instance| instance.machine.poll_timeout())
            .chain(arrival)
            .min()
    }

    fn perform(&mut self, place: usize) {
        while let Some(output) = self.instances[place].machine.poll_output() {
            let instance = &mut self.instances[place];
            let datagrams = match output {
                Output::Beacon(beacon) => vec![beacon.encode().to_vec()],
                Output::Inquire(inquire) => vec![inquire.encode().to_vec()],
                Output::StartTell => {
                    self.tells += 1;
                    instance.walk = instance.downloads.keys().next().copied();
                    vec![]
                }
                Output::TellNext { packets } => instance.walk_on(packets, self.now),
                Output::TellBack(hashes) => instance.tell(&hashes),
            };
            for datagram in datagrams {
                self.send(place, &datagram);
            }
            let instance = &mut self.instances[place];
            instance
                .machine
                .handle_torrents(instance.downloads.len() as u64);
        }
    }

    fn send(&mut self, from: usize, datagram: &[u8]) {
        for to in (0..self.instances.len()).filter(|to| *to != from) {
            let copies = match self.random.below(100) {
                percent if percent < LOST_PERCENT => 0,
                percent if percent < LOST_PERCENT + DOUBLED_PERCENT => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let at = self.now + Duration::from_micros(100 + self.random.below(50_000));
                self.sent += 1;
                self.flying.insert((at, self.sent), (to, datagram.to_vec()));
            }
        }
    }
}

impl Instance {
    fn handle_timeout(&mut self, now: Instant) {
        let siblings = self.siblings.iter_mut();
        let siblings = siblings.map(|(id, standing)| (*id, standing));
        self.machine.handle_timeout(siblings, now);
    }

    fn receive(&mut self, datagram: &[u8], now: Instant) {
        self.machine.handle_torrents(self.downloads.len() as u64);
        match Packet::decode(datagram).unwrap() {
            Packet::Beacon(beacon) => {
                let standing = self.siblings.entry(beacon.sender).or_default();
                self.machine.handle_beacon(&beacon, standing, now);
            }
            Packet::Inquire(inquire) => {
                self.machine.handle_inquire(&inquire, now);
            }
            Packet::ScrapeTell(tell) => {
                let standing = self.siblings.entry(tell.sender()).or_default();
                self.machine.handle_tell(tell.sender(), standing, now);
                for TellRecord {
                    info_hash,
                    downloads,
                    ..
                } in tell.records()
                {
                    let ours = self.downloads.entry(info_hash).or_insert(0);
                    self.machine.handle_record(info_hash, *ours > downloads);
                    *ours = downloads.max(*ours);
                }
            }
            Packet::SyncLive(live) => {
                let standing = self.siblings.entry(live.sender()).or_default();
                self.machine.handle_told_peers(live.sender(), standing, now);
                self.peers
                    .extend(live.records().map(|record| record.info_hash));
            }
            other => panic!("nobody sends {other:?}"),
        }
    }

    fn walk_on(&mut self, packets: u32, now: Instant) -> Vec<Vec<u8>> {
        let portion = usize::try_from(packets).unwrap() * ScrapeTell::MAX_RECORDS;
        let Some(begin) = self.walk else {
            self.machine.handle_tell_end(now);
            return vec![];
        };
        let mut rest = self.downloads.range(begin..).map(|(hash, _)| *hash);
        let hashes: Vec<InfoHash> = rest.by_ref().take(portion).collect();
        self.walk = rest.next();
        let mut datagrams = self.tell(&hashes);
        datagrams.extend(self.tell_peers(&hashes));
        datagrams
    }

    fn tell_peers(&self, hashes: &[InfoHash]) -> Vec<Vec<u8>> {
        let known = hashes.iter().filter(|hash| self.peers.contains(hash));
        let known: Vec<_> = known.collect();
        let packets = known.chunks(SyncLive::MAX_RECORDS).map(|hashes| {
            let mut writer = SyncLiveWriter::new(self.id);
            for info_hash in hashes {
                let peer = PeerAddr::new([198, 51, 100, 1].into(), 6881);
                let record = LiveRecord::new(**info_hash, peer, PeerFlags::NONE);
                let age = PeerAge::from_minutes(5).unwrap();
                writer.push(&record.with_age(age)).unwrap();
            }
            writer.as_bytes().to_vec()
        });
        packets.collect()
    }

    fn tell(&self, hashes: &[InfoHash]) -> Vec<Vec<u8>> {
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
        let packets = hashes.chunks(ScrapeTell::MAX_RECORDS).map(|hashes| {
            let mut writer = ScrapeTellWriter::new(self.id);
            for info_hash in hashes {
                let record = TellRecord::new(*info_hash, 0, self.downloads[info_hash]);
                writer.push(&record).unwrap();
            }
            writer.as_bytes().to_vec()
        });
        packets.collect()
    }
}

/// Splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn hash(number: u32) -> InfoHash {
    let mut octets = [0; 20];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash::new(octets)
}
