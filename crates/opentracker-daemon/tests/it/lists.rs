//! Section "Configuration" of the contract: access lists, their lines and their files.
//!
//! | sentence | tests |
//! |---|---|
//! | 40 hexadecimal digits, then the end of the line or a note; 64 digits are a v2 hash | `notes_and_long_hashes` |
//! | `#` comments, blank lines, CRLF, a byte order mark, any encoding | `whatever_an_editor_leaves` |
//! | a line that is no entry is skipped, counted and warned of with its number, at a start | `other_lines_are_warned_of_at_a_start` |
//! | as at a reload | `other_lines_are_warned_of_at_a_reload` |
//! | no file that does not answer holds up signals | `a_list_that_does_not_answer_can_be_stopped`, `a_list_that_does_not_end_can_be_stopped` |
//! | ten million entries load at ≤ 24 octets each | `a_long_list_takes_little_more_than_its_entries` |
//! | a list behind a link that is swapped, as a ConfigMap is | `a_list_behind_a_link_is_followed` |
//! | `access.fifo_*` of a C-style `opentracker.conf` work as FIFOs | `fifos_of_the_c_program_change_the_list` |
//! | they change the list that the configuration names, until it is read again | `fifos_of_the_c_program_change_the_list` |
//! | a list through a pipe is read once, and then stays | `a_list_through_a_pipe` |

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::datagram::{Announce, Client};
use crate::program::{STOP_TIME, Setup, Tracker, eventually, list};

const LISTED: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let announce = Announce::new(info_hash, 1000);
    Client::of(tracker.udp()).try_announce(&announce).is_ok()
}

/// Starts with a list of these octets under both keys, one after the other.
fn assert_lists(octets: &[u8], listed: &[[u8; 20]]) {
    for (key, is_served) in [("access.allow", true), ("access.deny", false)] {
        let mut setup = Setup::udp();
        setup.list(key, &[]);
        std::fs::write(setup.path(key), octets).unwrap();
        let tracker = setup.start();
        for &info_hash in listed {
            let octets = octets.escape_ascii();
            assert_eq!(serves(&tracker, info_hash), is_served, "{key}: {octets}");
        }
        assert_eq!(serves(&tracker, [7; 20]), !is_served, "{key}");
        let log = tracker.log().join("\n");
        assert!(!log.contains("WARN"), "{log}");
    }
}

#[test]
fn notes_and_long_hashes() {
    let [listed, other] = ["ab".repeat(20), "CD".repeat(20)];
    for note in [" debian.iso", "\tdebian.iso", ";notice 7", "# x", "-", "\t"] {
        assert_lists(
            format!("{listed}{note}\n{other}{note}").as_bytes(),
            &[LISTED, OTHER],
        );
    }
    let rest = "0123456789abcdef01234567";
    assert_lists(
        format!("{listed}{rest}\n{other}{rest} x\n").as_bytes(),
        &[LISTED, OTHER],
    );
}

#[test]
fn whatever_an_editor_leaves() {
    let [listed, other] = ["ab".repeat(20), "cd".repeat(20)];
    let text = format!("\u{feff}{listed}\r\n\r\n# head\r\n  \t\r\n  {other}\r\n");
    assert_lists(text.as_bytes(), &[LISTED, OTHER]);
    let latin = [
        listed.as_bytes(),
        b" caf\xe9\n# \xff\xfe\n\n",
        other.as_bytes(),
    ]
    .concat();
    assert_lists(&latin, &[LISTED, OTHER]);
}

#[test]
fn other_lines_are_warned_of_at_a_start() {
    let hash = "ab".repeat(20);
    for key in ["access.allow", "access.deny"] {
        for wrong in ["hello", "abc", &hash[1..], &format!("{hash}0"), "zz"] {
            let mut setup = Setup::udp();
            let path = setup.write("list", &format!("# a list\n{hash}\n{wrong}\n"));
            let path = path.to_str().unwrap().to_owned();
            setup.set(key, path.as_str());
            let tracker = setup.start();
            let log = tracker.log();
            let mut warnings = log.iter().filter(|line| line.contains("WARN"));
            let line = warnings.next().unwrap_or_else(|| panic!("{log:?}"));
            for word in [key, path.as_str(), "1 line", "line 3"] {
                assert!(line.contains(word), "{word}: {line}");
            }
            assert_eq!(warnings.next(), None);
            assert_eq!(serves(&tracker, LISTED), key == "access.allow");
            assert_eq!(serves(&tracker, OTHER), key == "access.deny");
        }
    }
}

