//! Sections "Configuration" and "Program" of the contract: files and folders are looked at every
//! few seconds.
//!
//! | sentence | tests |
//! |---|---|
//! | files are looked at every few seconds; a newly denied swarm is purged at once; the log says what changed | `a_changed_list_is_taken_without_a_signal` |
//! | a changed list is read once two looks have found it unchanged, so never half written | `a_list_that_is_being_written_is_left_alone` |
//! | folders as well | `a_folder_is_watched` |
//! | a list on a ConfigMap, whose link is swapped | `a_config_map_is_watched` |
//! | a deny list that has lost all its entries is taken on SIGHUP alone; until then the old one holds, and is said | `an_emptied_deny_list_waits_for_a_signal` |
//! | one that cannot be read keeps what it had, until it can | `a_list_that_vanishes_stays_until_it_is_back` |
//! | what a FIFO has changed survives until that file changes | `changes_by_a_fifo_survive_until_the_file_changes` |
//! | the watch goes where a reload says | `another_path_is_watched_after_a_reload` |

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker, list};
use crate::request::get;

const ONE: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let announce = Announce::new(info_hash, 1000);
    Client::of(tracker.udp()).try_announce(&announce).is_ok()
}

/// Waits for a line that says these words.
fn said(tracker: &Tracker, words: &[&str]) {
    let is_it = |line: &String| words.iter().all(|word| line.contains(word));
    tracker.wait_for(&words.join(" … "), |log| log.iter().any(is_it));
}

#[test]
fn a_changed_list_is_taken_without_a_signal() {
    let mut setup = Setup::new();
    setup
        .list("access.allow", &[ONE, OTHER])
        .list("access.deny", &[[1; 20]]);
    let tracker = setup.start();
    assert!(serves(&tracker, ONE) && serves(&tracker, OTHER));
    let page = |mode: &str| {
        let page = get(tracker.http(), &format!("/stats?mode={mode}"));
        page.text().to_lowercase()
    };
    assert!(page("top10").contains(&"ab".repeat(20)));
    tracker.setup.write("access.deny", &list(&[[1; 20], ONE]));
    let line = ["access.deny has changed: deny list 1 → 2, 1 swarm purged"];
    said(&tracker, &line);
    assert!(!serves(&tracker, ONE) && serves(&tracker, OTHER));
    assert!(!page("top10").contains(&"ab".repeat(20)), "at once");
    assert!(page("torr").starts_with("1\n"));
    tracker.setup.write("access.allow", &list(&[[1; 20]]));
    said(&tracker, &["access.allow has changed: allow list 2 → 1"]);
    assert!(!serves(&tracker, OTHER));
    // An allow list without entries closes everything, so it needs no signal.
    tracker.setup.write("access.allow", "");
    said(&tracker, &["access.allow has changed: allow list 1 → 0"]);
}

