//! The tracker's rules, from outside the crate.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod denied;
mod limits;
mod told;
mod watched;
mod web;

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentracker_core::{
    AccessLists, Cluster, Counter, Habit, HashList, MAX_DOWNLOADS, PeerBuffers, Reason, Refusal,
    Requester, Restored, Retry, Rules, Settings, SwarmWalk, ToldDownloads, ToldPeer, Tracker, Walk,
    Worker,
};
use opentracker_types::{
    AnnounceRequest, Event, InfoHash, PeerAddr, PeerFlags, SavedPeer, SwarmCounts,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

const TORRENT: InfoHash = InfoHash::new([0xab; 20]);
const OTHER: InfoHash = InfoHash::new([0xcd; 20]);
const MINUTE: Duration = Duration::from_secs(60);

fn tracker(settings: Settings) -> Arc<Tracker> {
    let rules = Rules::new(settings, AccessLists::default());
    Arc::new(Tracker::new(
        rules,
        Instant::now(),
        &mut StdRng::seed_from_u64(1),
    ))
}

fn request(port: u16, left: u64, event: Event) -> AnnounceRequest {
    AnnounceRequest::new(TORRENT, port)
        .with_left(left)
        .with_event(event)
}

/// Announces and returns the reply and the number of IPv4 and IPv6 peers handed out.
fn announce(
    worker: &mut Worker,
    request: &AnnounceRequest,
    source: &str,
    now: Instant,
) -> Result<(opentracker_core::AnnounceReply, usize, usize), Refusal> {
    let (mut v4, mut v6) = ([0; 6 * 300], [0; 18 * 300]);
    let mut peers = PeerBuffers::both(&mut v4, &mut v6);
    let source: IpAddr = source.parse().unwrap();
    let reply = worker.announce(request, &Requester::new(source), now, &mut peers)?;
    Ok((reply, peers.v4_octets() / 6, peers.v6_octets() / 18))
}

#[test]
fn impossible_peers_are_refused_and_counted() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    for (source, port, reason) in [
        ("192.0.2.1", 0, Reason::Port),
        ("0.0.0.0", 6881, Reason::Address),
        ("224.0.0.1", 6881, Reason::Address),
        ("255.255.255.255", 6881, Reason::Address),
        ("::", 6881, Reason::Address),
        ("ff02::1", 6881, Reason::Address),
        ("::ffff:224.0.0.1", 6881, Reason::Address),
    ] {
        let request = request(port, 1, Event::Started);
        let refused = announce(&mut worker, &request, source, now).unwrap_err();
        assert_eq!(refused.reason, reason, "{source}");
        assert_eq!(refused.retry, Retry::Unsaid);
    }
    assert_eq!(tracker.counters().sum(Counter::RefusedAddress), 7);
    assert_eq!(tracker.totals(now).torrents, 0);
}

#[test]
fn lists_apply_to_announces_and_scrapes_as_soon_as_they_are_set() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let seed = request(1, 0, Event::Started);
    announce(&mut worker, &seed, "192.0.2.1", now).unwrap();
    assert!(scrape(&mut worker).is_some());

    tracker.set_rules(rules(Some(&[]), None));
    let refused = announce(&mut worker, &seed, "192.0.2.1", now).unwrap_err();
    assert_eq!(refused.reason, Reason::NotAllowed);
    assert!(
        matches!(refused.retry, Retry::After(_)),
        "it may be there soon"
    );
    assert_eq!(scrape(&mut worker), None);

    tracker.set_rules(rules(None, Some(&[TORRENT])));
    let refused = announce(&mut worker, &seed, "192.0.2.1", now).unwrap_err();
    assert_eq!(
        (refused.reason, refused.retry),
        (Reason::Denied, Retry::Never)
    );
    assert_eq!(tracker.counters().sum(Counter::RefusedDenied), 1);
    assert_eq!(tracker.counters().sum(Counter::RefusedNotAllowed), 1);
}

