//! Section "Program" of the contract: what is said at a start and whatever goes wrong there, what
//! `--check` tries, and logs that nobody reads.
//!
//! | sentence | tests |
//! |---|---|
//! | says in a few lines: version, configuration file, announce URLs, dashboard, sizes of the lists | `a_start_says_what_there_is`, `a_start_names_the_urls_for_browsers`, `a_start_with_all_addresses_names_one_that_can_be_called` |
//! | whatever goes wrong at a start ends with one line that names it | `an_interface_that_is_not_there`, `a_fault_after_the_group_was_joined`, `nothing_to_serve` |
//! | never with a panic | `a_system_without_threads` |
//! | `--check` tries everything that a start would, all faults at once | `check_names_every_fault` |
//! | prints what would be in force, and exits 0 | `check_prints_what_would_be_in_force` |
//! | as lists lie in the folder that is entered | `check_finds_lists_in_the_folder` |
//! | FIFOs and the state dump among them | `check_names_fifos_and_state_dump` |
//! | its port in use is a warning that the start lines repeat | `an_operator_s_port_in_use_is_said_twice` |
//! | what `--check` says of it | `check_warns_of_the_operator_s_listener` |
//! | descriptors needed are among it | `few_descriptors_are_enough_for_few_connections` |
//! | a start with 64 descriptors | `few_descriptors_are_enough_for_few_connections` |
//! | the dashboard is where it can be had | `a_dashboard_that_only_the_operator_has_is_named` |
//! | logs are written through a bounded queue | `a_reader_that_hangs_holds_up_nothing` |
//! | whose drops are counted | `dropped_lines_are_counted` |
//! | a second signal leaves at once | `a_second_signal_leaves_at_once` |

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::datagram::{Announce, Client, connect};
use crate::program::{Ended, NOTHING, STOP_TIME, Setup, Tracker, eventually, list};
use crate::request::{get, head};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

