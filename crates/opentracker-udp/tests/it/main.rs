//! The UDP front end on arbitrary octets.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cluster;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker, Worker};
use opentracker_udp::{Connections, Counter, Datagrams, Handler};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

const MAGIC: [u8; 8] = 0x0417_2710_1980_u64.to_be_bytes();
const MAX_PAYLOAD: usize = 1232;

fn tracker() -> Arc<Tracker> {
    Arc::new(Tracker::new(
        Rules::default(),
        Instant::now(),
        &mut StdRng::seed_from_u64(1),
    ))
}

fn handler(tracker: &Arc<Tracker>) -> Handler {
    let lifetime = Duration::from_secs(240);
    let connections = Connections::new([1; 16], tracker.start(), lifetime);
    let worker = Worker::new(Arc::clone(tracker), 1, None);
    Handler::new(worker, Arc::new(connections), MAX_PAYLOAD, &"udp".into())
}

fn source(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Handles a request and returns the reply.
fn ask(handler: &mut Handler, request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let mut reply = [0; 2048];
    let now = handler.worker().tracker().start();
    let octets = handler.handle(request, from, now, &mut reply)?;
    Some(reply[..octets].to_vec())
}

fn connect(handler: &mut Handler, from: SocketAddr) -> [u8; 8] {
    let mut request = MAGIC.to_vec();
    request.extend([0, 0, 0, 0, 1, 2, 3, 4]);
    let reply = ask(handler, &request, from).unwrap();
    assert_eq!(reply[..8], [0, 0, 0, 0, 1, 2, 3, 4]);
    reply[8..16].try_into().unwrap()
}

fn announce(id: [u8; 8], port: u16) -> Vec<u8> {
    let mut request = id.to_vec();
    request.extend([0, 0, 0, 1, 9, 9, 9, 9]);
    request.extend([0xaa; 20]);
    request.extend([0xbb; 20]);
    request.extend([0, 0, 0, 0, 0, 0, 0, 0]); // downloaded
    request.extend([0, 0, 0, 0, 0, 0, 0, 1]); // left
    request.extend([0, 0, 0, 0, 0, 0, 0, 0]); // uploaded
    request.extend([0, 0, 0, 2]); // started
    request.extend([1, 2, 3, 4]); // ip, ignored
    request.extend([0, 0, 0, 0]); // key
    request.extend([0xff; 4]); // num_want -1
    request.extend(port.to_be_bytes());
    assert_eq!(request.len(), 98);
    request
}

#[test]
fn replies_are_cut_to_the_payload() {
    let tracker = tracker();
    let mut handler = handler(&tracker);
    let v6 = source("[2001:db8::1]:5000");
    let id = connect(&mut handler, v6);
    let mut reply = Vec::new();
    for port in 1..=300 {
        let mut request = announce(id, port);
        request[92..96].copy_from_slice(&200_i32.to_be_bytes());
        reply = ask(&mut handler, &request, v6).unwrap();
    }
    assert_eq!(reply.len(), 20 + 18 * 67);
    let v4 = source("192.0.2.1:5000");
    let id = connect(&mut handler, v4);
    for port in 1..=300 {
        let mut request = announce(id, port);
        request[92..96].copy_from_slice(&200_i32.to_be_bytes());
        reply = ask(&mut handler, &request, v4).unwrap();
    }
    assert_eq!(reply.len(), 20 + 6 * 200);
    assert_eq!(reply[8..12], tracker_interval(&reply));
    // Seeders and leechers of both families.
    assert_eq!(reply[12..20], [0, 0, 2, 88, 0, 0, 0, 0]);
}

/// The interval's octets, if they are within 30 ± 3 minutes.
fn tracker_interval(reply: &[u8]) -> [u8; 4] {
    let octets = reply[8..12].try_into().unwrap();
    let interval = u32::from_be_bytes(octets);
    assert!((1620..=1980).contains(&interval), "{interval}");
    octets
}

#[test]
fn mapped_sources_are_ipv4_peers() {
    let tracker = tracker();
    let mut handler = handler(&tracker);
    let mapped = source("[::ffff:192.0.2.1]:5000");
    let plain = source("192.0.2.1:6000");
    let id = connect(&mut handler, mapped);
    assert_eq!(id, connect(&mut handler, plain), "the id is the address's");
    assert_eq!(
        ask(&mut handler, &announce(id, 1), mapped).unwrap().len(),
        20
    );
    let reply = ask(&mut handler, &announce(id, 2), plain).unwrap();
    assert_eq!(reply[20..], [192, 0, 2, 1, 0, 1]);
}

#[test]
fn datagrams_without_a_usable_source_are_dropped() {
    let tracker = tracker();
    let mut handler = handler(&tracker);
    let mut request = MAGIC.to_vec();
    request.extend([0; 8]);
    for from in [
        "192.0.2.1:0",
        "0.0.0.0:5",
        "224.0.0.1:5",
        "[ff02::1]:5",
        "[::]:5",
    ] {
        assert_eq!(ask(&mut handler, &request, source(from)), None, "{from}");
    }
    assert_eq!(tracker.counters().sum(Counter::BadSource), 5);
}

#[test]
fn a_scrape_has_an_entry_for_every_hash_in_order() {
    let tracker = tracker();
    let mut handler = handler(&tracker);
    let from = source("192.0.2.1:5000");
    let id = connect(&mut handler, from);
    ask(&mut handler, &announce(id, 7), from).unwrap();
    let mut request = id.to_vec();
    request.extend([0, 0, 0, 2, 5, 5, 5, 5]);
    request.extend([0x11; 20]);
    request.extend([0xaa; 20]);
    let reply = ask(&mut handler, &request, from).unwrap();
    let mut expected = vec![0, 0, 0, 2, 5, 5, 5, 5];
    expected.extend([0; 12]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(reply, expected);
}

proptest! {
    #[test]
    fn whatever_comes_the_reply_is_no_longer_without_a_connection_id(
        mut request in prop::collection::vec(any::<u8>(), 0..200),
        action in prop_oneof![Just(None), (0..5_u8).prop_map(Some)],
        magic: bool,
    ) {
        if let Some(action) = action && request.len() >= 12 {
            request[8..12].copy_from_slice(&[0, 0, 0, action]);
        }
        if magic && request.len() >= 8 {
            request[..8].copy_from_slice(&MAGIC);
        }
        let tracker = tracker();
        let mut handler = handler(&tracker);
        let reply = ask(&mut handler, &request, source("192.0.2.1:5000"));
        prop_assert!(reply.unwrap_or_default().len() <= request.len());
        prop_assert_eq!(tracker.totals(tracker.start()).torrents, 0);
    }

    #[test]
    fn whatever_comes_with_a_connection_id_is_survived(
        rest in prop::collection::vec(any::<u8>(), 0..2000),
        action in 0..5_u8,
    ) {
        let tracker = tracker();
        let mut handler = handler(&tracker);
        let from = source("192.0.2.1:5000");
        let mut request = connect(&mut handler, from).to_vec();
        request.extend([0, 0, 0, action]);
        request.extend(rest);
        let reply = ask(&mut handler, &request, from);
        prop_assert!(reply.unwrap_or_default().len() <= MAX_PAYLOAD);
    }
}

/// A batch as a test sees it.
#[derive(Default)]
struct Batch {
    requests: Vec<(Vec<u8>, Option<SocketAddr>)>,
    room: Vec<u8>,
    replies: Vec<(usize, Vec<u8>)>,
}

impl Datagrams for Batch {
    fn len(&self) -> usize {
        self.requests.len()
    }

    fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        self.room = vec![0xee; 2048];
        let (request, source) = &self.requests[index];
        Some((request, (*source)?, &mut self.room))
    }

    fn reply(&mut self, index: usize, octets: usize) {
        self.replies.push((index, self.room[..octets].to_vec()));
    }
}

#[test]
fn a_batch_is_answered_as_its_datagrams_would_be() {
    let tracker = tracker();
    let mut handler = handler(&tracker);
    let (here, there) = (source("192.0.2.1:5000"), source("[2001:db8::1]:5000"));
    let id = connect(&mut handler, here);
    let mut hello = MAGIC.to_vec();
    hello.extend([0, 0, 0, 0, 1, 2, 3, 4]);
    let mut batch = Batch {
        requests: vec![
            (announce(id, 7), Some(here)),
            (announce(id, 8), Some(there)),
            (hello.clone(), None),
            (hello, Some(there)),
            (b"short".to_vec(), Some(here)),
            (announce(id, 9), Some(here)),
        ],
        ..Batch::default()
    };
    handler.handle_batch(&mut batch, tracker.start());
    batch.replies.sort();
    let heads: Vec<_> = batch
        .replies
        .iter()
        .map(|(index, reply)| (*index, reply[3], reply.len()))
        .collect();
    assert_eq!(heads, [(0, 1, 20), (1, 3, 25), (3, 0, 16), (5, 1, 26)]);
    assert_eq!(batch.replies[1].1[8..], *b"bad connection id");
    for (counter, count) in [
        (Counter::AnnounceV4, 2),
        (Counter::ConnectV4, 1),
        (Counter::ConnectV6, 1),
        (Counter::BadConnectionId, 1),
        (Counter::BadSource, 1),
        (Counter::TooShort, 1),
    ] {
        assert_eq!(tracker.counters().sum(counter), count, "{counter:?}");
    }
}

#[test]
fn a_bad_connection_id_is_answered_once_in_thirty_seconds() {
    let tracker = tracker();
    let mut handler = handler(&tracker);
    let mut reply = [0; 100];
    let mut ask = |from: &str, secs| {
        let now = tracker.start() + Duration::from_secs(secs);
        handler.handle(&announce([9; 8], 1), source(from), now, &mut reply)
    };
    assert!(ask("192.0.2.1:5000", 0).is_some());
    for (from, secs) in [("192.0.2.1:5000", 0), ("192.0.2.1:6000", 29)] {
        assert_eq!(ask(from, secs), None, "{from} after {secs} s");
    }
    assert!(ask("192.0.2.2:5000", 29).is_some(), "another address");
    assert!(ask("192.0.2.1:5000", 30).is_some());
    assert_eq!(tracker.counters().sum(Counter::BadConnectionId), 5);
    assert_eq!(tracker.counters().sum(Counter::Error), 3);
}
