//! The contract of UDP below the network stack: the tests of `tests/it`, with `udp.backend = "xdp"`, and
//! what there is of XDP alone.
//!
//! It is run by `cargo xtask test`, as root.
//!
//! | sentence | tests |
//! |---|---|
//! | frames are taken from the interface | `requests_come_by_the_queue_and_not_by_the_socket` |
//! | operators see which | `the_status_names_interfaces_and_their_mode` |
//! | what is not for us is answered by the sockets | `what_the_program_leaves_is_answered_by_the_socket` |
//! | addresses that come later are served, with the sandbox closed | `an_address_that_is_added_is_served` |
//! | a process that is killed leaves no program | `a_killed_process_leaves_no_program` |
//! | one that is stopped neither, and answers what it had | `a_tracker_that_stops_leaves_no_program` |
//! | junk as fast as it comes does not keep clients away | `clients_are_served_beside_junk` |
//! | errors say what is missing | `without_capabilities_the_error_names_them`, `an_interface_that_another_has_is_refused` |
//! | `--check` leaves the interface alone | `a_check_does_not_disturb_the_one_that_runs` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod backend;
#[path = "../it/bencode.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod bencode;
#[path = "../it/datagram.rs"]
mod datagram;
#[path = "../it/metrics.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod metrics;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;
#[path = "../it/request.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod request;
#[path = "../it/udp.rs"]
mod udp;
#[path = "../it/udp_hostile.rs"]
mod udp_hostile;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backend::ip;
use datagram::{Announce, Client, Reply};
use metrics::Metrics;
use program::{PATIENCE, Setup, Tracker, eventually};
use request::get;
use serde_json::{Value, json};

const TORRENT: [u8; 20] = [0xab; 20];

/// Datagrams that a listener has received.
fn received(tracker: &Tracker, listener: &str) -> u64 {
    let series =
        format!("opentracker_udp_datagrams_total{{direction=\"in\",listener=\"{listener}\"}}");
    Metrics::of(tracker.http()).get(&series)
}

fn has_program() -> bool {
    ip("-details link show lo").contains("prog/xdp")
}

#[test]
fn requests_come_by_the_queue_and_not_by_the_socket() {
    let mut setup = Setup::new();
    setup.set("udp.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    for (place, address) in tracker.addresses("udp").into_iter().enumerate() {
        Client::of(address).announce(&Announce::new(TORRENT, 1000));
        let both = 2 * (place as u64 + 1);
        assert_eq!(received(&tracker, "xdp://lo/0"), both);
        assert_eq!(received(&tracker, &format!("udp://{address}")), 0);
    }
}

#[test]
fn the_status_names_interfaces_and_their_mode() {
    let tracker = Setup::new().start();
    let status = get(tracker.operator(), "/api/v1/status");
    let status: Value = serde_json::from_str(status.text()).unwrap();
    let served = json!([{ "interface": "lo", "queues": 1, "mode": "generic" }]);
    assert_eq!(status["xdp"], served);
}

#[test]
fn what_the_program_leaves_is_answered_by_the_socket() {
    let mut setup = Setup::new();
    setup.set("udp.listen", ["0.0.0.0:0"]);
    let tracker = setup.start();
    let address = tracker.udp();
    // Loopback has more addresses than its interface names.
    let at = |ip: &str| Client::of(format!("{ip}:{}", address.port()).parse().unwrap());
    at("127.0.0.9").connect();
    assert_eq!(received(&tracker, "xdp://lo/0"), 0);
    at("127.0.0.1").connect();
    assert_eq!(received(&tracker, "xdp://lo/0"), 1);
    assert_eq!(received(&tracker, &format!("udp://{address}")), 1);
}

#[test]
fn an_address_that_is_added_is_served() {
    let mut setup = Setup::new();
    setup
        .set("udp.listen", ["0.0.0.0:0"])
        .set("process.user", "nobody");
    let tracker = setup.start();
    ip("addr add 10.7.7.7/32 dev lo");
    let later = format!("10.7.7.7:{}", tracker.udp().port())
        .parse()
        .unwrap();
    let client = Client::of(later);
    eventually("the queue to serve the address", || {
        client.connect();
        received(&tracker, "xdp://lo/0") > 0
    });
}

#[test]
fn a_killed_process_leaves_no_program() {
    let mut tracker = Setup::udp().start();
    assert!(has_program());
    tracker.stop("KILL");
    // The kernel takes it off when the last of the process is gone.
    eventually("the program to go", || !has_program());
}

#[test]
fn a_tracker_that_stops_leaves_no_program() {
    let mut tracker = Setup::udp().start();
    Client::of(tracker.udp()).connect();
    let (status, took) = tracker.stop("TERM");
    assert!(status.success());
    assert!(took < program::STOP_TIME, "{took:?}");
    assert!(!has_program());
}

/// Asks until there is an answer: in a flood a request may be lost.
fn persist(client: &UdpSocket, transaction: u32, request: &[u8]) -> Reply {
    client
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let begin = Instant::now();
    let mut reply = [0; 2048];
    while begin.elapsed() < PATIENCE {
        client.send(request).unwrap();
        while let Ok(octets) = client.recv(&mut reply) {
            // The answer to an earlier one may be late.
            if reply[4..8] == request[12..16] {
                return Reply::read(&reply[..octets], transaction, true);
            }
        }
    }
    panic!("no answer beside the flood");
}

#[test]
fn clients_are_served_beside_junk() {
    let tracker = Setup::new().start();
    let address = tracker.udp();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut junk = [0x5a_u8; 300];
            while !is_over.load(Ordering::Relaxed) {
                junk[0] = junk[0].wrapping_add(1);
                // There may be no room.
                let _ = socket.send_to(&junk[..usize::from(junk[0])], address);
            }
        });
        for port in 1000..1100 {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.connect(address).unwrap();
            let Reply::Connect(id) = persist(&client, 7, &datagram::connect(7)) else {
                panic!("no connection");
            };
            let announce = Announce::new(TORRENT, port).octets(id, 8);
            let reply = persist(&client, 8, &announce);
            assert!(matches!(reply, Reply::Announce(_)), "{reply:?}");
        }
        eventually("the junk to be many", || {
            Metrics::of(tracker.http()).dropped("action") > 10_000
        });
        is_over.store(true, Ordering::Relaxed);
    });
    let announced = Client::of(address).announce(&Announce::new(TORRENT, 1000));
    assert_eq!(announced.leechers, 100);
}

#[test]
fn without_capabilities_the_error_names_them() {
    let mut setup = Setup::udp();
    let without = "-net_admin,-net_raw,-bpf,-sys_admin";
    setup.wrapper = ["setpriv", "--bounding-set", without]
        .map(str::to_owned)
        .into();
    let ended = setup.run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in [
        "udp.xdp.interfaces",
        "lo",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_BPF",
    ] {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
}

#[test]
fn an_interface_that_another_has_is_refused() {
    let tracker = Setup::udp().start();
    let ended = tracker.setup.run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("another program has it"), "{ended:?}");
}

#[test]
fn a_check_does_not_disturb_the_one_that_runs() {
    let mut tracker = Setup::udp().start();
    let ended = tracker.setup.argument("--check").run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Client::of(tracker.udp()).connect();
    tracker.setup.set("udp.xdp.interfaces", ["no-such-link"]);
    let ended = tracker.setup.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("no-such-link"), "{ended:?}");
}
