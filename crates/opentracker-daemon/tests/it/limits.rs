//! Section "Limits" of the contract: what is kept at most, and how much one address may ask for.
//!
//! | sentence | tests |
//! |---|---|
//! | at `max_*` known peers go on being served, a new torrent or peer is refused with a reason and `retry in`, and counted | `beyond_a_limit_the_known_are_served_and_the_new_refused`, `limits_apply_at_a_reload` |
//! | `memory` is enforced from the store's own accounting, within 5 % of resident memory | `memory_is_held_within_a_twentieth` |
//! | below half a bucket twice the interval; at zero a refusal; after `burst` refusals silence | `udp_is_slowed_refused_and_not_answered`, `http_is_slowed_refused_and_closed` |
//! | connections of one prefix: others get theirs, and pages count as well | `one_address_has_so_many_connections` |
//! | nothing that can be forged counts against an address | `what_is_forged_counts_against_nobody` |
//! | after a flood memory goes back to the system | `what_is_purged_goes_back_to_the_system` |
//! | a client beside a flood keeps its answers | `a_flood_of_one_address_costs_its_neighbour_nothing`, `a_flood_of_many_addresses_leaves_memory_bounded` |

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::bencode::Bencode;
use crate::datagram::{self, Announce, Client, FORGED, Reply};
use crate::metrics::Metrics;
use crate::program::{PATIENCE, Setup, Tracker, eventually};
use crate::request::{Connection, announce, get, head};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

/// Announces that wait for their answers at a time.
const WINDOW: usize = 64;

/// Info hashes that nobody has seen before.
fn random_hash(number: u64) -> [u8; 20] {
    let mut octets = [0x5a; 20];
    octets[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    octets
}

/// Sends announces of ever new torrents from one address, and hands every answer to `see`, until
/// that has seen enough. An announce that is not answered is left alone.
fn flood(ip: &str, tracker: &Tracker, count: u64, mut see: impl FnMut(&[u8]) -> bool) {
    let client = Client::at(ip, tracker.udp());
    let connection = client.connect();
    let mut answers = 0;
    for number in 0..count {
        let salt = u64::from(u32::from(ip.parse::<Ipv4Addr>().unwrap())) << 32;
        let hash = random_hash(salt | number);
        client.send(&Announce::new(hash, 1000).octets(connection, 0));
        answers += 1;
        if answers == WINDOW {
            answers = 0;
            if client.drain().iter().any(|answer| !see(answer)) {
                return;
            }
        }
    }
    client.drain().iter().all(|answer| see(answer));
}

fn is_error(answer: &[u8]) -> bool {
    answer.starts_with(&datagram::ERROR.to_be_bytes())
}

fn interval(client: &Client) -> u32 {
    client.announce(&Announce::new(TORRENT, 1000)).interval
}

#[test]
fn beyond_a_limit_the_known_are_served_and_the_new_refused() {
    for (key, same_torrent) in [
        ("max_torrents", true),
        ("max_peers", false),
        ("max_peers_per_torrent", true),
    ] {
        let mut setup = Setup::new();
        setup.set(&format!("limits.{key}"), 1);
        let tracker = setup.start();
        let client = Client::of(tracker.udp());
        let known = Announce::new(TORRENT, 1000);
        client.announce(&known);
        let is_swarm = key == "max_peers_per_torrent";
        let beyond = match is_swarm {
            true => Announce::new(TORRENT, 1001),
            false => Announce::new(OTHER, 1000),
        };
        let reason = client.try_announce(&beyond).unwrap_err();
        let refused = get(
            tracker.http(),
            &announce(&beyond.info_hash, beyond.port, ""),
        );
        let (same_reason, retry) = refused.refusal();
        assert_eq!(reason, same_reason, "{key}");
        assert_eq!(retry, Some(Bencode::Integer(30)), "{key}");
        let peers = client.announce(&known);
        assert_eq!((peers.leechers, peers.seeders), (1, 0), "{key}");
        let other = match is_swarm {
            true => client.try_announce(&Announce::new(OTHER, 1000)),
            false => client.try_announce(&Announce::new(TORRENT, 1001)),
        };
        assert_eq!(other.is_ok(), same_torrent, "{key}");
        let metrics = Metrics::of(tracker.http());
        let expected = if same_torrent { 2 } else { 3 };
        assert_eq!(metrics.refused(key), expected, "{key}");
    }
}

#[test]
fn limits_apply_at_a_reload() {
    let mut setup = Setup::new();
    setup.set("limits.max_torrents", 1);
    let mut tracker = setup.start();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1000));
    let other = Announce::new(OTHER, 1000);
    client.try_announce(&other).unwrap_err();
    tracker.setup.set("limits.max_torrents", 0);
    tracker.reload();
    client.announce(&other);
    tracker.setup.set("limits.rate", "1/h");
    tracker.setup.set("limits.burst", 1);
    tracker.reload();
    client.announce(&other);
    assert_eq!(
        client.try_announce(&other).unwrap_err(),
        "too many requests"
    );
}

