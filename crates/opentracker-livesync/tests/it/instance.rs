//! One instance, and what it must or must not be moved by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{AccessLists, MAX_DOWNLOADS, Rules, ToldDownloads, Tracker};
use opentracker_livesync::{
    Class, Counter, Dialect, FORMER_ID_LIFETIME, Instance, MAX_PACKETS_PER_SECOND, Output,
    RENEWAL_INTERVAL, Settings, Source,
};
use opentracker_livesync_wire::{
    Beacon, Inquire, LiveRecord, Packet, ScrapeTellWriter, SyncLiveWriter, TellRecord,
};
use opentracker_scrape_sync::Inquiry;
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

const OURS: TrackerId = TrackerId::new(*b"ours");
const THEIRS: TrackerId = TrackerId::new(*b"them");
const TORRENT: InfoHash = InfoHash::new([1; InfoHash::LEN]);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_nanos(1);

/// An instance by itself.
struct Site {
    tracker: Arc<Tracker>,
    instance: Instance,
    start: Instant,
}

impl Site {
    fn new() -> Self {
        Self::with(&Settings::default())
    }

    fn with(settings: &Settings) -> Self {
        let start = Instant::now();
        let mut rng = StdRng::seed_from_u64(1);
        let tracker = Arc::new(Tracker::with_parts(8, Rules::default(), start, &mut rng));
        let instance = Instance::new(Arc::clone(&tracker), OURS, settings, None, rng, start);
        Self {
            tracker,
            instance,
            start,
        }
    }

    fn counted(&self, counter: Counter) -> u64 {
        self.tracker.counters().sum(counter)
    }

    /// Takes a packet of another host.
    fn hear(&mut self, packet: &[u8], now: Instant) {
        self.instance.handle_packet(packet, from(2), now);
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.instance.poll_output())
            .map(|Output::Send { packet, .. }| packet.as_bytes().to_vec())
            .collect()
    }

    fn torrents(&self) -> u64 {
        self.tracker.totals(self.start + 1000 * SECOND).torrents
    }

    fn downloads(&self) -> Option<u64> {
        let torrent = self.tracker.summary(&TORRENT, self.start);
        torrent.map(|torrent| torrent.counts.downloads)
    }
}

fn from(host: u8) -> Source {
    Source::group(SocketAddr::from(([10, 0, 0, host], 9696)))
}

fn this_host() -> Source {
    let mut source = from(1);
    source.is_this_host = true;
    source
}

fn announce_of(sender: TrackerId) -> Vec<u8> {
    let mut writer = SyncLiveWriter::new(sender);
    let peer = PeerAddr::new([198, 51, 100, 1].into(), 6881);
    let record = LiveRecord::new(TORRENT, peer, PeerFlags::SEEDING);
    writer.push(&record).unwrap();
    writer.take().as_bytes().to_vec()
}

fn tell_of(sender: TrackerId, downloads: u64) -> Vec<u8> {
    let mut writer = ScrapeTellWriter::new(sender);
    writer
        .push(&TellRecord::new(TORRENT, 0, downloads))
        .unwrap();
    writer.take().as_bytes().to_vec()
}

fn is_tell(packet: &[u8]) -> bool {
    matches!(Packet::decode(packet), Ok(Packet::ScrapeTell(_)))
}

fn beacon_of(sender: TrackerId, torrents: u64) -> [u8; 16] {
    Beacon { sender, torrents }.encode()
}

#[test]
fn its_own_packets_change_nothing() {
    let mut site = Site::new();
    let now = site.start;
    let packets = [
        announce_of(OURS),
        tell_of(OURS, 7),
        beacon_of(OURS, 1000).to_vec(),
    ];
    for packet in &packets {
        site.instance.handle_packet(packet, this_host(), now);
    }
    assert_eq!(site.torrents(), 0);
    assert_eq!(site.instance.view(Vec::new(), now).siblings, []);
    assert_eq!(site.instance.inquiry(), Inquiry::NotNeeded);
    assert_eq!(site.counted(Counter::Own), 3);
    assert_eq!(site.counted(Counter::IdClash), 0);
    assert_eq!(site.instance.id(), OURS);
    site.hear(&announce_of(THEIRS), now);
    assert_eq!(site.downloads(), Some(0));
}

