//! Clients and networks that are not served.

use std::sync::Arc;

use opentracker_core::{
    AccessLists, ClientList, Counter, Networks, PeerBuffers, Reason, Requester, Retry, Rules,
    Settings, Sweeper, ToldPeer, Tracker, Worker,
};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerAddr, PeerFlags, PeerId};

use crate::{MINUTE, TORRENT, announce, request, tracker};

pub(crate) fn networks(text: &str) -> Rules {
    let (networks, skipped) = Networks::read(text.as_bytes()).unwrap();
    assert_eq!(skipped.lines(), 0);
    let lists = AccessLists {
        deny_networks: Some(networks),
        ..AccessLists::default()
    };
    Rules::new(Settings::default(), lists)
}

pub(crate) fn clients(text: &str) -> Rules {
    let (clients, _) = ClientList::read(text.as_bytes()).unwrap();
    let lists = AccessLists {
        deny_clients: Some(clients),
        ..AccessLists::default()
    };
    Rules::new(Settings::default(), lists)
}

fn peers(tracker: &Tracker) -> (u64, u64) {
    let totals = tracker.totals(tracker.start() + 1000 * MINUTE);
    (totals.torrents, totals.peers.total())
}

#[test]
fn a_denied_client_is_told_so() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    tracker.set_rules(clients("-XL0012-\n"));
    let by = |id: &[u8; 20]| request(1, 1, Event::Started).with_peer_id(PeerId::new(*id));
    for event in [Event::Started, Event::Stopped] {
        let request = by(b"-XL0012-abcdefghijkl").with_event(event);
        let refused = announce(&mut worker, &request, "192.0.2.1", now).unwrap_err();
        assert_eq!(
            (refused.reason, refused.retry),
            (Reason::Client, Retry::Unsaid)
        );
    }
    announce(&mut worker, &by(b"-XL0013-abcdefghijkl"), "192.0.2.1", now).unwrap();
    let anonymous = request(2, 1, Event::Started);
    announce(&mut worker, &anonymous, "192.0.2.1", now).unwrap();
    assert_eq!(tracker.counters().sum(Counter::RefusedClient), 2);
    assert_eq!(peers(&tracker), (1, 2));
}

#[test]
fn a_denied_network_gets_nothing_on_any_path() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    tracker.set_rules(networks("192.0.2.0/24\n2001:db8::/32\n"));
    for source in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"] {
        let seed = request(1, 0, Event::Started);
        let refused = announce(&mut worker, &seed, source, now).unwrap_err();
        assert_eq!(refused.reason, Reason::Network, "{source}");
        assert_eq!(refused.reason.message(), None, "silence");
        let requester = Requester::new(source.parse().unwrap());
        assert!(!worker.answers(requester.ip));
        let scraped = worker.scrape([TORRENT].into_iter(), &requester, now, |_, _| {
            panic!("nothing is looked up")
        });
        assert_eq!(scraped.unwrap_err().reason, Reason::Network);
    }
    assert_eq!(tracker.counters().sum(Counter::RefusedNetwork), 3);
    let told = ["192.0.2.1", "2001:db8::1", "198.51.100.1"].map(|ip| {
        let peer = PeerAddr::new(ip.parse().unwrap(), 1);
        ToldPeer::new(TORRENT, peer, PeerFlags::NONE)
    });
    let applied = tracker.apply_peers(told.into_iter(), now);
    assert_eq!((applied.applied, applied.not_served), (1, 2));
    assert_eq!(peers(&tracker), (1, 1));
    assert!(
        tracker.summary(&TORRENT, now).is_some(),
        "others are served"
    );
}

/// Enters peers of two networks of each family into a swarm.
fn fill(worker: &mut Worker, torrent: InfoHash, each: u16, now: std::time::Instant) {
    for port in 1..=each {
        for source in ["192.0.2.1", "198.51.100.1", "2001:db8::1", "2001:db9::1"] {
            let request = AnnounceRequest::new(torrent, port).with_left(u64::from(port % 2));
            let requester = Requester::new(source.parse().unwrap());
            let mut peers = PeerBuffers::v4(&mut []);
            worker
                .announce(&request, &requester, now, &mut peers)
                .unwrap();
        }
    }
}

#[test]
fn peers_of_a_network_that_is_denied_now_are_purged() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    // In the torrent itself, in a list, in tables.
    let swarms = [1_u16, 5, 2000].map(|each| (InfoHash::new([each.to_be_bytes()[1]; 20]), each));
    for (torrent, each) in swarms {
        fill(&mut worker, torrent, each, now);
    }
    assert_eq!(tracker.purge_networks(now), 0, "there is no list");
    tracker.set_rules(networks("192.0.2.0/24\n2001:db8::/32\n"));
    assert_eq!(tracker.purge_networks(now), 2 * 2006);
    assert_eq!(peers(&tracker), (3, 2 * 2006));
    for (torrent, each) in swarms {
        let mut left = 0;
        tracker.visit_peers(&torrent, |octets, _| {
            assert!(
                [[198, 51, 100], [0x20, 0x01, 0x0d]].contains(&octets[..3].try_into().unwrap())
            );
            assert_ne!(octets[3], 0xb8);
            left += 1;
        });
        assert_eq!(left, 2 * each);
    }
    assert_eq!(tracker.purge_networks(now), 0);
    // With the last of its peers a torrent goes, too.
    tracker.set_rules(networks("0.0.0.0/0\n::/0"));
    assert_eq!(tracker.purge_networks(now), 2 * 2006);
    assert_eq!(peers(&tracker).1, 0);
}

#[test]
fn who_slips_in_during_a_purge_is_swept() {
    let tracker = tracker(Settings::default());
    let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
    let now = tracker.start();
    fill(&mut worker, TORRENT, 3, now);
    tracker.set_rules(networks("192.0.2.0/24\n2001:db8::/32\n"));
    let mut sweeper = Sweeper::new();
    let swept = loop {
        if let Some(swept) = sweeper.step(&tracker, now) {
            break swept;
        }
    };
    assert_eq!(swept.peers, 6);
    assert_eq!(peers(&tracker), (1, 6));
}
