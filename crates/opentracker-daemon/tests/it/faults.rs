//! What fails around the program or in it, while it runs: each costs what depends on it and nothing
//! else, and goes when its cause does. The table of docs/reliability.md has where the others are.
//!
//! | sentence | tests |
//! |---|---|
//! | a panic in any thread ends the process at once | `a_panic_in_any_thread_ends_the_process` |
//! | whoever reads its log | `a_panic_ends_it_though_nobody_reads_its_log` |
//! | and the unit starts it anew | `the_unit_starts_it_anew` |
//! | a disk that hangs costs the snapshot, not the service, and holds up no stop | `a_disk_that_hangs_costs_the_snapshot_alone`, `a_disk_that_hangs_holds_up_no_stop` |
//! | without descriptors it answers over UDP and on the connections that there are | `without_descriptors_what_is_there_goes_on` |
//! | a clock that jumps takes no peer, no connection and no snapshot | `a_clock_that_jumps_takes_nothing` |
//! | no reload of garbage breaks what is in force | `a_storm_of_garbage_changes_nothing` |

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock;
use crate::datagram::{Announce, Client, Reply};
use crate::operator::{self, Api};
use crate::program::{Setup, Tracker, eventually, list};
use crate::request::{Connection, announce, get};
use crate::snapshot_file;
use crate::threads::Held;

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

/// A tracker with every thread that lasts.
fn with_all_threads() -> Setup {
    let mut setup = operator::setup();
    let (snapshot, fifo) = (setup.path("swarms"), setup.path("fifo"));
    let secret = setup.write("secret", &"5e".repeat(32));
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    setup
        .list("access.allow", &[TORRENT])
        .set("access.fifo_add", fifo.to_str().unwrap())
        .set("snapshot.path", snapshot.to_str().unwrap())
        .set("livesync.listen", "127.0.0.1:9696")
        .set("livesync.secret", secret.to_str().unwrap());
    setup
}

/// Lets a thread panic, and returns what the program said of it in its last lines.
fn end_by_panic(tracker: &mut Tracker, thread: &str) -> Vec<String> {
    Held::idle(tracker, thread).panic(tracker, "out of the blue");
    let (status, said) = tracker.end_of_a_panic();
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{thread}: {status}");
    said
}

#[test]
fn a_panic_in_any_thread_ends_the_process() {
    const EXPECTED: [&str; 6] = ["http-0", "livesync", "log", "secret", "snapshot", "udp-0"];
    // Those that end with the start.
    const EARLY: [&str; 3] = ["configuration", "list-allow", "start"];
    let tracker = with_all_threads().start();
    let mut names = BTreeSet::new();
    eventually("all threads that last", || {
        names = tracker.threads("comm").into_iter().collect();
        let is_there = |name: &&str| names.contains(*name);
        EXPECTED.iter().all(is_there) && !EARLY.iter().any(is_there)
    });
    drop(tracker);
    for name in names {
        let mut tracker = with_all_threads().start();
        let said = end_by_panic(&mut tracker, &name).join("\n");
        for words in ["panicked at elsewhere.rs:7:9", "out of the blue"] {
            assert!(said.contains(words), "{name}: {said}");
        }
    }
}

#[test]
fn a_panic_ends_it_though_nobody_reads_its_log() {
    let mut setup = Setup::udp();
    setup.set("log.level", "trace");
    let mut tracker = setup.start();
    tracker.pause_reading(true);
    let client = Client::of(tracker.udp());
    // Until pipe and queue are full.
    for _ in 0..10_000 {
        client.connect();
    }
    end_by_panic(&mut tracker, "udp-0");
}

