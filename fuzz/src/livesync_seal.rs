use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker};
use opentracker_livesync::{
    Class, Counter, Dialect, Instance, Key, Keys, Kind, Kinds, MAX_CLOCK_DIFFERENCE_SECS, Output,
    Settings, Source, WINDOW,
};
use opentracker_livesync_wire::{
    Beacon, Inquire, LiveRecord, LiveWriter, MAX_SEALED_PACKET, Packet, PacketBuf, PeerAge,
    ScrapeTellWriter, SealedPacket, Stamp, TellRecord,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::input::Input;

const OURS: TrackerId = TrackerId::new([9; 4]);
const UNIX: u32 = 1_764_080_000;

/// A relay in a cluster that seals: it takes each packet of a member once, in time, whatever carrier it
/// comes by, and passes it on unchanged by the others; of what is not sealed it takes nothing but what C
/// nodes may say, and a group of theirs hears nothing but live packets.
pub fn livesync_seal(octets: &[u8]) {
    let mut input = Input::new(octets);
    let dialects = [Dialect::Full, Dialect::CV4, Dialect::CDual];
    let dialect = dialects[usize::from(input.octet().unwrap_or_default()) % dialects.len()];
    let mut site = Site::new(dialect);
    while site.call(&mut input).is_some() {}
}

/// The numbers of a member that were taken.
#[derive(Default)]
struct Numbers {
    greatest: Option<u32>,
    taken: BTreeSet<u32>,
}

struct Site {
    dialect: Dialect,
    tracker: Arc<Tracker>,
    instance: Instance,
    key: Key,
    now: Instant,
    members: BTreeMap<u8, Numbers>,
}

impl Site {
    fn new(dialect: Dialect) -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(1);
        let tracker = Arc::new(Tracker::with_parts(2, Rules::default(), now, &mut rng));
        let key = Key::derive(&[1; 32]);
        let carriers = Kind::ALL.into_iter().fold(Kinds::NONE, Kinds::with);
        let mut settings = Settings::default()
            .sealed()
            .with_carriers(carriers)
            .relaying();
        settings.peer_sync.dialect = dialect;
        let keys = Some(Arc::new(Keys::new(key.clone())));
        let mut instance = Instance::new(Arc::clone(&tracker), OURS, &settings, keys, rng, now);
        instance.handle_clock(UNIX.into());
        Self {
            dialect,
            tracker,
            instance,
            key,
            now,
            members: BTreeMap::new(),
        }
    }

    fn call(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.octet()? % 4 {
            0 => {
                let [via, octets] = input.array()?;
                self.hear_anything(input.octets(octets.into()), via);
            }
            1 => self.now += Duration::from_millis(input.number()?.into()),
            _ => {
                let [via, kind_of_member, high, far] = input.array()?;
                let near = u32::from(input.number()?);
                let late = u32::from(input.number()?);
                let number = (u32::from(high) << 24)
                    .wrapping_add(u32::from(far) << 12)
                    .wrapping_add(near);
                let (member, kind) = (kind_of_member % 8, kind_of_member >> 3);
                let time = UNIX.wrapping_sub(late % 600).wrapping_add(300);
                let packet = self.packet(member, kind, Stamp { time, number });
                match kind & 0x10 {
                    0 => self.hear_member(via, member, time, number, &packet),
                    _ => self.hear_altered(via, packet.as_bytes(), near, late),
                }
            }
        }
        Some(())
    }

    fn counted(&self, counter: Counter) -> u64 {
        self.tracker.counters().sum(counter)
    }

    /// What nobody has sealed is applied if it is announces of the group, and never passed as it is.
    fn hear_anything(&mut self, octets: &[u8], via: u8) {
        let source = source(via);
        let before = self.counted(Counter::AnnouncesApplied);
        self.instance.handle_packet(octets, source, self.now);
        let is_applied = self.counted(Counter::AnnouncesApplied) > before;
        assert!(!is_applied || source.may_be_unsealed);
        assert_eq!(self.pass_on(None), 0);
    }

    /// A member's packet with a wrong octet is nobody's.
    fn hear_altered(&mut self, via: u8, packet: &[u8], near: u32, late: u32) {
        let mut altered = packet.to_vec();
        let at = near as usize % altered.len();
        altered[at] ^= 1 << (late % 8);
        self.hear_anything(&altered, via);
    }

    fn hear_member(&mut self, via: u8, member: u8, time: u32, number: u32, packet: &PacketBuf) {
        let source = source(via);
        let numbers = self.members.entry(member).or_default();
        let is_in_time = time.abs_diff(UNIX) <= MAX_CLOCK_DIFFERENCE_SECS;
        let is_new = is_in_time && numbers.take(number);
        let taken = |site: &Self| {
            let counters = [
                Counter::AnnouncesApplied,
                Counter::PeersApplied,
                Counter::PeerKnown,
                Counter::DownloadsApplied,
            ];
            counters.map(|of| site.counted(of)).iter().sum::<u64>()
        };
        let before = taken(self);
        self.instance
            .handle_packet(packet.as_bytes(), source, self.now);
        let sealed = SealedPacket::split(packet.as_bytes()).unwrap();
        let has_record = !matches!(decoded(sealed), Packet::Beacon(_) | Packet::Inquire(_));
        let taken = taken(self) - before;
        assert_eq!(taken, u64::from(is_new && has_record), "{member} {number}");
        let passed = self.pass_on(Some((source.via, sealed)));
        assert_eq!(passed, u64::from(is_new), "{member} {number}");
    }

    fn packet(&self, member: u8, kind: u8, stamp: Stamp) -> PacketBuf {
        let sender = TrackerId::new([0, 0, 1, member]);
        let info_hash = InfoHash::new([member; 20]);
        let mut peer = PeerAddr::new([192, 0, 2, member].into(), 6881);
        let mut writer = LiveWriter::sync_live(sender);
        if kind % 8 == 1 {
            peer = PeerAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 6881);
            writer = LiveWriter::sync_live6(sender);
        }
        let mut record = LiveRecord::new(info_hash, peer, PeerFlags::SEEDING);
        let mut packet = match kind % 8 {
            3 => {
                let mut writer = ScrapeTellWriter::new(sender);
                writer.push(&TellRecord::new(info_hash, 1, 2)).unwrap();
                writer.take()
            }
            4 => PacketBuf::from(&Beacon {
                sender,
                torrents: 9,
            }),
            5 => PacketBuf::from(&Inquire {
                sender,
                target: OURS,
            }),
            other => {
                if other == 2 {
                    record = record.with_age(PeerAge::from_minutes(1).unwrap());
                }
                writer.push(&record).unwrap();
                writer.take()
            }
        };
        packet.seal(stamp, &self.key).unwrap();
        packet
    }

    /// Takes what is sent, and counts the packets of others: those are `heard`, as it was.
    fn pass_on(&mut self, heard: Option<(Kind, SealedPacket<'_>)>) -> u64 {
        let mut passed = 0;
        self.instance.handle_timeout(self.now);
        while let Some(Output::Send { packet, class, to }) = self.instance.poll_output() {
            assert!(packet.as_bytes().len() <= MAX_SEALED_PACKET);
            let sealed = SealedPacket::split(packet.as_bytes()).unwrap();
            assert!(sealed.fits(&self.key));
            let packet = decoded(sealed);
            let is_for_group = self.is_for_group(&packet);
            assert_eq!(class == Class::Tell, is_told(&packet));
            let mut expected = Kind::ALL.into_iter().fold(Kinds::NONE, Kinds::with);
            if sealed.sender() != OURS {
                let (via, heard) = heard.unwrap();
                assert_eq!(sealed, heard);
                expected = expected.without(via);
                passed += 1;
            } else if is_live(&packet) {
                // No client announces here, so a C node has told it, in the group.
                expected = expected.without(Kind::Group);
            }
            if !is_for_group {
                expected = expected.without(Kind::Group);
            }
            assert_eq!(to, expected);
        }
        passed
    }

    /// Tells whether a group of the dialect may hear a packet.
    fn is_for_group(&self, packet: &Packet<'_>) -> bool {
        match self.dialect {
            Dialect::Full => true,
            Dialect::CV4 => is_live(packet) && matches!(packet, Packet::SyncLive(_)),
            Dialect::CDual => is_live(packet),
        }
    }
}

