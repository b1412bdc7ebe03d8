//! The admin API against its own OpenAPI document: schemathesis makes requests of it, good and bad,
//! and looks at every answer.
//!
//! It is run by `cargo xtask test`, which installs what it needs. The streams, which do not end, are
//! left to `tests/it/api_watch.rs`.
//!
//! | sentence | tests |
//! |---|---|
//! | the document says what the API does | `the_api_is_as_its_document_says` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../it/backend.rs"]
mod backend;
#[path = "../it/datagram.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod datagram;
#[path = "../it/operator.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod operator;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;

use std::path::Path;
use std::process::Command;

use datagram::{Announce, Client};
use operator::TOKEN;

/// Seconds that it may take; it takes some twenty.
const PATIENCE: &str = "300";

/// Requests that are made up for each operation, besides those that the document suggests.
const EXAMPLES: &str = "50";

/// Every run makes the same requests.
const SEED: &str = "1";

#[test]
fn the_api_is_as_its_document_says() {
    let packages = std::env::var_os("OPENTRACKER_PYPI");
    let packages = packages.expect("`cargo xtask test` installs schemathesis, and says where");
    let mut setup = operator::setup();
    let snapshot = setup.path("swarms");
    setup
        .set("snapshot.path", snapshot.to_str().unwrap())
        .set("limits.rate", "1000/s");
    let tracker = setup.start();
    let client = Client::of(tracker.udp());
    for number in 0..5 {
        client.announce(&Announce::new([number; 20], 1001).seeding());
    }
    let url = format!("http://{}/api/v1/openapi.json", tracker.operator());
    let checked = Command::new("timeout")
        .arg(PATIENCE)
        .arg(Path::new(&packages).join("bin/schemathesis"))
        .args(["run", &url, "--checks", "all", "--no-color"])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--exclude-path", "/api/v1/events"])
        .args(["--exclude-path", "/api/v1/trace"])
        .args(["--max-examples", EXAMPLES, "--seed", SEED])
        .args(["--request-timeout", "20", "--continue-on-failure"])
        // It leaves files where it runs.
        .current_dir(tracker.setup.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    println!("{said}");
    assert!(checked.status.success(), "{checked:?}");
    // Every operation but the two streams was tried, and the program goes on.
    let operations = said.lines().find(|line| line.contains("selected /"));
    assert!(operations.is_some(), "{said}");
    let status = operator::Api::control(&tracker).get("status");
    assert_eq!(status["instance"]["pid"], tracker.process());
}
