//! What is left to the program once it serves, and what shows that it still does.
//!
//! | sentence | tests |
//! |---|---|
//! | capabilities kept only where needed, no new privileges: none, for any thread | `no_capability_is_left`, `the_thread_of_the_cluster_has_none_either` |
//! | so root reads what belongs to root or to all | `root_has_no_more_rights_than_others` |
//! | Landlock: lists and links are read again in the folders of the start | `files_of_the_start_are_read_again`, `links_lead_elsewhere` |
//! | files of other folders are not, and it is said that this takes a restart | `another_folder_takes_a_restart` |
//! | what metrics say of the process can still be read | `metrics_of_the_process_are_there` |
//! | nobody but root looks into a process that was root | `memory_is_out_of_reach` |
//! | the service manager is told from another root folder, too | `the_manager_is_told_from_another_root_folder` |
//! | a stuck worker ends the signs of life | `a_stuck_worker_ends_the_signs_of_life` |

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use opentracker_lab::uninterrupted;

use crate::program::{PATIENCE, Setup, list};
use crate::threads::Held;
use crate::{OTHER, TORRENT, ids, inside, serves, setup, statuses, udp};

const NO_CAPABILITY: [&str; 1] = ["0000000000000000"];

#[test]
fn no_capability_is_left() {
    for user in ["nobody", ""] {
        let mut setup = udp();
        setup.set("process.user", user);
        let tracker = setup.start();
        for status in statuses(&tracker) {
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(ids(&status, set), NO_CAPABILITY, "{set}: {status}");
            }
            assert_eq!(ids(&status, "NoNewPrivs"), ["1"], "{status}");
        }
    }
}

#[test]
fn the_thread_of_the_cluster_has_none_either() {
    let mut setup = udp();
    setup.set("livesync.listen", "127.0.0.1:9696");
    let tracker = setup.start();
    tracker.wait_for("live sync", |log| {
        log.iter().any(|line| line.contains("live sync begins"))
    });
    assert!(tracker.threads("comm").contains(&"livesync".to_owned()));
    for status in statuses(&tracker) {
        assert_eq!(ids(&status, "CapEff"), NO_CAPABILITY, "{status}");
        assert_eq!(ids(&status, "NoNewPrivs"), ["1"], "{status}");
    }
}

#[test]
fn root_has_no_more_rights_than_others() {
    let mut setup = udp();
    setup.list("access.allow", &[TORRENT]);
    let path = setup.path("access.allow");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert!(serves(&setup.start(), TORRENT));
    let mut setup = udp();
    setup.list("access.allow", &[TORRENT]);
    let path = setup.path("access.allow");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    chown(&path, Some(65534), None).unwrap();
    let ended = setup.run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("Permission denied"), "{ended:?}");
    let ended = setup.argument("--check").run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

/// Replaces a file as editors and deployments do.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn files_of_the_start_are_read_again() {
    let mut setup = udp();
    setup
        .list("access.allow", &[TORRENT])
        .set("process.user", "nobody");
    let tracker = setup.start();
    let (config, allow) = (
        tracker.setup.config_path(),
        tracker.setup.path("access.allow"),
    );
    replace(&allow, &list(&[OTHER]));
    let text = fs::read_to_string(&config).unwrap();
    replace(&config, &format!("announce.interval = \"20m\"\n{text}"));
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("announce.interval; allow list 1 → 1"),
        "{said}"
    );
    assert!(serves(&tracker, OTHER) && !serves(&tracker, TORRENT));
}

#[test]
fn links_lead_elsewhere() {
    let mut setup = udp();
    let at = |name: &str| setup.path(name);
    for (version, torrent) in [("v1", TORRENT), ("v2", OTHER)] {
        fs::create_dir(at(version)).unwrap();
        setup.write(&format!("{version}/allow"), &list(&[torrent]));
    }
    // As a ConfigMap of Kubernetes: a link to a folder, which is replaced.
    symlink("v1", at("current")).unwrap();
    fs::create_dir(at("etc")).unwrap();
    symlink(at("current/allow"), at("etc/allow")).unwrap();
    let allow = at("etc/allow").to_str().unwrap().to_owned();
    let next = at("next");
    setup.set("access.allow", allow.as_str());
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    symlink("v2", &next).unwrap();
    fs::rename(next, tracker.setup.path("current")).unwrap();
    let said = tracker.hang_up().join("\n");
    assert!(!said.contains("ERROR"), "{said}");
    assert!(serves(&tracker, OTHER) && !serves(&tracker, TORRENT));
}

