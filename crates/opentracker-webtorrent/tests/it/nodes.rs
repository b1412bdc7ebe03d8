//! Browsers of several nodes, with messages carried by hand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use opentracker_core::{AccessLists, HashList, Rules};
use opentracker_livesync_wire::Keys;
use opentracker_types::InfoHash;
use opentracker_webtorrent::{
    Context, Counter, MAX_OFFERS_TO_ALL, MAX_SEEKS_PER_SECOND, NodeId, NodeMessage, Nodes, Settings,
};
use serde_json::{Value, json};

use crate::{HASH, Site, announce, answer, message};

const UNIX: u64 = 1_764_080_000;

/// Octets of a message without offers.
const BARE: usize = 59;

/// What a browser was given: its node, its connection, and the message.
type Given = (usize, u64, Value);

struct Cluster {
    sites: Vec<Site>,
    keys: Keys,
    /// Everything that was sent, and by which node.
    sent: Vec<(usize, NodeMessage)>,
    /// How many offers there were, each of which has another id.
    offers: u64,
}

impl Cluster {
    /// Nodes with so many connections each, none of which has announced.
    fn new(nodes: usize, connections: u8) -> Self {
        let rules = || Rules::default().with_extension(Settings::default());
        let sites = (0..nodes).map(|_| Site::open(rules(), connections));
        let mut sites: Vec<_> = sites.collect();
        for (number, site) in sites.iter_mut().enumerate() {
            let id = NodeId::new(number as u64 + 1);
            let nodes = Arc::new(Nodes::new(id, site.now));
            site.context = Context::new(&site.worker).with_nodes(Some(nodes));
        }
        Self {
            sites,
            keys: Keys::parse(&"0a".repeat(32)).unwrap(),
            sent: Vec::new(),
            offers: 0,
        }
    }

    /// A peer announces on a connection of a node, and everything is passed on.
    fn announce(&mut self, node: usize, connection: usize, request: &Value) -> Vec<Given> {
        let (_, deliveries) = self.sites[node].ask(connection, request);
        let deliveries = deliveries.into_iter();
        let mut given: Vec<_> = deliveries.map(|(to, value)| (node, to, value)).collect();
        given.extend(self.carry());
        given
    }

    /// A browser with a name of its own announces, with so many offers.
    fn browser(
        &mut self,
        node: usize,
        connection: usize,
        event: &str,
        offers: usize,
    ) -> Vec<Given> {
        let mut request = announce(100 * (node + 1) + connection, event, offers);
        for offer in request["offers"].as_array_mut().unwrap() {
            self.offers += 1;
            offer["offer_id"] = json!(format!("{:020}", self.offers));
        }
        self.announce(node, connection, &request)
    }

    /// Carries messages until there are none.
    fn carry(&mut self) -> Vec<Given> {
        let mut given = Vec::new();
        loop {
            let mut sent = Vec::new();
            for (from, site) in self.sites.iter_mut().enumerate() {
                let messages = site.context.messages.drain(..);
                sent.extend(messages.map(|message| (from, message)));
            }
            if sent.is_empty() {
                return given;
            }
            for (from, message) in sent {
                self.sent.push((from, message.clone()));
                let octets = self.sealed(message.clone());
                let ids = (0..self.sites.len()).map(|number| NodeId::new(number as u64 + 1));
                for (to, id) in ids.enumerate().filter(|(to, _)| *to != from) {
                    if message.to.is_none_or(|to| to == id) {
                        given.extend(self.receive(to, &octets));
                    }
                }
            }
        }
    }

    fn sealed(&self, mut message: NodeMessage) -> Vec<u8> {
        message.seal(UNIX, self.keys.first());
        message.octets
    }

    fn receive(&mut self, node: usize, octets: &[u8]) -> Vec<Given> {
        self.receive_at(node, octets, UNIX)
    }

    fn receive_at(&mut self, node: usize, octets: &[u8], unix_secs: u64) -> Vec<Given> {
        let site = &mut self.sites[node];
        let time = (&self.keys, unix_secs);
        site.context
            .receive(octets, time, &mut site.worker, site.now);
        let deliveries = site.context.deliveries.drain(..);
        deliveries
            .map(|delivery| (node, delivery.to.0, message(&delivery.octets)))
            .collect()
    }

    fn pass(&mut self, time: Duration) {
        for site in &mut self.sites {
            site.now += time;
        }
    }

