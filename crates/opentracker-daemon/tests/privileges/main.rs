//! The contract of the program where it takes root to test it: users, groups, root folders, ports
//! below 1024, and the port that is served without any configuration, in a network namespace of
//! its own.
//!
//! It is run by `cargo xtask test`, and fails for anybody but root. It calls programs of
//! util-linux and iproute2, and Python with its module `seccomp`.
//!
//! | sentence | tests |
//! |---|---|
//! | with no arguments serves UDP and HTTP on port 6969 of `0.0.0.0` and `[::]` | `without_arguments_port_6969_is_served` |
//! | open to every info hash | `without_arguments_every_torrent_is_served` |
//! | `-i ip` alone | `an_address_alone_has_port_6969` |
//! | `-u user`, `process.user` | `the_user_changes_for_all_threads`, `a_user_may_be_a_number` |
//! | and supplementary groups are dropped | `supplementary_groups_are_dropped` |
//! | once the sockets are open | `ports_below_1024_are_bound_before` |
//! | Unix sockets belong to the user, and are made and removed whatever the root folder | `a_unix_socket_is_the_user_s_and_goes_with_the_program` |
//! | `-d dir` (chroot as root), `process.chroot` | `the_root_folder_changes` |
//! | (else chdir) | `without_root_the_folder_is_entered` |
//! | lists are read as what the process has become | `lists_are_read_by_the_new_user`, `lists_are_reloaded_in_the_new_root_folder` |
//! | signals are heeded as before | `the_new_user_is_stopped_as_well` |
//! | `-u user` (as root; else it is noted and left) | `without_root_another_user_is_left_aside`, `being_the_user_already_is_enough` |
//! | an image without a table of users | `a_number_needs_no_table_of_users` |
//! | `--check` tries lists and user | `check_reads_lists_as_the_user_who_would`, `check_finds_lists_in_the_root_folder`, `check_finds_lists_outside_of_the_root_folder` |
//! | 1 could not start | `without_root_ports_below_1024_are_out_of_reach`, `a_list_of_somebody_else_is_unreadable` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../it/backend.rs"]
mod backend;
#[path = "../it/bencode.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod bencode;
#[path = "../it/datagram.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod datagram;
#[path = "../it/load.rs"]
mod load;
#[path = "../it/operator.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod operator;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;
#[path = "../it/request.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod request;
#[path = "../it/snapshot_file.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod snapshot_file;
#[path = "../it/threads.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod threads;

mod certificates;
mod host;
mod layouts;
mod sandbox;
mod snapshots;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use datagram::{Announce, Client};
use program::{STOP_TIME, Setup, Tracker, eventually, list};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

/// The user whom Debian calls `nobody`.
const NOBODY: &str = "65534";

/// Starts a program in a network namespace of its own, in which loopback works.
const OWN_NETWORK: [&str; 6] = [
    "unshare",
    "--net",
    "sh",
    "-c",
    "ip link set lo up && exec \"$@\"",
    "sh",
];

/// Starts a program as `nobody`.
const AS_NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// A setup whose files and program everybody can reach, whatever the way to the build's folder.
fn setup() -> Setup {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    assert_eq!(ids(&status, "Uid")[1], "0", "these tests need root");
    let mut setup = Setup::within(&std::env::temp_dir());
    let open = Permissions::from_mode(0o755);
    fs::set_permissions(setup.path(""), open).unwrap();
    let program = setup.path("opentracker");
    // By a process of its own: a file that this one has open for writing could not be executed
    // while a child that another test has just forked still holds it.
    let mut install = Command::new("install");
    install.arg("--mode=755").arg(&setup.program).arg(&program);
    assert!(install.status().unwrap().success());
    setup.program = program;
    setup
}

/// The same without HTTP, for most of these tests ask by UDP.
fn udp() -> Setup {
    let mut setup = setup();
    setup.set("http.listen", program::NOTHING);
    setup
}

fn wrapper(words: &[&[&str]]) -> Vec<String> {
    words.concat().into_iter().map(str::to_owned).collect()
}

/// The words of a line of `/proc/…/status`.
fn ids(status: &str, name: &str) -> Vec<String> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let words = line
        .unwrap_or_else(|| panic!("no {name}: {status}"))
        .split_whitespace();
    words.map(str::to_owned).collect()
}

/// `status` of each of its threads.
fn statuses(tracker: &Tracker) -> Vec<String> {
    let statuses = tracker.threads("status");
    assert!(!statuses.is_empty());
    statuses
}

fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let announce = Announce::new(info_hash, 1000);
    Client::of(tracker.udp()).try_announce(&announce).is_ok()
}

