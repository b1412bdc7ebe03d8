//! Section "Snapshot and restart" of the contract, and what the snapshot changes at a start and at a
//! stop. What needs root is in `tests/privileges`; kills are in `snapshot_kills`.
//!
//! | sentence | tests |
//! |---|---|
//! | at the stop, all swarms with flags and download counts are written; read at the start | `a_restart_keeps_the_swarms` |
//! | every `interval` | `one_is_written_every_interval` |
//! | metrics tell of it | `metrics_tell_of_the_latest` |
//! | restored with its age less the time that passed | `what_timed_out_meanwhile_is_left_out`, `a_peer_keeps_its_age` |
//! | if the clock went back since, the time that passed counts as none | `a_clock_that_went_back_takes_nothing` |
//! | what is whole is restored, what is damaged is reported, left out and kept aside | `a_damaged_file_is_taken_as_far_as_it_is_whole` |
//! | a file of a newer version is refused by name and kept, and so is what is no snapshot | `what_cannot_be_read_is_refused_and_kept` |
//! | restored is what the present lists serve | `what_is_not_served_is_left_out` |
//! | no write of a snapshot costs the service; it is said | `what_cannot_be_written_costs_the_snapshot_alone` |
//! | `--check` tries what a start would | `a_place_that_cannot_be_is_said` |
//! | requests wait in the sockets while it is read | `requests_wait_while_it_is_read` |
//! | SIGTERM: a second signal leaves at once, the old snapshot whole | `a_second_signal_leaves_the_old_one` |

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::datagram::{Announce, COMPLETED, Client, Counts, STOPPED};
use crate::program::{STOP_TIME, Setup, Tracker, eventually};
use crate::request::{Connection, announce, get, scrape};
use crate::snapshot_file::{self, Peer, Swarm, leechers, now, swarm};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];
const EMPTY: [u8; 20] = [0xee; 20];
const UNKNOWN: [u8; 20] = [0x99; 20];

/// A folder that outlasts the trackers.
struct Place(Setup);

impl Place {
    fn new() -> Self {
        Self(Setup::new())
    }

    fn path(&self) -> PathBuf {
        self.0.path("swarms")
    }

    /// Keeps a snapshot there that was made a while ago.
    fn with(seconds_ago: u64, swarms: &[Swarm]) -> Self {
        let place = Self::new();
        let file = snapshot_file::encode(1, now() - seconds_ago, swarms);
        fs::write(place.path(), file).unwrap();
        place
    }

    /// A setup of a tracker whose snapshot it is.
    fn setup(&self) -> Setup {
        let mut setup = Setup::new();
        setup.set("snapshot.path", self.path().to_str().unwrap());
        setup
    }