    fn to_all(&self) -> usize {
        let to_all = self.sent.iter().filter(|(_, message)| message.to.is_none());
        to_all.count()
    }

    fn sum(&self, node: usize, counter: Counter) -> u64 {
        self.sites[node].sum(counter)
    }
}

fn offer_ids(given: &[Given]) -> Vec<&str> {
    let offers = given
        .iter()
        .filter(|(_, _, value)| value["offer"].is_object());
    offers
        .map(|(_, _, value)| value["offer_id"].as_str().unwrap())
        .collect()
}

#[test]
fn an_offer_reaches_another_node_and_its_answer_comes_back() {
    let mut cluster = Cluster::new(3, 3);
    assert_eq!(cluster.browser(0, 0, "started", 5), [], "there is nobody");
    assert_eq!(cluster.to_all(), 1);
    let given = cluster.browser(1, 1, "started", 5);
    let [(0, 0, offer)] = &given[..] else {
        panic!("one offer, at node 0: {given:?}");
    };
    assert_eq!(offer["peer_id"], "-WW0208-000000000201");
    assert!(
        offer["offer"]["sdp"]
            .as_str()
            .unwrap()
            .starts_with("v=201.")
    );

    let offer_id = offer["offer_id"].as_str().unwrap();
    let answered = answer(100, 201, offer_id);
    let given = cluster.announce(0, 0, &answered);
    let [(1, 1, back)] = &given[..] else {
        panic!("one answer, at node 1: {given:?}");
    };
    assert_eq!(back["answer"]["sdp"], "yes");
    assert_eq!(back["offer_id"], offer["offer_id"]);
    assert_eq!(back["peer_id"], "-WW0208-000000000100");
    assert_eq!(
        cluster.announce(0, 0, &answered),
        [],
        "an offer has one answer"
    );
    for (node, counter, times) in [
        (0, Counter::OfferIn, 1),
        (0, Counter::AnswerOut, 1),
        (0, Counter::AnswerToNobody, 1),
        // There is one who can take it, which was heard before.
        (1, Counter::OfferOut, 1),
        (1, Counter::AnswerIn, 1),
        (2, Counter::OfferIn, 0),
        // That each of them is there.
        (2, Counter::NodeMessageIn, 2),
    ] {
        assert_eq!(cluster.sum(node, counter), times, "{node} {counter:?}");
    }
    // Now each knows where the other is, and sends no more than it can take.
    let before = cluster.sent.len();
    cluster.pass(Duration::from_secs(120));
    assert_eq!(offer_ids(&cluster.browser(0, 0, "", 5)).len(), 1);
    assert_eq!(offer_ids(&cluster.browser(1, 1, "", 5)).len(), 1);
    let sent = cluster.sent[before..].iter();
    let with_offers = sent.filter(|(_, message)| message.octets.len() > BARE);
    let to: Vec<_> = with_offers.map(|(_, message)| message.to).collect();
    assert_eq!(to, [Some(NodeId::new(2)), Some(NodeId::new(1))]);
}

#[test]
fn each_offer_goes_to_one_peer_of_one_node() {
    let mut cluster = Cluster::new(4, 6);
    for event in ["started", ""] {
        for node in 0..4 {
            for connection in 0..3 {
                cluster.browser(node, connection, event, 10);
            }
        }
    }
    let before = cluster.to_all();
    let given = cluster.browser(0, 5, "started", 10);
    assert_eq!(cluster.to_all(), before, "all are known");
    let mut offers = offer_ids(&given);
    assert_eq!(offers.len(), 10);
    offers.sort_unstable();
    offers.dedup();
    assert_eq!(offers.len(), 10, "none of them twice");
    let places: BTreeSet<_> = given.iter().map(|(node, to, _)| (*node, *to)).collect();
    assert_eq!(places.len(), 10, "no peer twice");
    let nodes: BTreeSet<_> = given.iter().map(|(node, ..)| *node).collect();
    assert_eq!(nodes.len(), 4);
}

#[test]
fn all_are_asked_seldom_and_with_few_offers() {
    let mut cluster = Cluster::new(2, 50);
    for connection in 0..50 {
        cluster.browser(0, connection, "started", 10);
    }
    assert_eq!(cluster.to_all(), 1, "one for all of them");
    cluster.pass(Duration::from_secs(11));
    cluster.browser(0, 0, "", 10);
    assert_eq!(cluster.to_all(), 1, "each of its offers has a peer here");
    let mut alone = Cluster::new(2, 1);
    alone.browser(0, 0, "started", 10);
    for _ in 0..5 {
        alone.pass(Duration::from_secs(120));
        alone.browser(0, 0, "", 10);
    }
    assert_eq!(alone.to_all(), 6);
    assert_eq!(alone.sum(0, Counter::OfferOut), MAX_OFFERS_TO_ALL as u64);
    let octets = alone.sent.iter().map(|(_, message)| message.octets.len());
    let octets = octets.filter(|octets| *octets > BARE);
    assert_eq!(octets.count(), 1, "the others say that it is there");
}

