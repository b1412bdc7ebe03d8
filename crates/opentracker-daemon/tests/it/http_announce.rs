//! Section "HTTP" of the contract: `GET /announce`, its reply and its refusals.
//!
//! | sentence | tests |
//! |---|---|
//! | required `info_hash`: exactly 20 octets after percent-decoding | `an_info_hash_has_20_octets` |
//! | any octets | `an_info_hash_has_any_octets`, `octets_of_an_info_hash_need_no_escape` |
//! | required `port` (1..=65535) | `a_port_is_from_1_to_65535` |
//! | the others are optional | `two_parameters_are_enough`, `all_parameters_are_taken` |
//! | unknown keys ignored | `unknown_parameters_are_ignored` |
//! | `left` is an unsigned 64-bit number; absent, empty, negative or no number = leecher | `left_is_a_number_of_64_bits_or_a_leechers` |
//! | `event`: `started`, `completed`, `stopped`, `paused`, empty or absent, anything else is none | `events_are_taken_and_others_are_none`, `stopped_gets_empty_lists` |
//! | `numwant` | `numwant_is_clamped` |
//! | `compact=0` gets the list of dictionaries | `compact_0_gets_dictionaries` |
//! | `ip` is ignored; the peer's address is the socket's | `the_address_is_the_socket_s` |
//! | reply: its keys, sorted | `a_reply_has_its_keys` |
//! | `external ip` is the client's address | `external_ip_is_the_client_s` |
//! | `peers` always, 6 octets each; `peers6` when the swarm has IPv6 peers, 18 octets each; both families in one reply | `both_families_come_in_one_reply` |
//! | IPv4-mapped IPv6 addresses are IPv4 peers | `a_mapped_address_is_an_ipv4_peer` |
//! | counts include the announcer | `counts_include_the_announcer` |
//! | the announcer is never in its own list | `the_announcer_is_not_in_its_own_list` |
//! | `completed` counts once per peer, and only with `left=0` | `completed_counts_once_and_from_seeders_alone` |
//! | `interval` uniform in interval ± jitter, `min interval` | `intervals_are_those_of_the_configuration` |
//! | a refusal is 200 with `failure reason` and, where it makes sense, `retry in` | `a_refusal_has_a_reason_and_when_to_retry` |
//! | a malformed request is 400 with a `failure reason` that says which parameter | `a_malformed_parameter_is_named`, `malformed_requests_are_counted` |

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::bencode::Bencode;
use crate::metrics::Metrics;
use crate::program::{Setup, Tracker};
use crate::request::{Announced, announce, encoded, get, get_with, scrape};

const TORRENT: [u8; 20] = [0xab; 20];

fn tracker() -> Tracker {
    Setup::new().start()
}

/// Announces a torrent and reads the reply.
fn announced(server: SocketAddr, port: u16, more: &str) -> Announced {
    get(server, &announce(&TORRENT, port, more)).announced()
}

