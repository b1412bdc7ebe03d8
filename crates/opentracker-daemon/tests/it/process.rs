//! Section "Program" of the contract: flags, start, signals. What needs root is in
//! `tests/privileges`.
//!
//! | sentence | tests |
//! |---|---|
//! | prints one line per listener | `each_listener_has_a_line` |
//! | `--version`, `--help` | `the_version_is_printed`, `the_help_names_every_flag` |
//! | `-i ip`, `-p tcp-port`, `-P udp-port` | `ports_are_at_the_address_before_them`, `flags_replace_the_listeners_of_the_file` |
//! | `-d dir` (chroot as root, else chdir) | `the_folder_is_entered` |
//! | `-r url` | `the_redirect_is_a_flag` |
//! | `-A net` (bless a network) | `a_network_is_blessed` |
//! | `-w file` / `-b file` (allow / deny list) | `lists_are_flags` |
//! | `-l file` (load a statedump) | `a_state_dump_is_loaded` |
//! | a listener's `v6_only` leaves IPv4 to others | `two_processes_share_a_port_by_family` |
//! | flags win over file and environment | `flags_win_over_everything` |
//! | SIGTERM and SIGINT: exit 0 within 5 s | `signals_stop_it` |
//! | also with open connections | `it_stops_with_connections_open` |
//! | also under load | `it_stops_under_load` |
//! | stop accepting | `what_is_stopped_is_gone` |

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::datagram::{Announce, Client, connect};
use crate::program::{NOTHING, STOP_TIME, Setup, Tracker, list};
use crate::request::{Connection, announce, get, head};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let announce = Announce::new(info_hash, 1000);
    Client::of(tracker.udp()).try_announce(&announce).is_ok()
}

#[test]
fn each_listener_has_a_line() {
    let mut setup = Setup::new();
    setup
        .set("udp.listen", ["127.0.0.1:0", "[::1]:0"])
        .set("udp.workers", 3)
        .set("http.listen", ["127.0.0.1:0"]);
    let tracker = setup.start();
    let lines: Vec<_> = tracker.log();
    let lines: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("listening on"))
        .collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (protocol, number) in [("udp", 2), ("http", 1), ("admin", 1)] {
        assert_eq!(tracker.addresses(protocol).len(), number, "{lines:?}");
    }
}

#[test]
fn the_version_is_printed() {
    let mut setup = Setup::new();
    let ended = setup.argument("--version").run_bare();
    let expected = format!("opentracker {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (ended.code, ended.stdout, ended.stderr),
        (Some(0), expected, String::new())
    );
}

#[test]
fn the_help_names_every_flag() {
    for flag in ["--help", "-h"] {
        let mut setup = Setup::new();
        let ended = setup.argument(flag).run_bare();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        for name in [
            "--config",
            "-f",
            "--check",
            "--print-config",
            "--version",
            "--help",
            "-i",
            "-p",
            "-P",
            "-d",
            "-u",
            "-r",
            "-A",
            "-w",
            "-b",
            "-s",
            "-l",
            "-v",
        ] {
            let mut words = ended.stdout.split([' ', ',', '\n']);
            assert!(words.any(|word| word == name), "{name}: {}", ended.stdout);
        }
    }
}

/// Starts the program with flags alone.
fn with_flags(flags: &[&str], listeners: usize) -> Tracker {
    let mut setup = Setup::new();
    for flag in flags {
        setup.argument(flag);
    }
    setup.listeners(listeners);
    setup.start_bare()
}

fn ips(tracker: &Tracker, protocol: &str) -> Vec<String> {
    tracker
        .addresses(protocol)
        .iter()
        .map(|address| address.ip().to_string())
        .collect()
}

#[test]
fn ports_are_at_the_address_before_them() {
    let flags = ["-i", "127.0.0.1", "-p", "0", "-P", "0", "-i", "::1", "-P0"];
    let tracker = with_flags(&flags, 3);
    assert_eq!(ips(&tracker, "http"), ["127.0.0.1"]);
    assert_eq!(ips(&tracker, "udp"), ["127.0.0.1", "::1"]);
    for address in tracker.addresses("udp") {
        Client::of(address).connect();
    }
    // Without an address, a port is one of all addresses, of both families.
    let tracker = with_flags(&["-P", "0"], 2);
    assert_eq!(ips(&tracker, "udp"), ["0.0.0.0", "::"]);
    assert!(ips(&tracker, "http").is_empty(), "only what is asked for");
    // A port that is asked for is the one that is served: here, the one that is not free.
    let udp = UdpSocket::bind("127.0.0.5:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.5:0").unwrap();
    for (flag, taken) in [("-P", udp.local_addr()), ("-p", tcp.local_addr())] {
        let taken = taken.unwrap();
        let mut setup = Setup::new();
        setup.argument("-i").argument("127.0.0.5");
        let ended = setup
            .argument(flag)
            .argument(taken.port().to_string())
            .run_bare();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&taken.to_string()), "{ended:?}");
    }
}