#[test]
fn a_purge_leaves_nothing_of_what_is_denied() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    for (torrent, ports) in [(TORRENT, 1..=40), (OTHER, 1..=2)] {
        for port in ports {
            let mut request = request(port, u64::from(port % 2), Event::Started);
            request.info_hash = torrent;
            announce(&mut worker, &request, "192.0.2.1", now).unwrap();
        }
    }
    assert_eq!(tracker.totals(now).peers.total(), 42);
    assert_eq!(tracker.purge(now).torrents, 0, "there is no list");
    tracker.set_rules(rules(None, Some(&[TORRENT])));
    assert_eq!(walk(&tracker), [OTHER], "out of the walk at once");
    let purged = tracker.purge(now);
    assert_eq!((purged.torrents, purged.peers), (1, 40));
    let totals = tracker.totals(now);
    assert_eq!(
        (
            totals.torrents,
            totals.peers.total(),
            totals.peers.seeders()
        ),
        (1, 2, 1)
    );
    tracker.set_rules(Rules::default());
    assert_eq!(walk(&tracker), [OTHER]);
    assert_eq!(tracker.summary(&TORRENT, now), None);
}

#[test]
fn what_siblings_tell_is_applied_under_the_same_rules() {
    let tracker = tracker(Settings::default());
    let now = tracker.start();
    tracker.set_rules(rules(None, Some(&[OTHER])));
    let peer = |torrent, ip: [u8; 4]| {
        ToldPeer::new(torrent, PeerAddr::new(ip.into(), 1), PeerFlags::SEEDING)
    };
    let peers = [
        peer(TORRENT, [192, 0, 2, 1]),
        peer(OTHER, [192, 0, 2, 1]),
        peer(TORRENT, [224, 0, 0, 1]),
    ];
    let applied = tracker.apply_peers(peers.into_iter(), now);
    assert_eq!(
        (applied.applied, applied.not_served, applied.impossible),
        (1, 1, 1)
    );

    let mut compared = Vec::new();
    let downloads = [
        ToldDownloads::new(TORRENT, 5, 8_589_934_597),
        ToldDownloads::new(TORRENT, 5, 3),
        ToldDownloads::new(OTHER, 5, 3),
        ToldDownloads::new(TORRENT, 5, MAX_DOWNLOADS + 1),
    ];
    let applied =
        tracker.apply_downloads(downloads.into_iter(), now, |info_hash, ours_is_larger| {
            compared.push((*info_hash, ours_is_larger));
        });
    assert_eq!(
        (applied.applied, applied.not_served, applied.impossible),
        (2, 1, 1)
    );
    assert_eq!(compared, [(TORRENT, false), (TORRENT, true)]);
    let counts = tracker.summary(&TORRENT, now).unwrap().counts;
    assert_eq!((counts.seeders, counts.downloads), (1, 8_589_934_597));
}

fn rules(allow: Option<&[InfoHash]>, deny: Option<&[InfoHash]>) -> Rules {
    let list = |hashes: &[InfoHash]| hashes.iter().copied().collect::<HashList>();
    let lists = AccessLists {
        allow: allow.map(list),
        deny: deny.map(list),
        ..AccessLists::default()
    };
    Rules::new(Settings::default(), lists)
}

