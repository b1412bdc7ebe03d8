//! At the limits, and beyond what one prefix may ask for.

use std::sync::Arc;
use std::time::Duration;

use opentracker_core::{
    AnnounceReply, Counter, Limits, Networks, Rate, Reason, Refusal, Requester, Retry, Settings,
    ToldDownloads, ToldPeer, Worker,
};
use opentracker_types::{Event, PeerAddr, PeerFlags};

use crate::{MINUTE, OTHER, TORRENT, announce, request, tracker};

fn settings(limits: Limits, burst: Option<u32>) -> Settings {
    Settings {
        jitter: Duration::ZERO,
        limits,
        rate: burst.map(|burst| Rate {
            token_interval: MINUTE,
            burst,
            exempt: Networks::new(["198.51.100.0/24".parse().unwrap()]),
        }),
        ..Settings::default()
    }
}

#[test]
fn what_is_new_beyond_a_limit_is_refused_and_counted() {
    let none = Limits::NONE;
    for (limits, counter, reason) in [
        (
            Limits {
                torrents: 1,
                ..none
            },
            Counter::RefusedTorrents,
            Reason::TrackerFull,
        ),
        (
            Limits { peers: 1, ..none },
            Counter::RefusedPeers,
            Reason::TrackerFull,
        ),
        (
            Limits { octets: 1, ..none },
            Counter::RefusedMemory,
            Reason::TrackerFull,
        ),
    ] {
        let tracker = tracker(settings(limits, None));
        let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
        let now = tracker.start();
        let known = request(1, 5, Event::Started);
        let mut of_other = known;
        of_other.info_hash = OTHER;
        announce(&mut worker, &known, "192.0.2.1", now).unwrap();
        let refused = announce(&mut worker, &of_other, "192.0.2.1", now).unwrap_err();
        let retry = Retry::After(30 * MINUTE);
        assert_eq!((refused.reason, refused.retry), (reason, retry));
        announce(&mut worker, &known, "192.0.2.1", now).unwrap();
        assert_eq!(tracker.counters().sum(counter), 1);

        let peer = PeerAddr::new([192, 0, 2, 9].into(), 1);
        let told = ToldPeer::new(OTHER, peer, PeerFlags::NONE);
        let applied = tracker.apply_peers([told].into_iter(), now);
        assert_eq!((applied.applied, applied.no_room), (0, 1));
        let told = ToldDownloads::new(OTHER, 0, 7);
        let applied = tracker.apply_downloads([told].into_iter(), now, |_, _| ());
        assert_eq!((applied.applied, applied.no_room), (0, 1));
        assert_eq!(tracker.totals(now).torrents, 1);
    }
}

#[test]
fn a_swarm_has_its_own_limit() {
    let limits = Limits {
        peers_per_torrent: 2,
        ..Limits::NONE
    };
    let tracker = tracker(settings(limits, None));
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let mut enter = |port| {
        announce(
            &mut worker,
            &request(port, 5, Event::None),
            "192.0.2.1",
            now,
        )
    };
    enter(1).unwrap();
    enter(2).unwrap();
    assert_eq!(enter(3).unwrap_err().reason, Reason::SwarmFull);
    enter(2).unwrap();
    assert_eq!(tracker.counters().sum(Counter::RefusedSwarm), 1);
}

#[test]
fn whoever_asks_too_often_is_slowed_refused_and_not_answered() {
    let tracker = tracker(settings(Limits::NONE, Some(4)));
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let mut ask = |source: &str, after: Duration| -> Result<AnnounceReply, Refusal> {
        let request = request(1, 5, Event::None);
        let answer = announce(&mut worker, &request, source, now + after)?;
        Ok(answer.0)
    };
    let zero = Duration::ZERO;
    for expected in [1800, 1800, 3600, 3600] {
        assert_eq!(ask("192.0.2.1", zero).unwrap().interval_secs, expected);
    }
    for _ in 0..4 {
        let refusal = ask("192.0.2.1", zero).unwrap_err();
        assert_eq!(refusal.reason, Reason::Rate);
        assert_eq!(refusal.retry, Retry::After(MINUTE));
    }
    let silence = ask("192.0.2.1", zero).unwrap_err();
    assert_eq!(silence.reason, Reason::Flood);
    assert_eq!(silence.reason.message(), None);
    assert_eq!(ask("192.0.2.2", zero).unwrap().interval_secs, 1800);
    for _ in 0..20 {
        assert_eq!(ask("198.51.100.1", zero).unwrap().interval_secs, 1800);
    }
    assert_eq!(ask("192.0.2.1", MINUTE).unwrap().interval_secs, 3600);
    let counted = [Counter::Slowed, Counter::RefusedRate, Counter::Silenced];
    let counted = counted.map(|counter| tracker.counters().sum(counter));
    assert_eq!(counted, [3, 4, 1]);
}

#[test]
fn a_scrape_takes_a_token_and_a_proxy_that_says_nothing_none() {
    let tracker = tracker(settings(Limits::NONE, Some(2)));
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let mut scrape = |requester: Requester| {
        let torrents = [TORRENT, OTHER].into_iter();
        worker.scrape(torrents, &requester, now, |_, _| {
            std::ops::ControlFlow::Continue(())
        })
    };
    let ip = [192, 0, 2, 1].into();
    scrape(Requester::new(ip)).unwrap();
    scrape(Requester::new(ip)).unwrap();
    let refusal = scrape(Requester::new(ip)).unwrap_err();
    assert_eq!(refusal.reason, Reason::Rate);
    for _ in 0..20 {
        scrape(Requester::behind_proxy(ip)).unwrap();
    }
}
