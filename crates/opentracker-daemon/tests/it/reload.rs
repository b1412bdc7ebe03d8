//! Section "Program" of the contract: reload.
//!
//! | sentence | tests |
//! |---|---|
//! | SIGHUP: reload lists and what can change at run time | `lists_are_reloaded`, `settings_are_reloaded`, `pages_and_rights_are_reloaded`, `the_log_level_is_reloaded` |
//! | atomically | `no_announce_sees_half_of_a_reload` |
//! | on an error keep the old one and log it | `a_broken_file_changes_nothing`, `a_broken_list_changes_nothing` |
//! | what cannot change at run time is named | `what_needs_a_restart_is_named` |
//! | a reload forgets no peer | `peers_survive_a_reload` |
//! | nothing that comes from outside breaks it | `a_storm_of_reloads_is_survived`, `it_serves_on_when_nobody_reads_its_log` |

use std::sync::atomic::{AtomicBool, Ordering};

use crate::datagram::{Announce, Client};
use crate::program::{STOP_TIME, Setup, Tracker, eventually, list};
use crate::request::{Connection, announce, get, get_with};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let announce = Announce::new(info_hash, 1000);
    Client::of(tracker.udp()).try_announce(&announce).is_ok()
}

fn interval(tracker: &Tracker) -> u32 {
    Client::of(tracker.udp())
        .announce(&Announce::new(TORRENT, 1000))
        .interval
}

#[test]
fn lists_are_reloaded() {
    let mut setup = Setup::udp();
    setup
        .list("access.allow", &[TORRENT])
        .list("access.deny", &[]);
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    tracker
        .setup
        .write("access.allow", &list(&[TORRENT, OTHER]));
    assert!(!serves(&tracker, OTHER), "a file alone changes nothing");
    tracker.hang_up();
    assert!(serves(&tracker, TORRENT) && serves(&tracker, OTHER));
    tracker.setup.write("access.deny", &list(&[TORRENT]));
    tracker.hang_up();
    assert!(!serves(&tracker, TORRENT) && serves(&tracker, OTHER));
}

#[test]
fn settings_are_reloaded() {
    let mut setup = Setup::new();
    setup
        .set("announce.interval", "10m")
        .set("announce.jitter", "0s");
    let mut tracker = setup.start();
    assert_eq!(interval(&tracker), 600);
    tracker
        .setup
        .set("announce.interval", "20m")
        .set("announce.min_interval", "5m")
        .set("announce.numwant_default", 1)
        .set("announce.numwant_max", 2);
    let said = tracker.reload().join("\n");
    assert!(!said.contains("restart"), "{said}");
    assert_eq!(interval(&tracker), 1200);
    let client = Client::of(tracker.udp());
    for port in 1..10 {
        client.announce(&Announce::new(TORRENT, port));
    }
    assert_eq!(client.announce(&Announce::new(TORRENT, 1)).ports().len(), 1);
    assert_eq!(
        client
            .announce(&Announce::new(TORRENT, 1).want(50))
            .ports()
            .len(),
        2
    );
    let reply = get(tracker.http(), &announce(&TORRENT, 1, "numwant=50")).announced();
    assert_eq!((reply.interval, reply.min_interval), (1200, 300));
    assert_eq!(reply.all().len(), 2);
}

#[test]
fn pages_and_rights_are_reloaded() {
    let mut tracker = Setup::new().start();
    let server = tracker.http();
    let mut kept = Connection::to(server);
    assert_eq!(kept.get("/stats").status, 200);
    assert_eq!(get(server, "/metrics").status, 200);
    assert_eq!(get(server, "/").status, 200);
    tracker
        .setup
        .set("http.stats_path", "numbers")
        .set("http.redirect_url", "https://example.org/")
        .set("http.trusted_proxies", ["127.0.0.1"])
        .set("access.admin", ["192.0.2.1"])
        .set("access.stats", ["192.0.2.1"]);
    let said = tracker.reload().join("\n");
    assert!(!said.contains("restart"), "{said}");
    assert_eq!(
        kept.get("/stats").status,
        404,
        "on a connection that is open, too"
    );
    assert_eq!(kept.get("/numbers").status, 403);
    assert_eq!(get(server, "/metrics").status, 403);
    assert_eq!(get(server, "/").status, 302);
    let fields = [("X-Forwarded-For", "192.0.2.1")];
    assert_eq!(get_with(server, "/metrics", &fields).status, 200);
    assert_eq!(get_with(server, "/numbers", &fields).status, 200);
}

#[test]
fn the_log_level_is_reloaded() {
    let mut tracker = Setup::udp().start();
    tracker.setup.set("log.level", "trace");
    tracker.reload();
    Client::of(tracker.udp()).connect();
    tracker.wait_for("a line for the datagram", |log| {
        log.iter().any(|line| line.contains("TRACE"))
    });
}

