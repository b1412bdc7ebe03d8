//! Peers that follow the counts (docs/livesync.md, Peers follow the counts).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use opentracker_livesync::Kind;
use opentracker_livesync_wire::{Inquire, LiveRecord, Packet, PeerAge, SyncLiveWriter};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerAddr, PeerFlags, TrackerId};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::layout::Layout;
use crate::machine::{Machine, Times};
use crate::network::Conditions;
use crate::world::{ESTABLISHED, World, archived};

const MINUTE: Duration = Duration::from_secs(60);
const TORRENT: InfoHash = InfoHash::new([1; InfoHash::LEN]);
const SIBLING: TrackerId = TrackerId::new([2; 4]);

/// A machine, and what a sibling and clients do to it.
struct Site {
    machine: Machine,
    now: Instant,
    rng: StdRng,
}

impl Site {
    fn new() -> Self {
        let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(1));
        Self {
            machine: Machine::start(&Times::default(), now, &mut rng),
            now,
            rng,
        }
    }

    /// A sibling tells of a peer.
    fn hear(&mut self, number: u8, flags: PeerFlags, age: u64) {
        let mut writer = SyncLiveWriter::new(SIBLING);
        let record = LiveRecord::new(TORRENT, peer(number), flags);
        let age = PeerAge::from_minutes(age).unwrap();
        writer.push(&record.with_age(age)).unwrap();
        self.machine
            .receive(writer.as_bytes(), Kind::Group, 2, 1, self.now);
    }

    /// A peer announces here; returns whether the cluster was told.
    fn is_told(&mut self, number: u8, left: u64, event: Event) -> bool {
        let peer = peer(number);
        let request = AnnounceRequest::new(TORRENT, peer.port())
            .with_left(left)
            .with_event(event);
        self.machine
            .announce(&request, peer.ip(), self.now, &mut self.rng);
        self.now += MINUTE;
        self.machine.handle_timeout(self.now);
        !self.machine.packets(self.now).is_empty()
    }

    fn peers(&self) -> BTreeMap<SocketAddr, bool> {
        let peers = self.machine.peers(self.now).into_iter();
        peers
            .map(|((_, peer), is_seeder)| (peer, is_seeder))
            .collect()
    }

    fn downloads(&self) -> Option<u64> {
        self.machine.downloads(self.now).get(&TORRENT).copied()
    }
}

fn peer(number: u8) -> PeerAddr {
    PeerAddr::new([198, 51, 100, number].into(), 6881)
}

#[test]
fn a_told_peer_that_announces_at_the_newcomer_is_told() {
    // The others heard of it when it announced, and hear again after the renew boundary.
    for (age, is_told) in [(0, false), (10, false), (11, true), (45, true)] {
        let mut site = Site::new();
        site.hear(1, PeerFlags::NONE, age);
        assert_eq!(site.peers().len(), 1, "{age}");
        assert_eq!(site.is_told(1, 1, Event::None), is_told, "{age}");
        let is_told_again = site.is_told(1, 1, Event::None);
        assert!(!(is_told && is_told_again), "{age}: just now");
    }
}

#[test]
fn a_told_seeder_changes_no_count() {
    let mut site = Site::new();
    site.hear(1, PeerFlags::SEEDING.with(PeerFlags::COMPLETED), 3);
    site.hear(2, PeerFlags::NONE, 30);
    assert_eq!(site.downloads(), Some(0));
    // It is filed as one that has completed, so that it is not counted when it says so again.
    assert!(!site.is_told(1, 0, Event::Completed));
    assert_eq!(site.downloads(), Some(0));
    // One that was a leecher here, and seeds there since.
    site.hear(2, PeerFlags::SEEDING, 3);
    assert_eq!(site.downloads(), Some(0));
    assert!(site.peers()[&peer(2).into()]);
    site.is_told(2, 0, Event::Completed);
    assert_eq!(site.downloads(), Some(0));
    site.is_told(3, 0, Event::Completed);
    assert_eq!(site.downloads(), Some(1));
}

