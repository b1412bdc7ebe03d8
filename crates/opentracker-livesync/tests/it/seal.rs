//! The named rules of docs/livesync.md, Seal, each from outside of an instance.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker};
use opentracker_livesync::{
    Counter, FORMER_ID_LIFETIME, Instance, Key, Keys, Kind, MAX_CLOCK_DIFFERENCE_SECS, MAX_MEMBERS,
    MAX_PACKETS_PER_SECOND, Output, RENEWAL_INTERVAL, SIBLING_LIFETIME, Settings, Source, WINDOW,
};
use opentracker_livesync_wire::{
    Beacon, HEADER_LEN, Inquire, LiveRecord, LiveWriter, MAX_SEALABLE_PACKET, PacketBuf, PeerAge,
    SEAL_LEN, ScrapeTellWriter, SealedPacket, Stamp, TellRecord,
};
use opentracker_scrape_sync::Inquiry;
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

const OURS: TrackerId = TrackerId::new(*b"ours");
const THEIRS: TrackerId = TrackerId::new(*b"them");
const UNIX: u32 = 1_764_080_000;
const SECOND: Duration = Duration::from_secs(1);
const NEVER: &str = "nothing of it is taken";

/// An instance in a cluster with a secret.
struct Site {
    tracker: Arc<Tracker>,
    instance: Instance,
    start: Instant,
}

impl Site {
    fn new(keys: &[u8]) -> Self {
        Self::named(OURS, keys, 1)
    }

    fn named(id: TrackerId, keys: &[u8], seed: u64) -> Self {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(seed);
        let tracker = Arc::new(Tracker::with_parts(8, Rules::default(), start, &mut rng));
        let settings = Settings::default().sealed();
        let keys = Some(file(keys));
        let mut instance = Instance::new(Arc::clone(&tracker), id, &settings, keys, rng, start);
        instance.handle_clock(UNIX.into());
        Self {
            tracker,
            instance,
            start,
        }
    }

    /// Makes a packet of a worker ready to be sent.
    fn tell(&mut self, packet: PacketBuf) -> PacketBuf {
        let Output::Send { packet, .. } = self.instance.tell(packet);
        packet
    }

    fn counted(&self, counter: Counter) -> u64 {
        self.tracker.counters().sum(counter)
    }

    fn applied(&self) -> u64 {
        self.counted(Counter::AnnouncesApplied)
    }

    fn hear(&mut self, packet: &PacketBuf) {
        self.hear_at(packet, self.start);
    }

    fn hear_at(&mut self, packet: &PacketBuf, now: Instant) {
        self.instance.handle_packet(packet.as_bytes(), from(2), now);
    }

    /// Takes a packet of the group, which C nodes may send without a seal.
    fn hear_on_the_group(&mut self, packet: &PacketBuf) {
        let mut source = from(3);
        source.may_be_unsealed = true;
        self.instance
            .handle_packet(packet.as_bytes(), source, self.start);
    }
}

fn key(secret: u8) -> Key {
    Key::derive(&[secret; 32])
}

/// The keys of a file with these secrets in it.
fn file(secrets: &[u8]) -> Arc<Keys> {
    let lines = secrets
        .iter()
        .map(|secret| format!("{secret:02x}").repeat(32) + "\n");
    Arc::new(Keys::parse(&lines.collect::<String>()).unwrap())
}

fn from(host: u8) -> Source {
    Source::group(SocketAddr::from(([10, 0, 0, host], 9696)))
}

/// An announce without a seal, of a peer of its own.
fn announce(sender: TrackerId, peer: u32) -> PacketBuf {
    let [_, a, b, c] = peer.to_be_bytes();
    let peer = PeerAddr::new([20, a, b, c].into(), 6881);
    let record = LiveRecord::new(InfoHash::new([1; 20]), peer, PeerFlags::SEEDING);
    let mut writer = LiveWriter::sync_live(sender);
    writer.push(&record).unwrap();
    writer.take()
}

fn sealed(mut packet: PacketBuf, secret: u8, time: u32, number: u32) -> PacketBuf {
    packet.seal(Stamp { time, number }, &key(secret)).unwrap();
    packet
}

fn theirs(number: u32) -> PacketBuf {
    sealed(announce(THEIRS, number), 1, UNIX, number)
}