/// Asserts that the program ended for one reason, which one line names.
pub(crate) fn assert_named(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let lines = ended.stderr.lines();
    let named: Vec<_> = lines
        .filter(|line| line.starts_with("opentracker: "))
        .collect();
    assert_eq!(named.len(), 1, "{ended:?}");
    for word in words {
        assert!(named[0].contains(word), "{word}: {ended:?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn a_start_says_what_there_is() {
    let mut setup = Setup::new();
    setup
        .list("access.allow", &[TORRENT, OTHER])
        .list("access.deny", &[OTHER]);
    let tracker = setup.start();
    tracker.wait_for("the sizes of the lists", |log| {
        log.iter().any(|line| line.ends_with("deny list: 1"))
    });
    let log = tracker.log().join("\n");
    let (udp, http) = (tracker.udp(), tracker.http());
    for words in [
        format!("opentracker {}", env!("CARGO_PKG_VERSION")),
        tracker.setup.config_path().display().to_string(),
        format!("announce URLs: udp://{udp}/announce http://{http}/announce"),
        format!("dashboard: http://{http}/"),
        "info hashes on the allow list: 2".to_owned(),
    ] {
        assert!(log.contains(&words), "{words}: {log}");
    }
    assert!(log.lines().count() <= 8, "a few lines: {log}");
}

#[test]
fn a_start_names_the_urls_for_browsers() {
    let mut setup = Setup::new();
    setup
        .set_toml("webtorrent.enabled", "true")
        .set("access.stats", NOTHING)
        .set("access.admin", NOTHING);
    let tracker = setup.start();
    let http = tracker.http();
    let urls = format!(" http://{http}/announce ws://{http}/announce");
    tracker.wait_for("the URLs", |log| {
        log.iter().any(|line| line.ends_with(&urls))
    });
    let page = get(http, "/");
    assert!(page.text().contains("<code>ws://"), "{}", page.text());
}

#[test]
fn a_start_with_all_addresses_names_one_that_can_be_called() {
    let mut setup = Setup::new();
    setup
        .set("udp.listen", ["0.0.0.0:0"])
        .set("http.listen", ["[::]:0"]);
    let tracker = setup.start();
    tracker.wait_for("the URLs", |log| {
        let urls = log.iter().filter(|line| line.contains("announce URLs: "));
        urls.filter(|line| !line.contains("//0.0.0.0:") && !line.contains("//[::]:"))
            .count()
            == 1
    });
}

#[test]
fn an_interface_that_is_not_there() {
    let mut setup = Setup::udp();
    setup.variable("OPENTRACKER_LIVESYNC__LISTEN", "192.0.2.1:9696");
    let words = [
        "livesync.listen: no interface has 192.0.2.1; this host has ",
        "127.0.0.1",
    ];
    assert_named(&setup.run(), 1, &words);
}

#[test]
fn a_fault_after_the_group_was_joined() {
    let mut by_list = Setup::udp();
    by_list.set("access.deny", "missing.txt");
    let mut by_folder = Setup::udp();
    by_folder.set("process.chroot", "/missing");
    for (mut setup, words) in [
        (by_list, ["access.deny", "missing.txt", "No such file"]),
        (by_folder, ["process", "/missing", "No such file"]),
    ] {
        setup.set("livesync.listen", "127.0.0.1:9696");
        let ended = setup.run();
        assert!(ended.stderr.contains("group joined"), "{ended:?}");
        assert_named(&ended, 1, &words);
    }
}

#[test]
fn nothing_to_serve() {
    let mut setup = Setup::udp();
    setup.set("udp.listen", NOTHING);
    assert_named(
        &setup.run(),
        1,
        &["udp.listen", "http.listen", "nothing to serve"],
    );
}

#[test]
fn a_system_without_threads() {
    // Stacks that do not fit into the memory that a process may have.
    let mut setup = Setup::udp();
    setup.wrapper = ["sh", "-c", "ulimit -v 400000; exec \"$@\"", "sh"]
        .map(str::to_owned)
        .into();
    setup
        .set("udp.workers", 1000)
        .variable("RUST_MIN_STACK", "8388608");
    let ended = setup.run();
    assert_named(&ended, 1, &["cannot start a thread"]);
}

#[test]
fn check_names_every_fault() {
    let mut setup = Setup::new();
    let missing = setup.path("missing").to_str().unwrap().to_owned();
    setup
        .set("udp.listen", ["127.0.0.1:7", "127.0.0.2:7", "127.0.0.1:7"])
        .set("http.listen", ["192.0.2.9:80"])
        .set("livesync.listen", "192.0.2.1:9696")
        .set("process.user", "nobody-has-this-name")
        .set("process.chroot", missing.as_str())
        .set("access.allow", "/allowed")
        .set("access.deny", "/denied")
        .argument("--check");
    let ended = setup.run();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for words in [
        "udp.listen: 127.0.0.1:7 and 127.0.0.1:7 are the same",
        "192.0.2.9:80",
        "livesync.listen: no interface has 192.0.2.1; this host has ",
        "process.user: there is no user \"nobody-has-this-name\"",
        "process.chroot: cannot enter ",
        "access.allow: cannot read ",
        "access.deny: cannot read ",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    let faults = ended.stderr.lines();
    let faults = faults.filter(|line| line.starts_with("opentracker: "));
    assert_eq!(faults.count(), 7, "{}", ended.stderr);
    let mut setup = Setup::udp();
    let ended = setup.set("udp.listen", NOTHING).argument("--check").run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("nothing to serve"), "{ended:?}");
}

#[test]
fn check_prints_what_would_be_in_force() {
    let mut setup = Setup::udp();
    setup
        .list("access.deny", &[TORRENT])
        .variable("OPENTRACKER_ANNOUNCE__INTERVAL", "10m")
        .argument("-r")
        .argument("https://example.org/")
        .argument("--check");
    let ended = setup.run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for line in [
        "interval = \"10m\"",
        "redirect_url = \"https://example.org/\"",
        "listen = []",
    ] {
        let mut lines = ended.stdout.lines();
        assert!(lines.any(|found| found == line), "{line}: {}", ended.stdout);
    }
    // Lines that are no entries would only be warned of.
    setup.write("access.deny", "hello\n");
    let ended = setup.run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("line 1"), "{ended:?}");
}

#[test]
fn check_finds_lists_in_the_folder() {
    let mut setup = Setup::udp();
    setup.write("allowed", &list(&[TORRENT]));
    let folder = setup.path("");
    setup
        .set("access.allow", "allowed")
        .argument("-d")
        .argument(folder)
        .argument("--check");
    assert_eq!(setup.run().code, Some(0));
    std::fs::remove_file(setup.path("allowed")).unwrap();
    assert_eq!(setup.run().code, Some(2));
}

#[test]
fn check_names_fifos_and_state_dump() {
    let mut setup = Setup::udp();
    let [add, dump] = ["add", "dump"].map(|name| setup.path(name));
    let no_fifo = setup.write("delete", "");
    setup
        .set("access.fifo_add", add.to_str().unwrap())
        .set("access.fifo_delete", no_fifo.to_str().unwrap())
        .argument("-l")
        .argument(&dump)
        .argument("--check");
    let ended = setup.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for (path, cause) in [
        (&add, "No such file"),
        (&no_fifo, "it is not a FIFO"),
        (&dump, "No such file"),
    ] {
        let mut lines = ended.stderr.lines();
        let path = path.to_str().unwrap();
        let is_named = |line: &str| line.contains(path) && line.contains(cause);
        assert!(lines.any(is_named), "{path}: {ended:?}");
    }
    std::fs::remove_file(&no_fifo).unwrap();
    for fifo in [&add, &no_fifo] {
        let made = Command::new("mkfifo").arg(fifo).status().unwrap();
        assert!(made.success());
    }
    setup.write("dump", "");
    assert_eq!(setup.run().code, Some(0));
}

#[test]
fn an_operator_s_port_in_use_is_said_twice() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let mut setup = Setup::new();
    setup.set("admin.listen", [address.as_str()]).listeners(2);
    let tracker = setup.start();
    tracker.wait_for("both warnings", |log| {
        let of_it = |line: &&String| line.contains("WARN") && line.contains(&address);
        log.iter().filter(of_it).count() == 2
    });
    assert_eq!(get(tracker.http(), "/readyz").status, 200);
}

