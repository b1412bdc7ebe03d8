//! What the host gives the program: a kernel that lacks something, the restrictions of the unit of
//! systemd, the place of a container's first process.
//!
//! | sentence | tests |
//! |---|---|
//! | a default family that the kernel lacks is left out | `a_kernel_without_ipv6_serves_ipv4` |
//! | the unit of systemd lets a cluster node run, reload and close its sandbox | `a_cluster_node_runs_within_the_unit` |
//! | and shields it well | `the_unit_is_well_shielded` |
//! | what systemd passes is served | `what_systemd_passes_is_served` |
//! | a start on hosts without `TCP_DEFER_ACCEPT`, and a restart that loses nothing there | `without_defer_accept_a_restart_loses_no_http_request` |
//! | without standard streams | `closed_standard_streams_stay_free` |
//! | without `/proc`, or with a root that cannot be written to | `a_bare_host_is_enough` |
//! | PID 1 of a container reaps | `the_first_process_of_a_container_reaps_orphans` |

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use crate::datagram::Client;
use crate::load::{self, under_load};
use crate::program::{self, STOP_TIME, eventually};
use crate::request::{announce, get};
use crate::sandbox::{wait_until_told, with_manager};
use crate::{
    AS_NOBODY, OTHER, OWN_NETWORK, TORRENT, addresses, assert_serves_at, inside, serves, setup,
    udp, wrapper,
};

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

const UNIT: &str = include_str!("../../../../deploy/systemd/opentracker.service");

/// The values of a key of the unit.
fn of_unit(key: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.strip_prefix(key));
    lines.filter_map(|line| line.strip_prefix('=')).collect()
}

/// Starts a program with the system calls of the unit alone, as systemd reads its lines.
fn with_system_calls_of_unit() -> Vec<String> {
    const SCRIPT: &str = "\
import errno, os, seccomp, subprocess, sys
def members(name):
    if not name.startswith('@'):
        return {name}
    command = ['systemd-analyze', 'syscall-filter', name]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.strip() for line in text.splitlines()[1:]]
    names = [line for line in lines if line and not line.startswith('#')]
    return set().union(*map(members, names))
allowed = set()
for line in sys.argv[1].split(';'):
    names = set().union(*map(members, line.lstrip('~').split()))
    allowed = allowed - names if line.startswith('~') else allowed | names
rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
for name in allowed | members('@default'):
    try:
        rules.add_rule(seccomp.ALLOW, name)
    except RuntimeError:
        pass  # another architecture's
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
";
    let lines = of_unit("SystemCallFilter").join(";");
    wrapper(&[&["/usr/bin/python3", "-c", SCRIPT, &lines]])
}

#[test]
fn a_cluster_node_runs_within_the_unit() {
    let families = of_unit("RestrictAddressFamilies");
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
    setup.wrapper = [
        wrapper(&[&network, &AS_NOBODY]),
        with_families(families[0]),
        with_system_calls_of_unit(),
    ]
    .concat();
    let manager = with_manager(&mut setup);
    setup
        .list("access.deny", &[OTHER])
        .set("log.level", "debug")
        .set("livesync.listen", "10.9.8.7:9696")
        .set("udp.listen", ["127.0.0.1:6969"])
        .set("http.listen", ["127.0.0.1:6969"]);
    let mut tracker = setup.start();
    wait_until_told(&manager, "READY=1");
    assert_serves_at(&tracker, "127.0.0.1", 6969);
    tracker.setup.write("access.deny", "");
    tracker.hang_up();
    // A program that is told to stop in the middle of a reload does not say that it is ready.
    wait_until_told(&manager, "RELOADING=1");
    wait_until_told(&manager, "READY=1");
    assert_eq!(tracker.stop("TERM").0.code(), Some(0));
    wait_until_told(&manager, "STOPPING=1");
    let log = tracker.log().join("\n");
    assert!(log.contains("group joined"), "{log}");
    for words in ["without Landlock", "WARN", "ERROR", "not permitted"] {
        assert!(!log.contains(words), "{words}: {log}");
    }
}

