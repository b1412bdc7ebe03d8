//! Sections "Keys" and "Connection ids" of the cluster protocol (docs/livesync.md).
//!
//! | sentence | tests |
//! |---|---|
//! | an id issued by one node is good at every other | `an_id_of_one_node_is_good_at_another` |
//! | while their clocks agree within 30 s | `a_node_30_s_ahead_serves_the_others_clients`, `a_clock_that_is_set_right_counts_within_seconds` |
//! | a restart refuses nobody | `a_restart_refuses_nobody` |
//! | to change the key without a gap: three steps, node by node | `a_rotation_under_load_refuses_nobody` |
//! | the file is read when it changes | `a_changed_secret_is_taken_without_a_signal` |
//! | a file with a fault keeps what was in force and is said | `a_secret_with_a_fault_keeps_the_keys`, `no_start_without_the_secret` |
//! | one that everybody may read is a warning | `a_secret_that_everybody_may_read_is_warned_of` |

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use crate::clock;
use crate::datagram::{Announce, Client, Reply};
use crate::program::{Setup, Tracker, eventually};

const TORRENT: [u8; 20] = [0xab; 20];

/// The key of docs/livesync.md, and its name.
const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OLD_NAME: &str = "3f83247a";
const NEW: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

/// A node with these keys.
fn node(keys: &[&str]) -> Setup {
    let mut setup = Setup::udp();
    let path = setup.path("secret");
    write_keys(&setup, keys);
    setup.set("livesync.secret", path.to_str().unwrap());
    setup
}