fn beacon_of(sender: TrackerId) -> PacketBuf {
    let torrents = u64::MAX;
    PacketBuf::from(&Beacon { sender, torrents })
}

#[test]
fn the_number_wraps_and_the_sender_is_still_heard() {
    let mut site = Site::new(&[1]);
    for number in (0..10).map(|step| (u32::MAX - 4).wrapping_add(step)) {
        site.hear(&theirs(number));
    }
    assert_eq!(site.applied(), 10);
    site.hear(&theirs(2));
    assert_eq!(site.counted(Counter::Duplicate), 1);
    // Half of all numbers are behind.
    site.hear(&theirs(4 + (1 << 31)));
    site.hear(&theirs(4_u32.wrapping_sub(WINDOW)));
    assert_eq!((site.applied(), site.counted(Counter::Behind)), (10, 2));
    site.hear(&theirs(4_u32.wrapping_sub(WINDOW - 1)));
    site.hear(&theirs(4 + (1 << 31) - 1));
    assert_eq!((site.applied(), site.counted(Counter::Behind)), (12, 2));
}

#[test]
fn a_copy_200_ms_later_makes_good_a_loss_at_24000_packets_a_second() {
    let mut site = Site::new(&[1]);
    let late = 24_000 / 5;
    let packets: Vec<_> = (0..12_000).map(theirs).collect();
    for number in 0..packets.len() + late {
        let now = site.start + SECOND * u32::try_from(number).unwrap() / 24_000;
        // A carrier that loses every seventh packet, and one that is late.
        if number < packets.len() && number % 7 != 0 {
            site.hear_at(&packets[number], now);
        }
        if let Some(copy) = number.checked_sub(late).map(|number| &packets[number]) {
            site.hear_at(copy, now);
        }
    }
    assert_eq!(site.applied(), 12_000);
    assert_eq!(
        site.counted(Counter::Duplicate),
        12_000 - 12_000_u64.div_ceil(7)
    );
}

#[test]
fn my_own_packet_through_a_relay_changes_nothing() {
    let mut site = Site::new(&[1]);
    for peer in 0..3 {
        let packet = site.tell(announce(THEIRS, peer));
        site.hear(&packet);
    }
    assert_eq!(site.counted(Counter::Own), 3);
    assert_eq!(site.counted(Counter::IdClash), 0);
    assert_eq!(site.applied(), 0, "{NEVER}");
    assert_eq!(site.instance.id(), OURS);
}

#[test]
fn another_with_my_id_makes_me_draw_one_new_id() {
    let mut site = Site::new(&[1]);
    let start = site.start;
    let ours = site.tell(announce(OURS, 1));
    let number = SealedPacket::split(ours.as_bytes()).unwrap().stamp().number;
    let of = |id, number| sealed(announce(id, 1), 1, UNIX, number);
    for ahead in 1..4 {
        site.hear(&of(OURS, number.wrapping_add(ahead)));
    }
    let fresh = site.instance.id();
    assert_ne!(fresh, OURS);
    assert_eq!(site.counted(Counter::IdClash), 3);

    // Numbers go on, and the old id is ours for ten minutes.
    let next = site.tell(announce(OURS, 1));
    let next = SealedPacket::split(next.as_bytes()).unwrap();
    assert_eq!(next.sender(), fresh);
    assert_eq!(next.stamp().number, number.wrapping_add(1));
    site.hear(&ours);
    assert_eq!(site.counted(Counter::Own), 1);

    // Whoever follows us into every id makes us draw one a minute and no more.
    let clash = of(fresh, number.wrapping_sub(1));
    site.hear_at(&clash, start + RENEWAL_INTERVAL / 2);
    assert_eq!(site.instance.id(), fresh);
    site.hear_at(&clash, start + RENEWAL_INTERVAL);
    assert_ne!(site.instance.id(), fresh);
    assert_eq!(site.applied(), 0, "{NEVER}");
    site.hear_at(&of(OURS, 7), start + FORMER_ID_LIFETIME);
    assert_eq!(site.applied(), 1, "after ten minutes it is anybody's");
}