#[test]
fn memory_is_held_within_a_twentieth() {
    const MEBIOCTETS: u64 = 48;
    let mut setup = Setup::new();
    setup.set("limits.memory", format!("{MEBIOCTETS}MiB").as_str());
    let tracker = setup.start();
    let client = Client::at("127.0.0.2", tracker.udp());
    client.announce(&Announce::new(TORRENT, 1000));
    let resident = || Metrics::of(tracker.http()).get("process_resident_memory_bytes");
    let idle = resident();
    let mut torrents = 0_u64;
    flood("127.0.0.1", &tracker, 10_000_000, |answer| {
        torrents += 1;
        !is_error(answer)
    });
    assert!(torrents > 500_000, "{torrents} torrents");
    let bound = MEBIOCTETS << 20;
    let metrics = Metrics::of(tracker.http());
    assert!(metrics.refused("memory") > 0);
    let counted = metrics.get("opentracker_memory_bytes{part=\"swarms\"}");
    assert!(counted >= bound && counted < bound + (1 << 20), "{counted}");
    let taken = resident() - idle;
    let apart = taken.abs_diff(bound);
    assert!(apart * 20 <= bound, "{taken} octets for a bound of {bound}");
    assert_eq!(client.announce(&Announce::new(TORRENT, 1000)).leechers, 1);
    client.try_announce(&Announce::new(OTHER, 1)).unwrap_err();
}

#[test]
fn what_is_purged_goes_back_to_the_system() {
    let mut tracker = Setup::new().start();
    let resident = || Metrics::of(tracker.http()).get("process_resident_memory_bytes");
    let idle = resident();
    flood("127.0.0.1", &tracker, 400_000, |_| true);
    let full = resident();
    assert!(full > idle + (25 << 20), "{idle} {full}");
    tracker.setup.list("access.allow", &[TORRENT]);
    assert!(
        tracker
            .reload()
            .iter()
            .any(|line| line.contains("400000 swarms purged"))
    );
    let resident = Metrics::of(tracker.http()).get("process_resident_memory_bytes");
    assert!(
        resident < idle + (full - idle) / 2,
        "{idle} {full} {resident}"
    );
}

fn limited(burst: i64) -> Setup {
    let mut setup = Setup::new();
    setup.set("announce.jitter", "0s");
    setup.set("limits.rate", "1/h").set("limits.burst", burst);
    setup.set("limits.rate_exempt", ["127.0.1.0/24"]);
    setup
}

#[test]
fn udp_is_slowed_refused_and_not_answered() {
    let tracker = limited(4).start();
    let client = Client::of(tracker.udp());
    let intervals = [(); 4].map(|()| interval(&client));
    assert_eq!(intervals, [1800, 1800, 3600, 3600]);
    let request = Announce::new(TORRENT, 1000);
    for _ in 0..3 {
        let reason = client.try_announce(&request).unwrap_err();
        assert_eq!(reason, "too many requests");
    }
    let connection = client.connect();
    let scrape = |transaction| datagram::scrape(connection, transaction, &[TORRENT]);
    let reason = Reply::Error("too many requests".to_owned());
    assert_eq!(client.ask(scrape), reason);
    assert!(client.is_silent_to(&request.octets(connection, 7)));
    assert!(client.is_silent_to(&scrape(7)));
    for (ip, expected) in [("127.0.0.2", 1800), ("127.0.1.1", 1800)] {
        assert_eq!(interval(&Client::at(ip, tracker.udp())), expected);
    }
    let exempt = Client::at("127.0.1.1", tracker.udp());
    assert!(
        [(); 20]
            .map(|()| interval(&exempt))
            .iter()
            .all(|&secs| secs == 1800)
    );
    let metrics = Metrics::of(tracker.http());
    let step = |step| {
        metrics.get(&format!(
            "opentracker_rate_limited_total{{step=\"{step}\"}}"
        ))
    };
    assert_eq!(["slowed", "refused", "silent"].map(step), [2, 4, 2]);
}

#[test]
fn http_is_slowed_refused_and_closed() {
    let tracker = limited(2).start();
    let target = announce(&TORRENT, 1000, "");
    let mut connection = Connection::to(tracker.http());
    for expected in [1800, 3600] {
        assert_eq!(connection.get(&target).announced().interval, expected);
    }
    for _ in 0..2 {
        let (reason, retry) = connection.get(&target).refusal();
        assert_eq!(reason, "too many requests");
        assert_eq!(retry, Some(Bencode::Integer(60)));
    }
    connection.send(head("GET", &target, &[], &[]).as_bytes());
    assert!(connection.is_at_end(), "silence is the end of a connection");
}

