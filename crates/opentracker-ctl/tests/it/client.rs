//! Announces and scrapes as a client, against trackers that answer by the book.

use std::net::UdpSocket;
use std::thread;

use opentracker_http_wire::{AnnounceReply, Failure, Peers, RetryIn, ScrapeReply};
use opentracker_types::{Event, InfoHash, SwarmCounts};
use opentracker_udp_wire as udp;
use opentracker_udp_wire::{ConnectReply, ConnectionId, Request};
use serde_json::{Value, json};

use crate::HASH;
use crate::fake::{Canned, Fake};

/// Answers on a port, and loses the first connect; returns what was announced.
fn udp_tracker(address: &str) -> (String, thread::JoinHandle<Vec<Event>>) {
    let socket = UdpSocket::bind(address).unwrap();
    let address = socket.local_addr().unwrap();
    let answering = thread::spawn(move || {
        let (mut buffer, mut events, mut lost) = ([0; 2048], Vec::new(), false);
        while events.last() != Some(&Event::Stopped) {
            let (octets, client) = socket.recv_from(&mut buffer).unwrap();
            let request = Request::decode(&buffer[..octets]).unwrap();
            match request {
                Request::Connect(_) if !lost => {
                    lost = true;
                    continue;
                }
                Request::Announce(request) => events.push(request.announce.event),
                _ => {}
            }
            let mut reply = [0; 256];
            let length = answer(&request, client.is_ipv4(), &mut reply);
            socket.send_to(&reply[..length], client).unwrap();
        }
        events
    });
    (format!("udp://{address}/announce"), answering)
}

/// Writes the answer to a request; returns its octets.
fn answer(request: &Request<'_>, is_ipv4: bool, reply: &mut [u8]) -> usize {
    let (transaction, connection) = (request.transaction(), ConnectionId::from(7_u64));
    match request {
        Request::Connect(_) => {
            let answer = ConnectReply {
                transaction,
                connection,
            };
            answer.encode(reply).unwrap()
        }
        Request::Announce(request) => {
            assert_eq!(request.connection, connection);
            let answer = udp::AnnounceReply {
                transaction,
                interval_secs: 1800,
                leechers: 2,
                seeders: 1,
                peers: match is_ipv4 {
                    true => &[192, 0, 2, 1, 0x1a, 0xe1],
                    false => &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7],
                },
            };
            answer.encode(reply).unwrap()
        }
        Request::Scrape(request) => {
            let mut answer = udp::ScrapeReply::begin(reply, transaction).unwrap();
            for (seeders, _) in (1..).zip(request.info_hashes()) {
                let counts = SwarmCounts {
                    seeders,
                    leechers: 0,
                    downloads: 9,
                };
                assert!(answer.push(counts));
            }
            answer.finish()
        }
    }
}