#[test]
fn another_folder_takes_a_restart() {
    let elsewhere = Setup::within(&std::env::temp_dir());
    let other = elsewhere.write("other", &list(&[OTHER]));
    let mut setup = udp();
    setup.list("access.allow", &[TORRENT]);
    let tracker = setup.start();
    let text = fs::read_to_string(tracker.setup.config_path()).unwrap();
    let line = text.lines().find(|line| line.starts_with("access.allow"));
    let text = text.replace(line.unwrap(), &format!("access.allow = {other:?}"));
    fs::write(tracker.setup.config_path(), text).unwrap();
    let said = tracker.hang_up().join("\n");
    for words in [
        "the allow list stays as it was",
        other.to_str().unwrap(),
        "it takes a restart",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
}

#[test]
fn metrics_of_the_process_are_there() {
    let mut setup = setup();
    setup.set("process.user", "nobody");
    let tracker = setup.start();
    let port = tracker.operator().port();
    let request = r"GET /metrics HTTP/1.0\r\n\r\n";
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; cat <&3");
    let metrics = inside(&tracker, &script).escape_ascii().to_string();
    for name in [
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_start_time_seconds ",
    ] {
        assert!(metrics.contains(&format!("\\n{name}")), "{name}: {metrics}");
    }
}

#[test]
fn memory_is_out_of_reach() {
    let mut setup = udp();
    setup.set("process.user", "nobody");
    let tracker = setup.start();
    // The system gives a process that can be looked into to its user.
    assert_eq!(fs::metadata(tracker.proc("mem")).unwrap().uid(), 0);
}

/// Lets a program tell a service manager, which has a socket beside the configuration.
pub(crate) fn with_manager(setup: &mut Setup) -> UnixDatagram {
    let path = setup.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    setup.variable("NOTIFY_SOCKET", path);
    manager
}

/// Waits until the service manager is told a line before all others.
pub(crate) fn wait_until_told(manager: &UnixDatagram, line: &str) {
    let mut octets = [0; 4096];
    loop {
        let length = uninterrupted(|| manager.recv(&mut octets)).expect(line);
        if octets[..length].split(|&octet| octet == b'\n').next() == Some(line.as_bytes()) {
            return;
        }
    }
}

#[test]
fn the_manager_is_told_from_another_root_folder() {
    let mut setup = udp();
    let manager = with_manager(&mut setup);
    let root = setup.path("root");
    fs::create_dir(&root).unwrap();
    setup
        .set("process.chroot", root.to_str().unwrap())
        .set("process.user", "nobody");
    let mut tracker = setup.start();
    wait_until_told(&manager, "READY=1");
    tracker.stop("TERM");
    wait_until_told(&manager, "STOPPING=1");
}

#[test]
fn a_stuck_worker_ends_the_signs_of_life() {
    let mut setup = setup();
    let manager = with_manager(&mut setup);
    setup.variable("WATCHDOG_USEC", "1000000");
    let tracker = setup.start();
    for name in ["udp-0", "http-0"] {
        wait_until_told(&manager, "WATCHDOG=1");
        let held = Held::now(&tracker, name);
        tracker.wait_for("that it is stuck", |log| {
            log.iter()
                .any(|line| line.contains(&format!("stuck for 500ms: {name}")))
        });
        // What was said before, and then no more.
        manager.set_nonblocking(true).unwrap();
        while manager.recv(&mut [0; 4096]).is_ok() {}
        manager.set_nonblocking(false).unwrap();
        manager
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let said = uninterrupted(|| manager.recv(&mut [0; 4096]));
        assert!(said.is_err(), "{name} is stuck");
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        drop(held);
    }
    wait_until_told(&manager, "WATCHDOG=1");
    assert!(serves(&tracker, TORRENT));
}
