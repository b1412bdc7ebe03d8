//! Floods beside a client that behaves: each of its requests is answered, memory has a bound, and
//! afterwards all is as before. How long the client waits is a matter of `cargo xtask bench floods`.
//! No flood here overruns the buffers of the kernel, where it could take the place of a datagram of
//! the client: some of the client's requests come after every few datagrams of the flood.
//!
//! Floods of new torrents, random datagrams, connections that are kept, pipelines and clients that
//! never read are in `limits`, `udp_hostile`, `http_limits` and `http_connection`.
//!
//! | sentence | tests |
//! |---|---|
//! | connects and announces with forged ids | `connects_and_forged_ids_leave_no_trace` |
//! | scrapes | `scrapes_leave_no_trace` |
//! | connections that send their heads slowly, or nothing | `slow_and_silent_connections_leave_no_trace` |
//! | handshakes of TLS that nobody ends | `half_open_handshakes_leave_no_trace` |
//! | packets of a node of the cluster | `a_node_that_storms_is_held_to_the_limits` |

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;

use opentracker_lab::tls::{self, TRACKER};

use crate::datagram::{Announce, Client, FORGED, connect, scrape};
use crate::https;
use crate::metrics::Metrics;
use crate::program::{Setup, Tracker, eventually};
use crate::request::{self, Connection, announce, head};

const TORRENT: [u8; 20] = [0xab; 20];

/// Where floods come from.
const ELSEWHERE: &str = "127.0.3.1";

/// How much more may be resident after a flood: what threads and buffers have touched once.
const MEMORY: u64 = 8 << 20;

/// What a tracker has, and the client beside the flood.
struct Beside {
    tracker: Tracker,
    client: Client,
    kept: Connection,
    resident: u64,
    descriptors: usize,
}

impl Beside {
    fn new(setup: Setup) -> Self {
        let tracker = setup.start();
        let (client, kept) = (Client::of(tracker.udp()), Connection::to(tracker.http()));
        let mut beside = Self {
            tracker,
            client,
            kept,
            resident: 0,
            descriptors: 0,
        };
        beside.ask();
        beside.resident = beside.metrics().get("process_resident_memory_bytes");
        beside.descriptors = beside.count_descriptors();
        beside
    }

    fn metrics(&self) -> Metrics {
        Metrics::of(self.tracker.operator())
    }

    fn descriptors(&self) -> PathBuf {
        self.tracker.proc("fd")
    }

    fn count_descriptors(&self) -> usize {
        fs::read_dir(self.descriptors()).unwrap().count()
    }

    /// Announces over UDP and HTTP.
    fn ask(&mut self) {
        assert_eq!(
            self.client.announce(&Announce::new(TORRENT, 1000)).seeders,
            0
        );
        let announced = self.kept.get(&announce(&TORRENT, 1001, "")).announced();
        assert_eq!(announced.incomplete, 2);
    }

    fn end(mut self, torrents: u64) {
        self.ask();
        let metrics = self.metrics();
        assert_eq!(metrics.get("opentracker_torrents"), torrents);
        let resident = metrics.get("process_resident_memory_bytes");
        assert!(
            resident < self.resident + MEMORY,
            "{} {resident}",
            self.resident
        );
        eventually("as many descriptors as before", || {
            self.count_descriptors() <= self.descriptors
        });
    }
}

#[test]
fn connects_and_forged_ids_leave_no_trace() {
    let mut beside = Beside::new(Setup::new());
    let flood = Client::at(ELSEWHERE, beside.tracker.udp());
    for number in 0..2_000_u32 {
        for part in 0..16 {
            let mut info_hash = [0x5a; 20];
            info_hash[..4].copy_from_slice(&number.to_be_bytes());
            flood.send(&connect(part));
            flood.send(&Announce::new(info_hash, 1000).octets(FORGED + u64::from(number), part));
        }
        beside.ask();
    }
    beside.end(1);
}