fn write_keys(setup: &Setup, keys: &[&str]) {
    let path = setup.write("secret", &format!("# of a test\n{}\n", keys.join("\n")));
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Connects at one node and announces at another.
fn announce(at: &str, issuer: SocketAddr, server: SocketAddr, port: u16) -> Reply {
    let connection = Client::at(at, issuer).connect();
    let announce = Announce::new(TORRENT, port);
    Client::at(at, server).ask(|transaction| announce.octets(connection, transaction))
}

fn is_served(reply: &Reply) -> bool {
    matches!(reply, Reply::Announce(_))
}

#[test]
fn an_id_of_one_node_is_good_at_another() {
    let (one, other) = (node(&[OLD]).start(), node(&[OLD]).start());
    let stranger = node(&[NEW]).start();
    for (issuer, server) in [(&one, &other), (&other, &one)] {
        let reply = announce("127.0.0.1", issuer.udp(), server.udp(), 1000);
        assert!(is_served(&reply), "{reply:?}");
    }
    let reply = announce("127.0.0.1", one.udp(), stranger.udp(), 1000);
    assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
}

#[test]
fn a_node_30_s_ahead_serves_the_others_clients() {
    let mut setup = node(&[OLD]);
    // Slots of a minute and a half, so that the two are often in different ones.
    setup.set("udp.connection_id_lifetime", "1m");
    let clock = clock::install(&mut setup);
    clock::set(&clock, 30);
    let ahead = setup.start();
    let mut setup = node(&[OLD]);
    setup.set("udp.connection_id_lifetime", "1m");
    let behind = setup.start();
    for (issuer, server) in [(&ahead, &behind), (&behind, &ahead)] {
        let reply = announce("127.0.0.1", issuer.udp(), server.udp(), 1000);
        assert!(is_served(&reply), "{reply:?}");
    }
}

#[test]
fn a_clock_that_is_set_right_counts_within_seconds() {
    let mut setup = node(&[OLD]);
    let clock = clock::install(&mut setup);
    clock::set(&clock, 3600);
    let (wrong, right) = (setup.start(), node(&[OLD]).start());
    let reply = announce("127.0.0.1", right.udp(), wrong.udp(), 1000);
    assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
    clock::set(&clock, 0);
    // An address is told once in a while, so each time it is another.
    let mut number = 0;
    eventually("the right slot", || {
        number += 1;
        let [high, low] = u16::to_be_bytes(number);
        let address = format!("127.1.{high}.{low}");
        is_served(&announce(&address, right.udp(), wrong.udp(), 1000))
    });
}

#[test]
fn a_restart_refuses_nobody() {
    let client = |tracker: &Tracker| Client::of(tracker.udp());
    let before = node(&[OLD]).start();
    let connection = client(&before).connect();
    drop(before);
    let after = node(&[OLD]).start();
    let announce = Announce::new(TORRENT, 1000);
    let reply = client(&after).ask(|transaction| announce.octets(connection, transaction));
    assert!(is_served(&reply), "{reply:?}");
}

#[test]
fn a_rotation_under_load_refuses_nobody() {
    const ANNOUNCES: u32 = 200;
    let nodes = [node(&[OLD]).start(), node(&[OLD]).start()];
    let addresses = nodes.each_ref().map(Tracker::udp);
    let (is_over, served) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for (port, (issuer, server)) in (1000..).zip([(0, 1), (1, 0), (0, 0), (1, 1)]) {
            let (is_over, served) = (&is_over, &served);
            scope.spawn(move || {
                // Two at a time, the older one a step behind.
                let mut kept = Client::of(addresses[issuer]).connect();
                while !is_over.load(Ordering::Relaxed) {
                    let connection = Client::of(addresses[issuer]).connect();
                    for connection in [kept, connection] {
                        let announce = Announce::new(TORRENT, port);
                        let server = Client::of(addresses[server]);
                        let reply =
                            server.ask(|transaction| announce.octets(connection, transaction));
                        if !is_served(&reply) {
                            is_over.store(true, Ordering::Relaxed);
                            panic!("{port}: {reply:?}");
                        }
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                    kept = connection;
                }
            });
        }
        let more = || {
            let until = served.load(Ordering::Relaxed) + ANNOUNCES;
            eventually("more announces", || {
                served.load(Ordering::Relaxed) >= until || is_over.load(Ordering::Relaxed)
            });
        };
        for keys in [&[OLD, NEW][..], &[NEW, OLD], &[NEW]] {
            for node in &nodes {
                more();
                write_keys(&node.setup, keys);
                let said = node.hang_up().join("\n");
                assert!(said.contains("livesync.secret: the key is "), "{said}");
                assert!(!said.contains(&NEW[..8]), "{said}");
            }
            more();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_changed_secret_is_taken_without_a_signal() {
    let (one, other) = (node(&[NEW, OLD]).start(), node(&[OLD]).start());
    write_keys(&other.setup, &[OLD, NEW]);
    other.wait_for("the new keys", |log| {
        let words = format!("the key is {OLD_NAME}, accepted as well: ");
        log.iter().any(|line| line.contains(&words))
    });
    let reply = announce("127.0.0.1", one.udp(), other.udp(), 1000);
    assert!(is_served(&reply), "{reply:?}");
}

#[test]
fn a_secret_with_a_fault_keeps_the_keys() {
    let (one, other) = (node(&[OLD]).start(), node(&[OLD]).start());
    write_keys(&other.setup, &[OLD, "0123"]);
    let fault = "ERROR the keys stay as they were: livesync.secret: cannot read ";
    let line = "line 3: the key has 4 digits, and 64 are the least";
    other.wait_for("the fault", |log| {
        log.iter()
            .any(|said| said.contains(fault) && said.contains(line))
    });
    fs::remove_file(other.setup.path("secret")).unwrap();
    let said = other.hang_up().join("\n");
    assert!(
        said.contains(fault) && said.contains("No such file"),
        "{said}"
    );
    let reply = announce("127.0.0.1", one.udp(), other.udp(), 1000);
    assert!(is_served(&reply), "{reply:?}");
}

#[test]
fn no_start_without_the_secret() {
    let setup = node(&[]);
    for (keys, fault) in [
        ("", "there is no key"),
        ("0123", "line 1: the key has 4 digits, and 64 are the least"),
        (
            &"x".repeat(64),
            "line 1: character 1 of the key is no hexadecimal digit",
        ),
        (&format!("{OLD}\n").repeat(5), "line 5: more than 4 keys"),
        (&"#".repeat(1 << 17), "it has more than 65536 octets"),
    ] {
        setup.write("secret", keys);
        let ended = setup.run();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stderr.contains("livesync.secret: cannot read "),
            "{ended:?}"
        );
        assert!(ended.stderr.contains(fault), "{ended:?}");
    }
}

#[test]
fn a_secret_that_everybody_may_read_is_warned_of() {
    const WARNING: &str = "WARN livesync.secret: everybody may read ";
    let setup = node(&[OLD]);
    let tracker = setup.start();
    assert!(!tracker.log().join("\n").contains(WARNING));
    let path = tracker.setup.path("secret");
    fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
    assert!(tracker.hang_up().join("\n").contains(WARNING));
    drop(tracker);
    let mut setup = node(&[OLD]);
    let path = setup.path("secret");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    setup.argument("--check");
    let ended = setup.run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains(WARNING), "{ended:?}");
}
