//! WebTorrent with the clients that there are: `bittorrent-tracker` in node, and the bundle of
//! `webtorrent` in Debian's Chromium.
//!
//! It is run by `cargo xtask test`, which installs what it needs.
//!
//! | sentence | tests |
//! |---|---|
//! | one set of counts over WebSocket, HTTP and UDP | `clients_of_every_protocol_find_one_set_of_counts` |
//! | browsers find each other through the tracker | `two_pages_exchange_a_file` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../it/backend.rs"]
mod backend;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;

use std::path::Path;
use std::process::Command;

use program::{Setup, Tracker};

fn tracker() -> Tracker {
    let mut setup = Setup::new();
    setup.set_toml("webtorrent.enabled", "true");
    setup.start()
}

/// Runs a script, which says what is wrong, and takes no more than two minutes.
fn run(script: &str, variable: &str, value: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/webtorrent")
        .join(script);
    let output = Command::new("timeout")
        .args(["120", "node"])
        .arg(&script)
        .env(variable, value)
        .output()
        .expect("node is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

#[test]
fn clients_of_every_protocol_find_one_set_of_counts() {
    let tracker = tracker();
    let (http, udp) = (tracker.http(), tracker.udp());
    let urls = format!("ws://{http}/ http://{http}/announce udp://{udp}");
    run("counts.mjs", "URLS", &urls);
}

#[test]
fn two_pages_exchange_a_file() {
    let tracker = tracker();
    run(
        "exchange.mjs",
        "TRACKER",
        &format!("ws://{}/", tracker.http()),
    );
}
