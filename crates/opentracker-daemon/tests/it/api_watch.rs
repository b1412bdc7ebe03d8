//! What the admin API of the running program shows of torrents and requests.
//!
//! | sentence | tests |
//! |---|---|
//! | torrents come in pages, in any order | `torrents_come_in_pages` |
//! | a torrent is shown with its peers, and can be purged | `a_torrent_can_be_looked_at_and_purged` |
//! | events tell first seeder, completed, gone, blocked, unblocked | `events_are_followed` |
//! | a trace shows requests and why each was answered as it was | `a_trace_shows_why` |
//! | streams end when the tracker stops, or when they have shown enough | `streams_end_with_the_tracker` |
//! | prefixes over the rate are listed | `limited_prefixes_are_listed` |
//! | at `debug` each request is a line with its outcome, and addresses are shortened | `each_request_is_a_line_at_debug` |

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::datagram::{Announce, Client};
use crate::operator::{Api, hex, setup};
use crate::program::eventually;
use crate::request::{announce, get};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

#[test]
fn torrents_come_in_pages() {
    let tracker = setup().start();
    let client = Client::of(tracker.udp());
    let hash = |number: u8| [number; 20];
    for number in 1..=25 {
        for port in 1..=u16::from(number % 5) + 1 {
            client.announce(&Announce::new(hash(number), port));
        }
    }
    let api = Api::control(&tracker);
    let all = |sort: &str, limit: usize| {
        let (mut all, mut cursor): (Vec<Value>, _) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("torrents?sort={sort}&limit={limit}{cursor}"));
            let torrents = page["torrents"].as_array().unwrap();
            assert!(torrents.len() <= limit);
            all.extend_from_slice(torrents);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    };
    let hashes = |torrents: &[Value]| -> Vec<String> {
        let hashes = torrents
            .iter()
            .map(|torrent| torrent["info_hash"].as_str().unwrap());
        hashes.map(str::to_owned).collect()
    };
    let expected: Vec<_> = (1..=25).map(|number| hex(hash(number))).collect();
    for limit in [1, 2, 7, 24, 25, 26, 1000] {
        assert_eq!(hashes(&all("info_hash", limit)), expected, "{limit}");
        let mut unsorted = hashes(&all("none", limit));
        unsorted.sort();
        assert_eq!(unsorted, expected, "each once, in pages of {limit}");
        let by_peers = all("leechers", limit);
        let order = by_peers.iter().map(|torrent| {
            let leechers = torrent["leechers"].as_u64().unwrap();
            let hash = torrent["info_hash"].as_str().unwrap().to_owned();
            (std::cmp::Reverse(leechers), hash)
        });
        let order: Vec<_> = order.collect();
        assert!(order.is_sorted() && order.len() == 25, "{limit}: {order:?}");
    }
    let top = api.get("top?limit=3");
    assert_eq!(top["by_peers"].as_array().unwrap().len(), 3);
    assert_eq!(top["by_peers"][0]["leechers"], 5);
    assert_eq!(top["by_seeders"], json!([]));
}

#[test]
fn a_torrent_can_be_looked_at_and_purged() {
    let tracker = setup().start();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1001));
    client.announce(&Announce::new(TORRENT, 1002).seeding());
    let api = Api::control(&tracker);
    let target = format!("torrents/{}", hex(TORRENT));
    let torrent = api.get(&format!("{target}?peers=10"));
    assert_eq!(torrent["verdict"], "served");
    assert_eq!(torrent["swarm"]["seeders"], 1);
    let peers: BTreeSet<_> = torrent["peers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| {
            (
                peer["address"].as_str().unwrap(),
                peer["is_seeder"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        peers,
        [("127.0.0.1:1001", false), ("127.0.0.1:1002", true)].into()
    );
    assert_eq!(api.get(&target)["peers"], json!([]));
    let purged = api.ask("DELETE", &target).json();
    assert_eq!(purged, json!({"torrents": 1, "peers": 2}));
    assert_eq!(api.get(&target)["swarm"], Value::Null);
    assert_eq!(
        client.announce(&Announce::new(TORRENT, 1003)).peers.len(),
        0
    );
}

#[test]
fn events_are_followed() {
    let tracker = setup().start();
    let api = Api::control(&tracker);
    let mut events = api.follow("events");
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1001));
    client.announce(&Announce::new(TORRENT, 1002).seeding());
    client.announce(&Announce::new(TORRENT, 1001).seeding().event(1));
    let target = format!("blocks/{}", hex(TORRENT));
    api.ask("PUT", &target).json();
    api.ask("DELETE", &target).json();
    for (kind, seeders) in [
        ("first_seeder", 1),
        ("completed", 2),
        ("gone", 0),
        ("blocked", 0),
        ("unblocked", 0),
    ] {
        let event = events.next().unwrap();
        let found = (
            &event["event"],
            &event["info_hash"],
            &event["seeders"],
            &event["missed"],
        );
        let expected = (
            &json!(kind),
            &json!(hex(TORRENT)),
            &json!(seeders),
            &json!(0),
        );
        assert_eq!(found, expected);
    }
}