#[test]
fn the_unit_starts_it_anew() {
    const UNIT: &str = include_str!("../../../../deploy/systemd/opentracker.service");
    let of_key = |key: &str| {
        let lines = UNIT.lines().filter_map(|line| line.split_once('='));
        lines
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    // systemd counts a process that a signal other than SIGTERM and its like has ended as failed.
    assert_eq!(of_key("Restart"), ["on-failure"]);
    assert_eq!(of_key("RestartPreventExitStatus"), ["2"]);
    assert!(of_key("SuccessExitStatus").is_empty());
}

/// A tracker that is writing a snapshot to a disk which does not answer.
fn with_a_disk_that_hangs() -> (Tracker, Held) {
    let mut setup = operator::setup();
    let path = setup.path("swarms");
    setup
        .list("access.allow", &[TORRENT])
        .set("snapshot.path", path.to_str().unwrap())
        .set("snapshot.interval", "1s");
    let tracker = setup.start();
    eventually("a snapshot", || path.exists());
    let held = Held::at(
        &tracker,
        "snapshot",
        &[libc::SYS_fsync, libc::SYS_fdatasync],
    );
    (tracker, held)
}

#[test]
fn a_disk_that_hangs_costs_the_snapshot_alone() {
    let (tracker, held) = with_a_disk_that_hangs();
    let path = tracker.setup.path("swarms");
    let before = snapshot_file::created(&path);
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    get(tracker.http(), &announce(&TORRENT, 1001, "")).announced();
    tracker.setup.write("access.allow", &list(&[OTHER]));
    tracker.hang_up();
    assert!(!serves(&tracker, TORRENT) && serves(&tracker, OTHER));
    for page in ["/healthz", "/readyz"] {
        assert_eq!(get(tracker.operator(), page).status, 200, "{page}");
    }
    let api = Api::control(&tracker);
    assert!(api.get("status")["snapshot"]["age_secs"].is_u64());
    assert_eq!(snapshot_file::created(&path), before, "the last is whole");
    drop(held);
    eventually("the next", || snapshot_file::created(&path) > before);
}

#[test]
fn a_disk_that_hangs_holds_up_no_stop() {
    let (mut tracker, held) = with_a_disk_that_hangs();
    tracker.signal("TERM");
    tracker.wait_for("that it does not wait any longer", |log| {
        log.iter().any(|line| line.contains("did not end in time"))
    });
    // No process is gone before each of its threads is, and this one was ours.
    drop(held);
    assert_eq!(tracker.wait().code(), Some(0));
    snapshot_file::created(&tracker.setup.path("swarms"));
}

fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let announce = Announce::new(info_hash, 1000);
    Client::of(tracker.udp()).try_announce(&announce).is_ok()
}

fn descriptors(tracker: &Tracker) -> usize {
    fs::read_dir(tracker.proc("fd")).unwrap().count()
}

/// Says how many descriptors a process may have that runs.
fn limit_descriptors(tracker: &Tracker, limit: &str) {
    let process = tracker.process().to_string();
    let mut command = Command::new("prlimit");
    command.args(["--pid", &process, &format!("--nofile={limit}:")]);
    assert!(command.status().unwrap().success());
}

#[test]
fn without_descriptors_what_is_there_goes_on() {
    let mut setup = Setup::new();
    let path = setup.path("swarms");
    setup
        .list("access.deny", &[OTHER])
        .set("snapshot.path", path.to_str().unwrap())
        .set("snapshot.interval", "1s");
    let tracker = setup.start();
    eventually("a snapshot", || path.exists());
    let mut kept = Connection::to(tracker.http());
    kept.get(&announce(&TORRENT, 1001, "")).announced();
    let before = descriptors(&tracker);
    // None is free, whatever their numbers are, and standard streams are there already.
    limit_descriptors(&tracker, "3");
    let said = |words: &str| {
        tracker.wait_for(words, |log| log.iter().any(|line| line.contains(words)));
    };
    said("cannot write");
    let log = tracker.hang_up().join("\n");
    assert!(log.contains("the deny list stays as it was"), "{log}");
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1002));
    kept.get(&announce(&TORRENT, 1001, "")).announced();
    limit_descriptors(&tracker, "1024");
    said("is written again");
    tracker.setup.write("access.deny", &list(&[TORRENT]));
    tracker.hang_up();
    assert!(!serves(&tracker, TORRENT) && serves(&tracker, OTHER));
    assert_eq!(get(tracker.http(), "/healthz").status, 200);
    drop(kept);
    eventually("as many as before", || descriptors(&tracker) < before);
}