#[test]
fn new_torrents_without_end_ask_all_so_often_in_a_second() {
    let mut cluster = Cluster::new(1, 3);
    let most = usize::try_from(MAX_SEEKS_PER_SECOND).unwrap();
    for number in 0..most + 500 {
        let mut request = announce(7, "started", 1);
        request["info_hash"] = json!(format!("{number:020}"));
        cluster.announce(0, number % 3, &request);
    }
    assert_eq!(cluster.to_all(), most);
    assert_eq!(cluster.sum(0, Counter::NodePace), 500);
    cluster.pass(Duration::from_secs(1));
    cluster.browser(0, 0, "started", 1);
    assert_eq!(cluster.to_all(), most + 1);
}

#[test]
fn a_large_swarm_shares_a_quarter_of_its_offers_and_makes_no_storm() {
    const NODES: usize = 8;
    const BROWSERS: usize = 60;
    const OFFERS: usize = 10;
    let mut cluster = Cluster::new(NODES, 60);
    let mut crossed = 0;
    let mut ways = BTreeSet::new();
    let mut given_in_all = 0;
    for round in 0..3 {
        let before = (cluster.sent.len(), cluster.to_all());
        for connection in 0..BROWSERS {
            for node in 0..NODES {
                let event = if round == 0 { "started" } else { "" };
                let given = cluster.browser(node, connection, event, OFFERS);
                if round > 0 {
                    given_in_all += offer_ids(&given).len();
                    let there = given.iter().filter(|(at, ..)| *at != node);
                    let there: Vec<_> = there.map(|(at, ..)| (node, *at)).collect();
                    crossed += there.len();
                    ways.extend(there);
                }
            }
        }
        let announces = NODES * BROWSERS;
        if round > 0 {
            let sent = cluster.sent.len() - before.0;
            let bare = NODES * NODES;
            assert!(sent <= OFFERS * announces / 4 + bare, "each has an offer");
            assert_eq!(
                cluster.to_all() - before.1,
                NODES,
                "each says that it is there"
            );
        }
        cluster.pass(Duration::from_secs(120));
    }
    let announces = 2 * NODES * BROWSERS;
    assert_eq!(given_in_all, OFFERS * announces, "every offer has a peer");
    assert_eq!(crossed, OFFERS * announces / 4);
    assert_eq!(ways.len(), NODES * (NODES - 1), "from each to each");
}

#[test]
fn a_page_with_one_offer_shares_each_fourth() {
    let mut cluster = Cluster::new(2, 3);
    for node in 0..2 {
        for connection in 0..3 {
            cluster.browser(node, connection, "started", 0);
        }
    }
    let nodes: Vec<_> = (0..8).map(|_| cluster.browser(0, 0, "", 1)[0].0).collect();
    assert_eq!(nodes.iter().filter(|node| **node == 1).count(), 2);
}

#[test]
fn seeders_are_not_offered_to_seeders_of_other_nodes() {
    let mut cluster = Cluster::new(2, 4);
    for connection in 0..3 {
        cluster.browser(0, connection, "completed", 0);
    }
    let given = cluster.browser(1, 0, "completed", 5);
    assert_eq!(given, []);
    let before = cluster.sent.len();
    cluster.pass(Duration::from_secs(60));
    let mut seeding = announce(200, "", 5);
    seeding["left"] = json!(0);
    assert_eq!(cluster.announce(1, 0, &seeding), []);
    assert_eq!(cluster.sent.len(), before, "nobody there has a use for it");
    assert_eq!(offer_ids(&cluster.browser(1, 1, "started", 9)).len(), 4);
}

#[test]
fn who_announces_at_two_nodes_is_not_offered_to_itself() {
    let mut cluster = Cluster::new(2, 2);
    let request = announce(1, "started", 5);
    cluster.announce(0, 0, &request);
    assert_eq!(cluster.announce(1, 0, &request), []);
    assert_eq!(cluster.sum(0, Counter::OfferIn), 0);
}