fn scrape(worker: &mut Worker) -> Option<SwarmCounts> {
    let mut found = None;
    let requester = Requester::new([192, 0, 2, 1].into());
    let now = worker.tracker().start();
    worker
        .scrape(
            [TORRENT].into_iter(),
            &requester,
            now,
            |info_hash, counts| {
                assert_eq!(*info_hash, TORRENT);
                found = counts;
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    found
}

fn walk(tracker: &Tracker) -> Vec<InfoHash> {
    let mut walk = Walk::new();
    let mut found = Vec::new();
    while let Some(part) = walk.next_part(tracker, tracker.start()) {
        found.extend(part.iter().map(|torrent| torrent.info_hash));
    }
    found
}

#[test]
fn completed_counts_once_per_peer_and_only_from_a_seeder() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let mut downloads = |port, left, event| {
        let request = request(port, left, event);
        let (reply, ..) = announce(&mut worker, &request, "192.0.2.1", now).unwrap();
        reply.counts.downloads
    };
    assert_eq!(downloads(1, 7, Event::Completed), 0);
    assert_eq!(downloads(1, 0, Event::Completed), 1);
    assert_eq!(downloads(1, 0, Event::Completed), 1);
    assert_eq!(downloads(2, 0, Event::None), 1);
    assert_eq!(downloads(2, 0, Event::Completed), 2);
    assert_eq!(tracker.counters().sum(Counter::Completed), 2);
}

#[test]
fn numwant_is_defaulted_and_clamped() {
    let tracker = tracker(Settings {
        numwant_default: 5,
        numwant_max: 20,
        ..Settings::default()
    });
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    for port in 1..=100 {
        let request = request(port, 1, Event::Started);
        announce(&mut worker, &request, "192.0.2.1", now).unwrap();
    }
    for (num_want, given) in [(None, 5), (Some(0), 0), (Some(7), 7), (Some(u32::MAX), 20)] {
        let mut request = request(1, 1, Event::None);
        request.num_want = num_want;
        let (_, v4, v6) = announce(&mut worker, &request, "192.0.2.1", now).unwrap();
        assert_eq!((v4, v6), (given, 0), "{num_want:?}");
    }
}

#[test]
fn a_lan_works_and_nothing_leaks_from_it() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    let sources = [
        "198.51.100.1",
        "10.0.0.1",
        "10.0.0.2",
        "127.0.0.1",
        "fd00::1",
    ];
    for source in sources {
        announce(&mut worker, &request(9, 1, Event::Started), source, now).unwrap();
    }
    for (source, v4, v6) in [
        ("203.0.113.1", 1, 0),
        ("192.168.7.7", 3, 1),
        ("127.0.0.1", 1, 0),
        ("fd00::2", 3, 1),
        ("2001:db8::1", 1, 0),
    ] {
        let request = request(9, 1, Event::Started);
        let (_, got_v4, got_v6) = announce(&mut worker, &request, source, now).unwrap();
        assert_eq!((got_v4, got_v6), (v4, v6), "{source}");
        let stop = request.with_event(Event::Stopped);
        if !sources.contains(&source) {
            let (_, v4, v6) = announce(&mut worker, &stop, source, now).unwrap();
            assert_eq!((v4, v6), (0, 0), "stopped gets no peers");
        }
    }
}

#[test]
fn intervals_are_spread_over_the_whole_jitter() {
    let tracker = tracker(Settings {
        interval: Duration::from_secs(100),
        jitter: Duration::from_secs(2),
        ..Settings::default()
    });
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let mut seen: Vec<u32> = (0..200)
        .map(|_| {
            let request = request(1, 1, Event::None);
            let (reply, ..) =
                announce(&mut worker, &request, "192.0.2.1", tracker.start()).unwrap();
            assert_eq!(reply.min_interval_secs, 900);
            reply.interval_secs
        })
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [98, 99, 100, 101, 102]);
}

#[derive(Debug, Clone, Default)]
struct Ear(Arc<Mutex<Vec<(PeerAddr, PeerFlags)>>>);

