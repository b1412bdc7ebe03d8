//! What a node must not be moved by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker::core::{AccessLists, Counter, Settings, Tracker};
use opentracker::livesync::Node;
use opentracker::livesync_wire::{Beacon, LiveRecord, SyncLiveWriter};
use opentracker::scrape_sync;
use opentracker::types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
use rand::SeedableRng;
use rand::rngs::StdRng;

const OURS: TrackerId = TrackerId::new(*b"ours");
const THEIRS: TrackerId = TrackerId::new(*b"them");

fn node() -> (Arc<Tracker>, Node) {
    let tracker = Arc::new(Tracker::new(
        Settings::default(),
        AccessLists::default(),
        Duration::from_secs(240),
        Instant::now(),
        &mut StdRng::seed_from_u64(1),
    ));
    let settings = scrape_sync::Settings::default();
    let node = Node::new(Arc::clone(&tracker), OURS, settings, true, tracker.start());
    (tracker, node)
}

fn announce_of(sender: TrackerId) -> Vec<u8> {
    let mut writer = SyncLiveWriter::new(sender);
    let peer = PeerAddr::new([198, 51, 100, 1].into(), 6881);
    let record = LiveRecord::new(InfoHash::new([1; InfoHash::LEN]), peer, PeerFlags::SEEDING);
    writer.push(&record).unwrap();
    writer.take().as_bytes().to_vec()
}

#[test]
fn its_own_packets_change_nothing() {
    let (tracker, mut node) = node();
    let now = tracker.start();
    let beacon = Beacon {
        sender: OURS,
        torrents: 1000,
    };
    node.handle_packet(&announce_of(OURS), None, now);
    node.handle_packet(&beacon.encode(), None, now);
    assert_eq!(tracker.store().totals().torrents, 0);
    assert!(node.view(true).nodes.is_empty());
    assert_eq!(tracker.counters().sum(Counter::LiveSyncDroppedOwn), 2);
    node.handle_packet(&announce_of(THEIRS), None, now);
    assert_eq!(tracker.store().totals().torrents, 1);
}

#[test]
fn what_is_no_packet_is_counted_and_changes_nothing() {
    let (tracker, mut node) = node();
    let now = tracker.start();
    let whole = announce_of(THEIRS);
    for len in 0..whole.len() {
        node.handle_packet(&whole[..len], None, now);
    }
    node.handle_packet(b"them\0\0\0\x04", None, now);
    node.handle_packet(b"them\0\0\0\x01too long for a beacon", None, now);
    node.handle_packet(b"them\0\0\0\x03too short", None, now);
    assert_eq!(tracker.store().totals().torrents, 0);
    let counted = |counter| tracker.counters().sum(counter);
    assert_eq!(counted(Counter::LiveSyncDroppedHeader), 8);
    assert_eq!(counted(Counter::LiveSyncDroppedType), 1);
    assert_eq!(counted(Counter::LiveSyncDroppedLength), 1);
    assert_eq!(counted(Counter::LiveSyncDroppedEmpty), 1);
}

#[test]
fn a_beacon_is_compared_with_a_count_of_the_last_second() {
    let (tracker, mut node) = node();
    let now = tracker.start();
    let beacon = Beacon {
        sender: THEIRS,
        torrents: 1,
    }
    .encode();
    node.handle_packet(&announce_of(THEIRS), None, now);
    node.handle_packet(&beacon, None, now);
    assert_eq!(
        node.scrape_sync().inquiry(),
        scrape_sync::Inquiry::NotNeeded
    );
    let later = now + Duration::from_secs(1);
    let many = Beacon {
        sender: THEIRS,
        torrents: 2,
    };
    node.handle_packet(&many.encode(), None, later);
    assert_ne!(
        node.scrape_sync().inquiry(),
        scrape_sync::Inquiry::NotNeeded
    );
}
