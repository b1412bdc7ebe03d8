//! What the documentation tells its readers to run does run: every block of `sh` of these pages, as it
//! stands, on a host of its own with a tracker that serves.
//!
//! The host has what such a host has: the files below `/etc`, `/run` and `/var/lib` that the pages
//! name, and the addresses and names of the documentation.

use std::fs;
use std::process::Command;
use std::time::Duration;

use opentracker_lab::{Family, Host, HostCommand, Lab, Scheme, Tracker, program_under_test};
use opentracker_types::InfoHash;

const PAGES: [&str; 2] = [
    include_str!("../../../../docs/quickstart.md"),
    include_str!("../../../../docs/operating.md"),
];

/// The page that has a script of its own.
const LIVESYNC: &str = include_str!("../../../../docs/livesync.md");

/// How long the tracker may take until it serves.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is on the host beforehand.
const FILES: [(&str, &str); 4] = [
    (
        "etc/opentracker/opentracker.toml",
        "[admin]\nlisten = [\"127.0.0.1:6970\", \"192.0.2.7:6970\"]\n\
         [snapshot]\npath = \"/var/lib/opentracker/snapshot\"\n",
    ),
    (
        "etc/opentracker/opentracker.conf",
        "listen.tcp_udp 0.0.0.0:6969\n",
    ),
    (
        "etc/hosts",
        "127.0.0.1 localhost\n192.0.2.7 tracker.example\n2001:db8::7 tracker.example\n",
    ),
    // Or the first line of a name would be the only one.
    ("etc/host.conf", "multi on\n"),
];

/// Puts the host's own folders in the place of the machine's, for this command alone.
const ENTER: &str = "mount --bind etc /etc; mount --bind run /run; mount --bind lib /var/lib\n";

#[test]
fn the_commands_of_the_pages_run() {
    let lab = Lab::new("documentation");
    let host = lab.host("tracker");
    host.ip("addr add 192.0.2.7/32 dev lo");
    host.ip("addr add 2001:db8::7/128 dev lo");
    for folder in ["etc/opentracker", "run/opentracker", "lib/opentracker"] {
        fs::create_dir_all(host.folder().join(folder)).unwrap();
    }
    for (path, text) in FILES {
        fs::write(host.folder().join(path), text).unwrap();
    }
    let serve = "exec opentracker --config /etc/opentracker/opentracker.toml";
    let _tracker = shell(&host, serve).spawn();
    let endpoint = Tracker::endpoint(&host, Scheme::Udp, Family::V4);
    lab.wait_until(PATIENCE, "the tracker serves", || {
        endpoint.scrape(&host, InfoHash::new([0; 20])).is_ok()
    });
    for page in PAGES {
        let blocks: Vec<&str> = blocks(page).collect();
        assert!(!blocks.is_empty(), "a page without commands");
        for block in blocks {
            shell(&host, block).run();
        }
    }
}

#[test]
fn the_script_of_the_cluster_protocol_prints_what_the_page_says() {
    let (_, rest) = LIVESYNC.split_once("```python\n").expect("a script");
    let (script, rest) = rest.split_once("```\n\n```text\n").expect("its output");
    let (expected, _) = rest.split_once("```").expect("a fence that closes");
    let mut python = Command::new("python3");
    let output = python.args(["-c", script]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, expected, "{output:?}");
}

/// The blocks of `sh` of a page, those within lists too.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    let starts = page.split("```sh\n").skip(1);
    starts.map(|rest| rest.split_once("```").expect("a fence that closes").0)
}

/// Prepares lines of shell to run on the host, as root, until one fails.
fn shell(host: &Host, lines: &str) -> HostCommand {
    let programs = program_under_test();
    let programs = programs.parent().expect("a program has a folder").display();
    let path = std::env::var("PATH").expect("there is a PATH");
    host.command("/bin/sh")
        .args(["-euc", &format!("{ENTER}{lines}")])
        .env("PATH", format!("{programs}:{path}"))
        .env("RUNTIME_DIRECTORY", "/run/opentracker")
}
