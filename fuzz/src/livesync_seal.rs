use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker};
use opentracker_livesync::{
    Counter, Instance, Key, Keys, Kind, Kinds, MAX_CLOCK_DIFFERENCE_SECS, Output, Settings, Source,
    WINDOW,
};
use opentracker_livesync_wire::{
    LiveRecord, LiveWriter, MAX_SEALED_PACKET, PacketBuf, SealedPacket, Stamp,
};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::input::Input;

const OURS: TrackerId = TrackerId::new([9; 4]);
const UNIX: u32 = 1_764_080_000;

/// A relay in a cluster that seals: it takes each packet of a member once, in time, whatever way it
/// comes, and passes it on unchanged by the others; of what is not sealed it takes nothing but what C
/// nodes may say.
pub fn livesync_seal(octets: &[u8]) {
    let mut input = Input::new(octets);
    let mut site = Site::new();
    while site.call(&mut input).is_some() {}
}

/// The numbers of a member that were taken.
#[derive(Default)]
struct Numbers {
    greatest: Option<u32>,
    taken: BTreeSet<u32>,
}

struct Site {
    tracker: Arc<Tracker>,
    instance: Instance,
    key: Key,
    now: Instant,
    members: BTreeMap<u8, Numbers>,
}

impl Site {
    fn new() -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(1);
        let tracker = Arc::new(Tracker::with_parts(2, Rules::default(), now, &mut rng));
        let key = Key::derive(&[1; 32]);
        let carriers = Kind::ALL.into_iter().fold(Kinds::NONE, Kinds::with);
        let settings = Settings::default()
            .sealed()
            .with_carriers(carriers)
            .relaying();
        let keys = Some(Arc::new(Keys::new(key.clone())));
        let mut instance = Instance::new(Arc::clone(&tracker), OURS, &settings, keys, rng, now);
        instance.handle_clock(UNIX.into());
        Self {
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
                let [via, member, high, far] = input.array()?;
                let near = u32::from(input.number()?);
                let late = u32::from(input.number()?);
                let number = (u32::from(high) << 24)
                    .wrapping_add(u32::from(far) << 12)
                    .wrapping_add(near);
                self.hear_member(via, member % 8, number, late);
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
        self.sent(|_, packet| assert_ne!(packet.sender(), TrackerId::new([1; 4])));
    }

    fn hear_member(&mut self, via: u8, member: u8, number: u32, late: u32) {
        let source = source(via);
        let time = UNIX.wrapping_sub(late % 600).wrapping_add(300);
        let packet = self.packet(member, Stamp { time, number });
        let numbers = self.members.entry(member).or_default();
        let is_in_time = time.abs_diff(UNIX) <= MAX_CLOCK_DIFFERENCE_SECS;
        let is_new = is_in_time && numbers.take(number);
        let before = self.counted(Counter::AnnouncesApplied);
        self.instance
            .handle_packet(packet.as_bytes(), source, self.now);
        let applied = self.counted(Counter::AnnouncesApplied) - before;
        assert_eq!(applied, u64::from(is_new), "{member} {number}");
        let mut passed = 0;
        self.sent(|to, sent| {
            if sent.sender() != OURS {
                assert_eq!(sent, SealedPacket::split(packet.as_bytes()).unwrap());
                assert!(!to.has(source.via));
                passed += 1;
            }
        });
        assert_eq!(passed, u64::from(is_new));
    }

    fn packet(&self, member: u8, stamp: Stamp) -> PacketBuf {
        let mut writer = LiveWriter::sync_live(TrackerId::new([0, 0, 1, member]));
        let peer = PeerAddr::new([192, 0, 2, member].into(), 6881);
        let record = LiveRecord::new(InfoHash::new([member; 20]), peer, PeerFlags::SEEDING);
        writer.push(&record).unwrap();
        let mut packet = writer.take();
        packet.seal(stamp, &self.key).unwrap();
        packet
    }

    fn sent(&mut self, mut look: impl FnMut(Kinds, SealedPacket<'_>)) {
        self.instance.handle_timeout(self.now);
        while let Some(Output::Send { packet, to, .. }) = self.instance.poll_output() {
            assert!(packet.as_bytes().len() <= MAX_SEALED_PACKET);
            let sealed = SealedPacket::split(packet.as_bytes()).unwrap();
            assert!(sealed.fits(&self.key));
            look(to, sealed);
        }
    }
}

impl Numbers {
    /// Takes a number, unless it was taken or is too far behind.
    fn take(&mut self, number: u32) -> bool {
        let greatest = *self.greatest.get_or_insert(number);
        let behind = greatest.wrapping_sub(number);
        let is_ahead = behind > u32::MAX / 2;
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