#[test]
fn an_announce_over_udp_comes_and_goes() {
    let (url, answering) = udp_tracker("127.0.0.1:0");
    let run = crate::run(&["announce", &url, HASH, "--event", "started"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let (head, peers) = run.out.split_once('\n').unwrap();
    assert!(
        head.ends_with(": 1 seeder, 2 leechers, again in 30 min"),
        "{head}"
    );
    assert_eq!(peers, "1 peer\n192.0.2.1:6881\n");
    assert_eq!(answering.join().unwrap(), [Event::Started, Event::Stopped]);
}

#[test]
fn an_announce_over_ipv6_is_json_on_demand() {
    let (url, answering) = udp_tracker("[::1]:0");
    let run = crate::run(&["announce", "-6", &url, HASH, "--json"]);
    let object: Value = run.out.parse().unwrap();
    assert_eq!(object["peers"], json!(["[2001:db8::1]:7"]), "{run:?}");
    assert_eq!(object["interval_secs"], 1800);
    assert_eq!(answering.join().unwrap(), [Event::None, Event::Stopped]);
}

#[test]
fn a_scrape_over_udp_has_a_line_for_each_torrent() {
    let (url, _) = udp_tracker("127.0.0.1:0");
    let other = "cd".repeat(20);
    let run = crate::run(&["scrape", &url, HASH, &other]);
    let expected = format!(
        "{HASH}  1 seeder, 0 leechers, 9 downloads\n{other}  2 seeders, 0 leechers, 9 downloads\n"
    );
    assert_eq!(run.out, expected, "{run:?}");
}

#[test]
fn announces_over_http_are_read_with_all_that_they_say() {
    let mut body = Vec::new();
    let counts = SwarmCounts {
        seeders: 5,
        leechers: 1,
        downloads: 7,
    };
    // Octets of the peers that are text, so that the answer is.
    let peers = Peers::Compact {
        v4: b"AAAABB",
        v6: None,
    };
    let mut reply = AnnounceReply::new(counts, 1800, peers);
    reply.external_ip = Some([0x41, 0x41, 0x41, 0x42].into());
    reply.min_interval_secs = Some(900);
    reply.warning = Some(b"soon closed");
    reply.encode(&mut body);
    let body = String::from_utf8(body).unwrap();
    let announce = "GET /k/announce?key=1&info_hash=aaaaaaaaaaaaaaaaaaaa\
                    &peer_id=-XX0000-abcdefghijkl&port=7&left=0&numwant=3&compact=1";
    let tracker = Fake::tcp(vec![Canned::other(announce, "200 OK", &body)]);
    let url = format!("{}/k/announce?key=1", tracker.arguments[1]);
    let run = crate::run(&[
        "announce",
        &url,
        &"61".repeat(20),
        "--left=0",
        "--numwant=3",
        "--port=7",
        "--peer-id=-XX0000-abcdefghijkl",
        "--stay",
    ]);
    let (head, rest) = run.out.split_once('\n').unwrap();
    assert!(
        head.ends_with(
            ": 5 seeders, 1 leecher, 7 downloads, again in 30 min, not before 15 min, seen as \
             65.65.65.66"
        ),
        "{head}"
    );
    assert_eq!(rest, "warning: soon closed\n1 peer\n65.65.65.65:16962\n");
}

#[test]
fn a_scrape_over_http_names_what_is_not_known() {
    let mut body = Vec::new();
    let mut reply = ScrapeReply::begin(&mut body);
    let counts = SwarmCounts {
        seeders: 1,
        leechers: 2,
        downloads: 3,
    };
    reply.entry(&mut body, &InfoHash::new([b'a'; 20]), counts);
    reply.end(&mut body, None);
    let body = String::from_utf8(body).unwrap();
    let path = "GET /scrape?info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=bbbbbbbbbbbbbbbbbbbb";
    let tracker = Fake::tcp(vec![Canned::other(path, "200 OK", &body)]);
    let [a, b] = ["61".repeat(20), "62".repeat(20)];
    let url = format!("{}/announce", tracker.arguments[1]);
    let run = crate::run(&["scrape", &url, &a, &b]);
    let expected = format!("{a}  1 seeder, 2 leechers, 3 downloads\n{b}  not known\n");
    assert_eq!((run.code, run.out), (Some(0), expected), "{}", run.err);
}

#[test]
fn a_refusal_is_a_failure_that_says_why() {
    let mut body = Vec::new();
    let failure = Failure::new("this torrent is blocked here").retry_in(RetryIn::Never);
    failure.encode(&mut body);
    let body = String::from_utf8(body).unwrap();
    let path = "GET /scrape?info_hash=aaaaaaaaaaaaaaaaaaaa";
    let tracker = Fake::tcp(vec![Canned::other(path, "200 OK", &body)]);
    let url = &tracker.arguments[1];
    let run = crate::run(&["scrape", url, &"61".repeat(20)]);
    assert_eq!(run.code, Some(1));
    assert_eq!(
        run.out,
        "refused: this torrent is blocked here (retry in: never)\n"
    );
    assert_eq!(run.err, "");
    let run = crate::run(&["scrape", &format!("{url}/a"), &"61".repeat(20)]);
    assert!(run.err.contains("does not end with `announce`"), "{run:?}");
    let run = crate::run(&["announce", &format!("{url}/announce"), HASH]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.err
            .contains("with status 404 Not Found, is not that of a tracker"),
        "{run:?}"
    );
}

#[test]
fn a_port_without_a_tracker_is_said() {
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let run = crate::run(&["announce", &format!("udp://{port}"), HASH]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("nobody listens there"), "{run:?}");
}
