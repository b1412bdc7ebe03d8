//! Streams are followed live.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::fake::{Canned, Fake};
use crate::{HASH, PROGRAM};

fn event(kind: &str) -> String {
    json!({ "time_ms": 1000, "event": kind, "info_hash": HASH, "seeders": 1, "leechers": 2,
            "missed": 0 })
    .to_string()
}

#[test]
fn events_are_printed_as_they_come() {
    let lines = format!("{}\n\n{}\n", event("first_seeder"), event("gone"));
    let tracker = Fake::unix(
        "events",
        vec![Canned::stream("GET /api/v1/events", &lines, true)],
    );
    let mut command = Command::new(PROGRAM);
    let mut child = command
        .arg("events")
        .args(&tracker.arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The stream goes on, and both lines are there nevertheless.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert_eq!(
        line,
        format!("1970-01-01 00:00:01Z  first seeder  {HASH}  1 seeder, 2 leechers")
    );
    assert!(lines.next().unwrap().unwrap().contains("gone"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn lines_are_handed_on_as_they_came() {
    let lines = format!(
        "{}\n{}\n{}\n",
        event("completed"),
        event("gone"),
        event("gone")
    );
    let tracker = Fake::unix(
        "count",
        vec![Canned::stream("GET /api/v1/events", &lines, true)],
    );
    let run = tracker.run(&["events", "--json", "--count", "2"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.out,
        format!("{}\n{}\n", event("completed"), event("gone"))
    );
}

#[test]
fn requests_are_traced_with_what_is_asked_for() {
    let traced = json!({
        "time_ms": 1000, "protocol": "http", "request": "announce", "client": "192.0.2.1",
        "port": 6881, "info_hash": HASH, "peer_id": null, "event": null, "left": null,
        "num_want": null, "outcome": "denied",
        "detail": "refused: the torrent is on the deny list", "seeders": null, "leechers": null, "peers": null,
        "interval_secs": null, "missed": 3,
    });
    let path = "GET /api/v1/trace?info_hash=abababababababababababababababababababab\
                &prefix=192.0.2.0%2F24&outcome=denied&max=1&seconds=9";
    let tracker = Fake::unix(
        "trace",
        vec![Canned::stream(path, &format!("{traced}\n"), false)],
    );
    let run = tracker.run(&[
        "trace",
        "--info-hash",
        HASH,
        "--prefix",
        "192.0.2.0/24",
        "--outcome",
        "denied",
        "--max",
        "1",
        "--seconds",
        "9",
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let expected = format!(
        "1970-01-01 00:00:01Z  http announce {HASH} from 192.0.2.1 port 6881: refused: the torrent \
         is on the deny list  (3 before this one were missed)\n"
    );
    assert_eq!(run.out, expected);
}

#[test]
fn a_stream_that_ends_too_soon_is_a_failure() {
    let tracker = Fake::unix(
        "ends",
        vec![Canned::stream("GET /api/v1/events", "", false)],
    );
    let run = tracker.run(&["events", "--count", "1"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("the tracker ended the stream"), "{run:?}");
    let tracker = Fake::unix(
        "words",
        vec![Canned::stream("GET /api/v1/events", "{}\n", false)],
    );
    let run = tracker.run(&["events"]);
    assert!(run.err.contains("not what was expected"), "{run:?}");
}
