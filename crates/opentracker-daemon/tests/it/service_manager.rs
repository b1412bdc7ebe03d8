//! What the program tells the service manager (sd_notify(3)): the unit's `Type=notify-reload` and
//! its watchdog.
//!
//! | sentence | tests |
//! |---|---|
//! | it is ready when it serves | `it_is_ready_when_its_lists_are_read` |
//! | until then it asks for time | `it_is_ready_when_its_lists_are_read` |
//! | a reload begins and ends | `a_reload_begins_and_ends` |
//! | it says that it stops | `it_says_that_it_stops` |
//! | it says that it is not stuck, and what it does | `it_shows_signs_of_life` |
//! | a watchdog of another process is none of its business | `without_a_watchdog_there_is_a_status` |
//! | without a manager, or with one that is gone, it serves all the same | `a_manager_that_is_gone_does_not_matter` |

use std::fs::OpenOptions;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use opentracker_lab::uninterrupted;

use crate::datagram::{Announce, Client};
use crate::program::{PATIENCE, Setup, list};

const TORRENT: [u8; 20] = [0xab; 20];

/// The end of a service manager.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("opentracker-manager-{}-{number}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, name }
    }

    /// A setup whose program tells this manager.
    fn setup(&self) -> Setup {
        let mut setup = Setup::udp();
        setup.variable("NOTIFY_SOCKET", format!("@{}", self.name));
        setup
    }

    /// Waits for the next message and returns its lines.
    fn next(&self) -> Vec<String> {
        let mut octets = [0; 4096];
        let length = uninterrupted(|| self.socket.recv(&mut octets)).expect("it says something");
        let text = str::from_utf8(&octets[..length]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a message that has a line, and returns it.
    fn wait_for(&self, line: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.next();
            if message.iter().any(|one| one == line) {
                return message;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {line}: {message:?}"
            );
        }
    }
}

fn has(message: &[String], beginning: &str) -> bool {
    message.iter().any(|line| line.starts_with(beginning))
}

#[test]
fn it_is_ready_when_its_lists_are_read() {
    let manager = Manager::new();
    let mut setup = manager.setup();
    let fifo = setup.path("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    setup
        .set("access.allow", fifo.to_str().unwrap())
        .variable("WATCHDOG_USEC", "400000");
    let tracker = setup.start_without_waiting();
    for _ in 0..3 {
        assert_eq!(manager.next(), ["EXTEND_TIMEOUT_USEC=60000000"]);
    }
    let mut fifo = OpenOptions::new().write(true).open(fifo).unwrap();
    fifo.write_all(list(&[TORRENT]).as_bytes()).unwrap();
    drop(fifo);
    let ready = manager.wait_for("READY=1");
    assert!(has(&ready, "STATUS=serving; "), "{ready:?}");
    assert!(has(&manager.next(), "WATCHDOG=1"));
    drop(tracker);
}

#[test]
fn a_reload_begins_and_ends() {
    let manager = Manager::new();
    let tracker = manager.setup().start();
    manager.wait_for("READY=1");
    for _ in 0..2 {
        tracker.signal("HUP");
        let reloading = manager.wait_for("RELOADING=1");
        assert!(has(&reloading, "MONOTONIC_USEC="), "{reloading:?}");
        manager.wait_for("READY=1");
    }
}

#[test]
fn it_says_that_it_stops() {
    let manager = Manager::new();
    let mut tracker = manager.setup().start();
    manager.wait_for("READY=1");
    tracker.stop("TERM");
    manager.wait_for("STOPPING=1");
}

#[test]
fn it_shows_signs_of_life() {
    let manager = Manager::new();
    let mut setup = manager.setup();
    setup.variable("WATCHDOG_USEC", "2000000");
    let tracker = setup.start();
    manager.wait_for("READY=1");
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
    let mut message = manager.next();
    for _ in 0..3 {
        assert_eq!(message[0], "WATCHDOG=1");
        message = manager.next();
    }
    assert_eq!(message[1], "STATUS=serving; torrents: 1, peers: 1");
}

#[test]
fn without_a_watchdog_there_is_a_status() {
    let manager = Manager::new();
    let mut setup = manager.setup();
    setup
        .variable("WATCHDOG_USEC", "200000")
        .variable("WATCHDOG_PID", "1");
    let _tracker = setup.start();
    manager.wait_for("READY=1");
    let message = manager.next();
    assert_eq!(message, ["STATUS=serving; torrents: 0, peers: 0"]);
}

#[test]
fn a_manager_that_is_gone_does_not_matter() {
    let manager = Manager::new();
    let setup = manager.setup();
    drop(manager);
    let tracker = setup.start();
    let log = tracker.log().join("\n");
    assert!(log.contains("WARN NOTIFY_SOCKET"), "{log}");
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
    // And one that goes later, without a word.
    let manager = Manager::new();
    let tracker = manager.setup().start();
    drop(manager);
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
    tracker.hang_up();
}