#[test]
fn a_list_that_is_being_written_is_left_alone() {
    // More than two looks, which are two seconds apart.
    const WRITING: Duration = Duration::from_secs(7);
    const SHORT: Duration = Duration::from_secs(1);
    let mut setup = Setup::udp();
    setup.list("access.deny", &[ONE]);
    let tracker = setup.start();
    // On a machine that stops this thread for long the list does stand still: then once more.
    for _ in 0..5 {
        let lines = tracker.log().len();
        let mut file = fs::File::create(tracker.setup.path("access.deny")).unwrap();
        let begin = Instant::now();
        let (mut last, mut longest) = (begin, Duration::ZERO);
        while begin.elapsed() < WRITING {
            file.write_all(list(&[OTHER]).as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        let log = tracker.log().split_off(lines);
        let is_taken = |log: &[String]| log.iter().any(|line| line.contains("has changed"));
        if longest < SHORT {
            assert!(!is_taken(&log), "{log:?}");
            tracker.wait_for("the whole list", |log| is_taken(&log[lines..]));
            assert!(serves(&tracker, ONE) && !serves(&tracker, OTHER));
            return;
        }
    }
    panic!("this thread was stopped for more than {SHORT:?} in each of five rounds");
}

fn torrent(name: &str) -> String {
    format!(
        "d4:infod6:lengthi1e4:name1:{name}12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee"
    )
}

#[test]
fn a_folder_is_watched() {
    let mut setup = Setup::udp();
    let folder = setup.path("torrents");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.torrent"), torrent("a")).unwrap();
    setup.set("access.allow", folder.to_str().unwrap());
    let tracker = setup.start();
    fs::write(folder.join("b.torrent"), torrent("b")).unwrap();
    said(&tracker, &["allow list 1 → 2"]);
    fs::remove_file(folder.join("a.torrent")).unwrap();
    said(&tracker, &["allow list 2 → 1"]);
    // The name and the number of the files stay.
    fs::write(folder.join("b.torrent"), "no torrent").unwrap();
    said(
        &tracker,
        &["1 file is no torrent and was skipped: b.torrent"],
    );
    said(&tracker, &["allow list 1 → 0"]);
}

/// Swaps the link as the kubelet does.
fn publish(volume: &Path, version: &str, text: &str) {
    fs::create_dir(volume.join(version)).unwrap();
    fs::write(volume.join(version).join("deny.txt"), text).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[test]
fn a_config_map_is_watched() {
    let mut setup = Setup::udp();
    let volume = setup.path("volume");
    fs::create_dir(&volume).unwrap();
    publish(&volume, "..2026_01", &list(&[ONE]));
    symlink("..data/deny.txt", volume.join("deny.txt")).unwrap();
    setup.set("access.deny", volume.join("deny.txt").to_str().unwrap());
    let tracker = setup.start();
    assert!(!serves(&tracker, ONE) && serves(&tracker, OTHER));
    // As long as the list before, so that its length does not tell.
    publish(&volume, "..2026_02", &list(&[OTHER]));
    said(&tracker, &["deny list 1 → 1, 1 swarm purged"]);
    assert!(serves(&tracker, ONE) && !serves(&tracker, OTHER));
    fs::remove_dir_all(volume.join("..2026_01")).unwrap();
    publish(&volume, "..2026_03", &list(&[ONE, OTHER]));
    said(&tracker, &["deny list 1 → 2"]);
}

#[test]
fn an_emptied_deny_list_waits_for_a_signal() {
    let mut setup = Setup::udp();
    setup.list("access.deny", &[ONE]);
    let clients = setup.write("clients", "-ZZ\n");
    let networks = setup.write("networks", "192.0.2.1\n");
    setup
        .set("access.deny_clients", clients.to_str().unwrap())
        .set("access.deny_networks", networks.to_str().unwrap());
    let tracker = setup.start();
    for (name, kind) in [
        ("access.deny", "deny"),
        ("clients", "client"),
        ("networks", "network"),
    ] {
        tracker.setup.write(name, "# to be filled in\n");
        let kept = format!("the {kind} list stays as it was until SIGHUP");
        said(&tracker, &["WARN", &kept, name, "no entries"]);
    }
    assert!(!serves(&tracker, ONE));
    let log = tracker.log();
    let warnings = log.iter().filter(|line| line.contains("until SIGHUP"));
    assert_eq!(warnings.count(), 3, "each is said once: {log:?}");
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("deny list 1 → 0, client list 1 → 0, network list 1 → 0"),
        "{said}"
    );
    assert!(serves(&tracker, ONE));
}

#[test]
fn a_list_that_vanishes_stays_until_it_is_back() {
    let mut setup = Setup::udp();
    setup.list("access.deny", &[ONE]);
    let tracker = setup.start();
    let path = tracker.setup.path("access.deny");
    fs::remove_file(&path).unwrap();
    said(
        &tracker,
        &["ERROR", "the deny list stays as it was", "No such file"],
    );
    assert!(!serves(&tracker, ONE));
    tracker.setup.write("access.deny", &list(&[OTHER]));
    said(&tracker, &["access.deny has changed: deny list 1 → 1"]);
    assert!(serves(&tracker, ONE) && !serves(&tracker, OTHER));
    let log = tracker.log();
    let errors = log.iter().filter(|line| line.contains("stays as it was"));
    assert_eq!(errors.count(), 1, "it is said once: {log:?}");
}

#[test]
fn changes_by_a_fifo_survive_until_the_file_changes() {
    let mut setup = Setup::udp();
    let fifo = setup.path("add");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    setup
        .list("access.allow", &[ONE])
        .list("access.deny", &[[1; 20]])
        .set("access.fifo_add", fifo.to_str().unwrap());
    let tracker = setup.start();
    let mut writer = OpenOptions::new().write(true).open(&fifo).unwrap();
    writer.write_all(list(&[OTHER]).as_bytes()).unwrap();
    drop(writer);
    said(&tracker, &["allow list 1 → 2"]);
    // The other list is read, and this one was looked at meanwhile.
    tracker
        .setup
        .write("access.deny", &list(&[[1; 20], [2; 20]]));
    said(&tracker, &["deny list 1 → 2"]);
    assert!(serves(&tracker, ONE) && serves(&tracker, OTHER));
    tracker.setup.write("access.allow", &list(&[[3; 20]]));
    said(&tracker, &["access.allow has changed: allow list 2 → 1"]);
    assert!(!serves(&tracker, OTHER));
}

#[test]
fn another_path_is_watched_after_a_reload() {
    let mut setup = Setup::udp();
    setup.list("access.deny", &[ONE]);
    let mut tracker = setup.start();
    let other = tracker.setup.write("other", &list(&[ONE, OTHER]));
    tracker.setup.set("access.deny", other.to_str().unwrap());
    tracker.reload();
    tracker.setup.write("access.deny", &list(&[[1; 20]]));
    tracker.setup.write("other", &list(&[OTHER]));
    said(&tracker, &["other has changed: deny list 2 → 1"]);
    assert!(serves(&tracker, ONE));
    let log = tracker.log().join("\n");
    assert!(!log.contains("access.deny has changed"), "{log}");
    // And a list that was not there before.
    let allow = tracker.setup.write("allow", &list(&[ONE]));
    tracker.setup.set("access.allow", allow.to_str().unwrap());
    tracker.reload();
    tracker.setup.write("allow", &list(&[ONE, OTHER]));
    said(&tracker, &["allow has changed: allow list 1 → 2"]);
}