/// Runs a script of bash, which can open sockets, in the network of the tracker.
fn inside(tracker: &Tracker, script: &str) -> Vec<u8> {
    let process = tracker.process().to_string();
    let output = Command::new("nsenter")
        .args([
            "--net", "--target", &process, "timeout", "20", "bash", "-c", script,
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    output.stdout
}

/// Connects by UDP and announces by HTTP in the network of the tracker.
fn assert_serves_at(tracker: &Tracker, ip: &str, port: u16) {
    let connect = r"\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00\x00\x00\x00\x07";
    let reply = inside(
        tracker,
        &format!("exec 3<>/dev/udp/{ip}/{port}; printf '{connect}' >&3; head -c 16 <&3"),
    );
    assert_eq!(reply.len(), 16, "{ip}: {reply:02x?}");
    assert_eq!(reply[..8], [0, 0, 0, 0, 0, 0, 0, 7], "{ip}");
    let info_hash = "%%AB".repeat(20);
    let request = format!(r"GET /announce?info_hash={info_hash}&port=1000 HTTP/1.0\r\n\r\n");
    let reply = inside(
        tracker,
        &format!("exec 3<>/dev/tcp/{ip}/{port}; printf '{request}' >&3; cat <&3"),
    );
    let reply = reply.escape_ascii().to_string();
    assert!(
        reply.contains(" 200 ") && reply.contains("8:interval"),
        "{ip}: {reply}"
    );
}

/// The listeners as their lines name them, sorted.
fn addresses(tracker: &Tracker) -> Vec<String> {
    let of = |protocol: &str| -> Vec<String> {
        let addresses = tracker.addresses(protocol);
        addresses
            .iter()
            .map(|address| format!("{protocol} {address}"))
            .collect()
    };
    let mut all = [of("http"), of("udp")].concat();
    all.sort();
    all
}

#[test]
fn without_arguments_port_6969_is_served() {
    let mut setup = setup();
    setup.wrapper = wrapper(&[&OWN_NETWORK]);
    setup.listeners(4);
    let tracker = setup.start_bare();
    let expected = [
        "http 0.0.0.0:6969",
        "http [::]:6969",
        "udp 0.0.0.0:6969",
        "udp [::]:6969",
    ];
    assert_eq!(addresses(&tracker), expected);
    for ip in ["127.0.0.1", "127.0.0.2", "::1"] {
        assert_serves_at(&tracker, ip, 6969);
    }
}

#[test]
fn without_arguments_every_torrent_is_served() {
    let mut setup = setup();
    setup.wrapper = wrapper(&[&OWN_NETWORK]);
    setup.listeners(4);
    let tracker = setup.start_bare();
    for octet in ["00", "7F", "FF"] {
        let info_hash = format!("%%{octet}").repeat(20);
        let request = format!(r"GET /announce?info_hash={info_hash}&port=1000 HTTP/1.0\r\n\r\n");
        let script = format!("exec 3<>/dev/tcp/::1/6969; printf '{request}' >&3; cat <&3");
        let reply = inside(&tracker, &script).escape_ascii().to_string();
        assert!(reply.contains("10:incompletei1e"), "{octet}: {reply}");
    }
}

#[test]
fn an_address_alone_has_port_6969() {
    let mut setup = setup();
    setup.wrapper = wrapper(&[&OWN_NETWORK]);
    setup.argument("-i").argument("127.0.0.2").listeners(2);
    let tracker = setup.start_bare();
    assert_eq!(
        addresses(&tracker),
        ["http 127.0.0.2:6969", "udp 127.0.0.2:6969"]
    );
    assert_serves_at(&tracker, "127.0.0.2", 6969);
}

#[test]
fn the_user_changes_for_all_threads() {
    let mut by_key = setup();
    by_key.set("process.user", "nobody").set("udp.workers", 3);
    let mut by_flag = setup();
    by_flag
        .argument("-u")
        .argument("nobody")
        .set("udp.workers", 3);
    for setup in [by_key, by_flag] {
        let tracker = setup.start();
        assert!(serves(&tracker, TORRENT));
        let statuses = statuses(&tracker);
        assert!(statuses.len() > 3);
        for status in statuses {
            assert_eq!(ids(&status, "Uid"), [NOBODY; 4], "{status}");
            assert_eq!(ids(&status, "Gid"), [NOBODY; 4], "{status}");
        }
    }
}

#[test]
fn a_user_may_be_a_number() {
    let mut setup = udp();
    setup.set("process.user", "4000000");
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT));
    let status = fs::read_to_string(tracker.proc("status")).unwrap();
    assert_eq!(ids(&status, "Uid"), ["4000000"; 4]);
    assert_eq!(ids(&status, "Gid"), ["4000000"; 4]);
}

