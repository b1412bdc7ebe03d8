//! Section "Program" of the contract: reload.
//!
//! | sentence | tests |
//! |---|---|
//! | SIGHUP: reload lists and what can change at run time | `lists_are_reloaded`, `settings_are_reloaded`, `pages_and_rights_are_reloaded`, `the_log_level_is_reloaded` |
//! | atomically | `no_announce_sees_half_of_a_reload` |
//! | on an error keep the old one and log it | `a_broken_configuration_is_not_taken_but_lists_are`, `a_list_that_cannot_be_read_stays_as_it_was` |
//! | a configuration that came through a pipe or is suddenly empty stays in force | `a_configuration_through_a_pipe_stays_in_force`, `a_configuration_that_is_suddenly_empty_stays_in_force` |
//! | a deny list without entries is taken on SIGHUP | `a_deny_list_that_has_lost_its_entries_is_taken` |
//! | log what changed | `a_line_says_what_has_changed` |
//! | a newly denied swarm is purged at once | `denied_swarms_are_gone_everywhere` |
//! | a signal during a reload makes one more follow | `no_signal_is_lost` |
//! | what cannot change at run time is named | `what_needs_a_restart_is_named` |
//! | a reload forgets no peer | `peers_survive_a_reload` |
//! | nothing that comes from outside breaks it | `a_storm_of_reloads_is_survived`, `it_serves_on_when_nobody_reads_its_log` |

use std::sync::atomic::{AtomicBool, Ordering};

use crate::datagram::{Announce, Client, Counts};
use crate::program::{NOTHING, STOP_TIME, Setup, Tracker, eventually, list};
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
fn a_broken_configuration_is_not_taken_but_lists_are() {
    let mut setup = Setup::udp();
    setup
        .set("announce.interval", "10m")
        .set("announce.jitter", "0s")
        .list("access.deny", &[]);
    let mut tracker = setup.start();
    let denied = [[1; 20], [2; 20], [3; 20]];
    for ((key, value), denied) in [
        ("announce.intervall", "1h"),
        ("announce.numwant_max", "many"),
    ]
    .into_iter()
    .zip(denied)
    {
        // What is right about it is not taken over either.
        tracker
            .setup
            .set("announce.interval", "20m")
            .set(key, value);
        tracker.setup.write("access.deny", &list(&[denied]));
        let said = tracker.reload().join("\n");
        assert!(said.contains("ERROR"), "{said}");
        for word in ["opentracker.toml:", key, "stays in force"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert_eq!(interval(&tracker), 600);
        assert!(!serves(&tracker, denied));
        tracker.setup.unset(key);
    }
    std::fs::remove_file(tracker.setup.config_path()).unwrap();
    tracker.setup.write("access.deny", &list(&denied));
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("ERROR") && said.contains("opentracker.toml"),
        "{said}"
    );
    assert_eq!(interval(&tracker), 600);
    assert!(!serves(&tracker, denied[2]));
    // The next good one is taken.
    tracker.setup.write("access.deny", &list(&[OTHER]));
    let said = tracker.reload().join("\n");
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!(interval(&tracker), 1200);
    assert!(!serves(&tracker, OTHER));
}

#[test]
fn a_list_that_cannot_be_read_stays_as_it_was() {
    let mut setup = Setup::udp();
    setup
        .set("announce.interval", "10m")
        .set("announce.jitter", "0s")
        .list("access.allow", &[TORRENT, OTHER])
        .list("access.deny", &[OTHER]);
    let mut tracker = setup.start();
    tracker.setup.set("announce.interval", "20m");
    tracker
        .setup
        .write("access.allow", &list(&[TORRENT, OTHER, [1; 20]]));
    std::fs::remove_file(tracker.setup.path("access.deny")).unwrap();
    for _ in 0..2 {
        let said = tracker.reload().join("\n");
        for word in ["ERROR", "access.deny", "No such file", "stays as it was"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!serves(&tracker, OTHER), "what was closed stays closed");
        assert!(serves(&tracker, [1; 20]), "the other list is taken");
        assert_eq!(interval(&tracker), 1200, "and so are the settings");
    }
    // A path that leads nowhere opens nothing either.
    let nowhere = tracker.setup.path("nowhere").to_str().unwrap().to_owned();
    tracker
        .setup
        .set("access.allow", nowhere.as_str())
        .set("access.deny", nowhere.as_str());
    tracker.reload();
    assert!(!serves(&tracker, OTHER) && !serves(&tracker, [2; 20]));
    // Once there is a file it counts.
    tracker.setup.write("nowhere", &list(&[OTHER]));
    let said = tracker.hang_up().join("\n");
    assert!(!said.contains("ERROR"), "{said}");
    assert!(!serves(&tracker, OTHER) && !serves(&tracker, TORRENT));
}

