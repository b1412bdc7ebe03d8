//! Section "WebTorrent" of the contract: browsers over WebSocket.
//!
//! | sentence | tests |
//! |---|---|
//! | off by default | `it_is_off_by_default` |
//! | peers of browsers count with all others, and show in scrapes and statistics | `browsers_count_with_all_others` |
//! | they are handed to none that has an address | `browsers_count_with_all_others` |
//! | offers and answers cross threads | `offers_and_answers_cross_threads` |
//! | one connection closed = its peers gone | `a_closed_connection_takes_its_peers_with_it` |
//! | many swarms over one connection | `a_closed_connection_takes_its_peers_with_it` |
//! | origins can be listed | `pages_of_other_origins_are_refused` |
//! | behind a trusted proxy the client is whom it names | `a_trusted_proxy_names_the_client` |
//! | access lists apply, at a reload too | `a_denied_torrent_is_purged_and_refused` |
//! | limits apply | `limits_hold_for_browsers`, `connections_of_browsers_count_for_their_network` |
//! | slow readers are cut off | `who_does_not_read_is_cut_off` |
//! | a message is bounded | `a_frame_of_64_mb_is_refused_by_its_head` |
//! | masks; fragments | `frames_are_taken_as_the_rfc_says` |
//! | what is fragmented or masked wrongly ends the connection, and is counted | `frames_that_the_rfc_forbids_are_refused` |
//! | floods of offers are bounded and counted | `a_flood_of_offers_is_bounded` |
//! | a connection is told when the tracker ends | `the_end_is_said` |
//! | all of it over TLS | `browsers_meet_over_tls_and_without`, `who_does_not_read_is_cut_off`, `a_frame_of_64_mb_is_refused_by_its_head`, `the_end_is_said` |

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use opentracker_lab::tls::{self, TRACKER};
use serde_json::{Value, json};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};

use crate::https;
use crate::metrics::Metrics;
use crate::program::{PATIENCE, Setup, Tracker, eventually};
use crate::request::{self, Connection, announce, get, scrape};

const TORRENT: [u8; 20] = *b"aaaaaaaaaaaaaaaaaaaa";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn setup() -> Setup {
    let mut setup = Setup::new();
    setup.set_toml("webtorrent.enabled", "true");
    setup
}

/// A setup with TLS and without.
fn secure_setup() -> Setup {
    let mut setup = https::with_pair(TRACKER);
    setup.set_toml("webtorrent.enabled", "true");
    setup
}

fn head(fields: &[(&str, &str)]) -> String {
    let handshake = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ];
    request::head("GET", "/", &[&handshake, fields].concat(), &[])
}

/// A socket, or TLS on one.
trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// A browser.
struct Browser(WebSocket<Box<dyn Stream>>);

impl Browser {
    fn to(server: SocketAddr) -> Self {
        Self::with(server, &[])
    }

