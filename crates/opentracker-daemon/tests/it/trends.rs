//! Section "Operator plane" of the contract: trends of 7 days, kept with the snapshot.
//!
//! | sentence | tests |
//! |---|---|
//! | they outlast a restart, and the API has them | `a_restart_keeps_them` |
//! | what cannot be read costs them alone | `damaged_ones_begin_anew`, `what_cannot_be_kept_costs_the_trends_alone` |
//! | without a snapshot they are kept nowhere | `without_a_snapshot_no_file_is_written` |

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::operator::Api;
use crate::program::{Setup, Tracker};

const HEAD: &str = "opentracker trends 1\ninterval 300\n\
                    series udp_announces http_announces webtorrent_announces refusals torrents \
                    seeders leechers memory_octets\n";

/// A setup with a snapshot, and the file of its trends.
fn setup() -> (Setup, PathBuf) {
    let mut setup = Setup::new();
    let path = setup.path("swarms");
    setup.set("snapshot.path", path.to_str().unwrap());
    let trends = setup.path("swarms.trends");
    (setup, trends)
}

/// Stops a tracker; returns its log.
fn stop(tracker: &mut Tracker) -> Vec<String> {
    assert!(tracker.stop("TERM").0.success());
    tracker.log()
}

#[test]
fn a_restart_keeps_them() {
    let (setup, path) = setup();
    let values =
        "210.5 12.25 3 0 1200 3400 5600 1048576\n-\n208 12 3.5 0.5 1201 3404 5611 1048704\n";
    let kept = format!("{HEAD}end 5932801\nvalues 3\n{values}");
    fs::write(&path, &kept).unwrap();
    let leftover = setup.path("swarms.trends.0123abcd.tmp");
    fs::write(&leftover, "half of").unwrap();
    let mut tracker = setup.start();
    assert!(!leftover.exists());
    let trends = Api::tcp(tracker.operator()).get("trends");
    assert_eq!(trends["interval_secs"], 300);
    assert_eq!(trends["end_ms"], 5_932_801_u64 * 300_000);
    let udp = json!({ "name": "udp_announces", "values": [210.5, null, 208.0] });
    assert_eq!(trends["series"][0], udp);
    let memory = json!({ "name": "memory_octets", "values": [1_048_576.0, null, 1_048_704.0] });
    assert_eq!(trends["series"][7], memory);
    stop(&mut tracker);
    assert_eq!(fs::read_to_string(&path).unwrap(), kept);
}

#[test]
fn damaged_ones_begin_anew() {
    for (damaged, reason) in [
        (format!("{HEAD}end 1\nvalues 2\n-\n"), "its end is missing"),
        (format!("{HEAD}end one\n"), "line 4"),
        ("something else".to_owned(), "another version"),
        ("x".repeat(1 << 20), "more than 524288 octets"),
    ] {
        let (setup, path) = setup();
        fs::write(&path, &damaged).unwrap();
        let mut tracker = setup.start();
        let log = stop(&mut tracker).join("\n");
        let warned = log.contains("begin anew") && log.contains(reason);
        assert!(warned, "{reason}: {log}");
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept.starts_with(HEAD), "{kept}");
    }
}

#[test]
fn what_cannot_be_kept_costs_the_trends_alone() {
    let (setup, path) = setup();
    fs::create_dir(&path).unwrap();
    let snapshot = setup.path("swarms");
    let mut tracker = setup.start();
    let log = stop(&mut tracker).join("\n");
    assert!(log.contains("cannot keep the trends"), "{log}");
    assert!(snapshot.is_file());
}

#[test]
fn without_a_snapshot_no_file_is_written() {
    let setup = Setup::new();
    let folder = setup.path("");
    let mut tracker = setup.start();
    let log = stop(&mut tracker).join("\n");
    let names = fs::read_dir(folder).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.contains("trends")), "{log}");
}
