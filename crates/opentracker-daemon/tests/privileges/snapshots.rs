//! Snapshots of a process that gives up its rights, and on a disk of its own.
//!
//! | sentence | tests |
//! |---|---|
//! | written and read after privileges are dropped, and inside a chroot | `they_outlast_a_change_of_user_and_root` |
//! | a folder that the user cannot write to is said, by `--check` too | `a_folder_of_somebody_else_is_said` |
//! | a disk that is full or read-only costs what would be written, not the service, and is said | `a_full_disk_costs_the_snapshot_alone`, `a_disk_that_becomes_read_only_costs_the_snapshot_alone` |

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::datagram::{Announce, Client};
use crate::operator::{self, Api, TOKEN};
use crate::program::{Setup, Tracker, eventually};
use crate::{NOBODY, OTHER, TORRENT, serves, snapshot_file, udp, wrapper};

/// A folder beside the configuration that belongs to a user.
fn folder_of(setup: &Setup, user: &str) -> PathBuf {
    let folder = setup.path("state");
    let mut install = Command::new("install");
    install.args(["--directory", "--owner", user]).arg(&folder);
    assert!(install.status().unwrap().success());
    folder
}

fn leechers(tracker: &Tracker) -> u32 {
    Client::of(tracker.udp()).scrape(&[TORRENT])[0].leechers
}

#[test]
fn they_outlast_a_change_of_user_and_root() {
    let place = udp();
    let folder = folder_of(&place, NOBODY);
    let start = || {
        let mut setup = udp();
        let root = setup.path("").to_str().unwrap().to_owned();
        setup
            .set("process.user", "nobody")
            .set("process.chroot", root.as_str())
            .set("snapshot.path", folder.join("swarms").to_str().unwrap());
        setup.start()
    };
    let mut tracker = start();
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1));
    tracker.stop("TERM");
    let path = folder.join("swarms");
    snapshot_file::created(&path);
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.uid().to_string(), NOBODY);
    assert_eq!(metadata.mode() & 0o777, 0o600);
    let mut tracker = start();
    assert_eq!(leechers(&tracker), 1);
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 2));
    tracker.stop("TERM");
    // The snapshot and the trends.
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    assert_eq!(leechers(&start()), 2);
}

#[test]
fn a_folder_of_somebody_else_is_said() {
    let mut setup = udp();
    let path = folder_of(&setup, "0").join("swarms");
    setup
        .set("process.user", "nobody")
        .set("snapshot.path", path.to_str().unwrap());
    let started = setup.run();
    setup.argument("--check");
    let checked = setup.run();
    for (ended, code) in [(started, 1), (checked, 2)] {
        assert_eq!(ended.code, Some(code), "{ended:?}");
        for words in ["snapshot.path", path.to_str().unwrap(), "Permission denied"] {
            assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        }
    }
}

/// A tracker whose state is on a disk of its own, and that folder as others see it.
fn with_a_disk() -> (Tracker, PathBuf) {
    let mut setup = udp();
    let folder = folder_of(&setup, "0");
    let disk = format!(
        "mount -t tmpfs -o size=256k none {} && exec \"$@\"",
        folder.display()
    );
    let token = setup.write("token", &format!("{TOKEN}\n"));
    setup.wrapper = wrapper(&[&["unshare", "--mount", "sh", "-c", &disk, "sh"]]);
    setup
        .set("admin.token", token.to_str().unwrap())
        .set("snapshot.path", folder.join("swarms").to_str().unwrap())
        .set("snapshot.interval", "1s");
    let tracker = setup.start();
    let disk = tracker.proc("root").join(folder.strip_prefix("/").unwrap());
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1));
    eventually("a snapshot", || disk.join("swarms").exists());
    (tracker, disk)
}

fn said(tracker: &Tracker, text: &str) {
    tracker.wait_for(text, |log| log.iter().any(|line| line.contains(text)));
}

/// Holds that a disk which fails costs what should be written to it, and that this is said once;
/// and that all is well when it works again.
fn costs_what_would_be_written(error: &str, fail: impl Fn(&Tracker, &Path, bool)) {
    let (mut tracker, disk) = with_a_disk();
    let path = disk.join("swarms");
    fail(&tracker, &disk, true);
    said(&tracker, error);
    // It serves, and the last one that was written is whole.
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 2));
    snapshot_file::created(&path);
    let api = Api::tcp(tracker.operator()).with_token();
    let block = || api.ask("PUT", &format!("blocks/{}", operator::hex(OTHER)));
    let (status, _, _) = block().problem();
    assert_eq!(status, 500);
    assert!(!serves(&tracker, OTHER), "a block holds all the same");
    fail(&tracker, &disk, false);
    said(&tracker, "is written again");
    let log = tracker.log();
    let complaints = log.iter().filter(|line| line.contains("cannot write"));
    assert_eq!(complaints.count(), 1, "it is said once: {log:?}");
    let before = snapshot_file::created(&path);
    eventually("another", || {
        snapshot_file::said_to_be_created(&path) > before
    });
    assert_eq!(block().json()["lasts"], "always");
    let (status, _) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_full_disk_costs_the_snapshot_alone() {
    costs_what_would_be_written("No space left on device", |_, disk, is_full| {
        let filling = disk.join("filling");
        if is_full {
            let full = fs::write(filling, vec![1; 1 << 20]).unwrap_err();
            assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        } else {
            fs::remove_file(filling).unwrap();
        }
    });
}

#[test]
fn a_disk_that_becomes_read_only_costs_the_snapshot_alone() {
    costs_what_would_be_written("Read-only file system", |tracker, disk, is_read_only| {
        let process = tracker.process().to_string();
        let options = if is_read_only {
            "remount,ro"
        } else {
            "remount,rw"
        };
        let folder = Path::new("/").join(disk.strip_prefix(tracker.proc("root")).unwrap());
        // It is refused while a snapshot is being written.
        eventually(options, || {
            let mut remount = Command::new("nsenter");
            remount.args(["--mount", "--target", &process, "mount", "-o", options]);
            remount.arg(&folder).status().unwrap().success()
        });
    });
}
