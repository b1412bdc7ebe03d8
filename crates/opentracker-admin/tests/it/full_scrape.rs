//! `GET /scrape` without an info hash, and other lists of all torrents, by those who may.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use opentracker_admin::Counter;
use opentracker_core::{PeerBuffers, Requester, Worker};
use opentracker_http_wire::{Answer, ScrapeReply};
use opentracker_types::{AnnounceRequest, InfoHash, SwarmCounts};

use crate::site::{Client, PATIENCE, Plan, Site};

const REQUEST: &str = "GET /scrape HTTP/1.1\r\n\r\n";

/// So many torrents do not fit into what the system holds of a connection.
const MANY: u32 = 200_000;

fn hash(number: u32) -> InfoHash {
    let mut octets = [b'.'; 20];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash::new(octets)
}

/// Puts a seeder into each of so many torrents.
fn fill(site: &Site, torrents: u32) {
    let mut worker = Worker::new(Arc::clone(&site.tracker), 1, None);
    for number in 0..torrents {
        let request = AnnounceRequest::new(hash(number), 1)
            .with_left(0)
            .with_num_want(0);
        let mut peers = PeerBuffers::both(&mut [], &mut []);
        let requester = Requester::new([192, 0, 2, 1].into());
        let now = site.tracker.start();
        worker
            .announce(&request, &requester, now, &mut peers)
            .unwrap();
    }
}

fn check(body: &[u8], torrents: u32) {
    let Ok(Answer::Reply(reply)) = ScrapeReply::decode(body) else {
        panic!("not a reply of {} octets", body.len());
    };
    assert_eq!(reply.min_request_interval_secs(), Some(900));
    assert_eq!(reply.entries().count(), usize::try_from(torrents).unwrap());
    let counts = SwarmCounts {
        seeders: 1,
        ..SwarmCounts::default()
    };
    let expected = (0..torrents).map(|number| (hash(number), counts));
    assert!(
        reply.entries().eq(expected),
        "in the order of the info hashes"
    );
}

/// Begins a full scrape and reads no more than its head.
fn stalled(site: &Site) -> Client {
    let mut client = site.connect();
    client.send(REQUEST);
    assert_eq!(client.response_to_head().status, 200);
    client
}

fn has_place(site: &Site) -> bool {
    let mut client = site.connect();
    client.send(REQUEST);
    let is_refused = client.response_to_head().field("Content-Length").is_some();
    !is_refused
}

#[test]
fn the_connection_is_kept_and_everything_is_counted() {
    const TORRENTS: u32 = 5000;
    let site = Site::start();
    fill(&site, TORRENTS);
    let mut client = site.connect();
    client.send(&[REQUEST, "GET /nowhere HTTP/1.1\r\n\r\n", REQUEST].concat());
    let response = client.response();
    assert_eq!(response.status, 200);
    assert_eq!(response.field("Content-Type"), Some("text/plain"));
    assert_eq!(response.field("Content-Length"), None);
    check(&response.body, TORRENTS);
    assert_eq!(client.response().status, 404);
    assert_eq!(client.response().body, response.body);
    site.wait(|site| site.count(Counter::FullScrape) == 2);
    let octets = u64::try_from(2 * response.body.len()).unwrap();
    assert_eq!(site.count(Counter::FullScrapeOctets), octets);
    let stats = site.get("/stats?mode=fscr");
    assert!(stats.text().starts_with(&format!("2\n{octets}\n")));
}

#[test]
fn one_torrent_to_the_octet() {
    let site = Site::start();
    let hash = "a".repeat(20);
    site.get(&format!(
        "/announce?info_hash={hash}&port=1&left=0&event=completed"
    ));
    let entry = "d8:completei1e10:downloadedi1e10:incompletei0ee";
    assert_eq!(
        site.get("/scrape").text(),
        format!("d5:filesd20:{hash}{entry}e5:flagsd20:min_request_intervali900eee")
    );
}

#[test]
fn http_1_0_gets_no_chunks_and_a_closed_connection() {
    const TORRENTS: u32 = 5000;
    let site = Site::start();
    fill(&site, TORRENTS);
    for field in ["", "Connection: keep-alive\r\n"] {
        let mut client = site.connect();
        client.send(&format!("GET /scrape HTTP/1.0\r\n{field}\r\n"));
        let head = client.response_to_head();
        assert_ne!(head.field("Connection"), Some("keep-alive"), "{field}");
        assert_eq!(head.field("Transfer-Encoding"), None);
        check(&client.rest(), TORRENTS);
    }
}

#[test]
fn a_client_that_does_not_read_stops_nobody_and_gets_all_of_it_later() {
    let site = Site::start();
    fill(&site, MANY);
    let mut stalled = site.connect();
    stalled.send(REQUEST);
    // The only thread has sent some of it and goes on with others.
    site.wait(|site| site.count(Counter::FullScrapeOctets) > 0);
    let hash = "%00%00%00%00".to_owned() + &".".repeat(16);
    for port in 2..100 {
        let target = format!("/announce?info_hash={hash}&port={port}&left=0&event=stopped");
        assert!(site.get(&target).text().contains("8:complete"));
    }
    assert_eq!(site.count(Counter::FullScrape), 0);
    check(&stalled.response().body, MANY);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let mut plan = Plan::default();
    plan.config.limits.stall_timeout = Duration::from_millis(200);
    let site = plan.start();
    fill(&site, MANY);
    let clients: Vec<_> = (0..4).map(|_| stalled(&site)).collect();
    site.wait(has_place);
    assert_eq!(site.count(Counter::FullScrape), 0);
    drop(clients);
}