    fn with(server: SocketAddr, fields: &[(&str, &str)]) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::over(Box::new(stream), fields)
    }

    fn secure(tracker: &Tracker) -> Self {
        let address = tracker.addresses("https")[0];
        let client = tls::connect(&tls::client_config(), "tracker.example", address);
        Self::over(Box::new(client.stream), &[])
    }

    fn over(mut stream: Box<dyn Stream>, fields: &[(&str, &str)]) -> Self {
        stream.write_all(head(fields).as_bytes()).unwrap();
        // Octet by octet, lest a frame behind it is lost.
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            response.push(octet[0]);
        }
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        // The example of RFC 6455.
        assert!(
            response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "{response}"
        );
        Self(WebSocket::from_raw_socket(stream, Role::Client, None))
    }

    fn send(&mut self, request: &Value) {
        self.0.send(Message::text(request.to_string())).unwrap();
    }

    fn receive(&mut self) -> Value {
        match self.0.read().unwrap() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.send(request);
        self.receive()
    }

    /// Announces that it is there, and returns seeders and leechers.
    fn start(&mut self, number: usize) -> (u64, u64) {
        counts(&self.ask(&announcing(number, 0)))
    }

    /// The code with which the tracker ends the connection.
    fn end(&mut self) -> u16 {
        loop {
            match self.0.read().unwrap() {
                Message::Close(Some(CloseFrame { code, .. })) => return code.into(),
                Message::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn stream(&mut self) -> &mut dyn Stream {
        self.0.get_mut()
    }
}

fn counts(reply: &Value) -> (u64, u64) {
    let count = |name: &str| reply[name].as_u64().unwrap_or_else(|| panic!("{reply}"));
    (count("complete"), count("incomplete"))
}

fn peer_id(number: usize) -> String {
    format!("-WW0208-{number:012}")
}

fn announcing(number: usize, offers: usize) -> Value {
    let offers: Vec<_> = (0..offers)
        .map(|offer| {
            json!({
                "offer": { "type": "offer", "sdp": "v=0\r\n".repeat(200) },
                "offer_id": format!("{number:010}{offer:010}"),
            })
        })
        .collect();
    json!({
        "action": "announce", "info_hash": "a".repeat(20), "peer_id": peer_id(number),
        "event": "started", "left": 1, "numwant": offers.len(), "offers": offers,
    })
}

#[test]
fn it_is_off_by_default() {
    let tracker = Setup::new().start();
    let mut connection = Connection::to(tracker.http());
    connection.send(head(&[]).as_bytes());
    assert_ne!(connection.response_head().status, 101);
}

#[test]
fn browsers_count_with_all_others() {
    let tracker = setup().start();
    let mut browser = Browser::to(tracker.http());
    assert_eq!(browser.start(1), (0, 1));
    let announced = get(tracker.http(), &announce(&TORRENT, 7000, "left=0")).announced();
    assert_eq!((announced.complete, announced.incomplete), (1, 1));
    assert!(announced.all().is_empty(), "a browser has no address");
    let mut completing = announcing(1, 0);
    completing["left"] = json!(0);
    completing["event"] = json!("completed");
    let reply = browser.ask(&completing);
    assert_eq!((counts(&reply), &reply["downloaded"]), ((2, 0), &json!(1)));
    let scraped = browser.ask(&json!({ "action": "scrape", "info_hash": ["a".repeat(20)] }));
    assert_eq!(counts(&scraped["files"]["a".repeat(20)]), (2, 0));
    let stats = get(tracker.http(), "/stats?mode=peer");
    assert!(stats.text().starts_with("2\n2\n"), "{}", stats.text());
    let metrics = Metrics::of(tracker.operator());
    for (series, value) in [
        (r#"opentracker_peers{family="webtorrent",role="seeder"}"#, 1),
        (r#"opentracker_peers{family="ipv4",role="seeder"}"#, 1),
        (
            r#"opentracker_webtorrent_requests_total{action="announce"}"#,
            2,
        ),
        (
            r#"opentracker_webtorrent_requests_total{action="scrape"}"#,
            1,
        ),
        ("opentracker_completed_total", 1),
    ] {
        assert_eq!(metrics.get(series), value, "{series}");
    }
    let top = get(tracker.http(), "/stats?mode=top10");
    assert!(top.text().contains("\t2\t6161"), "{}", top.text());
}

#[test]
fn offers_and_answers_cross_threads() {
    let mut setup = setup();
    setup.set("udp.workers", 4);
    let tracker = setup.start();
    let mut browsers: Vec<_> = (0..11).map(|_| Browser::to(tracker.http())).collect();
    for (number, browser) in browsers.iter_mut().enumerate() {
        assert_eq!(browser.start(number), (0, number as u64 + 1));
    }
    let (first, others) = browsers.split_first_mut().unwrap();
    assert_eq!(counts(&first.ask(&announcing(0, 10))), (0, 11));
    for (number, browser) in (1..).zip(others) {
        let offer = browser.receive();
        assert_eq!(offer["peer_id"], json!(peer_id(0)));
        browser.send(&json!({
            "action": "announce", "info_hash": "a".repeat(20), "peer_id": peer_id(number),
            "to_peer_id": peer_id(0), "answer": { "type": "answer" },
            "offer_id": offer["offer_id"],
        }));
    }
    let answers = (0..10).map(|_| first.receive());
    let answers = answers.map(|answer| answer["offer_id"].to_string());
    let answers: BTreeSet<_> = answers.collect();
    assert_eq!(answers.len(), 10, "one for each offer");
}

#[test]
fn a_closed_connection_takes_its_peers_with_it() {
    let tracker = setup().start();
    for abruptly in [false, true] {
        let mut browser = Browser::to(tracker.http());
        browser.start(1);
        for number in 0..20 {
            let mut request = announcing(1, 0);
            request["info_hash"] = json!(format!("{number:020}"));
            browser.ask(&request);
        }
        let is_there = |hash: &[u8; 20]| {
            !get(tracker.http(), &scrape(&[*hash]))
                .text()
                .contains("incompletei0e")
        };
        assert!(is_there(&TORRENT) && is_there(b"00000000000000000019"));
        if abruptly {
            drop(browser);
        } else {
            browser.0.close(None).unwrap();
            assert!(matches!(browser.0.read().unwrap(), Message::Close(_)));
        }
        let series = r#"opentracker_peers{family="webtorrent",role="leecher"}"#;
        Metrics::wait(tracker.operator(), |metrics| metrics.get(series) == 0);
    }
}

#[test]
fn pages_of_other_origins_are_refused() {
    let mut setup = setup();
    setup.set("webtorrent.origins", ["https://site.example"]);
    let tracker = setup.start();
    let good = [("Origin", "https://site.example")];
    assert_eq!(Browser::with(tracker.http(), &good).start(1), (0, 1));
    for fields in [&[("Origin", "https://other.example")][..], &[]] {
        let mut connection = Connection::to(tracker.http());
        connection.send(head(fields).as_bytes());
        assert_eq!(connection.response().status, 403);
    }
    let metrics = Metrics::of(tracker.operator());
    assert_eq!(metrics.http_errors(403, "origin"), 2);
}

#[test]
fn a_trusted_proxy_names_the_client() {
    let mut setup = setup();
    setup
        .set("http.trusted_proxies", ["127.0.0.1/32"])
        .set("limits.rate", "1/m")
        .set("limits.burst", 2);
    let tracker = setup.start();
    for client in 1..20 {
        let fields = [("X-Forwarded-For", &*format!("192.0.2.{client}"))];
        Browser::with(tracker.http(), &fields).start(client);
    }
    let mut connection = Connection::to(tracker.http());
    connection.send(head(&[]).as_bytes());
    assert_eq!(
        connection.response().status,
        400,
        "a proxy that says nothing"
    );
}

#[test]
fn a_denied_torrent_is_purged_and_refused() {
    let mut setup = setup();
    setup.list("access.deny", &[[7; 20]]);
    let mut tracker = setup.start();
    let mut browser = Browser::to(tracker.http());
    browser.start(1);
    tracker.setup.list("access.deny", &[TORRENT]);
    tracker.reload();
    let series = r#"opentracker_peers{family="webtorrent",role="leecher"}"#;
    Metrics::wait(tracker.operator(), |metrics| metrics.get(series) == 0);
    let reply = browser.ask(&announcing(1, 0));
    assert_eq!(reply["failure reason"], "this torrent is blocked here");
}

#[test]
fn limits_hold_for_browsers() {
    let mut setup = setup();
    setup.set("limits.max_peers_per_torrent", 2);
    let tracker = setup.start();
    let mut browsers: Vec<_> = (0..3).map(|_| Browser::to(tracker.http())).collect();
    browsers[0].start(0);
    browsers[1].start(1);
    let reply = browsers[2].ask(&announcing(2, 0));
    let reason = reply["failure reason"].as_str().unwrap();
    assert!(reason.contains("as many peers"), "{reason}");
    assert_eq!(
        Metrics::of(tracker.operator()).refused("max_peers_per_torrent"),
        1
    );
}

#[test]
fn connections_of_browsers_count_for_their_network() {
    let mut setup = setup();
    setup.set("limits.connections_per_prefix", 2);
    let tracker = setup.start();
    let mut browsers = [(); 2].map(|()| Browser::to(tracker.http()));
    for (number, browser) in browsers.iter_mut().enumerate() {
        browser.start(number);
    }
    let mut third = Connection::to(tracker.http());
    assert!(third.is_at_end());
    drop(browsers);
    // Once they have gone there is room again.
    eventually("room for another", || {
        let mut connection = Connection::to(tracker.http());
        connection.offer(head(&[]).as_bytes());
        !connection.is_at_end()
    });
}

#[test]
fn who_does_not_read_is_cut_off() {
    let tracker = secure_setup().start();
    for mut slow in [Browser::to(tracker.http()), Browser::secure(&tracker)] {
        slow.start(1);
        let mut busy = Browser::to(tracker.http());
        let cut_off = r#"opentracker_webtorrent_connections_closed_total{reason="slow"}"#;
        let before = Metrics::of(tracker.operator()).get(cut_off);
        eventually("the slow one is cut off", || {
            // Replies to the busy one show that the tracker goes on.
            for _ in 0..20 {
                assert!(busy.ask(&announcing(2, 10))["interval"].is_number());
            }
            Metrics::of(tracker.operator()).get(cut_off) > before
        });
        assert_eq!(busy.start(2), (0, 1), "its peer is gone");
    }
    let metrics = Metrics::of(tracker.operator());
    let full = r#"opentracker_webtorrent_undelivered_total{reason="full"}"#;
    assert!(metrics.get(full) > 0);
}

#[test]
fn a_frame_of_64_mb_is_refused_by_its_head() {
    let tracker = secure_setup().start();
    let memory = || Metrics::of(tracker.operator()).get("process_resident_memory_bytes");
    let before = memory();
    for mut browser in [Browser::to(tracker.http()), Browser::secure(&tracker)] {
        let mut frame = vec![0x81, 0xff];
        frame.extend((64_u64 << 20).to_be_bytes());
        frame.extend([0; 4]);
        browser.stream().write_all(&frame).unwrap();
        assert_eq!(browser.end(), 1009);
        // Who sends it all the same fills no memory, until nobody takes it any more.
        let rest = [0; 1 << 16];
        let sent = (0..1 << 10).take_while(|_| browser.stream().write_all(&rest).is_ok());
        assert!(sent.count() > 0);
    }
    let metrics = Metrics::of(tracker.operator());
    let refused = r#"opentracker_webtorrent_connections_refused_total{reason="size"}"#;
    assert_eq!(metrics.get(refused), 2);
    assert!(memory() < before + (8 << 20));
}

#[test]
fn frames_are_taken_as_the_rfc_says() {
    let tracker = setup().start();
    let mut browser = Browser::to(tracker.http());
    let text = announcing(1, 3).to_string();
    let (start, end) = text.split_at(text.len() / 2);
    let data = |kind, payload: &str, is_final| {
        let payload = payload.as_bytes().to_vec();
        Message::Frame(Frame::message(payload, OpCode::Data(kind), is_final))
    };
    browser.0.send(data(Data::Text, start, false)).unwrap();
    browser.0.send(Message::Ping("between".into())).unwrap();
    assert_eq!(browser.0.read().unwrap(), Message::Pong("between".into()));
    browser.0.send(data(Data::Continue, end, true)).unwrap();
    assert_eq!(counts(&browser.receive()), (0, 1));
}

#[test]
fn frames_that_the_rfc_forbids_are_refused() {
    const MASK: [u8; 4] = [0; 4];
    let tracker = setup().start();
    let large = [&[0x01, 0xfe, 0xa0, 0][..], &MASK, &[b' '; 0xa000]].concat();
    for (what, octets, code) in [
        ("no mask", vec![0x81, 2, b'{', b'}'], 1002),
        (
            "the rest of nothing",
            [&[0x80, 0x80], &MASK[..]].concat(),
            1002,
        ),
        (
            "a message within another",
            [&[0x01, 0x80], &MASK[..], &[0x81, 0x80], &MASK].concat(),
            1002,
        ),
        (
            "a part of a ping",
            [&[0x09, 0x80], &MASK[..]].concat(),
            1002,
        ),
        (
            "a long ping",
            [&[0x89, 0xfe, 0, 126], &MASK[..], &[0; 126]].concat(),
            1002,
        ),
        ("a reserved bit", [&[0xc1, 0x80], &MASK[..]].concat(), 1002),
        (
            "a reserved opcode",
            [&[0x83, 0x80], &MASK[..]].concat(),
            1002,
        ),
        (
            "no UTF-8",
            [&[0x81, 0x81], &MASK[..], &[0xff]].concat(),
            1007,
        ),
        (
            "fragments that are too much together",
            [&large[..], &[0x80], &large[1..]].concat(),
            1009,
        ),
    ] {
        let mut browser = Browser::to(tracker.http());
        browser.start(1);
        browser.stream().write_all(&octets).unwrap();
        assert_eq!(browser.end(), code, "{what}");
    }
    let metrics = Metrics::of(tracker.operator());
    for (reason, count) in [("frame", 7), ("text", 1), ("size", 1)] {
        let name = "opentracker_webtorrent_connections_refused_total";
        let refused = metrics.get(&format!("{name}{{reason=\"{reason}\"}}"));
        assert_eq!(refused, count, "{reason}");
    }
    Metrics::wait(tracker.operator(), |metrics| {
        let closed = r#"opentracker_webtorrent_connections_closed_total{reason="refused"}"#;
        let peers = r#"opentracker_peers{family="webtorrent",role="leecher"}"#;
        metrics.get(closed) == 9 && metrics.get(peers) == 0
    });
}

#[test]
fn a_flood_of_offers_is_bounded() {
    let tracker = setup().start();
    let mut victim = Browser::to(tracker.http());
    victim.start(1);
    let mut flooder = Browser::to(tracker.http());
    let mut request = announcing(2, 40);
    for offer in request["offers"].as_array_mut().unwrap() {
        offer["offer"]["sdp"] = json!("x");
    }
    for _ in 0..50 {
        flooder.ask(&request);
    }
    for _ in 0..50 {
        assert!(
            victim.receive()["offer"].is_object(),
            "one of each announce"
        );
    }
    let metrics = Metrics::of(tracker.operator());
    let beyond = r#"opentracker_webtorrent_not_relayed_total{kind="offer",reason="max_offers"}"#;
    assert_eq!(metrics.get(beyond), 50 * 30);
    let relayed = r#"opentracker_webtorrent_relayed_total{kind="offer"}"#;
    assert_eq!(metrics.get(relayed), 50);
}

#[test]
fn browsers_meet_over_tls_and_without() {
    let mut setup = secure_setup();
    setup.set("udp.workers", 2);
    let tracker = setup.start();
    let mut browsers = vec![Browser::secure(&tracker), Browser::to(tracker.http())];
    assert_eq!(browsers[0].start(0), (0, 1));
    assert_eq!(browsers[1].start(1), (0, 2));
    for (one, two) in [(0, 1), (1, 0)] {
        assert_eq!(counts(&browsers[one].ask(&announcing(one, 1))), (0, 2));
        let offer = browsers[two].receive();
        assert_eq!(offer["peer_id"], json!(peer_id(one)));
        browsers[two].send(&json!({
            "action": "announce", "info_hash": "a".repeat(20), "peer_id": peer_id(two),
            "to_peer_id": peer_id(one), "answer": { "type": "answer" },
            "offer_id": offer["offer_id"],
        }));
        assert_eq!(browsers[one].receive()["offer_id"], offer["offer_id"]);
    }
    let scraped = get(tracker.http(), &scrape(&[TORRENT]));
    assert!(scraped.text().contains("10:incompletei2e"), "{scraped:?}");
    drop(browsers.remove(0));
    let series = r#"opentracker_peers{family="webtorrent",role="leecher"}"#;
    Metrics::wait(tracker.operator(), |metrics| metrics.get(series) == 1);
}

#[test]
fn the_end_is_said() {
    let mut tracker = secure_setup().start();
    let browsers = [Browser::to(tracker.http()), Browser::secure(&tracker)];
    let ended = browsers.map(|mut browser| {
        browser.start(1);
        std::thread::spawn(move || (browser.end(), browser))
    });
    let (status, _) = tracker.stop("TERM");
    assert!(status.success(), "{status}");
    for ended in ended {
        let (code, mut browser) = ended.join().unwrap();
        assert_eq!(code, 1001);
        // TLS says it, too: else this would be an error.
        assert_eq!(browser.stream().read(&mut [0]).unwrap(), 0);
    }
}