#[test]
fn flags_replace_the_listeners_of_the_file() {
    let mut setup = Setup::new();
    setup
        .argument("-i")
        .argument("127.0.0.2")
        .argument("-P")
        .argument("0")
        .listeners(1);
    let tracker = setup.start();
    assert_eq!(ips(&tracker, "udp"), ["127.0.0.2"]);
    assert!(ips(&tracker, "http").is_empty());
}

#[test]
fn the_folder_is_entered() {
    let mut setup = Setup::udp();
    setup.write("allowed", &list(&[TORRENT]));
    // Lists are read in the new folder, whether it is the root or not.
    let folder = setup.path("");
    setup
        .set("access.allow", "allowed")
        .argument("-d")
        .argument(folder);
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    let folder = std::fs::read_link(tracker.proc("cwd")).unwrap();
    assert_eq!(folder, tracker.setup.path("").canonicalize().unwrap());
}

#[test]
fn the_redirect_is_a_flag() {
    let mut setup = Setup::new();
    setup.argument("-r").argument("https://example.org/");
    let tracker = setup.start();
    let response = get(tracker.http(), "/");
    assert_eq!(
        (response.status, response.field("location")),
        (302, Some("https://example.org/"))
    );
}

#[test]
fn a_network_is_blessed() {
    for (network, status) in [("127.0.0.0/8", 200), ("127.0.0.1", 200), ("192.0.2.1", 403)] {
        let mut setup = Setup::new();
        setup
            .set("access.admin", NOTHING)
            .argument("-A")
            .argument(network);
        assert_eq!(
            get(setup.start().http(), "/metrics").status,
            status,
            "{network}"
        );
    }
}

#[test]
fn lists_are_flags() {
    let mut setup = Setup::udp();
    let allowed = setup.write("allowed", &list(&[TORRENT, OTHER]));
    let denied = setup.write("denied", &list(&[OTHER]));
    setup
        .argument("-w")
        .argument(allowed)
        .argument("-b")
        .argument(denied);
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT));
    assert!(!serves(&tracker, OTHER));
    assert!(!serves(&tracker, [1; 20]));
}

#[test]
fn a_state_dump_is_loaded() {
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let minutes = minutes.as_secs() / 60;
    let (hex, other) = ("AB".repeat(20), "cd".repeat(20));
    let mut setup = Setup::udp();
    let text = format!("{hex}:{minutes}:7\nhello\n{other}:{}:3\n", minutes - 3000);
    let dump = setup.write("dump", &text);
    setup.argument("-l").argument(dump);
    let tracker = setup.start();
    let counts = Client::of(tracker.udp()).scrape(&[TORRENT, OTHER]);
    let downloads: Vec<_> = counts.iter().map(|counts| counts.downloads).collect();
    assert_eq!(downloads, [7, 0], "the other one is more than a day old");
    let log = tracker.log().join("\n");
    for word in ["torrents=1", "expired=1", "skipped=1"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    let mut setup = Setup::udp();
    let ended = setup.argument("-l").argument("/missing/dump").run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("/missing/dump"), "{ended:?}");
}

#[test]
fn two_processes_share_a_port_by_family() {
    let with_v6_only = |v6_only| {
        let mut setup = Setup::new();
        let listen = format!("listen = [{{ address = \"[::]:0\", v6_only = {v6_only} }}]");
        let text =
            format!("[udp]\nworkers = 1\n{listen}\n[http]\n{listen}\n[admin]\nlisten = []\n");
        setup.text(&text).listeners(2);
        setup.start()
    };
    // At an address that no other test uses, so that the ports are free there.
    let beside = |tracker: &Tracker| {
        let mut setup = Setup::new();
        let at = |port: u16| format!("127.0.0.88:{port}");
        setup
            .set("udp.listen", [at(tracker.udp().port()).as_str()])
            .set("http.listen", [at(tracker.http().port()).as_str()]);
        setup
    };
    let six = with_v6_only(true);
    let four = beside(&six).start();
    Client::at(
        "::1",
        SocketAddr::new(Ipv6Addr::LOCALHOST.into(), six.udp().port()),
    )
    .announce(&Announce::new(TORRENT, 1000));
    assert_eq!(
        get(four.http(), &announce(&TORRENT, 1000, ""))
            .announced()
            .incomplete,
        1
    );
    let both = with_v6_only(false);
    let ended = beside(&both).run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("Address already in use"), "{ended:?}");
}

