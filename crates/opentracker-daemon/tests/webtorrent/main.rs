//! WebTorrent with the clients that there are: `bittorrent-tracker` in node, and the bundle of
//! `webtorrent` in Debian's Chromium. They trust the authority of the tests, and nobody else for it.
//!
//! It is run by `cargo xtask test`, which installs what it needs.
//!
//! | sentence | tests |
//! |---|---|
//! | one set of counts over WebSocket, HTTP and UDP, with TLS and without | `clients_of_every_protocol_find_one_set_of_counts` |
//! | browsers find each other through the tracker, over `wss://` | `two_pages_exchange_a_file` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../it/backend.rs"]
mod backend;
mod nodes;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;

use std::fs;
use std::path::Path;
use std::process::Command;

use opentracker_lab::tls::{self, TRACKER};
use program::{Setup, Tracker};

/// A tracker with TLS and without, beside files of its certificate and of the authority.
fn setup() -> Setup {
    let mut setup = Setup::new();
    setup.write("authority.pem", tls::AUTHORITY);
    let certificate = setup.write("tls.pem", TRACKER.certificate);
    let key = setup.write("tls.key", TRACKER.key);
    setup
        .set_toml("webtorrent.enabled", "true")
        .set("tls.certificate", certificate.to_str().unwrap())
        .set("tls.key", key.to_str().unwrap())
        .set_toml(
            "http.listen",
            "[{ address = \"127.0.0.1:0\", tls = true }, \"127.0.0.1:0\"]",
        )
        .listeners(4);
    setup
}

/// Runs a script beside a tracker, which says what is wrong, and takes no more than two minutes.
fn run(tracker: &Tracker, script: &str, variable: &str, value: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/webtorrent")
        .join(script);
    let output = Command::new("timeout")
        .args(["120", "node"])
        .arg(&script)
        .current_dir(tracker.setup.path(""))
        .env("NODE_EXTRA_CA_CERTS", "authority.pem")
        .env(variable, value)
        .output()
        .expect("node is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

#[test]
fn clients_of_every_protocol_find_one_set_of_counts() {
    let tracker = setup().start();
    let (http, https) = (tracker.http(), tracker.addresses("https")[0]);
    let urls = format!(
        "ws://{http}/ wss://{https}/ http://{http}/announce https://{https}/announce udp://{}",
        tracker.udp()
    );
    run(&tracker, "counts.mjs", "URLS", &urls);
}

/// Makes the table of authorities that Chromium looks into in the home of its user.
fn trust(home: &Path) {
    let folder = home.join(".pki/nssdb");
    fs::create_dir_all(&folder).unwrap();
    let table = format!("sql:{}", folder.display());
    let add = "-A -t C,, -n tests -i authority.pem";
    for arguments in ["-N --empty-password", add] {
        let status = Command::new("certutil")
            .args(["-d", &table])
            .args(arguments.split(' '))
            .current_dir(home)
            .status()
            .expect("Debian's package libnss3-tools has it");
        assert!(status.success(), "{arguments}: {status}");
    }
}

#[test]
fn two_pages_exchange_a_file() {
    let tracker = setup().start();
    trust(&tracker.setup.path(""));
    run(&tracker, "exchange.mjs", "TRACKER", &url(&tracker));
}

/// The URL for pages, by the name that the certificate is for, too.
fn url(tracker: &Tracker) -> String {
    let port = tracker.addresses("https")[0].port();
    format!("wss://tracker.example:{port}/")
}