#[test]
fn another_with_my_id_makes_me_draw_one_new_id() {
    let mut site = Site::new();
    let start = site.start;
    for _ in 0..3 {
        site.hear(&announce_of(OURS), start);
    }
    let fresh = site.instance.id();
    assert_ne!(fresh, OURS);
    assert_eq!(site.counted(Counter::IdClash), 1);
    assert_eq!(site.counted(Counter::Own), 2, "the old id is ours too");
    assert_eq!(site.torrents(), 0, "none of it was taken");

    // Whoever follows us into every id makes us draw one a minute and no more.
    site.hear(&announce_of(fresh), start + RENEWAL_INTERVAL - MOMENT);
    assert_eq!(site.instance.id(), fresh);
    site.hear(&announce_of(fresh), start + RENEWAL_INTERVAL);
    assert_ne!(site.instance.id(), fresh);
    assert_eq!(site.counted(Counter::IdClash), 3);

    // After ten minutes the old one is anybody's.
    let late = start + FORMER_ID_LIFETIME;
    site.hear(&announce_of(OURS), late - MOMENT);
    assert_eq!(site.counted(Counter::AnnouncesApplied), 0);
    site.hear(&announce_of(OURS), late);
    assert_eq!(site.counted(Counter::AnnouncesApplied), 1);
}

#[test]
fn it_beacons_and_is_inquired_by_its_new_id() {
    let mut site = Site::new();
    let now = site.start + Settings::default().scrape_sync.first_beacon_delay;
    site.hear(&announce_of(THEIRS), site.start);
    site.hear(&announce_of(OURS), site.start);
    let id = site.instance.id();
    site.instance.handle_timeout(now);
    let beacon = site.sent();
    assert_eq!(beacon, [beacon_of(id, 1)]);
    let (sender, target) = (THEIRS, id);
    site.hear(&Inquire { sender, target }.encode(), now);
    let told = site.sent();
    assert_eq!(told.len(), 2, "the count and the peer");
    for packet in told {
        assert_eq!(Packet::decode(&packet).unwrap().sender(), id);
    }
}

#[test]
fn what_is_no_packet_is_counted_and_changes_nothing() {
    let mut site = Site::new();
    let now = site.start;
    let whole = announce_of(THEIRS);
    for len in 0..whole.len() {
        site.hear(&whole[..len], now);
    }
    site.hear(b"them\0\0\0\x04", now);
    site.hear(b"them\0\0\0\x01too long for a beacon", now);
    site.hear(b"them\0\0\0\x03too short", now);
    assert_eq!(site.torrents(), 0);
    assert_eq!(site.counted(Counter::Header), 8);
    assert_eq!(site.counted(Counter::UnknownType), 1);
    assert_eq!(site.counted(Counter::Length), 1);
    assert_eq!(site.counted(Counter::NoRecord), 1);
}

#[test]
fn a_beacon_is_compared_with_a_count_of_the_last_second() {
    let mut site = Site::new();
    let now = site.start;
    site.instance.handle_restored();
    site.hear(&announce_of(THEIRS), now);
    site.hear(&beacon_of(THEIRS, 1), now);
    assert_eq!(site.instance.inquiry(), Inquiry::NotNeeded);
    site.hear(&beacon_of(THEIRS, 2), now + SECOND);
    assert_ne!(site.instance.inquiry(), Inquiry::NotNeeded);
}

#[test]
fn a_download_count_is_kept_whole_and_told_whole() {
    const COUNT: u64 = 8_589_934_597;
    let mut site = Site::new();
    let now = site.start;
    site.hear(&tell_of(THEIRS, COUNT), now);
    assert_eq!(site.downloads(), Some(COUNT));
    let (sender, target) = (THEIRS, OURS);
    site.hear(&Inquire { sender, target }.encode(), now);
    assert_eq!(site.sent(), [tell_of(OURS, COUNT)]);
}

#[test]
fn a_download_count_beyond_what_can_be_is_dropped_and_counted() {
    let mut site = Site::new();
    for downloads in [MAX_DOWNLOADS + 1, u64::MAX] {
        site.hear(&tell_of(THEIRS, downloads), site.start);
    }
    assert_eq!(site.downloads(), None);
    assert_eq!(site.counted(Counter::ImpossibleCount), 2);
    site.hear(&tell_of(THEIRS, MAX_DOWNLOADS), site.start);
    assert_eq!(site.downloads(), Some(MAX_DOWNLOADS));
    assert_eq!(site.counted(Counter::DownloadsApplied), 1);
}

#[test]
fn a_tell_gives_way_and_nothing_else() {
    let mut site = Site::new();
    let now = site.start + Settings::default().scrape_sync.first_beacon_delay;
    site.hear(&announce_of(THEIRS), now);
    site.hear(&beacon_of(THEIRS, 1000), now - 3 * MINUTE);
    let (sender, target) = (THEIRS, OURS);
    site.hear(&Inquire { sender, target }.encode(), now);
    site.instance.handle_timeout(now);
    let classes: Vec<_> = std::iter::from_fn(|| site.instance.poll_output())
        .map(|Output::Send { class, .. }| class)
        .collect();
    assert_eq!(
        classes,
        [Class::Live, Class::Tell, Class::Tell],
        "an inquiry comes first"
    );
}