#[test]
fn thirty_islands_behind_one_relay_have_thirty_budgets() {
    let mut site = Site::new(&[1]);
    let most = MAX_PACKETS_PER_SECOND;
    let id = |island: u8| TrackerId::new([island; 4]);
    for number in 0..=most {
        site.hear(&sealed(beacon_of(id(1)), 1, UNIX, number));
    }
    assert_eq!(site.counted(Counter::Rate), 1);
    for island in 2..=30 {
        site.hear(&sealed(announce(id(island), island.into()), 1, UNIX, 0));
    }
    assert_eq!((site.applied(), site.counted(Counter::Rate)), (29, 1));
    // A packet beyond the rate is not noted as seen.
    let copy = sealed(beacon_of(id(1)), 1, UNIX, most);
    site.hear_at(&copy, site.start + SECOND);
    assert_eq!(site.counted(Counter::Duplicate), 0);
}

#[test]
fn an_unsealed_beacon_with_a_members_id_touches_nobody() {
    let mut site = Site::new(&[1]);
    site.hear(&theirs(1));
    let before = site.instance.view(Vec::new(), site.start);
    site.hear(&beacon_of(THEIRS));
    assert_eq!(site.counted(Counter::Seal), 1);
    site.hear_on_the_group(&beacon_of(THEIRS));
    let (sender, target) = (THEIRS, OURS);
    site.hear_on_the_group(&PacketBuf::from(&Inquire { sender, target }));
    assert_eq!(site.counted(Counter::UnsealedType), 2);
    assert_eq!(site.instance.view(Vec::new(), site.start), before);
    assert_eq!(site.instance.inquiry(), Inquiry::NotNeeded);
    assert_eq!(site.instance.poll_output(), None);
}

#[test]
fn c_nodes_are_heard_where_they_may_be_and_say_no_more_than_who_announced() {
    let mut site = Site::new(&[1]);
    site.hear(&theirs(1));
    // With a member's id, and with ours.
    for (sender, peer) in [(THEIRS, 2), (OURS, 3)] {
        site.hear(&announce(sender, peer));
        site.hear_on_the_group(&announce(sender, peer));
    }
    assert_eq!((site.applied(), site.counted(Counter::Seal)), (3, 2));
    assert_eq!(site.instance.id(), OURS);
    let mut told = LiveWriter::sync_live(THEIRS);
    let peer = PeerAddr::new([20, 1, 1, 1].into(), 6881);
    let record = LiveRecord::new(InfoHash::new([1; 20]), peer, PeerFlags::SEEDING);
    told.push(&record.with_age(PeerAge::from_minutes(3).unwrap()))
        .unwrap();
    site.hear_on_the_group(&told.take());
    assert_eq!((site.applied(), site.counted(Counter::UnsealedAge)), (3, 1));
    // They are limited by where they send from, whatever ids they use.
    for number in 0..MAX_PACKETS_PER_SECOND {
        site.hear_on_the_group(&announce(TrackerId::new(number.to_be_bytes()), number));
    }
    assert_eq!(site.counted(Counter::Rate), 3);
    site.hear(&theirs(2));
    assert_eq!(site.counted(Counter::Rate), 3, "a member is not");
}

#[test]
fn a_full_roster_refuses_and_forgets_no_window() {
    let mut site = Site::new(&[1]);
    let start = site.start;
    let of = |member: u32, number| {
        let id = TrackerId::new(member.to_be_bytes());
        sealed(announce(id, member), 1, UNIX, number)
    };
    let most = u32::try_from(MAX_MEMBERS).unwrap();
    for member in 0..most {
        site.hear_at(&of(member, 7), start + Duration::from_millis(member.into()));
    }
    let last_in_time = start + SIBLING_LIFETIME - Duration::from_millis(1);
    site.hear_at(&of(most, 7), last_in_time);
    assert_eq!(site.counted(Counter::RosterFull), 1);
    for member in 0..most {
        site.hear_at(&of(member, 7), last_in_time);
    }
    assert_eq!(site.counted(Counter::Duplicate), u64::from(most));
    site.hear_at(&of(most, 7), start + SIBLING_LIFETIME);
    assert_eq!(
        site.applied(),
        u64::from(most) + 1,
        "one was silent for a lifetime"
    );
}

#[test]
fn a_stranger_uses_up_nothing_of_a_members() {
    let mut site = Site::new(&[1]);
    site.hear(&theirs(1));
    for number in 2..=2 * MAX_PACKETS_PER_SECOND {
        // Sealed with another key, from the member's address, with its id and the next numbers.
        site.hear(&sealed(announce(THEIRS, number), 2, UNIX, number));
    }
    assert_eq!(
        site.counted(Counter::Seal),
        u64::from(2 * MAX_PACKETS_PER_SECOND - 1)
    );
    site.hear(&theirs(2));
    assert_eq!(site.applied(), 2);
    assert_eq!(site.instance.view(Vec::new(), site.start).siblings.len(), 1);
}