#[test]
fn check_warns_of_the_operator_s_listener() {
    for (public, said) in [
        (
            "127.0.0.1:7",
            "admin.listen: 127.0.0.1:7 and 127.0.0.1:7 of http.listen are the same",
        ),
        (
            "127.0.0.1:8",
            "admin.listen: cannot listen on tcp 192.0.2.9:7",
        ),
    ] {
        let mut setup = Setup::udp();
        let listen = if public.ends_with(":7") {
            public
        } else {
            "192.0.2.9:7"
        };
        setup
            .set("http.listen", [public])
            .set("admin.listen", [listen])
            .argument("--check");
        let ended = setup.run();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
}

#[test]
fn few_descriptors_are_enough_for_few_connections() {
    let with_limit = |limit: usize| {
        let mut setup = Setup::new();
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        setup.wrapper = ["sh", "-c", &script, "sh"].map(str::to_owned).into();
        // One core or a hundred: what is needed does not depend on it.
        setup.set("http.listen", NOTHING);
        setup
    };
    let threads = std::thread::available_parallelism().unwrap().get();
    let limit = 64 + 8 * threads;
    let mut setup = with_limit(limit);
    setup.set("http.listen", ["127.0.0.1:0"]);
    let tracker = setup.start();
    let log = tracker.log().join("\n");
    assert!(log.contains("is enough for "), "{log}");
    // Idle connections give way, and there is always a descriptor for a list.
    let request = head("GET", "/announce?info_hash=x", &[], &[]);
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(tracker.http()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        idle.push(stream);
    }
    assert_eq!(get(tracker.http(), "/healthz").status, 200);
    assert!(tracker.hang_up().join("\n").contains("reloaded"));
    // The one that comes is open for a moment before another gives way.
    let descriptors = || std::fs::read_dir(tracker.proc("fd")).unwrap().count();
    eventually("a descriptor to be free", || descriptors() < limit);
    // By UDP alone it takes less than that.
    Client::of(with_limit(64).start().udp()).connect();
    let words = ["file descriptors and the limit is 20", "LimitNOFILE"];
    assert_named(&with_limit(20).run(), 1, &words);
    let mut check = with_limit(20);
    let ended = check.argument("--check").run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains(words[0]), "{ended:?}");
}

