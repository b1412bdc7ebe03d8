//! Peers that siblings tell of with an age (docs/livesync.md, Peers follow the counts).

use std::sync::{Arc, Mutex};

use opentracker_core::{Cluster, Limits, Settings, ToldPeer, Tracker, Worker};
use opentracker_types::{Event, InfoHash, PeerAddr, PeerFlags};

use crate::{Instant, MINUTE, OTHER, TORRENT, announce, request, rules, tracker};

fn told(torrent: InfoHash, number: u8, flags: PeerFlags, minutes: u8) -> ToldPeer {
    ToldPeer::new(torrent, PeerAddr::new([192, 0, 2, number].into(), 1), flags).with_age(minutes)
}

fn peers(tracker: &Tracker, now: Instant) -> (u64, u64) {
    let totals = tracker.totals(now + MINUTE);
    (totals.torrents, totals.peers.total())
}

#[test]
fn told_peers_are_counted_by_what_becomes_of_them() {
    let tracker = tracker(Settings::default());
    let now = tracker.start();
    tracker.set_rules(rules(None, Some(&[OTHER])));
    let records = [
        told(TORRENT, 1, PeerFlags::NONE, 5),
        told(TORRENT, 1, PeerFlags::SEEDING, 5),
        told(TORRENT, 2, PeerFlags::STOPPED, 5),
        told(TORRENT, 3, PeerFlags::NONE, 46),
        told(OTHER, 4, PeerFlags::NONE, 5),
        ToldPeer::new(
            TORRENT,
            PeerAddr::new([224, 0, 0, 1].into(), 1),
            PeerFlags::NONE,
        )
        .with_age(5),
        ToldPeer::new(
            TORRENT,
            PeerAddr::new([192, 0, 2, 5].into(), 1),
            PeerFlags::NONE,
        ),
    ];
    let applied = tracker.apply_peers(records.into_iter(), now);
    assert_eq!((applied.applied, applied.aged), (2, 1));
    let not = (applied.known, applied.stopped, applied.timed_out);
    assert_eq!(not, (1, 1, 1));
    assert_eq!((applied.not_served, applied.impossible), (1, 1));
    assert_eq!(applied.dropped(), 4);
    assert!(applied.has_aged());
    assert_eq!(peers(&tracker, now), (1, 2));
}

#[test]
fn told_peers_are_under_the_limits() {
    let limits = Limits {
        peers: 2,
        ..Limits::NONE
    };
    let tracker = tracker(Settings {
        limits,
        ..Settings::default()
    });
    let now = tracker.start();
    let record = |number, minutes| told(TORRENT, number, PeerFlags::NONE, minutes);
    let records = [record(1, 20), record(2, 20), record(3, 20), record(1, 5)];
    let applied = tracker.apply_peers(records.into_iter(), now);
    assert_eq!(
        (applied.aged, applied.no_room),
        (3, 1),
        "the known are let in"
    );
    assert_eq!(peers(&tracker, now), (1, 2));
}

/// What a cluster is told of, and how often.
#[derive(Debug, Default, Clone)]
struct Ears(Arc<Mutex<Vec<PeerAddr>>>);

impl Cluster for Ears {
    fn tell(&mut self, _: &InfoHash, peer: PeerAddr, _: PeerFlags, _: Instant) {
        self.0.lock().unwrap().push(peer);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn flush(&mut self, _: Instant) {}
}

#[test]
fn peers_on_this_host_are_not_told() {
    let tracker = tracker(Settings::default());
    let ears = Ears::default();
    let mut worker = Worker::new(Arc::clone(&tracker), 1, Some(Box::new(ears.clone())));
    let now = tracker.start();
    for source in ["127.0.0.1", "::1", "10.0.0.1", "192.0.2.1"] {
        announce(&mut worker, &request(1, 1, Event::Started), source, now).unwrap();
    }
    let told = ears.0.lock().unwrap();
    let told: Vec<_> = told.iter().map(|peer| peer.ip().to_string()).collect();
    assert_eq!(told, ["10.0.0.1", "192.0.2.1"]);
}
