//! Section "Snapshot and restart" of the contract: sockets that a service manager holds, and a
//! restart that nobody notices.
//!
//! | sentence | tests |
//! |---|---|
//! | sockets that systemd passes are used in place of those configured | `passed_sockets_are_served_in_place_of_the_configured_ones` |
//! | a Unix socket is passed for HTTP | `a_passed_unix_socket_is_served` |
//! | their names say what they are for, where they say it | `a_name_says_what_a_socket_is_for` |
//! | those that cannot be used are named in one line | `wrong_sockets_are_named` |
//! | those of another process are left alone | `sockets_of_another_process_are_left_alone` |
//! | `--check` tries them | `check_tries_passed_sockets` |
//! | requests wait in the sockets; so no HTTP request and no swarm is lost; UDP clients ask again | `a_restart_under_load_loses_nothing` |

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::datagram::{Announce, Client};
use crate::load::{self, under_load};
use crate::program::{STOP_TIME, Setup, Tracker};
use crate::request::{announce, get, head};
use crate::start::assert_named;

const OTHER: [u8; 20] = [0xcd; 20];

/// Sockets that are held as a service manager holds them.
struct Held {
    tcp: TcpListener,
    udp: UdpSocket,
}

impl Held {
    fn new() -> Self {
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            udp: UdpSocket::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn http(&self) -> SocketAddr {
        self.tcp.local_addr().unwrap()
    }

    fn udp(&self) -> SocketAddr {
        self.udp.local_addr().unwrap()
    }

    fn setup(&self) -> Setup {
        let mut setup = Setup::new();
        setup.pass(&self.tcp, &self.udp);
        setup
    }
}

fn passed_lines(tracker: &Tracker) -> usize {
    let log = tracker.log();
    log.iter()
        .filter(|line| line.ends_with(", which was passed"))
        .count()
}

#[test]
fn passed_sockets_are_served_in_place_of_the_configured_ones() {
    let held = Held::new();
    let mut setup = held.setup();
    // Both are somebody else's: nothing is bound there.
    setup
        .set("udp.listen", ["192.0.2.1:6969"])
        .set("http.listen", ["192.0.2.1:6969"])
        .set("udp.workers", 3);
    let tracker = setup.start();
    assert_eq!((tracker.http(), tracker.udp()), (held.http(), held.udp()));
    assert_eq!(passed_lines(&tracker), 2, "{:?}", tracker.log());
    let workers = tracker.threads("comm");
    let workers = workers.iter().filter(|name| name.starts_with("udp-"));
    assert_eq!(workers.count(), 3, "they share the socket");
    for port in 1000..1010 {
        Client::of(held.udp()).announce(&Announce::new(OTHER, port));
    }
    let announced = get(held.http(), &announce(&OTHER, 1010, "")).announced();
    assert_eq!(announced.incomplete, 11);
    // A program that it ran would not have them.
    for descriptor in ["3", "4"] {
        let info = fs::read_to_string(tracker.proc("fdinfo").join(descriptor)).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
        assert_ne!(flags & 0o2_000_000, 0, "{info}");
    }
}

#[test]
fn a_name_says_what_a_socket_is_for() {
    let held = Held::new();
    let mut setup = held.setup();
    setup.variable("LISTEN_FDNAMES", "admin:opentracker.socket");
    let tracker = setup.start();
    assert_eq!(
        (tracker.operator(), tracker.udp()),
        (held.http(), held.udp())
    );
    assert_eq!(passed_lines(&tracker), 2, "{:?}", tracker.log());
    assert_ne!(tracker.http(), held.http(), "of the configuration");
    assert_eq!(get(held.http(), "/metrics").status, 200);
    // Without a name it is the address that says it.
    let held = Held::new();
    let mut setup = held.setup();
    setup.set("admin.listen", [held.http().to_string().as_str()]);
    let tracker = setup.start();
    assert_eq!(tracker.operator(), held.http());
    let log = tracker.log().join("\n");
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn wrong_sockets_are_named() {
    let held = Held::new();
    let mut file = Setup::new();
    file.pass(File::open("/dev/null").unwrap(), &held.udp);
    let neither = [
        "descriptor 3",
        "neither a UDP socket nor a TCP or Unix listener",
    ];
    assert_named(&file.run(), 1, &neither);
    for (names, said) in [
        ("udp:x", "\"udp\" is a TCP listener"),
        ("x:http", "\"http\" is a UDP socket"),
    ] {
        let mut setup = held.setup();
        setup.variable("LISTEN_FDNAMES", names);
        assert_named(&setup.run(), 1, &[said]);
    }
    let mut connected = Setup::new();
    connected.pass(TcpStream::connect(held.http()).unwrap(), &held.udp);
    let words = ["cannot listen on tcp 127.0.0.1:", "it does not listen"];
    assert_named(&connected.run(), 1, &words);
}

#[test]
fn a_passed_unix_socket_is_served() {
    let held = Held::new();
    let mut setup = Setup::new();
    let path = setup.path("http.sock");
    let listener = UnixListener::bind(&path).unwrap();
    setup.pass(listener, &held.udp).listeners(2);
    let mut tracker = setup.start();
    let passed = format!(
        "listening on http unix:{}, which was passed",
        path.display()
    );
    assert!(tracker.log().iter().any(|line| line.contains(&passed)));
    let target = announce(&OTHER, 1000, "");
    let mut stream = UnixStream::connect(&path).unwrap();
    let fields = [("X-Forwarded-For", "192.0.2.1")];
    let request = head("GET", &target, &fields, &["Connection: close"]);
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    assert!(
        response.starts_with(b"HTTP/1.1 200 "),
        "{}",
        response.escape_ascii()
    );
    let seen = Client::of(held.udp()).announce(&Announce::new(OTHER, 1001));
    assert_eq!(seen.leechers, 2);
    tracker.stop("TERM");
    assert!(path.exists(), "it is the manager's");
}

#[test]
fn sockets_of_another_process_are_left_alone() {
    let held = Held::new();
    let mut setup = held.setup();
    setup.variable("LISTEN_PID", "1");
    let tracker = setup.start();
    assert_eq!(passed_lines(&tracker), 0);
    assert_ne!(tracker.http(), held.http());
}

#[test]
fn check_tries_passed_sockets() {
    let held = Held::new();
    let mut setup = held.setup();
    setup
        .set("udp.listen", ["192.0.2.1:6969"])
        .argument("--check");
    let ended = setup.run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    setup.variable("LISTEN_FDNAMES", "udp:udp");
    assert_named(&setup.run(), 2, &["\"udp\" is a TCP listener"]);
    let mut file = Setup::new();
    file.pass(File::open("/dev/null").unwrap(), &held.udp)
        .argument("--check");
    assert_named(&file.run(), 2, &["descriptor 3"]);
}

#[test]
fn a_restart_under_load_loses_nothing() {
    const RESTARTS: usize = 4;
    let held = Held::new();
    let keeper = Setup::new();
    let snapshot = keeper.path("snapshot").to_str().unwrap().to_owned();
    let start = || {
        let mut setup = held.setup();
        setup
            .set("udp.workers", 2)
            .set("snapshot.path", snapshot.as_str());
        setup.start()
    };
    let mut tracker = start();
    // These announce once, and are still there at the end.
    Client::of(held.udp()).announce(&Announce::new(OTHER, 1000).seeding());
    get(held.http(), &announce(&OTHER, 1001, "")).announced();
    under_load(held.http(), held.udp(), |load| {
        for _ in 0..RESTARTS {
            load.wait(10);
            let (status, took) = tracker.stop("TERM");
            assert_eq!(status.code(), Some(0));
            assert!(took < STOP_TIME, "{took:?}");
            tracker = start();
        }
        load.wait(1);
    });
    let swarms = Client::of(held.udp()).scrape(&[load::TORRENT, OTHER]);
    assert_eq!(swarms[0].leechers, load::PEERS, "everybody");
    assert_eq!(
        (swarms[1].seeders, swarms[1].leechers),
        (1, 1),
        "{swarms:?}"
    );
}
