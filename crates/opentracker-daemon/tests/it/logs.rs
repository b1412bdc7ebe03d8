//! Section "Operator plane" of the contract: what logs show, and how.
//!
//! | sentence | tests |
//! |---|---|
//! | the journal's levels under systemd | `lines_for_the_journal_have_its_levels`, `elsewhere_lines_have_a_time`, `a_start_that_fails_says_so_as_an_error` |
//! | at `debug` one line a request with its outcome | `a_request_is_a_line_at_debug` |
//! | addresses shortened to /24 and /48 unless `log.addresses = "full"` | `addresses_are_short_unless_they_may_be_full`, `full_addresses_are_reloaded` |

use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker};
use crate::request::{announce, get};

const TORRENT: [u8; 20] = [0xab; 20];

/// Starts the program as systemd does, with a standard error output that is the journal's, by its
/// number.
fn under_systemd(setup: &mut Setup) {
    const SAY: &str = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); \
                       export JOURNAL_STREAM; exec \"$@\"";
    setup
        .wrapper
        .extend(["sh", "-c", SAY, "sh"].map(str::to_owned));
}

fn has_time(line: &str) -> bool {
    let mut octets = line.bytes();
    octets.next().is_some_and(|octet| octet.is_ascii_digit()) && line.contains('T')
}

#[test]
fn lines_for_the_journal_have_its_levels() {
    let mut setup = Setup::new();
    under_systemd(&mut setup);
    // It belongs to nobody here.
    setup.variable("NOTIFY_SOCKET", "/missing");
    setup.set("log.level", "debug");
    let mut tracker = setup.start();
    get(tracker.http(), &announce(&TORRENT, 54321, ""));
    tracker.hang_up();
    tracker.stop("TERM");
    let log = tracker.log();
    for (beginning, part) in [
        ("<6>INFO ", "listening on "),
        ("<4>WARN ", "NOTIFY_SOCKET"),
        ("<7>DEBUG ", "announce "),
        ("<6>INFO ", "stopping"),
    ] {
        let is_it = |line: &String| line.starts_with(beginning) && line.contains(part);
        assert!(log.iter().any(is_it), "{beginning} {part}: {log:#?}");
    }
    assert!(log.iter().all(|line| line.starts_with('<')), "{log:#?}");
}

#[test]
fn elsewhere_lines_have_a_time() {
    for stream in ["", "1:2", "nonsense"] {
        let mut setup = Setup::new();
        setup.variable("JOURNAL_STREAM", stream);
        let mut tracker = setup.start();
        tracker.stop("TERM");
        let log = tracker.log();
        assert!(log.iter().all(|line| has_time(line)), "{log:#?}");
    }
}

#[test]
fn a_start_that_fails_says_so_as_an_error() {
    for (key, value, code) in [("access.allow", "/missing", 1), ("log.level", "loud", 2)] {
        let mut setup = Setup::new();
        under_systemd(&mut setup);
        setup.set(key, value);
        let ended = setup.run();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let last = ended.stderr.lines().last().unwrap();
        assert!(last.starts_with("<3>opentracker: "), "{ended:?}");
    }
    let mut setup = Setup::new();
    under_systemd(&mut setup);
    setup.argument("--no-such-flag");
    let ended = setup.run_bare();
    assert!(ended.stderr.starts_with("<3>opentracker: "), "{ended:?}");
}

/// Announces by UDP and HTTP, with success and without.
fn make_requests(tracker: &Tracker, client: &Client) {
    client.announce(&Announce::new(TORRENT, 54321));
    client.try_announce(&Announce::new(TORRENT, 0)).unwrap_err();
    get(tracker.http(), &announce(&TORRENT, 54321, ""));
    get(tracker.http(), "/announce?port=1");
}

#[test]
fn a_request_is_a_line_at_debug() {
    let mut setup = Setup::new();
    setup.set("log.level", "debug");
    let tracker = setup.start();
    make_requests(&tracker, &Client::at("127.9.8.7", tracker.udp()));
    let torrent = "ab".repeat(20);
    for parts in [
        [" udp 127.9.8.0/24: announce ", &torrent, ": served"],
        [" udp 127.9.8.0/24: announce ", &torrent, "refused: "],
        [" http 127.0.0.0/24: announce ", &torrent, ": served"],
        [" http 127.0.0.0/24: announce", "", "rejected: "],
    ] {
        tracker.wait_for("a request", |log| {
            let is_it = |line: &&String| {
                line.contains("DEBUG") && parts.iter().all(|part| line.contains(part))
            };
            log.iter().filter(is_it).count() == 1
        });
    }
}

#[test]
fn addresses_are_short_unless_they_may_be_full() {
    for (choice, shown, hidden) in [
        ("short", "127.9.8.0/24", "127.9.8.7"),
        ("full", "127.9.8.7", "127.9.8.0"),
    ] {
        let mut setup = Setup::new();
        setup.set("log.level", "trace").set("log.addresses", choice);
        let mut tracker = setup.start();
        make_requests(&tracker, &Client::at("127.9.8.7", tracker.udp()));
        tracker.wait_for("the requests", |log| {
            log.iter().filter(|line| line.contains(shown)).count() >= 2
        });
        tracker.hang_up();
        tracker.stop("TERM");
        let log = tracker.log().join("\n");
        assert!(!log.contains(hidden), "{choice}: {log}");
    }
}

#[test]
fn full_addresses_are_reloaded() {
    let mut setup = Setup::new();
    setup.set("log.level", "debug");
    let mut tracker = setup.start();
    let client = Client::at("127.9.8.7", tracker.udp());
    client.announce(&Announce::new(TORRENT, 54321));
    tracker.wait_for("a short address", |log| {
        log.iter()
            .any(|line| line.contains(" udp 127.9.8.0/24: announce "))
    });
    tracker.setup.set("log.addresses", "full");
    tracker.reload();
    client.announce(&Announce::new(TORRENT, 54321));
    tracker.wait_for("a full address", |log| {
        log.iter()
            .any(|line| line.contains(" udp 127.9.8.7: announce "))
    });
}