#[test]
fn places_are_bounded_and_free_again_when_a_client_leaves() {
    let site = Site::start();
    fill(&site, MANY);
    let mut clients: Vec<_> = (0..4).map(|_| stalled(&site)).collect();
    let refused = site.get("/scrape");
    assert_eq!(refused.status, 200);
    assert_eq!(
        refused.text(),
        "d14:failure reason35:too many full scrapes are under way8:retry ini1ee"
    );
    assert_eq!(site.count(Counter::FullScrapeBusy), 1);
    for mode in ["tpbs", "statedump"] {
        let refused = site.get(&format!("/stats?mode={mode}"));
        assert_eq!(refused.status, 503);
        assert_eq!(refused.field("Retry-After"), Some("60"));
    }
    assert_eq!(site.count(Counter::FullScrapeBusy), 3);
    clients.pop();
    site.wait(has_place);
}

#[test]
fn a_shutdown_lets_it_finish() {
    let site = Site::start();
    fill(&site, MANY);
    let mut client = site.connect();
    client.send(REQUEST);
    site.wait(|site| site.count(Counter::FullScrapeOctets) > 0);
    let plane = site.plane;
    let shutdown = std::thread::spawn(move || plane.shutdown(PATIENCE));
    check(&client.response().body, MANY);
    client.expect_end();
    shutdown.join().unwrap();
}

#[test]
fn a_shutdown_waits_no_longer_than_its_grace() {
    let site = Site::start();
    fill(&site, MANY);
    let client = stalled(&site);
    site.plane.shutdown(Duration::from_millis(100));
    assert_eq!(site.tracker.counters().sum(Counter::FullScrape), 0);
    drop(client);
}

#[test]
fn it_comes_compressed_to_who_accepts_it() {
    const TORRENTS: u32 = 5000;
    let site = Site::start();
    fill(&site, TORRENTS);
    let mut sent = 0;
    for (number, (accepted, coding)) in [
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("zstd;q=0.1, gzip", "gzip"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = site.connect();
        client.send(&format!(
            "GET /scrape HTTP/1.1\r\nAccept-Encoding: {accepted}\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(response.field("Content-Encoding"), Some(coding));
        assert_eq!(response.field("Vary"), Some("Accept-Encoding"));
        check(&decoded(coding, &response.body), TORRENTS);
        let octets = u64::try_from(response.body.len()).unwrap();
        assert!(octets < 100_000, "{octets}");
        sent += octets;
        site.wait(|site| site.count(Counter::FullScrape) == u64::try_from(number).unwrap() + 1);
        assert_eq!(site.count(Counter::FullScrapeOctets), sent);
    }
}

fn decoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match coding {
        "gzip" => GzDecoder::new(body).read_to_end(&mut decoded),
        _ => zstd::stream::read::Decoder::new(body)
            .unwrap()
            .read_to_end(&mut decoded),
    }
    .unwrap();
    decoded
}

#[test]
fn the_other_lists_stream_like_it() {
    let site = Site::start();
    fill(&site, MANY);
    let mut stalled = site.connect();
    stalled.send("GET /stats?mode=statedump HTTP/1.1\r\n\r\n");
    site.wait(|site| site.count(Counter::FullScrapeOctets) > 0);
    let lines = site.get_with("/stats?mode=tpbs&format=txtp", "Accept-Encoding: zstd\r\n");
    assert_eq!(lines.field("Content-Type"), Some("text/plain"));
    let expected: BTreeSet<_> = (0..MANY)
        .map(|number| format!("{:X}:1:0:0", hash(number)))
        .collect();
    let text = String::from_utf8(decoded("zstd", &lines.body)).unwrap();
    assert_eq!(text.lines().count(), expected.len());
    assert!(text.lines().all(|line| expected.contains(line)));
    let binary = site.get("/stats?mode=tpbs&format=bin");
    assert_eq!(binary.body.len(), 28 * usize::try_from(MANY).unwrap());
    let dump = stalled.response();
    assert_eq!(dump.text().lines().count(), expected.len());
}

#[test]
fn a_head_of_it_walks_through_nothing() {
    let site = Site::start();
    fill(&site, MANY);
    let mut client = site.connect();
    for _ in 0..20 {
        client.send("HEAD /scrape HTTP/1.1\r\n\r\n");
        let head = client.response_to_head();
        assert_eq!(head.status, 200);
        assert_eq!(head.field("Content-Type"), Some("text/plain"));
    }
    assert_eq!(site.count(Counter::FullScrapeOctets), 0);
    assert_eq!(site.count(Counter::FullScrapeBusy), 0);
}
