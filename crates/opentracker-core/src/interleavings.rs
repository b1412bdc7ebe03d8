//! Interleavings of the threads that share something, by shuttle: `cargo xtask sanitize` runs
//! these tests, in a build of their own.
//!
//! The locks of the store are not shuttle's: what a thread does under one of them is one step here.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use opentracker_types::{AnnounceRequest, InfoHash, PeerAddr, PeerFlags};
use rand::SeedableRng;
use rand::rngs::StdRng;
use shuttle::thread;

use crate::topic::Topic;
use crate::{
    AccessLists, CounterRegistry, HashList, PeerBuffers, Requester, Rules, Settings, ToldDownloads,
    ToldPeer, Tracker, Worker,
};

const TORRENT: InfoHash = InfoHash::new([7; 20]);

/// How many interleavings are tried.
const RUNS: usize = 5000;

crate::counters! {
    enum Test {
        "test_total" things "Things." ["kind"] {
            A ["a"],
            B ["b"],
        }
    }
}

/// Tries interleavings that a seed draws, the same each time.
fn explore(test: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random_with_seed(test, 1, RUNS);
}

#[test]
fn nothing_that_was_counted_is_lost() {
    explore(|| {
        let registry = Arc::new(CounterRegistry::default());
        let threads = [1, 10].map(|number| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                let counters = registry.register();
                counters.add(Test::B, number);
                counters.add(Test::B, number);
            })
        });
        let first = registry.sum(Test::B);
        let second = registry.sum(Test::B);
        assert!(first <= second, "{first} and then {second}");
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(registry.sum(Test::B), 22);
        assert_eq!(registry.sum(Test::A), 0);
    });
}

#[test]
fn what_happens_is_heard_of_or_missed() {
    explore(|| {
        let topic = Arc::new(Topic::default());
        let subscription = topic.subscribe(|_| true);
        let publisher = {
            let topic = Arc::clone(&topic);
            thread::spawn(move || {
                for number in [1, 2] {
                    topic.publish(&number);
                }
            })
        };
        let other = {
            let topic = Arc::clone(&topic);
            thread::spawn(move || drop(topic.subscribe(|_| false)))
        };
        let (mut heard, mut missed) = subscription.take();
        publisher.join().unwrap();
        other.join().unwrap();
        let (more, missed_more) = subscription.take();
        heard.extend(more);
        missed += missed_more;
        assert!(heard.iter().is_sorted(), "{heard:?}");
        assert_eq!(heard.len() as u64 + missed, 2, "{heard:?}");
        drop(subscription);
        assert!(!topic.is_wanted());
    });
}

/// A tracker that serves all torrents.
fn tracker() -> Arc<Tracker> {
    let mut rng = StdRng::seed_from_u64(1);
    let tracker = Tracker::with_parts(2, Rules::default(), now(), &mut rng);
    Arc::new(tracker)
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn now() -> Instant {
    Instant::now()
}

/// Denies the torrent while another thread does something for it.
fn deny_meanwhile(act: impl Fn(&Arc<Tracker>) + Copy + Send + Sync + 'static) {
    explore(move || {
        let tracker = tracker();
        let acting = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || act(&tracker))
        };
        let lists = AccessLists {
            deny: Some([TORRENT].into_iter().collect::<HashList>()),
            ..AccessLists::default()
        };
        tracker.set_rules(Rules::new(Settings::default(), lists));
        tracker.purge(now());
        acting.join().unwrap();
        assert_eq!(tracker.totals(now()).torrents, 0);
    });
}

#[test]
fn an_announce_beside_a_purge_leaves_nothing() {
    deny_meanwhile(|tracker| {
        let mut worker = Worker::new(Arc::clone(tracker), 1, None);
        let request = AnnounceRequest::new(TORRENT, 1);
        let requester = Requester::new(IpAddr::from([192, 0, 2, 1]));
        let mut peers = PeerBuffers::v4(&mut []);
        // Whether it is served or refused is up to the threads.
        worker
            .announce(&request, &requester, now(), &mut peers)
            .ok();
    });
}

#[test]
fn what_a_sibling_tells_beside_a_purge_leaves_nothing() {
    deny_meanwhile(|tracker| {
        let peer = ToldPeer {
            info_hash: TORRENT,
            peer: PeerAddr::new(IpAddr::from([192, 0, 2, 1]), 1),
            flags: PeerFlags::default(),
            age_minutes: None,
        };
        tracker.apply_peers([peer].into_iter(), now());
        let downloads = ToldDownloads {
            info_hash: TORRENT,
            idle_minutes: 0,
            downloads: 7,
        };
        tracker.apply_downloads([downloads].into_iter(), now(), |_, _| {});
    });
}