#[test]
fn a_trace_shows_why() {
    let mut setup = setup();
    setup.list("access.deny", &[OTHER]);
    let tracker = setup.start();
    let api = Api::control(&tracker);
    let mut all = api.follow("trace?max=6");
    let mut denied = api.follow("trace?outcome=denied");
    let mut one = api.follow(&format!(
        "trace?info_hash={}&prefix=127.0.0.0/8",
        hex(TORRENT)
    ));
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1001).event(2));
    client
        .try_announce(&Announce::new(OTHER, 1001))
        .unwrap_err();
    client.send(b"hello");
    // It is answered after the one before it was handled.
    client.connect();
    get(tracker.http(), &announce(&TORRENT, 1002, "left=0"));
    get(tracker.http(), "/announce?info_hash=short");
    client.scrape(&[TORRENT]);
    for (protocol, request, outcome, detail) in [
        ("udp", "announce", "served", "1 leechers, 0 peers given"),
        (
            "udp",
            "announce",
            "denied",
            "the torrent is on the deny list",
        ),
        ("udp", "datagram", "rejected", ""),
        ("http", "announce", "served", "1 peers given"),
        ("http", "announce", "rejected", "info_hash"),
        ("udp", "scrape", "served", "1 seeders, 1 leechers"),
    ] {
        let traced = all.next().unwrap();
        assert_eq!(traced["protocol"], protocol, "{traced}");
        assert_eq!(
            (&traced["request"], &traced["outcome"]),
            (&json!(request), &json!(outcome))
        );
        assert!(
            traced["detail"].as_str().unwrap().contains(detail),
            "{traced}"
        );
        assert_eq!(traced["client"], "127.0.0.1");
    }
    assert_eq!(all.next(), None, "it has shown six");
    let traced = denied.next().unwrap();
    assert_eq!(traced["info_hash"], hex(OTHER));
    let traced = one.next().unwrap();
    assert_eq!(
        (&traced["event"], &traced["port"]),
        (&json!("started"), &json!(1001))
    );
    assert!(traced["interval_secs"].as_u64() > Some(0));
}

#[test]
fn streams_end_with_the_tracker() {
    let mut tracker = setup().start();
    let api = Api::control(&tracker);
    let mut events = api.follow("events");
    let mut trace = api.follow("trace?seconds=1");
    assert_eq!(trace.next(), None, "it has lasted a second");
    let mut others: Vec<_> = (0..15).map(|_| api.follow("events")).collect();
    assert_eq!(api.ask("GET", "events").problem().1, "busy");
    drop(others.pop());
    eventually("there is room for another", || {
        api.ask("GET", "trace?seconds=1").status == 200
    });
    let (status, _) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert_eq!(events.next(), None);
}

#[test]
fn limited_prefixes_are_listed() {
    let mut setup = setup();
    setup.set("limits.rate", "1/h").set("limits.burst", 4);
    let tracker = setup.start();
    let api = Api::control(&tracker);
    assert_eq!(api.get("limited")["prefixes"], json!([]));
    let client = Client::at("127.0.0.9", tracker.udp());
    for _ in 0..5 {
        client.try_announce(&Announce::new(TORRENT, 1001)).ok();
    }
    let limited = api.get("limited?limit=5");
    let prefix = &limited["prefixes"][0];
    assert_eq!(
        (&prefix["prefix"], &prefix["step"]),
        (&json!("127.0.0.9/32"), &json!("refused"))
    );
    assert!(prefix["full_in_secs"].as_f64() > Some(3.0 * 3600.0));
}

#[test]
fn each_request_is_a_line_at_debug() {
    let mut setup = setup();
    setup.set("log.level", "debug");
    let tracker = setup.start();
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1001).event(2));
    get(tracker.http(), &announce(&TORRENT, 0, ""));
    tracker.wait_for("both requests", |log| {
        let has = |words: &str| log.iter().any(|line| line.contains(words));
        let hash = hex(TORRENT);
        has(&format!(
            "DEBUG udp 127.0.0.0/24: announce {hash} started left="
        )) && has("DEBUG http 127.0.0.0/24: announce")
    });
}