    /// The names of all files there.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

fn counts(tracker: &Tracker, info_hash: [u8; 20]) -> [u32; 3] {
    let scraped = Client::of(tracker.udp()).scrape(&[info_hash]);
    let &[
        Counts {
            seeders,
            downloads,
            leechers,
        },
    ] = &*scraped
    else {
        panic!("one hash, one entry: {scraped:?}");
    };
    [seeders, downloads, leechers]
}

/// The line of the log that has a text.
fn line(tracker: &Tracker, text: &str) -> String {
    tracker.wait_for(text, |log| log.iter().any(|line| line.contains(text)));
    let log = tracker.log();
    log.into_iter().find(|line| line.contains(text)).unwrap()
}

#[test]
fn a_restart_keeps_the_swarms() {
    let place = Place::new();
    let mut tracker = place.setup().start();
    assert!(line(&tracker, "no snapshot at").contains("swarms"));
    for port in 1..=300 {
        let mut announce = Announce::new(TORRENT, port);
        if port % 3 == 0 {
            announce = announce.seeding().event(COMPLETED);
        }
        Client::at("127.0.0.2", tracker.udp()).announce(&announce);
    }
    get(
        tracker.http(),
        &announce(&OTHER, 1000, "left=0&event=completed"),
    )
    .announced();
    // From another prefix, so that its count is kept without peers.
    for (ip, event) in [("127.0.0.2", COMPLETED), ("127.0.0.3", COMPLETED)] {
        let announce = Announce::new(EMPTY, 1).seeding();
        Client::at(ip, tracker.udp()).announce(&announce.event(event));
    }
    for ip in ["127.0.0.2", "127.0.0.3"] {
        let stop = Announce::new(EMPTY, 1).event(STOPPED);
        Client::at(ip, tracker.udp()).announce(&stop);
    }
    let all = [TORRENT, OTHER, EMPTY, UNKNOWN];
    let expected = [[100, 100, 200], [1, 1, 0], [0, 2, 0], [0; 3]];
    for (info_hash, expected) in all.into_iter().zip(expected) {
        assert_eq!(counts(&tracker, info_hash), expected);
    }
    let by_http = get(tracker.http(), &scrape(&all)).body;
    for _ in 0..2 {
        let (status, took) = tracker.stop("TERM");
        assert_eq!(status.code(), Some(0));
        assert!(took < STOP_TIME, "{took:?}");
        assert_eq!(place.names(), ["swarms", "swarms.trends"]);
        snapshot_file::created(&place.path());
        tracker = place.setup().start();
        let said = line(&tracker, "restored 301 peers of 3 torrents");
        assert!(said.contains(place.path().to_str().unwrap()), "{said}");
        for (info_hash, expected) in all.into_iter().zip(expected) {
            assert_eq!(counts(&tracker, info_hash), expected);
        }
        assert_eq!(get(tracker.http(), &scrape(&all)).body, by_http);
    }
    // A peer that has completed does not count again, and is the same peer.
    let again = Announce::new(TORRENT, 3).seeding().event(COMPLETED);
    let announced = Client::at("127.0.0.2", tracker.udp()).announce(&again.want(200));
    assert_eq!(announced.ports().len(), 200, "all leechers");
    assert_eq!(counts(&tracker, TORRENT), [100, 100, 200]);
}

#[test]
fn one_is_written_every_interval() {
    let place = Place::new();
    let mut setup = place.setup();
    setup.set("snapshot.interval", "24h");
    let mut tracker = setup.start();
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1));
    assert_eq!(place.names(), [""; 0]);
    // Another interval is in force at once.
    tracker.setup.set("snapshot.interval", "1s");
    let said = tracker.reload().join("\n");
    assert!(said.contains("snapshot.interval"), "{said}");
    eventually("a snapshot", || place.path().exists());
    let first = snapshot_file::created(&place.path());
    eventually("another", || {
        snapshot_file::said_to_be_created(&place.path()) > first
    });
    // What it has is there after a kill.
    tracker.signal("KILL");
    tracker.wait();
    let tracker = place.setup().start();
    assert_eq!(counts(&tracker, TORRENT), [0, 0, 1]);
}

#[test]
fn metrics_tell_of_the_latest() {
    let place = Place::new();
    let mut setup = place.setup();
    setup.set("snapshot.interval", "1s");
    let tracker = setup.start();
    let metric = |name: &str| {
        let page = get(tracker.operator(), "/metrics");
        let mut lines = page.text().lines();
        let line = lines.find(|line| line.starts_with(name));
        let value = line.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>());
        value.map(Result::unwrap)
    };
    let written = "opentracker_snapshots_total{result=\"written\"}";
    eventually("a snapshot", || metric(written) > Some(0.0));
    let octets = fs::metadata(place.path()).unwrap().len() as f64;
    assert_eq!(metric("opentracker_snapshot_size_bytes"), Some(octets));
    assert!(metric("opentracker_snapshot_written_bytes_total") >= Some(octets));
    assert!(metric("opentracker_snapshot_duration_seconds") < Some(20.0));
    let age = now() as f64 - metric("opentracker_snapshot_last_success_timestamp_seconds").unwrap();
    assert!((-1.0..20.0).contains(&age), "{age}");
    let failed = "opentracker_snapshots_total{result=\"failed\"}";
    assert_eq!(metric(failed), Some(0.0));
}

#[test]
fn what_timed_out_meanwhile_is_left_out() {
    let aged = |age_minutes| Peer {
        age_minutes,
        ..leechers([198, 51, 100, 1], 1)[0]
    };
    let swarms = [
        // By default peers time out after 45 minutes and torrents after 24 hours.
        swarm(
            TORRENT,
            vec![
                aged(0),
                Peer {
                    port: 2,
                    ..aged(40)
                },
            ],
        ),
        Swarm {
            downloads: 7,
            ..swarm(OTHER, vec![aged(40)])
        },
        Swarm {
            downloads: 8_589_934_597,
            idle_minutes: 24 * 60 - 25,
            ..swarm(EMPTY, Vec::new())
        },
        Swarm {
            downloads: 9,
            idle_minutes: 24 * 60 - 15,
            ..swarm(UNKNOWN, Vec::new())
        },
    ];
    let tracker = Place::with(20 * 60, &swarms).setup().start();
    line(&tracker, "restored 1 peers of 3 torrents, 20 minutes old");
    let said = line(&tracker, "left out of the snapshot");
    for figure in ["timed_out_peers=2", "timed_out_torrents=1", "not_served=0"] {
        assert!(said.contains(figure), "{figure}: {said}");
    }
    assert_eq!(counts(&tracker, TORRENT), [0, 0, 1]);
    assert_eq!(counts(&tracker, OTHER), [0, 7, 0]);
    assert_eq!(counts(&tracker, EMPTY), [0, u32::MAX, 0]);
    assert_eq!(counts(&tracker, UNKNOWN), [0; 3]);
}

