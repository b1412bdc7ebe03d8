//! What those hear and see who look on.

use std::sync::Arc;
use std::time::Duration;

use opentracker_core::{
    AccessLists, Rate, Reason, Rules, Settings, Step, SwarmEventKind, Sweeper, ToldPeer, Verdict,
    Worker,
};
use opentracker_types::{Event, PeerAddr, PeerFlags};

use crate::{OTHER, TORRENT, announce, request, tracker};

#[test]
fn events_tell_what_happens_to_torrents() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let events = tracker.subscribe_to_events(|_| true);
    let others = tracker.subscribe_to_events(|event| event.info_hash == OTHER);
    let heard = || {
        let (events, missed) = events.take();
        assert_eq!(missed, 0);
        let kinds = events
            .iter()
            .map(|event| (event.kind, event.counts.seeders));
        kinds.collect::<Vec<_>>()
    };
    let mut say = |port, left, event| {
        announce(&mut worker, &request(port, left, event), "192.0.2.1", now).unwrap();
    };
    say(1, 1, Event::Started);
    assert_eq!(heard(), [], "a leecher is nothing new");
    say(2, 0, Event::Started);
    say(2, 0, Event::None);
    assert_eq!(heard(), [(SwarmEventKind::FirstSeeder, 1)], "once");
    say(1, 0, Event::Completed);
    assert_eq!(heard(), [(SwarmEventKind::Completed, 2)]);
    say(2, 0, Event::Stopped);
    say(1, 1, Event::None);
    say(1, 0, Event::None);
    assert_eq!(
        heard(),
        [(SwarmEventKind::FirstSeeder, 1)],
        "there was none"
    );
    say(1, 0, Event::Stopped);
    assert_eq!(heard(), [(SwarmEventKind::Gone, 0)]);

    say(1, 1, Event::Started);
    let mut sweeper = Sweeper::new();
    let later = now + Duration::from_secs(24 * 60 * 60);
    while sweeper.step(&tracker, later).is_none() {}
    assert_eq!(heard(), [(SwarmEventKind::Gone, 0)], "it timed out");
    say(1, 1, Event::Started);
    assert!(tracker.remove(&TORRENT, now).is_some());
    assert_eq!(tracker.remove(&TORRENT, now), None);
    assert_eq!(heard(), [(SwarmEventKind::Gone, 0)], "it was taken out");
    say(1, 1, Event::Started);
    tracker.set_rules(crate::rules(None, Some(&[TORRENT])));
    tracker.purge(now);
    assert_eq!(heard(), [(SwarmEventKind::Gone, 0)], "it was denied");
    assert!(others.take().0.is_empty());
}

#[test]
fn what_is_blocked_by_hand_is_not_served() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let lists = AccessLists {
        blocked: Some([TORRENT].into_iter().collect()),
        ..AccessLists::default()
    };
    assert_eq!(lists.verdict(&TORRENT), Verdict::Blocked);
    tracker.set_rules(Rules::new(Settings::default(), lists));
    let refused = announce(
        &mut worker,
        &request(1, 1, Event::Started),
        "192.0.2.1",
        now,
    );
    assert_eq!(refused.unwrap_err().reason, Reason::Blocked);
    let peer = PeerAddr::new([192, 0, 2, 1].into(), 1);
    let told = [TORRENT, OTHER].map(|torrent| ToldPeer::new(torrent, peer, PeerFlags::NONE));
    let applied = tracker.apply_peers(told.into_iter(), now);
    assert_eq!((applied.applied, applied.not_served), (1, 1));
}

#[test]
fn limited_prefixes_are_listed_the_furthest_first() {
    let rate = Rate {
        token_interval: Duration::from_secs(1),
        burst: 10,
        exempt: Default::default(),
    };
    let tracker = tracker(Settings {
        rate: Some(rate),
        ..Settings::default()
    });
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    assert!(tracker.limited(9, now).is_empty());
    for (source, requests) in [
        ("192.0.2.1", 5),
        ("192.0.2.2", 6),
        ("2001:db8::1", 11),
        ("192.0.2.3", 30),
    ] {
        for _ in 0..requests {
            let _refused = announce(&mut worker, &request(1, 1, Event::None), source, now);
        }
    }
    let limited = tracker.limited(9, now);
    let found: Vec<_> = limited
        .iter()
        .map(|limited| (limited.prefix.to_string(), limited.step))
        .collect();
    let expected = [
        ("192.0.2.3/32", Step::Silent),
        ("2001:db8::/56", Step::Refused),
        ("192.0.2.2/32", Step::Slowed),
        ("192.0.2.1/32", Step::Slowed),
    ];
    assert_eq!(
        found,
        expected.map(|(prefix, step)| (prefix.to_owned(), step))
    );
    assert_eq!(limited[0].full_in, Duration::from_secs(10));
    assert_eq!(tracker.limited(1, now).len(), 1);
    let later = now + Duration::from_secs(6);
    assert_eq!(tracker.limited(9, later).len(), 0, "they have tokens again");
}