#[test]
fn other_lines_are_warned_of_at_a_reload() {
    let mut setup = Setup::udp();
    setup.list("access.deny", &[]);
    let tracker = setup.start();
    let text = format!("{}x\nx\n{}", "x\n".repeat(7), list(&[LISTED]));
    tracker.setup.write("access.deny", &text);
    let said = tracker.hang_up().join("\n");
    for word in [
        "WARN",
        "access.deny",
        "9 lines",
        "lines 1, 2, 3, 4, 5, …",
        "0 → 1",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!serves(&tracker, LISTED) && serves(&tracker, OTHER));
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A setup with a list that is a FIFO, and the FIFO.
fn with_fifo(key: &str) -> (Setup, PathBuf) {
    let mut setup = Setup::udp();
    let fifo = setup.path("fifo");
    make_fifo(&fifo);
    setup.set(key, fifo.to_str().unwrap());
    (setup, fifo)
}

#[test]
fn a_list_that_does_not_answer_can_be_stopped() {
    for key in ["access.allow", "access.deny"] {
        for signal in ["TERM", "INT"] {
            let (setup, _) = with_fifo(key);
            let mut tracker = setup.start_without_waiting();
            tracker.wait_for("its first line", |log| !log.is_empty());
            let (status, took) = tracker.stop(signal);
            assert_eq!(status.code(), Some(0), "{key} {signal}");
            assert!(took < STOP_TIME, "{key} {signal} took {took:?}");
        }
    }
}

#[test]
fn a_list_through_a_pipe() {
    for (key, is_served) in [("access.allow", true), ("access.deny", false)] {
        let (setup, fifo) = with_fifo(key);
        let writing = std::thread::spawn(move || {
            let mut fifo = OpenOptions::new().write(true).open(fifo).unwrap();
            fifo.write_all(list(&[LISTED]).as_bytes()).unwrap();
        });
        let tracker = setup.start();
        writing.join().unwrap();
        let said = tracker.hang_up().join("\n");
        for word in [key, "pipe", "stays as it was"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert_eq!(serves(&tracker, LISTED), is_served);
        assert_eq!(serves(&tracker, OTHER), !is_served);
    }
}

#[test]
fn a_list_that_does_not_end_can_be_stopped() {
    let (setup, fifo) = with_fifo("access.deny");
    let text = list(&[LISTED, OTHER]).repeat(1000);
    let writing = std::thread::spawn(move || {
        let mut fifo = OpenOptions::new().write(true).open(fifo).unwrap();
        let mut octets = 0;
        // Until nobody reads it any more.
        while fifo.write_all(text.as_bytes()).is_ok() {
            octets += text.len();
        }
        octets
    });
    let mut tracker = setup.start_without_waiting();
    tracker.wait_for("its first line", |log| !log.is_empty());
    let (status, took) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_TIME, "{took:?}");
    writing.join().unwrap();
}

/// A number of kibibytes in `/proc/…/status`.
fn kibibytes(tracker: &Tracker, name: &str) -> u64 {
    let status = std::fs::read_to_string(tracker.proc("status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

#[test]
fn a_long_list_takes_little_more_than_its_entries() {
    const ENTRIES: u64 = 1_000_000;
    let mut setup = Setup::udp();
    setup.list("access.deny", &[]);
    let path = setup.path("access.deny");
    let without = setup.start();
    let base = kibibytes(&without, "VmHWM");
    let mut setup = Setup::udp();
    let mut text = String::new();
    for number in 0..ENTRIES {
        // Multiplied by an odd number, so that they come in no order.
        let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(text, "{number:016x}{number:024x} a note").unwrap();
    }
    std::fs::write(&path, text).unwrap();
    setup.set("access.deny", path.to_str().unwrap());
    let tracker = setup.start();
    let most = |lists: u64| base + (ENTRIES * 24 * lists) / 1024;
    let peak = kibibytes(&tracker, "VmHWM");
    assert!(peak < most(1), "{peak} KiB after {base} KiB without");
    // While one list takes the place of another, both are there; then one is.
    for _ in 0..3 {
        tracker.hang_up();
        eventually("that the old one is gone", || {
            kibibytes(&tracker, "VmRSS") < most(1)
        });
    }
    let peak = kibibytes(&tracker, "VmHWM");
    assert!(peak < most(2), "{peak} KiB after {base} KiB without");
    assert!(serves(&tracker, LISTED));
    drop(without);
}

#[test]
fn a_list_behind_a_link_is_followed() {
    let mut setup = Setup::udp();
    let link = setup.path("current");
    for (folder, info_hash) in [("one", LISTED), ("two", OTHER)] {
        std::fs::create_dir(setup.path(folder)).unwrap();
        setup.write(&format!("{folder}/allow.txt"), &list(&[info_hash]));
    }
    symlink("one", &link).unwrap();
    setup.set("access.allow", link.join("allow.txt").to_str().unwrap());
    let tracker = setup.start();
    assert!(serves(&tracker, LISTED) && !serves(&tracker, OTHER));
    let next = tracker.setup.path("next");
    symlink("two", &next).unwrap();
    std::fs::rename(&next, &link).unwrap();
    tracker.hang_up();
    assert!(!serves(&tracker, LISTED) && serves(&tracker, OTHER));
}

#[test]
fn fifos_of_the_c_program_change_the_list() {
    let mut setup = Setup::new();
    let [add, delete] = ["add", "delete"].map(|name| setup.path(name));
    make_fifo(&add);
    make_fifo(&delete);
    let allow = setup.write("allow", &list(&[LISTED]));
    let text = format!(
        "listen.udp 127.0.0.1:0\nlisten.udp.workers 1\naccess.whitelist {}\n\
         access.fifo_add {}\naccess.fifo_delete {}\n",
        allow.display(),
        add.display(),
        delete.display()
    );
    setup.text(&text).listeners(1);
    let mut tracker = setup.start();
    let write = |fifo: &Path, info_hash| {
        let mut fifo = OpenOptions::new().write(true).open(fifo).unwrap();
        fifo.write_all(list(&[info_hash]).as_bytes()).unwrap();
    };
    // Each of several writers is heard, one after the other.
    for _ in 0..2 {
        assert!(serves(&tracker, LISTED) && !serves(&tracker, OTHER));
        write(&add, OTHER);
        eventually("the addition", || serves(&tracker, OTHER));
        write(&delete, LISTED);
        eventually("the deletion", || !serves(&tracker, LISTED));
        tracker.hang_up();
    }
    assert!(serves(&tracker, LISTED) && !serves(&tracker, OTHER));
    let log = tracker.log().join("\n");
    assert!(log.contains("allow list 1 → 2"), "{log}");
    assert_eq!(tracker.stop("TERM").0.code(), Some(0));
}