#[test]
fn what_is_too_old_or_of_a_wrong_clock_is_dropped() {
    let mut site = Site::new(&[1]);
    let most = MAX_CLOCK_DIFFERENCE_SECS;
    for (number, time) in [(1, UNIX - most), (2, UNIX + most)] {
        site.hear(&sealed(announce(THEIRS, number), 1, time, number));
    }
    assert_eq!(site.applied(), 2);
    for (number, time) in [(3, UNIX - most - 1), (4, UNIX + most + 1), (5, 0)] {
        site.hear(&sealed(announce(THEIRS, number), 1, time, number));
    }
    assert_eq!((site.applied(), site.counted(Counter::Time)), (2, 3));
    let [sibling] = &site.instance.view(Vec::new(), site.start).siblings[..] else {
        panic!("one is there");
    };
    let seal = sibling.seal.unwrap();
    assert_eq!(seal.clock_ahead_secs, most.cast_signed());
    assert_eq!(seal.key, key(1).name());
    // What comes again within that is known by its number.
    site.hear(&sealed(announce(THEIRS, 1), 1, UNIX - most, 1));
    assert_eq!(site.counted(Counter::Duplicate), 1);
}

#[test]
fn nothing_but_a_counter_changes_for_a_sealed_packet_that_is_none() {
    let mut site = Site::new(&[1]);
    let garbage = PacketBuf::from(&Inquire {
        sender: THEIRS,
        target: OURS,
    });
    // An INQUIRE that takes the seal for a part of its body, and a seal around nothing.
    let mut octets = garbage.as_bytes()[..HEADER_LEN].to_vec();
    let stamp = [UNIX.to_be_bytes(), 5_u32.to_be_bytes()].concat();
    octets.extend(stamp);
    let tag = key(1).tag(&octets);
    octets.extend(tag);
    site.instance.handle_packet(&octets, from(2), site.start);
    assert_eq!(site.counted(Counter::Length), 1);
    assert_eq!(site.instance.view(Vec::new(), site.start).siblings, []);
    site.hear(&theirs(5));
    assert_eq!(site.applied(), 1, "the number is not used up");
    for len in 0..octets.len() {
        site.instance
            .handle_packet(&octets[..len], from(2), site.start);
    }
    assert_eq!(site.counted(Counter::Seal), octets.len() as u64);
}

/// Each node of a cluster does each of the three steps in turn, in every order of the nodes (of
/// many: in some); after each step of each, everybody hears everybody.
#[test]
fn each_of_the_three_steps_half_done_loses_no_packet() {
    for nodes in 2..=8_u8 {
        for order in orders(nodes) {
            let name = |node: u8| TrackerId::new([node; 4]);
            let mut sites: Vec<_> = (0..nodes)
                .map(|node| Site::named(name(node + 1), &[1], node.into()))
                .collect();
            for step in [&[1, 2][..], &[2, 1], &[2]] {
                for &node in &order {
                    sites[node].instance.set_keys(file(step));
                    everybody_hears_everybody(&mut sites);
                }
            }
        }
    }
}

fn everybody_hears_everybody(sites: &mut [Site]) {
    for sender in 0..sites.len() {
        let packet = sites[sender].tell(announce(OURS, 1));
        for (number, site) in sites.iter_mut().enumerate() {
            let before = site.applied();
            site.hear(&packet);
            assert_eq!(site.applied() - before, u64::from(number != sender));
            assert_eq!(site.counted(Counter::Seal), 0);
        }
    }
}