#[test]
fn a_told_peer_is_taken_only_where_it_is_newer_and_lives() {
    let mut site = Site::new();
    site.hear(1, PeerFlags::STOPPED, 3);
    site.hear(1, PeerFlags::STOPPED.with(PeerFlags::SEEDING), 3);
    site.hear(1, PeerFlags::NONE, 46);
    assert!(site.peers().is_empty());
    site.hear(1, PeerFlags::NONE, 45);
    site.hear(1, PeerFlags::SEEDING, 44);
    assert!(!site.peers()[&peer(1).into()], "rounding makes that");
    site.hear(1, PeerFlags::STOPPED, 0);
    site.hear(1, PeerFlags::SEEDING, 43);
    assert!(site.peers()[&peer(1).into()]);
    site.now += 3 * MINUTE;
    for _ in 0..3 {
        site.machine.handle_timeout(site.now);
    }
    assert!(site.peers().is_empty(), "it times out as it would there");
}

/// Live sync brings a newcomer nearly all torrents within seconds, and a few of the peers. Counts
/// alone would never make it ask.
#[test]
fn a_newcomer_among_1000_busy_torrents_asks() {
    const TORRENTS: u16 = 1000;
    let times = Times::default();
    let mut world = World::new(3, Layout::lan(2), times.clone());
    world.network.conditions = Conditions::LAN;
    world.run_for(times.scrape_sync.first_beacon_delay);
    for number in 0..TORRENTS {
        for _ in 0..7 {
            world.come(ESTABLISHED, archived(number));
        }
    }
    world.run_for(MINUTE);
    world.restart(1);
    for number in 0..TORRENTS {
        world.come(ESTABLISHED, archived(number));
    }
    world.run_for(MINUTE);
    let (established, newcomer) = (world.machine(ESTABLISHED), world.machine(1));
    assert!(4 * newcomer.torrents(world.now) > 3 * established.torrents(world.now));
    assert!(5 * newcomer.peers(world.now).len() < established.peers(world.now).len());
    world.run_for(2 * times.scrape_sync.beacon_interval + MINUTE);
    let (established, newcomer) = (world.machine(ESTABLISHED), world.machine(1));
    assert_eq!(newcomer.peers(world.now), established.peers(world.now));
}

/// What happens to a few machines and a few peers.
#[derive(Debug, Clone)]
enum Happening {
    Announce { at: usize, number: u8 },
    Tell { by: usize, to: usize },
}

/// Machines whose minutes begin at different times.
struct Mesh {
    machines: [Machine; MACHINES],
    now: Instant,
    rng: StdRng,
    /// When each peer announced last, and in how many tells that came to each machine.
    announced: BTreeMap<u8, Instant>,
    ways: BTreeMap<(usize, u8), u32>,
}

const MACHINES: usize = 4;
const PEERS: u8 = 4;

impl Mesh {
    fn new(starts: [u64; MACHINES]) -> Self {
        let (now, mut rng) = (Instant::now(), StdRng::seed_from_u64(1));
        let machines = starts.map(|secs| {
            let start = now + Duration::from_secs(secs);
            Machine::start(&Times::default(), start, &mut rng)
        });
        Self {
            machines,
            now: now + MINUTE,
            rng,
            announced: BTreeMap::new(),
            ways: BTreeMap::new(),
        }
    }

    /// Lets time pass. What the machines would send by themselves is lost.
    fn wait(&mut self, secs: u64) {
        self.now += Duration::from_secs(secs);
        for machine in &mut self.machines {
            machine.handle_timeout(self.now);
            machine.packets(self.now);
        }
    }

    fn announce(&mut self, at: usize, number: u8) {
        let request = AnnounceRequest::new(TORRENT, peer(number).port());
        let ip = peer(number).ip();
        self.machines[at].announce(&request, ip, self.now, &mut self.rng);
        self.announced.insert(number, self.now);
        self.ways.insert((at, number), 0);
    }

    /// Lets one tell another, and holds that only what is newer is taken.
    fn tell(&mut self, by: usize, to: usize) {
        let ages = |mesh: &Self, place: usize| mesh.machines[place].ages(mesh.now);
        let (told, before) = (ages(self, by), ages(self, to));
        let (sender, target) = (SIBLING, self.machines[by].id());
        let inquiry = Inquire { sender, target }.encode();
        self.machines[by].receive(&inquiry, Kind::Group, 200, by, self.now);
        for packet in self.machines[by].packets(self.now) {
            self.machines[to].receive(packet.as_bytes(), Kind::Group, by, to, self.now);
        }
        let after = ages(self, to);
        for number in 1..=PEERS {
            let address = SocketAddr::from(peer(number));
            let [told, before, after] =
                [&told, &before, &after].map(|ages| ages.get(&address).copied());
            let is_newer = |told: &u8| *told <= 45 && before.is_none_or(|age| told + 1 < age);
            let newer = told.filter(is_newer);
            assert_eq!(after, newer.or(before));
            if newer.is_some() {
                self.ways.insert((to, number), self.ways[&(by, number)] + 1);
            }
        }
    }

