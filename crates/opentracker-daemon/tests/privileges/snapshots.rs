//! Snapshots of a process that gives up its rights, and on a disk of its own.
//!
//! | sentence | tests |
//! |---|---|
//! | written and read after privileges are dropped, and inside a chroot | `they_outlast_a_change_of_user_and_root` |
//! | a folder that the user cannot write to is said, by `--check` too | `a_folder_of_somebody_else_is_said` |
//! | a full disk costs the snapshot, not the service, and is said | `a_full_disk_costs_the_snapshot_alone` |

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker, eventually};
use crate::{NOBODY, TORRENT, snapshot_file, udp};

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

#[test]
fn a_full_disk_costs_the_snapshot_alone() {
    let mut setup = udp();
    let folder = folder_of(&setup, "0");
    let disk = format!(
        "mount -t tmpfs -o size=256k none {} && exec \"$@\"",
        folder.display()
    );
    setup.wrapper = ["unshare", "--mount", "sh", "-c", &disk, "sh"]
        .map(str::to_owned)
        .into();
    setup
        .set("snapshot.path", folder.join("swarms").to_str().unwrap())
        .set("snapshot.interval", "1s");
    let mut tracker = setup.start();
    let disk = tracker.proc("root").join(folder.strip_prefix("/").unwrap());
    let path = disk.join("swarms");
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1));
    eventually("a snapshot", || path.exists());
    let full = fs::write(disk.join("filling"), vec![1; 1 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let said = |text: &str| {
        tracker.wait_for(text, |log| log.iter().any(|line| line.contains(text)));
    };
    said("No space left on device");
    // It serves, and the last one that was written is whole.
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 2));
    snapshot_file::created(&path);
    fs::remove_file(disk.join("filling")).unwrap();
    said("is written again");
    let log = tracker.log();
    let complaints = log.iter().filter(|line| line.contains("No space left"));
    assert_eq!(complaints.count(), 1, "it is said once");
    let before = snapshot_file::created(&path);
    eventually("another", || {
        snapshot_file::said_to_be_created(&path) > before
    });
    let (status, _) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
}