/// All orders of up to four, and of more some that are far from each other.
fn orders(nodes: u8) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..nodes.into()).collect();
    if nodes > 4 {
        let rotated = |by| {
            let mut order = all.clone();
            order.rotate_left(by);
            order
        };
        let backwards = all.iter().rev().copied().collect();
        return (0..all.len()).map(rotated).chain([backwards]).collect();
    }
    let mut orders = vec![Vec::new()];
    for _ in &all {
        let longer = |order: &Vec<usize>| {
            let rest = all.iter().filter(|node| !order.contains(node));
            rest.map(|&node| [&order[..], &[node]].concat())
                .collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

#[test]
fn a_sealed_packet_of_any_type_fits_1280() {
    let mut site = Site::new(&[1]);
    let mut live = LiveWriter::sync_live(OURS).with_max_octets(MAX_SEALABLE_PACKET);
    let mut live6 = LiveWriter::sync_live6(OURS).with_max_octets(MAX_SEALABLE_PACKET);
    let mut tell = ScrapeTellWriter::new(OURS).with_max_octets(MAX_SEALABLE_PACKET);
    let record = |ip: &str| {
        let peer = PeerAddr::new(ip.parse().unwrap(), 6881);
        LiveRecord::new(InfoHash::new([1; 20]), peer, PeerFlags::SEEDING)
    };
    while live.push(&record("192.0.2.1")).is_ok() {}
    while live6.push(&record("2001:db8::1")).is_ok() {}
    while tell
        .push(&TellRecord::new(InfoHash::new([1; 20]), 0, 1))
        .is_ok()
    {}
    let (sender, target) = (OURS, THEIRS);
    let packets = [
        (live.take(), 8 + 42 * 28),
        (live6.take(), 8 + 30 * 40),
        (tell.take(), 8 + 37 * 32),
        (PacketBuf::from(&Inquire { sender, target }), 12),
        (beacon_of(OURS), 16),
    ];
    for (packet, octets) in packets {
        assert_eq!(packet.as_bytes().len(), octets);
        let sealed = site.tell(packet);
        assert_eq!(sealed.as_bytes().len(), octets + SEAL_LEN);
        assert!(sealed.as_bytes().len() + 8 + 40 <= 1280);
    }
}

#[test]
fn what_an_instance_says_by_itself_is_sealed() {
    let mut site = Site::new(&[1]);
    site.hear(&theirs(1));
    let (sender, target) = (THEIRS, OURS);
    let inquire = PacketBuf::from(&Inquire { sender, target });
    site.hear(&sealed(inquire, 1, UNIX, 2));
    let mut numbers = Vec::new();
    let beacon_at = site.start + Settings::default().scrape_sync.first_beacon_delay;
    for now in [site.start, beacon_at] {
        site.instance.handle_timeout(now);
        while let Some(Output::Send { packet, .. }) = site.instance.poll_output() {
            let packet = SealedPacket::split(packet.as_bytes()).unwrap();
            assert!(packet.fits(&key(1)));
            assert_eq!((packet.sender(), packet.stamp().time), (OURS, UNIX));
            numbers.push(packet.stamp().number);
        }
    }
    assert!(numbers.len() >= 2, "a tell and a beacon");
    assert!(
        numbers
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1))
    );
}

#[test]
fn the_view_shows_by_which_carriers_a_member_is_heard_and_how_late() {
    let mut site = Site::new(&[1]);
    let (start, milli) = (site.start, Duration::from_millis(1));
    let hear = |site: &mut Site, number, via, at| {
        let source = Source::new(via, None);
        let packet = theirs(number);
        site.instance
            .handle_packet(packet.as_bytes(), source, start + at);
    };
    hear(&mut site, 1, Kind::Group, Duration::ZERO);
    hear(&mut site, 1, Kind::Nats, 40 * milli);
    let member = |site: &Site, at| {
        let siblings = site.instance.view(Vec::new(), start + at).siblings;
        let [member] = <[_; 1]>::try_from(siblings).expect("one is there");
        member
    };
    let both = member(&site, SECOND);
    assert!(both.carriers(start + SECOND).eq([Kind::Group, Kind::Nats]));
    assert_eq!(both.lag_by[Kind::Nats as usize], Some(40 * milli));
    assert!(!both.is_split(start + SECOND));
    for (number, at) in (2..).zip((60..=240_u32).step_by(60)) {
        hear(&mut site, number, Kind::Nats, at * SECOND);
    }
    let split = member(&site, 240 * SECOND);
    assert!(split.is_split(start + 240 * SECOND));
    hear(&mut site, 9, Kind::Group, 241 * SECOND);
    assert!(!member(&site, 242 * SECOND).is_split(start + 242 * SECOND));
    let view = site.instance.view(Vec::new(), start);
    assert_eq!(view.packets_by_key, [(key(1).name(), 6)]);
}