#[test]
fn a_deny_list_that_has_lost_its_entries_is_taken() {
    let mut setup = Setup::udp();
    setup.list("access.deny", &[TORRENT]);
    let tracker = setup.start();
    assert!(!serves(&tracker, TORRENT));
    tracker.setup.write("access.deny", "");
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("deny list 1 → 0"), "{said}");
    assert!(serves(&tracker, TORRENT));
}

#[test]
fn a_configuration_through_a_pipe_stays_in_force() {
    let mut setup = Setup::new();
    setup
        .list("access.allow", &[TORRENT])
        .set("access.admin", NOTHING)
        .set("access.stats", ["192.0.2.1"]);
    let tracker = setup.start_from_pipe();
    for _ in 0..2 {
        let said = tracker.hang_up().join("\n");
        for word in ["/dev/stdin", "stays in force", "pipe"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
        assert_eq!(get(tracker.http(), "/stats").status, 403);
    }
    tracker
        .setup
        .write("access.allow", &list(&[TORRENT, OTHER]));
    tracker.hang_up();
    assert!(serves(&tracker, OTHER), "the list is read all the same");
}

#[test]
fn a_configuration_that_is_suddenly_empty_stays_in_force() {
    let mut setup = Setup::new();
    setup
        .list("access.allow", &[TORRENT])
        .set("access.admin", NOTHING)
        .set("access.stats", ["192.0.2.1"]);
    let mut tracker = setup.start();
    for text in ["", "\n \n"] {
        tracker.setup.text(text);
        let said = tracker.reload().join("\n");
        for word in ["ERROR", "opentracker.toml", "it is empty"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!serves(&tracker, OTHER));
        assert_eq!(get(tracker.http(), "/stats").status, 403);
    }
    // One that was empty from the start may be.
    let mut setup = Setup::new();
    let none = setup.write("none.toml", "");
    for argument in ["-i", "127.0.0.1", "-P", "0", "-f", none.to_str().unwrap()] {
        setup.argument(argument);
    }
    setup.listeners(1);
    let said = setup.start_bare().hang_up().join("\n");
    assert!(!said.contains("ERROR"), "{said}");
}

#[test]
fn a_line_says_what_has_changed() {
    let mut setup = Setup::udp();
    setup.list("access.deny", &[]);
    let mut tracker = setup.start();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1000));
    client.announce(&Announce::new(OTHER, 1000));
    tracker.setup.set("announce.interval", "20m");
    tracker
        .setup
        .write("access.deny", &list(&[TORRENT, OTHER, [1; 20]]));
    let said = tracker.reload().join("\n");
    let line = "reloaded: announce.interval; deny list 0 → 3, 2 swarms purged";
    assert!(said.contains(line), "{said}");
    let said = tracker.reload().join("\n");
    assert!(said.contains("reloaded: nothing has changed"), "{said}");
}

#[test]
fn denied_swarms_are_gone_everywhere() {
    let mut setup = Setup::new();
    setup.list("access.deny", &[]);
    let tracker = setup.start();
    let server = tracker.http();
    let (client, hex) = (Client::of(tracker.udp()), "ab".repeat(20));
    for port in 1..=3 {
        client.announce(&Announce::new(TORRENT, port));
        client.announce(&Announce::new(OTHER, port));
    }
    let swarms = |mode: &str| {
        let page = get(server, &format!("/stats?mode={mode}"));
        page.text().to_lowercase()
    };
    assert!(swarms("top10").contains(&hex), "{}", swarms("top10"));
    tracker.setup.write("access.deny", &list(&[TORRENT]));
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("1 swarm purged"), "{said}");
    assert_eq!(client.scrape(&[TORRENT])[0], Counts::default());
    let torrents = swarms("torr");
    assert!(torrents.starts_with("1\n"), "{torrents}");
    let peers = swarms("peer");
    assert!(peers.starts_with("3\n"), "{peers}");
    // The page of the largest swarms may be some seconds old.
    eventually("a new page", || !swarms("top10").contains(&hex));
    // What is permitted again begins anew.
    tracker.setup.write("access.deny", "");
    tracker.hang_up();
    let announced = client.announce(&Announce::new(TORRENT, 9));
    assert!(announced.ports().is_empty(), "{announced:?}");
}

#[test]
fn no_signal_is_lost() {
    let mut setup = Setup::udp();
    setup.list("access.allow", &[TORRENT]);
    let tracker = setup.start();
    // The last signal may come while the reload of the one before is under way, which may have
    // read the list already.
    for round in 0..20 {
        for served in [OTHER, TORRENT, [round; 20]] {
            tracker.setup.write("access.allow", &list(&[served]));
            tracker.signal("HUP");
        }
        eventually("the last list", || serves(&tracker, [round; 20]));
    }
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
    // And again, until it happens.
    let said = tracker.hang_up().join("\n");
    assert_eq!(
        said.matches("takes effect after a restart").count(),
        8,
        "{said}"
    );
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