#[test]
fn a_dashboard_that_only_the_operator_has_is_named() {
    let mut redirected = Setup::new();
    redirected.set("http.redirect_url", "https://example.org/");
    for setup in [Setup::udp(), redirected] {
        let tracker = setup.start();
        let dashboard = format!("dashboard: http://{}/", tracker.operator());
        tracker.wait_for("the dashboard", |log| {
            log.iter().any(|line| line.ends_with(&dashboard))
        });
        assert_eq!(get(tracker.operator(), "/").status, 200);
    }
}

/// Starts a tracker that logs every datagram, and fills the pipe that nobody reads any more.
fn with_a_reader_that_hangs() -> Tracker {
    let mut setup = Setup::new();
    setup
        .list("access.allow", &[TORRENT])
        .set("log.level", "trace");
    let tracker = setup.start();
    tracker.pause_reading(true);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = Client::of(tracker.udp());
    // More than pipe and queue hold together.
    for number in 0..10_000 {
        socket.send_to(&connect(number), tracker.udp()).unwrap();
        if number % 50 == 0 {
            client.connect();
        }
    }
    tracker
}

#[test]
fn a_reader_that_hangs_holds_up_nothing() {
    let mut tracker = with_a_reader_that_hangs();
    let serves = |tracker: &Tracker, info_hash| {
        let announce = Announce::new(info_hash, 1000);
        Client::of(tracker.udp()).try_announce(&announce).is_ok()
    };
    assert!(serves(&tracker, TORRENT));
    tracker.setup.write("access.allow", &list(&[OTHER]));
    tracker.signal("HUP");
    eventually("the reload", || serves(&tracker, OTHER));
    assert!(!serves(&tracker, TORRENT));
    let begin = Instant::now();
    tracker.signal("TERM");
    let mut status = None;
    while status.is_none() && begin.elapsed() < STOP_TIME {
        status = tracker.has_ended();
        std::thread::yield_now();
    }
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn dropped_lines_are_counted() {
    let tracker = with_a_reader_that_hangs();
    tracker.pause_reading(false);
    tracker.wait_for("how many lines were dropped", |log| {
        log.iter()
            .any(|line| line.contains("WARN") && line.contains("log lines were dropped"))
    });
    let log = tracker.log();
    let datagrams = log
        .iter()
        .filter(|line| line.contains(" datagram "))
        .count();
    assert!(datagrams < 10_000, "{datagrams}");
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("reloaded"), "{said}");
}

#[test]
fn a_second_signal_leaves_at_once() {
    let mut tracker = Setup::new().start();
    // A stop waits for a client that does not read, for a while. The tracker sends to this one until
    // nothing more fits, and then takes no more requests.
    let mut deaf = TcpStream::connect(tracker.http()).unwrap();
    deaf.set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let requests = head("GET", "/", &[], &[]).repeat(100);
    while deaf.write_all(requests.as_bytes()).is_ok() {}
    tracker.signal("TERM");
    tracker.wait_for("the first signal", |log| {
        log.iter().any(|line| line.contains("stopping"))
    });
    let (status, took) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_TIME, "{took:?}");
    let log = tracker.log().join("\n");
    assert!(log.contains("leaving at once"), "{log}");
}