#[test]
fn no_announce_sees_half_of_a_reload() {
    const RELOADS: usize = 30;
    let [always, never] = [[0xaa; 20], [0xbb; 20]];
    // Between both states `never` is either denied or not allowed. It would be served with the
    // allow list of the first and the deny list of the second.
    let states = [
        (list(&[always, never]), list(&[never])),
        (list(&[always]), list(&[])),
    ];
    let mut setup = Setup::udp();
    setup
        .list("access.allow", &[always, never])
        .list("access.deny", &[never]);
    let tracker = setup.start();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let announcing = |info_hash, is_served| {
            let (tracker, is_over) = (&tracker, &is_over);
            scope.spawn(move || {
                let client = Client::of(tracker.udp());
                while !is_over.load(Ordering::Relaxed) {
                    let reply = client.try_announce(&Announce::new(info_hash, 1000));
                    assert_eq!(reply.is_ok(), is_served, "{reply:?}");
                }
            })
        };
        let threads = [announcing(always, true), announcing(never, false)];
        for number in 0..RELOADS {
            let (allow, deny) = &states[(number + 1) % 2];
            tracker.setup.write("access.allow", allow);
            tracker.setup.write("access.deny", deny);
            tracker.hang_up();
        }
        is_over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_broken_file_changes_nothing() {
    let mut setup = Setup::udp();
    setup
        .set("announce.interval", "10m")
        .set("announce.jitter", "0s")
        .list("access.deny", &[]);
    let mut tracker = setup.start();
    for (key, value) in [
        ("announce.intervall", "1h"),
        ("announce.numwant_max", "many"),
    ] {
        // What is right about it is not taken over either, nor are the lists.
        tracker
            .setup
            .set("announce.interval", "20m")
            .set(key, value);
        tracker.setup.write("access.deny", &list(&[TORRENT]));
        let said = tracker.reload().join("\n");
        assert!(said.contains("ERROR"), "{said}");
        for word in ["opentracker.toml:", key] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert_eq!(interval(&tracker), 600);
        tracker.setup.unset(key);
    }
    std::fs::remove_file(tracker.setup.config_path()).unwrap();
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("ERROR") && said.contains("opentracker.toml"),
        "{said}"
    );
    assert_eq!(interval(&tracker), 600);
    // The next good one is taken.
    tracker.setup.write("access.deny", &list(&[OTHER]));
    let said = tracker.reload().join("\n");
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!(interval(&tracker), 1200);
    assert!(!serves(&tracker, OTHER));
}

#[test]
fn a_broken_list_changes_nothing() {
    let mut setup = Setup::udp();
    setup
        .set("announce.interval", "10m")
        .set("announce.jitter", "0s")
        .list("access.allow", &[TORRENT])
        .list("access.deny", &[]);
    let mut tracker = setup.start();
    tracker.setup.set("announce.interval", "20m");
    tracker.setup.write("access.allow", &list(&[OTHER]));
    tracker.setup.write("access.deny", "hello\n");
    let said = tracker.reload().join("\n");
    for word in ["ERROR", "access.deny", "line 1"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(
        serves(&tracker, TORRENT) && !serves(&tracker, OTHER),
        "the other list is as it was"
    );
    assert_eq!(interval(&tracker), 600, "and so are the settings");
    std::fs::remove_file(tracker.setup.path("access.deny")).unwrap();
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("ERROR") && said.contains("access.deny"),
        "{said}"
    );
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
}

#[test]
fn what_needs_a_restart_is_named() {
    let mut tracker = Setup::new().start();
    let other = tracker.setup.path("").to_str().unwrap().to_owned();
    tracker
        .setup
        .set("udp.listen", ["127.0.0.2:0"])
        .set("udp.workers", 2)
        .set("udp.max_payload", 512)
        .set("udp.connection_id_lifetime", "5m")
        .set("http.listen", ["127.0.0.2:0"])
        .set("process.user", "somebody")
        .set("process.chroot", other.as_str())
        .set("log.format", "json");
    let said = tracker.reload();
    // The lines after the one that ends the reload may take a moment.
    for key in [
        "udp.listen",
        "udp.workers",
        "udp.max_payload",
        "udp.connection_id_lifetime",
        "http.listen",
        "process.user",
        "process.chroot",
        "log.format",
    ] {
        tracker.wait_for(key, |log| {
            let is_named = |line: &String| line.contains(key) && line.contains("restart");
            log.iter().any(is_named)
        });
    }
    assert!(!said.join("\n").contains("ERROR"), "{said:?}");
    Client::of(tracker.udp()).connect();
    assert_eq!(get(tracker.http(), "/stats").status, 200);
}

#[test]
fn peers_survive_a_reload() {
    let tracker = Setup::udp().start();
    let client = Client::of(tracker.udp());
    let connection = client.connect();
    client.announce(&Announce::new(TORRENT, 1000));
    tracker.hang_up();
    let reply =
        client.ask(|transaction| Announce::new(TORRENT, 1001).octets(connection, transaction));
    let crate::datagram::Reply::Announce(announced) = reply else {
        panic!("the connection id was good before: {reply:?}");
    };
    assert_eq!(announced.ports(), [1000].into());
}

#[test]
fn a_storm_of_reloads_is_survived() {
    let mut setup = Setup::udp();
    setup.list("access.allow", &[TORRENT]);
    let mut tracker = setup.start();
    for _ in 0..100 {
        tracker.signal("HUP");
        assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    }
    let (status, took) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_TIME, "{took:?}");
}

#[test]
fn it_serves_on_when_nobody_reads_its_log() {
    let mut setup = Setup::udp();
    setup.list("access.allow", &[TORRENT]);
    let mut tracker = setup.start();
    tracker.stop_reading();
    for (served, other) in [(OTHER, TORRENT), (TORRENT, OTHER)] {
        tracker.setup.write("access.allow", &list(&[served]));
        tracker.signal("HUP");
        eventually("a reload", || serves(&tracker, served));
        assert!(!serves(&tracker, other));
    }
}
