//! Section "Configuration" of the contract: lists that are folders of `.torrent` files.
//!
//! | sentence | tests |
//! |---|---|
//! | a folder of `.torrent` files lists each file's v1 hash, truncated v2 hash, or both | `a_folder_lists_the_hashes_of_its_torrents` |
//! | other files are skipped; what is no torrent is counted and named | `files_that_are_no_torrents_are_named` |
//! | a file of it that cannot be read keeps the list as it was | `a_torrent_that_cannot_be_read_keeps_the_list` |

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker};

const PIECES: &str = "6:pieces20:aaaaaaaaaaaaaaaaaaaa";
const TREE: &str = "9:file treed1:ad0:d6:lengthi1eeee";

/// The first 20 octets of a hash, by a program of coreutils.
fn hash(program: &str, octets: &str) -> [u8; 20] {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(octets.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap().stdout;
    let digit = |place: usize| char::from(output[place]).to_digit(16).unwrap();
    std::array::from_fn(|place| u8::try_from(16 * digit(2 * place) + digit(2 * place + 1)).unwrap())
}

fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let announce = Announce::new(info_hash, 1000);
    Client::of(tracker.udp()).try_announce(&announce).is_ok()
}

fn folder(setup: &Setup) -> PathBuf {
    let folder = setup.path("torrents");
    fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn a_folder_lists_the_hashes_of_its_torrents() {
    let rest = "4:name1:a12:piece lengthi16384e";
    let v1 = format!("d6:lengthi1e{rest}{PIECES}e");
    let v2 = format!("d{TREE}12:meta versioni2e{rest}e");
    let hybrid = format!("d{TREE}6:lengthi1e12:meta versioni2e{rest}{PIECES}e");
    let listed = [
        hash("sha1sum", &v1),
        hash("sha256sum", &v2),
        hash("sha1sum", &hybrid),
        hash("sha256sum", &hybrid),
    ];
    let others = [hash("sha256sum", &v1), hash("sha1sum", &v2), [7; 20]];
    for (key, is_served) in [("access.allow", true), ("access.deny", false)] {
        let mut setup = Setup::udp();
        let folder = folder(&setup);
        for (name, info) in [("a.torrent", &v1), ("b.TORRENT", &v2)] {
            let torrent = format!("d8:announce10:udp://host4:info{info}e");
            fs::write(folder.join(name), torrent).unwrap();
        }
        // Behind a link, and with its keys in another order.
        let elsewhere = setup.write("elsewhere", &format!("d4:info{hybrid}1:a0:e"));
        symlink(elsewhere, folder.join("c.torrent")).unwrap();
        setup.set(key, folder.to_str().unwrap());
        let tracker = setup.start();
        for info_hash in listed {
            assert_eq!(
                serves(&tracker, info_hash),
                is_served,
                "{key}: {info_hash:02x?}"
            );
        }
        for info_hash in others {
            assert_eq!(
                serves(&tracker, info_hash),
                !is_served,
                "{key}: {info_hash:02x?}"
            );
        }
        tracker.wait_for("the size of the list", |log| {
            log.iter().any(|line| line.contains("list: 4"))
        });
        let log = tracker.log().join("\n");
        assert!(!log.contains("WARN"), "{log}");
    }
}

#[test]
fn files_that_are_no_torrents_are_named() {
    let mut setup = Setup::udp();
    let folder = folder(&setup);
    fs::write(folder.join("README"), "no torrent, and not called one").unwrap();
    fs::write(folder.join(".hidden.torrent"), "not looked at").unwrap();
    fs::write(folder.join("half.torrent"), "d4:infod6:length").unwrap();
    fs::create_dir(folder.join("folder.torrent")).unwrap();
    let deep = format!("d4:info{}", "l".repeat(100_000));
    fs::write(folder.join("deep.torrent"), deep).unwrap();
    let large = fs::File::create(folder.join("large.torrent")).unwrap();
    large.set_len(33 << 20).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(folder.join("pipe.torrent"))
            .status()
            .unwrap()
            .success()
    );
    setup.set("access.allow", folder.to_str().unwrap());
    let tracker = setup.start();
    let log = tracker.log();
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log:?}");
    for word in [
        "access.allow",
        "5 files are no torrents and were skipped",
        "half.torrent (the input ends too early",
        "folder.torrent (no file)",
        "deep.torrent (nested too deep",
        "large.torrent (more than 32 MiB)",
        "pipe.torrent (no file)",
    ] {
        assert!(warnings[0].contains(word), "{word}: {log:?}");
    }
    assert!(!serves(&tracker, [7; 20]));
}

#[test]
fn a_torrent_that_cannot_be_read_keeps_the_list() {
    let info = format!("d6:lengthi1e4:name1:a{PIECES}e");
    let mut setup = Setup::udp();
    let folder = folder(&setup);
    fs::write(folder.join("a.torrent"), format!("d4:info{info}e")).unwrap();
    setup.set("access.deny", folder.to_str().unwrap());
    let tracker = setup.start();
    let denied = hash("sha1sum", &info);
    assert!(!serves(&tracker, denied));
    fs::remove_file(folder.join("a.torrent")).unwrap();
    // A link to itself, which nobody can follow, whoever he is.
    symlink("loop.torrent", folder.join("loop.torrent")).unwrap();
    let said = tracker.hang_up().join("\n");
    for word in [
        "the deny list stays as it was",
        "loop.torrent",
        "Too many levels",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!serves(&tracker, denied));
}