#[test]
fn a_peer_keeps_its_age() {
    // Twice half of what a peer has, with a restart in between.
    let swarms = [swarm(TORRENT, leechers([198, 51, 100, 1], 3))];
    let place = Place::with(30 * 60, &swarms);
    let mut tracker = place.setup().start();
    assert_eq!(counts(&tracker, TORRENT), [0, 0, 3]);
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 7));
    tracker.stop("TERM");
    // As if it had been made when the first one was.
    let mut setup = place.setup();
    setup.set("announce.peer_timeout", "29m");
    setup.set("announce.interval", "20m");
    let tracker = setup.start();
    line(&tracker, "restored 1 peers of 1 torrents");
    assert_eq!(counts(&tracker, TORRENT), [0, 0, 1]);
}

#[test]
fn a_clock_that_went_back_takes_nothing() {
    let place = Place::new();
    let swarms = [swarm(TORRENT, leechers([198, 51, 100, 1], 3))];
    let file = snapshot_file::encode(1, now() + 100_000, &swarms);
    fs::write(place.path(), file).unwrap();
    let tracker = place.setup().start();
    let said = line(&tracker, "restored 3 peers of 1 torrents");
    assert!(said.contains("the clock went back"), "{said}");
    assert_eq!(counts(&tracker, TORRENT), [0, 0, 3]);
}

#[test]
fn a_damaged_file_is_taken_as_far_as_it_is_whole() {
    let swarms: Vec<_> = (0..4)
        .map(|number| swarm([number; 20], leechers([198, 51, 100, number + 1], 7000)))
        .collect();
    let place = Place::with(0, &swarms);
    let mut damaged = fs::read(place.path()).unwrap();
    let last = damaged.len() - 40_000;
    damaged[100_000] ^= 1;
    damaged.truncate(last);
    fs::write(place.path(), &damaged).unwrap();
    let mut tracker = place.setup().start();
    let said = line(&tracker, "is damaged");
    for words in ["1 blocks and", "octets are lost", "its end is missing"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    line(&tracker, "it is kept as");
    assert_eq!(place.names(), ["swarms", "swarms.damaged"]);
    let restored = [0, 1, 2, 3].map(|number| counts(&tracker, [number; 20])[2]);
    assert_eq!(restored, [7000, 0, 7000, 0]);
    // The next one is whole, and the damaged one stays as it was.
    tracker.stop("TERM");
    snapshot_file::created(&place.path());
    assert_eq!(
        fs::read(place.path().with_extension("damaged")).unwrap(),
        damaged
    );
    let tracker = place.setup().start();
    assert!(!tracker.log().join("\n").contains("damaged"));
    assert_eq!(counts(&tracker, [0; 20]), [0, 0, 7000]);
}

#[test]
fn what_cannot_be_read_is_refused_and_kept() {
    let newer = snapshot_file::encode(7, now(), &[]);
    let said = "snapshot of version 7, this program reads 1";
    for (octets, said) in [(newer, said), (b"[udp]\n".to_vec(), "it is no snapshot")] {
        let place = Place::new();
        fs::write(place.path(), &octets).unwrap();
        let mut setup = place.setup();
        let started = setup.run();
        setup.argument("--check");
        let checked = setup.run();
        for (ended, code) in [(started, 1), (checked, 2)] {
            assert_eq!(ended.code, Some(code), "{ended:?}");
            for words in ["snapshot.path", place.path().to_str().unwrap(), said] {
                assert!(ended.stderr.contains(words), "{words}: {ended:?}");
            }
        }
        assert_eq!(fs::read(place.path()).unwrap(), octets);
        assert_eq!(place.names(), ["swarms"]);
    }
    // Nothing in a file is nothing to keep.
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    line(&place.setup().start(), "no snapshot at");
}

#[test]
fn what_is_not_served_is_left_out() {
    let swarms = [TORRENT, OTHER].map(|hash| swarm(hash, leechers([198, 51, 100, 1], 3)));
    let place = Place::with(0, &swarms);
    let mut setup = place.setup();
    setup.list("access.deny", &[OTHER]);
    let mut tracker = setup.start();
    line(&tracker, "restored 3 peers of 1 torrents");
    assert!(line(&tracker, "left out of").contains("not_served=1"));
    assert_eq!(counts(&tracker, OTHER), [0; 3]);
    tracker.stop("TERM");
    // It is gone for good.
    let tracker = place.setup().start();
    assert_eq!(counts(&tracker, TORRENT), [0, 0, 3]);
    assert_eq!(counts(&tracker, OTHER), [0; 3]);
}

#[test]
fn what_cannot_be_written_costs_the_snapshot_alone() {
    let swarms = [swarm(TORRENT, leechers([198, 51, 100, 1], 1000))];
    let place = Place::with(0, &swarms);
    let before = fs::read(place.path()).unwrap();
    let mut setup = place.setup();
    setup.set("snapshot.interval", "1s");
    // No file may have more octets than a kibioctet or two.
    let limited = "trap '' XFSZ; ulimit -S -f 2; exec \"$@\"";
    setup.wrapper = ["sh", "-c", limited, "sh"].map(str::to_owned).into();
    let mut tracker = setup.start();
    let failed = || {
        let page = get(tracker.operator(), "/metrics");
        let name = "opentracker_snapshots_total{result=\"failed\"} ";
        let figure = page.text().lines().find_map(|line| line.strip_prefix(name));
        figure.map_or(0, |figure| figure.parse().unwrap())
    };
    eventually("three failures", || failed() >= 3);
    let complaints = tracker.log();
    let complaints = complaints
        .iter()
        .filter(|line| line.contains("cannot write"));
    assert_eq!(complaints.count(), 1, "it is said once");
    assert_eq!(fs::read(place.path()).unwrap(), before);
    let announced = Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1));
    assert_eq!(announced.leechers, 1001);
    // There is room again.
    let process = tracker.process().to_string();
    let lifted = Command::new("prlimit")
        .args(["--pid", &process, "--fsize=unlimited"])
        .status();
    assert!(lifted.unwrap().success());
    line(&tracker, "is written again");
    tracker.stop("TERM");
    let names = ["swarms", "swarms.trends"];
    assert_eq!(place.names(), names, "nothing is left behind");
    let tracker = place.setup().start();
    assert_eq!(counts(&tracker, TORRENT), [0, 0, 1001]);
}