#[test]
fn supplementary_groups_are_dropped() {
    let mut setup = udp();
    setup.wrapper = wrapper(&[&["setpriv", "--groups=0,4,27,1000"]]);
    setup.set("process.user", "nobody");
    let tracker = setup.start();
    for status in statuses(&tracker) {
        let mut groups = ids(&status, "Groups");
        groups.retain(|group| group != NOBODY);
        assert!(groups.is_empty(), "{status}");
    }
}

#[test]
fn ports_below_1024_are_bound_before() {
    let mut setup = setup();
    setup.wrapper = wrapper(&[&OWN_NETWORK]);
    for argument in ["-u", "nobody", "-i", "127.0.0.1", "-p", "80", "-P", "80"] {
        setup.argument(argument);
    }
    setup.listeners(2);
    let tracker = setup.start_bare();
    assert_eq!(
        addresses(&tracker),
        ["http 127.0.0.1:80", "udp 127.0.0.1:80"]
    );
    assert_serves_at(&tracker, "127.0.0.1", 80);
    let status = fs::read_to_string(tracker.proc("status")).unwrap();
    assert_eq!(ids(&status, "Uid"), [NOBODY; 4]);
}

#[test]
fn a_unix_socket_is_the_user_s_and_goes_with_the_program() {
    for root in [None, Some("root")] {
        let mut setup = setup();
        let (sockets, listen) = (setup.path("run"), setup.path("run/http.sock"));
        fs::create_dir(&sockets).unwrap();
        chown(&sockets, Some(65534), Some(65534)).unwrap();
        // A path outside of the root folder to come, too.
        if let Some(root) = root {
            let root = setup.path(root);
            fs::create_dir(&root).unwrap();
            setup.set("process.chroot", root.to_str().unwrap());
        }
        let address = format!("unix:{}", listen.display());
        setup
            .set("process.user", "nobody")
            .set("http.listen", [&*address])
            .listeners(2);
        let mut tracker = setup.start();
        let file = fs::metadata(&listen).unwrap();
        assert_eq!((file.uid(), file.gid()), (65534, 65534));
        assert_eq!(file.mode() & 0o777, 0o660);
        let mut proxy = UnixStream::connect(&listen).unwrap();
        proxy.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
        let mut response = String::new();
        proxy.read_to_string(&mut response).unwrap();
        assert!(response.ends_with("\r\n\r\nok\n"), "{response}");
        assert_eq!(tracker.stop("TERM").0.code(), Some(0));
        assert!(!listen.exists(), "{root:?}: {:?}", tracker.log());
    }
}

#[test]
fn the_root_folder_changes() {
    let mut by_key = udp();
    let folder = by_key.path("").to_str().unwrap().to_owned();
    by_key.set("process.chroot", folder.as_str());
    let mut by_flag = udp();
    let folder = by_flag.path("");
    by_flag.argument("-d").argument(folder);
    let mut with_user = udp();
    let folder = with_user.path("");
    with_user
        .argument("-d")
        .argument(folder)
        .argument("-u")
        .argument("nobody");
    for setup in [by_key, by_flag, with_user] {
        let tracker = setup.start();
        assert!(serves(&tracker, TORRENT));
        let folder = tracker.setup.path("").canonicalize().unwrap();
        for name in ["root", "cwd"] {
            assert_eq!(fs::read_link(tracker.proc(name)).unwrap(), folder, "{name}");
        }
    }
}

#[test]
fn without_root_the_folder_is_entered() {
    let mut setup = udp();
    setup.wrapper = wrapper(&[&AS_NOBODY]);
    let folder = setup.path("");
    setup.argument("-d").argument(folder);
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT));
    assert_eq!(
        fs::read_link(tracker.proc("root")).unwrap(),
        PathBuf::from("/")
    );
    let folder = tracker.setup.path("").canonicalize().unwrap();
    assert_eq!(fs::read_link(tracker.proc("cwd")).unwrap(), folder);
}

#[test]
fn lists_are_read_by_the_new_user() {
    let mut setup = udp();
    setup
        .list("access.allow", &[TORRENT])
        .set("process.user", "nobody");
    let path = setup.path("access.allow");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let ended = setup.run();
    // Else it would start now and fail to read the list again later.
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in ["access.allow", path.to_str().unwrap(), "Permission denied"] {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
}

#[test]
fn lists_are_reloaded_in_the_new_root_folder() {
    let mut setup = udp();
    let folder = setup.path("");
    setup.write("allowed", &list(&[TORRENT]));
    for argument in [
        "-u",
        "nobody",
        "-i",
        "127.0.0.1",
        "-P",
        "0",
        "-w",
        "/allowed",
        "-d",
    ] {
        setup.argument(argument);
    }
    setup.argument(folder).listeners(1);
    let tracker = setup.start_bare();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    tracker.setup.write("allowed", &list(&[OTHER]));
    let said = tracker.hang_up().join("\n");
    assert!(!said.contains("ERROR"), "{said}");
    assert!(!serves(&tracker, TORRENT) && serves(&tracker, OTHER));
}

#[test]
fn the_new_user_is_stopped_as_well() {
    let mut setup = setup();
    let folder = setup.path("");
    setup
        .argument("-d")
        .argument(folder)
        .argument("-u")
        .argument("nobody");
    let mut tracker = setup.start();
    let (status, took) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_TIME, "{took:?}");
    eventually("its end", || !tracker.proc("status").exists());
}