#[test]
fn flags_win_over_everything() {
    let mut setup = Setup::udp();
    setup.list("access.allow", &[OTHER]);
    let wrong = setup.path("missing");
    let right = setup.write("right", &list(&[TORRENT]));
    setup.variable("OPENTRACKER_ACCESS__ALLOW", wrong.to_str().unwrap());
    setup.argument("-w").argument(right);
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
}

#[test]
fn signals_stop_it() {
    for signal in ["TERM", "INT"] {
        for busy in [false, true] {
            let mut tracker = Setup::new().start();
            if busy {
                Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
                get(tracker.http(), &announce(&TORRENT, 1001, "")).announced();
            }
            let (status, took) = tracker.stop(signal);
            assert_eq!(status.code(), Some(0), "{signal}");
            assert!(took < STOP_TIME, "{signal} took {took:?}");
        }
    }
}

#[test]
fn it_stops_with_connections_open() {
    let mut tracker = Setup::new().start();
    let server = tracker.http();
    // One that says nothing, one that is kept, one amidst a head, one that does not read. The
    // system may hold back the first, and lets it find out for itself that nobody is there.
    let _silent = Connection::to(server);
    let mut kept = Connection::to(server);
    kept.get(&announce(&TORRENT, 1000, "")).announced();
    let mut amidst = Connection::to(server);
    amidst.send(b"GET /announce?info_hash=");
    let mut deaf = Connection::to(server);
    let request = head("GET", "/stats?mode=everything", &[], &[]);
    deaf.offer(request.repeat(50).as_bytes());
    // All of them have been accepted, since this one was after them.
    get(server, "/stats");
    let (status, took) = tracker.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_TIME, "{took:?}");
    assert!(kept.is_at_end());
    amidst.rest();
}

#[test]
fn it_stops_under_load() {
    for signal in ["TERM", "INT"] {
        let mut tracker = Setup::new().start();
        let (udp, http) = (tracker.udp(), tracker.http());
        let is_over = AtomicBool::new(false);
        let served = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for number in 0..2 {
                let (is_over, served) = (&is_over, &served);
                scope.spawn(move || {
                    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                    socket.connect(udp).unwrap();
                    while !is_over.load(Ordering::Relaxed) {
                        // Nobody is there any more at the end.
                        socket.send(&connect(number)).ok();
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                });
                scope.spawn(move || {
                    let request = head("GET", &announce(&TORRENT, 1000, ""), &[], &[]);
                    while !is_over.load(Ordering::Relaxed) {
                        let Ok(mut stream) = TcpStream::connect(http) else {
                            continue;
                        };
                        stream.set_read_timeout(Some(STOP_TIME)).unwrap();
                        let mut reply = [0; 1024];
                        while std::io::Write::write_all(&mut stream, request.as_bytes()).is_ok()
                            && std::io::Read::read(&mut stream, &mut reply)
                                .is_ok_and(|read| read > 0)
                        {
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            while served.load(Ordering::Relaxed) < 1000 {
                std::thread::yield_now();
            }
            let (status, took) = tracker.stop(signal);
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(status.code(), Some(0), "{signal}");
            assert!(took < STOP_TIME, "{signal} took {took:?}");
        });
    }
}

#[test]
fn what_is_stopped_is_gone() {
    // At an address that no other test uses, for its ports are free between the two.
    let mut setup = Setup::new();
    setup
        .set("udp.listen", ["127.0.0.77:0"])
        .set("http.listen", ["127.0.0.77:0"]);
    let mut tracker = setup.start();
    let (udp, http) = (tracker.udp(), tracker.http());
    let mut kept = Connection::to(http);
    assert_eq!(kept.get("/stats").status, 200);
    tracker.stop("TERM");
    TcpStream::connect(http).unwrap_err();
    // Both addresses can be had again at once.
    let mut next = Setup::new();
    next.set("udp.listen", [udp.to_string().as_str()]);
    next.set("http.listen", [http.to_string().as_str()]);
    let next = next.start();
    assert_eq!((next.udp(), next.http()), (udp, http));
}