#[test]
fn one_inquiry_after_the_other_brings_one_tell_in_an_interval() {
    let mut site = Site::new();
    let start = site.start;
    let interval = Settings::default().scrape_sync.beacon_interval;
    site.hear(&announce_of(THEIRS), start);
    let (sender, target) = (THEIRS, OURS);
    let inquire = Inquire { sender, target }.encode();
    let mut told = 0;
    for second in 0..=600 {
        site.hear(&inquire, start + second * SECOND);
        told += site.sent().iter().filter(|packet| is_tell(packet)).count();
        site.instance.handle_timeout(start + second * SECOND);
        told += site.sent().iter().filter(|packet| is_tell(packet)).count();
    }
    let intervals = 600 / interval.as_secs();
    assert_eq!(told as u64, 1 + intervals);
}

#[test]
fn what_is_denied_during_a_tell_is_told_no_further() {
    let mut site = Site::new();
    let torrents: Vec<_> = (0..1000_u16)
        .map(|number| {
            let mut octets = [0xab; InfoHash::LEN];
            octets[..2].copy_from_slice(&number.to_be_bytes());
            InfoHash::new(octets)
        })
        .collect();
    let records = torrents
        .iter()
        .map(|&torrent| ToldDownloads::new(torrent, 0, 1));
    site.tracker.apply_downloads(records, site.start, |_, _| ());
    let (sender, target) = (THEIRS, OURS);
    site.hear(&Inquire { sender, target }.encode(), site.start);
    let Some(Output::Send { packet: first, .. }) = site.instance.poll_output() else {
        panic!("it tells of what it has");
    };
    assert!(is_tell(first.as_bytes()));
    let lists = AccessLists {
        deny: Some(torrents.into_iter().collect()),
        ..AccessLists::default()
    };
    site.tracker
        .set_rules(Rules::new(Default::default(), lists));
    assert_eq!(site.tracker.purge(site.tracker.start()).torrents, 1000);
    for second in 0..600 {
        let sent = site.sent();
        assert!(!sent.iter().any(|packet| is_tell(packet)), "{second}");
        site.instance.handle_timeout(site.start + second * SECOND);
    }
}

#[test]
fn whoever_changes_its_id_with_every_packet_is_limited_by_its_address() {
    let mut site = Site::new();
    let now = site.start;
    site.instance
        .handle_packet(&announce_of(THEIRS), from(3), now);
    for number in 0..2 * MAX_PACKETS_PER_SECOND {
        site.hear(&announce_of(TrackerId::new(number.to_be_bytes())), now);
    }
    let dropped = u64::from(MAX_PACKETS_PER_SECOND);
    assert_eq!(site.counted(Counter::Rate), dropped);
    assert_eq!(site.counted(Counter::AnnouncesApplied), 1 + dropped);
    let siblings = site.instance.view(Vec::new(), now).siblings;
    assert!(siblings.iter().any(|sibling| sibling.id == THEIRS));
    site.instance
        .handle_packet(&announce_of(THEIRS), from(3), now);
    assert_eq!(site.counted(Counter::Rate), dropped, "others go on");
}

#[test]
fn the_view_shows_who_is_there_and_what_came_of_it() {
    let mut site = Site::new();
    let now = site.start;
    site.hear(&announce_of(THEIRS), now);
    site.hear(&beacon_of(THEIRS, 300), now);
    site.hear(&tell_of(THEIRS, u64::MAX), now + SECOND);
    let view = site.instance.view(Vec::new(), now + SECOND);
    assert_eq!(view.id, OURS);
    let [sibling] = &view.siblings[..] else {
        panic!("{view:?}");
    };
    assert_eq!((sibling.id, sibling.address), (THEIRS, from(2).address));
    assert_eq!(sibling.heard_at, now + SECOND);
    assert_eq!(sibling.claimed_torrents(), Some(300));
    assert_eq!((sibling.packets, sibling.dropped_packets), (3, 0));
    assert_eq!((sibling.applied_records, sibling.dropped_records), (1, 1));
}

#[test]
fn among_c_nodes_it_sends_nothing_of_scrape_sync() {
    for dialect in [Dialect::CV4, Dialect::CDual] {
        let mut settings = Settings::default();
        settings.peer_sync.dialect = dialect;
        let mut site = Site::with(&settings);
        let now = site.start;
        site.hear(&tell_of(THEIRS, 7), now);
        site.hear(&beacon_of(THEIRS, 1000), now);
        let (sender, target) = (THEIRS, OURS);
        site.hear(&Inquire { sender, target }.encode(), now);
        site.instance.handle_timeout(now + 3600 * SECOND);
        assert_eq!(site.sent(), [[0; 0]; 0]);
        assert_eq!(site.instance.poll_timeout(), None);
        assert_eq!(site.downloads(), Some(7), "but it understands");
    }
}