#[test]
fn a_place_that_cannot_be_is_said() {
    let place = Place::new();
    let folder = place.0.path("folder");
    fs::create_dir(&folder).unwrap();
    let fifo = place.0.path("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let cases: [(&Path, &str); 4] = [
        (&folder, "is no file"),
        (&fifo, "is no file"),
        (&place.0.path("missing/swarms"), "cannot open the folder"),
        (&fifo.join("swarms"), "cannot open the folder"),
    ];
    for (path, said) in cases {
        let mut setup = Setup::new();
        setup.set("snapshot.path", path.to_str().unwrap());
        let started = setup.run();
        setup.argument("--check");
        let checked = setup.run();
        for (ended, code) in [(started, 1), (checked, 2)] {
            assert_eq!(ended.code, Some(code), "{path:?}: {ended:?}");
            assert!(ended.stderr.contains(said), "{path:?}: {ended:?}");
        }
    }
    // And where nothing is wrong, nothing is left behind.
    let mut setup = place.setup();
    let ended = setup.argument("--check").run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(place.names(), ["fifo", "folder"]);
}

#[test]
fn requests_wait_while_it_is_read() {
    // An address that nobody else uses, so that the port is known beforehand.
    let probe = TcpListener::bind("127.0.0.78:0").unwrap();
    let address = probe.local_addr().unwrap();
    drop(probe);
    let swarms = [swarm(TORRENT, leechers([198, 51, 100, 1], 60_000))];
    let place = Place::with(0, &swarms);
    let mut setup = place.setup();
    setup.set("http.listen", [address.to_string().as_str()]);
    let tracker = setup.start_without_waiting();
    eventually("a listener", || TcpStream::connect(address).is_ok());
    // Whoever gets a connection gets an answer, and it has what was restored.
    let announced = get(address, &announce(&TORRENT, 1, "")).announced();
    drop(tracker);
    assert_eq!(announced.incomplete, 60_001);
}

#[test]
fn a_second_signal_leaves_the_old_one() {
    let swarms = [swarm(TORRENT, leechers([198, 51, 100, 1], 3))];
    let place = Place::with(0, &swarms);
    let before = fs::read(place.path()).unwrap();
    let mut tracker = place.setup().start();
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 7));
    // A request that is under way is waited for, before the snapshot is written.
    let mut amidst = Connection::to(tracker.http());
    amidst.send(b"GET /announce?info_hash=");
    get(tracker.http(), "/stats");
    tracker.signal("TERM");
    line(&tracker, "stopping");
    let (status, took) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_TIME, "{took:?}");
    assert!(line(&tracker, "leaving at once").contains("WARN"));
    assert_eq!(fs::read(place.path()).unwrap(), before);
}
