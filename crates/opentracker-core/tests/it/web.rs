//! Browsers are served under the rules that hold for all.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentracker_core::{
    AnnounceReply, Counter, Networks, Rate, Reason, Refusal, Requester, Rules, Settings, Tracker,
    WebConnection, WebPeer, Worker,
};
use opentracker_types::{AnnounceRequest, Event, PeerId};

use crate::{Ear, MINUTE, TORRENT, announce, denied, request, rules, scrape, tracker};

struct Site {
    tracker: Arc<Tracker>,
    worker: Worker,
    now: Instant,
}

impl Site {
    fn new(settings: Settings) -> Self {
        let tracker = tracker(settings);
        Self {
            worker: Worker::new(Arc::clone(&tracker), 1, None),
            now: tracker.start(),
            tracker,
        }
    }

    /// Announces a browser at 192.0.2.`number`, and returns whom it was given as well.
    fn web(&mut self, number: u8, event: Event) -> Result<(AnnounceReply, Vec<u64>), Refusal> {
        let mut others = Vec::new();
        let requester = Requester::new([192, 0, 2, number].into());
        let reply = self.worker.announce_web(
            &browser_request(event),
            &browser(number),
            &requester,
            self.now,
            (5, &mut others),
        )?;
        let others = others.iter().map(|other| other.connection.0);
        Ok((reply, others.collect()))
    }

    fn find(&mut self, number: u8) -> Result<Vec<WebPeer>, Refusal> {
        let requester = Requester::new([192, 0, 2, 77].into());
        let peer_id = browser(number).peer_id;
        let mut found = Vec::new();
        self.worker
            .find_web(&TORRENT, peer_id, &requester, self.now, &mut found)?;
        Ok(found)
    }
}

fn browser_request(event: Event) -> AnnounceRequest {
    request(1, u64::from(event != Event::Completed), event)
        .with_peer_id(PeerId::new(*b"-WW0208-abcdefghijkl"))
}

fn browser(number: u8) -> WebPeer {
    WebPeer {
        peer_id: PeerId::new([number; 20]),
        connection: WebConnection(number.into()),
    }
}

#[test]
fn browsers_count_with_all_others_and_the_cluster_hears_of_none() {
    let mut site = Site::new(Settings::default());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Box::new(Ear(Arc::clone(&heard)));
    site.worker = Worker::new(Arc::clone(&site.tracker), 1, Some(ear));
    let first = site.web(1, Event::Started).unwrap();
    assert_eq!(first.1, []);
    assert!((108..=132).contains(&first.0.interval_secs), "{first:?}");
    let (reply, others) = site.web(2, Event::Completed).unwrap();
    assert_eq!((reply.counts.seeders, reply.counts.leechers), (1, 1));
    assert_eq!((reply.counts.downloads, others), (1, vec![1]));
    assert_eq!(site.find(2).unwrap(), [browser(2)]);
    assert_eq!(site.find(3).unwrap(), []);
    let counts = scrape(&mut site.worker).unwrap();
    assert_eq!((counts.seeders, counts.leechers), (1, 1));
    site.web(2, Event::Stopped).unwrap();
    site.worker.leave_web(&TORRENT, &browser(1), site.now);
    site.worker.leave_web(&TORRENT, &browser(1), site.now);
    let counts = scrape(&mut site.worker).unwrap();
    assert_eq!(
        (counts.seeders, counts.leechers, counts.downloads),
        (0, 0, 1)
    );
    let counters = site.tracker.counters();
    assert_eq!(counters.sum(Counter::Completed), 1);
    assert_eq!(counters.sum(Counter::Stopped), 1, "the other was cut off");
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn browsers_are_chosen_for_those_of_other_trackers() {
    let mut site = Site::new(Settings::default());
    for number in 1..=3 {
        site.web(number, Event::Started).unwrap();
    }
    site.web(4, Event::Completed).unwrap();
    for (seeding, want, chosen) in [(false, 9, 4), (true, 9, 3), (false, 2, 2), (false, 0, 0)] {
        let mut others = Vec::new();
        let there = site.worker.choose_web(&TORRENT, seeding, want, &mut others);
        assert_eq!(others.len(), chosen);
        assert_eq!((there.web_seeders, there.web_leechers), (1, 3));
    }
    let mut found = Vec::new();
    let peer_id = browser(2).peer_id;
    site.worker
        .find_web_for_cluster(&TORRENT, peer_id, &mut found);
    assert_eq!(found, [browser(2)]);
    site.tracker.set_rules(rules(None, Some(&[TORRENT])));
    let there = site.worker.choose_web(&TORRENT, false, 9, &mut found);
    site.worker
        .find_web_for_cluster(&TORRENT, peer_id, &mut found);
    assert_eq!((there.total(), found.len()), (0, 1), "it is not served");
}

#[test]
fn an_answer_goes_to_few_of_one_name() {
    let mut site = Site::new(Settings::default());
    for connection in 0..10 {
        let peer = WebPeer {
            connection: WebConnection(connection),
            ..browser(1)
        };
        let requester = Requester::new([192, 0, 2, 1].into());
        let request = browser_request(Event::Started);
        let others = &mut Vec::new();
        site.worker
            .announce_web(&request, &peer, &requester, site.now, (0, others))
            .unwrap();
    }
    assert_eq!(site.find(1).unwrap().len(), 4);
}

#[test]
fn lists_hold_for_browsers() {
    let mut site = Site::new(Settings::default());
    site.web(1, Event::Started).unwrap();
    announce(
        &mut site.worker,
        &request(1, 1, Event::Started),
        "192.0.2.9",
        site.now,
    )
    .unwrap();
    let deny = rules(None, Some(&[TORRENT]));
    for (rules, reason) in [
        (deny.clone(), Reason::Denied),
        (rules(Some(&[]), None), Reason::NotAllowed),
        (denied::networks("192.0.2.0/24"), Reason::Network),
        (denied::clients("-WW0208-"), Reason::Client),
    ] {
        site.tracker.set_rules(rules);
        let refused = site.web(2, Event::Started).unwrap_err();
        assert_eq!(refused.reason, reason);
    }
    site.tracker.set_rules(deny);
    assert_eq!(site.find(1).unwrap(), [], "not even an answer");
    assert_eq!(site.tracker.purge(site.now).peers, 2);
    site.tracker.set_rules(Rules::default());
    assert_eq!(site.tracker.totals(site.now).peers.total(), 0);
    site.web(1, Event::Started).unwrap();
    site.web(2, Event::Started).unwrap();
    site.tracker.set_rules(denied::networks("192.0.2.2/32"));
    assert_eq!(site.tracker.purge_networks(site.now), 1);
    assert_eq!(site.find(1).unwrap(), [browser(1)]);
}

#[test]
fn rates_hold_for_browsers() {
    let mut site = Site::new(Settings {
        rate: Some(Rate {
            token_interval: MINUTE,
            burst: 4,
            exempt: Networks::default(),
        }),
        ..Settings::default()
    });
    let mut refusals = (0..5).filter_map(|_| site.web(1, Event::None).err());
    assert_eq!(refusals.next().unwrap().reason, Reason::Rate);
    assert!(site.web(2, Event::None).is_ok(), "another prefix");
    for _ in 0..4 {
        site.find(2).unwrap();
    }
    assert_eq!(
        site.find(2).unwrap_err().reason,
        Reason::Rate,
        "nor answers"
    );
    site.now += Duration::from_secs(3600);
    assert!(site.web(1, Event::None).is_ok());
}