#[test]
fn scrapes_leave_no_trace() {
    let mut beside = Beside::new(Setup::new());
    let flood = Client::at(ELSEWHERE, beside.tracker.udp());
    let connection = flood.connect();
    for number in 0..1_000_u16 {
        let mut info_hashes = [[0x5a; 20]; 74];
        for (part, info_hash) in (0_u8..).zip(&mut info_hashes) {
            info_hash[0] = part;
            info_hash[1..3].copy_from_slice(&number.to_be_bytes());
        }
        for _ in 0..16 {
            flood.send(&scrape(connection, 0, &info_hashes));
        }
        beside.ask();
    }
    beside.end(1);
}

#[test]
fn slow_and_silent_connections_leave_no_trace() {
    const CONNECTIONS: usize = 400;
    let mut beside = Beside::new(Setup::new());
    let request = head("GET", &request::scrape(&[TORRENT]), &[], &[]);
    let mut slow = Vec::new();
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        slow.push(Connection::at(ELSEWHERE, beside.tracker.http()));
        silent.push(Connection::at(ELSEWHERE, beside.tracker.http()));
    }
    for octet in request.as_bytes() {
        for connection in &mut slow {
            connection.offer(&[*octet]);
        }
        beside.ask();
        // Whoever comes anew is served as well.
        let mut new = Connection::to(beside.tracker.http());
        assert_eq!(new.get("/healthz").status, 200);
    }
    for connection in &mut slow {
        assert_eq!(connection.response().status, 200);
    }
    drop((slow, silent));
    beside.end(1);
}

#[test]
fn half_open_handshakes_leave_no_trace() {
    const CONNECTIONS: usize = 400;
    let mut beside = Beside::new(https::with_pair(TRACKER));
    let server = beside.tracker.addresses("https")[0];
    let config = tls::client_config();
    let mut hello = Vec::new();
    let mut client = tls::connection(&config, "tracker.example");
    client.write_tls(&mut hello).unwrap();
    let mut half_open = Vec::new();
    for number in 0..CONNECTIONS {
        // Some have begun, and others have been answered.
        let length = if number % 2 == 0 {
            hello.len()
        } else {
            number % hello.len()
        };
        let mut connection = Connection::at(ELSEWHERE, server);
        connection.offer(&hello[..length]);
        half_open.push(connection);
        if number % 10 == 0 {
            beside.ask();
            let mut new = tls::connect(&config, "tracker.example", server);
            new.send(&head("GET", "/healthz", &[], &[]));
            assert_eq!(new.response().status, 200);
        }
    }
    let late = r#"opentracker_tls_handshake_failures_total{reason="timeout"}"#;
    eventually("all are given up", || {
        beside.metrics().get(late) == CONNECTIONS as u64
    });
    drop(half_open);
    beside.end(1);
}

#[test]
fn a_node_that_storms_is_held_to_the_limits() {
    const GROUP: &str = "224.0.23.5:9696";
    const LIMIT: i64 = 5_000;
    const RECORDS: u32 = 52;
    let mut setup = Setup::new();
    setup
        .set("livesync.listen", "127.0.0.1:9696")
        .set("livesync.nodes", ["127.0.0.0/8"])
        .set("limits.max_torrents", LIMIT);
    let mut beside = Beside::new(setup);
    let node = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket2::SockRef::from(&node)
        .set_multicast_if_v4(&[127, 0, 0, 1].into())
        .unwrap();
    for number in 0..2_000_u32 {
        let mut packet = b"node\0\0\0\0".to_vec();
        for record in 0..RECORDS {
            let mut info_hash = [0x5a; 20];
            info_hash[..4].copy_from_slice(&(number * RECORDS + record).to_be_bytes());
            packet.extend(info_hash);
            packet.extend(b"\x7f\0\x03\x01\x1a\xe1\0\0");
        }
        node.send_to(&packet, GROUP).unwrap();
        if number % 4 == 0 {
            beside.ask();
        }
    }
    let limit = u64::try_from(LIMIT).unwrap();
    eventually("its records are applied", || {
        beside.metrics().get("opentracker_torrents") == limit
    });
    beside.end(limit);
}