#[test]
fn one_address_has_so_many_connections() {
    let mut setup = Setup::new();
    setup.set("limits.connections_per_prefix", 3);
    setup.set("limits.rate_exempt", ["127.0.1.0/24"]);
    let tracker = setup.start();
    let target = announce(&TORRENT, 1000, "");
    let server = tracker.http();
    let mut kept = Vec::new();
    for target in [&*target, "/stats?mode=version", &target] {
        let mut connection = Connection::at("127.0.0.2", server);
        assert_eq!(connection.get(target).status, 200);
        kept.push(connection);
    }
    let is_served = || {
        let mut connection = Connection::at("127.0.0.2", server);
        connection.offer(head("GET", &target, &[], &[]).as_bytes());
        !connection.is_at_end()
    };
    assert!(!is_served());
    for neighbour in ["127.0.0.3", "127.0.1.1"] {
        let mut connection = Connection::at(neighbour, server);
        connection.get(&target).announced();
    }
    let exempt: Vec<_> = (0..9)
        .map(|_| Connection::at("127.0.1.1", server))
        .collect();
    for mut connection in exempt {
        connection.get(&target).announced();
    }
    let kind = "opentracker_http_connections_closed_total{kind=\"prefix\"}";
    assert_eq!(Metrics::of(tracker.operator()).get(kind), 1);
    // The one with the page is closed, and makes room.
    drop(kept.remove(1));
    eventually("room for one more", is_served);
}

#[test]
fn what_is_forged_counts_against_nobody() {
    let tracker = limited(2).start();
    let client = Client::of(tracker.udp());
    let request = Announce::new(TORRENT, 1000);
    for transaction in 0..1000 {
        client.send(&request.octets(FORGED, transaction));
        client.send(&datagram::scrape(FORGED, transaction, &[TORRENT]));
        client.send(&datagram::connect(transaction));
        if transaction % 16 == 0 {
            client.drain();
        }
    }
    client.drain();
    assert_eq!(interval(&client), 1800);
}

#[test]
fn a_flood_of_one_address_costs_its_neighbour_nothing() {
    let mut setup = Setup::new();
    setup.set("announce.jitter", "0s");
    setup.set("limits.rate", "5/s").set("limits.burst", 20);
    let tracker = setup.start();
    let mut rounds = 0;
    let (mut served, mut errors) = (0, 0);
    let neighbours: Vec<_> = (1..=200)
        .map(|host| Client::at(&format!("127.0.2.{host}"), tracker.udp()))
        .collect();
    flood("127.0.0.1", &tracker, 100_000, |answer| {
        if is_error(answer) {
            errors += 1;
        } else {
            served += 1;
        }
        if let Some(neighbour) = neighbours.get(rounds) {
            assert_eq!(interval(neighbour), 1800);
        }
        rounds += 1;
        true
    });
    for neighbour in &neighbours {
        assert_eq!(interval(neighbour), 1800);
    }
    assert!(served >= 10 && errors >= 1, "{served} {errors}");
    let metrics = Metrics::of(tracker.http());
    assert_eq!(metrics.get("opentracker_torrents"), served + 1);
}

#[test]
fn a_flood_of_many_addresses_leaves_memory_bounded() {
    const ADDRESSES: u32 = 100_000;
    let mut setup = Setup::new();
    setup.set("limits.memory", "4MiB");
    setup.set("limits.rate", "5/s").set("limits.burst", 20);
    let tracker = setup.start();
    let client = Client::at("127.0.0.1", tracker.udp());
    client.announce(&Announce::new(TORRENT, 1000));
    let mut refused = 0;
    for number in 0..ADDRESSES {
        let [_, a, b, c] = (0x0001_0000 + number).to_be_bytes();
        refused += u32::from(announce_once([127, a, b, c].into(), tracker.udp(), number));
    }
    assert!(refused > ADDRESSES / 4, "{refused}");
    let metrics = Metrics::of(tracker.http());
    let counted = metrics.get("opentracker_memory_bytes{part=\"swarms\"}");
    assert!(counted < 5 << 20, "{counted}");
    assert_eq!(client.announce(&Announce::new(TORRENT, 1000)).leechers, 1);
    assert_eq!(client.scrape(&[TORRENT])[0].leechers, 1);
}

/// Announces a torrent of its own from an address, and tells whether that was refused.
fn announce_once(ip: Ipv4Addr, tracker: SocketAddr, number: u32) -> bool {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 2048];
    let mut exchange = |request: &[u8]| {
        socket.send_to(request, tracker).unwrap();
        loop {
            match socket.recv(&mut answer) {
                Ok(length) => return answer[..length].to_vec(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("there should be an answer: {error}"),
            }
        }
    };
    let connected = exchange(&datagram::connect(1));
    let Reply::Connect(connection) = Reply::read(&connected, 1, true) else {
        panic!("no connection: {connected:02x?}");
    };
    let hash = random_hash(u64::from(number) | 1 << 40);
    is_error(&exchange(&Announce::new(hash, 1000).octets(connection, 2)))
}