fn decoded(sealed: SealedPacket<'_>) -> Packet<'_> {
    Packet::decode(sealed.packet()).unwrap()
}

fn is_live(packet: &Packet<'_>) -> bool {
    matches!(packet, Packet::SyncLive(_) | Packet::SyncLive6(_)) && !is_told(packet)
}

fn is_told(packet: &Packet<'_>) -> bool {
    match packet {
        Packet::SyncLive(live) => live.records().any(|record| record.age.is_some()),
        Packet::SyncLive6(live) => live.records().any(|record| record.age.is_some()),
        Packet::ScrapeTell(_) => true,
        Packet::Beacon(_) | Packet::Inquire(_) => false,
    }
}

impl Numbers {
    /// Takes a number, unless it was taken or is too far behind.
    fn take(&mut self, number: u32) -> bool {
        let greatest = *self.greatest.get_or_insert(number);
        let behind = greatest.wrapping_sub(number);
        // What is just as far ahead as behind is behind.
        let is_ahead = behind > 1 << 31;
        if is_ahead {
            self.greatest = Some(number);
            // What has left the window may never come back as new.
            let is_in = |taken: &u32| number.wrapping_sub(*taken) < WINDOW;
            self.taken.retain(is_in);
        }
        (is_ahead || behind < WINDOW) && self.taken.insert(number)
    }
}

fn source(via: u8) -> Source {
    let kind = Kind::ALL[usize::from(via) % Kind::ALL.len()];
    let address = SocketAddr::from(([10, 0, 0, 2], 9696));
    let mut source = Source::new(kind, (kind != Kind::Nats).then_some(address));
    source.may_be_unsealed = kind == Kind::Group && via >= 0x80;
    source
}