#[test]
fn the_unit_is_well_shielded() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/systemd");
    let unit = format!("{folder}/opentracker.service");
    // In tenths: 1.2 of 10.
    let mut analysis = Command::new("systemd-analyze");
    analysis.args([
        "security",
        "--offline=true",
        "--no-pager",
        "--threshold=12",
        &unit,
    ]);
    let output = analysis.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_systemd_passes_is_served() {
    let mut setup = setup();
    // It executes the program when the first connection waits.
    let activate = [
        "systemd-socket-activate",
        "--listen=127.0.0.1:6969",
        "--fdname=http",
    ];
    setup.wrapper = wrapper(&[&OWN_NETWORK, &activate]);
    setup
        .set("udp.listen", ["127.0.0.1:6969"])
        .set("http.listen", ["192.0.2.1:80"]);
    let tracker = setup.start_without_waiting();
    tracker.wait_for("the socket", |log| {
        log.iter().any(|line| line.starts_with("Listening on"))
    });
    let request = r"GET /healthz HTTP/1.0\r\n\r\n";
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/6969; printf '{request}' >&3; cat <&3");
    let reply = inside(&tracker, &script).escape_ascii().to_string();
    assert!(reply.contains(" 200 "), "{reply}");
    assert_serves_at(&tracker, "127.0.0.1", 6969);
    let log = tracker.log().join("\n");
    assert!(
        log.contains("listening on http 127.0.0.1:6969, which was passed"),
        "{log}"
    );
}

#[test]
fn without_defer_accept_a_restart_loses_no_http_request() {
    const SCRIPT: &str = "\
import errno, os, seccomp, socket, sys
rules = seccomp.SyscallFilter(seccomp.ALLOW)
level = seccomp.Arg(1, seccomp.EQ, socket.IPPROTO_TCP)
option = seccomp.Arg(2, seccomp.EQ, socket.TCP_DEFER_ACCEPT)
rules.add_rule(seccomp.ERRNO(errno.ENOPROTOOPT), 'setsockopt', level, option)
rules.load()
os.execvp(sys.argv[1], sys.argv[1:])
";
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (http, udp_address) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
    let start = || {
        let mut setup = setup();
        setup.wrapper = wrapper(&[&["/usr/bin/python3", "-c", SCRIPT]]);
        setup.set("log.level", "debug").pass(&tcp, &udp);
        setup.start()
    };
    let mut tracker = start();
    let log = tracker.log().join("\n");
    assert!(
        log.contains("DEBUG") && log.contains("before their first octets"),
        "{log}"
    );
    under_load(http, udp_address, |load| {
        for _ in 0..4 {
            load.wait(10);
            let (status, took) = tracker.stop("TERM");
            assert_eq!(status.code(), Some(0));
            assert!(took < STOP_TIME, "{took:?}");
            tracker = start();
        }
        load.wait(1);
    });
    let swarm = Client::of(udp_address).scrape(&[load::TORRENT]);
    assert_eq!(swarm[0].leechers, load::PEERS, "everybody");
}

#[test]
fn closed_standard_streams_stay_free() {
    let mut setup = setup();
    let close = ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"];
    setup.wrapper = wrapper(&[&OWN_NETWORK, &close]);
    setup
        .set("udp.listen", ["127.0.0.1:6969"])
        .set("http.listen", ["127.0.0.1:6969"]);
    let mut tracker = setup.start_without_waiting();
    eventually("its threads", || {
        tracker.threads("comm").contains(&"http-0".to_owned())
    });
    assert_serves_at(&tracker, "127.0.0.1", 6969);
    for stream in ["fd/0", "fd/1", "fd/2"] {
        let target = fs::read_link(tracker.proc(stream)).unwrap();
        assert_eq!(target, Path::new("/dev/null"), "{stream}");
    }
    tracker.signal("TERM");
    let mut status = None;
    eventually("its end", || {
        status = status.or(tracker.has_ended());
        status.is_some()
    });
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn a_bare_host_is_enough() {
    for bare in [
        "mount -t tmpfs none /proc",
        "mount -o remount,bind,ro /",
        "mount --bind /dev/null /etc/passwd && mount -t tmpfs none /sys",
    ] {
        let script = format!("{bare} && exec \"$@\"");
        let mut setup = setup();
        setup.wrapper = wrapper(&[&["unshare", "--mount", "sh", "-c", &script, "sh"]]);
        setup.list("access.allow", &[TORRENT]);
        let tracker = setup.start();
        assert!(serves(&tracker, TORRENT), "{bare}");
        let log = tracker.hang_up().join("\n");
        assert!(!log.contains("ERROR"), "{bare}: {log}");
        get(tracker.http(), &announce(&TORRENT, 1000, "")).announced();
    }
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