    /// Holds that nobody takes a peer for younger than it is, but for a minute for the machine
    /// where it announced and one for each way from there.
    fn check(&self) {
        for (place, machine) in self.machines.iter().enumerate() {
            let ages = machine.ages(self.now);
            for number in 1..=PEERS {
                if let Some(&age) = ages.get(&peer(number).into()) {
                    let minutes = u32::from(age) + 1 + self.ways[&(place, number)];
                    assert!(MINUTE * minutes > self.now - self.announced[&number]);
                }
            }
        }
    }
}

fn happening() -> impl Strategy<Value = (u64, Happening)> {
    let what = prop_oneof![
        1 => (0..MACHINES, 1..=PEERS).prop_map(|(at, number)| Happening::Announce { at, number }),
        3 => (0..MACHINES, 1..MACHINES)
            .prop_map(|(by, further)| Happening::Tell { by, to: (by + further) % MACHINES }),
    ];
    // A beacon interval lies between two tells.
    (61..300_u64, what)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// A tell carries ages as they are, and makes nothing younger that is known by as late an
    /// announce. All that is left is that ages are whole minutes, which begin at another time at
    /// each machine.
    #[test]
    fn no_tell_makes_a_peer_younger(
        starts in prop::array::uniform4(0..60_u64),
        happenings in prop::collection::vec(happening(), 1..80),
    ) {
        let mut mesh = Mesh::new(starts);
        for (secs, happening) in happenings {
            mesh.wait(secs);
            match happening {
                Happening::Announce { at, number } => mesh.announce(at, number),
                Happening::Tell { by, to } => mesh.tell(by, to),
            }
            mesh.check();
        }
    }
}

/// What it tells is whole packets of the peers that another host can reach, in the form of their
/// family.
#[test]
fn a_tell_has_every_peer_that_can_be_reached_once() {
    let mut site = Site::new();
    let mut expected = BTreeMap::new();
    let mut addresses: Vec<IpAddr> = (0..=u8::MAX)
        .flat_map(|low| {
            let v6 = [0x2001, 0xdb8, 0, low.into(), 0, 0, 0, 1];
            [IpAddr::from([198, 51, 7, low]), IpAddr::from(v6)]
        })
        .collect();
    addresses.extend([IpAddr::from([10, 0, 0, 1]), IpAddr::from([127, 0, 0, 1])]);
    for (number, ip) in addresses.into_iter().enumerate() {
        let left = (number % 3) as u64;
        let request = AnnounceRequest::new(TORRENT, 6881).with_left(left);
        let now = site.now;
        site.machine.announce(&request, ip, now, &mut site.rng);
        if !ip.is_loopback() {
            expected.insert(PeerAddr::new(ip, 6881), left == 0);
        }
    }
    site.now += 7 * MINUTE;
    site.machine.handle_timeout(site.now);
    site.machine.packets(site.now);
    let (sender, target) = (SIBLING, site.machine.id());
    let inquiry = Inquire { sender, target }.encode();
    site.machine.receive(&inquiry, Kind::Group, 2, 1, site.now);
    let mut told = BTreeMap::new();
    let mut packets = site.machine.packets(site.now);
    while site.machine.poll_timeout() < site.now + MINUTE / 2 {
        site.now = site.now.max(site.machine.poll_timeout());
        site.machine.handle_timeout(site.now);
        packets.extend(site.machine.packets(site.now));
    }
    for (number, packet) in packets.iter().enumerate() {
        let records: Vec<LiveRecord> = match Packet::decode(packet.as_bytes()).unwrap() {
            Packet::ScrapeTell(tell) => {
                assert_eq!((number, tell.records().len()), (0, 1));
                continue;
            }
            Packet::SyncLive(live) => live.records().collect(),
            Packet::SyncLive6(live) => live.records().collect(),
            other => panic!("{other:?}"),
        };
        for record in records {
            assert_eq!(record.age, PeerAge::from_minutes(7).ok());
            let is_seeder = record.flags == PeerFlags::SEEDING;
            assert!(is_seeder || record.flags == PeerFlags::NONE);
            assert_eq!(told.insert(record.peer, is_seeder), None);
        }
    }
    assert_eq!(told, expected);
    assert_eq!(
        packets.len(),
        1 + 257_usize.div_ceil(52) + 256_usize.div_ceil(36)
    );
}
