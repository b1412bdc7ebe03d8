//! The named rules of docs/livesync.md, Relay, and what goes by which carrier.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Rules, Tracker};
use opentracker_livesync::{
    Class, Counter, Dialect, Instance, Key, Keys, Kind, Kinds, Output, Settings, Source,
};
use opentracker_livesync_wire::{
    Beacon, HEADER_LEN, LiveRecord, LiveWriter, Packet, PacketBuf, PeerAge, ScrapeTellWriter,
    SealedPacket, Stamp, SyncLive, TellRecord,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

const THEIRS: TrackerId = TrackerId::new(*b"them");
const UNIX: u32 = 1_764_080_000;
const TORRENT: InfoHash = InfoHash::new([1; InfoHash::LEN]);
const ALL: Kinds = Kinds::NONE
    .with(Kind::Group)
    .with(Kind::Unicast)
    .with(Kind::Nats);

/// An instance with all carriers.
struct Site {
    tracker: Arc<Tracker>,
    instance: Instance,
    dialect: Dialect,
    start: Instant,
}

impl Site {
    fn relay(number: u8, dialect: Dialect) -> Self {
        let settings = settings(dialect).relaying();
        Self::new(number, settings)
    }

    fn new(number: u8, settings: Settings) -> Self {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(number.into());
        let tracker = Arc::new(Tracker::with_parts(8, Rules::default(), start, &mut rng));
        let keys = Some(Arc::new(Keys::new(key())));
        let id = TrackerId::new([number; 4]);
        let mut instance = Instance::new(Arc::clone(&tracker), id, &settings, keys, rng, start);
        instance.handle_clock(UNIX.into());
        Self {
            tracker,
            instance,
            dialect: settings.peer_sync.dialect,
            start,
        }
    }

    fn hear(&mut self, packet: &PacketBuf, via: Kind) {
        let address = SocketAddr::from(([10, 0, 0, 2], 9696));
        let mut source = Source::new(via, (via != Kind::Nats).then_some(address));
        source.may_be_unsealed = via == Kind::Group;
        self.instance
            .handle_packet(packet.as_bytes(), source, self.start);
    }

    fn sent(&mut self) -> Vec<(PacketBuf, Class, Kinds)> {
        let sent = std::iter::from_fn(|| self.instance.poll_output());
        sent.map(|Output::Send { packet, class, to }| (packet, class, to))
            .collect()
    }

    /// Lets what waits for its packet to fill go, and what else is due.
    fn wait(&mut self) {
        let now = self.start + settings(self.dialect).peer_sync.max_delay;
        self.instance.handle_timeout(now);
    }

    fn applied(&self) -> u64 {
        self.tracker.counters().sum(Counter::AnnouncesApplied)
    }
}

fn settings(dialect: Dialect) -> Settings {
    let mut settings = Settings::default().sealed().with_carriers(ALL);
    settings.peer_sync.dialect = dialect;
    settings
}

fn key() -> Key {
    Key::derive(&[1; 32])
}

fn sealed(mut packet: PacketBuf, number: u32) -> PacketBuf {
    let time = UNIX;
    packet.seal(Stamp { time, number }, &key()).unwrap();
    packet
}

fn record(ip: &str, age: Option<u64>) -> LiveRecord {
    let peer = PeerAddr::new(ip.parse().unwrap(), 6881);
    let record = LiveRecord::new(TORRENT, peer, PeerFlags::SEEDING);
    match age {
        Some(minutes) => record.with_age(PeerAge::from_minutes(minutes).unwrap()),
        None => record,
    }
}

fn of(mut writer: LiveWriter, record: &LiveRecord) -> PacketBuf {
    writer.push(record).unwrap();
    writer.take()
}

/// A packet of each sort.
fn every_sort() -> [(PacketBuf, &'static str); 6] {
    let v4 = || LiveWriter::sync_live(THEIRS);
    let v6 = || LiveWriter::sync_live6(THEIRS);
    let mut tell = ScrapeTellWriter::new(THEIRS);
    tell.push(&TellRecord::new(TORRENT, 0, 7)).unwrap();
    let beacon = Beacon {
        sender: THEIRS,
        torrents: 0,
    };
    [
        (of(v4(), &record("192.0.2.1", None)), "live"),
        (of(v6(), &record("2001:db8::1", None)), "live, IPv6"),
        (of(v4(), &record("192.0.2.1", Some(3))), "told"),
        (of(v6(), &record("2001:db8::1", Some(3))), "told, IPv6"),
        (tell.take(), "downloads"),
        (PacketBuf::from(&beacon), "beacon"),
    ]
}

#[test]
fn a_relay_passes_what_is_new_unchanged_to_the_others() {
    let mut site = Site::relay(1, Dialect::Full);
    for (via, number) in Kind::ALL.into_iter().zip((0..).step_by(10)) {
        for (number, (packet, sort)) in (number..).zip(every_sort()) {
            let packet = sealed(packet, number);
            site.hear(&packet, via);
            let is_told = ["told", "told, IPv6", "downloads"].contains(&sort);
            let class = if is_told { Class::Tell } else { Class::Live };
            let expected = [(packet.clone(), class, ALL.without(via))];
            assert_eq!(site.sent(), expected, "{sort} by {via:?}");
            for copy in Kind::ALL {
                site.hear(&packet, copy);
            }
            assert_eq!(site.sent(), [], "{sort} again");
        }
    }
}

#[test]
fn who_is_no_relay_passes_nothing() {
    let mut site = Site::new(1, settings(Dialect::Full));
    for (number, (packet, sort)) in (0..).zip(every_sort()) {
        site.hear(&sealed(packet, number), Kind::Group);
        site.wait();
        assert_eq!(site.sent(), [], "{sort}");
    }
}

#[test]
fn what_is_not_taken_is_not_passed() {
    let mut site = Site::relay(1, Dialect::Full);
    let mut packet = of(LiveWriter::sync_live(THEIRS), &record("192.0.2.1", None));
    let (time, number) = (UNIX, 1);
    packet
        .seal(Stamp { time, number }, &Key::derive(&[2; 32]))
        .unwrap();
    site.hear(&packet, Kind::Nats);
    let nothing = PacketBuf::copy_of(&[0; HEADER_LEN]).unwrap();
    site.hear(&nothing, Kind::Unicast);
    site.wait();
    assert_eq!(site.sent(), []);
}

/// Records of a C node reach the other carriers in the relay's own packets.
#[test]
fn what_a_c_node_tells_goes_on_in_the_relays_name() {
    let mut site = Site::relay(7, Dialect::CDual);
    let packet = of(LiveWriter::sync_live6(THEIRS), &record("192.0.2.1", None));
    site.hear(&packet, Kind::Group);
    assert_eq!(site.applied(), 1);
    assert_eq!(site.sent(), [], "it waits for its packet to fill");
    site.wait();
    let [(packet, class, to)] = &site.sent()[..] else {
        panic!("not one packet");
    };
    assert_eq!((*class, *to), (Class::Live, ALL.without(Kind::Group)));
    let sealed = SealedPacket::split(packet.as_bytes()).unwrap();
    assert!(sealed.fits(&key()));
    assert_eq!(sealed.sender(), TrackerId::new([7; 4]));
    let Ok(Packet::SyncLive6(live)) = Packet::decode(sealed.packet()) else {
        panic!("{packet:?}");
    };
    assert!(live.records().eq([record("192.0.2.1", None)]));
}

#[test]
fn a_relay_that_stops_tells_what_c_nodes_have_told_it() {
    let mut site = Site::relay(1, Dialect::Full);
    for (writer, ip) in [
        (LiveWriter::sync_live(THEIRS), "192.0.2.1"),
        (LiveWriter::sync_live6(THEIRS), "2001:db8::1"),
    ] {
        site.hear(&of(writer, &record(ip, None)), Kind::Group);
    }
    assert_eq!(site.sent(), []);
    site.instance.flush();
    let to: Vec<_> = site.sent().into_iter().map(|(_, _, to)| to).collect();
    assert_eq!(to, [ALL.without(Kind::Group); 2]);
    site.wait();
    assert_eq!(site.sent(), []);
}

#[test]
fn a_2010_node_behind_a_relay_never_sees_types_1_and_3() {
    let mut site = Site::relay(1, Dialect::CV4);
    for (via, number) in [(Kind::Unicast, 0), (Kind::Nats, 10)] {
        for (number, (packet, sort)) in (number..).zip(every_sort()) {
            site.hear(&sealed(packet, number), via);
            for (_, _, to) in site.sent() {
                assert_eq!(to.has(Kind::Group), sort == "live", "{sort}");
            }
        }
    }
    // Nor what the relay says by itself: its beacon and its tell go to the others alone.
    let beacon_at = settings(Dialect::CV4).scrape_sync.first_beacon_delay;
    site.instance.handle_timeout(site.start + 2 * beacon_at);
    let said = site.sent();
    assert!(!said.is_empty());
    assert!(said.iter().all(|(_, _, to)| !to.has(Kind::Group)));
    // What its workers tell does go there, readable without the seal.
    let told = of(LiveWriter::sync_live(THEIRS), &record("192.0.2.1", None));
    let Output::Send { packet, to, .. } = site.instance.tell(told);
    assert_eq!(to, ALL);
    let read = Packet::decode(packet.as_bytes());
    let Ok(Packet::SyncLive(live)) = read else {
        panic!("{read:?}");
    };
    assert_eq!(live.records().len(), 1);
    assert!(packet.as_bytes().len() < HEADER_LEN + 2 * SyncLive::RECORD_LEN);
}

/// Whatever goes out on the shared carriers of relays comes by each at all others, again and again
/// until nothing is left to send.
fn settle(sites: &mut [Site]) -> usize {
    let mut sends = 0;
    loop {
        let mut on_their_way = Vec::new();
        for (number, site) in sites.iter_mut().enumerate() {
            site.wait();
            on_their_way.extend(site.sent().into_iter().map(|sent| (number, sent)));
        }
        if on_their_way.is_empty() {
            return sends;
        }
        sends += on_their_way.len();
        assert!(sends < 1000, "it does not end");
        for (from, (packet, _, to)) in on_their_way {
            for (number, site) in sites.iter_mut().enumerate() {
                let by = Kind::ALL.into_iter().filter(|kind| to.has(*kind));
                by.filter(|_| number != from)
                    .for_each(|kind| site.hear(&packet, kind));
            }
        }
    }
}

#[test]
fn two_relays_on_a_c_lan_end() {
    let mut sites = [1, 2].map(|number| Site::relay(number, Dialect::CDual));
    let packet = of(LiveWriter::sync_live6(THEIRS), &record("192.0.2.1", None));
    sites
        .iter_mut()
        .for_each(|site| site.hear(&packet, Kind::Group));
    // Each tells it, and passes what the other has told to the LAN.
    assert_eq!(settle(&mut sites), 4);
}

#[test]
fn a_ring_of_relays_makes_no_loop() {
    let mut sites = [1, 2, 3, 4].map(|number| Site::relay(number, Dialect::Full));
    let packets = every_sort();
    let sorts = packets.len();
    for (number, (packet, _)) in (0..).zip(packets) {
        sites[0].hear(&sealed(packet, number), Kind::Nats);
    }
    // Each passes each once.
    assert_eq!(settle(&mut sites), 4 * sorts);
}