#[test]
fn without_root_another_user_is_left_aside() {
    for user in ["root", "daemon", "1", "nobody-has-this-name"] {
        let mut setup = udp();
        setup.wrapper = wrapper(&[&AS_NOBODY]);
        setup.set("process.user", user);
        let tracker = setup.start();
        assert!(serves(&tracker, TORRENT));
        let log = tracker.log().join("\n");
        for word in ["WARN", "process.user", user, "left aside", NOBODY] {
            assert!(log.contains(word), "{word}: {log}");
        }
        let status = fs::read_to_string(tracker.proc("status")).unwrap();
        assert_eq!(ids(&status, "Uid"), [NOBODY; 4]);
    }
}

#[test]
fn being_the_user_already_is_enough() {
    for user in ["nobody", NOBODY] {
        let mut setup = udp();
        setup.wrapper = wrapper(&[&AS_NOBODY]);
        setup.set("process.user", user);
        let tracker = setup.start();
        assert!(serves(&tracker, TORRENT));
        let log = tracker.log().join("\n");
        assert!(!log.contains("WARN"), "{log}");
    }
    let mut setup = udp();
    setup.set("process.user", "root");
    assert!(serves(&setup.start(), TORRENT));
}

#[test]
fn a_number_needs_no_table_of_users() {
    let without_users = ["unshare", "--mount", "sh", "-c"];
    let script = ["mount --bind /dev/null /etc/passwd && exec \"$@\"", "sh"];
    for then in [&[][..], &AS_NOBODY] {
        let mut setup = udp();
        setup.wrapper = wrapper(&[&without_users, &script, then]);
        setup.set("process.user", NOBODY);
        let tracker = setup.start();
        assert!(serves(&tracker, TORRENT));
        let status = fs::read_to_string(tracker.proc("status")).unwrap();
        assert_eq!(ids(&status, "Uid"), [NOBODY; 4]);
        assert_eq!(ids(&status, "Gid"), [NOBODY; 4]);
    }
    let mut setup = udp();
    setup.wrapper = wrapper(&[&without_users, &script]);
    let ended = setup.set("process.user", "daemon").run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("process.user"), "{ended:?}");
}

#[test]
fn check_reads_lists_as_the_user_who_would() {
    let mut setup = udp();
    setup
        .list("access.allow", &[TORRENT])
        .set("process.user", "nobody")
        .argument("--check");
    assert_eq!(setup.run().code, Some(0));
    let path = setup.path("access.allow");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let ended = setup.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("Permission denied"), "{ended:?}");
}

#[test]
fn check_finds_lists_in_the_root_folder() {
    let mut setup = udp();
    setup.write("allowed", &list(&[TORRENT]));
    let folder = setup.path("").to_str().unwrap().to_owned();
    setup
        .set("process.chroot", folder.as_str())
        .set("access.allow", "/allowed")
        .argument("--check");
    let ended = setup.run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn check_finds_lists_outside_of_the_root_folder() {
    let mut setup = udp();
    let root = setup.path("root");
    fs::create_dir(&root).unwrap();
    setup
        .list("access.allow", &[TORRENT])
        .set("process.chroot", root.to_str().unwrap())
        .argument("--check");
    let ended = setup.run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    fs::remove_file(setup.path("access.allow")).unwrap();
    let ended = setup.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn without_root_ports_below_1024_are_out_of_reach() {
    for flag in ["-p", "-P"] {
        let mut setup = setup();
        setup.wrapper = wrapper(&[&OWN_NETWORK, &AS_NOBODY]);
        setup
            .argument("-i")
            .argument("127.0.0.1")
            .argument(flag)
            .argument("80");
        let ended = setup.run_bare();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for word in ["127.0.0.1:80", "Permission denied"] {
            assert!(ended.stderr.contains(word), "{word}: {ended:?}");
        }
    }
}

#[test]
fn a_list_of_somebody_else_is_unreadable() {
    let mut setup = udp();
    setup.wrapper = wrapper(&[&AS_NOBODY]);
    setup.list("access.deny", &[TORRENT]);
    let path = setup.path("access.deny");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let ended = setup.run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("Permission denied"), "{ended:?}");
}
