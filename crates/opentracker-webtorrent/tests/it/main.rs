//! Connections of browsers, without their sockets.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod nodes;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{
    AccessLists, HashList, Networks, Rate, Requester, Rules, Tracker, WebConnection, Worker,
};
use opentracker_types::InfoHash;
use opentracker_webtorrent::{
    Context, Counter, MAX_MESSAGE_OCTETS, MAX_SWARMS, Session, Settings, handshake_response,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

const HASH: &str = "aaaaaaaaaaaaaaaaaaaa";

struct Site {
    tracker: Arc<Tracker>,
    worker: Worker,
    context: Context,
    now: Instant,
    sessions: Vec<Session>,
}

impl Site {
    fn new(rules: Rules) -> Self {
        let now = Instant::now();
        let tracker = Tracker::new(rules, now, &mut StdRng::seed_from_u64(1));
        let tracker = Arc::new(tracker);
        let worker = Worker::new(Arc::clone(&tracker), 7, None);
        Self {
            context: Context::new(&worker),
            tracker,
            worker,
            now,
            sessions: Vec::new(),
        }
    }

    /// Opens so many connections, numbered from 0.
    fn open(rules: Rules, connections: u8) -> Self {
        let mut site = Self::new(rules);
        for number in 0..connections {
            let ip = IpAddr::from([192, 0, 2, number + 1]);
            let connection = WebConnection(number.into());
            let session = Session::new(connection, Requester::new(ip));
            site.sessions.push(session);
        }
        site
    }

    /// Sends octets over a connection, and returns what comes back and what goes to others.
    fn send(&mut self, from: usize, octets: &[u8]) -> (Vec<u8>, Vec<(u64, Value)>) {
        let mut octets = octets.to_vec();
        let (context, worker) = (&mut self.context, &mut self.worker);
        self.sessions[from].receive(&mut octets, context, worker, self.now);
        let deliveries = context.deliveries.drain(..);
        let deliveries = deliveries.map(|delivery| (delivery.to.0, message(&delivery.octets)));
        (std::mem::take(&mut context.output), deliveries.collect())
    }

    fn ask(&mut self, from: usize, request: &Value) -> (Value, Vec<(u64, Value)>) {
        let (reply, deliveries) = self.send(from, &frame(0x81, request.to_string().as_bytes()));
        let reply = match reply.is_empty() {
            true => Value::Null,
            false => message(&reply),
        };
        (reply, deliveries)
    }

    fn sum(&self, counter: Counter) -> u64 {
        self.tracker.counters().sum(counter)
    }
}

/// A frame as clients send it, with a mask.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [9, 8, 7, 6];
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(len @ 0..126) => frame.push(0x80 | u8::try_from(len).unwrap()),
        Ok(len) => {
            frame.push(0x80 | 126);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    let keys = mask.iter().cycle();
    frame.extend(payload.iter().zip(keys).map(|(octet, key)| octet ^ key));
    frame
}

/// The message in a frame of the tracker.
fn message(frame: &[u8]) -> Value {
    assert_eq!(frame[0], 0x81, "text, and whole");
    let start = if frame[1] == 126 { 4 } else { 2 };
    serde_json::from_slice(&frame[start..]).unwrap()
}

fn peer_id(number: usize) -> String {
    format!("-WW0208-{number:012}")
}

fn announce(number: usize, event: &str, offers: usize) -> Value {
    let offers: Vec<_> = (0..offers)
        .map(|offer| {
            json!({
                "offer": { "type": "offer", "sdp": format!("v={number}.{offer}\r\n") },
                "offer_id": format!("{number:010}{offer:010}"),
            })
        })
        .collect();
    json!({
        "action": "announce", "info_hash": HASH, "peer_id": peer_id(number), "event": event,
        "left": u8::from(event != "completed"), "numwant": offers.len(), "offers": offers,
    })
}

fn answer(from: usize, to: usize, offer_id: &str) -> Value {
    json!({
        "action": "announce", "info_hash": HASH, "peer_id": peer_id(from), "to_peer_id": peer_id(to),
        "answer": { "type": "answer", "sdp": "yes" }, "offer_id": offer_id,
    })
}

#[test]
fn an_offer_goes_to_another_and_its_answer_comes_back() {
    let mut site = Site::open(Rules::default(), 3);
    let (reply, deliveries) = site.ask(0, &announce(0, "started", 5));
    assert_eq!(
        (&reply["action"], &reply["info_hash"]),
        (&json!("announce"), &json!(HASH))
    );
    assert_eq!(
        (&reply["complete"], &reply["incomplete"]),
        (&json!(0), &json!(1))
    );
    assert!(reply["interval"].as_u64().unwrap() <= 132);
    assert_eq!(deliveries, [], "there is nobody");

    let (reply, deliveries) = site.ask(1, &announce(1, "completed", 5));
    assert_eq!(
        (&reply["complete"], &reply["downloaded"]),
        (&json!(1), &json!(1))
    );
    let [(to, offer)] = &deliveries[..] else {
        panic!("one offer: {deliveries:?}");
    };
    assert_eq!(*to, 0);
    assert_eq!(offer["peer_id"], json!(peer_id(1)));
    assert_eq!(
        offer["offer"],
        json!({ "type": "offer", "sdp": "v=1.0\r\n" })
    );

    let offer_id = offer["offer_id"].as_str().unwrap();
    let (reply, deliveries) = site.ask(0, &answer(0, 1, offer_id));
    assert_eq!(reply, Value::Null, "an answer is not answered");
    let [(1, answered)] = &deliveries[..] else {
        panic!("one answer: {deliveries:?}");
    };
    assert_eq!(answered["answer"]["sdp"], "yes");
    assert_eq!(answered["offer_id"], offer["offer_id"]);
    assert_eq!(answered["peer_id"], json!(peer_id(0)));

    assert_eq!(
        site.ask(2, &answer(2, 1, offer_id)).1,
        [],
        "who has not announced"
    );
    assert_eq!(
        site.ask(0, &answer(0, 9, offer_id)).1,
        [],
        "who is not there"
    );
    for (counter, times) in [
        (Counter::Announce, 2),
        (Counter::Offer, 1),
        (Counter::Answer, 1),
        (Counter::AnswerOfStranger, 1),
        (Counter::AnswerToNobody, 1),
        (Counter::OffersBeyond, 0),
    ] {
        assert_eq!(site.sum(counter), times, "{counter:?}");
    }
}

#[test]
fn a_connection_has_peers_of_many_torrents_and_takes_them_with_it() {
    let mut site = Site::open(Rules::default(), 2);
    for number in 0..MAX_SWARMS {
        let mut request = announce(0, "started", 0);
        request["info_hash"] = json!(format!("{number:020}"));
        let (reply, _) = site.ask(0, &request);
        assert_eq!(reply["incomplete"], json!(1));
    }
    let (reply, _) = site.ask(0, &announce(0, "started", 0));
    let reason = reply["failure reason"].as_str().unwrap();
    assert!(reason.contains("as many torrents"), "{reason}");
    assert_eq!(site.sum(Counter::TooManySwarms), 1);
    let mut gone = announce(0, "stopped", 0);
    gone["info_hash"] = json!(format!("{:020}", 7));
    site.ask(0, &gone);
    assert_eq!(
        site.ask(0, &announce(0, "started", 0)).0["incomplete"],
        json!(1)
    );
    site.ask(1, &announce(1, "started", 0));
    let totals = site.tracker.totals(site.now).peers;
    assert_eq!(totals.web_leechers, MAX_SWARMS as u64 + 1);
    site.sessions[0].leave(&mut site.worker, site.now);
    let later = site.now + Duration::from_secs(2);
    let totals = site.tracker.totals(later);
    assert_eq!((totals.peers.total(), totals.torrents), (1, 1));
}

#[test]
fn no_more_offers_are_passed_on_than_there_may_be() {
    let rules = Rules::default().with_extension(Settings { max_offers: 3 });
    let mut site = Site::open(rules, 9);
    for number in 1..9 {
        site.ask(number, &announce(number, "started", 0));
    }
    let (_, deliveries) = site.ask(0, &announce(0, "started", 100));
    assert_eq!(deliveries.len(), 3);
    let mut to: Vec<_> = deliveries.iter().map(|(to, _)| *to).collect();
    to.sort_unstable();
    to.dedup();
    assert_eq!(to.len(), 3, "each to another");
    assert_eq!(site.sum(Counter::OffersBeyond), 97);
}

#[test]
fn scrapes_count_peers_of_every_kind() {
    let mut site = Site::open(Rules::default(), 2);
    site.ask(0, &announce(0, "completed", 0));
    let (reply, _) = site.ask(
        1,
        &json!({ "action": "scrape", "info_hash": [HASH, "b".repeat(20)] }),
    );
    let files = &reply["files"];
    assert_eq!(
        files[HASH],
        json!({ "complete": 1, "incomplete": 0, "downloaded": 1 })
    );
    assert_eq!(files["b".repeat(20)]["complete"], 0, "nobody has it");
    let (reply, _) = site.ask(1, &json!({ "action": "scrape", "info_hash": HASH }));
    assert_eq!(reply["files"][HASH]["complete"], 1);
    assert_eq!(site.sum(Counter::Scrape), 2);
}

#[test]
fn refusals_are_said_and_networks_are_not_served() {
    let deny = [InfoHash::new([b'a'; 20])]
        .into_iter()
        .collect::<HashList>();
    let lists = AccessLists {
        deny: Some(deny),
        deny_networks: Some(Networks::new(["192.0.2.2/32".parse().unwrap()])),
        ..AccessLists::default()
    };
    let mut site = Site::open(Rules::new(Default::default(), lists), 2);
    let (reply, _) = site.ask(0, &announce(0, "started", 0));
    assert_eq!(reply["failure reason"], "this torrent is blocked here");
    assert_eq!(
        (&reply["action"], &reply["info_hash"]),
        (&json!("announce"), &json!(HASH))
    );
    let text = announce(1, "started", 0).to_string();
    let (octets, _) = site.send(1, &frame(0x81, text.as_bytes()));
    assert_eq!(octets, [0x88, 2, 3, 0xf0], "1008, and nothing else");
    assert!(site.sessions[1].is_closing() && !site.sessions[0].is_closing());
    assert_eq!(site.sum(Counter::Network), 1);
}

#[test]
fn who_sends_too_much_is_told_so_and_then_not_answered() {
    let rules = Rules::new(
        opentracker_core::Settings {
            rate: Some(Rate {
                token_interval: Duration::from_secs(60),
                burst: 4,
                exempt: Networks::default(),
            }),
            ..Default::default()
        },
        AccessLists::default(),
    );
    let mut site = Site::open(rules, 1);
    let replies: Vec<_> = (0..20)
        .map(|_| site.ask(0, &announce(0, "", 0)).0)
        .collect();
    let is_refused = |reply: &&Value| reply["failure reason"] == "too many requests";
    assert_eq!(replies.iter().filter(is_refused).count(), 4);
    assert_eq!(replies.last(), Some(&Value::Null), "silence");
}

#[test]
fn what_is_not_understood_is_answered_and_counted() {
    let mut site = Site::open(Rules::default(), 1);
    for (request, counter) in [
        (json!([]), Counter::BadJson),
        (json!({ "action": "dance" }), Counter::BadAction),
        (
            json!({ "action": "announce", "info_hash": "x" }),
            Counter::BadInfoHash,
        ),
        (
            json!({ "action": "announce", "info_hash": HASH }),
            Counter::BadId,
        ),
        (
            json!({
                "action": "announce", "info_hash": HASH, "peer_id": peer_id(0),
                "offers": [{ "offer": null }],
            }),
            Counter::BadDescription,
        ),
    ] {
        let (reply, _) = site.ask(0, &request);
        assert!(reply["failure reason"].is_string(), "{reply}");
        assert_eq!(site.sum(counter), 1, "{request}");
    }
    assert!(!site.sessions[0].is_closing());
}

#[test]
fn what_no_browser_sends_ends_the_connection_with_a_code() {
    for (octets, code, counter) in [
        (vec![0x81, 2, b'{', b'}'], 1002_u16, Counter::BadFrame),
        (
            frame(0x81, &vec![b' '; MAX_MESSAGE_OCTETS + 1]),
            1009,
            Counter::TooLarge,
        ),
        (frame(0x81, b"\xff"), 1007, Counter::BadText),
    ] {
        let mut site = Site::open(Rules::default(), 1);
        site.ask(0, &announce(0, "started", 0));
        let (reply, _) = site.send(0, &octets);
        let [high, low] = code.to_be_bytes();
        assert_eq!(reply, [0x88, 2, high, low]);
        assert!(site.sessions[0].is_closing() && site.sessions[0].is_refused());
        assert_eq!(site.sum(counter), 1);
        let after = frame(0x81, announce(0, "started", 0).to_string().as_bytes());
        assert!(site.send(0, &after).0.is_empty(), "it is over");
    }
    let mut site = Site::open(Rules::default(), 1);
    let close = frame(0x88, &[3, 0xe8, b'b', b'y', b'e']);
    assert_eq!(site.send(0, &close).0, [0x88, 2, 3, 0xe8]);
    assert!(site.sessions[0].is_closing() && !site.sessions[0].is_refused());
}

#[test]
fn a_connection_at_rest_is_small() {
    assert!(size_of::<Session>() <= 144, "{}", size_of::<Session>());
    assert!(handshake_response("key").starts_with("HTTP/1.1 101 "));
}
