//! What the host gives the program: a kernel that lacks something, the restrictions of the unit of
//! systemd, the place of a container's first process.
//!
//! | sentence | tests |
//! |---|---|
//! | a default family that the kernel lacks is left out | `a_kernel_without_ipv6_serves_ipv4` |
//! | the unit of systemd lets a cluster node run | `a_cluster_node_runs_with_the_address_families_of_the_unit` |
//! | PID 1 of a container reaps | `the_first_process_of_a_container_reaps_orphans` |

use std::fs;

use crate::program::{self, eventually};
use crate::{OWN_NETWORK, TORRENT, addresses, assert_serves_at, serves, setup, udp, wrapper};

/// Starts a program that can open sockets of these families alone, as the unit of systemd does it.
fn with_families(families: &str) -> Vec<String> {
    const SCRIPT: &str = "\
import errno, os, seccomp, socket, sys
allowed = {int(getattr(socket, name)) for name in sys.argv[1].split()}
rules = seccomp.SyscallFilter(seccomp.ALLOW)
for family in range(64):
    if family not in allowed:
        refuse = seccomp.ERRNO(errno.EAFNOSUPPORT)
        rules.add_rule(refuse, 'socket', seccomp.Arg(0, seccomp.EQ, family))
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
";
    wrapper(&[&["/usr/bin/python3", "-c", SCRIPT, families]])
}

#[test]
fn a_kernel_without_ipv6_serves_ipv4() {
    let mut setup = setup();
    setup.wrapper = [
        wrapper(&[&OWN_NETWORK]),
        with_families("AF_INET AF_NETLINK"),
    ]
    .concat();
    setup.listeners(2);
    let tracker = setup.start_bare();
    assert_eq!(
        addresses(&tracker),
        ["http 0.0.0.0:6969", "udp 0.0.0.0:6969"]
    );
    assert_serves_at(&tracker, "127.0.0.1", 6969);
    let log = tracker.log();
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log:?}");
    assert!(warnings[0].contains("IPv6"), "{log:?}");
    // What somebody has written must work.
    let mut setup = udp();
    setup.wrapper = with_families("AF_INET");
    let ended = setup.set("udp.listen", ["127.0.0.1:0", "[::]:0"]).run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in ["udp [::]:0", "not supported"] {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
}

#[test]
fn a_cluster_node_runs_with_the_address_families_of_the_unit() {
    const UNIT: &str = include_str!("../../../../deploy/opentracker.service");
    let mut lines = UNIT.lines();
    let families = lines.find_map(|line| line.strip_prefix("RestrictAddressFamilies="));
    let families = families.expect("the unit restricts the families");
    let network = [
        "unshare",
        "--net",
        "sh",
        "-c",
        "ip link set lo up && ip link add node type veth peer other && ip link set other up && ip link set node up \
         && ip address add 10.9.8.7/24 dev node && exec \"$@\"",
        "sh",
    ];
    let mut setup = setup();
    setup.wrapper = [wrapper(&[&network]), with_families(families)].concat();
    setup
        .set("livesync.listen", "10.9.8.7:9696")
        .set("udp.listen", ["127.0.0.1:6969"])
        .set("http.listen", ["127.0.0.1:6969"]);
    let tracker = setup.start();
    assert_serves_at(&tracker, "127.0.0.1", 6969);
    let log = tracker.log().join("\n");
    assert!(log.contains("group joined"), "{log}");
}

/// The processes whose parent is this one.
fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    children
        .split_whitespace()
        .map(|child| child.parse().unwrap())
        .collect()
}

#[test]
fn the_first_process_of_a_container_reaps_orphans() {
    let mut setup = udp();
    // The shell becomes the tracker, whose child `sleep` then is.
    let script = "sleep 1 & exec \"$@\"";
    setup.wrapper = wrapper(&[&["unshare", "--pid", "--fork", "sh", "-c", script, "sh"]]);
    let mut tracker = setup.start();
    let [init] = children(tracker.process())[..] else {
        panic!("unshare has the tracker as its only child");
    };
    eventually("an orphan that is reaped", || children(init).is_empty());
    assert!(serves(&tracker, TORRENT));
    program::signal("HUP", init);
    tracker.wait_for("a reload", |log| {
        log.iter().any(|line| line.contains("reloaded"))
    });
    program::signal("TERM", init);
    assert_eq!(tracker.wait().code(), Some(0));
}