impl Cluster for Ear {
    fn tell(&mut self, info_hash: &InfoHash, peer: PeerAddr, flags: PeerFlags, _: Instant) {
        assert_eq!(*info_hash, TORRENT);
        self.0.lock().unwrap().push((peer, flags));
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn flush(&mut self, _: Instant) {}
}

#[test]
fn the_cluster_hears_what_it_must_and_no_more() {
    let tracker = tracker(Settings::default());
    let ear = Ear::default();
    let mut worker = Worker::new(Arc::clone(&tracker), 1, Some(Box::new(ear.clone())));
    let mut heard_after = |minute: u32, left, event| {
        let request = request(6881, left, event);
        let now = tracker.start() + minute * MINUTE;
        announce(&mut worker, &request, "192.0.2.1", now).unwrap();
        let heard = std::mem::take(&mut *ear.0.lock().unwrap());
        heard
            .iter()
            .map(|(_, flags)| flags.bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        heard_after(0, 9, Event::Stopped),
        [0x20],
        "every stop, known or not"
    );
    assert_eq!(heard_after(0, 9, Event::Started), [0x00], "new");
    assert_eq!(
        heard_after(10, 9, Event::None),
        [0; 0],
        "within the boundary"
    );
    assert_eq!(
        heard_after(11, 9, Event::None),
        [0x00],
        "beyond the boundary"
    );
    assert_eq!(heard_after(11, 0, Event::Completed), [0xc0], "completed");
    assert_eq!(
        heard_after(11, 0, Event::Completed),
        [0; 0],
        "completed again"
    );
    assert_eq!(heard_after(11, 9, Event::None), [0x00], "changed sides");
    assert_eq!(heard_after(12, 0, Event::None), [0x80], "and back");
    assert_eq!(heard_after(12, 0, Event::Stopped), [0xa0], "stopped");
}

#[test]
fn the_habits_of_clients_are_counted() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let count = |habit| tracker.counters().sum(habit);
    let start = tracker.start();
    let (mut minute, mut step) = (0, 0);
    for (after, event, num_want) in [
        (0, Event::Started, None),
        (0, Event::None, Some(0)),
        (7, Event::None, Some(7)),
        (30, Event::Completed, Some(200)),
        (30, Event::None, Some(u32::MAX)),
        (1, Event::Stopped, Some(7)),
        (1, Event::Started, Some(7)),
    ] {
        minute += after;
        step += 1;
        let mut request = request(6881, 0, event);
        request.num_want = num_want;
        let now = start + minute * MINUTE + Duration::from_secs(step);
        announce(&mut worker, &request, "192.0.2.1", now).unwrap();
    }
    for (minutes, expected) in [(0, 1), (1, 0), (7, 1), (30, 2), (31, 0)] {
        let renewed = count(Habit::RenewedAfter(minutes));
        assert_eq!(renewed, expected, "{minutes} minutes");
    }
    for (peers, expected) in [(0, 1), (7, 2), (50, 1), (199, 0), (200, 2)] {
        assert_eq!(count(Habit::Wanted(peers)), expected, "{peers} peers");
    }
}

#[test]
fn who_comes_back_too_soon_is_seen() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let start = tracker.start();
    let mut step = 0;
    let mut early = |after: u32, event| {
        // More than a millisecond after the one before, so that it is looked at.
        step += 1;
        let now = start + after * MINUTE + Duration::from_secs(step);
        announce(&mut worker, &request(6881, 0, event), "192.0.2.1", now).unwrap();
        let busy = tracker.busy_networks(now);
        let count = |list: &[(IpAddr, u64)]| list.first().map_or(0, |&(_, count)| count);
        (count(&busy.fine), count(&busy.early))
    };
    assert_eq!(early(0, Event::Started), (1, 0));
    // Within the minute: a client over two protocols, or one with news.
    assert_eq!(early(0, Event::Completed), (2, 0));
    assert_eq!(early(14, Event::None), (3, 1));
    assert_eq!(
        early(29, Event::None),
        (4, 1),
        "after the interval that it was asked to keep"
    );
    // Who goes away is not here.
    assert_eq!(early(29, Event::Stopped), (4, 1));
}

#[test]
fn what_was_saved_comes_back_as_far_as_it_is_served() {
    let saving = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&saving), 1, None);
    let now = saving.start() + 100 * MINUTE;
    for (torrent, ports) in [(TORRENT, 1..=40), (OTHER, 1..=2)] {
        for port in ports {
            let mut request = request(port, u64::from(port % 2), Event::Completed);
            request.info_hash = torrent;
            announce(&mut worker, &request, "192.0.2.1", now).unwrap();
        }
    }
    let restoring = tracker(Settings::default());
    restoring.set_rules(rules(None, Some(&[OTHER])));
    let mut restored = Restored::default();
    let mut walk = SwarmWalk::new();
    while let Some(swarms) = walk.step(&saving, now) {
        for (torrent, peers) in swarms {
            let mut peers = peers.to_vec();
            peers.push(SavedPeer {
                addr: PeerAddr::new([224, 0, 0, 1].into(), 1),
                ..peers[0]
            });
            restored +=
                restoring.restore(torrent, peers.into_iter(), 10 * MINUTE, restoring.start());
        }
    }
    assert_eq!((restored.torrents, restored.peers), (1, 40));
    assert_eq!((restored.not_served, restored.impossible), (1, 1));
    assert_eq!(restored.timed_out_torrents + restored.timed_out_peers, 0);
    let counts = |tracker: &Tracker| tracker.summary(&TORRENT, tracker.start()).unwrap().counts;
    assert_eq!(counts(&restoring), counts(&saving));
    // What is denied is not saved either.
    saving.set_rules(rules(Some(&[]), None));
    let mut walk = SwarmWalk::new();
    while let Some(mut swarms) = walk.step(&saving, now) {
        assert!(swarms.next().is_none());
    }
}