#[test]
fn a_clock_that_jumps_takes_nothing() {
    let mut setup = operator::setup();
    let clock = clock::install(&mut setup);
    let path = setup.path("swarms");
    setup
        .set("snapshot.path", path.to_str().unwrap())
        .set("snapshot.interval", "1s");
    let mut tracker = setup.start();
    let client = Client::of(tracker.udp());
    let connection = client.connect();
    let mut kept = Connection::to(tracker.http());
    let api = Api::control(&tracker);
    // A step by NTP, a host that was suspended, and one whose clock was far ahead.
    for (number, hours) in (1..).zip([5, -7, 48, 0]) {
        let before = snapshot_file::now().saturating_add_signed(hours * 3600);
        clock::set(&clock, hours * 3600);
        let is_of_now = |time: u64| (before..before + 600).contains(&time);
        eventually("a snapshot of now", || {
            path.exists() && is_of_now(snapshot_file::created(&path))
        });
        let millis = api.get("status")["time_ms"].as_u64().unwrap();
        assert!(is_of_now(millis / 1000), "{hours}: {millis}");
        let port = 1000 + number;
        let ask = |transaction| Announce::new(TORRENT, port).octets(connection, transaction);
        let Reply::Announce(announced) = client.ask(ask) else {
            panic!("{hours}: the connection id was good before");
        };
        assert_eq!(announced.leechers, 2 * u32::from(number) - 1, "{hours}");
        let announced = kept.get(&announce(&TORRENT, 2000 + port, "")).announced();
        assert_eq!(announced.incomplete, 2 * u32::from(number), "{hours}");
    }
    // Restored by a clock that has gone back meanwhile.
    clock::set(&clock, 5 * 3600);
    assert_eq!(tracker.stop("TERM").0.code(), Some(0));
    let mut again = Setup::udp();
    again.set("snapshot.path", path.to_str().unwrap());
    let again = again.start();
    again.wait_for("what it restored", |log| {
        log.iter()
            .any(|line| line.contains("restored 8 peers") && line.contains("the clock went back"))
    });
}

/// Announces until all is over, over UDP and HTTP; returns how often.
fn announce_until(is_over: &AtomicBool, udp: SocketAddr, http: SocketAddr) -> u32 {
    let mut announces = 0;
    let mut kept = Connection::to(http);
    while !is_over.load(Ordering::Relaxed) {
        Client::of(udp).announce(&Announce::new(TORRENT, 1000));
        kept.get(&announce(&TORRENT, 1001, "")).announced();
        announces += 2;
    }
    announces
}

/// Puts one of many kinds of garbage where a file is.
fn spoil(path: &Path, good: &str, round: usize) {
    // It may be absent since the last round.
    fs::remove_file(path).or_else(|_| fs::remove_dir(path)).ok();
    let half = &good.as_bytes()[..good.len() / 2];
    let garbage: &[u8] = match round % 8 {
        0 => return,
        1 => return fs::create_dir(path).unwrap(),
        2 => b"",
        3 => half,
        4 => &[0xff; 5000],
        5 => &[b'['; 1 << 16],
        6 => b"udp.workers = -1\nno.such.key = {}\n",
        _ => good.as_bytes(),
    };
    fs::write(path, garbage).unwrap();
}

#[test]
fn a_storm_of_garbage_changes_nothing() {
    const ROUNDS: usize = 400;
    const SIGNALS: usize = 10;
    let mut setup = Setup::new();
    setup
        .list("access.deny", &[OTHER])
        .set("announce.interval", "20m");
    let mut tracker = setup.start();
    let (udp, http) = (tracker.udp(), tracker.http());
    let process = Pid::from_raw(tracker.process().try_into().unwrap());
    let files = [
        tracker.setup.config_path(),
        tracker.setup.path("access.deny"),
    ];
    let good = files
        .each_ref()
        .map(|path| fs::read_to_string(path).unwrap());
    let is_over = AtomicBool::new(false);
    let announces = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            announces.store(announce_until(&is_over, udp, http), Ordering::Relaxed);
        });
        for round in 0..ROUNDS {
            for (number, (path, good)) in files.iter().zip(&good).enumerate() {
                spoil(path, good, round + 3 * number);
            }
            for _ in 0..SIGNALS {
                kill(process, Signal::SIGHUP).unwrap();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(announces.into_inner() > 0);
    for path in &files {
        fs::remove_file(path)
            .or_else(|_| fs::remove_dir(path))
            .unwrap();
    }
    tracker.setup.write("access.deny", &good[1]);
    tracker.setup.set("announce.interval", "25m");
    tracker.reload();
    // What was reloaded may have been read before this was written, and then another follows.
    let interval = || {
        let announced = get(http, &announce(&TORRENT, 1001, "")).announced();
        announced.interval / 60
    };
    eventually("what is in force now", || {
        (24..=26).contains(&interval()) && !serves(&tracker, OTHER)
    });
    assert!(serves(&tracker, TORRENT));
}