#[test]
fn what_a_node_does_not_serve_it_takes_for_no_other() {
    let mut cluster = Cluster::new(3, 2);
    for node in 0..2 {
        cluster.browser(node, 0, "started", 0);
    }
    let deny = [InfoHash::new([b'a'; 20])]
        .into_iter()
        .collect::<HashList>();
    let lists = AccessLists {
        deny: Some(deny),
        ..AccessLists::default()
    };
    let denying = Rules::new(Default::default(), lists).with_extension(Settings::default());
    cluster.sites[0].tracker.set_rules(denying);
    // Turned off, with a connection that stays.
    cluster.sites[1].tracker.set_rules(Rules::default());
    assert_eq!(cluster.browser(2, 0, "started", 5), []);
    assert_eq!(cluster.sum(0, Counter::OfferIn), 0);
    assert_eq!(cluster.sum(1, Counter::OfferIn), 0);
}

#[test]
fn what_is_forged_old_repeated_or_not_ours_is_dropped_and_counted() {
    let mut cluster = Cluster::new(3, 2);
    cluster.sites[1].ask(0, &announce(200, "started", 0));
    cluster.sites[1].context.messages.clear();
    cluster.sites[0].ask(0, &announce(100, "started", 3));
    let message = cluster.sites[0].context.messages.remove(0);
    let good = cluster.sealed(message.clone());

    let mut other = message.clone();
    other.seal(UNIX, Keys::parse(&"0b".repeat(32)).unwrap().first());
    let mut altered = good.clone();
    altered[30] ^= 1;
    for forged in [&other.octets, &altered, &good[1..].to_vec(), &Vec::new()] {
        assert_eq!(cluster.receive(1, forged), []);
    }
    assert_eq!(cluster.sum(1, Counter::NodeSeal), 4);

    for (times, late) in [(1, UNIX - 61), (2, UNIX + 61), (3, 0)] {
        assert_eq!(cluster.receive_at(1, &good, late), []);
        assert_eq!(cluster.sum(1, Counter::NodeTime), times);
    }
    assert_eq!(cluster.receive(0, &good), [], "an echo");
    assert_eq!(cluster.sum(0, Counter::NodeOwn), 1);

    let mut senseless = message.clone();
    senseless.octets.push(0);
    let senseless = cluster.sealed(senseless);
    assert_eq!(cluster.receive(1, &senseless), []);
    assert_eq!(cluster.sum(1, Counter::NodeForm), 1);

    assert_eq!(offer_ids(&cluster.receive(1, &good)).len(), 1);
    cluster.carry();
    // One was taken, and the others are still good; then nobody takes any of them.
    for times in [1, 1] {
        assert_eq!(offer_ids(&cluster.receive(1, &good)).len(), times);
    }
    assert_eq!(cluster.receive(1, &good), []);
    assert_eq!(cluster.sum(1, Counter::NodeDuplicate), 1);
    cluster.carry();

    // What is for another is no message here.
    let sent = cluster.sent.iter();
    let mut for_one = sent.filter(|(from, message)| *from == 1 && message.to.is_some());
    let for_one = for_one.next().unwrap().1.clone();
    let for_one = cluster.sealed(for_one);
    assert_eq!(cluster.receive(2, &for_one), []);
    assert_eq!(cluster.sum(2, Counter::NodeForm), 1);
}

#[test]
fn an_answer_to_who_has_gone_is_counted() {
    let mut cluster = Cluster::new(2, 1);
    cluster.browser(0, 0, "started", 0);
    let given = cluster.browser(1, 0, "started", 1);
    let offer_id = given[0].2["offer_id"].as_str().unwrap().to_owned();
    let site = &mut cluster.sites[1];
    site.sessions[0].leave(&mut site.worker, site.now);
    assert_eq!(cluster.announce(0, 0, &answer(100, 200, &offer_id)), []);
    assert_eq!(cluster.sum(1, Counter::NodeGone), 1);
    let (torrent, late) = (HASH, Duration::from_secs(151));
    assert_eq!(torrent.len(), 20);
    let given = cluster.browser(1, 0, "started", 1);
    let offer_id = given[0].2["offer_id"].as_str().unwrap().to_owned();
    cluster.pass(late);
    assert_eq!(cluster.announce(0, 0, &answer(100, 200, &offer_id)), []);
    assert_eq!(cluster.sum(0, Counter::AnswerToNobody), 1, "it is too late");
}