/// The info hashes that a scrape finds among some.
fn known(tracker: &Tracker, info_hashes: &[[u8; 20]]) -> BTreeSet<Vec<u8>> {
    let reply = get(tracker.http(), &scrape(info_hashes)).bencode();
    reply
        .get("files")
        .unwrap()
        .keys()
        .into_iter()
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn an_info_hash_has_20_octets() {
    let tracker = tracker();
    for length in [0, 1, 19, 21, 40, 255] {
        let info_hash = encoded(&vec![b'a'; length]);
        let reply = get(
            tracker.http(),
            &format!("/announce?info_hash={info_hash}&port=1000"),
        );
        assert_eq!(reply.status, 400, "{length} octets");
        assert!(reply.failure_reason().contains("info_hash"), "{reply:?}");
    }
    for torn in ["%", "%4", "%4g", "%%%", "%u0041", "%-1"] {
        let target = format!("/announce?info_hash={}{torn}&port=1000", "a".repeat(19));
        let reply = get(tracker.http(), &target);
        assert_eq!(reply.status, 400, "{torn}");
        assert!(reply.failure_reason().contains("info_hash"), "{reply:?}");
    }
}

#[test]
fn an_info_hash_has_any_octets() {
    let tracker = tracker();
    let all: Vec<u8> = (0..=u8::MAX).collect();
    // 13 info hashes have all values between them; the last one is filled up.
    let info_hashes: Vec<[u8; 20]> = (0..13)
        .map(|number| std::array::from_fn(|at| all[(number * 20 + at) % 256]))
        .collect();
    for info_hash in &info_hashes {
        get(tracker.http(), &announce(info_hash, 1000, "")).announced();
    }
    let expected: BTreeSet<_> = info_hashes
        .iter()
        .map(|info_hash| info_hash.to_vec())
        .collect();
    assert_eq!(known(&tracker, &info_hashes), expected);
    // Digits of escapes may be small or capital letters.
    let target = announce(&info_hashes[12], 1001, "").to_lowercase();
    assert_eq!(get(tracker.http(), &target).announced().incomplete, 2);
}

#[test]
fn octets_of_an_info_hash_need_no_escape() {
    let tracker = tracker();
    for text in [
        "abcdefghijklmnopqrst",
        "ABCDEFGHIJKLMNOPQRST",
        "0123456789-._~!$()*,",
        "%61bc%64efghijklmnopqrst",
    ] {
        let target = format!("/announce?info_hash={text}&port=1000");
        get(tracker.http(), &target).announced();
    }
    let info_hashes: [&[u8; 20]; 3] = [
        b"abcdefghijklmnopqrst",
        b"ABCDEFGHIJKLMNOPQRST",
        b"0123456789-._~!$()*,",
    ];
    let found = known(&tracker, &info_hashes.map(|info_hash| *info_hash));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn a_port_is_from_1_to_65535() {
    let tracker = tracker();
    let info_hash = encoded(&TORRENT);
    for port in ["1", "80", "6881", "65535"] {
        let reply = get(
            tracker.http(),
            &format!("/announce?info_hash={info_hash}&port={port}"),
        );
        reply.announced();
    }
    for port in [
        "0",
        "65536",
        "-1",
        "99999999999999999999",
        "abc",
        "",
        "1x",
        "0x50",
        "%3",
        " 1",
    ] {
        let port = port.replace(' ', "%20");
        let reply = get(
            tracker.http(),
            &format!("/announce?info_hash={info_hash}&port={port}"),
        );
        assert_eq!(reply.status, 400, "{port}");
        assert!(reply.failure_reason().contains("port"), "{reply:?}");
    }
    let reply = announced(tracker.http(), 1, "");
    assert_eq!(
        (reply.incomplete, reply.peers.len()),
        (4, 3),
        "no other was filed"
    );
}

#[test]
fn two_parameters_are_enough() {
    let tracker = tracker();
    let info_hash = encoded(&TORRENT);
    get(
        tracker.http(),
        &format!("/announce?port=1000&info_hash={info_hash}"),
    )
    .announced();
    for missing in [
        "/announce".to_owned(),
        "/announce?".to_owned(),
        "/announce?port=1000".to_owned(),
    ] {
        let reply = get(tracker.http(), &missing);
        assert_eq!(reply.status, 400, "{missing}");
        assert!(reply.failure_reason().contains("info_hash"), "{reply:?}");
    }
    let reply = get(tracker.http(), &format!("/announce?info_hash={info_hash}"));
    assert_eq!(reply.status, 400);
    assert!(reply.failure_reason().contains("port"), "{reply:?}");
}

#[test]
fn all_parameters_are_taken() {
    let tracker = tracker();
    let more = "peer_id=-XX0000-%00%ff%80abcdefghi&uploaded=1&downloaded=2&left=3&event=started&\
                numwant=4&compact=1&no_peer_id=1&key=0A1B2C3D&ip=192.0.2.1&trackerid=x&\
                supportcrypto=1&requirecrypto=0&cryptoport=5&ipv4=192.0.2.1&ipv6=2001:db8::1&\
                corrupt=0&redundant=0&hide=0";
    assert_eq!(announced(tracker.http(), 1000, more).incomplete, 1);
}

#[test]
fn unknown_parameters_are_ignored() {
    let tracker = tracker();
    let long = format!("long={}", "x".repeat(4000));
    for more in [
        "x",
        "x=",
        "=x",
        "=",
        "&&&",
        "x=%zz",
        "%zz=x",
        "infohash=1",
        "PORT=2",
        &long,
    ] {
        announced(tracker.http(), 1000, more);
        // Also before the parameters that mean something.
        let rest = announce(&TORRENT, 1000, "");
        let (path, query) = rest.split_once('?').unwrap();
        get(tracker.http(), &format!("{path}?{more}&{query}")).announced();
    }
}

#[test]
fn left_is_a_number_of_64_bits_or_a_leechers() {
    let tracker = tracker();
    for (port, left, is_seeder) in [
        (1, "left=0", true),
        (2, "left=1", false),
        (3, "left=4294967296", false),
        (4, "left=18446744073709551615", false),
        (5, "", false),
        (6, "left", false),
        (7, "left=", false),
        (8, "left=-1", false),
        (10, "left=18446744073709551616", false),
        (11, "left=Infinity", false),
        (12, "left=3.0", false),
        (13, "left=0.0", false),
        (14, "left=x", false),
        (15, "left=%3", false),
    ] {
        let before = announced(tracker.http(), 9, "event=stopped");
        let after = announced(tracker.http(), port, left);
        let more = (
            after.complete - before.complete,
            after.incomplete - before.incomplete,
        );
        assert_eq!(
            more,
            (u32::from(is_seeder), u32::from(!is_seeder)),
            "{left}"
        );
    }
}

#[test]
fn events_are_taken_and_others_are_none() {
    let tracker = tracker();
    let server = tracker.http();
    for event in [
        "",
        "started",
        "paused",
        "COMPLETED",
        "stopping",
        "x",
        "stopped%00",
        "1",
    ] {
        let reply = announced(server, 1000, &format!("left=0&event={event}"));
        let counts = (reply.complete, reply.incomplete, reply.downloaded);
        assert_eq!(counts, (1, 0, 0), "{event}");
    }
    let reply = announced(server, 1000, "left=0&event=completed");
    assert_eq!((reply.complete, reply.downloaded), (1, 1));
    // A partial seed has what it wants and not everything (BEP 21).
    let reply = announced(server, 1001, "left=7&event=paused");
    assert_eq!((reply.complete, reply.incomplete), (1, 1));
    let reply = announced(server, 1001, "left=7&event=%73topped");
    assert_eq!((reply.complete, reply.incomplete), (1, 0));
}

#[test]
fn stopped_gets_empty_lists() {
    let mut setup = Setup::new();
    setup.set("http.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    let [v4, v6] = [0, 1].map(|index| tracker.addresses("http")[index]);
    announced(v4, 1000, "");
    announced(v6, 1000, "");
    for server in [v4, v6] {
        announced(server, 2000, "");
        let reply = announced(server, 2000, "event=stopped&numwant=50");
        assert_eq!((reply.all().len(), reply.incomplete), (0, 2));
    }
    let reply = get(v4, &announce(&TORRENT, 3000, "event=stopped&compact=0")).bencode();
    assert!(reply.get("peers").unwrap().list().is_empty());
    assert_eq!(
        announced(v4, 1000, "").all(),
        ["[::1]:1000".parse().unwrap()].into()
    );
}

#[test]
fn numwant_is_clamped() {
    let mut setup = Setup::new();
    setup
        .set("announce.numwant_default", 7)
        .set("announce.numwant_max", 20);
    for (tracker, default, most) in [(setup.start(), 7, 20), (tracker(), 50, 200)] {
        let server = tracker.http();
        for port in 1000..1220 {
            announced(server, port, "numwant=0");
        }
        for (more, expected) in [
            ("numwant=0", 0),
            ("numwant=1", 1),
            ("numwant=19", 19),
            ("numwant=201", most),
            ("numwant=4294967295", most),
            ("", default),
            ("numwant=-1", default),
            ("numwant=", default),
            ("numwant=x", default),
        ] {
            assert_eq!(announced(server, 1, more).all().len(), expected, "{more}");
        }
    }
}

#[test]
fn compact_0_gets_dictionaries() {
    let mut setup = Setup::new();
    setup.set("http.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    let [v4, v6] = [0, 1].map(|index| tracker.addresses("http")[index]);
    announced(v4, 1000, "peer_id=-XX0000-abcdefghijkl");
    announced(v6, 2000, "peer_id=-XX0000-abcdefghijkl");
    let reply = get(v4, &announce(&TORRENT, 3000, "compact=0")).bencode();
    let peer = |peer: &Bencode| {
        let ip = str::from_utf8(peer.get("ip").unwrap().string()).unwrap();
        let port = peer.get("port").unwrap().integer();
        format!("{ip} {port}")
    };
    let peers: BTreeSet<_> = reply
        .get("peers")
        .unwrap()
        .list()
        .iter()
        .map(peer)
        .collect();
    assert_eq!(
        peers,
        ["127.0.0.1 1000".to_owned(), "::1 2000".to_owned()].into()
    );
    for compact in ["compact=1", "", "compact=", "compact=2", "compact=x"] {
        let reply = get(v4, &announce(&TORRENT, 3000, compact)).announced();
        assert_eq!(
            reply.peers,
            ["127.0.0.1:1000".parse().unwrap()],
            "{compact}"
        );
    }
}

#[test]
fn the_address_is_the_socket_s() {
    let tracker = tracker();
    announced(
        tracker.http(),
        1000,
        "ip=192.0.2.1&ipv4=192.0.2.2&ipv6=2001:db8::1",
    );
    for field in ["X-Forwarded-For", "X-Real-IP", "Client-IP", "Forwarded"] {
        let target = announce(&TORRENT, 1000, "");
        let value = if field == "Forwarded" {
            "for=192.0.2.1"
        } else {
            "192.0.2.1"
        };
        get_with(tracker.http(), &target, &[(field, value)]).announced();
    }
    let reply = announced(tracker.http(), 2000, "");
    assert_eq!(reply.all(), ["127.0.0.1:1000".parse().unwrap()].into());
}

#[test]
fn a_reply_has_its_keys() {
    let mut setup = Setup::new();
    setup.set("http.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    let [v4, v6] = [0, 1].map(|index| tracker.addresses("http")[index]);
    // The reader of the tests takes sorted keys alone.
    let keys = || {
        let reply = get(v4, &announce(&TORRENT, 1000, "")).bencode();
        let keys = reply
            .keys()
            .into_iter()
            .map(|key| String::from_utf8(key.to_vec()).unwrap());
        keys.collect::<Vec<_>>()
    };
    let without_peers6 = [
        "complete",
        "downloaded",
        "external ip",
        "incomplete",
        "interval",
        "min interval",
        "peers",
    ];
    assert_eq!(keys(), without_peers6);
    announced(v4, 1001, "");
    assert_eq!(keys(), without_peers6);
    announced(v6, 1000, "");
    assert_eq!(keys(), [&without_peers6[..], &["peers6"]].concat());
}

#[test]
fn external_ip_is_the_client_s() {
    let mut setup = Setup::new();
    setup.set("http.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    let [v4, v6] = [0, 1].map(|index| tracker.addresses("http")[index]);
    let external_ip = |server| announced(server, 1000, "").external_ip.unwrap().to_string();
    assert_eq!(external_ip(v4), "127.0.0.1");
    assert_eq!(external_ip(v6), "::1");
}

#[test]
fn both_families_come_in_one_reply() {
    let mut setup = Setup::new();
    setup.set("http.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    let [v4, v6] = [0, 1].map(|index| tracker.addresses("http")[index]);
    for port in 1000..1010 {
        announced(v4, port, "");
        announced(v6, port + 1000, "");
    }
    let ipv4 = |ports: std::ops::Range<u16>| -> BTreeSet<SocketAddr> {
        ports
            .map(|port| SocketAddr::new([127, 0, 0, 1].into(), port))
            .collect()
    };
    let ipv6 = |ports: std::ops::Range<u16>| -> BTreeSet<SocketAddr> {
        ports.map(|port| SocketAddr::new(v6.ip(), port)).collect()
    };
    let all: BTreeSet<_> = ipv4(1000..1010).union(&ipv6(2000..2010)).copied().collect();
    for server in [v4, v6] {
        let reply = announced(server, 3000, "left=5");
        assert_eq!(reply.all(), all);
        assert_eq!(reply.incomplete, 21);
        announced(server, 3000, "event=stopped");
    }
    // A seeder of one family gets the leechers of both.
    assert_eq!(announced(v6, 3000, "left=0").all(), all);
    announced(v6, 3000, "event=stopped");
    // Fewer than there are: some of both families, as many as it wants between them.
    let reply = announced(v4, 3000, "numwant=8");
    assert!(reply.all().is_subset(&all));
    assert_eq!(reply.all().len(), 8);
}

#[test]
fn a_mapped_address_is_an_ipv4_peer() {
    let mut setup = Setup::new();
    setup.set("http.listen", ["[::]:0"]);
    let tracker = setup.start();
    let port = tracker.http().port();
    // It arrives at a socket of both families as ::ffff:127.0.0.1.
    let mapped: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let reply = announced(mapped, 1000, "");
    assert_eq!(reply.external_ip.unwrap().to_string(), "127.0.0.1");
    let reply = announced(format!("[::1]:{port}").parse().unwrap(), 2000, "");
    assert_eq!(reply.peers, ["127.0.0.1:1000".parse().unwrap()]);
}

#[test]
fn counts_include_the_announcer() {
    let tracker = tracker();
    let counts = |port, more| {
        let reply = announced(tracker.http(), port, more);
        (reply.complete, reply.incomplete, reply.downloaded)
    };
    assert_eq!(counts(1000, "left=5"), (0, 1, 0));
    assert_eq!(counts(1001, "left=0"), (1, 1, 0));
    assert_eq!(counts(1000, "left=0&event=completed"), (2, 0, 1));
}

#[test]
fn the_announcer_is_not_in_its_own_list() {
    let mut setup = Setup::new();
    setup.set("http.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    for server in tracker.addresses("http") {
        for _ in 0..2 {
            for port in 1000..1010 {
                let reply = announced(server, port, "left=5");
                assert!(
                    !reply.all().contains(&SocketAddr::new(server.ip(), port)),
                    "{reply:?}"
                );
            }
        }
    }
    assert_eq!(announced(tracker.http(), 1000, "left=5").all().len(), 19);
}

#[test]
fn completed_counts_once_and_from_seeders_alone() {
    let tracker = tracker();
    let downloaded = |port, more| announced(tracker.http(), port, more).downloaded;
    assert_eq!(downloaded(1000, "left=5&event=completed"), 0);
    assert_eq!(
        downloaded(1000, "event=completed"),
        0,
        "no `left` is a leecher"
    );
    for _ in 0..3 {
        assert_eq!(downloaded(1000, "left=0&event=completed"), 1);
    }
    assert_eq!(downloaded(1001, "left=0"), 1);
    assert_eq!(downloaded(1002, "left=0&event=completed"), 2);
}

#[test]
fn intervals_are_those_of_the_configuration() {
    let mut setup = Setup::new();
    setup
        .set("announce.interval", "10m")
        .set("announce.jitter", "5s")
        .set("announce.min_interval", "4m");
    for (tracker, least, most, min_interval) in [
        (setup.start(), 595, 605, 240),
        (tracker(), 27 * 60, 33 * 60, 15 * 60),
    ] {
        let replies: Vec<_> = (0..100)
            .map(|_| announced(tracker.http(), 1000, ""))
            .collect();
        let intervals: BTreeSet<_> = replies.iter().map(|reply| reply.interval).collect();
        assert!(
            intervals
                .iter()
                .all(|seconds| (least..=most).contains(seconds))
        );
        assert!(intervals.len() > 5, "{intervals:?}");
        assert!(
            replies
                .iter()
                .all(|reply| reply.min_interval == min_interval)
        );
    }
}

#[test]
fn a_refusal_has_a_reason_and_when_to_retry() {
    let (denied, unknown) = ([0xdd; 20], [0xee; 20]);
    let mut setup = Setup::new();
    setup
        .list("access.allow", &[TORRENT, denied])
        .list("access.deny", &[denied]);
    let tracker = setup.start();
    // BEP 31: minutes, or never. The allow list may have the torrent soon; it makes no sense to try
    // a denied one again.
    for (info_hash, retry_in) in [
        (denied, Bencode::String(b"never".to_vec())),
        (unknown, Bencode::Integer(10)),
    ] {
        for more in ["", "event=stopped", "left=0&event=completed", "compact=0"] {
            let refusal = get(tracker.http(), &announce(&info_hash, 1000, more)).refusal();
            assert!(!refusal.0.is_empty());
            assert_eq!(refusal.1, Some(retry_in.clone()), "{more}");
        }
    }
    announced(tracker.http(), 1000, "");
    assert_eq!(known(&tracker, &[denied, unknown, TORRENT]).len(), 1);
    let metrics = Metrics::of(tracker.http());
    assert_eq!(
        (metrics.refused("denied"), metrics.refused("not_allowed")),
        (4, 4)
    );
}

#[test]
fn a_malformed_parameter_is_named() {
    let tracker = tracker();
    let info_hash = encoded(&TORRENT);
    for (query, parameter) in [
        ("".to_owned(), "info_hash"),
        ("info_hash=abc&port=1000".to_owned(), "info_hash"),
        (format!("info_hash={info_hash}"), "port"),
        (format!("info_hash={info_hash}&port=0"), "port"),
        (format!("info_hash={info_hash}&port=1000%"), "port"),
    ] {
        let reply = get(tracker.http(), &format!("/announce?{query}"));
        assert_eq!(reply.status, 400, "{query}");
        assert!(
            reply.failure_reason().contains(parameter),
            "{query}: {reply:?}"
        );
    }
}

#[test]
fn malformed_requests_are_counted() {
    let tracker = tracker();
    let server = tracker.http();
    for target in [
        "/announce".to_owned(),
        "/announce?info_hash=abc&port=1000".to_owned(),
        "/scrape?info_hash=abc".to_owned(),
        announce(&TORRENT, 0, ""),
        announce(&TORRENT, 0, "left=x"),
    ] {
        assert_eq!(get(server, &target).status, 400, "{target}");
    }
    let metrics = Metrics::of(server);
    for (kind, times) in [("info_hash", 3), ("port", 2), ("head", 0)] {
        assert_eq!(metrics.http_errors(400, kind), times, "{kind}");
    }
}
